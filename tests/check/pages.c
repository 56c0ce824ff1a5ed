/* SPDX-License-Identifier: Apache-2.0 */
/* kubemote-check pages: a list by the pager's rules. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_typed.h"

static struct km_session session;
static struct km_pager pager;
static struct km_schema schema;
static struct km_schema_node nodes[32];
static const struct km_schema_part parts[] = {{"/items", &km_kind_meta}, {"", &km_kind_list_meta}};

static int on_item(struct km_pager *p, struct km_slice text, bool overflow)
{
    static struct km_meta meta;
    (void)p;
    if (overflow)
        return KM_ERR_TOO_LONG;
    int err = km_json_decode(&schema, true, text, (void *[]){&meta, NULL});
    if (err == KM_OK)
        printf("item %s\n", meta.name);
    return err;
}

static void on_restart(struct km_pager *p)
{
    (void)p;
    puts("restart");
}

int check_pages(int argc, char **argv)
{
    struct km_kubeconfig_options where = {.path = argv[1]};
    struct km_fault fault = {0};
    uint64_t limit = 0;
    if (argc < 4 || argc > 5 || km_slice_to_u64(km_slice_of(argv[3]), &limit) != KM_OK)
        return check_usage("pages");
    const struct km_resource what = {"", "v1", argv[2]};
    if (km_session_open(&session, &where, &fault) != KM_OK)
        return fprintf(stderr, "%s\n", fault.text), 1;
    if (km_schema_init(&schema, parts, 2, "/items", nodes, sizeof nodes / sizeof nodes[0]) != KM_OK)
        return fprintf(stderr, "pages: the schema does not fit\n"), 1;
    pager.what = &what;
    pager.schema = &schema;
    pager.on_item = on_item;
    pager.on_restart = argc == 5 ? on_restart : NULL;
    pager.options.limit = (uint32_t)limit;
    int err = km_pager_call(&pager, &session.client, &session.lane);
    if (err != KM_OK)
        return fprintf(stderr, "%s\n",
                       pager.request.fault != NULL ? pager.request.fault->text : km_strerror(err)),
               1;
    printf("list %s %lu pages %lu items%s\n", pager.rv, (unsigned long)pager.pages,
           (unsigned long)pager.items, pager.paginated ? " paginated" : "");
    return 0;
}
