/* SPDX-License-Identifier: Apache-2.0 */
/* What a binary without kubectl's commands has beside `kubemote run`. */
#include <string.h>

#include "cli_priv.h"

#ifndef CONFIG_KM_CLI

static const char usage[] = "kubemote shows this machine as a node of a Kubernetes cluster.\n"
                            "\n"
                            "Usage:\n"
                            "  kubemote run [flags]   join the cluster and stay\n"
                            "  kubemote version       print the version\n"
                            "  kubemote help          print this text\n"
                            "\n"
                            "Flags of run:\n";

static bool is_one_of(const char *name, const char *a, const char *b)
{
    return strcmp(name, a) == 0 || strcmp(name, b) == 0;
}

static void print_usage(void)
{
    out_text(usage);
    run_flags_print();
}

int km_cli_main(const struct km_cli_env *env, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    bool version = is_one_of(name, "version", "--version");
    if (!version && !is_one_of(name, "help", "--help") && strcmp(name, "-h") != 0) {
        err_printf("error: unknown command \"%.80s\" for \"kubemote\"\n"
                   "See 'kubemote help' for usage.\n",
                   name);
        return 1;
    }
    if (argc > 2) {
        err_printf("error: %s: extra arguments: [%.80s]\n", name, argv[2]);
        return 1;
    }
    if (version)
        out_printf("kubemote %s\n", env->version);
    else
        print_usage();
    out_flush();
    return 0;
}

#endif
