/* SPDX-License-Identifier: Apache-2.0 */
/* Characters of JSON strings. All texts here went through the scanner, so they are well formed; they may end anywhere. */
#include <string.h>

#include "json_priv.h"

#define REPLACEMENT 0xfffdu

size_t json_unit_len(const char *text, size_t len)
{
    unsigned char c;
    size_t need;

    if (len == 0)
        return 0;
    c = (unsigned char)text[0];
    if (c == '\\')
        need = len < 2 ? 2 : text[1] == 'u' ? 6 : 2;
    else
        need = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return need <= len ? need : 0;
}

static size_t put_utf8(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

static uint32_t hex4(const char *digits)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        uint32_t c = (unsigned char)digits[i];

        value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20u) - 'a' + 10);
    }
    return value;
}

size_t json_unit_decode(const char *text, size_t len, char out[4], enum json_half *half)
{
    static const char names[] = "bfnrt", bytes[] = "\b\f\n\r\t";
    const char *name;
    uint32_t code;

    *half = JSON_WHOLE;
    if (text[0] != '\\') {
        memcpy(out, text, len);
        return len;
    }
    if (len == 2) {
        name = strchr(names, text[1]);
        out[0] = name != NULL ? bytes[name - names] : text[1];
        return 1;
    }
    code = hex4(text + 2);
    if (code >= 0xd800 && code < 0xe000)
        *half = code < 0xdc00 ? JSON_HIGH : JSON_LOW;
    else if (code == 0)
        *half = JSON_NUL;
    return put_utf8(*half != JSON_WHOLE ? REPLACEMENT : code, out);
}

void json_chars_next(struct json_chars *chars)
{
    size_t left = (size_t)(chars->end - chars->at), len = json_unit_len(chars->at, left);
    enum json_half half, second;
    char low[4];

    chars->nul = false;
    chars->len = 0;
    if (len == 0)
        return;
    chars->len = json_unit_decode(chars->at, len, chars->out, &half);
    chars->nul = half == JSON_NUL;
    if (half == JSON_HIGH && json_unit_len(chars->at + len, left - len) == 6) {
        json_unit_decode(chars->at + len, 6, low, &second);
        if (second == JSON_LOW) {
            chars->len = put_utf8(0x10000 + ((hex4(chars->at + 2) - 0xd800) << 10) +
                                      (hex4(chars->at + 8) - 0xdc00),
                                  chars->out);
            len += 6;
        }
    }
    chars->at += len;
}

bool json_unescape(struct km_slice contents, char *out, size_t out_size)
{
    struct json_chars chars = {.at = contents.ptr, .end = contents.ptr + contents.len};
    bool whole = true;
    size_t used = 0;

    if (out_size == 0)
        return contents.len == 0;
    for (json_chars_next(&chars); chars.len > 0; json_chars_next(&chars)) {
        if (chars.len >= out_size - used) {
            whole = false;
            break;
        }
        memcpy(out + used, chars.out, chars.len);
        used += chars.len;
        whole = whole && !chars.nul;
    }
    out[used] = '\0';
    return whole;
}

bool km_json_unquote(struct km_slice value, char *out, size_t out_size)
{
    if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"') {
        if (out_size > 0)
            out[0] = '\0';
        return false;
    }
    return json_unescape((struct km_slice){value.ptr + 1, value.len - 2}, out, out_size);
}

bool json_same_key(struct km_slice a, struct km_slice b)
{
    struct json_chars x = {.at = a.ptr, .end = a.ptr + a.len};
    struct json_chars y = {.at = b.ptr, .end = b.ptr + b.len};

    if (a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0)
        return true;
    if (memchr(a.ptr, '\\', a.len) == NULL && memchr(b.ptr, '\\', b.len) == NULL)
        return false;
    do {
        json_chars_next(&x);
        json_chars_next(&y);
        if (x.len != y.len || x.nul != y.nul || memcmp(x.out, y.out, x.len) != 0)
            return false;
    } while (x.len > 0);
    return true;
}

/* ---- RFC 6901 ---- */

bool json_segment_next(const char **pointer, const char **segment, size_t *len)
{
    if (**pointer != '/')
        return false;
    *segment = *pointer + 1;
    *len = strcspn(*segment, "/");
    *pointer = *segment + *len;
    return true;
}

bool json_pointer_valid(const char *pointer)
{
    if (pointer == NULL || (*pointer != '\0' && *pointer != '/'))
        return false;
    for (; *pointer != '\0'; pointer++) {
        if (*pointer == '~' && pointer[1] != '0' && pointer[1] != '1')
            return false;
    }
    return true;
}

bool json_segment_is(const char *segment, size_t len, struct km_slice key)
{
    struct json_chars chars = {.at = key.ptr, .end = key.ptr + key.len};
    const char *end = segment + len;

    /* Without escapes the bytes decide. */
    if (memchr(segment, '~', len) == NULL && memchr(key.ptr, '\\', key.len) == NULL)
        return len == key.len && memcmp(segment, key.ptr, len) == 0;
    for (json_chars_next(&chars); chars.len > 0; json_chars_next(&chars)) {
        if (chars.nul)
            return false;
        for (size_t i = 0; i < chars.len; i++) {
            char c;

            if (segment == end)
                return false;
            c = *segment++;
            if (c == '~')
                c = *segment++ == '0' ? '~' : '/';
            if (c != chars.out[i])
                return false;
        }
    }
    return segment == end;
}

bool json_segment_place(const char *segment, size_t len, uint32_t *place)
{
    uint64_t value = 0;

    if (len == 0 || len > 10 || (segment[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (segment[i] < '0' || segment[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(segment[i] - '0');
    }
    *place = (uint32_t)value;
    return value <= UINT32_MAX;
}
