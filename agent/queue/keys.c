/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_key.h"
#include "queue_priv.h"

/* Slots are linked by number + 1; this is the end of a chain. */
#define NONE 0

/* An add is hardly more than these: calls between them took half of its time. */
#define HOT static inline __attribute__((always_inline))
#define COLD static __attribute__((noinline))

/* What a slot is. One that is not used keeps its text in the table until another key takes it: the same
   key is found again without being copied. */
enum {
    USED = 1,   /* busy, or with failures */
    LISTED = 2, /* stands in idle; it may be used again since */
    FAILED = 4  /* was added rate limited since it had no failures */
};

static uint16_t slot_count(const struct km_keyqueue *kq)
{
    return kq->queue->key_count;
}

HOT char *text_at(const struct km_keyqueue *kq, uint32_t slot)
{
    return kq->texts + (size_t)slot * kq->key_size;
}

HOT struct km_slice text_of(const struct km_keyqueue *kq, uint32_t slot)
{
    return (struct km_slice){text_at(kq, slot), kq->slots[slot].len};
}

HOT uint32_t bucket_of(const struct km_keyqueue *kq, struct km_slice key)
{
    return (uint32_t)((uint64_t)km_key_hash(key, kq->seed) * kq->bucket_count >> 32);
}

/* Number + 1, or NONE. */
HOT uint32_t find_in(const struct km_keyqueue *kq, uint32_t bucket, struct km_slice key)
{
    uint32_t link = kq->buckets[bucket];

    while (link != NONE) {
        const struct km_keyqueue_slot *s = &kq->slots[link - 1u];

        if (s->len == key.len && km_key_equal(text_at(kq, link - 1u), key.ptr, key.len))
            break;
        link = s->chain;
    }
    return link;
}

COLD uint32_t search(const struct km_keyqueue *kq, struct km_slice key)
{
    return find_in(kq, bucket_of(kq, key), key);
}

/* The bytes that get handed out lie in their slot: no search. The product is exact for what begins a slot. */
HOT uint32_t find(const struct km_keyqueue *kq, struct km_slice key)
{
    uintptr_t offset = (uintptr_t)key.ptr - (uintptr_t)kq->texts;

    if (key.len == 0)
        return NONE;
    if (offset < (uint32_t)slot_count(kq) * kq->key_size) {
        uint32_t slot = (uint32_t)(offset * kq->per_byte >> 32);

        if (slot * kq->key_size == offset && kq->slots[slot].len == key.len)
            return slot + 1u;
    }
    return search(kq, key);
}

static void list(struct km_keyqueue *kq, uint32_t slot)
{
    uint32_t at = (uint32_t)kq->idle_head + kq->idle_count++;

    kq->idle[at >= slot_count(kq) ? at - slot_count(kq) : at] = (uint16_t)slot;
    kq->slots[slot].mark |= LISTED;
}

/* Of a slot in use that is not busy. */
COLD void give_back(struct km_keyqueue *kq, uint32_t slot)
{
    uint8_t mark = kq->slots[slot].mark;

    if ((mark & FAILED) != 0 && km_queue_requeues(kq->queue, (uint16_t)slot) > 0)
        return;
    kq->slots[slot].mark = mark & LISTED;
    kq->pool.used--;
    if ((mark & LISTED) == 0)
        list(kq, slot);
}

HOT void settle(struct km_keyqueue *kq, uint32_t slot)
{
    uint8_t mark = kq->slots[slot].mark;

    if ((mark & USED) == 0 || queue_busy(kq->queue, (uint16_t)slot))
        return;
    if (mark != (USED | LISTED)) {
        give_back(kq, slot);
        return;
    }
    kq->slots[slot].mark = LISTED;
    kq->pool.used--;
}

/* One key that has failures and nothing else starts over. */
static void make_room(struct km_keyqueue *kq)
{
    for (uint16_t i = 0; i < slot_count(kq); i++) {
        uint16_t slot = kq->next;
        uint16_t failures = km_queue_requeues(kq->queue, slot);

        kq->next = (uint16_t)(slot + 1u == slot_count(kq) ? 0u : slot + 1u);
        if (failures == 0 || km_queue_busy(kq->queue, slot))
            continue;
        km_queue_forget(kq->queue, slot);
        settle(kq, slot);
        return;
    }
}

static void unlink_key(struct km_keyqueue *kq, uint32_t slot)
{
    uint16_t *link;

    if (kq->slots[slot].len == 0)
        return;
    link = &kq->buckets[bucket_of(kq, text_of(kq, slot))];
    while (*link != slot + 1u)
        link = &kq->slots[*link - 1u].chain;
    *link = kq->slots[slot].chain;
    kq->slots[slot].len = 0;
}

/* Number + 1 of a slot without a key, or NONE. */
static uint32_t free_slot(struct km_keyqueue *kq)
{
    if (kq->pool.used == slot_count(kq))
        make_room(kq);
    while (kq->idle_count > 0) {
        uint32_t slot = kq->idle[kq->idle_head++];

        if (kq->idle_head == slot_count(kq))
            kq->idle_head = 0;
        kq->idle_count--;
        kq->slots[slot].mark &= (uint8_t)~LISTED;
        if ((kq->slots[slot].mark & USED) != 0)
            continue;
        unlink_key(kq, slot);
        return slot + 1u;
    }
    return NONE;
}

/* Number + 1, or NONE. */
static uint32_t put_key(struct km_keyqueue *kq, struct km_slice key, uint32_t bucket)
{
    uint32_t link = free_slot(kq);
    struct km_keyqueue_slot *s;

    if (link == NONE) {
        km_pool_refuse(&kq->pool);
        return NONE;
    }
    s = &kq->slots[link - 1u];
    memcpy(text_at(kq, link - 1u), key.ptr, key.len);
    s->len = (uint16_t)key.len;
    s->chain = kq->buckets[bucket];
    kq->buckets[bucket] = (uint16_t)link;
    return link;
}

HOT void use(struct km_keyqueue *kq, uint32_t slot)
{
    if ((kq->slots[slot].mark & USED) != 0)
        return;
    kq->slots[slot].mark |= USED;
    if (++kq->pool.used > kq->pool.max)
        kq->pool.max = kq->pool.used;
}

/* Number + 1, or NONE. */
HOT uint32_t find_key(const struct km_keyqueue *kq, struct km_slice key)
{
    return key.len - 1u < kq->key_size ? find_in(kq, bucket_of(kq, key), key) : NONE;
}

static int slot_for(struct km_keyqueue *kq, struct km_slice key, uint16_t *slot)
{
    uint32_t link = find_key(kq, key);

    if (key.len == 0)
        return KM_ERR_ARG;
    if (key.len > kq->key_size)
        return KM_ERR_TOO_LONG;
    if (link == NONE)
        link = put_key(kq, key, bucket_of(kq, key));
    if (link == NONE)
        return KM_ERR_FULL;
    *slot = (uint16_t)(link - 1u);
    use(kq, *slot);
    return KM_OK;
}

void km_keyqueue_init(struct km_keyqueue *kq, uint32_t hash_seed)
{
    uint16_t count = slot_count(kq);

    km_queue_init(kq->queue);
    kq->seed = hash_seed;
    kq->per_byte = UINT32_MAX / kq->key_size + UINT64_C(1);
    memset(kq->slots, 0, sizeof kq->slots[0] * count);
    memset(kq->buckets, 0, sizeof kq->buckets[0] * kq->bucket_count);
    kq->idle_head = kq->idle_count = kq->next = 0;
    for (uint32_t i = 0; i < count; i++)
        list(kq, i);
    kq->pool.used = 0;
}

/* Nothing takes a slot once the queue is shut down, but for the failures that are counted still. */
static bool closed(const struct km_keyqueue *kq)
{
    return kq->queue->shutting_down;
}

HOT void add_slot(struct km_keyqueue *kq, uint32_t slot)
{
    use(kq, slot);
    if (queue_add(kq->queue, (uint16_t)slot))
        km_queue_tell(kq->queue, KM_QUEUE_ADDED, (uint16_t)slot);
}

COLD int add_new(struct km_keyqueue *kq, struct km_slice key)
{
    uint16_t slot;
    int result = slot_for(kq, key, &slot);

    if (result == KM_OK)
        add_slot(kq, slot);
    return result;
}

int km_keyqueue_add(struct km_keyqueue *kq, struct km_slice key)
{
    int result = KM_OK;
    uint32_t link;

    KM_QUEUE_HOLD(kq);
    if (!closed(kq)) {
        link = find_key(kq, key);
        if (link != NONE)
            add_slot(kq, link - 1u);
        else
            result = add_new(kq, key);
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
        kq->slots[slot].mark |= FAILED;
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

HOT int take(struct km_keyqueue *kq, struct km_slice *key, int64_t now_ms)
{
    uint16_t slot;
    int result = queue_get(kq->queue, &slot, now_ms);

    if (result != KM_OK)
        return result;
    *key = text_of(kq, slot);
    km_queue_tell(kq->queue, KM_QUEUE_TAKEN, slot);
    return KM_OK;
}

int km_keyqueue_get(struct km_keyqueue *kq, struct km_slice *key, int64_t now_ms)
{
    int result;

    KM_QUEUE_HOLD(kq);
    result = take(kq, key, now_ms);
    KM_QUEUE_RELEASE(kq);
    return result;
}

void km_keyqueue_done(struct km_keyqueue *kq, struct km_slice key)
{
    uint32_t link;

    KM_QUEUE_HOLD(kq);
    link = find(kq, key);
    if (link != NONE) {
        queue_done(kq->queue, (uint16_t)(link - 1u));
        settle(kq, link - 1u);
        KM_QUEUE_WAKE(kq);
        km_queue_tell(kq->queue, KM_QUEUE_FINISHED, (uint16_t)(link - 1u));
    }
    KM_QUEUE_RELEASE(kq);
}

void km_keyqueue_forget(struct km_keyqueue *kq, struct km_slice key)
{
    uint32_t link;

    KM_QUEUE_HOLD(kq);
    link = find(kq, key);
    if (link != NONE) {
        km_queue_forget(kq->queue, (uint16_t)(link - 1u));
        settle(kq, link - 1u);
    }
    KM_QUEUE_RELEASE(kq);
}

uint16_t km_keyqueue_requeues(const struct km_keyqueue *kq, struct km_slice key)
{
    uint32_t link;
    uint16_t count;

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
