/* SPDX-License-Identifier: Apache-2.0 */
/* The metrics tests of client-go util/workqueue under their own names, and the names of the metrics. */
#include "km_test.h"

#include "kubemote/km_queue.h"

/* Shown under upstream's name. */
#define KM_NAMED_TEST(name, f) {name, f, NULL, NULL, NULL}
#define KEYS 4
#define FOO 2
#define BAR 3
#define MICROSECOND 1000
#define MILLISECOND 1000000

static int64_t now_ns;

static int64_t clock_ns(void *ctx)
{
    return *(const int64_t *)ctx;
}

KM_QUEUE_METRICS_DEFINE(metrics, KEYS, clock_ns, &now_ns);
KM_QUEUE_DEFINE(queue, KEYS, 1, 1000);

static void reset(void)
{
    now_ns = 0;
    queue.name = "test";
    queue.metrics = &metrics;
    km_queue_init(&queue);
}

static void get_foo(void)
{
    uint16_t key;

    assert_int_equal(km_queue_get(&queue, &key, 0), KM_OK);
    assert_int_equal(key, FOO);
}

static void test_metrics(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    assert_int_equal(metrics.adds, 1);
    assert_true(metrics.depth == 1);
    now_ns += 50 * MICROSECOND;

    get_foo();
    assert_int_equal(metrics.waited.sum_ns, 50 * MICROSECOND);
    assert_int_equal(metrics.waited.count, 1);
    for (int i = 0; i < 5; i++)
        (void)km_queue_add(&queue, FOO);
    assert_int_equal(metrics.adds, 2);
    assert_true(metrics.depth == 1); /* it must be processed once more */
    now_ns += 25 * MICROSECOND;

    km_queue_done(&queue, FOO);
    assert_int_equal(metrics.worked.sum_ns, 25 * MICROSECOND);
    assert_int_equal(metrics.worked.count, 1);
    assert_true(metrics.depth == 1);
    get_foo();
    assert_int_equal(metrics.waited.sum_ns, 75 * MICROSECOND);
    assert_int_equal(metrics.waited.count, 2);
    assert_true(metrics.depth == 0);

    now_ns += MILLISECOND;
    assert_true(metrics.unfinished_ns == 0);
    km_queue_update(&queue);
    assert_true(metrics.unfinished_ns == MILLISECOND);
    assert_true(metrics.longest_ns == MILLISECOND);
    km_queue_done(&queue, FOO);
    assert_int_equal(metrics.worked.sum_ns, 25 * MICROSECOND + MILLISECOND);
    assert_int_equal(metrics.worked.count, 2);
}

static void test_metric_shutdown(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    get_foo();
    now_ns += MILLISECOND;
    km_queue_update(&queue);
    assert_true(metrics.longest_ns == MILLISECOND);
    km_queue_shutdown(&queue);
    now_ns += INT64_C(3600000) * MILLISECOND;
    km_queue_update(&queue);
    assert_true(metrics.longest_ns == MILLISECOND);
    (void)km_queue_add(&queue, BAR);
    (void)km_queue_add_after(&queue, BAR, 5, 0);
    assert_true(metrics.adds == 1 && metrics.retries == 0);
}

static void test_several_at_work(void **state)
{
    uint16_t key;

    (void)state;
    reset();
    for (uint16_t i = 0; i < 3; i++) {
        (void)km_queue_add(&queue, i);
        (void)km_queue_get(&queue, &key, 0);
        now_ns += 10;
    }
    km_queue_update(&queue);
    assert_true(metrics.unfinished_ns == 60 && metrics.longest_ns == 30);
    km_queue_done(&queue, 0);
    km_queue_update(&queue);
    assert_true(metrics.unfinished_ns == 30 && metrics.longest_ns == 20);
    km_queue_done(&queue, 3); /* without get: no work was done */
    assert_int_equal(metrics.worked.count, 1);
}

static void test_retries(void **state)
{
    (void)state;
    reset();
    (void)km_queue_add_after(&queue, FOO, 0, 0);
    (void)km_queue_add_after(&queue, FOO, 5, 0);
    (void)km_queue_add_rate_limited(&queue, BAR, 0);
    assert_true(metrics.retries == 3 && metrics.adds == 1);
    km_queue_advance(&queue, 5);
    assert_true(metrics.retries == 3 && metrics.adds == 2 && metrics.depth == 2);
    km_queue_init(&queue);
    assert_true(metrics.retries == 0 && metrics.adds == 0 && metrics.depth == 0);
}

/* A value that is a bound counts below it, as Prometheus' le says. */
static void test_buckets(void **state)
{
    const int64_t waits[] = {0, 10, 11, 100, 999999999, INT64_C(10000000000), INT64_C(10000000001)};
    const int places[] = {0, 0, 1, 1, 8, 9, 10};
    uint64_t want[KM_QUEUE_BOUNDS + 1] = {0}, sum = 0;

    (void)state;
    reset();
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        (void)km_queue_add(&queue, FOO);
        now_ns += waits[i];
        get_foo();
        km_queue_done(&queue, FOO);
        want[places[i]]++;
        sum += (uint64_t)waits[i];
        assert_memory_equal(metrics.waited.buckets, want, sizeof want);
    }
    assert_true(metrics.waited.sum_ns == sum);
    assert_int_equal(metrics.worked.buckets[0], 7);
    assert_true(km_queue_bound_ns(0) == 10);
    assert_true(km_queue_bound_ns(9) == INT64_C(10000000000));
    assert_true(km_queue_bound_ns(10) == KM_NEVER);
}

static void test_samples(void **state)
{
    static const struct {
        const char *name;
        enum km_queue_kind kind;
        int64_t value;
    } want[] = {
        {"workqueue_depth", KM_QUEUE_GAUGE, 1},
        {"workqueue_adds_total", KM_QUEUE_COUNTER, 2},
        {"workqueue_queue_duration_seconds", KM_QUEUE_HISTOGRAM, 0},
        {"workqueue_work_duration_seconds", KM_QUEUE_HISTOGRAM, 0},
        {"workqueue_unfinished_work_seconds", KM_QUEUE_SECONDS, 70},
        {"workqueue_longest_running_processor_seconds", KM_QUEUE_SECONDS, 70},
        {"workqueue_retries_total", KM_QUEUE_COUNTER, 1},
    };
    struct km_queue_sample sample;
    unsigned i;

    (void)state;
    reset();
    (void)km_queue_add(&queue, FOO);
    now_ns += 7;
    get_foo();
    (void)km_queue_add_after(&queue, BAR, 0, 0);
    now_ns += 70;
    km_queue_update(&queue);
    for (i = 0; km_queue_sample(&queue, i, &sample) == KM_OK; i++) {
        assert_string_equal(sample.name, want[i].name);
        assert_int_equal(sample.kind, want[i].kind);
        assert_true(sample.value == want[i].value);
        assert_true(strlen(sample.help) > 10);
        assert_int_equal(sample.histogram.sum_ns, i == 2 ? 7 : 0);
    }
    assert_int_equal(i, sizeof want / sizeof want[0]);
    queue.metrics = NULL;
    assert_int_equal(km_queue_sample(&queue, 0, &sample), KM_EOF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KM_NAMED_TEST("TestMetrics", test_metrics),
        KM_NAMED_TEST("TestMetricShutdown", test_metric_shutdown),
        cmocka_unit_test(test_several_at_work),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_samples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
