/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room json: JSON of any size through a window of fixed size.
 *
 *   bytes -> scanner (strict RFC 8259, UTF-8, depth limit, resumable at any byte)
 *         -> sieve   (passes on only the members that a schema names: the pruned text)
 *         -> jsmn    (tokens of the pruned text, from a fixed pool)
 *         -> decode  (the field table fills a fixed record)
 *
 * A kind (Node, Pod, Status ...) is declared once, as a list of fields; the list makes the struct, so the struct is the
 * memory plan, and the field table that fills it. Nothing allocates; nothing blocks; storage is the caller's or static.
 */
#ifndef KM_JSON_H
#define KM_JSON_H

#include "km_base.h"

/* ---- scanner: validates, reports structure ---- */

/*
 * Validates one JSON text, or a sequence of texts when `many` (then white space may stand between them; a number or a
 * literal among them must be followed by some). Strict RFC 8259: no byte order mark, well-formed UTF-8 only; a \u escape
 * may name half a surrogate pair, as in Go. Private but for offset and error.
 */
struct km_json_scan {
    uint64_t offset;   /* bytes taken so far; after an error, where the offending byte stands */
    const char *error; /* what was wrong, static text; NULL = nothing so far */
    uint16_t depth, quiet_depth;
    uint8_t state, left, min, max, literal;
    bool many, is_key, quiet, announced, escaped, too_deep;
    uint16_t name_max;
    uint32_t names;
    uint32_t nest, outer[KM_BITMAP_WORDS(CONFIG_KM_JSON_DEPTH)];
};

void km_json_scan_init(struct km_json_scan *scan, bool many);
/* KM_OK so far, KM_ERR_SYNTAX or KM_ERR_DEPTH at scan->offset (scan->error says what). */
int km_json_scan_feed(struct km_json_scan *scan, struct km_slice in);
/* End of input: KM_OK when a whole text was seen (or, with many, none is half done), else KM_ERR_TRUNCATED/SYNTAX. */
int km_json_scan_end(struct km_json_scan *scan);

/* ---- kinds and schemas ---- */

enum km_field_type {
    KM_F_STRING, /* char[size]: decoded (escapes resolved), NUL-terminated; cut at a character's end and marked; \u0000 and
                    half a surrogate pair become U+FFFD, the former marked */
    KM_F_INT64, /* int64_t; a number that does not fit or has a fraction or an exponent is marked and left zero */
    KM_F_BOOL, /* bool */
    KM_F_RAW, /* char[size]: the value's text as it stood, any type, NUL-terminated; too long: empty and marked */
    KM_F_ARRAY, /* elements of a sub-table; more than count_max: the rest is left out and marked */
    KM_F_MAP /* members: the first field of the sub-table, a STRING, takes the key, the others the value */
};
/* In all: null is as if absent (RAW takes it as it stood); a value of another JSON type than the field's is marked and left
   zero; of members with the same name in one object the last one wins. */

struct km_field {
    const char *path; /* RFC 6901 pointer from the start of the kind (or of the element) */
    enum km_field_type type;
    uint32_t offset, size; /* in the record or element; size of one element for ARRAY and MAP */
    const struct km_field *sub;
    uint16_t sub_count;
    uint16_t count_max; /* behind the array of so many elements a uint16_t holds their number */
};

/* Records begin with this head. */
struct km_record {
    uint32_t
        truncated; /* values that were marked in this record: longer than their field, or too many */
};

struct km_kind {
    const char *name; /* "Node" */
    size_t record_size;
    const struct km_field *fields;
    uint16_t field_count;
};

/*
 * One list per kind makes struct and table:
 *
 *   #define KM_CONDITION_FIELDS(S, I, B, R, A, M) S(type, "/type", 64) S(status, "/status", 16)
 *   #define KM_NODE_FIELDS(S, I, B, R, A, M) \
 *       S(name, "/metadata/name", 254) I(generation, "/metadata/generation") \
 *       A(conditions, "/status/conditions", condition, 16)
 *   KM_ELEMENT_STRUCT(condition, KM_CONDITION_FIELDS)  -> struct km_condition
 *   KM_KIND_STRUCT(node, KM_NODE_FIELDS)               -> struct km_node
 *   in one .c file: KM_ELEMENT_TABLE(condition, KM_CONDITION_FIELDS)  KM_KIND_TABLE(node, "Node", KM_NODE_FIELDS)
 *                                                      -> const struct km_kind km_kind_node
 */
#define KM_FIELD_S_(member, path, length) char member[length];
#define KM_FIELD_I_(member, path) int64_t member;
#define KM_FIELD_B_(member, path) bool member;
#define KM_FIELD_R_(member, path, length) char member[length];
/* The count stands behind its array: so the table can tell its place. */
#define KM_FIELD_A_(member, path, element, count) \
    struct km_##element member[count]; \
    uint16_t member##_count;
#define KM_ELEMENT_STRUCT(element, LIST) \
    struct km_##element { \
        LIST(KM_FIELD_S_, KM_FIELD_I_, KM_FIELD_B_, KM_FIELD_R_, KM_FIELD_A_, KM_FIELD_A_) \
    };
#define KM_KIND_STRUCT(kind, LIST) \
    struct km_##kind { \
        struct km_record head; \
        LIST(KM_FIELD_S_, KM_FIELD_I_, KM_FIELD_B_, KM_FIELD_R_, KM_FIELD_A_, KM_FIELD_A_) \
    };
/* KM_ELEMENT_TABLE and KM_KIND_TABLE: same manner, in km_json_table.h (included by the one .c file). */

/*
 * A schema is the set of kinds that one stream may carry, each below a prefix, compiled into a tree of path segments.
 * Parts may share paths: each takes what it names. A part whose prefix is `items`, or goes on below it, describes the
 * elements. A path segment of digits names a member, or an element of an array by its place.
 */
struct km_schema_part {
    const char *prefix; /* RFC 6901, "" = the document */
    const struct km_kind *kind;
};

/* Deepest place that a field may name, in path segments (an array's or a map's element is one). */
#define KM_SCHEMA_DEPTH 24

/* Private. A place in the documents, or, reached by `also`, one more field at the same place. */
struct km_schema_node {
    const char *segment;          /* as in the pointer; NULL = any member or element */
    const struct km_field *field; /* that ends here, NULL = none */
    uint16_t segment_len, first_child, next, also; /* 0 = none */
    uint8_t part;                                  /* whose field it is */
    uint8_t
        base; /* what the field's offset counts from: 0 = the record, else the element at that depth */
    uint8_t types;     /* bit 1 << type for each field that ends here */
    bool numbered : 1; /* has children that name an array's element by its place */
    bool plain : 1;    /* the segment is the name byte for byte */
    uint32_t names;    /* a bit for each child's name: what has none here is no child */
};

struct km_schema {
    const struct km_schema_part *parts;
    uint8_t part_count;
    const char *
        items; /* RFC 6901 pointer to an array whose elements are delivered one by one ("/items"), or NULL */
    struct km_schema_node *nodes;
    uint16_t node_size, node_count;
    uint16_t items_node; /* set by init */
    uint8_t items_depth;
};

/* Compiles parts (and, for lists, `items`) into nodes; parts, their kinds and nodes stay the caller's and in use. About one
   node for each different path segment, and one more for each field that shares its path with another. KM_ERR_FULL:
   node_size is too small. KM_ERR_ARG: two fields of one part with the same path that take both scalars or both containers
   (RAW takes all), an element named by its place beside an ARRAY of the same path, a path deeper than KM_SCHEMA_DEPTH or a
   segment longer than CONFIG_KM_JSON_KEY_BYTES, or a bad pointer. Start-up only. */
int km_schema_init(struct km_schema *schema, const struct km_schema_part *parts, uint8_t part_count,
                   const char *items, struct km_schema_node *nodes, uint16_t node_size);

/* ---- sieve ---- */

/*
 * Delivered text: `item` false = a whole document, pruned (of a list: what is left around the items; it comes after
 * them); `item` true = one element of schema->items. The text lies in the sieve's window and is valid during the call.
 * `overflow`: the pruned text did not fit the window. The text is what came first and fitted, up to a whole value, its
 * containers closed and marked as cut; empty where not even one is whole, and that of a document that carried items.
 * A negative return stops the feed, which then returns that value.
 *
 * The pruned text is valid JSON without white space, but for these: RAW values, which stay as they stood, and a tab behind
 * each value that is not what was sent: a string cut to its field, an array or object with elements left out, a member
 * whose name was cut, and null in place of a value that is too long (RAW, numbers) or of the wrong type. Members and
 * elements that no field names are left out; an array of which fields name single elements becomes an object of these
 * ("2": …). Strings of several fields are cut to the longest of these.
 */
typedef int (*km_sieve_fn)(void *ctx, bool item, struct km_slice text, bool overflow);

/* Private. An open container on the way from the document to the present value. */
struct km_sieve_level {
    uint16_t node;
    uint8_t flags;
    uint32_t index; /* elements, or members of a map, seen */
};

/* Private but for documents and items. */
struct km_sieve {
    const struct km_schema *schema;
    km_sieve_fn fn;
    void *ctx;
    char *window;
    uint32_t window_size, window_len;
    uint32_t item_start, value_start, unit_start, whole_len; /* places in the window */
    uint32_t reserve;              /* bytes at its end, for the brackets that close what is open */
    uint32_t value_cap, value_len; /* of the string under way, decoded */
    int err;
    uint16_t node, item_depth;
    uint8_t mode;
    bool overflow, document_overflow, in_item, in_key, cut, after_high, mark;
    struct km_json_scan scan;
    struct km_sieve_level levels[KM_SCHEMA_DEPTH + 1];
    uint64_t documents, items;
};

/* many: the stream is a sequence of documents (a watch). The window is the caller's; names are matched in it, so it has to
   be longer than CONFIG_KM_JSON_KEY_BYTES + 16 and 2 bytes for each level of the schema. */
void km_sieve_init(struct km_sieve *sieve, const struct km_schema *schema, bool many, char *window,
                   size_t window_size, km_sieve_fn fn, void *ctx);
/* Feeds bytes; calls fn any number of times. Same results however the stream is cut. KM_ERR_SYNTAX, KM_ERR_DEPTH, or what fn
   returned; it stays so until the next init. */
int km_sieve_feed(struct km_sieve *sieve, struct km_slice in);
/* End of the stream: KM_OK, or KM_ERR_TRUNCATED when a document is half done. */
int km_sieve_end(struct km_sieve *sieve);

/* The value at an RFC 6901 pointer in a whole valid JSON text (pruned or not): *value is a part of text, as it stands there.
   Of members with the same name the last one. KM_OK, KM_ERR_NOT_FOUND, KM_ERR_ARG (pointer), KM_ERR_SYNTAX. */
int km_json_find(struct km_slice text, const char *pointer, struct km_slice *value);
/* The decoded contents of a JSON string (`value` with its quotes), as a KM_F_STRING of out_size bytes would hold them. Returns
   false when cut or when value is no string; out is NUL-terminated always. */
bool km_json_unquote(struct km_slice value, char *out, size_t out_size);

/* ---- decode ---- */

/* Fills dest[i] (a record of parts[i].kind, zeroed first; NULL = not wanted) from a pruned text. `item`: the text is one
   element of schema->items; only parts at or below it are filled. record->head.truncated counts what was marked, by sieve
   and decode. Any other text without white space, valid and small enough, will do as well; fields of more than their size
   are cut here then. Of a text with more tokens than CONFIG_KM_JSON_TOKEN_COUNT the first ones are taken, and the rest counts
   as marked (and in the refusals of pool json_tokens). KM_ERR_SYNTAX, KM_ERR_DEPTH. Uses one static token pool: not reentrant. */
int km_json_decode(const struct km_schema *schema, bool item, struct km_slice text,
                   void *const dest[]);

/* ---- writer: JSON that cannot be broken ---- */

/* Commas, quotes and escapes are the writer's; nesting is checked. On any misuse or lack of room `buf->overflow` is set.
   One value per init; it goes behind what buf holds. */
struct km_json_writer {
    struct km_buf *buf;
    uint16_t depth;
    bool need_comma, after_key, broken;
    uint32_t is_object[KM_BITMAP_WORDS(CONFIG_KM_JSON_DEPTH)];
};

void km_json_writer_init(struct km_json_writer *w, struct km_buf *buf);
void km_json_object(struct km_json_writer *w);
void km_json_array(struct km_json_writer *w);
void km_json_close(struct km_json_writer *w); /* the innermost open object or array */
void km_json_key(struct km_json_writer *w, const char *key);
void km_json_str(struct km_json_writer *w, const char *value);
void km_json_slice(struct km_json_writer *w,
                   struct km_slice value); /* invalid UTF-8 becomes U+FFFD */
void km_json_i64(struct km_json_writer *w, int64_t value);
void km_json_bool(struct km_json_writer *w, bool value);
void km_json_null(struct km_json_writer *w);
void km_json_raw(struct km_json_writer *w, struct km_slice value); /* a whole valid JSON value */
/* key and value in one line */
void km_json_kv_str(struct km_json_writer *w, const char *key, const char *value);
void km_json_kv_i64(struct km_json_writer *w, const char *key, int64_t value);
void km_json_kv_bool(struct km_json_writer *w, const char *key, bool value);
/* KM_OK when everything is closed and fits, else KM_ERR_TOO_LONG or KM_ERR_ARG. */
int km_json_finish(const struct km_json_writer *w);

/* ---- records as JSON ---- */

/*
 * Writes a record's fields as members of the object that is open in w. A field that says nothing (no text, 0, false, no
 * elements) is left out; where that differs from absence (a pointer in Go: replicas of a Deployment), the kind has a RAW
 * field. Elements of lists and of maps to strings are always written. KM_ERR_ARG when head.truncated is set, since what was
 * cut off would be lost on the server, or when a RAW field holds no JSON; KM_ERR_TOO_LONG; KM_ERR_FULL for a table of more
 * than 128 fields; KM_ERR_DEPTH for more than 7 lists in one another.
 */
int km_json_encode(struct km_json_writer *w, const struct km_kind *kind, const void *record);

/* ---- JSON by pointer: patches and objects of any kind ---- */

/*
 * One object, written value by value at RFC 6901 pointers (each segment a member's name); objects on the way are made.
 * Values of one object follow each other: one that was left can't be entered again, and no place is written twice.
 *
 *     km_json_set_begin(&set, &out);
 *     km_json_set_str(&set, "/metadata/labels/example.com~1tier", "web");
 *     km_json_set_null(&set, "/metadata/labels/old");
 *     km_json_set_i64(&set, "/spec/replicas", 3);
 *     err = km_json_set_end(&set);
 */
struct km_json_set {
    struct km_json_writer w;
    bool misused, full;
    uint16_t path_len, place_count;
    char path[CONFIG_KM_JSON_PATH_BYTES]; /* of the object that is open */
    uint64_t places[CONFIG_KM_JSON_SET_COUNT];
};

void km_json_set_begin(struct km_json_set *set, struct km_buf *out);
void km_json_set_raw(struct km_json_set *set, const char *pointer,
                     struct km_slice value); /* a whole JSON value */
void km_json_set_str(struct km_json_set *set, const char *pointer, const char *value);
void km_json_set_i64(struct km_json_set *set, const char *pointer, int64_t value);
void km_json_set_bool(struct km_json_set *set, const char *pointer, bool value);
void km_json_set_null(struct km_json_set *set, const char *pointer);
/* KM_ERR_ARG: a pointer that is none, a place written twice or an object entered again, or a value that is no JSON;
   KM_ERR_FULL beyond CONFIG_KM_JSON_SET_COUNT; KM_ERR_TOO_LONG. After an error out->overflow is set. */
int km_json_set_end(struct km_json_set *set);

#endif
