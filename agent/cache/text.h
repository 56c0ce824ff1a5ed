/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash and comparison of keys by words, private to the room: a read by key is little else, and the
 * libraries of small machines compare byte by byte. The hash depends on the seed and the machine's
 * byte order; it is never stored outside.
 */
#ifndef CACHE_TEXT_H
#define CACHE_TEXT_H

#include <string.h>

#include "kubemote/km_base.h"

static inline uint32_t text_word(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* Multiplies two halves of the state, with a word in each, and keeps the whole product. */
static inline void text_fold(uint32_t *a, uint32_t *b, uint32_t x, uint32_t y)
{
    uint64_t product = (uint64_t)(*a ^ x ^ 0x9E3779B1u) * (*b ^ y ^ 0x85EBCA77u);

    *a = (uint32_t)product;
    *b = (uint32_t)(product >> 32);
}

static inline uint32_t text_hash(struct km_slice text, uint32_t seed)
{
    uint32_t a = seed, b = (uint32_t)text.len, x = 0, y = 0;
    const char *at = text.ptr;
    size_t left = text.len;

    for (; left > 8; at += 8, left -= 8)
        text_fold(&a, &b, text_word(at), text_word(at + 4));
    if (left >= 4) {
        x = text_word(at);
        y = text_word(at + left - 4);
    } else if (left > 0) {
        x = (uint32_t)(unsigned char)at[0] << 16 | (uint32_t)(unsigned char)at[left / 2] << 8 |
            (unsigned char)at[left - 1];
    }
    text_fold(&a, &b, x, y);
    text_fold(&a, &b, seed, 0);
    return a ^ b;
}

static inline bool text_equal(const char *a, const char *b, size_t len)
{
    size_t i = 0;

    for (; i + 8 <= len; i += 8) {
        if (((text_word(a + i) ^ text_word(b + i)) |
             (text_word(a + i + 4) ^ text_word(b + i + 4))) != 0)
            return false;
    }
    for (; i < len; i++) {
        if (a[i] != b[i])
            return false;
    }
    return true;
}

#endif
