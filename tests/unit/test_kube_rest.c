/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs into requests: targets, the order of the query, what is refused before anything is sent, bodies of deletions. */
#include "kubemote/km_rest.h"
#include "km_test.h"

static struct km_kubeconfig config;
static struct km_client client = {.config = &config};
static struct km_request request;
static char storage[1024];
static struct km_buf body;

static const struct km_resource deployments = {"apps", "v1", "deployments"};

static int setup(void **state)
{
    (void)state;
    memset(&request, 0, sizeof request);
    config.base_path[0] = '\0';
    km_buf_init(&body, storage, sizeof storage);
    return 0;
}

static void targets_name_group_namespace_and_object(void **state)
{
    (void)state;
    assert_int_equal(km_rest_get(&request, &client, &deployments, "shop", "web", NULL, NULL),
                     KM_OK);
    assert_string_equal(request.target, "/apis/apps/v1/namespaces/shop/deployments/web");
    assert_int_equal(request.method, KM_GET);
    assert_int_equal(km_rest_get(&request, &client, &km_nodes, NULL, "gw", "status", NULL), KM_OK);
    assert_string_equal(request.target, "/api/v1/nodes/gw/status");
    assert_int_equal(km_rest_list(&request, &client, &km_pods, NULL, NULL), KM_OK);
    assert_string_equal(request.target, "/api/v1/pods");
    memcpy(config.base_path, "/base", sizeof "/base");
    assert_int_equal(km_rest_raw(&request, &client, KM_GET, "/readyz?verbose"), KM_OK);
    assert_string_equal(request.target, "/base/readyz?verbose");
}

static void query_keys_are_sorted_and_escaped(void **state)
{
    const struct km_options all = {
        .label_selector = "a in (b,c)",
        .field_selector = "metadata.name=x",
        .resource_version = "7",
        .resource_version_match = "Exact",
        .continue_token = "t/=",
        .limit = 500,
        .timeout_seconds = 30,
        .allow_bookmarks = KM_YES,
        .send_initial_events = KM_NO,
        .include_object = "Object",
    };
    (void)state;
    assert_int_equal(km_rest_list(&request, &client, &km_pods, "n", &all), KM_OK);
    assert_string_equal(request.target,
                        "/api/v1/namespaces/n/pods?allowWatchBookmarks=true&continue=t%2F%3D&"
                        "fieldSelector=metadata.name%3Dx&includeObject=Object&"
                        "labelSelector=a%20in%20%28b%2Cc%29&limit=500&resourceVersion=7&"
                        "resourceVersionMatch=Exact&sendInitialEvents=false&timeoutSeconds=30");
}

static void writes_carry_their_type_and_options(void **state)
{
    const struct km_options options = {
        .dry_run = "All", .field_manager = "me", .field_validation = "Strict", .force = KM_NO};
    struct km_slice text = km_slice_of("{}");
    (void)state;
    assert_int_equal(
        km_rest_patch(&request, &client, &km_pods, "n", "p", NULL, KM_TYPE_APPLY, text, &options),
        KM_OK);
    assert_int_equal(request.method, KM_PATCH);
    assert_string_equal(request.content_type, KM_TYPE_APPLY);
    assert_string_equal(request.target, "/api/v1/namespaces/n/pods/p?dryRun=All&fieldManager=me&"
                                        "fieldValidation=Strict&force=false");
    assert_int_equal(km_rest_create(&request, &client, &km_pods, "n", "p", "binding", text, NULL),
                     KM_OK);
    assert_int_equal(request.method, KM_POST);
    assert_string_equal(request.target, "/api/v1/namespaces/n/pods/p/binding");
    assert_int_equal(km_rest_update(&request, &client, &km_nodes, NULL, "gw", NULL, text, NULL),
                     KM_OK);
    assert_int_equal(request.method, KM_PUT);
    assert_string_equal(request.content_type, KM_TYPE_JSON);
}

static void a_watch_is_a_stream_without_an_end(void **state)
{
    (void)state;
    assert_int_equal(km_rest_watch(&request, &client, &km_nodes, NULL, NULL), KM_OK);
    assert_string_equal(request.target, "/api/v1/nodes?watch=true");
    assert_true(request.stream);
    assert_true(request.timeout_ms == KM_NEVER);
}

/* client-go's preflight: nothing may go to another place than was meant. */
static void what_would_go_elsewhere_is_refused(void **state)
{
    struct km_slice text = km_slice_of("{}");
    (void)state;
    assert_int_equal(km_rest_get(&request, &client, &km_pods, "n", NULL, NULL, NULL), KM_ERR_ARG);
    assert_int_equal(km_rest_get(&request, &client, &km_pods, "n", "", NULL, NULL), KM_ERR_ARG);
    assert_int_equal(km_rest_get(&request, &client, &km_pods, "", "p", NULL, NULL), KM_ERR_ARG);
    assert_int_equal(km_rest_get(&request, &client, &km_pods, "n", "a/b", NULL, NULL), KM_ERR_ARG);
    assert_int_equal(km_rest_get(&request, &client, &km_pods, "n", "..", NULL, NULL), KM_ERR_ARG);
    assert_int_equal(km_rest_get(&request, &client, &km_pods, "n", "a%2fb", NULL, NULL),
                     KM_ERR_ARG);
    assert_int_equal(km_rest_create(&request, &client, &km_pods, "", NULL, NULL, text, NULL),
                     KM_ERR_ARG);
    assert_int_equal(km_rest_create(&request, &client, &km_pods, "n", NULL, "binding", text, NULL),
                     KM_ERR_ARG);
    assert_int_equal(km_rest_update(&request, &client, &km_pods, "n", NULL, NULL, text, NULL),
                     KM_ERR_ARG);
    assert_int_equal(km_rest_delete(&request, &client, &km_pods, "n", NULL, NULL, &body),
                     KM_ERR_ARG);
    assert_int_equal(km_rest_delete(&request, &client, &km_pods, "n", "", NULL, &body), KM_ERR_ARG);
    assert_int_equal(km_rest_raw(&request, &client, KM_GET, "readyz"), KM_ERR_ARG);
    /* Server-side apply without a name of the manager. */
    assert_int_equal(
        km_rest_patch(&request, &client, &km_pods, "n", "p", NULL, KM_TYPE_APPLY, text, NULL),
        KM_ERR_ARG);
}

static void a_target_that_does_not_fit_is_refused(void **state)
{
    static char selector[CONFIG_KM_TARGET_BYTES + 1];
    const struct km_options options = {.label_selector = selector};
    (void)state;
    memset(selector, 'a', sizeof selector - 1);
    assert_int_equal(km_rest_list(&request, &client, &km_pods, "n", &options), KM_ERR_TOO_LONG);
}

static void delete_options_say_only_what_was_asked(void **state)
{
    const struct km_delete_options all = {.has_grace = true,
                                          .grace_seconds = 0,
                                          .propagation = "Foreground",
                                          .uid = "u\"1",
                                          .resource_version = "9",
                                          .dry_run = "All"};
    (void)state;
    assert_int_equal(km_rest_delete(&request, &client, &km_pods, "n", "p", NULL, &body), KM_OK);
    assert_int_equal(request.method, KM_DELETE);
    assert_string_equal(storage, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\"}");
    assert_int_equal(km_rest_delete(&request, &client, &km_pods, "n", "p", &all, &body), KM_OK);
    assert_string_equal(
        storage, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"gracePeriodSeconds\":0,"
                 "\"preconditions\":{\"resourceVersion\":\"9\",\"uid\":\"u\\\"1\"},"
                 "\"propagationPolicy\":\"Foreground\",\"dryRun\":[\"All\"]}");
    assert_int_equal(request.body.len, strlen(storage));
}

static void a_collection_is_deleted_by_selector(void **state)
{
    const struct km_options options = {.label_selector = "a=b"};
    (void)state;
    assert_int_equal(
        km_rest_delete_collection(&request, &client, &km_pods, "n", NULL, &body, &options), KM_OK);
    assert_int_equal(request.method, KM_DELETE);
    assert_string_equal(request.target, "/api/v1/namespaces/n/pods?labelSelector=a%3Db");
}

static void delete_options_that_do_not_fit_are_refused(void **state)
{
    char small[32];
    (void)state;
    km_buf_init(&body, small, sizeof small);
    assert_int_equal(km_rest_delete(&request, &client, &km_pods, "n", "p", NULL, &body),
                     KM_ERR_TOO_LONG);
}

/* A target that a program wrote itself need not stand below the server's path; nothing behind its end is looked at. */
static void what_a_request_is_about(void **state)
{
    static const char path[] = "/clusters/a";
    struct km_slice group, resource, name;

    (void)state;
    memcpy(config.base_path, path, sizeof path);
    assert_int_equal(km_rest_get(&request, &client, &deployments, "shop", "web", NULL, NULL),
                     KM_OK);
    assert_true(km_request_about(&client, &request, &group, &resource, &name));
    assert_true(km_slice_eq_str(group, "apps") && km_slice_eq_str(resource, "deployments") &&
                km_slice_eq_str(name, "web"));
    memcpy(request.target, "/healthz", sizeof "/healthz");
    memcpy(request.target + strlen(path), "/api/v1/nodes/old", sizeof "/api/v1/nodes/old");
    assert_false(km_request_about(&client, &request, &group, &resource, &name));
    memcpy(request.target, "/api/v1/pods", sizeof "/api/v1/pods");
    assert_true(km_request_about(&client, &request, &group, &resource, &name));
    assert_true(km_slice_eq_str(resource, "pods"));
}

static void refused(int err, int expected, const char *words)
{
    assert_int_equal(err, expected);
    assert_non_null(request.fault);
    assert_int_equal(request.fault->code, expected);
    assert_non_null(strstr(request.fault->text, words));
}

static void what_is_refused_says_why(void **state)
{
    static const struct km_resource core = {.version = "v1", .plural = "pods"};
    static const struct km_resource none = {.version = "v1"};
    const struct km_options nobody = {.field_manager = ""};
    const struct km_delete_options dry = {.dry_run = "All"};
    char name[CONFIG_KM_TARGET_BYTES];
    struct km_slice text = km_slice_of("{}");
    (void)state;
    assert_int_equal(km_rest_get(&request, &client, &core, "n", "p", NULL, NULL), KM_OK);
    assert_string_equal(request.target, "/api/v1/namespaces/n/pods/p");
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    refused(km_rest_get(&request, &client, &none, "n", "p", NULL, NULL), KM_ERR_ARG, "resource");
    refused(km_rest_get(&request, &client, &core, "", "p", NULL, NULL), KM_ERR_ARG, "namespace");
    refused(km_rest_get(&request, &client, &core, "n", NULL, NULL, NULL), KM_ERR_ARG, "name");
    refused(km_rest_get(&request, &client, &core, "n", name, NULL, NULL), KM_ERR_TOO_LONG,
            "CONFIG_KM_TARGET_BYTES");
    refused(km_rest_patch(&request, &client, &core, "n", "p", NULL, NULL, text, NULL), KM_ERR_ARG,
            "type");
    refused(km_rest_patch(&request, &client, &core, "n", "p", NULL, KM_TYPE_MERGE,
                          (struct km_slice){0}, NULL),
            KM_ERR_ARG, "empty");
    refused(km_rest_patch(&request, &client, &core, "n", "p", NULL, KM_TYPE_APPLY, text, &nobody),
            KM_ERR_ARG, "manager");
    refused(km_rest_delete(&request, &client, &core, "n", "p", &dry, NULL), KM_ERR_ARG, "body");
    body.size = 10;
    refused(km_rest_delete(&request, &client, &core, "n", "p", &dry, &body), KM_ERR_TOO_LONG,
            "body");
    refused(km_rest_raw(&request, &client, KM_GET, NULL), KM_ERR_ARG, "slash");
    assert_int_equal(km_rest_delete(&request, &client, &core, "n", "p", NULL, NULL), KM_OK);
    assert_int_equal(request.body.len, 0);
}

/* The request may have been a watch before. */
static void a_raw_request_is_no_stream(void **state)
{
    (void)state;
    assert_int_equal(km_rest_watch(&request, &client, &km_pods, NULL, NULL), KM_OK);
    assert_int_equal(km_rest_raw(&request, &client, KM_GET, "/version"), KM_OK);
    assert_false(request.stream);
}

static void an_answer_is_collected_as_far_as_it_fits(void **state)
{
    char storage_of_8[8];
    struct km_buf out;
    (void)state;
    km_buf_init(&out, storage_of_8, sizeof storage_of_8);
    request.ctx = &out;
    assert_int_equal(km_rest_collect(&request, km_slice_of("abc")), KM_OK);
    assert_int_equal(km_rest_collect(&request, km_slice_of("defg")), KM_OK);
    assert_string_equal(out.data, "abcdefg");
    assert_int_equal(km_rest_collect(&request, km_slice_of("h")), KM_ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_a_request_is_about, setup),
        cmocka_unit_test_setup(targets_name_group_namespace_and_object, setup),
        cmocka_unit_test_setup(query_keys_are_sorted_and_escaped, setup),
        cmocka_unit_test_setup(writes_carry_their_type_and_options, setup),
        cmocka_unit_test_setup(a_watch_is_a_stream_without_an_end, setup),
        cmocka_unit_test_setup(what_would_go_elsewhere_is_refused, setup),
        cmocka_unit_test_setup(a_target_that_does_not_fit_is_refused, setup),
        cmocka_unit_test_setup(delete_options_say_only_what_was_asked, setup),
        cmocka_unit_test_setup(a_collection_is_deleted_by_selector, setup),
        cmocka_unit_test_setup(delete_options_that_do_not_fit_are_refused, setup),
        cmocka_unit_test_setup(what_is_refused_says_why, setup),
        cmocka_unit_test_setup(a_raw_request_is_no_stream, setup),
        cmocka_unit_test_setup(an_answer_is_collected_as_far_as_it_fits, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
