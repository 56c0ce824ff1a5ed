/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on their way: those that wait for a lane, for a token of the rate limit, or for another attempt. */
#include <string.h>

#include "kube_priv.h"
#include "kubemote/km_log.h"

#define DEFAULT_TIMEOUT_MS 10000
#define RESET_RETRY_MS 1000 /* client-go treats a reset GET as an answer with Retry-After 1 */
#define LONG_WAIT_MS 1000   /* of the rate limit: worth a line */

static void enqueue(struct km_lane *lane, struct km_request *r)
{
    struct km_request **place = &lane->waiting;
    while (*place != NULL && (*place)->priority <= r->priority)
        place = &(*place)->next;
    r->next = *place;
    *place = r;
}

static void fill_exchange(struct km_lane *lane, struct km_request *r)
{
    struct km_client *client = lane->client;
    int64_t now_ms = client->loop->now_ms;
    int64_t timeout_ms = r->timeout_ms == 0 ? DEFAULT_TIMEOUT_MS : r->timeout_ms;
    struct km_exchange *x = &r->exchange;
    memset(x, 0, sizeof *x);
    x->request.method = r->method;
    x->request.target = km_slice_of(r->target);
    x->request.host = km_slice_of(client->host_header);
    x->request.accept = r->accept != NULL ? r->accept : KM_TYPE_JSON;
    x->request.content_type = r->body.len > 0 ? r->content_type : NULL;
    x->request.user_agent = client->user_agent;
    x->request.bearer = kube_token(client, now_ms);
    x->request.identity = client->config->headers.len > 0 ? client->config->headers.ptr : NULL;
    x->request.extra = client->extra_headers;
    x->request.body = r->body;
    x->deadline_ms = timeout_ms == KM_NEVER ? KM_NEVER : now_ms + timeout_ms;
    x->head_deadline_ms = r->head_timeout_ms == 0 ? x->deadline_ms : now_ms + r->head_timeout_ms;
    x->on_head = kube_on_head;
    x->on_body = kube_on_body;
    x->done = kube_on_done;
    x->ctx = r;
}

/* ---- the rate limit: a bucket that fills continuously, in thousandths of a token ---- */

static void refill(struct km_client *client)
{
    int64_t now_ms = client->loop->now_ms;
    int64_t full = (int64_t)client->burst * 1000;
    int64_t gained = (now_ms - client->tokens_ms) * client->qps;
    client->tokens_ms = now_ms;
    client->tokens = gained > full - client->tokens ? full : client->tokens + gained;
}

static void on_token(void *ctx, int64_t now_ms)
{
    struct km_client *client = ctx;
    (void)now_ms;
    for (uint16_t i = 0; i < client->lane_count; i++)
        kube_start_next(client->lanes[i]);
}

/* Takes a token, or sets the timer for when there is one; without a timer the request goes at once rather than never. */
static bool take_token(struct km_client *client, const struct km_request *r)
{
    if (client->qps == 0 || r->stream)
        return true;
    refill(client);
    if (client->tokens >= 1000) {
        client->tokens -= 1000;
        return true;
    }
    int64_t wait_ms = (1000 - client->tokens + client->qps - 1) / client->qps;
    if (wait_ms > LONG_WAIT_MS)
        KM_V(1, "Waiting before sending the request: the client's own rate limit",
             KM_S("request", r->what), KM_I("milliseconds", wait_ms));
    client->token_timer.fn = on_token;
    client->token_timer.ctx = client;
    return km_timer_set(&client->loop->timers, &client->token_timer,
                        client->loop->now_ms + wait_ms) != KM_OK;
}

void km_client_limit(struct km_client *client, uint32_t qps, uint32_t burst)
{
    client->qps = qps;
    client->burst = burst > 0 ? burst : 1;
    client->tokens = (int64_t)client->burst * 1000;
    client->tokens_ms = client->loop->now_ms;
}

/* ---- sending ---- */

void kube_start_next(struct km_lane *lane)
{
    if (lane->waiting == NULL || lane->active != NULL)
        return;
    kube_reload(lane->client, lane->conn.state != KM_CONN_CLOSED);
    struct km_request *r = lane->waiting;
    if (!take_token(lane->client, r))
        return;
    lane->waiting = r->next;
    r->next = NULL;
    lane->active = r;
    lane->given_up = false;
    r->http_status = 0;
    r->resent = false;
    r->started_ms = lane->client->loop->now_ms;
    lane->client->requests.value++;
    fill_exchange(lane, r);
    int err = km_conn_start(&lane->conn, &r->exchange, r->started_ms);
    if (err == KM_OK) {
        kube_debug_request(lane->client, r);
        return;
    }
    struct km_fault fault = {0};
    (void)km_fault_set(&fault, err, "%s (%s)",
                       err == KM_ERR_TOO_LONG ? "the request does not fit the connection's buffer"
                                              : "the request is not as HTTP allows it",
                       km_strerror(err));
    kube_on_done(r, err, &fault);
}

/* A server closes kept connections when it likes: that is no failure of the request, nor of the link. */
bool kube_send_again(struct km_lane *lane, struct km_request *r)
{
    bool repeatable = r->repeatable || (r->method != KM_POST && r->method != KM_PATCH);
    if (!km_conn_stale(&lane->conn) || r->resent || !repeatable)
        return false;
    r->resent = true;
    return km_conn_start(&lane->conn, &r->exchange, lane->client->loop->now_ms) == KM_OK;
}

static void on_retry(void *ctx, int64_t now_ms)
{
    struct km_request *r = ctx;
    (void)now_ms;
    enqueue(r->lane, r);
    kube_start_next(r->lane);
}

/* client-go's rule: an answer that names a time to come back, to any verb; a reset, to GET alone. */
static int64_t retry_delay_ms(const struct km_lane *lane, const struct km_request *r, int err)
{
    if (err == KM_ERR_STATUS && (r->http_status == 429 || r->http_status >= 500))
        return lane->has_retry_after ? lane->retry_after_s * 1000 : -1;
    if ((err == KM_ERR_RESET || err == KM_ERR_TRUNCATED) && r->method == KM_GET && !r->stream &&
        r->http_status == 0)
        return RESET_RETRY_MS;
    return -1;
}

bool kube_retry(struct km_lane *lane, struct km_request *r, int err)
{
    int64_t delay_ms = err < 0 && r->retries > 0 ? retry_delay_ms(lane, r, err) : -1;
    if (delay_ms < 0)
        return false;
    r->retries--;
    kube_measure(r, KM_MEASURE_RETRY, 0);
    KM_V(4, "Sending the request again", KM_S("request", r->what), KM_I("milliseconds", delay_ms),
         KM_U("left", r->retries));
    r->retry_timer.fn = on_retry;
    r->retry_timer.ctx = r;
    return km_timer_set(&lane->client->loop->timers, &r->retry_timer,
                        lane->client->loop->now_ms + delay_ms) == KM_OK;
}

void kube_finish(struct km_lane *lane, struct km_request *r, int err)
{
    static const struct km_fault given_up = {KM_ERR_CANCELED, "given up by us"};
    r->status = &lane->status;
    /* One that was not sent has left no words on the lane. */
    r->fault = err == KM_ERR_CANCELED ? &given_up : &lane->fault;
    r->result = err;
    r->lane = NULL;
    if (r->on_done != NULL)
        r->on_done(r, err);
}

int km_request_send(struct km_request *r, struct km_lane *lane)
{
    if (r->lane != NULL || (r->schema != NULL && r->on_text == NULL))
        return KM_ERR_ARG;
    r->lane = lane;
    enqueue(lane, r);
    kube_start_next(lane);
    return KM_OK;
}

bool km_request_busy(const struct km_request *r)
{
    return r->lane != NULL;
}

void km_request_cancel(struct km_request *r)
{
    struct km_lane *lane = r->lane;
    if (lane == NULL)
        return;
    if (lane->active == r) {
        r->retries = 0;
        km_conn_abort(&lane->conn, KM_ERR_CANCELED, "given up by us", lane->client->loop->now_ms);
        return;
    }
    km_timer_stop(&lane->client->loop->timers, &r->retry_timer);
    for (struct km_request **place = &lane->waiting; *place != NULL; place = &(*place)->next) {
        if (*place != r)
            continue;
        *place = r->next;
        break;
    }
    kube_finish(lane, r, KM_ERR_CANCELED);
}

/* A request that awaits its next attempt stands on no lane, but its timer knows it. Cancelling moves the heap's timers. */
void kube_cancel_retries(struct km_client *client)
{
    const struct km_timers *timers = &client->loop->timers;
    uint16_t i = 0;
    while (i < timers->count) {
        struct km_request *r = timers->heap[i]->ctx;
        bool ours = timers->heap[i]->fn == on_retry && r->lane->client == client;
        if (ours)
            km_request_cancel(r);
        i = ours ? 0 : (uint16_t)(i + 1);
    }
}

void km_client_suspect(struct km_client *client, const char *why)
{
    client->suspects.value++;
    for (uint16_t i = 0; i < client->lane_count; i++)
        km_conn_abort(&client->lanes[i]->conn, KM_ERR_RESET, why, client->loop->now_ms);
}
