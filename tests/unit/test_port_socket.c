/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kubemote/km_port.h"
#include "port/posix/sockets_priv.h"

static int listen_on(struct km_addr *addr)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&in, 0, sizeof in);
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    *addr = (struct km_addr){.family = 4, .ip = {127, 0, 0, 1}, .port = ntohs(in.sin_port)};
    return fd;
}

static int dial(const struct km_addr *addr, int *fd)
{
    int err = km_socket_connect(fd, addr);

    while (err == KM_AGAIN) {
        struct km_pollfd poll_fd = {.fd = *fd, .want = KM_POLL_OUT};

        assert_true(km_port_poll(&poll_fd, 1, 2000) >= 0);
        err = km_socket_connected(*fd);
    }
    return err;
}

static void test_addresses(void **state)
{
    static const char *const good[] = {
        "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1", "fe80::1:2:3:4"};
    static const char *const bad[] = {"",
                                      "1",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "256.1.1.1",
                                      "01.2.3.4",
                                      "1.2.3.4 ",
                                      "[::1]",
                                      "fe80::1%eth0",
                                      "::1::",
                                      "12345::",
                                      "localhost",
                                      "1:2:3:4:5:6:7:8:9",
                                      "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
    struct km_addr addr;
    char text[KM_ADDR_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(km_addr_parse(km_slice_of(good[i]), &addr), KM_OK);
        km_addr_text(&addr, text, sizeof text);
        assert_string_equal(text, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(km_addr_parse(km_slice_of(bad[i]), &addr), KM_ERR_SYNTAX);
    assert_int_equal(km_addr_parse((struct km_slice){.ptr = "1.2.3.4\0x", .len = 9}, &addr),
                     KM_ERR_SYNTAX);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

/* A dead link is noticed 45 s after its last byte, small writes leave at once, and no call waits. */
static void test_options(void **state)
{
    struct km_addr addr;
    int listener = listen_on(&addr), fd;

    (void)state;
    assert_int_equal(dial(&addr, &fd), KM_OK);
    assert_true(option(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
    assert_true(option(fd, SOL_SOCKET, SO_KEEPALIVE) != 0);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 15);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_true((fcntl(fd, F_GETFL, 0) & O_NONBLOCK) != 0);
    km_socket_close(fd);
    close(listener);
}

/* A server that takes no more connections: connecting neither waits nor claims to be done. */
static void test_connect_does_not_wait(void **state)
{
    int fds[64], listener, err = KM_OK, count = 0;
    struct km_addr addr;

    (void)state;
    listener = listen_on(&addr);
    assert_int_equal(listen(listener, 0), 0);
    while (count < 64 && err == KM_OK) {
        struct km_pollfd poll_fd;

        err = km_socket_connect(&fds[count], &addr);
        assert_true(err == KM_OK || err == KM_AGAIN);
        poll_fd = (struct km_pollfd){.fd = fds[count++], .want = KM_POLL_OUT};
        (void)km_port_poll(&poll_fd, 1, 100);
        err = km_socket_connected(poll_fd.fd);
    }
    assert_int_equal(err, KM_AGAIN);
    while (count > 0)
        km_socket_close(fds[--count]);
    close(listener);
}

/* Without descriptors: an error, nothing half open, and all works again once there are some. */
static void test_no_descriptors(void **state)
{
    struct rlimit was, none;
    struct km_addr addr;
    int listener = listen_on(&addr), fd, next = dup(0);
    char text[8];

    (void)state;
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    fd = 7;
    assert_int_equal(km_socket_connect(&fd, &addr), KM_ERR_IO);
    assert_int_equal(fd, -1);
    assert_int_equal(km_port_file_read("/proc/self/stat", text, sizeof text), KM_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_int_equal(dial(&addr, &fd), KM_OK);
    km_socket_close(fd);
    close(listener);
}

static void test_error_codes(void **state)
{
    static const struct {
        int code, err;
    } cases[] = {{EAGAIN, KM_AGAIN},
                 {EINPROGRESS, KM_AGAIN},
                 {EINTR, KM_AGAIN},
                 {ECONNREFUSED, KM_ERR_REFUSED},
                 {ECONNRESET, KM_ERR_RESET},
                 {EPIPE, KM_ERR_RESET},
                 {ETIMEDOUT, KM_ERR_TIMEOUT},
                 {ENETUNREACH, KM_ERR_UNREACHABLE},
                 {EHOSTUNREACH, KM_ERR_UNREACHABLE},
                 {EMFILE, KM_ERR_IO},
                 {ENOBUFS, KM_ERR_IO}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(km_socket_error(cases[i].code), cases[i].err);
}

static void test_talk(void **state)
{
    struct km_addr addr;
    int listener = listen_on(&addr), fd, peer, on;
    char data[8];

    (void)state;
    assert_int_equal(dial(&addr, &fd), KM_OK);
    peer = accept(listener, NULL, NULL);
    assert_int_equal(km_socket_recv(fd, data, sizeof data), KM_AGAIN);
    assert_int_equal(km_socket_recv(fd, data, 0), 0);
    assert_int_equal(km_socket_send(fd, "", 0), 0);
    assert_int_equal(km_socket_send(fd, "ping", 4), 4);
    assert_int_equal(recv(peer, data, sizeof data, 0), 4);
    assert_int_equal(send(peer, "pong!", 5, 0), 5);
    close(peer);
    {
        struct km_pollfd poll_fd = {.fd = fd, .want = KM_POLL_IN};

        assert_int_equal(km_port_poll(&poll_fd, 1, 2000), 1);
        assert_true((poll_fd.got & KM_POLL_IN) != 0);
    }
    assert_int_equal(km_socket_recv(fd, data, sizeof data), 5);
    while ((on = km_socket_recv(fd, data, sizeof data)) == KM_AGAIN)
        ;
    assert_int_equal(on, KM_EOF);
    /* A peer that is gone is an error, not a signal. */
    for (int i = 0; i < 100 && (on = km_socket_send(fd, "x", 1)) == 1; i++)
        usleep(1000);
    assert_int_equal(on, KM_ERR_RESET);
    km_socket_close(fd);
    km_socket_close(-1);
    close(listener);
}

static void test_refused(void **state)
{
    struct km_addr addr;
    int fd, listener = listen_on(&addr);

    (void)state;
    close(listener);
    assert_int_equal(dial(&addr, &fd), KM_ERR_REFUSED);
    km_socket_close(fd);
}

static void test_poll(void **state)
{
    struct km_pollfd fds[KM_POLL_MAX + 1];
    int64_t before = km_port_now_ms();
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < KM_POLL_MAX; i++)
        fds[i] = (struct km_pollfd){.fd = -1, .want = KM_POLL_IN, .got = 7};
    assert_int_equal(km_port_poll(fds, KM_POLL_MAX, 30), 0);
    assert_true(km_port_now_ms() - before >= 29);
    assert_int_equal(fds[3].got, 0);
    fds[3].fd = ends[1];
    fds[3].want = KM_POLL_OUT;
    fds[5].fd = ends[0];
    assert_int_equal(km_port_poll(fds, KM_POLL_MAX, -1), 1);
    assert_int_equal(fds[3].got, KM_POLL_OUT);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(km_port_poll(fds, KM_POLL_MAX, 0), 2);
    assert_int_equal(fds[5].got, KM_POLL_IN);
    assert_int_equal(km_port_poll(fds, KM_POLL_MAX + 1, 0), KM_ERR_ARG);
    close(ends[0]);
    close(ends[1]);
}

/* A signal that came before the wait ends it at once. In a child, as handlers stay. */
static void test_signal(void **state)
{
    int status = 1;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        int64_t before = km_port_now_ms();

        km_port_signals();
        if (km_port_stop_requested())
            _exit(2);
        raise(SIGTERM);
        raise(SIGPIPE);
        if (km_port_poll(NULL, 0, 20000) != 0 || km_port_now_ms() - before > 10000)
            _exit(3);
        _exit(km_port_stop_requested() ? 0 : 4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void on_alarm(int signal_number)
{
    (void)signal_number;
}

/* Any other signal ends a wait early and nothing else. In a child, as handlers stay. */
static void test_interrupted(void **state)
{
    int status = 1;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        const struct itimerval soon = {.it_value = {.tv_usec = 50000},
                                       .it_interval = {.tv_usec = 50000}};
        struct sigaction action = {.sa_handler = on_alarm};

        if (sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &soon, NULL) != 0)
            _exit(2);
        if (km_port_poll(NULL, 0, 60000) != 0)
            _exit(3);
        _exit(km_port_stop_requested() ? 4 : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_clock_and_entropy(void **state)
{
    uint8_t a[64] = {0}, b[64] = {0};
    int64_t mono = km_port_now_ms();

    (void)state;
    assert_int_equal(km_port_entropy(a, sizeof a), KM_OK);
    assert_int_equal(km_port_entropy(b, sizeof b), KM_OK);
    assert_true(memcmp(a, b, sizeof a) != 0);
    assert_true(km_port_wall_us() > 1500000000000000);
    assert_true(km_port_now_ms() >= mono);
}

/* Of two runs of zeros that are alike musl shortens the later one, glibc the first as RFC 5952 says: there only the meaning
   is looked at. */
static void compare_with_libc(const struct km_addr *addr)
{
    char ours[KM_ADDR_TEXT_SIZE], theirs[KM_ADDR_TEXT_SIZE];
    struct km_addr back;

    km_addr_text(addr, ours, sizeof ours);
    assert_int_equal(km_addr_parse(km_slice_of(ours), &back), KM_OK);
    assert_memory_equal(back.ip, addr->ip, sizeof back.ip);
    assert_non_null(inet_ntop(AF_INET6, addr->ip, theirs, sizeof theirs));
#ifdef __GLIBC__
    assert_string_equal(ours, theirs);
#endif
}

/* Addresses whose bytes are mostly zero, in every pattern of groups. */
static void test_addresses_as_inet_ntop(void **state)
{
    char ours[KM_ADDR_TEXT_SIZE];
    struct km_addr addr = {.family = 6};
    uint32_t seed = 1;

    (void)state;
    for (unsigned pattern = 1; pattern < 1u << 16; pattern++) {
        for (size_t i = 0; i < 16; i++) {
            seed = seed * 1664525u + 1013904223u;
            addr.ip[i] = (pattern >> i & 1) != 0 ? (uint8_t)(seed >> 24 | 1) : 0;
        }
        /* glibc writes ::a.b.c.d, the form that RFC 4291 gave up. */
        if ((pattern & 0xfff) == 0)
            continue;
        compare_with_libc(&addr);
    }
    addr = (struct km_addr){.family = 6, .ip = {[10] = 0xff, 0xff, 10, 0, 200, 255}};
    km_addr_text(&addr, ours, sizeof ours);
    assert_string_equal(ours, "::ffff:10.0.200.255");
    km_addr_text(&addr, ours, 4);
    assert_string_equal(ours, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),      cmocka_unit_test(test_addresses_as_inet_ntop),
        cmocka_unit_test(test_options),        cmocka_unit_test(test_connect_does_not_wait),
        cmocka_unit_test(test_no_descriptors), cmocka_unit_test(test_error_codes),
        cmocka_unit_test(test_talk),           cmocka_unit_test(test_refused),
        cmocka_unit_test(test_poll),           cmocka_unit_test(test_signal),
        cmocka_unit_test(test_interrupted),    cmocka_unit_test(test_clock_and_entropy)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
