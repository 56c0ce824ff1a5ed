/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two days of random accidents, by seed. After each one the world is put right, and the agent must be right again: Ready, caches
 * equal to the server's contents, nothing leaked, no complaint of the server. accidents.h says how to run other seeds.
 */
#include "accidents.h"

#define SETTLE_MS 700000   /* a pod's last back-off alone may be five minutes */
#define PODS_MAX 60        /* fewer than the table: more come and go in the middle */
#define REQUESTS_FLOOR 400 /* of one accident: queues, five tries at once, lists in pages */

static unsigned hour_requests, busiest_hour;
static int64_t hour_ms;

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

static void machine_changes(void)
{
    struct km_sim_machine *m = km_sim_machine();

    m->disk.free_bytes = chance(50) ? 1 << 20 : UINT64_C(6) << 30;
    m->address_count = (size_t)roll(1, 2);
    (void)km_addr_parse(km_slice_of("fd00::7"), &m->addresses[1]);
    rig_run(roll(1000, 10 * RIG_MINUTE));
}

/* ---- accidents that may cost it ---- */

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

static const struct accident accidents[] = {
    {"nothing", nothing, true, 6},
    {"people", people, true, 6},
    {"wall clock", wall_jump, true, 3},
    {"server restarts", accident_restart_server, true, 4},
    {"streams end", accident_end_streams, true, 3},
    {"the machine changes", machine_changes, true, 3},
    {"pieces", accident_pieces, true, 3},
    {"link down", accident_link_down, false, 4},
    {"half-open links", accident_half_open, false, 4},
    {"deaf proxy", accident_deaf_proxy, true, 3},
    {"restored store", accident_restore_copy, false, 4},
    {"emptied store", accident_empty_store, false, 2},
    {"another server", accident_other_server, true, 3},
    {"ERROR events", accident_error_event, false, 4},
    {"refusals", accident_refusals, false, 8},
    {"slow server", accident_slow_server, false, 4},
    {"no way to the server", accident_no_way, false, 4},
    {"failing calls", accident_failing_calls, false, 6},
    {"cut", accident_cut, false, 5},
    {"lost answers", accident_lost_answers, false, 4},
    {"garbage events", accident_garbage_events, false, 3},
    {"node deleted", node_deleted, false, 3},
    {"suspended", suspended, false, 2},
    {"agent restarts", restart_agent, false, 2},
};
#define ACCIDENTS (sizeof accidents / sizeof accidents[0])

/* ---- what must always hold ---- */

static void check_rate(unsigned requests, unsigned pages, int64_t ms)
{
    /* Two watches that end at once come back each second, writes take turns with their answers: never faster. */
    rig_check_most(requests, REQUESTS_FLOOR + pages + (uint64_t)ms * 3 / 1000);
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

/* Two at once, now and then; but an agent that starts meets one alone. */
static bool befall(const struct accident *a)
{
    const struct accident *other = accident_pick(accidents, ACCIDENTS);

    a->happen();
    if (!chance(25) || a->happen == restart_agent || other->happen == restart_agent)
        return a->lease_survives;
    other->happen();
    return a->lease_survives && other->lease_survives;
}

static void live_through(const struct accident *a, unsigned number, uint64_t seed)
{
    unsigned unknown = api.went_unknown, requests = api.requests, pages = api.pages;
    int64_t began_ms = km_port_now_ms();

    accident_tell(a, number, seed);
    bool survives = befall(a);
    accident_put_right();
    thin_out();
    (void)rig_settle(SETTLE_MS);
    check_lanes();
    check_rate(api.requests - requests, api.pages - pages, km_port_now_ms() - began_ms);
    if (survives)
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
    accidents_begin(seed, &(const struct accident_people){people, churn});
    busiest_hour = hour_requests = 0;
    api.is_up_to_date = is_up_to_date;
    api.node_was_swapped = true; /* and the settled state shows the right owner */
    rig_start();
    hour_ms = km_port_now_ms();
    until_ms = hour_ms + hours * RIG_HOUR;
    while (km_port_now_ms() < until_ms)
        live_through(accident_pick(accidents, ACCIDENTS), ++number, seed);
    rig_end();
    rig.label = NULL;
    print_message("seed %llu: %u accidents in %d h, %u requests, %u in the busiest hour\n",
                  (unsigned long long)seed, number, (int)hours, api.requests, busiest_hour);
}

static void two_days(void **state)
{
    (void)state;
    accident_seeds(RIG_SLOW ? 2 : 10, live, 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_days)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
