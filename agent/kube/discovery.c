/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the text of discovery, and the file that keeps it. What asks the server is in discovery_read.c. */
#include <stdlib.h>
#include <string.h>

#include "discovery_priv.h"

#define MAGIC "kubemote discovery 1\n"

static char storage[CONFIG_KM_DISCOVERY_BYTES] KM_POOL_STORAGE(discovery_text);

/* ---- lines ---- */

static bool take_line(struct km_slice *text, struct km_slice *line)
{
    if (text->len == 0)
        return false;
    const char *end = memchr(text->ptr, '\n', text->len);
    size_t len = end == NULL ? text->len : (size_t)(end - text->ptr);
    *line = (struct km_slice){text->ptr, len};
    len += end != NULL;
    text->ptr += len;
    text->len -= len;
    return true;
}

static int take_word(struct km_slice *line, char *out, size_t size)
{
    const char *end = line->len > 0 ? memchr(line->ptr, ' ', line->len) : NULL;
    size_t len = end == NULL ? line->len : (size_t)(end - line->ptr);
    struct km_slice word = {line->ptr, len};
    len += end != NULL;
    line->ptr += len;
    line->len -= len;
    return km_slice_copy(km_slice_eq_str(word, "-") ? (struct km_slice){0} : word, out, size);
}

static int parse_line(struct km_slice line, struct km_api_resource *r)
{
    char scope[16];
    const struct {
        char *out;
        size_t size;
    } words[] = {
        {r->group, sizeof r->group},
        {r->version, sizeof r->version},
        {r->plural, sizeof r->plural},
        {r->singular, sizeof r->singular},
        {r->kind, sizeof r->kind},
        {scope, sizeof scope},
        {r->verbs, sizeof r->verbs},
        {r->short_names, sizeof r->short_names},
        {r->categories, sizeof r->categories},
        {r->subresources, sizeof r->subresources},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (take_word(&line, words[i].out, words[i].size) != KM_OK)
            return KM_ERR_SYNTAX;
    }
    r->namespaced = strcmp(scope, "namespaced") == 0;
    r->resource = (struct km_resource){r->group, r->version, r->plural};
    return r->plural[0] != '\0' && r->version[0] != '\0' ? KM_OK : KM_ERR_SYNTAX;
}

bool km_list_has(const char *list, const char *name)
{
    size_t len = strlen(name);
    while (*list != '\0') {
        size_t item = strcspn(list, ",");
        if (item == len && strncmp(list, name, len) == 0)
            return true;
        list += item + (list[item] == ',');
    }
    return false;
}

/* ---- the file ---- */

/* Clusters may share an address and differ in the path. */
static void put_file_name(struct km_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                     (*text >= '0' && *text <= '9') || *text == '.' || *text == '-';
        km_buf_putc(out, plain ? *text : '_');
    }
}

static void choose_file(struct km_discovery *d, const char *folder)
{
    struct km_buf path;
    const char *cache = getenv("KUBECACHEDIR"), *home = getenv("HOME");
    km_buf_init(&path, d->file, sizeof d->file);
    if (folder != NULL)
        km_buf_puts(&path, folder);
    else if (cache != NULL && cache[0] != '\0')
        km_buf_printf(&path, "%s/kubemote", cache);
    else if (home != NULL && home[0] != '\0')
        km_buf_printf(&path, "%s/.kube/cache/kubemote", home);
    if (path.len == 0)
        return;
    if (!path.overflow)
        (void)km_port_folder_make(d->file);
    km_buf_puts(&path, "/discovery-");
    put_file_name(&path, d->client->host_header);
    put_file_name(&path, d->client->config->base_path);
    if (path.overflow)
        d->file[0] = '\0';
}

void km_discovery_init(struct km_discovery *d, struct km_client *client, struct km_lane *lane,
                       const char *folder)
{
    memset(d, 0, sizeof *d);
    d->client = client;
    d->lane = lane;
    d->max_age_s = CONFIG_KM_DISCOVERY_SECONDS;
    km_buf_init(&d->text, storage, sizeof storage);
    choose_file(d, folder);
}

static bool load_file(struct km_discovery *d)
{
    if (d->file[0] == '\0')
        return false;
    int64_t age_s = km_port_file_age_s(d->file);
    if (age_s < 0 || age_s > d->max_age_s)
        return false;
    int len = km_port_file_read(d->file, storage, sizeof storage);
    size_t magic = strlen(MAGIC);
    if (len < 2 || (size_t)len < magic || memcmp(storage, MAGIC, magic) != 0 ||
        storage[len - 1] != '\n')
        return false;
    d->text.len = (size_t)len;
    d->loaded = true;
    return true;
}

int km_discovery_refresh(struct km_discovery *d, struct km_fault *fault)
{
    d->loaded = false;
    d->failed[0] = '\0';
    km_buf_reset(&d->text);
    km_buf_puts(&d->text, MAGIC);
    int err = discovery_read(d, fault);
    if (err != KM_OK)
        return err;
    d->loaded = d->fresh = true;
    /* A part that did not answer must be asked for again next time. */
    if (d->file[0] != '\0' && d->failed[0] == '\0')
        (void)km_port_file_replace(d->file, d->text.data, d->text.len);
    return KM_OK;
}

static int load(struct km_discovery *d, struct km_fault *fault)
{
    return d->loaded || load_file(d) ? KM_OK : km_discovery_refresh(d, fault);
}

/* ---- look-ups ---- */

int km_discovery_each(struct km_discovery *d, struct km_api_resource *out,
                      int (*fn)(void *ctx, const struct km_api_resource *resource), void *ctx,
                      struct km_fault *fault)
{
    int err = load(d, fault);
    struct km_slice text = km_buf_slice(&d->text), line;
    (void)take_line(&text, &line);
    while (err == KM_OK && take_line(&text, &line)) {
        if (parse_line(line, out) == KM_OK)
            err = fn(ctx, out);
    }
    return err;
}

struct search {
    char name[128], rest[256]; /* lower case; rest: behind the first dot */
    struct km_api_resource *out;
    enum { BY_PLURAL, BY_SINGULAR, BY_KIND, BY_SHORT_NAME, BY_END } by;
};

static bool same_name(const struct search *s, const struct km_api_resource *r)
{
    switch (s->by) {
    case BY_PLURAL:
        return strcmp(s->name, r->plural) == 0;
    case BY_SINGULAR:
        return strcmp(s->name, r->singular) == 0;
    case BY_KIND:
        return km_slice_eq_nocase(km_slice_of(r->kind), s->name);
    default:
        return km_list_has(r->short_names, s->name);
    }
}

/* "apps", "v1.apps", "v1." or a group's first letters. */
static bool same_group(const char *rest, const struct km_api_resource *r)
{
    size_t version = strcspn(rest, ".");
    if (rest[0] == '\0')
        return true;
    if (strlen(r->version) == version && strncmp(rest, r->version, version) == 0 &&
        rest[version] == '.' && strcmp(rest + version + 1, r->group) == 0)
        return true;
    return strncmp(r->group, rest, strlen(rest)) == 0;
}

static int on_candidate(void *ctx, const struct km_api_resource *r)
{
    const struct search *s = ctx;
    return same_name(s, r) && same_group(s->rest, r) ? 1 : 0;
}

static int search(struct km_discovery *d, struct search *s, struct km_fault *fault)
{
    for (s->by = BY_PLURAL; s->by < BY_END; s->by++) {
        int found = km_discovery_each(d, s->out, on_candidate, s, fault);
        if (found != 0)
            return found;
    }
    return 0;
}

/* Once more with the server's present answer, when the one at hand is from a file. */
static int search_again(struct km_discovery *d, struct search *s, struct km_fault *fault)
{
    int found = search(d, s, fault);
    if (found != 0 || d->fresh)
        return found;
    int err = km_discovery_refresh(d, fault);
    return err != KM_OK ? err : search(d, s, fault);
}

static int lower(const char *arg, char *out, size_t size)
{
    if (km_slice_copy(km_slice_of(arg), out, size) != KM_OK)
        return KM_ERR_TOO_LONG;
    for (; *out != '\0'; out++) {
        if (*out >= 'A' && *out <= 'Z')
            *out = (char)(*out - 'A' + 'a');
    }
    return KM_OK;
}

int km_discovery_find(struct km_discovery *d, const char *arg, struct km_api_resource *out,
                      struct km_fault *fault)
{
    char text[sizeof((struct search *)0)->rest];
    struct search s = {.out = out};
    int found = 0;
    if (arg == NULL)
        arg = "";
    if (lower(arg, text, sizeof text) == KM_OK) {
        size_t name = strcspn(text, ".");
        if (text[name] == '.')
            (void)km_slice_copy(km_slice_of(text + name + 1), s.rest, sizeof s.rest);
        if (name > 0 &&
            km_slice_copy((struct km_slice){text, name}, s.name, sizeof s.name) == KM_OK)
            found = search_again(d, &s, fault);
    }
    if (found > 0)
        return KM_OK;
    return found < 0 ? found
                     : km_fault_set(fault, KM_ERR_NOT_FOUND,
                                    "the server doesn't have a resource type \"%.*s\"",
                                    (int)strcspn(arg, "."), arg);
}

struct kind_search {
    struct km_slice group, version;
    const char *kind;
};

static int on_kind(void *ctx, const struct km_api_resource *r)
{
    const struct kind_search *s = ctx;
    return strcmp(r->kind, s->kind) == 0 && km_slice_eq_str(s->group, r->group) &&
           km_slice_eq_str(s->version, r->version);
}

int km_discovery_kind(struct km_discovery *d, const char *api_version, const char *kind,
                      struct km_api_resource *out, struct km_fault *fault)
{
    if (api_version == NULL || kind == NULL)
        return km_fault_set(fault, KM_ERR_ARG, "apiVersion or kind is missing");
    const char *slash = strchr(api_version, '/');
    struct kind_search s = {.version = km_slice_of(slash == NULL ? api_version : slash + 1),
                            .kind = kind};
    if (slash != NULL)
        s.group = (struct km_slice){api_version, (size_t)(slash - api_version)};
    int found = km_discovery_each(d, out, on_kind, &s, fault);
    if (found == 0 && !d->fresh) {
        found = km_discovery_refresh(d, fault);
        if (found == KM_OK)
            found = km_discovery_each(d, out, on_kind, &s, fault);
    }
    if (found != 0)
        return found > 0 ? KM_OK : found;
    return km_fault_set(fault, KM_ERR_NOT_FOUND,
                        "no matches for kind \"%.80s\" in version \"%.120s\"", kind, api_version);
}
