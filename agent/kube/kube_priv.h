/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBE_PRIV_H
#define KUBE_PRIV_H

#include "kubemote/km_kube.h"

/* Fills endpoint, host_header and user_agent from the configuration. */
void kube_endpoint_init(struct km_client *client);
/* Reads the token (or token file) the first time. */
int kube_token_init(struct km_client *client, struct km_fault *fault);
/* The bearer token for a request that starts now; empty when there is none. A token file is read again when the last reading
   is 50 s old; when that fails the old token stays. */
struct km_slice kube_token(struct km_client *client, int64_t now_ms);

#endif
