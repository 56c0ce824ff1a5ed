/* SPDX-License-Identifier: Apache-2.0 */
/* client-go's tests of RealFIFO, each under its name, then those of what happens in fixed storage. */
#include "test_cache_fifo.h"

KM_REALFIFO_DEFINE(fifo, struct thing, 24, FIFO_KEY_SIZE);
KM_REALFIFO_DEFINE(large, struct thing, 1000, 8);
KM_REALFIFO_DEFINE(tiny, struct thing, 4, 8);

/* A queue as NewRealFIFO's: known objects, tombstones. */
static void start(const char *names, int first_value)
{
    name_things(names, first_value);
    fifo.atomic = fifo.emit_bookmarks = false;
    fifo.batch_max = 0;
    fifo.fifo.known = &known;
    fifo.fifo.transform = NULL;
    assert_int_equal(km_realfifo_init(&fifo, 1), KM_OK);
    km_buf_init(&out, text, sizeof text);
}

static void start_atomic(struct km_realfifo *q)
{
    q->atomic = q->emit_bookmarks = true;
    q->fifo.known = NULL;
    q->fifo.transform = NULL;
    assert_int_equal(km_realfifo_init(q, 1), KM_OK);
    km_buf_init(&out, text, sizeof text);
}

static int replace(struct km_realfifo *q, const struct item *items, const char *version)
{
    km_realfifo_replace_begin(q);
    for (; items->name != NULL; items++) {
        if (km_realfifo_replace_item(q, s(items->name), obj(items->value)) != KM_OK)
            break;
    }
    return km_realfifo_replace_end(q, s(version));
}

static int pop(struct km_realfifo *q)
{
    return km_realfifo_pop(q, write_popped, &out);
}

#define assert_waiting(q, expected) \
    do { \
        km_buf_reset(&out); \
        put_deltas(&out, km_realfifo_items(q)); \
        assert_string_equal(text, expected); \
    } while (0)

#define assert_popped(q, expected) \
    do { \
        km_buf_reset(&out); \
        while (pop(q) == KM_OK) \
            continue; \
        assert_string_equal(text, expected); \
        assert_int_equal(km_realfifo_len(q), 0); \
        assert_int_equal((q)->fifo.pool.used, 0); \
    } while (0)

static void TestRealFIFO_basic(void **state)
{
    int last[2] = {0, 0};

    (void)state;
    start_atomic(&large);
    for (int i = 1; i <= 500; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "a%d", i);
        assert_int_equal(km_realfifo_add(&large, s(name), obj(i)), KM_OK);
        name[0] = 'b';
        assert_int_equal(km_realfifo_add(&large, s(name), obj(i)), KM_OK);
    }
    assert_int_equal(km_realfifo_len(&large), 1000);
    while (km_realfifo_pop(&large, check_order, last) == KM_OK)
        continue;
    assert_int_equal(last[0], 500);
    assert_int_equal(last[1], 500);
}

static void TestRealFIFO_replaceWithDeleteDeltaIn(void **state)
{
    (void)state;
    start("foo", 1);
    km_realfifo_delete(&fifo, s("foo"), obj(1), false);
    assert_int_equal(replace(&fifo, LIST({"foo", 2}, ), ""), KM_OK);
    assert_waiting(&fifo, "D:foo=1 R:foo=2");
}

static void TestRealFIFOW_ReplaceMakesDeletionsForObjectsOnlyInQueue(void **state)
{
    (void)state;
    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(2));
    replace(&fifo, LIST(), "0");
    assert_popped(&fifo, "(A:foo=2)(T:foo=2)");

    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(2));
    km_realfifo_delete(&fifo, s("foo"), obj(2), false);
    replace(&fifo, LIST(), "0");
    assert_popped(&fifo, "(A:foo=2)(D:foo=2)");

    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(2));
    replace(&fifo, LIST({"foo", 2}, ), "0");
    replace(&fifo, LIST({"foo", 2}, ), "0");
    replace(&fifo, LIST(), "0");
    assert_popped(&fifo, "(A:foo=2)(R:foo=2)(R:foo=2)(T:foo=2)");

    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(2));
    replace(&fifo, LIST(), "0");
    replace(&fifo, LIST(), "1");
    assert_popped(&fifo, "(A:foo=2)(T:foo=2)");

    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(2));
    km_realfifo_delete(&fifo, s("foo"), obj(2), false);
    km_realfifo_add(&fifo, s("foo"), obj(3));
    replace(&fifo, LIST(), "0");
    assert_popped(&fifo, "(A:foo=2)(D:foo=2)(A:foo=3)(T:foo=3)");

    start("", 0);
    assert_int_equal(km_realfifo_bookmark(&fifo, s("123")), KM_OK);
    replace(&fifo, LIST(), "0");
    replace(&fifo, LIST(), "1");
    assert_popped(&fifo, "");
}

static void TestRealFIFO_addUpdate(void **state)
{
    (void)state;
    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(10));
    km_realfifo_update(&fifo, s("foo"), obj(12));
    km_realfifo_delete(&fifo, s("foo"), obj(15), false);
    assert_waiting(&fifo, "A:foo=10 U:foo=12 D:foo=15");
    assert_popped(&fifo, "(A:foo=10)(U:foo=12)(D:foo=15)");
    assert_int_equal(pop(&fifo), KM_AGAIN);
    km_realfifo_close(&fifo);
    assert_int_equal(pop(&fifo), KM_EOF);
}

static void TestRealFIFO_transformer(void **state)
{
    (void)state;
    start("", 0);
    fifo.fifo.transform = transform;
    km_realfifo_add(&fifo, s("foo"), obj(10));
    km_realfifo_add(&fifo, s("bar"), obj(11));
    km_realfifo_update(&fifo, s("foo"), obj(12));
    km_realfifo_delete(&fifo, s("foo"), obj(15), false);
    replace(&fifo, LIST(), "");
    km_realfifo_add(&fifo, s("bar"), obj(16));
    replace(&fifo, LIST({"new", 17}, ), "");
    assert_int_equal(km_realfifo_add(&fifo, s("bad"), obj(1)), KM_ERR_SYNTAX);
    assert_waiting(&fifo,
                   "A:foo=10 A:bar=11 U:foo=12 D:foo=15 T:bar=11 A:bar=16 T:bar=16 R:new=17");
    while (km_realfifo_pop(&fifo, check_transformed, &out) == KM_OK)
        continue;
    assert_int_equal(fifo.fifo.pool.used, 0);
}

static void TestRealFIFO_enqueueingNoLister(void **state)
{
    (void)state;
    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(10));
    km_realfifo_update(&fifo, s("bar"), obj(15));
    km_realfifo_add(&fifo, s("qux"), obj(17));
    km_realfifo_delete(&fifo, s("qux"), obj(18), false);
    km_realfifo_delete(&fifo, s("baz"), obj(20), false);
    assert_popped(&fifo, "(A:foo=10)(U:bar=15)(A:qux=17)(D:qux=18)(D:baz=20)");
}

static void TestRealFIFO_enqueueingWithLister(void **state)
{
    (void)state;
    start("foo bar baz", 5);
    km_realfifo_add(&fifo, s("foo"), obj(10));
    km_realfifo_update(&fifo, s("bar"), obj(15));
    km_realfifo_delete(&fifo, s("baz"), obj(20), false);
    assert_popped(&fifo, "(A:foo=10)(U:bar=15)(D:baz=20)");
}

static void TestRealFIFO_addReplace(void **state)
{
    (void)state;
    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(10));
    replace(&fifo, LIST({"foo", 15}, ), "0");
    assert_popped(&fifo, "(A:foo=10)(R:foo=15)");
}

static void TestRealFIFO_ResyncNonExisting(void **state)
{
    (void)state;
    start("foo", 5);
    km_realfifo_delete(&fifo, s("foo"), obj(10), false);
    km_realfifo_resync(&fifo);
    assert_waiting(&fifo, "D:foo=10");
}

static void TestRealFIFO_Resync(void **state)
{
    (void)state;
    start("foo", 5);
    km_realfifo_resync(&fifo);
    assert_waiting(&fifo, "S:foo=5");
}

static void TestRealFIFO_DeleteExistingNonPropagated(void **state)
{
    (void)state;
    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(5));
    km_realfifo_delete(&fifo, s("foo"), obj(6), false);
    assert_waiting(&fifo, "A:foo=5 D:foo=6");
}

static void TestRealFIFO_ReplaceMakesDeletions(void **state)
{
    (void)state;
    start("foo bar baz", 5);
    km_realfifo_delete(&fifo, s("baz"), obj(10), false);
    replace(&fifo, LIST({"foo", 5}, ), "0");
    assert_popped(&fifo, "(D:baz=10)(T:bar=6)(R:foo=5)");

    start("foo bar baz", 5);
    km_realfifo_add(&fifo, s("baz"), obj(10));
    replace(&fifo, LIST({"foo", 5}, ), "0");
    assert_popped(&fifo, "(A:baz=10)(T:baz=10)(T:bar=6)(R:foo=5)");

    start("foo bar baz", 5);
    km_realfifo_delete(&fifo, s("bar"), obj(6), false);
    km_realfifo_add(&fifo, s("bar"), obj(100));
    replace(&fifo, LIST({"foo", 5}, ), "0");
    assert_popped(&fifo, "(D:bar=6)(A:bar=100)(T:bar=100)(T:baz=7)(R:foo=5)");

    start("foo bar baz", 5);
    replace(&fifo, LIST({"bar", 100}, {"foo", 5}, ), "0");
    replace(&fifo, LIST({"foo", 5}, ), "0");
    assert_popped(&fifo, "(!T:baz=7)(!R:bar=100)(!R:foo=5)(T:bar=100)(R:foo=5)");

    start("", 0);
    km_realfifo_add(&fifo, s("baz"), obj(10));
    replace(&fifo, LIST({"foo", 5}, ), "0");
    assert_popped(&fifo, "(A:baz=10)(T:baz=10)(R:foo=5)");
}

static void TestRealFIFO_ReplaceMakesDeletionsReplaced(void **state)
{
    (void)state;
    start("foo bar baz", 5);
    km_realfifo_delete(&fifo, s("baz"), obj(10), false);
    replace(&fifo, LIST({"foo", 6}, ), "0");
    assert_popped(&fifo, "(D:baz=10)(T:bar=6)(R:foo=6)");
}

static void TestRealFIFO_UpdateResyncRace(void **state)
{
    (void)state;
    start("foo", 5);
    km_realfifo_update(&fifo, s("foo"), obj(6));
    km_realfifo_resync(&fifo);
    assert_popped(&fifo, "(U:foo=6)");
}

static void TestRealFIFO_HasSyncedCorrectOnDeletion(void **state)
{
    (void)state;
    start("foo bar baz", 5);
    replace(&fifo, LIST({"foo", 5}, ), "0");
    for (int i = 0; i < 3; i++) {
        assert_false(km_realfifo_synced(&fifo));
        assert_int_equal(pop(&fifo), KM_OK);
    }
    assert_string_equal(text, "(!T:bar=6)(!T:baz=7)(!R:foo=5)");
    assert_true(km_realfifo_synced(&fifo));
}

static void TestRealFIFO_detectLineJumpers(void **state)
{
    (void)state;
    start("", 0);
    km_realfifo_add(&fifo, s("foo"), obj(10));
    km_realfifo_add(&fifo, s("bar"), obj(1));
    km_realfifo_add(&fifo, s("foo"), obj(11));
    km_realfifo_add(&fifo, s("foo"), obj(13));
    km_realfifo_add(&fifo, s("zab"), obj(30));
    assert_int_equal(pop(&fifo), KM_OK);
    assert_string_equal(text, "(A:foo=10)");
    km_realfifo_add(&fifo, s("foo"), obj(14));
    assert_popped(&fifo, "(A:bar=1)(A:foo=11)(A:foo=13)(A:zab=30)(A:foo=14)");
}

/* An object, an event and a tombstone of one key have that key. */
static void TestRealFIFO_KeyOf(void **state)
{
    (void)state;
    start("", 0);
    km_realfifo_add(&fifo, s("A"), obj(1));
    km_realfifo_delete(&fifo, s("B"), NULL, true);
    km_realfifo_delete(&fifo, s("A"), obj(2), true);
    assert_waiting(&fifo, "A:A=1 T:B T:A=2");
    assert_int_equal(km_realfifo_add(&fifo, s(""), obj(1)), KM_ERR_ARG);
    assert_int_equal(km_realfifo_add(&fifo, s("C"), NULL), KM_ERR_ARG);
    assert_int_equal(km_realfifo_delete(&fifo, s("C"), NULL, false), KM_ERR_ARG);
    assert_int_equal(km_realfifo_add(&fifo, s("123456789012345678901234"), obj(1)),
                     KM_ERR_TOO_LONG);
    assert_int_equal(km_realfifo_add(&fifo, s("12345678901234567890123"), obj(1)), KM_OK);
}

static void TestRealFIFO_HasSynced(void **state)
{
    (void)state;
    start("", 0);
    assert_false(km_realfifo_synced(&fifo));
    km_realfifo_add(&fifo, s("a"), obj(1));
    assert_true(km_realfifo_synced(&fifo));

    start("", 0);
    replace(&fifo, LIST(), "0");
    assert_true(km_realfifo_synced(&fifo));

    start("", 0);
    replace(&fifo, LIST({"a", 1}, {"b", 2}, ), "0");
    assert_false(km_realfifo_synced(&fifo));
    pop(&fifo);
    assert_false(km_realfifo_synced(&fifo));
    pop(&fifo);
    assert_true(km_realfifo_synced(&fifo));

    start("", 0);
    replace(&fifo, LIST({"a", 1}, {"a", 2}, ), "0");
    pop(&fifo);
    assert_false(km_realfifo_synced(&fifo));
    pop(&fifo);
    assert_true(km_realfifo_synced(&fifo));

    start_atomic(&fifo);
    replace(&fifo, LIST(), "0");
    assert_false(km_realfifo_synced(&fifo));
    pop(&fifo);
    assert_true(km_realfifo_synced(&fifo));
}

/* Pop does not wait here: it says whether the queue was closed. */
static void TestRealFIFO_PopShouldUnblockWhenClosed(void **state)
{
    (void)state;
    start("foo", 5);
    assert_int_equal(pop(&fifo), KM_AGAIN);
    km_realfifo_add(&fifo, s("foo"), obj(1));
    km_realfifo_close(&fifo);
    assert_int_equal(pop(&fifo), KM_OK);
    assert_int_equal(pop(&fifo), KM_EOF);
    assert_int_equal(km_realfifo_pop_batch(&fifo, write_popped, write_popped, &out), KM_EOF);
}

static int batch_of_one(void *ctx, const struct km_deltas *deltas, bool initial)
{
    assert_int_equal(km_deltas_count(deltas), 1);
    return write_popped(ctx, deltas, initial);
}

static void batches(uint16_t max, const struct item *initial, const struct item *updates,
                    const char *expected)
{
    start("", 0);
    fifo.batch_max = max;
    replace(&fifo, initial, "123");
    for (; updates->name != NULL; updates++)
        km_realfifo_update(&fifo, s(updates->name), obj(updates->value));
    km_buf_reset(&out);
    while (km_realfifo_pop_batch(&fifo, write_popped, batch_of_one, &out) == KM_OK)
        continue;
    assert_string_equal(text, expected);
    assert_int_equal(fifo.fifo.pool.used, 0);
    assert_true(km_realfifo_synced(&fifo));
}

static void TestRealFIFO_PopMultipleDeltaInBatch(void **state)
{
    (void)state;
    batches(999, LIST({"o1", 5}, {"o2", 5}, {"o3", 5}, ), LIST(), "(!R:o1=5 R:o2=5 R:o3=5)");
    batches(2, LIST({"o1", 5}, {"o2", 5}, ), LIST({"o3", 5}, {"o4", 5}, ),
            "(!R:o1=5 R:o2=5)(U:o3=5 U:o4=5)");
    batches(999, LIST({"o1", 5}, ), LIST({"o1", 5}, {"o1", 5}, ), "(!R:o1=5)(U:o1=5)(U:o1=5)");
    batches(999, LIST({"o1", 5}, {"o2", 5}, ), LIST({"o2", 5}, {"o3", 5}, ),
            "(!R:o1=5 R:o2=5)(U:o2=5 U:o3=5)");
    batches(999, LIST({"o1", 5}, {"o2", 5}, {"o3", 5}, ), LIST({"o2", 5}, ),
            "(!R:o1=5 R:o2=5 R:o3=5)(U:o2=5)");
    batches(2, LIST({"o1", 5}, {"o2", 5}, {"o3", 5}, ), LIST(), "(!R:o1=5 R:o2=5)(!R:o3=5)");
    batches(2, LIST(), LIST({"o1", 5}, {"o2", 5}, {"o3", 5}, ), "(U:o1=5 U:o2=5)(U:o3=5)");
    batches(2, LIST({"o1", 5}, {"o2", 5}, {"o3", 5}, ), LIST({"o4", 5}, ),
            "(!R:o1=5 R:o2=5)(!R:o3=5)(U:o4=5)");
}

/* Nothing without a key gets in; so it is taken away afterwards. */
static void TestRealFIFO_PopBrokenItemsInBatch(void **state)
{
    static const struct {
        const char *names, *popped;
    } cases[] = {
        {"3", "(A:=5)"},
        {"123", "(A:1=5 A:2=5 A:=5)"},
        {"1234", "(A:1=5 A:2=5 A:=5)(A:=5)"},
        {"314", "(A:=5)(A:1=5 A:=5)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        start("", 0);
        for (const char *at = cases[i].names; *at != '\0'; at++)
            km_realfifo_add(&fifo, (struct km_slice){at, 1}, obj(5));
        for (uint16_t k = 0; k < fifo.fifo.key_count; k++) {
            if (fifo.fifo.keys[k].refs > 0 && fifo.fifo.texts[k * FIFO_KEY_SIZE] >= '3')
                fifo.fifo.keys[k].len = 0;
        }
        km_buf_reset(&out);
        while (km_realfifo_pop_batch(&fifo, write_popped, batch_of_one, &out) == KM_OK)
            continue;
        assert_string_equal(text, cases[i].popped);
    }
}

static void TestRealFIFO_ReplaceAtomic(void **state)
{
    (void)state;
    start_atomic(&fifo);
    replace(&fifo, LIST(), "123");
    assert_popped(&fifo, "(!all@123[])");

    start_atomic(&fifo);
    km_realfifo_add(&fifo, s("foo"), obj(2));
    replace(&fifo, LIST(), "123");
    assert_popped(&fifo, "(A:foo=2)(all@123[])");

    start_atomic(&fifo);
    km_realfifo_add(&fifo, s("foo"), obj(2));
    replace(&fifo, LIST({"foo", 2}, ), "10");
    replace(&fifo, LIST({"foo", 2}, ), "20");
    replace(&fifo, LIST(), "56");
    assert_popped(&fifo, "(A:foo=2)(all@10[R:foo=2])(all@20[R:foo=2])(all@56[])");

    start_atomic(&fifo);
    assert_int_equal(km_realfifo_bookmark(&fifo, s("123")), KM_OK);
    replace(&fifo, LIST(), "1234");
    assert_popped(&fifo, "(!mark@123)(!all@1234[])");
    assert_true(km_realfifo_synced(&fifo));
}

static int not_synced_yet(void *ctx, const struct km_deltas *deltas, bool initial)
{
    assert_false(km_realfifo_synced(&fifo));
    return write_popped(ctx, deltas, initial);
}

static void TestRealFIFO_ReplaceAtomicPop(void **state)
{
    (void)state;
    start_atomic(&fifo);
    km_realfifo_add(&fifo, s("foo"), obj(10));
    replace(&fifo, LIST({"foo", 15}, ), "20");
    assert_popped(&fifo, "(A:foo=10)(all@20[R:foo=15])");

    start_atomic(&fifo);
    replace(&fifo, LIST({"foo", 15}, {"bar", 16}, ), "20");
    assert_int_equal(km_realfifo_len(&fifo), 1);
    assert_int_equal(km_realfifo_pop(&fifo, not_synced_yet, &out), KM_OK);
    assert_true(km_realfifo_synced(&fifo));
}

static void TestRealFIFO_ResyncAtomic(void **state)
{
    (void)state;
    start_atomic(&fifo);
    km_realfifo_resync(&fifo);
    assert_popped(&fifo, "(!sync-all)");

    start_atomic(&fifo);
    km_realfifo_add(&fifo, s("foo"), obj(2));
    km_realfifo_resync(&fifo);
    assert_popped(&fifo, "(A:foo=2)(sync-all)");
}

/* ---- fixed storage ---- */

static void test_full_drops_what_is_superseded_oldest_first(void **state)
{
    (void)state;
    start_atomic(&tiny);
    km_realfifo_add(&tiny, s("a"), obj(1));
    km_realfifo_add(&tiny, s("b"), obj(2));
    km_realfifo_update(&tiny, s("a"), obj(3));
    km_realfifo_update(&tiny, s("b"), obj(4));
    assert_int_equal(km_realfifo_add(&tiny, s("c"), obj(5)), KM_OK);
    assert_waiting(&tiny, "A:b=2 U:a=3 U:b=4 A:c=5");
    assert_int_equal(km_realfifo_update(&tiny, s("a"), obj(6)), KM_OK);
    assert_waiting(&tiny, "U:a=3 U:b=4 A:c=5 U:a=6");
    assert_int_equal(km_realfifo_delete(&tiny, s("b"), obj(7), false), KM_OK);
    assert_waiting(&tiny, "U:b=4 A:c=5 U:a=6 D:b=7");
    assert_int_equal(km_realfifo_add(&tiny, s("d"), obj(8)), KM_OK);
    assert_waiting(&tiny, "A:c=5 U:a=6 D:b=7 A:d=8");
    assert_int_equal((int)tiny.fifo.merged, 4);
    assert_false(km_realfifo_lost(&tiny));

    assert_int_equal(km_realfifo_add(&tiny, s("e"), obj(9)), KM_ERR_FULL);
    assert_true(km_realfifo_lost(&tiny));
    assert_waiting(&tiny, "A:c=5 U:a=6 D:b=7 A:d=8");
    assert_int_equal(km_realfifo_update(&tiny, s("c"), obj(10)), KM_OK);
    assert_waiting(&tiny, "U:a=6 D:b=7 A:d=8 U:c=10");
    assert_int_equal(km_realfifo_resync(&tiny), KM_ERR_FULL);

    assert_int_equal(replace(&tiny, LIST({"a", 6}, {"e", 9}, ), "20"), KM_OK);
    assert_false(km_realfifo_lost(&tiny));
    assert_waiting(&tiny, "U:c=10 all@20[R:a=6 R:e=9]");
    assert_popped(&tiny, "(U:c=10)(all@20[R:a=6 R:e=9])");
}

static void test_bookmarks_give_way(void **state)
{
    (void)state;
    start_atomic(&tiny);
    km_realfifo_add(&tiny, s("a"), obj(1));
    km_realfifo_bookmark(&tiny, s("5"));
    km_realfifo_bookmark(&tiny, s("6"));
    km_realfifo_add(&tiny, s("b"), obj(2));
    assert_int_equal(km_realfifo_bookmark(&tiny, s("7")), KM_OK);
    assert_waiting(&tiny, "A:a=1 mark@6 A:b=2 mark@7");
    km_realfifo_add(&tiny, s("c"), obj(3));
    km_realfifo_add(&tiny, s("d"), obj(4));
    assert_waiting(&tiny, "A:a=1 A:b=2 A:c=3 A:d=4");
    assert_int_equal(km_realfifo_bookmark(&tiny, s("8")), KM_ERR_FULL);
    assert_int_equal(km_realfifo_bookmark(&tiny, s("12345678")), KM_ERR_TOO_LONG);
    assert_false(km_realfifo_lost(&tiny));
}

static void test_a_list_that_does_not_fit(void **state)
{
    (void)state;
    start_atomic(&tiny);
    km_realfifo_add(&tiny, s("a"), obj(1));
    assert_int_equal(replace(&tiny, LIST({"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, {"e", 1}, ), "9"),
                     KM_ERR_FULL);
    assert_true(km_realfifo_lost(&tiny));
    assert_int_equal(tiny.fifo.pool.used, 0);
    assert_int_equal(replace(&tiny, LIST({"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, ), "9"),
                     KM_ERR_FULL);
    assert_true(km_realfifo_lost(&tiny));
    assert_int_equal(tiny.fifo.pool.used, 0);
    assert_int_equal(km_realfifo_replace_end(&tiny, s("9")), KM_ERR_ARG);
    assert_int_equal(km_realfifo_replace_item(&tiny, s("a"), obj(1)), KM_ERR_ARG);
    assert_int_equal(replace(&tiny, LIST({"a", 1}, {"b", 1}, {"c", 1}, ), "12345678"),
                     KM_ERR_TOO_LONG);
    assert_int_equal(replace(&tiny, LIST({"a", 1}, {"b", 1}, {"c", 1}, ), "9"), KM_OK);
    assert_false(km_realfifo_lost(&tiny));
    assert_popped(&tiny, "(all@9[R:a=1 R:b=1 R:c=1])");
}

/* An aborted list is as if it had not begun, but for what gave way to it. */
static void test_abort(void **state)
{
    (void)state;
    start_atomic(&tiny);
    km_realfifo_replace_begin(&tiny);
    assert_int_equal(km_realfifo_replace_item(&tiny, s("a"), obj(1)), KM_OK);
    km_realfifo_add(&tiny, s("b"), obj(1));
    km_realfifo_replace_abort(&tiny);
    assert_false(km_realfifo_lost(&tiny));
    assert_popped(&tiny, "(A:b=1)");
    km_realfifo_add(&tiny, s("b"), obj(1));
    km_realfifo_replace_begin(&tiny);
    for (int i = 0; i < 4; i++)
        assert_int_equal(km_realfifo_replace_item(&tiny, s("a"), obj(1)), KM_OK);
    km_realfifo_replace_abort(&tiny);
    assert_true(km_realfifo_lost(&tiny));
    assert_popped(&tiny, "");
}

/* Though events of the first list were merged into later ones, it is not synced before these. */
static void test_first_sync_waits_for_merged_events(void **state)
{
    (void)state;
    memset(&things, 0, sizeof things);
    tiny.atomic = tiny.emit_bookmarks = false;
    tiny.fifo.known = &known;
    assert_int_equal(km_realfifo_init(&tiny, 1), KM_OK);
    replace(&tiny, LIST({"a", 1}, {"b", 1}, {"c", 1}, ), "9");
    km_realfifo_update(&tiny, s("a"), obj(2));
    km_realfifo_update(&tiny, s("a"), obj(3));
    km_realfifo_update(&tiny, s("b"), obj(4));
    assert_waiting(&tiny, "R:c=1 U:a=2 U:a=3 U:b=4");
    for (int i = 0; i < 4; i++) {
        assert_false(km_realfifo_synced(&tiny));
        assert_int_equal(pop(&tiny), KM_OK);
    }
    assert_true(km_realfifo_synced(&tiny));

    km_realfifo_init(&tiny, 1);
    replace(&tiny, LIST({"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}, ), "9");
    for (int i = 0; i < 4; i++)
        assert_int_equal(km_realfifo_update(&tiny, (struct km_slice){&"abcd"[i], 1}, obj(2)),
                         KM_OK);
    assert_waiting(&tiny, "U:a=2 U:b=2 U:c=2 U:d=2");
    for (int i = 0; i < 4; i++) {
        assert_false(km_realfifo_synced(&tiny));
        assert_int_equal(pop(&tiny), KM_OK);
    }
    assert_true(km_realfifo_synced(&tiny));
}

static void test_a_list_over_a_list_is_not_synced_early(void **state)
{
    (void)state;
    start_atomic(&tiny);
    replace(&tiny, LIST({"a", 1}, {"b", 1}, ), "5");
    assert_int_equal(replace(&tiny, LIST({"c", 1}, {"d", 1}, {"e", 1}, ), "6"), KM_OK);
    assert_waiting(&tiny, "all@6[R:c=1 R:d=1 R:e=1]");
    assert_false(km_realfifo_synced(&tiny));
    assert_int_equal(pop(&tiny), KM_OK);
    assert_true(km_realfifo_synced(&tiny));
}

static int add_inside(void *ctx, const struct km_deltas *deltas, bool initial)
{
    struct km_deltas rest = *deltas;
    struct km_delta delta;
    int result = write_popped(ctx, deltas, initial);

    assert_int_equal(pop(&tiny), KM_ERR_REENTRANT);
    while (km_deltas_next(&rest, &delta) == KM_OK) {
        assert_int_equal(km_realfifo_update(&tiny, delta.key, delta.object), KM_OK);
        assert_true(km_slice_eq_str(delta.key, "a"));
    }
    replace(&tiny, LIST({"b", 2}, ), "7");
    return result == KM_OK ? KM_ERR_CANCELED : result;
}

static void test_calls_from_inside_process(void **state)
{
    (void)state;
    start_atomic(&tiny);
    km_realfifo_add(&tiny, s("a"), obj(1));
    assert_int_equal(km_realfifo_pop(&tiny, add_inside, &out), KM_ERR_CANCELED);
    assert_popped(&tiny, "(U:a=1)(all@7[R:b=2])");
}

static void test_contradicting_options_are_refused(void **state)
{
    (void)state;
    tiny.atomic = true;
    tiny.fifo.known = &known;
    assert_int_equal(km_realfifo_init(&tiny, 1), KM_ERR_ARG);
    tiny.atomic = false;
    tiny.emit_bookmarks = true;
    assert_int_equal(km_realfifo_init(&tiny, 1), KM_ERR_ARG);
    tiny.emit_bookmarks = false;
    tiny.fifo.known = NULL;
    assert_int_equal(km_realfifo_init(&tiny, 1), KM_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestRealFIFO_basic),
        cmocka_unit_test(TestRealFIFO_replaceWithDeleteDeltaIn),
        cmocka_unit_test(TestRealFIFOW_ReplaceMakesDeletionsForObjectsOnlyInQueue),
        cmocka_unit_test(TestRealFIFO_addUpdate),
        cmocka_unit_test(TestRealFIFO_transformer),
        cmocka_unit_test(TestRealFIFO_enqueueingNoLister),
        cmocka_unit_test(TestRealFIFO_enqueueingWithLister),
        cmocka_unit_test(TestRealFIFO_addReplace),
        cmocka_unit_test(TestRealFIFO_ResyncNonExisting),
        cmocka_unit_test(TestRealFIFO_Resync),
        cmocka_unit_test(TestRealFIFO_DeleteExistingNonPropagated),
        cmocka_unit_test(TestRealFIFO_ReplaceMakesDeletions),
        cmocka_unit_test(TestRealFIFO_ReplaceMakesDeletionsReplaced),
        cmocka_unit_test(TestRealFIFO_UpdateResyncRace),
        cmocka_unit_test(TestRealFIFO_HasSyncedCorrectOnDeletion),
        cmocka_unit_test(TestRealFIFO_detectLineJumpers),
        cmocka_unit_test(TestRealFIFO_KeyOf),
        cmocka_unit_test(TestRealFIFO_HasSynced),
        cmocka_unit_test(TestRealFIFO_PopShouldUnblockWhenClosed),
        cmocka_unit_test(TestRealFIFO_PopMultipleDeltaInBatch),
        cmocka_unit_test(TestRealFIFO_PopBrokenItemsInBatch),
        cmocka_unit_test(TestRealFIFO_ReplaceAtomic),
        cmocka_unit_test(TestRealFIFO_ReplaceAtomicPop),
        cmocka_unit_test(TestRealFIFO_ResyncAtomic),
        cmocka_unit_test(test_full_drops_what_is_superseded_oldest_first),
        cmocka_unit_test(test_bookmarks_give_way),
        cmocka_unit_test(test_a_list_that_does_not_fit),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_first_sync_waits_for_merged_events),
        cmocka_unit_test(test_a_list_over_a_list_is_not_synced_early),
        cmocka_unit_test(test_calls_from_inside_process),
        cmocka_unit_test(test_contradicting_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
