/* SPDX-License-Identifier: Apache-2.0 */
/* The shared informer without a server: the reflector's sink is called by hand, time is the loop's. */
#include "km_test.h"

#include <stdio.h>
#include <string.h>

#include "kubemote/km_informer.h"
#include "kubemote/km_json_table.h"

#define SLOTS 100
#define LOG_SIZE 8192

#define THING_FIELDS(S, I, B, R, A, M) KM_META_FIELDS(S) R(labels, "/metadata/labels", 128)
KM_KIND_STRUCT(thing, THING_FIELDS)
KM_KIND_TABLE(thing, "thing", THING_FIELDS)

/* ---- the informer under test ---- */

static bool prefers(void *ctx, const void *a, const void *b);

KM_SHARED_DEFINE(items, struct km_thing, SLOTS, KM_KEY_SIZE, NULL, NULL);
KM_SHARED_DEFINE(few, struct km_thing, 3, KM_KEY_SIZE, NULL, NULL);
KM_SHARED_DEFINE(choosy, struct km_thing, 2, KM_KEY_SIZE, prefers, NULL);
KM_SHARED_DEFINE(other, struct km_thing, 3, KM_KEY_SIZE, NULL, NULL);
KM_INDEX_NAMESPACE_DEFINE(by_namespace, SLOTS);

static const struct km_resource things = {"example.io", "v1", "things"};
static struct km_loop loop;
static struct km_client client = {.loop = &loop};
static struct km_lane lane = {.client = &client};
static struct km_rng rng;
static struct km_schema_node event_nodes[CONFIG_KM_JSON_NODE_COUNT],
    list_nodes[CONFIG_KM_JSON_NODE_COUNT];

static bool prefers(void *ctx, const void *a, const void *b)
{
    const struct km_thing *x = a, *y = b;

    (void)ctx;
    return strcmp(x->name, y->name) < 0;
}

static void fill_reflector(struct km_shared *s)
{
    struct km_reflector *r = &s->reflector;

    r->name = "things";
    r->resource = &things;
    r->kind = &km_kind_thing;
    r->lane = &lane;
    r->client = &client;
    r->event_nodes = event_nodes;
    r->list_nodes = list_nodes;
    r->rng = &rng;
}

static void set_up(struct km_shared *s)
{
    static uint32_t seed = 1;
    struct km_fault fault = {0};

    if (loop.timers.size == 0)
        km_loop_init(&loop);
    if (s->reflector.kind == NULL) {
        fill_reflector(s);
        assert_int_equal(km_shared_init(s, seed++, &fault), KM_OK);
    }
    km_store_init(s->store, seed++);
    memset(s->untold, 0, sizeof s->untold[0] * KM_BITMAP_WORDS(s->store->cache->slot_count));
    s->handlers = NULL;
    s->depth = 0;
    s->transform = NULL;
    s->replacing = s->synced = s->stop_wanted = s->full = false;
    s->running = true;
    s->heal_at_ms = s->heal_space_ms = 0;
    s->reflector.state = KM_WATCH_STOPPED;
    s->reflector.resync_wanted = false;
    km_timer_stop(&loop.timers, &s->timer);
    loop.now_ms = 1000000;
}

/* ---- what the reflector tells ---- */

static void fill(struct km_shared *s, const char *name, const char *rv)
{
    struct km_thing *thing = s->reflector.sink.spare(s);

    memset(thing, 0, sizeof *thing);
    (void)km_slice_copy(km_slice_of(name[0] >= 'm' ? "late" : "early"), thing->ns,
                        sizeof thing->ns);
    (void)km_slice_copy(km_slice_of(name), thing->name, sizeof thing->name);
    (void)km_slice_copy(km_slice_of(rv), thing->rv, sizeof thing->rv);
    (void)snprintf(thing->labels, sizeof thing->labels, "{\"name\": \"%s\", \"app\":\"x\"}", name);
}

static int put(struct km_shared *s, const char *name, const char *rv)
{
    fill(s, name, rv);
    return s->reflector.sink.upsert(s);
}

static void gone(struct km_shared *s, const char *name, const char *rv)
{
    fill(s, name, rv);
    s->reflector.sink.remove(s);
}

static void begin_list(struct km_shared *s)
{
    s->reflector.sink.replace_begin(s);
}

static void end_list(struct km_shared *s)
{
    s->reflector.sink.replace_end(s);
}

static void list_three(struct km_shared *s)
{
    begin_list(s);
    (void)put(s, "a", "1");
    (void)put(s, "b", "2");
    (void)put(s, "c", "3");
    end_list(s);
}

static void pass(int64_t ms)
{
    loop.now_ms += ms;
    km_timers_run(&loop.timers, loop.now_ms);
}

/* ---- handlers that write down what they hear ---- */

struct ear {
    struct km_handler handler;
    struct km_shared *shared;
    char log[LOG_SIZE];
    /* Done at the next call. */
    struct km_handler *add, *remove;
    bool stop;
};
static struct ear first, second, third;

static void act(struct ear *e)
{
    struct km_handler *to_add = e->add, *to_remove = e->remove;

    e->add = e->remove = NULL;
    if (to_add != NULL)
        assert_int_equal(km_shared_add(e->shared, to_add), KM_OK);
    if (to_remove != NULL)
        assert_int_equal(km_shared_remove(e->shared, to_remove), KM_OK);
    if (e->stop)
        km_shared_stop(e->shared);
}

static void write_down(struct ear *e, const char *format, const char *a, const char *b,
                       const char *c)
{
    size_t len = strlen(e->log);

    (void)snprintf(e->log + len, sizeof e->log - len, format, a, b, c);
    act(e);
}

static void hear_add(void *ctx, uint16_t slot, const void *now, bool initial)
{
    const struct km_thing *thing = now;
    struct ear *e = ctx;

    assert_ptr_equal(km_cache_get(e->shared->store->cache, slot), now);
    write_down(e, "+%s%s%s ", thing->name, thing->rv, initial ? "i" : "");
}

static void hear_update(void *ctx, uint16_t slot, const void *old, const void *now)
{
    const struct km_thing *before = old, *thing = now;
    struct ear *e = ctx;

    assert_ptr_equal(km_cache_get(e->shared->store->cache, slot), now);
    assert_string_equal(before->name, thing->name);
    write_down(e, "%s%s>%s ", thing->name, before->rv, thing->rv);
}

static void hear_delete(void *ctx, uint16_t slot, const void *last, bool tombstone)
{
    const struct km_thing *thing = last;

    write_down(ctx, slot == KM_NO_SLOT ? "-%s%s%s? " : "-%s%s%s ", thing->name, thing->rv,
               tombstone ? "t" : "");
}

static void hear_synced(void *ctx)
{
    write_down(ctx, "%s%s%s", "synced ", "", "");
}

static struct km_handler *ear_of(struct ear *e, struct km_shared *s)
{
    memset(e, 0, sizeof *e);
    e->shared = s;
    e->handler = (struct km_handler){.on_add = hear_add,
                                     .on_update = hear_update,
                                     .on_delete = hear_delete,
                                     .on_synced = hear_synced,
                                     .ctx = e};
    return &e->handler;
}

static void listen(struct ear *e, struct km_shared *s)
{
    assert_int_equal(km_shared_add(s, ear_of(e, s)), KM_OK);
    e->handler.cursor = km_cache_count(s->store->cache) > 0 ? 0 : UINT32_MAX;
}

static void expect(struct ear *e, const char *log)
{
    assert_string_equal(e->log, log);
    e->log[0] = '\0';
}

/* ---- lists and events ---- */

static void events_are_told(void **state)
{
    (void)state;
    set_up(&items);
    listen(&first, &items);
    assert_false(km_shared_synced(&items));
    list_three(&items);
    expect(&first, "+a1i +b2i +c3i synced ");
    assert_true(km_handler_synced(&first.handler) && km_shared_synced(&items));
    (void)put(&items, "d", "4");
    (void)put(&items, "a", "5");
    (void)put(&items, "a", "5");
    (void)put(&items, "a", "2");
    gone(&items, "b", "6");
    gone(&items, "b", "6");
    gone(&items, "never", "7");
    expect(&first, "+d4 a1>5 a5>5 a5>2 -b6 -b6? -never7? ");
}

static void relist_tells_the_difference(void **state)
{
    (void)state;
    set_up(&items);
    listen(&first, &items);
    list_three(&items);
    first.log[0] = '\0';
    begin_list(&items);
    (void)put(&items, "e", "9");
    (void)put(&items, "a", "1");
    (void)put(&items, "c", "8");
    expect(&first, "a1>1 c3>8 ");
    end_list(&items);
    expect(&first, "-b2t +e9 ");
}

/* What a list brings and takes back, or brings twice, is told once or not at all. */
static void new_objects_wait_for_the_end_of_the_list(void **state)
{
    (void)state;
    set_up(&items);
    listen(&first, &items);
    begin_list(&items);
    (void)put(&items, "a", "1");
    (void)put(&items, "b", "2");
    (void)put(&items, "a", "3");
    gone(&items, "b", "4");
    gone(&items, "never", "5");
    expect(&first, "");
    end_list(&items);
    expect(&first, "+a3i synced ");
    begin_list(&items);
    (void)put(&items, "a", "3");
    (void)put(&items, "b", "6");
    gone(&items, "a", "7");
    expect(&first, "a3>3 ");
    end_list(&items);
    expect(&first, "-a3t +b6 ");
}

static void aborted_list_tells_no_new_objects(void **state)
{
    (void)state;
    set_up(&items);
    listen(&first, &items);
    begin_list(&items);
    (void)put(&items, "a", "1");
    (void)put(&items, "b", "2");
    begin_list(&items);
    (void)put(&items, "b", "2");
    end_list(&items);
    expect(&first, "+b2i synced ");
    assert_int_equal(km_cache_count(items.store->cache), 1);
    (void)put(&items, "a", "3");
    expect(&first, "+a3 ");
}

/* ---- several handlers ---- */

static void late_handler_gets_the_contents(void **state)
{
    char name[2] = "A";

    (void)state;
    set_up(&items);
    listen(&first, &items);
    begin_list(&items);
    for (int i = 0; i < 26; i++, name[0]++)
        (void)put(&items, name, "1");
    end_list(&items);
    listen(&second, &items);
    (void)put(&items, "A", "2"); /* not told yet, so it is an addition of the newest */
    gone(&items, "B", "3");
    (void)put(&items, "Z", "4");
    expect(&second, "");
    assert_false(km_handler_synced(&second.handler));
    pass(0);
    expect(&second,
           "+A2i +C1i +D1i +E1i +F1i +G1i +H1i +I1i +J1i +K1i +L1i +M1i +N1i +O1i +P1i +Q1i "
           "+R1i +S1i +T1i +U1i +V1i +W1i +X1i +Y1i +Z4i synced ");
    (void)put(&items, "A", "5");
    expect(&second, "A2>5 ");
}

/* Beyond a turn's share: what lies behind the cursor is told as it changes, the rest when it is reached. */
static void changes_meet_the_cursor(void **state)
{
    char name[16];

    (void)state;
    set_up(&items);
    begin_list(&items);
    for (int i = 0; i < 90; i++) {
        (void)snprintf(name, sizeof name, "o%02d", i);
        (void)put(&items, name, "1");
    }
    end_list(&items);
    listen(&second, &items);
    pass(0);
    assert_false(km_handler_synced(&second.handler));
    second.log[0] = '\0';
    (void)put(&items, "o00", "2");
    (void)put(&items, "o89", "2");
    gone(&items, "o01", "3");
    gone(&items, "o88", "3");
    expect(&second, "o001>2 -o013 ");
    while (!km_handler_synced(&second.handler))
        pass(1);
    assert_non_null(strstr(second.log, "+o892i "));
    assert_null(strstr(second.log, "o88"));
    assert_null(strstr(second.log, "o00"));
}

/* Late and in the midst of a list: what the list brought is told at its end, once. */
static void late_handler_during_a_list(void **state)
{
    (void)state;
    set_up(&items);
    list_three(&items);
    begin_list(&items);
    (void)put(&items, "d", "4");
    listen(&second, &items);
    pass(0);
    expect(&second, "+a1i +b2i +c3i synced ");
    (void)put(&items, "a", "1");
    end_list(&items);
    expect(&second, "a1>1 -b2t -c3t +d4 ");
}

static void handlers_come_and_go_within_calls(void **state)
{
    (void)state;
    set_up(&items);
    listen(&first, &items);
    listen(&second, &items);
    list_three(&items);
    first.log[0] = second.log[0] = '\0';

    first.add = ear_of(&third, &items);
    (void)put(&items, "a", "4");
    expect(&second, "a1>4 ");
    expect(&third, "");
    assert_int_equal(km_shared_add(&items, &third.handler), KM_ERR_ARG);
    pass(0);
    expect(&third, "+a4i +b2i +c3i synced ");

    first.remove = &second.handler;
    (void)put(&items, "a", "5");
    expect(&second, "");
    assert_false(km_handler_busy(&second.handler));
    expect(&third, "a4>5 ");

    second.log[0] = first.log[0] = '\0';
    first.remove = &first.handler;
    (void)put(&items, "a", "6");
    (void)put(&items, "a", "7");
    expect(&first, "a5>6 ");
    expect(&third, "a5>6 a6>7 ");
}

static void removing_is_idempotent(void **state)
{
    (void)state;
    set_up(&items);
    set_up(&few);
    listen(&first, &items);
    assert_int_equal(km_shared_remove(&few, &first.handler), KM_ERR_ARG);
    assert_int_equal(km_shared_remove(&items, &first.handler), KM_OK);
    assert_int_equal(km_shared_remove(&items, &first.handler), KM_OK);
    list_three(&items);
    expect(&first, "");
    listen(&first, &items);
    pass(0);
    expect(&first, "+a1i +b2i +c3i synced ");
}

/* What comes behind a stop is neither stored nor lost: the next list brings it. */
static void stop_within_a_call(void **state)
{
    (void)state;
    set_up(&items);
    listen(&first, &items);
    listen(&second, &items);
    list_three(&items);
    first.log[0] = second.log[0] = '\0';
    first.stop = true;
    (void)put(&items, "a", "4");
    first.stop = false;
    (void)put(&items, "a", "5");
    (void)put(&items, "d", "6");
    gone(&items, "b", "7");
    expect(&first, "a1>4 ");
    expect(&second, "a1>4 ");
    pass(0);
    assert_false(items.running);
    items.running = true;
    begin_list(&items);
    (void)put(&items, "a", "5");
    (void)put(&items, "c", "3");
    (void)put(&items, "d", "6");
    end_list(&items);
    expect(&first, "a4>5 c3>3 -b2t +d6 ");
}

static void stop_at_the_end_of_a_list(void **state)
{
    uint16_t slots[SLOTS];

    (void)state;
    set_up(&items);
    listen(&first, &items);
    first.stop = true;
    list_three(&items);
    first.stop = false;
    expect(&first, "+a1i ");
    assert_int_equal(km_store_keys(items.store, slots, SLOTS), 1);
    assert_false(km_shared_synced(&items));
    pass(0);
    items.running = true;
    list_three(&items);
    expect(&first, "a1>1 +b2i +c3i synced ");
}

static bool is_odd(void *ctx, const void *record)
{
    const struct km_thing *thing = record;

    (void)ctx;
    return (thing->rv[0] - '0') % 2 == 1;
}

static void a_filter_makes_additions_and_deletions_of_updates(void **state)
{
    (void)state;
    set_up(&items);
    listen(&first, &items);
    first.handler.matches = is_odd;
    list_three(&items);
    expect(&first, "+a1i +c3i synced ");
    (void)put(&items, "b", "4");
    expect(&first, "");
    (void)put(&items, "b", "5");
    (void)put(&items, "b", "7");
    (void)put(&items, "b", "8");
    expect(&first, "+b5 b5>7 -b7 ");
    gone(&items, "b", "8");
    gone(&items, "c", "3");
    gone(&items, "never", "9");
    expect(&first, "-c3 -never9? ");
    (void)put(&items, "e", "6");
    gone(&items, "e", "7");
    (void)put(&items, "f", "7");
    gone(&items, "f", "8");
    expect(&first, "+f7 -f8 ");
    begin_list(&items);
    end_list(&items);
    expect(&first, "-a1t ");
}

static void count_error(void *ctx, const char *why)
{
    assert_non_null(why);
    ++*(int *)ctx;
}

static void errors_are_told(void **state)
{
    int errors = 0;

    (void)state;
    set_up(&items);
    items.on_error = count_error;
    items.error_ctx = &errors;
    items.reflector.sink.failed(&items, "refused");
    assert_int_equal(errors, 1);
    items.on_error = NULL;
    items.reflector.sink.failed(&items, "refused");
    assert_int_equal(errors, 1);
}

/* ---- resync ---- */

static void each_handler_has_its_period(void **state)
{
    (void)state;
    set_up(&items);
    (void)ear_of(&second, &items);
    second.handler.resync_ms = 2000;
    (void)ear_of(&third, &items);
    third.handler.resync_ms = 3000;
    listen(&first, &items);
    assert_int_equal(km_shared_add(&items, &second.handler), KM_OK);
    assert_int_equal(km_shared_add(&items, &third.handler), KM_OK);
    first.handler.cursor = second.handler.cursor = third.handler.cursor = UINT32_MAX;
    pass(0);
    begin_list(&items);
    (void)put(&items, "a", "1");
    end_list(&items);
    first.log[0] = second.log[0] = third.log[0] = '\0';
    pass(1000);
    expect(&second, "");
    pass(1000);
    expect(&second, "a1>1 ");
    expect(&third, "");
    pass(1000);
    expect(&second, "");
    expect(&third, "a1>1 ");
    pass(1000);
    expect(&second, "a1>1 ");
    expect(&first, "");
}

static void short_periods_are_raised(void **state)
{
    (void)state;
    set_up(&items);
    (void)ear_of(&first, &items);
    first.handler.resync_ms = 10;
    assert_int_equal(km_shared_add(&items, &first.handler), KM_OK);
    assert_int_equal(first.handler.resync_ms, 1000);
}

/* ---- more objects than slots ---- */

static void expect_metric(const char *line)
{
    static const struct km_shared *const informers[] = {&items, &few};
    static struct km_shared_collector collector = {.informers = informers, .count = 2};
    static char data[16384];
    struct km_buf text;

    km_shared_collector_register(&collector);
    km_buf_init(&text, data, sizeof data);
    assert_int_equal(km_metrics_write(&text), KM_OK);
    if (strstr(data, line) == NULL)
        fail_msg("no %s in %s", line, strstr(data, "kubemote_informer"));
}

static void full_cache_refuses_and_heals(void **state)
{
    (void)state;
    set_up(&few);
    listen(&first, &few);
    few.reflector.state = KM_WATCH_WATCHING;
    begin_list(&few);
    (void)put(&few, "a", "1");
    (void)put(&few, "b", "2");
    (void)put(&few, "c", "3");
    assert_int_equal(put(&few, "d", "4"), KM_ERR_FULL);
    end_list(&few);
    expect(&first, "+a1i +b2i +c3i synced ");
    assert_int_equal(km_shared_synced(&few), KM_SYNCED_IN_PART);
    assert_int_equal(km_shared_left_out(&few), 1);
    expect_metric("\nkubemote_informer_objects{informer=\"few_store_cache\"} 3\n");
    expect_metric("\nkubemote_informer_left_out{informer=\"few_store_cache\"} 1\n");
    expect_metric("\nkubemote_informer_synced{informer=\"few_store_cache\"} 1\n");
    assert_false(km_shared_complete(&few));
    assert_false(few.reflector.resync_wanted);
    assert_int_equal(put(&few, "e", "5"), KM_ERR_FULL);
    gone(&few, "d", "6");
    expect(&first, "-d6? ");
    assert_false(few.reflector.resync_wanted);
    gone(&few, "a", "7");
    assert_true(few.reflector.resync_wanted);
    assert_int_equal(km_shared_left_out(&few), 2);
    few.reflector.resync_wanted = false;
    begin_list(&few);
    assert_int_equal(km_shared_left_out(&few), 2);
    (void)put(&few, "b", "2");
    (void)put(&few, "c", "3");
    (void)put(&few, "e", "5");
    end_list(&few);
    expect(&first, "-a7 b2>2 c3>3 +e5 ");
    assert_true(km_shared_complete(&few));
    assert_int_equal(km_shared_left_out(&few), 0);
    assert_int_equal(km_shared_synced(&few), KM_SYNCED);
    assert_false(few.reflector.resync_wanted);
}

static void list_four(struct km_shared *s)
{
    begin_list(s);
    (void)put(s, "a", "1");
    (void)put(s, "b", "2");
    (void)put(s, "z", "3");
    assert_int_equal(put(s, "y", "4"), KM_ERR_FULL);
    end_list(s);
}

/* Lists that do not fit come ever more rarely. */
static void lists_for_room_are_spaced(void **state)
{
    unsigned lists = 0;
    int64_t before_ms = 0, last_ms = 0;

    (void)state;
    set_up(&few);
    listen(&first, &few);
    few.reflector.state = KM_WATCH_WATCHING;
    list_four(&few);
    for (unsigned i = 0; i < 3600; i++) {
        pass(1000);
        (void)put(&few, "z", "5");
        gone(&few, "z", "6");
        first.log[0] = '\0';
        if (!few.reflector.resync_wanted)
            continue;
        lists++;
        before_ms = last_ms;
        last_ms = loop.now_ms;
        few.reflector.resync_wanted = false;
        list_four(&few);
    }
    assert_in_range(lists, 10, 20);
    assert_true(last_ms - before_ms >= 300000);
}

/* "c" was left out and is preferred to "z", which took the room that "a" left before a list was due. */
static void the_better_ones_come_although_the_room_was_taken(void **state)
{
    (void)state;
    set_up(&choosy);
    listen(&first, &choosy);
    choosy.reflector.state = KM_WATCH_WATCHING;
    begin_list(&choosy);
    (void)put(&choosy, "a", "1");
    (void)put(&choosy, "b", "2");
    assert_int_equal(put(&choosy, "c", "3"), KM_ERR_FULL);
    end_list(&choosy);
    choosy.heal_at_ms = loop.now_ms + 5000;
    gone(&choosy, "a", "4");
    (void)put(&choosy, "z", "5");
    assert_false(choosy.reflector.resync_wanted);
    pass(5000);
    assert_true(choosy.reflector.resync_wanted);
    choosy.reflector.resync_wanted = false;
    begin_list(&choosy);
    (void)put(&choosy, "b", "2");
    (void)put(&choosy, "c", "3");
    assert_int_equal(put(&choosy, "z", "5"), KM_ERR_FULL);
    end_list(&choosy);
    expect(&first, "+a1i +b2i synced -a4 +z5 b2>2 -z5t +c3 ");
    pass(3600000);
    assert_false(choosy.reflector.resync_wanted);
}

/* ---- what readers see ---- */

/* In the namespace "early"; others: elsewhere. */
static void expect_readers(const char *names, const char *versions, int others)
{
    const struct km_lister lister = {.store = items.store, .by_namespace = &by_namespace};
    struct km_lister_walk walk;
    uint16_t slots[SLOTS];
    const void *record;
    unsigned listed = 0;

    for (size_t i = 0; names[i] != '\0'; i++) {
        const struct km_thing *thing = km_lister_get(&lister, "early", (char[]){names[i], '\0'});

        assert_non_null(thing);
        assert_int_equal(thing->rv[0], versions[i]);
    }
    km_lister_find(&lister, km_slice_of("early"), NULL, &walk);
    while (km_lister_next(&walk, &record) == KM_OK)
        listed++;
    assert_int_equal(listed, strlen(names));
    assert_int_equal(km_store_keys(items.store, slots, SLOTS), (int)strlen(names) + others);
    assert_int_equal(km_index_keys(&by_namespace, km_slice_of("early"), slots, SLOTS),
                     (int)strlen(names));
}

static unsigned value_count(void)
{
    char value[64];
    uint32_t at = 0;
    unsigned count = 0;

    while (km_index_next_value(&by_namespace, &at, value, sizeof value) == KM_OK)
        count++;
    return count;
}

/* The first handler that hears of a list finds all of it. */
static void look_at_all(void *ctx, uint16_t slot, const void *now, bool initial)
{
    (void)ctx;
    (void)slot;
    (void)now;
    (void)initial;
    assert_int_equal(value_count(), 2);
    expect_readers("def", "345", 1);
}

static void readers_never_see_half_a_list(void **state)
{
    (void)state;
    set_up(&items);
    assert_int_equal(km_store_add_index(items.store, &by_namespace), KM_OK);
    begin_list(&items);
    (void)put(&items, "a", "1");
    (void)put(&items, "b", "2");
    expect_readers("", "", 0);
    assert_int_equal(value_count(), 0);
    end_list(&items);
    expect_readers("ab", "12", 0);
    begin_list(&items);
    (void)put(&items, "b", "3");
    (void)put(&items, "c", "4");
    expect_readers("ab", "13", 0);
    begin_list(&items);
    expect_readers("ab", "13", 0);
    (void)put(&items, "d", "3");
    (void)put(&items, "e", "4");
    expect_readers("ab", "13", 0);
    (void)put(&items, "f", "5");
    (void)put(&items, "x", "6");
    expect_readers("ab", "13", 0);
    assert_int_equal(value_count(), 1);
    listen(&first, &items);
    first.handler.on_add = look_at_all;
    first.handler.cursor = UINT32_MAX;
    end_list(&items);
    expect_readers("def", "345", 1);
    assert_int_equal(value_count(), 2);
}

/* Old and new ones together are too many, though the new ones alone are not. */
static void replaced_contents_take_one_more_list(void **state)
{
    (void)state;
    set_up(&few);
    listen(&first, &few);
    list_three(&few);
    few.reflector.state = KM_WATCH_WATCHING;
    begin_list(&few);
    assert_int_equal(put(&few, "x", "4"), KM_ERR_FULL);
    assert_int_equal(put(&few, "y", "5"), KM_ERR_FULL);
    end_list(&few);
    assert_true(few.reflector.resync_wanted);
    few.reflector.resync_wanted = false;
    first.log[0] = '\0';
    begin_list(&few);
    (void)put(&few, "x", "4");
    (void)put(&few, "y", "5");
    end_list(&few);
    expect(&first, "+x4 +y5 ");
    assert_true(km_shared_complete(&few));
    assert_false(few.reflector.resync_wanted);
}

static void preferred_objects_stay(void **state)
{
    (void)state;
    set_up(&choosy);
    listen(&first, &choosy);
    begin_list(&choosy);
    (void)put(&choosy, "c", "1");
    (void)put(&choosy, "d", "2");
    (void)put(&choosy, "b", "3");
    end_list(&choosy);
    expect(&first, "+c1i +b3i synced ");
    assert_int_equal(put(&choosy, "z", "4"), KM_ERR_FULL);
    assert_int_equal(put(&choosy, "a", "5"), KM_OK);
    assert_false(km_shared_complete(&choosy));
    expect(&first, "-c1t +a5 ");
}

/* ---- transform, factory, lister ---- */

static void drop_labels(void *ctx, void *record)
{
    struct km_thing *thing = record;

    (void)ctx;
    thing->labels[0] = '\0';
}

static void transform_comes_before_the_store(void **state)
{
    uint16_t slot;

    (void)state;
    set_up(&items);
    items.transform = drop_labels;
    (void)put(&items, "a", "1");
    assert_int_equal(km_cache_find(items.store->cache, km_slice_of("early/a"), &slot), KM_OK);
    assert_string_equal(((const struct km_thing *)km_cache_get(items.store->cache, slot))->labels,
                        "");
}

static void factory_shares(void **state)
{
    struct km_factory factory = {NULL};
    struct km_shared *a, *b, *c;
    struct km_fault fault = {0};

    (void)state;
    set_up(&items);
    set_up(&few);
    set_up(&other);
    assert_int_equal(km_factory_informer(&factory, &items, 1, &fault, &a), KM_OK);
    assert_int_equal(km_factory_informer(&factory, &few, 1, &fault, &b), KM_OK);
    assert_ptr_equal(a, &items);
    assert_ptr_equal(b, &items);
    other.reflector.ns = "kube-system";
    assert_int_equal(km_factory_informer(&factory, &other, 1, &fault, &c), KM_OK);
    assert_ptr_equal(c, &other);
    other.reflector.ns = NULL;
    assert_false(km_factory_synced(&factory));
    items.synced = other.synced = true;
    assert_true(km_factory_synced(&factory));
    assert_int_equal(km_factory_wait(&factory, 1000), KM_OK);
    loop.turning = true;
    assert_int_equal(km_factory_wait(&factory, 1000), KM_ERR_REENTRANT);
    assert_int_equal(km_shared_wait(&a, 1, 1000), KM_ERR_REENTRANT);
    loop.turning = false;
}

static uint16_t thing_labels(const void *record, struct km_label *out, uint16_t size)
{
    const struct km_thing *thing = record;

    return km_labels_of_json(km_slice_of(thing->labels), out, size);
}

static unsigned count_listed(const struct km_lister *lister, const char *ns, const char *selector)
{
    struct km_label_selector parsed;
    struct km_lister_walk walk;
    struct km_fault fault = {0};
    const void *record;
    unsigned count = 0;

    assert_int_equal(km_label_selector_parse(km_slice_of(selector), &parsed, &fault), KM_OK);
    km_lister_find(lister, km_slice_of(ns), &parsed, &walk);
    while (km_lister_next(&walk, &record) == KM_OK)
        count++;
    return count;
}

static void lister_selects(void **state)
{
    (void)state;
    set_up(&items);
    assert_int_equal(km_store_add_index(items.store, &by_namespace), KM_OK);
    list_three(&items);
    (void)put(&items, "x", "4");
    for (int indexed = 0; indexed < 2; indexed++) {
        const struct km_lister lister = {.store = items.store,
                                         .by_namespace = indexed == 1 ? &by_namespace : NULL,
                                         .labels = thing_labels};
        assert_int_equal(count_listed(&lister, "", ""), 4);
        assert_int_equal(count_listed(&lister, "early", ""), 3);
        assert_int_equal(count_listed(&lister, "late", ""), 1);
        assert_int_equal(count_listed(&lister, "earl", ""), 0);
        assert_int_equal(count_listed(&lister, "", "app=x"), 4);
        assert_int_equal(count_listed(&lister, "", "name in (a,x)"), 2);
        assert_int_equal(count_listed(&lister, "early", "name in (a,x),app"), 1);
        assert_int_equal(count_listed(&lister, "", "!app"), 0);
        assert_non_null(km_lister_get(&lister, "early", "a"));
        assert_null(km_lister_get(&lister, "late", "a"));
    }
}

static void labels_are_read(void **state)
{
    struct km_label labels[4];

    (void)state;
    assert_int_equal(km_labels_of_json(km_slice_of(""), labels, 4), 0);
    assert_int_equal(km_labels_of_json(km_slice_of("{}"), labels, 4), 0);
    assert_int_equal(km_labels_of_json(km_slice_of("{ \"a/b\" : \"\" ,\"c\":\"d\"}"), labels, 4),
                     2);
    assert_true(km_slice_eq_str(labels[0].key, "a/b") && labels[0].value.len == 0);
    assert_true(km_slice_eq_str(labels[1].key, "c") && km_slice_eq_str(labels[1].value, "d"));
    assert_int_equal(km_labels_of_json(km_slice_of("{\"a\\\"\":\"1\",\"b\":\"2\"}"), labels, 4), 1);
    assert_true(km_slice_eq_str(labels[0].key, "b"));
    assert_int_equal(km_labels_of_json(km_slice_of("{\"a\":\"1\",\"b\":\"2\"}"), labels, 1), 1);
    assert_int_equal(km_labels_of_json(km_slice_of("{\"a\":\"1\\"), labels, 4), 0);
}

/* ---- before and after init ---- */

KM_SHARED_DEFINE(fresh, struct km_thing, 3, KM_KEY_SIZE, NULL, NULL);

static void nothing_works_before_init(void **state)
{
    struct km_handler h = {0};

    (void)state;
    assert_int_equal(km_shared_add(&fresh, &h), KM_ERR_ARG);
    km_shared_start(&fresh);
    assert_false(fresh.running);
    fill_reflector(&fresh);
    fresh.reflector.kind = &km_kind_status;
    assert_int_equal(km_shared_init(&fresh, 1, NULL), KM_ERR_ARG);
    fresh.reflector.kind = &km_kind_meta;
    assert_int_equal(km_shared_init(&fresh, 1, NULL), KM_ERR_ARG);
}

/* What a program need not say. */
static void the_rest_is_filled_in(void **state)
{
    (void)state;
    fresh.reflector = (struct km_reflector){.name = "things",
                                            .resource = &things,
                                            .kind = &km_kind_thing,
                                            .lane = &lane,
                                            .event_nodes = fresh_nodes[0],
                                            .list_nodes = fresh_nodes[1]};
    assert_int_equal(km_shared_init(&fresh, 1, NULL), KM_OK);
    assert_ptr_equal(fresh.reflector.client, &client);
    assert_ptr_equal(fresh.reflector.rng, &fresh.rng);
}

/* A program that closed its session begins anew in the same storage. */
static void init_begins_anew(void **state)
{
    struct km_fault fault = {0};
    struct km_handler h = {0};

    (void)state;
    set_up(&few);
    assert_int_equal(km_shared_add(&few, &h), KM_OK);
    begin_list(&few);
    assert_int_equal(put(&few, "a", "1"), KM_OK);
    few.reflector.sink.replace_end(&few);
    assert_int_equal(km_shared_synced(&few), KM_SYNCED);
    few.running = false;
    assert_int_equal(km_shared_init(&few, 5, &fault), KM_OK);
    assert_int_equal(km_shared_synced(&few), KM_NOT_SYNCED);
    assert_int_equal(km_cache_count(few.store->cache), 0);
    assert_null(few.handlers);
    assert_int_equal(km_shared_add(&few, &h), KM_OK);
    assert_int_equal(km_shared_remove(&few, &h), KM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_works_before_init),
        cmocka_unit_test(the_rest_is_filled_in),
        cmocka_unit_test(init_begins_anew),
        cmocka_unit_test(events_are_told),
        cmocka_unit_test(relist_tells_the_difference),
        cmocka_unit_test(new_objects_wait_for_the_end_of_the_list),
        cmocka_unit_test(aborted_list_tells_no_new_objects),
        cmocka_unit_test(late_handler_gets_the_contents),
        cmocka_unit_test(changes_meet_the_cursor),
        cmocka_unit_test(late_handler_during_a_list),
        cmocka_unit_test(handlers_come_and_go_within_calls),
        cmocka_unit_test(removing_is_idempotent),
        cmocka_unit_test(stop_within_a_call),
        cmocka_unit_test(stop_at_the_end_of_a_list),
        cmocka_unit_test(a_filter_makes_additions_and_deletions_of_updates),
        cmocka_unit_test(errors_are_told),
        cmocka_unit_test(each_handler_has_its_period),
        cmocka_unit_test(short_periods_are_raised),
        cmocka_unit_test(full_cache_refuses_and_heals),
        cmocka_unit_test(lists_for_room_are_spaced),
        cmocka_unit_test(the_better_ones_come_although_the_room_was_taken),
        cmocka_unit_test(replaced_contents_take_one_more_list),
        cmocka_unit_test(readers_never_see_half_a_list),
        cmocka_unit_test(preferred_objects_stay),
        cmocka_unit_test(transform_comes_before_the_store),
        cmocka_unit_test(factory_shares),
        cmocka_unit_test(lister_selects),
        cmocka_unit_test(labels_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
