/* SPDX-License-Identifier: Apache-2.0 */
#include "doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 64
#define SEGMENT_SIZE 320

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

static char *keep(const char *text, size_t len)
{
    char *copy = must(malloc(len + 1));

    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static struct doc *make(enum doc_type type)
{
    struct doc *d = must(calloc(1, sizeof *d));

    d->type = type;
    return d;
}

void doc_free(struct doc *doc)
{
    while (doc != NULL) {
        struct doc *next = doc->next;

        doc_free(doc->first);
        free(doc->key);
        free(doc->text);
        free(doc);
        doc = next;
    }
}

/* ---- parse ---- */

struct parser {
    const char *at, *end;
    int depth;
};

static struct doc *parse_value(struct parser *p);

static void blanks(struct parser *p)
{
    while (p->at < p->end && strchr(" \t\r\n", *p->at) != NULL)
        p->at++;
}

static bool take(struct parser *p, char c)
{
    blanks(p);
    if (p->at >= p->end || *p->at != c)
        return false;
    p->at++;
    return true;
}

static size_t put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
}

static bool parse_escape(struct parser *p, char *out, size_t *len)
{
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *found;
    unsigned code;

    if (p->at >= p->end)
        return false;
    if (*p->at == 'u') {
        if (p->end - p->at < 5 || sscanf(p->at + 1, "%4x", &code) != 1)
            return false;
        p->at += 5;
        *len += put_utf8(out + *len, code);
        return true;
    }
    found = strchr(plain, *p->at);
    if (found == NULL || *found == '\0')
        return false;
    out[(*len)++] = meant[found - plain];
    p->at++;
    return true;
}

/* Up to the closing quote: decoded text is never longer than it stood. */
static size_t string_room(const struct parser *p)
{
    const char *at = p->at;

    while (at < p->end && *at != '"')
        at += *at == '\\' ? 2 : 1;
    return (size_t)(at - p->at) + 4;
}

static char *parse_string(struct parser *p)
{
    char *out;
    size_t len = 0;

    if (!take(p, '"'))
        return NULL;
    out = must(malloc(string_room(p)));
    while (p->at < p->end && *p->at != '"') {
        if ((unsigned char)*p->at < 0x20)
            break;
        if (*p->at != '\\') {
            out[len++] = *p->at++;
            continue;
        }
        p->at++;
        if (!parse_escape(p, out, &len))
            break;
    }
    if (!take(p, '"')) {
        free(out);
        return NULL;
    }
    out[len] = '\0';
    return out;
}

static bool parse_member(struct parser *p, struct doc *into, struct doc ***end)
{
    char *key = into->type == DOC_OBJECT ? parse_string(p) : NULL;
    struct doc *value = NULL;

    if (into->type != DOC_OBJECT || (key != NULL && take(p, ':')))
        value = parse_value(p);
    if (value == NULL) {
        free(key);
        return false;
    }
    value->key = key;
    **end = value;
    *end = &value->next;
    return true;
}

static struct doc *parse_container(struct parser *p, enum doc_type type, char close)
{
    struct doc *d = make(type), **end = &d->first;
    bool ok = take(p, close);

    if (ok)
        return d;
    if (++p->depth < DEPTH) {
        do
            ok = parse_member(p, d, &end);
        while (ok && take(p, ','));
    }
    p->depth--;
    if (ok && take(p, close))
        return d;
    doc_free(d);
    return NULL;
}

static struct doc *parse_plain(struct parser *p)
{
    const char *start = p->at;
    struct doc *d;
    size_t len;

    while (p->at < p->end && strchr(",]} \t\r\n", *p->at) == NULL)
        p->at++;
    len = (size_t)(p->at - start);
    if (len == 4 && memcmp(start, "null", 4) == 0)
        d = make(DOC_NULL);
    else if ((len == 4 && memcmp(start, "true", 4) == 0) ||
             (len == 5 && memcmp(start, "false", 5) == 0))
        d = make(DOC_BOOL);
    else if (len > 0 && strchr("-0123456789", *start) != NULL)
        d = make(DOC_NUMBER);
    else
        return NULL;
    d->text = keep(start, len);
    return d;
}

static struct doc *parse_value(struct parser *p)
{
    blanks(p);
    if (p->at >= p->end)
        return NULL;
    if (*p->at == '"') {
        char *text = parse_string(p);
        struct doc *d = text == NULL ? NULL : make(DOC_STRING);

        if (d != NULL)
            d->text = text;
        return d;
    }
    if (take(p, '{'))
        return parse_container(p, DOC_OBJECT, '}');
    if (take(p, '['))
        return parse_container(p, DOC_ARRAY, ']');
    return parse_plain(p);
}

struct doc *doc_parse(const char *text, size_t len)
{
    struct parser p = {.at = text, .end = text + len};
    struct doc *d = parse_value(&p);

    blanks(&p);
    if (d == NULL || p.at == p.end)
        return d;
    doc_free(d);
    return NULL;
}

struct doc *doc_of(const char *text)
{
    struct doc *d = doc_parse(text, strlen(text));

    if (d == NULL) {
        fprintf(stderr, "the test's own text is no JSON: %s\n", text);
        abort();
    }
    return d;
}

struct doc *doc_copy(const struct doc *doc)
{
    struct doc *d = make(doc->type), **end = &d->first;

    d->key = doc->key == NULL ? NULL : keep(doc->key, strlen(doc->key));
    d->text = doc->text == NULL ? NULL : keep(doc->text, strlen(doc->text));
    for (const struct doc *child = doc->first; child != NULL; child = child->next) {
        *end = doc_copy(child);
        end = &(*end)->next;
    }
    return d;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool doc_same(const struct doc *a, const struct doc *b)
{
    const struct doc *x = a->first, *y = b->first;

    if (a->type != b->type || !same_text(a->key, b->key) || !same_text(a->text, b->text))
        return false;
    for (; x != NULL && y != NULL; x = x->next, y = y->next) {
        if (!doc_same(x, y))
            return false;
    }
    return x == y;
}

/* ---- look up ---- */

/* The next segment of a pointer, unescaped; path moves behind it. */
static bool next_segment(const char **path, char out[SEGMENT_SIZE])
{
    size_t len = 0;
    const char *at = *path;

    if (*at == '\0')
        return false;
    if (*at++ != '/')
        abort();
    for (; *at != '\0' && *at != '/'; at++) {
        if (len + 1 >= SEGMENT_SIZE)
            abort();
        if (*at == '~') {
            at++;
            out[len++] = *at == '1' ? '/' : '~';
        } else {
            out[len++] = *at;
        }
    }
    out[len] = '\0';
    *path = at;
    return true;
}

static struct doc *child_of(const struct doc *doc, const char *segment)
{
    long index = doc->type == DOC_ARRAY ? strtol(segment, NULL, 10) : 0;

    if (doc->type != DOC_ARRAY && doc->type != DOC_OBJECT)
        return NULL;
    for (struct doc *child = doc->first; child != NULL; child = child->next) {
        if (doc->type == DOC_ARRAY ? index-- == 0 : strcmp(child->key, segment) == 0)
            return child;
    }
    return NULL;
}

struct doc *doc_find(const struct doc *doc, const char *path)
{
    char segment[SEGMENT_SIZE];
    struct doc *at = NULL;

    if (doc == NULL || *path == '\0')
        abort();
    while (next_segment(&path, segment)) {
        at = child_of(at == NULL ? doc : at, segment);
        if (at == NULL)
            return NULL;
    }
    return at;
}

const char *doc_text(const struct doc *doc, const char *path)
{
    const struct doc *d = doc_find(doc, path);

    return d == NULL || d->text == NULL ? "" : d->text;
}

struct doc *doc_element(const struct doc *doc, const char *path, const char *key, const char *value)
{
    const struct doc *list = doc_find(doc, path);

    for (struct doc *e = list == NULL ? NULL : list->first; e != NULL; e = e->next) {
        const struct doc *member = e->type == DOC_OBJECT ? child_of(e, key) : NULL;

        if (member != NULL && member->text != NULL && strcmp(member->text, value) == 0)
            return e;
    }
    return NULL;
}

size_t doc_count(const struct doc *doc, const char *path)
{
    const struct doc *d = doc_find(doc, path);
    size_t count = 0;

    for (const struct doc *child = d == NULL ? NULL : d->first; child != NULL; child = child->next)
        count++;
    return count;
}

/* ---- edit ---- */

static void unlink_child(struct doc *doc, struct doc *child)
{
    struct doc **place = &doc->first;

    while (*place != child)
        place = &(*place)->next;
    *place = child->next;
    child->next = NULL;
    doc_free(child);
}

/* Takes value over: in the place of the member of that name, or at the end. */
static void set_member(struct doc *doc, const char *key, struct doc *value)
{
    struct doc **place = &doc->first;

    free(value->key);
    value->key = doc->type == DOC_OBJECT ? keep(key, strlen(key)) : NULL;
    while (*place != NULL && (doc->type != DOC_OBJECT || strcmp((*place)->key, key) != 0))
        place = &(*place)->next;
    value->next = NULL;
    if (*place != NULL) {
        struct doc *old = *place;

        value->next = old->next;
        old->next = NULL;
        doc_free(old);
    }
    *place = value;
}

void doc_put(struct doc *doc, const char *path, struct doc *value)
{
    char segment[SEGMENT_SIZE];

    while (next_segment(&path, segment)) {
        struct doc *child = child_of(doc, segment);

        if (*path == '\0') {
            set_member(doc, segment, value);
            return;
        }
        if (child == NULL) {
            set_member(doc, segment, make(DOC_OBJECT));
            child = child_of(doc, segment);
        }
        doc = child;
    }
}

void doc_put_text(struct doc *doc, const char *path, const char *text)
{
    struct doc *value = make(DOC_STRING);

    value->text = keep(text, strlen(text));
    doc_put(doc, path, value);
}

void doc_put_json(struct doc *doc, const char *path, const char *json)
{
    doc_put(doc, path, doc_of(json));
}

void doc_drop(struct doc *doc, const char *path)
{
    char segment[SEGMENT_SIZE];

    while (doc != NULL && next_segment(&path, segment)) {
        struct doc *child = child_of(doc, segment);

        if (*path == '\0' && child != NULL)
            unlink_child(doc, child);
        doc = child;
    }
}

/* ---- patch ---- */

void doc_merge(struct doc *to, const struct doc *patch)
{
    for (const struct doc *p = patch->first; p != NULL; p = p->next) {
        struct doc *have = child_of(to, p->key);

        if (p->type == DOC_NULL) {
            if (have != NULL)
                unlink_child(to, have);
        } else if (p->type == DOC_OBJECT) {
            if (have == NULL || have->type != DOC_OBJECT)
                set_member(to, p->key, make(DOC_OBJECT));
            doc_merge(child_of(to, p->key), p);
        } else {
            set_member(to, p->key, doc_copy(p));
        }
    }
}

static const char *merge_key(const char *list)
{
    if (strcmp(list, "conditions") == 0 || strcmp(list, "addresses") == 0)
        return "type";
    return strcmp(list, "ownerReferences") == 0 ? "uid" : NULL;
}

static const char *directive(const struct doc *element)
{
    const struct doc *d = element->type == DOC_OBJECT ? child_of(element, "$patch") : NULL;

    return d == NULL ? "" : d->text;
}

static bool is_replaced(const struct doc *patch)
{
    for (const struct doc *e = patch->first; e != NULL; e = e->next) {
        if (strcmp(directive(e), "replace") == 0)
            return true;
    }
    return false;
}

static struct doc *element_of(struct doc *list, const char *key, const char *value)
{
    for (struct doc *e = list->first; e != NULL; e = e->next) {
        const struct doc *member = child_of(e, key);

        if (member != NULL && strcmp(member->text, value) == 0)
            return e;
    }
    return NULL;
}

static void merge_list(struct doc *to, const struct doc *patch, const char *key)
{
    bool replaced = is_replaced(patch);

    if (replaced) {
        doc_free(to->first);
        to->first = NULL;
    }
    for (const struct doc *e = patch->first; e != NULL; e = e->next) {
        const struct doc *value = child_of(e, key);
        struct doc *have = value == NULL || replaced ? NULL : element_of(to, key, value->text);

        if (strcmp(directive(e), "replace") == 0)
            continue;
        if (strcmp(directive(e), "delete") == 0) {
            if (have != NULL)
                unlink_child(to, have);
        } else if (have != NULL) {
            doc_strategic(have, e);
        } else {
            set_member(to, "", doc_copy(e));
        }
    }
}

void doc_strategic(struct doc *to, const struct doc *patch)
{
    for (const struct doc *p = patch->first; p != NULL; p = p->next) {
        struct doc *have = child_of(to, p->key);
        const char *key = merge_key(p->key);

        if (p->type == DOC_NULL) {
            if (have != NULL)
                unlink_child(to, have);
        } else if (p->type == DOC_OBJECT || (p->type == DOC_ARRAY && key != NULL)) {
            if (have == NULL || have->type != p->type)
                set_member(to, p->key, make(p->type));
            have = child_of(to, p->key);
            if (p->type == DOC_OBJECT)
                doc_strategic(have, p);
            else
                merge_list(have, p, key);
        } else {
            set_member(to, p->key, doc_copy(p));
        }
    }
}
