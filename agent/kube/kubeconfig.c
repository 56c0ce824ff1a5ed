/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubeconfig_priv.h"
#include "kubemote/km_yaml.h"

/*
 * One file at a time while it is taken apart. Of several files the first that has an entry wins, as when clientcmd merges
 * them; so each thing is looked for in all files in their order, and a file is read again when it is not the open one.
 */
struct reader {
    struct km_yaml doc;
    struct km_kubeconfig *out;
    struct km_fault *fault;
    const struct km_kubeconfig_options *opt;
    const char *paths;                         /* NULL: a text in memory */
    bool many;                                 /* paths are several, split at ':' */
    bool empty;                                /* nothing in the files could be a configuration */
    int open;                                  /* which file doc is, -1 for none */
    char path[KM_KUBECONFIG_PATH_SIZE];        /* of that file */
    const struct km_yaml_node *cluster, *user; /* the maps behind the names, NULL: not there */
    char cluster_name[KM_KUBECONFIG_PATH_SIZE], user_name[KM_KUBECONFIG_PATH_SIZE];
};

/* A place in a file that may be closed by the time it is needed for a message. */
struct place {
    int file;
    uint32_t line;
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
    char show[KM_SHOW_SIZE];

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
                                     km_slice_show(name, show));
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
    char show[KM_SHOW_SIZE];

    int err = get_text(r, r->doc.root, key, &text, &node);
    if (err == KM_OK && node != NULL && !km_slice_eq_str(text, wanted))
        return km_yaml_error(&r->doc, node, r->fault, "%s is \"%s\", expected %s", key,
                             km_slice_show(text, show), wanted);
    return err;
}

static int check_shape(struct reader *r)
{
    const struct km_yaml_node *root = r->doc.root, *clusters = km_yaml_get(root, "clusters");

    if (root == NULL)
        return r->many
                   ? KM_OK
                   : km_yaml_error(&r->doc, NULL, r->fault, "the file is empty, " KUBECONFIG_EMPTY);
    if (root->kind != KM_YAML_MAP || (clusters != NULL && clusters->first != NULL) ||
        is_set(km_yaml_get(root, "current-context")))
        r->empty = false;
    if (root->kind != KM_YAML_MAP)
        return km_yaml_error(&r->doc, root, r->fault, "expected a kubeconfig, which is a map");
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

/* ---- the files ---- */

/* Copies the path of a file. KM_EOF behind the last one. */
static int path_of(const struct reader *r, int file, char out[KM_KUBECONFIG_PATH_SIZE])
{
    struct km_slice path = km_slice_of(r->paths);

    for (int i = 0; r->many; i++) {
        path.ptr += strspn(path.ptr, ":");
        path.len = strcspn(path.ptr, ":");
        if (path.len == 0)
            return KM_EOF;
        if (i == file)
            break;
        path.ptr += path.len;
    }
    if (!r->many && file > 0)
        return KM_EOF;
    if (km_slice_copy(path, out, KM_KUBECONFIG_PATH_SIZE) == KM_OK)
        return KM_OK;
    return km_fault_set(r->fault, KM_ERR_CONFIG,
                        r->many ? "KUBECONFIG: %s%s%d bytes" : "%s: %s%d bytes",
                        r->many ? "" : km_path_tail(r->paths),
                        r->many ? "a path is longer than " : "the path is longer than ",
                        KM_KUBECONFIG_PATH_SIZE - 1);
}

/* Opens a file unless it is open. KM_EOF behind the last one: then the open one stays; KM_ERR_NOT_FOUND when it does not exist. */
static int open_file(struct reader *r, int file)
{
    if (file == r->open)
        return KM_OK;
    if (r->paths == NULL)
        return KM_EOF;
    int err = path_of(r, file, r->path);
    if (err == KM_EOF)
        return err;
    km_yaml_close(&r->doc);
    r->open = -1;
    if (err != KM_OK)
        return err;
    /* A missing one among several is none. */
    struct km_fault missing = {0};
    err = km_yaml_load(&r->doc, r->path, KM_YAML_FIRST_DOCUMENT, &missing);
    if (err == KM_ERR_NOT_FOUND && r->many)
        return err;
    r->empty = r->empty && (err == KM_OK || err == KM_ERR_NOT_FOUND);
    if (err != KM_OK)
        return km_fault_set(r->fault, err, "%s", missing.text);
    r->open = file;
    return KM_OK;
}

static int error_at(struct reader *r, struct place place, const char *what, const char *name,
                    const char *problem)
{
    char show[KM_SHOW_SIZE];

    (void)km_slice_show(km_slice_of(name), show);
    if (place.line == 0)
        return r->many
                   ? km_fault_set(r->fault, KM_ERR_CONFIG, "KUBECONFIG: %s \"%s\" %s", what, show,
                                  problem)
                   : km_yaml_error(&r->doc, NULL, r->fault, "%s \"%s\" %s", what, show, problem);
    if (open_file(r, place.file) != KM_OK)
        return KM_ERR_CONFIG;
    return km_fault_set(r->fault, KM_ERR_CONFIG, "%s:%lu: %s \"%s\" %s", km_path_tail(r->doc.name),
                        (unsigned long)place.line, what, show, problem);
}

/* The entry in the first file that has it, which is open then; NULL when none has. */
static int find_in_files(struct reader *r, const char *list_key, const char *name,
                         const struct km_yaml_node **entry)
{
    *entry = NULL;
    for (int file = 0;; file++) {
        int err = open_file(r, file);
        if (err == KM_EOF)
            return KM_OK;
        if (err == KM_ERR_NOT_FOUND)
            continue;
        if (err != KM_OK)
            return err;
        *entry = find_entry(r, list_key, km_slice_of(name));
        if (*entry != NULL)
            return KM_OK;
    }
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

static int take_context_name(struct reader *r, struct km_slice name,
                             const struct km_yaml_node *node)
{
    if (km_slice_copy(name, r->out->context, sizeof r->out->context) == KM_OK)
        return KM_OK;
    return km_yaml_error(&r->doc, node, r->fault, "the context's name is longer than %lu bytes",
                         (unsigned long)sizeof r->out->context - 1);
}

/* Looks at every file; the first current-context counts when none was asked for. */
static int check_files(struct reader *r, struct place *named_at)
{
    int found = 0;

    *named_at = (struct place){0};
    for (int file = 0;; file++) {
        const struct km_yaml_node *node;
        struct km_slice name;
        int err = open_file(r, file);
        if (err == KM_EOF)
            break;
        if (err == KM_ERR_NOT_FOUND && r->many)
            continue;
        if (err == KM_OK)
            err = check_shape(r);
        if (err == KM_OK)
            err = get_text(r, r->doc.root, "current-context", &name, &node);
        if (err != KM_OK)
            return err;
        if (found++ == 0)
            (void)km_slice_copy(km_slice_of(km_path_tail(r->doc.name)), r->out->source,
                                sizeof r->out->source);
        if (node == NULL || r->out->context[0] != '\0')
            continue;
        err = take_context_name(r, name, node);
        if (err != KM_OK)
            return err;
        *named_at = (struct place){file, node->key_line};
    }
    return found > 0
               ? KM_OK
               : km_fault_set(r->fault, KM_ERR_NOT_FOUND, "none of the files in KUBECONFIG exists");
}

static int find_context(struct reader *r, struct place named_at,
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
    int err = find_in_files(r, "contexts", name, &entry);
    if (err != KM_OK)
        return err;
    if (entry == NULL)
        return error_at(r, named_at, named_at.line == 0 ? "context" : "current-context: context",
                        name, "does not exist");
    *context = km_yaml_get(entry, "context");
    return KM_OK;
}

/* What the context says, with the places of the names. */
static int read_context(struct reader *r, const struct km_yaml_node *context, struct place *cluster,
                        struct place *user)
{
    const struct km_yaml_node *cluster_node, *user_node;
    struct km_slice text;

    int err = get_text(r, context, "cluster", &text, &cluster_node);
    if (err == KM_OK)
        err = copy_text(r, context, "cluster", r->cluster_name, sizeof r->cluster_name);
    if (err == KM_OK)
        err = get_text(r, context, "user", &text, &user_node);
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
    *cluster = (struct place){r->open, cluster_node == NULL ? 0 : cluster_node->key_line};
    *user = (struct place){r->open, user_node == NULL ? 0 : user_node->key_line};
    if (cluster_node == NULL && context != NULL)
        cluster->line = context->key_line;
    return KM_OK;
}

/* A name that is given instead of the context's has no place in a file. */
static int override_name(struct reader *r, const char *name, const char *what, char *out,
                         size_t size, struct place *named_at)
{
    if (name == NULL || name[0] == '\0')
        return KM_OK;
    *named_at = (struct place){0};
    return km_slice_copy(km_slice_of(name), out, size) == KM_OK
               ? KM_OK
               : km_fault_set(r->fault, KM_ERR_CONFIG, "the %s's name is longer than %lu bytes",
                              what, (unsigned long)size - 1);
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static int find_cluster(struct reader *r, struct place named_at)
{
    const struct km_yaml_node *entry;

    int err = find_in_files(r, "clusters", r->cluster_name, &entry);
    if (err != KM_OK)
        return err;
    if (entry == NULL && is_given(r->opt->cluster))
        return km_fault_set(r->fault, KM_ERR_CONFIG, "cluster \"%.100s\" does not exist",
                            r->cluster_name);
    if (entry == NULL && is_given(r->opt->server))
        return KM_OK;
    if (entry == NULL && r->cluster_name[0] == '\0')
        return error_at(r, named_at, "context", r->out->context, "names no cluster");
    if (entry == NULL)
        return error_at(r, named_at, "cluster", r->cluster_name, "does not exist");
    r->cluster = km_yaml_get(entry, "cluster");
    return KM_OK;
}

static int find_user(struct reader *r, struct place named_at)
{
    const struct km_yaml_node *entry;

    int err = find_in_files(r, "users", r->user_name, &entry);
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
static int set_server_name(const struct reader *r)
{
    const struct km_yaml_node *node;
    struct km_slice name;
    char show[KM_SHOW_SIZE];

    int err = get_text(r, r->cluster, "tls-server-name", &name, &node);
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

static int read_server(const struct reader *r)
{
    const struct km_yaml_node *node;
    struct km_slice server;
    struct km_fault why = {0};
    char show[KM_SHOW_SIZE];

    if (is_given(r->opt->server))
        return kubeconfig_set_server(r->out, km_slice_of(r->opt->server), r->fault);
    int err = get_text(r, r->cluster, "server", &server, &node);
    if (err != KM_OK)
        return err;
    if (node == NULL)
        return km_yaml_error(&r->doc, r->cluster, r->fault, "no server found for cluster \"%s\"",
                             km_slice_show(km_slice_of(r->cluster_name), show));
    if (kubeconfig_set_server(r->out, server, &why) != KM_OK)
        return km_yaml_error(&r->doc, node, r->fault, "%s", why.text);
    return set_server_name(r);
}

static int read_credentials(const struct reader *r)
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

static bool has_credentials(const struct reader *r)
{
    static const char *const keys[] = {"client-certificate", "client-certificate-data", "token",
                                       "tokenFile"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (is_set(km_yaml_get(r->user, keys[i])))
            return true;
    }
    return false;
}

static int read_cluster(struct reader *r, struct place named_at)
{
    int err = find_cluster(r, named_at);
    if (err == KM_OK)
        err = check_cluster(r);
    if (err == KM_OK)
        err = read_server(r);
    if (err == KM_OK && !r->out->tls)
        r->out->creds_unused = is_set(km_yaml_get(r->cluster, "certificate-authority")) ||
                               is_set(km_yaml_get(r->cluster, "certificate-authority-data"));
    if (err == KM_OK && r->out->tls)
        err = store_pem(r, r->cluster, "certificate-authority", "certificate-authority-data",
                        &r->out->ca, r->out->ca_file, &r->out->ca_line);
    return err;
}

static int read_user(struct reader *r, struct place named_at)
{
    int err = find_user(r, named_at);
    if (err == KM_OK)
        err = check_user(r);
    if (err == KM_OK && !r->out->tls)
        r->out->creds_unused = r->out->creds_unused || has_credentials(r);
    if (err == KM_OK && r->out->tls)
        err = read_credentials(r);
    return err;
}

static int read_config(struct reader *r)
{
    struct place context_at = {0}, cluster_at = {0}, user_at = {0};
    const struct km_yaml_node *node = NULL;
    const char *context = r->opt->context;
    int err = KM_OK;

    if (context != NULL && context[0] != '\0')
        err = take_context_name(r, km_slice_of(context), NULL);
    if (err == KM_OK)
        err = check_files(r, &context_at);
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

static int finish(struct reader *r, int err)
{
    km_yaml_close(&r->doc);
    if (err != KM_OK)
        km_kubeconfig_wipe(r->out);
    return err;
}

/* Static, since it is too large for the stack; km_yaml_parse and km_yaml_load keep a second one out. */
static struct reader the_reader;

int km_kubeconfig_parse(const char *name, struct km_slice text, const char *context,
                        struct km_kubeconfig *out, struct km_fault *fault)
{
    const struct km_kubeconfig_options opt = {.context = context};
    struct reader *r = &the_reader;

    *r = (struct reader){.out = out, .fault = fault, .opt = &opt};
    kubeconfig_reset(out);
    int err = km_yaml_parse(&r->doc, name, text, KM_YAML_FIRST_DOCUMENT, fault);
    return finish(r, err != KM_OK ? err : read_config(r));
}

int kubeconfig_load_files(const char *paths, bool many, const struct km_kubeconfig_options *opt,
                          struct km_kubeconfig *out, bool *empty, struct km_fault *fault)
{
    struct reader *r = &the_reader;

    *r = (struct reader){.out = out,
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
