/* SPDX-License-Identifier: Apache-2.0 */
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>
#include <string.h>

#include "alloc_priv.h"
#include "tls_priv.h"

/* Tickets that one read call takes before it lets the loop go on. */
#define TICKETS_PER_READ 8

static struct km_tls_gen gens[2] KM_POOL_STORAGE(tls_gens);
static struct km_tls_gen *current;
static struct km_tls links[CONFIG_KM_CONN_COUNT] KM_POOL_STORAGE(tls_links);
static uint32_t count_full, count_resumed, count_failed;

struct km_tls_gen *km_tls_gen_current(void)
{
    return current;
}

int km_tls_random(void *ctx, unsigned char *out, size_t len)
{
    (void)ctx;
    return mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, out, len);
}

static void release_gen(struct km_tls_gen *gen)
{
    if (gen->live && gen->refs == 0 && gen != current)
        km_tls_gen_free(gen);
}

int km_tls_setup(const struct km_tls_creds *creds, struct km_fault *fault)
{
    struct km_tls_gen *old = current, *next = current == &gens[0] ? &gens[1] : &gens[0];
    uint8_t probe;
    int err = km_port_entropy(&probe, sizeof probe);

    if (err != KM_OK)
        return km_fault_set(fault, err, "the kernel has no random numbers%s",
                            err == KM_AGAIN ? " yet" : "");
    if (psa_crypto_init() != PSA_SUCCESS)
        return km_fault_set(fault, KM_ERR_TLS_MEMORY, "the cryptography library does not start");
    if (next->live)
        return km_fault_set(
            fault, KM_ERR_FULL,
            "connections of the credentials before the present ones are still open");
    err = km_tls_gen_load(next, creds, fault);
    if (err != KM_OK)
        return err;
    current = next;
    km_tls_session_drop();
    if (old != NULL)
        release_gen(old);
    return KM_OK;
}

/* ---- the way to the socket ---- */

static int on_send(void *ctx, const unsigned char *data, size_t len)
{
    struct km_tls *tls = ctx;
    int sent;

    /* mbedTLS sends what it still has before it takes a ticket: that must not stop reading what came before the end. */
    if (tls->write_err != KM_OK)
        return (int)len;
    sent = km_socket_send(tls->fd, data, len);
    if (sent >= 0)
        return sent;
    tls->io_err = sent;
    return sent == KM_AGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_SEND_FAILED;
}

static int on_recv(void *ctx, unsigned char *data, size_t len)
{
    struct km_tls *tls = ctx;
    int got = km_socket_recv(tls->fd, data, len);

    if (got > 0)
        return got;
    tls->io_err = got;
    if (got == KM_EOF)
        return 0;
    return got == KM_AGAIN ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_RECV_FAILED;
}

/* ---- opening and closing ---- */

static void free_link(struct km_tls *tls)
{
    struct km_tls_gen *gen = tls->gen;

    mbedtls_ssl_free(&tls->ssl);
    tls->used = false;
    gen->refs--;
    release_gen(gen);
}

int km_tls_open(struct km_tls **out, int fd, const char *server_name)
{
    struct km_tls *tls = NULL;
    struct km_slice name = km_slice_of(server_name);

    *out = NULL;
    if (current == NULL || name.len == 0 || name.len >= sizeof tls->name)
        return KM_ERR_ARG;
    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT && tls == NULL; i++) {
        if (!links[i].used)
            tls = &links[i];
    }
    if (tls == NULL)
        return KM_ERR_FULL;
    memset(tls, 0, sizeof *tls);
    tls->used = true;
    tls->fd = fd;
    tls->want = KM_POLL_OUT;
    tls->why_rank = UINT8_MAX;
    tls->valid_until_s = INT64_MAX;
    memcpy(tls->name, name.ptr, name.len);
    tls->gen = current;
    tls->gen->refs++;
    mbedtls_ssl_init(&tls->ssl);
    if (mbedtls_ssl_setup(&tls->ssl, &tls->gen->conf) != 0 ||
        mbedtls_ssl_set_hostname(&tls->ssl, tls->name) != 0) {
        free_link(tls);
        return KM_ERR_TLS_MEMORY;
    }
    mbedtls_ssl_set_bio(&tls->ssl, tls, on_send, on_recv, NULL);
    mbedtls_ssl_set_verify(&tls->ssl, km_tls_verify, tls);
    tls->resuming = km_tls_session_offer(tls);
    *out = tls;
    return KM_OK;
}

void km_tls_close(struct km_tls *tls)
{
    if (tls == NULL || !tls->used)
        return;
    if (tls->done && !tls->dead && tls->write_err == KM_OK)
        (void)mbedtls_ssl_close_notify(&tls->ssl);
    free_link(tls);
}

/* ---- failures in words ---- */

static const char *alert_text(unsigned alert)
{
    static const struct {
        uint8_t alert;
        const char *text;
    } texts[] = {{10, "unexpected_message"},
                 {20, "bad_record_mac"},
                 {22, "record_overflow"},
                 {40, "handshake_failure: no common algorithm"},
                 {42, "bad_certificate"},
                 {43, "unsupported_certificate"},
                 {44, "certificate_revoked"},
                 {45, "certificate_expired"},
                 {46, "certificate_unknown"},
                 {47, "illegal_parameter"},
                 {48, "unknown_ca"},
                 {49, "access_denied"},
                 {50, "decode_error"},
                 {51, "decrypt_error"},
                 {70, "protocol_version"},
                 {71, "insufficient_security"},
                 {80, "internal_error"},
                 {86, "inappropriate_fallback"},
                 {90, "user_canceled"},
                 {109, "missing_extension"},
                 {112, "unrecognized_name"},
                 {116, "certificate_required"},
                 {120, "no_application_protocol"}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].alert == alert)
            return texts[i].text;
    }
    return "unknown alert";
}

static bool is_about_us(unsigned alert)
{
    return (alert >= 42 && alert <= 46) || alert == 48 || alert == 49 || alert == 116;
}

static const char *code_text(int code)
{
    switch (code) {
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        return "what came is not TLS";
    case MBEDTLS_ERR_SSL_INVALID_MAC:
        return "a record does not decrypt";
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return "the server speaks neither TLS 1.2 nor 1.3";
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
        return "no algorithm in common";
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
        return "no certificate came";
    case MBEDTLS_ERR_SSL_BUFFER_TOO_SMALL:
        return "a message is larger than its buffer";
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
        return "a message came out of turn";
    case MBEDTLS_ERR_SSL_DECODE_ERROR:
        return "a message is malformed";
    case MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER:
        return "a message holds a value that is not allowed";
    default:
        return "handshake or record failure";
    }
}

/* Of mbedTLS' X.509 and public-key modules: they stop a handshake only over the server's certificates. */
static bool is_certificate_code(int code)
{
    return (code <= MBEDTLS_ERR_X509_FEATURE_UNAVAILABLE &&
            code > MBEDTLS_ERR_X509_FATAL_ERROR - 0x80) ||
           (code <= MBEDTLS_ERR_PK_SIG_LEN_MISMATCH && code > MBEDTLS_ERR_PK_ALLOC_FAILED - 0x80);
}

/* The peer's last word may lie in the socket while our own sending already fails: a server that refuses a client certificate
   sends an alert and closes with our records unread. Returns the alert, 0 when there is none. */
static unsigned find_alert(const struct km_tls *tls)
{
    uint8_t data[7];

    /* In the handshake of TLS 1.2 it is a plain record: type 21, a version, 2 bytes. */
    if (!tls->done && km_socket_recv(tls->fd, data, sizeof data) == sizeof data && data[0] == 21 &&
        data[3] == 0 && data[4] == 2)
        return data[6];
    return 0;
}

/* Whether our certificate was on its way: a server of TLS 1.3 that refuses it may cut before its alert can be decrypted. */
static bool was_sending_certificate(const struct km_tls *tls)
{
    int state = tls->ssl.MBEDTLS_PRIVATE(state);

    return !tls->done && state >= MBEDTLS_SSL_CLIENT_CERTIFICATE &&
           state < MBEDTLS_SSL_HANDSHAKE_OVER && state != MBEDTLS_SSL_SERVER_FINISHED;
}

static int explain_alert(struct km_fault *why, unsigned alert)
{
    return km_fault_set(why, KM_ERR_TLS, "the server sent alert %u (%s)%s", alert,
                        alert_text(alert),
                        is_about_us(alert) ? ": it refuses our client certificate" : "");
}

static int explain(struct km_tls *tls, int code, bool no_memory)
{
    struct km_fault *why = &tls->why;
    unsigned alert;
    int io_err = tls->io_err;

    if (no_memory) {
        /* A check that ran out of memory looks like a bad signature: it must not be told as one. */
        km_fault_clear(why);
        km_tls_gen_heal(tls->gen);
        return km_fault_set(why, KM_ERR_TLS_MEMORY,
                            "out of TLS memory: the server's certificate chain is too large for "
                            "CONFIG_KM_TLS_ARENA_BYTES=%d with the connections that are open",
                            CONFIG_KM_TLS_ARENA_BYTES);
    }
    switch (code) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
    case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
        if (why->code == KM_OK)
            km_tls_flags_text(mbedtls_ssl_get_verify_result(&tls->ssl), why);
        return KM_ERR_CERT;
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return explain_alert(why, tls->ssl.MBEDTLS_PRIVATE(in_msg)[1]);
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return km_fault_set(why, tls->done ? KM_ERR_TRUNCATED : KM_ERR_RESET,
                            "the server closed the connection%s",
                            tls->done ? " without a word" : " during the handshake");
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
        /* TLS 1.3's KeyUpdate, which mbedTLS cannot answer: a fresh connection does as well. */
        if (tls->done && tls->ssl.MBEDTLS_PRIVATE(in_msg) != NULL &&
            tls->ssl.MBEDTLS_PRIVATE(in_msg)[0] == 24)
            return km_fault_set(why, KM_ERR_RESET,
                                "the server asked for new keys; a new connection will have them");
        break;
    case MBEDTLS_ERR_NET_SEND_FAILED:
    case MBEDTLS_ERR_NET_RECV_FAILED:
        alert = find_alert(tls);
        if (alert != 0)
            return explain_alert(why, alert);
        return km_fault_set(why, io_err, "%s%s", km_strerror(io_err),
                            was_sending_certificate(tls)
                                ? " while the client certificate was sent: the server may refuse it"
                                : "");
    default:
        break;
    }
    if (is_certificate_code(code))
        return km_fault_set(why, KM_ERR_CERT, "server certificate cannot be understood (-0x%04x)",
                            KM_TLS_CODE(code));
    return km_fault_set(why, KM_ERR_TLS, "%s (-0x%04x)", code_text(code), KM_TLS_CODE(code));
}

/* Turns mbedTLS' result into ours; a failure is final. `refused`: km_tls_alloc_refused() before the call. */
static int settle(struct km_tls *tls, int code, uint32_t refused)
{
    if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
        tls->want = code == MBEDTLS_ERR_SSL_WANT_READ ? KM_POLL_IN : KM_POLL_OUT;
        return KM_AGAIN;
    }
    tls->dead = true;
    tls->want = 0;
    if (tls->write_err != KM_OK)
        km_fault_clear(&tls->why);
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        tls->err = tls->done ? KM_EOF : KM_ERR_RESET;
        km_fault_set(&tls->why, tls->err, "the server closed the connection");
        return tls->err;
    }
    tls->err = explain(tls, code, km_tls_alloc_refused() != refused);
    tls->why.code = tls->err;
    return tls->err;
}

/* ---- running ---- */

static void finish_handshake(struct km_tls *tls)
{
    tls->done = true;
    tls->want = KM_POLL_IN;
    /* Where nothing is verified no certificate is seen. */
    if (tls->saw_certificate || !tls->resuming)
        count_full++;
    else
        count_resumed++;
    /* In TLS 1.3 the tickets come later, by read. */
    if (mbedtls_ssl_get_version_number(&tls->ssl) == MBEDTLS_SSL_VERSION_TLS1_2)
        km_tls_session_keep(tls);
}

int km_tls_handshake(struct km_tls *tls, struct km_fault *fault)
{
    uint32_t refused = km_tls_alloc_refused();
    int code, err;

    if (tls->dead)
        return km_fault_set(fault, tls->err, "%s", tls->why.text);
    if (tls->done)
        return KM_OK;
    code = mbedtls_ssl_handshake(&tls->ssl);
    if (code == 0) {
        finish_handshake(tls);
        return KM_OK;
    }
    err = settle(tls, code, refused);
    if (err == KM_AGAIN)
        return err;
    count_failed++;
    /* Whatever the reason: the next attempt must not hang on the same session. */
    if (tls->resuming)
        km_tls_session_count_drop();
    return km_fault_set(fault, err, "%s", tls->why.text);
}

uint8_t km_tls_want(const struct km_tls *tls)
{
    return tls->want;
}

/* A link that a failed write had already ended says so only once: then reading finds a mere end. */
static int end_of_stream(struct km_tls *tls)
{
    if (tls->write_err == KM_OK)
        return MBEDTLS_ERR_SSL_CONN_EOF;
    tls->io_err = tls->write_err;
    return MBEDTLS_ERR_NET_RECV_FAILED;
}

int km_tls_read(struct km_tls *tls, void *data, size_t len)
{
    uint32_t refused = km_tls_alloc_refused();

    if (tls->dead)
        return tls->err;
    if (!tls->done)
        return KM_ERR_ARG;
    if (len == 0)
        return 0;
    for (int i = 0; i < TICKETS_PER_READ; i++) {
        int got = mbedtls_ssl_read(&tls->ssl, data, len < INT32_MAX ? len : INT32_MAX);

        if (got > 0) {
            tls->want = KM_POLL_IN;
            return got;
        }
        if (got == 0)
            got = end_of_stream(tls);
        if (got != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
            return settle(tls, got, refused);
        km_tls_session_keep(tls);
    }
    tls->want = KM_POLL_IN;
    return KM_AGAIN;
}

/* What the server said before it closed may still lie in the socket: only writing is over. */
static int end_writing(struct km_tls *tls)
{
    tls->write_err = tls->io_err;
    tls->want = KM_POLL_IN;
    return km_fault_set(&tls->why, tls->write_err, "%s", km_strerror(tls->write_err));
}

int km_tls_write(struct km_tls *tls, const void *data, size_t len)
{
    uint32_t refused = km_tls_alloc_refused();
    int put;

    if (tls->dead)
        return tls->err;
    if (!tls->done)
        return KM_ERR_ARG;
    if (len == 0)
        return 0;
    if (tls->write_err != KM_OK)
        return tls->write_err;
    put = mbedtls_ssl_write(&tls->ssl, data, len < INT32_MAX ? len : INT32_MAX);
    if (put > 0) {
        tls->want = KM_POLL_IN;
        return put;
    }
    if (put == MBEDTLS_ERR_NET_SEND_FAILED)
        return end_writing(tls);
    return settle(tls, put, refused);
}

const char *km_tls_reason(const struct km_tls *tls)
{
    return tls->why.code == KM_OK ? "" : tls->why.text;
}

bool km_tls_pending(const struct km_tls *tls)
{
    return tls->done && !tls->dead && mbedtls_ssl_check_pending(&tls->ssl) != 0;
}

void km_tls_stats(struct km_tls_stats *out)
{
    memset(out, 0, sizeof *out);
    out->handshakes_full = count_full;
    out->handshakes_resumed = count_resumed;
    out->handshakes_failed = count_failed;
    out->sessions_dropped = km_tls_sessions_dropped();
    km_tls_alloc_stats(out);
}
