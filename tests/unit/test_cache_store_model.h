/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store with two indexes written for clearness: one entry per possible key, everything found by
 * looking at all of them. The real one is checked against it after each operation. Used by the model
 * test and by the fuzz target; a difference calls KM_MODEL_CHECK, which the including file defines.
 */
#ifndef TEST_CACHE_STORE_MODEL_H
#define TEST_CACHE_STORE_MODEL_H

#include <string.h>

#include "kubemote/km_index.h"

#define STORE_SLOTS 7
#define STORE_KEYS 13
#define STORE_TAGS 6
#define STORE_TAG_MAX 3

/* tags: bits of the values 0 to 5, given in this order, the first one twice. */
struct store_record {
    uint32_t stamp;
    uint8_t rank, tags;
    bool fails; /* the index function fails after the first value */
};

static const char *const store_keys[STORE_KEYS] = {
    "a/1", "a/2", "b/1", "b/2", "b/33", "node", "a", "longer-namespace/name",
    "c/1", "c/2", "c/3", "d/1", "b"};
static const char *const store_namespaces[] = {"a", "b", "c", "d", "longer-namespace", "", "none"};
#define STORE_NAMESPACES 7
/* The second and the third have one hash with the seed 7. */
static const char *const store_tags[STORE_TAGS + 1] = {"",         "tdrfnieu", "xttqctdl", "x",
                                                       "x-longer", "y",        "none"};

static bool store_higher(void *ctx, const void *a, const void *b)
{
    (void)ctx;
    return ((const struct store_record *)a)->rank > ((const struct store_record *)b)->rank;
}

static int store_tags_of(void *ctx, struct km_slice key, const void *object,
                         struct km_index_sink *sink)
{
    const struct store_record *record = object;
    int given = 0;

    (void)ctx;
    (void)key;
    for (int i = 0; i < STORE_TAGS; i++) {
        if ((record->tags >> i & 1) == 0)
            continue;
        km_index_value(sink, km_slice_of(store_tags[i]));
        if (given++ > 0)
            continue;
        if (record->fails)
            return KM_ERR_SYNTAX;
        km_index_value(sink, km_slice_of(store_tags[i]));
    }
    return KM_OK;
}

KM_STORE_DEFINE(refusing, struct store_record, STORE_SLOTS, 24, NULL, NULL);
KM_STORE_DEFINE(preferring, struct store_record, STORE_SLOTS, 24, store_higher, NULL);
KM_INDEX_DEFINE(tag_index, "tags", STORE_SLOTS, STORE_TAG_MAX, store_tags_of, NULL);
KM_INDEX_NAMESPACE_DEFINE(namespace_index, STORE_SLOTS);

static struct {
    struct km_store *store;
    bool have[STORE_KEYS];
    struct store_record records[STORE_KEYS];
    uint32_t round[STORE_KEYS], now, left_out, stamp;
    bool replacing, incomplete;
} store_model;

static void store_start(bool prefers)
{
    uint32_t stamp = store_model.stamp;

    memset(&store_model, 0, sizeof store_model);
    store_model.stamp = stamp;
    /* Indexes belong to one store at a time. */
    km_store_init(&refusing, 7);
    km_store_init(&preferring, 7);
    store_model.store = prefers ? &preferring : &refusing;
    KM_MODEL_CHECK(km_store_add_index(store_model.store, &tag_index) == KM_OK);
    KM_MODEL_CHECK(km_store_add_index(store_model.store, &namespace_index) == KM_OK);
}

static int store_count(void)
{
    int count = 0;

    for (int i = 0; i < STORE_KEYS; i++)
        count += store_model.have[i];
    return count;
}

static int store_key_number(struct km_slice key)
{
    int i = 0;

    while (i < STORE_KEYS && !km_slice_eq_str(key, store_keys[i]))
        i++;
    KM_MODEL_CHECK(i < STORE_KEYS);
    return i;
}

static int store_lowest_rank(void)
{
    int rank = 256;

    for (int i = 0; i < STORE_KEYS; i++) {
        if (store_model.have[i] && store_model.records[i].rank < rank)
            rank = store_model.records[i].rank;
    }
    return rank;
}

static void store_removed(const struct km_store_change *change)
{
    int i = store_key_number(change->key);

    KM_MODEL_CHECK(store_model.have[i]);
    KM_MODEL_CHECK(change->now == NULL);
    KM_MODEL_CHECK(((const struct store_record *)change->old)->stamp ==
                   store_model.records[i].stamp);
    KM_MODEL_CHECK(km_cache_get(store_model.store->cache, change->slot) == NULL);
    store_model.have[i] = false;
}

static void store_put(int i, uint8_t rank, uint8_t tags, bool fails)
{
    struct km_store *store = store_model.store;
    struct store_record record = {++store_model.stamp, rank, tags, fails};
    struct km_store_change change = {.slot = UINT16_MAX};
    int result;

    *(struct store_record *)km_store_spare(store) = record;
    result = km_store_put(store, km_slice_of(store_keys[i]), &change);
    if (!store_model.have[i] && store_count() == STORE_SLOTS) {
        store_model.incomplete = true;
        store_model.left_out++;
        if (store->prefers == NULL || rank <= store_lowest_rank()) {
            KM_MODEL_CHECK(result == KM_ERR_FULL);
            return;
        }
        KM_MODEL_CHECK(result == KM_STORE_EVICTED);
        KM_MODEL_CHECK(((const struct store_record *)change.old)->rank == store_lowest_rank());
        store_removed(&change);
        result = km_store_put(store, km_slice_of(store_keys[i]), &change);
    }
    KM_MODEL_CHECK(result == (store_model.have[i] ? KM_CACHE_UPDATED : KM_CACHE_ADDED));
    KM_MODEL_CHECK((change.old != NULL) == store_model.have[i]);
    if (change.old != NULL)
        KM_MODEL_CHECK(((const struct store_record *)change.old)->stamp ==
                       store_model.records[i].stamp);
    KM_MODEL_CHECK(((const struct store_record *)change.now)->stamp == record.stamp);
    KM_MODEL_CHECK(km_slice_eq_str(change.key, store_keys[i]));
    store_model.have[i] = true;
    store_model.records[i] = record;
    store_model.round[i] = store_model.now;
}

static void store_delete(int i)
{
    struct km_store_change change;
    int result = km_store_delete(store_model.store, km_slice_of(store_keys[i]), &change);

    KM_MODEL_CHECK(result == (store_model.have[i] ? KM_OK : KM_ERR_NOT_FOUND));
    if (result == KM_OK)
        store_removed(&change);
}

static void store_sweep(void)
{
    struct km_store_change change;
    int result = km_store_sweep(store_model.store, &change), stale = 0;

    for (int i = 0; i < STORE_KEYS; i++)
        stale +=
            store_model.replacing && store_model.have[i] && store_model.round[i] != store_model.now;
    KM_MODEL_CHECK(result == (stale > 0 ? KM_OK : KM_AGAIN));
    if (result == KM_OK) {
        KM_MODEL_CHECK(store_model.round[store_key_number(change.key)] != store_model.now);
        store_removed(&change);
    } else if (store_model.replacing) {
        store_model.replacing = false;
        store_model.incomplete = store_model.left_out > 0;
    }
}

/* One operation on both; what: 0 to 99. */
static void store_step(unsigned what, unsigned key, uint8_t rank, uint8_t tags)
{
    int i = (int)(key % STORE_KEYS);

    if (what < 55) {
        store_put(i, rank % 16, tags % (1u << STORE_TAGS), tags >= 0xF0);
    } else if (what < 80) {
        store_delete(i);
    } else if (what < 95) {
        store_sweep();
    } else {
        km_store_replace_begin(store_model.store);
        store_model.now++;
        store_model.replacing = true;
        store_model.left_out = 0;
    }
}

/* The values that the index takes of a record, and whether those are all. */
static uint8_t store_taken_tags(const struct store_record *record, bool *all)
{
    uint8_t taken = 0;
    int count = 0;

    *all = true;
    for (int i = 0; i < STORE_TAGS; i++) {
        if ((record->tags >> i & 1) == 0)
            continue;
        if (count == STORE_TAG_MAX || (record->fails && count == 1)) {
            *all = false;
            break;
        }
        taken |= (uint8_t)(1u << i);
        count++;
        if (record->fails)
            *all = false;
    }
    return taken;
}

static bool store_in_namespace(int i, const char *ns)
{
    const char *slash = strchr(store_keys[i], '/');
    size_t len = slash != NULL ? (size_t)(slash - store_keys[i]) : 0;

    return strlen(ns) == len && memcmp(store_keys[i], ns, len) == 0;
}

static void store_check_value(const struct km_index *index, const char *value, const bool *expected,
                              bool *any)
{
    struct km_index_walk walk;
    uint16_t slots[STORE_SLOTS], slot;
    int count = km_index_keys(index, km_slice_of(value), slots, STORE_SLOTS), wanted = 0, met = 0;

    for (int i = 0; i < STORE_KEYS; i++)
        wanted += expected[i];
    *any = wanted > 0;
    KM_MODEL_CHECK(count == wanted);
    for (int i = 0; i < count; i++) {
        struct km_slice key = km_cache_key(store_model.store->cache, slots[i]);

        KM_MODEL_CHECK(expected[store_key_number(key)]);
        if (i > 0) {
            struct km_slice before = km_cache_key(store_model.store->cache, slots[i - 1]);

            KM_MODEL_CHECK(strcmp(before.ptr, key.ptr) < 0);
        }
    }
    for (km_index_find(index, km_slice_of(value), &walk);
         km_index_next(&walk, &slot) == KM_OK && met <= count; met++)
        KM_MODEL_CHECK(expected[store_key_number(km_cache_key(store_model.store->cache, slot))]);
    KM_MODEL_CHECK(met == count);
}

static void store_check_values(const struct km_index *index, const char *const *values, int count,
                               const bool *present)
{
    char value[24];
    uint32_t at = 0;
    int wanted = 0, seen = 0;

    for (int i = 0; i < count; i++)
        wanted += present[i];
    for (; km_index_next_value(index, &at, value, sizeof value) == KM_OK; seen++) {
        int i = 0;

        while (i < count && strcmp(values[i], value) != 0)
            i++;
        KM_MODEL_CHECK(i < count && present[i]);
    }
    KM_MODEL_CHECK(seen == wanted);
}

static void store_compare_indexes(void)
{
    bool expected[STORE_KEYS], present[STORE_TAGS + STORE_NAMESPACES], all, complete = true;
    uint32_t entries = 0;

    for (int t = 0; t <= STORE_TAGS; t++) {
        for (int i = 0; i < STORE_KEYS; i++)
            expected[i] = store_model.have[i] &&
                          (store_taken_tags(&store_model.records[i], &all) >> t & 1) != 0;
        store_check_value(&tag_index, store_tags[t], expected, &present[t]);
    }
    store_check_values(&tag_index, store_tags, STORE_TAGS + 1, present);
    for (int i = 0; i < STORE_KEYS; i++) {
        if (!store_model.have[i])
            continue;
        for (unsigned left = store_taken_tags(&store_model.records[i], &all); left > 0; left >>= 1)
            entries += left & 1u;
        complete = complete && all;
    }
    KM_MODEL_CHECK(tag_index.pool.used == entries);
    KM_MODEL_CHECK(km_index_complete(&tag_index) == complete);
    for (int n = 0; n < STORE_NAMESPACES; n++) {
        for (int i = 0; i < STORE_KEYS; i++)
            expected[i] = store_model.have[i] && store_in_namespace(i, store_namespaces[n]);
        store_check_value(&namespace_index, store_namespaces[n], expected, &present[n]);
    }
    store_check_values(&namespace_index, store_namespaces, STORE_NAMESPACES, present);
    KM_MODEL_CHECK(km_index_complete(&namespace_index));
}

static void store_compare(void)
{
    const struct km_store *store = store_model.store;
    uint16_t slots[STORE_SLOTS];

    for (int i = 0; i < STORE_KEYS; i++) {
        const struct store_record *record = km_store_get(store, km_slice_of(store_keys[i]));

        KM_MODEL_CHECK((record != NULL) == store_model.have[i]);
        KM_MODEL_CHECK(record == NULL || record->stamp == store_model.records[i].stamp);
    }
    KM_MODEL_CHECK(km_store_keys(store, slots, STORE_SLOTS) == store_count());
    KM_MODEL_CHECK(km_store_complete(store) == !store_model.incomplete);
    KM_MODEL_CHECK(km_store_has_room(store) == (store_model.incomplete && !store_model.replacing &&
                                                store_count() < STORE_SLOTS));
}

#endif
