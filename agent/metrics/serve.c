/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint's connections: who is let in, how long each may take, and who goes when all places are taken. */
#include <string.h>

#include "serve_priv.h"

#define HEAD_MS 5000
#define REST_MS 60000
#define STALL_MS 10000
#define ANSWER_MS 60000
#define LINGER_MS 1000
/* How long one that has not sent a byte, or not a whole head, keeps its place when others wait. */
#define SILENT_GRACE_MS 150
#define SLOW_GRACE_MS 1000
/* The same for one that does not read its answer, or takes long over it. */
#define STALL_GRACE_MS 2000
#define ANSWER_GRACE_MS 15000
#define ACCEPT_PAUSE_MS 1000
#define STEPS 8

static struct serve_peer peers[CONFIG_KM_SERVE_CONN_COUNT] KM_POOL_STORAGE(serve_peers);
static struct km_pool peer_pool = {.name = "serve", .size = CONFIG_KM_SERVE_CONN_COUNT};
static struct km_counter dropped_total = {.name = "kubemote_serve_dropped_total"};

static struct {
    struct km_serve_options options;
    int fd; /* -1 = not listening */
    uint16_t port;
    bool crowded;      /* somebody waits to be accepted */
    int64_t resume_ms; /* accepting failed: not before */
} server = {.fd = -1};

/* ---- the address ---- */

/* "HOST:PORT" with an IPv4 or a bracketed IPv6 literal. */
static int parse_address(struct km_slice text, struct km_addr *out)
{
    size_t colon = text.len;
    struct km_slice host, port;
    uint64_t number;

    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return KM_ERR_SYNTAX;
    host = (struct km_slice){text.ptr, colon - 1};
    port = (struct km_slice){text.ptr + colon, text.len - colon};
    if (km_slice_to_u64(port, &number) != KM_OK || number > UINT16_MAX)
        return KM_ERR_SYNTAX;
    bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracketed)
        host = (struct km_slice){host.ptr + 1, host.len - 2};
    if (km_addr_parse(host, out) != KM_OK || bracketed != (out->family == 6))
        return KM_ERR_SYNTAX;
    out->port = (uint16_t)number;
    return KM_OK;
}

static const char *path_of(const char *listen)
{
    return strncmp(listen, "unix:", 5) == 0 ? listen + 5 : NULL;
}

bool km_serve_address_is_valid(struct km_slice listen)
{
    char text[128];
    struct km_addr addr = {0};

    if (km_slice_copy(listen, text, sizeof text) != KM_OK || strlen(text) != listen.len)
        return false;
    if (path_of(text) != NULL)
        return text[5] == '/' && listen.len - 5 < 108;
    return parse_address(listen, &addr) == KM_OK;
}

static int open_listener(const char *listen)
{
    struct km_addr addr = {0};
    const char *path = path_of(listen);
    int err;

    if (path != NULL)
        return km_socket_listen_path(&server.fd, path);
    err = parse_address(km_slice_of(listen), &addr);
    if (err == KM_OK)
        err = km_socket_listen(&server.fd, &addr);
    server.port = addr.port;
    return err;
}

int km_serve_start(const struct km_serve_options *options, struct km_fault *fault)
{
    int err;

    km_serve_stop();
    server.options = *options;
    server.port = 0;
    server.resume_ms = 0;
    err = open_listener(options->listen);
    if (err != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG, "can't listen on %.128s: %s", options->listen,
                            err == KM_ERR_REFUSED ? "somebody else does" : km_strerror(err));
    km_pool_register(&peer_pool);
    km_counter_register(&dropped_total);
    serve_answer_register();
    return KM_OK;
}

uint16_t km_serve_port(void)
{
    return server.port;
}

/* ---- places ---- */

static void end(struct serve_peer *p)
{
    if (p->state == SERVE_FREE)
        return;
    km_socket_close(p->fd);
    p->state = SERVE_FREE;
    p->fd = -1;
    km_pool_give(&peer_pool, 1);
}

static void drop(struct serve_peer *p)
{
    dropped_total.value++;
    end(p);
}

void km_serve_stop(void)
{
    for (unsigned i = 0; i < CONFIG_KM_SERVE_CONN_COUNT; i++)
        end(&peers[i]);
    km_socket_close(server.fd);
    server.fd = -1;
}

static void await_request(struct serve_peer *p, int64_t now_ms)
{
    km_serve_request_init(&p->request);
    p->state = SERVE_READ;
    p->since_ms = now_ms;
}

static bool head_begun(const struct serve_peer *p)
{
    return p->request.head_bytes > 0;
}

static int64_t deadline_of(const struct serve_peer *p)
{
    int64_t stall_ms = p->progress_ms + STALL_MS, answer_ms = p->since_ms + ANSWER_MS;

    switch (p->state) {
    case SERVE_READ:
        if (p->kick)
            return 0;
        return p->since_ms + (p->served > 0 && !head_begun(p) ? REST_MS : HEAD_MS);
    case SERVE_WRITE:
        return stall_ms < answer_ms ? stall_ms : answer_ms;
    case SERVE_LINGER:
        return p->since_ms + LINGER_MS;
    default:
        return KM_NEVER;
    }
}

/* From when on a newcomer may take this place. */
static int64_t yields_ms(const struct serve_peer *p)
{
    if (p->state == SERVE_FREE || p->state == SERVE_LINGER)
        return 0;
    if (p->state == SERVE_WRITE) {
        int64_t stall_ms = p->progress_ms + STALL_GRACE_MS;
        int64_t answer_ms = p->since_ms + ANSWER_GRACE_MS;

        return stall_ms < answer_ms ? stall_ms : answer_ms;
    }
    if (p->kick)
        return KM_NEVER;
    if (head_begun(p))
        return p->since_ms + SLOW_GRACE_MS;
    return p->served > 0 ? p->since_ms : p->since_ms + SILENT_GRACE_MS;
}

/* The place that is free, or yields first. */
static struct serve_peer *find_place(void)
{
    struct serve_peer *best = &peers[0];

    for (unsigned i = 0; i < CONFIG_KM_SERVE_CONN_COUNT; i++) {
        if (peers[i].state == SERVE_FREE)
            return &peers[i];
        if (yields_ms(&peers[i]) < yields_ms(best))
            best = &peers[i];
    }
    return best;
}

static void take_place(struct serve_peer *p, int fd, int64_t now_ms)
{
    if (p->state != SERVE_FREE)
        drop(p);
    km_pool_take(&peer_pool, 1);
    p->fd = fd;
    p->served = 0;
    p->rx_at = p->rx_len = 0;
    p->kick = false;
    km_buf_init(&p->tx, p->tx_data, sizeof p->tx_data);
    await_request(p, now_ms);
}

static void accept_some(int64_t now_ms)
{
    for (unsigned i = 0; i < CONFIG_KM_SERVE_CONN_COUNT; i++) {
        struct serve_peer *place = find_place();
        int fd, err;

        if (place->state != SERVE_FREE && yields_ms(place) > now_ms) {
            km_pool_refuse(&peer_pool);
            server.crowded = true;
            return;
        }
        err = km_socket_accept(server.fd, &fd);
        server.crowded = false;
        if (err == KM_ERR_IO)
            server.resume_ms = now_ms + ACCEPT_PAUSE_MS;
        if (err != KM_OK)
            return;
        take_place(place, fd, now_ms);
    }
}

/* ---- one connection ---- */

static void begin_answer(struct serve_peer *p, int err, int64_t now_ms)
{
    km_buf_reset(&p->tx);
    p->sent = 0;
    p->more = p->chunked = false;
    p->served++;
    p->state = SERVE_WRITE;
    p->since_ms = p->progress_ms = now_ms;
    if (err == KM_OK)
        serve_answer(p, &server.options);
    else
        serve_answer_error(p, err);
}

/* KM_OK: go on with the next step; KM_AGAIN: wait. */
static int step_read(struct serve_peer *p, int64_t now_ms)
{
    struct km_slice in;
    bool was_resting = !head_begun(p);
    int err;

    if (p->rx_at == p->rx_len) {
        int got = km_socket_recv(p->fd, p->rx, sizeof p->rx);

        p->kick = false;
        if (got == KM_AGAIN)
            return KM_AGAIN;
        if (got < 0) {
            end(p);
            return KM_AGAIN;
        }
        p->rx_at = 0;
        p->rx_len = (uint16_t)got;
    }
    in = (struct km_slice){p->rx + p->rx_at, (size_t)(p->rx_len - p->rx_at)};
    err = km_serve_request_feed(&p->request, &in);
    p->rx_at = (uint16_t)(p->rx_len - in.len);
    p->kick = in.len > 0;
    if (was_resting && p->served > 0)
        p->since_ms = now_ms; /* the head's time begins with its first byte */
    if (err != KM_AGAIN)
        begin_answer(p, err, now_ms);
    return KM_OK;
}

static int finish_answer(struct serve_peer *p, int64_t now_ms)
{
    if (!p->closing) {
        await_request(p, now_ms);
        p->kick = p->rx_at < p->rx_len;
        return KM_OK;
    }
    if (p->request.failed == 0) {
        end(p);
        return KM_AGAIN;
    }
    p->state = SERVE_LINGER;
    p->since_ms = now_ms;
    return KM_OK;
}

static int step_write(struct serve_peer *p, int64_t now_ms)
{
    int put;

    if (p->sent == p->tx.len && !p->more)
        return finish_answer(p, now_ms);
    if (p->sent == p->tx.len) {
        p->sent = 0;
        if (serve_next_piece(p) != KM_OK) {
            drop(p);
            return KM_AGAIN;
        }
    }
    if (p->sent == p->tx.len)
        return KM_OK;
    put = km_socket_send(p->fd, p->tx_data + p->sent, p->tx.len - p->sent);
    if (put == KM_AGAIN)
        return KM_AGAIN;
    if (put < 0) {
        end(p);
        return KM_AGAIN;
    }
    p->sent += (size_t)put;
    p->progress_ms = now_ms;
    return KM_OK;
}

static int step_linger(struct serve_peer *p)
{
    int got = km_socket_recv(p->fd, p->rx, sizeof p->rx);

    if (got < 0 && got != KM_AGAIN)
        end(p);
    return got >= 0 ? KM_OK : KM_AGAIN;
}

static void step(struct serve_peer *p, int64_t now_ms)
{
    int result = KM_OK;

    for (int i = 0; i < STEPS && result == KM_OK; i++) {
        switch (p->state) {
        case SERVE_READ:
            result = step_read(p, now_ms);
            break;
        case SERVE_WRITE:
            result = step_write(p, now_ms);
            break;
        case SERVE_LINGER:
            result = step_linger(p);
            break;
        default:
            return;
        }
    }
    if (p->state == SERVE_LINGER && deadline_of(p) <= now_ms)
        end(p);
    else if (p->state != SERVE_FREE && !(p->state == SERVE_READ && p->kick) &&
             deadline_of(p) <= now_ms)
        drop(p);
}

/* ---- for the loop ---- */

/* Whether the listener is worth asking now, or from when on. */
static int64_t accepts_from_ms(void)
{
    int64_t place_ms;

    if (server.fd < 0)
        return KM_NEVER;
    if (!server.crowded)
        return server.resume_ms;
    place_ms = yields_ms(find_place());
    return place_ms > server.resume_ms ? place_ms : server.resume_ms;
}

void km_serve_poll(struct km_pollfd fds[KM_SERVE_FDS])
{
    bool quiet = server.fd < 0 || server.crowded || server.resume_ms > 0;

    fds[0] = (struct km_pollfd){.fd = quiet ? -1 : server.fd, .want = KM_POLL_IN};
    for (unsigned i = 0; i < CONFIG_KM_SERVE_CONN_COUNT; i++) {
        const struct serve_peer *p = &peers[i];

        fds[i + 1] = (struct km_pollfd){.fd = -1};
        if (server.fd < 0 || p->state == SERVE_FREE)
            continue;
        fds[i + 1].fd = p->fd;
        fds[i + 1].want = p->state == SERVE_WRITE ? KM_POLL_OUT : KM_POLL_IN;
    }
}

int64_t km_serve_deadline(void)
{
    int64_t at = KM_NEVER;

    if (server.fd < 0)
        return KM_NEVER;
    if (server.crowded || server.resume_ms > 0)
        at = accepts_from_ms();
    for (unsigned i = 0; i < CONFIG_KM_SERVE_CONN_COUNT; i++) {
        int64_t deadline = deadline_of(&peers[i]);

        if (deadline < at)
            at = deadline;
    }
    return at;
}

void km_serve_step(const struct km_pollfd fds[KM_SERVE_FDS], int64_t now_ms)
{
    if (server.fd < 0)
        return;
    for (unsigned i = 0; i < CONFIG_KM_SERVE_CONN_COUNT; i++) {
        struct serve_peer *p = &peers[i];

        if (p->state == SERVE_FREE || (fds[i + 1].got == 0 && deadline_of(p) > now_ms))
            continue;
        step(p, now_ms);
    }
    if (fds[0].got == 0 &&
        !((server.crowded || server.resume_ms > 0) && accepts_from_ms() <= now_ms))
        return;
    server.resume_ms = 0;
    accept_some(now_ms);
}
