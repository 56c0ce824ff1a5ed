/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of room json share. */
#ifndef KM_JSON_PRIV_H
#define KM_JSON_PRIV_H

#include "kubemote/km_json.h"

/* ---- scanner, as a source of events ---- */

enum json_event {
    JSON_NONE,  /* all input was taken */
    JSON_VALUE, /* a value begins with the next byte, which is not taken yet */
    JSON_KEY,   /* a member's name is complete, its closing quote was taken */
    JSON_END,   /* the value that began last and is still open is complete */
    JSON_ERROR
};

/*
 * Takes bytes from *at up to `end` until something happens. *text is what it took of a name's or a string's contents, still
 * escaped, and is to be looked at before the event. While `quiet` there is no text and no event but errors and the JSON_END
 * of the value at quiet_depth, the number of containers around it, which also ends the quiet. It may be set after any
 * event: after JSON_VALUE or JSON_KEY with the present depth it passes over the value that follows.
 */
enum json_event json_scan_run(struct km_json_scan *scan, const char **at, const char *end,
                              struct km_slice *text);
void json_scan_skip(struct km_json_scan *scan, uint16_t depth);
/* As json_scan_skip with the present depth behind a JSON_KEY, and over the members that follow it, too, as long as their names
   have no bit in `names`, no escape and at most name_max bytes. */
void json_scan_skip_members(struct km_json_scan *scan, uint32_t names, size_t name_max);
/* Behind a JSON_KEY, in place of JSON_VALUE and what follows it: takes the value when it is a string of at most `max` bytes, all
   of it there, of plain characters and without white space before it. */
bool json_scan_member_string(struct km_json_scan *scan, const char **at, const char *end,
                             size_t max, struct km_slice *text);
/* Whether the innermost open container is an object; false at the top. */
static inline bool json_scan_in_object(const struct km_json_scan *scan)
{
    return (scan->nest & 1) != 0;
}

/* At the end of input: whether a number at the top is open and only lacks a byte behind it. */
bool json_scan_in_top_number(const struct km_json_scan *scan);

/* ---- strings ---- */

/* Bytes of the character or escape at the start of text, 0 when more of text is needed to tell. One half of a surrogate
   pair counts for itself. */
size_t json_unit_len(const char *text, size_t len);
enum json_half { JSON_WHOLE, JSON_HIGH, JSON_LOW, JSON_NUL };
/* Decodes the unit of `len` bytes at text, halves of a pair and NUL as U+FFFD. Returns the length of out. */
size_t json_unit_decode(const char *text, size_t len, char out[4], enum json_half *half);

/* A string's contents, unit by unit, pairs joined. */
struct json_chars {
    const char *at, *end;
    char out[4];
    size_t len; /* of out; 0 = at the end */
    bool nul;   /* the unit was \u0000 */
};

void json_chars_next(struct json_chars *chars);
/* As KM_F_STRING. Returns false when it was cut or held a NUL. */
bool json_unescape(struct km_slice contents, char *out, size_t out_size);
bool json_same_key(struct km_slice a, struct km_slice b);
/* A name's bit in a set of names: two names with different bits are not the same. */
static inline uint32_t json_name_bit(unsigned char first, size_t len)
{
    return len == 0 ? 1 : 1u << ((first ^ len * 5) & 31);
}

/* ---- pointers and schema ---- */

/* A pointer's next segment: moves *pointer behind it. False at the end. */
bool json_segment_next(const char **pointer, const char **segment, size_t *len);
bool json_pointer_valid(const char *pointer);
bool json_segment_is(const char *segment, size_t len, struct km_slice key);
/* "0", or digits without a leading zero: the place in an array. */
bool json_segment_place(const char *segment, size_t len, uint32_t *place);

#define JSON_TYPE_BIT(type) (1u << (type))

/* The child that takes the member `key`, 0 = none. `escaped`: there may be escapes in it. `any`: members without a child of their own are wanted, too. */
uint16_t json_child_of_key(const struct km_schema *schema, uint16_t node, struct km_slice key,
                           bool escaped, bool any);
uint16_t json_child_of_place(const struct km_schema *schema, uint16_t node, uint32_t place);
/* The any-child, 0 = none. */
uint16_t json_child_any(const struct km_schema *schema, uint16_t node);
bool json_is_items(const struct km_schema *schema, uint16_t node);
/* Whether an object or an array is gone into here. */
bool json_takes_object(const struct km_schema *schema, uint16_t node);
bool json_takes_array(const struct km_schema *schema, uint16_t node);

/* Registers the pool json_tokens. */
void json_decode_register(void);

#endif
