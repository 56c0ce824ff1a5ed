/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sockets_priv.h"

void km_addr_text(const struct km_addr *addr, char *out, size_t out_size)
{
    int family = addr->family == 6 ? AF_INET6 : AF_INET;

    if (out_size == 0)
        return;
    if (inet_ntop(family, addr->ip, out, (socklen_t)out_size) == NULL)
        out[0] = '\0';
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
