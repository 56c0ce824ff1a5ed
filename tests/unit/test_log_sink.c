/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <string.h>

#include "kubemote/km_log_sink.h"
#include "kubemote/km_port.h"

#define BURST CONFIG_KM_LOG_BURST_COUNT
#define REFILL CONFIG_KM_LOG_REFILL_MS
#define SITES CONFIG_KM_LOG_SITE_COUNT

/* ---- a port of its own: virtual time, and what was written ---- */

static int64_t now_ms, wall_us;
static int32_t offset_s;
static int offset_asked, lines, write_result;
static char last[CONFIG_KM_LOG_LINE_BYTES + 1];

int64_t km_port_now_ms(void)
{
    return now_ms;
}

int64_t km_port_wall_us(void)
{
    return wall_us;
}

int32_t km_port_utc_offset(int64_t unix_us)
{
    assert_true(unix_us == wall_us);
    offset_asked++;
    return offset_s;
}

uint32_t km_port_pid(void)
{
    return 42;
}

int km_port_write(int fd, const char *data, size_t len)
{
    assert_int_equal(fd, 2);
    assert_true(len < sizeof last);
    memcpy(last, data, len);
    last[len] = '\0';
    lines++;
    return write_result;
}

static uint64_t counter(const char *name)
{
    const struct km_counter *c = km_counter_first();

    while (c != NULL && strcmp(c->name, name) != 0)
        c = c->next;
    assert_non_null(c);
    return c->value;
}

static void reset(void)
{
    now_ms = 5000;
    wall_us = INT64_C(1770091506000007);
    offset_s = 0;
    lines = 0;
    write_result = 0;
    km_log_text_init(2, 3);
}

static void from_line(int line, char severity)
{
    const struct km_kv pair = KM_I("n", line);
    const struct km_log_record record = {.severity = severity,
                                         .file = "a.c",
                                         .line = line,
                                         .message = "m",
                                         .pairs = &pair,
                                         .pair_count = 1};

    km_log_emit(&record);
}

static void test_a_line(void **state)
{
    (void)state;
    reset();
    KM_INFO("Started", KM_S("node", "n1"));
    assert_int_equal(lines, 1);
    assert_true(strncmp(last, "I0203 04:05:06.000007      42 test_log_sink.c:", 46) == 0);
    assert_string_equal(strchr(last, ']'), "] \"Started\" node=\"n1\"\n");
    KM_V(3, "Seen", KM_I("v", 3));
    KM_V(4, "Not seen", KM_I("v", 4));
    assert_int_equal(lines, 2);
}

static void test_a_hot_place_is_bounded_and_says_so(void **state)
{
    uint64_t before;

    (void)state;
    reset();
    before = counter("kubemote_log_suppressed_total");
    for (int i = 0; i < BURST + 1000; i++)
        from_line(7, 'I');
    assert_int_equal(lines, BURST);
    from_line(8, 'I'); /* another place is not touched */
    assert_int_equal(lines, BURST + 1);
    from_line(7, 'F'); /* and the last words neither */
    assert_int_equal(lines, BURST + 2);
    assert_string_equal(strchr(last, ']'), "] \"m\" n=7 suppressed=1000\n");
    from_line(7, 'E');
    now_ms += REFILL - 1;
    from_line(7, 'E');
    assert_int_equal(lines, BURST + 2);
    now_ms += 1;
    from_line(7, 'E');
    assert_int_equal(lines, BURST + 3);
    assert_string_equal(strchr(last, ']'), "] \"m\" n=7 suppressed=2\n");
    assert_true(counter("kubemote_log_suppressed_total") == before + 1002);
    now_ms += INT64_C(1000) * 86400 * 365;
    for (int i = 0; i < BURST + 5; i++)
        from_line(7, 'I');
    assert_int_equal(lines, 2 * BURST + 3); /* a long rest fills the bucket, no more */
    assert_string_equal(strchr(last, ']'), "] \"m\" n=7\n");
}

/* More hot places than the table has: each gets the budget of the one that gave way. */
static void test_places_in_turn_are_bounded_too(void **state)
{
    (void)state;
    reset();
    for (int i = 0; i < 20 * BURST; i++) {
        for (int line = 1; line <= SITES + 3; line++)
            from_line(line, 'I');
    }
    assert_true(lines >= BURST * SITES && lines <= BURST * SITES + SITES);
}

static void test_offset_is_asked_once_a_quarter_hour(void **state)
{
    int asked;

    (void)state;
    reset();
    asked = offset_asked;
    offset_s = 3600;
    from_line(1, 'I');
    from_line(2, 'I');
    assert_int_equal(offset_asked, asked + 1);
    assert_true(strncmp(last, "I0203 05:05:06", 14) == 0);
    offset_s = 7200;
    wall_us += INT64_C(900) * 1000000;
    from_line(3, 'I');
    assert_int_equal(offset_asked, asked + 2);
    assert_true(strncmp(last, "I0203 06:20:06", 14) == 0);
    wall_us = -1; /* a clock that was never set */
    offset_s = 0;
    from_line(4, 'I');
    assert_true(strncmp(last, "I1231 23:59:59.999999", 21) == 0);
}

static void test_long_lines_and_failed_writes_are_counted(void **state)
{
    static char value[CONFIG_KM_LOG_LINE_BYTES];
    uint64_t cut, failed;

    (void)state;
    reset();
    memset(value, 'x', sizeof value - 1);
    cut = counter("kubemote_log_lines_cut_total");
    failed = counter("kubemote_log_write_errors_total");
    KM_INFO("m", KM_S("v", value));
    assert_true(strlen(last) <= sizeof value && strlen(last) > sizeof value - 3);
    assert_non_null(strstr(last, " chars]\n"));
    assert_true(counter("kubemote_log_lines_cut_total") == cut + 1);
    write_result = KM_ERR_IO;
    from_line(1, 'I');
    assert_true(counter("kubemote_log_write_errors_total") == failed + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line),
        cmocka_unit_test(test_a_hot_place_is_bounded_and_says_so),
        cmocka_unit_test(test_places_in_turn_are_bounded_too),
        cmocka_unit_test(test_offset_is_asked_once_a_quarter_hour),
        cmocka_unit_test(test_long_lines_and_failed_writes_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
