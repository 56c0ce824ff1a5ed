/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "node_priv.h"

const struct km_node_condition *node_condition(const struct km_node *node, const char *type)
{
    for (uint16_t i = 0; i < node->f.conditions_count; i++) {
        if (strcmp(node->f.conditions[i].type, type) == 0)
            return &node->f.conditions[i];
    }
    return NULL;
}

static bool condition_equal(const struct km_node *node, const struct km_condition *want)
{
    const struct km_node_condition *have = node_condition(node, want->type);
    if (have == NULL)
        return false;
    return strcmp(have->status, km_condition_status_name(want->status)) == 0 &&
           strcmp(have->reason, want->reason) == 0 && strcmp(have->message, want->message) == 0;
}

static bool conditions_equal(const struct km_node *node, const struct node_desired *want)
{
    for (size_t i = 0; i < KM_CONDITION_COUNT; i++) {
        if (!condition_equal(node, &want->conditions[i]))
            return false;
    }
    return true;
}

/* A resource that is unknown now ("") stays as it was written when it was known. */
static bool resource_equal(const char *have, const char *want)
{
    return want[0] == '\0' || strcmp(have, want) == 0;
}

static bool resources_equal(const struct km_node *node, const struct node_desired *want)
{
    const struct km_node_fields *f = &node->f;
    return resource_equal(f->capacity_cpu, want->capacity.cpu) &&
           resource_equal(f->capacity_memory, want->capacity.memory) &&
           resource_equal(f->capacity_storage, want->capacity.ephemeral_storage) &&
           resource_equal(f->capacity_pods, want->capacity.pods) &&
           resource_equal(f->allocatable_cpu, want->allocatable.cpu) &&
           resource_equal(f->allocatable_memory, want->allocatable.memory) &&
           resource_equal(f->allocatable_storage, want->allocatable.ephemeral_storage) &&
           resource_equal(f->allocatable_pods, want->allocatable.pods);
}

static bool address_equal(const struct km_node_address *have, const char *type, const char *address)
{
    return strcmp(have->type, type) == 0 && strcmp(have->address, address) == 0;
}

static bool addresses_equal(const struct km_node *node, const struct km_facts *facts)
{
    char text[KM_ADDR_TEXT_SIZE];
    uint16_t n = 0;
    if (node->f.addresses_count != facts->address_count + 1)
        return false;
    for (; n < facts->address_count; n++) {
        km_addr_text(&facts->addresses[n], text, sizeof text);
        if (!address_equal(&node->f.addresses[n], "InternalIP", text))
            return false;
    }
    return address_equal(&node->f.addresses[n], "Hostname", facts->hostname);
}

static bool info_equal(const struct km_node *node, const struct node_desired *want)
{
    const struct km_node_fields *f = &node->f;
    const struct km_facts *facts = want->facts;
    return strcmp(f->machine_id, facts->machine_id) == 0 &&
           strcmp(f->system_uuid, facts->system_uuid) == 0 &&
           strcmp(f->boot_id, facts->boot_id) == 0 &&
           strcmp(f->kernel_version, facts->kernel_version) == 0 &&
           strcmp(f->os_image, facts->os_image) == 0 &&
           strcmp(f->kubelet_version, want->kubelet_version) == 0 &&
           strcmp(f->operating_system, facts->operating_system) == 0 &&
           strcmp(f->architecture, facts->architecture) == 0;
}

/* Label values hold no byte that JSON would escape, so the text between the quotes is the value. */
static bool label_equal(const struct km_node_label *label, const char *raw)
{
    size_t len = strlen(label->value);
    return strlen(raw) == len + 2 && raw[0] == '"' && memcmp(raw + 1, label->value, len) == 0;
}

static bool labels_equal(const struct km_node *node, const struct node_labels *labels)
{
    for (uint16_t i = 0; i < labels->count; i++) {
        if (!label_equal(&labels->items[i], node->labels[i]))
            return false;
    }
    return true;
}

const char *node_difference(const struct km_node *node, const struct node_desired *want)
{
    if (!conditions_equal(node, want))
        return "conditions";
    if (!addresses_equal(node, want->facts))
        return "addresses";
    if (!resources_equal(node, want))
        return "resources";
    if (!info_equal(node, want))
        return "nodeInfo";
    if (!labels_equal(node, want->labels))
        return "labels";
    if (want->prune && node_condition(node, NODE_DUPLICATE) != NULL)
        return "stale condition";
    return NULL;
}
