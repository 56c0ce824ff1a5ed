/* SPDX-License-Identifier: Apache-2.0 */
#include "accidents.h"

#include <stdlib.h>

static struct km_rng dice;
static struct accident_people people;
static bool has_copy, mute;

int64_t roll(int64_t low, int64_t high)
{
    return km_rng_range(&dice, low, high + 1);
}

bool chance(int percent)
{
    return roll(1, 100) <= percent;
}

static enum api_verdict lose_answers(const struct km_sim_request *rq, enum api_call call);

void accidents_begin(uint64_t seed, const struct accident_people *who)
{
    km_rng_seed(&dice, seed * UINT64_C(0x9E3779B97F4A7C15));
    people = *who;
    has_copy = mute = false;
    api.hook = lose_answers;
}

void accident_restart_server(void)
{
    km_sim_close_all();
    if (chance(50))
        api_compact();
}

void accident_end_streams(void)
{
    api.watch_ms = chance(50) ? roll(1, 60000) : 0;
    api_end_watches();
    if (chance(50))
        api_compact();
    rig_run(roll(1000, 5 * RIG_MINUTE));
}

void accident_pieces(void)
{
    km_sim_shorten((uint64_t)roll(1, 1 << 30));
    people.churn((int)roll(0, 30));
    rig_run(roll(1000, 3 * RIG_MINUTE));
}

void accident_link_down(void)
{
    km_sim_link(false);
    rig_run(chance(70) ? roll(100, 60000) : roll(60000, RIG_HOUR));
    km_sim_link(true);
}

void accident_half_open(void)
{
    bool all = chance(50);
    int lane = (int)roll(0, rig.loop.conn_count - 1);

    for (int i = 0; i < rig.loop.conn_count; i++) {
        if ((all || i == lane) && rig.loop.conns[i]->fd >= 0)
            (void)km_sim_hang(rig.loop.conns[i]->fd);
    }
}

void accident_deaf_proxy(void)
{
    api_watch_drop_all();
    people.churn(5);
    rig_run(roll(1000, 3 * RIG_MINUTE));
}

/* A store is not replaced within seconds. Watches that are on their way behind a clean end find nobody. */
static void outage(void)
{
    km_sim_close_all();
    km_sim_route(API_IP, API_PORT, KM_SIM_REFUSE);
    rig_run(30000);
    km_sim_route(API_IP, API_PORT, KM_SIM_LISTEN);
}

void accident_restore_copy(void)
{
    if (!has_copy || chance(20)) {
        api_save();
        has_copy = true;
        return;
    }
    outage();
    if (chance(30))
        api_restore_quietly();
    else
        api_restore();
    api_skip((uint64_t)roll(0, 3) * 20000);
    people.churn((int)roll(0, 10));
}

void accident_empty_store(void)
{
    outage();
    api_empty();
    people.churn((int)roll(0, 10));
}

void accident_other_server(void)
{
    static const size_t pages[] = {0, 1, 2, 7};

    api.no_streaming = chance(40);
    api.no_bookmarks = chance(20);
    api.expired_as_answer = chance(40);
    api.precise_bookmarks = chance(40);
    api.page_size = pages[roll(0, 3)];
    accident_restart_server();
}

void accident_error_event(void)
{
    static const struct {
        int code;
        const char *reason;
    } events[] = {{410, "Expired"},
                  {410, "Gone"},
                  {429, "TooManyRequests"},
                  {500, "InternalError"},
                  {503, "ServiceUnavailable"},
                  {504, "Timeout"},
                  {403, "Forbidden"},
                  {401, "Unauthorized"},
                  {0, ""}};
    size_t n = (size_t)roll(0, sizeof events / sizeof events[0] - 1);

    for (int64_t i = roll(1, 4); i > 0; i--) {
        people.change();
        api_send_error(chance(50) ? API_NODES : API_PODS, events[n].code, events[n].reason,
                       chance(30) ? (int)roll(1, 90) : 0);
        rig_run(roll(0, 60000));
    }
}

void accident_refusals(void)
{
    static const struct {
        int code;
        const char *reason;
    } codes[] = {{429, "TooManyRequests"},
                 {500, "InternalError"},
                 {503, "ServiceUnavailable"},
                 {504, "Timeout"},
                 {403, "Forbidden"},
                 {401, "Unauthorized"},
                 {409, "Conflict"},
                 {410, "Expired"},
                 {404, "NotFound"},
                 {502, ""},
                 {301, ""}};
    size_t n = (size_t)roll(0, sizeof codes / sizeof codes[0] - 1);
    unsigned times = chance(50) ? (unsigned)roll(1, 20) : UINT32_MAX;
    int after_s = chance(40) ? (int)roll(1, 90) : 0;

    api_fail((enum api_call)roll(0, API_ALL), times, codes[n].code, codes[n].reason, after_s);
    if (chance(50))
        km_sim_close_all();
    people.change();
    rig_run(roll(1000, 15 * RIG_MINUTE));
}

void accident_slow_server(void)
{
    for (enum api_call c = 0; c < API_CALL_COUNT; c++)
        api.delay_ms[c] = chance(50) ? roll(0, 20000) : 0;
    if (chance(50))
        km_sim_latency(roll(0, 2000));
    people.change();
    rig_run(roll(1000, 10 * RIG_MINUTE));
}

void accident_no_way(void)
{
    if (chance(50))
        km_sim_route(API_IP, API_PORT, (enum km_sim_route)roll(0, 2));
    else if (chance(50))
        km_sim_dns_error(API_HOST, KM_ERR_TIMEOUT);
    else
        km_sim_tls_result(chance(50) ? KM_ERR_CERT : KM_AGAIN, "scripted");
    if (chance(80))
        km_sim_close_all();
    rig_run(roll(1000, 30 * RIG_MINUTE));
}

void accident_failing_calls(void)
{
    for (int64_t i = roll(1, 4); i > 0; i--)
        km_sim_fail((enum km_sim_call)roll(KM_SIM_ANY, KM_SIM_CALL_COUNT - 1),
                    (uint64_t)roll(1, 200), (uint64_t)(chance(80) ? roll(1, 5) : 2000),
                    KM_SIM_NATURAL);
    people.change();
    rig_run(roll(1000, 5 * RIG_MINUTE));
}

void accident_cut(void)
{
    km_sim_cut(chance(50) ? KM_SIM_TO_AGENT : KM_SIM_TO_SERVER, (uint64_t)roll(0, 20000),
               (enum km_sim_cut)roll(0, 2));
    people.change();
    rig_run(roll(1000, 2 * RIG_MINUTE));
}

static enum api_verdict lose_answers(const struct km_sim_request *rq, enum api_call call)
{
    (void)rq;
    (void)call;
    return mute && chance(30) ? API_MUTE : API_SERVE;
}

void accident_lost_answers(void)
{
    mute = true;
    people.change();
    rig_run(roll(1000, 10 * RIG_MINUTE));
}

void accident_garbage_events(void)
{
    static const char *const lines[] = {
        "{\"type\":\"ADDED\",\"object\":{}}\n", "<html>\n",
        "{\"type\":\"BOOKMARK\",\"object\":null}\n",
        ("{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":"
         "\"x\",\"resourceVersion\":\"9\"}}}\n"),
        "{\"type\":\"ADDED\",\"obj"};

    api_send_raw(chance(50) ? API_NODES : API_PODS, lines[roll(0, 4)]);
    rig_run(roll(0, 60000));
    /* What it made the cache believe, a new list takes back. */
    km_sim_close_all();
}

void accident_put_right(void)
{
    km_sim_link(true);
    km_sim_fail_clear();
    km_sim_shorten(0);
    km_sim_latency(1);
    km_sim_route(API_IP, API_PORT, KM_SIM_LISTEN);
    km_sim_dns(API_HOST, API_IP);
    km_sim_tls_result(KM_OK, "");
    api_fail(API_ALL, 0, 0, "", 0);
    for (enum api_call c = 0; c < API_CALL_COUNT; c++)
        api.delay_ms[c] = 0;
    api.watch_ms = 0;
    mute = false;
}

const struct accident *accident_pick(const struct accident *list, size_t count)
{
    int64_t total = 0, at;
    size_t i = 0;

    for (size_t n = 0; n < count; n++)
        total += list[n].weight;
    at = roll(0, total - 1);
    while (at >= list[i].weight)
        at -= list[i++].weight;
    return &list[i];
}

void accident_tell(const struct accident *a, unsigned number, uint64_t seed)
{
    static char label[96];

    (void)snprintf(label, sizeof label, "RIG_SEED=%llu, accident %u: %s", (unsigned long long)seed,
                   number, a->name);
    rig.label = label;
    if (getenv("RIG_TELL") != NULL)
        fprintf(stderr, "%lld %s\n", (long long)km_port_now_ms(), label);
}

static uint64_t wanted(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

void accident_seeds(unsigned usual, void (*live)(uint64_t seed, int64_t hours), int64_t hours)
{
    uint64_t first = wanted("RIG_SEED", 1);
    uint64_t count = wanted("RIG_SEEDS", getenv("RIG_SEED") != NULL ? 1 : usual);

    for (uint64_t seed = first; seed < first + count; seed++)
        live(seed, (int64_t)wanted("RIG_HOURS", (uint64_t)hours));
}
