/* SPDX-License-Identifier: Apache-2.0 */
/* Operation strings of four bytes each on the store with its indexes and on both queues, each beside
   the model of it. The first byte chooses policies. */
#include <stdbool.h>
#include <stdlib.h>

static void check(bool holds);

#define KM_MODEL_CHECK(holds) check(holds)
#include "tests/unit/test_cache_deltafifo_model.h"
#include "tests/unit/test_cache_realfifo_model.h"
#include "tests/unit/test_cache_store_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void run_store(const uint8_t *data, size_t size, bool prefers)
{
    store_start(prefers);
    for (; size >= 4; data += 4, size -= 4)
        store_step(data[0] % 100, data[1], data[2], data[3]);
    store_compare();
    store_compare_indexes();
}

static void run_queues(const uint8_t *data, size_t size, bool option)
{
    real_start(option);
    for (size_t i = 0; i + 4 <= size; i += 4) {
        real_step(data[i] % 100, data[i + 1] % FIFO_KEYS, data[i + 2]);
        real_compare();
    }
    delta_start(option);
    for (size_t i = 0; i + 4 <= size; i += 4) {
        delta_step(data[i] % 100, data[i + 1] % FIFO_KEYS, data[i + 2]);
        delta_compare();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    run_store(data + 1, size - 1, (data[0] & 1) != 0);
    run_queues(data + 1, size - 1, (data[0] & 2) != 0);
    return 0;
}
