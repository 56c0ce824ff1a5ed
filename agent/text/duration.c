/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_scalar.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define LIMIT (UINT64_C(1) << 63)

static const struct {
    const char *text;
    uint64_t ns;
} units[] = {
    {"ns", 1},         {"us", US},    {"\xc2\xb5s", US}, /* U+00B5, micro sign */
    {"\xce\xbcs", US},                                   /* U+03BC, Greek mu */
    {"ms", MS},        {"s", SECOND}, {"m", MINUTE},     {"h", HOUR},
};

static bool starts_with_digit(struct km_slice text)
{
    return text.len > 0 && text.ptr[0] >= '0' && text.ptr[0] <= '9';
}

static unsigned next_digit(struct km_slice *text)
{
    unsigned digit = (unsigned)(text->ptr[0] - '0');

    *text = (struct km_slice){text->ptr + 1, text->len - 1};
    return digit;
}

/* Up to 2^63, since -2^63 is a duration too. */
static bool read_whole(struct km_slice *text, uint64_t *value)
{
    *value = 0;
    while (starts_with_digit(*text)) {
        if (*value > LIMIT / 10)
            return false;
        *value = *value * 10 + next_digit(text);
        if (*value > LIMIT)
            return false;
    }
    return true;
}

static uint64_t read_fraction(struct km_slice *text, double *scale)
{
    uint64_t value = 0;

    *scale = 1;
    for (bool full = false; starts_with_digit(*text);) {
        unsigned digit = next_digit(text);
        full = full || value > (LIMIT - 1) / 10 || value * 10 + digit > LIMIT;
        if (full)
            continue;
        value = value * 10 + digit;
        *scale *= 10;
    }
    return value;
}

static bool read_unit(struct km_slice *text, uint64_t *ns)
{
    size_t len = 0;

    while (len < text->len && text->ptr[len] != '.' &&
           (text->ptr[len] < '0' || text->ptr[len] > '9'))
        len++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!km_slice_eq_str((struct km_slice){text->ptr, len}, units[i].text))
            continue;
        *ns = units[i].ns;
        *text = (struct km_slice){text->ptr + len, text->len - len};
        return true;
    }
    return false;
}

/* One number with its unit. */
static bool read_part(struct km_slice *text, uint64_t *ns)
{
    uint64_t whole, fraction = 0, unit;
    double scale = 1;
    size_t digits = text->len;

    if (!read_whole(text, &whole))
        return false;
    digits -= text->len;
    if (text->len > 0 && text->ptr[0] == '.') {
        *text = (struct km_slice){text->ptr + 1, text->len - 1};
        digits += starts_with_digit(*text);
        fraction = read_fraction(text, &scale);
    }
    if (digits == 0 || !read_unit(text, &unit) || whole > LIMIT / unit)
        return false;
    /* Go adds the fraction as a double; to be the same to the last nanosecond, so do we. */
    *ns = whole * unit + (uint64_t)((double)fraction * ((double)unit / scale));
    return *ns <= LIMIT;
}

int km_duration_parse(struct km_slice text, int64_t *ns)
{
    uint64_t sum = 0, part;
    bool negative = text.len > 0 && text.ptr[0] == '-';

    if (negative || (text.len > 0 && text.ptr[0] == '+'))
        text = (struct km_slice){text.ptr + 1, text.len - 1};
    if (text.len == 0)
        return KM_ERR_SYNTAX;
    if (km_slice_eq_str(text, "0"))
        text.len = 0;
    while (text.len > 0) {
        if (!read_part(&text, &part) || part > LIMIT - sum)
            return KM_ERR_SYNTAX;
        sum += part;
    }
    if (!negative && sum >= LIMIT)
        return KM_ERR_SYNTAX;
    *ns = negative && sum > 0 ? -(int64_t)(sum - 1) - 1 : (int64_t)sum;
    return KM_OK;
}

/* ---- writing ---- */

/* value / unit with as many digits behind the point as it needs. */
static void put_decimal(struct km_buf *buf, uint64_t value, uint64_t unit)
{
    km_buf_put_u64(buf, value / unit);
    value %= unit;
    if (value > 0)
        km_buf_putc(buf, '.');
    while (value > 0) {
        unit /= 10;
        km_buf_putc(buf, (char)('0' + (int)(value / unit)));
        value %= unit;
    }
}

static void put_small(struct km_buf *buf, uint64_t ns)
{
    if (ns >= MS) {
        put_decimal(buf, ns, MS);
        km_buf_puts(buf, "ms");
    } else if (ns >= US) {
        put_decimal(buf, ns, US);
        km_buf_puts(buf, "\xc2\xb5s");
    } else {
        km_buf_put_u64(buf, ns);
        km_buf_puts(buf, ns == 0 ? "s" : "ns");
    }
}

void km_duration_write(int64_t ns, char *out, size_t out_size)
{
    uint64_t left = ns < 0 ? 0u - (uint64_t)ns : (uint64_t)ns;
    struct km_buf buf;

    km_buf_init(&buf, out, out_size);
    if (ns < 0)
        km_buf_putc(&buf, '-');
    if (left < SECOND) {
        put_small(&buf, left);
        return;
    }
    if (left >= HOUR) {
        km_buf_put_u64(&buf, left / HOUR);
        km_buf_putc(&buf, 'h');
    }
    if (left >= MINUTE) {
        km_buf_put_u64(&buf, left % HOUR / MINUTE);
        km_buf_putc(&buf, 'm');
    }
    put_decimal(&buf, left % MINUTE, SECOND);
    km_buf_putc(&buf, 's');
}

static void put_two(struct km_buf *buf, uint64_t high, char high_unit, uint64_t low, char low_unit)
{
    km_buf_put_u64(buf, high);
    km_buf_putc(buf, high_unit);
    if (low == 0)
        return;
    km_buf_put_u64(buf, low);
    km_buf_putc(buf, low_unit);
}

/* Clocks differ: up to two seconds in the future count as now. */
static bool put_negative(struct km_buf *buf, int64_t ns)
{
    if (ns > -(int64_t)SECOND)
        return false;
    km_buf_puts(buf, ns > -2 * (int64_t)SECOND ? "0s" : "<invalid>");
    return true;
}

void km_duration_human(int64_t ns, char *out, size_t out_size)
{
    struct km_buf buf;

    km_buf_init(&buf, out, out_size);
    if (put_negative(&buf, ns))
        return;
    uint64_t seconds = ns < 0 ? 0 : (uint64_t)ns / SECOND, minutes = seconds / 60;
    uint64_t hours = minutes / 60, days = hours / 24;
    if (seconds < 120)
        put_two(&buf, seconds, 's', 0, 0);
    else if (minutes < 10)
        put_two(&buf, minutes, 'm', seconds % 60, 's');
    else if (minutes < 180)
        put_two(&buf, minutes, 'm', 0, 0);
    else if (hours < 8)
        put_two(&buf, hours, 'h', minutes % 60, 'm');
    else if (hours < 48)
        put_two(&buf, hours, 'h', 0, 0);
    else if (days < 8)
        put_two(&buf, days, 'd', hours % 24, 'h');
    else if (days < 2 * 365)
        put_two(&buf, days, 'd', 0, 0);
    else
        put_two(&buf, days / 365, 'y', days < 8 * 365 ? days % 365 : 0, 'd');
}

void km_duration_short(int64_t ns, char *out, size_t out_size)
{
    struct km_buf buf;

    km_buf_init(&buf, out, out_size);
    if (put_negative(&buf, ns))
        return;
    uint64_t seconds = ns < 0 ? 0 : (uint64_t)ns / SECOND, hours = seconds / 3600;
    if (seconds < 60)
        put_two(&buf, seconds, 's', 0, 0);
    else if (seconds < 3600)
        put_two(&buf, seconds / 60, 'm', 0, 0);
    else if (hours < 24)
        put_two(&buf, hours, 'h', 0, 0);
    else if (hours < 24 * 365)
        put_two(&buf, hours / 24, 'd', 0, 0);
    else
        put_two(&buf, hours / 24 / 365, 'y', 0, 0);
}
