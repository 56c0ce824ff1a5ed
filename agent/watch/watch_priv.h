/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WATCH_PRIV_H
#define WATCH_PRIV_H

#include "kubemote/km_kube.h"

#define WATCH_HEAD_MS 30000

/* How long a stream may be silent; 0 = the default. Bookmarks come about every minute, at times two minutes apart. */
static inline int64_t watch_silence(int64_t silence_ms)
{
    return silence_ms > 0 ? silence_ms : 150000;
}

/* As a path wants it: "" is all namespaces, too. */
static inline const char *watch_ns(const char *ns)
{
    return ns != NULL && ns[0] != '\0' ? ns : NULL;
}

struct km_reflector;
/* Path and query of the next request, into r->request. KM_ERR_TOO_LONG, or as km_path. */
int watch_write_target(struct km_reflector *r);

/* A Status that did not come from the server: InternalError, as apimachinery's NewInternalError makes it, or another. */
void watch_internal_error(struct km_status *status, const char *why);
void watch_make_status(struct km_status *status, int32_t code, const char *reason, const char *why);
void watch_add_cause(struct km_status *status, const char *reason, const char *message);

/* What stands around the object in a watch event. The object's own resourceVersion is among the cached kind's fields, which
   also receive a bookmark. */
#define WATCH_FRAME_FIELDS(S, I, B, R, A, M) \
    S(type, "/type", 16) \
    S(initial_end, "/object/metadata/annotations/k8s.io~1initial-events-end", 8)
KM_KIND_STRUCT(watch_frame, WATCH_FRAME_FIELDS)
extern const struct km_kind km_kind_watch_frame;

/*
 * Before a watch goes on from a version that somebody kept, the server is asked for the most recent list of one object: when that is
 * older, its store was restored from an older copy. Such a server answers the watch with silence until its versions have passed
 * the kept one, and then what came before is missed.
 */
/* False when they can't be compared too. */
bool watch_is_older(const char *a, const char *b);
/* The question was answered, or can't be: who may not list may watch all the same. */
bool watch_may_go_on(int err, const struct km_status *status);

/* How far the server's store is. */
#define WATCH_STORE_FIELDS(S, I, B, R, A, M) S(rv, "/metadata/resourceVersion", 32)
KM_KIND_STRUCT(watch_store, WATCH_STORE_FIELDS)
extern const struct km_kind km_kind_watch_store;

/* What stands around the items of a list. */
#define WATCH_LIST_FIELDS(S, I, B, R, A, M) \
    S(rv, "/metadata/resourceVersion", 32) \
    S(continue_token, "/metadata/continue", CONFIG_KM_CONTINUE_BYTES)
KM_KIND_STRUCT(watch_list, WATCH_LIST_FIELDS)
extern const struct km_kind km_kind_watch_list;

#endif
