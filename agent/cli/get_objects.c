/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as they are: json, yaml, names, fields. */
#include <string.h>

#include "get_priv.h"
#include "objects.h"
#include "tree.h"

static struct objects objects KM_POOL_STORAGE(cli_objects);
static struct {
    bool many, begun, hide, watching;
    uint64_t printed;
    int failure; /* the first one */
} state;

/* ---- one object ---- */

static void lower(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
    }
}

static int print_name(struct objects *o)
{
    const char *slash = strchr(o->meta.api_version, '/');
    lower(o->meta.kind);
    out_text(o->meta.kind);
    if (slash != NULL)
        out_printf(".%.*s", (int)(slash - o->meta.api_version), o->meta.api_version);
    out_printf("/%s\n", o->meta.name[0] == '\0' ? "<unknown>" : o->meta.name);
    return KM_OK;
}

static void begin_list(void)
{
    if (state.begun || !state.many)
        return;
    state.begun = true;
    if (get_options.form == GET_JSON)
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
    if (get_options.form == GET_NAME)
        return print_name(o);
    if (get_options.watch_events)
        return print_event_line(o, text);
    lead();
    if (get_options.form == GET_YAML)
        return tree_yaml(text, state.many ? 2 : 0, true);
    tree_json(text, state.many ? 2 : 0);
    if (!state.many)
        out_text("\n");
    return KM_OK;
}

static int on_object(struct objects *o, struct km_slice text)
{
    bool bookmark = strcmp(o->event, "BOOKMARK") == 0;
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
    /* kubectl does not look into events. */
    objects.managed_fields = get_options.managed_fields || get_options.watch_events;
    objects.only_meta = get_options.form == GET_NAME;
    objects.on_object = on_object;
    objects.on_large = on_large;
    objects_begin(&objects);
}

void get_objects_begin(bool many)
{
    state.many = many && get_options.form != GET_NAME;
    state.begun = state.hide = state.watching = false;
    state.printed = 0;
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
    get_progress_end();
    if (err == KM_ERR_CONFIG)
        return cli_usage_error("yaml: control characters are not allowed");
    return err == KM_OK ? 0 : get_fail(at, err);
}

void get_objects_end(void)
{
    if (!state.many)
        return;
    begin_list();
    if (get_options.form == GET_JSON) {
        out_text(state.printed > 0 ? "\n    ],\n" : "],\n");
        out_text("    \"kind\": \"List\",\n    \"metadata\": {\n        \"resourceVersion\": "
                 "\"\"\n    }\n}\n");
    } else {
        out_text(state.printed > 0 ? "" : " []\n");
        out_text("kind: List\nmetadata:\n  resourceVersion: \"\"\n");
    }
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
