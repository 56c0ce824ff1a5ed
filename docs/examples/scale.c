/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A subresource that answers with a kind of its own: reads and sets the scale of a Deployment, again when somebody else wrote in
 * between: scale NAMESPACE NAME REPLICAS
 */
#include <stdio.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_typed.h"

/* RAW, since 0 replicas are something else than none told. */
#define SCALE_FIELDS(S, I, B, R, A, M) KM_META_FIELDS(S) R(replicas, "/spec/replicas", 16)
KM_KIND_STRUCT(scale, SCALE_FIELDS)
extern const struct km_kind km_kind_scale;
KM_KIND_TABLE(scale, "Scale", SCALE_FIELDS)
static const struct km_type scale_type = {
    {"apps", "v1", "deployments"}, "autoscaling/v1", true, &km_kind_scale};

static struct km_session session;
static struct km_scale scale;
static struct km_schema_node nodes[32];
static char text[1024];
static struct km_typed scales = {.type = &scale_type,
                                 .client = &session.client,
                                 .lane = &session.lane,
                                 .record = &scale,
                                 .nodes = nodes,
                                 .node_size = 32,
                                 .text = text,
                                 .text_size = sizeof text,
                                 .timeout_ms = 10000};
static char **words; /* namespace, name, replicas */
static char was[16];

static int set(void *ctx, const struct km_status **status)
{
    (void)ctx;
    int err = km_typed_get(&scales, words[0], words[1], "scale", NULL);
    if (err == KM_OK) {
        (void)snprintf(was, sizeof was, "%s", scale.replicas[0] != '\0' ? scale.replicas : "0");
        (void)snprintf(scale.replicas, sizeof scale.replicas, "%s", words[2]);
        err = km_typed_update(&scales, "scale", NULL);
    }
    *status = scales.request.status;
    return err;
}

int main(int argc, char **argv)
{
    struct km_fault why = {0};
    words = argv + 1;
    if (argc != 4)
        return fprintf(stderr, "usage: scale NAMESPACE NAME REPLICAS\n"), 1;
    if (km_session_open(&session, NULL, &why) != KM_OK)
        return fprintf(stderr, "error: %s\n", why.text), 1;
    int err = km_retry_on_conflict(&session.client, &km_retry_default, set, NULL);
    if (err == KM_OK)
        printf("%s: %s -> %s\n", scale.name, was, words[2]);
    else
        fprintf(stderr, "error: %s\n", km_typed_problem(&scales, err));
    (void)km_session_close(&session);
    return err == KM_OK ? 0 : 1;
}
