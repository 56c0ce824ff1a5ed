/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MANIFEST_PRIV_H
#define MANIFEST_PRIV_H

#include "kubemote/km_manifest.h"

/* The first document of a text that begins in line first_line of the file. */
int manifest_yaml(const struct km_manifest *m, struct km_slice text, size_t first_line,
                  struct km_slice *json, struct km_fault *fault);

enum scalar_type {
    SCALAR_STRING,
    SCALAR_NULL,
    SCALAR_TRUE,
    SCALAR_FALSE,
    SCALAR_INT,
    SCALAR_FLOAT,
    SCALAR_BINARY,
    SCALAR_NO_JSON, /* infinite or not a number */
    SCALAR_WRONG_TAG,
};

/* tag is NULL without one; number takes the JSON text of an INT or a FLOAT. */
#define SCALAR_NUMBER_SIZE 64
enum scalar_type scalar_resolve(const char *tag, struct km_slice text,
                                char number[SCALAR_NUMBER_SIZE]);
/* The key that a float stands for. */
void scalar_float_key(const char *number, char out[SCALAR_NUMBER_SIZE]);

/* Appends a JSON string. */
void json_put_string(struct km_buf *buf, struct km_slice text);
/* The length of the JSON value at the start of a text that we wrote. */
size_t json_value_len(struct km_slice text);

/* The double nearest to a decimal number ([-+] digits, a point, an exponent), infinite when it is too large. Exact, as
   strtod, without libc's floating point. */
double decimal_read(const char *text);
/* The fewest digits by which `value`, or the float that it is, can be told from its neighbours: d.ddd times 10 to the power
   of *exponent. Returns how many; the sign of `value` does not count. */
#define DECIMAL_DIGITS 18
size_t decimal_shortest(double value, bool single, char digits[DECIMAL_DIGITS], long *exponent);

#endif
