/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers in the log, as client-go shows them from level 7 on. */
#include <string.h>

#include "kube_priv.h"
#include "kubemote/km_log.h"

#define URL_BYTES 640
#define MASK "<masked>"

static char text[1536] KM_POOL_STORAGE(debug_text);

const char *km_method_name(enum km_http_method method)
{
    static const char *const names[] = {
        [KM_GET] = "GET", [KM_HEAD] = "HEAD",   [KM_POST] = "POST",
        [KM_PUT] = "PUT", [KM_PATCH] = "PATCH", [KM_DELETE] = "DELETE",
    };

    return names[method];
}

static const char *url_of(const struct km_client *client, const struct km_request *r,
                          char out[URL_BYTES])
{
    struct km_buf buf;

    km_buf_init(&buf, out, URL_BYTES);
    km_buf_puts(&buf, client->endpoint.tls ? "https://" : "http://");
    km_buf_puts(&buf, client->host_header);
    km_buf_puts(&buf, r->target);
    return out;
}

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
    put_header(out, curl, "Content-Type", q->content_type);
    put_header(out, curl, "User-Agent", q->user_agent);
    put_header(out, curl, "Authorization", q->bearer.len > 0 ? "Bearer " MASK : NULL);
}

/* As many bytes of a body as the level shows: 1024, 10240, all. */
static void log_body(const char *what, struct km_slice body)
{
    size_t limit = km_log_enabled(10) ? body.len : km_log_enabled(9) ? 10240 : 1024;
    struct km_slice shown = {body.ptr, body.len < limit ? body.len : limit};

    if (body.len == 0)
        return;
    if (shown.len == body.len)
        KM_V(8, what, KM_SL("body", shown));
    else
        KM_V(8, what, KM_SL("body", shown), KM_U("truncated", body.len - shown.len));
}

void kube_debug_request(const struct km_client *client, const struct km_request *r)
{
    const char *verb = km_method_name(r->method);
    char url[URL_BYTES];
    struct km_buf out;

    if (!km_log_enabled(7))
        return;
    (void)url_of(client, r, url);
    km_buf_init(&out, text, sizeof text);
    if (km_log_enabled(9)) {
        km_buf_printf(&out, "curl -v -X%s ", verb);
        put_headers(&out, r, true);
        km_buf_printf(&out, " '%s'\n", url);
        KM_V(9, "Request", KM_S("curlCommand", text));
    } else {
        put_headers(&out, r, false);
        KM_V(7, "Request", KM_S("verb", verb), KM_S("url", url), KM_S("headers", text));
    }
    log_body("Request Body", r->body);
}

static void put_answer_headers(struct km_buf *out, const struct km_http_parser *head)
{
    for (uint16_t i = 0; i < head->header_count; i++) {
        const struct km_http_header *h = &head->headers[i];

        km_buf_printf(out, "%.*s: %.*s\n", (int)h->name_len, head->head + h->name_at,
                      (int)h->value_len, head->head + h->value_at);
    }
}

void kube_debug_head(const struct km_client *client, const struct km_request *r,
                     const struct km_http_parser *head)
{
    int64_t milliseconds = client->loop->now_ms - r->started_ms;
    char url[URL_BYTES];
    struct km_buf out;

    if (!km_log_enabled(7))
        return;
    if (!km_log_enabled(8)) {
        KM_V(7, "Response", KM_U("status", head->status), KM_I("milliseconds", milliseconds));
        return;
    }
    km_buf_init(&out, text, sizeof text);
    put_answer_headers(&out, head);
    if (km_log_enabled(9))
        KM_V(9, "Response", KM_S("verb", km_method_name(r->method)),
             KM_S("url", url_of(client, r, url)), KM_U("status", head->status),
             KM_S("headers", text), KM_I("milliseconds", milliseconds));
    else
        KM_V(8, "Response", KM_U("status", head->status), KM_S("headers", text),
             KM_I("milliseconds", milliseconds));
}

void kube_debug_body(struct km_slice bytes)
{
    if (km_log_enabled(8))
        log_body("Response Body", bytes);
}
