/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_quantity.h"

/* A suffix as mantissa: value = number x factor / divisor. */
struct suffix {
    const char *text;
    uint64_t factor;
    uint32_t divisor;
};

static const struct suffix suffixes[] = {
    {"", 1, 1},
    {"Ki", UINT64_C(1) << 10, 1},
    {"Mi", UINT64_C(1) << 20, 1},
    {"Gi", UINT64_C(1) << 30, 1},
    {"Ti", UINT64_C(1) << 40, 1},
    {"Pi", UINT64_C(1) << 50, 1},
    {"Ei", UINT64_C(1) << 60, 1},
    {"n", 1, 1000000000},
    {"u", 1, 1000000},
    {"m", 1, 1000},
    {"k", 1000, 1},
    {"M", 1000000, 1},
    {"G", UINT64_C(1000000000), 1},
    {"T", UINT64_C(1000000000000), 1},
    {"P", UINT64_C(1000000000000000), 1},
    {"E", UINT64_C(1000000000000000000), 1},
};

/* The digits of a number without its point, and how many of them stood behind it. */
struct number {
    uint64_t digits;
    uint32_t behind;
};

static bool mul_fits(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b != 0 && a > UINT64_MAX / b)
        return false;
    *out = a * b;
    return true;
}

static int add_digit(struct number *n, char c)
{
    uint64_t digit = (uint64_t)(c - '0');

    if (!mul_fits(n->digits, 10, &n->digits) || n->digits > UINT64_MAX - digit)
        return KM_ERR_TOO_LONG;
    n->digits += digit;
    return KM_OK;
}

/* Reads digits with at most one point; *used says how many bytes that was. */
static int read_number(struct km_slice text, struct number *n, size_t *used)
{
    bool point = false;
    size_t i, count = 0;

    *n = (struct number){0};
    for (i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        int err = add_digit(n, c);
        if (err != KM_OK)
            return err;
        count++;
        n->behind += point;
    }
    *used = i;
    if (count == 0)
        return KM_ERR_SYNTAX;
    return n->behind <= 18 ? KM_OK : KM_ERR_TOO_LONG;
}

/* e3, E3, e+3; the exponent is small, or the value fits nothing. */
static int read_exponent(struct km_slice text, uint32_t *exponent)
{
    uint64_t value;

    if (text.len < 2 || (text.ptr[0] != 'e' && text.ptr[0] != 'E'))
        return KM_ERR_SYNTAX;
    size_t skip = text.ptr[1] == '+' ? 2 : 1;
    int err = km_slice_to_u64((struct km_slice){text.ptr + skip, text.len - skip}, &value);
    if (err != KM_OK)
        return err;
    if (value > 18)
        return KM_ERR_TOO_LONG;
    *exponent = (uint32_t)value;
    return KM_OK;
}

/* Cancelling keeps the products small. */
static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t power_of_ten(uint32_t exponent)
{
    uint64_t value = 1;
    while (exponent-- > 0)
        value *= 10;
    return value;
}

/* digits x factor x scale / (divisor x 10^behind), rounded up. */
static int scale_up(const struct number *n, uint64_t factor, uint32_t divisor, uint32_t scale,
                    uint64_t *out)
{
    uint64_t top[3] = {n->digits, factor, scale}, bottom[2] = {divisor, power_of_ten(n->behind)};

    if (n->digits == 0) {
        *out = 0;
        return KM_OK;
    }
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 2; k++) {
            uint64_t common = gcd(top[i], bottom[k]);
            top[i] /= common;
            bottom[k] /= common;
        }
    }
    uint64_t above, below;
    if (!mul_fits(top[0], top[1], &above) || !mul_fits(above, top[2], &above))
        return KM_ERR_TOO_LONG;
    if (!mul_fits(bottom[0], bottom[1], &below)) {
        *out = 1; /* smaller than one unit, but not zero */
        return KM_OK;
    }
    *out = above / below + (above % below != 0);
    return KM_OK;
}

int km_quantity_parse(struct km_slice text, uint32_t scale, uint64_t *out)
{
    struct number n;
    uint32_t exponent;
    size_t used;

    if (text.len > 0 && text.ptr[0] == '+')
        text = (struct km_slice){text.ptr + 1, text.len - 1};
    int err = read_number(text, &n, &used);
    if (err != KM_OK)
        return err;
    text = (struct km_slice){text.ptr + used, text.len - used};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (km_slice_eq_str(text, suffixes[i].text))
            return scale_up(&n, suffixes[i].factor, suffixes[i].divisor, scale, out);
    }
    err = read_exponent(text, &exponent);
    return err != KM_OK ? err : scale_up(&n, power_of_ten(exponent), 1, scale, out);
}

static void write_number(uint64_t value, const char *suffix, char out[KM_QUANTITY_SIZE])
{
    struct km_buf buf;

    km_buf_init(&buf, out, KM_QUANTITY_SIZE);
    km_buf_put_u64(&buf, value);
    km_buf_puts(&buf, suffix);
}

/* Divides by 1000 as long as nothing is lost. */
static void write_decimal(uint64_t value, int step, char out[KM_QUANTITY_SIZE])
{
    static const char *const names[] = {"m", "", "k", "M", "G", "T", "P", "E"};

    while (value != 0 && value % 1000 == 0 && step < 7) {
        value /= 1000;
        step++;
    }
    write_number(value, value == 0 ? "" : names[step], out);
}

void km_quantity_bytes(uint64_t bytes, char out[KM_QUANTITY_SIZE])
{
    static const char *const names[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
    int step = 0;

    if (bytes < 1024) {
        write_decimal(bytes, 1, out);
        return;
    }
    while (bytes % 1024 == 0 && step < 6) {
        bytes /= 1024;
        step++;
    }
    write_number(bytes, names[step], out);
}

void km_quantity_milli(uint64_t milli, char out[KM_QUANTITY_SIZE])
{
    write_decimal(milli, 0, out);
}
