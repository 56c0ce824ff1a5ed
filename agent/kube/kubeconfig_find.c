/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "kubeconfig_reader.h"
#include "kubemote/km_port.h"
#include "kubemote/km_yaml.h"

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

/* ---- in-cluster ---- */

static int in_cluster_files(const char *dir, struct km_kubeconfig *out, struct km_fault *fault)
{
    char path[KM_KUBECONFIG_PATH_SIZE];
    const char *ns = getenv("POD_NAMESPACE");
    char text[128];

    if (km_format(out->token_file, sizeof out->token_file, "%s/token", dir) >=
            (int)sizeof out->token_file ||
        km_format(out->ca_file, sizeof out->ca_file, "%s/ca.crt", dir) >=
            (int)sizeof out->ca_file ||
        km_format(path, sizeof path, "%s/namespace", dir) >= (int)sizeof path)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s: the path is too long", km_path_tail(dir));
    int err = kubeconfig_store_token_file(out, out->token_file, fault);
    if (err != KM_OK)
        return err;
    /* Without a CA file client-go goes on with the system's roots. */
    if (kubeconfig_store_file(out, "certificate-authority", out->ca_file, &out->ca, NULL) != KM_OK)
        out->ca_file[0] = '\0';
    if ((ns == NULL || ns[0] == '\0') && km_port_file_read(path, text, sizeof text) > 0)
        ns = text;
    struct km_slice trimmed = kubeconfig_trim(km_slice_of(ns));
    if (km_slice_copy(trimmed, out->ns, sizeof out->ns) != KM_OK ||
        !kubeconfig_is_dns_label(out->ns))
        memcpy(out->ns, "default", sizeof "default");
    return KM_OK;
}

int km_kubeconfig_load_in_cluster(const char *dir, struct km_kubeconfig *out,
                                  struct km_fault *fault)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    char url[KM_HOST_SIZE + 32];

    kubeconfig_reset(out);
    if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0')
        return km_fault_set(
            fault, KM_ERR_NOT_FOUND,
            "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
    bool literal = strchr(host, ':') != NULL;
    int len = km_format(url, sizeof url, literal ? "https://[%s]:%s" : "https://%s:%s", host, port);
    if (len < 0 || (size_t)len >= sizeof url)
        return km_fault_set(fault, KM_ERR_CONFIG, "KUBERNETES_SERVICE_HOST is too long");
    int err = kubeconfig_set_server(out, (struct km_slice){url, (size_t)len}, fault);
    if (err == KM_OK)
        err = in_cluster_files(dir != NULL ? dir : SERVICE_ACCOUNT_DIR, out, fault);
    if (err != KM_OK) {
        km_kubeconfig_wipe(out);
        return err;
    }
    out->in_cluster = true;
    memcpy(out->source, "in-cluster", sizeof "in-cluster");
    return KM_OK;
}

/* ---- the search ---- */

static int home_path(char *path, size_t size, struct km_fault *fault)
{
    const char *home = getenv("HOME");

    if (home == NULL || home[0] == '\0')
        return km_fault_set(fault, KM_ERR_NOT_FOUND, "KUBECONFIG and HOME are not set");
    int len = km_format(path, size, "%s/.kube/config", home);
    if (len < 0 || (size_t)len >= size)
        return km_fault_set(fault, KM_ERR_CONFIG, "HOME is too long");
    return KM_OK;
}

/* KM_ERR_NOT_FOUND: no file, or none with a configuration in it. Not inlined, to keep each stack frame small. */
__attribute__((noinline)) static int load_default_files(const struct km_kubeconfig_options *opt,
                                                        struct km_kubeconfig *out,
                                                        struct km_fault *fault)
{
    const char *list = getenv("KUBECONFIG");
    char path[KM_KUBECONFIG_PATH_SIZE];
    struct km_fault why = {0};
    bool empty, many = list != NULL && list[0] != '\0';

    int err = many ? KM_OK : home_path(path, sizeof path, fault);
    if (err != KM_OK)
        return err;
    err = kubeconfig_load_files(many ? list : path, many, opt, out, &empty, &why);
    if (err == KM_OK)
        return KM_OK;
    if (err == KM_ERR_NOT_FOUND && !many)
        return km_fault_set(fault, err, "%s does not exist", km_path_tail(path));
    return km_fault_set(fault, empty || err == KM_ERR_NOT_FOUND ? KM_ERR_NOT_FOUND : KM_ERR_CONFIG,
                        "%s", why.text);
}

static int search(const struct km_kubeconfig_options *opt, struct km_kubeconfig *out,
                  struct km_fault *fault)
{
    struct km_fault file_fault = {0}, cluster_fault = {0};
    int cluster_err = KM_ERR_NOT_FOUND;
    /* A context that was asked for by name stands in a kubeconfig or nowhere. */
    bool named =
        opt->context != NULL || opt->cluster != NULL || opt->user != NULL || opt->server != NULL;
    enum km_kubeconfig_order order = named ? KM_KUBECONFIG_ONLY : opt->order;

    if (order == KM_IN_CLUSTER_FIRST) {
        cluster_err = km_kubeconfig_load_in_cluster(opt->service_account_dir, out, &cluster_fault);
        if (cluster_err == KM_OK)
            return KM_OK;
    }
    int err = load_default_files(opt, out, &file_fault);
    if (err == KM_OK)
        return KM_OK;
    if (err == KM_ERR_NOT_FOUND && order == KM_KUBECONFIG_FIRST) {
        cluster_err = km_kubeconfig_load_in_cluster(opt->service_account_dir, out, &cluster_fault);
        if (cluster_err == KM_OK)
            return KM_OK;
    }
    if (err != KM_ERR_NOT_FOUND || cluster_err == KM_ERR_NOT_FOUND)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            err == KM_ERR_NOT_FOUND ? KUBECONFIG_EMPTY ": %s" : "%s",
                            file_fault.text);
    return km_fault_set(fault, KM_ERR_CONFIG, KUBECONFIG_EMPTY ": in-cluster: %s",
                        cluster_fault.text);
}

/* ---- what is given beside the files ---- */

static int override_file(struct km_kubeconfig *out, const char *what, const char *given, char *path,
                         struct km_slice *value, struct km_fault *fault)
{
    if (given == NULL || given[0] == '\0')
        return KM_OK;
    if (km_slice_copy(km_slice_of(given), path, KM_KUBECONFIG_PATH_SIZE) != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s: the path is longer than %d bytes", what,
                            KM_KUBECONFIG_PATH_SIZE - 1);
    return kubeconfig_store_file(out, what, path, value, fault);
}

static int override_token(struct km_kubeconfig *out, const char *token, struct km_fault *fault)
{
    if (token == NULL || token[0] == '\0')
        return KM_OK;
    if (!kubeconfig_is_token(km_slice_of(token)))
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "token: a blank or a control character has no place here");
    out->token_file[0] = '\0';
    return kubeconfig_store(out, km_slice_of(token), &out->token) == KM_OK
               ? KM_OK
               : km_fault_set(
                     fault, KM_ERR_CONFIG,
                     "token: more than %d bytes for all credentials (CONFIG_KM_CRED_BYTES)",
                     CONFIG_KM_CRED_BYTES);
}

static int override_server_name(struct km_kubeconfig *out, const char *name, struct km_fault *fault)
{
    if (name == NULL || name[0] == '\0')
        return KM_OK;
    if (!kubeconfig_is_token(km_slice_of(name)) || strchr(name, '[') != NULL ||
        km_slice_copy(km_slice_of(name), out->server_name, sizeof out->server_name) != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "tls-server-name: \"%.60s\" is no name or address", name);
    return KM_OK;
}

/* As kubectl: a given authority takes the file's switch away, and a service account is verified whatever is asked for. */
static int override_trust(const struct km_kubeconfig_options *opt, struct km_kubeconfig *out,
                          struct km_fault *fault)
{
    bool given = opt->ca_file != NULL && opt->ca_file[0] != '\0';
    int err =
        override_file(out, "certificate-authority", opt->ca_file, out->ca_file, &out->ca, fault);
    if (given || opt->insecure)
        out->insecure = opt->insecure && !out->in_cluster;
    if (err == KM_OK && out->insecure && out->ca.len > 0)
        err = km_fault_set(fault, KM_ERR_CONFIG,
                           "specifying a root certificates file with the insecure flag is not "
                           "allowed");
    out->insecure = out->insecure && err == KM_OK;
    return err;
}

/* A plain http server is not shown credentials, wherever they come from. */
static int override(const struct km_kubeconfig_options *opt, struct km_kubeconfig *out,
                    struct km_fault *fault)
{
    /* With a kubeconfig its user's entry was read with them. */
    int err = out->headers.len == 0 ? kubeconfig_identity(NULL, opt, out, fault) : KM_OK;
    if (!out->tls || err != KM_OK)
        return err;
    err = override_trust(opt, out, fault);
    if (err == KM_OK)
        err = override_file(out, "client-certificate", opt->cert_file, out->cert_file, &out->cert,
                            fault);
    if (err == KM_OK)
        err = override_file(out, "client-key", opt->key_file, out->key_file, &out->key, fault);
    if (err == KM_OK)
        err = override_token(out, opt->token, fault);
    if (err == KM_OK)
        err = override_server_name(out, opt->tls_server_name, fault);
    if (err == KM_OK && out->cert.len > 0 && out->key.len == 0)
        err = km_fault_set(fault, KM_ERR_CONFIG, "client-key is missing");
    if (err != KM_OK)
        km_kubeconfig_wipe(out);
    return err;
}

/* A server that is given needs no file. */
static int load_without_file(const struct km_kubeconfig_options *opt, struct km_kubeconfig *out,
                             struct km_fault *fault)
{
    kubeconfig_reset(out);
    memcpy(out->ns, "default", sizeof "default");
    int err = kubeconfig_set_server(out, km_slice_of(opt->server), fault);
    return err == KM_OK ? override(opt, out, fault) : err;
}

static bool is_without_file(const struct km_kubeconfig_options *opt)
{
    const char *list = getenv("KUBECONFIG");
    char path[KM_KUBECONFIG_PATH_SIZE];
    if (opt->path != NULL || opt->context != NULL || opt->cluster != NULL || opt->user != NULL ||
        opt->server == NULL || opt->server[0] == '\0' || (list != NULL && list[0] != '\0'))
        return false;
    return home_path(path, sizeof path, NULL) != KM_OK || km_port_is_folder(path) < 0;
}

int km_kubeconfig_load(const struct km_kubeconfig_options *opt, struct km_kubeconfig *out,
                       struct km_fault *fault)
{
    bool empty;

    if (is_without_file(opt))
        return load_without_file(opt, out, fault);
    int err = opt->path == NULL ? search(opt, out, fault)
                                : kubeconfig_load_files(opt->path, false, opt, out, &empty, fault);
    if (err == KM_OK)
        return override(opt, out, fault);
    if (opt->path == NULL || err != KM_ERR_NOT_FOUND)
        return err;
    /* A file that was asked for by name and is not there is a mistake. */
    if (fault != NULL)
        fault->code = KM_ERR_CONFIG;
    return KM_ERR_CONFIG;
}
