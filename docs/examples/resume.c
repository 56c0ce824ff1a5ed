/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the ConfigMaps of a namespace that were added, changed or deleted since the last run, and goes on until Ctrl-C: the
 * resourceVersion behind the last event that was printed is kept in FILE. resume FILE NAMESPACE
 */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_informer.h"
#include "kubemote/km_rest.h"

KM_SHARED_DEFINE(configmaps, struct km_meta, 500, KM_KEY_SIZE, NULL, NULL);

static const struct km_resource resource = {"", "v1", "configmaps"};
static struct km_session session;
static struct km_saved saved;

static void print(const char *what, const void *record)
{
    const struct km_meta *object = record;
    printf("%s %s at %s\n", what, object->name, object->rv);
    (void)fflush(stdout);
}

static void on_add(void *ctx, uint16_t slot, const void *now, bool initial)
{
    (void)ctx;
    (void)slot;
    (void)initial;
    print("seen", now); /* after a resume the first change of an object is told as an addition */
}

static void on_update(void *ctx, uint16_t slot, const void *old, const void *now)
{
    (void)ctx;
    (void)slot;
    (void)old;
    print("seen", now);
}

static void on_delete(void *ctx, uint16_t slot, const void *last, bool tombstone)
{
    (void)ctx;
    (void)slot;
    (void)tombstone;
    print("gone", last);
}

int main(int argc, char **argv)
{
    static struct km_handler handler = {
        .on_add = on_add, .on_update = on_update, .on_delete = on_delete};
    struct km_reflector *r = &configmaps.reflector;
    struct km_fault why = {0};
    char version[KM_VERSION_SIZE];
    uint32_t seed = 0;
    if (argc != 3)
        return fprintf(stderr, "usage: resume FILE NAMESPACE\n"), 1;
    int err = km_session_open(&session, NULL, &why);
    (void)km_port_entropy(&seed, sizeof seed);
    km_port_signals();
    r->name = "configmaps";
    r->resource = &resource;
    r->ns = argv[2];
    r->metadata_only = true;
    r->kind = &km_kind_meta;
    r->lane = &session.lane;
    if (err == KM_OK)
        err = km_shared_init(&configmaps, seed, &why);
    if (err == KM_OK)
        err = km_shared_add(&configmaps, &handler);
    if (err != KM_OK)
        return fprintf(stderr, "error: %s\n", why.text[0] != '\0' ? why.text : km_strerror(err)), 1;
    /* A write a minute at most, so that flash lasts; a program that is killed prints that minute once more. */
    saved = (struct km_saved){.name = "configmaps", .path = argv[1], .interval_ms = 60000};
    km_saved_init(&saved, &session.loop.timers);
    (void)km_saved_load(&saved, version, sizeof version); /* "" when there is none */
    km_shared_keep(&configmaps, &saved);
    km_shared_resume(&configmaps, version);
    while (!km_port_stop_requested())
        km_loop_turn(&session.loop, 60000);
    km_shared_stop(&configmaps);
    return km_saved_write(&saved) == KM_OK ? 0 : 1;
}
