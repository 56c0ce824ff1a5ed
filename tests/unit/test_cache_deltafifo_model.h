/* SPDX-License-Identifier: Apache-2.0 */
/* DeltaFIFO in fixed storage, written for clearness: an array of keys with an array of events each. */
#ifndef TEST_CACHE_DELTAFIFO_MODEL_H
#define TEST_CACHE_DELTAFIFO_MODEL_H

#include "tests/unit/test_cache_fifo_model.h"

#define DELTA_NODES 8
#define DELTA_ROOM 4 /* keys */

KM_DELTAFIFO_DEFINE(delta_fifo, int, DELTA_ROOM, DELTA_NODES, 8);

static struct {
    int keys[FIFO_KEYS], count; /* in order of waiting */
    struct fifo_model_event events[FIFO_KEYS][DELTA_NODES];
    int lens[FIFO_KEYS];
    int staged[DELTA_NODES][2], staged_len;
    int initial;
    bool with_known, replacing, stage_failed, lost, dropped, populated, synced, closed;
} dm;

static int delta_used(void)
{
    int used = dm.staged_len;

    for (int key = 0; key < FIFO_KEYS; key++)
        used += dm.lens[key];
    return used;
}

static bool delta_names(int key)
{
    bool named = dm.lens[key] > 0;

    for (int i = 0; i < dm.staged_len; i++)
        named = named || dm.staged[i][0] == key;
    return named;
}

static bool delta_key_fits(int key)
{
    int named = 0;

    for (int i = 0; i < FIFO_KEYS; i++)
        named += delta_names(i);
    return delta_names(key) || named < DELTA_ROOM;
}

static void delta_check_synced(void)
{
    dm.synced = dm.synced || (dm.populated && dm.initial == 0);
}

static void delta_drop_event(int key, int at)
{
    dm.lens[key]--;
    memmove(&dm.events[key][at], &dm.events[key][at + 1],
            sizeof dm.events[0][0] * (size_t)(dm.lens[key] - at));
}

/* The first key off; its events are gone. */
static int delta_unqueue(void)
{
    int key = dm.keys[0];

    dm.lens[key] = 0;
    dm.count--;
    memmove(&dm.keys[0], &dm.keys[1], sizeof dm.keys[0] * (size_t)dm.count);
    return key;
}

static int delta_queue(struct fifo_model_event event)
{
    struct fifo_model_event *mine = dm.events[event.key];
    int *len = &dm.lens[event.key];
    bool waits = *len > 0;
    bool repeated =
        event.type == KM_DELTA_DELETED && waits && mine[*len - 1].type == KM_DELTA_DELETED;
    bool full = delta_used() == DELTA_NODES;
    int before = *len - 1;

    if (repeated && !mine[before].tombstone)
        return KM_OK;
    for (int i = 0; i < dm.count && full; i++) {
        int key = dm.keys[i];

        if (dm.lens[key] < 2 && key != event.key)
            continue;
        delta_drop_event(key, 0);
        before -= key == event.key;
        full = false;
    }
    if (full || !delta_key_fits(event.key)) {
        dm.lost = dm.lost || event.type != KM_DELTA_SYNC;
        return KM_ERR_FULL;
    }
    if (repeated && before >= 0)
        delta_drop_event(event.key, before);
    if (!waits)
        dm.keys[dm.count++] = event.key;
    mine[(*len)++] = event;
    return KM_OK;
}

/* Tombstones for what waits or is known but is not in the list. */
static int delta_bury(const bool *in_list)
{
    int waiting[FIFO_KEYS], count = dm.count, result = KM_OK;

    memcpy(waiting, dm.keys, sizeof waiting);
    for (int i = 0; i < count && result == KM_OK; i++) {
        int key = waiting[i];
        struct fifo_model_event last = dm.events[key][dm.lens[key] - 1];

        if (!in_list[key] && last.type != KM_DELTA_DELETED)
            result = delta_queue((struct fifo_model_event){
                KM_DELTA_DELETED, key, last.value, true, false, {{0}}, 0});
    }
    for (int key = 0; key < FIFO_KEYS && result == KM_OK && dm.with_known; key++) {
        if (fifo_world.known[key] >= 0 && dm.lens[key] == 0)
            result = delta_queue((struct fifo_model_event){
                KM_DELTA_DELETED, key, fifo_world.known[key], true, false, {{0}}, 0});
    }
    return result;
}

static int delta_end(void)
{
    bool in_list[FIFO_KEYS] = {false};
    bool failed = dm.stage_failed, replacing = dm.replacing;
    int staged = dm.staged_len, result;

    dm.replacing = dm.stage_failed = false;
    dm.staged_len = 0;
    if (!replacing || failed)
        return replacing ? KM_ERR_FULL : KM_ERR_ARG;
    memset(fifo_world.truth, -1, sizeof fifo_world.truth);
    for (int i = 0; i < staged; i++) {
        int key = dm.staged[i][0];

        in_list[key] = true;
        fifo_world.truth[key] = dm.staged[i][1];
        if (dm.lens[key] == 0)
            dm.keys[dm.count++] = key;
        dm.events[key][dm.lens[key]++] = (struct fifo_model_event){
            KM_DELTA_REPLACED, key, dm.staged[i][1], false, false, {{0}}, 0};
    }
    dm.lost = false;
    result = delta_bury(in_list);
    if (!dm.populated || (dm.dropped && !dm.synced)) {
        dm.populated = true;
        dm.initial = dm.count;
        delta_check_synced();
    }
    dm.dropped = false;
    return result;
}

static void delta_item(int key)
{
    int value = ++fifo_world.stamp & 0xFFFFFF, result = KM_OK;

    if (!dm.replacing) {
        result = KM_ERR_ARG;
    } else {
        while ((delta_used() == DELTA_NODES || !delta_key_fits(key)) && dm.count > 0) {
            (void)delta_unqueue();
            dm.dropped = dm.lost = true;
        }
        if (delta_used() == DELTA_NODES || !delta_key_fits(key)) {
            result = KM_ERR_FULL;
            dm.stage_failed = dm.lost = true;
        } else {
            dm.staged[dm.staged_len][0] = key;
            dm.staged[dm.staged_len++][1] = value;
        }
    }
    KM_MODEL_CHECK(km_deltafifo_replace_item(&delta_fifo, fifo_key_name(key), &value) == result);
}

static void delta_change(enum km_delta_type type, int key, bool tombstone, bool bare)
{
    int value = tombstone && bare ? FIFO_BARE_VALUE : ++fifo_world.stamp & 0xFFFFFF;
    const void *object = value == FIFO_BARE_VALUE ? NULL : &value;
    struct km_slice name = fifo_key_name(key);
    int result = type == KM_DELTA_ADDED ? km_deltafifo_add(&delta_fifo, name, object)
                 : type == KM_DELTA_UPDATED
                     ? km_deltafifo_update(&delta_fifo, name, object)
                     : km_deltafifo_delete(&delta_fifo, name, object, tombstone);
    int expected = KM_OK;

    dm.populated = true;
    delta_check_synced();
    if (type != KM_DELTA_DELETED || dm.lens[key] > 0 ||
        (dm.with_known && fifo_world.known[key] >= 0))
        expected =
            delta_queue((struct fifo_model_event){type, key, value, tombstone, false, {{0}}, 0});
    KM_MODEL_CHECK(result == expected);
    fifo_world.truth[key] = type == KM_DELTA_DELETED ? -1 : value;
}

struct delta_taken {
    bool initial;
    int key, len;
    struct fifo_model_event events[DELTA_NODES];
};

static int delta_popped(void *ctx, const struct km_deltas *deltas, bool initial)
{
    const struct delta_taken *taken = ctx;
    struct km_deltas rest = *deltas;
    struct km_delta delta;
    int i = 0;

    KM_MODEL_CHECK(initial == taken->initial);
    for (; km_deltas_next(&rest, &delta) == KM_OK; i++) {
        KM_MODEL_CHECK(i < taken->len);
        fifo_check_event(&delta, &taken->events[i]);
        fifo_consume(&taken->events[i]);
    }
    KM_MODEL_CHECK(i == taken->len);
    return KM_OK;
}

static void delta_pop(void)
{
    struct delta_taken taken = {.initial = !dm.synced, .key = -1};
    int expected = dm.count > 0 ? KM_OK : dm.closed ? KM_EOF : KM_AGAIN;

    if (dm.count > 0) {
        taken.len = dm.lens[dm.keys[0]];
        memcpy(taken.events, dm.events[dm.keys[0]], sizeof taken.events);
        taken.key = delta_unqueue();
        dm.initial -= dm.initial > 0;
        delta_check_synced();
    }
    KM_MODEL_CHECK(km_deltafifo_pop(&delta_fifo, delta_popped, &taken) == expected);
    /* Without known objects nobody tells of what vanished from a list but the queue. */
    if (dm.count == 0 && dm.with_known)
        fifo_check_consumer(dm.lost);
}

static void delta_resync(void)
{
    int result = KM_OK;

    for (int key = 0; key < FIFO_KEYS && result == KM_OK && dm.with_known; key++) {
        if (fifo_world.known[key] >= 0 && dm.lens[key] == 0)
            result = delta_queue((struct fifo_model_event){
                KM_DELTA_SYNC, key, fifo_world.known[key], false, false, {{0}}, 0});
    }
    KM_MODEL_CHECK(km_deltafifo_resync(&delta_fifo) == result);
}

static void delta_start(bool with_known)
{
    memset(&dm, 0, sizeof dm);
    fifo_world_start();
    dm.with_known = with_known;
    delta_fifo.fifo.known = with_known ? &fifo_known : NULL;
    km_deltafifo_init(&delta_fifo, 9);
}

static void delta_compare(void)
{
    for (int key = 0; key < FIFO_KEYS; key++) {
        struct km_deltas rest = km_deltafifo_get(&delta_fifo, fifo_key_name(key));
        struct km_delta delta;
        int i = 0;

        for (; km_deltas_next(&rest, &delta) == KM_OK; i++) {
            KM_MODEL_CHECK(i < dm.lens[key]);
            fifo_check_event(&delta, &dm.events[key][i]);
        }
        KM_MODEL_CHECK(i == dm.lens[key]);
    }
    KM_MODEL_CHECK(km_deltafifo_len(&delta_fifo) == dm.count);
    KM_MODEL_CHECK(delta_fifo.fifo.pool.used == (uint32_t)delta_used());
    KM_MODEL_CHECK(km_deltafifo_lost(&delta_fifo) == dm.lost);
    KM_MODEL_CHECK(km_deltafifo_synced(&delta_fifo) == dm.synced);
}

/* One operation on both; what: 0 to 99. */
static void delta_step(unsigned what, int key, unsigned flags)
{
    if (what < 14) {
        delta_change(KM_DELTA_ADDED, key, false, false);
    } else if (what < 32) {
        delta_change(KM_DELTA_UPDATED, key, false, false);
    } else if (what < 48) {
        delta_change(KM_DELTA_DELETED, key, (flags & 1) != 0, (flags & 2) != 0);
    } else if (what < 70) {
        delta_pop();
    } else if (what < 75) {
        km_deltafifo_replace_begin(&delta_fifo);
        dm.replacing = true;
        dm.stage_failed = false;
        dm.staged_len = 0;
    } else if (what < 85) {
        delta_item(key);
    } else if (what < 93) {
        int result = delta_end();

        KM_MODEL_CHECK(km_deltafifo_replace_end(&delta_fifo) == result);
    } else if (what < 94) {
        km_deltafifo_replace_abort(&delta_fifo);
        dm.replacing = dm.stage_failed = false;
        dm.staged_len = 0;
    } else if (what < 99) {
        delta_resync();
    } else {
        km_deltafifo_close(&delta_fifo);
        dm.closed = true;
    }
}

#endif
