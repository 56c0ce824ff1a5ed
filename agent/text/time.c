/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_scalar.h"

/* Go's zero time is written as JSON's null. */
#define ZERO_TIME_S INT64_C(-62135596800)
#define US_PER_S INT64_C(1000000)

static int write_time(int64_t us, bool micro, bool is_zero, char *out, size_t out_size)
{
    struct km_civil c;
    struct km_buf buf;

    km_buf_init(&buf, out, out_size);
    km_time_civil(us, &c);
    if (is_zero) {
        km_buf_puts(&buf, "null");
        return buf.overflow ? KM_ERR_TOO_LONG : KM_OK;
    }
    /* A zone can move the year 0 below 0: Go writes the sign before four digits. */
    km_buf_printf(&buf, "%s%04d-%02d-%02dT%02d:%02d:%02d", c.year < 0 ? "-" : "",
                  c.year < 0 ? -c.year : c.year, c.month, c.day, c.hour, c.minute, c.second);
    if (micro)
        km_buf_printf(&buf, ".%06d", c.micros);
    km_buf_putc(&buf, 'Z');
    return buf.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

/* Whether nothing but zeros stands behind the point: microseconds alone would not tell. */
static bool fraction_is_zero(struct km_slice text)
{
    size_t at = text.len;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.' || text.ptr[i] == ',')
            at = i + 1;
    }
    while (at < text.len && text.ptr[at] == '0')
        at++;
    return at >= text.len || text.ptr[at] < '1' || text.ptr[at] > '9';
}

int km_time_canonical(struct km_slice text, char *out, size_t out_size)
{
    int64_t us;

    int err = km_time_parse(text, &us);
    if (err != KM_OK)
        return err;
    bool is_zero = us == ZERO_TIME_S * US_PER_S && fraction_is_zero(text);
    return write_time(us, false, is_zero, out, out_size);
}

int km_time_canonical_micro(struct km_slice text, char *out, size_t out_size)
{
    int64_t us;

    int err = km_time_parse_micro(text, &us);
    if (err != KM_OK)
        return err;
    return write_time(us, true, us == ZERO_TIME_S * US_PER_S, out, out_size);
}
