/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_rest.h"

/* Requests of people and programs last as long as the server lets them; the agent sets its own deadlines. */
#define CALL_TIMEOUT_MS KM_NEVER

/* ---- query ---- */

static void put_text(struct km_buf *out, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0')
        km_query(out, key, value);
}

static void put_choice(struct km_buf *out, const char *key, enum km_choice value)
{
    if (value != KM_UNSET)
        km_query(out, key, value == KM_YES ? "true" : "false");
}

/* In the order of their names, as client-go encodes them. */
static void put_options(struct km_buf *out, const struct km_options *o, bool watch)
{
    static const struct km_options none;
    if (o == NULL)
        o = &none;
    put_choice(out, "allowWatchBookmarks", o->allow_bookmarks);
    put_text(out, "continue", o->continue_token);
    put_text(out, "dryRun", o->dry_run);
    put_text(out, "fieldManager", o->field_manager);
    put_text(out, "fieldSelector", o->field_selector);
    put_text(out, "fieldValidation", o->field_validation);
    put_choice(out, "force", o->force);
    put_text(out, "includeObject", o->include_object);
    put_text(out, "labelSelector", o->label_selector);
    if (o->limit > 0)
        km_query_i64(out, "limit", o->limit);
    put_text(out, "resourceVersion", o->resource_version);
    put_text(out, "resourceVersionMatch", o->resource_version_match);
    put_choice(out, "sendInitialEvents", o->send_initial_events);
    if (o->timeout_seconds > 0)
        km_query_i64(out, "timeoutSeconds", o->timeout_seconds);
    if (watch)
        km_query(out, "watch", "true");
}

/* ---- what is refused before it is sent ---- */

static int refuse(struct km_request *r, int err, const char *why)
{
    static struct km_fault refused;
    km_fault_clear(&refused);
    r->fault = &refused;
    r->status = NULL;
    r->http_status = 0;
    r->result = err;
    return km_fault_set(&refused, err, "%s", why);
}

static int too_long(struct km_request *r)
{
    return refuse(r, KM_ERR_TOO_LONG, "path and query take more than CONFIG_KM_TARGET_BYTES");
}

static int no_name(struct km_request *r)
{
    return refuse(r, KM_ERR_ARG, "the object's name is missing");
}

/* ---- targets ---- */

struct place {
    const struct km_resource *what;
    const char *ns, *name, *sub;
};

static int aim(struct km_request *r, const struct km_client *c, enum km_http_method method,
               const struct place *at, const struct km_options *options, bool watch)
{
    struct km_buf out;
    km_buf_init(&out, r->target, sizeof r->target);
    int err = km_path(&out, c->config->base_path, at->what, at->ns, at->name, at->sub);
    if (err == KM_ERR_ARG)
        return refuse(
            r, err,
            "the resource, namespace, name or subresource is empty or no segment of a path");
    if (err != KM_OK)
        return too_long(r);
    put_options(&out, options, watch);
    r->method = method;
    r->what = at->what->plural;
    r->body = (struct km_slice){0};
    r->content_type = NULL;
    r->stream = watch;
    r->raw = false;
    if (r->timeout_ms == 0)
        r->timeout_ms = CALL_TIMEOUT_MS;
    return out.overflow ? too_long(r) : KM_OK;
}

/* client-go's preflight: what would go to another place than was meant. */
static bool empty(const char *text)
{
    return text != NULL && text[0] == '\0';
}

int km_rest_get(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                const char *ns, const char *name, const char *sub, const struct km_options *options)
{
    const struct place at = {what, ns, name, sub};
    if (name == NULL)
        return no_name(r);
    return aim(r, c, KM_GET, &at, options, false);
}

int km_rest_list(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                 const char *ns, const struct km_options *options)
{
    const struct place at = {what, empty(ns) ? NULL : ns, NULL, NULL};
    return aim(r, c, KM_GET, &at, options, false);
}

int km_rest_watch(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                  const char *ns, const struct km_options *options)
{
    const struct place at = {what, empty(ns) ? NULL : ns, NULL, NULL};
    return aim(r, c, KM_GET, &at, options, true);
}

static int aim_body(struct km_request *r, const struct km_client *c, enum km_http_method method,
                    const struct place *at, const char *type, struct km_slice body,
                    const struct km_options *options)
{
    int err = aim(r, c, method, at, options, false);
    r->content_type = type;
    r->body = body;
    return err;
}

int km_rest_create(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                   const char *ns, const char *name, const char *sub, struct km_slice body,
                   const struct km_options *options)
{
    const struct place at = {what, ns, name, sub};
    if (sub != NULL && name == NULL)
        return no_name(r);
    return aim_body(r, c, KM_POST, &at, KM_TYPE_JSON, body, options);
}

int km_rest_update(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                   const char *ns, const char *name, const char *sub, struct km_slice body,
                   const struct km_options *options)
{
    const struct place at = {what, ns, name, sub};
    if (name == NULL)
        return no_name(r);
    return aim_body(r, c, KM_PUT, &at, KM_TYPE_JSON, body, options);
}

int km_rest_patch(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                  const char *ns, const char *name, const char *sub, const char *type,
                  struct km_slice body, const struct km_options *options)
{
    const struct place at = {what, ns, name, sub};
    if (name == NULL)
        return no_name(r);
    if (type == NULL)
        return refuse(r, KM_ERR_ARG, "the patch has no type");
    if (body.len == 0)
        return refuse(r, KM_ERR_ARG, "the patch is empty");
    if (strcmp(type, KM_TYPE_APPLY) == 0 &&
        (options == NULL || options->field_manager == NULL || options->field_manager[0] == '\0'))
        return refuse(r, KM_ERR_ARG, "server-side apply needs a field manager");
    return aim_body(r, c, KM_PATCH, &at, type, body, options);
}

/* ---- delete ---- */

static void put_preconditions(struct km_json_writer *w, const struct km_delete_options *how)
{
    if (how->uid == NULL && how->resource_version == NULL)
        return;
    km_json_key(w, "preconditions");
    km_json_object(w);
    if (how->resource_version != NULL)
        km_json_kv_str(w, "resourceVersion", how->resource_version);
    if (how->uid != NULL)
        km_json_kv_str(w, "uid", how->uid);
    km_json_close(w);
}

static int put_delete_options(struct km_buf *out, const struct km_delete_options *how)
{
    static const struct km_delete_options none;
    struct km_json_writer w;
    if (how == NULL)
        how = &none;
    km_buf_reset(out);
    km_json_writer_init(&w, out);
    km_json_object(&w);
    km_json_kv_str(&w, "kind", "DeleteOptions");
    km_json_kv_str(&w, "apiVersion", "v1");
    if (how->has_grace)
        km_json_kv_i64(&w, "gracePeriodSeconds", how->grace_seconds);
    put_preconditions(&w, how);
    if (how->propagation != NULL)
        km_json_kv_str(&w, "propagationPolicy", how->propagation);
    if (how->dry_run != NULL) {
        km_json_key(&w, "dryRun");
        km_json_array(&w);
        km_json_str(&w, how->dry_run);
        km_json_close(&w);
    }
    km_json_close(&w);
    return km_json_finish(&w);
}

static int aim_delete(struct km_request *r, const struct km_client *c, const struct place *at,
                      const struct km_delete_options *how, struct km_buf *body,
                      const struct km_options *options)
{
    if (body == NULL && how != NULL)
        return refuse(r, KM_ERR_ARG, "the options of a deletion need room for a body");
    if (body != NULL && put_delete_options(body, how) != KM_OK)
        return refuse(r, KM_ERR_TOO_LONG, "the body of the deletion does not fit its buffer");
    return aim_body(r, c, KM_DELETE, at, KM_TYPE_JSON,
                    body != NULL ? km_buf_slice(body) : (struct km_slice){0}, options);
}

int km_rest_delete(struct km_request *r, const struct km_client *c, const struct km_resource *what,
                   const char *ns, const char *name, const struct km_delete_options *how,
                   struct km_buf *body)
{
    const struct place at = {what, ns, name, NULL};
    if (name == NULL)
        return no_name(r);
    return aim_delete(r, c, &at, how, body, NULL);
}

int km_rest_delete_collection(struct km_request *r, const struct km_client *c,
                              const struct km_resource *what, const char *ns,
                              const struct km_delete_options *how, struct km_buf *body,
                              const struct km_options *options)
{
    const struct place at = {what, ns, NULL, NULL};
    return aim_delete(r, c, &at, how, body, options);
}

int km_rest_raw(struct km_request *r, const struct km_client *c, enum km_http_method method,
                const char *path)
{
    struct km_buf out;
    if (path == NULL || path[0] != '/')
        return refuse(r, KM_ERR_ARG, "a path begins with a slash");
    km_buf_init(&out, r->target, sizeof r->target);
    km_buf_puts(&out, c->config->base_path);
    km_buf_puts(&out, path);
    r->method = method;
    r->what = "raw";
    r->stream = false;
    r->raw = true;
    r->body = (struct km_slice){0};
    r->content_type = NULL;
    if (r->timeout_ms == 0)
        r->timeout_ms = CALL_TIMEOUT_MS;
    return out.overflow ? too_long(r) : KM_OK;
}

int km_rest_collect(struct km_request *r, struct km_slice bytes)
{
    struct km_buf *out = r->ctx;
    km_buf_put_slice(out, bytes);
    return out->overflow ? KM_ERR_FULL : KM_OK;
}
