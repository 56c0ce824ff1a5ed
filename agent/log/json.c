/* SPDX-License-Identifier: Apache-2.0 */
/* klog's JSON format, as component-base's logs/json writes it by zap. */
#include <string.h>

#include "kubemote/km_log_sink.h"
#include "log_priv.h"

/* What must fit behind the last pair: `,"suppressed":4294967295,"truncated":18446744073709551615}`,
   and the end of line. */
#define TAIL_BYTES 72
/* ` [truncated 18446744073709551615 chars]` and the closing quote. */
#define CUT_BYTES 41

struct writer {
    struct km_log_line line;
    size_t limit; /* of all but the tail */
    size_t lost;  /* bytes of pairs that were left out */
    bool cut;
};

/* One character of text, escaped as zap does; returns how many bytes of text it took. */
static size_t put_char(struct km_log_line *line, struct km_slice text)
{
    static const char hex[] = "0123456789abcdef";
    char control[] = "\\u0000";
    uint32_t rune = 0;
    size_t len = km_log_decode(text, &rune);

    if (len == 0) {
        km_log_line_puts(line, "\\ufffd");
        return 1;
    }
    if (rune == '"' || rune == '\\') {
        km_log_line_puts(line, "\\");
        km_log_line_put(line, text.ptr, 1);
    } else if (rune == '\n' || rune == '\r' || rune == '\t') {
        km_log_line_puts(line, rune == '\n' ? "\\n" : rune == '\r' ? "\\r" : "\\t");
    } else if (rune < 0x20) {
        control[4] = hex[rune >> 4];
        control[5] = hex[rune & 15];
        km_log_line_puts(line, control);
    } else {
        km_log_line_put(line, text.ptr, len);
    }
    return len;
}

static void put_escaped(struct km_log_line *line, struct km_slice text)
{
    while (text.len > 0) {
        size_t used = put_char(line, text);

        text.ptr += used;
        text.len -= used;
    }
}

/* A text that is too long ends where it must and says how much is missing. */
static void put_string(struct writer *w, struct km_slice text)
{
    size_t limit = w->limit > CUT_BYTES ? w->limit - CUT_BYTES : 0, start = w->line.total;

    km_log_line_puts(&w->line, "\"");
    put_escaped(&w->line, text);
    if (w->line.total + 1 > w->limit && start + 1 < limit) {
        size_t left = text.len;

        w->line.total = start + 1;
        while (left > 0) {
            size_t before = w->line.total;
            size_t used = put_char(&w->line, text);

            if (w->line.total > limit) {
                w->line.total = before;
                break;
            }
            text.ptr += used;
            text.len = left -= used;
        }
        km_log_line_puts(&w->line, KM_LOG_CUT_BEFORE);
        km_log_line_put_number(&w->line, left, false);
        km_log_line_puts(&w->line, KM_LOG_CUT_AFTER);
        w->cut = true;
    }
    km_log_line_puts(&w->line, "\"");
}

static void put_key(struct writer *w, const char *key)
{
    km_log_line_puts(&w->line, ",\"");
    put_escaped(&w->line, km_slice_of(key));
    km_log_line_puts(&w->line, "\":");
}

static void put_object(struct writer *w, const struct km_kv *kv)
{
    km_log_line_puts(&w->line, "{\"name\":\"");
    put_escaped(&w->line, km_slice_of(kv->value.object.name));
    if (km_slice_of(kv->value.object.ns).len > 0) {
        km_log_line_puts(&w->line, "\",\"namespace\":\"");
        put_escaped(&w->line, km_slice_of(kv->value.object.ns));
    }
    km_log_line_puts(&w->line, "\"}");
}

static void put_value(struct writer *w, const struct km_kv *kv)
{
    switch (kv->type) {
    case KM_KV_STR:
        if (kv->value.str == NULL)
            km_log_line_puts(&w->line, "null");
        else
            put_string(w, km_slice_of(kv->value.str));
        break;
    case KM_KV_SLICE:
        put_string(w, kv->value.slice);
        break;
    case KM_KV_JSON:
        km_log_line_put(&w->line, kv->value.slice.ptr, kv->value.slice.len);
        break;
    case KM_KV_I64:
        km_log_line_put_number(&w->line, (uint64_t)kv->value.i64, true);
        break;
    case KM_KV_U64:
        km_log_line_put_number(&w->line, kv->value.u64, false);
        break;
    case KM_KV_BOOL:
        km_log_line_puts(&w->line, kv->value.boolean ? "true" : "false");
        break;
    case KM_KV_OBJECT:
        put_object(w, kv);
        break;
    }
}

/* A pair that does not fit is left out whole: what is written must stay JSON. */
static void put_pair(struct writer *w, const struct km_kv *kv)
{
    size_t before = w->line.total;

    put_key(w, kv->key);
    put_value(w, kv);
    if (w->line.total <= w->limit)
        return;
    w->lost += w->line.total - before;
    w->line.total = before;
    w->cut = true;
}

static void put_time(struct km_log_line *line, int64_t wall_us)
{
    char text[40];
    struct km_buf buf;
    bool before_1970 = wall_us < 0;
    int64_t us = before_1970 ? -wall_us : wall_us;
    unsigned micros = (unsigned)(us % 1000);

    km_buf_init(&buf, text, sizeof text);
    km_buf_puts(&buf, before_1970 ? "-" : "");
    km_buf_put_i64(&buf, us / 1000);
    if (micros != 0)
        km_buf_printf(&buf, ".%03u", micros);
    while (micros != 0 && text[buf.len - 1] == '0')
        buf.len--;
    km_log_line_put(line, text, buf.len);
}

/* The source file with one folder, as zap's short caller. */
static const char *short_path(const char *path)
{
    const char *shown = path;

    for (const char *p = path; *p != '\0'; p++) {
        const char *next = *p == '/' ? strchr(p + 1, '/') : NULL;

        if (next != NULL && strchr(next + 1, '/') == NULL)
            shown = p + 1;
    }
    return shown;
}

static void put_head(struct writer *w, const struct km_log_record *record, int64_t wall_us)
{
    km_log_line_puts(&w->line, "{\"ts\":");
    put_time(&w->line, wall_us);
    if (km_log_is_named(record->logger)) {
        km_log_line_puts(&w->line, ",\"logger\":\"");
        km_log_put_name(&w->line, record->logger, put_escaped);
        km_log_line_puts(&w->line, "\"");
    }
    km_log_line_puts(&w->line, ",\"caller\":\"");
    put_escaped(&w->line, km_slice_of(short_path(record->file)));
    km_log_line_puts(&w->line, ":");
    km_log_line_put_number(&w->line, (uint64_t)record->line, false);
    km_log_line_puts(&w->line, "\",\"msg\":");
    put_string(w, km_slice_of(record->message));
}

static void put_pairs(struct writer *w, const struct km_log_record *record)
{
    const struct km_logger *chain[KM_LOGGER_DEPTH];
    size_t depth = km_log_chain(record->logger, chain);

    while (depth > 0) {
        const struct km_logger *logger = chain[--depth];

        for (size_t i = 0; i < logger->pair_count; i++)
            put_pair(w, &logger->pairs[i]);
    }
    if (record->severity == 'I' || record->severity == 'W')
        put_pair(w, &KM_U("v", record->level));
    for (size_t i = 0; i < record->pair_count; i++)
        put_pair(w, &record->pairs[i]);
    if (record->err != NULL)
        put_pair(w, &KM_S("err", record->err));
}

size_t km_log_json_format(char *out, size_t out_size, const struct km_log_record *record,
                          const struct km_log_text_head *head, bool *cut)
{
    struct writer w = {.line = {.data = out, .size = out_size}, .limit = out_size - TAIL_BYTES};

    put_head(&w, record, head->wall_us);
    if (w.line.total > w.limit) {
        /* Names of loggers and files are our own and short: it takes a strange one to get here. */
        w.lost = w.line.total;
        w.line.total = 0;
        w.cut = true;
        km_log_line_puts(&w.line, "{\"msg\":\"\"");
    } else {
        put_pairs(&w, record);
    }
    w.limit = out_size - 2;
    if (head->suppressed > 0)
        put_pair(&w, &KM_U("suppressed", head->suppressed));
    if (w.lost > 0)
        put_pair(&w, &KM_U("truncated", w.lost));
    km_log_line_puts(&w.line, "}\n");
    if (cut != NULL)
        *cut = w.cut;
    return w.line.total;
}
