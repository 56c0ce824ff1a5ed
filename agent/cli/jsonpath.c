/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "jsonpath.h"
#include "kubemote/km_json.h"
#include "kubemote/km_rest.h"
#include "tree.h"

#define RANGE_DEPTH 8

enum step { STEP_END, STEP_NAME, STEP_ALL, STEP_BAD };

static struct {
    const char *problem; /* where the template can't be read */
    unsigned depth;      /* of ranges */
    bool unclosed;       /* a { has no } */
    unsigned results;    /* of the path under way */
    /* Of a list: where its items come in. */
    bool list, at_items, is_range;
    const char *rest;   /* behind .items[...]; of a range its body */
    const char *behind; /* the action or the range */
    uint64_t item, index;
} work;

/* ---- paths ---- */

static enum step read_name(const char **at, struct km_buf *name)
{
    const char *p = *at + 1;
    for (; *p != '\0' && strchr(".[]{}(), |'\"", *p) == NULL; p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        km_buf_putc(name, *p);
    }
    *at = p;
    return name->len > 0 && name->data[0] != '*' ? STEP_NAME : STEP_BAD;
}

static enum step read_bracket(const char **at, struct km_buf *name)
{
    const char *p = *at + 1;
    char quote = *p == '\'' || *p == '"' ? *p++ : ']';
    if (strncmp(p, "*]", 2) == 0) {
        *at = p + 2;
        return STEP_ALL;
    }
    for (; *p != '\0' && *p != quote && (quote != ']' || (*p >= '0' && *p <= '9')); p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        km_buf_putc(name, *p);
    }
    p += *p == quote && quote != ']';
    *at = p + 1;
    return *p == ']' && name->len > 0 ? STEP_NAME : STEP_BAD;
}

/* Adds ".name", "['name']" or "[N]" to the pointer. */
static enum step read_step(const char **at, struct km_buf *pointer)
{
    char segment[CONFIG_KM_JSON_KEY_BYTES];
    struct km_buf name;
    enum step step = STEP_END;
    km_buf_init(&name, segment, sizeof segment);
    if (**at == '.')
        step = read_name(at, &name);
    else if (**at == '[')
        step = read_bracket(at, &name);
    if (step == STEP_NAME)
        km_pointer_add(pointer, segment);
    return name.overflow || pointer->overflow ? STEP_BAD : step;
}

int jsonpath_pointer(struct km_slice text, struct km_buf *pointer)
{
    char path[JSONPATH_BYTES];
    struct km_buf copy;
    const char *at = path;
    enum step step;
    if (text.len >= 2 && text.ptr[0] == '{' && text.ptr[text.len - 1] == '}')
        text = (struct km_slice){text.ptr + 1, text.len - 2};
    km_buf_init(&copy, path, sizeof path);
    if (text.len > 0 && text.ptr[0] != '.' && text.ptr[0] != '[')
        km_buf_putc(&copy, '.');
    km_buf_put_slice(&copy, text);
    do
        step = read_step(&at, pointer);
    while (step == STEP_NAME);
    bool whole = step == STEP_END && *at == '\0' && pointer->len > 0 && !copy.overflow;
    return whole ? KM_OK : KM_ERR_SYNTAX;
}

typedef void (*value_fn)(const char *at, struct km_slice value);

/* Tells fn each value at the path below `value`, whose pointer NULL means: only read the path. Returns what follows it. */
static const char *each(const char *path, struct km_slice value, value_fn fn, const char *at)
{
    char text[JSONPATH_BYTES];
    struct km_buf pointer;
    struct km_slice found = {0};
    const char *begin = path;
    enum step step;
    km_buf_init(&pointer, text, sizeof text);
    do
        step = read_step(&path, &pointer);
    while (step == STEP_NAME);
    if (step == STEP_BAD) {
        work.problem = begin;
        return path;
    }
    bool there = value.ptr != NULL && km_json_find(value, text, &found) == KM_OK;
    if (step == STEP_END) {
        if (there)
            fn(at, found);
        return path;
    }
    const char *end = each(path, (struct km_slice){0}, fn, at);
    for (size_t i = 1; there && found.ptr[0] == '[' && i + 1 < found.len;) {
        struct km_slice element = tree_value(found, i);
        (void)each(path, element, fn, at);
        i += element.len + 1;
    }
    return end;
}

/* ---- templates ---- */

static const char *eval(const char *at, struct km_slice value);

static void print_value(const char *at, struct km_slice value)
{
    (void)at;
    if (work.results++ > 0)
        out_text(" ");
    if (value.ptr[0] == '"')
        tree_text((struct km_slice){value.ptr + 1, value.len - 2});
    else
        tree_json_line(value);
}

static void eval_body(const char *body, struct km_slice value)
{
    work.depth++;
    (void)eval(body, value);
    work.depth--;
}

static const char *fail(const char *at)
{
    work.problem = at;
    return at + strlen(at);
}

static const char *blanks(const char *at)
{
    return at + strspn(at, " \t\n");
}

static const char *quoted(const char *at, bool print)
{
    static const char names[] = "ntr", bytes[] = "\n\t\r";
    char quote = *at;
    for (at++; *at != '\0' && *at != quote; at++) {
        char c = *at;
        if (c == '\\' && at[1] != '\0') {
            const char *name = strchr(names, *++at);
            c = name != NULL ? bytes[name - names] : *at;
        }
        if (print)
            out_bytes(&c, 1);
    }
    return *at == '\0' ? at : at + 1;
}

/* "[*]" or "[N]" of a list's .items. */
static const char *items(const char *at)
{
    struct km_slice digits = {at + 1, strcspn(at + 1, "]")};
    work.at_items = true;
    work.index = UINT64_MAX;
    bool fine = km_slice_eq_str(digits, "*") || km_slice_to_u64(digits, &work.index) == KM_OK;
    return fine && at[1 + digits.len] == ']' ? at + digits.len + 2 : fail(at);
}

/* A path, or a range with its body; returns what follows. */
static const char *path(const char *at, struct km_slice value)
{
    bool range = strncmp(at, "range ", 6) == 0;
    at = blanks(range ? at + 6 : at);
    bool root = *at == '$' || *at == '@', nothing = at[0] == '.' && at[1] == '}';
    at += root;
    bool top = work.list && work.depth == 0;
    bool now = top && strncmp(at, ".items[", 7) == 0;
    if (top && !now && (*at == '}' || strncmp(at, ".items", 6) == 0))
        return fail(at);
    if (nothing)
        return at + 2;
    const char *from = now ? items(at + 6) : at;
    const char *end = each(from, (struct km_slice){0}, NULL, NULL);
    work.results = 0;
    if (work.problem != NULL || (end == at && !root) || *blanks(end) != '}' ||
        (range && work.depth == RANGE_DEPTH))
        return fail(at);
    const char *body = blanks(end) + 1;
    if (!now)
        (void)each(from, value, range ? eval_body : print_value, body);
    else
        work.is_range = range;
    work.rest = now ? (range ? body : from) : work.rest;
    if (!range)
        return body;
    work.depth++;
    end = eval(body, (struct km_slice){0});
    work.depth--;
    return end;
}

/* What begins at '{'. */
static const char *action(const char *at, struct km_slice value)
{
    work.unclosed = work.unclosed || strchr(at, '}') == NULL;
    at = blanks(at + 1);
    if (*at != '"' && *at != '\'')
        return path(at, value);
    at = blanks(quoted(at, value.ptr != NULL));
    return *at == '}' ? at + 1 : fail(at);
}

/* Up to the text's end, the {end} of the range, or a list's items. value.ptr NULL: only reads. */
static const char *eval(const char *at, struct km_slice value)
{
    while (*at != '\0') {
        size_t len = strcspn(at, "{");
        if (value.ptr != NULL)
            out_bytes(at, len);
        at += len;
        if (*at == '\0')
            break;
        if (strncmp(at, "{end}", 5) == 0)
            return work.depth > 0 ? at + 5 : fail(at);
        at = action(at, value);
        if (work.at_items && work.depth == 0)
            return at;
    }
    return work.depth > 0 ? fail(at) : at;
}

int jsonpath_check(const char *text, bool list)
{
    const struct km_slice none = {0};
    memset(&work, 0, sizeof work);
    work.list = list;
    const char *end = eval(text, none);
    if (work.at_items) {
        work.at_items = false;
        (void)eval(end, none);
    }
    bool twice = work.at_items;
    work.at_items = false;
    if (work.unclosed)
        return cli_usage_error("error parsing jsonpath %s, unclosed action", text);
    if (work.problem != NULL)
        return cli_usage_error("error parsing jsonpath %s, at \"%.40s\": names, [N], [*], range "
                               "and quoted text are supported",
                               text, work.problem);
    if (twice)
        return cli_usage_error("error parsing jsonpath %s: of a list, .items may stand there once "
                               "(use range)",
                               text);
    return 0;
}

void jsonpath_print(const char *text, struct km_slice object)
{
    (void)eval(text, object);
}

/* What kubectl's lists are beside their items. */
static const char envelope[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"\"}}";

void jsonpath_list_begin(const char *text)
{
    work.list = true;
    work.rest = NULL;
    work.behind = eval(text, km_slice_of(envelope));
    work.at_items = false;
    work.item = 0;
}

void jsonpath_list_item(struct km_slice item)
{
    bool wanted = work.index == UINT64_MAX || work.index == work.item;
    work.item++;
    if (work.rest == NULL || !wanted)
        return;
    if (work.is_range)
        eval_body(work.rest, item);
    else
        (void)each(work.rest, item, print_value, NULL);
}

int jsonpath_list_end(const char *text)
{
    if (work.rest != NULL && work.index != UINT64_MAX && work.index >= work.item)
        return cli_usage_error("error executing jsonpath \"%s\": Error executing template: array "
                               "index out of bounds: index %llu, length %llu",
                               text, (unsigned long long)work.index, (unsigned long long)work.item);
    (void)eval(work.behind, km_slice_of(envelope));
    return 0;
}
