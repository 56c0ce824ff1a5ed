/* SPDX-License-Identifier: Apache-2.0 */
/* Names in a folder, without opendir, which takes memory from the heap. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kubemote/km_port.h"

/* As the kernel writes it. */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

int km_port_is_folder(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return errno == ENOENT || errno == ENOTDIR ? KM_ERR_NOT_FOUND : KM_ERR_IO;
    return S_ISDIR(info.st_mode) ? 1 : 0;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Keeps the least name that is greater than `after`. */
static void consider(const char *name, const char *after, char *best, size_t size)
{
    if (is_dots(name) || strlen(name) >= size || strcmp(name, after) <= 0)
        return;
    if (best[0] == '\0' || strcmp(name, best) < 0)
        memcpy(best, name, strlen(name) + 1);
}

int km_port_folder_next(const char *path, char *name, size_t size)
{
    union {
        uint64_t align;
        char bytes[4096];
    } block;
    char best[256] = "";
    long got;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? KM_ERR_NOT_FOUND : KM_ERR_IO;
    while ((got = syscall(SYS_getdents64, fd, block.bytes, sizeof block.bytes)) > 0) {
        for (long at = 0; at < got;) {
            const char *entry = block.bytes + at;
            uint16_t length;
            memcpy(&length, entry + offsetof(struct entry, length), sizeof length);
            consider(entry + offsetof(struct entry, name), name, best,
                     size < sizeof best ? size : sizeof best);
            at += length;
        }
    }
    close(fd);
    if (got < 0)
        return KM_ERR_IO;
    if (best[0] == '\0')
        return KM_EOF;
    memcpy(name, best, strlen(best) + 1);
    return KM_OK;
}
