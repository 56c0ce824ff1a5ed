/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubectl's JSONPath as far as plain paths go: {.a.b}, {.a['b.c'][0].d[*]}, {"text\n"}, {range PATH}...{end}, and text between.
 * Filters, slices, unions and .. are refused.
 */
#ifndef JSONPATH_H
#define JSONPATH_H

#include "cli_priv.h"

#define JSONPATH_BYTES 512 /* of a path as a pointer, with NUL */

/* {.a.b}, .a.b or a.b without [*] as an RFC 6901 pointer. KM_ERR_SYNTAX: it is no such path. */
int jsonpath_pointer(struct km_slice text, struct km_buf *pointer);

/* A template, before it is used. list: it is about a list, of which one item at a time is known, so that .items may stand there
   once. KM_ERR_CONFIG after a message. */
int jsonpath_check(const char *text, bool list);
/* One object, whole. */
void jsonpath_print(const char *text, struct km_slice object);
/* A list: its begin, each item, its end: the exit status, 1 after an error that it has no such item. */
void jsonpath_list_begin(const char *text);
void jsonpath_list_item(struct km_slice item);
int jsonpath_list_end(const char *text);

#endif
