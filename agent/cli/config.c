/* SPDX-License-Identifier: Apache-2.0 */
/* config view, get-contexts, current-context, use-context: the kubeconfig files themselves, merged by kubectl's rules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "commands.h"
#include "input.h"
#include "kubemote/km_yaml.h"
#include "tree.h"

#define ENTRY_COUNT 128
#define PATH_BYTES 512

enum section { CLUSTERS, CONTEXTS, USERS, SECTIONS };
static const struct {
    const char *list, *member, *pointer;
} sections[SECTIONS] = {{"clusters", "cluster", "/cluster"},
                        {"contexts", "context", "/context"},
                        {"users", "user", "/user"}};

struct entry {
    char name[256];
    struct km_slice value; /* the map behind it, "{}" when there is none */
};

static struct {
    struct entry entries[SECTIONS][ENTRY_COUNT];
    size_t counts[SECTIONS];
    char current[256];
    char first[PATH_BYTES]; /* the first file that exists, or where one would be */
    bool any;
    char text[CONFIG_KM_CLI_PATCH_BYTES]; /* the maps' JSON */
    size_t text_len;
    char out[CONFIG_KM_CLI_PATCH_BYTES];
    struct km_fault fault;
} work KM_POOL_STORAGE(cli_config);

/* ---- reading ---- */

static struct km_slice keep(struct km_slice json)
{
    char *place = work.text + work.text_len;
    if (json.len > sizeof work.text - work.text_len)
        return (struct km_slice){NULL, 0};
    memcpy(place, json.ptr, json.len);
    work.text_len += json.len;
    return (struct km_slice){place, json.len};
}

static int too_large(void)
{
    return km_fault_set(
        &work.fault, KM_ERR_CONFIG,
        "the kubeconfig is too large for this command (CONFIG_KM_CLI_PATCH_BYTES, %d entries)",
        ENTRY_COUNT);
}

/* Sorted by name; the first of a name counts. */
static int add(enum section section, struct km_slice item)
{
    struct entry *list = work.entries[section];
    struct km_slice name, value = {"{}", 2};
    char text[sizeof list->name];
    size_t at = work.counts[section];
    if (km_json_find(item, "/name", &name) != KM_OK || !km_json_unquote(name, text, sizeof text))
        return KM_OK;
    for (size_t i = 0; i < work.counts[section]; i++) {
        if (strcmp(list[i].name, text) == 0)
            return KM_OK;
    }
    if (km_json_find(item, sections[section].pointer, &value) == KM_OK && value.ptr[0] != '{')
        value = (struct km_slice){"{}", 2};
    value = keep(value);
    if (value.ptr == NULL || at == ENTRY_COUNT)
        return too_large();
    while (at > 0 && strcmp(list[at - 1].name, text) > 0)
        at--;
    memmove(&list[at + 1], &list[at], (work.counts[section] - at) * sizeof *list);
    memcpy(list[at].name, text, sizeof text);
    list[at].value = value;
    work.counts[section]++;
    return KM_OK;
}

static int add_list(enum section section, struct km_slice json)
{
    char pointer[32];
    struct km_buf out;
    struct km_slice list;
    int err = KM_OK;
    km_buf_init(&out, pointer, sizeof pointer);
    km_buf_printf(&out, "/%s", sections[section].list);
    if (km_json_find(json, pointer, &list) != KM_OK || list.ptr[0] != '[')
        return KM_OK;
    for (size_t at = 1; at < list.len && list.ptr[at] != ']' && err == KM_OK;) {
        struct km_slice item = tree_value(list, at);
        err = item.ptr[0] == '{' ? add(section, item) : KM_OK;
        at += item.len;
        at += at < list.len && list.ptr[at] == ',';
    }
    return err;
}

/* KM_ERR_NOT_FOUND: there is no such file. */
static int read_file(const char *path)
{
    struct km_slice text, json, current;
    struct km_fault why = {0};
    if (km_port_is_folder(path) == KM_ERR_NOT_FOUND)
        return KM_ERR_NOT_FOUND;
    if (input_file(path, &text, &why) != KM_OK)
        return km_fault_set(&work.fault, KM_ERR_CONFIG, "error loading config file \"%s\": %s",
                            km_path_tail(path), why.text);
    if (input_json(path, text, &json, &why) != KM_OK)
        return km_fault_set(&work.fault, KM_ERR_CONFIG, "error loading config file \"%s\": %s",
                            km_path_tail(path), why.text);
    if (!work.any)
        (void)km_slice_copy(km_slice_of(path), work.first, sizeof work.first);
    work.any = true;
    if (work.current[0] == '\0' && km_json_find(json, "/current-context", &current) == KM_OK)
        (void)km_json_unquote(current, work.current, sizeof work.current);
    int err = KM_OK;
    for (int section = 0; section < SECTIONS && err == KM_OK; section++)
        err = add_list((enum section)section, json);
    return err;
}

static int read_files(void)
{
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
    char path[PATH_BYTES];
    struct km_buf out;
    if (cli_given(cli.kubeconfig) != NULL) {
        int err = read_file(cli.kubeconfig);
        return err == KM_ERR_NOT_FOUND ? KM_OK : err;
    }
    if (cli_given(list) == NULL) {
        km_buf_init(&out, path, sizeof path);
        km_buf_printf(&out, "%s/.kube/config", home == NULL ? "" : home);
        int err = out.overflow ? KM_ERR_NOT_FOUND : read_file(path);
        return err == KM_ERR_NOT_FOUND ? KM_OK : err;
    }
    while (*list != '\0') {
        size_t len = strcspn(list, ":");
        int err = KM_OK;
        if (len > 0 && km_slice_copy((struct km_slice){list, len}, path, sizeof path) == KM_OK)
            err = read_file(path);
        if (err != KM_OK && err != KM_ERR_NOT_FOUND)
            return err;
        list += len + (list[len] == ':');
    }
    return KM_OK;
}

static int load(void)
{
    int err = read_files();
    return err == KM_OK ? 0 : cli_usage_error("%s", work.fault.text);
}

static const struct entry *find(enum section section, const char *name)
{
    for (size_t i = 0; i < work.counts[section]; i++) {
        if (strcmp(work.entries[section][i].name, name) == 0)
            return &work.entries[section][i];
    }
    return NULL;
}

static void member(const struct entry *context, const char *pointer, char *out, size_t size)
{
    struct km_slice value;
    out[0] = '\0';
    if (context != NULL && km_json_find(context->value, pointer, &value) == KM_OK)
        (void)km_json_unquote(value, out, size);
}

/* ---- view ---- */

static struct {
    bool raw, minify;
    const char *output;
} o;

static const struct flag view_flags[] = {
    {"raw", 0, FLAG_BOOL, &o.raw, "with certificates, keys and tokens", NULL},
    {"minify", 0, FLAG_BOOL, &o.minify, "only what the current context needs", NULL},
    {"output", 'o', FLAG_TEXT, &o.output, "yaml or json", NULL},
    {0},
};

/* What stands for a secret or a long value. */
static const char *hidden(const char *key)
{
    static const char *const data[] = {"certificate-authority-data", "client-certificate-data",
                                       "client-key-data"};
    static const char *const secret[] = {"token", "password"};
    for (size_t i = 0; i < sizeof data / sizeof data[0]; i++) {
        if (strcmp(key, data[i]) == 0)
            return "DATA+OMITTED";
    }
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        if (strcmp(key, secret[i]) == 0)
            return "REDACTED";
    }
    return NULL;
}

static bool is_empty(struct km_slice value)
{
    return km_slice_eq_str(value, "null") || km_slice_eq_str(value, "\"\"") ||
           km_slice_eq_str(value, "false");
}

/* In kubectl's order, which is that of its structs; NUL between, what is not among them follows. */
static const char order[] =
    "server\0tls-server-name\0insecure-skip-tls-verify\0certificate-authority\0"
    "certificate-authority-data\0client-certificate\0client-certificate-data\0client-key\0"
    "client-key-data\0token\0tokenFile\0as\0as-uid\0as-groups\0as-user-extra\0username\0"
    "password\0cluster\0user\0namespace\0";

static bool is_ordered(const char *key)
{
    const char *at = order;
    while (*at != '\0' && strcmp(at, key) != 0)
        at += strlen(at) + 1;
    return *at != '\0';
}

static void put_entry(struct km_json_writer *w, const char *key, struct km_slice value)
{
    const char *instead = o.raw ? NULL : hidden(key);
    if (is_empty(value) && strcmp(key, "server") != 0 && strcmp(key, "cluster") != 0 &&
        strcmp(key, "user") != 0)
        return;
    km_json_key(w, key);
    if (instead != NULL)
        km_json_str(w, instead);
    else
        km_json_raw(w, value);
}

/* The members named so; NULL: those that the order does not have. */
static void put_named(struct km_json_writer *w, struct km_slice map, const char *wanted)
{
    char key[CONFIG_KM_JSON_KEY_BYTES];
    for (struct tree_member m = {0}; tree_next(map, &m);) {
        struct km_slice name = tree_name(map, m.name);
        bool fits = km_json_unquote((struct km_slice){name.ptr - 1, name.len + 2}, key, sizeof key);
        if (fits && (wanted != NULL ? strcmp(key, wanted) == 0 : !is_ordered(key)))
            put_entry(w, key, tree_value(map, m.value));
    }
}

static void put_map(struct km_json_writer *w, struct km_slice map)
{
    km_json_object(w);
    for (const char *at = order; *at != '\0'; at += strlen(at) + 1)
        put_named(w, map, at);
    put_named(w, map, NULL);
    km_json_close(w);
}

static void put_section(struct km_json_writer *w, enum section section, const char *only)
{
    bool any = false;
    km_json_key(w, sections[section].list);
    for (size_t i = 0; i < work.counts[section]; i++) {
        const struct entry *e = &work.entries[section][i];
        if (only != NULL && strcmp(only, e->name) != 0)
            continue;
        if (!any)
            km_json_array(w);
        any = true;
        km_json_object(w);
        km_json_kv_str(w, "name", e->name);
        km_json_key(w, sections[section].member);
        put_map(w, e->value);
        km_json_close(w);
    }
    if (any)
        km_json_close(w);
    else
        km_json_null(w);
}

static int print(struct km_slice json)
{
    if (km_slice_eq_nocase(km_slice_of(o.output), "json")) {
        tree_json_as_is(json);
        out_text("\n");
        return 0;
    }
    int err = tree_yaml(json, 0, false);
    return err == KM_OK ? 0 : cli_usage_error("yaml: control characters are not allowed");
}

static int run_view(const struct words *words)
{
    char cluster[256], user[256];
    const struct entry *context = NULL;
    struct km_json_writer w;
    struct km_buf out;
    if (words->count > 0)
        return cli_unexpected("unexpected arguments", words, "config view");
    o.output = cli_given(o.output) != NULL ? o.output : "yaml";
    if (!km_slice_eq_nocase(km_slice_of(o.output), "json") &&
        !km_slice_eq_nocase(km_slice_of(o.output), "yaml"))
        return cli_bad_output(o.output, "json,yaml");
    if (load() != 0)
        return 1;
    if (o.minify && cli_given(cli.context) != NULL)
        (void)km_slice_copy(km_slice_of(cli.context), work.current, sizeof work.current);
    if (o.minify && work.current[0] == '\0')
        return cli_usage_error("current-context must exist in order to minify");
    if (o.minify && (context = find(CONTEXTS, work.current)) == NULL)
        return cli_usage_error("cannot locate context %s", work.current);
    member(context, "/cluster", cluster, sizeof cluster);
    member(context, "/user", user, sizeof user);
    if (o.minify && cluster[0] != '\0' && find(CLUSTERS, cluster) == NULL)
        return cli_usage_error("cannot locate cluster %s", cluster);
    if (o.minify && user[0] != '\0' && find(USERS, user) == NULL)
        return cli_usage_error("cannot locate user %s", user);
    km_buf_init(&out, work.out, sizeof work.out);
    km_json_writer_init(&w, &out);
    km_json_object(&w);
    km_json_kv_str(&w, "kind", "Config");
    km_json_kv_str(&w, "apiVersion", "v1");
    put_section(&w, CLUSTERS, o.minify ? cluster : NULL);
    put_section(&w, USERS, o.minify ? user : NULL);
    put_section(&w, CONTEXTS, o.minify ? work.current : NULL);
    km_json_kv_str(&w, "current-context", work.current);
    km_json_close(&w);
    if (km_json_finish(&w) != KM_OK) {
        (void)too_large();
        return cli_usage_error("%s", work.fault.text);
    }
    return print(km_buf_slice(&out));
}

const struct command cmd_config_view = {
    .name = "config view",
    .summary = "Print the merged kubeconfig, secrets left out",
    .usage = "Usage:\n  kubemote config view [--raw] [--minify] [-o json]\n\n"
             "Examples:\n  kubemote config view --minify\n",
    .flags = view_flags,
    .run = run_view,
};

/* ---- contexts ---- */

static struct {
    const char *output;
    bool no_headers;
} contexts;

static const struct flag contexts_flags[] = {
    {"output", 'o', FLAG_TEXT, &contexts.output, "name", NULL},
    {"no-headers", 0, FLAG_BOOL, &contexts.no_headers, "no line of headers", NULL},
    {0},
};

static void print_context(const struct entry *e, bool name_only)
{
    char text[256];
    if (name_only) {
        out_printf("%s\n", e->name);
        return;
    }
    columns_cell(strcmp(e->name, work.current) == 0 ? "*" : " ");
    columns_cell(e->name);
    static const char *const members[] = {"/cluster", "/user", "/namespace"};
    for (size_t i = 0; i < 3; i++) {
        member(e, members[i], text, sizeof text);
        columns_cell(text);
    }
    columns_end_line();
}

static bool is_asked(const struct words *words, const char *name)
{
    for (uint16_t i = 0; i < words->count; i++) {
        if (strcmp(words->items[i], name) == 0)
            return true;
    }
    return words->count == 0;
}

static int run_get_contexts(const struct words *words)
{
    static const char *const headers[] = {"CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"};
    bool name_only = contexts.output != NULL && strcmp(contexts.output, "name") == 0;
    unsigned missing = 0;
    if (cli_given(contexts.output) != NULL && !name_only)
        return cli_usage_error(
            "--output %s is not available in kubemote config get-contexts; resetting to default "
            "output format",
            contexts.output);
    if (load() != 0)
        return 1;
    columns_begin();
    for (size_t i = 0; i < 5 && !name_only && !contexts.no_headers; i++)
        columns_cell(headers[i]);
    if (!name_only && !contexts.no_headers)
        columns_end_line();
    for (size_t i = 0; i < work.counts[CONTEXTS]; i++) {
        if (is_asked(words, work.entries[CONTEXTS][i].name))
            print_context(&work.entries[CONTEXTS][i], name_only);
    }
    columns_flush();
    for (uint16_t i = 0; i < words->count; i++)
        missing += find(CONTEXTS, words->items[i]) == NULL ? 1 : 0;
    for (uint16_t i = 0; i < words->count; i++) {
        if (find(CONTEXTS, words->items[i]) == NULL)
            err_printf("%scontext %s not found\n", missing == 1 ? "error: " : "", words->items[i]);
    }
    return missing > 0 ? 1 : 0;
}

const struct command cmd_config_get_contexts = {
    .name = "config get-contexts",
    .summary = "Print the contexts of the kubeconfig",
    .usage = "Usage:\n  kubemote config get-contexts [NAME...] [-o name]\n\nExamples:\n  kubemote "
             "config get-contexts -o name\n",
    .flags = contexts_flags,
    .run = run_get_contexts,
};

static int run_current_context(const struct words *words)
{
    (void)words;
    if (load() != 0)
        return 1;
    if (work.current[0] == '\0')
        return cli_usage_error("current-context is not set");
    out_printf("%s\n", work.current);
    return 0;
}

const struct command cmd_config_current_context = {
    .name = "config current-context",
    .summary = "Print the name of the current context",
    .usage = "Usage:\n  kubemote config current-context\n\nExamples:\n  kubemote config "
             "current-context\n",
    .flags = NULL,
    .run = run_current_context,
};

/* ---- use-context ---- */

/* The name as it may stand in YAML and JSON. */
static void put_name(struct km_buf *out, const char *name)
{
    struct km_json_writer w;
    km_json_writer_init(&w, out);
    km_json_str(&w, name);
}

static const char key[] = "current-context:";

/* The end of a scalar in a line of YAML: a comment behind it stays. */
static size_t scalar_end(struct km_slice line)
{
    size_t at = 0, end = 0;
    while (at < line.len && (line.ptr[at] == ' ' || line.ptr[at] == '\t'))
        at++;
    char quote =
        at < line.len && (line.ptr[at] == '"' || line.ptr[at] == '\'') ? line.ptr[at] : '\0';
    for (size_t i = at + (quote != '\0'); i < line.len; i++) {
        if (quote != '\0' && line.ptr[i] == quote)
            return i + 1;
        if (quote == '\0' && line.ptr[i] == '#' &&
            (i == 0 || line.ptr[i - 1] == ' ' || line.ptr[i - 1] == '\t'))
            break;
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t')
            end = i + 1;
    }
    return end;
}

/* The top level's line of current-context: where its value begins and ends. False when there is none. */
static bool find_line(struct km_slice text, size_t *start, size_t *end)
{
    size_t at = 0, len = sizeof key - 1;
    while (at < text.len) {
        const char *line_end = memchr(text.ptr + at, '\n', text.len - at);
        size_t stop = line_end == NULL ? text.len : (size_t)(line_end - text.ptr);
        if (stop - at >= len && memcmp(text.ptr + at, key, len) == 0) {
            *start = at + len;
            size_t line = (stop > *start && text.ptr[stop - 1] == '\r' ? stop - 1 : stop) - *start;
            *end = *start + scalar_end((struct km_slice){text.ptr + *start, line});
            return true;
        }
        at = stop + 1;
    }
    return false;
}

/* The file's text with another current-context and nothing else changed. */
static int change(struct km_slice text, const char *name, struct km_buf *out)
{
    struct km_slice value;
    size_t start, end, first = 0;
    while (first < text.len && strchr(" \t\r\n", text.ptr[first]) != NULL)
        first++;
    bool json = first < text.len && text.ptr[first] == '{';
    if (json && km_json_find(text, "/current-context", &value) == KM_OK) {
        km_buf_put(out, text.ptr, (size_t)(value.ptr - text.ptr));
        put_name(out, name);
        km_buf_put(out, value.ptr + value.len,
                   (size_t)(text.ptr + text.len - value.ptr) - value.len);
    } else if (json) {
        km_buf_put(out, text.ptr, first + 1);
        km_buf_puts(out, "\"current-context\":");
        put_name(out, name);
        km_buf_puts(out, ",");
        km_buf_put(out, text.ptr + first + 1, text.len - first - 1);
    } else if (find_line(text, &start, &end)) {
        km_buf_put(out, text.ptr, start);
        km_buf_putc(out, ' ');
        put_name(out, name);
        km_buf_put(out, text.ptr + end, text.len - end);
    } else {
        km_buf_put_slice(out, text);
        if (text.len > 0 && text.ptr[text.len - 1] != '\n')
            km_buf_putc(out, '\n');
        km_buf_printf(out, "%s ", key);
        put_name(out, name);
        km_buf_putc(out, '\n');
    }
    return out->overflow ? KM_ERR_TOO_LONG : KM_OK;
}

/* What would be written says what is meant. */
static bool is_right(struct km_slice text, const char *name)
{
    char current[256];
    struct km_slice json, value;
    struct km_fault why = {0};
    return input_json("kubeconfig", text, &json, &why) == KM_OK &&
           km_json_find(json, "/current-context", &value) == KM_OK &&
           km_json_unquote(value, current, sizeof current) && strcmp(current, name) == 0;
}

static int write_context(const char *name)
{
    struct km_slice text;
    struct km_buf out;
    struct km_fault why = {0};
    if (input_file(work.first, &text, &why) != KM_OK)
        return cli_usage_error("%s: %s", work.first, why.text);
    km_buf_init(&out, work.out, sizeof work.out);
    int err = change(text, name, &out);
    if (err != KM_OK || !is_right(km_buf_slice(&out), name))
        return cli_usage_error("%s: current-context can't be changed in place: change it by hand",
                               work.first);
    err = km_port_file_replace(work.first, out.data, out.len);
    if (err != KM_OK)
        return cli_usage_error("%s: it can't be written: %s", work.first,
                               km_file_problem(err, errno));
    return 0;
}

static int run_use_context(const struct words *words)
{
    if (words->count != 1)
        return cli_unexpected("Unexpected args", words, NULL);
    if (load() != 0)
        return 1;
    const char *name = words->items[0];
    if (name[0] == '\0')
        return cli_usage_error("empty context names are not allowed");
    if (find(CONTEXTS, name) == NULL)
        return cli_usage_error("no context exists with the name: \"%s\"", name);
    if (write_context(name) != 0)
        return 1;
    out_printf("Switched to context \"%s\".\n", name);
    return 0;
}

const struct command cmd_config_use_context = {
    .name = "config use-context",
    .summary = "Set the current context in the kubeconfig file",
    .usage = "Usage:\n  kubemote config use-context NAME\n\nExamples:\n  kubemote config "
             "use-context production\n",
    .flags = NULL,
    .run = run_use_context,
};
