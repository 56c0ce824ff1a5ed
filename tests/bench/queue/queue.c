/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the work queue's operations take: one line "name nanoseconds" for each measure, the same ones as
 * the Go program beside it. Each is the median of several runs of many operations.
 */
#include <stdio.h>
#include <string.h>

#include "../measure.h"
#include "kubemote/km_queue.h"

#define KEYS 100
#define PENDING 10000
#define MORE 1000
#define ROUNDS 2000

KM_QUEUE_DEFINE(small, KEYS, 5, 1000000);
KM_LIMITER_EXPONENTIAL_DEFINE(text_limiter, KEYS, 5, 1000000);
KM_KEYQUEUE_DEFINE(texts, KEYS, 32, &text_limiter.limiter);
KM_QUEUE_DEFINE(large, PENDING + MORE, 5, 1000000);
KM_LIMITER_EXPONENTIAL_DEFINE(large_limits, PENDING + MORE, 5, 1000000);
KM_KEYQUEUE_DEFINE(large_texts, PENDING + MORE, 32, &large_limits.limiter);

static char names[PENDING + MORE][32];
static struct km_slice keys[PENDING + MORE];
static int64_t delays[PENDING + MORE];

/* Each returns the nanoseconds of all its operations. */
static int64_t cycle_slots(void)
{
    int64_t start = now_ns();
    uint16_t key;

    for (int round = 0; round < ROUNDS; round++) {
        for (uint16_t i = 0; i < KEYS; i++) {
            (void)km_queue_add(&small, i);
            (void)km_queue_get(&small, &key, 0);
            km_queue_done(&small, key);
        }
    }
    return now_ns() - start;
}

static int64_t cycle_texts(void)
{
    int64_t start = now_ns();
    struct km_slice key;

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < KEYS; i++) {
            (void)km_keyqueue_add(&texts, keys[i]);
            (void)km_keyqueue_get(&texts, &key, 0);
            km_keyqueue_done(&texts, key);
        }
    }
    return now_ns() - start;
}

static int64_t after_slots(void)
{
    int64_t start;

    km_queue_init(&large);
    for (uint16_t i = 0; i < PENDING; i++)
        (void)km_queue_add_after(&large, i, delays[i], 0);
    start = now_ns();
    for (uint16_t i = PENDING; i < PENDING + MORE; i++)
        (void)km_queue_add_after(&large, i, delays[i], 0);
    return now_ns() - start;
}

static int64_t after_texts(void)
{
    int64_t start;

    km_keyqueue_init(&large_texts, 1);
    for (int i = 0; i < PENDING; i++)
        (void)km_keyqueue_add_after(&large_texts, keys[i], delays[i], 0);
    start = now_ns();
    for (int i = PENDING; i < PENDING + MORE; i++)
        (void)km_keyqueue_add_after(&large_texts, keys[i], delays[i], 0);
    return now_ns() - start;
}

int main(void)
{
    struct km_rng rng;

    km_rng_seed(&rng, 1);
    for (int i = 0; i < PENDING + MORE; i++) {
        int len = snprintf(names[i], sizeof names[i], "namespace/key-%d", i);

        keys[i] = (struct km_slice){names[i], (size_t)len};
        delays[i] = km_rng_range(&rng, 60000, 600000);
    }
    km_queue_init(&small);
    km_keyqueue_init(&texts, 1);
    measure("cycle-numbers", cycle_slots, ROUNDS * KEYS);
    measure("cycle-texts", cycle_texts, ROUNDS * KEYS);
    measure("after-numbers", after_slots, MORE);
    measure("after-texts", after_texts, MORE);
    return 0;
}
