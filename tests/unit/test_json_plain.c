/* SPDX-License-Identifier: Apache-2.0 */
/* Where a run of plain characters ends, found by as many bytes at once as this processor can take. */
#include "km_test.h"

#include "agent/json/plain.h"
#include "kubemote/km_base.h"

#define TEXT_BYTES 150

static const unsigned char *naive(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* What is not plain, one after another. */
static void check_all(const unsigned char *text, const unsigned char *end)
{
    const unsigned char *p = text;
    struct json_odd odd;

    json_odd_begin(&odd, text, end);
    while ((p = naive(p, end)) < end) {
        if (json_odd_next(&odd, p, end) != p)
            fail_msg("at %td of %td", p - text, end - text);
        json_odd_take(&odd, p++, end);
    }
    assert_ptr_equal(json_odd_next(&odd, p, end), end);
}

/* From every place. */
static void check(const unsigned char *text, size_t len)
{
    for (size_t at = 0; at <= len; at++) {
        if (json_plain_end(text + at, text + len) != naive(text + at, text + len))
            fail_msg("from %zu of %zu", at, len);
        check_all(text + at, text + len);
    }
}

static void test_every_byte(void **state)
{
    unsigned char text[TEXT_BYTES];

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t at = 0; at < sizeof text; at += c % 7 == 0 ? 1 : 11) {
            memset(text, c % 2 == 0 ? 'a' : '!', sizeof text);
            text[at] = (unsigned char)c;
            check(text, sizeof text);
        }
    }
}

static void test_every_length(void **state)
{
    unsigned char text[TEXT_BYTES];

    (void)state;
    memset(text, '~', sizeof text);
    for (size_t len = 0; len <= sizeof text; len++)
        check(text, len);
}

static void test_random(void **state)
{
    static const char letters[] = "abcdefghijklmno !\"\\\x1f\x80";
    unsigned char text[TEXT_BYTES];
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 3);
    for (int i = 0; i < 2000; i++) {
        uint32_t kinds = 10 + km_rng_u32(&rng) % (sizeof letters - 10);

        for (size_t at = 0; at < sizeof text; at++)
            text[at] = (unsigned char)letters[km_rng_u32(&rng) % kinds];
        check(text, 1 + km_rng_u32(&rng) % TEXT_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
