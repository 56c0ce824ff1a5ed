/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the tests' server: which call it is, scripted failures, delays, answers. */
#include "fake_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS "/apis/events.k8s.io/v1/namespaces/default/events"
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

/* ---- answers with objects ---- */

static bool wants_metadata_only(const struct km_sim_request *rq)
{
    char accept[160] = "";

    (void)km_sim_request_header(rq, "Accept", accept, sizeof accept);
    return strstr(accept, "as=PartialObjectMetadata") != NULL;
}

void api_answer_object(const struct km_sim_request *rq, int code, const struct doc *object)
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
        api_answer_object(rq, 200, o->doc);
    else
        api_refuse(rq->conn_id, 404, "NotFound", what, 0);
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
    if (post && path_is(rq, EVENTS))
        return API_EVENT;
    if (patch && strncmp(rq->target, EVENTS "/", sizeof EVENTS) == 0)
        return API_EVENT; /* of its series */
    return API_OTHER;
}

static bool is_write(enum api_call call)
{
    return call == API_NODE_CREATE || call == API_NODE_PATCH || call == API_POD_DELETE ||
           call == API_LEASE_CREATE || call == API_LEASE_PATCH || call == API_EVENT;
}

static void serve(const struct km_sim_request *rq, enum api_call call)
{
    if (is_write(call)) {
        api_write_serve(rq, call);
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
    if (api.token == NULL)
        return true;
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
    api.waited = true;
    handle_now(&w->rq, w->call);
    api.waited = false;
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
    api = (struct api){
        .rv = 100, .compacted = 100, .grace_ms = 50000, .token = API_TOKEN, .next_token = ""};
    muted = false;
    api_watch_reset();
    api_controller_reset();
    km_sim_dns(API_HOST, API_IP);
    api_listen(API_IP);
    (void)km_sim_after(TICK_MS, on_tick, NULL);
}
