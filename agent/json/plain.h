/* SPDX-License-Identifier: Apache-2.0 */
/* Passing over the plain characters of a string: by vectors where the processor has them, else by words. KM_JSON_WORDS asks
   for words everywhere, so that they are tested everywhere. */
#ifndef KM_JSON_PLAIN_H
#define KM_JSON_PLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(KM_JSON_WORDS)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(KM_JSON_WORDS)
#include <arm_neon.h>
#endif

static inline bool json_is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

#if defined(__SSE2__) && !defined(KM_JSON_WORDS)

#define JSON_BITS
#define JSON_BLOCK 16

/* A bit for each of 16 bytes that are not plain, the first one's lowest. */
static inline uint32_t json_odd_bits(const unsigned char *p)
{
    __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
    /* Signed: bytes from 0x80 on are negative. */
    __m128i odd = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));

    odd = _mm_or_si128(odd, _mm_cmpeq_epi8(block, _mm_set1_epi8('"')));
    odd = _mm_or_si128(odd, _mm_cmpeq_epi8(block, _mm_set1_epi8('\\')));
    return (uint32_t)_mm_movemask_epi8(odd);
}

#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(KM_JSON_WORDS)

#define JSON_BITS
#define JSON_BLOCK 16

static inline uint32_t json_odd_bits(const unsigned char *p)
{
    static const uint8_t places[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    uint8x16_t block = vld1q_u8(p);
    uint8x16_t odd = vcltq_s8(vreinterpretq_s8_u8(block), vdupq_n_s8(0x20));

    odd = vorrq_u8(odd, vceqq_u8(block, vdupq_n_u8('"')));
    odd = vorrq_u8(odd, vceqq_u8(block, vdupq_n_u8('\\')));
    odd = vandq_u8(odd, vld1q_u8(places));
    return vaddv_u8(vget_low_u8(odd)) | (uint32_t)vaddv_u8(vget_high_u8(odd)) << 8;
}

#endif

#ifdef JSON_BITS

/* Moves *p over the block, true, or to the first byte in it that is not plain, false. */
static inline bool json_plain_block(const unsigned char **p)
{
    uint32_t odd = json_odd_bits(*p);

    *p += odd == 0 ? JSON_BLOCK : __builtin_ctz(odd);
    return odd == 0;
}

#else

#define JSON_BLOCK sizeof(uintptr_t)
#define JSON_EACH_BYTE(c) (~(uintptr_t)0 / 255u * (c))

/* A byte's high bit comes up in `odd` when it is below 0x20, above 0x7f, a quote or a backslash, or, harmless, when a byte
   before it did: which one was the first is then found byte by byte. */
static inline bool json_plain_block(const unsigned char **p)
{
    uintptr_t word, quote, slash, odd;

    memcpy(&word, *p, sizeof word);
    quote = word ^ JSON_EACH_BYTE('"');
    slash = word ^ JSON_EACH_BYTE('\\');
    odd = ((word - JSON_EACH_BYTE(0x20)) & ~word) | ((quote - JSON_EACH_BYTE(1)) & ~quote) |
          ((slash - JSON_EACH_BYTE(1)) & ~slash) | word;
    if ((odd & JSON_EACH_BYTE(0x80)) == 0) {
        *p += JSON_BLOCK;
        return true;
    }
    while (json_is_plain(**p))
        ++*p;
    return false;
}

#endif

/* The first byte from p on that is not a plain character of a string, or end. */
static inline const unsigned char *json_plain_end(const unsigned char *p, const unsigned char *end)
{
    while ((size_t)(end - p) >= JSON_BLOCK) {
        if (!json_plain_block(&p))
            return p;
    }
    while (p < end && json_is_plain(*p))
        p++;
    return p;
}

/* For many short strings near each other: what was found out about 64 bytes serves all of them. */
struct json_plain {
    uintptr_t
        base; /* where they begin; at first anything that is not within 64 bytes before the text */
    uint64_t odd; /* a bit for each of them that is not plain */
};

static inline const unsigned char *json_plain_end_near(struct json_plain *seen,
                                                       const unsigned char *p,
                                                       const unsigned char *end)
{
#ifdef JSON_BITS
    for (;;) {
        uintptr_t done = (uintptr_t)p - seen->base;

        if (done >= 64) {
            if (end - p < 64)
                break;
            seen->base = (uintptr_t)p;
            seen->odd = json_odd_bits(p) | (uint64_t)json_odd_bits(p + 16) << 16 |
                        (uint64_t)json_odd_bits(p + 32) << 32 |
                        (uint64_t)json_odd_bits(p + 48) << 48;
            done = 0;
        }
        if (seen->odd >> done != 0)
            return p + __builtin_ctzll(seen->odd >> done);
        p += 64 - done;
    }
#endif
    (void)seen;
    return json_plain_end(p, end);
}

#endif
