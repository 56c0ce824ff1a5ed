/* SPDX-License-Identifier: Apache-2.0 */
/* --dry-run=client: a merge patch (RFC 7386) applied to an object on its way to the printer. */
#include "get_priv.h"
#include "tree.h"

static struct km_slice patch;
static bool changed;

/* The value of that member, or nothing. */
static struct km_slice find(struct km_slice object, struct km_slice name)
{
    struct tree_member m = {0};
    while (object.len > 0 && object.ptr[0] == '{' && tree_next(object, &m)) {
        if (tree_compare(tree_name(object, m.name), name) == 0)
            return tree_value(object, m.value);
    }
    return (struct km_slice){0};
}

static void put_name(struct km_buf *out, size_t begin, struct km_slice name)
{
    km_buf_puts(out, out->len > begin ? ",\"" : "\"");
    km_buf_put_slice(out, name);
    km_buf_puts(out, "\":");
}

/* Members stay in the target's order, new ones follow. */
static void merge(struct km_buf *out, struct km_slice target, struct km_slice with)
{
    struct tree_member m = {0};
    if (with.ptr[0] != '{') {
        km_buf_put_slice(out, with);
        return;
    }
    km_buf_putc(out, '{');
    size_t begin = out->len;
    while (target.len > 0 && target.ptr[0] == '{' && tree_next(target, &m)) {
        struct km_slice name = tree_name(target, m.name), value = tree_value(target, m.value);
        struct km_slice change = find(with, name);
        if (change.len > 0 && change.ptr[0] == 'n')
            continue;
        put_name(out, begin, name);
        if (change.len > 0)
            merge(out, value, change);
        else
            km_buf_put_slice(out, value);
    }
    m = (struct tree_member){0};
    while (tree_next(with, &m)) {
        struct km_slice name = tree_name(with, m.name), value = tree_value(with, m.value);
        if (value.ptr[0] == 'n' || find(target, name).len > 0)
            continue;
        put_name(out, begin, name);
        merge(out, (struct km_slice){0}, value);
    }
    km_buf_putc(out, '}');
}

void get_patch_begin(struct km_slice text)
{
    patch = text;
}

bool get_patch_waits(void)
{
    return patch.len > 0;
}

bool get_patch_changed(void)
{
    return changed;
}

int get_patch_apply(struct km_slice *object)
{
    struct km_buf *out = get_sort_begin();
    merge(out, *object, patch);
    changed = !km_slice_eq(*object, km_buf_slice(out));
    *object = km_buf_slice(out);
    return out->overflow ? KM_ERR_TOO_LONG : KM_OK;
}
