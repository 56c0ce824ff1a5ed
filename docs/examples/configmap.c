/* SPDX-License-Identifier: Apache-2.0 */
/* Creates a ConfigMap, reads and patches it under optimistic locking, and deletes it: configmap NAMESPACE NAME */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_typed.h"

static struct km_session session;
static struct km_api_config_map map;
static struct km_schema_node nodes[KM_TYPED_NODES];
static char text[16384];
static struct km_typed maps = {.type = &km_type_config_map,
                               .client = &session.client,
                               .lane = &session.lane,
                               .record = &map,
                               .nodes = nodes,
                               .node_size = KM_TYPED_NODES,
                               .text = text,
                               .text_size = sizeof text};
static const char *ns, *name;

static int create(void)
{
    (void)snprintf(map.ns, sizeof map.ns, "%s", ns);
    (void)snprintf(map.name, sizeof map.name, "%s", name);
    memcpy(map.data[0].key, "visits", sizeof "visits");
    memcpy(map.data[0].value, "0", sizeof "0");
    map.data_count = 1;
    return km_typed_create(&maps, NULL, NULL);
}

/* Read, change, write: only if nobody wrote in between. Called again after a conflict. */
static int visit(void *ctx, const struct km_status **status)
{
    static struct km_json_set patch;
    char body[256], visits[24];
    struct km_buf out;
    uint64_t count = 0;
    (void)ctx;
    int err = km_typed_get(&maps, ns, name, NULL, NULL);
    *status = maps.request.status;
    if (err != KM_OK)
        return err;
    (void)km_slice_to_u64(km_slice_of(map.data[0].value), &count);
    (void)snprintf(visits, sizeof visits, "%lu", (unsigned long)count + 1);
    km_buf_init(&out, body, sizeof body);
    km_json_set_begin(&patch, &out);
    km_json_set_str(&patch, "/metadata/resourceVersion", map.rv);
    km_json_set_str(&patch, "/data/visits", visits);
    err = km_json_set_end(&patch);
    if (err == KM_OK)
        err = km_typed_patch(&maps, ns, name, NULL, KM_TYPE_MERGE, km_buf_slice(&out), NULL);
    *status = maps.request.status;
    return err;
}

int main(int argc, char **argv)
{
    struct km_fault why = {0};
    if (argc != 3)
        return fprintf(stderr, "usage: configmap NAMESPACE NAME\n"), 1;
    ns = argv[1];
    name = argv[2];
    if (km_session_open(&session, NULL, &why) != KM_OK)
        return fprintf(stderr, "error: %s\n", why.text), 1;
    int err = create();
    if (err == KM_OK)
        err = km_retry_on_conflict(&session.client, &km_retry_default, visit, NULL);
    if (err == KM_OK)
        printf("%s: %s visits\n", map.name, map.data[0].value);
    if (err == KM_OK)
        err = km_typed_delete(&maps, ns, name, NULL);
    if (err != KM_OK)
        fprintf(stderr, "error: %s\n", km_typed_problem(&maps, err));
    return err == KM_OK ? 0 : 1;
}
