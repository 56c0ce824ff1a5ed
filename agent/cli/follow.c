/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_scalar.h"
#include "visit.h"

#define LOOK_AGAIN_MS 1000
#define WATCH_SECONDS 300 /* the server ends a watch then, and we look again */

int timeout_parse(const char *command, const char *text, int64_t *ms)
{
    int64_t ns;
    if (km_duration_parse(km_slice_of(text), &ns) == KM_OK) {
        *ms = ns / 1000000;
        return KM_OK;
    }
    uint64_t number;
    bool bare = km_slice_to_u64(km_slice_of(text), &number) == KM_OK;
    (void)cli_usage_error("invalid argument \"%s\" for \"--timeout\" flag: time: %s duration "
                          "\"%s\"\nSee 'kubemote %s --help' for usage.",
                          text, bare ? "missing unit in" : "invalid", text, command);
    return KM_ERR_CONFIG;
}

/* The members of one event are those of its object; what the event before had is forgotten. */
static void forget(struct follow *f)
{
    struct answer *a = &f->answer;
    a->uid[0] = a->rv[0] = a->name[0] = a->ns[0] = '\0';
    a->generation = -1;
    a->deleting = false;
    f->type[0] = '\0';
}

static void (*caller_value)(struct answer *a, const char *path, const char *text, bool is_text);
static void (*caller_event)(struct answer *a, enum km_walk_event event);

static void on_value(struct answer *a, const char *path, const char *text, bool is_text)
{
    struct follow *f = (struct follow *)a->ctx;
    if (strcmp(path, "/type") == 0)
        (void)km_slice_copy(km_slice_of(text), f->type, sizeof f->type);
    if (caller_value != NULL)
        caller_value(a, path, text, is_text);
}

static void on_event(struct answer *a, enum km_walk_event event)
{
    struct follow *f = (struct follow *)a->ctx;
    if (caller_event != NULL)
        caller_event(a, event);
    if (event != KM_WALK_END || a->walk.path[0] != '\0')
        return;
    f->done = f->done || f->on_object(f, f->type);
    forget(f);
}

static int on_bytes(struct km_request *r, struct km_slice bytes)
{
    struct follow *f = r->ctx;
    int err = answer_feed(&f->answer, bytes);
    return err == KM_OK && f->done ? KM_ERR_CANCELED : err;
}

static void begin(struct follow *f)
{
    answer_begin(&f->answer);
    f->done = false;
    f->prepare(f);
    caller_value = f->answer.on_value;
    caller_event = f->answer.on_event;
    f->answer.on_value = on_value;
    f->answer.on_event = on_event;
    f->answer.below = "/object";
    f->answer.ctx = f;
    km_json_walk_init(&f->answer.walk, true, f->answer.walk.fn, &f->answer);
}

static int follow_once(struct follow *f, const struct item *item, const char *rv)
{
    char selector[300];
    struct km_buf text;
    struct km_request *r = item_request();
    int64_t left_ms = f->until_ms - km_port_now_ms();
    struct km_options options = {.resource_version = rv, .timeout_seconds = WATCH_SECONDS};
    if (left_ms <= 0)
        return KM_ERR_TIMEOUT;
    km_buf_init(&text, selector, sizeof selector);
    km_buf_printf(&text, "metadata.name=%s", item->name);
    options.field_selector = selector;
    int err = km_rest_watch(r, &cli.client, &item->what->resource, item->ns, &options);
    if (err != KM_OK)
        return err;
    begin(f);
    r->timeout_ms = left_ms;
    r->on_bytes = on_bytes;
    r->ctx = f;
    status_forget();
    progress("waiting for %s/%s", item->what->plural, item->name);
    err = km_call(r, &cli.watch_lane);
    progress_end();
    if (f->done)
        return KM_OK;
    return err == KM_OK || err == KM_ERR_TRUNCATED || err == KM_ERR_RESET ? KM_EOF : err;
}

int follow_item(struct follow *f, const struct item *item, const char *rv)
{
    int err = follow_once(f, item, rv);
    bool expired = err == KM_ERR_STATUS && km_status_is_expired(item_last_status());
    if (err != KM_EOF && !expired)
        return err;
    km_loop_pause(cli.env->loop, LOOK_AGAIN_MS);
    return KM_EOF;
}
