/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room log: klog's text and JSON formats for the records of km_log.h, and a sink that writes them to
 * a file descriptor, a file that is rotated, or a syslog socket. The text format is that of k8s.io/klog/v2: `Lmmdd hh:mm:ss.uuuuuu ppppppp file:line]
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
 * The same as a line of JSON, as component-base's logs/json writes it: ts (milliseconds, with a
 * fraction), logger, caller (one folder and the file), msg, the loggers' pairs, v (not for errors),
 * the pairs, err. Pairs of one key are all kept. The line is JSON however long the record is: a text
 * that does not fit ends in " [truncated N chars]", what has no room behind it is left out, and
 * truncated=N at the end says how many bytes that was. out_size >= 256.
 */
size_t km_log_json_format(char *out, size_t out_size, const struct km_log_record *record,
                          const struct km_log_text_head *head, bool *cut);

enum km_log_format { KM_LOG_TEXT, KM_LOG_JSON };

/* What this program was built with, and how its choices are told to people. Without KM_LOG_JSON that format is text. */
#ifdef CONFIG_KM_LOG_JSON
#define KM_LOG_HAS_JSON true
#define KM_LOG_FORMATS "text or json"
#else
#define KM_LOG_HAS_JSON false
#define KM_LOG_FORMATS "text (this program is built without KM_LOG_JSON)"
#endif
#ifdef CONFIG_KM_LOG_FILES
#define KM_LOG_HAS_FILES true
#define KM_LOG_OUTPUTS "stderr, syslog, syslog:/SOCKET or file:/PATH"
#else
#define KM_LOG_HAS_FILES false
#define KM_LOG_OUTPUTS "stderr (this program is built without KM_LOG_FILES)"
#endif

struct km_log_options {
    enum km_log_format format;
    int verbosity; /* records of KM_V(n) up to this are written */
    /* "" or "stderr"; "file:/PATH"; "syslog" or "syslog:/PATH" (a datagram socket, /dev/log). Kept,
       not copied. */
    const char *output;
    uint64_t
        file_bytes;     /* a file is renamed to PATH.1 (that to PATH.2, ...) before it grows larger;
                            0 = never */
    uint8_t file_count; /* how many renamed ones are kept, at most 9 */
};

/* Whether output names one of these. */
bool km_log_output_is_valid(struct km_slice output);

/*
 * Sets the process's log sink. May be called again.
 *
 * Each place in the source (file and line) has a bucket of CONFIG_KM_LOG_BURST_COUNT lines,
 * refilled by one per CONFIG_KM_LOG_REFILL_MS; a line beyond is suppressed, and the next one of
 * that place that is written says how many were (suppressed=N). F records are never suppressed.
 * CONFIG_KM_LOG_SITE_COUNT places are watched, the least recently used one gives way and leaves its
 * bucket to its successor.
 *
 * A reader that does not read (a full pipe or socket) costs at most 10 ms once, then its lines are
 * dropped until it reads again; the next line that is written counts them, too (suppressed=N).
 * Files block as long as the disk does. What can't be opened is tried again with the next line that
 * comes a second later; standard error gets the lines meanwhile.
 *
 * Counters: kubemote_log_suppressed_total, kubemote_log_lines_cut_total,
 * kubemote_log_write_errors_total; pool log_site.
 */
void km_log_init(const struct km_log_options *options);
/* Text to an open descriptor (usually 2). */
void km_log_text_init(int fd, int verbosity);

#endif
