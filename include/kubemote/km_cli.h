/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room cli: the command line. `kubemote run` is read into a struct for the composition root; every other command runs here, to
 * its end, and gives the process its exit status. Commands, flags, messages and exit statuses are kubectl's. A command may
 * block; its memory is static and does not grow with the cluster.
 */
#ifndef KM_CLI_H
#define KM_CLI_H

#include "km_http.h"
#include "km_kubeconfig.h"

/* ---- kubemote run ---- */

struct km_run_flags {
    const char *kubeconfig, *context, *node_name, *config, *metrics_file; /* NULL: not given */
    int64_t verbosity;                                                    /* -1: not given */
    const char *log_format; /* "text" or "json"; NULL: not given */
    bool print_node, help;
};

/* The command is "run"; then that word is taken out of argv. Flags may stand in front of it. */
bool km_run_is_wanted(int *argc, char **argv);
/* The words beside "run". The strings point into argv. KM_ERR_CONFIG with words for a person: unknown flag, missing value. */
int km_run_parse(int argc, char **argv, struct km_run_flags *out, struct km_fault *fault);

/* ---- everything else ---- */

/* Storage of the composition root. */
struct km_cli_env {
    struct km_kubeconfig *kubeconfig;
    struct km_loop *loop;
    const char *version;
    bool terminal; /* a person reads standard error */
};

/* Runs the command that argv names, any but "run", and returns the exit status: 0, or 1 with a message on standard error. */
int km_cli_main(const struct km_cli_env *env, int argc, char **argv);

#endif
