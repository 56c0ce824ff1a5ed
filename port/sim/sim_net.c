/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sim_priv.h"

#define ROUTES 32
#define FIRST_ID 100

struct route {
    bool used;
    char ip[KM_ADDR_TEXT_SIZE];
    uint16_t port;
    enum km_sim_route kind;
    struct km_sim_server server;
};

static struct sim_conn conns[KM_SIM_CONNS];
static struct route routes[ROUTES];
static int last_id = FIRST_ID;
static int64_t latency_ms, link_down_ms;
static bool link_up;
static size_t send_limit;

void sim_net_reset(void)
{
    for (size_t i = 0; i < KM_SIM_CONNS; i++)
        conns[i].id = 0;
    memset(routes, 0, sizeof routes);
    latency_ms = 1;
    link_up = true;
    send_limit = 0;
}

void km_sim_send_limit(size_t bytes)
{
    send_limit = bytes;
}

void km_sim_latency(int64_t ms)
{
    latency_ms = ms;
}

int64_t sim_latency_ms(void)
{
    return latency_ms;
}

bool sim_link_up(void)
{
    return link_up;
}

static struct sim_conn *find_conn(int id)
{
    for (size_t i = 0; id > 0 && i < KM_SIM_CONNS; i++) {
        if (conns[i].id == id)
            return &conns[i];
    }
    return NULL;
}

struct sim_conn *sim_conn_of(int fd, const char *caller)
{
    struct sim_conn *c = find_conn(fd);

    if (c == NULL)
        sim_die("%s on descriptor %d, which is not open", caller, fd);
    return c;
}

int km_sim_slot(int conn_id)
{
    struct sim_conn *c = find_conn(conn_id);

    return c == NULL ? -1 : (int)(c - conns);
}

int km_sim_conn_last(void)
{
    return last_id == FIRST_ID ? 0 : last_id;
}

const struct km_addr *km_sim_peer(int conn_id)
{
    struct sim_conn *c = find_conn(conn_id);

    return c == NULL ? NULL : &c->peer;
}

const char *km_sim_server_name(int conn_id)
{
    struct sim_conn *c = find_conn(conn_id);

    return c == NULL ? "" : c->server_name;
}

int km_sim_open_sockets(void)
{
    int count = 0;

    for (size_t i = 0; i < KM_SIM_CONNS; i++)
        count += conns[i].id != 0;
    return count;
}

/* ---- routes ---- */

static struct route *route_entry(const char *ip, uint16_t port)
{
    struct route *free_entry = NULL;

    for (size_t i = 0; i < ROUTES; i++) {
        struct route *r = &routes[i];

        if (r->used && r->port == port && strcmp(r->ip, ip) == 0)
            return r;
        if (!r->used && free_entry == NULL)
            free_entry = r;
    }
    if (free_entry == NULL || strlen(ip) >= sizeof free_entry->ip)
        sim_die("no room for the address %s", ip);
    memset(free_entry, 0, sizeof *free_entry);
    free_entry->used = true;
    free_entry->port = port;
    memcpy(free_entry->ip, ip, strlen(ip) + 1);
    return free_entry;
}

void km_sim_listen(const char *ip, uint16_t port, const struct km_sim_server *server)
{
    struct route *r = route_entry(ip, port);

    r->kind = KM_SIM_LISTEN;
    r->server = *server;
}

void km_sim_route(const char *ip, uint16_t port, enum km_sim_route kind)
{
    route_entry(ip, port)->kind = kind;
}

/* The most exact entry: address before port. */
static const struct route *find_route(const struct km_addr *addr)
{
    const struct route *best = NULL;
    char ip[KM_ADDR_TEXT_SIZE];
    int best_score = -1;

    km_addr_text(addr, ip, sizeof ip);
    for (size_t i = 0; i < ROUTES; i++) {
        const struct route *r = &routes[i];
        bool same_ip = strcmp(r->ip, ip) == 0, same_port = r->port == addr->port;
        int score = same_ip * 2 + same_port;

        if (!r->used || (!same_ip && strcmp(r->ip, "*") != 0) || (!same_port && r->port != 0))
            continue;
        if (score > best_score) {
            best = r;
            best_score = score;
        }
    }
    return best;
}

/* ---- the link ---- */

bool sim_conn_stuck(const struct sim_conn *c)
{
    return c->hung || !link_up;
}

static size_t send_room(const struct sim_conn *c)
{
    if (sim_conn_stuck(c))
        return SIM_HELD_BYTES - c->held_len;
    if (send_limit == 0)
        return SIZE_MAX;
    return c->sent < send_limit ? send_limit - c->sent : 0;
}

static int64_t dead_at(const struct sim_conn *c)
{
    int64_t since = c->hung ? c->hung_ms : link_down_ms;

    if (!sim_conn_stuck(c) || c->connecting)
        return KM_NEVER;
    return since + (c->unacked ? SIM_RETRANSMIT_MS : SIM_KEEPALIVE_MS);
}

static void check_dead(struct sim_conn *c)
{
    if (c->broken == KM_OK && km_port_now_ms() >= dead_at(c))
        c->broken = KM_ERR_TIMEOUT;
}

static void deliver_held(struct sim_conn *c)
{
    size_t len = c->held_len;

    c->held_len = 0;
    c->unacked = false;
    if (len == 0 || c->id == 0 || c->broken != KM_OK)
        return;
    sim_passed(KM_SIM_TO_SERVER, len);
    if (c->server.on_bytes != NULL)
        c->server.on_bytes(c->server.ctx, c->id, c->held, len);
}

void km_sim_link(bool up)
{
    if (up == link_up)
        return;
    if (up) {
        for (size_t i = 0; i < KM_SIM_CONNS; i++)
            check_dead(&conns[i]);
    }
    link_up = up;
    link_down_ms = km_port_now_ms();
    for (size_t i = 0; up && i < KM_SIM_CONNS; i++) {
        if (conns[i].id != 0 && !conns[i].hung)
            deliver_held(&conns[i]);
    }
}

/* ---- the server's side ---- */

static struct sim_segment *segment_at(struct sim_conn *c, size_t n)
{
    return &c->segments[(c->segment_first + n) % SIM_SEGMENTS];
}

static int add_segment(struct sim_conn *c, enum sim_segment_kind kind, size_t len)
{
    int64_t due = km_port_now_ms() + latency_ms;
    struct sim_segment *last = c->segment_count > 0 ? segment_at(c, c->segment_count - 1) : NULL;

    if (last != NULL && last->due_ms > due)
        due = last->due_ms;
    if (c->segment_count >= SIM_SEGMENTS) {
        /* Merged rather than refused: only the grain of time is lost. */
        if (kind != SIM_DATA || last->kind != SIM_DATA)
            return KM_ERR_FULL;
        last->len += len;
        return KM_OK;
    }
    c->segment_count++;
    *segment_at(c, c->segment_count - 1) =
        (struct sim_segment){.due_ms = due, .len = len, .kind = kind};
    return KM_OK;
}

size_t km_sim_room(int conn_id)
{
    struct sim_conn *c = find_conn(conn_id);

    return c == NULL ? 0 : KM_SIM_STREAM_BYTES - c->stream_len;
}

int km_sim_reply(int conn_id, const void *data, size_t len)
{
    struct sim_conn *c = find_conn(conn_id);
    const uint8_t *bytes = data;
    int err;

    if (c == NULL || c->broken != KM_OK || c->tx_broken != KM_OK || c->finished)
        return KM_ERR_RESET;
    if (len == 0)
        return KM_OK;
    if (len > KM_SIM_STREAM_BYTES - c->stream_len)
        return KM_ERR_FULL;
    err = add_segment(c, SIM_DATA, len);
    if (err != KM_OK)
        return err;
    for (size_t i = 0; i < len;) {
        size_t at = (c->stream_first + c->stream_len) % KM_SIM_STREAM_BYTES;
        size_t part = len - i < KM_SIM_STREAM_BYTES - at ? len - i : KM_SIM_STREAM_BYTES - at;

        memcpy(c->stream + at, bytes + i, part);
        c->stream_len += part;
        i += part;
    }
    return KM_OK;
}

int km_sim_reply_text(int conn_id, const char *text)
{
    return km_sim_reply(conn_id, text, strlen(text));
}

static int end_stream(int conn_id, enum sim_segment_kind kind)
{
    struct sim_conn *c = find_conn(conn_id);

    if (c == NULL || c->broken != KM_OK || c->finished)
        return KM_ERR_RESET;
    if (add_segment(c, kind, 0) != KM_OK)
        sim_die("no room for the end of a stream");
    c->finished = true;
    return KM_OK;
}

int km_sim_close(int conn_id)
{
    return end_stream(conn_id, SIM_NOTIFY_FIN);
}

int km_sim_fin(int conn_id)
{
    return end_stream(conn_id, SIM_FIN);
}

int km_sim_rst(int conn_id)
{
    struct sim_conn *c = find_conn(conn_id);

    if (c == NULL)
        return KM_ERR_RESET;
    c->broken = KM_ERR_RESET;
    c->stream_len = 0;
    c->segment_count = 0;
    return KM_OK;
}

int km_sim_hang(int conn_id)
{
    struct sim_conn *c = find_conn(conn_id);

    if (c == NULL)
        return KM_ERR_RESET;
    c->hung = true;
    c->hung_ms = km_port_now_ms();
    return KM_OK;
}

void km_sim_close_all(void)
{
    for (size_t i = 0; i < KM_SIM_CONNS; i++)
        (void)km_sim_rst(conns[i].id);
}

static void cut_conn(struct sim_conn *c, enum km_sim_cut how)
{
    sim_trace("cut %d", c->id);
    if (how == KM_SIM_CUT_HANG) {
        (void)km_sim_hang(c->id);
        return;
    }
    (void)km_sim_rst(c->id);
    if (how == KM_SIM_CUT_FIN) {
        c->broken = KM_OK;
        c->finished = false;
        (void)km_sim_fin(c->id);
        segment_at(c, 0)->due_ms = km_port_now_ms();
    }
}

/* ---- readiness ---- */

uint8_t sim_conn_ready(const struct sim_conn *c)
{
    int64_t now = km_port_now_ms();

    if (c->broken != KM_OK || now >= dead_at(c))
        return KM_POLL_IN | KM_POLL_OUT | KM_POLL_ERR;
    if (c->connecting) {
        if (sim_conn_stuck(c) || now < c->ready_ms)
            return 0;
        return c->connect_err == KM_OK ? KM_POLL_OUT : KM_POLL_OUT | KM_POLL_ERR;
    }
    if (c->tx_broken != KM_OK)
        return KM_POLL_IN | KM_POLL_OUT | KM_POLL_ERR;
    uint8_t got = send_room(c) > 0 ? KM_POLL_OUT : 0;
    if (!sim_conn_stuck(c) && c->segment_count > 0 && c->segments[c->segment_first].due_ms <= now)
        got |= KM_POLL_IN;
    if (!sim_conn_stuck(c) && c->handshake_ready_ms != 0 && c->handshake_ready_ms <= now)
        got |= KM_POLL_IN;
    return got;
}

int64_t sim_conn_next(const struct sim_conn *c)
{
    int64_t at = dead_at(c), now = km_port_now_ms();

    if (sim_conn_stuck(c))
        return at;
    if (c->connecting)
        return c->ready_ms;
    if (c->segment_count > 0 && c->segments[c->segment_first].due_ms > now)
        at = c->segments[c->segment_first].due_ms;
    if (c->handshake_ready_ms > now && c->handshake_ready_ms < at)
        at = c->handshake_ready_ms;
    return at;
}

/* ---- the agent's side ---- */

static struct sim_conn *new_conn(void)
{
    for (size_t i = 0; i < KM_SIM_CONNS; i++) {
        struct sim_conn *c = &conns[i];

        if (c->id != 0)
            continue;
        c->accepted = c->hung = c->finished = c->unacked = c->has_tls = false;
        c->connecting = true;
        c->connect_err = c->broken = c->tx_broken = KM_OK;
        c->hung_ms = c->handshake_ready_ms = 0;
        c->segment_first = c->segment_count = 0;
        c->stream_first = c->stream_len = c->held_len = c->sent = 0;
        c->server_name[0] = '\0';
        memset(&c->server, 0, sizeof c->server);
        c->id = ++last_id;
        return c;
    }
    sim_die("more than %d sockets open: a leak?", KM_SIM_CONNS);
}

int km_socket_connect(int *fd, const struct km_addr *addr)
{
    const struct route *r = find_route(addr);
    struct sim_conn *c;
    int err = sim_call(KM_SIM_CONNECT);

    *fd = -1;
    if (err == KM_OK && r != NULL && r->kind == KM_SIM_UNREACHABLE)
        err = KM_ERR_UNREACHABLE;
    if (err != KM_OK && err != KM_AGAIN)
        return err;
    c = new_conn();
    c->peer = *addr;
    c->ready_ms = km_port_now_ms() + 2 * latency_ms;
    if (r == NULL || r->kind == KM_SIM_REFUSE)
        c->connect_err = KM_ERR_REFUSED;
    else if (r->kind == KM_SIM_SILENT)
        c->ready_ms = KM_NEVER;
    else
        c->server = r->server;
    *fd = c->id;
    sim_trace("connect %d", c->id);
    return KM_AGAIN;
}

int km_socket_connected(int fd)
{
    struct sim_conn *c = sim_conn_of(fd, "connected");
    int err = sim_call(KM_SIM_CONNECTED);

    if (err != KM_OK)
        return err;
    if (!c->connecting)
        return KM_OK;
    if (c->broken != KM_OK)
        return c->broken;
    if (sim_conn_stuck(c) || km_port_now_ms() < c->ready_ms)
        return KM_AGAIN;
    if (c->connect_err != KM_OK)
        return c->connect_err;
    c->connecting = false;
    c->accepted = true;
    if (c->server.on_connect != NULL)
        c->server.on_connect(c->server.ctx, fd);
    return KM_OK;
}

int sim_conn_break(struct sim_conn *c, int err, bool writing)
{
    /* KM_ERR_IO when writing is a call that failed, as for want of buffers: the link itself lives. */
    if (writing && err != KM_AGAIN && err != KM_ERR_IO)
        c->tx_broken = err;
    else if (!writing && err != KM_AGAIN)
        c->broken = err;
    return err;
}

int sim_conn_write(struct sim_conn *c, const void *data, size_t len)
{
    enum km_sim_cut how = KM_SIM_CUT_RST;
    size_t take;

    check_dead(c);
    if (c->connecting)
        sim_die("writing to descriptor %d before it is connected", c->id);
    if (c->broken != KM_OK)
        return c->broken == KM_ERR_TIMEOUT ? KM_ERR_TIMEOUT : KM_ERR_RESET;
    if (c->tx_broken != KM_OK)
        return c->tx_broken;
    take = sim_shorten(len < send_room(c) ? len : send_room(c));
    if (take == 0)
        return KM_AGAIN;
    if (sim_conn_stuck(c)) {
        memcpy(c->held + c->held_len, data, take);
        c->held_len += take;
        c->unacked = true;
        return (int)take;
    }
    take = sim_cut_limit(KM_SIM_TO_SERVER, take, &how);
    if (take == 0) {
        cut_conn(c, how);
        return sim_conn_write(c, data, len);
    }
    sim_passed(KM_SIM_TO_SERVER, take);
    c->sent += take;
    if (c->server.on_bytes != NULL)
        c->server.on_bytes(c->server.ctx, c->id, data, take);
    return (int)take;
}

static size_t take_stream(struct sim_conn *c, uint8_t *out, size_t len)
{
    struct sim_segment *s = segment_at(c, 0);

    if (len > s->len)
        len = s->len;
    for (size_t i = 0; i < len; i++) {
        out[i] = c->stream[c->stream_first];
        c->stream_first = (c->stream_first + 1) % KM_SIM_STREAM_BYTES;
    }
    c->stream_len -= len;
    s->len -= len;
    if (s->len == 0) {
        c->segment_first = (c->segment_first + 1) % SIM_SEGMENTS;
        c->segment_count--;
    }
    return len;
}

/* One record under TLS (a segment), all that is due otherwise. */
static size_t take_due(struct sim_conn *c, uint8_t *out, size_t len, bool tls)
{
    size_t got = 0;

    while (got < len && c->segment_count > 0 && segment_at(c, 0)->kind == SIM_DATA &&
           segment_at(c, 0)->due_ms <= km_port_now_ms()) {
        got += take_stream(c, out + got, len - got);
        if (tls)
            break;
    }
    return got;
}

int sim_conn_read(struct sim_conn *c, void *data, size_t len, bool tls)
{
    enum km_sim_cut how = KM_SIM_CUT_RST;
    const struct sim_segment *s = segment_at(c, 0);

    check_dead(c);
    if (c->connecting)
        sim_die("reading from descriptor %d before it is connected", c->id);
    if (c->broken != KM_OK)
        return c->broken;
    if (sim_conn_stuck(c) || c->segment_count == 0 || s->due_ms > km_port_now_ms())
        return c->tx_broken != KM_OK ? c->tx_broken : KM_AGAIN;
    if (s->kind != SIM_DATA)
        return tls && s->kind == SIM_FIN ? KM_ERR_TRUNCATED : KM_EOF;
    len = tls ? len : sim_shorten(len);
    if (len == 0)
        return KM_AGAIN;
    len = sim_cut_limit(KM_SIM_TO_AGENT, len, &how);
    if (len == 0) {
        cut_conn(c, how);
        return sim_conn_read(c, data, 1, tls);
    }
    len = take_due(c, data, len, tls);
    sim_passed(KM_SIM_TO_AGENT, len);
    if (c->stream_len == 0 && c->server.on_drained != NULL && !c->finished)
        c->server.on_drained(c->server.ctx, c->id);
    return (int)len;
}

int km_socket_send(int fd, const void *data, size_t len)
{
    struct sim_conn *c = sim_conn_of(fd, "send");
    int err = sim_call(KM_SIM_SEND);

    return err != KM_OK ? sim_conn_break(c, err, true) : sim_conn_write(c, data, len);
}

int km_socket_recv(int fd, void *data, size_t len)
{
    struct sim_conn *c = sim_conn_of(fd, "recv");
    int err = sim_call(KM_SIM_RECV);

    return err != KM_OK ? sim_conn_break(c, err, false) : sim_conn_read(c, data, len, false);
}

void km_socket_close(int fd)
{
    struct sim_conn *c = sim_conn_of(fd, "close");
    struct km_sim_server server = c->server;

    if (c->has_tls)
        sim_die("descriptor %d closed before its TLS", fd);
    c->id = 0;
    sim_trace("close %d", fd);
    if (c->accepted && server.on_close != NULL)
        server.on_close(server.ctx, fd);
}
