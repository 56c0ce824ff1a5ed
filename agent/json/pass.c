/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plain.h"
#include "scan_priv.h"

/* Moves *at, somewhere in a string, behind the closing quote; false: to what is left to the machine, or to end. */
JSON_INLINE bool pass_string(struct json_odd *odd, const unsigned char **at,
                             const unsigned char *end)
{
    const unsigned char *p = *at;

    for (;;) {
        p = json_odd_next(odd, p, end);
        if (JSON_RARE(p == end))
            break;
        if (!JSON_RARE(*p != '"')) {
            json_odd_take(odd, p, end);
            *at = p + 1;
            return true;
        }
        if (*p != '\\' || end - p < 2 || !json_is_short_escape(p[1]))
            break;
        json_odd_take(odd, p, end);
        if (p[1] == '"' || p[1] == '\\')
            json_odd_take(odd, p + 1, end);
        p += 2;
    }
    *at = p;
    return false;
}

/* Behind the further member's name at p, which json_scan_skip_members asks to pass over; else p. */
JSON_INLINE const unsigned char *unwanted_name(const struct km_json_scan *scan,
                                               struct json_odd *odd, const unsigned char *p,
                                               const unsigned char *end)
{
    const unsigned char *name = p + 2, *q;
    size_t len;

    if (end - p < 3 || p[1] != '"')
        return p;
    json_odd_take(odd, p + 1, end);
    q = json_odd_next(odd, name, end);
    len = (size_t)(q - name);
    if (q == end || *q != '"' || len > scan->name_max)
        return p;
    if ((scan->names & json_name_bit(*name, len)) != 0)
        return p;
    json_odd_take(odd, q, end);
    return q + 1;
}

/* What is expected next is the place in this function: a variable for it costs a third of the speed. */
enum json_event json_scan_pass(struct km_json_scan *scan, const unsigned char **at,
                               const unsigned char *end)
{
    const unsigned char *p = *at, *next;
    unsigned depth = scan->depth, last = scan->quiet_depth == UINT16_MAX ? 0 : scan->quiet_depth;
    uint32_t nest = scan->nest;
    uint8_t state = scan->state;
    struct json_odd odd;

    if (state != AT_VALUE && state != AT_COMMA && state != AT_COLON &&
        (state != AT_KEY || *p != '"') && (state != IN_STRING || *p < 0x20 || *p >= 0x80))
        return JSON_NONE;
    json_odd_begin(&odd, p, end);
    if (state == AT_VALUE)
        goto value;
    if (state == AT_COMMA)
        goto comma;
    if (state == AT_COLON)
        goto colon;
    if (state == IN_STRING) {
        if (scan->is_key)
            goto name;
        goto text;
    }
key:
    json_odd_take(&odd, p++, end);
name:
    if (JSON_RARE(!pass_string(&odd, &p, end))) {
        scan->is_key = true;
        state = IN_STRING;
        goto out;
    }
colon:
    state = AT_COLON;
    if (JSON_RARE(p == end || *p != ':'))
        goto out;
    p++;
value:
    state = AT_VALUE;
element:
    if (JSON_RARE(p == end))
        goto out;
    if (*p == '"') {
        json_odd_take(&odd, p++, end);
    text:
        if (JSON_RARE(!pass_string(&odd, &p, end))) {
            scan->is_key = false;
            state = IN_STRING;
            goto out;
        }
    } else if (*p == '{') {
        if (JSON_RARE(end - p < 2 || depth >= CONFIG_KM_JSON_DEPTH))
            goto out;
        if (p[1] == '"') {
            nest = json_nest_in(scan->outer, depth++, nest, true);
            p++;
            goto key;
        }
        if (JSON_RARE(p[1] != '}'))
            goto out;
        p += 2;
    } else if (*p == '[') {
        if (JSON_RARE(end - p < 2 || depth >= CONFIG_KM_JSON_DEPTH))
            goto out;
        if (p[1] != ']') {
            nest = json_nest_in(scan->outer, depth++, nest, false);
            state = AT_FIRST_ELEMENT;
            p++;
            goto element;
        }
        p += 2;
    } else {
        next = json_scalar_end(p, end);
        if (JSON_RARE(next == p))
            goto out;
        p = next;
    }
behind:
    if (JSON_RARE(depth <= last)) {
        if (scan->name_max != 0 && p < end && *p == ',') {
            next = unwanted_name(scan, &odd, p, end);
            if (next != p) {
                p = next;
                goto colon;
            }
        }
        scan->depth = (uint16_t)depth;
        scan->nest = nest;
        *at = p;
        return end_value(scan);
    }
comma:
    state = AT_COMMA;
    if (JSON_RARE(end - p < 2))
        goto out;
    if ((nest & 1) != 0) {
        if (*p == ',' && p[1] == '"') {
            p++;
            goto key;
        }
        if (JSON_RARE(*p != '}'))
            goto out;
    } else {
        if (*p == ',') {
            p++;
            goto value;
        }
        if (JSON_RARE(*p != ']'))
            goto out;
    }
    p++;
    nest = json_nest_out(scan->outer, --depth, nest);
    goto behind;
out:
    scan->depth = (uint16_t)depth;
    scan->nest = nest;
    scan->state = state;
    *at = p;
    return JSON_NONE;
}
