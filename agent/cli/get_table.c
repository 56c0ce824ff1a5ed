/* SPDX-License-Identifier: Apache-2.0 */
/* Reads tables that the server makes and hands their cells to the layout. */
#include <string.h>

#include "get_priv.h"
#include "kubemote/km_json_walk.h"
#include "table.h"
#include "visit.h"

/* The places in a table; in a watch each event holds one. */
struct places {
    const char *row, *cell, *meta, *column, *column_name, *column_format, *column_priority,
        *columns;
};
static const struct places in_list = {"/rows/*",
                                      "/rows/*/cells/*",
                                      "/rows/*/object/metadata",
                                      "/columnDefinitions/*",
                                      "/columnDefinitions/*/name",
                                      "/columnDefinitions/*/format",
                                      "/columnDefinitions/*/priority",
                                      "/columnDefinitions"};
static const struct places in_event = {"/object/rows/*",
                                       "/object/rows/*/cells/*",
                                       "/object/rows/*/object/metadata",
                                       "/object/columnDefinitions/*",
                                       "/object/columnDefinitions/*/name",
                                       "/object/columnDefinitions/*/format",
                                       "/object/columnDefinitions/*/priority",
                                       "/object/columnDefinitions"};

static struct reader {
    const struct places *at;
    struct km_json_walk walk;
    struct km_buf value;
    char value_data[CONFIG_KM_CLI_ROW_BYTES], text[CONFIG_KM_CLI_ROW_BYTES];
    char column[64], format[32], token[1024], key[320], event[16], version[64], kind[32];
    int64_t priority, remaining;
    uint64_t rows;
    bool hide_event, is_table;
} reader KM_POOL_STORAGE(cli_table_reader);

static void keep(struct km_slice text, char *out, size_t size)
{
    (void)km_slice_copy(text, out, size);
}

static void take_meta(struct reader *r, const char *member)
{
    if (strcmp(member, "/namespace") == 0)
        table_namespace(r->text);
    else if (strncmp(member, "/labels/", 8) == 0)
        table_label(km_slice_of(r->key), r->text);
}

static void take_list_member(struct reader *r, struct km_slice text)
{
    const struct km_json_walk *w = &r->walk;
    uint64_t number;
    if (km_json_walk_at(w, "/metadata/continue"))
        keep(text, r->token, sizeof r->token);
    else if (km_json_walk_at(w, "/metadata/resourceVersion"))
        keep(text, r->version, sizeof r->version);
    else if (km_json_walk_at(w, "/metadata/remainingItemCount") &&
             km_slice_to_u64(text, &number) == KM_OK)
        r->remaining = (int64_t)number;
    else if (km_json_walk_at(w, "/type"))
        keep(text, r->event, sizeof r->event);
    else if (km_json_walk_at(w, "/kind") || km_json_walk_at(w, "/object/kind"))
        keep(text, r->kind, sizeof r->kind);
}

static void unquote(struct reader *r)
{
    struct km_slice raw = km_buf_slice(&r->value);
    if (raw.len > 0 && raw.ptr[0] == '"')
        (void)km_json_unquote(raw, r->text, sizeof r->text);
    else if (!km_slice_eq_str(raw, "null"))
        keep(raw, r->text, sizeof r->text);
    else
        r->text[0] = '\0';
}

static void take_scalar(struct reader *r)
{
    const struct km_json_walk *w = &r->walk;
    const char *member;
    unquote(r);
    struct km_slice text = km_slice_of(r->text);
    if (get_sort_at[0] != '\0' && km_json_walk_at(w, get_sort_at))
        table_key(km_buf_slice(&r->value));
    if (km_json_walk_at(w, r->at->cell))
        table_cell(text);
    else if ((member = km_json_walk_below(w, r->at->meta)) != NULL)
        take_meta(r, member);
    else if (km_json_walk_at(w, r->at->column_name))
        keep(text, r->column, sizeof r->column);
    else if (km_json_walk_at(w, r->at->column_format))
        keep(text, r->format, sizeof r->format);
    else if (km_json_walk_at(w, r->at->column_priority))
        r->priority = strcmp(r->text, "0") == 0 ? 0 : 1;
    else if (w->depth <= 2)
        take_list_member(r, text);
}

static void end_row(struct reader *r)
{
    r->rows++;
    if (!r->hide_event && !get_options.mute)
        table_row_end();
}

static void take_container(struct reader *r, bool begins)
{
    const struct km_json_walk *w = &r->walk;
    if (km_json_walk_at(w, r->at->columns) && begins)
        table_columns_begin();
    if (km_json_walk_at(w, r->at->row)) {
        if (begins)
            table_row_begin(r->event[0] == '\0' ? "ADDED" : r->event);
        else
            end_row(r);
    } else if (km_json_walk_at(w, r->at->column)) {
        if (!begins)
            table_column(r->column, r->priority, strcmp(r->format, "name") == 0);
        r->column[0] = r->format[0] = '\0';
        r->priority = 0;
    }
}

/* An event of a watch was read whole. */
static void end_event(struct reader *r)
{
    bool bookmark = strcmp(r->event, "BOOKMARK") == 0;
    if (!bookmark)
        r->hide_event = false;
    table_flush();
    out_flush();
}

static int on_event(void *ctx, const struct km_json_walk *w, enum km_walk_event event,
                    struct km_slice text)
{
    struct reader *r = ctx;
    switch (event) {
    case KM_WALK_OBJECT:
    case KM_WALK_ARRAY:
        take_container(r, true);
        break;
    case KM_WALK_END:
        take_container(r, false);
        if (w->depth == 0 && r->at == &in_event)
            end_event(r);
        break;
    case KM_WALK_KEY:
        keep(text, r->key, sizeof r->key);
        break;
    case KM_WALK_PART:
        km_buf_put_slice(&r->value, text);
        break;
    case KM_WALK_SCALAR:
        take_scalar(r);
        km_buf_reset(&r->value);
        break;
    }
    return out_works() ? KM_OK : KM_ERR_IO;
}

static int on_bytes(struct km_request *request, struct km_slice bytes)
{
    (void)request;
    return km_json_walk_feed(&reader.walk, bytes);
}

static void begin(const struct places *at)
{
    reader.at = at;
    reader.token[0] = reader.event[0] = reader.kind[0] = '\0';
    reader.remaining = -1;
    reader.hide_event = false;
    km_buf_init(&reader.value, reader.value_data, sizeof reader.value_data);
    km_json_walk_init(&reader.walk, at == &in_event, on_event, &reader);
}

void get_table_begin(const struct km_api_resource *what, bool with_kind)
{
    static char prefix[400];
    static bool namespaced; /* once shown, the column stays for later types as well */
    const struct get_options *o = &get_options;
    struct km_buf text;
    km_buf_init(&text, prefix, sizeof prefix);
    put_kind(&text, what->kind, km_slice_of(what->group));
    km_buf_putc(&text, '/');
    namespaced = namespaced || (o->all_namespaces && what->namespaced);
    const struct table_options options = {
        .wide = o->form == GET_WIDE,
        .no_headers = o->no_headers,
        .with_namespace = namespaced,
        .with_event = o->watch_events,
        .show_labels = o->show_labels,
        .label_columns = &o->label_columns,
        .kind_prefix = with_kind ? prefix : NULL,
        .sort_by = get_sort_at[0] != '\0' ? o->sort_by : NULL,
    };
    table_begin(&options);
}

/* The pager's rule: a list that ran out of time is asked for as a whole, which is possible as long as nothing was printed. */
static int list_again(const struct get_place *at)
{
    int64_t chunk_size = get_options.chunk_size;
    table_undo();
    get_options.chunk_size = 0;
    begin(&in_list);
    int err = get_fetch(at, GET_ACCEPT_TABLE, NULL, on_bytes);
    get_options.chunk_size = chunk_size;
    return err;
}

int get_table(const struct get_place *at)
{
    char token[sizeof reader.token] = "";
    uint64_t before = reader.rows;
    int err;
    table_mark();
    do {
        begin(&in_list);
        err = get_fetch(at, GET_ACCEPT_TABLE, token, on_bytes);
        if (err == KM_ERR_STATUS && token[0] != '\0' && km_status_is_expired(get_request.status) &&
            table_can_undo())
            err = list_again(at);
        if (err == KM_OK)
            err = km_json_walk_end(&reader.walk);
        memcpy(token, reader.token, sizeof token);
        if (token[0] != '\0')
            get_progress(reader.rows - before, reader.remaining);
    } while (err == KM_OK && at->name == NULL && token[0] != '\0');
    progress_end();
    return err == KM_OK ? 0 : get_fail(at, err);
}

int get_table_watch(const struct get_place *at, const char *version, bool skip_first)
{
    begin(&in_event);
    reader.hide_event = skip_first;
    int err = get_watch(at, GET_ACCEPT_TABLE, version, on_bytes);
    return err == KM_OK ? 0 : get_fail(at, err);
}

const char *get_table_version(void)
{
    return reader.version;
}
