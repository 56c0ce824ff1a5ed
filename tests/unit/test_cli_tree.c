/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "km_test.h"

#include "agent/cli/objects.h"
#include "agent/cli/tree.h"
#include "km_capture.h"

static const char *json(const char *text)
{
    capture_begin();
    tree_json(km_slice_of(text), 0);
    return capture_end();
}

static const char *yaml(const char *text)
{
    capture_begin();
    (void)tree_yaml(km_slice_of(text), 0, true);
    return capture_end();
}

static void members_are_sorted_and_indented(void **state)
{
    (void)state;
    assert_string_equal(json("{\"b\":[1,{\"z\":null,\"a\":\"x\\\"}\"}],\"a\":{},\"c\":[]}"),
                        "{\n"
                        "    \"a\": {},\n"
                        "    \"b\": [\n"
                        "        1,\n"
                        "        {\n"
                        "            \"a\": \"x\\\"}\",\n"
                        "            \"z\": null\n"
                        "        }\n"
                        "    ],\n"
                        "    \"c\": []\n"
                        "}");
}

/* As decoded strings compare, not as they stand. */
static void escaped_names_are_sorted_by_what_they_mean(void **state)
{
    (void)state;
    assert_string_equal(
        json("{\"v:1\":0,\"v:\\\"x\\\"\":0,\"\\u0041\":0,\"B\":0,\"\\ud83d\\ude00\":0,\"\\uffee\":"
             "0}"),
        "{\n    \"\\u0041\": 0,\n    \"B\": 0,\n    \"v:\\\"x\\\"\": 0,\n    \"v:1\": 0,\n"
        "    \"\\uffee\": 0,\n    \"\\ud83d\\ude00\": 0\n}");
}

static void many_members_are_sorted(void **state)
{
    static char text[8192];
    struct km_buf out;
    (void)state;
    km_buf_init(&out, text, sizeof text);
    km_buf_putc(&out, '{');
    for (unsigned i = 0; i < 300; i++)
        km_buf_printf(&out, "%s\"k%03u\":%u", i > 0 ? "," : "", i * 7 % 300, i);
    km_buf_putc(&out, '}');
    const char *at = json(text);
    for (unsigned i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "\"k%03u\"", i);
        at = strstr(at, name);
        assert_non_null(at);
    }
}

static void too_many_members_keep_their_order(void **state)
{
    static char text[CONFIG_KM_CLI_MEMBERS_COUNT * 12 + 64];
    struct km_buf out;
    (void)state;
    km_buf_init(&out, text, sizeof text);
    km_buf_puts(&out, "{\"z\":1,\"a\":{\"d\":1,\"c\":2}");
    for (unsigned i = 0; i < CONFIG_KM_CLI_MEMBERS_COUNT; i++)
        km_buf_printf(&out, ",\"k%u\":0", i);
    km_buf_putc(&out, '}');
    const char *got = json(text);
    assert_true(strstr(got, "\"z\"") < strstr(got, "\"a\""));
    assert_true(strstr(got, "\"c\"") < strstr(got, "\"d\""));
    /* The stack is empty again. */
    assert_string_equal(json("{\"b\":1,\"a\":2}"), "{\n    \"a\": 2,\n    \"b\": 1\n}");
}

static void yaml_quotes_what_would_not_be_a_string(void **state)
{
    static const struct {
        const char *json, *yaml;
    } cases[] = {
        {"\"plain\"", "plain"},
        {"\"yes\"", "\"yes\""},
        {"\"n\"", "\"n\""},
        {"\"\"", "\"\""},
        {"\"~\"", "\"~\""},
        {"\"1_000\"", "\"1_000\""},
        {"\"0x\"", "0x"},
        {"\"0x1F\"", "\"0x1F\""},
        {"\"0o17\"", "\"0o17\""},
        {"\"08\"", "\"08\""},
        {"\"1e3\"", "\"1e3\""},
        {"\"1e999\"", "1e999"},
        {"\".5\"", "\".5\""},
        {"\".\"", "."},
        {"\"-\"", "'-'"},
        {"\"12:30\"", "\"12:30\""},
        {"\"12:60\"", "12:60"},
        {"\"10.0.0.1:80\"", "10.0.0.1:80"},
        {"\"2001-02-29\"", "2001-02-29"},
        {"\"2000-02-29\"", "\"2000-02-29\""},
        {"\"2026-11-21T15:47:13Z\"", "\"2026-11-21T15:47:13Z\""},
        {"\"a: b\"", "'a: b'"},
        {"\"a:b\"", "a:b"},
        {"\"a #b\"", "'a #b'"},
        {"\"- a\"", "'- a'"},
        {"\"*a\"", "'*a'"},
        {"\"it's: so\"", "'it''s: so'"},
        {"\" x\"", "' x'"},
        {"\"a\\tb\"", "\"a\\tb\""},
        {"\"\\u003ca\\u003e\"", "<a>"},
        {"\"\\ud83d\\ude00\"", "\"\\U0001F600\""},
        {"\"gr\\u00fc\xc3\x9f\"", "gr\xc3\xbc\xc3\x9f"},
        {"1", "1"},
        {"0.000001", "1e-06"},
        {"0.5", "0.5"},
        {"0.0001", "0.0001"},
        {"-123456789.12345679", "-1.2345678912345679e+08"},
        {"100000000000000000000", "1e+20"},
        {"18446744073709551615", "18446744073709551615"},
        {"1.5e300", "1.5e+300"},
        {"120000.5", "120000.5"},
        {"null", "null"},
        {"true", "true"},
        {"{}", "{}"},
        {"[]", "[]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128], want[128];
        (void)snprintf(text, sizeof text, "{\"a\":%s}", cases[i].json);
        (void)snprintf(want, sizeof want, "a: %s\n", cases[i].yaml);
        assert_string_equal(yaml(text), want);
    }
}

static void yaml_blocks_nest(void **state)
{
    (void)state;
    assert_string_equal(yaml("{\"list\":[{\"b\":1,\"a\":[[1,2],[]]},\"x\\ny\\n\",\"x\\n\\n\",\" "
                             "x\\ny\"],\"10\":1,\"9\":2,\"true\":{\"k\":{}}}"),
                        "\"9\": 2\n"
                        "\"10\": 1\n"
                        "list:\n"
                        "- a:\n"
                        "  - - 1\n"
                        "    - 2\n"
                        "  - []\n"
                        "  b: 1\n"
                        "- |\n"
                        "  x\n"
                        "  y\n"
                        "- |+\n"
                        "  x\n"
                        "\n"
                        "- |2-\n"
                        "   x\n"
                        "  y\n"
                        "\"true\":\n"
                        "  k: {}\n");
}

static void yaml_folds_behind_column_80(void **state)
{
    char text[256] = "{\"k\":\"", word[] = "wordwordw ";
    (void)state;
    for (int i = 0; i < 12; i++)
        strcat(text, word);
    strcat(text, "end\"}");
    assert_string_equal(yaml(text),
                        "k: wordwordw wordwordw wordwordw wordwordw wordwordw wordwordw "
                        "wordwordw wordwordw\n  wordwordw wordwordw wordwordw wordwordw end\n");
}

/* ---- objects of a stream ---- */

static struct objects objects;
static char seen[4096];

static int on_object(struct objects *o, struct km_slice text)
{
    size_t used = strlen(seen);
    (void)snprintf(seen + used, sizeof seen - used, "[%s %s %s] %.*s\n", o->meta.kind, o->meta.ns,
                   o->meta.name, (int)text.len, text.ptr);
    return KM_OK;
}

static int on_large(struct objects *o, enum km_walk_event event, struct km_slice text)
{
    return objects_print_large(o, event, text, 0);
}

static void read_all(enum objects_of of, const char *text, size_t step)
{
    size_t len = strlen(text);
    seen[0] = '\0';
    memset(&objects, 0, sizeof objects);
    objects.of = of;
    objects.on_object = on_object;
    objects.on_large = on_large;
    objects_begin(&objects);
    for (size_t at = 0; at < len; at += step) {
        size_t n = len - at < step ? len - at : step;
        assert_int_equal(objects_feed(&objects, (struct km_slice){text + at, n}), KM_OK);
    }
    assert_int_equal(objects_end(&objects), KM_OK);
}

static void items_get_their_kind_and_lose_managed_fields(void **state)
{
    static const char text[] =
        "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"7\","
        "\"continue\":\"c\","
        "\"remainingItemCount\":3},\"items\":[ {\"metadata\": "
        "{\"managedFields\":[{\"k\":[1]}],\"name\":\"a\","
        "\"namespace\":\"n\"}, \"x\":[1, "
        "2,{}]},{},{\"kind\":\"Own\",\"metadata\":{\"name\":\"b\",\"managedFields\":[]}}]}";
    (void)state;
    for (size_t step = 1; step < sizeof text; step++) {
        read_all(OBJECTS_OF_LIST, text, step);
        assert_string_equal(
            seen, "[Pod n a] {\"metadata\":{\"name\":\"a\",\"namespace\":\"n\"},\"x\":[1,2,{}],"
                  "\"apiVersion\":\"v1\",\"kind\":\"Pod\"}\n"
                  "[Pod  ] {\"apiVersion\":\"v1\",\"kind\":\"Pod\"}\n"
                  "[Own  b] {\"kind\":\"Own\",\"metadata\":{\"name\":\"b\"}}\n");
        assert_string_equal(objects.token, "c");
        assert_string_equal(objects.list.rv, "7");
        assert_int_equal(objects.remaining, 3);
        assert_int_equal(objects.count, 3);
    }
}

static void events_name_their_type(void **state)
{
    (void)state;
    read_all(OBJECTS_OF_WATCH,
             "{\"type\":\"ADDED\",\"object\":{\"kind\":\"A\"}}\n{\"type\":\"DELETED\",\"object\":{"
             "\"kind\":\"B\"}}\n",
             3);
    assert_string_equal(seen, "[A  ] {\"kind\":\"A\"}\n[B  ] {\"kind\":\"B\"}\n");
    assert_string_equal(objects.event, "DELETED");
}

/* Wherever the buffer ends, what is printed is the whole object in its own order. */
static void large_objects_keep_their_order(void **state)
{
    static const char tail[] =
        "\",\n    \"n\": [\n        1,\n        23,\n        {\n            \"b\": 4.5,\n"
        "            \"a\": []\n        },\n        \"t\"\n    ],\n    \"metadata\": {\n"
        "        \"name\": \"a\"\n    }\n}";
    static char text[CONFIG_KM_CLI_OBJECT_BYTES + 4096];
    unsigned large = 0;
    (void)state;
    for (size_t pad = 0; pad < 70; pad++) {
        struct km_buf out;
        km_buf_init(&out, text, sizeof text);
        km_buf_puts(&out, "{\"z\":\"");
        while (out.len < CONFIG_KM_CLI_OBJECT_BYTES - 70 + pad)
            km_buf_putc(&out, 'x');
        km_buf_puts(
            &out, "\",\"n\":[1,23,{\"b\":4.5,\"a\":[]},\"t\"],\"metadata\":{\"managedFields\":[{}],"
                  "\"name\":\"a\"}}");
        capture_begin();
        read_all(OBJECT_ALONE, text, 1000);
        const char *got = capture_end();
        if (got[0] == '\0')
            continue; /* it fits */
        large++;
        assert_memory_equal(got, "{\n    \"z\": \"xxx", 15);
        assert_true(strlen(got) > sizeof tail);
        assert_string_equal(got + strlen(got) - strlen(tail), tail);
    }
    assert_true(large > 30 && large < 70);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_sorted_and_indented),
        cmocka_unit_test(escaped_names_are_sorted_by_what_they_mean),
        cmocka_unit_test(many_members_are_sorted),
        cmocka_unit_test(too_many_members_keep_their_order),
        cmocka_unit_test(yaml_quotes_what_would_not_be_a_string),
        cmocka_unit_test(yaml_blocks_nest),
        cmocka_unit_test(yaml_folds_behind_column_80),
        cmocka_unit_test(items_get_their_kind_and_lose_managed_fields),
        cmocka_unit_test(events_name_their_type),
        cmocka_unit_test(large_objects_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
