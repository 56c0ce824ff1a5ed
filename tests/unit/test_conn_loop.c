/* SPDX-License-Identifier: Apache-2.0 */
/* The owner loop: timers, waiting, a full table, a poll that fails. */
#include <stdio.h>

#include "tests/unit/conn_scene.h"

static unsigned fired;
static int64_t fired_at_ms;

static void on_timer(void *ctx, int64_t now_ms)
{
    (void)ctx;
    fired++;
    fired_at_ms = now_ms;
}

static void test_timers_and_waiting(void **state)
{
    struct km_timer timer = {.fn = on_timer};
    int64_t start;

    (void)state;
    scene_open("10.0.0.1", false);
    fired = 0;
    start = km_port_now_ms();
    assert_int_equal(loop.now_ms, start);
    km_loop_turn(&loop, 250);
    assert_int_equal(km_port_now_ms(), start + 250);
    assert_int_equal(km_timer_set(&loop.timers, &timer, start + 1000), KM_OK);
    km_loop_turn(&loop, 250);
    assert_int_equal(km_port_now_ms(), start + 500);
    km_loop_turn(&loop, -1);
    assert_int_equal(fired, 1);
    assert_int_equal(fired_at_ms, start + 1000);
    assert_int_equal(loop.now_ms, start + 1000);
    km_loop_turn(&loop, 0);
    assert_int_equal(km_port_now_ms(), start + 1000);
    scene_close();
}

static void test_table_is_full(void **state)
{
    static struct km_conn more;
    uint32_t refused = 0;

    (void)state;
    scene_open("10.0.0.1", false);
    km_conn_init(&more, "more", &endpoint);
    for (const struct km_pool *p = km_pool_first(); p != NULL; p = p->next) {
        if (strcmp(p->name, "conn") == 0) {
            assert_int_equal(p->used, CONFIG_KM_CONN_COUNT);
            refused = p->refused;
        }
    }
    assert_int_equal(km_loop_add(&loop, &more), KM_ERR_FULL);
    for (const struct km_pool *p = km_pool_first(); p != NULL; p = p->next) {
        if (strcmp(p->name, "conn") == 0)
            assert_int_equal(p->refused, refused + 1);
    }
    scene_close();
}

static void test_poll_fails_for_a_while(void **state)
{
    struct km_timer timer = {.fn = on_timer};
    int64_t start;

    (void)state;
    scene_open("10.0.0.1", false);
    fired = 0;
    start = km_port_now_ms();
    assert_int_equal(km_timer_set(&loop.timers, &timer, start + 100), KM_OK);
    for (unsigned i = 0; i < 3; i++) {
        km_sim_fail_nth(KM_SIM_POLL, 1, KM_ERR_IO);
        km_loop_turn(&loop, -1);
        km_sim_fail_clear();
    }
    assert_int_equal(loop.poll_failures, 3);
    assert_true(km_port_now_ms() >= start + 100);
    assert_int_equal(fired, 1);
    scene_close();
}

static void serve(void *ctx, const struct km_sim_request *rq)
{
    (void)ctx;
    (void)km_sim_http_reply(rq->conn_id, 200, "text/plain", "ok");
}

/* A handshake step of 400 ms moves the loop's time for those that come after it in the same turn. */
static void test_time_after_a_handshake(void **state)
{
    static struct call call;
    struct km_timer timer = {.fn = on_timer};
    int64_t start;

    (void)state;
    scene_open("10.0.0.1", true);
    km_sim_http_listen("*", 0, serve, NULL);
    km_sim_tls_cost(400);
    fired = 0;
    call_prepare(&call, &conns[0], KM_GET, "/");
    call_start(&call);
    start = km_port_now_ms();
    assert_int_equal(km_timer_set(&loop.timers, &timer, start + 100), KM_OK);
    while (fired == 0) {
        km_loop_turn(&loop, -1);
        assert_int_equal(loop.now_ms, km_port_now_ms());
    }
    assert_int_equal(fired_at_ms, km_port_now_ms());
    assert_true(fired_at_ms >= start + 400);
    call_finish(&call);
    assert_int_equal(call.err, KM_OK);
    scene_close();
}

static uint64_t counter_value(const char *name)
{
    for (const struct km_counter *c = km_counter_first(); c != NULL; c = c->next) {
        if (strcmp(c->name, name) == 0)
            return c->value;
    }
    fail_msg("no counter %s", name);
    return 0;
}

static void test_counters(void **state)
{
    static struct call call;
    uint64_t refused;

    (void)state;
    scene_open("10.0.0.1", true);
    refused = counter_value("kubemote_net_connect_failures_total");
    call_run(&call, &conns[0], KM_GET, "/");
    assert_int_equal(call.err, KM_ERR_REFUSED);
    assert_int_equal(counter_value("kubemote_net_connect_failures_total"), refused + 1);
    km_sim_http_listen("*", 0, serve, NULL);
    km_sim_tls_result(KM_ERR_TLS, "no");
    refused = counter_value("kubemote_net_handshake_failures_total");
    call_run(&call, &conns[0], KM_GET, "/");
    assert_int_equal(counter_value("kubemote_net_handshake_failures_total"), refused + 1);
    scene_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_and_waiting),
        cmocka_unit_test(test_table_is_full),
        cmocka_unit_test(test_poll_fails_for_a_while),
        cmocka_unit_test(test_time_after_a_handshake),
        cmocka_unit_test(test_counters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
