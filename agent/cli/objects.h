/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of an answer as they come, each as compact JSON in one static buffer of CONFIG_KM_CLI_OBJECT_BYTES. One that is larger
 * is told piece by piece. metadata.managedFields is left out unless wanted; items of a list get the kind and apiVersion that
 * the list implies, as client-go gives them.
 */
#ifndef OBJECTS_H
#define OBJECTS_H

#include "kubemote/km_json_walk.h"
#include "cli_priv.h"

struct object_meta {
    char api_version[320], kind[128], ns[64], name[254], rv[64];
};

struct objects {
    /* Set by the caller. */
    enum objects_of { OBJECT_ALONE, OBJECTS_OF_LIST, OBJECTS_OF_WATCH } of;
    bool managed_fields;
    bool only_meta; /* text is empty, no object is too large */
    /* A whole object. A result other than KM_OK ends the reading. */
    int (*on_object)(struct objects *o, struct km_slice text);
    /* What is larger: begin (text: what came so far, cut anywhere), then the walk's events, then end. May be NULL: then it is an
       error. */
    int (*on_large)(struct objects *o, enum km_walk_event event, struct km_slice text);
    void *ctx;
    /* Results. */
    struct object_meta meta; /* of the object at hand */
    struct object_meta list; /* of the list */
    char event[16];          /* of a watch */
    char token[1024];        /* metadata.continue */
    int64_t remaining;       /* metadata.remainingItemCount, -1 = not told */
    uint64_t count;          /* objects told */
    /* Private. */
    struct km_json_walk walk;
    struct km_buf text;
    size_t value_start;
    uint16_t skip_depth;
    bool is_array[CONFIG_KM_JSON_DEPTH + 1];
    bool in_object, skipping, comma, large;
    bool telling; /* the user's, of a large object under way */
};

void objects_begin(struct objects *o);
int objects_feed(struct objects *o, struct km_slice bytes);
int objects_end(struct objects *o);

/* Prints what on_large is told as JSON in the server's order, `depth` levels deep. */
int objects_print_large(struct objects *o, enum km_walk_event event, struct km_slice text,
                        unsigned depth);
/* Whether the end that was told last was the object's own. */
bool objects_large_done(const struct objects *o);

#endif
