/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets_priv.h"

/* A dead peer is noticed after 15 s + 3 x 10 s without an answer: lwIP has no TCP_USER_TIMEOUT. */
#define ACCEPTED_SEND_BYTES 16384
#define KEEP_IDLE_S 15
#define KEEP_INTERVAL_S 10
#define KEEP_COUNT 3
#define BACKLOG 16

int km_socket_error(int code)
{
    switch (code) {
    case EAGAIN:
    case EINPROGRESS:
    case EALREADY:
    case EINTR:
        return KM_AGAIN;
    case ECONNREFUSED:
        return KM_ERR_REFUSED;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
        return KM_ERR_RESET;
    case ETIMEDOUT:
        return KM_ERR_TIMEOUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case ENETDOWN:
        return KM_ERR_UNREACHABLE;
    default:
        return KM_ERR_IO;
    }
}

int km_socket_make(const struct km_addr *addr, int type)
{
    int fd = socket(addr->family == 6 ? AF_INET6 : AF_INET, type, 0);
    int flags;

    if (fd < 0)
        return errno == EAFNOSUPPORT ? KM_ERR_UNREACHABLE : KM_ERR_IO;
    flags = fcntl(fd, F_GETFL, 0);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        close(fd);
        return KM_ERR_IO;
    }
    return fd;
}

static void set_option(int fd, int level, int name, int value)
{
    /* A system that refuses one of them still works, only slower to notice a dead link. */
    (void)setsockopt(fd, level, name, &value, (socklen_t)sizeof value);
}

static void set_options(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
}

int km_socket_connect(int *fd, const struct km_addr *addr)
{
    union km_sockaddr to;
    socklen_t len = km_sockaddr_of(&to, addr);
    int made = km_socket_make(addr, SOCK_STREAM), err;

    *fd = -1;
    if (made < 0)
        return made;
    set_options(made);
    if (connect(made, &to.any, len) == 0) {
        *fd = made;
        return KM_OK;
    }
    err = km_socket_error(errno);
    if (err == KM_AGAIN)
        *fd = made;
    else
        close(made);
    return err;
}

static int listen_at(int fd, struct km_addr *addr)
{
    union km_sockaddr at;
    socklen_t len = km_sockaddr_of(&at, addr);

    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (addr->family == 6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (bind(fd, &at.any, len) != 0)
        return errno == EADDRINUSE ? KM_ERR_REFUSED : km_socket_error(errno);
    if (listen(fd, BACKLOG) != 0)
        return errno == EADDRINUSE ? KM_ERR_REFUSED : KM_ERR_IO;
    if (getsockname(fd, &at.any, &len) != 0)
        return KM_ERR_IO;
    addr->port = ntohs(addr->family == 6 ? at.v6.sin6_port : at.v4.sin_port);
    return KM_OK;
}

int km_socket_listen(int *fd, struct km_addr *addr)
{
    int made = km_socket_make(addr, SOCK_STREAM), err;

    *fd = -1;
    if (made < 0)
        return made;
    err = listen_at(made, addr);
    if (err == KM_OK)
        *fd = made;
    else
        close(made);
    return err;
}

int km_socket_accept(int listening, int *fd)
{
    int made = accept(listening, NULL, NULL), flags;

    *fd = -1;
    if (made < 0) {
        /* One that was gone before we looked is not worth a wait. */
        int err = km_socket_error(errno);
        return err == KM_ERR_RESET || err == KM_AGAIN ? KM_AGAIN : KM_ERR_IO;
    }
    flags = fcntl(made, F_GETFL, 0);
    if (flags < 0 || fcntl(made, F_SETFL, flags | O_NONBLOCK) != 0) {
        close(made);
        return KM_ERR_IO;
    }
    set_option(made, IPPROTO_TCP, TCP_NODELAY, 1);
    /* Else one that does not read makes the kernel keep megabytes for it. */
    set_option(made, SOL_SOCKET, SO_SNDBUF, ACCEPTED_SEND_BYTES);
    *fd = made;
    return KM_OK;
}

int km_socket_connected(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    int code = 0;
    socklen_t len = sizeof code;

    if (poll(&poll_fd, 1, 0) == 0)
        return KM_AGAIN;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) != 0)
        return KM_ERR_IO;
    return code == 0 ? KM_OK : km_socket_error(code);
}

int km_socket_send(int fd, const void *data, size_t len)
{
    ssize_t sent;

    if (len == 0)
        return 0;
    if (len > INT32_MAX)
        len = INT32_MAX;
    sent = send(fd, data, len, MSG_NOSIGNAL);
    if (sent > 0)
        return (int)sent;
    return sent == 0 ? KM_AGAIN : km_socket_error(errno);
}

int km_socket_recv(int fd, void *data, size_t len)
{
    ssize_t got;

    if (len == 0)
        return 0;
    if (len > INT32_MAX)
        len = INT32_MAX;
    got = recv(fd, data, len, 0);
    if (got > 0)
        return (int)got;
    return got == 0 ? KM_EOF : km_socket_error(errno);
}

void km_socket_close(int fd)
{
    if (fd >= 0)
        close(fd);
}
