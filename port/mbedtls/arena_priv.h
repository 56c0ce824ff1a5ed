/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small general allocator over one static region: best fit, neighbours merge when they are free, 8 bytes of head per
 * block, 8-byte alignment. Low addresses are preferred, and memory is not touched before it is handed out.
 */
#ifndef KM_ARENA_PRIV_H
#define KM_ARENA_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct km_arena {
    uint8_t *data;
    uint32_t size;
    uint32_t free_list; /* offset of the first free block */
    uint32_t used, max; /* bytes with heads */
    uint32_t top;       /* end of the highest block ever handed out */
};

/* data: 8-byte aligned, size: a multiple of 8 from 32 to 2^31. */
void km_arena_init(struct km_arena *arena, void *data, uint32_t size);
/* Not zeroed. NULL when no free block is large enough. A size of 0 gives a block of its own. */
void *km_arena_take(struct km_arena *arena, size_t size);
/* block: from km_arena_take, once. What was not handed out stops the program: memory is corrupt. */
void km_arena_give(struct km_arena *arena, void *block);
/* The largest size that km_arena_take would serve now. */
uint32_t km_arena_largest(const struct km_arena *arena);
/* Walks all blocks and the free list: true when every invariant holds. For tests. */
bool km_arena_check(const struct km_arena *arena);

#endif
