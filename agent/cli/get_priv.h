/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of `get` share. */
#ifndef GET_PRIV_H
#define GET_PRIV_H

#include "cli_priv.h"

enum get_form { GET_TABLE, GET_WIDE, GET_NAME, GET_JSON, GET_YAML, GET_JSONPATH };

struct get_options {
    const char *output, *selector, *field_selector, *raw, *subresource, *sort_by;
    bool all_namespaces, watch, watch_only, watch_events, no_headers, show_labels, ignore_not_found,
        show_kind, managed_fields, server_print, mute; /* mute: read, print no object */
    int64_t chunk_size;
    struct flag_texts label_columns;
    enum get_form form;
    const char *path; /* of GET_JSONPATH: the template */
};
extern struct get_options get_options;
extern struct km_request get_request;
extern char get_sort_at
    [640]; /* where the key of --sort-by stands in an object, or in a table; "" = no sorting */

/* What is asked for: a list (name NULL) or an object; ns NULL = all namespaces or none. */
struct get_place {
    const struct km_api_resource *what;
    const char *ns, *name;
};

/* Sends one GET whose 2xx body goes to on_bytes; `token` continues a list. A limit that the flags give applies when paged. */
int get_fetch(const struct get_place *at, const char *accept, const char *token,
              int (*on_bytes)(struct km_request *r, struct km_slice bytes));
/* As get_fetch for a watch from there on. */
int get_watch(const struct get_place *at, const char *accept, const char *version,
              int (*on_bytes)(struct km_request *r, struct km_slice bytes));
/* Prints the error of the last get_fetch with kubectl's words and returns 1; 0 when it is to be ignored. */
int get_fail(const struct get_place *at, int err);
/* Long lists, on a terminal: how many came. */
void get_progress(uint64_t count, int64_t remaining);

#define GET_ACCEPT_TABLE \
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/" \
    "json;as=Table;v=v1beta1;g=meta.k8s.io," \
    "application/json"

/* ---- -f: get_files.c ---- */

struct visit;
extern struct visit get_files;
/* Prints what the files name; the exit status. */
int get_from_files(const struct words *words);
/* To standard error, unless --ignore-not-found. namespaced: all that was asked for lives in one namespace. */
void get_say_none(bool namespaced);

/* ---- tables: get_table.c ---- */

/* A new group of rows, all of `what`. */
void get_table_begin(const struct km_api_resource *what, bool with_kind);
/* Adds its rows; the exit status. */
int get_table(const struct get_place *at);
/* Reads a watch: rows of events as they come, until the server ends it. skip_first: the first event repeats what is known. */
int get_table_watch(const struct get_place *at, const char *version, bool skip_first);
/* resourceVersion of the list that was read last. */
const char *get_table_version(void);

/* ---- objects: get_objects.c ---- */

/* -o of a command: "" and, for get, wide are tables, for others words; name, json, yaml, jsonpath=. Sets form and path; the exit
   status. `what`: "get" lists wide among the formats. */
int get_choose_form(bool tables);
/* Whether objects are printed: -o is neither empty nor wide nor name. */
bool get_prints_objects(void);
/* Whether it is empty or wide. */
bool get_prints_tables(void);
#define GET_OUTPUT_FLAGS \
    { \
        "output", 'o', FLAG_TEXT, &get_options.output, "name, json, yaml or jsonpath=TEMPLATE", \
        NULL}, \
    { \
        "show-managed-fields", 0, FLAG_BOOL, &get_options.managed_fields, \
            "managedFields in json and yaml", NULL \
    }

/* many: print a List around what comes. */
void get_objects_begin(bool many);
/* The List is apply's, whose members come in another order. */
void get_objects_of_struct(void);
/* An object's JSON is printed in its own order. */
void get_objects_as_is(void);
/* One object that comes in pieces, whole when get_object_end says KM_OK; it is printed then. */
void get_object_begin(void);
int get_object_feed(struct km_slice bytes);
int get_object_end(void);
int get_objects(const struct get_place *at);
/* Prints those that were held back for --sort-by, and the end of the List; the exit status. */
int get_objects_end(void);
int get_objects_watch(const struct get_place *at, const char *version, bool skip_first);
const char *get_objects_version(void);

/* ---- --dry-run=client: get_patch.c ---- */

/* A merge patch for the objects that are told from now on: compact JSON, kept by the caller; empty = none. They are read, and shown
   where -o asks for that, as they would be with it. */
void get_patch_begin(struct km_slice patch);
bool get_patch_waits(void);
/* *object becomes what the patch makes of it, valid until the next call. KM_ERR_TOO_LONG: it has no room. */
int get_patch_apply(struct km_slice *object);
/* Whether the last object is another with the patch. */
bool get_patch_changed(void);

/* ---- --sort-by of objects: get_sort.c ---- */

/* Emptied; the buffer serves others while nothing is sorted. */
struct km_buf *get_sort_begin(void);
/* `line` is what will be printed of the object. KM_ERR_TOO_LONG beyond CONFIG_KM_CLI_SORT_BYTES: tell with get_sort_fail. */
int get_sort_add(struct km_slice object, struct km_slice line);
/* The error that the objects do not fit; nothing will be printed. Returns the exit status. */
int get_sort_fail(void);
/* Prints each in order; the exit status, or what print returned. */
int get_sort_end(int (*print)(struct km_slice line));

#endif
