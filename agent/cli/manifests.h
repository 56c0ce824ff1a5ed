/* SPDX-License-Identifier: Apache-2.0 */
/* What create and apply share. */
#ifndef MANIFESTS_H
#define MANIFESTS_H

#include "visit.h"

struct manifest_flags {
    struct visit visit;
    const char *validate, *field_manager, *dry_run_text;
    /* Made of them. */
    const char *validation;
    enum dry_run dry_run;
};

/* KM_ERR_CONFIG after a message. */
int manifest_flags_check(struct manifest_flags *f);
/* What is sent: the manifest, with its namespace. */
struct km_slice manifest_body(const struct item *item);

#endif
