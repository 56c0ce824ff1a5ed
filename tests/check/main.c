/* SPDX-License-Identifier: Apache-2.0 */
/* kubemote-check: shows what the project's own parsers make of a file, for tests and for outsiders. */
#include <stdio.h>
#include <string.h>

int check_json(int argc, char **argv);
int check_json_project(int argc, char **argv);
int check_http(int argc, char **argv);

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;
} commands[] = {
    {"json", check_json, "FILE [--cut SEED]"},
    {"json-project", check_json_project, "FILE [--cut SEED] POINTER..."},
    {"http", check_http, "FILE --method METHOD [--cut SEED]"},
};

int main(int argc, char **argv)
{
    size_t count = sizeof commands / sizeof commands[0];

    for (size_t i = 0; argc > 1 && i < count; i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "usage: kubemote-check %s %s\n", commands[i].name, commands[i].usage);
    return 2;
}
