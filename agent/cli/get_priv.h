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
    const char *path; /* of GET_JSONPATH, without its braces */
};
extern struct get_options get_options;
extern struct km_request get_request;

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
void get_progress_end(void);

#define GET_ACCEPT_TABLE \
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/" \
    "json;as=Table;v=v1beta1;g=meta.k8s.io," \
    "application/json"

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

/* many: print a List around what comes. */
void get_objects_begin(bool many);
int get_objects(const struct get_place *at);
void get_objects_end(void);
int get_objects_watch(const struct get_place *at, const char *version, bool skip_first);
const char *get_objects_version(void);

#endif
