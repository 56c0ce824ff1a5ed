/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sim_priv.h"

struct file {
    char path[160];
    char data[KM_SIM_FILE_BYTES + 1];
    size_t len;
    bool exists;
    int err;
};

static struct file files[KM_SIM_FILES];
static struct km_sim_machine machine;

void sim_machine_reset(void)
{
    for (size_t i = 0; i < KM_SIM_FILES; i++)
        files[i].path[0] = '\0';
    memset(&machine, 0, sizeof machine);
    strcpy(machine.uname.sysname, "Linux");
    strcpy(machine.uname.release, "6.1.0-sim");
    strcpy(machine.uname.machine, "armv7l");
    strcpy(machine.uname.nodename, "sim");
    machine.disk = (struct km_port_disk){.total_bytes = UINT64_C(8) << 30,
                                         .free_bytes = UINT64_C(6) << 30,
                                         .total_inodes = 500000,
                                         .free_inodes = 400000};
    machine.cpu_count = 2;
    machine.pid = 4242;
    (void)km_addr_parse(km_slice_of("192.168.7.2"), &machine.addresses[0]);
    machine.address_count = 1;
}

struct km_sim_machine *km_sim_machine(void)
{
    return &machine;
}

/* ---- files ---- */

static struct file *find_file(const char *path, bool make)
{
    for (size_t i = 0; i < KM_SIM_FILES; i++) {
        struct file *f = &files[i];

        if (strcmp(f->path, path) == 0)
            return f;
        if (f->path[0] != '\0')
            continue;
        if (!make)
            return NULL;
        if (km_slice_copy(km_slice_of(path), f->path, sizeof f->path) != KM_OK)
            break;
        f->len = 0;
        f->exists = false;
        f->err = KM_OK;
        return f;
    }
    if (make)
        sim_die("no room for the file %s", path);
    return NULL;
}

void km_sim_file_bytes(const char *path, const void *data, size_t len)
{
    struct file *f = find_file(path, true);

    if (len > KM_SIM_FILE_BYTES)
        sim_die("%s is larger than %d bytes", path, KM_SIM_FILE_BYTES);
    memcpy(f->data, data, len);
    f->data[len] = '\0';
    f->len = len;
    f->exists = true;
}

void km_sim_file(const char *path, const char *content)
{
    if (content != NULL)
        km_sim_file_bytes(path, content, strlen(content));
    else
        find_file(path, true)->exists = false;
}

void km_sim_file_error(const char *path, int err)
{
    find_file(path, true)->err = err;
}

const char *km_sim_file_get(const char *path)
{
    struct file *f = find_file(path, false);

    return f != NULL && f->exists ? f->data : NULL;
}

static int open_file(const char *path, struct file **out)
{
    int err = sim_call(KM_SIM_FILE_READ);

    *out = find_file(path, false);
    if (err != KM_OK)
        return err;
    if (*out != NULL && (*out)->err != KM_OK)
        return (*out)->err;
    return *out != NULL && (*out)->exists ? KM_OK : KM_ERR_NOT_FOUND;
}

int km_port_file_read(const char *path, char *out, size_t size)
{
    struct file *f;
    int err = open_file(path, &f);

    if (err != KM_OK)
        return err;
    if (f->len >= size)
        return KM_ERR_TOO_LONG;
    memcpy(out, f->data, f->len + 1);
    return (int)f->len;
}

int km_port_file_read_at(const char *path, uint64_t offset, void *out, size_t size)
{
    struct file *f;
    int err = open_file(path, &f);

    if (err != KM_OK)
        return err;
    if (offset >= f->len)
        return 0;
    if (size > f->len - (size_t)offset)
        size = f->len - (size_t)offset;
    memcpy(out, f->data + offset, size);
    return (int)size;
}

int km_port_file_replace(const char *path, const char *data, size_t len)
{
    struct file *f = find_file(path, false);
    int err = sim_call(KM_SIM_FILE_REPLACE);

    if (err != KM_OK)
        return err;
    if (f != NULL && f->err != KM_OK)
        return f->err;
    km_sim_file_bytes(path, data, len);
    return KM_OK;
}

int km_port_file_replace_by(const char *path, km_port_pieces_fn next, void *ctx)
{
    static char text[KM_SIM_FILE_BYTES];
    struct km_slice piece;
    size_t len = 0;
    int more;

    do {
        more = next(ctx, &piece);
        if (more != KM_AGAIN && more != KM_EOF)
            return more;
        if (piece.len > sizeof text - len)
            sim_die("%s is larger than %d bytes", path, KM_SIM_FILE_BYTES);
        memcpy(text + len, piece.ptr, piece.len);
        len += piece.len;
    } while (more == KM_AGAIN);
    return km_port_file_replace(path, text, len);
}

/* ---- output ---- */

bool km_port_is_terminal(int fd)
{
    (void)fd;
    return false;
}

int km_port_write(int fd, const char *data, size_t len)
{
    int err = sim_call(KM_SIM_WRITE);

    (void)fd;
    if (err != KM_OK)
        return err;
    sim_trace("write: %.*s", len > 2000 ? 2000 : (int)len, data);
    return KM_OK;
}

int km_port_write_soon(int fd, const char *data, size_t len, int wait_ms)
{
    (void)wait_ms;
    return km_port_write(fd, data, len);
}

/* The simulated machine has no files that grow and no sockets of the file system. */
int km_port_append_open(const char *path, uint64_t *size)
{
    (void)path;
    *size = 0;
    return KM_ERR_NOT_FOUND;
}

int km_port_datagram_open(const char *path)
{
    (void)path;
    return KM_ERR_NOT_FOUND;
}

int km_port_file_rename(const char *from, const char *to)
{
    (void)from;
    (void)to;
    return KM_ERR_NOT_FOUND;
}

/* ---- seal and facts ---- */

int km_port_seal(void)
{
    return sim_call(KM_SIM_SEAL);
}

void km_port_trim(void)
{
}

void km_port_seal_pass(int delta)
{
    (void)delta;
}

int km_port_disk(const char *path, struct km_port_disk *out)
{
    int err = sim_call(KM_SIM_DISK);

    (void)path;
    *out = machine.disk;
    return err;
}

int km_port_uname(struct km_port_uname *out)
{
    int err = sim_call(KM_SIM_UNAME);

    *out = machine.uname;
    return err;
}

int km_port_cpu_count(void)
{
    return machine.cpu_count;
}

bool km_port_has_aes(void)
{
    return machine.has_aes;
}

uint32_t km_port_pid(void)
{
    return machine.pid;
}

int km_port_addresses(struct km_addr *out, size_t size)
{
    int err = sim_call(KM_SIM_ADDRESSES);
    size_t count = machine.address_count < size ? machine.address_count : size;

    if (err != KM_OK)
        return err;
    memcpy(out, machine.addresses, count * sizeof out[0]);
    return (int)count;
}

int32_t km_port_utc_offset(int64_t unix_us)
{
    (void)unix_us;
    return machine.utc_offset;
}

int64_t km_port_file_age_s(const char *path)
{
    (void)path;
    return KM_ERR_NOT_FOUND;
}

int km_port_folder_make(const char *path)
{
    (void)path;
    return KM_ERR_IO;
}

int km_port_is_folder(const char *path)
{
    (void)path;
    return KM_ERR_NOT_FOUND;
}

int km_port_folder_next(const char *path, char *name, size_t size)
{
    (void)path;
    (void)name;
    (void)size;
    return KM_ERR_NOT_FOUND;
}

int km_port_read(int fd, char *out, size_t size)
{
    (void)fd;
    (void)out;
    (void)size;
    return KM_EOF;
}
