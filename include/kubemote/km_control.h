/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room control: where watch, cache and queue meet.
 *   informer   = reflector + cache: the true picture of one collection, and a call for each change
 *   controller = queue + worker slots: reconciles keys, never one key twice at a time
 *   recorder   = events.k8s.io/v1 about an object, without ever holding up a reconcile
 */
#ifndef KM_CONTROL_H
#define KM_CONTROL_H

#include "km_cache.h"
#include "km_queue.h"
#include "km_watch.h"

/* ---- informer ---- */

enum km_change { KM_ADDED, KM_UPDATED, KM_DELETED };

struct km_informer {
    /* Set before km_informer_init; reflector's own settings too, but for sink. */
    struct km_reflector reflector;
    struct km_cache *cache;
    /* old is NULL on KM_ADDED; now is NULL on KM_DELETED. Both are valid during the call only. Must not block: it puts keys on
       queues. May stop the informer. slot stays the object's as long as it exists. */
    void (*on_change)(void *ctx, enum km_change change, uint16_t slot, const void *old,
                      const void *now);
    /* The first list is complete: km_informer_synced is true from here on. May be NULL. */
    void (*on_synced)(void *ctx);
    void *ctx;

    /* Private. */
    bool told_synced;
    bool full; /* an episode of refusals is under way: it was logged */
};

int km_informer_init(struct km_informer *inf, uint32_t hash_seed, struct km_fault *fault);
void km_informer_start(struct km_informer *inf);
void km_informer_stop(struct km_informer *inf);
/* Every object that the server has is in the cache: the first list is complete. */
bool km_informer_synced(const struct km_informer *inf);

/* ---- controller ---- */

enum km_result {
    KM_DONE,        /* forget earlier failures */
    KM_AGAIN_AFTER, /* forget earlier failures, come back after a while */
    KM_BACK_OFF,    /* failed: come back after the limiter's delay */
    KM_FATAL /* trying again is of no use: logged, counted, left alone until the key is added again */
};

/* A place for one reconcile under way. Private but for `workers` of them that the owner lends. */
struct km_under_way {
    int64_t until_ms;
    uint16_t key;
    bool busy, late;
};

/* Several controllers may share a loop. */
struct km_controller {
    /* Set before km_controller_init. */
    const char *name;
    struct km_queue *queue;
    struct km_loop *loop;
    uint16_t workers; /* how many keys may be under way at a time */
    /* Starts on a key. It reads the cache, may send requests, and must lead to exactly one km_controller_finish for that key,
       now or later. */
    void (*reconcile)(void *ctx, uint16_t key);
    void *ctx;
    /* For a deadline of each reconcile: `workers` places, and how long one may take. NULL and 0: none. A reconcile that takes
       longer is logged and counted, and its key backs off. on_late must end what is under way for that key (km_request_cancel);
       the key is finished then, unless on_late did so itself. Without on_late the key backs off when its reconcile ends. */
    struct km_under_way *places;
    int64_t deadline_ms;
    void (*on_late)(void *ctx, uint16_t key);

    /* Private but for the counts. */
    uint32_t late, fatal; /* reconciles */
    uint16_t in_flight;
    bool stopping;
    struct km_timer timer, late_timer;
};

void km_controller_init(struct km_controller *c);
/* Something was put on the queue: look at it in this turn. */
void km_controller_wake(struct km_controller *c);
/* Puts the key on the queue and wakes the controller. */
void km_controller_add(struct km_controller *c, uint16_t key);
/* Ignored for a key that is not under way. */
void km_controller_finish(struct km_controller *c, uint16_t key, enum km_result result,
                          int64_t after_ms);
/* No key is handed out any more; in_flight falls to 0 as reconciles finish. */
void km_controller_shutdown(struct km_controller *c);
bool km_controller_idle(const struct km_controller *c);

/* ---- recorder ---- */

struct km_reference {
    const char *api_version, *kind, *ns, *name,
        *uid; /* ns "" for cluster-scoped: the event goes to "default" */
};

/* Private. */
enum km_event_state {
    KM_EVENT_FREE,
    KM_EVENT_POST,  /* waits for its first delivery */
    KM_EVENT_PATCH, /* waits for the delivery of its series */
    KM_EVENT_KNOWN /* the server has it; remembered, so that the next one like it becomes a series */
};

struct km_event {
    char type[8], reason[32], action[32], note[200], name[64 + 24];
    char kind[32], api_version[32], ns[64], object[254], uid[64];
    int64_t wall_us, last_us; /* first and last time, for the server */
    int64_t last_ms; /* the last time, and when the server was told, by the monotonic clock */
    int64_t told_ms;
    uint64_t key; /* two events with the same key are one series */
    uint32_t count, told;
    uint32_t order; /* of waiting */
    uint8_t state, tries;
    bool finishing; /* forgotten after this delivery */
};

/* Private. Events that differ in their note alone. */
struct km_event_group {
    uint64_t key;
    int64_t last_ms;
    uint32_t notes[9];
    uint8_t count;
};

/* Private. Events of one type about one object. */
struct km_event_bucket {
    uint64_t key;
    int64_t last_ms, credit_ms;
};

/*
 * Events with the same type, reason, action, note and object become one Event: the second turns it into a series, further
 * ones are counted here; the server is told again every 30 minutes, and at last when none came for 6 minutes. Of events that
 * differ in their note alone the tenth and later ones, until there was none for 600 s, become one "(combined from similar
 * events)". Of new Events about one object 25 pass at once and one per 300 s after that; the rest is dropped and counted.
 * (client-go tools/events; the numbers of combining and dropping are tools/record's.) All tables have CONFIG_KM_EVENT_COUNT
 * places; a full one forgets what is least recent.
 */
struct km_recorder {
    /* Set before km_recorder_init. */
    struct km_client *client;
    struct km_lane *lane;
    const char *controller; /* qualified name: "kubemote.io/agent" */
    const char *instance;
    uint8_t spam_burst;  /* 0 = 25 */
    bool spam_by_reason; /* the reason too has its own 25 */

    /* Private. */
    struct km_event events[CONFIG_KM_EVENT_COUNT];
    struct km_event_group groups[CONFIG_KM_EVENT_COUNT];
    struct km_event_bucket buckets[CONFIG_KM_EVENT_COUNT];
    struct km_event *sending;
    uint16_t count; /* waiting */
    uint32_t order;
    int64_t named_us;
    bool stopped;
    struct km_pool pool;
    struct km_counter sent, lost, spam;
    struct km_timer timer, tidy_timer;
    struct km_request request;
    struct km_buf body;
    char body_data[1664];
};

void km_recorder_init(struct km_recorder *rec);
/* Copies everything; never waits. When CONFIG_KM_EVENT_COUNT are waiting the new one is dropped and counted. Repeated 12 times
   at most, 10 s apart, on link failures; an answer with an error Status ends it (client-go tools/events). */
void km_recorder_event(struct km_recorder *rec, const struct km_reference *about, bool warning,
                       const char *reason, const char *action, const char *note);
/* Nothing is sent or taken any more; the request under way is cancelled. */
void km_recorder_stop(struct km_recorder *rec);

#endif
