/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_metrics.h"

static struct km_gauge *gauges;

void km_gauge_register(struct km_gauge *gauge)
{
    struct km_gauge **end = &gauges;

    while (*end != NULL) {
        if (*end == gauge)
            return;
        end = &(*end)->next;
    }
    gauge->next = NULL;
    *end = gauge;
}

static bool is_name_char(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':')
        return true;
    return !first && c >= '0' && c <= '9';
}

/* The family is the name without its labels; empty when it is not a metric name. */
static struct km_slice family_of(const char *name)
{
    size_t len = 0;

    while (is_name_char(name[len], len == 0))
        len++;
    if (name[len] != '\0' && (name[len] != '{' || name[strlen(name) - 1] != '}'))
        len = 0;
    return (struct km_slice){.ptr = name, .len = len};
}

static bool same_family(const char *a, const char *b)
{
    return km_slice_eq(family_of(a), family_of(b));
}

/* Words from a name: kubemote_watch_restarts_total becomes "watch restarts". */
static void put_words(struct km_buf *out, struct km_slice name)
{
    static const char prefix[] = "kubemote_", suffix[] = "_total";
    const size_t prefix_len = sizeof prefix - 1, suffix_len = sizeof suffix - 1;

    if (name.len > prefix_len && memcmp(name.ptr, prefix, prefix_len) == 0) {
        name.ptr += prefix_len;
        name.len -= prefix_len;
    }
    if (name.len > suffix_len && memcmp(name.ptr + name.len - suffix_len, suffix, suffix_len) == 0)
        name.len -= suffix_len;
    for (size_t i = 0; i < name.len; i++)
        km_buf_putc(out, name.ptr[i] == '_' ? ' ' : name.ptr[i]);
}

/* Escapes as the format asks: in help \ and line feed, in label values the double quote too. */
static void put_escaped(struct km_buf *out, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            km_buf_puts(out, "\\n");
        else if (*text == '\\' || (quotes && *text == '"'))
            km_buf_put(out, (const char[]){'\\', *text}, 2);
        else
            km_buf_putc(out, *text);
    }
}

static void put_head(struct km_buf *out, struct km_slice family, const char *help, const char *type)
{
    km_buf_puts(out, "# HELP ");
    km_buf_put_slice(out, family);
    km_buf_putc(out, ' ');
    if (help != NULL) {
        put_escaped(out, help, false);
    } else {
        km_buf_puts(out, type[0] == 'c' ? "Count of " : "Value of ");
        put_words(out, family);
        km_buf_putc(out, '.');
    }
    km_buf_puts(out, "\n# TYPE ");
    km_buf_put_slice(out, family);
    km_buf_putc(out, ' ');
    km_buf_puts(out, type);
    km_buf_putc(out, '\n');
}

/* ---- pools ---- */

enum pool_field { POOL_SIZE, POOL_USED, POOL_MAX, POOL_REFUSED, POOL_FIELDS };

static const struct {
    const char *family, *type, *help;
} pool_families[POOL_FIELDS] = {
    [POOL_SIZE] = {"kubemote_pool_size", "gauge", "Elements of the static pool."},
    [POOL_USED] = {"kubemote_pool_used", "gauge", "Elements in use."},
    [POOL_MAX] = {"kubemote_pool_max", "gauge", "Most elements ever in use."},
    [POOL_REFUSED] = {"kubemote_pool_refused_total", "counter",
                      "Elements refused because the pool was full."},
};

static uint32_t pool_value(const struct km_pool *pool, enum pool_field field)
{
    switch (field) {
    case POOL_SIZE:
        return pool->size;
    case POOL_USED:
        return pool->used;
    case POOL_MAX:
        return pool->max;
    default:
        return pool->refused;
    }
}

static bool pool_seen_before(const struct km_pool *pool)
{
    for (const struct km_pool *p = km_pool_first(); p != pool; p = p->next) {
        if (strcmp(p->name, pool->name) == 0)
            return true;
    }
    return false;
}

static uint64_t pool_sum(const struct km_pool *pool, enum pool_field field)
{
    uint64_t sum = 0;

    for (const struct km_pool *p = pool; p != NULL; p = p->next) {
        if (strcmp(p->name, pool->name) == 0)
            sum += pool_value(p, field);
    }
    return sum;
}

static void put_pools(struct km_buf *out)
{
    if (km_pool_first() == NULL)
        return;
    for (int field = 0; field < POOL_FIELDS; field++) {
        put_head(out, km_slice_of(pool_families[field].family), pool_families[field].help,
                 pool_families[field].type);
        for (const struct km_pool *p = km_pool_first(); p != NULL; p = p->next) {
            if (pool_seen_before(p))
                continue;
            km_buf_puts(out, pool_families[field].family);
            km_buf_puts(out, "{pool=\"");
            put_escaped(out, p->name, true);
            km_buf_puts(out, "\"} ");
            km_buf_put_u64(out, pool_sum(p, (enum pool_field)field));
            km_buf_putc(out, '\n');
        }
    }
}

/* ---- counters ---- */

static void put_counter(struct km_buf *out, const struct km_counter *first,
                        const struct km_counter *counter)
{
    uint64_t sum = 0;

    for (const struct km_counter *c = first; c != counter; c = c->next) {
        if (strcmp(c->name, counter->name) == 0)
            return;
    }
    for (const struct km_counter *c = counter; c != NULL; c = c->next) {
        if (strcmp(c->name, counter->name) == 0)
            sum += c->value;
    }
    km_buf_puts(out, counter->name);
    km_buf_putc(out, ' ');
    km_buf_put_u64(out, sum);
    km_buf_putc(out, '\n');
}

static bool counter_family_seen_before(const struct km_counter *counter)
{
    for (const struct km_counter *c = km_counter_first(); c != counter; c = c->next) {
        if (same_family(c->name, counter->name))
            return true;
    }
    return false;
}

static void put_counters(struct km_buf *out)
{
    for (const struct km_counter *first = km_counter_first(); first != NULL; first = first->next) {
        if (family_of(first->name).len == 0 || counter_family_seen_before(first))
            continue;
        put_head(out, family_of(first->name), first->help, "counter");
        for (const struct km_counter *c = first; c != NULL; c = c->next) {
            if (same_family(c->name, first->name))
                put_counter(out, first, c);
        }
    }
}

/* ---- gauges ---- */

static void put_gauge(struct km_buf *out, const struct km_gauge *first,
                      const struct km_gauge *gauge)
{
    uint64_t sum = 0; /* wraps where signed addition must not */

    for (const struct km_gauge *g = first; g != gauge; g = g->next) {
        if (strcmp(g->name, gauge->name) == 0)
            return;
    }
    for (const struct km_gauge *g = gauge; g != NULL; g = g->next) {
        if (strcmp(g->name, gauge->name) == 0)
            sum += (uint64_t)g->value(g->ctx);
    }
    km_buf_puts(out, gauge->name);
    km_buf_putc(out, ' ');
    if (sum > (uint64_t)INT64_MAX) {
        km_buf_putc(out, '-');
        sum = 0u - sum;
    }
    km_buf_put_u64(out, sum);
    km_buf_putc(out, '\n');
}

static bool gauge_family_seen_before(const struct km_gauge *gauge)
{
    for (const struct km_gauge *g = gauges; g != gauge; g = g->next) {
        if (same_family(g->name, gauge->name))
            return true;
    }
    return false;
}

static void put_gauges(struct km_buf *out)
{
    for (const struct km_gauge *first = gauges; first != NULL; first = first->next) {
        if (family_of(first->name).len == 0 || gauge_family_seen_before(first))
            continue;
        put_head(out, family_of(first->name), first->help, "gauge");
        for (const struct km_gauge *g = first; g != NULL; g = g->next) {
            if (same_family(g->name, first->name))
                put_gauge(out, first, g);
        }
    }
}

int km_metrics_write(struct km_buf *out)
{
    put_pools(out);
    put_counters(out);
    put_gauges(out);
    return out->overflow ? KM_ERR_TOO_LONG : KM_OK;
}
