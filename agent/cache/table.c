/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <string.h>

uint32_t table_hash_of(const struct table *t, uint32_t id)
{
    uint32_t hash;

    memcpy(&hash, (const uint8_t *)t->hashes + (size_t)id * t->stride, sizeof hash);
    return hash;
}

uint32_t table_place_of(const struct table *t, uint32_t id)
{
    uint32_t place = table_start(t, table_hash_of(t, id));

    while (t->places[place] != id + 1u)
        place = table_next(t, place);
    return place;
}

void table_put(const struct table *t, uint32_t id)
{
    uint32_t place = table_start(t, table_hash_of(t, id));

    while (t->places[place] != 0)
        place = table_next(t, place);
    t->places[place] = (uint16_t)(id + 1u);
}

void table_remove(const struct table *t, uint32_t id)
{
    uint32_t gap = table_place_of(t, id), at = gap;

    for (;;) {
        uint32_t home;

        t->places[gap] = 0;
        do {
            at = table_next(t, at);
            if (t->places[at] == 0)
                return;
            home = table_start(t, table_hash_of(t, t->places[at] - 1u));
            /* An id may move back to the gap only if its home lies at or before it. */
        } while (((at - home) & t->mask) < ((at - gap) & t->mask));
        t->places[gap] = t->places[at];
        gap = at;
    }
}
