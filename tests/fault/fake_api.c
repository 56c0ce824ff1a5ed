/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the tests' server: which call it is, faults, writes, and what to complain of. */
#include "fake_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 1000
#define LEASE_NAMESPACE "kube-node-lease"

struct api api;

static const char *const call_names[] = {
    [API_VERSION] = "read version",
    [API_NODE_CREATE] = "create node",
    [API_NODE_GET] = "get node",
    [API_NODE_PATCH] = "patch node status",
    [API_NODE_LIST] = "list nodes",
    [API_NODE_STREAM] = "stream nodes",
    [API_NODE_WATCH] = "watch nodes",
    [API_POD_LIST] = "list pods",
    [API_POD_STREAM] = "stream pods",
    [API_POD_WATCH] = "watch pods",
    [API_POD_DELETE] = "delete pod",
    [API_LEASE_GET] = "get lease",
    [API_LEASE_CREATE] = "create lease",
    [API_LEASE_PATCH] = "patch lease",
    [API_EVENT] = "create event",
    [API_OTHER] = "something else",
    [API_ALL] = "all",
};

static bool muted;

const char *api_call_name(enum api_call call)
{
    return call_names[call];
}

const char *api_kind_name(enum api_kind kind)
{
    static const char *const names[] = {
        [API_NODES] = "nodes", [API_PODS] = "pods", [API_LEASES] = "leases"};

    return names[kind];
}

void api_answer(int conn_id, int code, const char *body)
{
    if (!muted)
        (void)km_sim_http_reply(conn_id, code, "application/json", body);
}

void api_refuse(int conn_id, int code, const char *reason, const char *message, int retry_after_s)
{
    char body[768], header[96] = "";

    if (muted)
        return;
    if (retry_after_s > 0)
        (void)snprintf(header, sizeof header, "Retry-After: %d\r\n", retry_after_s);
    if (reason[0] == '\0') {
        (void)km_sim_http_reply_with(conn_id, code, header, "<html>sorry</html>\n");
        return;
    }
    (void)snprintf(header + strlen(header), sizeof header - strlen(header),
                   "Content-Type: application/json\r\n");
    (void)snprintf(body, sizeof body,
                   "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                   "\"Failure\",\"message\":\"%s\",\"reason\":"
                   "\"%s\",\"details\":{\"retryAfterSeconds\":%d},\"code\":%d}\n",
                   message, reason, retry_after_s, code);
    (void)km_sim_http_reply_with(conn_id, code, header, body);
}

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

static void check_conditions(const struct doc *before, const struct doc *patch)
{
    const struct doc *list = doc_find(patch, "/status/conditions");

    for (const struct doc *c = list == NULL ? NULL : list->first; c != NULL; c = c->next) {
        const struct doc *had;

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

/* ---- answers with objects ---- */

static bool wants_metadata_only(const struct km_sim_request *rq)
{
    char accept[160] = "";

    (void)km_sim_request_header(rq, "Accept", accept, sizeof accept);
    return strstr(accept, "as=PartialObjectMetadata") != NULL;
}

static void answer_object(const struct km_sim_request *rq, int code, const struct doc *object)
{
    struct doc *partial = NULL;
    char *text;

    if (wants_metadata_only(rq)) {
        partial = doc_of("{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/v1\"}");
        doc_put(partial, "/metadata", doc_copy(doc_find(object, "/metadata")));
    }
    text = doc_print(partial != NULL ? partial : object);
    api_answer(rq->conn_id, code, text);
    free(text);
    if (partial != NULL)
        doc_free(partial);
}

static void answer_found(const struct km_sim_request *rq, const struct api_object *o,
                         const char *what)
{
    if (o != NULL)
        answer_object(rq, 200, o->doc);
    else
        api_refuse(rq->conn_id, 404, "NotFound", what, 0);
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
    answer_object(rq, 201, api_create(API_NODES, "", API_NODE, doc_copy(body))->doc);
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
    if (doc_find(patch, "/spec") != NULL)
        api_complain("a status patch with a spec");
    check_labels(doc_find(patch, "/metadata"));
    check_conditions(o->doc, patch);
    next = doc_copy(o->doc);
    doc_strategic(next, patch);
    check_info(next);
    check_addresses(next);
    api_store(o, next);
    answer_object(rq, 200, o->doc);
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

static bool is_owned(const struct doc *lease)
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
    answer_object(rq, 201, api_create(API_LEASES, LEASE_NAMESPACE, API_NODE, doc_copy(body))->doc);
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
    if (!is_owned(next))
        api_complain("a lease is renewed that its Node does not own");
    api_store(o, next);
    api.renewed_ms = km_port_now_ms();
    answer_object(rq, 200, o->doc);
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
    } else {
        if (doc_find(o->doc, "/metadata/deletionTimestamp") == NULL)
            api_complain("a pod is deleted that nobody wanted deleted: %s/%s", ns, name);
        answer_object(rq, 200, o->doc);
        api_remove(o);
    }
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
    answer_object(rq, 201, event);
}

/* ---- routing ---- */

static bool path_is(const struct km_sim_request *rq, const char *path)
{
    size_t len = strlen(path);

    return strncmp(rq->target, path, len) == 0 &&
           (rq->target[len] == '\0' || rq->target[len] == '?');
}

static enum api_call collection_call(const struct km_sim_request *rq, enum api_call list)
{
    char text[8];

    if (!api_query(rq, "watch", text, sizeof text))
        return list;
    /* list, stream, watch stand in this order. */
    return (enum api_call)(list + (api_query(rq, "sendInitialEvents", text, sizeof text) ? 1 : 2));
}

static enum api_call call_of(const struct km_sim_request *rq)
{
    const char *method = rq->method;
    bool get = strcmp(method, "GET") == 0, post = strcmp(method, "POST") == 0,
         patch = strcmp(method, "PATCH") == 0;
    const char *leases = "/apis/coordination.k8s.io/v1/namespaces/" LEASE_NAMESPACE "/leases";

    if (get && path_is(rq, "/version"))
        return API_VERSION;
    if (post && path_is(rq, "/api/v1/nodes"))
        return API_NODE_CREATE;
    if (get && path_is(rq, "/api/v1/nodes/" API_NODE))
        return API_NODE_GET;
    if (patch && path_is(rq, "/api/v1/nodes/" API_NODE "/status"))
        return API_NODE_PATCH;
    if (get && path_is(rq, "/api/v1/nodes"))
        return collection_call(rq, API_NODE_LIST);
    if (get && path_is(rq, "/api/v1/pods"))
        return collection_call(rq, API_POD_LIST);
    if (strcmp(method, "DELETE") == 0 && strncmp(rq->target, "/api/v1/namespaces/", 19) == 0)
        return API_POD_DELETE;
    if (get &&
        path_is(rq, "/apis/coordination.k8s.io/v1/namespaces/" LEASE_NAMESPACE "/leases/" API_NODE))
        return API_LEASE_GET;
    if (post && path_is(rq, leases))
        return API_LEASE_CREATE;
    if (patch &&
        path_is(rq, "/apis/coordination.k8s.io/v1/namespaces/" LEASE_NAMESPACE "/leases/" API_NODE))
        return API_LEASE_PATCH;
    if (post && path_is(rq, "/apis/events.k8s.io/v1/namespaces/default/events"))
        return API_EVENT;
    return API_OTHER;
}

static const char *wanted_type(enum api_call call)
{
    if (call == API_NODE_PATCH)
        return "application/strategic-merge-patch+json";
    return call == API_LEASE_PATCH ? "application/merge-patch+json" : "application/json";
}

static bool is_write(enum api_call call)
{
    return call == API_NODE_CREATE || call == API_NODE_PATCH || call == API_POD_DELETE ||
           call == API_LEASE_CREATE || call == API_LEASE_PATCH || call == API_EVENT;
}

static void serve_write(const struct km_sim_request *rq, enum api_call call)
{
    struct doc *body = doc_parse(rq->body.ptr, rq->body.len);
    char type[80] = "";

    (void)km_sim_request_header(rq, "Content-Type", type, sizeof type);
    if (body == NULL || strcmp(type, wanted_type(call)) != 0) {
        api_complain("%s with type \"%s\" and the body %.60s", call_names[call], type,
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
    else
        create_event(rq, body);
    doc_free(body);
}

static void serve(const struct km_sim_request *rq, enum api_call call)
{
    if (is_write(call)) {
        serve_write(rq, call);
        return;
    }
    switch (call) {
    case API_VERSION:
        api_answer(rq->conn_id, 200,
                   "{\n  \"major\": \"1\",\n  \"minor\": \"36\",\n  \"gitVersion\": \"v1.36.3\",\n "
                   " \"platform\": "
                   "\"linux/amd64\"\n}");
        return;
    case API_NODE_GET:
        answer_found(rq, api_find(API_NODES, "", API_NODE), "nodes \\\"" API_NODE "\\\" not found");
        return;
    case API_LEASE_GET:
        answer_found(rq, api_find(API_LEASES, LEASE_NAMESPACE, API_NODE),
                     "leases \\\"" API_NODE "\\\" not found");
        return;
    case API_NODE_LIST:
    case API_POD_LIST:
        api_list_serve(rq, call == API_NODE_LIST ? API_NODES : API_PODS);
        return;
    case API_NODE_STREAM:
    case API_NODE_WATCH:
        api_watch_serve(rq, API_NODES, call);
        return;
    case API_POD_STREAM:
    case API_POD_WATCH:
        api_watch_serve(rq, API_PODS, call);
        return;
    default:
        api_complain("%s %s", rq->method, rq->target);
        api_refuse(rq->conn_id, 404, "NotFound", "the server could not find the requested resource",
                   0);
        return;
    }
}

/* ---- from the wire ---- */

static bool check_head(const struct km_sim_request *rq)
{
    char value[256] = "", want[256];

    if (!km_sim_request_header(rq, "Host", value, sizeof value) ||
        strcmp(value, API_HOST ":6443") != 0)
        api_complain("Host: %s", value);
    if (!km_sim_request_header(rq, "User-Agent", value, sizeof value) ||
        strncmp(value, "kubemote/", 9) != 0)
        api_complain("User-Agent: %s", value);
    value[0] = '\0';
    (void)km_sim_request_header(rq, "Authorization", value, sizeof value);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(want, sizeof want, "Bearer %s", i == 0 ? api.token : api.next_token);
        if (want[7] != '\0' && strcmp(value, want) == 0)
            return true;
    }
    api_refuse(rq->conn_id, 401, "Unauthorized", "Unauthorized", 0);
    return false;
}

static bool fails(const struct km_sim_request *rq, enum api_call call)
{
    struct api_fault *f = &api.faults[call];

    if (f->times == 0)
        return false;
    if (f->times != UINT32_MAX)
        f->times--;
    api_refuse(rq->conn_id, f->code, f->reason, "a scripted failure", f->retry_after_s);
    return true;
}

void api_fail(enum api_call call, unsigned times, int code, const char *reason, int retry_after_s)
{
    for (enum api_call c = 0; c < API_CALL_COUNT; c++) {
        if (call == API_ALL || call == c)
            api.faults[c] = (struct api_fault){times, code, reason, retry_after_s};
    }
}

static void handle_now(const struct km_sim_request *rq, enum api_call call)
{
    enum api_verdict verdict = api.hook != NULL ? api.hook(rq, call) : API_SERVE;

    if (verdict == API_TAKEN || fails(rq, call) || !check_head(rq))
        return;
    muted = verdict == API_MUTE;
    serve(rq, call);
    muted = false;
}

/* A request that waits. */
struct waiting {
    struct km_sim_request rq;
    enum api_call call;
    char *text[3];
    struct waiting *next;
};

static struct waiting *waiting;

static void free_waiting(struct waiting *w)
{
    for (size_t i = 0; i < 3; i++)
        free(w->text[i]);
    free(w);
}

static void on_waited(void *ctx)
{
    struct waiting *w = ctx, **place = &waiting;

    while (*place != w)
        place = &(*place)->next;
    *place = w->next;
    handle_now(&w->rq, w->call);
    free_waiting(w);
}

static char *keep(const char *text, size_t len)
{
    char *copy = malloc(len + 1);

    if (copy == NULL)
        abort();
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static void wait_with(const struct km_sim_request *rq, enum api_call call)
{
    struct waiting *w = calloc(1, sizeof *w);

    if (w == NULL)
        abort();
    w->rq = *rq;
    w->call = call;
    w->rq.target = w->text[0] = keep(rq->target, strlen(rq->target));
    w->rq.head = w->text[1] = keep(rq->head, strlen(rq->head));
    w->rq.body.ptr = w->text[2] = keep(rq->body.ptr, rq->body.len);
    w->next = waiting;
    waiting = w;
    (void)km_sim_after(api.delay_ms[call], on_waited, w);
}

static void handle(void *ctx, const struct km_sim_request *rq)
{
    enum api_call call = call_of(rq);

    (void)ctx;
    api.requests++;
    api.calls[call]++;
    api.requested_ms[call] = km_port_now_ms();
    if (api.delay_ms[call] > 0)
        wait_with(rq, call);
    else
        handle_now(rq, call);
}

static void on_tick(void *ctx)
{
    (void)ctx;
    api_watch_tick();
    api_controller_tick();
    (void)km_sim_after(TICK_MS, on_tick, NULL);
}

void api_listen(const char *ip)
{
    km_sim_http_listen(ip, API_PORT, handle, NULL);
}

void api_reset(void)
{
    api_close();
    while (waiting != NULL) {
        struct waiting *w = waiting;

        waiting = w->next;
        free_waiting(w);
    }
    api = (struct api){.rv = 100, .compacted = 100, .grace_ms = 50000, .token = API_TOKEN, .next_token = ""};
    muted = false;
    api_watch_reset();
    api_controller_reset();
    km_sim_dns(API_HOST, API_IP);
    api_listen(API_IP);
    (void)km_sim_after(TICK_MS, on_tick, NULL);
}
