/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long reads and updates of the cache take: one line "name nanoseconds" for each measure, the
 * same ones as the Go program beside it. Each is the median of several runs of many operations.
 */
#include <stdio.h>
#include <string.h>

#include "../measure.h"
#include "kubemote/km_index.h"

#define OBJECTS 500
#define LARGE 10000
#define NAMESPACES 10
#define ROUNDS 200

struct object {
    char ns[64], name[254], version[24];
    uint8_t rest[168];
};

KM_CACHE_DEFINE(plain, struct object, OBJECTS, KM_KEY_SIZE);
KM_STORE_DEFINE(store, struct object, OBJECTS, KM_KEY_SIZE, NULL, NULL);
KM_INDEX_NAMESPACE_DEFINE(by_namespace, OBJECTS);
KM_STORE_DEFINE(large, struct object, LARGE, KM_KEY_SIZE, NULL, NULL);

static char namespaces[LARGE][16], names[LARGE][32], texts[LARGE][48];
static struct km_slice keys[LARGE], ns_slices[LARGE], name_slices[LARGE];
static volatile uintptr_t sink;

/* Each returns the nanoseconds of all its operations. */
static int64_t get_by_key(void)
{
    int64_t start = now_ns();

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < OBJECTS; i++)
            sink += (uintptr_t)km_store_get(&store, keys[i]);
    }
    return now_ns() - start;
}

/* What a lister's Get does: the key is made of namespace and name first. */
static void get_named(const struct km_store *from, int i)
{
    char text[KM_KEY_SIZE];
    struct km_slice key;

    (void)km_key_join(ns_slices[i], name_slices[i], text, sizeof text, &key);
    sink += (uintptr_t)km_store_get(from, key);
}

static int64_t get_by_names(void)
{
    int64_t start = now_ns();

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < OBJECTS; i++)
            get_named(&store, i);
    }
    return now_ns() - start;
}

static int64_t get_by_names_of_many(void)
{
    int64_t start = now_ns();

    for (int round = 0; round < ROUNDS / 20; round++) {
        for (int i = 0; i < LARGE; i++)
            get_named(&large, i * 7 % LARGE);
    }
    return now_ns() - start;
}

static int64_t get_of_many(void)
{
    int64_t start = now_ns();

    for (int round = 0; round < ROUNDS / 20; round++) {
        for (int i = 0; i < LARGE; i++)
            sink += (uintptr_t)km_store_get(&large, keys[i * 7 % LARGE]);
    }
    return now_ns() - start;
}

static void fill_spare(struct object *object, int i)
{
    memcpy(object->ns, namespaces[i], sizeof namespaces[i]);
    memcpy(object->name, names[i], sizeof names[i]);
    object->version[0]++;
}

static int64_t update(void)
{
    int64_t start = now_ns();

    for (int round = 0; round < ROUNDS / 10; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            struct km_store_change change;

            fill_spare(km_store_spare(&store), i);
            (void)km_store_put(&store, keys[i], &change);
            sink += (uintptr_t)change.old;
        }
    }
    return now_ns() - start;
}

/* The same on a cache without an index. */
static int64_t update_plain(void)
{
    int64_t start = now_ns();

    for (int round = 0; round < ROUNDS / 10; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            const void *old;
            uint16_t slot;

            fill_spare(km_cache_spare(&plain), i);
            (void)km_cache_commit(&plain, keys[i], &slot, &old);
            sink += (uintptr_t)old;
        }
    }
    return now_ns() - start;
}

/* All objects of one namespace, one after the other. */
static int64_t by_index(void)
{
    int64_t start = now_ns();

    for (int round = 0; round < ROUNDS; round++) {
        struct km_index_walk walk;
        uint16_t slot;

        km_index_find(&by_namespace, km_slice_of(namespaces[round % NAMESPACES]), &walk);
        while (km_index_next(&walk, &slot) == KM_OK)
            sink += (uintptr_t)km_cache_get(store.cache, slot);
    }
    return now_ns() - start;
}

static int64_t list(void)
{
    int64_t start = now_ns();

    for (int round = 0; round < ROUNDS; round++) {
        uint16_t slot;

        for (uint16_t from = 0; km_cache_next(store.cache, from, &slot) == KM_OK;
             from = (uint16_t)(slot + 1u))
            sink += (uintptr_t)km_cache_get(store.cache, slot);
    }
    return now_ns() - start;
}

static void fill(void)
{
    for (int i = 0; i < LARGE; i++) {
        struct km_store_change change;
        const void *old;
        uint16_t slot;

        (void)snprintf(namespaces[i], sizeof namespaces[i], "namespace-%d", i % NAMESPACES);
        (void)snprintf(names[i], sizeof names[i], "deployment-6d4cf56db6-%05d", i);
        ns_slices[i] = km_slice_of(namespaces[i]);
        name_slices[i] = km_slice_of(names[i]);
        (void)km_key_join(ns_slices[i], name_slices[i], texts[i], sizeof texts[i], &keys[i]);
        fill_spare(km_store_spare(&large), i);
        (void)km_store_put(&large, keys[i], &change);
        if (i >= OBJECTS)
            continue;
        fill_spare(km_store_spare(&store), i);
        (void)km_store_put(&store, keys[i], &change);
        fill_spare(km_cache_spare(&plain), i);
        (void)km_cache_commit(&plain, keys[i], &slot, &old);
    }
}

int main(void)
{
    km_cache_init(&plain, 12345);
    km_store_init(&store, 12345);
    km_store_init(&large, 12345);
    (void)km_store_add_index(&store, &by_namespace);
    fill();
    measure("get-key", get_by_key, ROUNDS * OBJECTS);
    measure("get-names", get_by_names, ROUNDS * OBJECTS);
    measure("get-names-large", get_by_names_of_many, ROUNDS / 20 * LARGE);
    measure("get-large", get_of_many, ROUNDS / 20 * LARGE);
    measure("update-indexed", update, ROUNDS / 10 * OBJECTS);
    measure("update-plain", update_plain, ROUNDS / 10 * OBJECTS);
    measure("by-index", by_index, ROUNDS * OBJECTS / NAMESPACES);
    measure("list", list, ROUNDS * OBJECTS);
    return 0;
}
