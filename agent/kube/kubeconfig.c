/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_kubeconfig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_port.h"
#include "kubemote/km_yaml.h"

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
#define EMPTY_CONFIG "no configuration has been provided"

/* One file while it is taken apart. */
struct reader {
    struct km_yaml doc;
    struct km_kubeconfig *out;
    struct km_fault *fault;
    const struct km_yaml_node *cluster, *user; /* the maps behind the names, NULL: not there */
    const char *cluster_name;                  /* for messages */
};

/* ---- the store ---- */

static void wipe(void *data, size_t len)
{
    volatile char *p = data;
    while (len-- > 0)
        *p++ = 0;
}

void km_kubeconfig_wipe_key(struct km_kubeconfig *config)
{
    if (config->key.len > 0)
        wipe(config->store + (config->key.ptr - config->store), config->key.len);
    config->key = (struct km_slice){"", 0};
}

void km_kubeconfig_wipe(struct km_kubeconfig *config)
{
    wipe(config->store, sizeof config->store);
    config->store_len = 0;
    config->ca = config->cert = config->key = config->token = (struct km_slice){"", 0};
}

static void reset(struct km_kubeconfig *out)
{
    memset(out, 0, offsetof(struct km_kubeconfig, store));
    out->ca = out->cert = out->key = out->token = (struct km_slice){"", 0};
}

/* Room in the store, the NUL behind the bytes left aside. */
static size_t store_room(const struct km_kubeconfig *out)
{
    return sizeof out->store - out->store_len - 1;
}

static struct km_slice store_take(struct km_kubeconfig *out, size_t len)
{
    struct km_slice taken = {out->store + out->store_len, len};
    out->store[out->store_len + len] = '\0';
    out->store_len += len + 1;
    return taken;
}

/* ---- base64 ---- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int km_base64_decode(struct km_slice text, char *out, size_t out_size)
{
    uint32_t bits = 0;
    size_t len = 0, digits = 0, pads = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n' || c == '\r')
            continue;
        int value = c == '=' ? 0 : base64_value(c);
        if (value < 0 || (c != '=' && pads > 0))
            return KM_ERR_SYNTAX;
        pads += c == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 != 0)
            continue;
        if (pads > 2 || (pads > 0 && (bits & ((1u << (8 * pads)) - 1)) != 0))
            return KM_ERR_SYNTAX;
        for (size_t k = 0; k < 3 - pads; k++) {
            if (len == out_size)
                return KM_ERR_TOO_LONG;
            out[len++] = (char)(bits >> (16 - 8 * k) & 0xff);
        }
    }
    return digits % 4 == 0 ? (int)len : KM_ERR_SYNTAX;
}

/* ---- credentials from fields and files ---- */

static bool is_text_byte(char c)
{
    return (unsigned char)c > 0x20 && (unsigned char)c < 0x7f;
}

/* What may stand behind "Bearer ": a line end in it would end the header. */
static bool is_token(struct km_slice token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (!is_text_byte(token.ptr[i]))
            return false;
    }
    return token.len > 0;
}

static struct km_slice trim_lines(struct km_slice text)
{
    while (text.len > 0 && memchr(" \t\r\n\v\f", text.ptr[text.len - 1], 6) != NULL)
        text.len--;
    while (text.len > 0 && memchr(" \t\r\n\v\f", text.ptr[0], 6) != NULL)
        text = (struct km_slice){text.ptr + 1, text.len - 1};
    return text;
}

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

static int store_file(struct km_kubeconfig *out, const char *what, const char *path, struct km_slice *value,
                      struct km_fault *fault)
{
    errno = 0;
    int len = km_port_file_read(path, out->store + out->store_len, store_room(out) + 1);
    int system_error = errno;
    if (len == KM_ERR_TOO_LONG)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s %s: more than the %d bytes for all credentials "
                            "(CONFIG_KM_CRED_BYTES)", what, km_path_tail(path), CONFIG_KM_CRED_BYTES);
    if (len < 0)
        return km_fault_set(fault, KM_ERR_CONFIG, "unable to read %s %s: %s", what, km_path_tail(path),
                            km_file_problem(len, system_error));
    if (len == 0)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s %s: the file is empty", what, km_path_tail(path));
    *value = store_take(out, (size_t)len);
    return KM_OK;
}

static int store_token_file(struct km_kubeconfig *out, const char *path, struct km_fault *fault)
{
    struct km_slice text;

    int err = store_file(out, "tokenFile", path, &text, fault);
    if (err != KM_OK)
        return err;
    text = trim_lines(text);
    if (!is_token(text))
        return km_fault_set(fault, KM_ERR_CONFIG, "tokenFile %s: it holds no token", km_path_tail(path));
    out->token = text;
    return KM_OK;
}

/* ---- members of the maps ---- */

/* NULL when the member is missing, null or "": to client-go they are the same. */
static int get_text(const struct reader *r, const struct km_yaml_node *map, const char *key, struct km_slice *out,
                    const struct km_yaml_node **node)
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

static int copy_text(const struct reader *r, const struct km_yaml_node *map, const char *key, char *out, size_t size)
{
    const struct km_yaml_node *node;
    struct km_slice text;

    int err = get_text(r, map, key, &text, &node);
    if (err != KM_OK)
        return err;
    if (km_slice_copy(text, out, size) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "%s: longer than %lu bytes", key, (unsigned long)size - 1);
    return KM_OK;
}

static int store_data(const struct reader *r, const struct km_yaml_node *node, const char *key, struct km_slice text,
                      struct km_slice *value)
{
    struct km_kubeconfig *out = r->out;

    int len = km_base64_decode(text, out->store + out->store_len, store_room(out));
    if (len == KM_ERR_TOO_LONG)
        return km_yaml_error(&r->doc, node, r->fault, "%s: more than the %d bytes for all credentials "
                             "(CONFIG_KM_CRED_BYTES)", key, CONFIG_KM_CRED_BYTES);
    if (len < 0)
        return km_yaml_error(&r->doc, node, r->fault, "%s: malformed base64", key);
    *value = store_take(out, (size_t)len);
    return KM_OK;
}

/* KEY names a file, KEY-data holds the bytes; both at once is an error, as in client-go. */
static int store_pem(const struct reader *r, const struct km_yaml_node *map, const char *key, const char *data_key,
                     struct km_slice *value, char path[KM_KUBECONFIG_PATH_SIZE])
{
    const struct km_yaml_node *file_node, *data_node;
    struct km_slice file, data;

    int err = get_text(r, map, key, &file, &file_node);
    if (err == KM_OK)
        err = get_text(r, map, data_key, &data, &data_node);
    if (err != KM_OK)
        return err;
    if (file_node != NULL && data_node != NULL)
        return km_yaml_error(&r->doc, data_node, r->fault, "%s and %s are both given: leave one out", data_key, key);
    if (data_node != NULL)
        return store_data(r, data_node, data_key, data, value);
    if (file_node == NULL)
        return KM_OK;
    if (resolve_path(r->doc.name, file, path) != KM_OK)
        return km_yaml_error(&r->doc, file_node, r->fault, "%s: the path is longer than %d bytes", key,
                             KM_KUBECONFIG_PATH_SIZE - 1);
    return store_file(r->out, key, path, value, r->fault);
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
        return km_yaml_error(&r->doc, file_node, r->fault, "tokenFile: the path is longer than %d bytes",
                             KM_KUBECONFIG_PATH_SIZE - 1);
    if (token_node == NULL)
        return file_node == NULL ? KM_OK : store_token_file(r->out, r->out->token_file, r->fault);
    if (!is_token(token))
        return km_yaml_error(&r->doc, token_node, r->fault, "token: a blank or a control character has no place here");
    if (token.len > store_room(r->out))
        return km_yaml_error(&r->doc, token_node, r->fault, "token: more than the %d bytes for all credentials "
                             "(CONFIG_KM_CRED_BYTES)", CONFIG_KM_CRED_BYTES);
    memcpy(r->out->store + r->out->store_len, token.ptr, token.len);
    r->out->token = store_take(r->out, token.len);
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

static int refuse_fields(const struct reader *r, const struct km_yaml_node *map, const char *const *keys)
{
    for (; *keys != NULL; keys++) {
        const struct km_yaml_node *node = km_yaml_get(map, *keys);
        if (is_set(node))
            return km_yaml_error(&r->doc, node, r->fault, "%s is not supported", *keys);
    }
    return KM_OK;
}

/* The spellings of true and false in YAML 1.1, which client-go accepts. */
static int read_bool(const struct reader *r, const struct km_yaml_node *node, const char *key, bool *out)
{
    static const char *const words[2][4] = {{"false", "no", "off", "n"}, {"true", "yes", "on", "y"}};

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
        return km_yaml_error(&r->doc, node, r->fault,
                             "insecure-skip-tls-verify is not supported: name the server's certificate-authority");
    return refuse_fields(r, r->cluster, unsupported);
}

static int check_user(const struct reader *r)
{
    static const char *const unsupported[] = {"exec",   "auth-provider", "username",      "password", "as",
                                              "as-uid", "as-groups",     "as-user-extra", NULL};
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
            return km_yaml_error(&r->doc, entry, r->fault, "%s: expected a map with name and %s", list_key, field);
        const struct km_yaml_node *value = km_yaml_get(entry, field);
        if (value != NULL && value->kind != KM_YAML_MAP && value->kind != KM_YAML_NULL)
            return km_yaml_error(&r->doc, value, r->fault, "%s: expected a map", field);
        int err = get_text(r, entry, "name", &name, &name_node);
        if (err != KM_OK)
            return err;
        for (const struct km_yaml_node *before = list->first; before != entry; before = before->next) {
            err = get_text(r, before, "name", &other, &other_node);
            if (err != KM_OK)
                return err;
            if (km_slice_eq(name, other))
                return km_yaml_error(&r->doc, name_node != NULL ? name_node : entry, r->fault,
                                     "%s: duplicate name \"%s\"", list_key, km_yaml_show(name, show));
        }
    }
    return KM_OK;
}

/* The entry of that name, NULL when there is none. */
static const struct km_yaml_node *find_entry(const struct reader *r, const char *list_key, struct km_slice wanted)
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
        return km_yaml_error(&r->doc, node, r->fault, "%s is \"%s\", expected %s", key, km_yaml_show(text, show),
                             wanted);
    return err;
}

static int check_shape(const struct reader *r)
{
    if (r->doc.root == NULL)
        return km_yaml_error(&r->doc, NULL, r->fault, "the file is empty, " EMPTY_CONFIG);
    if (r->doc.root->kind != KM_YAML_MAP)
        return km_yaml_error(&r->doc, r->doc.root, r->fault, "expected a kubeconfig, which is a map");
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

static bool is_dns_label(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        bool inner = i > 0 && i + 1 < len && text[i] == '-';
        if (!inner && !(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= '0' && text[i] <= '9'))
            return false;
    }
    return len > 0 && len <= 63;
}

static int find_context(const struct reader *r, const char *wanted, const struct km_yaml_node **context)
{
    const struct km_yaml_node *node = NULL, *entry;
    struct km_slice name = km_slice_of(wanted);
    char show[KM_YAML_SHOW_SIZE];

    if (name.len == 0) {
        int err = get_text(r, r->doc.root, "current-context", &name, &node);
        if (err != KM_OK)
            return err;
        if (node == NULL)
            return km_yaml_error(&r->doc, NULL, r->fault, EMPTY_CONFIG ": current-context is not set, name a context");
    }
    entry = find_entry(r, "contexts", name);
    if (entry == NULL && node != NULL)
        return km_yaml_error(&r->doc, node, r->fault, "current-context: context \"%s\" does not exist",
                             km_yaml_show(name, show));
    if (entry == NULL)
        return km_yaml_error(&r->doc, NULL, r->fault, "context \"%s\" does not exist", km_yaml_show(name, show));
    if (km_slice_copy(name, r->out->context, sizeof r->out->context) != KM_OK)
        return km_yaml_error(&r->doc, entry, r->fault, "the context's name is longer than %lu bytes",
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
    if (r->out->ns[0] != '\0' && !is_dns_label(r->out->ns))
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
    return KM_OK;
}

/* ---- the server ---- */

static int set_server(struct km_kubeconfig *out, struct km_slice text, struct km_fault *fault)
{
    struct km_url url;

    int err = km_url_parse(text, &url, fault);
    if (err != KM_OK)
        return err;
    out->tls = url.tls;
    out->port = url.port;
    memcpy(out->host, url.host, sizeof out->host);
    memcpy(out->zone, url.zone, sizeof out->zone);
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
    if (!is_token(name) || memchr(name.ptr, '[', name.len) != NULL ||
        km_slice_copy(name, r->out->server_name, sizeof r->out->server_name) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "tls-server-name: \"%s\" is no name or address",
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
    if (set_server(r->out, server, &why) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "%s", why.text);
    return set_server_name(r);
}

static int read_credentials(const struct reader *r)
{
    struct km_kubeconfig *out = r->out;

    int err = store_pem(r, r->cluster, "certificate-authority", "certificate-authority-data", &out->ca, out->ca_file);
    if (err == KM_OK)
        err = store_pem(r, r->user, "client-certificate", "client-certificate-data", &out->cert, out->cert_file);
    if (err == KM_OK)
        err = store_pem(r, r->user, "client-key", "client-key-data", &out->key, out->key_file);
    if (err != KM_OK)
        return err;
    if (out->cert.len > 0 && out->key.len == 0)
        return km_yaml_error(&r->doc, r->user, r->fault, "client-key or client-key-data is missing");
    if (out->cert.len == 0 && out->key.len > 0)
        km_kubeconfig_wipe_key(out); /* client-go does not look at it either */
    return store_tokens(r);
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
    return err;
}

static int finish(struct reader *r, int err)
{
    km_yaml_close(&r->doc);
    if (err != KM_OK)
        km_kubeconfig_wipe(r->out);
    return err;
}

int km_kubeconfig_parse(const char *name, struct km_slice text, const char *context, struct km_kubeconfig *out,
                        struct km_fault *fault)
{
    struct reader r = {.out = out, .fault = fault};

    reset(out);
    (void)km_slice_copy(km_slice_of(km_path_tail(name)), out->source, sizeof out->source);
    int err = km_yaml_parse(&r.doc, name, text, KM_YAML_FIRST_DOCUMENT, fault);
    return err != KM_OK ? err : finish(&r, read_config(&r, context));
}

/* *empty: there is nothing in the file that could be a configuration, so that another source may serve. */
static int load_file(const char *path, const char *context, struct km_kubeconfig *out, bool *empty,
                     struct km_fault *fault)
{
    struct reader r = {.out = out, .fault = fault};

    reset(out);
    *empty = false;
    if (km_slice_copy(km_slice_of(path), out->source, sizeof out->source) != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s: the path is longer than %d bytes", km_path_tail(path),
                            KM_KUBECONFIG_PATH_SIZE - 1);
    int err = km_yaml_load(&r.doc, path, KM_YAML_FIRST_DOCUMENT, fault);
    if (err != KM_OK)
        return err;
    const struct km_yaml_node *clusters = km_yaml_get(r.doc.root, "clusters");
    *empty = r.doc.root == NULL || (r.doc.root->kind == KM_YAML_MAP && (clusters == NULL || clusters->first == NULL) &&
                                    !is_set(km_yaml_get(r.doc.root, "current-context")));
    return finish(&r, read_config(&r, context));
}

/* ---- in-cluster ---- */

static int in_cluster_files(const char *dir, struct km_kubeconfig *out, struct km_fault *fault)
{
    char path[KM_KUBECONFIG_PATH_SIZE];
    const char *ns = getenv("POD_NAMESPACE");
    char text[128];

    if (snprintf(out->token_file, sizeof out->token_file, "%s/token", dir) >= (int)sizeof out->token_file ||
        snprintf(out->ca_file, sizeof out->ca_file, "%s/ca.crt", dir) >= (int)sizeof out->ca_file ||
        snprintf(path, sizeof path, "%s/namespace", dir) >= (int)sizeof path)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s: the path is too long", km_path_tail(dir));
    int err = store_token_file(out, out->token_file, fault);
    if (err != KM_OK)
        return err;
    /* Without a CA file client-go goes on with the system's roots. */
    if (store_file(out, "certificate-authority", out->ca_file, &out->ca, NULL) != KM_OK)
        out->ca_file[0] = '\0';
    if ((ns == NULL || ns[0] == '\0') && km_port_file_read(path, text, sizeof text) > 0)
        ns = text;
    struct km_slice trimmed = trim_lines(km_slice_of(ns));
    if (km_slice_copy(trimmed, out->ns, sizeof out->ns) != KM_OK || !is_dns_label(out->ns))
        memcpy(out->ns, "default", sizeof "default");
    return KM_OK;
}

int km_kubeconfig_load_in_cluster(const char *dir, struct km_kubeconfig *out, struct km_fault *fault)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    char url[KM_HOST_SIZE + 32];

    reset(out);
    if (host == NULL || host[0] == '\0' || port == NULL || port[0] == '\0')
        return km_fault_set(fault, KM_ERR_NOT_FOUND,
                            "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
    bool literal = strchr(host, ':') != NULL;
    int len = snprintf(url, sizeof url, literal ? "https://[%s]:%s" : "https://%s:%s", host, port);
    if (len < 0 || (size_t)len >= sizeof url)
        return km_fault_set(fault, KM_ERR_CONFIG, "KUBERNETES_SERVICE_HOST is too long");
    int err = set_server(out, (struct km_slice){url, (size_t)len}, fault);
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

/* The next name of a list that is split at ':', empty ones skipped. False at the end. */
static bool next_name(const char **list, char *out, size_t out_size, bool *too_long)
{
    while (**list == ':')
        (*list)++;
    if (**list == '\0')
        return false;
    size_t len = strcspn(*list, ":");
    *too_long = km_slice_copy((struct km_slice){*list, len}, out, out_size) != KM_OK;
    *list += len;
    return true;
}

static bool exists(const char *path)
{
    char byte[1];
    /* No room for a single byte: any file but an empty one is too long. */
    return km_port_file_read(path, byte, sizeof byte) != KM_ERR_NOT_FOUND;
}

/* The first file of KUBECONFIG that exists, and how many others do. */
static int first_of_list(const char *list, char *path, size_t size, uint8_t *others, struct km_fault *fault)
{
    char name[KM_KUBECONFIG_PATH_SIZE];
    bool too_long;

    path[0] = '\0';
    *others = 0;
    while (next_name(&list, name, sizeof name, &too_long)) {
        if (too_long)
            return km_fault_set(fault, KM_ERR_CONFIG, "KUBECONFIG: a path is longer than %d bytes",
                                KM_KUBECONFIG_PATH_SIZE - 1);
        if (!exists(name) || strcmp(name, path) == 0)
            continue;
        if (path[0] == '\0')
            (void)km_slice_copy(km_slice_of(name), path, size);
        else if (*others < UINT8_MAX)
            (*others)++;
    }
    return path[0] != '\0' ? KM_OK
                           : km_fault_set(fault, KM_ERR_NOT_FOUND, "none of the files in KUBECONFIG exists");
}

static int default_path(char *path, size_t size, uint8_t *others, struct km_fault *fault)
{
    const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");

    *others = 0;
    if (list != NULL && list[0] != '\0')
        return first_of_list(list, path, size, others, fault);
    if (home == NULL || home[0] == '\0')
        return km_fault_set(fault, KM_ERR_NOT_FOUND, "KUBECONFIG and HOME are not set");
    int len = snprintf(path, size, "%s/.kube/config", home);
    if (len < 0 || (size_t)len >= size)
        return km_fault_set(fault, KM_ERR_CONFIG, "HOME is too long");
    return exists(path) ? KM_OK : km_fault_set(fault, KM_ERR_NOT_FOUND, "%s does not exist", km_path_tail(path));
}

/* KM_ERR_NOT_FOUND: no file, or one without a configuration in it. */
static int load_default_files(const char *context, struct km_kubeconfig *out, struct km_fault *fault)
{
    char path[KM_KUBECONFIG_PATH_SIZE];
    struct km_fault why = {0};
    uint8_t others;
    bool empty;

    int err = default_path(path, sizeof path, &others, fault);
    if (err != KM_OK)
        return err;
    err = load_file(path, context, out, &empty, &why);
    out->unread_files = others;
    if (err == KM_OK)
        return KM_OK;
    if (others > 0)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s (KUBECONFIG names %u more files, which are not merged)",
                            why.text, (unsigned)others);
    return km_fault_set(fault, empty ? KM_ERR_NOT_FOUND : KM_ERR_CONFIG, "%s", why.text);
}

static int search(const struct km_kubeconfig_options *opt, struct km_kubeconfig *out, struct km_fault *fault)
{
    struct km_fault file_fault = {0}, cluster_fault = {0};
    int cluster_err = KM_ERR_NOT_FOUND;

    if (opt->order == KM_IN_CLUSTER_FIRST) {
        cluster_err = km_kubeconfig_load_in_cluster(opt->service_account_dir, out, &cluster_fault);
        if (cluster_err == KM_OK)
            return KM_OK;
    }
    int err = load_default_files(opt->context, out, &file_fault);
    if (err == KM_OK)
        return KM_OK;
    if (err == KM_ERR_NOT_FOUND && opt->order == KM_KUBECONFIG_FIRST) {
        cluster_err = km_kubeconfig_load_in_cluster(opt->service_account_dir, out, &cluster_fault);
        if (cluster_err == KM_OK)
            return KM_OK;
    }
    if (err != KM_ERR_NOT_FOUND || cluster_err == KM_ERR_NOT_FOUND)
        return km_fault_set(fault, KM_ERR_CONFIG, err == KM_ERR_NOT_FOUND ? EMPTY_CONFIG ": %s" : "%s",
                            file_fault.text);
    return km_fault_set(fault, KM_ERR_CONFIG, EMPTY_CONFIG ": in-cluster: %s", cluster_fault.text);
}

int km_kubeconfig_load(const struct km_kubeconfig_options *opt, struct km_kubeconfig *out, struct km_fault *fault)
{
    bool empty;

    if (opt->path == NULL)
        return search(opt, out, fault);
    int err = load_file(opt->path, opt->context, out, &empty, fault);
    return err == KM_ERR_NOT_FOUND ? KM_ERR_CONFIG : err;
}
