/* SPDX-License-Identifier: Apache-2.0 */
/* auth whoami and auth can-i: reviews that the server makes of us. */
#include <string.h>

#include "columns.h"
#include "commands.h"
#include "get_priv.h"
#include "visit.h"

#define LIST_BYTES 4096

static const struct km_resource reviews = {"authentication.k8s.io", "v1", "selfsubjectreviews"};
static const struct km_resource access_reviews = {"authorization.k8s.io", "v1",
                                                  "selfsubjectaccessreviews"};

static struct {
    struct answer answer;
    char body[2048];
    char groups[LIST_BYTES], extra_key[CONFIG_KM_JSON_KEY_BYTES];
    struct km_buf list;
    bool allowed;
    char reason[1024], problem[1024];
} work KM_POOL_STORAGE(cli_auth);

static int review(const struct km_resource *what, struct km_slice body)
{
    struct km_request *r = item_request();
    int err = km_rest_create(r, &cli.client, what, NULL, NULL, NULL, body, NULL);
    return err == KM_OK ? answer_call(&work.answer, r) : err;
}

static struct km_json_writer writer;
static struct km_buf body;

static void begin_body(const char *api_version, const char *kind)
{
    km_buf_init(&body, work.body, sizeof work.body);
    km_json_writer_init(&writer, &body);
    km_json_object(&writer);
    km_json_kv_str(&writer, "kind", kind);
    km_json_kv_str(&writer, "apiVersion", api_version);
}

/* ---- whoami ---- */

static void put_item(struct km_buf *list, const char *text)
{
    if (list->len > 0)
        km_buf_putc(list, ' ');
    km_buf_puts(list, text);
}

static void print_list(const char *name, const struct km_buf *list)
{
    columns_cell(name);
    char text[LIST_BYTES + 3];
    struct km_buf out;
    km_buf_init(&out, text, sizeof text);
    km_buf_putc(&out, '[');
    km_buf_put_slice(&out, km_buf_slice(list));
    km_buf_putc(&out, ']');
    columns_slice(km_buf_slice(&out));
    columns_end_line();
}

static void print_pair(const char *name, const char *value)
{
    columns_cell(name);
    columns_cell(value);
    columns_end_line();
}

static void on_user(struct answer *a, const char *path, const char *text, bool is_text)
{
    if (!is_text)
        return;
    if (strcmp(path, "/status/userInfo/username") == 0)
        print_pair("Username", text);
    else if (strcmp(path, "/status/userInfo/uid") == 0)
        print_pair("UID", text);
    else if (km_json_walk_at(&a->walk, "/status/userInfo/groups/*") ||
             km_json_walk_at(&a->walk, "/status/userInfo/extra/*/*"))
        put_item(&work.list, text);
}

/* In the server's order, which is username, uid, groups, extra by name. */
static void on_user_event(struct answer *a, enum km_walk_event event)
{
    char name[CONFIG_KM_JSON_KEY_BYTES + 16];
    struct km_buf out;
    bool groups = km_json_walk_at(&a->walk, "/status/userInfo/groups");
    if (!groups && !km_json_walk_at(&a->walk, "/status/userInfo/extra/*"))
        return;
    if (event != KM_WALK_END) {
        km_buf_init(&work.list, work.groups, sizeof work.groups);
        (void)km_slice_copy(km_slice_of(answer_key(a)), work.extra_key, sizeof work.extra_key);
        return;
    }
    km_buf_init(&out, name, sizeof name);
    km_buf_printf(&out, "%s%s", groups ? "Groups" : "Extra: ", groups ? "" : work.extra_key);
    print_list(name, &work.list);
}

static const struct flag whoami_flags[] = {GET_OUTPUT_FLAGS, {0}};

static int run_whoami(const struct words *words)
{
    (void)words;
    if (get_choose_form(false) != 0)
        return 1;
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    begin_body("authentication.k8s.io/v1", "SelfSubjectReview");
    km_json_close(&writer);
    columns_begin();
    print_pair("ATTRIBUTE", "VALUE");
    answer_begin(&work.answer);
    get_objects_begin(false);
    get_objects_as_is();
    answer_show(&work.answer);
    work.answer.on_value = on_user;
    work.answer.on_event = on_user_event;
    err = review(&reviews, km_buf_slice(&body));
    if (err == KM_ERR_STATUS && km_status_is_forbidden(item_last_status()))
        return cli_usage_error(
            "the selfsubjectreviews API is not enabled in the cluster or you do not have "
            "permission to call it");
    if (err == KM_ERR_STATUS && km_status_is_not_found(item_last_status()))
        return cli_usage_error("the selfsubjectreviews API is not enabled in the cluster");
    if (err != KM_OK)
        return cli_fail(err, item_last_request());
    if (get_options.form == GET_NAME)
        print_done(&work.answer, NULL, DRY_RUN_NONE);
    else if (!get_prints_objects())
        columns_flush();
    return 0;
}

const struct command cmd_whoami = {
    .name = "auth whoami",
    .summary = "Print who the server takes us for",
    .usage = "Usage:\n  kubemote auth whoami\n\nExamples:\n  kubemote auth whoami --as "
             "system:node:gw-1 --as-group "
             "system:nodes\n",
    .flags = whoami_flags,
    .run = run_whoami,
};

/* ---- can-i ---- */

static struct {
    bool all_namespaces, quiet, list, no_headers;
    const char *subresource;
} o;

static const struct flag flags[] = {
    {"all-namespaces", 'A', FLAG_BOOL, &o.all_namespaces, "in all namespaces", NULL},
    {"quiet", 'q', FLAG_BOOL, &o.quiet, "only the exit status", NULL},
    {"subresource", 0, FLAG_TEXT, &o.subresource, "log, scale or another", NULL},
    {"list", 0, FLAG_BOOL, &o.list, "print all that is allowed", NULL},
    {"no-headers", 0, FLAG_BOOL, &o.no_headers, "with --list: no line of headers", NULL},
    {0},
};

static bool known(const char *const *words, const char *word)
{
    for (; *words != NULL; words++) {
        if (strcmp(*words, word) == 0)
            return true;
    }
    return false;
}

static void warn_of_verb(const char *verb, bool of_url)
{
    static const char *const resource_verbs[] = {
        "get", "list", "watch", "create",      "update",  "patch", "delete",   "deletecollection",
        "use", "bind", "*",     "impersonate", "approve", "sign",  "escalate", "attest",
        NULL};
    static const char *const url_verbs[] = {"get",    "put",   "post", "head", "options",
                                            "delete", "patch", "*",    NULL};
    if (!known(of_url ? url_verbs : resource_verbs, verb))
        err_printf("Warning: verb '%s' is not a known verb\n\n", verb);
}

struct aim {
    const char *verb, *group, *resource, *name, *url;
    bool known;
};

static void warn_of_type(const char *type)
{
    size_t len = strcspn(type, ".");
    if (strcmp(type, "users") == 0 || strcmp(type, "groups") == 0)
        return;
    if (type[len] == '\0')
        err_printf("Warning: the server doesn't have a resource type '%s'\n\n", type);
    else
        err_printf("Warning: the server doesn't have a resource type '%.*s' in group '%s'\n\n",
                   (int)len, type, type + len + 1);
}

static int find_resource(const char *arg, struct aim *aim)
{
    static char type[320];
    static struct km_api_resource what KM_POOL_STORAGE(cli_auth_what);
    struct km_fault fault = {0};
    const char *slash = strchr(arg, '/');
    struct km_slice head = {arg, slash == NULL ? strlen(arg) : (size_t)(slash - arg)};
    if (km_slice_copy(head, type, sizeof type) != KM_OK)
        return cli_usage_error("the type's name is too long");
    aim->name = slash == NULL ? NULL : slash + 1;
    aim->resource = type;
    if (strcmp(type, "*") == 0)
        return 0;
    int err = km_discovery_find(&cli.discovery, type, &what, &fault);
    if (err == KM_ERR_NOT_FOUND) {
        warn_of_type(type);
        return 0;
    }
    if (err != KM_OK) {
        cli.fault = fault;
        return cli_fail(err, NULL);
    }
    aim->known = true;
    aim->group = what.group;
    aim->resource = what.plural;
    if (!o.all_namespaces && !what.namespaced && what.group[0] == '\0')
        err_printf("Warning: resource '%s' is not namespace scoped\n\n", what.plural);
    else if (!o.all_namespaces && !what.namespaced)
        err_printf("Warning: resource '%s' is not namespace scoped in group '%s'\n\n", what.plural,
                   what.group);
    return 0;
}

static void put_optional(const char *key, const char *value)
{
    if (cli_given(value) != NULL)
        km_json_kv_str(&writer, key, value);
}

static int write_access(const struct aim *aim)
{
    begin_body("authorization.k8s.io/v1", "SelfSubjectAccessReview");
    km_json_key(&writer, "spec");
    km_json_object(&writer);
    km_json_key(&writer, aim->url != NULL ? "nonResourceAttributes" : "resourceAttributes");
    km_json_object(&writer);
    if (aim->url == NULL) {
        put_optional("namespace", o.all_namespaces ? NULL : cli.effective_ns);
        put_optional("group", aim->group);
        put_optional("resource", aim->resource);
        put_optional("subresource", o.subresource);
        put_optional("name", aim->name);
    }
    put_optional("verb", aim->verb);
    put_optional("path", aim->url);
    km_json_close(&writer);
    km_json_close(&writer);
    km_json_close(&writer);
    return km_json_finish(&writer);
}

static void on_access(struct answer *a, const char *path, const char *text, bool is_text)
{
    (void)a;
    if (strcmp(path, "/status/allowed") == 0)
        work.allowed = strcmp(text, "true") == 0;
    else if (is_text && strcmp(path, "/status/reason") == 0)
        (void)km_slice_copy(km_slice_of(text), work.reason, sizeof work.reason);
    else if (is_text && strcmp(path, "/status/evaluationError") == 0)
        (void)km_slice_copy(km_slice_of(text), work.problem, sizeof work.problem);
}

static int check(const struct aim *aim)
{
    int err = write_access(aim);
    if (err != KM_OK)
        return cli_usage_error("the question is too long");
    answer_begin(&work.answer);
    work.answer.on_value = on_access;
    err = review(&access_reviews, km_buf_slice(&body));
    if (err != KM_OK)
        return cli_fail(err, item_last_request());
    if (!o.quiet) {
        out_text(work.allowed ? "yes" : "no");
        if (!work.allowed && work.reason[0] != '\0')
            out_printf(" - %s", work.reason);
        if (!work.allowed && work.problem[0] != '\0')
            out_printf(" - %s", work.problem);
        out_text("\n");
    }
    return work.allowed ? 0 : 1;
}

static int run_can_i(const struct words *words)
{
    struct aim aim = {0};
    int err = cli_connect();
    if (err != KM_OK)
        return cli_fail(err, NULL);
    if (o.list && words->count > 0)
        return cli_usage_error("list option must be specified with no arguments");
    if (o.list && (o.quiet || o.all_namespaces || o.subresource != NULL))
        return cli_usage_error(
            "list option can't be specified with neither quiet, all-namespaces nor "
            "subresource options");
    if (o.list)
        return auth_print_rules(o.no_headers);
    if (words->count != 2)
        return cli_usage_error(
            "you must specify two arguments: verb resource or verb "
            "resource/resourceName.\nSee 'kubemote auth can-i -h' for help and examples.");
    aim.verb = words->items[0];
    if (words->items[1][0] == '/')
        aim.url = words->items[1];
    else if (find_resource(words->items[1], &aim) != 0)
        return 1;
    if (aim.url != NULL && o.subresource != NULL)
        return cli_usage_error("--subresource can not be used with NonResourceURL");
    if (aim.url != NULL || !o.all_namespaces)
        warn_of_verb(aim.verb, aim.url != NULL);
    if (o.no_headers)
        return cli_usage_error("--no-headers cannot be set without --list specified");
    return check(&aim);
}

const struct command cmd_can_i = {
    .name = "auth can-i",
    .summary = "Ask the server whether an action is allowed",
    .usage =
        "Usage:\n  kubemote auth can-i VERB (TYPE | TYPE/NAME | /PATH)\n  kubemote auth can-i "
        "--list\n\n"
        "Examples:\n  kubemote auth can-i create pods -n shop\n  kubemote auth can-i get /metrics\n"
        "  kubemote auth can-i --list --as bob\n",
    .flags = flags,
    .run = run_can_i,
};
