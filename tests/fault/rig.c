/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

#include <stdlib.h>

#include "kubemote/km_log.h"

#define MESSAGES 256

struct message {
    const char *text; /* static in the agent */
    char severity;
    unsigned count;
};

struct rig rig;
static struct message messages[MESSAGES];
static int64_t renewed_before_ms;
static struct agent *the_agent; /* found at the first start: static storage of the agent */

/* ---- log ---- */

static void read_text(const char *text)
{
    volatile size_t len = text == NULL ? 0 : strlen(text);

    (void)len;
}

/* Reads every value, so that a checker sees those that are not there any more. */
static void read_pairs(const struct km_log_record *record)
{
    for (size_t i = 0; i < record->pair_count; i++) {
        const struct km_kv *kv = &record->pairs[i];

        read_text(kv->key);
        if (kv->type == KM_KV_STR)
            read_text(kv->value.str);
        if (kv->type == KM_KV_OBJECT)
            read_text(kv->value.object.name);
        for (size_t n = 0; kv->type == KM_KV_SLICE && n < kv->value.slice.len; n++)
            (void)*(const volatile char *)(kv->value.slice.ptr + n);
    }
}

static void print_record(const struct km_log_record *record)
{
    fprintf(stderr, "  %lld %c %s%s%s", (long long)km_port_now_ms(), record->severity,
            record->message, record->err != NULL ? ": " : "",
            record->err != NULL ? record->err : "");
    for (size_t i = 0; i < record->pair_count; i++) {
        const struct km_kv *kv = &record->pairs[i];

        if (kv->type == KM_KV_STR)
            fprintf(stderr, " %s=%s", kv->key, kv->value.str);
        else if (kv->type == KM_KV_I64 || kv->type == KM_KV_U64)
            fprintf(stderr, " %s=%lld", kv->key, (long long)kv->value.i64);
    }
    fprintf(stderr, "\n");
}

static void on_record(void *ctx, const struct km_log_record *record)
{
    static int wanted = -1;

    (void)ctx;
    if (wanted < 0)
        wanted = getenv("RIG_LOG") != NULL;
    if (wanted)
        print_record(record);
    read_text(record->err);
    read_pairs(record);
    if (record->err != NULL)
        (void)snprintf(rig.last_error, sizeof rig.last_error, "%s", record->err);
    rig.log_lines++;
    for (size_t i = 0; i < MESSAGES; i++) {
        struct message *m = &messages[i];

        if (m->text == NULL)
            *m = (struct message){.text = record->message, .severity = record->severity};
        if (m->text != record->message && strcmp(m->text, record->message) != 0)
            continue;
        m->count++;
        return;
    }
}

unsigned rig_logged(const char *message)
{
    for (size_t i = 0; i < MESSAGES && messages[i].text != NULL; i++) {
        if (strcmp(messages[i].text, message) == 0)
            return messages[i].count;
    }
    return 0;
}

void rig_log_clear(void)
{
    memset(messages, 0, sizeof messages);
    rig.log_lines = 0;
}

void rig_log_print(void)
{
    for (size_t i = 0; i < MESSAGES && messages[i].text != NULL; i++)
        fprintf(stderr, "    %5u x %c %s\n", messages[i].count, messages[i].severity,
                messages[i].text);
    for (enum api_call c = 0; c < API_CALL_COUNT; c++) {
        if (api.calls[c] > 0)
            fprintf(stderr, "    %5u x %s\n", api.calls[c], api_call_name(c));
    }
}

/* A test that failed leaves its sockets; the next one begins with a reset. */
void rig_failed(const char *file, int line, const char *text)
{
    fprintf(stderr, "%s:%d: %s%s%s (at %lld ms, last fault: %s)\n", file, line,
            rig.label != NULL ? rig.label : "", rig.label != NULL ? ": " : "", text,
            (long long)km_port_now_ms(), km_sim_last_fault());
    rig_log_print();
    fail_msg("%s", text);
}

/* ---- scene ---- */

static void set_machine(void)
{
    km_sim_file(
        "/proc/meminfo",
        "MemTotal:         512000 kB\nMemFree:          200000 kB\nMemAvailable:     300000 kB\n");
    km_sim_file("/proc/loadavg", "0.20 0.18 0.12 1/80 11206\n");
    km_sim_file("/proc/sys/kernel/pid_max", "32768\n");
    km_sim_file("/proc/sys/kernel/threads-max", "7800\n");
    km_sim_file("/proc/sys/kernel/random/boot_id", "3b7d7a5e-5f0c-4b8a-9a55-0d6cf0a7e101\n");
    km_sim_file("/etc/machine-id", "b5a8f2d4c6e84c0f9f6f6a2f1f7f0b21\n");
    km_sim_file("/sys/class/dmi/id/product_uuid", "7d3a0b1e-0000-4000-8000-000000000001\n");
    km_sim_file("/etc/os-release", "NAME=\"Sim\"\nPRETTY_NAME=\"Sim OS 1\"\n");
}

static void set_kubeconfig(void)
{
    struct km_kubeconfig *k = &rig.kubeconfig;

    memset(k, 0, offsetof(struct km_kubeconfig, store));
    k->tls = true;
    k->port = API_PORT;
    (void)snprintf(k->host, sizeof k->host, "%s", API_HOST);
    (void)snprintf(k->authority, sizeof k->authority, "%s:%d", API_HOST, API_PORT);
    (void)snprintf(k->server_name, sizeof k->server_name, "%s", API_HOST);
    (void)snprintf(k->source, sizeof k->source, "test");
    (void)snprintf(k->store, sizeof k->store, "%s", API_TOKEN);
    k->token = km_slice_of(k->store);
}

void rig_begin(uint64_t seed)
{
    km_sim_reset(seed);
    api_reset();
    set_machine();
    set_kubeconfig();
    km_node_config_defaults(&rig.config);
    rig.config.node_name = API_NODE;
    rig.verbosity = -1;
    rig.agent = NULL;
    rig.rows = 0;
    rig.row[0] = '\0';
    rig_log_clear();
}

static void on_row(void *ctx, const char *line)
{
    (void)ctx;
    rig.rows++;
    (void)snprintf(rig.row, sizeof rig.row, "%s", line);
}

#define CONTAINER(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

static struct agent *find_agent(void)
{
    struct km_lane *lane = CONTAINER(rig.loop.conns[0], struct km_lane, conn);

    return CONTAINER(lane->client, struct agent, client);
}

void rig_log_start(void)
{
    const struct km_log_sink sink = {.write = on_record,
                                     .verbosity = rig.verbosity < 0 ? 9 : rig.verbosity};

    km_log_set_sink(&sink);
}

int rig_try_start(struct km_fault *fault)
{
    const struct km_agent_options options = {
        .config = &rig.config, .kubeconfig = &rig.kubeconfig, .print = on_row};
    int err;

    km_fault_clear(fault);
    rig_log_start();
    /* A process starts with zeroes; here many agents live one after another. */
    if (the_agent != NULL)
        memset(the_agent, 0, sizeof *the_agent);
    km_loop_init(&rig.loop);
    err = km_agent_init(&options, &rig.loop, fault);
    if (err != KM_OK)
        return err;
    the_agent = rig.agent = find_agent();
    km_agent_start();
    return KM_OK;
}

void rig_start(void)
{
    struct km_fault fault;

    if (rig_try_start(&fault) != KM_OK)
        rig_fail("the agent does not start: %s", fault.text);
}

void rig_run(int64_t ms)
{
    int64_t until_ms = km_port_now_ms() + ms, now_ms;

    renewed_before_ms = km_port_now_ms();
    while ((now_ms = km_port_now_ms()) < until_ms) {
        km_loop_turn(&rig.loop, until_ms - now_ms);
        if (rig.turned != NULL)
            rig.turned();
    }
}

void rig_pass(int64_t ms)
{
    int64_t until_ms = km_port_now_ms() + ms, now_ms;

    while ((now_ms = km_port_now_ms()) < until_ms)
        (void)km_port_poll(NULL, 0, until_ms - now_ms);
}

bool rig_until(bool (*done)(void), int64_t limit_ms)
{
    int64_t until_ms = km_port_now_ms() + limit_ms, now_ms;

    renewed_before_ms = km_port_now_ms();
    while (!done()) {
        now_ms = km_port_now_ms();
        if (now_ms >= until_ms)
            return false;
        km_loop_turn(&rig.loop, until_ms - now_ms);
    }
    return true;
}

bool rig_is_ready(void)
{
    return strcmp(api_condition("Ready", "status"), "True") == 0;
}

bool rig_is_renewed(void)
{
    return api.renewed_ms > renewed_before_ms;
}

/* ---- is all well? ---- */

static const char *node_difference_to_server(void)
{
    const struct km_node *have = agent_node(rig.agent);
    const struct doc *want = api_node();
    const struct km_node_condition *ready;

    if ((have == NULL) != (want == NULL))
        return have == NULL ? "the cache lacks the Node"
                            : "the cache has a Node that the server lacks";
    if (have == NULL)
        return NULL;
    if (strcmp(have->f.rv, doc_text(want, "/metadata/resourceVersion")) != 0)
        return "the cached Node has another resourceVersion";
    if (strcmp(have->f.uid, doc_text(want, "/metadata/uid")) != 0)
        return "the cached Node has another uid";
    ready = node_condition(have, "Ready");
    if (strcmp(ready == NULL ? "" : ready->status, api_condition("Ready", "status")) != 0)
        return "the cached Node has another Ready condition";
    return NULL;
}

static const char *pod_difference(const struct doc *pod)
{
    const struct km_cache *cache = rig.agent->pods.cache;
    const struct km_pod *have;
    char key[320];
    uint16_t slot;

    (void)snprintf(key, sizeof key, "%s/%s", doc_text(pod, "/metadata/namespace"),
                   doc_text(pod, "/metadata/name"));
    if (km_cache_find(cache, km_slice_of(key), &slot) != KM_OK)
        return "the cache lacks a pod";
    have = km_cache_get(cache, slot);
    if (strcmp(have->rv, doc_text(pod, "/metadata/resourceVersion")) != 0)
        return "a cached pod has another resourceVersion";
    if (strcmp(have->uid, doc_text(pod, "/metadata/uid")) != 0)
        return "a cached pod has another uid";
    if (strcmp(have->deleted, doc_text(pod, "/metadata/deletionTimestamp")) != 0)
        return "a cached pod has another deletionTimestamp";
    return NULL;
}

const char *rig_cache_difference(void)
{
    const char *difference = node_difference_to_server();
    size_t bound = 0;

    for (const struct doc *pod = api_next(API_PODS, NULL); pod != NULL && difference == NULL;
         pod = api_next(API_PODS, pod)) {
        if (strcmp(doc_text(pod, "/spec/nodeName"), API_NODE) != 0)
            continue;
        bound++;
        difference = pod_difference(pod);
    }
    if (difference == NULL && bound != km_cache_count(rig.agent->pods.cache))
        difference = "the cache has pods that the server lacks";
    return difference;
}

static bool has_dying_pod(void)
{
    for (const struct doc *pod = api_next(API_PODS, NULL); pod != NULL;
         pod = api_next(API_PODS, pod)) {
        if (strcmp(doc_text(pod, "/spec/nodeName"), API_NODE) == 0 &&
            doc_find(pod, "/metadata/deletionTimestamp") != NULL)
            return true;
    }
    return false;
}

static const char *under_way(void)
{
    const struct agent *a = rig.agent;

    if (a->recorder.count != 0 || a->recorder.pool.used != 0)
        return "events wait";
    if (km_request_busy(&a->status.request) || km_request_busy(&a->finisher.request))
        return "a write is under way";
    if (a->client.link_down)
        return "the link is said to be down";
    if (a->status.in_trouble || a->lease.in_trouble)
        return "an episode of refused writes is said to be under way";
    if (a->nodes.reflector.in_trouble || a->pods.reflector.in_trouble)
        return "an episode of broken watches is said to be under way";
    return NULL;
}

const char *rig_unsettled(void)
{
    const struct agent *a = rig.agent;
    const char *difference;

    if (!rig_is_ready())
        return "the Node is not Ready on the server";
    if (api_lease() == NULL || km_port_now_ms() - api.renewed_ms > 15000)
        return "the lease is not fresh";
    if (!api_lease_is_owned(api_lease()))
        return "the lease is not owned by its Node";
    if (a->nodes.reflector.state != KM_WATCH_WATCHING ||
        a->pods.reflector.state != KM_WATCH_WATCHING)
        return "a reflector does not watch";
    if (api_watch_count(API_NODES) != 1 || api_watch_count(API_PODS) != 1)
        return "the server does not see one watch of each";
    if (a->config->finish_pods && has_dying_pod())
        return "a pod waits for its end";
    difference = rig_cache_difference();
    return difference != NULL ? difference : under_way();
}

int64_t rig_settle(int64_t limit_ms)
{
    int64_t began_ms = km_port_now_ms(), good_ms = -1, now_ms;
    const char *why = NULL;

    while ((now_ms = km_port_now_ms()) < began_ms + limit_ms) {
        why = rig_unsettled();
        if (why != NULL)
            good_ms = -1;
        else if (good_ms < 0)
            good_ms = now_ms;
        else if (now_ms - good_ms >= 3000)
            return good_ms - began_ms;
        km_loop_turn(&rig.loop,
                     good_ms < 0 ? began_ms + limit_ms - now_ms : good_ms + 3000 - now_ms);
    }
    rig_fail("not settled after %lld ms: %s", (long long)limit_ms,
             why == NULL ? "good for a moment only" : why);
    return limit_ms;
}

/* ---- the end ---- */

static void close_links(void)
{
    for (uint16_t i = 0; i < rig.loop.conn_count; i++)
        km_conn_abort(rig.loop.conns[i], KM_ERR_CANCELED, "the test ends", rig.loop.now_ms);
}

bool rig_stop(void)
{
    int64_t until_ms = km_port_now_ms() + 15000, now_ms;

    km_agent_stop();
    while (!km_agent_idle() && (now_ms = km_port_now_ms()) < until_ms)
        km_loop_turn(&rig.loop, until_ms - now_ms);
    return km_agent_idle();
}

static void check_lanes(void)
{
    for (uint16_t i = 0; i < rig.agent->client.lane_count; i++) {
        const struct km_lane *lane = rig.agent->client.lanes[i];

        if (lane->active != NULL || lane->waiting != NULL)
            rig_fail("lane %s still has a request", lane->conn.name);
    }
}

static void check_pools(void)
{
    for (const struct km_pool *pool = km_pool_first(); pool != NULL; pool = pool->next) {
        bool holds_objects = strcmp(pool->name, "conn") == 0 ||
                             strcmp(pool->name, "node_cache") == 0 ||
                             strcmp(pool->name, "pod_cache") == 0;

        if (!holds_objects && pool->used != 0)
            rig_fail("pool %s still holds %u", pool->name, pool->used);
    }
    rig_check(rig.loop.timers.refused == 0);
}

void rig_end(void)
{
    rig_check(rig_stop());
    check_pools();
    close_links();
    check_lanes();
    if (km_sim_leaks() != 0)
        rig_fail("leaks: %d sockets, %d TLS, %d look-ups", km_sim_open_sockets(), km_sim_open_tls(),
                 km_sim_open_resolves());
    if (api.complaints > 0)
        rig_fail("%u complaints of the server, the first: %s", api.complaints, api.complaint);
    api_close();
}

void rig_kill(void)
{
    close_links();
    rig.agent = NULL;
}
