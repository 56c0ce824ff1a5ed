/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_log_sink.h"
#include "log_priv.h"

#define CUT_BEFORE KM_LOG_CUT_BEFORE
#define CUT_AFTER KM_LOG_CUT_AFTER

/* A value's text in up to three parts (object references), without a copy. */
struct parts {
    struct km_slice part[3];
};

static bool is_text(const struct km_kv *kv)
{
    switch (kv->type) {
    case KM_KV_STR:
        return kv->value.str != NULL;
    case KM_KV_SLICE:
    case KM_KV_OBJECT:
    case KM_KV_JSON:
        return true;
    default:
        return false;
    }
}

static struct parts text_of(const struct km_kv *kv)
{
    struct parts text = {0};

    if (kv->type == KM_KV_STR) {
        text.part[0] = km_slice_of(kv->value.str);
    } else if (kv->type == KM_KV_SLICE || kv->type == KM_KV_JSON) {
        text.part[0] = kv->value.slice;
    } else {
        text.part[0] = km_slice_of(kv->value.object.ns);
        text.part[1] = km_slice_of(text.part[0].len > 0 ? "/" : "");
        text.part[2] = km_slice_of(kv->value.object.name);
    }
    return text;
}

static int char_at(const struct parts *text, size_t index)
{
    for (size_t i = 0; i < 3; i++) {
        if (index < text->part[i].len)
            return (unsigned char)text->part[i].ptr[index];
        index -= text->part[i].len;
    }
    return -1;
}

static bool same_text(const struct km_kv *a, const struct km_kv *b)
{
    struct parts x = text_of(a), y = text_of(b);

    for (size_t i = 0;; i++) {
        int c = char_at(&x, i);

        if (c != char_at(&y, i))
            return false;
        if (c < 0)
            return true;
    }
}

/* An integer of either type as sign and bits. */
static uint64_t bits_of(const struct km_kv *kv, bool *negative)
{
    if (kv->type == KM_KV_U64) {
        *negative = false;
        return kv->value.u64;
    }
    *negative = kv->value.i64 < 0;
    return (uint64_t)kv->value.i64;
}

static bool reads_same(const struct km_kv *a, const struct km_kv *b)
{
    bool negative_a, negative_b;
    uint64_t bits_a, bits_b;

    if (is_text(a) || is_text(b))
        return is_text(a) && is_text(b) && same_text(a, b);
    if (a->type == KM_KV_BOOL || b->type == KM_KV_BOOL)
        return a->type == b->type && a->value.boolean == b->value.boolean;
    if (a->type == KM_KV_STR || b->type == KM_KV_STR)
        return a->type == b->type;
    bits_a = bits_of(a, &negative_a);
    bits_b = bits_of(b, &negative_b);
    return negative_a == negative_b && bits_a == bits_b;
}

/* All pairs of a record: those of its loggers, from the outermost on, then its own. */
struct pairs {
    struct {
        const struct km_kv *list;
        size_t count;
    } parts[KM_LOGGER_DEPTH + 1];
    size_t part_count, count;
};

static void add_part(struct pairs *all, const struct km_kv *list, size_t count)
{
    all->parts[all->part_count].list = list;
    all->parts[all->part_count++].count = count;
    all->count += count;
}

static struct pairs pairs_of(const struct km_log_record *record)
{
    const struct km_logger *chain[KM_LOGGER_DEPTH];
    size_t depth = km_log_chain(record->logger, chain);
    struct pairs all = {.part_count = 0};

    while (depth > 0) {
        depth--;
        add_part(&all, chain[depth]->pairs, chain[depth]->pair_count);
    }
    add_part(&all, record->pairs, record->pair_count);
    return all;
}

static const struct km_kv *pair_at(const struct pairs *all, size_t index)
{
    size_t part = 0;

    while (index >= all->parts[part].count)
        index -= all->parts[part++].count;
    return &all->parts[part].list[index];
}

/* Whether the pair at index is the one of its key that is written. */
static bool survives(const struct pairs *all, size_t index)
{
    const char *key = pair_at(all, index)->key;
    const struct km_kv *winner = NULL;
    size_t place = 0;

    for (size_t i = 0; i < all->count; i++) {
        const struct km_kv *pair = pair_at(all, i);

        if (strcmp(pair->key, key) != 0)
            continue;
        if (winner == NULL || !reads_same(winner, pair)) {
            winner = pair;
            place = i;
        }
    }
    return place == index;
}

static void put_block(struct km_log_line *line, struct km_slice text)
{
    km_log_line_puts(line, "<\n");
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.ptr) + 1;

        km_log_line_puts(line, "\t");
        km_log_line_put(line, text.ptr, len);
        if (end == NULL)
            km_log_line_puts(line, "\n");
        text.ptr += len;
        text.len -= len;
    }
    km_log_line_puts(line, " >");
}

static void put_text(struct km_log_line *line, const struct km_kv *kv)
{
    struct parts text = text_of(kv);

    if (kv->type != KM_KV_OBJECT && text.part[0].len > 0 &&
        memchr(text.part[0].ptr, '\n', text.part[0].len) != NULL) {
        put_block(line, text.part[0]);
        return;
    }
    km_log_line_puts(line, "\"");
    for (size_t i = 0; i < 3; i++)
        km_log_line_escape(line, text.part[i]);
    km_log_line_puts(line, "\"");
}

static void put_pair(struct km_log_line *line, const struct km_kv *kv)
{
    km_log_line_puts(line, " ");
    km_log_line_puts(line, kv->key);
    km_log_line_puts(line, "=");
    if (kv->type == KM_KV_JSON)
        km_log_line_put(line, kv->value.slice.ptr, kv->value.slice.len);
    else if (is_text(kv))
        put_text(line, kv);
    else if (kv->type == KM_KV_STR)
        km_log_line_puts(line, "<nil>");
    else if (kv->type == KM_KV_BOOL)
        km_log_line_puts(line, kv->value.boolean ? "true" : "false");
    else
        km_log_line_put_number(line, kv->value.u64, kv->type == KM_KV_I64);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static void put_header(struct km_log_line *line, const struct km_log_record *record,
                       const struct km_log_text_head *head)
{
    char text[64];
    struct km_buf buf;
    struct km_civil c;

    km_time_civil(head->wall_us + head->utc_offset_s * INT64_C(1000000), &c);
    km_buf_init(&buf, text, sizeof text);
    km_buf_printf(&buf, "%c%02d%02d %02d:%02d:%02d.%06d %7u ", record->severity, c.month, c.day,
                  c.hour, c.minute, c.second, c.micros, (unsigned)head->pid);
    km_log_line_put(line, text, buf.len);
    km_log_line_puts(line, base_name(record->file));
    km_buf_reset(&buf);
    km_buf_printf(&buf, ":%d] ", record->line);
    km_log_line_put(line, text, buf.len);
}

static void put_logger(struct km_log_line *line, const struct km_logger *logger)
{
    if (!km_log_is_named(logger))
        return;
    km_log_line_puts(line, " logger=\"");
    km_log_put_name(line, logger, km_log_line_escape);
    km_log_line_puts(line, "\"");
}

static void put_record(struct km_log_line *line, const struct km_log_record *record,
                       const struct km_log_text_head *head)
{
    struct pairs all = pairs_of(record);

    put_header(line, record, head);
    km_log_line_puts(line, "\"");
    km_log_line_escape(line, km_slice_of(record->message));
    km_log_line_puts(line, "\"");
    if (record->err != NULL)
        put_pair(line, &KM_S("err", record->err));
    put_logger(line, record->logger);
    for (size_t i = 0; i < all.count; i++) {
        if (survives(&all, i))
            put_pair(line, pair_at(&all, i));
    }
    if (head->suppressed > 0)
        put_pair(line, &KM_U("suppressed", head->suppressed));
}

static size_t decimal_len(size_t value)
{
    size_t len = 1;

    while (value >= 10) {
        value /= 10;
        len++;
    }
    return len;
}

/* The line's text and " [truncated N chars]" fill the space before the end of line. */
static size_t cut_line(struct km_log_line *line, size_t space)
{
    size_t suffix = strlen(CUT_BEFORE) + decimal_len(line->total) + strlen(CUT_AFTER);
    size_t kept = space > suffix ? space - suffix : 0;
    size_t total = line->total;

    while (kept > 0 && ((unsigned char)line->data[kept] & 0xc0u) == 0x80u)
        kept--;
    line->total = kept;
    km_log_line_puts(line, CUT_BEFORE);
    km_log_line_put_number(line, total - kept, false);
    km_log_line_puts(line, CUT_AFTER);
    return line->total;
}

size_t km_log_text_format(char *out, size_t out_size, const struct km_log_record *record,
                          const struct km_log_text_head *head, bool *cut)
{
    struct km_log_line line = {.data = out, .size = out_size};
    size_t len;
    bool long_line;

    put_record(&line, record, head);
    long_line = line.total > out_size - 1;
    len = long_line ? cut_line(&line, out_size - 1) : line.total;
    out[len] = '\n';
    if (cut != NULL)
        *cut = long_line;
    return len + 1;
}
