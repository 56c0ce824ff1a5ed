/* SPDX-License-Identifier: Apache-2.0 */
/* The lease: who owns it, what happens when others write it, and that nothing keeps it waiting. */
#include "rig.h"

#define NAMESPACE "kube-node-lease"

static void begin_ready(void)
{
    rig_begin(1);
    rig.verbosity = 0;
    rig_start();
    (void)rig_settle(15000);
    rig_log_clear();
}

static void edit(const char *path, const char *json)
{
    api_edit(API_LEASES, NAMESPACE, API_NODE, path, json);
}

/* Longest time between two renewals while so much time passes. */
static int64_t longest_gap(int64_t ms)
{
    int64_t longest = 0;

    for (int64_t i = 0; i < ms; i += 500) {
        rig_run(500);
        if (km_port_now_ms() - api.renewed_ms > longest)
            longest = km_port_now_ms() - api.renewed_ms;
    }
    return longest;
}

static void others_write_it(void **state)
{
    static const struct {
        const char *path, *json;
    } edits[] = {
        {"/metadata/labels/x", "\"y\""},
        {"/metadata/ownerReferences", NULL},
        {"/metadata/ownerReferences", "[]"},
        {"/spec/renewTime", "\"2020-01-01T00:00:00.000000Z\""},
        {"/spec/leaseDurationSeconds", "7"},
        {"/spec/acquireTime", "\"2020-01-01T00:00:00.000000Z\""},
    };

    (void)state;
    begin_ready();
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        unsigned reads = api.calls[API_LEASE_GET];

        rig.label = edits[i].path;
        edit(edits[i].path, edits[i].json);
        rig_check_most(longest_gap(30000), 11500);
        /* The conflict is met once: read, then written at once. */
        rig_check(api.calls[API_LEASE_GET] - reads == 1);
        rig_check(api_lease_is_owned(api_lease()));
    }
    rig_check(strcmp(doc_text(api_lease(), "/metadata/labels/x"), "y") == 0);
    rig_check(doc_find(api_lease(), "/spec/acquireTime") != NULL); /* not ours: it stays */
    rig_check(rig.log_lines == 0);
    rig_end();
    rig.label = NULL;
}

static void deleted(void **state)
{
    (void)state;
    begin_ready();
    for (int i = 0; i < 5; i++) {
        rig_run(3700 * (i + 1));
        api_delete(API_LEASES, NAMESPACE, API_NODE);
        rig_check_most(longest_gap(30000), 11500);
        rig_check(api_lease_is_owned(api_lease()));
        rig_check(strcmp(doc_text(api_lease(), "/spec/holderIdentity"), API_NODE) == 0);
        rig_check(doc_find(api_lease(), "/spec/acquireTime") == NULL);
        rig_check(doc_find(api_lease(), "/spec/leaseTransitions") == NULL);
    }
    rig_check(api.calls[API_LEASE_CREATE] == 6);
    rig_end();
}

/* Each renewal meets a conflict: five tries at once, then the back-off of 200 ms doubling to 7 s. */
static enum api_verdict always_first(const struct km_sim_request *rq, enum api_call call)
{
    static unsigned n;
    char json[16];

    (void)rq;
    if (call == API_LEASE_PATCH) {
        (void)snprintf(json, sizeof json, "\"%u\"", n++);
        edit("/metadata/labels/n", json);
    }
    return API_SERVE;
}

static void conflicts_for_ever(void **state)
{
    unsigned before;

    (void)state;
    begin_ready();
    api.hook = always_first;
    before = api.requests;
    rig_run(RIG_HOUR);
    rig_check(api.calls[API_LEASE_PATCH] > 200);
    rig_check(rig_logged("The lease can't be renewed, trying again") == 1);
    rig_check_most(api.requests - before, 515 * 7 + 200);
    rig_check_most(rig.log_lines, 8);
    api.hook = NULL;
    (void)rig_settle(60000);
    rig_end();
}

static void refused_at_the_start(void **state)
{
    static const enum api_call calls[] = {API_LEASE_GET, API_LEASE_CREATE};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        rig.label = api_call_name(calls[i]);
        rig_begin(1);
        rig.verbosity = 0;
        api_fail(calls[i], UINT32_MAX, 403, "Forbidden", 0);
        rig_start();
        rig_run(RIG_HOUR);
        rig_check(api.calls[calls[i]] > 400);
        rig_check_most(api.calls[calls[i]], 560);
        rig_check(rig_logged("The lease can't be renewed, trying again") == 1);
        rig_check_most(rig.log_lines, 6);
        api_fail(API_ALL, 0, 0, "", 0);
        (void)rig_settle(15000);
        rig_check(rig_logged("The lease is renewed again") == 1);
        rig_end();
    }
    rig.label = NULL;
}

/* All writes share one connection: the lease passes those that wait, and none may hold it up for longer than its deadline. */
static void goes_first(void **state)
{
    char name[16];

    (void)state;
    begin_ready();
    api.delay_ms[API_NODE_PATCH] = api.delay_ms[API_POD_DELETE] = api.delay_ms[API_EVENT] = 9500;
    for (int i = 0; i < 50; i++) {
        (void)snprintf(name, sizeof name, "pod-%d", i);
        api_add_pod("default", name, API_NODE);
        api_kill_pod("default", name);
        api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
    }
    rig_check_most(longest_gap(10 * RIG_MINUTE), 25000);
    rig_check(api.went_unknown == 0);
    api.delay_ms[API_NODE_PATCH] = api.delay_ms[API_POD_DELETE] = api.delay_ms[API_EVENT] = 0;
    (void)rig_settle(700000);
    rig_end();
}

static bool silent;
static enum api_verdict status_never_answered(const struct km_sim_request *rq, enum api_call call)
{
    (void)rq;
    return silent && call == API_NODE_PATCH ? API_TAKEN : API_SERVE;
}

/* A webhook that hangs: each status write takes its whole deadline and the connection with it. */
static void beside_a_write_without_answer(void **state)
{
    (void)state;
    begin_ready();
    api.hook = status_never_answered;
    silent = true;
    api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
    rig_check_most(longest_gap(RIG_HOUR), 25000);
    rig_check(api.went_unknown == 0);
    rig_check_most(rig.log_lines, 6);
    silent = false;
    (void)rig_settle(60000);
    rig_end();
}

/* The Node was made anew: the lease is the new one's. */
static void follows_a_new_node(void **state)
{
    (void)state;
    begin_ready();
    api_delete(API_NODES, "", API_NODE);
    rig_run(30000);
    (void)rig_settle(60000);
    rig_check(api_lease_is_owned(api_lease()));
    rig_check(doc_count(api_lease(), "/metadata/ownerReferences") == 1);
    rig_end();
}

static enum api_verdict cuts_renewals(const struct km_sim_request *rq, enum api_call call)
{
    if (call != API_LEASE_PATCH)
        return API_SERVE;
    (void)km_sim_fin(rq->conn_id);
    return API_TAKEN;
}

/* A link that breaks under each renewal, while reading works, is no conflict and not told as one. */
static void links_that_break_are_no_conflict(void **state)
{
    (void)state;
    begin_ready();
    api.hook = cuts_renewals;
    rig_run(RIG_MINUTE * 10);
    rig_check(api.calls[API_LEASE_PATCH] > 20);
    rig_check(rig_logged("The lease can't be renewed, trying again") == 0);
    rig_check(rig_logged("The API server can't be used, trying again with back-off") > 0);
    api.hook = NULL;
    (void)rig_settle(60000);
    rig_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_write_it),    cmocka_unit_test(deleted),
        cmocka_unit_test(conflicts_for_ever), cmocka_unit_test(refused_at_the_start),
        cmocka_unit_test(goes_first),         cmocka_unit_test(beside_a_write_without_answer),
        cmocka_unit_test(follows_a_new_node), cmocka_unit_test(links_that_break_are_no_conflict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
