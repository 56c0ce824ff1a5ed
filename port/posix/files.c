/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kubemote/km_port.h"

static int open_error(void)
{
    return errno == ENOENT || errno == ENOTDIR ? KM_ERR_NOT_FOUND : KM_ERR_IO;
}

/* A pipe may be named as a file, as shells do in <(command), and then nobody may ever write to it: files are opened
   without blocking, and what has nothing to read is waited for. */
#define PIPE_WAIT_MS 1500

static int open_to_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static bool wait_readable(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int ready = poll(&entry, 1, PIPE_WAIT_MS);

    if (ready == 0)
        errno = EAGAIN;
    return ready > 0 || (ready < 0 && errno == EINTR);
}

/* Up to size bytes, fewer only at the end of the file. */
static int read_full(int fd, char *out, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, out + len, size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN && wait_readable(fd))
            continue;
        if (got < 0)
            return KM_ERR_IO;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (int)len;
}

int km_port_file_read(const char *path, char *out, size_t size)
{
    int fd, len;
    char more;

    if (size == 0 || size > INT32_MAX)
        return KM_ERR_ARG;
    out[0] = '\0';
    fd = open_to_read(path);
    if (fd < 0)
        return open_error();
    len = read_full(fd, out, size - 1);
    if (len >= 0)
        out[len] = '\0';
    if (len == (int)size - 1 && read_full(fd, &more, 1) == 1)
        len = KM_ERR_TOO_LONG;
    close(fd);
    return len;
}

int km_port_file_read_at(const char *path, uint64_t offset, void *out, size_t size)
{
    int fd, len = KM_ERR_IO;

    if (size > INT32_MAX || offset > INT64_MAX)
        return KM_ERR_ARG;
    fd = open_to_read(path);
    if (fd < 0)
        return open_error();
    if (lseek(fd, (off_t)offset, SEEK_SET) >= 0)
        len = read_full(fd, out, size);
    close(fd);
    return len;
}

/* A descriptor that is shared with other processes may be non-blocking by their doing. */
static bool may_try_again(int fd, short events)
{
    struct pollfd entry = {.fd = fd, .events = events};

    return errno == EINTR || (errno == EAGAIN && (poll(&entry, 1, -1) > 0 || errno == EINTR));
}

int km_port_read(int fd, char *out, size_t size)
{
    ssize_t got;

    do
        got = read(fd, out, size);
    while (got < 0 && may_try_again(fd, POLLIN));
    return got < 0 ? KM_ERR_IO : got == 0 ? KM_EOF : (int)got;
}

int km_port_write(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);

        if (put < 0 && may_try_again(fd, POLLOUT))
            continue;
        if (put < 0)
            return KM_ERR_IO;
        data += put;
        len -= (size_t)put;
    }
    return KM_OK;
}

bool km_port_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

static int write_pieces(int fd, km_port_pieces_fn next, void *ctx)
{
    struct km_slice piece;
    int more, err;

    do {
        more = next(ctx, &piece);
        if (more != KM_AGAIN && more != KM_EOF)
            return more;
        err = km_port_write(fd, piece.ptr, piece.len);
    } while (err == KM_OK && more == KM_AGAIN);
    return err;
}

int km_port_file_replace_by(const char *path, km_port_pieces_fn next, void *ctx)
{
    char temporary[512];
    int n = km_format(temporary, sizeof temporary, "%s.tmp", path), fd, err;

    if (n < 0 || (size_t)n >= sizeof temporary)
        return KM_ERR_TOO_LONG;
    /* A leftover of a crash, or a link that somebody laid there. */
    (void)unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return open_error();
    err = write_pieces(fd, next, ctx);
    /* Without fsync a power cut may leave the new name with no bytes behind it. */
    if (err == KM_OK && fsync(fd) != 0)
        err = KM_ERR_IO;
    if (close(fd) != 0 && err == KM_OK)
        err = KM_ERR_IO;
    if (err == KM_OK && rename(temporary, path) != 0)
        err = KM_ERR_IO;
    if (err != KM_OK)
        (void)unlink(temporary);
    return err;
}

static int only_piece(void *ctx, struct km_slice *piece)
{
    *piece = *(const struct km_slice *)ctx;
    return KM_EOF;
}

int km_port_file_replace(const char *path, const char *data, size_t len)
{
    struct km_slice all = {data, len};

    return km_port_file_replace_by(path, only_piece, &all);
}

int64_t km_port_file_age_s(const char *path)
{
    struct stat info;
    int64_t age_s;

    if (stat(path, &info) != 0)
        return open_error();
    age_s = km_port_wall_us() / 1000000 - (int64_t)info.st_mtime;
    return age_s > 0 ? age_s : 0;
}

int km_port_folder_make(const char *path)
{
    char part[512];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof part)
        return KM_ERR_TOO_LONG;
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return KM_ERR_IO;
    }
    return KM_OK;
}
