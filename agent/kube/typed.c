/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_typed.h"

/* client-go's budget for answers that say when to come back. */
#define RETRIES 10

/* What every record begins with. */
static const struct km_object *object(const struct km_typed *t)
{
    return t->record;
}

static const char *namespace_of(const struct km_typed *t)
{
    return t->type->namespaced ? object(t)->ns : NULL;
}

static int on_object(struct km_request *r, bool item, struct km_slice text, bool overflow)
{
    struct km_typed *t = r->ctx;
    (void)item;
    return overflow && text.len == 0
               ? KM_ERR_TOO_LONG
               : km_json_decode(&t->schema, false, text, (void *[]){t->record});
}

/* The nodes serve one call after another: whole objects in one, lists in the next. */
static int begin(struct km_typed *t)
{
    t->parts[0] = (struct km_schema_part){"", t->type->kind};
    memset(&t->request, 0, sizeof t->request);
    t->request.schema = &t->schema;
    t->request.on_text = on_object;
    t->request.ctx = t;
    t->request.retries = RETRIES;
    return km_schema_init(&t->schema, t->parts, 1, NULL, t->nodes, t->node_size);
}

static int call(struct km_typed *t, int err)
{
    return err == KM_OK ? km_call(&t->request, t->lane) : err;
}

int km_typed_get(struct km_typed *t, const char *ns, const char *name,
                 const struct km_options *options)
{
    int err = begin(t);
    if (err == KM_OK)
        err = km_rest_get(&t->request, t->client, &t->type->resource, ns, name, NULL, options);
    return call(t, err);
}

static int encode(struct km_typed *t, struct km_slice *body)
{
    struct km_buf out;
    km_buf_init(&out, t->text, t->text_size);
    int err = km_type_encode(t->type, t->record, &out);
    *body = km_buf_slice(&out);
    return err;
}

int km_typed_create(struct km_typed *t, const struct km_options *options)
{
    struct km_slice body;
    int err = begin(t);
    if (err == KM_OK)
        err = encode(t, &body);
    if (err == KM_OK)
        err = km_rest_create(&t->request, t->client, &t->type->resource, namespace_of(t), NULL,
                             NULL, body, options);
    return call(t, err);
}

int km_typed_update(struct km_typed *t, const char *sub, const struct km_options *options)
{
    struct km_slice body;
    int err = begin(t);
    if (err == KM_OK)
        err = encode(t, &body);
    if (err == KM_OK)
        err = km_rest_update(&t->request, t->client, &t->type->resource, namespace_of(t),
                             object(t)->name, sub, body, options);
    return call(t, err);
}

int km_typed_apply(struct km_typed *t, const char *sub, const struct km_options *options)
{
    struct km_slice body;
    int err = begin(t);
    if (err == KM_OK)
        err = encode(t, &body);
    if (err == KM_OK)
        err = km_rest_patch(&t->request, t->client, &t->type->resource, namespace_of(t),
                            object(t)->name, sub, KM_TYPE_APPLY, body, options);
    return call(t, err);
}

int km_typed_patch(struct km_typed *t, const char *ns, const char *name, const char *sub,
                   const char *patch_type, struct km_slice patch, const struct km_options *options)
{
    int err = begin(t);
    if (err == KM_OK)
        err = km_rest_patch(&t->request, t->client, &t->type->resource, ns, name, sub, patch_type,
                            patch, options);
    return call(t, err);
}

int km_typed_delete(struct km_typed *t, const char *ns, const char *name,
                    const struct km_delete_options *how)
{
    struct km_buf body;
    int err = begin(t);
    t->request.schema = NULL;
    km_buf_init(&body, t->text, t->text_size);
    if (err == KM_OK)
        err = km_rest_delete(&t->request, t->client, &t->type->resource, ns, name, how, &body);
    return call(t, err);
}

/* ---- lists ---- */

static int on_item(struct km_pager *p, struct km_slice text, bool overflow)
{
    struct km_typed *t = p->ctx;
    if (overflow && text.len == 0)
        return KM_ERR_TOO_LONG;
    int err = km_json_decode(&t->schema, true, text, (void *[]){t->record, NULL});
    return err == KM_OK ? t->on_record(t->ctx, t->record) : err;
}

static void on_restart(struct km_pager *p)
{
    struct km_typed *t = p->ctx;
    t->on_restart(t->ctx);
}

int km_typed_list(struct km_typed *t, const char *ns, const struct km_options *options,
                  int (*on_record)(void *ctx, void *record), void (*restarted)(void *ctx),
                  void *ctx)
{
    struct km_pager *p = &t->pager;
    memset(&t->request, 0, sizeof t->request);
    memset(p, 0, sizeof *p);
    t->parts[0] = (struct km_schema_part){"/items", t->type->kind};
    t->parts[1] = (struct km_schema_part){"", &km_kind_list_meta};
    int err = km_schema_init(&t->schema, t->parts, 2, "/items", t->nodes, t->node_size);
    if (err != KM_OK)
        return err;
    t->on_record = on_record;
    t->on_restart = restarted;
    t->ctx = ctx;
    p->what = &t->type->resource;
    p->ns = ns;
    if (options != NULL)
        p->options = *options;
    p->schema = &t->schema;
    p->on_item = on_item;
    p->on_restart = restarted != NULL ? on_restart : NULL;
    p->ctx = t;
    p->request.retries = RETRIES;
    err = km_pager_call(p, t->client, t->lane);
    t->request.status = p->request.status;
    t->request.fault = p->request.fault;
    return err;
}

const char *km_typed_problem(const struct km_typed *t, int err)
{
    const struct km_fault *fault = t->request.fault;
    return fault != NULL && fault->code != KM_OK && fault->text[0] != '\0' ? fault->text
                                                                           : km_strerror(err);
}
