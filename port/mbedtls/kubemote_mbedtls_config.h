/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of mbedTLS 3.6 for kubemote: a TLS 1.3 and 1.2 client with a client certificate, and nothing else.
 *
 * Goals, in this order: every cluster in use is reachable (kubeadm's RSA-2048, RSA-4096, P-256, P-384, P-521); no heap,
 * no files, no entropy pool of its own; small code. The build passes this file as MBEDTLS_CONFIG_FILE, for the library and
 * for port/mbedtls alike.
 */
#ifndef KUBEMOTE_MBEDTLS_CONFIG_H
#define KUBEMOTE_MBEDTLS_CONFIG_H

#include "km_config.h"

/* --- memory ------------------------------------------------------------------------------------------------------- */
#define MBEDTLS_PLATFORM_C
/* Our allocator: record buffers have slots of their own, so that handshakes cannot fragment the arena. */
#include <stddef.h>
void *km_tls_calloc(size_t count, size_t size);
void km_tls_free(void *block);
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_PLATFORM_CALLOC_MACRO km_tls_calloc
#define MBEDTLS_PLATFORM_FREE_MACRO km_tls_free
/* km_base.h; libc's printf would be larger than all of AES and GCM. */
int km_format(char *out, size_t size, const char *format, ...);
#define MBEDTLS_PLATFORM_SNPRINTF_MACRO km_format

/* Go's TLS server sends full records and knows no extension that asks for smaller ones: the input buffer cannot shrink. */
#define MBEDTLS_SSL_IN_CONTENT_LEN 16384
/* Also the bound of the ClientHello, so of a kept session (KM_TLS_SESSION_BYTES). */
#define MBEDTLS_SSL_OUT_CONTENT_LEN CONFIG_KM_TLS_OUT_BYTES
/* RSA up to 4096 bits; larger keys are refused. Signature buffers on the stack have this size. */
#define MBEDTLS_MPI_MAX_SIZE 512

/* --- random numbers and time -------------------------------------------------------------------------------------- */
#define MBEDTLS_PSA_CRYPTO_C
/* The port gives mbedtls_psa_external_get_random(): no entropy pool, no generator state, no files. */
#define MBEDTLS_PSA_CRYPTO_EXTERNAL_RNG
#define MBEDTLS_NO_PLATFORM_ENTROPY
/* Each handshake holds one or two keys in slots. */
#define MBEDTLS_PSA_KEY_SLOT_COUNT 16
/* Single process, buffers are not shared: no copies. */
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS
/* Certificates are checked against the clock, which is the port's (platform.c): libc's gmtime may allocate. */
#include <time.h>
time_t km_tls_time(time_t *out);
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE
#define MBEDTLS_PLATFORM_TIME_MACRO km_tls_time
#define MBEDTLS_PLATFORM_MS_TIME_ALT
#define MBEDTLS_PLATFORM_GMTIME_R_ALT

/* --- TLS ---------------------------------------------------------------------------------------------------------- */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_SSL_PROTO_TLS1_3
/* Change-cipher-spec records, without which some middle boxes cut TLS 1.3. */
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
/* Resumption with forward secrecy. The port must also call mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(). */
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_PSK_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_SESSION_TICKETS
/* TLS 1.3 needs the peer's certificate kept. */
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED

/* --- certificates and keys ---------------------------------------------------------------------------------------- */
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
/* Without this TLS 1.3 offers no RSA-PSS and fails against every cluster with RSA certificates. */
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT
/* The issuer may be looked up while a bundle streams by: the system's roots never stand in memory together. */
#define MBEDTLS_X509_TRUSTED_CERTIFICATE_CALLBACK
/* PEM is taken apart by pem.c, by slices. */
#define MBEDTLS_BASE64_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C
#define MBEDTLS_OID_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C

/* --- public-key cryptography -------------------------------------------------------------------------------------- */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_ECP_C
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_SECP521R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
/* The comb table for the base point would cost 17 kB of arena. */
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0

/* --- symmetric cryptography --------------------------------------------------------------------------------------- */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
/* Tables in read-only memory, the short form; only encryption, which is all that GCM uses. */
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES
#define MBEDTLS_BLOCK_CIPHER_NO_DECRYPT
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C
#define MBEDTLS_MD_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#if defined(__thumb__)
#define MBEDTLS_SHA512_SMALLER /* 1.5 kB; it sees the handshakes of few servers, no bulk */
#endif
#define MBEDTLS_HKDF_C
#if defined(__x86_64__)
#define MBEDTLS_AESNI_C
#endif
#if defined(__aarch64__)
#define MBEDTLS_AESCE_C
#define MBEDTLS_SHA256_USE_ARMV8_A_CRYPTO_IF_PRESENT
#endif

/* --- the rest ----------------------------------------------------------------------------------------------------- */
#define MBEDTLS_VERSION_C
#define MBEDTLS_DEPRECATED_REMOVED

#endif
