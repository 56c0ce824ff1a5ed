/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "json_priv.h"
#include "kubemote/km_json_walk.h"

void km_json_walk_init(struct km_json_walk *w, bool many, km_walk_fn fn, void *ctx)
{
    w->fn = fn;
    w->ctx = ctx;
    w->path[0] = '\0';
    w->path_len = 0;
    w->path_cut = false;
    w->depth = 0;
    w->documents = 0;
    w->err = KM_OK;
    w->in_scalar = false;
    w->key_len = 0;
    w->key_cut = false;
    w->cut_depth = 0;
    km_json_scan_init(&w->scan, many);
}

static void tell(struct km_json_walk *w, enum km_walk_event event, struct km_slice text)
{
    if (w->err == KM_OK)
        w->err = w->fn(w->ctx, w, event, text);
}

/* ---- the path ---- */

static bool in_array(const struct km_json_walk *w)
{
    return w->depth > 0 && !json_scan_in_object(&w->scan);
}

static void leave_segment(struct km_json_walk *w)
{
    if (w->depth == 0)
        return;
    w->path_len = w->starts[w->depth];
    w->path[w->path_len] = '\0';
    if (w->path_cut && w->depth <= w->cut_depth)
        w->path_cut = false;
}

static void enter_segment(struct km_json_walk *w, struct km_slice name, bool cut)
{
    struct km_buf path;
    leave_segment(w);
    w->starts[w->depth] = w->path_len;
    km_buf_init(&path, w->path + w->path_len, sizeof w->path - w->path_len);
    if (!w->path_cut && !cut) {
        km_buf_putc(&path, '/');
        for (size_t i = 0; i < name.len; i++) {
            char c = name.ptr[i];
            if (c == '~' || c == '/')
                km_buf_puts(&path, c == '~' ? "~0" : "~1");
            else
                km_buf_putc(&path, c);
        }
    }
    if (!w->path_cut && (cut || path.overflow)) {
        w->path_cut = true;
        w->cut_depth = w->depth;
        km_buf_reset(&path);
    }
    w->path_len = (uint16_t)(w->path_len + path.len);
}

static void enter_place(struct km_json_walk *w)
{
    char text[12];
    struct km_buf place;
    km_buf_init(&place, text, sizeof text);
    km_buf_put_u64(&place, w->places[w->depth]++);
    enter_segment(w, km_buf_slice(&place), false);
}

/* ---- events of the scanner ---- */

static void begin_value(struct km_json_walk *w, char first)
{
    if (in_array(w))
        enter_place(w);
    w->in_scalar = first != '{' && first != '[';
    if (w->in_scalar)
        return;
    tell(w, first == '{' ? KM_WALK_OBJECT : KM_WALK_ARRAY, (struct km_slice){0});
    if (w->depth >= CONFIG_KM_JSON_DEPTH)
        return; /* the scanner refuses it */
    w->depth++;
    w->places[w->depth] = 0;
    w->starts[w->depth] = w->path_len;
}

static void end_value(struct km_json_walk *w)
{
    if (w->in_scalar) {
        tell(w, KM_WALK_SCALAR, (struct km_slice){0});
        w->in_scalar = false;
    } else {
        leave_segment(w);
        w->depth--;
        tell(w, KM_WALK_END, (struct km_slice){0});
    }
    if (w->depth == 0)
        w->documents++;
}

static void put_key(struct km_json_walk *w, struct km_slice text)
{
    size_t room = sizeof w->key - w->key_len;
    if (text.len > room) {
        w->key_cut = true;
        text.len = room;
    }
    if (text.len > 0)
        memcpy(w->key + w->key_len, text.ptr, text.len);
    w->key_len = (uint16_t)(w->key_len + text.len);
}

static void end_key(struct km_json_walk *w)
{
    struct km_slice name = {w->key, w->key_len};
    enter_segment(w, name, w->key_cut);
    tell(w, KM_WALK_KEY, name);
    w->key_len = 0;
    w->key_cut = false;
}

int km_json_walk_feed(struct km_json_walk *w, struct km_slice in)
{
    const char *at = in.ptr;
    const char *end = in.len > 0 ? in.ptr + in.len : in.ptr;
    while (w->err == KM_OK && at < end) {
        const char *before = at;
        struct km_slice text;
        enum json_event event = json_scan_run(&w->scan, &at, end, &text);
        if (w->in_scalar && at > before)
            tell(w, KM_WALK_PART, (struct km_slice){before, (size_t)(at - before)});
        else if (!w->in_scalar && text.len > 0)
            put_key(w, text);
        if (event == JSON_KEY)
            end_key(w);
        else if (event == JSON_VALUE)
            begin_value(w, *at);
        else if (event == JSON_END)
            end_value(w);
        else if (event == JSON_ERROR)
            w->err = w->scan.too_deep ? KM_ERR_DEPTH : KM_ERR_SYNTAX;
    }
    return w->err;
}

int km_json_walk_end(struct km_json_walk *w)
{
    /* A number at the top ends where the stream ends. */
    if (w->err == KM_OK && json_scan_in_top_number(&w->scan)) {
        tell(w, KM_WALK_SCALAR, (struct km_slice){0});
        w->in_scalar = false;
        w->documents++;
    }
    return w->err != KM_OK ? w->err : km_json_scan_end(&w->scan);
}

/* ---- patterns ---- */

const char *km_json_walk_below(const struct km_json_walk *w, const char *pattern)
{
    const char *path = w->path;
    if (w->path_cut)
        return NULL;
    while (*pattern != '\0') {
        if (*path == '\0')
            return NULL;
        if (pattern[0] == '/' && pattern[1] == '*' && (pattern[2] == '/' || pattern[2] == '\0')) {
            path += 1 + strcspn(path + 1, "/");
            pattern += 2;
        } else if (*pattern++ != *path++) {
            return NULL;
        }
    }
    return *path == '\0' || *path == '/' ? path : NULL;
}

bool km_json_walk_at(const struct km_json_walk *w, const char *pattern)
{
    const char *rest = km_json_walk_below(w, pattern);
    return rest != NULL && *rest == '\0';
}
