/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_control.h"

/* Keys started per turn: a full queue must not keep the loop from its sockets. */
#define KEYS_PER_TURN 16

static void arm(struct km_controller *c)
{
    int64_t next_ms = km_queue_next(c->queue);
    if (next_ms == KM_NEVER || c->in_flight >= c->workers) {
        km_timer_stop(&c->loop->timers, &c->timer);
        return;
    }
    (void)km_timer_set(&c->loop->timers, &c->timer, next_ms);
}

static void run(void *ctx, int64_t now_ms)
{
    struct km_controller *c = ctx;
    uint16_t key;
    for (int i = 0; i < KEYS_PER_TURN && c->in_flight < c->workers; i++) {
        if (km_queue_get(c->queue, &key, now_ms) != KM_OK)
            break;
        c->in_flight++;
        c->reconcile(c->ctx, key);
    }
    arm(c);
}

void km_controller_init(struct km_controller *c)
{
    km_queue_init(c->queue);
    c->timer.fn = run;
    c->timer.ctx = c;
    c->in_flight = 0;
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

void km_controller_finish(struct km_controller *c, uint16_t key, enum km_result result,
                          int64_t after_ms)
{
    int64_t now_ms = c->loop->now_ms;
    if (result == KM_BACK_OFF) {
        (void)km_queue_add_rate_limited(c->queue, key, now_ms);
    } else {
        km_queue_forget(c->queue, key);
        if (result == KM_AGAIN_AFTER)
            (void)km_queue_add_after(c->queue, key, after_ms, now_ms);
    }
    km_queue_done(c->queue, key);
    c->in_flight--;
    arm(c);
}

void km_controller_shutdown(struct km_controller *c)
{
    km_queue_shutdown(c->queue);
}

bool km_controller_idle(const struct km_controller *c)
{
    return c->in_flight == 0;
}
