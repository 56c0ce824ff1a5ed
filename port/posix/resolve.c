/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dns_priv.h"
#include "sockets_priv.h"

enum {
    DNS_IDLE,        /* nothing to do */
    DNS_WAIT_RANDOM, /* the kernel has no random numbers yet (first boot) */
    DNS_UDP,         /* awaits the answers in `pending` */
    DNS_TCP_CONNECT, /* an answer was cut: awaits the connection to ask again */
    DNS_TCP_READ     /* awaits the long answer */
};

/* Families, as bits of pending and known; in pending, shifted by TCP_SHIFT, what must be asked again over TCP. */
#define A_BIT 1u
#define AAAA_BIT 2u
#define BOTH 3u
#define TCP_SHIFT 2

/* Once one family is there the other gets this long: a home router that never answers AAAA must not cost seconds. */
#define SECOND_FAMILY_MS 500
#define RANDOM_WAIT_MS 100
#define PACKETS_PER_STEP 16

static const char *conf_path = "/etc/resolv.conf";
static const char *hosts_path = "/etc/hosts";
static uint16_t dns_port = 53;

void km_resolve_files(const char *resolv_conf, const char *hosts, uint16_t port)
{
    conf_path = resolv_conf != NULL ? resolv_conf : "/etc/resolv.conf";
    hosts_path = hosts != NULL ? hosts : "/etc/hosts";
    dns_port = port != 0 ? port : 53;
}

static uint8_t count_family(const struct km_resolve *r, uint8_t family)
{
    uint8_t count = 0;

    for (uint8_t i = 0; i < r->addr_count; i++)
        count = (uint8_t)(count + (r->addrs[i].family == family));
    return count;
}

static bool same_addr(const struct km_addr *a, const struct km_addr *b)
{
    return a->family == b->family && a->scope == b->scope &&
           memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

void km_resolve_add(struct km_resolve *r, const struct km_addr *addr)
{
    for (uint8_t i = 0; i < r->addr_count; i++) {
        if (same_addr(&r->addrs[i], addr))
            return;
    }
    if (r->addr_count < CONFIG_KM_DNS_ADDR_COUNT) {
        r->addrs[r->addr_count++] = *addr;
        return;
    }
    r->addrs_dropped++;
    if (count_family(r, addr->family) >= CONFIG_KM_DNS_ADDR_COUNT / 2)
        return;
    for (uint8_t i = r->addr_count; i-- > 0;) {
        if (r->addrs[i].family != addr->family) {
            r->addrs[i] = *addr;
            return;
        }
    }
}

static void add_found(void *ctx, const struct km_addr *addr)
{
    struct km_resolve *r = ctx;
    struct km_addr with_port = *addr;

    with_port.port = r->port;
    km_resolve_add(r, &with_port);
}

/* IPv6 and IPv4 in turn, each family in the order it came in: a path that is dead for one costs one attempt. */
static void interleave(struct km_resolve *r)
{
    uint8_t family = 6;

    for (uint8_t at = 0; at < r->addr_count; at++) {
        for (uint8_t i = at; i < r->addr_count; i++) {
            if (r->addrs[i].family == family) {
                struct km_addr chosen = r->addrs[i];

                memmove(&r->addrs[at + 1], &r->addrs[at], (size_t)(i - at) * sizeof chosen);
                r->addrs[at] = chosen;
                break;
            }
        }
        family = r->addrs[at].family == 6 ? 4 : 6;
    }
}

static void close_socket(struct km_resolve *r)
{
    if (r->fd >= 0)
        km_socket_close(r->fd);
    r->fd = -1;
    r->want = 0;
}

static int finish(struct km_resolve *r, int result)
{
    close_socket(r);
    r->state = DNS_IDLE;
    r->deadline_ms = KM_NEVER;
    if (result == KM_OK)
        interleave(r);
    return result;
}

static unsigned search_count(const struct km_resolve *r)
{
    unsigned count = r->search[0] != '\0';

    for (const char *at = r->search; *at != '\0'; at++)
        count += *at == ' ';
    return count;
}

static struct km_slice search_domain(const struct km_resolve *r, unsigned n)
{
    const char *at = r->search;

    while (n-- > 0)
        at += strcspn(at, " ") + 1;
    return (struct km_slice){.ptr = at, .len = strcspn(at, " ")};
}

/* The name to ask for, as resolv.conf(5) says. KM_EOF past the last, KM_ERR_TOO_LONG to leave this one out. */
static int candidate_name(const struct km_resolve *r, char *out, size_t out_size)
{
    unsigned dots = 0, count = r->absolute ? 0 : search_count(r), as_is_at;
    struct km_buf buf;

    for (const char *at = r->host; *at != '\0'; at++)
        dots += *at == '.';
    as_is_at = dots >= r->ndots ? 0 : count;
    if (r->candidate > count)
        return KM_EOF;
    km_buf_init(&buf, out, out_size);
    km_buf_puts(&buf, r->host);
    if (r->candidate != as_is_at) {
        km_buf_putc(&buf, '.');
        km_buf_put_slice(
            &buf, search_domain(r, r->candidate > as_is_at ? r->candidate - 1u : r->candidate));
    }
    return buf.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

static int make_query(const struct km_resolve *r, unsigned family, uint8_t out[KM_DNS_QUERY_SIZE])
{
    char name[256];
    int err = candidate_name(r, name, sizeof name);

    if (err != KM_OK)
        return err;
    return km_dns_query(out, r->id[family], name, family == 0 ? KM_DNS_A : KM_DNS_AAAA);
}

static int send_udp(struct km_resolve *r)
{
    const struct km_addr *server = &r->servers[r->server];
    uint8_t query[KM_DNS_QUERY_SIZE];
    union km_sockaddr to;
    socklen_t to_len = km_sockaddr_of(&to, server);

    r->fd = km_socket_make(server, SOCK_DGRAM);
    /* A connected socket takes packets from this server and port only, and hears that nobody listens there. */
    if (r->fd < 0 || connect(r->fd, &to.any, to_len) != 0)
        return KM_ERR_IO;
    for (unsigned family = 0; family < 2; family++) {
        int len;

        if ((r->pending & (1u << family)) == 0)
            continue;
        len = make_query(r, family, query);
        if (len < 0 || send(r->fd, query, (size_t)len, MSG_NOSIGNAL) != len)
            return KM_ERR_IO;
    }
    r->want = KM_POLL_IN;
    return KM_OK;
}

static bool next_server(struct km_resolve *r)
{
    r->server++;
    if (r->server < r->server_count)
        return true;
    r->server = 0;
    r->attempt++;
    return r->attempt < r->attempts;
}

/* Asks the present server for what is not known yet of the present candidate; moves on where that fails at once. */
static int ask(struct km_resolve *r, int64_t now_ms)
{
    do {
        close_socket(r);
        r->pending = BOTH & (uint8_t)~r->known;
        if (km_port_entropy(r->id, sizeof r->id) != KM_OK) {
            r->state = DNS_WAIT_RANDOM;
            r->deadline_ms = now_ms + RANDOM_WAIT_MS;
            return KM_AGAIN;
        }
        if (send_udp(r) == KM_OK) {
            r->state = DNS_UDP;
            r->deadline_ms = now_ms + r->timeout_ms;
            return KM_AGAIN;
        }
    } while (next_server(r));
    return finish(r, r->addr_count > 0 ? KM_OK : r->some_answer ? KM_ERR_IO : KM_ERR_TIMEOUT);
}

/* The first candidate from the present one on that makes a proper name. */
static int ask_candidate(struct km_resolve *r, int64_t now_ms)
{
    uint8_t query[KM_DNS_QUERY_SIZE];
    int len;

    r->server = 0;
    r->attempt = 0;
    r->known = 0;
    r->some_answer = false;
    while ((len = make_query(r, 0, query)) < 0) {
        if (len == KM_EOF)
            return finish(r, r->soft ? KM_ERR_IO : KM_ERR_NAME);
        r->candidate++;
    }
    return ask(r, now_ms);
}

/* This server could not tell, or did not answer in time. */
static int give_up_server(struct km_resolve *r, int64_t now_ms)
{
    if (r->addr_count > 0)
        return finish(r, KM_OK);
    if (next_server(r))
        return ask(r, now_ms);
    if (!r->some_answer)
        return finish(r, KM_ERR_TIMEOUT);
    r->soft = true;
    r->candidate++;
    return ask_candidate(r, now_ms);
}

static int start_tcp(struct km_resolve *r, int64_t now_ms)
{
    int err;

    close_socket(r);
    err = km_socket_connect(&r->fd, &r->servers[r->server]);
    if (err != KM_OK && err != KM_AGAIN)
        return give_up_server(r, now_ms);
    r->state = DNS_TCP_CONNECT;
    r->want = KM_POLL_OUT;
    r->tcp_len = r->tcp_got = 0;
    r->deadline_ms = now_ms + r->timeout_ms;
    return KM_AGAIN;
}

/* All answers of this server are there, or were asked again over TCP. */
static int settle_server(struct km_resolve *r, int64_t now_ms)
{
    if (r->pending != 0)
        return start_tcp(r, now_ms);
    if (r->known != BOTH)
        return give_up_server(r, now_ms);
    if (r->addr_count > 0)
        return finish(r, KM_OK);
    r->candidate++;
    return ask_candidate(r, now_ms);
}

/* Takes an answer to the query for that family. True when it was one. */
static bool take_answer(struct km_resolve *r, unsigned family, size_t len, bool over_tcp,
                        bool partial)
{
    uint8_t query[KM_DNS_QUERY_SIZE], bit = (uint8_t)(1u << family);
    struct km_dns_answer answer;
    int query_len = make_query(r, family, query);

    if (query_len < 0 || km_dns_parse(&answer, r->packet, len, partial, query, (size_t)query_len,
                                      add_found, r) != KM_OK)
        return false;
    r->some_answer = true;
    r->pending &= (uint8_t)~(over_tcp ? bit << TCP_SHIFT : bit);
    if (answer.rcode == KM_DNS_NXDOMAIN) {
        r->known = BOTH;
        r->pending = 0;
    } else if (answer.rcode == KM_DNS_NOERROR && answer.cut && !over_tcp) {
        r->pending |= (uint8_t)(bit << TCP_SHIFT);
    } else if (answer.rcode == KM_DNS_NOERROR && !answer.cut && !answer.lame) {
        r->known |= bit;
    }
    return true;
}

static int step_udp(struct km_resolve *r, int64_t now_ms)
{
    for (int i = 0; i < PACKETS_PER_STEP && (r->pending & BOTH) != 0; i++) {
        int got = km_socket_recv(r->fd, r->packet, sizeof r->packet);

        if (got == KM_AGAIN)
            break;
        if (got < 0 && got != KM_EOF) /* nobody listens there; an empty packet reads as the end */
            return give_up_server(r, now_ms);
        for (unsigned family = 0; family < 2 && got > 0; family++) {
            if ((r->pending & (1u << family)) != 0 &&
                take_answer(r, family, (size_t)got, false, false))
                break;
        }
    }
    if ((r->pending & BOTH) == 0)
        return settle_server(r, now_ms);
    if (now_ms >= r->deadline_ms) {
        r->pending &= (uint8_t)~BOTH; /* an answer that was cut can still be had over TCP */
        return settle_server(r, now_ms);
    }
    if (r->addr_count > 0 && r->deadline_ms > now_ms + SECOND_FAMILY_MS)
        r->deadline_ms = now_ms + SECOND_FAMILY_MS;
    return KM_AGAIN;
}

static unsigned tcp_family(const struct km_resolve *r)
{
    return (r->pending & (A_BIT << TCP_SHIFT)) != 0 ? 0 : 1;
}

static int step_tcp_connect(struct km_resolve *r, int64_t now_ms)
{
    uint8_t framed[2 + KM_DNS_QUERY_SIZE];
    int err = km_socket_connected(r->fd), len;

    if (err == KM_AGAIN && now_ms < r->deadline_ms)
        return KM_AGAIN;
    len = make_query(r, tcp_family(r), framed + 2);
    if (err != KM_OK || len < 0)
        return give_up_server(r, now_ms);
    framed[0] = (uint8_t)((unsigned)len >> 8);
    framed[1] = (uint8_t)len;
    /* A fresh connection has room for it in one piece. */
    if (km_socket_send(r->fd, framed, (size_t)len + 2) != len + 2)
        return give_up_server(r, now_ms);
    r->state = DNS_TCP_READ;
    r->want = KM_POLL_IN;
    return KM_AGAIN;
}

/* Only the beginning of a long answer is kept: it holds more addresses than there is room for. */
static int step_tcp_read(struct km_resolve *r, int64_t now_ms)
{
    for (;;) {
        bool head = r->tcp_len == 0;
        size_t want = head ? 2 : r->tcp_len < sizeof r->packet ? r->tcp_len : sizeof r->packet;
        int got;

        if (r->tcp_got == want && !head) {
            if (!take_answer(r, tcp_family(r), want, true, want < r->tcp_len))
                return give_up_server(r, now_ms);
            return settle_server(r, now_ms);
        }
        got = km_socket_recv(r->fd, r->packet + r->tcp_got, want - r->tcp_got);
        if (got == KM_AGAIN && now_ms < r->deadline_ms)
            return KM_AGAIN;
        if (got <= 0)
            return give_up_server(r, now_ms);
        r->tcp_got = (uint16_t)(r->tcp_got + got);
        if (head && r->tcp_got == 2) {
            r->tcp_len = (uint16_t)((unsigned)r->packet[0] << 8 | r->packet[1]);
            r->tcp_got = 0;
            if (r->tcp_len == 0)
                return give_up_server(r, now_ms);
        }
    }
}

/* RFC 6761: "localhost" and what is below it never goes to a server. */
static bool add_localhost(struct km_resolve *r)
{
    static const struct km_addr v6 = {.family = 6, .ip = {[15] = 1}},
                                v4 = {.family = 4, .ip = {127, 0, 0, 1}};
    struct km_slice host = km_slice_of(r->host), tail = host;

    if (host.len > 9)
        tail = (struct km_slice){.ptr = host.ptr + host.len - 9, .len = 9};
    if (!km_slice_eq_nocase(tail, "localhost") || (host.len > 9 && tail.ptr[-1] != '.'))
        return false;
    add_found(r, &v6);
    add_found(r, &v4);
    return true;
}

int km_resolve_start(struct km_resolve *r, const char *host, uint16_t port, int64_t now_ms)
{
    struct km_slice name = km_slice_of(host);
    struct km_addr literal;

    memset(r, 0, sizeof *r);
    r->fd = -1;
    r->port = port;
    r->deadline_ms = KM_NEVER;
    if (km_addr_parse(name, &literal) == KM_OK) {
        add_found(r, &literal);
        return KM_OK;
    }
    if (name.len > 1 && name.ptr[name.len - 1] == '.') {
        name.len--;
        r->absolute = true;
    }
    if (name.len == 0 || km_slice_copy(name, r->host, sizeof r->host) != KM_OK)
        return KM_ERR_NAME;
    km_resolve_read_hosts(r, hosts_path);
    if (r->addr_count > 0 || add_localhost(r))
        return finish(r, KM_OK);
    km_resolve_read_conf(r, conf_path, dns_port);
    return ask_candidate(r, now_ms);
}

int km_resolve_step(struct km_resolve *r, int64_t now_ms)
{
    switch (r->state) {
    case DNS_WAIT_RANDOM:
        return ask(r, now_ms);
    case DNS_UDP:
        return step_udp(r, now_ms);
    case DNS_TCP_CONNECT:
        return step_tcp_connect(r, now_ms);
    case DNS_TCP_READ:
        return step_tcp_read(r, now_ms);
    default:
        return KM_ERR_ARG;
    }
}

void km_resolve_stop(struct km_resolve *r)
{
    close_socket(r);
    r->state = DNS_IDLE;
}
