/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kubemote/km_base.h"

struct sink {
    char *data;
    size_t size;
    size_t len; /* of the whole text, also what did not fit */
};

/* One conversion, read from the format. */
struct spec {
    size_t width;
    size_t precision;
    bool left;
    bool zeros;
    bool plus;
    char length; /* 'l', 'q' for ll and j, 'z', or '\0' */
};

/* 64 bits in decimal, and a sign. */
#define DIGITS_MAX 21

static void put(struct sink *sink, const char *text, size_t len)
{
    if (sink->len < sink->size) {
        size_t room = sink->size - sink->len;
        memcpy(sink->data + sink->len, text, len < room ? len : room);
    }
    sink->len += len;
}

static void put_times(struct sink *sink, char c, size_t count)
{
    while (count-- > 0)
        put(sink, &c, 1);
}

static void put_padded(struct sink *sink, const struct spec *spec, const char *text, size_t len)
{
    size_t pad = spec->width > len ? spec->width - len : 0;

    if (!spec->left)
        put_times(sink, ' ', pad);
    put(sink, text, len);
    if (spec->left)
        put_times(sink, ' ', pad);
}

static void put_number(struct sink *sink, struct spec *spec, uint64_t value, char sign, char kind)
{
    const char *set = kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    unsigned base = kind == 'x' || kind == 'X' ? 16 : 10;
    char digits[DIGITS_MAX];
    size_t at = sizeof digits;

    do {
        digits[--at] = set[value % base];
        value /= base;
    } while (value > 0);
    if (spec->zeros && !spec->left) {
        size_t len = sizeof digits - at + (sign != '\0');
        put(sink, &sign, sign != '\0');
        put_times(sink, '0', spec->width > len ? spec->width - len : 0);
        put(sink, digits + at, sizeof digits - at);
        return;
    }
    if (sign != '\0')
        digits[--at] = sign;
    put_padded(sink, spec, digits + at, sizeof digits - at);
}

/* A struct, because va_list may be an array, which cannot be passed on by address. */
struct arguments {
    va_list list;
};

static uint64_t take_unsigned(const struct spec *spec, struct arguments *args)
{
    switch (spec->length) {
    case 'l':
        return va_arg(args->list, unsigned long);
    case 'q':
        return va_arg(args->list, unsigned long long);
    case 'z':
        return va_arg(args->list, size_t);
    default:
        return va_arg(args->list, unsigned);
    }
}

static int64_t take_signed(const struct spec *spec, struct arguments *args)
{
    switch (spec->length) {
    case 'l':
        return va_arg(args->list, long);
    case 'q':
        return va_arg(args->list, long long);
    case 'z':
        return va_arg(args->list, ptrdiff_t);
    default:
        return va_arg(args->list, int);
    }
}

static const char *read_size(const char *at, struct arguments *args, size_t *out, bool *negative)
{
    int value = 0;

    if (*at == '*') {
        value = va_arg(args->list, int);
        at++;
    }
    for (; *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - '0');
    *negative = value < 0;
    *out = value < 0 ? 0u - (size_t)value : (size_t)value;
    return at;
}

static const char *read_spec(const char *at, struct spec *spec, struct arguments *args)
{
    bool negative;

    *spec = (struct spec){.precision = SIZE_MAX};
    for (;; at++) {
        if (*at == '-')
            spec->left = true;
        else if (*at == '0')
            spec->zeros = true;
        else if (*at == '+')
            spec->plus = true;
        else
            break;
    }
    at = read_size(at, args, &spec->width, &negative);
    spec->left = spec->left || negative;
    if (*at == '.') {
        at = read_size(at + 1, args, &spec->precision, &negative);
        if (negative)
            spec->precision = SIZE_MAX;
    }
    for (; *at == 'l' || *at == 'z' || *at == 'j'; at++)
        spec->length = *at == 'j' || spec->length == 'l' ? 'q' : *at;
    return at;
}

static void put_text(struct sink *sink, const struct spec *spec, const char *text)
{
    if (text == NULL)
        text = "(null)";
    put_padded(sink, spec, text, strnlen(text, spec->precision));
}

static void put_signed(struct sink *sink, struct spec *spec, int64_t value)
{
    /* Negated as unsigned: -INT64_MIN has no signed value. */
    if (value < 0)
        put_number(sink, spec, 0u - (uint64_t)value, '-', 'd');
    else
        put_number(sink, spec, (uint64_t)value, spec->plus ? '+' : '\0', 'd');
}

static void put_conversion(struct sink *sink, struct spec *spec, char kind, struct arguments *args)
{
    char c;

    switch (kind) {
    case 's':
        put_text(sink, spec, va_arg(args->list, const char *));
        break;
    case 'd':
    case 'i':
        put_signed(sink, spec, take_signed(spec, args));
        break;
    case 'u':
    case 'x':
    case 'X':
        put_number(sink, spec, take_unsigned(spec, args), '\0', kind);
        break;
    case 'p':
        put(sink, "0x", 2);
        put_number(sink, spec, (uintptr_t)va_arg(args->list, void *), '\0', 'x');
        break;
    case 'c':
        c = (char)va_arg(args->list, int);
        put_padded(sink, spec, &c, 1);
        break;
    default:
        /* '%' itself; what nobody writes shows its letter. */
        put(sink, &kind, 1);
        break;
    }
}

int km_format_list(char *out, size_t size, const char *format, va_list list)
{
    struct sink sink = {.data = out, .size = size > 0 ? size - 1 : 0};
    struct arguments args;
    struct spec spec;

    va_copy(args.list, list);
    for (;;) {
        size_t plain = strcspn(format, "%");
        put(&sink, format, plain);
        format += plain;
        if (format[0] == '\0' || format[1] == '\0')
            break;
        format = read_spec(format + 1, &spec, &args);
        put_conversion(&sink, &spec, *format, &args);
        format++;
    }
    va_end(args.list);
    if (size > 0)
        out[sink.len < sink.size ? sink.len : sink.size] = '\0';
    return (int)sink.len;
}

int km_format(char *out, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = km_format_list(out, size, format, args);
    va_end(args);
    return len;
}
