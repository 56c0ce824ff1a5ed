/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS on mbedTLS, in parts: creds.c reads credentials into a generation, roots.c finds issuers in a bundle file, verify.c
 * puts into words why a certificate was refused, session.c keeps one session for resumption, tls.c runs connections.
 */
#ifndef KM_TLS_PRIV_H
#define KM_TLS_PRIV_H

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "kubemote/km_port.h"

/*
 * One set of credentials with the configuration made from it. Two exist: the present one, and the one before while
 * connections that were opened with it are still there.
 */
struct km_tls_gen {
    bool live;
    uint16_t refs; /* open connections */
    mbedtls_ssl_config conf;
    mbedtls_x509_crt ca, chain;
    mbedtls_pk_context key;
    char bundle[256]; /* path of the roots when ca is empty */
};

struct km_tls {
    bool used, done, dead;
    bool resuming;        /* a kept session was offered */
    bool saw_certificate; /* the server showed one: not resumed */
    uint8_t want;
    uint8_t why_rank;      /* of the verification failure in `why`, lower wins; see verify.c */
    int fd, io_err, err;   /* io_err: what the socket said last; err: why it is dead */
    int write_err;         /* why nothing can be written any more, KM_OK while it can */
    int64_t valid_until_s; /* the earliest end of validity in the server's chain */
    struct km_tls_gen *gen;
    mbedtls_ssl_context ssl;
    struct km_fault why;
    char name[256];
};

/* creds.c. Fills an empty generation; frees it again on failure. Results as km_tls_setup. */
int km_tls_gen_load(struct km_tls_gen *gen, const struct km_tls_creds *creds,
                    struct km_fault *fault);
void km_tls_gen_free(struct km_tls_gen *gen);
/* Throws away what mbedTLS has computed beside the RSA keys. To be called when memory ran out: it leaves half-made blinding
   values and reductions behind, with which every later signature of ours would be wrong and every check would fail. */
void km_tls_gen_heal(struct km_tls_gen *gen);

/* roots.c. A path to read the system's roots from, NULL when none of the usual ones is there. */
const char *km_tls_roots_path(void);
/* mbedTLS' CA callback; ctx: the bundle's path. */
int km_tls_roots_find(void *ctx, const mbedtls_x509_crt *child, mbedtls_x509_crt **out);

/* verify.c. mbedTLS' verify callback; ctx: struct km_tls. Never clears a flag. */
int km_tls_verify(void *ctx, mbedtls_x509_crt *cert, int depth, uint32_t *flags);
/* "2026-01-31T23:59:59Z". */
void km_tls_time_text(const mbedtls_x509_time *time, char out[KM_TIME_SIZE]);
int64_t km_tls_time_unix(const mbedtls_x509_time *time);
/* Words for flags that the callback has not seen. */
void km_tls_flags_text(uint32_t flags, struct km_fault *fault);

/* session.c */
void km_tls_session_drop(void);
/* Offers the kept session when it belongs to this name and generation and is still valid. True when it did. */
bool km_tls_session_offer(struct km_tls *tls);
/* Keeps the connection's session when it is small enough. */
void km_tls_session_keep(struct km_tls *tls);
uint32_t km_tls_sessions_dropped(void);
void km_tls_session_count_drop(void);

/* tls.c */
struct km_tls_gen *km_tls_gen_current(void);
int km_tls_random(void *ctx, unsigned char *out, size_t len);
/* mbedTLS' code as "-0x7780". */
#define KM_TLS_CODE(ret) ((unsigned)-(ret))

#endif
