/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two days of random accidents, by seed. After each one the world is put right, and the agent must be right again: Ready, caches
 * equal to the server's contents, nothing leaked, no complaint of the server. RIG_SEED=N in the environment runs that seed alone,
 * RIG_HOURS=N so many hours of each.
 */
#include <stdlib.h>

#include "rig.h"

#define SETTLE_MS 700000   /* a pod's last back-off alone may be five minutes */
#define PODS_MAX 60        /* fewer than the table: more come and go in the middle */
#define REQUESTS_FLOOR 400 /* of one accident: queues, five tries at once, lists in pages */

static struct km_rng dice;
static unsigned hour_requests, busiest_hour;
static int64_t hour_ms;
static bool has_copy, mute;

static int64_t roll(int64_t low, int64_t high)
{
    return km_rng_range(&dice, low, high + 1);
}

static bool chance(int percent)
{
    return roll(1, 100) <= percent;
}

/* ---- other people in the cluster ---- */

static void pod_name(char out[24])
{
    (void)snprintf(out, 24, "pod-%02d", (int)roll(0, 89));
}

static void churn(int count)
{
    char name[24];

    for (int i = 0; i < count; i++) {
        pod_name(name);
        if (api_get(API_PODS, "default", name) == NULL)
            api_add_pod("default", name, chance(90) ? API_NODE : "node-b");
        else if (chance(50))
            api_kill_pod("default", name);
        else if (chance(50))
            api_delete(API_PODS, "default", name);
        else
            api_edit(API_PODS, "default", name, "/metadata/labels/x", "\"y\"");
    }
}

static void thin_out(void)
{
    char name[24];

    for (int i = 89; i >= 0 && api_count(API_PODS) > PODS_MAX; i--) {
        (void)snprintf(name, sizeof name, "pod-%02d", i);
        api_delete(API_PODS, "default", name);
    }
}

static void edit_node(void)
{
    static const struct {
        const char *path, *json;
    } edits[] = {
        {"/metadata/labels/example.com~1by-hand", "\"1\""},
        {"/metadata/labels/example.com~1by-hand", NULL},
        {"/metadata/labels/kubernetes.io~1arch", "\"z80\""},
        {"/metadata/labels/kubernetes.io~1arch", NULL},
        {"/metadata/annotations/example.com~1note", "\"a \\\"note\\\"\""},
        {"/status/conditions", "[]"},
        {"/status/conditions/0/status", "\"Unknown\""},
        {"/status/conditions/0/message", "\"words of somebody else\""},
        {"/status/addresses", "[]"},
        {"/status/capacity/cpu", "\"64\""},
        {"/status/nodeInfo/osImage", "\"another\""},
        {"/spec/unschedulable", "true"},
        {"/spec/unschedulable", NULL},
    };
    size_t n = (size_t)roll(0, sizeof edits / sizeof edits[0] - 1);

    if (api_node() != NULL)
        api_edit_node(edits[n].path, edits[n].json);
}

static void edit_lease(void)
{
    if (chance(50))
        api_delete(API_LEASES, "kube-node-lease", API_NODE);
    else if (chance(50))
        api_edit(API_LEASES, "kube-node-lease", API_NODE, "/metadata/ownerReferences", NULL);
    else
        api_edit(API_LEASES, "kube-node-lease", API_NODE, "/metadata/labels/x", "\"y\"");
}

/* ---- accidents that a lease survives ---- */

static void nothing(void)
{
    rig_run(roll(1000, 40 * RIG_MINUTE));
}

static void people(void)
{
    for (int64_t i = roll(1, 8); i > 0; i--) {
        edit_node();
        churn((int)roll(0, 20));
        rig_run(roll(0, 5000));
    }
    if (chance(30))
        edit_lease();
}

static void wall_jump(void)
{
    km_sim_wall_set(roll(0, INT64_C(4000000000)) * 1000000);
    rig_run(roll(1000, 20 * RIG_MINUTE));
}

static void restart_server(void)
{
    km_sim_close_all();
    if (chance(50))
        api_compact();
}

static void end_streams(void)
{
    api.watch_ms = chance(50) ? roll(1, 60000) : 0;
    api_end_watches();
    if (chance(50))
        api_compact();
    rig_run(roll(1000, 5 * RIG_MINUTE));
}

static void machine_changes(void)
{
    struct km_sim_machine *m = km_sim_machine();

    m->disk.free_bytes = chance(50) ? 1 << 20 : UINT64_C(6) << 30;
    m->address_count = (size_t)roll(1, 2);
    (void)km_addr_parse(km_slice_of("fd00::7"), &m->addresses[1]);
    rig_run(roll(1000, 10 * RIG_MINUTE));
}

static void pieces(void)
{
    km_sim_shorten((uint64_t)roll(1, 1 << 30));
    churn((int)roll(0, 30));
    rig_run(roll(1000, 3 * RIG_MINUTE));
}

/* ---- accidents that may cost it ---- */

static void link_down(void)
{
    km_sim_link(false);
    rig_run(chance(70) ? roll(100, 60000) : roll(60000, RIG_HOUR));
    km_sim_link(true);
}

static void half_open(void)
{
    bool all = chance(50);
    int lane = (int)roll(0, rig.loop.conn_count - 1);

    for (int i = 0; i < rig.loop.conn_count; i++) {
        if ((all || i == lane) && rig.loop.conns[i]->fd >= 0)
            (void)km_sim_hang(rig.loop.conns[i]->fd);
    }
}

static void deaf_proxy(void)
{
    api_watch_drop_all();
    churn(5);
    rig_run(roll(1000, 3 * RIG_MINUTE));
}

static void restore_copy(void)
{
    if (!has_copy || chance(20)) {
        api_save();
        has_copy = true;
        return;
    }
    if (chance(30))
        api_restore_quietly();
    else
        api_restore();
    api_skip((uint64_t)roll(0, 3) * 20000);
    churn((int)roll(0, 10));
}

static void empty_store(void)
{
    api_empty();
    churn((int)roll(0, 10));
}

static void refusals(void)
{
    static const struct {
        int code;
        const char *reason;
    } codes[] = {{429, "TooManyRequests"},
                 {500, "InternalError"},
                 {503, "ServiceUnavailable"},
                 {504, "Timeout"},
                 {403, "Forbidden"},
                 {401, "Unauthorized"},
                 {409, "Conflict"},
                 {410, "Expired"},
                 {404, "NotFound"},
                 {502, ""},
                 {301, ""}};
    size_t n = (size_t)roll(0, sizeof codes / sizeof codes[0] - 1);
    unsigned times = chance(50) ? (unsigned)roll(1, 20) : UINT32_MAX;
    int after_s = chance(40) ? (int)roll(1, 90) : 0;

    api_fail((enum api_call)roll(0, API_ALL), times, codes[n].code, codes[n].reason, after_s);
    if (chance(50))
        km_sim_close_all();
    people();
    rig_run(roll(1000, 15 * RIG_MINUTE));
}

static void slow_server(void)
{
    for (enum api_call c = 0; c < API_CALL_COUNT; c++)
        api.delay_ms[c] = chance(50) ? roll(0, 20000) : 0;
    if (chance(50))
        km_sim_latency(roll(0, 2000));
    people();
    rig_run(roll(1000, 10 * RIG_MINUTE));
}

static void no_way(void)
{
    if (chance(50))
        km_sim_route(API_IP, API_PORT, (enum km_sim_route)roll(0, 2));
    else if (chance(50))
        km_sim_dns_error(API_HOST, KM_ERR_TIMEOUT);
    else
        km_sim_tls_result(chance(50) ? KM_ERR_CERT : KM_AGAIN, "scripted");
    if (chance(80))
        km_sim_close_all();
    rig_run(roll(1000, 30 * RIG_MINUTE));
}

static void failing_calls(void)
{
    for (int64_t i = roll(1, 4); i > 0; i--)
        km_sim_fail((enum km_sim_call)roll(KM_SIM_ANY, KM_SIM_CALL_COUNT - 1),
                    (uint64_t)roll(1, 200), (uint64_t)(chance(80) ? roll(1, 5) : 2000),
                    KM_SIM_NATURAL);
    people();
    rig_run(roll(1000, 5 * RIG_MINUTE));
}

static void cut_somewhere(void)
{
    km_sim_cut(chance(50) ? KM_SIM_TO_AGENT : KM_SIM_TO_SERVER, (uint64_t)roll(0, 20000),
               (enum km_sim_cut)roll(0, 2));
    people();
    rig_run(roll(1000, 2 * RIG_MINUTE));
}

static enum api_verdict lose_answers(const struct km_sim_request *rq, enum api_call call)
{
    (void)rq;
    (void)call;
    return mute && chance(30) ? API_MUTE : API_SERVE;
}

static void lost_answers(void)
{
    mute = true;
    people();
    rig_run(roll(1000, 10 * RIG_MINUTE));
}

static void garbage_events(void)
{
    static const char *const lines[] = {
        "{\"type\":\"ADDED\",\"object\":{}}\n", "<html>\n",
        "{\"type\":\"BOOKMARK\",\"object\":null}\n",
        ("{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":"
         "\"x\",\"resourceVersion\":\"9\"}}}\n"),
        "{\"type\":\"ADDED\",\"obj"};

    api_send_raw(chance(50) ? API_NODES : API_PODS, lines[roll(0, 4)]);
    rig_run(roll(0, 60000));
    /* What it made the cache believe, a new list takes back. */
    km_sim_close_all();
}

static void node_deleted(void)
{
    api_delete(API_NODES, "", API_NODE);
    rig_run(roll(0, 60000));
    if (chance(20) && api_node() == NULL)
        api_add_node("{\"kind\":\"Node\",\"apiVersion\":\"v1\"}");
}

static void suspended(void)
{
    km_sim_link(false);
    km_sim_advance(roll(1000, 2 * RIG_HOUR));
    km_sim_link(true);
}

static void restart_agent(void)
{
    rig_kill();
    if (chance(50))
        rig_pass(roll(1000, 5 * RIG_MINUTE));
    rig_start();
}

static const struct accident {
    const char *name;
    void (*happen)(void);
    bool lease_survives;
    int weight;
} accidents[] = {
    {"nothing", nothing, true, 6},
    {"people", people, true, 6},
    {"wall clock", wall_jump, true, 3},
    {"server restarts", restart_server, true, 4},
    {"streams end", end_streams, true, 3},
    {"the machine changes", machine_changes, true, 3},
    {"pieces", pieces, true, 3},
    {"link down", link_down, false, 4},
    {"half-open links", half_open, false, 4},
    {"deaf proxy", deaf_proxy, true, 3},
    {"restored store", restore_copy, false, 4},
    {"emptied store", empty_store, false, 2},
    {"refusals", refusals, false, 8},
    {"slow server", slow_server, false, 4},
    {"no way to the server", no_way, false, 4},
    {"failing calls", failing_calls, false, 6},
    {"cut", cut_somewhere, false, 5},
    {"lost answers", lost_answers, false, 4},
    {"garbage events", garbage_events, false, 3},
    {"node deleted", node_deleted, false, 3},
    {"suspended", suspended, false, 2},
    {"agent restarts", restart_agent, false, 2},
};
#define ACCIDENTS (sizeof accidents / sizeof accidents[0])

static const struct accident *pick(void)
{
    int64_t total = 0, at;
    size_t i = 0;

    for (size_t n = 0; n < ACCIDENTS; n++)
        total += accidents[n].weight;
    at = roll(0, total - 1);
    while (at >= accidents[i].weight)
        at -= accidents[i++].weight;
    return &accidents[i];
}

static void put_right(void)
{
    km_sim_link(true);
    km_sim_fail_clear();
    km_sim_shorten(0);
    km_sim_latency(1);
    km_sim_route(API_IP, API_PORT, KM_SIM_LISTEN);
    km_sim_dns(API_HOST, API_IP);
    km_sim_tls_result(KM_OK, "");
    api_fail(API_ALL, 0, 0, "", 0);
    for (enum api_call c = 0; c < API_CALL_COUNT; c++)
        api.delay_ms[c] = 0;
    api.watch_ms = 0;
    mute = false;
    thin_out();
}

/* ---- what must always hold ---- */

static void check_rate(unsigned requests, int64_t ms)
{
    /* Two watches that end at once come back each second, writes take turns with their answers: never faster. */
    rig_check_most(requests, REQUESTS_FLOOR + (uint64_t)ms * 3 / 1000);
    hour_requests += requests;
    if (km_port_now_ms() - hour_ms < RIG_HOUR)
        return;
    busiest_hour = hour_requests > busiest_hour ? hour_requests : busiest_hour;
    hour_requests = 0;
    hour_ms = km_port_now_ms();
}

static void check_lanes(void)
{
    for (uint16_t i = 0; i < rig.agent->client.lane_count; i++)
        rig_check(rig.agent->client.lanes[i]->waiting == NULL);
    rig_check(rig.loop.timers.refused == 0);
    rig_check_most(km_sim_open_sockets(), rig.loop.conn_count);
    rig_check_most(km_sim_open_tls(), rig.loop.conn_count);
    if (api.complaints > 0)
        rig_fail("the server complains: %s", api.complaint);
}

static void live_through(const struct accident *a, unsigned number, uint64_t seed)
{
    static char label[96];
    unsigned unknown = api.went_unknown, requests = api.requests;
    int64_t began_ms = km_port_now_ms();

    (void)snprintf(label, sizeof label, "RIG_SEED=%llu, accident %u: %s", (unsigned long long)seed,
                   number, a->name);
    rig.label = label;
    if (getenv("RIG_TELL") != NULL)
        fprintf(stderr, "%lld %s\n", (long long)began_ms, label);
    a->happen();
    put_right();
    (void)rig_settle(SETTLE_MS);
    check_lanes();
    check_rate(api.requests - requests, km_port_now_ms() - began_ms);
    if (a->lease_survives)
        rig_check(api.went_unknown == unknown);
}

/* Somebody may change the Node while a write waits for its turn or travels. */
static bool is_up_to_date(void)
{
    return !api.waited && strcmp(rig.agent->status.before_rv,
                                 doc_text(api_node(), "/metadata/resourceVersion")) == 0;
}

static void live(uint64_t seed, int64_t hours)
{
    int64_t until_ms;
    unsigned number = 0;

    rig_begin(seed);
    rig.verbosity = 0;
    km_sim_poll_limit(UINT64_MAX);
    km_rng_seed(&dice, seed * UINT64_C(0x9E3779B97F4A7C15));
    has_copy = mute = false;
    busiest_hour = hour_requests = 0;
    api.hook = lose_answers;
    api.is_up_to_date = is_up_to_date;
    api.node_was_swapped = true; /* and the settled state shows the right owner */
    rig_start();
    hour_ms = km_port_now_ms();
    until_ms = hour_ms + hours * RIG_HOUR;
    while (km_port_now_ms() < until_ms)
        live_through(pick(), ++number, seed);
    rig_end();
    rig.label = NULL;
    print_message("seed %llu: %u accidents in %d h, %u requests, %u in the busiest hour\n",
                  (unsigned long long)seed, number, (int)hours, api.requests, busiest_hour);
}

static void two_days(void **state)
{
    const char *seed = getenv("RIG_SEED"), *hours = getenv("RIG_HOURS");
    int64_t length = hours != NULL ? strtoll(hours, NULL, 10) : 48;

    (void)state;
    if (seed != NULL) {
        live(strtoull(seed, NULL, 10), length);
        return;
    }
    for (uint64_t s = 1; s <= (RIG_SLOW ? 2 : 10); s++)
        live(s, length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_days)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
