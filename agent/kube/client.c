/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kube_priv.h"
#include "kubemote/km_kube.h"
#include "kubemote/km_log.h"

/* Of an error answer that is text, as much as client-go keeps; of that in a message. */
#define TEXT_BYTES (CONFIG_KM_JSON_WINDOW_BYTES / 3 < 2049 ? CONFIG_KM_JSON_WINDOW_BYTES / 3 : 2049)
#define SAID_BYTES 150

static const struct km_schema_part status_parts[] = {{"", &km_kind_status}};
static struct km_schema_node status_nodes[24] KM_POOL_STORAGE(status_schema);
static struct km_schema status_schema;

static km_measure_fn measure;

void km_client_measure(km_measure_fn fn)
{
    measure = fn;
}

void kube_measure(const struct km_request *r, enum km_measure what, int64_t value)
{
    if (measure != NULL)
        measure(r, what, value);
}

int km_client_init(struct km_client *client, struct km_kubeconfig *config, struct km_loop *loop,
                   struct km_fault *fault)
{
    memset(client, 0, sizeof *client);
    client->config = config;
    client->loop = loop;
    client->requests.name = "kubemote_requests_total";
    client->failures.name = "kubemote_request_failures_total";
    client->hostile.name = "kubemote_hostile_answers_total";
    client->suspects.name = "kubemote_links_suspected_total";
    km_counter_register(&client->requests);
    km_counter_register(&client->failures);
    km_counter_register(&client->hostile);
    km_counter_register(&client->suspects);

    int err = km_schema_init(&status_schema, status_parts, 1, NULL, status_nodes,
                             sizeof status_nodes / sizeof status_nodes[0]);
    if (err != KM_OK)
        return km_fault_set(fault, err, "the Status schema does not fit its table");
    client->status_schema = &status_schema;
    kube_endpoint_init(client);
    kube_reload_init(client);
    return kube_token_init(client, fault);
}

int km_lane_init(struct km_lane *lane, struct km_client *client, const char *name)
{
    if (client->lane_count >= CONFIG_KM_CONN_COUNT)
        return KM_ERR_FULL;
    lane->client = client;
    lane->waiting = NULL;
    lane->drop = false;
    lane->active = NULL;
    km_conn_init(&lane->conn, name, &client->endpoint);
    int err = km_loop_add(client->loop, &lane->conn);
    if (err != KM_OK)
        return err;
    client->lanes[client->lane_count++] = lane;
    return KM_OK;
}

/* ---- the link's episodes: one line when it breaks, one when it works again ---- */

static void note_link_failure(struct km_client *client, struct km_request *r, int err,
                              const char *why)
{
    client->failures.value++;
    client->link_failures++;
    if (km_err_is_hostile(err))
        client->hostile.value++;
    /* One kind of request may fail for hours while others work: that is one episode, too. */
    bool known = client->link_told || r->failing == r->what;
    if (!client->link_down)
        client->link_down_ms = client->loop->now_ms;
    client->link_down = true;
    r->failing = r->what;
    if (known) {
        KM_V(2, "Still no answer", KM_S("request", r->what), KM_S("reason", why),
             KM_U("failures", client->link_failures));
        return;
    }
    client->link_told = true;
    KM_ERROR("The API server can't be used, trying again with back-off", why,
             KM_S("request", r->what), KM_S("server", client->host_header));
}

static void note_link_success(struct km_client *client, struct km_request *r)
{
    if (r->failing == r->what)
        r->failing = NULL;
    client->link_down = false;
    if (!client->link_told)
        return;
    KM_INFO("The API server answers again", KM_S("server", client->host_header),
            KM_U("failures", client->link_failures),
            KM_I("seconds", (client->loop->now_ms - client->link_down_ms) / 1000));
    client->link_told = false;
    client->link_failures = 0;
}

/* ---- callbacks of the connection ---- */

static bool is_success(const struct km_request *r)
{
    return r->http_status >= 200 && r->http_status <= 206;
}

static int status_text(void *ctx, bool item, struct km_slice text, bool overflow)
{
    struct km_lane *lane = ctx;
    void *dest[] = {&lane->status, lane->client->status_more};
    (void)item;
    if (overflow || km_json_decode(lane->client->status_schema, false, text, dest) != KM_OK)
        return KM_ERR_SYNTAX;
    lane->body_came = true;
    return KM_OK;
}

/* A callback may have given the request up, and sent it again: what is left of these bytes belongs to nobody then. */
static int unless_ended(struct km_lane *lane, uint32_t round, int err)
{
    if (lane->conn.round != round)
        return KM_ERR_CANCELED;
    lane->given_up = err < 0 && !km_err_is_hostile(err);
    return err;
}

static int request_text(void *ctx, bool item, struct km_slice text, bool overflow)
{
    struct km_request *r = ctx;
    struct km_lane *lane = r->lane;
    uint32_t round = lane->conn.round;
    lane->object_bytes = 0;
    lane->body_came = lane->body_came || !item;
    return unless_ended(lane, round, r->on_text(r, item, text, overflow));
}

static void note_retry_after(struct km_lane *lane, const struct km_http_parser *head)
{
    struct km_slice value;
    uint64_t seconds;
    lane->retry_after_s = 0;
    lane->has_retry_after = km_http_header(head, "Retry-After", &value) == KM_OK &&
                            km_slice_to_u64(value, &seconds) == KM_OK && seconds < 86400;
    if (lane->has_retry_after)
        lane->retry_after_s = (int64_t)seconds;
}

static void expect_status(struct km_lane *lane, size_t window_size)
{
    lane->is_status = true;
    km_sieve_init(&lane->sieve, lane->client->status_schema, false, lane->window, window_size,
                  status_text, lane);
}

_Static_assert(TEXT_BYTES > KUBE_PEEK_BYTES, "what waits to be told must fit");

static void begin_text(struct km_lane *lane)
{
    km_buf_init(&lane->text, lane->window + sizeof lane->window - TEXT_BYTES, TEXT_BYTES);
}

/* What an error answer says that is text stands in the window's end; without a type it may still be a Status. */
static void expect_error(struct km_lane *lane, const struct km_http_parser *head)
{
    struct km_slice type;
    bool typed = km_http_header(head, "Content-Type", &type) == KM_OK;
    lane->is_text = !typed || (type.len >= 5 && memcmp(type.ptr, "text/", 5) == 0);
    lane->body_failed = typed && lane->is_text;
    begin_text(lane);
    expect_status(lane, sizeof lane->window - (lane->is_text ? TEXT_BYTES : 0));
}

static void keep_text(struct km_buf *out, struct km_slice bytes)
{
    size_t room = out->size - out->len - 1;
    km_buf_put(out, bytes.ptr, bytes.len < room ? bytes.len : room);
}

int kube_on_head(void *ctx, const struct km_http_parser *head)
{
    struct km_request *r = ctx;
    struct km_lane *lane = r->lane;
    r->http_status = head->status;
    lane->body_failed = false;
    lane->body_came = false;
    lane->body_begun = false;
    lane->is_status = false;
    lane->object_bytes = 0;
    lane->text = (struct km_buf){0};
    kube_debug_answer(lane->client, r, head);
    kube_measure(r, KM_MEASURE_ANSWER, lane->client->loop->now_ms - r->started_ms);
    kube_warnings(lane->client, head);
    if (is_success(r)) {
        if (r->schema != NULL)
            km_sieve_init(&lane->sieve, r->schema, r->stream, lane->window, sizeof lane->window,
                          request_text, r);
        if (r->on_open != NULL)
            r->on_open(r);
        return KM_OK;
    }
    km_status_generic(&lane->status, head->status, r->method);
    note_retry_after(lane, head);
    expect_error(lane, head);
    return KM_OK;
}

/* No object of Kubernetes comes near the limit; an answer that never ends in one line does. */
static int feed(struct km_request *r, struct km_slice bytes)
{
    struct km_lane *lane = r->lane;
    lane->object_bytes += bytes.len;
    if (r->schema == NULL) {
        uint32_t round = lane->conn.round;
        return r->on_bytes != NULL ? unless_ended(lane, round, r->on_bytes(r, bytes)) : KM_OK;
    }
    int err = km_sieve_feed(&lane->sieve, bytes);
    return err == KM_OK && lane->object_bytes > CONFIG_KM_OBJECT_BYTES ? KM_ERR_TOO_LONG : err;
}

/* Who drops the body or wants it raw asks for the code alone. */
static bool may_be_status(const struct km_request *r)
{
    return !r->stream && !r->raw && (r->schema != NULL || r->on_bytes != NULL);
}

static int take(struct km_request *r, struct km_slice bytes)
{
    struct km_lane *lane = r->lane;
    if (is_success(r) && (!lane->is_status || r->schema == NULL)) {
        int err = feed(r, bytes);
        if (err < 0 || !lane->is_status)
            return err;
    }
    if (!is_success(r) && lane->is_text)
        keep_text(&lane->text, bytes);
    if (!lane->body_failed && km_sieve_feed(&lane->sieve, bytes) != KM_OK)
        lane->body_failed = true;
    return KM_OK;
}

/* Under a code of success: what does not yet tell whether it is a Status waits for more. last: no more comes. */
static int take_first(struct km_request *r, struct km_slice bytes, bool last)
{
    struct km_lane *lane = r->lane;
    struct km_slice waiting = km_buf_slice(&lane->text);
    if (waiting.len > 0) {
        keep_text(&lane->text, bytes);
        bytes.len -= lane->text.len - waiting.len;
        bytes.ptr += lane->text.len - waiting.len;
        waiting.len = lane->text.len;
    }
    enum kube_peek is_status = kube_peek_status(waiting.len > 0 ? waiting : bytes);
    if (is_status == KUBE_PEEK_MORE && !last) {
        if (waiting.len == 0)
            begin_text(lane);
        keep_text(&lane->text, bytes);
        return KM_OK;
    }
    lane->body_begun = true;
    if (is_status == KUBE_PEEK_YES)
        expect_status(lane, sizeof lane->window);
    int err = waiting.len > 0 ? take(r, waiting) : KM_OK;
    return err == KM_OK && bytes.len > 0 ? take(r, bytes) : err;
}

int kube_on_body(void *ctx, struct km_slice bytes)
{
    struct km_request *r = ctx;
    struct km_lane *lane = r->lane;
    kube_debug_body(&lane->conn.parser, bytes);
    if (is_success(r) && !lane->body_begun && may_be_status(r))
        return take_first(r, bytes, false);
    return take(r, bytes);
}

static struct km_slice said(const struct km_lane *lane)
{
    if (!lane->is_text)
        return km_slice_of("unknown");
    return km_slice_trim_set(km_buf_slice(&lane->text), " \t\r\n\v\f");
}

/* A message has room for the beginning of what was said. */
static void fill_generic(struct km_lane *lane, struct km_request *r)
{
    struct km_status *s = &lane->status;
    struct km_slice some = r->said = said(lane);
    struct km_buf message;
    some.len = some.len < SAID_BYTES ? some.len : SAID_BYTES;
    km_status_generic(s, r->http_status, r->method);
    km_buf_init(&message, s->message, sizeof s->message);
    km_request_put_generic(&message, lane->client, r, some);
    s->causes_count = 1;
    (void)km_slice_copy(km_slice_of("UnexpectedServerResponse"), s->causes[0].reason,
                        sizeof s->causes[0].reason);
    (void)km_slice_copy(some, s->causes[0].message, sizeof s->causes[0].message);
}

/* Status bodies name what is wrong better than the code does, but only kind Status with status Failure is one. */
static int error_answer(struct km_lane *lane, struct km_request *r)
{
    struct km_status *s = &lane->status;
    r->no_status = lane->body_failed || !lane->body_came || strcmp(s->status, "Failure") != 0;
    if (r->no_status)
        fill_generic(lane, r);
    if (s->code == 0)
        s->code = r->http_status;
    if (s->retry_after_s == 0)
        s->retry_after_s = lane->retry_after_s;
    return KM_ERR_STATUS;
}

/* A Status under a code of success is a failure unless it says Success, and no object for who waits for one. */
static bool says_failure(const struct km_lane *lane)
{
    return lane->is_status && lane->body_came && strcmp(lane->status.status, "Success") != 0;
}

static int verdict(struct km_lane *lane, struct km_request *r, int err)
{
    if (err != KM_OK)
        return err;
    if (!is_success(r))
        return error_answer(lane, r);
    r->no_status = false;
    if (says_failure(lane))
        return KM_ERR_STATUS;
    if (lane->is_status && r->schema != NULL)
        return r->status_will_do ? KM_OK : KM_ERR_SYNTAX;
    if (r->schema == NULL)
        return KM_OK;
    err = km_sieve_end(&lane->sieve);
    if (r->stream)
        return err;
    /* HTTP says that the body is whole, so what is missing was never sent. */
    return err == KM_ERR_TRUNCATED || !lane->body_came ? KM_ERR_SYNTAX : err;
}

static const char *words(const struct km_lane *lane, int err, const struct km_fault *fault)
{
    if (fault != NULL && fault->code != 0)
        return fault->text;
    return err == KM_ERR_STATUS ? lane->status.message : km_strerror(err);
}

void kube_on_done(void *ctx, int err, const struct km_fault *fault)
{
    struct km_request *r = ctx;
    struct km_lane *lane = r->lane;
    struct km_client *client = lane->client;
    if (err < 0 && kube_send_again(lane, r))
        return;
    if (err == KM_OK && is_success(r) && !lane->body_begun && lane->text.len > 0)
        err = take_first(r, km_slice_of(""), true);
    if (r->http_status == 0 && err != KM_ERR_CANCELED) {
        kube_debug_answer(client, r, NULL);
        kube_measure(r, KM_MEASURE_ANSWER, client->loop->now_ms - r->started_ms);
    }
    if (err == KM_OK && !r->stream)
        kube_measure(r, KM_MEASURE_BODY, (int64_t)lane->conn.parser.body_total);
    err = verdict(lane, r, err);
    if (km_err_is_hostile(err))
        km_conn_abort(&lane->conn, err, "the answer can't be used", client->loop->now_ms);
    km_fault_clear(&lane->fault);
    if (err < 0)
        (void)km_fault_set(&lane->fault, err, "%s", words(lane, err, fault));
    bool mute = r->stream && err == KM_OK && !lane->body_came; /* says nothing about the server */
    if ((err == KM_OK && !mute) || err == KM_ERR_STATUS)
        note_link_success(client, r);
    else if (err != KM_OK && err != KM_ERR_CANCELED && !lane->given_up &&
             !(r->stream && r->http_status == 200 && !km_err_is_hostile(err)))
        note_link_failure(client, r, err, lane->fault.text);
    lane->active = NULL;
    kube_drop_when_done(lane);
    if (!kube_retry(lane, r, err))
        kube_finish(lane, r, err);
    kube_start_next(lane);
}
