/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_facts.h"

#include <string.h>

#define TEXT_BYTES 4096

const struct km_fact_paths km_fact_paths_default = {
    .meminfo = "/proc/meminfo",
    .loadavg = "/proc/loadavg",
    .pid_max = "/proc/sys/kernel/pid_max",
    .threads_max = "/proc/sys/kernel/threads-max",
    .boot_id = "/proc/sys/kernel/random/boot_id",
    .machine_id = {"/etc/machine-id", "/var/lib/dbus/machine-id"},
    .system_uuid = {"/sys/class/dmi/id/product_uuid", "/sys/firmware/devicetree/base/vm,uuid",
                    "/sys/firmware/devicetree/base/serial-number"},
    .mac_address = "/sys/class/net/eth0/address",
    .os_release = {"/etc/os-release", "/usr/lib/os-release"},
};

/* One file at a time. */
static char text_buffer[TEXT_BYTES] KM_POOL_STORAGE(facts_text);

#define PATH(paths, field) \
    ((paths) != NULL && (paths)->field != NULL ? (paths)->field : km_fact_paths_default.field)

/* ---- files and texts ---- */

/* False when there is no such file, or it is larger than any that is meant here. */
static bool read_file(const char *path, struct km_slice *out)
{
    int len = km_port_file_read(path, text_buffer, sizeof text_buffer);

    *out = (struct km_slice){text_buffer, len < 0 ? 0 : (size_t)len};
    return len >= 0;
}

/* Blanks, line ends, and the NULs of device tree strings. */
static bool is_edge(char c)
{
    return c == ' ' || c == '\0' || (c >= '\t' && c <= '\r');
}

static struct km_slice trim(struct km_slice text)
{
    while (text.len > 0 && is_edge(text.ptr[text.len - 1]))
        text.len--;
    while (text.len > 0 && is_edge(text.ptr[0]))
        text = (struct km_slice){text.ptr + 1, text.len - 1};
    return text;
}

/* Bytes of the well-formed UTF-8 character at the start, 0 when there is none. */
static size_t utf8_len(struct km_slice text)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t len = p[0] < 0x80   ? 1
                 : p[0] < 0xc2 ? 0
                 : p[0] < 0xe0 ? 2
                 : p[0] < 0xf0 ? 3
                 : p[0] < 0xf5 ? 4
                               : 0;

    if (len > text.len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    /* overlong forms, surrogates, beyond U+10FFFF */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

/* Firmware strings hold anything; what goes to the server is printable UTF-8. Cut between characters. */
static void keep_text(struct km_slice text, char *out, size_t size)
{
    size_t at = 0;

    while (text.len > 0) {
        size_t len = utf8_len(text);
        bool good = len > 0 && (unsigned char)text.ptr[0] >= 0x20 && text.ptr[0] != 0x7f;

        if (at + (len == 0 ? 1 : len) >= size)
            break;
        if (good)
            memcpy(out + at, text.ptr, len);
        else
            out[at] = '?';
        at += good ? len : 1;
        text = (struct km_slice){text.ptr + (len == 0 ? 1 : len), text.len - (len == 0 ? 1 : len)};
    }
    out[at] = '\0';
}

/* The first line that begins with `name`; what stands behind it, to the end of the line. */
static bool find_line(struct km_slice text, const char *name, struct km_slice *out)
{
    size_t name_len = strlen(name);

    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end == NULL ? text.len : (size_t)(end - text.ptr);

        if (len >= name_len && memcmp(text.ptr, name, name_len) == 0) {
            *out = (struct km_slice){text.ptr + name_len, len - name_len};
            return true;
        }
        len += end != NULL;
        text = (struct km_slice){text.ptr + len, text.len - len};
    }
    return false;
}

static bool read_number(const char *path, uint64_t *out)
{
    struct km_slice text;

    return read_file(path, &text) && km_slice_to_u64(trim(text), out) == KM_OK;
}

/* ---- what does not change ---- */

/* The first path whose file has something to say. */
static bool read_first(const char *const *paths, const char *const *defaults, size_t count,
                       char *out, size_t size)
{
    struct km_slice text;

    for (size_t i = 0; i < count; i++) {
        const char *path = paths != NULL && paths[i] != NULL ? paths[i] : defaults[i];
        if (!read_file(path, &text))
            continue;
        text = trim(text);
        /* systemd's word for a machine ID that is still to be made */
        if (text.len == 0 || km_slice_eq_str(text, "uninitialized"))
            continue;
        keep_text(text, out, size);
        return true;
    }
    return false;
}

/* 32 hex digits that stay the same as long as the seed does. */
static void make_id(struct km_slice seed, char out[64])
{
    struct km_buf buf;

    km_buf_init(&buf, out, 64);
    for (uint32_t i = 0; i < 4; i++)
        km_buf_printf(&buf, "%08lx", (unsigned long)km_hash(seed, 0x9e3779b9u * (i + 1)));
}

static void read_machine_id(struct km_facts *facts, const struct km_fact_paths *paths)
{
    struct km_slice mac;

    if (read_first(paths == NULL ? NULL : paths->machine_id, km_fact_paths_default.machine_id, 2,
                   facts->machine_id, sizeof facts->machine_id))
        return;
    facts->machine_id_made = true;
    if (facts->system_uuid[0] != '\0')
        make_id(km_slice_of(facts->system_uuid), facts->machine_id);
    else if (read_file(PATH(paths, mac_address), &mac) && trim(mac).len > 0)
        make_id(trim(mac), facts->machine_id);
    else
        make_id(km_slice_of(facts->hostname), facts->machine_id);
}

static void read_system_uuid(struct km_facts *facts, const struct km_node_config *config,
                             const struct km_fact_paths *paths)
{
    const char *const configured[] = {config->system_uuid_file};

    if (config->system_uuid_file[0] != '\0' &&
        read_first(configured, configured, 1, facts->system_uuid, sizeof facts->system_uuid))
        return;
    (void)read_first(paths == NULL ? NULL : paths->system_uuid, km_fact_paths_default.system_uuid,
                     3, facts->system_uuid, sizeof facts->system_uuid);
}

/* As cadvisor reads it: what follows the first PRETTY_NAME=, without quotes around. */
static void read_os_image(struct km_facts *facts, const struct km_fact_paths *paths)
{
    struct km_slice text;

    if (!read_file(PATH(paths, os_release[0]), &text) &&
        !read_file(PATH(paths, os_release[1]), &text)) {
        memcpy(facts->os_image, "Unknown", sizeof "Unknown");
        return;
    }
    if (!find_line(text, "PRETTY_NAME=", &text)) {
        memcpy(facts->os_image, "Linux", sizeof "Linux");
        return;
    }
    while (text.len > 0 && text.ptr[text.len - 1] == '"')
        text.len--;
    while (text.len > 0 && text.ptr[0] == '"')
        text = (struct km_slice){text.ptr + 1, text.len - 1};
    keep_text(text, facts->os_image, sizeof facts->os_image);
}

static void read_uname(struct km_facts *facts)
{
    struct km_port_uname name;

    if (km_port_uname(&name) != KM_OK) {
        memcpy(facts->kernel_version, "Unknown", sizeof "Unknown");
        return;
    }
    keep_text(km_slice_of(name.release), facts->kernel_version, sizeof facts->kernel_version);
    keep_text(trim(km_slice_of(name.nodename)), facts->hostname, sizeof facts->hostname);
    for (char *p = facts->hostname; *p != '\0'; p++) {
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    }
}

void km_facts_static(struct km_facts *facts, const struct km_node_config *config,
                     const struct km_fact_paths *paths)
{
    struct km_slice text;

    memset(facts, 0, sizeof *facts);
    facts->operating_system = "linux";
    facts->architecture = km_architecture();
    read_uname(facts);
    read_os_image(facts, paths);
    read_system_uuid(facts, config, paths);
    read_machine_id(facts, paths);
    if (facts->system_uuid[0] == '\0')
        memcpy(facts->system_uuid, facts->machine_id, sizeof facts->system_uuid);
    if (read_file(PATH(paths, boot_id), &text))
        keep_text(trim(text), facts->boot_id, sizeof facts->boot_id);
}

/* ---- readings ---- */

/* "MemTotal:       24684092 kB" */
static bool memory_line(struct km_slice meminfo, const char *name, uint64_t *bytes)
{
    struct km_slice line;

    if (!find_line(meminfo, name, &line))
        return false;
    line = trim(line);
    if (line.len < 3 || memcmp(line.ptr + line.len - 3, " kB", 3) != 0)
        return false;
    line.len -= 3;
    if (km_slice_to_u64(trim(line), bytes) != KM_OK || *bytes > UINT64_MAX / 1024)
        return false;
    *bytes *= 1024;
    return true;
}

static void read_memory(struct km_facts *facts, const struct km_fact_paths *paths)
{
    struct km_slice text;

    if (!read_file(PATH(paths, meminfo), &text))
        return;
    if (memory_line(text, "MemTotal:", &facts->memory_total_bytes))
        facts->known |= KM_FACT_MEMORY_TOTAL;
    if (memory_line(text, "MemAvailable:", &facts->memory_available_bytes))
        facts->known |= KM_FACT_MEMORY_AVAILABLE;
}

/* The fourth field of "0.20 0.18 0.12 1/80 11206": tasks that run, and all tasks. */
static bool read_tasks(const char *path, uint64_t *out)
{
    struct km_slice text;

    if (!read_file(path, &text))
        return false;
    for (int field = 0; field < 3; field++) {
        const char *blank = memchr(text.ptr, ' ', text.len);
        if (blank == NULL)
            return false;
        size_t skip = (size_t)(blank - text.ptr) + 1;
        text = (struct km_slice){text.ptr + skip, text.len - skip};
    }
    const char *slash = memchr(text.ptr, '/', text.len);
    const char *end = memchr(text.ptr, ' ', text.len);
    if (slash == NULL || end == NULL || end < slash)
        return false;
    return km_slice_to_u64((struct km_slice){slash + 1, (size_t)(end - slash) - 1}, out) == KM_OK;
}

/* The kernel has two bounds; the smaller one counts. */
static void read_pids(struct km_facts *facts, const struct km_fact_paths *paths)
{
    uint64_t pid_max, threads_max;
    bool has_pids = read_number(PATH(paths, pid_max), &pid_max);
    bool has_threads = read_number(PATH(paths, threads_max), &threads_max);

    if (!has_pids && !has_threads)
        return;
    facts->pids_max = !has_threads || (has_pids && pid_max < threads_max) ? pid_max : threads_max;
    if (read_tasks(PATH(paths, loadavg), &facts->pids_used))
        facts->known |= KM_FACT_PIDS;
}

static void read_disk(struct km_facts *facts, const struct km_node_config *config)
{
    struct km_port_disk disk;

    if (km_port_disk(config->root_path, &disk) != KM_OK)
        return;
    facts->disk_total_bytes = disk.total_bytes;
    facts->disk_free_bytes = disk.free_bytes;
    facts->disk_total_inodes = disk.total_inodes;
    facts->disk_free_inodes = disk.free_inodes;
    facts->known |= KM_FACT_DISK;
}

static bool has_address(const struct km_facts *facts, const struct km_addr *addr)
{
    for (uint16_t i = 0; i < facts->address_count; i++) {
        const struct km_addr *have = &facts->addresses[i];
        if (have->family == addr->family &&
            memcmp(have->ip, addr->ip, addr->family == 4 ? 4 : 16) == 0)
            return true;
    }
    return false;
}

/* In the port's order: the first one is what people are shown. One address on two interfaces counts once. */
static void read_addresses(struct km_facts *facts)
{
    /* The host name is an address too and takes a place in the Node's status. */
    int count = km_port_addresses(facts->addresses, CONFIG_KM_NODE_ADDRESS_COUNT - 1);

    facts->address_count = 0;
    for (int i = 0; i < count && i < CONFIG_KM_NODE_ADDRESS_COUNT - 1; i++) {
        struct km_addr next = facts->addresses[i];

        if (!has_address(facts, &next))
            facts->addresses[facts->address_count++] = next;
    }
}

void km_facts_read(struct km_facts *facts, const struct km_node_config *config,
                   const struct km_fact_paths *paths)
{
    facts->known = 0;
    int cpus = km_port_cpu_count();
    if (cpus > 0) {
        facts->cpu_count = (uint32_t)cpus;
        facts->known |= KM_FACT_CPU;
    }
    read_memory(facts, paths);
    read_pids(facts, paths);
    read_disk(facts, config);
    read_addresses(facts);
}
