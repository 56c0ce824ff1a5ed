/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the command, reads its flags, runs it. */
#include <string.h>

#include "cli_priv.h"
#include "kubemote/km_log_sink.h"

/* ---- kubemote run ---- */

static struct km_run_flags run_flags;
static const char *verbosity_text;
static const struct flag run_table[] = {
    {"kubeconfig", 0, FLAG_TEXT, &run_flags.kubeconfig, "credentials and server", NULL},
    {"context", 0, FLAG_TEXT, &run_flags.context, "context of the kubeconfig", NULL},
    {"node-name", 0, FLAG_TEXT, &run_flags.node_name,
     "name of the Node (else nodeName of the configuration, else the host name)", NULL},
    {"config", 0, FLAG_TEXT, &run_flags.config, "the agent's configuration (docs/CONFIGURATION.md)",
     NULL},
    {"metrics-file", 0, FLAG_TEXT, &run_flags.metrics_file,
     "write metrics there every 15 s, in Prometheus' text format", NULL},
    {"log-format", 0, FLAG_TEXT, &run_flags.log_format, "text (default) or json", NULL},
    {"print-node", 0, FLAG_BOOL, &run_flags.print_node, "print the Node's row each time it changes",
     NULL},
    {"v", 'v', FLAG_TEXT, &verbosity_text, "log verbosity: 0 normal, 2 decisions, 6 requests",
     NULL},
    {0},
};

void run_flags_print(void)
{
    flags_print(run_table);
}

static void print_run_help(void)
{
    out_text(
        "Join the cluster as a Node and stay. SIGTERM and SIGINT end it: writes under way are\n"
        "finished, exit status 0.\n\n"
        "Usage:\n  kubemote run [flags]\n\n"
        "Examples:\n  kubemote run --node-name gateway-17 --kubeconfig /etc/kubemote/kubeconfig\n\n"
        "Flags:\n");
    run_flags_print();
    out_flush();
}

/* ---- a service file is read by nobody who would notice a slip: run is stricter than pflag ---- */

static const struct flag *const run_tables[] = {run_table, NULL};

/* The value of argv[at], NULL when it has none; of a flag without "=" the next argument. */
static const char *run_value(const struct flag *f, int argc, char **argv, int at)
{
    const char *equals = strchr(argv[at], '=');
    if (equals != NULL)
        return equals[1] != '\0' ? equals + 1 : NULL;
    if (flag_implied(f) != NULL)
        return flag_implied(f);
    bool there = at + 1 < argc && argv[at + 1][0] != '\0' && strncmp(argv[at + 1], "--", 2) != 0;
    return there ? argv[at + 1] : NULL;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int check_run_words(int argc, char **argv, struct km_fault *fault)
{
    const char *values[16] = {0};
    for (int i = 0; i < argc; i++) {
        if (is_help(argv[i]))
            return KM_OK;
    }
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0)
            continue;
        size_t len = strcspn(argv[i] + 2, "=");
        const struct flag *f = flag_find(run_tables, (struct km_slice){argv[i] + 2, len}, 0);
        if (f == NULL)
            return km_fault_set(fault, KM_ERR_CONFIG, "unknown flag: %.80s (see `kubemote help`)",
                                argv[i]);
        const char *value = run_value(f, argc, argv, i);
        if (value == NULL)
            return km_fault_set(fault, KM_ERR_CONFIG, "--%s needs a value%s%.80s", f->name,
                                i + 1 < argc ? ", not " : "", i + 1 < argc ? argv[i + 1] : "");
        const char **seen = &values[f - run_table];
        if (*seen != NULL && strcmp(*seen, value) != 0)
            return km_fault_set(fault, KM_ERR_CONFIG, "--%s stands twice: \"%.80s\" and \"%.80s\"",
                                f->name, *seen, value);
        *seen = value;
    }
    return KM_OK;
}

_Static_assert(sizeof run_table / sizeof run_table[0] <= 16, "values above has no room");

static int take_verbosity(struct km_fault *fault)
{
    uint64_t level;
    if (verbosity_text == NULL)
        return KM_OK;
    if (km_slice_to_u64(km_slice_of(verbosity_text), &level) != KM_OK || level > 10)
        return km_fault_set(fault, KM_ERR_CONFIG, "-v takes a number from 0 to 10, not \"%.80s\"",
                            verbosity_text);
    run_flags.verbosity = (int64_t)level;
    return KM_OK;
}

static int check_format(struct km_fault *fault)
{
    const char *format = run_flags.log_format;
    if (format == NULL || strcmp(format, "text") == 0 ||
        (KM_LOG_HAS_JSON && strcmp(format, "json") == 0))
        return KM_OK;
    return km_fault_set(fault, KM_ERR_CONFIG,
                        "--log-format takes " KM_LOG_FORMATS ", not \"%.80s\"", format);
}

/* ---- the command's name may stand behind flags ---- */

static const struct flag *const early_flags[] = {run_table,
#ifdef CONFIG_KM_CLI
                                                 cli_global_flags,
#endif
                                                 NULL};

/* arg: "-" and something behind it. */
static const struct flag *early_flag(const char *arg)
{
    if (strncmp(arg, "--", 2) == 0)
        return flag_find(early_flags, km_slice_of(arg + 2), 0);
    return arg[2] == '\0' ? flag_find(early_flags, (struct km_slice){0}, arg[1]) : NULL;
}

/* As cobra: what is not known may have a value. */
static bool takes_next(const char *arg)
{
    const struct flag *f = early_flag(arg);
    if (f != NULL)
        return flag_implied(f) == NULL;
    bool is_long = strncmp(arg, "--", 2) == 0 && strchr(arg, '=') == NULL;
    bool is_short = arg[1] != '-' && arg[2] == '\0';
    return (is_long || is_short) && !is_help(arg) && strcmp(arg, "--version") != 0;
}

/* Where the next word stands that is no flag; argc when there is none. */
static int next_word(int argc, char **argv, int at)
{
    while (at < argc && argv[at][0] == '-' && argv[at][1] != '\0')
        at += takes_next(argv[at]) ? 2 : 1;
    return at < argc ? at : argc;
}

static void drop(int *argc, char **argv, int at)
{
    memmove(&argv[at], &argv[at + 1], (size_t)(*argc - at - 1) * sizeof argv[0]);
    (*argc)--;
}

bool km_run_is_wanted(int *argc, char **argv)
{
    int at = next_word(*argc, argv, 1);
    if (at == *argc || strcmp(argv[at], "run") != 0)
        return false;
    drop(argc, argv, at);
    return true;
}

int km_run_parse(int argc, char **argv, struct km_run_flags *out, struct km_fault *fault)
{
    static struct words words;
    words.count = 0;
    run_flags = (struct km_run_flags){.verbosity = -1};
    verbosity_text = NULL;
    int err = check_run_words(argc, argv, fault);
    if (err == KM_OK)
        err = flags_parse(run_tables, argc, argv, &words, &run_flags.help, fault);
    if (err == KM_OK)
        err = take_verbosity(fault);
    if (err == KM_OK)
        err = check_format(fault);
    *out = run_flags;
    if (err != KM_OK)
        return err;
    if (run_flags.help)
        print_run_help();
    else if (words.count > 0)
        return km_fault_set(fault, KM_ERR_CONFIG, "unexpected argument \"%.80s\"", words.items[0]);
    return KM_OK;
}

#ifdef CONFIG_KM_CLI

/* ---- other commands ---- */

static void print_commands(void)
{
    out_text("kubemote shows this machine as a node of a Kubernetes cluster, and speaks to the "
             "cluster.\n\n"
             "Usage:\n  kubemote COMMAND [flags]\n\nCommands:\n");
    out_text("  run                     join the cluster as a Node and stay\n");
    for (const struct command *const *c = cli_commands; *c != NULL; c++) {
        out_printf("  %s", (*c)->name);
        out_pad(strlen((*c)->name), 24);
        out_printf("%s\n", (*c)->summary);
    }
    out_text("\n`kubemote COMMAND --help` tells more.\n");
    out_flush();
}

static const struct command *find_command(const char *name)
{
    for (const struct command *const *c = cli_commands; *c != NULL; c++) {
        if (strcmp((*c)->name, name) == 0)
            return *c;
    }
    return NULL;
}

static int print_help(const struct command *c)
{
    out_printf("%s\n\n%s\n", c->summary, c->usage);
    if (c->flags != NULL) {
        out_text("Flags:\n");
        flags_print(c->flags);
    }
    out_text("\nFlags of every command:\n");
    flags_print(cli_global_flags);
    out_flush();
    return 0;
}

static int run_command(const struct command *c, int argc, char **argv)
{
    static const struct flag none[] = {{0}};
    const struct flag *const tables[] = {c->flags != NULL ? c->flags : none, cli_global_flags,
                                         NULL};
    static struct words words;
    bool help = false;
    if (flags_parse(tables, argc, argv, &words, &help, &cli.fault) != KM_OK) {
        err_printf("error: %s\nSee 'kubemote %s --help' for usage.\n", cli.fault.text, c->name);
        return 1;
    }
    if (help)
        return print_help(c);
    int status = c->run(&words);
    out_flush();
    return status != 0 || !out_works() ? 1 : 0;
}

/* ---- the command's name, of one word or two ---- */

static bool is_family(const char *name)
{
    size_t len = strlen(name);
    for (const struct command *const *c = cli_commands; *c != NULL; c++) {
        if (strncmp((*c)->name, name, len) == 0 && (*c)->name[len] == ' ')
            return true;
    }
    return false;
}

static int print_family(const char *name)
{
    size_t len = strlen(name);
    out_printf("Usage:\n  kubemote %s COMMAND [flags]\n", name);
    for (const struct command *const *c = cli_commands; *c != NULL; c++) {
        if (strncmp((*c)->name, name, len) == 0 && (*c)->name[len] == ' ')
            out_printf("\n%s: %s\n\n%s", (*c)->name, (*c)->summary, (*c)->usage);
    }
    out_flush();
    return 0;
}

/* "config view": both words are taken out. */
static int run_family(const char *name, int argc, char **argv)
{
    char whole[64];
    struct km_buf text;
    int at = next_word(argc, argv, 0);
    if (at == argc)
        return print_family(name);
    km_buf_init(&text, whole, sizeof whole);
    km_buf_printf(&text, "%s %s", name, argv[at]);
    const struct command *c = text.overflow ? NULL : find_command(whole);
    if (c == NULL) {
        err_printf("error: unknown command \"%.80s\"\nSee 'kubemote %s -h' for help and examples\n",
                   argv[at], name);
        return 1;
    }
    drop(&argc, argv, at);
    return run_command(c, argc, argv);
}

static int help_command(int argc, char **argv)
{
    const struct command *c = argc > 2 ? find_command(argv[2]) : NULL;
    if (c != NULL)
        return print_help(c);
    if (argc > 2 && is_family(argv[2]))
        return print_family(argv[2]);
    print_commands();
    return 0;
}

int km_cli_main(const struct km_cli_env *env, int argc, char **argv)
{
    cli.env = env;
    int at = next_word(argc, argv, 1);
    const char *name = at < argc ? argv[at] : argc > 1 ? argv[1] : "help";
    if (strcmp(name, "help") == 0 || is_help(name))
        return help_command(argc, argv);
    if (strcmp(name, "--version") == 0) {
        out_printf("kubemote %s\n", env->version);
        out_flush();
        return 0;
    }
    const struct command *c = find_command(name);
    if (at < argc && (c != NULL || is_family(name))) {
        drop(&argc, argv, at);
        return c != NULL ? run_command(c, argc - 1, argv + 1)
                         : run_family(name, argc - 1, argv + 1);
    }
    if (at == argc && early_flag(name) != NULL)
        return help_command(1, argv);
    const char *format = at == argc ? "error: unknown flag: %.80s%s"
                                    : "error: unknown command \"%.80s\" for \"kubemote\"%s";
    err_printf(format, name, "\nSee 'kubemote help' for usage.\n");
    return 1;
}

#endif
