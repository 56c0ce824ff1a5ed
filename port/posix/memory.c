/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcpy, memmove and memset a word at a time. Those of the C library that ships are loops over bytes, which took a third of
 * the processor time of a handshake: mbedTLS copies and clears numbers all the time.
 */
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "km_config.h"

#ifndef CONFIG_KM_LIBC_HEAP /* boards for checkers: those know libc's own */

/* At any address; what the bytes are is the caller's business. */
struct word {
    size_t value;
} __attribute__((packed, may_alias));

#define WORD sizeof(struct word)

/* Keeps the compiler from seeing a memcpy in a loop and calling it. */
#define KEEP_LOOP(pointer) __asm__ volatile("" : "+r"(pointer))

static void copy_up(unsigned char *to, const unsigned char *from, size_t n)
{
    for (; n >= 2 * WORD; n -= 2 * WORD, to += 2 * WORD, from += 2 * WORD) {
        const struct word *in = (const struct word *)from;
        struct word first = in[0], second = in[1];
        struct word *out = (struct word *)to;

        out[0] = first;
        out[1] = second;
        KEEP_LOOP(to);
    }
    for (; n > 0; n--) {
        *to++ = *from++;
        KEEP_LOOP(to);
    }
}

static void copy_down(unsigned char *to, const unsigned char *from, size_t n)
{
    for (; n >= WORD; n -= WORD) {
        *(struct word *)(to + n - WORD) = *(const struct word *)(from + n - WORD);
        KEEP_LOOP(to);
    }
    for (; n > 0; n--) {
        to[n - 1] = from[n - 1];
        KEEP_LOOP(to);
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    copy_up(to, from, n);
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    if ((uintptr_t)to - (uintptr_t)from >= n)
        copy_up(to, from, n);
    else
        copy_down(to, from, n);
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    const struct word all = {SIZE_MAX / UCHAR_MAX * (unsigned char)byte};
    unsigned char *p = to;

    for (; n >= 2 * WORD; n -= 2 * WORD, p += 2 * WORD) {
        struct word *out = (struct word *)p;

        out[0] = all;
        out[1] = all;
        KEEP_LOOP(p);
    }
    for (; n > 0; n--) {
        *p++ = (unsigned char)byte;
        KEEP_LOOP(p);
    }
    return to;
}

#endif
