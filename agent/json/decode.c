/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <string.h>

#define JSMN_STATIC
#ifdef __GNUC__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#endif
#include <jsmn.h>
#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif

#include "json_priv.h"

/* An open container; its fields' elements lie at elem. */
struct frame {
    char *
        elem; /* of the part that is being filled: where the present element is put, NULL = nowhere */
    uint16_t at, end; /* tokens: the next one, and the first behind the container */
    uint16_t node, place;
    bool object, marked; /* marked: that elements are missing is counted */
};

struct decoder {
    const struct km_schema *schema;
    struct km_slice text;
    char *record;
    uint32_t marked;
    uint8_t part, start_depth, depth; /* of the schema's node where the text starts; open frames */
    struct frame frames[KM_SCHEMA_DEPTH + 1];
};

/* After parsing, `size` holds the index of the token behind the value and all that it contains. */
static jsmntok_t tokens[CONFIG_KM_JSON_TOKEN_COUNT] KM_POOL_STORAGE(json_tokens);
static struct km_pool pool = {.name = "json_tokens", .size = CONFIG_KM_JSON_TOKEN_COUNT};

_Static_assert(CONFIG_KM_JSON_TOKEN_COUNT <= UINT16_MAX, "frames count tokens in 16 bits");

void json_decode_register(void)
{
    km_pool_register(&pool);
}

static struct km_slice contents(const struct decoder *d, const jsmntok_t *token)
{
    return (struct km_slice){d->text.ptr + token->start, (size_t)(token->end - token->start)};
}

/* The value as it stands in the text; jsmn leaves a string's quotes out. */
static struct km_slice whole(const struct decoder *d, const jsmntok_t *token)
{
    size_t quote = token->type == JSMN_STRING ? 1 : 0;
    struct km_slice text = contents(d, token);

    return (struct km_slice){text.ptr - quote, text.len + 2 * quote};
}

/* A container that was not parsed to its end, for want of tokens. */
static bool is_open(const jsmntok_t *token)
{
    return token->end < 0;
}

static bool has_mark(const struct decoder *d, const jsmntok_t *token)
{
    if (is_open(token))
        return true;
    struct km_slice value = whole(d, token);
    const char *behind = value.ptr + value.len;

    return behind < d->text.ptr + d->text.len && *behind == '\t';
}

static char first_byte(const struct decoder *d, const jsmntok_t *token)
{
    return d->text.ptr[token->start];
}

static bool is_number(const struct decoder *d, const jsmntok_t *token)
{
    char c = first_byte(d, token);

    return token->type == JSMN_PRIMITIVE && (c == '-' || (c >= '0' && c <= '9'));
}

static bool is_null(const struct decoder *d, const jsmntok_t *token)
{
    return token->type == JSMN_PRIMITIVE && first_byte(d, token) == 'n';
}

/* The types of field that take such a value. */
static unsigned takers(const struct decoder *d, const jsmntok_t *token)
{
    unsigned raw = JSON_TYPE_BIT(KM_F_RAW);

    if (token->type == JSMN_OBJECT)
        return raw | JSON_TYPE_BIT(KM_F_MAP);
    if (token->type == JSMN_ARRAY)
        return raw | JSON_TYPE_BIT(KM_F_ARRAY);
    if (token->type == JSMN_STRING)
        return raw | JSON_TYPE_BIT(KM_F_STRING);
    if (is_null(d, token))
        return ~0u;
    return raw | JSON_TYPE_BIT(is_number(d, token) ? KM_F_INT64 : KM_F_BOOL);
}

/* Whether anybody, of whichever part, wants such a value here or what is in it. */
static bool is_expected(const struct decoder *d, uint16_t node, const jsmntok_t *token)
{
    if (token->type == JSMN_OBJECT && json_takes_object(d->schema, node))
        return true;
    if ((token->type == JSMN_ARRAY || token->type == JSMN_OBJECT) &&
        json_takes_array(d->schema, node))
        return true;
    return is_null(d, token) || (d->schema->nodes[node].types & takers(d, token)) != 0;
}

/* ---- filling one field; false = marked ---- */

static bool parse_int64(struct km_slice text, int64_t *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t value = 0, max = (uint64_t)INT64_MAX + (negative ? 1 : 0);

    for (size_t i = negative ? 1 : 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.ptr[i] - '0');

        if (digit > 9 || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = !negative ? (int64_t)value : value > 0 ? -(int64_t)(value - 1) - 1 : 0;
    return true;
}

static bool fill_int64(const struct decoder *d, const jsmntok_t *token, char *dest)
{
    int64_t value;

    if (!is_number(d, token))
        return true;
    if (!parse_int64(contents(d, token), &value))
        return false;
    memcpy(dest, &value, sizeof value);
    return true;
}

static bool fill_bool(const struct decoder *d, const jsmntok_t *token, char *dest)
{
    bool value = token->type == JSMN_PRIMITIVE && first_byte(d, token) == 't';

    memcpy(dest, &value, sizeof value);
    return true;
}

static bool fill_raw(const struct decoder *d, const jsmntok_t *token, char *dest, size_t size)
{
    if (is_open(token) || (is_null(d, token) && has_mark(d, token)))
        return false;
    return km_slice_copy(whole(d, token), dest, size) == KM_OK;
}

static bool fill_scalar(const struct decoder *d, const struct km_field *field,
                        const jsmntok_t *token, char *dest)
{
    switch (field->type) {
    case KM_F_STRING:
        return token->type != JSMN_STRING || json_unescape(contents(d, token), dest, field->size);
    case KM_F_INT64:
        return fill_int64(d, token, dest);
    case KM_F_BOOL:
        return fill_bool(d, token, dest);
    case KM_F_RAW:
        return fill_raw(d, token, dest, field->size);
    default:
        return true;
    }
}

/* ---- walking ---- */

/* What the offsets of a field at this node count from; NULL when its element had no room. */
static char *base_of(const struct decoder *d, const struct km_schema_node *node)
{
    return node->base == 0 ? d->record : d->frames[node->base - 1 - d->start_depth].elem;
}

static void fill_node(struct decoder *d, uint16_t node, const jsmntok_t *token)
{
    unsigned marked = has_mark(d, token) ? takers(d, token) : 0;

    if (!is_expected(d, node, token))
        marked = ~0u;
    do {
        const struct km_schema_node *at = &d->schema->nodes[node];
        char *base = at->field != NULL && at->part == d->part ? base_of(d, at) : NULL;

        if (base != NULL && (!fill_scalar(d, at->field, token, base + at->field->offset) ||
                             (marked & JSON_TYPE_BIT(at->field->type)) != 0))
            d->marked++;
        node = at->also;
    } while (node != 0);
}

/* The field of the present part that takes this container's elements. */
static const struct km_schema_node *container_field(const struct decoder *d,
                                                    const struct frame *frame)
{
    enum km_field_type type = frame->object ? KM_F_MAP : KM_F_ARRAY;
    uint16_t node = frame->node;

    do {
        const struct km_schema_node *at = &d->schema->nodes[node];

        if (at->field != NULL && at->part == d->part && at->field->type == type)
            return at;
        node = at->also;
    } while (node != 0);
    return NULL;
}

/* Finds room for the next element, and puts a map's key into it. */
static void take_element(struct decoder *d, struct frame *frame, const jsmntok_t *key)
{
    const struct km_schema_node *node = container_field(d, frame);
    const struct km_field *field = node != NULL ? node->field : NULL;
    char *base = node != NULL ? base_of(d, node) : NULL;
    size_t count_at;
    uint16_t count;

    frame->elem = NULL;
    if (base == NULL)
        return;
    count_at = field->offset + (size_t)field->count_max * field->size;
    count_at += count_at % _Alignof(uint16_t);
    memcpy(&count, base + count_at, sizeof count);
    if (count >= field->count_max) {
        d->marked += frame->marked ? 0 : 1;
        frame->marked = true;
        return;
    }
    frame->elem = base + field->offset + (size_t)count * field->size;
    count++;
    memcpy(base + count_at, &count, sizeof count);
    if (key != NULL &&
        !json_unescape(contents(d, key), frame->elem + field->sub[0].offset, field->sub[0].size))
        d->marked++;
}

/* Whether the same name stands in the object once more: then that one counts. */
static bool comes_again(const struct decoder *d, const struct frame *frame)
{
    struct km_slice key = contents(d, &tokens[frame->at]);
    int next = tokens[frame->at].size;

    for (; next < frame->end; next = tokens[next].size) {
        if (json_same_key(key, contents(d, &tokens[next])))
            return true;
    }
    return false;
}

static void open_frame(struct decoder *d, uint16_t node, const jsmntok_t *token)
{
    struct frame *frame = &d->frames[d->depth];

    if (token->type != JSMN_OBJECT && token->type != JSMN_ARRAY)
        return;
    if (d->schema->nodes[node].first_child == 0)
        return;
    if (json_is_items(d->schema, node))
        return;
    *frame = (struct frame){.at = (uint16_t)(token - tokens + 1),
                            .end = (uint16_t)token->size,
                            .node = node,
                            .object = token->type == JSMN_OBJECT,
                            .marked = has_mark(d, token)};
    d->depth++;
}

static void take_member(struct decoder *d, struct frame *frame)
{
    const jsmntok_t *key = &tokens[frame->at];
    bool has_value = key->size > frame->at + 1;
    bool again = has_value && comes_again(d, frame);
    bool any = (d->schema->nodes[frame->node].types & JSON_TYPE_BIT(KM_F_MAP)) != 0;
    uint16_t child;

    frame->at = (uint16_t)key->size;
    if (again || !has_value)
        return;
    take_element(d, frame, key);
    child = json_child_of_key(d->schema, frame->node, contents(d, key), any);
    if (child == 0)
        return;
    fill_node(d, child, key + 1);
    open_frame(d, child, key + 1);
}

static void take_array_element(struct decoder *d, struct frame *frame)
{
    const jsmntok_t *token = &tokens[frame->at];
    uint16_t child = json_child_any(d->schema, frame->node);

    frame->at = (uint16_t)token->size;
    if (d->schema->nodes[frame->node].numbered)
        child = json_child_of_place(d->schema, frame->node, frame->place++);
    else
        take_element(d, frame, NULL);
    if (child == 0)
        return;
    fill_node(d, child, token);
    open_frame(d, child, token);
}

static void decode_part(struct decoder *d, uint16_t node)
{
    bool counted = (d->schema->nodes[node].types & takers(d, &tokens[0])) != 0;

    /* Members are missing at its end, whoever wanted them. */
    if (has_mark(d, &tokens[0]) && !counted)
        d->marked++;
    fill_node(d, node, &tokens[0]);
    open_frame(d, node, &tokens[0]);
    while (d->depth > 0) {
        struct frame *frame = &d->frames[d->depth - 1];

        if (frame->at >= frame->end)
            d->depth--;
        else if (frame->object)
            take_member(d, frame);
        else
            take_array_element(d, frame);
    }
}

/* Replaces each token's count of children by the index behind its last one. */
static void link_tokens(int count)
{
    for (int i = count - 1; i >= 0; i--) {
        int children = tokens[i].size, next = i + 1;

        while (children-- > 0 && next < count)
            next = tokens[next].size;
        tokens[i].size = next;
    }
}

/* The scanner goes first: jsmn takes much that is not JSON. Of a text with too many tokens the first ones stand. */
static int tokenize(struct km_slice text)
{
    struct km_json_scan scan;
    jsmn_parser parser;
    int err, count;

    if (text.len > INT_MAX)
        return KM_ERR_TOO_LONG;
    km_json_scan_init(&scan, false);
    err = km_json_scan_feed(&scan, text);
    if (err == KM_OK && km_json_scan_end(&scan) != KM_OK)
        err = KM_ERR_SYNTAX;
    if (err != KM_OK)
        return err;
    jsmn_init(&parser);
    count = jsmn_parse(&parser, text.ptr, text.len, tokens, CONFIG_KM_JSON_TOKEN_COUNT);
    if (count == JSMN_ERROR_NOMEM) {
        km_pool_refuse(&pool);
        return CONFIG_KM_JSON_TOKEN_COUNT;
    }
    return count > 0 ? count : KM_ERR_SYNTAX;
}

int km_json_decode(const struct km_schema *schema, bool item, struct km_slice text,
                   void *const dest[])
{
    struct decoder d = {.schema = schema, .text = text};
    uint16_t node = 0;
    int count;

    for (uint8_t i = 0; i < schema->part_count; i++) {
        if (dest[i] != NULL)
            memset(dest[i], 0, schema->parts[i].kind->record_size);
    }
    if (item && schema->items == NULL)
        return KM_ERR_ARG;
    if (item) {
        node = json_child_any(schema, schema->items_node);
        d.start_depth = (uint8_t)(schema->items_depth + 1);
    }
    count = tokenize(text);
    if (count < 0)
        return count;
    km_pool_take(&pool, (uint32_t)count);
    link_tokens(count);
    for (uint8_t i = 0; i < schema->part_count; i++) {
        if (dest[i] == NULL)
            continue;
        d.part = i;
        d.record = dest[i];
        d.marked = 0;
        decode_part(&d, node);
        memcpy(dest[i], &d.marked, sizeof d.marked);
    }
    km_pool_give(&pool, (uint32_t)count);
    return KM_OK;
}
