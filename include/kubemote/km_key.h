/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room base: hash, comparison and copy of keys by words, for tables: a look-up is little else, and the
 * libraries of small machines compare byte by byte. The hash depends on the seed and the machine's
 * byte order; it is never stored outside.
 */
#ifndef KM_KEY_H
#define KM_KEY_H

#include <string.h>

#include "km_base.h"

static inline uint64_t km_key_word(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint32_t km_key_half(const char *at)
{
    uint32_t half;

    memcpy(&half, at, sizeof half);
    return half;
}

/* Up to 8 bytes, the only ones of a text of that length. */
static inline uint64_t km_key_short(const char *at, size_t len)
{
    if (len >= 4)
        return (uint64_t)km_key_half(at) << 32 | km_key_half(at + len - 4);
    if (len == 0)
        return 0;
    return (uint32_t)(unsigned char)at[0] << 16 | (uint32_t)(unsigned char)at[len / 2] << 8 |
           (unsigned char)at[len - 1];
}

/* What reaches only the high bits of a product is brought down for the next one. */
static inline uint64_t km_key_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

static inline uint32_t km_key_hash(struct km_slice text, uint32_t seed)
{
    uint64_t hash = (uint64_t)seed << 32 | (uint32_t)text.len;
    const char *at = text.ptr;
    size_t left = text.len;

    for (; left > 8; at += 8, left -= 8)
        hash = km_key_mix(hash, km_key_word(at));
    hash = km_key_mix(hash, text.len < 8 ? km_key_short(at, left) : km_key_word(at + left - 8));
    return (uint32_t)(hash * UINT64_C(0xD6E8FEB86659FD93) >> 32);
}

static inline bool km_key_equal(const char *a, const char *b, size_t len)
{
    if (len < 8)
        return km_key_short(a, len) == km_key_short(b, len);
    for (size_t i = 0; i + 8 < len; i += 8) {
        if (km_key_word(a + i) != km_key_word(b + i))
            return false;
    }
    return km_key_word(a + len - 8) == km_key_word(b + len - 8);
}

/* Keys are short: shorter than a call of memcpy is worth. */
static inline void km_key_copy(char *to, struct km_slice from)
{
    size_t i = 0;

    for (; i + 8 <= from.len; i += 8) {
        uint64_t word = km_key_word(from.ptr + i);

        memcpy(to + i, &word, sizeof word);
    }
    for (; i < from.len; i++)
        to[i] = from.ptr[i];
}

#endif
