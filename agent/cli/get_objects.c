/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as they are: json, yaml, names, fields. */
#include <string.h>

#include "get_priv.h"
#include "jsonpath.h"
#include "objects.h"
#include "tree.h"
#include "visit.h"

static struct objects objects KM_POOL_STORAGE(cli_objects);
static struct {
    bool many, begun, hide, watching, sorts;
    bool as_is;
    bool struct_list; /* as apply prints its list: of a struct, not of a map */
    uint64_t printed;
    int failure; /* the first one */
} state;

/* ---- one object ---- */

static struct km_slice name_of(const struct object_meta *meta)
{
    static char text[sizeof *meta];
    struct km_buf out;
    km_buf_init(&out, text, sizeof text);
    put_kind(&out, meta->kind, group_of(meta->api_version));
    km_buf_putc(&out, '/');
    km_buf_puts(&out, meta->name[0] == '\0' ? "<unknown>" : meta->name);
    return km_buf_slice(&out);
}

static int print_name(struct km_slice name)
{
    out_slice(name);
    out_text("\n");
    return KM_OK;
}

static void begin_list(void)
{
    if (state.begun || !state.many)
        return;
    state.begun = true;
    if (get_options.form == GET_JSONPATH)
        jsonpath_list_begin(get_options.path);
    else if (get_options.form == GET_JSON && state.struct_list)
        out_text("{\n    \"kind\": \"List\",\n    \"apiVersion\": \"v1\",\n    \"metadata\": {},\n"
                 "    \"items\": [");
    else if (get_options.form == GET_JSON)
        out_text("{\n    \"apiVersion\": \"v1\",\n    \"items\": [");
    else
        out_text("apiVersion: v1\nitems:");
}

/* In front of an object, whole or not. */
static void lead(void)
{
    bool json = get_options.form == GET_JSON;
    begin_list();
    if (state.many && json)
        out_text(state.printed > 0 ? ",\n        " : "\n        ");
    else if (state.many)
        out_text(state.printed > 0 ? "- " : "\n- ");
    else if (!json && state.printed > 0)
        out_text("---\n");
    state.printed++;
}

static int print_event_line(struct objects *o, struct km_slice text)
{
    if (get_options.form != GET_JSON) {
        lead();
        out_text("object:\n");
        int err = tree_yaml(text, 2, false);
        out_printf("type: %s\n", o->event[0] == '\0' ? "ADDED" : o->event);
        return err;
    }
    out_printf("{\"type\":\"%s\",\"object\":", o->event[0] == '\0' ? "ADDED" : o->event);
    tree_json_line(text);
    out_text("}\n");
    return KM_OK;
}

static int print_object(struct objects *o, struct km_slice text)
{
    bool name = get_options.form == GET_NAME;
    if (state.sorts)
        return get_sort_add(text, name ? name_of(&o->meta) : text);
    if (name)
        return print_name(name_of(&o->meta));
    if (get_options.form == GET_JSONPATH) {
        begin_list();
        state.many ? jsonpath_list_item(text) : jsonpath_print(get_options.path, text);
        return KM_OK;
    }
    if (get_options.watch_events)
        return print_event_line(o, text);
    lead();
    if (get_options.form == GET_YAML)
        return tree_yaml(text, state.many ? 2 : 0, true);
    if (state.as_is)
        tree_json_as_is(text);
    else
        tree_json(text, state.many ? 2 : 0);
    if (!state.many)
        out_text("\n");
    return KM_OK;
}

static int print_sorted(struct km_slice text)
{
    return get_options.form == GET_NAME ? print_name(text) : print_object(&objects, text);
}

static int on_object(struct objects *o, struct km_slice text)
{
    bool bookmark = strcmp(o->event, "BOOKMARK") == 0;
    if (get_patch_waits()) {
        int err = get_patch_apply(&text);
        if (err != KM_OK || !get_prints_objects())
            return err;
    }
    if (!state.hide && !bookmark && !get_options.mute) {
        int err = print_object(o, text);
        if (err != KM_OK)
            return err;
    }
    if (state.watching) {
        if (!bookmark)
            state.hide = false;
        out_flush();
    }
    return KM_OK;
}

/* JSON in the order of the server; it is YAML as well. */
static int on_large(struct objects *o, enum km_walk_event event, struct km_slice text)
{
    if (state.hide || get_options.mute || strcmp(o->event, "BOOKMARK") == 0)
        return KM_OK;
    if (event == KM_WALK_OBJECT && !o->telling)
        lead();
    o->telling = true;
    unsigned depth = state.many && get_options.form == GET_JSON ? 2 : state.many ? 1 : 0;
    int err = objects_print_large(o, event, text, depth);
    if (event == KM_WALK_END && objects_large_done(o)) {
        o->telling = false;
        if (!state.many || get_options.form == GET_YAML)
            out_text("\n");
    }
    return err;
}

/* ---- reading ---- */

static int on_bytes(struct km_request *r, struct km_slice bytes)
{
    (void)r;
    return objects_feed(&objects, bytes);
}

static void begin(enum objects_of of)
{
    objects.of = of;
    /* kubectl looks neither into events nor at what a template prints. */
    objects.managed_fields =
        get_options.managed_fields || get_options.watch_events || get_options.form == GET_JSONPATH;
    objects.only_meta = get_options.form == GET_NAME && !state.sorts && !get_patch_waits();
    objects.on_object = on_object;
    bool whole = get_options.form == GET_JSONPATH || state.sorts || get_patch_waits();
    objects.on_large = whole ? NULL : on_large;
    objects_begin(&objects);
}

void get_objects_as_is(void)
{
    state.as_is = true;
}

void get_objects_of_struct(void)
{
    state.struct_list = true;
}

void get_objects_begin(bool many)
{
    state.many = many && get_options.form != GET_NAME;
    state.begun = state.hide = state.watching = false;
    state.printed = 0;
    state.sorts = many && get_sort_at[0] != '\0';
    get_sort_begin();
}

/* The error of a body that was read; KM_OK: it is another's. */
static int tell_problem(int err)
{
    if (err == KM_ERR_CONFIG)
        return cli_usage_error("yaml: control characters are not allowed");
    if (err == KM_ERR_TOO_LONG && state.sorts)
        return get_sort_fail();
    if (err == KM_ERR_TOO_LONG && get_options.form == GET_JSONPATH)
        return cli_usage_error("an object is larger than %d bytes (CONFIG_KM_CLI_OBJECT_BYTES)",
                               CONFIG_KM_CLI_OBJECT_BYTES);
    return 0;
}

int get_objects(const struct get_place *at)
{
    char token[sizeof objects.token] = "";
    uint64_t before = objects.count;
    int err;
    do {
        begin(at->name == NULL ? OBJECTS_OF_LIST : OBJECT_ALONE);
        err = get_fetch(at, KM_TYPE_JSON, token, on_bytes);
        /* Printed already: the pager's whole list after it would print some twice. */
        if (err == KM_OK)
            err = objects_end(&objects);
        memcpy(token, objects.token, sizeof token);
        if (token[0] != '\0')
            get_progress(objects.count - before, objects.remaining);
    } while (err == KM_OK && at->name == NULL && token[0] != '\0');
    progress_end();
    if (err == KM_OK || tell_problem(err) != 0)
        return err != KM_OK;
    return get_fail(at, err);
}

void get_object_begin(void)
{
    begin(OBJECT_ALONE);
}

int get_object_feed(struct km_slice bytes)
{
    return objects_feed(&objects, bytes);
}

int get_object_end(void)
{
    return objects_end(&objects);
}

int get_objects_end(void)
{
    if (state.sorts) {
        state.sorts = false;
        int err = get_sort_end(print_sorted);
        if (err != KM_OK) {
            (void)tell_problem(err);
            return 1;
        }
    }
    if (!state.many)
        return 0;
    begin_list();
    if (get_options.form == GET_JSONPATH)
        return jsonpath_list_end(get_options.path);
    if (get_options.form == GET_JSON) {
        out_text(state.printed > 0 ? "\n    ]" : "]");
        if (!state.struct_list)
            out_text(",\n    \"kind\": \"List\",\n    \"metadata\": {\n"
                     "        \"resourceVersion\": \"\"\n    }");
        out_text("\n}\n");
    } else {
        out_text(state.printed > 0 ? "" : " []\n");
        out_text("kind: List\n");
        out_text(state.struct_list ? "metadata: {}\n" : "metadata:\n  resourceVersion: \"\"\n");
    }
    return 0;
}

int get_objects_watch(const struct get_place *at, const char *version, bool skip_first)
{
    char from[sizeof objects.list.rv];
    (void)km_slice_copy(km_slice_of(version), from, sizeof from);
    begin(OBJECTS_OF_WATCH);
    state.hide = skip_first;
    state.watching = true;
    int err = get_watch(at, KM_TYPE_JSON, from, on_bytes);
    return err == KM_OK ? 0 : get_fail(at, err);
}

const char *get_objects_version(void)
{
    return objects.list.rv;
}
