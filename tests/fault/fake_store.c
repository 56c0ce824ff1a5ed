/* SPDX-License-Identifier: Apache-2.0 */
/* The store: objects, the history of changes, other clients' edits, accidents of the store as a whole. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_api.h"

#define HISTORY 256

static struct api_object *objects, *saved;
static uint64_t saved_rv;
static struct api_change history[HISTORY];
static size_t history_first, history_count;
static unsigned uids;

/* ---- history ---- */

static struct api_change *change_at(size_t n)
{
    return &history[(history_first + n) % HISTORY];
}

static void forget_oldest(void)
{
    struct api_change *c = change_at(0);

    api.compacted = c->rv;
    free(c->text);
    free(c->before);
    history_first = (history_first + 1) % HISTORY;
    history_count--;
}

void api_compact(void)
{
    while (history_count > 0)
        forget_oldest();
    api.compacted = api.rv;
}

static void remember(const struct api_object *o, const char *type, char *before)
{
    struct api_change *c;

    if (o->kind == API_LEASES) {
        free(before);
        return;
    }
    if (history_count == HISTORY)
        forget_oldest();
    c = change_at(history_count++);
    c->rv = api.rv;
    c->kind = o->kind;
    c->type = type;
    memcpy(c->ns, o->ns, sizeof c->ns);
    memcpy(c->name, o->name, sizeof c->name);
    (void)snprintf(c->node, sizeof c->node, "%s", doc_text(o->doc, "/spec/nodeName"));
    c->text = doc_print(o->doc);
    c->before = before;
    api_watch_told();
}

const struct api_change *api_change_after(uint64_t rv, size_t *index)
{
    while (*index < history_count) {
        const struct api_change *c = change_at((*index)++);

        if (c->rv > rv)
            return c;
    }
    return NULL;
}

/* ---- objects ---- */

struct api_object *api_find(enum api_kind kind, const char *ns, const char *name)
{
    for (struct api_object *o = objects; o != NULL; o = o->next) {
        if (o->kind == kind && strcmp(o->ns, ns) == 0 && strcmp(o->name, name) == 0)
            return o;
    }
    return NULL;
}

static int order(const struct api_object *a, const struct api_object *b)
{
    int by_ns = strcmp(a->ns, b->ns);

    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return by_ns != 0 ? by_ns : strcmp(a->name, b->name);
}

static void insert(struct api_object *o)
{
    struct api_object **place = &objects;

    while (*place != NULL && order(*place, o) < 0)
        place = &(*place)->next;
    o->next = *place;
    *place = o;
}

static void set_rv(struct api_object *o)
{
    char text[24];

    o->rv = ++api.rv;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)o->rv);
    doc_put_text(o->doc, "/metadata/resourceVersion", text);
}

int64_t api_wall_us(void)
{
    return INT64_C(1767225600000000) + (km_port_now_ms() - 1000000) * 1000;
}

void api_stamp(char out[KM_TIME_SIZE])
{
    km_time_rfc3339(api_wall_us(), out, KM_TIME_SIZE);
}

struct api_object *api_create(enum api_kind kind, const char *ns, const char *name, struct doc *doc)
{
    struct api_object *o = calloc(1, sizeof *o);
    char text[64];

    if (o == NULL || api_find(kind, ns, name) != NULL)
        abort();
    o->kind = kind;
    o->doc = doc;
    (void)snprintf(o->ns, sizeof o->ns, "%s", ns);
    (void)snprintf(o->name, sizeof o->name, "%s", name);
    doc_put_text(doc, "/metadata/name", name);
    if (ns[0] != '\0')
        doc_put_text(doc, "/metadata/namespace", ns);
    (void)snprintf(text, sizeof text, "0f5e3d52-7a64-4f4c-9e5d-%012u", ++uids);
    doc_put_text(doc, "/metadata/uid", text);
    api_stamp(text);
    doc_put_text(doc, "/metadata/creationTimestamp", text);
    set_rv(o);
    insert(o);
    remember(o, "ADDED", NULL);
    return o;
}

void api_store(struct api_object *o, struct doc *doc)
{
    char *before;

    if (doc_same(o->doc, doc)) {
        doc_free(doc);
        return;
    }
    before = doc_print(o->doc);
    doc_free(o->doc);
    o->doc = doc;
    set_rv(o);
    remember(o, "MODIFIED", before);
}

static void free_object(struct api_object *o)
{
    doc_free(o->doc);
    free(o);
}

void api_remove(struct api_object *o)
{
    struct api_object **place = &objects;
    char *before = doc_print(o->doc);

    while (*place != o)
        place = &(*place)->next;
    *place = o->next;
    set_rv(o);
    remember(o, "DELETED", before);
    free_object(o);
}

static void free_list(struct api_object **list)
{
    while (*list != NULL) {
        struct api_object *o = *list;

        *list = o->next;
        free_object(o);
    }
}

static struct api_object *copy_list(const struct api_object *list)
{
    struct api_object *copy = NULL, **end = &copy;

    for (; list != NULL; list = list->next) {
        *end = malloc(sizeof **end);
        if (*end == NULL)
            abort();
        **end = *list;
        (*end)->doc = doc_copy(list->doc);
        (*end)->next = NULL;
        end = &(*end)->next;
    }
    return copy;
}

/* ---- the collection as it was ---- */

static const struct api_change *first_change_after(enum api_kind kind, const char *ns,
                                                   const char *name, uint64_t rv)
{
    size_t index = 0;
    const struct api_change *c;

    while ((c = api_change_after(rv, &index)) != NULL) {
        if (c->kind == kind && strcmp(c->ns, ns) == 0 && strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

static bool selected(enum api_kind kind, const char *node, const char *name, const char *bound)
{
    return strcmp(kind == API_NODES ? name : bound, node) == 0;
}

/* An object as it was at some time. */
struct past {
    const char *ns, *name;
    char *text;
};

static void add_past(struct past **list, size_t *count, const char *ns, const char *name,
                     char *text)
{
    *list = realloc(*list, (*count + 1) * sizeof **list);
    if (*list == NULL)
        abort();
    (*list)[(*count)++] = (struct past){ns, name, text};
}

static int by_key(const void *a, const void *b)
{
    const struct past *x = a, *y = b;
    int order = strcmp(x->ns, y->ns);

    return order != 0 ? order : strcmp(x->name, y->name);
}

/* Pages of one resourceVersion fit together only when they agree about the order. */
static char **in_order(struct past *list, size_t count)
{
    char **texts = calloc(count + 1, sizeof *texts);

    if (texts == NULL)
        abort();
    if (count > 1)
        qsort(list, count, sizeof *list, by_key);
    for (size_t i = 0; i < count; i++)
        texts[i] = list[i].text;
    free(list);
    return texts;
}

char **api_list_at(enum api_kind kind, const char *node, uint64_t rv, size_t *count)
{
    struct past *list = NULL;
    size_t index = 0;
    const struct api_change *c;

    *count = 0;
    for (const struct api_object *o = objects; o != NULL; o = o->next) {
        if (o->kind != kind || !selected(kind, node, o->name, doc_text(o->doc, "/spec/nodeName")))
            continue;
        c = first_change_after(kind, o->ns, o->name, rv);
        if (c == NULL)
            add_past(&list, count, o->ns, o->name, doc_print(o->doc));
        else if (c->before != NULL)
            add_past(&list, count, o->ns, o->name, strdup(c->before));
    }
    /* Those that are gone now but were there then. */
    while ((c = api_change_after(rv, &index)) != NULL) {
        if (c->kind == kind && c->before != NULL && api_find(kind, c->ns, c->name) == NULL &&
            first_change_after(kind, c->ns, c->name, rv) == c &&
            selected(kind, node, c->name, c->node))
            add_past(&list, count, c->ns, c->name, strdup(c->before));
    }
    return in_order(list, *count);
}

/* ---- other clients ---- */

const struct doc *api_get(enum api_kind kind, const char *ns, const char *name)
{
    const struct api_object *o = api_find(kind, ns, name);

    return o == NULL ? NULL : o->doc;
}

const struct doc *api_node(void)
{
    return api_get(API_NODES, "", API_NODE);
}

const struct doc *api_lease(void)
{
    return api_get(API_LEASES, "kube-node-lease", API_NODE);
}

const char *api_condition(const char *type, const char *member)
{
    const struct doc *node = api_node();
    const struct doc *c =
        node == NULL ? NULL : doc_element(node, "/status/conditions", "type", type);
    char path[64];

    (void)snprintf(path, sizeof path, "/%s", member);
    return c == NULL ? "" : doc_text(c, path);
}

size_t api_count(enum api_kind kind)
{
    size_t count = 0;

    for (const struct api_object *o = objects; o != NULL; o = o->next)
        count += o->kind == kind;
    return count;
}

const struct doc *api_next(enum api_kind kind, const struct doc *after)
{
    bool seen = after == NULL;

    for (const struct api_object *o = objects; o != NULL; o = o->next) {
        if (o->kind == kind && seen)
            return o->doc;
        seen = seen || o->doc == after;
    }
    return NULL;
}

void api_edit(enum api_kind kind, const char *ns, const char *name, const char *path,
              const char *json)
{
    struct api_object *o = api_find(kind, ns, name);
    struct doc *doc;

    if (o == NULL)
        return;
    doc = doc_copy(o->doc);
    if (json == NULL)
        doc_drop(doc, path);
    else
        doc_put_json(doc, path, json);
    api_store(o, doc);
}

void api_edit_node(const char *path, const char *json)
{
    api_edit(API_NODES, "", API_NODE, path, json);
}

void api_delete(enum api_kind kind, const char *ns, const char *name)
{
    struct api_object *o = api_find(kind, ns, name);

    if (o != NULL)
        api_remove(o);
}

void api_add_node(const char *json)
{
    (void)api_create(API_NODES, "", API_NODE, doc_of(json));
}

void api_add_pod(const char *ns, const char *name, const char *node)
{
    struct doc *pod =
        doc_of("{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"spec\":{\"containers\":[{\"name\":\"c\","
               "\"image\":\"busybox\",\"args\":[\"sleep \\\"1\\\"\"]}]},\"status\":{\"phase\":"
               "\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\"}]}}");

    doc_put_text(pod, "/spec/nodeName", node);
    (void)api_create(API_PODS, ns, name, pod);
}

void api_kill_pod(const char *ns, const char *name)
{
    struct api_object *o = api_find(API_PODS, ns, name);
    char stamp[KM_TIME_SIZE];
    struct doc *pod;

    if (o == NULL)
        return;
    pod = doc_copy(o->doc);
    api_stamp(stamp);
    doc_put_text(pod, "/metadata/deletionTimestamp", stamp);
    doc_put_json(pod, "/metadata/deletionGracePeriodSeconds", "30");
    api_store(o, pod);
}

/* ---- accidents ---- */

void api_skip(uint64_t count)
{
    api.rv += count;
}

void api_save(void)
{
    free_list(&saved);
    saved = copy_list(objects);
    saved_rv = api.rv;
}

static void replace_with(struct api_object *list, uint64_t rv)
{
    free_list(&objects);
    objects = list;
    api_compact();
    api.rv = rv;
    api.compacted = rv;
    api_watch_drop_all();
}

static void restart_with(struct api_object *list, uint64_t rv)
{
    replace_with(list, rv);
    km_sim_close_all();
}

void api_restore_quietly(void)
{
    replace_with(copy_list(saved), saved_rv);
}

void api_restore(void)
{
    restart_with(copy_list(saved), saved_rv);
}

void api_empty(void)
{
    restart_with(NULL, 1);
}

void api_close(void)
{
    api_compact();
    free_list(&objects);
    free_list(&saved);
    uids = 0;
}

void api_complain(const char *format, ...)
{
    va_list args;

    if (api.complaints++ > 0)
        return;
    va_start(args, format);
    (void)vsnprintf(api.complaint, sizeof api.complaint, format, args);
    va_end(args);
}
