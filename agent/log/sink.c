/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_log_sink.h"
#include "kubemote/km_port.h"
#include "log_priv.h"

#define QUARTER_HOUR_US (INT64_C(900) * 1000000)

/* One place in the source. `file` is compared as a pointer: it is the literal that __FILE__ made
   there. */
struct site {
    const char *file;
    int line;
    uint32_t suppressed;
    int64_t credit_ms; /* CONFIG_KM_LOG_REFILL_MS buys one line */
    int64_t used_ms;
};

static struct site sites[CONFIG_KM_LOG_SITE_COUNT] KM_POOL_STORAGE(log_sites);
/* A syslog line has a tag in front. */
static char text[KM_LOG_TAG_BYTES + CONFIG_KM_LOG_LINE_BYTES] KM_POOL_STORAGE(log_line);

static struct km_pool site_pool = {.name = "log_site", .size = CONFIG_KM_LOG_SITE_COUNT};
static struct km_counter suppressed_total = {
    .name = "kubemote_log_suppressed_total",
};
static struct km_counter cut_total = {
    .name = "kubemote_log_lines_cut_total",
};
static struct km_counter write_errors_total = {
    .name = "kubemote_log_write_errors_total",
};

static struct {
    enum km_log_format format;
    uint32_t lost;          /* lines that nobody took since the last one that was written */
    int64_t offset_quarter; /* the quarter hour that utc_offset_s was asked for */
    int32_t utc_offset_s;
    uint32_t pid;
} sink;

static struct site *find_site(const struct km_log_record *record)
{
    struct site *oldest = &sites[0];

    for (size_t i = 0; i < CONFIG_KM_LOG_SITE_COUNT; i++) {
        struct site *s = &sites[i];

        if (s->file == record->file && s->line == record->line)
            return s;
        if (s->file == NULL) {
            s->credit_ms = (int64_t)CONFIG_KM_LOG_BURST_COUNT * CONFIG_KM_LOG_REFILL_MS;
            km_pool_take(&site_pool, 1);
            oldest = s;
            break;
        }
        if (s->used_ms < oldest->used_ms)
            oldest = s;
    }
    if (oldest->file != NULL)
        km_pool_refuse(&site_pool);
    /* The bucket stays: places that take turns in too small a table must not get a fresh one each
       time. */
    oldest->file = record->file;
    oldest->line = record->line;
    oldest->suppressed = 0;
    return oldest;
}

static bool take_line(struct site *s, int64_t now_ms)
{
    const int64_t full_ms = (int64_t)CONFIG_KM_LOG_BURST_COUNT * CONFIG_KM_LOG_REFILL_MS;
    int64_t passed_ms = now_ms - s->used_ms;

    s->used_ms = now_ms;
    if (passed_ms > full_ms - s->credit_ms)
        s->credit_ms = full_ms;
    else if (passed_ms > 0)
        s->credit_ms += passed_ms;
    if (s->credit_ms < CONFIG_KM_LOG_REFILL_MS)
        return false;
    s->credit_ms -= CONFIG_KM_LOG_REFILL_MS;
    return true;
}

static int32_t utc_offset(int64_t wall_us)
{
    int64_t quarter = wall_us / QUARTER_HOUR_US;

    /* Zones change their offset at full quarter hours only; the port reads a file to tell it. */
    if (quarter != sink.offset_quarter) {
        sink.offset_quarter = quarter;
        sink.utc_offset_s = km_port_utc_offset(wall_us);
    }
    return sink.utc_offset_s;
}

static size_t format_line(char *out, const struct km_log_record *record,
                          const struct km_log_text_head *head)
{
    bool cut;
    size_t len = KM_LOG_HAS_JSON && sink.format == KM_LOG_JSON
                     ? km_log_json_format(out, CONFIG_KM_LOG_LINE_BYTES, record, head, &cut)
                     : km_log_text_format(out, CONFIG_KM_LOG_LINE_BYTES, record, head, &cut);

    if (cut)
        cut_total.value++;
    return len;
}

static void write_text(void *ctx, const struct km_log_record *record)
{
    struct km_log_text_head head = {.pid = sink.pid};
    struct site *site = find_site(record);
    int64_t now_ms = km_port_now_ms();
    size_t len;

    (void)ctx;
    if (!take_line(site, now_ms) && record->severity != 'F') {
        site->suppressed++;
        suppressed_total.value++;
        return;
    }
    head.wall_us = km_port_wall_us();
    head.utc_offset_s = sink.format == KM_LOG_JSON ? 0 : utc_offset(head.wall_us);
    head.suppressed = site->suppressed + sink.lost;
    len = format_line(text + KM_LOG_TAG_BYTES, record, &head);
    site->suppressed = 0;
    if (km_log_output_write(text, len, record->severity, now_ms) < 0) {
        write_errors_total.value++;
        sink.lost = head.suppressed + 1;
    } else {
        sink.lost = 0;
    }
}

static void start(enum km_log_format format, int verbosity)
{
    const struct km_log_sink front = {.write = write_text, .verbosity = verbosity};

    for (size_t i = 0; i < CONFIG_KM_LOG_SITE_COUNT; i++)
        sites[i] = (struct site){0};
    site_pool.used = 0;
    sink.format = format;
    sink.lost = 0;
    sink.pid = km_port_pid();
    sink.offset_quarter = INT64_MIN;
    km_pool_register(&site_pool);
    km_counter_register(&suppressed_total);
    km_counter_register(&cut_total);
    km_counter_register(&write_errors_total);
    km_log_set_sink(&front);
}

void km_log_init(const struct km_log_options *options)
{
    km_log_output_open(options, 2);
    start(options->format, options->verbosity);
}

void km_log_text_init(int fd, int verbosity)
{
    km_log_output_open(&(struct km_log_options){.output = ""}, fd);
    start(KM_LOG_TEXT, verbosity);
}
