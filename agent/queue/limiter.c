/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_queue.h"

static uint16_t fail_once(uint16_t *failures, uint16_t key)
{
    uint16_t before = failures[key];

    if (before < UINT16_MAX)
        failures[key]++;
    return before;
}

static int64_t exponential_when(struct km_limiter *limiter, uint16_t key, int64_t now_ms)
{
    struct km_limiter_exponential *l = (struct km_limiter_exponential *)limiter;
    int64_t delay_ms = l->base_ms;
    uint16_t failures = fail_once(l->failures, key);

    (void)now_ms;
    if (delay_ms <= 0)
        return 0;
    for (uint16_t i = 0; i < failures && delay_ms < l->max_ms; i++)
        delay_ms = delay_ms > l->max_ms / 2 ? l->max_ms : delay_ms * 2;
    return delay_ms < l->max_ms ? delay_ms : l->max_ms;
}

static void exponential_forget(struct km_limiter *limiter, uint16_t key)
{
    ((struct km_limiter_exponential *)limiter)->failures[key] = 0;
}

static uint16_t exponential_requeues(const struct km_limiter *limiter, uint16_t key)
{
    return ((const struct km_limiter_exponential *)limiter)->failures[key];
}

static void exponential_reset(struct km_limiter *limiter)
{
    struct km_limiter_exponential *l = (struct km_limiter_exponential *)limiter;

    memset(l->failures, 0, sizeof l->failures[0] * l->key_count);
}

const struct km_limiter_ops km_limiter_exponential_ops = {exponential_when, exponential_forget,
                                                          exponential_requeues, exponential_reset};

static int64_t fast_slow_when(struct km_limiter *limiter, uint16_t key, int64_t now_ms)
{
    struct km_limiter_fast_slow *l = (struct km_limiter_fast_slow *)limiter;

    (void)now_ms;
    return fail_once(l->failures, key) < l->max_fast ? l->fast_ms : l->slow_ms;
}

static void fast_slow_forget(struct km_limiter *limiter, uint16_t key)
{
    ((struct km_limiter_fast_slow *)limiter)->failures[key] = 0;
}

static uint16_t fast_slow_requeues(const struct km_limiter *limiter, uint16_t key)
{
    return ((const struct km_limiter_fast_slow *)limiter)->failures[key];
}

static void fast_slow_reset(struct km_limiter *limiter)
{
    struct km_limiter_fast_slow *l = (struct km_limiter_fast_slow *)limiter;

    memset(l->failures, 0, sizeof l->failures[0] * l->key_count);
}

const struct km_limiter_ops km_limiter_fast_slow_ops = {fast_slow_when, fast_slow_forget,
                                                        fast_slow_requeues, fast_slow_reset};

/* Tokens are kept as the time at which the bucket is full again: a token more is an interval later, and
   what lies further ahead than `burst` intervals must be waited for. */
static int64_t bucket_when(struct km_limiter *limiter, uint16_t key, int64_t now_ms)
{
    struct km_limiter_bucket *l = (struct km_limiter_bucket *)limiter;
    int64_t now_us = now_ms * 1000, wait_us;

    (void)key;
    if (l->interval_us <= 0)
        return 0;
    if (l->burst == 0)
        return KM_NEVER;
    if (!l->used || l->full_us < now_us)
        l->full_us = now_us;
    l->used = true;
    l->full_us += l->interval_us;
    wait_us = l->full_us - now_us - l->interval_us * l->burst;
    return wait_us > 0 ? (wait_us + 999) / 1000 : 0;
}

static void bucket_forget(struct km_limiter *limiter, uint16_t key)
{
    (void)limiter;
    (void)key;
}

static uint16_t bucket_requeues(const struct km_limiter *limiter, uint16_t key)
{
    (void)limiter;
    (void)key;
    return 0;
}

static void bucket_reset(struct km_limiter *limiter)
{
    ((struct km_limiter_bucket *)limiter)->used = false;
}

const struct km_limiter_ops km_limiter_bucket_ops = {bucket_when, bucket_forget, bucket_requeues,
                                                     bucket_reset};

static int64_t max_of_when(struct km_limiter *limiter, uint16_t key, int64_t now_ms)
{
    const struct km_limiter_max_of *l = (const struct km_limiter_max_of *)limiter;
    int64_t longest_ms = 0;

    for (uint16_t i = 0; i < l->count; i++) {
        int64_t delay_ms = l->children[i]->ops->when(l->children[i], key, now_ms);

        longest_ms = delay_ms > longest_ms ? delay_ms : longest_ms;
    }
    return longest_ms;
}

static void max_of_forget(struct km_limiter *limiter, uint16_t key)
{
    const struct km_limiter_max_of *l = (const struct km_limiter_max_of *)limiter;

    for (uint16_t i = 0; i < l->count; i++)
        l->children[i]->ops->forget(l->children[i], key);
}

static uint16_t max_of_requeues(const struct km_limiter *limiter, uint16_t key)
{
    const struct km_limiter_max_of *l = (const struct km_limiter_max_of *)limiter;
    uint16_t largest = 0;

    for (uint16_t i = 0; i < l->count; i++) {
        uint16_t count = l->children[i]->ops->requeues(l->children[i], key);

        largest = count > largest ? count : largest;
    }
    return largest;
}

static void max_of_reset(struct km_limiter *limiter)
{
    const struct km_limiter_max_of *l = (const struct km_limiter_max_of *)limiter;

    for (uint16_t i = 0; i < l->count; i++)
        l->children[i]->ops->reset(l->children[i]);
}

const struct km_limiter_ops km_limiter_max_of_ops = {max_of_when, max_of_forget, max_of_requeues,
                                                     max_of_reset};

static int64_t max_wait_when(struct km_limiter *limiter, uint16_t key, int64_t now_ms)
{
    const struct km_limiter_max_wait *l = (const struct km_limiter_max_wait *)limiter;
    int64_t delay_ms = l->inner->ops->when(l->inner, key, now_ms);

    return delay_ms < l->max_ms ? delay_ms : l->max_ms;
}

static void max_wait_forget(struct km_limiter *limiter, uint16_t key)
{
    const struct km_limiter_max_wait *l = (const struct km_limiter_max_wait *)limiter;

    l->inner->ops->forget(l->inner, key);
}

static uint16_t max_wait_requeues(const struct km_limiter *limiter, uint16_t key)
{
    const struct km_limiter_max_wait *l = (const struct km_limiter_max_wait *)limiter;

    return l->inner->ops->requeues(l->inner, key);
}

static void max_wait_reset(struct km_limiter *limiter)
{
    const struct km_limiter_max_wait *l = (const struct km_limiter_max_wait *)limiter;

    l->inner->ops->reset(l->inner);
}

const struct km_limiter_ops km_limiter_max_wait_ops = {max_wait_when, max_wait_forget,
                                                       max_wait_requeues, max_wait_reset};
