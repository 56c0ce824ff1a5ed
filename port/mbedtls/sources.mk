# SPDX-License-Identifier: Apache-2.0
# The files of mbedTLS's library/ that kubemote_mbedtls_config.h gives contents to. A file that is missing here shows up as
# an undefined symbol at link time; one too many compiles to nothing.
MBEDTLS_SOURCES := \
	aes.c aesce.c aesni.c asn1parse.c asn1write.c base64.c bignum.c bignum_core.c bignum_mod.c bignum_mod_raw.c \
	block_cipher.c chacha20.c chachapoly.c cipher.c cipher_wrap.c constant_time.c debug.c ecdh.c ecdsa.c ecp.c \
	ecp_curves.c gcm.c hkdf.c md.c oid.c pem.c pk.c pk_ecc.c pk_wrap.c pkparse.c pkwrite.c platform.c platform_util.c \
	poly1305.c psa_crypto.c psa_crypto_aead.c psa_crypto_cipher.c psa_crypto_client.c \
	psa_crypto_driver_wrappers_no_static.c psa_crypto_ecp.c psa_crypto_ffdh.c psa_crypto_hash.c psa_crypto_mac.c \
	psa_crypto_pake.c psa_crypto_random.c psa_crypto_rsa.c psa_crypto_slot_management.c psa_util.c rsa.c \
	rsa_alt_helpers.c sha256.c sha512.c ssl_ciphersuites.c ssl_client.c ssl_debug_helpers_generated.c ssl_msg.c \
	ssl_tls.c ssl_tls12_client.c ssl_tls13_client.c ssl_tls13_generic.c ssl_tls13_keys.c version.c x509.c x509_crt.c
