/* SPDX-License-Identifier: Apache-2.0 */
/* 100,000 random operations against a queue written for clearness: a list, two sets, a map of
   times. */
#include "km_test.h"

#include <string.h>

#include "kubemote/km_queue.h"

#define KEYS 13

KM_QUEUE_DEFINE(queue, KEYS, 5, 700);

static struct {
    int list[KEYS], len;
    bool dirty[KEYS], processing[KEYS], stopped;
    int64_t due[KEYS];
    int failures[KEYS];
    uint64_t adds, retries;
} model;
static int64_t now;

static void model_reset(void)
{
    memset(&model, 0, sizeof model);
    for (int i = 0; i < KEYS; i++)
        model.due[i] = KM_NEVER;
    km_queue_init(&queue);
}

static void model_add(int key)
{
    if (model.stopped || model.dirty[key])
        return;
    model.dirty[key] = true;
    model.adds++;
    if (!model.processing[key])
        model.list[model.len++] = key;
}

static void model_add_after(int key, int64_t delay)
{
    if (model.stopped)
        return;
    model.retries++;
    if (delay <= 0)
        model_add(key);
    else if (now + delay < model.due[key])
        model.due[key] = now + delay;
}

static void model_move_due(void)
{
    for (;;) {
        int first = 0;

        for (int i = 1; i < KEYS; i++)
            first = model.due[i] < model.due[first] ? i : first;
        if (model.due[first] > now)
            return;
        model.due[first] = KM_NEVER;
        model_add(first);
    }
}

static void step_get(void)
{
    uint16_t key = KEYS;
    int result = km_queue_get(&queue, &key, now);

    model_move_due();
    if (model.len == 0) {
        assert_int_equal(result, model.stopped ? KM_EOF : KM_AGAIN);
        return;
    }
    assert_int_equal(result, KM_OK);
    assert_int_equal(key, model.list[0]);
    memmove(model.list, model.list + 1, (size_t)--model.len * sizeof model.list[0]);
    assert_false(model.processing[key]);
    model.dirty[key] = false;
    model.processing[key] = true;
}

static void step_done(int key)
{
    km_queue_done(&queue, (uint16_t)key);
    if (!model.processing[key])
        return;
    model.processing[key] = false;
    if (model.dirty[key])
        model.list[model.len++] = key;
}

static void step_rate_limited(int key)
{
    int64_t delay = 5;

    for (int i = 0; i < model.failures[key] && delay < 700; i++)
        delay *= 2;
    delay = delay > 700 ? 700 : delay;
    model.failures[key]++;
    assert_true(km_queue_add_rate_limited(&queue, (uint16_t)key, now) == delay);
    model_add_after(key, delay);
}

static void step(struct km_rng *rng)
{
    int key = (int)(km_rng_u32(rng) % KEYS);
    int64_t delay = km_rng_range(rng, -3, 60);
    uint32_t what = km_rng_u32(rng) % 1000;

    if (what < 200) {
        assert_int_equal(km_queue_add(&queue, (uint16_t)key), KM_OK);
        model_add(key);
    } else if (what < 500) {
        step_get();
    } else if (what < 750) {
        step_done(key);
    } else if (what < 850) {
        assert_int_equal(km_queue_add_after(&queue, (uint16_t)key, delay, now), KM_OK);
        model_add_after(key, delay);
    } else if (what < 900) {
        step_rate_limited(key);
    } else if (what < 930) {
        km_queue_forget(&queue, (uint16_t)key);
        model.failures[key] = 0;
    } else if (what < 998) {
        now += delay < 0 ? 0 : delay;
    } else if (model.stopped) {
        model_reset();
    } else {
        km_queue_shutdown(&queue);
        model.stopped = true;
        for (int i = 0; i < KEYS; i++)
            model.due[i] = KM_NEVER;
    }
}

static void check(void)
{
    int64_t next = KM_NEVER;
    bool drained = true;

    for (int i = 0; i < KEYS; i++) {
        next = model.due[i] < next ? model.due[i] : next;
        drained = drained && !model.processing[i];
        assert_int_equal(km_queue_requeues(&queue, (uint16_t)i), model.failures[i]);
    }
    assert_int_equal(km_queue_len(&queue), model.len);
    assert_true(km_queue_next(&queue) == (model.len > 0 ? 0 : next));
    assert_true(km_queue_drained(&queue) == drained);
    assert_true(queue.adds == model.adds && queue.retries == model.retries);
}

static void test_random_operations_against_a_model(void **state)
{
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 2024);
    model_reset();
    for (int i = 0; i < 100000; i++) {
        step(&rng);
        check();
    }
}

/* All strings of six operations on two keys: no order of calls hands a key out twice or loses an
   add. */
static void test_every_short_sequence(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 1u << 18; code++) {
        bool wanted[2] = {false, false}, taken[2] = {false, false}, delayed[2] = {false, false};
        uint16_t got;

        km_queue_init(&queue);
        now = 0;
        for (uint32_t rest = code, i = 0; i < 6; i++, rest >>= 3) {
            uint16_t key = (uint16_t)(rest & 1u);

            if ((rest & 6u) == 0) {
                (void)km_queue_add(&queue, key);
                wanted[key] = true;
            } else if ((rest & 6u) == 2) {
                if (km_queue_get(&queue, &got, now) != KM_OK)
                    continue;
                assert_false(taken[got]);
                taken[got] = true;
                wanted[got] = false;
            } else if ((rest & 6u) == 4) {
                km_queue_done(&queue, key);
                taken[key] = false;
            } else {
                (void)km_queue_add_after(&queue, key, 1, now);
                delayed[key] = true;
            }
        }
        now = 1;
        km_queue_done(&queue, 0);
        km_queue_done(&queue, 1);
        while (km_queue_get(&queue, &got, now) == KM_OK) {
            assert_true(wanted[got] || delayed[got]);
            wanted[got] = delayed[got] = false;
            km_queue_done(&queue, got);
        }
        assert_false(wanted[0] || wanted[1] || delayed[0] || delayed[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations_against_a_model),
        cmocka_unit_test(test_every_short_sequence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
