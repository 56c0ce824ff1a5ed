/* SPDX-License-Identifier: Apache-2.0 */
/* Creates a ConfigMap, reads and changes it under optimistic locking, and deletes it: configmap NAMESPACE NAME */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_rest.h"

/* The fields that this program knows of a ConfigMap. */
#define SETTINGS_FIELDS(S, I, B, R, A, M) KM_META_FIELDS(S) S(visits, "/data/visits", 16)
KM_KIND_STRUCT(settings, SETTINGS_FIELDS)
extern const struct km_kind km_kind_settings;
KM_KIND_TABLE(settings, "ConfigMap", SETTINGS_FIELDS)

static const struct km_resource configmaps = {"", "v1", "configmaps"};
static const struct km_schema_part parts[] = {{"", &km_kind_settings}};
static struct km_session session;
static struct km_schema schema;
static struct km_schema_node nodes[16];
static struct km_settings settings;
static const char *ns, *name;

static int on_object(struct km_request *r, bool item, struct km_slice text, bool overflow)
{
    (void)r;
    (void)item;
    return overflow ? KM_ERR_TOO_LONG : km_json_decode(&schema, false, text, (void *[]){&settings});
}

/* One request for all: the last answer stays readable. */
static struct km_request request;

static struct km_request *fresh(void)
{
    memset(&request, 0, sizeof request);
    request.schema = &schema;
    request.on_text = on_object;
    return &request;
}

static int create(void)
{
    char text[512];
    struct km_buf body;
    struct km_json_writer w;
    struct km_request *r = fresh();
    km_buf_init(&body, text, sizeof text);
    km_json_writer_init(&w, &body);
    km_json_object(&w);
    km_json_kv_str(&w, "apiVersion", "v1");
    km_json_kv_str(&w, "kind", "ConfigMap");
    km_json_key(&w, "metadata");
    km_json_object(&w);
    km_json_kv_str(&w, "name", name);
    km_json_close(&w);
    km_json_key(&w, "data");
    km_json_object(&w);
    km_json_kv_str(&w, "visits", "0");
    km_json_close(&w);
    km_json_close(&w);
    int err = km_json_finish(&w);
    if (err == KM_OK)
        err = km_rest_create(r, &session.client, &configmaps, ns, NULL, NULL, km_buf_slice(&body),
                             NULL);
    return err == KM_OK ? km_call(r, &session.lane) : err;
}

/* Read, change, write: only if nobody wrote in between. Called again after a conflict. */
static int visit(void *ctx, const struct km_status **status)
{
    char text[256], value[32];
    struct km_buf body;
    struct km_json_writer w;
    struct km_request *r = fresh();
    uint64_t visits = 0;
    (void)ctx;
    int err = km_rest_get(r, &session.client, &configmaps, ns, name, NULL, NULL);
    if (err == KM_OK)
        err = km_call(r, &session.lane);
    *status = r->status;
    if (err != KM_OK)
        return err;
    (void)km_slice_to_u64(km_slice_of(settings.visits), &visits);
    (void)snprintf(value, sizeof value, "%lu", (unsigned long)visits + 1);
    km_buf_init(&body, text, sizeof text);
    km_json_writer_init(&w, &body);
    km_json_object(&w);
    km_json_key(&w, "metadata");
    km_json_object(&w);
    km_json_kv_str(&w, "resourceVersion", settings.rv);
    km_json_close(&w);
    km_json_key(&w, "data");
    km_json_object(&w);
    km_json_kv_str(&w, "visits", value);
    km_json_close(&w);
    km_json_close(&w);
    r = fresh();
    err = km_rest_patch(r, &session.client, &configmaps, ns, name, NULL, KM_TYPE_MERGE,
                        km_buf_slice(&body), NULL);
    if (err == KM_OK)
        err = km_call(r, &session.lane);
    *status = r->status;
    return err;
}

static int delete(void)
{
    char text[128];
    struct km_buf body;
    struct km_request *r = fresh();
    r->schema = NULL;
    km_buf_init(&body, text, sizeof text);
    int err = km_rest_delete(r, &session.client, &configmaps, ns, name, NULL, &body);
    return err == KM_OK ? km_call(r, &session.lane) : err;
}

int main(int argc, char **argv)
{
    struct km_fault why = {0};
    if (argc != 3)
        return fprintf(stderr, "usage: configmap NAMESPACE NAME\n"), 1;
    ns = argv[1];
    name = argv[2];
    int err = km_session_open(&session, NULL, &why);
    if (err == KM_OK)
        err = km_schema_init(&schema, parts, 1, NULL, nodes, sizeof nodes / sizeof nodes[0]);
    if (err == KM_OK)
        err = create();
    if (err == KM_OK)
        err = km_retry_on_conflict(&session.client, &km_retry_default, visit, NULL);
    if (err == KM_OK)
        printf("%s: %s visits\n", settings.name, settings.visits);
    if (err == KM_OK)
        err = delete();
    if (err != KM_OK)
        fprintf(stderr, "error: %s\n", request.fault != NULL ? request.fault->text : why.text);
    return err == KM_OK ? 0 : 1;
}
