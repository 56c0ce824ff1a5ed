/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth can-i --list: the rules taken apart to one group, resource, name and verb each, those that differ by the verb alone put
 * together again, sorted as kubectl sorts them.
 */
#include <string.h>

#include "columns.h"
#include "commands.h"
#include "visit.h"

static const struct km_resource rules_reviews = {"authorization.k8s.io", "v1",
                                                 "selfsubjectrulesreviews"};

#define LIST_COUNT 64

struct rule {
    uint32_t group, resource, name, url; /* places in the text, 0 = none */
    uint32_t verbs[16];
    uint16_t verb_count;
};

enum list { VERBS, GROUPS, RESOURCES, NAMES, URLS, LISTS };

static struct {
    struct answer answer;
    char text[CONFIG_KM_CLI_NAMES_BYTES];
    size_t text_len;
    struct rule rules[CONFIG_KM_CLI_RULES_COUNT];
    uint16_t order[CONFIG_KM_CLI_RULES_COUNT];
    size_t count;
    uint32_t lists[LISTS][LIST_COUNT]; /* of the rule under way */
    size_t counts[LISTS];
    bool full, incomplete;
    char problem[1024];
} work KM_POOL_STORAGE(cli_rules);

/* The place of a text, the same one for equal texts. */
static uint32_t keep(const char *text)
{
    size_t size = strlen(text) + 1;
    for (size_t at = 1; at < work.text_len; at += strlen(work.text + at) + 1) {
        if (strcmp(work.text + at, text) == 0)
            return (uint32_t)at;
    }
    if (size > sizeof work.text - work.text_len) {
        work.full = true;
        return 0;
    }
    memcpy(work.text + work.text_len, text, size);
    work.text_len += size;
    return (uint32_t)(work.text_len - size);
}

static const char *text_at(uint32_t place)
{
    return work.text + place;
}

static bool same_place(const struct rule *a, const struct rule *b)
{
    return a->url == 0 && b->url == 0 && a->group == b->group && a->resource == b->resource &&
           a->name == b->name;
}

static void add_verb(struct rule *rule, uint32_t verb)
{
    for (uint16_t i = 0; i < rule->verb_count; i++) {
        if (rule->verbs[i] == verb)
            return;
    }
    if (rule->verb_count == sizeof rule->verbs / sizeof rule->verbs[0])
        work.full = true;
    else
        rule->verbs[rule->verb_count++] = verb;
}

static void add(const struct rule *place, uint32_t verb)
{
    for (size_t i = 0; i < work.count; i++) {
        if (same_place(&work.rules[i], place)) {
            add_verb(&work.rules[i], verb);
            return;
        }
    }
    if (work.count == CONFIG_KM_CLI_RULES_COUNT) {
        work.full = true;
        return;
    }
    work.rules[work.count] = *place;
    add_verb(&work.rules[work.count++], verb);
}

static void end_resource_rule(void)
{
    for (size_t g = 0; g < work.counts[GROUPS]; g++) {
        for (size_t r = 0; r < work.counts[RESOURCES]; r++) {
            for (size_t v = 0; v < work.counts[VERBS]; v++) {
                struct rule rule = {.group = work.lists[GROUPS][g],
                                    .resource = work.lists[RESOURCES][r]};
                for (size_t n = 0; n < work.counts[NAMES]; n++) {
                    rule.name = work.lists[NAMES][n];
                    add(&rule, work.lists[VERBS][v]);
                }
                if (work.counts[NAMES] == 0)
                    add(&rule, work.lists[VERBS][v]);
            }
        }
    }
}

static void end_url_rule(void)
{
    for (size_t u = 0; u < work.counts[URLS]; u++) {
        struct rule rule = {.url = work.lists[URLS][u]};
        for (size_t v = 0; v < work.counts[VERBS]; v++)
            add(&rule, work.lists[VERBS][v]);
    }
}

static void on_value(struct answer *a, const char *path, const char *text, bool is_text)
{
    static const struct {
        const char *pattern;
        enum list list;
    } places[] = {
        {"/status/resourceRules/*/verbs/*", VERBS},
        {"/status/resourceRules/*/apiGroups/*", GROUPS},
        {"/status/resourceRules/*/resources/*", RESOURCES},
        {"/status/resourceRules/*/resourceNames/*", NAMES},
        {"/status/nonResourceRules/*/verbs/*", VERBS},
        {"/status/nonResourceRules/*/nonResourceURLs/*", URLS},
    };
    if (strcmp(path, "/status/incomplete") == 0)
        work.incomplete = strcmp(text, "true") == 0;
    if (strcmp(path, "/status/evaluationError") == 0)
        (void)km_slice_copy(km_slice_of(text), work.problem, sizeof work.problem);
    for (size_t i = 0; i < sizeof places / sizeof places[0] && is_text; i++) {
        if (!km_json_walk_at(&a->walk, places[i].pattern))
            continue;
        enum list list = places[i].list;
        if (work.counts[list] == LIST_COUNT)
            work.full = true;
        else
            work.lists[list][work.counts[list]++] = keep(text);
    }
}

static void on_event(struct answer *a, enum km_walk_event event)
{
    bool resource = km_json_walk_at(&a->walk, "/status/resourceRules/*");
    if (!resource && !km_json_walk_at(&a->walk, "/status/nonResourceRules/*"))
        return;
    if (event == KM_WALK_END && resource)
        end_resource_rule();
    else if (event == KM_WALK_END)
        end_url_rule();
    memset(work.counts, 0, sizeof work.counts);
}

/* ---- sorted ---- */

static void put_verbs(struct km_buf *out, const struct rule *rule)
{
    km_buf_putc(out, '[');
    for (uint16_t i = 0; i < rule->verb_count; i++) {
        if (i > 0)
            km_buf_putc(out, ' ');
        km_buf_puts(out, text_at(rule->verbs[i]));
    }
    km_buf_putc(out, ']');
}

/* What Go prints of a rule, which is what kubectl sorts by. */
static void put_key(struct km_buf *out, const struct rule *rule)
{
    bool url = rule->url != 0;
    km_buf_puts(out, "Verbs:");
    put_verbs(out, rule);
    km_buf_printf(out, ",APIGroups:[%s],Resources:[%s]", url ? "" : text_at(rule->group),
                  url ? "" : text_at(rule->resource));
    km_buf_printf(out, ",ResourceNames:[%s],NonResourceURLs:[%s]",
                  rule->name == 0 ? "" : text_at(rule->name), url ? text_at(rule->url) : "");
}

static bool before(const struct rule *a, const struct rule *b)
{
    char left[1024], right[1024];
    struct km_buf out;
    km_buf_init(&out, left, sizeof left);
    put_key(&out, a);
    km_buf_init(&out, right, sizeof right);
    put_key(&out, b);
    return strcmp(left, right) < 0;
}

static void sort(void)
{
    for (size_t i = 0; i < work.count; i++) {
        size_t at = i;
        for (; at > 0 && before(&work.rules[i], &work.rules[work.order[at - 1]]); at--)
            work.order[at] = work.order[at - 1];
        work.order[at] = (uint16_t)i;
    }
}

static void print_bracketed(uint32_t place)
{
    char text[512];
    struct km_buf out;
    km_buf_init(&out, text, sizeof text);
    km_buf_printf(&out, "[%s]", place == 0 ? "" : text_at(place));
    columns_cell(text);
}

/* RESOURCE.GROUP/SUBRESOURCE */
static void print_rule(const struct rule *rule)
{
    char text[1024];
    struct km_buf out;
    const char *resource = rule->url != 0 ? "" : text_at(rule->resource);
    size_t len = strcspn(resource, "/");
    km_buf_init(&out, text, sizeof text);
    km_buf_printf(&out, "%.*s", (int)len, resource);
    if (rule->url == 0 && text_at(rule->group)[0] != '\0')
        km_buf_printf(&out, ".%s", text_at(rule->group));
    km_buf_puts(&out, resource + len);
    columns_cell(text);
    print_bracketed(rule->url);
    print_bracketed(rule->name);
    km_buf_init(&out, text, sizeof text);
    put_verbs(&out, rule);
    columns_cell(text);
    columns_end_line();
}

static int ask(void)
{
    static char body[512];
    struct km_json_writer w;
    struct km_buf out;
    struct km_request *r = item_request();
    km_buf_init(&out, body, sizeof body);
    km_json_writer_init(&w, &out);
    km_json_object(&w);
    km_json_kv_str(&w, "kind", "SelfSubjectRulesReview");
    km_json_kv_str(&w, "apiVersion", "authorization.k8s.io/v1");
    km_json_key(&w, "spec");
    km_json_object(&w);
    km_json_kv_str(&w, "namespace", cli.effective_ns);
    km_json_close(&w);
    km_json_close(&w);
    int err =
        km_rest_create(r, &cli.client, &rules_reviews, NULL, NULL, NULL, km_buf_slice(&out), NULL);
    answer_begin(&work.answer);
    work.answer.on_value = on_value;
    work.answer.on_event = on_event;
    work.text_len = 1;
    return err == KM_OK ? answer_call(&work.answer, r) : err;
}

int auth_print_rules(bool no_headers)
{
    static const char *const headers[] = {"Resources", "Non-Resource URLs", "Resource Names",
                                          "Verbs"};
    int err = ask();
    if (err != KM_OK)
        return cli_fail(err, item_last_request());
    if (work.incomplete)
        err_printf("Warning: the list may be incomplete: %s\n", work.problem);
    if (work.full)
        err_printf("Warning: the list is incomplete: more rules than this program can hold "
                   "(CONFIG_KM_CLI_RULES_COUNT, CONFIG_KM_CLI_NAMES_BYTES)\n");
    sort();
    columns_begin();
    for (size_t i = 0; i < sizeof headers / sizeof headers[0] && !no_headers; i++)
        columns_cell(headers[i]);
    if (!no_headers)
        columns_end_line();
    for (size_t i = 0; i < work.count; i++)
        print_rule(&work.rules[work.order[i]]);
    columns_flush();
    return 0;
}
