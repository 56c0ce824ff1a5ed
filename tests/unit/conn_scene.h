/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the connection machine share: a loop with three connections on the simulated port, and exchanges that
   keep what came back. */
#ifndef CONN_SCENE_H
#define CONN_SCENE_H

#include <string.h>

#include "km_test.h"
#include "kubemote/km_http.h"
#include "port/sim/km_sim.h"
#include "port/sim/km_sim_http.h"

struct call {
    struct km_exchange x;
    struct km_conn *conn;
    unsigned heads, dones, status;
    int err;
    bool stale;
    char fault[256];
    char body[4096];
    size_t body_len, total;
    int head_verdict, body_verdict;
    void (*then)(struct call *call); /* from done */
    void (*at_body)(struct call *call);
};

static struct km_loop loop;
static struct km_conn conns[CONFIG_KM_CONN_COUNT];
static struct km_endpoint endpoint;

static int call_head(void *ctx, const struct km_http_parser *head)
{
    struct call *call = ctx;

    call->heads++;
    call->status = head->status;
    return call->head_verdict;
}

static int call_body(void *ctx, struct km_slice bytes)
{
    struct call *call = ctx;

    assert_int_equal(call->dones, 0);
    call->total += bytes.len;
    if (bytes.len < sizeof call->body - call->body_len) {
        memcpy(call->body + call->body_len, bytes.ptr, bytes.len);
        call->body_len += bytes.len;
        call->body[call->body_len] = '\0';
    }
    if (call->at_body != NULL)
        call->at_body(call);
    return call->body_verdict;
}

static void call_done(void *ctx, int err, const struct km_fault *fault)
{
    struct call *call = ctx;

    call->dones++;
    assert_int_equal(call->dones, 1);
    assert_non_null(fault);
    assert_int_equal(fault->code, err);
    call->err = err;
    call->stale = km_conn_stale(call->conn);
    memcpy(call->fault, fault->text, sizeof call->fault);
    if (err != KM_OK)
        assert_true(call->fault[0] != '\0');
    if (call->then != NULL)
        call->then(call);
}

static void scene_open(const char *host, bool tls)
{
    km_sim_reset(1);
    memset(&endpoint, 0, sizeof endpoint);
    strcpy(endpoint.host, host);
    strcpy(endpoint.server_name, host);
    endpoint.port = 6443;
    endpoint.tls = tls;
    km_loop_init(&loop);
    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT; i++) {
        km_conn_init(&conns[i], "test", &endpoint);
        assert_int_equal(km_loop_add(&loop, &conns[i]), KM_OK);
    }
}

static void call_prepare(struct call *call, struct km_conn *conn, enum km_http_method method,
                         const char *target)
{
    memset(call, 0, sizeof *call);
    call->conn = conn;
    call->x.request.method = method;
    call->x.request.target = km_slice_of(target);
    call->x.request.host = km_slice_of("h");
    call->x.request.body = km_slice_of("");
    call->x.deadline_ms = KM_NEVER;
    call->x.head_deadline_ms = KM_NEVER;
    call->x.on_head = call_head;
    call->x.on_body = call_body;
    call->x.done = call_done;
    call->x.ctx = call;
}

static void call_start(struct call *call)
{
    assert_int_equal(km_conn_start(call->conn, &call->x, km_port_now_ms()), KM_OK);
}

static void call_finish(struct call *call)
{
    for (unsigned i = 0; call->dones == 0; i++) {
        assert_true(i < 100000);
        km_loop_turn(&loop, 1000);
    }
}

static inline void call_run(struct call *call, struct km_conn *conn, enum km_http_method method,
                            const char *target)
{
    call_prepare(call, conn, method, target);
    call_start(call);
    call_finish(call);
}

static inline void turns(unsigned count, int64_t wait_ms)
{
    while (count-- > 0)
        km_loop_turn(&loop, wait_ms);
}

static void scene_close(void)
{
    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT; i++) {
        km_conn_abort(&conns[i], KM_ERR_CANCELED, "the test ends", km_port_now_ms());
        assert_int_equal(conns[i].state, KM_CONN_CLOSED);
    }
    assert_int_equal(km_sim_leaks(), 0);
}

#endif
