/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects that a command is about, one after another: of -f, by TYPE NAME, TYPE/NAME, or by type and selector, a page of a
 * list at a time. Mistakes go to errors.h; the rest is visited.
 */
#ifndef VISIT_H
#define VISIT_H

#include "kubemote/km_json_walk.h"
#include "errors.h"
#include "input.h"

/* ---- what an answer says ---- */

struct answer {
    char api_version[320], kind[128], ns[64], name[254], uid[64], rv[64];
    int64_t generation; /* -1: none */
    bool deleting;
    uint64_t hash; /* of all its bytes */
    /* May be set by the caller, behind answer_begin: each string, number, true, false and null, decoded. */
    void (*on_value)(struct answer *a, const char *path, const char *text, bool is_text);
    void (*on_event)(struct answer *a, enum km_walk_event event); /* containers */
    const char *below; /* where the object stands in what is fed: "/object"; NULL = it is all */
    void *ctx;
    /* Private. */
    bool show;
    struct km_json_walk walk;
    struct km_buf value;
};

void answer_begin(struct answer *a);
/* Feeds more of it; for requests that are not sent by answer_call. */
int answer_feed(struct answer *a, struct km_slice bytes);
/* The path in the object; NULL: the walk is not in it. A number as it stands, -1 when it is none. */
const char *answer_place(const struct answer *a);
int64_t answer_number(const char *text);
/* The key that the walk is at, decoded: of a label, whose path may be cut. */
const char *answer_key(const struct answer *a);
/* Behind answer_begin: the object is printed as well, when -o asks for objects. */
void answer_show(struct answer *a);
/* KM_OK when what was fed is whole. */
int answer_end(struct answer *a);
/* Sends and reads the answer. */
int answer_call(struct answer *a, struct km_request *r);

/* ---- watching one object ---- */

#define WEEK_MS (168 * 3600 * (int64_t)1000) /* "for ever" */

struct follow {
    int64_t until_ms;     /* of the monotonic clock */
    struct answer answer; /* of the event under way; hooks are the caller's, set by `prepare` */
    void (*prepare)(struct follow *f);
    /* A whole event of that type. True: this is what was waited for. */
    bool (*on_object)(struct follow *f, const char *type);
    void *ctx;
    /* Private. */
    char type[16];
    bool done;
};
struct item;
/* KM_OK: on_object said so. KM_ERR_TIMEOUT: until_ms came. KM_EOF: the watch ended and a second has passed since: look again
   and go on. Else why it failed: *status of the request that item_request gave. */
int follow_item(struct follow *f, const struct item *item, const char *rv);
/* Go's form with a unit (10s, 1m30s, 0). KM_ERR_CONFIG after a message in pflag's words. */
int timeout_parse(const char *command, const char *text, int64_t *ms);

/* ---- one object ---- */

struct item {
    const struct km_api_resource *what;
    const char *ns, *name; /* ns NULL: cluster-scoped; name "" : a manifest has none */
    /* Of a manifest, else NULL. */
    const struct input_object *manifest;
};

/* The one request that commands send, emptied. */
struct km_request *item_request(void);
/* What it came to. */
const struct km_request *item_last_request(void);
const struct km_status *item_last_status(void);
/* GET, with the answer in *a (answer_begin was called). A missing namespace is told instead of the object, as kubectl does. */
int item_get(const struct item *item, const char *sub, struct answer *a);
/* What a GET of an object came to. When it is missing because its namespace is, r becomes the request that says so. */
int item_blame(const char *ns, struct km_request *r, int err);
/* kubectl says what it looked for, in front of some errors of a list. Static storage; NULL for others. */
const char *list_lead(const struct km_resource *what, const char *labels, const char *fields,
                      const struct km_status *status);
/* False after an error "invalid resource name ..." was added. */
bool item_name_ok(const char *name);

/* ---- selected.c: -l beside -f ---- */

/* KM_ERR_CONFIG after an error was added. Then the selector is that of the calls below. */
int selected_parse(const char *text);
/* By the labels of a manifest. */
bool selected_here(struct km_slice json);

/* ---- the visit ---- */

struct visit {
    /* Flags. */
    struct flag_texts files;
    bool recursive, all, all_namespaces;
    const char *selector, *field_selector;
    /* Of the command. */
    bool validate;      /* see struct input */
    bool any_namespace; /* -n need not be that of a manifest */
    bool live;          /* -l beside -f is about the labels that the server has, not the file's */
    void (*fn)(const struct item *item);
    /* Result. */
    unsigned count;
    bool single; /* the arguments name one object */
};

#define VISIT_FLAGS(v) \
    {"filename", 'f', FLAG_TEXTS, &(v).files, "file or folder of objects, - for standard input", \
     NULL}, \
    { \
        "recursive", 'R', FLAG_BOOL, &(v).recursive, "folders of -f with all below them", NULL \
    }
#define VISIT_SELECTOR_FLAGS(v) \
    {"selector", 'l', FLAG_TEXT, &(v).selector, "label selector", NULL}, \
        {"field-selector", 0, FLAG_TEXT, &(v).field_selector, "field selector", NULL}, \
        {"all", 0, FLAG_BOOL, &(v).all, "all objects of the type", NULL}, \
    { \
        "all-namespaces", 'A', FLAG_BOOL, &(v).all_namespaces, "objects of all namespaces", NULL \
    }

/* KM_ERR_CONFIG when nothing could be visited: errors.h has why. The connection stands before. */
int visit_all(struct visit *v, const struct words *words);

/* Visits with another function first, and forgets the errors: what the visit will be about. False when it can't be known: standard
   input is read only once if there are files beside it. */
bool visit_look(struct visit *v, const struct words *words, void (*fn)(const struct item *item));

/* ---- printing ---- */

enum dry_run { DRY_RUN_NONE, DRY_RUN_SERVER, DRY_RUN_CLIENT };
/* --dry-run: none, server, client; "unchanged" is kubectl's word for a flag without value. KM_ERR_CONFIG with kubectl's words. */
int dry_run_parse(const char *text, enum dry_run *out, struct km_fault *fault);
#define DRY_RUN_FLAG(text) \
    {"dry-run",  0, FLAG_MAYBE, &(text), "server: tell what would happen, change nothing", \
     "unchanged"}
/* -o: NULL, or "name"; another is an error. */
int output_check(const char *output);
/* "deployment.apps": the kind in small letters with its group. */
void put_kind(struct km_buf *out, const char *kind, struct km_slice group);
void out_kind(const char *kind, struct km_slice group);
/* The group of an apiVersion. */
struct km_slice group_of(const char *api_version);
/* "pod/a OPERATION (server dry run)", or the name alone with -o name; nothing when the object itself was printed. */
void print_done(const struct answer *a, const char *operation, enum dry_run dry_run);

#endif
