/* SPDX-License-Identifier: Apache-2.0 */
/* Writes to the tests' server: nodes, leases, pods, events; what the real one refuses, and what the agent should not send. */
#include "fake_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_NAMESPACE "kube-node-lease"

/* ---- the writes, for comparing two runs ---- */

static void blank_times(struct doc *d)
{
    static const char *const times[] = {"lastHeartbeatTime", "lastTransitionTime", "renewTime",
                                        "eventTime", "resourceVersion"};

    for (struct doc *child = d->first; child != NULL; child = child->next) {
        for (size_t i = 0;
             child->key != NULL && child->text != NULL && i < sizeof times / sizeof times[0]; i++) {
            if (strcmp(child->key, times[i]) == 0)
                child->text[0] = '\0';
        }
        blank_times(child);
    }
}

static void note_write(const struct km_sim_request *rq, const struct doc *body)
{
    struct doc *copy = doc_copy(body);
    char *text;

    blank_times(copy);
    if (doc_find(copy, "/eventTime") != NULL)
        doc_drop(copy, "/metadata/name");
    text = doc_print(copy);
    for (const char *c = rq->target; *c != '\0'; c++)
        api.writes_hash = (api.writes_hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    for (const char *c = text; *c != '\0'; c++)
        api.writes_hash = (api.writes_hash ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    api.writes++;
    free(text);
    doc_free(copy);
}

/* ---- checks ---- */

static void check_time(const struct doc *d, const char *path, bool micro)
{
    const char *text = doc_text(d, path);
    int64_t us;
    size_t want = micro ? strlen("2026-01-31T23:59:59.000000Z") : strlen("2026-01-31T23:59:59Z");

    if (strlen(text) != want || km_time_parse(km_slice_of(text), &us) != KM_OK)
        api_complain("%s is \"%s\"", path, text);
}

static bool is_own_condition(const char *type)
{
    static const char *const own[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure",
                                      "kubemote.io/DuplicateNode"};

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (strcmp(type, own[i]) == 0)
            return true;
    }
    return false;
}

static void check_conditions(const struct doc *before, const struct doc *patch)
{
    const struct doc *list = doc_find(patch, "/status/conditions");

    for (const struct doc *c = list == NULL ? NULL : list->first; c != NULL; c = c->next) {
        const struct doc *had;

        if (!is_own_condition(doc_text(c, "/type")))
            api_complain("the condition \"%s\" of others is written", doc_text(c, "/type"));
        if (doc_find(c, "/$patch") != NULL)
            continue;
        check_time(c, "/lastHeartbeatTime", false);
        check_time(c, "/lastTransitionTime", false);
        if (doc_text(c, "/type")[0] == '\0' || doc_text(c, "/status")[0] == '\0' ||
            doc_text(c, "/reason")[0] == '\0')
            api_complain("a condition without type, status or reason");
        had = before == NULL
                  ? NULL
                  : doc_element(before, "/status/conditions", "type", doc_text(c, "/type"));
        if (had != NULL && strcmp(doc_text(had, "/status"), doc_text(c, "/status")) == 0 &&
            strcmp(doc_text(had, "/lastTransitionTime"), doc_text(c, "/lastTransitionTime")) != 0)
            api_complain("%s did not flip, but its transition time moved from %s to %s",
                         doc_text(c, "/type"), doc_text(had, "/lastTransitionTime"),
                         doc_text(c, "/lastTransitionTime"));
        if (had != NULL && strcmp(doc_text(had, "/status"), doc_text(c, "/status")) != 0 &&
            strcmp(doc_text(c, "/lastHeartbeatTime"), doc_text(c, "/lastTransitionTime")) != 0)
            api_complain("%s flipped, but its transition time is not now", doc_text(c, "/type"));
    }
}

static void check_info(const struct doc *node)
{
    static const char *const required[] = {
        "machineID",      "systemUUID",       "bootID",
        "kernelVersion",  "osImage",          "containerRuntimeVersion",
        "kubeletVersion", "kubeProxyVersion", "operatingSystem",
        "architecture",
    };
    char path[64];

    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        (void)snprintf(path, sizeof path, "/status/nodeInfo/%s", required[i]);
        if (doc_find(node, path) == NULL)
            api_complain("the Node has no %s", path);
    }
    if (strncmp(doc_text(node, "/status/nodeInfo/kubeletVersion"), "v1.36.", 6) != 0)
        api_complain("kubeletVersion is \"%s\"", doc_text(node, "/status/nodeInfo/kubeletVersion"));
}

static void check_addresses(const struct doc *node)
{
    const struct doc *list = doc_find(node, "/status/addresses");

    for (const struct doc *a = list == NULL ? NULL : list->first; a != NULL; a = a->next) {
        for (const struct doc *b = a->next; b != NULL; b = b->next) {
            if (strcmp(doc_text(a, "/type"), doc_text(b, "/type")) == 0 &&
                strcmp(doc_text(a, "/address"), doc_text(b, "/address")) == 0)
                api_complain("the address %s stands twice", doc_text(a, "/address"));
        }
    }
}

static void check_labels(const struct doc *metadata)
{
    static const char *const free_keys[] = {
        "kubernetes.io/arch", "kubernetes.io/os", "kubernetes.io/hostname",
        "topology.kubernetes.io/region", "topology.kubernetes.io/zone"};
    const struct doc *labels = doc_find(metadata, "/labels");

    for (const struct doc *l = labels == NULL ? NULL : labels->first; l != NULL; l = l->next) {
        bool allowed =
            strstr(l->key, "k8s.io/") == NULL && strstr(l->key, "kubernetes.io/") == NULL;

        allowed = allowed || strncmp(l->key, "node.kubernetes.io/", 19) == 0;
        for (size_t i = 0; i < sizeof free_keys / sizeof free_keys[0]; i++)
            allowed = allowed || strcmp(l->key, free_keys[i]) == 0;
        if (!allowed)
            api_complain("a node may not set the label %s", l->key);
    }
}

/* ---- nodes ---- */

static void create_node(const struct km_sim_request *rq, struct doc *body)
{
    if (strcmp(doc_text(body, "/kind"), "Node") != 0 ||
        strcmp(doc_text(body, "/metadata/name"), API_NODE) != 0) {
        api_complain("a Node named %s is created", doc_text(body, "/metadata/name"));
        api_refuse(rq->conn_id, 403, "Forbidden", "node is not allowed to modify other nodes", 0);
        return;
    }
    if (api_node() != NULL) {
        api_refuse(rq->conn_id, 409, "AlreadyExists", "nodes \\\"" API_NODE "\\\" already exists",
                   0);
        return;
    }
    check_labels(doc_find(body, "/metadata"));
    check_conditions(NULL, body);
    check_info(body);
    check_addresses(body);
    if (doc_find(body, "/spec/taints") == NULL)
        doc_put_json(body, "/spec/taints", "[]");
    /* Admission: no Node starts without this taint; the controller takes it off when the Node is Ready. */
    doc_put_json(body, "/spec/taints/9",
                 "{\"key\":\"node.kubernetes.io/not-ready\",\"effect\":\"NoSchedule\"}");
    doc_put_json(
        body, "/metadata/managedFields",
        "[{\"manager\":\"kubemote\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"fieldsType\":"
        "\"FieldsV1\","
        "\"fieldsV1\":{\"f:metadata\":{\"f:labels\":{\".\":{},\"f:kubernetes.io/arch\":{}}}}}]");
    api_answer_object(rq, 201, api_create(API_NODES, "", API_NODE, doc_copy(body))->doc);
}

static void patch_node(const struct km_sim_request *rq, struct doc *patch)
{
    struct api_object *o = api_find(API_NODES, "", API_NODE);
    struct doc *next;

    if (o == NULL) {
        api_refuse(rq->conn_id, 404, "NotFound", "nodes \\\"" API_NODE "\\\" not found", 0);
        return;
    }
    if (doc_find(patch, "/metadata/uid") == NULL)
        api_complain("a status patch without uid");
    else if (strcmp(doc_text(patch, "/metadata/uid"), doc_text(o->doc, "/metadata/uid")) != 0) {
        api_refuse(rq->conn_id, 409, "Conflict",
                   "Precondition failed: UID in precondition differs from UID in object meta", 0);
        return;
    }
    if (doc_find(patch, "/status/addresses") != NULL &&
        doc_element(patch, "/status/addresses", "$patch", "replace") == NULL)
        api_complain("addresses are merged, so that stale ones stay");
    if (doc_find(patch, "/spec") != NULL)
        api_complain("a status patch with a spec");
    check_labels(doc_find(patch, "/metadata"));
    if (api.is_up_to_date == NULL || api.is_up_to_date())
        check_conditions(o->doc, patch);
    next = doc_copy(o->doc);
    doc_strategic(next, patch);
    check_info(next);
    check_addresses(next);
    api_store(o, next);
    api_answer_object(rq, 200, o->doc);
}

/* ---- leases ---- */

static void check_lease(const struct doc *lease)
{
    check_time(lease, "/spec/renewTime", true);
    if (strcmp(doc_text(lease, "/spec/holderIdentity"), API_NODE) != 0)
        api_complain("the lease's holder is \"%s\"", doc_text(lease, "/spec/holderIdentity"));
    if (strcmp(doc_text(lease, "/spec/leaseDurationSeconds"), "40") != 0)
        api_complain("the lease lasts %s s", doc_text(lease, "/spec/leaseDurationSeconds"));
}

bool api_lease_is_owned(const struct doc *lease)
{
    const struct doc *node = api_node();

    return node != NULL && doc_element(lease, "/metadata/ownerReferences", "uid",
                                       doc_text(node, "/metadata/uid")) != NULL;
}

static void create_lease(const struct km_sim_request *rq, const struct doc *body)
{
    if (api_lease() != NULL) {
        api_refuse(rq->conn_id, 409, "AlreadyExists", "leases \\\"" API_NODE "\\\" already exists",
                   0);
        return;
    }
    if (strcmp(doc_text(body, "/metadata/name"), API_NODE) != 0)
        api_complain("a lease named %s is created", doc_text(body, "/metadata/name"));
    if (doc_count(body, "/metadata/ownerReferences") == 0)
        api_complain("a lease without owner is created");
    check_lease(body);
    api.renewed_ms = km_port_now_ms();
    api_answer_object(rq, 201,
                      api_create(API_LEASES, LEASE_NAMESPACE, API_NODE, doc_copy(body))->doc);
}

static void patch_lease(const struct km_sim_request *rq, const struct doc *patch)
{
    struct api_object *o = api_find(API_LEASES, LEASE_NAMESPACE, API_NODE);
    struct doc *next;

    if (o == NULL) {
        api_refuse(rq->conn_id, 404, "NotFound", "leases \\\"" API_NODE "\\\" not found", 0);
        return;
    }
    if (strcmp(doc_text(patch, "/metadata/resourceVersion"),
               doc_text(o->doc, "/metadata/resourceVersion")) != 0) {
        api_refuse(rq->conn_id, 409, "Conflict", "the object has been modified", 0);
        return;
    }
    next = doc_copy(o->doc);
    doc_merge(next, patch);
    check_lease(next);
    if (!api.node_was_swapped && !api_lease_is_owned(next))
        api_complain("a lease is renewed that its Node does not own");
    api_store(o, next);
    api.renewed_ms = km_port_now_ms();
    api_answer_object(rq, 200, o->doc);
}

/* ---- pods and events ---- */

static void delete_pod(const struct km_sim_request *rq, const struct doc *options)
{
    char ns[64] = "", name[254] = "";
    struct api_object *o;

    if (sscanf(rq->target, "/api/v1/namespaces/%63[^/]/pods/%253[^/?]", ns, name) != 2)
        api_complain("a pod is deleted at %s", rq->target);
    o = api_find(API_PODS, ns, name);
    if (options == NULL || strcmp(doc_text(options, "/gracePeriodSeconds"), "0") != 0 ||
        doc_text(options, "/preconditions/uid")[0] == '\0') {
        api_complain("a pod is deleted without grace 0 and uid");
        api_refuse(rq->conn_id, 403, "Forbidden", "grace period required", 0);
    } else if (o == NULL) {
        api_refuse(rq->conn_id, 404, "NotFound", "pods not found", 0);
    } else if (strcmp(doc_text(options, "/preconditions/uid"), doc_text(o->doc, "/metadata/uid")) !=
               0) {
        api_refuse(rq->conn_id, 409, "Conflict", "the UID in the precondition differs", 0);
    } else if (doc_text(options, "/preconditions/resourceVersion")[0] != '\0' &&
               strcmp(doc_text(options, "/preconditions/resourceVersion"),
                      doc_text(o->doc, "/metadata/resourceVersion")) != 0) {
        api_refuse(rq->conn_id, 409, "Conflict", "the ResourceVersion in the precondition differs",
                   0);
    } else {
        if (doc_find(o->doc, "/metadata/deletionTimestamp") == NULL)
            api_complain("a pod is deleted that nobody wanted deleted: %s/%s", ns, name);
        if (doc_count(o->doc, "/metadata/finalizers") > 0) {
            struct doc *held = doc_copy(o->doc);

            doc_put_json(held, "/metadata/deletionGracePeriodSeconds", "0");
            api_store(o, held);
            api_answer_object(rq, 200, o->doc);
            return;
        }
        api_answer_object(rq, 200, o->doc);
        api_remove(o);
    }
}

static void patch_event(const struct km_sim_request *rq, const struct doc *patch)
{
    if (doc_find(patch, "/series/count") == NULL || doc_find(patch, "/note") != NULL)
        api_complain("an event is patched with %.100s", rq->body.ptr);
    check_time(patch, "/series/lastObservedTime", true);
    api_answer_object(rq, 200, patch);
}

static void create_event(const struct km_sim_request *rq, const struct doc *event)
{
    static const char *const required[] = {
        "/metadata/name",     "/action", "/reason",        "/type", "/reportingController",
        "/reportingInstance", "/note",   "/regarding/name"};

    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        if (doc_text(event, required[i])[0] == '\0')
            api_complain("an event without %s", required[i]);
    }
    check_time(event, "/eventTime", true);
    (void)snprintf(api.last_event, sizeof api.last_event, "%s", doc_text(event, "/reason"));
    api.events++;
    api_answer_object(rq, 201, event);
}

/* ---- which ---- */

static const char *wanted_type(const struct km_sim_request *rq, enum api_call call)
{
    if (call == API_NODE_PATCH || (call == API_EVENT && strcmp(rq->method, "PATCH") == 0))
        return "application/strategic-merge-patch+json";
    return call == API_LEASE_PATCH ? "application/merge-patch+json" : "application/json";
}

void api_write_serve(const struct km_sim_request *rq, enum api_call call)
{
    struct doc *body = doc_parse(rq->body.ptr, rq->body.len);
    char type[80] = "";

    (void)km_sim_request_header(rq, "Content-Type", type, sizeof type);
    if (body == NULL || strcmp(type, wanted_type(rq, call)) != 0) {
        api_complain("%s with type \"%s\" and the body %.60s", api_call_name(call), type,
                     rq->body.ptr);
        api_refuse(rq->conn_id, body == NULL ? 400 : 415, "UnsupportedMediaType", "no", 0);
        if (body != NULL)
            doc_free(body);
        return;
    }
    note_write(rq, body);
    if (call == API_NODE_CREATE)
        create_node(rq, body);
    else if (call == API_NODE_PATCH)
        patch_node(rq, body);
    else if (call == API_LEASE_CREATE)
        create_lease(rq, body);
    else if (call == API_LEASE_PATCH)
        patch_lease(rq, body);
    else if (call == API_POD_DELETE)
        delete_pod(rq, body);
    else if (strcmp(rq->method, "PATCH") == 0)
        patch_event(rq, body);
    else
        create_event(rq, body);
    doc_free(body);
}
