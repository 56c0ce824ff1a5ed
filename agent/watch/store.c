/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_rest.h"
#include "watch_priv.h"

/* Opaque but for this: versions of one resource are ordered as decimal numbers (apimachinery's CompareResourceVersion). What is no
   such number says nothing. */
static bool is_version(const char *rv)
{
    size_t len = strlen(rv);

    return len > 0 && rv[0] != '0' && strspn(rv, "0123456789") == len;
}

bool watch_is_older(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);

    if (!is_version(a) || !is_version(b))
        return false;
    return a_len != b_len ? a_len < b_len : strcmp(a, b) < 0;
}

bool watch_may_go_on(int err, const struct km_status *status)
{
    if (err != KM_ERR_STATUS)
        return err == KM_OK;
    return status->code < 429 && !km_status_is_unauthorized(status);
}
