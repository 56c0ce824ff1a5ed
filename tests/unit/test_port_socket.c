/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kubemote/km_port.h"

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

static void test_talk(void **state)
{
    struct km_addr addr;
    int listener = listen_on(&addr), fd, peer, on = 0;
    socklen_t len = sizeof on;
    char data[8];

    (void)state;
    assert_int_equal(dial(&addr, &fd), KM_OK);
    peer = accept(listener, NULL, NULL);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
    assert_true(on != 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &on, &len), 0);
    assert_int_equal(on, 15);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_talk),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_poll),
        cmocka_unit_test(test_signal),    cmocka_unit_test(test_clock_and_entropy)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
