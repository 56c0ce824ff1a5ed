/* SPDX-License-Identifier: Apache-2.0 */
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

struct decimal {
    bool negative;
    struct km_slice whole, fraction; /* whole without zeros before it */
    int64_t exponent;
};

static struct km_slice take_digits(struct km_slice *text)
{
    struct km_slice taken = {text->ptr, 0};

    while (taken.len < text->len && is_digit(text->ptr[taken.len]))
        taken.len++;
    drop(text, taken.len);
    return taken;
}

static bool take_exponent(struct km_slice *text, int64_t *exponent)
{
    if (text->len == 0)
        return true;
    if (text->ptr[0] != 'e' && text->ptr[0] != 'E')
        return false;
    drop(text, 1);
    bool negative = text->len > 0 && text->ptr[0] == '-';
    if (negative || (text->len > 0 && text->ptr[0] == '+'))
        drop(text, 1);
    struct km_slice digits = take_digits(text);
    for (size_t i = 0; i < digits.len; i++) {
        if (*exponent < 100000)
            *exponent = *exponent * 10 + (digits.ptr[i] - '0');
    }
    *exponent = negative ? -*exponent : *exponent;
    return digits.len > 0 && text->len == 0;
}

static bool split_float(struct km_slice text, struct decimal *d)
{
    *d = (struct decimal){0};
    d->negative = text.len > 0 && text.ptr[0] == '-';
    if (d->negative || (text.len > 0 && text.ptr[0] == '+'))
        drop(&text, 1);
    d->whole = take_digits(&text);
    if (text.len > 0 && text.ptr[0] == '.') {
        drop(&text, 1);
        d->fraction = take_digits(&text);
    }
    if (d->whole.len == 0 && d->fraction.len == 0)
        return false;
    while (d->whole.len > 0 && d->whole.ptr[0] == '0')
        drop(&d->whole, 1);
    return take_exponent(&text, &d->exponent);
}

static char decimal_digit(const struct decimal *d, size_t at)
{
    if (at < d->whole.len)
        return d->whole.ptr[at];
    at -= d->whole.len;
    return at < d->fraction.len ? d->fraction.ptr[at] : '0';
}

/* Whether a double would be infinite: at least 2^1024 - 2^970. */
static bool is_infinite(const struct decimal *d)
{
    static const char limit[] = "17976931348623158079372897140530341507993413271003782693617377898";
    size_t count = d->whole.len + d->fraction.len, first = 0;

    while (first < count && decimal_digit(d, first) == '0')
        first++;
    int64_t top = (int64_t)d->whole.len - (int64_t)first + d->exponent;
    if (first == count || top != 309)
        return first < count && top > 309;
    for (size_t i = 0; i < sizeof limit - 1; i++) {
        char c = decimal_digit(d, first + i);
        if (c != limit[i])
            return c > limit[i];
    }
    return true;
}

static bool read_float(struct km_slice text, struct km_buf *out)
{
    struct decimal d;

    if (!split_float(text, &d) || is_infinite(&d))
        return false;
    if (d.negative)
        km_buf_putc(out, '-');
    if (d.whole.len == 0)
        km_buf_putc(out, '0');
    km_buf_put_slice(out, d.whole);
    if (d.fraction.len > 0) {
        km_buf_putc(out, '.');
        km_buf_put_slice(out, d.fraction);
    }
    if (d.exponent != 0) {
        km_buf_putc(out, 'e');
        km_buf_put_i64(out, d.exponent);
    }
    return true;
}

bool scalar_float_key(const char *number, char out[SCALAR_NUMBER_SIZE])
{
    char digits[8];
    struct decimal d;
    struct km_buf buf;
    size_t count = 0;
    int64_t top;

    /* Go writes a float key with as many digits as a 32-bit float needs: up to six stay as they are. */
    if (!split_float(km_slice_of(number), &d))
        return false;
    top = (int64_t)d.whole.len + d.exponent;
    for (size_t i = 0; i < d.whole.len + d.fraction.len; i++) {
        char c = decimal_digit(&d, i);
        if (count == 0 && c == '0') {
            top--;
            continue;
        }
        if (count == 7)
            return false;
        digits[count++] = c;
    }
    while (count > 0 && digits[count - 1] == '0')
        count--;
    km_buf_init(&buf, out, SCALAR_NUMBER_SIZE);
    if (d.negative)
        km_buf_putc(&buf, '-');
    if (count == 0) {
        km_buf_putc(&buf, '0');
        return true;
    }
    if (count > 6 || top > 38 || top < -36)
        return false;
    if (top - 1 < -4 || top - 1 >= 6) {
        km_buf_putc(&buf, digits[0]);
        if (count > 1)
            km_buf_putc(&buf, '.');
        km_buf_put(&buf, digits + 1, count - 1);
        km_buf_printf(&buf, "e%c%02d", top < 1 ? '-' : '+', (int)(top < 1 ? 1 - top : top - 1));
        return true;
    }
    if (top <= 0)
        km_buf_puts(&buf, "0.");
    for (int64_t i = top; i < 0; i++)
        km_buf_putc(&buf, '0');
    for (int64_t i = 0; i < (int64_t)count || i < top; i++) {
        if (i == top && top > 0)
            km_buf_putc(&buf, '.');
        km_buf_putc(&buf, i < (int64_t)count ? digits[i] : '0');
    }
    return true;
}

/* ---- all ---- */

static enum scalar_type read_number(struct km_slice text, struct km_buf *out)
{
    char plain[DIGITS_MAX];
    size_t len = 0;

    if (text.ptr[0] == '.')
        return text.len <= DIGITS_MAX && read_float(text, out) ? SCALAR_FLOAT : SCALAR_STRING;
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
