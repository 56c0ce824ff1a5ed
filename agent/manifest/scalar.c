/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "manifest_priv.h"

#define TAG_PREFIX "tag:yaml.org,2002:"
/* More digits are no number that a person wrote. */
#define DIGITS_MAX 400

static const struct {
    enum scalar_type type;
    const char *words[6];
} words[] = {
    {SCALAR_TRUE, {"y", "Y", "yes", "Yes", "YES"}},
    {SCALAR_TRUE, {"true", "True", "TRUE", "on", "On", "ON"}},
    {SCALAR_FALSE, {"n", "N", "no", "No", "NO"}},
    {SCALAR_FALSE, {"false", "False", "FALSE", "off", "Off", "OFF"}},
    {SCALAR_NULL, {"", "~", "null", "Null", "NULL"}},
    {SCALAR_NO_JSON, {".nan", ".NaN", ".NAN"}},
    {SCALAR_NO_JSON, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"}},
    {SCALAR_NO_JSON, {"-.inf", "-.Inf", "-.INF"}},
};

static bool find_word(struct km_slice text, enum scalar_type *type)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (int k = 0; k < 6 && words[i].words[k] != NULL; k++) {
            if (km_slice_eq_str(text, words[i].words[k])) {
                *type = words[i].type;
                return true;
            }
        }
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void drop(struct km_slice *text, size_t count)
{
    *text = (struct km_slice){text->ptr + count, text->len - count};
}

/* ---- integers ---- */

static unsigned digit_value(char c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : 16;
}

static bool read_digits(struct km_slice text, unsigned base, uint64_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = digit_value(text.ptr[i]);
        if (digit >= base || value > (UINT64_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    *out = value;
    return text.len > 0;
}

/* 0x, 0o, 0b, 0: as Go's literals. */
static unsigned take_base(struct km_slice *text)
{
    char mark = text->len > 1 && text->ptr[0] == '0' ? text->ptr[1] : '\0';
    unsigned base = mark == 'x' || mark == 'X'   ? 16
                    : mark == 'o' || mark == 'O' ? 8
                    : mark == 'b' || mark == 'B' ? 2
                                                 : 10;

    if (base != 10)
        drop(text, 2);
    else if (mark != '\0')
        base = 8;
    return base;
}

static bool read_int(struct km_slice text, struct km_buf *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-', sign = negative;
    uint64_t value;

    if (sign || (text.len > 0 && text.ptr[0] == '+')) {
        sign = true;
        drop(&text, 1);
    }
    unsigned base = take_base(&text);
    /* go-yaml tries binary digits once more by themselves, and so takes a sign behind 0b. */
    if (base == 2 && !sign && text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+')) {
        negative = text.ptr[0] == '-';
        sign = true;
        drop(&text, 1);
    }
    if (!read_digits(text, base, &value))
        return false;
    /* Beyond int64 only without a sign. */
    if (sign && value > (uint64_t)INT64_MAX + negative)
        return false;
    if (negative && value > 0)
        km_buf_putc(out, '-');
    km_buf_put_u64(out, value);
    return true;
}

/* ---- floats ---- */

static size_t digits_at(struct km_slice text, size_t at)
{
    size_t count = 0;
    while (at + count < text.len && is_digit(text.ptr[at + count]))
        count++;
    return count;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(struct km_slice text)
{
    size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+') ? 1 : 0;
    size_t count = digits_at(text, at);

    at += count;
    if (at < text.len && text.ptr[at] == '.') {
        size_t behind = digits_at(text, at + 1);
        at += behind + 1;
        count += behind;
    }
    if (count == 0 || at == text.len)
        return count > 0;
    if (text.ptr[at] != 'e' && text.ptr[at] != 'E')
        return false;
    at++;
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
        at++;
    count = digits_at(text, at);
    return count > 0 && at + count == text.len;
}

/* As Go's strconv writes the shortest form: with an exponent of at least two digits outside 10^low to 10^high, without
   one inside. JSON takes the zero out of e-09. */
static void put_float(struct km_buf *buf, double value, bool single, long low, long high)
{
    char digits[DECIMAL_DIGITS];
    long exponent;
    size_t count = decimal_shortest(value, single, digits, &exponent);

    if (signbit(value))
        km_buf_putc(buf, '-');
    if (value != 0 && (exponent < low || exponent >= high)) {
        km_buf_putc(buf, digits[0]);
        km_buf_puts(buf, count > 1 ? "." : "");
        km_buf_put(buf, digits + 1, count - 1);
        km_buf_printf(buf, single ? "e%+03ld" : exponent < 0 ? "e%ld" : "e%+03ld", exponent);
        return;
    }
    km_buf_puts(buf, exponent < 0 ? "0." : "");
    for (long i = exponent + 1; i < 0; i++)
        km_buf_putc(buf, '0');
    for (long i = 0; i < (long)count || i <= exponent; i++) {
        if (i == exponent + 1 && exponent >= 0)
            km_buf_putc(buf, '.');
        km_buf_putc(buf, i < (long)count ? digits[i] : '0');
    }
}

static bool read_float(struct km_slice text, struct km_buf *out)
{
    char copy[DIGITS_MAX + 1];

    if (!is_float(text) || km_slice_copy(text, copy, sizeof copy) != KM_OK)
        return false;
    double value = decimal_read(copy);
    if (value > DBL_MAX || value < -DBL_MAX)
        return false;
    put_float(out, value, false, -6, 21);
    return true;
}

void scalar_float_key(const char *number, char out[SCALAR_NUMBER_SIZE])
{
    struct km_buf buf;

    km_buf_init(&buf, out, SCALAR_NUMBER_SIZE);
    double value = (double)(float)decimal_read(number);
    if (value > (double)FLT_MAX || value < -(double)FLT_MAX)
        km_buf_puts(&buf, value < 0 ? "-.inf" : ".inf");
    else
        put_float(&buf, value, true, -4, 6);
}

/* ---- all ---- */

static enum scalar_type read_number(struct km_slice text, struct km_buf *out)
{
    char plain[DIGITS_MAX];
    size_t len = 0;

    if (text.ptr[0] == '.')
        return read_float(text, out) ? SCALAR_FLOAT : SCALAR_STRING;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '_')
            continue;
        if (len == sizeof plain)
            return SCALAR_STRING;
        plain[len++] = text.ptr[i];
    }
    text = (struct km_slice){plain, len};
    if (read_int(text, out))
        return SCALAR_INT;
    return read_float(text, out) ? SCALAR_FLOAT : SCALAR_STRING;
}

static enum scalar_type read_plain(struct km_slice text, struct km_buf *out)
{
    enum scalar_type type;

    if (find_word(text, &type))
        return type;
    return text.len > 0 && text.ptr[0] != '\0' && strchr("+-.0123456789", text.ptr[0]) != NULL
               ? read_number(text, out)
               : SCALAR_STRING;
}

/* A date at least; which of its forms does not matter, since it stays a string. */
static bool is_timestamp(struct km_slice text)
{
    for (size_t i = 0; i < 4; i++) {
        if (i >= text.len || !is_digit(text.ptr[i]))
            return false;
    }
    return text.len > 4 && text.ptr[4] == '-';
}

static bool tag_fits(const char *tag, enum scalar_type type)
{
    switch (type) {
    case SCALAR_TRUE:
    case SCALAR_FALSE:
        return strcmp(tag, "bool") == 0;
    case SCALAR_NULL:
        return strcmp(tag, "null") == 0;
    case SCALAR_INT:
        return strcmp(tag, "int") == 0 || strcmp(tag, "float") == 0;
    case SCALAR_FLOAT:
    case SCALAR_NO_JSON:
        return strcmp(tag, "float") == 0;
    default:
        return false;
    }
}

enum scalar_type scalar_resolve(const char *tag, struct km_slice text,
                                char number[SCALAR_NUMBER_SIZE])
{
    static const char *const known[] = {"bool", "int", "float", "null"};
    struct km_buf buf;

    km_buf_init(&buf, number, SCALAR_NUMBER_SIZE);
    if (tag == NULL)
        return read_plain(text, &buf);
    if (strncmp(tag, TAG_PREFIX, sizeof TAG_PREFIX - 1) != 0)
        return SCALAR_STRING;
    tag += sizeof TAG_PREFIX - 1;
    if (strcmp(tag, "binary") == 0)
        return SCALAR_BINARY;
    if (strcmp(tag, "timestamp") == 0)
        return is_timestamp(text) ? SCALAR_STRING : SCALAR_WRONG_TAG;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(tag, known[i]) == 0) {
            enum scalar_type type = read_plain(text, &buf);
            return tag_fits(tag, type) ? type : SCALAR_WRONG_TAG;
        }
    }
    return SCALAR_STRING;
}
