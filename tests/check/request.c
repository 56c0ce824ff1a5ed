/* SPDX-License-Identifier: Apache-2.0 */
/* kubemote-check request: what the client sends for a verb and its options, and what it makes of the answer. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_port.h"
#include "kubemote/km_rest.h"

#define WARNINGS 8

static struct {
    struct km_resource what;
    char resource[512];
    const char *ns, *name, *sub, *body, *type, *accept, *send, *user_agent;
    int64_t repeat, retries, timeout_ms, qps, burst, pause_ms;
    bool insecure, allow_insecure;
    struct km_options options;
    struct km_delete_options deletion;
} in;

static struct km_session session;
static struct km_client offline;
static struct km_kubeconfig no_config;
static struct km_request request;
static char body_text[1 << 20], answer_text[1 << 20], out_text[4 << 20];
static char warning_text[WARNINGS][512];
static uint16_t warning_count;
static struct km_buf body, answer;

/* ---- arguments ---- */

static bool take_text(const char *key, const char *value)
{
    struct km_options *o = &in.options;
    const struct {
        const char *key, **out;
    } texts[] = {
        {"namespace", &in.ns},
        {"name", &in.name},
        {"subresource", &in.sub},
        {"body", &in.body},
        {"type", &in.type},
        {"accept", &in.accept},
        {"send", &in.send},
        {"userAgent", &in.user_agent},
        {"labelSelector", &o->label_selector},
        {"fieldSelector", &o->field_selector},
        {"resourceVersion", &o->resource_version},
        {"resourceVersionMatch", &o->resource_version_match},
        {"continue", &o->continue_token},
        {"dryRun", &o->dry_run},
        {"fieldManager", &o->field_manager},
        {"fieldValidation", &o->field_validation},
        {"includeObject", &o->include_object},
        {"propagationPolicy", &in.deletion.propagation},
        {"preconditionUID", &in.deletion.uid},
        {"preconditionResourceVersion", &in.deletion.resource_version},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(texts[i].key, key) != 0)
            continue;
        *texts[i].out = value;
        return true;
    }
    return false;
}

static bool take_choice(const char *key, const char *value)
{
    enum km_choice choice = strcmp(value, "true") == 0 ? KM_YES : KM_NO;
    if (strcmp(key, "insecure") == 0)
        in.insecure = choice == KM_YES;
    else if (strcmp(key, "allowInsecure") == 0)
        in.allow_insecure = choice == KM_YES;
    else if (strcmp(key, "force") == 0)
        in.options.force = choice;
    else if (strcmp(key, "allowWatchBookmarks") == 0)
        in.options.allow_bookmarks = choice;
    else if (strcmp(key, "sendInitialEvents") == 0)
        in.options.send_initial_events = choice;
    else
        return false;
    return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
}

static bool take_number(const char *key, const char *value)
{
    const struct {
        const char *key;
        int64_t *out;
    } numbers[] = {
        {"timeoutSeconds", &in.options.timeout_seconds},
        {"gracePeriodSeconds", &in.deletion.grace_seconds},
        {"repeat", &in.repeat},
        {"retries", &in.retries},
        {"timeout", &in.timeout_ms},
        {"qps", &in.qps},
        {"burst", &in.burst},
        {"pause", &in.pause_ms},
    };
    uint64_t number;
    if (km_slice_to_u64(km_slice_of(value), &number) != KM_OK || number > INT32_MAX)
        return false;
    if (strcmp(key, "limit") == 0) {
        in.options.limit = (uint32_t)number;
        return true;
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i].key, key) != 0)
            continue;
        *numbers[i].out = (int64_t)number;
        in.deletion.has_grace =
            in.deletion.has_grace || numbers[i].out == &in.deletion.grace_seconds;
        return true;
    }
    return false;
}

static bool take_options(int argc, char **argv)
{
    for (int i = 3; i < argc; i += 2) {
        const char *key = argv[i] + 2;
        if (strncmp(argv[i], "--", 2) != 0 || i + 1 >= argc)
            return false;
        if (!take_text(key, argv[i + 1]) && !take_choice(key, argv[i + 1]) &&
            !take_number(key, argv[i + 1]))
            return false;
    }
    return true;
}

/* "v1/pods", "apps/v1/deployments" */
static bool take_resource(const char *text)
{
    if (km_slice_copy(km_slice_of(text), in.resource, sizeof in.resource) != KM_OK)
        return false;
    char *plural = strrchr(in.resource, '/');
    if (plural == NULL)
        return false;
    *plural++ = '\0';
    char *version = strrchr(in.resource, '/');
    if (version != NULL)
        *version++ = '\0';
    in.what = (struct km_resource){version != NULL ? in.resource : "",
                                   version != NULL ? version : in.resource, plural};
    return true;
}

static const char *patch_type(void)
{
    static const char *const types[][2] = {{"json", KM_TYPE_JSON_PATCH},
                                           {"merge", KM_TYPE_MERGE},
                                           {"strategic", KM_TYPE_STRATEGIC},
                                           {"apply", KM_TYPE_APPLY}};
    for (size_t i = 0; in.type != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i][0], in.type) == 0)
            return types[i][1];
    }
    return NULL;
}

/* ---- the request ---- */

static int write_verb(const struct km_client *c, const char *verb, const char *path)
{
    struct km_request *r = &request;
    struct km_slice text = km_buf_slice(&body);
    const struct km_options *o = &in.options;
    if (strcmp(verb, "raw") == 0)
        return km_rest_raw(r, c, KM_GET, path);
    if (!take_resource(path))
        return KM_ERR_ARG;
    if (strcmp(verb, "get") == 0)
        return km_rest_get(r, c, &in.what, in.ns, in.name, in.sub, o);
    if (strcmp(verb, "list") == 0)
        return km_rest_list(r, c, &in.what, in.ns, o);
    if (strcmp(verb, "watch") == 0)
        return km_rest_watch(r, c, &in.what, in.ns, o);
    if (strcmp(verb, "create") == 0)
        return km_rest_create(r, c, &in.what, in.ns, in.name, in.sub, text, o);
    if (strcmp(verb, "update") == 0)
        return km_rest_update(r, c, &in.what, in.ns, in.name, in.sub, text, o);
    if (strcmp(verb, "patch") == 0 && patch_type() != NULL)
        return km_rest_patch(r, c, &in.what, in.ns, in.name, in.sub, patch_type(), text, o);
    in.deletion.dry_run = in.options.dry_run;
    in.options.dry_run = NULL;
    int err = KM_ERR_ARG;
    if (strcmp(verb, "delete") == 0)
        err = km_rest_delete(r, c, &in.what, in.ns, in.name, &in.deletion, &body);
    else if (strcmp(verb, "deletecollection") == 0)
        err = km_rest_delete_collection(r, c, &in.what, in.ns, &in.deletion, &body, o);
    in.options.dry_run = in.deletion.dry_run;
    return err;
}

static int print(struct km_json_writer *w)
{
    km_json_close(w);
    int err = km_json_finish(w);
    if (err != KM_OK)
        return fprintf(stderr, "request: %s\n", km_strerror(err)), 1;
    printf("%s\n", out_text);
    return 0;
}

static void begin(struct km_json_writer *w)
{
    static struct km_buf out;
    km_buf_init(&out, out_text, sizeof out_text);
    km_json_writer_init(w, &out);
    km_json_object(w);
}

static int print_request(void)
{
    struct km_json_writer w;
    begin(&w);
    km_json_kv_str(&w, "method", km_http_method_name(request.method));
    km_json_kv_str(&w, "target", request.target);
    km_json_kv_str(&w, "accept", request.accept != NULL ? request.accept : KM_TYPE_JSON);
    if (request.content_type != NULL && request.body.len > 0)
        km_json_kv_str(&w, "contentType", request.content_type);
    km_json_key(&w, "body");
    km_json_slice(&w, request.body);
    return print(&w);
}

/* ---- the answer ---- */

static const struct {
    const char *name;
    bool (*is)(const struct km_status *);
} predicates[] = {
    {"NotFound", km_status_is_not_found},
    {"AlreadyExists", km_status_is_already_exists},
    {"Conflict", km_status_is_conflict},
    {"Forbidden", km_status_is_forbidden},
    {"Unauthorized", km_status_is_unauthorized},
    {"TooManyRequests", km_status_is_too_many_requests},
    {"Invalid", km_status_is_invalid},
    {"BadRequest", km_status_is_bad_request},
    {"MethodNotSupported", km_status_is_method_not_supported},
    {"NotAcceptable", km_status_is_not_acceptable},
    {"UnsupportedMediaType", km_status_is_unsupported_media_type},
    {"RequestEntityTooLarge", km_status_is_request_too_large},
    {"InternalError", km_status_is_internal_error},
    {"ServiceUnavailable", km_status_is_service_unavailable},
    {"Timeout", km_status_is_timeout},
    {"ServerTimeout", km_status_is_server_timeout},
    {"StoreReadError", km_status_is_store_read_error},
    {"ResourceExpired", km_status_is_resource_expired},
    {"Gone", km_status_is_gone},
};

static void put_status(struct km_json_writer *w, const struct km_status *s)
{
    int64_t seconds;
    km_json_kv_i64(w, "code", s->code);
    km_json_kv_str(w, "reason", s->reason);
    km_json_kv_str(w, "message", s->message);
    km_json_kv_bool(w, "delay", km_status_suggests_delay(s, &seconds));
    km_json_kv_i64(w, "retryAfterSeconds", seconds);
    km_json_key(w, "causes");
    km_json_array(w);
    for (uint16_t i = 0; i < s->causes_count; i++) {
        km_json_object(w);
        km_json_kv_str(w, "type", s->causes[i].reason);
        km_json_kv_str(w, "message", s->causes[i].message);
        km_json_kv_str(w, "field", s->causes[i].field);
        km_json_close(w);
    }
    km_json_close(w);
    km_json_key(w, "is");
    km_json_array(w);
    for (size_t i = 0; i < sizeof predicates / sizeof predicates[0]; i++) {
        if (predicates[i].is(s))
            km_json_str(w, predicates[i].name);
    }
    km_json_close(w);
}

static void put_warnings(struct km_json_writer *w)
{
    if (warning_count == 0)
        return;
    km_json_key(w, "warnings");
    km_json_array(w);
    for (uint16_t i = 0; i < warning_count; i++)
        km_json_str(w, warning_text[i]);
    km_json_close(w);
    warning_count = 0;
}

static int print_answer(int err)
{
    struct km_json_writer w;
    begin(&w);
    km_json_kv_i64(&w, "http", request.http_status);
    km_json_kv_str(&w, "error", err == KM_OK ? "" : km_strerror(err));
    if (err == KM_ERR_STATUS)
        put_status(&w, request.status);
    else if (err != KM_OK)
        km_json_kv_str(&w, "words", request.fault != NULL ? request.fault->text : "");
    put_warnings(&w);
    if (err == KM_OK) {
        km_json_key(&w, "body");
        km_json_slice(&w, km_buf_slice(&answer));
    }
    (void)print(&w);
    return err == KM_OK ? 0 : 1;
}

static int on_bytes(struct km_request *r, struct km_slice bytes)
{
    (void)r;
    km_buf_put_slice(&answer, bytes);
    return answer.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

static void on_warning(void *ctx, struct km_slice text)
{
    (void)ctx;
    if (warning_count < WARNINGS)
        (void)km_slice_copy(text, warning_text[warning_count++], sizeof warning_text[0]);
}

static int print_handshakes(void)
{
    struct km_tls_stats stats;
    struct km_json_writer w;
    km_tls_stats(&stats);
    begin(&w);
    km_json_kv_i64(&w, "handshakes", stats.handshakes_full);
    km_json_kv_i64(&w, "resumed", stats.handshakes_resumed);
    km_json_kv_i64(&w, "connections", (int64_t)session.lane.conn.opened);
    km_json_kv_i64(&w, "reloads", (int64_t)session.client.creds_reloads.value);
    return print(&w);
}

static void pause_ms(int64_t ms)
{
    int64_t until_ms = km_port_now_ms() + ms;
    for (int64_t left = ms; left > 0; left = until_ms - km_port_now_ms())
        km_loop_turn(&session.loop, left);
}

static int send_one(const char *verb, const char *path)
{
    memset(&request, 0, sizeof request);
    km_buf_reset(&answer);
    request.on_bytes = on_bytes;
    request.accept = in.accept;
    request.retries = (uint8_t)in.retries;
    request.timeout_ms = in.timeout_ms;
    int err = write_verb(&session.client, verb, path);
    if (err == KM_OK)
        err = km_call(&request, &session.lane);
    return print_answer(err);
}

static int send_all(const char *verb, const char *path)
{
    const struct km_kubeconfig_options where = {
        .path = in.send, .insecure = in.insecure, .allow_insecure = in.allow_insecure};
    struct km_fault fault = {0};
    int result = 0;
    if (km_session_open(&session, &where, &fault) != KM_OK)
        return fprintf(stderr, "%s\n", fault.text), 1;
    if (in.user_agent != NULL && km_client_user_agent(&session.client, in.user_agent) != KM_OK)
        return fprintf(stderr, "request: that is no User-Agent\n"), 1;
    if (in.qps > 0)
        km_client_limit(&session.client, (uint32_t)in.qps, (uint32_t)in.burst);
    session.client.on_warning = on_warning;
    for (int64_t i = 0; i < (in.repeat > 0 ? in.repeat : 1); i++) {
        if (i > 0)
            pause_ms(in.pause_ms);
        result |= send_one(verb, path);
        fflush(stdout);
    }
    return print_handshakes() | result;
}

int check_request(int argc, char **argv)
{
    static char file[1 << 20];
    if (argc < 3 || !take_options(argc, argv))
        return check_usage("request");
    km_buf_init(&body, body_text, sizeof body_text);
    km_buf_init(&answer, answer_text, sizeof answer_text);
    if (in.body != NULL) {
        int len = km_port_file_read(in.body, file, sizeof file);
        if (len < 0)
            return fprintf(stderr, "%s: %s\n", in.body, km_strerror(len)), 1;
        km_buf_put(&body, file, (size_t)len);
    }
    if (in.send != NULL)
        return send_all(argv[1], argv[2]);
    offline.config = &no_config;
    request.accept = in.accept;
    int err = write_verb(&offline, argv[1], argv[2]);
    if (err != KM_OK)
        return fprintf(stderr, "request: %s\n", km_strerror(err)), 1;
    return print_request();
}
