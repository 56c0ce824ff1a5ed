/* SPDX-License-Identifier: Apache-2.0 */
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kubemote/km_port.h"

/* getifaddrs() allocates; the ioctl and two files of /proc tell the same without. */

#define INTERFACES 32
/* Flags in /proc/net/if_inet6, from the kernel's interface (IFA_F_…): temporary, failed, deprecated, tentative. */
#define UNFIT_FLAGS 0x69u
#define LINE_SIZE 128
/* Default routes stand first; a router's full table must not be walked. */
#define ROUTES_MAX 256

struct list {
    struct km_addr *out;
    size_t size, count;
    char default_name[IFNAMSIZ]; /* interface of the default route */
    size_t at_front;             /* how many of them stand first in the present family */
    size_t family_start;
};

static void add(struct list *list, const struct km_addr *addr, const char *interface)
{
    size_t at = list->count;

    if (strcmp(interface, list->default_name) == 0)
        at = list->family_start + list->at_front++;
    if (list->count == list->size) {
        if (at >= list->size)
            return;
        list->count--;
    }
    memmove(&list->out[at + 1], &list->out[at], (list->count - at) * sizeof *addr);
    list->out[at] = *addr;
    list->count++;
}

/* Gives the lines of a small /proc file one after another; false at its end. */
static bool next_line(const char *path, uint64_t *offset, char *line, size_t line_size)
{
    int got = km_port_file_read_at(path, *offset, line, line_size - 1);
    char *end;

    if (got <= 0)
        return false;
    line[got] = '\0';
    end = strchr(line, '\n');
    if (end == NULL)
        return false;
    *end = '\0';
    *offset += (uint64_t)(end - line) + 1;
    return true;
}

/* The n-th field, by blanks and tabs; false when there is none or it does not fit. */
static bool field(const char *line, unsigned n, char *out, size_t out_size)
{
    size_t len;

    line += strspn(line, " \t");
    while (n-- > 0) {
        line += strcspn(line, " \t");
        line += strspn(line, " \t");
    }
    len = strcspn(line, " \t");
    return len > 0 &&
           km_slice_copy((struct km_slice){.ptr = line, .len = len}, out, out_size) == KM_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool parse_hex(const char *text, uint8_t *out, size_t len)
{
    if (strlen(text) != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

/* The IPv4 default route with the lowest metric. */
static void find_default4(struct list *list)
{
    char line[2 * LINE_SIZE], destination[16], mask[16], metric_text[16], name[IFNAMSIZ];
    uint64_t offset = 0, metric, best = UINT64_MAX;

    for (int i = 0; i < ROUTES_MAX && next_line("/proc/net/route", &offset, line, sizeof line);
         i++) {
        if (!field(line, 0, name, sizeof name) ||
            !field(line, 1, destination, sizeof destination) ||
            !field(line, 6, metric_text, sizeof metric_text) ||
            !field(line, 7, mask, sizeof mask) || strcmp(destination, "00000000") != 0 ||
            strcmp(mask, "00000000") != 0 ||
            km_slice_to_u64(km_slice_of(metric_text), &metric) != KM_OK || metric >= best)
            continue;
        best = metric;
        memcpy(list->default_name, name, sizeof name);
    }
}

/* The IPv6 default route with the lowest metric that is not the kernel's reject route on lo. */
static void find_default6(struct list *list)
{
    static const char zero[] = "00000000000000000000000000000000";
    char line[2 * LINE_SIZE], destination[40], length[8], metric_text[16], name[IFNAMSIZ];
    uint8_t metric_bytes[4];
    uint64_t offset = 0, best = UINT64_MAX;

    for (int i = 0; i < ROUTES_MAX && next_line("/proc/net/ipv6_route", &offset, line, sizeof line);
         i++) {
        uint64_t metric;

        if (!field(line, 0, destination, sizeof destination) ||
            !field(line, 1, length, sizeof length) ||
            !field(line, 5, metric_text, sizeof metric_text) ||
            !field(line, 9, name, sizeof name) || strcmp(destination, zero) != 0 ||
            strcmp(length, "00") != 0 || strcmp(name, "lo") == 0 ||
            !parse_hex(metric_text, metric_bytes, 4))
            continue;
        metric = (uint64_t)metric_bytes[0] << 24 | (uint64_t)metric_bytes[1] << 16 |
                 (uint64_t)metric_bytes[2] << 8 | metric_bytes[3];
        if (metric >= best)
            continue;
        best = metric;
        memcpy(list->default_name, name, sizeof name);
    }
}

static bool is_fit4(const uint8_t *ip)
{
    return ip[0] != 0 && ip[0] != 127 && !(ip[0] == 169 && ip[1] == 254) && ip[0] < 224;
}

static bool is_fit6(const uint8_t *ip)
{
    static const uint8_t none[15];
    bool loopback = memcmp(ip, none, 15) == 0 && ip[15] <= 1;

    return !loopback && ip[0] != 0xff && !(ip[0] == 0xfe && (ip[1] & 0xc0u) == 0x80);
}

static bool is_up(int fd, const char *name)
{
    struct ifreq request;

    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, name, IFNAMSIZ);
    return ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

static void read_v4(struct list *list, int fd)
{
    static struct ifreq entries[INTERFACES] KM_POOL_STORAGE(interfaces);
    struct ifconf config;
    size_t count;

    memset(&config, 0, sizeof config);
    config.ifc_len = (int)sizeof entries;
    config.ifc_req = entries;
    if (ioctl(fd, SIOCGIFCONF, &config) != 0 || config.ifc_len < 0)
        return;
    count = (size_t)config.ifc_len / sizeof entries[0];
    for (size_t i = 0; i < count && i < INTERFACES; i++) {
        struct km_addr addr = {.family = 4};
        struct sockaddr_in in;

        entries[i].ifr_name[IFNAMSIZ - 1] = '\0';
        memcpy(&in, &entries[i].ifr_addr, sizeof in);
        if (in.sin_family != AF_INET)
            continue;
        memcpy(addr.ip, &in.sin_addr, 4);
        if (is_fit4(addr.ip) && is_up(fd, entries[i].ifr_name))
            add(list, &addr, entries[i].ifr_name);
    }
}

/* Lines such as "fd00…01 02 40 00 80     eth0": address, index, prefix length, scope, flags, name. */
static void read_v6(struct list *list, int fd)
{
    char line[LINE_SIZE], text[40], flags_text[8], name[IFNAMSIZ];
    uint64_t offset = 0;
    uint8_t flags;

    while (next_line("/proc/net/if_inet6", &offset, line, sizeof line)) {
        struct km_addr addr = {.family = 6};

        memset(name, 0, sizeof name);
        if (field(line, 0, text, sizeof text) && field(line, 4, flags_text, sizeof flags_text) &&
            field(line, 5, name, sizeof name) && parse_hex(text, addr.ip, 16) &&
            parse_hex(flags_text, &flags, 1) && (flags & UNFIT_FLAGS) == 0 && is_fit6(addr.ip) &&
            is_up(fd, name))
            add(list, &addr, name);
    }
}

int km_port_addresses(struct km_addr *out, size_t size)
{
    struct list list = {.out = out, .size = size};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0)
        fd = socket(AF_INET6, SOCK_DGRAM, 0);
    if (fd < 0)
        return 0;
    find_default4(&list);
    read_v4(&list, fd);
    list.family_start = list.count;
    list.at_front = 0;
    memset(list.default_name, 0, sizeof list.default_name);
    find_default6(&list);
    read_v6(&list, fd);
    close(fd);
    return (int)list.count;
}
