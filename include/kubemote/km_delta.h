/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room cache: client-go's two queues between a watch and a store, in fixed storage.
 *   km_realfifo   every event by itself, in order of arrival; a new list as one item (RealFIFO)
 *   km_deltafifo  the events of one key together, keys in order of their first event (DeltaFIFO)
 * An informer that calls its handlers at once needs neither; they are for consumers that come later
 * than the events. Both hold copies of records, so they cost as much as the events that wait.
 *
 * Ownership: what is given in is copied; what pop shows is the queue's own, const, and valid until
 * the process function returns. One owner, no locks; nothing allocates or blocks. A process function
 * may call everything but pop.
 *
 * What a slow consumer sees. While there is room: every event. When the storage is full, the oldest
 * event that a later one of the same key supersedes is dropped for each new one (counted in
 * `merged`), bookmarks before all: fewer events then, never others, and those that remain come in
 * the order of arrival, so that the last one of each key, and the last resourceVersion, are right.
 * The type of an event then tells what happened last, not whether the consumer knows the object: it
 * asks its store, as client-go does. When all that waits is the only event of its key, a new one is
 * refused with KM_ERR_FULL, counted in the pool, and km_..._lost is true until a list has been
 * taken in: the producer must list again. A list finds room always if as many items as the list has
 * objects and one more (and the vanished objects, where tombstones are made) fit in at all: it
 * supersedes what waits, which is dropped for it from the oldest on.
 */
#ifndef KM_DELTA_H
#define KM_DELTA_H

#include "km_cache.h"

enum km_delta_type {
    KM_DELTA_ADDED = 1,
    KM_DELTA_UPDATED,
    KM_DELTA_DELETED,
    KM_DELTA_REPLACED,     /* in a new list; may be as it was */
    KM_DELTA_SYNC,         /* known, shown once more */
    KM_DELTA_REPLACED_ALL, /* a whole new list */
    KM_DELTA_SYNC_ALL,     /* show all that the store has once more */
    KM_DELTA_BOOKMARK      /* a resourceVersion only */
};

/* Items that belong together; take them out by km_deltas_next. */
struct km_deltas {
    const struct km_fifo *fifo;
    uint16_t next;
};

struct km_delta {
    enum km_delta_type type;
    /* The deletion itself was missed: object is the last state that is known, maybe NULL
       (DeletedFinalStateUnknown). */
    bool tombstone;
    struct km_slice key;      /* empty for the last three types */
    const void *object;       /* NULL for the last three types */
    struct km_slice version;  /* of KM_DELTA_REPLACED_ALL and KM_DELTA_BOOKMARK */
    struct km_deltas objects; /* of KM_DELTA_REPLACED_ALL, each a KM_DELTA_REPLACED */
};

/* Takes the next one out of *deltas. KM_OK or KM_ERR_NOT_FOUND; copy the struct to read again. */
int km_deltas_next(struct km_deltas *deltas, struct km_delta *out);
uint16_t km_deltas_count(const struct km_deltas *deltas);

/* Handles items that were taken from the queue; `initial`: they belong to the first list. What it
   returns is what pop returns; the items are gone in any case. */
typedef int km_delta_fn(void *ctx, const struct km_deltas *deltas, bool initial);

/*
 * The objects that the consumer already has. next: the first one at or after *at, which moves behind
 * it; KM_OK or KM_ERR_NOT_FOUND; *object may be NULL (a key whose object can't be read).
 */
struct km_known {
    int (*next)(void *ctx, uint32_t *at, struct km_slice *key, const void **object);
    bool (*has)(void *ctx, struct km_slice key);
    void *ctx;
};
/* Over a cache: KM_KNOWN_CACHE(&pods). */
int km_known_cache_next(void *ctx, uint32_t *at, struct km_slice *key, const void **object);
bool km_known_cache_has(void *ctx, struct km_slice key);
#define KM_KNOWN_CACHE(cache_) \
    {.next = km_known_cache_next, .has = km_known_cache_has, .ctx = (cache_)}

/* ---- storage, common to both ---- */

struct km_delta_node {
    uint8_t type, flags;
    uint16_t key, next, prev, child; /* number + 1, 0 = none */
};

struct km_delta_key {
    uint32_t hash;
    uint16_t len, refs;   /* nodes that name it; 0 = free */
    uint16_t first, last; /* waiting nodes: of a deltafifo all in a chain, of a realfifo the last */
    uint16_t next;
    bool queued, listed; /* listed: found by its text */
    uint32_t round;
};

struct km_fifo {
    /* Set by the macros. */
    const char *name;
    uint16_t node_count, key_count, key_size;
    uint32_t table_size;
    size_t record_size;
    uint8_t *records;
    struct km_delta_node *nodes;
    struct km_delta_key *keys;
    char *texts;
    uint16_t *table;

    /* Set before init; may be left out. known must be set for a realfifo that is not atomic. */
    const struct km_known *known;
    /* Changes the queue's copy once before it is queued; never a tombstone's or a Sync's. Negative:
       the event is not queued, and that is what the caller gets. */
    int (*transform)(void *ctx, struct km_slice key, void *object);
    void *ctx;

    /* Counters. */
    uint64_t merged;
    struct km_pool pool; /* of the nodes */

    /* Private. */
    uint16_t free_node, free_key, head, tail, count;
    uint16_t staged_first, staged_last;
    uint32_t round, seed, initial;
    bool replacing, stage_failed, dropped, populated, synced, closed, lost, popping;
};

#define KM_FIFO_STORAGE_(id, type, keys_, nodes_, key_size_) \
    _Static_assert((nodes_) < 65535 && (keys_) <= 16384 && (key_size_) > 1, \
                   "queue " #id " is too large"); \
    static type id##_records[nodes_] KM_POOL_STORAGE(id##_records); \
    static struct km_delta_node id##_nodes[nodes_] KM_POOL_STORAGE(id##_nodes); \
    static struct km_delta_key id##_keys[keys_] KM_POOL_STORAGE(id##_keys); \
    static char id##_texts[(keys_) * (key_size_)] KM_POOL_STORAGE(id##_texts); \
    static uint16_t id##_table[KM_CACHE_TABLE_SIZE(keys_)] KM_POOL_STORAGE(id##_table)
#define KM_FIFO_INIT_(id, type, keys_count, nodes_, key_size_) \
    {.name = #id, \
     .node_count = (nodes_), \
     .key_count = (keys_count), \
     .key_size = (key_size_), \
     .table_size = KM_CACHE_TABLE_SIZE(keys_count), \
     .record_size = sizeof(type), \
     .records = (uint8_t *)id##_records, \
     .nodes = id##_nodes, \
     .keys = id##_keys, \
     .texts = id##_texts, \
     .table = id##_table}

/* ---- DeltaFIFO ---- */

struct km_deltafifo {
    struct km_fifo fifo;
    bool emit_replaced; /* a list's objects are Replaced, not Sync (EmitDeltaTypeReplaced) */
};

/* Storage for the events of at most keys_ keys, deltas_ events in all. */
#define KM_DELTAFIFO_DEFINE(id, type, keys_, deltas_, key_size_) \
    KM_FIFO_STORAGE_(id, type, keys_, deltas_, key_size_); \
    static struct km_deltafifo id = {.fifo = KM_FIFO_INIT_(id, type, keys_, deltas_, key_size_), \
                                     .emit_replaced = true}

void km_deltafifo_init(struct km_deltafifo *q, uint32_t seed);
/*
 * An event. KM_OK, KM_ERR_FULL (see above), KM_ERR_ARG or KM_ERR_TOO_LONG for the key, or what the
 * transform said. object: record_size bytes; NULL only with a tombstone. A deletion is dropped when
 * the key neither waits nor is known; of two deletions in a row the one that knows more stays.
 */
int km_deltafifo_add(struct km_deltafifo *q, struct km_slice key, const void *object);
int km_deltafifo_update(struct km_deltafifo *q, struct km_slice key, const void *object);
int km_deltafifo_delete(struct km_deltafifo *q, struct km_slice key, const void *object,
                        bool tombstone);
/*
 * A new list: begin, an item for each object, end. It takes its place at end, at once; until then
 * nobody sees anything of it. end makes tombstones for the keys that wait or are known but are not
 * in the list. KM_ERR_FULL from item: the list is not taken in; from end: it is, but not all
 * tombstones found room. Either way km_deltafifo_lost is true. begin again, or abort, forgets what
 * was given.
 */
void km_deltafifo_replace_begin(struct km_deltafifo *q);
int km_deltafifo_replace_item(struct km_deltafifo *q, struct km_slice key, const void *object);
int km_deltafifo_replace_end(struct km_deltafifo *q);
void km_deltafifo_replace_abort(struct km_deltafifo *q);
/* A Sync for each known object whose key does not wait. KM_ERR_FULL: not for all; nothing is lost. */
int km_deltafifo_resync(struct km_deltafifo *q);
/*
 * Takes the first key and gives its events, oldest first, to process. KM_AGAIN when nothing waits,
 * KM_EOF when nothing waits and the queue is closed, KM_ERR_REENTRANT from inside process, else what
 * process returned.
 */
int km_deltafifo_pop(struct km_deltafifo *q, km_delta_fn *process, void *ctx);
void km_deltafifo_close(struct km_deltafifo *q);
/* The first list was popped, or an event came before any list. Stays true. */
bool km_deltafifo_synced(const struct km_deltafifo *q);
/* An event found no room: list again. */
bool km_deltafifo_lost(const struct km_deltafifo *q);
/* Keys that wait. */
uint16_t km_deltafifo_len(const struct km_deltafifo *q);
/* The events that wait for key, none if next is 0 (GetByKey). */
struct km_deltas km_deltafifo_get(const struct km_deltafifo *q, struct km_slice key);

/* ---- RealFIFO ---- */

struct km_realfifo {
    struct km_fifo fifo;
    bool atomic;            /* a list is one item, a resync is one item; else tombstones are made */
    bool emit_bookmarks;    /* only with atomic */
    uint16_t batch_max;     /* items of one batch; 0 = 1000 */
    uint16_t bookmarks;     /* private: how many wait */
    uint32_t taken_initial; /* private: items of the first list that are being handled */
};

/* Storage for items_ events, of a list one for each object and one more. Keys and resourceVersions
   up to key_size_ less 1. */
#define KM_REALFIFO_DEFINE(id, type, items_, key_size_) \
    KM_FIFO_STORAGE_(id, type, items_, items_, key_size_); \
    static struct km_realfifo id = {.fifo = KM_FIFO_INIT_(id, type, items_, items_, key_size_), \
                                    .atomic = true, \
                                    .emit_bookmarks = true}

/* KM_ERR_ARG: known is missing, or it is set with atomic, or bookmarks without atomic. */
int km_realfifo_init(struct km_realfifo *q, uint32_t seed);
/* As for a deltafifo, but that every deletion is queued. */
int km_realfifo_add(struct km_realfifo *q, struct km_slice key, const void *object);
int km_realfifo_update(struct km_realfifo *q, struct km_slice key, const void *object);
int km_realfifo_delete(struct km_realfifo *q, struct km_slice key, const void *object,
                       bool tombstone);
/* Nothing unless emit_bookmarks. KM_ERR_FULL: not queued, nothing is lost. */
int km_realfifo_bookmark(struct km_realfifo *q, struct km_slice version);
/* As for a deltafifo, but that KM_ERR_FULL from end leaves nothing of the list. When not atomic,
   tombstones stand before the list's objects. */
void km_realfifo_replace_begin(struct km_realfifo *q);
int km_realfifo_replace_item(struct km_realfifo *q, struct km_slice key, const void *object);
int km_realfifo_replace_end(struct km_realfifo *q, struct km_slice version);
void km_realfifo_replace_abort(struct km_realfifo *q);
int km_realfifo_resync(struct km_realfifo *q);
/* Gives the first item to process; results as for a deltafifo. */
int km_realfifo_pop(struct km_realfifo *q, km_delta_fn *process, void *ctx);
/*
 * Takes as many items as may be handled together: at most batch_max, of different keys, none of the
 * last three types, those of the first list not together with later ones. Several go to batch, one
 * alone to single.
 */
int km_realfifo_pop_batch(struct km_realfifo *q, km_delta_fn *batch, km_delta_fn *single,
                          void *ctx);
void km_realfifo_close(struct km_realfifo *q);
/* All items of the first list were popped and process has returned; an empty list is an item too
   when atomic. True at once when an event comes before any list. Stays true. */
bool km_realfifo_synced(const struct km_realfifo *q);
bool km_realfifo_lost(const struct km_realfifo *q);
/* Items that wait. */
uint16_t km_realfifo_len(const struct km_realfifo *q);
/* All items that wait. */
struct km_deltas km_realfifo_items(const struct km_realfifo *q);

#endif
