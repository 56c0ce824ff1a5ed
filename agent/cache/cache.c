/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_cache.h"
#include "text.h"

/*
 * The table holds slot + 1 by linear probing. It is at most half full, so a probe always ends at an
 * empty place. Removal shifts the rest of the run back instead of leaving marks, so that probes
 * stay short for ever.
 */

static uint32_t table_mask(const struct km_cache *cache)
{
    return (uint32_t)cache->table_size - 1u;
}

static char *slot_key(const struct km_cache *cache, uint32_t slot)
{
    return cache->keys + (size_t)slot * cache->key_size;
}

static void *record_at(const struct km_cache *cache, uint32_t record)
{
    return cache->records + (size_t)record * cache->record_size;
}

static bool slot_holds(const struct km_cache *cache, uint32_t slot, struct km_slice key,
                       uint32_t hash)
{
    const struct km_cache_slot *s = &cache->slots[slot];

    return s->hash == hash && s->key_len == key.len &&
           text_equal(slot_key(cache, slot), key.ptr, key.len);
}

/* The place of key in the table, or the empty place where it belongs. */
static uint32_t probe(const struct km_cache *cache, struct km_slice key, uint32_t hash)
{
    uint32_t place = hash & table_mask(cache);

    while (cache->table[place] != 0 && !slot_holds(cache, cache->table[place] - 1u, key, hash))
        place = (place + 1u) & table_mask(cache);
    return place;
}

static void close_gap(struct km_cache *cache, uint32_t gap)
{
    uint32_t mask = table_mask(cache), at = gap;

    for (;;) {
        uint32_t home;

        cache->table[gap] = 0;
        do {
            at = (at + 1u) & mask;
            if (cache->table[at] == 0)
                return;
            home = cache->slots[cache->table[at] - 1u].hash & mask;
            /* An entry may move back to the gap only if its home lies at or before it. */
        } while (((at - home) & mask) < ((at - gap) & mask));
        cache->table[gap] = cache->table[at];
        gap = at;
    }
}

void km_cache_init(struct km_cache *cache, uint32_t seed)
{
    for (uint32_t i = 0; i < cache->slot_count; i++)
        cache->slots[i] = (struct km_cache_slot){.record = (uint16_t)i};
    memset(cache->table, 0, sizeof cache->table[0] * cache->table_size);
    cache->spare = cache->slot_count;
    cache->seed = seed;
    cache->round = 0;
    cache->free_at = 0;
    cache->sweep_at = 0;
    cache->replacing = false;
    cache->pool.name = cache->name;
    cache->pool.size = cache->slot_count;
    cache->pool.used = 0;
    km_pool_register(&cache->pool);
}

void *km_cache_spare(struct km_cache *cache)
{
    return record_at(cache, cache->spare);
}

static void show_spare(struct km_cache *cache, uint32_t slot)
{
    uint16_t former = cache->slots[slot].record;

    cache->slots[slot].record = cache->spare;
    cache->slots[slot].round = cache->round;
    cache->spare = former;
}

/* Free slots are taken in turn, so that the number of a removed key comes back as late as possible.
   */
static uint16_t take_slot(struct km_cache *cache)
{
    uint16_t slot = cache->free_at;

    while (cache->slots[slot].key_len != 0)
        slot = (uint16_t)(slot + 1u == cache->slot_count ? 0u : slot + 1u);
    cache->free_at = (uint16_t)(slot + 1u == cache->slot_count ? 0u : slot + 1u);
    km_pool_take(&cache->pool, 1);
    return slot;
}

int km_cache_commit(struct km_cache *cache, struct km_slice key, uint16_t *slot, const void **old)
{
    uint32_t hash, place;
    uint16_t at;

    if (key.len == 0)
        return KM_ERR_ARG;
    if (key.len >= cache->key_size)
        return KM_ERR_TOO_LONG;
    hash = text_hash(key, cache->seed);
    place = probe(cache, key, hash);
    if (cache->table[place] != 0) {
        at = (uint16_t)(cache->table[place] - 1u);
        show_spare(cache, at);
        *slot = at;
        *old = record_at(cache, cache->spare);
        return KM_CACHE_UPDATED;
    }
    if (cache->pool.used >= cache->slot_count) {
        km_pool_refuse(&cache->pool);
        return KM_ERR_FULL;
    }
    at = take_slot(cache);
    memcpy(slot_key(cache, at), key.ptr, key.len);
    slot_key(cache, at)[key.len] = '\0';
    cache->slots[at].key_len = (uint16_t)key.len;
    cache->slots[at].hash = hash;
    cache->table[place] = (uint16_t)(at + 1u);
    show_spare(cache, at);
    *slot = at;
    *old = NULL;
    return KM_CACHE_ADDED;
}

static int find_place(const struct km_cache *cache, struct km_slice key, uint32_t *place)
{
    if (key.len == 0 || key.len >= cache->key_size)
        return KM_ERR_NOT_FOUND;
    *place = probe(cache, key, text_hash(key, cache->seed));
    return cache->table[*place] != 0 ? KM_OK : KM_ERR_NOT_FOUND;
}

/* The record stays with the free slot, readable until the slot is taken again. */
static void free_place(struct km_cache *cache, uint32_t place)
{
    cache->slots[cache->table[place] - 1u].key_len = 0;
    close_gap(cache, place);
    km_pool_give(&cache->pool, 1);
}

int km_cache_remove(struct km_cache *cache, struct km_slice key, uint16_t *slot, const void **old)
{
    uint32_t place;

    if (find_place(cache, key, &place) != KM_OK)
        return KM_ERR_NOT_FOUND;
    *slot = (uint16_t)(cache->table[place] - 1u);
    *old = record_at(cache, cache->slots[*slot].record);
    free_place(cache, place);
    return KM_OK;
}

int km_cache_find(const struct km_cache *cache, struct km_slice key, uint16_t *slot)
{
    uint32_t place;

    if (find_place(cache, key, &place) != KM_OK)
        return KM_ERR_NOT_FOUND;
    *slot = (uint16_t)(cache->table[place] - 1u);
    return KM_OK;
}

const void *km_cache_get(const struct km_cache *cache, uint16_t slot)
{
    if (slot >= cache->slot_count || cache->slots[slot].key_len == 0)
        return NULL;
    return record_at(cache, cache->slots[slot].record);
}

struct km_slice km_cache_key(const struct km_cache *cache, uint16_t slot)
{
    if (slot >= cache->slot_count || cache->slots[slot].key_len == 0)
        return (struct km_slice){.ptr = "", .len = 0};
    return (struct km_slice){.ptr = slot_key(cache, slot), .len = cache->slots[slot].key_len};
}

uint16_t km_cache_count(const struct km_cache *cache)
{
    return (uint16_t)cache->pool.used;
}

int km_cache_next(const struct km_cache *cache, uint16_t from, uint16_t *slot)
{
    for (uint32_t i = from; i < cache->slot_count; i++) {
        if (cache->slots[i].key_len != 0) {
            *slot = (uint16_t)i;
            return KM_OK;
        }
    }
    return KM_ERR_NOT_FOUND;
}

void km_cache_replace_begin(struct km_cache *cache)
{
    cache->round++;
    cache->sweep_at = 0;
    cache->replacing = true;
}

int km_cache_sweep(struct km_cache *cache, uint16_t *slot, struct km_slice *key, const void **old)
{
    uint16_t at;

    if (!cache->replacing)
        return KM_AGAIN;
    while (km_cache_next(cache, cache->sweep_at, &at) == KM_OK) {
        struct km_cache_slot *s = &cache->slots[at];

        cache->sweep_at = (uint16_t)(at + 1u);
        if (s->round == cache->round)
            continue;
        *slot = at;
        *key = km_cache_key(cache, at);
        *old = record_at(cache, s->record);
        free_place(cache, probe(cache, *key, s->hash));
        return KM_OK;
    }
    cache->replacing = false;
    return KM_AGAIN;
}
