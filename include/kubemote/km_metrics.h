/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room metrics: the pools and counters of km_base.h and a list of gauges as Prometheus text
 * (exposition format 0.0.4), and a file that is rewritten with it now and then, for node_exporter's
 * textfile collector. Integers only. No heap.
 */
#ifndef KM_METRICS_H
#define KM_METRICS_H

#include "km_base.h"

/* A value that is asked for when metrics are written. Registered once at start-up; the caller's
   memory, for ever. */
struct km_gauge {
    const char
        *name; /* labels are part of it, Prometheus' form: kubemote_build_info{version="0.1.0"} */
    const char *help; /* one sentence, or NULL: made from the name */
    int64_t (*value)(void *ctx);
    void *ctx;
    struct km_gauge *next;
};

void km_gauge_register(struct km_gauge *gauge);

/*
 * Appends all metrics: # HELP and # TYPE once per family, its samples together, families in the
 * order in which their first member was registered. A pool named x appears as
 * kubemote_pool_size{pool="x"}, kubemote_pool_used, kubemote_pool_max and
 * kubemote_pool_refused_total. Pools of one name, and counters or gauges of one name with the same
 * labels, are added up, because Prometheus refuses a text that holds a sample twice. A name that
 * Prometheus would refuse is left out. KM_OK, or KM_ERR_TOO_LONG when out is full: then its text
 * must not be used.
 */
int km_metrics_write(struct km_buf *out);

/* The file. Zero before km_metrics_file_start; the caller's memory until km_metrics_file_stop. */
struct km_metrics_file {
    const char *path;
    int64_t interval_ms;
    struct km_timers *timers;
    struct km_timer timer;
    bool failing; /* said so in the log; until the next success not again */
};

/*
 * Writes the metrics to path at the next run of timers and then every interval_ms (at least 1000),
 * each time whole, by rename (km_port_file_replace). path is kept, not copied; node_exporter reads
 * names that end in ".prom". A text that does not fit CONFIG_KM_METRICS_TEXT_BYTES or a file that
 * can't be written leaves the former file as it is, counts kubemote_metrics_file_errors_total and
 * logs once per episode. KM_OK, or KM_ERR_FULL when timers is full.
 */
int km_metrics_file_start(struct km_metrics_file *file, struct km_timers *timers, const char *path,
                          int64_t interval_ms, int64_t now_ms);
/* Writes now; blocks for the disk. KM_OK, KM_ERR_TOO_LONG, or what km_port_file_replace says. */
int km_metrics_file_write(struct km_metrics_file *file);
/* No further writes. The file stays. */
void km_metrics_file_stop(struct km_metrics_file *file);

#endif
