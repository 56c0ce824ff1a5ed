/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "index_priv.h"
#include "table.h"
#include "text.h"

#define INDEX_FREE 0xFFu

/* What the sink does with each value that an index function gives. */
enum sink_job { SINK_LINK, SINK_COMPARE, SINK_COPY, SINK_COLLECT };

struct km_index_sink {
    enum sink_job job;
    struct km_index *index;
    uint32_t count; /* values seen so far */
    uint32_t slot;  /* link: whose values they are */
    uint32_t used;  /* link: entries taken */
    bool dropped;
    uint32_t order; /* compare, copy: the value that is meant */
    struct km_slice value;
    bool equal;
    struct km_buf *out;
    const struct km_index *read; /* collect */
    uint16_t *slots;
    uint32_t size, found;
};

static struct table table_of(const struct km_index *index)
{
    return (struct table){.places = index->table,
                          .mask = index->table_size - 1u,
                          .hashes = index->entries,
                          .stride = sizeof index->entries[0]};
}

static uint32_t slot_of(const struct km_index *index, uint32_t entry)
{
    return entry / index->value_max;
}

static int ask(const struct km_index *index, uint32_t slot, struct km_index_sink *sink)
{
    const struct km_cache *cache = index->store->cache;

    return index->fn(index->ctx, km_cache_key(cache, (uint16_t)slot),
                     km_cache_get(cache, (uint16_t)slot), sink);
}

static bool entry_is(const struct km_index *index, uint32_t entry, struct km_slice value)
{
    struct km_index_sink sink = {.job = SINK_COMPARE, .order = index->order[entry], .value = value};

    (void)ask(index, slot_of(index, entry), &sink);
    return sink.equal;
}

/* The first entry of value + 1, 0 when nobody has it. */
static uint32_t chain_of(const struct km_index *index, struct km_slice value, uint32_t hash)
{
    struct table t = table_of(index);
    uint32_t place = table_start(&t, hash);

    for (; t.places[place] != 0; place = table_next(&t, place)) {
        uint32_t entry = t.places[place] - 1u;

        if (index->entries[entry].hash == hash && entry_is(index, entry, value))
            return entry + 1u;
    }
    return 0;
}

static uint32_t hash_of(const struct km_index *index, struct km_slice value)
{
    return text_hash(value, index->store->cache->seed);
}

/* The new entry becomes the first of its chain, so that a walk that goes on behind it does not meet
   it. */
static void link_entry(struct km_index *index, uint32_t entry, uint32_t order, uint32_t hash,
                       uint32_t chain)
{
    struct km_index_entry *e = &index->entries[entry];
    struct table t = table_of(index);

    *e = (struct km_index_entry){.hash = hash, .next = (uint16_t)chain};
    index->order[entry] = (uint8_t)order;
    km_pool_take(&index->pool, 1);
    if (chain == 0) {
        table_put(&t, entry);
        return;
    }
    t.places[table_place_of(&t, chain - 1u)] = (uint16_t)(entry + 1u);
    index->entries[chain - 1u].prev = (uint16_t)(entry + 1u);
}

static void unlink_entry(struct km_index *index, uint32_t entry)
{
    struct km_index_entry *e = &index->entries[entry];
    struct table t = table_of(index);

    if (e->prev != 0)
        index->entries[e->prev - 1u].next = e->next;
    else if (e->next != 0)
        t.places[table_place_of(&t, entry)] = e->next;
    else
        table_remove(&t, entry);
    if (e->next != 0)
        index->entries[e->next - 1u].prev = e->prev;
    index->order[entry] = INDEX_FREE;
    km_pool_give(&index->pool, 1);
}

static bool has_entry_in(const struct km_index *index, uint32_t slot, uint32_t used, uint32_t hash,
                         struct km_slice value)
{
    uint32_t first = slot * index->value_max;

    for (uint32_t entry = first; entry < first + used; entry++) {
        if (index->entries[entry].hash == hash && entry_is(index, entry, value))
            return true;
    }
    return false;
}

static void link_value(struct km_index_sink *sink, struct km_slice value)
{
    struct km_index *index = sink->index;
    uint32_t hash = hash_of(index, value);

    if (has_entry_in(index, sink->slot, sink->used, hash, value))
        return;
    if (sink->used >= index->value_max || sink->count >= INDEX_FREE) {
        sink->dropped = true;
        return;
    }
    link_entry(index, sink->slot * index->value_max + sink->used, sink->count, hash,
               chain_of(index, value, hash));
    sink->used++;
}

static void collect_value(struct km_index_sink *sink, struct km_slice value)
{
    struct km_index_walk walk;
    uint16_t slot;

    km_index_find(sink->read, value, &walk);
    for (; km_index_next(&walk, &slot) == KM_OK; sink->found++) {
        if (sink->found < sink->size)
            sink->slots[sink->found] = slot;
    }
}

void km_index_value(struct km_index_sink *sink, struct km_slice value)
{
    switch (sink->job) {
    case SINK_LINK:
        link_value(sink, value);
        break;
    case SINK_COMPARE:
        if (sink->count == sink->order)
            sink->equal = km_slice_eq(value, sink->value);
        break;
    case SINK_COPY:
        if (sink->count == sink->order)
            km_buf_put_slice(sink->out, value);
        break;
    case SINK_COLLECT:
        collect_value(sink, value);
        break;
    }
    sink->count++;
}

int km_index_namespace(void *ctx, struct km_slice key, const void *record,
                       struct km_index_sink *sink)
{
    const char *slash = memchr(key.ptr, '/', key.len);

    (void)ctx;
    (void)record;
    key.len = slash != NULL ? (size_t)(slash - key.ptr) : 0;
    km_index_value(sink, key);
    return KM_OK;
}

void index_reset(struct km_index *index)
{
    uint32_t count = (uint32_t)index->slot_count * index->value_max;

    memset(index->table, 0, sizeof index->table[0] * index->table_size);
    memset(index->order, (int)INDEX_FREE, count);
    memset(index->short_of, 0, sizeof index->short_of[0] * KM_BITMAP_WORDS(index->slot_count));
    index->short_count = 0;
    index->pool.size = count;
    index->pool.used = 0;
    km_pool_register(&index->pool);
}

void index_drop(struct km_index *index, uint16_t slot)
{
    uint32_t first = (uint32_t)slot * index->value_max;

    for (uint32_t entry = first; entry < first + index->value_max; entry++) {
        if (index->order[entry] == INDEX_FREE)
            break;
        unlink_entry(index, entry);
    }
    if (km_bit_get(index->short_of, slot)) {
        km_bit_clear(index->short_of, slot);
        index->short_count--;
    }
}

void index_take(struct km_index *index, uint16_t slot)
{
    struct km_index_sink sink = {.job = SINK_LINK, .index = index, .slot = slot};

    if (ask(index, slot, &sink) >= 0 && !sink.dropped)
        return;
    km_pool_refuse(&index->pool);
    km_bit_set(index->short_of, slot);
    index->short_count++;
}

void km_index_find(const struct km_index *index, struct km_slice value, struct km_index_walk *walk)
{
    walk->index = index;
    walk->next = (uint16_t)chain_of(index, value, hash_of(index, value));
}

int km_index_next(struct km_index_walk *walk, uint16_t *slot)
{
    uint32_t entry;

    if (walk->next == 0)
        return KM_ERR_NOT_FOUND;
    entry = walk->next - 1u;
    *slot = (uint16_t)slot_of(walk->index, entry);
    walk->next = walk->index->entries[entry].next;
    return KM_OK;
}

int km_index_keys(const struct km_index *index, struct km_slice value, uint16_t *slots,
                  uint16_t size)
{
    struct km_index_sink sink = {.job = SINK_COLLECT, .read = index, .slots = slots, .size = size};

    collect_value(&sink, value);
    if (sink.found > size)
        return KM_ERR_FULL;
    slots_sort(index->store->cache, slots, sink.found);
    return (int)sink.found;
}

int km_index_like(const struct km_index *index, struct km_slice key, const void *record,
                  uint16_t *slots, uint16_t size)
{
    struct km_index_sink sink = {.job = SINK_COLLECT, .read = index, .slots = slots, .size = size};
    int result = index->fn(index->ctx, key, record, &sink);
    uint32_t kept = 0;

    if (result < 0)
        return result;
    if (sink.found > size)
        return KM_ERR_FULL;
    slots_sort(index->store->cache, slots, sink.found);
    for (uint32_t i = 0; i < sink.found; i++) {
        if (kept == 0 || slots[kept - 1u] != slots[i])
            slots[kept++] = slots[i];
    }
    return (int)kept;
}

int km_index_next_value(const struct km_index *index, uint32_t *at, char *out, size_t out_size)
{
    struct km_buf text;
    struct km_index_sink sink = {.job = SINK_COPY, .out = &text};
    uint32_t entry;

    km_buf_init(&text, out, out_size);
    while (*at < index->table_size && index->table[*at] == 0)
        ++*at;
    if (*at >= index->table_size)
        return KM_ERR_NOT_FOUND;
    entry = index->table[(*at)++] - 1u;
    sink.order = index->order[entry];
    (void)ask(index, slot_of(index, entry), &sink);
    return text.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

bool km_index_complete(const struct km_index *index)
{
    return index->short_count == 0;
}
