/* SPDX-License-Identifier: Apache-2.0 */
#ifndef YAML_SCALAR_H
#define YAML_SCALAR_H

#include "kubemote/km_base.h"

#define YAML_SCALAR_SIZE 128 /* with NUL; longer ones are strings */

/* Whether a plain scalar of this text (shorter than YAML_SCALAR_SIZE) is a string to YAML 1.1. */
bool yaml_is_string(const char *text);
/* A number of JSON as kubectl prints it in YAML. */
void yaml_put_number(struct km_buf *out, struct km_slice text);

#endif
