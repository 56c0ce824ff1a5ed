/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cut everywhere: one connection is cut after byte i of all that is sent in one direction, for every i, by FIN, by RST and by
 * silence: from start to Ready to the first lease renewal, and through a settled life with edits, pods, renewals and streams
 * that end. Then somebody changes the Node and the pods, and the agent must be right again.
 */
#include "rig.h"

#define START_MS 11000 /* the first renewal is behind */
#define SETTLE_MS 240000

static void start(void)
{
    rig_start();
    rig_run(START_MS);
}

/* Behind the start: what a settled agent sends and receives. */
static void steady(void)
{
    api_edit_node("/status/conditions/0/status", "\"Unknown\"");
    rig_run(2000);
    api_add_pod("default", "short", API_NODE);
    rig_run(2000);
    api_kill_pod("default", "short");
    rig_run(2000);
    api_end_watches();
    rig_run(12000);
}

static const struct scene {
    const char *name;
    void (*before)(void), (*exchange)(void);
} scenes[] = {{"start", NULL, start}, {"steady", start, steady}};

static uint64_t length[2][2]; /* of the scene, in that direction */

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

static void begin(const struct scene *s)
{
    rig_begin(1);
    if (s->before != NULL)
        s->before();
}

static void end(void)
{
    disturb();
    (void)rig_settle(SETTLE_MS);
    check_disturbed();
    rig_end();
}

static void try_cut(const struct scene *s, enum km_sim_dir dir, uint64_t at, enum km_sim_cut how)
{
    char label[80];

    (void)snprintf(label, sizeof label, "%s cut %s after byte %llu, way %d", s->name,
                   dir == KM_SIM_TO_AGENT ? "to the agent" : "to the server",
                   (unsigned long long)at, (int)how);
    rig.label = label;
    begin(s);
    km_sim_cut(dir, at, how);
    s->exchange();
    rig_check(km_sim_cut_done(dir));
    end();
    rig.label = NULL;
}

/* Checkers take every fifth byte and one way for it, in turn; the plain build takes all bytes and all ways. */
static void try_all(size_t scene, enum km_sim_dir dir)
{
    rig_check(length[scene][dir] > 2000);
    for (uint64_t i = 0; i < length[scene][dir]; i += RIG_SLOW ? 5 : 1) {
        for (unsigned how = 0; how < 3; how++) {
            if (!RIG_SLOW || i / 5 % 3 == how)
                try_cut(&scenes[scene], dir, i, (enum km_sim_cut)how);
        }
    }
}

static void measure(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        uint64_t before[2];

        begin(&scenes[i]);
        for (int dir = 0; dir < 2; dir++)
            before[dir] = km_sim_bytes((enum km_sim_dir)dir);
        scenes[i].exchange();
        for (int dir = 0; dir < 2; dir++)
            length[i][dir] = km_sim_bytes((enum km_sim_dir)dir) - before[dir];
        rig_check(api.calls[API_LEASE_PATCH] >= 1);
        end();
        print_message("%s: %llu bytes to the agent, %llu to the server\n", scenes[i].name,
                      (unsigned long long)length[i][KM_SIM_TO_AGENT],
                      (unsigned long long)length[i][KM_SIM_TO_SERVER]);
    }
}

static void start_to_agent(void **state)
{
    (void)state;
    try_all(0, KM_SIM_TO_AGENT);
}

static void start_to_server(void **state)
{
    (void)state;
    try_all(0, KM_SIM_TO_SERVER);
}

static void steady_to_agent(void **state)
{
    (void)state;
    try_all(1, KM_SIM_TO_AGENT);
}

static void steady_to_server(void **state)
{
    (void)state;
    try_all(1, KM_SIM_TO_SERVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measure),          cmocka_unit_test(start_to_agent),
        cmocka_unit_test(start_to_server),  cmocka_unit_test(steady_to_agent),
        cmocka_unit_test(steady_to_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
