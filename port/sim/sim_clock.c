/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_priv.h"

#define TIMERS 128
#define START_MS 1000000
#define START_WALL_US INT64_C(1767225600000000)
#define STANDSTILL_POLLS 20000

struct sim_timer {
    int id;
    int64_t at_ms;
    void (*fn)(void *ctx);
    void *ctx;
};

static int64_t now_ms, wall_offset_us;
static uint64_t polls, poll_limit, standstill;
static struct sim_timer timers[TIMERS];
static int timer_id;

void sim_die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "sim: at %lld ms: ", (long long)now_ms);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

void sim_trace(const char *format, ...)
{
    static int wanted = -1;
    va_list args;

    if (wanted < 0)
        wanted = getenv("KM_SIM_TRACE") != NULL;
    if (!wanted)
        return;
    fprintf(stderr, "sim %lld: ", (long long)now_ms);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void sim_clock_reset(void)
{
    now_ms = START_MS;
    wall_offset_us = START_WALL_US - START_MS * INT64_C(1000);
    polls = 0;
    poll_limit = 2000000;
    standstill = 0;
    memset(timers, 0, sizeof timers);
}

void km_sim_reset(uint64_t seed)
{
    sim_clock_reset();
    sim_faults_reset(seed);
    sim_net_reset();
    sim_names_reset();
    sim_tls_reset();
    sim_machine_reset();
}

int64_t km_port_now_ms(void)
{
    return now_ms;
}

int64_t km_port_wall_us(void)
{
    return now_ms * 1000 + wall_offset_us;
}

void km_sim_advance(int64_t ms)
{
    now_ms += ms;
}

void sim_clock_work(int64_t ms)
{
    now_ms += ms;
}

void km_sim_wall_jump(int64_t us)
{
    wall_offset_us += us;
}

void km_sim_wall_set(int64_t unix_us)
{
    wall_offset_us = unix_us - now_ms * 1000;
}

void km_port_signals(void)
{
}

bool km_port_stop_requested(void)
{
    return false;
}

void km_sim_poll_limit(uint64_t count)
{
    poll_limit = count;
}

int km_sim_after(int64_t ms, void (*fn)(void *ctx), void *ctx)
{
    for (size_t i = 0; i < TIMERS; i++) {
        if (timers[i].id == 0) {
            timers[i] =
                (struct sim_timer){.id = ++timer_id, .at_ms = now_ms + ms, .fn = fn, .ctx = ctx};
            return timers[i].id;
        }
    }
    sim_die("more than %d timers of the test", TIMERS);
}

void km_sim_cancel(int id)
{
    for (size_t i = 0; i < TIMERS; i++) {
        if (id != 0 && timers[i].id == id)
            timers[i].id = 0;
    }
}

static struct sim_timer *first_timer(void)
{
    struct sim_timer *first = NULL;

    for (size_t i = 0; i < TIMERS; i++) {
        struct sim_timer *t = &timers[i];

        if (t->id == 0)
            continue;
        if (first == NULL || t->at_ms < first->at_ms ||
            (t->at_ms == first->at_ms && t->id < first->id))
            first = t;
    }
    return first;
}

static void run_timers(void)
{
    struct sim_timer *t;
    unsigned count = 0;

    while ((t = first_timer()) != NULL && t->at_ms <= now_ms) {
        if (++count > STANDSTILL_POLLS)
            sim_die("a timer of the test sets itself again and again without time passing");
        t->id = 0;
        t->fn(t->ctx);
    }
}

static int fill_ready(struct km_pollfd *fds, size_t count)
{
    int ready = 0;

    for (size_t i = 0; i < count; i++) {
        fds[i].got = 0;
        if (fds[i].fd < 0)
            continue;
        fds[i].got =
            sim_conn_ready(sim_conn_of(fds[i].fd, "poll")) & (uint8_t)(fds[i].want | KM_POLL_ERR);
        if (fds[i].got != 0)
            ready++;
    }
    return ready;
}

static int64_t next_event(const struct km_pollfd *fds, size_t count)
{
    const struct sim_timer *t = first_timer();
    int64_t at = KM_NEVER;

    if (t != NULL && t->at_ms < at)
        at = t->at_ms;
    for (size_t i = 0; i < count; i++) {
        int64_t next = fds[i].fd < 0 ? KM_NEVER : sim_conn_next(sim_conn_of(fds[i].fd, "poll"));

        if (next > now_ms && next < at)
            at = next;
    }
    return at;
}

static void guard(int64_t before_ms)
{
    standstill = now_ms != before_ms ? 0 : standstill + 1;
    if (++polls > poll_limit)
        sim_die("poll was called %llu times: a loop without end?", (unsigned long long)polls);
    if (standstill > STANDSTILL_POLLS)
        sim_die("poll was called %d times and no time passed: a hot loop", STANDSTILL_POLLS);
}

int km_port_poll(struct km_pollfd *fds, size_t count, int64_t timeout_ms)
{
    static int64_t last_ms;
    int64_t limit_ms =
        timeout_ms < 0 || timeout_ms > KM_NEVER - now_ms ? KM_NEVER : now_ms + timeout_ms;
    int err = sim_call(KM_SIM_POLL);

    guard(last_ms);
    last_ms = now_ms;
    if (err != KM_OK)
        return err;
    if (count > KM_POLL_MAX)
        return KM_ERR_ARG;
    for (;;) {
        int ready;
        int64_t next;

        run_timers();
        ready = fill_ready(fds, count);
        if (ready > 0 || now_ms >= limit_ms || km_port_stop_requested())
            return ready;
        next = next_event(fds, count);
        if (next == KM_NEVER && limit_ms == KM_NEVER)
            sim_die("poll without limit, and nothing will ever happen");
        now_ms = next < limit_ms ? next : limit_ms;
    }
}
