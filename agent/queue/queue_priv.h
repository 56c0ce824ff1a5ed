/* SPDX-License-Identifier: Apache-2.0 */
/* Room queue, private: the delay heap, and the lock that costs nothing when it is not configured. */
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

#endif
