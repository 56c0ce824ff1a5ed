/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "km_sim_http.h"
#include "sim_priv.h"

#define HANDLERS 8

struct handler {
    km_sim_handler fn;
    void *ctx;
};

struct inbox {
    char data[KM_SIM_REQUEST_BYTES + 1];
    size_t len;
    uint32_t number;
};

static struct handler handlers[HANDLERS];
static size_t handler_next;
static struct inbox inboxes[KM_SIM_CONNS];
static uint32_t requests;

uint32_t km_sim_http_requests(void)
{
    return requests;
}

static struct inbox *inbox_of(int conn_id)
{
    int slot = km_sim_slot(conn_id);

    if (slot < 0)
        sim_die("connection %d is closed", conn_id);
    return &inboxes[slot];
}

static void on_connect(void *ctx, int conn_id)
{
    (void)ctx;
    inbox_of(conn_id)->len = 0;
    inbox_of(conn_id)->number = 0;
}

bool km_sim_request_is(const struct km_sim_request *rq, const char *method,
                       const char *target_prefix)
{
    return strcmp(rq->method, method) == 0 &&
           strncmp(rq->target, target_prefix, strlen(target_prefix)) == 0;
}

bool km_sim_request_header(const struct km_sim_request *rq, const char *name, char *out,
                           size_t out_size)
{
    for (const char *line = rq->head; *line != '\0';) {
        const char *end = strstr(line, "\r\n"), *colon = strchr(line, ':');

        if (end == NULL || colon == NULL || colon > end)
            sim_die("a malformed header line in a request: %.60s", line);
        if (km_slice_eq_nocase((struct km_slice){line, (size_t)(colon - line)}, name)) {
            struct km_slice value = {colon + 1, (size_t)(end - colon - 1)};

            return km_slice_copy(km_slice_trim(value), out, out_size) == KM_OK;
        }
        line = end + 2;
    }
    return false;
}

bool km_sim_request_query(const struct km_sim_request *rq, const char *name, char *out,
                          size_t out_size)
{
    const char *at = strchr(rq->target, '?');
    size_t name_len = strlen(name);

    while (at != NULL) {
        at++;
        if (strncmp(at, name, name_len) == 0 && at[name_len] == '=') {
            struct km_slice value = {at + name_len + 1, strcspn(at + name_len + 1, "&")};

            return km_slice_copy(value, out, out_size) == KM_OK;
        }
        at = strchr(at, '&');
    }
    return false;
}

/* Cuts the first whole request off; false when it is not complete yet. */
static bool take_request(const struct handler *h, int conn_id, struct inbox *in)
{
    struct km_sim_request rq = {.conn_id = conn_id};
    char *end = strstr(in->data, "\r\n\r\n"), *space, *version, length[24];
    uint64_t body_len = 0;
    size_t total;

    if (end == NULL)
        return false;
    rq.head = strstr(in->data, "\r\n") + 2;
    if (end + 2 < rq.head)
        rq.head = end + 2;
    /* The header lines end with an empty line: cut it off for the time of the look-up. */
    char kept = end[2];
    end[2] = '\0';
    if (km_sim_request_header(&rq, "Content-Length", length, sizeof length) &&
        km_slice_to_u64(km_slice_of(length), &body_len) != KM_OK)
        sim_die("a request with Content-Length %s", length);
    end[2] = kept;
    total = (size_t)(end + 4 - in->data) + (size_t)body_len;
    if (total > KM_SIM_REQUEST_BYTES)
        sim_die("a request of %zu bytes", total);
    if (in->len < total)
        return false;
    end[2] = '\0';
    space = strchr(in->data, ' ');
    version = space == NULL ? NULL : strstr(space + 1, " HTTP/1.1\r\n");
    if (version == NULL || (size_t)(space - in->data) >= sizeof rq.method || space[1] != '/')
        sim_die("a malformed request line: %.80s", in->data);
    memcpy(rq.method, in->data, (size_t)(space - in->data));
    *version = '\0';
    rq.target = space + 1;
    rq.body = (struct km_slice){end + 4, (size_t)body_len};
    rq.number = ++in->number;
    requests++;
    sim_trace("request %d %s %s", conn_id, rq.method, rq.target);
    h->fn(h->ctx, &rq);
    memmove(in->data, in->data + total, in->len - total + 1);
    in->len -= total;
    return true;
}

static void on_bytes(void *ctx, int conn_id, const uint8_t *data, size_t len)
{
    struct inbox *in = inbox_of(conn_id);

    if (len > KM_SIM_REQUEST_BYTES - in->len)
        sim_die("more than %d bytes of requests wait", KM_SIM_REQUEST_BYTES);
    memcpy(in->data + in->len, data, len);
    in->len += len;
    in->data[in->len] = '\0';
    while (km_sim_slot(conn_id) >= 0 && take_request(ctx, conn_id, in))
        ;
}

void km_sim_http_listen(const char *ip, uint16_t port, km_sim_handler handler, void *ctx)
{
    struct handler *h = &handlers[handler_next++ % HANDLERS];
    struct km_sim_server server = {.on_connect = on_connect, .on_bytes = on_bytes, .ctx = h};

    *h = (struct handler){.fn = handler, .ctx = ctx};
    requests = 0;
    km_sim_listen(ip, port, &server);
}

int km_sim_http_reply_with(int conn_id, int status, const char *header_lines, const char *body)
{
    char head[1024];
    int err, len = snprintf(head, sizeof head, "HTTP/1.1 %d Sim\r\nContent-Length: %zu\r\n%s\r\n",
                            status, strlen(body), header_lines);

    if (len < 0 || (size_t)len >= sizeof head)
        sim_die("the header lines are too long");
    err = km_sim_reply(conn_id, head, (size_t)len);
    return err == KM_OK ? km_sim_reply_text(conn_id, body) : err;
}

int km_sim_http_reply(int conn_id, int status, const char *content_type, const char *body)
{
    char line[256];

    (void)snprintf(line, sizeof line, "Content-Type: %s\r\n", content_type);
    return km_sim_http_reply_with(conn_id, status, line, body);
}

int km_sim_http_begin(int conn_id, int status, const char *content_type)
{
    char head[512];

    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 %d Sim\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
                   status, content_type);
    return km_sim_reply_text(conn_id, head);
}

int km_sim_http_chunk(int conn_id, const char *text)
{
    char line[32];
    size_t len = strlen(text);
    int err;

    if (len + sizeof line > km_sim_room(conn_id))
        return km_sim_slot(conn_id) < 0 ? KM_ERR_RESET : KM_ERR_FULL;
    (void)snprintf(line, sizeof line, "%zx\r\n", len);
    err = km_sim_reply_text(conn_id, line);
    if (err == KM_OK)
        err = km_sim_reply(conn_id, text, len);
    return err == KM_OK ? km_sim_reply_text(conn_id, "\r\n") : err;
}

int km_sim_http_end(int conn_id)
{
    return km_sim_reply_text(conn_id, "0\r\n\r\n");
}
