/* SPDX-License-Identifier: Apache-2.0 */
#include "net_priv.h"

struct net_counters net_counters = {
    .connect_failures = {.name = "kubemote_net_connect_failures_total"},
    .handshake_failures = {.name = "kubemote_net_handshake_failures_total"},
    .timeouts = {.name = "kubemote_net_timeouts_total"},
    .stale = {.name = "kubemote_net_stale_connections_total"},
    .head_too_large = {.name = "kubemote_http_head_too_large_total"},
    .answers_refused = {.name = "kubemote_http_answers_refused_total"},
    .request_too_large = {.name = "kubemote_http_request_too_large_total"},
    .timers_refused = {.name = "kubemote_loop_timers_refused_total"},
};

void net_counters_register(void)
{
    km_counter_register(&net_counters.connect_failures);
    km_counter_register(&net_counters.handshake_failures);
    km_counter_register(&net_counters.timeouts);
    km_counter_register(&net_counters.stale);
    km_counter_register(&net_counters.head_too_large);
    km_counter_register(&net_counters.answers_refused);
    km_counter_register(&net_counters.request_too_large);
    km_counter_register(&net_counters.timers_refused);
}
