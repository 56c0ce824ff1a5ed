/* SPDX-License-Identifier: Apache-2.0 */
/* Typed verbs without a server: the lane is busy with something else, so that what would be sent can be looked at. */
#include "km_test.h"
#include "kubemote/km_json_table.h"
#include "kubemote/km_typed.h"

#define SCALE_FIELDS(S, I, B, R, A, M) KM_META_FIELDS(S) R(replicas, "/spec/replicas", 16)
KM_KIND_STRUCT(scale, SCALE_FIELDS)
extern const struct km_kind km_kind_scale;
KM_KIND_TABLE(scale, "Scale", SCALE_FIELDS)
static const struct km_type scale_type = {
    {"apps", "v1", "deployments"}, "autoscaling/v1", true, &km_kind_scale};

#define BARE_FIELDS(S, I, B, R, A, M) \
    S(ns, "/metadata/namespace", 64) \
    S(name, "/metadata/name", 254) S(uid, "/metadata/uid", 64) S(token, "/status/token", 32)
KM_KIND_STRUCT(bare, BARE_FIELDS)
extern const struct km_kind km_kind_bare;
KM_KIND_TABLE(bare, "Bare", BARE_FIELDS)
static const struct km_type bare_type = {{"", "v1", "bares"}, "v1", true, &km_kind_bare};

static struct km_kubeconfig config;
static struct km_loop loop;
static struct km_client client = {.config = &config, .loop = &loop};
static struct km_lane lane = {.client = &client};
static struct km_request other;
static struct km_scale scale;
static struct km_schema_node nodes[64];
static char text[1024];
static struct km_typed typed;
static int ended, result;

static void on_done(struct km_typed *t, int err)
{
    assert_ptr_equal(t, &typed);
    ended++;
    result = err;
}

static int setup(void **state)
{
    (void)state;
    memset(&scale, 0, sizeof scale);
    memset(&typed, 0, sizeof typed);
    memcpy(scale.ns, "shop", sizeof "shop");
    memcpy(scale.name, "web", sizeof "web");
    memcpy(scale.replicas, "3", sizeof "3");
    typed.type = &scale_type;
    typed.client = &client;
    typed.lane = &lane;
    typed.record = &scale;
    typed.nodes = nodes;
    typed.node_size = 64;
    typed.text = text;
    typed.text_size = sizeof text;
    typed.on_done = on_done;
    lane.active = &other;
    loop.turning = false;
    ended = 0;
    return 0;
}

static void sends(enum km_http_method method, const char *target, const char *type,
                  const char *body)
{
    assert_true(km_request_busy(&typed.request));
    assert_int_equal(typed.request.method, method);
    assert_string_equal(typed.request.target, target);
    if (type != NULL)
        assert_string_equal(typed.request.content_type, type);
    assert_int_equal(typed.request.body.len, strlen(body));
    if (body[0] != '\0')
        assert_memory_equal(typed.request.body.ptr, body, strlen(body));
    km_request_cancel(&typed.request);
    assert_int_equal(ended, 1);
    assert_int_equal(result, KM_ERR_CANCELED);
    assert_string_equal(km_typed_problem(&typed, result), "given up by us");
    ended = 0;
}

#define SCALE_JSON \
    "{\"apiVersion\":\"autoscaling/v1\",\"kind\":\"Scale\",\"metadata\":{\"namespace\":\"shop\"," \
    "\"name\":\"web\"},\"spec\":{\"replicas\":3}}"
#define PLACE "/apis/apps/v1/namespaces/shop/deployments/web"

static void a_record_is_applied(void **state)
{
    const struct km_options options = {.field_manager = "me", .force = KM_YES};
    (void)state;
    assert_int_equal(km_typed_apply(&typed, NULL, &options), KM_OK);
    sends(KM_PATCH, PLACE "?fieldManager=me&force=true", KM_TYPE_APPLY, SCALE_JSON);
    assert_int_equal(km_typed_apply(&typed, "status", &options), KM_OK);
    sends(KM_PATCH, PLACE "/status?fieldManager=me&force=true", KM_TYPE_APPLY, SCALE_JSON);
    assert_int_equal(km_typed_apply(&typed, NULL, NULL), KM_ERR_ARG);
    assert_string_equal(km_typed_problem(&typed, KM_ERR_ARG),
                        "server-side apply needs a field manager");
}

static void subresources_are_read_and_written(void **state)
{
    (void)state;
    typed.timeout_ms = 700;
    assert_int_equal(km_typed_get(&typed, "shop", "web", "scale", NULL), KM_OK);
    assert_int_equal(typed.request.timeout_ms, 700);
    sends(KM_GET, PLACE "/scale", NULL, "");
    assert_int_equal(km_typed_update(&typed, "scale", NULL), KM_OK);
    sends(KM_PUT, PLACE "/scale", KM_TYPE_JSON, SCALE_JSON);
    assert_int_equal(km_typed_create(&typed, "scale", NULL), KM_OK);
    assert_true(typed.request.status_will_do);
    sends(KM_POST, PLACE "/scale", KM_TYPE_JSON, SCALE_JSON);
    assert_int_equal(km_typed_create(&typed, NULL, NULL), KM_OK);
    assert_false(typed.request.status_will_do);
    sends(KM_POST, "/apis/apps/v1/namespaces/shop/deployments", KM_TYPE_JSON, SCALE_JSON);
    assert_int_equal(km_typed_delete(&typed, "shop", "web", NULL), KM_OK);
    sends(KM_DELETE, PLACE, KM_TYPE_JSON, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"}");
}

static int take(void *ctx, void *record)
{
    (void)ctx;
    (void)record;
    return KM_OK;
}

static void refused_with_words(int err, int expected, const char *words)
{
    assert_int_equal(err, expected);
    assert_non_null(strstr(km_typed_problem(&typed, err), words));
    assert_int_equal(ended, 0);
    assert_false(km_request_busy(&typed.request));
}

static void what_cannot_be_sent_is_refused_with_words(void **state)
{
    (void)state;
    refused_with_words(km_typed_get(&typed, NULL, "web", NULL, NULL), KM_ERR_ARG, "namespace");
    refused_with_words(km_typed_get(&typed, "shop", NULL, NULL, NULL), KM_ERR_ARG, "name");
    refused_with_words(km_typed_get(&typed, "shop", "a/b", NULL, NULL), KM_ERR_ARG, "path");
    refused_with_words(km_typed_patch(&typed, "shop", "web", NULL, NULL, km_slice_of("{}"), NULL),
                       KM_ERR_ARG, "type");
    scale.head.truncated = 1;
    refused_with_words(km_typed_update(&typed, NULL, NULL), KM_ERR_ARG, "truncated");
    scale.head.truncated = 0;
    typed.text_size = 20;
    refused_with_words(km_typed_update(&typed, NULL, NULL), KM_ERR_TOO_LONG, "text_size");
    typed.node_size = 3;
    refused_with_words(km_typed_get(&typed, "shop", "web", NULL, NULL), KM_ERR_FULL, "node_size");
    typed.node_size = 64;
    typed.type = &bare_type;
    refused_with_words(km_typed_get(&typed, "shop", "web", NULL, NULL), KM_ERR_ARG,
                       "KM_META_FIELDS");
    refused_with_words(km_typed_list(&typed, "shop", NULL, take, NULL, NULL), KM_ERR_ARG,
                       "KM_META_FIELDS");
    typed.type = &scale_type;
    scale.ns[0] = '\0';
    refused_with_words(km_typed_create(&typed, NULL, NULL), KM_ERR_ARG, "namespace");
}

/* The tables through which the answer under way goes would be made anew under it. */
static void a_call_under_way_is_left_alone(void **state)
{
    (void)state;
    assert_int_equal(km_typed_list(&typed, "shop", NULL, take, NULL, NULL), KM_OK);
    const struct km_typed before = typed;
    assert_int_equal(km_typed_get(&typed, "shop", "web", NULL, NULL), KM_ERR_ARG);
    assert_int_equal(km_typed_list(&typed, "shop", NULL, take, NULL, NULL), KM_ERR_ARG);
    typed.on_done = NULL;
    loop.turning = true;
    assert_int_equal(km_typed_get(&typed, "shop", "web", NULL, NULL), KM_ERR_REENTRANT);
    assert_int_equal(km_typed_list(&typed, "shop", NULL, take, NULL, NULL), KM_ERR_REENTRANT);
    assert_string_equal(km_typed_problem(&typed, KM_ERR_REENTRANT), km_strerror(KM_ERR_REENTRANT));
    typed.on_done = on_done;
    assert_memory_equal(&before, &typed, sizeof before);
    km_request_cancel(&typed.pager.request);
    assert_int_equal(ended, 1);
    assert_int_equal(result, KM_ERR_CANCELED);
    assert_int_equal(km_typed_list(&typed, "shop", NULL, NULL, NULL, NULL), KM_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_record_is_applied, setup),
        cmocka_unit_test_setup(subresources_are_read_and_written, setup),
        cmocka_unit_test_setup(what_cannot_be_sent_is_refused_with_words, setup),
        cmocka_unit_test_setup(a_call_under_way_is_left_alone, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
