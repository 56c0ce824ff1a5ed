/* SPDX-License-Identifier: Apache-2.0 */
/* Server-side apply, always: what an object's fields were before is the server's to know. */
#include <string.h>

#include "commands.h"
#include "get_priv.h"
#include "jsonpath.h"
#include "manifests.h"

static struct manifest_flags f = {.field_manager = "kubectl"};
static bool force_conflicts, server_side = true;
static const char *subresource;

static const struct flag flags[] = {
    VISIT_FLAGS(f.visit),
    {"selector", 'l', FLAG_TEXT, &f.visit.selector, "only objects of the files with these labels",
     NULL},
    {"server-side", 0, FLAG_BOOL, &server_side, "accepted: there is no other way here", NULL},
    {"force-conflicts", 0, FLAG_BOOL, &force_conflicts, "take over fields that others manage",
     NULL},
    {"validate", 0, FLAG_MAYBE, &f.validate, "strict, warn or ignore: unknown fields", "strict"},
    {"field-manager", 0, FLAG_TEXT, &f.field_manager, "name of the manager of these fields", NULL},
    {"subresource", 0, FLAG_TEXT, &subresource, "status or scale", NULL},
    GET_OUTPUT_FLAGS,
    DRY_RUN_FLAG(f.dry_run_text),
    {0},
};

static struct answer answer KM_POOL_STORAGE(cli_apply);
static unsigned seen, applied;

static const char conflict_help[] =
    "\nPlease review the fields above--they currently have other managers. Here\n"
    "are the ways you can resolve this warning:\n"
    "* If you intend to manage all of these fields, please re-run the apply\n"
    "  command with the `--force-conflicts` flag.\n"
    "* If you do not intend to manage all of the fields, please edit your\n"
    "  manifest to remove references to the fields that should keep their\n"
    "  current managers.\n"
    "* You may co-own fields by updating your manifest to match the existing\n"
    "  value; in this case, you'll become the manager if the other manager(s)\n"
    "  stop managing the field (remove it from their configuration).\n"
    "See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

static void add_error(int err, const struct km_request *r)
{
    const struct km_status *s = r->status;
    if (err == KM_ERR_STATUS && km_status_is_conflict(s))
        errors_add_text("%s%s", cli_status_message(r), conflict_help);
    else if (err == KM_ERR_STATUS && s->code == 415)
        errors_add_text("Server-side apply not available on the server: (%s)",
                        cli_status_message(r));
    else
        errors_add(err, r, NULL, NULL);
}

static int send(const struct item *item)
{
    const struct km_options options = {
        .dry_run = f.dry_run == DRY_RUN_SERVER ? "All" : NULL,
        .field_manager = f.field_manager,
        .field_validation = f.validation,
        .force = force_conflicts ? KM_YES : KM_NO,
    };
    struct km_request *r = item_request();
    answer_begin(&answer);
    answer_show(&answer);
    int err = km_rest_patch(r, &cli.client, &item->what->resource, item->ns, item->name,
                            subresource, KM_TYPE_APPLY, manifest_body(item), &options);
    return err == KM_OK ? answer_call(&answer, r) : err;
}

static void warn_if_deleting(const struct item *item)
{
    if (answer.deleting)
        err_printf("Warning: Detected changes to resource %s which is currently being deleted.\n",
                   item->name);
}

static void on_item(const struct item *item)
{
    const struct input_object *o = item->manifest;
    if (o->name[0] == '\0' && o->generate_name[0] != '\0') {
        errors_add_text("from %s: cannot use generate name with apply", o->generate_name);
        return;
    }
    if (!item_name_ok(item->name))
        return;
    int err = send(item);
    if (err != KM_OK) {
        add_error(err, item_last_request());
        return;
    }
    warn_if_deleting(item);
    applied++;
    print_done(&answer, "serverside-applied", f.dry_run);
}

static void look(const struct item *item)
{
    (void)item;
    seen++;
}

/* Several objects are printed as a List, which begins before the first of them. */
static int begin_objects(const struct words *words, bool *many)
{
    *many = get_prints_objects() && (!visit_look(&f.visit, words, look) || seen > 1);
    if (get_options.form == GET_JSONPATH && jsonpath_check(get_options.path, *many) != 0)
        return 1;
    get_objects_of_struct();
    get_objects_begin(*many);
    return 0;
}

static int run(const struct words *words)
{
    bool many;
    if (words->count > 0)
        return cli_unexpected("Unexpected args", words, "apply");
    if (manifest_flags_check(&f) != KM_OK)
        return 1;
    if (f.visit.files.count == 0)
        return cli_usage_error("must specify one of -f and -k");
    if (!server_side)
        return cli_usage_error("--server-side=false is not supported: apply is server-side");
    if (f.dry_run == DRY_RUN_CLIENT)
        return cli_usage_error("--dry-run=client doesn't work with --server-side (did you mean "
                               "--dry-run=server instead?)");
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    if (begin_objects(words, &many) != 0)
        return 1;
    f.visit.fn = on_item;
    err = visit_all(&f.visit, words);
    if (many && applied > 0)
        (void)get_objects_end();
    if (err == KM_OK && applied == 0 && !errors_any())
        errors_add_text("no objects passed to apply");
    return errors_finish(true);
}

const struct command cmd_apply = {
    .name = "apply",
    .summary = "Apply the objects of files or standard input, server-side",
    .usage = "Usage:\n  kubemote apply -f FILE [flags]\n\n"
             "Examples:\n  kubemote apply -f app.yaml\n  kubemote apply -R -f manifests/ "
             "--dry-run=server\n"
             "  cat app.yaml | kubemote apply -f - --force-conflicts\n",
    .flags = flags,
    .run = run,
};
