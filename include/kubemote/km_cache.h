/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room cache: a table of fixed slots with keys, for one kind of record. Knows keys and bytes, not
 * Kubernetes. Keys are found by open addressing; readers get const pointers into the table, valid
 * until the next commit or remove of that slot.
 *
 * An object is decoded into the spare record (there is one more record than slots) and then
 * committed: spare and slot change places, so that readers never see half an object, and the old
 * record stays readable as the spare until the next km_cache_spare(). Nothing allocates, nothing
 * blocks, one owner. Indexes and a policy for more objects than slots: km_index.h. Queues between a
 * watch and a consumer that comes later: km_delta.h.
 */
#ifndef KM_CACHE_H
#define KM_CACHE_H

#include "km_base.h"

struct km_cache_slot {
    uint16_t record;  /* which record this slot shows */
    uint16_t key_len; /* 0 = free */
    uint32_t hash;
    uint32_t round; /* the replace round that saw it last */
};

struct km_cache {
    const char *name;
    uint16_t slot_count;
    uint16_t key_size;   /* with the NUL */
    uint16_t table_size; /* power of two >= 2 * slot_count */
    size_t record_size;
    uint8_t *records; /* slot_count + 1 */
    char *keys;
    struct km_cache_slot *slots;
    uint16_t *table; /* slot + 1, 0 = empty */
    uint16_t spare;
    uint32_t round, seed;
    uint16_t sweep_at;
    uint16_t free_at; /* where the search for a free slot goes on */
    bool replacing;
    struct km_pool pool;
};

/* Reserves the storage of a cache on the spot, at most 16,384 slots: KM_CACHE_DEFINE(pods, struct
   km_pod, CONFIG_KM_POD_COUNT, 319); */
#define KM_CACHE_TABLE_SIZE(n) \
    ((n) <= 1      ? 2 \
     : (n) <= 2    ? 4 \
     : (n) <= 4    ? 8 \
     : (n) <= 8    ? 16 \
     : (n) <= 16   ? 32 \
     : (n) <= 32   ? 64 \
     : (n) <= 64   ? 128 \
     : (n) <= 128  ? 256 \
     : (n) <= 256  ? 512 \
     : (n) <= 512  ? 1024 \
     : (n) <= 1024 ? 2048 \
     : (n) <= 2048 ? 4096 \
     : (n) <= 4096 ? 8192 \
     : (n) <= 8192 ? 16384 \
                   : 32768)
#define KM_CACHE_DEFINE(id, type, slots_, key_size_) \
    _Static_assert((slots_) <= 16384, "cache " #id " is too large"); \
    static type id##_records[(slots_) + 1] KM_POOL_STORAGE(id##_records); \
    static char id##_keys[(slots_) * (key_size_)] KM_POOL_STORAGE(id##_keys); \
    static struct km_cache_slot id##_slots[slots_] KM_POOL_STORAGE(id##_slots); \
    static uint16_t id##_table[KM_CACHE_TABLE_SIZE(slots_)] KM_POOL_STORAGE(id##_table); \
    static struct km_cache id = {.name = #id, \
                                 .slot_count = (slots_), \
                                 .key_size = (key_size_), \
                                 .table_size = KM_CACHE_TABLE_SIZE(slots_), \
                                 .record_size = sizeof(type), \
                                 .records = (uint8_t *)id##_records, \
                                 .keys = id##_keys, \
                                 .slots = id##_slots, \
                                 .table = id##_table}

enum km_cache_change { KM_CACHE_ADDED = 1, KM_CACHE_UPDATED = 2 };

/* Empties it; registers its pool the first time. */
void km_cache_init(struct km_cache *cache, uint32_t seed);
/* Where the next object is decoded. The record that the last commit or remove replaced is gone from
   here on. */
void *km_cache_spare(struct km_cache *cache);
/* Puts the spare under key. Returns enum km_cache_change; *slot says where, *old is the former
   record on UPDATED (valid until the next km_cache_spare), else NULL. KM_ERR_FULL (counted),
   KM_ERR_TOO_LONG or KM_ERR_ARG for the key: nothing changed. */
int km_cache_commit(struct km_cache *cache, struct km_slice key, uint16_t *slot, const void **old);
/* Removes key. KM_OK with *slot and *old (valid until the next km_cache_spare), or
   KM_ERR_NOT_FOUND. */
int km_cache_remove(struct km_cache *cache, struct km_slice key, uint16_t *slot, const void **old);
/* KM_OK with *slot, or KM_ERR_NOT_FOUND. */
int km_cache_find(const struct km_cache *cache, struct km_slice key, uint16_t *slot);
/* The record of a slot, NULL when the slot is free or out of range. */
const void *km_cache_get(const struct km_cache *cache, uint16_t slot);
struct km_slice km_cache_key(const struct km_cache *cache, uint16_t slot); /* empty when free */
uint16_t km_cache_count(const struct km_cache *cache);
/* Next used slot at or after `from`, or KM_ERR_NOT_FOUND. */
int km_cache_next(const struct km_cache *cache, uint16_t from, uint16_t *slot);

/*
 * Replacing the contents by a new list, in place: begin, commit each object, then sweep until
 * KM_AGAIN: each call removes one object that the list did not hold. An aborted replace (begin
 * again without sweeping) loses nothing.
 */
void km_cache_replace_begin(struct km_cache *cache);
/* KM_OK: one object was removed (*slot, *key valid during this turn, *old until the next
   km_cache_spare). KM_AGAIN: done. */
int km_cache_sweep(struct km_cache *cache, uint16_t *slot, struct km_slice *key, const void **old);

#endif
