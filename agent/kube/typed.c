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

/* The first words about a call stay: what was wrong here says more than what it looked like to the connection. */
static int refuse(struct km_typed *t, int err, const char *why)
{
    return km_fault_set(&t->fault, err, "%s", why);
}

static void note(struct km_typed *t, const struct km_request *r, int err)
{
    const struct km_fault *fault = r->fault;
    t->request.fault = fault;
    if (err < 0 && fault != NULL && fault->code == err)
        (void)refuse(t, err, fault->text);
}

static int take(struct km_typed *t, const struct km_request *r, bool item, struct km_slice text,
                bool overflow)
{
    if (overflow && text.len == 0)
        return refuse(t, KM_ERR_TOO_LONG, "an object takes more than CONFIG_KM_JSON_WINDOW_BYTES");
    return km_json_decode(r->schema, item, text, (void *[]){t->record, NULL});
}

static const char *namespace_of(const struct km_typed *t)
{
    return t->type->namespaced ? object(t)->ns : NULL;
}

static int on_object(struct km_request *r, bool item, struct km_slice text, bool overflow)
{
    struct km_typed *t = r->ctx;
    (void)item;
    return take(t, &t->request, false, text, overflow);
}

static void on_answer(struct km_request *r, int err)
{
    struct km_typed *t = r->ctx;
    note(t, r, err);
    if (t->on_done != NULL)
        t->on_done(t, err);
}

/* Nothing of a call that is under way may be touched: its answer goes through the same tables. */
static int free_for_call(struct km_typed *t)
{
    if (t->on_done == NULL && t->client->loop->turning)
        return KM_ERR_REENTRANT;
    return km_request_busy(&t->request) || km_request_busy(&t->pager.request) ? KM_ERR_ARG : KM_OK;
}

/* The nodes serve one call after another: whole objects in one, lists in the next. */
static int begin(struct km_typed *t)
{
    int err = free_for_call(t);
    if (err != KM_OK)
        return err;
    km_fault_clear(&t->fault);
    memset(&t->request, 0, sizeof t->request);
    if (!km_kind_has_meta(t->type->kind))
        return refuse(t, KM_ERR_ARG, "the kind does not begin with KM_META_FIELDS");
    t->parts[0] = (struct km_schema_part){"", t->type->kind};
    t->request.schema = &t->schema;
    t->request.on_text = on_object;
    t->request.on_done = on_answer;
    t->request.ctx = t;
    t->request.retries = RETRIES;
    t->request.timeout_ms = t->timeout_ms;
    err = km_schema_init(&t->schema, t->parts, 1, NULL, t->nodes, t->node_size);
    return err == KM_OK ? KM_OK : refuse(t, err, "the kind does not fit `nodes`: raise node_size");
}

/* Of an object that is named by the caller. */
static int begin_at(struct km_typed *t, const char *ns)
{
    int err = begin(t);
    if (err == KM_OK && t->type->namespaced != (ns != NULL))
        err = refuse(t, KM_ERR_ARG,
                     t->type->namespaced ? "objects of this kind are in a namespace: name it"
                                         : "objects of this kind are in no namespace: NULL");
    return err;
}

static int call(struct km_typed *t, int err)
{
    if (err != KM_OK) {
        note(t, &t->request, err);
        return err;
    }
    return t->on_done != NULL ? km_request_send(&t->request, t->lane)
                              : km_call(&t->request, t->lane);
}

int km_typed_get(struct km_typed *t, const char *ns, const char *name, const char *sub,
                 const struct km_options *options)
{
    int err = begin_at(t, ns);
    if (err == KM_OK)
        err = km_rest_get(&t->request, t->client, &t->type->resource, ns, name, sub, options);
    return call(t, err);
}

/* Begins a call that sends *record. */
static int begin_with_record(struct km_typed *t, struct km_slice *body)
{
    struct km_buf out;
    int err = begin(t);
    if (err != KM_OK)
        return err;
    if (object(t)->head.truncated > 0)
        return refuse(t, KM_ERR_ARG,
                      "the record holds less than the server has (head.truncated): patch instead");
    if (t->type->namespaced && object(t)->ns[0] == '\0')
        return refuse(t, KM_ERR_ARG, "the record has no namespace");
    km_buf_init(&out, t->text, t->text_size);
    err = km_type_encode(t->type, t->record, &out);
    *body = km_buf_slice(&out);
    if (err == KM_ERR_TOO_LONG)
        return refuse(t, err, "the record as JSON does not fit `text`: raise text_size");
    return err == KM_OK ? KM_OK
                        : refuse(t, err,
                                 err == KM_ERR_ARG ? "a RAW field of the record holds no JSON"
                                                   : "the record can't be written as JSON");
}

int km_typed_create(struct km_typed *t, const char *sub, const struct km_options *options)
{
    struct km_slice body;
    int err = begin_with_record(t, &body);
    t->request.status_will_do = sub != NULL;
    if (err == KM_OK)
        err = km_rest_create(&t->request, t->client, &t->type->resource, namespace_of(t),
                             sub != NULL ? object(t)->name : NULL, sub, body, options);
    return call(t, err);
}

int km_typed_update(struct km_typed *t, const char *sub, const struct km_options *options)
{
    struct km_slice body;
    int err = begin_with_record(t, &body);
    if (err == KM_OK)
        err = km_rest_update(&t->request, t->client, &t->type->resource, namespace_of(t),
                             object(t)->name, sub, body, options);
    return call(t, err);
}

int km_typed_apply(struct km_typed *t, const char *sub, const struct km_options *options)
{
    struct km_slice body;
    int err = begin_with_record(t, &body);
    if (err == KM_OK)
        err = km_rest_patch(&t->request, t->client, &t->type->resource, namespace_of(t),
                            object(t)->name, sub, KM_TYPE_APPLY, body, options);
    return call(t, err);
}

int km_typed_patch(struct km_typed *t, const char *ns, const char *name, const char *sub,
                   const char *patch_type, struct km_slice patch, const struct km_options *options)
{
    int err = begin_at(t, ns);
    if (err == KM_OK)
        err = km_rest_patch(&t->request, t->client, &t->type->resource, ns, name, sub, patch_type,
                            patch, options);
    return call(t, err);
}

int km_typed_delete(struct km_typed *t, const char *ns, const char *name,
                    const struct km_delete_options *how)
{
    struct km_buf body;
    int err = begin_at(t, ns);
    km_buf_init(&body, t->text, t->text_size);
    if (err == KM_OK)
        err = km_rest_delete(&t->request, t->client, &t->type->resource, ns, name, how,
                             t->text != NULL || how != NULL ? &body : NULL);
    if (err == KM_OK)
        t->request.schema = NULL;
    return call(t, err);
}

/* ---- lists ---- */

static int on_item(struct km_pager *p, struct km_slice text, bool overflow)
{
    struct km_typed *t = p->ctx;
    int err = take(t, &p->request, true, text, overflow);
    return err == KM_OK ? t->on_record(t->ctx, t->record) : err;
}

static void on_restart(struct km_pager *p)
{
    struct km_typed *t = p->ctx;
    t->on_restart(t->ctx);
}

static void on_list(struct km_pager *p, int err)
{
    struct km_typed *t = p->ctx;
    t->request.status = p->request.status;
    note(t, &p->request, err);
    if (t->on_done != NULL)
        t->on_done(t, err);
}

static int begin_list(struct km_typed *t)
{
    int err = free_for_call(t);
    if (err != KM_OK)
        return err;
    km_fault_clear(&t->fault);
    memset(&t->request, 0, sizeof t->request);
    memset(&t->pager, 0, sizeof t->pager);
    if (!km_kind_has_meta(t->type->kind))
        return refuse(t, KM_ERR_ARG, "the kind does not begin with KM_META_FIELDS");
    t->parts[0] = (struct km_schema_part){"/items", t->type->kind};
    t->parts[1] = (struct km_schema_part){"", &km_kind_list_meta};
    err = km_schema_init(&t->schema, t->parts, 2, "/items", t->nodes, t->node_size);
    return err == KM_OK ? KM_OK : refuse(t, err, "the kind does not fit `nodes`: raise node_size");
}

int km_typed_list(struct km_typed *t, const char *ns, const struct km_options *options,
                  int (*on_record)(void *ctx, void *record), void (*restarted)(void *ctx),
                  void *ctx)
{
    struct km_pager *p = &t->pager;
    int err = on_record != NULL ? begin_list(t) : KM_ERR_ARG;
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
    p->on_done = on_list;
    p->ctx = t;
    p->request.retries = RETRIES;
    p->request.timeout_ms = t->timeout_ms;
    err = t->on_done != NULL ? km_pager_start(p, t->client, t->lane)
                             : km_pager_call(p, t->client, t->lane);
    if (err != KM_OK && t->fault.code == KM_OK)
        note(t, &p->request, err);
    return err;
}

const char *km_typed_problem(const struct km_typed *t, int err)
{
    return t->fault.code == err && t->fault.text[0] != '\0' ? t->fault.text : km_strerror(err);
}
