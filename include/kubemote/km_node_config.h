/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's configuration: defaults, overlaid by a YAML file (apiVersion kubemote.io/v1alpha1, kind AgentConfig). Every
 * key, its default and its range stand in docs/CONFIGURATION.md. Before the seal only.
 */
#ifndef KM_NODE_CONFIG_H
#define KM_NODE_CONFIG_H

#include "km_base.h"

#define KM_NODE_CONFIG_API_VERSION "kubemote.io/v1alpha1"
#define KM_NODE_CONFIG_KIND "AgentConfig"
#define KM_NODE_NAME_SIZE 254
#define KM_LABEL_KEY_SIZE 318 /* prefix of 253, slash, name of 63 */
#define KM_LABEL_VALUE_SIZE 64

enum km_node_mode {
    KM_MODE_NODE,      /* the agent owns the Node */
    KM_MODE_COMPANION, /* a kubelet owns the Node; not in this version */
    KM_MODE_DEVICE,    /* no Node, a Device; not in this version */
};

enum km_taint_effect { KM_NO_SCHEDULE, KM_PREFER_NO_SCHEDULE, KM_NO_EXECUTE };
/* "NoSchedule", ... */
const char *km_taint_effect_name(enum km_taint_effect effect);

struct km_node_label {
    const char *key, *value;
};

struct km_taint {
    const char *key, *value; /* value may be "" */
    enum km_taint_effect effect;
};

struct km_reserved {
    uint64_t cpu_milli, memory_bytes, ephemeral_storage_bytes;
};

/* A condition turns True when less than this is left. 0 switches that threshold off. */
struct km_thresholds {
    uint64_t memory_available_bytes; /* used when memory_available_percent is 0 */
    uint8_t memory_available_percent;
    uint8_t disk_free_percent, inodes_free_percent, pids_free_percent;
    uint32_t transition_s; /* how long pressure must be over before the condition says so */
};

/* Texts are never NULL; "" means not configured. They point into `text`: the struct must not be copied or moved. */
struct km_node_config {
    const char *node_name; /* "": the command line or the host name says */
    enum km_node_mode mode;
    struct km_node_label labels[CONFIG_KM_NODE_LABEL_COUNT];
    uint16_t label_count; /* of the configuration alone: see km_node_labels */
    bool register_os_label, register_hostname_label;
    const char *region; /* "": no label */
    bool exclude_from_load_balancers;
    struct km_taint taints[CONFIG_KM_NODE_TAINT_COUNT];
    uint16_t taint_count;
    bool recreate_node, finish_pods;
    uint32_t pods_capacity;
    uint32_t lease_duration_s, lease_renew_s, status_update_s, status_report_s;
    const char *root_path;
    struct km_reserved reserved;
    struct km_thresholds thresholds;
    const char *system_uuid_file, *metrics_file, *resolv_conf, *hosts;
    const char *metrics_listen; /* see km_serve_options */
    const char *log_output;     /* see km_log_options */
    const char *log_format;     /* "text" or "json" */
    uint64_t log_file_bytes;
    uint8_t log_file_count;
    int log_verbosity;
    char text[CONFIG_KM_NODE_TEXT_BYTES];
    size_t text_len;
};

void km_node_config_defaults(struct km_node_config *config);
/* Defaults, overlaid by the file; path NULL: defaults alone. path need not stay. KM_ERR_CONFIG with "FILE:LINE: why". */
int km_node_config_load(const char *path, struct km_node_config *out, struct km_fault *fault);
/* The same for a text in memory; name stands for the file. */
int km_node_config_parse(const char *name, struct km_slice text, struct km_node_config *out,
                         struct km_fault *fault);

/* KM_OK, or KM_ERR_CONFIG with the reason. For --node-name and the configuration: a DNS label, or several with dots
   between them, 253 bytes at most (RFC 1123; Kubernetes' rule for node names). */
int km_node_name_check(const char *name, struct km_fault *fault);
/* Kubernetes' syntax of label keys and values; `what` names the place in the message. */
int km_label_check(struct km_slice key, struct km_slice value, const char *what,
                   struct km_fault *fault);
/* False for the keys of kubernetes.io and k8s.io that a node must not set on itself (NodeRestriction admission). */
bool km_label_is_allowed(struct km_slice key);

#endif
