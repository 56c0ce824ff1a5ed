/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table of small numbers, private to the room: ids whose hashes stand in the caller's own
 * array, the hash being the first member of each element. Linear probing; removal shifts the rest of
 * the run back, so that probes stay short for ever. There must be more places than ids.
 */
#ifndef CACHE_TABLE_H
#define CACHE_TABLE_H

#include "kubemote/km_base.h"

struct table {
    uint16_t *places; /* id + 1, 0 = empty */
    uint32_t mask;    /* number of places, a power of two, less 1 */
    const void *hashes;
    size_t stride; /* bytes from one id's hash to the next one's */
};

/* The first place where an id of this hash may stand. */
static inline uint32_t table_start(const struct table *t, uint32_t hash)
{
    return hash & t->mask;
}

static inline uint32_t table_next(const struct table *t, uint32_t place)
{
    return (place + 1u) & t->mask;
}

uint32_t table_hash_of(const struct table *t, uint32_t id);
/* The place of an id that is in the table. */
uint32_t table_place_of(const struct table *t, uint32_t id);
void table_put(const struct table *t, uint32_t id);
void table_remove(const struct table *t, uint32_t id);

#endif
