/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room queue: client-go's work queue (util/workqueue) in static storage.
 *   km_queue     keys are small integers, the slot numbers of a cache: adding can't fail
 *   km_keyqueue  keys are texts in a table of fixed size: adding fails when it is full
 *   km_limiter   how long a key that failed waits
 * Keys that are added while they wait are merged; a key that is added while it is processed comes
 * back once; no key is handed out twice at a time. Time is given by the caller, milliseconds that
 * never go back; nothing allocates or blocks, but for the two functions whose names end in _wait.
 */
#ifndef KM_QUEUE_H
#define KM_QUEUE_H

#include "km_base.h"

/* ---- limiters ---- */

/*
 * A limiter decides how long a key waits before it is added again. It counts the failures of each
 * key, up to 65,535, until km_queue_forget. Several queues may use one limiter only in one thread.
 * Limiters of a program's own fill in all four operations.
 */
struct km_limiter;

struct km_limiter_ops {
    /* Counts one failure of key; how long it waits now, in ms. */
    int64_t (*when)(struct km_limiter *limiter, uint16_t key, int64_t now_ms);
    void (*forget)(struct km_limiter *limiter, uint16_t key);
    /* How often when was asked for key since it was forgotten. */
    uint16_t (*requeues)(const struct km_limiter *limiter, uint16_t key);
    void (*reset)(struct km_limiter *limiter); /* as new, by km_queue_init */
};

struct km_limiter {
    const struct km_limiter_ops *ops;
};

/* base_ms x 2^failures, at most max_ms (ItemExponentialFailureRateLimiter). */
struct km_limiter_exponential {
    struct km_limiter limiter;
    uint16_t key_count;
    uint16_t *failures;
    int64_t base_ms, max_ms;
};

/* fast_ms for the first max_fast failures of a key, then slow_ms (ItemFastSlowRateLimiter). */
struct km_limiter_fast_slow {
    struct km_limiter limiter;
    uint16_t key_count, max_fast;
    uint16_t *failures;
    int64_t fast_ms, slow_ms;
};

/*
 * One token bucket for all keys (BucketRateLimiter): `burst` at once, then one each interval_us. A
 * token is spent by each call, whatever else delays the key. interval_us 0 lets everything pass;
 * burst 0 lets nothing pass (KM_NEVER).
 */
struct km_limiter_bucket {
    struct km_limiter limiter;
    int64_t interval_us;
    uint16_t burst;
    bool used;       /* full_us holds */
    int64_t full_us; /* when all tokens will be back */
};

/* Asks all of its limiters; the longest delay and the largest count hold (MaxOfRateLimiter). */
struct km_limiter_max_of {
    struct km_limiter limiter;
    struct km_limiter *const *children;
    uint16_t count;
};

/* Another limiter's delay, at most max_ms (WithMaxWaitRateLimiter). */
struct km_limiter_max_wait {
    struct km_limiter limiter;
    struct km_limiter *inner;
    int64_t max_ms;
};

extern const struct km_limiter_ops km_limiter_exponential_ops, km_limiter_fast_slow_ops,
    km_limiter_bucket_ops, km_limiter_max_of_ops, km_limiter_max_wait_ops;

/* Each reserves static storage and leaves a limiter `id` ready for use; a queue takes &id.limiter.
   keys_ is the number of keys of the queue. */
#define KM_LIMITER_EXPONENTIAL_DEFINE(id, keys_, base_ms_, max_ms_) \
    static uint16_t id##_failures[keys_] KM_POOL_STORAGE(id##_failures); \
    static struct km_limiter_exponential id = {.limiter = {&km_limiter_exponential_ops}, \
                                               .key_count = (keys_), \
                                               .failures = id##_failures, \
                                               .base_ms = (base_ms_), \
                                               .max_ms = (max_ms_)}

#define KM_LIMITER_FAST_SLOW_DEFINE(id, keys_, fast_ms_, slow_ms_, max_fast_) \
    static uint16_t id##_failures[keys_] KM_POOL_STORAGE(id##_failures); \
    static struct km_limiter_fast_slow id = {.limiter = {&km_limiter_fast_slow_ops}, \
                                             .key_count = (keys_), \
                                             .max_fast = (max_fast_), \
                                             .failures = id##_failures, \
                                             .fast_ms = (fast_ms_), \
                                             .slow_ms = (slow_ms_)}

#define KM_LIMITER_BUCKET_DEFINE(id, interval_us_, burst_) \
    static struct km_limiter_bucket id = { \
        .limiter = {&km_limiter_bucket_ops}, .interval_us = (interval_us_), .burst = (burst_)}

/* The rest: pointers to the limiters that are asked. */
#define KM_LIMITER_MAX_OF_DEFINE(id, ...) \
    static struct km_limiter *const id##_children[] = {__VA_ARGS__}; \
    static struct km_limiter_max_of id = { \
        .limiter = {&km_limiter_max_of_ops}, \
        .children = id##_children, \
        .count = (uint16_t)(sizeof id##_children / sizeof id##_children[0])}

#define KM_LIMITER_MAX_WAIT_DEFINE(id, inner_, max_ms_) \
    static struct km_limiter_max_wait id = { \
        .limiter = {&km_limiter_max_wait_ops}, .inner = (inner_), .max_ms = (max_ms_)}

/* client-go's DefaultControllerRateLimiter: 5 ms to 1000 s for each key, and 10 per second for all
   of them with a burst of 100. */
#define KM_LIMITER_CONTROLLER_DEFINE(id, keys_) \
    KM_LIMITER_EXPONENTIAL_DEFINE(id##_item, keys_, 5, 1000000); \
    KM_LIMITER_BUCKET_DEFINE(id##_all, 100000, 100); \
    KM_LIMITER_MAX_OF_DEFINE(id, &id##_item.limiter, &id##_all.limiter)

/* ---- metrics ---- */

/* Upper bounds of the histograms: 10 ns, 100 ns … 10 s; one more place counts what is above. */
#define KM_QUEUE_BOUNDS 10

struct km_queue_histogram {
    uint64_t buckets[KM_QUEUE_BOUNDS + 1]; /* not cumulative */
    uint64_t count, sum_ns;
};

enum km_queue_event {
    KM_QUEUE_RESET, /* by km_queue_init; key means nothing */
    KM_QUEUE_ADDED,
    KM_QUEUE_TAKEN,
    KM_QUEUE_FINISHED,
    KM_QUEUE_RETRIED, /* by each add after a delay, whatever the delay */
    KM_QUEUE_UPDATED  /* by km_queue_update; key means nothing */
};

/*
 * Counters and durations of one queue, as client-go counts them. Belongs to the queue whose
 * `metrics` points to it; set that before km_queue_init. Costs 16 bytes per key.
 */
struct km_queue_metrics {
    void (*event)(struct km_queue_metrics *m, enum km_queue_event event, uint16_t key);
    int64_t (*now_ns)(void *ctx); /* monotonic, never KM_NEVER */
    void *ctx;
    uint16_t key_count;
    int64_t *added_ns, *started_ns; /* of each key, KM_NEVER when it is not */
    uint64_t adds, retries;
    int64_t depth; /* keys that must be processed, those that are processed meanwhile too */
    struct km_queue_histogram waited, worked;
    int64_t unfinished_ns, longest_ns; /* as of the last km_queue_update */
};

#define KM_QUEUE_METRICS_DEFINE(id, keys_, now_ns_, ctx_) \
    static int64_t id##_added[keys_] KM_POOL_STORAGE(id##_added), \
        id##_started[keys_] KM_POOL_STORAGE(id##_started); \
    static struct km_queue_metrics id = {.event = km_queue_metrics_event, \
                                         .now_ns = (now_ns_), \
                                         .ctx = (ctx_), \
                                         .key_count = (keys_), \
                                         .added_ns = id##_added, \
                                         .started_ns = id##_started}

void km_queue_metrics_event(struct km_queue_metrics *m, enum km_queue_event event, uint16_t key);

/* ---- queue ---- */

struct km_queue_lock;

struct km_queue {
    const char *name;                 /* the label of its metrics */
    struct km_limiter *limiter;       /* NULL: adding rate limited is refused */
    struct km_queue_metrics *metrics; /* NULL: nothing is measured */
    uint16_t key_count;
    uint16_t heap_count, processing_count;
    uint16_t doubles;    /* keys in the ring by km_queue_done without km_queue_get */
    struct km_ring ring; /* waiting to be taken, in order; at least key_count places */
    uint8_t *states;     /* of each key: must be processed, is processed */
    uint16_t *heap;      /* keys with a delay, earliest first */
    uint16_t *heap_pos;  /* 1-based place of a key in heap, 0 = none */
    int64_t *due_ms;     /* of a key in heap */
    bool shutting_down, draining;
#ifdef CONFIG_KM_QUEUE_LOCK
    const struct km_queue_lock *lock; /* NULL: one thread only */
#endif
};

/*
 * A queue `id` of keys 0 … keys_ - 1 with a limiter, or NULL. places_ is keys_, or more: client-go
 * queues a key that waits once more when done is called for it without get, and hands it out twice
 * then. So does this queue while it has places beyond keys_; without them such a call is harmless.
 */
#define KM_QUEUE_PLACES_DEFINE(id, keys_, places_, limiter_) \
    static uint16_t id##_ring[places_] KM_POOL_STORAGE(id##_ring), \
        id##_heap[keys_] KM_POOL_STORAGE(id##_heap), id##_pos[keys_] KM_POOL_STORAGE(id##_pos); \
    static uint8_t id##_states[keys_] KM_POOL_STORAGE(id##_states); \
    static int64_t id##_due[keys_] KM_POOL_STORAGE(id##_due); \
    static struct km_queue id = {.name = #id, \
                                 .limiter = (limiter_), \
                                 .key_count = (keys_), \
                                 .ring = {.items = id##_ring, .size = (places_)}, \
                                 .states = id##_states, \
                                 .heap = id##_heap, \
                                 .heap_pos = id##_pos, \
                                 .due_ms = id##_due}

#define KM_QUEUE_LIMITED_DEFINE(id, keys_, limiter_) \
    KM_QUEUE_PLACES_DEFINE(id, keys_, keys_, limiter_)

/* The usual one: each key backs off by itself, from base_ms_ to max_ms_. */
#define KM_QUEUE_DEFINE(id, keys_, base_ms_, max_ms_) \
    KM_LIMITER_EXPONENTIAL_DEFINE(id##_limiter, keys_, base_ms_, max_ms_); \
    KM_QUEUE_LIMITED_DEFINE(id, keys_, &id##_limiter.limiter)

/* Empty, not shut down, limiter and metrics as new. */
void km_queue_init(struct km_queue *q);
/* KM_OK; KM_ERR_ARG when key >= key_count. Ignored after shut-down. */
int km_queue_add(struct km_queue *q, uint16_t key);
/* Moves due keys to the ring, as get does first of all. A caller that adds in between, or reads the
   length, calls it whenever its clock moved, so that due keys stand before those added later. */
void km_queue_advance(struct km_queue *q, int64_t now_ms);
/* Takes the first key of the ring. KM_OK, KM_AGAIN (nothing ready), KM_EOF (shut down and empty).
 */
int km_queue_get(struct km_queue *q, uint16_t *key, int64_t now_ms);
/* The key taken before is finished; it comes back when it was added meanwhile, after the shut-down
   too. A key that is never done is never handed out again. */
void km_queue_done(struct km_queue *q, uint16_t key);
/* After a delay; <= 0 adds at once; a key that waits already keeps the earlier time. Keys of the
   same time become ready in client-go's order. */
int km_queue_add_after(struct km_queue *q, uint16_t key, int64_t delay_ms, int64_t now_ms);
/* After the limiter's delay for that key; returns the delay in ms or an error. */
int64_t km_queue_add_rate_limited(struct km_queue *q, uint16_t key, int64_t now_ms);
void km_queue_forget(struct km_queue *q, uint16_t key); /* clears the failures only */
uint16_t km_queue_requeues(const struct km_queue *q, uint16_t key);
uint16_t km_queue_len(const struct km_queue *q); /* waiting in the ring */
/* The key waits, is delayed, or is processed. */
bool km_queue_busy(const struct km_queue *q, uint16_t key);
/* It was handed out and is not done. */
bool km_queue_processing(const struct km_queue *q, uint16_t key);
/* When the next delayed key is due; 0 when the ring is not empty; KM_NEVER. */
int64_t km_queue_next(const struct km_queue *q);
/* Nothing is added from now on and delayed keys are dropped; what waits is still handed out. Ends a
   drain. */
void km_queue_shutdown(struct km_queue *q);
/* The same, and asks for a drain. KM_OK when nothing is processed, else KM_AGAIN: the drain goes on
   until km_queue_draining says no. Keys that only wait do not hold it up. */
int km_queue_shutdown_drain(struct km_queue *q);
bool km_queue_draining(const struct km_queue *q);
bool km_queue_drained(const struct km_queue *q); /* nothing is processed */
/* Brings unfinished_ns and longest_ns of the metrics up to date; client-go does so every 500 ms. Does
   nothing after the shut-down. */
void km_queue_update(struct km_queue *q);

/* One metric under client-go's name, for whoever writes them. Labelled name="<the queue's name>". */
enum km_queue_kind { KM_QUEUE_COUNTER, KM_QUEUE_GAUGE, KM_QUEUE_SECONDS, KM_QUEUE_HISTOGRAM };

struct km_queue_sample {
    const char *name, *help;
    enum km_queue_kind kind; /* KM_QUEUE_SECONDS: a gauge in seconds, value is in ns */
    int64_t value;
    struct km_queue_histogram histogram;
};

/* The metrics of a queue are numbered from 0. KM_EOF behind the last one and for a queue without. */
int km_queue_sample(const struct km_queue *q, unsigned index, struct km_queue_sample *out);
/* The upper bound of a histogram's place in ns, KM_NEVER of the last one (+Inf). */
int64_t km_queue_bound_ns(unsigned place);

/* ---- queue of free keys ---- */

/*
 * Keys are texts of 1 to key_size bytes, any bytes. A key takes a slot of the table while it is busy
 * or has failures. When all are taken, a key that only has failures gives its slot away and starts
 * over at its shortest delay; when there is none, adding fails with KM_ERR_FULL, counted in `pool`,
 * and nothing was queued: the caller comes back after a km_keyqueue_done, or lists everything again.
 */
struct km_keyqueue_slot {
    uint16_t len;   /* of its key, 0 = never had one */
    uint16_t chain; /* the next slot + 1 of the same bucket */
    uint8_t mark;
};

struct km_keyqueue {
    struct km_queue *queue; /* over the slots; its own lock stays NULL */
    uint16_t key_size;
    char *texts; /* key_size bytes per slot */
    struct km_keyqueue_slot *slots;
    uint16_t *buckets; /* first slot + 1 */
    uint16_t *idle;    /* slots to take next, in turn, from idle_head on; some are used again */
    uint16_t idle_head, idle_count;
    uint16_t next;         /* where to look for a slot that gives way */
    uint32_t seed;         /* of the hash */
    uint32_t bucket_count; /* 4 per slot: a second look into a bucket costs more than the first */
    uint64_t per_byte;     /* 2^32 / key_size */
    struct km_pool pool;   /* register it for the metrics */
#ifdef CONFIG_KM_QUEUE_LOCK
    const struct km_queue_lock *lock;
#endif
};

#define KM_KEYQUEUE_PLACES_DEFINE(id, keys_, places_, key_size_, limiter_) \
    KM_QUEUE_PLACES_DEFINE(id##_queue, keys_, places_, limiter_); \
    static char id##_texts[(keys_) * (size_t)(key_size_)] KM_POOL_STORAGE(id##_texts); \
    static struct km_keyqueue_slot id##_slots[keys_] KM_POOL_STORAGE(id##_slots); \
    static uint16_t id##_buckets[(keys_) * 4u] KM_POOL_STORAGE(id##_buckets), \
        id##_idle[keys_] KM_POOL_STORAGE(id##_idle); \
    static struct km_keyqueue id = {.queue = &id##_queue, \
                                    .key_size = (key_size_), \
                                    .texts = id##_texts, \
                                    .slots = id##_slots, \
                                    .buckets = id##_buckets, \
                                    .bucket_count = (keys_) * 4u, \
                                    .idle = id##_idle, \
                                    .pool = {.name = #id, .size = (keys_)}}

/* Up to keys_ keys of up to key_size_ bytes; a limiter for keys_ keys, or NULL. */
#define KM_KEYQUEUE_DEFINE(id, keys_, key_size_, limiter_) \
    KM_KEYQUEUE_PLACES_DEFINE(id, keys_, keys_, key_size_, limiter_)

void km_keyqueue_init(struct km_keyqueue *kq, uint32_t hash_seed);
/* KM_OK, KM_ERR_ARG (empty), KM_ERR_TOO_LONG, KM_ERR_FULL. The key is copied. */
int km_keyqueue_add(struct km_keyqueue *kq, struct km_slice key);
int km_keyqueue_add_after(struct km_keyqueue *kq, struct km_slice key, int64_t delay_ms,
                          int64_t now_ms);
int64_t km_keyqueue_add_rate_limited(struct km_keyqueue *kq, struct km_slice key, int64_t now_ms);
void km_keyqueue_advance(struct km_keyqueue *kq, int64_t now_ms);
/* As km_queue_get; the key's bytes are the queue's, valid until km_keyqueue_done. */
int km_keyqueue_get(struct km_keyqueue *kq, struct km_slice *key, int64_t now_ms);
void km_keyqueue_done(struct km_keyqueue *kq, struct km_slice key);
void km_keyqueue_forget(struct km_keyqueue *kq, struct km_slice key);
uint16_t km_keyqueue_requeues(const struct km_keyqueue *kq, struct km_slice key);
uint16_t km_keyqueue_len(const struct km_keyqueue *kq);
int64_t km_keyqueue_next(const struct km_keyqueue *kq);
void km_keyqueue_shutdown(struct km_keyqueue *kq);
int km_keyqueue_shutdown_drain(struct km_keyqueue *kq);
bool km_keyqueue_draining(const struct km_keyqueue *kq);

/* ---- locking ---- */

#ifdef CONFIG_KM_QUEUE_LOCK
/*
 * For programs with threads: each function of this room but for init then holds the lock of its
 * queue. Set q->lock (kq->lock for free keys) before the init. The program brings its own mutex and
 * condition variable; ctx is handed through.
 */
struct km_queue_lock {
    void (*acquire)(void *ctx);
    void (*release)(void *ctx);
    /* Lets the lock go, sleeps until wake or the time (KM_NEVER: no time), takes the lock again. May
       come back too early. */
    void (*wait)(void *ctx, int64_t until_ms);
    void (*wake)(void *ctx); /* all that sleep in wait; called with the lock held */
    int64_t (*now_ms)(void *ctx);
    void *ctx;
};

/* Blocks until a key is ready: KM_OK or KM_EOF. Only with a lock. */
int km_queue_get_wait(struct km_queue *q, uint16_t *key);
int km_keyqueue_get_wait(struct km_keyqueue *kq, struct km_slice *key);
/* Blocks until nothing is processed or somebody else shuts the queue down. */
void km_queue_shutdown_drain_wait(struct km_queue *q);
void km_keyqueue_shutdown_drain_wait(struct km_keyqueue *kq);
#endif

#endif
