/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_log.h"
#include "kubemote/km_rest.h"
#include "kubemote/km_watch.h"
#include "watch_priv.h"

#define MIN_RESTART_MS 1000

static int64_t now_of(const struct km_retry_watch *w)
{
    return w->watch.client->loop->now_ms;
}

/* ---- ends ---- */

static void trouble(struct km_retry_watch *w, const char *why)
{
    if (!w->in_trouble)
        KM_WARN("Watch broken, starting it again", KM_S("resource", w->watch.name),
                KM_S("resourceVersion", w->rv), KM_S("reason", why));
    w->in_trouble = true;
}

/* Attempts begin a while apart; a stream that lasted is followed by the next one at once. */
static void open_again(struct km_retry_watch *w)
{
    int64_t now_ms = now_of(w);
    int64_t least_ms = w->min_restart_ms > 0 ? w->min_restart_ms : MIN_RESTART_MS;
    int64_t at_ms = w->started_ms + least_ms;

    /* Many whose server went away do not come back together. */
    if (w->in_trouble)
        at_ms += km_rng_range(w->watch.rng, 0, least_ms);
    if (at_ms < now_ms + w->after_ms)
        at_ms = now_ms + w->after_ms;
    (void)km_timer_set(&w->watch.client->loop->timers, &w->timer, at_ms);
}

static void stop_for(struct km_retry_watch *w, const char *why)
{
    w->running = false;
    KM_WARN("Watch ended: it can't be resumed", KM_S("resource", w->watch.name),
            KM_S("resourceVersion", w->rv), KM_S("reason", why));
    if (w->on_stop != NULL)
        w->on_stop(w->ctx, why);
}

static void forward_status(struct km_retry_watch *w, const struct km_status *status)
{
    const struct km_watch_event event = {.type = KM_WATCH_ERROR, .status = status};

    w->telling = true;
    w->on_event(w->ctx, &event);
    w->telling = false;
}

/* Why a refusal is final; NULL: it is not. */
static const char *final_reason(const struct km_status *status)
{
    if (km_status_is_expired(status))
        return "the resourceVersion is too old";
    if (km_status_is_forbidden(status))
        return "the server forbids the watch";
    if (km_status_is_unauthorized(status))
        return "the server does not accept the credentials";
    return NULL;
}

static void refused(struct km_retry_watch *w, const struct km_status *status)
{
    const char *why = final_reason(status);

    if (why == NULL) {
        w->after_ms = km_status_retry_after_ms(status);
        trouble(w, status->message);
        open_again(w);
        return;
    }
    forward_status(w, status);
    if (w->running)
        stop_for(w, why);
}

static void on_end(void *ctx, int err, const struct km_status *status)
{
    struct km_retry_watch *w = ctx;

    if (!w->running)
        return;
    if (status != NULL) {
        refused(w, status);
        return;
    }
    if (err != KM_OK && !w->cut_short)
        trouble(w, km_strerror(err));
    open_again(w);
}

/* ---- events ---- */

/* From within a call of the watch: the stream ends here, by our own will. */
static void cut_stream(struct km_retry_watch *w)
{
    w->cut_short = true;
    km_watch_stop(&w->watch);
    if (w->stop_why == NULL)
        on_end(w, KM_OK, NULL);
    else /* told when the request is over, so that the program may start again from there */
        (void)km_timer_set(&w->watch.client->loop->timers, &w->timer, now_of(w));
}

/* An event behind which nobody knows where to go on. */
static void not_resumable(struct km_retry_watch *w, const char *why)
{
    struct km_status status;

    watch_internal_error(&status, why);
    forward_status(w, &status);
    if (!w->running)
        return;
    w->stop_why = why;
    cut_stream(w);
}

static void on_error_event(struct km_retry_watch *w, const struct km_status *status)
{
    if (w->watch.unknown_type) {
        not_resumable(w, "an event of unknown type");
        return;
    }
    if (km_status_is_expired(status)) {
        forward_status(w, status);
        w->stop_why = "the resourceVersion is too old";
    } else {
        w->after_ms = km_status_retry_after_ms(status);
        trouble(w, status->message);
    }
    if (w->running)
        cut_stream(w);
}

static void on_event(void *ctx, const struct km_watch_event *event)
{
    struct km_retry_watch *w = ctx;

    if (event->type == KM_WATCH_ERROR) {
        on_error_event(w, event->status);
        return;
    }
    if (event->object->rv[0] == '\0') {
        not_resumable(w, "an event without resourceVersion");
        return;
    }
    if (w->in_trouble)
        KM_INFO("Watch works again", KM_S("resource", w->watch.name),
                KM_S("resourceVersion", event->object->rv));
    w->in_trouble = false;
    if (event->type != KM_WATCH_BOOKMARK)
        w->on_event(w->ctx, event);
    (void)km_slice_copy(km_slice_of(event->object->rv), w->rv, sizeof w->rv);
}

/* ---- attempts ---- */

static void watch(struct km_retry_watch *w)
{
    w->cut_short = false;
    if (km_watch_start(&w->watch, w->rv) != KM_OK)
        stop_for(w, "the watch request does not fit CONFIG_KM_TARGET_BYTES");
}

static void tell_too_new(struct km_retry_watch *w)
{
    struct km_status status;
    char text[128];

    (void)km_format(text, sizeof text, "Too large resource version: %s, current: %s", w->rv,
                    w->store_rv);
    watch_make_status(&status, 504, "Timeout", text);
    watch_add_cause(&status, "ResourceVersionTooLarge", "Too large resource version");
    forward_status(w, &status);
}

static int on_answer(struct km_request *request, bool item, struct km_slice text, bool overflow)
{
    struct km_retry_watch *w = request->ctx;
    struct km_watch_store store;
    void *dest[] = {&store};

    (void)item;
    if (!overflow && km_json_decode(&w->ask, false, text, dest) == KM_OK)
        memcpy(w->store_rv, store.rv, sizeof w->store_rv);
    return KM_OK;
}

static void on_answered(struct km_request *request, int err)
{
    struct km_retry_watch *w = request->ctx;
    const struct km_status *status = request->status;

    if (!w->running)
        return;
    if (err == KM_OK && watch_is_older(w->store_rv, w->rv)) {
        tell_too_new(w);
        if (w->running)
            stop_for(w, "the server's store is older than the resourceVersion");
        return;
    }
    if (watch_may_go_on(err, status)) {
        watch(w);
        return;
    }
    if (err == KM_ERR_STATUS) {
        refused(w, status);
        return;
    }
    trouble(w, km_strerror(err));
    open_again(w);
}

static void begin(struct km_retry_watch *w)
{
    const struct km_watch *of = &w->watch;
    struct km_request *request = &w->watch.request;
    const struct km_options one = {
        .label_selector = of->label_selector, .field_selector = of->field_selector, .limit = 1};

    w->started_ms = now_of(w);
    w->after_ms = 0;
    w->store_rv[0] = '\0';
    *request = (struct km_request){.what = of->name,
                                   .accept = KM_ACCEPT_META_LIST,
                                   .schema = &w->ask,
                                   .on_text = on_answer,
                                   .on_done = on_answered,
                                   .ctx = w,
                                   .priority = 1};
    int err = km_rest_list(request, of->client, of->resource, watch_ns(of->ns), &one);
    if (err == KM_OK) {
        request->timeout_ms = WATCH_HEAD_MS;
        err = km_request_send(request, of->lane);
    }
    if (err != KM_OK)
        stop_for(w, "the watch request does not fit CONFIG_KM_TARGET_BYTES");
}

static void on_timer(void *ctx, int64_t now_ms)
{
    struct km_retry_watch *w = ctx;

    (void)now_ms;
    if (w->stop_why != NULL)
        stop_for(w, w->stop_why);
    else
        begin(w);
}

int km_retry_watch_init(struct km_retry_watch *w, struct km_fault *fault)
{
    w->watch.on_event = on_event;
    w->watch.on_end = on_end;
    w->watch.ctx = w;
    w->timer.fn = on_timer;
    w->timer.ctx = w;
    w->ask_parts[0] = (struct km_schema_part){"", &km_kind_watch_store};
    int err = km_schema_init(&w->ask, w->ask_parts, 1, NULL, w->ask_nodes,
                             sizeof w->ask_nodes / sizeof w->ask_nodes[0]);
    return err != KM_OK ? err : km_watch_init(&w->watch, fault);
}

int km_retry_watch_start(struct km_retry_watch *w, const char *rv)
{
    bool busy = w->running || w->telling || km_request_busy(&w->watch.request);
    if (busy || w->watch.timer.fn == NULL || rv == NULL || rv[0] == '\0' || strcmp(rv, "0") == 0)
        return KM_ERR_ARG;
    int err = km_slice_copy(km_slice_of(rv), w->rv, sizeof w->rv);
    if (err != KM_OK)
        return err;
    w->running = true;
    w->in_trouble = false;
    w->stop_why = NULL;
    begin(w);
    return KM_OK;
}

void km_retry_watch_stop(struct km_retry_watch *w)
{
    w->running = false;
    km_timer_stop(&w->watch.client->loop->timers, &w->timer);
    km_watch_stop(&w->watch);
}

bool km_retry_watch_running(const struct km_retry_watch *w)
{
    return w->running;
}

const char *km_retry_watch_version(const struct km_retry_watch *w)
{
    return w->rv;
}
