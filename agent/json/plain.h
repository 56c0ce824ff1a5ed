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

/* Keeps the common way straight, which is worth more than a tenth of the speed. */
#define JSON_RARE(condition) __builtin_expect(!!(condition), 0)
#define JSON_INLINE __attribute__((always_inline)) static inline

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
    /* Signed: bytes from 0x80 on are negative; with one bit turned over a quote is next to the control characters. */
    __m128i odd =
        _mm_cmplt_epi8(_mm_xor_si128(block, _mm_set1_epi8('"' ^ 0x20)), _mm_set1_epi8(0x21));

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
    /* Signed: bytes from 0x80 on are negative; with one bit turned over a quote is next to the control characters. */
    uint8x16_t odd =
        vcltq_s8(vreinterpretq_s8_u8(veorq_u8(block, vdupq_n_u8('"' ^ 0x20))), vdupq_n_s8(0x21));

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

/*
 * What is not plain in a text, one after another, for many short strings near each other. By vectors 64 bytes are looked at
 * at once, and ahead of the reader: finding the next one takes no look at the text, and does not wait for the reader to
 * know where it stands. So the reader has to take each of them, json_odd_take, and in turn.
 */
struct json_odd {
    const unsigned char *at; /* by vectors: the 64 bytes; by words: behind what was taken */
    uint64_t bits;           /* a bit for each of them that is left */
};

#ifdef JSON_BITS

static inline uint64_t json_odd_bits_64(const unsigned char *p)
{
    return json_odd_bits(p) | (uint64_t)json_odd_bits(p + 16) << 16 |
           (uint64_t)json_odd_bits(p + 32) << 32 | (uint64_t)json_odd_bits(p + 48) << 48;
}

/* Of the last ones, fewer than 64. The end counts as one that is not plain. */
__attribute__((noinline, unused)) static uint64_t json_odd_bits_end(const unsigned char *p,
                                                                    const unsigned char *end)
{
    unsigned char last[64] = {0};

    memcpy(last, p, (size_t)(end - p));
    return json_odd_bits_64(last);
}

static inline uint64_t json_odd_look(const unsigned char *p, const unsigned char *end)
{
    return end - p >= 64 ? json_odd_bits_64(p) : json_odd_bits_end(p, end);
}

JSON_INLINE void json_odd_begin(struct json_odd *odd, const unsigned char *p,
                                const unsigned char *end)
{
    odd->at = p;
    odd->bits = json_odd_look(p, end);
}

/* The next one, or end. All before p was plain or taken. */
JSON_INLINE const unsigned char *json_odd_next(struct json_odd *odd, const unsigned char *p,
                                               const unsigned char *end)
{
    (void)p;
    while (JSON_RARE(odd->bits == 0)) {
        odd->at += 64;
        odd->bits = json_odd_look(odd->at, end);
    }
    return odd->at + __builtin_ctzll(odd->bits);
}

/* Takes the one that stands at p, not at the end. */
JSON_INLINE void json_odd_take(struct json_odd *odd, const unsigned char *p,
                               const unsigned char *end)
{
    json_odd_next(odd, p, end);
    odd->bits &= odd->bits - 1;
}

#else

JSON_INLINE void json_odd_begin(struct json_odd *odd, const unsigned char *p,
                                const unsigned char *end)
{
    (void)odd, (void)p, (void)end;
}

JSON_INLINE const unsigned char *json_odd_next(struct json_odd *odd, const unsigned char *p,
                                               const unsigned char *end)
{
    (void)odd;
    return json_plain_end(p, end);
}

JSON_INLINE void json_odd_take(struct json_odd *odd, const unsigned char *p,
                               const unsigned char *end)
{
    (void)odd, (void)p, (void)end;
}

#endif

#endif
