/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_base.h"

struct km_slice km_slice_of(const char *text)
{
    if (text == NULL)
        return (struct km_slice){.ptr = "", .len = 0};
    return (struct km_slice){.ptr = text, .len = strlen(text)};
}

bool km_slice_eq(struct km_slice a, struct km_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool km_slice_eq_str(struct km_slice a, const char *text)
{
    return km_slice_eq(a, km_slice_of(text));
}

static unsigned char to_lower(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

bool km_slice_eq_nocase(struct km_slice a, const char *text)
{
    struct km_slice b = km_slice_of(text);

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (to_lower(a.ptr[i]) != to_lower(b.ptr[i]))
            return false;
    }
    return true;
}

int km_slice_compare(struct km_slice a, struct km_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

struct km_slice km_slice_trim_set(struct km_slice a, const char *set)
{
    size_t count = strlen(set);

    while (a.len > 0 && memchr(set, a.ptr[0], count) != NULL) {
        a.ptr++;
        a.len--;
    }
    while (a.len > 0 && memchr(set, a.ptr[a.len - 1], count) != NULL)
        a.len--;
    return a;
}

struct km_slice km_slice_trim(struct km_slice a)
{
    return km_slice_trim_set(a, " \t");
}

int km_slice_to_u64(struct km_slice a, uint64_t *out)
{
    uint64_t value = 0;
    bool too_long = false;

    if (a.len == 0)
        return KM_ERR_SYNTAX;
    for (size_t i = 0; i < a.len; i++) {
        uint64_t digit;

        if (a.ptr[i] < '0' || a.ptr[i] > '9')
            return KM_ERR_SYNTAX;
        digit = (uint64_t)(a.ptr[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            too_long = true;
        else
            value = value * 10 + digit;
    }
    if (too_long)
        return KM_ERR_TOO_LONG;
    *out = value;
    return KM_OK;
}

int km_slice_copy(struct km_slice a, char *out, size_t out_size)
{
    if (a.len >= out_size) {
        if (out_size > 0)
            out[0] = '\0';
        return KM_ERR_TOO_LONG;
    }
    if (a.len > 0)
        memmove(out, a.ptr, a.len);
    out[a.len] = '\0';
    return KM_OK;
}

const char *km_slice_show(struct km_slice text, char out[KM_SHOW_SIZE])
{
    size_t max = KM_SHOW_SIZE - 1;
    size_t len = text.len <= max ? text.len : max - 3;

    for (size_t i = 0; i < len; i++)
        out[i] = text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f ? text.ptr[i] : '?';
    if (text.len > max) {
        memcpy(out + len, "...", 3);
        len += 3;
    }
    out[len] = '\0';
    return out;
}
