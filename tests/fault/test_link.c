/* SPDX-License-Identifier: Apache-2.0 */
/* Faults of the way to the server: hours without it, half-open links, silence, names that move, clocks, credentials. */
#include "rig.h"

static void begin_ready(void)
{
    rig_begin(1);
    rig.verbosity = 0;
    rig_start();
    (void)rig_settle(15000);
    rig_log_clear();
}

static const struct way {
    const char *name;
    enum km_sim_route route;
    int dns_err, tls_err;
    int64_t hours;
} ways[] = {
    {"refused", KM_SIM_REFUSE, 0, 0, 6},
    {"no answer to SYN", KM_SIM_SILENT, 0, 0, 6},
    {"no route", KM_SIM_UNREACHABLE, 0, 0, 6},
    {"no name server", KM_SIM_LISTEN, KM_ERR_TIMEOUT, 0, 6},
    {"no such name", KM_SIM_LISTEN, KM_ERR_NAME, 0, 6},
    {"certificate not accepted", KM_SIM_LISTEN, 0, KM_ERR_CERT, 6},
    {"handshake never answered", KM_SIM_LISTEN, 0, KM_AGAIN, 6},
};

static void lose(const struct way *w)
{
    km_sim_route(API_IP, API_PORT, w->route);
    if (w->dns_err != 0)
        km_sim_dns_error(API_HOST, w->dns_err);
    if (w->tls_err != 0)
        km_sim_tls_result(w->tls_err, "scripted");
    km_sim_close_all();
}

static void find_again(void)
{
    km_sim_route(API_IP, API_PORT, KM_SIM_LISTEN);
    km_sim_dns(API_HOST, API_IP);
    km_sim_tls_result(KM_OK, "");
}

/* Back-offs: the watches 0.8 s doubling to 30 s with jitter, started over after two minutes; the lease 200 ms doubling to
   7 s, the Node's reconcile likewise. One hour holds about 2 x 180 attempts of watches and 2 x 515 of writes. */
static void hours_without_server(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        uint64_t connects, polls;

        rig.label = ways[i].name;
        begin_ready();
        lose(&ways[i]);
        connects = km_sim_calls(KM_SIM_CONNECT) + km_sim_calls(KM_SIM_RESOLVE_START);
        polls = km_sim_calls(KM_SIM_POLL);
        rig_run(ways[i].hours * RIG_HOUR);
        connects = km_sim_calls(KM_SIM_CONNECT) + km_sim_calls(KM_SIM_RESOLVE_START) - connects;
        polls = km_sim_calls(KM_SIM_POLL) - polls;
        rig_check_most(connects, (uint64_t)ways[i].hours * 2 * 1500);
        rig_check_most(polls, (uint64_t)ways[i].hours * 12000);
        rig_check(rig_logged("The API server can't be used, trying again with back-off") == 1);
        rig_check_most(rig.log_lines, 4);
        rig_log_clear();
        find_again();
        (void)rig_settle(100000);
        rig_check(rig_logged("The API server answers again") == 1);
        rig_check_most(rig.log_lines, 5);
        rig_end();
        rig.label = NULL;
    }
}

/* The server is back for a moment in which not every request has come through, and away again: two episodes, each told. */
static void away_twice_in_a_row(void **state)
{
    (void)state;
    for (int64_t seconds = 5; seconds < 45; seconds++) {
        begin_ready();
        km_sim_route(API_IP, API_PORT, KM_SIM_REFUSE);
        km_sim_close_all();
        rig_run(seconds * 1000);
        km_sim_route(API_IP, API_PORT, KM_SIM_LISTEN);
        for (int i = 0; i < 600 && rig_logged("The API server answers again") == 0; i++)
            rig_run(100);
        km_sim_route(API_IP, API_PORT, KM_SIM_REFUSE);
        km_sim_close_all();
        rig_run(60000);
        rig_check(rig_logged("The API server can't be used, trying again with back-off") == 2);
        km_sim_route(API_IP, API_PORT, KM_SIM_LISTEN);
        (void)rig_settle(100000);
        rig_check(rig_logged("The API server answers again") == 2);
        rig_end();
    }
}

static void not_there_at_the_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        rig.label = ways[i].name;
        rig_begin(1);
        rig.verbosity = 0;
        lose(&ways[i]);
        rig_start();
        rig_run(RIG_HOUR);
        rig_check(rig_logged("The API server can't be used, trying again with back-off") == 1);
        rig_check_most(rig.log_lines, 2);
        rig_check_most(km_sim_calls(KM_SIM_CONNECT), 600);
        find_again();
        rig_check(rig_until(rig_is_ready, 25000));
        (void)rig_settle(100000);
        rig_end();
        rig.label = NULL;
    }
}

/* The words of a refused certificate reach the log. */
static void certificate_words(void **state)
{
    (void)state;
    rig_begin(1);
    km_sim_tls_result(KM_ERR_CERT, "the certificate is for other.example, asked for api.example");
    rig_start();
    rig_run(5000);
    rig_check(strstr(rig.last_error, "the certificate is for other.example") != NULL);
    km_sim_tls_result(KM_OK, "");
    (void)rig_settle(60000);
    rig_end();
}

static void hang_all(void)
{
    for (uint16_t i = 0; i < rig.loop.conn_count; i++) {
        if (rig.loop.conns[i]->fd >= 0)
            (void)km_sim_hang(rig.loop.conns[i]->fd);
    }
}

/* A lease that is not answered makes all links suspect, so that the Node stays Ready on the server. */
static void half_open_links(void **state)
{
    (void)state;
    begin_ready();
    for (int i = 0; i < 20; i++) {
        int64_t took;

        rig_run(3000 + 700 * i);
        hang_all();
        api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
        took = rig_settle(60000);
        rig_check_most(took, 45000);
    }
    rig_check(api.went_unknown == 0);
    rig_check_most(rig.log_lines, 20 * 8);
    rig_end();
}

static void half_open_watch_alone(void **state)
{
    (void)state;
    for (int lane = 0; lane < 3; lane++) {
        begin_ready();
        (void)km_sim_hang(rig.loop.conns[lane]->fd);
        api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
        api_add_pod("default", "a", API_NODE);
        api_kill_pod("default", "a");
        rig_check_most(rig_settle(120000), 60000);
        rig_check(api.went_unknown == 0);
        rig_end();
    }
}

/* A live proxy with a dead server behind it: the link stands, keep-alives are answered, nothing comes. */
static void deaf_watches(void **state)
{
    int64_t took;

    (void)state;
    begin_ready();
    rig_run(30000);
    api_watch_drop_all();
    api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
    took = rig_settle(200000);
    rig_check(took > 100000);
    rig_check_most(took, 160000);
    rig_end();
}

static void link_down(void **state)
{
    static const int64_t lengths[] = {2000, 30000, 60000, 300000, 4 * 3600000};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        int64_t began_ms;

        begin_ready();
        km_sim_link(false);
        rig_run(lengths[i]);
        api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
        km_sim_link(true);
        began_ms = km_port_now_ms();
        rig_check(rig_until(rig_is_ready, 100000));
        (void)rig_settle(100000);
        rig_check_most(km_port_now_ms() - began_ms, 75000);
        rig_check(api.went_unknown == (lengths[i] >= 60000 ? 1 : 0));
        rig_check_most(rig.log_lines, 10);
        rig_end();
    }
}

/* The server moves; its name follows. The old address answers nobody. */
static void address_changes(void **state)
{
    (void)state;
    begin_ready();
    for (int i = 0; i < 4; i++) {
        rig_run(20000);
        /* The server listens everywhere; only the name says where. */
        km_sim_route(i % 2 == 0 ? "10.0.0.2" : API_IP, API_PORT, KM_SIM_LISTEN);
        if (i == 0)
            api_listen("10.0.0.2");
        km_sim_route(i % 2 == 0 ? API_IP : "10.0.0.2", API_PORT, KM_SIM_SILENT);
        km_sim_dns(API_HOST, i % 2 == 0 ? "10.0.0.2" : API_IP);
        hang_all();
        (void)rig_settle(70000);
    }
    rig_check(api.went_unknown == 0);
    rig_end();
}

/* Several addresses, of which only one answers. */
static void one_good_address(void **state)
{
    static const enum km_sim_route bad[] = {KM_SIM_REFUSE, KM_SIM_SILENT, KM_SIM_UNREACHABLE};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rig_begin(1);
        km_sim_dns(API_HOST, "fd00::1 10.0.0.9 10.0.0.1");
        km_sim_route("fd00::1", API_PORT, bad[i]);
        km_sim_route("10.0.0.9", API_PORT, bad[i]);
        rig_start();
        (void)rig_settle(120000);
        rig_end();
    }
}

/* ---- clocks ---- */

#define YEAR_US (INT64_C(365) * 24 * 3600 * 1000000)

static void wall_clock_jumps(void **state)
{
    static const int64_t jumps[] = {
        10 * YEAR_US, -10 * YEAR_US,           -10 * YEAR_US,
        20 * YEAR_US, 3600 * INT64_C(1000000), -3600 * INT64_C(1000000)};

    (void)state;
    begin_ready();
    for (size_t i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
        unsigned before = api.requests, leases = api.calls[API_LEASE_PATCH];

        km_sim_wall_jump(jumps[i]);
        rig_run(10 * RIG_MINUTE);
        rig_check(api.calls[API_LEASE_PATCH] - leases >= 55);
        rig_check_most(api.requests - before, 80);
        (void)rig_settle(15000);
    }
    rig_check(api.went_unknown == 0);
    rig_check(rig.log_lines == 0);
    rig_end();
}

/* A box without a clock starts in 1970. */
static void starts_in_1970(void **state)
{
    (void)state;
    rig_begin(1);
    km_sim_wall_set(5 * INT64_C(1000000));
    rig_start();
    (void)rig_settle(15000);
    rig_check(strncmp(api_condition("Ready", "lastHeartbeatTime"), "1970-01-01T00:00:", 17) == 0);
    km_sim_wall_set(56 * YEAR_US);
    rig_run(20 * RIG_MINUTE);
    (void)rig_settle(15000);
    rig_end();
}

/* The machine was suspended: hours pass between two calls of the loop. */
static void suspended(void **state)
{
    (void)state;
    begin_ready();
    for (int i = 1; i <= 5; i++) {
        km_sim_link(false);
        km_sim_advance(i * 40 * RIG_MINUTE);
        km_sim_link(true);
        rig_check(rig_until(rig_is_ready, 60000));
        (void)rig_settle(60000);
    }
    rig_end();
}

/* ---- slow answers ---- */

static void slow_answers(void **state)
{
    (void)state;
    begin_ready();
    for (enum api_call c = 0; c < API_CALL_COUNT; c++)
        api.delay_ms[c] = 8000;
    km_sim_close_all();
    (void)rig_settle(120000);
    rig_run(10 * RIG_MINUTE);
    rig_check(api.went_unknown == 0);
    for (enum api_call c = 0; c < API_CALL_COUNT; c++)
        api.delay_ms[c] = 40000;
    rig_run(10 * RIG_MINUTE);
    rig_check_most(rig_logged("The API server can't be used, trying again with back-off"), 2);
    rig_check_most(rig.log_lines, 40);
    for (enum api_call c = 0; c < API_CALL_COUNT; c++)
        api.delay_ms[c] = 0;
    (void)rig_settle(120000);
    rig_end();
}

static void slow_latency(void **state)
{
    (void)state;
    rig_begin(1);
    km_sim_latency(900); /* a satellite */
    rig_start();
    (void)rig_settle(60000);
    rig_run(RIG_HOUR);
    rig_check(api.went_unknown == 0);
    rig_check_most(api.requests, 450);
    (void)rig_settle(15000);
    km_sim_tls_cost(400); /* and a slow processor */
    km_sim_close_all();
    (void)rig_settle(60000);
    rig_check(km_sim_tls_handshaking_max() == 1);
    rig_end();
}

/* ---- stop ---- */

static enum api_call stop_call;

static bool is_asked(void)
{
    return api.calls[stop_call] > 0;
}

/* SIGTERM while each kind of write is under way: it is finished, and nothing begins after it. */
static void stop_in_the_middle(void **state)
{
    static const enum api_call calls[] = {API_NODE_CREATE, API_NODE_PATCH, API_LEASE_CREATE,
                                          API_LEASE_PATCH, API_POD_DELETE, API_NODE_STREAM};

    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        unsigned requests, watch_requests;
        int64_t began_ms;

        stop_call = calls[i];
        rig.label = api_call_name(stop_call);
        rig_begin(1);
        api.delay_ms[stop_call] = 4000;
        api_add_pod("default", "a", API_NODE);
        api_kill_pod("default", "a");
        if (stop_call == API_NODE_PATCH)
            api_add_node("{\"kind\":\"Node\",\"apiVersion\":\"v1\"}");
        rig_start();
        rig_check(rig_until(is_asked, 30000));
        requests = api.requests;
        watch_requests = api.calls[API_NODE_STREAM] + api.calls[API_POD_STREAM];
        began_ms = km_port_now_ms();
        rig_check(rig_stop());
        if (stop_call != API_NODE_STREAM)
            rig_check(km_port_now_ms() - began_ms >= 3900);
        rig_check_most(km_port_now_ms() - began_ms, 6000);
        /* What waited behind it in the queue of the connection may still go. */
        rig_check_most(api.requests - requests, 1);
        rig_check(api.calls[API_NODE_STREAM] + api.calls[API_POD_STREAM] == watch_requests);
        requests = api.requests;
        rig_run(60000);
        rig_check(api.requests == requests);
        rig_end();
        rig.label = NULL;
    }
}

/* The server does not answer: the stop does not wait longer than a write may take. */
static void stop_without_answer(void **state)
{
    (void)state;
    begin_ready();
    rig_run(8000);
    hang_all();
    rig_run(4000);
    rig_check(rig_stop());
    rig_end();
}

static void stop_without_server(void **state)
{
    (void)state;
    rig_begin(1);
    km_sim_route(API_IP, API_PORT, KM_SIM_SILENT);
    rig_start();
    rig_run(3000);
    rig_check(rig_stop());
    rig_end();
}

/* ---- credentials ---- */

static void token_file_changes(void **state)
{
    (void)state;
    rig_begin(1);
    rig.verbosity = 0;
    rig.kubeconfig.token = (struct km_slice){0};
    (void)snprintf(rig.kubeconfig.token_file, sizeof rig.kubeconfig.token_file, "/run/token");
    km_sim_file("/run/token", "t0ken\n");
    rig_start();
    (void)rig_settle(15000);
    rig_log_clear();
    for (int i = 0; i < 5; i++) {
        static char tokens[5][24];

        /* The old token stays good for a while behind the change of the file. */
        (void)snprintf(tokens[i], sizeof tokens[i], "token-%d", i);
        api.next_token = tokens[i];
        km_sim_file("/run/token", tokens[i]);
        rig_run(70000);
        api.token = tokens[i];
        api.next_token = "";
        rig_run(RIG_MINUTE * 3);
        rig_check(api.went_unknown == 0);
        (void)rig_settle(15000);
    }
    rig_check(rig.log_lines == 0);
    /* The other way round: it is refused until the file is read again. */
    api.token = "new";
    km_sim_close_all();
    rig_run(RIG_MINUTE * 5);
    rig_check_most(rig.log_lines, 6);
    km_sim_file("/run/token", "new\n");
    (void)rig_settle(120000);
    /* The file is gone for a while, or holds what is no token: the old one serves on. */
    static const char *const useless[] = {NULL, "", "\n", "two\nlines", "a blank", "t\xc3\xb6ken"};
    api.went_unknown = 0;
    for (size_t i = 0; i < sizeof useless / sizeof useless[0]; i++) {
        rig_log_clear();
        km_sim_file("/run/token", useless[i]);
        rig_run(i == 0 ? RIG_HOUR : RIG_MINUTE * 5);
        rig_check_most(rig.log_lines, 3);
        rig_check(api.went_unknown == 0);
        km_sim_file("/run/token", "new\n");
        (void)rig_settle(120000);
    }
    rig_end();
}

static const char reloaded[] = "Credentials have changed in their files and were read again";
static const char kept[] = "Credentials in files can't be read again, the old ones are kept";

static struct km_slice store(const char *text)
{
    struct km_kubeconfig *config = &rig.kubeconfig;
    struct km_slice value = {config->store + config->store_len, strlen(text)};
    memcpy(config->store + config->store_len, text, value.len + 1);
    config->store_len += value.len + 1;
    return value;
}

static void begin_with_files(void)
{
    rig_begin(1);
    km_sim_file("/pki/ca", "CA 1");
    km_sim_file("/pki/cert", "CERT 1");
    km_sim_file("/pki/key", "KEY 1");
    (void)snprintf(rig.kubeconfig.ca_file, sizeof rig.kubeconfig.ca_file, "/pki/ca");
    (void)snprintf(rig.kubeconfig.cert_file, sizeof rig.kubeconfig.cert_file, "/pki/cert");
    (void)snprintf(rig.kubeconfig.key_file, sizeof rig.kubeconfig.key_file, "/pki/key");
    rig.kubeconfig.store_len = 64; /* behind the token */
    rig.kubeconfig.ca = store("CA 1");
    rig.kubeconfig.cert = store("CERT 1");
    rig.kubeconfig.key = store("KEY 1");
    struct km_fault fault = {0};
    assert_int_equal(km_client_tls(&rig.kubeconfig, &fault), KM_OK);
    assert_int_equal(rig.kubeconfig.key.len, 0);
    rig_start();
    (void)rig_settle(15000);
    rig_check(km_sim_tls_setups() == 1);
}

/* Within 5 minutes of the change every connection is one of the new credentials, and the Node stays Ready all the while. */
static void certificate_files_change(void **state)
{
    (void)state;
    begin_with_files();
    rig_run(RIG_MINUTE * 11);
    rig_check(km_sim_tls_setups() == 1);
    uint64_t opened = 0;
    km_sim_file("/pki/cert", "CERT 2");
    km_sim_file("/pki/key", "KEY 2");
    for (uint16_t i = 0; i < rig.loop.conn_count; i++)
        opened += rig.loop.conns[i]->opened;
    rig_run(RIG_MINUTE * 6);
    rig_check(km_sim_tls_setups() == 2);
    rig_check(rig_logged(reloaded) == 1);
    for (uint16_t i = 0; i < rig.loop.conn_count; i++)
        opened -= rig.loop.conns[i]->opened;
    rig_check(opened <= (uint64_t)0 - rig.loop.conn_count);
    (void)rig_settle(15000);
    rig_check(api.went_unknown == 0);
    /* A CA alone; and a new connection looks at once. */
    km_sim_file("/pki/ca", "CA 2");
    rig_run(2000);
    km_sim_close_all();
    rig_run(2000);
    rig_check(km_sim_tls_setups() == 3);
    (void)rig_settle(15000);
    rig_end();
}

/* What can't be used leaves the credentials before in use, and one line. */
static void certificate_files_break(void **state)
{
    (void)state;
    begin_with_files();
    km_sim_file("/pki/key", NULL);
    km_sim_close_all();
    rig_run(RIG_MINUTE);
    rig_check(rig_logged(kept) == 1);
    km_sim_file("/pki/key", "KEY 2");
    km_sim_tls_setup_result(KM_ERR_CONFIG, "key and certificate do not belong together");
    rig_run(RIG_MINUTE);
    rig_check(rig_logged(kept) == 1);
    rig_check(km_sim_tls_setups() == 1);
    (void)rig_settle(15000);
    /* The other half of the pair comes: no restart, no new connection needed. */
    km_sim_tls_setup_result(KM_OK, "");
    km_sim_file("/pki/cert", "CERT 2");
    rig_run(RIG_MINUTE);
    rig_check(km_sim_tls_setups() == 2);
    rig_check(rig_logged(reloaded) == 1);
    (void)rig_settle(15000);
    rig_end();
}

/* The CA in a file, the rest in the kubeconfig: the key is needed again when the file changes. */
static void authority_file_changes_alone(void **state)
{
    struct km_fault fault = {0};
    (void)state;
    rig_begin(1);
    km_sim_file("/pki/ca", "CA 1");
    (void)snprintf(rig.kubeconfig.ca_file, sizeof rig.kubeconfig.ca_file, "/pki/ca");
    rig.kubeconfig.store_len = 64; /* behind the token */
    rig.kubeconfig.ca = store("CA 1");
    rig.kubeconfig.cert = store("CERT 1");
    rig.kubeconfig.key = store("KEY 1");
    assert_int_equal(km_client_tls(&rig.kubeconfig, &fault), KM_OK);
    assert_string_equal(rig.kubeconfig.key.ptr, "KEY 1");
    rig_start();
    (void)rig_settle(15000);
    km_sim_file("/pki/ca", "CA 2");
    rig_run(RIG_MINUTE * 6);
    rig_check(km_sim_tls_setups() == 2);
    assert_string_equal(rig.kubeconfig.key.ptr, "KEY 1");
    (void)rig_settle(15000);
    rig_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_without_server),
        cmocka_unit_test(away_twice_in_a_row),
        cmocka_unit_test(not_there_at_the_start),
        cmocka_unit_test(certificate_words),
        cmocka_unit_test(half_open_links),
        cmocka_unit_test(half_open_watch_alone),
        cmocka_unit_test(deaf_watches),
        cmocka_unit_test(link_down),
        cmocka_unit_test(address_changes),
        cmocka_unit_test(one_good_address),
        cmocka_unit_test(wall_clock_jumps),
        cmocka_unit_test(starts_in_1970),
        cmocka_unit_test(suspended),
        cmocka_unit_test(slow_answers),
        cmocka_unit_test(slow_latency),
        cmocka_unit_test(stop_in_the_middle),
        cmocka_unit_test(stop_without_answer),
        cmocka_unit_test(stop_without_server),
        cmocka_unit_test(token_file_changes),
        cmocka_unit_test(certificate_files_change),
        cmocka_unit_test(certificate_files_break),
        cmocka_unit_test(authority_file_changes_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
