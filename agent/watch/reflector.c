/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_log.h"
#include "kubemote/km_watch.h"
#include "watch_priv.h"

#define SHORT_STREAM_MS 1000  /* a stream that ends sooner without one event is an error */
#define STREAM_LIST_MS 120000 /* from the request to the initial-events-end bookmark */
#define LIST_MS 60000
#define RESYNC_SPACE_MS 10000 /* between the start of a watch and one started over on demand */
#define PLAIN_PAUSE_MS \
    10000 /* behind a longer pause the store may be another one, restored and further on */
#define AT_ONCE_SPACE_MS 10000 /* between lists without back-off */

static void begin(struct km_reflector *r, enum km_watch_state state);

/* ---- life of a round ---- */

static void set_timer(struct km_reflector *r, int64_t at_ms)
{
    (void)km_timer_set(&r->client->loop->timers, &r->timer, at_ms);
}

static void back_off(struct km_reflector *r, enum km_watch_state next)
{
    int64_t now_ms = r->client->loop->now_ms;
    int64_t delay_ms = km_backoff_next(&r->backoff, r->rng, now_ms);
    if (delay_ms < r->retry_after_ms)
        delay_ms = r->retry_after_ms;
    r->retry_after_ms = 0;
    r->paused_ms = now_ms;
    r->state = KM_WATCH_BACKOFF;
    r->next_state = next;
    KM_V(2, "Watch waits", KM_S("resource", r->name), KM_I("milliseconds", delay_ms));
    set_timer(r, now_ms + delay_ms);
}

/* The next back-off is at least as long as the server asks for, within reason. */
static void obey(struct km_reflector *r, const struct km_status *status)
{
    int64_t after_ms = km_status_retry_after_ms(status);
    if (after_ms > 0)
        r->retry_after_ms = after_ms;
}

static void trouble(struct km_reflector *r, const char *why)
{
    r->restarts.value++;
    if (r->sink.failed != NULL)
        r->sink.failed(r->sink.ctx, why);
    if (r->in_trouble) {
        KM_V(2, "Watch still broken", KM_S("resource", r->name), KM_S("reason", why));
        return;
    }
    r->in_trouble = true;
    KM_WARN("Watch broken, starting again with back-off", KM_S("resource", r->name),
            KM_S("reason", why));
}

static void works(struct km_reflector *r)
{
    if (r->in_trouble)
        KM_INFO("Watch works again", KM_S("resource", r->name), KM_S("resourceVersion", r->rv));
    r->in_trouble = false;
}

/* An aborted list may have told newer objects than rv says: only the most recent list does not take them back. */
static void drop_replace(struct km_reflector *r)
{
    bool told = r->replace_open && r->replace_told;
    r->replace_open = false;
    if (!told)
        return;
    r->rv_unavailable = r->rv_unavailable || r->rv[0] != '\0';
    r->rv[0] = '\0';
}

static void note_rv(struct km_reflector *r, const char *rv)
{
    (void)km_slice_copy(km_slice_of(rv), r->rv, sizeof r->rv);
    if (r->sink.progress != NULL)
        r->sink.progress(r->sink.ctx, r->rv);
}

/* What was kept by the program is of no use: it is told before the list begins. */
static void forget_resumed(struct km_reflector *r)
{
    if (!r->resumed)
        return;
    r->resumed = false;
    if (r->sink.expired != NULL)
        r->sink.expired(r->sink.ctx, r->rv);
}

static void finish_replace(struct km_reflector *r, const char *rv)
{
    r->replace_open = false;
    r->sink.replace_end(r->sink.ctx);
    note_rv(r, rv);
    r->resumed = false;
    r->rv_unavailable = false;
    r->list_this_round = false;
    r->full_list = false;
    r->lists.value++;
    if (!r->synced)
        KM_V(2, "Caches populated", KM_S("resource", r->name), KM_S("resourceVersion", r->rv));
    r->synced = true;
    works(r);
}

static void begin_replace(struct km_reflector *r)
{
    r->replace_open = true;
    r->replace_told = false;
    r->sink.replace_begin(r->sink.ctx);
}

/* A stream that ended in order is opened again at once, but a server that ends each one early can't make us run hot. */
static void again(struct km_reflector *r, enum km_watch_state next)
{
    int64_t due_ms = r->opened_ms + SHORT_STREAM_MS;
    if (r->client->loop->now_ms >= due_ms) {
        begin(r, next);
        return;
    }
    r->paused_ms = r->client->loop->now_ms;
    r->state = KM_WATCH_BACKOFF;
    r->next_state = next;
    set_timer(r, due_ms);
}

/* ---- events ---- */

static const struct km_object *as_object(const void *record)
{
    return record;
}

static void on_bookmark(struct km_reflector *r, const struct km_watch_frame *event,
                        const struct km_object *object)
{
    if (object->rv[0] == '\0')
        return;
    if (r->state == KM_WATCH_STREAM && strcmp(event->initial_end, "true") == 0) {
        finish_replace(r, object->rv);
        r->state = KM_WATCH_WATCHING;
        if (!r->resync_wanted)
            set_timer(r, r->client->loop->now_ms + watch_silence(r->silence_ms));
        return;
    }
    if (r->state == KM_WATCH_WATCHING)
        note_rv(r, object->rv);
}

static int on_error_event(struct km_reflector *r, const struct km_status *status)
{
    bool unusable = km_status_is_expired(status) || km_status_is_too_large_rv(status);
    if (unusable && !r->rv_unavailable) {
        /* Not a failure of the link: the next list is asked for at once, from scratch. */
        KM_INFO("The server can't resume from our resourceVersion, listing anew",
                KM_S("resource", r->name), KM_S("resourceVersion", r->rv),
                KM_S("reason", status->reason), KM_S("message", status->message));
        r->rv_unavailable = true;
        r->restart_now = true;
        forget_resumed(r);
        return KM_ERR_CANCELED;
    }
    obey(r, status);
    KM_V(1, "The watch sent an error", KM_S("resource", r->name), KM_S("reason", status->reason),
         KM_S("message", status->message));
    return KM_ERR_STATUS;
}

static int skip(struct km_reflector *r)
{
    r->skipped.value++;
    return KM_OK;
}

static int on_object_event(struct km_reflector *r, const struct km_watch_frame *event,
                           const struct km_object *object)
{
    if (object->name[0] == '\0' || object->rv[0] == '\0') {
        KM_V(1, "An event without name or resourceVersion was skipped", KM_S("resource", r->name),
             KM_S("type", event->type));
        return skip(r);
    }
    char rv[sizeof r->rv];
    memcpy(rv, object->rv, sizeof rv);
    r->replace_told = true;
    if (strcmp(event->type, "DELETED") == 0)
        r->sink.remove(r->sink.ctx);
    else if (r->sink.upsert(r->sink.ctx) == KM_ERR_FULL)
        r->refused.value++;
    if (r->state == KM_WATCH_WATCHING)
        note_rv(r, rv);
    return KM_OK;
}

static bool is_object_event(const char *type)
{
    return strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0 ||
           strcmp(type, "DELETED") == 0;
}

/* What came first is kept; with the identity in it, the object is known by that. */
static void note_cut(struct km_reflector *r)
{
    if (r->cut.value++ == 0)
        KM_WARN(
            "An object is too large for CONFIG_KM_JSON_WINDOW_BYTES, its last fields are cut off",
            KM_S("resource", r->name));
}

static int on_event(struct km_reflector *r, struct km_slice text, bool overflow)
{
    struct km_watch_frame event;
    struct km_status *status = &r->lane->status;
    void *record = r->sink.spare(r->sink.ctx);
    void *dest[] = {&event, status, record};
    r->last_event_ms = r->client->loop->now_ms;
    r->round_events++;
    r->events_total.value++;
    if (overflow)
        note_cut(r);
    if (text.len == 0)
        return skip(r);
    int err = km_json_decode(&r->events, false, text, dest);
    if (err != KM_OK)
        return err;
    if (strcmp(event.type, "BOOKMARK") == 0) {
        on_bookmark(r, &event, as_object(record));
        return KM_OK;
    }
    if (strcmp(event.type, "ERROR") == 0)
        return on_error_event(r, status);
    if (is_object_event(event.type))
        return on_object_event(r, &event, as_object(record));
    return overflow && event.type[0] == '\0' ? skip(r) : KM_ERR_PROTOCOL;
}

/* ---- pages of a plain list ---- */

static int on_page_end(struct km_reflector *r, struct km_slice text, bool overflow)
{
    struct km_watch_list list;
    void *dest[] = {&list, NULL};
    if (overflow)
        return KM_ERR_TOO_LONG;
    int err = km_json_decode(&r->list, false, text, dest);
    if (err != KM_OK)
        return err;
    if (list.head.truncated != 0)
        return KM_ERR_TOO_LONG;
    memcpy(r->continue_token, list.continue_token, sizeof r->continue_token);
    if (r->page == 0) {
        memcpy(r->list_rv, list.rv, sizeof r->list_rv);
        r->paginated = r->paginated || list.continue_token[0] != '\0';
    }
    return KM_OK;
}

static int on_store(struct km_reflector *r, struct km_slice text, bool overflow)
{
    struct km_watch_list list;
    void *dest[] = {&list, NULL};
    if (!overflow && km_json_decode(&r->list, false, text, dest) == KM_OK)
        memcpy(r->list_rv, list.rv, sizeof r->list_rv);
    return KM_OK;
}

static int on_list_text(struct km_reflector *r, bool item, struct km_slice text, bool overflow)
{
    if (!item)
        return on_page_end(r, text, overflow);
    void *record = r->sink.spare(r->sink.ctx);
    void *dest[] = {NULL, record};
    if (overflow)
        note_cut(r);
    if (text.len == 0)
        return skip(r);
    int err = km_json_decode(&r->list, true, text, dest);
    if (err != KM_OK)
        return err;
    r->replace_told = true;
    if (as_object(record)->name[0] == '\0')
        return skip(r);
    if (r->sink.upsert(r->sink.ctx) == KM_ERR_FULL)
        r->refused.value++;
    return KM_OK;
}

static int on_text(struct km_request *request, bool item, struct km_slice text, bool overflow)
{
    struct km_reflector *r = request->ctx;
    switch (r->state) {
    case KM_WATCH_LIST:
        return on_list_text(r, item, text, overflow);
    case KM_WATCH_ASK: /* the object is of no interest */
        return item ? KM_OK : on_store(r, text, overflow);
    default:
        return on_event(r, text, overflow);
    }
}

/* ---- ends of requests ---- */

/* How the watch goes on: of a kept version nobody knows whether the server still has it. */
static enum km_watch_state next_watch(const struct km_reflector *r)
{
    return r->resumed ? KM_WATCH_ASK : KM_WATCH_WATCHING;
}

static void ask_answered(struct km_reflector *r, int err, const struct km_status *status,
                         const char *why)
{
    if (err == KM_OK && watch_is_older(r->list_rv, r->rv)) {
        KM_INFO("The server's store is older than our resourceVersion, listing anew",
                KM_S("resource", r->name), KM_S("resourceVersion", r->rv),
                KM_S("store", r->list_rv));
        r->rv_unavailable = true;
        forget_resumed(r);
        begin(r, KM_WATCH_STREAM);
        return;
    }
    if (watch_may_go_on(err, status)) {
        begin(r, KM_WATCH_WATCHING);
        return;
    }
    if (err == KM_ERR_STATUS)
        obey(r, status);
    trouble(r, why);
    back_off(r, KM_WATCH_ASK);
}

static void list_answered(struct km_reflector *r, int err, const struct km_status *status,
                          const char *why)
{
    if (err == KM_OK && r->continue_token[0] != '\0') {
        r->page++;
        begin(r, KM_WATCH_LIST);
        return;
    }
    if (err == KM_OK) {
        finish_replace(r, r->list_rv);
        begin(r, KM_WATCH_WATCHING);
        return;
    }
    bool later_page = r->page > 0;
    drop_replace(r);
    r->continue_token[0] = '\0';
    r->page = 0;
    if (err == KM_ERR_STATUS && km_status_is_expired(status) && later_page) {
        r->full_list = true;
        begin(r, KM_WATCH_LIST);
        return;
    }
    if (err == KM_ERR_STATUS && !r->rv_unavailable &&
        (km_status_is_expired(status) || km_status_is_too_large_rv(status))) {
        r->rv_unavailable = true;
        begin(r, KM_WATCH_LIST);
        return;
    }
    if (err == KM_ERR_STATUS)
        obey(r, status);
    trouble(r, why);
    r->list_this_round = false;
    back_off(r, KM_WATCH_STREAM);
}

/* A server without streaming lists says 422; whatever else is wrong, a plain list finds out in this round. */
static void stream_refused(struct km_reflector *r, const struct km_status *status, const char *why)
{
    if ((km_status_is_expired(status) || km_status_is_too_large_rv(status)) && !r->rv_unavailable) {
        r->rv_unavailable = true;
        begin(r, KM_WATCH_STREAM);
        return;
    }
    if (km_status_is_too_many_requests(status) || status->code == 503) {
        trouble(r, why);
        obey(r, status);
        back_off(r, KM_WATCH_STREAM);
        return;
    }
    KM_V(2, "No streaming list, falling back to list and watch", KM_S("resource", r->name),
         KM_S("reason", why));
    r->list_this_round = true;
    begin(r, KM_WATCH_LIST);
}

static void stream_ended(struct km_reflector *r, int err, const struct km_status *status,
                         const char *why)
{
    bool empty = r->round_events == 0 && r->client->loop->now_ms - r->opened_ms < SHORT_STREAM_MS;
    drop_replace(r);
    if (r->restart_now) {
        r->restart_now = false;
        begin(r, KM_WATCH_STREAM);
        return;
    }
    if (err == KM_ERR_STATUS && r->request.http_status != 200) {
        stream_refused(r, status, why);
        return;
    }
    if (err == KM_OK && empty) {
        r->list_this_round = true;
        begin(r, KM_WATCH_LIST);
        return;
    }
    if (err == KM_OK) {
        again(r, KM_WATCH_STREAM);
        return;
    }
    trouble(r, why);
    back_off(r, KM_WATCH_STREAM);
}

/* Without back-off; but a server that calls each list too old to watch from it can't make us run hot. */
static void list_at_once(struct km_reflector *r)
{
    int64_t now_ms = r->client->loop->now_ms;
    if (now_ms < r->at_once_ms) {
        trouble(r, "the server can't go on from what it listed just before");
        back_off(r, KM_WATCH_STREAM);
        return;
    }
    r->at_once_ms = now_ms + AT_ONCE_SPACE_MS;
    begin(r, KM_WATCH_STREAM);
}

static void watch_ended(struct km_reflector *r, int err, const struct km_status *status,
                        const char *why)
{
    bool empty = r->round_events == 0 && r->client->loop->now_ms - r->opened_ms < SHORT_STREAM_MS;
    if (r->restart_now) {
        r->restart_now = false;
        if (r->rv_unavailable)
            list_at_once(r);
        else
            begin(r, KM_WATCH_STREAM);
        return;
    }
    if (err == KM_OK && !empty) {
        KM_V(4, "Watch ended by the server, resuming", KM_S("resource", r->name),
             KM_S("resourceVersion", r->rv), KM_U("events", r->round_events));
        again(r, next_watch(r));
        return;
    }
    if (err == KM_ERR_STATUS && km_status_is_expired(status) && !r->rv_unavailable) {
        r->rv_unavailable = true; /* as when the stream says so in an event */
        forget_resumed(r);
        list_at_once(r);
        return;
    }
    if (err == KM_ERR_STATUS)
        obey(r, status);
    trouble(r, err == KM_OK ? "the server ended the watch at once, without an event" : why);
    /* A server with too much to do is not given a list to do on top; what the watch said so far holds. */
    bool overloaded = err == KM_ERR_STATUS && km_status_is_too_many_requests(status);
    /* Who keeps no objects can't learn from a list what was deleted. */
    back_off(r, overloaded || r->resumed ? next_watch(r) : KM_WATCH_STREAM);
}

static void on_done(struct km_request *request, int err)
{
    struct km_reflector *r = request->ctx;
    const char *why = request->fault != NULL ? request->fault->text : km_strerror(err);
    km_timer_stop(&r->client->loop->timers, &r->timer);
    switch (r->state) {
    case KM_WATCH_LIST:
        list_answered(r, err, request->status, why);
        return;
    case KM_WATCH_ASK:
        ask_answered(r, err, request->status, why);
        return;
    case KM_WATCH_STREAM:
        stream_ended(r, err, request->status, why);
        return;
    case KM_WATCH_WATCHING:
        watch_ended(r, err, request->status, why);
        return;
    case KM_WATCH_STOPPED:
    case KM_WATCH_BACKOFF:
        return;
    }
}

/* ---- requests ---- */

static void on_open(struct km_request *request)
{
    struct km_reflector *r = request->ctx;
    r->last_event_ms = r->client->loop->now_ms;
    if (r->state == KM_WATCH_WATCHING)
        works(r);
}

static void begin(struct km_reflector *r, enum km_watch_state state)
{
    int64_t now_ms = r->client->loop->now_ms;
    r->state = state;
    if (state == KM_WATCH_STREAM && r->list_this_round)
        r->state = KM_WATCH_LIST;
    bool is_list = r->state == KM_WATCH_LIST || r->state == KM_WATCH_ASK;
    if (r->state == KM_WATCH_STREAM ||
        (r->state == KM_WATCH_LIST && r->continue_token[0] == '\0')) {
        r->page = 0;
        begin_replace(r);
    }
    if (r->state == KM_WATCH_ASK)
        r->list_rv[0] = '\0';
    r->round_events = 0;
    r->opened_ms = now_ms;
    r->last_event_ms = now_ms;
    r->request.schema = is_list ? &r->list : &r->events;
    r->request.stream = !is_list;
    if (r->metadata_only)
        r->request.accept = is_list ? KM_ACCEPT_META_LIST : KM_ACCEPT_META;
    r->request.timeout_ms = is_list ? LIST_MS : KM_NEVER;
    r->request.head_timeout_ms = is_list ? 0 : WATCH_HEAD_MS;
    int err = watch_write_target(r);
    if (err != KM_OK) {
        trouble(r, "the list or watch request does not fit CONFIG_KM_TARGET_BYTES");
        back_off(r, KM_WATCH_STREAM);
        return;
    }
    int64_t look_ms = r->state == KM_WATCH_STREAM ? STREAM_LIST_MS : watch_silence(r->silence_ms);
    if (r->state == KM_WATCH_WATCHING && r->resync_wanted)
        look_ms = RESYNC_SPACE_MS;
    set_timer(r, now_ms + look_ms);
    (void)km_request_send(&r->request, r->lane);
}

/* ---- the timer: end of a back-off, or a look at the age of the last event ---- */

static void start_over(struct km_reflector *r, int64_t now_ms)
{
    if (r->state == KM_WATCH_ASK)
        return; /* the watch behind it looks again */
    if (r->state != KM_WATCH_WATCHING) {
        r->resync_wanted = false; /* a list is under way: that is what was wanted */
        set_timer(r, now_ms + watch_silence(r->silence_ms));
        return;
    }
    if (now_ms - r->opened_ms < RESYNC_SPACE_MS) {
        set_timer(r, r->opened_ms + RESYNC_SPACE_MS);
        return;
    }
    r->resync_wanted = false;
    r->restart_now = true;
    km_conn_abort(&r->lane->conn, KM_ERR_CANCELED, "the watch is started over", now_ms);
}

static void on_timer(void *ctx, int64_t now_ms)
{
    struct km_reflector *r = ctx;
    if (r->state == KM_WATCH_BACKOFF) {
        bool too_long = now_ms - r->paused_ms > PLAIN_PAUSE_MS;
        begin(r, r->next_state == KM_WATCH_WATCHING && too_long ? KM_WATCH_STREAM : r->next_state);
        return;
    }
    if (r->resync_wanted) {
        start_over(r, now_ms);
        return;
    }
    int64_t limit_ms = r->state == KM_WATCH_STREAM ? STREAM_LIST_MS : watch_silence(r->silence_ms);
    int64_t since_ms = r->state == KM_WATCH_STREAM ? r->opened_ms : r->last_event_ms;
    if (now_ms - since_ms < limit_ms) {
        set_timer(r, since_ms + limit_ms);
        return;
    }
    km_conn_abort(&r->lane->conn, KM_ERR_TIMEOUT, "no event and no bookmark came for too long",
                  now_ms);
}

/* ---- set-up ---- */

static void name_counter(struct km_reflector *r, size_t i, struct km_counter *counter,
                         const char *what)
{
    (void)km_format(r->counter_names[i], sizeof r->counter_names[i],
                    "kubemote_watch_%s_total{resource=\"%s\"}", what, r->name);
    counter->name = r->counter_names[i];
    km_counter_register(counter);
}

int km_reflector_init(struct km_reflector *r, struct km_fault *fault)
{
    r->state = KM_WATCH_STOPPED;
    r->timer.fn = on_timer;
    r->timer.ctx = r;
    r->request.what = r->name;
    r->request.method = KM_GET;
    r->request.on_open = on_open;
    r->request.on_text = on_text;
    r->request.on_done = on_done;
    r->request.ctx = r;
    r->request.priority = 1;
    km_backoff_init(&r->backoff, 800, 30000, 120000);
    name_counter(r, 0, &r->lists, "lists");
    name_counter(r, 1, &r->restarts, "restarts");
    name_counter(r, 2, &r->events_total, "events");
    name_counter(r, 3, &r->cut, "cut");
    name_counter(r, 4, &r->skipped, "skipped");
    name_counter(r, 5, &r->refused, "refused");
    r->event_parts[0] = (struct km_schema_part){"", &km_kind_watch_frame};
    r->event_parts[1] = (struct km_schema_part){"/object", &km_kind_status};
    r->event_parts[2] = (struct km_schema_part){"/object", r->kind};
    r->list_parts[0] = (struct km_schema_part){"", &km_kind_watch_list};
    r->list_parts[1] = (struct km_schema_part){"/items", r->kind};
    int err = km_schema_init(&r->events, r->event_parts, 3, NULL, r->event_nodes,
                             CONFIG_KM_JSON_NODE_COUNT);
    if (err == KM_OK)
        err = km_schema_init(&r->list, r->list_parts, 2, "/items", r->list_nodes,
                             CONFIG_KM_JSON_NODE_COUNT);
    if (err != KM_OK)
        return km_fault_set(fault, err,
                            "the fields of %s do not fit CONFIG_KM_JSON_NODE_COUNT (%d)",
                            r->kind->name, CONFIG_KM_JSON_NODE_COUNT);
    return KM_OK;
}

void km_reflector_start(struct km_reflector *r)
{
    if (r->state == KM_WATCH_STOPPED)
        begin(r, KM_WATCH_STREAM);
}

void km_reflector_resume(struct km_reflector *r, const char *rv)
{
    if (r->state != KM_WATCH_STOPPED)
        return;
    bool usable = rv != NULL && rv[0] != '\0' && strcmp(rv, "0") != 0;
    if (!usable || km_slice_copy(km_slice_of(rv), r->rv, sizeof r->rv) != KM_OK) {
        r->rv[0] = '\0';
        begin(r, KM_WATCH_STREAM);
        return;
    }
    r->resumed = true;
    begin(r, KM_WATCH_ASK);
}

void km_reflector_stop(struct km_reflector *r)
{
    r->state = KM_WATCH_STOPPED;
    r->resync_wanted = false;
    r->restart_now = false;
    r->continue_token[0] = '\0';
    drop_replace(r);
    km_timer_stop(&r->client->loop->timers, &r->timer);
    km_request_cancel(&r->request);
}

void km_reflector_resync(struct km_reflector *r, const char *why)
{
    if (r->resync_wanted || r->state == KM_WATCH_STOPPED || r->state == KM_WATCH_BACKOFF)
        return;
    KM_INFO("Listing anew", KM_S("resource", r->name), KM_S("reason", why));
    r->resync_wanted = true;
    set_timer(r, r->client->loop->now_ms);
}

bool km_reflector_synced(const struct km_reflector *r)
{
    return r->synced;
}

bool km_reflector_live(const struct km_reflector *r)
{
    return r->state == KM_WATCH_WATCHING && !r->resync_wanted;
}
