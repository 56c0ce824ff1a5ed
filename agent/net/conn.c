/* SPDX-License-Identifier: Apache-2.0 */

#include "net_priv.h"

static const struct km_conn *handshaker;

void net_handshake_reset(void)
{
    handshaker = NULL;
}

void km_conn_init(struct km_conn *c, const char *name, const struct km_endpoint *endpoint)
{
    /* The buffers are left alone: clearing them would make pages resident that may never be used. */
    if (handshaker == c)
        handshaker = NULL;
    c->name = name;
    c->endpoint = endpoint;
    c->state = KM_CONN_CLOSED;
    c->fd = -1;
    c->tls = NULL;
    c->resolve.fd = -1;
    c->resolve.addr_count = 0;
    c->addr_next = 0;
    c->addr_tried = 0;
    c->addr = (struct km_addr){0};
    c->exchange = NULL;
    c->step_deadline_ms = 0;
    c->last_rx_ms = 0;
    c->sent = 0;
    c->head_len = 0;
    c->kick = false;
    c->tx_dead = false;
    c->tx_error = KM_OK;
    c->reused = false;
    c->got_bytes = false;
    c->stale = false;
    c->round = 0;
    c->opened = 0;
    c->exchanges = 0;
    c->bytes_in = 0;
    c->bytes_out = 0;
    km_buf_init(&c->tx, c->tx_data, sizeof c->tx_data);
    km_fault_clear(&c->fault);
    km_http_parser_init(&c->parser, false);
}

void net_where(const struct km_conn *c, char *out, size_t out_size)
{
    char address[KM_ADDR_TEXT_SIZE] = "";
    struct km_addr literal;
    const char *host = c->endpoint->host;
    unsigned port = c->endpoint->port;

    if (c->addr.family != 0)
        km_addr_text(&c->addr, address, sizeof address);
    if (km_addr_parse(km_slice_of(host), &literal) == KM_OK)
        (void)km_format(out, out_size, literal.family == 6 ? "[%s]:%u" : "%s:%u", host, port);
    else if (address[0] != '\0')
        (void)km_format(out, out_size, "%.120s:%u (%s)", host, port, address);
    else
        (void)km_format(out, out_size, "%.120s:%u", host, port);
}

static void close_link(struct km_conn *c)
{
    if (handshaker == c)
        handshaker = NULL;
    if (c->state == KM_CONN_RESOLVE && c->step_deadline_ms != 0)
        km_resolve_stop(&c->resolve);
    if (c->tls != NULL)
        km_tls_close(c->tls);
    if (c->fd >= 0)
        km_socket_close(c->fd);
    c->tls = NULL;
    c->fd = -1;
    c->kick = false;
    c->state = KM_CONN_CLOSED;
}

/* Last thing done to an exchange: `done` may start the next one on this connection, or on another. */
static void finish(struct km_conn *c, int err)
{
    struct km_exchange *x = c->exchange;
    /* A copy, because the next exchange clears the connection's own. */
    struct km_fault fault = c->fault;

    fault.code = err;
    c->exchange = NULL;
    c->round++;
    x->done(x->ctx, err, &fault);
}

/* The next attempt begins at another address when this one never answered: it may swallow packets for ever, and a
   request's deadline may be shorter than the time to connect. */
static void skip_address(struct km_conn *c)
{
    if (!c->reused && !c->got_bytes && c->state >= KM_CONN_CONNECT && c->state != KM_CONN_IDLE)
        c->addr_next++;
}

void net_fail(struct km_conn *c, int err, const char *what, const char *why)
{
    char where[NET_WHERE_SIZE];
    bool has_why = why != NULL && why[0] != '\0';

    net_where(c, where, sizeof where);
    (void)km_fault_set(&c->fault, err, "%s %s%s%s", where, what, has_why ? ": " : "",
                       has_why ? why : "");
    if (err == KM_ERR_TIMEOUT)
        net_counters.timeouts.value++;
    skip_address(c);
    close_link(c);
    finish(c, err);
}

void net_complete(struct km_conn *c, bool reusable)
{
    c->exchanges++;
    if (reusable) {
        c->state = KM_CONN_IDLE;
        c->kick = false;
    } else {
        close_link(c);
    }
    km_fault_clear(&c->fault);
    finish(c, KM_OK);
}

static void begin_open(struct km_conn *c)
{
    c->state = KM_CONN_RESOLVE;
    c->step_deadline_ms = 0;
    c->reused = false;
    c->kick = true;
}

void net_reopen(struct km_conn *c)
{
    net_counters.stale.value++;
    close_link(c);
    begin_open(c);
}

int km_conn_start(struct km_conn *c, struct km_exchange *exchange, int64_t now_ms)
{
    const struct km_http_request *request = &exchange->request;
    size_t room;
    int err;

    (void)now_ms;
    if (c->exchange != NULL || exchange->done == NULL)
        return KM_ERR_ARG;
    km_buf_reset(&c->tx);
    err = km_http_write_head(&c->tx, request);
    if (err == KM_ERR_TOO_LONG)
        net_counters.request_too_large.value++;
    if (err != KM_OK)
        return err;
    c->head_len = c->tx.len;
    /* What fits of the body goes with the head, in one record and one packet. */
    room = sizeof c->tx_data - 1 - c->tx.len;
    km_buf_put(&c->tx, request->body.ptr, request->body.len < room ? request->body.len : room);
    c->exchange = exchange;
    c->sent = 0;
    c->tx_dead = false;
    c->got_bytes = false;
    c->stale = false;
    km_fault_clear(&c->fault);
    km_http_parser_init(&c->parser, request->method == KM_HEAD);
    if (c->state == KM_CONN_IDLE) {
        c->reused = true;
        c->state = KM_CONN_SEND;
        c->kick = true;
    } else {
        begin_open(c);
    }
    return KM_OK;
}

void km_conn_abort(struct km_conn *c, int err, const char *why, int64_t now_ms)
{
    char where[NET_WHERE_SIZE];

    (void)now_ms;
    if (c->exchange != NULL)
        skip_address(c);
    close_link(c);
    if (c->exchange == NULL)
        return;
    net_where(c, where, sizeof where);
    km_fault_clear(&c->fault);
    (void)km_fault_set(&c->fault, err, "request to %s: %s", where, why);
    finish(c, err);
}

bool km_conn_stale(const struct km_conn *c)
{
    return c->stale;
}

/* ---- resolve, connect, handshake ---- */

static void connected(struct km_conn *c)
{
    km_fault_clear(&c->fault);
    c->opened++;
    c->kick = true;
    c->step_deadline_ms = KM_NEVER;
    c->state = c->endpoint->tls ? KM_CONN_HANDSHAKE : KM_CONN_SEND;
}

/* Keeps the words about this address, unless they say less than those about an earlier one. */
static void note_connect_failure(struct km_conn *c, int err)
{
    char where[NET_WHERE_SIZE];

    net_counters.connect_failures.value++;
    c->addr_next++;
    if (err == KM_ERR_UNREACHABLE && c->fault.code != KM_OK)
        return;
    net_where(c, where, sizeof where);
    km_fault_clear(&c->fault);
    if (err == KM_ERR_REFUSED)
        (void)km_fault_set(&c->fault, err, "connection to %s refused", where);
    else if (err == KM_ERR_TIMEOUT)
        (void)km_fault_set(&c->fault, err, "connection to %s timed out after %d s", where,
                           CONFIG_KM_NET_CONNECT_MS / 1000);
    else
        (void)km_fault_set(&c->fault, err, "connection to %s failed: %s", where, km_strerror(err));
}

/* Starts on the next address that does not fail at once. */
static void try_addresses(struct km_conn *c, int64_t now_ms)
{
    while (c->addr_tried < c->resolve.addr_count) {
        int err;

        c->addr = c->resolve.addrs[c->addr_next % c->resolve.addr_count];
        c->addr.port = c->endpoint->port;
        c->addr_tried++;
        err = km_socket_connect(&c->fd, &c->addr);
        if (err == KM_OK || err == KM_AGAIN) {
            c->state = KM_CONN_CONNECT;
            c->step_deadline_ms = now_ms + CONFIG_KM_NET_CONNECT_MS;
            if (err == KM_OK)
                connected(c);
            return;
        }
        c->fd = -1;
        note_connect_failure(c, err);
    }
    /* Several addresses: the words tell of one. */
    net_fail(c, c->fault.code, "can't be connected", NULL);
}

static void step_resolve(struct km_conn *c, int64_t now_ms)
{
    int err;

    if (c->step_deadline_ms == 0) {
        c->step_deadline_ms = now_ms + CONFIG_KM_NET_CONNECT_MS;
        c->addr.family = 0;
        err = km_resolve_start(&c->resolve, c->endpoint->host, c->endpoint->port, now_ms);
    } else {
        err = km_resolve_step(&c->resolve, now_ms);
    }
    if (err == KM_AGAIN)
        return;
    if (err == KM_OK && c->resolve.addr_count > 0) {
        c->addr_tried = 0;
        c->state = KM_CONN_CONNECT;
        try_addresses(c, now_ms);
        return;
    }
    if (err == KM_OK || err == KM_ERR_NAME)
        (void)km_fault_set(&c->fault, KM_ERR_NAME, "the name %.120s does not resolve",
                           c->endpoint->host);
    else
        (void)km_fault_set(&c->fault, err, "the name %.120s can't be resolved: %s",
                           c->endpoint->host,
                           err == KM_ERR_TIMEOUT ? "no name server answered" : km_strerror(err));
    net_fail(c, c->fault.code, "can't be resolved", NULL);
}

static void step_connect(struct km_conn *c, uint8_t got, int64_t now_ms)
{
    int err = (got & KM_POLL_OUT) != 0 ? km_socket_connected(c->fd) : KM_AGAIN;

    if (err == KM_OK) {
        connected(c);
        return;
    }
    if (err == KM_AGAIN && now_ms < c->step_deadline_ms)
        return;
    km_socket_close(c->fd);
    c->fd = -1;
    note_connect_failure(c, err == KM_AGAIN ? KM_ERR_TIMEOUT : err);
    try_addresses(c, now_ms);
}

static void fail_handshake(struct km_conn *c, int err, const char *why)
{
    char where[NET_WHERE_SIZE];

    net_counters.handshake_failures.value++;
    net_where(c, where, sizeof where);
    (void)km_fault_set(&c->fault, err, "TLS handshake with %s failed: %s", where, why);
    net_fail(c, err, "failed in the TLS handshake", NULL);
}

static void step_handshake(struct km_conn *c, uint8_t got, int64_t now_ms)
{
    struct km_fault fault;
    int err;

    if (c->tls == NULL) {
        if (handshaker != NULL) {
            /* TLS servers don't speak first: readable means closed. */
            if ((got & KM_POLL_IN) != 0)
                fail_handshake(c, KM_ERR_RESET, "the server closed the connection");
            return;
        }
        handshaker = c;
        c->step_deadline_ms = now_ms + CONFIG_KM_NET_TLS_MS;
        err = km_tls_open(&c->tls, c->fd, c->endpoint->server_name);
        if (err != KM_OK) {
            c->tls = NULL;
            fail_handshake(c, err, km_strerror(err));
            return;
        }
    }
    km_fault_clear(&fault);
    err = km_tls_handshake(c->tls, &fault);
    if (err == KM_AGAIN)
        return;
    if (err != KM_OK) {
        fail_handshake(c, err, fault.text[0] != '\0' ? fault.text : km_strerror(err));
        return;
    }
    handshaker = NULL;
    c->state = KM_CONN_SEND;
    c->kick = true;
}

/* ---- step, poll, deadline ---- */

/* What took too long, NULL when nothing did. */
static const char *overdue(const struct km_conn *c, int64_t now_ms)
{
    const struct km_exchange *x = c->exchange;

    if (c->state == KM_CONN_RESOLVE && c->step_deadline_ms != 0 && now_ms >= c->step_deadline_ms)
        return "could not be looked up in time";
    if (c->state == KM_CONN_HANDSHAKE && c->tls != NULL && now_ms >= c->step_deadline_ms)
        return "took too long over the TLS handshake";
    if (now_ms < x->deadline_ms && (c->state >= KM_CONN_BODY || now_ms < x->head_deadline_ms))
        return NULL;
    if (c->state == KM_CONN_HANDSHAKE)
        return "did not finish the TLS handshake before the deadline of the request";
    if (c->state < KM_CONN_SEND)
        return "could not be connected before the deadline of the request";
    return c->state < KM_CONN_BODY ? "did not answer in time" : "did not finish its answer in time";
}

static void check_deadlines(struct km_conn *c, int64_t now_ms)
{
    const char *what = c->exchange != NULL ? overdue(c, now_ms) : NULL;

    if (what == NULL)
        return;
    if (c->state == KM_CONN_HANDSHAKE && c->tls != NULL)
        net_counters.handshake_failures.value++;
    /* What an earlier address said is not why this one is given up. */
    km_fault_clear(&c->fault);
    net_fail(c, KM_ERR_TIMEOUT, what, NULL);
}

void km_conn_step(struct km_conn *c, uint8_t got, int64_t now_ms)
{
    if ((got & KM_POLL_ERR) != 0)
        got |= KM_POLL_IN | KM_POLL_OUT;
    c->kick = false;
    switch (c->state) {
    case KM_CONN_CLOSED:
        return;
    case KM_CONN_RESOLVE:
        step_resolve(c, now_ms);
        break;
    case KM_CONN_CONNECT:
        step_connect(c, got, now_ms);
        break;
    case KM_CONN_HANDSHAKE:
        step_handshake(c, got, now_ms);
        now_ms = km_port_now_ms();
        break;
    case KM_CONN_IDLE:
        if (((got & KM_POLL_IN) != 0 || net_is_pending(c)) && !net_is_quiet(c))
            close_link(c);
        return;
    default:
        net_transfer(c, got, now_ms);
        break;
    }
    check_deadlines(c, now_ms);
}

void km_conn_poll(const struct km_conn *c, struct km_pollfd *out)
{
    *out = (struct km_pollfd){.fd = c->fd, .want = KM_POLL_IN};
    if (c->state == KM_CONN_RESOLVE) {
        out->fd = c->step_deadline_ms != 0 ? c->resolve.fd : -1;
        out->want = c->resolve.want;
    } else if (c->state == KM_CONN_CONNECT) {
        out->want = KM_POLL_OUT;
    } else if (c->state == KM_CONN_HANDSHAKE && c->tls != NULL) {
        out->want = km_tls_want(c->tls);
    } else if (c->state >= KM_CONN_SEND && net_is_sending(c)) {
        /* Not km_tls_want: it speaks of the last call, which may have been a read. */
        out->want = KM_POLL_IN | KM_POLL_OUT;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t km_conn_deadline(const struct km_conn *c)
{
    int64_t at = KM_NEVER;

    if (c->state == KM_CONN_CLOSED)
        return KM_NEVER;
    if (c->kick || (c->state >= KM_CONN_SEND && net_is_pending(c)))
        return 0;
    if (c->state == KM_CONN_HANDSHAKE && c->tls == NULL && handshaker == NULL)
        return 0;
    if (c->exchange != NULL) {
        at = c->exchange->deadline_ms;
        if (c->state < KM_CONN_BODY)
            at = earlier(at, c->exchange->head_deadline_ms);
    }
    if (c->state == KM_CONN_RESOLVE)
        at = earlier(at, earlier(c->step_deadline_ms, c->resolve.deadline_ms));
    if (c->state == KM_CONN_CONNECT || c->state == KM_CONN_HANDSHAKE)
        at = earlier(at, c->step_deadline_ms);
    return at;
}
