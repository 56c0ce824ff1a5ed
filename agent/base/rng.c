/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_base.h"

void km_rng_seed(struct km_rng *rng, uint64_t seed)
{
    rng->state = seed;
}

/* splitmix64: any seed is good, also 0. */
static uint64_t next_u64(struct km_rng *rng)
{
    uint64_t z;

    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    z = rng->state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t km_rng_u32(struct km_rng *rng)
{
    return (uint32_t)(next_u64(rng) >> 32);
}

int64_t km_rng_range(struct km_rng *rng, int64_t low, int64_t high)
{
    uint64_t span, skip, value;

    if (high <= low)
        return low;
    span = (uint64_t)high - (uint64_t)low;
    /* The first 2^64 mod span values are drawn again, so that each result is equally likely. */
    skip = (0u - span) % span;
    do {
        value = next_u64(rng);
    } while (value < skip);
    value = (uint64_t)low + value % span;
    return value <= (uint64_t)INT64_MAX ? (int64_t)value : -(int64_t)(UINT64_MAX - value) - 1;
}

void km_backoff_init(struct km_backoff *backoff, int64_t base_ms, int64_t cap_ms, int64_t reset_ms)
{
    backoff->base_ms = base_ms > 0 ? base_ms : 1;
    backoff->cap_ms = cap_ms > backoff->base_ms ? cap_ms : backoff->base_ms;
    backoff->reset_ms = reset_ms;
    backoff->reset_at_ms = 0;
    km_backoff_reset(backoff);
}

void km_backoff_reset(struct km_backoff *backoff)
{
    backoff->current_ms = 0;
}

int64_t km_backoff_next(struct km_backoff *backoff, struct km_rng *rng, int64_t now_ms)
{
    int64_t delay_ms;

    if (backoff->current_ms == 0 ||
        (backoff->reset_ms > 0 && now_ms - backoff->reset_at_ms > backoff->reset_ms)) {
        backoff->current_ms = backoff->base_ms;
        backoff->reset_at_ms = now_ms;
    }
    delay_ms = backoff->current_ms;
    if (delay_ms > backoff->cap_ms / 2)
        backoff->current_ms = backoff->cap_ms;
    else
        backoff->current_ms = delay_ms * 2;
    if (delay_ms > INT64_MAX / 2)
        return delay_ms;
    return km_rng_range(rng, delay_ms, delay_ms * 2);
}
