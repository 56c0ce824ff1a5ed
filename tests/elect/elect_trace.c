/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One candidate for the Lease default/elect-trace, which tells what it believes:
 *
 *   elect-trace KUBECONFIG IDENTITY LEASE_MS DEADLINE_MS RETRY_MS [release]
 *
 *   lead TERM NS        it led at that moment of CLOCK_BOOTTIME, in its TERMth term; about every 20 ms
 *   started TERM NS
 *   stopped TERM NS     after that it is a candidate again
 *   leader IDENTITY NS  who was seen in the Lease; "-" = nobody
 *
 * SIGTERM ends it: the Lease is released first when asked for. The time of a line is read before the question is put, so that
 * a process that was paused in between makes no false claim.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kubemote/km_elect.h"
#include "kubemote/km_log_sink.h"

#define TURN_MS 20

static struct km_kubeconfig kubeconfig;
static struct km_loop loop;
static struct km_client client;
static struct km_lane lane;
static struct km_elect elect;
static unsigned term;

static long long now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void on_started(void *ctx)
{
    (void)ctx;
    printf("started %u %lld\n", ++term, now_ns());
}

static void on_stopped(void *ctx)
{
    (void)ctx;
    printf("stopped %u %lld\n", term, now_ns());
    if (!km_port_stop_requested())
        km_elect_start(&elect);
}

static void on_new_leader(void *ctx, const char *identity)
{
    (void)ctx;
    printf("leader %s %lld\n", identity[0] != '\0' ? identity : "-", now_ns());
}

static void claim(void)
{
    long long at_ns = now_ns();

    if (km_elect_leading(&elect))
        printf("lead %u %lld\n", term, at_ns);
    fflush(stdout);
}

static int set_up(char **argv, bool release, struct km_fault *fault)
{
    const struct km_kubeconfig_options where = {.path = argv[1]};
    int err = km_kubeconfig_load(&where, &kubeconfig, fault);

    if (err != KM_OK)
        return err;
    const struct km_tls_creds creds = {
        .ca = kubeconfig.ca, .cert = kubeconfig.cert, .key = kubeconfig.key};
    err = km_tls_setup(&creds, fault);
    km_loop_init(&loop);
    if (err == KM_OK)
        err = km_client_init(&client, &kubeconfig, &loop, fault);
    if (err == KM_OK)
        err = km_lane_init(&lane, &client, "lock");
    elect = (struct km_elect){.ns = "default",
                              .name = "elect-trace",
                              .identity = argv[2],
                              .lease_ms = atoi(argv[3]),
                              .deadline_ms = atoi(argv[4]),
                              .retry_ms = atoi(argv[5]),
                              .release = release,
                              .client = &client,
                              .lane = &lane,
                              .on_started = on_started,
                              .on_stopped = on_stopped,
                              .on_new_leader = on_new_leader};
    return err == KM_OK ? km_elect_init(&elect, fault) : err;
}

int main(int argc, char **argv)
{
    struct km_fault fault = {0};

    if (argc < 6) {
        fprintf(stderr, "usage: elect-trace KUBECONFIG IDENTITY LEASE_MS DEADLINE_MS RETRY_MS "
                        "[release]\n");
        return 2;
    }
    km_log_text_init(2, 5);
    km_port_signals();
    if (set_up(argv, argc > 6 && strcmp(argv[6], "release") == 0, &fault) != KM_OK) {
        fprintf(stderr, "elect-trace: %s\n", fault.text);
        return 1;
    }
    km_elect_start(&elect);
    while (!km_port_stop_requested()) {
        km_loop_turn(&loop, TURN_MS);
        claim();
    }
    km_elect_stop(&elect);
    while (!km_elect_idle(&elect))
        km_loop_turn(&loop, TURN_MS);
    return 0;
}
