/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the answers of /api and /apis, aggregated (apidiscovery.k8s.io) or not, into lines. */
#include <string.h>

#include "discovery_priv.h"
#include "kubemote/km_json_walk.h"

#define AGGREGATED(v) "application/json;g=apidiscovery.k8s.io;v=" v ";as=APIGroupDiscoveryList"
#define ACCEPT AGGREGATED("v2") "," AGGREGATED("v2beta1") "," KM_TYPE_JSON
#define TIMEOUT_MS 32000

#define RESOURCE "/items/*/versions/*/resources/*"

/* "GROUP/VERSION" of a group whose name is as long as a name may be. */
#define WORD_BYTES 320

/* A resource while its members come. */
struct entry {
    char name[128], singular[64], kind[64];
    bool namespaced;
    struct km_buf verbs, short_names, categories, subresources;
    char lists[4][KM_API_LIST_BYTES];
};

struct reader {
    struct km_discovery *d;
    struct km_json_walk walk;
    struct entry now, pending;
    bool has_pending;
    char group[254], version[64];
    size_t version_start; /* in d->text: where the version's lines begin */
    char value_data[WORD_BYTES + 2];
    struct km_buf value; /* the scalar under way, as it stands */
    /* Without aggregation: "group/version" lines, each group's preferred one first. */
    bool plain;
    char others_data[512], preferred[WORD_BYTES];
    struct km_buf others, versions;
    char versions_data[8192];
};

/* ---- lines ---- */

static void put_word(struct km_buf *out, const char *text)
{
    km_buf_puts(out, text[0] == '\0' ? "-" : text);
    km_buf_putc(out, ' ');
}

static void entry_clear(struct entry *e)
{
    struct km_buf *lists[] = {&e->verbs, &e->short_names, &e->categories, &e->subresources};
    e->name[0] = e->singular[0] = e->kind[0] = '\0';
    e->namespaced = false;
    for (size_t i = 0; i < 4; i++)
        km_buf_init(lists[i], e->lists[i], sizeof e->lists[i]);
}

/* What has no room is left out. */
static void list_add(struct km_buf *list, const char *item)
{
    if (list->len + 1 + strlen(item) >= list->size)
        return;
    if (list->len > 0)
        km_buf_putc(list, ',');
    km_buf_puts(list, item);
}

static void flush(struct reader *r)
{
    const struct entry *e = &r->pending;
    struct km_buf *out = &r->d->text;
    const struct km_buf *lists[] = {&e->verbs, &e->short_names, &e->categories, &e->subresources};
    if (!r->has_pending)
        return;
    r->has_pending = false;
    put_word(out, r->group);
    put_word(out, r->version);
    put_word(out, e->name);
    put_word(out, e->singular);
    put_word(out, e->kind);
    km_buf_puts(out, e->namespaced ? "namespaced " : "cluster ");
    for (size_t i = 0; i < 4; i++) {
        km_buf_puts(out, lists[i]->len == 0 ? "-" : lists[i]->data);
        km_buf_putc(out, i == 3 ? '\n' : ' ');
    }
}

static void copy_list(struct km_buf *out, char *data, size_t size, const struct km_buf *in)
{
    km_buf_init(out, data, size);
    km_buf_put_slice(out, km_buf_slice(in));
}

/* Without aggregation subresources stand behind their resource as entries of their own ("pods/status"). */
static void end_entry(struct reader *r)
{
    struct entry *e = &r->now, *p = &r->pending;
    const char *slash = strchr(e->name, '/');
    if (slash != NULL) {
        if (r->has_pending)
            list_add(&p->subresources, slash + 1);
        return;
    }
    flush(r);
    if (e->name[0] == '\0' || e->kind[0] == '\0')
        return;
    memcpy(p->name, e->name, sizeof p->name);
    memcpy(p->singular, e->singular, sizeof p->singular);
    memcpy(p->kind, e->kind, sizeof p->kind);
    p->namespaced = e->namespaced;
    copy_list(&p->verbs, p->lists[0], sizeof p->lists[0], &e->verbs);
    copy_list(&p->short_names, p->lists[1], sizeof p->lists[1], &e->short_names);
    copy_list(&p->categories, p->lists[2], sizeof p->lists[2], &e->categories);
    copy_list(&p->subresources, p->lists[3], sizeof p->lists[3], &e->subresources);
    r->has_pending = true;
}

static void note_failed(struct km_discovery *d, const char *group, const char *version)
{
    struct km_buf out;
    km_buf_init(&out, d->failed, sizeof d->failed);
    out.len = strlen(d->failed);
    if (out.len > 0)
        km_buf_putc(&out, ',');
    km_buf_printf(&out, "%s%s%s", group, group[0] == '\0' ? "" : "/", version);
}

/* ---- members ---- */

static void entry_member(struct entry *e, const char *member, const char *value)
{
    if (strcmp(member, "/resource") == 0 || strcmp(member, "/name") == 0)
        (void)km_slice_copy(km_slice_of(value), e->name, sizeof e->name);
    else if (strcmp(member, "/singularResource") == 0 || strcmp(member, "/singularName") == 0)
        (void)km_slice_copy(km_slice_of(value), e->singular, sizeof e->singular);
    else if (strcmp(member, "/responseKind/kind") == 0 || strcmp(member, "/kind") == 0)
        (void)km_slice_copy(km_slice_of(value), e->kind, sizeof e->kind);
    else if (strcmp(member, "/scope") == 0)
        e->namespaced = strcmp(value, "Namespaced") == 0;
    else if (strncmp(member, "/verbs/", 7) == 0)
        list_add(&e->verbs, value);
    else if (strncmp(member, "/shortNames/", 12) == 0)
        list_add(&e->short_names, value);
    else if (strncmp(member, "/categories/", 12) == 0)
        list_add(&e->categories, value);
    else if (strncmp(member, "/subresources/", 14) == 0 && strstr(member, "/subresource") != NULL &&
             strcmp(strrchr(member, '/'), "/subresource") == 0)
        list_add(&e->subresources, value);
}

static void aggregated_member(struct reader *r, const char *value)
{
    const struct km_json_walk *w = &r->walk;
    const char *member = km_json_walk_below(w, RESOURCE);
    if (member != NULL) {
        entry_member(&r->now, member, value);
    } else if (km_json_walk_at(w, "/items/*/metadata/name")) {
        (void)km_slice_copy(km_slice_of(value), r->group, sizeof r->group);
    } else if (km_json_walk_at(w, "/items/*/versions/*/version")) {
        (void)km_slice_copy(km_slice_of(value), r->version, sizeof r->version);
    } else if (km_json_walk_at(w, "/items/*/versions/*/freshness") && strcmp(value, "Stale") == 0) {
        /* Its server does not answer: what is known of it may be wrong. */
        r->has_pending = false;
        r->d->text.len = r->version_start;
        note_failed(r->d, r->group, r->version);
    }
}

static void plain_member(struct reader *r, const char *value)
{
    const struct km_json_walk *w = &r->walk;
    const char *member = km_json_walk_below(w, "/resources/*");
    if (member != NULL) {
        entry_member(&r->now, member, value);
    } else if (km_json_walk_at(w, "/versions/*")) {
        km_buf_printf(&r->versions, "%s\n", value);
    } else if (km_json_walk_at(w, "/groups/*/versions/*/groupVersion")) {
        km_buf_printf(&r->others, "%s\n", value);
    } else if (km_json_walk_at(w, "/groups/*/preferredVersion/groupVersion")) {
        (void)km_slice_copy(km_slice_of(value), r->preferred, sizeof r->preferred);
    }
}

static void on_scalar(struct reader *r)
{
    char value[WORD_BYTES];
    struct km_slice raw = km_buf_slice(&r->value);
    const struct km_json_walk *w = &r->walk;
    if (km_slice_eq_str(raw, "true") && km_json_walk_at(w, "/resources/*/namespaced"))
        r->now.namespaced = true;
    if (r->value.overflow || !km_json_unquote(raw, value, sizeof value) ||
        strpbrk(value, " ,\n") != NULL)
        return;
    if (km_json_walk_at(w, "/kind"))
        r->plain = strcmp(value, "APIGroupDiscoveryList") != 0;
    aggregated_member(r, value);
    plain_member(r, value);
}

static void end_group(struct reader *r)
{
    struct km_slice others = km_buf_slice(&r->others);
    if (r->preferred[0] != '\0')
        km_buf_printf(&r->versions, "%s\n", r->preferred);
    while (others.len > 0) {
        const char *end = memchr(others.ptr, '\n', others.len);
        size_t len = (size_t)(end - others.ptr);
        struct km_slice one = {others.ptr, len};
        if (!km_slice_eq_str(one, r->preferred))
            km_buf_put(&r->versions, others.ptr, len + 1);
        others.ptr += len + 1;
        others.len -= len + 1;
    }
}

static void on_object(struct reader *r)
{
    const struct km_json_walk *w = &r->walk;
    if (km_json_walk_at(w, RESOURCE) || km_json_walk_at(w, "/resources/*"))
        entry_clear(&r->now);
    else if (km_json_walk_at(w, "/items/*"))
        r->group[0] = '\0';
    else if (km_json_walk_at(w, "/items/*/versions/*"))
        r->version_start = r->d->text.len;
    else if (km_json_walk_at(w, "/groups/*"))
        km_buf_reset(&r->others), r->preferred[0] = '\0';
}

static void on_end(struct reader *r)
{
    const struct km_json_walk *w = &r->walk;
    if (km_json_walk_at(w, RESOURCE) || km_json_walk_at(w, "/resources/*"))
        end_entry(r);
    else if (km_json_walk_at(w, "/items/*/versions/*/resources") ||
             km_json_walk_at(w, "/resources"))
        flush(r);
    else if (km_json_walk_at(w, "/groups/*"))
        end_group(r);
}

static int on_event(void *ctx, const struct km_json_walk *w, enum km_walk_event event,
                    struct km_slice text)
{
    struct reader *r = ctx;
    (void)w;
    switch (event) {
    case KM_WALK_OBJECT:
        on_object(r);
        break;
    case KM_WALK_END:
        on_end(r);
        break;
    case KM_WALK_PART:
        km_buf_put_slice(&r->value, text);
        break;
    case KM_WALK_SCALAR:
        on_scalar(r);
        km_buf_reset(&r->value);
        break;
    default:
        break;
    }
    return r->d->text.overflow || r->versions.overflow ? KM_ERR_FULL : KM_OK;
}

/* ---- requests ---- */

static int on_bytes(struct km_request *request, struct km_slice bytes)
{
    return km_json_walk_feed(&((struct reader *)request->ctx)->walk, bytes);
}

static int get(struct reader *r, const char *path, const char *accept, struct km_fault *fault)
{
    static struct km_request request KM_POOL_STORAGE(discovery_reader_request);
    struct km_discovery *d = r->d;
    memset(&request, 0, sizeof request);
    request.ctx = r;
    request.accept = accept;
    request.on_bytes = on_bytes;
    request.retries = 2;
    request.timeout_ms = TIMEOUT_MS;
    km_buf_init(&r->value, r->value_data, sizeof r->value_data);
    km_json_walk_init(&r->walk, false, on_event, r);
    int err = km_rest_raw(&request, d->client, KM_GET, path);
    if (err == KM_OK)
        err = km_call(&request, d->lane);
    if (err == KM_OK)
        err = km_json_walk_end(&r->walk);
    if (err == KM_OK)
        return KM_OK;
    if (err == KM_ERR_FULL)
        return km_fault_set(
            fault, err, "the server has more resources than CONFIG_KM_DISCOVERY_BYTES (%d) hold",
            CONFIG_KM_DISCOVERY_BYTES);
    if (err == KM_ERR_STATUS && request.http_status == 404)
        return KM_ERR_NOT_FOUND;
    return km_fault_set(fault, err, "%s",
                        request.fault != NULL ? request.fault->text : km_strerror(err));
}

static int read_versions(struct reader *r)
{
    struct km_slice list = km_buf_slice(&r->versions);
    while (list.len > 0) {
        char path[336];
        struct km_buf out;
        struct km_fault ignored = {0};
        const char *end = memchr(list.ptr, '\n', list.len);
        struct km_slice one = {list.ptr, (size_t)(end - list.ptr)};
        const char *slash = memchr(one.ptr, '/', one.len);
        size_t group = slash == NULL ? 0 : (size_t)(slash - one.ptr);
        size_t skip = slash == NULL ? 0 : group + 1;
        (void)km_slice_copy((struct km_slice){one.ptr, group}, r->group, sizeof r->group);
        (void)km_slice_copy((struct km_slice){one.ptr + skip, one.len - skip}, r->version,
                            sizeof r->version);
        km_buf_init(&out, path, sizeof path);
        km_buf_puts(&out, slash == NULL ? "/api/" : "/apis/");
        km_buf_put_slice(&out, one);
        size_t before = r->d->text.len;
        int err = get(r, path, KM_TYPE_JSON, &ignored);
        if (err == KM_ERR_FULL)
            return err;
        if (err != KM_OK) {
            r->has_pending = false;
            r->d->text.len = before;
            note_failed(r->d, r->group, r->version);
        }
        list.ptr = end + 1;
        list.len -= one.len + 1;
    }
    return KM_OK;
}

static void begin(struct reader *r, struct km_discovery *d)
{
    memset(r, 0, sizeof *r);
    r->d = d;
    km_buf_init(&r->others, r->others_data, sizeof r->others_data);
    km_buf_init(&r->versions, r->versions_data, sizeof r->versions_data);
    entry_clear(&r->now);
    entry_clear(&r->pending);
}

static int get_both(struct reader *r, const char *accept, bool *core_plain, struct km_fault *fault)
{
    int err = get(r, "/api", accept, fault);
    *core_plain = r->plain;
    if (err == KM_OK || err == KM_ERR_NOT_FOUND)
        err = get(r, "/apis", accept, fault);
    return err;
}

int discovery_read(struct km_discovery *d, struct km_fault *fault)
{
    static struct reader r KM_POOL_STORAGE(discovery_reader);
    size_t start = d->text.len;
    bool plain;
    begin(&r, d);
    int err = get_both(&r, ACCEPT, &plain, fault);
    if (err == KM_OK && plain != r.plain) {
        /* Only both together make a whole. */
        d->text.len = start;
        begin(&r, d);
        err = get_both(&r, KM_TYPE_JSON, &plain, fault);
    }
    if (err == KM_ERR_NOT_FOUND)
        return km_fault_set(fault, err, "the server has no /apis: is it a Kubernetes API server?");
    if (err == KM_OK && (plain || r.plain))
        err = read_versions(&r);
    return err;
}
