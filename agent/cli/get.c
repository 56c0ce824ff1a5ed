/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "commands.h"
#include "kubemote/km_json_walk.h"
#include "table.h"

#define ACCEPT_TABLE \
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io," \
    "application/json"

static struct {
    const char *output, *selector, *field_selector, *raw, *subresource;
    bool all_namespaces, watch, watch_only, no_headers, show_labels, ignore_not_found, show_kind;
    int64_t chunk_size;
    struct flag_texts label_columns;
} o = {.chunk_size = 500};

static const struct flag flags[] = {
    {"output", 'o', FLAG_TEXT, &o.output, "wide, name or json", NULL},
    {"selector", 'l', FLAG_TEXT, &o.selector, "label selector", NULL},
    {"field-selector", 0, FLAG_TEXT, &o.field_selector, "field selector", NULL},
    {"all-namespaces", 'A', FLAG_BOOL, &o.all_namespaces, "objects of all namespaces", NULL},
    {"chunk-size", 0, FLAG_INT, &o.chunk_size, "objects in one answer, 0 = all", NULL},
    {"no-headers", 0, FLAG_BOOL, &o.no_headers, "no line of headers", NULL},
    {"show-labels", 0, FLAG_BOOL, &o.show_labels, "all labels as the last column", NULL},
    {"label-columns", 'L', FLAG_TEXTS, &o.label_columns, "a label as a column", NULL},
    {"show-kind", 0, FLAG_BOOL, &o.show_kind, "kind in front of the name", NULL},
    {"ignore-not-found", 0, FLAG_BOOL, &o.ignore_not_found, "no error for what does not exist", NULL},
    {"subresource", 0, FLAG_TEXT, &o.subresource, "status, scale or another", NULL},
    {"raw", 0, FLAG_TEXT, &o.raw, "print what the server has at this path", NULL},
    {0},
};

/* ---- reading a table ---- */

static struct reader {
    struct km_json_walk walk;
    struct km_buf value;
    char value_data[CONFIG_KM_CLI_ROW_BYTES], text[CONFIG_KM_CLI_ROW_BYTES];
    char column[64], token[1024], key[320];
    int64_t priority;
    uint64_t rows;
} reader KM_POOL_STORAGE(cli_table_reader);

static void take_meta(struct reader *r, const char *member)
{
    if (strcmp(member, "/namespace") == 0)
        table_namespace(r->text);
    else if (strncmp(member, "/labels/", 8) == 0)
        table_label(km_slice_of(r->key), r->text);
}

static void take_scalar(struct reader *r)
{
    const struct km_json_walk *w = &r->walk;
    struct km_slice raw = km_buf_slice(&r->value);
    const char *member;
    bool is_text = raw.len > 0 && raw.ptr[0] == '"';
    if (is_text)
        (void)km_json_unquote(raw, r->text, sizeof r->text);
    else if (!km_slice_eq_str(raw, "null"))
        (void)km_slice_copy(raw, r->text, sizeof r->text);
    else
        r->text[0] = '\0';
    if (km_json_walk_at(w, "/rows/*/cells/*"))
        table_cell(km_slice_of(r->text));
    else if ((member = km_json_walk_below(w, "/rows/*/object/metadata")) != NULL)
        take_meta(r, member);
    else if (km_json_walk_at(w, "/columnDefinitions/*/name"))
        (void)km_slice_copy(km_slice_of(r->text), r->column, sizeof r->column);
    else if (km_json_walk_at(w, "/columnDefinitions/*/priority"))
        r->priority = strcmp(r->text, "0") == 0 ? 0 : 1;
    else if (km_json_walk_at(w, "/metadata/continue"))
        (void)km_slice_copy(km_slice_of(r->text), r->token, sizeof r->token);
}

static void take_container(struct reader *r, bool begins)
{
    const struct km_json_walk *w = &r->walk;
    if (km_json_walk_at(w, "/rows/*")) {
        if (begins)
            table_row_begin("");
        else
            table_row_end();
        r->rows += !begins;
    } else if (km_json_walk_at(w, "/columnDefinitions/*")) {
        if (!begins)
            table_column(r->column, r->priority);
        r->column[0] = '\0';
        r->priority = 0;
    }
}

static int on_event(void *ctx, const struct km_json_walk *w, enum km_walk_event event,
                    struct km_slice text)
{
    struct reader *r = ctx;
    (void)w;
    switch (event) {
    case KM_WALK_OBJECT:
        take_container(r, true);
        break;
    case KM_WALK_END:
        take_container(r, false);
        break;
    case KM_WALK_KEY:
        (void)km_slice_copy(text, r->key, sizeof r->key);
        break;
    case KM_WALK_PART:
        km_buf_put_slice(&r->value, text);
        break;
    case KM_WALK_SCALAR:
        take_scalar(r);
        km_buf_reset(&r->value);
        break;
    default:
        break;
    }
    return out_works() ? KM_OK : KM_ERR_IO;
}

/* ---- lists in pages ---- */

static int on_bytes(struct km_request *r, struct km_slice bytes)
{
    (void)r;
    return km_json_walk_feed(&reader.walk, bytes);
}

static struct km_request request;

static int fetch(const struct km_api_resource *what, const char *ns, const char *name)
{
    struct km_options options = {.label_selector = o.selector, .field_selector = o.field_selector};
    int err;
    memset(&request, 0, sizeof request);
    if (name == NULL) {
        options.limit = o.chunk_size > 0 ? (uint32_t)o.chunk_size : 0;
        options.continue_token = reader.token;
        err = km_rest_list(&request, &cli.client, &what->resource, ns, &options);
    } else {
        err = km_rest_get(&request, &cli.client, &what->resource, ns, name, o.subresource, NULL);
    }
    if (err != KM_OK)
        return err;
    request.accept = ACCEPT_TABLE;
    request.on_bytes = on_bytes;
    km_buf_init(&reader.value, reader.value_data, sizeof reader.value_data);
    km_json_walk_init(&reader.walk, false, on_event, &reader);
    reader.token[0] = '\0';
    err = cli_call(&request);
    return err == KM_OK ? km_json_walk_end(&reader.walk) : err;
}

static int list(const struct km_api_resource *what, const char *ns, const char *name)
{
    int err;
    reader.token[0] = '\0';
    do
        err = fetch(what, ns, name);
    while (err == KM_OK && name == NULL && reader.token[0] != '\0');
    return err;
}

/* ---- the command ---- */

static const char *kind_prefix(const struct km_api_resource *what)
{
    static char prefix[400];
    struct km_buf text;
    km_buf_init(&text, prefix, sizeof prefix);
    km_buf_printf(&text, "%s%s%s/", what->singular, what->group[0] == '\0' ? "" : ".", what->group);
    return prefix;
}

static void say_nothing_found(const struct km_api_resource *what, const char *ns)
{
    if (what->namespaced && ns != NULL)
        err_printf("No resources found in %s namespace.\n", ns);
    else
        err_printf("No resources found\n");
}

static int get_target(const struct target *t, bool prefixed)
{
    static struct km_api_resource what;
    int err = km_discovery_find(&cli.discovery, t->resource, &what, &cli.fault);
    if (err != KM_OK)
        return cli_fail(err, NULL);
    const char *ns = what.namespaced && !o.all_namespaces ? cli.effective_ns : NULL;
    const struct table_options options = {
        .wide = o.output != NULL && strcmp(o.output, "wide") == 0,
        .no_headers = o.no_headers,
        .with_namespace = o.all_namespaces && what.namespaced,
        .show_labels = o.show_labels,
        .label_columns = &o.label_columns,
        .kind_prefix = prefixed ? kind_prefix(&what) : NULL,
    };
    table_begin(&options);
    reader.rows = 0;
    err = list(&what, ns, t->name);
    table_flush();
    if (err == KM_ERR_STATUS && o.ignore_not_found && km_status_is_not_found(request.status))
        return 0;
    if (err != KM_OK)
        return cli_fail(err, &request);
    if (reader.rows == 0 && !o.ignore_not_found)
        say_nothing_found(&what, ns);
    return 0;
}

static int on_raw(struct km_request *r, struct km_slice bytes)
{
    (void)r;
    out_slice(bytes);
    return out_works() ? KM_OK : KM_ERR_IO;
}

static int get_raw(void)
{
    int err = km_rest_raw(&request, &cli.client, KM_GET, o.raw);
    request.on_bytes = on_raw;
    if (err == KM_OK)
        err = cli_call(&request);
    return err == KM_OK ? 0 : cli_fail(err, &request);
}

static int run(const struct words *words)
{
    static struct targets targets;
    int status = 0, err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    if (o.raw != NULL)
        return get_raw();
    if (words->count == 0)
        return cli_usage_error("You must specify the type of resource to get. Use \"kubemote "
                               "api-resources\" for a complete list of supported resources.\n");
    if (targets_parse(words, &targets, &cli.fault) != KM_OK)
        return cli_fail(KM_ERR_CONFIG, NULL);
    bool several = false;
    for (uint16_t i = 1; i < targets.count; i++)
        several = several || strcmp(targets.items[i].resource, targets.items[0].resource) != 0;
    for (uint16_t i = 0; i < targets.count; i++)
        status |= get_target(&targets.items[i], o.show_kind || several);
    return status;
}

const struct command cmd_get = {
    .name = "get",
    .summary = "Print objects of the cluster",
    .usage = "Usage:\n  kubemote get TYPE[,TYPE...] [NAME...] [flags]\n  kubemote get TYPE/NAME... [flags]\n\n"
             "Examples:\n  kubemote get pods -A\n  kubemote get node gateway-17 -o wide\n"
             "  kubemote get deploy,svc -l app=web\n",
    .flags = flags,
    .run = run,
};
