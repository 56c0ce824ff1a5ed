/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl get: which objects, in which form. What is printed is in get_table.c and get_objects.c. */
#include <string.h>

#include "commands.h"
#include "cli_status.h"
#include "get_priv.h"
#include "jsonpath.h"
#include "kubemote/km_port.h"
#include "table.h"
#include "visit.h"

struct get_options get_options = {.chunk_size = 500, .server_print = true};
struct km_request get_request;
char get_sort_at[640];

#define o get_options
static const struct flag flags[] = {
    {"output", 'o', FLAG_TEXT, &o.output, "wide, name, json, yaml or jsonpath=TEMPLATE", NULL},
    VISIT_FLAGS(get_files),
    {"sort-by", 0, FLAG_TEXT, &o.sort_by, "sort by a field: .metadata.name", NULL},
    {"selector", 'l', FLAG_TEXT, &o.selector, "label selector: app=web,tier!=db,env in (a,b)",
     NULL},
    {"field-selector", 0, FLAG_TEXT, &o.field_selector, "field selector: metadata.name=a", NULL},
    {"all-namespaces", 'A', FLAG_BOOL, &o.all_namespaces, "objects of all namespaces", NULL},
    {"watch", 'w', FLAG_BOOL, &o.watch, "print what is there, then each change", NULL},
    {"watch-only", 0, FLAG_BOOL, &o.watch_only, "print changes only", NULL},
    {"output-watch-events", 0, FLAG_BOOL, &o.watch_events, "say what happened to each object",
     NULL},
    {"chunk-size", 0, FLAG_INT, &o.chunk_size, "objects in one answer, 0 = all", NULL},
    {"no-headers", 0, FLAG_BOOL, &o.no_headers, "no line of headers", NULL},
    {"show-labels", 0, FLAG_BOOL, &o.show_labels, "all labels as the last column", NULL},
    {"label-columns", 'L', FLAG_TEXTS, &o.label_columns, "labels as columns: a,b", NULL},
    {"show-kind", 0, FLAG_BOOL, &o.show_kind, "kind in front of the name", NULL},
    {"show-managed-fields", 0, FLAG_BOOL, &o.managed_fields, "managedFields in json and yaml",
     NULL},
    {"ignore-not-found", 0, FLAG_BOOL, &o.ignore_not_found, "no error for what does not exist",
     NULL},
    {"subresource", 0, FLAG_TEXT, &o.subresource, "status, scale or another", NULL},
    {"raw", 0, FLAG_TEXT, &o.raw, "print what the server has at this path", NULL},
    {"server-print", 0, FLAG_BOOL, &o.server_print,
     "taken for kubectl's sake: tables are the server's", NULL},
    {0},
};

/* ---- requests ---- */

static int (*reader)(struct km_request *r, struct km_slice bytes);

/* What start-up and the handshake ran is not needed while a list streams through. */
static int on_first_bytes(struct km_request *r, struct km_slice bytes)
{
    km_port_trim();
    r->on_bytes = reader;
    return reader(r, bytes);
}

static int send(int err, const char *accept,
                int (*on_bytes)(struct km_request *r, struct km_slice bytes))
{
    if (err != KM_OK)
        return err;
    get_request.accept = accept;
    get_request.on_bytes = on_first_bytes;
    reader = on_bytes;
    return cli_call(&get_request);
}

static struct km_options asked(void)
{
    bool sorts_rows = get_sort_at[0] != '\0' && get_prints_tables();
    return (struct km_options){.label_selector = o.selector,
                               .field_selector = o.field_selector,
                               .include_object = sorts_rows ? "Object" : NULL};
}

int get_fetch(const struct get_place *at, const char *accept, const char *token,
              int (*on_bytes)(struct km_request *r, struct km_slice bytes))
{
    struct km_options options = asked();
    memset(&get_request, 0, sizeof get_request);
    if (at->name != NULL)
        return send(km_rest_get(&get_request, &cli.client, &at->what->resource, at->ns, at->name,
                                o.subresource, &options),
                    accept, on_bytes);
    options.limit = o.chunk_size > 0 ? (uint32_t)o.chunk_size : 0;
    options.continue_token = token;
    return send(km_rest_list(&get_request, &cli.client, &at->what->resource, at->ns, &options),
                accept, on_bytes);
}

int get_watch(const struct get_place *at, const char *accept, const char *version,
              int (*on_bytes)(struct km_request *r, struct km_slice bytes))
{
    char one[300];
    struct km_buf text;
    struct km_options options = asked();
    options.resource_version = version;
    memset(&get_request, 0, sizeof get_request);
    if (at->name != NULL) {
        km_buf_init(&text, one, sizeof one);
        km_buf_printf(&text, "metadata.name=%s", at->name);
        options.field_selector = one;
        options.label_selector = NULL;
    }
    return send(km_rest_watch(&get_request, &cli.client, &at->what->resource, at->ns, &options),
                accept, on_bytes);
}

/* ---- errors ---- */

int get_fail(const struct get_place *at, int err)
{
    static char text[4096];
    struct km_buf out;
    km_buf_init(&out, text, sizeof text);
    if (err == KM_ERR_ARG && at->name != NULL && fail_put_segment(&out, "resource name", at->name))
        return cli_usage_error("%s", text);
    if (err != KM_ERR_STATUS && err != KM_ERR_ARG)
        return cli_fail(err, &get_request);
    bool told = err == KM_ERR_STATUS;
    if (told && o.ignore_not_found && strcmp(get_request.status->reason, "NotFound") == 0)
        return 0;
    if (told && at->name != NULL)
        err = item_blame(at->ns, &get_request, err);
    struct fail f = {
        .err = err, .request = &get_request, .alone = at->name != NULL || !get_prints_tables()};
    if (told && at->name == NULL)
        f.lead = list_lead(&at->what->resource, o.selector, o.field_selector, get_request.status);
    fail_put(&out, &f);
    err_text(text);
    err_text("\n");
    return 1;
}

/* ---- progress ---- */

void get_progress(uint64_t count, int64_t remaining)
{
    if (out_went())
        return;
    if (remaining >= 0)
        progress("%llu of %llu", (unsigned long long)count,
                 (unsigned long long)(count + (uint64_t)remaining));
    else
        progress("%llu", (unsigned long long)count);
}

/* ---- what is asked for ---- */

static int resolve(const struct target *t, struct km_api_resource *what, struct get_place *at)
{
    int err = km_discovery_find(&cli.discovery, t->resource, what, &cli.fault);
    at->what = what;
    at->name = t->name;
    at->ns = what->namespaced && !o.all_namespaces ? cli.effective_ns : NULL;
    return err;
}

static bool same(const struct km_resource *a, const struct km_resource *b)
{
    return strcmp(a->plural, b->plural) == 0 && strcmp(a->group, b->group) == 0 &&
           strcmp(a->version, b->version) == 0;
}

/* All types are looked up before anything is asked for; a type that stands twice counts once. */
static int check(struct targets *targets, bool *several)
{
    static struct km_api_resource what, earlier;
    struct get_place at;
    uint16_t kept = 0;
    *several = false;
    for (uint16_t i = 0; i < targets->count; i++) {
        bool seen = false;
        if (resolve(&targets->items[i], &what, &at) != KM_OK)
            return cli_fail(KM_ERR_CONFIG, NULL);
        if (at.name != NULL && what.namespaced && o.all_namespaces)
            return cli_usage_error("a resource cannot be retrieved by name across all namespaces");
        for (uint16_t k = 0; k < kept && at.name == NULL; k++) {
            struct get_place other;
            (void)resolve(&targets->items[k], &earlier, &other);
            seen = seen || same(&what.resource, &earlier.resource);
        }
        if (kept > 0 && !seen) {
            struct get_place other;
            (void)resolve(&targets->items[kept - 1], &earlier, &other);
            *several = *several || !same(&what.resource, &earlier.resource);
        }
        if (!seen)
            targets->items[kept++] = targets->items[i];
    }
    targets->count = kept;
    return 0;
}

static int check_flags(const struct targets *targets)
{
    bool named = targets->count > 0 && targets->items[0].name != NULL;
    bool selects = o.selector != NULL || o.field_selector != NULL;
    if (named && selects && targets->slashes)
        return cli_usage_error(
            "selectors and the all flag cannot be used when passing resource/name arguments");
    if (named && selects)
        return cli_usage_error("name cannot be provided when a selector is specified");
    if (!named && o.subresource != NULL)
        return cli_usage_error("subresource cannot be used when bulk resources are specified");
    return 0;
}

/* ---- printing ---- */

void get_say_none(bool namespaced)
{
    if (o.ignore_not_found)
        return;
    if (namespaced)
        err_printf("No resources found in %s namespace.\n", cli.effective_ns);
    else
        err_printf("No resources found\n");
}

static int print_tables(const struct targets *targets, bool several)
{
    static struct km_api_resource what, last;
    struct get_place at;
    bool all_namespaced = !o.all_namespaces;
    int status = 0;
    for (uint16_t i = 0; i < targets->count; i++) {
        (void)resolve(&targets->items[i], &what, &at);
        all_namespaced = all_namespaced && what.namespaced;
        if (i == 0 || !same(&what.resource, &last.resource))
            get_table_begin(&what, o.show_kind || several);
        status |= get_table(&at);
        (void)resolve(&targets->items[i], &last, &at);
    }
    status |= table_end();
    if (!table_wrote() && status == 0)
        get_say_none(all_namespaced);
    return status;
}

static int print_objects(const struct targets *targets)
{
    static struct km_api_resource what;
    struct get_place at;
    int status = 0;
    bool many = targets->count != 1 || targets->items[0].name == NULL;
    if (o.form == GET_JSONPATH && jsonpath_check(o.path, many) != 0)
        return 1;
    get_objects_begin(many);
    for (uint16_t i = 0; i < targets->count; i++) {
        (void)resolve(&targets->items[i], &what, &at);
        status |= get_objects(&at);
    }
    if (many)
        status |= get_objects_end();
    return status;
}

static int watch(const struct targets *targets, bool several)
{
    static struct km_api_resource what;
    bool table = get_prints_tables();
    struct get_place at;
    if (several)
        return cli_usage_error("you may only specify a single resource type");
    if (targets->count != 1)
        return cli_usage_error(
            "you may only watch a single resource or type of resource at a time");
    (void)resolve(&targets->items[0], &what, &at);
    if (o.form == GET_JSONPATH && jsonpath_check(o.path, false) != 0)
        return 1;
    if (table)
        get_table_begin(&what, false);
    else
        get_objects_begin(false);
    o.mute = o.watch_only;
    int status = table ? get_table(&at) : get_objects(&at);
    o.mute = false;
    if (table)
        table_flush();
    out_flush();
    if (status != 0 || (at.name != NULL && get_request.http_status == 404))
        return status;
    const char *version = at.name != NULL ? "0"
                          : table         ? get_table_version()
                                          : get_objects_version();
    return table ? get_table_watch(&at, version, at.name != NULL)
                 : get_objects_watch(&at, version, at.name != NULL);
}

/* ---- raw ---- */

static int on_raw(struct km_request *r, struct km_slice bytes)
{
    (void)r;
    out_slice(bytes);
    return out_works() ? KM_OK : KM_ERR_IO;
}

/* As Go writes a URL: what may not stand there is escaped. */
static void escape(struct km_buf *out, const char *path)
{
    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL)
            km_buf_printf(out, "%%%02X", c);
        else
            km_buf_putc(out, *path);
    }
}

static int get_raw(const struct words *words)
{
    static char path[CONFIG_KM_TARGET_BYTES];
    struct km_buf text;
    km_buf_init(&text, path, sizeof path);
    if (words->count > 0)
        return cli_usage_error("arguments may not be passed when --raw is specified");
    if (o.watch || o.watch_only || o.selector != NULL)
        return cli_usage_error("--raw may not be specified with other flags that filter the server "
                               "request or alter the output");
    if (o.output != NULL)
        return cli_usage_error("--raw and --output are mutually exclusive");
    if (o.raw[0] != '/')
        return cli_usage_error("--raw must be a valid URL path: parse \"%.200s\": invalid URI for "
                               "request",
                               o.raw);
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    escape(&text, o.raw);
    err = text.overflow ? KM_ERR_TOO_LONG : km_rest_raw(&get_request, &cli.client, KM_GET, path);
    get_request.on_bytes = on_raw;
    if (err == KM_OK)
        err = cli_call(&get_request);
    return err == KM_OK ? 0 : cli_fail(err, &get_request);
}

/* ---- the command ---- */

int get_choose_form(bool tables)
{
    static const char *const forms[] = {"", "wide", "name", "json", "yaml"};
    const char *output = o.output != NULL ? o.output : "";
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        bool wide = i == GET_WIDE;
        if (wide ? tables && strcmp(output, "wide") == 0
                 : km_slice_eq_nocase(km_slice_of(output), forms[i])) {
            o.form = (enum get_form)i;
            return 0;
        }
    }
    o.form = GET_JSONPATH;
    o.path = output + 9;
    if (strcmp(output, "jsonpath") == 0 || strcmp(output, "jsonpath=") == 0)
        return cli_usage_error("template format specified but no template given");
    if (strncmp(output, "jsonpath=", 9) == 0)
        return tables ? 0 : jsonpath_check(o.path, false);
    return cli_bad_output(output,
                          tables ? "json,jsonpath,name,wide,yaml" : "json,jsonpath,name,yaml");
}

bool get_prints_objects(void)
{
    return o.form >= GET_JSON;
}

bool get_prints_tables(void)
{
    return o.form < GET_NAME;
}

/* kubectl sorts the whole list, so it asks for it in one piece. */
static int choose_order(void)
{
    struct km_buf pointer;
    if (cli_given(o.sort_by) == NULL)
        return 0;
    if (o.watch || o.watch_only)
        err_printf("warning: --watch%s requested, --sort-by will be ignored%s\n",
                   o.watch ? "" : "-only", o.watch ? " for watch events received" : "");
    km_buf_init(&pointer, get_sort_at, sizeof get_sort_at);
    km_buf_puts(&pointer, get_prints_tables() ? "/rows/*/object" : "");
    if (jsonpath_pointer(km_slice_of(o.sort_by), &pointer) != KM_OK)
        return cli_usage_error("--sort-by=%.200s: only plain paths such as .metadata.name are "
                               "supported",
                               o.sort_by);
    if (!o.watch && !o.watch_only)
        o.chunk_size = 0;
    return 0;
}

static int check_alone(void)
{
    if (o.show_labels && !get_prints_tables())
        return cli_usage_error("--show-labels option cannot be used with %s printer", o.output);
    if (o.watch_events && !o.watch && !o.watch_only)
        return cli_usage_error(
            "--output-watch-events option can only be used with --watch or --watch-only");
    return 0;
}

/* "a,b" counts as two. */
static int split_label_columns(void)
{
    static char storage[1024];
    static struct flag_texts split;
    size_t used = 0;
    for (uint16_t i = 0; i < o.label_columns.count; i++) {
        const char *at = o.label_columns.items[i];
        do {
            size_t len = strcspn(at, ",");
            if (split.count >= FLAG_TEXT_COUNT || len + 1 > sizeof storage - used)
                return cli_usage_error("at most %d label columns", FLAG_TEXT_COUNT);
            memcpy(storage + used, at, len);
            storage[used + len] = '\0';
            split.items[split.count++] = storage + used;
            used += len + 1;
            at += len;
        } while (*at++ == ',');
    }
    o.label_columns = split;
    return 0;
}

static int run(const struct words *words)
{
    static struct targets targets;
    bool several;
    o.subresource = cli_given(o.subresource);
    if (cli_given(o.raw) != NULL)
        return get_raw(words);
    bool files = get_files.files.count > 0;
    if (words->count == 0 && !files && !o.watch && !o.watch_only) {
        err_printf(
            "You must specify the type of resource to get. Use \"kubemote api-resources\" for a "
            "complete list of supported resources.\n\n");
        return cli_usage_error(
            "Required resource not specified.\nSee 'kubemote get -h' for help and "
            "examples");
    }
    if (get_choose_form(true) != 0 || check_alone() != 0 || choose_order() != 0 ||
        split_label_columns() != 0)
        return 1;
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    get_files.selector = o.selector;
    if (files)
        return get_from_files(words);
    if (targets_parse(words, &targets, &cli.fault) != KM_OK ||
        targets_expand(&targets, &cli.fault) != KM_OK)
        return cli_fail(KM_ERR_CONFIG, NULL);
    if (check_flags(&targets) != 0 || check(&targets, &several) != 0)
        return 1;
    if (o.watch || o.watch_only)
        return watch(&targets, several);
    return get_prints_tables() ? print_tables(&targets, several) : print_objects(&targets);
}
#undef o

const struct command cmd_get = {
    .name = "get",
    .summary = "Print objects of the cluster",
    .usage = "Usage:\n  kubemote get TYPE[,TYPE...] [NAME...] [flags]\n  kubemote get TYPE/NAME... "
             "[flags]\n\n"
             "Examples:\n"
             "  kubemote get pods -A                       # all pods, as a table\n"
             "  kubemote get node gateway-17 -o wide       # one node, more columns\n"
             "  kubemote get deploy,svc -l app=web         # two types, chosen by a label\n"
             "  kubemote get pod web-0 -o yaml             # all of an object\n"
             "  kubemote get all                           # the usual types\n"
             "  kubemote get pods -w                       # and every change from now on\n"
             "  kubemote get -f app.yaml                   # what a file names\n"
             "  kubemote get events --sort-by=.metadata.creationTimestamp\n"
             "  kubemote get ns -o jsonpath='{range .items[*]}{.metadata.name}{\"\\n\"}{end}'\n"
             "  kubemote get --raw /readyz?verbose         # what the server says at a path\n",
    .flags = flags,
    .run = run,
};
