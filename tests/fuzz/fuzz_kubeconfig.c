/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a kubeconfig and as the agent's configuration. What must hold: an error has words with the file's name in
 * front; a result lies inside its own storage, and a plain http server gets no credentials; all heap is given back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_kubeconfig.h"
#include "kubemote/km_node_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "fuzz_kubeconfig: %s\n", what);
    abort();
}

static bool is_inside(struct km_slice s, const char *from, size_t len)
{
    return s.len == 0 || (s.ptr >= from && s.ptr + s.len < from + len && s.ptr[s.len] == '\0');
}

static void check_fault(int err, const struct km_fault *fault)
{
    check(err == KM_ERR_CONFIG, "another code than KM_ERR_CONFIG");
    check(strncmp(fault->text, "f:", 2) == 0 || strncmp(fault->text, "unable to read", 14) == 0 ||
              strstr(fault->text, "file") != NULL,
          "an error without a place");
}

static void check_kubeconfig(const struct km_kubeconfig *c)
{
    check(c->host[0] != '\0' && c->server_name[0] != '\0' && c->port != 0 && c->ns[0] != '\0',
          "an empty field");
    check(strpbrk(c->authority, "\r\n /@") == NULL, "a Host header that is no host");
    check(is_inside(c->ca, c->store, sizeof c->store) &&
              is_inside(c->cert, c->store, sizeof c->store) &&
              is_inside(c->key, c->store, sizeof c->store) &&
              is_inside(c->token, c->store, sizeof c->store),
          "a credential outside the store");
    check(c->tls || c->ca.len + c->cert.len + c->key.len + c->token.len == 0,
          "credentials for plain http");
    check((c->cert.len == 0) == (c->key.len == 0) || c->key.len == 0,
          "a key without a certificate");
    for (size_t i = 0; i < c->token.len; i++)
        check(c->token.ptr[i] > 0x20 && c->token.ptr[i] < 0x7f, "a token that breaks the header");
}

static void check_node_config(const struct km_node_config *c)
{
    check(c->label_count < CONFIG_KM_NODE_LABEL_COUNT &&
              c->taint_count <= CONFIG_KM_NODE_TAINT_COUNT,
          "a count");
    check(c->lease_renew_s * 2 <= c->lease_duration_s && c->lease_renew_s > 0,
          "a lease that expires");
    for (uint16_t i = 0; i < c->label_count; i++)
        check(km_label_is_allowed(km_slice_of(c->labels[i].key)) &&
                  km_label_check(km_slice_of(c->labels[i].key), km_slice_of(c->labels[i].value), "",
                                 NULL) == KM_OK,
              "a label that the server refuses");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct km_kubeconfig kubeconfig;
    static struct km_node_config node_config;
    struct km_slice text = {(const char *)data, size};
    struct km_fault fault = {0};

    int err = km_kubeconfig_parse("f", text, NULL, &kubeconfig, &fault);
    if (err == KM_OK)
        check_kubeconfig(&kubeconfig);
    else
        check_fault(err, &fault);
    km_fault_clear(&fault);
    err = km_node_config_parse("f", text, &node_config, &fault);
    if (err == KM_OK)
        check_node_config(&node_config);
    else
        check_fault(err, &fault);
    return 0;
}
