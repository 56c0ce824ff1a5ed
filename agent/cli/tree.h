/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One JSON value as people read it: members sorted by name, four blanks a level, as kubectl prints it; or as YAML. The text is
 * compact JSON that was validated before (km_json_walk). Only the members of the objects on the path to the place under way
 * are indexed; an object with more than CONFIG_KM_CLI_MEMBERS_COUNT of them keeps its order.
 */
#ifndef TREE_H
#define TREE_H

#include "cli_priv.h"

/* `depth`: levels of indentation in front of what follows the first line. */
void tree_json(struct km_slice text, unsigned depth);
/* Its members in the order in which they stand. */
void tree_json_as_is(struct km_slice text);
/* Sorted, on one line. */
void tree_json_line(struct km_slice text);

/* A block of YAML, whole lines. `indent`: blanks in front of each line; first: those of the first line stand already. KM_ERR_CONFIG
   when a string cannot be written (control characters): kubectl refuses it as well. */
int tree_yaml(struct km_slice text, unsigned indent, bool first_done);

/* ---- for those who walk a text themselves ---- */

/* Names as Go sorts them (bytes) or as its YAML writer does (digits by value); both without quotes, as they stand in JSON. */
int tree_compare(struct km_slice a, struct km_slice b);
int tree_compare_natural(struct km_slice a, struct km_slice b);
/* The value that begins at `at`; text must be whole. */
struct km_slice tree_value(struct km_slice text, size_t at);
/* Up to 4 bytes of UTF-8 of the character at *at of a JSON string's inside; moves *at behind it. The code point, 0xfffd for what
   is no character. */
uint32_t tree_char(struct km_slice inside, size_t *at);
/* A character in UTF-8: its bytes, their count. Prints one; prints a JSON string's inside. */
size_t tree_encode(uint32_t point, char out[4]);
void tree_put_char(uint32_t point);
void tree_text(struct km_slice inside);

/* Where an object's members begin in its text, sorted; `count` of them are on the stack until tree_drop. */
struct tree_members {
    const struct tree_member *items;
    size_t count;
    bool sorted; /* false: too many, take them in their order */
};
struct tree_member {
    uint32_t name, value; /* offsets in the text: behind the quote; the value's first byte */
};
typedef int (*tree_order)(struct km_slice a, struct km_slice b);
struct tree_members tree_take(struct km_slice object, tree_order order);
void tree_drop(const struct tree_members *members);
struct km_slice tree_name(struct km_slice object, size_t name);
/* The member behind the one whose value starts at `value`; false at the end. Start with value = 0. */
bool tree_next(struct km_slice object, struct tree_member *member);

#endif
