/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room control: the shared informer. One reflector and one store per resource and options, any number of handlers, each as
 * if it had the informer to itself; what client-go's SharedIndexInformer and its factory do, in fixed memory.
 *
 *     server -> reflector -> spare slot -> transform -> store -> handlers, one after another, in this turn of the loop
 *
 * There is no queue between store and handlers: an object is decoded into the one spare slot, changes places with the former
 * one, and each handler is called with both. Nothing is held back, merged or lost; a slow handler slows the watch, so a
 * handler must not block: it puts keys on queues (km_queue.h). Blocking calls from a handler return KM_ERR_REENTRANT.
 *
 * What a handler sees, per key, is what client-go's would see, with these differences:
 *  - Objects that are new in a list are told when the list is complete, as there; those that changed are told as they come.
 *    When a list breaks off, client-go's has told none of it, this one may have told updates: the next list puts all right.
 *  - After a broken link the contents are listed again (km_watch.h says why): updates with the same resourceVersion on both
 *    sides, where client-go goes on with the watch.
 *  - When there are more objects than slots, some are left out: km_shared_synced, km_shared_complete and km_shared_left_out say
 *    so. Those that were refused come in by a new list when there is room again: after 10 s, and after twice as long each time
 *    (at most 5 minutes) while lists still don't fit, so that the rate of requests is flat whatever comes and goes.
 *  - An object of which the fields of the kind take more than CONFIG_KM_JSON_WINDOW_BYTES or CONFIG_KM_JSON_TOKEN_COUNT lacks
 *    the last of them: its record says so (head.truncated), the first is logged, and reflector.cut
 *    (kubemote_watch_cut_total) and the pool json_tokens count. Only one whose name does not fit is passed over
 *    (reflector.skipped, kubemote_watch_skipped_total): declare large fields behind metadata.
 *
 * What readers see is never half a list. The store, its indexes and the lister go on showing the objects that were there, each
 * as last told; what a list under way brings anew is hidden until the list is complete, and then all of it is there at
 * once, before the first handler hears of it. A new list needs no second store: objects stand in their slots and carry the
 * number of the list that saw them last.
 *
 * A handler that takes long: what the server sends meanwhile waits in the socket and then in the server, which drops a watch
 * that reads too slowly; the contents are listed again then, and the handler is told the difference (updates in between are
 * merged, deletions that were missed are tombstones). Other handlers of the loop wait too.
 *
 * One owner, the loop; no locks. Storage is the caller's or static; nothing allocates.
 */
#ifndef KM_INFORMER_H
#define KM_INFORMER_H

#include "km_index.h"
#include "km_metrics.h"
#include "km_saved.h"
#include "km_selector.h"
#include "km_watch.h"

#define KM_NO_SLOT UINT16_MAX

struct km_shared;

/*
 * Calls may add and remove handlers (themselves too) and stop the informer. A handler that was added during a call hears
 * nothing of that change but gets the contents from the next turn of the loop on; one that was removed hears nothing more,
 * and its memory is the caller's again when the outermost call has returned (km_handler_busy).
 * Records are const, valid during the call; the slot stays the object's as long as it exists. NULL functions are left out.
 */
struct km_handler {
    /* Set before km_shared_add. */
    /* initial: it belongs to the first list, or to what was there when this handler was added. */
    void (*on_add)(void *ctx, uint16_t slot, const void *now, bool initial);
    /* The resourceVersions may be equal (a new list, a resync); compare uids to see that another object has the name now. */
    void (*on_update)(void *ctx, uint16_t slot, const void *old, const void *now);
    /* last: as the event had it; tombstone: the event was missed, last is what was known. KM_NO_SLOT: it was not known. */
    void (*on_delete)(void *ctx, uint16_t slot, const void *last, bool tombstone);
    /* Everything of the first list was told to this handler. */
    void (*on_synced)(void *ctx);
    /* Which objects this handler hears of; NULL: all. An update by which an object comes to match is told as an addition, one by
       which it ceases to as a deletion with the former record (client-go's FilteringResourceEventHandler). A deletion is told
       when the former record matched, whatever the event's does. It depends on the record only. */
    bool (*matches)(void *ctx, const void *record);
    void *ctx;
    int64_t resync_ms; /* every object as an update of itself so often; at least 1 s; 0 = never */

    /* Private. */
    struct km_shared *shared;
    struct km_handler *next;
    uint32_t cursor; /* slots below were told; all from UINT32_MAX on */
    int64_t resync_at_ms;
    bool synced, removed;
};

struct km_shared {
    /* Set before km_shared_init; of the reflector all but the sink, the nodes, which KM_SHARED_DEFINE brings, the client, which
       is the lane's, and rng: NULL is one of its own, seeded by hash_seed. */
    struct km_reflector reflector;
    struct km_store *store;
    uint32_t *untold; /* a bit per slot */
    /* Changes the record before it is stored, drops what nobody needs; may be NULL. Keys are made before. */
    void (*transform)(void *ctx, void *record);
    void *transform_ctx;
    /* A list or a watch failed and is tried again; may be NULL. Must not stop the informer. */
    void (*on_error)(void *ctx, const char *why);
    /* The server can't go on from the version that km_shared_resume was given: what happened since is lost, and a list follows,
       told as additions with `initial`. May be NULL. */
    void (*on_lost)(void *ctx, const char *rv);
    void *error_ctx; /* of both */

    /* Private. */
    struct km_handler *handlers;
    struct km_shared *next; /* of a factory */
    struct km_saved *saved;
    struct km_rng rng;
    struct km_timer timer;
    uint16_t depth; /* of calls under way */
    bool running, replacing, synced, stop_wanted, full;
    bool had_room; /* for what was left out, since the last list began */
    int64_t heal_at_ms,
        heal_space_ms; /* the next list for what was left out, and the space before it */
};

/* Storage of an informer: id, and its store id_store. prefers_ as in KM_STORE_DEFINE: which of two objects is kept when there
   is room for one of them; NULL refuses what comes too late. */
#define KM_SHARED_DEFINE(id, type, slots_, key_size_, prefers_, ctx_) \
    KM_STORE_DEFINE(id##_store, type, slots_, key_size_, prefers_, ctx_); \
    static uint32_t id##_untold[KM_BITMAP_WORDS(slots_)] KM_POOL_STORAGE(id##_untold); \
    static struct km_schema_node id##_nodes[2][CONFIG_KM_JSON_NODE_COUNT] KM_POOL_STORAGE( \
        id##_nodes); \
    static struct km_shared id = { \
        .reflector = {.event_nodes = id##_nodes[0], .list_nodes = id##_nodes[1]}, \
        .store = &id##_store, \
        .untold = id##_untold}

/* Empties the store, forgets its handlers and sets the reflector up; not while it runs. Indexes and handlers are added after
   this. KM_ERR_ARG: the kind does not begin with KM_META_FIELDS, or the store is for records of another kind; KM_ERR_FULL as
   km_reflector_init. */
int km_shared_init(struct km_shared *s, uint32_t hash_seed, struct km_fault *fault);
/* Starts, or starts again after a stop: the contents are kept and put right by a new list. Nothing before km_shared_init. */
void km_shared_start(struct km_shared *s);
/*
 * For programs that handle events and keep no picture: the resourceVersion is noted in `saved` when all handlers had an event,
 * and km_shared_resume goes on behind the one that was saved, without a list: what a program handled before it was killed
 * does not come again, but for what came since the last write. The store then has only objects that changed since, all told
 * as added, and deletions of others (KM_NO_SLOT). A version that the server has forgotten, or that its restored store does not
 * have, is logged and told to on_lost, and a list follows.
 */
void km_shared_keep(struct km_shared *s, struct km_saved *saved);
void km_shared_resume(struct km_shared *s, const char *rv); /* "" = as km_shared_start */
/* No call comes after it returned or, from within a call, after all handlers were told of that change. Contents and handlers
   stay. */
void km_shared_stop(struct km_shared *s);
/* Adds a handler, at any time after km_shared_init. KM_ERR_ARG: before it, or it is one already, of this informer or another. */
int km_shared_add(struct km_shared *s, struct km_handler *h);
/* KM_OK, also when it is removed already; KM_ERR_ARG: another informer's. */
int km_shared_remove(struct km_shared *s, struct km_handler *h);
/* Its memory is still in use. */
bool km_handler_busy(const struct km_handler *h);

/* Others than the first are true. */
enum km_synced {
    KM_NOT_SYNCED,
    KM_SYNCED_IN_PART, /* the first list is complete, but some objects had no room */
    KM_SYNCED
};
enum km_synced km_shared_synced(const struct km_shared *s);
/* No object was left out for want of a slot. */
bool km_shared_complete(const struct km_shared *s);
/* How many were, as km_store_left_out: for a gauge or a condition. */
uint32_t km_shared_left_out(const struct km_shared *s);
bool km_handler_synced(const struct km_handler *h);

/* kubemote_informer_objects, _left_out and _synced of some informers; the cache's name is their label, as of its pool. informers is kept, not
   copied; they are initialised before metrics are written. */
struct km_shared_collector {
    const struct km_shared *const *informers;
    unsigned count;
    struct km_collector collector;
};
void km_shared_collector_register(struct km_shared_collector *c);

/* Runs the loop until all are synced. KM_OK, KM_ERR_TIMEOUT, KM_ERR_CANCELED when the process is to stop, KM_ERR_REENTRANT
   from within the loop. Blocks. */
int km_shared_wait(struct km_shared *const list[], uint16_t count, int64_t timeout_ms);
/* Runs the loop until s is synced and its contents meet a condition, looked at after each turn (client-go's UntilWithSync): a
   program waits for a Job to end. Results as km_shared_wait's. Blocks. */
int km_shared_until(const struct km_shared *s, bool (*met)(void *ctx, const struct km_store *store),
                    void *ctx, int64_t timeout_ms);

/* ---- factory: one informer per resource and options ---- */

struct km_factory {
    struct km_shared *first;
};

/*
 * The informer of this factory that does what `mine` would do (same resource, namespace, selectors, kind, metadata_only and
 * transform), however many ask for it; when there is none `mine` is initialised and becomes it. *out is never NULL on
 * KM_OK. Start-up only.
 */
int km_factory_informer(struct km_factory *f, struct km_shared *mine, uint32_t hash_seed,
                        struct km_fault *fault, struct km_shared **out);
void km_factory_start(struct km_factory *f); /* those that do not run yet */
void km_factory_stop(struct km_factory *f);
bool km_factory_synced(const struct km_factory *f);
int km_factory_wait(struct km_factory *f, int64_t timeout_ms); /* as km_shared_wait */

/* ---- lister: reads from the store ---- */

/* The labels of a record, at most size of them; returns their number. */
typedef uint16_t km_labels_fn(const void *record, struct km_label *out, uint16_t size);

#define KM_LISTER_LABELS 64 /* of one object, looked at */

struct km_lister {
    const struct km_store *store;
    const struct km_index *by_namespace; /* NULL: all objects are looked through */
    km_labels_fn *labels;                /* NULL: no selection by labels */
};

struct km_lister_walk {
    const struct km_lister *lister;
    struct km_slice ns;                       /* empty = all */
    const struct km_label_selector *selector; /* NULL = everything */
    struct km_index_walk index;
    uint32_t from;
};

/* ns and selector stay valid during the walk; objects that change meanwhile: as km_cache_next and km_index_next say. */
void km_lister_find(const struct km_lister *lister, struct km_slice ns,
                    const struct km_label_selector *selector, struct km_lister_walk *walk);
/* KM_OK with *record, KM_ERR_NOT_FOUND at the end. */
int km_lister_next(struct km_lister_walk *walk, const void **record);
/* NULL when there is none. ns "" for cluster-scoped objects. */
const void *km_lister_get(const struct km_lister *lister, const char *ns, const char *name);

/* Labels out of a KM_F_RAW field of "/metadata/labels": slices of that text. Entries with escapes, which no valid label has,
   are left out. A field that was too short for an object's labels is empty (head.truncated says so). Who needs few of them gives each
   a field of its own ("/metadata/labels/app", "/metadata/labels/example.io~1tier"): any number of others fits then. */
uint16_t km_labels_of_json(struct km_slice json, struct km_label *out, uint16_t size);

#endif
