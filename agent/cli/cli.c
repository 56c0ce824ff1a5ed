/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_cli.h"

static const char usage[] =
    "kubemote shows this machine as a node of a Kubernetes cluster.\n"
    "\n"
    "Usage:\n"
    "  kubemote run [flags]   join the cluster and stay\n"
    "  kubemote version       print the version\n"
    "  kubemote help          print this text\n"
    "\n"
    "Flags of run:\n"
    "  --kubeconfig FILE      credentials and server (default: the service account of a pod,\n"
    "                         else $KUBECONFIG, else ~/.kube/config)\n"
    "  --context NAME         context of the kubeconfig (default: its current-context)\n"
    "  --node-name NAME       name of the Node (default: nodeName of the configuration,\n"
    "                         else the host name)\n"
    "  --config FILE          the agent's configuration (docs/CONFIGURATION.md)\n"
    "  --metrics-file FILE    write metrics there every 15 s, in Prometheus' text format\n"
    "  --log-format FORMAT    text (default) or json\n"
    "  --print-node           print the Node's row each time it changes\n"
    "  -v N                   log verbosity: 0 normal, 2 decisions, 6 requests\n"
    "\n"
    "SIGTERM and SIGINT end it: writes under way are finished, exit status 0.\n";

const char *km_cli_usage(void)
{
    return usage;
}

struct cursor {
    int argc, at;
    char **argv;
    const char *value; /* of --flag=value */
};

/* Takes the value of the present flag, from behind "=" or from the next argument. A variable of the shell that was never
   set leaves an empty value, or the next flag in its place. */
static int take_value(struct cursor *c, const char *flag, const char **out, struct km_fault *fault)
{
    const char *value = c->value;

    if (value == NULL && c->at + 1 < c->argc) {
        value = c->argv[++c->at];
        if (strncmp(value, "--", 2) == 0)
            return km_fault_set(fault, KM_ERR_CONFIG, "%s needs a value, not the flag \"%s\"", flag,
                                value);
    }
    if (value == NULL || value[0] == '\0')
        return km_fault_set(fault, KM_ERR_CONFIG, "%.*s needs a value", (int)strcspn(flag, "="),
                            flag);
    *out = value;
    return KM_OK;
}

/* The last of two values would win in silence, and be the wrong one half of the time. */
static int take_once(struct cursor *c, const char *flag, const char **out, struct km_fault *fault)
{
    const char *before = *out;

    int err = take_value(c, flag, out, fault);
    if (err != KM_OK || before == NULL || strcmp(before, *out) == 0)
        return err;
    return km_fault_set(fault, KM_ERR_CONFIG, "%.*s is given twice: \"%.80s\" and \"%.80s\"",
                        (int)strcspn(flag, "="), flag, before, *out);
}

static int take_verbosity(struct cursor *c, const char *attached, struct km_cli *out,
                          struct km_fault *fault)
{
    const char *text = attached;
    uint64_t level;
    int err = text[0] != '\0' ? KM_OK : take_value(c, "-v", &text, fault);
    if (err != KM_OK)
        return err;
    if (km_slice_to_u64(km_slice_of(text), &level) != KM_OK || level > 10)
        return km_fault_set(fault, KM_ERR_CONFIG, "-v takes a number from 0 to 10, not \"%s\"",
                            text);
    out->verbosity = (int)level;
    return KM_OK;
}

static const char **text_flag(struct km_cli *out, struct km_slice name)
{
    const struct {
        const char *name;
        const char **value;
    } flags[] = {
        {"--kubeconfig", &out->kubeconfig},     {"--context", &out->context},
        {"--node-name", &out->node_name},       {"--config", &out->config},
        {"--metrics-file", &out->metrics_file}, {"--log-format", &out->log_format},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (km_slice_eq_str(name, flags[i].name))
            return flags[i].value;
    }
    return NULL;
}

static int check_format(const char *format, struct km_fault *fault)
{
    if (strcmp(format, "text") == 0 || strcmp(format, "json") == 0)
        return KM_OK;
    return km_fault_set(fault, KM_ERR_CONFIG, "--log-format takes text or json, not \"%.80s\"",
                        format);
}

static int take_flag(struct cursor *c, struct km_cli *out, struct km_fault *fault)
{
    const char *arg = c->argv[c->at];
    if (arg[0] != '-')
        return km_fault_set(fault, KM_ERR_CONFIG, "unexpected argument \"%s\"", arg);
    if (out->command != KM_COMMAND_RUN)
        return km_fault_set(fault, KM_ERR_CONFIG, "unknown flag: %s, `kubemote %s` takes none", arg,
                            c->argv[1]);
    const char *equals = strchr(arg, '=');
    struct km_slice name = {arg, equals == NULL ? strlen(arg) : (size_t)(equals - arg)};
    c->value = equals == NULL ? NULL : equals + 1;
    const char **text = text_flag(out, name);
    if (text != NULL) {
        int err = take_once(c, arg, text, fault);
        return err == KM_OK && text == &out->log_format ? check_format(*text, fault) : err;
    }
    if (km_slice_eq_str(name, "--print-node") && equals == NULL) {
        out->print_node = true;
        return KM_OK;
    }
    if (km_slice_eq_str(name, "--v") || km_slice_eq_str(name, "-v"))
        return take_verbosity(c, "", out, fault);
    if (arg[0] == '-' && arg[1] == 'v' && arg[2] >= '0' && arg[2] <= '9')
        return take_verbosity(c, arg + 2, out, fault);
    if (km_slice_eq_str(name, "--print-node"))
        return km_fault_set(fault, KM_ERR_CONFIG, "--print-node takes no value: %s", arg);
    return km_fault_set(fault, KM_ERR_CONFIG, "unknown flag: %s (see `kubemote help`)", arg);
}

static int take_command(const char *word, struct km_cli *out, struct km_fault *fault)
{
    if (strcmp(word, "run") == 0)
        out->command = KM_COMMAND_RUN;
    else if (strcmp(word, "version") == 0 || strcmp(word, "--version") == 0)
        out->command = KM_COMMAND_VERSION;
    else if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        out->command = KM_COMMAND_HELP;
    else
        return km_fault_set(fault, KM_ERR_CONFIG, "unknown command \"%s\" (see `kubemote help`)",
                            word);
    return KM_OK;
}

int km_cli_parse(int argc, char **argv, struct km_cli *out, struct km_fault *fault)
{
    memset(out, 0, sizeof *out);
    out->verbosity = -1;
    out->command = KM_COMMAND_HELP;
    if (argc < 2)
        return KM_OK;
    int err = take_command(argv[1], out, fault);
    struct cursor c = {.argc = argc, .at = 2, .argv = argv};
    for (; err == KM_OK && c.at < argc; c.at++) {
        if (strcmp(argv[c.at], "--help") == 0 || strcmp(argv[c.at], "-h") == 0) {
            out->command = KM_COMMAND_HELP;
            return KM_OK;
        }
        err = take_flag(&c, out, fault);
    }
    return err;
}
