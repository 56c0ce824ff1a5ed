/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "fifo_priv.h"
#include "table.h"
#include "text.h"

static struct table table_of(const struct km_fifo *f)
{
    return (struct table){.places = f->table,
                          .mask = f->table_size - 1u,
                          .hashes = f->keys,
                          .stride = sizeof f->keys[0]};
}

struct km_delta_node *fifo_node(const struct km_fifo *f, uint16_t node)
{
    return &f->nodes[node - 1u];
}

struct km_delta_key *fifo_key(const struct km_fifo *f, uint16_t key)
{
    return &f->keys[key - 1u];
}

struct km_delta_key *fifo_key_of(const struct km_fifo *f, const struct km_delta_node *node)
{
    return fifo_key(f, node->key);
}

static char *text_at(const struct km_fifo *f, uint16_t key)
{
    return f->texts + (size_t)(key - 1u) * f->key_size;
}

static uint8_t *record_at(const struct km_fifo *f, uint16_t node)
{
    return f->records + (size_t)(node - 1u) * f->record_size;
}

const void *fifo_object(const struct km_fifo *f, uint16_t node)
{
    return (fifo_node(f, node)->flags & FIFO_BARE) != 0 ? NULL : record_at(f, node);
}

void fifo_reset(struct km_fifo *f, uint32_t seed)
{
    memset(f->table, 0, sizeof f->table[0] * f->table_size);
    for (uint32_t i = 0; i < f->node_count; i++)
        f->nodes[i].next = (uint16_t)(i + 1u < f->node_count ? i + 2u : 0u);
    for (uint32_t i = 0; i < f->key_count; i++)
        f->keys[i] = (struct km_delta_key){.next = (uint16_t)(i + 1u < f->key_count ? i + 2u : 0u)};
    f->free_node = 1;
    f->free_key = 1;
    f->head = f->tail = f->count = 0;
    f->staged_first = f->staged_last = 0;
    f->round = 0;
    f->seed = seed;
    f->initial = 0;
    f->merged = 0;
    f->replacing = f->stage_failed = f->dropped = f->populated = f->synced = false;
    f->closed = f->lost = f->popping = false;
    f->pool.name = f->name;
    f->pool.size = f->node_count;
    f->pool.used = 0;
    km_pool_register(&f->pool);
}

uint16_t fifo_find(const struct km_fifo *f, struct km_slice key)
{
    struct table t = table_of(f);
    uint32_t hash = text_hash(key, f->seed), place = table_start(&t, hash);

    for (; t.places[place] != 0; place = table_next(&t, place)) {
        uint16_t id = t.places[place];
        const struct km_delta_key *k = fifo_key(f, id);

        if (k->hash == hash && k->len == key.len && text_equal(text_at(f, id), key.ptr, key.len))
            return id;
    }
    return 0;
}

int fifo_check_key(const struct km_fifo *f, struct km_slice key)
{
    if (key.len == 0)
        return KM_ERR_ARG;
    return key.len >= f->key_size ? KM_ERR_TOO_LONG : KM_OK;
}

static uint16_t take_key(struct km_fifo *f, struct km_slice text)
{
    uint16_t id = f->free_key;
    struct km_delta_key *k;

    if (id == 0)
        return 0;
    k = fifo_key(f, id);
    f->free_key = k->next;
    *k = (struct km_delta_key){.len = (uint16_t)text.len};
    memmove(text_at(f, id), text.ptr, text.len);
    text_at(f, id)[text.len] = '\0';
    return id;
}

static uint16_t list_key(struct km_fifo *f, struct km_slice text)
{
    uint16_t id = fifo_find(f, text);
    struct table t = table_of(f);

    if (id != 0 || (id = take_key(f, text)) == 0)
        return id;
    fifo_key(f, id)->hash = text_hash(text, f->seed);
    fifo_key(f, id)->listed = true;
    table_put(&t, id - 1u);
    return id;
}

void fifo_drop_key(struct km_fifo *f, uint16_t id)
{
    struct km_delta_key *k = fifo_key(f, id);
    struct table t = table_of(f);

    if (--k->refs != 0)
        return;
    if (k->listed)
        table_remove(&t, id - 1u);
    k->next = f->free_key;
    f->free_key = id;
}

static uint16_t take_node(struct km_fifo *f, enum km_delta_type type, uint16_t key, uint8_t flags)
{
    uint16_t node = f->free_node;

    f->free_node = fifo_node(f, node)->next;
    *fifo_node(f, node) = (struct km_delta_node){.type = (uint8_t)type, .flags = flags, .key = key};
    fifo_key(f, key)->refs++;
    km_pool_take(&f->pool, 1);
    return node;
}

int fifo_make(struct km_fifo *f, const struct fifo_event *event, uint16_t *node)
{
    uint8_t flags = (uint8_t)((event->tombstone ? FIFO_TOMBSTONE : 0) |
                              (event->object == NULL ? FIFO_BARE : 0));
    int result = fifo_check_key(f, event->key);
    uint16_t key;

    if (result != KM_OK)
        return result;
    if (event->object == NULL && !event->tombstone)
        return KM_ERR_ARG;
    if (f->free_node == 0 || (key = list_key(f, event->key)) == 0)
        return KM_ERR_FULL;
    *node = take_node(f, event->type, key, flags);
    if (event->object == NULL)
        return KM_OK;
    /* The object may be that of an event which made room just now. */
    memmove(record_at(f, *node), event->object, f->record_size);
    if (f->transform == NULL || event->tombstone || event->type == KM_DELTA_SYNC)
        return KM_OK;
    result = f->transform(f->ctx, event->key, record_at(f, *node));
    if (result < 0) {
        fifo_free_chain(f, *node);
        return result;
    }
    return KM_OK;
}

int fifo_make_text(struct km_fifo *f, enum km_delta_type type, struct km_slice text, uint16_t *node)
{
    uint16_t key;

    if (text.len >= f->key_size)
        return KM_ERR_TOO_LONG;
    if (f->free_node == 0 || (key = take_key(f, text)) == 0)
        return KM_ERR_FULL;
    *node = take_node(f, type, key, FIFO_BARE);
    return KM_OK;
}

void fifo_free_chain(struct km_fifo *f, uint16_t node)
{
    while (node != 0) {
        struct km_delta_node *n = fifo_node(f, node);
        uint16_t next = n->next;

        /* Children have none of their own. */
        if (n->child != 0)
            fifo_free_chain(f, n->child);
        fifo_drop_key(f, n->key);
        n->next = f->free_node;
        f->free_node = node;
        km_pool_give(&f->pool, 1);
        node = next;
    }
}

int fifo_refuse(struct km_fifo *f)
{
    km_pool_refuse(&f->pool);
    return KM_ERR_FULL;
}

void fifo_note_event(struct km_fifo *f)
{
    f->populated = true;
    fifo_check_synced(f);
}

void fifo_check_synced(struct km_fifo *f)
{
    if (f->populated && f->initial == 0)
        f->synced = true;
}

void fifo_stage_begin(struct km_fifo *f)
{
    fifo_stage_abort(f);
    f->round += 2;
    f->replacing = true;
}

void fifo_stage_abort(struct km_fifo *f)
{
    fifo_free_chain(f, fifo_stage_take(f));
    f->stage_failed = false;
}

void fifo_stage_link(struct km_fifo *f, uint16_t node)
{
    fifo_key_of(f, fifo_node(f, node))->round = f->round;
    if (f->staged_last != 0)
        fifo_node(f, f->staged_last)->next = node;
    else
        f->staged_first = node;
    f->staged_last = node;
}

int fifo_stage_item(struct km_fifo *f, struct km_slice key, const void *object,
                    bool (*drop_head)(void *queue), void *queue)
{
    struct fifo_event event = {.type = KM_DELTA_REPLACED, .key = key, .object = object};
    uint16_t node;
    int result;

    if (!f->replacing)
        return KM_ERR_ARG;
    while ((result = fifo_make(f, &event, &node)) == KM_ERR_FULL && drop_head(queue))
        continue;
    if (result == KM_OK) {
        fifo_stage_link(f, node);
        return KM_OK;
    }
    f->stage_failed = true;
    if (result != KM_ERR_FULL)
        return result;
    f->lost = true;
    return fifo_refuse(f);
}

uint16_t fifo_stage_take(struct km_fifo *f)
{
    uint16_t first = f->staged_first;

    f->staged_first = f->staged_last = 0;
    f->replacing = false;
    return first;
}

bool fifo_in_list(const struct km_fifo *f, const struct km_delta_key *key)
{
    return key->round == f->round;
}

bool fifo_seen(const struct km_fifo *f, const struct km_delta_key *key)
{
    return key->round == f->round || key->round == f->round + 1u;
}

void fifo_mark_seen(const struct km_fifo *f, struct km_delta_key *key)
{
    key->round = f->round + 1u;
}

int km_deltas_next(struct km_deltas *deltas, struct km_delta *out)
{
    const struct km_fifo *f = deltas->fifo;
    uint16_t node = deltas->next;
    const struct km_delta_node *n;
    struct km_slice text;

    if (node == 0)
        return KM_ERR_NOT_FOUND;
    n = fifo_node(f, node);
    deltas->next = n->next;
    text = (struct km_slice){.ptr = text_at(f, n->key), .len = fifo_key_of(f, n)->len};
    *out = (struct km_delta){.type = (enum km_delta_type)n->type,
                             .tombstone = (n->flags & FIFO_TOMBSTONE) != 0,
                             .key = {.ptr = "", .len = 0},
                             .object = fifo_object(f, node),
                             .version = {.ptr = "", .len = 0},
                             .objects = {.fifo = f, .next = n->child}};
    if (n->type >= KM_DELTA_REPLACED_ALL)
        out->version = text;
    else
        out->key = text;
    return KM_OK;
}

uint16_t km_deltas_count(const struct km_deltas *deltas)
{
    uint16_t count = 0;

    for (uint16_t node = deltas->next; node != 0; node = fifo_node(deltas->fifo, node)->next)
        count++;
    return count;
}

int km_known_cache_next(void *ctx, uint32_t *at, struct km_slice *key, const void **object)
{
    const struct km_cache *cache = ctx;
    uint16_t slot;

    if (*at >= cache->slot_count || km_cache_next(cache, (uint16_t)*at, &slot) != KM_OK)
        return KM_ERR_NOT_FOUND;
    *at = slot + 1u;
    *key = km_cache_key(cache, slot);
    *object = km_cache_get(cache, slot);
    return KM_OK;
}

bool km_known_cache_has(void *ctx, struct km_slice key)
{
    uint16_t slot;

    return km_cache_find(ctx, key, &slot) == KM_OK;
}
