/* SPDX-License-Identifier: Apache-2.0 */
/* What the models of both queues share: keys, the consumer's objects, what is true. A difference calls
   KM_MODEL_CHECK, which the including file defines. */
#ifndef TEST_CACHE_FIFO_MODEL_H
#define TEST_CACHE_FIFO_MODEL_H

#include <string.h>

#include "kubemote/km_delta.h"

#define FIFO_KEYS 5
#define FIFO_EVENTS 12
#define FIFO_BARE_VALUE (-1)

static const char *const fifo_keys[FIFO_KEYS] = {"a", "b", "cc", "ns/d", "e"};

struct fifo_model_event {
    enum km_delta_type type;
    int key, value;
    bool tombstone, initial;
    int list[FIFO_EVENTS][2], list_len; /* key and value */
};

/* -1: there is no such object. */
static struct {
    int known[FIFO_KEYS]; /* what the consumer has */
    int truth[FIFO_KEYS]; /* what it must have in the end unless events were lost */
    int stamp;
} fifo_world;

static int fifo_known_next(void *ctx, uint32_t *at, struct km_slice *key, const void **object)
{
    (void)ctx;
    while (*at < FIFO_KEYS && fifo_world.known[*at] < 0)
        ++*at;
    if (*at >= FIFO_KEYS)
        return KM_ERR_NOT_FOUND;
    *key = km_slice_of(fifo_keys[*at]);
    *object = &fifo_world.known[(*at)++];
    return KM_OK;
}

static bool fifo_known_has(void *ctx, struct km_slice key)
{
    (void)ctx;
    for (int i = 0; i < FIFO_KEYS; i++) {
        if (km_slice_eq_str(key, fifo_keys[i]))
            return fifo_world.known[i] >= 0;
    }
    return false;
}

static const struct km_known fifo_known = {fifo_known_next, fifo_known_has, NULL};

static void fifo_world_start(void)
{
    int stamp = fifo_world.stamp;

    memset(&fifo_world, -1, sizeof fifo_world);
    fifo_world.stamp = stamp;
}

static struct km_slice fifo_key_name(int key)
{
    return km_slice_of(fifo_keys[key]);
}

static void fifo_consume(const struct fifo_model_event *event)
{
    switch (event->type) {
    case KM_DELTA_ADDED:
    case KM_DELTA_UPDATED:
    case KM_DELTA_REPLACED:
    case KM_DELTA_SYNC:
        fifo_world.known[event->key] = event->value;
        break;
    case KM_DELTA_DELETED:
        fifo_world.known[event->key] = -1;
        break;
    case KM_DELTA_REPLACED_ALL:
        memset(fifo_world.known, -1, sizeof fifo_world.known);
        for (int i = 0; i < event->list_len; i++)
            fifo_world.known[event->list[i][0]] = event->list[i][1];
        break;
    case KM_DELTA_SYNC_ALL:
    case KM_DELTA_BOOKMARK:
        break;
    }
}

static void fifo_check_event(const struct km_delta *delta, const struct fifo_model_event *event)
{
    KM_MODEL_CHECK(delta->type == event->type);
    KM_MODEL_CHECK(delta->tombstone == event->tombstone);
    if (event->type >= KM_DELTA_REPLACED_ALL) {
        struct km_deltas list = delta->objects;
        struct km_delta item;
        int i = 0;

        for (; km_deltas_next(&list, &item) == KM_OK; i++) {
            KM_MODEL_CHECK(i < event->list_len);
            KM_MODEL_CHECK(km_slice_eq_str(item.key, fifo_keys[event->list[i][0]]));
            KM_MODEL_CHECK(*(const int *)item.object == event->list[i][1]);
        }
        KM_MODEL_CHECK(i == event->list_len);
        return;
    }
    KM_MODEL_CHECK(km_slice_eq_str(delta->key, fifo_keys[event->key]));
    KM_MODEL_CHECK((delta->object == NULL) == (event->value == FIFO_BARE_VALUE));
    KM_MODEL_CHECK(delta->object == NULL || *(const int *)delta->object == event->value);
}

static void fifo_check_consumer(bool lost)
{
    for (int i = 0; i < FIFO_KEYS && !lost; i++)
        KM_MODEL_CHECK(fifo_world.known[i] == fifo_world.truth[i]);
}

#endif
