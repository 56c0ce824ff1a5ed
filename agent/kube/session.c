/* SPDX-License-Identifier: Apache-2.0 */
/* All that a program needs before its first request, and the end of it. */
#include "kube_priv.h"
#include "kubemote/km_rest.h"

/* client-go's defaults. */
#define QPS 5
#define BURST 10

/* TLS has one set of credentials in a process: with two sessions the first one would go on with the second one's. */
static const struct km_session *open_session;

static int open_lane(struct km_session *s, const struct km_kubeconfig_options *where,
                     struct km_fault *fault)
{
    static const struct km_kubeconfig_options usual;
    int err = km_kubeconfig_load(where != NULL ? where : &usual, &s->config, fault);
    if (err == KM_OK)
        err = km_client_tls(&s->config, fault);
    if (err != KM_OK)
        return err;
    km_loop_init(&s->loop);
    err = km_client_init(&s->client, &s->config, &s->loop, fault);
    if (err != KM_OK)
        return err;
    s->loop.now_ms = km_port_now_ms();
    km_client_limit(&s->client, QPS, BURST);
    return km_lane_init(&s->lane, &s->client, "requests");
}

int km_session_open(struct km_session *s, const struct km_kubeconfig_options *where,
                    struct km_fault *fault)
{
    if (open_session != NULL)
        return km_fault_set(fault, KM_ERR_ARG,
                            "a session is open in this process: km_session_close ends it");
    int err = open_lane(s, where, fault);
    if (err == KM_OK)
        open_session = s;
    else
        km_kubeconfig_wipe(&s->config);
    return err;
}

int km_session_close(struct km_session *s)
{
    if (open_session != s)
        return KM_OK;
    int err = km_client_close(&s->client);
    if (err != KM_OK)
        return err;
    km_kubeconfig_wipe(&s->config);
    open_session = NULL;
    return KM_OK;
}

static void close_lane(struct km_client *client, struct km_lane *lane)
{
    while (lane->waiting != NULL)
        km_request_cancel(lane->waiting);
    if (lane->active != NULL)
        km_request_cancel(lane->active);
    km_conn_abort(&lane->conn, KM_ERR_CANCELED, "closed by us", client->loop->now_ms);
    km_loop_remove(client->loop, &lane->conn);
}

int km_client_close(struct km_client *client)
{
    struct km_counter *counters[] = {&client->requests, &client->failures, &client->hostile,
                                     &client->suspects, &client->creds_reloads};
    if (client->loop->turning)
        return KM_ERR_REENTRANT;
    kube_cancel_retries(client);
    for (uint16_t i = 0; i < client->lane_count; i++)
        close_lane(client, client->lanes[i]);
    client->lane_count = 0;
    km_timer_stop(&client->loop->timers, &client->token_timer);
    km_timer_stop(&client->loop->timers, &client->drop_timer);
    for (unsigned i = 0; i < sizeof counters / sizeof counters[0]; i++)
        km_counter_unregister(counters[i]);
    kube_wipe(client->token, sizeof client->token);
    return KM_OK;
}
