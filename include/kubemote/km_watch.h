/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room watch: the reflector. It keeps a picture of one collection up to date through every way in which a watch can break,
 * and tells a sink what changed. It owns one lane of the client; it stores no objects: records are decoded into storage
 * that the sink names.
 *
 *            +-----------+  initial-events-end   +----------+
 *   start -> |  STREAM   | --------------------> | WATCHING | -- clean end --> plain watch at the last resourceVersion
 *            +-----------+                       +----------+
 *              |  server can't                       |  broken link, stale link (no byte in 150 s), 410, ERROR
 *              v                                     v
 *            +-----------+  last page            back-off, then STREAM at the last resourceVersion, not older than
 *            |   LIST    | ------------> WATCHING
 *            +-----------+
 *
 * Why a streaming list after a broken link, where client-go resumes with a plain watch: a server whose store was restored
 * from an older copy answers a plain watch at a newer resourceVersion with silence for ever; a list that must not be older
 * is refused with ResourceVersionTooLarge instead, and we start over.
 * (Kubernetes: API Concepts, "Streaming lists", "Efficient detection of changes".)
 */
#ifndef KM_WATCH_H
#define KM_WATCH_H

#include "km_kube.h"

/* What a reflector tells. All calls come from the loop; none may start a blocking call. */
struct km_watch_sink {
    /* Where the next object is decoded: a record of the reflector's kind. */
    void *(*spare)(void *ctx);
    /* The contents are about to be told anew, object by object. May come again before replace_end (an aborted list). */
    void (*replace_begin)(void *ctx);
    /* The object in the spare was added or changed. KM_ERR_FULL: there was no room; the reflector counts it. */
    int (*upsert)(void *ctx);
    /* The object in the spare was deleted. */
    void (*remove)(void *ctx);
    /* The list is complete: what was not told since replace_begin is gone. */
    void (*replace_end)(void *ctx);
    /* Everything up to this resourceVersion was told: by an event, a bookmark or a whole list. May be NULL. */
    void (*progress)(void *ctx, const char *rv);
    /* The resourceVersion given to km_reflector_resume is too old: what happened since is lost, a list follows. May be NULL. */
    void (*expired)(void *ctx, const char *rv);
    void *ctx;
};

enum km_watch_state {
    KM_WATCH_STOPPED, /* awaits km_reflector_start */
    KM_WATCH_BACKOFF, /* awaits the timer */
    KM_WATCH_STREAM,  /* awaits the initial events of a streaming list, up to the marked bookmark */
    KM_WATCH_LIST,    /* awaits a page of a plain list */
    KM_WATCH_WATCHING /* awaits events */
};

struct km_reflector {
    /* Set before km_reflector_init. */
    const char *name; /* for logs and metrics: "nodes" */
    const struct km_resource *resource;
    char field_selector[300];   /* "" = none */
    const char *ns;             /* NULL or "" = all namespaces; the pointers stay valid */
    const char *label_selector; /* NULL or "" = none */
    bool
        metadata_only; /* ask for PartialObjectMetadata: enough for a kind of metadata fields alone */
    const struct km_kind *kind; /* begins with KM_META_FIELDS */
    struct km_watch_sink sink;
    struct km_lane *lane;
    struct km_client *client;
    struct km_schema_node *event_nodes, *list_nodes; /* CONFIG_KM_JSON_NODE_COUNT each */
    struct km_rng *rng;

    /* Private. */
    enum km_watch_state state, next_state;
    char rv[32];      /* the last resourceVersion seen, opaque; "" = none */
    char list_rv[32]; /* of the list under way */
    char continue_token[CONFIG_KM_CONTINUE_BYTES];
    bool synced;          /* the first list is complete */
    bool rv_unavailable;  /* the server can't serve rv: ask for the most recent */
    bool list_this_round; /* streaming lists don't work at this moment */
    bool full_list;       /* a page expired: one whole list */
    bool paginated;       /* a list at "0" came in pages: the server has no watch cache for it */
    bool resumed;       /* the watch began at a kept resourceVersion and nothing was listed since */
    bool in_trouble;    /* an episode of failures is under way: it was logged */
    bool replace_open;  /* replace_begin was told, replace_end not */
    bool restart_now;   /* set by an event: end the stream and start over without back-off */
    bool resync_wanted; /* start over when the timer comes, not from inside a callback */
    uint32_t round_events; /* events in the present stream */
    uint16_t page;
    int64_t opened_ms, last_event_ms;
    struct km_backoff backoff;
    int64_t retry_after_ms; /* what the server asked for: the next back-off is at least so long */
    struct km_timer timer;  /* back-off, or the age of the last event */
    struct km_request request;
    struct km_schema events, list;
    struct km_schema_part event_parts[3], list_parts[2];
    struct km_counter lists, restarts, events_total, skipped, refused;
    char counter_names[5][64];
};

/* KM_ERR_FULL when the schema tables are too small. Start-up only. */
int km_reflector_init(struct km_reflector *r, struct km_fault *fault);
void km_reflector_start(struct km_reflector *r);
/*
 * Starts with a watch behind rv, without a list: for a program that kept the resourceVersion and handled all that came before.
 * It misses nothing and sees no event twice but those that it had not kept. When the server has forgotten that version the
 * sink's `expired` is told and a list follows. Started as by km_reflector_start when rv is "" or "0".
 */
void km_reflector_resume(struct km_reflector *r, const char *rv);
void km_reflector_stop(struct km_reflector *r);
/* The contents are doubtful (a write said NotFound for an object that is cached): drop the stream and list anew, soon but at
   most every 10 s. May be called from a callback. */
void km_reflector_resync(struct km_reflector *r, const char *why);
bool km_reflector_synced(const struct km_reflector *r);
/* The picture is kept up to date at this moment: no broken watch, no list under way. */
bool km_reflector_live(const struct km_reflector *r);

#endif
