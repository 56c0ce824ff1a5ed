/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "queue_priv.h"

/* Slots are linked by number + 1; this is the end of a chain. */
#define NONE 0

static uint16_t slot_count(const struct km_keyqueue *kq)
{
    return kq->queue->key_count;
}

static struct km_slice text_of(const struct km_keyqueue *kq, uint16_t slot)
{
    return (struct km_slice){kq->texts + (size_t)slot * kq->key_size, kq->lens[slot]};
}

static uint16_t bucket_of(const struct km_keyqueue *kq, struct km_slice key)
{
    return (uint16_t)((uint64_t)km_hash(key, kq->seed) * slot_count(kq) >> 32);
}

/* Number + 1, or NONE. */
static uint16_t find_in(const struct km_keyqueue *kq, uint16_t bucket, struct km_slice key)
{
    uint16_t link = kq->buckets[bucket];

    while (link != NONE && !km_slice_eq(text_of(kq, (uint16_t)(link - 1u)), key))
        link = kq->chain[link - 1u];
    return link;
}

/* The bytes that get handed out lie in their slot: no search. */
static uint16_t find(const struct km_keyqueue *kq, struct km_slice key)
{
    uintptr_t offset = (uintptr_t)key.ptr - (uintptr_t)kq->texts;
    uintptr_t slot = offset / kq->key_size;

    if (key.len > 0 && slot < slot_count(kq) && slot * kq->key_size == offset &&
        kq->lens[slot] == key.len)
        return (uint16_t)(slot + 1u);
    return find_in(kq, bucket_of(kq, key), key);
}

static void give_back(struct km_keyqueue *kq, uint16_t slot)
{
    uint16_t *link = &kq->buckets[kq->homes[slot]];

    while (*link != slot + 1u)
        link = &kq->chain[*link - 1u];
    *link = kq->chain[slot];
    kq->lens[slot] = 0;
    kq->chain[slot] = kq->free;
    kq->free = (uint16_t)(slot + 1u);
    km_pool_give(&kq->pool, 1);
}

static void settle(struct km_keyqueue *kq, uint16_t slot)
{
    if (!km_queue_busy(kq->queue, slot) && km_queue_requeues(kq->queue, slot) == 0)
        give_back(kq, slot);
}

/* One key that has failures and nothing else starts over. */
static void make_room(struct km_keyqueue *kq)
{
    for (uint16_t i = 0; i < slot_count(kq) && kq->free == NONE; i++) {
        uint16_t slot = kq->next;
        uint16_t failures = km_queue_requeues(kq->queue, slot);

        kq->next = (uint16_t)(slot + 1u == slot_count(kq) ? 0u : slot + 1u);
        if (failures == 0 || km_queue_busy(kq->queue, slot))
            continue;
        km_queue_forget(kq->queue, slot);
        settle(kq, slot);
    }
}

static void take_slot(struct km_keyqueue *kq, struct km_slice key, uint16_t bucket)
{
    uint16_t slot = (uint16_t)(kq->free - 1u);

    kq->free = kq->chain[slot];
    memcpy(kq->texts + (size_t)slot * kq->key_size, key.ptr, key.len);
    kq->lens[slot] = (uint16_t)key.len;
    kq->homes[slot] = bucket;
    kq->chain[slot] = kq->buckets[bucket];
    kq->buckets[bucket] = (uint16_t)(slot + 1u);
    km_pool_take(&kq->pool, 1);
}

static int slot_for(struct km_keyqueue *kq, struct km_slice key, uint16_t *slot)
{
    uint16_t link, bucket;

    if (key.len == 0)
        return KM_ERR_ARG;
    if (key.len > kq->key_size)
        return KM_ERR_TOO_LONG;
    bucket = bucket_of(kq, key);
    link = find_in(kq, bucket, key);
    if (link == NONE) {
        if (kq->free == NONE)
            make_room(kq);
        link = kq->free;
        if (link == NONE) {
            km_pool_refuse(&kq->pool);
            return KM_ERR_FULL;
        }
        take_slot(kq, key, bucket);
    }
    *slot = (uint16_t)(link - 1u);
    return KM_OK;
}

void km_keyqueue_init(struct km_keyqueue *kq, uint32_t hash_seed)
{
    uint16_t count = slot_count(kq);

    km_queue_init(kq->queue);
    kq->seed = hash_seed;
    memset(kq->lens, 0, sizeof kq->lens[0] * count);
    memset(kq->buckets, 0, sizeof kq->buckets[0] * count);
    for (uint32_t i = 0; i < count; i++)
        kq->chain[i] = (uint16_t)(i + 2u);
    kq->chain[count - 1u] = NONE;
    kq->free = 1;
    kq->next = 0;
    kq->pool.used = 0;
}

/* Nothing takes a slot once the queue is shut down, but for the failures that are counted still. */
static bool closed(const struct km_keyqueue *kq)
{
    return kq->queue->shutting_down;
}

int km_keyqueue_add(struct km_keyqueue *kq, struct km_slice key)
{
    uint16_t slot;
    int result = KM_OK;

    KM_QUEUE_HOLD(kq);
    if (!closed(kq)) {
        result = slot_for(kq, key, &slot);
        if (result == KM_OK)
            result = km_queue_add(kq->queue, slot);
        KM_QUEUE_WAKE(kq);
    }
    KM_QUEUE_RELEASE(kq);
    return result;
}

int km_keyqueue_add_after(struct km_keyqueue *kq, struct km_slice key, int64_t delay_ms,
                          int64_t now_ms)
{
    uint16_t slot;
    int result = KM_OK;

    KM_QUEUE_HOLD(kq);
    if (!closed(kq)) {
        result = slot_for(kq, key, &slot);
        if (result == KM_OK)
            result = km_queue_add_after(kq->queue, slot, delay_ms, now_ms);
        KM_QUEUE_WAKE(kq);
    }
    KM_QUEUE_RELEASE(kq);
    return result;
}

int64_t km_keyqueue_add_rate_limited(struct km_keyqueue *kq, struct km_slice key, int64_t now_ms)
{
    uint16_t slot;
    int64_t result;

    if (kq->queue->limiter == NULL)
        return KM_ERR_ARG;
    KM_QUEUE_HOLD(kq);
    result = slot_for(kq, key, &slot);
    if (result == KM_OK) {
        result = km_queue_add_rate_limited(kq->queue, slot, now_ms);
        settle(kq, slot);
        KM_QUEUE_WAKE(kq);
    }
    KM_QUEUE_RELEASE(kq);
    return result;
}

void km_keyqueue_advance(struct km_keyqueue *kq, int64_t now_ms)
{
    KM_QUEUE_HOLD(kq);
    km_queue_advance(kq->queue, now_ms);
    KM_QUEUE_RELEASE(kq);
}

static int take(struct km_keyqueue *kq, struct km_slice *key, int64_t now_ms)
{
    uint16_t slot;
    int result = km_queue_get(kq->queue, &slot, now_ms);

    if (result == KM_OK)
        *key = text_of(kq, slot);
    return result;
}

int km_keyqueue_get(struct km_keyqueue *kq, struct km_slice *key, int64_t now_ms)
{
    int result;

    KM_QUEUE_HOLD(kq);
    result = take(kq, key, now_ms);
    KM_QUEUE_RELEASE(kq);
    return result;
}

static void change(struct km_keyqueue *kq, struct km_slice key,
                   void (*how)(struct km_queue *q, uint16_t slot))
{
    uint16_t link;

    KM_QUEUE_HOLD(kq);
    link = find(kq, key);
    if (link != NONE) {
        how(kq->queue, (uint16_t)(link - 1u));
        settle(kq, (uint16_t)(link - 1u));
        KM_QUEUE_WAKE(kq);
    }
    KM_QUEUE_RELEASE(kq);
}

void km_keyqueue_done(struct km_keyqueue *kq, struct km_slice key)
{
    change(kq, key, km_queue_done);
}

void km_keyqueue_forget(struct km_keyqueue *kq, struct km_slice key)
{
    change(kq, key, km_queue_forget);
}

uint16_t km_keyqueue_requeues(const struct km_keyqueue *kq, struct km_slice key)
{
    uint16_t link, count;

    KM_QUEUE_HOLD(kq);
    link = find(kq, key);
    count = link == NONE ? 0 : km_queue_requeues(kq->queue, (uint16_t)(link - 1u));
    KM_QUEUE_RELEASE(kq);
    return count;
}

uint16_t km_keyqueue_len(const struct km_keyqueue *kq)
{
    uint16_t len;

    KM_QUEUE_HOLD(kq);
    len = km_queue_len(kq->queue);
    KM_QUEUE_RELEASE(kq);
    return len;
}

int64_t km_keyqueue_next(const struct km_keyqueue *kq)
{
    int64_t next_ms;

    KM_QUEUE_HOLD(kq);
    next_ms = km_queue_next(kq->queue);
    KM_QUEUE_RELEASE(kq);
    return next_ms;
}

/* Keys that were only delayed are gone. */
static void settle_all(struct km_keyqueue *kq)
{
    for (uint16_t slot = 0; slot < slot_count(kq); slot++) {
        if (kq->lens[slot] > 0)
            settle(kq, slot);
    }
    KM_QUEUE_WAKE(kq);
}

void km_keyqueue_shutdown(struct km_keyqueue *kq)
{
    KM_QUEUE_HOLD(kq);
    km_queue_shutdown(kq->queue);
    settle_all(kq);
    KM_QUEUE_RELEASE(kq);
}

int km_keyqueue_shutdown_drain(struct km_keyqueue *kq)
{
    int result;

    KM_QUEUE_HOLD(kq);
    result = km_queue_shutdown_drain(kq->queue);
    settle_all(kq);
    KM_QUEUE_RELEASE(kq);
    return result;
}

bool km_keyqueue_draining(const struct km_keyqueue *kq)
{
    bool draining;

    KM_QUEUE_HOLD(kq);
    draining = km_queue_draining(kq->queue);
    KM_QUEUE_RELEASE(kq);
    return draining;
}

#ifdef CONFIG_KM_QUEUE_LOCK
int km_keyqueue_get_wait(struct km_keyqueue *kq, struct km_slice *key)
{
    const struct km_queue_lock *lock = kq->lock;
    int result;

    lock->acquire(lock->ctx);
    for (;;) {
        result = take(kq, key, lock->now_ms(lock->ctx));
        if (result != KM_AGAIN)
            break;
        lock->wait(lock->ctx, km_queue_next(kq->queue));
    }
    lock->release(lock->ctx);
    return result;
}

void km_keyqueue_shutdown_drain_wait(struct km_keyqueue *kq)
{
    const struct km_queue_lock *lock = kq->lock;

    lock->acquire(lock->ctx);
    (void)km_queue_shutdown_drain(kq->queue);
    settle_all(kq);
    while (km_queue_draining(kq->queue))
        lock->wait(lock->ctx, KM_NEVER);
    lock->release(lock->ctx);
}
#endif
