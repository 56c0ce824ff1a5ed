/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_informer.h"
#include "kubemote/km_log.h"

#define TOLD_ALL UINT32_MAX
#define RESYNC_MIN_MS 1000
#define HEAL_LEAST_MS 10000
#define HEAL_MOST_MS 300000
#define TURN_SLOTS 64 /* initial adds of a late handler in one turn of the loop */

enum call { ADD, UPDATE, REMOVE };

/* One change, as all handlers hear of it. flag: initial or tombstone. */
struct change {
    enum call call;
    bool flag;
    uint16_t slot;
    const void *old, *now;
    const void *known; /* REMOVE: what it was to handlers; the event's own may differ. NULL = old */
};

/* ---- calls ---- */

static bool matches(const struct km_handler *h, const void *record)
{
    return h->matches == NULL || h->matches(h->ctx, record);
}

/* What the change is to this handler; false: nothing. */
static bool see_through_filter(const struct km_handler *h, struct change *c)
{
    const void *known = c->known != NULL ? c->known : c->old;
    bool before = c->call != ADD && matches(h, known);
    bool after = c->call != REMOVE && matches(h, c->now);

    if (c->call == UPDATE && before != after) {
        c->call = after ? ADD : REMOVE;
        c->flag = false;
    }
    return before || after;
}

static void call_handler(struct km_handler *h, const struct change *change)
{
    struct change seen = *change, *c = &seen;

    if (!see_through_filter(h, c))
        return;
    switch (c->call) {
    case ADD:
        if (h->on_add != NULL)
            h->on_add(h->ctx, c->slot, c->now, c->flag);
        return;
    case UPDATE:
        if (h->on_update != NULL)
            h->on_update(h->ctx, c->slot, c->old, c->now);
        return;
    case REMOVE:
        if (h->on_delete != NULL)
            h->on_delete(h->ctx, c->slot, c->old, c->flag);
        return;
    }
}

static void unlink_removed(struct km_shared *s)
{
    struct km_handler **place = &s->handlers;

    while (*place != NULL) {
        struct km_handler *h = *place;

        if (!h->removed) {
            place = &h->next;
            continue;
        }
        *place = h->next;
        h->shared = NULL;
        h->next = NULL;
    }
}

static void set_timer(struct km_shared *s, int64_t at_ms)
{
    (void)km_timer_set(&s->reflector.client->loop->timers, &s->timer, at_ms);
}

static int64_t now_of(const struct km_shared *s)
{
    return s->reflector.client->loop->now_ms;
}

static void leave(struct km_shared *s)
{
    if (--s->depth == 0)
        unlink_removed(s);
}

static void tell(struct km_shared *s, const struct change *c)
{
    s->depth++;
    for (struct km_handler *h = s->handlers; h != NULL; h = h->next) {
        if (!h->removed && c->slot < h->cursor)
            call_handler(h, c);
    }
    leave(s);
}

static void tell_synced(struct km_shared *s, struct km_handler *h)
{
    if (!s->synced || h->synced || h->removed || h->cursor != TOLD_ALL)
        return;
    h->synced = true;
    s->depth++;
    if (h->on_synced != NULL)
        h->on_synced(h->ctx);
    leave(s);
}

/* ---- objects that a list under way brought and nobody heard of yet ---- */

static bool is_untold(const struct km_shared *s, uint16_t slot)
{
    return (s->untold[slot / 32u] >> (slot % 32u) & 1u) != 0;
}

static void mark_untold(struct km_shared *s, uint16_t slot)
{
    s->untold[slot / 32u] |= UINT32_C(1) << (slot % 32u);
}

static void mark_told(struct km_shared *s, uint16_t slot)
{
    s->untold[slot / 32u] &= ~(UINT32_C(1) << (slot % 32u));
}

/* ---- the sink ---- */

static struct km_slice object_key(const struct km_object *object, char out[KM_KEY_SIZE])
{
    struct km_slice key;

    (void)km_key_join(km_slice_of(object->ns), km_slice_of(object->name), out, KM_KEY_SIZE, &key);
    return key;
}

static void *spare(void *ctx)
{
    struct km_shared *s = ctx;

    return km_store_spare(s->store);
}

static void replace_begin(void *ctx)
{
    struct km_shared *s = ctx;

    s->replacing = true;
    s->had_room = false;
    s->store->hidden = s->untold;
    km_store_replace_begin(s->store);
}

static void note_full(struct km_shared *s, struct km_slice key)
{
    if (!s->full)
        KM_WARN("The cache is full, an object was left out", KM_S("cache", s->store->cache->name),
                KM_SL("key", key), KM_U("slots", s->store->cache->slot_count));
    s->full = true;
}

/* Of an object that nobody heard of, nobody hears that it went. */
static void tell_gone(struct km_shared *s, uint16_t slot, const void *known, const void *last,
                      bool tombstone)
{
    const struct change gone = {
        .call = REMOVE, .flag = tombstone, .slot = slot, .old = last, .known = known};

    if (slot != KM_NO_SLOT && is_untold(s, slot)) {
        mark_told(s, slot);
        return;
    }
    tell(s, &gone);
}

static int put(struct km_shared *s, struct km_slice key, struct km_store_change *change)
{
    int result = km_store_put(s->store, key, change);

    while (result == KM_STORE_EVICTED) {
        note_full(s, change->key);
        tell_gone(s, change->slot, change->old, change->old, true);
        result = km_store_put(s->store, key, change);
    }
    return result;
}

static int upsert(void *ctx)
{
    struct km_shared *s = ctx;
    struct km_store_change change;
    char text[KM_KEY_SIZE];
    void *record = km_store_spare(s->store);
    struct km_slice key = object_key(record, text);

    /* What is stored must be told: what comes behind a stop is left for the list after the next start. */
    if (s->stop_wanted)
        return KM_OK;
    if (s->transform != NULL)
        s->transform(s->transform_ctx, record);
    int result = put(s, key, &change);
    if (result == KM_ERR_FULL)
        note_full(s, key);
    if (result < 0)
        return result;
    if (result == KM_CACHE_ADDED && s->replacing) {
        mark_untold(s, change.slot);
        return KM_OK;
    }
    if (is_untold(s, change.slot))
        return KM_OK;
    const struct change c = {.call = result == KM_CACHE_ADDED ? ADD : UPDATE,
                             .slot = change.slot,
                             .old = change.old,
                             .now = change.now};
    tell(s, &c);
    return KM_OK;
}

/* Room is left for what was left out. Where some objects are preferred also when another has taken the room meanwhile: among
   those that were left out may be one that is preferred to it. */
static bool wants_list(struct km_shared *s)
{
    if (km_store_has_room(s->store)) {
        s->had_room = s->store->prefers != NULL;
        return true;
    }
    return s->had_room && !s->replacing;
}

/* Room again: what was left out comes in by a new list. The more lists in a row do not fit, the longer until the next one. */
static void heal(struct km_shared *s)
{
    int64_t now_ms = now_of(s);

    if (km_store_complete(s->store)) {
        s->full = false;
        s->heal_space_ms = 0;
    }
    if (!wants_list(s) || s->heal_at_ms > now_ms)
        return;
    s->heal_space_ms = s->heal_space_ms == 0 ? HEAL_LEAST_MS : s->heal_space_ms * 2;
    if (s->heal_space_ms > HEAL_MOST_MS)
        s->heal_space_ms = HEAL_MOST_MS;
    s->heal_at_ms = now_ms + s->heal_space_ms;
    set_timer(s, now_ms);
    km_reflector_resync(&s->reflector, "the cache has room again");
}

/* A list under way says at its end what is gone: an object that it brought and took back counts as not seen. */
static void unsee(struct km_shared *s, uint16_t slot)
{
    struct km_cache *cache = s->store->cache;

    cache->slots[slot].round = cache->round - 1u;
}

static void remove_object(void *ctx)
{
    struct km_shared *s = ctx;
    struct km_store_change change = {0};
    char text[KM_KEY_SIZE];
    const void *last = km_store_spare(s->store);
    struct km_slice key = object_key(last, text);
    uint16_t slot;
    bool known = km_cache_find(s->store->cache, key, &slot) == KM_OK;

    if (s->stop_wanted)
        return;
    if (known && s->replacing && !is_untold(s, slot)) {
        unsee(s, slot);
        return;
    }
    if (known)
        (void)km_store_delete(s->store, key, &change);
    else if (s->replacing)
        return;
    tell_gone(s, known ? slot : KM_NO_SLOT, change.old, last, false);
    heal(s);
}

static void tell_untold(struct km_shared *s)
{
    uint16_t slot;

    for (uint32_t from = 0; !s->stop_wanted && from < s->store->cache->slot_count &&
                            km_cache_next(s->store->cache, (uint16_t)from, &slot) == KM_OK;
         from = slot + 1u) {
        if (!is_untold(s, slot))
            continue;
        mark_told(s, slot);
        const struct change c = {.call = ADD,
                                 .flag = !s->synced,
                                 .slot = slot,
                                 .now = km_cache_get(s->store->cache, slot)};
        tell(s, &c);
    }
}

static void replace_end(void *ctx)
{
    struct km_shared *s = ctx;
    struct km_store_change change;

    s->store->hidden = NULL;
    while (!s->stop_wanted && km_store_sweep(s->store, &change) == KM_OK)
        tell_gone(s, change.slot, change.old, change.old, true);
    tell_untold(s);
    if (s->stop_wanted) {
        s->store->hidden = s->untold;
        return;
    }
    s->replacing = false;
    s->synced = true;
    s->depth++;
    for (struct km_handler *h = s->handlers; h != NULL; h = h->next)
        tell_synced(s, h);
    leave(s);
    heal(s);
}

static void progress(void *ctx, const char *rv)
{
    struct km_shared *s = ctx;

    (void)km_store_note_version(s->store, km_slice_of(rv));
    if (s->saved != NULL && !s->stop_wanted)
        km_saved_note(s->saved, rv, now_of(s));
}

static void expired(void *ctx, const char *rv)
{
    struct km_shared *s = ctx;

    KM_WARN("The server can't go on from the saved resourceVersion: what happened since is lost, "
            "listing anew",
            KM_S("resource", s->reflector.name), KM_S("resourceVersion", rv));
    if (s->on_lost != NULL)
        s->on_lost(s->error_ctx, rv);
}

static void failed(void *ctx, const char *why)
{
    struct km_shared *s = ctx;

    if (s->on_error != NULL)
        s->on_error(s->error_ctx, why);
}

/* ---- late handlers and resyncs ---- */

static void walk_on(struct km_shared *s, struct km_handler *h)
{
    struct km_cache *cache = s->store->cache;
    uint32_t end = h->cursor + TURN_SLOTS;
    uint16_t slot;

    while (!h->removed && h->cursor < end) {
        if (h->cursor >= cache->slot_count ||
            km_cache_next(cache, (uint16_t)h->cursor, &slot) != KM_OK) {
            h->cursor = TOLD_ALL;
            tell_synced(s, h);
            return;
        }
        h->cursor = slot + 1u;
        const struct change c = {
            .call = ADD, .flag = true, .slot = slot, .now = km_cache_get(cache, slot)};
        if (!is_untold(s, slot))
            call_handler(h, &c);
    }
}

static void resync(struct km_shared *s, struct km_handler *h)
{
    struct km_cache *cache = s->store->cache;
    uint16_t slot;

    for (uint32_t from = 0; !h->removed && from < cache->slot_count &&
                            km_cache_next(cache, (uint16_t)from, &slot) == KM_OK;
         from = slot + 1u) {
        const void *now = km_cache_get(cache, slot);
        const struct change c = {.call = UPDATE, .slot = slot, .old = now, .now = now};

        if (!is_untold(s, slot))
            call_handler(h, &c);
    }
}

static int64_t serve(struct km_shared *s, struct km_handler *h, int64_t now_ms)
{
    if (h->removed)
        return KM_NEVER;
    if (h->cursor != TOLD_ALL) {
        walk_on(s, h);
        return now_ms;
    }
    if (h->resync_ms == 0)
        return KM_NEVER;
    if (h->resync_at_ms <= now_ms) {
        h->resync_at_ms = now_ms + h->resync_ms;
        if (h->synced)
            resync(s, h);
    }
    return h->resync_at_ms;
}

static void on_timer(void *ctx, int64_t now_ms)
{
    struct km_shared *s = ctx;
    int64_t next_ms = KM_NEVER;

    if (s->stop_wanted) {
        km_shared_stop(s);
        return;
    }
    heal(s);
    s->depth++;
    for (struct km_handler *h = s->handlers; h != NULL && !s->stop_wanted; h = h->next) {
        int64_t due_ms = serve(s, h, now_ms);

        if (due_ms < next_ms)
            next_ms = due_ms;
    }
    leave(s);
    if (s->heal_at_ms > now_ms && s->heal_at_ms < next_ms)
        next_ms = s->heal_at_ms;
    set_timer(s, s->stop_wanted ? now_ms : next_ms);
}

/* ---- for the program ---- */

static void forget_handlers(struct km_shared *s)
{
    while (s->handlers != NULL) {
        struct km_handler *h = s->handlers;

        s->handlers = h->next;
        h->shared = NULL;
        h->next = NULL;
    }
}

int km_shared_init(struct km_shared *s, uint32_t hash_seed, struct km_fault *fault)
{
    if (!km_kind_has_meta(s->reflector.kind))
        return km_fault_set(fault, KM_ERR_ARG, "the kind of %s does not begin with KM_META_FIELDS",
                            s->reflector.name);
    if (s->reflector.kind->record_size != s->store->cache->record_size)
        return km_fault_set(fault, KM_ERR_ARG, "the store of %s is for records of another kind",
                            s->reflector.name);
    km_store_init(s->store, hash_seed);
    forget_handlers(s);
    s->running = s->replacing = s->synced = s->stop_wanted = s->full = false;
    s->heal_at_ms = s->heal_space_ms = 0;
    km_rng_seed(&s->rng, hash_seed);
    if (s->reflector.rng == NULL)
        s->reflector.rng = &s->rng;
    if (s->reflector.client == NULL)
        s->reflector.client = s->reflector.lane->client;
    memset(s->untold, 0, sizeof s->untold[0] * KM_BITMAP_WORDS(s->store->cache->slot_count));
    s->timer.fn = on_timer;
    s->timer.ctx = s;
    s->reflector.sink = (struct km_watch_sink){.spare = spare,
                                               .replace_begin = replace_begin,
                                               .upsert = upsert,
                                               .remove = remove_object,
                                               .replace_end = replace_end,
                                               .progress = progress,
                                               .expired = expired,
                                               .failed = failed,
                                               .ctx = s};
    return km_reflector_init(&s->reflector, fault);
}

static bool begin_running(struct km_shared *s)
{
    if (s->timer.fn == NULL)
        return false;
    /* What came between the stop and now was let pass: only a list brings it in. */
    if (s->stop_wanted && s->depth == 0)
        km_shared_stop(s);
    bool runs = s->running;
    s->stop_wanted = false;
    s->running = true;
    if (!runs)
        set_timer(s, now_of(s));
    return !runs;
}

void km_shared_start(struct km_shared *s)
{
    if (begin_running(s))
        km_reflector_start(&s->reflector);
}

void km_shared_keep(struct km_shared *s, struct km_saved *saved)
{
    s->saved = saved;
}

void km_shared_resume(struct km_shared *s, const char *rv)
{
    if (begin_running(s))
        km_reflector_resume(&s->reflector, rv);
}

void km_shared_stop(struct km_shared *s)
{
    if (!s->running)
        return;
    /* The reflector may be the one who is calling. */
    if (s->depth > 0) {
        s->stop_wanted = true;
        set_timer(s, now_of(s));
        return;
    }
    s->running = false;
    s->stop_wanted = false;
    km_timer_stop(&s->reflector.client->loop->timers, &s->timer);
    km_reflector_stop(&s->reflector);
}

int km_shared_add(struct km_shared *s, struct km_handler *h)
{
    struct km_handler **place = &s->handlers;
    bool late = s->running || km_cache_count(s->store->cache) > 0;

    if (h->shared != NULL || s->timer.fn == NULL)
        return KM_ERR_ARG;
    h->shared = s;
    h->next = NULL;
    h->removed = false;
    h->synced = false;
    h->cursor = late ? 0 : TOLD_ALL;
    if (h->resync_ms > 0 && h->resync_ms < RESYNC_MIN_MS)
        h->resync_ms = RESYNC_MIN_MS;
    h->resync_at_ms = now_of(s) + h->resync_ms;
    while (*place != NULL)
        place = &(*place)->next;
    *place = h;
    if (s->running)
        set_timer(s, now_of(s));
    return KM_OK;
}

int km_shared_remove(struct km_shared *s, struct km_handler *h)
{
    if (h->shared == NULL)
        return KM_OK;
    if (h->shared != s)
        return KM_ERR_ARG;
    h->removed = true;
    if (s->depth == 0)
        unlink_removed(s);
    return KM_OK;
}

bool km_handler_busy(const struct km_handler *h)
{
    return h->shared != NULL;
}

enum km_synced km_shared_synced(const struct km_shared *s)
{
    if (!s->synced)
        return KM_NOT_SYNCED;
    return km_store_complete(s->store) ? KM_SYNCED : KM_SYNCED_IN_PART;
}

uint32_t km_shared_left_out(const struct km_shared *s)
{
    return km_store_left_out(s->store);
}

bool km_shared_complete(const struct km_shared *s)
{
    return km_store_complete(s->store);
}

bool km_handler_synced(const struct km_handler *h)
{
    return h->synced;
}
