/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations, and all short strings of them, against a store written for clearness. */
#include "km_test.h"

#define KM_MODEL_CHECK(holds) assert_true(holds)
#include "tests/unit/test_cache_store_model.h"
#include "tests/unit/test_cache_ops.h"

static void test_random_operations_against_a_model(void **state)
{
    unsigned long ops = model_ops();
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 5150);
    for (unsigned long i = 0; i < ops; i++) {
        uint32_t dice = km_rng_u32(&rng);

        if (i % 1000 == 0)
            store_start(i / 1000 % 2 == 1);
        store_step(km_rng_u32(&rng) % 100, dice & 0xFFFFu, (uint8_t)(dice >> 16),
                   (uint8_t)(dice >> 24));
        /* All of it seldom: what is wrong stays wrong. */
        if (i % 32 == 0)
            store_compare_indexes();
        if (i % 8 == 0)
            store_compare();
    }
}

/* The store is full but for one slot; all strings of four of 16 operations go on from there. */
static void test_every_short_string(void **state)
{
    static const struct {
        uint8_t what, key, rank, tags;
    } ops[16] = {
        {0, 0, 9, 0x02},  {0, 0, 1, 0x06}, {0, 6, 5, 0x04},  {0, 6, 5, 0xF3},
        {0, 7, 12, 0x06}, {0, 8, 3, 0x3F}, {0, 8, 15, 0x01}, {60, 0, 0, 0},
        {60, 6, 0, 0},    {60, 1, 0, 0},   {60, 8, 0, 0},    {80, 0, 0, 0},
        {80, 1, 0, 0},    {95, 0, 0, 0},   {0, 1, 7, 0x02},  {0, 2, 7, 0x01},
    };

    (void)state;
    for (uint32_t code = 0; code < 1u << 17; code++) {
        store_start((code >> 16) != 0);
        for (unsigned key = 0; key < STORE_SLOTS - 1; key++)
            store_step(0, key, (uint8_t)(key + 2), (uint8_t)(1u << key));
        for (unsigned i = 0; i < 4; i++) {
            unsigned op = code >> (4 * i) & 15u;

            store_step(ops[op].what, ops[op].key, ops[op].rank, ops[op].tags);
        }
        store_compare();
        if (code % 16 == code / 16 % 16)
            store_compare_indexes();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations_against_a_model),
        cmocka_unit_test(test_every_short_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
