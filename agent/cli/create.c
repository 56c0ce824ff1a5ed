/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "commands.h"
#include "get_priv.h"
#include "manifests.h"

static struct manifest_flags f = {.field_manager = "kubectl-create"};

static const struct flag flags[] = {
    VISIT_FLAGS(f.visit),
    {"selector", 'l', FLAG_TEXT, &f.visit.selector, "only objects of the files with these labels",
     NULL},
    {"validate", 0, FLAG_MAYBE, &f.validate, "strict, warn or ignore: unknown fields", "strict"},
    {"field-manager", 0, FLAG_TEXT, &f.field_manager, "name of the manager of these fields", NULL},
    GET_OUTPUT_FLAGS,
    DRY_RUN_FLAG(f.dry_run_text),
    {0},
};

static struct answer answer KM_POOL_STORAGE(cli_create);
static unsigned created;

static void print_manifest(const struct item *item)
{
    int err = answer_feed(&answer, manifest_body(item));
    if (err == KM_OK)
        err = answer_end(&answer);
    if (err != KM_OK)
        errors_add(err, NULL, "creating", item->manifest->source);
    else
        print_done(&answer, "created", f.dry_run);
    created++;
}

static void on_item(const struct item *item)
{
    const struct km_options options = {
        .dry_run = f.dry_run == DRY_RUN_SERVER ? "All" : NULL,
        .field_manager = f.field_manager,
        .field_validation = f.validation,
    };
    struct km_request *r = item_request();
    answer_begin(&answer);
    answer_show(&answer);
    if (f.dry_run == DRY_RUN_CLIENT) {
        print_manifest(item);
        return;
    }
    int err = km_rest_create(r, &cli.client, &item->what->resource, item->ns, NULL, NULL,
                             manifest_body(item), &options);
    if (err == KM_OK)
        err = answer_call(&answer, r);
    if (err != KM_OK) {
        errors_add(err, r, "creating", item->manifest->source);
        return;
    }
    created++;
    print_done(&answer, "created", f.dry_run);
}

static int run(const struct words *words)
{
    if (f.visit.files.count == 0)
        return cli_usage_error("must specify one of -f and -k");
    if (words->count > 0)
        return cli_unexpected("Unexpected args", words, "create");
    if (manifest_flags_check(&f) != KM_OK)
        return 1;
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    f.visit.fn = on_item;
    err = visit_all(&f.visit, words);
    if (err == KM_OK && created == 0 && !errors_any())
        errors_add_text("no objects passed to create");
    return errors_finish(false);
}

const struct command cmd_create = {
    .name = "create",
    .summary = "Create objects from files or standard input",
    .usage = "Usage:\n  kubemote create -f FILE [flags]\n\n"
             "Examples:\n  kubemote create -f app.yaml\n  kubemote create -f app.yaml -o "
             "jsonpath={.metadata.uid}\n  cat job.json | kubemote create -f -\n",
    .flags = flags,
    .run = run,
};
