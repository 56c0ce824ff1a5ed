/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) for the judge program, so that it links no cryptography. */
#ifndef CHECK_SHA256_H
#define CHECK_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct check_sha256 {
    uint32_t h[8];
    uint64_t total;
    uint8_t block[64];
};

void check_sha256_init(struct check_sha256 *s);
void check_sha256_add(struct check_sha256 *s, const void *data, size_t len);
/* 64 lower-case digits and a NUL. */
void check_sha256_hex(struct check_sha256 *s, char out[65]);

#endif
