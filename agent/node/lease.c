/* SPDX-License-Identifier: Apache-2.0 */
/* The heartbeat: the Lease of the node's name in kube-node-lease (client-go component-helpers/apimachinery/lease). */
#include <string.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_log.h"
#include "node_priv.h"

#define NAMESPACE "kube-node-lease"
#define TRIES_AT_ONCE 5

KM_ELEMENT_TABLE(owner, KM_OWNER_FIELDS)
KM_KIND_TABLE(lease, "Lease", KM_LEASE_FIELDS)

static const struct km_schema_part lease_parts[] = {{"", &km_kind_lease}};
static struct km_schema_node lease_nodes[24] KM_POOL_STORAGE(lease_schema);

static bool owned_by(const struct km_lease *lease, const char *uid)
{
    for (uint16_t i = 0; i < lease->owners_count; i++) {
        if (strcmp(lease->owners[i].uid, uid) == 0)
            return true;
    }
    return false;
}

static void write_owner(struct km_json_writer *w, const struct km_node *node)
{
    km_json_key(w, "ownerReferences");
    km_json_array(w);
    km_json_object(w);
    km_json_kv_str(w, "apiVersion", "v1");
    km_json_kv_str(w, "kind", "Node");
    km_json_kv_str(w, "name", node->f.name);
    km_json_kv_str(w, "uid", node->f.uid);
    km_json_close(w);
    km_json_close(w);
}

static void write_spec(struct km_json_writer *w, const struct agent *a, bool create)
{
    char when[KM_TIME_SIZE];
    km_time_rfc3339_micro(km_port_wall_us(), when, sizeof when);
    km_json_key(w, "spec");
    km_json_object(w);
    if (create)
        km_json_kv_str(w, "holderIdentity", a->config->node_name);
    km_json_kv_i64(w, "leaseDurationSeconds", a->config->lease_duration_s);
    km_json_kv_str(w, "renewTime", when);
    km_json_close(w);
}

static int write_create(struct agent *a, const struct km_node *node)
{
    struct km_json_writer w;
    km_buf_reset(&a->lease.body);
    km_json_writer_init(&w, &a->lease.body);
    km_json_object(&w);
    km_json_kv_str(&w, "apiVersion", "coordination.k8s.io/v1");
    km_json_kv_str(&w, "kind", "Lease");
    km_json_key(&w, "metadata");
    km_json_object(&w);
    km_json_kv_str(&w, "name", a->config->node_name);
    km_json_kv_str(&w, "namespace", NAMESPACE);
    write_owner(&w, node);
    km_json_close(&w);
    write_spec(&w, a, true);
    km_json_close(&w);
    return km_json_finish(&w);
}

/* A merge patch with the resourceVersion is as strict as an update, a tenth as long, and keeps what others wrote there. */
static int write_renew(struct agent *a, const struct km_node *node)
{
    struct km_json_writer w;
    km_buf_reset(&a->lease.body);
    km_json_writer_init(&w, &a->lease.body);
    km_json_object(&w);
    km_json_key(&w, "metadata");
    km_json_object(&w);
    km_json_kv_str(&w, "resourceVersion", a->lease.lease.rv);
    if (!owned_by(&a->lease.lease, node->f.uid))
        write_owner(&w, node);
    km_json_close(&w);
    write_spec(&w, a, false);
    km_json_close(&w);
    return km_json_finish(&w);
}

static int write_request(struct agent *a, const struct km_node *node)
{
    struct node_lease *l = &a->lease;
    struct km_buf target;
    int err = KM_OK;
    const char *name = l->step == LEASE_CREATE ? NULL : a->config->node_name;
    km_buf_init(&target, l->request.target, sizeof l->request.target);
    l->request.method = l->step == LEASE_READ     ? KM_GET
                        : l->step == LEASE_CREATE ? KM_POST
                                                  : KM_PATCH;
    l->request.content_type = l->step == LEASE_RENEW ? KM_TYPE_MERGE : KM_TYPE_JSON;
    l->request.what = l->step == LEASE_READ     ? "read lease"
                      : l->step == LEASE_CREATE ? "create lease"
                                                : "renew lease";
    km_buf_reset(&l->body);
    if (l->step == LEASE_CREATE)
        err = write_create(a, node);
    else if (l->step == LEASE_RENEW)
        err = write_renew(a, node);
    if (err == KM_OK)
        err = km_path(&target, a->client.config->base_path, &km_leases, NAMESPACE, name, NULL);
    l->request.body = km_buf_slice(&l->body);
    return err;
}

static int on_text(struct km_request *request, bool item, struct km_slice text, bool overflow)
{
    struct agent *a = request->ctx;
    void *dest[] = {&a->lease.lease};
    (void)item;
    return overflow ? KM_ERR_TOO_LONG : km_json_decode(&a->lease.schema, false, text, dest);
}

/* ---- answers ---- */

static void finish(struct agent *a, enum km_result result, int64_t after_ms)
{
    km_controller_finish(&a->lease_ctl, NODE_KEY, result, after_ms);
}

static void trouble(struct agent *a, const char *why, const char *reason)
{
    if (!a->lease.in_trouble)
        KM_ERROR("The lease can't be renewed, trying again", why,
                 KM_OBJ("lease", NAMESPACE, a->config->node_name), KM_S("reason", reason));
    a->lease.in_trouble = true;
}

/* The next step, with a back-off once several in a row brought no renewal. False: it backs off. */
static bool at_once(struct agent *a, enum lease_step step)
{
    struct node_lease *l = &a->lease;
    bool soon = l->tries <= TRIES_AT_ONCE;
    l->step = step;
    if (soon)
        l->tries++;
    finish(a, soon ? KM_AGAIN_AFTER : KM_BACK_OFF, 0);
    return soon;
}

static void answered(struct agent *a)
{
    struct node_lease *l = &a->lease;
    l->failures = 0;
    if (l->step == LEASE_READ) {
        (void)at_once(a, LEASE_RENEW);
        return;
    }
    if (l->in_trouble)
        KM_INFO("The lease is renewed again", KM_OBJ("lease", NAMESPACE, a->config->node_name));
    l->in_trouble = false;
    l->tries = 0;
    l->step = LEASE_RENEW;
    l->renewed_ms = a->loop->now_ms;
    l->renewals.value++;
    int64_t period_ms = a->config->lease_renew_s * 1000;
    finish(a, KM_AGAIN_AFTER, period_ms + km_rng_range(&a->rng, 0, period_ms / 25 + 1));
}

static void refused(struct agent *a, const struct km_status *status)
{
    struct node_lease *l = &a->lease;
    l->failures = 0;
    if (l->step == LEASE_READ && km_status_is_not_found(status)) {
        (void)at_once(a, LEASE_CREATE);
        return;
    }
    if (km_status_is_not_found(status) || km_status_is_conflict(status) ||
        km_status_is_already_exists(status)) {
        if (!at_once(a, LEASE_READ))
            trouble(a, "others write it whenever this agent does", "Conflict");
        return;
    }
    trouble(a, status->message, status->reason);
    agent_retry(&a->lease_ctl, NODE_KEY, status);
}

static void on_done(struct km_request *request, int err)
{
    struct agent *a = request->ctx;
    struct node_lease *l = &a->lease;
    if (err == KM_OK) {
        answered(a);
        return;
    }
    if (err == KM_ERR_STATUS) {
        refused(a, request->status);
        return;
    }
    l->failures++;
    l->step = LEASE_READ; /* the write may have happened or not */
    if (err == KM_ERR_TIMEOUT || l->failures == 2)
        agent_suspect_links(a);
    finish(a, KM_BACK_OFF, 0);
}

/* ---- the reconcile ---- */

void node_lease_reconcile(void *ctx, uint16_t key)
{
    struct agent *a = ctx;
    const struct km_node *node = agent_node(a);
    (void)key;
    /* Without a Node there is no owner; its arrival puts the key on the queue. */
    if (a->stopping || a->silenced || node == NULL || node->f.uid[0] == '\0') {
        finish(a, KM_DONE, 0);
        return;
    }
    int err = write_request(a, node);
    if (err != KM_OK) {
        KM_ERROR("The lease request can't be written", km_strerror(err),
                 KM_S("node", a->config->node_name));
        finish(a, KM_BACK_OFF, 0);
        return;
    }
    (void)km_request_send(&a->lease.request, a->write_lane);
}

int node_lease_init(struct agent *a, struct km_fault *fault)
{
    struct node_lease *l = &a->lease;
    km_buf_init(&l->body, l->body_data, sizeof l->body_data);
    l->step = LEASE_READ;
    l->request.accept = KM_ACCEPT_META;
    l->request.priority = 0;
    l->request.repeatable = true; /* done twice it is a conflict, and the lease is read again */
    l->request.schema = &l->schema;
    l->request.on_text = on_text;
    l->request.on_done = on_done;
    l->request.ctx = a;
    l->renewals.name = "kubemote_lease_renewals_total";
    km_counter_register(&l->renewals);
    int err = km_schema_init(&l->schema, lease_parts, 1, NULL, lease_nodes,
                             sizeof lease_nodes / sizeof lease_nodes[0]);
    return err == KM_OK ? KM_OK
                        : km_fault_set(fault, err, "the Lease schema does not fit its table");
}
