/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room watch: the reflector, and below it a watch without a cache and the retry watcher. The reflector keeps a picture of one collection up to date through every way in which a watch can break,
 * and tells a sink what changed. It owns one lane of the client; it stores no objects: records are decoded into storage
 * that the sink names.
 *
 *            +-----------+  initial-events-end   +----------+
 *   start -> |  STREAM   | --------------------> | WATCHING | -- clean end --> plain watch at the last resourceVersion
 *            +-----------+                       +----------+
 *              |  server can't                       |  broken link, silence (half-open link), 410, ERROR
 *              v                                     v
 *            +-----------+  last page            back-off, then STREAM at the last resourceVersion, not older than
 *            |   LIST    | ------------> WATCHING
 *            +-----------+
 *
 * Why a streaming list after a broken link, where client-go resumes with a plain watch: a server whose store was restored
 * from an older copy answers a plain watch at a newer resourceVersion with silence for ever; a list that must not be older
 * is refused with ResourceVersionTooLarge instead, and we start over. For the same reason no plain watch begins more than 10 s
 * after the end of the stream before it, and a server that calls each list too old to watch from gets the next one with back-off.
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
    /* The server can't go on from the resourceVersion given to km_reflector_resume: what happened since is lost, a list follows.
       May be NULL. */
    void (*expired)(void *ctx, const char *rv);
    /* A list or a watch failed; it is tried again with back-off. Each time, while the log has a line for the first one only. May
       be NULL. */
    void (*failed)(void *ctx, const char *why);
    void *ctx;
};

enum km_watch_state {
    KM_WATCH_STOPPED, /* awaits km_reflector_start */
    KM_WATCH_BACKOFF, /* awaits the timer */
    KM_WATCH_STREAM,  /* awaits the initial events of a streaming list, up to the marked bookmark */
    KM_WATCH_LIST,    /* awaits a page of a plain list */
    KM_WATCH_ASK, /* awaits how far the server's store is, before it goes on from a kept resourceVersion */
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
    /* A stream without event and bookmark for so long is broken: the link is half open, or the server's store is another one.
       0 = 150,000; longer for a server whose bookmarks are rarer than every two minutes. */
    int64_t silence_ms;

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
    bool replace_told;  /* ... and something behind it */
    bool restart_now;   /* set by an event: end the stream and start over without back-off */
    bool resync_wanted; /* start over when the timer comes, not from inside a callback */
    uint32_t round_events; /* events in the present stream */
    uint16_t page;
    int64_t opened_ms, last_event_ms, paused_ms;
    int64_t at_once_ms; /* until then a list after a 410 waits for the back-off */
    struct km_backoff backoff;
    int64_t retry_after_ms; /* what the server asked for: the next back-off is at least so long */
    struct km_timer timer;  /* back-off, or the age of the last event */
    struct km_request request;
    struct km_schema events, list;
    struct km_schema_part event_parts[3], list_parts[2];
    struct km_counter lists, restarts, events_total, cut, skipped, refused;
    char counter_names[6][64];
};

/* KM_ERR_FULL when the schema tables are too small. Start-up only. */
int km_reflector_init(struct km_reflector *r, struct km_fault *fault);
void km_reflector_start(struct km_reflector *r);
/*
 * Starts with a watch behind rv, without a list: for a program that kept the resourceVersion and handled all that came before.
 * It misses nothing and sees no event twice but those that it had not kept. When the server has forgotten that version, or its
 * store is older (it was restored; asked for before each watch until the first list, as by the retry watcher below), the
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

/* ---- a watch without a cache ---- */

enum km_watch_type {
    KM_WATCH_ADDED,
    KM_WATCH_MODIFIED,
    KM_WATCH_DELETED,
    KM_WATCH_BOOKMARK, /* only the resourceVersion means anything */
    KM_WATCH_ERROR
};
const char *km_watch_type_name(enum km_watch_type type); /* "ADDED" */

/* Valid during the call. */
struct km_watch_event {
    enum km_watch_type type;
    const void *record;             /* of the watch's kind; NULL for ERROR */
    const struct km_object *object; /* how the same record begins; NULL for ERROR */
    const struct km_status *status; /* ERROR only */
    bool initial_end;               /* the BOOKMARK behind the initial events */
};

/*
 * One watch request, told event by event; nothing is kept, nothing is tried again. It holds its lane as long as it runs, so
 * that lane should be its own. An event that can't be read is told as an ERROR (reason InternalError, code 500, causes
 * UnexpectedServerResponse and ClientWatchDecoding, as client-go has it) and ends the watch. An object of which the wanted
 * fields do not all fit CONFIG_KM_JSON_WINDOW_BYTES lacks the last of them (record->head.truncated; logged once and counted
 * in `cut`); one of which not even the resourceVersion fits is left out and counted in `skipped`.
 */
struct km_watch {
    /* Set before km_watch_init; what is pointed at stays. */
    const char *name; /* for logs: "pods" */
    const struct km_resource *resource;
    const char *ns, *label_selector, *field_selector; /* NULL = all */
    bool
        metadata_only; /* ask for PartialObjectMetadata: enough for a kind of metadata fields alone */
    bool
        initial_events; /* what is there first, as ADDED, then a BOOKMARK with initial_end (servers from 1.32) */
    uint32_t
        timeout_s; /* the server ends the stream after a random time in [this, twice this); 0 = 300 */
    int64_t silence_ms;           /* as a reflector's */
    const struct km_kind *kind;   /* begins with KM_META_FIELDS */
    void *record;                 /* one of that kind: where each object is decoded */
    struct km_schema_node *nodes; /* CONFIG_KM_JSON_NODE_COUNT */
    struct km_lane *lane;
    struct km_client *client;
    struct km_rng *rng;
    /* Must not block; may stop the watch. */
    void (*on_event)(void *ctx, const struct km_watch_event *event);
    /* It ended, and may be started again from here. KM_OK: the server ended it in order. KM_ERR_STATUS: it was refused, with
       *status (else NULL). KM_ERR_TIMEOUT: neither event nor bookmark came for silence_ms. Else the link or the text. Not called
       after km_watch_stop. */
    void (*on_end)(void *ctx, int err, const struct km_status *status);
    void *ctx;

    /* Private but for the counts. */
    uint32_t cut, skipped;
    bool running, in_call, unknown_type;
    int64_t last_event_ms;
    struct km_timer timer;
    struct km_request request;
    struct km_schema schema;
    struct km_schema_part parts[3];
};

/* KM_ERR_FULL when the nodes are too few, KM_ERR_ARG for a kind without KM_META_FIELDS. Start-up only. */
int km_watch_init(struct km_watch *w, struct km_fault *fault);
/*
 * From behind rv: what changed since. NULL, "" and "0": what is there first, as ADDED in no order, the latest or whatever the server
 * has at hand, then changes. KM_ERR_ARG: it runs, its own call has not returned yet, or it was not initialised; others as km_rest_watch.
 */
int km_watch_start(struct km_watch *w, const char *rv);
void km_watch_stop(struct km_watch *w);

/* ---- the retry watcher ---- */

/*
 * A watch that goes on behind the last resourceVersion whenever its stream ends, for a program that handles events and keeps
 * no picture (client-go's RetryWatcher). Each event is told once, in the server's order, over any number of broken links;
 * bookmarks move the resourceVersion and are not told. Attempts begin at least min_restart_ms apart, and not before a time that
 * the server named.
 *
 * What can't be resumed ends it, told as an ERROR event and then to on_stop: the resourceVersion is too old (410, as an event or
 * as the answer); the server's store is older than it; the server forbids the watch or does not know us (403, 401); an event
 * of unknown type or without resourceVersion, behind which nobody knows where to go on. All else is tried again for ever.
 *
 * A store is older when it was restored from an older copy. The server answers a watch from the future with 200 and silence, and
 * client-go's RetryWatcher waits for ever; later changes reach that version again, and what came before them is missed. So
 * before each attempt the server is asked for a list of one object: when the version of that most recent list is less, the watch
 * ends with the error that such a list would be refused with (504 Timeout, cause ResourceVersionTooLarge). Who may watch but
 * not list goes without. A store that had passed the version again before we asked can't be told from one that was never
 * restored: who must be right then too keeps a picture (the informer).
 */
struct km_retry_watch {
    /* Set before km_retry_watch_init; of the watch all but on_event, on_end and ctx. */
    struct km_watch watch;
    void (*on_event)(void *ctx,
                     const struct km_watch_event *event); /* as a km_watch's, without bookmarks */
    void (*on_stop)(void *ctx, const char *why);          /* it ended by itself; may be NULL */
    void *ctx;
    int64_t min_restart_ms; /* 0 = 1000 */

    /* Private. */
    char rv[32];
    const char *stop_why; /* the stream ends and is not opened again */
    int64_t started_ms, after_ms;
    bool running, telling, in_trouble, cut_short;
    struct km_timer timer;
    char store_rv[32]; /* how far the server's store is; "" = it did not say */
    struct km_schema ask;
    struct km_schema_part ask_parts[1];
    struct km_schema_node ask_nodes[4];
};

int km_retry_watch_init(struct km_retry_watch *w, struct km_fault *fault);
/* KM_ERR_ARG for NULL, "" and "0", which say no place to resume from, before init, while it runs, and from within on_event; from on_stop it may be
   started again. KM_ERR_TOO_LONG. */
int km_retry_watch_start(struct km_retry_watch *w, const char *rv);
/* Nothing is told any more; harmless when it does not run. */
void km_retry_watch_stop(struct km_retry_watch *w);
bool km_retry_watch_running(const struct km_retry_watch *w);
/* Everything up to here was told: what to keep (km_saved.h) and to start from the next time. */
const char *km_retry_watch_version(const struct km_retry_watch *w);

#endif
