/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tests of client-go util/workqueue under their own names, on a virtual clock: queue, delaying queue
 * and rate-limited queue. Workers are slots that the test steps in turn. Left out is what concerns
 * Touch, since the order of this queue can't be replaced.
 */
#include "km_test.h"

#include <string.h>

#include "kubemote/km_queue.h"

/* Shown under upstream's name. */
#define KM_NAMED_TEST(name, f) {name, f, NULL, NULL, NULL}
#define FOO 3
#define BAR 1
#define BAZ 2
#define KEYS 50
#define WORKERS 10

KM_QUEUE_DEFINE(queue, KEYS, 1, 1000);
KM_QUEUE_PLACES_DEFINE(loose, 2, 4, NULL);
static int64_t now;

static void reset(void)
{
    km_queue_init(&queue);
    now = 1000000;
}

static uint16_t get(void)
{
    uint16_t key = UINT16_MAX;

    assert_int_equal(km_queue_get(&queue, &key, now), KM_OK);
    return key;
}

static uint16_t get_loose(void)
{
    uint16_t key = UINT16_MAX;

    assert_int_equal(km_queue_get(&loose, &key, now), KM_OK);
    return key;
}

static int get_result(void)
{
    uint16_t key;

    return km_queue_get(&queue, &key, now);
}

static void shut_down(bool drain)
{
    if (drain)
        (void)km_queue_shutdown_drain(&queue);
    else
        km_queue_shutdown(&queue);
}

/* Ten workers of different speed, 50 producers that add 50 times each, never two workers on one
   key. */
static void run_basic(bool drain)
{
    int worker[WORKERS], busy[KEYS] = {0}, runs[KEYS] = {0}, left[WORKERS] = {0}, working = 0;
    struct km_rng rng;

    reset();
    km_rng_seed(&rng, 1);
    for (int turn = 0; turn < 50 || working > 0 || km_queue_len(&queue) > 0; turn++) {
        for (uint16_t i = 0; turn < 50 && i < KEYS; i++)
            assert_int_equal(km_queue_add(&queue, i), KM_OK);
        if (turn == 50) {
            shut_down(drain);
            assert_int_equal(km_queue_add(&queue, 0), KM_OK); /* ignored */
        }
        for (int w = 0; w < WORKERS; w++) {
            uint16_t key;

            if (left[w] == 0 && km_queue_get(&queue, &key, now) == KM_OK) {
                assert_int_equal(busy[key], 0);
                busy[key] = 1;
                runs[key]++;
                worker[w] = key;
                left[w] = 1 + (int)(km_rng_u32(&rng) % 4);
                working++;
            } else if (left[w] > 0 && --left[w] == 0) {
                busy[worker[w]] = 0;
                km_queue_done(&queue, (uint16_t)worker[w]);
                working--;
            }
        }
        assert_true(km_queue_drained(&queue) == (working == 0));
    }
    for (int i = 0; i < KEYS; i++)
        assert_true(runs[i] >= 2 && runs[i] <= 51);
    assert_int_equal(get_result(), KM_EOF);
    assert_false(km_queue_draining(&queue));
}

static void test_basic(void **state)
{
    (void)state;
    run_basic(false);
    run_basic(true);
}

static void run_add_while_processing(bool drain)
{
    int runs[KEYS] = {0};
    uint16_t key;

    reset();
    for (uint16_t i = 0; i < KEYS; i++)
        (void)km_queue_add(&queue, i);
    while (km_queue_get(&queue, &key, now) == KM_OK) {
        if (++runs[key] < 2)
            (void)km_queue_add(&queue, key);
        km_queue_done(&queue, key);
    }
    shut_down(drain);
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(runs[i], 2);
    assert_int_equal(km_queue_len(&queue), 0);
    assert_int_equal(get_result(), KM_EOF);
}

static void test_add_while_processing(void **state)
{
    (void)state;
    run_add_while_processing(false);
    run_add_while_processing(true);
}

static void test_len(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    assert_int_equal(km_queue_len(&queue), 1);
    (void)km_queue_add(&queue, BAR);
    assert_int_equal(km_queue_len(&queue), 2);
    (void)km_queue_add(&queue, FOO);
    assert_int_equal(km_queue_len(&queue), 2);
}

static void test_reinsert(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    assert_int_equal(get(), FOO);
    (void)km_queue_add(&queue, FOO);
    km_queue_done(&queue, FOO);
    assert_int_equal(get(), FOO);
    km_queue_done(&queue, FOO);
    assert_int_equal(km_queue_len(&queue), 0);
}

static void test_collapse(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add(&queue, BAR);
    (void)km_queue_add(&queue, BAR);
    assert_int_equal(get(), BAR);
    km_queue_done(&queue, BAR);
    assert_int_equal(km_queue_len(&queue), 0);
}

static void test_collapse_while_processing(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    assert_int_equal(get(), FOO);
    (void)km_queue_add(&queue, FOO);
    (void)km_queue_add(&queue, FOO);
    assert_int_equal(get_result(), KM_AGAIN); /* the other worker waits */
    km_queue_done(&queue, FOO);
    assert_int_equal(get(), FOO);
    km_queue_done(&queue, FOO);
    assert_int_equal(km_queue_len(&queue), 0);
}

static void test_queue_drainage_using_shut_down_with_drain(void **state)
{
    uint16_t first, second;

    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    (void)km_queue_add(&queue, BAR);
    first = get();
    second = get();
    assert_int_equal(km_queue_shutdown_drain(&queue), KM_AGAIN);
    assert_int_equal(get_result(), KM_EOF);
    assert_true(km_queue_draining(&queue));
    km_queue_done(&queue, first);
    assert_true(km_queue_draining(&queue));
    km_queue_done(&queue, second);
    assert_false(km_queue_draining(&queue));
    assert_int_equal(km_queue_shutdown_drain(&queue), KM_OK);
}

static void test_queue_drainage_using_shut_down_with_drain_with_dirty_item(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    assert_int_equal(get(), FOO);
    (void)km_queue_add(&queue, FOO);
    assert_int_equal(km_queue_shutdown_drain(&queue), KM_AGAIN);
    assert_int_equal(get_result(), KM_EOF);
    assert_true(km_queue_draining(&queue));
    km_queue_done(&queue, FOO);
    assert_false(km_queue_draining(&queue)); /* what only waits does not hold it up */
    assert_int_equal(get(), FOO);
    km_queue_done(&queue, FOO);
    assert_int_equal(get_result(), KM_EOF);
    assert_true(km_queue_drained(&queue));
}

/* What is queued is handed out after the shut-down; a caller that does not wait for drained has no
   more to do. */
static void test_no_queue_drainage_using_shut_down(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    (void)km_queue_add(&queue, BAR);
    (void)km_queue_add(&queue, BAZ);
    assert_int_equal(get(), FOO);
    assert_int_equal(get(), BAR);
    km_queue_shutdown(&queue);
    assert_false(km_queue_draining(&queue));
    assert_int_equal(get(), BAZ);
    assert_int_equal(get_result(), KM_EOF);
}

static void test_force_queue_shutdown_using_shut_down(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    (void)get();
    assert_int_equal(km_queue_shutdown_drain(&queue), KM_AGAIN);
    assert_int_equal(get_result(), KM_EOF);
    assert_true(km_queue_draining(&queue));
    km_queue_shutdown(&queue);
    assert_false(km_queue_draining(&queue));
    assert_false(km_queue_drained(&queue));
    assert_int_equal(get_result(), KM_EOF);
    km_queue_init(&queue); /* and it may be used again */
    (void)km_queue_add(&queue, FOO);
    assert_int_equal(get(), FOO);
}

static void test_simple_queue(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add_after(&queue, FOO, 50, now);
    assert_true(km_queue_next(&queue) == now + 50);
    now += 49;
    assert_int_equal(get_result(), KM_AGAIN);
    now += 1;
    assert_int_equal(get(), FOO);
    km_queue_done(&queue, FOO);
    now += 10000;
    assert_int_equal(get_result(), KM_AGAIN);
    assert_true(km_queue_next(&queue) == KM_NEVER);
}

static void test_deduping(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add_after(&queue, FOO, 50, now);
    (void)km_queue_add_after(&queue, FOO, 70, now);
    assert_int_equal(get_result(), KM_AGAIN);
    now += 60;
    assert_int_equal(get(), FOO);
    km_queue_done(&queue, FOO);
    now += 20;
    assert_int_equal(get_result(), KM_AGAIN);

    (void)km_queue_add_after(&queue, FOO, 50, now);
    (void)km_queue_add_after(&queue, FOO, 30, now);
    assert_int_equal(get_result(), KM_AGAIN);
    now += 40;
    assert_int_equal(get(), FOO);
    km_queue_done(&queue, FOO);
    now += 20;
    assert_int_equal(get_result(), KM_AGAIN);
}

static void test_add_two_fire_early(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add_after(&queue, FOO, 1000, now);
    (void)km_queue_add_after(&queue, BAR, 50, now);
    assert_int_equal(get_result(), KM_AGAIN);
    now += 60;
    assert_int_equal(get(), BAR);
    (void)km_queue_add_after(&queue, BAZ, 2000, now);
    now += 1000;
    assert_int_equal(get(), FOO);
    now += 2000;
    assert_int_equal(get(), BAZ);
}

static void test_copy_shifting(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add_after(&queue, FOO, 1000, now);
    (void)km_queue_add_after(&queue, BAR, 500, now);
    (void)km_queue_add_after(&queue, BAZ, 250, now);
    assert_int_equal(get_result(), KM_AGAIN);
    now += 2000;
    assert_int_equal(get(), BAZ);
    assert_int_equal(get(), BAR);
    assert_int_equal(get(), FOO);
}

static int64_t when(uint16_t key)
{
    return km_queue_add_rate_limited(&queue, key, now);
}

static void test_rate_limiting_queue(void **state)
{
    (void)state;
    reset();
    assert_true(when(FOO) == 1);
    assert_true(when(FOO) == 2);
    assert_int_equal(km_queue_requeues(&queue, FOO), 2);
    assert_true(queue.due_ms[FOO] == now + 1); /* the earlier of the two */
    assert_true(when(BAR) == 1);
    assert_true(when(BAR) == 2);
    km_queue_forget(&queue, FOO);
    assert_int_equal(km_queue_requeues(&queue, FOO), 0);
    assert_int_equal(queue.heap_count, 2); /* forgotten, not removed */
    assert_true(when(FOO) == 1);
}

/* Waiting keys are dropped at the shut-down, and no new one waits after it (delaying_queue.go). */
static void test_shutdown_drops_delays(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add_after(&queue, FOO, 10, now);
    (void)km_queue_add(&queue, BAR);
    km_queue_shutdown(&queue);
    (void)km_queue_add_after(&queue, BAZ, 10, now);
    assert_true(km_queue_next(&queue) == 0);
    now += 100;
    assert_int_equal(get(), BAR);
    assert_int_equal(get_result(), KM_EOF);
    assert_true(km_queue_next(&queue) == KM_NEVER);
}

static void test_bounds(void **state)
{
    (void)state;
    reset();
    assert_int_equal(km_queue_add(&queue, KEYS), KM_ERR_ARG);
    assert_int_equal(km_queue_add_after(&queue, KEYS, 5, now), KM_ERR_ARG);
    assert_true(km_queue_add_rate_limited(&queue, UINT16_MAX, now) == KM_ERR_ARG);
    km_queue_done(&queue, KEYS);
    km_queue_forget(&queue, KEYS);
    assert_int_equal(km_queue_requeues(&queue, KEYS), 0);
    assert_int_equal(km_queue_len(&queue), 0);
    assert_int_equal(km_queue_add_after(&queue, BAR, INT64_MAX, now), KM_OK);
    assert_true(queue.due_ms[BAR] == KM_NEVER);
    assert_int_equal(km_queue_add_after(&queue, BAR, 0, now), KM_OK);
    assert_int_equal(km_queue_len(&queue), 1);
}

/* Done without get: nothing when the key does not wait, else it waits twice while there are places. */
static void test_done_without_get(void **state)
{
    (void)state;
    reset();
    km_queue_done(&queue, FOO);
    assert_int_equal(km_queue_len(&queue), 0);
    (void)km_queue_add(&queue, FOO);
    km_queue_done(&queue, FOO);
    assert_int_equal(km_queue_len(&queue), 1);
    assert_true(km_queue_drained(&queue));

    km_queue_init(&loose);
    (void)km_queue_add(&loose, 0);
    for (int i = 0; i < 5; i++)
        km_queue_done(&loose, 0);
    assert_int_equal(km_queue_len(&loose), 3);
    (void)km_queue_add(&loose, 1); /* has its place still */
    for (int i = 0; i < 4; i++)
        assert_int_equal(get_loose(), i == 3 ? 1 : 0);
    assert_int_equal(km_queue_get(&loose, &(uint16_t){0}, now), KM_AGAIN);
    km_queue_done(&loose, 0);
    assert_false(km_queue_busy(&loose, 0));
    assert_false(km_queue_drained(&loose));
    km_queue_done(&loose, 1);
    assert_true(km_queue_drained(&loose));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KM_NAMED_TEST("TestBasic", test_basic),
        KM_NAMED_TEST("TestAddWhileProcessing", test_add_while_processing),
        KM_NAMED_TEST("TestLen", test_len),
        KM_NAMED_TEST("TestReinsert", test_reinsert),
        KM_NAMED_TEST("TestCollapse", test_collapse),
        KM_NAMED_TEST("TestCollapseWhileProcessing", test_collapse_while_processing),
        KM_NAMED_TEST("TestQueueDrainageUsingShutDownWithDrain",
                      test_queue_drainage_using_shut_down_with_drain),
        KM_NAMED_TEST("TestQueueDrainageUsingShutDownWithDrainWithDirtyItem",
                      test_queue_drainage_using_shut_down_with_drain_with_dirty_item),
        KM_NAMED_TEST("TestNoQueueDrainageUsingShutDown", test_no_queue_drainage_using_shut_down),
        KM_NAMED_TEST("TestForceQueueShutdownUsingShutDown",
                      test_force_queue_shutdown_using_shut_down),
        KM_NAMED_TEST("TestSimpleQueue", test_simple_queue),
        KM_NAMED_TEST("TestDeduping", test_deduping),
        KM_NAMED_TEST("TestAddTwoFireEarly", test_add_two_fire_early),
        KM_NAMED_TEST("TestCopyShifting", test_copy_shifting),
        KM_NAMED_TEST("TestRateLimitingQueue", test_rate_limiting_queue),
        cmocka_unit_test(test_shutdown_drops_delays),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_done_without_get),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
