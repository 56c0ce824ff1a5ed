/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_PRIV_H
#define NODE_PRIV_H

#include "kubemote/km_node.h"

#define NODE_DUPLICATE "kubemote.io/DuplicateNode"
#define NODE_KEY 0 /* the only key of the node and lease queues */

/* ---- labels that the agent owns ---- */

struct node_labels {
    struct km_node_label items[CONFIG_KM_NODE_LABEL_COUNT];
    uint16_t count;
    struct km_field fields[CONFIG_KM_NODE_LABEL_COUNT + 40]; /* of the Node kind, labels last */
    char paths[CONFIG_KM_NODE_TEXT_BYTES];                   /* RFC 6901 pointers of the labels */
};

/* Builds the Node kind whose record receives the labels in labels->items. The kind is valid as long as labels is.
   KM_ERR_CONFIG when a table is too small. */
int node_kind_init(struct km_kind *kind, struct node_labels *labels, struct km_fault *fault);

/* ---- what the Node should show ---- */

struct node_desired {
    const struct km_node_config *config;
    const struct node_labels *labels;
    const struct km_facts *facts;
    const char *kubelet_version;
    struct km_condition conditions[KM_CONDITION_COUNT];
    struct km_resources capacity, allocatable;
    bool prune; /* conditions that an earlier run of ours left behind */
};

/* NULL when the Node shows all of it; else a word for what differs first: "conditions", "addresses", ... Times are not
   compared. Pure. */
const char *node_difference(const struct km_node *node, const struct node_desired *want);

/* The whole Node for a POST. KM_ERR_TOO_LONG when it does not fit. */
int node_write_create(struct km_buf *out, const char *name, const struct node_desired *want,
                      int64_t wall_us);
/* The strategic merge patch for the status subresource: everything that we own, whole; nothing of others. Transition times
   are taken over from the Node where the status is the same, so that they move on flips alone. */
int node_write_patch(struct km_buf *out, const struct km_node *node,
                     const struct node_desired *want, int64_t wall_us);
/* Like it, but only the condition that says that another machine uses this name. */
int node_write_duplicate(struct km_buf *out, const struct km_node *node,
                         const struct km_facts *facts, int64_t wall_us);

/* The Node's row as people know it from kubectl; header: the column names. */
void node_row(struct km_buf *out, const struct km_node *node, int64_t wall_us, bool header);
const struct km_node_condition *node_condition(const struct km_node *node, const char *type);
/* The version that the Node reports: the server's major and minor ("v1.36.3", "v1.36+") with our own behind. False when
   it is no such version: then out is left as it was. */
bool node_kubelet_version(const char *git_version, char *out, size_t out_size);

/* ---- the parts of the agent ---- */

enum lease_step { LEASE_READ, LEASE_CREATE, LEASE_RENEW };

struct node_lease {
    enum lease_step step;
    struct km_lease lease; /* as the server answered last */
    struct km_request request;
    struct km_schema schema;
    struct km_buf body;
    char body_data[1024];
    uint32_t failures; /* of the link, in a row */
    uint8_t tries;     /* without a renewal */
    bool in_trouble;
    int64_t renewed_ms;
    struct km_counter renewals;
};

struct node_pods {
    struct km_request request;
    struct km_buf body;
    char body_data[256];
    uint16_t key;
    int64_t held_until_ms; /* the server asked for quiet until then */
    struct km_counter finished;
};

struct node_status {
    struct km_request request;
    struct km_buf body;
    char body_data[CONFIG_KM_BODY_BYTES];
    struct node_desired want;
    struct km_meta answer; /* of the last write */
    struct km_schema answer_schema, version_schema;
    bool asked;      /* the registration was answered, one way or another */
    bool seen;       /* the Node existed once in this run */
    bool written;    /* our status was taken once in this run */
    bool in_trouble; /* an episode of refusals is under way: it was logged */
    bool told_gone;
    char before_rv[32];       /* what the cache showed when we wrote; "" = no write is awaited */
    int64_t awaited_until_ms; /* our write is expected to show in the cache */
    int64_t facts_ms, version_ms, report_ms; /* when next */
    int64_t create_ms;                       /* a deleted Node is not made again before */
    int64_t held_until_ms;                   /* the server asked for quiet until then */
    uint32_t doubts; /* writes in a row that the server refused for want of the Node that we know */
    uint32_t recreations;
    uint32_t write_tokens; /* a budget, so that a war over a label can't load the server */
    int64_t tokens_ms;
    int64_t blind_ms; /* since when writes work but not the watch, 0 = both work */
    char kubelet_version[64];
    struct km_counter writes;
};

struct agent {
    struct km_agent_options options;
    const struct km_node_config *config;
    struct km_loop *loop;
    struct km_rng rng;
    struct km_facts facts;
    struct km_pressure pressure;
    struct km_kind node_kind;
    struct node_labels labels;
    struct km_client client;
    struct km_lane *node_lane, *pod_lane, *write_lane;
    struct km_informer nodes, pods;
    struct km_controller node_ctl, lease_ctl, pod_ctl;
    struct km_recorder recorder;
    struct node_status status;
    struct node_lease lease;
    struct node_pods finisher;
    struct km_timer suspect_timer;
    char self_uid[64];
    uint8_t foreign_seen; /* how often another machine's identity replaced ours */
    int64_t foreign_ms;
    bool identity_shown; /* the server shows our machineID and bootID */
    bool duplicate;      /* another machine has this name: say so, then be silent */
    bool silenced;       /* nothing is written any more */
    bool stopping, was_ready;
    char printed[512];
};

const struct km_node *agent_node(
    const struct agent *a); /* NULL when the server has none, or none is known yet */
/* After a refusal: when the server said, at most a minute later, else with the limiter's delay. */
void agent_retry(struct km_controller *c, uint16_t key, const struct km_status *status);
/* Soon, not now: every connection is dropped. */
void agent_suspect_links(struct agent *a);
/* After the first answer to the registration, whatever it was. */
void agent_start_watches(struct agent *a);

int node_status_init(struct agent *a, struct km_fault *fault);
void node_status_reconcile(void *ctx, uint16_t key);
/* The Node appeared or changed on the server: is it still ours? */
void node_status_observe(struct agent *a, const struct km_node *node);
void node_status_deleted(struct agent *a);
void node_event(struct agent *a, bool warning, const char *reason, const char *action,
                const char *note);
int node_lease_init(struct agent *a, struct km_fault *fault);
void node_lease_reconcile(void *ctx, uint16_t key);
int node_pods_init(struct agent *a, struct km_fault *fault);
void node_pods_reconcile(void *ctx, uint16_t key);

#endif
