/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "json_priv.h"
#include "plain.h"
#include "scan_priv.h"

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
    scan->name_max = 0;
}

void json_scan_skip_members(struct km_json_scan *scan, uint32_t names, size_t name_max)
{
    json_scan_skip(scan, scan->depth);
    scan->names = names;
    scan->name_max = (uint16_t)name_max;
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

static bool open_container(struct km_json_scan *scan, bool object)
{
    if (scan->depth >= CONFIG_KM_JSON_DEPTH)
        return false;
    scan->nest = json_nest_in(scan->outer, scan->depth++, scan->nest, object);
    scan->state = object ? AT_FIRST_KEY : AT_FIRST_ELEMENT;
    return true;
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

static enum json_event close_container(struct km_json_scan *scan)
{
    scan->depth--;
    scan->nest = json_nest_out(scan->outer, scan->depth, scan->nest);
    return end_value(scan);
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

/* ---- what is walked through ---- */

/* Between the opening quote and the closing one, when all of it is plain. Moves *at behind it. */
static bool plain_string(const unsigned char **at, const unsigned char *end, struct km_slice *text)
{
    const unsigned char *from = *at + 1, *to = json_plain_end(from, end);

    if (to == end || *to != '"')
        return false;
    *text = (struct km_slice){(const char *)from, (size_t)(to - from)};
    *at = to + 1;
    return true;
}

/*
 * The machine's work while not `quiet`, again for what is common: names, the values behind them, strings, objects. JSON_NONE
 * when it is anything else, or goes on behind end: nothing was taken then.
 */
static enum json_event next_event(struct km_json_scan *scan, const unsigned char **at,
                                  const unsigned char *end, struct km_slice *text)
{
    const unsigned char *p = *at;

    if (end - p < 2)
        return JSON_NONE;
    if (scan->state == AT_COMMA && json_scan_in_object(scan)) {
        *at = p + 1;
        if (*p == '}')
            return close_container(scan);
        if (*p == ',' && p[1] == '"' && plain_string(at, end, text)) {
            scan->is_key = true;
            scan->escaped = false;
            scan->state = AT_COLON;
            return JSON_KEY;
        }
    } else if (scan->state == AT_COLON && *p == ':' && !is_space(p[1])) {
        *at = p + 1;
        scan->announced = true;
        scan->state = AT_VALUE;
        return JSON_VALUE;
    } else if (scan->state == AT_VALUE && scan->announced && *p == '"') {
        if (plain_string(at, end, text)) {
            scan->is_key = scan->announced = false;
            return end_value(scan);
        }
    } else if (scan->state == AT_VALUE && scan->announced && *p == '{' && p[1] == '"') {
        *at = p + 1;
        if (plain_string(at, end, text) && open_container(scan, true)) {
            scan->is_key = true;
            scan->announced = scan->escaped = false;
            scan->state = AT_COLON;
            return JSON_KEY;
        }
    }
    *at = p;
    return JSON_NONE;
}

bool json_scan_member_string(struct km_json_scan *scan, const char **at, const char *end,
                             size_t max, struct km_slice *text)
{
    const unsigned char *start = (const unsigned char *)*at, *p = start + 1;

    if (end - *at < 3 || *start != ':' || *p != '"' ||
        !plain_string(&p, (const unsigned char *)end, text) || text->len > max)
        return false;
    scan->state = AT_COMMA;
    scan->is_key = false;
    scan->offset += (uint64_t)(p - start);
    *at += p - start;
    return true;
}

/* All of it, byte by byte but for plain characters, until something happens. */
__attribute__((noinline)) static enum json_event machine(struct km_json_scan *scan,
                                                         const unsigned char **at,
                                                         const unsigned char *end,
                                                         struct km_slice *text)
{
    const unsigned char *p = *at, *from = NULL, *to = NULL;
    enum json_event event = JSON_NONE;
    uint8_t next;

    if (!scan->quiet && scan->state >= IN_STRING && scan->state <= IN_UTF8)
        from = p;
    while (p < end && event == JSON_NONE) {
        switch (scan->state) {
        case AT_START:
        case AT_VALUE:
        case AT_FIRST_ELEMENT:
            p = skip_space(p, end);
            if (p == end)
                break;
            if (scan->state == AT_FIRST_ELEMENT && *p == ']') {
                p++;
                event = close_container(scan);
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
                scan->escaped = false;
                scan->state = IN_STRING;
                if (!scan->quiet)
                    from = p;
            } else if (scan->state == AT_FIRST_KEY && *p == '}') {
                p++;
                event = close_container(scan);
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
                scan->state = json_scan_in_object(scan) ? AT_KEY : AT_VALUE;
            } else if (*p == (json_scan_in_object(scan) ? '}' : ']')) {
                p++;
                event = close_container(scan);
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
                scan->escaped = true;
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
        if (scan->quiet && event == JSON_NONE && p < end)
            event = json_scan_pass(scan, &p, end);
    }
    if (to == NULL)
        to = p;
    text->ptr = (const char *)from;
    text->len = from == NULL ? 0 : (size_t)(to - from);
    *at = p;
    return event;
}

enum json_event json_scan_run(struct km_json_scan *scan, const char **at, const char *end_,
                              struct km_slice *text)
{
    const unsigned char *start = (const unsigned char *)*at, *end = (const unsigned char *)end_;
    const unsigned char *p = start;
    enum json_event event = JSON_NONE;

    *text = (struct km_slice){NULL, 0};
    if (!scan->quiet)
        event = next_event(scan, &p, end, text);
    else if (p < end)
        event = json_scan_pass(scan, &p, end);
    if (event == JSON_NONE && p < end)
        event = machine(scan, &p, end, text);
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
