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
void table_row_end(void);
/* Prints what waits. Widths are remembered. */
void table_flush(void);
/* Whether any table printed, or holds, a line. */
bool table_wrote(void);
/* Rows since table_mark may be taken back as long as none was printed. */
void table_mark(void);
bool table_can_undo(void);
void table_undo(void);

#endif
