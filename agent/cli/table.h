/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TABLE_H
#define TABLE_H

#include "cli_priv.h"

#define TABLE_COLUMN_COUNT 32 /* of the server; further ones are left out */
#define TABLE_EXTRA_COUNT (FLAG_TEXT_COUNT + 3)

struct table_options {
    bool wide, no_headers, with_namespace, with_event, show_labels;
    const struct flag_texts *label_columns;
    const char *kind_prefix; /* "pod/", NULL = none */
    const char *sort_by;     /* rows are sorted by their keys; for messages: by which. NULL = no */
};

/* One table at a time: columns, then rows of cells in order with namespace and labels, then table_flush. Between two tables that
   print something stands an empty line, unless there are no headers. */
void table_begin(const struct table_options *options);
/* The columns are told anew. */
void table_columns_begin(void);
/* is_name: the kind goes in front of its cells. */
void table_column(const char *name, int64_t priority, bool is_name);
void table_row_begin(const char *event);
void table_cell(struct km_slice text);
void table_namespace(const char *ns);
void table_label(struct km_slice key, const char *value);
/* A JSON scalar to sort by. */
void table_key(struct km_slice raw);
void table_row_end(void);
/* Prints what waits. Widths are remembered. */
void table_flush(void);
/* The last flush. 1 after an error when rows were to be sorted and none has a key. */
int table_end(void);
/* Whether any table printed, or holds, a line. */
bool table_wrote(void);
/* Rows since table_mark may be taken back as long as none was printed. */
void table_mark(void);
bool table_can_undo(void);
void table_undo(void);

/* ---- table_sort.c ---- */

/* Lines that can be sorted at a time; a row takes 16 bytes at least, nearly always, and a name 32. */
#define TABLE_SORT_COUNT \
    (CONFIG_KM_CLI_TABLE_BYTES / 16 > CONFIG_KM_CLI_SORT_BYTES / 32 \
         ? CONFIG_KM_CLI_TABLE_BYTES / 16 \
         : CONFIG_KM_CLI_SORT_BYTES / 32)
/* Lines of `text`, each of a JSON scalar as key, \x01 and the rest: where each begins, in order of keys as kubectl compares them;
   lines of equal keys stay in theirs, those without one are reversed, as in kubectl while they are few. Valid until the next call. */
const uint32_t *table_sort(struct km_slice text, size_t *count);
/* The error that nothing has a key; returns the exit status. */
int table_sort_lacks_key(const char *path);

#endif
