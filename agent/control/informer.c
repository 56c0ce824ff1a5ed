/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_control.h"
#include "kubemote/km_log.h"

#define KEY_SIZE (64 + 1 + 254)

static struct km_slice object_key(const struct km_object *object, char *out)
{
    struct km_buf key;
    km_buf_init(&key, out, KEY_SIZE);
    if (object->ns[0] != '\0') {
        km_buf_puts(&key, object->ns);
        km_buf_putc(&key, '/');
    }
    km_buf_puts(&key, object->name);
    return km_buf_slice(&key);
}

static void *spare(void *ctx)
{
    struct km_informer *inf = ctx;
    return km_cache_spare(inf->cache);
}

static void replace_begin(void *ctx)
{
    struct km_informer *inf = ctx;
    km_cache_replace_begin(inf->cache);
}

static void note_full(struct km_informer *inf, struct km_slice key)
{
    if (!inf->full)
        KM_WARN("The cache is full, an object was left out", KM_S("cache", inf->cache->name),
                KM_SL("key", key), KM_U("slots", inf->cache->slot_count));
    inf->full = true;
}

static int upsert(void *ctx)
{
    struct km_informer *inf = ctx;
    char text[KEY_SIZE];
    struct km_slice key = object_key(km_cache_spare(inf->cache), text);
    const void *old;
    uint16_t slot;
    int change = km_cache_commit(inf->cache, key, &slot, &old);
    if (change < 0) {
        note_full(inf, key);
        return change;
    }
    const void *now = km_cache_get(inf->cache, slot);
    inf->on_change(inf->ctx, change == KM_CACHE_ADDED ? KM_ADDED : KM_UPDATED, slot, old, now);
    return KM_OK;
}

/* Room again: what was left out comes in by a new list. */
static void heal(struct km_informer *inf)
{
    if (!inf->full || km_cache_count(inf->cache) >= inf->cache->slot_count)
        return;
    inf->full = false;
    km_reflector_resync(&inf->reflector, "the cache has room again");
}

static void remove_object(void *ctx)
{
    struct km_informer *inf = ctx;
    char text[KEY_SIZE];
    struct km_slice key = object_key(km_cache_spare(inf->cache), text);
    const void *old;
    uint16_t slot;
    if (km_cache_remove(inf->cache, key, &slot, &old) != KM_OK)
        return;
    inf->on_change(inf->ctx, KM_DELETED, slot, old, NULL);
    heal(inf);
}

static void replace_end(void *ctx)
{
    struct km_informer *inf = ctx;
    struct km_slice key;
    const void *old;
    uint16_t slot;
    while (km_cache_sweep(inf->cache, &slot, &key, &old) == KM_OK)
        inf->on_change(inf->ctx, KM_DELETED, slot, old, NULL);
    heal(inf);
    if (inf->told_synced)
        return;
    inf->told_synced = true;
    if (inf->on_synced != NULL)
        inf->on_synced(inf->ctx);
}

int km_informer_init(struct km_informer *inf, uint32_t hash_seed, struct km_fault *fault)
{
    km_cache_init(inf->cache, hash_seed);
    inf->reflector.sink = (struct km_watch_sink){.spare = spare,
                                                 .replace_begin = replace_begin,
                                                 .upsert = upsert,
                                                 .remove = remove_object,
                                                 .replace_end = replace_end,
                                                 .ctx = inf};
    return km_reflector_init(&inf->reflector, fault);
}

void km_informer_start(struct km_informer *inf)
{
    km_reflector_start(&inf->reflector);
}

void km_informer_stop(struct km_informer *inf)
{
    km_reflector_stop(&inf->reflector);
}

bool km_informer_synced(const struct km_informer *inf)
{
    return inf->told_synced;
}
