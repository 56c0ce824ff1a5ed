/* SPDX-License-Identifier: Apache-2.0 */
/* The composition root: the only file that sees every room. */
#include <string.h>

#include "km_version.h"
#include "kubemote/km_cli.h"
#include "kubemote/km_kube.h"
#include "kubemote/km_log.h"
#include "kubemote/km_log_sink.h"
#include "kubemote/km_metrics.h"
#include "kubemote/km_node.h"
#include "kubemote/km_yaml.h"

#define METRICS_MS 15000
#define STOP_MS 12000 /* longer than any write may take */
#define TURN_MS 60000
#define TRIM_MS 30000

static struct km_kubeconfig kubeconfig KM_POOL_STORAGE(kubeconfig);
static struct km_node_config config KM_POOL_STORAGE(node_config);
static struct km_loop loop KM_POOL_STORAGE(loop);
static struct km_metrics_file metrics;
static char node_name[KM_NODE_NAME_SIZE];

static void say(int fd, const char *text)
{
    (void)km_port_write(fd, text, strlen(text));
}

static int fail(const struct km_fault *fault)
{
    say(2, "error: ");
    say(2, fault->text);
    say(2, "\n");
    return 1;
}

static void print_line(void *ctx, const char *line)
{
    (void)ctx;
    say(1, line);
    say(1, "\n");
}

/* ---- gauges that only the root can read ---- */

static int64_t tls_value(void *ctx)
{
    struct km_tls_stats stats;
    km_tls_stats(&stats);
    const uint32_t values[] = {
        stats.handshakes_full, stats.handshakes_resumed, stats.handshakes_failed,
        stats.arena_size,      stats.arena_used,         stats.arena_max,
        stats.slots_used,      stats.slots_max,          stats.refused};
    return values[(uintptr_t)ctx];
}

static void register_tls_gauges(void)
{
    static const char *const names[] = {
        "kubemote_tls_handshakes_full",   "kubemote_tls_handshakes_resumed",
        "kubemote_tls_handshakes_failed", "kubemote_tls_arena_size_bytes",
        "kubemote_tls_arena_used_bytes",  "kubemote_tls_arena_max_bytes",
        "kubemote_tls_slots_used",        "kubemote_tls_slots_max",
        "kubemote_tls_arena_refused",
    };
    static struct km_gauge gauges[sizeof names / sizeof names[0]];
    for (uintptr_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        gauges[i].name = names[i];
        gauges[i].value = tls_value;
        gauges[i].ctx = (void *)i;
        km_gauge_register(&gauges[i]);
    }
}

static int64_t wall_seconds(void *ctx)
{
    (void)ctx;
    return km_port_wall_us() / 1000000;
}

static void start_metrics(const struct km_run_flags *cli)
{
    static struct km_gauge build = {.name = "kubemote_time_seconds", .value = wall_seconds};
    const char *path = cli->metrics_file != NULL ? cli->metrics_file : config.metrics_file;
    if (path[0] == '\0')
        return;
    km_gauge_register(&build);
    register_tls_gauges();
    (void)km_metrics_file_start(&metrics, &loop.timers, path, METRICS_MS, loop.now_ms);
}

/* ---- configuration ---- */

static void lower(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
    }
}

static int choose_name(const struct km_run_flags *cli, struct km_fault *fault)
{
    struct km_port_uname names = {0};
    const char *name = cli->node_name != NULL ? cli->node_name : config.node_name;
    if (name[0] == '\0' && km_port_uname(&names) == KM_OK) {
        lower(names.nodename);
        name = names.nodename;
    }
    struct km_fault why = {0};
    if (km_node_name_check(name, &why) != KM_OK)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s: %s",
                            cli->node_name != NULL ? "--node-name"
                                                   : "the host name (--node-name gives another)",
                            why.text);
    int err = km_slice_copy(km_slice_of(name), node_name, sizeof node_name);
    config.node_name = node_name;
    return err;
}

/* client-go goes on without credentials; a node can do nothing without them, so the name is a slip. */
static int check_user(struct km_fault *fault)
{
    if (!kubeconfig.user_missing)
        return KM_OK;
    return km_fault_set(fault, KM_ERR_CONFIG, "%s:%lu: user \"%.80s\" does not exist",
                        km_path_tail(kubeconfig.source), (unsigned long)kubeconfig.user_line,
                        kubeconfig.user);
}

static int load(const struct km_run_flags *cli, struct km_fault *fault)
{
    const struct km_kubeconfig_options where = {
        .path = cli->kubeconfig, .context = cli->context, .order = KM_IN_CLUSTER_FIRST};
    int err = km_node_config_load(cli->config, &config, fault);
    if (err == KM_OK)
        err = choose_name(cli, fault);
    if (err == KM_OK)
        err = km_kubeconfig_load(&where, &kubeconfig, fault);
    if (err == KM_OK)
        err = check_user(fault);
    if (err == KM_OK)
        km_resolve_files(config.resolv_conf[0] != '\0' ? config.resolv_conf : NULL,
                         config.hosts[0] != '\0' ? config.hosts : NULL, 0);
    return err;
}

/* ---- run ---- */

static void run_loop(void)
{
    int64_t trim_ms = loop.now_ms + TRIM_MS;
    while (!km_port_stop_requested()) {
        km_loop_turn(&loop, TURN_MS);
        if (loop.now_ms < trim_ms)
            continue;
        km_port_trim();
        trim_ms = loop.now_ms + TRIM_MS;
    }
    KM_INFO("Stopping: the writes under way are finished first", KM_S("node", config.node_name));
    km_agent_stop();
    int64_t until_ms = loop.now_ms + STOP_MS;
    while (!km_agent_idle() && loop.now_ms < until_ms)
        km_loop_turn(&loop, until_ms - loop.now_ms);
    if (metrics.path != NULL)
        (void)km_metrics_file_write(&metrics);
    KM_INFO("Stopped", KM_S("node", config.node_name), KM_B("wasReady", km_agent_was_ready()));
}

static int run(const struct km_run_flags *cli)
{
    struct km_fault fault = {0};
    if (load(cli, &fault) != KM_OK)
        return fail(&fault);
    km_log_text_init(2, cli->verbosity >= 0 ? (int)cli->verbosity : config.log_verbosity);
    if (km_port_seal() != KM_OK) {
        (void)km_fault_set(&fault, KM_ERR_ARG,
                           "start-up memory is still in use at the seal: this is a bug");
        return fail(&fault);
    }
    km_port_signals();
    if (km_client_tls(&kubeconfig, &fault) != KM_OK)
        return fail(&fault);
    km_loop_init(&loop);
    const struct km_agent_options options = {
        .config = &config, .kubeconfig = &kubeconfig, .print = cli->print_node ? print_line : NULL};
    if (km_agent_init(&options, &loop, &fault) != KM_OK)
        return fail(&fault);
    KM_INFO("Starting", KM_S("version", KM_VERSION), KM_S("node", config.node_name),
            KM_S("server", kubeconfig.authority), KM_S("credentials", kubeconfig.source));
    if (kubeconfig.creds_unused)
        KM_WARN("The server is plain http: the credentials of the kubeconfig are not sent to it",
                KM_S("server", kubeconfig.authority));
    start_metrics(cli);
    km_agent_start();
    run_loop();
    return 0;
}

int main(int argc, char **argv)
{
    struct km_run_flags flags;
    struct km_fault fault = {0};
    const struct km_cli_env env = {.kubeconfig = &kubeconfig,
                                   .loop = &loop,
                                   .version = KM_VERSION,
                                   .terminal = km_port_is_terminal(2)};
    if (argc < 2 || strcmp(argv[1], "run") != 0)
        return km_cli_main(&env, argc, argv);
    if (km_run_parse(argc - 2, argv + 2, &flags, &fault) != KM_OK)
        return fail(&fault);
    return flags.help ? 0 : run(&flags);
}
