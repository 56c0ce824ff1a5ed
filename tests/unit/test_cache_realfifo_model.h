/* SPDX-License-Identifier: Apache-2.0 */
/* RealFIFO in fixed storage, written for clearness: an array of events. */
#ifndef TEST_CACHE_REALFIFO_MODEL_H
#define TEST_CACHE_REALFIFO_MODEL_H

#include "tests/unit/test_cache_fifo_model.h"

#define REAL_NODES 9

KM_REALFIFO_DEFINE(real_fifo, int, REAL_NODES, 8);

static struct {
    struct fifo_model_event events[FIFO_EVENTS];
    int count, staged[FIFO_EVENTS][2], staged_len;
    bool atomic, replacing, stage_failed, lost, populated, synced, unmarked, closed;
} real;

static int real_used(void)
{
    int used = real.staged_len;

    for (int i = 0; i < real.count; i++)
        used += 1 + real.events[i].list_len;
    return used;
}

static void real_check_synced(void)
{
    bool pending = real.unmarked;

    for (int i = 0; i < real.count; i++)
        pending = pending || real.events[i].initial;
    real.synced = real.synced || (real.populated && !pending);
}

static void real_remove(int at)
{
    real.count--;
    memmove(&real.events[at], &real.events[at + 1],
            sizeof real.events[0] * (size_t)(real.count - at));
}

static void real_append(const struct fifo_model_event *event)
{
    real.events[real.count++] = *event;
}

/* The last event of key, -1 when none waits. */
static int real_last(int key)
{
    int at = real.count - 1;

    while (at >= 0 && (real.events[at].type >= KM_DELTA_REPLACED_ALL || real.events[at].key != key))
        at--;
    return at;
}

static bool real_make_room(struct fifo_model_event *event)
{
    int at = 0, last;

    while (at < real.count && real.events[at].type != KM_DELTA_BOOKMARK)
        at++;
    if (at < real.count) {
        real_remove(at);
        return true;
    }
    for (at = 0; at < real.count; at++) {
        const struct fifo_model_event *old = &real.events[at];

        if (old->type < KM_DELTA_REPLACED_ALL &&
            (real_last(old->key) != at ||
             (event->type < KM_DELTA_REPLACED_ALL && old->key == event->key)))
            break;
    }
    if (at == real.count)
        return false;
    last = real_last(real.events[at].key);
    if (real.events[at].initial)
        *(last != at ? &real.events[last].initial : &event->initial) = true;
    real_remove(at);
    return true;
}

static int real_queue(struct fifo_model_event event)
{
    if (real_used() == REAL_NODES && !real_make_room(&event)) {
        if (event.type < KM_DELTA_SYNC)
            real.lost = true;
        return KM_ERR_FULL;
    }
    real_append(&event);
    real_check_synced();
    return KM_OK;
}

static bool real_drop_head(void)
{
    if (real.count == 0)
        return false;
    real.unmarked = real.unmarked || (real.events[0].initial && !real.synced);
    real_remove(0);
    real.lost = true;
    return true;
}

static int real_bury(bool in_list[FIFO_KEYS])
{
    bool seen[FIFO_KEYS];
    int waiting = real.count;

    memcpy(seen, in_list, sizeof seen);
    for (int i = 0; i < waiting + FIFO_KEYS; i++) {
        int key = i < waiting ? real.events[i].key : i - waiting;
        int last = real_last(key);
        struct fifo_model_event event = {
            KM_DELTA_DELETED, key, fifo_world.known[key], true, false, {{0}}, 0};

        if (seen[key] || (i >= waiting && fifo_world.known[key] < 0))
            continue;
        seen[key] = true;
        if (i < waiting)
            event.value = real.events[last].value;
        if (i < waiting && real.events[last].type == KM_DELTA_DELETED)
            continue;
        if (real_used() == REAL_NODES)
            return KM_ERR_FULL;
        real_append(&event);
    }
    return KM_OK;
}

static int real_end_items(void)
{
    bool in_list[FIFO_KEYS] = {false};
    int result;

    for (int i = 0; i < real.staged_len; i++)
        in_list[real.staged[i][0]] = true;
    result = real_bury(in_list);
    if (result == KM_ERR_FULL && real.count > 0) {
        while (real_drop_head())
            continue;
        result = real_bury(in_list);
    }
    for (int i = 0; i < real.staged_len && result == KM_OK; i++) {
        struct fifo_model_event event = {
            KM_DELTA_REPLACED, real.staged[i][0], real.staged[i][1], false, false, {{0}}, 0};

        real_append(&event);
    }
    return result;
}

static int real_end_atomic(void)
{
    struct fifo_model_event event = {
        .type = KM_DELTA_REPLACED_ALL, .key = -1, .value = FIFO_BARE_VALUE};

    while (real_used() == REAL_NODES) {
        if (!real_drop_head())
            return KM_ERR_FULL;
    }
    memcpy(event.list, real.staged, sizeof event.list);
    event.list_len = real.staged_len;
    real_append(&event);
    return KM_OK;
}

static int real_end(void)
{
    bool replacing = real.replacing, failed = real.stage_failed;
    int result = KM_ERR_ARG;

    if (replacing)
        result = failed ? KM_ERR_FULL : real.atomic ? real_end_atomic() : real_end_items();
    real.replacing = real.stage_failed = false;
    if (replacing && result != KM_OK)
        real.lost = true;
    if (result == KM_OK) {
        memset(fifo_world.truth, -1, sizeof fifo_world.truth);
        for (int i = 0; i < real.staged_len; i++)
            fifo_world.truth[real.staged[i][0]] = real.staged[i][1];
    }
    real.staged_len = 0;
    if (result != KM_OK)
        return result;
    real.lost = false;
    if (!real.populated || (real.unmarked && !real.synced)) {
        for (int i = 0; i < real.count; i++)
            real.events[i].initial = true;
        real.populated = true;
        real.unmarked = false;
    }
    real_check_synced();
    return KM_OK;
}

static int real_popped(void *ctx, const struct km_deltas *deltas, bool initial)
{
    struct km_deltas rest = *deltas;
    struct km_delta delta;
    int *count = ctx;

    KM_MODEL_CHECK(initial == !real.synced);
    for (; km_deltas_next(&rest, &delta) == KM_OK; ++*count) {
        KM_MODEL_CHECK(real.count > *count);
        fifo_check_event(&delta, &real.events[*count]);
        fifo_consume(&real.events[*count]);
    }
    return KM_OK;
}

/* How many items the next batch has. */
static int real_batch(int max)
{
    int count = 0;

    for (; count < real.count && count < max; count++) {
        bool alone = real.events[count].type >= KM_DELTA_REPLACED_ALL;

        if (alone || real.events[count].initial != real.events[0].initial)
            return count == 0 ? 1 : count;
        for (int i = 0; i < count; i++) {
            if (real.events[i].key == real.events[count].key)
                return count;
        }
    }
    return count;
}

static void real_pop(bool batch)
{
    int taken = 0, wanted = real_batch(batch ? 3 : 1);
    int result = batch ? km_realfifo_pop_batch(&real_fifo, real_popped, real_popped, &taken)
                       : km_realfifo_pop(&real_fifo, real_popped, &taken);

    KM_MODEL_CHECK(result == (real.count > 0 ? KM_OK : real.closed ? KM_EOF : KM_AGAIN));
    KM_MODEL_CHECK(taken == wanted);
    for (int i = 0; i < taken; i++)
        real_remove(0);
    real_check_synced();
    if (real.count == 0)
        fifo_check_consumer(real.lost);
}

static void real_change(enum km_delta_type type, int key, bool tombstone, bool bare)
{
    int value = tombstone && bare ? FIFO_BARE_VALUE : ++fifo_world.stamp & 0xFFFFFF;
    const void *object = value == FIFO_BARE_VALUE ? NULL : &value;
    struct km_slice name = fifo_key_name(key);
    int result = type == KM_DELTA_ADDED ? km_realfifo_add(&real_fifo, name, object)
                 : type == KM_DELTA_UPDATED
                     ? km_realfifo_update(&real_fifo, name, object)
                     : km_realfifo_delete(&real_fifo, name, object, tombstone);

    real.populated = true;
    real_check_synced();
    KM_MODEL_CHECK(result == real_queue((struct fifo_model_event){
                                 type, key, value, tombstone, false, {{0}}, 0}));
    fifo_world.truth[key] = type == KM_DELTA_DELETED ? -1 : value;
}

static void real_item(int key)
{
    int value = ++fifo_world.stamp & 0xFFFFFF, result = KM_OK;

    if (!real.replacing) {
        result = KM_ERR_ARG;
    } else {
        while (real_used() == REAL_NODES && real_drop_head())
            continue;
        if (real_used() == REAL_NODES) {
            result = KM_ERR_FULL;
            real.stage_failed = real.lost = true;
        } else {
            real.staged[real.staged_len][0] = key;
            real.staged[real.staged_len++][1] = value;
        }
    }
    KM_MODEL_CHECK(km_realfifo_replace_item(&real_fifo, fifo_key_name(key), &value) == result);
}

static void real_resync(void)
{
    int result = KM_OK;

    if (real.atomic) {
        result = real_queue((struct fifo_model_event){
            .type = KM_DELTA_SYNC_ALL, .key = -1, .value = FIFO_BARE_VALUE});
    } else {
        for (int key = 0; key < FIFO_KEYS && result == KM_OK; key++) {
            if (fifo_world.known[key] >= 0 && real_last(key) < 0)
                result = real_queue((struct fifo_model_event){
                    KM_DELTA_SYNC, key, fifo_world.known[key], false, false, {{0}}, 0});
        }
    }
    KM_MODEL_CHECK(km_realfifo_resync(&real_fifo) == result);
}

static void real_bookmark(void)
{
    int result = KM_OK;

    if (real.atomic)
        result = real_queue((struct fifo_model_event){
            .type = KM_DELTA_BOOKMARK, .key = -1, .value = FIFO_BARE_VALUE});
    KM_MODEL_CHECK(km_realfifo_bookmark(&real_fifo, km_slice_of("12")) == result);
}

static void real_start(bool atomic)
{
    memset(&real, 0, sizeof real);
    fifo_world_start();
    real.atomic = atomic;
    real_fifo.atomic = real_fifo.emit_bookmarks = atomic;
    real_fifo.fifo.known = atomic ? NULL : &fifo_known;
    real_fifo.batch_max = 3;
    KM_MODEL_CHECK(km_realfifo_init(&real_fifo, 9) == KM_OK);
}

static void real_compare(void)
{
    struct km_deltas rest = km_realfifo_items(&real_fifo);
    struct km_delta delta;
    int i = 0;

    for (; km_deltas_next(&rest, &delta) == KM_OK; i++) {
        KM_MODEL_CHECK(i < real.count);
        fifo_check_event(&delta, &real.events[i]);
    }
    KM_MODEL_CHECK(i == real.count && km_realfifo_len(&real_fifo) == real.count);
    KM_MODEL_CHECK(real_fifo.fifo.pool.used == (uint32_t)real_used());
    KM_MODEL_CHECK(km_realfifo_lost(&real_fifo) == real.lost);
    KM_MODEL_CHECK(km_realfifo_synced(&real_fifo) == real.synced);
}

/* One operation on both; what: 0 to 99. */
static void real_step(unsigned what, int key, unsigned flags)
{
    if (what < 12) {
        real_change(KM_DELTA_ADDED, key, false, false);
    } else if (what < 28) {
        real_change(KM_DELTA_UPDATED, key, false, false);
    } else if (what < 40) {
        real_change(KM_DELTA_DELETED, key, (flags & 1) != 0, (flags & 2) != 0);
    } else if (what < 60) {
        real_pop(false);
    } else if (what < 68) {
        real_pop(true);
    } else if (what < 73) {
        km_realfifo_replace_begin(&real_fifo);
        real.replacing = true;
        real.stage_failed = false;
        real.staged_len = 0;
    } else if (what < 83) {
        real_item(key);
    } else if (what < 90) {
        int result = real_end();

        KM_MODEL_CHECK(km_realfifo_replace_end(&real_fifo, km_slice_of("77")) == result);
    } else if (what < 91) {
        km_realfifo_replace_abort(&real_fifo);
        real.replacing = real.stage_failed = false;
        real.staged_len = 0;
    } else if (what < 95) {
        real_bookmark();
    } else if (what < 99) {
        real_resync();
    } else {
        km_realfifo_close(&real_fifo);
        real.closed = true;
    }
}

#endif
