/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room text: the scalars of the Kubernetes API as strings. Quantities, durations, times and names are accepted, refused and
 * written exactly as apimachinery does. Pure: no I/O, no heap; all storage is the caller's.
 */
#ifndef KM_SCALAR_H
#define KM_SCALAR_H

#include "km_base.h"

/* ---- quantities ("3977272Ki", "500m", "1.5Gi", "1e3") ---- */

/* Significant digits that a quantity can have; apimachinery has no limit, this is far beyond what it can store. */
#define KM_QUANTITY_DIGITS 192
/* The canonical form of any quantity, and its text where apimachinery keeps it as it stood. */
#define KM_QUANTITY_TEXT_SIZE 224
/* The canonical form of a 64-bit count. */
#define KM_QUANTITY_SIZE 24

enum km_quantity_format { KM_DECIMAL_SI, KM_BINARY_SI, KM_DECIMAL_EXPONENT };

/* digits x 10^exponent, negative or not; no digits are zero. Writing it needs the text that was read. */
struct km_quantity {
    bool negative;
    uint8_t format; /* enum km_quantity_format */
    uint16_t count;
    int64_t exponent;
    uint8_t digits[KM_QUANTITY_DIGITS]; /* 0 to 9, the highest first, which is not 0 */
    struct km_slice
        kept; /* the parsed text, where that is the canonical form as it stands; or empty */
};

/*
 * Parses any text that resource.ParseQuantity accepts. KM_ERR_SYNTAX, or KM_ERR_TOO_LONG beyond KM_QUANTITY_DIGITS; zeros at
 * both ends are none of them. What is below 1n is rounded up, binary quantities are capped at 2^63-1, as there.
 */
int km_quantity_read(struct km_slice text, struct km_quantity *out);
/* The canonical form. KM_ERR_TOO_LONG when it does not fit; KM_QUANTITY_TEXT_SIZE is enough for a text of that size. */
int km_quantity_write(const struct km_quantity *quantity, char *out, size_t out_size);
/* < 0, 0 or > 0. */
int km_quantity_compare(const struct km_quantity *a, const struct km_quantity *b);
/* In units of 1 / scale (1, 1000, ... up to 10^9), rounded away from zero, as Value() and MilliValue() do.
   KM_ERR_TOO_LONG when that fits no int64_t: then *out is the nearest. */
int km_quantity_scaled(const struct km_quantity *quantity, uint32_t scale, int64_t *out);

/*
 * A quantity that a person configures: not negative and with a digit in it. In units of 1 / scale, rounded up. KM_ERR_SYNTAX,
 * or KM_ERR_TOO_LONG when the value fits no uint64_t.
 */
int km_quantity_parse(struct km_slice text, uint32_t scale, uint64_t *out);
/* Canonical form of a byte count in the binary format ("24105Mi", "1k" below 1024), as apimachinery writes memory. */
void km_quantity_bytes(uint64_t bytes, char out[KM_QUANTITY_SIZE]);
/* Canonical form of thousandths in the decimal format ("2", "3500m", "2k"), as apimachinery writes cpu. */
void km_quantity_milli(uint64_t milli, char out[KM_QUANTITY_SIZE]);

/* ---- durations (metav1.Duration: "1h2m3.5s") ---- */

#define KM_DURATION_SIZE 32

/* In nanoseconds. KM_ERR_SYNTAX, also for what fits no int64_t. */
int km_duration_parse(struct km_slice text, int64_t *ns);
/* "2m3.5s"; KM_DURATION_SIZE is always enough. */
void km_duration_write(int64_t ns, char *out, size_t out_size);
/* As kubectl's column AGE: "70s", "5m10s", "47h", "2y1d"; "<invalid>" below -1 s. */
void km_duration_human(int64_t ns, char *out, size_t out_size);
/* The same with one unit: "1m", "1d". */
void km_duration_short(int64_t ns, char *out, size_t out_size);

/* ---- times (metav1.Time, metav1.MicroTime) ---- */

/* The text that Kubernetes writes back after it has read `text`; "null" for the zero time 0001-01-01T00:00:00Z.
   KM_ERR_SYNTAX, or KM_ERR_TOO_LONG when it does not fit; KM_TIME_SIZE is always enough. */
int km_time_canonical(struct km_slice text, char *out, size_t out_size);
int km_time_canonical_micro(struct km_slice text, char *out, size_t out_size);

/* ---- names ---- */

enum km_name_kind {
    KM_NAME_DNS1123_SUBDOMAIN, /* most objects */
    KM_NAME_DNS1123_LABEL,     /* namespaces */
    KM_NAME_DNS1035_LABEL,     /* services */
    KM_NAME_DNS1123_SUBDOMAIN_UNDERSCORE,
    KM_NAME_WILDCARD_DNS1123_SUBDOMAIN,
    KM_NAME_QUALIFIED, /* label and annotation keys, finalizers, resources */
    KM_NAME_LABEL_VALUE,
    KM_NAME_CONFIG_MAP_KEY,
    KM_NAME_ENV_VAR,
    KM_NAME_RELAXED_ENV_VAR,
    KM_NAME_C_IDENTIFIER,
    KM_NAME_HTTP_HEADER,
    KM_NAME_PERCENT,
    KM_NAME_PORT,
    KM_NAME_FULLY_QUALIFIED,
    KM_NAME_FULLY_QUALIFIED_DOMAIN,
    KM_NAME_DOMAIN_PREFIXED_PATH,
    KM_NAME_DOMAIN_PREFIXED_KEY,
    KM_NAME_PATH_SEGMENT, /* anything that may stand between two slashes of a request's path */
    KM_NAME_KINDS,
};

/* NULL when the text is a name of that kind, else the reason in words, without a full stop. */
const char *km_name_problem(enum km_name_kind kind, struct km_slice text);
/* The same for one kind each: a program that calls only these does not carry the words of all the others. */
const char *km_path_segment_problem(struct km_slice text);
const char *km_label_value_problem(struct km_slice text);
const char *km_qualified_name_problem(struct km_slice text);
/* "dns1123subdomain", "labelvalue", ... for tools; NULL beyond the last. */
const char *km_name_kind_word(enum km_name_kind kind);

#endif
