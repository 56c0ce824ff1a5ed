/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_informer.h"

static const struct {
    const char *family, *help;
} families[] = {
    {"kubemote_informer_objects", "Objects that the informer holds."},
    {"kubemote_informer_left_out",
     "Objects without room; exact after a list, else no more than this."},
    {"kubemote_informer_synced",
     "0 before the first list, 1 when it is complete but for what had no room, 2 with all of it."},
};

static int64_t value_of(const struct km_shared *s, size_t family)
{
    switch (family) {
    case 0:
        return s->store->cache->pool.used;
    case 1:
        return km_shared_left_out(s);
    default:
        return km_shared_synced(s);
    }
}

static bool sample_shared(void *ctx, unsigned index, struct km_sample *out)
{
    const struct km_shared_collector *c = ctx;
    size_t family = c->count == 0 ? SIZE_MAX : index / c->count;

    if (family >= sizeof families / sizeof families[0])
        return false;
    const struct km_shared *s = c->informers[index % c->count];
    out->type = KM_SAMPLE_GAUGE;
    out->family = families[family].family;
    out->help = families[family].help;
    out->value = value_of(s, family);
    km_sample_label(out, "informer", s->store->cache->name);
    return true;
}

void km_shared_collector_register(struct km_shared_collector *c)
{
    c->collector.sample = sample_shared;
    c->collector.ctx = c;
    km_collector_register(&c->collector);
}
