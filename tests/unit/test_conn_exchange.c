/* SPDX-License-Identifier: Apache-2.0 */
/* The connection machine against a scripted server: reuse, early answers, deadlines, faults in words, one handshake at a time. */
#include <stdio.h>

#include "tests/unit/conn_scene.h"

static struct call call, second;
static char big_body[300000];

static void serve_echo(void *ctx, const struct km_sim_request *rq)
{
    (void)ctx;
    if (km_sim_request_is(rq, "GET", "/close"))
        (void)km_sim_http_reply_with(rq->conn_id, 200, "Connection: close\r\n", "bye");
    else if (km_sim_request_is(rq, "GET", "/silent"))
        return;
    else if (km_sim_request_is(rq, "GET", "/interim"))
        (void)km_sim_reply_text(rq->conn_id,
                                "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\n"
                                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    else if (km_sim_request_is(rq, "GET", "/until-close")) {
        (void)km_sim_reply_text(rq->conn_id, "HTTP/1.1 200 OK\r\n\r\nall of it");
        (void)km_sim_close(rq->conn_id);
    } else if (km_sim_request_is(rq, "GET", "/cut")) {
        (void)km_sim_reply_text(rq->conn_id, "HTTP/1.1 200 OK\r\n\r\nhalf of i");
        (void)km_sim_fin(rq->conn_id);
    } else if (km_sim_request_is(rq, "GET", "/short")) {
        (void)km_sim_reply_text(rq->conn_id, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
        (void)km_sim_close(rq->conn_id);
    } else if (km_sim_request_is(rq, "GET", "/extra"))
        (void)km_sim_reply_text(
            rq->conn_id, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n");
    else if (km_sim_request_is(rq, "GET", "/garbage"))
        (void)km_sim_reply_text(rq->conn_id, "SSH-2.0-OpenSSH_9.2\r\n");
    else if (km_sim_request_is(rq, "GET", "/drop"))
        (void)km_sim_close(rq->conn_id);
    else if (km_sim_request_is(rq, "HEAD", "/"))
        (void)km_sim_reply_text(rq->conn_id, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    else {
        char body[600];

        (void)snprintf(body, sizeof body, "%s %s %zu", rq->method, rq->target, rq->body.len);
        (void)km_sim_http_reply(rq->conn_id, 200, "text/plain", body);
    }
}

static void open_echo(bool tls)
{
    scene_open("10.0.0.1", tls);
    km_sim_http_listen("10.0.0.1", 6443, serve_echo, NULL);
}

static void test_one_exchange(void **state)
{
    (void)state;
    for (int tls = 0; tls < 2; tls++) {
        open_echo(tls);
        call_run(&call, &conns[0], KM_GET, "/hello?a=b");
        assert_int_equal(call.err, KM_OK);
        assert_int_equal(call.heads, 1);
        assert_int_equal(call.status, 200);
        assert_string_equal(call.body, "GET /hello?a=b 0");
        assert_int_equal(conns[0].state, KM_CONN_IDLE);
        assert_string_equal(km_sim_server_name(km_sim_conn_last()), tls ? "10.0.0.1" : "");
        scene_close();
    }
}

static void test_reuse(void **state)
{
    (void)state;
    open_echo(true);
    for (int i = 0; i < 5; i++) {
        call_run(&call, &conns[0], KM_GET, "/again");
        assert_int_equal(call.err, KM_OK);
        assert_int_equal(conns[0].reused, i > 0);
    }
    assert_int_equal(conns[0].opened, 1);
    assert_int_equal(conns[0].exchanges, 5);
    call_run(&call, &conns[0], KM_GET, "/close");
    assert_int_equal(call.err, KM_OK);
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    assert_int_equal(km_sim_leaks(), 0);
    call_run(&call, &conns[0], KM_GET, "/again");
    assert_int_equal(conns[0].opened, 2);
    scene_close();
}

static void test_head_until_close_and_interim(void **state)
{
    (void)state;
    open_echo(true);
    call_run(&call, &conns[0], KM_HEAD, "/");
    assert_int_equal(call.err, KM_OK);
    assert_int_equal(call.body_len, 0);
    assert_int_equal(conns[0].state, KM_CONN_IDLE);
    call_run(&call, &conns[0], KM_GET, "/interim");
    assert_string_equal(call.body, "ok");
    assert_int_equal(call.heads, 1);
    call_run(&call, &conns[0], KM_GET, "/until-close");
    assert_int_equal(call.err, KM_OK);
    assert_string_equal(call.body, "all of it");
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    scene_close();
}

static void test_truncation(void **state)
{
    (void)state;
    open_echo(true);
    call_run(&call, &conns[0], KM_GET, "/cut");
    assert_int_equal(call.err, KM_ERR_TRUNCATED);
    call_run(&call, &conns[0], KM_GET, "/short");
    assert_int_equal(call.err, KM_ERR_TRUNCATED);
    assert_string_equal(call.fault,
                        "10.0.0.1:6443 closed the connection in the middle of an answer");
    scene_close();
}

static void test_leftover_closes(void **state)
{
    (void)state;
    open_echo(false);
    call_run(&call, &conns[0], KM_GET, "/extra");
    assert_int_equal(call.err, KM_OK);
    assert_string_equal(call.body, "ok");
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    scene_close();
}

static void test_garbage(void **state)
{
    (void)state;
    open_echo(true);
    call_run(&call, &conns[0], KM_GET, "/garbage");
    assert_int_equal(call.err, KM_ERR_PROTOCOL);
    assert_true(km_err_is_hostile(call.err));
    assert_string_equal(call.fault,
                        "10.0.0.1:6443 sent a malformed HTTP answer: no HTTP/1 status line");
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    scene_close();
}

/* A fresh connection that is closed without an answer is a failure; a kept one is stale and may be tried again. */
static void test_closed_without_answer(void **state)
{
    (void)state;
    open_echo(true);
    call_run(&call, &conns[0], KM_GET, "/drop");
    assert_int_equal(call.err, KM_ERR_RESET);
    assert_false(call.stale);
    assert_string_equal(call.fault, "10.0.0.1:6443 closed the connection without an answer");
    call_run(&call, &conns[0], KM_GET, "/ok");
    assert_false(call.stale);
    call_run(&call, &conns[0], KM_GET, "/drop");
    assert_int_equal(call.err, KM_ERR_RESET);
    assert_true(call.stale);
    assert_string_equal(
        call.fault,
        "10.0.0.1:6443 had closed the connection that was kept from an earlier request");
    call_run(&call, &conns[0], KM_GET, "/ok");
    assert_false(call.stale);
    scene_close();
}

static void test_idle_connection_is_closed_by_any_event(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++) {
        int id;

        open_echo(true);
        call_run(&call, &conns[0], KM_GET, "/ok");
        id = km_sim_conn_last();
        if (way == 0)
            (void)km_sim_close(id);
        else if (way == 1)
            (void)km_sim_fin(id);
        else if (way == 2)
            (void)km_sim_rst(id);
        else
            (void)km_sim_reply_text(id, "HTTP/1.1 408 Timeout\r\n\r\n");
        assert_int_equal(conns[0].state, KM_CONN_IDLE);
        turns(3, 10);
        assert_int_equal(conns[0].state, KM_CONN_CLOSED);
        assert_int_equal(km_sim_leaks(), 0);
        scene_close();
    }
}

/* Closed by the server between the last turn and the start: replaced before anything was sent, unseen by the caller. */
static void test_closed_idle_connection_is_replaced(void **state)
{
    (void)state;
    for (int way = 0; way < 3; way++) {
        open_echo(true);
        call_run(&call, &conns[0], KM_GET, "/ok");
        if (way == 0)
            (void)km_sim_close(km_sim_conn_last());
        else if (way == 1)
            (void)km_sim_rst(km_sim_conn_last());
        else
            (void)km_sim_reply_text(km_sim_conn_last(),
                                    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        km_sim_advance(5);
        call_run(&call, &conns[0], KM_GET, "/next");
        assert_int_equal(call.err, KM_OK);
        assert_string_equal(call.body, "GET /next 0");
        assert_int_equal(conns[0].opened, 2);
        assert_false(conns[0].reused);
        scene_close();
    }
}

/* ---- bodies ---- */

static void test_bodies_of_every_size_around_the_buffer(void **state)
{
    (void)state;
    memset(big_body, 'x', sizeof big_body);
    open_echo(true);
    for (size_t len = CONFIG_KM_NET_TX_BYTES - 120; len < CONFIG_KM_NET_TX_BYTES + 20; len++) {
        char expected[64];

        call_prepare(&call, &conns[0], KM_PUT, "/big");
        call.x.request.body = (struct km_slice){big_body, len};
        call_start(&call);
        call_finish(&call);
        (void)snprintf(expected, sizeof expected, "PUT /big %zu", len);
        assert_string_equal(call.body, expected);
    }
    assert_int_equal(conns[0].opened, 1);
    scene_close();
}

static void test_request_that_does_not_fit(void **state)
{
    static char target[CONFIG_KM_NET_TX_BYTES];

    (void)state;
    open_echo(true);
    memset(target, 'a', sizeof target - 1);
    target[0] = '/';
    call_prepare(&call, &conns[0], KM_GET, target);
    assert_int_equal(km_conn_start(&conns[0], &call.x, 0), KM_ERR_TOO_LONG);
    call_prepare(&call, &conns[0], KM_GET, "/a b");
    assert_int_equal(km_conn_start(&conns[0], &call.x, 0), KM_ERR_ARG);
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    assert_int_equal(call.dones, 0);
    call_run(&call, &conns[0], KM_GET, "/ok");
    assert_int_equal(call.err, KM_OK);
    call_prepare(&call, &conns[0], KM_GET, "/x");
    call_start(&call);
    assert_int_equal(km_conn_start(&conns[0], &second.x, 0), KM_ERR_ARG);
    call_finish(&call);
    scene_close();
}

/* Answers as soon as the head is there, and goes on reading or not. */
static void early_bytes(void *ctx, int conn_id, const uint8_t *data, size_t len)
{
    int *mode = ctx;

    (void)data;
    (void)len;
    if (*mode < 0)
        return;
    (void)km_sim_http_reply(conn_id, 413, "text/plain", "too big");
    if (*mode == 1)
        (void)km_sim_close(conn_id);
    *mode = -1;
}

static void test_answer_before_the_request_is_sent(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        int mode = way;
        struct km_sim_server server = {.on_bytes = early_bytes, .ctx = &mode};

        scene_open("10.0.0.1", false);
        km_sim_listen("10.0.0.1", 6443, &server);
        km_sim_shorten(3);
        km_sim_send_limit(sizeof big_body / 2);
        call_prepare(&call, &conns[0], KM_PUT, "/big");
        call.x.request.body = (struct km_slice){big_body, sizeof big_body};
        call_start(&call);
        call_finish(&call);
        assert_int_equal(call.err, KM_OK);
        assert_int_equal(call.status, 413);
        assert_string_equal(call.body, "too big");
        assert_int_equal(conns[0].state, KM_CONN_CLOSED);
        scene_close();
    }
}

/* The answer came, then writing the rest of the body breaks: the answer still counts. */
static void test_answer_and_dead_write(void **state)
{
    int mode = 0;
    struct km_sim_server server = {.on_bytes = early_bytes, .ctx = &mode};

    (void)state;
    scene_open("10.0.0.1", false);
    km_sim_listen("10.0.0.1", 6443, &server);
    km_sim_send_limit(10000);
    call_prepare(&call, &conns[0], KM_PUT, "/big");
    call.x.request.body = (struct km_slice){big_body, sizeof big_body};
    call_start(&call);
    while (conns[0].sent < 10000)
        km_loop_turn(&loop, 1);
    km_sim_advance(10);
    km_sim_send_limit(0);
    km_sim_fail_nth(KM_SIM_SEND, 1, KM_AGAIN);
    km_sim_fail_nth(KM_SIM_SEND, 2, KM_ERR_RESET);
    call_finish(&call);
    assert_int_equal(call.err, KM_OK);
    assert_int_equal(call.status, 413);
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    scene_close();
}

static size_t upload_got;
static int upload_id;

static void upload_bytes(void *ctx, int conn_id, const uint8_t *data, size_t len)
{
    (void)ctx;
    (void)data;
    if (upload_got == 0)
        (void)km_sim_reply_text(conn_id, "HTTP/1.1 100 Continue\r\n\r\n");
    upload_id = conn_id;
    upload_got += len;
    if (upload_got > sizeof big_body)
        (void)km_sim_http_reply(conn_id, 200, "text/plain", "stored");
}

static void lift_send_limit(void *ctx)
{
    (void)ctx;
    km_sim_send_limit(0);
}

/* A body many times the buffers, a server that is slow to read and says something meanwhile: sending goes on as soon as there
   is room, whatever the last read or write awaited. */
static void test_large_upload(void **state)
{
    static const struct km_sim_server server = {.on_bytes = upload_bytes};

    (void)state;
    for (unsigned way = 0; way < 8; way++) {
        bool tls = (way & 1) != 0;
        int64_t start;

        scene_open("10.0.0.1", tls);
        upload_got = 0;
        km_sim_listen("10.0.0.1", 6443, &server);
        if ((way & 2) != 0) {
            km_sim_send_limit(50000);
            (void)km_sim_after(40, lift_send_limit, NULL);
        }
        if ((way & 4) != 0)
            km_sim_shorten_to(1000);
        start = km_port_now_ms();
        call_prepare(&call, &conns[0], KM_PUT, "/big");
        call.x.request.body = (struct km_slice){big_body, sizeof big_body};
        call.x.deadline_ms = start + 5000;
        call_start(&call);
        call_finish(&call);
        assert_int_equal(call.err, KM_OK);
        assert_string_equal(call.body, "stored");
        assert_true(km_port_now_ms() - start < 500);
        assert_int_equal(conns[0].state, KM_CONN_IDLE);
        scene_close();
    }
}

static void test_dead_write_on_a_kept_connection(void **state)
{
    (void)state;
    open_echo(true);
    call_run(&call, &conns[0], KM_GET, "/ok");
    call_prepare(&call, &conns[0], KM_PUT, "/big");
    call.x.request.body = (struct km_slice){big_body, 20000};
    km_sim_fail_nth(KM_SIM_TLS_WRITE, 2, KM_ERR_RESET);
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_RESET);
    assert_true(call.stale);
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    scene_close();
}

/* ---- callbacks ---- */

static void start_second(struct call *done)
{
    call_prepare(&second, done->conn, KM_GET, "/second");
    call_start(&second);
    /* The words of the first stay readable while the next one runs. */
    if (done->err != KM_OK)
        assert_true(done->fault[0] != '\0');
}

static void test_next_exchange_from_done(void **state)
{
    static const char *const first[] = {"/ok", "/close", "/drop", "/garbage"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        open_echo(true);
        call_prepare(&call, &conns[0], KM_GET, first[i]);
        call.then = start_second;
        call_start(&call);
        call_finish(&call);
        assert_int_equal(second.dones, 0);
        call_finish(&second);
        assert_int_equal(second.err, KM_OK);
        assert_string_equal(second.body, "GET /second 0");
        assert_int_equal(conns[0].opened, i == 0 ? 1 : 2);
        scene_close();
    }
}

static void abort_itself(struct call *c)
{
    km_conn_abort(c->conn, KM_ERR_CANCELED, "enough", 0);
    assert_int_equal(c->dones, 1);
}

static void test_callbacks_may_end_it(void **state)
{
    (void)state;
    open_echo(true);
    call_prepare(&call, &conns[0], KM_GET, "/ok");
    call.body_verdict = KM_ERR_SYNTAX;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_SYNTAX);
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);

    call_prepare(&call, &conns[0], KM_GET, "/ok");
    call.head_verdict = KM_ERR_CANCELED;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_CANCELED);
    assert_int_equal(call.body_len, 0);

    call_prepare(&call, &conns[0], KM_GET, "/ok");
    call.at_body = abort_itself;
    call.then = start_second;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_CANCELED);
    assert_string_equal(call.fault, "request to 10.0.0.1:6443: enough");
    call_finish(&second);
    assert_int_equal(second.err, KM_OK);
    scene_close();
}

static void serve_two_chunks(void *ctx, const struct km_sim_request *rq)
{
    (void)ctx;
    (void)km_sim_reply_text(rq->conn_id, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                         "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
}

/* What is left of the buffer belongs to the exchange that was given up, not to the one that its `done` started. */
static void test_rest_of_an_aborted_answer(void **state)
{
    (void)state;
    scene_open("10.0.0.1", true);
    km_sim_http_listen("*", 0, serve_two_chunks, NULL);
    call_prepare(&call, &conns[0], KM_GET, "/");
    call.at_body = abort_itself;
    call.then = start_second;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(second.dones, 0);
    assert_int_equal(second.body_len, 0);
    call_finish(&second);
    assert_int_equal(second.err, KM_OK);
    assert_string_equal(second.body, "onetwo");
    assert_int_equal(conns[0].opened, 2);
    scene_close();
}

/* A send that fails while the link lives must not wait for an answer that can't come. */
static void test_failed_send_ends_at_once(void **state)
{
    int64_t start;

    (void)state;
    open_echo(false);
    call_prepare(&call, &conns[0], KM_PUT, "/big");
    call.x.request.body = (struct km_slice){big_body, 20000};
    km_sim_fail_nth(KM_SIM_SEND, 2, KM_ERR_IO);
    start = km_port_now_ms();
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_RESET);
    assert_true(km_port_now_ms() - start < 100);
    scene_close();
}

static void send_rest(void *ctx)
{
    (void)ctx;
    (void)km_sim_reply_text(upload_id, "late");
}

static void early_head(void *ctx, int conn_id, const uint8_t *data, size_t len)
{
    bool *answered = ctx;

    (void)data;
    (void)len;
    if (*answered)
        return;
    *answered = true;
    upload_id = conn_id;
    (void)km_sim_reply_text(conn_id, "HTTP/1.1 413 No\r\nContent-Length: 4\r\n\r\n");
    (void)km_sim_after(50, send_rest, NULL);
}

/* Once the answer has begun it is read to its end, though the request could not be sent whole. */
static void test_failed_send_behind_an_early_head(void **state)
{
    bool answered = false;
    struct km_sim_server server = {.on_bytes = early_head, .ctx = &answered};

    (void)state;
    scene_open("10.0.0.1", false);
    km_sim_listen("*", 0, &server);
    km_sim_send_limit(10000);
    call_prepare(&call, &conns[0], KM_PUT, "/big");
    call.x.request.body = (struct km_slice){big_body, sizeof big_body};
    call_start(&call);
    while (call.heads == 0)
        km_loop_turn(&loop, 10);
    km_sim_send_limit(0);
    km_sim_fail_nth(KM_SIM_SEND, 1, KM_ERR_IO);
    call_finish(&call);
    assert_int_equal(call.err, KM_OK);
    assert_string_equal(call.body, "late");
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    scene_close();
}

static void test_abort_in_every_state(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 12; n++) {
        scene_open("api.example", true);
        km_sim_dns("api.example", "10.0.0.1");
        km_sim_http_listen("10.0.0.1", 6443, serve_echo, NULL);
        call_prepare(&call, &conns[0], KM_GET, "/silent");
        call_start(&call);
        turns(n, 1);
        assert_int_equal(call.dones, 0);
        km_conn_abort(&conns[0], KM_ERR_CANCELED, "given up", 0);
        assert_int_equal(call.dones, 1);
        assert_int_equal(call.err, KM_ERR_CANCELED);
        assert_int_equal(km_sim_leaks(), 0);
        km_conn_abort(&conns[0], KM_ERR_CANCELED, "given up", 0);
        call_run(&call, &conns[0], KM_GET, "/ok");
        assert_int_equal(call.err, KM_OK);
        scene_close();
    }
}

/* ---- names and addresses ---- */

static void test_addresses_in_turn(void **state)
{
    int64_t start;

    (void)state;
    scene_open("api.example", true);
    km_sim_dns("api.example", "fd00::1 10.0.0.1 10.0.0.2");
    km_sim_route("fd00::1", 0, KM_SIM_UNREACHABLE);
    km_sim_route("10.0.0.1", 0, KM_SIM_SILENT);
    km_sim_http_listen("10.0.0.2", 6443, serve_echo, NULL);
    start = km_port_now_ms();
    call_run(&call, &conns[0], KM_GET, "/ok");
    assert_int_equal(call.err, KM_OK);
    assert_true(km_port_now_ms() - start >= CONFIG_KM_NET_CONNECT_MS);
    assert_true(km_port_now_ms() - start < CONFIG_KM_NET_CONNECT_MS + 100);
    assert_string_equal(km_sim_server_name(km_sim_conn_last()), "api.example");
    /* The address that worked is tried first from then on. */
    call_run(&call, &conns[0], KM_GET, "/close");
    start = km_port_now_ms();
    call_run(&call, &conns[0], KM_GET, "/ok");
    assert_true(km_port_now_ms() - start < 100);
    scene_close();
}

/* A deadline shorter than the time to connect must not keep a dead first address for ever. */
static void test_deadline_moves_to_the_next_address(void **state)
{
    (void)state;
    scene_open("api.example", true);
    km_sim_dns("api.example", "10.0.0.1 10.0.0.2");
    km_sim_route("10.0.0.1", 0, KM_SIM_SILENT);
    km_sim_http_listen("10.0.0.2", 6443, serve_echo, NULL);
    call_prepare(&call, &conns[0], KM_GET, "/ok");
    call.x.deadline_ms = km_port_now_ms() + 2000;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_TIMEOUT);
    assert_string_equal(
        call.fault,
        "api.example:6443 (10.0.0.1) could not be connected before the deadline of the request");
    call_prepare(&call, &conns[0], KM_GET, "/ok");
    call.x.deadline_ms = km_port_now_ms() + 2000;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_OK);
    scene_close();
}

static void test_name_changes_between_connections(void **state)
{
    (void)state;
    scene_open("api.example", true);
    km_sim_dns("api.example", "10.0.0.1");
    km_sim_http_listen("10.0.0.1", 6443, serve_echo, NULL);
    km_sim_http_listen("10.0.0.9", 6443, serve_echo, NULL);
    call_run(&call, &conns[0], KM_GET, "/close");
    km_sim_dns("api.example", "10.0.0.9");
    call_run(&call, &conns[0], KM_GET, "/ok");
    assert_int_equal(km_sim_peer(km_sim_conn_last())->ip[3], 9);
    scene_close();
}

/* The words are about the address that took the time, not about one that had failed before. */
static void test_words_after_several_addresses(void **state)
{
    (void)state;
    scene_open("api.example", true);
    km_sim_dns("api.example", "10.0.0.3 10.0.0.1");
    km_sim_route("10.0.0.1", 0, KM_SIM_SILENT);
    call_prepare(&call, &conns[0], KM_GET, "/");
    call.x.deadline_ms = km_port_now_ms() + 2000;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_TIMEOUT);
    assert_string_equal(
        call.fault,
        "api.example:6443 (10.0.0.1) could not be connected before the deadline of the request");
    scene_close();

    scene_open("api.example", true);
    km_sim_dns("api.example", "10.0.0.3 fd00::1");
    km_sim_route("fd00::1", 0, KM_SIM_UNREACHABLE);
    call_run(&call, &conns[0], KM_GET, "/");
    assert_int_equal(call.err, KM_ERR_REFUSED);
    assert_string_equal(call.fault, "connection to api.example:6443 (10.0.0.3) refused");
    scene_close();
}

/* The time that a handshake took counts: a request whose deadline passed meanwhile is not sent any more. */
static void test_deadline_passes_in_the_handshake(void **state)
{
    (void)state;
    open_echo(true);
    km_sim_tls_cost(3000);
    call_prepare(&call, &conns[0], KM_PUT, "/late");
    call.x.deadline_ms = km_port_now_ms() + 5000;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_TIMEOUT);
    assert_int_equal(km_sim_http_requests(), 0);
    scene_close();
}

static void expect_fault(int err, const char *text)
{
    call_run(&call, &conns[0], KM_GET, "/ok");
    assert_int_equal(call.err, err);
    assert_string_equal(call.fault, text);
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    assert_int_equal(km_sim_leaks(), 0);
}

static void test_words_for_a_person(void **state)
{
    (void)state;
    scene_open("10.0.0.1", true);
    expect_fault(KM_ERR_REFUSED, "connection to 10.0.0.1:6443 refused");
    km_sim_route("10.0.0.1", 0, KM_SIM_SILENT);
    expect_fault(KM_ERR_TIMEOUT, "connection to 10.0.0.1:6443 timed out after 10 s");
    km_sim_route("10.0.0.1", 0, KM_SIM_UNREACHABLE);
    expect_fault(KM_ERR_UNREACHABLE, "connection to 10.0.0.1:6443 failed: network unreachable");
    km_sim_http_listen("10.0.0.1", 6443, serve_echo, NULL);
    km_sim_tls_result(KM_ERR_CERT, "the certificate is for other.example, not for 10.0.0.1");
    expect_fault(KM_ERR_CERT,
                 "TLS handshake with 10.0.0.1:6443 failed: the certificate is for other.example, "
                 "not for 10.0.0.1");
    km_sim_tls_result(KM_AGAIN, NULL);
    expect_fault(KM_ERR_TIMEOUT, "10.0.0.1:6443 took too long over the TLS handshake");
    km_sim_tls_result(KM_OK, NULL);
    km_sim_fail_nth(KM_SIM_TLS_OPEN, 1, KM_ERR_TLS_MEMORY);
    expect_fault(KM_ERR_TLS_MEMORY,
                 "TLS handshake with 10.0.0.1:6443 failed: TLS memory exhausted");
    strcpy(endpoint.host, "fd00::1");
    expect_fault(KM_ERR_REFUSED, "connection to [fd00::1]:6443 refused");
    strcpy(endpoint.host, "api.example");
    expect_fault(KM_ERR_NAME, "the name api.example does not resolve");
    km_sim_dns_error("api.example", KM_ERR_TIMEOUT);
    expect_fault(KM_ERR_TIMEOUT, "the name api.example can't be resolved: no name server answered");
    km_sim_dns("api.example", "10.0.0.7 fd00::7");
    km_sim_route("fd00::7", 0, KM_SIM_UNREACHABLE);
    expect_fault(KM_ERR_REFUSED, "connection to api.example:6443 (10.0.0.7) refused");
    scene_close();
}

/* ---- deadlines ---- */

static void test_deadlines(void **state)
{
    int64_t start;

    (void)state;
    open_echo(true);
    call_prepare(&call, &conns[0], KM_GET, "/silent");
    start = km_port_now_ms();
    call.x.deadline_ms = start + 60000;
    call.x.head_deadline_ms = start + 5000;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_TIMEOUT);
    assert_int_equal(km_port_now_ms(), start + 5000);
    assert_string_equal(call.fault, "10.0.0.1:6443 did not answer in time");
    assert_int_equal(conns[0].state, KM_CONN_CLOSED);
    scene_close();
}

static void send_a_little(void *ctx)
{
    int *id = ctx;

    if (km_sim_http_chunk(*id, "tick") == KM_OK)
        (void)km_sim_after(1000, send_a_little, ctx);
}

static void serve_ticks(void *ctx, const struct km_sim_request *rq)
{
    *(int *)ctx = rq->conn_id;
    (void)km_sim_http_begin(rq->conn_id, 200, "text/plain");
    send_a_little(ctx);
}

/* A server that trickles does not move the deadline of the whole; without one a stream runs for hours. */
static void test_trickle(void **state)
{
    int id = 0;
    int64_t start;

    (void)state;
    scene_open("10.0.0.1", true);
    km_sim_http_listen("*", 0, serve_ticks, &id);
    call_prepare(&call, &conns[0], KM_GET, "/");
    start = km_port_now_ms();
    call.x.deadline_ms = start + 7500;
    call.x.head_deadline_ms = start + 2000;
    call_start(&call);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_TIMEOUT);
    assert_int_equal(km_port_now_ms(), start + 7500);
    assert_string_equal(call.fault, "10.0.0.1:6443 did not finish its answer in time");
    assert_int_equal(call.total, 8 * 4);

    call_prepare(&call, &conns[0], KM_GET, "/");
    call.x.head_deadline_ms = km_port_now_ms() + 2000;
    call_start(&call);
    start = km_port_now_ms();
    while (km_port_now_ms() - start < 6 * 3600 * 1000)
        km_loop_turn(&loop, 60000);
    assert_int_equal(call.dones, 0);
    assert_true(call.total >= 6 * 3600 * 4 - 8);
    assert_true(km_port_now_ms() - conns[0].last_rx_ms <= 1001);
    (void)km_sim_hang(id);
    call_finish(&call);
    assert_int_equal(call.err, KM_ERR_TIMEOUT);
    assert_true(km_port_now_ms() - start < 6 * 3600 * 1000 + 60000);
    scene_close();
}

/* ---- TLS ---- */

/* One record, with nothing behind it that poll could see. */
static void serve_record(void *ctx, const struct km_sim_request *rq)
{
    static char text[3 * CONFIG_KM_NET_RX_BYTES];

    (void)ctx;
    memset(text, 'r', sizeof text);
    memcpy(text, "HTTP/1.1 200 OK\r\n\r\n", 19);
    (void)km_sim_reply(rq->conn_id, text, sizeof text);
}

/* The rest of a record is decrypted already and poll can't see it: it must be read without waiting. */
static void test_pending_bytes_are_read_before_waiting(void **state)
{
    (void)state;
    scene_open("10.0.0.1", true);
    km_sim_http_listen("*", 0, serve_record, NULL);
    for (int shorten = 0; shorten < 3; shorten++) {
        km_sim_shorten(shorten == 1 ? 1 : 0);
        km_sim_shorten_to(shorten == 2 ? 16 : 0);
        call_prepare(&call, &conns[0], KM_GET, "/");
        call_start(&call);
        for (int64_t start = km_port_now_ms(); km_port_now_ms() < start + 200;)
            km_loop_turn(&loop, 50);
        assert_int_equal(call.total, 3 * CONFIG_KM_NET_RX_BYTES - 19);
        km_conn_abort(&conns[0], KM_ERR_CANCELED, "done", 0);
    }
    scene_close();
}

static void test_one_handshake_at_a_time(void **state)
{
    static struct call calls[CONFIG_KM_CONN_COUNT];

    (void)state;
    open_echo(true);
    km_sim_tls_cost(300);
    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT; i++) {
        call_prepare(&calls[i], &conns[i], KM_GET, "/ok");
        call_start(&calls[i]);
    }
    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT; i++)
        call_finish(&calls[i]);
    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT; i++)
        assert_int_equal(calls[i].err, KM_OK);
    assert_int_equal(km_sim_tls_handshaking_max(), 1);
    scene_close();
}

/* One whose handshake gets nowhere holds the others up no longer than its own deadline; being aborted lets them go at once. */
static void test_stuck_handshake_lets_others_go(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        int64_t start;

        open_echo(true);
        start = km_port_now_ms();
        km_sim_tls_result(KM_AGAIN, NULL);
        call_prepare(&call, &conns[0], KM_GET, "/ok");
        call_start(&call);
        turns(8, 1);
        assert_int_equal(conns[0].state, KM_CONN_HANDSHAKE);
        km_sim_tls_result(KM_OK, NULL);
        call_prepare(&second, &conns[1], KM_GET, "/ok");
        call_start(&second);
        turns(8, 1);
        assert_int_equal(conns[1].state, KM_CONN_HANDSHAKE);
        assert_null(conns[1].tls);
        if (way == 1)
            km_conn_abort(&conns[0], KM_ERR_CANCELED, "no more", 0);
        call_finish(&second);
        assert_int_equal(second.err, KM_OK);
        assert_int_equal(call.dones, 1);
        assert_true(km_port_now_ms() - start < (way == 1 ? 100 : CONFIG_KM_NET_TLS_MS + 200));
        scene_close();
    }
}

static void test_waiting_for_a_handshake_sees_the_close(void **state)
{
    (void)state;
    open_echo(true);
    km_sim_tls_result(KM_AGAIN, NULL);
    call_prepare(&call, &conns[0], KM_GET, "/ok");
    call_prepare(&second, &conns[1], KM_GET, "/ok");
    call_start(&call);
    call_start(&second);
    turns(8, 1);
    (void)km_sim_close(km_sim_conn_last());
    call_finish(&second);
    assert_int_equal(second.err, KM_ERR_RESET);
    assert_string_equal(
        second.fault, "TLS handshake with 10.0.0.1:6443 failed: the server closed the connection");
    scene_close();
}

/* ---- streams without end ---- */

static void flood(void *ctx, int conn_id)
{
    static char block[8192];

    (void)ctx;
    memset(block, '[', sizeof block);
    while (km_sim_room(conn_id) >= sizeof block)
        assert_int_equal(km_sim_reply(conn_id, block, sizeof block), KM_OK);
}

static void flood_start(void *ctx, int conn_id, const uint8_t *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
    (void)km_sim_reply_text(conn_id, "HTTP/1.1 200 OK\r\n\r\n");
}

/* Tens of megabytes in one line: bounded work per step, and the deadline ends it though bytes are always ready. */
static void test_flood(void **state)
{
    static const struct km_sim_server server = {.on_bytes = flood_start, .on_drained = flood};
    uint64_t largest = 0;

    (void)state;
    scene_open("10.0.0.1", true);
    km_sim_listen("*", 0, &server);
    km_sim_poll_limit(10000000);
    call_prepare(&call, &conns[0], KM_GET, "/");
    call.x.deadline_ms = km_port_now_ms() + 600;
    call_start(&call);
    while (call.dones == 0) {
        uint64_t before = conns[0].bytes_in;

        km_loop_turn(&loop, 1000);
        if (conns[0].bytes_in - before > largest)
            largest = conns[0].bytes_in - before;
    }
    assert_int_equal(call.err, KM_ERR_TIMEOUT);
    assert_true(call.total > 60000000);
    assert_true(largest <= (uint64_t)CONFIG_KM_NET_STEP_READS * CONFIG_KM_NET_RX_BYTES);
    scene_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_exchange),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_head_until_close_and_interim),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_leftover_closes),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_closed_without_answer),
        cmocka_unit_test(test_idle_connection_is_closed_by_any_event),
        cmocka_unit_test(test_closed_idle_connection_is_replaced),
        cmocka_unit_test(test_bodies_of_every_size_around_the_buffer),
        cmocka_unit_test(test_request_that_does_not_fit),
        cmocka_unit_test(test_answer_before_the_request_is_sent),
        cmocka_unit_test(test_answer_and_dead_write),
        cmocka_unit_test(test_large_upload),
        cmocka_unit_test(test_dead_write_on_a_kept_connection),
        cmocka_unit_test(test_next_exchange_from_done),
        cmocka_unit_test(test_callbacks_may_end_it),
        cmocka_unit_test(test_rest_of_an_aborted_answer),
        cmocka_unit_test(test_failed_send_ends_at_once),
        cmocka_unit_test(test_failed_send_behind_an_early_head),
        cmocka_unit_test(test_abort_in_every_state),
        cmocka_unit_test(test_addresses_in_turn),
        cmocka_unit_test(test_deadline_moves_to_the_next_address),
        cmocka_unit_test(test_name_changes_between_connections),
        cmocka_unit_test(test_words_after_several_addresses),
        cmocka_unit_test(test_deadline_passes_in_the_handshake),
        cmocka_unit_test(test_words_for_a_person),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_trickle),
        cmocka_unit_test(test_pending_bytes_are_read_before_waiting),
        cmocka_unit_test(test_one_handshake_at_a_time),
        cmocka_unit_test(test_stuck_handshake_lets_others_go),
        cmocka_unit_test(test_waiting_for_a_handshake_sees_the_close),
        cmocka_unit_test(test_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
