/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room log: klog's text format for the records of km_log.h, and a sink that writes it to a file
 * descriptor. The format is that of k8s.io/klog/v2: `Lmmdd hh:mm:ss.uuuuuu ppppppp file:line]
 * "message" err="..." key=value ...`, local time, strings quoted as Go's strconv.Quote does, values
 * with line breaks as `key=<`, indented lines, ` >`; of two pairs with the same key the last one
 * stays (the first one when both read the same). No heap; storage is static.
 */
#ifndef KM_LOG_SINK_H
#define KM_LOG_SINK_H

#include "km_log.h"

/* What a line needs beside its record. */
struct km_log_text_head {
    int64_t wall_us;      /* Unix time, microseconds */
    int32_t utc_offset_s; /* local time minus UTC, seconds */
    uint32_t pid;
    uint32_t suppressed; /* > 0 adds the pair suppressed=N at the end */
};

/*
 * Formats one record into out, its end of line included, no NUL. Returns the number of bytes, at
 * most out_size. A longer record is cut between two characters and ends in " [truncated N chars]",
 * N in bytes; *cut (may be NULL) tells so. A record of several lines is bounded and cut as a whole.
 * out_size >= 128.
 */
size_t km_log_text_format(char *out, size_t out_size, const struct km_log_record *record,
                          const struct km_log_text_head *head, bool *cut);

/*
 * Sets the process's log sink: text to fd (usually 2) through km_port_write, records of KM_V(n) up
 * to verbosity. May be called again. Writing blocks as long as the descriptor does.
 *
 * Each place in the source (file and line) has a bucket of CONFIG_KM_LOG_BURST_COUNT lines,
 * refilled by one per CONFIG_KM_LOG_REFILL_MS; a line beyond is suppressed, and the next one of
 * that place that is written says how many were (suppressed=N). F records are never suppressed.
 * CONFIG_KM_LOG_SITE_COUNT places are watched, the least recently used one gives way and leaves its
 * bucket to its successor.
 *
 * Counters: kubemote_log_suppressed_total, kubemote_log_lines_cut_total,
 * kubemote_log_write_errors_total; pool log_site.
 */
void km_log_text_init(int fd, int verbosity);

#endif
