/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_informer.h"

/* ---- waiting ---- */

static bool all_synced(struct km_shared *const list[], uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        if (!km_shared_synced(list[i]))
            return false;
    }
    return true;
}

/* One turn on the way to a deadline; KM_AGAIN: go on waiting. */
static int turn_until(struct km_loop *loop, int64_t until_ms)
{
    int64_t left_ms = until_ms - km_port_now_ms();

    if (km_port_stop_requested())
        return KM_ERR_CANCELED;
    if (left_ms <= 0)
        return KM_ERR_TIMEOUT;
    km_loop_turn(loop, left_ms);
    return KM_AGAIN;
}

int km_shared_wait(struct km_shared *const list[], uint16_t count, int64_t timeout_ms)
{
    int err = KM_AGAIN;

    if (count == 0)
        return KM_OK;
    struct km_loop *loop = list[0]->reflector.client->loop;
    if (loop->turning)
        return KM_ERR_REENTRANT;
    int64_t until_ms = km_port_now_ms() + timeout_ms;
    while (err == KM_AGAIN && !all_synced(list, count))
        err = turn_until(loop, until_ms);
    return err == KM_AGAIN ? KM_OK : err;
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
        if (!km_shared_synced(s))
            return false;
    }
    return true;
}

int km_factory_wait(struct km_factory *f, int64_t timeout_ms)
{
    int err = KM_AGAIN;

    if (f->first == NULL)
        return KM_OK;
    struct km_loop *loop = f->first->reflector.client->loop;
    if (loop->turning)
        return KM_ERR_REENTRANT;
    int64_t until_ms = km_port_now_ms() + timeout_ms;
    while (err == KM_AGAIN && !km_factory_synced(f))
        err = turn_until(loop, until_ms);
    return err == KM_AGAIN ? KM_OK : err;
}
