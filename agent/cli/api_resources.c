/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "commands.h"

#define GAP 3 /* kubectl's columns: at least 6 wide, 3 between */
#define MIN_WIDTH 6

static const char *api_group, *output, *categories;
static bool no_headers;

static const struct flag flags[] = {
    {"api-group", 0, FLAG_TEXT, &api_group, "only resources of this group", NULL},
    {"categories", 0, FLAG_TEXT, &categories, "only resources of this category", NULL},
    {"output", 'o', FLAG_TEXT, &output, "wide or name", NULL},
    {"no-headers", 0, FLAG_BOOL, &no_headers, "no line of headers", NULL},
    {0},
};

enum { NAME, SHORT_NAMES, API_VERSION, NAMESPACED, KIND, VERBS, CATEGORIES, COLUMNS };
static const char *const headers[COLUMNS] = {"NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED",
                                             "KIND", "VERBS",      "CATEGORIES"};
static size_t widths[COLUMNS];

struct row {
    const char *cells[COLUMNS];
    char api_version[320];
};

static size_t column_count(void)
{
    return output != NULL && strcmp(output, "wide") == 0 ? COLUMNS : VERBS;
}

static void fill(struct row *row, const struct km_api_resource *r)
{
    struct km_buf text;
    km_buf_init(&text, row->api_version, sizeof row->api_version);
    km_buf_printf(&text, "%s%s%s", r->group, r->group[0] == '\0' ? "" : "/", r->version);
    const char *cells[] = {r->plural, r->short_names, row->api_version, r->namespaced ? "true" : "false",
                           r->kind,   r->verbs,       r->categories};
    memcpy(row->cells, cells, sizeof cells);
}

static bool wanted(const struct km_api_resource *r)
{
    if (api_group != NULL && strcmp(api_group, r->group) != 0)
        return false;
    if (categories != NULL && !km_list_has(r->categories, categories))
        return false;
    return r->verbs[0] != '\0';
}

static void print_row(const char *const cells[])
{
    size_t count = column_count();
    for (size_t i = 0; i < count; i++) {
        out_text(cells[i]);
        if (i + 1 < count)
            out_pad(strlen(cells[i]), widths[i] + GAP);
    }
    out_text("\n");
}

static int measure(void *ctx, const struct km_api_resource *r)
{
    struct row row;
    (void)ctx;
    if (!wanted(r))
        return 0;
    fill(&row, r);
    for (size_t i = 0; i < COLUMNS; i++) {
        size_t width = strlen(row.cells[i]);
        if (width > widths[i])
            widths[i] = width;
    }
    return 0;
}

static int print(void *ctx, const struct km_api_resource *r)
{
    struct row row;
    (void)ctx;
    if (!wanted(r))
        return 0;
    if (output != NULL && strcmp(output, "name") == 0) {
        out_printf("%s%s%s\n", r->plural, r->group[0] == '\0' ? "" : ".", r->group);
        return 0;
    }
    fill(&row, r);
    print_row(row.cells);
    return 0;
}

static int run(const struct words *words)
{
    static struct km_api_resource resource;
    if (words->count > 0)
        return cli_usage_error("unexpected arguments: [%s]", words->items[0]);
    int err = cli_connect();
    if (err == KM_OK)
        err = km_discovery_refresh(&cli.discovery, &cli.fault);
    for (size_t i = 0; i < COLUMNS; i++)
        widths[i] = no_headers ? MIN_WIDTH - GAP : strlen(headers[i]);
    if (err == KM_OK)
        err = km_discovery_each(&cli.discovery, &resource, measure, NULL, &cli.fault);
    if (err != KM_OK)
        return cli_fail(err, NULL);
    if (!no_headers && (output == NULL || strcmp(output, "name") != 0))
        print_row(headers);
    err = km_discovery_each(&cli.discovery, &resource, print, NULL, &cli.fault);
    return err == KM_OK ? 0 : cli_fail(err, NULL);
}

const struct command cmd_api_resources = {
    .name = "api-resources",
    .summary = "Print the resources that the server has",
    .usage = "Usage:\n  kubemote api-resources [--api-group GROUP] [-o wide|name]\n\n"
             "Examples:\n  kubemote api-resources --api-group apps\n",
    .flags = flags,
    .run = run,
};
