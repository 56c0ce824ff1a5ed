/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, queries and the reading of metav1.Status. */
#include <string.h>

#include "kubemote/km_kube.h"
#include "km_test.h"

static char text[512];
static struct km_buf out;

static int setup(void **state)
{
    (void)state;
    km_buf_init(&out, text, sizeof text);
    return 0;
}

static void paths_have_kubernetes_form(void **state)
{
    (void)state;
    assert_int_equal(km_path(&out, "", &km_nodes, NULL, "box-1", "status"), KM_OK);
    assert_string_equal(text, "/api/v1/nodes/box-1/status");
    km_buf_reset(&out);
    assert_int_equal(km_path(&out, "/clusters/a", &km_leases, "kube-node-lease", NULL, NULL),
                     KM_OK);
    assert_string_equal(
        text, "/clusters/a/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases");
}

/* As TestInvalidSegments of client-go: nothing may leave that the server would route elsewhere. */
static void bad_segments_are_refused(void **state)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "a%b", "/", "%2e"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        km_buf_reset(&out);
        assert_int_equal(km_path(&out, "", &km_pods, "default", bad[i], NULL), KM_ERR_ARG);
        km_buf_reset(&out);
        assert_int_equal(km_path(&out, "", &km_pods, bad[i], "x", NULL), KM_ERR_ARG);
    }
}

static void names_are_escaped(void **state)
{
    (void)state;
    assert_int_equal(km_path(&out, "", &km_pods, "default", "a b?c#d&e", NULL), KM_OK);
    assert_string_equal(text, "/api/v1/namespaces/default/pods/a%20b%3Fc%23d%26e");
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
    char small[16];
    struct km_buf buf;
    (void)state;
    km_buf_init(&buf, small, sizeof small);
    assert_int_equal(km_path(&buf, "", &km_nodes, NULL, "a-name-that-is-long", NULL),
                     KM_ERR_TOO_LONG);
}

static void queries_join(void **state)
{
    (void)state;
    assert_int_equal(km_path(&out, "", &km_pods, NULL, NULL, NULL), KM_OK);
    km_query(&out, "fieldSelector", "spec.nodeName=box");
    km_query_i64(&out, "limit", 500);
    km_query(&out, "watch", "true");
    assert_string_equal(text,
                        "/api/v1/pods?fieldSelector=spec.nodeName%3Dbox&limit=500&watch=true");
}

static struct km_status status_of(const char *reason, int64_t code)
{
    struct km_status s;
    memset(&s, 0, sizeof s);
    (void)km_slice_copy(km_slice_of(reason), s.reason, sizeof s.reason);
    s.code = code;
    return s;
}

static void a_known_reason_beats_the_code(void **state)
{
    struct km_status s = status_of("Conflict", 404);
    (void)state;
    assert_true(km_status_is_conflict(&s));
    assert_false(km_status_is_not_found(&s));
    s = status_of("SomethingNew", 404);
    assert_true(km_status_is_not_found(&s));
}

static void already_exists_needs_the_reason(void **state)
{
    struct km_status s = status_of("", 409);
    (void)state;
    assert_false(km_status_is_already_exists(&s));
    assert_true(km_status_is_conflict(&s));
    s = status_of("AlreadyExists", 409);
    assert_true(km_status_is_already_exists(&s));
}

static void too_large_resource_versions_are_seen_in_both_forms(void **state)
{
    struct km_status s = status_of("Timeout", 504);
    (void)state;
    assert_false(km_status_is_too_large_rv(&s));
    (void)km_slice_copy(km_slice_of("Too large resource version: 7633, current: 7571"), s.message,
                        sizeof s.message);
    assert_true(km_status_is_too_large_rv(&s));
    s = status_of("Timeout", 504);
    s.causes_count = 1;
    (void)km_slice_copy(km_slice_of("ResourceVersionTooLarge"), s.causes[0].reason,
                        sizeof s.causes[0].reason);
    assert_true(km_status_is_too_large_rv(&s));
}

static void expired_and_gone_are_one(void **state)
{
    struct km_status s = status_of("Expired", 410);
    (void)state;
    assert_true(km_status_is_expired(&s));
    s = status_of("Gone", 410);
    assert_true(km_status_is_expired(&s));
    s = status_of("", 410);
    assert_true(km_status_is_expired(&s));
    s = status_of("Expired", 0);
    assert_true(km_status_is_expired(&s));
}

static void codes_without_a_body_get_client_gos_reasons(void **state)
{
    static const struct {
        uint16_t code;
        enum km_http_method method;
        const char *reason;
    } cases[] = {
        {400, KM_GET, "BadRequest"},
        {401, KM_GET, "Unauthorized"},
        {403, KM_GET, "Forbidden"},
        {404, KM_GET, "NotFound"},
        {405, KM_GET, "MethodNotAllowed"},
        {409, KM_POST, "AlreadyExists"},
        {409, KM_PATCH, "Conflict"},
        {422, KM_GET, "Invalid"},
        {429, KM_GET, "TooManyRequests"},
        {503, KM_GET, "ServiceUnavailable"},
        {504, KM_GET, "Timeout"},
        {500, KM_GET, "InternalError"},
        {502, KM_GET, "InternalError"},
        {410, KM_GET, ""},
        {302, KM_GET, ""},
    };
    struct km_status s;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        km_status_generic(&s, cases[i].code, cases[i].method);
        assert_string_equal(s.reason, cases[i].reason);
        assert_int_equal(s.code, cases[i].code);
        assert_true(s.message[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(paths_have_kubernetes_form, setup),
        cmocka_unit_test_setup(bad_segments_are_refused, setup),
        cmocka_unit_test_setup(names_are_escaped, setup),
        cmocka_unit_test(a_path_that_does_not_fit_is_refused),
        cmocka_unit_test_setup(queries_join, setup),
        cmocka_unit_test(a_known_reason_beats_the_code),
        cmocka_unit_test(already_exists_needs_the_reason),
        cmocka_unit_test(too_large_resource_versions_are_seen_in_both_forms),
        cmocka_unit_test(expired_and_gone_are_one),
        cmocka_unit_test(codes_without_a_body_get_client_gos_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
