/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>
#include <yaml.h>

#include "kubemote/km_kubeconfig.h"
#include "kubemote/km_yaml.h"
#include "manifest_priv.h"

/*
 * Events become JSON text as they come. While a map is open, each member is followed by a comma and listed by hash and place,
 * so that a key that comes again, by itself or by a merge, takes the earlier one out. The text of a node with an anchor is
 * kept, and an alias appends it.
 */

struct frame {
    bool map, key_seen;
    bool merging;    /* the value to come goes into the map itself */
    uint32_t first;  /* of the map's members in the list */
    uint32_t start;  /* where the container's text begins */
    uint16_t anchor; /* 1-based, 0: none */
    bool is_key;     /* of the map around it */
};

struct anchor {
    struct km_slice name, text;
    bool open; /* its node has not ended */
};

struct converter {
    const struct km_manifest *m;
    struct km_fault *fault;
    size_t first_line;
    struct km_buf json, kept;
    uint32_t member_count;
    uint16_t depth, anchor_count;
    bool done;
    struct frame frames[KM_MANIFEST_DEPTH];
    struct anchor anchors[KM_MANIFEST_ANCHORS];
};

__attribute__((format(printf, 3, 4))) static int fail(const struct converter *c, size_t line,
                                                      const char *format, ...)
{
    char words_[200];
    va_list args;

    va_start(args, format);
    if (km_format_list(words_, sizeof words_, format, args) < 0)
        words_[0] = '\0';
    va_end(args);
    return km_fault_set(c->fault, KM_ERR_CONFIG, "%s:%lu: %s", km_path_tail(c->m->name),
                        (unsigned long)(c->first_line + line), words_);
}

static int too_large(const struct converter *c, size_t line)
{
    return fail(c, line, "the document needs more than %lu bytes as JSON",
                (unsigned long)c->m->work.json_size);
}

static struct km_slice json_from(const struct converter *c, size_t start)
{
    return (struct km_slice){c->json.data + start, c->json.len - start};
}

static void cut_out(struct converter *c, size_t start, size_t len)
{
    memmove(c->json.data + start, c->json.data + start + len, c->json.len - start - len + 1);
    c->json.len -= len;
}

/* ---- members of a map ---- */

static struct km_slice key_at(const struct converter *c, size_t start)
{
    struct km_slice rest = json_from(c, start);
    return (struct km_slice){rest.ptr, json_value_len(rest)};
}

/* The listed member with the same key, member_count when there is none. */
static uint32_t find_member(const struct converter *c, const struct frame *map, struct km_slice key,
                            uint32_t hash)
{
    const struct km_manifest_member *members = c->m->work.members;

    for (uint32_t i = map->first; i < c->member_count; i++) {
        if (members[i].hash == hash && km_slice_eq(key_at(c, members[i].start), key))
            return i;
    }
    return c->member_count;
}

static void remove_member(struct converter *c, uint32_t index, size_t end)
{
    struct km_manifest_member *members = c->m->work.members;
    uint32_t start = members[index].start, len;

    if (index + 1 < c->member_count)
        end = members[index + 1].start;
    len = (uint32_t)end - start;
    cut_out(c, start, len);
    for (uint32_t i = index + 1; i < c->member_count; i++) {
        members[i - 1] = members[i];
        members[i - 1].start -= len;
    }
    c->member_count--;
}

static int list_member(struct converter *c, uint32_t hash, size_t start, size_t line)
{
    if (c->member_count == c->m->work.member_count)
        return fail(c, line, "more than %lu keys in the maps around this place",
                    (unsigned long)c->m->work.member_count);
    c->m->work.members[c->member_count++] =
        (struct km_manifest_member){.hash = hash, .start = (uint32_t)start};
    return KM_OK;
}

/* The text from start on is a key: lists it, takes an earlier one out and puts the colon. */
static int finish_key(struct converter *c, size_t start, size_t line)
{
    struct frame *map = &c->frames[c->depth - 1];
    struct km_slice key = json_from(c, start);
    uint32_t hash = km_hash(key, 0), old = find_member(c, map, key, hash);

    if (old < c->member_count) {
        size_t len = c->json.len;
        remove_member(c, old, start);
        start -= len - c->json.len;
    }
    km_buf_putc(&c->json, ':');
    map->key_seen = true;
    return list_member(c, hash, start, line);
}

/* Members from *at up to `end`, each with its comma, come to those of the map. A key that the same merge brought before
   stays; a key that stood there goes. */
static int merge_members(struct converter *c, uint32_t *first_merged, size_t at, size_t end,
                         size_t *new_end, size_t line)
{
    struct frame *map = &c->frames[c->depth - 1];

    while (at < end) {
        struct km_slice key = key_at(c, at);
        uint32_t hash = km_hash(key, 0), old = find_member(c, map, key, hash);
        size_t len = key.len + 1, before = c->json.len;
        len += json_value_len(json_from(c, at + len)) + 1;
        if (old < c->member_count && old >= *first_merged) {
            cut_out(c, at, len);
            end -= len;
            continue;
        }
        if (old < c->member_count) {
            remove_member(c, old, at);
            at -= before - c->json.len;
            end -= before - c->json.len;
            (*first_merged)--;
        }
        int err = list_member(c, hash, at, line);
        if (err != KM_OK)
            return err;
        at += len;
    }
    *new_end = end;
    return KM_OK;
}

/* {...} at `at`, with one byte behind it, becomes its members, each with a comma. Returns where they end. */
static size_t open_braces(struct converter *c, size_t at)
{
    size_t len = json_value_len(json_from(c, at));

    if (len == 2) {
        cut_out(c, at, 3);
        return at;
    }
    c->json.data[at + len - 1] = ',';
    cut_out(c, at + len, 1);
    cut_out(c, at, 1);
    return at + len - 1;
}

static int merge_value(struct converter *c, size_t start, bool alias, size_t line)
{
    static const char wrong[] = "<<: expected a map or a list of maps";
    uint32_t first_merged = c->member_count;
    char kind = c->json.data[start];

    if (kind != '{' && (kind != '[' || alias))
        return fail(c, line, "%s", wrong);
    km_buf_putc(&c->json, ',');
    if (c->json.overflow)
        return too_large(c, line);
    if (kind == '{')
        return merge_members(c, &first_merged, start, open_braces(c, start), &start, line);
    /* [{...},{...}], becomes {...},{...}, */
    if (c->json.len - start == 3) {
        cut_out(c, start, 3);
        return KM_OK;
    }
    cut_out(c, c->json.len - 2, 1);
    cut_out(c, start, 1);
    while (start < c->json.len) {
        if (c->json.data[start] != '{')
            return fail(c, line, "%s", wrong);
        int err = merge_members(c, &first_merged, start, open_braces(c, start), &start, line);
        if (err != KM_OK)
            return err;
    }
    return KM_OK;
}

/* ---- anchors ---- */

static int open_anchor(struct converter *c, const yaml_char_t *name, size_t line, uint16_t *anchor)
{
    *anchor = 0;
    if (name == NULL)
        return KM_OK;
    struct km_slice text = km_slice_of((const char *)name);
    if (c->anchor_count == KM_MANIFEST_ANCHORS)
        return fail(c, line, "more than %d anchors", KM_MANIFEST_ANCHORS);
    size_t at = c->kept.len;
    km_buf_put_slice(&c->kept, text);
    if (c->kept.overflow)
        return fail(c, line, "anchors need more than %lu bytes",
                    (unsigned long)c->m->work.anchors_size);
    c->anchors[c->anchor_count++] =
        (struct anchor){.name = {c->kept.data + at, text.len}, .open = true};
    *anchor = c->anchor_count;
    return KM_OK;
}

static int close_anchor(struct converter *c, uint16_t anchor, struct km_slice text, size_t line)
{
    if (anchor == 0)
        return KM_OK;
    size_t at = c->kept.len;
    km_buf_put_slice(&c->kept, text);
    if (c->kept.overflow)
        return fail(c, line, "anchors need more than %lu bytes",
                    (unsigned long)c->m->work.anchors_size);
    c->anchors[anchor - 1].text = (struct km_slice){c->kept.data + at, text.len};
    c->anchors[anchor - 1].open = false;
    return KM_OK;
}

static const struct anchor *find_anchor(const struct converter *c, struct km_slice name)
{
    for (uint16_t i = c->anchor_count; i > 0; i--) {
        if (km_slice_eq(c->anchors[i - 1].name, name))
            return &c->anchors[i - 1];
    }
    return NULL;
}

/* ---- values ---- */

static bool key_is_next(const struct converter *c)
{
    return c->depth > 0 && c->frames[c->depth - 1].map && !c->frames[c->depth - 1].key_seen;
}

/* The text from start on is a whole value. */
static int finish_value(struct converter *c, size_t start, bool alias, size_t line)
{
    if (c->json.overflow)
        return too_large(c, line);
    if (c->depth == 0)
        return KM_OK;
    struct frame *frame = &c->frames[c->depth - 1];
    frame->key_seen = false;
    if (frame->merging) {
        frame->merging = false;
        return merge_value(c, start, alias, line);
    }
    km_buf_putc(&c->json, ',');
    return c->json.overflow ? too_large(c, line) : KM_OK;
}

/* Decoded at the far end of the buffer, then escaped to where it belongs. */
static int put_binary(struct converter *c, struct km_slice text, size_t line)
{
    size_t room = c->json.size - c->json.len, most = text.len / 4 * 3 + 3;

    if (room / 8 < most)
        return too_large(c, line);
    char *at = c->json.data + c->json.size - most;
    int len = km_base64_decode(text, at, most);
    if (len < 0)
        return fail(c, line, "!!binary: malformed base64");
    json_put_string(&c->json, (struct km_slice){at, (size_t)len});
    return KM_OK;
}

static int put_scalar(struct converter *c, const yaml_event_t *event, bool as_key)
{
    struct km_slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    const char *tag = (const char *)event->data.scalar.tag;
    size_t line = event->start_mark.line;
    char number[SCALAR_NUMBER_SIZE], key[SCALAR_NUMBER_SIZE];
    enum scalar_type type = SCALAR_STRING;

    if (tag != NULL || event->data.scalar.plain_implicit)
        type = scalar_resolve(tag, text, number);
    switch (type) {
    case SCALAR_NULL:
        km_buf_puts(&c->json, "null");
        return as_key ? fail(c, line, "expected a key, which is a string, not null") : KM_OK;
    case SCALAR_TRUE:
    case SCALAR_FALSE:
        km_buf_puts(&c->json, as_key ? "\"" : "");
        km_buf_puts(&c->json, type == SCALAR_TRUE ? "true" : "false");
        km_buf_puts(&c->json, as_key ? "\"" : "");
        return KM_OK;
    case SCALAR_INT:
    case SCALAR_FLOAT:
        if (!as_key) {
            km_buf_puts(&c->json, number);
            return KM_OK;
        }
        if (type == SCALAR_FLOAT)
            scalar_float_key(number, key);
        if (type == SCALAR_INT && number[0] != '-' &&
            (strlen(number) > 19 ||
             (strlen(number) == 19 && strcmp(number, "9223372036854775807") > 0)))
            return fail(c, line, "expected a key, which is a string: put this number in quotes");
        json_put_string(&c->json, km_slice_of(type == SCALAR_FLOAT ? key : number));
        return KM_OK;
    case SCALAR_BINARY:
        return put_binary(c, text, line);
    case SCALAR_NO_JSON:
        return fail(c, line, "an infinite number and no number have no place in JSON");
    case SCALAR_WRONG_TAG:
        return fail(c, line, "the value does not fit its tag %.40s", tag);
    default:
        json_put_string(&c->json, text);
        return KM_OK;
    }
}

static bool is_merge(const yaml_event_t *event)
{
    struct km_slice text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    const char *tag = (const char *)event->data.scalar.tag;

    return km_slice_eq_str(text, "<<") &&
           (event->data.scalar.plain_implicit ||
            (tag != NULL && strcmp(tag, "tag:yaml.org,2002:merge") == 0));
}

static int take_key(struct converter *c, const yaml_event_t *event)
{
    size_t start = c->json.len, line = event->start_mark.line;
    uint16_t anchor;

    if (is_merge(event)) {
        c->frames[c->depth - 1].merging = c->frames[c->depth - 1].key_seen = true;
        return KM_OK;
    }
    int err = open_anchor(c, event->data.scalar.anchor, line, &anchor);
    if (err == KM_OK && anchor != 0) {
        err = put_scalar(c, event, false);
        if (err == KM_OK)
            err = close_anchor(c, anchor, json_from(c, start), line);
        c->json.len = start;
    }
    if (err == KM_OK)
        err = put_scalar(c, event, true);
    if (err == KM_OK && c->json.overflow)
        err = too_large(c, line);
    return err == KM_OK ? finish_key(c, start, line) : err;
}

static int take_scalar(struct converter *c, const yaml_event_t *event)
{
    size_t start = c->json.len, line = event->start_mark.line;
    uint16_t anchor;

    if (key_is_next(c))
        return take_key(c, event);
    int err = open_anchor(c, event->data.scalar.anchor, line, &anchor);
    if (err == KM_OK)
        err = put_scalar(c, event, false);
    if (err == KM_OK)
        err = close_anchor(c, anchor, json_from(c, start), line);
    return err == KM_OK ? finish_value(c, start, false, line) : err;
}

/* What an alias stands for, as a key: a string as it is, a number or a word in quotes. */
static int take_alias_key(struct converter *c, struct km_slice text, size_t line)
{
    size_t start = c->json.len;
    bool string = text.ptr[0] == '"';

    if (text.ptr[0] == '{' || text.ptr[0] == '[' || km_slice_eq_str(text, "null"))
        return fail(c, line, "expected a key, which is a string");
    km_buf_puts(&c->json, string ? "" : "\"");
    km_buf_put_slice(&c->json, text);
    km_buf_puts(&c->json, string ? "" : "\"");
    return c->json.overflow ? too_large(c, line) : finish_key(c, start, line);
}

static int take_alias(struct converter *c, const yaml_event_t *event)
{
    struct km_slice name = km_slice_of((const char *)event->data.alias.anchor);
    const struct anchor *anchor = find_anchor(c, name);
    size_t start = c->json.len, line = event->start_mark.line;

    if (anchor == NULL)
        return fail(c, line, "unknown anchor \"%.40s\"", name.ptr);
    if (anchor->open)
        return fail(c, line, "the anchor \"%.40s\" contains itself", name.ptr);
    if (key_is_next(c))
        return take_alias_key(c, anchor->text, line);
    km_buf_put_slice(&c->json, anchor->text);
    return finish_value(c, start, true, line);
}

/* ---- containers ---- */

static int open_container(struct converter *c, const yaml_event_t *event, bool map)
{
    const yaml_char_t *name =
        map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    size_t line = event->start_mark.line;
    uint16_t anchor;

    if (key_is_next(c))
        return fail(c, line, "expected a key, which is a string, not a %s", map ? "map" : "list");
    if (c->depth == KM_MANIFEST_DEPTH)
        return fail(c, line, "nested deeper than %d levels", KM_MANIFEST_DEPTH);
    int err = open_anchor(c, name, line, &anchor);
    if (err != KM_OK)
        return err;
    c->frames[c->depth++] = (struct frame){
        .map = map, .first = c->member_count, .start = (uint32_t)c->json.len, .anchor = anchor};
    km_buf_putc(&c->json, map ? '{' : '[');
    return KM_OK;
}

static int close_container(struct converter *c, const yaml_event_t *event)
{
    const struct frame frame = c->frames[--c->depth];
    size_t line = event->start_mark.line;

    if (c->json.overflow)
        return too_large(c, line);
    if (c->json.len > frame.start + 1) {
        c->json.len--; /* the last comma */
        c->json.data[c->json.len] = '\0';
    }
    km_buf_putc(&c->json, frame.map ? '}' : ']');
    c->member_count = frame.first;
    int err = close_anchor(c, frame.anchor, json_from(c, frame.start), line);
    return err == KM_OK ? finish_value(c, frame.start, false, line) : err;
}

/* ---- the parser ---- */

static int take_event(struct converter *c, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return take_alias(c, event);
    case YAML_SCALAR_EVENT:
        return take_scalar(c, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(c, event, false);
    case YAML_MAPPING_START_EVENT:
        return open_container(c, event, true);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_container(c, event);
    case YAML_DOCUMENT_END_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_NO_EVENT:
        c->done = true;
        return KM_OK;
    default:
        return KM_OK;
    }
}

static int parser_error(const struct converter *c, const yaml_parser_t *parser)
{
    const char *problem = parser->problem != NULL ? parser->problem : "malformed";

    if (parser->error == YAML_MEMORY_ERROR)
        return fail(c, 0, "the heap is full");
    if (parser->error == YAML_READER_ERROR)
        return fail(c, parser->mark.line, "%s", problem);
    if (parser->context != NULL)
        return fail(c, parser->problem_mark.line, "%s, %s that begins in line %lu", problem,
                    parser->context, (unsigned long)(c->first_line + parser->context_mark.line));
    return fail(c, parser->problem_mark.line, "%s", problem);
}

static int run(struct converter *c, struct km_slice text)
{
    yaml_parser_t parser;
    yaml_event_t event;
    int err = KM_OK;

    if (!yaml_parser_initialize(&parser))
        return fail(c, 0, "the heap is full");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    while (err == KM_OK && !c->done) {
        if (!yaml_parser_parse(&parser, &event)) {
            err = parser_error(c, &parser);
            break;
        }
        err = take_event(c, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return err;
}

int manifest_yaml(const struct km_manifest *m, struct km_slice text, size_t first_line,
                  struct km_slice *json, struct km_fault *fault)
{
    /* Static, since it is too large for the stack; nothing in here calls back. */
    static struct converter c KM_POOL_STORAGE(manifest_yaml);

    memset(&c, 0, sizeof c);
    c.m = m;
    c.fault = fault;
    c.first_line = first_line;
    km_buf_init(&c.json, m->work.json, m->work.json_size);
    km_buf_init(&c.kept, m->work.anchors, m->work.anchors_size);
    int err = run(&c, text);
    if (err == KM_OK && c.json.len == 0)
        km_buf_puts(&c.json, "null");
    *json = km_buf_slice(&c.json);
    return err;
}
