/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name look-up, in three parts: packets (pure), the two configuration files, and the machine in resolve.c.
 */
#ifndef KM_DNS_PRIV_H
#define KM_DNS_PRIV_H

#include "kubemote/km_port.h"

#define KM_DNS_A 1u
#define KM_DNS_AAAA 28u
#define KM_DNS_QUERY_SIZE 280u /* head, name of 255 bytes, type and class */
#define KM_DNS_NOERROR 0u
#define KM_DNS_NXDOMAIN 3u

/* Writes a recursive query (RFC 1035 4.1). Returns its length, or KM_ERR_NAME when host is no host name (RFC 1123: labels of 1
   to 63 letters, digits, "-" or "_"; 253 in all). */
int km_dns_query(uint8_t out[KM_DNS_QUERY_SIZE], uint16_t id, const char *host, uint16_t type);

struct km_dns_answer {
    uint8_t rcode;
    bool cut;       /* the server left something out (TC) */
    bool lame;      /* neither knows nor asks others (RFC 1912 2.8) */
    uint16_t found; /* addresses, all of them given to `add` */
};

/* Reads an answer to `query`. KM_OK, or KM_ERR_PROTOCOL: not an answer to it, or malformed; ignore it. `partial`: message is the
   beginning of a longer one, what is beyond its end is left out. Follows up to 16 CNAMEs from the name that was asked; addresses
   of other names are left out. */
int km_dns_parse(struct km_dns_answer *out, const uint8_t *message, size_t len, bool partial,
                 const uint8_t *query, size_t query_len,
                 void (*add)(void *ctx, const struct km_addr *addr), void *ctx);

/* Addresses of host from the hosts file by km_resolve_add. */
void km_resolve_read_hosts(struct km_resolve *r, const char *path);
/* servers, search, ndots, attempts, timeout_ms from resolv.conf; 127.0.0.1 when it names no server. */
void km_resolve_read_conf(struct km_resolve *r, const char *path, uint16_t dns_port);
/* Adds an address, no duplicates. When there is no room, the family that has less gets up to half of it. */
void km_resolve_add(struct km_resolve *r, const struct km_addr *addr);

#endif
