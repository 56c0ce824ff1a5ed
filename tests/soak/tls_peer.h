/* SPDX-License-Identifier: Apache-2.0 */
/* What the TLS programs against tests/soak/server share: its files and ports, and a link that is driven by hand. */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include "kubemote/km_port.h"

/* Reads DIR/ports; ends the program when that fails. */
void peer_init(const char *dir);
uint16_t peer_port(const char *name);
/* Sets DIR/<ca>-ca.pem as authority (NULL: DIR/bundle.pem as the system's roots) and DIR/<client>-client.pem (NULL: none). */
int peer_setup(const char *ca, const char *client, struct km_fault *fault);

struct peer {
    int fd;
    struct km_tls *tls;
};

/* A TCP connection to the server's listener; KM_OK or why not. */
int peer_dial(struct peer *peer, const char *listener);
int peer_open(struct peer *peer, const char *listener, const char *server_name);
/* Waits until the link can go on. */
void peer_wait(const struct peer *peer);
int peer_handshake(struct peer *peer, struct km_fault *fault);
/* KM_OK once so many bytes came, or the error that came first. */
int peer_read(struct peer *peer, size_t wanted);
/* Some of the bytes, their count or the error. */
int peer_write(struct peer *peer, const void *data, size_t len);
#define PEER_ANSWER_BYTES 3000
/* One request and its answer. KM_OK or the error of the read. */
int peer_exchange(struct peer *peer);
void peer_close(struct peer *peer);

#endif
