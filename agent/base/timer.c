/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_base.h"

/* Places in the heap are 1-based here as in km_timer.pos: parent p/2, children 2p and 2p + 1. */

static bool fires_before(const struct km_timer *a, const struct km_timer *b)
{
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms;
    return a->seq < b->seq;
}

static void place(struct km_timers *timers, struct km_timer *timer, uint32_t pos)
{
    timers->heap[pos - 1u] = timer;
    timer->pos = (uint16_t)pos;
}

static void sift_up(struct km_timers *timers, struct km_timer *timer, uint32_t pos)
{
    while (pos > 1 && fires_before(timer, timers->heap[pos / 2u - 1u])) {
        place(timers, timers->heap[pos / 2u - 1u], pos);
        pos /= 2u;
    }
    place(timers, timer, pos);
}

static void sift_down(struct km_timers *timers, struct km_timer *timer, uint32_t pos)
{
    for (;;) {
        uint32_t child = pos * 2u;

        if (child > timers->count)
            break;
        if (child < timers->count && fires_before(timers->heap[child], timers->heap[child - 1u]))
            child++;
        if (!fires_before(timers->heap[child - 1u], timer))
            break;
        place(timers, timers->heap[child - 1u], pos);
        pos = child;
    }
    place(timers, timer, pos);
}

static void reorder(struct km_timers *timers, struct km_timer *timer, uint32_t pos)
{
    if (pos > 1 && fires_before(timer, timers->heap[pos / 2u - 1u]))
        sift_up(timers, timer, pos);
    else
        sift_down(timers, timer, pos);
}

void km_timers_init(struct km_timers *timers, struct km_timer **heap, uint16_t size)
{
    *timers = (struct km_timers){.heap = heap, .size = size, .run_ms = INT64_MIN};
}

int km_timer_set(struct km_timers *timers, struct km_timer *timer, int64_t at_ms)
{
    if (at_ms == KM_NEVER) {
        km_timer_stop(timers, timer);
        return KM_OK;
    }
    if (timer->pos == 0 && timers->count >= timers->size) {
        timers->refused++;
        return KM_ERR_FULL;
    }
    /* A past time set from a callback must not sort before those of this round that still wait. */
    timer->at_ms = at_ms < timers->run_ms ? timers->run_ms : at_ms;
    timer->seq = ++timers->seq;
    if (timer->pos != 0) {
        reorder(timers, timer, timer->pos);
        return KM_OK;
    }
    timers->count++;
    if (timers->count > timers->max)
        timers->max = timers->count;
    sift_up(timers, timer, timers->count);
    return KM_OK;
}

void km_timer_stop(struct km_timers *timers, struct km_timer *timer)
{
    uint32_t pos = timer->pos;
    struct km_timer *last;

    if (pos == 0)
        return;
    timer->pos = 0;
    last = timers->heap[timers->count - 1u];
    timers->count--;
    if (last != timer)
        reorder(timers, last, pos);
}

int64_t km_timers_next(const struct km_timers *timers)
{
    return timers->count == 0 ? KM_NEVER : timers->heap[0]->at_ms;
}

void km_timers_run(struct km_timers *timers, int64_t now_ms)
{
    int64_t outer_ms = timers->run_ms;
    uint64_t last_seq = timers->seq;

    if (now_ms > outer_ms)
        timers->run_ms = now_ms;
    while (timers->count > 0) {
        struct km_timer *timer = timers->heap[0];

        /* Those set during the run sort after the due ones of the same time, so the first of them
           ends the round. */
        if (timer->at_ms > now_ms || timer->seq > last_seq)
            break;
        km_timer_stop(timers, timer);
        timer->fn(timer->ctx, now_ms);
    }
    timers->run_ms = outer_ms;
}
