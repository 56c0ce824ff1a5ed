/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine is and how it fares: capacity, nodeInfo, addresses and the readings behind the pressure conditions,
 * as the kubelet reads them on the same machine. Values of the whole machine, cgroup limits left aside. What can't be read
 * is marked unknown and never guessed. After start-up as before: no heap.
 */
#ifndef KM_FACTS_H
#define KM_FACTS_H

#include "km_node_config.h"
#include "km_port.h"
#include "km_scalar.h"

/* Where readings come from; a board may give its own. NULL fields and NULL itself mean the defaults. */
struct km_fact_paths {
    const char *meminfo;       /* /proc/meminfo */
    const char *loadavg;       /* /proc/loadavg */
    const char *pid_max;       /* /proc/sys/kernel/pid_max */
    const char *threads_max;   /* /proc/sys/kernel/threads-max */
    const char *boot_id;       /* /proc/sys/kernel/random/boot_id */
    const char *machine_id[2]; /* /etc/machine-id, /var/lib/dbus/machine-id */
    const char *system_uuid
        [3]; /* /sys/class/dmi/id/product_uuid, the device tree's vm,uuid and serial-number */
    const char
        *mac_address; /* /sys/class/net/eth0/address: seeds a machine ID where there is no other */
    const char *os_release[2]; /* /etc/os-release, /usr/lib/os-release */
};
extern const struct km_fact_paths km_fact_paths_default;

/* Bits of km_facts.known. */
enum km_fact {
    KM_FACT_CPU = 1u << 0,
    KM_FACT_MEMORY_TOTAL = 1u << 1,
    KM_FACT_MEMORY_AVAILABLE = 1u << 2,
    KM_FACT_DISK = 1u << 3, /* bytes and inodes */
    KM_FACT_PIDS = 1u << 4,
};

struct km_facts {
    /* Set by km_facts_static. Printable UTF-8; "" when unknown. */
    char machine_id[64], system_uuid[64], boot_id[64];
    bool
        machine_id_made; /* made from the board's serial number or MAC address; of no use to tell copies apart */
    char kernel_version[128], os_image[128], hostname[KM_NODE_NAME_SIZE];
    const char *operating_system; /* "linux" */
    const char *architecture;     /* Go's names: amd64, arm64, arm, ... */

    /* Set by km_facts_read. */
    uint32_t known;
    uint32_t cpu_count; /* online */
    uint64_t memory_total_bytes, memory_available_bytes;
    uint64_t disk_total_bytes, disk_free_bytes, disk_total_inodes, disk_free_inodes;
    uint64_t pids_max, pids_used; /* tasks: processes and threads */
    struct km_addr addresses
        [CONFIG_KM_NODE_ADDRESS_COUNT]; /* IPv4 first, each family's default route before others */
    uint16_t address_count;
};

/* Once at start-up, before km_facts_read: what does not change while the machine runs. Blocks for files. */
void km_facts_static(struct km_facts *facts, const struct km_node_config *config,
                     const struct km_fact_paths *paths);
/* Each sync: readings, capacity and addresses. Blocks for files in /proc and one statfs. */
void km_facts_read(struct km_facts *facts, const struct km_node_config *config,
                   const struct km_fact_paths *paths);

/* ---- resources ---- */

struct km_resources {
    char cpu[KM_QUANTITY_SIZE], memory[KM_QUANTITY_SIZE], ephemeral_storage[KM_QUANTITY_SIZE],
        pods[KM_QUANTITY_SIZE];
};
/* Canonical quantities; "" for what is unknown: leave that resource out. Allocatable is capacity less what is reserved,
   never below 0. Pure. */
void km_facts_resources(const struct km_facts *facts, const struct km_node_config *config,
                        struct km_resources *capacity, struct km_resources *allocatable);

/* ---- conditions ---- */

enum km_condition_status { KM_CONDITION_FALSE, KM_CONDITION_TRUE, KM_CONDITION_UNKNOWN };
/* "False", "True", "Unknown" */
const char *km_condition_status_name(enum km_condition_status status);

struct km_condition {
    const char *type;
    enum km_condition_status status;
    const char *reason;
    char message[96];
};

#define KM_CONDITION_COUNT 4
/* In this order; Ready is last, as the kubelet has it. */
enum { KM_MEMORY_PRESSURE, KM_DISK_PRESSURE, KM_PID_PRESSURE, KM_READY };

/* When each pressure was seen last; zero before the first call. */
struct km_pressure {
    bool seen[KM_READY];
    int64_t at_ms[KM_READY];
};

/*
 * The conditions for these facts, with the kubelet's reasons and messages. A pressure condition is True from the reading
 * that is below its threshold until transition_s seconds after the last such reading; Unknown when the reading fails; False
 * when its threshold is off. Ready is True unless a capacity is unknown. now_ms is monotonic. Changes nothing but
 * `pressure`.
 */
void km_facts_conditions(const struct km_facts *facts, const struct km_node_config *config,
                         struct km_pressure *pressure, int64_t now_ms,
                         struct km_condition out[KM_CONDITION_COUNT]);

/* ---- labels ---- */

/*
 * The labels that the agent writes: kubernetes.io/arch, the optional ones, then those of the configuration, which win over a
 * default of the same key. node_name is the value of kubernetes.io/hostname; it and the other two arguments must stay as
 * long as `out` is used. Returns the count; CONFIG_KM_NODE_LABEL_COUNT is always enough (the configuration's reader sees to
 * it). Pure.
 */
uint16_t km_node_labels(const struct km_facts *facts, const struct km_node_config *config,
                        const char *node_name,
                        struct km_node_label out[CONFIG_KM_NODE_LABEL_COUNT]);

#endif
