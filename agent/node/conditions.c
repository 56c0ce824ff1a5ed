/* SPDX-License-Identifier: Apache-2.0 */
/* From facts to what the Node's status says: resources and conditions. Pure. */
#include <string.h>

#include "kubemote/km_facts.h"

/* ---- resources ---- */

static uint64_t less(uint64_t capacity, uint64_t reserved)
{
    return capacity > reserved ? capacity - reserved : 0;
}

void km_facts_resources(const struct km_facts *facts, const struct km_node_config *config,
                        struct km_resources *capacity, struct km_resources *allocatable)
{
    const struct km_reserved *reserved = &config->reserved;
    uint64_t milli = (uint64_t)facts->cpu_count * 1000;

    memset(capacity, 0, sizeof *capacity);
    memset(allocatable, 0, sizeof *allocatable);
    if ((facts->known & KM_FACT_CPU) != 0) {
        km_quantity_milli(milli, capacity->cpu);
        km_quantity_milli(less(milli, reserved->cpu_milli), allocatable->cpu);
    }
    if ((facts->known & KM_FACT_MEMORY_TOTAL) != 0) {
        km_quantity_bytes(facts->memory_total_bytes, capacity->memory);
        km_quantity_bytes(less(facts->memory_total_bytes, reserved->memory_bytes),
                          allocatable->memory);
    }
    if ((facts->known & KM_FACT_DISK) != 0) {
        km_quantity_bytes(facts->disk_total_bytes, capacity->ephemeral_storage);
        km_quantity_bytes(less(facts->disk_total_bytes, reserved->ephemeral_storage_bytes),
                          allocatable->ephemeral_storage);
    }
    km_quantity_milli((uint64_t)config->pods_capacity * 1000, capacity->pods);
    memcpy(allocatable->pods, capacity->pods, sizeof capacity->pods);
}

/* ---- conditions ---- */

enum pressure { RELAXED, PRESSED, UNREADABLE };

/* The kubelet's words. */
static const struct {
    const char *type;
    const char *reason[2], *message[2];
    const char *unknown;
} words[] = {
    [KM_MEMORY_PRESSURE] = {"MemoryPressure",
                            {"KubeletHasSufficientMemory", "KubeletHasInsufficientMemory"},
                            {"kubelet has sufficient memory available",
                             "kubelet has insufficient memory available"},
                            "available memory can't be read"},
    [KM_DISK_PRESSURE] = {"DiskPressure",
                          {"KubeletHasNoDiskPressure", "KubeletHasDiskPressure"},
                          {"kubelet has no disk pressure", "kubelet has disk pressure"},
                          "free disk space can't be read"},
    [KM_PID_PRESSURE] = {"PIDPressure",
                         {"KubeletHasSufficientPID", "KubeletHasInsufficientPID"},
                         {"kubelet has sufficient PID available",
                          "kubelet has insufficient PID available"},
                         "the number of processes can't be read"},
};

const char *km_condition_status_name(enum km_condition_status status)
{
    static const char *const names[] = {"False", "True", "Unknown"};
    return names[status];
}

/* percent of capacity, rounded down as the kubelet does; can't overflow. */
static uint64_t part(uint64_t capacity, uint8_t percent)
{
    return capacity / 100 * percent + capacity % 100 * percent / 100;
}

static enum pressure below(uint64_t available, uint64_t threshold)
{
    return available < threshold ? PRESSED : RELAXED;
}

static enum pressure memory_pressure(const struct km_facts *facts, const struct km_thresholds *t)
{
    uint64_t threshold = t->memory_available_bytes;

    if (t->memory_available_percent == 0 && threshold == 0)
        return RELAXED;
    if ((facts->known & KM_FACT_MEMORY_AVAILABLE) == 0)
        return UNREADABLE;
    if (t->memory_available_percent > 0) {
        if ((facts->known & KM_FACT_MEMORY_TOTAL) == 0)
            return UNREADABLE;
        threshold = part(facts->memory_total_bytes, t->memory_available_percent);
    }
    return below(facts->memory_available_bytes, threshold);
}

static enum pressure disk_pressure(const struct km_facts *facts, const struct km_thresholds *t)
{
    if (t->disk_free_percent == 0 && t->inodes_free_percent == 0)
        return RELAXED;
    if ((facts->known & KM_FACT_DISK) == 0)
        return UNREADABLE;
    /* A file system without a fixed number of inodes says 0 of 0: 0 is not below 0. */
    if (below(facts->disk_free_inodes, part(facts->disk_total_inodes, t->inodes_free_percent)) ==
        PRESSED)
        return PRESSED;
    return below(facts->disk_free_bytes, part(facts->disk_total_bytes, t->disk_free_percent));
}

static enum pressure pid_pressure(const struct km_facts *facts, const struct km_thresholds *t)
{
    if (t->pids_free_percent == 0)
        return RELAXED;
    if ((facts->known & KM_FACT_PIDS) == 0)
        return UNREADABLE;
    return below(less(facts->pids_max, facts->pids_used),
                 part(facts->pids_max, t->pids_free_percent));
}

static void set_condition(struct km_condition *out, const char *type,
                          enum km_condition_status status, const char *reason, const char *message)
{
    out->type = type;
    out->status = status;
    out->reason = reason;
    (void)km_format(out->message, sizeof out->message, "%s", message);
}

static void set_pressure(int which, enum pressure now, const struct km_node_config *config,
                         struct km_pressure *pressure, int64_t now_ms, struct km_condition *out)
{
    int64_t hold_ms = (int64_t)config->thresholds.transition_s * 1000;

    if (now == PRESSED) {
        pressure->seen[which] = true;
        pressure->at_ms[which] = now_ms;
    } else if (pressure->seen[which] && now_ms - pressure->at_ms[which] >= hold_ms) {
        pressure->seen[which] = false;
    }
    if (now == UNREADABLE) {
        set_condition(out, words[which].type, KM_CONDITION_UNKNOWN, "ReadingFailed",
                      words[which].unknown);
        return;
    }
    bool pressed = pressure->seen[which];
    set_condition(out, words[which].type, pressed ? KM_CONDITION_TRUE : KM_CONDITION_FALSE,
                  words[which].reason[pressed], words[which].message[pressed]);
}

static void set_ready(const struct km_facts *facts, struct km_condition *out)
{
    static const struct {
        uint32_t fact;
        const char *name;
    } needed[] = {{KM_FACT_CPU, "cpu"},
                  {KM_FACT_MEMORY_TOTAL, "memory"},
                  {KM_FACT_DISK, "ephemeral-storage"}};
    struct km_buf buf;
    bool complete = true;

    set_condition(out, "Ready", KM_CONDITION_TRUE, "KubeletReady", "");
    km_buf_init(&buf, out->message, sizeof out->message);
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if ((facts->known & needed[i].fact) != 0)
            continue;
        km_buf_puts(&buf, complete ? "missing node capacity for resources: " : ", ");
        km_buf_puts(&buf, needed[i].name);
        complete = false;
    }
    if (complete) {
        km_buf_puts(&buf, "kubelet is posting ready status");
        return;
    }
    out->status = KM_CONDITION_FALSE;
    out->reason = "KubeletNotReady";
}

void km_facts_conditions(const struct km_facts *facts, const struct km_node_config *config,
                         struct km_pressure *pressure, int64_t now_ms,
                         struct km_condition out[KM_CONDITION_COUNT])
{
    const struct km_thresholds *t = &config->thresholds;

    set_pressure(KM_MEMORY_PRESSURE, memory_pressure(facts, t), config, pressure, now_ms,
                 &out[KM_MEMORY_PRESSURE]);
    set_pressure(KM_DISK_PRESSURE, disk_pressure(facts, t), config, pressure, now_ms,
                 &out[KM_DISK_PRESSURE]);
    set_pressure(KM_PID_PRESSURE, pid_pressure(facts, t), config, pressure, now_ms,
                 &out[KM_PID_PRESSURE]);
    set_ready(facts, &out[KM_READY]);
}
