/* SPDX-License-Identifier: Apache-2.0 */
/* kubemote-check discovery: the resources of a server, and what a name means. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_discovery.h"

static struct km_session session;
static struct km_discovery discovery;
static struct km_api_resource found;

static int print(void *ctx, const struct km_api_resource *r)
{
    (void)ctx;
    printf("%s/%s %s %s %s %s %s %s %s %s\n", r->group, r->version, r->plural,
           r->singular[0] != '\0' ? r->singular : "-", r->kind, r->namespaced ? "ns" : "cluster",
           r->verbs[0] != '\0' ? r->verbs : "-", r->short_names[0] != '\0' ? r->short_names : "-",
           r->categories[0] != '\0' ? r->categories : "-",
           r->subresources[0] != '\0' ? r->subresources : "-");
    return KM_OK;
}

int check_discovery(int argc, char **argv)
{
    const struct km_kubeconfig_options where = {.path = argv[1]};
    struct km_fault fault = {0};
    if (argc < 3)
        return check_usage("discovery");
    if (km_session_open(&session, &where, &fault) != KM_OK)
        return fprintf(stderr, "%s\n", fault.text), 1;
    km_client_limit(&session.client, 300, 300);
    km_discovery_init(&discovery, &session.client, &session.lane, argv[2]);
    if (argc > 3)
        discovery.max_age_s = strtol(argv[3], NULL, 10);
    int err = KM_OK;
    if (argc <= 4)
        err = km_discovery_each(&discovery, &found, print, NULL, &fault);
    for (int i = 4; err == KM_OK && i < argc; i++) {
        char *at = strchr(argv[i], '=');
        if (at != NULL)
            *at++ = '\0';
        int miss = at != NULL ? km_discovery_kind(&discovery, at, argv[i], &found, &fault)
                              : km_discovery_find(&discovery, argv[i], &found, &fault);
        if (miss == KM_OK)
            (void)print(NULL, &found);
        else
            printf("%s\n", fault.text);
        km_fault_clear(&fault);
    }
    if (err != KM_OK)
        return fprintf(stderr, "%s\n", fault.text), 1;
    if (discovery.failed[0] != '\0')
        printf("failed %s\n", discovery.failed);
    return 0;
}
