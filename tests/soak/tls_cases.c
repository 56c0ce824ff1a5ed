/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to each listener of tests/soak/server: what must pass passes, what must be refused is refused with the right
 * code and with words that tell why. Prints one line per case that went wrong; ends with 0 when none did.
 *
 *   tls_cases DIR
 */
#include <stdio.h>
#include <string.h>

#include "port/mbedtls/alloc_priv.h"
#include "port/mbedtls/tls_priv.h"
#include "tls_peer.h"

static unsigned passed, wrong;

static void check(const char *name, bool right, int err, const char *text)
{
    passed += right;
    wrong += !right;
    if (!right)
        printf("%s: not as expected: %s: %s\n", name, km_strerror(err), text);
}

struct tls_case {
    const char *listener, *ca, *client, *name;
    int handshake, exchange; /* KM_OK or the error that must come */
    const char *words;       /* in the reason */
};

static void run(const struct tls_case *c, const char *version)
{
    struct km_fault fault = {0};
    struct peer peer = {.fd = -1};
    char listener[64];
    const char *text = "";
    int err;

    snprintf(listener, sizeof listener, "%s%s", c->listener, version);
    err = peer_setup(c->ca, c->client, &fault);
    if (err != KM_OK) {
        check(listener, false, err, fault.text);
        return;
    }
    err = peer_open(&peer, listener, c->name);
    if (err == KM_OK)
        err = peer_handshake(&peer, &fault);
    if (err != c->handshake || (err != KM_OK && strstr(fault.text, c->words) == NULL)) {
        check(listener, false, err, fault.text);
    } else if (err == KM_OK) {
        err = peer_exchange(&peer);
        if (err == KM_OK && c->exchange != KM_OK)
            err = peer_read(&peer, 1);
        text = peer.tls != NULL ? km_tls_reason(peer.tls) : "";
        check(listener, err == c->exchange && (err == KM_OK || strstr(text, c->words) != NULL), err,
              text);
    } else {
        check(listener, true, err, "");
    }
    peer_close(&peer);
}

/* Both versions. */
static const struct tls_case cases[] = {
    {"rsa", "rsa", "rsa", "localhost", KM_OK, KM_OK, ""},
    {"rsa", "rsa", "rsa", "127.0.0.1", KM_OK, KM_OK, ""},
    {"rsa", "rsa", "rsa", "::1", KM_OK, KM_OK, ""},
    {"rsa", "rsa", "rsa", "0:0:0:0:0:0:0:1", KM_OK, KM_OK, ""},
    {"rsa", "rsa", "rsa", "KUBERNETES.default", KM_OK, KM_OK, ""},
    {"ec", "ec", "ec", "localhost", KM_OK, KM_OK, ""},
    {"rsa4096", "rsa4096", "rsa4096", "localhost", KM_OK, KM_OK, ""},
    {"rsa4096", "rsa4096", "long", "localhost", KM_OK, KM_OK, ""},
    {"p384", "p384", "p384", "localhost", KM_OK, KM_OK, ""},
    {"p521", "p521", "p521", "localhost", KM_OK, KM_OK, ""},
    {"chain", "rsa4096", NULL, "localhost", KM_OK, KM_OK, ""},
    {"chacha", "ec", NULL, "localhost", KM_OK, KM_OK, ""},
    {"curve384-", "ec", NULL, "localhost", KM_OK, KM_OK, ""},
    {"curve521-", "ec", NULL, "localhost", KM_OK, KM_OK, ""},
    {"names100", "rsa", NULL, "node-89.cluster.example.com", KM_OK, KM_OK, ""},
    {"rsa", NULL, "rsa", "localhost", KM_OK, KM_OK, ""},
    {"ec", NULL, "ec", "localhost", KM_OK, KM_OK, ""},
    {"wrongname", "ec", NULL, "other.example.com", KM_OK, KM_OK, ""},
    {"wrongname", "ec", NULL, "a.wild.example.com", KM_OK, KM_OK, ""},
    {"wrongname", "ec", NULL, "192.0.2.7", KM_OK, KM_OK, ""},

    {"wrongname", "ec", NULL, "localhost", KM_ERR_CERT, 0,
     "not for localhost; it is for other.example.com, *.wild.example.com, 192.0.2.7, 2001:db8::7"},
    {"wrongname", "ec", NULL, "a.b.wild.example.com", KM_ERR_CERT, 0,
     "not for a.b.wild.example.com"},
    {"wrongname", "ec", NULL, "wild.example.com", KM_ERR_CERT, 0, "not for wild.example.com"},
    {"wrongname", "ec", NULL, "127.0.0.1", KM_ERR_CERT, 0,
     "not for 127.0.0.1; it is for other.example.com"},
    {"names100", "rsa", NULL, "nobody", KM_ERR_CERT, 0, "and 9"},
    {"cnonly", "ec", NULL, "localhost", KM_ERR_CERT, 0, "no name at all"},
    {"expired", "ec", NULL, "localhost", KM_ERR_CERT, 0, "expired on 20"},
    {"future", "ec", NULL, "localhost", KM_ERR_CERT, 0, "not valid before 20"},
    {"stranger", "ec", NULL, "localhost", KM_ERR_CERT, 0,
     "unknown authority (issuer CN=stranger-ca)"},
    {"stranger", NULL, NULL, "localhost", KM_ERR_CERT, 0,
     "unknown authority (issuer CN=stranger-ca)"},
    {"impostor", "ec", NULL, "localhost", KM_ERR_CERT, 0,
     "unknown authority (issuer CN=kubernetes-ec)"},
    {"impostor", NULL, NULL, "localhost", KM_ERR_CERT, 0,
     "unknown authority (issuer CN=kubernetes-ec)"},
    {"rsa", "ec", NULL, "localhost", KM_ERR_CERT, 0,
     "unknown authority (issuer CN=kubernetes-rsa)"},
    {"clientonly", "ec", NULL, "localhost", KM_ERR_CERT, 0, "not meant for servers"},
    {"truncate", "ec", NULL, "localhost", KM_OK, KM_ERR_TRUNCATED, "without a word"},
    {"notify", "ec", NULL, "localhost", KM_OK, KM_EOF, "closed the connection"},
};

/* Only of one kind. */
static const struct tls_case single[] = {
    {"refuse12", "ec", "ec", "localhost", KM_ERR_TLS, 0, "refuses our client certificate"},
    {"ed2551912", "ec", NULL, "localhost", KM_ERR_CERT, 0, "cannot be understood"},
    {"ed2551913", "ec", NULL, "localhost", KM_ERR_TLS, 0, "alert 40"},
    {"mlkem13", "ec", NULL, "localhost", KM_ERR_TLS, 0, "alert 40"},
    {"old11", "rsa", NULL, "localhost", KM_ERR_TLS, 0, "protocol_version"},
    {"plain", "ec", NULL, "localhost", KM_ERR_TLS, 0, "not TLS"},
    {"hangup", "ec", NULL, "localhost", KM_ERR_RESET, 0, ""},
};

/* TLS 1.3 ends the client's handshake before the server has looked at the client's certificate, so the refusal comes with the
   first read, or cuts the handshake's last message. */
static void check_refused13(const char *client, const char *words)
{
    struct km_fault fault = {0};
    struct peer peer = {.fd = -1};
    int err = peer_setup("ec", client, &fault);

    if (err == KM_OK)
        err = peer_open(&peer, "refuse13", "localhost");
    if (err == KM_OK)
        err = peer_handshake(&peer, &fault);
    if (err == KM_OK) {
        err = peer_exchange(&peer);
        check("refuse13", err == KM_ERR_TLS && strstr(km_tls_reason(peer.tls), words) != NULL, err,
              km_tls_reason(peer.tls));
    } else {
        check("refuse13", err == KM_ERR_RESET && strstr(fault.text, "may refuse") != NULL, err,
              fault.text);
    }
    peer_close(&peer);
}

/* A server that answers and closes before it has read everything: the answer counts, although writing fails. */
static void check_early_answer(const char *listener)
{
    static const char request[4096];
    struct km_fault fault = {0};
    struct peer peer = {.fd = -1};
    int err = peer_setup("ec", NULL, &fault), written = KM_OK, end = KM_OK;

    if (err == KM_OK)
        err = peer_open(&peer, listener, "localhost");
    if (err == KM_OK)
        err = peer_handshake(&peer, &fault);
    while (err == KM_OK && written >= 0)
        written = peer_write(&peer, request, sizeof request);
    if (err == KM_OK)
        err = peer_read(&peer, PEER_ANSWER_BYTES);
    check("early answer", err == KM_OK && written == KM_ERR_RESET, err, listener);
    if (err == KM_OK)
        end = peer_read(&peer, 1);
    check("end after an early answer", end == KM_ERR_RESET && *km_tls_reason(peer.tls) != '\0', end,
          listener);
    check("writing stays over", peer_write(&peer, "x", 1) == KM_ERR_RESET, 0, listener);
    peer_close(&peer);
}

/* A session of another identity must never be resumed, and a change of credentials leaves open connections alone. */
static void check_reload(const char *listener)
{
    struct km_tls_stats before, after;
    struct km_fault fault = {0};
    struct peer old = {.fd = -1}, next = {.fd = -1};
    int err;

    err = peer_setup("ec", "ec", &fault);
    if (err == KM_OK)
        err = peer_open(&old, listener, "localhost");
    if (err == KM_OK)
        err = peer_handshake(&old, &fault);
    if (err == KM_OK)
        err = peer_exchange(&old); /* brings the ticket of TLS 1.3 */
    if (err == KM_OK)
        err = peer_open(&next, listener, "localhost");
    km_tls_stats(&before);
    if (err == KM_OK)
        err = peer_handshake(&next, &fault);
    km_tls_stats(&after);
    check("resumption", err == KM_OK && after.handshakes_resumed == before.handshakes_resumed + 1,
          err, fault.text);
    peer_close(&next);

    err = peer_setup("ec", "ec", &fault);
    check("reload with an open connection", err == KM_OK && peer_exchange(&old) == KM_OK, err,
          fault.text);
    check("second reload with the old one open", peer_setup("ec", "ec", NULL) == KM_ERR_FULL, 0,
          "");
    err = peer_open(&next, listener, "localhost");
    km_tls_stats(&before);
    if (err == KM_OK)
        err = peer_handshake(&next, &fault);
    km_tls_stats(&after);
    check("after a reload", err == KM_OK && after.handshakes_full == before.handshakes_full + 1,
          err, fault.text);
    peer_close(&next);
    check("the old connection still", peer_exchange(&old) == KM_OK, 0, "");
    peer_close(&old);
    check("reload once it is closed", peer_setup("ec", "ec", NULL) == KM_OK, 0, "");
}

/* A server name that the session does not belong to gets a full handshake, and so its certificate is checked. */
static void check_other_name(const char *listener)
{
    struct km_fault fault = {0};
    struct peer peer = {.fd = -1};
    int err = peer_setup("ec", "ec", &fault);

    for (int i = 0; i < 2 && err == KM_OK; i++) {
        err = peer_open(&peer, listener, i == 0 ? "localhost" : "elsewhere.example.com");
        if (err == KM_OK)
            err = peer_handshake(&peer, &fault);
        if (err == KM_OK)
            err = peer_exchange(&peer);
        peer_close(&peer);
    }
    check("another name", err == KM_ERR_CERT, err, fault.text);
}

/* A failed resumption drops the session: the next attempt is full. */
static void check_bad_resumption(void)
{
    struct km_tls_stats before, after;
    struct km_fault fault = {0};
    struct peer peer = {.fd = -1};
    int err = peer_setup("ec", "ec", &fault);

    for (int i = 0; i < 3; i++) {
        km_fault_clear(&fault);
        km_tls_stats(&before);
        err = peer_open(&peer, i == 1 ? "plain" : "ec13", "localhost");
        if (err == KM_OK)
            err = peer_handshake(&peer, &fault);
        if (err == KM_OK)
            err = peer_exchange(&peer);
        km_tls_stats(&after);
        peer_close(&peer);
        if (i == 1)
            check("failed resumption",
                  err == KM_ERR_TLS && after.sessions_dropped == before.sessions_dropped + 1, err,
                  fault.text);
    }
    check("full after a failed resumption",
          err == KM_OK && after.handshakes_full == before.handshakes_full + 1, err, fault.text);
}

#ifndef CONFIG_KM_LIBC_HEAP
/* Every amount of memory that is too small: a named error, nothing lost, nothing taken for a bad certificate. */
static void check_little_memory(const char *listener)
{
    struct km_tls_stats before, after;
    struct km_fault fault = {0};
    unsigned short_count = 0, other = 0;
    char text[160];
    int err = peer_setup("rsa", "rsa", &fault);

    for (int i = 0; i < 2 && err == KM_OK;
         i++) { /* what mbedTLS keeps beside the keys is there from now on */
        struct peer peer = {.fd = -1};

        err = peer_open(&peer, listener, "localhost");
        if (err == KM_OK)
            err = peer_handshake(&peer, &fault);
        peer_close(&peer);
        km_tls_session_drop();
    }
    km_tls_stats(&before);
    for (uint32_t left = 0; left < 32000 && err == KM_OK; left += 509) {
        struct peer peer = {.fd = -1};
        void *block;

        km_fault_clear(&fault);
        km_tls_session_drop();
        block = km_tls_calloc(1, km_tls_alloc_largest() - left);
        err = peer_open(&peer, listener, "localhost");
        if (err == KM_OK)
            err = peer_handshake(&peer, &fault);
        if (err == KM_OK)
            err = peer_exchange(&peer);
        peer_close(&peer);
        km_tls_free(block);
        short_count += err == KM_ERR_TLS_MEMORY;
        other += err != KM_ERR_TLS_MEMORY && err != KM_OK;
        if (err != KM_ERR_TLS_MEMORY && err != KM_OK)
            printf("%s with %u bytes left: %s: %s\n", listener, left, km_strerror(err), fault.text);
        err = KM_OK;
    }
    km_tls_session_drop();
    km_tls_stats(&after);
    /* Blinding values differ by a few bytes in length. */
    snprintf(text, sizeof text, "%s: %u short, %u other, %u bytes used before, %u after", listener,
             short_count, other, before.arena_used, after.arena_used);
    check("little memory",
          short_count > 4 && other == 0 && after.arena_used <= before.arena_used + 64 &&
              before.arena_used <= after.arena_used + 64,
          0, text);
}
#endif

int main(int argc, char **argv)
{
    struct km_tls_stats stats;

    if (argc != 2) {
        fprintf(stderr, "usage: tls_cases DIR\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IONBF, 0); /* its buffer would come from the heap, after the seal */
    peer_init(argv[1]);
    if (km_port_seal() != KM_OK)
        return 2;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run(&cases[i], "12");
        run(&cases[i], "13");
    }
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        run(&single[i], "");
    for (int i = 0; i < 8; i++) {
        check_refused13("ec", "refuses our client certificate");
        check_refused13(NULL, "certificate_required");
    }
    for (int i = 0; i < 8; i++) {
        check_early_answer("early12");
        check_early_answer("early13");
    }
    check_reload("ec12");
    check_reload("ec13");
    check_other_name("ec12");
    check_other_name("ec13");
    check_bad_resumption();
#ifndef CONFIG_KM_LIBC_HEAP
    check_little_memory("rsa12");
    check_little_memory("rsa13");
#endif
    km_tls_stats(&stats);
    check("no slot stays taken", stats.slots_used == 0, 0, "");
    printf("tls_cases: %u passed, %u failed\n", passed, wrong);
    return wrong != 0;
}
