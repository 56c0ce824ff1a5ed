/* SPDX-License-Identifier: Apache-2.0 */
#include <mbedtls/base64.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#include "alloc_priv.h"
#include "kubemote/km_log.h"
#include "pem_priv.h"
#include "tls_priv.h"

/* Room that TLS needs in a record beside the certificates of the client's chain. */
#define CHAIN_EXTRA 64u

static const char *alpn[] = {"http/1.1", NULL};

/* Without AES instructions ChaCha20 is faster than AES in C, and its time does not depend on keys. Servers take our order. */
static const int ciphers_aes[] = {MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                                  MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
                                  MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
                                  MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                  MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                  MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                  MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                  MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                  MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                  0};
static const int ciphers_chacha[] = {MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
                                     MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                                     MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
                                     MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                     MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                     MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                     MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                     MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                     MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                     0};

/* PKCS#1 v1.5 stands before PSS: mbedTLS refuses PSS under TLS 1.2 although it must offer it for 1.3, and servers take the
   first that they can do. TLS 1.3 itself leaves PKCS#1 v1.5 to certificates. */
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,    MBEDTLS_TLS1_3_SIG_NONE};

/* mbedTLS drives the AES of x86-64 block by block: there ChaCha20 goes half as fast again (528 MB/s beside 365). */
static bool has_aes(void)
{
#if defined(MBEDTLS_AESCE_C)
    return km_port_has_aes();
#else
    return false;
#endif
}

static const char *or_else(const char *name, const char *words)
{
    return name != NULL ? name : words;
}

static int memory_fault(const char *name, struct km_fault *fault)
{
    return km_fault_set(fault, KM_ERR_TLS_MEMORY,
                        "%s: the credentials need more than CONFIG_KM_TLS_ARENA_BYTES=%d", name,
                        CONFIG_KM_TLS_ARENA_BYTES);
}

/* Decodes a block into fresh memory, which the caller wipes and frees. */
static int decode(const struct km_pem *pem, uint8_t **out, size_t *out_len)
{
    size_t room = pem->body.len / 4 * 3 + 3;

    *out = km_tls_calloc(1, room);
    if (*out == NULL)
        return KM_ERR_TLS_MEMORY;
    if (mbedtls_base64_decode(*out, room, out_len, (const uint8_t *)pem->body.ptr, pem->body.len) ==
        0)
        return KM_OK;
    mbedtls_platform_zeroize(*out, room);
    km_tls_free(*out);
    *out = NULL;
    return KM_ERR_SYNTAX;
}

struct counts {
    unsigned kept, skipped;
    int code; /* mbedTLS' of the first that was skipped, 0: not even base64 */
};

/* Appends every certificate of a text that can be understood. KM_OK or KM_ERR_TLS_MEMORY. */
static int load_certificates(mbedtls_x509_crt *list, struct km_slice text, struct counts *counts)
{
    uint32_t refused = km_tls_alloc_refused();
    struct km_pem pem;

    memset(counts, 0, sizeof *counts);
    while (km_pem_next(&text, &pem)) {
        uint8_t *der;
        size_t der_len;
        int err, code = 0;

        if (!km_slice_eq_str(pem.label, "CERTIFICATE"))
            continue;
        err = decode(&pem, &der, &der_len);
        if (err == KM_OK) {
            code = mbedtls_x509_crt_parse_der(list, der, der_len);
            km_tls_free(der);
        }
        if (km_tls_alloc_refused() != refused)
            return KM_ERR_TLS_MEMORY;
        if (err == KM_OK && code == 0) {
            counts->kept++;
            continue;
        }
        if (counts->skipped++ == 0)
            counts->code = code;
    }
    return KM_OK;
}

static int load_ca(struct km_tls_gen *gen, const struct km_tls_creds *creds, struct km_fault *fault)
{
    const char *path = creds->ca_bundle_path;
    struct counts counts;
    char probe;

    if (creds->ca.len > 0) {
        if (load_certificates(&gen->ca, creds->ca, &counts) != KM_OK)
            return memory_fault(or_else(creds->ca_name, "certificate authority"), fault);
        if (counts.kept == 0 && counts.skipped == 0)
            return km_fault_set(fault, KM_ERR_CONFIG, "%s: no certificate in PEM form",
                                or_else(creds->ca_name, "certificate authority"));
        if (counts.kept == 0)
            return km_fault_set(fault, KM_ERR_CONFIG,
                                "%s: no certificate that can be used (%u not understood, first "
                                "with -0x%04x)",
                                or_else(creds->ca_name, "certificate authority"), counts.skipped,
                                KM_TLS_CODE(counts.code));
        if (counts.skipped > 0)
            KM_WARN(
                "Some certificates of the certificate authority are not understood and left out",
                KM_I("kept", counts.kept), KM_I("leftOut", counts.skipped));
        return KM_OK;
    }
    if (path == NULL || path[0] == '\0')
        path = km_tls_roots_path();
    if (path == NULL)
        return km_fault_set(
            fault, KM_ERR_CONFIG,
            "no certificate authority is configured and the system has no bundle of roots");
    if (km_slice_copy(km_slice_of(path), gen->bundle, sizeof gen->bundle) != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG, "the path of the certificate bundle is too long");
    if (km_port_file_read_at(path, 0, &probe, 1) != 1)
        return km_fault_set(fault, KM_ERR_CONFIG, "%.200s: the certificate bundle cannot be read",
                            path);
    return KM_OK;
}

static int load_key(struct km_tls_gen *gen, const struct km_tls_creds *creds,
                    struct km_fault *fault)
{
    const char *name = or_else(creds->key_name, "client key");
    struct km_slice text = creds->key;
    uint32_t refused = km_tls_alloc_refused();
    struct km_pem pem;
    uint8_t *der;
    size_t der_len;
    int code;

    do {
        if (!km_pem_next(&text, &pem))
            return km_fault_set(fault, KM_ERR_CONFIG, "%s: no private key in PEM form", name);
    } while (!km_pem_is_key(&pem));
    if (km_pem_is_encrypted(&pem))
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "%s: the key is encrypted; kubemote takes plain keys only", name);
    code = decode(&pem, &der, &der_len);
    if (code == KM_ERR_TLS_MEMORY)
        return memory_fault(name, fault);
    if (code != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s: the key is not base64", name);
    code = mbedtls_pk_parse_key(&gen->key, der, der_len, NULL, 0, km_tls_random, NULL);
    mbedtls_platform_zeroize(der, der_len);
    km_tls_free(der);
    if (km_tls_alloc_refused() != refused)
        return memory_fault(name, fault);
    if (code != 0)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "%s: the key is not understood (-0x%04x); RSA up to 4096 bits, P-256, "
                            "P-384 and P-521 are",
                            name, KM_TLS_CODE(code));
    return KM_OK;
}

static void warn_validity(const mbedtls_x509_crt *cert)
{
    char text[KM_TIME_SIZE];

    if (mbedtls_x509_time_is_past(&cert->valid_to)) {
        km_tls_time_text(&cert->valid_to, text);
        KM_WARN("The client certificate has expired", KM_S("notAfter", text));
    } else if (mbedtls_x509_time_is_future(&cert->valid_from)) {
        km_tls_time_text(&cert->valid_from, text);
        KM_WARN("The client certificate is not valid yet", KM_S("notBefore", text));
    }
}

static int load_identity(struct km_tls_gen *gen, const struct km_tls_creds *creds,
                         struct km_fault *fault)
{
    const char *name = or_else(creds->cert_name, "client certificate");
    uint32_t refused = km_tls_alloc_refused();
    struct counts counts;
    size_t total = 0;
    int err;

    if (creds->cert.len == 0 && creds->key.len == 0)
        return KM_OK;
    if (creds->cert.len == 0)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "there is a client key but no client certificate");
    if (creds->key.len == 0)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "there is a client certificate but no client key");
    if (load_certificates(&gen->chain, creds->cert, &counts) != KM_OK)
        return memory_fault(name, fault);
    if (counts.kept == 0 || counts.skipped > 0)
        return counts.skipped > 0
                   ? km_fault_set(fault, KM_ERR_CONFIG,
                                  "%s: the certificate is not understood (-0x%04x)", name,
                                  KM_TLS_CODE(counts.code))
                   : km_fault_set(fault, KM_ERR_CONFIG, "%s: no certificate in PEM form", name);
    for (const mbedtls_x509_crt *cert = &gen->chain; cert != NULL; cert = cert->next)
        total += cert->raw.len + 5;
    if (total + CHAIN_EXTRA > CONFIG_KM_TLS_OUT_BYTES)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "%s: a chain of %u bytes does not fit CONFIG_KM_TLS_OUT_BYTES=%d", name,
                            (unsigned)total, CONFIG_KM_TLS_OUT_BYTES);
    err = load_key(gen, creds, fault);
    if (err != KM_OK)
        return err;
    if (mbedtls_pk_check_pair(&gen->chain.pk, &gen->key, km_tls_random, NULL) != 0) {
        if (km_tls_alloc_refused() != refused)
            return memory_fault(name, fault);
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "%s: client certificate and client key do not belong together",
                            or_else(creds->key_name, "client key"));
    }
    warn_validity(&gen->chain);
    return KM_OK;
}

static int make_config(struct km_tls_gen *gen, const struct km_tls_creds *creds,
                       struct km_fault *fault)
{
    mbedtls_ssl_config *conf = &gen->conf;

    if (mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return memory_fault("TLS", fault);
    mbedtls_ssl_conf_authmode(conf, creds->insecure ? MBEDTLS_SSL_VERIFY_NONE
                                                    : MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_rng(conf, km_tls_random, NULL);
    mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_ciphersuites(conf, has_aes() ? ciphers_aes : ciphers_chacha);
    mbedtls_ssl_conf_sig_algs(conf, signatures);
    mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    /* mbedTLS otherwise throws the tickets of TLS 1.3 away without a word. */
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
    if (gen->bundle[0] != '\0')
        mbedtls_ssl_conf_ca_cb(conf, km_tls_roots_find, gen->bundle);
    else
        mbedtls_ssl_conf_ca_chain(conf, &gen->ca, NULL);
    if (mbedtls_ssl_conf_alpn_protocols(conf, alpn) != 0)
        return memory_fault("TLS", fault);
    if (gen->chain.version != 0 && mbedtls_ssl_conf_own_cert(conf, &gen->chain, &gen->key) != 0)
        return memory_fault("TLS", fault);
    return KM_OK;
}

int km_tls_gen_load(struct km_tls_gen *gen, const struct km_tls_creds *creds,
                    struct km_fault *fault)
{
    int err;

    memset(gen, 0, sizeof *gen);
    mbedtls_ssl_config_init(&gen->conf);
    mbedtls_x509_crt_init(&gen->ca);
    mbedtls_x509_crt_init(&gen->chain);
    mbedtls_pk_init(&gen->key);
    gen->live = true;
    err = creds->insecure ? KM_OK : load_ca(gen, creds, fault);
    if (err == KM_OK)
        err = load_identity(gen, creds, fault);
    if (err == KM_OK)
        err = make_config(gen, creds, fault);
    if (err != KM_OK)
        km_tls_gen_free(gen);
    return err;
}

void km_tls_gen_free(struct km_tls_gen *gen)
{
    mbedtls_ssl_config_free(&gen->conf);
    mbedtls_x509_crt_free(&gen->ca);
    mbedtls_x509_crt_free(&gen->chain);
    mbedtls_pk_free(&gen->key);
    gen->live = false;
}

static void drop_computed(const mbedtls_pk_context *key)
{
    mbedtls_rsa_context *rsa;

    if (mbedtls_pk_get_type(key) != MBEDTLS_PK_RSA)
        return;
    rsa = mbedtls_pk_rsa(*key);
    mbedtls_mpi_free(&rsa->MBEDTLS_PRIVATE(RN));
    mbedtls_mpi_free(&rsa->MBEDTLS_PRIVATE(RP));
    mbedtls_mpi_free(&rsa->MBEDTLS_PRIVATE(RQ));
    mbedtls_mpi_free(&rsa->MBEDTLS_PRIVATE(Vi));
    mbedtls_mpi_free(&rsa->MBEDTLS_PRIVATE(Vf));
}

void km_tls_gen_heal(struct km_tls_gen *gen)
{
    drop_computed(&gen->key);
    for (const mbedtls_x509_crt *cert = &gen->ca; cert != NULL; cert = cert->next)
        drop_computed(&cert->pk);
}
