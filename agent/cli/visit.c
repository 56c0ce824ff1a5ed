/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "get_priv.h"
#include "kubemote/km_scalar.h"
#include "visit.h"

/* An object's name and namespace with a NUL behind each, at most. */
#define NAME_BYTES (64 + 254 + 2)
#define PAGE_COUNT (CONFIG_KM_CLI_NAMES_BYTES / NAME_BYTES)

static struct {
    struct km_api_resource what;
    char names[CONFIG_KM_CLI_NAMES_BYTES];
    size_t names_len;
    char token[1024];
    struct km_request request;
    struct answer answer;
} work KM_POOL_STORAGE(cli_visit);

struct km_request *item_request(void)
{
    memset(&work.request, 0, sizeof work.request);
    return &work.request;
}

const struct km_request *item_last_request(void)
{
    return &work.request;
}

const struct km_status *item_last_status(void)
{
    return work.request.status;
}

/* ---- one object ---- */

bool item_name_ok(const char *name)
{
    if (name[0] == '\0') {
        errors_add_text("resource name may not be empty");
        return false;
    }
    char text[400];
    struct km_buf out;
    km_buf_init(&out, text, sizeof text);
    if (fail_put_segment(&out, "resource name", name))
        errors_add_text("%s", text);
    return out.len == 0;
}

static const struct km_resource km_namespaces = {"", "v1", "namespaces"};

static int get_namespace(const char *ns, struct km_request *r, int err)
{
    static struct km_full_status kept KM_POOL_STORAGE(cli_status_kept);
    static struct km_status kept_small KM_POOL_STORAGE(cli_status_kept_small);
    kept = *status_last();
    kept_small = *r->status;
    memset(r, 0, sizeof *r);
    int err2 = km_rest_get(r, &cli.client, &km_namespaces, NULL, ns, NULL, NULL);
    if (err2 == KM_OK)
        err2 = cli_call(r);
    if (err2 == KM_ERR_STATUS && km_status_is_not_found(r->status))
        return err2;
    status_keep(&kept);
    r->status = &kept_small;
    return err;
}

int item_blame(const char *ns, struct km_request *r, int err)
{
    bool missing = err == KM_ERR_STATUS && km_status_is_not_found(r->status);
    if (!missing || ns == NULL || strcmp(ns, "default") == 0)
        return err;
    return get_namespace(ns, r, err);
}

int item_get(const struct item *item, const char *sub, struct answer *a)
{
    struct km_request *r = item_request();
    int err = km_rest_get(r, &cli.client, &item->what->resource, item->ns, item->name, sub, NULL);
    if (err != KM_OK)
        return err;
    return item_blame(item->ns, r, answer_call(a, r));
}

/* ---- what a manifest is ---- */

static bool choose_namespace(const struct visit *v, const struct input_object *o, const char **ns)
{
    if (!work.what.namespaced) {
        *ns = NULL;
        return true;
    }
    *ns = o->ns[0] != '\0' ? o->ns : cli.effective_ns;
    bool enforced = cli_given(cli.ns) != NULL && !v->any_namespace;
    if (!enforced || strcmp(*ns, cli.ns) == 0)
        return true;
    errors_add_text("the namespace from the provided object \"%s\" does not match the namespace "
                    "\"%s\". You must pass '--namespace=%s' to perform this operation.",
                    o->ns, cli.ns, o->ns);
    return false;
}

static bool find_kind(const struct input_object *o)
{
    struct km_fault fault = {0};
    int err = km_discovery_kind(&cli.discovery, o->api_version, o->kind, &work.what, &fault);
    if (err == KM_ERR_NOT_FOUND)
        errors_add_input(
            "resource mapping not found for name: \"%s\" namespace: \"%s\" from \"%s\": "
            "%s\nensure CRDs are installed first",
            o->name, o->ns, o->source, fault.text);
    else if (err != KM_OK)
        errors_add_input("unable to recognize \"%s\": %s", o->source, fault.text);
    return err == KM_OK;
}

/* ---- lists ---- */

static void put_name(const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > sizeof work.names - work.names_len)
        return;
    memcpy(work.names + work.names_len, text, size);
    work.names_len += size;
}

static char entry_ns[64], entry_name[254];

static void on_list_value(struct answer *a, const char *path, const char *value, bool is_text)
{
    (void)is_text;
    (void)path;
    if (km_json_walk_at(&a->walk, "/items/*/metadata/name"))
        (void)km_slice_copy(km_slice_of(value), entry_name, sizeof entry_name);
    else if (km_json_walk_at(&a->walk, "/items/*/metadata/namespace"))
        (void)km_slice_copy(km_slice_of(value), entry_ns, sizeof entry_ns);
    else if (km_json_walk_at(&a->walk, "/metadata/continue"))
        (void)km_slice_copy(km_slice_of(value), work.token, sizeof work.token);
}

static void on_list_event(struct answer *a, enum km_walk_event event)
{
    if (!km_json_walk_at(&a->walk, "/items/*"))
        return;
    if (event == KM_WALK_END && entry_name[0] != '\0' &&
        strlen(entry_ns) + strlen(entry_name) + 2 <= sizeof work.names - work.names_len) {
        put_name(entry_ns);
        put_name(entry_name);
    }
    entry_ns[0] = entry_name[0] = '\0';
}

static int fetch_page(const struct visit *v, const char *ns)
{
    const struct km_options options = {
        .label_selector = v->selector,
        .field_selector = v->field_selector,
        .limit = PAGE_COUNT,
        .continue_token = work.token,
    };
    struct km_request *r = item_request();
    int err = km_rest_list(r, &cli.client, &work.what.resource, ns, &options);
    if (err != KM_OK)
        return err;
    r->accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    work.token[0] = '\0';
    work.names_len = 0;
    answer_begin(&work.answer);
    work.answer.on_value = on_list_value;
    work.answer.on_event = on_list_event;
    return answer_call(&work.answer, r);
}

static void visit_page(struct visit *v)
{
    for (size_t at = 0; at < work.names_len;) {
        const char *ns = work.names + at;
        const char *name = ns + strlen(ns) + 1;
        struct item item = {.what = &work.what, .ns = ns[0] == '\0' ? NULL : ns, .name = name};
        at += strlen(ns) + strlen(name) + 2;
        v->count++;
        v->fn(&item);
    }
}

const char *list_lead(const struct km_resource *what, const char *labels, const char *fields,
                      const struct km_status *status)
{
    static char lead[1024];
    struct km_buf text;
    bool all = labels == NULL && fields == NULL;
    if (strcmp(status->reason, "BadRequest") != 0 && strcmp(status->reason, "NotFound") != 0)
        return NULL;
    km_buf_init(&text, lead, sizeof lead);
    km_buf_printf(&text, "Unable to %s \"%s/%s, Resource=%s\"", all ? "list" : "find", what->group,
                  what->version, what->plural);
    if (!all)
        km_buf_printf(&text, " that match label selector \"%s\", field selector \"%s\"",
                      labels == NULL ? "" : labels, fields == NULL ? "" : fields);
    km_buf_puts(&text, ": ");
    return lead;
}

static void add_list_error(const struct visit *v, int err)
{
    struct fail f = {.err = err, .request = &work.request};
    if (err == KM_ERR_STATUS)
        f.lead =
            list_lead(&work.what.resource, v->selector, v->field_selector, work.request.status);
    errors_add_fail(&f);
}

static void visit_list(struct visit *v)
{
    const char *ns = work.what.namespaced && !v->all_namespaces ? cli.effective_ns : NULL;
    work.token[0] = '\0';
    do {
        int err = fetch_page(v, ns);
        if (err != KM_OK) {
            add_list_error(v, err);
            return;
        }
        visit_page(v);
    } while (work.token[0] != '\0');
}

/* ---- -f ---- */

/* Whether the object is there and its labels are others. The server matches them; what is missing is the command's to tell. */
static bool passes(const struct visit *v, const struct item *item)
{
    char field[300];
    struct km_buf out;
    if (item->name[0] == '\0')
        return false;
    km_buf_init(&out, field, sizeof field);
    km_buf_printf(&out, "metadata.name=%s", item->name);
    work.token[0] = '\0';
    const struct visit one = {.selector = v->selector, .field_selector = field};
    int err = fetch_page(&one, item->ns);
    if (err != KM_OK) {
        add_list_error(&one, err);
        return true;
    }
    if (work.names_len > 0)
        return false;
    answer_begin(&work.answer);
    return item_get(item, NULL, &work.answer) == KM_OK;
}

static void on_manifest(void *ctx, const struct input_object *o)
{
    struct visit *v = ctx;
    struct item item = {.what = &work.what, .name = o->name, .manifest = o};
    if (!find_kind(o) || (v->selector != NULL && !v->live && !selected_here(o->json)) ||
        !choose_namespace(v, o, &item.ns) || (v->selector != NULL && v->live && passes(v, &item)))
        return;
    v->count++;
    v->fn(&item);
}

static int visit_files(struct visit *v, const struct words *words)
{
    struct input input = {&v->files, v->recursive, v->validate, on_manifest, v};
    if (input_check(&input) != KM_OK)
        return KM_ERR_CONFIG;
    if (v->selector != NULL && selected_parse(v->selector) != KM_OK)
        return KM_ERR_CONFIG;
    if (words->count > 0) {
        bool pair = strchr(words->items[0], '/') != NULL;
        errors_add_text(
            pair ? "resource/name arguments cannot be provided when a path is specified"
            : words->count > 1
                ? "name cannot be provided when a path is specified"
                : "when paths, URLs, or stdin is provided as input, you may not specify "
                  "resource arguments as well");
        return KM_ERR_CONFIG;
    }
    v->single = v->files.count == 1 && !v->recursive && strcmp(v->files.items[0], "-") != 0 &&
                strchr(v->files.items[0], ',') == NULL && km_port_is_folder(v->files.items[0]) == 0;
    input_read(&input);
    return KM_OK;
}

/* ---- names ---- */

static void visit_name(struct visit *v, const char *name)
{
    struct item item = {.what = &work.what, .name = name};
    if (work.what.namespaced)
        item.ns = cli.effective_ns;
    if (!item_name_ok(name))
        return;
    v->count++;
    v->fn(&item);
}

static int find_type(const char *resource)
{
    int err = km_discovery_find(&cli.discovery, resource, &work.what, &cli.fault);
    if (err != KM_OK)
        errors_add(err, NULL, NULL, NULL);
    return err == KM_OK ? KM_OK : KM_ERR_CONFIG;
}

/* A type that is not there is an error before anything is done. */
static int check_types(const struct targets *targets)
{
    for (uint16_t i = 0; i < targets->count; i++) {
        bool again =
            i > 0 && strcmp(targets->items[i].resource, targets->items[i - 1].resource) == 0;
        if (!again && find_type(targets->items[i].resource) != KM_OK)
            return KM_ERR_CONFIG;
    }
    return KM_OK;
}

static const char *selector_problem(const struct visit *v, const struct targets *targets,
                                    const struct words *words)
{
    bool selects = v->selector != NULL || v->field_selector != NULL || v->all;
    bool named = targets->count > 0 && targets->items[0].name != NULL;
    if (selects && named && words->count > 0 && strchr(words->items[0], '/') != NULL)
        return "selectors and the all flag cannot be used when passing resource/name arguments";
    if (selects && named)
        return "name cannot be provided when a selector is specified";
    if (selects && targets->count == 0)
        return "at least one resource must be specified to use a selector";
    if (!selects && !named && targets->count > 0)
        return "resource(s) were provided, but no name was specified";
    if (!selects && targets->count == 0)
        return "You must provide one or more resources by argument or filename.\nExample resource "
               "specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   "
               "'<resource> <name>'\n   '<resource>'";
    if (v->all_namespaces && named)
        return "a resource cannot be retrieved by name across all namespaces";
    return NULL;
}

int visit_all(struct visit *v, const struct words *words)
{
    static struct targets targets KM_POOL_STORAGE(cli_visit_targets);
    v->count = 0;
    if (v->files.count > 0)
        return visit_files(v, words);
    if (targets_parse(words, &targets, &cli.fault) != KM_OK ||
        targets_expand(&targets, &cli.fault) != KM_OK) {
        errors_add(KM_ERR_CONFIG, NULL, NULL, NULL);
        return KM_ERR_CONFIG;
    }
    const char *problem = selector_problem(v, &targets, words);
    if (check_types(&targets) != KM_OK)
        return KM_ERR_CONFIG;
    if (problem != NULL) {
        errors_add_text("%s", problem);
        return KM_ERR_CONFIG;
    }
    v->single = targets.count == 1 && targets.items[0].name != NULL;
    for (uint16_t i = 0; i < targets.count; i++) {
        if (find_type(targets.items[i].resource) != KM_OK)
            return KM_ERR_CONFIG;
        if (targets.items[i].name == NULL)
            visit_list(v);
        else
            visit_name(v, targets.items[i].name);
    }
    return KM_OK;
}

bool visit_look(struct visit *v, const struct words *words, void (*fn)(const struct item *item))
{
    bool alone = v->files.count == 1 && strchr(v->files.items[0], ',') == NULL;
    for (uint16_t i = 0; i < v->files.count; i++) {
        const char *name = v->files.items[i];
        bool named = name[0] == '-' || strstr(name, ",-") != NULL;
        if (named && !alone)
            return false;
    }
    v->fn = fn;
    (void)visit_all(v, words);
    errors_forget();
    return true;
}

/* ---- printing ---- */

int dry_run_parse(const char *text, enum dry_run *out, struct km_fault *fault)
{
    *out = DRY_RUN_NONE;
    if (text == NULL || strcmp(text, "none") == 0 || strcmp(text, "false") == 0)
        return KM_OK;
    if (strcmp(text, "server") == 0)
        *out = DRY_RUN_SERVER;
    else if (strcmp(text, "client") == 0)
        *out = DRY_RUN_CLIENT;
    else if (strcmp(text, "unchanged") == 0 || strcmp(text, "true") == 0)
        *out = DRY_RUN_CLIENT;
    else
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "Invalid dry-run value (%.60s). Must be \"none\", \"server\", or "
                            "\"client\".",
                            text);
    return KM_OK;
}

int output_check(const char *output)
{
    if (cli_given(output) == NULL || strcmp(output, "name") == 0)
        return KM_OK;
    (void)cli_bad_output(output, "name");
    return KM_ERR_CONFIG;
}

struct km_slice group_of(const char *api_version)
{
    const char *slash = strchr(api_version, '/');
    return (struct km_slice){api_version, slash == NULL ? 0 : (size_t)(slash - api_version)};
}

void put_kind(struct km_buf *out, const char *kind, struct km_slice group)
{
    for (; *kind != '\0'; kind++)
        km_buf_putc(out, *kind >= 'A' && *kind <= 'Z' ? (char)(*kind - 'A' + 'a') : *kind);
    if (group.len > 0)
        km_buf_putc(out, '.');
    km_buf_put_slice(out, group);
}

void out_kind(const char *kind, struct km_slice group)
{
    char text[512];
    struct km_buf out;
    km_buf_init(&out, text, sizeof text);
    put_kind(&out, kind, group);
    out_slice(km_buf_slice(&out));
}

void print_done(const struct answer *a, const char *operation, enum dry_run dry_run)
{
    static const char *const suffixes[] = {"", " (server dry run)", " (dry run)"};
    if (get_prints_objects())
        return;
    out_kind(a->kind, group_of(a->api_version));
    out_text("/");
    out_text(a->name[0] == '\0' ? "<unknown>" : a->name);
    if (get_options.form != GET_NAME) {
        out_text(" ");
        out_text(operation);
        out_text(suffixes[dry_run]);
    }
    out_text("\n");
}
