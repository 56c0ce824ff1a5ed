/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolver against name servers inside this program: 127.0.0.1 to .3, one port, UDP and TCP. Time is the test's: when
 * nothing is ready, the resolver's own deadline is now.
 */
#include "km_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kubemote/km_port.h"

#define SERVERS 3
#define CONF "/tmp/km_resolve_conf.%d"

struct dns_query {
    const uint8_t *data;
    size_t len;
    char name[256];
    unsigned type;
    int server;
    bool tcp;
};

struct packet {
    uint8_t data[4096];
    size_t len;
};

/* Fills the answer; false: stay silent. */
typedef bool (*answer_fn)(const struct dns_query *q, struct packet *out);

static int udp[SERVERS], tcp[SERVERS], served[SERVERS], queries[SERVERS], tcp_queries;
static uint16_t port;
static char conf_path[64], hosts_path[64];
static answer_fn script;
static int64_t now_ms = 1000;
static struct km_resolve r;

/* ---- answers ---- */

static void put(struct packet *p, const void *data, size_t len)
{
    memcpy(p->data + p->len, data, len);
    p->len += len;
}

static void put16(struct packet *p, unsigned value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    put(p, bytes, 2);
}

static void begin(struct packet *p, const struct dns_query *q, unsigned flags)
{
    p->len = 0;
    put(p, q->data, q->len);
    p->data[2] = (uint8_t)(flags >> 8);
    p->data[3] = (uint8_t)flags;
}

static void add_record(struct packet *p, unsigned type, const void *data, size_t len)
{
    unsigned count = (unsigned)p->data[6] << 8 | p->data[7];

    put16(p, 0xc00c);
    put16(p, type);
    put16(p, 1);
    put16(p, 0);
    put16(p, 60);
    put16(p, (unsigned)len);
    put(p, data, len);
    count++;
    p->data[6] = (uint8_t)(count >> 8);
    p->data[7] = (uint8_t)count;
}

static void add4(struct packet *p, unsigned last)
{
    uint8_t ip[4] = {10, 0, (uint8_t)(last >> 8), (uint8_t)last};

    add_record(p, 1, ip, 4);
}

static void add6(struct packet *p, unsigned last)
{
    uint8_t ip[16] = {0xfd, [15] = (uint8_t)last};

    add_record(p, 28, ip, 16);
}

/* ---- the servers ---- */

static struct sockaddr_in address(int server)
{
    struct sockaddr_in in;

    memset(&in, 0, sizeof in);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)server);
    return in;
}

static bool open_server(int i)
{
    struct sockaddr_in in = address(i);
    socklen_t len = sizeof in;
    int on = 1;

    udp[i] = socket(AF_INET, SOCK_DGRAM, 0);
    tcp[i] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(tcp[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(udp[i], (struct sockaddr *)&in, sizeof in) != 0)
        return false;
    if (port == 0) {
        getsockname(udp[i], (struct sockaddr *)&in, &len);
        port = ntohs(in.sin_port);
    }
    fcntl(udp[i], F_SETFL, O_NONBLOCK);
    fcntl(tcp[i], F_SETFL, O_NONBLOCK);
    return bind(tcp[i], (struct sockaddr *)&in, sizeof in) == 0 && listen(tcp[i], 4) == 0;
}

static void read_query(struct dns_query *q, const uint8_t *data, size_t len, int server,
                       bool over_tcp)
{
    size_t at = 12, out = 0;

    memset(q, 0, sizeof *q);
    q->data = data;
    q->len = len;
    q->server = server;
    q->tcp = over_tcp;
    while (data[at] != 0) {
        if (out > 0)
            q->name[out++] = '.';
        memcpy(q->name + out, data + at + 1, data[at]);
        out += data[at];
        at += 1u + data[at];
    }
    q->type = data[at + 2];
    queries[server]++;
}

static void serve_udp(int i)
{
    uint8_t data[512];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    static struct packet answer;
    struct dns_query q;
    ssize_t got;

    while ((got = recvfrom(udp[i], data, sizeof data, 0, (struct sockaddr *)&from, &from_len)) >
           0) {
        read_query(&q, data, (size_t)got, i, false);
        if (script(&q, &answer))
            sendto(udp[i], answer.data, answer.len, 0, (struct sockaddr *)&from, from_len);
        from_len = sizeof from;
    }
}

static void serve_tcp(int i)
{
    uint8_t data[512];
    static struct packet answer;
    struct dns_query q;
    uint8_t head[2];
    ssize_t got;

    if (served[i] < 0)
        served[i] = accept(tcp[i], NULL, NULL);
    if (served[i] < 0)
        return;
    fcntl(served[i], F_SETFL, O_NONBLOCK);
    got = recv(served[i], data, sizeof data, 0);
    if (got < 0)
        return;
    if (got > 2) {
        tcp_queries++;
        read_query(&q, data + 2, (size_t)got - 2, i, true);
        if (script(&q, &answer)) {
            head[0] = (uint8_t)(answer.len >> 8);
            head[1] = (uint8_t)answer.len;
            /* In pieces: the reader must put them together. */
            send(served[i], head, 1, MSG_NOSIGNAL);
            km_resolve_step(&r, now_ms);
            send(served[i], head + 1, 1, MSG_NOSIGNAL);
            send(served[i], answer.data, 5, MSG_NOSIGNAL);
            km_resolve_step(&r, now_ms);
            send(served[i], answer.data + 5, answer.len - 5, MSG_NOSIGNAL);
            return;
        }
    }
    close(served[i]);
    served[i] = -1;
}

static void serve(void)
{
    for (int i = 0; i < SERVERS; i++) {
        serve_udp(i);
        serve_tcp(i);
    }
}

/* ---- running ---- */

static void write_file(const char *path, const char *text)
{
    assert_int_equal(km_port_file_replace(path, text, strlen(text)), KM_OK);
}

static int run(const char *host)
{
    int err = km_resolve_start(&r, host, 6443, now_ms), turns = 0;

    while (err == KM_AGAIN) {
        struct pollfd poll_fd = {.fd = r.fd, .events = POLLIN};

        assert_true(++turns < 200);
        serve();
        if (r.want == KM_POLL_OUT)
            poll_fd.events = POLLOUT;
        if (r.fd < 0 || poll(&poll_fd, 1, 15) == 0) {
            assert_true(r.deadline_ms != KM_NEVER && r.deadline_ms > now_ms);
            now_ms = r.deadline_ms;
        }
        err = km_resolve_step(&r, now_ms);
    }
    km_resolve_stop(&r);
    assert_int_equal(r.fd, -1);
    for (int i = 0; i < SERVERS; i++) {
        if (served[i] >= 0)
            close(served[i]);
        served[i] = -1;
    }
    return err;
}

static int setup(void **state)
{
    (void)state;
    memset(queries, 0, sizeof queries);
    tcp_queries = 0;
    write_file(conf_path, "nameserver 127.0.0.1\n");
    write_file(hosts_path, "127.0.0.1 localhost\n");
    return 0;
}

static int open_all(void **state)
{
    (void)state;
    snprintf(conf_path, sizeof conf_path, CONF, (int)getpid());
    snprintf(hosts_path, sizeof hosts_path, "/tmp/km_resolve_hosts.%d", (int)getpid());
    for (int i = 0; i < SERVERS; i++) {
        served[i] = -1;
        if (!open_server(i))
            return -1;
    }
    km_resolve_files(conf_path, hosts_path, port);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    unlink(conf_path);
    unlink(hosts_path);
    km_resolve_files(NULL, NULL, 0);
    return 0;
}

static void expect_addr(unsigned i, const char *text)
{
    char got[KM_ADDR_TEXT_SIZE];

    assert_true(i < r.addr_count);
    km_addr_text(&r.addrs[i], got, sizeof got);
    assert_string_equal(got, text);
    assert_int_equal(r.addrs[i].port, 6443);
}

/* ---- scripts ---- */

static bool both(const struct dns_query *q, struct packet *out)
{
    begin(out, q, 0x8180);
    for (unsigned i = 1; q->type == 1 && i <= 3; i++)
        add4(out, i);
    for (unsigned i = 1; q->type == 28 && i <= 2; i++)
        add6(out, i);
    return true;
}

static bool nobody(const struct dns_query *q, struct packet *out)
{
    begin(out, q, 0x8183);
    return true;
}

static bool no_data(const struct dns_query *q, struct packet *out)
{
    begin(out, q, 0x8180);
    return true;
}

static bool broken(const struct dns_query *q, struct packet *out)
{
    begin(out, q, 0x8182);
    return true;
}

static bool silent(const struct dns_query *q, struct packet *out)
{
    (void)q;
    (void)out;
    return false;
}

static bool broken_then_good(const struct dns_query *q, struct packet *out)
{
    return q->server == 0 ? broken(q, out) : both(q, out);
}

static bool silent_then_good(const struct dns_query *q, struct packet *out)
{
    return q->server == 0 ? silent(q, out) : both(q, out);
}

static bool lame_then_good(const struct dns_query *q, struct packet *out)
{
    if (q->server != 0)
        return both(q, out);
    begin(out, q, 0x8100);
    return true;
}

static bool only_a(const struct dns_query *q, struct packet *out)
{
    return q->type == 1 ? both(q, out) : silent(q, out);
}

static bool a_and_broken_aaaa(const struct dns_query *q, struct packet *out)
{
    return q->type == 1 ? both(q, out) : broken(q, out);
}

static bool only_b_test(const struct dns_query *q, struct packet *out)
{
    return strcmp(q->name, "db.b.test") == 0 ? both(q, out) : nobody(q, out);
}

static bool only_x_y(const struct dns_query *q, struct packet *out)
{
    return strcmp(q->name, "x.y") == 0 ? both(q, out) : nobody(q, out);
}

static bool broken_search(const struct dns_query *q, struct packet *out)
{
    return strcmp(q->name, "db.a.test") == 0 ? broken(q, out) : nobody(q, out);
}

static bool many_by_tcp(const struct dns_query *q, struct packet *out)
{
    if (q->type == 28)
        return no_data(q, out);
    begin(out, q, q->tcp ? 0x8180 : 0x8380);
    for (unsigned i = 1; q->tcp && i <= 200; i++)
        add4(out, i);
    return true;
}

static bool no_tcp_on_first(const struct dns_query *q, struct packet *out)
{
    if (q->server == 0 && q->tcp)
        return false;
    return q->server == 0 ? many_by_tcp(q, out) : both(q, out);
}

static bool many(const struct dns_query *q, struct packet *out)
{
    begin(out, q, 0x8180);
    for (unsigned i = 1; i <= 12; i++) {
        if (q->type == 1)
            add4(out, i);
        else
            add6(out, i);
    }
    return true;
}

/* A wrong id, a wrong question, garbage, and an answer from another server's address come first. */
static bool with_forgeries(const struct dns_query *q, struct packet *out)
{
    struct sockaddr_in to = address(0);
    struct sockaddr_in local;
    socklen_t len = sizeof local;
    struct packet forged;

    getsockname(r.fd, (struct sockaddr *)&local, &len);
    to = local;
    begin(&forged, q, 0x8180);
    add_record(&forged, 1, "\x06\x06\x06\x06", 4);
    sendto(udp[1], forged.data, forged.len, 0, (struct sockaddr *)&to, sizeof to);
    forged.data[0] ^= 0x55;
    sendto(udp[0], forged.data, forged.len, 0, (struct sockaddr *)&to, sizeof to);
    forged.data[0] ^= 0x55;
    forged.data[13] ^= 1;
    sendto(udp[0], forged.data, forged.len, 0, (struct sockaddr *)&to, sizeof to);
    sendto(udp[0], "", 0, 0, (struct sockaddr *)&to, sizeof to);
    sendto(udp[0], "x", 1, 0, (struct sockaddr *)&to, sizeof to);
    return both(q, out);
}

/* ---- tests ---- */

static void test_literals(void **state)
{
    (void)state;
    script = silent;
    assert_int_equal(run("192.0.2.1"), KM_OK);
    assert_int_equal(r.addr_count, 1);
    expect_addr(0, "192.0.2.1");
    assert_int_equal(run("2001:db8::1"), KM_OK);
    expect_addr(0, "2001:db8::1");
    assert_int_equal(queries[0], 0);
}

static void test_hosts(void **state)
{
    char text[2048];

    (void)state;
    script = silent;
    /* A line that is longer than the reader's window, and a last line without an end. */
    memset(text, 'x', 1200);
    snprintf(
        text + 1200, sizeof text - 1200,
        "\n# 10.9.9.9 box\n10.0.0.1\tother box.example BOX\r\n10.0.0.2 box # not this one: far\n"
        "bad box\nfe80::1%%1 box\n10.0.0.3 boxes\nfd00::9 aBox Box");
    write_file(hosts_path, text);
    assert_int_equal(run("box"), KM_OK);
    assert_int_equal(r.addr_count, 4);
    expect_addr(0, "fe80::1");
    assert_int_equal(r.addrs[0].scope, 1);
    expect_addr(1, "10.0.0.1");
    expect_addr(2, "fd00::9");
    expect_addr(3, "10.0.0.2");
    assert_int_equal(run("far"), KM_ERR_TIMEOUT);
    /* Read again at each start. */
    write_file(hosts_path, "10.0.0.7 box\n");
    assert_int_equal(run("box."), KM_OK);
    assert_int_equal(r.addr_count, 1);
    expect_addr(0, "10.0.0.7");
    unlink(hosts_path);
    assert_int_equal(run("foo.LocalHost"), KM_OK);
    expect_addr(0, "::1");
    expect_addr(1, "127.0.0.1");
}

static void test_both_families(void **state)
{
    (void)state;
    script = both;
    assert_int_equal(run("api.test"), KM_OK);
    assert_int_equal(r.addr_count, 5);
    expect_addr(0, "fd00::1");
    expect_addr(1, "10.0.0.1");
    expect_addr(2, "fd00::2");
    expect_addr(3, "10.0.0.2");
    expect_addr(4, "10.0.0.3");
    assert_int_equal(queries[0], 2);
}

static void test_no_such_name(void **state)
{
    (void)state;
    script = nobody;
    assert_int_equal(run("api.test"), KM_ERR_NAME);
    assert_int_equal(r.addr_count, 0);
    script = no_data;
    assert_int_equal(run("api.test"), KM_ERR_NAME);
    assert_int_equal(run("a..b"), KM_ERR_NAME);
    assert_int_equal(run(""), KM_ERR_NAME);
    assert_int_equal(run("a b"), KM_ERR_NAME);
}

static void test_second_server(void **state)
{
    const answer_fn scripts[] = {broken_then_good, silent_then_good, lame_then_good};

    (void)state;
    write_file(conf_path, "nameserver 127.0.0.1\nnameserver 127.0.0.2\n");
    for (int i = 0; i < 3; i++) {
        script = scripts[i];
        assert_int_equal(run("api.test"), KM_OK);
        assert_int_equal(r.addr_count, 5);
    }
    /* Where nobody listens the system says so, and no time is lost. */
    write_file(conf_path, "nameserver 127.0.0.77\nnameserver 127.0.0.2");
    script = both;
    now_ms = 5000;
    assert_int_equal(run("api.test"), KM_OK);
    assert_true(now_ms < 6000);
}

static void test_nobody_answers(void **state)
{
    int64_t start = now_ms;

    (void)state;
    write_file(conf_path,
               "options timeout:3 attempts:2\nnameserver 127.0.0.1\nnameserver 127.0.0.2\n"
               "nameserver 127.0.0.3\nnameserver 127.0.0.4\n");
    script = silent;
    assert_int_equal(run("api.test"), KM_ERR_TIMEOUT);
    assert_int_equal(queries[0], 4);
    assert_int_equal(queries[2], 4);
    assert_int_equal(now_ms - start, 18000);
    script = broken;
    assert_int_equal(run("api.test"), KM_ERR_IO);
}

static void test_one_family(void **state)
{
    int64_t start = now_ms;

    (void)state;
    script = only_a;
    assert_int_equal(run("api.test"), KM_OK);
    assert_int_equal(r.addr_count, 3);
    assert_true(now_ms - start <= 500);
    script = a_and_broken_aaaa;
    assert_int_equal(run("api.test"), KM_OK);
    assert_int_equal(r.addr_count, 3);
}

static void test_search(void **state)
{
    (void)state;
    write_file(conf_path, "domain ignored.test\nsearch a.test. b.test\nnameserver 127.0.0.1\n");
    script = only_b_test;
    assert_int_equal(run("db"), KM_OK);
    assert_int_equal(queries[0], 4);
    assert_int_equal(run("db."), KM_ERR_NAME);
    assert_int_equal(queries[0], 6);
    assert_int_equal(run("db.b.test"), KM_OK);
    assert_int_equal(queries[0], 8);
    script = only_x_y; /* enough dots: as it is first */
    assert_int_equal(run("x.y"), KM_OK);
    assert_int_equal(queries[0], 10);
    write_file(conf_path, "search a.test b.test\nnameserver 127.0.0.1\noptions ndots:2 edns0\n");
    assert_int_equal(run("x.y"), KM_OK);
    assert_int_equal(queries[0], 16);
    assert_int_equal(run("q"), KM_ERR_NAME);
    /* A domain of the list that fails does not stop the others, but "no such name" cannot be said any more. */
    script = broken_search;
    assert_int_equal(run("db"), KM_ERR_IO);
}

static void test_tcp(void **state)
{
    (void)state;
    script = many_by_tcp;
    assert_int_equal(run("api.test"), KM_OK);
    assert_int_equal(tcp_queries, 1);
    assert_int_equal(r.addr_count, CONFIG_KM_DNS_ADDR_COUNT);
    expect_addr(0, "10.0.0.1");
    assert_true(r.addrs_dropped > 0);
    write_file(conf_path, "nameserver 127.0.0.1\nnameserver 127.0.0.2\n");
    script = no_tcp_on_first;
    assert_int_equal(run("api.test"), KM_OK);
    assert_true(r.addr_count >= 3);
}

static void test_more_than_fit(void **state)
{
    unsigned v6 = 0;

    (void)state;
    script = many;
    assert_int_equal(run("api.test"), KM_OK);
    assert_int_equal(r.addr_count, CONFIG_KM_DNS_ADDR_COUNT);
    for (int i = 0; i < r.addr_count; i++)
        v6 += r.addrs[i].family == 6;
    assert_int_equal(v6, CONFIG_KM_DNS_ADDR_COUNT / 2);
}

static void test_forgeries(void **state)
{
    (void)state;
    script = with_forgeries;
    assert_int_equal(run("api.test"), KM_OK);
    assert_int_equal(r.addr_count, 5);
    expect_addr(1, "10.0.0.1");
}

/* Stopped in every state: no socket stays open. */
static void test_stop(void **state)
{
    int before = dup(0), after;

    (void)state;
    close(before);
    script = many_by_tcp;
    for (int steps = 0; steps < 6; steps++) {
        int err = km_resolve_start(&r, "api.test", 1, now_ms);

        for (int i = 0; i < steps && err == KM_AGAIN; i++) {
            serve();
            poll(NULL, 0, 5);
            err = km_resolve_step(&r, now_ms);
        }
        km_resolve_stop(&r);
        km_resolve_stop(&r);
        serve();
        for (int i = 0; i < SERVERS; i++) {
            if (served[i] >= 0)
                close(served[i]);
            served[i] = -1;
        }
    }
    after = dup(0);
    close(after);
    assert_int_equal(before, after);
    assert_int_equal(km_resolve_step(&r, now_ms), KM_ERR_ARG);
}

#define ONE(f) cmocka_unit_test_setup_teardown(f, setup, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_literals),      ONE(test_hosts),         ONE(test_both_families),
        ONE(test_no_such_name),  ONE(test_second_server), ONE(test_nobody_answers),
        ONE(test_one_family),    ONE(test_search),        ONE(test_tcp),
        ONE(test_more_than_fit), ONE(test_forgeries),     ONE(test_stop)};

    return cmocka_run_group_tests(tests, open_all, close_all);
}
