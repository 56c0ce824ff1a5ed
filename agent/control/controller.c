/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_control.h"
#include "kubemote/km_log.h"

/* Keys started per turn: a full queue must not keep the loop from its sockets. */
#define KEYS_PER_TURN 16

static void arm(struct km_controller *c)
{
    int64_t next_ms = km_queue_next(c->queue);
    if (next_ms == KM_NEVER || c->in_flight >= c->workers || c->stopping) {
        km_timer_stop(&c->loop->timers, &c->timer);
        return;
    }
    (void)km_timer_set(&c->loop->timers, &c->timer, next_ms);
}

/* ---- deadlines ---- */

static void arm_late(struct km_controller *c)
{
    int64_t next_ms = KM_NEVER;
    for (uint16_t i = 0; i < c->workers; i++) {
        const struct km_under_way *p = &c->places[i];
        if (p->busy && !p->late && p->until_ms < next_ms)
            next_ms = p->until_ms;
    }
    (void)km_timer_set(&c->loop->timers, &c->late_timer, next_ms);
}

static void begin(struct km_controller *c, uint16_t key, int64_t now_ms)
{
    if (c->places == NULL)
        return;
    struct km_under_way *p = c->places;
    while (p->busy)
        p++;
    *p = (struct km_under_way){.key = key, .busy = true, .until_ms = KM_NEVER};
    if (c->deadline_ms <= 0)
        return;
    p->until_ms = now_ms + c->deadline_ms;
    arm_late(c);
}

static struct km_under_way *find(struct km_controller *c, uint16_t key)
{
    for (uint16_t i = 0; i < c->workers; i++) {
        if (c->places[i].busy && c->places[i].key == key)
            return &c->places[i];
    }
    return NULL;
}

static void run_late(void *ctx, int64_t now_ms)
{
    struct km_controller *c = ctx;
    for (uint16_t i = 0; i < c->workers; i++) {
        struct km_under_way *p = &c->places[i];
        if (!p->busy || p->late || p->until_ms > now_ms)
            continue;
        p->late = true;
        c->late++;
        KM_WARN("A reconcile passed its deadline", KM_S("controller", c->name), KM_U("key", p->key),
                KM_I("ms", c->deadline_ms));
        if (c->on_late == NULL)
            continue;
        c->on_late(c->ctx, p->key);
        if (p->busy)
            km_controller_finish(c, p->key, KM_BACK_OFF, 0);
    }
    arm_late(c);
}

/* ---- keys ---- */

static void run(void *ctx, int64_t now_ms)
{
    struct km_controller *c = ctx;
    uint16_t key;
    for (int i = 0; i < KEYS_PER_TURN && c->in_flight < c->workers && !c->stopping; i++) {
        if (km_queue_get(c->queue, &key, now_ms) != KM_OK)
            break;
        c->in_flight++;
        begin(c, key, now_ms);
        c->reconcile(c->ctx, key);
    }
    arm(c);
}

void km_controller_init(struct km_controller *c)
{
    km_queue_init(c->queue);
    c->timer.fn = run;
    c->late_timer.fn = run_late;
    c->timer.ctx = c->late_timer.ctx = c;
    c->in_flight = 0;
    c->stopping = false;
    for (uint16_t i = 0; c->places != NULL && i < c->workers; i++)
        c->places[i] = (struct km_under_way){0};
}

void km_controller_wake(struct km_controller *c)
{
    arm(c);
}

void km_controller_add(struct km_controller *c, uint16_t key)
{
    (void)km_queue_add(c->queue, key);
    arm(c);
}

static void settle(struct km_controller *c, uint16_t key, enum km_result result, int64_t after_ms)
{
    int64_t now_ms = c->loop->now_ms;
    if (result == KM_BACK_OFF) {
        (void)km_queue_add_rate_limited(c->queue, key, now_ms);
        return;
    }
    km_queue_forget(c->queue, key);
    if (result == KM_AGAIN_AFTER)
        (void)km_queue_add_after(c->queue, key, after_ms, now_ms);
    if (result != KM_FATAL)
        return;
    c->fatal++;
    KM_ERROR("A reconcile failed for good", "trying again is of no use",
             KM_S("controller", c->name), KM_U("key", key));
}

void km_controller_finish(struct km_controller *c, uint16_t key, enum km_result result,
                          int64_t after_ms)
{
    if (!km_queue_processing(c->queue, key))
        return;
    if (c->places != NULL) {
        struct km_under_way *p = find(c, key);
        if (p == NULL)
            return;
        if (p->late && result != KM_FATAL)
            result = KM_BACK_OFF;
        p->busy = false;
    }
    settle(c, key, result, after_ms);
    km_queue_done(c->queue, key);
    c->in_flight--;
    arm(c);
}

void km_controller_shutdown(struct km_controller *c)
{
    c->stopping = true;
    km_queue_shutdown(c->queue);
    arm(c);
}

bool km_controller_idle(const struct km_controller *c)
{
    return c->in_flight == 0;
}
