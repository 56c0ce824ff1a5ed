/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lwIP as kubemote's socket code meets it: lwIP's own socket headers. (Debian's lwipopts.h sets
 * LWIP_SOCKET_EXTERNAL_HEADERS, so that the host's headers would be compiled instead and nothing would be proved.)
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 0
#define LWIP_SOCKET 1
#define LWIP_COMPAT_SOCKETS 1
#define LWIP_POSIX_SOCKETS_IO_NAMES 1
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_SO_RCVTIMEO 1
#define LWIP_TIMEVAL_PRIVATE 0

#endif
