/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "kubemote/km_control.h"
#include "kubemote/km_log.h"

#define TRIES_MAX 12
#define RETRY_MS 10000
#define RETRY_JITTER_MS 2500
#define FINISH_MS (6 * 60 * 1000)
#define REFRESH_MS (30 * 60 * 1000)
#define SIMILAR_MS (600 * 1000)
#define SPAM_BURST 25
#define SPAM_MS (300 * 1000)
#define COMBINED "(combined from similar events): "

static void send_next(struct km_recorder *rec);
static void arm_tidy(struct km_recorder *rec);

/* ---- waiting ---- */

static void wait_for(struct km_recorder *rec, struct km_event *event, enum km_event_state state)
{
    event->state = (uint8_t)state;
    event->tries = 0;
    event->order = ++rec->order;
    rec->count++;
    km_pool_take(&rec->pool, 1);
}

/* No delivery is due any more. */
static void rest(struct km_recorder *rec, struct km_event *event, enum km_event_state state)
{
    event->state = (uint8_t)state;
    event->finishing = false;
    rec->count--;
    km_pool_give(&rec->pool, 1);
}

static struct km_event *first_waiting(struct km_recorder *rec)
{
    struct km_event *first = NULL;
    for (size_t i = 0; i < CONFIG_KM_EVENT_COUNT; i++) {
        struct km_event *e = &rec->events[i];
        bool waits = e->state == KM_EVENT_POST || e->state == KM_EVENT_PATCH;
        if (waits && (first == NULL || (int32_t)(e->order - first->order) < 0))
            first = e;
    }
    return first;
}

/* ---- answers ---- */

static void delivered(struct km_recorder *rec, struct km_event *event)
{
    bool finished = event->finishing;
    rec->sent.value++;
    event->told_ms = rec->client->loop->now_ms;
    rest(rec, event, finished ? KM_EVENT_FREE : KM_EVENT_KNOWN);
    /* It came a second time while the first was on its way. */
    if (!finished && event->told == 1 && event->count > 1)
        wait_for(rec, event, KM_EVENT_PATCH);
}

static void refused(struct km_recorder *rec, struct km_event *event, const char *why)
{
    rec->lost.value++;
    KM_V(1, "An event was not taken", KM_S("event", event->reason), KM_S("reason", why));
    rest(rec, event, KM_EVENT_FREE);
}

/* True when the answer says that the other method is the right one. */
static bool turned(struct km_event *event, const struct km_status *status)
{
    if (event->state == KM_EVENT_PATCH && km_status_is_not_found(status))
        event->state = KM_EVENT_POST;
    else if (event->state == KM_EVENT_POST && event->told > 1 &&
             km_status_is_already_exists(status))
        event->state = KM_EVENT_PATCH;
    else
        return false;
    return ++event->tries < TRIES_MAX;
}

static void on_done(struct km_request *request, int err)
{
    struct km_recorder *rec = request->ctx;
    struct km_event *event = rec->sending;
    rec->sending = NULL;
    if (rec->stopped)
        return;
    bool refusal = err == KM_ERR_STATUS;
    if (err != KM_OK && !refusal && ++event->tries < TRIES_MAX) {
        (void)km_timer_set(&rec->client->loop->timers, &rec->timer,
                           rec->client->loop->now_ms + RETRY_MS +
                               (int64_t)((event->key + event->tries * 977u) % RETRY_JITTER_MS));
        return;
    }
    /* The name is the event's own: when it exists, an answer was lost and not the event. */
    bool exists = refusal && km_status_is_already_exists(request->status);
    if (err == KM_OK || (exists && event->told == 1))
        delivered(rec, event);
    else if (!refusal || !turned(event, request->status))
        refused(rec, event, request->fault->text);
    send_next(rec);
    arm_tidy(rec);
}

/* ---- requests ---- */

static void write_reference(struct km_json_writer *w, const struct km_event *event)
{
    km_json_key(w, "regarding");
    km_json_object(w);
    km_json_kv_str(w, "apiVersion", event->api_version);
    km_json_kv_str(w, "kind", event->kind);
    km_json_kv_str(w, "name", event->object);
    if (event->ns[0] != '\0')
        km_json_kv_str(w, "namespace", event->ns);
    km_json_kv_str(w, "uid", event->uid);
    km_json_close(w);
}

static void write_series(struct km_json_writer *w, struct km_event *event)
{
    char when[KM_TIME_SIZE];
    event->told = event->count;
    if (event->count < 2)
        return;
    km_time_rfc3339_micro(event->last_us, when, sizeof when);
    km_json_key(w, "series");
    km_json_object(w);
    km_json_kv_i64(w, "count", event->count);
    km_json_kv_str(w, "lastObservedTime", when);
    km_json_close(w);
}

static void write_event(struct km_json_writer *w, const struct km_recorder *rec,
                        const struct km_event *event, const char *ns)
{
    char when[KM_TIME_SIZE];
    km_time_rfc3339_micro(event->wall_us, when, sizeof when);
    km_json_kv_str(w, "apiVersion", "events.k8s.io/v1");
    km_json_kv_str(w, "kind", "Event");
    km_json_key(w, "metadata");
    km_json_object(w);
    km_json_kv_str(w, "name", event->name);
    km_json_kv_str(w, "namespace", ns);
    km_json_close(w);
    km_json_kv_str(w, "type", event->type);
    km_json_kv_str(w, "reason", event->reason);
    km_json_kv_str(w, "action", event->action);
    km_json_kv_str(w, "note", event->note);
    km_json_kv_str(w, "reportingController", rec->controller);
    km_json_kv_str(w, "reportingInstance", rec->instance);
    km_json_kv_str(w, "eventTime", when);
    write_reference(w, event);
}

static int write_body(struct km_recorder *rec, struct km_event *event, const char *ns)
{
    struct km_json_writer w;
    km_buf_reset(&rec->body);
    km_json_writer_init(&w, &rec->body);
    km_json_object(&w);
    if (event->state == KM_EVENT_POST)
        write_event(&w, rec, event, ns);
    write_series(&w, event);
    km_json_close(&w);
    return km_json_finish(&w);
}

static int prepare(struct km_recorder *rec, struct km_event *event)
{
    struct km_buf target;
    bool patch = event->state == KM_EVENT_PATCH;
    const char *ns = event->ns[0] != '\0' ? event->ns : "default";
    km_buf_init(&target, rec->request.target, sizeof rec->request.target);
    int err = km_path(&target, rec->client->config->base_path, &km_events, ns,
                      patch ? event->name : NULL, NULL);
    if (err == KM_OK)
        err = write_body(rec, event, ns);
    rec->request.method = patch ? KM_PATCH : KM_POST;
    rec->request.content_type = patch ? KM_TYPE_STRATEGIC : KM_TYPE_JSON;
    rec->request.body = km_buf_slice(&rec->body);
    return err;
}

static void send_next(struct km_recorder *rec)
{
    struct km_event *event;
    if (rec->sending != NULL || rec->stopped || rec->timer.pos != 0)
        return;
    while ((event = first_waiting(rec)) != NULL) {
        if (prepare(rec, event) == KM_OK) {
            rec->sending = event;
            (void)km_request_send(&rec->request, rec->lane);
            return;
        }
        refused(rec, event, "it can't be written");
    }
}

static void on_timer(void *ctx, int64_t now_ms)
{
    (void)now_ms;
    send_next(ctx);
}

/* ---- series ---- */

static int64_t due_ms(const struct km_event *event)
{
    int64_t finish_ms = event->last_ms + FINISH_MS, refresh_ms = event->told_ms + REFRESH_MS;
    if (event->state != KM_EVENT_KNOWN)
        return KM_NEVER;
    return event->count > 1 && refresh_ms < finish_ms ? refresh_ms : finish_ms;
}

static void on_tidy(void *ctx, int64_t now_ms)
{
    struct km_recorder *rec = ctx;
    for (size_t i = 0; i < CONFIG_KM_EVENT_COUNT; i++) {
        struct km_event *event = &rec->events[i];
        if (due_ms(event) > now_ms)
            continue;
        if (event->count < 2) {
            event->state = KM_EVENT_FREE;
            continue;
        }
        event->finishing = event->last_ms + FINISH_MS <= now_ms;
        wait_for(rec, event, KM_EVENT_PATCH);
    }
    send_next(rec);
    arm_tidy(rec);
}

static void arm_tidy(struct km_recorder *rec)
{
    int64_t next_ms = KM_NEVER;
    for (size_t i = 0; i < CONFIG_KM_EVENT_COUNT; i++) {
        if (due_ms(&rec->events[i]) < next_ms)
            next_ms = due_ms(&rec->events[i]);
    }
    (void)km_timer_set(&rec->client->loop->timers, &rec->tidy_timer, next_ms);
}

/* ---- keys ---- */

static uint64_t mix(uint64_t key, const char *text)
{
    struct km_slice slice = km_slice_of(text);
    uint32_t low = km_hash(slice, (uint32_t)key) + (uint32_t)slice.len;
    uint32_t high = km_hash(slice, (uint32_t)(key >> 32) ^ 0x9e3779b9u) * 31u + (uint32_t)slice.len;
    return (uint64_t)high << 32 | low;
}

static uint64_t key_of(const struct km_event *event, bool with_reason)
{
    uint64_t key = mix(0x6b756265, event->type);
    key = mix(key, event->kind);
    key = mix(key, event->api_version);
    key = mix(key, event->ns);
    key = mix(key, event->object);
    key = mix(key, event->uid);
    return with_reason ? mix(mix(key, event->reason), event->action) : key;
}

static struct km_event_group *group_of(struct km_recorder *rec, uint64_t key, int64_t now_ms)
{
    struct km_event_group *oldest = rec->groups;
    for (size_t i = 0; i < CONFIG_KM_EVENT_COUNT; i++) {
        struct km_event_group *g = &rec->groups[i];
        if (g->key == key && now_ms - g->last_ms <= SIMILAR_MS)
            return g;
        if (g->key == key || g->last_ms < oldest->last_ms)
            oldest = g;
        if (g->key == key)
            break;
    }
    *oldest = (struct km_event_group){.key = key};
    return oldest;
}

/* Whether so many different notes came that this one goes with all others. */
static bool is_combined(struct km_recorder *rec, uint64_t key, uint32_t note, int64_t now_ms)
{
    struct km_event_group *g = group_of(rec, key, now_ms);
    g->last_ms = now_ms;
    for (uint8_t i = 0; i < g->count; i++) {
        if (g->notes[i] == note)
            return false;
    }
    if (g->count == sizeof g->notes / sizeof g->notes[0])
        return true;
    g->notes[g->count++] = note;
    return false;
}

static bool is_spam(struct km_recorder *rec, uint64_t key, int64_t now_ms)
{
    struct km_event_bucket *b = rec->buckets;
    int64_t full_ms = (int64_t)(rec->spam_burst > 0 ? rec->spam_burst : SPAM_BURST) * SPAM_MS;
    for (size_t i = 0; i < CONFIG_KM_EVENT_COUNT && b->key != key; i++) {
        if (rec->buckets[i].key == key || rec->buckets[i].last_ms < b->last_ms)
            b = &rec->buckets[i];
    }
    if (b->key != key)
        *b = (struct km_event_bucket){.key = key, .last_ms = now_ms, .credit_ms = full_ms};
    b->credit_ms += now_ms - b->last_ms;
    if (b->credit_ms > full_ms)
        b->credit_ms = full_ms;
    b->last_ms = now_ms;
    if (b->credit_ms < SPAM_MS)
        return true;
    b->credit_ms -= SPAM_MS;
    return false;
}

/* ---- from outside ---- */

void km_recorder_init(struct km_recorder *rec)
{
    rec->pool.name = "events";
    rec->pool.size = CONFIG_KM_EVENT_COUNT;
    km_pool_register(&rec->pool);
    rec->sent.name = "kubemote_events_sent_total";
    rec->lost.name = "kubemote_events_lost_total";
    rec->spam.name = "kubemote_events_spam_total";
    km_counter_register(&rec->sent);
    km_counter_register(&rec->lost);
    km_counter_register(&rec->spam);
    km_buf_init(&rec->body, rec->body_data, sizeof rec->body_data);
    rec->timer.fn = on_timer;
    rec->tidy_timer.fn = on_tidy;
    rec->timer.ctx = rec->tidy_timer.ctx = rec;
    rec->request.what = "event";
    rec->request.accept = KM_ACCEPT_META;
    rec->request.priority = 3;
    rec->request.repeatable = true;
    rec->request.on_done = on_done;
    rec->request.ctx = rec;
}

static void copy(char *out, size_t size, const char *text)
{
    struct km_slice slice = km_slice_of(text);
    if (slice.len >= size)
        slice.len = size - 1;
    (void)km_slice_copy(slice, out, size);
}

static bool is_name(struct km_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool inner = c == '-' || c == '.';
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !inner)
            return false;
        if (inner && (i == 0 || text.ptr[i - 1] == '.' || (c == '.' && text.ptr[i - 1] == '-')))
            return false;
    }
    return text.len > 0;
}

/* Unique by the microsecond, as client-go's recorder by the nanosecond; the object's name is cut so that it stays a name. */
static void name_event(struct km_recorder *rec, struct km_event *event)
{
    struct km_buf name;
    struct km_slice object = km_slice_of(event->object);
    if (object.len > 64)
        object.len = 64;
    while (object.len > 0 &&
           (object.ptr[object.len - 1] == '-' || object.ptr[object.len - 1] == '.'))
        object.len--;
    rec->named_us = event->wall_us > rec->named_us ? event->wall_us : rec->named_us + 1;
    km_buf_init(&name, event->name, sizeof event->name);
    if (is_name(object))
        km_buf_put_slice(&name, object);
    else
        km_buf_printf(&name, "%016" PRIx64, event->key);
    km_buf_printf(&name, ".%" PRIx64, (uint64_t)rec->named_us);
}

static struct km_event *find(struct km_recorder *rec, uint64_t key)
{
    for (size_t i = 0; i < CONFIG_KM_EVENT_COUNT; i++) {
        struct km_event *e = &rec->events[i];
        if (e->state != KM_EVENT_FREE && e->key == key)
            return e;
    }
    return NULL;
}

/* A free place, else that of the event that is remembered longest. */
static struct km_event *place(struct km_recorder *rec)
{
    struct km_event *found = NULL;
    for (size_t i = 0; i < CONFIG_KM_EVENT_COUNT; i++) {
        struct km_event *e = &rec->events[i];
        if (e->state == KM_EVENT_FREE)
            return e;
        if (e->state == KM_EVENT_KNOWN && (found == NULL || e->last_ms < found->last_ms))
            found = e;
    }
    return found;
}

static void repeat(struct km_recorder *rec, struct km_event *event, const struct km_event *again)
{
    event->count++;
    event->last_us = again->wall_us;
    event->last_ms = again->last_ms;
    event->finishing = false;
    if (event->state == KM_EVENT_KNOWN && event->count == 2)
        wait_for(rec, event, KM_EVENT_PATCH);
}

static void fill(struct km_event *event, const struct km_reference *about, bool warning,
                 const char *reason, const char *action, const char *note)
{
    memset(event, 0, sizeof *event);
    copy(event->type, sizeof event->type, warning ? "Warning" : "Normal");
    copy(event->reason, sizeof event->reason, reason);
    copy(event->action, sizeof event->action, action);
    copy(event->note, sizeof event->note, note);
    copy(event->kind, sizeof event->kind, about->kind);
    copy(event->api_version, sizeof event->api_version, about->api_version);
    copy(event->ns, sizeof event->ns, about->ns);
    copy(event->object, sizeof event->object, about->name);
    copy(event->uid, sizeof event->uid, about->uid);
    event->wall_us = event->last_us = km_port_wall_us();
    event->last_ms = event->told_ms = km_port_now_ms();
    event->count = 1;
}

static void combine(struct km_event *event, const char *note)
{
    struct km_buf text;
    copy(event->note, sizeof event->note, COMBINED);
    km_buf_init(&text, event->note, sizeof event->note);
    km_buf_puts(&text, COMBINED);
    copy(event->note + text.len, sizeof event->note - text.len, note);
}

void km_recorder_event(struct km_recorder *rec, const struct km_reference *about, bool warning,
                       const char *reason, const char *action, const char *note)
{
    struct km_event now, *event;
    if (rec->stopped)
        return;
    fill(&now, about, warning, reason, action, note);
    uint64_t group = key_of(&now, true);
    bool combined = is_combined(rec, group, km_hash(km_slice_of(note), 0), now.last_ms);
    now.key = mix(group, combined ? COMBINED : note);
    event = find(rec, now.key);
    if (event != NULL) {
        repeat(rec, event, &now);
    } else if (is_spam(rec, key_of(&now, false) + (rec->spam_by_reason ? mix(0, reason) : 0),
                       now.last_ms)) {
        rec->spam.value++;
    } else if ((event = place(rec)) == NULL) {
        rec->lost.value++;
        km_pool_refuse(&rec->pool);
    } else {
        if (combined)
            combine(&now, note);
        name_event(rec, &now);
        *event = now;
        wait_for(rec, event, KM_EVENT_POST);
    }
    send_next(rec);
    arm_tidy(rec);
}

void km_recorder_stop(struct km_recorder *rec)
{
    rec->stopped = true;
    km_timer_stop(&rec->client->loop->timers, &rec->timer);
    km_timer_stop(&rec->client->loop->timers, &rec->tidy_timer);
    km_request_cancel(&rec->request);
}
