/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An informer on any resource that says what its handler is told, one JSON line for each call:
 *
 *   informer-trace --kubeconfig FILE --resource [group/]version/plural [-n NAMESPACE] [-l SELECTOR]
 *                  [--index namespace|label:NAME] [--resync MS] [--metadata] [--quiet] [--save FILE] [--metrics FILE]
 *                  [--retry VERSION] [--silence MS] [--clock FILE] [--commands FILE] [-v N]
 *
 * SIGUSR1 prints the contents and the index, SIGTERM ends it. --quiet prints no calls, --metadata asks for no more than
 * metadata, --save keeps the resourceVersion in a file and resumes from there, without a list, --metrics rewrites a file of
 * metrics with each print of the contents, before it. --retry runs a retry watcher from behind that resourceVersion
 * instead: {"event":"MODIFIED","key":...,"rv":...}, and {"event":"stopped"} when it gives up. --silence is for how long a
 * stream may be silent. --clock names a file with the seconds by which the wall clock is wrong, read whenever somebody asks for
 * the time (the program is linked so that it asks here). --commands names a file of which SIGUSR2 has the one line read and
 * done: "add N RESYNC_MS" and "remove N" a further handler (1 to 3), whose calls say {"handler":N,...}; "stop", "start".
 * {"event":"done"} answers.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_informer.h"
#include "kubemote/km_json_table.h"
#include "kubemote/km_log_sink.h"
#include "kubemote/km_metrics.h"
#include "kubemote/km_rest.h"
#include "kubemote/km_saved.h"

#ifndef SLOTS
#define SLOTS 2000
#endif
#define LABEL_SIZE 72 /* a value and its quotes */
#define TRIM_MS 30000
#define KEPT_INTERVAL_MS 100

/* The last one's place is written at start-up: an object has any number of labels, and one counts. */
#define ITEM_FIELDS(S, I, B, R, A, M) KM_META_FIELDS(S) R(label, "", LABEL_SIZE)
KM_KIND_STRUCT(item, ITEM_FIELDS)
KM_KIND_TABLE(item, "item", ITEM_FIELDS)

static struct km_field item_fields[sizeof km_fields_item / sizeof km_fields_item[0]];
static struct km_kind item_kind;
static char label_path[512];

static km_index_fn label_values;

KM_SHARED_DEFINE(items, struct km_item, SLOTS, KM_KEY_SIZE, NULL, NULL);
KM_INDEX_NAMESPACE_DEFINE(by_namespace, SLOTS);
KM_INDEX_DEFINE(by_label, "label", SLOTS, 1, label_values, NULL);

static struct options {
    const char *kubeconfig, *resource, *ns, *selector, *index, *save, *metrics, *retry, *clock,
        *commands;
    int64_t resync_ms, silence_ms;
    int verbosity;
    bool metadata, quiet;
} options;

static struct km_kubeconfig kubeconfig KM_POOL_STORAGE(kubeconfig);
static struct km_loop loop KM_POOL_STORAGE(loop);
static struct km_client client KM_POOL_STORAGE(client);
static struct km_lane lane KM_POOL_STORAGE(lane);
static struct km_schema_node event_nodes[CONFIG_KM_JSON_NODE_COUNT] KM_POOL_STORAGE(event_nodes);
static struct km_schema_node list_nodes[CONFIG_KM_JSON_NODE_COUNT] KM_POOL_STORAGE(list_nodes);
static struct km_resource resource;
#define HANDLERS 4 /* the first is there from the beginning */
static struct km_handler handlers[HANDLERS];
static struct km_saved saved;
static struct km_rng rng;
static volatile sig_atomic_t contents_asked, command_given;

int64_t __real_km_port_wall_us(void);
int64_t __wrap_km_port_wall_us(void);

int64_t __wrap_km_port_wall_us(void)
{
    char seconds[32];
    int64_t now_us = __real_km_port_wall_us();

    if (options.clock == NULL || km_port_file_read(options.clock, seconds, sizeof seconds) < 0)
        return now_us;
    return now_us + strtoll(seconds, NULL, 10) * 1000000;
}

/* ---- lines ---- */

static char line[2048];
static struct km_buf out;
static struct km_json_writer writer;

static void begin_line(const void *ctx, const char *event, const struct km_item *item)
{
    char key[KM_KEY_SIZE];
    struct km_slice slice;

    km_buf_init(&out, line, sizeof line);
    km_json_writer_init(&writer, &out);
    km_json_object(&writer);
    km_json_kv_str(&writer, "event", event);
    if (ctx != NULL)
        km_json_kv_i64(&writer, "handler", (const struct km_handler *)ctx - handlers);
    if (item == NULL)
        return;
    (void)km_key_join(km_slice_of(item->ns), km_slice_of(item->name), key, sizeof key, &slice);
    km_json_key(&writer, "key");
    km_json_slice(&writer, slice);
}

static void end_line(void)
{
    km_json_close(&writer);
    km_buf_putc(&out, '\n');
    (void)km_port_write(1, out.data, out.len);
}

static void on_add(void *ctx, uint16_t slot, const void *now, bool initial)
{
    const struct km_item *item = now;

    (void)slot;
    begin_line(ctx, "add", item);
    km_json_kv_str(&writer, "rv", item->rv);
    km_json_kv_bool(&writer, "initial", initial);
    end_line();
}

static void on_update(void *ctx, uint16_t slot, const void *old, const void *now)
{
    const struct km_item *before = old, *item = now;

    (void)slot;
    begin_line(ctx, "update", item);
    km_json_kv_str(&writer, "old", before->rv);
    km_json_kv_str(&writer, "rv", item->rv);
    end_line();
}

static void on_delete(void *ctx, uint16_t slot, const void *last, bool tombstone)
{
    const struct km_item *item = last;

    (void)slot;
    begin_line(ctx, "delete", item);
    km_json_kv_str(&writer, "rv", item->rv);
    km_json_kv_bool(&writer, "tombstone", tombstone);
    end_line();
}

static void on_synced(void *ctx)
{
    begin_line(ctx, "synced", NULL);
    end_line();
}

/* ---- contents ---- */

static uint16_t sorted[SLOTS];
static char text[16384];
static struct km_buf contents;

static void flush(bool all)
{
    if (!all && contents.len < sizeof text - 1024)
        return;
    (void)km_port_write(1, contents.data, contents.len);
    km_buf_reset(&contents);
}

/* Each string by a writer of its own: a whole object would not fit the buffer. */
static void put_string(struct km_slice value)
{
    struct km_json_writer w;

    km_json_writer_init(&w, &contents);
    km_json_slice(&w, value);
}

static void put_contents(void)
{
    int count = km_store_keys(items.store, sorted, SLOTS);

    km_buf_puts(&contents, "{\"contents\":{");
    for (int i = 0; i < count; i++) {
        const struct km_item *item = km_cache_get(items.store->cache, sorted[i]);

        km_buf_puts(&contents, i == 0 ? "" : ",");
        put_string(km_cache_key(items.store->cache, sorted[i]));
        km_buf_putc(&contents, ':');
        put_string(km_slice_of(item->rv));
        flush(false);
    }
    km_buf_puts(&contents, "},\"index\":{");
}

static void put_value(const struct km_index *index, const char *value)
{
    int count = km_index_keys(index, km_slice_of(value), sorted, SLOTS);

    put_string(km_slice_of(value));
    km_buf_puts(&contents, ":[");
    for (int i = 0; i < count; i++) {
        km_buf_puts(&contents, i == 0 ? "" : ",");
        put_string(km_cache_key(items.store->cache, sorted[i]));
        flush(false);
    }
    km_buf_putc(&contents, ']');
}

/* The smallest value behind `last`; false when there is none. */
static bool value_behind(const struct km_index *index, const char *last, bool first, char next[254])
{
    char value[254];
    uint32_t at = 0;
    bool found = false;

    while (km_index_next_value(index, &at, value, sizeof value) != KM_ERR_NOT_FOUND) {
        if ((!first && strcmp(value, last) <= 0) || (found && strcmp(value, next) >= 0))
            continue;
        memcpy(next, value, sizeof value);
        found = true;
    }
    return found;
}

static void put_index(const struct km_index *index)
{
    char last[254] = "", next[254];

    for (bool first = true; value_behind(index, last, first, next); first = false) {
        km_buf_puts(&contents, first ? "" : ",");
        put_value(index, next);
        memcpy(last, next, sizeof last);
    }
}

static const struct km_index *the_index(void)
{
    if (options.index == NULL)
        return NULL;
    return strcmp(options.index, "namespace") == 0 ? &by_namespace : &by_label;
}

static void print_contents(void)
{
    if (options.metrics != NULL)
        (void)km_metrics_file_write(&(struct km_metrics_file){.path = options.metrics});
    km_buf_init(&contents, text, sizeof text);
    put_contents();
    if (the_index() != NULL)
        put_index(the_index());
    km_buf_puts(&contents, "}}\n");
    flush(true);
}

static int label_values(void *ctx, struct km_slice key, const void *record,
                        struct km_index_sink *sink)
{
    const struct km_item *item = record;
    size_t len = strlen(item->label);

    (void)ctx;
    (void)key;
    if (len >= 2)
        km_index_value(sink, (struct km_slice){item->label + 1, len - 2});
    return KM_OK;
}

/* ---- set-up ---- */

static bool take_flag(const char *flag, const char *value)
{
    struct {
        const char *name;
        const char **to;
    } texts[] = {{"--kubeconfig", &options.kubeconfig},
                 {"--resource", &options.resource},
                 {"-n", &options.ns},
                 {"-l", &options.selector},
                 {"--index", &options.index},
                 {"--save", &options.save},
                 {"--metrics", &options.metrics},
                 {"--retry", &options.retry},
                 {"--clock", &options.clock},
                 {"--commands", &options.commands}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(flag, texts[i].name) != 0)
            continue;
        *texts[i].to = value;
        return true;
    }
    if (strcmp(flag, "--resync") == 0)
        options.resync_ms = strtol(value, NULL, 10);
    else if (strcmp(flag, "--silence") == 0)
        options.silence_ms = strtol(value, NULL, 10);
    else if (strcmp(flag, "-v") == 0)
        options.verbosity = (int)strtol(value, NULL, 10);
    else
        return false;
    return true;
}

static bool take_flags(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--metadata") == 0)
            options.metadata = true;
        else if (strcmp(argv[i], "--quiet") == 0)
            options.quiet = true;
        else if (i + 1 >= argc || !take_flag(argv[i], argv[i + 1]))
            return false;
        else
            i++;
    }
    bool index_ok = options.index == NULL || strcmp(options.index, "namespace") == 0 ||
                    strncmp(options.index, "label:", strlen("label:")) == 0;
    return options.kubeconfig != NULL && options.resource != NULL && index_ok;
}

/* [group/]version/plural */
static bool split_resource(void)
{
    static char parts[320];
    char *slash;

    if (km_slice_copy(km_slice_of(options.resource), parts, sizeof parts) != KM_OK ||
        (slash = strrchr(parts, '/')) == NULL)
        return false;
    *slash = '\0';
    resource.plural = slash + 1;
    slash = strrchr(parts, '/');
    resource.group = slash != NULL ? parts : "";
    resource.version = slash != NULL ? slash + 1 : parts;
    if (slash != NULL)
        *slash = '\0';
    return resource.plural[0] != '\0' && resource.version[0] != '\0';
}

static void set_up_kind(void)
{
    bool by_a_label = options.index != NULL && the_index() == &by_label;
    struct km_buf path;

    item_kind = km_kind_item;
    item_kind.fields = item_fields;
    memcpy(item_fields, km_fields_item, sizeof item_fields);
    if (!by_a_label) {
        item_kind.field_count--;
        return;
    }
    km_buf_init(&path, label_path, sizeof label_path);
    km_buf_puts(&path, "/metadata/labels");
    km_pointer_add(&path, options.index + strlen("label:"));
    item_fields[item_kind.field_count - 1].path = label_path;
}

static int add_handler(int number, int64_t resync_ms)
{
    struct km_handler *h = &handlers[number];

    *h = (struct km_handler){.resync_ms = resync_ms, .ctx = number > 0 ? h : NULL};
    if (!options.quiet) {
        h->on_add = on_add;
        h->on_update = on_update;
        h->on_delete = on_delete;
        h->on_synced = on_synced;
    }
    return km_shared_add(&items, h);
}

static void take_command(void)
{
    char command[64];
    long number = 0, resync_ms = 0;
    int len = km_port_file_read(options.commands, command, sizeof command);

    if (len > 0) {
        char *rest = strchr(command, ' ');

        if (rest != NULL)
            number = strtol(rest, &rest, 10);
        if (rest != NULL)
            resync_ms = strtol(rest, NULL, 10);
    }
    if (len <= 0 || number < 0 || number >= HANDLERS)
        return;
    if (command[0] == 'a')
        (void)add_handler((int)number, resync_ms);
    else if (command[0] == 'r')
        (void)km_shared_remove(&items, &handlers[number]);
    else if (strncmp(command, "stop", 4) == 0)
        km_shared_stop(&items);
    else
        km_shared_start(&items);
    begin_line(NULL, "done", NULL);
    end_line();
}

static int set_up_informer(struct km_fault *fault)
{
    struct km_reflector *r = &items.reflector;
    uint32_t seed = 0;

    (void)km_port_entropy(&seed, sizeof seed);
    km_rng_seed(&rng, seed);
    r->name = resource.plural;
    r->resource = &resource;
    r->ns = options.ns;
    r->label_selector = options.selector;
    r->metadata_only = options.metadata;
    r->kind = &item_kind;
    r->lane = &lane;
    r->client = &client;
    r->event_nodes = event_nodes;
    r->list_nodes = list_nodes;
    r->rng = &rng;
    r->silence_ms = options.silence_ms;
    int err = km_shared_init(&items, seed, fault);
    if (err == KM_OK && options.index != NULL)
        err = km_store_add_index(items.store,
                                 the_index() == &by_namespace ? &by_namespace : &by_label);
    if (err != KM_OK)
        return err;
    return add_handler(0, options.resync_ms);
}

/* ---- the retry watcher ---- */

static struct km_retry_watch retry;
static struct km_item retry_item;

static void on_watch_event(void *ctx, const struct km_watch_event *event)
{
    char code[16];

    (void)ctx;
    begin_line(NULL, km_watch_type_name(event->type), event->record);
    if (event->type == KM_WATCH_ERROR) {
        (void)snprintf(code, sizeof code, "%d", (int)event->status->code);
        km_json_kv_str(&writer, "rv", code);
    } else {
        km_json_kv_str(&writer, "rv", event->object->rv);
    }
    end_line();
}

static void on_watch_stop(void *ctx, const char *why)
{
    (void)ctx;
    (void)why;
    begin_line(NULL, "stopped", NULL);
    end_line();
}

static int set_up_retry(struct km_fault *fault)
{
    uint32_t seed = 0;

    (void)km_port_entropy(&seed, sizeof seed);
    km_rng_seed(&rng, seed);
    retry = (struct km_retry_watch){.watch = {.name = resource.plural,
                                              .resource = &resource,
                                              .ns = options.ns,
                                              .label_selector = options.selector,
                                              .metadata_only = options.metadata,
                                              .silence_ms = options.silence_ms,
                                              .kind = &item_kind,
                                              .record = &retry_item,
                                              .nodes = event_nodes,
                                              .lane = &lane,
                                              .client = &client,
                                              .rng = &rng},
                                    .on_event = on_watch_event,
                                    .on_stop = on_watch_stop};
    return km_retry_watch_init(&retry, fault);
}

static int set_up(struct km_fault *fault)
{
    const struct km_kubeconfig_options where = {.path = options.kubeconfig};
    int err = km_kubeconfig_load(&where, &kubeconfig, fault);

    set_up_kind();
    km_log_text_init(2, options.verbosity);
    if (err == KM_OK)
        err = km_port_seal();
    km_port_signals();
    if (err == KM_OK)
        err = km_client_tls(&kubeconfig, fault);
    km_loop_init(&loop);
    if (err == KM_OK)
        err = km_client_init(&client, &kubeconfig, &loop, fault);
    if (err == KM_OK)
        err = km_lane_init(&lane, &client, "watch");
    if (err != KM_OK)
        return err;
    return options.retry != NULL ? set_up_retry(fault) : set_up_informer(fault);
}

static void on_signal(int number)
{
    if (number == SIGUSR1)
        contents_asked = 1;
    else
        command_given = 1;
}

/* They come only while the loop waits, so that none is lost before a wait. */
static void take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t held;

    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigemptyset(&held);
    sigaddset(&held, SIGUSR1);
    sigaddset(&held, SIGUSR2);
    sigprocmask(SIG_BLOCK, &held, NULL);
}

static void start(void)
{
    char rv[KM_VERSION_SIZE];

    if (options.retry != NULL) {
        (void)km_retry_watch_start(&retry, options.retry);
        return;
    }
    if (options.save == NULL) {
        km_shared_start(&items);
        return;
    }
    saved = (struct km_saved){
        .name = resource.plural, .path = options.save, .interval_ms = KEPT_INTERVAL_MS};
    km_saved_init(&saved, &loop.timers);
    (void)km_saved_load(&saved, rv, sizeof rv);
    km_shared_keep(&items, &saved);
    km_shared_resume(&items, rv);
}

/* When the first list is there, and from time to time. */
static void trim(void)
{
    static int64_t next_ms;

    if (km_shared_synced(&items) == KM_NOT_SYNCED || loop.now_ms < next_ms)
        return;
    next_ms = loop.now_ms + TRIM_MS;
    km_port_trim();
}

int main(int argc, char **argv)
{
    struct km_fault fault = {0};

    if (!take_flags(argc, argv) || !split_resource()) {
        fprintf(stderr,
                "usage: informer-trace --kubeconfig FILE --resource [group/]version/plural [-n "
                "NAMESPACE] [-l SELECTOR] [--index namespace|label:NAME] [--resync MS] "
                "[--metadata] [--quiet] [--save FILE] [--metrics FILE] [--retry VERSION] "
                "[--silence MS] [--clock FILE] [--commands FILE] [-v N]\n");
        return 2;
    }
    if (set_up(&fault) != KM_OK) {
        fprintf(stderr, "informer-trace: %s\n", fault.text);
        return 1;
    }
    take_signals();
    loop.now_ms = km_port_now_ms();
    start();
    while (!km_port_stop_requested()) {
        km_loop_turn(&loop, TRIM_MS);
        trim();
        if (command_given) {
            command_given = 0;
            take_command();
        }
        if (!contents_asked)
            continue;
        contents_asked = 0;
        print_contents();
    }
    if (options.retry != NULL)
        km_retry_watch_stop(&retry);
    else
        km_shared_stop(&items);
    if (options.save != NULL)
        (void)km_saved_write(&saved);
    return 0;
}
