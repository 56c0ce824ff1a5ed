/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room kube: the verbs of the API on top of km_request, for programs and the command line. km_rest_* fill a request in the
 * caller's storage (target, method, body, content type); nothing is sent before km_request_send or km_call.
 *
 *     struct km_request r = {0};
 *     struct km_options all = {.limit = 500, .label_selector = "app=web"};
 *     err = km_rest_list(&r, &client, &km_pods, "default", &all);
 *     r.schema = &pod_list; r.on_text = print_pod;
 *     err = km_call(&r, &lane);            blocks: drives the loop until the answer is whole
 */
#ifndef KM_REST_H
#define KM_REST_H

#include "km_kube.h"

/* Query options of v1. NULL, 0 and KM_UNSET leave an option out. Keys go out sorted, as client-go's do. */
enum km_choice { KM_UNSET, KM_NO, KM_YES };
struct km_options {
    const char *label_selector, *field_selector;
    const char *resource_version, *resource_version_match; /* "Exact", "NotOlderThan" */
    const char *continue_token;
    uint32_t limit;
    int64_t timeout_seconds;
    enum km_choice allow_bookmarks, send_initial_events;
    const char *dry_run;          /* "All" */
    const char *field_manager;    /* required for apply */
    const char *field_validation; /* Ignore, Warn, Strict */
    enum km_choice force;         /* apply only */
    const char *include_object;   /* of tables: None, Metadata, Object */
};

/* Body of DELETE. */
struct km_delete_options {
    bool has_grace;
    int64_t grace_seconds;
    const char *propagation; /* Orphan, Background, Foreground; NULL = the server's default */
    const char *uid, *resource_version; /* preconditions */
    const char *dry_run;
};

/*
 * All: ns NULL = cluster-scoped, or all namespaces for lists. sub NULL = the object itself. options may be NULL. r->timeout_ms
 * 0 becomes KM_NEVER, and r->retries stays 0: client-go would have 10. KM_ERR_ARG for what client-go's preflight refuses (empty
 * name, empty namespace where one is needed, a bad path segment); KM_ERR_TOO_LONG when the target does not fit
 * CONFIG_KM_TARGET_BYTES; r->fault has words then, until the next one that is refused.
 */
int km_rest_get(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                const char *ns, const char *name, const char *sub,
                const struct km_options *options);
int km_rest_list(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                 const char *ns, const struct km_options *options);
/* As km_rest_list with watch=true; r->stream is set and no timeout. */
int km_rest_watch(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                  const char *ns, const struct km_options *options);
/* name may be NULL; it is needed for a subresource. body: JSON, stays the caller's until on_done. */
int km_rest_create(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                   const char *ns, const char *name, const char *sub, struct km_slice body,
                   const struct km_options *options);
int km_rest_update(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                   const char *ns, const char *name, const char *sub, struct km_slice body,
                   const struct km_options *options);
/* type: KM_TYPE_JSON_PATCH, _MERGE, _STRATEGIC, _APPLY; the last needs options->field_manager. */
int km_rest_patch(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                  const char *ns, const char *name, const char *sub, const char *type,
                  struct km_slice body, const struct km_options *options);
/* `body` is where the DeleteOptions are written; NULL when `how` is NULL, and none are sent then. */
int km_rest_delete(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                   const char *ns, const char *name, const struct km_delete_options *how,
                   struct km_buf *body);
int km_rest_delete_collection(struct km_request *r, const struct km_client *c,
                              const struct km_resource *what, const char *ns,
                              const struct km_delete_options *how, struct km_buf *body,
                              const struct km_options *options);
/* A path of the server as it is ("/readyz?verbose"), already escaped; the base path of the kubeconfig goes in front. */
int km_rest_raw(struct km_request *r, const struct km_client *c, enum km_http_method method,
                const char *path);
/* For r->on_bytes: puts the answer, whatever it is, behind what the struct km_buf in r->ctx holds; km_json_find and km_json_walk
   read objects of any kind from there. KM_ERR_FULL when it does not fit. */
int km_rest_collect(struct km_request *r, struct km_slice bytes);

/* What a program needs before its first request. */
struct km_session {
    struct km_kubeconfig config;
    struct km_loop loop;
    struct km_client client;
    struct km_lane lane;
};
/* Finds the configuration, parses its credentials and prepares client and lane; nothing is sent. where NULL: as kubectl searches.
   At most 5 requests a second and 10 at once, as in client-go; km_client_limit changes that. One at a time in a process, since
   TLS has one set of credentials; *s stays where it is. KM_ERR_ARG when one is open, KM_ERR_CONFIG and others, all with words. */
int km_session_open(struct km_session *s, const struct km_kubeconfig_options *where,
                    struct km_fault *fault);
/* km_client_close, and wipes the credentials. Then the next session may be opened, in the same storage too. Harmless when *s is
   not open. KM_ERR_REENTRANT from inside a callback. */
int km_session_close(struct km_session *s);

/* Sends and drives the loop until the request is done; returns r->result. KM_ERR_REENTRANT from inside a callback of the loop;
   KM_ERR_CANCELED when the process was asked to stop meanwhile. Blocks. */
int km_call(struct km_request *r, struct km_lane *lane);

/* ---- attempts ---- */

/* client-go's retry.Backoff. */
struct km_retry {
    uint8_t steps;
    int64_t delay_ms;
    uint8_t factor, jitter_percent;
};
extern const struct km_retry km_retry_default; /* 5 attempts, 10 ms, no growth, 10 % */
extern const struct km_retry km_retry_backoff; /* 4 attempts, 10, 50, 250 ms, 10 % */
/* Calls `attempt` until it succeeds or `retriable` says no to what it returned, at most retry->steps times; returns the last
   result. status is NULL but for KM_ERR_STATUS, when `attempt` gave one. Blocks between attempts; a process that was asked to
   stop makes no further one. For programs that go straight down: a reconcile ends with KM_BACK_OFF instead. */
int km_retry_on_error(struct km_client *c, const struct km_retry *retry,
                      bool (*retriable)(int err, const struct km_status *status),
                      int (*attempt)(void *ctx, const struct km_status **status), void *ctx);
/* Calls `attempt` until it returns something else than a conflict (KM_ERR_STATUS with km_status_is_conflict), at most
   retry->steps times: read again, change again, write again. Returns the last result. Blocks between attempts. */
int km_retry_on_conflict(struct km_client *c, const struct km_retry *retry,
                         int (*attempt)(void *ctx, const struct km_status **status), void *ctx);

/* ---- patches ---- */

/* JSON patch (RFC 6902), an array of operations; value: a whole JSON value. km_patch_end: KM_OK, KM_ERR_TOO_LONG, or KM_ERR_ARG
   when a pointer or a value is none. */
void km_patch_begin(struct km_json_writer *w, struct km_buf *out);
void km_patch_add(struct km_json_writer *w, const char *pointer, struct km_slice value);
void km_patch_replace(struct km_json_writer *w, const char *pointer, struct km_slice value);
void km_patch_remove(struct km_json_writer *w, const char *pointer);
void km_patch_test(struct km_json_writer *w, const char *pointer, struct km_slice value);
int km_patch_end(struct km_json_writer *w);
/* Appends an RFC 6901 segment, escaped ("a/b" -> "~1a~1b" with the slash in front). */
void km_pointer_add(struct km_buf *out, const char *segment);
/* Merge patch of one member: {"metadata":{"labels":{"a":"b"}}} from pointer "/metadata/labels/a" and value "\"b\"". */
int km_merge_patch(struct km_buf *out, const char *pointer, struct km_slice value);

#endif
