/* SPDX-License-Identifier: Apache-2.0 */
/* kubemote-check: shows what the project's own parsers make of a file or a string, for tests and for outsiders. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_scalar.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage, *help;
} commands[] = {
    {"json", check_json, "FILE [--cut SEED]",
     "is the file one JSON text: {\"verdict\":\"accept\"} or "
     "{\"verdict\":\"reject\",\"offset\":N,\"error\":\"...\"}"},
    {"json-project", check_json_project, "FILE [--cut SEED] POINTER...",
     "one JSON object: each pointer (RFC 6901) that is there, with its value as it stands"},
    {"http", check_http, "FILE --method METHOD [--cut SEED]",
     "the bytes of a connection's server side as one response: status, interim, headers, body_len, "
     "body_sha256, reusable, "
     "leftover; or {\"error\":\"...\"}"},
    {"quantity", check_quantity, "STRING [--scale N | --compare STRING]",
     "canonical form; with --scale its value in units of 1/N (1, 1000, ...), rounded up; with "
     "--compare -1, 0 or 1"},
    {"duration", check_duration, "STRING [--human | --short]",
     "canonical form of a Go duration (metav1.Duration); --human as in kubectl's column AGE, "
     "--short in one unit"},
    {"time", check_time, "STRING [--micro]",
     "canonical form of a metav1.Time, or of a metav1.MicroTime; null for the zero time"},
    {"labelselector", check_labelselector, "STRING [--match [KEY=VALUE...]]",
     "canonical form; with --match true or false: does it select these labels"},
    {"fieldselector", check_fieldselector, "STRING [--match [FIELD=VALUE...]]",
     "canonical form; with --match true or false: does it select these fields"},
    {"name", check_name, "STRING [--check KIND]", "the name itself when it is one; kinds below"},
    {"yaml", check_yaml, "FILE",
     "the file's documents (YAML or JSON) as JSON, one a line, typed as sigs.k8s.io/yaml types "
     "them"},
    {"kubeconfig", check_kubeconfig, "FILE[:FILE...] [--context CONTEXT]",
     "the settings of the current context or of CONTEXT as one JSON object, secrets included; "
     "several files are merged"},
    {"klog", check_klog, "FILE [--json]",
     "the lines that the log writes for the file's cases (message, values, severity, withNames, "
     "...), "
     "in klog's text or JSON format"},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

int check_usage(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            fprintf(stderr, "usage: kubemote-check %s %s\n", name, commands[i].usage);
    }
    return 2;
}

static int help(FILE *to, int result)
{
    fputs(
        "kubemote-check shows what kubemote's own parsers make of a file or a string.\n"
        "Exit 0: accepted, 1: refused, 2: wrong usage. A refused STRING or FILE has its reason on "
        "standard error,\n"
        "except with json and http, which print it. --cut feeds the file in pieces: byte by byte "
        "with seed 0, cut at\n"
        "random with another seed; the answer must not change. A STRING may begin with a dash.\n\n",
        to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %s %s\n        %s\n", commands[i].name, commands[i].usage, commands[i].help);
    fputs("  kinds of names:\n", to);
    for (unsigned kind = 0; kind < KM_NAME_KINDS; kind++)
        fprintf(to, "        %s%s\n", km_name_kind_word((enum km_name_kind)kind),
                kind == KM_NAME_DNS1123_SUBDOMAIN ? " (when --check is not given)" : "");
    return result;
}

int main(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
                     strcmp(argv[1], "help") == 0))
        return help(stdout, 0);
    for (size_t i = 0; argc > 1 && i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        return argc > 2 ? commands[i].run(argc - 1, argv + 1) : check_usage(argv[1]);
    }
    return help(stderr, 2);
}
