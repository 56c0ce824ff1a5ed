/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "km_test.h"

#include "km_capture.h"
#include "kubemote/km_cli.h"

static struct km_run_flags flags;
static struct km_fault fault;

static int parse(int argc, const char *const *argv)
{
    memset(&fault, 0, sizeof fault);
    return km_run_parse(argc, (char **)(uintptr_t)argv, &flags, &fault);
}
#define PARSE(...) \
    parse((int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), \
          (const char *const[]){__VA_ARGS__})

static void flags_take_values_in_both_forms(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--kubeconfig", "a", "--node-name=b", "--config", "c", "-v", "6"),
                     KM_OK);
    assert_string_equal(flags.kubeconfig, "a");
    assert_string_equal(flags.node_name, "b");
    assert_string_equal(flags.config, "c");
    assert_int_equal(flags.verbosity, 6);
    assert_false(flags.print_node);
    assert_null(flags.context);
}

static void verbosity_has_three_forms(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-v4"), KM_OK);
    assert_int_equal(flags.verbosity, 4);
    assert_int_equal(PARSE("--v=2"), KM_OK);
    assert_int_equal(flags.verbosity, 2);
    assert_int_equal(PARSE("-v=10"), KM_OK);
    assert_int_equal(flags.verbosity, 10);
    assert_int_equal(parse(0, NULL), KM_OK);
    assert_int_equal(flags.verbosity, -1);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--colour", "red"), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "unknown flag: --colour (see `kubemote help`)");
    assert_int_equal(PARSE("--kubeconfig"), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "--kubeconfig needs a value");
    assert_int_equal(PARSE("-x"), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "unknown shorthand flag: 'x' in -x");
    assert_int_equal(PARSE("-v", "many"), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "-v takes a number from 0 to 10, not \"many\"");
    assert_int_equal(PARSE("-v", "11"), KM_ERR_CONFIG);
    assert_int_equal(PARSE("-v=-2"), KM_ERR_CONFIG);
    assert_int_equal(PARSE("--print-node=perhaps"), KM_ERR_CONFIG);
    assert_int_equal(PARSE("--config", "--node-name", "x"), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "--config needs a value, not --node-name");
    assert_int_equal(PARSE("--node-name=a", "--node-name", "b"), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "--node-name stands twice: \"a\" and \"b\"");
    assert_int_equal(PARSE("--node-name=a", "--node-name", "a"), KM_OK);
    assert_int_equal(PARSE("stray"), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "unexpected argument \"stray\"");
}

static void empty_values_are_refused(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--node-name="), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "--node-name needs a value");
    assert_int_equal(PARSE("--node-name", ""), KM_ERR_CONFIG);
    assert_int_equal(PARSE("--config=--a"), KM_OK);
    assert_string_equal(flags.config, "--a");
    assert_int_equal(PARSE("--print-node=false"), KM_OK);
    assert_false(flags.print_node);
}

static void help_wins(void **state)
{
    (void)state;
    capture_begin();
    int err = PARSE("--help", "--node-name=");
    const char *text = capture_end();
    assert_int_equal(err, KM_OK);
    assert_true(flags.help);
    assert_non_null(strstr(text, "--node-name"));
}

static int main_of(int argc, const char *const *argv)
{
    static const struct km_cli_env env = {.version = "1.2.3"};
    return km_cli_main(&env, argc, (char **)(uintptr_t)argv);
}

static void version_needs_no_server(void **state)
{
    const char *const argv[] = {"kubemote", "--version"};
    (void)state;
    capture_begin();
    int status = main_of(2, argv);
    assert_string_equal(capture_end(), "kubemote 1.2.3\n");
    assert_int_equal(status, 0);
}

static void every_command_has_help_with_examples(void **state)
{
    (void)state;
    for (const struct command *const *c = cli_commands; *c != NULL; c++) {
        char first[32];
        const char *blank = strchr((*c)->name, ' ');
        size_t len = blank == NULL ? strlen((*c)->name) : (size_t)(blank - (*c)->name);
        (void)snprintf(first, sizeof first, "%.*s", (int)len, (*c)->name);
        const char *const argv[] = {"kubemote", first, blank == NULL ? "--help" : blank + 1,
                                    "--help"};
        capture_begin();
        int status = main_of(blank == NULL ? 3 : 4, argv);
        const char *text = capture_end();
        assert_int_equal(status, 0);
        assert_non_null(strstr(text, "Usage:"));
        assert_non_null(strstr(text, "Examples:"));
        assert_non_null(strstr(text, "--kubeconfig"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_take_values_in_both_forms),
        cmocka_unit_test(verbosity_has_three_forms),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(empty_values_are_refused),
        cmocka_unit_test(help_wins),
        cmocka_unit_test(version_needs_no_server),
        cmocka_unit_test(every_command_has_help_with_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
