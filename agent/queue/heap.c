/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the same time leave in the order that Go's container/heap gives: each step here makes the
   same comparisons, and only "earlier" moves a key. Places are 1-based: parent p/2, children 2p, 2p+1. */
#include "queue_priv.h"

static void place(struct km_queue *q, uint16_t key, uint32_t pos)
{
    q->heap[pos - 1u] = key;
    q->heap_pos[key] = (uint16_t)pos;
}

static void move_up(struct km_queue *q, uint16_t key, uint32_t pos)
{
    int64_t due_ms = q->due_ms[key];

    while (pos > 1 && due_ms < q->due_ms[q->heap[pos / 2u - 1u]]) {
        place(q, q->heap[pos / 2u - 1u], pos);
        pos /= 2u;
    }
    place(q, key, pos);
}

static void move_down(struct km_queue *q, uint16_t key, uint32_t pos)
{
    int64_t due_ms = q->due_ms[key];

    for (;;) {
        uint32_t child = pos * 2u;

        if (child > q->heap_count)
            break;
        if (child < q->heap_count && q->due_ms[q->heap[child]] < q->due_ms[q->heap[child - 1u]])
            child++;
        if (q->due_ms[q->heap[child - 1u]] >= due_ms)
            break;
        place(q, q->heap[child - 1u], pos);
        pos = child;
    }
    place(q, key, pos);
}

bool km_queue_heap_put(struct km_queue *q, uint16_t key, int64_t due_ms)
{
    uint32_t pos = q->heap_pos[key];

    if (pos == 0)
        pos = ++q->heap_count;
    else if (due_ms >= q->due_ms[key])
        return false;
    q->due_ms[key] = due_ms;
    move_up(q, key, pos);
    return q->heap[0] == key;
}

uint16_t km_queue_heap_take(struct km_queue *q)
{
    uint16_t first = q->heap[0];
    uint16_t last = q->heap[q->heap_count - 1u];

    q->heap_pos[first] = 0;
    q->heap_count--;
    if (last != first)
        move_down(q, last, 1);
    return first;
}

void km_queue_heap_clear(struct km_queue *q)
{
    while (q->heap_count > 0)
        q->heap_pos[q->heap[--q->heap_count]] = 0;
}
