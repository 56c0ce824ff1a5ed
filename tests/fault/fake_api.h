/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small honest Kubernetes API server on port/sim, for one node: what kube-apiserver 1.36 with its watch cache does to the
 * requests that the agent sends, and what the node lifecycle controller does to a Node that falls silent. One
 * resourceVersion counter for everything, a bounded history of changes, watches fed from it.
 *
 *   - lists: resourceVersion unset (most recent), "0" (any), N with limit (exactly N; 410 when compacted), pages by `continue`
 *     (410 when its resourceVersion was compacted), N newer than all: after 3 s 504 with cause ResourceVersionTooLarge
 *   - streaming lists (sendInitialEvents): the objects, the bookmark that ends them, then changes; N newer than all: ERROR event
 *   - plain watches: changes after N; compacted: ERROR event 410 on a 200; N newer than all: 200 and silence until then
 *   - bookmarks each minute; the stream ends in order after timeoutSeconds
 *   - status patches by strategic merge, leases by merge patch with resourceVersion as precondition, pod deletions with grace and
 *     uid, events
 * What the real server would refuse is refused; what it takes but the agent should not send is a complaint. The clock is the
 * server's own: jumps of the agent's wall clock do not touch it.
 */
#ifndef TESTS_FAULT_FAKE_API_H
#define TESTS_FAULT_FAKE_API_H

#include "doc.h"
#include "port/sim/km_sim_http.h"

#define API_HOST "api.example"
#define API_IP "10.0.0.1"
#define API_PORT 6443
#define API_NODE "node-a"
#define API_TOKEN "t0ken"

enum api_call {
    API_VERSION,
    API_NODE_CREATE,
    API_NODE_GET,
    API_NODE_PATCH,
    API_NODE_LIST,
    API_NODE_STREAM,
    API_NODE_WATCH,
    API_POD_LIST,
    API_POD_STREAM,
    API_POD_WATCH,
    API_POD_DELETE,
    API_LEASE_GET,
    API_LEASE_CREATE,
    API_LEASE_PATCH,
    API_EVENT,
    API_OTHER,
    API_ALL /* in api_fail: each of them */
};
#define API_CALL_COUNT API_ALL
const char *api_call_name(enum api_call call);

enum api_kind { API_NODES, API_PODS, API_LEASES };

enum api_verdict {
    API_SERVE, /* as a healthy server */
    API_MUTE,  /* does it, but the answer is lost */
    API_TAKEN  /* the hook has answered, or never will */
};

struct api_fault {
    unsigned times; /* UINT_MAX = always */
    int code;
    const char *reason; /* "" = an answer without a Status body */
    int retry_after_s;
};

struct api {
    /* Knobs; api_reset sets those of a healthy server. */
    bool no_streaming; /* streaming lists are refused with 422 */
    bool no_bookmarks;
    bool
        expired_as_answer; /* a watch from a compacted resourceVersion: 410 as the answer rather than as an event */
    bool no_watch_goes_on;  /* plain watches are too old, wherever they begin */
    bool precise_bookmarks; /* none while nothing happened since the watch began */
    bool node_was_swapped;  /* by an accident of the store: a lease may follow a moment later */
    size_t page_size;       /* largest page of a list; 0 = as the client says */
    int64_t watch_ms; /* streams end in order after so long at the latest; 0 = as the client says */
    int64_t grace_ms; /* of the node lifecycle controller; 0 = it sleeps */
    const char *token, *next_token; /* both are good; "" = none; token NULL = all are let in */
    enum api_verdict (*hook)(const struct km_sim_request *rq, enum api_call call); /* may be NULL */
    /* Whether a status write was made from the Node as it is; NULL = always. Others can't know which conditions flip. */
    bool (*is_up_to_date)(void);
    struct api_fault faults[API_CALL_COUNT];
    /* Time from the request to its effect and answer. */
    int64_t delay_ms[API_CALL_COUNT];

    /* What happened. */
    unsigned calls[API_CALL_COUNT], requests;
    unsigned pages;  /* of lists, behind the first: how many is the server's choice */
    unsigned writes; /* requests that changed something */
    unsigned events, complaints, went_unknown, expired;
    uint64_t writes_hash;                 /* of all writes in order, times left out */
    char complaint[256];                  /* the first */
    char last_event[64];                  /* its reason */
    int64_t renewed_ms;                   /* the last renewal of the lease */
    int64_t requested_ms[API_CALL_COUNT]; /* the last of each */
    uint64_t rv, compacted;
    bool waited; /* the request served now had to wait for delay_ms */
};
extern struct api api;

/* A healthy empty server at API_IP:API_PORT, found as API_HOST. After km_sim_reset. */
void api_reset(void);
void api_listen(const char *ip); /* a further address of the same server */
/* Frees everything. */
void api_close(void);

/* The next `times` requests of that call are answered with code; 0 ends it. */
void api_fail(enum api_call call, unsigned times, int code, const char *reason, int retry_after_s);
/* A Status as the answer. */
void api_refuse(int conn_id, int code, const char *reason, const char *message, int retry_after_s);

/* ---- objects, as other clients see and change them ---- */

/* The live object, NULL when there is none. Look, don't touch: changes go through api_edit. */
const struct doc *api_node(void);
const struct doc *api_lease(void);
const struct doc *api_get(enum api_kind kind, const char *ns, const char *name);
const char *api_condition(const char *type,
                          const char *member); /* of the Node, "" when there is none */
size_t api_count(enum api_kind kind);
/* Puts a JSON value at a path of the object, as somebody with kubectl; NULL drops it. Watches are told. */
void api_edit(enum api_kind kind, const char *ns, const char *name, const char *path,
              const char *json);
void api_edit_node(const char *path, const char *json);
void api_delete(enum api_kind kind, const char *ns, const char *name);
void api_add_node(const char *json); /* a Node that was there before; metadata is completed */
void api_add_pod(const char *ns, const char *name, const char *node);
/* `kubectl delete pod`: marked for deletion with 30 s of grace. */
void api_kill_pod(const char *ns, const char *name);
/* The next object of the collection: start with NULL. */
const struct doc *api_next(enum api_kind kind, const struct doc *after);

/* ---- accidents ---- */

void api_compact(void); /* forgets all history */
void api_skip(
    uint64_t count); /* as many other writes in the cluster: the resourceVersion moves on */
void api_send_error(enum api_kind kind, int code, const char *reason,
                    int retry_after_s);                  /* ERROR event on all its watches */
void api_send_raw(enum api_kind kind, const char *line); /* a chunk on all its watches */
void api_end_watches(void);                              /* all streams end in order */
size_t api_watch_count(enum api_kind kind);
/* A copy of the store, and back to it: every connection breaks, as the server was restarted. */
void api_save(void);
void api_restore(void);
void api_restore_quietly(void); /* behind a proxy: the connections stay */
void api_empty(void);           /* a store without objects; the resourceVersion starts over */

/* Notes what the agent should not have done; the test fails at its end. */
void api_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- for the server's own files ---- */

struct api_object {
    enum api_kind kind;
    char ns[64], name[254];
    uint64_t rv;
    struct doc *doc;
    struct api_object *next;
};

/* A change: `text` is the object after it (as it was when deleted), `before` the one it replaced. */
struct api_change {
    uint64_t rv;
    enum api_kind kind;
    const char *type; /* "ADDED", ... */
    char ns[64], name[254], node[64];
    char *text, *before;
};

struct api_object *api_find(enum api_kind kind, const char *ns, const char *name);
/* Takes doc over, completes its metadata, tells the watches. */
struct api_object *api_create(enum api_kind kind, const char *ns, const char *name,
                              struct doc *doc);
/* Takes doc over; without effect when nothing differs. */
void api_store(struct api_object *object, struct doc *doc);
void api_remove(struct api_object *object);
/* Changes after rv in order: start with index 0; NULL at the end. */
const struct api_change *api_change_after(uint64_t rv, size_t *index);
/* The collection as it was at rv, one "text" after another by name; the caller frees. NULL at the end. */
char **api_list_at(enum api_kind kind, const char *node, uint64_t rv, size_t *count);
int64_t api_wall_us(void);
void api_stamp(char out[KM_TIME_SIZE]);
const char *api_kind_name(enum api_kind kind);

void api_watch_reset(void);
void api_watch_drop_all(void); /* the server restarts */
void api_watch_serve(const struct km_sim_request *rq, enum api_kind kind, enum api_call call);
void api_list_serve(const struct km_sim_request *rq, enum api_kind kind);
void api_watch_told(void); /* something changed: feed the watches */
void api_watch_tick(void);
bool api_query(const struct km_sim_request *rq, const char *name, char *out,
               size_t out_size); /* unescaped */
void api_answer(int conn_id, int code, const char *body);
/* Whole, or its metadata when that is what the request accepts. */
void api_answer_object(const struct km_sim_request *rq, int code, const struct doc *object);
bool api_lease_is_owned(const struct doc *lease); /* by the Node that is there now */
void api_write_serve(const struct km_sim_request *rq, enum api_call call);
void api_controller_tick(void);
void api_controller_reset(void);

#endif
