/* SPDX-License-Identifier: Apache-2.0 */
/* Predicates, and patches of finalizers and owners that keep what others wrote. */
#include "km_test.h"

#include "kubemote/km_meta.h"

static char text[2048];
static struct km_buf out;

static int begin(void **state)
{
    (void)state;
    km_buf_init(&out, text, sizeof text);
    return 0;
}

static void predicates(void **state)
{
    (void)state;
    assert_true(km_generation_changed(KM_ADDED, 0, 1) && km_generation_changed(KM_DELETED, 1, 0));
    assert_true(km_generation_changed(KM_ADDED, 1, 1));
    assert_true(km_generation_changed(KM_UPDATED, 1, 2));
    assert_false(km_generation_changed(KM_UPDATED, 2, 2));
    assert_true(km_labels_changed(KM_UPDATED, "", "{\"a\":\"b\"}"));
    assert_false(km_labels_changed(KM_UPDATED, "", "{}"));
    assert_false(km_labels_changed(KM_UPDATED, "{\"a\":\"b\"}", "{\"a\":\"b\"}"));
    assert_true(km_labels_changed(KM_ADDED, "", ""));
    assert_false(
        km_label_changed(KM_UPDATED, "{\"a/b\":\"1\"}", "{\"a/b\":\"1\",\"c\":\"2\"}", "a/b"));
    assert_true(km_label_changed(KM_UPDATED, "{\"a/b\":\"1\"}", "{\"a/b\":\"2\"}", "a/b"));
    assert_true(km_label_changed(KM_UPDATED, "{\"a/b\":\"1\"}", "", "a/b"));
    assert_false(km_label_changed(KM_UPDATED, "", "{}", "a/b"));
}

static void finalizers(void **state)
{
    struct km_meta_lists object = {"7", "", "", false};

    (void)state;
    assert_int_equal(km_finalizer_remove(&out, &object, "x/y"), 0);
    assert_int_equal(km_finalizer_add(&out, &object, "x/y"), 1);
    assert_string_equal(text,
                        "{\"metadata\":{\"resourceVersion\":\"7\",\"finalizers\":[\"x/y\"]}}");
    (void)begin(NULL);
    object.finalizers = "[\"a/b\",\"c/d\"]";
    assert_int_equal(km_finalizer_add(&out, &object, "x/y"), 1);
    assert_string_equal(
        text,
        "{\"metadata\":{\"resourceVersion\":\"7\",\"finalizers\":[\"a/b\",\"c/d\",\"x/y\"]}}");
    (void)begin(NULL);
    assert_int_equal(km_finalizer_add(&out, &object, "c/d"), 0);
    assert_true(km_finalizer_has(&object, "a/b"));
    assert_int_equal(km_finalizer_remove(&out, &object, "a/b"), 1);
    assert_string_equal(text,
                        "{\"metadata\":{\"resourceVersion\":\"7\",\"finalizers\":[\"c/d\"]}}");
    (void)begin(NULL);
    object.finalizers = "[\"a/b\"]";
    assert_int_equal(km_finalizer_remove(&out, &object, "a/b"), 1);
    assert_string_equal(text, "{\"metadata\":{\"resourceVersion\":\"7\",\"finalizers\":[]}}");
}

static const struct km_owner_ref owner = {"apps/v1", "Deployment", "d", "u1", true, true};
#define OURS \
    "{\"apiVersion\":\"apps/v1\",\"blockOwnerDeletion\":true,\"controller\":true," \
    "\"kind\":\"Deployment\",\"name\":\"d\",\"uid\":\"u1\"}"
#define THEIRS "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"n\",\"uid\":\"u2\",\"new\":[1]}"

static void owners(void **state)
{
    struct km_meta_lists object = {"7", "", "", false};

    (void)state;
    assert_int_equal(km_owner_set(&out, &object, &owner), 1);
    assert_string_equal(text, "{\"metadata\":{\"resourceVersion\":\"7\",\"ownerReferences\":[" OURS
                              "]}}");
    (void)begin(NULL);
    object.owners = "[" THEIRS "]";
    assert_int_equal(km_owner_set(&out, &object, &owner), 1);
    assert_string_equal(text,
                        "{\"metadata\":{\"resourceVersion\":\"7\",\"ownerReferences\":[" THEIRS
                        "," OURS "]}}");
    (void)begin(NULL);
    object.owners = "[" OURS "," THEIRS "]";
    assert_int_equal(km_owner_set(&out, &object, &owner), 0);
    assert_int_equal(km_owner_remove(&out, &object, "u1"), 1);
    assert_string_equal(
        text, "{\"metadata\":{\"resourceVersion\":\"7\",\"ownerReferences\":[" THEIRS "]}}");
    assert_int_equal(km_owner_remove(&out, &object, "u9"), 0);
    /* The same Deployment of a later API version and uid takes its entry's place. */
    (void)begin(NULL);
    object.owners = "[{\"apiVersion\":\"apps/v1beta1\",\"controller\":true,\"kind\":\"Deployment\","
                    "\"name\":\"d\",\"uid\":\"old\"}]";
    assert_int_equal(km_owner_set(&out, &object, &owner), 1);
    assert_string_equal(text, "{\"metadata\":{\"resourceVersion\":\"7\",\"ownerReferences\":[" OURS
                              "]}}");
    (void)begin(NULL);
    object.owners = "[{\"apiVersion\":\"v1\",\"controller\":true,\"kind\":\"Other\",\"name\":\"o\","
                    "\"uid\":\"u3\"}]";
    assert_int_equal(km_owner_set(&out, &object, &owner), KM_ERR_ARG);
    assert_string_equal(text, "");
}

static void nothing_is_built_from_half(void **state)
{
    struct km_meta_lists object = {"7", "", "", true};

    (void)state;
    assert_int_equal(km_finalizer_add(&out, &object, "x"), KM_ERR_TOO_LONG);
    assert_int_equal(km_owner_set(&out, &object, &owner), KM_ERR_TOO_LONG);
    object.cut = false;
    object.finalizers = "[\"a\",";
    assert_true(km_finalizer_add(&out, &object, "x") < 0);
    object.finalizers = "";
    km_buf_init(&out, text, 20);
    assert_int_equal(km_finalizer_add(&out, &object, "x"), KM_ERR_TOO_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(predicates, begin),
        cmocka_unit_test_setup(finalizers, begin),
        cmocka_unit_test_setup(owners, begin),
        cmocka_unit_test_setup(nothing_is_built_from_half, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
