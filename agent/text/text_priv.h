/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_PRIV_H
#define TEXT_PRIV_H

#include "kubemote/km_base.h"

/* Byte by byte, as Go compares strings. */
int text_compare(struct km_slice a, struct km_slice b);

#endif
