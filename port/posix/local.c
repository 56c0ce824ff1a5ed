/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the file system, which lwIP does not have, and files that are only written at their end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "kubemote/km_port.h"

#define BACKLOG 16

static int why(void)
{
    return errno == ENOENT || errno == ENOTDIR ? KM_ERR_NOT_FOUND : KM_ERR_IO;
}

static int address_of(const char *path, struct sockaddr_un *out)
{
    size_t len = strlen(path);

    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if (len == 0 || len >= sizeof out->sun_path)
        return KM_ERR_ARG;
    memcpy(out->sun_path, path, len);
    return KM_OK;
}

static int make(int type)
{
    int fd = socket(AF_UNIX, type, 0), flags;

    if (fd < 0)
        return KM_ERR_IO;
    flags = fcntl(fd, F_GETFL, 0);
    if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0)
        return fd;
    close(fd);
    return KM_ERR_IO;
}

static int listen_at(int fd, const struct sockaddr_un *at)
{
    struct stat there;
    mode_t mask;
    int bound;

    if (lstat(at->sun_path, &there) == 0) {
        if (!S_ISSOCK(there.st_mode))
            return KM_ERR_ARG;
        (void)unlink(at->sun_path);
    }
    /* The socket must not be open to all for the moment between bind and chmod. */
    mask = umask(0117);
    bound = bind(fd, (const struct sockaddr *)at, (socklen_t)sizeof *at);
    (void)umask(mask);
    if (bound != 0)
        return why();
    return listen(fd, BACKLOG) == 0 ? KM_OK : KM_ERR_IO;
}

int km_socket_listen_path(int *fd, const char *path)
{
    struct sockaddr_un at;
    int err = address_of(path, &at), made;

    *fd = -1;
    if (err != KM_OK)
        return err;
    made = make(SOCK_STREAM);
    if (made < 0)
        return made;
    err = listen_at(made, &at);
    if (err == KM_OK)
        *fd = made;
    else
        close(made);
    return err;
}

int km_port_datagram_open(const char *path)
{
    struct sockaddr_un at;
    int err = address_of(path, &at), made;

    if (err != KM_OK)
        return err;
    made = make(SOCK_DGRAM);
    if (made < 0)
        return made;
    if (connect(made, (const struct sockaddr *)&at, (socklen_t)sizeof at) == 0)
        return made;
    err = why();
    close(made);
    return err;
}

int km_port_append_open(const char *path, uint64_t *size)
{
    /* Non-blocking for a path that is a pipe without a reader. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
    struct stat about;

    if (fd < 0)
        return why();
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        return KM_ERR_IO;
    }
    *size = (uint64_t)about.st_size;
    return fd;
}

int km_port_file_rename(const char *from, const char *to)
{
    return rename(from, to) == 0 ? KM_OK : why();
}

int km_port_write_soon(int fd, const char *data, size_t len, int wait_ms)
{
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    ssize_t put;

    if (poll(&waiting, 1, wait_ms) == 0)
        return KM_AGAIN;
    put = write(fd, data, len);
    if (put == (ssize_t)len)
        return KM_OK;
    if (put < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
        return KM_AGAIN;
    return put < 0 && (errno == ECONNREFUSED || errno == ENOTCONN || errno == ECONNRESET)
               ? KM_ERR_RESET
               : KM_ERR_IO;
}
