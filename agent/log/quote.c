/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "log_priv.h"

void km_log_line_put(struct km_log_line *line, const char *data, size_t len)
{
    if (line->total < line->size) {
        size_t room = line->size - line->total;

        memcpy(line->data + line->total, data, len < room ? len : room);
    }
    line->total += len;
}

void km_log_line_puts(struct km_log_line *line, const char *text)
{
    km_log_line_put(line, text, strlen(text));
}

void km_log_line_put_number(struct km_log_line *line, uint64_t value, bool has_sign)
{
    char digits[24];
    struct km_buf buf;

    km_buf_init(&buf, digits, sizeof digits);
    if (has_sign)
        km_buf_put_i64(&buf, (int64_t)value);
    else
        km_buf_put_u64(&buf, value);
    km_log_line_put(line, digits, buf.len);
}

static bool is_printable(uint32_t rune)
{
    uint32_t end = 0x80;
    bool printable = true;

    if (rune < 0x80)
        return rune >= 0x20 && rune < 0x7f;
    for (size_t i = 0; i < km_log_printable_len;) {
        uint32_t run = 0;
        unsigned shift = 0;

        while (km_log_printable[i] & 0x80u) {
            run |= (km_log_printable[i++] & 0x7fu) << shift;
            shift += 7;
        }
        run |= (uint32_t)km_log_printable[i++] << shift;
        end += run;
        printable = !printable;
        if (rune < end)
            return printable;
    }
    return false;
}

static bool is_tail(unsigned char c)
{
    return (c & 0xc0u) == 0x80u;
}

size_t km_log_decode(struct km_slice text, uint32_t *rune)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len;

    if (p[0] < 0x80) {
        *rune = p[0];
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (text.len < len)
        return 0;
    *rune = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (!is_tail(p[i]))
            return 0;
        *rune = *rune << 6 | (p[i] & 0x3fu);
    }
    if (*rune < least[len] || *rune > 0x10ffff || (*rune >= 0xd800 && *rune <= 0xdfff))
        return 0;
    return len;
}

static void put_hex(struct km_log_line *line, const char *prefix, uint32_t value, unsigned count)
{
    static const char hex[] = "0123456789abcdef";

    km_log_line_puts(line, prefix);
    while (count-- > 0)
        km_log_line_put(line, &hex[value >> (count * 4u) & 15u], 1);
}

static void put_rune(struct km_log_line *line, uint32_t rune)
{
    static const char letters[] = "abtnvfr"; /* from BEL to CR */

    if (rune >= '\a' && rune <= '\r') {
        km_log_line_put(line, "\\", 1);
        km_log_line_put(line, &letters[rune - '\a'], 1);
    } else if (rune < 0x20 || rune == 0x7f) {
        put_hex(line, "\\x", rune, 2);
    } else if (rune < 0x10000) {
        put_hex(line, "\\u", rune, 4);
    } else {
        put_hex(line, "\\U", rune, 8);
    }
}

void km_log_line_escape(struct km_log_line *line, struct km_slice text)
{
    while (text.len > 0) {
        uint32_t rune = 0;
        size_t len = km_log_decode(text, &rune);

        if (len == 0) {
            put_hex(line, "\\x", (unsigned char)text.ptr[0], 2);
            len = 1;
        } else if (rune == '"' || rune == '\\') {
            km_log_line_put(line, "\\", 1);
            km_log_line_put(line, text.ptr, 1);
        } else if (is_printable(rune)) {
            km_log_line_put(line, text.ptr, len);
        } else {
            put_rune(line, rune);
        }
        text.ptr += len;
        text.len -= len;
    }
}
