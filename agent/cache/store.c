/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "index_priv.h"
#include "kubemote/km_key.h"

int km_key_join(struct km_slice ns, struct km_slice name, char *out, size_t out_size,
                struct km_slice *key)
{
    size_t before = ns.len > 0 ? ns.len + 1u : 0;

    *key = (struct km_slice){.ptr = out, .len = 0};
    if (out_size > 0)
        out[0] = '\0';
    if (before >= out_size || name.len >= out_size - before)
        return KM_ERR_TOO_LONG;
    if (ns.len > 0) {
        km_key_copy(out, ns);
        out[ns.len] = '/';
    }
    km_key_copy(out + before, name);
    key->len = before + name.len;
    out[key->len] = '\0';
    return KM_OK;
}

int km_key_split(struct km_slice key, struct km_slice *ns, struct km_slice *name)
{
    const char *slash = key.len > 0 ? memchr(key.ptr, '/', key.len) : NULL;
    size_t before = slash != NULL ? (size_t)(slash - key.ptr) : 0;
    size_t from = slash != NULL ? before + 1u : 0;

    if (from < key.len && memchr(key.ptr + from, '/', key.len - from) != NULL)
        return KM_ERR_SYNTAX;
    *ns = (struct km_slice){.ptr = key.ptr, .len = before};
    *name = (struct km_slice){.ptr = key.ptr + from, .len = key.len - from};
    return KM_OK;
}

static bool key_after(const struct km_cache *cache, uint16_t a, uint16_t b)
{
    struct km_slice x = km_cache_key(cache, a), y = km_cache_key(cache, b);

    return km_slice_compare(x, y) > 0;
}

static void sift(const struct km_cache *cache, uint16_t *slots, uint32_t at, uint32_t count)
{
    for (uint32_t child; (child = at * 2u + 1u) < count; at = child) {
        uint16_t slot = slots[at];

        if (child + 1u < count && key_after(cache, slots[child + 1u], slots[child]))
            child++;
        if (!key_after(cache, slots[child], slot))
            return;
        slots[at] = slots[child];
        slots[child] = slot;
    }
}

/* Heap sort: in place, and no order of the input makes it slow. */
void slots_sort(const struct km_cache *cache, uint16_t *slots, uint32_t count)
{
    for (uint32_t i = count / 2u; i > 0; i--)
        sift(cache, slots, i - 1u, count);
    for (uint32_t end = count; end > 1u; end--) {
        uint16_t last = slots[0];

        slots[0] = slots[end - 1u];
        slots[end - 1u] = last;
        sift(cache, slots, 0, end - 1u);
    }
}

void km_store_init(struct km_store *store, uint32_t seed)
{
    km_cache_init(store->cache, seed);
    while (store->indexes != NULL) {
        struct km_index *index = store->indexes;

        store->indexes = index->next;
        index->store = NULL;
        index->next = NULL;
    }
    store->version[0] = '\0';
    store->hidden = NULL;
    store->left_out = 0;
    store->missing = 0;
    store->incomplete = false;
    store->worst_known = false;
}

struct km_index *km_store_index(const struct km_store *store, const char *name)
{
    for (struct km_index *index = store->indexes; index != NULL; index = index->next) {
        if (strcmp(index->name, name) == 0)
            return index;
    }
    return NULL;
}

int km_store_add_index(struct km_store *store, struct km_index *index)
{
    uint16_t slot;

    if (index->store != NULL || index->slot_count != store->cache->slot_count ||
        km_store_index(store, index->name) != NULL)
        return KM_ERR_ARG;
    index->store = store;
    index_reset(index);
    index->next = store->indexes;
    store->indexes = index;
    for (uint16_t from = 0; km_cache_next(store->cache, from, &slot) == KM_OK;
         from = (uint16_t)(slot + 1u))
        index_take(index, slot);
    return KM_OK;
}

void *km_store_spare(struct km_store *store)
{
    return km_cache_spare(store->cache);
}

static void drop_slot(struct km_store *store, uint16_t slot)
{
    for (struct km_index *index = store->indexes; index != NULL; index = index->next)
        index_drop(index, slot);
    if (slot == store->worst)
        store->worst_known = false;
}

static bool prefers(const struct km_store *store, const void *a, const void *b)
{
    return store->prefers(store->ctx, a, b);
}

/* The least preferred object is remembered, so that a full store looks through all of them only after
   that one went. */
static const void *find_worst(struct km_store *store)
{
    const struct km_cache *cache = store->cache;
    const void *worst = store->worst_known ? km_cache_get(cache, store->worst) : NULL;
    uint16_t slot;

    if (worst != NULL)
        return worst;
    for (uint16_t from = 0; km_cache_next(cache, from, &slot) == KM_OK;
         from = (uint16_t)(slot + 1u)) {
        const void *record = km_cache_get(cache, slot);

        if (worst == NULL || prefers(store, worst, record)) {
            worst = record;
            store->worst = slot;
        }
    }
    store->worst_known = true;
    return worst;
}

static void compare_with_worst(struct km_store *store, uint16_t slot)
{
    const struct km_cache *cache = store->cache;

    if (store->worst_known &&
        prefers(store, km_cache_get(cache, store->worst), km_cache_get(cache, slot)))
        store->worst = slot;
}

static void fill_removed(struct km_store_change *change, struct km_slice key, const void *old)
{
    change->key = key;
    change->old = old;
    change->now = NULL;
}

/* A free slot's key stays readable until the slot is taken again. */
static int remove_key(struct km_store *store, struct km_slice key, struct km_store_change *change)
{
    const void *old;
    uint16_t slot;

    if (km_cache_find(store->cache, key, &slot) != KM_OK)
        return KM_ERR_NOT_FOUND;
    key = km_cache_key(store->cache, slot);
    (void)km_cache_remove(store->cache, key, &change->slot, &old);
    drop_slot(store, slot);
    fill_removed(change, key, old);
    return KM_OK;
}

static int leave_out(struct km_store *store, struct km_store_change *change)
{
    const void *worst;

    store->incomplete = true;
    store->left_out++;
    if (!store->cache->replacing)
        store->missing = store->left_out;
    if (store->prefers == NULL)
        return KM_ERR_FULL;
    worst = find_worst(store);
    if (worst == NULL || !prefers(store, km_cache_spare(store->cache), worst))
        return KM_ERR_FULL;
    (void)remove_key(store, km_cache_key(store->cache, store->worst), change);
    return KM_STORE_EVICTED;
}

int km_store_put(struct km_store *store, struct km_slice key, struct km_store_change *change)
{
    int result = km_cache_commit(store->cache, key, &change->slot, &change->old);

    if (result == KM_ERR_FULL)
        return leave_out(store, change);
    if (result < 0)
        return result;
    change->key = km_cache_key(store->cache, change->slot);
    change->now = km_cache_get(store->cache, change->slot);
    if (result == KM_CACHE_UPDATED)
        drop_slot(store, change->slot);
    for (struct km_index *index = store->indexes; index != NULL; index = index->next)
        index_take(index, change->slot);
    if (store->prefers != NULL)
        compare_with_worst(store, change->slot);
    return result;
}

int km_store_delete(struct km_store *store, struct km_slice key, struct km_store_change *change)
{
    return remove_key(store, key, change);
}

const void *km_store_get(const struct km_store *store, struct km_slice key)
{
    uint16_t slot;

    if (km_cache_find(store->cache, key, &slot) != KM_OK || km_store_hides(store, slot))
        return NULL;
    return km_cache_get(store->cache, slot);
}

bool km_store_hides(const struct km_store *store, uint16_t slot)
{
    return store->hidden != NULL && km_bit_get(store->hidden, slot);
}

int km_store_keys(const struct km_store *store, uint16_t *slots, uint16_t size)
{
    uint32_t count = 0;
    uint16_t slot;

    if (km_cache_count(store->cache) > size)
        return KM_ERR_FULL;
    for (uint16_t from = 0; km_cache_next(store->cache, from, &slot) == KM_OK;
         from = (uint16_t)(slot + 1u)) {
        if (!km_store_hides(store, slot))
            slots[count++] = slot;
    }
    slots_sort(store->cache, slots, count);
    return (int)count;
}

void km_store_replace_begin(struct km_store *store)
{
    km_cache_replace_begin(store->cache);
    store->left_out = 0;
}

int km_store_sweep(struct km_store *store, struct km_store_change *change)
{
    bool replacing = store->cache->replacing;
    struct km_slice key;
    const void *old;
    int result = km_cache_sweep(store->cache, &change->slot, &key, &old);

    if (result == KM_OK) {
        /* The key was taken while the slot was in use, so it points at the slot's bytes. */
        drop_slot(store, change->slot);
        fill_removed(change, key, old);
    } else if (replacing) {
        store->missing = store->left_out;
        store->incomplete = store->left_out > 0;
    }
    return result;
}

bool km_store_complete(const struct km_store *store)
{
    return !store->incomplete;
}

uint32_t km_store_left_out(const struct km_store *store)
{
    return store->left_out > store->missing ? store->left_out : store->missing;
}

bool km_store_has_room(const struct km_store *store)
{
    return store->incomplete && !store->cache->replacing &&
           km_cache_count(store->cache) < store->cache->slot_count;
}

int km_store_note_version(struct km_store *store, struct km_slice version)
{
    if (version.len >= sizeof store->version)
        return KM_ERR_TOO_LONG;
    return km_slice_copy(version, store->version, sizeof store->version);
}

const char *km_store_version(const struct km_store *store)
{
    return store->version;
}
