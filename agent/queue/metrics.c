/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "queue_priv.h"

int64_t km_queue_bound_ns(unsigned place)
{
    int64_t bound = 10;

    if (place >= KM_QUEUE_BOUNDS)
        return KM_NEVER;
    while (place-- > 0)
        bound *= 10;
    return bound;
}

static void observe(struct km_queue_histogram *h, int64_t ns)
{
    unsigned place = 0;

    while (ns > km_queue_bound_ns(place))
        place++;
    h->buckets[place]++;
    h->count++;
    h->sum_ns += ns > 0 ? (uint64_t)ns : 0;
}

static void reset(struct km_queue_metrics *m)
{
    for (uint16_t i = 0; i < m->key_count; i++)
        m->added_ns[i] = m->started_ns[i] = KM_NEVER;
    m->adds = m->retries = 0;
    m->depth = 0;
    memset(&m->waited, 0, sizeof m->waited);
    memset(&m->worked, 0, sizeof m->worked);
    m->unfinished_ns = m->longest_ns = 0;
}

/* The duration since *start_ns goes into the histogram; from now on there is none. */
static void finish(struct km_queue_histogram *h, int64_t *start_ns, int64_t now_ns)
{
    if (*start_ns != KM_NEVER)
        observe(h, now_ns - *start_ns);
    *start_ns = KM_NEVER;
}

static void update(struct km_queue_metrics *m, int64_t now_ns)
{
    m->unfinished_ns = m->longest_ns = 0;
    for (uint16_t i = 0; i < m->key_count; i++) {
        int64_t age_ns = m->started_ns[i] == KM_NEVER ? 0 : now_ns - m->started_ns[i];

        m->unfinished_ns += age_ns;
        m->longest_ns = age_ns > m->longest_ns ? age_ns : m->longest_ns;
    }
}

void km_queue_metrics_event(struct km_queue_metrics *m, enum km_queue_event event, uint16_t key)
{
    int64_t now_ns = m->now_ns(m->ctx);

    switch (event) {
    case KM_QUEUE_RESET:
        reset(m);
        break;
    case KM_QUEUE_ADDED:
        m->adds++;
        m->depth++;
        if (m->added_ns[key] == KM_NEVER)
            m->added_ns[key] = now_ns;
        break;
    case KM_QUEUE_TAKEN:
        m->depth--;
        m->started_ns[key] = now_ns;
        finish(&m->waited, &m->added_ns[key], now_ns);
        break;
    case KM_QUEUE_FINISHED:
        finish(&m->worked, &m->started_ns[key], now_ns);
        break;
    case KM_QUEUE_RETRIED:
        m->retries++;
        break;
    case KM_QUEUE_UPDATED:
        update(m, now_ns);
        break;
    }
}

static const struct {
    const char *name, *help;
    enum km_queue_kind kind;
} samples[] = {
    {"workqueue_depth", "Current depth of workqueue", KM_QUEUE_GAUGE},
    {"workqueue_adds_total", "Total number of adds handled by workqueue", KM_QUEUE_COUNTER},
    {"workqueue_queue_duration_seconds",
     "How long in seconds an item stays in workqueue before being requested.", KM_QUEUE_HISTOGRAM},
    {"workqueue_work_duration_seconds",
     "How long in seconds processing an item from workqueue takes.", KM_QUEUE_HISTOGRAM},
    {"workqueue_unfinished_work_seconds",
     "How many seconds of work has done that is in progress and hasn't been observed by "
     "work_duration.",
     KM_QUEUE_SECONDS},
    {"workqueue_longest_running_processor_seconds",
     "How many seconds has the longest running processor for workqueue been running.",
     KM_QUEUE_SECONDS},
    {"workqueue_retries_total", "Total number of retries handled by workqueue", KM_QUEUE_COUNTER},
};

static void fill(const struct km_queue_metrics *m, unsigned index, struct km_queue_sample *out)
{
    const int64_t values[] = {m->depth,      (int64_t)m->adds,   0, 0, m->unfinished_ns,
                              m->longest_ns, (int64_t)m->retries};

    memset(out, 0, sizeof *out);
    out->name = samples[index].name;
    out->help = samples[index].help;
    out->kind = samples[index].kind;
    out->value = values[index];
    if (out->kind == KM_QUEUE_HISTOGRAM)
        out->histogram = index == 2 ? m->waited : m->worked;
}

int km_queue_sample(const struct km_queue *q, unsigned index, struct km_queue_sample *out)
{
    if (q->metrics == NULL || index >= sizeof samples / sizeof samples[0])
        return KM_EOF;
    KM_QUEUE_HOLD(q);
    fill(q->metrics, index, out);
    KM_QUEUE_RELEASE(q);
    return KM_OK;
}
