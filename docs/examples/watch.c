/* SPDX-License-Identifier: Apache-2.0 */
/* Prints what is there and each change, until Ctrl-C: watch PLURAL [NAMESPACE [LABEL-SELECTOR]], of the core group. */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_rest.h"
#include "kubemote/km_watch.h"

static struct km_session session;
static struct km_resource resource = {"", "v1", NULL};
static struct km_schema_node nodes[CONFIG_KM_JSON_NODE_COUNT];
static struct km_meta object;
static struct km_rng rng;
static struct km_watch watch;
static char version[32];
static bool over;

static void print_event(void *ctx, const struct km_watch_event *event)
{
    (void)ctx;
    if (event->type == KM_WATCH_ERROR) {
        printf("ERROR %s\n", event->status->message);
        return;
    }
    (void)snprintf(version, sizeof version, "%s", event->object->rv);
    if (event->type != KM_WATCH_BOOKMARK)
        printf("%-8s %s/%s at %s\n", km_watch_type_name(event->type), event->object->ns,
               event->object->name, version);
    (void)fflush(stdout);
}

/* The server ends each stream after some minutes: that is no error, the next one goes on behind the last event. */
static void on_end(void *ctx, int err, const struct km_status *status)
{
    (void)ctx;
    if (err == KM_OK)
        err = km_watch_start(&watch, version);
    if (err == KM_OK)
        return;
    fprintf(stderr, "error: %s\n", status != NULL ? status->message : watch.request.fault->text);
    over = true;
}

int main(int argc, char **argv)
{
    struct km_fault why = {0};
    if (argc < 2 || argc > 4)
        return fprintf(stderr, "usage: watch PLURAL [NAMESPACE [LABEL-SELECTOR]]\n"), 1;
    resource.plural = argv[1];
    int err = km_session_open(&session, NULL, &why);
    km_rng_seed(&rng, (uint64_t)km_port_wall_us());
    km_port_signals();
    watch = (struct km_watch){.name = argv[1],
                              .resource = &resource,
                              .ns = argc > 2 ? argv[2] : NULL,
                              .label_selector = argc > 3 ? argv[3] : NULL,
                              .metadata_only = true,
                              .kind = &km_kind_meta,
                              .record = &object,
                              .nodes = nodes,
                              .lane = &session.lane,
                              .client = &session.client,
                              .rng = &rng,
                              .on_event = print_event,
                              .on_end = on_end};
    if (err == KM_OK)
        err = km_watch_init(&watch, &why);
    if (err == KM_OK)
        err = km_watch_start(&watch, "");
    if (err != KM_OK)
        return fprintf(stderr, "error: %s\n", why.text[0] != '\0' ? why.text : km_strerror(err)), 1;
    while (!over && !km_port_stop_requested())
        km_loop_turn(&session.loop, 60000);
    return over ? 1 : 0;
}
