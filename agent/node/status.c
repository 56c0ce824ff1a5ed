/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reconcile of the Node: registers it when it is missing, and patches its status when what the server has differs from
 * what the machine is. The comparison is with the server's Node in the cache, never with what was last sent: a condition
 * that somebody else turned Unknown is a flip to answer.
 */
#include <stdio.h>
#include <string.h>

#include "km_version.h"
#include "kubemote/km_json_table.h"
#include "kubemote/km_log.h"
#include "node_priv.h"

#define OLD_MS 60000      /* a status is written by an old picture of the Node only after so long */
#define AWAIT_MS 20000    /* for our own write to come back through the watch */
#define RECREATE_MS 10000 /* doubles with each deletion */
#define RECREATE_MAX_MS 300000
#define WRITE_BURST 6
#define WRITE_REFILL_MS 10000
#define FOREIGN_WINDOW_MS 600000

#define VERSION_FIELDS(S, I, B, R, A, M) S(git_version, "/gitVersion", 64)
KM_KIND_STRUCT(server_version, VERSION_FIELDS)
KM_KIND_TABLE(server_version, "Version", VERSION_FIELDS)

static const struct km_schema_part answer_parts[] = {{"", &km_kind_meta}};
static const struct km_schema_part version_parts[] = {{"", &km_kind_server_version}};
static struct km_schema_node answer_nodes[12] KM_POOL_STORAGE(answer_schema);
static struct km_schema_node version_nodes[4] KM_POOL_STORAGE(version_schema);

static void next_step(struct agent *a);

static void finish(struct agent *a, enum km_result result, int64_t after_ms)
{
    km_controller_finish(&a->node_ctl, NODE_KEY, result, after_ms);
}

static int64_t tick_ms(struct agent *a)
{
    int64_t period_ms = (int64_t)a->config->status_update_s * 1000;
    return period_ms + km_rng_range(&a->rng, 0, period_ms / 25 + 1);
}

void node_event(struct agent *a, bool warning, const char *reason, const char *action,
                const char *note)
{
    const struct km_reference self = {.api_version = "v1",
                                      .kind = "Node",
                                      .ns = "",
                                      .name = a->config->node_name,
                                      .uid = a->self_uid};
    km_recorder_event(&a->recorder, &self, warning, reason, action, note);
}

/* Edits by others put the key on the queue sooner: they must not shorten what the server asked for. */
static void refused(struct agent *a, const struct km_status *status)
{
    a->status.held_until_ms = a->loop->now_ms + km_status_retry_after_ms(status);
    agent_retry(&a->node_ctl, NODE_KEY, status);
}

static void trouble(struct agent *a, const char *what, const char *why)
{
    if (!a->status.in_trouble)
        KM_ERROR(what, why, KM_S("node", a->config->node_name));
    a->status.in_trouble = true;
}

/* ---- what we want ---- */

static void read_facts(struct agent *a)
{
    struct node_status *s = &a->status;
    int64_t now_ms = a->loop->now_ms;
    if (now_ms < s->facts_ms)
        return;
    km_facts_read(&a->facts, a->config, &km_fact_paths_default);
    s->facts_ms = now_ms + (int64_t)a->config->status_update_s * 1000;
}

static void update_want(struct agent *a)
{
    struct node_desired *want = &a->status.want;
    read_facts(a);
    want->config = a->config;
    want->labels = &a->labels;
    want->facts = &a->facts;
    want->kubelet_version = a->status.kubelet_version;
    want->prune = !a->status.written;
    km_facts_conditions(&a->facts, a->config, &a->pressure, a->loop->now_ms, want->conditions);
    km_facts_resources(&a->facts, a->config, &want->capacity, &want->allocatable);
}

/* ---- requests ---- */

static void send(struct agent *a, const char *what, enum km_http_method method,
                 const char *content_type, const struct km_schema *schema,
                 void (*on_done)(struct km_request *, int))
{
    struct km_request *r = &a->status.request;
    r->what = what;
    r->method = method;
    r->content_type = content_type;
    r->accept = method == KM_GET ? NULL : KM_ACCEPT_META;
    r->schema = schema;
    r->body = method == KM_GET ? (struct km_slice){0} : km_buf_slice(&a->status.body);
    r->on_done = on_done;
    (void)km_request_send(r, a->write_lane);
}

static int target(struct agent *a, const char *name, const char *sub)
{
    struct km_buf out;
    km_buf_init(&out, a->status.request.target, sizeof a->status.request.target);
    return km_path(&out, a->client.config->base_path, &km_nodes, NULL, name, sub);
}

static int on_text(struct km_request *request, bool item, struct km_slice text, bool overflow)
{
    struct agent *a = request->ctx;
    static struct km_server_version version;
    (void)item;
    if (overflow)
        return KM_ERR_TOO_LONG;
    if (request->schema == &a->status.answer_schema) {
        void *dest[] = {&a->status.answer};
        return km_json_decode(&a->status.answer_schema, false, text, dest);
    }
    void *dest[] = {&version};
    int err = km_json_decode(&a->status.version_schema, false, text, dest);
    if (err != KM_OK)
        return err;
    (void)node_kubelet_version(version.git_version, a->status.kubelet_version,
                               sizeof a->status.kubelet_version);
    return KM_OK;
}

/* ---- the server's version: the Node reports the server's minor, since tools refuse Nodes too far from it ---- */

static void on_version(struct km_request *request, int err)
{
    struct agent *a = request->ctx;
    struct node_status *s = &a->status;
    if (err != KM_OK && err != KM_ERR_STATUS) {
        finish(a, KM_BACK_OFF, 0);
        return;
    }
    if (err == KM_ERR_STATUS)
        trouble(a, "The server's version can't be read", request->status->message);
    s->version_ms = a->loop->now_ms + (int64_t)a->config->status_report_s * 1000;
    next_step(a);
}

static void ask_version(struct agent *a)
{
    struct km_buf out;
    km_buf_init(&out, a->status.request.target, sizeof a->status.request.target);
    km_buf_puts(&out, a->client.config->base_path);
    km_buf_puts(&out, "/version");
    send(a, "read version", KM_GET, NULL, &a->status.version_schema, on_version);
}

/* ---- registration ---- */

static void note_written(struct agent *a, const char *before_rv)
{
    struct node_status *s = &a->status;
    int64_t period_ms = (int64_t)a->config->status_report_s * 1000;
    int64_t now_ms = a->loop->now_ms;
    if (s->in_trouble)
        KM_INFO("The Node is written again", KM_S("node", a->config->node_name));
    s->in_trouble = false;
    s->doubts = 0;
    s->written = true;
    s->writes.value++;
    s->report_ms = now_ms + km_rng_range(&a->rng, period_ms / 2, period_ms + period_ms / 2);
    s->awaited_until_ms = 0;
    if (strcmp(s->answer.rv, before_rv) != 0) {
        (void)km_slice_copy(km_slice_of(before_rv), s->before_rv, sizeof s->before_rv);
        s->awaited_until_ms = now_ms + AWAIT_MS;
    }
    if (s->want.conditions[KM_READY].status == KM_CONDITION_TRUE)
        a->was_ready = true;
}

static void on_created(struct km_request *request, int err)
{
    struct agent *a = request->ctx;
    struct node_status *s = &a->status;
    if (err == KM_OK || err == KM_ERR_STATUS) {
        s->asked = true;
        agent_start_watches(a);
    }
    if (err == KM_OK) {
        KM_INFO("Registered the Node", KM_S("node", a->config->node_name),
                KM_S("uid", s->answer.uid));
        (void)km_slice_copy(km_slice_of(s->answer.uid), a->self_uid, sizeof a->self_uid);
        note_written(a, "");
        if (s->seen)
            node_event(a, false, "NodeRecreated", "Recreate",
                       "The Node was deleted while its agent runs, and made again");
        finish(a, KM_AGAIN_AFTER, tick_ms(a));
        return;
    }
    if (err == KM_ERR_STATUS && km_status_is_already_exists(request->status)) {
        KM_V(2, "The Node exists already", KM_S("node", a->config->node_name));
        if (km_informer_synced(&a->nodes))
            km_reflector_resync(&a->nodes.reflector,
                                "the server has a Node that the cache does not have");
        finish(a, KM_AGAIN_AFTER, tick_ms(a));
        return;
    }
    if (err != KM_ERR_STATUS) {
        finish(a, KM_BACK_OFF, 0);
        return;
    }
    trouble(a, "The Node can't be registered, trying again", request->status->message);
    refused(a, request->status);
}

static void create(struct agent *a)
{
    update_want(a);
    int err = node_write_create(&a->status.body, a->config->node_name, &a->status.want,
                                km_port_wall_us());
    if (err == KM_OK)
        err = target(a, NULL, NULL);
    if (err != KM_OK) {
        trouble(a, "The Node does not fit CONFIG_KM_BODY_BYTES", km_strerror(err));
        finish(a, KM_BACK_OFF, 0);
        return;
    }
    send(a, "register node", KM_POST, KM_TYPE_JSON, &a->status.answer_schema, on_created);
}

static void reconcile_missing(struct agent *a)
{
    struct node_status *s = &a->status;
    if (s->asked && !km_informer_synced(&a->nodes)) {
        finish(a, KM_DONE, 0); /* the watch will tell */
        return;
    }
    if (a->loop->now_ms < s->awaited_until_ms) {
        finish(a, KM_AGAIN_AFTER, 1000); /* just made, not yet in the cache */
        return;
    }
    if (s->seen && !a->config->recreate_node) {
        if (!s->told_gone)
            KM_WARN("The Node was deleted and recreateNode is off: waiting for it",
                    KM_S("node", a->config->node_name));
        s->told_gone = true;
        finish(a, KM_DONE, 0);
        return;
    }
    if (a->loop->now_ms < s->create_ms) {
        finish(a, KM_AGAIN_AFTER, s->create_ms - a->loop->now_ms);
        return;
    }
    create(a);
}

void node_status_deleted(struct agent *a)
{
    struct node_status *s = &a->status;
    int64_t delay_ms = RECREATE_MS;
    for (uint32_t i = 0; i < s->recreations && delay_ms < RECREATE_MAX_MS; i++)
        delay_ms *= 2;
    if (delay_ms > RECREATE_MAX_MS)
        delay_ms = RECREATE_MAX_MS;
    s->recreations++;
    s->awaited_until_ms = 0;
    s->create_ms = a->loop->now_ms + delay_ms;
    a->identity_shown = false;
    KM_WARN("The Node is gone from the server", KM_S("node", a->config->node_name),
            KM_I("recreateAfterMs", delay_ms), KM_B("recreateNode", a->config->recreate_node));
}

/* ---- status ---- */

/* Worth a new list: the 1st, 2nd, 4th, 8th ... time in a row. When lists don't help, more of them don't either. */
static bool doubtful(uint32_t doubts)
{
    return (doubts & (doubts - 1)) == 0;
}

static void on_patched(struct km_request *request, int err)
{
    struct agent *a = request->ctx;
    const struct km_node *node = agent_node(a);
    if (err == KM_OK) {
        note_written(a, node == NULL ? "" : a->status.before_rv);
        finish(a, KM_AGAIN_AFTER, tick_ms(a));
        return;
    }
    if (err != KM_ERR_STATUS) {
        finish(a, KM_BACK_OFF, 0);
        return;
    }
    bool doubt = km_status_is_not_found(request->status) || km_status_is_conflict(request->status);
    if (doubt && doubtful(++a->status.doubts))
        km_reflector_resync(&a->nodes.reflector,
                            "the server does not have the Node that the cache has");
    if (!doubt || a->status.doubts > 2)
        trouble(a, "The Node's status can't be written, trying again", request->status->message);
    refused(a, request->status);
}

static void on_duplicate_said(struct km_request *request, int err)
{
    struct agent *a = request->ctx;
    (void)request;
    if (err != KM_OK && err != KM_ERR_STATUS) {
        finish(a, KM_BACK_OFF, 0);
        return;
    }
    a->silenced = true;
    KM_ERROR("Another machine runs under this node name: nothing is written any more. Give one of "
             "them another name.",
             "duplicate node", KM_S("node", a->config->node_name),
             KM_S("machineID", a->facts.machine_id), KM_S("bootID", a->facts.boot_id));
    finish(a, KM_DONE, 0);
}

static bool take_write_token(struct agent *a)
{
    struct node_status *s = &a->status;
    while (a->loop->now_ms - s->tokens_ms >= WRITE_REFILL_MS) {
        s->tokens_ms += WRITE_REFILL_MS;
        if (s->write_tokens < WRITE_BURST)
            s->write_tokens++;
        else
            s->tokens_ms = a->loop->now_ms;
    }
    if (s->write_tokens == 0)
        return false;
    s->write_tokens--;
    return true;
}

/*
 * Until our last write shows in the cache, a comparison with it would write the same again, and from a picture that old would
 * move transition times without a flip. A write that never shows means a watch that is deaf.
 */
static bool awaits_own_write(struct agent *a, const struct km_node *node)
{
    struct node_status *s = &a->status;
    if (s->awaited_until_ms == 0)
        return false;
    if (strcmp(node->f.rv, s->before_rv) != 0) {
        s->awaited_until_ms = 0;
        return false;
    }
    if (a->loop->now_ms < s->awaited_until_ms)
        return true;
    s->awaited_until_ms = 0;
    km_reflector_resync(&a->nodes.reflector, "our own write does not show in the watch");
    return true;
}

/*
 * While the watch is broken the server may have made our conditions Unknown: a patch that does not know it would set their
 * transition times back. But a server that takes writes and gives no watch must not keep the status for ever.
 */
static bool picture_is_old(const struct agent *a)
{
    const struct node_status *s = &a->status;
    return s->blind_ms != 0 && a->loop->now_ms - s->blind_ms < OLD_MS;
}

/* While writes fail too it is the link that is down, and not the watch alone. */
static void note_picture(struct agent *a)
{
    struct node_status *s = &a->status;
    if (km_reflector_live(&a->nodes.reflector))
        s->blind_ms = 0;
    else if (s->blind_ms == 0 || a->client.link_down || a->lease.in_trouble)
        s->blind_ms = a->loop->now_ms;
}

static void patch(struct agent *a, const struct km_node *node)
{
    struct node_status *s = &a->status;
    int64_t wall_us = km_port_wall_us();
    int err = a->duplicate ? node_write_duplicate(&s->body, node, &a->facts, wall_us)
                           : node_write_patch(&s->body, node, &s->want, wall_us);
    if (err == KM_OK)
        err = target(a, a->config->node_name, "status");
    if (err != KM_OK) {
        trouble(a, "The Node's status does not fit CONFIG_KM_BODY_BYTES", km_strerror(err));
        finish(a, KM_BACK_OFF, 0);
        return;
    }
    memcpy(s->before_rv, node->f.rv, sizeof s->before_rv);
    send(a, "write status", KM_PATCH, KM_TYPE_STRATEGIC, &s->answer_schema,
         a->duplicate ? on_duplicate_said : on_patched);
}

static void reconcile_present(struct agent *a, const struct km_node *node)
{
    struct node_status *s = &a->status;
    if (!a->duplicate && awaits_own_write(a, node)) {
        finish(a, KM_AGAIN_AFTER, 1000);
        return;
    }
    note_picture(a);
    if (!a->duplicate && picture_is_old(a)) {
        finish(a, KM_AGAIN_AFTER, a->client.link_down ? tick_ms(a) : 1000);
        return;
    }
    update_want(a);
    const char *difference = a->duplicate ? "duplicate" : node_difference(node, &s->want);
    if (difference == NULL && s->written && a->loop->now_ms < s->report_ms) {
        finish(a, KM_AGAIN_AFTER, tick_ms(a));
        return;
    }
    if (!take_write_token(a)) {
        finish(a, KM_AGAIN_AFTER, 2000);
        return;
    }
    KM_V(2, "Writing the Node's status", KM_S("node", a->config->node_name),
         KM_S("because", difference == NULL ? "report period" : difference));
    patch(a, node);
}

static void next_step(struct agent *a)
{
    const struct km_node *node = agent_node(a);
    if (a->stopping || a->silenced)
        finish(a, KM_DONE, 0);
    else if (a->loop->now_ms < a->status.held_until_ms)
        finish(a, KM_AGAIN_AFTER, a->status.held_until_ms - a->loop->now_ms);
    else if (node == NULL)
        reconcile_missing(a);
    else
        reconcile_present(a, node);
}

void node_status_reconcile(void *ctx, uint16_t key)
{
    struct agent *a = ctx;
    (void)key;
    note_picture(a);
    if (!a->stopping && !a->silenced && a->loop->now_ms >= a->status.version_ms)
        ask_version(a);
    else
        next_step(a);
}

/* ---- identity: two machines under one name write against each other for ever, unless one of them notices ---- */

void node_status_observe(struct agent *a, const struct km_node *node)
{
    int64_t now_ms = a->loop->now_ms;
    a->status.seen = true;
    a->status.told_gone = false;
    (void)km_slice_copy(km_slice_of(node->f.uid), a->self_uid, sizeof a->self_uid);
    if (strcmp(node->f.machine_id, a->facts.machine_id) == 0 &&
        strcmp(node->f.boot_id, a->facts.boot_id) == 0) {
        a->identity_shown = true;
        return;
    }
    if (!a->identity_shown || a->duplicate)
        return;
    /* Once may be a restored store; a machine that is alive does it again after we wrote ours. */
    a->identity_shown = false;
    if (now_ms - a->foreign_ms > FOREIGN_WINDOW_MS)
        a->foreign_seen = 0;
    a->foreign_ms = now_ms;
    a->foreign_seen++;
    KM_WARN("The Node shows another machine's identity", KM_S("node", node->f.name),
            KM_S("machineID", node->f.machine_id), KM_S("bootID", node->f.boot_id));
    if (a->foreign_seen < 2)
        return;
    a->duplicate = true;
    node_event(a, true, "DuplicateNode", "Stop",
               "Another machine runs under this node name; this agent stops writing");
}

int node_status_init(struct agent *a, struct km_fault *fault)
{
    struct node_status *s = &a->status;
    km_buf_init(&s->body, s->body_data, sizeof s->body_data);
    (void)snprintf(s->kubelet_version, sizeof s->kubelet_version, "v1.36.0-kubemote." KM_VERSION);
    s->request.priority = 1;
    s->request.repeatable =
        true; /* the same patch again changes nothing, the same Node exists already */
    s->request.on_text = on_text;
    s->request.ctx = a;
    s->write_tokens = WRITE_BURST;
    s->tokens_ms = a->loop->now_ms;
    s->writes.name = "kubemote_node_writes_total";
    km_counter_register(&s->writes);
    int err = km_schema_init(&s->answer_schema, answer_parts, 1, NULL, answer_nodes,
                             sizeof answer_nodes / sizeof answer_nodes[0]);
    if (err == KM_OK)
        err = km_schema_init(&s->version_schema, version_parts, 1, NULL, version_nodes,
                             sizeof version_nodes / sizeof version_nodes[0]);
    return err == KM_OK ? KM_OK
                        : km_fault_set(fault, err,
                                       "the schemas of the Node's answers do not fit their tables");
}
