/* SPDX-License-Identifier: Apache-2.0 */
#include "net_priv.h"

/* Longest wait when poll itself fails, so that a broken system is not asked in a hot loop. */
#define POLL_FAILURE_WAIT_MS 50

static struct km_pool conn_pool = {.name = "conn", .size = CONFIG_KM_CONN_COUNT};

void km_loop_init(struct km_loop *loop)
{
    loop->conn_count = 0;
    loop->poll_failures = 0;
    loop->turning = false;
    loop->source = NULL;
    km_timers_init(&loop->timers, loop->timer_heap, CONFIG_KM_TIMER_COUNT);
    loop->now_ms = km_port_now_ms();
    conn_pool.used = 0;
    km_pool_register(&conn_pool);
    net_counters_register();
    net_handshake_reset();
}

int km_loop_add(struct km_loop *loop, struct km_conn *conn)
{
    if (loop->conn_count >= CONFIG_KM_CONN_COUNT) {
        km_pool_refuse(&conn_pool);
        return KM_ERR_FULL;
    }
    km_pool_take(&conn_pool, 1);
    loop->conns[loop->conn_count++] = conn;
    return KM_OK;
}

void km_loop_remove(struct km_loop *loop, struct km_conn *conn)
{
    uint16_t kept = 0;

    for (uint16_t i = 0; i < loop->conn_count; i++) {
        if (loop->conns[i] != conn)
            loop->conns[kept++] = loop->conns[i];
    }
    km_pool_give(&conn_pool, (uint32_t)(loop->conn_count - kept));
    loop->conn_count = kept;
}

/* Milliseconds until something is due, -1 = no limit. */
static int64_t wait_ms(const struct km_loop *loop, int64_t max_wait_ms)
{
    int64_t at = km_timers_next(&loop->timers), wait;

    for (uint16_t i = 0; i < loop->conn_count; i++) {
        int64_t deadline = km_conn_deadline(loop->conns[i]);

        if (deadline < at)
            at = deadline;
    }
    if (loop->source != NULL) {
        int64_t deadline = loop->source->deadline();

        if (deadline < at)
            at = deadline;
    }
    if (at == KM_NEVER)
        return max_wait_ms < 0 ? -1 : max_wait_ms;
    wait = at > loop->now_ms ? at - loop->now_ms : 0;
    return max_wait_ms >= 0 && max_wait_ms < wait ? max_wait_ms : wait;
}

static void wait_for_events(struct km_loop *loop, struct km_pollfd *fds, int64_t timeout_ms)
{
    uint16_t count = loop->conn_count;

    for (uint16_t i = 0; i < loop->conn_count; i++)
        km_conn_poll(loop->conns[i], &fds[i]);
    if (loop->source != NULL) {
        loop->source->poll(fds + count);
        count = (uint16_t)(count + loop->source->fd_count);
    }
    if (km_port_poll(fds, count, timeout_ms) >= 0)
        return;
    loop->poll_failures++;
    for (uint16_t i = 0; i < count; i++)
        fds[i].got = 0;
    (void)km_port_poll(NULL, 0,
                       timeout_ms < 0 || timeout_ms > POLL_FAILURE_WAIT_MS ? POLL_FAILURE_WAIT_MS
                                                                           : timeout_ms);
}

void km_loop_turn(struct km_loop *loop, int64_t max_wait_ms)
{
    struct km_pollfd fds[CONFIG_KM_CONN_COUNT + KM_LOOP_SOURCE_FDS] = {{0}};
    uint16_t conn_count =
        loop->conn_count; /* a callback may add more; the source's entries stand behind */

    if (loop->turning)
        return;
    loop->turning = true;
    loop->now_ms = km_port_now_ms();
    wait_for_events(loop, fds, wait_ms(loop, max_wait_ms));
    loop->now_ms = km_port_now_ms();
    for (uint16_t i = 0; i < conn_count; i++) {
        struct km_conn *conn = loop->conns[i];
        bool shakes_hands = conn->state == KM_CONN_HANDSHAKE;

        if (fds[i].got == 0 && km_conn_deadline(conn) > loop->now_ms)
            continue;
        km_conn_step(conn, fds[i].got, loop->now_ms);
        if (shakes_hands)
            loop->now_ms = km_port_now_ms();
    }
    if (loop->source != NULL)
        loop->source->step(fds + conn_count, loop->now_ms);
    km_timers_run(&loop->timers, loop->now_ms);
    net_counters.timers_refused.value = loop->timers.refused;
    loop->turning = false;
}

void km_loop_pause(struct km_loop *loop, int64_t delay_ms)
{
    int64_t until_ms = km_port_now_ms() + delay_ms;

    while (delay_ms > 0 && !loop->turning && !km_port_stop_requested()) {
        km_loop_turn(loop, delay_ms);
        delay_ms = until_ms - km_port_now_ms();
    }
}
