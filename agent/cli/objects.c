/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "objects.h"

#define META_BYTES 1024 /* of a scalar when nothing else is kept */

static char storage[CONFIG_KM_CLI_OBJECT_BYTES] KM_POOL_STORAGE(cli_object);

/* ---- places ---- */

static uint16_t object_depth(const struct objects *o)
{
    static const uint16_t depths[] = {0, 2, 1};
    return depths[o->of];
}

static bool at_object(const struct objects *o)
{
    static const char *const places[] = {"", "/items/*", "/object"};
    return o->walk.depth == object_depth(o) && km_json_walk_at(&o->walk, places[o->of]);
}

/* What the path has behind the object's own place. */
static const char *member(const struct objects *o)
{
    static const char *const places[] = {"", "/items/*", "/object"};
    const char *rest = km_json_walk_below(&o->walk, places[o->of]);
    return rest != NULL ? rest : "";
}

/* ---- collecting ---- */

static int on_replayed(void *ctx, const struct km_json_walk *w, enum km_walk_event event,
                       struct km_slice text)
{
    struct objects *o = ctx;
    (void)w;
    return o->on_large(o, event, text);
}

/* Whether the object at hand has what it is from its list. `kind`: of such an item. */
static bool kind_implied(const struct objects *o, struct km_slice *kind)
{
    size_t len = strlen(o->list.kind);
    if (o->of != OBJECTS_OF_LIST || o->meta.kind[0] != '\0' || o->meta.api_version[0] != '\0' ||
        len == 0 || strpbrk(o->list.kind, "\"\\") != NULL ||
        strpbrk(o->list.api_version, "\"\\") != NULL)
        return false;
    if (len > 4 && strcmp(o->list.kind + len - 4, "List") == 0)
        len -= 4;
    *kind = (struct km_slice){o->list.kind, len};
    return true;
}

static int tell_member(struct objects *o, const char *name, struct km_slice value)
{
    const struct {
        enum km_walk_event event;
        struct km_slice text;
    } events[] = {{KM_WALK_KEY, km_slice_of(name)},
                  {KM_WALK_PART, km_slice_of("\"")},
                  {KM_WALK_PART, value},
                  {KM_WALK_PART, km_slice_of("\"")},
                  {KM_WALK_SCALAR, {0}}};
    int err = KM_OK;
    for (size_t i = 0; err == KM_OK && i < sizeof events / sizeof events[0]; i++)
        err = o->on_large(o, events[i].event, events[i].text);
    return err;
}

static int tell_kind(struct objects *o)
{
    struct km_slice kind;
    if (!kind_implied(o, &kind))
        return KM_OK;
    int err = tell_member(o, "apiVersion", km_slice_of(o->list.api_version));
    return err != KM_OK ? err : tell_member(o, "kind", kind);
}

/* What came so far goes to on_large, and what comes from now on. */
static int go_large(struct objects *o, size_t sound)
{
    static struct km_json_walk replay KM_POOL_STORAGE(cli_object_replay);
    if (o->on_large == NULL)
        return KM_ERR_TOO_LONG;
    o->large = true;
    km_json_walk_init(&replay, false, on_replayed, o);
    int err = sound > 0 ? km_json_walk_feed(&replay, (struct km_slice){storage, 1}) : KM_OK;
    if (err == KM_OK)
        err = tell_kind(o);
    if (err == KM_OK && sound > 1)
        err = km_json_walk_feed(&replay, (struct km_slice){storage + 1, sound - 1});
    /* A number ends only where something follows. */
    return err == KM_OK && o->comma ? o->on_large(o, KM_WALK_SCALAR, (struct km_slice){0}) : err;
}

static int put(struct objects *o, const char *lead, struct km_slice text, const char *tail)
{
    size_t before = o->text.len;
    if (o->large)
        return KM_OK;
    km_buf_puts(&o->text, lead);
    km_buf_put_slice(&o->text, text);
    km_buf_puts(&o->text, tail);
    if (!o->text.overflow)
        return KM_OK;
    o->text.overflow = false;
    o->text.len = before;
    if (!o->only_meta)
        return go_large(o, before);
    km_buf_reset(&o->text);
    km_buf_put_slice(&o->text, text);
    return KM_OK;
}

static void copy(struct km_slice raw, char *out, size_t size)
{
    if (!km_json_unquote(raw, out, size))
        out[0] = '\0';
}

static void take_meta(struct objects *o, const char *place, struct km_slice raw,
                      struct object_meta *meta)
{
    if (strcmp(place, "/kind") == 0)
        copy(raw, meta->kind, sizeof meta->kind);
    else if (strcmp(place, "/apiVersion") == 0)
        copy(raw, meta->api_version, sizeof meta->api_version);
    else if (strcmp(place, "/metadata/name") == 0)
        copy(raw, meta->name, sizeof meta->name);
    else if (strcmp(place, "/metadata/namespace") == 0)
        copy(raw, meta->ns, sizeof meta->ns);
    else if (strcmp(place, "/metadata/resourceVersion") == 0)
        copy(raw, meta->rv, sizeof meta->rv);
    else if (meta == &o->list && strcmp(place, "/metadata/continue") == 0)
        copy(raw, o->token, sizeof o->token);
    else if (meta == &o->list && strcmp(place, "/type") == 0)
        copy(raw, o->event, sizeof o->event);
}

/* ---- an object ---- */

static void begin_object(struct objects *o)
{
    memset(&o->meta, 0, sizeof o->meta);
    km_buf_init(&o->text, storage, o->only_meta ? META_BYTES : sizeof storage);
    o->in_object = true;
    o->large = o->comma = false;
}

/* The list says what its items are when they do not. */
static int add_kind(struct objects *o)
{
    char text[512];
    struct km_buf out;
    struct km_slice kind;
    if (!kind_implied(o, &kind))
        return KM_OK;
    memcpy(o->meta.api_version, o->list.api_version, sizeof o->meta.api_version);
    (void)km_slice_copy(kind, o->meta.kind, sizeof o->meta.kind);
    if (o->large || o->only_meta)
        return KM_OK;
    km_buf_init(&out, text, sizeof text);
    km_buf_printf(&out, "%s\"apiVersion\":\"%s\",\"kind\":\"%s\"", o->comma ? "," : "",
                  o->meta.api_version, o->meta.kind);
    return put(o, text, (struct km_slice){0}, "");
}

static int end_object(struct objects *o)
{
    int err = add_kind(o);
    if (err == KM_OK)
        err = put(o, "}", (struct km_slice){0}, "");
    o->in_object = false;
    o->count++;
    if (err != KM_OK)
        return err;
    if (o->large)
        return o->on_large(o, KM_WALK_END, (struct km_slice){0});
    return o->on_object(o, o->only_meta ? (struct km_slice){0} : km_buf_slice(&o->text));
}

static int on_key(struct objects *o, struct km_slice name)
{
    const struct km_json_walk *w = &o->walk;
    if (!o->managed_fields && w->depth == object_depth(o) + 2 &&
        strcmp(member(o), "/metadata/managedFields") == 0) {
        o->skipping = true;
        o->skip_depth = w->depth;
        return KM_OK;
    }
    if (w->key_cut)
        return KM_ERR_TOO_LONG;
    int err = put(o, o->comma ? ",\"" : "\"", name, "\":");
    o->comma = false;
    return err;
}

static int on_open(struct objects *o, const char *bracket)
{
    int err = put(o, o->comma ? "," : "", km_slice_of(bracket), "");
    o->comma = false;
    return err;
}

static int on_part(struct objects *o, struct km_slice text, bool starts)
{
    int err = put(o, starts && o->comma ? "," : "", text, "");
    if (starts && err == KM_OK)
        o->value_start = o->text.len - text.len;
    o->comma = false;
    return err;
}

static int on_scalar(struct objects *o)
{
    struct km_slice raw = {storage + o->value_start, o->text.len - o->value_start};
    uint16_t level = (uint16_t)(o->walk.depth - object_depth(o));
    if (!o->large && level <= 2)
        take_meta(o, member(o), raw, &o->meta);
    o->comma = !o->only_meta;
    if (o->only_meta)
        km_buf_reset(&o->text);
    return KM_OK;
}

static int inside(struct objects *o, enum km_walk_event event, struct km_slice text)
{
    static bool in_value;
    bool starts = event == KM_WALK_PART && !in_value;
    int err = KM_OK;
    in_value = event == KM_WALK_PART;
    switch (event) {
    case KM_WALK_OBJECT:
    case KM_WALK_ARRAY:
        o->is_array[o->walk.depth] = event == KM_WALK_ARRAY;
        err = on_open(o, event == KM_WALK_ARRAY ? "[" : "{");
        break;
    case KM_WALK_KEY:
        err = on_key(o, text);
        break;
    case KM_WALK_PART:
        err = on_part(o, text, starts);
        break;
    case KM_WALK_SCALAR:
        err = on_scalar(o);
        break;
    case KM_WALK_END:
        if (o->walk.depth == object_depth(o))
            return end_object(o);
        err = put(o, o->is_array[o->walk.depth] ? "]" : "}", (struct km_slice){0}, "");
        o->comma = true;
        break;
    }
    if (err == KM_OK && o->large && !o->skipping)
        err = o->on_large(o, event, text);
    return err;
}

/* ---- around the objects ---- */

static int outside(struct objects *o, enum km_walk_event event, struct km_slice text)
{
    static char value_data[META_BYTES];
    static struct km_buf value;
    if (event == KM_WALK_KEY || event == KM_WALK_OBJECT || event == KM_WALK_ARRAY) {
        km_buf_init(&value, value_data, sizeof value_data);
    } else if (event == KM_WALK_PART) {
        km_buf_put_slice(&value, text);
    } else if (event == KM_WALK_SCALAR) {
        uint64_t number;
        if (!value.overflow)
            take_meta(o, o->walk.path, km_buf_slice(&value), &o->list);
        if (km_json_walk_at(&o->walk, "/metadata/remainingItemCount") &&
            km_slice_to_u64(km_buf_slice(&value), &number) == KM_OK)
            o->remaining = (int64_t)number;
    }
    return KM_OK;
}

static int on_event(void *ctx, const struct km_json_walk *w, enum km_walk_event event,
                    struct km_slice text)
{
    struct objects *o = ctx;
    if (!out_works())
        return KM_ERR_IO;
    if (o->skipping) {
        o->skipping =
            !((event == KM_WALK_SCALAR || event == KM_WALK_END) && w->depth == o->skip_depth);
        return KM_OK;
    }
    if (!o->in_object && event == KM_WALK_OBJECT && at_object(o))
        begin_object(o);
    return o->in_object ? inside(o, event, text) : outside(o, event, text);
}

void objects_begin(struct objects *o)
{
    km_json_walk_init(&o->walk, o->of == OBJECTS_OF_WATCH, on_event, o);
    memset(&o->list, 0, sizeof o->list);
    o->token[0] = o->event[0] = '\0';
    o->remaining = -1;
    o->in_object = o->skipping = false;
}

int objects_feed(struct objects *o, struct km_slice bytes)
{
    return km_json_walk_feed(&o->walk, bytes);
}

int objects_end(struct objects *o)
{
    return km_json_walk_end(&o->walk);
}

/* ---- large ones ---- */

static struct {
    bool empty[CONFIG_KM_JSON_DEPTH + 2], in_value, after_key, is_object[CONFIG_KM_JSON_DEPTH + 2];
    unsigned depth;
} large;

static void large_place(unsigned base)
{
    if (large.after_key || large.depth == 0)
        return;
    out_text(large.empty[large.depth] ? "\n" : ",\n");
    large.empty[large.depth] = false;
    out_pad(0, (size_t)(base + large.depth) * 4);
}

static void large_open(unsigned base, bool object)
{
    large_place(base);
    out_text(object ? "{" : "[");
    large.depth++;
    large.empty[large.depth] = true;
    large.is_object[large.depth] = object;
}

static void large_close(unsigned base)
{
    bool empty = large.empty[large.depth];
    const char *bracket = large.is_object[large.depth] ? "}" : "]";
    large.depth--;
    if (!empty) {
        out_text("\n");
        out_pad(0, (size_t)(base + large.depth) * 4);
    }
    out_text(bracket);
}

int objects_print_large(struct objects *o, enum km_walk_event event, struct km_slice text,
                        unsigned base)
{
    (void)o;
    switch (event) {
    case KM_WALK_OBJECT:
    case KM_WALK_ARRAY:
        large_open(base, event == KM_WALK_OBJECT);
        break;
    case KM_WALK_END:
        large_close(base);
        break;
    case KM_WALK_KEY:
        large_place(base);
        out_printf("\"%.*s\": ", (int)text.len, text.ptr);
        break;
    case KM_WALK_PART:
        if (!large.in_value)
            large_place(base);
        out_slice(text);
        break;
    case KM_WALK_SCALAR:
        break;
    }
    large.after_key = event == KM_WALK_KEY;
    large.in_value = event == KM_WALK_PART;
    return out_works() ? KM_OK : KM_ERR_IO;
}

bool objects_large_done(const struct objects *o)
{
    (void)o;
    return large.depth == 0;
}
