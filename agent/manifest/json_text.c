/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest_priv.h"

void json_put_string(struct km_buf *buf, struct km_slice text)
{
    static const char hex[] = "0123456789abcdef";
    size_t start = 0;

    km_buf_putc(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        km_buf_put(buf, text.ptr + start, i - start);
        start = i + 1;
        km_buf_putc(buf, '\\');
        if (c == '"' || c == '\\') {
            km_buf_putc(buf, (char)c);
        } else if (c == '\n' || c == '\t' || c == '\r') {
            km_buf_putc(buf, c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        } else {
            km_buf_puts(buf, "u00");
            km_buf_putc(buf, hex[c >> 4]);
            km_buf_putc(buf, hex[c & 15]);
        }
    }
    km_buf_put(buf, text.ptr + start, text.len - start);
    km_buf_putc(buf, '"');
}

size_t json_value_len(struct km_slice text)
{
    size_t depth = 0, i = 0;
    bool quoted = false;

    for (; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '{' || c == '[')) {
            depth++;
            continue;
        } else if (!quoted && depth == 0 && (c == ',' || c == ':' || c == '}' || c == ']')) {
            return i;
        } else if (!quoted && (c == '}' || c == ']')) {
            depth--;
        }
        if (!quoted && depth == 0 && (c == '}' || c == ']' || c == '"'))
            return i + 1;
    }
    return text.len; /* i is beyond it behind a backslash at the end */
}
