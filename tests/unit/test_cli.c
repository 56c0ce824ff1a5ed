/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_cli.h"
#include "km_test.h"

static struct km_cli cli;
static struct km_fault fault;

static int parse(int argc, const char *const *argv)
{
    memset(&fault, 0, sizeof fault);
    return km_cli_parse(argc, (char **)(uintptr_t)argv, &cli, &fault);
}
#define PARSE(...) \
    parse((int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), \
          (const char *const[]){__VA_ARGS__})

static void flags_take_values_in_both_forms(void **state)
{
    (void)state;
    assert_int_equal(
        PARSE("kubemote", "run", "--kubeconfig", "a", "--node-name=b", "--config", "c", "-v", "6"),
        KM_OK);
    assert_int_equal(cli.command, KM_COMMAND_RUN);
    assert_string_equal(cli.kubeconfig, "a");
    assert_string_equal(cli.node_name, "b");
    assert_string_equal(cli.config, "c");
    assert_int_equal(cli.verbosity, 6);
    assert_false(cli.print_node);
}

static void verbosity_has_three_forms(void **state)
{
    (void)state;
    assert_int_equal(PARSE("kubemote", "run", "-v4"), KM_OK);
    assert_int_equal(cli.verbosity, 4);
    assert_int_equal(PARSE("kubemote", "run", "--v=2"), KM_OK);
    assert_int_equal(cli.verbosity, 2);
    assert_int_equal(PARSE("kubemote", "run", "-v=10"), KM_OK);
    assert_int_equal(cli.verbosity, 10);
    assert_int_equal(PARSE("kubemote", "run"), KM_OK);
    assert_int_equal(cli.verbosity, -1);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    assert_int_equal(PARSE("kubemote", "fly"), KM_ERR_CONFIG);
    assert_non_null(strstr(fault.text, "\"fly\""));
    assert_int_equal(PARSE("kubemote", "run", "--colour", "red"), KM_ERR_CONFIG);
    assert_non_null(strstr(fault.text, "--colour"));
    assert_int_equal(PARSE("kubemote", "run", "--kubeconfig"), KM_ERR_CONFIG);
    assert_non_null(strstr(fault.text, "needs a value"));
    assert_int_equal(PARSE("kubemote", "run", "-v", "many"), KM_ERR_CONFIG);
    assert_int_equal(PARSE("kubemote", "run", "-v", "11"), KM_ERR_CONFIG);
    assert_int_equal(PARSE("kubemote", "run", "--print-node=yes"), KM_ERR_CONFIG);
    assert_int_equal(PARSE("kubemote", "run", "stray"), KM_ERR_CONFIG);
}

static void values_are_wanted_once(void **state)
{
    (void)state;
    assert_int_equal(PARSE("kubemote", "run", "--node-name="), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "--node-name needs a value");
    assert_int_equal(PARSE("kubemote", "run", "--node-name", ""), KM_ERR_CONFIG);
    assert_int_equal(PARSE("kubemote", "run", "--node-name", "--config", "c"), KM_ERR_CONFIG);
    assert_non_null(strstr(fault.text, "\"--config\""));
    assert_int_equal(PARSE("kubemote", "run", "--config=a", "--config", "b"), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "--config is given twice: \"a\" and \"b\"");
    assert_int_equal(PARSE("kubemote", "run", "--config=a", "--config", "a"), KM_OK);
    assert_int_equal(PARSE("kubemote", "run", "--config=--a"), KM_OK);
    assert_string_equal(cli.config, "--a");
    assert_int_equal(PARSE("kubemote", "version", "--config", "a"), KM_ERR_CONFIG);
    assert_int_equal(PARSE("kubemote", "help", "me"), KM_ERR_CONFIG);
}

static void help_wins(void **state)
{
    (void)state;
    assert_int_equal(PARSE("kubemote"), KM_OK);
    assert_int_equal(cli.command, KM_COMMAND_HELP);
    assert_int_equal(PARSE("kubemote", "run", "--help"), KM_OK);
    assert_int_equal(cli.command, KM_COMMAND_HELP);
    assert_int_equal(PARSE("kubemote", "--version"), KM_OK);
    assert_int_equal(cli.command, KM_COMMAND_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_take_values_in_both_forms),
        cmocka_unit_test(verbosity_has_three_forms),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(values_are_wanted_once),
        cmocka_unit_test(help_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
