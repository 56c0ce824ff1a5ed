/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.1 server's side for port/sim: takes the agent's requests apart and writes answers. The handler is called with
 * each whole request and answers now, or later (from km_sim_after) by the connection's id.
 *
 *     static void serve(void *ctx, const struct km_sim_request *rq)
 *     {
 *         if (km_sim_request_is(rq, "GET", "/healthz"))
 *             km_sim_http_reply(rq->conn_id, 200, "text/plain", "ok");
 *         else
 *             km_sim_http_reply(rq->conn_id, 404, "text/plain", "no");
 *     }
 *     km_sim_http_listen("*", 6443, serve, NULL);
 */
#ifndef KM_SIM_HTTP_H
#define KM_SIM_HTTP_H

#include "km_sim.h"

#define KM_SIM_REQUEST_BYTES 65536 /* head and body */

struct km_sim_request {
    int conn_id;
    char method[16];
    const char *target; /* with the query, NUL-terminated, valid during the call */
    const char *head;   /* the header lines behind the request line, NUL-terminated */
    struct km_slice body;
    uint32_t number; /* of this connection, 1 = its first */
};

typedef void (*km_sim_handler)(void *ctx, const struct km_sim_request *rq);

/* Serves on ip and port as km_sim_listen; up to 8 handlers. Malformed requests abort the test: the agent must not send any. */
void km_sim_http_listen(const char *ip, uint16_t port, km_sim_handler handler, void *ctx);
/* Requests of all connections since the last km_sim_http_listen on "*" or any address. */
uint32_t km_sim_http_requests(void);

/* The method is equal and the target begins with that text. */
bool km_sim_request_is(const struct km_sim_request *rq, const char *method,
                       const char *target_prefix);
/* Value of a header of the request, trimmed; false when there is none. */
bool km_sim_request_header(const struct km_sim_request *rq, const char *name, char *out,
                           size_t out_size);
/* Value of a query parameter as it stands (not unescaped); false when there is none. */
bool km_sim_request_query(const struct km_sim_request *rq, const char *name, char *out,
                          size_t out_size);

/* An answer with Content-Length. All return km_sim_reply's results. */
int km_sim_http_reply(int conn_id, int status, const char *content_type, const char *body);
/* Further header lines, each with CRLF, or "". */
int km_sim_http_reply_with(int conn_id, int status, const char *header_lines, const char *body);
/* A chunked answer: head, chunks, end. A watch stays open until km_sim_http_end. */
int km_sim_http_begin(int conn_id, int status, const char *content_type);
int km_sim_http_chunk(int conn_id, const char *text);
int km_sim_http_end(int conn_id);

#endif
