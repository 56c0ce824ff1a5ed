/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBECONFIG_PRIV_H
#define KUBECONFIG_PRIV_H

#include "kubemote/km_kubeconfig.h"

#define KUBECONFIG_EMPTY "no configuration has been provided"

/* ---- the store of a struct km_kubeconfig ---- */

/* Forgets all fields; the store's old bytes stay until they are overwritten. */
void kubeconfig_reset(struct km_kubeconfig *out);
/* Appends bytes. KM_ERR_TOO_LONG when there is no room. */
int kubeconfig_store(struct km_kubeconfig *out, struct km_slice bytes, struct km_slice *value);
/* Appends what base64 text stands for. KM_ERR_TOO_LONG or KM_ERR_SYNTAX. */
int kubeconfig_store_base64(struct km_kubeconfig *out, struct km_slice text,
                            struct km_slice *value);
/* Appends a file; `what` is the field that names it. KM_ERR_CONFIG with the reason in `fault`. */
int kubeconfig_store_file(struct km_kubeconfig *out, const char *what, const char *path,
                          struct km_slice *value, struct km_fault *fault);
/* Appends the token that a file holds, and sets out->token. */
int kubeconfig_store_token_file(struct km_kubeconfig *out, const char *path,
                                struct km_fault *fault);
/* Not empty, printable ASCII without blanks: what may stand behind "Bearer ". A line end would end the header. */
bool kubeconfig_is_token(struct km_slice token);
struct km_slice kubeconfig_trim(struct km_slice text); /* without blanks and line ends around */

/* ---- parts of the search ---- */

bool kubeconfig_is_dns_label(const char *text);
int kubeconfig_set_server(struct km_kubeconfig *out, struct km_slice url, struct km_fault *fault);
/* Reads a file, or several that are split at ':', of which missing ones are skipped. KM_ERR_NOT_FOUND when there is none.
   *empty: nothing in them could be a configuration, so that another source may serve. */
int kubeconfig_load_files(const char *paths, bool many, const struct km_kubeconfig_options *opt,
                          struct km_kubeconfig *out, bool *empty, struct km_fault *fault);

#endif
