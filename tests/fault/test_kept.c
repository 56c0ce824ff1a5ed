/* SPDX-License-Identifier: Apache-2.0 */
/* A server closes a kept connection whenever it likes, and a request may be on its way just then (RFC 9112, 9.3.1). */
#include "rig.h"

static enum api_call cut_call;
static unsigned cuts_left;

/* The request arrives behind the server's close: not one byte of an answer. */
static enum api_verdict closes_under_it(const struct km_sim_request *rq, enum api_call call)
{
    if (call != cut_call || rq->number < 2 || cuts_left == 0)
        return API_SERVE;
    cuts_left--;
    (void)km_sim_fin(rq->conn_id);
    return API_TAKEN;
}

static void begin_ready(void)
{
    rig_begin(1);
    rig.verbosity = 0;
    rig_start();
    (void)rig_settle(15000);
    rig_log_clear();
    api.hook = closes_under_it;
}

static void writes_are_sent_again(void **state)
{
    static const enum api_call calls[] = {API_LEASE_PATCH, API_NODE_PATCH, API_POD_DELETE};

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        unsigned renewals_missed;

        rig.label = api_call_name(calls[i]);
        begin_ready();
        cut_call = calls[i];
        cuts_left = 1;
        api_add_pod("default", "a", API_NODE);
        api_kill_pod("default", "a");
        api_edit_node("/status/conditions", "[]");
        rig_run(RIG_MINUTE);
        rig_check(cuts_left == 0);
        rig_check(rig.log_lines <= 1); /* the pod's end is worth a line */
        rig_check(rig_logged("The API server can't be used, trying again with back-off") == 0);
        renewals_missed = (unsigned)(km_port_now_ms() - api.renewed_ms > 11000);
        rig_check(renewals_missed == 0);
        (void)rig_settle(15000);
        rig_end();
        rig.label = NULL;
    }
}

/* A server that always does it gets each request twice, then the back-off. */
static void not_for_ever(void **state)
{
    unsigned tries;

    (void)state;
    begin_ready();
    cut_call = API_LEASE_PATCH;
    cuts_left = UINT32_MAX;
    tries = api.calls[API_LEASE_PATCH];
    rig_run(RIG_MINUTE * 10);
    rig_check_most(api.calls[API_LEASE_PATCH] - tries, 2 * 180);
    cuts_left = 0;
    (void)rig_settle(60000);
    rig_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_are_sent_again),
        cmocka_unit_test(not_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
