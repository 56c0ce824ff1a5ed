/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEXT_PRIV_H
#define TEXT_PRIV_H

#include "kubemote/km_base.h"

/* For messages: at most 60 bytes of a text, with bytes that are not printable ASCII as '?'. Returns out. */
#define TEXT_SHOW_SIZE 64
const char *text_show(struct km_slice text, char out[TEXT_SHOW_SIZE]);
/* Byte by byte, as Go compares strings. */
int text_compare(struct km_slice a, struct km_slice b);

#endif
