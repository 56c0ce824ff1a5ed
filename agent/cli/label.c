/* SPDX-License-Identifier: Apache-2.0 */
/* label and annotate: read the object, tell what would change, send that as a merge patch. */
#include <string.h>

#include "commands.h"
#include "get_priv.h"
#include "kubemote/km_scalar.h"
#include "visit.h"

#define PAIR_COUNT 64

enum found { ABSENT, SAME, DIFFERENT };
struct pair {
    const char *key, *value; /* value NULL = remove */
    enum found found;
};

static struct visit visit = {.live = true};
static struct {
    const char *dry_run, *field_manager, *resource_version;
    bool overwrite, list;
} o;

static struct {
    bool labels; /* else annotations */
    const char *noun, *place, *member, *manager;
    struct pair pairs[PAIR_COUNT];
    size_t count;
    char keys[PAIR_COUNT * 320];
    size_t keys_len;
    enum dry_run dry_run;
    struct answer answer;
    char text[CONFIG_KM_CLI_PATCH_BYTES]; /* the patch; or what --list prints */
    struct km_buf list;
    unsigned clashes;
} work KM_POOL_STORAGE(cli_label);

static const struct flag flags[] = {
    VISIT_FLAGS(visit),
    VISIT_SELECTOR_FLAGS(visit),
    {"overwrite", 0, FLAG_BOOL, &o.overwrite, "change values that are there already", NULL},
    {"list", 0, FLAG_BOOL, &o.list, "print them", NULL},
    {"resource-version", 0, FLAG_TEXT, &o.resource_version, "only if the object has this version",
     NULL},
    {"field-manager", 0, FLAG_TEXT, &o.field_manager, "name of the manager of these fields", NULL},
    GET_OUTPUT_FLAGS,
    DRY_RUN_FLAG(o.dry_run),
    {0},
};

/* ---- arguments ---- */

static bool is_removal(const char *word)
{
    size_t len = strlen(word);
    return len > 1 && word[len - 1] == '-';
}

static bool is_pair(const char *word)
{
    return (strchr(word, '=') != NULL && word[0] != '=') || is_removal(word);
}

static const char *keep_key(const char *word, size_t len)
{
    char *key = work.keys + work.keys_len;
    if (len >= sizeof work.keys - work.keys_len)
        return NULL;
    memcpy(key, word, len);
    key[len] = '\0';
    work.keys_len += len + 1;
    return key;
}

/* A key that stands twice: the last one counts. */
static struct pair *place_of(const char *key, bool removal)
{
    for (size_t i = 0; i < work.count; i++) {
        if (strcmp(work.pairs[i].key, key) == 0 && (work.pairs[i].value == NULL) == removal)
            return &work.pairs[i];
    }
    return work.count < PAIR_COUNT ? &work.pairs[work.count++] : NULL;
}

static int add_pair(const char *word)
{
    const char *equals = strchr(word, '=');
    bool removal = equals == NULL || (word[0] == '=' && is_removal(word));
    size_t len = removal ? strlen(word) - 1 : (size_t)(equals - word);
    const char *problem = NULL;
    if (removal && !is_removal(word))
        return cli_usage_error("unknown label spec: %s", word);
    if (!removal && work.labels && strchr(equals + 1, '=') != NULL)
        return cli_usage_error("invalid label spec: %s", word);
    if (!removal && work.labels)
        problem = km_label_value_problem(km_slice_of(equals + 1));
    if (problem != NULL && strncmp(problem, "a valid label", 13) == 0)
        problem =
            "a valid label must be an empty string or consist of alphanumeric characters, '-', "
            "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  "
            "or 'my_value',  or '12345', regex used for validation is "
            "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
    if (problem != NULL)
        return cli_usage_error("invalid label value: \"%s\": %s", word, problem);
    const char *key = keep_key(word, len);
    struct pair *pair = key == NULL ? NULL : place_of(key, removal);
    if (pair == NULL)
        return cli_usage_error("at most %d changes in one command", PAIR_COUNT);
    *pair = (struct pair){key, removal ? NULL : equals + 1, ABSENT};
    return 0;
}

static int check_both(void)
{
    for (size_t i = 0; i < work.count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(work.pairs[i].key, work.pairs[j].key) != 0)
                continue;
            if (work.labels)
                return cli_usage_error(
                    "can not both modify and remove a label in the same command");
            return cli_usage_error(
                "can not both modify and remove the following annotation(s) in the "
                "same command: %s",
                work.pairs[i].key);
        }
    }
    return 0;
}

/* Types and names first, changes behind them. */
static int split(const struct words *words, struct words *resources)
{
    for (uint16_t i = 0; i < words->count; i++) {
        const char *word = words->items[i];
        bool pair = is_pair(word);
        if (!pair && work.count > 0)
            return cli_usage_error("all resources must be specified before %s changes: %s",
                                   work.noun, word);
        if (!pair)
            resources->items[resources->count++] = word;
        else if (add_pair(word) != 0)
            return 1;
    }
    return 0;
}

/* ---- one object ---- */

static void on_value(struct answer *a, const char *path, const char *text, bool is_text)
{
    (void)path;
    if (!is_text || !km_json_walk_at(&a->walk, work.place))
        return;
    const char *key = answer_key(a);
    km_buf_printf(&work.list, "%s%s=", visit.single ? "" : " ", key);
    km_buf_puts(&work.list, text);
    km_buf_putc(&work.list, '\n');
    for (size_t i = 0; i < work.count; i++) {
        struct pair *pair = &work.pairs[i];
        if (strcmp(pair->key, key) != 0)
            continue;
        pair->found = pair->value != NULL && strcmp(pair->value, text) == 0 ? SAME : DIFFERENT;
        bool clash = pair->value != NULL && pair->found == DIFFERENT && !o.overwrite;
        if (!clash)
            continue;
        work.clashes++;
        errors_add_text(work.labels ? "'%s' already has a value (%s), and --overwrite is false"
                                    : "--overwrite is false but found the following declared "
                                      "annotation(s): '%s' already has a value (%s)",
                        key, text);
    }
}

static int read_object(const struct item *item)
{
    for (size_t i = 0; i < work.count; i++)
        work.pairs[i].found = ABSENT;
    work.clashes = 0;
    km_buf_init(&work.list, work.text, sizeof work.text);
    answer_begin(&work.answer);
    work.answer.on_value = on_value;
    return item_get(item, NULL, &work.answer);
}

/* Values that change anything. */
static bool changes(const struct pair *pair)
{
    return pair->value == NULL ? pair->found != ABSENT : pair->found != SAME;
}

static int write_patch(struct km_buf *out)
{
    struct km_json_writer w;
    bool any = false;
    km_buf_init(out, work.text, sizeof work.text);
    km_json_writer_init(&w, out);
    km_json_object(&w);
    for (size_t i = 0; i < work.count; i++)
        any = any || changes(&work.pairs[i]);
    bool version = cli_given(o.resource_version) != NULL;
    if (any || version) {
        km_json_key(&w, "metadata");
        km_json_object(&w);
        if (any) {
            km_json_key(&w, work.member);
            km_json_object(&w);
        }
        for (size_t i = 0; i < work.count; i++) {
            if (!changes(&work.pairs[i]))
                continue;
            km_json_key(&w, work.pairs[i].key);
            if (work.pairs[i].value == NULL)
                km_json_null(&w);
            else
                km_json_str(&w, work.pairs[i].value);
        }
        if (any)
            km_json_close(&w);
        if (version)
            km_json_kv_str(&w, "resourceVersion", o.resource_version);
        km_json_close(&w);
    }
    km_json_close(&w);
    return km_json_finish(&w);
}

/* The object as it is, or as the patch would make it. */
static int show(const struct item *item)
{
    answer_begin(&work.answer);
    answer_show(&work.answer);
    return item_get(item, NULL, &work.answer);
}

static int send(const struct item *item)
{
    static struct answer after KM_POOL_STORAGE(cli_label_after);
    const struct km_options options = {
        .dry_run = work.dry_run == DRY_RUN_SERVER ? "All" : NULL,
        .field_manager = o.field_manager != NULL ? o.field_manager : work.manager,
    };
    struct km_request *r = item_request();
    struct km_buf patch;
    int err = write_patch(&patch);
    if (err == KM_OK && work.dry_run == DRY_RUN_CLIENT) {
        get_patch_begin(km_buf_slice(&patch));
        return get_prints_objects() ? show(item) : KM_OK;
    }
    if (err == KM_OK)
        err = km_rest_patch(r, &cli.client, &item->what->resource, item->ns, item->name, NULL,
                            KM_TYPE_MERGE, km_buf_slice(&patch), &options);
    answer_begin(&after);
    answer_show(&after);
    return err == KM_OK ? answer_call(&after, r) : err;
}

static const char *operation(bool *needed)
{
    bool added = false, removed = false;
    for (size_t i = 0; i < work.count; i++) {
        added = added || (work.pairs[i].value != NULL && changes(&work.pairs[i]));
        removed = removed || (work.pairs[i].value == NULL && changes(&work.pairs[i]));
    }
    *needed = added || removed || !work.labels;
    if (!work.labels)
        return "annotated";
    return added && removed ? "modified"
           : added          ? "labeled"
           : removed        ? "unlabeled"
                            : "not labeled";
}

static void print_list(const struct item *item)
{
    if (!visit.single)
        out_printf("Listing %ss for %s.%s/%s:\n", work.noun, work.answer.kind, item->what->group,
                   item->name);
    out_slice(km_buf_slice(&work.list));
}

static void on_item(const struct item *item)
{
    bool needed;
    if (!visit.single && o.resource_version != NULL) {
        if (!errors_any())
            errors_add_text("--resource-version may only be used with a single resource");
        return;
    }
    int err = read_object(item);
    if (err != KM_OK) {
        errors_add(err, item_last_request(), NULL, NULL);
        return;
    }
    if (work.clashes > 0)
        return;
    if (o.list) {
        print_list(item);
        return;
    }
    for (size_t i = 0; i < work.count && work.labels; i++) {
        if (work.pairs[i].value == NULL && work.pairs[i].found == ABSENT)
            out_printf("label \"%s\" not found.\n", work.pairs[i].key);
    }
    const char *done = operation(&needed);
    if (work.labels)
        get_objects_begin(false);
    get_patch_begin((struct km_slice){0});
    err = needed ? send(item) : get_prints_objects() ? show(item) : KM_OK;
    if (err != KM_OK)
        errors_add(err, item_last_request(), NULL, NULL);
    else
        print_done(&work.answer, done, work.dry_run);
}

/* ---- the commands ---- */

static int check_flags(const struct words *resources)
{
    bool files = visit.files.count > 0;
    if (dry_run_parse(o.dry_run, &work.dry_run, &cli.fault) != KM_OK)
        return cli_fail(KM_ERR_CONFIG, NULL);
    if (check_both() != 0)
        return 1;
    if (get_choose_form(false) != 0)
        return 1;
    if (o.list && get_options.form != GET_TABLE)
        return cli_usage_error("--list and --output may not be specified together");
    if (visit.all && visit.selector != NULL)
        return cli_usage_error("cannot set --all and --selector at the same time");
    if (visit.all && visit.field_selector != NULL)
        return cli_usage_error("cannot set --all and --field-selector at the same time");
    if (resources->count == 0 && !files)
        return cli_usage_error("one or more resources must be specified as <resource> <name> or "
                               "<resource>/<name>");
    if (work.count == 0 && !o.list)
        return cli_usage_error("at least one %s update is required", work.noun);
    return 0;
}

static int run(const struct words *words)
{
    static struct words resources KM_POOL_STORAGE(cli_label_words);
    if (split(words, &resources) != 0 || check_flags(&resources) != 0)
        return 1;
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    visit.fn = on_item;
    (void)visit_all(&visit, &resources);
    return errors_finish(false);
}

static int run_label(const struct words *words)
{
    work.labels = true;
    work.noun = "label";
    work.member = "labels";
    work.place = "/metadata/labels/*";
    work.manager = "kubectl-label";
    return run(words);
}

static int run_annotate(const struct words *words)
{
    work.noun = "annotation";
    work.member = "annotations";
    work.place = "/metadata/annotations/*";
    work.manager = "kubectl-annotate";
    return run(words);
}

const struct command cmd_label = {
    .name = "label",
    .summary = "Change labels of objects",
    .usage = "Usage:\n  kubemote label (-f FILE | TYPE NAME) KEY=VALUE... KEY-... [flags]\n\n"
             "Examples:\n  kubemote label node gw-1 site=north old-\n"
             "  kubemote label pods --all tier=edge --overwrite\n",
    .flags = flags,
    .run = run_label,
};

const struct command cmd_annotate = {
    .name = "annotate",
    .summary = "Change annotations of objects",
    .usage = "Usage:\n  kubemote annotate (-f FILE | TYPE NAME) KEY=VALUE... KEY-... [flags]\n\n"
             "Examples:\n  kubemote annotate node gw-1 note='north door'\n"
             "  kubemote annotate cm app --list\n",
    .flags = flags,
    .run = run_annotate,
};
