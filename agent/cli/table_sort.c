/* SPDX-License-Identifier: Apache-2.0 */
/* The order of --sort-by: quantities and numbers by value, texts by their bytes, what is missing first. */
#include <string.h>

#include "kubemote/km_scalar.h"
#include "table.h"

static uint32_t order[TABLE_SORT_COUNT] KM_POOL_STORAGE(cli_sort_order);

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
    return km_slice_compare(a, b);
}

static struct km_slice key(const char *from)
{
    const char *end = from;
    while (*end != '\x01')
        end++;
    return (struct km_slice){from, (size_t)(end - from)};
}

static bool less(const char *text, uint32_t a, uint32_t b)
{
    struct km_slice first = key(text + a);
    int way = compare_keys(first, key(text + b));
    if (way == 0)
        return first.len == 0 ? a > b : a < b;
    return way < 0;
}

static void sift(const char *text, size_t root, size_t count)
{
    uint32_t value = order[root];
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && less(text, order[child], order[child + 1]))
            child++;
        if (!less(text, value, order[child]))
            break;
        order[root] = order[child];
    }
    order[root] = value;
}

const uint32_t *table_sort(struct km_slice text, size_t *lines)
{
    size_t count = 0;
    for (size_t at = 0; at < text.len && count < TABLE_SORT_COUNT;) {
        const char *end = memchr(text.ptr + at, '\n', text.len - at);
        order[count++] = (uint32_t)at;
        at = end != NULL ? (size_t)(end - text.ptr) + 1 : text.len;
    }
    for (size_t i = count / 2; i > 0; i--)
        sift(text.ptr, i - 1, count);
    for (size_t i = count; i > 1; i--) {
        uint32_t last = order[0];
        order[0] = order[i - 1];
        order[i - 1] = last;
        sift(text.ptr, 0, i - 1);
    }
    *lines = count;
    return order;
}

int table_sort_lacks_key(const char *sort_by)
{
    struct km_slice path = km_slice_trim(km_slice_of(sort_by));
    bool braces = path.len > 1 && path.ptr[0] == '{';
    bool dot = path.ptr[0] == '.' || braces;
    return cli_usage_error(
        "couldn't find any field with path \"%s%s%.*s%s\" in the list of objects",
        braces ? "" : "{", dot ? "" : ".", (int)path.len, path.ptr, braces ? "" : "}");
}
