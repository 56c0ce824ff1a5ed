/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room node: the product. It shows the machine as a Node of the cluster: registers it, renews its lease, keeps its status
 * true, and finishes pods that are bound to it and being deleted. Everything it writes comes from a reconcile that took a
 * key from a queue and read the cache.
 */
#ifndef KM_NODE_H
#define KM_NODE_H

#include "km_control.h"
#include "km_facts.h"
#include "km_node_config.h"

/* ---- kinds ---- */

#define KM_CONDITION_FIELDS(S, I, B, R, A, M) \
    S(type, "/type", 96) \
    S(status, "/status", 16) \
    S(reason, "/reason", 64) \
    S(message, "/message", 160) \
    S(transition, "/lastTransitionTime", 32)
KM_ELEMENT_STRUCT(node_condition, KM_CONDITION_FIELDS)

#define KM_ADDRESS_FIELDS(S, I, B, R, A, M) S(type, "/type", 16) S(address, "/address", 254)
KM_ELEMENT_STRUCT(node_address, KM_ADDRESS_FIELDS)

#define KM_NODE_FIELDS(S, I, B, R, A, M) \
    KM_META_FIELDS(S) \
    S(created, "/metadata/creationTimestamp", 32) \
    B(unschedulable, "/spec/unschedulable") \
    S(capacity_cpu, "/status/capacity/cpu", 24) \
    S(capacity_memory, "/status/capacity/memory", 24) \
    S(capacity_storage, "/status/capacity/ephemeral-storage", 24) \
    S(capacity_pods, "/status/capacity/pods", 24) \
    S(allocatable_cpu, "/status/allocatable/cpu", 24) \
    S(allocatable_memory, "/status/allocatable/memory", 24) \
    S(allocatable_storage, "/status/allocatable/ephemeral-storage", 24) \
    S(allocatable_pods, "/status/allocatable/pods", 24) \
    S(machine_id, "/status/nodeInfo/machineID", 64) \
    S(system_uuid, "/status/nodeInfo/systemUUID", 64) \
    S(boot_id, "/status/nodeInfo/bootID", 64) \
    S(kernel_version, "/status/nodeInfo/kernelVersion", 128) \
    S(os_image, "/status/nodeInfo/osImage", 128) \
    S(runtime_version, "/status/nodeInfo/containerRuntimeVersion", 64) \
    S(kubelet_version, "/status/nodeInfo/kubeletVersion", 64) \
    S(operating_system, "/status/nodeInfo/operatingSystem", 16) \
    S(architecture, "/status/nodeInfo/architecture", 16) \
    A(addresses, "/status/addresses", node_address, CONFIG_KM_NODE_ADDRESS_COUNT) \
    A(conditions, "/status/conditions", node_condition, CONFIG_KM_NODE_CONDITION_COUNT)
KM_KIND_STRUCT(node_fields, KM_NODE_FIELDS)

/* The Node as the server has it: the fields above, and of its labels those that the agent owns, each as it stood in the JSON
   text ("\"value\"", empty when the label is absent), in the order of node_labels. */
struct km_node {
    struct km_node_fields f;
    char labels[CONFIG_KM_NODE_LABEL_COUNT][72];
};

#define KM_POD_FIELDS(S, I, B, R, A, M) \
    KM_META_FIELDS(S) \
    S(deleted, "/metadata/deletionTimestamp", 32) \
    R(grace, "/metadata/deletionGracePeriodSeconds", 16) \
    S(phase, "/status/phase", 16)
KM_KIND_STRUCT(pod, KM_POD_FIELDS)
extern const struct km_kind km_kind_pod;

#define KM_OWNER_FIELDS(S, I, B, R, A, M) S(uid, "/uid", 64)
KM_ELEMENT_STRUCT(owner, KM_OWNER_FIELDS)
#define KM_LEASE_FIELDS(S, I, B, R, A, M) \
    KM_META_FIELDS(S) \
    A(owners, "/metadata/ownerReferences", owner, 4)
KM_KIND_STRUCT(lease, KM_LEASE_FIELDS)
extern const struct km_kind km_kind_lease;

/* ---- the agent ---- */

struct km_agent_options {
    const struct km_node_config *config; /* valid for the agent's life */
    struct km_kubeconfig *kubeconfig; /* its credentials are read again when their files change */
    /* Called with the Node's row for people whenever what it shows changes; the first call has the header. NULL = not wanted. */
    void (*print)(void *ctx, const char *line);
    void *print_ctx;
    bool measure; /* count what the queues do and how long they take */
};

/* Sets up everything: the client, three connections (the Node's watch, the pods' watch, writes), caches, queues. Start-up only;
   one agent per process. KM_ERR_CONFIG and others with words in fault. */
int km_agent_init(const struct km_agent_options *options, struct km_loop *loop,
                  struct km_fault *fault);
/* Begins to work. */
void km_agent_start(void);
/* Asks it to stop: no new work begins, writes under way are finished. */
void km_agent_stop(void);
/* No write is under way: after km_agent_stop the process may end. */
bool km_agent_idle(void);
/* The Node was accepted by the server as Ready at least once. */
bool km_agent_was_ready(void);

struct km_agent_ages {
    int64_t lease_ms;          /* since the lease was renewed, -1: never */
    int64_t nodes_ms, pods_ms; /* since the watch told of an event or a bookmark, -1: never */
    bool pods_incomplete;      /* pods were left out for want of room and are not back yet */
};
void km_agent_ages(struct km_agent_ages *out);
/* The agent's queues, for their metrics; KM_AGENT_QUEUES of them. They measure themselves when options.measure says so. */
#define KM_AGENT_QUEUES 3
struct km_queue;
const struct km_queue *const *km_agent_queues(void);

#endif
