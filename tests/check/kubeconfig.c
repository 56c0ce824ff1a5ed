/* SPDX-License-Identifier: Apache-2.0 */
/* kubemote-check kubeconfig FILE[:FILE...] [--context C]: what the loader makes of it, as one JSON object with all secrets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_kubeconfig.h"

static bool first = true;

static void put_text(struct km_slice text)
{
    putchar('"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void put(const char *key, struct km_slice value)
{
    if (value.len == 0)
        return;
    printf("%s\"%s\":", first ? "{" : ",", key);
    put_text(value);
    first = false;
}

static void put_source(const char *file_key, const char *file, const char *data_key,
                       struct km_slice data)
{
    put(file_key, km_slice_of(file));
    if (file[0] == '\0')
        put(data_key, data);
}

static void print_config(const struct km_kubeconfig *c)
{
    static char host[1024];
    struct km_buf buf;

    km_buf_init(&buf, host, sizeof host);
    km_buf_printf(&buf, "%s://%s%s", c->tls ? "https" : "http", c->authority, c->base_path);
    put("host", km_buf_slice(&buf));
    if (strcmp(c->server_name, c->host) != 0)
        put("serverName", km_slice_of(c->server_name));
    put("namespace", km_slice_of(c->ns));
    put("context", km_slice_of(c->context));
    put("user", km_slice_of(c->user));
    put_source("caFile", c->ca_file, "caData", c->ca);
    put_source("certFile", c->cert_file, "certData", c->cert);
    put_source("keyFile", c->key_file, "keyData", c->key);
    put("token", c->token);
    put("tokenFile", km_slice_of(c->token_file));
    put("headers", c->headers);
    puts("}");
}

static bool take_options(int argc, char **argv, struct km_kubeconfig_options *o)
{
    const struct {
        const char *name, **out;
    } flags[] = {
        {"--context", &o->context},
        {"--cluster", &o->cluster},
        {"--user", &o->user},
        {"--server", &o->server},
        {"--tls-server-name", &o->tls_server_name},
        {"--certificate-authority", &o->ca_file},
        {"--client-certificate", &o->cert_file},
        {"--client-key", &o->key_file},
        {"--token", &o->token},
        {"--as", &o->as},
        {"--service-account", &o->service_account_dir},
    };
    for (int i = 2; i < argc; i += 2) {
        size_t at = 0;
        while (at < sizeof flags / sizeof flags[0] && strcmp(flags[at].name, argv[i]) != 0)
            at++;
        if (at == sizeof flags / sizeof flags[0] || i + 1 >= argc)
            return false;
        *flags[at].out = argv[i + 1];
    }
    if (o->service_account_dir != NULL)
        o->order = KM_KUBECONFIG_FIRST;
    return true;
}

int check_kubeconfig(int argc, char **argv)
{
    static struct km_kubeconfig config;
    struct km_kubeconfig_options options = {.order = KM_KUBECONFIG_ONLY};
    struct km_fault fault = {0};

    if (!take_options(argc, argv, &options))
        return check_usage("kubeconfig");
    if (strchr(argv[1], ':') == NULL)
        options.path = argv[1];
    else
        (void)setenv("KUBECONFIG", argv[1], 1);
    if (km_kubeconfig_load(&options, &config, &fault) == KM_OK) {
        print_config(&config);
        return 0;
    }
    fprintf(stderr, "%s\n", fault.text);
    return 1;
}
