/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_base.h"

static struct km_pool *pools;
static struct km_counter *counters;

void km_pool_register(struct km_pool *pool)
{
    struct km_pool **end = &pools;

    while (*end != NULL) {
        if (*end == pool)
            return;
        end = &(*end)->next;
    }
    pool->next = NULL;
    *end = pool;
}

const struct km_pool *km_pool_first(void)
{
    return pools;
}

void km_pool_take(struct km_pool *pool, uint32_t count)
{
    pool->used += count;
    if (pool->used > pool->max)
        pool->max = pool->used;
}

void km_pool_give(struct km_pool *pool, uint32_t count)
{
    pool->used -= count < pool->used ? count : pool->used;
}

void km_pool_refuse(struct km_pool *pool)
{
    pool->refused++;
}

void km_counter_register(struct km_counter *counter)
{
    struct km_counter **end = &counters;

    while (*end != NULL) {
        if (*end == counter)
            return;
        end = &(*end)->next;
    }
    counter->next = NULL;
    *end = counter;
}

void km_counter_unregister(struct km_counter *counter)
{
    for (struct km_counter **place = &counters; *place != NULL; place = &(*place)->next) {
        if (*place != counter)
            continue;
        *place = counter->next;
        counter->next = NULL;
        return;
    }
}

const struct km_counter *km_counter_first(void)
{
    return counters;
}
