/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared informer against the tests' server. A handler keeps a picture of its own from what it is told, and each call
 * must fit that picture: additions of what it lacks, updates and deletions of what it has. At every turn of the loop readers see
 * what handlers were told, neither more nor less; in the end all is as the server has it. So with links cut at every byte of
 * an exchange, with more objects than slots, with handlers that take long, and across deaths of the program.
 */
#include "rig.h"

#include <stdlib.h>

#include "kubemote/km_informer.h"
#include "kubemote/km_json_table.h"

#define SLOTS 12
#define NAMES 64
#define SETTLE_MS 240000
#define FILE_PATH "/var/lib/example/version"

/* All three together do not fit the window. */
#define LARGE_BYTES (CONFIG_KM_JSON_WINDOW_BYTES / 3)
#define LARGE_FIELDS(S, I, B, R, A, M) \
    KM_META_FIELDS(S) \
    R(first, "/metadata/annotations", LARGE_BYTES + 1) \
    R(second, "/spec/second", LARGE_BYTES + 1) R(third, "/spec/third", LARGE_BYTES + 1)
KM_KIND_STRUCT(large, LARGE_FIELDS)
KM_KIND_TABLE(large, "Pod", LARGE_FIELDS)

KM_SHARED_DEFINE(pods, struct km_large, SLOTS, KM_KEY_SIZE, NULL, NULL);
KM_INDEX_NAMESPACE_DEFINE(by_namespace, SLOTS);

static struct km_client client;
static struct km_lane lane;
static struct km_rng rng;
static struct km_schema_node event_nodes[CONFIG_KM_JSON_NODE_COUNT],
    list_nodes[CONFIG_KM_JSON_NODE_COUNT];
static struct km_saved saved;

/* ---- the handler's picture ---- */

static struct known {
    char key[80], rv[32];
} picture[NAMES];
static struct km_handler handler, late;
static unsigned picture_count, calls, synced, late_adds, lost;
static unsigned seen_adds[NAMES]; /* of pods named p0, p1, ... */
static int64_t handler_takes_ms;

static struct known *find_known(const char *key)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (strcmp(picture[i].key, key) == 0)
            return &picture[i];
    }
    return NULL;
}

static const char *key_of(const struct km_meta *pod)
{
    static char key[80];

    (void)snprintf(key, sizeof key, "%.30s/%.40s", pod->ns, pod->name);
    return key;
}

static void take_time(void)
{
    calls++;
    if (handler_takes_ms > 0)
        km_sim_advance(handler_takes_ms);
}

static void on_add(void *ctx, uint16_t slot, const void *now, bool initial)
{
    const struct km_meta *pod = now;
    struct known *place = find_known("");

    (void)ctx;
    (void)slot;
    (void)initial;
    take_time();
    if (pod->name[0] == 'p')
        seen_adds[strtoul(pod->name + 1, NULL, 10) % NAMES]++;
    if (find_known(key_of(pod)) != NULL)
        rig_fail("added twice: %s", key_of(pod));
    rig_check(place != NULL);
    (void)snprintf(place->key, sizeof place->key, "%s", key_of(pod));
    memcpy(place->rv, pod->rv, sizeof place->rv);
    picture_count++;
}

static void on_update(void *ctx, uint16_t slot, const void *old, const void *now)
{
    const struct km_meta *before = old, *pod = now;
    struct known *known = find_known(key_of(pod));

    (void)ctx;
    (void)slot;
    take_time();
    if (known == NULL || strcmp(known->rv, before->rv) != 0)
        rig_fail("updated from what was not known: %s", key_of(pod));
    memcpy(known->rv, pod->rv, sizeof known->rv);
}

static void on_delete(void *ctx, uint16_t slot, const void *last, bool tombstone)
{
    struct known *known = find_known(key_of(last));

    (void)ctx;
    (void)tombstone;
    take_time();
    if (slot == KM_NO_SLOT) {
        rig_check(known == NULL);
        return;
    }
    if (known == NULL)
        rig_fail("deleted what was not known: %s", key_of(last));
    memset(known, 0, sizeof *known);
    picture_count--;
}

static void on_synced(void *ctx)
{
    (void)ctx;
    synced++;
}

static void on_lost(void *ctx, const char *rv)
{
    (void)ctx;
    rig_check(rv[0] != '\0' && calls == 0);
    lost++;
}

static void on_late_add(void *ctx, uint16_t slot, const void *now, bool initial)
{
    (void)ctx;
    (void)slot;
    (void)now;
    late_adds += initial ? 1 : 0;
}

/* ---- the program ---- */

static void forget(void)
{
    memset(picture, 0, sizeof picture);
    picture_count = calls = synced = late_adds = lost = 0;
}

static void fill_reflector(void)
{
    struct km_reflector *r = &pods.reflector;

    r->name = "pods";
    r->resource = &km_pods;
    r->kind = &km_kind_large;
    (void)snprintf(r->field_selector, sizeof r->field_selector, "spec.nodeName=%s", API_NODE);
    r->lane = &lane;
    r->client = &client;
    r->event_nodes = event_nodes;
    r->list_nodes = list_nodes;
    r->rng = &rng;
}

/* A process that starts: everything is new but the machine and the server. */
static void set_up(void)
{
    struct km_fault fault = {0};

    memset(&client, 0, sizeof client);
    memset(&lane, 0, sizeof lane);
    memset(&by_namespace.store, 0, sizeof by_namespace.store);
    pods = (struct km_shared){.store = &pods_store, .untold = pods_untold, .on_lost = on_lost};
    pods_store.indexes = NULL;
    km_rng_seed(&rng, 7);
    km_loop_init(&rig.loop);
    rig.loop.now_ms = km_port_now_ms();
    rig_check(km_client_tls(&rig.kubeconfig, &fault) == KM_OK);
    rig_check(km_client_init(&client, &rig.kubeconfig, &rig.loop, &fault) == KM_OK);
    rig_check(km_lane_init(&lane, &client, "pods") == KM_OK);
    fill_reflector();
    rig_check(km_shared_init(&pods, 3, &fault) == KM_OK);
    rig_check(km_store_add_index(pods.store, &by_namespace) == KM_OK);
    forget();
    handler = (struct km_handler){
        .on_add = on_add, .on_update = on_update, .on_delete = on_delete, .on_synced = on_synced};
    late = (struct km_handler){.on_add = on_late_add};
    rig_check(km_shared_add(&pods, &handler) == KM_OK);
}

static void begin(void)
{
    rig_begin(1);
    km_sim_poll_limit(UINT64_MAX);
    rig.verbosity = 0;
    rig_log_start();
    handler_takes_ms = 0;
    memset(seen_adds, 0, sizeof seen_adds);
    set_up();
}

static void die(void)
{
    for (uint16_t i = 0; i < rig.loop.conn_count; i++)
        km_conn_abort(rig.loop.conns[i], KM_ERR_CANCELED, "the program ends", rig.loop.now_ms);
}

static void end(void)
{
    km_shared_stop(&pods);
    die();
    rig_check(lane.active == NULL && lane.waiting == NULL);
    rig_check(km_sim_leaks() == 0);
    if (api.complaints > 0)
        rig_fail("%u complaints of the server, the first: %s", api.complaints, api.complaint);
    api_close();
}

/* ---- what must hold ---- */

/* By lister, index and key readers see the picture. Before the end of the first list that is nothing. */
static void check_readers(void)
{
    static const struct km_lister lister = {.store = &pods_store, .by_namespace = &by_namespace};
    struct km_lister_walk walk;
    const void *record;
    unsigned listed = 0;

    km_lister_find(&lister, km_slice_of("default"), NULL, &walk);
    while (km_lister_next(&walk, &record) == KM_OK) {
        const struct km_meta *pod = record;
        const struct known *known = find_known(key_of(pod));

        listed++;
        if (known == NULL || strcmp(known->rv, pod->rv) != 0)
            rig_fail("readers see what was not told: %s", key_of(pod));
        rig_check(km_lister_get(&lister, pod->ns, pod->name) == record);
    }
    if (listed != picture_count)
        rig_fail("readers see %u objects, handlers were told %u", listed, picture_count);
}

static void run(int64_t ms)
{
    int64_t until_ms = km_port_now_ms() + ms, now_ms;

    while ((now_ms = km_port_now_ms()) < until_ms) {
        km_loop_turn(&rig.loop, until_ms - now_ms);
        check_readers();
    }
}

static const char *difference(void)
{
    unsigned count = 0;

    for (const struct doc *pod = api_next(API_PODS, NULL); pod != NULL;
         pod = api_next(API_PODS, pod)) {
        char key[80];

        (void)snprintf(key, sizeof key, "%.30s/%.40s", doc_text(pod, "/metadata/namespace"),
                       doc_text(pod, "/metadata/name"));
        const struct known *known = find_known(key);

        count++;
        if (known == NULL)
            return "a pod was not told";
        if (strcmp(known->rv, doc_text(pod, "/metadata/resourceVersion")) != 0)
            return "a pod has another resourceVersion";
    }
    if (count != picture_count)
        return "pods that are gone are still known";
    if (!km_handler_synced(&handler) || km_shared_synced(&pods) != KM_SYNCED)
        return "not synced";
    return km_reflector_live(&pods.reflector) ? NULL : "not live";
}

static void settle(int64_t limit_ms)
{
    int64_t until_ms = km_port_now_ms() + limit_ms;
    const char *why = difference();

    while (why != NULL && km_port_now_ms() < until_ms) {
        run(500);
        why = difference();
    }
    if (why != NULL)
        rig_fail("not settled: %s", why);
    rig_check(synced == 1);
}

/* ---- cut everywhere ---- */

static void exchange(void)
{
    api_add_pod("default", "there", API_NODE);
    api_add_pod("default", "stays", API_NODE);
    km_shared_start(&pods);
    run(1000);
    api_add_pod("default", "new", API_NODE);
    api_edit(API_PODS, "default", "stays", "/metadata/labels/a", "\"b\"");
    run(1000);
    api_delete(API_PODS, "default", "there");
    run(1000);
    api_end_watches();
    api_skip(3);
    run(2000);
    api_edit(API_PODS, "default", "new", "/metadata/labels/a", "\"b\"");
    run(1000);
}

/* What only a live watch shows. */
static void disturb(void)
{
    api_add_pod("default", "last", API_NODE);
    api_delete(API_PODS, "default", "stays");
    api_edit(API_PODS, "default", "new", "/metadata/labels/a", "\"c\"");
}

static uint64_t length[2];

static void measure(void **state)
{
    (void)state;
    begin();
    exchange();
    for (int dir = 0; dir < 2; dir++)
        length[dir] = km_sim_bytes((enum km_sim_dir)dir);
    disturb();
    settle(5000);
    end();
    print_message("%llu bytes to the program, %llu to the server\n",
                  (unsigned long long)length[KM_SIM_TO_AGENT],
                  (unsigned long long)length[KM_SIM_TO_SERVER]);
}

static void try_cut(enum km_sim_dir dir, uint64_t at, enum km_sim_cut how)
{
    char label[80];

    (void)snprintf(label, sizeof label, "cut %s after byte %llu, way %d",
                   dir == KM_SIM_TO_AGENT ? "to the program" : "to the server",
                   (unsigned long long)at, (int)how);
    rig.label = label;
    begin();
    km_sim_cut(dir, at, how);
    exchange();
    rig_check(km_sim_cut_done(dir));
    disturb();
    settle(SETTLE_MS);
    end();
    rig.label = NULL;
}

static void try_all(enum km_sim_dir dir)
{
    rig_check(length[dir] > 500);
    for (uint64_t at = 0; at < length[dir]; at += RIG_SLOW ? 7 : 1) {
        for (unsigned how = 0; how < 3; how++) {
            if (!RIG_SLOW || at / 7 % 3 == how)
                try_cut(dir, at, (enum km_sim_cut)how);
        }
    }
}

static void cut_every_byte_to_the_program(void **state)
{
    (void)state;
    try_all(KM_SIM_TO_AGENT);
}

static void cut_every_byte_to_the_server(void **state)
{
    (void)state;
    try_all(KM_SIM_TO_SERVER);
}

/* ---- lists that replace each other, byte by byte ---- */

static void readers_see_whole_lists(void **state)
{
    char name[16];

    (void)state;
    begin();
    km_shared_start(&pods);
    run(1000);
    for (int round = 0; round < 6; round++) {
        km_sim_shorten_to(round % 2 == 0 ? 1 : 0);
        km_sim_link(false);
        run(500);
        for (int i = 0; i < 10; i++) {
            (void)snprintf(name, sizeof name, "%c%d", 'a' + round, i);
            api_add_pod("default", name, API_NODE);
            (void)snprintf(name, sizeof name, "%c%d", 'a' + round - 1, i);
            if (round > 0)
                api_delete(API_PODS, "default", name);
        }
        km_sim_link(true);
        km_sim_close_all();
        settle(SETTLE_MS);
    }
    end();
}

/* ---- more objects than slots ---- */

static void too_many_come_and_go(void **state)
{
    char name[16];
    unsigned before;

    (void)state;
    begin();
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "p%d", i);
        api_add_pod("default", name, API_NODE);
    }
    km_shared_start(&pods);
    run(5000);
    rig_check(km_shared_synced(&pods) == KM_SYNCED_IN_PART);
    rig_check(km_shared_left_out(&pods) == 8 && picture_count == SLOTS);
    before = api.requests;
    run(RIG_HOUR);
    rig_check_most(api.requests - before, 15); /* the ends of streams */
    before = api.requests;
    for (int i = 0; i < 3600; i++) { /* the same number all the time, others each second */
        (void)snprintf(name, sizeof name, "p%d", i);
        api_delete(API_PODS, "default", name);
        (void)snprintf(name, sizeof name, "p%d", i + 20);
        api_add_pod("default", name, API_NODE);
        run(1000);
        rig_check(picture_count <= SLOTS);
    }
    rig_check_most(api.requests - before, 40);
    rig_check(km_shared_synced(&pods) == KM_SYNCED_IN_PART);
    for (int i = 3600; i < 3610; i++) {
        (void)snprintf(name, sizeof name, "p%d", i);
        api_delete(API_PODS, "default", name);
    }
    settle(RIG_MINUTE * 6);
    rig_check(km_shared_left_out(&pods) == 0);
    end();
}

/* ---- objects larger than the window ---- */

static const struct km_large *pod_of(const char *name)
{
    char key[80];

    (void)snprintf(key, sizeof key, "default/%s", name);
    return km_store_get(pods.store, km_slice_of(key));
}

static void make_large(const char *name)
{
    static char text[LARGE_BYTES];

    memset(text, 'x', sizeof text);
    text[0] = text[sizeof text - 2] = '"';
    text[sizeof text - 1] = '\0';
    api_edit(API_PODS, "default", name, "/spec/second", text);
    api_edit(API_PODS, "default", name, "/spec/third", text);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + sizeof text - 3, "\"}", 2);
    api_edit(API_PODS, "default", name, "/metadata/annotations", text);
}

/* What is too large is told and listed and goes like all else, without its last fields. */
static void large_objects_are_known(void **state)
{
    (void)state;
    begin();
    api_add_pod("default", "grows", API_NODE);
    api_add_pod("default", "goes", API_NODE);
    km_shared_start(&pods);
    settle(5000);
    rig_check(pod_of("grows")->head.truncated == 0);
    make_large("grows");
    make_large("goes");
    settle(5000);
    rig_check(pods.reflector.cut.value >= 2 && pods.reflector.skipped.value == 0);
    rig_check(pod_of("grows")->head.truncated > 0 && pod_of("grows")->second[0] == '"');
    api_delete(API_PODS, "default", "goes");
    settle(5000);
    rig_check(pod_of("goes") == NULL && pod_of("grows") != NULL);
    km_sim_close_all();
    settle(SETTLE_MS);
    rig_check(pod_of("grows")->head.truncated > 0 && km_shared_synced(&pods) == KM_SYNCED);
    api_edit(API_PODS, "default", "grows", "/spec/third", "\"x\"");
    settle(5000);
    rig_check(pod_of("grows")->head.truncated == 0);
    end();
}

/* ---- handlers that take long ---- */

static void slow_handlers_lose_nothing(void **state)
{
    static const int64_t takes_ms[] = {20, 5000, 200000};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin();
        api_add_pod("default", "there", API_NODE);
        km_shared_start(&pods);
        run(1000);
        handler_takes_ms = takes_ms[i];
        for (int n = 0; n < 30; n++) {
            char label[16];

            (void)snprintf(label, sizeof label, "\"%d\"", n);
            api_edit(API_PODS, "default", "there", "/metadata/labels/n", label);
            run(100);
        }
        api_delete(API_PODS, "default", "there");
        api_add_pod("default", "new", API_NODE);
        run(RIG_MINUTE);
        handler_takes_ms = 0;
        settle(SETTLE_MS);
        end();
    }
}

/* ---- stop and start, late handlers ---- */

static void stops_and_starts_again(void **state)
{
    (void)state;
    begin();
    exchange();
    for (int i = 0; i < 5; i++) {
        char name[16];

        km_shared_stop(&pods);
        unsigned told = calls;
        (void)snprintf(name, sizeof name, "p%d", i);
        api_add_pod("default", name, API_NODE);
        api_edit(API_PODS, "default", "stays", "/metadata/labels/a",
                 i % 2 == 0 ? "\"x\"" : "\"y\"");
        run(i == 3 ? RIG_HOUR : 2000);
        rig_check(calls == told);
        if (i == 2)
            api_compact();
        km_shared_start(&pods);
        settle(30000);
    }
    rig_check(km_shared_add(&pods, &late) == KM_OK);
    run(1000);
    rig_check(late_adds == picture_count && km_handler_synced(&late));
    end();
}

static void a_factory_stops_and_starts(void **state)
{
    struct km_factory factory = {.first = &pods};

    (void)state;
    begin();
    exchange();
    km_factory_stop(&factory);
    unsigned told = calls;
    api_add_pod("default", "p0", API_NODE);
    run(2000);
    rig_check(calls == told);
    km_factory_start(&factory);
    km_factory_start(&factory); /* it runs already */
    settle(30000);
    rig_check(calls > told && km_factory_synced(&factory));
    end();
}

/* ---- from which version lists are asked for ---- */

static char asked[512];
static bool half_a_list;

static enum api_verdict note_version(const struct km_sim_request *rq, enum api_call call)
{
    char rv[32] = "";
    size_t len = strlen(asked);

    if (call != API_POD_STREAM && call != API_POD_LIST)
        return API_SERVE;
    (void)api_query(rq, "resourceVersion", rv, sizeof rv);
    (void)snprintf(asked + len, sizeof asked - len, "%s=%s ",
                   call == API_POD_STREAM ? "stream" : "list", rv);
    if (call != API_POD_STREAM || !half_a_list)
        return API_SERVE;
    half_a_list = false;
    (void)km_sim_http_begin(rq->conn_id, 200, "application/json");
    (void)km_sim_http_chunk(rq->conn_id,
                            "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"
                            "\"name\":\"new\",\"namespace\":\"default\",\"uid\":\"g\","
                            "\"resourceVersion\":\"9000\"}}}\n");
    (void)km_sim_fin(rq->conn_id);
    return API_TAKEN;
}

static void begin_noting(bool no_streaming)
{
    begin();
    asked[0] = '\0';
    api.hook = note_version;
    api.no_streaming = no_streaming;
    api_add_pod("default", "there", API_NODE);
    km_shared_start(&pods);
    run(1000);
    rig_check(strcmp(asked, no_streaming ? "stream= list=0 " : "stream= ") == 0);
    api_add_pod("default", "other", API_NODE);
    run(1000);
    asked[0] = '\0';
}

/* %s in `expected`: the version that was seen last. */
static void expect_asked(const char *expected, const char *version)
{
    char text[sizeof asked];

    (void)snprintf(text, sizeof text, expected, version, version);
    if (strcmp(asked, text) != 0)
        rig_fail("asked for %.150s, not %.150s", asked, text);
    settle(SETTLE_MS);
    end();
}

/* A list that brought nothing before it was refused or broke off leaves the version at what was seen: a list from an older one
   would take back what was told. One that brought something may have stored what is newer than the version. */
static void lists_begin_where_the_picture_stands(void **state)
{
    char version[32];

    (void)state;
    begin_noting(true);
    (void)snprintf(version, sizeof version, "%s", km_store_version(pods.store));
    km_sim_close_all();
    run(5000);
    expect_asked("stream=%s list=%s ", version);

    begin_noting(false);
    (void)snprintf(version, sizeof version, "%s", km_store_version(pods.store));
    api_fail(API_POD_STREAM, 1, 503, "ServiceUnavailable", 0);
    km_sim_close_all();
    run(10000);
    expect_asked("stream=%s stream=%s ", version);

    begin_noting(false);
    (void)snprintf(version, sizeof version, "%s", km_store_version(pods.store));
    half_a_list = true;
    km_sim_close_all();
    run(10000);
    expect_asked("stream=%s stream= ", version);

    begin_noting(false);
    (void)snprintf(version, sizeof version, "%s", km_store_version(pods.store));
    half_a_list = true;
    km_sim_close_all();
    run(1700);
    api.no_streaming = true;
    run(10000);
    expect_asked("stream=%s stream= list= ", version);
}

static bool has_new_pod(void *ctx, const struct km_store *store)
{
    ++*(unsigned *)ctx;
    return km_store_get(store, km_slice_of("default/new")) != NULL;
}

static void add_new_pod(void *ctx)
{
    (void)ctx;
    api_add_pod("default", "new", API_NODE);
}

static void TestUntilWithSync(void **state)
{
    unsigned looks = 0;

    (void)state;
    begin();
    api_add_pod("default", "there", API_NODE);
    km_shared_start(&pods);
    rig_check(km_shared_until(&pods, has_new_pod, &looks, 5000) == KM_ERR_TIMEOUT);
    rig_check(looks > 0);
    (void)km_sim_after(3000, add_new_pod, NULL);
    rig_check(km_shared_until(&pods, has_new_pod, &looks, 5000) == KM_OK);
    end();
    begin();
    km_sim_link(false);
    looks = 0;
    km_shared_start(&pods);
    rig_check(km_shared_until(&pods, has_new_pod, &looks, 5000) == KM_ERR_TIMEOUT);
    rig_check(looks == 0);
    rig.loop.turning = true;
    rig_check(km_shared_until(&pods, has_new_pod, &looks, 5000) == KM_ERR_REENTRANT);
    rig.loop.turning = false;
    end();
}

/* ---- a program that keeps the resourceVersion ---- */

static void start_kept(int64_t interval_ms)
{
    char rv[KM_VERSION_SIZE];

    saved = (struct km_saved){.name = "pods", .path = FILE_PATH, .interval_ms = interval_ms};
    km_saved_init(&saved, &rig.loop.timers);
    (void)km_saved_load(&saved, rv, sizeof rv);
    km_shared_keep(&pods, &saved);
    km_shared_resume(&pods, rv);
}

/* Killed after any number of milliseconds, it is told of each pod, and of none more than twice. */
static void nothing_is_missed_across_a_death(void **state)
{
    (void)state;
    for (int64_t life_ms = 0; life_ms < 3000; life_ms += RIG_SLOW ? 97 : 13) {
        char label[48], name[16];

        (void)snprintf(label, sizeof label, "killed after %lld ms", (long long)life_ms);
        rig.label = label;
        begin();
        start_kept(700);
        run(500);
        for (int i = 0; i < 10; i++) {
            (void)snprintf(name, sizeof name, "p%d", i);
            api_add_pod("default", name, API_NODE);
            run(life_ms > i * 300 ? (life_ms < (i + 1) * 300 ? life_ms - i * 300 : 300) : 0);
            if (life_ms < (i + 1) * 300 && life_ms >= i * 300) {
                die();
                set_up();
                start_kept(700);
            }
        }
        run(SETTLE_MS);
        for (int i = 0; i < 10; i++) {
            if (seen_adds[i] < 1 || seen_adds[i] > 2)
                rig_fail("p%d was told %u times", i, seen_adds[i]);
        }
        end();
    }
    rig.label = NULL;
}

/* An event each second for an hour: a write each minute, none while nothing happens. */
static void flash_wear_is_bounded(void **state)
{
    (void)state;
    begin();
    api.no_bookmarks = true;
    start_kept(60000);
    api_add_pod("default", "there", API_NODE);
    for (int i = 0; i < 3600; i++) {
        char label[16];

        (void)snprintf(label, sizeof label, "\"%d\"", i);
        api_edit(API_PODS, "default", "there", "/metadata/labels/n", label);
        run(1000);
    }
    rig_check(saved.writes.value >= 59);
    rig_check_most(saved.writes.value, 62);
    run(2 * RIG_MINUTE);
    rig_check(strncmp(km_sim_file_get(FILE_PATH), km_store_version(pods.store),
                      strlen(km_store_version(pods.store))) == 0);
    uint64_t writes = saved.writes.value;
    run(10 * RIG_MINUTE);
    rig_check(saved.writes.value <= writes + 1);
    end();
}

static void a_failing_disk_is_tried_again(void **state)
{
    (void)state;
    begin();
    start_kept(1000);
    run(500);
    km_sim_file_error(FILE_PATH, KM_ERR_IO);
    api_add_pod("default", "p1", API_NODE);
    run(60000);
    rig_check(saved.failures.value >= 5);
    rig_check_most(saved.failures.value, 8);
    rig_check(rig_logged("The resourceVersion can't be saved") == 1);
    km_sim_file_error(FILE_PATH, KM_OK);
    run(11000);
    rig_check(strncmp(km_sim_file_get(FILE_PATH), km_store_version(pods.store),
                      strlen(km_store_version(pods.store))) == 0);
    end();
}

static void restart_kept(void)
{
    die();
    set_up();
    start_kept(0);
}

/* The server's store becomes an older copy while the program runs, while it runs on what it kept, and while it is dead. */
static void a_restored_store_starts_over(void **state)
{
    enum { LISTED, RESUMED, DEAD };

    (void)state;
    for (int life = LISTED; life <= DEAD; life++) {
        begin();
        api_save();
        start_kept(0);
        api_add_pod("default", "gone", API_NODE);
        api_skip(100);
        api_add_pod("default", "gone-too", API_NODE);
        run(2000);
        if (life == RESUMED)
            restart_kept();
        run(2000);
        api_restore();
        api_add_pod("default", "after", API_NODE);
        if (life == DEAD)
            restart_kept();
        settle(20000);
        rig_check(rig_logged("The server can't go on from the saved resourceVersion: what happened "
                             "since is lost, listing anew") == (life != LISTED ? 1 : 0));
        rig_check(lost == (life != LISTED ? 1 : 0));
        end();
    }
}

/* A list says nothing of deletions that a program without a picture missed: a broken or silent link is gone on from. */
static void what_was_resumed_is_not_listed(void **state)
{
    (void)state;
    begin();
    start_kept(0);
    api_add_pod("default", "there", API_NODE);
    run(2000);
    restart_kept();
    api.no_bookmarks = true;
    unsigned streams = api.calls[API_POD_STREAM];
    run(10 * RIG_MINUTE);
    km_sim_close_all();
    api_delete(API_PODS, "default", "there");
    run(RIG_MINUTE);
    rig_check(calls == 1 && synced == 0 && lost == 0);
    rig_check(api.calls[API_POD_STREAM] == streams);
    end();
}

static void damaged_and_old_files_start_over(void **state)
{
    static const char *const texts[] = {
        "",    "\n",    "123",   "1 2\n", "12345678901234567890123456789012345\n",
        "0\n", "101\n", "5000\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rig.label = texts[i];
        begin();
        api_add_pod("default", "there", API_NODE);
        api_skip(10);
        api_compact();
        km_sim_file(FILE_PATH, texts[i]);
        start_kept(0);
        settle(10000);
        rig_check(strncmp(km_sim_file_get(FILE_PATH), km_store_version(pods.store),
                          strlen(km_store_version(pods.store))) == 0);
        end();
    }
    rig.label = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measure),
        cmocka_unit_test(cut_every_byte_to_the_program),
        cmocka_unit_test(cut_every_byte_to_the_server),
        cmocka_unit_test(readers_see_whole_lists),
        cmocka_unit_test(too_many_come_and_go),
        cmocka_unit_test(large_objects_are_known),
        cmocka_unit_test(slow_handlers_lose_nothing),
        cmocka_unit_test(stops_and_starts_again),
        cmocka_unit_test(a_factory_stops_and_starts),
        cmocka_unit_test(lists_begin_where_the_picture_stands),
        cmocka_unit_test(TestUntilWithSync),
        cmocka_unit_test(nothing_is_missed_across_a_death),
        cmocka_unit_test(flash_wear_is_bounded),
        cmocka_unit_test(a_failing_disk_is_tried_again),
        cmocka_unit_test(damaged_and_old_files_start_over),
        cmocka_unit_test(a_restored_store_starts_over),
        cmocka_unit_test(what_was_resumed_is_not_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
