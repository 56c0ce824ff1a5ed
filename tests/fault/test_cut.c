/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cut everywhere: from start to Ready to the first lease renewal, one connection is cut after byte i of all that was sent
 * in one direction, for every i, by FIN and by RST, and for a sample by silence. Then somebody changes the Node and the pods,
 * and the agent must be right again.
 */
#include "rig.h"

#define START_MS 11000 /* the first renewal is behind */
#define SETTLE_MS 240000

static uint64_t length[2];

static void exchange(void)
{
    rig_start();
    rig_run(START_MS);
}

/* What only a live watch shows. */
static void disturb(void)
{
    api_edit_node("/metadata/labels/example.com~1by-hand", "\"1\"");
    api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
    api_add_pod("default", "stays", API_NODE);
    api_add_pod("default", "goes", API_NODE);
    api_kill_pod("default", "goes");
}

static void check_disturbed(void)
{
    const struct doc *labels = doc_find(api_node(), "/metadata/labels");

    rig_check(strcmp(doc_text(labels, "/kubernetes.io~1arch"), rig.agent->facts.architecture) == 0);
    rig_check(strcmp(doc_text(labels, "/example.com~1by-hand"), "1") == 0);
    rig_check(api_get(API_PODS, "default", "goes") == NULL);
    rig_check(api_get(API_PODS, "default", "stays") != NULL);
}

static void try_cut(enum km_sim_dir dir, uint64_t at, enum km_sim_cut how)
{
    char label[80];

    (void)snprintf(label, sizeof label, "cut %s after byte %llu, way %d",
                   dir == KM_SIM_TO_AGENT ? "to the agent" : "to the server",
                   (unsigned long long)at, (int)how);
    rig.label = label;
    rig_begin(1);
    km_sim_cut(dir, at, how);
    exchange();
    rig_check(km_sim_cut_done(dir));
    disturb();
    (void)rig_settle(SETTLE_MS);
    check_disturbed();
    rig_end();
    rig.label = NULL;
}

static void try_all(enum km_sim_dir dir, enum km_sim_cut how, uint64_t step)
{
    rig_check(length[dir] > 2000);
    for (uint64_t i = 0; i < length[dir]; i += step)
        try_cut(dir, i, how);
}

static void measure(void **state)
{
    (void)state;
    rig_begin(1);
    exchange();
    rig_check(api.calls[API_LEASE_PATCH] == 1);
    length[KM_SIM_TO_AGENT] = km_sim_bytes(KM_SIM_TO_AGENT);
    length[KM_SIM_TO_SERVER] = km_sim_bytes(KM_SIM_TO_SERVER);
    disturb();
    (void)rig_settle(10000);
    check_disturbed();
    rig_end();
}

static void to_agent_fin(void **state)
{
    (void)state;
    try_all(KM_SIM_TO_AGENT, KM_SIM_CUT_FIN, RIG_SLOW ? 13 : 1);
}

static void to_agent_rst(void **state)
{
    (void)state;
    try_all(KM_SIM_TO_AGENT, KM_SIM_CUT_RST, RIG_SLOW ? 17 : 1);
}

static void to_agent_silence(void **state)
{
    (void)state;
    try_all(KM_SIM_TO_AGENT, KM_SIM_CUT_HANG, RIG_SLOW ? 97 : 11);
}

static void to_server_fin(void **state)
{
    (void)state;
    try_all(KM_SIM_TO_SERVER, KM_SIM_CUT_FIN, RIG_SLOW ? 13 : 1);
}

static void to_server_rst(void **state)
{
    (void)state;
    try_all(KM_SIM_TO_SERVER, KM_SIM_CUT_RST, RIG_SLOW ? 17 : 1);
}

static void to_server_silence(void **state)
{
    (void)state;
    try_all(KM_SIM_TO_SERVER, KM_SIM_CUT_HANG, RIG_SLOW ? 97 : 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measure),           cmocka_unit_test(to_agent_fin),
        cmocka_unit_test(to_agent_rst),      cmocka_unit_test(to_agent_silence),
        cmocka_unit_test(to_server_fin),     cmocka_unit_test(to_server_rst),
        cmocka_unit_test(to_server_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
