/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_informer.h"

/* ---- waiting ---- */

/* Runs the loop until done says so. */
static int wait_until(struct km_loop *loop, bool (*done)(const void *ctx), const void *ctx,
                      int64_t timeout_ms)
{
    int64_t until_ms = km_port_now_ms() + timeout_ms;

    if (loop->turning)
        return KM_ERR_REENTRANT;
    while (!done(ctx)) {
        int64_t left_ms = until_ms - km_port_now_ms();

        if (km_port_stop_requested())
            return KM_ERR_CANCELED;
        if (left_ms <= 0)
            return KM_ERR_TIMEOUT;
        km_loop_turn(loop, left_ms);
    }
    return KM_OK;
}

struct list {
    struct km_shared *const *items;
    uint16_t count;
};

static bool all_synced(const void *ctx)
{
    const struct list *list = ctx;

    for (uint16_t i = 0; i < list->count; i++) {
        if (km_shared_synced(list->items[i]) == KM_NOT_SYNCED)
            return false;
    }
    return true;
}

int km_shared_wait(struct km_shared *const list[], uint16_t count, int64_t timeout_ms)
{
    const struct list all = {list, count};

    if (count == 0)
        return KM_OK;
    return wait_until(list[0]->reflector.client->loop, all_synced, &all, timeout_ms);
}

struct condition {
    const struct km_shared *shared;
    bool (*met)(void *ctx, const struct km_store *store);
    void *ctx;
};

static bool is_met(const void *ctx)
{
    const struct condition *c = ctx;

    return km_shared_synced(c->shared) != KM_NOT_SYNCED && c->met(c->ctx, c->shared->store);
}

int km_shared_until(const struct km_shared *s, bool (*met)(void *ctx, const struct km_store *store),
                    void *ctx, int64_t timeout_ms)
{
    const struct condition condition = {s, met, ctx};

    return wait_until(s->reflector.client->loop, is_met, &condition, timeout_ms);
}

/* ---- the factory ---- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool same_resource(const struct km_resource *a, const struct km_resource *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->version, b->version) == 0 &&
           strcmp(a->plural, b->plural) == 0;
}

static bool same_options(const struct km_shared *a, const struct km_shared *b)
{
    const struct km_reflector *x = &a->reflector, *y = &b->reflector;

    return same_resource(x->resource, y->resource) && x->kind == y->kind &&
           x->client == y->client && x->metadata_only == y->metadata_only &&
           same_text(x->ns, y->ns) && same_text(x->label_selector, y->label_selector) &&
           strcmp(x->field_selector, y->field_selector) == 0 && a->transform == b->transform &&
           a->transform_ctx == b->transform_ctx;
}

int km_factory_informer(struct km_factory *f, struct km_shared *mine, uint32_t hash_seed,
                        struct km_fault *fault, struct km_shared **out)
{
    struct km_shared **place = &f->first;

    for (; *place != NULL; place = &(*place)->next) {
        if (*place == mine || same_options(*place, mine)) {
            *out = *place;
            return KM_OK;
        }
    }
    int err = km_shared_init(mine, hash_seed, fault);
    if (err != KM_OK)
        return err;
    mine->next = NULL;
    *place = mine;
    *out = mine;
    return KM_OK;
}

void km_factory_start(struct km_factory *f)
{
    for (struct km_shared *s = f->first; s != NULL; s = s->next)
        km_shared_start(s);
}

void km_factory_stop(struct km_factory *f)
{
    for (struct km_shared *s = f->first; s != NULL; s = s->next)
        km_shared_stop(s);
}

bool km_factory_synced(const struct km_factory *f)
{
    for (const struct km_shared *s = f->first; s != NULL; s = s->next) {
        if (km_shared_synced(s) == KM_NOT_SYNCED)
            return false;
    }
    return true;
}

static bool factory_done(const void *ctx)
{
    return km_factory_synced(ctx);
}

int km_factory_wait(struct km_factory *f, int64_t timeout_ms)
{
    if (f->first == NULL)
        return KM_OK;
    return wait_until(f->first->reflector.client->loop, factory_done, f, timeout_ms);
}
