/* SPDX-License-Identifier: Apache-2.0 */
#include "arena_priv.h"

#define ALIGN 8u
#define NONE UINT32_MAX
#define USED 1u

/* Blocks lie side by side; `size` counts the head, bit 0 says that it is handed out. */
struct block {
    uint32_t size;
    uint32_t prev_size; /* of the block before, 0 for the first */
};

/* A free block, in a list in no order. */
struct free_block {
    struct block head;
    uint32_t next, prev;
};

#define HEAD ((uint32_t)sizeof(struct block))
#define BLOCK_MIN ((uint32_t)sizeof(struct free_block))

static struct block *block_at(const struct km_arena *arena, uint32_t offset)
{
    return (struct block *)(void *)(arena->data + offset);
}

static struct free_block *free_at(const struct km_arena *arena, uint32_t offset)
{
    return (struct free_block *)(void *)(arena->data + offset);
}

static uint32_t size_of(const struct block *block)
{
    return block->size & ~USED;
}

static void link_free(struct km_arena *arena, uint32_t offset)
{
    struct free_block *block = free_at(arena, offset);

    block->next = arena->free_list;
    block->prev = NONE;
    if (block->next != NONE)
        free_at(arena, block->next)->prev = offset;
    arena->free_list = offset;
}

static void unlink_free(struct km_arena *arena, uint32_t offset)
{
    struct free_block *block = free_at(arena, offset);

    if (block->prev == NONE)
        arena->free_list = block->next;
    else
        free_at(arena, block->prev)->next = block->next;
    if (block->next != NONE)
        free_at(arena, block->next)->prev = block->prev;
}

/* Writes a block's size and tells the block behind it. */
static void set_size(struct km_arena *arena, uint32_t offset, uint32_t size, uint32_t used)
{
    block_at(arena, offset)->size = size | used;
    if (offset + size < arena->size)
        block_at(arena, offset + size)->prev_size = size;
}

void km_arena_init(struct km_arena *arena, void *data, uint32_t size)
{
    *arena = (struct km_arena){.data = data, .size = size, .free_list = NONE};
    block_at(arena, 0)->prev_size = 0;
    set_size(arena, 0, size, 0);
    link_free(arena, 0);
}

/* The smallest block that fits, the lowest among equals: it keeps the large rest at the end whole and untouched. */
static uint32_t find_best(const struct km_arena *arena, uint32_t need)
{
    uint32_t best = NONE, best_size = NONE;

    for (uint32_t at = arena->free_list; at != NONE; at = free_at(arena, at)->next) {
        uint32_t size = size_of(block_at(arena, at));

        if (size >= need && (size < best_size || (size == best_size && at < best))) {
            best = at;
            best_size = size;
        }
    }
    return best;
}

void *km_arena_take(struct km_arena *arena, size_t size)
{
    uint32_t need, at, rest;

    if (size > arena->size)
        return NULL;
    need = ((uint32_t)size + HEAD + ALIGN - 1) & ~(ALIGN - 1);
    if (need < BLOCK_MIN)
        need = BLOCK_MIN;
    at = find_best(arena, need);
    if (at == NONE)
        return NULL;
    unlink_free(arena, at);
    rest = size_of(block_at(arena, at)) - need;
    if (rest >= BLOCK_MIN) {
        block_at(arena, at + need)->prev_size = need;
        set_size(arena, at + need, rest, 0);
        link_free(arena, at + need);
    } else {
        need += rest;
    }
    set_size(arena, at, need, USED);
    arena->used += need;
    if (arena->used > arena->max)
        arena->max = arena->used;
    if (at + need > arena->top)
        arena->top = at + need;
    return arena->data + at + HEAD;
}

/* Whether the block's head and its neighbours agree; a wild or second free does not pass. */
static bool is_sound(const struct km_arena *arena, uint32_t at)
{
    const struct block *block;

    if (at >= arena->size || at % ALIGN != 0)
        return false;
    block = block_at(arena, at);
    if ((block->size & USED) == 0 || size_of(block) < BLOCK_MIN ||
        size_of(block) > arena->size - at || block->prev_size > at)
        return false;
    if (at + size_of(block) < arena->size &&
        block_at(arena, at + size_of(block))->prev_size != size_of(block))
        return false;
    return block->prev_size == 0
               ? at == 0
               : size_of(block_at(arena, at - block->prev_size)) == block->prev_size;
}

void km_arena_give(struct km_arena *arena, void *memory)
{
    uint32_t at = (uint32_t)((uint8_t *)memory - arena->data) - HEAD, size, next, prev_size;

    if (!is_sound(arena, at))
        __builtin_trap();
    size = size_of(block_at(arena, at));
    arena->used -= size;
    next = at + size;
    if (next < arena->size && (block_at(arena, next)->size & USED) == 0) {
        unlink_free(arena, next);
        size += size_of(block_at(arena, next));
    }
    prev_size = block_at(arena, at)->prev_size;
    if (prev_size != 0 && (block_at(arena, at - prev_size)->size & USED) == 0) {
        at -= prev_size;
        unlink_free(arena, at);
        size += prev_size;
    }
    set_size(arena, at, size, 0);
    link_free(arena, at);
}

uint32_t km_arena_largest(const struct km_arena *arena)
{
    uint32_t largest = HEAD;

    for (uint32_t at = arena->free_list; at != NONE; at = free_at(arena, at)->next) {
        if (size_of(block_at(arena, at)) > largest)
            largest = size_of(block_at(arena, at));
    }
    return largest - HEAD;
}

bool km_arena_check(const struct km_arena *arena)
{
    uint32_t prev_size = 0, used = 0, free_count = 0, listed = 0;
    bool prev_free = false;

    for (uint32_t at = 0; at < arena->size;) {
        const struct block *block = block_at(arena, at);
        uint32_t size = size_of(block);
        bool is_free = (block->size & USED) == 0;

        if (size < BLOCK_MIN || size % ALIGN != 0 || size > arena->size - at ||
            block->prev_size != prev_size || (is_free && prev_free))
            return false;
        if (!is_free)
            used += size;
        free_count += is_free;
        prev_free = is_free;
        prev_size = size;
        at += size;
    }
    for (uint32_t at = arena->free_list, before = NONE; at != NONE; at = free_at(arena, at)->next) {
        if (free_at(arena, at)->prev != before || (block_at(arena, at)->size & USED) != 0 ||
            ++listed > free_count)
            return false;
        before = at;
    }
    return listed == free_count && used == arena->used && used <= arena->max;
}
