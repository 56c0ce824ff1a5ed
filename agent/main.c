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
#define STOP_MS 12000      /* longer than any write may take */
#define FIRST_TRIM_MS 3000 /* the handshakes are done */
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
    const uint32_t values[] = {stats.handshakes_full,   stats.handshakes_resumed,
                               stats.handshakes_failed, stats.arena_max,
                               stats.slots_max,         stats.refused};
    return values[(uintptr_t)ctx];
}

static void register_tls_gauges(void)
{
    static const char *const names[] = {
        "kubemote_tls_handshakes_full",   "kubemote_tls_handshakes_resumed",
        "kubemote_tls_handshakes_failed", "kubemote_tls_arena_max_bytes",
        "kubemote_tls_slots_max",         "kubemote_tls_arena_refused",
    };
    static struct km_gauge gauges[sizeof names / sizeof names[0]];
    for (uintptr_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        gauges[i].name = names[i];
        gauges[i].value = tls_value;
        gauges[i].ctx = (void *)i;
        km_gauge_register(&gauges[i]);
    }
}

static int64_t ready_value(void *ctx)
{
    (void)ctx;
    return km_agent_was_ready();
}

static int64_t one(void *ctx)
{
    (void)ctx;
    return 1;
}

static bool sample_ages(void *ctx, unsigned index, struct km_sample *out)
{
    static const char *const families[] = {
        "kubemote_cache_incomplete", "kubemote_lease_age_seconds", "kubemote_watch_age_seconds"};
    struct km_agent_ages ages;

    (void)ctx;
    if (index > 3)
        return false;
    km_agent_ages(&ages);
    const int64_t values[] = {ages.pods_incomplete, ages.lease_ms, ages.pods_ms, ages.nodes_ms};
    out->family = families[index < 3 ? index : 2];
    out->type = KM_SAMPLE_GAUGE;
    out->decimals = index > 0 ? 3 : 0;
    out->value = values[index] < 0 ? -1000 : values[index];
    if (index != 1)
        km_sample_label(out, "resource", index < 3 ? "pods" : "nodes");
    return true;
}

static int64_t wall_seconds(void *ctx)
{
    (void)ctx;
    return km_port_wall_us() / 1000000;
}

/* ---- requests ---- */

static void measure(const struct km_request *r, enum km_measure what, int64_t value)
{
    const char *verb = km_http_method_name(r->method);
    if (what == KM_MEASURE_ANSWER)
        km_rest_metrics_answer(verb, r->http_status, value, r->body.len);
    else if (what == KM_MEASURE_BODY)
        km_rest_metrics_body(verb, (uint64_t)value);
    else
        km_rest_metrics_retry(verb, r->http_status);
}

/* ---- metrics and health ---- */

static const char *metrics_path(const struct km_run_flags *cli)
{
    return cli->metrics_file != NULL ? cli->metrics_file : config.metrics_file;
}

static bool are_metrics_wanted(const struct km_run_flags *cli)
{
    return metrics_path(cli)[0] != '\0' || config.metrics_listen[0] != '\0';
}

static void register_metrics(void)
{
    static struct km_gauge gauges[] = {
        {.name = "kubemote_time_seconds", .value = wall_seconds},
        {.name = "kubemote_build_info{version=\"" KM_VERSION "\"}", .value = one},
        {.name = "kubemote_node_ready", .value = ready_value},
    };
    static struct km_collector ages = {.sample = sample_ages};
    static struct km_queue_collector queues = {.count = KM_AGENT_QUEUES};
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++)
        km_gauge_register(&gauges[i]);
    register_tls_gauges();
    km_collector_register(&ages);
    queues.queues = km_agent_queues();
    km_queue_collector_register(&queues);
    km_rest_metrics_register(kubeconfig.authority);
    km_process_metrics_register();
    km_client_measure(measure);
}

static bool is_ready(void *ctx, const char **why)
{
    (void)ctx;
    *why = "the server has not accepted the Node as Ready yet";
    return km_agent_was_ready();
}

static bool is_lease_fresh(void *ctx, const char **why)
{
    struct km_agent_ages ages;
    (void)ctx;
    km_agent_ages(&ages);
    *why = "the lease was not renewed for its duration";
    return ages.lease_ms >= 0 && ages.lease_ms <= config.lease_duration_s * INT64_C(1000);
}

static bool is_alive(void *ctx, const char **why)
{
    (void)ctx;
    (void)why;
    return true; /* who answers is alive: there is one loop */
}

static int serve(struct km_fault *fault)
{
    static const struct km_check checks[] = {
        {.name = "loop", .live = true, .ready = true, .well = is_alive},
        {.name = "node", .ready = true, .well = is_ready},
        {.name = "lease", .ready = true, .well = is_lease_fresh},
    };
    static const struct km_loop_source source = {.fd_count = KM_SERVE_FDS,
                                                 .poll = km_serve_poll,
                                                 .deadline = km_serve_deadline,
                                                 .step = km_serve_step};
    const struct km_serve_options options = {.listen = config.metrics_listen,
                                             .checks = checks,
                                             .check_count = sizeof checks / sizeof checks[0]};
    int err = km_serve_start(&options, fault);
    if (err != KM_OK)
        return err;
    loop.source = &source;
    KM_INFO("Serving metrics and health", KM_S("address", config.metrics_listen),
            KM_U("port", km_serve_port()));
    return KM_OK;
}

_Static_assert(KM_SERVE_FDS <= KM_LOOP_SOURCE_FDS, "the loop has no room for the endpoint");

static int start_metrics(const struct km_run_flags *cli, struct km_fault *fault)
{
    if (!are_metrics_wanted(cli))
        return KM_OK;
    register_metrics();
    if (metrics_path(cli)[0] != '\0')
        (void)km_metrics_file_start(&metrics, &loop.timers, metrics_path(cli), METRICS_MS,
                                    loop.now_ms);
    return KM_HAS_SERVE && config.metrics_listen[0] != '\0' ? serve(fault) : KM_OK;
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
    int64_t trim_ms = loop.now_ms + FIRST_TRIM_MS;
    while (!km_port_stop_requested()) {
        km_loop_turn(&loop, trim_ms - loop.now_ms);
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
    if (KM_HAS_SERVE)
        km_serve_stop();
    KM_INFO("Stopped", KM_S("node", config.node_name), KM_B("wasReady", km_agent_was_ready()));
}

static void start_log(const struct km_run_flags *cli)
{
    const char *format = cli->log_format != NULL ? cli->log_format : config.log_format;
    const struct km_log_options options = {.format = format[0] == 'j' ? KM_LOG_JSON : KM_LOG_TEXT,
                                           .verbosity = cli->verbosity >= 0 ? (int)cli->verbosity
                                                                            : config.log_verbosity,
                                           .output = config.log_output,
                                           .file_bytes = config.log_file_bytes,
                                           .file_count = config.log_file_count};
    km_log_init(&options);
}

static int run(const struct km_run_flags *cli)
{
    struct km_fault fault = {0};
    if (load(cli, &fault) != KM_OK)
        return fail(&fault);
    start_log(cli);
    if (km_port_seal() != KM_OK) {
        (void)km_fault_set(&fault, KM_ERR_ARG,
                           "start-up memory is still in use at the seal: this is a bug");
        return fail(&fault);
    }
    km_port_signals();
    if (km_client_tls(&kubeconfig, &fault) != KM_OK)
        return fail(&fault);
    km_loop_init(&loop);
    const struct km_agent_options options = {.config = &config,
                                             .kubeconfig = &kubeconfig,
                                             .print = cli->print_node ? print_line : NULL,
                                             .measure = are_metrics_wanted(cli)};
    if (km_agent_init(&options, &loop, &fault) != KM_OK)
        return fail(&fault);
    KM_INFO("Starting", KM_S("version", KM_VERSION), KM_S("node", config.node_name),
            KM_S("server", kubeconfig.authority), KM_S("credentials", kubeconfig.source));
    if (kubeconfig.creds_unused)
        KM_WARN("The server is plain http: the credentials of the kubeconfig are not sent to it",
                KM_S("server", kubeconfig.authority));
    if (start_metrics(cli, &fault) != KM_OK)
        return fail(&fault);
    /* Files and certificates are read: their code makes room for that of the connections. */
    km_port_trim();
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
    if (!km_run_is_wanted(&argc, argv))
        return km_cli_main(&env, argc, argv);
    if (km_run_parse(argc - 1, argv + 1, &flags, &fault) != KM_OK)
        return fail(&fault);
    return flags.help ? 0 : run(&flags);
}
