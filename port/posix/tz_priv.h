/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KM_TZ_PRIV_H
#define KM_TZ_PRIV_H

#include "kubemote/km_base.h"

/* The offset from UTC in seconds that a POSIX TZ string such as "CET-1CEST,M3.5.0,M10.5.0/3" gives at that second (with the
   extensions of RFC 9636 3.3.1). KM_OK or KM_ERR_SYNTAX. */
int km_tz_posix(struct km_slice text, int64_t unix_s, int32_t *offset_s);
/* The same from a TZif file's bytes (RFC 9636). KM_OK or KM_ERR_SYNTAX. */
int km_tz_file(const uint8_t *data, size_t len, int64_t unix_s, int32_t *offset_s);

#endif
