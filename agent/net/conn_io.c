/* SPDX-License-Identifier: Apache-2.0 */
#include "net_priv.h"

static int link_write(struct km_conn *c, struct km_slice bytes)
{
    return c->tls != NULL ? km_tls_write(c->tls, bytes.ptr, bytes.len)
                          : km_socket_send(c->fd, bytes.ptr, bytes.len);
}

static int link_read(struct km_conn *c)
{
    int got = c->tls != NULL ? km_tls_read(c->tls, c->rx, sizeof c->rx)
                             : km_socket_recv(c->fd, c->rx, sizeof c->rx);

    /* The port never says 0 here; if one did, waiting is safe and a loop would not be. */
    return got == 0 ? KM_AGAIN : got;
}

bool net_is_pending(const struct km_conn *c)
{
    return c->tls != NULL && km_tls_pending(c->tls);
}

static size_t request_len(const struct km_conn *c)
{
    return c->head_len + c->exchange->request.body.len;
}

bool net_is_sending(const struct km_conn *c)
{
    return c->exchange != NULL && !c->tx_dead && c->sent < request_len(c);
}

bool net_is_quiet(struct km_conn *c)
{
    return link_read(c) == KM_AGAIN;
}

/* ---- sending ---- */

static struct km_slice unsent(const struct km_conn *c)
{
    const struct km_slice *body = &c->exchange->request.body;

    if (c->sent < c->tx.len)
        return (struct km_slice){c->tx.data + c->sent, c->tx.len - c->sent};
    return (struct km_slice){body->ptr + (c->sent - c->head_len), request_len(c) - c->sent};
}

static void send_some(struct km_conn *c)
{
    for (unsigned i = 0; i < CONFIG_KM_NET_STEP_READS && net_is_sending(c); i++) {
        int sent = link_write(c, unsent(c));

        if (sent == KM_AGAIN || sent == 0)
            return;
        if (sent < 0) {
            c->tx_dead = true;
            c->tx_error = sent;
            return;
        }
        c->sent += (size_t)sent;
        c->bytes_out += (uint64_t)sent;
    }
    if (c->state == KM_CONN_SEND && c->sent >= request_len(c))
        c->state = KM_CONN_HEAD;
}

/* ---- receiving ---- */

static const char *tls_reason(const struct km_conn *c)
{
    return c->tls != NULL ? km_tls_reason(c->tls) : NULL;
}

static const char *reason(const struct km_conn *c, int err)
{
    const char *text = tls_reason(c);

    return text != NULL && text[0] != '\0' ? text : km_strerror(err);
}

static bool is_closing(int err)
{
    return err == KM_EOF || err == KM_ERR_RESET || err == KM_ERR_TRUNCATED || err == KM_ERR_IO;
}

/* The link is gone and not one byte of an answer came. */
static void fail_unanswered(struct km_conn *c, int err)
{
    if (!is_closing(err)) {
        net_fail(c, err, "did not answer", reason(c, err));
    } else if (c->reused) {
        net_counters.stale.value++;
        c->stale = true;
        net_fail(c, KM_ERR_RESET, "had closed the connection that was kept from an earlier request",
                 NULL);
    } else {
        net_fail(c, KM_ERR_RESET, "closed the connection without an answer", tls_reason(c));
    }
}

static void link_ended(struct km_conn *c, int err)
{
    if (!c->got_bytes) {
        fail_unanswered(c, err);
        return;
    }
    if (err == KM_EOF) {
        err = km_http_eof(&c->parser);
        if (err == KM_HTTP_END) {
            net_complete(c, false);
            return;
        }
    }
    if (is_closing(err))
        net_fail(c, err, "closed the connection in the middle of an answer", tls_reason(c));
    else
        net_fail(c, err, "stopped in the middle of an answer", reason(c, err));
}

static void refuse_answer(struct km_conn *c, int err)
{
    if (err == KM_ERR_TOO_LONG)
        net_counters.head_too_large.value++;
    else
        net_counters.answers_refused.value++;
    net_fail(c, err, "sent a malformed HTTP answer", c->parser.error);
}

static int take_event(struct km_conn *c, int event, struct km_slice body)
{
    const struct km_exchange *x = c->exchange;

    if (event == KM_HTTP_HEAD) {
        c->state = KM_CONN_BODY;
        return x->on_head != NULL ? x->on_head(x->ctx, &c->parser) : KM_OK;
    }
    if (event == KM_HTTP_BODY)
        return x->on_body != NULL ? x->on_body(x->ctx, body) : KM_OK;
    return KM_OK;
}

/* Feeds what was read. False when the exchange has ended. */
static bool deliver(struct km_conn *c, struct km_slice in)
{
    uint32_t round = c->round;

    for (;;) {
        struct km_slice body;
        int event = km_http_feed(&c->parser, &in, &body), err;

        if (event == KM_HTTP_NEED)
            return true;
        if (event < 0) {
            refuse_answer(c, event);
            return false;
        }
        if (event == KM_HTTP_END) {
            /* Bytes behind the answer belong to no request: they must not become the next answer. */
            net_complete(c, c->parser.keep_alive && in.len == 0 && c->sent >= request_len(c) &&
                                !c->tx_dead);
            return false;
        }
        err = take_event(c, event, body);
        if (c->round != round)
            return false;
        if (err < 0) {
            net_fail(c, err,
                     km_err_is_hostile(err) ? "sent an answer that can't be used"
                                            : "sent an answer that was given up",
                     km_strerror(err));
            return false;
        }
    }
}

static void receive_some(struct km_conn *c, int64_t now_ms)
{
    for (unsigned i = 0; i < CONFIG_KM_NET_STEP_READS; i++) {
        int got = link_read(c);

        if (got == KM_AGAIN) {
            if (c->tx_dead && c->state < KM_CONN_BODY)
                link_ended(c, c->tx_error);
            return;
        }
        if (got < 0) {
            link_ended(c, got);
            return;
        }
        c->last_rx_ms = now_ms;
        c->bytes_in += (uint64_t)got;
        c->got_bytes = true;
        if (!deliver(c, (struct km_slice){c->rx, (size_t)got}))
            return;
        /* A short read emptied the link: poll says when there is more, and a call is saved. */
        if ((size_t)got < sizeof c->rx && !net_is_pending(c) && !c->tx_dead)
            return;
    }
    c->kick = c->tx_dead;
}

void net_transfer(struct km_conn *c, uint8_t got, int64_t now_ms)
{
    bool readable = (got & KM_POLL_IN) != 0 || net_is_pending(c);

    /* A kept connection that was closed meanwhile is replaced before anything is sent on it. */
    if (readable && c->reused && c->sent == 0 && !c->got_bytes) {
        if (!net_is_quiet(c)) {
            net_reopen(c);
            return;
        }
        readable = net_is_pending(c);
    }
    if (net_is_sending(c))
        send_some(c);
    if (readable || c->tx_dead)
        receive_some(c, now_ms);
}
