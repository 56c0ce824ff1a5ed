/* SPDX-License-Identifier: Apache-2.0 */
/* Room cli: the command line. Reads arguments into a struct; starts nothing. */
#ifndef KM_CLI_H
#define KM_CLI_H

#include "km_base.h"

enum km_command { KM_COMMAND_RUN, KM_COMMAND_VERSION, KM_COMMAND_HELP };

struct km_cli {
    enum km_command command;
    const char *kubeconfig, *context, *node_name, *config, *metrics_file; /* NULL: not given */
    int verbosity;                                                        /* -1: not given */
    const char *log_format; /* "text" or "json"; NULL: not given */
    bool print_node;
};

/* The strings point into argv. KM_ERR_CONFIG with words for a person: unknown command, unknown flag, missing value. */
int km_cli_parse(int argc, char **argv, struct km_cli *out, struct km_fault *fault);
/* The text of `kubemote help`. */
const char *km_cli_usage(void);

#endif
