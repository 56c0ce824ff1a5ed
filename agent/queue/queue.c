/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_queue.h"

/* Places in the heap of delays are 1-based as in heap_pos: parent p/2, children 2p and 2p + 1. */

static bool due_before(const struct km_queue *q, uint16_t a, uint16_t b)
{
    if (q->due_ms[a] != q->due_ms[b])
        return q->due_ms[a] < q->due_ms[b];
    return a < b;
}

static void heap_place(struct km_queue *q, uint16_t key, uint32_t pos)
{
    q->heap[pos - 1u] = key;
    q->heap_pos[key] = (uint16_t)pos;
}

static void heap_up(struct km_queue *q, uint16_t key, uint32_t pos)
{
    while (pos > 1 && due_before(q, key, q->heap[pos / 2u - 1u])) {
        heap_place(q, q->heap[pos / 2u - 1u], pos);
        pos /= 2u;
    }
    heap_place(q, key, pos);
}

static void heap_down(struct km_queue *q, uint16_t key, uint32_t pos)
{
    for (;;) {
        uint32_t child = pos * 2u;

        if (child > q->heap_count)
            break;
        if (child < q->heap_count && due_before(q, q->heap[child], q->heap[child - 1u]))
            child++;
        if (!due_before(q, q->heap[child - 1u], key))
            break;
        heap_place(q, q->heap[child - 1u], pos);
        pos = child;
    }
    heap_place(q, key, pos);
}

static uint16_t heap_take_first(struct km_queue *q)
{
    uint16_t first = q->heap[0];
    uint16_t last = q->heap[q->heap_count - 1u];

    q->heap_pos[first] = 0;
    q->heap_count--;
    if (last != first)
        heap_down(q, last, 1);
    return first;
}

static void heap_drop_all(struct km_queue *q)
{
    while (q->heap_count > 0)
        q->heap_pos[q->heap[--q->heap_count]] = 0;
}

void km_queue_init(struct km_queue *q)
{
    km_ring_init(&q->ring, q->ring_items, q->key_count);
    memset(q->dirty, 0, sizeof q->dirty[0] * KM_BITMAP_WORDS((size_t)q->key_count));
    memset(q->processing, 0, sizeof q->processing[0] * KM_BITMAP_WORDS((size_t)q->key_count));
    memset(q->heap_pos, 0, sizeof q->heap_pos[0] * q->key_count);
    memset(q->failures, 0, sizeof q->failures[0] * q->key_count);
    q->heap_count = 0;
    q->processing_count = 0;
    q->shutting_down = false;
    q->adds = 0;
    q->retries = 0;
}

int km_queue_add(struct km_queue *q, uint16_t key)
{
    if (key >= q->key_count)
        return KM_ERR_ARG;
    if (q->shutting_down || km_bit_get(q->dirty, key))
        return KM_OK;
    q->adds++;
    km_bit_set(q->dirty, key);
    if (!km_bit_get(q->processing, key))
        (void)km_ring_put(&q->ring, key); /* a key is in the ring once at most: it always fits */
    return KM_OK;
}

static void add_due(struct km_queue *q, int64_t now_ms)
{
    while (q->heap_count > 0 && q->due_ms[q->heap[0]] <= now_ms)
        (void)km_queue_add(q, heap_take_first(q));
}

int km_queue_get(struct km_queue *q, uint16_t *key, int64_t now_ms)
{
    add_due(q, now_ms);
    if (km_ring_take(&q->ring, key) != KM_OK)
        return q->shutting_down ? KM_EOF : KM_AGAIN;
    km_bit_clear(q->dirty, *key);
    km_bit_set(q->processing, *key);
    q->processing_count++;
    return KM_OK;
}

void km_queue_done(struct km_queue *q, uint16_t key)
{
    if (key >= q->key_count || !km_bit_get(q->processing, key))
        return;
    km_bit_clear(q->processing, key);
    q->processing_count--;
    if (km_bit_get(q->dirty, key))
        (void)km_ring_put(&q->ring, key);
}

int km_queue_add_after(struct km_queue *q, uint16_t key, int64_t delay_ms, int64_t now_ms)
{
    int64_t due_ms;

    if (key >= q->key_count)
        return KM_ERR_ARG;
    if (q->shutting_down)
        return KM_OK;
    q->retries++;
    if (delay_ms <= 0)
        return km_queue_add(q, key);
    due_ms = now_ms > KM_NEVER - delay_ms ? KM_NEVER : now_ms + delay_ms;
    if (q->heap_pos[key] == 0) {
        q->due_ms[key] = due_ms;
        q->heap_count++;
        heap_up(q, key, q->heap_count);
    } else if (due_ms < q->due_ms[key]) {
        q->due_ms[key] = due_ms;
        heap_up(q, key, q->heap_pos[key]);
    }
    return KM_OK;
}

static int64_t limiter_delay(const struct km_queue *q, uint16_t failures)
{
    int64_t delay_ms = q->base_delay_ms;

    if (delay_ms <= 0)
        return 0;
    for (uint16_t i = 0; i < failures && delay_ms < q->max_delay_ms; i++)
        delay_ms = delay_ms > q->max_delay_ms / 2 ? q->max_delay_ms : delay_ms * 2;
    return delay_ms < q->max_delay_ms ? delay_ms : q->max_delay_ms;
}

int64_t km_queue_add_rate_limited(struct km_queue *q, uint16_t key, int64_t now_ms)
{
    int64_t delay_ms;
    int result;

    if (key >= q->key_count)
        return KM_ERR_ARG;
    delay_ms = limiter_delay(q, q->failures[key]);
    if (q->failures[key] < UINT16_MAX)
        q->failures[key]++;
    result = km_queue_add_after(q, key, delay_ms, now_ms);
    return result == KM_OK ? delay_ms : result;
}

void km_queue_forget(struct km_queue *q, uint16_t key)
{
    if (key < q->key_count)
        q->failures[key] = 0;
}

uint16_t km_queue_requeues(const struct km_queue *q, uint16_t key)
{
    return key < q->key_count ? q->failures[key] : 0;
}

uint16_t km_queue_len(const struct km_queue *q)
{
    return q->ring.count;
}

int64_t km_queue_next(const struct km_queue *q)
{
    if (q->ring.count > 0)
        return 0;
    return q->heap_count > 0 ? q->due_ms[q->heap[0]] : KM_NEVER;
}

void km_queue_shutdown(struct km_queue *q)
{
    q->shutting_down = true;
    heap_drop_all(q);
}

bool km_queue_drained(const struct km_queue *q)
{
    return q->processing_count == 0;
}
