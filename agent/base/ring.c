/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_base.h"

bool km_bit_get(const uint32_t *words, uint32_t index)
{
    return (words[index / 32u] >> (index % 32u) & 1u) != 0;
}

void km_bit_set(uint32_t *words, uint32_t index)
{
    words[index / 32u] |= UINT32_C(1) << (index % 32u);
}

void km_bit_clear(uint32_t *words, uint32_t index)
{
    words[index / 32u] &= ~(UINT32_C(1) << (index % 32u));
}

void km_ring_init(struct km_ring *ring, uint16_t *items, uint16_t size)
{
    ring->items = items;
    ring->size = size;
    ring->head = 0;
    ring->count = 0;
}

int km_ring_put(struct km_ring *ring, uint16_t item)
{
    uint32_t at;

    if (ring->count >= ring->size)
        return KM_ERR_FULL;
    at = (uint32_t)ring->head + ring->count;
    ring->items[at >= ring->size ? at - ring->size : at] = item;
    ring->count++;
    return KM_OK;
}

int km_ring_take(struct km_ring *ring, uint16_t *item)
{
    if (ring->count == 0)
        return KM_AGAIN;
    *item = ring->items[ring->head];
    ring->head = (uint16_t)(ring->head + 1u == ring->size ? 0u : ring->head + 1u);
    ring->count--;
    return KM_OK;
}
