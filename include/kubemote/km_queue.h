/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room queue: client-go's rate-limited work queue over small integer keys (the slot numbers of a
 * cache), in static storage. As there is room for every key, adding can't fail. Keys that are added
 * while they wait are merged; a key that is added while it is processed comes back once; no key is
 * handed out twice at a time (client-go util/workqueue). Time is given by the caller; nothing
 * allocates or blocks.
 */
#ifndef KM_QUEUE_H
#define KM_QUEUE_H

#include "km_base.h"

struct km_queue {
    const char *name;
    uint16_t key_count;
    struct km_ring ring;  /* waiting to be taken, in order */
    uint32_t *dirty;      /* must be processed */
    uint32_t *processing; /* taken, not done */
    uint16_t *heap;       /* keys with a delay, earliest first */
    uint16_t *heap_pos;   /* 1-based place of a key in heap, 0 = none */
    int64_t *due_ms;      /* of a key in heap */
    uint16_t *failures;   /* for the exponential limiter */
    uint16_t heap_count, processing_count;
    int64_t base_delay_ms, max_delay_ms; /* limiter: base x 2^failures, at most max */
    bool shutting_down;
    uint64_t adds, retries;
    uint16_t *ring_items;
};

#define KM_QUEUE_DEFINE(id, keys_, base_ms_, max_ms_) \
    static uint16_t id##_ring[keys_] KM_POOL_STORAGE(id##_ring), \
        id##_heap[keys_] KM_POOL_STORAGE(id##_heap), id##_pos[keys_] KM_POOL_STORAGE(id##_pos), \
        id##_failures[keys_] KM_POOL_STORAGE(id##_failures); \
    static uint32_t id##_dirty[KM_BITMAP_WORDS(keys_)] KM_POOL_STORAGE(id##_dirty), \
        id##_processing[KM_BITMAP_WORDS(keys_)] KM_POOL_STORAGE(id##_processing); \
    static int64_t id##_due[keys_] KM_POOL_STORAGE(id##_due); \
    static struct km_queue id = {.name = #id, \
                                 .key_count = (keys_), \
                                 .ring_items = id##_ring, \
                                 .dirty = id##_dirty, \
                                 .processing = id##_processing, \
                                 .heap = id##_heap, \
                                 .heap_pos = id##_pos, \
                                 .due_ms = id##_due, \
                                 .failures = id##_failures, \
                                 .base_delay_ms = (base_ms_), \
                                 .max_delay_ms = (max_ms_)}

void km_queue_init(struct km_queue *q);
/* KM_OK; KM_ERR_ARG when key >= key_count. Ignored after shut-down. */
int km_queue_add(struct km_queue *q, uint16_t key);
/* Moves due keys to the ring, then takes the first. KM_OK, KM_AGAIN (nothing ready), KM_EOF (shut
   down and empty). */
int km_queue_get(struct km_queue *q, uint16_t *key, int64_t now_ms);
/* The key taken before is finished; comes back when it was added meanwhile. Harmless without get.
   */
void km_queue_done(struct km_queue *q, uint16_t key);
/* After a delay; <= 0 adds at once; a key that waits already keeps the earlier time. */
int km_queue_add_after(struct km_queue *q, uint16_t key, int64_t delay_ms, int64_t now_ms);
/* After the limiter's delay for that key; returns the delay in ms or an error. */
int64_t km_queue_add_rate_limited(struct km_queue *q, uint16_t key, int64_t now_ms);
void km_queue_forget(struct km_queue *q, uint16_t key); /* clears the failures only */
uint16_t km_queue_requeues(const struct km_queue *q, uint16_t key);
uint16_t km_queue_len(const struct km_queue *q); /* waiting in the ring */
/* When the next delayed key is due; 0 when the ring is not empty; KM_NEVER. */
int64_t km_queue_next(const struct km_queue *q);
void km_queue_shutdown(struct km_queue *q);
bool km_queue_drained(const struct km_queue *q); /* nothing in processing */

#endif
