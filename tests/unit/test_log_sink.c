/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdio.h>
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
static char last[CONFIG_KM_LOG_LINE_BYTES + 64];

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

#define FILE_FD 30
#define SYSLOG_FD 40

static uint64_t file_size;
static int opened, closed, open_result, renames, waited;
static char renamed[1024];

int km_port_write_soon(int fd, const char *data, size_t len, int wait_ms)
{
    assert_true(wait_ms <= 10);
    waited += wait_ms;
    if (fd != FILE_FD && fd != SYSLOG_FD)
        assert_int_equal(fd, 2);
    if (write_result < 0)
        return write_result;
    assert_true(len < sizeof last);
    memcpy(last, data, len);
    last[len] = '\0';
    lines++;
    if (fd == FILE_FD)
        file_size += len;
    return write_result;
}

int km_port_append_open(const char *path, uint64_t *size)
{
    assert_string_equal(path, "/var/log/k.log");
    opened++;
    *size = file_size;
    return open_result < 0 ? open_result : FILE_FD;
}

int km_port_datagram_open(const char *path)
{
    assert_string_equal(path, "/dev/log");
    opened++;
    return open_result < 0 ? open_result : SYSLOG_FD;
}

int km_port_file_rename(const char *from, const char *to)
{
    (void)snprintf(renamed + strlen(renamed), sizeof renamed - strlen(renamed), "%s>%s ", from, to);
    renames++;
    file_size = 0;
    return KM_OK;
}

void km_socket_close(int fd)
{
    if (fd >= 0)
        closed++;
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

/* A reader that does not read is waited for once, and its lines are counted in the next one. */
static void test_a_full_pipe_costs_little(void **state)
{
    (void)state;
    reset();
    waited = 0;
    write_result = KM_AGAIN;
    for (int i = 0; i < 20; i++)
        from_line(i, 'I');
    assert_int_equal(waited, 10);
    write_result = KM_OK;
    from_line(99, 'I');
    assert_string_equal(strchr(last, ']'), "] \"m\" n=99 suppressed=20\n");
    from_line(98, 'I');
    assert_string_equal(strchr(last, ']'), "] \"m\" n=98\n");
}

static void start(const char *output, enum km_log_format format, uint64_t file_bytes)
{
    reset();
    file_size = 0;
    opened = closed = open_result = renames = 0;
    renamed[0] = '\0';
    km_log_init(&(struct km_log_options){
        .format = format, .output = output, .file_bytes = file_bytes, .file_count = 2});
}

static void test_a_file_is_rotated_before_it_is_too_large(void **state)
{
    size_t len;

    (void)state;
    start("file:/var/log/k.log", KM_LOG_TEXT, 100);
    from_line(1, 'I');
    len = strlen(last);
    assert_true(len > 34 && 2 * len < 100 && opened == 1);
    from_line(2, 'I');
    assert_int_equal(renames, 0);
    from_line(3, 'I');
    assert_string_equal(renamed,
                        "/var/log/k.log.1>/var/log/k.log.2 /var/log/k.log>/var/log/k.log.1 ");
    assert_true(opened == 2 && closed == 1 && file_size == len && lines == 3);
}

static void test_a_file_that_cannot_be_opened_is_tried_again(void **state)
{
    (void)state;
    start("file:/var/log/k.log", KM_LOG_TEXT, 0);
    open_result = KM_ERR_NOT_FOUND;
    from_line(1, 'I');
    from_line(2, 'I');
    assert_true(lines == 2 && opened == 1); /* on standard error meanwhile */
    now_ms += 1000;
    open_result = 0;
    from_line(3, 'I');
    assert_true(lines == 3 && opened == 2 && file_size > 0);
}

static void test_syslog_gets_a_tag_and_no_end_of_line(void **state)
{
    (void)state;
    start("syslog", KM_LOG_TEXT, 0);
    from_line(1, 'E');
    assert_true(strncmp(last, "<27>kubemote[42]: E0203", 23) == 0);
    assert_string_equal(strchr(last + 18, ']'), "] \"m\" n=1");
    write_result = KM_ERR_RESET; /* the daemon was restarted */
    from_line(2, 'I');
    write_result = KM_OK;
    now_ms += 1000;
    from_line(3, 'I');
    assert_true(opened == 2 && closed == 1);
    assert_string_equal(strchr(last + 18, ']'), "] \"m\" n=3 suppressed=1");
}

static void test_json(void **state)
{
    const struct km_kv outer[] = {KM_S("a", "x\"\n\x01\xff")};
    const struct km_logger parent = {.name = "one", .pairs = outer, .pair_count = 1};
    const struct km_logger logger = {.name = "two", .parent = &parent};

    (void)state;
    start("", KM_LOG_JSON, 0);
    KM_INFO_BY(&logger, "Started", KM_OBJ("pod", "ns", "n"), KM_OBJ("node", "", "n"),
               KM_S("none", NULL), KM_B("yes", true), KM_I("n", -5));
    assert_true(strstr(last, "{\"ts\":1770091506000.007,\"logger\":\"one.two\",\"caller\":\"unit/"
                             "test_log_sink.c:") == last);
    assert_string_equal(strstr(last, "\"msg\""),
                        "\"msg\":\"Started\",\"a\":\"x\\\"\\n\\u0001\\ufffd\",\"v\":0,"
                        "\"pod\":{\"name\":\"n\",\"namespace\":\"ns\"},\"node\":{\"name\":\"n\"},"
                        "\"none\":null,\"yes\":true,\"n\":-5}\n");
    KM_ERROR("Failed", "why", KM_I("n", 1));
    assert_string_equal(strstr(last, "\"msg\""), "\"msg\":\"Failed\",\"n\":1,\"err\":\"why\"}\n");
    wall_us = -1; /* a clock that was never set */
    KM_ERROR("Failed", "why", KM_I("n", 1));
    assert_true(strncmp(last, "{\"ts\":-0.001,", 13) == 0);
    wall_us = -5000100;
    KM_ERROR("Failed", "why", KM_I("n", 1));
    assert_true(strncmp(last, "{\"ts\":-5000.1,", 14) == 0);
}

/* Whatever the lengths, a line ends as it must and has balanced quotes. */
static void test_json_stays_whole_when_cut(void **state)
{
    static char value[700], name[400];
    char out[CONFIG_KM_LOG_LINE_BYTES];

    (void)state;
    for (size_t n = 0; n < sizeof value - 1; n++) {
        const struct km_kv pairs[] = {KM_S("v", value), KM_I("n", 7), KM_S("w", name)};
        const struct km_log_record record = {.severity = 'E',
                                             .file = "a/b.c",
                                             .line = 1,
                                             .message = name,
                                             .err = value,
                                             .pairs = pairs,
                                             .pair_count = 3};
        const struct km_log_text_head head = {.suppressed = 3};
        size_t len = km_log_json_format(out, sizeof out, &record, &head, NULL), quotes = 0;

        assert_true(len <= sizeof out && out[len - 1] == '\n' && out[len - 2] == '}');
        for (size_t i = 0; i < len; i++)
            quotes += out[i] == '"' && out[i - 1] != '\\';
        assert_int_equal(quotes % 2, 0);
        assert_non_null(strstr(out, "\"suppressed\":3"));
        value[n] = n % 7 == 0 ? '\n' : 'x';
        if (n < sizeof name - 1)
            name[n] = 'y';
    }
}

static void test_loggers_values_give_way(void **state)
{
    const struct km_kv outer[] = {KM_S("a", "1"), KM_S("b", "2")}, inner[] = {KM_S("b", "3")};
    const struct km_logger parent = {.name = "p", .pairs = outer, .pair_count = 2};
    const struct km_logger logger = {.pairs = inner, .pair_count = 1, .parent = &parent};

    (void)state;
    reset();
    KM_ERROR_BY(&logger, "m", "e", KM_S("a", "4"));
    assert_string_equal(strchr(last, ']'), "] \"m\" err=\"e\" logger=\"p\" b=\"3\" a=\"4\"\n");
}

static void test_names_of_outputs(void **state)
{
    static const char *const good[] = {"", "stderr", "syslog", "syslog:/run/log", "file:/x"};
    static const char *const bad[] = {"stdout", "file", "file:", "file:x", "syslog:", "files:/x"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(km_log_output_is_valid(km_slice_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(km_log_output_is_valid(km_slice_of(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line),
        cmocka_unit_test(test_a_hot_place_is_bounded_and_says_so),
        cmocka_unit_test(test_places_in_turn_are_bounded_too),
        cmocka_unit_test(test_offset_is_asked_once_a_quarter_hour),
        cmocka_unit_test(test_long_lines_and_failed_writes_are_counted),
        cmocka_unit_test(test_a_full_pipe_costs_little),
        cmocka_unit_test(test_a_file_is_rotated_before_it_is_too_large),
        cmocka_unit_test(test_a_file_that_cannot_be_opened_is_tried_again),
        cmocka_unit_test(test_syslog_gets_a_tag_and_no_end_of_line),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_stays_whole_when_cut),
        cmocka_unit_test(test_loggers_values_give_way),
        cmocka_unit_test(test_names_of_outputs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
