/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of kubemote-check. Each gets its own name in argv[0] and returns the exit code: 0 accepted, 1 refused, 2
   wrong usage. */
#ifndef CHECK_H
#define CHECK_H

int check_json(int argc, char **argv);
int check_json_project(int argc, char **argv);
int check_http(int argc, char **argv);
int check_quantity(int argc, char **argv);
int check_duration(int argc, char **argv);
int check_time(int argc, char **argv);
int check_labelselector(int argc, char **argv);
int check_fieldselector(int argc, char **argv);
int check_name(int argc, char **argv);
int check_yaml(int argc, char **argv);
int check_kind(int argc, char **argv);
int check_request(int argc, char **argv);
int check_pages(int argc, char **argv);
int check_discovery(int argc, char **argv);
int check_kubeconfig(int argc, char **argv);
int check_klog(int argc, char **argv);

/* Prints the usage of one subcommand to stderr and returns 2. */
int check_usage(const char *name);

#endif
