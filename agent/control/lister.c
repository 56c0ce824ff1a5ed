/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_informer.h"

/* ---- labels of a JSON object ---- */

/* The next string, without quotes; false at the end. *plain: no escapes. */
static bool next_string(struct km_slice *rest, struct km_slice *out, bool *plain)
{
    const char *at = rest->len > 0 ? memchr(rest->ptr, '"', rest->len) : NULL;
    if (at == NULL)
        return false;
    const char *end = rest->ptr + rest->len, *first = ++at;
    *plain = true;
    for (; at < end && *at != '"'; at++) {
        if (*at != '\\')
            continue;
        *plain = false;
        at++;
    }
    if (at >= end)
        return false;
    *out = (struct km_slice){.ptr = first, .len = (size_t)(at - first)};
    *rest = (struct km_slice){.ptr = at + 1, .len = (size_t)(end - at - 1)};
    return true;
}

uint16_t km_labels_of_json(struct km_slice json, struct km_label *out, uint16_t size)
{
    uint16_t count = 0;
    struct km_label label;
    bool plain_key, plain_value;

    while (count < size && next_string(&json, &label.key, &plain_key) &&
           next_string(&json, &label.value, &plain_value)) {
        if (plain_key && plain_value)
            out[count++] = label;
    }
    return count;
}

/* ---- walks ---- */

void km_lister_find(const struct km_lister *lister, struct km_slice ns,
                    const struct km_label_selector *selector, struct km_lister_walk *walk)
{
    *walk = (struct km_lister_walk){.lister = lister, .ns = ns, .selector = selector};
    if (ns.len > 0 && lister->by_namespace != NULL)
        km_index_find(lister->by_namespace, ns, &walk->index);
}

static int next_slot(struct km_lister_walk *walk, uint16_t *slot)
{
    const struct km_cache *cache = walk->lister->store->cache;

    if (walk->ns.len > 0 && walk->lister->by_namespace != NULL)
        return km_index_next(&walk->index, slot);
    if (walk->from >= cache->slot_count ||
        km_cache_next(cache, (uint16_t)walk->from, slot) != KM_OK)
        return KM_ERR_NOT_FOUND;
    walk->from = *slot + 1u;
    return KM_OK;
}

static bool in_namespace(const struct km_lister_walk *walk, uint16_t slot)
{
    struct km_slice key = km_cache_key(walk->lister->store->cache, slot), ns = walk->ns;

    return ns.len == 0 ||
           (key.len > ns.len && key.ptr[ns.len] == '/' && memcmp(key.ptr, ns.ptr, ns.len) == 0);
}

static bool selected(const struct km_lister_walk *walk, const void *record)
{
    struct km_label labels[KM_LISTER_LABELS];

    if (walk->selector == NULL || walk->selector->term_count == 0)
        return true;
    uint16_t count =
        walk->lister->labels != NULL ? walk->lister->labels(record, labels, KM_LISTER_LABELS) : 0;
    return km_label_selector_matches(walk->selector, labels, count);
}

int km_lister_next(struct km_lister_walk *walk, const void **record)
{
    uint16_t slot;

    while (next_slot(walk, &slot) == KM_OK) {
        *record = km_cache_get(walk->lister->store->cache, slot);
        if (in_namespace(walk, slot) && selected(walk, *record))
            return KM_OK;
    }
    return KM_ERR_NOT_FOUND;
}

const void *km_lister_get(const struct km_lister *lister, const char *ns, const char *name)
{
    char text[KM_KEY_SIZE];
    struct km_slice key;

    if (km_key_join(km_slice_of(ns), km_slice_of(name), text, sizeof text, &key) != KM_OK)
        return NULL;
    return km_store_get(lister->store, key);
}
