/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_scalar.h"

/* apimachinery goes two ways: an int64 with a power of ten for up to 18 digits, arbitrary precision beyond. Both give one
   value; they differ in what they accept, in rounding, and in whether the text is kept as it stands. */
#define FAST_DIGITS 18
#define NANO (-9)

/* base^exponent, as in apimachinery's table. */
struct suffix {
    char text[3];
    uint8_t format;
    int8_t exponent;
};

static const struct suffix suffixes[] = {
    {"", KM_DECIMAL_SI, 0},   {"n", KM_DECIMAL_SI, -9}, {"u", KM_DECIMAL_SI, -6},
    {"m", KM_DECIMAL_SI, -3}, {"k", KM_DECIMAL_SI, 3},  {"M", KM_DECIMAL_SI, 6},
    {"G", KM_DECIMAL_SI, 9},  {"T", KM_DECIMAL_SI, 12}, {"P", KM_DECIMAL_SI, 15},
    {"E", KM_DECIMAL_SI, 18}, {"Ki", KM_BINARY_SI, 10}, {"Mi", KM_BINARY_SI, 20},
    {"Gi", KM_BINARY_SI, 30}, {"Ti", KM_BINARY_SI, 40}, {"Pi", KM_BINARY_SI, 50},
    {"Ei", KM_BINARY_SI, 60},
};

/* A text taken apart: sign, digits before the point without leading zeros, digits behind it, suffix. */
struct parts {
    bool negative, has_digit;
    struct km_slice whole, fraction, suffix;
    uint8_t format;
    int32_t exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct km_slice take_digits(struct km_slice *rest)
{
    struct km_slice taken = {rest->ptr, 0};

    while (taken.len < rest->len && is_digit(rest->ptr[taken.len]))
        taken.len++;
    *rest = (struct km_slice){rest->ptr + taken.len, rest->len - taken.len};
    return taken;
}

static void drop(struct km_slice *rest, size_t count)
{
    *rest = (struct km_slice){rest->ptr + count, rest->len - count};
}

static int split(struct km_slice text, struct parts *p)
{
    struct km_slice rest = text;

    *p = (struct parts){0};
    if (rest.len == 0)
        return KM_ERR_SYNTAX;
    if (rest.ptr[0] == '-' || rest.ptr[0] == '+') {
        p->negative = rest.ptr[0] == '-';
        drop(&rest, 1);
    }
    while (rest.len > 0 && rest.ptr[0] == '0') {
        p->has_digit = true;
        drop(&rest, 1);
    }
    p->whole = take_digits(&rest);
    if (rest.len > 0 && rest.ptr[0] == '.') {
        drop(&rest, 1);
        p->fraction = take_digits(&rest);
    }
    p->has_digit = p->has_digit || p->whole.len > 0 || p->fraction.len > 0;
    p->suffix = rest;
    while (rest.len > 0 && rest.ptr[0] != '\0' && strchr("eEinumkKMGTP", rest.ptr[0]) != NULL)
        drop(&rest, 1);
    if (rest.len > 0 && (rest.ptr[0] == '-' || rest.ptr[0] == '+'))
        drop(&rest, 1);
    (void)take_digits(&rest);
    return rest.len == 0 ? KM_OK : KM_ERR_SYNTAX;
}

/* e3, E-3: an int64 in the text, of which apimachinery keeps the low 32 bits. */
static int read_exponent(struct km_slice text, int32_t *exponent)
{
    uint64_t value, limit = INT64_MAX;
    bool negative;

    if (text.len < 2 || (text.ptr[0] != 'e' && text.ptr[0] != 'E'))
        return KM_ERR_SYNTAX;
    drop(&text, 1);
    negative = text.ptr[0] == '-';
    if (negative || text.ptr[0] == '+')
        drop(&text, 1);
    if (km_slice_to_u64(text, &value) != KM_OK || value > limit + negative)
        return KM_ERR_SYNTAX;
    uint32_t low = (uint32_t)(negative ? 0u - value : value);
    *exponent = low > INT32_MAX ? -(int32_t)(UINT32_MAX - low) - 1 : (int32_t)low;
    return KM_OK;
}

static int read_suffix(struct parts *p)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (km_slice_eq_str(p->suffix, suffixes[i].text)) {
            p->format = suffixes[i].format;
            p->exponent = suffixes[i].exponent;
            return KM_OK;
        }
    }
    p->format = KM_DECIMAL_EXPONENT;
    return read_exponent(p->suffix, &p->exponent);
}

/* ---- digits ---- */

static void strip(struct km_quantity *q)
{
    uint16_t zeros = 0;

    while (zeros < q->count && q->digits[zeros] == 0)
        zeros++;
    q->count = (uint16_t)(q->count - zeros);
    memmove(q->digits, q->digits + zeros, q->count);
    while (q->count > 0 && q->digits[q->count - 1] == 0) {
        q->count--;
        q->exponent++;
    }
    if (q->count == 0)
        q->exponent = 0;
}

static uint8_t digit_at(struct km_slice whole, struct km_slice fraction, size_t i)
{
    char c = i < whole.len ? whole.ptr[i] : fraction.ptr[i - whole.len];

    return (uint8_t)(c - '0');
}

/* Zeros at both ends take no room: the canonical form has up to two more of them than what was read. */
static int set_digits(struct km_quantity *q, struct km_slice whole, struct km_slice fraction)
{
    size_t from = 0, end = whole.len + fraction.len, all = end;

    while (end > 0 && digit_at(whole, fraction, end - 1) == 0)
        end--;
    while (from < end && digit_at(whole, fraction, from) == 0)
        from++;
    if (end - from > KM_QUANTITY_DIGITS)
        return KM_ERR_TOO_LONG;
    for (size_t i = from; i < end; i++)
        q->digits[q->count++] = digit_at(whole, fraction, i);
    q->exponent = end == 0 ? 0 : (int64_t)(all - end) - (int64_t)fraction.len;
    return KM_OK;
}

static int multiply(struct km_quantity *q, uint32_t factor)
{
    uint32_t carry = 0;

    for (uint16_t i = q->count; i > 0; i--) {
        carry += q->digits[i - 1] * factor;
        q->digits[i - 1] = (uint8_t)(carry % 10);
        carry /= 10;
    }
    for (; carry > 0; carry /= 10) {
        if (q->count == KM_QUANTITY_DIGITS)
            return KM_ERR_TOO_LONG;
        memmove(q->digits + 1, q->digits, q->count);
        q->digits[0] = (uint8_t)(carry % 10);
        q->count++;
    }
    strip(q);
    return KM_OK;
}

/* To a multiple of 10^exponent, away from zero. False when nothing was lost. */
static bool round_up(struct km_quantity *q, int64_t exponent)
{
    if (q->count == 0 || q->exponent >= exponent)
        return false;
    int64_t lost = exponent - q->exponent;
    q->count = lost >= q->count ? 0 : (uint16_t)(q->count - lost);
    q->exponent = exponent;
    /* The digits that went were not all zero: there are no zeros at the end. */
    uint16_t i = q->count;
    while (i > 0 && q->digits[i - 1] == 9)
        q->digits[--i] = 0;
    if (i > 0) {
        q->digits[i - 1]++;
    } else {
        memmove(q->digits + 1, q->digits, q->count);
        q->digits[0] = 1;
        q->count++;
    }
    strip(q);
    return true;
}

/* Of the amounts, without their signs. */
static int compare_amounts(const struct km_quantity *a, const struct km_quantity *b)
{
    if (a->count == 0 || b->count == 0)
        return (a->count != 0) - (b->count != 0);
    int64_t top_a = a->exponent + a->count, top_b = b->exponent + b->count;
    if (top_a != top_b)
        return top_a < top_b ? -1 : 1;
    for (uint16_t i = 0; i < a->count || i < b->count; i++) {
        int digit_a = i < a->count ? a->digits[i] : 0, digit_b = i < b->count ? b->digits[i] : 0;
        if (digit_a != digit_b)
            return digit_a - digit_b;
    }
    return 0;
}

static void set_u64(struct km_quantity *q, uint64_t value)
{
    char text[24];
    struct km_buf buf;

    km_buf_init(&buf, text, sizeof text);
    km_buf_put_u64(&buf, value);
    q->count = 0;
    (void)set_digits(q, km_buf_slice(&buf), (struct km_slice){"", 0});
}

static bool to_u64(const struct km_quantity *q, uint64_t *out)
{
    uint64_t value = 0;

    *out = 0;
    if (q->count > 0 && (q->exponent < 0 || q->count + q->exponent > 20))
        return false;
    for (int64_t i = 0; i < q->count + q->exponent; i++) {
        unsigned digit = i < q->count ? q->digits[i] : 0;
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* ---- reading ---- */

/* Whether apimachinery uses its int64 form. */
static bool is_fast(const struct parts *p)
{
    size_t whole = p->whole.len > 0 ? p->whole.len : 1;

    if (p->format == KM_BINARY_SI)
        return p->fraction.len == 0 && whole + (size_t)(p->exponent * 3 / 10) <= 14;
    return whole + p->fraction.len <= FAST_DIGITS &&
           (int64_t)p->exponent - (int64_t)p->fraction.len >= NANO;
}

/* The int64 form keeps a text that is canonical already, plus sign, zeros and all. */
static bool is_kept(const struct parts *p)
{
    size_t digits = p->whole.len + p->fraction.len, zeros = 0;

    if (p->format == KM_BINARY_SI) {
        /* The last three bits of the number are those of its last three digits. */
        unsigned low = 0;
        for (size_t i = p->whole.len > 3 ? p->whole.len - 3 : 0; i < p->whole.len; i++)
            low = low * 10 + (unsigned)(p->whole.ptr[i] - '0');
        return (low & 7) != 0;
    }
    if (p->whole.len == 0 || ((int64_t)p->exponent - (int64_t)p->fraction.len) % 3 != 0)
        return false;
    while (zeros < 3 && zeros < digits) {
        size_t i = digits - zeros - 1;
        char c = i < p->whole.len ? p->whole.ptr[i] : p->fraction.ptr[i - p->whole.len];
        if (c != '0')
            break;
        zeros++;
    }
    return zeros < 3;
}

/* 2^63-1 is the most that a binary quantity can be. */
static bool is_beyond_int64(const struct km_quantity *q)
{
    struct km_quantity whole = *q;
    uint64_t value;

    if (q->exponent + q->count != 19)
        return q->exponent + q->count > 19;
    if (q->exponent < 0) {
        whole.count = 19;
        whole.exponent = 0;
    }
    return !to_u64(&whole, &value) || value > INT64_MAX || (value == INT64_MAX && q->exponent < 0);
}

static int shift(struct km_quantity *q, const struct parts *p)
{
    if (p->format != KM_BINARY_SI) {
        q->exponent += q->count > 0 ? p->exponent : 0;
        return KM_OK;
    }
    for (int32_t i = 0; i < p->exponent; i += 10) {
        if (multiply(q, 1024) != KM_OK)
            return KM_ERR_TOO_LONG;
    }
    return KM_OK;
}

static int limit(struct km_quantity *q, const struct parts *p)
{
    if (!p->has_digit)
        return KM_ERR_SYNTAX;
    (void)round_up(q, NANO);
    if (p->format != KM_BINARY_SI || q->count == 0)
        return KM_OK;
    if (q->exponent + q->count <= 0)
        q->format = KM_DECIMAL_SI;
    if (is_beyond_int64(q))
        set_u64(q, INT64_MAX);
    return KM_OK;
}

int km_quantity_read(struct km_slice text, struct km_quantity *out)
{
    struct parts p;

    memset(out, 0, sizeof *out);
    int err = split(text, &p);
    if (err == KM_OK)
        err = read_suffix(&p);
    if (err != KM_OK)
        return err;
    out->format = p.format;
    err = set_digits(out, p.whole, p.fraction);
    if (err == KM_OK)
        err = shift(out, &p);
    if (err == KM_OK && !is_fast(&p))
        err = limit(out, &p);
    else if (err == KM_OK && is_kept(&p))
        out->kept = text;
    out->negative = p.negative && out->count > 0;
    return err;
}

/* ---- writing ---- */

static void put_digits(struct km_buf *buf, const struct km_quantity *q, int64_t zeros)
{
    if (q->negative)
        km_buf_putc(buf, '-');
    for (uint16_t i = 0; i < q->count; i++)
        km_buf_putc(buf, (char)('0' + q->digits[i]));
    while (zeros-- > 0)
        km_buf_putc(buf, '0');
}

static void put_decimal(struct km_buf *buf, const struct km_quantity *q, uint8_t format)
{
    int64_t zeros = (q->exponent % 3 + 3) % 3, exponent = q->exponent - zeros;

    put_digits(buf, q, zeros);
    if (exponent == 0)
        return;
    if (format == KM_DECIMAL_EXPONENT) {
        km_buf_putc(buf, 'e');
        km_buf_put_i64(buf, exponent);
        return;
    }
    /* Beyond the table apimachinery leaves the suffix out. */
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (suffixes[i].format == KM_DECIMAL_SI && suffixes[i].exponent == exponent)
            km_buf_puts(buf, suffixes[i].text);
    }
}

static void put_binary(struct km_buf *buf, bool negative, uint64_t value)
{
    int8_t exponent = 0;

    while (value >= 1024 && value % 1024 == 0) {
        value /= 1024;
        exponent = (int8_t)(exponent + 10);
    }
    if (negative)
        km_buf_putc(buf, '-');
    km_buf_put_u64(buf, value);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (exponent != 0 && suffixes[i].format == KM_BINARY_SI && suffixes[i].exponent == exponent)
            km_buf_puts(buf, suffixes[i].text);
    }
}

int km_quantity_write(const struct km_quantity *quantity, char *out, size_t out_size)
{
    struct km_buf buf;
    uint64_t value;

    km_buf_init(&buf, out, out_size);
    if (quantity->kept.len > 0)
        km_buf_put_slice(&buf, quantity->kept);
    else if (quantity->count == 0)
        km_buf_putc(&buf, '0');
    else if (quantity->format != KM_BINARY_SI)
        put_decimal(&buf, quantity, quantity->format);
    else if (to_u64(quantity, &value) && value >= 1024)
        put_binary(&buf, quantity->negative, value);
    else
        put_decimal(&buf, quantity, KM_DECIMAL_SI);
    return buf.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

void km_quantity_bytes(uint64_t bytes, char out[KM_QUANTITY_SIZE])
{
    struct km_quantity q = {.format = KM_BINARY_SI};

    set_u64(&q, bytes);
    (void)km_quantity_write(&q, out, KM_QUANTITY_SIZE);
}

void km_quantity_milli(uint64_t milli, char out[KM_QUANTITY_SIZE])
{
    struct km_quantity q = {.format = KM_DECIMAL_SI};

    set_u64(&q, milli);
    if (q.count > 0)
        q.exponent -= 3;
    (void)km_quantity_write(&q, out, KM_QUANTITY_SIZE);
}

/* ---- values ---- */

int km_quantity_compare(const struct km_quantity *a, const struct km_quantity *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    int order = compare_amounts(a, b);
    return a->negative ? -order : order;
}

/* The amount in units of 1 / scale, rounded up. */
static bool scale_amount(const struct km_quantity *quantity, uint32_t scale, uint64_t *out)
{
    struct km_quantity q = *quantity;

    for (; scale >= 10; scale /= 10)
        q.exponent += q.count > 0;
    (void)round_up(&q, 0);
    return to_u64(&q, out);
}

int km_quantity_scaled(const struct km_quantity *quantity, uint32_t scale, int64_t *out)
{
    uint64_t amount;
    bool fits = scale_amount(quantity, scale, &amount);

    if (quantity->negative) {
        fits = fits && amount <= (uint64_t)INT64_MAX + 1;
        *out = fits ? -(int64_t)(amount - 1) - 1 : INT64_MIN;
        return fits ? KM_OK : KM_ERR_TOO_LONG;
    }
    fits = fits && amount <= INT64_MAX;
    *out = fits ? (int64_t)amount : INT64_MAX;
    return fits ? KM_OK : KM_ERR_TOO_LONG;
}

int km_quantity_parse(struct km_slice text, uint32_t scale, uint64_t *out)
{
    struct km_quantity q;
    struct parts p;

    int err = km_quantity_read(text, &q);
    if (err != KM_OK)
        return err;
    if (split(text, &p) != KM_OK || !p.has_digit || p.negative)
        return KM_ERR_SYNTAX;
    return scale_amount(&q, scale, out) ? KM_OK : KM_ERR_TOO_LONG;
}
