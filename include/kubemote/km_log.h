/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log front (room base): structured records with a constant message and key=value pairs, as
 * klog's InfoS and ErrorS. Rooms call it; room log formats and writes. Never allocates, never
 * blocks for long; before a sink is set, records are dropped. Values are read during the call only.
 */
#ifndef KM_LOG_H
#define KM_LOG_H

#include "km_base.h"

enum km_kv_type { KM_KV_STR, KM_KV_SLICE, KM_KV_I64, KM_KV_U64, KM_KV_BOOL, KM_KV_OBJECT };

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
/* klog.KObj: "namespace/name", or "name" when ns is empty. */
#define KM_OBJ(k, n, m) \
    ((struct km_kv){ \
        .key = (k), .type = KM_KV_OBJECT, .value.object.ns = (n), .value.object.name = (m)})

struct km_log_record {
    char severity;    /* I W E F */
    const char *file; /* base name of the source file */
    int line;
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
#define KM_LOG_(sev, errtext, msg, ...) \
    do { \
        const struct km_kv km_pairs_[] = {__VA_ARGS__}; \
        const struct km_log_record km_record_ = {.severity = (sev), \
                                                 .file = __FILE__, \
                                                 .line = __LINE__, \
                                                 .message = (msg), \
                                                 .err = (errtext), \
                                                 .pairs = km_pairs_, \
                                                 .pair_count = \
                                                     sizeof km_pairs_ / sizeof km_pairs_[0]}; \
        km_log_emit(&km_record_); \
    } while (0)

#define KM_INFO(msg, ...) KM_LOG_('I', NULL, msg, __VA_ARGS__)
#define KM_WARN(msg, ...) KM_LOG_('W', NULL, msg, __VA_ARGS__)
#define KM_ERROR(msg, errtext, ...) KM_LOG_('E', errtext, msg, __VA_ARGS__)
#define KM_V(level, msg, ...) \
    do { \
        if (km_log_enabled(level)) \
            KM_LOG_('I', NULL, msg, __VA_ARGS__); \
    } while (0)

#endif
