/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket calls that this port makes, from the system's headers or, with KM_SOCKETS_LWIP, from lwIP's: socket.c, addr.c
 * and resolve.c compile against both, so that nothing beyond lwIP creeps in.
 */
#ifndef KM_SOCKETS_PRIV_H
#define KM_SOCKETS_PRIV_H

#include <errno.h>

#ifdef KM_SOCKETS_LWIP
#include <lwip/def.h>
#include <lwip/inet.h>
#include <lwip/sockets.h>
#ifndef htons
#define htons lwip_htons
#define ntohs lwip_ntohs
#endif
#else
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

#include "kubemote/km_port.h"

union km_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Fills out and returns its length. */
socklen_t km_sockaddr_of(union km_sockaddr *out, const struct km_addr *addr);
/* A non-blocking socket of the address' family; a negative KM_ERR_IO when there is none to be had. type: SOCK_STREAM, SOCK_DGRAM. */
int km_socket_make(const struct km_addr *addr, int type);
/* What errno says, as enum km_err. */
int km_socket_error(int code);

#endif
