/* SPDX-License-Identifier: Apache-2.0 */
#include "fifo_priv.h"

/*
 * The queue's head and tail are keys, linked by next; a waiting key holds one reference to itself, so
 * that it keeps its place while its events change.
 */

void km_deltafifo_init(struct km_deltafifo *q, uint32_t seed)
{
    fifo_reset(&q->fifo, seed);
}

static void queue_key(struct km_fifo *f, uint16_t id)
{
    struct km_delta_key *k = fifo_key(f, id);

    if (k->queued)
        return;
    k->queued = true;
    k->refs++;
    k->next = 0;
    if (f->tail != 0)
        fifo_key(f, f->tail)->next = id;
    else
        f->head = id;
    f->tail = id;
    f->count++;
}

/* Takes the first key off; its events stay with the caller. The caller drops the key. */
static uint16_t unqueue_head(struct km_fifo *f, uint16_t *chain)
{
    uint16_t id = f->head;
    struct km_delta_key *k = fifo_key(f, id);

    *chain = k->first;
    k->first = k->last = 0;
    k->queued = false;
    f->head = k->next;
    if (f->head == 0)
        f->tail = 0;
    f->count--;
    return id;
}

static void append(struct km_fifo *f, uint16_t node)
{
    struct km_delta_key *k = fifo_key_of(f, fifo_node(f, node));

    fifo_node(f, node)->next = 0;
    if (k->last != 0)
        fifo_node(f, k->last)->next = node;
    else
        k->first = node;
    k->last = node;
    queue_key(f, fifo_node(f, node)->key);
}

static void drop_first_event(struct km_fifo *f, struct km_delta_key *k)
{
    uint16_t node = k->first;

    k->first = fifo_node(f, node)->next;
    if (k->first == 0)
        k->last = 0;
    fifo_node(f, node)->next = 0;
    fifo_free_chain(f, node);
}

/* Drops the oldest event that a later one supersedes; the new one, of key id, counts as later. */
static bool make_room(struct km_fifo *f, uint16_t id)
{
    if (f->free_node != 0)
        return false; /* keys are what is missing */
    for (uint16_t at = f->head; at != 0; at = fifo_key(f, at)->next) {
        struct km_delta_key *k = fifo_key(f, at);

        if (k->first == 0 || (k->first == k->last && at != id))
            continue;
        drop_first_event(f, k);
        f->merged++;
        return true;
    }
    return false;
}

static int make(struct km_fifo *f, const struct fifo_event *event, uint16_t *node)
{
    int result;

    while ((result = fifo_make(f, event, node)) == KM_ERR_FULL) {
        if (!make_room(f, fifo_find(f, event->key)))
            return fifo_refuse(f);
    }
    return result;
}

/* Of two deletions in a row the one that is no tombstone stays, of two tombstones the later one. */
static bool is_repeated_deletion(const struct km_fifo *f, const struct fifo_event *event,
                                 const struct km_delta_node **last)
{
    uint16_t id = event->type == KM_DELTA_DELETED ? fifo_find(f, event->key) : 0;

    if (id == 0 || fifo_key(f, id)->last == 0)
        return false;
    *last = fifo_node(f, fifo_key(f, id)->last);
    return (*last)->type == KM_DELTA_DELETED;
}

static void drop_before_last(struct km_fifo *f, struct km_delta_key *k, uint16_t before)
{
    uint16_t *link = &k->first;

    while (*link != before)
        link = &fifo_node(f, *link)->next;
    *link = k->last;
    fifo_node(f, before)->next = 0;
    fifo_free_chain(f, before);
}

static int queue_event(struct km_fifo *f, const struct fifo_event *event)
{
    const struct km_delta_node *last;
    bool repeated = is_repeated_deletion(f, event, &last);
    struct km_delta_key *k;
    uint16_t node, before;
    uint64_t merged = f->merged;
    int result;

    if (repeated && (last->flags & FIFO_TOMBSTONE) == 0)
        return KM_OK;
    result = make(f, event, &node);
    if (result != KM_OK) {
        if (result == KM_ERR_FULL || f->merged != merged)
            f->lost = f->lost || event->type != KM_DELTA_SYNC;
        return result;
    }
    k = fifo_key_of(f, fifo_node(f, node));
    before = k->last;
    append(f, node);
    /* Making room may have dropped it already. */
    if (repeated && before != 0)
        drop_before_last(f, k, before);
    return KM_OK;
}

static int queue_change(struct km_deltafifo *q, enum km_delta_type type, struct km_slice key,
                        const void *object, bool tombstone)
{
    struct fifo_event event = {.type = type, .key = key, .object = object, .tombstone = tombstone};
    int result = fifo_check_key(&q->fifo, key);

    if (result != KM_OK)
        return result;
    fifo_note_event(&q->fifo);
    return queue_event(&q->fifo, &event);
}

int km_deltafifo_add(struct km_deltafifo *q, struct km_slice key, const void *object)
{
    return queue_change(q, KM_DELTA_ADDED, key, object, false);
}

int km_deltafifo_update(struct km_deltafifo *q, struct km_slice key, const void *object)
{
    return queue_change(q, KM_DELTA_UPDATED, key, object, false);
}

static bool waits(const struct km_fifo *f, struct km_slice key)
{
    uint16_t id = fifo_find(f, key);

    return id != 0 && fifo_key(f, id)->first != 0;
}

int km_deltafifo_delete(struct km_deltafifo *q, struct km_slice key, const void *object,
                        bool tombstone)
{
    struct km_fifo *f = &q->fifo;
    int result = fifo_check_key(f, key);

    if (result != KM_OK)
        return result;
    if (!waits(f, key) && (f->known == NULL || !f->known->has(f->known->ctx, key))) {
        fifo_note_event(f);
        return KM_OK;
    }
    return queue_change(q, KM_DELTA_DELETED, key, object, tombstone);
}

/* A list that finds no room takes that of what waits, which it supersedes. */
static bool drop_head(void *queue)
{
    struct km_fifo *f = &((struct km_deltafifo *)queue)->fifo;
    uint16_t chain, id;

    if (f->head == 0)
        return false;
    id = unqueue_head(f, &chain);
    f->merged += km_deltas_count(&(struct km_deltas){.fifo = f, .next = chain});
    fifo_free_chain(f, chain);
    fifo_drop_key(f, id);
    f->dropped = f->lost = true;
    return true;
}

void km_deltafifo_replace_begin(struct km_deltafifo *q)
{
    fifo_stage_begin(&q->fifo);
}

int km_deltafifo_replace_item(struct km_deltafifo *q, struct km_slice key, const void *object)
{
    return fifo_stage_item(&q->fifo, key, object, drop_head, q);
}

static int queue_tombstone(struct km_fifo *f, struct km_slice key, const void *object)
{
    struct fifo_event event = {
        .type = KM_DELTA_DELETED, .key = key, .object = object, .tombstone = true};

    return queue_event(f, &event);
}

/* For keys that wait but are not in the list. */
static int bury_waiting(struct km_fifo *f)
{
    for (uint16_t at = f->head; at != 0; at = fifo_key(f, at)->next) {
        const struct km_delta_key *k = fifo_key(f, at);
        struct km_deltas last = {.fifo = f, .next = k->last};
        struct km_delta delta;
        int result;

        if (fifo_in_list(f, k) || km_deltas_next(&last, &delta) != KM_OK ||
            delta.type == KM_DELTA_DELETED)
            continue;
        result = queue_tombstone(f, delta.key, delta.object);
        if (result != KM_OK)
            return result;
    }
    return KM_OK;
}

/* For keys that are known, do not wait and are not in the list, which waits by now. */
static int bury_known(struct km_fifo *f)
{
    const struct km_known *known = f->known;
    const void *object;
    struct km_slice key;

    if (known == NULL)
        return KM_OK;
    for (uint32_t at = 0; known->next(known->ctx, &at, &key, &object) == KM_OK;) {
        int result = waits(f, key) ? KM_OK : queue_tombstone(f, key, object);

        if (result != KM_OK)
            return result;
    }
    return KM_OK;
}

int km_deltafifo_replace_end(struct km_deltafifo *q)
{
    struct km_fifo *f = &q->fifo;
    int result;

    if (!f->replacing || f->stage_failed) {
        result = f->replacing ? KM_ERR_FULL : KM_ERR_ARG;
        fifo_stage_abort(f);
        return result;
    }
    for (uint16_t node = fifo_stage_take(f), next; node != 0; node = next) {
        next = fifo_node(f, node)->next;
        if (!q->emit_replaced)
            fifo_node(f, node)->type = KM_DELTA_SYNC;
        append(f, node);
    }
    f->lost = false;
    result = bury_waiting(f);
    if (result == KM_OK)
        result = bury_known(f);
    if (!f->populated || (f->dropped && !f->synced)) {
        f->populated = true;
        f->initial = f->count;
        fifo_check_synced(f);
    }
    f->dropped = false;
    return result;
}

void km_deltafifo_replace_abort(struct km_deltafifo *q)
{
    fifo_stage_abort(&q->fifo);
}

int km_deltafifo_resync(struct km_deltafifo *q)
{
    struct km_fifo *f = &q->fifo;
    const struct km_known *known = f->known;
    struct fifo_event event = {.type = KM_DELTA_SYNC};

    if (known == NULL)
        return KM_OK;
    for (uint32_t at = 0; known->next(known->ctx, &at, &event.key, &event.object) == KM_OK;) {
        int result = event.object == NULL || waits(f, event.key) ? KM_OK : queue_event(f, &event);

        if (result != KM_OK)
            return result;
    }
    return KM_OK;
}

int km_deltafifo_pop(struct km_deltafifo *q, km_delta_fn *process, void *ctx)
{
    struct km_fifo *f = &q->fifo;
    struct km_deltas deltas = {.fifo = f};
    bool initial;
    uint16_t id;
    int result;

    if (f->popping)
        return KM_ERR_REENTRANT;
    for (;;) {
        if (f->head == 0)
            return f->closed ? KM_EOF : KM_AGAIN;
        initial = !f->synced;
        id = unqueue_head(f, &deltas.next);
        if (f->initial > 0) {
            f->initial--;
            fifo_check_synced(f);
        }
        if (deltas.next != 0)
            break;
        /* Its only event made room for one that the transform then refused. */
        fifo_drop_key(f, id);
    }
    f->popping = true;
    result = process(ctx, &deltas, initial);
    f->popping = false;
    fifo_free_chain(f, deltas.next);
    fifo_drop_key(f, id);
    return result;
}

void km_deltafifo_close(struct km_deltafifo *q)
{
    q->fifo.closed = true;
}

bool km_deltafifo_synced(const struct km_deltafifo *q)
{
    return q->fifo.synced;
}

bool km_deltafifo_lost(const struct km_deltafifo *q)
{
    return q->fifo.lost;
}

uint16_t km_deltafifo_len(const struct km_deltafifo *q)
{
    return q->fifo.count;
}

struct km_deltas km_deltafifo_get(const struct km_deltafifo *q, struct km_slice key)
{
    uint16_t id = fifo_find(&q->fifo, key);

    return (struct km_deltas){.fifo = &q->fifo,
                              .next = id != 0 ? fifo_key(&q->fifo, id)->first : 0};
}
