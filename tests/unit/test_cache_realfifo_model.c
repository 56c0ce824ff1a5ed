/* SPDX-License-Identifier: Apache-2.0 */
/* Random operations, and all short strings of them, against a queue written for clearness. */
#include "km_test.h"

#define KM_MODEL_CHECK(holds) assert_true(holds)
#include "tests/unit/test_cache_realfifo_model.h"
#include "tests/unit/test_cache_ops.h"

static void test_random_operations_against_a_model(void **state)
{
    unsigned long ops = model_ops();
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 611);
    for (unsigned long i = 0; i < ops; i++) {
        uint32_t dice = km_rng_u32(&rng);

        if (i % 200 == 0)
            real_start(i / 200 % 2 == 1);
        real_step(km_rng_u32(&rng) % 100, (int)(dice % FIFO_KEYS), dice >> 16);
        real_compare();
    }
}

/* The queue is nearly full; all strings of four of 16 operations go on from there. */
static void test_every_short_string(void **state)
{
    static const struct {
        uint8_t what, key, flags;
    } ops[16] = {
        {0, 0, 0},  {20, 0, 0}, {20, 1, 0}, {30, 0, 0}, {30, 1, 3}, {0, 4, 0},
        {50, 0, 0}, {62, 0, 0}, {70, 0, 0}, {75, 0, 0}, {75, 2, 0}, {85, 0, 0},
        {85, 0, 0}, {90, 0, 0}, {92, 0, 0}, {96, 0, 0},
    };

    (void)state;
    for (uint32_t code = 0; code < 1u << 17; code++) {
        real_start((code >> 16) != 0);
        real_step(70, 0, 0);
        for (int key = 0; key < 3; key++)
            real_step(75, key, 0);
        real_step(85, 0, 0);
        for (int i = 0; i < 4; i++)
            real_step(20, i % 2, 0);
        for (unsigned i = 0; i < 4; i++) {
            unsigned op = code >> (4 * i) & 15u;

            real_step(ops[op].what, ops[op].key, ops[op].flags);
        }
        real_compare();
        while (real.count > 0)
            real_step(50, 0, 0);
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
