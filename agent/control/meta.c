/* SPDX-License-Identifier: Apache-2.0 */
/* Predicates, finalizers and owner references (controller-runtime's predicate and controllerutil). */
#include <string.h>

#include "kubemote/km_meta.h"
#include "kubemote/km_rest.h"

#define POINTER_SIZE 300
#define VALUE_SIZE 320

/* ---- predicates ---- */

bool km_generation_changed(enum km_change change, int64_t old, int64_t now)
{
    return change != KM_UPDATED || old != now;
}

/* The server writes keys in order, so that equal maps are equal texts. */
bool km_labels_changed(enum km_change change, const char *old, const char *now)
{
    if (strcmp(old, "{}") == 0)
        old = "";
    if (strcmp(now, "{}") == 0)
        now = "";
    return change != KM_UPDATED || strcmp(old, now) != 0;
}

static struct km_slice label(const char *labels, const char *key)
{
    char pointer[POINTER_SIZE];
    struct km_slice value = {0};
    struct km_buf text;
    km_buf_init(&text, pointer, sizeof pointer);
    km_pointer_add(&text, key);
    if (labels[0] == '\0' || text.overflow ||
        km_json_find(km_slice_of(labels), pointer, &value) != KM_OK)
        return (struct km_slice){0};
    return value;
}

bool km_label_changed(enum km_change change, const char *old, const char *now, const char *key)
{
    return change != KM_UPDATED || !km_slice_eq(label(old, key), label(now, key));
}

/* ---- lists ---- */

static int entry(const char *list, unsigned index, struct km_slice *value)
{
    char pointer[16];
    struct km_buf text;
    if (list[0] == '\0')
        return KM_ERR_NOT_FOUND;
    km_buf_init(&text, pointer, sizeof pointer);
    km_buf_printf(&text, "/%u", index);
    return km_json_find(km_slice_of(list), pointer, value);
}

static bool is_text(struct km_slice value, const char *want)
{
    char text[VALUE_SIZE];
    return km_json_unquote(value, text, sizeof text) && strcmp(text, want) == 0;
}

static bool member_is(struct km_slice object, const char *pointer, const char *want)
{
    struct km_slice value;
    return km_json_find(object, pointer, &value) == KM_OK && is_text(value, want);
}

static void begin(struct km_json_writer *w, struct km_buf *out, const char *rv, const char *list)
{
    km_json_writer_init(w, out);
    km_json_object(w);
    km_json_key(w, "metadata");
    km_json_object(w);
    km_json_kv_str(w, "resourceVersion", rv);
    km_json_key(w, list);
    km_json_array(w);
}

static int end(struct km_json_writer *w, int err)
{
    km_json_close(w);
    km_json_close(w);
    km_json_close(w);
    if (err != KM_ERR_NOT_FOUND)
        return err;
    err = km_json_finish(w);
    return err == KM_OK ? 1 : err;
}

/* ---- finalizers ---- */

static int check(const struct km_meta_lists *object)
{
    return object->cut || object->rv[0] == '\0' ? KM_ERR_TOO_LONG : KM_OK;
}

bool km_finalizer_has(const struct km_meta_lists *object, const char *name)
{
    struct km_slice value;
    for (unsigned i = 0; entry(object->finalizers, i, &value) == KM_OK; i++) {
        if (is_text(value, name))
            return true;
    }
    return false;
}

static int write_finalizers(struct km_buf *out, const struct km_meta_lists *object,
                            const char *without, const char *with)
{
    struct km_json_writer w;
    struct km_slice value;
    int err;
    begin(&w, out, object->rv, "finalizers");
    for (unsigned i = 0; (err = entry(object->finalizers, i, &value)) == KM_OK; i++) {
        if (without == NULL || !is_text(value, without))
            km_json_raw(&w, value);
    }
    if (with != NULL)
        km_json_str(&w, with);
    return end(&w, err);
}

int km_finalizer_add(struct km_buf *out, const struct km_meta_lists *object, const char *name)
{
    if (check(object) != KM_OK)
        return check(object);
    return km_finalizer_has(object, name) ? 0 : write_finalizers(out, object, NULL, name);
}

int km_finalizer_remove(struct km_buf *out, const struct km_meta_lists *object, const char *name)
{
    if (check(object) != KM_OK)
        return check(object);
    return km_finalizer_has(object, name) ? write_finalizers(out, object, name, NULL) : 0;
}

/* ---- owners ---- */

void km_owner_write(struct km_json_writer *w, const struct km_owner_ref *owner)
{
    km_json_object(w);
    km_json_kv_str(w, "apiVersion", owner->api_version);
    if (owner->block_deletion)
        km_json_kv_bool(w, "blockOwnerDeletion", true);
    if (owner->controller)
        km_json_kv_bool(w, "controller", true);
    km_json_kv_str(w, "kind", owner->kind);
    km_json_kv_str(w, "name", owner->name);
    km_json_kv_str(w, "uid", owner->uid);
    km_json_close(w);
}

static size_t group_len(const char *api_version)
{
    const char *slash = strchr(api_version, '/');
    return slash == NULL ? 0 : (size_t)(slash - api_version);
}

static bool same_group(struct km_slice object, const char *api_version)
{
    char text[VALUE_SIZE];
    struct km_slice value;
    size_t len = group_len(api_version);
    if (km_json_find(object, "/apiVersion", &value) != KM_OK ||
        !km_json_unquote(value, text, sizeof text))
        return false;
    return group_len(text) == len && memcmp(text, api_version, len) == 0;
}

static bool same_owner(struct km_slice object, const struct km_owner_ref *owner)
{
    if (member_is(object, "/uid", owner->uid))
        return true;
    return member_is(object, "/kind", owner->kind) && member_is(object, "/name", owner->name) &&
           same_group(object, owner->api_version);
}

static bool is_true(struct km_slice object, const char *pointer)
{
    struct km_slice value;
    return km_json_find(object, pointer, &value) == KM_OK && km_slice_eq_str(value, "true");
}

/* It stands there and says the same. */
static bool is_set(struct km_slice object, const struct km_owner_ref *owner)
{
    return member_is(object, "/uid", owner->uid) && member_is(object, "/kind", owner->kind) &&
           member_is(object, "/name", owner->name) &&
           member_is(object, "/apiVersion", owner->api_version) &&
           is_true(object, "/controller") == owner->controller &&
           is_true(object, "/blockOwnerDeletion") == owner->block_deletion;
}

int km_owner_set(struct km_buf *out, const struct km_meta_lists *object,
                 const struct km_owner_ref *owner)
{
    struct km_json_writer w;
    struct km_slice value;
    int err = check(object);
    if (err != KM_OK)
        return err;
    for (unsigned i = 0; entry(object->owners, i, &value) == KM_OK; i++) {
        if (is_set(value, owner))
            return 0;
        if (owner->controller && is_true(value, "/controller") && !same_owner(value, owner))
            return KM_ERR_ARG;
    }
    begin(&w, out, object->rv, "ownerReferences");
    for (unsigned i = 0; (err = entry(object->owners, i, &value)) == KM_OK; i++) {
        if (!same_owner(value, owner))
            km_json_raw(&w, value);
    }
    km_owner_write(&w, owner);
    return end(&w, err);
}

int km_owner_remove(struct km_buf *out, const struct km_meta_lists *object, const char *uid)
{
    struct km_json_writer w;
    struct km_slice value;
    bool found = false;
    int err = check(object);
    if (err != KM_OK)
        return err;
    for (unsigned i = 0; entry(object->owners, i, &value) == KM_OK; i++)
        found = found || member_is(value, "/uid", uid);
    if (!found)
        return 0;
    begin(&w, out, object->rv, "ownerReferences");
    for (unsigned i = 0; (err = entry(object->owners, i, &value)) == KM_OK; i++) {
        if (!member_is(value, "/uid", uid))
            km_json_raw(&w, value);
    }
    return end(&w, err);
}
