/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdlib.h>
#include <time.h>

#include "kubemote/km_port.h"
#include "port/posix/tz_priv.h"

static int32_t posix(const char *zone, const char *time)
{
    int64_t us = 0;
    int32_t offset = -1;

    assert_int_equal(km_time_parse(km_slice_of(time), &us), KM_OK);
    assert_int_equal(km_tz_posix(km_slice_of(zone), us / 1000000, &offset), KM_OK);
    return offset;
}

static void test_rules(void **state)
{
    const char *berlin = "CET-1CEST,M3.5.0,M10.5.0/3";

    (void)state;
    assert_int_equal(posix("UTC0", "2026-06-01T00:00:00Z"), 0);
    assert_int_equal(posix("<+0545>-5:45", "2026-06-01T00:00:00Z"), 20700);
    assert_int_equal(posix(berlin, "2026-03-29T00:59:59Z"), 3600);
    assert_int_equal(posix(berlin, "2026-03-29T01:00:00Z"), 7200);
    assert_int_equal(posix(berlin, "2026-10-25T00:59:59Z"), 7200);
    assert_int_equal(posix(berlin, "2026-10-25T01:00:00Z"), 3600);
    /* The south: summer spans the new year. */
    assert_int_equal(posix("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z"), 39600);
    assert_int_equal(posix("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-07-01T00:00:00Z"), 36000);
    assert_int_equal(posix("EST5EDT", "2026-07-01T00:00:00Z"), -14400);
    assert_int_equal(posix("XXX3YYY,J60/0,J300/0", "2024-03-01T03:00:00Z"), -7200);
    assert_int_equal(posix("XXX3YYY,J60/0,J300/0", "2024-03-01T02:59:59Z"), -10800);
    assert_int_equal(posix("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z"), -7200);
    assert_int_equal(posix("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z"), -3600);
}

static void test_bad_rules(void **state)
{
    static const char *const bad[] = {"",
                                      "X",
                                      "UT",
                                      "UTC",
                                      "UTC999",
                                      "UTC0:61",
                                      "CET-1CEST,",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,M10.5.0",
                                      "CET-1CEST,M3.5.7,M1.1.0",
                                      "CET-1CEST,J0,J1",
                                      "CET-1CEST,400,1",
                                      "CET-1CEST,M3.5.0,M10.5.0/3x",
                                      "<+05",
                                      "<>-5:45:x"};
    int32_t offset;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(km_tz_posix(km_slice_of(bad[i]), 0, &offset), KM_ERR_SYNTAX);
}

/* The same answers as libc for every zone that is installed, around each quarter of 60 years. */
static void test_as_libc(void **state)
{
    static const char *const zones[] = {
        "Europe/Berlin",   "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata",
        "Pacific/Chatham", "America/St_Johns", "Africa/Casablanca",   "Europe/Dublin",
        "America/Nuuk",    "Asia/Tehran",      "Pacific/Apia",        "UTC"};
    static uint8_t data[8192];
    unsigned compared = 0;

    (void)state;
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        char path[128];
        int len;

        snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zones[i]);
        len = km_port_file_read_at(path, 0, data, sizeof data);
        if (len <= 0)
            continue;
        setenv("TZ", zones[i], 1);
        tzset();
        for (int64_t at = 0; at < 2050000000; at += 86400 * 11 + 3571) {
            time_t when = (time_t)at;
            struct tm local;
            int32_t offset;

            if (at > INT32_MAX && sizeof when == 4)
                break;
            localtime_r(&when, &local);
            assert_int_equal(km_tz_file(data, (size_t)len, at, &offset), KM_OK);
            assert_int_equal(offset, local.tm_gmtoff);
            compared++;
        }
        assert_int_equal(km_port_utc_offset(1750000000000000),
                         km_port_utc_offset(1750000000000000));
    }
    printf("compared %u moments\n", compared);
}

/* Files cut anywhere, or with a byte changed, give an answer or an error and read nothing beyond their end. */
static void test_hostile_files(void **state)
{
    static uint8_t data[8192];
    int len = km_port_file_read_at("/usr/share/zoneinfo/Europe/Berlin", 0, data, sizeof data);
    int32_t offset;

    (void)state;
    if (len <= 0)
        return;
    for (int i = 0; i < len; i++) {
        uint8_t *copy = malloc((size_t)i + 1), kept = data[i];

        memcpy(copy, data, (size_t)i);
        (void)km_tz_file(copy, (size_t)i, 1750000000, &offset);
        free(copy);
        data[i] = (uint8_t)~data[i];
        (void)km_tz_file(data, (size_t)len, 1750000000, &offset);
        data[i] = kept;
    }
    assert_int_equal(km_tz_file(data, 20, 0, &offset), KM_ERR_SYNTAX);
}

static void test_environment(void **state)
{
    (void)state;
    setenv("TZ", "<+0530>-5:30", 1);
    assert_int_equal(km_port_utc_offset(1600000000000000), 19800);
    setenv("TZ", "", 1);
    assert_int_equal(km_port_utc_offset(1500000000000000), 0);
    setenv("TZ", "../../etc/passwd", 1);
    assert_int_equal(km_port_utc_offset(1400000000000000), 0);
    unsetenv("TZ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules), cmocka_unit_test(test_bad_rules),
        cmocka_unit_test(test_as_libc), cmocka_unit_test(test_hostile_files),
        cmocka_unit_test(test_environment)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
