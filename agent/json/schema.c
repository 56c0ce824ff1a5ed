/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "json_priv.h"

#define SCALAR_BITS \
    (JSON_TYPE_BIT(KM_F_STRING) | JSON_TYPE_BIT(KM_F_INT64) | JSON_TYPE_BIT(KM_F_BOOL))
#define CONTAINER_BITS (JSON_TYPE_BIT(KM_F_ARRAY) | JSON_TYPE_BIT(KM_F_MAP))

/* Fields of one table, to be put below `node`, which lies at `depth`. */
struct table {
    const struct km_field *fields;
    uint16_t first, count;
    uint16_t node;
    uint8_t part, base, depth;
};

/* ---- reading the tree ---- */

uint16_t json_child_any(const struct km_schema *schema, uint16_t node)
{
    uint16_t child = schema->nodes[node].first_child;

    return child != 0 && schema->nodes[child].segment == NULL ? child : 0;
}

uint16_t json_child_of_key(const struct km_schema *schema, uint16_t node, struct km_slice key,
                           bool escaped, bool any)
{
    unsigned char first = key.len > 0 ? (unsigned char)key.ptr[0] : 0;
    uint16_t child = schema->nodes[node].first_child;

    if (!escaped && (schema->nodes[node].names & json_name_bit(first, key.len)) == 0)
        child = 0;
    for (; child != 0; child = schema->nodes[child].next) {
        const struct km_schema_node *at = &schema->nodes[child];

        if (at->plain && !escaped) {
            if (at->segment_len == key.len && memcmp(at->segment, key.ptr, key.len) == 0)
                return child;
        } else if (at->segment != NULL && json_segment_is(at->segment, at->segment_len, key)) {
            return child;
        }
    }
    return any ? json_child_any(schema, node) : 0;
}

uint16_t json_child_of_place(const struct km_schema *schema, uint16_t node, uint32_t place)
{
    uint16_t child = schema->nodes[node].first_child;
    uint32_t named;

    for (; child != 0; child = schema->nodes[child].next) {
        const struct km_schema_node *at = &schema->nodes[child];

        if (at->segment != NULL && json_segment_place(at->segment, at->segment_len, &named) &&
            named == place)
            return child;
    }
    return 0;
}

bool json_is_items(const struct km_schema *schema, uint16_t node)
{
    return schema->items != NULL && node == schema->items_node;
}

bool json_takes_object(const struct km_schema *schema, uint16_t node)
{
    uint16_t first = schema->nodes[node].first_child, any = json_child_any(schema, node);

    if ((schema->nodes[node].types & JSON_TYPE_BIT(KM_F_MAP)) != 0)
        return true;
    return first != 0 && (any == 0 || schema->nodes[any].next != 0);
}

bool json_takes_array(const struct km_schema *schema, uint16_t node)
{
    return (schema->nodes[node].types & JSON_TYPE_BIT(KM_F_ARRAY)) != 0 ||
           json_is_items(schema, node) || schema->nodes[node].numbered;
}

/* ---- making it ---- */

static int new_node(struct km_schema *schema, uint16_t *id)
{
    if (schema->node_count >= schema->node_size)
        return KM_ERR_FULL;
    *id = schema->node_count++;
    memset(&schema->nodes[*id], 0, sizeof schema->nodes[*id]);
    return KM_OK;
}

/* The same segment in another spelling would be another child: pointers have one spelling for each name but for none. */
static uint16_t find_child(const struct km_schema *schema, uint16_t parent, const char *segment,
                           size_t len)
{
    uint16_t child = schema->nodes[parent].first_child;

    for (; child != 0; child = schema->nodes[child].next) {
        const struct km_schema_node *at = &schema->nodes[child];

        if (segment == NULL ? at->segment == NULL
                            : at->segment != NULL && at->segment_len == len &&
                                  memcmp(at->segment, segment, len) == 0)
            return child;
    }
    return 0;
}

/* Of the name that a segment stands for: ~0 and ~1 are one character. */
static uint32_t segment_bit(const char *segment, size_t len)
{
    unsigned char first = len == 0 ? 0 : (unsigned char)segment[0];
    size_t name_len = len;

    if (first == '~')
        first = segment[1] == '0' ? '~' : '/';
    for (size_t i = 0; i < len; i++)
        name_len -= segment[i] == '~';
    return json_name_bit(first, name_len);
}

/* The child for a segment, made if it is not there yet; the any-child stands first. */
static int take_child(struct km_schema *schema, uint16_t parent, const char *segment, size_t len,
                      uint16_t *id)
{
    uint16_t *link = &schema->nodes[parent].first_child;
    uint32_t place;
    int err;

    *id = find_child(schema, parent, segment, len);
    if (*id != 0)
        return KM_OK;
    if (len > CONFIG_KM_JSON_KEY_BYTES)
        return KM_ERR_ARG;
    err = new_node(schema, id);
    if (err != KM_OK)
        return err;
    schema->nodes[*id].segment = segment;
    schema->nodes[*id].segment_len = (uint16_t)len;
    schema->nodes[*id].plain =
        segment != NULL && memchr(segment, '~', len) == NULL && memchr(segment, '\\', len) == NULL;
    while (segment != NULL && *link != 0)
        link = &schema->nodes[*link].next;
    schema->nodes[*id].next = *link;
    *link = *id;
    if (segment == NULL)
        return KM_OK;
    schema->nodes[parent].names |= segment_bit(segment, len);
    if (json_segment_place(segment, len, &place))
        schema->nodes[parent].numbered = true;
    return KM_OK;
}

/* Whether two fields of one part can't both end at the same place. */
static bool clash(const struct km_schema_node *a, const struct km_field *field, uint8_t base)
{
    unsigned both = JSON_TYPE_BIT(a->field->type) | JSON_TYPE_BIT(field->type);

    if ((both & ~SCALAR_BITS) == 0 || both == JSON_TYPE_BIT(KM_F_RAW))
        return a->base == base;
    return (both & ~CONTAINER_BITS) == 0;
}

static int add_field(struct km_schema *schema, const struct table *table, uint16_t node,
                     const struct km_field *field)
{
    uint16_t at = node, extra;
    int err;

    for (; schema->nodes[at].field != NULL; at = schema->nodes[at].also) {
        if (schema->nodes[at].part == table->part && schema->nodes[at].field == field &&
            schema->nodes[at].base == table->base)
            return KM_OK;
        if (schema->nodes[at].part == table->part && clash(&schema->nodes[at], field, table->base))
            return KM_ERR_ARG;
        if (schema->nodes[at].also != 0)
            continue;
        err = new_node(schema, &extra);
        if (err != KM_OK)
            return err;
        schema->nodes[at].also = extra;
    }
    schema->nodes[at].field = field;
    schema->nodes[at].part = table->part;
    schema->nodes[at].base = table->base;
    schema->nodes[node].types |= (uint8_t)JSON_TYPE_BIT(field->type);
    return KM_OK;
}

/* Follows a pointer down from *node. A path that crosses the delivered array takes its elements, when `through`. */
static int walk(struct km_schema *schema, const char *pointer, bool through, uint16_t *node,
                uint8_t *depth)
{
    const char *segment;
    size_t len;
    int err;

    if (!json_pointer_valid(pointer))
        return KM_ERR_ARG;
    for (;;) {
        if (through && json_is_items(schema, *node) && *depth == schema->items_depth) {
            err = take_child(schema, *node, NULL, 0, node);
            if (err != KM_OK || ++*depth > KM_SCHEMA_DEPTH)
                return err != KM_OK ? err : KM_ERR_ARG;
        }
        if (!json_segment_next(&pointer, &segment, &len))
            return KM_OK;
        err = take_child(schema, *node, segment, len, node);
        if (err != KM_OK)
            return err;
        if (++*depth > KM_SCHEMA_DEPTH)
            return KM_ERR_ARG;
    }
}

static int add_table(struct km_schema *schema, const struct table *table);

/* An ARRAY's or MAP's table goes below the any-child, and a MAP's below the members, too, that other fields name: the value
   of such a member is wanted by both. */
static int add_elements(struct km_schema *schema, const struct table *outer, uint16_t node,
                        uint8_t depth, const struct km_field *field)
{
    struct table table = {.fields = field->sub, .count = field->sub_count, .part = outer->part};
    uint16_t child;
    int err;

    if (depth >= KM_SCHEMA_DEPTH || field->count_max == 0 || field->sub == NULL)
        return KM_ERR_ARG;
    if (field->type == KM_F_MAP && (field->sub_count == 0 || field->sub[0].type != KM_F_STRING))
        return KM_ERR_ARG;
    table.first = field->type == KM_F_MAP ? 1 : 0;
    table.depth = table.base = (uint8_t)(depth + 1);
    err = take_child(schema, node, NULL, 0, &child);
    while (err == KM_OK && child != 0) {
        table.node = child;
        err = add_table(schema, &table);
        child = field->type == KM_F_MAP ? schema->nodes[child].next : 0;
    }
    return err;
}

static int add_table(struct km_schema *schema, const struct table *table)
{
    for (uint16_t i = table->first; i < table->count; i++) {
        const struct km_field *field = &table->fields[i];
        uint16_t node = table->node;
        uint8_t depth = table->depth;
        int err = walk(schema, field->path, false, &node, &depth);

        if (err == KM_OK)
            err = add_field(schema, table, node, field);
        if (err == KM_OK && (field->type == KM_F_ARRAY || field->type == KM_F_MAP))
            err = add_elements(schema, table, node, depth, field);
        if (err != KM_OK)
            return err;
    }
    return KM_OK;
}

static int add_part(struct km_schema *schema, uint8_t index)
{
    const struct km_schema_part *part = &schema->parts[index];
    struct table table = {
        .fields = part->kind->fields, .count = part->kind->field_count, .part = index};
    int err = walk(schema, part->prefix, true, &table.node, &table.depth);

    return err != KM_OK ? err : add_table(schema, &table);
}

static int find_items(struct km_schema *schema)
{
    uint16_t node = 0, any;
    uint8_t depth = 0;
    int err;

    schema->items_node = 0;
    schema->items_depth = 0;
    if (schema->items == NULL)
        return KM_OK;
    err = walk(schema, schema->items, false, &node, &depth);
    if (err == KM_OK)
        err = take_child(schema, node, NULL, 0, &any);
    schema->items_node = node;
    schema->items_depth = depth;
    return depth >= KM_SCHEMA_DEPTH ? KM_ERR_ARG : err;
}

/* Elements by place and elements as a whole can't be told apart in the pruned text; delivered ones are not kept in it. */
static bool ambiguous(const struct km_schema *schema, uint16_t node)
{
    unsigned types = schema->nodes[node].types;
    bool array = (types & JSON_TYPE_BIT(KM_F_ARRAY)) != 0, items = json_is_items(schema, node);

    if (items && (array || (types & JSON_TYPE_BIT(KM_F_RAW)) != 0))
        return true;
    return (array || items) && schema->nodes[node].numbered;
}

int km_schema_init(struct km_schema *schema, const struct km_schema_part *parts, uint8_t part_count,
                   const char *items, struct km_schema_node *nodes, uint16_t node_size)
{
    uint16_t root, before;
    int err;

    *schema = (struct km_schema){.parts = parts,
                                 .part_count = part_count,
                                 .items = items,
                                 .nodes = nodes,
                                 .node_size = node_size};
    json_decode_register();
    err = new_node(schema, &root);
    if (err == KM_OK)
        err = find_items(schema);
    /* A later field may name a member of an earlier MAP, which then goes below it, too: until nothing is new. */
    do {
        before = schema->node_count;
        for (uint8_t i = 0; err == KM_OK && i < part_count; i++)
            err = add_part(schema, i);
    } while (err == KM_OK && schema->node_count != before);
    for (uint16_t i = 0; err == KM_OK && i < schema->node_count; i++) {
        if (ambiguous(schema, i))
            err = KM_ERR_ARG;
    }
    return err;
}
