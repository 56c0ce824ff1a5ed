/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room cache: a store is a cache with what client-go's Indexer has beyond it: indexes, the version of
 * the last change, and a policy for more objects than slots. Who needs none of that uses km_cache
 * alone and pays nothing for this. Knows keys and bytes, not Kubernetes, but for the form of a key.
 *
 * Ownership: the store owns its cache; whoever changes the cache other than through the store breaks
 * the indexes. Records are const to all readers: an index finds its values again through the stored
 * record. A record stays readable until its slot is put or deleted, the one replaced until the next
 * km_store_spare. One owner, no locks; nothing allocates or blocks. Calls that change a store must
 * not be made from an index function or a preference.
 *
 * What client-go calls resync (all objects once more) is a walk with km_cache_next, and so is a list:
 * it visits every key that stays exactly once, whatever changes between two steps.
 */
#ifndef KM_INDEX_H
#define KM_INDEX_H

#include "km_cache.h"

/* ---- keys ---- */

#define KM_KEY_SIZE (254 + 64 + 1) /* namespace/name with the NUL */

/* "ns/name", or "name" when ns is empty. KM_ERR_TOO_LONG: out is empty. */
int km_key_join(struct km_slice ns, struct km_slice name, char *out, size_t out_size,
                struct km_slice *key);
/* KM_ERR_SYNTAX when there is more than one slash. ns is empty when there is none. */
int km_key_split(struct km_slice key, struct km_slice *ns, struct km_slice *name);

/* ---- indexes ---- */

struct km_index_sink;
/*
 * An index function: gives the values of a record, none or several, each by km_index_value. It
 * depends on key and record only, since it is asked again to compare and to name values; it must not
 * change anything. A value needs to be valid only during km_index_value. Negative: the record can't
 * be indexed; values that it gave before that are indexed.
 */
typedef int km_index_fn(void *ctx, struct km_slice key, const void *record,
                        struct km_index_sink *sink);
void km_index_value(struct km_index_sink *sink, struct km_slice value);
/* The namespace of the key, "" for objects without (client-go's MetaNamespaceIndexFunc). */
km_index_fn km_index_namespace;

struct km_index_entry {
    uint32_t hash;
    uint16_t next, prev; /* entry + 1 of the same value, 0 = none */
};

/*
 * Entries of slot s are s * value_max and the following. Those of one value are a chain whose first
 * one stands in the table; no text of a value is kept.
 * The pool: used counts the entries; refused counts the objects of which not all values could be
 * taken (more than value_max different ones, or the function failed).
 */
struct km_index {
    const char *name;
    uint16_t slot_count, value_max;
    uint32_t table_size;
    struct km_index_entry *entries;
    uint8_t *order; /* which of the function's values it is, INDEX_FREE = no entry */
    uint16_t *table;
    uint32_t *short_of; /* bit per slot: not all of its values are here */
    km_index_fn *fn;
    void *ctx;
    uint16_t short_count;
    struct km_store *store;
    struct km_index *next;
    struct km_pool pool;
};

#define KM_INDEX_TABLE_SIZE(n) \
    ((n) <= 8192 ? KM_CACHE_TABLE_SIZE(n) : (n) <= 16384 ? 32768 : (n) <= 32768 ? 65536 : 131072)

/* Reserves an index on the spot: its name as users ask for it, the slots of the cache, the most
   different values that one object may have (1 to 64; slots_ x values_ below 65,535), its function. */
#define KM_INDEX_DEFINE(id, name_, slots_, values_, fn_, ctx_) \
    _Static_assert((values_) >= 1 && (values_) <= 64 && (slots_) * (values_) < 65535, \
                   "index " #id " is too large"); \
    static struct km_index_entry id##_entries[(slots_) * (values_)] KM_POOL_STORAGE(id##_entries); \
    static uint8_t id##_order[(slots_) * (values_)] KM_POOL_STORAGE(id##_order); \
    static uint16_t id##_table[KM_INDEX_TABLE_SIZE((slots_) * (values_))] KM_POOL_STORAGE( \
        id##_table); \
    static uint32_t id##_short[KM_BITMAP_WORDS(slots_)] KM_POOL_STORAGE(id##_short); \
    static struct km_index id = {.name = (name_), \
                                 .slot_count = (slots_), \
                                 .value_max = (values_), \
                                 .table_size = KM_INDEX_TABLE_SIZE((slots_) * (values_)), \
                                 .entries = id##_entries, \
                                 .order = id##_order, \
                                 .table = id##_table, \
                                 .short_of = id##_short, \
                                 .fn = (fn_), \
                                 .ctx = (ctx_), \
                                 .pool = {.name = #id}}
/* The ready-made one. */
#define KM_INDEX_NAMESPACE_DEFINE(id, slots_) \
    KM_INDEX_DEFINE(id, "namespace", slots_, 1, km_index_namespace, NULL)

/* ---- store ---- */

#define KM_VERSION_SIZE 32

struct km_store {
    /* Set by KM_STORE_DEFINE. */
    struct km_cache *cache;
    /* Whether a is kept rather than b when there is room for one of them; a strict order that
       depends on the records only. NULL: what comes when the store is full is refused. */
    bool (*prefers)(void *ctx, const void *a, const void *b);
    void *ctx;

    /* Private. */
    struct km_index *indexes;
    char version[KM_VERSION_SIZE];
    uint32_t left_out; /* since the last list began */
    bool incomplete, worst_known;
    uint16_t worst;
};

/* A cache and a store over it; prefers_ may be NULL. */
#define KM_STORE_DEFINE(id, type, slots_, key_size_, prefers_, ctx_) \
    KM_CACHE_DEFINE(id##_cache, type, slots_, key_size_); \
    static struct km_store id = {.cache = &id##_cache, .prefers = (prefers_), .ctx = (ctx_)}

/* Beside enum km_cache_change. */
enum { KM_STORE_EVICTED = 3 };

struct km_store_change {
    uint16_t slot;
    struct km_slice key; /* the store's own bytes; of a removed object until the next put */
    const void *old;     /* NULL when added; until the next km_store_spare */
    const void *now;     /* NULL when removed */
};

/* Empties it, forgets its indexes and its version. */
void km_store_init(struct km_store *store, uint32_t seed);
/* Adds an index, before or after objects (those are indexed now). KM_ERR_ARG when there is one of
   this name, it serves another store or was made for another number of slots. */
int km_store_add_index(struct km_store *store, struct km_index *index);
/* NULL when there is no such index. */
struct km_index *km_store_index(const struct km_store *store, const char *name);

/* Where the next object is decoded. */
void *km_store_spare(struct km_store *store);
/*
 * Puts the spare under key, as client-go's Add and Update. enum km_cache_change, or
 * KM_STORE_EVICTED: the least preferred object was removed to make room and stands in *change; tell
 * who must know and call again with the same spare. KM_ERR_FULL: refused. Either way the store is
 * incomplete from here on, until a list that fits. KM_ERR_TOO_LONG, KM_ERR_ARG: the key.
 */
int km_store_put(struct km_store *store, struct km_slice key, struct km_store_change *change);
/* KM_OK or KM_ERR_NOT_FOUND. */
int km_store_delete(struct km_store *store, struct km_slice key, struct km_store_change *change);
/* The record of key, NULL when there is none. */
const void *km_store_get(const struct km_store *store, struct km_slice key);
/* All slots in use, ordered by key. The number of them, or KM_ERR_FULL when slots has not room for
   all. Slots that are freed later show no key (km_cache_key) until they are taken again. */
int km_store_keys(const struct km_store *store, uint16_t *slots, uint16_t size);

/* Replace in place by a new list, as km_cache_replace_begin: put each object, then sweep until
   KM_AGAIN. Indexes are right at each moment. */
void km_store_replace_begin(struct km_store *store);
int km_store_sweep(struct km_store *store, struct km_store_change *change);

/*
 * More objects than slots. km_store_complete: nothing was left out since the last list began; a list
 * during which something was left out is no complete one, even if the sweep made room for it.
 * km_store_has_room: it is incomplete, no list is under way and there is a free slot now: a new list
 * would bring in more. While all slots are in use it stays false, so that the rate of lists is flat.
 */
bool km_store_complete(const struct km_store *store);
bool km_store_has_room(const struct km_store *store);

/* The resourceVersion of the last change, list or bookmark, as the caller noted it, "" at first.
   KM_ERR_TOO_LONG: the former one stays. */
int km_store_note_version(struct km_store *store, struct km_slice version);
const char *km_store_version(const struct km_store *store);

/* ---- reading by index ---- */

/* A walk along the objects of one value, in no order that means anything. The object just given may
   be put or deleted during the walk; for other changes take the slots by km_index_keys first. */
struct km_index_walk {
    const struct km_index *index;
    uint16_t next;
};

void km_index_find(const struct km_index *index, struct km_slice value, struct km_index_walk *walk);
/* KM_OK with *slot, KM_ERR_NOT_FOUND at the end. */
int km_index_next(struct km_index_walk *walk, uint16_t *slot);
/* Slots of the objects that have value, ordered by key (client-go's IndexKeys and ByIndex). The
   number of them, or KM_ERR_FULL. */
int km_index_keys(const struct km_index *index, struct km_slice value, uint16_t *slots,
                  uint16_t size);
/* Slots of the objects that share a value with this record, stored or not, ordered by key, each once
   (Indexer.Index). An object that shares several takes as many places of slots meanwhile. */
int km_index_like(const struct km_index *index, struct km_slice key, const void *record,
                  uint16_t *slots, uint16_t size);
/* The values that objects have (ListIndexFuncValues), one for each call, until KM_ERR_NOT_FOUND. Begin
   with *at = 0. Not ordered; the walk ends with the next change of the store. `out` is always
   terminated; KM_ERR_TOO_LONG: this value has no room in it, the next call goes on. */
int km_index_next_value(const struct km_index *index, uint32_t *at, char *out, size_t out_size);
/* Every value of every object is in the index. */
bool km_index_complete(const struct km_index *index);

#endif
