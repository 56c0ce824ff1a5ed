/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system's roots never stand in memory together: for each certificate whose issuer is sought, the bundle file streams by,
 * and only roots with the issuer's name are parsed.
 */
#include <mbedtls/asn1.h>
#include <mbedtls/platform.h>
#include <string.h>

#include "alloc_priv.h"
#include "tls_priv.h"

#define DER_SIZE 4096
#define CHUNK_SIZE 1024
#define CANDIDATES_MAX 4

const char *km_tls_roots_path(void)
{
    static const char *const paths[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    char probe;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (km_port_file_read_at(paths[i], 0, &probe, 1) == 1)
            return paths[i];
    }
    return NULL;
}

/* The file byte by byte: lines are sorted into begin, end and base64; one certificate's DER at a time. */
struct stream {
    bool inside;   /* between BEGIN and END */
    bool too_long; /* this certificate does not fit */
    uint32_t bits;
    uint8_t bit_count;
    size_t line_len, der_len;
    char line[80];
    uint8_t der[DER_SIZE];
};

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static void take_base64(struct stream *s, struct km_slice line)
{
    for (size_t i = 0; i < line.len; i++) {
        int value = base64_value(line.ptr[i]);

        if (value < 0)
            continue; /* padding, blanks; what is garbage fails to parse */
        s->bits = (s->bits << 6 | (uint32_t)value) & 0xffffffu;
        s->bit_count = (uint8_t)(s->bit_count + 6);
        if (s->bit_count < 8)
            continue;
        s->bit_count = (uint8_t)(s->bit_count - 8);
        if (s->der_len < sizeof s->der)
            s->der[s->der_len++] = (uint8_t)(s->bits >> s->bit_count);
        else
            s->too_long = true;
    }
}

/* A line is complete; true when it ended a certificate. */
static bool take_line(struct stream *s)
{
    struct km_slice line = km_slice_trim((struct km_slice){.ptr = s->line, .len = s->line_len});

    s->line_len = 0;
    if (km_slice_eq_str(line, "-----BEGIN CERTIFICATE-----")) {
        s->inside = true;
        s->too_long = false;
        s->der_len = 0;
        s->bit_count = 0;
        return false;
    }
    if (!s->inside)
        return false;
    if (line.len > 0 && line.ptr[0] == '-') {
        s->inside = false;
        return km_slice_eq_str(line, "-----END CERTIFICATE-----") && !s->too_long;
    }
    take_base64(s, line);
    return false;
}

static int skip(uint8_t **at, const uint8_t *end, int tag)
{
    size_t len;
    int code = mbedtls_asn1_get_tag(at, end, &len, tag);

    if (code == 0)
        *at += len;
    return code;
}

/* The subject of a certificate as it stands, tag and length included (RFC 5280 4.1); empty when malformed. */
static struct km_slice subject_of(uint8_t *der, size_t der_len)
{
    const int sequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
    struct km_slice none = {0};
    uint8_t *at = der, *end = der + der_len, *start;
    size_t len;

    if (mbedtls_asn1_get_tag(&at, end, &len, sequence) != 0)
        return none;
    end = at + len;
    if (mbedtls_asn1_get_tag(&at, end, &len, sequence) != 0)
        return none;
    end = at + len;
    if (at < end && *at == (MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED) &&
        skip(&at, end, MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED) != 0)
        return none;
    if (skip(&at, end, MBEDTLS_ASN1_INTEGER) != 0 || skip(&at, end, sequence) != 0 ||
        skip(&at, end, sequence) != 0 ||
        skip(&at, end, sequence) != 0) /* serial, algorithm, issuer, validity */
        return none;
    start = at;
    if (skip(&at, end, sequence) != 0)
        return none;
    return (struct km_slice){.ptr = (const char *)start, .len = (size_t)(at - start)};
}

static bool is_issuer(struct stream *s, const mbedtls_x509_crt *child)
{
    struct km_slice subject = subject_of(s->der, s->der_len);

    return subject.len > 0 && subject.len == child->issuer_raw.len &&
           memcmp(subject.ptr, child->issuer_raw.p, subject.len) == 0;
}

/* Adds the certificate to *list. Negative when there is no memory. */
static int add_candidate(mbedtls_x509_crt **list, const struct stream *s)
{
    uint32_t refused = km_tls_alloc_refused();

    if (*list == NULL) {
        *list = mbedtls_calloc(1, sizeof **list);
        if (*list == NULL)
            return KM_ERR_TLS_MEMORY;
        mbedtls_x509_crt_init(*list);
    }
    (void)mbedtls_x509_crt_parse_der(*list, s->der,
                                     s->der_len); /* what is not understood is left out */
    return km_tls_alloc_refused() == refused ? KM_OK : KM_ERR_TLS_MEMORY;
}

static int stream_bundle(const char *path, const mbedtls_x509_crt *child, mbedtls_x509_crt **list)
{
    /* One handshake step at a time runs. */
    static struct stream s KM_POOL_STORAGE(tls_roots_stream);
    static char chunk[CHUNK_SIZE] KM_POOL_STORAGE(tls_roots_chunk);
    uint64_t offset = 0;
    unsigned found = 0;
    int got;

    memset(&s, 0, offsetof(struct stream, line));
    while ((got = km_port_file_read_at(path, offset, chunk, sizeof chunk)) > 0) {
        offset += (uint64_t)got;
        for (int i = 0; i < got; i++) {
            if (chunk[i] != '\n' && chunk[i] != '\r' && s.line_len < sizeof s.line)
                s.line[s.line_len++] = chunk[i];
            if (chunk[i] != '\n' || !take_line(&s) || !is_issuer(&s, child))
                continue;
            if (add_candidate(list, &s) != KM_OK)
                return KM_ERR_TLS_MEMORY;
            if (++found == CANDIDATES_MAX)
                return KM_OK;
        }
    }
    if (take_line(&s) && is_issuer(&s, child)) /* the last line may lack its end */
        return add_candidate(list, &s);
    return KM_OK;
}

int km_tls_roots_find(void *ctx, const mbedtls_x509_crt *child, mbedtls_x509_crt **out)
{
    int err = stream_bundle(ctx, child, out);

    if (*out != NULL && (err != KM_OK || (*out)->version == 0)) {
        mbedtls_x509_crt_free(*out);
        mbedtls_free(*out);
        *out = NULL;
    }
    return err == KM_OK ? 0 : MBEDTLS_ERR_X509_ALLOC_FAILED;
}
