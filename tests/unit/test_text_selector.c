/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <string.h>

#include "kubemote/km_selector.h"

static struct km_label_selector labels;
static struct km_field_selector fields;

static void check_labels(const char *text, const char *want)
{
    struct km_fault fault = {0};
    char out[512];

    if (km_label_selector_parse(km_slice_of(text), &labels, &fault) != KM_OK)
        fail_msg("%s: %s", text, fault.text);
    assert_int_equal(km_label_selector_write(&labels, out, sizeof out), KM_OK);
    assert_string_equal(out, want);
}

static void test_labels(void **state)
{
    (void)state;
    check_labels("", "");
    check_labels(" \t", "");
    check_labels("foo=bar,baz == blah , a!=b", "a!=b,baz==blah,foo=bar");
    check_labels("x in (b,a,,b)", "x in (,a,b)");
    check_labels("x in (,)", "x in ()");
    check_labels("x notin ()", "x notin ()");
    check_labels("in in (in,notin),notin", "in in (in,notin),notin");
    check_labels("!a.b/c,x>5,y<007", "!a.b/c,x>5,y<007");
    check_labels("x=,y", "x=,y");
}

static void test_labels_refused(void **state)
{
    static const char *const bad[] = {
        "x=a,",   ",",       "x y",    "!x=a",    "x in",    "x in a",    "x in (a",      "x in (a b)",
        "x>a",    "x=-a",    "-x=a",   "x===a",   "x=>1",    "x in (a,(", "x>9223372036854775808",
        "a/b/c=d", "x!==b",  "(x)",    "!!x",     "x=a=b",
    };
    char many[KM_SELECTOR_TERMS * 2 + 3];
    struct km_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fault = (struct km_fault){0};
        if (km_label_selector_parse(km_slice_of(bad[i]), &labels, &fault) != KM_ERR_SYNTAX ||
            fault.text[0] == '\0')
            fail_msg("%s: %s", bad[i], fault.text);
    }
    for (size_t i = 0; i + 1 < sizeof many; i++)
        many[i] = i % 2 == 0 ? 'a' : ',';
    struct km_slice text = {many, KM_SELECTOR_TERMS * 2 - 1};
    assert_int_equal(km_label_selector_parse(text, &labels, NULL), KM_OK);
    text.len += 2;
    assert_int_equal(km_label_selector_parse(text, &labels, NULL), KM_ERR_TOO_LONG);
}

static bool selects(const char *selector, const char *key, const char *value)
{
    struct km_label label = {km_slice_of(key), km_slice_of(value)};

    assert_int_equal(km_label_selector_parse(km_slice_of(selector), &labels, NULL), KM_OK);
    return km_label_selector_matches(&labels, &label, 1);
}

static void test_labels_match(void **state)
{
    (void)state;
    assert_true(selects("", "a", "b"));
    assert_true(selects("a=b", "a", "b"));
    assert_false(selects("a=b", "b", "b"));
    assert_true(selects("a!=b", "b", "b"));
    assert_false(selects("a!=b", "a", "b"));
    assert_true(selects("a in (b,c),!d", "a", "c"));
    assert_true(selects("a notin (b,c)", "a", "d"));
    assert_true(selects("a>5", "a", "6"));
    assert_false(selects("a>5", "a", "5"));
    assert_true(selects("a<5", "a", "-6"));
    assert_false(selects("a<5", "a", "x"));
    assert_false(selects("a<5", "b", "1"));
    assert_false(selects("!a", "a", ""));
}

static void check_fields(const char *text, const char *want)
{
    struct km_fault fault = {0};
    char out[512];

    if (km_field_selector_parse(km_slice_of(text), &fields, &fault) != KM_OK)
        fail_msg("%s: %s", text, fault.text);
    assert_int_equal(km_field_selector_write(&fields, out, sizeof out), KM_OK);
    assert_string_equal(out, want);
}

static void test_fields(void **state)
{
    static const char *const bad[] = {"x", "x=a=b", "x=\\a", "x=a\\", "x!a", "a=b,c"};
    struct km_fault fault;

    (void)state;
    check_fields("", "");
    check_fields(",,=", "");
    check_fields("z==1,a!=\\,\\=\\\\", "a!=\\,\\=\\\\,z=1");
    check_fields("a=", "a=");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fault = (struct km_fault){0};
        if (km_field_selector_parse(km_slice_of(bad[i]), &fields, &fault) != KM_ERR_SYNTAX ||
            fault.text[0] == '\0')
            fail_msg("%s", bad[i]);
    }
}

static void test_fields_match(void **state)
{
    struct km_label field = {km_slice_of("a"), km_slice_of("x,=\\")};

    (void)state;
    assert_int_equal(km_field_selector_parse(km_slice_of("a=x\\,\\=\\\\,b="), &fields, NULL), KM_OK);
    assert_true(km_field_selector_matches(&fields, &field, 1));
    assert_false(km_field_selector_matches(&fields, &field, 0));
    assert_int_equal(km_field_selector_parse(km_slice_of("a!=x"), &fields, NULL), KM_OK);
    assert_true(km_field_selector_matches(&fields, &field, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels), cmocka_unit_test(test_labels_refused),
        cmocka_unit_test(test_labels_match), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_fields_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
