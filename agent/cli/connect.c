/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli_status.h"
#include "kubemote/km_log_sink.h"
#include "kubemote/km_scalar.h"

struct cli cli KM_POOL_STORAGE(cli_connection);

const struct flag cli_global_flags[] = {
    {"kubeconfig", 0, FLAG_TEXT, &cli.kubeconfig, "kubeconfig file to use", NULL},
    {"context", 0, FLAG_TEXT, &cli.context, "context of the kubeconfig", NULL},
    {"cluster", 0, FLAG_TEXT, &cli.cluster, "cluster of the kubeconfig", NULL},
    {"user", 0, FLAG_TEXT, &cli.user, "user of the kubeconfig", NULL},
    {"namespace", 'n', FLAG_TEXT, &cli.ns, "namespace of this request", NULL},
    {"server", 's', FLAG_TEXT, &cli.server, "address of the API server", NULL},
    {"token", 0, FLAG_TEXT, &cli.token, "bearer token", NULL},
    {"certificate-authority", 0, FLAG_TEXT, &cli.ca_file, "CA file", NULL},
    {"client-certificate", 0, FLAG_TEXT, &cli.cert_file, "client certificate file", NULL},
    {"client-key", 0, FLAG_TEXT, &cli.key_file, "client key file", NULL},
    {"tls-server-name", 0, FLAG_TEXT, &cli.tls_server_name,
     "name that the server's certificate must be for", NULL},
    {"insecure-skip-tls-verify", 0, FLAG_BOOL, &cli.insecure, "do not verify the server: insecure",
     NULL},
    {"as", 0, FLAG_TEXT, &cli.as, "user to impersonate", NULL},
    {"as-group", 0, FLAG_TEXTS, &cli.as_groups, "group to impersonate, may be repeated", NULL},
    {"request-timeout", 0, FLAG_TEXT, &cli.request_timeout,
     "longest time of one request: 30s, 1m; 0 = none", NULL},
    {"cache-dir", 0, FLAG_TEXT, &cli.cache_dir, "folder of the discovery cache", NULL},
    {"qps", 0, FLAG_INT, &cli.qps, "requests a second", NULL},
    {"burst", 0, FLAG_INT, &cli.burst, "requests at once", NULL},
    {"v", 'v', FLAG_INT, &cli.verbosity, "log on standard error: 6 tells each request", NULL},
    {0},
};

static void on_warning(void *ctx, struct km_slice text)
{
    (void)ctx;
    err_printf("Warning: %.*s\n", (int)text.len, text.ptr);
}

/* An empty value is as if the flag were not there. */
static const char *given(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static int check_timeout(void)
{
    if (cli.request_timeout == NULL || cli_duration_ms(cli.request_timeout) >= 0)
        return KM_OK;
    return km_fault_set(&cli.fault, KM_ERR_CONFIG,
                        "Invalid timeout value. Timeout must be a single integer in seconds, or an "
                        "integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)");
}

/* The library tells where a kubeconfig is wrong; these three are about what was typed. */
static void say_as_kubectl(struct km_fault *fault)
{
    struct km_fault told = {0};
    char text[sizeof fault->text];
    memcpy(text, fault->text, sizeof text);
    const char *context = strstr(text, "context \""), *cluster = strstr(text, "cluster \"");
    char *end = strstr(text, "\" does not exist");
    size_t len = given(cli.kubeconfig) == NULL ? 0 : strlen(cli.kubeconfig);
    if (end != NULL)
        *end = '\0';
    if (end != NULL && context != NULL)
        (void)km_fault_set(&told, KM_ERR_CONFIG,
                           "Error in configuration: context was not found for specified context: "
                           "%s",
                           context + 9);
    else if (end != NULL && cluster != NULL && given(cli.cluster) != NULL)
        (void)km_fault_set(&told, KM_ERR_CONFIG, "no server found for cluster \"%s\"", cluster + 9);
    else if (len > 0 && strncmp(text, cli.kubeconfig, len) == 0 &&
             strcmp(text + len, ": no such file or directory") == 0)
        (void)km_fault_set(&told, KM_ERR_CONFIG, "stat %s", text);
    if (told.code != KM_OK)
        *fault = told;
}

static int load_config(void)
{
    const struct km_kubeconfig_options where = {
        .path = given(cli.kubeconfig),
        .context = given(cli.context),
        .order = KM_KUBECONFIG_FIRST,
        .cluster = given(cli.cluster),
        .user = given(cli.user),
        .server = given(cli.server),
        .tls_server_name = cli.tls_server_name,
        .allow_insecure = true,
        .insecure = cli.insecure,
        .ca_file = cli.ca_file,
        .cert_file = cli.cert_file,
        .key_file = cli.key_file,
        .token = cli.token,
        .as = given(cli.as),
        .as_groups = cli.as_groups.items,
        .as_group_count = cli.as_groups.count,
    };
    int err = km_kubeconfig_load(&where, cli.env->kubeconfig, &cli.fault);
    if (err != KM_OK)
        say_as_kubectl(&cli.fault);
    if (err != KM_OK)
        return err;
    cli.effective_ns = cli.ns != NULL && cli.ns[0] != '\0' ? cli.ns : cli.env->kubeconfig->ns;
    return KM_OK;
}

int cli_connect(void)
{
    int err = check_timeout();
    if (err == KM_OK)
        err = load_config();
    if (err == KM_OK)
        err = km_client_tls(cli.env->kubeconfig, &cli.fault);
    if (err != KM_OK)
        return err;
    if (cli.verbosity > 0)
        km_log_text_init(2, (int)cli.verbosity);
    km_loop_init(cli.env->loop);
    err = km_client_init(&cli.client, cli.env->kubeconfig, cli.env->loop, &cli.fault);
    if (err == KM_OK)
        err = status_init(&cli.client);
    if (err == KM_OK)
        err = km_lane_init(&cli.lane, &cli.client, "requests");
    if (err == KM_OK)
        err = km_lane_init(&cli.watch_lane, &cli.client, "watch");
    if (err != KM_OK)
        return err;
    cli.client.on_warning = on_warning;
    if (cli.qps >= 0)
        km_client_limit(&cli.client, cli.qps > 0 ? (uint32_t)cli.qps : 50,
                        cli.burst > 0 ? (uint32_t)cli.burst : 300);
    km_discovery_init(&cli.discovery, &cli.client, &cli.lane, cli.cache_dir);
    return KM_OK;
}

int cli_call(struct km_request *r)
{
    int64_t limit_ms = cli.request_timeout != NULL ? cli_duration_ms(cli.request_timeout) : 0;
    if (limit_ms > 0)
        r->timeout_ms = limit_ms;
    if (r->retries == 0)
        r->retries = 10;
    status_forget();
    return km_call(r, &cli.lane);
}

int64_t cli_duration_ms(const char *text)
{
    uint64_t seconds;
    int64_t ns;
    if (km_slice_to_u64(km_slice_of(text), &seconds) == KM_OK)
        return seconds < INT32_MAX ? (int64_t)seconds * 1000 : -1;
    return km_duration_parse(km_slice_of(text), &ns) == KM_OK ? ns / 1000000 : -1;
}
