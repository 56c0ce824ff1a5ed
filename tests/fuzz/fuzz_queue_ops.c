/* SPDX-License-Identifier: Apache-2.0 */
/* Operation strings of three bytes each, what, key and time, on the queue and on the model of it; the same
   keys as texts on a queue of free keys with room for half of them. */
#include <stdbool.h>
#include <stdlib.h>

static void check(bool holds);

#define KM_MODEL_CHECK(holds) check(holds)
#include "tests/unit/queue_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

KM_LIMITER_EXPONENTIAL_DEFINE(limiter, MODEL_KEYS, MODEL_BASE, MODEL_MAX);
KM_QUEUE_PLACES_DEFINE(queue, MODEL_KEYS, MODEL_PLACES, &limiter.limiter);

#define TEXTS (MODEL_KEYS / 2)
KM_LIMITER_EXPONENTIAL_DEFINE(text_limiter, TEXTS, MODEL_BASE, MODEL_MAX);
KM_KEYQUEUE_DEFINE(texts, TEXTS, 8, &text_limiter.limiter);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static int taken[MODEL_KEYS];
static struct km_slice handed[MODEL_KEYS]; /* the queue's own bytes of a taken key */

static struct km_slice text(int key)
{
    static const char names[] = "abcdefghijklmnopqrstuvwxyz";

    return (struct km_slice){names + key, (size_t)(key % 10)};
}

/* Without room for doubles no key may come out twice, and nobody writes beyond the table. */
static void step_texts(unsigned what, int key, int64_t delay)
{
    struct km_slice got;

    if (what < 20) {
        (void)km_keyqueue_add(&texts, text(key));
    } else if (what < 48) {
        if (km_keyqueue_get(&texts, &got, model.now) == KM_OK) {
            for (key = 0; key < MODEL_KEYS && !km_slice_eq(got, text(key)); key++)
                continue;
            check(key < MODEL_KEYS && taken[key]++ == 0);
            handed[key] = got;
        }
    } else if (what < 70) {
        km_keyqueue_done(&texts, taken[key] > 0 && delay > 0 ? handed[key] : text(key));
        taken[key] = 0;
    } else if (what < 80) {
        (void)km_keyqueue_add_after(&texts, text(key), delay, model.now);
    } else if (what < 86) {
        (void)km_keyqueue_add_rate_limited(&texts, text(key), model.now);
    } else if (what < 89) {
        km_keyqueue_forget(&texts, text(key));
    } else if (what < 98) {
        km_keyqueue_advance(&texts, model.now);
    } else {
        km_keyqueue_shutdown(&texts);
    }
    check(texts.pool.used <= TEXTS && km_keyqueue_len(&texts) <= TEXTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&model, 0, sizeof model);
    memset(taken, 0, sizeof taken);
    km_queue_init(&queue);
    km_keyqueue_init(&texts, 0);
    for (; size >= 3; data += 3, size -= 3) {
        unsigned what = data[0] % 100;
        int key = data[1] % MODEL_KEYS;
        int64_t delay = (int64_t)(int8_t)data[2] * 5;

        model_step(&queue, what, key, delay);
        model_compare(&queue);
        step_texts(what, key, delay);
    }
    return 0;
}
