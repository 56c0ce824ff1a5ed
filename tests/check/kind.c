/* SPDX-License-Identifier: Apache-2.0 */
/* kubemote-check kind: an object through the record of its kind and back. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_kinds.h"
#include "kubemote/km_port.h"

#define NODES 1024

static char text[4 << 20], window[1 << 20], out_text[4 << 20];
static struct km_schema_node nodes[NODES];
static struct km_schema schema;
static union {
    struct km_api_pod pod;
    struct km_api_node node;
    struct km_api_deployment deployment;
    struct km_api_crd crd;
    struct km_api_mutating mutating;
    char any[1 << 20];
} record;

static const struct km_type *find_type(const char *kind)
{
    for (const struct km_type *const *type = km_types; *type != NULL; type++) {
        if (strcmp((*type)->kind->name, kind) == 0)
            return *type;
    }
    return NULL;
}

static void print_fields(const struct km_field *fields, uint16_t count, const char *prefix)
{
    static const char *const names[] = {[KM_F_STRING] = "string", [KM_F_INT64] = "int",
                                        [KM_F_BOOL] = "bool",     [KM_F_RAW] = "json",
                                        [KM_F_ARRAY] = "list",    [KM_F_MAP] = "map"};
    for (uint16_t i = 0; i < count; i++) {
        const struct km_field *f = &fields[i];
        unsigned long size = f->sub != NULL ? f->count_max : f->size;
        char below[512];
        printf("%s%s %s %lu\n", prefix, f->path, names[f->type], size);
        if (f->sub == NULL)
            continue;
        uint16_t skip = f->type == KM_F_MAP ? 1 : 0;
        (void)snprintf(below, sizeof below, "%s%s/*", prefix, f->path);
        print_fields(f->sub + skip, (uint16_t)(f->sub_count - skip), below);
    }
}

/* Of an object of more tokens than there are the first ones stand, which is not what is asked for here. */
static bool tokens_ran_out(void)
{
    for (const struct km_pool *p = km_pool_first(); p != NULL; p = p->next) {
        if (strcmp(p->name, "json_tokens") == 0)
            return p->refused > 0;
    }
    return false;
}

static int on_text(void *ctx, bool item, struct km_slice pruned, bool overflow)
{
    (void)ctx;
    (void)item;
    if (overflow)
        return KM_ERR_TOO_LONG;
    int err = km_json_decode(&schema, false, pruned, (void *[]){&record});
    return err == KM_OK && tokens_ran_out() ? KM_ERR_FULL : err;
}

static int convert(const struct km_type *type, struct km_slice in)
{
    const struct km_schema_part parts[] = {{"", type->kind}};
    struct km_sieve sieve;
    struct km_buf out;
    int err = km_schema_init(&schema, parts, 1, NULL, nodes, NODES);
    if (err != KM_OK)
        return err;
    km_sieve_init(&sieve, &schema, false, window, sizeof window, on_text, NULL);
    err = km_sieve_feed(&sieve, in);
    if (err == KM_OK)
        err = km_sieve_end(&sieve);
    if (err != KM_OK)
        return err;
    km_buf_init(&out, out_text, sizeof out_text);
    err = km_type_encode(type, &record, &out);
    if (err == KM_OK)
        printf("%s\n", out_text);
    return err;
}

int check_kind(int argc, char **argv)
{
    const struct km_type *type = find_type(argv[1]);
    if (argc > 3 || type == NULL || type->kind->record_size > sizeof record)
        return check_usage("kind");
    if (argc == 2) {
        print_fields(type->kind->fields, type->kind->field_count, "");
        return 0;
    }
    int len = km_port_file_read(argv[2], text, sizeof text);
    int err = len < 0 ? len : convert(type, (struct km_slice){text, (size_t)len});
    if (err == KM_OK)
        return 0;
    uint32_t cut;
    memcpy(&cut, &record, sizeof cut);
    fprintf(stderr, "%s: %s; %lu values do not fit the record\n", argv[2], km_strerror(err),
            (unsigned long)cut);
    return 1;
}
