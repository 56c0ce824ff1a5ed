/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where mbedTLS takes its memory: record buffers from slots of their own, one pair per connection, so that handshakes, which
 * come and go, cannot fragment the way for 16 kB blocks; all else from one arena.
 */
#ifndef KM_ALLOC_PRIV_H
#define KM_ALLOC_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "kubemote/km_port.h"

/* mbedTLS adds 45 bytes of header, nonce and tag to the content of a record buffer. */
#define KM_TLS_RECORD_EXTRA 48u
#define KM_TLS_IN_SLOT_BYTES (16384u + KM_TLS_RECORD_EXTRA)
#define KM_TLS_OUT_SLOT_BYTES (CONFIG_KM_TLS_OUT_BYTES + KM_TLS_RECORD_EXTRA)

/* mbedTLS' calloc and free (kubemote_mbedtls_config.h). */
void *km_tls_calloc(size_t count, size_t size);
void km_tls_free(void *block);

/* How often there was no memory, since the start: callers compare before and after to know why a call failed. */
uint32_t km_tls_alloc_refused(void);
/* Fills the members that concern memory. */
void km_tls_alloc_stats(struct km_tls_stats *out);
/* The largest block that the arena could give now. */
uint32_t km_tls_alloc_largest(void);

#endif
