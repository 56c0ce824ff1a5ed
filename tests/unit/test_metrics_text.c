/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_log.h"
#include "kubemote/km_metrics.h"
#include "kubemote/km_port.h"

/* ---- a port of its own: the file is a string ---- */

static char file_text[65536];
static int file_writes, file_pieces, file_result;

int km_port_file_replace_by(const char *path, km_port_pieces_fn next, void *ctx)
{
    struct km_slice piece;
    size_t len = 0;
    int more;

    assert_string_equal(path, "/x/kubemote.prom");
    if (file_result < 0)
        return file_result;
    file_pieces = 0;
    do {
        more = next(ctx, &piece);
        if (more != KM_AGAIN && more != KM_EOF)
            return more;
        assert_true(piece.len < sizeof file_text - len);
        memcpy(file_text + len, piece.ptr, piece.len);
        len += piece.len;
        file_pieces++;
    } while (more == KM_AGAIN);
    file_text[len] = '\0';
    file_writes++;
    return KM_OK;
}

static int log_lines;

static void count_log(void *ctx, const struct km_log_record *record)
{
    (void)ctx;
    (void)record;
    log_lines++;
}

static struct km_pool pods = {.name = "pod", .size = 64, .used = 3, .max = 9, .refused = 1};
static struct km_pool odd = {.name = "a\"b\\c\nd", .size = 1};
static struct km_pool more_pods = {.name = "pod", .size = 6, .used = 1, .max = 2, .refused = 4};
static struct km_counter restarts_pod = {.name = "kubemote_watch_restarts_total{kind=\"Pod\"}",
                                         .value = 5,
                                         .help = "Watches begun again."};
static struct km_counter requests = {.name = "kubemote_odd_requests_total", .value = UINT64_MAX};
static struct km_counter restarts_node = {.name = "kubemote_watch_restarts_total{kind=\"Node\"}",
                                          .value = 7};
static struct km_counter restarts_more = {.name = "kubemote_watch_restarts_total{kind=\"Pod\"}",
                                          .value = 2};
static struct km_counter bad_name = {.name = "9lives_total"};
static struct km_counter bad_tail = {.name = "kubemote_x_total{a=\"b\"} 5\nforged"};

static int64_t value_of(void *ctx)
{
    return *(const int64_t *)ctx;
}

static int64_t one = 1, below = -40;
static struct km_gauge info = {.name = "kubemote_build_info{version=\"1.2.3\"}",
                               .help = "The version\\that runs.\nNow.",
                               .value = value_of,
                               .ctx = &one};
static struct km_gauge temperature = {
    .name = "kubemote_temperature_celsius", .value = value_of, .ctx = &below};

static char text[65536];

static const char *write_all(void)
{
    struct km_buf out;

    km_buf_init(&out, text, sizeof text);
    assert_int_equal(km_metrics_write(&out), KM_OK);
    return text;
}

static void test_nothing_registered(void **state)
{
    (void)state;
    assert_string_equal(write_all(), "");
}

static void test_text(void **state)
{
    (void)state;
    km_pool_register(&pods);
    km_pool_register(&odd);
    km_pool_register(&more_pods);
    km_counter_register(&restarts_pod);
    km_counter_register(&requests);
    km_counter_register(&restarts_node);
    km_counter_register(&restarts_more);
    km_counter_register(&bad_name);
    km_counter_register(&bad_tail);
    km_gauge_register(&info);
    km_gauge_register(&temperature);
    km_gauge_register(&info);
    assert_string_equal(write_all(),
                        "# HELP kubemote_pool_size Elements of the pool.\n"
                        "# TYPE kubemote_pool_size gauge\n"
                        "kubemote_pool_size{pool=\"pod\"} 70\n"
                        "kubemote_pool_size{pool=\"a\\\"b\\\\c\\nd\"} 1\n"
                        "# HELP kubemote_pool_used Elements of the pool in use.\n"
                        "# TYPE kubemote_pool_used gauge\n"
                        "kubemote_pool_used{pool=\"pod\"} 4\n"
                        "kubemote_pool_used{pool=\"a\\\"b\\\\c\\nd\"} 0\n"
                        "# HELP kubemote_pool_max Most elements of the pool ever in use.\n"
                        "# TYPE kubemote_pool_max gauge\n"
                        "kubemote_pool_max{pool=\"pod\"} 11\n"
                        "kubemote_pool_max{pool=\"a\\\"b\\\\c\\nd\"} 0\n"
                        "# HELP kubemote_pool_refused_total Elements refused by a full pool.\n"
                        "# TYPE kubemote_pool_refused_total counter\n"
                        "kubemote_pool_refused_total{pool=\"pod\"} 5\n"
                        "kubemote_pool_refused_total{pool=\"a\\\"b\\\\c\\nd\"} 0\n"
                        "# HELP kubemote_watch_restarts_total Watches begun again.\n"
                        "# TYPE kubemote_watch_restarts_total counter\n"
                        "kubemote_watch_restarts_total{kind=\"Pod\"} 7\n"
                        "kubemote_watch_restarts_total{kind=\"Node\"} 7\n"
                        "# HELP kubemote_odd_requests_total Count of odd requests.\n"
                        "# TYPE kubemote_odd_requests_total counter\n"
                        "kubemote_odd_requests_total 18446744073709551615\n"
                        "# HELP kubemote_build_info The version\\\\that runs.\\nNow.\n"
                        "# TYPE kubemote_build_info gauge\n"
                        "kubemote_build_info{version=\"1.2.3\"} 1\n"
                        "# HELP kubemote_temperature_celsius Value of temperature celsius.\n"
                        "# TYPE kubemote_temperature_celsius gauge\n"
                        "kubemote_temperature_celsius -40\n");
}

/* What promtool looks for, line by line: a head of two lines, then only samples of that family, no
   family or sample twice. */
static void test_form(void **state)
{
    static char families[40][64], samples[80][128];
    char family[64] = "", type[16] = "", copy[CONFIG_KM_METRICS_TEXT_BYTES];
    int family_count = 0, sample_count = 0;
    char *rest = copy;

    (void)state;
    strcpy(copy, write_all());
    while (*rest != '\0') {
        char *line = rest, *space;

        rest = strchr(line, '\n');
        assert_non_null(rest);
        *rest++ = '\0';
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_int_equal(sscanf(line, "# HELP %63s", family), 1);
            assert_true(strlen(line) > 8 + strlen(family));
            for (int i = 0; i < family_count; i++)
                assert_true(strcmp(families[i], family) != 0);
            strcpy(families[family_count++], family);
            line = rest;
            rest = strchr(line, '\n');
            *rest++ = '\0';
            assert_int_equal(sscanf(line, "# TYPE %63s %15s", samples[79], type), 2);
            assert_string_equal(samples[79], family);
            assert_true((strcmp(type, "counter") == 0) ==
                        (strcmp(family + strlen(family) - 6, "_total") == 0));
            continue;
        }
        assert_true(strncmp(line, family, strlen(family)) == 0);
        assert_true(line[strlen(family)] == '{' || line[strlen(family)] == ' ');
        space = strrchr(line, ' ');
        *space = '\0';
        assert_true(space[1] == '-' || (space[1] >= '0' && space[1] <= '9'));
        for (int i = 0; i < sample_count; i++)
            assert_true(strcmp(samples[i], line) != 0);
        strcpy(samples[sample_count++], line);
    }
    assert_int_equal(family_count, 8);
    assert_int_equal(sample_count, 13);
}

static void test_too_small_a_buffer_is_an_error(void **state)
{
    size_t len = strlen(write_all());
    struct km_buf out;

    (void)state;
    for (size_t size = 0; size <= len; size += 7) {
        km_buf_init(&out, text, size);
        assert_int_equal(km_metrics_write(&out), KM_ERR_TOO_LONG);
    }
    km_buf_init(&out, text, len);
    assert_int_equal(km_metrics_write(&out), KM_ERR_TOO_LONG);
    km_buf_init(&out, text, len + 1);
    assert_int_equal(km_metrics_write(&out), KM_OK);
}

static void test_file_on_a_timer(void **state)
{
    const struct km_log_sink sink = {.write = count_log};
    struct km_metrics_file file = {0};
    struct km_timer *heap[2];
    struct km_timers timers;

    (void)state;
    km_log_set_sink(&sink);
    km_timers_init(&timers, heap, 2);
    km_metrics_file_stop(&file); /* before the start: nothing */
    assert_int_equal(km_metrics_file_start(&file, &timers, "/x/kubemote.prom", 15000, 100), KM_OK);
    km_timers_run(&timers, 100);
    assert_int_equal(file_writes, 1);
    assert_string_equal(file_text, write_all());
    assert_true(km_timers_next(&timers) == 15100);
    file_result = KM_ERR_IO;
    km_timers_run(&timers, 15100);
    km_timers_run(&timers, 30100);
    assert_int_equal(file_writes, 1);
    assert_int_equal(log_lines, 1); /* once per episode */
    assert_non_null(strstr(write_all(), "\nkubemote_metrics_file_errors_total 2\n"));
    file_result = KM_OK;
    km_timers_run(&timers, 45100);
    assert_int_equal(file_writes, 2);
    assert_int_equal(log_lines, 2);
    km_metrics_file_stop(&file);
    km_timers_run(&timers, 1000000);
    assert_int_equal(file_writes, 2);
    assert_int_equal(km_metrics_file_start(&file, &timers, "/x/kubemote.prom", 0, 0), KM_OK);
    assert_true(file.interval_ms == 1000);
    assert_int_equal(timers.count, 1);
    km_log_set_sink(NULL);
}

static void test_file_in_pieces(void **state)
{
    static struct km_counter many[300];
    static char names[300][64];
    struct km_metrics_file file = {.path = "/x/kubemote.prom"};

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        (void)snprintf(names[i], sizeof names[i], "kubemote_long_name_%u_total", i);
        many[i].name = names[i];
        km_counter_register(&many[i]);
    }
    assert_int_equal(km_metrics_file_write(&file), KM_OK);
    assert_true(strlen(file_text) > 2 * CONFIG_KM_METRICS_TEXT_BYTES && file_pieces > 2);
    assert_string_equal(file_text, write_all());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_registered),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_too_small_a_buffer_is_an_error),
        cmocka_unit_test(test_file_on_a_timer),
        cmocka_unit_test(test_file_in_pieces),
    };
    const char *dump = getenv("KM_METRICS_DUMP");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    /* For a look by promtool: KM_METRICS_DUMP=/tmp/x test_metrics_text; promtool check metrics
       </tmp/x */
    if (dump != NULL) {
        FILE *out = fopen(dump, "w");

        if (out == NULL || fputs(write_all(), out) < 0 || fclose(out) != 0)
            return 1;
    }
    return failed;
}
