/* SPDX-License-Identifier: Apache-2.0 */
/* wait: each object in turn, each of its conditions in turn, within one time for all. */
#include <string.h>

#include "commands.h"
#include "jsonpath.h"
#include "visit.h"

#define DEFAULT_MS 30000
#define POLL_MS 500
#define WAIT_COUNT 16

enum what { FOR_DELETE, FOR_CREATE, FOR_CONDITION, FOR_PATH };
struct target_state {
    enum what what;
    char name[JSONPATH_BYTES]; /* of the condition; or the place as a pointer */
    char value[256];           /* wanted; "" of a path: any */
};

static struct visit visit = {.live = true};
static struct flag_texts fors;
static const char *timeout_text, *output;

static const struct flag flags[] = {
    VISIT_FLAGS(visit),
    VISIT_SELECTOR_FLAGS(visit),
    {"for", 0, FLAG_TEXTS, &fors,
     "condition=NAME[=VALUE], jsonpath={.PATH}[=VALUE], create or delete; may be repeated", ""},
    {"timeout", 0, FLAG_TEXT, &timeout_text, "longest wait: 30s; 0s = look once; -1s = a week",
     NULL},
    {"output", 'o', FLAG_TEXT, &output, "name", NULL},
    {0},
};

/* What one object says about the condition that is looked for. */
struct look {
    bool found, container;
    char type[256], status[256]; /* of the condition under way */
    int64_t observed;            /* of it, -1: none */
    char met[256]; /* status of the condition that was looked for; or the value at the place */
    int64_t met_observed, status_observed;
};

static struct {
    struct target_state waits[WAIT_COUNT];
    size_t count;
    bool has_create, has_delete, once, seen, missing;
    int64_t timeout_ms;
    const struct target_state *wait;
    struct look look;
    struct answer answer;
    struct follow follow;
} work KM_POOL_STORAGE(cli_wait);

/* ---- what an object says ---- */

static bool at(const struct answer *a, const char *pattern)
{
    char whole[JSONPATH_BYTES + 16];
    struct km_buf text;
    km_buf_init(&text, whole, sizeof whole);
    km_buf_puts(&text, a->below == NULL ? "" : a->below);
    km_buf_puts(&text, pattern);
    return !text.overflow && km_json_walk_at(&a->walk, whole);
}

static void begin_look(void)
{
    memset(&work.look, 0, sizeof work.look);
    work.look.observed = work.look.met_observed = work.look.status_observed = -1;
}

static void take_condition(struct answer *a, const char *text, bool is_text)
{
    struct look *l = &work.look;
    if (is_text && at(a, "/status/conditions/*/type"))
        (void)km_slice_copy(km_slice_of(text), l->type, sizeof l->type);
    else if (is_text && at(a, "/status/conditions/*/status"))
        (void)km_slice_copy(km_slice_of(text), l->status, sizeof l->status);
    else if (at(a, "/status/conditions/*/observedGeneration"))
        l->observed = answer_number(text);
    else if (at(a, "/status/observedGeneration"))
        l->status_observed = answer_number(text);
}

static void on_value(struct answer *a, const char *path, const char *text, bool is_text)
{
    struct look *l = &work.look;
    (void)path;
    if (answer_place(a) == NULL)
        return;
    if (work.wait->what == FOR_CONDITION) {
        take_condition(a, text, is_text);
    } else if (work.wait->what == FOR_PATH && at(a, work.wait->name)) {
        l->found = is_text || strcmp(text, "null") != 0;
        (void)km_slice_copy(km_slice_of(text), l->met, sizeof l->met);
    }
}

/* The first condition of that name that has a status counts. */
static void end_condition(void)
{
    struct look *l = &work.look;
    bool named = km_slice_eq_nocase(km_slice_of(l->type), work.wait->name) && l->status[0] != '\0';
    if (named && !l->found) {
        l->found = true;
        memcpy(l->met, l->status, sizeof l->met);
        l->met_observed = l->observed;
    }
    l->type[0] = l->status[0] = '\0';
    l->observed = -1;
}

static void on_event(struct answer *a, enum km_walk_event event)
{
    if (event == KM_WALK_END && work.wait->what == FOR_CONDITION && at(a, "/status/conditions/*"))
        end_condition();
    else if (event != KM_WALK_END && work.wait->what == FOR_PATH && at(a, work.wait->name))
        work.look.found = work.look.container = true;
}

static struct km_slice trimmed(const char *text)
{
    struct km_slice value = km_slice_trim(km_slice_of(text));
    while (value.len > 0 && (value.ptr[value.len - 1] == '\n' || value.ptr[value.len - 1] == '\r'))
        value.len--;
    return value;
}

static bool met(const struct answer *a)
{
    const struct look *l = &work.look;
    if (!l->found)
        return false;
    if (work.wait->what == FOR_PATH)
        return work.wait->value[0] == '\0' ||
               (!l->container && km_slice_eq(trimmed(l->met), trimmed(work.wait->value)));
    int64_t observed = l->met_observed >= 0 ? l->met_observed : l->status_observed;
    if (a->generation >= 0 && observed >= 0 && observed < a->generation)
        return false;
    return km_slice_eq_nocase(km_slice_of(l->met), work.wait->value);
}

/* ---- looking and watching ---- */

static int look_once(const struct item *item)
{
    struct km_request *r = item_request();
    begin_look();
    answer_begin(&work.answer);
    work.answer.on_value = on_value;
    work.answer.on_event = on_event;
    int err = km_rest_get(r, &cli.client, &item->what->resource, item->ns, item->name, NULL, NULL);
    return err == KM_OK ? answer_call(&work.answer, r) : err;
}

static void prepare(struct follow *f)
{
    begin_look();
    f->answer.on_value = on_value;
    f->answer.on_event = on_event;
}

static bool on_object(struct follow *f, const char *type)
{
    bool deleted = strcmp(type, "DELETED") == 0;
    bool done = work.wait->what == FOR_DELETE
                    ? deleted
                    : !deleted && strcmp(type, "ERROR") != 0 && met(&f->answer);
    begin_look();
    return done;
}

static int not_met(const struct item *item)
{
    errors_add_text("condition not met for %s/%s", item->what->plural, item->name);
    return KM_ERR_CONFIG;
}

static bool missing(int err)
{
    return err == KM_ERR_STATUS && km_status_is_not_found(item_last_status());
}

static int nested(void)
{
    errors_add_text("jsonpath leads to a nested object or list which is not supported");
    return KM_ERR_CONFIG;
}

/* KM_ERR_CONFIG: errors.h has it. */
static int wait_one(const struct item *item)
{
    for (;;) {
        int err = look_once(item);
        if (work.wait->what == FOR_DELETE && missing(err))
            return KM_OK;
        if (err != KM_OK)
            return err;
        if (work.wait->what == FOR_PATH && work.look.container && work.wait->value[0] != '\0')
            return nested();
        if (work.wait->what != FOR_DELETE && met(&work.answer))
            return KM_OK;
        if (work.once)
            return not_met(item);
        err = follow_item(&work.follow, item, work.answer.rv);
        if (err != KM_EOF)
            return err;
    }
}

static void print_met(const struct item *item)
{
    out_kind(item->what->kind, km_slice_of(item->what->group));
    out_printf("/%s%s\n", item->name, cli_given(output) == NULL ? " condition met" : "");
    out_flush();
}

static void on_item(const struct item *item)
{
    work.seen = true;
    for (size_t i = 0; i < work.count; i++) {
        work.wait = &work.waits[i];
        int err = work.wait->what == FOR_CREATE ? KM_OK : wait_one(item);
        if (err == KM_OK) {
            print_met(item);
            continue;
        }
        if (err == KM_ERR_TIMEOUT)
            errors_add_text("timed out waiting for the condition on %s/%s", item->what->plural,
                            item->name);
        else if (err != KM_ERR_CONFIG)
            errors_add(err, item_last_request(), NULL, NULL);
        return;
    }
}

/* ---- before it: what to visit ---- */

/* The object is there; what is not is told, or, for delete, passed over in silence. */
static void on_visited(const struct item *item)
{
    answer_begin(&work.answer);
    int err = item_get(item, NULL, &work.answer);
    if (err == KM_OK) {
        on_item(item);
        return;
    }
    work.seen = true;
    if (!missing(err) || !work.has_delete)
        errors_add(err, item_last_request(), NULL, NULL);
}

static void on_created(const struct item *item)
{
    answer_begin(&work.answer);
    int err = item_get(item, NULL, &work.answer);
    work.seen = work.seen || err == KM_OK;
    if (err == KM_ERR_STATUS && km_status_is_not_found(item_last_status()))
        work.missing = true;
    else if (err != KM_OK)
        errors_add(err, item_last_request(), NULL, NULL);
}

/* Polls as kubectl does; KM_ERR_TIMEOUT. */
static int wait_created(const struct words *words)
{
    for (;;) {
        work.seen = work.missing = false;
        visit.fn = on_created;
        int err = visit_all(&visit, words);
        if (err != KM_OK || errors_any())
            return KM_ERR_CONFIG;
        if (work.seen && !work.missing)
            return KM_OK;
        if (work.once || km_port_now_ms() + POLL_MS > work.follow.until_ms)
            return KM_ERR_TIMEOUT;
        km_loop_pause(cli.env->loop, POLL_MS);
    }
}

/* ---- flags ---- */

static int read_jsonpath(const char *text, struct target_state *out)
{
    static const char format[] =
        "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or "
        "--for=jsonpath='{.status.readyReplicas}'";
    const char *equals = strchr(text, '=');
    struct km_slice path = {text, equals == NULL ? strlen(text) : (size_t)(equals - text)};
    struct km_buf pointer;
    out->what = FOR_PATH;
    out->value[0] = '\0';
    if (path.len == 0)
        return cli_usage_error("jsonpath expression cannot be empty");
    if (equals != NULL && strchr(equals + 1, '=') != NULL)
        return cli_usage_error("%s", format);
    if (equals != NULL) {
        struct km_slice value = km_slice_of(equals + 1);
        while (value.len > 0 && (*value.ptr == '\'' || *value.ptr == '"'))
            value = (struct km_slice){value.ptr + 1, value.len - 1};
        while (value.len > 0 &&
               (value.ptr[value.len - 1] == '\'' || value.ptr[value.len - 1] == '"'))
            value.len--;
        if (value.len == 0)
            return cli_usage_error("jsonpath wait has to have a value after equal sign, like "
                                   "--for=jsonpath='{.status.readyReplicas}'=3");
        if (km_slice_copy(value, out->value, sizeof out->value) != KM_OK)
            return cli_usage_error("the value is longer than %d bytes", (int)sizeof out->value - 1);
    }
    km_buf_init(&pointer, out->name, sizeof out->name);
    if (jsonpath_pointer(path, &pointer) != KM_OK)
        return cli_usage_error("\"%.*s\": only plain paths such as {.status.phase} are supported",
                               (int)path.len, path.ptr);
    return 0;
}

static int read_condition(const char *text, struct target_state *out)
{
    const char *equals = strchr(text, '=');
    struct km_slice name = {text, equals == NULL ? strlen(text) : (size_t)(equals - text)};
    struct km_slice value = km_slice_of(equals == NULL ? "true" : equals + 1);
    out->what = FOR_CONDITION;
    if (km_slice_copy(name, out->name, sizeof out->name) != KM_OK ||
        km_slice_copy(value, out->value, sizeof out->value) != KM_OK)
        return cli_usage_error("the condition's name and value may have %d bytes",
                               (int)sizeof out->value - 1);
    return 0;
}

static int read_for(const char *text)
{
    struct target_state *out = &work.waits[work.count];
    if (work.count == WAIT_COUNT)
        return cli_usage_error("--for may stand %d times at most", WAIT_COUNT);
    work.count++;
    if (km_slice_eq_nocase(km_slice_of(text), "delete")) {
        out->what = FOR_DELETE;
        work.has_delete = true;
        return 0;
    }
    if (km_slice_eq_nocase(km_slice_of(text), "create")) {
        out->what = FOR_CREATE;
        work.has_create = true;
        return 0;
    }
    if (strncmp(text, "condition=", 10) == 0)
        return read_condition(text + 10, out);
    if (strncmp(text, "jsonpath=", 9) == 0)
        return read_jsonpath(text + 9, out);
    return cli_usage_error("unrecognized condition: \"%s\"", text);
}

static int check_flags(void)
{
    work.timeout_ms = DEFAULT_MS;
    if (timeout_text != NULL && timeout_parse("wait", timeout_text, &work.timeout_ms) != KM_OK)
        return 1;
    for (uint16_t i = 0; i < fors.count; i++) {
        if (read_for(fors.items[i]) != 0)
            return 1;
    }
    if (fors.count == 0)
        return cli_usage_error("unrecognized condition: []");
    work.once = work.timeout_ms == 0;
    work.follow.prepare = prepare;
    work.follow.on_object = on_object;
    work.follow.until_ms = km_port_now_ms() + (work.timeout_ms < 0 ? WEEK_MS : work.timeout_ms);
    return output_check(output) == KM_OK ? 0 : 1;
}

static int run(const struct words *words)
{
    if (check_flags() != 0)
        return 1;
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    err = work.has_create ? wait_created(words) : KM_OK;
    if (err == KM_ERR_TIMEOUT)
        return cli_usage_error("timed out waiting for the condition");
    if (err != KM_OK)
        return errors_finish(false);
    work.seen = false;
    visit.fn = on_visited;
    err = visit_all(&visit, words);
    if (err == KM_OK && !work.seen && !work.has_delete && !errors_any())
        errors_add_text("no matching resources found");
    return errors_finish(false);
}

const struct command cmd_wait = {
    .name = "wait",
    .summary = "Wait for a condition of objects",
    .usage = "Usage:\n  kubemote wait (-f FILE | TYPE/NAME... | TYPE -l SELECTOR | TYPE --all) "
             "--for=...\n\n"
             "Examples:\n  kubemote wait node/gw-1 --for=condition=Ready --timeout=2m\n"
             "  kubemote wait pod/web-1 --for=jsonpath='{.status.phase}'=Running\n"
             "  kubemote wait pod/web-1 --for=delete\n",
    .flags = flags,
    .run = run,
};
