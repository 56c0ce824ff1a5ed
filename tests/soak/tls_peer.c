/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_peer.h"

static char folder[256], ports[4096];

static void die(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s\n", what, detail);
    exit(2);
}

static const char *path_of(const char *name, const char *suffix)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    return path;
}

void peer_init(const char *dir)
{
    snprintf(folder, sizeof folder, "%s", dir);
    if (km_port_file_read(path_of("ports", ""), ports, sizeof ports) <= 0)
        die("cannot read", path_of("ports", ""));
}

uint16_t peer_port(const char *name)
{
    const char *line = ports;
    size_t len = strlen(name);

    for (; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL) {
        if (strncmp(line, name, len) == 0 && line[len] == ' ')
            return (uint16_t)strtol(line + len, NULL, 10);
    }
    die("the server has no listener", name);
    return 0;
}

int peer_setup(const char *ca, const char *client, struct km_fault *fault)
{
    static char ca_text[16384], cert_text[16384], key_text[8192], bundle[512];
    struct km_tls_creds creds = {0};

    if (ca != NULL) {
        if (km_port_file_read(path_of(ca, "-ca.pem"), ca_text, sizeof ca_text) <= 0)
            die("cannot read the authority", ca);
        creds.ca = km_slice_of(ca_text);
    } else {
        snprintf(bundle, sizeof bundle, "%s", path_of("bundle.pem", ""));
        creds.ca_bundle_path = bundle;
    }
    if (client != NULL) {
        if (km_port_file_read(path_of(client, "-client.pem"), cert_text, sizeof cert_text) <= 0 ||
            km_port_file_read(path_of(client, "-client-key.pem"), key_text, sizeof key_text) <= 0)
            die("cannot read the client", client);
        creds.cert = km_slice_of(cert_text);
        creds.key = km_slice_of(key_text);
    }
    return km_tls_setup(&creds, fault);
}

int peer_dial(struct peer *peer, const char *listener)
{
    struct km_addr addr = {.family = 4, .ip = {127, 0, 0, 1}, .port = peer_port(listener)};
    int err = km_socket_connect(&peer->fd, &addr);

    peer->tls = NULL;
    while (err == KM_AGAIN) {
        struct km_pollfd poll_fd = {.fd = peer->fd, .want = KM_POLL_OUT};

        km_port_poll(&poll_fd, 1, 1000);
        err = km_socket_connected(peer->fd);
    }
    return err;
}

int peer_open(struct peer *peer, const char *listener, const char *server_name)
{
    int err = peer_dial(peer, listener);

    return err != KM_OK ? err : km_tls_open(&peer->tls, peer->fd, server_name);
}

void peer_wait(const struct peer *peer)
{
    struct km_pollfd poll_fd = {.fd = peer->fd, .want = km_tls_want(peer->tls)};

    if (!km_tls_pending(peer->tls))
        km_port_poll(&poll_fd, 1, 5000);
}

int peer_handshake(struct peer *peer, struct km_fault *fault)
{
    int err;

    while ((err = km_tls_handshake(peer->tls, fault)) == KM_AGAIN)
        peer_wait(peer);
    return err;
}

int peer_read(struct peer *peer, size_t wanted)
{
    uint8_t answer[512];

    while (wanted > 0) {
        int n = km_tls_read(peer->tls, answer, wanted < sizeof answer ? wanted : sizeof answer);

        if (n == KM_AGAIN)
            peer_wait(peer);
        else if (n < 0)
            return n;
        else
            wanted -= (size_t)n;
    }
    return KM_OK;
}

int peer_write(struct peer *peer, const void *data, size_t len)
{
    int n;

    while ((n = km_tls_write(peer->tls, data, len)) == KM_AGAIN)
        peer_wait(peer);
    return n;
}

int peer_exchange(struct peer *peer)
{
    (void)peer_write(peer, "ping", 4); /* reading tells why it failed */
    return peer_read(peer, PEER_ANSWER_BYTES);
}

void peer_close(struct peer *peer)
{
    km_tls_close(peer->tls);
    km_socket_close(peer->fd);
    *peer = (struct peer){.fd = -1};
}
