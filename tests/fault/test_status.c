/* SPDX-License-Identifier: Apache-2.0 */
/* The Node's status: when it is written, what stays as it is, what others did to it. */
#include <stdlib.h>

#include "rig.h"

static const char *const own[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};

static void begin_ready(void)
{
    rig_begin(1);
    rig.verbosity = 0;
    rig_start();
    (void)rig_settle(15000);
    rig_run(20000);
    rig_log_clear();
}

/* In one write, as a controller does it. Bit i of `which` stands for own[i]. */
static void set_unknown(unsigned which)
{
    struct doc *list = doc_copy(doc_find(api_node(), "/status/conditions"));
    char *text;

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if ((which >> i & 1) == 0)
            continue;
        for (struct doc *c = list->first; c != NULL; c = c->next) {
            if (strcmp(doc_text(c, "/type"), own[i]) != 0)
                continue;
            doc_put_text(c, "/status", "Unknown");
            doc_put_text(c, "/reason", "NodeStatusUnknown");
        }
    }
    text = doc_print(list);
    api_edit_node("/status/conditions", text);
    free(text);
    doc_free(list);
}

/* ---- answers to others ---- */

static bool all_known(void)
{
    return strcmp(api_condition("Ready", "status"), "True") == 0 &&
           strcmp(api_condition("MemoryPressure", "status"), "False") == 0 &&
           strcmp(api_condition("DiskPressure", "status"), "False") == 0 &&
           strcmp(api_condition("PIDPressure", "status"), "False") == 0;
}

/* As the node lifecycle controller writes it. The tests' server complains when a transition time does not follow the flip. */
static void unknown_is_answered(void **state)
{
    (void)state;
    begin_ready();
    for (unsigned which = 1; which < 16; which++) {
        unsigned writes = api.calls[API_NODE_PATCH];
        char before[40], label[32];

        (void)snprintf(label, sizeof label, "set %u", which);
        rig.label = label;
        (void)snprintf(before, sizeof before, "%s",
                       api_condition("PIDPressure", "lastTransitionTime"));
        set_unknown(which);
        rig_check(rig_until(all_known, 2000));
        if (which < 8)
            rig_check(strcmp(before, api_condition("PIDPressure", "lastTransitionTime")) == 0);
        else
            rig_check(strcmp(before, api_condition("PIDPressure", "lastTransitionTime")) != 0);
        rig_check(api.calls[API_NODE_PATCH] - writes == 1);
        (void)rig_settle(15000);
        rig_run(60000);
    }
    rig.label = NULL;
    rig_check(rig.log_lines == 0);
    rig_end();
}

static bool is_like_before(void)
{
    return strcmp(doc_text(api_node(), "/status/nodeInfo/osImage"), "Sim OS 1") == 0 &&
           strcmp(doc_text(api_node(), "/status/capacity/cpu"), "2") == 0 &&
           strcmp(doc_text(api_node(), "/status/allocatable/cpu"), "2") == 0 &&
           strcmp(doc_text(api_node(), "/status/addresses/0/address"), "192.168.7.2") == 0 &&
           strcmp(doc_text(api_node(), "/metadata/labels/kubernetes.io~1arch"),
                  rig.agent->facts.architecture) == 0 &&
           strcmp(api_condition("Ready", "reason"), "KubeletReady") == 0 && all_known();
}

static void edits_are_answered(void **state)
{
    static const struct {
        const char *path, *json;
    } edits[] = {
        {"/status/conditions", NULL},
        {"/status/conditions", "[]"},
        {"/status", "{}"},
        {"/status/nodeInfo/osImage", "\"another\""},
        {"/status/capacity/cpu", "\"64\""},
        {"/status/allocatable", "{}"},
        {"/status/addresses", "[]"},
        {"/status/addresses", "[{\"type\":\"InternalIP\",\"address\":\"1.2.3.4\"}]"},
        {"/metadata/labels/kubernetes.io~1arch", NULL},
        {"/metadata/labels/kubernetes.io~1arch", "\"z80\""},
        {"/status/conditions/3/reason", "\"Other\""},
    };

    (void)state;
    begin_ready();
    rig_check(is_like_before());
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        rig.label = edits[i].path;
        api_edit_node(edits[i].path, edits[i].json);
        rig_check(rig_until(is_like_before, 2000));
        rig_run(60000);
        (void)rig_settle(15000);
    }
    rig.label = NULL;
    rig_end();
}

/* What others own stays, through flips, reports and new conditions of ours. */
static void others_are_left_alone(void **state)
{
    static const char condition[] =
        "{\"type\":\"NetworkUnavailable\",\"status\":\"False\",\"reason\":\"RouteCreated\","
        "\"message\":"
        "\"by "
        "\\\"another\\\"\",\"lastHeartbeatTime\":\"2020-01-01T00:00:00Z\",\"lastTransitionTime\":"
        "\"2020-01-01T00:00:00Z\"}";
    struct doc *want = doc_of(condition);
    const struct doc *have;

    (void)state;
    begin_ready();
    api_edit_node("/status/conditions/4", condition);
    api_edit_node("/metadata/labels/example.com~1by-hand", "\"1\"");
    api_edit_node("/metadata/annotations/example.com~1note", "\"x\"");
    api_edit_node("/spec/unschedulable", "true");
    api_edit_node("/spec/taints", "[{\"key\":\"a\",\"effect\":\"NoExecute\"}]");
    api_edit_node("/status/images", "[{\"names\":[\"a\"]}]");
    for (unsigned which = 1; which < 16; which *= 2) {
        set_unknown(which);
        rig_run(RIG_HOUR);
    }
    have = doc_element(api_node(), "/status/conditions", "type", "NetworkUnavailable");
    rig_check(have != NULL);
    rig_check(doc_count(api_node(), "/status/conditions") == 5);
    for (const struct doc *m = want->first; m != NULL; m = m->next) {
        char path[64];

        (void)snprintf(path, sizeof path, "/%s", m->key);
        rig_check(strcmp(doc_text(have, path), m->text) == 0);
    }
    rig_check(strcmp(doc_text(api_node(), "/metadata/labels/example.com~1by-hand"), "1") == 0);
    rig_check(strcmp(doc_text(api_node(), "/metadata/annotations/example.com~1note"), "x") == 0);
    rig_check(strcmp(doc_text(api_node(), "/spec/unschedulable"), "true") == 0);
    rig_check(strcmp(doc_text(api_node(), "/spec/taints/0/key"), "a") == 0);
    rig_check(doc_count(api_node(), "/status/images") == 1);
    doc_free(want);
    rig_end();
}

/* Somebody who writes the same label against us as fast as it can is answered within a budget. */
static void war_over_a_label(void **state)
{
    unsigned before;

    (void)state;
    begin_ready();
    before = api.calls[API_NODE_PATCH];
    for (int i = 0; i < 6000; i++) {
        api_edit_node("/metadata/labels/kubernetes.io~1arch", i % 2 == 0 ? "\"z80\"" : "\"6502\"");
        rig_run(100);
    }
    rig_check(api.calls[API_NODE_PATCH] - before > 30);
    rig_check_most(api.calls[API_NODE_PATCH] - before, 6 + 60 + 2);
    rig_check(api.went_unknown == 0);
    (void)rig_settle(30000);
    rig_end();
}

/* ---- a quiet day ---- */

static void quiet_day(void **state)
{
    char ready[40], beat[40];
    unsigned writes, leases, requests;

    (void)state;
    begin_ready();
    (void)snprintf(ready, sizeof ready, "%s", api_condition("Ready", "lastTransitionTime"));
    (void)snprintf(beat, sizeof beat, "%s", api_condition("Ready", "lastHeartbeatTime"));
    writes = api.calls[API_NODE_PATCH];
    leases = api.calls[API_LEASE_PATCH];
    requests = api.requests;
    rig_run(24 * RIG_HOUR);
    writes = api.calls[API_NODE_PATCH] - writes;
    leases = api.calls[API_LEASE_PATCH] - leases;
    /* Every five minutes, give or take half; every 10 s and up to 4 % more. */
    rig_check(writes >= 24 * 8 && writes <= 24 * 24);
    rig_check(leases >= 24 * 346 && leases <= 24 * 360);
    /* And streams of 5 to 10 minutes, and the server's version. */
    rig_check_most(api.requests - requests, writes + leases + 24 * (2 * 12 + 12));
    rig_check(strcmp(ready, api_condition("Ready", "lastTransitionTime")) == 0);
    rig_check(strcmp(beat, api_condition("Ready", "lastHeartbeatTime")) != 0);
    rig_check(rig.log_lines == 0);
    rig_check(api.calls[API_EVENT] == 0);
    rig_end();
}

/* ---- the machine changes ---- */

static void set_memory(unsigned available_kb)
{
    char text[128];

    (void)snprintf(text, sizeof text, "MemTotal: 512000 kB\nMemFree: 100 kB\nMemAvailable: %u kB\n",
                   available_kb);
    km_sim_file("/proc/meminfo", text);
}

static void pressure_flips(void **state)
{
    struct km_sim_machine *machine = km_sim_machine();
    char ready[40], memory[40];

    (void)state;
    begin_ready();
    (void)snprintf(ready, sizeof ready, "%s", api_condition("Ready", "lastTransitionTime"));
    set_memory(1);
    machine->disk.free_bytes = 4096;
    rig_run(25000);
    rig_check(strcmp(api_condition("MemoryPressure", "status"), "True") == 0);
    rig_check(strcmp(api_condition("MemoryPressure", "reason"), "KubeletHasInsufficientMemory") ==
              0);
    rig_check(strcmp(api_condition("DiskPressure", "status"), "True") == 0);
    rig_check(strcmp(api_condition("PIDPressure", "status"), "False") == 0);
    rig_check(rig_is_ready());
    (void)snprintf(memory, sizeof memory, "%s",
                   api_condition("MemoryPressure", "lastTransitionTime"));
    rig_run(RIG_HOUR);
    rig_check(strcmp(memory, api_condition("MemoryPressure", "lastTransitionTime")) == 0);
    set_memory(300000);
    machine->disk.free_bytes = UINT64_C(6) << 30;
    rig_run(60000); /* it must be over for a while */
    rig_check(strcmp(api_condition("MemoryPressure", "status"), "True") == 0);
    rig_run(6 * RIG_MINUTE);
    rig_check(strcmp(api_condition("MemoryPressure", "status"), "False") == 0);
    rig_check(strcmp(api_condition("DiskPressure", "status"), "False") == 0);
    rig_check(strcmp(memory, api_condition("MemoryPressure", "lastTransitionTime")) != 0);
    rig_check(strcmp(ready, api_condition("Ready", "lastTransitionTime")) == 0);
    rig_end();
}

/* A reading that comes and goes around the threshold does not make the condition flap. */
static void pressure_does_not_flap(void **state)
{
    unsigned before;

    (void)state;
    begin_ready();
    before = api.calls[API_NODE_PATCH];
    for (int i = 0; i < 120; i++) {
        set_memory(i % 2 == 0 ? 1 : 300000);
        rig_run(30000);
    }
    rig_check(strcmp(api_condition("MemoryPressure", "status"), "True") == 0);
    rig_check_most(api.calls[API_NODE_PATCH] - before, 2 + 24);
    rig_end();
}

static void readings_fail(void **state)
{
    (void)state;
    begin_ready();
    km_sim_file_error("/proc/meminfo", KM_ERR_IO);
    rig_run(RIG_HOUR);
    rig_check(api.went_unknown == 0);
    rig_check(strcmp(api_condition("MemoryPressure", "status"), "Unknown") == 0);
    rig_check_most(rig.log_lines, 2);
    km_sim_file_error("/proc/meminfo", KM_OK);
    (void)rig_settle(30000);
    rig_check(strcmp(api_condition("MemoryPressure", "status"), "False") == 0);
    rig_end();
}

static void addresses_follow(void **state)
{
    struct km_sim_machine *m = km_sim_machine();

    (void)state;
    begin_ready();
    m->address_count = 2;
    (void)km_addr_parse(km_slice_of("fd00::7"), &m->addresses[1]);
    rig_run(25000);
    rig_check(doc_count(api_node(), "/status/addresses") == 3);
    rig_check(strcmp(doc_text(api_node(), "/status/addresses/1/address"), "fd00::7") == 0);
    rig_check(strcmp(doc_text(api_node(), "/status/addresses/1/type"), "InternalIP") == 0);
    rig_check(strcmp(doc_text(api_node(), "/status/addresses/2/type"), "Hostname") == 0);
    m->address_count = 1;
    (void)km_addr_parse(km_slice_of("10.9.8.7"), &m->addresses[0]);
    rig_run(25000);
    rig_check(doc_count(api_node(), "/status/addresses") == 2);
    rig_check(strcmp(doc_text(api_node(), "/status/addresses/0/address"), "10.9.8.7") == 0);
    m->address_count = 0;
    rig_run(25000);
    rig_check(doc_count(api_node(), "/status/addresses") == 1);
    (void)rig_settle(15000);
    rig_end();
}

/* ---- a Node that was there ---- */

static void adopts(void **state)
{
    (void)state;
    rig_begin(1);
    rig.verbosity = 0;
    api_add_node(
        "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"labels\":{\"site\":\"north\"}},"
        "\"spec\":{\"taints\":[{\"key\":\"a\",\"effect\":\"NoSchedule\"}]},\"status\":{"
        "\"conditions\":["
        "{\"type\":\"Ready\",\"status\":\"Unknown\",\"lastHeartbeatTime\":\"2020-01-01T00:00:00Z\","
        "\"lastTransitionTime\":\"2020-01-01T00:00:00Z\",\"reason\":\"NodeStatusUnknown\"}]}}");
    rig_start();
    rig_check(rig_until(rig_is_ready, 2000));
    (void)rig_settle(15000);
    rig_check(strcmp(doc_text(api_node(), "/metadata/labels/site"), "north") == 0);
    rig_check(strcmp(doc_text(api_node(), "/metadata/labels/kubernetes.io~1arch"),
                     rig.agent->facts.architecture) == 0);
    rig_check(doc_element(api_node(), "/spec/taints", "key", "a") != NULL);
    rig_check(api.calls[API_NODE_CREATE] == 1);
    rig_end();
}

/* ---- refusals ---- */

/* Each kind of call refused for an hour: said once, tried slowly, well again at once. */
static void refused_for_an_hour(void **state)
{
    static const struct {
        int code;
        const char *reason;
    } codes[] = {
        {403, "Forbidden"}, {401, "Unauthorized"}, {409, "Conflict"}, {500, "InternalError"},
        {404, "NotFound"},  {422, "Invalid"},      {200, ""}};

    (void)state;
    for (enum api_call call = API_NODE_PATCH; call < API_OTHER; call++) {
        for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
            char label[64];
            unsigned before;

            if (call == API_NODE_LIST || call == API_POD_LIST)
                continue; /* asked only when streaming lists fail */
            (void)snprintf(label, sizeof label, "%s: %d", api_call_name(call), codes[i].code);
            rig.label = label;
            begin_ready();
            api_fail(call, UINT32_MAX, codes[i].code, codes[i].reason, 0);
            api_add_pod("default", "a", API_NODE);
            api_kill_pod("default", "a");
            api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
            api_end_watches();
            before = api.requests;
            rig_run(RIG_HOUR);
            /* The lease every 10 s, the write with a back-off of up to 7 s, the watches with one of up to 60 s. */
            rig_check_most(api.requests - before, 420 + 600 + 400);
            /* A plain watch that is refused comes up for every stream that ends; a deletion that is
               said to be done, but is not, for each try. */
            rig_check_most(rig.log_lines,
                           call == API_NODE_WATCH || call == API_POD_WATCH || call == API_POD_DELETE
                               ? 42
                               : 12);
            if (call != API_LEASE_PATCH)
                rig_check(api.went_unknown == 0);
            api_fail(API_ALL, 0, 0, "", 0);
            (void)rig_settle(400000);
            rig_check_most(rig.log_lines,
                           call == API_NODE_WATCH || call == API_POD_WATCH || call == API_POD_DELETE
                               ? 44
                               : 18);
            rig_end();
        }
    }
    rig.label = NULL;
}

static enum api_call awaited_call;
static unsigned awaited_before;

static bool is_called(void)
{
    return api.calls[awaited_call] > awaited_before;
}

static void retry_after_is_obeyed(void **state)
{
    static const enum api_call calls[] = {API_NODE_PATCH, API_LEASE_PATCH, API_POD_DELETE};

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        awaited_call = calls[i];
        rig.label = api_call_name(calls[i]);
        begin_ready();
        awaited_before = api.calls[calls[i]];
        api_fail(calls[i], 1, 429, "TooManyRequests", 25);
        api_add_pod("default", "a", API_NODE);
        api_kill_pod("default", "a");
        api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
        rig_check(rig_until(is_called, 15000));
        awaited_before = api.calls[calls[i]];
        for (int n = 0; n < 8; n++) {
            /* What others do meanwhile is no reason to come sooner. */
            api_edit_node("/metadata/labels/example.com~1by-hand", n % 2 == 0 ? "\"1\"" : "\"2\"");
            api_edit(API_PODS, "default", "a", "/metadata/labels/x",
                     n % 2 == 0 ? "\"1\"" : "\"2\"");
            rig_run(3000);
        }
        rig_check(!is_called());
        rig_check(rig_until(is_called, 3000));
        (void)rig_settle(30000);
        rig_check(api.went_unknown == 0);
        rig_end();
    }
    rig.label = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_is_answered),
        cmocka_unit_test(edits_are_answered),
        cmocka_unit_test(others_are_left_alone),
        cmocka_unit_test(war_over_a_label),
        cmocka_unit_test(quiet_day),
        cmocka_unit_test(pressure_flips),
        cmocka_unit_test(pressure_does_not_flap),
        cmocka_unit_test(readings_fail),
        cmocka_unit_test(addresses_follow),
        cmocka_unit_test(adopts),
        cmocka_unit_test(refused_for_an_hour),
        cmocka_unit_test(retry_after_is_obeyed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
