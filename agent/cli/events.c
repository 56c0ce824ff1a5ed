/* SPDX-License-Identifier: Apache-2.0 */
/* events: core/v1 events by time, the oldest first. */
#include <stddef.h>
#include <string.h>

#include "columns.h"
#include "commands.h"
#include "kubemote/km_scalar.h"
#include "visit.h"

#define PAGE 500

static struct {
    bool all_namespaces, watch, no_headers;
    const char *for_object;
    struct flag_texts types;
} o;

static const struct flag flags[] = {
    {"all-namespaces", 'A', FLAG_BOOL, &o.all_namespaces, "events of all namespaces", NULL},
    {"watch", 'w', FLAG_BOOL, &o.watch, "go on with events as they come", NULL},
    {"no-headers", 0, FLAG_BOOL, &o.no_headers, "no line of headers", NULL},
    {"for", 0, FLAG_TEXT, &o.for_object, "events of this object: TYPE/NAME", NULL},
    {"types", 0, FLAG_TEXTS, &o.types, "Normal, Warning", NULL},
    {0},
};

static const struct km_resource core_events = {"", "v1", "events"};

/* The event under way. */
struct event {
    char ns[64], type[64], reason[256], kind[128], name[254];
    char event_time[KM_TIME_SIZE], first[KM_TIME_SIZE], last[KM_TIME_SIZE], observed[KM_TIME_SIZE];
    char count[16], series_count[16];
    bool has_series;
    char message[4096];
};

struct row {
    int64_t time_us;
    uint32_t text; /* cells, each with a NUL */
};

static struct {
    struct answer answer;
    struct event event;
    struct row rows[CONFIG_KM_CLI_EVENT_ROWS_COUNT];
    size_t count;
    char text[CONFIG_KM_CLI_EVENT_BYTES];
    size_t text_len;
    uint64_t told;
    char token[1024];
    char selector[768];
    bool header_done;
} work KM_POOL_STORAGE(cli_events);

/* ---- one event's line ---- */

/* INT64_MIN: there is none. */
static int64_t time_of(const char *text)
{
    int64_t us;
    if (text[0] == '\0' || km_time_parse(km_slice_of(text), &us) != KM_OK)
        return INT64_MIN;
    return us;
}

static int64_t sort_time(const struct event *e)
{
    if (e->has_series)
        return time_of(e->observed);
    int64_t last = time_of(e->last);
    return last != INT64_MIN ? last : time_of(e->event_time);
}

static void put_age(struct km_buf *out, const char *time)
{
    char text[KM_DURATION_SIZE];
    int64_t us = time_of(time);
    if (us == INT64_MIN) {
        km_buf_puts(out, "<unknown>");
        return;
    }
    km_duration_human((km_port_wall_us() - us) * 1000, text, sizeof text);
    km_buf_puts(out, text);
}

static void put_last_seen(struct km_buf *out, const struct event *e)
{
    const char *first = time_of(e->event_time) != INT64_MIN ? e->event_time : e->first;
    uint64_t count = 0;
    (void)km_slice_to_u64(km_slice_of(e->count), &count);
    if (!e->has_series && count <= 1) {
        put_age(out, first);
        return;
    }
    put_age(out, e->has_series ? e->observed : e->last);
    km_buf_printf(out, " (x%s over ",
                  e->has_series ? (e->series_count[0] == '\0' ? "0" : e->series_count) : e->count);
    put_age(out, first);
    km_buf_putc(out, ')');
}

static struct km_slice trimmed(const char *text)
{
    return km_slice_trim_set(km_slice_of(text), " \t\r\n");
}

static void print_headers(void)
{
    static const char *const headers[] = {"NAMESPACE", "LAST SEEN", "TYPE",
                                          "REASON",    "OBJECT",    "MESSAGE"};
    if (work.header_done || o.no_headers)
        return;
    work.header_done = true;
    for (size_t i = o.all_namespaces ? 0 : 1; i < sizeof headers / sizeof headers[0]; i++)
        columns_cell(headers[i]);
    columns_end_line();
}

static void print_row(const char *cells)
{
    print_headers();
    for (int i = o.all_namespaces ? 0 : 1; i < 6; i++) {
        const char *cell = cells;
        for (int skip = 0; skip < i; skip++)
            cell += strlen(cell) + 1;
        columns_cell(cell);
    }
    columns_end_line();
}

static void print_sorted(void)
{
    for (size_t i = 0; i < work.count; i++)
        print_row(work.text + work.rows[i].text);
    work.count = work.text_len = 0;
}

static void insert(int64_t time_us)
{
    size_t at = work.count;
    while (at > 0 && work.rows[at - 1].time_us > time_us)
        at--;
    memmove(&work.rows[at + 1], &work.rows[at], (work.count - at) * sizeof work.rows[0]);
    work.rows[at] = (struct row){time_us, (uint32_t)work.text_len};
    work.count++;
}

static bool wanted(const struct event *e)
{
    bool any = o.types.count == 0;
    for (uint16_t i = 0; i < o.types.count && !any; i++) {
        const char *at = o.types.items[i];
        while (*at != '\0' && !any) {
            size_t len = strcspn(at, ",");
            char word[16];
            any = km_slice_copy((struct km_slice){at, len}, word, sizeof word) == KM_OK &&
                  km_slice_eq_nocase(km_slice_of(e->type), word);
            at += len + (at[len] == ',');
        }
    }
    return any;
}

/* Cells with a NUL behind each; false when they do not fit. */
static bool put_cells(const struct event *e)
{
    char seen[128];
    struct km_buf out, text;
    km_buf_init(&text, seen, sizeof seen);
    put_last_seen(&text, e);
    km_buf_init(&out, work.text + work.text_len, sizeof work.text - work.text_len);
    km_buf_put(&out, e->ns, strlen(e->ns) + 1);
    km_buf_put(&out, seen, strlen(seen) + 1);
    km_buf_put(&out, e->type, strlen(e->type) + 1);
    km_buf_put(&out, e->reason, strlen(e->reason) + 1);
    km_buf_printf(&out, "%s/%s", e->kind, e->name);
    km_buf_putc(&out, '\0');
    km_buf_put_slice(&out, trimmed(e->message));
    km_buf_putc(&out, '\0');
    if (out.overflow)
        return false;
    insert(sort_time(e));
    work.text_len += out.len;
    return true;
}

static void end_event(void)
{
    if (wanted(&work.event)) {
        work.told++;
        bool full = work.count == CONFIG_KM_CLI_EVENT_ROWS_COUNT;
        if (full || !put_cells(&work.event)) {
            print_sorted();
            (void)put_cells(&work.event);
        }
    }
    memset(&work.event, 0, sizeof work.event);
}

/* ---- reading ---- */

static void take(const char *member, const char *text)
{
#define PLACE(path, field) \
    { \
        path, offsetof(struct event, field), sizeof work.event.field \
    }
    static const struct {
        const char *member;
        uint16_t at, size;
    } places[] = {
        PLACE("/metadata/namespace", ns),
        PLACE("/type", type),
        PLACE("/reason", reason),
        PLACE("/involvedObject/kind", kind),
        PLACE("/involvedObject/name", name),
        PLACE("/message", message),
        PLACE("/eventTime", event_time),
        PLACE("/firstTimestamp", first),
        PLACE("/lastTimestamp", last),
        PLACE("/count", count),
        PLACE("/series/count", series_count),
        PLACE("/series/lastObservedTime", observed),
    };
#undef PLACE
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strcmp(member, places[i].member) != 0)
            continue;
        char *out = (char *)&work.event + places[i].at;
        size_t len = strlen(text) < places[i].size ? strlen(text) : places[i].size - 1u;
        memcpy(out, text, len);
        out[len] = '\0';
    }
}

static void on_value(struct answer *a, const char *path, const char *text, bool is_text)
{
    const char *member = km_json_walk_below(&a->walk, "/items/*");
    if (!is_text && strcmp(text, "null") == 0)
        return;
    if (member != NULL)
        take(member, text);
    else if (strcmp(path, "/metadata/continue") == 0)
        (void)km_slice_copy(km_slice_of(text), work.token, sizeof work.token);
}

static void on_event(struct answer *a, enum km_walk_event event)
{
    if (event == KM_WALK_END && km_json_walk_at(&a->walk, "/items/*"))
        end_event();
    else if (event == KM_WALK_OBJECT && km_json_walk_at(&a->walk, "/items/*/series"))
        work.event.has_series = true;
}

static int list(const char *ns)
{
    int err;
    do {
        const struct km_options options = {
            .field_selector = work.selector, .limit = PAGE, .continue_token = work.token};
        struct km_request *r = item_request();
        err = km_rest_list(r, &cli.client, &core_events, ns, &options);
        work.token[0] = '\0';
        answer_begin(&work.answer);
        work.answer.on_value = on_value;
        work.answer.on_event = on_event;
        if (err == KM_OK)
            err = answer_call(&work.answer, r);
    } while (err == KM_OK && work.token[0] != '\0');
    return err;
}

/* ---- watching ---- */

static char watch_type[16];

static void on_watch_value(struct answer *a, const char *path, const char *text, bool is_text)
{
    const char *member = km_json_walk_below(&a->walk, "/object");
    if (strcmp(path, "/type") == 0)
        (void)km_slice_copy(km_slice_of(text), watch_type, sizeof watch_type);
    else if (member != NULL && (is_text || strcmp(text, "null") != 0))
        take(member, text);
}

static void on_watch_event(struct answer *a, enum km_walk_event event)
{
    if (event == KM_WALK_OBJECT && km_json_walk_at(&a->walk, "/object/series"))
        work.event.has_series = true;
    if (event != KM_WALK_END || a->walk.path[0] != '\0')
        return;
    if (strcmp(watch_type, "ADDED") != 0 && strcmp(watch_type, "MODIFIED") != 0) {
        memset(&work.event, 0, sizeof work.event);
        return;
    }
    end_event();
    print_sorted();
    columns_flush();
    out_flush();
}

static int on_watch_bytes(struct km_request *r, struct km_slice bytes)
{
    int err = answer_feed(r->ctx, bytes);
    return err == KM_OK && !out_works() ? KM_ERR_CANCELED : err;
}

static int watch(const char *ns)
{
    const struct km_options options = {.field_selector = work.selector, .limit = PAGE};
    struct km_request *r = item_request();
    int err = km_rest_watch(r, &cli.client, &core_events, ns, &options);
    answer_begin(&work.answer);
    work.answer.on_value = on_watch_value;
    work.answer.on_event = on_watch_event;
    km_json_walk_init(&work.answer.walk, true, work.answer.walk.fn, &work.answer);
    r->on_bytes = on_watch_bytes;
    r->ctx = &work.answer;
    r->timeout_ms = KM_NEVER;
    status_forget();
    if (err == KM_OK)
        err = km_call(r, &cli.watch_lane);
    return err == KM_ERR_STATUS ? err : KM_OK;
}

/* ---- the command ---- */

static int check_types(void)
{
    for (uint16_t i = 0; i < o.types.count; i++) {
        const char *at = o.types.items[i];
        while (*at != '\0') {
            size_t len = strcspn(at, ",");
            struct km_slice word = {at, len};
            if (!km_slice_eq_nocase(word, "normal") && !km_slice_eq_nocase(word, "warning"))
                return cli_usage_error("valid --types are Normal or Warning");
            at += len + (at[len] == ',');
        }
    }
    return 0;
}

static int choose_object(void)
{
    static struct km_api_resource what KM_POOL_STORAGE(cli_events_what);
    const char *slash = o.for_object == NULL ? NULL : strchr(o.for_object, '/');
    char type[256];
    struct km_buf out;
    if (cli_given(o.for_object) == NULL)
        return 0;
    if (slash == NULL)
        return cli_usage_error("--for must be in resource/name form");
    if (strchr(slash + 1, '/') != NULL)
        return cli_usage_error("arguments in resource/name form may not have more than one slash");
    if (km_slice_copy((struct km_slice){o.for_object, (size_t)(slash - o.for_object)}, type,
                      sizeof type) != KM_OK)
        return cli_usage_error("the type's name is too long");
    int err = km_discovery_find(&cli.discovery, type, &what, &cli.fault);
    if (err == KM_ERR_NOT_FOUND) {
        err_printf("%s\n", cli.fault.text);
        return 1;
    }
    if (err != KM_OK)
        return cli_fail(err, NULL);
    km_buf_init(&out, work.selector, sizeof work.selector);
    km_buf_printf(&out,
                  "involvedObject.kind=%s,involvedObject.apiVersion=%s%s%s,involvedObject.name=%s",
                  what.kind, what.group, what.group[0] == '\0' ? "" : "/", what.version, slash + 1);
    return out.overflow ? cli_usage_error("--for is too long") : 0;
}

static int run(const struct words *words)
{
    (void)words;
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    if (choose_object() != 0 || check_types() != 0)
        return 1;
    const char *ns = o.all_namespaces ? NULL : cli.effective_ns;
    columns_begin();
    err = o.watch ? watch(ns) : list(ns);
    if (err != KM_OK)
        return cli_fail(err, item_last_request());
    print_sorted();
    columns_flush();
    if (work.told == 0 && !o.watch && o.all_namespaces)
        err_printf("No events found.\n");
    else if (work.told == 0 && !o.watch)
        err_printf("No events found in %s namespace.\n", cli.effective_ns);
    return 0;
}

const struct command cmd_events = {
    .name = "events",
    .summary = "Print events, the latest last",
    .usage = "Usage:\n  kubemote events [--for TYPE/NAME] [--types Warning] [-A] [-w]\n\n"
             "Examples:\n  kubemote events -A --types Warning\n  kubemote events --for pod/web-1\n",
    .flags = flags,
    .run = run,
};
