/* SPDX-License-Identifier: Apache-2.0 */
/* Records back to JSON, and JSON written pointer by pointer. */
#include "kubemote/km_json_table.h"
#include "km_test.h"

#define KM_LEAF_FIELDS(S, I, B, R, A, M) S(text, "", 16)
#define KM_PAIR_FIELDS(S, I, B, R, A, M) S(key, "", 16) S(value, "", 16)
#define KM_ITEM_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 16) I(size, "/a/size") A(tags, "/tags", leaf, 3) S(deep, "/a/b/deep", 16)
#define KM_THING_FIELDS(S, I, B, R, A, M) \
    S(name, "/metadata/name", 16) \
    I(count, "/spec/count") \
    B(on, "/spec/on") \
    R(maybe, "/spec/maybe", 16) \
    M(labels, "/metadata/labels", pair, 3) \
    A(items, "/spec/items", item, 2) \
    S(odd, "/metadata/annotations/a~1b~0c", 16)
KM_ELEMENT_STRUCT(leaf, KM_LEAF_FIELDS)
KM_ELEMENT_STRUCT(pair, KM_PAIR_FIELDS)
KM_ELEMENT_STRUCT(item, KM_ITEM_FIELDS)
KM_KIND_STRUCT(thing, KM_THING_FIELDS)
extern const struct km_kind km_kind_thing;
KM_ELEMENT_TABLE(leaf, KM_LEAF_FIELDS)
KM_ELEMENT_TABLE(pair, KM_PAIR_FIELDS)
KM_ELEMENT_TABLE(item, KM_ITEM_FIELDS)
KM_KIND_TABLE(thing, "Thing", KM_THING_FIELDS)

static char text[1024];
static struct km_buf out;
static struct km_json_writer w;
static struct km_thing thing;
static struct km_json_set set;

static int setup(void **state)
{
    (void)state;
    memset(&thing, 0, sizeof thing);
    km_buf_init(&out, text, sizeof text);
    return 0;
}

static int encode(void)
{
    km_json_writer_init(&w, &out);
    km_json_object(&w);
    int err = km_json_encode(&w, &km_kind_thing, &thing);
    km_json_close(&w);
    return err == KM_OK ? km_json_finish(&w) : err;
}

static void what_says_nothing_is_left_out(void **state)
{
    (void)state;
    assert_int_equal(encode(), KM_OK);
    assert_string_equal(text, "{}");
}

/* Fields of one object stand apart in the list, and still in one object of the text. */
static void each_object_is_opened_once(void **state)
{
    (void)state;
    memcpy(thing.name, "n\"1", 4);
    thing.count = -3;
    thing.on = true;
    memcpy(thing.maybe, "0", 2);
    memcpy(thing.odd, "x", 2);
    memcpy(thing.labels[0].key, "k", 2);
    thing.labels_count = 1;
    assert_int_equal(encode(), KM_OK);
    assert_string_equal(text, "{\"metadata\":{\"name\":\"n\\\"1\",\"labels\":{\"k\":\"\"},"
                              "\"annotations\":{\"a/b~c\":\"x\"}},"
                              "\"spec\":{\"count\":-3,\"on\":true,\"maybe\":0}}");
}

static void elements_have_objects_and_lists_of_their_own(void **state)
{
    (void)state;
    thing.items_count = 2;
    memcpy(thing.items[0].name, "a", 2);
    thing.items[0].size = 7;
    memcpy(thing.items[0].deep, "d", 2);
    memcpy(thing.items[0].tags[0].text, "t", 2);
    thing.items[0].tags_count = 2;
    assert_int_equal(encode(), KM_OK);
    assert_string_equal(text, "{\"spec\":{\"items\":[{\"name\":\"a\",\"a\":{\"size\":7,\"b\":{"
                              "\"deep\":\"d\"}},\"tags\":[\"t\",\"\"]},{}]}}");
}

static void records_that_hold_a_part_are_refused(void **state)
{
    (void)state;
    thing.head.truncated = 1;
    assert_int_equal(encode(), KM_ERR_ARG);
}

static void raw_text_must_be_json(void **state)
{
    (void)state;
    memcpy(thing.maybe, "{", 2);
    assert_int_equal(encode(), KM_ERR_ARG);
}

static void a_record_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    km_buf_init(&out, text, 12);
    memcpy(thing.name, "name", 5);
    assert_int_equal(encode(), KM_ERR_TOO_LONG);
}

static void pointers_open_and_close_objects(void **state)
{
    (void)state;
    km_json_set_begin(&set, &out);
    km_json_set_str(&set, "/metadata/labels/a~1b", "x\"");
    km_json_set_null(&set, "/metadata/labels/c");
    km_json_set_str(&set, "/metadata/name", "n");
    km_json_set_i64(&set, "/spec/replicas", 3);
    km_json_set_bool(&set, "/spec/paused", false);
    km_json_set_raw(&set, "/spec/ports", km_slice_of("[1]"));
    km_json_set_str(&set, "/z", "");
    assert_int_equal(km_json_set_end(&set), KM_OK);
    assert_string_equal(text, "{\"metadata\":{\"labels\":{\"a/b\":\"x\\\"\",\"c\":null},"
                              "\"name\":\"n\"},\"spec\":{\"replicas\":3,\"paused\":false,"
                              "\"ports\":[1]},\"z\":\"\"}");
}

static void nothing_set_is_an_empty_object(void **state)
{
    (void)state;
    km_json_set_begin(&set, &out);
    assert_int_equal(km_json_set_end(&set), KM_OK);
    assert_string_equal(text, "{}");
}

/* Two members of one name would make one of them vanish. */
static void no_place_is_written_twice(void **state)
{
    static const char *const pairs[][3] = {
        {"/a", "/a", NULL},           {"/a", "/a/b", NULL},     {"/a/b", "/a", NULL},
        {"/a/b", "/c", "/a/d"},       {"/a/b", "/a/b/c", NULL}, {"/a/b/c", "/a/d", "/a/b/e"},
        {"/a/b/c", "/a/b/c/d", NULL}, {"/", "/", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        km_buf_reset(&out);
        km_json_set_begin(&set, &out);
        for (int j = 0; j < 3 && pairs[i][j] != NULL; j++)
            km_json_set_i64(&set, pairs[i][j], 1);
        assert_int_equal(km_json_set_end(&set), KM_ERR_ARG);
        assert_true(out.overflow);
    }
}

static void pointers_and_values_that_are_none_are_refused(void **state)
{
    static const char *const bad[] = {"", "a", "/a~2"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        km_json_set_begin(&set, &out);
        km_json_set_null(&set, bad[i]);
        assert_int_equal(km_json_set_end(&set), KM_ERR_ARG);
    }
    setup(NULL);
    km_json_set_begin(&set, &out);
    km_json_set_raw(&set, "/a", km_slice_of("{"));
    assert_int_equal(km_json_set_end(&set), KM_ERR_ARG);
}

static void more_places_than_are_remembered_are_refused(void **state)
{
    char pointer[16];
    (void)state;
    km_json_set_begin(&set, &out);
    for (int i = 0; i <= CONFIG_KM_JSON_SET_COUNT; i++) {
        (void)snprintf(pointer, sizeof pointer, "/%d", i);
        km_json_set_i64(&set, pointer, 1);
    }
    assert_int_equal(km_json_set_end(&set), KM_ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_says_nothing_is_left_out, setup),
        cmocka_unit_test_setup(each_object_is_opened_once, setup),
        cmocka_unit_test_setup(elements_have_objects_and_lists_of_their_own, setup),
        cmocka_unit_test_setup(records_that_hold_a_part_are_refused, setup),
        cmocka_unit_test_setup(raw_text_must_be_json, setup),
        cmocka_unit_test_setup(a_record_that_does_not_fit_is_refused, setup),
        cmocka_unit_test_setup(pointers_open_and_close_objects, setup),
        cmocka_unit_test_setup(nothing_set_is_an_empty_object, setup),
        cmocka_unit_test_setup(no_place_is_written_twice, setup),
        cmocka_unit_test_setup(pointers_and_values_that_are_none_are_refused, setup),
        cmocka_unit_test_setup(more_places_than_are_remembered_are_refused, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
