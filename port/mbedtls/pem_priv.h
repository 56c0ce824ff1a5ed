/* SPDX-License-Identifier: Apache-2.0 */
/* Textual encodings of certificates and keys (RFC 7468), by slices: nothing is copied. */
#ifndef KM_PEM_PRIV_H
#define KM_PEM_PRIV_H

#include "kubemote/km_base.h"

struct km_pem {
    struct km_slice label; /* "CERTIFICATE", "EC PRIVATE KEY" … */
    struct km_slice body;  /* base64 with line ends, headers of old formats included */
};

/* Takes the next whole block from *text; text around blocks is skipped. False when there is none. */
bool km_pem_next(struct km_slice *text, struct km_pem *out);
bool km_pem_is_key(const struct km_pem *pem); /* the label ends in "PRIVATE KEY" */
bool km_pem_is_encrypted(const struct km_pem *pem);

#endif
