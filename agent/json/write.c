/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "json_priv.h"

void km_json_writer_init(struct km_json_writer *w, struct km_buf *buf)
{
    memset(w, 0, sizeof *w);
    w->buf = buf;
}

static void misuse(struct km_json_writer *w)
{
    w->broken = true;
    w->buf->overflow = true;
}

static bool in_object(const struct km_json_writer *w)
{
    return w->depth > 0 && km_bit_get(w->is_object, w->depth - 1u);
}

/* Before each value: false when there is no place for one. */
static bool begin_value(struct km_json_writer *w)
{
    bool second = w->depth == 0 && w->need_comma;

    if (w->broken || second || (in_object(w) && !w->after_key)) {
        misuse(w);
        return false;
    }
    if (w->need_comma && !w->after_key)
        km_buf_putc(w->buf, ',');
    w->need_comma = true;
    w->after_key = false;
    return true;
}

static void open_container(struct km_json_writer *w, bool object)
{
    if (!begin_value(w))
        return;
    if (w->depth >= CONFIG_KM_JSON_DEPTH) {
        misuse(w);
        return;
    }
    if (object)
        km_bit_set(w->is_object, w->depth);
    else
        km_bit_clear(w->is_object, w->depth);
    w->depth++;
    w->need_comma = false;
    km_buf_putc(w->buf, object ? '{' : '[');
}

void km_json_object(struct km_json_writer *w)
{
    open_container(w, true);
}

void km_json_array(struct km_json_writer *w)
{
    open_container(w, false);
}

void km_json_close(struct km_json_writer *w)
{
    if (w->broken || w->depth == 0 || w->after_key) {
        misuse(w);
        return;
    }
    km_buf_putc(w->buf, in_object(w) ? '}' : ']');
    w->depth--;
    w->need_comma = true;
}

/* Length of the well-formed UTF-8 sequence at text (RFC 3629), 0 when there is none. */
static size_t utf8_len(const unsigned char *text, size_t len)
{
    unsigned char c = text[0], min = 0x80, max = 0xbf;
    size_t need = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (need > len || (c >= 0x80 && c < 0xc2) || c > 0xf4)
        return 0;
    if (c == 0xe0 || c == 0xf0)
        min = c == 0xe0 ? 0xa0 : 0x90;
    if (c == 0xed || c == 0xf4)
        max = c == 0xed ? 0x9f : 0x8f;
    for (size_t i = 1; i < need; i++) {
        if (text[i] < min || text[i] > max)
            return 0;
        min = 0x80;
        max = 0xbf;
    }
    return need;
}

static void put_escape(struct km_buf *buf, unsigned char c)
{
    static const char names[] = "btn\vfr", hex[] = "0123456789abcdef";
    char out[6] = {'\\', (char)c, '0', '0', '0', '0'};

    if (c == '"' || c == '\\') {
        km_buf_put(buf, out, 2);
    } else if (c >= '\b' && c <= '\r' && c != '\v') {
        out[1] = names[c - '\b'];
        km_buf_put(buf, out, 2);
    } else {
        out[1] = 'u';
        out[4] = hex[c >> 4];
        out[5] = hex[c & 15];
        km_buf_put(buf, out, 6);
    }
}

static void put_string(struct km_buf *buf, struct km_slice value)
{
    const unsigned char *text = (const unsigned char *)value.ptr;
    size_t at = 0, from = 0;

    km_buf_putc(buf, '"');
    while (at < value.len) {
        size_t len = utf8_len(text + at, value.len - at);

        if (len > 0 && text[at] >= 0x20 && text[at] != '"' && text[at] != '\\') {
            at += len;
            continue;
        }
        km_buf_put(buf, value.ptr + from, at - from);
        if (len > 0)
            put_escape(buf, text[at]);
        else
            km_buf_put(buf, "\xef\xbf\xbd", 3);
        from = ++at;
    }
    km_buf_put(buf, value.ptr + from, at - from);
    km_buf_putc(buf, '"');
}

void km_json_key(struct km_json_writer *w, const char *key)
{
    if (w->broken || !in_object(w) || w->after_key) {
        misuse(w);
        return;
    }
    if (w->need_comma)
        km_buf_putc(w->buf, ',');
    put_string(w->buf, km_slice_of(key));
    km_buf_putc(w->buf, ':');
    w->after_key = true;
}

void km_json_slice(struct km_json_writer *w, struct km_slice value)
{
    if (begin_value(w))
        put_string(w->buf, value);
}

void km_json_str(struct km_json_writer *w, const char *value)
{
    km_json_slice(w, km_slice_of(value));
}

void km_json_i64(struct km_json_writer *w, int64_t value)
{
    if (begin_value(w))
        km_buf_put_i64(w->buf, value);
}

void km_json_bool(struct km_json_writer *w, bool value)
{
    if (begin_value(w))
        km_buf_puts(w->buf, value ? "true" : "false");
}

void km_json_null(struct km_json_writer *w)
{
    if (begin_value(w))
        km_buf_puts(w->buf, "null");
}

void km_json_raw(struct km_json_writer *w, struct km_slice value)
{
    struct km_json_scan scan;

    km_json_scan_init(&scan, false);
    if (km_json_scan_feed(&scan, value) != KM_OK || km_json_scan_end(&scan) != KM_OK) {
        misuse(w);
        return;
    }
    if (begin_value(w))
        km_buf_put_slice(w->buf, value);
}

void km_json_kv_str(struct km_json_writer *w, const char *key, const char *value)
{
    km_json_key(w, key);
    km_json_str(w, value);
}

void km_json_kv_i64(struct km_json_writer *w, const char *key, int64_t value)
{
    km_json_key(w, key);
    km_json_i64(w, value);
}

void km_json_kv_bool(struct km_json_writer *w, const char *key, bool value)
{
    km_json_key(w, key);
    km_json_bool(w, value);
}

int km_json_finish(const struct km_json_writer *w)
{
    if (w->broken || w->depth > 0 || w->after_key || !w->need_comma)
        return KM_ERR_ARG;
    return w->buf->overflow ? KM_ERR_TOO_LONG : KM_OK;
}
