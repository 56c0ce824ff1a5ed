/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <string.h>

#include "kubemote/km_base.h"

#define COUNT 24
#define HEAP 20

static struct km_timers timers;
static struct km_timer *heap[HEAP];
static struct km_timer timer[COUNT];
static int fired[64], fired_count;

static void note(void *ctx, int64_t now_ms)
{
    (void)now_ms;
    assert_true(fired_count < 64);
    fired[fired_count++] = (int)((struct km_timer *)ctx - timer);
}

static void again_at_once(void *ctx, int64_t now_ms)
{
    note(ctx, now_ms);
    assert_int_equal(km_timer_set(&timers, ctx, now_ms - 1000), KM_OK);
}

static void stop_the_next(void *ctx, int64_t now_ms)
{
    struct km_timer *self = ctx;

    note(ctx, now_ms);
    km_timer_stop(&timers, self + 1);
}

static void run_inside(void *ctx, int64_t now_ms)
{
    note(ctx, now_ms);
    km_timers_run(&timers, now_ms);
}

static void reset(void)
{
    km_timers_init(&timers, heap, HEAP);
    memset(timer, 0, sizeof timer);
    for (int i = 0; i < COUNT; i++) {
        timer[i].fn = note;
        timer[i].ctx = &timer[i];
    }
    fired_count = 0;
}

static void check_heap(void)
{
    for (uint32_t i = 0; i < timers.count; i++) {
        assert_int_equal(heap[i]->pos, i + 1);
        if (i > 0)
            assert_true(heap[(i + 1) / 2 - 1]->at_ms <= heap[i]->at_ms);
    }
}

static void test_fires_by_time_then_by_order_of_setting(void **state)
{
    (void)state;
    reset();
    assert_true(km_timers_next(&timers) == KM_NEVER);
    (void)km_timer_set(&timers, &timer[0], 30);
    (void)km_timer_set(&timers, &timer[1], 10);
    (void)km_timer_set(&timers, &timer[2], 10);
    (void)km_timer_set(&timers, &timer[3], 20);
    (void)km_timer_set(&timers, &timer[0], 10); /* moved: now the last of the three */
    assert_true(km_timers_next(&timers) == 10);
    km_timers_run(&timers, 9);
    assert_int_equal(fired_count, 0);
    km_timers_run(&timers, 10);
    assert_int_equal(fired_count, 3);
    assert_int_equal(fired[0], 1);
    assert_int_equal(fired[1], 2);
    assert_int_equal(fired[2], 0);
    assert_int_equal(timers.count, 1);
    assert_int_equal(timers.max, 4);
    assert_int_equal(timer[0].pos, 0);
}

static void test_never_stops_and_full_refuses(void **state)
{
    (void)state;
    reset();
    for (int i = 0; i < HEAP; i++)
        assert_int_equal(km_timer_set(&timers, &timer[i], i), KM_OK);
    assert_int_equal(km_timer_set(&timers, &timer[HEAP], 5), KM_ERR_FULL);
    assert_int_equal(timers.refused, 1);
    assert_int_equal(km_timer_set(&timers, &timer[3], 50), KM_OK); /* a move needs no room */
    assert_int_equal(km_timer_set(&timers, &timer[4], KM_NEVER), KM_OK);
    assert_int_equal(timer[4].pos, 0);
    assert_int_equal(km_timer_set(&timers, &timer[HEAP], 5), KM_OK);
    km_timer_stop(&timers, &timer[4]);
    check_heap();
    assert_int_equal(timers.count, HEAP);
}

static void test_rearmed_at_once_fires_once_a_run(void **state)
{
    (void)state;
    reset();
    timer[0].fn = again_at_once;
    timer[1].fn = again_at_once;
    (void)km_timer_set(&timers, &timer[0], 1);
    (void)km_timer_set(&timers, &timer[1], 100);
    (void)km_timer_set(&timers, &timer[2], 100);
    km_timers_run(&timers, 100);
    assert_int_equal(fired_count, 3); /* the early re-armed ones hide nobody who is due */
    assert_int_equal(fired[2], 2);
    assert_int_equal(timers.count, 2);
    assert_true(km_timers_next(&timers) <= 100);
    km_timers_run(&timers, 100);
    assert_int_equal(fired_count, 5);
}

static void test_a_callback_may_stop_another_that_is_due(void **state)
{
    (void)state;
    reset();
    timer[0].fn = stop_the_next;
    (void)km_timer_set(&timers, &timer[0], 1);
    (void)km_timer_set(&timers, &timer[1], 1);
    (void)km_timer_set(&timers, &timer[2], 1);
    km_timers_run(&timers, 1);
    assert_int_equal(fired_count, 2);
    assert_int_equal(fired[1], 2);
}

static void test_a_run_inside_a_run_ends(void **state)
{
    (void)state;
    reset();
    timer[0].fn = run_inside;
    timer[1].fn = again_at_once;
    (void)km_timer_set(&timers, &timer[0], 1);
    (void)km_timer_set(&timers, &timer[1], 1);
    km_timers_run(&timers, 7);
    assert_int_equal(fired_count, 2);
    assert_true(timers.run_ms == INT64_MIN);
    assert_int_equal(timers.count, 1);
}

static void check_random_step(struct km_rng *rng, int64_t *model, int64_t *now)
{
    int i = (int)(km_rng_u32(rng) % COUNT);
    uint32_t what = km_rng_u32(rng) % 4;

    if (what < 2) {
        int64_t at = *now + km_rng_range(rng, -20, 100);
        bool room = timer[i].pos != 0 || timers.count < HEAP;

        assert_int_equal(km_timer_set(&timers, &timer[i], at), room ? KM_OK : KM_ERR_FULL);
        if (room)
            model[i] = at;
    } else if (what == 2) {
        km_timer_stop(&timers, &timer[i]);
        model[i] = KM_NEVER;
    } else {
        int64_t last = INT64_MIN;
        int due = 0;

        *now += km_rng_range(rng, 0, 30);
        fired_count = 0;
        km_timers_run(&timers, *now);
        for (int j = 0; j < fired_count; j++) {
            assert_true(model[fired[j]] <= *now && model[fired[j]] >= last);
            last = model[fired[j]];
        }
        for (int j = 0; j < COUNT; j++) {
            if (model[j] <= *now) {
                due++;
                model[j] = KM_NEVER;
            }
        }
        assert_int_equal(fired_count, due);
    }
}

static void test_random_operations_against_a_model(void **state)
{
    int64_t model[COUNT], now = 0;
    struct km_rng rng;

    (void)state;
    reset();
    km_rng_seed(&rng, 7);
    for (int i = 0; i < COUNT; i++)
        model[i] = KM_NEVER;
    for (int step = 0; step < 100000; step++) {
        int64_t next = KM_NEVER;

        check_random_step(&rng, model, &now);
        for (int i = 0; i < COUNT; i++) {
            assert_true((timer[i].pos != 0) == (model[i] != KM_NEVER));
            next = model[i] < next ? model[i] : next;
        }
        assert_true(km_timers_next(&timers) == next);
        check_heap();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fires_by_time_then_by_order_of_setting),
        cmocka_unit_test(test_never_stops_and_full_refuses),
        cmocka_unit_test(test_rearmed_at_once_fires_once_a_run),
        cmocka_unit_test(test_a_callback_may_stop_another_that_is_due),
        cmocka_unit_test(test_a_run_inside_a_run_ends),
        cmocka_unit_test(test_random_operations_against_a_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
