/* SPDX-License-Identifier: Apache-2.0 */
/* metav1.Status as people read it: more of it than an agent needs. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "cli_priv.h"

#define KM_FULL_CAUSE_FIELDS(S, I, B, R, A, M) \
    S(reason, "/reason", 64) S(message, "/message", 1024) S(field, "/field", 192)
KM_ELEMENT_STRUCT(full_cause, KM_FULL_CAUSE_FIELDS)

#define KM_FULL_STATUS_FIELDS(S, I, B, R, A, M) \
    S(message, "/message", 1800) \
    S(kind, "/details/kind", 128) \
    S(name, "/details/name", 254) \
    S(group, "/details/group", 254) \
    A(causes, "/details/causes", full_cause, 16)
KM_KIND_STRUCT(full_status, KM_FULL_STATUS_FIELDS)

/* The client decodes error answers into it from now on. */
int status_init(struct km_client *client);
const struct km_full_status *status_last(void);
/* Before each request: an answer without a Status must not show the one before. */
void status_forget(void);
/* Puts back what status_last pointed to. */
void status_keep(const struct km_full_status *kept);

/* An error in kubectl's words, without a line end. */
struct fail {
    int err;
    const struct km_request *request; /* may be NULL */
    const char *verb, *source;        /* "error when creating "FILE": "; NULL = none */
    const char *lead;                 /* in front of a Status' message, NULL = none */
    bool alone; /* no other error stands beside it: kubectl words that another way */
};
void fail_put(struct km_buf *out, const struct fail *f);
/* What is wrong with a name that is to stand in a path, if anything. */
bool fail_put_segment(struct km_buf *out, const char *what, const char *name);

#endif
