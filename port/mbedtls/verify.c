/* SPDX-License-Identifier: Apache-2.0 */
#include <mbedtls/asn1.h>
#include <mbedtls/oid.h>
#include <string.h>

#include "tls_priv.h"

/* Which of several reasons is told: the leaf's own dates, then the name, then who signed, as Go's crypto/x509 has it. */
enum { RANK_DATE, RANK_NAME, RANK_AUTHORITY, RANK_OTHER, RANK_NONE };

#define SAN_DNS 2
#define SAN_IP 7

void km_tls_time_text(const mbedtls_x509_time *time, char out[KM_TIME_SIZE])
{
    km_time_rfc3339(km_tls_time_unix(time) * 1000000, out, KM_TIME_SIZE);
}

int64_t km_tls_time_unix(const mbedtls_x509_time *time)
{
    char text[40];
    struct km_buf buf;
    int64_t unix_us = 0;

    km_buf_init(&buf, text, sizeof text);
    km_buf_printf(&buf, "%04d-%02d-%02dT%02d:%02d:%02dZ", time->year, time->mon, time->day,
                  time->hour, time->min, time->sec);
    if (km_time_parse(km_buf_slice(&buf), &unix_us) != KM_OK)
        return 0;
    return unix_us / 1000000;
}

/* Names come from the network and go to logs: printable ASCII only. */
static void put_clean(struct km_buf *buf, const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        km_buf_putc(buf, text[i] >= 0x20 && text[i] < 0x7f ? (char)text[i] : '?');
}

/* The common name, or the first other part of the name. */
static void put_dn(struct km_buf *buf, const mbedtls_x509_name *name)
{
    const mbedtls_x509_name *chosen = name, *at;
    bool is_cn = false;

    for (at = name; at != NULL && !is_cn; at = at->next) {
        is_cn = MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &at->oid) == 0;
        if (is_cn)
            chosen = at;
    }
    if (is_cn)
        km_buf_puts(buf, "CN=");
    put_clean(buf, chosen->val.p, chosen->val.len < 64 ? chosen->val.len : 64);
}

static void put_ip(struct km_buf *buf, const uint8_t *ip, size_t len)
{
    struct km_addr addr = {.family = len == 4 ? 4 : 6};
    char text[KM_ADDR_TEXT_SIZE];

    if (len != 4 && len != 16) {
        km_buf_puts(buf, "?");
        return;
    }
    memcpy(addr.ip, ip, len);
    km_addr_text(&addr, text, sizeof text);
    km_buf_puts(buf, text);
}

static void name_text(const struct km_tls *tls, const mbedtls_x509_crt *cert, char *out,
                      size_t out_size)
{
    const mbedtls_x509_sequence *at = &cert->subject_alt_names;
    unsigned shown = 0, left = 0;
    struct km_buf buf;

    km_buf_init(&buf, out, out_size);
    for (; at != NULL && at->buf.p != NULL; at = at->next) {
        int type = at->buf.tag & 0x1f;

        if (type != SAN_DNS && type != SAN_IP)
            continue;
        /* Room for a long name and for "and 99 more". */
        if (buf.len + (at->buf.len < 40 ? 40 : at->buf.len) + 24 > buf.size) {
            left++;
            continue;
        }
        km_buf_puts(&buf, shown++ == 0 ? "" : ", ");
        if (type == SAN_DNS)
            put_clean(&buf, at->buf.p, at->buf.len);
        else
            put_ip(&buf, at->buf.p, at->buf.len);
    }
    if (left > 0)
        km_buf_printf(&buf, "%s%u more", shown == 0 ? "" : " and ", left);
    else if (shown == 0)
        km_buf_puts(&buf, "no name at all (its common name does not count)");
    (void)tls;
}

static void tell(struct km_tls *tls, uint8_t rank, const char *text)
{
    if (rank >= tls->why_rank)
        return;
    tls->why_rank = rank;
    km_fault_clear(&tls->why);
    km_fault_set(&tls->why, KM_ERR_CERT, "%s", text);
}

static void tell_date(struct km_tls *tls, const mbedtls_x509_crt *cert, int depth, bool past)
{
    char limit[KM_TIME_SIZE], now[KM_TIME_SIZE], text[256];
    struct km_buf buf;

    km_tls_time_text(past ? &cert->valid_to : &cert->valid_from, limit);
    km_time_rfc3339(km_port_wall_us(), now, sizeof now);
    km_buf_init(&buf, text, sizeof text);
    km_buf_puts(&buf, depth == 0 ? "server certificate" : "certificate of the server's authority ");
    if (depth > 0)
        put_dn(&buf, &cert->subject);
    km_buf_printf(&buf, " %s %s (this machine's clock says %s)",
                  past ? "expired on" : "is not valid before", limit, now);
    tell(tls, RANK_DATE, text);
}

static void tell_name(struct km_tls *tls, const mbedtls_x509_crt *cert)
{
    char names[128], text[256];
    struct km_buf buf;

    name_text(tls, cert, names, sizeof names);
    km_buf_init(&buf, text, sizeof text);
    km_buf_printf(&buf, "server certificate is not for %.96s; it is for %s", tls->name, names);
    tell(tls, RANK_NAME, text);
}

static void tell_authority(struct km_tls *tls, const mbedtls_x509_crt *cert)
{
    char text[256];
    struct km_buf buf;

    km_buf_init(&buf, text, sizeof text);
    km_buf_puts(&buf, "server certificate is signed by an unknown authority (issuer ");
    put_dn(&buf, &cert->issuer);
    km_buf_puts(&buf, ")");
    tell(tls, RANK_AUTHORITY, text);
}

void km_tls_flags_text(uint32_t flags, struct km_fault *fault)
{
    const char *what = "it cannot be checked";

    if ((flags & (MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_KEY_USAGE)) != 0)
        what = "it is not meant for servers (key usage)";
    else if ((flags & (MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_PK)) != 0)
        what = "its key is too weak (RSA from 2048 bits, P-256 and up are accepted)";
    else if ((flags & MBEDTLS_X509_BADCERT_BAD_MD) != 0)
        what = "it is signed with a weak hash (SHA-256 and up are accepted)";
    km_fault_set(fault, KM_ERR_CERT, "server certificate refused: %s (flags 0x%x)", what,
                 (unsigned)flags);
}

int km_tls_verify(void *ctx, mbedtls_x509_crt *cert, int depth, uint32_t *flags)
{
    const uint32_t told = MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE |
                          MBEDTLS_X509_BADCERT_CN_MISMATCH | MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    struct km_tls *tls = ctx;
    int64_t until_s = km_tls_time_unix(&cert->valid_to);

    tls->saw_certificate = true;
    if (until_s < tls->valid_until_s)
        tls->valid_until_s = until_s;
    /* mbedTLS falls back to the common name; no Go client does, so such a certificate is refused here too. */
    if (depth == 0 && (cert->MBEDTLS_PRIVATE(ext_types) & MBEDTLS_X509_EXT_SUBJECT_ALT_NAME) == 0)
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if ((*flags & MBEDTLS_X509_BADCERT_EXPIRED) != 0)
        tell_date(tls, cert, depth, true);
    else if ((*flags & MBEDTLS_X509_BADCERT_FUTURE) != 0)
        tell_date(tls, cert, depth, false);
    if ((*flags & MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0)
        tell_name(tls, cert);
    if ((*flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0)
        tell_authority(tls, cert);
    if ((*flags & ~told) != 0 && tls->why_rank > RANK_OTHER) {
        km_fault_clear(&tls->why);
        km_tls_flags_text(*flags & ~told, &tls->why);
        tls->why_rank = RANK_OTHER;
    }
    return 0;
}
