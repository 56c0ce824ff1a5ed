/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_log.h"
#include "kubemote/km_rest.h"
#include "kubemote/km_watch.h"
#include "watch_priv.h"

#define TIMEOUT_S 300

static const char *const type_names[] = {"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"};

const char *km_watch_type_name(enum km_watch_type type)
{
    return type_names[type];
}

/* ---- events ---- */

static bool type_of(const char *name, enum km_watch_type *type)
{
    for (size_t i = 0; i < sizeof type_names / sizeof type_names[0]; i++) {
        if (strcmp(name, type_names[i]) != 0)
            continue;
        *type = (enum km_watch_type)i;
        return true;
    }
    return false;
}

static void note_cut(struct km_watch *w)
{
    if (w->cut++ == 0)
        KM_WARN(
            "An object is too large for CONFIG_KM_JSON_WINDOW_BYTES, its last fields are cut off",
            KM_S("resource", w->name));
}

static int skip(struct km_watch *w)
{
    w->skipped++;
    return KM_OK;
}

static void tell(struct km_watch *w, const struct km_watch_event *event)
{
    w->in_call = true;
    w->on_event(w->ctx, event);
    w->in_call = false;
}

static int on_text(struct km_request *request, bool item, struct km_slice text, bool overflow)
{
    struct km_watch *w = request->ctx;
    struct km_watch_frame frame;
    struct km_status *status = &w->lane->status;
    void *dest[] = {&frame, status, w->record};
    struct km_watch_event event = {0};

    (void)item;
    w->last_event_ms = w->client->loop->now_ms;
    if (overflow)
        note_cut(w);
    if (text.len == 0)
        return skip(w);
    int err = km_json_decode(&w->schema, false, text, dest);
    if (err != KM_OK)
        return err;
    if (overflow && ((const struct km_object *)w->record)->rv[0] == '\0')
        return skip(w);
    w->unknown_type = !type_of(frame.type, &event.type);
    if (w->unknown_type)
        return KM_ERR_PROTOCOL;
    if (event.type == KM_WATCH_ERROR) {
        event.status = status;
    } else {
        event.record = event.object = w->record;
        event.initial_end =
            event.type == KM_WATCH_BOOKMARK && strcmp(frame.initial_end, "true") == 0;
    }
    tell(w, &event);
    return w->running ? KM_OK : KM_ERR_CANCELED;
}

void watch_add_cause(struct km_status *status, const char *reason, const char *message)
{
    struct km_cause *cause = &status->causes[status->causes_count++];

    (void)km_slice_copy(km_slice_of(reason), cause->reason, sizeof cause->reason);
    (void)km_format(cause->message, sizeof cause->message, "%.100s", message);
}

void watch_make_status(struct km_status *status, int32_t code, const char *reason, const char *why)
{
    memset(status, 0, sizeof *status);
    (void)km_slice_copy(km_slice_of("Failure"), status->status, sizeof status->status);
    (void)km_slice_copy(km_slice_of(reason), status->reason, sizeof status->reason);
    (void)km_format(status->message, sizeof status->message, "%.200s", why);
    status->code = code;
}

void watch_internal_error(struct km_status *status, const char *why)
{
    watch_make_status(status, 500, "InternalError", why);
}

static void tell_unreadable(struct km_watch *w, const char *why)
{
    struct km_status *status = &w->lane->status;
    const struct km_watch_event event = {.type = KM_WATCH_ERROR, .status = status};
    char text[256];

    (void)km_format(text, sizeof text, "unable to decode an event from the watch stream: %.180s",
                    why);
    watch_internal_error(status, text);
    watch_add_cause(status, "UnexpectedServerResponse", text);
    watch_add_cause(status, "ClientWatchDecoding", text);
    tell(w, &event);
}

static void on_done(struct km_request *request, int err)
{
    struct km_watch *w = request->ctx;
    bool unreadable = err == KM_ERR_SYNTAX || err == KM_ERR_DEPTH || err == KM_ERR_PROTOCOL;

    km_timer_stop(&w->client->loop->timers, &w->timer);
    if (!w->running)
        return;
    if (unreadable && request->http_status == 200)
        tell_unreadable(w, w->unknown_type ? "got an invalid watch event type" : km_strerror(err));
    if (!w->running)
        return;
    w->running = false;
    w->on_end(w->ctx, err, err == KM_ERR_STATUS ? request->status : NULL);
}

/* ---- the age of the last event ---- */

static void on_timer(void *ctx, int64_t now_ms)
{
    struct km_watch *w = ctx;
    int64_t limit_ms = watch_silence(w->silence_ms);
    bool stale = now_ms - w->last_event_ms >= limit_ms;

    if (!stale || w->lane->active != &w->request) {
        int64_t from_ms = stale ? now_ms : w->last_event_ms;

        (void)km_timer_set(&w->client->loop->timers, &w->timer, from_ms + limit_ms);
        return;
    }
    km_conn_abort(&w->lane->conn, KM_ERR_TIMEOUT, "no event and no bookmark came for too long",
                  now_ms);
}

/* ---- for the program ---- */

int km_watch_init(struct km_watch *w, struct km_fault *fault)
{
    if (!km_kind_has_meta(w->kind))
        return km_fault_set(fault, KM_ERR_ARG, "the kind of %s does not begin with KM_META_FIELDS",
                            w->name);
    w->timer.fn = on_timer;
    w->timer.ctx = w;
    w->parts[0] = (struct km_schema_part){"", &km_kind_watch_frame};
    w->parts[1] = (struct km_schema_part){"/object", &km_kind_status};
    w->parts[2] = (struct km_schema_part){"/object", w->kind};
    int err = km_schema_init(&w->schema, w->parts, 3, NULL, w->nodes, CONFIG_KM_JSON_NODE_COUNT);
    if (err == KM_OK)
        return KM_OK;
    return km_fault_set(fault, err, "the fields of %s do not fit CONFIG_KM_JSON_NODE_COUNT (%d)",
                        w->kind->name, CONFIG_KM_JSON_NODE_COUNT);
}

static void fill_options(const struct km_watch *w, const char *rv, struct km_options *options)
{
    int64_t least_s = w->timeout_s > 0 ? w->timeout_s : TIMEOUT_S;

    *options = (struct km_options){.label_selector = w->label_selector,
                                   .field_selector = w->field_selector,
                                   .resource_version = rv,
                                   .timeout_seconds = km_rng_range(w->rng, least_s, 2 * least_s),
                                   .allow_bookmarks = KM_YES};
    if (!w->initial_events)
        return;
    options->send_initial_events = KM_YES;
    options->resource_version_match = "NotOlderThan";
}

int km_watch_start(struct km_watch *w, const char *rv)
{
    struct km_options options;

    if (w->timer.fn == NULL || w->running || km_request_busy(&w->request))
        return KM_ERR_ARG;
    fill_options(w, rv, &options);
    w->request = (struct km_request){.what = w->name,
                                     .accept = w->metadata_only ? KM_ACCEPT_META : NULL,
                                     .schema = &w->schema,
                                     .on_text = on_text,
                                     .on_done = on_done,
                                     .ctx = w,
                                     .priority = 1};
    int err = km_rest_watch(&w->request, w->client, w->resource, watch_ns(w->ns), &options);
    if (err != KM_OK)
        return err;
    w->request.timeout_ms = KM_NEVER;
    w->request.head_timeout_ms = WATCH_HEAD_MS;
    w->running = true;
    w->unknown_type = false;
    w->last_event_ms = w->client->loop->now_ms;
    (void)km_timer_set(&w->client->loop->timers, &w->timer,
                       w->last_event_ms + watch_silence(w->silence_ms));
    return km_request_send(&w->request, w->lane);
}

void km_watch_stop(struct km_watch *w)
{
    w->running = false;
    km_timer_stop(&w->client->loop->timers, &w->timer);
    /* From within on_event the request ends by the result of on_text. */
    if (!w->in_call)
        km_request_cancel(&w->request);
}
