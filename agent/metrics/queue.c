/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_metrics.h"
#include "kubemote/km_queue.h"

#define NANO_DECIMALS 9

_Static_assert(KM_QUEUE_BOUNDS <= KM_HISTOGRAM_BOUNDS, "a queue's histogram does not fit");

static void fill(struct km_sample *out, const struct km_queue_sample *from)
{
    static const enum km_sample_type types[] = {[KM_QUEUE_COUNTER] = KM_SAMPLE_COUNTER,
                                                [KM_QUEUE_GAUGE] = KM_SAMPLE_GAUGE,
                                                [KM_QUEUE_SECONDS] = KM_SAMPLE_GAUGE,
                                                [KM_QUEUE_HISTOGRAM] = KM_SAMPLE_HISTOGRAM};

    out->family = from->name;
    out->help = from->help;
    out->type = types[from->kind];
    out->value = from->value;
    if (from->kind == KM_QUEUE_SECONDS || from->kind == KM_QUEUE_HISTOGRAM)
        out->decimals = NANO_DECIMALS;
    if (from->kind != KM_QUEUE_HISTOGRAM)
        return;
    out->scale.count = KM_QUEUE_BOUNDS;
    out->scale.decimals = NANO_DECIMALS;
    for (unsigned i = 0; i < KM_QUEUE_BOUNDS; i++)
        out->scale.bounds[i] = km_queue_bound_ns(i);
    memcpy(out->histogram.buckets, from->histogram.buckets, sizeof from->histogram.buckets);
    out->histogram.count = from->histogram.count;
    out->histogram.sum = from->histogram.sum_ns;
}

/* Metric by metric, all queues of each: a family stands together. Queues without measures tell
   nothing, as client-go's without a name. */
static bool sample_queue(void *ctx, unsigned index, struct km_sample *out)
{
    const struct km_queue_collector *c = ctx;
    struct km_queue_sample sample;
    unsigned measured = 0, place;

    for (unsigned i = 0; i < c->count; i++)
        measured += c->queues[i]->metrics != NULL;
    if (measured == 0)
        return false;
    place = index % measured;
    for (unsigned i = 0; i < c->count; i++) {
        if (c->queues[i]->metrics == NULL || place-- > 0)
            continue;
        if (km_queue_sample(c->queues[i], index / measured, &sample) != KM_OK)
            return false;
        fill(out, &sample);
        km_sample_label(out, "name", c->queues[i]->name);
        return true;
    }
    return false;
}

void km_queue_collector_register(struct km_queue_collector *c)
{
    c->collector.sample = sample_queue;
    c->collector.ctx = c;
    km_collector_register(&c->collector);
}
