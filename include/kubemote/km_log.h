/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log front (room base): structured records with a constant message and key=value pairs, as
 * klog's InfoS and ErrorS. Rooms call it; room log formats and writes. Never allocates, never
 * blocks for long; before a sink is set, records are dropped. Values are read during the call only.
 */
#ifndef KM_LOG_H
#define KM_LOG_H

#include "km_base.h"

enum km_kv_type {
    KM_KV_STR,
    KM_KV_SLICE,
    KM_KV_I64,
    KM_KV_U64,
    KM_KV_BOOL,
    KM_KV_OBJECT,
    KM_KV_JSON /* slice is JSON text, written as it stands */
};

struct km_kv {
    const char *key;
    enum km_kv_type type;
    union {
        const char *str;
        struct km_slice slice;
        int64_t i64;
        uint64_t u64;
        bool boolean;
        struct {
            const char *ns, *name;
        } object;
    } value;
};

#define KM_S(k, v) ((struct km_kv){.key = (k), .type = KM_KV_STR, .value.str = (v)})
#define KM_SL(k, v) ((struct km_kv){.key = (k), .type = KM_KV_SLICE, .value.slice = (v)})
#define KM_I(k, v) ((struct km_kv){.key = (k), .type = KM_KV_I64, .value.i64 = (int64_t)(v)})
#define KM_U(k, v) ((struct km_kv){.key = (k), .type = KM_KV_U64, .value.u64 = (uint64_t)(v)})
#define KM_B(k, v) ((struct km_kv){.key = (k), .type = KM_KV_BOOL, .value.boolean = (v)})
/* JSON text, as klog writes values that are neither text nor number. */
#define KM_J(k, v) ((struct km_kv){.key = (k), .type = KM_KV_JSON, .value.slice = (v)})
/* klog.KObj: "namespace/name", or "name" when ns is empty. */
#define KM_OBJ(k, n, m) \
    ((struct km_kv){ \
        .key = (k), .type = KM_KV_OBJECT, .value.object.ns = (n), .value.object.name = (m)})

/*
 * A logger with a name and values: what stands here is written with each record that is logged
 * through it, after what its parent says. A pair of the same key further in wins. Names are joined
 * by dots. The caller's memory, for as long as it is logged through; no copy is made.
 */
struct km_logger {
    const char *name; /* NULL: none of its own */
    const struct km_kv *pairs;
    size_t pair_count;
    const struct km_logger *parent; /* NULL: none */
};

/* How many parents of a logger are looked at. */
#define KM_LOGGER_DEPTH 8

struct km_log_record {
    char severity;    /* I W E F */
    uint8_t level;    /* of KM_V */
    const char *file; /* path of the source file */
    int line;
    const struct km_logger *logger; /* NULL: none */
    const char *message;
    const char *err; /* text of the error for severity E, or NULL */
    const struct km_kv *pairs;
    size_t pair_count;
};

struct km_log_sink {
    void (*write)(void *ctx, const struct km_log_record *record);
    void *ctx;
    int verbosity; /* the -v level: KM_V(n) prints when n <= verbosity */
};

void km_log_set_sink(const struct km_log_sink *sink); /* copied */
bool km_log_enabled(int level);
void km_log_emit(const struct km_log_record *record);

/* Pairs are written KM_S("node", name), KM_I("ms", 5). At least one pair is needed: a log line
   without a subject helps nobody. */
#define KM_LOG_(sev, lvl, lgr, errtext, msg, ...) \
    do { \
        const struct km_kv km_pairs_[] = {__VA_ARGS__}; \
        const struct km_log_record km_record_ = {.severity = (sev), \
                                                 .level = (uint8_t)(lvl), \
                                                 .file = __FILE__, \
                                                 .line = __LINE__, \
                                                 .logger = (lgr), \
                                                 .message = (msg), \
                                                 .err = (errtext), \
                                                 .pairs = km_pairs_, \
                                                 .pair_count = \
                                                     sizeof km_pairs_ / sizeof km_pairs_[0]}; \
        km_log_emit(&km_record_); \
    } while (0)

#define KM_INFO(msg, ...) KM_LOG_('I', 0, NULL, NULL, msg, __VA_ARGS__)
#define KM_WARN(msg, ...) KM_LOG_('W', 0, NULL, NULL, msg, __VA_ARGS__)
#define KM_ERROR(msg, errtext, ...) KM_LOG_('E', 0, NULL, errtext, msg, __VA_ARGS__)
#define KM_V(level, msg, ...) \
    do { \
        if (km_log_enabled(level)) \
            KM_LOG_('I', level, NULL, NULL, msg, __VA_ARGS__); \
    } while (0)

/* The same through a logger (const struct km_logger *, may be NULL). */
#define KM_INFO_BY(logger, msg, ...) KM_LOG_('I', 0, logger, NULL, msg, __VA_ARGS__)
#define KM_ERROR_BY(logger, msg, errtext, ...) KM_LOG_('E', 0, logger, errtext, msg, __VA_ARGS__)
#define KM_V_BY(logger, level, msg, ...) \
    do { \
        if (km_log_enabled(level)) \
            KM_LOG_('I', level, logger, NULL, msg, __VA_ARGS__); \
    } while (0)

#endif
