/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FAIL_GENERIC_H
#define FAIL_GENERIC_H

#include "cli_priv.h"

/* For km_client.error_text. */
struct km_buf *fail_generic_text(void);
/* What a request was about, by its path; false when that is no resource. Slices of r->target, still escaped. */
bool fail_generic_target(const struct km_request *r, struct km_slice *group,
                         struct km_slice *resource, struct km_slice *name);
/* The message of an error answer without a Status (r->no_status). */
void fail_generic_put(struct km_buf *out, const struct km_request *r);
/* The whole line for code 422. */
void fail_generic_put_invalid(struct km_buf *out, const struct km_request *r);
/* Whether the answer was text at all. */
bool fail_generic_is_text(void);

#endif
