/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label and field selectors ("app in (a,b),!canary", "metadata.name!=x"): parsed, refused and written exactly as apimachinery's
 * labels.Parse and fields.ParseSelector do. Pure; the result points into the text that was parsed, which must stay.
 */
#ifndef KM_SELECTOR_H
#define KM_SELECTOR_H

#include "km_base.h"

/* apimachinery has no limits; more is refused with KM_ERR_TOO_LONG. */
#define KM_SELECTOR_TERMS 32
#define KM_SELECTOR_VALUES 128

enum km_selector_op {
    KM_SELECT_EQUALS,        /* = */
    KM_SELECT_DOUBLE_EQUALS, /* == */
    KM_SELECT_NOT_EQUALS,    /* != */
    KM_SELECT_IN,
    KM_SELECT_NOT_IN,
    KM_SELECT_EXISTS,
    KM_SELECT_NOT_EXISTS,
    KM_SELECT_GREATER,
    KM_SELECT_LESS,
};

struct km_label_term {
    struct km_slice key;
    uint8_t op; /* enum km_selector_op */
    uint16_t first, count;
};

/* Terms sorted by key, values of a term sorted, each once. No terms select everything. */
struct km_label_selector {
    uint16_t term_count, value_count;
    struct km_label_term terms[KM_SELECTOR_TERMS];
    struct km_slice values[KM_SELECTOR_VALUES];
};

struct km_label {
    struct km_slice key, value;
};

/* KM_ERR_SYNTAX or KM_ERR_TOO_LONG with the reason in `fault`. */
int km_label_selector_parse(struct km_slice text, struct km_label_selector *out,
                            struct km_fault *fault);
/* The canonical form. KM_ERR_TOO_LONG when it does not fit; one byte more than the text and 4 for each term is enough. */
int km_label_selector_write(const struct km_label_selector *selector, char *out, size_t out_size);
bool km_label_selector_matches(const struct km_label_selector *selector,
                               const struct km_label *labels, size_t count);

/* A field term; the value is still escaped: \\ \, \= */
struct km_field_term {
    struct km_slice field, value;
    bool not_equal;
};

/* Terms in the order of their texts. */
struct km_field_selector {
    uint16_t term_count;
    struct km_field_term terms[KM_SELECTOR_TERMS];
};

int km_field_selector_parse(struct km_slice text, struct km_field_selector *out,
                            struct km_fault *fault);
int km_field_selector_write(const struct km_field_selector *selector, char *out, size_t out_size);
/* A field that is missing has the value "". */
bool km_field_selector_matches(const struct km_field_selector *selector,
                               const struct km_label *fields, size_t count);

#endif
