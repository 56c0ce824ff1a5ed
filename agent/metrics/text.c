/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_metrics.h"

static struct km_gauge *gauges;
static struct km_collector *collectors;

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

void km_collector_register(struct km_collector *collector)
{
    struct km_collector **end = &collectors;

    while (*end != NULL) {
        if (*end == collector)
            return;
        end = &(*end)->next;
    }
    collector->next = NULL;
    *end = collector;
}

/* ---- names ---- */

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

static bool is_total(struct km_slice name)
{
    return name.len > 6 && memcmp(name.ptr + name.len - 6, "_total", 6) == 0;
}

/* Words from a name: kubemote_watch_restarts_total becomes "watch restarts". */
static void put_words(struct km_buf *out, struct km_slice name)
{
    static const char prefix[] = "kubemote_";
    const size_t prefix_len = sizeof prefix - 1;

    if (name.len > prefix_len && memcmp(name.ptr, prefix, prefix_len) == 0) {
        name.ptr += prefix_len;
        name.len -= prefix_len;
    }
    if (is_total(name))
        name.len -= 6;
    for (size_t i = 0; i < name.len; i++)
        km_buf_putc(out, name.ptr[i] == '_' ? ' ' : name.ptr[i]);
}

/* Escapes as the formats ask: \ and line feed everywhere, the double quote in label values and in
   OpenMetrics' help. */
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

void km_sample_label(struct km_sample *sample, const char *name, const char *value)
{
    struct km_buf *buf = &sample->label_buf;

    if (buf->len > 0)
        km_buf_putc(buf, ',');
    km_buf_puts(buf, name);
    km_buf_puts(buf, "=\"");
    put_escaped(buf, value, true);
    km_buf_putc(buf, '"');
}

static const char *const type_names[] = {"counter", "gauge", "histogram"};

/* OpenMetrics names a counter's family without its _total, and has no counters without it. */
static void put_head(struct km_buf *out, enum km_metrics_format format, struct km_slice family,
                     const char *help, enum km_sample_type type)
{
    const char *type_name = type_names[type];
    bool open = format == KM_METRICS_OPENMETRICS;

    if (help == NULL)
        help = km_metrics_help(family);
    km_buf_puts(out, "# HELP ");
    if (open && type == KM_SAMPLE_COUNTER && is_total(family))
        family.len -= 6;
    else if (open && type == KM_SAMPLE_COUNTER)
        type_name = "unknown";
    km_buf_put_slice(out, family);
    km_buf_putc(out, ' ');
    if (help != NULL) {
        put_escaped(out, help, open);
    } else {
        km_buf_puts(out, type == KM_SAMPLE_COUNTER ? "Count of " : "Value of ");
        put_words(out, family);
        km_buf_putc(out, '.');
    }
    km_buf_puts(out, "\n# TYPE ");
    km_buf_put_slice(out, family);
    km_buf_putc(out, ' ');
    km_buf_puts(out, type_name);
    km_buf_putc(out, '\n');
}

/* ---- numbers ---- */

/* value * 10^-decimals, no zeros at the end. */
static void put_decimal(struct km_buf *out, uint64_t value, unsigned decimals)
{
    char digits[24];
    struct km_buf number;
    size_t whole, end;

    km_buf_init(&number, digits, sizeof digits);
    km_buf_put_u64(&number, value);
    while (decimals > 0 && value % 10 == 0) {
        value /= 10;
        decimals--;
        number.len--;
        if (number.len == 0) {
            km_buf_putc(out, '0');
            return;
        }
    }
    whole = number.len > decimals ? number.len - decimals : 0;
    end = number.len;
    km_buf_put(out, whole > 0 ? digits : "0", whole > 0 ? whole : 1);
    if (decimals == 0)
        return;
    km_buf_putc(out, '.');
    for (size_t i = end - whole; i < decimals; i++)
        km_buf_putc(out, '0');
    km_buf_put(out, digits + whole, end - whole);
}

/* A bound as Go writes a float: below 0.0001 with an exponent. Such bounds are powers of ten. */
static void put_bound(struct km_buf *out, int64_t bound, unsigned decimals, bool open)
{
    uint64_t value = (uint64_t)bound;

    while (decimals > 0 && value != 0 && value % 10 == 0) {
        value /= 10;
        decimals--;
    }
    if (value == 1 && decimals > 4) {
        km_buf_printf(out, "1e-%02u", decimals);
        return;
    }
    put_decimal(out, value, decimals);
    if (open && decimals == 0)
        km_buf_puts(out, ".0");
}

static void put_signed(struct km_buf *out, int64_t value, unsigned decimals)
{
    if (value < 0)
        km_buf_putc(out, '-');
    put_decimal(out, value < 0 ? 0u - (uint64_t)value : (uint64_t)value, decimals);
}

void km_histogram_observe(struct km_histogram *histogram, const struct km_scale *scale,
                          uint64_t value)
{
    unsigned place = 0;

    while (place < scale->count && value > (uint64_t)scale->bounds[place])
        place++;
    histogram->buckets[place]++;
    histogram->count++;
    histogram->sum += value;
}

/* ---- pools ---- */

enum pool_field { POOL_SIZE, POOL_USED, POOL_MAX, POOL_REFUSED, POOL_FIELDS };

static const char *const pool_families[POOL_FIELDS] = {
    [POOL_SIZE] = "kubemote_pool_size",
    [POOL_USED] = "kubemote_pool_used",
    [POOL_MAX] = "kubemote_pool_max",
    [POOL_REFUSED] = "kubemote_pool_refused_total",
};

static uint32_t pool_value(const struct km_pool *pool, unsigned field)
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

static uint64_t pool_sum(const struct km_pool *pool, unsigned field)
{
    uint64_t sum = 0;

    for (const struct km_pool *p = pool; p != NULL; p = p->next) {
        if (strcmp(p->name, pool->name) == 0)
            sum += pool_value(p, field);
    }
    return sum;
}

/* One sample; false when there is none left. cursor->index is the family, cursor->item the pool. */
static bool put_pool(struct km_metrics_cursor *cursor, struct km_buf *out)
{
    const struct km_pool *pool = cursor->item;

    if (pool == NULL)
        pool = km_pool_first();
    if (pool == NULL || cursor->index == POOL_FIELDS)
        return false;
    if (cursor->item == NULL)
        put_head(out, cursor->format, km_slice_of(pool_families[cursor->index]), NULL,
                 cursor->index == POOL_REFUSED ? KM_SAMPLE_COUNTER : KM_SAMPLE_GAUGE);
    if (!pool_seen_before(pool)) {
        km_buf_puts(out, pool_families[cursor->index]);
        km_buf_puts(out, "{pool=\"");
        put_escaped(out, pool->name, true);
        km_buf_puts(out, "\"} ");
        km_buf_put_u64(out, pool_sum(pool, cursor->index));
        km_buf_putc(out, '\n');
    }
    cursor->item = pool->next;
    if (pool->next == NULL)
        cursor->index++;
    return true;
}

/* ---- counters and gauges: lists of names with their labels ---- */

struct named {
    const char *name, *help;
    const void *next;
};

static struct named named_of(const void *item, bool counter)
{
    if (counter) {
        const struct km_counter *c = item;
        return (struct named){c->name, c->help, c->next};
    }
    const struct km_gauge *g = item;
    return (struct named){g->name, g->help, g->next};
}

static const void *first_of(bool counter)
{
    return counter ? (const void *)km_counter_first() : (const void *)gauges;
}

static uint64_t value_of(const void *item, bool counter)
{
    if (counter)
        return ((const struct km_counter *)item)->value;
    const struct km_gauge *g = item;
    return (uint64_t)g->value(g->ctx);
}

static bool family_seen_before(const void *item, bool counter)
{
    const char *name = named_of(item, counter).name;

    for (const void *i = first_of(counter); i != item; i = named_of(i, counter).next) {
        if (same_family(named_of(i, counter).name, name))
            return true;
    }
    return false;
}

/* All of one name added up, by its first. Sums wrap where signed addition must not. */
static void put_named(struct km_buf *out, const void *family, const void *item, bool counter)
{
    const char *name = named_of(item, counter).name;
    uint64_t sum = 0;

    for (const void *i = family; i != item; i = named_of(i, counter).next) {
        if (strcmp(named_of(i, counter).name, name) == 0)
            return;
    }
    for (const void *i = item; i != NULL; i = named_of(i, counter).next) {
        if (strcmp(named_of(i, counter).name, name) == 0)
            sum += value_of(i, counter);
    }
    km_buf_puts(out, name);
    km_buf_putc(out, ' ');
    if (counter)
        km_buf_put_u64(out, sum);
    else
        put_signed(out, (int64_t)sum, 0);
    km_buf_putc(out, '\n');
}

/* The first of the next family, from item on. */
static const void *next_family(const void *item, bool counter)
{
    while (item != NULL &&
           (family_of(named_of(item, counter).name).len == 0 || family_seen_before(item, counter)))
        item = named_of(item, counter).next;
    return item;
}

static bool put_list(struct km_metrics_cursor *cursor, struct km_buf *out, bool counter)
{
    const void *item = cursor->item;

    if (cursor->index == 0) {
        cursor->index = 1;
        cursor->family = item = next_family(first_of(counter), counter);
    }
    if (item == NULL)
        return false;
    struct named family = named_of(cursor->family, counter);
    if (item == cursor->family)
        put_head(out, cursor->format, family_of(family.name), family.help,
                 counter ? KM_SAMPLE_COUNTER : KM_SAMPLE_GAUGE);
    put_named(out, cursor->family, item, counter);
    do
        item = named_of(item, counter).next;
    while (item != NULL && !same_family(named_of(item, counter).name, family.name));
    if (item == NULL)
        cursor->family = item = next_family(family.next, counter);
    cursor->item = item;
    return true;
}

/* ---- collectors ---- */

static void put_name(struct km_buf *out, const struct km_sample *sample, const char *suffix)
{
    km_buf_puts(out, sample->family);
    km_buf_puts(out, suffix);
    if (sample->label_buf.len > 0)
        km_buf_printf(out, "{%s}", sample->labels);
    km_buf_putc(out, ' ');
}

static void put_bucket(struct km_buf *out, const struct km_sample *sample, unsigned place,
                       uint64_t value, bool open)
{
    km_buf_puts(out, sample->family);
    km_buf_puts(out, "_bucket{");
    km_buf_puts(out, sample->labels);
    km_buf_puts(out, sample->label_buf.len > 0 ? ",le=\"" : "le=\"");
    if (place < sample->scale.count)
        put_bound(out, sample->scale.bounds[place], sample->scale.decimals, open);
    else
        km_buf_puts(out, "+Inf");
    km_buf_puts(out, "\"} ");
    km_buf_put_u64(out, value);
    km_buf_putc(out, '\n');
}

static void put_histogram(struct km_buf *out, const struct km_sample *sample, bool open)
{
    uint64_t below = 0;

    for (unsigned i = 0; i <= sample->scale.count; i++) {
        below += sample->histogram.buckets[i];
        put_bucket(out, sample, i, below, open);
    }
    put_name(out, sample, "_sum");
    put_decimal(out, sample->histogram.sum, sample->decimals);
    km_buf_putc(out, '\n');
    put_name(out, sample, "_count");
    km_buf_put_u64(out, sample->histogram.count);
    km_buf_putc(out, '\n');
}

static void put_sample(struct km_metrics_cursor *cursor, struct km_buf *out,
                       const struct km_sample *sample)
{
    if (cursor->last_family == NULL || strcmp(cursor->last_family, sample->family) != 0)
        put_head(out, cursor->format, km_slice_of(sample->family), sample->help, sample->type);
    cursor->last_family = sample->family;
    if (sample->label_buf.overflow)
        return;
    if (sample->type == KM_SAMPLE_HISTOGRAM) {
        put_histogram(out, sample, cursor->format == KM_METRICS_OPENMETRICS);
        return;
    }
    put_name(out, sample, "");
    put_signed(out, sample->value, sample->decimals);
    km_buf_putc(out, '\n');
}

static bool put_collected(struct km_metrics_cursor *cursor, struct km_buf *out)
{
    const struct km_collector *c = cursor->item == NULL ? collectors : cursor->item;
    struct km_sample sample;

    memset(&sample, 0, sizeof sample);
    km_buf_init(&sample.label_buf, sample.labels, sizeof sample.labels);
    while (c != NULL && !c->sample(c->ctx, cursor->index, &sample)) {
        c = c->next;
        cursor->index = 0;
    }
    cursor->item = c;
    if (c == NULL)
        return false;
    put_sample(cursor, out, &sample);
    cursor->index++;
    return true;
}

/* ---- the text ---- */

enum stage { POOLS, COUNTERS, GAUGES, COLLECTORS, TAIL, DONE };

void km_metrics_begin(struct km_metrics_cursor *cursor, enum km_metrics_format format)
{
    *cursor = (struct km_metrics_cursor){.format = format};
}

static bool put_next(struct km_metrics_cursor *cursor, struct km_buf *out)
{
    switch (cursor->stage) {
    case POOLS:
        return put_pool(cursor, out);
    case COUNTERS:
    case GAUGES:
        return put_list(cursor, out, cursor->stage == COUNTERS);
    case COLLECTORS:
        return put_collected(cursor, out);
    default:
        if (cursor->format == KM_METRICS_OPENMETRICS)
            km_buf_puts(out, "# EOF\n");
        return false;
    }
}

int km_metrics_next(struct km_metrics_cursor *cursor, struct km_buf *out)
{
    const size_t start = out->len;

    while (cursor->stage != DONE) {
        const struct km_metrics_cursor before = *cursor;
        size_t len = out->len;
        bool more = put_next(cursor, out);

        if (out->overflow) {
            /* The text before it stays: it is a prefix of whole samples. */
            *cursor = before;
            out->len = len;
            if (out->size > 0)
                out->data[len] = '\0';
            out->overflow = false;
            return len > start ? KM_AGAIN : KM_ERR_TOO_LONG;
        }
        if (more)
            continue;
        cursor->stage++;
        cursor->index = 0;
        cursor->family = cursor->item = NULL;
    }
    return KM_EOF;
}

int km_metrics_write(struct km_buf *out)
{
    struct km_metrics_cursor cursor;

    km_metrics_begin(&cursor, KM_METRICS_PROMETHEUS);
    if (km_metrics_next(&cursor, out) == KM_EOF)
        return KM_OK;
    out->overflow = true;
    return KM_ERR_TOO_LONG;
}
