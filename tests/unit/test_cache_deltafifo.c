/* SPDX-License-Identifier: Apache-2.0 */
/* client-go's tests of DeltaFIFO, each under its name, then those of what happens in fixed storage. */
#include "test_cache_fifo.h"

KM_DELTAFIFO_DEFINE(fifo, struct thing, 12, 24, FIFO_KEY_SIZE);
KM_DELTAFIFO_DEFINE(large, struct thing, 1000, 1000, 16);
KM_DELTAFIFO_DEFINE(tiny, struct thing, 3, 4, 8);

static void reset(struct km_deltafifo *q, const struct km_known *with, bool emit_replaced)
{
    q->emit_replaced = emit_replaced;
    q->fifo.known = with;
    q->fifo.transform = NULL;
    km_deltafifo_init(q, 1);
    km_buf_init(&out, text, sizeof text);
}

/* With known objects as upstream's tests have them: Sync for a list's objects. */
static void start(const char *names, int first_value)
{
    name_things(names, first_value);
    reset(&fifo, &known, false);
}

static void start_without(void)
{
    reset(&fifo, NULL, false);
}

static int replace(struct km_deltafifo *q, const struct item *items)
{
    km_deltafifo_replace_begin(q);
    for (; items->name != NULL; items++) {
        if (km_deltafifo_replace_item(q, s(items->name), obj(items->value)) != KM_OK)
            break;
    }
    return km_deltafifo_replace_end(q);
}

static int pop(struct km_deltafifo *q)
{
    return km_deltafifo_pop(q, write_popped, &out);
}

#define assert_popped(q, expected) \
    do { \
        km_buf_reset(&out); \
        while (pop(q) == KM_OK) \
            continue; \
        assert_string_equal(text, expected); \
        assert_int_equal(km_deltafifo_len(q), 0); \
        assert_int_equal((q)->fifo.pool.used, 0); \
    } while (0)

#define assert_deltas(q, key, expected) \
    do { \
        km_buf_reset(&out); \
        put_deltas(&out, km_deltafifo_get(q, s(key))); \
        assert_string_equal(text, expected); \
    } while (0)

static void TestDeltaFIFO_basic(void **state)
{
    int last[2] = {0, 0};

    (void)state;
    reset(&large, NULL, false);
    for (int i = 1; i <= 500; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(km_deltafifo_add(&large, s(name), obj(i)), KM_OK);
        name[0] = 'b';
        assert_int_equal(km_deltafifo_add(&large, s(name), obj(i)), KM_OK);
    }
    while (km_deltafifo_pop(&large, check_order, last) == KM_OK)
        continue;
    assert_int_equal(last[0], 500);
    assert_int_equal(last[1], 500);
}

static void TestDeltaFIFO_replaceWithDeleteDeltaIn(void **state)
{
    (void)state;
    start("foo", 1);
    km_deltafifo_delete(&fifo, s("foo"), obj(1), false);
    assert_int_equal(replace(&fifo, LIST({"foo", 2}, )), KM_OK);
    assert_popped(&fifo, "(D:foo=1 S:foo=2)");
}

static void only_in_queue(bool with_known)
{
    static const struct km_known *const lister[] = {NULL, &known};

    memset(&things, 0, sizeof things);
    reset(&fifo, lister[with_known], false);
    km_deltafifo_add(&fifo, s("foo"), obj(2));
    replace(&fifo, LIST());
    assert_popped(&fifo, "(A:foo=2 T:foo=2)");

    reset(&fifo, lister[with_known], true);
    km_deltafifo_add(&fifo, s("foo"), obj(2));
    replace(&fifo, LIST({"foo", 2}, ));
    replace(&fifo, LIST());
    assert_popped(&fifo, "(A:foo=2 R:foo=2 T:foo=2)");

    reset(&fifo, lister[with_known], false);
    km_deltafifo_add(&fifo, s("foo"), obj(2));
    km_deltafifo_delete(&fifo, s("foo"), obj(2), false);
    replace(&fifo, LIST());
    assert_popped(&fifo, "(A:foo=2 D:foo=2)");

    reset(&fifo, lister[with_known], false);
    km_deltafifo_add(&fifo, s("foo"), obj(2));
    replace(&fifo, LIST({"foo", 2}, ));
    replace(&fifo, LIST({"foo", 2}, ));
    replace(&fifo, LIST());
    assert_popped(&fifo, "(A:foo=2 S:foo=2 S:foo=2 T:foo=2)");

    reset(&fifo, lister[with_known], false);
    km_deltafifo_add(&fifo, s("foo"), obj(2));
    replace(&fifo, LIST());
    replace(&fifo, LIST());
    assert_popped(&fifo, "(A:foo=2 T:foo=2)");

    reset(&fifo, lister[with_known], false);
    km_deltafifo_add(&fifo, s("foo"), obj(2));
    km_deltafifo_delete(&fifo, s("foo"), obj(2), false);
    km_deltafifo_add(&fifo, s("foo"), obj(3));
    replace(&fifo, LIST());
    assert_popped(&fifo, "(A:foo=2 D:foo=2 A:foo=3 T:foo=3)");
}

static void TestDeltaFIFOW_ReplaceMakesDeletionsForObjectsOnlyInQueue(void **state)
{
    (void)state;
    only_in_queue(true);
    only_in_queue(false);
}

static void TestDeltaFIFO_addUpdate(void **state)
{
    (void)state;
    start_without();
    km_deltafifo_add(&fifo, s("foo"), obj(10));
    km_deltafifo_update(&fifo, s("foo"), obj(12));
    km_deltafifo_delete(&fifo, s("foo"), obj(15), false);
    assert_int_equal(km_deltafifo_len(&fifo), 1);
    assert_popped(&fifo, "(A:foo=10 U:foo=12 D:foo=15)");
    assert_deltas(&fifo, "foo", "");
}

static void TestDeltaFIFO_transformer(void **state)
{
    (void)state;
    start_without();
    fifo.fifo.transform = transform;
    km_deltafifo_add(&fifo, s("foo"), obj(10));
    km_deltafifo_add(&fifo, s("bar"), obj(11));
    km_deltafifo_update(&fifo, s("foo"), obj(12));
    km_deltafifo_delete(&fifo, s("foo"), obj(15), false);
    replace(&fifo, LIST());
    km_deltafifo_add(&fifo, s("bar"), obj(16));
    replace(&fifo, LIST({"new", 17}, ));
    assert_int_equal(km_deltafifo_add(&fifo, s("bad"), obj(1)), KM_ERR_SYNTAX);
    while (km_deltafifo_pop(&fifo, check_transformed, &out) == KM_OK)
        continue;
    assert_string_equal(text, "(A:foo=10 U:foo=12 D:foo=15)(A:bar=11 T:bar=11 A:bar=16 T:bar=16)"
                              "(S:new=17)");
    assert_int_equal(fifo.fifo.pool.used, 0);
}

static void TestDeltaFIFO_enqueueingNoLister(void **state)
{
    (void)state;
    start_without();
    km_deltafifo_add(&fifo, s("foo"), obj(10));
    km_deltafifo_update(&fifo, s("bar"), obj(15));
    km_deltafifo_add(&fifo, s("qux"), obj(17));
    km_deltafifo_delete(&fifo, s("qux"), obj(18), false);
    assert_int_equal(km_deltafifo_delete(&fifo, s("baz"), obj(20), false), KM_OK);
    assert_popped(&fifo, "(A:foo=10)(U:bar=15)(A:qux=17 D:qux=18)");
}

static void TestDeltaFIFO_enqueueingWithLister(void **state)
{
    (void)state;
    start("foo bar baz", 5);
    km_deltafifo_add(&fifo, s("foo"), obj(10));
    km_deltafifo_update(&fifo, s("bar"), obj(15));
    km_deltafifo_delete(&fifo, s("baz"), obj(20), false);
    km_deltafifo_delete(&fifo, s("other"), obj(20), false);
    assert_popped(&fifo, "(A:foo=10)(U:bar=15)(D:baz=20)");
}

static void TestDeltaFIFO_addReplace(void **state)
{
    (void)state;
    start_without();
    km_deltafifo_add(&fifo, s("foo"), obj(10));
    replace(&fifo, LIST({"foo", 15}, ));
    assert_popped(&fifo, "(A:foo=10 S:foo=15)");
}

static void TestDeltaFIFO_ResyncNonExisting(void **state)
{
    (void)state;
    start("foo", 5);
    km_deltafifo_delete(&fifo, s("foo"), obj(10), false);
    km_deltafifo_resync(&fifo);
    assert_deltas(&fifo, "foo", "D:foo=10");
}

static void TestDeltaFIFO_Resync(void **state)
{
    (void)state;
    start("foo", 5);
    km_deltafifo_resync(&fifo);
    assert_deltas(&fifo, "foo", "S:foo=5");
}

static void TestDeltaFIFO_DeleteExistingNonPropagated(void **state)
{
    (void)state;
    start("", 0);
    km_deltafifo_add(&fifo, s("foo"), obj(5));
    km_deltafifo_delete(&fifo, s("foo"), obj(6), false);
    assert_deltas(&fifo, "foo", "A:foo=5 D:foo=6");
}

static void TestDeltaFIFO_ReplaceMakesDeletions(void **state)
{
    (void)state;
    start("foo bar baz", 5);
    km_deltafifo_delete(&fifo, s("baz"), obj(10), false);
    replace(&fifo, LIST({"foo", 5}, ));
    assert_popped(&fifo, "(D:baz=10)(S:foo=5)(T:bar=6)");

    start("foo bar baz", 5);
    km_deltafifo_add(&fifo, s("baz"), obj(10));
    replace(&fifo, LIST({"foo", 5}, ));
    assert_popped(&fifo, "(A:baz=10 T:baz=10)(S:foo=5)(T:bar=6)");

    start("foo bar baz", 5);
    km_deltafifo_delete(&fifo, s("bar"), obj(6), false);
    km_deltafifo_add(&fifo, s("bar"), obj(100));
    replace(&fifo, LIST({"foo", 5}, ));
    assert_popped(&fifo, "(D:bar=6 A:bar=100 T:bar=100)(S:foo=5)(T:baz=7)");

    start("foo bar baz", 5);
    replace(&fifo, LIST({"bar", 100}, {"foo", 5}, ));
    replace(&fifo, LIST({"foo", 5}, ));
    assert_popped(&fifo, "(!S:bar=100 T:bar=100)(!S:foo=5 S:foo=5)(!T:baz=7)");

    start_without();
    km_deltafifo_add(&fifo, s("baz"), obj(10));
    replace(&fifo, LIST({"foo", 5}, ));
    assert_popped(&fifo, "(A:baz=10 T:baz=10)(S:foo=5)");
}

static void TestDeltaFIFO_ReplaceMakesDeletionsReplaced(void **state)
{
    (void)state;
    start("foo bar baz", 5);
    fifo.emit_replaced = true;
    km_deltafifo_delete(&fifo, s("baz"), obj(10), false);
    replace(&fifo, LIST({"foo", 6}, ));
    assert_popped(&fifo, "(D:baz=10)(R:foo=6)(T:bar=6)");
}

static void TestDeltaFIFO_ReplaceDeltaType(void **state)
{
    (void)state;
    start("foo", 5);
    fifo.emit_replaced = true;
    replace(&fifo, LIST({"foo", 5}, ));
    assert_popped(&fifo, "(!R:foo=5)");
}

static void TestDeltaFIFO_UpdateResyncRace(void **state)
{
    (void)state;
    start("foo", 5);
    km_deltafifo_update(&fifo, s("foo"), obj(6));
    km_deltafifo_resync(&fifo);
    assert_popped(&fifo, "(U:foo=6)");
}

static void TestDeltaFIFO_HasSyncedCorrectOnDeletion(void **state)
{
    (void)state;
    start("foo bar baz", 5);
    replace(&fifo, LIST({"foo", 5}, ));
    for (int i = 0; i < 3; i++) {
        assert_false(km_deltafifo_synced(&fifo));
        assert_int_equal(pop(&fifo), KM_OK);
    }
    assert_string_equal(text, "(!S:foo=5)(!T:bar=6)(!T:baz=7)");
    assert_true(km_deltafifo_synced(&fifo));
}

static void TestDeltaFIFO_detectLineJumpers(void **state)
{
    (void)state;
    start_without();
    km_deltafifo_add(&fifo, s("foo"), obj(10));
    km_deltafifo_add(&fifo, s("bar"), obj(1));
    km_deltafifo_add(&fifo, s("foo"), obj(11));
    km_deltafifo_add(&fifo, s("foo"), obj(13));
    km_deltafifo_add(&fifo, s("zab"), obj(30));
    assert_int_equal(pop(&fifo), KM_OK);
    assert_string_equal(text, "(A:foo=10 A:foo=11 A:foo=13)");
    km_deltafifo_add(&fifo, s("foo"), obj(14));
    assert_popped(&fifo, "(A:bar=1)(A:zab=30)(A:foo=14)");
}

static void TestDeltaFIFO_KeyOf(void **state)
{
    (void)state;
    start("B", 1);
    km_deltafifo_add(&fifo, s("A"), obj(1));
    km_deltafifo_delete(&fifo, s("B"), NULL, true);
    km_deltafifo_delete(&fifo, s("A"), obj(2), true);
    assert_popped(&fifo, "(A:A=1 T:A=2)(T:B)");
    assert_int_equal(km_deltafifo_add(&fifo, s(""), obj(1)), KM_ERR_ARG);
    assert_int_equal(km_deltafifo_delete(&fifo, s(""), obj(1), false), KM_ERR_ARG);
    assert_int_equal(km_deltafifo_add(&fifo, s("C"), NULL), KM_ERR_ARG);
    assert_int_equal(km_deltafifo_add(&fifo, s("123456789012345678901234"), obj(1)),
                     KM_ERR_TOO_LONG);
}

static void TestDeltaFIFO_HasSynced(void **state)
{
    (void)state;
    start_without();
    assert_false(km_deltafifo_synced(&fifo));
    km_deltafifo_add(&fifo, s("a"), obj(1));
    assert_true(km_deltafifo_synced(&fifo));

    start_without();
    replace(&fifo, LIST());
    assert_true(km_deltafifo_synced(&fifo));

    start_without();
    replace(&fifo, LIST({"a", 1}, {"b", 2}, ));
    assert_false(km_deltafifo_synced(&fifo));
    pop(&fifo);
    assert_false(km_deltafifo_synced(&fifo));
    pop(&fifo);
    assert_true(km_deltafifo_synced(&fifo));

    start_without();
    replace(&fifo, LIST({"a", 1}, {"a", 2}, ));
    assert_false(km_deltafifo_synced(&fifo));
    pop(&fifo);
    assert_true(km_deltafifo_synced(&fifo));

    start_without();
    km_deltafifo_delete(&fifo, s("a"), obj(1), false);
    assert_true(km_deltafifo_synced(&fifo));
}

static void TestDeltaFIFO_PopShouldUnblockWhenClosed(void **state)
{
    (void)state;
    start("foo", 5);
    assert_int_equal(pop(&fifo), KM_AGAIN);
    km_deltafifo_add(&fifo, s("foo"), obj(1));
    km_deltafifo_close(&fifo);
    assert_int_equal(pop(&fifo), KM_OK);
    assert_int_equal(pop(&fifo), KM_EOF);
}

/* ---- fixed storage ---- */

static void test_two_deletions_in_a_row_become_one(void **state)
{
    (void)state;
    start("a", 1);
    km_deltafifo_delete(&fifo, s("a"), obj(2), false);
    km_deltafifo_delete(&fifo, s("a"), obj(3), false);
    assert_deltas(&fifo, "a", "D:a=2");
    km_deltafifo_delete(&fifo, s("a"), obj(4), true);
    assert_deltas(&fifo, "a", "D:a=2");
    km_deltafifo_add(&fifo, s("a"), obj(5));
    km_deltafifo_delete(&fifo, s("a"), NULL, true);
    km_deltafifo_delete(&fifo, s("a"), obj(6), true);
    assert_deltas(&fifo, "a", "D:a=2 A:a=5 T:a=6");
    km_deltafifo_delete(&fifo, s("a"), obj(7), false);
    assert_deltas(&fifo, "a", "D:a=2 A:a=5 D:a=7");
    assert_int_equal(fifo.fifo.pool.used, 3);
}

static void test_full_drops_what_is_superseded(void **state)
{
    (void)state;
    reset(&tiny, NULL, true);
    km_deltafifo_add(&tiny, s("a"), obj(1));
    km_deltafifo_add(&tiny, s("b"), obj(2));
    km_deltafifo_update(&tiny, s("b"), obj(3));
    km_deltafifo_update(&tiny, s("a"), obj(4));
    assert_int_equal(km_deltafifo_add(&tiny, s("c"), obj(5)), KM_OK);
    assert_deltas(&tiny, "a", "U:a=4");
    assert_int_equal(km_deltafifo_update(&tiny, s("a"), obj(6)), KM_OK);
    assert_deltas(&tiny, "a", "U:a=6");
    assert_int_equal(km_deltafifo_update(&tiny, s("c"), obj(7)), KM_OK);
    assert_deltas(&tiny, "b", "U:b=3");
    assert_int_equal((int)tiny.fifo.merged, 3);
    assert_false(km_deltafifo_lost(&tiny));
    /* No key is free. */
    assert_int_equal(km_deltafifo_add(&tiny, s("d"), obj(8)), KM_ERR_FULL);
    assert_true(km_deltafifo_lost(&tiny));
    assert_int_equal(tiny.fifo.pool.refused, 1);
    assert_int_equal(replace(&tiny, LIST({"a", 9}, {"d", 8}, )), KM_OK);
    assert_false(km_deltafifo_lost(&tiny));
    assert_popped(&tiny, "(U:c=7 T:c=7)(R:a=9)(R:d=8)");
}

static void test_a_list_that_does_not_fit(void **state)
{
    (void)state;
    reset(&tiny, NULL, true);
    km_deltafifo_add(&tiny, s("z"), obj(1));
    assert_int_equal(replace(&tiny, LIST({"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, )), KM_ERR_FULL);
    assert_true(km_deltafifo_lost(&tiny));
    assert_int_equal(tiny.fifo.pool.used, 0);
    assert_int_equal(km_deltafifo_replace_end(&tiny), KM_ERR_ARG);
    assert_int_equal(replace(&tiny, LIST({"a", 1}, {"b", 1}, {"c", 1}, )), KM_OK);
    assert_popped(&tiny, "(R:a=1)(R:b=1)(R:c=1)");
}

static void test_not_synced_before_a_list_that_took_anothers_place(void **state)
{
    (void)state;
    reset(&tiny, NULL, true);
    assert_int_equal(replace(&tiny, LIST({"a", 1}, {"b", 1}, )), KM_OK);
    assert_int_equal(replace(&tiny, LIST({"c", 1}, {"d", 1}, {"e", 1}, )), KM_OK);
    for (int i = 0; i < 3; i++) {
        assert_false(km_deltafifo_synced(&tiny));
        assert_int_equal(pop(&tiny), KM_OK);
    }
    assert_true(km_deltafifo_synced(&tiny));
    assert_string_equal(text, "(!R:c=1)(!R:d=1)(!R:e=1)");
}

/* The only event of a key gave way to one that is refused then: the key comes to nobody. */
static void test_a_key_without_events_is_passed_over(void **state)
{
    (void)state;
    reset(&tiny, NULL, true);
    tiny.fifo.transform = NULL;
    km_deltafifo_add(&tiny, s("bad"), obj(1));
    km_deltafifo_add(&tiny, s("b"), obj(1));
    km_deltafifo_update(&tiny, s("b"), obj(1));
    km_deltafifo_update(&tiny, s("b"), obj(2));
    tiny.fifo.transform = transform;
    assert_int_equal(km_deltafifo_update(&tiny, s("bad"), obj(3)), KM_ERR_SYNTAX);
    assert_true(km_deltafifo_lost(&tiny));
    assert_popped(&tiny, "(A:b=1 U:b=1 U:b=2)");
}

static int add_inside(void *ctx, const struct km_deltas *deltas, bool initial)
{
    struct km_deltas rest = *deltas;
    struct km_delta delta;

    assert_int_equal(pop(&tiny), KM_ERR_REENTRANT);
    while (km_deltas_next(&rest, &delta) == KM_OK)
        assert_int_equal(km_deltafifo_update(&tiny, delta.key, delta.object), KM_OK);
    (void)write_popped(ctx, deltas, initial);
    return KM_ERR_CANCELED;
}

static void test_calls_from_inside_process(void **state)
{
    (void)state;
    reset(&tiny, NULL, true);
    km_deltafifo_add(&tiny, s("a"), obj(1));
    km_deltafifo_add(&tiny, s("b"), obj(2));
    assert_int_equal(km_deltafifo_pop(&tiny, add_inside, &out), KM_ERR_CANCELED);
    assert_popped(&tiny, "(A:b=2)(U:a=1)");
}

KM_CACHE_DEFINE(cache, struct thing, 3, 8);

static void test_known_objects_of_a_cache(void **state)
{
    static const struct km_known of_cache = KM_KNOWN_CACHE(&cache);
    const void *old;
    uint16_t slot;

    (void)state;
    km_cache_init(&cache, 5);
    for (int i = 0; i < 3; i++) {
        ((struct thing *)km_cache_spare(&cache))->value = i;
        assert_true(km_cache_commit(&cache, (struct km_slice){&"abc"[i], 1}, &slot, &old) > 0);
    }
    assert_int_equal(km_cache_remove(&cache, s("b"), &slot, &old), KM_OK);
    reset(&tiny, &of_cache, true);
    km_deltafifo_delete(&tiny, s("b"), obj(1), false);
    km_deltafifo_resync(&tiny);
    assert_popped(&tiny, "(S:a=0)(S:c=2)");
    assert_int_equal(replace(&tiny, LIST({"c", 5}, )), KM_OK);
    assert_popped(&tiny, "(R:c=5)(T:a=0)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestDeltaFIFO_basic),
        cmocka_unit_test(TestDeltaFIFO_replaceWithDeleteDeltaIn),
        cmocka_unit_test(TestDeltaFIFOW_ReplaceMakesDeletionsForObjectsOnlyInQueue),
        cmocka_unit_test(TestDeltaFIFO_addUpdate),
        cmocka_unit_test(TestDeltaFIFO_transformer),
        cmocka_unit_test(TestDeltaFIFO_enqueueingNoLister),
        cmocka_unit_test(TestDeltaFIFO_enqueueingWithLister),
        cmocka_unit_test(TestDeltaFIFO_addReplace),
        cmocka_unit_test(TestDeltaFIFO_ResyncNonExisting),
        cmocka_unit_test(TestDeltaFIFO_Resync),
        cmocka_unit_test(TestDeltaFIFO_DeleteExistingNonPropagated),
        cmocka_unit_test(TestDeltaFIFO_ReplaceMakesDeletions),
        cmocka_unit_test(TestDeltaFIFO_ReplaceMakesDeletionsReplaced),
        cmocka_unit_test(TestDeltaFIFO_ReplaceDeltaType),
        cmocka_unit_test(TestDeltaFIFO_UpdateResyncRace),
        cmocka_unit_test(TestDeltaFIFO_HasSyncedCorrectOnDeletion),
        cmocka_unit_test(TestDeltaFIFO_detectLineJumpers),
        cmocka_unit_test(TestDeltaFIFO_KeyOf),
        cmocka_unit_test(TestDeltaFIFO_HasSynced),
        cmocka_unit_test(TestDeltaFIFO_PopShouldUnblockWhenClosed),
        cmocka_unit_test(test_two_deletions_in_a_row_become_one),
        cmocka_unit_test(test_full_drops_what_is_superseded),
        cmocka_unit_test(test_a_list_that_does_not_fit),
        cmocka_unit_test(test_not_synced_before_a_list_that_took_anothers_place),
        cmocka_unit_test(test_a_key_without_events_is_passed_over),
        cmocka_unit_test(test_calls_from_inside_process),
        cmocka_unit_test(test_known_objects_of_a_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
