/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include "kubemote/km_base.h"

static void test_range_stays_inside_and_reaches_all(void **state)
{
    int seen[7] = {0};
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 0);
    for (int i = 0; i < 7000; i++) {
        int64_t value = km_rng_range(&rng, -3, 4);

        assert_true(value >= -3 && value < 4);
        seen[value + 3]++;
    }
    for (int i = 0; i < 7; i++)
        assert_true(seen[i] > 850 && seen[i] < 1150);
    assert_true(km_rng_range(&rng, 5, 5) == 5);
    assert_true(km_rng_range(&rng, 5, 4) == 5);
    for (int i = 0; i < 100; i++) {
        assert_true(km_rng_range(&rng, INT64_MIN, INT64_MAX) < INT64_MAX);
        assert_true(km_rng_range(&rng, INT64_MIN, INT64_MIN + 1) == INT64_MIN);
        assert_true(km_rng_range(&rng, INT64_MAX - 2, INT64_MAX) >= INT64_MAX - 2);
    }
}

static void test_seed_decides(void **state)
{
    struct km_rng a, b, c;
    int same = 0;

    (void)state;
    km_rng_seed(&a, 1);
    km_rng_seed(&b, 1);
    km_rng_seed(&c, 2);
    for (int i = 0; i < 1000; i++) {
        uint32_t value = km_rng_u32(&a);

        assert_true(value == km_rng_u32(&b));
        same += value == km_rng_u32(&c);
    }
    assert_true(same < 3);
}

/* The reflector's: 0.8 s, doubled up to 30 s, each in [d, 2d), started over two minutes after the
   last start. */
static void test_backoff(void **state)
{
    static const int64_t want[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000};
    struct km_backoff backoff;
    struct km_rng rng;
    int64_t now = 1000, delay;

    (void)state;
    km_rng_seed(&rng, 3);
    for (int round = 0; round < 200; round++) {
        km_backoff_init(&backoff, 800, 30000, 120000);
        for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
            delay = km_backoff_next(&backoff, &rng, now);
            assert_true(delay >= want[i] && delay < 2 * want[i]);
        }
        delay = km_backoff_next(&backoff, &rng, now + 120000);
        assert_true(delay >= 30000);
        delay = km_backoff_next(&backoff, &rng, now + 120001);
        assert_true(delay >= 800 && delay < 1600);
        delay = km_backoff_next(&backoff, &rng, now + 120001);
        assert_true(delay >= 1600 && delay < 3200);
        km_backoff_reset(&backoff);
        delay = km_backoff_next(&backoff, &rng, now + 120002);
        assert_true(delay >= 800 && delay < 1600);
        now += 1000000;
    }
}

static void test_backoff_at_the_edges(void **state)
{
    struct km_backoff backoff;
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 3);
    km_backoff_init(&backoff, 1, INT64_MAX, 0);
    for (int i = 0; i < 200; i++)
        assert_true(km_backoff_next(&backoff, &rng, i) > 0);
    assert_true(backoff.current_ms == INT64_MAX);
    km_backoff_init(&backoff, 0, 0, 0);
    for (int i = 0; i < 5; i++)
        assert_true(km_backoff_next(&backoff, &rng, 0) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range_stays_inside_and_reaches_all),
        cmocka_unit_test(test_seed_decides),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_backoff_at_the_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
