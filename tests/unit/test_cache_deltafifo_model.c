/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations, and all short strings of them, against a queue written for clearness. */
#include "km_test.h"

#define KM_MODEL_CHECK(holds) assert_true(holds)
#include "tests/unit/test_cache_deltafifo_model.h"
#include "tests/unit/test_cache_ops.h"

static void test_random_operations_against_a_model(void **state)
{
    unsigned long ops = model_ops();
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 612);
    for (unsigned long i = 0; i < ops; i++) {
        uint32_t dice = km_rng_u32(&rng);

        if (i % 200 == 0)
            delta_start(i / 200 % 2 == 1);
        delta_step(km_rng_u32(&rng) % 100, (int)(dice % FIFO_KEYS), dice >> 16);
        delta_compare();
    }
}

/* The queue is nearly full; all strings of four of 16 operations go on from there. */
static void test_every_short_string(void **state)
{
    static const struct {
        uint8_t what, key, flags;
    } ops[16] = {
        {0, 0, 0},  {20, 0, 0}, {20, 1, 0}, {40, 0, 0}, {40, 1, 3}, {0, 4, 0},
        {50, 0, 0}, {40, 0, 1}, {72, 0, 0}, {80, 0, 0}, {80, 2, 0}, {88, 0, 0},
        {80, 4, 0}, {93, 0, 0}, {96, 0, 0}, {0, 3, 0},
    };

    (void)state;
    for (uint32_t code = 0; code < 1u << 17; code++) {
        delta_start((code >> 16) != 0);
        delta_step(72, 0, 0);
        for (int key = 0; key < 3; key++)
            delta_step(80, key, 0);
        delta_step(88, 0, 0);
        for (int i = 0; i < 4; i++)
            delta_step(20, i % 2, 0);
        for (unsigned i = 0; i < 4; i++) {
            unsigned op = code >> (4 * i) & 15u;

            delta_step(ops[op].what, ops[op].key, ops[op].flags);
        }
        delta_compare();
        while (dm.count > 0)
            delta_step(50, 0, 0);
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
