/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room kube: the Kubernetes API as requests. Paths and queries, credentials, metav1.Status errors, and a client that sends
 * requests over a few kept-alive connections ("lanes"). A request lives in its caller's storage; the client owns the
 * connections and one JSON window per lane. Nothing blocks: answers come through callbacks from the loop.
 */
#ifndef KM_KUBE_H
#define KM_KUBE_H

#include "km_http.h"
#include "km_json.h"
#include "km_kubeconfig.h"

/* ---- objects ---- */

/* Every kind that is cached begins with these fields, so that struct km_object can be read from any record. */
#define KM_META_FIELDS(S) \
    S(ns, "/metadata/namespace", 64) \
    S(name, "/metadata/name", 254) \
    S(uid, "/metadata/uid", 64) \
    S(rv, "/metadata/resourceVersion", 32)

struct km_object {
    struct km_record head;
    char ns[64], name[254], uid[64], rv[32];
};

/* Whether records of that kind can be read as struct km_object. */
bool km_kind_has_meta(const struct km_kind *kind);

/* What a write answers when asked for PartialObjectMetadata. */
#define KM_META_KIND_FIELDS(S, I, B, R, A, M) KM_META_FIELDS(S)
KM_KIND_STRUCT(meta, KM_META_KIND_FIELDS)
extern const struct km_kind km_kind_meta;

/* ---- metav1.Status ---- */

#define KM_CAUSE_FIELDS(S, I, B, R, A, M) \
    S(reason, "/reason", 64) S(message, "/message", 160) S(field, "/field", 96)
KM_ELEMENT_STRUCT(cause, KM_CAUSE_FIELDS)

#define KM_STATUS_FIELDS(S, I, B, R, A, M) \
    S(status, "/status", 16) \
    S(reason, "/reason", 64) \
    S(message, "/message", 320) \
    I(code, "/code") \
    I(retry_after_s, "/details/retryAfterSeconds") \
    A(causes, "/details/causes", cause, 4)
KM_KIND_STRUCT(status, KM_STATUS_FIELDS)
extern const struct km_kind km_kind_status;

/* By reason; by code only when the reason is unknown (apimachinery's rule). */
bool km_status_is_not_found(const struct km_status *s);
bool km_status_is_already_exists(const struct km_status *s); /* by reason alone */
bool km_status_is_conflict(const struct km_status *s);
bool km_status_is_forbidden(const struct km_status *s);
bool km_status_is_unauthorized(const struct km_status *s);
bool km_status_is_too_many_requests(const struct km_status *s); /* by code too */
bool km_status_is_invalid(const struct km_status *s);
bool km_status_is_bad_request(const struct km_status *s);
bool km_status_is_method_not_supported(const struct km_status *s);
bool km_status_is_not_acceptable(const struct km_status *s);
bool km_status_is_unsupported_media_type(const struct km_status *s);
bool km_status_is_request_too_large(const struct km_status *s); /* by code too */
bool km_status_is_internal_error(const struct km_status *s);
bool km_status_is_service_unavailable(const struct km_status *s);
bool km_status_is_timeout(const struct km_status *s);
bool km_status_is_server_timeout(const struct km_status *s);   /* by reason alone */
bool km_status_is_store_read_error(const struct km_status *s); /* by reason alone */
bool km_status_is_resource_expired(const struct km_status *s); /* by reason alone */
bool km_status_is_gone(const struct km_status *s);
/* One of the causes is of that type: "FieldManagerConflict", "FieldValueRequired". */
bool km_status_has_cause(const struct km_status *s, const char *type);
/* The server asks to be left alone for a while before the same request comes again: *seconds is for how long. */
bool km_status_suggests_delay(const struct km_status *s, int64_t *seconds);
/* The resourceVersion is too old: reason Expired or Gone, code 410. List anew. */
bool km_status_is_expired(const struct km_status *s);
/* The resourceVersion is newer than anything that the server has (cause ResourceVersionTooLarge, or the older message). */
bool km_status_is_too_large_rv(const struct km_status *s);
/* How long the server asks to be left alone, at most a minute; 0 = it does not say. */
int64_t km_status_retry_after_ms(const struct km_status *s);
/* Fills reason and message for an answer without a Status body, by HTTP code (client-go's table; the reason is empty where
   that has none). */
void km_status_generic(struct km_status *s, uint16_t code, enum km_http_method method);

/* ---- paths ---- */

struct km_resource {
    const char *group, *version, *plural; /* group "" or NULL = core */
};
extern const struct km_resource km_nodes, km_pods, km_leases, km_events;

/* Appends /api/v1/... or /apis/GROUP/...; ns, name and sub may be NULL. KM_ERR_ARG when a segment is ".", "..", or holds "/" or
   "%" (nothing is sent then), KM_ERR_TOO_LONG. */
int km_path(struct km_buf *out, const char *base_path, const struct km_resource *resource,
            const char *ns, const char *name, const char *sub);
/* Appends ?key=value or &key=value, escaped. */
void km_query(struct km_buf *out, const char *key, const char *value);
void km_query_i64(struct km_buf *out, const char *key, int64_t value);

#define KM_TYPE_JSON "application/json"
#define KM_TYPE_JSON_PATCH "application/json-patch+json"
#define KM_TYPE_APPLY "application/apply-patch+yaml" /* JSON is YAML */
#define KM_TYPE_MERGE "application/merge-patch+json"
#define KM_TYPE_STRATEGIC "application/strategic-merge-patch+json"
/* Of an object and of a watch; of a list. Servers refuse the one where the other belongs (406). */
#define KM_ACCEPT_META \
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
#define KM_ACCEPT_META_LIST \
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

/* ---- client ---- */

struct km_request;
struct km_client;

struct km_request {
    /* Set before km_request_send. All memory that is named here stays untouched until on_done. */
    const char *what; /* for logs: "renew lease" */
    enum km_http_method method;
    char target
        [CONFIG_KM_TARGET_BYTES]; /* path and query, escaped, as km_path and km_query make it */
    const char *content_type, *accept; /* NULL: application/json */
    struct km_slice body;
    /* Sending it twice does what sending it once does, or is answered with a refusal that the caller takes for success. Then a
       POST or PATCH too is sent again at once when the server had closed the kept connection under it. */
    bool repeatable;
    uint8_t priority; /* lower goes first among those that wait for the lane */
    /* From when it leaves the line of the lane to the last byte in; KM_NEVER for a watch. 0 = 10 s, but for requests that
       km_rest_... filled: none, as in client-go. KM_ERR_TIMEOUT. */
    int64_t timeout_ms;
    int64_t head_timeout_ms;        /* until the response head; 0 = timeout_ms */
    const struct km_schema *schema; /* of a 2xx body; NULL = read and dropped */
    bool stream;                    /* the body is a sequence of documents */
    bool
        raw; /* a 2xx body goes to on_bytes whatever it is; else a Status in it that is no Success is an error */
    /* A Status that says Success is as good as what the schema is for, and comes to nobody: evictions, bindings. */
    bool status_will_do;
    void (*on_open)(struct km_request *r); /* a 2xx head came; may be NULL */
    int (*on_text)(struct km_request *r, bool item, struct km_slice text,
                   bool overflow); /* see km_sieve_fn */
    /* The bytes of a 2xx body as they come, when schema is NULL; may be NULL. A negative result ends the request with it. */
    int (*on_bytes)(struct km_request *r, struct km_slice bytes);
    uint8_t
        retries; /* attempts left for answers that say when to come back (429, 5xx), and for a GET that was reset; counted
                        down. client-go's default is 10 */
    /* Exactly once. KM_OK: 2xx and the whole body. KM_ERR_STATUS: read r->status; of a 2xx answer too, when its body is a
       Status that is no Success (what no one reads, and what is raw, is not looked at). Else: the link, see r->fault. It may send
       the same request again. May be NULL. */
    void (*on_done)(struct km_request *r, int err);
    void *ctx;

    /* Results. status and fault stay valid until the next request on that lane begins. */
    int result; /* as on_done's err */
    uint16_t http_status;
    bool no_status; /* the error answer came without a Status: *status says what its code means */
    struct km_slice
        said; /* with no_status: the body, trimmed, up to 2 kB; "unknown" when it was no text. Valid as status */
    const struct km_status *status;
    const struct km_fault *fault;
    int64_t started_ms;

    /* Private. */
    struct km_lane *lane;
    struct km_request *next;
    struct km_timer retry_timer;
    bool resent;
    const char *failing; /* the `what` that got no usable answer when it was sent last */
    struct km_exchange exchange;
};

/* A connection, the requests that wait for it, and the window through which its answers go. */
struct km_lane {
    struct km_client *client;
    struct km_conn conn;
    struct km_request *waiting, *active;
    size_t object_bytes; /* since the last whole object */
    bool drop;           /* its connection is of credentials before the present ones */
    bool given_up;       /* by the request's own callback: that says nothing about the server */
    bool body_failed;    /* an error answer's body was no JSON */
    bool body_came;      /* a whole document */
    bool body_begun;     /* what it is was told by its first bytes */
    bool is_status; /* the sieve is for a Status: the error answer's, or one under a 2xx code */
    bool is_text;   /* the error answer: Content-Type text/..., or none */
    bool has_retry_after; /* the error answer's head has Retry-After in seconds */
    int64_t retry_after_s;
    struct km_status status; /* the error answer */
    struct km_fault fault;   /* of the last request */
    struct km_sieve sieve;
    struct km_buf text; /* at the window's end: its beginning; or of a body what is not told yet */
    char window[CONFIG_KM_JSON_WINDOW_BYTES];
};

struct km_client {
    struct km_kubeconfig *config;
    struct km_loop *loop;
    struct km_endpoint endpoint;
    char host_header[272];
    char user_agent[96];
    char token[CONFIG_KM_TOKEN_BYTES];
    size_t token_len;
    int64_t token_read_ms;
    bool token_failing; /* an episode of failing reads is under way: it was logged */
    struct km_lane *lanes[CONFIG_KM_CONN_COUNT];
    uint16_t lane_count;
    /* Of error answers. A program that wants more of a Status than struct km_status has puts a schema of two parts here, the first
       of km_kind_status, and a record of the second's kind. */
    const struct km_schema *status_schema;
    void *status_more;
    const char *extra_headers; /* whole lines with CRLF for every request, NULL = none */
    void (*on_warning)(
        void *ctx,
        struct km_slice text); /* text of a Warning header (code 299), still quoted characters
                                                            resolved; may be NULL */
    void *warning_ctx;
    bool link_down;       /* an episode of failing links is under way */
    bool link_told;       /* ... and it was logged */
    int64_t link_down_ms; /* since when */
    uint32_t link_failures;
    int64_t creds_checked_ms, creds_next_ms; /* when certificate files were read, and will be */
    bool creds_failing;                      /* they can't be used: it was logged */
    struct km_timer drop_timer;
    struct km_counter requests, failures, hostile, suspects, creds_reloads;
    uint32_t qps, burst; /* of the rate limit, see km_client_limit */
    int64_t tokens, tokens_ms;
    struct km_timer token_timer;
};

/* Hands the certificates and the key of config to TLS, for every connection from now on, and wipes the key; nothing for plain
   http. (A key that stands in the kubeconfig beside a CA in a file stays: it is needed when that file changes.) Blocks while the kernel has no random numbers yet (first boot), KM_AGAIN when the process is asked to
   stop meanwhile. Errors as km_tls_setup's, with the file or the line of what is wrong. */
int km_client_tls(struct km_kubeconfig *config, struct km_fault *fault);
/* config stays valid for the client's life. Its files are read again while the client works, without a restart: a token file
   every 50 s; certificate, key and CA files every 5 minutes and before a new connection, and what changed closes the
   connections of what was before (requests under way are answered first, watches begin anew). KM_ERR_CONFIG when it names a token file that can't be read. */
int km_client_init(struct km_client *client, struct km_kubeconfig *config, struct km_loop *loop,
                   struct km_fault *fault);
/* Instead of "kubemote/VERSION (OS/ARCHITECTURE)". KM_ERR_ARG for a control character, KM_ERR_TOO_LONG; then nothing changes. */
int km_client_user_agent(struct km_client *client, const char *text);
/* What a program that measures is told of requests; the request's method and http_status (0: no answer) can be read. */
enum km_measure {
    KM_MEASURE_ANSWER, /* the response's head came, or none: milliseconds since the request was begun */
    KM_MEASURE_BODY, /* the response is complete (not of streams): bytes of its body */
    KM_MEASURE_RETRY /* it will be sent again */
};
typedef void (*km_measure_fn)(const struct km_request *r, enum km_measure what, int64_t value);
/* Of all clients of the process; NULL: nothing is told. */
void km_client_measure(km_measure_fn fn);
/* Ends the client: requests that wait or are under way end with KM_ERR_CANCELED, connections are closed, the token is wiped.
   Informers and watches are stopped before, and their requests with them. Init may follow. KM_ERR_REENTRANT from inside a
   callback of the loop: nothing was done then. */
int km_client_close(struct km_client *client);
/* Adds a connection. KM_ERR_FULL beyond CONFIG_KM_CONN_COUNT of them. */
int km_lane_init(struct km_lane *lane, struct km_client *client, const char *name);
/* Bounds the rate of requests by a token bucket, full at first; watches take no token. qps 0, as after init: no limit. */
void km_client_limit(struct km_client *client, uint32_t qps, uint32_t burst);
/* Queues the request on the lane. KM_ERR_ARG when it is under way already, or has a schema and no on_text. */
int km_request_send(struct km_request *r, struct km_lane *lane);
bool km_request_busy(const struct km_request *r);
/* on_done is called with KM_ERR_CANCELED before this returns; harmless when not under way. May be called from the request's own
   callbacks: nothing more of its answer is told then. */
void km_request_cancel(struct km_request *r);
/* What a request is about, by its path; false when that is no resource, or the path was given as it is. Parts of r->target, still
   escaped; name is empty for many. */
bool km_request_about(const struct km_client *client, const struct km_request *r,
                      struct km_slice *group, struct km_slice *resource, struct km_slice *name);
/* The whole message of an error answer without a Status, which r->status->message may have cut: client-go's words for the
   code, with what the server said where they have it, and what was asked for: "... (get pods NAME)". */
void km_request_put_generic(struct km_buf *out, const struct km_client *client,
                            const struct km_request *r, struct km_slice said);
/* Drops every connection of the client, since a dead link to one server is likely dead for all: requests under way end with
   KM_ERR_RESET. */
void km_client_suspect(struct km_client *client, const char *why);

#endif
