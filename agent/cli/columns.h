/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of cells under each other, as Go's text/tabwriter lays them out for kubectl: at least 6 wide, 3 blanks between, the last
 * cell of a line not padded. All lines have the same number of cells. Lines wait in a static buffer until columns_flush; when it
 * is full they are printed, and widths only grow from there on.
 */
#ifndef COLUMNS_H
#define COLUMNS_H

#include "cli_priv.h"

void columns_begin(void);
void columns_cell(const char *text);
void columns_slice(struct km_slice text);
void columns_end_line(void);
void columns_flush(void);

#endif
