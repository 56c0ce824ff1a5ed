/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_log.h"
#include "kubemote/km_metrics.h"
#include "kubemote/km_port.h"

static char text[CONFIG_KM_METRICS_TEXT_BYTES] KM_POOL_STORAGE(metrics_text);

static struct km_counter errors_total = {
    .name = "kubemote_metrics_file_errors_total",
};

static int next_piece(void *ctx, struct km_slice *piece)
{
    struct km_buf out;
    int more;

    km_buf_init(&out, text, sizeof text);
    more = km_metrics_next(ctx, &out);
    *piece = km_buf_slice(&out);
    return more;
}

int km_metrics_file_write(struct km_metrics_file *file)
{
    struct km_metrics_cursor cursor;
    int err;

    km_metrics_begin(&cursor, KM_METRICS_PROMETHEUS);
    err = km_port_file_replace_by(file->path, next_piece, &cursor);
    if (err < 0) {
        errors_total.value++;
        if (!file->failing)
            KM_ERROR("Metrics file not written", km_strerror(err), KM_S("path", file->path));
        file->failing = true;
        return err;
    }
    if (file->failing)
        KM_INFO("Metrics file written again", KM_S("path", file->path));
    file->failing = false;
    return KM_OK;
}

static void on_timer(void *ctx, int64_t now_ms)
{
    struct km_metrics_file *file = ctx;

    (void)km_metrics_file_write(file);
    /* Its place in the heap was freed for this call, so setting it again can't fail. */
    (void)km_timer_set(file->timers, &file->timer, now_ms + file->interval_ms);
}

int km_metrics_file_start(struct km_metrics_file *file, struct km_timers *timers, const char *path,
                          int64_t interval_ms, int64_t now_ms)
{
    km_counter_register(&errors_total);
    file->path = path;
    file->interval_ms = interval_ms < 1000 ? 1000 : interval_ms;
    file->timers = timers;
    file->timer.fn = on_timer;
    file->timer.ctx = file;
    file->failing = false;
    return km_timer_set(timers, &file->timer, now_ms);
}

void km_metrics_file_stop(struct km_metrics_file *file)
{
    if (file->timers != NULL)
        km_timer_stop(file->timers, &file->timer);
}
