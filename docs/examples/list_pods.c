/* SPDX-License-Identifier: Apache-2.0 */
/* Prints namespace and name of every pod as the answer streams in: memory does not grow with the cluster. */
#include <stdio.h>
#include "kubemote/km_rest.h"

static struct km_session session;
static struct km_schema schema;
static struct km_schema_node nodes[16];
static const struct km_schema_part parts[] = {{"/items", &km_kind_meta}};

static int print_pod(struct km_request *r, bool item, struct km_slice text, bool overflow)
{
    struct km_meta pod;
    (void)r;
    if (item && !overflow && km_json_decode(&schema, true, text, (void *[]){&pod}) == KM_OK)
        printf("%s/%s\n", pod.ns, pod.name);
    return KM_OK;
}

int main(void)
{
    static struct km_request r = {.schema = &schema, .on_text = print_pod};
    struct km_fault why = {0};
    if (km_session_open(&session, NULL, &why) != KM_OK ||
        km_schema_init(&schema, parts, 1, "/items", nodes, 16) != KM_OK ||
        km_rest_list(&r, &session.client, &km_pods, NULL, NULL) != KM_OK ||
        km_call(&r, &session.lane) != KM_OK)
        return fprintf(stderr, "error: %s\n", r.fault != NULL ? r.fault->text : why.text), 1;
}
