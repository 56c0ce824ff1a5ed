/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scene, run again and again: each port call fails once, each byte in either direction is the last before a cut, reads
 * and writes are short, the server misbehaves at random. Every exchange ends exactly once, the scene recovers, nothing leaks.
 */
#include <stdio.h>

#include "tests/unit/conn_scene.h"

#define CALLS 9
#define TRIES 6

static struct call calls[CALLS];
static unsigned tries[CALLS], succeeded;
static char put_body[6000];

static void serve(void *ctx, const struct km_sim_request *rq)
{
    (void)ctx;
    if (km_sim_request_is(rq, "GET", "/chunks")) {
        (void)km_sim_http_begin(rq->conn_id, 200, "text/plain");
        (void)km_sim_http_chunk(rq->conn_id, "first ");
        (void)km_sim_http_chunk(rq->conn_id, "second");
        (void)km_sim_http_end(rq->conn_id);
    } else if (km_sim_request_is(rq, "GET", "/close")) {
        (void)km_sim_http_reply_with(rq->conn_id, 200, "Connection: close\r\n", "closing");
        (void)km_sim_close(rq->conn_id);
    } else {
        char body[32];

        (void)snprintf(body, sizeof body, "%zu bytes", rq->body.len);
        (void)km_sim_http_reply(rq->conn_id, 201, "text/plain", body);
    }
}

static void next_try(struct call *call);

static void prepare(size_t i)
{
    static const char *const targets[] = {"/chunks", "/close", "/put"};
    struct call *call = &calls[i];

    call_prepare(call, &conns[i % CONFIG_KM_CONN_COUNT], i % 3 == 2 ? KM_PUT : KM_GET,
                 targets[i % 3]);
    if (i % 3 == 2)
        call->x.request.body = (struct km_slice){put_body, sizeof put_body};
    call->x.deadline_ms = km_port_now_ms() + 30000;
    call->x.head_deadline_ms = km_port_now_ms() + 20000;
    call->then = next_try;
}

/* The next exchange of this connection, or the same again after a failure. */
static void next_try(struct call *call)
{
    static const char *const bodies[] = {"first second", "closing", "6000 bytes"};
    size_t i = (size_t)(call - calls);

    if (call->err == KM_OK) {
        succeeded++;
        assert_string_equal(call->body, bodies[i % 3]);
        assert_int_equal(call->total, strlen(bodies[i % 3]));
        i += CONFIG_KM_CONN_COUNT;
        if (i >= CALLS)
            return;
    } else {
        assert_true(strstr(call->fault, "10.0.0.1") != NULL ||
                    strstr(call->fault, "api.example") != NULL);
    }
    if (++tries[i] > TRIES)
        return;
    prepare(i);
    call_start(&calls[i]);
}

static void scene_start(void)
{
    scene_open("api.example", true);
    km_sim_dns("api.example", "fd00::9 10.0.0.1");
    km_sim_http_listen("10.0.0.1", 6443, serve, NULL);
    memset(tries, 0, sizeof tries);
    succeeded = 0;
}

static void scene_run(void)
{
    int64_t start = km_port_now_ms();

    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT && i < CALLS; i++) {
        prepare(i);
        call_start(&calls[i]);
    }
    while (succeeded < CALLS && km_port_now_ms() - start < 400000)
        km_loop_turn(&loop, 5000);
    if (succeeded != CALLS)
        fail_msg("%u of %d exchanges succeeded; %s", succeeded, CALLS, km_sim_last_fault());
    scene_close();
}

static void test_each_call_fails_once(void **state)
{
    uint64_t count;

    (void)state;
    scene_start();
    scene_run();
    count = km_sim_calls(KM_SIM_ANY);
    assert_true(count > 100);
    for (uint64_t n = 1; n <= count; n++) {
        scene_start();
        km_sim_fail_nth(KM_SIM_ANY, n, KM_SIM_NATURAL);
        scene_run();
        assert_int_equal(km_sim_faults_hit(), 1);
    }
}

static void test_each_class_with_each_error(void **state)
{
    static const int errors[] = {KM_AGAIN,       KM_ERR_IO,          KM_ERR_RESET,
                                 KM_ERR_TIMEOUT, KM_ERR_UNREACHABLE, KM_ERR_FULL};
    uint64_t counts[KM_SIM_CALL_COUNT];

    (void)state;
    scene_start();
    scene_run();
    for (unsigned k = 1; k < KM_SIM_CALL_COUNT; k++)
        counts[k] = km_sim_calls((enum km_sim_call)k);
    for (unsigned k = 1; k < KM_SIM_CALL_COUNT; k++) {
        for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
            /* These never ask to wait. */
            if (errors[e] == KM_AGAIN && (k == KM_SIM_POLL || k == KM_SIM_TLS_OPEN))
                continue;
            for (uint64_t n = 1; n <= counts[k]; n++) {
                scene_start();
                km_sim_fail_nth((enum km_sim_call)k, n, errors[e]);
                scene_run();
                assert_int_equal(km_sim_faults_hit(), 1);
            }
        }
    }
}

/* A fault that lasts a while is not answered by a hot loop (the simulated poll aborts on one). */
static void test_lasting_faults(void **state)
{
    (void)state;
    for (unsigned k = 1; k < KM_SIM_TLS_WRITE + 1; k++) {
        if (k == KM_SIM_TLS_SETUP || k == KM_SIM_SEND || k == KM_SIM_RECV)
            continue;
        scene_start();
        km_sim_fail((enum km_sim_call)k, 3, 4, KM_SIM_NATURAL);
        scene_run();
        assert_true(km_sim_faults_hit() > 0);
    }
}

static void cut_everywhere(enum km_sim_dir dir, uint64_t step)
{
    uint64_t count;

    scene_start();
    scene_run();
    count = km_sim_bytes(dir);
    for (int how = KM_SIM_CUT_FIN; how <= KM_SIM_CUT_HANG; how++) {
        for (uint64_t at = 0; at < count; at += step) {
            scene_start();
            km_sim_cut(dir, at, (enum km_sim_cut)how);
            scene_run();
            assert_true(km_sim_cut_done(dir));
        }
    }
}

static void test_cut_after_each_byte_of_the_server(void **state)
{
    (void)state;
    cut_everywhere(KM_SIM_TO_AGENT, 1);
}

static void test_cut_after_bytes_of_the_agent(void **state)
{
    (void)state;
    cut_everywhere(KM_SIM_TO_SERVER, 37);
}

static void test_short_reads_and_writes(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        scene_start();
        km_sim_shorten(seed);
        km_sim_latency((int64_t)(seed % 3) * 40);
        scene_run();
    }
}

static void link_up_again(void *ctx)
{
    (void)ctx;
    km_sim_link(true);
}

static void link_goes_down(void *ctx)
{
    (void)ctx;
    km_sim_link(false);
    (void)km_sim_after(30000, link_up_again, NULL);
}

static void test_link_cut_for_half_a_minute(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 40; at++) {
        scene_start();
        km_sim_latency(3);
        (void)km_sim_after(at, link_goes_down, NULL);
        scene_run();
    }
}

/* ---- a server that misbehaves at random ---- */

static struct km_rng chaos_rng;

static void serve_chaos(void *ctx, const struct km_sim_request *rq)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 100 C\r\n\r\n",
        "\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz",
        "HTTP/1.1 200 OK\r\n\r\nuntil"};
    uint32_t dice = km_rng_u32(&chaos_rng) % 20;

    if (dice < sizeof answers / sizeof answers[0])
        (void)km_sim_reply_text(rq->conn_id, answers[dice]);
    else if (dice < 15)
        serve(ctx, rq);
    if (dice == 12)
        (void)km_sim_reply_text(rq->conn_id, "HTTP/1.1 200 OK\r\n\r\n");
    dice = km_rng_u32(&chaos_rng) % 12;
    if (dice == 0)
        (void)km_sim_close(rq->conn_id);
    else if (dice == 1)
        (void)km_sim_fin(rq->conn_id);
    else if (dice == 2)
        (void)km_sim_rst(rq->conn_id);
    else if (dice == 3)
        (void)km_sim_hang(rq->conn_id);
}

static void count_done(struct call *call)
{
    succeeded += call->err == KM_OK;
}

static void test_chaos(void **state)
{
    unsigned total = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        scene_start();
        km_rng_seed(&chaos_rng, seed);
        km_sim_http_listen("10.0.0.1", 6443, serve_chaos, NULL);
        km_sim_shorten(seed % 3 == 0 ? seed : 0);
        for (size_t i = 0; i < CALLS; i++) {
            prepare(i);
            calls[i].then = count_done;
            call_start(&calls[i]);
            call_finish(&calls[i]);
        }
        total += succeeded;
        scene_close();
    }
    assert_true(total > 150 * CALLS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_fails_once),
        cmocka_unit_test(test_each_class_with_each_error),
        cmocka_unit_test(test_lasting_faults),
        cmocka_unit_test(test_cut_after_each_byte_of_the_server),
        cmocka_unit_test(test_cut_after_bytes_of_the_agent),
        cmocka_unit_test(test_short_reads_and_writes),
        cmocka_unit_test(test_link_cut_for_half_a_minute),
        cmocka_unit_test(test_chaos),
    };

    memset(put_body, 'p', sizeof put_body);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
