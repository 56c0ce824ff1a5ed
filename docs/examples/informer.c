/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture of all ConfigMaps in memory, two handlers, and an index by namespace: the first handler prints changes, the
 * second one how many there are in the namespace that changed, read from the index without a request. Until Ctrl-C.
 */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_informer.h"
#include "kubemote/km_rest.h"

#define CONFIGMAPS 500 /* more are left out; km_shared_left_out says how many */

KM_SHARED_DEFINE(configmaps, struct km_meta, CONFIGMAPS, KM_KEY_SIZE, NULL, NULL);
KM_INDEX_NAMESPACE_DEFINE(by_namespace, CONFIGMAPS);

static const struct km_resource resource = {"", "v1", "configmaps"};
static struct km_session session;

/* ---- the first handler ---- */

static void print_add(void *ctx, uint16_t slot, const void *now, bool initial)
{
    const struct km_meta *object = now;
    (void)ctx;
    (void)slot;
    printf("%s %s/%s\n", initial ? "there" : "added", object->ns, object->name);
}

static void print_update(void *ctx, uint16_t slot, const void *old, const void *now)
{
    const struct km_meta *before = old, *object = now;
    (void)ctx;
    (void)slot;
    if (strcmp(before->rv, object->rv) != 0) /* equal after a new list and in a resync */
        printf("changed %s/%s\n", object->ns, object->name);
}

static void print_delete(void *ctx, uint16_t slot, const void *last, bool tombstone)
{
    const struct km_meta *object = last;
    (void)ctx;
    (void)slot;
    (void)tombstone; /* the deletion itself was missed: last is what was known */
    printf("deleted %s/%s\n", object->ns, object->name);
}

/* ---- the second handler ---- */

static void print_count(const char *ns)
{
    struct km_index_walk walk;
    uint16_t slot;
    unsigned count = 0;
    km_index_find(&by_namespace, km_slice_of(ns), &walk);
    while (km_index_next(&walk, &slot) == KM_OK)
        count++;
    printf("%s has %u\n", ns, count);
    (void)fflush(stdout);
}

static void count_add(void *ctx, uint16_t slot, const void *now, bool initial)
{
    const struct km_meta *object = now;
    (void)ctx;
    (void)slot;
    if (!initial)
        print_count(object->ns);
}

static void count_delete(void *ctx, uint16_t slot, const void *last, bool tombstone)
{
    const struct km_meta *object = last;
    (void)ctx;
    (void)slot;
    (void)tombstone;
    print_count(object->ns);
}

static void count_all(void *ctx)
{
    char ns[64];
    uint32_t at = 0;
    (void)ctx;
    while (km_index_next_value(&by_namespace, &at, ns, sizeof ns) == KM_OK)
        print_count(ns);
    printf("synced%s\n", km_shared_complete(&configmaps) ? "" : ", but not all had room");
    (void)fflush(stdout);
}

int main(void)
{
    static struct km_handler printer = {
        .on_add = print_add, .on_update = print_update, .on_delete = print_delete};
    static struct km_handler counter = {
        .on_add = count_add, .on_delete = count_delete, .on_synced = count_all};
    struct km_reflector *r = &configmaps.reflector;
    struct km_fault why = {0};
    uint32_t seed = 0;
    int err = km_session_open(&session, NULL, &why);
    (void)km_port_entropy(&seed, sizeof seed);
    km_port_signals();
    r->name = "configmaps";
    r->resource = &resource;
    r->metadata_only = true; /* the contents stay on the server */
    r->kind = &km_kind_meta;
    r->lane = &session.lane;
    if (err == KM_OK)
        err = km_shared_init(&configmaps, seed, &why);
    if (err == KM_OK)
        err = km_store_add_index(configmaps.store, &by_namespace);
    if (err == KM_OK)
        err = km_shared_add(&configmaps, &printer);
    if (err == KM_OK)
        err = km_shared_add(&configmaps, &counter);
    if (err != KM_OK)
        return fprintf(stderr, "error: %s\n", why.text[0] != '\0' ? why.text : km_strerror(err)), 1;
    km_shared_start(&configmaps);
    while (!km_port_stop_requested())
        km_loop_turn(&session.loop, 60000);
    km_shared_stop(&configmaps);
    return 0;
}
