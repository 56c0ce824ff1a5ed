/* SPDX-License-Identifier: Apache-2.0 */
/* What the scanner's files share: the machine (scan.c) and what passes over (pass.c). */
#ifndef KM_JSON_SCAN_PRIV_H
#define KM_JSON_SCAN_PRIV_H

#include <string.h>

#include "json_priv.h"

enum state {
    AT_START,         /* many: a value, or nothing more */
    AT_VALUE,         /* a value must follow */
    AT_FIRST_ELEMENT, /* a value or ] */
    AT_FIRST_KEY,     /* a name or } */
    AT_KEY,           /* a name */
    AT_COLON,
    AT_COMMA, /* behind a value in a container */
    AT_END,   /* behind the only value */
    IN_STRING,
    IN_ESCAPE,
    IN_HEX,     /* `left` digits to come */
    IN_UTF8,    /* `left` bytes to come, the next from min to max */
    IN_LITERAL, /* literal number `literal`, `left` bytes taken */
    IN_MINUS,
    IN_ZERO,
    IN_INTEGER,
    IN_POINT,
    IN_FRACTION,
    IN_E,
    IN_E_SIGN,
    IN_EXPONENT,
    FAILED
};

/*
 * The machine's work while `quiet`, for what nearly all text consists of: no white space, short escapes, whole numbers. It
 * goes on as long as it meets nothing else and leaves the scanner as the machine would; all else is left to the machine,
 * every error among it. Moves *at, which is not at the end.
 */
enum json_event json_scan_pass(struct km_json_scan *scan, const unsigned char **at,
                               const unsigned char *end);

/* What the containers are is a bit to each, the innermost lowest; beyond 32 of them the outer ones are put aside. */
static inline uint32_t json_nest_in(uint32_t *outer, unsigned depth, uint32_t nest, bool object)
{
    if (depth % 32 == 0)
        outer[depth / 32] = nest;
    return nest << 1 | object;
}

/* depth: what is left. */
static inline uint32_t json_nest_out(const uint32_t *outer, unsigned depth, uint32_t nest)
{
    return depth % 32 == 0 ? outer[depth / 32] : nest >> 1;
}

/* Behind a complete value. */
static inline enum json_event end_value(struct km_json_scan *scan)
{
    scan->state = scan->depth > 0 ? AT_COMMA : scan->many ? AT_START : AT_END;
    if (scan->quiet && scan->depth != scan->quiet_depth)
        return JSON_NONE;
    scan->quiet = false;
    return JSON_END;
}

static inline bool is_space(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static inline const unsigned char *skip_digits(const unsigned char *p, const unsigned char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static inline bool json_is_short_escape(unsigned char c)
{
    return c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' || c == 'r' ||
           c == 't';
}

/* Behind the literal or whole number at p; p itself when it is neither, or may go on behind end. */
static inline const unsigned char *json_scalar_end(const unsigned char *p, const unsigned char *end)
{
    const unsigned char *q = p;

    if (end - p < 6)
        return p;
    if (memcmp(p, "true", 4) == 0 || memcmp(p, "null", 4) == 0)
        return p + 4;
    if (memcmp(p, "false", 5) == 0)
        return p + 5;
    if (*q == '-')
        q++;
    if (*q == '0')
        q++;
    else if (is_digit(*q))
        q = skip_digits(q, end);
    else
        return p;
    return q < end && (*q == ',' || *q == '}' || *q == ']') ? q : p;
}

#endif
