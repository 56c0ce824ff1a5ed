/* SPDX-License-Identifier: Apache-2.0 */
/* Prints each Deployment with its replicas, image and conditions, page by page: one record holds one at a time. */
#include <stdio.h>

#include "kubemote/km_typed.h"

static struct km_session session;
static struct km_api_deployment deployment;
static struct km_schema_node nodes[KM_TYPED_NODES];
static struct km_typed deployments = {.type = &km_type_deployment,
                                      .client = &session.client,
                                      .lane = &session.lane,
                                      .record = &deployment,
                                      .nodes = nodes,
                                      .node_size = KM_TYPED_NODES};

static int print(void *ctx, void *record)
{
    const struct km_api_deployment *d = record;
    (void)ctx;
    printf("%s/%s %ld/%s %s\n", d->ns, d->name, (long)d->ready_replicas, d->replicas,
           d->containers_count > 0 ? d->containers[0].image : "");
    for (uint16_t i = 0; i < d->conditions_count; i++)
        printf("  %s=%s\n", d->conditions[i].type, d->conditions[i].status);
    return KM_OK;
}

int main(void)
{
    const struct km_options pages = {.limit = 2};
    struct km_fault why = {0};
    if (km_session_open(&session, NULL, &why) != KM_OK)
        return fprintf(stderr, "error: %s\n", why.text), 1;
    int err = km_typed_list(&deployments, NULL, &pages, print, NULL, NULL);
    if (err != KM_OK)
        return fprintf(stderr, "error: %s\n", km_typed_problem(&deployments, err)), 1;
    return 0;
}
