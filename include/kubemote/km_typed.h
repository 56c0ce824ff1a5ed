/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room kube: lists in pages, and verbs for typed records (km_kinds.h, or a program's own kinds).
 *
 *     static struct km_session session;
 *     static struct km_api_config_map map;
 *     static struct km_schema_node nodes[KM_TYPED_NODES];
 *     static char text[16384];
 *     static struct km_typed maps = {.type = &km_type_config_map, .record = &map, .client = &session.client,
 *                                    .lane = &session.lane, .nodes = nodes, .node_size = KM_TYPED_NODES,
 *                                    .text = text, .text_size = sizeof text};
 *     err = km_typed_get(&maps, "default", "settings", NULL, NULL);    fills map
 *     err = km_typed_update(&maps, NULL, NULL);                        a conflict when somebody wrote in between
 */
#ifndef KM_TYPED_H
#define KM_TYPED_H

#include "km_kinds.h"
#include "km_rest.h"

/* ---- pages ---- */

/* What stands around the items of a list. */
#define KM_LIST_META_FIELDS(S, I, B, R, A, M) \
    S(rv, "/metadata/resourceVersion", 32) \
    S(continue_token, "/metadata/continue", CONFIG_KM_CONTINUE_BYTES) \
    I(remaining, "/metadata/remainingItemCount")
KM_KIND_STRUCT(list_meta, KM_LIST_META_FIELDS)
extern const struct km_kind km_kind_list_meta;

/* Items of a page when options.limit is 0. */
#define KM_PAGE_ITEMS 500

/*
 * A list, page by page, by the rules of client-go's pager: the first page is asked for with the options' resourceVersion and
 * match, the others with the continue token alone. When a later page is refused because its list is too old, or its token
 * does not fit, the list is asked for once more as a whole, if on_restart takes it; else the refusal is the result.
 */
struct km_pager {
    /* Set before km_pager_start. */
    const struct km_resource *what;
    const char *ns; /* NULL or "": all */
    struct km_options options;
    bool whole; /* no pages */
    const struct km_schema
        *schema;        /* {"/items", KIND} and {"", &km_kind_list_meta}, items "/items" */
    const char *accept; /* NULL: application/json */
    /* An item's pruned text, for km_json_decode(schema, true, text, {&record, NULL}). A negative result ends the list with it. */
    int (*on_item)(struct km_pager *p, struct km_slice text, bool overflow);
    void (*on_restart)(struct km_pager *p); /* what came so far comes again; may be NULL */
    void (*on_done)(struct km_pager *p, int err);
    void *ctx;

    /* Results. */
    char rv[32];    /* of the first page; of the whole list after a restart */
    bool paginated; /* more than one page, or a restart */
    uint32_t pages;
    uint64_t items;
    int64_t remaining; /* that the server says will follow; 0 when it does not say */
    int result;
    struct km_request request; /* the last one: its status and fault */

    /* Private. */
    struct km_client *client;
    struct km_lane *lane;
    struct km_list_meta meta;
    char token[CONFIG_KM_CONTINUE_BYTES];
    uint8_t retries;
};

/* Nothing blocks: items and the end come through callbacks. KM_ERR_ARG and others as km_rest_list. */
int km_pager_start(struct km_pager *p, struct km_client *client, struct km_lane *lane);
/* The same, driving the loop until the end; on_done may be NULL. Returns p->result. */
int km_pager_call(struct km_pager *p, struct km_client *client, struct km_lane *lane);

/* ---- typed verbs ---- */

/* Enough nodes for any kind of km_kinds.h. */
#define KM_TYPED_NODES 512

struct km_typed {
    /* Set by the caller; all stays the caller's. */
    const struct km_type *type; /* its kind begins with KM_META_FIELDS */
    struct km_client *client;
    struct km_lane *lane;
    void *
        record; /* of type->kind: every answer is put here, and what is written is taken from here */
    struct km_schema_node *nodes;
    uint16_t node_size;
    char *text; /* for what is sent; NULL for a program that writes nothing */
    size_t text_size;
    int64_t timeout_ms; /* of each request; 0 = none */
    /* NULL: the calls below block. Else they return when the request is on its way, and this is called at its end, from the
       loop; it may make the next call. */
    void (*on_done)(struct km_typed *t, int err);
    void *done_ctx; /* for on_done; nothing here reads it */

    /* After a call. */
    struct km_request request; /* its status */
    struct km_fault fault;     /* what went wrong, in words */

    /* Private. */
    struct km_schema schema;
    struct km_schema_part parts[2];
    struct km_pager pager;
    int (*on_record)(void *ctx, void *record);
    void (*on_restart)(void *ctx);
    void *ctx;
};

/*
 * Each sends one request and blocks until it is answered, or calls on_done then; the answer is in *record. ns is NULL for kinds
 * without namespaces and needed for the others. sub: a subresource ("status", "scale"), or NULL; one that answers with a kind
 * of its own has a km_type of its own: {{"apps", "v1", "deployments"}, "autoscaling/v1", true, &km_kind_scale}. options may be
 * NULL. KM_ERR_STATUS: read request.status; KM_ERR_TOO_LONG: nothing of the object fits the window, or the record does not fit
 * `text`; KM_ERR_FULL: the kind has more fields than `nodes`; KM_ERR_ARG: a name or a namespace is missing, the record holds
 * less than the server (head.truncated) and would overwrite the rest, or a call of the same struct is under way;
 * KM_ERR_REENTRANT: a blocking call from inside a callback; others as km_call. km_typed_problem has words for each.
 */
int km_typed_get(struct km_typed *t, const char *ns, const char *name, const char *sub,
                 const struct km_options *options);
/* Of *record: its namespace and name (or generateName) say where. With sub below the object of that name: "token" of a
   ServiceAccount; "eviction" and "binding" of a Pod, which are answered without an object: the record stays as it is then. */
int km_typed_create(struct km_typed *t, const char *sub, const struct km_options *options);
/* Replaces the object by *record, or its status when sub is "status"; a resourceVersion in the record makes it refuse what
   somebody else has changed. */
int km_typed_update(struct km_typed *t, const char *sub, const struct km_options *options);
/* Server-side apply of *record; options->field_manager is needed. */
int km_typed_apply(struct km_typed *t, const char *sub, const struct km_options *options);
int km_typed_patch(struct km_typed *t, const char *ns, const char *name, const char *sub,
                   const char *patch_type, struct km_slice patch, const struct km_options *options);
/* *record stays as it is. */
int km_typed_delete(struct km_typed *t, const char *ns, const char *name,
                    const struct km_delete_options *how);
/* ns NULL or "" = all. Each object in *record, one after another, in pages (options->limit items each, or 500). A negative result
   of on_record ends the list with it; it may start calls of another struct km_typed on another lane with on_done. on_restart: what
   came so far comes again; NULL: a list that gets too old is an error. */
int km_typed_list(struct km_typed *t, const char *ns, const struct km_options *options,
                  int (*on_record)(void *ctx, void *record), void (*on_restart)(void *ctx),
                  void *ctx);
/* What went wrong in the last call, in words. */
const char *km_typed_problem(const struct km_typed *t, int err);

#endif
