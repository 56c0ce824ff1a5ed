/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <string.h>

#include "manifest_priv.h"

/* The smallest double has 767 digits. */
#define DIGITS_MAX 800
/* A digit shifted by so much, and what is carried, fit 64 bits; 2^27 has 9 digits. */
#define SHIFT_MAX 27
#define SHIFT_DIGITS 9

/* 0.d1d2d3... times 10 to the power of `point`, all digits exact; without a leading zero, so that zero has none. */
struct decimal {
    size_t count;
    long point;
    uint8_t digits[DIGITS_MAX + SHIFT_DIGITS];
};

struct layout {
    unsigned mantissa_bits;
    long exponent_min, exponent_max; /* of a value in [1, 2) */
};

static const struct layout layouts[] = {{DBL_MANT_DIG - 1, DBL_MIN_EXP - 1, DBL_MAX_EXP - 1},
                                        {FLT_MANT_DIG - 1, FLT_MIN_EXP - 1, FLT_MAX_EXP - 1}};

/* What is cut off can only matter by being more than nothing. */
static void mark_rest(struct decimal *d)
{
    d->digits[d->count - 1] |= 1;
}

static void trim(struct decimal *d)
{
    size_t zeros = 0;

    while (zeros < d->count && d->digits[zeros] == 0)
        zeros++;
    d->count -= zeros;
    d->point -= (long)zeros;
    memmove(d->digits, d->digits + zeros, d->count);
    while (d->count > 0 && d->digits[d->count - 1] == 0)
        d->count--;
    if (d->count > DIGITS_MAX) {
        d->count = DIGITS_MAX;
        mark_rest(d);
    }
    if (d->count == 0)
        d->point = 0;
}

static void multiply(struct decimal *d, unsigned shift)
{
    uint64_t carry = 0;

    for (size_t i = d->count + SHIFT_DIGITS; i-- > 0;) {
        if (i >= SHIFT_DIGITS)
            carry += (uint64_t)d->digits[i - SHIFT_DIGITS] << shift;
        d->digits[i] = (uint8_t)(carry % 10);
        carry /= 10;
    }
    d->count += SHIFT_DIGITS;
    d->point += SHIFT_DIGITS;
    trim(d);
}

static void divide(struct decimal *d, unsigned shift)
{
    uint64_t rest = 0;
    size_t i;

    for (i = 0; (i < d->count || rest > 0) && i < sizeof d->digits; i++) {
        rest = rest * 10 + (i < d->count ? d->digits[i] : 0);
        d->digits[i] = (uint8_t)(rest >> shift);
        rest &= (1u << shift) - 1;
    }
    d->count = i;
    if (rest > 0)
        mark_rest(d);
    trim(d);
}

/* Times 2 to the power of `shift`. */
static void scale(struct decimal *d, long shift)
{
    while (shift > 0) {
        unsigned step = shift < SHIFT_MAX ? (unsigned)shift : SHIFT_MAX;
        multiply(d, step);
        shift -= (long)step;
    }
    while (shift < 0) {
        unsigned step = -shift < SHIFT_MAX ? (unsigned)-shift : SHIFT_MAX;
        divide(d, step);
        shift += (long)step;
    }
}

static bool rounds_up(const struct decimal *d, size_t at)
{
    if (at >= d->count)
        return false;
    /* Half exactly goes to the even digit. */
    if (d->digits[at] == 5 && at + 1 == d->count)
        return at > 0 && d->digits[at - 1] % 2 != 0;
    return d->digits[at] >= 5;
}

static void round_digits(struct decimal *d, size_t count)
{
    bool up = rounds_up(d, count);

    if (count >= d->count)
        return;
    d->count = count;
    if (!up)
        return;
    while (d->count > 0 && d->digits[d->count - 1] == 9)
        d->count--;
    if (d->count > 0) {
        d->digits[d->count - 1]++;
        return;
    }
    d->digits[0] = 1;
    d->count = 1;
    d->point++;
}

static uint64_t rounded_integer(const struct decimal *d)
{
    uint64_t value = 0;

    if (d->point < 0)
        return 0;
    for (size_t i = 0; i < (size_t)d->point; i++)
        value = value * 10 + (i < d->count ? d->digits[i] : 0);
    return value + rounds_up(d, (size_t)d->point);
}

/* mantissa times 2 to the power of exponent - mantissa_bits; what is too large is infinite. */
static double assemble(const struct layout *layout, uint64_t mantissa, long exponent)
{
    double value;
    float small;

    if (mantissa >> (layout->mantissa_bits + 1) != 0) {
        mantissa >>= 1;
        exponent++;
    }
    if (exponent > layout->exponent_max) {
        exponent = layout->exponent_max + 1;
        mantissa = 0;
    } else if (mantissa >> layout->mantissa_bits == 0) {
        exponent = layout->exponent_min - 1;
    }
    mantissa &= ((uint64_t)1 << layout->mantissa_bits) - 1;
    mantissa |= (uint64_t)(exponent + layout->exponent_max) << layout->mantissa_bits;
    if (layout == &layouts[0]) {
        memcpy(&value, &mantissa, sizeof value);
        return value;
    }
    uint32_t bits = (uint32_t)mantissa;
    memcpy(&small, &bits, sizeof small);
    return (double)small;
}

/* The nearest value; takes d apart. */
static double to_value(struct decimal *d, const struct layout *layout)
{
    long exponent = 0;

    if (d->count == 0 || d->point < -400)
        return 0;
    if (d->point > 400)
        return assemble(layout, 0, layout->exponent_max + 1);
    /* Into [0.5, 1): 2^3 is less than 10, and 10^point less than 2^(point * 10 / 3 + 1). */
    while (d->point > 0) {
        long shift = d->point * 3 < SHIFT_MAX ? d->point * 3 : SHIFT_MAX;
        scale(d, -shift);
        exponent += shift;
    }
    while (d->point < 0 || d->digits[0] < 5) {
        long shift = d->point < 0 ? -d->point * 3 : 1;
        shift = shift < SHIFT_MAX ? shift : SHIFT_MAX;
        scale(d, shift);
        exponent -= shift;
    }
    exponent--; /* of a value in [1, 2) */
    if (exponent < layout->exponent_min) {
        scale(d, exponent - layout->exponent_min);
        exponent = layout->exponent_min;
    }
    scale(d, (long)layout->mantissa_bits + 1);
    return assemble(layout, rounded_integer(d), exponent);
}

static const char *read_exponent(const char *at, long *out)
{
    bool negative = *at == '-';
    long value = 0;

    for (at += *at == '-' || *at == '+'; *at >= '0' && *at <= '9'; at++)
        value = value < 10000 ? value * 10 + (*at - '0') : value;
    *out = negative ? -value : value;
    return at;
}

double decimal_read(const char *text)
{
    struct decimal d = {.count = 0};
    bool negative = *text == '-', behind = false;
    long exponent = 0;

    for (text += *text == '-' || *text == '+'; *text != '\0'; text++) {
        if (*text == '.') {
            behind = true;
        } else if (*text >= '0' && *text <= '9') {
            if (d.count < DIGITS_MAX)
                d.digits[d.count++] = (uint8_t)(*text - '0');
            d.point += !behind;
        } else {
            break;
        }
    }
    if (*text == 'e' || *text == 'E')
        (void)read_exponent(text + 1, &exponent);
    trim(&d);
    d.point += d.count > 0 ? exponent : 0;
    double value = to_value(&d, &layouts[0]);
    return negative ? -value : value;
}

static void of_value(struct decimal *d, double value)
{
    uint64_t bits, mantissa;

    memcpy(&bits, &value, sizeof bits);
    mantissa = bits & (((uint64_t)1 << (DBL_MANT_DIG - 1)) - 1);
    long exponent = (long)(bits >> (DBL_MANT_DIG - 1) & 0x7ff);
    if (exponent > 0)
        mantissa |= (uint64_t)1 << (DBL_MANT_DIG - 1);
    else
        exponent = 1;
    d->count = 20;
    d->point = 20;
    for (size_t i = 20; i-- > 0; mantissa /= 10)
        d->digits[i] = (uint8_t)(mantissa % 10);
    trim(d);
    scale(d, exponent - DBL_MAX_EXP + 1 - (DBL_MANT_DIG - 1));
}

size_t decimal_shortest(double value, bool single, char digits[DECIMAL_DIGITS], long *exponent)
{
    struct decimal exact, part, used;
    bool negative = value < 0;
    size_t count;

    value = negative ? -value : value;
    of_value(&exact, value);
    for (count = 1; count < DECIMAL_DIGITS; count++) {
        part = exact;
        round_digits(&part, count);
        used = part;
        double found = to_value(&used, &layouts[single]);
        if (found >= value && found <= value)
            break;
    }
    for (size_t i = 0; i < count; i++)
        digits[i] = (char)('0' + (i < part.count ? part.digits[i] : 0));
    *exponent = part.count > 0 ? part.point - 1 : 0;
    return count;
}
