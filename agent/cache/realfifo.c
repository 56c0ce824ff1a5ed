/* SPDX-License-Identifier: Apache-2.0 */
#include "fifo_priv.h"

/* The queue's head and tail are events, linked by next and prev; a key's last is its last waiting
   event, 0 when none waits. */

int km_realfifo_init(struct km_realfifo *q, uint32_t seed)
{
    if (q->atomic ? q->fifo.known != NULL : q->fifo.known == NULL || q->emit_bookmarks)
        return KM_ERR_ARG;
    fifo_reset(&q->fifo, seed);
    q->bookmarks = 0;
    q->taken_initial = 0;
    if (q->batch_max == 0)
        q->batch_max = 1000;
    return KM_OK;
}

static void append(struct km_realfifo *q, uint16_t node)
{
    struct km_fifo *f = &q->fifo;
    struct km_delta_node *n = fifo_node(f, node);

    n->next = 0;
    n->prev = f->tail;
    if (f->tail != 0)
        fifo_node(f, f->tail)->next = node;
    else
        f->head = node;
    f->tail = node;
    f->count++;
    q->bookmarks = (uint16_t)(q->bookmarks + (n->type == KM_DELTA_BOOKMARK));
    fifo_key_of(f, n)->last = node;
}

static void unlink_node(struct km_realfifo *q, uint16_t node)
{
    struct km_fifo *f = &q->fifo;
    struct km_delta_node *n = fifo_node(f, node);
    struct km_delta_key *k = fifo_key_of(f, n);

    if (n->prev != 0)
        fifo_node(f, n->prev)->next = n->next;
    else
        f->head = n->next;
    if (n->next != 0)
        fifo_node(f, n->next)->prev = n->prev;
    else
        f->tail = n->prev;
    n->next = n->prev = 0;
    f->count--;
    q->bookmarks = (uint16_t)(q->bookmarks - (n->type == KM_DELTA_BOOKMARK));
    if (k->last == node)
        k->last = 0;
}

/* The oldest bookmark, or the oldest event that a later one supersedes; the new one, of key id,
   counts as later. 0 when there is none. */
static uint16_t find_superseded(const struct km_realfifo *q, uint16_t id)
{
    const struct km_fifo *f = &q->fifo;
    uint16_t at;

    for (at = f->head; at != 0; at = fifo_node(f, at)->next) {
        const struct km_delta_node *n = fifo_node(f, at);

        if (q->bookmarks > 0 ? n->type == KM_DELTA_BOOKMARK
                             : n->type < KM_DELTA_REPLACED_ALL &&
                                   (fifo_key_of(f, n)->last != at || n->key == id))
            break;
    }
    return at;
}

/* Whose turn decides about the first sync is now the event that supersedes; *carried when that is
   the new one. */
static bool make_room(struct km_realfifo *q, uint16_t id, bool *carried)
{
    struct km_fifo *f = &q->fifo;
    uint16_t node = find_superseded(q, id), last;
    struct km_delta_node *n;

    if (node == 0)
        return false;
    n = fifo_node(f, node);
    unlink_node(q, node);
    last = fifo_key_of(f, n)->last;
    if ((n->flags & FIFO_INITIAL) != 0) {
        f->initial--;
        if (last != 0 && (fifo_node(f, last)->flags & FIFO_INITIAL) == 0) {
            fifo_node(f, last)->flags |= FIFO_INITIAL;
            f->initial++;
        } else if (last == 0 && n->type != KM_DELTA_BOOKMARK) {
            *carried = true;
        }
    }
    fifo_free_chain(f, node);
    f->merged++;
    return true;
}

static int queue_event(struct km_realfifo *q, const struct fifo_event *event)
{
    struct km_fifo *f = &q->fifo;
    uint64_t merged = f->merged;
    bool carried = false;
    uint16_t node;
    int result;

    while ((result = fifo_make(f, event, &node)) == KM_ERR_FULL) {
        if (!make_room(q, fifo_find(f, event->key), &carried)) {
            (void)fifo_refuse(f);
            break;
        }
    }
    if (result != KM_OK) {
        if (result == KM_ERR_FULL || f->merged != merged)
            f->lost = f->lost || event->type != KM_DELTA_SYNC;
        return result;
    }
    append(q, node);
    if (carried) {
        fifo_node(f, node)->flags |= FIFO_INITIAL;
        f->initial++;
    }
    fifo_check_synced(f);
    return KM_OK;
}

static int queue_change(struct km_realfifo *q, enum km_delta_type type, struct km_slice key,
                        const void *object, bool tombstone)
{
    struct fifo_event event = {.type = type, .key = key, .object = object, .tombstone = tombstone};

    fifo_note_event(&q->fifo);
    return queue_event(q, &event);
}

int km_realfifo_add(struct km_realfifo *q, struct km_slice key, const void *object)
{
    return queue_change(q, KM_DELTA_ADDED, key, object, false);
}

int km_realfifo_update(struct km_realfifo *q, struct km_slice key, const void *object)
{
    return queue_change(q, KM_DELTA_UPDATED, key, object, false);
}

int km_realfifo_delete(struct km_realfifo *q, struct km_slice key, const void *object,
                       bool tombstone)
{
    return queue_change(q, KM_DELTA_DELETED, key, object, tombstone);
}

static int queue_text(struct km_realfifo *q, enum km_delta_type type, struct km_slice text)
{
    struct km_fifo *f = &q->fifo;
    bool carried = false;
    uint16_t node;
    int result;

    while ((result = fifo_make_text(f, type, text, &node)) == KM_ERR_FULL) {
        if (!make_room(q, 0, &carried))
            return fifo_refuse(f);
    }
    if (result != KM_OK)
        return result;
    append(q, node);
    fifo_check_synced(f);
    return KM_OK;
}

int km_realfifo_bookmark(struct km_realfifo *q, struct km_slice version)
{
    return q->emit_bookmarks ? queue_text(q, KM_DELTA_BOOKMARK, version) : KM_OK;
}

/* A list that finds no room takes that of what waits, which it supersedes. */
static bool drop_head(void *queue)
{
    struct km_realfifo *q = queue;
    struct km_fifo *f = &q->fifo;
    uint16_t node = f->head;

    if (node == 0)
        return false;
    unlink_node(q, node);
    fifo_free_chain(f, node);
    f->merged++;
    f->dropped = f->lost = true;
    return true;
}

void km_realfifo_replace_begin(struct km_realfifo *q)
{
    fifo_stage_begin(&q->fifo);
}

int km_realfifo_replace_item(struct km_realfifo *q, struct km_slice key, const void *object)
{
    return fifo_stage_item(&q->fifo, key, object, drop_head, q);
}

static int queue_list(struct km_realfifo *q, struct km_slice version)
{
    struct km_fifo *f = &q->fifo;
    uint16_t node;
    int result;

    while ((result = fifo_make_text(f, KM_DELTA_REPLACED_ALL, version, &node)) == KM_ERR_FULL &&
           drop_head(q))
        continue;
    if (result != KM_OK)
        return result;
    append(q, node);
    fifo_node(f, node)->child = fifo_stage_take(f);
    return KM_OK;
}

static int queue_tombstone(struct km_realfifo *q, struct km_slice key, const void *object)
{
    struct fifo_event event = {
        .type = KM_DELTA_DELETED, .key = key, .object = object, .tombstone = true};
    uint16_t node;
    int result = fifo_make(&q->fifo, &event, &node);

    if (result != KM_OK)
        return result;
    fifo_mark_seen(&q->fifo, fifo_key_of(&q->fifo, fifo_node(&q->fifo, node)));
    append(q, node);
    return KM_OK;
}

/* For keys that wait but are not in the list, in order of their first event. */
static int bury_waiting(struct km_realfifo *q)
{
    struct km_fifo *f = &q->fifo;

    for (uint16_t at = f->head; at != 0; at = fifo_node(f, at)->next) {
        struct km_delta_key *k = fifo_key_of(f, fifo_node(f, at));
        struct km_deltas last = {.fifo = f, .next = k->last};
        struct km_delta delta;
        int result;

        if (fifo_seen(f, k))
            continue;
        fifo_mark_seen(f, k);
        (void)km_deltas_next(&last, &delta);
        if (delta.type == KM_DELTA_DELETED)
            continue;
        result = queue_tombstone(q, delta.key, delta.object);
        if (result != KM_OK)
            return result;
    }
    return KM_OK;
}

static int bury_known(struct km_realfifo *q)
{
    struct km_fifo *f = &q->fifo;
    const struct km_known *known = f->known;
    const void *object;
    struct km_slice key;

    for (uint32_t at = 0; known->next(known->ctx, &at, &key, &object) == KM_OK;) {
        uint16_t id = fifo_find(f, key);
        int result =
            id != 0 && fifo_seen(f, fifo_key(f, id)) ? KM_OK : queue_tombstone(q, key, object);

        if (result != KM_OK)
            return result;
    }
    return KM_OK;
}

static int bury(struct km_realfifo *q)
{
    int result = bury_waiting(q);

    return result == KM_OK ? bury_known(q) : result;
}

static int queue_items(struct km_realfifo *q)
{
    struct km_fifo *f = &q->fifo;
    int result = bury(q);

    if (result == KM_ERR_FULL && f->head != 0) {
        while (drop_head(q))
            continue;
        for (uint32_t i = 0; i < f->key_count; i++) {
            if (!fifo_in_list(f, &f->keys[i]))
                f->keys[i].round = 0;
        }
        result = bury(q);
    }
    if (result != KM_OK)
        return result;
    for (uint16_t node = fifo_stage_take(f), next; node != 0; node = next) {
        next = fifo_node(f, node)->next;
        append(q, node);
    }
    return KM_OK;
}

/* All that waits now belongs to the first list, and what is being handled if it did. */
static void mark_initial(struct km_realfifo *q)
{
    struct km_fifo *f = &q->fifo;

    for (uint16_t at = f->head; at != 0; at = fifo_node(f, at)->next)
        fifo_node(f, at)->flags |= FIFO_INITIAL;
    f->populated = true;
    f->initial = (uint32_t)f->count + q->taken_initial;
    fifo_check_synced(f);
}

int km_realfifo_replace_end(struct km_realfifo *q, struct km_slice version)
{
    struct km_fifo *f = &q->fifo;
    int result = !f->replacing ? KM_ERR_ARG : f->stage_failed ? KM_ERR_FULL : KM_OK;

    if (result == KM_OK) {
        result = q->atomic ? queue_list(q, version) : queue_items(q);
        if (result == KM_ERR_FULL) {
            f->lost = true;
            (void)fifo_refuse(f);
        }
    }
    if (result != KM_OK) {
        fifo_stage_abort(f);
        return result;
    }
    f->lost = false;
    if (!f->populated || (f->dropped && !f->synced))
        mark_initial(q);
    f->dropped = false;
    return KM_OK;
}

void km_realfifo_replace_abort(struct km_realfifo *q)
{
    fifo_stage_abort(&q->fifo);
}

int km_realfifo_resync(struct km_realfifo *q)
{
    struct km_fifo *f = &q->fifo;
    const struct km_known *known = f->known;
    struct fifo_event event = {.type = KM_DELTA_SYNC};

    if (q->atomic)
        return queue_text(q, KM_DELTA_SYNC_ALL, (struct km_slice){.ptr = "", .len = 0});
    for (uint32_t at = 0; known->next(known->ctx, &at, &event.key, &event.object) == KM_OK;) {
        uint16_t id = fifo_find(f, event.key);
        int result = KM_OK;

        if (event.object != NULL && (id == 0 || fifo_key(f, id)->last == 0))
            result = queue_event(q, &event);
        if (result != KM_OK)
            return result;
    }
    return KM_OK;
}

/* Whether the head may join the items that were taken. */
static bool may_join(const struct km_realfifo *q, uint16_t first)
{
    const struct km_fifo *f = &q->fifo;
    const struct km_delta_node *n = fifo_node(f, f->head);

    return first == 0 || (n->type < KM_DELTA_REPLACED_ALL && !fifo_key_of(f, n)->queued &&
                          ((n->flags ^ fifo_node(f, first)->flags) & FIFO_INITIAL) == 0);
}

/* An item that can't be told from others, or must not be with others, closes a batch. */
static bool closes(const struct km_fifo *f, const struct km_delta_node *n)
{
    return n->type >= KM_DELTA_REPLACED_ALL || fifo_key_of(f, n)->len == 0;
}

static uint16_t take(struct km_realfifo *q, uint16_t max)
{
    struct km_fifo *f = &q->fifo;
    uint16_t first = 0, last = 0;
    bool closed = false;

    for (uint16_t count = 0; count < max && f->head != 0 && !closed && may_join(q, first);
         count++) {
        uint16_t node = f->head;

        unlink_node(q, node);
        if (first == 0)
            first = node;
        else
            fifo_node(f, last)->next = node;
        last = node;
        fifo_key_of(f, fifo_node(f, node))->queued = true;
        q->taken_initial += (fifo_node(f, node)->flags & FIFO_INITIAL) != 0;
        closed = closes(f, fifo_node(f, node));
    }
    for (uint16_t node = first; node != 0; node = fifo_node(f, node)->next)
        fifo_key_of(f, fifo_node(f, node))->queued = false;
    return first;
}

static int pop(struct km_realfifo *q, uint16_t max, km_delta_fn *batch, km_delta_fn *single,
               void *ctx)
{
    struct km_fifo *f = &q->fifo;
    struct km_deltas deltas = {.fifo = f};
    bool initial = !f->synced;
    int result;

    if (f->popping)
        return KM_ERR_REENTRANT;
    if (f->head == 0)
        return f->closed ? KM_EOF : KM_AGAIN;
    deltas.next = take(q, max);
    f->popping = true;
    result = (km_deltas_count(&deltas) > 1 ? batch : single)(ctx, &deltas, initial);
    f->popping = false;
    fifo_free_chain(f, deltas.next);
    f->initial -= q->taken_initial;
    q->taken_initial = 0;
    fifo_check_synced(f);
    return result;
}

int km_realfifo_pop(struct km_realfifo *q, km_delta_fn *process, void *ctx)
{
    return pop(q, 1, process, process, ctx);
}

int km_realfifo_pop_batch(struct km_realfifo *q, km_delta_fn *batch, km_delta_fn *single, void *ctx)
{
    return pop(q, q->batch_max, batch, single, ctx);
}

void km_realfifo_close(struct km_realfifo *q)
{
    q->fifo.closed = true;
}

bool km_realfifo_synced(const struct km_realfifo *q)
{
    return q->fifo.synced;
}

bool km_realfifo_lost(const struct km_realfifo *q)
{
    return q->fifo.lost;
}

uint16_t km_realfifo_len(const struct km_realfifo *q)
{
    return q->fifo.count;
}

struct km_deltas km_realfifo_items(const struct km_realfifo *q)
{
    return (struct km_deltas){.fifo = &q->fifo, .next = q->fifo.head};
}
