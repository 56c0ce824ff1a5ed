/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared informers through random accidents, by seed: more objects than slots come and go, handlers are added, removed, slow,
 * and change things from within their calls, informers stop and start. One informer refuses what has no room, one keeps what it
 * prefers. At each turn readers see what handlers were told, and every handler was told the same; when the world is put
 * right, everything there is room for is there. accidents.h says how to run other seeds.
 */
#include "accidents.h"

#include "kubemote/km_informer.h"

#define SLOTS 12
#define NAMES 40     /* of pods that may be there at a time */
#define PODS_MOST 20 /* behind an accident; more in the middle */
#define HANDLERS 5
#define SETTLE_MS 900000 /* lists that did not fit are up to five minutes apart */
#define REQUESTS_FLOOR 400

struct watcher {
    struct km_handler handler;
    struct informer *of;
    struct known {
        char name[16], rv[32];
    } picture[NAMES];
    unsigned count, synced;
    bool added;
    int64_t takes_ms;
};

struct informer {
    struct km_shared *shared;
    struct km_lane lane;
    struct km_schema_node event_nodes[CONFIG_KM_JSON_NODE_COUNT];
    struct km_schema_node list_nodes[CONFIG_KM_JSON_NODE_COUNT];
    struct watcher watchers[HANDLERS]; /* the first stays, the last hears of some objects only */
    bool choosing;
};

static bool prefers(void *ctx, const void *a, const void *b)
{
    (void)ctx;
    return strcmp(((const struct km_meta *)a)->name, ((const struct km_meta *)b)->name) < 0;
}

KM_SHARED_DEFINE(refused, struct km_meta, SLOTS, KM_KEY_SIZE, NULL, NULL);
KM_SHARED_DEFINE(chosen, struct km_meta, SLOTS, KM_KEY_SIZE, prefers, NULL);
static struct informer informers[] = {{.shared = &refused}, {.shared = &chosen, .choosing = true}};
#define INFORMERS (sizeof informers / sizeof informers[0])

static struct km_client client;
static struct km_rng rng;
static bool meddling; /* handlers do more than look */

/* ---- what handlers do ---- */

static struct known *find_known(struct watcher *w, const char *name)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (strcmp(w->picture[i].name, name) == 0)
            return &w->picture[i];
    }
    return NULL;
}

/* By a version that changes, so that objects come to match and cease to. */
static bool is_even(void *ctx, const void *record)
{
    const struct km_meta *pod = record;
    size_t len = strlen(pod->rv);

    (void)ctx;
    return len > 0 && (pod->rv[len - 1] - '0') % 2 == 0;
}

static void forget(struct watcher *w)
{
    memset(w->picture, 0, sizeof w->picture);
    w->count = w->synced = 0;
}

static void add_watcher(struct watcher *w)
{
    if (w->added || km_handler_busy(&w->handler))
        return;
    forget(w);
    w->handler.resync_ms = chance(30) ? roll(1, 200000) : 0;
    rig_check(km_shared_add(w->of->shared, &w->handler) == KM_OK);
    w->added = true;
}

static void remove_watcher(struct watcher *w)
{
    rig_check(km_shared_remove(w->of->shared, &w->handler) == KM_OK);
    w->added = false;
}

static struct watcher *any_late(struct informer *inf)
{
    return &inf->watchers[roll(1, HANDLERS - 1)];
}

static void meddle(struct informer *inf)
{
    switch (roll(0, 3)) {
    case 0:
        add_watcher(any_late(inf));
        return;
    case 1:
        remove_watcher(any_late(inf));
        return;
    case 2:
        km_shared_stop(inf->shared);
        return;
    default:
        km_shared_start(inf->shared);
    }
}

static void take_part(struct watcher *w)
{
    rig_check(w->added);
    if (w->takes_ms > 0)
        km_sim_advance(w->takes_ms);
    if (meddling && chance(3))
        meddle(w->of);
}

static void on_add(void *ctx, uint16_t slot, const void *now, bool initial)
{
    struct watcher *w = ctx;
    const struct km_meta *pod = now;
    struct known *place = find_known(w, "");

    (void)initial;
    rig_check(slot < SLOTS);
    if (find_known(w, pod->name) != NULL)
        rig_fail("added twice: %s", pod->name);
    rig_check(place != NULL);
    (void)snprintf(place->name, sizeof place->name, "%.15s", pod->name);
    (void)snprintf(place->rv, sizeof place->rv, "%s", pod->rv);
    w->count++;
    take_part(w);
}

static void on_update(void *ctx, uint16_t slot, const void *old, const void *now)
{
    struct watcher *w = ctx;
    const struct km_meta *before = old, *pod = now;
    struct known *known = find_known(w, pod->name);

    rig_check(slot < SLOTS);
    if (known == NULL || strcmp(known->rv, before->rv) != 0)
        rig_fail("updated from what was not known: %s", pod->name);
    (void)snprintf(known->rv, sizeof known->rv, "%s", pod->rv);
    take_part(w);
}

static void on_delete(void *ctx, uint16_t slot, const void *last, bool tombstone)
{
    struct watcher *w = ctx;
    const struct km_meta *pod = last;
    struct known *known = find_known(w, pod->name);

    (void)tombstone;
    if (slot == KM_NO_SLOT) {
        rig_check(known == NULL);
    } else {
        if (known == NULL)
            rig_fail("deleted what was not known: %s", pod->name);
        memset(known, 0, sizeof *known);
        w->count--;
    }
    take_part(w);
}

static void on_synced(void *ctx)
{
    struct watcher *w = ctx;

    rig_check(++w->synced == 1);
    take_part(w);
}

/* ---- what must always hold ---- */

static bool is_told(const struct watcher *w, const struct km_meta *pod)
{
    return w->handler.matches == NULL || w->handler.matches(NULL, pod);
}

static void check_picture(const struct informer *inf, struct watcher *w)
{
    const struct km_store *store = inf->shared->store;
    uint16_t slots[SLOTS];
    int visible = km_store_keys(store, slots, SLOTS);
    unsigned expected = 0;

    for (int i = 0; i < visible; i++) {
        const struct km_meta *pod = km_cache_get(store->cache, slots[i]);

        if (!is_told(w, pod))
            continue;
        const struct known *known = find_known(w, pod->name);

        expected++;
        if (known == NULL || strcmp(known->rv, pod->rv) != 0)
            rig_fail("readers see what handler %d was not told: %s", (int)(w - inf->watchers),
                     pod->name);
    }
    if (w->count != expected)
        rig_fail("handler %d knows %u objects, readers see %u", (int)(w - inf->watchers), w->count,
                 expected);
}

static void check_informer(struct informer *inf)
{
    for (size_t i = 0; i < HANDLERS; i++) {
        struct watcher *w = &inf->watchers[i];

        /* A late one is on its way through what is there. */
        if (w->added && (i == 0 || km_handler_synced(&w->handler)))
            check_picture(inf, w);
    }
}

static void turned(void)
{
    for (size_t i = 0; i < INFORMERS; i++)
        check_informer(&informers[i]);
}

/* ---- in the end ---- */

static unsigned pods_here(void)
{
    unsigned count = 0;

    for (const struct doc *pod = NULL; (pod = api_next(API_PODS, pod)) != NULL;)
        count += strcmp(doc_text(pod, "/spec/nodeName"), API_NODE) == 0;
    return count;
}

/* How many of the server's pods come before this one by the informer's preference. */
static unsigned rank(const char *name)
{
    unsigned before = 0;

    for (const struct doc *pod = NULL; (pod = api_next(API_PODS, pod)) != NULL;)
        before += strcmp(doc_text(pod, "/spec/nodeName"), API_NODE) == 0 &&
                  strcmp(doc_text(pod, "/metadata/name"), name) < 0;
    return before;
}

static const char *picture_fault(const struct informer *inf)
{
    const struct watcher *w = &inf->watchers[0];
    unsigned here = pods_here(), room = here < SLOTS ? here : SLOTS;

    if (w->count != room)
        return w->count < room ? "a pod is missing" : "a pod is gone and still known";
    for (size_t i = 0; i < NAMES; i++) {
        const struct known *known = &w->picture[i];

        if (known->name[0] == '\0')
            continue;
        const struct doc *pod = api_get(API_PODS, "default", known->name);

        if (pod == NULL || strcmp(doc_text(pod, "/metadata/resourceVersion"), known->rv) != 0)
            return "a pod is not as the server has it";
        if (inf->choosing && rank(known->name) >= SLOTS)
            return "a pod is kept that others are preferred to";
    }
    return NULL;
}

static const char *fault_of(const struct informer *inf)
{
    unsigned here = pods_here();
    enum km_synced synced = km_shared_synced(inf->shared);

    if (!km_reflector_live(&inf->shared->reflector))
        return "not live";
    if (here > SLOTS && synced != KM_SYNCED_IN_PART)
        return "something was left out, and it does not say so";
    if (here < SLOTS && synced != KM_SYNCED)
        return "it says that something was left out";
    for (size_t i = 0; i < HANDLERS; i++) {
        if (inf->watchers[i].added && inf->watchers[i].synced != 1)
            return "a handler was not told that this is all";
    }
    return picture_fault(inf);
}

static const char *unsettled(void)
{
    const char *why = NULL;

    for (size_t i = 0; i < INFORMERS && why == NULL; i++)
        why = fault_of(&informers[i]);
    return why;
}

static void settle(void)
{
    int64_t until_ms = km_port_now_ms() + SETTLE_MS;
    const char *why;

    while ((why = unsettled()) != NULL && km_port_now_ms() < until_ms)
        rig_run(1000);
    if (why != NULL)
        rig_fail("not settled: %s", why);
}

/* ---- accidents ---- */

static void churn(int count)
{
    char name[16];

    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "pod-%02d", (int)roll(0, NAMES - 6));
        if (api_get(API_PODS, "default", name) == NULL)
            api_add_pod("default", name, chance(90) ? API_NODE : "node-b");
        else if (chance(60))
            api_delete(API_PODS, "default", name);
        else
            api_edit(API_PODS, "default", name, "/metadata/labels/x", chance(50) ? "\"y\"" : "1");
    }
}

static void people(void)
{
    for (int64_t i = roll(1, 6); i > 0; i--) {
        churn((int)roll(0, 12));
        rig_run(roll(0, 5000));
    }
}

static void few_or_many(void)
{
    char name[16];
    unsigned wanted = (unsigned)roll(0, PODS_MOST);

    for (int i = 0; i < NAMES && pods_here() > wanted; i++) {
        (void)snprintf(name, sizeof name, "pod-%02d", (int)roll(0, NAMES - 6));
        if (api_get(API_PODS, "default", name) != NULL)
            api_delete(API_PODS, "default", name);
    }
    rig_run(roll(0, 20 * RIG_MINUTE));
}

static void handlers_come_and_go(void)
{
    for (int64_t i = roll(1, 10); i > 0; i--) {
        struct watcher *w = any_late(&informers[roll(0, INFORMERS - 1)]);

        if (w->added)
            remove_watcher(w);
        else
            add_watcher(w);
        churn((int)roll(0, 4));
        rig_run(chance(50) ? 0 : roll(0, 30000));
    }
}

static void slow_handlers(void)
{
    struct watcher *w = &informers[roll(0, INFORMERS - 1)].watchers[roll(0, HANDLERS - 1)];

    w->takes_ms = roll(1, chance(80) ? 3000 : 200000);
    people();
    rig_run(roll(0, 60000));
    w->takes_ms = 0;
}

static void meddlesome_handlers(void)
{
    meddling = true;
    people();
    rig_run(roll(0, 60000));
    meddling = false;
}

static void stop_and_start(void)
{
    for (int64_t i = roll(1, 5); i > 0; i--) {
        struct km_shared *shared = informers[roll(0, INFORMERS - 1)].shared;

        km_shared_stop(shared);
        if (chance(70))
            people();
        if (chance(70))
            km_shared_start(shared);
        rig_run(roll(0, 20000));
    }
}

static void wall_jump(void)
{
    km_sim_wall_set(roll(0, INT64_C(4000000000)) * 1000000);
    people();
}

static const struct accident accidents[] = {
    {"people", people, true, 6},
    {"few or many", few_or_many, true, 4},
    {"handlers come and go", handlers_come_and_go, true, 6},
    {"slow handlers", slow_handlers, true, 3},
    {"handlers that meddle", meddlesome_handlers, true, 6},
    {"stop and start", stop_and_start, true, 4},
    {"wall clock", wall_jump, true, 1},
    {"server restarts", accident_restart_server, true, 4},
    {"streams end", accident_end_streams, true, 4},
    {"another server", accident_other_server, true, 4},
    {"ERROR events", accident_error_event, true, 4},
    {"pieces", accident_pieces, true, 3},
    {"link down", accident_link_down, true, 2},
    {"half-open links", accident_half_open, true, 3},
    {"deaf proxy", accident_deaf_proxy, true, 2},
    {"restored store", accident_restore_copy, true, 4},
    {"emptied store", accident_empty_store, true, 2},
    {"refusals", accident_refusals, true, 6},
    {"slow server", accident_slow_server, true, 4},
    {"no way to the server", accident_no_way, true, 2},
    {"failing calls", accident_failing_calls, true, 4},
    {"cut", accident_cut, true, 8},
    {"garbage events", accident_garbage_events, true, 2},
};
#define ACCIDENTS (sizeof accidents / sizeof accidents[0])

/* ---- a life ---- */

static void set_up_informer(struct informer *inf)
{
    struct km_reflector *r = &inf->shared->reflector;
    struct km_fault fault = {0};

    memset(&inf->lane, 0, sizeof inf->lane);
    *inf->shared = (struct km_shared){.store = inf->shared->store, .untold = inf->shared->untold};
    inf->shared->store->hidden = NULL;
    rig_check(km_lane_init(&inf->lane, &client, inf->choosing ? "chosen" : "refused") == KM_OK);
    r->name = "pods";
    r->resource = &km_pods;
    r->kind = &km_kind_meta;
    (void)snprintf(r->field_selector, sizeof r->field_selector, "spec.nodeName=%s", API_NODE);
    r->lane = &inf->lane;
    r->client = &client;
    r->event_nodes = inf->event_nodes;
    r->list_nodes = inf->list_nodes;
    r->rng = &rng;
    rig_check(km_shared_init(inf->shared, 3, &fault) == KM_OK);
    for (size_t i = 0; i < HANDLERS; i++) {
        struct watcher *w = &inf->watchers[i];

        *w = (struct watcher){.of = inf};
        w->handler = (struct km_handler){.on_add = on_add,
                                         .on_update = on_update,
                                         .on_delete = on_delete,
                                         .on_synced = on_synced,
                                         .matches = i == HANDLERS - 1 ? is_even : NULL,
                                         .ctx = w};
    }
    add_watcher(&inf->watchers[0]);
    km_shared_start(inf->shared);
}

static void set_up(uint64_t seed)
{
    struct km_fault fault = {0};

    rig_begin(seed);
    rig.verbosity = 0;
    rig.turned = turned;
    rig_log_start();
    km_sim_poll_limit(UINT64_MAX);
    accidents_begin(seed, &(const struct accident_people){people, churn});
    memset(&client, 0, sizeof client);
    km_rng_seed(&rng, seed);
    km_loop_init(&rig.loop);
    rig.loop.now_ms = km_port_now_ms();
    rig_check(km_client_tls(&rig.kubeconfig, &fault) == KM_OK);
    rig_check(km_client_init(&client, &rig.kubeconfig, &rig.loop, &fault) == KM_OK);
    meddling = false;
    for (size_t i = 0; i < INFORMERS; i++)
        set_up_informer(&informers[i]);
}

static void end(void)
{
    for (size_t i = 0; i < INFORMERS; i++)
        km_shared_stop(informers[i].shared);
    for (uint16_t i = 0; i < rig.loop.conn_count; i++)
        km_conn_abort(rig.loop.conns[i], KM_ERR_CANCELED, "the program ends", rig.loop.now_ms);
    for (size_t i = 0; i < INFORMERS; i++)
        rig_check(informers[i].lane.active == NULL && informers[i].lane.waiting == NULL);
    rig_check(km_sim_leaks() == 0);
    rig.turned = NULL;
    rig.label = NULL;
    api_close();
}

static void befall(unsigned number, uint64_t seed)
{
    const struct accident *a = accident_pick(accidents, ACCIDENTS);
    unsigned requests = api.requests, pages = api.pages;
    int64_t began_ms = km_port_now_ms();

    accident_tell(a, number, seed);
    a->happen();
    if (chance(40))
        accident_pick(accidents, ACCIDENTS)->happen();
    accident_put_right();
    for (size_t i = 0; i < INFORMERS; i++)
        km_shared_start(informers[i].shared);
    settle();
    if (api.complaints > 0)
        rig_fail("the server complains: %s", api.complaint);
    rig_check(rig.loop.timers.refused == 0);
    rig_check_most(api.requests - requests, REQUESTS_FLOOR + api.pages - pages +
                                                (uint64_t)(km_port_now_ms() - began_ms) * 2 / 1000);
}

static void live(uint64_t seed, int64_t hours)
{
    int64_t until_ms;
    unsigned number = 0;

    set_up(seed);
    until_ms = km_port_now_ms() + hours * RIG_HOUR;
    while (km_port_now_ms() < until_ms)
        befall(++number, seed);
    end();
    print_message("seed %llu: %u accidents in %d h, %u requests\n", (unsigned long long)seed,
                  number, (int)hours, api.requests);
}

static void random_lives(void **state)
{
    (void)state;
    accident_seeds(RIG_SLOW ? 2 : 10, live, 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_lives)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
