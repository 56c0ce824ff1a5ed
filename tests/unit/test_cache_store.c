/* SPDX-License-Identifier: Apache-2.0 */
/* client-go's tests of the store and the indexer, each under its name, then what fixed slots add. */
#include "km_test.h"

#include "agent/cache/text.h"
#include "kubemote/km_index.h"

#define SLOTS 5

/* A text with several index values in it, divided by commas. */
struct record {
    char text[24];
    int rank;
};

static bool higher(void *ctx, const void *a, const void *b)
{
    (void)ctx;
    return ((const struct record *)a)->rank > ((const struct record *)b)->rank;
}

static int parts(void *ctx, struct km_slice key, const void *record, struct km_index_sink *sink)
{
    const char *at = ((const struct record *)record)->text;

    (void)ctx;
    (void)key;
    if (strcmp(at, "fails") == 0)
        return KM_ERR_SYNTAX;
    for (;; at++) {
        size_t len = strcspn(at, ",");

        km_index_value(sink, (struct km_slice){at, len});
        at += len;
        if (*at == '\0')
            return KM_OK;
    }
}

KM_STORE_DEFINE(store, struct record, SLOTS, 24, NULL, NULL);
KM_STORE_DEFINE(ranked, struct record, SLOTS, 24, higher, NULL);
KM_INDEX_DEFINE(by_part, "parts", SLOTS, 3, parts, NULL);
KM_INDEX_DEFINE(by_part_too, "parts", SLOTS, 3, parts, NULL);
KM_INDEX_DEFINE(wrong_size, "other", SLOTS + 1, 3, parts, NULL);
KM_INDEX_NAMESPACE_DEFINE(by_namespace, SLOTS);

static char text[256];

static struct km_slice s(const char *chars)
{
    return km_slice_of(chars);
}

static void start(void)
{
    km_store_init(&ranked, 7);
    km_store_init(&store, 7);
    assert_int_equal(km_store_add_index(&store, &by_part), KM_OK);
}

static int put_ranked(struct km_store *to, const char *key, const char *value, int rank,
                      struct km_store_change *change)
{
    struct record *record = km_store_spare(to);

    memset(record, 0, sizeof *record);
    (void)snprintf(record->text, sizeof record->text, "%s", value);
    record->rank = rank;
    return km_store_put(to, s(key), change);
}

static int put(const char *key, const char *value)
{
    struct km_store_change change;

    return put_ranked(&store, key, value, 0, &change);
}

static int erase(const char *key)
{
    struct km_store_change change;

    return km_store_delete(&store, s(key), &change);
}

static const char *get(const char *key)
{
    const struct record *record = km_store_get(&store, s(key));

    return record != NULL ? record->text : "none";
}

static const char *keys_text(const struct km_store *of, const uint16_t *slots, int count)
{
    struct km_buf out;

    km_buf_init(&out, text, sizeof text);
    for (int i = 0; i < count; i++) {
        km_buf_puts(&out, i > 0 ? " " : "");
        km_buf_put_slice(&out, km_cache_key(of->cache, slots[i]));
    }
    return text;
}

static const char *with(const struct km_index *index, const char *value)
{
    uint16_t slots[SLOTS];

    return keys_text(&store, slots, km_index_keys(index, s(value), slots, SLOTS));
}

static const char *all(const struct km_store *of)
{
    uint16_t slots[SLOTS];

    return keys_text(of, slots, km_store_keys(of, slots, SLOTS));
}

static int value_count(const struct km_index *index)
{
    char value[24];
    uint32_t at = 0;
    int count = 0;

    while (km_index_next_value(index, &at, value, sizeof value) == KM_OK)
        count++;
    return count;
}

static void TestCache(void **state)
{
    struct km_store_change change;

    (void)state;
    start();
    assert_int_equal(put("foo", "bar"), KM_CACHE_ADDED);
    assert_string_equal(get("foo"), "bar");
    assert_int_equal(put("foo", "baz"), KM_CACHE_UPDATED);
    assert_string_equal(get("foo"), "baz");
    assert_int_equal(erase("foo"), KM_OK);
    assert_string_equal(get("foo"), "none");
    put("a", "b");
    put("c", "d");
    put("e", "e");
    assert_string_equal(all(&store), "a c e");
    km_store_replace_begin(&store);
    put("foo", "foo");
    put("bar", "bar");
    while (km_store_sweep(&store, &change) == KM_OK) {
        assert_null(change.now);
        assert_true(change.key.len == 1 && strchr("ace", change.key.ptr[0]) != NULL);
    }
    assert_string_equal(all(&store), "bar foo");
    assert_int_equal(erase("foo2"), KM_ERR_NOT_FOUND);
}

static void TestIndex(void **state)
{
    const struct record like_b = {.text = "b"}, like_both = {.text = "h,b,b"};
    uint16_t slots[SLOTS];

    (void)state;
    start();
    put("a", "b");
    put("c", "b");
    put("e", "f");
    put("g", "h");
    assert_int_equal(km_index_like(&by_part, s(""), &like_b, slots, SLOTS), 2);
    assert_string_equal(keys_text(&store, slots, 2), "a c");
    assert_int_equal(km_index_like(&by_part, s(""), &like_both, slots, SLOTS), 3);
    assert_string_equal(keys_text(&store, slots, 3), "a c g");
    assert_int_equal(km_index_like(&by_part, s(""), &like_both, slots, 2), KM_ERR_FULL);
    assert_int_equal(km_index_keys(&by_part, s("b"), slots, 1), KM_ERR_FULL);
    assert_int_equal(km_store_keys(&store, slots, 3), KM_ERR_FULL);
}

static void TestGetIndexFuncValues(void **state)
{
    char value[24];
    uint32_t at = 0;
    int seen = 0;

    (void)state;
    start();
    put("one", "bar");
    put("two", "bar");
    put("tre", "biz");
    while (km_index_next_value(&by_part, &at, value, sizeof value) == KM_OK)
        seen += strcmp(value, "bar") == 0 ? 1 : strcmp(value, "biz") == 0 ? 10 : 100;
    assert_int_equal(seen, 11);
    at = 0;
    assert_int_equal(km_index_next_value(&by_part, &at, value, 3), KM_ERR_TOO_LONG);
    assert_string_equal(value, "");
    assert_int_equal(km_index_next_value(&by_part, &at, value, 4), KM_OK);
    assert_int_equal(km_index_next_value(&by_part, &at, value, 4), KM_ERR_NOT_FOUND);
}

static void TestMultiIndexKeys(void **state)
{
    (void)state;
    start();
    put("one", "ernie,bert");
    put("two", "bert,oscar");
    put("tre", "ernie,elmo");
    assert_string_equal(with(&by_part, "ernie"), "one tre");
    assert_string_equal(with(&by_part, "bert"), "one two");
    assert_string_equal(with(&by_part, "elmo"), "tre");
    assert_string_equal(with(&by_part, "oscar"), "two");
    assert_string_equal(with(&by_part, "elmo1"), "");
    erase("tre");
    assert_string_equal(with(&by_part, "ernie"), "one");
    assert_string_equal(with(&by_part, "elmo"), "");
    put("two", "oscar");
    assert_string_equal(with(&by_part, "bert"), "one");
}

static void TestThreadSafeStoreDeleteRemovesEmptySetsFromIndex(void **state)
{
    (void)state;
    start();
    put("testKey", "testKey");
    assert_string_equal(with(&by_part, "testKey"), "testKey");
    assert_int_equal(value_count(&by_part), 1);
    erase("testKey");
    assert_int_equal(value_count(&by_part), 0);
    assert_int_equal(by_part.pool.used, 0);
    for (uint32_t i = 0; i < by_part.table_size; i++)
        assert_int_equal(by_part.table[i], 0);
}

static void TestThreadSafeStoreAddKeepsNonEmptySetPostDeleteFromIndex(void **state)
{
    (void)state;
    start();
    put("retain", "testIndex");
    put("delete", "testIndex");
    assert_string_equal(with(&by_part, "testIndex"), "delete retain");
    erase("delete");
    assert_string_equal(with(&by_part, "testIndex"), "retain");
}

static void expect(const char *foo, const char *bar, const char *baz)
{
    assert_string_equal(with(&by_part, "foo"), foo);
    assert_string_equal(with(&by_part, "bar"), bar);
    assert_string_equal(with(&by_part, "baz"), baz);
}

static void TestThreadSafeStoreIndexingFunctionsWithMultipleValues(void **state)
{
    (void)state;
    start();
    put("key1", "foo");
    put("key2", "bar");
    expect("key1", "key2", "");
    put("key2", "foo,bar");
    expect("key1 key2", "key2", "");
    put("key1", "foo,bar");
    expect("key1 key2", "key1 key2", "");
    put("key3", "foo,bar,baz");
    expect("key1 key2 key3", "key1 key2 key3", "key3");
    put("key1", "foo");
    expect("key1 key2 key3", "key2 key3", "key3");
    put("key2", "bar");
    expect("key1 key3", "key2 key3", "key3");
    erase("key1");
    expect("key3", "key2 key3", "key3");
    erase("key3");
    expect("", "key2", "");
}

static void TestThreadSafeStoreRV(void **state)
{
    (void)state;
    start();
    assert_string_equal(km_store_version(&store), "");
    put("a", "b");
    assert_int_equal(km_store_note_version(&store, s("10")), KM_OK);
    assert_string_equal(km_store_version(&store), "10");
    erase("a");
    assert_int_equal(km_store_note_version(&store, s("30")), KM_OK);
    assert_string_equal(km_store_version(&store), "30");
    assert_int_equal(km_store_note_version(&store, s("01234567890123456789012345678901")),
                     KM_ERR_TOO_LONG);
    assert_string_equal(km_store_version(&store), "30");
    km_store_init(&store, 1);
    assert_string_equal(km_store_version(&store), "");
}

/* ---- fixed storage ---- */

static void test_namespace_index(void **state)
{
    char value[24];
    uint32_t at = 0;

    (void)state;
    start();
    put("kube-system/a", "1");
    put("node", "1");
    assert_int_equal(km_store_add_index(&store, &by_namespace), KM_OK);
    put("kube-system/b", "1");
    put("default/a", "1");
    assert_string_equal(with(&by_namespace, "kube-system"), "kube-system/a kube-system/b");
    assert_string_equal(with(&by_namespace, "default"), "default/a");
    assert_string_equal(with(&by_namespace, ""), "node");
    assert_string_equal(with(&by_namespace, "kube"), "");
    assert_int_equal(value_count(&by_namespace), 3);
    assert_int_equal(km_index_next_value(&by_namespace, &at, value, sizeof value), KM_OK);
    assert_ptr_equal(km_store_index(&store, "namespace"), &by_namespace);
    assert_ptr_equal(km_store_index(&store, "parts"), &by_part);
    assert_null(km_store_index(&store, "none"));
}

static void test_indexes_that_are_refused(void **state)
{
    (void)state;
    start();
    assert_int_equal(km_store_add_index(&store, &by_part_too), KM_ERR_ARG);
    assert_int_equal(km_store_add_index(&store, &by_part), KM_ERR_ARG);
    assert_int_equal(km_store_add_index(&ranked, &by_part), KM_ERR_ARG);
    assert_int_equal(km_store_add_index(&store, &wrong_size), KM_ERR_ARG);
    km_store_init(&store, 8);
    assert_int_equal(km_store_add_index(&store, &by_part), KM_OK);
}

/* Values beyond the bound, and of a function that fails, are missing, counted, and told. */
static void test_values_beyond_the_bound(void **state)
{
    uint32_t refused;

    (void)state;
    start();
    refused = by_part.pool.refused;
    put("a", "x,x,y,x,z");
    assert_true(km_index_complete(&by_part));
    put("b", "x,y,z,more");
    assert_false(km_index_complete(&by_part));
    assert_string_equal(with(&by_part, "z"), "a b");
    assert_string_equal(with(&by_part, "more"), "");
    put("c", "fails");
    assert_string_equal(get("c"), "fails");
    assert_int_equal(by_part.pool.refused, refused + 2);
    assert_int_equal(by_part.pool.used, 6);
    assert_int_equal(by_part.pool.size, SLOTS * 3);
    put("b", "x");
    assert_false(km_index_complete(&by_part));
    erase("c");
    assert_true(km_index_complete(&by_part));
}

/* The object at hand may change or go during a walk. */
static void test_changes_during_a_walk(void **state)
{
    struct km_index_walk walk;
    int seen = 0;
    uint16_t slot;

    (void)state;
    start();
    for (int i = 0; i < SLOTS; i++)
        put((char[]){(char)('a' + i), '\0'}, "v");
    km_index_find(&by_part, s("v"), &walk);
    while (km_index_next(&walk, &slot) == KM_OK) {
        char key[8];

        assert_int_equal(km_slice_copy(km_cache_key(store.cache, slot), key, sizeof key), KM_OK);
        if (seen % 3 == 0)
            erase(key);
        else
            put(key, seen % 3 == 1 ? "v" : "w");
        seen++;
    }
    assert_int_equal(seen, SLOTS);
    km_index_find(&by_part, s("none"), &walk);
    assert_int_equal(km_index_next(&walk, &slot), KM_ERR_NOT_FOUND);
}

/* Two values of one hash are two values: found by trial for the seed 7. */
static void test_values_of_one_hash(void **state)
{
    static const char one[] = "tdrfnieu", other[] = "xttqctdl";
    char both[24];

    (void)state;
    assert_int_equal(text_hash(s(one), 7), text_hash(s(other), 7));
    (void)snprintf(both, sizeof both, "%s,%s", one, other);
    start();
    put("a", one);
    put("b", other);
    put("c", both);
    assert_string_equal(with(&by_part, one), "a c");
    assert_string_equal(with(&by_part, other), "b c");
    assert_int_equal(value_count(&by_part), 2);
    erase("a");
    put("b", one);
    assert_string_equal(with(&by_part, one), "b c");
    assert_string_equal(with(&by_part, other), "c");
    erase("c");
    assert_string_equal(with(&by_part, other), "");
    assert_int_equal(value_count(&by_part), 1);
}

static void test_refuse_when_full(void **state)
{
    struct km_store_change change;

    (void)state;
    start();
    for (int i = 0; i < SLOTS; i++)
        assert_int_equal(put((char[]){(char)('a' + i), '\0'}, "v"), KM_CACHE_ADDED);
    assert_true(km_store_complete(&store));
    assert_false(km_store_has_room(&store));
    assert_int_equal(put("f", "v"), KM_ERR_FULL);
    assert_int_equal(put("e", "w"), KM_CACHE_UPDATED);
    assert_false(km_store_complete(&store));
    assert_false(km_store_has_room(&store));
    erase("a");
    assert_true(km_store_has_room(&store));

    /* The list has as many objects as there are slots, but one that is to go stands in the way of the
       last. */
    km_store_replace_begin(&store);
    assert_false(km_store_has_room(&store));
    for (int i = 2; i < SLOTS + 2; i++)
        assert_int_equal(put((char[]){(char)('a' + i), '\0'}, "v"),
                         i < SLOTS + 1 ? (i < SLOTS ? KM_CACHE_UPDATED : KM_CACHE_ADDED)
                                       : KM_ERR_FULL);
    while (km_store_sweep(&store, &change) == KM_OK)
        assert_true(km_slice_eq_str(change.key, "b"));
    assert_false(km_store_complete(&store));
    assert_true(km_store_has_room(&store));
    km_store_replace_begin(&store);
    for (int i = 2; i < SLOTS + 2; i++)
        put((char[]){(char)('a' + i), '\0'}, "v");
    assert_int_equal(km_store_sweep(&store, &change), KM_AGAIN);
    assert_true(km_store_complete(&store));
    assert_false(km_store_has_room(&store));
    assert_string_equal(all(&store), "c d e f g");
}

static void test_keep_what_is_preferred(void **state)
{
    struct km_store_change change;

    (void)state;
    start();
    for (int i = 0; i < SLOTS; i++)
        assert_int_equal(put_ranked(&ranked, (char[]){(char)('a' + i), '\0'}, "", 10 + i, &change),
                         KM_CACHE_ADDED);
    assert_int_equal(put_ranked(&ranked, "x", "", 10, &change), KM_ERR_FULL);
    assert_int_equal(put_ranked(&ranked, "x", "", 20, &change), KM_STORE_EVICTED);
    assert_true(km_slice_eq_str(change.key, "a"));
    assert_int_equal(((const struct record *)change.old)->rank, 10);
    assert_null(change.now);
    assert_int_equal(km_store_put(&ranked, s("x"), &change), KM_CACHE_ADDED);
    assert_int_equal(((const struct record *)change.now)->rank, 20);
    assert_null(change.old);
    /* The worst one becomes better, another one worse. */
    put_ranked(&ranked, "b", "", 30, &change);
    assert_int_equal(put_ranked(&ranked, "y", "", 12, &change), KM_ERR_FULL);
    put_ranked(&ranked, "e", "", 5, &change);
    assert_int_equal(put_ranked(&ranked, "y", "", 6, &change), KM_STORE_EVICTED);
    assert_true(km_slice_eq_str(change.key, "e"));
    assert_int_equal(km_store_put(&ranked, s("y"), &change), KM_CACHE_ADDED);
    assert_string_equal(all(&ranked), "b c d x y");
    assert_false(km_store_complete(&ranked));
    assert_false(km_store_has_room(&ranked));
    assert_int_equal(km_store_delete(&ranked, s("y"), &change), KM_OK);
    assert_true(km_store_has_room(&ranked));
    put_ranked(&ranked, "z", "", 1, &change);
    assert_int_equal(put_ranked(&ranked, "y", "", 6, &change), KM_STORE_EVICTED);
    assert_true(km_slice_eq_str(change.key, "z"));
}

static void test_keys(void **state)
{
    char name[255], ns[64], joined[KM_KEY_SIZE];
    struct km_slice key, a, b;

    (void)state;
    memset(name, 'n', 253);
    name[253] = '\0';
    memset(ns, 's', 63);
    ns[63] = '\0';
    assert_int_equal(km_key_join(s(ns), s(name), joined, sizeof joined, &key), KM_OK);
    assert_int_equal((int)key.len, 63 + 1 + 253);
    assert_int_equal(km_key_split(key, &a, &b), KM_OK);
    assert_true(km_slice_eq_str(a, ns) && km_slice_eq_str(b, name));
    assert_int_equal(km_key_join(s(""), s(name), joined, sizeof joined, &key), KM_OK);
    assert_int_equal(km_key_split(key, &a, &b), KM_OK);
    assert_true(a.len == 0 && km_slice_eq_str(b, name));
    assert_int_equal(km_key_join(s("a"), s("b"), joined, 3, &key), KM_ERR_TOO_LONG);
    assert_int_equal((int)key.len, 0);
    assert_int_equal(km_key_join(s("a"), s("b"), joined, 4, &key), KM_OK);
    assert_true(km_slice_eq_str(key, "a/b"));
    assert_int_equal(km_key_split(s("a/b/c"), &a, &b), KM_ERR_SYNTAX);
    assert_int_equal(km_key_split(s("a//c"), &a, &b), KM_ERR_SYNTAX);
    assert_int_equal(km_key_split(s(""), &a, &b), KM_OK);
    assert_true(a.len == 0 && b.len == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestCache),
        cmocka_unit_test(TestIndex),
        cmocka_unit_test(TestGetIndexFuncValues),
        cmocka_unit_test(TestMultiIndexKeys),
        cmocka_unit_test(TestThreadSafeStoreDeleteRemovesEmptySetsFromIndex),
        cmocka_unit_test(TestThreadSafeStoreAddKeepsNonEmptySetPostDeleteFromIndex),
        cmocka_unit_test(TestThreadSafeStoreIndexingFunctionsWithMultipleValues),
        cmocka_unit_test(TestThreadSafeStoreRV),
        cmocka_unit_test(test_namespace_index),
        cmocka_unit_test(test_indexes_that_are_refused),
        cmocka_unit_test(test_values_beyond_the_bound),
        cmocka_unit_test(test_changes_during_a_walk),
        cmocka_unit_test(test_values_of_one_hash),
        cmocka_unit_test(test_refuse_when_full),
        cmocka_unit_test(test_keep_what_is_preferred),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
