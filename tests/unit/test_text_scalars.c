/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <string.h>

#include "kubemote/km_scalar.h"

static void check_quantity(const char *text, const char *want)
{
    static struct km_quantity q;
    char out[KM_QUANTITY_TEXT_SIZE];

    if (km_quantity_read(km_slice_of(text), &q) != KM_OK ||
        km_quantity_write(&q, out, sizeof out) != KM_OK)
        fail_msg("%s: refused", text);
    if (strcmp(out, want) != 0)
        fail_msg("%s: %s, expected %s", text, out, want);
}

static void test_quantity(void **state)
{
    static const char *const rows[][2] = {
        {"0", "0"},
        {"-0", "0"},
        {"+", "0"},
        {".", "0"},
        {"Ki", "0"},
        {"1024", "1024"},
        {"1024Ki", "1Mi"},
        {"1Ki", "1Ki"},
        {"+01Ki", "+01Ki"},
        {"0.5Ki", "512"},
        {"1.5Gi", "1536Mi"},
        {"0.1Ki", "102400m"},
        {"1000", "1k"},
        {"1500", "1500"},
        {"0.0005k", "500m"},
        {"1e14", "100e12"},
        {"1E12", "1E12"},
        {"0.5e-2", "5e-3"},
        {"1e-10", "1e-9"},
        {"1.00000000001", "1000000001n"},
        {"-0.3n", "-1n"},
        {"1000000E", "1"},
        {"100Ei", "9223372036854775807"},
        {"-100Ei", "-9223372036854775807"},
        {"0.0001Ki", "102400u"},
        {"12345678901234567890123", "12345678901234567890123"},
        {"0.99999999999999999999", "1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_quantity(rows[i][0], rows[i][1]);
}

static void test_quantity_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "1.1.M",
                                      "1+1.0M",
                                      "0.1mi",
                                      "-.1k0",
                                      "e3x",
                                      "1ee3",
                                      "1 ",
                                      " 1",
                                      "0x1",
                                      "1K",
                                      ".Ei",
                                      "1e9223372036854775808"};
    static struct km_quantity q;
    char digits[300], small[4];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (km_quantity_read(km_slice_of(bad[i]), &q) != KM_ERR_SYNTAX)
            fail_msg("%s", bad[i]);
    }
    memset(digits, '7', sizeof digits);
    struct km_slice text = {digits, KM_QUANTITY_DIGITS};
    assert_int_equal(km_quantity_read(text, &q), KM_OK);
    text.len++;
    assert_int_equal(km_quantity_read(text, &q), KM_ERR_TOO_LONG);
    assert_int_equal(km_quantity_read(km_slice_of("12345"), &q), KM_OK);
    assert_int_equal(km_quantity_write(&q, small, sizeof small), KM_ERR_TOO_LONG);
}

/* What is read can be read again as it is written, also when that ends in more zeros. */
static void test_quantity_of_most_digits(void **state)
{
    static struct km_quantity q;
    char text[KM_QUANTITY_DIGITS + 8], out[KM_QUANTITY_TEXT_SIZE], again[KM_QUANTITY_TEXT_SIZE];

    (void)state;
    memset(text, '7', KM_QUANTITY_DIGITS);
    strcpy(text + KM_QUANTITY_DIGITS, "e32999");
    check_quantity("0000.5e1", "5");
    assert_int_equal(km_quantity_read(km_slice_of(text), &q), KM_OK);
    assert_int_equal(km_quantity_write(&q, out, sizeof out), KM_OK);
    assert_non_null(strstr(out, "700e32997"));
    assert_int_equal(km_quantity_read(km_slice_of(out), &q), KM_OK);
    assert_int_equal(km_quantity_write(&q, again, sizeof again), KM_OK);
    assert_string_equal(out, again);
}

static void check_scaled(const char *text, uint32_t scale, int err, int64_t want)
{
    static struct km_quantity q;
    int64_t value = 7;

    assert_int_equal(km_quantity_read(km_slice_of(text), &q), KM_OK);
    if (km_quantity_scaled(&q, scale, &value) != err || value != want)
        fail_msg("%s in 1/%u: %lld", text, (unsigned)scale, (long long)value);
}

static void test_quantity_values(void **state)
{
    static struct km_quantity a, b;

    (void)state;
    check_scaled("1.1", 1, KM_OK, 2);
    check_scaled("-1.1", 1, KM_OK, -2);
    check_scaled("100m", 1000, KM_OK, 100);
    check_scaled("0", 1000, KM_OK, 0);
    check_scaled("1E", 1000, KM_ERR_TOO_LONG, INT64_MAX);
    check_scaled("-1e30", 1, KM_ERR_TOO_LONG, INT64_MIN);
    check_scaled("-9223372036854775808", 1, KM_OK, INT64_MIN);
    assert_int_equal(km_quantity_read(km_slice_of("10000T"), &a), KM_OK);
    assert_int_equal(km_quantity_read(km_slice_of("100Gi"), &b), KM_OK);
    assert_true(km_quantity_compare(&a, &b) > 0 && km_quantity_compare(&b, &a) < 0);
    assert_int_equal(km_quantity_read(km_slice_of("-1"), &b), KM_OK);
    assert_true(km_quantity_compare(&a, &b) > 0 && km_quantity_compare(&b, &b) == 0);
    assert_int_equal(km_quantity_read(km_slice_of("-2"), &a), KM_OK);
    assert_true(km_quantity_compare(&a, &b) < 0);
}

static void check_duration(const char *text, const char *want)
{
    char out[KM_DURATION_SIZE];
    int64_t ns;

    if (km_duration_parse(km_slice_of(text), &ns) != KM_OK)
        fail_msg("%s: refused", text);
    km_duration_write(ns, out, sizeof out);
    assert_string_equal(out, want);
}

static void test_duration(void **state)
{
    static const char *const bad[] = {"",     "-",    "s",   ".",        "+.s",
                                      "1",    "1d",   "1 s", "3000000h", "9223372036854775808ns",
                                      "--1s", "1s-1s"};
    char out[KM_DURATION_SIZE];
    int64_t ns;

    (void)state;
    check_duration("-0", "0s");
    check_duration("1.5h", "1h30m0s");
    check_duration("11us", "11\xc2\xb5s");
    check_duration("1.1\xce\xbcs", "1.1\xc2\xb5s");
    check_duration(".5m", "30s");
    check_duration("0.830103483285477580700h", "49m48.372539827s");
    check_duration("-9223372036854775808ns", "-2562047h47m16.854775808s");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (km_duration_parse(km_slice_of(bad[i]), &ns) != KM_ERR_SYNTAX)
            fail_msg("%s", bad[i]);
    }
    km_duration_human(INT64_C(5) * 60 * 1000000000 + INT64_C(10) * 1000000000, out, sizeof out);
    assert_string_equal(out, "5m10s");
    km_duration_human(-INT64_C(2000000000), out, sizeof out);
    assert_string_equal(out, "<invalid>");
    km_duration_short(INT64_C(7200000000000), out, sizeof out);
    assert_string_equal(out, "2h");
    km_duration_human(INT64_MIN, out, sizeof out);
    assert_string_equal(out, "<invalid>");
}

static void test_time(void **state)
{
    char out[KM_TIME_SIZE];

    (void)state;
    assert_int_equal(km_time_canonical(km_slice_of("0000-01-01T00:00:00+01:00"), out, sizeof out),
                     KM_OK);
    assert_string_equal(out, "-0001-12-31T23:00:00Z");
    assert_int_equal(km_time_canonical(km_slice_of("9999-12-31T23:59:59.9-00:01"), out, sizeof out),
                     KM_OK);
    assert_string_equal(out, "10000-01-01T00:00:59Z");
    assert_int_equal(km_time_canonical(km_slice_of("0001-01-01T01:00:00+01:00"), out, sizeof out),
                     KM_OK);
    assert_string_equal(out, "null");
    assert_int_equal(
        km_time_canonical(km_slice_of("0001-01-01T00:00:00.00000001Z"), out, sizeof out), KM_OK);
    assert_string_equal(out, "0001-01-01T00:00:00Z");
    assert_int_equal(
        km_time_canonical_micro(km_slice_of("2026-01-31T23:59:59.120000+01:00"), out, sizeof out),
        KM_OK);
    assert_string_equal(out, "2026-01-31T22:59:59.120000Z");
    assert_int_equal(km_time_canonical_micro(km_slice_of("2026-01-31T23:59:59Z"), out, sizeof out),
                     KM_ERR_SYNTAX);
}

static bool is_name(enum km_name_kind kind, const char *text)
{
    return km_name_problem(kind, km_slice_of(text)) == NULL;
}

static void test_names(void **state)
{
    char text[255];

    (void)state;
    memset(text, 'a', sizeof text);
    assert_null(km_name_problem(KM_NAME_DNS1123_LABEL, (struct km_slice){text, 63}));
    assert_non_null(km_name_problem(KM_NAME_DNS1123_LABEL, (struct km_slice){text, 64}));
    assert_null(km_name_problem(KM_NAME_DNS1123_SUBDOMAIN, (struct km_slice){text, 253}));
    assert_non_null(km_name_problem(KM_NAME_DNS1123_SUBDOMAIN, (struct km_slice){text, 254}));
    assert_true(is_name(KM_NAME_DNS1123_SUBDOMAIN, "a.b-c.0"));
    assert_false(is_name(KM_NAME_DNS1123_SUBDOMAIN, "a..b"));
    assert_false(is_name(KM_NAME_DNS1123_SUBDOMAIN, ""));
    assert_string_equal(km_name_problem(KM_NAME_DNS1123_LABEL, km_slice_of("a.b")),
                        "must not contain dots");
    assert_false(is_name(KM_NAME_DNS1035_LABEL, "1a"));
    assert_true(is_name(KM_NAME_QUALIFIED, "example.com/My_Name.1"));
    assert_false(is_name(KM_NAME_QUALIFIED, "example.com/"));
    assert_false(is_name(KM_NAME_QUALIFIED, "/a"));
    assert_false(is_name(KM_NAME_QUALIFIED, "a/b/c"));
    assert_true(is_name(KM_NAME_LABEL_VALUE, ""));
    assert_false(is_name(KM_NAME_LABEL_VALUE, "a-"));
    assert_true(is_name(KM_NAME_ENV_VAR, "a.b"));
    assert_false(is_name(KM_NAME_ENV_VAR, "..a"));
    assert_true(is_name(KM_NAME_RELAXED_ENV_VAR, "1 a"));
    assert_false(is_name(KM_NAME_RELAXED_ENV_VAR, "a=b"));
    assert_false(is_name(KM_NAME_CONFIG_MAP_KEY, ".."));
    assert_true(is_name(KM_NAME_WILDCARD_DNS1123_SUBDOMAIN, "*.a.b"));
    assert_false(is_name(KM_NAME_WILDCARD_DNS1123_SUBDOMAIN, "*"));
    assert_true(is_name(KM_NAME_PORT, "http-2"));
    assert_false(is_name(KM_NAME_PORT, "80"));
    assert_false(is_name(KM_NAME_PORT, "a--b"));
    assert_false(is_name(KM_NAME_PATH_SEGMENT, "a%b"));
    assert_true(is_name(KM_NAME_PATH_SEGMENT, ""));
    assert_non_null(km_name_problem(KM_NAME_KINDS, km_slice_of("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantity),
        cmocka_unit_test(test_quantity_refused),
        cmocka_unit_test(test_quantity_of_most_digits),
        cmocka_unit_test(test_quantity_values),
        cmocka_unit_test(test_duration),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
