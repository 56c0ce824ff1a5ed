/* SPDX-License-Identifier: Apache-2.0 */

#include "json_priv.h"

/* Scans one container, of which the members' values are passed over. */
struct search {
    struct km_json_scan scan;
    const char *at, *end;
};

/* Takes the value whose first byte is next. False at the container's end or on malformed text. */
static bool take_value(struct search *s, struct km_slice *value)
{
    struct km_slice text;

    value->ptr = s->at;
    json_scan_skip(&s->scan, s->scan.depth);
    if (json_scan_run(&s->scan, &s->at, s->end, &text) != JSON_END)
        return false;
    value->len = (size_t)(s->at - value->ptr);
    return true;
}

static int find_child(struct km_slice in, const char *segment, size_t len, struct km_slice *found)
{
    struct search s = {.at = in.ptr, .end = in.ptr + in.len};
    bool object = in.len > 0 && in.ptr[0] == '{', hit = false, any = false;
    uint32_t place, index = 0;
    struct km_slice text, value;
    enum json_event event;

    if (!object && (in.len == 0 || in.ptr[0] != '[' || !json_segment_place(segment, len, &place)))
        return KM_ERR_NOT_FOUND;
    km_json_scan_init(&s.scan, false);
    event = json_scan_run(&s.scan, &s.at, s.end, &text); /* the container itself */
    while (event != JSON_ERROR) {
        event = json_scan_run(&s.scan, &s.at, s.end, &text);
        if (event == JSON_KEY) {
            hit = json_segment_is(segment, len, text);
        } else if (event == JSON_VALUE) {
            if (!object)
                hit = index++ == place;
            if (!take_value(&s, &value))
                return KM_ERR_SYNTAX;
            if (hit)
                *found = value;
            any = any || hit;
        } else {
            break;
        }
    }
    if (event != JSON_END)
        return KM_ERR_SYNTAX;
    return any ? KM_OK : KM_ERR_NOT_FOUND;
}

int km_json_find(struct km_slice text, const char *pointer, struct km_slice *value)
{
    struct km_slice at = km_slice_trim_set(text, " \t\r\n");
    const char *segment;
    size_t len;

    if (!json_pointer_valid(pointer))
        return KM_ERR_ARG;
    while (json_segment_next(&pointer, &segment, &len)) {
        int err = find_child(at, segment, len, &at);

        if (err != KM_OK)
            return err;
    }
    *value = at;
    return KM_OK;
}
