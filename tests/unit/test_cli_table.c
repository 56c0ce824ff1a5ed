/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "km_test.h"

#include "agent/cli/table.h"
#include "km_capture.h"

static struct flag_texts no_labels;

static void begin(struct table_options options)
{
    if (options.label_columns == NULL)
        options.label_columns = &no_labels;
    table_begin(&options);
    table_columns_begin();
    table_column("Name", 0, true);
    table_column("Ready", 0, false);
    table_column("Node", 1, false);
    table_column("Age", 0, false);
}

static void row(const char *name, const char *ready, const char *node, const char *age)
{
    table_row_begin("ADDED");
    table_cell(km_slice_of(name));
    table_cell(km_slice_of(ready));
    table_cell(km_slice_of(node));
    table_cell(km_slice_of(age));
    table_namespace("ns");
    table_label(km_slice_of("app"), "web");
    table_label(km_slice_of("example.com/tier"), "front");
    table_row_end();
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    capture_begin();
    begin((struct table_options){0});
    row("a", "1/1", "hidden", "5s");
    row("a-longer-name", "10/10", "hidden", "5s");
    table_flush();
    assert_string_equal(capture_end(), "NAME            READY   AGE\n"
                                       "a               1/1     5s\n"
                                       "a-longer-name   10/10   5s\n");
}

static void widths_count_characters(void **state)
{
    (void)state;
    capture_begin();
    begin((struct table_options){.no_headers = true});
    row("gr\xc3\xbc\xc3\x9f"
        "e-aus",
        "x", "", "y");
    row("abcdefghi", "x", "", "y");
    table_flush();
    assert_string_equal(capture_end(), "gr\xc3\xbc\xc3\x9f"
                                       "e-aus   x     y\n"
                                       "abcdefghi   x     y\n");
}

static void options_add_columns(void **state)
{
    struct flag_texts labels = {.items = {"example.com/tier", "none"}, .count = 2};
    (void)state;
    capture_begin();
    begin((struct table_options){.wide = true,
                                 .with_namespace = true,
                                 .with_event = true,
                                 .show_labels = true,
                                 .label_columns = &labels,
                                 .kind_prefix = "pod/"});
    row("a", "1", "n1", "5s");
    table_flush();
    assert_string_equal(
        capture_end(), "\n"
                       "EVENT      NAMESPACE   NAME    READY   NODE   AGE   TIER    NONE   LABELS\n"
                       "ADDED      ns          pod/a   1       n1     5s    front          "
                       "app=web,example.com/tier=front\n");
}

static void cells_are_cut_and_made_harmless(void **state)
{
    (void)state;
    capture_begin();
    begin((struct table_options){.no_headers = true});
    row("one\ntwo", "\x1b[31m", "", "a\rb");
    table_flush();
    assert_string_equal(capture_end(), "one...   ^[[31m   a...\n");
}

static void tables_without_rows_print_nothing(void **state)
{
    (void)state;
    capture_begin();
    begin((struct table_options){0});
    begin((struct table_options){0});
    table_flush();
    assert_string_equal(capture_end(), "");
}

/* Cells that the server has no column for take the place of labels. */
static void extra_cells_push_labels_out(void **state)
{
    (void)state;
    capture_begin();
    begin((struct table_options){.no_headers = true, .show_labels = true});
    table_row_begin("");
    for (const char *c = "abcdef"; *c != '\0'; c++)
        table_cell((struct km_slice){c, 1});
    table_row_end();
    table_flush();
    assert_string_equal(capture_end(), "a     b     d     e\n");
}

static void rows_beyond_the_window_only_widen(void **state)
{
    char name[64];
    (void)state;
    capture_begin();
    begin((struct table_options){.no_headers = true});
    row("w-0", "1", "", "5s");
    for (unsigned i = 0; i < CONFIG_KM_CLI_TABLE_BYTES / 10; i++) {
        (void)snprintf(name, sizeof name, "w-%u", i);
        row(name, "1", "", "5s");
    }
    row("the-longest-name-of-all-rows", "1", "", "5s");
    row("w", "1", "", "5s");
    table_flush();
    const char *text = capture_end();
    assert_memory_equal(text, "w-0       1     5s\n", 6);
    assert_non_null(strstr(
        text,
        "\nthe-longest-name-of-all-rows   1     5s\nw                              1     5s\n"));
}

static void rows_can_be_taken_back_until_printed(void **state)
{
    (void)state;
    capture_begin();
    begin((struct table_options){.no_headers = true});
    row("kept", "1", "", "1s");
    table_mark();
    row("dropped", "1", "", "1s");
    assert_true(table_can_undo());
    table_undo();
    row("new", "1", "", "1s");
    table_flush();
    assert_false(table_can_undo());
    assert_string_equal(capture_end(), "kept   1     1s\nnew    1     1s\n");
}

static void keyed(const char *key, const char *name)
{
    table_row_begin("ADDED");
    table_cell(km_slice_of(name));
    if (key != NULL)
        table_key(km_slice_of(key));
    table_row_end();
}

static void rows_are_sorted_below_their_header(void **state)
{
    (void)state;
    capture_begin();
    begin((struct table_options){.sort_by = ".spec.n"});
    keyed("10", "c");
    keyed("9", "b");
    keyed("null", "a");
    keyed("11", "a-long-one");
    assert_int_equal(table_end(), 0);
    assert_string_equal(capture_end(), "\nNAME   READY   AGE\na\nb\nc\na-long-one\n");
}

static void a_field_that_no_row_has_is_an_error(void **state)
{
    (void)state;
    capture_begin();
    begin((struct table_options){.sort_by = ".spec.n"});
    keyed(NULL, "a");
    keyed("null", "b");
    assert_int_equal(table_end(), 1);
    assert_string_equal(capture_end(), "");
}

static void rows_beyond_the_window_are_sorted_by_themselves(void **state)
{
    char name[16], key[16];
    (void)state;
    capture_begin();
    begin((struct table_options){.sort_by = ".spec.n", .no_headers = true});
    for (int i = 0; i < 2 * TABLE_SORT_COUNT; i++) {
        (void)snprintf(key, sizeof key, "%d", 100000 - i);
        (void)snprintf(name, sizeof name, "%d", 100000 - i);
        keyed(key, name);
    }
    assert_int_equal(table_end(), 0);
    const char *text = capture_end();
    int last = 0, falls = 0, count = 0;
    for (; *text != '\0'; text = strchr(text, '\n') + 1, count++) {
        int value = atoi(text);
        falls += value < last;
        last = value;
    }
    assert_int_equal(count, 2 * TABLE_SORT_COUNT);
    assert_in_range(falls, 1, 8);
}

static void a_row_larger_than_the_window_is_cut(void **state)
{
    static struct flag_texts labels;
    static char value[CONFIG_KM_CLI_ROW_BYTES - 16];
    (void)state;
    memset(value, 'v', sizeof value - 1);
    for (labels.count = 0; labels.count < FLAG_TEXT_COUNT; labels.count++)
        labels.items[labels.count] = "k";
    capture_begin();
    begin((struct table_options){.label_columns = &labels});
    table_row_begin("ADDED");
    table_cell(km_slice_of("a"));
    table_label(km_slice_of("k"), value);
    table_row_end();
    table_flush();
    const char *text = capture_end();
    assert_in_range(strlen(text), CONFIG_KM_CLI_TABLE_BYTES - 16, 4 * CONFIG_KM_CLI_TABLE_BYTES);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_without_rows_print_nothing),
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(widths_count_characters),
        cmocka_unit_test(options_add_columns),
        cmocka_unit_test(cells_are_cut_and_made_harmless),
        cmocka_unit_test(extra_cells_push_labels_out),
        cmocka_unit_test(rows_beyond_the_window_only_widen),
        cmocka_unit_test(rows_can_be_taken_back_until_printed),
        cmocka_unit_test(rows_are_sorted_below_their_header),
        cmocka_unit_test(a_field_that_no_row_has_is_an_error),
        cmocka_unit_test(rows_beyond_the_window_are_sorted_by_themselves),
        cmocka_unit_test(a_row_larger_than_the_window_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
