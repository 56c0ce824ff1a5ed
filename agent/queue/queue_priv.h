/* SPDX-License-Identifier: Apache-2.0 */
/* Room queue, private: the sets and the ring, inline for both kinds of keys since an operation is little else than a call; the
   delay heap; and the lock that costs nothing when it is not configured. */
#ifndef KM_QUEUE_PRIV_H
#define KM_QUEUE_PRIV_H

#include "kubemote/km_queue.h"

#ifdef CONFIG_KM_QUEUE_LOCK
static inline void km_queue_hold(const struct km_queue_lock *lock)
{
    if (lock != NULL)
        lock->acquire(lock->ctx);
}

static inline void km_queue_release(const struct km_queue_lock *lock)
{
    if (lock != NULL)
        lock->release(lock->ctx);
}

static inline void km_queue_wake(const struct km_queue_lock *lock)
{
    if (lock != NULL)
        lock->wake(lock->ctx);
}

#define KM_QUEUE_HOLD(q) km_queue_hold((q)->lock)
#define KM_QUEUE_RELEASE(q) km_queue_release((q)->lock)
#define KM_QUEUE_WAKE(q) km_queue_wake((q)->lock)
#else
#define KM_QUEUE_HOLD(q) ((void)(q))
#define KM_QUEUE_RELEASE(q) ((void)(q))
#define KM_QUEUE_WAKE(q) ((void)(q))
#endif

static inline void km_queue_tell(const struct km_queue *q, enum km_queue_event event, uint16_t key)
{
    if (q->metrics != NULL)
        q->metrics->event(q->metrics, event, key);
}

/* The key is due at that time, or at the earlier one that it has. True when it is the first now. */
bool km_queue_heap_put(struct km_queue *q, uint16_t key, int64_t due_ms);
/* The earliest key; the heap must not be empty. */
uint16_t km_queue_heap_take(struct km_queue *q);
void km_queue_heap_clear(struct km_queue *q);

/* What a key is: */
enum {
    KM_QUEUE_DIRTY = 1,     /* must be processed */
    KM_QUEUE_PROCESSING = 2 /* was taken and is not done */
};

/* What is due goes to the ring. */
void km_queue_advance_due(struct km_queue *q, int64_t now_ms);

/* A key waits once, and once more for each double: there always is a place. */
static inline void queue_push(struct km_queue *q, uint16_t key)
{
    uint32_t at = (uint32_t)q->ring.head + q->ring.count++;

    q->ring.items[at >= q->ring.size ? at - q->ring.size : at] = key;
    KM_QUEUE_WAKE(q);
}

static inline uint16_t queue_pop(struct km_queue *q)
{
    uint16_t key = q->ring.items[q->ring.head++];

    if (q->ring.head == q->ring.size)
        q->ring.head = 0;
    q->ring.count--;
    return key;
}

/* These three leave it to the caller to tell the metrics, at the end: a call in the middle costs more than the rest. */
static inline bool queue_add(struct km_queue *q, uint16_t key)
{
    uint8_t before = q->states[key];

    if (q->shutting_down || (before & KM_QUEUE_DIRTY) != 0)
        return false;
    q->states[key] = before | KM_QUEUE_DIRTY;
    if (before == 0)
        queue_push(q, key);
    return true;
}

static inline int queue_get(struct km_queue *q, uint16_t *key, int64_t now_ms)
{
    uint8_t before;

    if (q->heap_count > 0)
        km_queue_advance_due(q, now_ms);
    if (q->ring.count == 0)
        return q->shutting_down ? KM_EOF : KM_AGAIN;
    *key = queue_pop(q);
    before = q->states[*key];
    q->states[*key] = KM_QUEUE_PROCESSING;
    if (before != KM_QUEUE_DIRTY)
        q->doubles--;
    if ((before & KM_QUEUE_PROCESSING) == 0)
        q->processing_count++;
    return KM_OK;
}

static inline void queue_done(struct km_queue *q, uint16_t key)
{
    uint8_t before = q->states[key];

    q->states[key] = before & KM_QUEUE_DIRTY;
    if ((before & KM_QUEUE_PROCESSING) != 0 && --q->processing_count == 0)
        KM_QUEUE_WAKE(q); /* a drain may end */
    if ((before & KM_QUEUE_DIRTY) == 0)
        return;
    if ((before & KM_QUEUE_PROCESSING) == 0) {
        if (q->doubles >= q->ring.size - q->key_count)
            return;
        q->doubles++;
    }
    queue_push(q, key);
}

/* The key stands in the ring although it is neither dirty nor processed: only while there are doubles. */
bool km_queue_doubled(const struct km_queue *q, uint16_t key);

static inline bool queue_busy(const struct km_queue *q, uint16_t key)
{
    return q->states[key] != 0 || q->heap_pos[key] != 0 ||
           (q->doubles > 0 && km_queue_doubled(q, key));
}

#endif
