/* SPDX-License-Identifier: Apache-2.0 */
/* What the endpoint answers: the heads, the health checks, the metrics piece by piece. */
#include <string.h>

#include "serve_priv.h"

static struct km_counter requests_total = {.name = "kubemote_serve_requests_total"};
static struct km_counter refused_total = {.name = "kubemote_serve_refused_total"};

void serve_answer_register(void)
{
    km_counter_register(&requests_total);
    km_counter_register(&refused_total);
}

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    default:
        return "Internal Server Error";
    }
}

static void put_date(struct km_buf *out)
{
    static const char days[] = "ThuFriSatSunMonTueWed",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t now_us = km_port_wall_us();
    struct km_civil c;

    if (now_us < 0)
        return;
    km_time_civil(now_us, &c);
    km_buf_printf(out, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
                  days + now_us / INT64_C(86400000000) % 7 * 3, c.day, months + (c.month - 1) * 3,
                  c.year, c.hour, c.minute, c.second);
}

static void put_head(struct serve_peer *p, unsigned status, const char *type)
{
    km_buf_printf(&p->tx, "HTTP/1.1 %u %s\r\n", status, reason_of(status));
    put_date(&p->tx);
    km_buf_printf(&p->tx, "Content-Type: %s\r\nCache-Control: no-store\r\n", type);
    if (status == 405)
        km_buf_puts(&p->tx, "Allow: GET, HEAD\r\n");
    if (p->closing)
        km_buf_puts(&p->tx, "Connection: close\r\n");
    else if (p->request.minor == 0)
        km_buf_puts(&p->tx, "Connection: keep-alive\r\n");
}

static void put_text(struct serve_peer *p, unsigned status, struct km_slice text)
{
    put_head(p, status, "text/plain; charset=utf-8");
    km_buf_printf(&p->tx, "Content-Length: %u\r\n\r\n", (unsigned)text.len);
    if (!p->request.head)
        km_buf_put_slice(&p->tx, text);
}

/* ---- health ---- */

static void put_check(struct km_buf *out, const struct km_check *check, bool well, const char *why)
{
    km_buf_printf(out, well ? "[+]%s ok\n" : "[-]%s failed: %s\n", check->name, why);
}

static void answer_health(struct serve_peer *p, const struct km_serve_options *options)
{
    static const char *const names[] = {
        [KM_SERVE_HEALTHZ] = "healthz", [KM_SERVE_READYZ] = "readyz", [KM_SERVE_LIVEZ] = "livez"};
    bool ready = p->request.path == KM_SERVE_READYZ, all_well = true;
    char text[SERVE_HEALTH_BYTES];
    struct km_buf out;

    km_buf_init(&out, text, sizeof text);
    for (unsigned i = 0; i < options->check_count; i++) {
        const struct km_check *check = &options->checks[i];
        const char *why = "";

        if (!(ready ? check->ready : check->live))
            continue;
        bool well = check->well(check->ctx, &why);
        all_well = all_well && well;
        put_check(&out, check, well, why);
    }
    km_buf_printf(&out, "%s check %s\n", names[p->request.path], all_well ? "passed" : "failed");
    requests_total.value++;
    put_text(p, all_well ? 200 : 500,
             all_well && !p->request.verbose ? km_slice_of("ok") : km_buf_slice(&out));
}

/* ---- metrics ---- */

static void answer_metrics(struct serve_peer *p)
{
    bool open = p->request.openmetrics;

    requests_total.value++;
    p->chunked = p->request.minor == 1;
    if (!p->chunked)
        p->closing = true;
    put_head(p, 200, open ? KM_METRICS_TYPE_OPENMETRICS : KM_METRICS_TYPE_PROMETHEUS);
    km_buf_puts(&p->tx, p->chunked ? "Vary: Accept\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   : "Vary: Accept\r\n\r\n");
    km_metrics_begin(&p->cursor, open ? KM_METRICS_OPENMETRICS : KM_METRICS_PROMETHEUS);
    p->more = !p->request.head;
}

/* "0000\r\n", filled in when the chunk's length is known. */
#define CHUNK_HEAD 6
#define CHUNK_TAIL (2 + 5) /* the chunk's end, and the last chunk */

int serve_next_piece(struct serve_peer *p)
{
    size_t frame = p->chunked ? CHUNK_HEAD : 0;
    struct km_buf text;
    char head[CHUNK_HEAD + 1];
    int err;

    /* The frame's bytes are counted out of the text's room, so that they always fit. */
    km_buf_init(&text, p->tx_data + frame, sizeof p->tx_data - CHUNK_HEAD - CHUNK_TAIL);
    err = km_metrics_next(&p->cursor, &text);
    if (err != KM_AGAIN && err != KM_EOF)
        return err;
    p->more = err == KM_AGAIN;
    km_buf_reset(&p->tx);
    if (p->chunked && text.len > 0) {
        struct km_buf size;

        km_buf_init(&size, head, sizeof head);
        km_buf_printf(&size, "%04x\r\n", (unsigned)text.len);
        memcpy(p->tx_data, head, CHUNK_HEAD);
        p->tx.len = CHUNK_HEAD + text.len;
        km_buf_puts(&p->tx, "\r\n");
    } else {
        p->tx.len = p->chunked ? 0 : text.len;
    }
    if (p->chunked && !p->more)
        km_buf_puts(&p->tx, "0\r\n\r\n");
    return KM_OK;
}

/* ---- any request ---- */

void serve_answer_error(struct serve_peer *p, int err)
{
    unsigned status = p->request.has_body ? 413 : err == KM_ERR_TOO_LONG ? 431 : 400;

    refused_total.value++;
    p->closing = true;
    put_text(p, status,
             km_slice_of(status == 413   ? "a request with a body\n"
                         : status == 431 ? "head too large\n"
                                         : "malformed request\n"));
}

void serve_answer(struct serve_peer *p, const struct km_serve_options *options)
{
    p->closing = p->request.close;
    if (!p->request.get && !p->request.head) {
        refused_total.value++;
        put_text(p, 405, km_slice_of("only GET and HEAD\n"));
        return;
    }
    if (p->request.path == KM_SERVE_METRICS) {
        answer_metrics(p);
    } else if (p->request.path != KM_SERVE_UNKNOWN) {
        answer_health(p, options);
    } else {
        refused_total.value++;
        put_text(p, 404, km_slice_of("not found\n"));
    }
}
