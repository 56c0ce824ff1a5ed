/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "json_priv.h"
#include "plain.h"

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

static const char *const literals[] = {"true", "false", "null"};

void km_json_scan_init(struct km_json_scan *scan, bool many)
{
    memset(scan, 0, sizeof *scan);
    scan->many = many;
    scan->state = many ? AT_START : AT_VALUE;
}

void json_scan_skip(struct km_json_scan *scan, uint16_t depth)
{
    scan->quiet = true;
    scan->quiet_depth = depth;
    scan->announced = false;
}

static bool is_space(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(unsigned char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static const unsigned char *skip_space(const unsigned char *p, const unsigned char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

static const unsigned char *skip_digits(const unsigned char *p, const unsigned char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static enum json_event fail(struct km_json_scan *scan, const char *error)
{
    scan->error = error;
    scan->state = FAILED;
    return JSON_ERROR;
}

/* A multi-byte character's first byte: what must follow (RFC 3629, no overlong forms, no surrogates). */
static bool begin_utf8(struct km_json_scan *scan, unsigned char c)
{
    if (c < 0xc2 || c > 0xf4)
        return false;
    scan->left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    scan->min = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    scan->max = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    scan->state = IN_UTF8;
    return true;
}

static void set_object(struct km_json_scan *scan, unsigned level, bool object)
{
    uint32_t bit = 1u << (level % 32);

    if (object)
        scan->is_object[level / 32] |= bit;
    else
        scan->is_object[level / 32] &= ~bit;
}

static bool is_object_at(const struct km_json_scan *scan, unsigned level)
{
    return (scan->is_object[level / 32] >> (level % 32) & 1u) != 0;
}

static bool open_container(struct km_json_scan *scan, bool object)
{
    if (scan->depth >= CONFIG_KM_JSON_DEPTH)
        return false;
    set_object(scan, scan->depth++, object);
    scan->state = object ? AT_FIRST_KEY : AT_FIRST_ELEMENT;
    return true;
}

static bool in_object(const struct km_json_scan *scan)
{
    return scan->depth > 0 && is_object_at(scan, scan->depth - 1u);
}

/* The value's first byte, after white space. */
static enum json_event begin_value(struct km_json_scan *scan, unsigned char c)
{
    switch (c) {
    case '{':
    case '[':
        if (open_container(scan, c == '{'))
            return JSON_NONE;
        scan->too_deep = true;
        return fail(scan, "nesting too deep");
    case '"':
        scan->is_key = false;
        scan->state = IN_STRING;
        return JSON_NONE;
    case 't':
    case 'f':
    case 'n':
        scan->literal = c == 't' ? 0 : c == 'f' ? 1 : 2;
        scan->left = 1;
        scan->state = IN_LITERAL;
        return JSON_NONE;
    case '-':
        scan->state = IN_MINUS;
        return JSON_NONE;
    default:
        if (!is_digit(c))
            return fail(scan, "a value was expected");
        scan->state = c == '0' ? IN_ZERO : IN_INTEGER;
        return JSON_NONE;
    }
}

/* Behind a complete value. */
static enum json_event end_value(struct km_json_scan *scan)
{
    scan->state = scan->depth > 0 ? AT_COMMA : scan->many ? AT_START : AT_END;
    if (scan->quiet && scan->depth != scan->quiet_depth)
        return JSON_NONE;
    scan->quiet = false;
    return JSON_END;
}

/* A byte that may stand behind a number. */
static bool ends_number(unsigned char c)
{
    return is_space(c) || c == ',' || c == ']' || c == '}';
}

/* The state after `c` inside a number; the same state when the number ends before c. */
static uint8_t number_next(uint8_t state, unsigned char c)
{
    bool digit = is_digit(c), e = c == 'e' || c == 'E';

    switch (state) {
    case IN_MINUS:
        return c == '0' ? IN_ZERO : digit ? IN_INTEGER : FAILED;
    case IN_ZERO:
    case IN_INTEGER:
        return c == '.' ? IN_POINT : e ? IN_E : ends_number(c) ? state : FAILED;
    case IN_POINT:
        return digit ? IN_FRACTION : FAILED;
    case IN_FRACTION:
        return e ? IN_E : ends_number(c) ? state : FAILED;
    case IN_E:
        return digit ? IN_EXPONENT : c == '+' || c == '-' ? IN_E_SIGN : FAILED;
    case IN_E_SIGN:
        return digit ? IN_EXPONENT : FAILED;
    default:
        return ends_number(c) ? state : FAILED;
    }
}

/* ---- passing over ---- */

static inline bool is_short_escape(unsigned char c)
{
    return c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' || c == 'r' ||
           c == 't';
}

/* Moves *at, the first of a string's characters, behind its closing quote; false: to what is left to the machine, or to end. */
static inline bool pass_string(struct json_plain *seen, const unsigned char **at,
                               const unsigned char *end)
{
    const unsigned char *p = *at;

    for (;;) {
        p = json_plain_end_near(seen, p, end);
        if (p == end || (*p != '"' && *p != '\\'))
            break;
        if (*p == '"') {
            *at = p + 1;
            return true;
        }
        if (end - p < 2 || !is_short_escape(p[1]))
            break;
        p += 2;
    }
    *at = p;
    return false;
}

/* Behind the literal or whole number at p; p itself when it is neither, or may go on behind end. */
static inline const unsigned char *scalar_end(const unsigned char *p, const unsigned char *end)
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

/*
 * The machine's work while `quiet`, for what nearly all text consists of: no white space, short escapes, whole numbers. It
 * goes on as long as it meets nothing else and leaves the scanner as the machine would; all else is left to the machine,
 * every error among it. What is expected next is the place in this function: a variable for it costs a third of the speed.
 */
__attribute__((noinline)) static enum json_event pass_over(struct km_json_scan *scan,
                                                           const unsigned char **at,
                                                           const unsigned char *end)
{
    const unsigned char *p = *at, *next;
    unsigned depth = scan->depth, last = scan->quiet_depth == UINT16_MAX ? 0 : scan->quiet_depth;
    bool object = in_object(scan);
    struct json_plain seen = {.base = (uintptr_t)p - 64};
    uint8_t state = scan->state;

    if (state == AT_VALUE)
        goto value;
    if (state == AT_COMMA)
        goto comma;
    if (state == AT_COLON)
        goto colon;
    if (state != AT_KEY || *p != '"')
        return JSON_NONE;
key:
    p++;
    if (!pass_string(&seen, &p, end)) {
        scan->is_key = true;
        state = IN_STRING;
        goto out;
    }
colon:
    state = AT_COLON;
    if (p == end || *p != ':')
        goto out;
    p++;
value:
    state = AT_VALUE;
element:
    if (p == end)
        goto out;
    if (*p == '"') {
        p++;
        if (!pass_string(&seen, &p, end)) {
            scan->is_key = false;
            state = IN_STRING;
            goto out;
        }
    } else if (*p == '{' || *p == '[') {
        if (depth >= CONFIG_KM_JSON_DEPTH)
            goto out;
        object = *p++ == '{';
        set_object(scan, depth++, object);
        state = object ? AT_FIRST_KEY : AT_FIRST_ELEMENT;
        if (p == end)
            goto out;
        if (*p == (object ? '}' : ']'))
            goto close;
        if (!object)
            goto element;
        if (*p == '"')
            goto key;
        goto out;
    } else {
        next = scalar_end(p, end);
        if (next == p)
            goto out;
        p = next;
    }
behind:
    if (depth <= last) {
        scan->depth = (uint16_t)depth;
        *at = p;
        return end_value(scan);
    }
comma:
    state = AT_COMMA;
    if (p == end)
        goto out;
    if (*p == ',') {
        p++;
        if (!object)
            goto value;
        state = AT_KEY;
        if (p < end && *p == '"')
            goto key;
        goto out;
    }
    if (*p != (object ? '}' : ']'))
        goto out;
close:
    p++;
    object = --depth > 0 && is_object_at(scan, depth - 1);
    goto behind;
out:
    scan->depth = (uint16_t)depth;
    scan->state = state;
    *at = p;
    return JSON_NONE;
}

/* A further member's name, when the whole of it is there and nothing unusual in it: as the machine would read it. */
static bool next_key(struct km_json_scan *scan, const char **at, const unsigned char *end,
                     struct km_slice *text)
{
    const unsigned char *start = (const unsigned char *)*at, *p;

    if (scan->state != AT_COMMA || end - start < 3 || start[0] != ',' || start[1] != '"' ||
        !in_object(scan))
        return false;
    p = json_plain_end(start + 2, end);
    if (p == end || *p != '"')
        return false;
    *text = (struct km_slice){*at + 2, (size_t)(p - start) - 2};
    *at += text->len + 3;
    scan->offset += text->len + 3;
    scan->is_key = true;
    scan->state = AT_COLON;
    return true;
}

enum json_event json_scan_run(struct km_json_scan *scan, const char **at, const char *end_,
                              struct km_slice *text)
{
    const unsigned char *start = (const unsigned char *)*at, *end = (const unsigned char *)end_;
    const unsigned char *p = start, *from = NULL, *to = NULL;
    enum json_event event = JSON_NONE;
    uint8_t next;

    if (!scan->quiet && next_key(scan, at, end, text))
        return JSON_KEY;
    if (!scan->quiet && scan->state >= IN_STRING && scan->state <= IN_UTF8)
        from = p;
    while (p < end && event == JSON_NONE) {
        if (scan->quiet) {
            event = pass_over(scan, &p, end);
            if (p == end || event != JSON_NONE)
                break;
        }
        switch (scan->state) {
        case AT_START:
        case AT_VALUE:
        case AT_FIRST_ELEMENT:
            p = skip_space(p, end);
            if (p == end)
                break;
            if (scan->state == AT_FIRST_ELEMENT && *p == ']') {
                p++;
                scan->depth--;
                event = end_value(scan);
            } else if (!scan->quiet && !scan->announced) {
                scan->announced = true;
                event = JSON_VALUE;
            } else {
                scan->announced = false;
                event = begin_value(scan, *p);
                if (event == JSON_NONE)
                    p++;
                if (scan->state == IN_STRING && !scan->quiet)
                    from = p;
            }
            break;
        case AT_FIRST_KEY:
        case AT_KEY:
            p = skip_space(p, end);
            if (p == end)
                break;
            if (*p == '"') {
                p++;
                scan->is_key = true;
                scan->state = IN_STRING;
                if (!scan->quiet)
                    from = p;
            } else if (scan->state == AT_FIRST_KEY && *p == '}') {
                p++;
                scan->depth--;
                event = end_value(scan);
            } else {
                event = fail(scan, "a member's name was expected");
            }
            break;
        case AT_COLON:
            p = skip_space(p, end);
            if (p == end)
                break;
            if (*p != ':') {
                event = fail(scan, "a colon was expected");
                break;
            }
            p++;
            scan->state = AT_VALUE;
            break;
        case AT_COMMA:
            p = skip_space(p, end);
            if (p == end)
                break;
            if (*p == ',') {
                p++;
                scan->state = in_object(scan) ? AT_KEY : AT_VALUE;
            } else if (*p == (in_object(scan) ? '}' : ']')) {
                p++;
                scan->depth--;
                event = end_value(scan);
            } else {
                event = fail(scan, "a comma or the container's end was expected");
            }
            break;
        case AT_END:
            p = skip_space(p, end);
            if (p < end)
                event = fail(scan, "text behind the value");
            break;
        case IN_STRING:
            p = json_plain_end(p, end);
            if (p == end)
                break;
            if (*p == '"') {
                to = p++;
                if (!scan->is_key) {
                    event = end_value(scan);
                } else {
                    scan->state = AT_COLON;
                    event = scan->quiet ? JSON_NONE : JSON_KEY;
                }
            } else if (*p == '\\') {
                p++;
                scan->state = IN_ESCAPE;
            } else if (*p < 0x20) {
                event = fail(scan, "control character in a string");
            } else if (begin_utf8(scan, *p)) {
                p++;
            } else {
                event = fail(scan, "invalid UTF-8");
            }
            break;
        case IN_ESCAPE:
            if (*p == 'u') {
                scan->left = 4;
                scan->state = IN_HEX;
            } else if (*p != '\0' && strchr("\"\\/bfnrt", *p) != NULL) {
                scan->state = IN_STRING;
            } else {
                event = fail(scan, "unknown escape");
                break;
            }
            p++;
            break;
        case IN_HEX:
            if (!is_hex(*p)) {
                event = fail(scan, "a hexadecimal digit was expected");
                break;
            }
            p++;
            if (--scan->left == 0)
                scan->state = IN_STRING;
            break;
        case IN_UTF8:
            if (*p < scan->min || *p > scan->max) {
                event = fail(scan, "invalid UTF-8");
                break;
            }
            p++;
            scan->min = 0x80;
            scan->max = 0xbf;
            if (--scan->left == 0)
                scan->state = IN_STRING;
            break;
        case IN_LITERAL:
            if (*p != (unsigned char)literals[scan->literal][scan->left]) {
                event = fail(scan, "unknown literal");
                break;
            }
            p++;
            if (literals[scan->literal][++scan->left] == '\0')
                event = end_value(scan);
            break;
        case FAILED:
            event = JSON_ERROR;
            break;
        default:
            if (scan->state == IN_INTEGER || scan->state == IN_FRACTION ||
                scan->state == IN_EXPONENT) {
                p = skip_digits(p, end);
                if (p == end)
                    break;
            }
            next = number_next(scan->state, *p);
            if (next == FAILED) {
                event = fail(scan, "malformed number");
            } else if (next == scan->state) {
                event = end_value(scan);
            } else {
                scan->state = next;
                p++;
            }
        }
    }
    if (to == NULL)
        to = p;
    text->ptr = (const char *)from;
    text->len = from == NULL ? 0 : (size_t)(to - from);
    scan->offset += (uint64_t)(p - start);
    *at = (const char *)p;
    return event;
}

bool json_scan_in_top_number(const struct km_json_scan *scan)
{
    return scan->depth == 0 && (scan->state == IN_ZERO || scan->state == IN_INTEGER ||
                                scan->state == IN_FRACTION || scan->state == IN_EXPONENT);
}

int km_json_scan_feed(struct km_json_scan *scan, struct km_slice in)
{
    const char *at = in.ptr;
    struct km_slice text;

    if (scan->state != FAILED)
        json_scan_skip(scan, UINT16_MAX);
    if (in.len > 0)
        json_scan_run(scan, &at, in.ptr + in.len, &text);
    if (scan->state != FAILED)
        return KM_OK;
    return scan->too_deep ? KM_ERR_DEPTH : KM_ERR_SYNTAX;
}

int km_json_scan_end(struct km_json_scan *scan)
{
    if (scan->state == FAILED)
        return scan->too_deep ? KM_ERR_DEPTH : KM_ERR_SYNTAX;
    if (json_scan_in_top_number(scan) || scan->state == AT_END || scan->state == AT_START)
        return KM_OK;
    scan->error = "the text ends in the middle";
    return KM_ERR_TRUNCATED;
}
