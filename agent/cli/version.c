/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "commands.h"
#include "kubemote/km_port.h"
#include "objects.h"
#include "tree.h"

static bool client_only;
static const char *output;
static char client_text[256], server_text[2048];

static const struct flag flags[] = {
    {"client", 0, FLAG_BOOL, &client_only, "only the version of this program", NULL},
    {"output", 'o', FLAG_TEXT, &output, "json or yaml", NULL},
    {0},
};

/* ---- the server's ---- */

static int on_object(struct objects *o, struct km_slice text)
{
    (void)o;
    return km_slice_copy(text, server_text, sizeof server_text);
}

static struct objects reader KM_POOL_STORAGE(cli_version);

static int on_bytes(struct km_request *r, struct km_slice bytes)
{
    (void)r;
    return objects_feed(&reader, bytes);
}

static int ask_server(struct km_request *r)
{
    int err = cli_connect();
    if (err == KM_OK)
        err = km_rest_raw(r, &cli.client, KM_GET, "/version");
    if (err != KM_OK)
        return err;
    reader.of = OBJECT_ALONE;
    reader.on_object = on_object;
    objects_begin(&reader);
    r->on_bytes = on_bytes;
    err = cli_call(r);
    return err == KM_OK ? objects_end(&reader) : err;
}

static const char *server_version(void)
{
    static char text[128];
    struct km_slice value;
    text[0] = '\0';
    if (km_json_find(km_slice_of(server_text), "/gitVersion", &value) == KM_OK)
        (void)km_json_unquote(value, text, sizeof text);
    return text;
}

/* ---- printing ---- */

static void put_json(const char *name, const char *text, bool last)
{
    struct km_slice object = km_slice_of(text);
    struct tree_member m = {0, 0};
    out_printf("  \"%s\": {", name);
    for (bool first = true; tree_next(object, &m); first = false) {
        out_text(first ? "\n    \"" : ",\n    \"");
        out_slice(tree_name(object, m.name));
        out_text("\": ");
        out_slice(tree_value(object, m.value));
    }
    out_text(last ? "\n  }\n" : "\n  },\n");
}

static void print_json(void)
{
    bool server = server_text[0] != '\0';
    out_text("{\n");
    put_json("clientVersion", client_text, !server);
    if (server)
        put_json("serverVersion", server_text, true);
    out_text("}\n");
}

static int print_yaml(void)
{
    out_text("clientVersion:\n");
    int err = tree_yaml(km_slice_of(client_text), 2, false);
    if (err == KM_OK && server_text[0] != '\0') {
        out_text("serverVersion:\n");
        err = tree_yaml(km_slice_of(server_text), 2, false);
    }
    out_text("\n");
    return err;
}

static void print_lines(void)
{
    out_printf("Client Version: v%s\n", cli.env->version);
    if (server_text[0] != '\0')
        out_printf("Server Version: %s\n", server_version());
}

static void describe_client(void)
{
    struct km_buf out;
    km_buf_init(&out, client_text, sizeof client_text);
    km_buf_printf(&out, "{\"gitVersion\":\"v%s\",\"platform\":\"linux/%s\"}", cli.env->version,
                  km_architecture());
}

static int run(const struct words *words)
{
    static struct km_request r;
    int err = KM_OK;
    bool json = output != NULL && strcmp(output, "json") == 0;
    bool yaml = output != NULL && strcmp(output, "yaml") == 0;
    if (words->count > 0 && !client_only)
        return cli_usage_error("extra arguments: [%s]", words->items[0]);
    if (cli_given(output) != NULL && !json && !yaml)
        return cli_usage_error("--output must be 'yaml' or 'json'");
    describe_client();
    if (!client_only)
        err = ask_server(&r);
    if (err != KM_OK)
        server_text[0] = '\0';
    if (json)
        print_json();
    else if (yaml)
        (void)print_yaml();
    else
        print_lines();
    return err == KM_OK ? 0 : cli_fail(err, &r);
}

const struct command cmd_version = {
    .name = "version",
    .summary = "Print the versions of this program and of the server",
    .usage = "Usage:\n  kubemote version [--client] [-o json|yaml]\n\n"
             "Examples:\n"
             "  kubemote version            # both, asks the server\n"
             "  kubemote version --client   # only this program's\n",
    .flags = flags,
    .run = run,
};
