/* SPDX-License-Identifier: Apache-2.0 */
/* Wires the rooms into the agent: three connections, two informers, three controllers, one recorder. */
#include <string.h>

#include "kubemote/km_log.h"
#include "node_priv.h"

KM_CACHE_DEFINE(node_cache, struct km_node, 1, 254 + 64 + 1);
KM_CACHE_DEFINE(pod_cache, struct km_pod, CONFIG_KM_POD_COUNT, 254 + 64 + 1);
/* A failed registration or status write comes back after 100 ms doubling to 7 s, a lease after 200 ms, as the kubelet's. */
KM_QUEUE_DEFINE(node_queue, 1, 100, 7000);
KM_QUEUE_DEFINE(lease_queue, 1, 200, 7000);
KM_QUEUE_DEFINE(pod_queue, CONFIG_KM_POD_COUNT, 1000, 300000);

static int64_t now_ns(void *ctx)
{
    (void)ctx;
    return km_port_now_ms() * 1000000;
}

KM_QUEUE_METRICS_DEFINE(node_queue_measures, 1, now_ns, NULL);
KM_QUEUE_METRICS_DEFINE(lease_queue_measures, 1, now_ns, NULL);
KM_QUEUE_METRICS_DEFINE(pod_queue_measures, CONFIG_KM_POD_COUNT, now_ns, NULL);
static const struct km_queue *const queues[KM_AGENT_QUEUES] = {&node_queue, &lease_queue,
                                                               &pod_queue};

static struct km_schema_node node_event_nodes[CONFIG_KM_JSON_NODE_COUNT] KM_POOL_STORAGE(
    node_event_schema);
static struct km_schema_node node_list_nodes[CONFIG_KM_JSON_NODE_COUNT] KM_POOL_STORAGE(
    node_list_schema);
static struct km_schema_node pod_event_nodes[CONFIG_KM_JSON_NODE_COUNT] KM_POOL_STORAGE(
    pod_event_schema);
static struct km_schema_node pod_list_nodes[CONFIG_KM_JSON_NODE_COUNT] KM_POOL_STORAGE(
    pod_list_schema);
static struct km_lane lanes[3] KM_POOL_STORAGE(lanes);
static struct agent the_agent KM_POOL_STORAGE(agent);

const struct km_node *agent_node(const struct agent *a)
{
    uint16_t slot;
    if (km_cache_next(a->nodes.cache, 0, &slot) != KM_OK)
        return NULL;
    return km_cache_get(a->nodes.cache, slot);
}

/* ---- changes ---- */

/* Prints the row when anything but the age changed. */
static void print_row(struct agent *a, const struct km_node *node)
{
    char line[sizeof a->printed];
    struct km_buf row;
    int64_t created_us = 0;
    if (a->options.print == NULL)
        return;
    (void)km_time_parse(km_slice_of(node->f.created), &created_us);
    km_buf_init(&row, line, sizeof line);
    node_row(&row, node, created_us, false);
    if (strcmp(line, a->printed) == 0)
        return;
    if (a->printed[0] == '\0') {
        km_buf_reset(&row);
        node_row(&row, node, 0, true);
        a->options.print(a->options.print_ctx, line);
        km_buf_reset(&row);
        node_row(&row, node, created_us, false);
    }
    memcpy(a->printed, line, sizeof line);
    km_buf_reset(&row);
    node_row(&row, node, km_port_wall_us(), false);
    a->options.print(a->options.print_ctx, line);
}

static void on_node(void *ctx, enum km_change change, uint16_t slot, const void *old,
                    const void *now)
{
    struct agent *a = ctx;
    const struct km_node *node = now;
    (void)slot;
    (void)old;
    if (change == KM_DELETED) {
        node_status_deleted(a);
    } else {
        node_status_observe(a, node);
        print_row(a, node);
    }
    km_controller_add(&a->node_ctl, NODE_KEY);
    if (change != KM_UPDATED)
        km_controller_add(&a->lease_ctl, NODE_KEY);
}

static void on_nodes_synced(void *ctx)
{
    struct agent *a = ctx;
    km_controller_add(&a->node_ctl, NODE_KEY);
}

static void on_pod(void *ctx, enum km_change change, uint16_t slot, const void *old,
                   const void *now)
{
    struct agent *a = ctx;
    (void)old;
    (void)now;
    if (change != KM_DELETED)
        km_controller_add(&a->pod_ctl, slot);
}

/* ---- refusals ---- */

void agent_retry(struct km_controller *c, uint16_t key, const struct km_status *status)
{
    int64_t after_ms = km_status_retry_after_ms(status);
    km_controller_finish(c, key, after_ms == 0 ? KM_BACK_OFF : KM_AGAIN_AFTER, after_ms);
}

/* ---- links ---- */

static void on_suspect(void *ctx, int64_t now_ms)
{
    struct agent *a = ctx;
    (void)now_ms;
    km_client_suspect(&a->client,
                      "the lease could not be written, so every link to the server is suspect");
}

void agent_suspect_links(struct agent *a)
{
    (void)km_timer_set(&a->loop->timers, &a->suspect_timer, a->loop->now_ms);
}

void agent_start_watches(struct agent *a)
{
    if (a->stopping)
        return;
    km_informer_start(&a->nodes);
    km_informer_start(&a->pods);
}

/* ---- set-up ---- */

static int init_client(struct agent *a, struct km_fault *fault)
{
    int err = km_client_init(&a->client, a->options.kubeconfig, a->loop, fault);
    if (err != KM_OK)
        return err;
    a->write_lane = &lanes[0];
    a->node_lane = &lanes[1];
    a->pod_lane = &lanes[2];
    err = km_lane_init(a->write_lane, &a->client, "writes");
    if (err == KM_OK)
        err = km_lane_init(a->node_lane, &a->client, "node-watch");
    if (err == KM_OK)
        err = km_lane_init(a->pod_lane, &a->client, "pod-watch");
    if (err != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "the agent needs three connections: raise CONFIG_KM_CONN_COUNT (%d)",
                            CONFIG_KM_CONN_COUNT);
    a->suspect_timer.fn = on_suspect;
    a->suspect_timer.ctx = a;
    return KM_OK;
}

static void select_by(struct km_reflector *r, const char *field, const char *name)
{
    struct km_buf text;
    km_buf_init(&text, r->field_selector, sizeof r->field_selector);
    km_buf_puts(&text, field);
    km_buf_putc(&text, '=');
    km_buf_puts(&text, name);
}

static int init_nodes(struct agent *a, struct km_fault *fault)
{
    struct km_reflector *r = &a->nodes.reflector;
    r->name = "nodes";
    r->resource = &km_nodes;
    r->kind = &a->node_kind;
    r->lane = a->node_lane;
    r->client = &a->client;
    r->event_nodes = node_event_nodes;
    r->list_nodes = node_list_nodes;
    r->rng = &a->rng;
    select_by(r, "metadata.name", a->config->node_name);
    a->nodes.cache = &node_cache;
    a->nodes.on_change = on_node;
    a->nodes.on_synced = on_nodes_synced;
    a->nodes.ctx = a;
    return km_informer_init(&a->nodes, km_rng_u32(&a->rng), fault);
}

static int init_pods(struct agent *a, struct km_fault *fault)
{
    struct km_reflector *r = &a->pods.reflector;
    r->name = "pods";
    r->resource = &km_pods;
    r->kind = &km_kind_pod;
    r->lane = a->pod_lane;
    r->client = &a->client;
    r->event_nodes = pod_event_nodes;
    r->list_nodes = pod_list_nodes;
    r->rng = &a->rng;
    select_by(r, "spec.nodeName", a->config->node_name);
    a->pods.cache = &pod_cache;
    a->pods.on_change = on_pod;
    a->pods.ctx = a;
    return km_informer_init(&a->pods, km_rng_u32(&a->rng), fault);
}

static void init_controller(struct agent *a, struct km_controller *c, struct km_queue *queue,
                            void (*reconcile)(void *, uint16_t))
{
    c->name = queue->name;
    c->queue = queue;
    c->loop = a->loop;
    c->workers = 1;
    c->reconcile = reconcile;
    c->ctx = a;
    km_controller_init(c);
}

static void init_controllers(struct agent *a)
{
    if (a->options.measure) {
        node_queue.metrics = &node_queue_measures;
        lease_queue.metrics = &lease_queue_measures;
        pod_queue.metrics = &pod_queue_measures;
    }
    init_controller(a, &a->node_ctl, &node_queue, node_status_reconcile);
    init_controller(a, &a->lease_ctl, &lease_queue, node_lease_reconcile);
    init_controller(a, &a->pod_ctl, &pod_queue, node_pods_reconcile);
    a->recorder.client = &a->client;
    a->recorder.lane = a->write_lane;
    a->recorder.controller = "kubemote.io/agent";
    a->recorder.instance = a->config->node_name;
    km_recorder_init(&a->recorder);
}

static void seed_rng(struct agent *a)
{
    uint64_t seed;
    if (km_port_entropy(&seed, sizeof seed) != KM_OK)
        seed = (uint64_t)km_port_wall_us(); /* jitter only */
    km_rng_seed(&a->rng, seed);
}

int km_agent_init(const struct km_agent_options *options, struct km_loop *loop,
                  struct km_fault *fault)
{
    struct agent *a = &the_agent;
    a->options = *options;
    a->config = options->config;
    a->loop = loop;
    seed_rng(a);
    km_facts_static(&a->facts, a->config, &km_fact_paths_default);
    a->labels.count = km_node_labels(&a->facts, a->config, a->config->node_name, a->labels.items);
    int err = node_kind_init(&a->node_kind, &a->labels, fault);
    if (err == KM_OK)
        err = init_client(a, fault);
    if (err == KM_OK)
        err = init_nodes(a, fault);
    if (err == KM_OK)
        err = init_pods(a, fault);
    if (err != KM_OK)
        return err;
    init_controllers(a);
    err = node_status_init(a, fault);
    if (err == KM_OK)
        err = node_lease_init(a, fault);
    if (err == KM_OK)
        err = node_pods_init(a, fault);
    return err;
}

void km_agent_start(void)
{
    km_controller_add(&the_agent.node_ctl, NODE_KEY);
}

void km_agent_stop(void)
{
    struct agent *a = &the_agent;
    a->stopping = true;
    km_controller_shutdown(&a->node_ctl);
    km_controller_shutdown(&a->lease_ctl);
    km_controller_shutdown(&a->pod_ctl);
    km_informer_stop(&a->nodes);
    km_informer_stop(&a->pods);
}

bool km_agent_idle(void)
{
    const struct agent *a = &the_agent;
    return km_controller_idle(&a->node_ctl) && km_controller_idle(&a->lease_ctl) &&
           km_controller_idle(&a->pod_ctl);
}

bool km_agent_was_ready(void)
{
    return the_agent.was_ready;
}

static int64_t age(const struct agent *a, int64_t at_ms)
{
    return at_ms == 0 ? -1 : a->loop->now_ms - at_ms;
}

void km_agent_ages(struct km_agent_ages *out)
{
    const struct agent *a = &the_agent;
    out->lease_ms = age(a, a->lease.renewed_ms);
    out->nodes_ms = age(a, a->nodes.reflector.last_event_ms);
    out->pods_ms = age(a, a->pods.reflector.last_event_ms);
    out->pods_incomplete = a->pods.full;
}

const struct km_queue *const *km_agent_queues(void)
{
    return queues;
}
