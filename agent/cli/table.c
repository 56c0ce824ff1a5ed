/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables as the server renders them (meta.k8s.io/v1 Table), laid out as Go's text/tabwriter does for kubectl: columns at least 6
 * wide with 3 blanks between, the last one not padded. Rows wait in one buffer, so that widths are those of all of them; when
 * it is full they are printed, and from there on widths only grow.
 */
#include <string.h>

#include "table.h"

#define MIN_WIDTH 6
#define PADDING 3

static struct table {
    struct table_options options;
    char rows[CONFIG_KM_CLI_TABLE_BYTES]; /* cells end with \t, rows with \n */
    struct km_buf text;
    char headers[TABLE_COLUMN_COUNT][64];
    bool shown[TABLE_COLUMN_COUNT];
    uint16_t column_count; /* of the server */
    size_t widths[TABLE_COLUMN_COUNT + TABLE_EXTRA_COUNT];
    bool header_done, used, wrote, separate;
    size_t mark;
    bool marked, marked_header;
    uint16_t name_column;
    bool header_waits; /* the first line of `text` is the header */
    size_t text_rows;  /* of --sort-by: in `text`, without the header */
    bool rows_seen, keys_seen;
    char key[256];
    /* The row under way. */
    uint16_t cell, shown_cells, extra_cells; /* extra: beyond the server's own columns */
    char cells_data[CONFIG_KM_CLI_ROW_BYTES], labels_data[CONFIG_KM_CLI_ROW_BYTES], ns[64];
    struct km_buf cells, labels;
    const char *event;
} table KM_POOL_STORAGE(cli_table);

void table_begin(const struct table_options *options)
{
    table_flush();
    if (table.used && !options->no_headers && table.wrote)
        table.separate = true;
    table.used = true;
    table.options = *options;
    table.column_count = 0;
    table.name_column = TABLE_COLUMN_COUNT;
    table.header_done = table.marked = table.header_waits = false;
    table.rows_seen = table.keys_seen = false;
    table.text_rows = 0;
    memset(table.widths, 0, sizeof table.widths);
    km_buf_init(&table.text, table.rows, sizeof table.rows);
}

void table_columns_begin(void)
{
    table.column_count = 0;
    table.name_column = TABLE_COLUMN_COUNT;
}

bool table_wrote(void)
{
    return table.wrote || table.text.len > 0;
}

void table_mark(void)
{
    table.mark = table.text.len;
    table.marked_header = table.header_done;
    table.marked = true;
}

bool table_can_undo(void)
{
    return table.marked;
}

void table_undo(void)
{
    table.text.len = table.mark;
    table.header_done = table.marked_header;
}

/* ---- layout ---- */

/* strcspn of some libraries looks for the end of the whole text first. */
static const char *cell_end(const char *at)
{
    while (*at != '\t' && *at != '\n')
        at++;
    return at;
}

/* Behind a line's key. */
static const char *cells_of(const char *line)
{
    if (table.options.sort_by == NULL)
        return line;
    while (*line != '\x01')
        line++;
    return line + 1;
}

static void measure(void)
{
    const char *at = table.text.data, *end = at + table.text.len;
    size_t column = 0;
    while (at < end) {
        at = column == 0 ? cells_of(at) : at;
        const char *stop = cell_end(at);
        size_t width = text_width((struct km_slice){at, (size_t)(stop - at)}) + PADDING;
        if (*stop == '\t' && width > table.widths[column])
            table.widths[column] = width;
        column = *stop == '\t' ? column + 1 : 0;
        at = stop + 1;
    }
}

static void print_cell(struct km_slice cell, size_t column, bool last)
{
    size_t width = table.widths[column] > MIN_WIDTH ? table.widths[column] : MIN_WIDTH;
    out_slice(cell);
    if (!last)
        out_pad(text_width(cell), width);
}

/* Returns what follows the line. */
static const char *print_line(const char *at)
{
    for (size_t column = 0;; column++) {
        const char *end = cell_end(at);
        bool last = *end == '\n';
        print_cell((struct km_slice){at, (size_t)(end - at)}, column, last);
        at = end + 1;
        if (last)
            break;
    }
    out_text("\n");
    return at;
}

static void print_sorted(void)
{
    const char *at = table.text.data;
    if (table.header_waits)
        at = print_line(cells_of(at));
    struct km_slice rows = {at, table.text.len - (size_t)(at - table.text.data)};
    size_t count;
    const uint32_t *order = table_sort(rows, &count);
    for (size_t i = 0; i < count; i++)
        (void)print_line(cells_of(at + order[i]));
}

void table_flush(void)
{
    const char *at = table.text.data, *end = at + table.text.len;
    if (at == end)
        return;
    measure();
    if (table.separate)
        out_text("\n");
    table.separate = table.marked = false;
    table.wrote = true;
    if (table.options.sort_by != NULL)
        print_sorted();
    else
        while (at < end)
            at = print_line(at);
    km_buf_reset(&table.text);
    table.header_waits = false;
    table.text_rows = 0;
}

/* Rows that went out before are sorted among themselves alone. */
static void flush_full(void)
{
    if (table.options.sort_by != NULL)
        err_printf("Warning: --sort-by sorts %u rows at a time (CONFIG_KM_CLI_TABLE_BYTES)\n",
                   (unsigned)table.text_rows);
    table_flush();
}

static bool lacks_key(void)
{
    return table.options.sort_by != NULL && table.rows_seen && !table.keys_seen;
}

int table_end(void)
{
    if (!lacks_key()) {
        table_flush();
        return 0;
    }
    km_buf_reset(&table.text);
    table.separate = false;
    return table_sort_lacks_key(table.options.sort_by);
}

/* ---- cells ---- */

static void put_tab(bool *first)
{
    if (!*first)
        km_buf_putc(&table.text, '\t');
    *first = false;
}

/* Cut at the first line break; an escape character shows as ^[. */
static void put_clean(struct km_buf *out, struct km_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n' || c == '\r' || c == '\f') {
            km_buf_puts(out, "...");
            return;
        }
        if (c == 0x1b)
            km_buf_puts(out, "^[");
        else
            km_buf_putc(out, c == '\t' ? ' ' : c);
    }
}

static void upper(struct km_buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        km_buf_putc(out, *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text);
}

/* The last part of a label's name, as kubectl heads its column. */
static const char *label_header(const char *label)
{
    const char *slash = strrchr(label, '/');
    return slash == NULL ? label : slash + 1;
}

static void put_headers(void)
{
    bool first = true;
    const struct table_options *o = &table.options;
    table.header_done = true;
    if (o->no_headers)
        return;
    table.header_waits = true;
    if (o->sort_by != NULL)
        km_buf_putc(&table.text, '\x01');
    if (o->with_event) {
        put_tab(&first);
        km_buf_puts(&table.text, "EVENT");
    }
    if (o->with_namespace) {
        put_tab(&first);
        km_buf_puts(&table.text, "NAMESPACE");
    }
    for (uint16_t i = 0; i < table.column_count; i++) {
        if (!table.shown[i])
            continue;
        put_tab(&first);
        upper(&table.text, table.headers[i]);
    }
    for (uint16_t i = 0; i < o->label_columns->count; i++) {
        put_tab(&first);
        upper(&table.text, label_header(o->label_columns->items[i]));
    }
    if (o->show_labels) {
        put_tab(&first);
        km_buf_puts(&table.text, "LABELS");
    }
    km_buf_putc(&table.text, '\n');
}

void table_column(const char *name, int64_t priority, bool is_name)
{
    uint16_t i = table.column_count;
    if (i >= TABLE_COLUMN_COUNT)
        return;
    table.column_count++;
    if (is_name && table.name_column == TABLE_COLUMN_COUNT)
        table.name_column = i;
    (void)km_slice_copy(km_slice_of(name), table.headers[i], sizeof table.headers[i]);
    table.shown[i] = priority == 0 || table.options.wide;
}

/* ---- a row ---- */

void table_row_begin(const char *event)
{
    table.cell = table.shown_cells = table.extra_cells = 0;
    table.event = event;
    table.ns[0] = table.key[0] = '\0';
    km_buf_init(&table.cells, table.cells_data, sizeof table.cells_data);
    km_buf_init(&table.labels, table.labels_data, sizeof table.labels_data);
}

static uint16_t label_columns(void)
{
    return (uint16_t)(table.options.label_columns->count + table.options.show_labels);
}

/* Cells beyond the columns push the labels out of theirs, as they do in kubectl. */
void table_cell(struct km_slice text)
{
    uint16_t i = table.cell++;
    if (i >= table.column_count ? table.extra_cells >= label_columns() : !table.shown[i])
        return;
    table.extra_cells = (uint16_t)(table.extra_cells + (i >= table.column_count));
    if (table.shown_cells++ > 0)
        km_buf_putc(&table.cells, '\t');
    if (i == table.name_column && table.options.kind_prefix != NULL)
        km_buf_puts(&table.cells, table.options.kind_prefix);
    put_clean(&table.cells, text);
}

void table_key(struct km_slice raw)
{
    size_t len = raw.len < sizeof table.key ? raw.len : sizeof table.key - 1;
    table.keys_seen = table.keys_seen || !km_slice_eq_str(raw, "null");
    memcpy(table.key, raw.ptr, km_slice_eq_str(raw, "null") ? 0 : len);
    table.key[len] = '\0';
}

void table_namespace(const char *ns)
{
    (void)km_slice_copy(km_slice_of(ns), table.ns, sizeof table.ns);
}

void table_label(struct km_slice key, const char *value)
{
    if (table.labels.len > 0)
        km_buf_putc(&table.labels, ',');
    km_buf_put_slice(&table.labels, key);
    km_buf_putc(&table.labels, '=');
    km_buf_puts(&table.labels, value);
}

static struct km_slice label_value(const char *key)
{
    struct km_slice rest = km_buf_slice(&table.labels);
    size_t len = strlen(key);
    while (rest.len > 0) {
        const char *comma = memchr(rest.ptr, ',', rest.len);
        size_t pair = comma == NULL ? rest.len : (size_t)(comma - rest.ptr);
        if (pair > len && memcmp(rest.ptr, key, len) == 0 && rest.ptr[len] == '=')
            return (struct km_slice){rest.ptr + len + 1, pair - len - 1};
        pair += comma != NULL;
        rest.ptr += pair;
        rest.len -= pair;
    }
    return (struct km_slice){0};
}

/* As wide as the longest, so that the column does not jump. */
static const char *event_text(const char *event)
{
    static const char *const texts[] = {"ADDED   ", "MODIFIED", "DELETED ", "ERROR   "};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strncmp(texts[i], event, strlen(event)) == 0 && event[0] != '\0')
            return texts[i];
    }
    return event;
}

static void put_row(void)
{
    const struct table_options *o = &table.options;
    bool first = true;
    if (o->sort_by != NULL)
        km_buf_printf(&table.text, "%s\x01", table.key);
    if (o->with_event) {
        put_tab(&first);
        km_buf_puts(&table.text, event_text(table.event));
    }
    if (o->with_namespace) {
        put_tab(&first);
        km_buf_puts(&table.text, table.ns);
    }
    put_tab(&first);
    km_buf_put_slice(&table.text, km_buf_slice(&table.cells));
    uint16_t room = (uint16_t)(label_columns() - table.extra_cells);
    for (uint16_t i = 0; i < o->label_columns->count && room > 0; i++, room--) {
        put_tab(&first);
        km_buf_put_slice(&table.text, label_value(o->label_columns->items[i]));
    }
    if (o->show_labels && room > 0) {
        put_tab(&first);
        km_buf_puts(&table.text, table.labels.len == 0 ? "<none>" : table.labels.data);
    }
    km_buf_putc(&table.text, '\n');
}

void table_row_end(void)
{
    if (!table.header_done)
        put_headers();
    size_t before = table.text.len;
    table.rows_seen = true;
    put_row();
    if (table.text.overflow || table.text_rows == TABLE_SORT_COUNT) {
        table.text.overflow = false;
        table.text.len = before;
        flush_full();
        put_row();
    }
    if (table.text.overflow) {
        table.text.overflow = false;
        table.text.data[table.text.len - 1] = '\n';
    }
    table.text_rows += table.options.sort_by != NULL;
}
