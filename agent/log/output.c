/* SPDX-License-Identifier: Apache-2.0 */
/* Where lines go: an open descriptor, a file that is rotated, a syslog socket. */
#include <string.h>

#include "kubemote/km_log_sink.h"
#include "kubemote/km_port.h"
#include "log_priv.h"

#define PATIENCE_MS 10
#define REOPEN_MS 1000
#define PATH_SIZE 256
#define COUNT_MAX 9
#define SYSLOG_PATH "/dev/log"
#define FACILITY_DAEMON (3 << 3)

enum kind { TO_FD, TO_FILE, TO_SYSLOG };

static struct {
    enum kind kind;
    int spare_fd; /* takes lines while the file or socket is not there */
    int fd;       /* of the file or socket, -1 = not open */
    bool stuck;   /* the last line was not taken: do not wait for the reader again */
    const char *path;
    uint64_t size, max_size;
    uint8_t count;
    int64_t retry_ms; /* when opening is tried again */
    uint32_t pid;
} out = {.spare_fd = 2, .fd = -1};

/* What follows word and a colon, "" for the word alone, or NULL. */
static const char *behind(const char *text, const char *word)
{
    size_t len = strlen(word);

    if (strncmp(text, word, len) != 0)
        return NULL;
    if (text[len] == ':')
        return text + len + 1;
    return text[len] == '\0' ? text + len : NULL;
}

static bool is_path(const char *text)
{
    return text[0] == '/' && strlen(text) < PATH_SIZE - 2;
}

bool km_log_output_is_valid(struct km_slice output)
{
    char text[PATH_SIZE + 8];
    const char *path;

    if (km_slice_copy(output, text, sizeof text) != KM_OK || strlen(text) != output.len)
        return false;
    if (output.len == 0 || strcmp(text, "stderr") == 0 || strcmp(text, "syslog") == 0)
        return KM_LOG_HAS_FILES || text[0] == '\0' || text[1] == 't';
    path = behind(text, "file");
    if (path == NULL)
        path = behind(text, "syslog");
    return KM_LOG_HAS_FILES && path != NULL && is_path(path);
}

static void try_open(int64_t now_ms)
{
    out.retry_ms = now_ms + REOPEN_MS;
    out.stuck = false;
    if (out.kind == TO_FILE)
        out.fd = km_port_append_open(out.path, &out.size);
    else
        out.fd = km_port_datagram_open(out.path);
}

void km_log_output_open(const struct km_log_options *options, int fd)
{
    const char *text = options->output == NULL ? "" : options->output;
    const char *file = behind(text, "file"), *syslog = behind(text, "syslog");

    if (out.kind != TO_FD)
        km_socket_close(out.fd);
    out.kind = file != NULL ? TO_FILE : syslog != NULL ? TO_SYSLOG : TO_FD;
    out.path = file != NULL ? file : syslog != NULL && *syslog != '\0' ? syslog : SYSLOG_PATH;
    out.spare_fd = fd;
    out.fd = -1;
    out.stuck = false;
    out.max_size = options->file_bytes;
    out.count = options->file_count > COUNT_MAX ? COUNT_MAX : options->file_count;
    out.retry_ms = INT64_MIN;
    out.pid = km_port_pid();
}

/* PATH to PATH.1, that to PATH.2, and so on; the last one is overwritten. */
static void rotate(void)
{
    char from[PATH_SIZE + 2], to[PATH_SIZE + 2];
    struct km_buf a, b;

    km_socket_close(out.fd);
    out.fd = -1;
    for (int i = out.count > 0 ? out.count : 1; i >= 1; i--) {
        km_buf_init(&a, from, sizeof from);
        km_buf_init(&b, to, sizeof to);
        km_buf_printf(&b, "%s.%d", out.path, i);
        if (i > 1)
            km_buf_printf(&a, "%s.%d", out.path, i - 1);
        else
            km_buf_puts(&a, out.path);
        (void)km_port_file_rename(from, to);
    }
}

static int write_to(int fd, const char *data, size_t len)
{
    int err = km_port_write_soon(fd, data, len, out.stuck ? 0 : PATIENCE_MS);

    out.stuck = err == KM_AGAIN;
    return err;
}

static void drop(void)
{
    km_socket_close(out.fd);
    out.fd = -1;
}

static int write_file(const char *line, size_t len, int64_t now_ms)
{
    int err;

    if (out.max_size > 0 && out.size > 0 && out.size + len > out.max_size) {
        rotate();
        try_open(now_ms);
        /* A folder that lets nobody rename must not make the file grow for ever. */
        if (out.fd >= 0 && out.size + len > out.max_size + CONFIG_KM_LOG_LINE_BYTES)
            drop();
    }
    if (out.fd < 0)
        return write_to(out.spare_fd, line, len);
    err = write_to(out.fd, line, len);
    if (err == KM_OK)
        out.size += len;
    else
        drop();
    return err;
}

static int write_syslog(char *space, size_t len, char severity)
{
    const int level = severity == 'F' ? 2 : severity == 'E' ? 3 : severity == 'W' ? 4 : 6;
    char tag[KM_LOG_TAG_BYTES + 1];
    struct km_buf buf;
    char *start;
    int err;

    km_buf_init(&buf, tag, sizeof tag);
    km_buf_printf(&buf, "<%d>kubemote[%u]: ", FACILITY_DAEMON + level, (unsigned)out.pid);
    start = space + KM_LOG_TAG_BYTES - buf.len;
    memcpy(start, tag, buf.len);
    err = write_to(out.fd, start, buf.len + len - 1);
    if (err < 0 && err != KM_AGAIN)
        drop();
    return err;
}

int km_log_output_write(char *space, size_t len, char severity, int64_t now_ms)
{
    const char *line = space + KM_LOG_TAG_BYTES;

    if (!KM_LOG_HAS_FILES || out.kind == TO_FD)
        return write_to(out.spare_fd, line, len);
    if (out.fd < 0 && now_ms >= out.retry_ms)
        try_open(now_ms);
    if (out.fd < 0)
        return write_to(out.spare_fd, line, len);
    return out.kind == TO_FILE ? write_file(line, len, now_ms) : write_syslog(space, len, severity);
}
