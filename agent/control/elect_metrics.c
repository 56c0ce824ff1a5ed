/* SPDX-License-Identifier: Apache-2.0 */
/* client-go's metrics of leader election (component-base metrics/prometheus/clientgo/leaderelection). */
#include "kubemote/km_elect.h"

#define SENTENCES \
    " 'name' is the string used to identify the lease. Please make sure to group by name."

static bool sample_elect(void *ctx, unsigned index, struct km_sample *out)
{
    const struct km_elect_collector *c = ctx;
    bool slow = index >= c->count;

    if (index >= 2 * c->count)
        return false;
    const struct km_elect *e = c->electors[slow ? index - c->count : index];
    out->type = slow ? KM_SAMPLE_COUNTER : KM_SAMPLE_GAUGE;
    out->family = slow ? "leader_election_slowpath_total" : "leader_election_master_status";
    out->help =
        slow ? "Total number of slow path exercised in renewing leader leases." SENTENCES
             : "Gauge of if the reporting system is master of the relevant lease, 0 indicates "
               "backup, 1 indicates master." SENTENCES;
    out->value = slow ? (int64_t)e->slow_paths : e->state == KM_ELECT_LEADER;
    km_sample_label(out, "name", e->name);
    return true;
}

void km_elect_collector_register(struct km_elect_collector *c)
{
    c->collector.sample = sample_elect;
    c->collector.ctx = c;
    km_collector_register(&c->collector);
}
