/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "km_version.h"
#include "kube_priv.h"
#include "kubeconfig_priv.h"
#include "kubemote/km_log.h"
#include "kubemote/km_yaml.h"

/* client-go takes a token from a file for valid for a minute and reads again 10 s before its end. */
#define TOKEN_FRESH_MS 50000
#define ENTROPY_WAIT_MS 200

void kube_endpoint_init(struct km_client *client)
{
    const struct km_kubeconfig *config = client->config;
    (void)km_slice_copy(km_slice_of(config->host), client->endpoint.host,
                        sizeof client->endpoint.host);
    (void)km_slice_copy(km_slice_of(config->server_name), client->endpoint.server_name,
                        sizeof client->endpoint.server_name);
    (void)km_slice_copy(km_slice_of(config->authority), client->host_header,
                        sizeof client->host_header);
    client->endpoint.port = config->port;
    client->endpoint.tls = config->tls;
    (void)km_format(client->user_agent, sizeof client->user_agent,
                    "kubemote/" KM_VERSION " (linux/%s)", km_architecture());
}

int km_client_user_agent(struct km_client *client, const char *text)
{
    if (text == NULL)
        return KM_ERR_ARG;
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return KM_ERR_ARG;
    }
    if (strlen(text) >= sizeof client->user_agent)
        return KM_ERR_TOO_LONG;
    memcpy(client->user_agent, text, strlen(text) + 1);
    return KM_OK;
}

/* "FIELD FILE", or "KUBECONFIG:LINE: FIELD-data" for what stands in the kubeconfig itself. */
static const char *origin(const struct km_kubeconfig *config, const char *field, const char *file,
                          uint32_t line, char out[KM_KUBECONFIG_PATH_SIZE])
{
    struct km_buf text;
    km_buf_init(&text, out, KM_KUBECONFIG_PATH_SIZE);
    if (file[0] != '\0')
        km_buf_printf(&text, "%s %s", field, km_path_tail(file));
    else
        km_buf_printf(&text, "%s:%lu: %s-data", km_path_tail(config->source), (unsigned long)line,
                      field);
    return out;
}

int kube_tls_setup(const struct km_kubeconfig *config, const struct km_tls_creds *creds,
                   struct km_fault *fault)
{
    char ca[KM_KUBECONFIG_PATH_SIZE], cert[sizeof ca], key[sizeof ca];
    const struct km_tls_creds named = {
        .ca = creds->ca,
        .cert = creds->cert,
        .key = creds->key,
        .insecure = config->insecure,
        .ca_name = origin(config, "certificate-authority", config->ca_file, config->ca_line, ca),
        .cert_name =
            origin(config, "client-certificate", config->cert_file, config->cert_line, cert),
        .key_name = origin(config, "client-key", config->key_file, config->key_line, key)};
    return km_tls_setup(&named, fault);
}

int km_client_tls(struct km_kubeconfig *config, struct km_fault *fault)
{
    const struct km_tls_creds creds = {.ca = config->ca, .cert = config->cert, .key = config->key};
    if (!config->tls)
        return KM_OK;
    int err = kube_tls_setup(config, &creds, fault);
    if (err == KM_AGAIN)
        KM_WARN("Waiting for the kernel's random numbers, as there are none yet after its start");
    while (err == KM_AGAIN && !km_port_stop_requested()) {
        (void)km_port_poll(NULL, 0, ENTROPY_WAIT_MS);
        km_fault_clear(fault);
        err = kube_tls_setup(config, &creds, fault);
    }
    config->fingerprint = kube_fingerprint(&creds);
    if (!kube_reload_needs_key(config))
        km_kubeconfig_wipe_key(config);
    return err;
}

static int take_token(struct km_client *client, struct km_slice text)
{
    text = kubeconfig_trim(text);
    if (!kubeconfig_is_token(text))
        return KM_ERR_SYNTAX;
    if (text.len >= sizeof client->token)
        return KM_ERR_TOO_LONG;
    memcpy(client->token, text.ptr, text.len);
    client->token_len = text.len;
    return KM_OK;
}

static int read_token_file(struct km_client *client, int64_t now_ms)
{
    static char text[CONFIG_KM_TOKEN_BYTES] KM_POOL_STORAGE(token_text);
    int len = km_port_file_read(client->config->token_file, text, sizeof text);
    client->token_read_ms = now_ms;
    if (len < 0)
        return len;
    int err = take_token(client, (struct km_slice){text, (size_t)len});
    kube_wipe(text, sizeof text);
    return err;
}

int kube_token_init(struct km_client *client, struct km_fault *fault)
{
    const struct km_kubeconfig *config = client->config;
    if (!config->tls)
        return KM_OK;
    int err = config->token.len > 0 ? take_token(client, config->token) : KM_OK;
    if (err == KM_ERR_TOO_LONG)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "%s: the token is longer than CONFIG_KM_TOKEN_BYTES (%d)",
                            config->source, CONFIG_KM_TOKEN_BYTES);
    if (err != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "%s: a blank or a control character has no place in the token",
                            config->source);
    if (config->token_file[0] == '\0')
        return KM_OK;
    err = read_token_file(client, km_port_now_ms());
    if (err == KM_OK || client->token_len > 0)
        return KM_OK;
    return km_fault_set(fault, KM_ERR_CONFIG, "token file %s can't be read: %s", config->token_file,
                        km_strerror(err));
}

struct km_slice kube_token(struct km_client *client, int64_t now_ms)
{
    if (client->config->token_file[0] != '\0' && client->config->tls &&
        now_ms - client->token_read_ms >= TOKEN_FRESH_MS) {
        int err = read_token_file(client, now_ms);
        if (err != KM_OK && !client->token_failing)
            KM_WARN("The token file can't be read, the old token is kept",
                    KM_S("file", client->config->token_file), KM_S("reason", km_strerror(err)));
        client->token_failing = err != KM_OK;
    }
    return (struct km_slice){client->token, client->token_len};
}
