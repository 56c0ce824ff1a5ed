/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing runs pods here, so nothing but us can tell the server that a pod which was bound to this node has ended: without
 * that it stays Terminating for ever and holds its namespace.
 */
#include <string.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_log.h"
#include "node_priv.h"

KM_KIND_TABLE(pod, "Pod", KM_POD_FIELDS)

/* The version too: a server whose store became an older copy has the pod of that uid, but nobody there deleted it. */
static int write_body(struct km_buf *out, const struct km_pod *pod)
{
    struct km_json_writer w;
    km_buf_reset(out);
    km_json_writer_init(&w, out);
    km_json_object(&w);
    km_json_kv_str(&w, "apiVersion", "v1");
    km_json_kv_str(&w, "kind", "DeleteOptions");
    km_json_kv_i64(&w, "gracePeriodSeconds", 0);
    km_json_key(&w, "preconditions");
    km_json_object(&w);
    km_json_kv_str(&w, "uid", pod->uid);
    km_json_kv_str(&w, "resourceVersion", pod->rv);
    km_json_close(&w);
    km_json_close(&w);
    return km_json_finish(&w);
}

static bool must_finish(const struct agent *a, const struct km_pod *pod)
{
    if (pod == NULL || !a->config->finish_pods || a->stopping || a->silenced)
        return false;
    return pod->deleted[0] != '\0' && strcmp(pod->grace, "0") != 0;
}

static void finish(struct agent *a, enum km_result result)
{
    km_controller_finish(&a->pod_ctl, a->finisher.key, result, 0);
}

static void on_done(struct km_request *request, int err)
{
    struct agent *a = request->ctx;
    const struct km_pod *pod = km_cache_get(a->pods.cache, a->finisher.key);
    const char *ns = pod != NULL ? pod->ns : "";
    const char *name = pod != NULL ? pod->name : "";
    if (err == KM_OK) {
        a->finisher.finished.value++;
        KM_INFO("Finished the deletion of a pod that was bound here", KM_OBJ("pod", ns, name));
        /* The watch tells that it is gone; should it not, the server is asked once more. */
        finish(a, KM_BACK_OFF);
        return;
    }
    /* Gone, or another pod of that name by now: the watch will tell, and then there is nothing more to do. Until it does this
       is a refusal like any other. */
    KM_V(1, "A pod's deletion could not be finished, trying again", KM_OBJ("pod", ns, name),
         KM_S("reason", request->fault->text));
    if (err != KM_ERR_STATUS) {
        finish(a, KM_BACK_OFF);
        return;
    }
    a->finisher.held_until_ms = a->loop->now_ms + km_status_retry_after_ms(request->status);
    agent_retry(&a->pod_ctl, a->finisher.key, request->status);
}

void node_pods_reconcile(void *ctx, uint16_t key)
{
    struct agent *a = ctx;
    struct node_pods *p = &a->finisher;
    const struct km_pod *pod = km_cache_get(a->pods.cache, key);
    struct km_buf target;
    p->key = key;
    if (!must_finish(a, pod)) {
        finish(a, KM_DONE);
        return;
    }
    if (a->loop->now_ms < p->held_until_ms) {
        km_controller_finish(&a->pod_ctl, key, KM_AGAIN_AFTER, p->held_until_ms - a->loop->now_ms);
        return;
    }
    km_buf_init(&target, p->request.target, sizeof p->request.target);
    if (km_path(&target, a->client.config->base_path, &km_pods, pod->ns, pod->name, NULL) !=
            KM_OK ||
        write_body(&p->body, pod) != KM_OK) {
        KM_WARN("A pod's name makes no request", KM_OBJ("pod", pod->ns, pod->name));
        finish(a, KM_DONE);
        return;
    }
    p->request.body = km_buf_slice(&p->body);
    (void)km_request_send(&p->request, a->write_lane);
}

int node_pods_init(struct agent *a, struct km_fault *fault)
{
    struct node_pods *p = &a->finisher;
    (void)fault;
    km_buf_init(&p->body, p->body_data, sizeof p->body_data);
    p->request.what = "finish pod";
    p->request.method = KM_DELETE;
    p->request.content_type = KM_TYPE_JSON;
    p->request.accept = KM_ACCEPT_META;
    p->request.priority = 2;
    p->request.on_done = on_done;
    p->request.ctx = a;
    p->finished.name = "kubemote_pods_finished_total";
    km_counter_register(&p->finished);
    return KM_OK;
}
