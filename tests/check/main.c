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
    {"kind", check_kind, "KIND [FILE]",
     "the fields of a typed kind (Pod, Lease, ...) with their sizes; with FILE that object after "
     "its "
     "way through the kind's record"},
    {"request", check_request, "VERB RESOURCE [--OPTION VALUE]...",
     "what the client sends: method, target, accept, contentType and body as one JSON object, or "
     "why "
     "nothing is sent.\n"
     "        VERB: get list watch create update patch delete deletecollection raw; RESOURCE: "
     "v1/pods, "
     "apps/v1/deployments,\n"
     "        or with raw a path. Options: namespace name subresource, body FILE, type "
     "json|merge|strategic|apply, accept,\n"
     "        userAgent, and the API's own query options and DeleteOptions by their names "
     "(labelSelector, limit, dryRun,\n"
     "        gracePeriodSeconds, preconditionUID, ...). With --send KUBECONFIG it is sent "
     "(--repeat N "
     "times, --retries N,\n"
     "        --timeout MS, --pause MS, --qps N, --burst N) and each answer is a line: http, "
     "error, body or "
     "the Status; the\n"
     "        last line counts TLS handshakes, connections and credentials that were read again"},
    {"pages", check_pages, "KUBECONFIG PLURAL LIMIT [restart]",
     "a list of the core group in pages: each item's name, then its resourceVersion and the "
     "counts; "
     "with restart a list that gets too old is asked for as a whole"},
    {"discovery", check_discovery, "KUBECONFIG FOLDER [SECONDS [NAME | KIND=APIVERSION]...]",
     "the server's resources, or what each name or kind stands for; FOLDER keeps the answer for "
     "SECONDS"},
    {"kubeconfig", check_kubeconfig, "FILE[:FILE...] [--FLAG VALUE]...",
     "the settings of the current context as one JSON object, secrets included; "
     "several files are merged. Flags as kubectl's: context cluster user server token "
     "tls-server-name as "
     "certificate-authority client-certificate client-key; service-account FOLDER where there is "
     "no "
     "configuration"},
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
