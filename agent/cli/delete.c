/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "commands.h"
#include "visit.h"

static struct visit visit;
static struct {
    const char *cascade, *dry_run, *output, *timeout, *ignore_not_found, *raw;
    bool wait, force, now;
    int64_t grace;
} o = {.cascade = "background", .wait = true, .grace = -1};

static const struct flag flags[] = {
    VISIT_FLAGS(visit),
    VISIT_SELECTOR_FLAGS(visit),
    {"cascade", 0, FLAG_MAYBE, &o.cascade,
     "background, foreground or orphan: what becomes of dependents", "background"},
    {"grace-period", 0, FLAG_INT, &o.grace, "seconds for the object to end; 0 only with --force",
     NULL},
    {"now", 0, FLAG_BOOL, &o.now, "as --grace-period=1", NULL},
    {"force", 0, FLAG_BOOL, &o.force, "do not wait for the object to end in good order", NULL},
    {"ignore-not-found", 0, FLAG_MAYBE, &o.ignore_not_found, "no error for what does not exist",
     "true"},
    {"wait", 0, FLAG_BOOL, &o.wait, "wait until the objects are gone (default true)", NULL},
    {"timeout", 0, FLAG_TEXT, &o.timeout, "longest wait: 30s, 5m; 0s = a week", NULL},
    {"output", 'o', FLAG_TEXT, &o.output, "name", NULL},
    {"raw", 0, FLAG_TEXT, &o.raw, "DELETE this path of the server", NULL},
    DRY_RUN_FLAG(o.dry_run),
    {0},
};

static struct {
    enum dry_run dry_run;
    const char *propagation;
    bool ignore_missing, warn_scope;
    struct answer answer;
    /* Deleted objects to wait for: group, version, plural, namespace, name, uid, each with a NUL. */
    char gone[CONFIG_KM_CLI_NAMES_BYTES];
    size_t gone_len;
    struct follow follow;
    const char *uid;
} work KM_POOL_STORAGE(cli_delete);

/* ---- waiting ---- */

static void prepare(struct follow *f)
{
    (void)f;
}

static bool is_gone(struct follow *f, const char *type)
{
    (void)f;
    return strcmp(type, "DELETED") == 0;
}

static int wait_gone(const struct item *item)
{
    for (;;) {
        struct km_request *r = item_request();
        int err =
            km_rest_get(r, &cli.client, &item->what->resource, item->ns, item->name, NULL, NULL);
        answer_begin(&work.answer);
        if (err == KM_OK)
            err = answer_call(&work.answer, r);
        if (err == KM_ERR_STATUS && km_status_is_not_found(r->status))
            return KM_OK;
        if (err != KM_OK)
            return err;
        if (work.uid[0] != '\0' && strcmp(work.uid, work.answer.uid) != 0)
            return KM_OK;
        err = follow_item(&work.follow, item, work.answer.rv);
        if (err != KM_EOF)
            return err;
    }
}

static const char *take(size_t *at)
{
    const char *text = work.gone + *at;
    *at += strlen(text) + 1;
    return text;
}

/* Who may not look is not made to wait. */
static bool may_not_look(int err)
{
    if (err != KM_ERR_STATUS)
        return false;
    const struct km_status *s = item_last_status();
    return km_status_is_forbidden(s) || strcmp(s->reason, "MethodNotAllowed") == 0;
}

static void wait_all(void)
{
    static struct km_api_resource what KM_POOL_STORAGE(cli_delete_what);
    for (size_t at = 0; at < work.gone_len;) {
        what.resource.group = take(&at);
        what.resource.version = take(&at);
        what.resource.plural = take(&at);
        const char *ns = take(&at);
        struct item item = {.what = &what, .ns = ns[0] == '\0' ? NULL : ns, .name = take(&at)};
        work.uid = take(&at);
        int err = wait_gone(&item);
        if (err == KM_OK || may_not_look(err))
            continue;
        if (err == KM_ERR_TIMEOUT)
            errors_add_text("timed out waiting for the condition on %s/%s", what.resource.plural,
                            item.name);
        else
            errors_add(err, item_last_request(), NULL, NULL);
        break;
    }
    work.gone_len = 0;
}

static void remember(const struct item *item)
{
    const char *texts[] = {item->what->group,  item->what->version,
                           item->what->plural, item->ns == NULL ? "" : item->ns,
                           item->name,         work.answer.uid};
    size_t size = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        size += strlen(texts[i]) + 1;
    if (size > sizeof work.gone - work.gone_len)
        wait_all();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        memcpy(work.gone + work.gone_len, texts[i], strlen(texts[i]) + 1);
        work.gone_len += strlen(texts[i]) + 1;
    }
}

/* ---- deleting ---- */

static void print_deleted(const struct item *item)
{
    static const char *const suffixes[] = {"", " (server dry run)", " (dry run)"};
    out_kind(item->what->kind, km_slice_of(item->what->group));
    if (cli_given(o.output) != NULL) {
        out_printf("/%s\n", item->name);
        return;
    }
    out_printf(" \"%s\" %s", item->name, o.grace == 0 ? "force deleted" : "deleted");
    if (item->ns != NULL)
        out_printf(" from %s namespace", item->ns);
    out_printf("%s\n", suffixes[work.dry_run]);
}

static int send(const struct item *item)
{
    static char body[512];
    struct km_buf text;
    const struct km_delete_options how = {
        .has_grace = o.grace >= 0,
        .grace_seconds = o.grace,
        .propagation = work.propagation,
        .dry_run = work.dry_run == DRY_RUN_SERVER ? "All" : NULL,
    };
    struct km_request *r = item_request();
    km_buf_init(&text, body, sizeof body);
    answer_begin(&work.answer);
    int err =
        km_rest_delete(r, &cli.client, &item->what->resource, item->ns, item->name, &how, &text);
    return err == KM_OK ? answer_call(&work.answer, r) : err;
}

static void on_item(const struct item *item)
{
    const char *source = item->manifest == NULL ? NULL : item->manifest->source;
    if (!item_name_ok(item->name))
        return;
    if (work.warn_scope && item->ns == NULL) {
        err_printf(
            "Warning: deleting cluster-scoped resources, not scoped to the provided namespace\n");
        work.warn_scope = false;
    }
    int err = work.dry_run == DRY_RUN_CLIENT ? KM_OK : send(item);
    bool missing = err == KM_ERR_STATUS && km_status_is_not_found(item_last_status());
    if (err != KM_OK && !(missing && work.ignore_missing)) {
        errors_add(err, item_last_request(), "deleting", source);
    } else if (err == KM_OK) {
        print_deleted(item);
        if (o.wait && work.dry_run == DRY_RUN_NONE)
            remember(item);
    }
}

/* ---- flags ---- */

static int check_cascade(void)
{
    static const struct {
        const char *word, *propagation;
    } words[] = {{"background", "Background"},
                 {"foreground", "Foreground"},
                 {"orphan", "Orphan"},
                 {"true", "Background"},
                 {"false", "Orphan"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(o.cascade, words[i].word) == 0)
            work.propagation = words[i].propagation;
    }
    if (work.propagation != NULL)
        return KM_OK;
    (void)cli_usage_error("invalid cascade value (%s). Must be \"background\", \"foreground\", or "
                          "\"orphan\"",
                          o.cascade);
    return KM_ERR_CONFIG;
}

static int choose_grace(void)
{
    if (o.now && o.grace != -1)
        return cli_usage_error("--now and --grace-period cannot be specified together");
    if (o.now || (o.grace == 0 && !o.force))
        o.grace = 1;
    if (o.force && o.grace > 0)
        return cli_usage_error(
            "--force and --grace-period greater than 0 cannot be specified together");
    if (!o.force)
        return 0;
    o.grace = 0;
    err_printf(
        "Warning: Immediate deletion does not wait for confirmation that the running resource has "
        "been terminated. The resource may continue to run on the cluster indefinitely.\n");
    return 0;
}

static int check_flags(void)
{
    bool selects = visit.all || visit.selector != NULL || visit.field_selector != NULL;
    int64_t timeout_ms = 0;
    if (check_cascade() != KM_OK)
        return 1;
    if (o.timeout != NULL && timeout_parse("delete", o.timeout, &timeout_ms) != KM_OK)
        return 1;
    if (dry_run_parse(o.dry_run, &work.dry_run, &cli.fault) != KM_OK)
        return cli_fail(KM_ERR_CONFIG, NULL);
    if (visit.all && (visit.selector != NULL || visit.field_selector != NULL))
        return cli_usage_error("setting 'all' parameter but found a non empty selector. ");
    if (cli_given(o.output) != NULL && strcmp(o.output, "name") != 0)
        return cli_usage_error("unexpected -o output mode: %s. We only support '-o name'",
                               o.output);
    work.ignore_missing =
        o.ignore_not_found == NULL ? selects : strcmp(o.ignore_not_found, "false") != 0;
    work.follow.prepare = prepare;
    work.follow.on_object = is_gone;
    work.follow.until_ms = km_port_now_ms() + (timeout_ms > 0 ? timeout_ms : WEEK_MS);
    work.warn_scope = cli_given(cli.ns) != NULL && !visit.all_namespaces;
    return choose_grace();
}

static int on_raw(struct km_request *r, struct km_slice bytes)
{
    (void)r;
    out_slice(bytes);
    return KM_OK;
}

static int delete_raw(void)
{
    struct km_request *r = item_request();
    int err = km_rest_raw(r, &cli.client, KM_DELETE, o.raw);
    r->on_bytes = on_raw;
    if (err == KM_OK)
        err = cli_call(r);
    return err == KM_OK ? 0 : cli_fail(err, r);
}

static int run(const struct words *words)
{
    if (check_flags() != 0)
        return 1;
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    if (o.raw != NULL)
        return delete_raw();
    visit.fn = on_item;
    err = visit_all(&visit, words);
    if (err == KM_OK && visit.count == 0 && !errors_any())
        out_text("No resources found\n");
    out_flush();
    if (!errors_any())
        wait_all();
    return errors_finish(false);
}

const struct command cmd_delete = {
    .name = "delete",
    .summary = "Delete objects by file, name or selector",
    .usage = "Usage:\n  kubemote delete (-f FILE | TYPE NAME... | TYPE/NAME... | TYPE -l SELECTOR "
             "| TYPE --all)\n\n"
             "Examples:\n  kubemote delete pod web-1 --now\n  kubemote delete -f app.yaml\n"
             "  kubemote delete pods,services -l app=web --wait=false\n",
    .flags = flags,
    .run = run,
};
