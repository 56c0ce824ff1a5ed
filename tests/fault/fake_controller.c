/* SPDX-License-Identifier: Apache-2.0 */
/* The controllers of the tests' cluster: node lifecycle (Unknown after silence, taints) and garbage collection of leases. */
#include <stdio.h>
#include <string.h>

#include "fake_api.h"

#define PERIOD_MS 5000
#define NOT_READY "node.kubernetes.io/not-ready"
#define UNREACHABLE "node.kubernetes.io/unreachable"

static int64_t next_ms, alive_ms;
static char renewed[40], heartbeat[40], node_uid[64];

void api_controller_reset(void)
{
    next_ms = 0;
    alive_ms = 0;
    renewed[0] = heartbeat[0] = node_uid[0] = '\0';
}

/* Anything new from the node counts, whatever its clock says. */
static bool heard(const struct doc *node)
{
    const struct doc *lease = api_lease();
    const char *renew_time = lease == NULL ? "" : doc_text(lease, "/spec/renewTime");
    const char *beat = api_condition("Ready", "lastHeartbeatTime"),
               *uid = doc_text(node, "/metadata/uid");
    bool news = strcmp(renewed, renew_time) != 0 || strcmp(heartbeat, beat) != 0 ||
                strcmp(node_uid, uid) != 0;

    (void)snprintf(renewed, sizeof renewed, "%s", renew_time);
    (void)snprintf(heartbeat, sizeof heartbeat, "%s", beat);
    (void)snprintf(node_uid, sizeof node_uid, "%s", uid);
    return news;
}

static void put_condition(struct doc *node, const char *type)
{
    struct doc *c = doc_element(node, "/status/conditions", "type", type);
    char stamp[KM_TIME_SIZE];

    if (c == NULL || strcmp(doc_text(c, "/status"), "Unknown") == 0)
        return;
    api_stamp(stamp);
    doc_put_text(c, "/status", "Unknown");
    doc_put_text(c, "/reason", "NodeStatusUnknown");
    doc_put_text(c, "/message", "Kubelet stopped posting node status.");
    doc_put_text(c, "/lastTransitionTime", stamp);
}

static void set_taint(struct doc *node, const char *key, bool wanted)
{
    const struct doc *taint = doc_element(node, "/spec/taints", "key", key);
    char path[64], json[160];
    size_t index = 0;

    if ((taint != NULL) == wanted)
        return;
    if (wanted) {
        if (doc_find(node, "/spec/taints") == NULL)
            doc_put_json(node, "/spec/taints", "[]");
        (void)snprintf(json, sizeof json, "{\"key\":\"%s\",\"effect\":\"NoSchedule\"}", key);
        doc_put_json(node, "/spec/taints/99", json);
        return;
    }
    for (const struct doc *t = doc_find(node, "/spec/taints")->first; t != taint; t = t->next)
        index++;
    (void)snprintf(path, sizeof path, "/spec/taints/%zu", index);
    doc_drop(node, path);
}

static void look_at_node(void)
{
    static const char *const types[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};
    struct api_object *o = api_find(API_NODES, "", API_NODE);
    struct doc *next;
    const struct doc *ready;

    if (o == NULL)
        return;
    if (heard(o->doc))
        alive_ms = km_port_now_ms();
    next = doc_copy(o->doc);
    if (km_port_now_ms() - alive_ms > api.grace_ms) {
        if (strcmp(api_condition("Ready", "status"), "Unknown") != 0)
            api.went_unknown++;
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
            put_condition(next, types[i]);
    }
    ready = doc_element(next, "/status/conditions", "type", "Ready");
    set_taint(next, NOT_READY, ready == NULL || strcmp(doc_text(ready, "/status"), "False") == 0);
    set_taint(next, UNREACHABLE,
              ready != NULL && strcmp(doc_text(ready, "/status"), "Unknown") == 0);
    api_store(o, next);
}

/* A lease whose owner is gone goes too. */
static void collect_garbage(void)
{
    const struct doc *lease = api_lease(), *node = api_node();
    const char *uid = node == NULL ? "" : doc_text(node, "/metadata/uid");

    if (lease == NULL || doc_count(lease, "/metadata/ownerReferences") == 0)
        return;
    if (doc_element(lease, "/metadata/ownerReferences", "uid", uid) == NULL)
        api_delete(API_LEASES, "kube-node-lease", API_NODE);
}

void api_controller_tick(void)
{
    if (api.grace_ms == 0 || km_port_now_ms() < next_ms)
        return;
    next_ms = km_port_now_ms() + PERIOD_MS;
    look_at_node();
    collect_garbage();
}
