/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client-go's work queue written for clearness, against which the real one is checked: a list, two
 * sets, and Go's container/heap as its documentation tells it, with swaps. Used by the model test and
 * by the fuzz target. A difference calls KM_MODEL_CHECK, which the including file defines.
 */
#ifndef KM_QUEUE_MODEL_H
#define KM_QUEUE_MODEL_H

#include <string.h>

#include "kubemote/km_queue.h"

#define MODEL_KEYS 13
#define MODEL_DOUBLES 5
#define MODEL_PLACES (MODEL_KEYS + MODEL_DOUBLES)
#define MODEL_BASE 5
#define MODEL_MAX 700

static struct {
    int list[MODEL_PLACES], len, doubles;
    bool dirty[MODEL_KEYS], processing[MODEL_KEYS], stopped, draining;
    struct {
        int key;
        int64_t due;
    } heap[MODEL_KEYS];
    int heap_len;
    int failures[MODEL_KEYS];
    uint64_t adds, retries;
    int64_t now;
} model;

static void model_swap(int a, int b)
{
    int key = model.heap[a].key;
    int64_t due = model.heap[a].due;

    model.heap[a] = model.heap[b];
    model.heap[b].key = key;
    model.heap[b].due = due;
}

static bool model_less(int a, int b)
{
    return model.heap[a].due < model.heap[b].due;
}

static void model_up(int j)
{
    while (j > 0 && model_less(j, (j - 1) / 2)) {
        model_swap(j, (j - 1) / 2);
        j = (j - 1) / 2;
    }
}

static void model_down(int i, int n)
{
    for (int j = 2 * i + 1; j < n; j = 2 * i + 1) {
        if (j + 1 < n && model_less(j + 1, j))
            j++;
        if (!model_less(j, i))
            return;
        model_swap(i, j);
        i = j;
    }
}

static void model_wait(int key, int64_t due)
{
    for (int i = 0; i < model.heap_len; i++) {
        if (model.heap[i].key != key)
            continue;
        if (due < model.heap[i].due) {
            model.heap[i].due = due;
            model_up(i);
        }
        return;
    }
    model.heap[model.heap_len].key = key;
    model.heap[model.heap_len].due = due;
    model_up(model.heap_len++);
}

static void model_add(int key)
{
    if (model.stopped || model.dirty[key])
        return;
    model.dirty[key] = true;
    model.adds++;
    if (!model.processing[key])
        model.list[model.len++] = key;
}

static void model_add_after(int key, int64_t delay)
{
    if (model.stopped)
        return;
    model.retries++;
    if (delay <= 0)
        model_add(key);
    else
        model_wait(key, model.now + delay);
}

static void model_advance(void)
{
    while (model.heap_len > 0 && model.heap[0].due <= model.now) {
        int key = model.heap[0].key;

        model_swap(0, --model.heap_len);
        model_down(0, model.heap_len);
        model_add(key);
    }
}

/* The key that get must give, or -1. */
static int model_get(void)
{
    int key;

    model_advance();
    if (model.len == 0)
        return -1;
    key = model.list[0];
    memmove(model.list, model.list + 1, (size_t)--model.len * sizeof model.list[0]);
    if (model.processing[key] || !model.dirty[key])
        model.doubles--;
    model.dirty[key] = false;
    model.processing[key] = true;
    return key;
}

static void model_done(int key)
{
    bool stray = !model.processing[key];

    model.processing[key] = false;
    if (!model.dirty[key] || (stray && model.doubles == MODEL_DOUBLES))
        return;
    model.doubles += stray;
    model.list[model.len++] = key;
}

static int64_t model_rate_limited(int key)
{
    int64_t delay = MODEL_BASE;

    for (int i = 0; i < model.failures[key] && delay < MODEL_MAX; i++)
        delay *= 2;
    delay = delay > MODEL_MAX ? MODEL_MAX : delay;
    model.failures[key]++;
    model_add_after(key, delay);
    return delay;
}

static void model_shutdown(bool drain)
{
    model.stopped = true;
    model.draining = drain;
    model.heap_len = 0;
}

static bool model_drained(void)
{
    for (int i = 0; i < MODEL_KEYS; i++) {
        if (model.processing[i])
            return false;
    }
    return true;
}

static bool model_busy(int key)
{
    for (int i = 0; i < model.len; i++) {
        if (model.list[i] == key)
            return true;
    }
    for (int i = 0; i < model.heap_len; i++) {
        if (model.heap[i].key == key)
            return true;
    }
    return model.dirty[key] || model.processing[key];
}

/* One operation on both; what: 0 to 99. */
static void model_step(struct km_queue *q, unsigned what, int key, int64_t delay)
{
    uint16_t slot = (uint16_t)key;

    if (what < 20) {
        KM_MODEL_CHECK(km_queue_add(q, slot) == KM_OK);
        model_add(key);
    } else if (what < 48) {
        uint16_t got = MODEL_KEYS;
        int result = km_queue_get(q, &got, model.now), want = model_get();

        if (want < 0)
            KM_MODEL_CHECK(result == (model.stopped ? KM_EOF : KM_AGAIN));
        else
            KM_MODEL_CHECK(result == KM_OK && got == want);
    } else if (what < 70) {
        km_queue_done(q, slot);
        model_done(key);
    } else if (what < 80) {
        KM_MODEL_CHECK(km_queue_add_after(q, slot, delay, model.now) == KM_OK);
        model_add_after(key, delay);
    } else if (what < 86) {
        KM_MODEL_CHECK(km_queue_add_rate_limited(q, slot, model.now) == model_rate_limited(key));
    } else if (what < 89) {
        km_queue_forget(q, slot);
        model.failures[key] = 0;
    } else if (what < 98) {
        model.now += delay > 0 ? delay : 0;
        km_queue_advance(q, model.now);
        model_advance();
    } else if (what < 99) {
        km_queue_shutdown(q);
        model_shutdown(false);
    } else {
        KM_MODEL_CHECK(km_queue_shutdown_drain(q) == (model_drained() ? KM_OK : KM_AGAIN));
        model_shutdown(true);
    }
}

static void model_compare(const struct km_queue *q)
{
    int64_t next = model.heap_len > 0 ? model.heap[0].due : KM_NEVER;

    for (int i = 0; i < MODEL_KEYS; i++) {
        KM_MODEL_CHECK(km_queue_requeues(q, (uint16_t)i) == model.failures[i]);
        KM_MODEL_CHECK(km_queue_busy(q, (uint16_t)i) == model_busy(i));
    }
    KM_MODEL_CHECK(km_queue_len(q) == model.len);
    KM_MODEL_CHECK(km_queue_next(q) == (model.len > 0 ? 0 : next));
    KM_MODEL_CHECK(km_queue_drained(q) == model_drained());
    KM_MODEL_CHECK(km_queue_draining(q) == (model.draining && !model_drained()));
}

#endif
