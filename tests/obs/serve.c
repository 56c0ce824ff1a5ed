/* SPDX-License-Identifier: Apache-2.0 */
/*
 * obs-serve LISTEN: the endpoint with metrics of each kind, for tests from outside. Prints the port and serves, sealed, until it
 * gets SIGTERM. Of its checks for /readyz, "moody" fails every other time it is asked.
 */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_http.h"
#include "kubemote/km_log_sink.h"
#include "kubemote/km_metrics.h"
#include "kubemote/km_queue.h"

static struct km_loop loop;
static int64_t fake_ns;

static int64_t now_ns(void *ctx)
{
    (void)ctx;
    return fake_ns;
}

KM_QUEUE_METRICS_DEFINE(first_measures, 4, now_ns, NULL);
KM_QUEUE_METRICS_DEFINE(second_measures, 4, now_ns, NULL);
KM_QUEUE_DEFINE(first, 4, 5, 1000);
KM_QUEUE_DEFINE(second, 4, 5, 1000);

static bool well(void *ctx, const char **why)
{
    (void)ctx;
    (void)why;
    return true;
}

static bool moody(void *ctx, const char **why)
{
    static unsigned asked;

    (void)ctx;
    *why = "in a bad mood";
    return asked++ % 2 == 1;
}

static int64_t below(void *ctx)
{
    (void)ctx;
    return -40;
}

static void use_queues(void)
{
    uint16_t key;

    first.metrics = &first_measures;
    second.metrics = &second_measures;
    km_queue_init(&first);
    km_queue_init(&second);
    for (uint16_t i = 0; i < 4; i++) {
        (void)km_queue_add(&first, i);
        fake_ns += 1500;
        if (km_queue_get(&first, &key, 0) == KM_OK) {
            fake_ns += 25000000;
            km_queue_done(&first, key);
        }
    }
    (void)km_queue_add(&second, 1);
}

static void use_rest(void)
{
    km_rest_metrics_register("api.example:6443");
    km_rest_metrics_answer("GET", 200, 3, 0);
    km_rest_metrics_answer("GET", 200, 70000, 0);
    km_rest_metrics_answer("PATCH", 409, 25, 700);
    km_rest_metrics_answer("POST", 0, 10000, 5000);
    km_rest_metrics_body("GET", 1000000);
    km_rest_metrics_retry("GET", 429);
}

int main(int argc, char **argv)
{
    static struct km_gauge cold = {.name =
                                       "kubemote_temperature_celsius{place=\"a\\\"b\\\\c\\nd\"}",
                                   .help = "Cold \"here\"\\there.",
                                   .value = below};
    static struct km_pool pool = {.name = "pod", .size = 64, .used = 3, .max = 9};
    static struct km_counter counters[600];
    static char names[600][64];
    static const struct km_check checks[] = {
        {.name = "loop", .live = true, .ready = true, .well = well},
        {.name = "moody", .ready = true, .well = moody}};
    static const struct km_queue *const queues[] = {&first, &second};
    static struct km_queue_collector collector = {.queues = queues, .count = 2};
    static const struct km_loop_source source = {.fd_count = KM_SERVE_FDS,
                                                 .poll = km_serve_poll,
                                                 .deadline = km_serve_deadline,
                                                 .step = km_serve_step};
    struct km_serve_options options = {.checks = checks, .check_count = 2};
    struct km_fault fault = {0};

    if (argc != 2)
        return 2;
    options.listen = argv[1];
    km_log_text_init(2, 0);
    km_port_signals();
    use_queues();
    use_rest();
    km_pool_register(&pool);
    km_gauge_register(&cold);
    for (unsigned i = 0; i < 600; i++) {
        (void)snprintf(names[i], sizeof names[i], "kubemote_many_total{number=\"%u\"}", i);
        counters[i] = (struct km_counter){.name = names[i], .value = i, .help = "Many of them."};
        km_counter_register(&counters[i]);
    }
    km_queue_collector_register(&collector);
    km_process_metrics_register();
    km_loop_init(&loop);
    if (km_serve_start(&options, &fault) != KM_OK) {
        fprintf(stderr, "error: %s\n", fault.text);
        return 1;
    }
    loop.source = &source;
    printf("%u\n", (unsigned)km_serve_port());
    (void)fflush(stdout);
    (void)km_port_seal();
    while (!km_port_stop_requested())
        km_loop_turn(&loop, 60000);
    km_serve_stop();
    return 0;
}
