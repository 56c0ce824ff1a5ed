/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers in the log, as client-go's debugging round tripper shows them at levels 6 to 10. */
#include <string.h>

#include "kube_priv.h"
#include "kubemote/km_log.h"

#define URL_BYTES 640
#define VERSION_BYTES 9 /* "HTTP/1.1 " */

/* Cut when it is longer than any line of the log. */
static const char *url_of(const struct km_client *client, const struct km_request *r,
                          char out[URL_BYTES])
{
    struct km_slice target = km_slice_of(r->target);
    struct km_buf buf;

    km_buf_init(&buf, out, URL_BYTES);
    km_buf_puts(&buf, client->endpoint.tls ? "https://" : "http://");
    km_buf_puts(&buf, client->host_header);
    if (target.len >= buf.size - buf.len)
        target.len = buf.size - buf.len - 1;
    km_buf_put_slice(&buf, target);
    return out;
}

/* "200 OK", as the server wrote it; "" when no answer came. */
static struct km_slice status_of(const struct km_http_parser *head)
{
    struct km_slice text = {"", 0};

    if (head == NULL || head->head_len <= VERSION_BYTES)
        return text;
    text.ptr = head->head + VERSION_BYTES;
    while (VERSION_BYTES + text.len < head->head_len && text.ptr[text.len] != '\r')
        text.len++;
    return text;
}

static void log_pairs(int line, const char *message, const struct km_kv *pairs, size_t count)
{
    const int shown[] = {9, 8, 7, 6};
    size_t place = 0;
    while (!km_log_enabled(shown[place]))
        place++;
    const struct km_log_record record = {.severity = 'I',
                                         .level = (uint8_t)shown[place],
                                         .file = __FILE__,
                                         .line = line,
                                         .message = message,
                                         .pairs = pairs,
                                         .pair_count = count};
    km_log_emit(&record);
}

#ifdef CONFIG_KM_LOG_HTTP

#define BODY_BYTES 1024 /* shown at level 8 */

static char text[1536] KM_POOL_STORAGE(debug_text);

/* Whole lines only; what does not fit is left out. */
static void put_header(struct km_buf *out, bool curl, const char *name, const char *value)
{
    if (value != NULL)
        km_buf_printf(out, curl ? " -H \"%s: %s\"" : "%s: %s\n", name, value);
}

static void put_headers(struct km_buf *out, const struct km_request *r, bool curl)
{
    const struct km_http_request *q = &r->exchange.request;

    put_header(out, curl, "Accept", q->accept);
    put_header(out, curl, "Authorization", q->bearer.len > 0 ? "Bearer <masked>" : NULL);
    put_header(out, curl, "Content-Type", q->content_type);
    put_header(out, curl, "User-Agent", q->user_agent);
}

/* From level 9 on the line's own bound is the shorter one. */
static void log_body(const char *what, struct km_slice body)
{
    struct km_buf out;

    if (body.len == 0)
        return;
    if (body.len > BODY_BYTES && !km_log_enabled(9)) {
        km_buf_init(&out, text, sizeof text);
        km_buf_put(&out, body.ptr, BODY_BYTES);
        km_buf_printf(&out, " [truncated %u chars]", (unsigned)(body.len - BODY_BYTES));
        body = km_buf_slice(&out);
    }
    KM_V(8, what, KM_SL("body", body));
}

void kube_debug_request(const struct km_client *client, const struct km_request *r)
{
    const char *verb = km_http_method_name(r->method);
    bool curl = km_log_enabled(9);
    char url[URL_BYTES];
    struct km_buf out;

    if (!km_log_enabled(7))
        return;
    (void)url_of(client, r, url);
    km_buf_init(&out, text, sizeof text);
    if (curl)
        km_buf_printf(&out, "curl -v -X%s ", verb);
    put_headers(&out, r, curl);
    if (curl)
        km_buf_printf(&out, " '%s'\n", url);
    const struct km_kv pairs[] = {KM_S("verb", verb), KM_S("url", url),
                                  KM_S(curl ? "curlCommand" : "headers", text)};
    log_pairs(__LINE__, "Request", curl ? pairs + 2 : pairs, curl ? 1 : 3);
    log_body("Request Body", r->body);
}

static const char *headers_of(const struct km_http_parser *head)
{
    struct km_buf out;

    km_buf_init(&out, text, sizeof text);
    for (uint16_t i = 0; head != NULL && i < head->header_count; i++) {
        const struct km_http_header *h = &head->headers[i];

        km_buf_printf(&out, "%.*s: %.*s\n", (int)h->name_len, head->head + h->name_at,
                      (int)h->value_len, head->head + h->value_at);
    }
    return text;
}

void kube_debug_body(const struct km_http_parser *head, struct km_slice bytes)
{
    /* Of a body that comes in pieces the first one tells most; watches never end. */
    if (km_log_enabled(head->body_total == bytes.len ? 8 : 10))
        log_body("Response Body", bytes);
}

#endif

void kube_debug_answer(const struct km_client *client, const struct km_request *r,
                       const struct km_http_parser *head)
{
    struct km_kv pairs[5];
    size_t count = 0;
    char url[URL_BYTES];
    bool alone = !km_log_enabled(7); /* no line about the request stands before */

    if (!km_log_enabled(6))
        return;
    if (alone || km_log_enabled(9)) {
        pairs[count++] = KM_S("verb", km_http_method_name(r->method));
        pairs[count++] = KM_S("url", url_of(client, r, url));
    }
    pairs[count++] = KM_SL("status", status_of(head));
#ifdef CONFIG_KM_LOG_HTTP
    if (km_log_enabled(8))
        pairs[count++] = KM_S("headers", headers_of(head));
#endif
    pairs[count++] = KM_I("milliseconds", client->loop->now_ms - r->started_ms);
    log_pairs(__LINE__, "Response", pairs, count);
}
