/* SPDX-License-Identifier: Apache-2.0 */
/* What each metric means, in one place: the rooms that count know names alone. */
#include "kubemote/km_metrics.h"

static const struct {
    const char *family, *help;
} texts[] = {
    {"kubemote_build_info", "1, with the program's version."},
    {"kubemote_cache_incomplete", "1 while objects are left out for want of room."},
    {"kubemote_credentials_reloaded_total", "Times changed credentials were taken into use."},
    {"kubemote_events_lost_total", "Kubernetes events dropped or refused."},
    {"kubemote_events_sent_total", "Kubernetes events that the server took."},
    {"kubemote_events_spam_total", "Kubernetes events held back, their source sent too many."},
    {"kubemote_hostile_answers_total", "Answers that no API server would send."},
    {"kubemote_http_answers_refused_total", "Responses that break RFC 9112."},
    {"kubemote_http_head_too_large_total", "Responses with a head beyond KM_NET_HEAD_BYTES."},
    {"kubemote_http_request_too_large_total", "Requests not sent, beyond KM_NET_TX_BYTES."},
    {"kubemote_lease_age_seconds", "Time since the lease was renewed, -1: never."},
    {"kubemote_lease_renewals_total", "Renewals of the node's lease."},
    {"kubemote_links_suspected_total", "Times all connections were dropped as one seemed dead."},
    {"kubemote_log_lines_cut_total", "Log lines longer than KM_LOG_LINE_BYTES."},
    {"kubemote_log_suppressed_total", "Log lines left out, their place wrote too many."},
    {"kubemote_log_write_errors_total", "Log lines that could not be written."},
    {"kubemote_loop_timers_refused_total", "Timers beyond KM_TIMER_COUNT."},
    {"kubemote_metrics_file_errors_total", "Failed writes of the metrics file."},
    {"kubemote_net_connect_failures_total", "TCP connections that failed."},
    {"kubemote_net_handshake_failures_total", "Connections that ended in the TLS handshake."},
    {"kubemote_net_stale_connections_total", "Requests on kept connections that were closed."},
    {"kubemote_net_timeouts_total", "Steps of connections that took too long."},
    {"kubemote_node_ready", "1 since the server accepted the Node as Ready."},
    {"kubemote_node_writes_total", "Writes of the Node and its status."},
    {"kubemote_pods_finished_total", "Pods whose deletion was finished."},
    {"kubemote_pool_max", "Most elements of the pool ever in use."},
    {"kubemote_pool_refused_total", "Elements refused by a full pool."},
    {"kubemote_pool_size", "Elements of the pool."},
    {"kubemote_pool_used", "Elements of the pool in use."},
    {"kubemote_request_failures_total", "Requests that no usable answer came to."},
    {"kubemote_requests_total", "Requests sent to the server."},
    {"kubemote_serve_dropped_total", "Scrapers dropped for being slow or to make room."},
    {"kubemote_serve_refused_total", "Requests to this endpoint that were refused."},
    {"kubemote_serve_requests_total", "Requests to this endpoint that were answered."},
    {"kubemote_time_seconds", "Unix time when the metrics were written."},
    {"kubemote_tls_arena_max_bytes", "Most bytes of the TLS arena in use."},
    {"kubemote_tls_arena_refused", "TLS handshakes that failed for want of memory."},
    {"kubemote_tls_handshakes_failed", "TLS handshakes that failed."},
    {"kubemote_tls_handshakes_full", "TLS handshakes with certificates."},
    {"kubemote_tls_handshakes_resumed", "TLS handshakes that resumed a kept session."},
    {"kubemote_tls_slots_max", "Most record buffers in use."},
    {"kubemote_watch_age_seconds", "Time since a watch's last event, -1: none yet."},
    {"kubemote_watch_events_total", "Events that watches brought."},
    {"kubemote_watch_lists_total", "Lists that were read whole."},
    {"kubemote_watch_refused_total", "Objects refused by a full table."},
    {"kubemote_watch_restarts_total", "Watches begun again."},
    {"kubemote_watch_cut_total", "Objects that lack their last fields, too large for the window."},
    {"kubemote_watch_skipped_total", "Objects passed over, without a name."},
    {"process_cpu_seconds_total", "Total user and system CPU time spent in seconds."},
    {"process_resident_memory_bytes", "Resident memory size in bytes."},
    {"process_start_time_seconds", "Start time of the process since unix epoch in seconds."},
    {"process_virtual_memory_bytes", "Virtual memory size in bytes."},
    {"rest_client_request_duration_seconds", "Request latency in seconds."},
    {"rest_client_request_retries_total", "Number of request retries."},
    {"rest_client_request_size_bytes", "Request size in bytes."},
    {"rest_client_requests_total", "Number of HTTP requests."},
    {"rest_client_response_size_bytes", "Response size in bytes."},
};

const char *km_metrics_help(struct km_slice family)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (km_slice_eq_str(family, texts[i].family))
            return texts[i].help;
    }
    return NULL;
}
