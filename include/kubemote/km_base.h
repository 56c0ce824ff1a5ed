/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room base: what every other room stands on. Status codes, slices, a bounded string builder, hash,
 * ring, bitmap, timer heap, calendar time, jitter, counters and the log front. Nothing here does
 * I/O, allocates or blocks; nothing here knows HTTP or Kubernetes. All storage is the caller's.
 */
#ifndef KM_BASE_H
#define KM_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "km_config.h"

/*
 * Results. 0 or a positive count is success; negative is one of these. KM_AGAIN (nothing now, try
 * later) and KM_EOF (an orderly end) are not failures and are never mixed up with 0.
 */
enum km_err {
    KM_OK = 0,
    KM_AGAIN = -1,            /* would wait: come back after poll or at the deadline */
    KM_EOF = -2,              /* the peer or the queue ended in an orderly way */
    KM_ERR_ARG = -3,          /* the caller broke the contract */
    KM_ERR_CONFIG = -4,       /* a file or an option is wrong; a person must change it */
    KM_ERR_FULL = -5,         /* a static table is full; counted in its pool */
    KM_ERR_TOO_LONG = -6,     /* a bounded field or line was exceeded */
    KM_ERR_SYNTAX = -7,       /* malformed JSON, YAML, number, name */
    KM_ERR_DEPTH = -8,        /* nesting beyond the limit */
    KM_ERR_PROTOCOL = -9,     /* malformed HTTP or an answer that makes no sense */
    KM_ERR_TRUNCATED = -10,   /* the stream ended in the middle */
    KM_ERR_IO = -11,          /* a system call failed */
    KM_ERR_REFUSED = -12,     /* connection refused */
    KM_ERR_RESET = -13,       /* connection reset or broken */
    KM_ERR_TIMEOUT = -14,     /* a deadline passed */
    KM_ERR_UNREACHABLE = -15, /* no route, network down */
    KM_ERR_NAME = -16,        /* the name does not resolve */
    KM_ERR_TLS = -17,         /* handshake or record failure */
    KM_ERR_CERT = -18,        /* the server's certificate was not accepted */
    KM_ERR_TLS_MEMORY = -19,  /* TLS arena or slots exhausted (large chain, too many links) */
    KM_ERR_STATUS = -20,      /* the server answered with an error Status: read it */
    KM_ERR_CANCELED = -21,    /* the caller gave up */
    KM_ERR_REENTRANT = -22,   /* a blocking call from inside a callback */
    KM_ERR_NOT_FOUND = -23,   /* no such key, file, member */
};

/* A short English name of a code, for logs. Total: unknown codes give "unknown error". */
const char *km_strerror(int err);

/* Go's name of the processor that this program is made for (amd64, arm64, arm, ...), as the kubelet and client-go's
   User-Agent give it. */
const char *km_architecture(void);

/* Classes of failure: what the caller should do. An error belongs to one class at most. */
/* The connection is gone or never came: back off and connect again. */
bool km_err_is_link(int err);
/* The peer sent what it must not: drop the link, count, back off. */
bool km_err_is_hostile(int err);
/* A person must act: configuration or misuse. */
bool km_err_is_fatal(int err);

/* A failure with its reason in words. The first reason wins: later km_fault_set calls on a set
   fault change nothing. */
struct km_fault {
    int code;
    char text[256];
};

void km_fault_clear(struct km_fault *fault);
/* Formats like snprintf, bounded; returns `code`, so that `return km_fault_set(...)` reads well.
   `fault` may be NULL. */
int km_fault_set(struct km_fault *fault, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Bytes that somebody else owns: pointer and length, not NUL-terminated. Valid as long as the owner
   says. */
struct km_slice {
    const char *ptr;
    size_t len;
};

struct km_slice km_slice_of(const char *text); /* of a C string; NULL gives an empty slice */
bool km_slice_eq(struct km_slice a, struct km_slice b);
bool km_slice_eq_str(struct km_slice a, const char *text);
bool km_slice_eq_nocase(struct km_slice a, const char *text); /* ASCII letters only */
/* < 0, 0 or > 0, byte by byte, as Go compares strings. */
int km_slice_compare(struct km_slice a, struct km_slice b);
struct km_slice km_slice_trim_set(struct km_slice a,
                                  const char *set); /* without the set's bytes at both ends */
struct km_slice km_slice_trim(struct km_slice a);   /* without SP and HTAB at both ends */
/* Decimal digits only, no sign, no blanks. KM_OK, KM_ERR_SYNTAX, or KM_ERR_TOO_LONG on overflow. */
int km_slice_to_u64(struct km_slice a, uint64_t *out);
/* Copies with NUL. KM_ERR_TOO_LONG when it does not fit: then out holds the empty string. */
int km_slice_copy(struct km_slice a, char *out, size_t out_size);
/* For messages: at most 60 bytes of a text, with bytes that are not printable ASCII as '?' and "..." for what is left
   out. Returns out. */
#define KM_SHOW_SIZE 64
const char *km_slice_show(struct km_slice text, char out[KM_SHOW_SIZE]);

/*
 * As snprintf and vsnprintf, at a tenth of their size: %d %i %u %x %X %c %s %p %%, with the lengths l, ll, z and j, the flags
 * '-', '0' and '+', width and precision (of strings) as numbers or '*'. No floats, no 'h', no 't'. Returns the length of
 * the whole text; what does not fit into size - 1 bytes is left out.
 */
int km_format(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int km_format_list(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/*
 * Bounded string builder over the caller's storage. Always NUL-terminated when size > 0. Text that
 * does not fit sets `overflow` and is left out as a whole call, as is all that follows until reset:
 * the text is always a prefix of what was meant. Check `overflow` once at the end.
 */
struct km_buf {
    char *data;
    size_t size; /* capacity with the NUL */
    size_t len;  /* without the NUL */
    bool overflow;
};

void km_buf_init(struct km_buf *buf, char *data, size_t size);
void km_buf_reset(struct km_buf *buf);
void km_buf_put(struct km_buf *buf, const char *data, size_t len);
void km_buf_putc(struct km_buf *buf, char c);
void km_buf_puts(struct km_buf *buf, const char *text);
void km_buf_put_slice(struct km_buf *buf, struct km_slice text);
void km_buf_put_u64(struct km_buf *buf, uint64_t value);
void km_buf_put_i64(struct km_buf *buf, int64_t value);
void km_buf_printf(struct km_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct km_slice km_buf_slice(const struct km_buf *buf);

/* FNV-1a, 32 bit, with a seed that the process draws once, so that outsiders can't choose colliding
   keys. */
uint32_t km_hash(struct km_slice key, uint32_t seed);

/* Bits in the caller's words. No bounds check: index < bits given at definition. */
#define KM_BITMAP_WORDS(bits) (((bits) + 31u) / 32u)
bool km_bit_get(const uint32_t *words, uint32_t index);
void km_bit_set(uint32_t *words, uint32_t index);
void km_bit_clear(uint32_t *words, uint32_t index);

/* FIFO of 16-bit ids in the caller's storage. */
struct km_ring {
    uint16_t *items;
    uint16_t size, head, count;
};

void km_ring_init(struct km_ring *ring, uint16_t *items, uint16_t size);
int km_ring_put(struct km_ring *ring, uint16_t item);   /* KM_ERR_FULL */
int km_ring_take(struct km_ring *ring, uint16_t *item); /* KM_AGAIN when empty */

/* Monotonic time is int64_t milliseconds since an arbitrary start; it never wraps in practice and
   never goes back. */
#define KM_NEVER INT64_MAX

/*
 * Timers: a binary heap of pointers to timers that live in their owners. A timer fires once; its
 * callback may set it again. Owner of the memory: the caller, as long as the timer is set.
 */
struct km_timer {
    int64_t at_ms;
    uint64_t seq; /* order of setting: first set, first fired at the same time */
    uint16_t pos; /* 1-based place in the heap, 0 = not set */
    void (*fn)(void *ctx, int64_t now_ms);
    void *ctx;
};

struct km_timers {
    struct km_timer **heap;
    uint16_t size, count, max;
    uint32_t refused;
    uint64_t seq;
    int64_t run_ms; /* the time of the run in progress */
};

void km_timers_init(struct km_timers *timers, struct km_timer **heap, uint16_t size);
/* Sets or moves the timer; KM_NEVER stops it. A past time means the next run. KM_ERR_FULL when the
   heap is full (counted in `refused`). */
int km_timer_set(struct km_timers *timers, struct km_timer *timer, int64_t at_ms);
void km_timer_stop(struct km_timers *timers, struct km_timer *timer);
/* The earliest deadline, KM_NEVER when none is set. */
int64_t km_timers_next(const struct km_timers *timers);
/* Fires all timers that are due at now_ms, at most one round of those that were set before the
   call. */
void km_timers_run(struct km_timers *timers, int64_t now_ms);

/* Pseudo-random numbers for jitter and hash seeds; never for keys. */
struct km_rng {
    uint64_t state;
};

void km_rng_seed(struct km_rng *rng, uint64_t seed);
uint32_t km_rng_u32(struct km_rng *rng);
/* Uniform in [low, high). */
int64_t km_rng_range(struct km_rng *rng, int64_t low, int64_t high);

/*
 * Exponential back-off with jitter as apimachinery's wait.Backoff with factor 2 and jitter 1: each
 * delay is uniform in [d, 2d), d doubles from base_ms up to cap_ms. km_backoff_next starts over
 * when the delays began longer than reset_ms ago (0 = never by itself).
 */
struct km_backoff {
    int64_t base_ms, cap_ms, reset_ms;
    int64_t current_ms, reset_at_ms;
};

void km_backoff_init(struct km_backoff *backoff, int64_t base_ms, int64_t cap_ms, int64_t reset_ms);
void km_backoff_reset(struct km_backoff *backoff);
int64_t km_backoff_next(struct km_backoff *backoff, struct km_rng *rng, int64_t now_ms);

/* Calendar time: microseconds since 1970-01-01T00:00:00Z, proleptic Gregorian, no leap seconds (RFC
   3339, POSIX). */
struct km_civil {
    int year, month, day, hour, minute, second, micros;
};

void km_time_civil(int64_t unix_us, struct km_civil *out);
#define KM_TIME_SIZE 32
/* "2026-01-31T23:59:59Z" (metav1.Time). out_size >= KM_TIME_SIZE. */
void km_time_rfc3339(int64_t unix_us, char *out, size_t out_size);
/* "2026-01-31T23:59:59.000000Z" (metav1.MicroTime). */
void km_time_rfc3339_micro(int64_t unix_us, char *out, size_t out_size);
/* What metav1.Time accepts: RFC 3339 with capital T and Z, no leap seconds; a comma for the point and an hour of one digit
   pass too. Digits beyond microseconds are dropped. KM_OK or KM_ERR_SYNTAX. */
int km_time_parse(struct km_slice text, int64_t *unix_us);
/* What metav1.MicroTime accepts: the same with six digits behind the point, no more and no less. */
int km_time_parse_micro(struct km_slice text, int64_t *unix_us);

/*
 * A pool's counters: how many of `size` are in use, the most there ever were, how often one was
 * refused. Pools register once at start-up so that the metrics can list them.
 */
struct km_pool {
    const char *name;
    uint32_t size, used, max, refused;
    struct km_pool *next;
};

void km_pool_register(struct km_pool *pool);
const struct km_pool *km_pool_first(void);
void km_pool_take(struct km_pool *pool, uint32_t count);
void km_pool_give(struct km_pool *pool, uint32_t count);
void km_pool_refuse(struct km_pool *pool);

/* Event counters, monotonic; registered once at start-up. Labels are part of the name, Prometheus'
   form. */
struct km_counter {
    const char *name; /* e.g. kubemote_watch_restarts_total{kind="Pod"} */
    uint64_t value;
    const char *help; /* one sentence, or NULL: made from the name */
    struct km_counter *next;
};

void km_counter_register(struct km_counter *counter);
/* Before its memory is used for something else; harmless when it is not registered. */
void km_counter_unregister(struct km_counter *counter);
const struct km_counter *km_counter_first(void);

/* The pool's storage stands in a section of its own, so that the memory plan is read from the
   object files. */
#define KM_POOL_STORAGE(pool) __attribute__((section(".bss.km_pool." #pool)))

#endif
