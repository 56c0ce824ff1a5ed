/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "columns.h"

#define MIN_WIDTH 6
#define PADDING 3
#define COLUMN_COUNT 8

static struct {
    char data[CONFIG_KM_CLI_COLUMNS_BYTES];
    struct km_buf text;
    size_t line; /* where the line under way begins */
    size_t widths[COLUMN_COUNT];
} columns KM_POOL_STORAGE(cli_columns);

void columns_begin(void)
{
    km_buf_init(&columns.text, columns.data, sizeof columns.data);
    memset(columns.widths, 0, sizeof columns.widths);
    columns.line = 0;
}

/* Cells end with a unit separator, which no text of an API has. */
#define END '\x1f'

void columns_slice(struct km_slice text)
{
    if (columns.text.len > columns.line)
        km_buf_putc(&columns.text, END);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == 0x1b)
            km_buf_puts(&columns.text, "^[");
        else
            km_buf_putc(&columns.text, text.ptr[i] == END ? ' ' : text.ptr[i]);
    }
    /* An empty first cell must leave a trace. */
    if (text.len == 0 && columns.text.len == columns.line)
        km_buf_putc(&columns.text, '\x1e');
}

void columns_cell(const char *text)
{
    columns_slice(km_slice_of(text));
}

static struct km_slice next_cell(const char *at, const char *end)
{
    const char *stop = at;
    while (stop < end && *stop != END && *stop != '\x1d')
        stop++;
    return (struct km_slice){at, (size_t)(stop - at)};
}

static size_t cell_width(struct km_slice cell)
{
    return cell.len == 1 && cell.ptr[0] == '\x1e' ? 0 : text_width(cell);
}

static void each(size_t len, void (*fn)(struct km_slice cell, size_t column, bool last))
{
    const char *at = columns.data, *end = at + len;
    size_t column = 0;
    while (at < end) {
        struct km_slice cell = next_cell(at, end);
        bool last = cell.ptr + cell.len == end || cell.ptr[cell.len] == '\x1d';
        fn(cell, column < COLUMN_COUNT ? column : COLUMN_COUNT - 1, last);
        column = last ? 0 : column + 1;
        at += cell.len + 1;
    }
}

static void measure(struct km_slice cell, size_t column, bool last)
{
    size_t width = cell_width(cell) + PADDING;
    if (!last && width > columns.widths[column])
        columns.widths[column] = width;
}

static void print(struct km_slice cell, size_t column, bool last)
{
    size_t width = columns.widths[column] > MIN_WIDTH ? columns.widths[column] : MIN_WIDTH;
    if (cell_width(cell) > 0)
        out_slice(cell);
    if (last)
        out_text("\n");
    else
        out_pad(cell_width(cell), width);
}

static void print_lines(size_t len)
{
    each(len, measure);
    each(len, print);
}

void columns_flush(void)
{
    print_lines(columns.text.len);
    km_buf_reset(&columns.text);
    columns.line = 0;
}

/* A line that does not fit is begun anew in an empty buffer; one that fits in none is cut. */
void columns_end_line(void)
{
    struct km_buf *text = &columns.text;
    if (!text->overflow) {
        km_buf_putc(text, '\x1d');
    }
    if (text->overflow && columns.line > 0) {
        size_t len = text->len - columns.line;
        print_lines(columns.line);
        memmove(columns.data, columns.data + columns.line, len);
        text->len = len;
        text->overflow = false;
        km_buf_putc(text, '\x1d');
    }
    if (text->overflow) {
        text->overflow = false;
        text->data[text->len - 1] = '\x1d';
    }
    columns.line = text->len;
}
