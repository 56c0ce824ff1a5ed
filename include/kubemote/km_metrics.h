/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room metrics: the pools and counters of km_base.h, gauges, and what collectors tell (histograms
 * among them), as Prometheus text (exposition format 0.0.4) or OpenMetrics text (1.0.0); a file that
 * is rewritten with it now and then, for node_exporter's textfile collector; a small HTTP server for
 * /metrics and the health endpoints. Static memory, integers, no heap.
 */
#ifndef KM_METRICS_H
#define KM_METRICS_H

#include "km_base.h"
#include "km_port.h"

/* ---- what is measured ---- */

/* A value that is asked for when metrics are written. Registered once at start-up; the caller's
   memory, for ever. */
struct km_gauge {
    const char
        *name; /* labels are part of it, Prometheus' form: kubemote_build_info{version="0.1.0"} */
    const char *help; /* one sentence, or NULL: km_metrics_help has it */
    int64_t (*value)(void *ctx);
    void *ctx;
    struct km_gauge *next;
};

void km_gauge_register(struct km_gauge *gauge);

/* Bounds of a histogram, ascending, in units of 10^-decimals. */
#define KM_HISTOGRAM_BOUNDS 12
struct km_scale {
    uint8_t count, decimals;
    int64_t bounds[KM_HISTOGRAM_BOUNDS];
};

struct km_histogram {
    uint64_t
        buckets[KM_HISTOGRAM_BOUNDS + 1]; /* not cumulative; the one behind the last bound last */
    uint64_t count, sum;
};

void km_histogram_observe(struct km_histogram *histogram, const struct km_scale *scale,
                          uint64_t value);

enum km_sample_type { KM_SAMPLE_COUNTER, KM_SAMPLE_GAUGE, KM_SAMPLE_HISTOGRAM };

#define KM_SAMPLE_LABELS_SIZE 512
/* One sample as a collector tells it. */
struct km_sample {
    const char *family; /* counters with their _total */
    const char *help;   /* NULL: km_metrics_help has it */
    enum km_sample_type type;
    uint8_t decimals; /* value, and a histogram's sum, are in units of 10^-decimals */
    int64_t value;
    struct km_scale scale;
    struct km_histogram histogram;
    char labels[KM_SAMPLE_LABELS_SIZE]; /* by km_sample_label */
    struct km_buf label_buf;            /* over labels; of km_metrics_next */
};

/* Appends name="value", escaped. */
void km_sample_label(struct km_sample *sample, const char *name, const char *value);

/* Whoever knows a number of samples. Asked for index 0, 1, ... until it returns false; samples of one
   family come one after another, and no other collector has that family. `out` is empty before. The
   caller's memory, for ever. */
struct km_collector {
    bool (*sample)(void *ctx, unsigned index, struct km_sample *out);
    void *ctx;
    struct km_collector *next;
};

void km_collector_register(struct km_collector *collector);

/* What a metric of this project means, one sentence each; NULL for an unknown name. */
const char *km_metrics_help(struct km_slice family);

/* ---- as text ---- */

enum km_metrics_format { KM_METRICS_PROMETHEUS, KM_METRICS_OPENMETRICS };
#define KM_METRICS_TYPE_PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"
#define KM_METRICS_TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* OpenMetrics when an Accept header names it with a weight that is not less than that of text. */
enum km_metrics_format km_metrics_choose(struct km_slice accept);

/* How far the text was written. Metrics that are registered meanwhile may appear or not. */
struct km_metrics_cursor {
    enum km_metrics_format format;
    uint8_t stage;
    unsigned index;
    const void *family, *item;
    const char *last_family;
};

void km_metrics_begin(struct km_metrics_cursor *cursor, enum km_metrics_format format);
/*
 * Appends the next samples, as many as fit whole. KM_AGAIN: there are more; KM_EOF: that was all;
 * KM_ERR_TOO_LONG: one sample alone does not fit an empty buffer (2 kB and 14 times its labels are
 * enough).
 *
 * # HELP and # TYPE stand once per family, its samples together, families in the order in which
 * their first member was registered. A pool named x appears as kubemote_pool_size{pool="x"},
 * kubemote_pool_used, kubemote_pool_max and kubemote_pool_refused_total. Pools of one name, and
 * counters or gauges of one name with the same labels, are added up, because Prometheus refuses a
 * text that holds a sample twice. A name that Prometheus would refuse is left out.
 */
int km_metrics_next(struct km_metrics_cursor *cursor, struct km_buf *out);
/* All of it in Prometheus' format. KM_OK, or KM_ERR_TOO_LONG when out is full: then its text must
   not be used. */
int km_metrics_write(struct km_buf *out);

/* ---- the file ---- */

/* Zero before km_metrics_file_start; the caller's memory until km_metrics_file_stop. */
struct km_metrics_file {
    const char *path;
    int64_t interval_ms;
    struct km_timers *timers;
    struct km_timer timer;
    bool failing; /* said so in the log; until the next success not again */
};

/*
 * Writes the metrics to path at the next run of timers and then every interval_ms (at least 1000),
 * each time whole, by rename (km_port_file_replace_by). path is kept, not copied; node_exporter reads
 * names that end in ".prom". A sample that does not fit CONFIG_KM_METRICS_TEXT_BYTES or a file that
 * can't be written leaves the former file as it is, counts kubemote_metrics_file_errors_total and
 * logs once per episode. KM_OK, or KM_ERR_FULL when timers is full.
 */
int km_metrics_file_start(struct km_metrics_file *file, struct km_timers *timers, const char *path,
                          int64_t interval_ms, int64_t now_ms);
/* Writes now; blocks for the disk. KM_OK, KM_ERR_TOO_LONG, or what km_port_file_replace_by says. */
int km_metrics_file_write(struct km_metrics_file *file);
/* No further writes. The file stays. */
void km_metrics_file_stop(struct km_metrics_file *file);

/* ---- collectors ---- */

struct km_queue;
/* The metrics of queues under client-go's names. queues is kept, not copied. */
struct km_queue_collector {
    const struct km_queue *const *queues;
    unsigned count;
    struct km_collector collector;
};
void km_queue_collector_register(struct km_queue_collector *c);

/* Requests to the API server under client-go's names, for one server. host is kept, not copied. */
void km_rest_metrics_register(const char *host);
/* A response's head came after that time, or none (status 0). verb: "GET", ... */
void km_rest_metrics_answer(const char *verb, uint16_t status, int64_t milliseconds,
                            uint64_t request_bytes);
void km_rest_metrics_body(const char *verb, uint64_t response_bytes);
void km_rest_metrics_retry(const char *verb, uint16_t status);

/* process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes,
   process_start_time_seconds (the time of this call). */
void km_process_metrics_register(void);

/* ---- requests to the server ---- */

#define KM_SERVE_TARGET_BYTES 256

enum km_serve_path {
    KM_SERVE_UNKNOWN,
    KM_SERVE_METRICS,
    KM_SERVE_HEALTHZ,
    KM_SERVE_READYZ,
    KM_SERVE_LIVEZ
};

/*
 * A request's head, fed as it comes. Refused as KM_ERR_PROTOCOL: a bare LF or CR, blanks where none
 * may be, control bytes, folded headers, a version other than HTTP/1.0 and 1.1, a second or missing
 * Host (HTTP/1.1), Transfer-Encoding, a Content-Length that is not 0 (nothing here takes a body).
 * KM_ERR_TOO_LONG: a head of more than CONFIG_KM_SERVE_HEAD_BYTES, or a longer target than
 * KM_SERVE_TARGET_BYTES.
 */
struct km_serve_request {
    uint16_t len; /* of line */
    uint16_t head_bytes;
    uint8_t state;
    uint8_t hosts, minor;
    bool get, head; /* the method; neither: another one */
    bool close, keep_alive, openmetrics, verbose;
    bool after_cr;
    bool has_body;  /* refused, with a better answer than 400 */
    int16_t failed; /* the error that was reported: it stays */
    enum km_serve_path path;
    char line[512]; /* a longer header line is cut: only those that are known matter */
};

void km_serve_request_init(struct km_serve_request *r);
/* Takes bytes from *in (advances it) until the head is complete: KM_OK; KM_AGAIN: more is needed;
   KM_ERR_PROTOCOL, KM_ERR_TOO_LONG: the connection must be closed. Feeding whole or cut anywhere
   gives the same. */
int km_serve_request_feed(struct km_serve_request *r, struct km_slice *in);

/* ---- the server ---- */

/* A check of /readyz (ready) or /livez (live) or both; /healthz has those of /livez. False: not well;
   *why may say why, static text. */
struct km_check {
    const char *name;
    bool live, ready;
    bool (*well)(void *ctx, const char **why);
    void *ctx;
};

struct km_serve_options {
    /* "127.0.0.1:10255", "[::1]:10255", or "unix:/PATH"; port 0: any free one. Kept. */
    const char *listen;
    const struct km_check *checks; /* kept */
    unsigned check_count;
};

/* Whether this program was built with the server, and how its choices are told to people. */
#ifdef CONFIG_KM_SERVE
#define KM_HAS_SERVE true
#define KM_SERVE_FORMS "an address with a port (127.0.0.1:10255, [::1]:10255) or unix:/PATH"
#else
#define KM_HAS_SERVE false
#define KM_SERVE_FORMS "empty (this program is built without KM_SERVE)"
#endif

/* Whether listen is of one of these forms. */
bool km_serve_address_is_valid(struct km_slice listen);

/*
 * Opens the listening socket. One server per process. KM_ERR_CONFIG with words: taken, not ours, no
 * such folder.
 *
 * GET and HEAD of /metrics, /healthz, /readyz, /livez (?verbose lists the checks); keep-alive,
 * pipelined requests one after another. At most CONFIG_KM_SERVE_CONN_COUNT connections; when all are
 * taken the newcomer replaces the one that has been without a whole request for longest, at least a
 * second, or that has not read its answer for two, else it waits to be accepted. A head must come within 5 s, a connection rests for at most 60 s
 * between requests, and an answer that nobody reads for 10 s or that takes more than 60 s is dropped.
 *
 * Counters: kubemote_serve_requests_total, kubemote_serve_refused_total, kubemote_serve_dropped_total;
 * pool serve.
 */
int km_serve_start(const struct km_serve_options *options, struct km_fault *fault);
void km_serve_stop(void);
/* The port that it listens on, 0 for a path. */
uint16_t km_serve_port(void);

/* For a loop: what to poll, when km_serve_step is due at the latest, and that step. */
#define KM_SERVE_FDS (1 + CONFIG_KM_SERVE_CONN_COUNT)
void km_serve_poll(struct km_pollfd fds[KM_SERVE_FDS]);
int64_t km_serve_deadline(void);
/* Bounded work; never blocks. */
void km_serve_step(const struct km_pollfd fds[KM_SERVE_FDS], int64_t now_ms);

#endif
