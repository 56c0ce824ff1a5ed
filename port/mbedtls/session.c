/* SPDX-License-Identifier: Apache-2.0 */
#include <mbedtls/platform_util.h>
#include <string.h>

#include "tls_priv.h"

_Static_assert(CONFIG_KM_TLS_SESSION_BYTES + 1024 <= CONFIG_KM_TLS_OUT_BYTES,
               "a kept session must fit the ClientHello: KM_TLS_SESSION_BYTES at least 1 kB below "
               "KM_TLS_OUT_BYTES");

#define TICKET_SECONDS_MAX 604800

/* Serialised bytes, not mbedTLS' own structure: that would keep certificates in the arena. */
static struct {
    const struct km_tls_gen *gen; /* NULL: none is kept */
    int64_t valid_until_s;        /* the earliest end of validity in the server's chain */
    int64_t ticket_until_ms;
    size_t len;
    char name[256];
    uint8_t data[CONFIG_KM_TLS_SESSION_BYTES];
} kept KM_POOL_STORAGE(tls_session);

static uint32_t dropped;

void km_tls_session_drop(void)
{
    mbedtls_platform_zeroize(kept.data, kept.len);
    kept.gen = NULL;
    kept.len = 0;
}

uint32_t km_tls_sessions_dropped(void)
{
    return dropped;
}

void km_tls_session_count_drop(void)
{
    dropped++;
    km_tls_session_drop();
}

bool km_tls_session_offer(struct km_tls *tls)
{
    mbedtls_ssl_session session;
    bool offered = false;

    if (kept.gen == NULL || kept.gen != tls->gen || strcmp(kept.name, tls->name) != 0)
        return false;
    /* A resumed handshake checks no certificate, so the dates are watched here. */
    if (km_port_wall_us() / 1000000 > kept.valid_until_s ||
        km_port_now_ms() >= kept.ticket_until_ms) {
        km_tls_session_count_drop();
        return false;
    }
    mbedtls_ssl_session_init(&session);
    if (mbedtls_ssl_session_load(&session, kept.data, kept.len) == 0)
        offered = mbedtls_ssl_set_session(&tls->ssl, &session) == 0;
    mbedtls_ssl_session_free(&session);
    if (offered)
        tls->valid_until_s = kept.valid_until_s;
    return offered;
}

/* Seconds that the server lets a ticket be used: at most a week (RFC 8446, 4.6.1), where 0 means not at all; in TLS 1.2 0 leaves
   it to the client (RFC 5077, 3.3). */
static int64_t ticket_seconds(const struct km_tls *tls, const mbedtls_ssl_session *session)
{
    uint32_t seconds = session->MBEDTLS_PRIVATE(ticket_lifetime);

    if (seconds == 0 && mbedtls_ssl_get_version_number(&tls->ssl) == MBEDTLS_SSL_VERSION_TLS1_2)
        return TICKET_SECONDS_MAX;
    return seconds < TICKET_SECONDS_MAX ? seconds : TICKET_SECONDS_MAX;
}

void km_tls_session_keep(struct km_tls *tls)
{
    mbedtls_ssl_session *session = tls->ssl.MBEDTLS_PRIVATE(session);
    mbedtls_x509_crt *peer;
    size_t len = 0;
    int code;

    /* A connection of credentials that were replaced must not bring their identity back. */
    if (session == NULL || tls->gen != km_tls_gen_current())
        return;
    kept.gen = NULL;
    /* TLS 1.2 would keep the server's certificate as well, which nobody reads: a third to two thirds of the bytes. */
    peer = session->MBEDTLS_PRIVATE(peer_cert);
    session->MBEDTLS_PRIVATE(peer_cert) = NULL;
    code = mbedtls_ssl_session_save(session, kept.data, sizeof kept.data, &len);
    session->MBEDTLS_PRIVATE(peer_cert) = peer;
    kept.len = code == 0 ? len : sizeof kept.data;
    if (code != 0) {
        km_tls_session_count_drop();
        return;
    }
    kept.gen = tls->gen;
    kept.valid_until_s = tls->valid_until_s;
    kept.ticket_until_ms = km_port_now_ms() + ticket_seconds(tls, session) * 1000;
    memcpy(kept.name, tls->name, sizeof kept.name);
}
