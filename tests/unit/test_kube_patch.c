/* SPDX-License-Identifier: Apache-2.0 */
/* Builders of patches, which cannot write broken JSON. */
#include "kubemote/km_rest.h"
#include "km_test.h"

static char text[1024];
static struct km_buf out;

static int setup(void **state)
{
    (void)state;
    km_buf_init(&out, text, sizeof text);
    return 0;
}

static void operations_stand_in_their_order(void **state)
{
    struct km_json_writer w;
    (void)state;
    km_patch_begin(&w, &out);
    km_patch_test(&w, "/metadata/resourceVersion", km_slice_of("\"7\""));
    km_patch_add(&w, "/metadata/labels/a", km_slice_of("\"b\""));
    km_patch_replace(&w, "/spec/replicas", km_slice_of("3"));
    km_patch_remove(&w, "/data/\"x\"");
    assert_int_equal(km_patch_end(&w), KM_OK);
    assert_string_equal(text,
                        "[{\"op\":\"test\",\"path\":\"/metadata/resourceVersion\",\"value\":\"7\"},"
                        "{\"op\":\"add\",\"path\":\"/metadata/labels/a\",\"value\":\"b\"},"
                        "{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":3},"
                        "{\"op\":\"remove\",\"path\":\"/data/\\\"x\\\"\"}]");
}

static void an_empty_patch_is_an_empty_list(void **state)
{
    struct km_json_writer w;
    (void)state;
    km_patch_begin(&w, &out);
    assert_int_equal(km_patch_end(&w), KM_OK);
    assert_string_equal(text, "[]");
}

static void a_patch_that_does_not_fit_is_no_patch(void **state)
{
    char small[24];
    struct km_json_writer w;
    (void)state;
    km_buf_init(&out, small, sizeof small);
    km_patch_begin(&w, &out);
    km_patch_add(&w, "/metadata/labels/a", km_slice_of("\"b\""));
    assert_int_equal(km_patch_end(&w), KM_ERR_TOO_LONG);
}

static void a_pointer_that_is_none_spoils_the_patch(void **state)
{
    const char *none[] = {"data/a", "/a~2", "/a~", NULL};
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct km_json_writer w;
        km_buf_init(&out, text, sizeof text);
        km_patch_begin(&w, &out);
        km_patch_add(&w, none[i], km_slice_of("1"));
        assert_int_equal(km_patch_end(&w), KM_ERR_ARG);
        assert_true(out.overflow);
    }
}

static void segments_of_pointers_are_escaped(void **state)
{
    (void)state;
    km_pointer_add(&out, "metadata");
    km_pointer_add(&out, "example.com/a~b");
    km_pointer_add(&out, "");
    assert_string_equal(text, "/metadata/example.com~1a~0b/");
}

static void a_merge_patch_nests_its_pointer(void **state)
{
    (void)state;
    assert_int_equal(km_merge_patch(&out, "/metadata/labels/example.com~1a", km_slice_of("null")),
                     KM_OK);
    assert_string_equal(text, "{\"metadata\":{\"labels\":{\"example.com/a\":null}}}");
    km_buf_reset(&out);
    assert_int_equal(km_merge_patch(&out, "/a\"b", km_slice_of("[1]")), KM_OK);
    assert_string_equal(text, "{\"a\\\"b\":[1]}");
    km_buf_reset(&out);
    assert_int_equal(km_merge_patch(&out, "", km_slice_of("{}")), KM_OK);
    assert_string_equal(text, "{}");
}

static void pointers_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"a", "a/b", "/a~2", "/a~"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        km_buf_reset(&out);
        assert_int_equal(km_merge_patch(&out, bad[i], km_slice_of("1")), KM_ERR_ARG);
    }
}

static void a_segment_without_end_is_refused(void **state)
{
    static char pointer[CONFIG_KM_JSON_KEY_BYTES + 8];
    (void)state;
    memset(pointer, 'a', sizeof pointer - 1);
    pointer[0] = '/';
    assert_int_equal(km_merge_patch(&out, pointer, km_slice_of("1")), KM_ERR_TOO_LONG);
}

static void nesting_beyond_the_limit_is_refused(void **state)
{
    static char pointer[4 * CONFIG_KM_JSON_DEPTH], large[16 * CONFIG_KM_JSON_DEPTH];
    (void)state;
    for (size_t i = 0; i < CONFIG_KM_JSON_DEPTH + 1; i++)
        memcpy(pointer + 2 * i, "/a", 3);
    km_buf_init(&out, large, sizeof large);
    assert_int_not_equal(km_merge_patch(&out, pointer, km_slice_of("1")), KM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(operations_stand_in_their_order, setup),
        cmocka_unit_test_setup(an_empty_patch_is_an_empty_list, setup),
        cmocka_unit_test_setup(a_patch_that_does_not_fit_is_no_patch, setup),
        cmocka_unit_test_setup(a_pointer_that_is_none_spoils_the_patch, setup),
        cmocka_unit_test_setup(segments_of_pointers_are_escaped, setup),
        cmocka_unit_test_setup(a_merge_patch_nests_its_pointer, setup),
        cmocka_unit_test_setup(pointers_that_are_none_are_refused, setup),
        cmocka_unit_test_setup(a_segment_without_end_is_refused, setup),
        cmocka_unit_test_setup(nesting_beyond_the_limit_is_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
