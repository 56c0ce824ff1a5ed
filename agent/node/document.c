/* SPDX-License-Identifier: Apache-2.0 */
/* The documents that are written: the Node for its creation and the strategic merge patch of its status. */
#include <string.h>

#include "node_priv.h"

static void write_labels(struct km_json_writer *w, const struct node_labels *labels)
{
    km_json_key(w, "labels");
    km_json_object(w);
    for (uint16_t i = 0; i < labels->count; i++)
        km_json_kv_str(w, labels->items[i].key, labels->items[i].value);
    km_json_close(w);
}

static void write_taints(struct km_json_writer *w, const struct km_node_config *config)
{
    km_json_key(w, "taints");
    km_json_array(w);
    for (uint16_t i = 0; i < config->taint_count; i++) {
        km_json_object(w);
        km_json_kv_str(w, "key", config->taints[i].key);
        if (config->taints[i].value[0] != '\0')
            km_json_kv_str(w, "value", config->taints[i].value);
        km_json_kv_str(w, "effect", km_taint_effect_name(config->taints[i].effect));
        km_json_close(w);
    }
    km_json_close(w);
}

static void write_resource(struct km_json_writer *w, const char *name, const char *quantity)
{
    if (quantity[0] != '\0')
        km_json_kv_str(w, name, quantity);
}

static void write_resources(struct km_json_writer *w, const char *key, const struct km_resources *r)
{
    km_json_key(w, key);
    km_json_object(w);
    write_resource(w, "cpu", r->cpu);
    write_resource(w, "memory", r->memory);
    write_resource(w, "ephemeral-storage", r->ephemeral_storage);
    write_resource(w, "pods", r->pods);
    km_json_close(w);
}

static void write_address(struct km_json_writer *w, const char *type, const char *address)
{
    km_json_object(w);
    km_json_kv_str(w, "type", type);
    km_json_kv_str(w, "address", address);
    km_json_close(w);
}

/* The merge key of addresses is their type, so a second address of a type, or one that is gone, needs the whole list replaced. */
static void write_addresses(struct km_json_writer *w, const struct km_facts *facts, bool patch)
{
    char text[KM_ADDR_TEXT_SIZE];
    km_json_key(w, "addresses");
    km_json_array(w);
    if (patch) {
        km_json_object(w);
        km_json_kv_str(w, "$patch", "replace");
        km_json_close(w);
    }
    for (uint16_t i = 0; i < facts->address_count; i++) {
        km_addr_text(&facts->addresses[i], text, sizeof text);
        write_address(w, "InternalIP", text);
    }
    write_address(w, "Hostname", facts->hostname);
    km_json_close(w);
}

static void write_info(struct km_json_writer *w, const struct node_desired *want)
{
    const struct km_facts *facts = want->facts;
    km_json_key(w, "nodeInfo");
    km_json_object(w);
    km_json_kv_str(w, "machineID", facts->machine_id);
    km_json_kv_str(w, "systemUUID", facts->system_uuid);
    km_json_kv_str(w, "bootID", facts->boot_id);
    km_json_kv_str(w, "kernelVersion", facts->kernel_version);
    km_json_kv_str(w, "osImage", facts->os_image);
    km_json_kv_str(w, "containerRuntimeVersion", "");
    km_json_kv_str(w, "kubeletVersion", want->kubelet_version);
    km_json_kv_str(w, "kubeProxyVersion", "");
    km_json_kv_str(w, "operatingSystem", facts->operating_system);
    km_json_kv_str(w, "architecture", facts->architecture);
    km_json_close(w);
}

/* When the status came to be what it is: as the server has it, unless it flips now. */
static const char *transition(const struct km_node *node, const struct km_condition *c,
                              const char *now)
{
    const struct km_node_condition *have = node == NULL ? NULL : node_condition(node, c->type);
    if (have == NULL || strcmp(have->status, km_condition_status_name(c->status)) != 0)
        return now;
    return have->transition[0] == '\0' ? now : have->transition;
}

static void write_condition(struct km_json_writer *w, const struct km_condition *c,
                            const char *since, const char *now)
{
    km_json_object(w);
    km_json_kv_str(w, "type", c->type);
    km_json_kv_str(w, "status", km_condition_status_name(c->status));
    km_json_kv_str(w, "lastHeartbeatTime", now);
    km_json_kv_str(w, "lastTransitionTime", since);
    km_json_kv_str(w, "reason", c->reason);
    km_json_kv_str(w, "message", c->message);
    km_json_close(w);
}

/* A condition of an earlier run whose source is gone would stay for ever. */
static void write_pruned(struct km_json_writer *w, const struct km_node *node,
                         const struct node_desired *want)
{
    if (node == NULL || !want->prune || node_condition(node, NODE_DUPLICATE) == NULL)
        return;
    km_json_object(w);
    km_json_kv_str(w, "$patch", "delete");
    km_json_kv_str(w, "type", NODE_DUPLICATE);
    km_json_close(w);
}

static void write_conditions(struct km_json_writer *w, const struct km_node *node,
                             const struct node_desired *want, int64_t wall_us)
{
    char now[KM_TIME_SIZE];
    km_time_rfc3339(wall_us, now, sizeof now);
    km_json_key(w, "conditions");
    km_json_array(w);
    for (size_t i = 0; i < KM_CONDITION_COUNT; i++)
        write_condition(w, &want->conditions[i], transition(node, &want->conditions[i], now), now);
    write_pruned(w, node, want);
    km_json_close(w);
}

static void write_status(struct km_json_writer *w, const struct km_node *node,
                         const struct node_desired *want, int64_t wall_us)
{
    km_json_key(w, "status");
    km_json_object(w);
    write_conditions(w, node, want, wall_us);
    write_addresses(w, want->facts, node != NULL);
    write_resources(w, "capacity", &want->capacity);
    write_resources(w, "allocatable", &want->allocatable);
    write_info(w, want);
    km_json_close(w);
}

int node_write_create(struct km_buf *out, const char *name, const struct node_desired *want,
                      int64_t wall_us)
{
    struct km_json_writer w;
    km_buf_reset(out);
    km_json_writer_init(&w, out);
    km_json_object(&w);
    km_json_kv_str(&w, "apiVersion", "v1");
    km_json_kv_str(&w, "kind", "Node");
    km_json_key(&w, "metadata");
    km_json_object(&w);
    km_json_kv_str(&w, "name", name);
    write_labels(&w, want->labels);
    km_json_close(&w);
    km_json_key(&w, "spec");
    km_json_object(&w);
    write_taints(&w, want->config);
    km_json_close(&w);
    write_status(&w, NULL, want, wall_us);
    km_json_close(&w);
    return km_json_finish(&w);
}

/* With the uid a Node that was deleted and made again under the same name is not written to by mistake. */
static void write_identity(struct km_json_writer *w, const struct km_node *node)
{
    km_json_kv_str(w, "uid", node->f.uid);
}

int node_write_patch(struct km_buf *out, const struct km_node *node,
                     const struct node_desired *want, int64_t wall_us)
{
    struct km_json_writer w;
    km_buf_reset(out);
    km_json_writer_init(&w, out);
    km_json_object(&w);
    km_json_key(&w, "metadata");
    km_json_object(&w);
    write_identity(&w, node);
    write_labels(&w, want->labels);
    km_json_close(&w);
    write_status(&w, node, want, wall_us);
    km_json_close(&w);
    return km_json_finish(&w);
}

int node_write_duplicate(struct km_buf *out, const struct km_node *node,
                         const struct km_facts *facts, int64_t wall_us)
{
    char now[KM_TIME_SIZE];
    struct km_json_writer w;
    struct km_buf message;
    struct km_condition c = {
        .type = NODE_DUPLICATE, .status = KM_CONDITION_TRUE, .reason = "AnotherMachineWrites"};
    km_time_rfc3339(wall_us, now, sizeof now);
    km_buf_init(&message, c.message, sizeof c.message);
    km_buf_puts(&message, "stopped: machine ");
    km_buf_puts(&message, facts->machine_id);
    km_buf_puts(&message, " has this name too");
    km_buf_reset(out);
    km_json_writer_init(&w, out);
    km_json_object(&w);
    km_json_key(&w, "metadata");
    km_json_object(&w);
    write_identity(&w, node);
    km_json_close(&w);
    km_json_key(&w, "status");
    km_json_object(&w);
    km_json_key(&w, "conditions");
    km_json_array(&w);
    write_condition(&w, &c, transition(node, &c, now), now);
    km_json_close(&w);
    km_json_close(&w);
    km_json_close(&w);
    return km_json_finish(&w);
}
