/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdio.h>
#include <string.h>

#include "km_corpus.h"
#include "kubemote/km_base.h"

#define SECOND INT64_C(1000000)
#define DAY (INT64_C(86400) * SECOND)

static int month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return days[month - 1];
}

/* The years 0 to 9999, counted by hand: each day from 1896 to 2104, otherwise the ends of the
   months. */
static void test_every_day(void **state)
{
    int64_t day = -719528; /* 0000-01-01 */

    (void)state;
    for (int year = 0; year <= 9999; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int d = 1; d <= month_days(year, month); d++, day++) {
                struct km_civil c;
                int64_t back = 1;
                char text[KM_TIME_SIZE];

                if ((year < 1896 || year > 2104) && d > 1 && d < month_days(year, month))
                    continue;
                km_time_civil(day * DAY + DAY - 1, &c);
                if (c.year != year || c.month != month || c.day != d || c.hour != 23 ||
                    c.minute != 59 || c.second != 59 || c.micros != 999999)
                    fail_msg("%d-%d-%d is %d-%d-%d", year, month, d, c.year, c.month, c.day);
                if ((d > 1 && d < 28) || year % 20 != 0)
                    continue;
                km_time_rfc3339(day * DAY, text, sizeof text);
                assert_int_equal(km_time_parse(km_slice_of(text), &back), KM_OK);
                assert_true(back == day * DAY);
            }
        }
    }
    assert_true(day == 2932897); /* 10000-01-01 */
}

static void test_text(void **state)
{
    char text[KM_TIME_SIZE];

    (void)state;
    km_time_rfc3339(0, text, sizeof text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    km_time_rfc3339(-1, text, sizeof text);
    assert_string_equal(text, "1969-12-31T23:59:59Z");
    km_time_rfc3339_micro(-1, text, sizeof text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
    km_time_rfc3339_micro(1769903999 * SECOND + 12, text, sizeof text);
    assert_string_equal(text, "2026-01-31T23:59:59.000012Z");
    km_time_rfc3339_micro(INT64_MAX, text, sizeof text);
    assert_string_equal(text, "294247-01-10T04:00:54.775807Z");
    km_time_rfc3339_micro(INT64_MIN, text, sizeof text);
    assert_string_equal(text, "-290308-12-21T19:59:05.224192Z");
    km_time_rfc3339(0, text, 5);
    assert_string_equal(text, "");
}

static void check_ok(const char *text, int64_t want_us)
{
    int64_t got = want_us + 1;

    if (km_time_parse(km_slice_of(text), &got) != KM_OK || got != want_us)
        fail_msg("%s", text);
}

static void test_parse(void **state)
{
    (void)state;
    check_ok("1970-01-01T00:00:00Z", 0);
    check_ok("1970-01-01T01:30:00+01:30", 0);
    check_ok("1969-12-31T16:00:00.5-08:00", SECOND / 2);
    check_ok("1970-01-01T00:00:00-00:00", 0);
    check_ok("1970-01-01T1:00:00,5+01:00", SECOND / 2);
    check_ok("1970-01-01T00:00:00.1234567890123456789Z", 123456);
    check_ok("1985-04-12T23:20:50.52Z", 482196050 * SECOND + 520000);
    check_ok("1970-01-02T00:00:00+24:00", 0);
    check_ok("2000-02-29T00:00:00Z", 951782400 * SECOND);
    check_ok("0000-01-01T00:00:00Z", -719528 * DAY);
}

static void test_parse_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-01-31",
        "2026-01-31T23:59:59",
        "2026-01-31 23:59:59Z",
        "2026-1-31T23:59:59Z",
        "2026-01-32T23:59:59Z",
        "2026-00-10T23:59:59Z",
        "2026-13-10T23:59:59Z",
        "2026-01-00T23:59:59Z",
        "2026-04-31T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:60:00Z",
        "2026-01-31T23:59:61Z",
        "2026-01-30T23:59:60Z",
        "2026-01-31T12:59:60Z",
        "2026-01-31t23:59:59Z",
        "2026-01-31T23:59:59z",
        "1990-12-31T23:59:60Z",
        "1990-12-31T15:59:60-08:00",
        "2026-01-31T:59:59Z",
        "2026-01-31T23:59:59.Z",
        "2026-01-31T23:59:59Zx",
        "2026-01-31T23:59:59+0100",
        "2026-01-31T23:59:59+01",
        "2026-01-31T23:59:59+25:00",
        "2026-01-31T23:59:59+01:61",
        "2026-01-31T23:59:59+-1:00",
        "+026-01-31T23:59:59Z",
        "12026-01-31T23:59:59Z",
    };
    static const char whole[] = "2026-01-31T23:59:59.123456+01:00";
    int64_t out = 77;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (km_time_parse(km_slice_of(bad[i]), &out) != KM_ERR_SYNTAX)
            fail_msg("%s", bad[i]);
    }
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char cut[sizeof whole];

        memset(cut, 'x', sizeof cut);
        memcpy(cut, whole, len);
        assert_int_equal(km_time_parse((struct km_slice){cut, len}, &out), KM_ERR_SYNTAX);
        assert_int_equal(km_time_parse((struct km_slice){cut, sizeof whole - 1}, &out),
                         KM_ERR_SYNTAX);
    }
    assert_true(out == 77);
}

static void test_parse_micro(void **state)
{
    static const char *const bad[] = {
        "2026-01-31T23:59:59Z",         "2026-01-31T23:59:59.12345Z",
        "2026-01-31T23:59:59.1234567Z", "2026-01-31T23:59:59.-12345Z",
        "2026-01-31T23:59:59.+123456Z", "2026-01-31T23:59:59.",
    };
    int64_t out = 0;

    (void)state;
    assert_int_equal(km_time_parse_micro(km_slice_of("1970-01-01T00:00:01.234567Z"), &out), KM_OK);
    assert_true(out == 1234567);
    assert_int_equal(km_time_parse_micro(km_slice_of("1970-01-01T01:00:01,+34567+01:00"), &out),
                     KM_OK);
    assert_true(out == 1034567);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (km_time_parse_micro(km_slice_of(bad[i]), &out) != KM_ERR_SYNTAX)
            fail_msg("%s", bad[i]);
    }
}

static void check_corpus_case(const struct corpus_value *row)
{
    const struct corpus_value *time = corpus_member(row, "time");
    const struct corpus_value *input = corpus_member(row, "input");
    int64_t got = 0;
    int result = km_time_parse((struct km_slice){input->text, input->len}, &got);

    if ((result == KM_OK) != corpus_member(time, "ok")->boolean)
        fail_msg("%s: %d", input->text, result);
    if (result == KM_OK) {
        int64_t micros = corpus_member(time, "nanos_kept")->number / 1000;

        if (got != corpus_member(time, "unix")->number * SECOND + micros)
            fail_msg("%s: %lld", input->text, (long long)got);
    }
}

static void test_corpus(void **state)
{
    const struct corpus_value *cases = corpus_load("k8s-scalars/rfc3339.json");
    int count = 0;

    (void)state;
    if (cases == NULL)
        return;
    for (const struct corpus_value *row = corpus_first(cases); row != NULL; row = row->next) {
        check_corpus_case(row);
        count++;
    }
    printf("           %d cases of metav1.Time agree\n", count);
    assert_true(count > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day),   cmocka_unit_test(test_text),
        cmocka_unit_test(test_parse),       cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_micro), cmocka_unit_test(test_corpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
