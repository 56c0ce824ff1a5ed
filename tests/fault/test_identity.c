/* SPDX-License-Identifier: Apache-2.0 */
/* One name, one machine: doubles under the same name, Nodes that are deleted, pods that nobody else can finish. */
#include "rig.h"

#define DUPLICATE "kubemote.io/DuplicateNode"

static void begin_ready(void)
{
    rig_begin(1);
    rig.verbosity = 0;
    rig_start();
    (void)rig_settle(15000);
    rig_run(20000);
    rig_log_clear();
}

static void write_as_another(const char *member)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/status/nodeInfo/%s", member);
    api_edit_node(path, "\"0000aaaa0000aaaa0000aaaa0000aaaa\"");
}

/* ---- two machines ---- */

static void another_machine(void **state)
{
    static const char *const members[] = {"machineID", "bootID"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        unsigned writes;

        rig.label = members[i];
        begin_ready();
        write_as_another(members[i]);
        rig_run(15000); /* answered once: it may have been a restored store */
        rig_check(rig_unsettled() == NULL);
        write_as_another(members[i]);
        rig_run(30000);
        rig_check(strcmp(api_condition(DUPLICATE, "status"), "True") == 0);
        rig_check(strcmp(api.last_event, "DuplicateNode") == 0 && api.events == 1);
        rig_check(rig_logged("Another machine runs under this node name: nothing is written any "
                             "more. Give one of them another name.") == 1);
        writes = api.writes;
        api_edit_node("/status/conditions/0/status", "\"Unknown\"");
        api_add_pod("default", "a", API_NODE);
        api_kill_pod("default", "a");
        rig_run(24 * RIG_HOUR);
        rig_check(api.writes == writes);
        rig_check_most(rig.log_lines, 6);
        rig_check(rig_cache_difference() == NULL); /* it goes on looking */
        /* Started again by a person who has settled it. */
        rig_kill();
        rig_start();
        (void)rig_settle(30000);
        rig_check(api_condition(DUPLICATE, "status")[0] == '\0');
        rig_end();
    }
    rig.label = NULL;
}

/* Far apart they are restored stores, each of them answered. */
static void restored_now_and_then(void **state)
{
    (void)state;
    begin_ready();
    for (int i = 0; i < 10; i++) {
        write_as_another("machineID");
        rig_run(RIG_HOUR);
        rig_check(rig_unsettled() == NULL);
    }
    rig_check(api_condition(DUPLICATE, "status")[0] == '\0');
    rig_end();
}

/* ---- a Node that is deleted ---- */

static bool is_there(void)
{
    return api_node() != NULL;
}

static void made_again_slowly(void **state)
{
    static const int64_t delays_s[] = {10, 20, 40, 80, 160, 300, 300, 300};

    (void)state;
    begin_ready();
    for (size_t i = 0; i < sizeof delays_s / sizeof delays_s[0]; i++) {
        int64_t began_ms = km_port_now_ms();
        unsigned events = api.events;

        api_delete(API_NODES, "", API_NODE);
        rig_check(!rig_until(is_there, delays_s[i] * 1000 - 1000));
        rig_check(rig_until(is_there, 3000));
        rig_check_most(km_port_now_ms() - began_ms, delays_s[i] * 1000 + 2000);
        rig_check(doc_find(api_node(), "/spec/taints") != NULL); /* made whole, not by a patch */
        (void)rig_settle(60000);
        rig_check(api.events == events + 1 && strcmp(api.last_event, "NodeRecreated") == 0);
    }
    rig_check_most(rig.log_lines, 8 * 3);
    rig_end();
}

static void not_made_again(void **state)
{
    (void)state;
    rig_begin(1);
    rig.verbosity = 0;
    rig.config.recreate_node = false;
    rig_start();
    (void)rig_settle(15000);
    api_delete(API_NODES, "", API_NODE);
    rig_run(24 * RIG_HOUR);
    rig_check(api_node() == NULL && api.calls[API_NODE_CREATE] == 1);
    rig_check(api_lease() == NULL); /* the controller's garbage collection; not made again either */
    rig_check_most(rig.log_lines, 4);
    /* A person makes it: it is taken. */
    api_add_node("{\"kind\":\"Node\",\"apiVersion\":\"v1\"}");
    (void)rig_settle(30000);
    rig_end();
}

/* ---- pods ---- */

static void pods_that_end(void **state)
{
    (void)state;
    begin_ready();
    for (int i = 0; i < 40; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "pod-%d", i);
        api_add_pod(i % 2 == 0 ? "a" : "b", name, API_NODE);
    }
    api_add_pod("a", "elsewhere", "node-b");
    api_add_pod("a", "stays", API_NODE);
    rig_run(5000);
    api_kill_pod("a", "elsewhere");
    for (int i = 0; i < 40; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "pod-%d", i);
        api_kill_pod(i % 2 == 0 ? "a" : "b", name);
    }
    rig_check_most(rig_settle(10000), 5000);
    rig_check(api_count(API_PODS) == 2 && api.calls[API_POD_DELETE] == 40);
    rig_check(api_get(API_PODS, "a", "elsewhere") != NULL &&
              api_get(API_PODS, "a", "stays") != NULL);
    rig_end();
}

/* Its grace is over already: whoever holds it is another. */
static void pods_without_grace(void **state)
{
    (void)state;
    begin_ready();
    api_add_pod("a", "held", API_NODE);
    api_edit(API_PODS, "a", "held", "/metadata/finalizers", "[\"example.com/hold\"]");
    api_kill_pod("a", "held");
    rig_run(60000);
    rig_check(api_get(API_PODS, "a", "held") != NULL);
    rig_check(api.calls[API_POD_DELETE] == 1);
    rig_run(RIG_HOUR);
    rig_check(api.calls[API_POD_DELETE] == 1);
    api_delete(API_PODS, "a", "held");
    (void)rig_settle(15000);
    rig_end();
}

static void pods_left_alone(void **state)
{
    (void)state;
    rig_begin(1);
    rig.verbosity = 0;
    rig.config.finish_pods = false;
    rig_start();
    api_add_pod("a", "x", API_NODE);
    api_kill_pod("a", "x");
    rig_run(RIG_HOUR);
    rig_check(api.calls[API_POD_DELETE] == 0 && api_count(API_PODS) == 1);
    rig_end();
}

static enum api_verdict made_anew(const struct km_sim_request *rq, enum api_call call)
{
    (void)rq;
    if (call != API_POD_DELETE || api.calls[API_POD_DELETE] != 1)
        return API_SERVE;
    api_delete(API_PODS, "a", "x");
    api_add_pod("a", "x", API_NODE);
    return API_SERVE;
}

/* A StatefulSet's pod comes back under its name while the request travels: the new one lives. */
static void pod_of_the_same_name(void **state)
{
    (void)state;
    begin_ready();
    api.hook = made_anew;
    api_add_pod("a", "x", API_NODE);
    api_kill_pod("a", "x");
    (void)rig_settle(15000);
    rig_run(RIG_HOUR);
    rig_check(api.calls[API_POD_DELETE] == 1 && api_get(API_PODS, "a", "x") != NULL);
    rig_end();
}

static void a_pod_that_nobody_may_end(void **state)
{
    (void)state;
    begin_ready();
    api_fail(API_POD_DELETE, UINT32_MAX, 403, "Forbidden", 0);
    api_add_pod("a", "x", API_NODE);
    api_kill_pod("a", "x");
    rig_run(24 * RIG_HOUR);
    /* 1 s doubling to 5 minutes. */
    rig_check(api.calls[API_POD_DELETE] > 200);
    rig_check_most(api.calls[API_POD_DELETE], 310);
    rig_check_most(rig.log_lines, 2);
    api_fail(API_ALL, 0, 0, "", 0);
    (void)rig_settle(310000);
    rig_end();
}

/* ---- more pods than the table holds ---- */

#define CROWD (CONFIG_KM_POD_COUNT * 2)

static void crowd(void **state)
{
    char name[16];
    unsigned before;

    (void)state;
    begin_ready();
    for (int i = 0; i < CROWD; i++) {
        (void)snprintf(name, sizeof name, "pod-%03d", i);
        api_add_pod("a", name, API_NODE);
    }
    rig_run(60000);
    rig_check(km_cache_count(rig.agent->pods.cache) == CONFIG_KM_POD_COUNT);
    rig_check(rig_logged("The cache is full, an object was left out") == 1);
    rig_check(rig.agent->pods.reflector.refused.value == CROWD - CONFIG_KM_POD_COUNT);
    rig_check(rig.agent->pods.cache->pool.refused >= CROWD - CONFIG_KM_POD_COUNT);
    /* Those outside the table come and go for an hour. */
    before = api.requests;
    for (int i = 0; i < 720; i++) {
        (void)snprintf(name, sizeof name, "pod-%03d", (int)(CROWD - 1 - i % 32));
        if (api_get(API_PODS, "a", name) != NULL)
            api_delete(API_PODS, "a", name);
        else
            api_add_pod("a", name, API_NODE);
        rig_run(5000);
    }
    rig_check_most(api.requests - before, 450 + 360);
    rig_check_most(rig.log_lines, 4);
    rig_check(api.went_unknown == 0);
    /* All of them are to end: in turns, as the table gets room. */
    for (int i = 0; i < CROWD; i++) {
        (void)snprintf(name, sizeof name, "pod-%03d", i);
        api_kill_pod("a", name);
    }
    (void)rig_settle(120000);
    rig_check(api_count(API_PODS) == 0);
    rig_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_machine),
        cmocka_unit_test(restored_now_and_then),
        cmocka_unit_test(made_again_slowly),
        cmocka_unit_test(not_made_again),
        cmocka_unit_test(pods_that_end),
        cmocka_unit_test(pods_without_grace),
        cmocka_unit_test(pods_left_alone),
        cmocka_unit_test(pod_of_the_same_name),
        cmocka_unit_test(a_pod_that_nobody_may_end),
        cmocka_unit_test(crowd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
