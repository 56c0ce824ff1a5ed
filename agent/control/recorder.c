/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "kubemote/km_control.h"
#include "kubemote/km_log.h"

#define TRIES_MAX 12
#define RETRY_MS 10000

static void send_first(struct km_recorder *rec);

static void drop_first(struct km_recorder *rec)
{
    rec->head = (uint16_t)((rec->head + 1) % CONFIG_KM_EVENT_COUNT);
    rec->count--;
    km_pool_give(&rec->pool, 1);
}

static void on_done(struct km_request *request, int err)
{
    struct km_recorder *rec = request->ctx;
    struct km_event *event = &rec->events[rec->head];
    rec->sending = false;
    if (err != KM_OK && err != KM_ERR_STATUS && ++event->tries < TRIES_MAX) {
        (void)km_timer_set(&rec->client->loop->timers, &rec->timer,
                           rec->client->loop->now_ms + RETRY_MS);
        return;
    }
    /* The name is the event's own: when it exists, an answer was lost and not the event. */
    if (err == KM_OK || (err == KM_ERR_STATUS && km_status_is_already_exists(request->status))) {
        rec->sent.value++;
    } else {
        rec->lost.value++;
        KM_V(1, "An event was not taken", KM_S("event", event->reason),
             KM_S("reason", request->fault->text));
    }
    drop_first(rec);
    send_first(rec);
}

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

static int write_body(struct km_recorder *rec, const struct km_event *event, const char *ns)
{
    char when[KM_TIME_SIZE];
    struct km_json_writer w;
    km_time_rfc3339_micro(event->wall_us, when, sizeof when);
    km_buf_reset(&rec->body);
    km_json_writer_init(&w, &rec->body);
    km_json_object(&w);
    km_json_kv_str(&w, "apiVersion", "events.k8s.io/v1");
    km_json_kv_str(&w, "kind", "Event");
    km_json_key(&w, "metadata");
    km_json_object(&w);
    km_json_kv_str(&w, "name", event->name);
    km_json_kv_str(&w, "namespace", ns);
    km_json_close(&w);
    km_json_kv_str(&w, "type", event->type);
    km_json_kv_str(&w, "reason", event->reason);
    km_json_kv_str(&w, "action", event->action);
    km_json_kv_str(&w, "note", event->note);
    km_json_kv_str(&w, "reportingController", rec->controller);
    km_json_kv_str(&w, "reportingInstance", rec->instance);
    km_json_kv_str(&w, "eventTime", when);
    write_reference(&w, event);
    km_json_close(&w);
    return km_json_finish(&w);
}

static void send_first(struct km_recorder *rec)
{
    struct km_buf target;
    if (rec->sending || rec->count == 0)
        return;
    struct km_event *event = &rec->events[rec->head];
    const char *ns = event->ns[0] != '\0' ? event->ns : "default";
    km_buf_init(&target, rec->request.target, sizeof rec->request.target);
    int err = km_path(&target, rec->client->config->base_path, &km_events, ns, NULL, NULL);
    if (err != KM_OK || write_body(rec, event, ns) != KM_OK) {
        rec->lost.value++;
        drop_first(rec);
        return;
    }
    rec->request.body = km_buf_slice(&rec->body);
    rec->sending = true;
    (void)km_request_send(&rec->request, rec->lane);
}

static void on_timer(void *ctx, int64_t now_ms)
{
    (void)now_ms;
    send_first(ctx);
}

void km_recorder_init(struct km_recorder *rec)
{
    rec->pool.name = "events";
    rec->pool.size = CONFIG_KM_EVENT_COUNT;
    km_pool_register(&rec->pool);
    rec->sent.name = "kubemote_events_sent_total";
    rec->lost.name = "kubemote_events_lost_total";
    km_counter_register(&rec->sent);
    km_counter_register(&rec->lost);
    km_buf_init(&rec->body, rec->body_data, sizeof rec->body_data);
    rec->timer.fn = on_timer;
    rec->timer.ctx = rec;
    rec->request.what = "event";
    rec->request.method = KM_POST;
    rec->request.content_type = KM_TYPE_JSON;
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

/* Unique by the microsecond, as client-go's recorder by the nanosecond; the object's name is cut so that it stays a name. */
static void name_event(struct km_event *event)
{
    struct km_buf name;
    struct km_slice object = km_slice_of(event->object);
    if (object.len > 64)
        object.len = 64;
    while (object.len > 0 &&
           (object.ptr[object.len - 1] == '-' || object.ptr[object.len - 1] == '.'))
        object.len--;
    km_buf_init(&name, event->name, sizeof event->name);
    km_buf_put_slice(&name, object);
    km_buf_printf(&name, ".%" PRIx64, (uint64_t)event->wall_us);
}

void km_recorder_event(struct km_recorder *rec, const struct km_reference *about, bool warning,
                       const char *reason, const char *action, const char *note)
{
    if (rec->count == CONFIG_KM_EVENT_COUNT) {
        rec->lost.value++;
        km_pool_refuse(&rec->pool);
        return;
    }
    struct km_event *event = &rec->events[(rec->head + rec->count) % CONFIG_KM_EVENT_COUNT];
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
    event->wall_us = km_port_wall_us();
    name_event(event);
    rec->count++;
    km_pool_take(&rec->pool, 1);
    send_first(rec);
}
