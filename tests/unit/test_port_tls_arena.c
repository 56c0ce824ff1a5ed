/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include "kubemote/km_base.h"
#include "port/mbedtls/arena_priv.h"

#define SIZE 8192u
#define BLOCKS 64

static _Alignas(16) uint8_t memory[SIZE];
static struct km_arena arena;

struct model {
    uint8_t *at;
    size_t size;
    uint8_t fill;
};

static struct model blocks[BLOCKS];

static bool intact(const struct model *block)
{
    for (size_t i = 0; i < block->size; i++) {
        if (block->at[i] != block->fill)
            return false;
    }
    return true;
}

static bool apart(const uint8_t *at, size_t size)
{
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].at != NULL && at < blocks[i].at + blocks[i].size && blocks[i].at < at + size)
            return false;
    }
    return at >= memory && at + size <= memory + SIZE && (uintptr_t)at % 8 == 0;
}

static size_t some_size(struct km_rng *rng)
{
    switch (km_rng_range(rng, 0, 4)) {
    case 0:
        return (size_t)km_rng_range(rng, 0, 24);
    case 1:
        return (size_t)km_rng_range(rng, 0, 200);
    case 2:
        return (size_t)km_rng_range(rng, 200, 1500);
    default:
        return (size_t)km_rng_range(rng, 0, SIZE);
    }
}

/* Random takes and gives against a list of what is out: nothing overlaps, nothing is overwritten, all comes back. */
static void test_model(void **state)
{
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 11);
    km_arena_init(&arena, memory, SIZE);
    for (int step = 0; step < 30000; step++) {
        struct model *block = &blocks[km_rng_range(&rng, 0, BLOCKS)];

        if (block->at != NULL) {
            assert_true(intact(block));
            km_arena_give(&arena, block->at);
            block->at = NULL;
        } else {
            size_t size = some_size(&rng);
            uint32_t largest = km_arena_largest(&arena);
            uint8_t *at = km_arena_take(&arena, size);

            assert_true((at != NULL) == (size <= largest && largest > 0));
            if (at != NULL) {
                assert_true(apart(at, size));
                block->at = at;
                block->size = size;
                block->fill = (uint8_t)step;
                memset(at, block->fill, size);
            }
        }
        assert_true(km_arena_check(&arena));
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (blocks[i].at != NULL)
            km_arena_give(&arena, blocks[i].at);
        blocks[i].at = NULL;
    }
    assert_true(km_arena_check(&arena));
    assert_int_equal(arena.used, 0);
    assert_int_equal(km_arena_largest(&arena), SIZE - 8);
    assert_true(arena.top <= SIZE && arena.max <= arena.top);
}

/* The best fit leaves the large rest alone, and nothing beyond the highest block is touched. */
static void test_low_and_untouched(void **state)
{
    void *a, *b, *c;

    (void)state;
    memset(memory, 0xee, SIZE);
    km_arena_init(&arena, memory, SIZE);
    a = km_arena_take(&arena, 100);
    b = km_arena_take(&arena, 40);
    c = km_arena_take(&arena, 40);
    km_arena_give(&arena, a);
    assert_true(km_arena_take(&arena, 90) == a);
    km_arena_give(&arena, b);
    assert_true(km_arena_take(&arena, 40) == b);
    assert_true((uint8_t *)c < memory + 400);
    assert_true(arena.top < 400);
    for (size_t i = arena.top + 16; i < SIZE; i++)
        assert_int_equal(memory[i], 0xee);
}

/* The smallest block that fits is taken, whatever was freed last. */
static void test_best_fit(void **state)
{
    void *large, *small;

    (void)state;
    km_arena_init(&arena, memory, SIZE);
    large = km_arena_take(&arena, 100);
    assert_non_null(km_arena_take(&arena, 8));
    small = km_arena_take(&arena, 40);
    assert_non_null(km_arena_take(&arena, 8));
    km_arena_give(&arena, small);
    km_arena_give(&arena, large);
    assert_true(km_arena_take(&arena, 40) == small);
}

static void test_full_and_empty(void **state)
{
    void *all;

    (void)state;
    km_arena_init(&arena, memory, 32);
    assert_null(km_arena_take(&arena, 25));
    assert_null(km_arena_take(&arena, SIZE_MAX));
    all = km_arena_take(&arena, 24);
    assert_non_null(all);
    assert_null(km_arena_take(&arena, 0));
    assert_int_equal(km_arena_largest(&arena), 0);
    km_arena_give(&arena, all);
    assert_int_equal(arena.used, 0);
    assert_int_equal(arena.max, 32);
    assert_true(km_arena_check(&arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model), cmocka_unit_test(test_low_and_untouched),
        cmocka_unit_test(test_best_fit), cmocka_unit_test(test_full_and_empty)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
