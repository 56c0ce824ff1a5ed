/* SPDX-License-Identifier: Apache-2.0 */
/* The order of rows: quantities and numbers by value, texts by their bytes, what is missing first. */
#include <string.h>

#include "kubemote/km_scalar.h"
#include "table.h"

static struct km_slice inside(struct km_slice raw)
{
    bool text = raw.len >= 2 && raw.ptr[0] == '"';
    return text ? (struct km_slice){raw.ptr + 1, raw.len - 2} : raw;
}

static int compare_keys(struct km_slice a, struct km_slice b)
{
    struct km_quantity x, y;
    if (a.len == 0 || b.len == 0)
        return (a.len > 0) - (b.len > 0);
    a = inside(a);
    b = inside(b);
    if (km_quantity_read(a, &x) == KM_OK && km_quantity_read(b, &y) == KM_OK)
        return km_quantity_compare(&x, &y);
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

struct rows {
    struct km_slice text;
    uint32_t *order;
};

static struct km_slice key(const struct rows *r, uint32_t at)
{
    const char *from = r->text.ptr + at, *end = from;
    while (*end != '\x01')
        end++;
    return (struct km_slice){from, (size_t)(end - from)};
}

static bool less(const struct rows *r, uint32_t a, uint32_t b)
{
    int order = compare_keys(key(r, a), key(r, b));
    return order != 0 ? order < 0 : a < b;
}

static void sift(const struct rows *r, size_t root, size_t count)
{
    uint32_t value = r->order[root];
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && less(r, r->order[child], r->order[child + 1]))
            child++;
        if (!less(r, value, r->order[child]))
            break;
        r->order[root] = r->order[child];
    }
    r->order[root] = value;
}

size_t table_sort(struct km_slice text, uint32_t order[TABLE_SORT_COUNT])
{
    const struct rows r = {text, order};
    size_t count = 0;
    for (size_t at = 0; at < text.len && count < TABLE_SORT_COUNT;) {
        const char *end = memchr(text.ptr + at, '\n', text.len - at);
        order[count++] = (uint32_t)at;
        at = end != NULL ? (size_t)(end - text.ptr) + 1 : text.len;
    }
    for (size_t i = count / 2; i > 0; i--)
        sift(&r, i - 1, count);
    for (size_t i = count; i > 1; i--) {
        uint32_t last = order[0];
        order[0] = order[i - 1];
        order[i - 1] = last;
        sift(&r, 0, i - 1);
    }
    return count;
}
