/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "queue_priv.h"

void km_queue_init(struct km_queue *q)
{
    km_ring_init(&q->ring, q->ring.items, q->ring.size);
    memset(q->states, 0, q->key_count);
    memset(q->heap_pos, 0, sizeof q->heap_pos[0] * q->key_count);
    q->heap_count = 0;
    q->processing_count = 0;
    q->doubles = 0;
    q->shutting_down = false;
    q->draining = false;
    if (q->limiter != NULL)
        q->limiter->ops->reset(q->limiter);
    km_queue_tell(q, KM_QUEUE_RESET, 0);
}

static void add(struct km_queue *q, uint16_t key)
{
    if (queue_add(q, key))
        km_queue_tell(q, KM_QUEUE_ADDED, key);
}

void km_queue_advance_due(struct km_queue *q, int64_t now_ms)
{
    while (q->heap_count > 0 && q->due_ms[q->heap[0]] <= now_ms)
        add(q, km_queue_heap_take(q));
}

static int get(struct km_queue *q, uint16_t *key, int64_t now_ms)
{
    int result = queue_get(q, key, now_ms);

    if (result == KM_OK)
        km_queue_tell(q, KM_QUEUE_TAKEN, *key);
    return result;
}

static void add_after(struct km_queue *q, uint16_t key, int64_t delay_ms, int64_t now_ms)
{
    if (q->shutting_down)
        return;
    km_queue_tell(q, KM_QUEUE_RETRIED, key);
    if (delay_ms <= 0)
        add(q, key);
    else if (km_queue_heap_put(q, key, now_ms > KM_NEVER - delay_ms ? KM_NEVER : now_ms + delay_ms))
        KM_QUEUE_WAKE(q); /* who sleeps must wake up earlier now */
}

static void shut_down(struct km_queue *q, bool drain)
{
    q->shutting_down = true;
    q->draining = drain;
    km_queue_heap_clear(q);
    KM_QUEUE_WAKE(q);
}

int km_queue_add(struct km_queue *q, uint16_t key)
{
    if (key >= q->key_count)
        return KM_ERR_ARG;
    KM_QUEUE_HOLD(q);
    add(q, key);
    KM_QUEUE_RELEASE(q);
    return KM_OK;
}

void km_queue_advance(struct km_queue *q, int64_t now_ms)
{
    KM_QUEUE_HOLD(q);
    km_queue_advance_due(q, now_ms);
    KM_QUEUE_RELEASE(q);
}

int km_queue_get(struct km_queue *q, uint16_t *key, int64_t now_ms)
{
    int result;

    KM_QUEUE_HOLD(q);
    result = get(q, key, now_ms);
    KM_QUEUE_RELEASE(q);
    return result;
}

void km_queue_done(struct km_queue *q, uint16_t key)
{
    if (key >= q->key_count)
        return;
    KM_QUEUE_HOLD(q);
    queue_done(q, key);
    km_queue_tell(q, KM_QUEUE_FINISHED, key);
    KM_QUEUE_RELEASE(q);
}

int km_queue_add_after(struct km_queue *q, uint16_t key, int64_t delay_ms, int64_t now_ms)
{
    if (key >= q->key_count)
        return KM_ERR_ARG;
    KM_QUEUE_HOLD(q);
    add_after(q, key, delay_ms, now_ms);
    KM_QUEUE_RELEASE(q);
    return KM_OK;
}

int64_t km_queue_add_rate_limited(struct km_queue *q, uint16_t key, int64_t now_ms)
{
    int64_t delay_ms;

    if (key >= q->key_count || q->limiter == NULL)
        return KM_ERR_ARG;
    KM_QUEUE_HOLD(q);
    delay_ms = q->limiter->ops->when(q->limiter, key, now_ms);
    add_after(q, key, delay_ms, now_ms);
    KM_QUEUE_RELEASE(q);
    return delay_ms;
}

void km_queue_forget(struct km_queue *q, uint16_t key)
{
    if (key >= q->key_count || q->limiter == NULL)
        return;
    KM_QUEUE_HOLD(q);
    q->limiter->ops->forget(q->limiter, key);
    KM_QUEUE_RELEASE(q);
}

uint16_t km_queue_requeues(const struct km_queue *q, uint16_t key)
{
    uint16_t count;

    if (key >= q->key_count || q->limiter == NULL)
        return 0;
    KM_QUEUE_HOLD(q);
    count = q->limiter->ops->requeues(q->limiter, key);
    KM_QUEUE_RELEASE(q);
    return count;
}

uint16_t km_queue_len(const struct km_queue *q)
{
    uint16_t count;

    KM_QUEUE_HOLD(q);
    count = q->ring.count;
    KM_QUEUE_RELEASE(q);
    return count;
}

bool km_queue_doubled(const struct km_queue *q, uint16_t key)
{
    for (uint32_t i = 0; i < q->ring.count; i++) {
        if (q->ring.items[(q->ring.head + i) % q->ring.size] == key)
            return true;
    }
    return false;
}

bool km_queue_busy(const struct km_queue *q, uint16_t key)
{
    bool busy;

    if (key >= q->key_count)
        return false;
    KM_QUEUE_HOLD(q);
    busy = queue_busy(q, key);
    KM_QUEUE_RELEASE(q);
    return busy;
}

bool km_queue_processing(const struct km_queue *q, uint16_t key)
{
    bool processing;

    if (key >= q->key_count)
        return false;
    KM_QUEUE_HOLD(q);
    processing = (q->states[key] & KM_QUEUE_PROCESSING) != 0;
    KM_QUEUE_RELEASE(q);
    return processing;
}

static int64_t next(const struct km_queue *q)
{
    if (q->ring.count > 0)
        return 0;
    return q->heap_count > 0 ? q->due_ms[q->heap[0]] : KM_NEVER;
}

int64_t km_queue_next(const struct km_queue *q)
{
    int64_t next_ms;

    KM_QUEUE_HOLD(q);
    next_ms = next(q);
    KM_QUEUE_RELEASE(q);
    return next_ms;
}

void km_queue_shutdown(struct km_queue *q)
{
    KM_QUEUE_HOLD(q);
    shut_down(q, false);
    KM_QUEUE_RELEASE(q);
}

int km_queue_shutdown_drain(struct km_queue *q)
{
    int result;

    KM_QUEUE_HOLD(q);
    shut_down(q, true);
    result = q->processing_count == 0 ? KM_OK : KM_AGAIN;
    KM_QUEUE_RELEASE(q);
    return result;
}

bool km_queue_draining(const struct km_queue *q)
{
    bool draining;

    KM_QUEUE_HOLD(q);
    draining = q->draining && q->processing_count > 0;
    KM_QUEUE_RELEASE(q);
    return draining;
}

bool km_queue_drained(const struct km_queue *q)
{
    bool drained;

    KM_QUEUE_HOLD(q);
    drained = q->processing_count == 0;
    KM_QUEUE_RELEASE(q);
    return drained;
}

void km_queue_update(struct km_queue *q)
{
    KM_QUEUE_HOLD(q);
    if (!q->shutting_down)
        km_queue_tell(q, KM_QUEUE_UPDATED, 0);
    KM_QUEUE_RELEASE(q);
}

#ifdef CONFIG_KM_QUEUE_LOCK
int km_queue_get_wait(struct km_queue *q, uint16_t *key)
{
    const struct km_queue_lock *lock = q->lock;
    int result;

    lock->acquire(lock->ctx);
    for (;;) {
        result = get(q, key, lock->now_ms(lock->ctx));
        if (result != KM_AGAIN)
            break;
        lock->wait(lock->ctx, next(q));
    }
    lock->release(lock->ctx);
    return result;
}

void km_queue_shutdown_drain_wait(struct km_queue *q)
{
    const struct km_queue_lock *lock = q->lock;

    lock->acquire(lock->ctx);
    shut_down(q, true);
    while (q->draining && q->processing_count > 0)
        lock->wait(lock->ctx, KM_NEVER);
    lock->release(lock->ctx);
}
#endif
