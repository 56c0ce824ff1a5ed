/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a kubeconfig: which there are, what shape they must have, and in which of them an entry stands. */
#include <string.h>

#include "kubeconfig_reader.h"

/* NULL when the member is missing, null or "": to client-go they are the same. */
int kubeconfig_get_text(const struct kubeconfig_reader *r, const struct km_yaml_node *map,
                        const char *key, struct km_slice *out, const struct km_yaml_node **node)
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

bool kubeconfig_is_set(const struct km_yaml_node *node)
{
    if (node == NULL || node->kind == KM_YAML_NULL)
        return false;
    if (node->kind == KM_YAML_SCALAR)
        return node->text.len > 0;
    /* an exec or auth-provider that is an empty map is still one */
    return node->kind == KM_YAML_MAP || node->first != NULL;
}

/* ---- the three lists ---- */

/* Every entry is a map with a name of its own; `field` holds a map or nothing. */
static int check_list(const struct kubeconfig_reader *r, const char *list_key, const char *field)
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
        int err = kubeconfig_get_text(r, entry, "name", &name, &name_node);
        if (err != KM_OK)
            return err;
        for (const struct km_yaml_node *before = list->first; before != entry;
             before = before->next) {
            err = kubeconfig_get_text(r, before, "name", &other, &other_node);
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
static const struct km_yaml_node *find_entry(const struct kubeconfig_reader *r,
                                             const char *list_key, struct km_slice wanted)
{
    const struct km_yaml_node *list = km_yaml_get(r->doc.root, list_key), *node;
    struct km_slice name;

    if (list == NULL || list->kind != KM_YAML_LIST)
        return NULL;
    for (const struct km_yaml_node *entry = list->first; entry != NULL; entry = entry->next) {
        if (kubeconfig_get_text(r, entry, "name", &name, &node) == KM_OK &&
            km_slice_eq(name, wanted))
            return entry;
    }
    return NULL;
}

static int expect_text(const struct kubeconfig_reader *r, const char *key, const char *wanted)
{
    const struct km_yaml_node *node;
    struct km_slice text;
    char show[KM_SHOW_SIZE];

    int err = kubeconfig_get_text(r, r->doc.root, key, &text, &node);
    if (err == KM_OK && node != NULL && !km_slice_eq_str(text, wanted))
        return km_yaml_error(&r->doc, node, r->fault, "%s is \"%s\", expected %s", key,
                             km_slice_show(text, show), wanted);
    return err;
}

static int check_shape(struct kubeconfig_reader *r)
{
    const struct km_yaml_node *root = r->doc.root, *clusters = km_yaml_get(root, "clusters");

    if (root == NULL)
        return r->many
                   ? KM_OK
                   : km_yaml_error(&r->doc, NULL, r->fault, "the file is empty, " KUBECONFIG_EMPTY);
    if (root->kind != KM_YAML_MAP || (clusters != NULL && clusters->first != NULL) ||
        kubeconfig_is_set(km_yaml_get(root, "current-context")))
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
static int path_of(const struct kubeconfig_reader *r, int file, char out[KM_KUBECONFIG_PATH_SIZE])
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
int kubeconfig_open_file(struct kubeconfig_reader *r, int file)
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

int kubeconfig_error_at(struct kubeconfig_reader *r, struct kubeconfig_place place,
                        const char *what, const char *name, const char *problem)
{
    char show[KM_SHOW_SIZE];

    (void)km_slice_show(km_slice_of(name), show);
    if (place.line == 0)
        return r->many
                   ? km_fault_set(r->fault, KM_ERR_CONFIG, "KUBECONFIG: %s \"%s\" %s", what, show,
                                  problem)
                   : km_yaml_error(&r->doc, NULL, r->fault, "%s \"%s\" %s", what, show, problem);
    if (kubeconfig_open_file(r, place.file) != KM_OK)
        return KM_ERR_CONFIG;
    return km_fault_set(r->fault, KM_ERR_CONFIG, "%s:%lu: %s \"%s\" %s", km_path_tail(r->doc.name),
                        (unsigned long)place.line, what, show, problem);
}

/* The entry in the first file that has it, which is open then; NULL when none has. */
int kubeconfig_find_in_files(struct kubeconfig_reader *r, const char *list_key, const char *name,
                             const struct km_yaml_node **entry)
{
    *entry = NULL;
    for (int file = 0;; file++) {
        int err = kubeconfig_open_file(r, file);
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

int kubeconfig_take_context_name(struct kubeconfig_reader *r, struct km_slice name,
                                 const struct km_yaml_node *node)
{
    if (km_slice_copy(name, r->out->context, sizeof r->out->context) == KM_OK)
        return KM_OK;
    return km_yaml_error(&r->doc, node, r->fault, "the context's name is longer than %lu bytes",
                         (unsigned long)sizeof r->out->context - 1);
}

/* Looks at every file; the first current-context counts when none was asked for. */
int kubeconfig_check_files(struct kubeconfig_reader *r, struct kubeconfig_place *named_at)
{
    int found = 0;

    *named_at = (struct kubeconfig_place){0};
    for (int file = 0;; file++) {
        const struct km_yaml_node *node;
        struct km_slice name;
        int err = kubeconfig_open_file(r, file);
        if (err == KM_EOF)
            break;
        if (err == KM_ERR_NOT_FOUND && r->many)
            continue;
        if (err == KM_OK)
            err = check_shape(r);
        if (err == KM_OK)
            err = kubeconfig_get_text(r, r->doc.root, "current-context", &name, &node);
        if (err != KM_OK)
            return err;
        if (found++ == 0)
            (void)km_slice_copy(km_slice_of(km_path_tail(r->doc.name)), r->out->source,
                                sizeof r->out->source);
        if (node == NULL || r->out->context[0] != '\0')
            continue;
        err = kubeconfig_take_context_name(r, name, node);
        if (err != KM_OK)
            return err;
        *named_at = (struct kubeconfig_place){file, node->key_line};
    }
    return found > 0
               ? KM_OK
               : km_fault_set(r->fault, KM_ERR_NOT_FOUND, "none of the files in KUBECONFIG exists");
}
