/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reconnects in random order over all connections, one in six cut in mid-handshake, and watches the TLS memory:
 *
 *   tls_soak DIR rsa|ec 12|13 resumed|full ROUNDS SEED
 *
 * Prints one line and ends with 0 when no set-up failed, no memory was refused and the high water of round 100 holds until the
 * last. The server: tests/soak/server.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "port/mbedtls/alloc_priv.h"
#include "port/mbedtls/tls_priv.h"
#include "tls_peer.h"

#define LINKS 3
#define WARM_ROUNDS 100
/* The peak depends on which handshakes coincide; what leaks or fragments passes this by far. */
#define SLACK_BYTES 1536

struct link {
    struct peer peer;
    enum { CLOSED, SHAKING, OPEN } state;
    unsigned steps, cut_after; /* 0: not cut */
};

static struct link links[LINKS];
static struct km_rng rng;
static unsigned failed, cut, done, exchanges;
static int64_t shaking_ns;

static unsigned draw(unsigned below)
{
    return (unsigned)km_rng_range(&rng, 0, below);
}

static int64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void start(struct link *link, const char *listener, bool full)
{
    int err;

    if (full)
        km_tls_session_drop();
    err = peer_open(&link->peer, listener, "localhost");
    if (err != KM_OK) {
        fprintf(stderr, "open: %s\n", km_strerror(err));
        failed++;
        peer_close(&link->peer);
        return;
    }
    link->state = SHAKING;
    link->steps = 0;
    link->cut_after = draw(6) == 0 ? 1 + draw(4) : 0;
}

static void shake(struct link *link)
{
    struct km_fault fault = {0};
    struct km_pollfd poll_fd = {.fd = link->peer.fd, .want = km_tls_want(link->peer.tls)};
    int64_t before = cpu_ns();
    int err;

    if (km_port_poll(&poll_fd, 1, 0) == 0)
        return;
    err = km_tls_handshake(link->peer.tls, &fault);
    shaking_ns += cpu_ns() - before;
    if (err == KM_AGAIN && link->cut_after != 0 && ++link->steps >= link->cut_after) {
        peer_close(&link->peer);
        link->state = CLOSED;
        cut++;
        return;
    }
    if (err == KM_AGAIN)
        return;
    link->state = OPEN;
    if (err == KM_OK) {
        done++;
        return;
    }
    fprintf(stderr, "handshake: %s: %s\n", km_strerror(err), fault.text);
    failed++;
    peer_close(&link->peer);
    link->state = CLOSED;
}

static void step(struct link *link, const char *listener, bool full, unsigned *rounds)
{
    switch (link->state) {
    case CLOSED:
        start(link, listener, full);
        ++*rounds;
        break;
    case SHAKING:
        shake(link);
        break;
    case OPEN:
        if (draw(2) == 0) {
            peer_close(&link->peer);
            link->state = CLOSED;
        } else if (peer_exchange(&link->peer) == KM_OK) {
            exchanges++;
        } else {
            fprintf(stderr, "exchange: %s\n", km_tls_reason(link->peer.tls));
            failed++;
            peer_close(&link->peer);
            link->state = CLOSED;
        }
        break;
    }
}

int main(int argc, char **argv)
{
    struct km_tls_stats warm = {0}, end;
    struct km_fault fault = {0};
    unsigned rounds = 0, wanted;
    uint32_t largest = UINT32_MAX;
    char listener[32];
    bool full, flat;

    if (argc != 7) {
        fprintf(stderr, "usage: tls_soak DIR rsa|ec 12|13 resumed|full ROUNDS SEED\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IONBF, 0); /* its buffer would come from the heap, after the seal */
    peer_init(argv[1]);
    snprintf(listener, sizeof listener, "%s%s", argv[2], argv[3]);
    full = strcmp(argv[4], "full") == 0;
    wanted = (unsigned)strtoul(argv[5], NULL, 10);
    km_rng_seed(&rng, strtoul(argv[6], NULL, 10));
    if (km_port_seal() != KM_OK || peer_setup(argv[2], argv[2], &fault) != KM_OK) {
        fprintf(stderr, "set-up: %s\n", fault.text);
        return 2;
    }
    for (int i = 0; i < LINKS; i++)
        links[i].peer.fd = -1;
    while (rounds < wanted) {
        unsigned before = rounds;

        step(&links[draw(LINKS)], listener, full, &rounds);
        if (rounds == WARM_ROUNDS && before != rounds)
            km_tls_stats(&warm);
        if (rounds > WARM_ROUNDS && km_tls_alloc_largest() < largest)
            largest = km_tls_alloc_largest();
    }
    km_tls_stats(&end);
    if (wanted <= WARM_ROUNDS) {
        warm = end;
        largest = 0;
    }
    for (int i = 0; i < LINKS; i++) {
        if (links[i].state != CLOSED)
            peer_close(&links[i].peer);
    }
    flat = end.arena_top <= warm.arena_top + SLACK_BYTES;
    printf("%-3s 1.%c %-7s rounds=%u done=%u resumed=%u cut=%u failed=%u refused=%u arena_max=%u "
           "arena_top=%u "
           "top_at_100=%u largest_min=%u slots=%ux%u total=%u cpu_ms=%.2f\n",
           argv[2], argv[3][1], argv[4], rounds, done, end.handshakes_resumed, cut, failed,
           end.refused, end.arena_max, end.arena_top, warm.arena_top, largest, LINKS,
           end.slot_bytes, end.arena_top + LINKS * end.slot_bytes,
           done == 0 ? 0.0 : (double)shaking_ns / 1e6 / done);
    return failed == 0 && end.refused == 0 && flat && done > 0 ? 0 : 1;
}
