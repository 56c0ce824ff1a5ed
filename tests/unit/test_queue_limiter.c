/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of client-go's limiters under their own names, and what upstream leaves to x/time/rate. */
#include "km_test.h"

#include "kubemote/km_queue.h"

/* Shown under upstream's name. */
#define KM_NAMED_TEST(name, f) {name, f, NULL, NULL, NULL}
#define KEYS 200
#define ONE 0
#define TWO 1
#define OVERFLOW 2
#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)

static int64_t when(struct km_limiter *l, uint16_t key, int64_t now_ms)
{
    return l->ops->when(l, key, now_ms);
}

static uint16_t requeues(const struct km_limiter *l, uint16_t key)
{
    return l->ops->requeues(l, key);
}

KM_LIMITER_EXPONENTIAL_DEFINE(exponential, KEYS, 1, 1000);

static void set_exponential(int64_t base_ms, int64_t max_ms)
{
    exponential.base_ms = base_ms;
    exponential.max_ms = max_ms;
    exponential.limiter.ops->reset(&exponential.limiter);
}

static void test_item_exponential_failure_rate_limiter(void **state)
{
    struct km_limiter *l = &exponential.limiter;

    (void)state;
    set_exponential(1, SECOND);
    for (int64_t want = 1; want <= 16; want *= 2)
        assert_true(when(l, ONE, 0) == want);
    assert_int_equal(requeues(l, ONE), 5);
    assert_true(when(l, TWO, 0) == 1);
    assert_true(when(l, TWO, 0) == 2);
    assert_int_equal(requeues(l, TWO), 2);
    l->ops->forget(l, ONE);
    assert_int_equal(requeues(l, ONE), 0);
    assert_true(when(l, ONE, 0) == 1);
}

static void test_item_exponential_failure_rate_limiter_overflow(void **state)
{
    struct km_limiter *l = &exponential.limiter;

    (void)state;
    set_exponential(1, 1000 * SECOND);
    for (int i = 0; i < 5; i++)
        (void)when(l, ONE, 0);
    assert_true(when(l, ONE, 0) == 32);
    for (int i = 0; i < 70000; i++)
        (void)when(l, OVERFLOW, 0);
    assert_true(when(l, OVERFLOW, 0) == 1000 * SECOND);
    assert_int_equal(requeues(l, OVERFLOW), UINT16_MAX); /* the count stays at its largest */

    set_exponential(60 * SECOND, 1000 * HOUR);
    for (int i = 0; i < 2; i++)
        (void)when(l, TWO, 0);
    assert_true(when(l, TWO, 0) == 240 * SECOND);
    for (int i = 0; i < 1000; i++)
        (void)when(l, OVERFLOW, 0);
    assert_true(when(l, OVERFLOW, 0) == 1000 * HOUR);

    set_exponential(1, INT64_MAX);
    for (int i = 0; i < 63; i++)
        assert_true(when(l, ONE, 0) == (int64_t)(UINT64_C(1) << i));
    assert_true(when(l, ONE, 0) == INT64_MAX);
    set_exponential(500, 300);
    assert_true(when(l, ONE, 0) == 300);
    set_exponential(0, 300);
    assert_true(when(l, ONE, 0) == 0);
}

KM_LIMITER_FAST_SLOW_DEFINE(fast_slow, KEYS, 5, 10 * SECOND, 3);

static void test_item_fast_slow_rate_limiter(void **state)
{
    struct km_limiter *l = &fast_slow.limiter;

    (void)state;
    l->ops->reset(l);
    for (int i = 0; i < 5; i++)
        assert_true(when(l, ONE, 0) == (i < 3 ? 5 : 10 * SECOND));
    assert_int_equal(requeues(l, ONE), 5);
    assert_true(when(l, TWO, 0) == 5);
    assert_true(when(l, TWO, 0) == 5);
    assert_int_equal(requeues(l, TWO), 2);
    l->ops->forget(l, ONE);
    assert_int_equal(requeues(l, ONE), 0);
    assert_true(when(l, ONE, 0) == 5);
}

KM_LIMITER_FAST_SLOW_DEFINE(slow, KEYS, 5, 3 * SECOND, 3);
KM_LIMITER_EXPONENTIAL_DEFINE(quick, KEYS, 1, 1000);
KM_LIMITER_MAX_OF_DEFINE(max_of, &slow.limiter, &quick.limiter);

static void test_max_of_rate_limiter(void **state)
{
    struct km_limiter *l = &max_of.limiter;

    (void)state;
    l->ops->reset(l);
    for (int i = 0; i < 5; i++)
        assert_true(when(l, ONE, 0) == (i < 3 ? 5 : 3 * SECOND));
    assert_int_equal(requeues(l, ONE), 5);
    assert_true(when(l, TWO, 0) == 5);
    assert_true(when(l, TWO, 0) == 5);
    assert_int_equal(requeues(l, TWO), 2);
    l->ops->forget(l, ONE);
    assert_int_equal(requeues(l, ONE), 0);
    assert_int_equal(requeues(&quick.limiter, ONE), 0);
    assert_true(when(l, ONE, 0) == 5);
}

/* A limiter of the program's own: 5 ms for the first hundred calls, then 1000 s. */
struct step {
    struct km_limiter limiter;
    int count;
};

static int64_t step_when(struct km_limiter *limiter, uint16_t key, int64_t now_ms)
{
    (void)key;
    (void)now_ms;
    return ((struct step *)limiter)->count++ < 100 ? 5 : 1000 * SECOND;
}

static void step_forget(struct km_limiter *limiter, uint16_t key)
{
    ((struct step *)limiter)->count = key == ONE ? 0 : 100;
}

static uint16_t step_requeues(const struct km_limiter *limiter, uint16_t key)
{
    (void)limiter;
    return (uint16_t)(key + 40u);
}

static void step_reset(struct km_limiter *limiter)
{
    ((struct step *)limiter)->count = 0;
}

static const struct km_limiter_ops step_ops = {step_when, step_forget, step_requeues, step_reset};
static struct step step = {{&step_ops}, 7};
KM_LIMITER_MAX_WAIT_DEFINE(max_wait, &step.limiter, 500 * SECOND);

static void test_with_max_wait_rate_limiter(void **state)
{
    struct km_limiter *l = &max_wait.limiter;

    (void)state;
    l->ops->reset(l);
    for (uint16_t i = 0; i < 200; i++)
        assert_true(when(l, i, 0) == (i < 100 ? 5 : 500 * SECOND));
    assert_int_equal(requeues(l, TWO), 41);
    l->ops->forget(l, ONE);
    assert_int_equal(step.count, 0);
}

KM_LIMITER_BUCKET_DEFINE(bucket, 100000, 3);

/* A burst, then one each 100 ms; what was not used comes back, up to the burst. */
static void test_bucket(void **state)
{
    struct km_limiter *l = &bucket.limiter;

    (void)state;
    l->ops->reset(l);
    for (int i = 0; i < 3; i++)
        assert_true(when(l, ONE, 1000) == 0);
    assert_true(when(l, ONE, 1000) == 100);
    assert_true(when(l, TWO, 1000) == 200);
    assert_true(when(l, TWO, 1150) == 150);
    l->ops->forget(l, ONE);
    assert_int_equal(requeues(l, ONE), 0);
    assert_true(when(l, ONE, 1150) == 250);
    assert_true(when(l, ONE, 1600) == 0); /* seven spent since 1000, six came back: two are left */
    assert_true(when(l, ONE, 1600) == 0);
    for (int i = 0; i < 3; i++)
        assert_true(when(l, ONE, 999999) == 0);
    assert_true(when(l, ONE, 999999) == 100);
    l->ops->reset(l);
    assert_true(when(l, ONE, -5000) == 0); /* time may start anywhere */
}

static void test_bucket_of_fractions(void **state)
{
    struct km_limiter *l = &bucket.limiter;

    (void)state;
    bucket.interval_us = 333;
    bucket.burst = 1;
    l->ops->reset(l);
    assert_true(when(l, ONE, 0) == 0);
    assert_true(when(l, ONE, 0) == 1); /* 333 us, rounded up: never too early */
    assert_true(when(l, ONE, 0) == 1);
    assert_true(when(l, ONE, 0) == 1);
    assert_true(when(l, ONE, 0) == 2);
    bucket.interval_us = 0;
    assert_true(when(l, ONE, 0) == 0);
    bucket.interval_us = 100000;
    bucket.burst = 0;
    assert_true(when(l, ONE, 0) == KM_NEVER);
    bucket.burst = 3;
}

KM_LIMITER_CONTROLLER_DEFINE(controller, KEYS);
KM_QUEUE_LIMITED_DEFINE(queue, KEYS, &controller.limiter);

/* The token is spent even when the key's own delay is longer. */
static void test_default_controller_rate_limiter(void **state)
{
    int64_t want = 5;

    (void)state;
    km_queue_init(&queue);
    for (int i = 0; i < 100; i++) {
        assert_true(km_queue_add_rate_limited(&queue, ONE, 0) == want);
        want = want * 2 > 1000000 ? 1000000 : want * 2;
    }
    assert_true(km_queue_add_rate_limited(&queue, TWO, 0) == 100);
    assert_true(km_queue_add_rate_limited(&queue, TWO, 0) == 200);
    assert_int_equal(km_queue_requeues(&queue, ONE), 100);
    km_queue_forget(&queue, ONE);
    assert_int_equal(km_queue_requeues(&queue, ONE), 0);
    assert_true(km_queue_add_rate_limited(&queue, ONE, 0) == 300);
    km_queue_init(&queue);
    assert_true(km_queue_add_rate_limited(&queue, ONE, 0) == 5);
}

/* A bucket that lets nothing pass: the key waits for ever. */
static void test_never(void **state)
{
    uint16_t key;

    (void)state;
    km_queue_init(&queue);
    controller_all.burst = 0;
    assert_true(km_queue_add_rate_limited(&queue, ONE, 5) == KM_NEVER);
    assert_true(km_queue_next(&queue) == KM_NEVER);
    assert_int_equal(km_queue_get(&queue, &key, KM_NEVER - 1), KM_AGAIN);
    controller_all.burst = 100;
}

KM_QUEUE_LIMITED_DEFINE(unlimited, KEYS, NULL);

static void test_queue_without_limiter(void **state)
{
    (void)state;
    km_queue_init(&unlimited);
    assert_true(km_queue_add_rate_limited(&unlimited, ONE, 0) == KM_ERR_ARG);
    km_queue_forget(&unlimited, ONE);
    assert_int_equal(km_queue_requeues(&unlimited, ONE), 0);
    assert_int_equal(km_queue_add_after(&unlimited, ONE, 5, 0), KM_OK);
    assert_true(km_queue_next(&unlimited) == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KM_NAMED_TEST("TestItemExponentialFailureRateLimiter",
                      test_item_exponential_failure_rate_limiter),
        KM_NAMED_TEST("TestItemExponentialFailureRateLimiterOverFlow",
                      test_item_exponential_failure_rate_limiter_overflow),
        KM_NAMED_TEST("TestItemFastSlowRateLimiter", test_item_fast_slow_rate_limiter),
        KM_NAMED_TEST("TestMaxOfRateLimiter", test_max_of_rate_limiter),
        KM_NAMED_TEST("TestWithMaxWaitRateLimiter", test_with_max_wait_rate_limiter),
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_bucket_of_fractions),
        cmocka_unit_test(test_default_controller_rate_limiter),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_queue_without_limiter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
