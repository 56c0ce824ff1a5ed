/* SPDX-License-Identifier: Apache-2.0 */
/* Which plain scalars YAML 1.1 would not read as strings, as kubectl's YAML writer judges. */
#include <string.h>

#include "yaml_scalar.h"

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool reserved(const char *text)
{
    static const char *const words[] = {
        "y",    "Y",    "yes",  "Yes",   "YES",   "true",  "True",  "TRUE",  "on",    "On",
        "ON",   "n",    "N",    "no",    "No",    "NO",    "false", "False", "FALSE", "off",
        "Off",  "OFF",  "",     "~",     "null",  "Null",  "NULL",  ".nan",  ".NaN",  ".NAN",
        ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", "<<"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i], text) == 0)
            return true;
    }
    return false;
}

/* ---- numbers ---- */

static const char *digits(const char *at)
{
    while (digit(*at))
        at++;
    return at;
}

/* [0-9]*(\.[0-9]*)?([eE][-+]?[0-9]+)? with a digit somewhere in front of the exponent. */
static bool is_float(const char *text)
{
    const char *end = digits(text);
    size_t count = (size_t)(end - text);
    int64_t exponent = 0;
    bool negative = false;
    if (*end == '.') {
        const char *more = digits(end + 1);
        if (count == 0 && more == end + 1)
            return false;
        end = more;
    } else if (count == 0) {
        return false;
    }
    if (*end == 'e' || *end == 'E') {
        end++;
        negative = *end == '-';
        end += *end == '-' || *end == '+';
        const char *first = end;
        for (; digit(*end); end++)
            exponent = exponent < 100000 ? exponent * 10 + (*end - '0') : exponent;
        if (end == first)
            return false;
    }
    /* What no double holds is a string again. */
    return *end == '\0' && (negative || exponent + (int64_t)count <= 309);
}

static int value_of(char c)
{
    return digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : 99;
}

/* Go's strconv.ParseInt(text, 0, 64) or ParseUint: 0x, 0o, 0b, a leading 0 for octal. */
static bool is_int(const char *text, bool negative)
{
    int base = 10;
    uint64_t value = 0;
    if (text[0] == '0' && text[1] != '\0') {
        char c = (char)(text[1] | 0x20);
        base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 8;
        text += c == 'x' || c == 'o' || c == 'b' ? 2 : 1;
    }
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        int d = value_of(*text);
        if (d >= base || value > (UINT64_MAX - (uint64_t)d) / (uint64_t)base)
            return false;
        value = value * (uint64_t)base + (uint64_t)d;
    }
    return !negative || value <= (uint64_t)INT64_MAX + 1;
}

/* [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)? */
static bool is_base60(const char *at)
{
    bool groups = false;
    at += *at == '-' || *at == '+';
    if (!digit(*at))
        return false;
    while (digit(*at) || *at == '_')
        at++;
    while (*at == ':') {
        at++;
        if (*at >= '0' && *at <= '5' && digit(at[1]))
            at++;
        if (!digit(*at++))
            return false;
        groups = true;
    }
    if (groups && *at == '.') {
        at++;
        while (digit(*at) || *at == '_')
            at++;
    }
    return groups && *at == '\0';
}

/* ---- times ---- */

/* One or two digits up to `max`; -1 when there are none. */
static int part(const char **at, int min, int max)
{
    int value = 0, count = 0;
    while (count < 2 && digit(**at)) {
        value = value * 10 + (*(*at)++ - '0');
        count++;
    }
    return count > 0 && value >= min && value <= max ? value : -1;
}

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool is_zone(const char *at)
{
    if (strcmp(at, "Z") == 0)
        return true;
    return (at[0] == '+' || at[0] == '-') && digit(at[1]) && digit(at[2]) && at[3] == ':' &&
           digit(at[4]) && digit(at[5]) && at[6] == '\0' &&
           (at[1] - '0') * 10 + at[2] - '0' <= 24 && at[4] <= '5';
}

static bool is_clock(const char *at, bool zone)
{
    if (part(&at, 0, 23) < 0 || *at++ != ':' || part(&at, 0, 59) < 0 || *at++ != ':' ||
        part(&at, 0, 59) < 0)
        return false;
    if ((*at == '.' || *at == ',') && digit(at[1]))
        at = digits(at + 1);
    return zone ? is_zone(at) : *at == '\0';
}

static bool is_time(const char *at)
{
    int year = 0;
    for (int i = 0; i < 4; i++) {
        if (!digit(*at))
            return false;
        year = year * 10 + (*at++ - '0');
    }
    if (*at++ != '-')
        return false;
    int month = part(&at, 1, 12);
    if (month < 0 || *at++ != '-')
        return false;
    int day = part(&at, 1, month_days(year, month));
    if (day < 0)
        return false;
    if (*at == '\0')
        return true;
    return *at == ' ' ? is_clock(at + 1, false)
                      : (*at == 'T' || *at == 't') && is_clock(at + 1, true);
}

/* ---- verdict ---- */

static bool is_number(const char *text)
{
    char plain[YAML_SCALAR_SIZE];
    size_t len = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c != '_')
            plain[len++] = *c;
    }
    plain[len] = '\0';
    bool sign = plain[0] == '-' || plain[0] == '+';
    return is_int(plain + sign, plain[0] == '-') || is_float(plain + sign);
}

bool yaml_is_string(const char *text)
{
    char c = text[0];
    if (reserved(text) || is_base60(text))
        return false;
    if (c == '.')
        return !(digit(text[1]) && is_float(text));
    if (digit(c) && is_time(text))
        return false;
    return !(digit(c) || c == '+' || c == '-') || !is_number(text);
}

/* ---- numbers of JSON ---- */

struct decimal {
    char digits[64];
    int count, point; /* 0.DIGITS times ten to the power of `point` */
    bool negative;
};

static bool read_decimal(struct km_slice text, struct decimal *d)
{
    int exponent = 0, sign = 1;
    bool behind = false, started = false;
    size_t i = 0;
    memset(d, 0, sizeof *d);
    d->negative = text.len > 0 && text.ptr[0] == '-';
    for (i = d->negative; i < text.len && (digit(text.ptr[i]) || text.ptr[i] == '.'); i++) {
        char c = text.ptr[i];
        if (c == '.') {
            behind = true;
            continue;
        }
        started = started || c != '0';
        d->point += started ? !behind : -(int)behind;
        if (started && d->count < (int)sizeof d->digits)
            d->digits[d->count++] = c;
    }
    if (i < text.len) {
        i++;
        sign = i < text.len && text.ptr[i] == '-' ? -1 : 1;
        i += i < text.len && (text.ptr[i] == '-' || text.ptr[i] == '+');
        for (; i < text.len && exponent < 10000; i++)
            exponent = exponent * 10 + (text.ptr[i] - '0');
    }
    d->point += sign * exponent;
    while (d->count > 0 && d->digits[d->count - 1] == '0')
        d->count--;
    return d->count > 0;
}

static void put_plain(struct km_buf *out, const struct decimal *d)
{
    int whole = d->point > 0 ? d->point : 0;
    for (int i = 0; i < whole; i++)
        km_buf_putc(out, i < d->count ? d->digits[i] : '0');
    if (whole == 0)
        km_buf_putc(out, '0');
    if (d->count <= whole)
        return;
    km_buf_putc(out, '.');
    for (int i = d->point; i < 0; i++)
        km_buf_putc(out, '0');
    km_buf_put(out, d->digits + whole, (size_t)(d->count - whole));
}

/* Go's %g with as few digits as needed, as its YAML writer prints floats. */
void yaml_put_number(struct km_buf *out, struct km_slice text)
{
    struct decimal d;
    bool plain = memchr(text.ptr, '.', text.len) == NULL &&
                 memchr(text.ptr, 'e', text.len) == NULL && memchr(text.ptr, 'E', text.len) == NULL;
    char word[32];
    if (plain && km_slice_copy(text, word, sizeof word) == KM_OK &&
        is_int(word + (word[0] == '-'), word[0] == '-')) {
        km_buf_put_slice(out, text);
        return;
    }
    if (!read_decimal(text, &d)) {
        km_buf_puts(out, d.negative ? "-0" : "0");
        return;
    }
    if (d.negative)
        km_buf_putc(out, '-');
    int exponent = d.point - 1;
    if (exponent >= -4 && exponent < 6) {
        put_plain(out, &d);
        return;
    }
    km_buf_putc(out, d.digits[0]);
    if (d.count > 1)
        km_buf_putc(out, '.');
    km_buf_put(out, d.digits + 1, (size_t)d.count - 1);
    km_buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}
