/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue as CONFIG_KM_QUEUE_LOCK builds it, shared by real threads: compiled into this file, since the
 * boards leave the lock out. The locks are POSIX' own.
 */
#include "km_config.h"
#ifndef CONFIG_KM_QUEUE_LOCK
#define CONFIG_KM_QUEUE_LOCK 1
#endif

#include <pthread.h>
#include <time.h>

#include "km_test.h"

#include "kubemote/km_queue.h"

#include "agent/queue/heap.c"
#include "agent/queue/keys.c"
#include "agent/queue/limiter.c"
#include "agent/queue/metrics.c"
#include "agent/queue/queue.c"

#define KEYS 20
#define PRODUCERS 4
#define WORKERS 4
#define ROUNDS 300

KM_QUEUE_DEFINE(shared, KEYS, 1, 10);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool held;

static void acquire(void *ctx)
{
    (void)ctx;
    (void)pthread_mutex_lock(&mutex);
    held = true;
}

static void let_go(void *ctx)
{
    (void)ctx;
    held = false;
    (void)pthread_mutex_unlock(&mutex);
}

static int64_t clock_ms(void *ctx)
{
    struct timespec t;

    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool sleeping; /* somebody does, or did */

static void sleep_until(void *ctx, int64_t until_ms)
{
    struct timespec t;

    (void)ctx;
    sleeping = true;
    held = false;
    if (until_ms == KM_NEVER) {
        (void)pthread_cond_wait(&changed, &mutex);
    } else {
        t.tv_sec = (time_t)(until_ms / 1000);
        t.tv_nsec = (long)(until_ms % 1000) * 1000000;
        (void)pthread_cond_timedwait(&changed, &mutex, &t);
    }
    held = true;
}

static bool woken_without_lock;

static void wake(void *ctx)
{
    (void)ctx;
    woken_without_lock = woken_without_lock || !held;
    (void)pthread_cond_broadcast(&changed);
}

static const struct km_queue_lock lock = {acquire, let_go, sleep_until, wake, clock_ms, NULL};

/* Touched under the key's own turn only: two workers on one key would lose counts. */
static int busy[KEYS], runs[KEYS], collisions;

static void *produce(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        for (uint16_t key = 0; key < KEYS; key++) {
            if (i % 7 == 0)
                (void)km_queue_add_after(&shared, key, key % 3, clock_ms(NULL));
            else
                (void)km_queue_add(&shared, key);
        }
    }
    return NULL;
}

static void *work(void *arg)
{
    uint16_t key;

    (void)arg;
    while (km_queue_get_wait(&shared, &key) == KM_OK) {
        if (busy[key]++ != 0)
            collisions++;
        runs[key]++;
        if (runs[key] % 10 == 0)
            (void)km_queue_add_rate_limited(&shared, key, clock_ms(NULL));
        else
            km_queue_forget(&shared, key);
        busy[key]--;
        km_queue_done(&shared, key);
    }
    return NULL;
}

static void test_threads_share_a_queue(void **state)
{
    pthread_t producers[PRODUCERS], workers[WORKERS];

    (void)state;
    shared.lock = &lock;
    km_queue_init(&shared);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&workers[i], NULL, work, NULL), 0);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&producers[i], NULL, produce, NULL), 0);
    for (int i = 0; i < PRODUCERS; i++)
        (void)pthread_join(producers[i], NULL);
    km_queue_shutdown_drain_wait(&shared);
    for (int i = 0; i < WORKERS; i++)
        (void)pthread_join(workers[i], NULL);
    for (int i = 0; i < KEYS; i++)
        assert_true(runs[i] > 0);
    assert_int_equal(collisions, 0);
    assert_int_equal(km_queue_len(&shared), 0);
    assert_true(km_queue_drained(&shared));
    assert_false(woken_without_lock);
}

static int got_key = -1;

static void *wait_for_one(void *arg)
{
    uint16_t key;

    (void)arg;
    if (km_queue_get_wait(&shared, &key) == KM_OK)
        got_key = key;
    return NULL;
}

static bool somebody_sleeps(void)
{
    bool result;

    acquire(NULL);
    result = sleeping;
    let_go(NULL);
    return result;
}

/* Who sleeps until a late key wakes up for an earlier one. */
static void test_earlier_key_wakes(void **state)
{
    pthread_t waiter;

    (void)state;
    shared.lock = &lock;
    km_queue_init(&shared);
    (void)km_queue_add_after(&shared, 1, 5000, clock_ms(NULL));
    sleeping = false;
    assert_int_equal(pthread_create(&waiter, NULL, wait_for_one, NULL), 0);
    while (!somebody_sleeps())
        (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
    (void)km_queue_add_after(&shared, 2, 20, clock_ms(NULL));
    (void)pthread_join(waiter, NULL);
    assert_int_equal(got_key, 2);
}

static void *drain(void *arg)
{
    (void)arg;
    km_queue_shutdown_drain_wait(&shared);
    return NULL;
}

/* A drain that waits for a key that is never done ends with the plain shut-down. */
static void test_shutdown_ends_a_drain(void **state)
{
    pthread_t drainer;
    uint16_t key;

    (void)state;
    shared.lock = &lock;
    km_queue_init(&shared);
    (void)km_queue_add(&shared, 3);
    assert_int_equal(km_queue_get_wait(&shared, &key), KM_OK);
    assert_int_equal(pthread_create(&drainer, NULL, drain, NULL), 0);
    while (!km_queue_draining(&shared))
        (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
    km_queue_shutdown(&shared);
    (void)pthread_join(drainer, NULL);
    assert_false(km_queue_drained(&shared));
    assert_int_equal(km_queue_get_wait(&shared, &key), KM_EOF);
}

KM_LIMITER_EXPONENTIAL_DEFINE(name_limiter, KEYS, 1, 10);
KM_KEYQUEUE_DEFINE(names, KEYS, 16, &name_limiter.limiter);
static int name_runs;

static void *work_names(void *arg)
{
    struct km_slice key;

    (void)arg;
    while (km_keyqueue_get_wait(&names, &key) == KM_OK) {
        char text[16];

        (void)km_slice_copy(key, text, sizeof text);
        name_runs++; /* one worker */
        km_keyqueue_done(&names, km_slice_of(text));
    }
    return NULL;
}

static void *produce_names(void *arg)
{
    char text[16];

    for (int i = 0; i < ROUNDS; i++) {
        (void)snprintf(text, sizeof text, "key-%d", i % (KEYS / 2));
        (void)km_keyqueue_add_after(&names, km_slice_of(text), i % 3, clock_ms(arg));
        (void)km_keyqueue_add_rate_limited(&names, km_slice_of(text), clock_ms(arg));
        km_keyqueue_forget(&names, km_slice_of(text));
    }
    return NULL;
}

static void test_threads_share_free_keys(void **state)
{
    pthread_t producers[2], worker;

    (void)state;
    names.lock = &lock;
    km_keyqueue_init(&names, 3);
    assert_int_equal(pthread_create(&worker, NULL, work_names, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&producers[i], NULL, produce_names, NULL), 0);
    for (int i = 0; i < 2; i++)
        (void)pthread_join(producers[i], NULL);
    while (km_keyqueue_next(&names) != KM_NEVER)
        (void)nanosleep(&(struct timespec){0, 1000000}, NULL);
    km_keyqueue_shutdown_drain_wait(&names);
    (void)pthread_join(worker, NULL);
    assert_true(name_runs >= KEYS / 2);
    assert_false(km_keyqueue_draining(&names));
    assert_int_equal(names.pool.used, 0);
    assert_int_equal(km_keyqueue_len(&names), 0);
    assert_int_equal(km_keyqueue_requeues(&names, km_slice_of("key-1")), 0);
    assert_false(held || woken_without_lock);
}

/* Each function lets the lock go again, whatever it returns. */
static void test_every_call_lets_go(void **state)
{
    struct km_queue_sample sample;
    uint16_t key;

    (void)state;
    shared.lock = &lock;
    km_queue_init(&shared);
    assert_int_equal(km_queue_add(&shared, KEYS), KM_ERR_ARG);
    assert_int_equal(km_queue_get(&shared, &key, 0), KM_AGAIN);
    (void)km_queue_add_after(&shared, 1, 0, 0);
    (void)km_queue_add_rate_limited(&shared, 1, 0);
    km_queue_advance(&shared, 5);
    assert_true(km_queue_busy(&shared, 1));
    assert_int_equal(km_queue_requeues(&shared, 1), 1);
    km_queue_forget(&shared, 1);
    km_queue_update(&shared);
    assert_int_equal(km_queue_sample(&shared, 0, &sample), KM_EOF);
    assert_true(km_queue_next(&shared) == 0);
    assert_int_equal(km_queue_len(&shared), 1);
    assert_int_equal(km_queue_get(&shared, &key, 0), KM_OK);
    assert_int_equal(km_queue_shutdown_drain(&shared), KM_AGAIN);
    assert_true(km_queue_draining(&shared));
    assert_false(km_queue_drained(&shared));
    km_queue_done(&shared, 1);
    km_queue_shutdown(&shared);
    assert_false(held);
    assert_int_equal(pthread_mutex_trylock(&mutex), 0);
    (void)pthread_mutex_unlock(&mutex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call_lets_go),
        cmocka_unit_test(test_earlier_key_wakes),
        cmocka_unit_test(test_shutdown_ends_a_drain),
        cmocka_unit_test(test_threads_share_a_queue),
        cmocka_unit_test(test_threads_share_free_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
