/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CACHE_INDEX_PRIV_H
#define CACHE_INDEX_PRIV_H

#include "kubemote/km_index.h"

void index_reset(struct km_index *index);
/* Takes the slot's values out: by the entries, not by the record, which may be another one by now. */
void index_drop(struct km_index *index, uint16_t slot);
/* Takes the values of the slot's record in. The slot has none yet. */
void index_take(struct km_index *index, uint16_t slot);
/* In place, by key. */
void slots_sort(const struct km_cache *cache, uint16_t *slots, uint32_t count);

#endif
