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

/* One table at a time: columns, then rows of cells in order with namespace and labels, then table_flush. */
void table_begin(const struct table_options *options);
void table_column(const char *name, int64_t priority);
void table_row_begin(const char *event);
void table_cell(struct km_slice text);
void table_namespace(const char *ns);
void table_label(struct km_slice key, const char *value);
void table_row_end(void);
/* Prints what waits. Widths are remembered. */
void table_flush(void);

#endif
