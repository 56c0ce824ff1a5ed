/* SPDX-License-Identifier: Apache-2.0 */
/* The writer: what it says is fine is valid JSON, whatever the calls were. */
#include "km_test.h"

#include "kubemote/km_json.h"

static char text[4096];
static struct km_buf buf;
static struct km_json_writer w;

static void begin(size_t size)
{
    km_buf_init(&buf, text, size);
    km_json_writer_init(&w, &buf);
}

static bool is_valid(void)
{
    struct km_json_scan scan;

    km_json_scan_init(&scan, false);
    return km_json_scan_feed(&scan, km_buf_slice(&buf)) == KM_OK &&
           km_json_scan_end(&scan) == KM_OK;
}

static void test_document(void **state)
{
    (void)state;
    begin(sizeof text);
    km_json_object(&w);
    km_json_kv_str(&w, "a\"b", "\x01\b\t\n\v\f\r\x1f \x7f/\\<\xc3\xa9");
    km_json_kv_i64(&w, "n", INT64_MIN);
    km_json_kv_bool(&w, "t", true);
    km_json_key(&w, "list");
    km_json_array(&w);
    km_json_null(&w);
    km_json_object(&w);
    km_json_close(&w);
    km_json_array(&w);
    km_json_close(&w);
    km_json_raw(&w, km_slice_of("{ \"x\" : [1] }"));
    km_json_str(&w, NULL);
    km_json_close(&w);
    km_json_close(&w);
    assert_int_equal(km_json_finish(&w), KM_OK);
    assert_string_equal(text,
                        "{\"a\\\"b\":\"\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f \x7f/\\\\<\xc3\xa9\","
                        "\"n\":-9223372036854775808,\"t\":true,"
                        "\"list\":[null,{},[],{ \"x\" : [1] },\"\"]}");
}

static void check_slice(const char *in, size_t len, const char *out)
{
    begin(sizeof text);
    km_json_slice(&w, (struct km_slice){in, len});
    assert_int_equal(km_json_finish(&w), KM_OK);
    assert_true(is_valid());
    assert_string_equal(text, out);
}

static void test_bytes(void **state)
{
    (void)state;
    check_slice("a\0b", 3, "\"a\\u0000b\"");
    check_slice("\xff\xc3", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    check_slice("\xc3\xa9\xed\xa0\x80", 5, "\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    check_slice("\xf0\x9f\x98\x80\xe2\x82", 6, "\"\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\"");
    for (unsigned i = 0; i < 0x10000; i++) {
        char bytes[2] = {(char)(i >> 8), (char)i};

        begin(sizeof text);
        km_json_slice(&w, (struct km_slice){bytes, 2});
        assert_int_equal(km_json_finish(&w), KM_OK);
        assert_true(is_valid());
    }
}

static void test_misuse(void **state)
{
    (void)state;
    begin(sizeof text);
    assert_int_equal(km_json_finish(&w), KM_ERR_ARG);
    km_json_object(&w);
    assert_int_equal(km_json_finish(&w), KM_ERR_ARG);
    assert_false(buf.overflow);
    km_json_i64(&w, 1); /* without a key */
    assert_true(buf.overflow);
    assert_int_equal(km_json_finish(&w), KM_ERR_ARG);
    begin(sizeof text);
    km_json_raw(&w, km_slice_of("1,2"));
    assert_int_equal(km_json_finish(&w), KM_ERR_ARG);
    begin(sizeof text);
    for (int i = 0; i <= CONFIG_KM_JSON_DEPTH; i++)
        km_json_array(&w);
    assert_true(buf.overflow);
}

/* Any calls in any order, in buffers of any size. */
static void test_random_calls(void **state)
{
    struct km_rng rng;
    int good = 0;

    (void)state;
    km_rng_seed(&rng, 5);
    for (int round = 0; round < 20000; round++) {
        uint32_t calls = km_rng_u32(&rng) % 12;
        int err;

        begin(1 + km_rng_u32(&rng) % 60);
        for (uint32_t i = 0; i < calls; i++) {
            uint32_t call = km_rng_u32(&rng) % 10;

            if (call < 2)
                km_json_object(&w);
            else if (call == 2)
                km_json_array(&w);
            else if (call < 5)
                km_json_close(&w);
            else if (call < 7)
                km_json_kv_i64(&w, "k", 7);
            else if (call == 7)
                km_json_str(&w, "\"");
            else if (call == 8)
                km_json_key(&w, "\n");
            else
                km_json_raw(&w, km_slice_of("[ ]"));
        }
        err = km_json_finish(&w);
        assert_true(err != KM_OK || (is_valid() && !buf.overflow));
        assert_true(err != KM_ERR_TOO_LONG || buf.overflow);
        good += err == KM_OK;
    }
    assert_true(good > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_random_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
