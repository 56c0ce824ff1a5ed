/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that the compiler, too, takes for granted, against loops over bytes: every length, place and overlap. */
#include "km_test.h"

#define MOST 70
#define PLACES 9
#define SIZE (MOST + 2 * PLACES + 2)

/* The compiler must call, not calculate. */
static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
static void *(*volatile move)(void *, const void *, size_t) = memmove;
static void *(*volatile set)(void *, int, size_t) = memset;

static void fill(uint8_t *bytes)
{
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
}

static void expect_same(const uint8_t *got, const uint8_t *wanted)
{
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(got[i], wanted[i]);
}

static void test_memcpy(void **state)
{
    uint8_t from[SIZE], got[SIZE], wanted[SIZE];

    (void)state;
    fill(from);
    for (size_t n = 0; n <= MOST; n++) {
        for (size_t place = 0; place < (size_t)PLACES * PLACES; place++) {
            size_t to_at = 1 + place / PLACES, from_at = place % PLACES;

            for (size_t i = 0; i < SIZE; i++)
                got[i] = wanted[i] = 0xee;
            for (size_t i = 0; i < n; i++)
                wanted[to_at + i] = from[from_at + i];
            assert_ptr_equal(copy(got + to_at, from + from_at, n), got + to_at);
            expect_same(got, wanted);
        }
    }
}

static void test_memmove_over_itself(void **state)
{
    uint8_t before[SIZE], got[SIZE], wanted[SIZE];

    (void)state;
    fill(before);
    for (size_t n = 0; n <= MOST; n++) {
        for (size_t place = 0; place < (size_t)PLACES * PLACES; place++) {
            size_t to_at = 1 + place / PLACES, from_at = 1 + place % PLACES;

            fill(got);
            fill(wanted);
            for (size_t i = 0; i < n; i++)
                wanted[to_at + i] = before[from_at + i];
            assert_ptr_equal(move(got + to_at, got + from_at, n), got + to_at);
            expect_same(got, wanted);
        }
    }
}

static void test_memset(void **state)
{
    const int bytes[] = {0, 0x5a, 0xff, 0x1c3, -2};
    uint8_t got[SIZE], wanted[SIZE];

    (void)state;
    for (size_t n = 0; n <= MOST; n++) {
        for (size_t run = 0; run < PLACES * sizeof bytes / sizeof bytes[0]; run++) {
            size_t at = 1 + run % PLACES;
            int byte = bytes[run / PLACES];

            fill(got);
            fill(wanted);
            for (size_t i = 0; i < n; i++)
                wanted[at + i] = (uint8_t)byte;
            assert_ptr_equal(set(got + at, byte, n), got + at);
            expect_same(got, wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memcpy),
        cmocka_unit_test(test_memmove_over_itself),
        cmocka_unit_test(test_memset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
