/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include "agent/cli/jsonpath.h"
#include "agent/cli/table.h"
#include "km_capture.h"

static const char object[] =
    "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"labels\":{\"x.io/"
    "y\":\"\\u00fc\\n\",\"q\":\"<\"}},"
    "\"spec\":{\"list\":[{\"n\":1,\"m\":[true,null]},{\"n\":2.5,\"m\":[]}]}}";

static const char *print(const char *template)
{
    capture_begin();
    int bad = jsonpath_check(template, false);
    if (bad == 0)
        jsonpath_print(template, km_slice_of(object));
    const char *text = capture_end();
    return bad != 0 ? "refused" : text;
}

static void paths_lead_to_values(void **state)
{
    (void)state;
    assert_string_equal(print("{.kind}"), "Pod");
    assert_string_equal(print("a {.metadata.name} b"), "a a b");
    assert_string_equal(print("{.metadata.labels.x\\.io/y}|"), "\xc3\xbc\n|");
    assert_string_equal(print("{.metadata.labels['x\\.io/y']}|"), "\xc3\xbc\n|");
    assert_string_equal(print("{$.metadata.labels}"),
                        "{\"q\":\"\\u003c\",\"x.io/y\":\"\\u00fc\\n\"}");
    assert_string_equal(print("{.spec.list[*].n}"), "1 2.5");
    assert_string_equal(print("{.spec.list[*].m[*]}"), "true null");
    assert_string_equal(print("{.spec.list[0].m[1]}"), "null");
    assert_string_equal(print("<{.nosuch}{.spec.list[7].n}{.kind[0]}{.metadata[*]}>"), "<>");
}

static void ranges_repeat_their_body(void **state)
{
    (void)state;
    assert_string_equal(
        print("{range .spec.list[*]}{.n}{\"\\t\"}{range .m[*]}({@}){end}{'\\n'}{end}z"),
        "1\t(true)(null)\n2.5\t\nz");
    assert_string_equal(print("{range .nosuch[*]}a{end}b"), "b");
}

static void what_is_not_understood_is_refused(void **state)
{
    static const char *const bad[] = {
        "{",      "{.a",       "{a}",     "{..a}",  "{.a[}",        "{.a[]}",         "{.a[-1]}",
        "{.a[0]", "{.a[?(1)]", "{.a,.b}", "{end}",  "{range .a}",   "{range .a[*]}x", "{\"a}",
        "{.*}",   "{.a['b}",   "{.a b}",  "{.a[x]", "{.a[*]['b',]", "{range}{end}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (strcmp(print(bad[i]), "refused") != 0)
            fail_msg("%s", bad[i]);
    }
}

static void ranges_nest_to_a_bound(void **state)
{
    char text[1024];
    struct km_buf out;
    (void)state;
    km_buf_init(&out, text, sizeof text);
    for (int i = 0; i < 40; i++)
        km_buf_puts(&out, "{range .a[*]}");
    for (int i = 0; i < 40; i++)
        km_buf_puts(&out, "{end}");
    assert_string_equal(print(text), "refused");
}

static const char *list(const char *template)
{
    capture_begin();
    int bad = jsonpath_check(template, true);
    if (bad == 0) {
        jsonpath_list_begin(template);
        jsonpath_list_item(km_slice_of("{\"n\":\"a\",\"l\":[1,2]}"));
        jsonpath_list_item(km_slice_of("{\"n\":\"b\"}"));
        jsonpath_list_item(km_slice_of("{\"l\":[3]}"));
        bad = jsonpath_list_end(template);
    }
    const char *text = capture_end();
    return bad != 0 ? "refused" : text;
}

static void lists_come_item_by_item(void **state)
{
    (void)state;
    assert_string_equal(list("[{.items[*].n}]{.kind}"), "[a b]List");
    assert_string_equal(list("{.items[*].l[*]}"), "1 2 3");
    assert_string_equal(list("{.items[1].n}"), "b");
    assert_string_equal(list("{.items[9].n}"), "refused");
    assert_string_equal(list("{.items}"), "refused");
    assert_string_equal(list("{range .items[*]}{.n}:{range .l[*]}{@},{end};{end}{.apiVersion}"),
                        "a:1,2,;b:;:3,;v1");
    assert_string_equal(list("{range .items[0]}{.n}{end}"), "a");
    assert_string_equal(list("{.items[*]}"), "{\"l\":[1,2],\"n\":\"a\"} {\"n\":\"b\"} {\"l\":[3]}");
    assert_string_equal(list("{.n}none"), "none");
    assert_string_equal(list("{.items[*].n}{.items[*].n}"), "refused");
    assert_string_equal(list("{.items[-1].n}"), "refused");
}

static const char *pointer(const char *path)
{
    static char text[128];
    struct km_buf out;
    km_buf_init(&out, text, sizeof text);
    return jsonpath_pointer(km_slice_of(path), &out) == KM_OK ? text : "refused";
}

static void plain_paths_become_pointers(void **state)
{
    (void)state;
    assert_string_equal(pointer("{.a.b}"), "/a/b");
    assert_string_equal(pointer("a.b"), "/a/b");
    assert_string_equal(pointer(".a['x/y~z'][0].c\\.d"), "/a/x~1y~0z/0/c.d");
    assert_string_equal(pointer(""), "refused");
    assert_string_equal(pointer("{}"), "refused");
    assert_string_equal(pointer(".a[*]"), "refused");
    assert_string_equal(pointer(".a b"), "refused");
}

/* Rows named by letters, in order of their keys. */
static const char *sorted(const char *text)
{
    static char names[64];
    size_t count;
    const uint32_t *order = table_sort(km_slice_of(text), &count);
    assert_true(count < sizeof names);
    for (size_t i = 0; i < count; i++)
        names[i] = strchr(text + order[i], '\x01')[1];
    names[count] = '\0';
    return names;
}

static void rows_are_sorted_as_kubectl_compares(void **state)
{
    (void)state;
    assert_string_equal(sorted("10\x01"
                               "c\n9\x01"
                               "b\n\x01"
                               "a\n"),
                        "abc");
    assert_string_equal(sorted("\"1Gi\"\x01"
                               "c\n\"900Mi\"\x01"
                               "b\n\"1k\"\x01"
                               "a\n"),
                        "abc");
    assert_string_equal(sorted("\"pod-9\"\x01"
                               "c\n\"pod-10\"\x01"
                               "b\n\"pod\"\x01"
                               "a\n"),
                        "abc");
    assert_string_equal(sorted("\"b\"\x01"
                               "1\n\"a\"\x01"
                               "2\n\"b\"\x01"
                               "3\n\"a\"\x01"
                               "4\n"),
                        "2413");
    assert_string_equal(sorted("\"2026-01-02T00:00:00Z\"\x01"
                               "b\n\"2025-12-31T00:00:00Z\"\x01"
                               "a\n"),
                        "ab");
    assert_string_equal(sorted("\x01"
                               "a\n\x01"
                               "b\n"),
                        "ba");
    assert_string_equal(sorted(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_values),
        cmocka_unit_test(ranges_repeat_their_body),
        cmocka_unit_test(what_is_not_understood_is_refused),
        cmocka_unit_test(ranges_nest_to_a_bound),
        cmocka_unit_test(lists_come_item_by_item),
        cmocka_unit_test(plain_paths_become_pointers),
        cmocka_unit_test(rows_are_sorted_as_kubectl_compares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
