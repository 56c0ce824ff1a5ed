/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "errors.h"
#include "input.h"
#include "kubemote/km_json.h"
#include "kubemote/km_manifest.h"
#include "kubemote/km_yaml.h"
#include "tree.h"

#define FOLDER_DEPTH 16
#define PATH_BYTES 1024
#define HEADROOM 1024 /* in front of a document, for what is put into it */

static struct {
    char file[CONFIG_KM_CLI_FILE_BYTES];
    char document[HEADROOM + CONFIG_KM_CLI_FILE_BYTES];
    char anchors[CONFIG_KM_CLI_ANCHOR_BYTES];
    struct km_manifest_member members[CONFIG_KM_CLI_MANIFEST_MEMBERS_COUNT];
    char path[PATH_BYTES];
    struct input_object object;
    unsigned stdin_count;
} work KM_POOL_STORAGE(cli_input);

/* ---- one file ---- */

/* Standard input that is still in `file`, since it was read last. */
static size_t stdin_kept;

static int read_stdin(struct km_slice *text, struct km_fault *fault)
{
    size_t len = stdin_kept;
    int got;
    while ((got = km_port_read(0, work.file + len, sizeof work.file - len)) > 0) {
        len += (size_t)got;
        if (len == sizeof work.file)
            return km_fault_set(fault, KM_ERR_CONFIG,
                                "more than %d bytes (CONFIG_KM_CLI_FILE_BYTES)",
                                CONFIG_KM_CLI_FILE_BYTES - 1);
    }
    *text = (struct km_slice){work.file, len};
    stdin_kept = len;
    return got == KM_EOF ? KM_OK : km_fault_set(fault, KM_ERR_CONFIG, "it can't be read");
}

int input_file(const char *path, struct km_slice *text, struct km_fault *fault)
{
    if (strcmp(path, "-") == 0)
        return read_stdin(text, fault);
    stdin_kept = 0;
    int len = km_port_file_read(path, work.file, sizeof work.file);
    if (len == KM_ERR_TOO_LONG)
        return km_fault_set(fault, KM_ERR_CONFIG, "more than %d bytes (CONFIG_KM_CLI_FILE_BYTES)",
                            CONFIG_KM_CLI_FILE_BYTES - 1);
    if (len < 0)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s", km_file_problem(len, errno));
    *text = (struct km_slice){work.file, (size_t)len};
    return KM_OK;
}

static void begin(struct km_manifest *manifest, const char *name, struct km_slice text)
{
    const struct km_manifest_work memory = {
        .json = work.document + HEADROOM,
        .json_size = sizeof work.document - HEADROOM,
        .anchors = work.anchors,
        .anchors_size = sizeof work.anchors,
        .members = work.members,
        .member_count = sizeof work.members / sizeof work.members[0],
    };
    km_manifest_init(manifest, name, text, &memory);
}

int input_json(const char *name, struct km_slice text, struct km_slice *json,
               struct km_fault *fault)
{
    struct km_manifest manifest;
    begin(&manifest, name, text);
    int err = km_manifest_next(&manifest, json, fault);
    if (err == KM_EOF)
        *json = km_slice_of("null");
    return err == KM_EOF ? KM_OK : err;
}

/* ---- objects of a document ---- */

/* False when the member is there and is no text. */
static bool take_text(struct km_slice json, const char *pointer, char *out, size_t size)
{
    struct km_slice value;
    out[0] = '\0';
    if (km_json_find(json, pointer, &value) != KM_OK)
        return true;
    return value.len > 0 && value.ptr[0] == '"' && km_json_unquote(value, out, size);
}

bool input_insert(struct km_slice *json, size_t at, const char *text)
{
    size_t len = strlen(text), start = (size_t)(json->ptr - work.document);
    if (start < len || start > sizeof work.document)
        return false;
    char *to = work.document + start - len;
    memmove(to, json->ptr, at);
    memcpy(to + at, text, len);
    *json = (struct km_slice){to, json->len + len};
    return true;
}

/* Items of a ConfigMapList and the like need not say what they are. */
struct list_type {
    char api_version[320], kind[128];
};

static void insert_type(struct km_slice *json, const struct list_type *type)
{
    char text[512];
    struct km_buf out;
    struct km_slice value;
    size_t kind = strlen(type->kind);
    if (kind <= 4 || json->len < 2 || json->ptr[0] != '{' ||
        km_json_find(*json, "/kind", &value) == KM_OK)
        return;
    km_buf_init(&out, text, sizeof text);
    km_buf_printf(&out, "\"apiVersion\":\"%s\",\"kind\":\"%.*s\"%s", type->api_version,
                  (int)(kind - 4), type->kind, json->len > 2 ? "," : "");
    if (!out.overflow)
        (void)input_insert(json, 1, text);
}

static const char *type_name(struct km_slice value)
{
    switch (value.ptr[0]) {
    case '{':
        return "object";
    case '[':
        return "array";
    case '"':
        return "string";
    case 't':
    case 'f':
        return "bool";
    default:
        return "number";
    }
}

/* Labels and annotations: texts, or null. False after an error was added. */
static bool check_texts(const char *source, struct km_slice json, const char *field)
{
    char pointer[32];
    struct km_buf out;
    struct km_slice map, value;
    struct tree_member m = {0};
    km_buf_init(&out, pointer, sizeof pointer);
    km_buf_printf(&out, "/metadata/%s", field);
    if (km_json_find(json, pointer, &map) != KM_OK || map.ptr[0] == 'n')
        return true;
    const char *wanted = map.ptr[0] == '{' ? "string" : "map[string]string";
    value = map;
    while (map.ptr[0] == '{') {
        if (!tree_next(map, &m))
            return true;
        value = tree_value(map, m.value);
        if (value.ptr[0] != '"' && value.ptr[0] != 'n')
            break;
    }
    errors_add_input("unable to decode \"%s\": json: cannot unmarshal %s into Go struct field "
                     "ObjectMeta.metadata.%s of type %s",
                     source, type_name(value), field, wanted);
    return false;
}

static void tell(const struct input *input, const char *source, struct km_slice json)
{
    struct input_object *o = &work.object;
    o->source = source;
    o->json = json;
    (void)take_text(json, "/apiVersion", o->api_version, sizeof o->api_version);
    (void)take_text(json, "/kind", o->kind, sizeof o->kind);
    if (o->kind[0] == '\0') {
        errors_add_input("unable to decode \"%s\": Object 'Kind' is missing in '%.*s'", source,
                         (int)(json.len < 1024 ? json.len : 1024), json.ptr);
        return;
    }
    if (!check_texts(source, json, "annotations") || !check_texts(source, json, "labels"))
        return;
    if (!take_text(json, "/metadata/name", o->name, sizeof o->name) ||
        !take_text(json, "/metadata/namespace", o->ns, sizeof o->ns) ||
        !take_text(json, "/metadata/generateName", o->generate_name, sizeof o->generate_name)) {
        errors_add_input(
            "unable to decode \"%s\": name, namespace and generateName in metadata must "
            "be texts of at most %d bytes",
            source, (int)sizeof o->name - 1);
        return;
    }
    input->fn(input->ctx, o);
}

/* Behind an item its place is free, and what is put into the next one goes there. */
static void tell_items(const struct input *input, const char *source, struct km_slice list,
                       const struct list_type *type)
{
    for (size_t at = 1; at < list.len && list.ptr[at] != ']';) {
        struct km_slice item = tree_value(list, at);
        at += item.len;
        at += at < list.len && list.ptr[at] == ',';
        insert_type(&item, type);
        tell(input, source, item);
    }
}

static bool tell_list(const struct input *input, const char *source, struct km_slice json)
{
    struct list_type type;
    struct km_slice items;
    if (json.ptr[0] != '{' || km_json_find(json, "/items", &items) != KM_OK || items.ptr[0] != '[')
        return false;
    if (!take_text(json, "/apiVersion", type.api_version, sizeof type.api_version) ||
        !take_text(json, "/kind", type.kind, sizeof type.kind))
        type.kind[0] = '\0';
    tell_items(input, source, items, &type);
    return true;
}

/* False: the rest of the file is not looked at. */
static bool check_type(const char *source, struct km_slice json)
{
    const char *problem = NULL;
    struct km_slice value;
    if (json.ptr[0] != '{') {
        problem = "invalid object to validate";
    } else {
        bool version = km_json_find(json, "/apiVersion", &value) == KM_OK;
        bool kind = km_json_find(json, "/kind", &value) == KM_OK;
        problem = version && kind     ? NULL
                  : !version && !kind ? "[apiVersion not set, kind not set]"
                  : version           ? "kind not set"
                                      : "apiVersion not set";
    }
    if (problem != NULL)
        errors_add_input(
            "error validating \"%s\": error validating data: %s; if you choose to ignore "
            "these errors, turn validation off with --validate=false",
            source, problem);
    return problem == NULL;
}

static bool tell_document(const struct input *input, const char *source, struct km_slice json)
{
    if (km_slice_eq_str(json, "null"))
        return true;
    if (input->validate && !check_type(source, json))
        return false;
    if (!tell_list(input, source, json))
        tell(input, source, json);
    return true;
}

static void read_file(const struct input *input, const char *path)
{
    const char *source = strcmp(path, "-") == 0 ? "STDIN" : path;
    struct km_fault fault = {0};
    struct km_manifest manifest;
    struct km_slice text, json;
    if (input_file(path, &text, &fault) != KM_OK) {
        errors_add_input("error parsing %s: %s", source, fault.text);
        return;
    }
    begin(&manifest, source, text);
    int err = km_manifest_next(&manifest, &json, &fault);
    while (err == KM_OK && tell_document(input, source, json))
        err = km_manifest_next(&manifest, &json, &fault);
    if (err != KM_OK && err != KM_EOF)
        errors_add_input("error parsing %s", fault.text);
}

/* ---- paths ---- */

static bool is_manifest(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL &&
           (strcmp(dot, ".json") == 0 || strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* Files below the folder in work.path, each folder's in the order of names. fn NULL: only counts them. */
static unsigned walk(const struct input *input, unsigned depth,
                     void (*fn)(const struct input *input, const char *path))
{
    size_t len = strlen(work.path);
    char name[256] = "";
    unsigned count = 0;
    while (len + 1 < sizeof work.path &&
           km_port_folder_next(work.path, name, sizeof name) == KM_OK) {
        if (len + strlen(name) + 2 > sizeof work.path)
            continue;
        size_t at = len;
        if (work.path[len - 1] != '/')
            work.path[at++] = '/';
        memcpy(work.path + at, name, strlen(name) + 1);
        int folder = km_port_is_folder(work.path);
        if (folder > 0 && input->recursive && depth < FOLDER_DEPTH) {
            count += walk(input, depth + 1, fn);
        } else if (folder == 0 && is_manifest(name)) {
            count++;
            if (fn != NULL)
                fn(input, work.path);
        }
        work.path[len] = '\0';
    }
    return count;
}

/* A folder without manifests is a mistake only when nothing was named before it. */
static bool is_first(const struct input *input)
{
    const char *first = input->files->items[0];
    size_t len = strcspn(first, ",");
    return strlen(work.path) == len && strncmp(work.path, first, len) == 0;
}

static void check_path(const struct input *input)
{
    if (strcmp(work.path, "-") == 0) {
        work.stdin_count++;
        return;
    }
    if (strncmp(work.path, "http://", 7) == 0 || strncmp(work.path, "https://", 8) == 0) {
        errors_add_text("\"%s\": manifests are read from files, not from the network", work.path);
        return;
    }
    int folder = km_port_is_folder(work.path);
    if (folder < 0)
        errors_add_text("the path \"%s\" does not exist", work.path);
    else if (folder > 0 && walk(input, 0, NULL) == 0 && !errors_any() && is_first(input))
        errors_add_text("error reading [%s]: recognized file extensions are [.json .yaml .yml]",
                        work.path);
}

static void read_path(const struct input *input)
{
    if (strcmp(work.path, "-") != 0 && km_port_is_folder(work.path) > 0)
        (void)walk(input, 0, read_file);
    else
        read_file(input, work.path);
}

static void each_path(const struct input *input, void (*fn)(const struct input *input))
{
    for (uint16_t i = 0; i < input->files->count; i++) {
        const char *at = input->files->items[i];
        while (*at != '\0') {
            size_t len = strcspn(at, ",");
            if (km_slice_copy((struct km_slice){at, len}, work.path, sizeof work.path) != KM_OK)
                errors_add_text("the path \"%.*s...\" is longer than %d bytes", 60, at,
                                PATH_BYTES - 1);
            else if (len > 0)
                fn(input);
            at += len + (at[len] == ',');
        }
    }
}

int input_check(const struct input *input)
{
    work.stdin_count = 0;
    each_path(input, check_path);
    if (work.stdin_count > 1)
        errors_add_text("standard input cannot be used for multiple arguments");
    return errors_any() ? KM_ERR_CONFIG : KM_OK;
}

void input_read(const struct input *input)
{
    each_path(input, read_path);
}
