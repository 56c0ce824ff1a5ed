/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each call of the port fails once: a good run counts the calls, then one run for each of them fails that call. The agent may
 * refuse to start with words for it; otherwise it must come through to Ready with right caches and nothing leaked.
 */
#include "rig.h"

#define SETTLE_MS 240000

static const char *const pods[] = {"a", "b"};

/* Start, a change by hand, a pod that is killed, a broken link, a new list: the ways that the agent has. */
static void story(void)
{
    rig_run(11000);
    api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
    for (size_t i = 0; i < sizeof pods / sizeof pods[0]; i++)
        api_add_pod("default", pods[i], API_NODE);
    rig_run(3000);
    api_kill_pod("default", "a");
    rig_run(3000);
    km_sim_close_all();
    rig_run(5000);
    api_delete(API_NODES, "", API_NODE);
    rig_run(25000);
}

static bool plain; /* without TLS */

static void scene(void)
{
    rig_begin(1);
    if (plain) {
        rig.kubeconfig.tls = false;
        api.token = NULL; /* credentials never go over a plain link */
    }
    rig.config.recreate_node = true;
}

static void finish(void)
{
    (void)rig_settle(SETTLE_MS);
    rig_check(api_get(API_PODS, "default", "a") == NULL);
    rig_end();
}

static uint64_t counted[KM_SIM_CALL_COUNT];

static void count_calls(void **state)
{
    (void)state;
    scene();
    rig_start();
    story();
    for (enum km_sim_call call = 0; call < KM_SIM_CALL_COUNT; call++)
        counted[call] = km_sim_calls(call);
    rig_check(counted[KM_SIM_TLS_READ] > 10 && counted[KM_SIM_POLL] > 50);
    finish();
}

static void try_failure(enum km_sim_call call, uint64_t n, uint64_t times, int err)
{
    struct km_fault fault;
    char label[80];

    (void)snprintf(label, sizeof label, "%s number %llu to %llu fail with \"%s\"",
                   km_sim_call_name(call), (unsigned long long)n,
                   (unsigned long long)(n + times - 1), km_strerror(err));
    rig.label = label;
    scene();
    km_sim_fail(call, n, times, err);
    if (rig_try_start(&fault) == KM_OK) {
        story();
        rig_check(km_sim_faults_hit() >= 1);
        finish();
    } else {
        rig_check(fault.text[0] != '\0');
        rig_check(km_sim_leaks() == 0);
        api_close();
    }
    rig.label = NULL;
}

static void any_call_once(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= counted[KM_SIM_ANY]; n++)
        try_failure(KM_SIM_ANY, n, 1, KM_SIM_NATURAL);
}

static void plain_calls_once(void **state)
{
    static const enum km_sim_call calls[] = {KM_SIM_SEND, KM_SIM_RECV};
    static const int errors[] = {KM_SIM_NATURAL, KM_AGAIN, KM_ERR_IO, KM_ERR_TIMEOUT};
    uint64_t count[2];

    (void)state;
    plain = true;
    scene();
    rig_start();
    story();
    for (size_t i = 0; i < 2; i++) {
        count[i] = km_sim_calls(calls[i]);
        rig_check(count[i] > 10);
    }
    finish();
    for (size_t i = 0; i < 2; i++) {
        for (uint64_t n = 1; n <= count[i]; n++) {
            for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++)
                try_failure(calls[i], n, 1, errors[e]);
        }
    }
    plain = false;
}

static void any_five_in_a_row(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= counted[KM_SIM_ANY]; n += RIG_SLOW ? 3 : 1)
        try_failure(KM_SIM_ANY, n, 5, KM_SIM_NATURAL);
}

static void other_errors(void **state)
{
    static const struct {
        enum km_sim_call call;
        int err;
    } tries[] = {
        {KM_SIM_CONNECT, KM_ERR_IO},
        {KM_SIM_CONNECTED, KM_ERR_TIMEOUT},
        {KM_SIM_CONNECTED, KM_AGAIN},
        {KM_SIM_TLS_HANDSHAKE, KM_ERR_CERT},
        {KM_SIM_TLS_HANDSHAKE, KM_ERR_RESET},
        {KM_SIM_TLS_HANDSHAKE, KM_AGAIN},
        {KM_SIM_TLS_OPEN, KM_ERR_FULL},
        {KM_SIM_TLS_READ, KM_ERR_TLS},
        {KM_SIM_TLS_READ, KM_ERR_TRUNCATED},
        {KM_SIM_TLS_READ, KM_EOF},
        {KM_SIM_TLS_READ, KM_AGAIN},
        {KM_SIM_TLS_WRITE, KM_ERR_TIMEOUT},
        {KM_SIM_TLS_WRITE, KM_AGAIN},
        {KM_SIM_RESOLVE_START, KM_ERR_NAME},
        {KM_SIM_RESOLVE_START, KM_ERR_TIMEOUT},
        {KM_SIM_RESOLVE_STEP, KM_ERR_NAME},
        {KM_SIM_RESOLVE_STEP, KM_AGAIN},
        {KM_SIM_FILE_READ, KM_ERR_NOT_FOUND},
        {KM_SIM_FILE_READ, KM_ERR_TOO_LONG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        for (uint64_t n = 1; n <= counted[tries[i].call]; n++)
            try_failure(tries[i].call, n, 1, tries[i].err);
    }
}

/* A whole class fails for five minutes: an arena that is full, a name server that is down. */
static void classes_for_minutes(void **state)
{
    static const enum km_sim_call calls[] = {
        KM_SIM_CONNECT,   KM_SIM_CONNECTED,     KM_SIM_RESOLVE_START, KM_SIM_RESOLVE_STEP,
        KM_SIM_TLS_OPEN,  KM_SIM_TLS_HANDSHAKE, KM_SIM_TLS_READ,      KM_SIM_TLS_WRITE,
        KM_SIM_FILE_READ, KM_SIM_DISK,          KM_SIM_ADDRESSES,
    };

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        uint64_t polls;

        rig.label = km_sim_call_name(calls[i]);
        scene();
        rig_start();
        rig_run(20000);
        polls = km_sim_calls(KM_SIM_POLL);
        km_sim_fail(calls[i], 1, UINT64_MAX, KM_SIM_NATURAL);
        km_sim_close_all();
        rig_run(5 * RIG_MINUTE);
        km_sim_fail_clear();
        /* Not hot: all attempts follow back-offs. */
        rig_check_most(km_sim_calls(KM_SIM_POLL) - polls, 2000);
        (void)rig_settle(SETTLE_MS);
        rig_end();
        rig.label = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(count_calls),      cmocka_unit_test(any_call_once),
        cmocka_unit_test(plain_calls_once), cmocka_unit_test(any_five_in_a_row),
        cmocka_unit_test(other_errors),     cmocka_unit_test(classes_for_minutes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
