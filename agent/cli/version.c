/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_json_table.h"
#include "cli_priv.h"

#define INFO_FIELDS(S, I, B, R, A, M) S(git_version, "/gitVersion", 64)
KM_KIND_STRUCT(version_info, INFO_FIELDS)
extern const struct km_kind km_kind_version_info;
KM_KIND_TABLE(version_info, "Info", INFO_FIELDS)

static bool client_only;
static struct km_version_info info;
static const struct km_schema_part parts[] = {{"", &km_kind_version_info}};
static struct km_schema_node nodes[4] KM_POOL_STORAGE(cli_version_schema);
static struct km_schema schema;

static const struct flag flags[] = {
    {"client", 0, FLAG_BOOL, &client_only, "only the version of this program", NULL},
    {0},
};

static int on_text(struct km_request *r, bool item, struct km_slice text, bool overflow)
{
    void *dest[] = {&info};
    (void)r;
    (void)item;
    return overflow ? KM_ERR_TOO_LONG : km_json_decode(&schema, false, text, dest);
}

static int print_server(void)
{
    static struct km_request r;
    int err = cli_connect();
    if (err == KM_OK)
        err = km_schema_init(&schema, parts, 1, NULL, nodes, sizeof nodes / sizeof nodes[0]);
    if (err == KM_OK)
        err = km_rest_raw(&r, &cli.client, KM_GET, "/version");
    if (err != KM_OK)
        return cli_fail(err, NULL);
    r.schema = &schema;
    r.on_text = on_text;
    err = cli_call(&r);
    if (err != KM_OK)
        return cli_fail(err, &r);
    out_printf("Server Version: %s\n", info.git_version);
    return 0;
}

static int run(const struct words *words)
{
    (void)words;
    out_printf("Client Version: v%s\n", cli.env->version);
    return client_only ? 0 : print_server();
}

const struct command cmd_version = {
    .name = "version",
    .summary = "Print the versions of this program and of the server",
    .usage = "Usage:\n  kubemote version [--client]\n",
    .flags = flags,
    .run = run,
};
