/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "commands.h"
#include "get_priv.h"
#include "manifests.h"

static struct visit visit;
static struct {
    const char *patch, *file, *type, *subresource, *dry_run, *field_manager;
} o = {.type = "strategic", .field_manager = "kubectl-patch"};

static const struct flag flags[] = {
    VISIT_FLAGS(visit),
    {"patch", 'p', FLAG_TEXT, &o.patch, "the patch, JSON or YAML", NULL},
    {"patch-file", 0, FLAG_TEXT, &o.file, "file that holds the patch", NULL},
    {"type", 0, FLAG_TEXT, &o.type, "strategic, merge or json", NULL},
    {"subresource", 0, FLAG_TEXT, &o.subresource, "status, scale or another", NULL},
    {"field-manager", 0, FLAG_TEXT, &o.field_manager, "name of the manager of these fields", NULL},
    GET_OUTPUT_FLAGS,
    DRY_RUN_FLAG(o.dry_run),
    {0},
};

static struct {
    struct answer before, after;
    char patch[CONFIG_KM_CLI_PATCH_BYTES];
    struct km_slice body;
    const char *type;
    enum dry_run dry_run;
} work KM_POOL_STORAGE(cli_patch);

static int send(const struct item *item)
{
    const struct km_options options = {
        .dry_run = work.dry_run == DRY_RUN_SERVER ? "All" : NULL,
        .field_manager = o.field_manager,
    };
    struct km_request *r = item_request();
    answer_begin(&work.after);
    get_objects_begin(false);
    answer_show(&work.after);
    int err = km_rest_patch(r, &cli.client, &item->what->resource, item->ns, item->name,
                            o.subresource, work.type, work.body, &options);
    return err == KM_OK ? answer_call(&work.after, r) : err;
}

static void add_error(const struct item *item, int err)
{
    const struct km_api_resource *what = item->what;
    const struct km_request *r = item_last_request();
    if (err == KM_ERR_STATUS && strcmp(r->status->reason, "UnsupportedMediaType") == 0)
        errors_add_text("%s is not supported by %s/%s, Kind=%s: %s", work.type, what->group,
                        what->version, what->kind, cli_status_message(r));
    else
        errors_add(err, r, NULL, NULL);
}

/* As kubectl: to what the server has, or the file says. */
static int apply_here(const struct item *item)
{
    const struct km_api_resource *what = item->what;
    bool built_in = strchr(what->group, '.') == NULL ||
                    (strstr(what->group, ".k8s.io") != NULL && strncmp(what->group, "api", 3) != 0);
    if (strcmp(work.type, KM_TYPE_STRATEGIC) == 0 && !built_in) {
        errors_add_text("strategic merge patch is not supported for %s/%s, Kind=%s locally, try "
                        "--type merge",
                        what->group, what->version, what->kind);
        return KM_OK;
    }
    answer_begin(&work.after);
    get_objects_begin(false);
    get_patch_begin(work.body);
    answer_show(&work.after);
    int err = KM_OK;
    if (item->manifest == NULL)
        err = item_get(item, o.subresource, &work.after);
    else if ((err = answer_feed(&work.after, manifest_body(item))) == KM_OK)
        err = answer_end(&work.after);
    if (err == KM_OK)
        print_done(&work.after, get_patch_changed() ? "patched" : "patched (no change)",
                   DRY_RUN_NONE);
    return err;
}

static void on_item(const struct item *item)
{
    if (work.dry_run == DRY_RUN_CLIENT) {
        int err = apply_here(item);
        if (err != KM_OK)
            add_error(item, err);
        return;
    }
    answer_begin(&work.before);
    /* kubectl compares with what the file says, and these are never the same. */
    int err = item->manifest == NULL ? item_get(item, o.subresource, &work.before) : KM_OK;
    if (err == KM_OK)
        err = send(item);
    if (err != KM_OK) {
        add_error(item, err);
        return;
    }
    /* kubectl says nothing of the dry run here. */
    bool same = work.before.hash == work.after.hash;
    print_done(&work.after, same ? "patched (no change)" : "patched", DRY_RUN_NONE);
}

/* ---- flags ---- */

static int choose_type(void)
{
    static const struct {
        const char *word, *type;
    } types[] = {
        {"strategic", KM_TYPE_STRATEGIC}, {"merge", KM_TYPE_MERGE}, {"json", KM_TYPE_JSON_PATCH}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (km_slice_eq_nocase(km_slice_of(o.type), types[i].word))
            work.type = types[i].type;
    }
    if (work.type == NULL)
        return cli_usage_error("--type must be one of [json merge strategic], not \"%s\"", o.type);
    return 0;
}

static int read_patch(void)
{
    const char *text = o.patch == NULL ? "" : o.patch;
    struct km_slice file = km_slice_of(text), json;
    struct km_fault fault = {0};
    bool from_file = cli_given(o.file) != NULL;
    if (from_file && input_file(o.file, &file, &fault) != KM_OK)
        return cli_usage_error("unable to read patch file: open %s: %s", o.file, fault.text);
    if (input_json(from_file ? o.file : "--patch", file, &json, &fault) != KM_OK)
        return cli_usage_error("unable to parse \"%s\": %s", text, fault.text);
    if (km_slice_copy(json, work.patch, sizeof work.patch) != KM_OK)
        return cli_usage_error("the patch needs more than %d bytes (CONFIG_KM_CLI_PATCH_BYTES)",
                               CONFIG_KM_CLI_PATCH_BYTES - 1);
    work.body = km_slice_of(work.patch);
    return 0;
}

/* Lists of a strategic patch, its directives and JSON patches are the server's to apply. */
static int check_here(void)
{
    bool merge = strcmp(work.type, KM_TYPE_MERGE) == 0;
    bool plain = strchr(work.patch, '[') == NULL && strstr(work.patch, "\"$") == NULL;
    if (work.patch[0] == '{' && (merge || (plain && strcmp(work.type, KM_TYPE_STRATEGIC) == 0)))
        return 0;
    return cli_usage_error("--dry-run=client applies patches of type merge, and strategic ones "
                           "without lists (did you mean --dry-run=server instead?)");
}

static int check_flags(void)
{
    bool patch = cli_given(o.patch) != NULL, file = cli_given(o.file) != NULL;
    o.subresource = cli_given(o.subresource);
    o.type = cli_given(o.type) != NULL ? o.type : "strategic";
    if (dry_run_parse(o.dry_run, &work.dry_run, &cli.fault) != KM_OK)
        return cli_fail(KM_ERR_CONFIG, NULL);
    if (patch && file)
        return cli_usage_error("cannot specify --patch and --patch-file together");
    if (!patch && !file)
        return cli_usage_error(
            "must specify --patch or --patch-file containing the contents of the "
            "patch");
    if (choose_type() != 0)
        return 1;
    if (get_choose_form(false) != 0 || read_patch() != 0)
        return 1;
    return work.dry_run == DRY_RUN_CLIENT ? check_here() : 0;
}

static int run(const struct words *words)
{
    if (check_flags() != 0)
        return 1;
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    visit.fn = on_item;
    err = visit_all(&visit, words);
    if (err == KM_OK && visit.count == 0 && !errors_any())
        errors_add_text("no objects passed to patch");
    return errors_finish(false);
}

const struct command cmd_patch = {
    .name = "patch",
    .summary = "Change fields of an object",
    .usage =
        "Usage:\n  kubemote patch (-f FILE | TYPE NAME) (-p PATCH | --patch-file FILE) [flags]\n\n"
        "Examples:\n  kubemote patch node gw-1 -p '{\"spec\":{\"unschedulable\":true}}'\n"
        "  kubemote patch deploy web --type merge --subresource scale -p 'spec: {replicas: 2}'\n"
        "  kubemote patch pod web-1 --type json -p "
        "'[{\"op\":\"remove\",\"path\":\"/metadata/labels/a\"}]'\n",
    .flags = flags,
    .run = run,
};
