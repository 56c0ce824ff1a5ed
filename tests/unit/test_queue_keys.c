/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of free keys: its table, what happens when it is full, and random operations against the queue
   over slots. */
#include "km_test.h"

#include "kubemote/km_queue.h"

#define SLOTS 4
#define KEY_SIZE 8

KM_LIMITER_EXPONENTIAL_DEFINE(limiter, SLOTS, 5, 1000);
KM_KEYQUEUE_DEFINE(keys, SLOTS, KEY_SIZE, &limiter.limiter);

static int add(const char *text)
{
    return km_keyqueue_add(&keys, km_slice_of(text));
}

static int after(const char *text, int64_t delay_ms)
{
    return km_keyqueue_add_after(&keys, km_slice_of(text), delay_ms, 0);
}

static void done(const char *text)
{
    km_keyqueue_done(&keys, km_slice_of(text));
}

static void expect(const char *text, int64_t now_ms)
{
    struct km_slice got;

    assert_int_equal(km_keyqueue_get(&keys, &got, now_ms), KM_OK);
    assert_true(km_slice_eq_str(got, text));
}

static void test_one_round(void **state)
{
    struct km_slice got;

    (void)state;
    km_keyqueue_init(&keys, 17);
    assert_int_equal(add("a"), KM_OK);
    assert_int_equal(add("ns/name8"), KM_OK);
    assert_int_equal(add("a"), KM_OK);
    assert_int_equal(km_keyqueue_len(&keys), 2);
    assert_int_equal(keys.pool.used, 2);
    expect("a", 0);
    assert_int_equal(add("a"), KM_OK);
    expect("ns/name8", 0);
    assert_int_equal(km_keyqueue_get(&keys, &got, 0), KM_AGAIN);
    done("a");
    expect("a", 0);
    done("a");
    done("ns/name8");
    done("unknown");
    assert_int_equal(keys.pool.used, 0);
    assert_int_equal(keys.pool.max, 2);
    assert_true(km_keyqueue_next(&keys) == KM_NEVER);
}

static void test_delay_and_failures(void **state)
{
    struct km_slice foo = km_slice_of("foo");

    (void)state;
    km_keyqueue_init(&keys, 17);
    assert_int_equal(after("foo", 20), KM_OK);
    assert_true(km_keyqueue_add_rate_limited(&keys, foo, 0) == 5);
    assert_true(km_keyqueue_add_rate_limited(&keys, foo, 0) == 10);
    assert_int_equal(km_keyqueue_requeues(&keys, foo), 2);
    assert_true(km_keyqueue_next(&keys) == 5);
    km_keyqueue_advance(&keys, 5);
    assert_int_equal(km_keyqueue_len(&keys), 1);
    expect("foo", 5);
    done("foo");
    assert_int_equal(keys.pool.used, 1); /* its failures are remembered */
    km_keyqueue_forget(&keys, foo);
    assert_int_equal(keys.pool.used, 0);
    assert_int_equal(km_keyqueue_requeues(&keys, foo), 0);
    km_keyqueue_forget(&keys, foo);
}

static void test_what_is_no_key(void **state)
{
    (void)state;
    km_keyqueue_init(&keys, 17);
    assert_int_equal(add(""), KM_ERR_ARG);
    assert_int_equal(add("nine char"), KM_ERR_TOO_LONG);
    assert_int_equal(after("nine char", 0), KM_ERR_TOO_LONG);
    assert_true(km_keyqueue_add_rate_limited(&keys, km_slice_of(""), 0) == KM_ERR_ARG);
    assert_int_equal(km_keyqueue_add(&keys, (struct km_slice){"a\0b", 3}), KM_OK);
    assert_int_equal(km_keyqueue_add(&keys, (struct km_slice){"a\0c", 3}), KM_OK);
    assert_int_equal(km_keyqueue_len(&keys), 2);
}

/* The bytes that were handed out name their key, and nothing else once it is gone. */
static void test_handed_out_bytes(void **state)
{
    struct km_slice got;

    (void)state;
    km_keyqueue_init(&keys, 17);
    (void)add("abcdef");
    assert_int_equal(km_keyqueue_get(&keys, &got, 0), KM_OK);
    km_keyqueue_done(&keys, (struct km_slice){got.ptr, 3});
    km_keyqueue_done(&keys, (struct km_slice){got.ptr + 1, 5});
    assert_int_equal(keys.pool.used, 1);
    assert_true(km_keyqueue_add_rate_limited(&keys, got, 0) == 5);
    km_keyqueue_forget(&keys, got);
    km_keyqueue_advance(&keys, 5);
    km_keyqueue_done(&keys, got);
    assert_int_equal(km_keyqueue_get(&keys, &got, 0), KM_OK);
    km_keyqueue_done(&keys, got);
    assert_int_equal(keys.pool.used, 0);
    km_keyqueue_done(&keys, got);
    km_keyqueue_done(&keys, (struct km_slice){got.ptr, 0});
    km_keyqueue_forget(&keys, (struct km_slice){got.ptr, 0});
    assert_int_equal(keys.pool.used, 0);
    assert_int_equal(add("x"), KM_OK);
}

static void test_full(void **state)
{
    (void)state;
    km_keyqueue_init(&keys, 17);
    keys.pool.refused = 0;
    assert_int_equal(add("a"), KM_OK);
    assert_int_equal(add("b"), KM_OK);
    assert_int_equal(after("c", 10), KM_OK);
    expect("a", 0);
    assert_int_equal(after("d", 0), KM_OK);
    assert_int_equal(add("e"), KM_ERR_FULL);
    assert_int_equal(after("e", 1), KM_ERR_FULL);
    assert_true(km_keyqueue_add_rate_limited(&keys, km_slice_of("e"), 0) == KM_ERR_FULL);
    assert_int_equal(keys.pool.refused, 3);
    assert_int_equal(add("c"), KM_OK); /* known keys go on */
    done("a");
    assert_int_equal(add("e"), KM_OK);
    assert_int_equal(add("f"), KM_ERR_FULL);
    expect("b", 0);
    expect("d", 0);
    expect("c", 0);
    expect("e", 0);
    assert_int_equal(add("f"), KM_ERR_FULL);
}

/* Keys of which only failures are known give way, one at a time and in turn. */
static void test_full_of_failures(void **state)
{
    const char *names[] = {"a", "b", "c", "d"};

    (void)state;
    km_keyqueue_init(&keys, 17);
    for (int i = 0; i < SLOTS; i++) {
        (void)km_keyqueue_add_rate_limited(&keys, km_slice_of(names[i]), 0);
        expect(names[i], 5);
        if (i != 1)
            done(names[i]);
    }
    assert_int_equal(add("e"), KM_OK);
    assert_int_equal(km_keyqueue_requeues(&keys, km_slice_of("a")), 0);
    assert_int_equal(km_keyqueue_requeues(&keys, km_slice_of("c")), 1);
    assert_int_equal(add("f"), KM_OK);
    assert_int_equal(km_keyqueue_requeues(&keys, km_slice_of("c")), 0);
    assert_int_equal(add("g"), KM_OK);
    assert_int_equal(add("h"), KM_ERR_FULL);
    assert_int_equal(km_keyqueue_requeues(&keys, km_slice_of("b")), 1); /* it is processed */
    done("b");
    assert_int_equal(add("h"), KM_OK);
    assert_int_equal(keys.pool.used, SLOTS);
}

static void test_shutdown(void **state)
{
    struct km_slice got;

    (void)state;
    km_keyqueue_init(&keys, 17);
    (void)add("a");
    (void)after("b", 10);
    (void)km_keyqueue_add_rate_limited(&keys, km_slice_of("c"), 0);
    expect("a", 0);
    assert_int_equal(km_keyqueue_shutdown_drain(&keys), KM_AGAIN);
    assert_int_equal(keys.pool.used, 2); /* the delayed key is dropped; c has a failure */
    assert_int_equal(add("x"), KM_OK);
    assert_int_equal(after("x", 3), KM_OK);
    assert_int_equal(keys.pool.used, 2);
    assert_true(km_keyqueue_draining(&keys));
    assert_true(km_keyqueue_add_rate_limited(&keys, km_slice_of("c"), 0) == 10);
    assert_int_equal(km_keyqueue_requeues(&keys, km_slice_of("c")), 2); /* still counted */
    km_keyqueue_shutdown(&keys);
    assert_false(km_keyqueue_draining(&keys));
    assert_int_equal(km_keyqueue_get(&keys, &got, 100), KM_EOF);
    done("a");
    assert_int_equal(keys.pool.used, 1);
}

#define MANY 60
KM_LIMITER_EXPONENTIAL_DEFINE(many_limiter, MANY, 5, 1000);
KM_KEYQUEUE_PLACES_DEFINE(many, MANY, MANY + 9, 12, &many_limiter.limiter);
KM_LIMITER_EXPONENTIAL_DEFINE(other_limiter, MANY, 5, 1000);
KM_QUEUE_PLACES_DEFINE(other, MANY, MANY + 9, &other_limiter.limiter);

static struct km_slice name_of(uint16_t slot, char *out)
{
    int len = snprintf(out, 12, "key-%u", slot * 7u);

    return (struct km_slice){out, (size_t)len};
}

/* What get gave and was not done since. */
static struct km_slice handed[MANY];

static void step(struct km_rng *rng, int64_t now)
{
    uint16_t slot = (uint16_t)(km_rng_u32(rng) % MANY), got = 0;
    char text[12], want[12];
    struct km_slice name = name_of(slot, text), out;
    int64_t delay = km_rng_range(rng, -2, 30);
    uint32_t what = km_rng_u32(rng) % 10;
    int result;

    if (what < 2) {
        assert_int_equal(km_keyqueue_add(&many, name), km_queue_add(&other, slot));
    } else if (what < 5) {
        result = km_queue_get(&other, &got, now);
        assert_int_equal(km_keyqueue_get(&many, &out, now), result);
        if (result == KM_OK) {
            assert_true(km_slice_eq(out, name_of(got, want)));
            handed[got] = out;
        }
    } else if (what < 7) {
        km_keyqueue_done(&many, handed[slot].len > 0 ? handed[slot] : name);
        handed[slot].len = 0;
        km_queue_done(&other, slot);
    } else if (what < 8) {
        (void)km_keyqueue_add_after(&many, name, delay, now);
        (void)km_queue_add_after(&other, slot, delay, now);
    } else if (what < 9) {
        assert_true(km_keyqueue_add_rate_limited(&many, name, now) ==
                    km_queue_add_rate_limited(&other, slot, now));
    } else {
        km_keyqueue_forget(&many, name);
        km_queue_forget(&other, slot);
    }
}

/* While the table has room for all keys, the texts make no difference. */
static void test_as_over_slots(void **state)
{
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 5);
    for (uint32_t round = 0; round < 60; round++) {
        memset(handed, 0, sizeof handed);
        km_keyqueue_init(&many, round);
        km_queue_init(&other);
        for (int64_t now = 0; now < 1000; now++) {
            uint32_t used = 0;

            step(&rng, now);
            if (now == 900) {
                assert_int_equal(km_keyqueue_shutdown_drain(&many),
                                 km_queue_shutdown_drain(&other));
            }
            assert_int_equal(km_keyqueue_len(&many), km_queue_len(&other));
            assert_true(km_keyqueue_next(&many) == km_queue_next(&other));
            for (uint16_t i = 0; i < MANY; i++)
                used += km_queue_busy(&other, i) || km_queue_requeues(&other, i) > 0;
            assert_int_equal(many.pool.used, used);
        }
    }
}

#define FEW 5
#define NAMES 12
KM_LIMITER_EXPONENTIAL_DEFINE(few_limiter, FEW, 5, 1000);
KM_KEYQUEUE_DEFINE(few, FEW, 12, &few_limiter.limiter);
KM_LIMITER_EXPONENTIAL_DEFINE(all_limiter, NAMES, 5, 1000);
KM_QUEUE_LIMITED_DEFINE(all, NAMES, &all_limiter.limiter);

static bool is_used(uint16_t i)
{
    return km_queue_busy(&all, i) || km_queue_requeues(&all, i) > 0;
}

/* A new key is refused when each slot is busy, and for no other reason. */
static bool has_room(uint16_t key)
{
    int busy = 0;

    for (uint16_t i = 0; i < NAMES; i++)
        busy += km_queue_busy(&all, i);
    return is_used(key) || busy < FEW;
}

/* At most one key gave its failures up, when another needed its slot. */
static void follow_the_forgotten(bool needed)
{
    char text[12];
    int forgotten = 0;

    for (uint16_t i = 0; i < NAMES; i++) {
        uint16_t left = km_keyqueue_requeues(&few, name_of(i, text));

        if (left == km_queue_requeues(&all, i))
            continue;
        assert_true(needed && left == 0 && !km_queue_busy(&all, i) && forgotten++ == 0);
        km_queue_forget(&all, i);
    }
}

static void step_few(struct km_rng *rng, int64_t now)
{
    uint16_t key = (uint16_t)(km_rng_u32(rng) % NAMES), got = 0, used = 0;
    uint32_t what = km_rng_u32(rng) % 10;
    bool room = has_room(key), was_used = is_used(key), adding = what < 4;
    char text[12], want[12];
    struct km_slice name = name_of(key, text), out;
    int64_t result = KM_OK;

    for (uint16_t i = 0; i < NAMES; i++)
        used = (uint16_t)(used + is_used(i));
    if (what < 2)
        result = km_keyqueue_add(&few, name);
    else if (what < 3)
        result = km_keyqueue_add_after(&few, name, 7, now);
    else if (what < 4)
        result = km_keyqueue_add_rate_limited(&few, name, now);
    if (adding)
        assert_int_equal(result == KM_ERR_FULL, !room);
    if (adding && room) {
        if (what < 2)
            (void)km_queue_add(&all, key);
        else if (what < 3)
            (void)km_queue_add_after(&all, key, 7, now);
        else
            assert_true(km_queue_add_rate_limited(&all, key, now) == result);
    } else if (what < 7 && !adding) {
        result = km_queue_get(&all, &got, now);
        assert_int_equal(km_keyqueue_get(&few, &out, now), result);
        assert_true(result != KM_OK || km_slice_eq(out, name_of(got, want)));
    } else if (what < 9 && !adding) {
        km_keyqueue_done(&few, name);
        km_queue_done(&all, key);
    } else if (!adding) {
        km_keyqueue_forget(&few, name);
        km_queue_forget(&all, key);
    }
    if (adding)
        follow_the_forgotten(!was_used && used == FEW);
}

/* More keys than slots: against a queue that has a slot for each. */
static void test_fewer_slots_than_keys(void **state)
{
    struct km_rng rng;
    char text[12];

    (void)state;
    km_rng_seed(&rng, 6);
    for (uint32_t round = 0; round < 60; round++) {
        km_keyqueue_init(&few, round);
        km_queue_init(&all);
        for (int64_t now = 0; now < 1000; now++) {
            uint32_t used = 0;

            step_few(&rng, now);
            for (uint16_t i = 0; i < NAMES; i++) {
                used += is_used(i);
                assert_int_equal(km_keyqueue_requeues(&few, name_of(i, text)),
                                 km_queue_requeues(&all, i));
            }
            assert_int_equal(few.pool.used, used);
            assert_int_equal(km_keyqueue_len(&few), km_queue_len(&all));
            assert_true(km_keyqueue_next(&few) == km_queue_next(&all));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_round),
        cmocka_unit_test(test_delay_and_failures),
        cmocka_unit_test(test_what_is_no_key),
        cmocka_unit_test(test_handed_out_bytes),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_full_of_failures),
        cmocka_unit_test(test_shutdown),
        cmocka_unit_test(test_as_over_slots),
        cmocka_unit_test(test_fewer_slots_than_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
