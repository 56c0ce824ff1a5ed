/* SPDX-License-Identifier: Apache-2.0 */
/* For programs that go straight down: one request at a time, and failures tried again. */
#include "kubemote/km_rest.h"

const struct km_retry km_retry_default = {5, 10, 1, 10};
const struct km_retry km_retry_backoff = {4, 10, 5, 10};

int km_call(struct km_request *r, struct km_lane *lane)
{
    struct km_loop *loop = lane->client->loop;
    if (loop->turning)
        return KM_ERR_REENTRANT;
    loop->now_ms = km_port_now_ms();
    int err = km_request_send(r, lane);
    if (err != KM_OK)
        return err;
    while (km_request_busy(r) && !km_port_stop_requested())
        km_loop_turn(loop, -1);
    km_request_cancel(r); /* when the process is to stop */
    return r->result;
}

int km_retry_on_error(struct km_client *client, const struct km_retry *retry,
                      bool (*retriable)(int err, const struct km_status *status),
                      int (*attempt)(void *ctx, const struct km_status **status), void *ctx)
{
    int64_t delay_ms = retry->delay_ms;
    struct km_rng rng;
    km_rng_seed(&rng, (uint64_t)km_port_wall_us());
    for (uint8_t step = 1;; step++) {
        const struct km_status *status = NULL;
        int err = attempt(ctx, &status);
        if (err == KM_OK || step >= retry->steps || km_port_stop_requested() ||
            !retriable(err, err == KM_ERR_STATUS ? status : NULL))
            return err;
        km_loop_pause(client->loop,
                      delay_ms + km_rng_range(&rng, 0, delay_ms * retry->jitter_percent / 100 + 1));
        delay_ms *= retry->factor;
    }
}

static bool is_conflict(int err, const struct km_status *status)
{
    (void)err;
    return status != NULL && km_status_is_conflict(status);
}

int km_retry_on_conflict(struct km_client *client, const struct km_retry *retry,
                         int (*attempt)(void *ctx, const struct km_status **status), void *ctx)
{
    return km_retry_on_error(client, retry, is_conflict, attempt, ctx);
}
