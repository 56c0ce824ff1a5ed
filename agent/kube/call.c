/* SPDX-License-Identifier: Apache-2.0 */
/* For programs that go straight down: one request at a time, and conflicts tried again. */
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

static void pause_ms(struct km_loop *loop, int64_t delay_ms)
{
    int64_t until_ms = km_port_now_ms() + delay_ms;
    do {
        km_loop_turn(loop, delay_ms);
        delay_ms = until_ms - km_port_now_ms();
    } while (delay_ms > 0 && !km_port_stop_requested());
}

int km_retry_on_conflict(struct km_client *client, const struct km_retry *retry,
                         int (*attempt)(void *ctx, const struct km_status **status), void *ctx)
{
    const struct km_status *status = NULL;
    int64_t delay_ms = retry->delay_ms;
    struct km_rng rng;
    km_rng_seed(&rng, (uint64_t)km_port_wall_us());
    for (uint8_t step = 1;; step++) {
        int err = attempt(ctx, &status);
        bool conflict = err == KM_ERR_STATUS && status != NULL && km_status_is_conflict(status);
        if (!conflict || step >= retry->steps)
            return err;
        pause_ms(client->loop,
                 delay_ms + km_rng_range(&rng, 0, delay_ms * retry->jitter_percent / 100 + 1));
        delay_ms *= retry->factor;
    }
}

int km_session_open(struct km_session *s, const struct km_kubeconfig_options *where,
                    struct km_fault *fault)
{
    static const struct km_kubeconfig_options usual;
    int err = km_kubeconfig_load(where != NULL ? where : &usual, &s->config, fault);
    if (err == KM_OK)
        err = km_client_tls(&s->config, fault);
    if (err != KM_OK)
        return err;
    km_kubeconfig_wipe_key(&s->config);
    km_loop_init(&s->loop);
    err = km_client_init(&s->client, &s->config, &s->loop, fault);
    return err == KM_OK ? km_lane_init(&s->lane, &s->client, "requests") : err;
}
