/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include "kubemote/km_base.h"

void km_buf_init(struct km_buf *buf, char *data, size_t size)
{
    buf->data = data;
    buf->size = size;
    km_buf_reset(buf);
}

void km_buf_reset(struct km_buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
    if (buf->size > 0)
        buf->data[0] = '\0';
}

void km_buf_put(struct km_buf *buf, const char *data, size_t len)
{
    /* What stands in the buffer is always a prefix of what was meant: after one overflow nothing
       follows the gap. */
    if (buf->overflow || len == 0)
        return;
    if (buf->size <= buf->len || len >= buf->size - buf->len) {
        buf->overflow = true;
        return;
    }
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void km_buf_putc(struct km_buf *buf, char c)
{
    km_buf_put(buf, &c, 1);
}

void km_buf_puts(struct km_buf *buf, const char *text)
{
    km_buf_put_slice(buf, km_slice_of(text));
}

void km_buf_put_slice(struct km_buf *buf, struct km_slice text)
{
    km_buf_put(buf, text.ptr, text.len);
}

static void put_decimal(struct km_buf *buf, uint64_t value, bool negative)
{
    char digits[21];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value > 0);
    if (negative)
        digits[--at] = '-';
    km_buf_put(buf, digits + at, sizeof digits - at);
}

void km_buf_put_u64(struct km_buf *buf, uint64_t value)
{
    put_decimal(buf, value, false);
}

void km_buf_put_i64(struct km_buf *buf, int64_t value)
{
    /* Negated as unsigned: -INT64_MIN has no signed value. */
    put_decimal(buf, value < 0 ? 0u - (uint64_t)value : (uint64_t)value, value < 0);
}

void km_buf_printf(struct km_buf *buf, const char *format, ...)
{
    va_list args;
    size_t room;
    int len;

    if (buf->overflow)
        return;
    if (buf->size <= buf->len) {
        buf->overflow = true;
        return;
    }
    room = buf->size - buf->len;
    va_start(args, format);
    len = km_format_list(buf->data + buf->len, room, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= room) {
        buf->data[buf->len] = '\0';
        buf->overflow = true;
        return;
    }
    buf->len += (size_t)len;
}

struct km_slice km_buf_slice(const struct km_buf *buf)
{
    return (struct km_slice){.ptr = buf->size > 0 ? buf->data : "", .len = buf->len};
}
