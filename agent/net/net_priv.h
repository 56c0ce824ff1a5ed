/* SPDX-License-Identifier: Apache-2.0 */
/* Inside room net: limits, counters, and what the connection's files share. */
#ifndef KM_NET_PRIV_H
#define KM_NET_PRIV_H

#include "kubemote/km_http.h"

#define NET_INTERIM_MAX 8
#define NET_CHUNK_LINE_MAX 256
#define NET_EXCESS_MAX (16u * 1024u)

struct net_counters {
    struct km_counter connect_failures, handshake_failures, timeouts, stale;
    struct km_counter head_too_large, answers_refused, request_too_large, timers_refused;
};

extern struct net_counters net_counters;
void net_counters_register(void);

/* The turn to shake hands: one connection of the process at a time, because a handshake takes most of the TLS arena and of
   a small processor. Taken in state HANDSHAKE, given back when it ends. Waiting connections see that it is free by their
   deadline, in the order of the loop's table. */
void net_handshake_reset(void);

/* "10.0.0.1:6443", "[fd00::1]:6443" or "api.example:6443 (10.0.0.1)": what a person needs to find the culprit. */
#define NET_WHERE_SIZE 200
void net_where(const struct km_conn *c, char *out, size_t out_size);

/* ---- conn.c, for conn_io.c ---- */

/* Closes the link and ends the exchange with err. The words become "WHERE what: why" unless the fault holds some already;
   `why` may be NULL or empty. */
void net_fail(struct km_conn *c, int err, const char *what, const char *why);
/* The whole answer came: the link stays open when `reusable`. */
void net_complete(struct km_conn *c, bool reusable);
/* Closes the link; the exchange waits for a new one. */
void net_reopen(struct km_conn *c);

/* ---- conn_io.c ---- */

bool net_is_sending(const struct km_conn *c);
bool net_is_pending(const struct km_conn *c);
/* Writes and reads in states SEND, HEAD and BODY. */
void net_transfer(struct km_conn *c, uint8_t got, int64_t now_ms);
/* Reads where nothing may come: true when the link is still good. */
bool net_is_quiet(struct km_conn *c);

#endif
