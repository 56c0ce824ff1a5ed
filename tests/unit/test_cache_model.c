/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdio.h>
#include <string.h>

#include "kubemote/km_cache.h"

#define SLOTS 11
#define KEYS 17
#define KEY_SIZE 12
#define FREE UINT16_MAX

struct record {
    uint32_t value;
    char text[13];
};

KM_CACHE_DEFINE(things, struct record, SLOTS, KEY_SIZE);

/* The naive reference: one entry per possible key. */
static struct {
    uint16_t slot[KEYS];
    uint32_t value[KEYS], round[KEYS], now;
    uint32_t used, max, refused;
    bool replacing;
} model;
static uint32_t stamp;

static struct km_slice key_of(int i)
{
    static char text[4][KEY_SIZE];
    static unsigned turn;
    char *out = text[turn++ % 4];

    (void)snprintf(out, KEY_SIZE, "%.*s%d", i % 5, "nnnnn", i);
    return km_slice_of(out);
}

static void reset(uint32_t seed)
{
    km_cache_init(&things, seed);
    memset(&model, 0, sizeof model);
    for (int i = 0; i < KEYS; i++)
        model.slot[i] = FREE;
    model.max = things.pool.max;
    model.refused = things.pool.refused;
}

static void step_commit(int i)
{
    struct record *record = km_cache_spare(&things);
    const void *old = &stamp;
    uint16_t slot = FREE;
    int result;

    record->value = ++stamp;
    result = km_cache_commit(&things, key_of(i), &slot, &old);
    if (model.slot[i] != FREE) {
        assert_int_equal(result, KM_CACHE_UPDATED);
        assert_int_equal(slot, model.slot[i]);
        assert_int_equal(((const struct record *)old)->value, model.value[i]);
    } else if (model.used == SLOTS) {
        assert_int_equal(result, KM_ERR_FULL);
        model.refused++;
        return;
    } else {
        assert_int_equal(result, KM_CACHE_ADDED);
        assert_null(old);
        for (int j = 0; j < KEYS; j++)
            assert_true(model.slot[j] != slot);
        model.slot[i] = slot;
        model.used++;
        model.max = model.used > model.max ? model.used : model.max;
    }
    model.value[i] = stamp;
    model.round[i] = model.now;
}

static void step_remove(int i)
{
    const void *old = NULL;
    uint16_t slot = FREE;
    int result = km_cache_remove(&things, key_of(i), &slot, &old);

    if (model.slot[i] == FREE) {
        assert_int_equal(result, KM_ERR_NOT_FOUND);
        return;
    }
    assert_int_equal(result, KM_OK);
    assert_int_equal(slot, model.slot[i]);
    assert_int_equal(((const struct record *)old)->value, model.value[i]);
    model.slot[i] = FREE;
    model.used--;
}

static int stale_keys(void)
{
    int count = 0;

    for (int i = 0; i < KEYS; i++)
        count += model.replacing && model.slot[i] != FREE && model.round[i] != model.now;
    return count;
}

static void step_sweep(void)
{
    const void *old = NULL;
    struct km_slice key;
    uint16_t slot = FREE;
    int stale = stale_keys();
    int result = km_cache_sweep(&things, &slot, &key, &old);

    if (stale == 0) {
        assert_int_equal(result, KM_AGAIN);
        model.replacing = false;
        return;
    }
    assert_int_equal(result, KM_OK);
    for (int i = 0; i < KEYS; i++) {
        if (model.slot[i] != slot)
            continue;
        assert_true(km_slice_eq(key, key_of(i)));
        assert_true(model.round[i] != model.now);
        assert_int_equal(((const struct record *)old)->value, model.value[i]);
        model.slot[i] = FREE;
        model.used--;
    }
    assert_int_equal(stale_keys(), stale - 1);
}

static void check_all(void)
{
    uint16_t slot = 0, seen = 0;

    for (int i = 0; i < KEYS; i++) {
        uint16_t at = FREE;
        int result = km_cache_find(&things, key_of(i), &at);

        assert_int_equal(result, model.slot[i] == FREE ? KM_ERR_NOT_FOUND : KM_OK);
        if (result != KM_OK)
            continue;
        assert_int_equal(at, model.slot[i]);
        assert_true(km_slice_eq(km_cache_key(&things, at), key_of(i)));
        assert_int_equal(km_cache_key(&things, at).ptr[key_of(i).len], '\0');
        assert_int_equal(((const struct record *)km_cache_get(&things, at))->value, model.value[i]);
    }
    for (uint16_t from = 0; km_cache_next(&things, from, &slot) == KM_OK;
         from = (uint16_t)(slot + 1))
        seen++;
    assert_int_equal(seen, model.used);
    assert_int_equal(km_cache_count(&things), model.used);
    assert_int_equal(things.pool.used, model.used);
    assert_int_equal(things.pool.max, model.max);
    assert_int_equal(things.pool.refused, model.refused);
}

/* Every record belongs to one slot or is the spare: none is lost or shown twice. */
static void check_records(void)
{
    bool seen[SLOTS + 1] = {false};

    seen[things.spare] = true;
    for (int i = 0; i < SLOTS; i++) {
        assert_false(seen[things.slots[i].record]);
        seen[things.slots[i].record] = true;
    }
}

static void test_random_operations_against_a_model(void **state)
{
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 42);
    for (uint32_t life = 0; life < 25; life++) {
        reset(life * 7919u);
        for (int step = 0; step < 500; step++) {
            int i = (int)(km_rng_u32(&rng) % KEYS);
            uint32_t what = km_rng_u32(&rng) % 100;

            if (what < 50) {
                step_commit(i);
            } else if (what < 75) {
                step_remove(i);
            } else if (what < 95) {
                step_sweep();
            } else {
                km_cache_replace_begin(&things);
                model.now++;
                model.replacing = true;
            }
            check_all();
            check_records();
        }
    }
}

static void test_key_bounds(void **state)
{
    uint16_t slot = 5;
    const void *old;

    (void)state;
    reset(1);
    assert_int_equal(km_cache_commit(&things, km_slice_of(""), &slot, &old), KM_ERR_ARG);
    assert_int_equal(km_cache_commit(&things, km_slice_of("123456789012"), &slot, &old),
                     KM_ERR_TOO_LONG);
    assert_int_equal(km_cache_find(&things, km_slice_of("123456789012"), &slot), KM_ERR_NOT_FOUND);
    assert_int_equal(km_cache_find(&things, km_slice_of(""), &slot), KM_ERR_NOT_FOUND);
    assert_int_equal(slot, 5);
    assert_int_equal(km_cache_commit(&things, km_slice_of("12345678901"), &slot, &old),
                     KM_CACHE_ADDED);
    assert_true(km_slice_eq_str(km_cache_key(&things, slot), "12345678901"));
    assert_null(km_cache_get(&things, SLOTS));
    assert_null(km_cache_get(&things, (uint16_t)(slot + 1)));
    assert_int_equal((int)km_cache_key(&things, UINT16_MAX).len, 0);
    assert_int_equal(km_cache_count(&things), 1);
}

static void add(const char *key)
{
    uint16_t slot;
    const void *old;

    assert_true(km_cache_commit(&things, km_slice_of(key), &slot, &old) > 0);
}

static void test_replace_keeps_what_the_list_held(void **state)
{
    uint16_t slot, c_slot;
    struct km_slice key;
    const void *old;

    (void)state;
    reset(9);
    add("a");
    add("b");
    add("c");
    assert_int_equal(km_cache_find(&things, km_slice_of("c"), &c_slot), KM_OK);
    assert_int_equal(km_cache_sweep(&things, &slot, &key, &old), KM_AGAIN); /* no replace begun */

    km_cache_replace_begin(&things);
    add("a"); /* the link breaks here: nothing was lost */
    assert_int_equal(km_cache_count(&things), 3);
    km_cache_replace_begin(&things);
    add("c");
    add("d");
    assert_int_equal(km_cache_sweep(&things, &slot, &key, &old), KM_OK);
    assert_true(km_slice_eq_str(key, "a"));
    assert_null(km_cache_get(&things, slot));
    add("e"); /* a watch event between two steps of the sweep */
    assert_int_equal(km_cache_sweep(&things, &slot, &key, &old), KM_OK);
    assert_true(km_slice_eq_str(key, "b"));
    assert_int_equal(km_cache_sweep(&things, &slot, &key, &old), KM_AGAIN);
    assert_int_equal(km_cache_sweep(&things, &slot, &key, &old), KM_AGAIN);
    assert_int_equal(km_cache_count(&things), 3);
    assert_int_equal(km_cache_find(&things, km_slice_of("c"), &slot), KM_OK);
    assert_int_equal(slot, c_slot);
}

/* A slot number that a queue may still hold should not name another object at once. */
static void test_numbers_come_back_late(void **state)
{
    uint16_t first, slot;
    const void *old;

    (void)state;
    reset(3);
    assert_int_equal(km_cache_commit(&things, km_slice_of("gone"), &first, &old), KM_CACHE_ADDED);
    assert_int_equal(km_cache_remove(&things, km_slice_of("gone"), &slot, &old), KM_OK);
    for (int i = 0; i < SLOTS - 1; i++) {
        assert_int_equal(km_cache_commit(&things, key_of(i), &slot, &old), KM_CACHE_ADDED);
        assert_true(slot != first);
    }
    assert_int_equal(km_cache_commit(&things, key_of(SLOTS), &slot, &old), KM_CACHE_ADDED);
    assert_int_equal(slot, first);
}

static void test_a_removed_record_stays_readable_until_the_next_spare(void **state)
{
    struct record *record;
    const struct record *read;
    const void *old;
    uint16_t slot;

    (void)state;
    reset(3);
    record = km_cache_spare(&things);
    record->value = 1001;
    add("a");
    assert_int_equal(km_cache_remove(&things, km_slice_of("a"), &slot, &old), KM_OK);
    read = old;
    assert_int_equal(read->value, 1001);
    assert_true((const void *)read != km_cache_spare(&things));
}

KM_CACHE_DEFINE(one, uint8_t, 1, 2);

static void test_smallest_cache(void **state)
{
    uint16_t slot;
    const void *old;

    (void)state;
    km_cache_init(&one, 0);
    for (int i = 0; i < 300; i++) {
        char key[2] = {(char)('a' + i % 26), '\0'};
        char other[2] = {(char)('a' + (i + 1) % 26), '\0'};

        *(uint8_t *)km_cache_spare(&one) = (uint8_t)i;
        assert_int_equal(km_cache_commit(&one, km_slice_of(key), &slot, &old), KM_CACHE_ADDED);
        assert_int_equal(km_cache_commit(&one, km_slice_of(other), &slot, &old), KM_ERR_FULL);
        assert_int_equal(*(const uint8_t *)km_cache_get(&one, 0), (uint8_t)i);
        assert_int_equal(km_cache_remove(&one, km_slice_of(key), &slot, &old), KM_OK);
    }
}

KM_CACHE_DEFINE(many, uint32_t, 1000, 8);

/* Full of keys, emptied in another order: the runs of the table must stay findable through every
   removal. */
static void test_many(void **state)
{
    uint16_t slot;
    const void *old;

    (void)state;
    km_cache_init(&many, 77);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1000; i++) {
            char key[8];

            (void)snprintf(key, sizeof key, "%u", (unsigned)i);
            *(uint32_t *)km_cache_spare(&many) = i;
            assert_int_equal(km_cache_commit(&many, km_slice_of(key), &slot, &old), KM_CACHE_ADDED);
        }
        for (uint32_t n = 0; n < 1000; n++) {
            char key[8];
            uint32_t i = n * 389u % 1000u;

            (void)snprintf(key, sizeof key, "%u", (unsigned)i);
            assert_int_equal(km_cache_find(&many, km_slice_of(key), &slot), KM_OK);
            assert_int_equal(*(const uint32_t *)km_cache_get(&many, slot), i);
            assert_int_equal(km_cache_remove(&many, km_slice_of(key), &slot, &old), KM_OK);
        }
        for (uint32_t i = 0; i < many.table_size; i++)
            assert_int_equal(many.table[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations_against_a_model),
        cmocka_unit_test(test_key_bounds),
        cmocka_unit_test(test_replace_keeps_what_the_list_held),
        cmocka_unit_test(test_numbers_come_back_late),
        cmocka_unit_test(test_a_removed_record_stays_readable_until_the_next_spare),
        cmocka_unit_test(test_smallest_cache),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
