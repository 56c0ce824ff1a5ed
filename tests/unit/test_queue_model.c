/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations, and all short strings of them, against a queue written for clearness. */
#include "km_test.h"

#define KM_MODEL_CHECK(holds) assert_true(holds)
#include "tests/unit/queue_model.h"

static int64_t clock_ns(void *ctx)
{
    (void)ctx;
    return model.now * 1000000;
}

KM_LIMITER_EXPONENTIAL_DEFINE(limiter, MODEL_KEYS, MODEL_BASE, MODEL_MAX);
KM_QUEUE_METRICS_DEFINE(metrics, MODEL_KEYS, clock_ns, NULL);
KM_QUEUE_PLACES_DEFINE(queue, MODEL_KEYS, MODEL_PLACES, &limiter.limiter);
KM_QUEUE_DEFINE(plain, 2, 5, 700);

static void start(void)
{
    int64_t now = model.now;

    memset(&model, 0, sizeof model);
    model.now = now;
    queue.metrics = &metrics;
    km_queue_init(&queue);
}

static void test_random_operations_against_a_model(void **state)
{
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 2024);
    start();
    for (int i = 0; i < 200000; i++) {
        unsigned what = km_rng_u32(&rng) % 100;
        int key = (int)(km_rng_u32(&rng) % MODEL_KEYS);

        if (model.stopped && km_rng_u32(&rng) % 50 == 0)
            start();
        if (what >= 98 && km_rng_u32(&rng) % 10 != 0)
            continue;
        model_step(&queue, what, key, km_rng_range(&rng, -3, 12) * 5);
        model_compare(&queue);
        assert_true(metrics.adds == model.adds && metrics.retries == model.retries);
        assert_int_equal(queue.doubles, model.doubles);
    }
}

/* Many keys due at few moments: the order of those of one moment is container/heap's. */
static void test_heap_order_of_equal_times(void **state)
{
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 7);
    for (int round = 0; round < 3000; round++) {
        start();
        for (int i = 0; i < 30; i++)
            model_step(&queue, 70, (int)(km_rng_u32(&rng) % MODEL_KEYS), km_rng_range(&rng, 1, 4));
        for (int i = 0; i < 3; i++) {
            model_step(&queue, 90, 0, 1);
            while (model.len > 0)
                model_step(&queue, 20, 0, 0);
        }
        model_compare(&queue);
        assert_int_equal(queue.heap_count, 0);
    }
}

/* All strings of six operations on two keys: no order of calls hands a key out twice or loses an
   add, done without get included. */
static void test_every_short_sequence(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 1u << 18; code++) {
        bool wanted[2] = {false, false}, taken[2] = {false, false}, delayed[2] = {false, false};
        uint16_t got;

        km_queue_init(&plain);
        for (uint32_t rest = code, i = 0; i < 6; i++, rest >>= 3) {
            uint16_t key = (uint16_t)(rest & 1u);

            if ((rest & 6u) == 0) {
                (void)km_queue_add(&plain, key);
                wanted[key] = true;
            } else if ((rest & 6u) == 2) {
                if (km_queue_get(&plain, &got, 0) != KM_OK)
                    continue;
                assert_false(taken[got]);
                taken[got] = true;
                wanted[got] = false;
            } else if ((rest & 6u) == 4) {
                km_queue_done(&plain, key);
                taken[key] = false;
            } else {
                (void)km_queue_add_after(&plain, key, 1, 0);
                delayed[key] = true;
            }
        }
        km_queue_done(&plain, 0);
        km_queue_done(&plain, 1);
        while (km_queue_get(&plain, &got, 1) == KM_OK) {
            assert_true(wanted[got] || delayed[got]);
            wanted[got] = delayed[got] = false;
            km_queue_done(&plain, got);
        }
        assert_false(wanted[0] || wanted[1] || delayed[0] || delayed[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations_against_a_model),
        cmocka_unit_test(test_heap_order_of_equal_times),
        cmocka_unit_test(test_every_short_sequence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
