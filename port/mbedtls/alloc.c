/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "alloc_priv.h"
#include "arena_priv.h"

static struct km_pool slot_pool = {.name = "tls_slots", .size = CONFIG_KM_CONN_COUNT};
static struct km_pool arena_pool = {.name = "tls_arena_bytes", .size = CONFIG_KM_TLS_ARENA_BYTES};
static uint32_t refused;

static void register_pools(void)
{
    static bool registered;

    if (registered)
        return;
    registered = true;
    km_pool_register(&slot_pool);
    km_pool_register(&arena_pool);
}

uint32_t km_tls_alloc_refused(void)
{
    return refused;
}

static void count_refused(struct km_pool *pool)
{
    km_pool_refuse(pool);
    refused++;
}

#ifdef CONFIG_KM_LIBC_HEAP

#include <malloc.h>
#include <stdlib.h>

/* Checkers see only libc's heap, so everything stands there; the sizes are counted all the same. */

static bool is_record(size_t size)
{
    return size >= 16384 && size <= 2 * KM_TLS_IN_SLOT_BYTES;
}

void *km_tls_calloc(size_t count, size_t size)
{
    void *block;

    register_pools();
    km_port_seal_pass(1);
    block = calloc(count, size);
    km_port_seal_pass(-1);
    if (block == NULL) {
        count_refused(&arena_pool);
    } else if (is_record(malloc_usable_size(block))) {
        km_pool_take(&slot_pool, 1);
    } else {
        km_pool_take(&arena_pool, (uint32_t)malloc_usable_size(block));
    }
    return block;
}

void km_tls_free(void *block)
{
    if (block == NULL)
        return;
    if (is_record(malloc_usable_size(block))) {
        km_pool_give(&slot_pool, 1);
    } else {
        km_pool_give(&arena_pool, (uint32_t)malloc_usable_size(block));
    }
    km_port_seal_pass(1);
    free(block);
    km_port_seal_pass(-1);
}

void km_tls_alloc_stats(struct km_tls_stats *out)
{
    out->arena_top = arena_pool.max;
    out->arena_size = arena_pool.size;
    out->arena_used = arena_pool.used;
    out->arena_max = arena_pool.max;
    out->slot_bytes = KM_TLS_IN_SLOT_BYTES + KM_TLS_OUT_SLOT_BYTES;
    out->slots_used = slot_pool.used;
    out->slots_max = slot_pool.max;
    out->refused = refused;
}

uint32_t km_tls_alloc_largest(void)
{
    return UINT32_MAX;
}

#else

/* Slots of one size. `fresh` ones were never handed out: they are zero, and stay untouched beyond what records fill. */
struct slots {
    uint8_t *data;
    uint32_t size;
    uint8_t used, fresh; /* bits */
};

_Static_assert(CONFIG_KM_CONN_COUNT <= 8, "slots are counted in the bits of a byte");
_Static_assert(CONFIG_KM_TLS_OUT_BYTES < 16384, "the slot sizes must differ");

#define ALL_SLOTS ((uint8_t)((1u << CONFIG_KM_CONN_COUNT) - 1u))

static _Alignas(16) uint8_t in_data[CONFIG_KM_CONN_COUNT * KM_TLS_IN_SLOT_BYTES] KM_POOL_STORAGE(
    tls_in_slots);
static _Alignas(16) uint8_t out_data[CONFIG_KM_CONN_COUNT * KM_TLS_OUT_SLOT_BYTES] KM_POOL_STORAGE(
    tls_out_slots);
static _Alignas(16) uint8_t arena_data[CONFIG_KM_TLS_ARENA_BYTES & ~7u] KM_POOL_STORAGE(tls_arena);

static struct slots in_slots = {.data = in_data, .size = KM_TLS_IN_SLOT_BYTES, .fresh = ALL_SLOTS};
static struct slots out_slots = {
    .data = out_data, .size = KM_TLS_OUT_SLOT_BYTES, .fresh = ALL_SLOTS};
static struct km_arena arena;

static void *take_slot(struct slots *slots, size_t size)
{
    for (unsigned i = 0; i < CONFIG_KM_CONN_COUNT; i++) {
        uint8_t *slot = slots->data + (size_t)i * slots->size;

        if ((slots->used & (1u << i)) != 0)
            continue;
        if ((slots->fresh & (1u << i)) == 0)
            memset(slot, 0, size);
        slots->fresh &= (uint8_t)~(1u << i);
        slots->used |= (uint8_t)(1u << i);
        return slot;
    }
    return NULL;
}

static bool give_slot(struct slots *slots, const uint8_t *block)
{
    size_t offset = (size_t)((uintptr_t)block - (uintptr_t)slots->data);

    if (offset >= (size_t)slots->size * CONFIG_KM_CONN_COUNT)
        return false;
    slots->used &= (uint8_t)~(1u << (offset / slots->size));
    return true;
}

static void *take_arena(size_t size)
{
    uint32_t before;
    void *block;

    if (arena.data == NULL)
        km_arena_init(&arena, arena_data, sizeof arena_data);
    before = arena.used;
    block = km_arena_take(&arena, size);
    if (block == NULL)
        return NULL;
    km_pool_take(&arena_pool, arena.used - before);
    memset(block, 0, size);
    return block;
}

void *km_tls_calloc(size_t count, size_t size)
{
    size_t total;
    void *block = NULL;

    register_pools();
    if (__builtin_mul_overflow(count, size, &total)) {
        count_refused(&arena_pool);
        return NULL;
    }
    if (total >= 16384 && total <= KM_TLS_IN_SLOT_BYTES) {
        block = take_slot(&in_slots, total);
        if (block != NULL)
            km_pool_take(&slot_pool, 1);
        else
            count_refused(&slot_pool);
        return block;
    }
    if (total >= CONFIG_KM_TLS_OUT_BYTES && total <= KM_TLS_OUT_SLOT_BYTES)
        block = take_slot(&out_slots, total);
    if (block == NULL)
        block = take_arena(total);
    if (block == NULL)
        count_refused(&arena_pool);
    return block;
}

void km_tls_free(void *block)
{
    uint32_t before = arena.used;

    if (block == NULL)
        return;
    if (give_slot(&in_slots, block)) {
        km_pool_give(&slot_pool, 1);
        return;
    }
    if (give_slot(&out_slots, block))
        return;
    km_arena_give(&arena, block);
    km_pool_give(&arena_pool, before - arena.used);
}

void km_tls_alloc_stats(struct km_tls_stats *out)
{
    out->arena_size = sizeof arena_data;
    out->arena_used = arena.used;
    out->arena_max = arena.max;
    out->arena_top = arena.top;
    out->slot_bytes = KM_TLS_IN_SLOT_BYTES + KM_TLS_OUT_SLOT_BYTES;
    out->slots_used = slot_pool.used;
    out->slots_max = slot_pool.max;
    out->refused = refused;
}

uint32_t km_tls_alloc_largest(void)
{
    return arena.data == NULL ? sizeof arena_data : km_arena_largest(&arena);
}

#endif
