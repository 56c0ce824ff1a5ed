/* SPDX-License-Identifier: Apache-2.0 */
/* From the entries of a kubeconfig to settings: context, cluster, user, server and credentials. */
#include <string.h>

#include "kubeconfig_reader.h"

/* Relative to the folder of the file that names it. */
static int resolve_path(const char *from, struct km_slice path, char out[KM_KUBECONFIG_PATH_SIZE])
{
    const char *slash = strrchr(from, '/');
    struct km_buf buf;

    km_buf_init(&buf, out, KM_KUBECONFIG_PATH_SIZE);
    if (path.len > 0 && path.ptr[0] != '/' && slash != NULL)
        km_buf_put(&buf, from, (size_t)(slash - from) + 1);
    km_buf_put_slice(&buf, path);
    return buf.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

/* ---- members of the maps ---- */

static int copy_text(const struct kubeconfig_reader *r, const struct km_yaml_node *map,
                     const char *key, char *out, size_t size)
{
    const struct km_yaml_node *node;
    struct km_slice text;

    int err = kubeconfig_get_text(r, map, key, &text, &node);
    if (err != KM_OK)
        return err;
    if (km_slice_copy(text, out, size) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "%s: longer than %lu bytes", key,
                             (unsigned long)size - 1);
    return KM_OK;
}

static int store_full(const struct kubeconfig_reader *r, const struct km_yaml_node *node,
                      const char *key)
{
    return km_yaml_error(&r->doc, node, r->fault,
                         "%s: more than %d bytes for all credentials (CONFIG_KM_CRED_BYTES)", key,
                         CONFIG_KM_CRED_BYTES);
}

static int store_data(const struct kubeconfig_reader *r, const struct km_yaml_node *node,
                      const char *key, struct km_slice text, struct km_slice *value)
{
    int err = kubeconfig_store_base64(r->out, text, value);
    if (err == KM_ERR_TOO_LONG)
        return store_full(r, node, key);
    if (err != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "%s: malformed base64", key);
    return KM_OK;
}

/* KEY names a file, KEY-data holds the bytes; both at once is an error, as in client-go. */
static int store_pem(const struct kubeconfig_reader *r, const struct km_yaml_node *map,
                     const char *key, const char *data_key, struct km_slice *value,
                     char path[KM_KUBECONFIG_PATH_SIZE], uint32_t *line)
{
    const struct km_yaml_node *file_node, *data_node;
    struct km_slice file, data;

    int err = kubeconfig_get_text(r, map, key, &file, &file_node);
    if (err == KM_OK)
        err = kubeconfig_get_text(r, map, data_key, &data, &data_node);
    if (err != KM_OK)
        return err;
    if (file_node != NULL && data_node != NULL)
        return km_yaml_error(&r->doc, data_node, r->fault,
                             "%s and %s are both given: leave one out", data_key, key);
    if (data_node != NULL) {
        *line = data_node->key_line;
        return store_data(r, data_node, data_key, data, value);
    }
    if (file_node == NULL)
        return KM_OK;
    *line = file_node->key_line;
    if (resolve_path(r->doc.name, file, path) != KM_OK)
        return km_yaml_error(&r->doc, file_node, r->fault, "%s: the path is longer than %d bytes",
                             key, KM_KUBECONFIG_PATH_SIZE - 1);
    return kubeconfig_store_file(r->out, key, path, value, r->fault);
}

static int store_tokens(const struct kubeconfig_reader *r)
{
    const struct km_yaml_node *token_node, *file_node;
    struct km_slice token, file;

    int err = kubeconfig_get_text(r, r->user, "token", &token, &token_node);
    if (err == KM_OK)
        err = kubeconfig_get_text(r, r->user, "tokenFile", &file, &file_node);
    if (err != KM_OK)
        return err;
    if (file_node != NULL && resolve_path(r->doc.name, file, r->out->token_file) != KM_OK)
        return km_yaml_error(&r->doc, file_node, r->fault,
                             "tokenFile: the path is longer than %d bytes",
                             KM_KUBECONFIG_PATH_SIZE - 1);
    if (token_node == NULL)
        return file_node == NULL
                   ? KM_OK
                   : kubeconfig_store_token_file(r->out, r->out->token_file, r->fault);
    if (!kubeconfig_is_token(token))
        return km_yaml_error(&r->doc, token_node, r->fault,
                             "token: a blank or a control character has no place here");
    if (kubeconfig_store(r->out, token, &r->out->token) != KM_OK)
        return store_full(r, token_node, "token");
    return KM_OK;
}

/* ---- what is not supported ---- */

static int refuse_fields(const struct kubeconfig_reader *r, const struct km_yaml_node *map,
                         const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        const struct km_yaml_node *node = km_yaml_get(map, *keys);
        if (kubeconfig_is_set(node))
            return km_yaml_error(&r->doc, node, r->fault, "%s is not supported", *keys);
    }
    return KM_OK;
}

/* The spellings of true and false in YAML 1.1, which client-go accepts. */
static int read_bool(const struct kubeconfig_reader *r, const struct km_yaml_node *node,
                     const char *key, bool *out)
{
    static const char *const words[2][4] = {{"false", "no", "off", "n"},
                                            {"true", "yes", "on", "y"}};

    for (int truth = 0; node->kind == KM_YAML_SCALAR && node->plain && truth < 2; truth++) {
        for (int i = 0; i < 4; i++) {
            if (km_slice_eq_nocase(node->text, words[truth][i])) {
                *out = truth == 1;
                return KM_OK;
            }
        }
    }
    return km_yaml_error(&r->doc, node, r->fault, "%s: expected true or false", key);
}

static int check_cluster(const struct kubeconfig_reader *r)
{
    static const char *const unsupported[] = {"proxy-url", NULL};
    const struct km_yaml_node *node = km_yaml_get(r->cluster, "insecure-skip-tls-verify");
    bool insecure = false;

    if (node != NULL && node->kind != KM_YAML_NULL) {
        int err = read_bool(r, node, "insecure-skip-tls-verify", &insecure);
        if (err != KM_OK)
            return err;
    }
    r->out->insecure = insecure && (r->opt->allow_insecure || r->opt->insecure);
    if (insecure && !r->out->insecure)
        return km_yaml_error(
            &r->doc, node, r->fault,
            "insecure-skip-tls-verify is not supported: name the server's certificate-authority");
    return refuse_fields(r, r->cluster, unsupported);
}

static int check_user(const struct kubeconfig_reader *r)
{
    static const char *const unsupported[] = {"exec", "auth-provider", NULL};
    return refuse_fields(r, r->user, unsupported);
}

/* ---- context, cluster, user ---- */

bool kubeconfig_is_dns_label(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        bool inner = i > 0 && i + 1 < len && text[i] == '-';
        if (!inner && !(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= '0' && text[i] <= '9'))
            return false;
    }
    return len > 0 && len <= 63;
}

static int find_context(struct kubeconfig_reader *r, struct kubeconfig_place named_at,
                        const struct km_yaml_node **context)
{
    const struct km_yaml_node *entry;
    const char *name = r->out->context;

    if (name[0] == '\0')
        return r->many
                   ? km_fault_set(r->fault, KM_ERR_CONFIG,
                                  "KUBECONFIG: " KUBECONFIG_EMPTY
                                  ": current-context is not set, choose a context (--context)")
                   : km_yaml_error(&r->doc, NULL, r->fault,
                                   KUBECONFIG_EMPTY
                                   ": current-context is not set, choose a context (--context)");
    int err = kubeconfig_find_in_files(r, "contexts", name, &entry);
    if (err != KM_OK)
        return err;
    if (entry == NULL)
        return kubeconfig_error_at(r, named_at,
                                   named_at.line == 0 ? "context" : "current-context: context",
                                   name, "does not exist");
    *context = km_yaml_get(entry, "context");
    return KM_OK;
}

/* What the context says, with the places of the names. */
static int read_context(struct kubeconfig_reader *r, const struct km_yaml_node *context,
                        struct kubeconfig_place *cluster, struct kubeconfig_place *user)
{
    const struct km_yaml_node *cluster_node, *user_node;
    struct km_slice text;

    int err = kubeconfig_get_text(r, context, "cluster", &text, &cluster_node);
    if (err == KM_OK)
        err = copy_text(r, context, "cluster", r->cluster_name, sizeof r->cluster_name);
    if (err == KM_OK)
        err = kubeconfig_get_text(r, context, "user", &text, &user_node);
    if (err == KM_OK)
        err = copy_text(r, context, "user", r->user_name, sizeof r->user_name);
    if (err == KM_OK)
        err = copy_text(r, context, "namespace", r->out->ns, sizeof r->out->ns);
    if (err != KM_OK)
        return err;
    if (r->out->ns[0] != '\0' && !kubeconfig_is_dns_label(r->out->ns))
        return km_yaml_error(&r->doc, km_yaml_get(context, "namespace"), r->fault,
                             "namespace: not a DNS label (a-z, 0-9 and -, at most 63)");
    if (r->out->ns[0] == '\0')
        memcpy(r->out->ns, "default", sizeof "default");
    *cluster =
        (struct kubeconfig_place){r->open, cluster_node == NULL ? 0 : cluster_node->key_line};
    *user = (struct kubeconfig_place){r->open, user_node == NULL ? 0 : user_node->key_line};
    if (cluster_node == NULL && context != NULL)
        cluster->line = context->key_line;
    return KM_OK;
}

/* A name that is given instead of the context's has no place in a file. */
static int override_name(struct kubeconfig_reader *r, const char *name, const char *what, char *out,
                         size_t size, struct kubeconfig_place *named_at)
{
    if (name == NULL || name[0] == '\0')
        return KM_OK;
    *named_at = (struct kubeconfig_place){0};
    return km_slice_copy(km_slice_of(name), out, size) == KM_OK
               ? KM_OK
               : km_fault_set(r->fault, KM_ERR_CONFIG, "the %s's name is longer than %lu bytes",
                              what, (unsigned long)size - 1);
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static int find_cluster(struct kubeconfig_reader *r, struct kubeconfig_place named_at)
{
    const struct km_yaml_node *entry;

    int err = kubeconfig_find_in_files(r, "clusters", r->cluster_name, &entry);
    if (err != KM_OK)
        return err;
    if (entry == NULL && is_given(r->opt->cluster))
        return km_fault_set(r->fault, KM_ERR_CONFIG, "cluster \"%.100s\" does not exist",
                            r->cluster_name);
    if (entry == NULL && is_given(r->opt->server))
        return KM_OK;
    if (entry == NULL && r->cluster_name[0] == '\0')
        return kubeconfig_error_at(r, named_at, "context", r->out->context, "names no cluster");
    if (entry == NULL)
        return kubeconfig_error_at(r, named_at, "cluster", r->cluster_name, "does not exist");
    r->cluster = km_yaml_get(entry, "cluster");
    return KM_OK;
}

static int find_user(struct kubeconfig_reader *r, struct kubeconfig_place named_at)
{
    const struct km_yaml_node *entry;

    int err = kubeconfig_find_in_files(r, "users", r->user_name, &entry);
    if (err == KM_OK && entry == NULL && is_given(r->opt->user))
        return km_fault_set(r->fault, KM_ERR_CONFIG, "auth info \"%.100s\" does not exist",
                            r->user_name);
    r->user = km_yaml_get(entry, "user");
    r->out->user_missing = err == KM_OK && entry == NULL && named_at.line != 0;
    r->out->user_line = named_at.line;
    struct km_slice shown = km_slice_of(r->user_name);
    if (shown.len >= sizeof r->out->user)
        shown.len = sizeof r->out->user - 1;
    (void)km_slice_copy(shown, r->out->user, sizeof r->out->user);
    return err;
}

/* ---- the server ---- */

int kubeconfig_set_server(struct km_kubeconfig *out, struct km_slice text, struct km_fault *fault)
{
    struct km_url url;

    int err = km_url_parse(text, &url, fault);
    if (err != KM_OK)
        return err;
    if (url.zone[0] != '\0')
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "server: the zone \"%%%s\" of a link-local address is not supported",
                            url.zone);
    out->tls = url.tls;
    out->port = url.port;
    memcpy(out->host, url.host, sizeof out->host);
    memcpy(out->base_path, url.base_path, sizeof out->base_path);
    memcpy(out->server_name, url.host, sizeof out->server_name);
    return km_url_authority(&url, out->authority, sizeof out->authority);
}

/* A trailing dot or brackets would never match what stands in a certificate. */
static int set_server_name(const struct kubeconfig_reader *r)
{
    const struct km_yaml_node *node;
    struct km_slice name;
    char show[KM_SHOW_SIZE];

    int err = kubeconfig_get_text(r, r->cluster, "tls-server-name", &name, &node);
    if (err != KM_OK || node == NULL)
        return err;
    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    if (!kubeconfig_is_token(name) || memchr(name.ptr, '[', name.len) != NULL ||
        km_slice_copy(name, r->out->server_name, sizeof r->out->server_name) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault,
                             "tls-server-name: \"%s\" is no name or address",
                             km_slice_show(name, show));
    return KM_OK;
}

static int read_server(const struct kubeconfig_reader *r)
{
    const struct km_yaml_node *node;
    struct km_slice server;
    struct km_fault why = {0};
    char show[KM_SHOW_SIZE];

    if (is_given(r->opt->server))
        return kubeconfig_set_server(r->out, km_slice_of(r->opt->server), r->fault);
    int err = kubeconfig_get_text(r, r->cluster, "server", &server, &node);
    if (err != KM_OK)
        return err;
    if (node == NULL)
        return km_yaml_error(&r->doc, r->cluster, r->fault, "no server found for cluster \"%s\"",
                             km_slice_show(km_slice_of(r->cluster_name), show));
    if (kubeconfig_set_server(r->out, server, &why) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "%s", why.text);
    return set_server_name(r);
}

static int read_credentials(const struct kubeconfig_reader *r)
{
    struct km_kubeconfig *out = r->out;

    int err = store_pem(r, r->user, "client-certificate", "client-certificate-data", &out->cert,
                        out->cert_file, &out->cert_line);
    if (err == KM_OK)
        err = store_pem(r, r->user, "client-key", "client-key-data", &out->key, out->key_file,
                        &out->key_line);
    if (err != KM_OK)
        return err;
    if (out->cert.len > 0 && out->key.len == 0)
        return km_yaml_error(&r->doc, r->user, r->fault,
                             "client-key or client-key-data is missing");
    if (out->cert.len == 0 && out->key.len > 0)
        km_kubeconfig_wipe_key(out); /* client-go does not look at it either */
    return store_tokens(r);
}

static bool has_credentials(const struct kubeconfig_reader *r)
{
    static const char *const keys[] = {"client-certificate", "client-certificate-data", "token",
                                       "tokenFile", "username"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (kubeconfig_is_set(km_yaml_get(r->user, keys[i])))
            return true;
    }
    return false;
}

static int read_cluster(struct kubeconfig_reader *r, struct kubeconfig_place named_at)
{
    int err = find_cluster(r, named_at);
    if (err == KM_OK)
        err = check_cluster(r);
    if (err == KM_OK)
        err = read_server(r);
    if (err == KM_OK && !r->out->tls)
        r->out->creds_unused =
            kubeconfig_is_set(km_yaml_get(r->cluster, "certificate-authority")) ||
            kubeconfig_is_set(km_yaml_get(r->cluster, "certificate-authority-data"));
    if (err == KM_OK && r->out->tls && !r->opt->insecure)
        err = store_pem(r, r->cluster, "certificate-authority", "certificate-authority-data",
                        &r->out->ca, r->out->ca_file, &r->out->ca_line);
    return err;
}

static int read_user(struct kubeconfig_reader *r, struct kubeconfig_place named_at)
{
    int err = find_user(r, named_at);
    if (err == KM_OK)
        err = check_user(r);
    if (err == KM_OK && !r->out->tls)
        r->out->creds_unused = r->out->creds_unused || has_credentials(r);
    if (err == KM_OK && r->out->tls)
        err = read_credentials(r);
    return err == KM_OK ? kubeconfig_identity(r, r->opt, r->out, r->fault) : err;
}

static int read_config(struct kubeconfig_reader *r)
{
    struct kubeconfig_place context_at = {0}, cluster_at = {0}, user_at = {0};
    const struct km_yaml_node *node = NULL;
    const char *context = r->opt->context;
    int err = KM_OK;

    if (context != NULL && context[0] != '\0')
        err = kubeconfig_take_context_name(r, km_slice_of(context), NULL);
    if (err == KM_OK)
        err = kubeconfig_check_files(r, &context_at);
    if (err == KM_OK && (r->out->context[0] != '\0' || !is_given(r->opt->server)))
        err = find_context(r, context_at, &node);
    if (err == KM_OK)
        err = read_context(r, node, &cluster_at, &user_at);
    if (err == KM_OK)
        err = override_name(r, r->opt->cluster, "cluster", r->cluster_name, sizeof r->cluster_name,
                            &cluster_at);
    if (err == KM_OK)
        err = override_name(r, r->opt->user, "user", r->user_name, sizeof r->user_name, &user_at);
    if (err == KM_OK)
        err = read_cluster(r, cluster_at);
    if (err == KM_OK)
        err = read_user(r, user_at);
    return err;
}

static int finish(struct kubeconfig_reader *r, int err)
{
    km_yaml_close(&r->doc);
    if (err != KM_OK)
        km_kubeconfig_wipe(r->out);
    return err;
}

/* Static, since it is too large for the stack; km_yaml_parse and km_yaml_load keep a second one out. */
static struct kubeconfig_reader the_reader;

int km_kubeconfig_parse(const char *name, struct km_slice text, const char *context,
                        struct km_kubeconfig *out, struct km_fault *fault)
{
    const struct km_kubeconfig_options opt = {.context = context};
    struct kubeconfig_reader *r = &the_reader;

    *r = (struct kubeconfig_reader){.out = out, .fault = fault, .opt = &opt};
    kubeconfig_reset(out);
    int err = km_yaml_parse(&r->doc, name, text, KM_YAML_FIRST_DOCUMENT, fault);
    return finish(r, err != KM_OK ? err : read_config(r));
}

int kubeconfig_load_files(const char *paths, bool many, const struct km_kubeconfig_options *opt,
                          struct km_kubeconfig *out, bool *empty, struct km_fault *fault)
{
    struct kubeconfig_reader *r = &the_reader;

    *r = (struct kubeconfig_reader){.out = out,
                                    .fault = fault,
                                    .opt = opt,
                                    .paths = paths,
                                    .many = many,
                                    .empty = true,
                                    .open = -1};
    kubeconfig_reset(out);
    int err = finish(r, read_config(r));
    *empty = r->empty && (err == KM_OK || err == KM_ERR_CONFIG);
    return err;
}
