/* SPDX-License-Identifier: Apache-2.0 */
/* api-resources and api-versions: the lines of discovery, chosen, sorted and laid out as kubectl does. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

#define GAP 3 /* kubectl's columns: at least 6 wide, 3 between */
#define MIN_WIDTH 6

static const char *api_group, *output, *sort_by;
static enum km_choice namespaced;
static struct flag_texts categories, verbs;
static bool no_headers, cached;

static const struct flag resource_flags[] = {
    {"api-group", 0, FLAG_TEXT, &api_group, "only resources of this group", NULL},
    {"categories", 0, FLAG_TEXTS, &categories, "only resources of these categories: a,b", NULL},
    {"namespaced", 0, FLAG_CHOICE, &namespaced,
     "true: only what lives in namespaces; false: only the rest", NULL},
    {"verbs", 0, FLAG_TEXTS, &verbs, "only resources that have these verbs: list,get", NULL},
    {"sort-by", 0, FLAG_TEXT, &sort_by, "name or kind", NULL},
    {"cached", 0, FLAG_BOOL, &cached, "take the answer that was kept, when there is one", NULL},
    {"output", 'o', FLAG_TEXT, &output, "wide or name", NULL},
    {"no-headers", 0, FLAG_BOOL, &no_headers, "no line of headers", NULL},
    {0},
};

/* ---- lines of discovery ---- */

enum word { GROUP, VERSION, PLURAL, SINGULAR, KIND, SCOPE, VERBS, SHORT_NAMES, CATEGORIES };

static struct {
    const char *lines[CONFIG_KM_CLI_RESOURCES_COUNT];
    size_t count;
} list KM_POOL_STORAGE(cli_resources);

static struct km_slice word(const char *line, enum word which)
{
    struct km_slice found = {line, strcspn(line, " \n")};
    for (int i = 0; i < (int)which; i++) {
        found.ptr += found.len + 1;
        found.len = strcspn(found.ptr, " \n");
    }
    return km_slice_eq_str(found, "-") ? (struct km_slice){found.ptr, 0} : found;
}

static bool in_list(struct km_slice items, struct km_slice item)
{
    while (items.len > 0) {
        const char *comma = memchr(items.ptr, ',', items.len);
        size_t len = comma == NULL ? items.len : (size_t)(comma - items.ptr);
        if (km_slice_eq((struct km_slice){items.ptr, len}, item))
            return true;
        len += comma != NULL;
        items.ptr += len;
        items.len -= len;
    }
    return false;
}

/* Each text may be several with commas between. */
static bool has_all(struct km_slice items, const struct flag_texts *wanted)
{
    for (uint16_t i = 0; i < wanted->count; i++) {
        const char *at = wanted->items[i];
        do {
            size_t len = strcspn(at, ",");
            if (!in_list(items, (struct km_slice){at, len}))
                return false;
            at += len;
        } while (*at++ == ',');
    }
    return true;
}

static bool wanted(const char *line)
{
    if (api_group != NULL && !km_slice_eq_str(word(line, GROUP), api_group))
        return false;
    if (namespaced != KM_UNSET &&
        km_slice_eq_str(word(line, SCOPE), "namespaced") != (namespaced == KM_YES))
        return false;
    return word(line, VERBS).len > 0 && has_all(word(line, VERBS), &verbs) &&
           has_all(word(line, CATEGORIES), &categories);
}

/* A group's preferred version stands in front of its others. */
static bool same_words(const char *a, const char *b, enum word one, enum word two)
{
    return km_slice_eq(word(a, one), word(b, one)) && km_slice_eq(word(a, two), word(b, two));
}

static bool known(const char *line, enum word second)
{
    for (size_t i = 0; i < list.count; i++) {
        if (same_words(line, list.lines[i], GROUP, second))
            return true;
    }
    return false;
}

/* Every line that `fits` says yes to, the first of those with the same group and `second` word. */
static int collect(bool (*fits)(const char *line), enum word second)
{
    const char *line = strchr(cli.discovery.text.data, '\n');
    list.count = 0;
    while (line != NULL && line[1] != '\0') {
        line++;
        if (!known(line, second)) {
            if (list.count == sizeof list.lines / sizeof list.lines[0])
                return cli_usage_error("the server has more than %d resources",
                                       CONFIG_KM_CLI_RESOURCES_COUNT);
            list.lines[list.count++] = line;
        }
        line = strchr(line, '\n');
    }
    size_t kept = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (fits == NULL || fits(list.lines[i]))
            list.lines[kept++] = list.lines[i];
    }
    list.count = kept;
    return 0;
}

/* ---- order ---- */

static int compare_lines(const char *a, const char *b)
{
    enum word first = cli_given(sort_by) == NULL     ? GROUP
                      : strcmp(sort_by, "kind") == 0 ? KIND
                                                     : PLURAL;
    int order = km_slice_compare(word(a, first), word(b, first));
    return order != 0 ? order : km_slice_compare(word(a, PLURAL), word(b, PLURAL));
}

/* "group/version", as strings sort. */
static int compare_versions(const char *a, const char *b)
{
    char x[330], y[330];
    const char *lines[] = {a, b};
    char *out[] = {x, y};
    for (int i = 0; i < 2; i++) {
        struct km_buf text;
        km_buf_init(&text, out[i], sizeof x);
        km_buf_put_slice(&text, word(lines[i], GROUP));
        km_buf_puts(&text, word(lines[i], GROUP).len > 0 ? "/" : "");
        km_buf_put_slice(&text, word(lines[i], VERSION));
    }
    return strcmp(x, y);
}

/* Keeps the order of equal ones. The list is short and nearly sorted as it comes. */
static void sort_lines(int (*compare)(const char *a, const char *b))
{
    for (size_t i = 1; i < list.count; i++) {
        const char *line = list.lines[i];
        size_t at = i;
        for (; at > 0 && compare(list.lines[at - 1], line) > 0; at--)
            list.lines[at] = list.lines[at - 1];
        list.lines[at] = line;
    }
}

/* ---- table ---- */

enum { COLUMNS = 7 };
static const char *const headers[COLUMNS] = {"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED",
                                             "KIND", "VERBS",      "CATEGORIES"};
static size_t widths[COLUMNS];

static struct km_slice cell(const char *line, size_t column, char *scratch, size_t size)
{
    static const enum word words[COLUMNS] = {PLURAL, SHORT_NAMES, GROUP,     SCOPE,
                                             KIND,   VERBS,       CATEGORIES};
    struct km_slice text = word(line, words[column]);
    struct km_buf out;
    if (column == 3)
        return km_slice_of(km_slice_eq_str(text, "namespaced") ? "true" : "false");
    if (column != 2)
        return text;
    km_buf_init(&out, scratch, size);
    km_buf_put_slice(&out, text);
    km_buf_puts(&out, text.len > 0 ? "/" : "");
    km_buf_put_slice(&out, word(line, VERSION));
    return km_buf_slice(&out);
}

static size_t column_count(void)
{
    return output != NULL && strcmp(output, "wide") == 0 ? COLUMNS : 5;
}

static void measure(void)
{
    char scratch[330];
    for (size_t c = 0; c < COLUMNS; c++) {
        widths[c] = no_headers ? 0 : strlen(headers[c]);
        for (size_t i = 0; i < list.count; i++) {
            size_t width = cell(list.lines[i], c, scratch, sizeof scratch).len;
            if (width > widths[c])
                widths[c] = width;
        }
        widths[c] = widths[c] + GAP > MIN_WIDTH ? widths[c] + GAP : MIN_WIDTH;
    }
}

static void print_cell(struct km_slice text, size_t column)
{
    bool last = column + 1 == column_count();
    out_slice(text);
    if (!last)
        out_pad(text.len, widths[column]);
    if (last)
        out_text("\n");
}

static void print_table(void)
{
    char scratch[330];
    measure();
    for (size_t c = 0; !no_headers && c < column_count(); c++)
        print_cell(km_slice_of(headers[c]), c);
    for (size_t i = 0; i < list.count; i++) {
        for (size_t c = 0; c < column_count(); c++)
            print_cell(cell(list.lines[i], c, scratch, sizeof scratch), c);
    }
}

static void print_names(void)
{
    for (size_t i = 0; i < list.count; i++) {
        out_slice(word(list.lines[i], PLURAL));
        out_text(word(list.lines[i], GROUP).len > 0 ? "." : "");
        out_slice(word(list.lines[i], GROUP));
        out_text("\n");
    }
}

/* ---- the commands ---- */

static int nothing(void *ctx, const struct km_api_resource *resource)
{
    (void)ctx;
    (void)resource;
    return 1;
}

static int load(bool kept)
{
    static struct km_api_resource scratch;
    int err = cli_connect();
    if (err == KM_OK)
        err = kept ? km_discovery_each(&cli.discovery, &scratch, nothing, NULL, &cli.fault)
                   : km_discovery_refresh(&cli.discovery, &cli.fault);
    return err >= 0 ? 0 : cli_fail(err, NULL);
}

static int run_resources(const struct words *words)
{
    bool names = output != NULL && strcmp(output, "name") == 0;
    if (words->count > 0)
        return cli_unexpected("unexpected arguments", words, "api-resources");
    if (cli_given(output) != NULL && !names && strcmp(output, "wide") != 0)
        return cli_bad_output(output, "name,wide");
    if (cli_given(sort_by) != NULL && strcmp(sort_by, "name") != 0 && strcmp(sort_by, "kind") != 0)
        return cli_usage_error("--sort-by accepts only name or kind");
    if (load(cached) != 0 || collect(wanted, PLURAL) != 0)
        return 1;
    sort_lines(compare_lines);
    if (names)
        print_names();
    else
        print_table();
    return 0;
}

static int run_versions(const struct words *words)
{
    if (words->count > 0)
        return cli_unexpected("unexpected arguments", words, "api-versions");
    if (load(false) != 0 || collect(NULL, VERSION) != 0)
        return 1;
    sort_lines(compare_versions);
    for (size_t i = 0; i < list.count; i++) {
        out_slice(word(list.lines[i], GROUP));
        out_text(word(list.lines[i], GROUP).len > 0 ? "/" : "");
        out_slice(word(list.lines[i], VERSION));
        out_text("\n");
    }
    return 0;
}

const struct command cmd_api_resources = {
    .name = "api-resources",
    .summary = "Print the resources that the server has",
    .usage = "Usage:\n  kubemote api-resources [flags]\n\n"
             "Examples:\n"
             "  kubemote api-resources                       # all of them\n"
             "  kubemote api-resources --api-group apps      # of one group\n"
             "  kubemote api-resources --namespaced=false    # what lives outside of namespaces\n"
             "  kubemote api-resources --verbs list,get -o name\n",
    .flags = resource_flags,
    .run = run_resources,
};

const struct command cmd_api_versions = {
    .name = "api-versions",
    .summary = "Print the API versions that the server has, as group/version",
    .usage = "Usage:\n  kubemote api-versions\n\nExamples:\n  kubemote api-versions\n",
    .run = run_versions,
};
