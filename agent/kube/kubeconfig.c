/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubeconfig_priv.h"
#include "kubemote/km_yaml.h"

/* One file while it is taken apart. */
struct reader {
    struct km_yaml doc;
    struct km_kubeconfig *out;
    struct km_fault *fault;
    const struct km_yaml_node *cluster, *user; /* the maps behind the names, NULL: not there */
    const char *cluster_name;                  /* for messages */
};

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

/* NULL when the member is missing, null or "": to client-go they are the same. */
static int get_text(const struct reader *r, const struct km_yaml_node *map, const char *key,
                    struct km_slice *out, const struct km_yaml_node **node)
{
    const struct km_yaml_node *member = km_yaml_get(map, key);

    *out = (struct km_slice){"", 0};
    *node = NULL;
    if (member == NULL || member->kind == KM_YAML_NULL)
        return KM_OK;
    int err = km_yaml_string(&r->doc, member, key, out, r->fault);
    if (err == KM_OK && out->len > 0)
        *node = member;
    return err;
}

static int copy_text(const struct reader *r, const struct km_yaml_node *map, const char *key,
                     char *out, size_t size)
{
    const struct km_yaml_node *node;
    struct km_slice text;

    int err = get_text(r, map, key, &text, &node);
    if (err != KM_OK)
        return err;
    if (km_slice_copy(text, out, size) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "%s: longer than %lu bytes", key,
                             (unsigned long)size - 1);
    return KM_OK;
}

static int store_full(const struct reader *r, const struct km_yaml_node *node, const char *key)
{
    return km_yaml_error(&r->doc, node, r->fault,
                         "%s: more than %d bytes for all credentials (CONFIG_KM_CRED_BYTES)", key,
                         CONFIG_KM_CRED_BYTES);
}

static int store_data(const struct reader *r, const struct km_yaml_node *node, const char *key,
                      struct km_slice text, struct km_slice *value)
{
    int err = kubeconfig_store_base64(r->out, text, value);
    if (err == KM_ERR_TOO_LONG)
        return store_full(r, node, key);
    if (err != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "%s: malformed base64", key);
    return KM_OK;
}

/* KEY names a file, KEY-data holds the bytes; both at once is an error, as in client-go. */
static int store_pem(const struct reader *r, const struct km_yaml_node *map, const char *key,
                     const char *data_key, struct km_slice *value,
                     char path[KM_KUBECONFIG_PATH_SIZE], uint32_t *line)
{
    const struct km_yaml_node *file_node, *data_node;
    struct km_slice file, data;

    int err = get_text(r, map, key, &file, &file_node);
    if (err == KM_OK)
        err = get_text(r, map, data_key, &data, &data_node);
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

static int store_tokens(const struct reader *r)
{
    const struct km_yaml_node *token_node, *file_node;
    struct km_slice token, file;

    int err = get_text(r, r->user, "token", &token, &token_node);
    if (err == KM_OK)
        err = get_text(r, r->user, "tokenFile", &file, &file_node);
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

static bool is_set(const struct km_yaml_node *node)
{
    if (node == NULL || node->kind == KM_YAML_NULL)
        return false;
    if (node->kind == KM_YAML_SCALAR)
        return node->text.len > 0;
    /* an exec or auth-provider that is an empty map is still one */
    return node->kind == KM_YAML_MAP || node->first != NULL;
}

static int refuse_fields(const struct reader *r, const struct km_yaml_node *map,
                         const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        const struct km_yaml_node *node = km_yaml_get(map, *keys);
        if (is_set(node))
            return km_yaml_error(&r->doc, node, r->fault, "%s is not supported", *keys);
    }
    return KM_OK;
}

/* The spellings of true and false in YAML 1.1, which client-go accepts. */
static int read_bool(const struct reader *r, const struct km_yaml_node *node, const char *key,
                     bool *out)
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

static int check_cluster(const struct reader *r)
{
    static const char *const unsupported[] = {"proxy-url", NULL};
    const struct km_yaml_node *node = km_yaml_get(r->cluster, "insecure-skip-tls-verify");
    bool insecure = false;

    if (node != NULL && node->kind != KM_YAML_NULL) {
        int err = read_bool(r, node, "insecure-skip-tls-verify", &insecure);
        if (err != KM_OK)
            return err;
    }
    if (insecure)
        return km_yaml_error(
            &r->doc, node, r->fault,
            "insecure-skip-tls-verify is not supported: name the server's certificate-authority");
    return refuse_fields(r, r->cluster, unsupported);
}

static int check_user(const struct reader *r)
{
    static const char *const unsupported[] = {"exec", "auth-provider", "username",  "password",
                                              "as",   "as-uid",        "as-groups", "as-user-extra",
                                              NULL};
    return refuse_fields(r, r->user, unsupported);
}

/* ---- the three lists ---- */

/* Every entry is a map with a name of its own; `field` holds a map or nothing. */
static int check_list(const struct reader *r, const char *list_key, const char *field)
{
    const struct km_yaml_node *list = km_yaml_get(r->doc.root, list_key), *name_node, *other_node;
    struct km_slice name, other;
    char show[KM_YAML_SHOW_SIZE];

    if (list == NULL || list->kind == KM_YAML_NULL)
        return KM_OK;
    if (list->kind != KM_YAML_LIST)
        return km_yaml_error(&r->doc, list, r->fault, "%s: expected a list", list_key);
    for (const struct km_yaml_node *entry = list->first; entry != NULL; entry = entry->next) {
        if (entry->kind != KM_YAML_MAP)
            return km_yaml_error(&r->doc, entry, r->fault, "%s: expected a map with name and %s",
                                 list_key, field);
        const struct km_yaml_node *value = km_yaml_get(entry, field);
        if (value != NULL && value->kind != KM_YAML_MAP && value->kind != KM_YAML_NULL)
            return km_yaml_error(&r->doc, value, r->fault, "%s: expected a map", field);
        int err = get_text(r, entry, "name", &name, &name_node);
        if (err != KM_OK)
            return err;
        for (const struct km_yaml_node *before = list->first; before != entry;
             before = before->next) {
            err = get_text(r, before, "name", &other, &other_node);
            if (err != KM_OK)
                return err;
            if (km_slice_eq(name, other))
                return km_yaml_error(&r->doc, name_node != NULL ? name_node : entry, r->fault,
                                     "%s: duplicate name \"%s\"", list_key,
                                     km_yaml_show(name, show));
        }
    }
    return KM_OK;
}

/* The entry of that name, NULL when there is none. */
static const struct km_yaml_node *find_entry(const struct reader *r, const char *list_key,
                                             struct km_slice wanted)
{
    const struct km_yaml_node *list = km_yaml_get(r->doc.root, list_key), *node;
    struct km_slice name;

    if (list == NULL || list->kind != KM_YAML_LIST)
        return NULL;
    for (const struct km_yaml_node *entry = list->first; entry != NULL; entry = entry->next) {
        if (get_text(r, entry, "name", &name, &node) == KM_OK && km_slice_eq(name, wanted))
            return entry;
    }
    return NULL;
}

static int expect_text(const struct reader *r, const char *key, const char *wanted)
{
    const struct km_yaml_node *node;
    struct km_slice text;
    char show[KM_YAML_SHOW_SIZE];

    int err = get_text(r, r->doc.root, key, &text, &node);
    if (err == KM_OK && node != NULL && !km_slice_eq_str(text, wanted))
        return km_yaml_error(&r->doc, node, r->fault, "%s is \"%s\", expected %s", key,
                             km_yaml_show(text, show), wanted);
    return err;
}

static int check_shape(const struct reader *r)
{
    if (r->doc.root == NULL)
        return km_yaml_error(&r->doc, NULL, r->fault, "the file is empty, " KUBECONFIG_EMPTY);
    if (r->doc.root->kind != KM_YAML_MAP)
        return km_yaml_error(&r->doc, r->doc.root, r->fault,
                             "expected a kubeconfig, which is a map");
    int err = expect_text(r, "apiVersion", "v1");
    if (err == KM_OK)
        err = expect_text(r, "kind", "Config");
    if (err == KM_OK)
        err = check_list(r, "clusters", "cluster");
    if (err == KM_OK)
        err = check_list(r, "contexts", "context");
    if (err == KM_OK)
        err = check_list(r, "users", "user");
    return err;
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

static int find_context(const struct reader *r, const char *wanted,
                        const struct km_yaml_node **context)
{
    const struct km_yaml_node *node = NULL, *entry;
    struct km_slice name = km_slice_of(wanted);
    char show[KM_YAML_SHOW_SIZE];

    if (name.len == 0) {
        int err = get_text(r, r->doc.root, "current-context", &name, &node);
        if (err != KM_OK)
            return err;
        if (node == NULL)
            return km_yaml_error(&r->doc, NULL, r->fault,
                                 KUBECONFIG_EMPTY
                                 ": current-context is not set, choose a context (--context)");
    }
    entry = find_entry(r, "contexts", name);
    if (entry == NULL && node != NULL)
        return km_yaml_error(&r->doc, node, r->fault,
                             "current-context: context \"%s\" does not exist",
                             km_yaml_show(name, show));
    if (entry == NULL)
        return km_yaml_error(&r->doc, NULL, r->fault, "context \"%s\" does not exist",
                             km_yaml_show(name, show));
    if (km_slice_copy(name, r->out->context, sizeof r->out->context) != KM_OK)
        return km_yaml_error(&r->doc, entry, r->fault,
                             "the context's name is longer than %lu bytes",
                             (unsigned long)sizeof r->out->context - 1);
    *context = km_yaml_get(entry, "context");
    return KM_OK;
}

static int find_parts(struct reader *r, const struct km_yaml_node *context)
{
    const struct km_yaml_node *cluster_node, *user_node;
    struct km_slice cluster, user;
    char show[KM_YAML_SHOW_SIZE];

    int err = get_text(r, context, "cluster", &cluster, &cluster_node);
    if (err == KM_OK)
        err = get_text(r, context, "user", &user, &user_node);
    if (err == KM_OK)
        err = copy_text(r, context, "namespace", r->out->ns, sizeof r->out->ns);
    if (err != KM_OK)
        return err;
    if (r->out->ns[0] != '\0' && !kubeconfig_is_dns_label(r->out->ns))
        return km_yaml_error(&r->doc, km_yaml_get(context, "namespace"), r->fault,
                             "namespace: not a DNS label (a-z, 0-9 and -, at most 63)");
    if (r->out->ns[0] == '\0')
        memcpy(r->out->ns, "default", sizeof "default");

    const struct km_yaml_node *entry = find_entry(r, "clusters", cluster);
    if (cluster_node == NULL && entry == NULL)
        return km_yaml_error(&r->doc, context, r->fault, "context \"%s\" names no cluster",
                             km_yaml_show(km_slice_of(r->out->context), show));
    if (entry == NULL)
        return km_yaml_error(&r->doc, cluster_node, r->fault, "cluster \"%s\" does not exist",
                             km_yaml_show(cluster, show));
    r->cluster = km_yaml_get(entry, "cluster");
    r->cluster_name = cluster.ptr;

    entry = find_entry(r, "users", user);
    r->user = km_yaml_get(entry, "user");
    r->out->user_missing = entry == NULL && user_node != NULL;
    struct km_slice shown = {user.ptr, user.len < 127 ? user.len : 127};
    (void)km_slice_copy(shown, r->out->user, sizeof r->out->user);
    r->out->user_line = user_node != NULL ? user_node->key_line : 0;
    return KM_OK;
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
static int set_server_name(const struct reader *r)
{
    const struct km_yaml_node *node;
    struct km_slice name;
    char show[KM_YAML_SHOW_SIZE];

    int err = get_text(r, r->cluster, "tls-server-name", &name, &node);
    if (err != KM_OK || node == NULL)
        return err;
    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    if (!kubeconfig_is_token(name) || memchr(name.ptr, '[', name.len) != NULL ||
        km_slice_copy(name, r->out->server_name, sizeof r->out->server_name) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault,
                             "tls-server-name: \"%s\" is no name or address",
                             km_yaml_show(name, show));
    return KM_OK;
}

static int read_server(const struct reader *r)
{
    const struct km_yaml_node *node;
    struct km_slice server;
    struct km_fault why = {0};
    char show[KM_YAML_SHOW_SIZE];

    int err = get_text(r, r->cluster, "server", &server, &node);
    if (err != KM_OK)
        return err;
    if (node == NULL)
        return km_yaml_error(&r->doc, r->cluster, r->fault, "no server found for cluster \"%s\"",
                             km_yaml_show(km_slice_of(r->cluster_name), show));
    if (kubeconfig_set_server(r->out, server, &why) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "%s", why.text);
    return set_server_name(r);
}

static int read_credentials(const struct reader *r)
{
    struct km_kubeconfig *out = r->out;

    int err = store_pem(r, r->cluster, "certificate-authority", "certificate-authority-data",
                        &out->ca, out->ca_file, &out->ca_line);
    if (err == KM_OK)
        err = store_pem(r, r->user, "client-certificate", "client-certificate-data", &out->cert,
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

static bool has_credentials(const struct reader *r)
{
    static const char *const keys[] = {"client-certificate", "client-certificate-data", "token",
                                       "tokenFile"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (is_set(km_yaml_get(r->user, keys[i])))
            return true;
    }
    return is_set(km_yaml_get(r->cluster, "certificate-authority")) ||
           is_set(km_yaml_get(r->cluster, "certificate-authority-data"));
}

static int read_config(struct reader *r, const char *context)
{
    const struct km_yaml_node *node = NULL;

    int err = check_shape(r);
    if (err == KM_OK)
        err = find_context(r, context, &node);
    if (err == KM_OK)
        err = find_parts(r, node);
    if (err == KM_OK)
        err = check_cluster(r);
    if (err == KM_OK)
        err = check_user(r);
    if (err == KM_OK)
        err = read_server(r);
    if (err == KM_OK && r->out->tls)
        err = read_credentials(r);
    if (err == KM_OK && !r->out->tls)
        r->out->creds_unused = has_credentials(r);
    return err;
}

static int finish(struct reader *r, int err)
{
    km_yaml_close(&r->doc);
    if (err != KM_OK)
        km_kubeconfig_wipe(r->out);
    return err;
}

int km_kubeconfig_parse(const char *name, struct km_slice text, const char *context,
                        struct km_kubeconfig *out, struct km_fault *fault)
{
    struct reader r = {.out = out, .fault = fault};

    kubeconfig_reset(out);
    (void)km_slice_copy(km_slice_of(km_path_tail(name)), out->source, sizeof out->source);
    int err = km_yaml_parse(&r.doc, name, text, KM_YAML_FIRST_DOCUMENT, fault);
    return finish(&r, err != KM_OK ? err : read_config(&r, context));
}

/* *empty: there is nothing in the file that could be a configuration, so that another source may serve. */
int kubeconfig_load_file(const char *path, const char *context, struct km_kubeconfig *out,
                         bool *empty, struct km_fault *fault)
{
    struct reader r = {.out = out, .fault = fault};

    kubeconfig_reset(out);
    *empty = false;
    if (km_slice_copy(km_slice_of(path), out->source, sizeof out->source) != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s: the path is longer than %d bytes",
                            km_path_tail(path), KM_KUBECONFIG_PATH_SIZE - 1);
    int err = km_yaml_load(&r.doc, path, KM_YAML_FIRST_DOCUMENT, fault);
    if (err != KM_OK)
        return finish(&r, err);
    const struct km_yaml_node *clusters = km_yaml_get(r.doc.root, "clusters");
    *empty = r.doc.root == NULL ||
             (r.doc.root->kind == KM_YAML_MAP && (clusters == NULL || clusters->first == NULL) &&
              !is_set(km_yaml_get(r.doc.root, "current-context")));
    return finish(&r, read_config(&r, context));
}
