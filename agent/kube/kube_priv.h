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

/* Gives TLS the credentials, with the names of where they come from. As km_tls_setup. */
int kube_tls_setup(const struct km_kubeconfig *config, const struct km_tls_creds *creds,
                   struct km_fault *fault);

/* ---- lane.c ---- */

/* Those that await another attempt. */
void kube_cancel_retries(struct km_client *client);

/* ---- kubeconfig_store.c ---- */

/* Zeroes. A plain memset of memory that is not read again may be left out by the compiler. */
void kube_wipe(void *data, size_t len);

/* ---- reload.c ---- */

void kube_reload_init(struct km_client *client);
/* Of the texts, to see whether they changed. */
uint64_t kube_fingerprint(const struct km_tls_creds *creds);
/* The key stands in the kubeconfig itself and is needed again when the CA's file changes. */
bool kube_reload_needs_key(const struct km_kubeconfig *config);
/* Before a request: looks at the files when it is time; then connections of old credentials are closed. connected: the request
   needs no handshake. */
void kube_reload(struct km_client *client, bool connected);
/* The lane's request is done: a connection of old credentials is closed. */
void kube_drop_when_done(struct km_lane *lane);

/* ---- client.c: the exchange's callbacks; ctx is the request ---- */

int kube_on_head(void *ctx, const struct km_http_parser *head);
int kube_on_body(void *ctx, struct km_slice bytes);
void kube_on_done(void *ctx, int err, const struct km_fault *fault);

/* ---- peek.c ---- */

#define KUBE_PEEK_BYTES 512
enum kube_peek { KUBE_PEEK_NO, KUBE_PEEK_YES, KUBE_PEEK_MORE };
/* Whether an answer is a metav1.Status, by its kind and apiVersion. Both stand within its first KUBE_PEEK_BYTES: the API server
   writes them in front of all else, and with members sorted only code and details stand between. MORE: these bytes do not tell. */
enum kube_peek kube_peek_status(struct km_slice first);

/* ---- debug.c: the log's levels 6 to 10 ---- */

/* head NULL: no answer came. */
void kube_debug_answer(const struct km_client *client, const struct km_request *r,
                       const struct km_http_parser *head);
#ifdef CONFIG_KM_LOG_HTTP
void kube_debug_request(const struct km_client *client, const struct km_request *r);
/* The next piece of a body. */
void kube_debug_body(const struct km_http_parser *head, struct km_slice bytes);
#else
static inline void kube_debug_request(const struct km_client *client, const struct km_request *r)
{
    (void)client;
    (void)r;
}
static inline void kube_debug_body(const struct km_http_parser *head, struct km_slice bytes)
{
    (void)head;
    (void)bytes;
}
#endif

/* ---- client.c: what km_client_measure was given ---- */

void kube_measure(const struct km_request *r, enum km_measure what, int64_t value);

/* ---- warning.c ---- */

/* Hands the head's warnings to the client's on_warning. */
void kube_warnings(const struct km_client *client, const struct km_http_parser *head);

/* ---- lane.c ---- */

/* Starts what waits, when the lane is free and the rate limit lets it. */
void kube_start_next(struct km_lane *lane);
/* The request failed on a kept connection that was closed already, and goes out again on a new one. */
bool kube_send_again(struct km_lane *lane, struct km_request *r);
/* Another attempt was set up for later. */
bool kube_retry(struct km_lane *lane, struct km_request *r, int err);
/* Tells the caller. The request may be sent again from there. */
void kube_finish(struct km_lane *lane, struct km_request *r, int err);

#endif
