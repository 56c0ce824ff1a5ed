/* SPDX-License-Identifier: Apache-2.0 */
/* metav1.Status as people read it: more of it than an agent needs. */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include "cli_priv.h"

#define KM_FULL_CAUSE_FIELDS(S, I, B, R, A, M) \
    S(reason, "/reason", 64) S(message, "/message", 512) S(field, "/field", 192)
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

#endif
