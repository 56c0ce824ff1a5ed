/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes quantities ("3977272Ki", "500m", "1.5Gi") as integers. Pure; no floating point. */
#ifndef KM_QUANTITY_H
#define KM_QUANTITY_H

#include "km_base.h"

#define KM_QUANTITY_SIZE 24

/*
 * Parses a quantity that is not negative, in units of 1 / scale: scale 1 gives bytes or counts, 1000 gives thousandths
 * (cpu). What does not come out even is rounded up, as apimachinery's Value() and MilliValue() do. KM_ERR_SYNTAX, or
 * KM_ERR_TOO_LONG when the value does not fit or has more than 18 digits behind the point.
 */
int km_quantity_parse(struct km_slice text, uint32_t scale, uint64_t *out);

/* Canonical form of a byte count in the binary format ("24105Mi", "1k" below 1024), as apimachinery writes memory. */
void km_quantity_bytes(uint64_t bytes, char out[KM_QUANTITY_SIZE]);
/* Canonical form of thousandths in the decimal format ("2", "3500m", "2k"), as apimachinery writes cpu. */
void km_quantity_milli(uint64_t milli, char out[KM_QUANTITY_SIZE]);

#endif
