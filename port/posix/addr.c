/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sockets_priv.h"

/* The longest run of at least two groups of zero, the first of several. */
static size_t find_zeros(const uint8_t ip[16], size_t *count)
{
    size_t start = 0, run = 0;

    *count = 1;
    for (size_t i = 0; i < 8; i++) {
        run = ip[2 * i] == 0 && ip[2 * i + 1] == 0 ? run + 1 : 0;
        if (run > *count) {
            *count = run;
            start = i + 1 - run;
        }
    }
    return start;
}

static void put_v4(struct km_buf *buf, const uint8_t ip[4])
{
    km_buf_printf(buf, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
}

static void put_v6(struct km_buf *buf, const uint8_t ip[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    size_t count, start = find_zeros(ip, &count);

    if (memcmp(ip, mapped, sizeof mapped) == 0) {
        km_buf_puts(buf, "::ffff:");
        put_v4(buf, ip + sizeof mapped);
        return;
    }
    for (size_t i = 0; i < 8;) {
        if (count > 1 && i == start) {
            km_buf_puts(buf, "::");
            i += count;
            continue;
        }
        km_buf_printf(buf, i == 0 || (count > 1 && i == start + count) ? "%x" : ":%x",
                      (unsigned)ip[2 * i] << 8 | ip[2 * i + 1]);
        i++;
    }
}

/* Not inet_ntop, which in musl brings all of printf with it. */
void km_addr_text(const struct km_addr *addr, char *out, size_t out_size)
{
    struct km_buf buf;

    km_buf_init(&buf, out, out_size);
    if (addr->family == 6)
        put_v6(&buf, addr->ip);
    else
        put_v4(&buf, addr->ip);
    if (buf.overflow)
        km_buf_reset(&buf);
}

int km_addr_parse(struct km_slice text, struct km_addr *out)
{
    char copy[KM_ADDR_TEXT_SIZE];

    memset(out, 0, sizeof *out);
    if (text.len == 0 || memchr(text.ptr, '\0', text.len) != NULL ||
        km_slice_copy(text, copy, sizeof copy) != KM_OK)
        return KM_ERR_SYNTAX;
    if (inet_pton(AF_INET, copy, out->ip) == 1)
        out->family = 4;
    else if (inet_pton(AF_INET6, copy, out->ip) == 1)
        out->family = 6;
    else
        return KM_ERR_SYNTAX;
    return KM_OK;
}

socklen_t km_sockaddr_of(union km_sockaddr *out, const struct km_addr *addr)
{
    memset(out, 0, sizeof *out);
    if (addr->family == 6) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(addr->port);
        out->v6.sin6_scope_id = addr->scope;
        memcpy(&out->v6.sin6_addr, addr->ip, 16);
        return sizeof out->v6;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(addr->port);
    memcpy(&out->v4.sin_addr, addr->ip, 4);
    return sizeof out->v4;
}
