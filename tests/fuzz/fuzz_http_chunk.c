/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunked decoding on arbitrary bytes behind a fixed head, against a second decoder that is written for reading, not for
 * streams: it takes the whole text, knows no limits of size, and must agree on every body that the parser accepts.
 */
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_http.h"

#define BODY_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
static struct km_http_parser parser;
static char streamed[BODY_MAX], read_whole[BODY_MAX];

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* The line up to CRLF, NULL when there is none; *len without the CRLF. */
static const char *line_end(const char *at, const char *end)
{
    for (; at + 1 < end; at++) {
        if (at[0] == '\r' && at[1] == '\n')
            return at;
    }
    return NULL;
}

/* Length of the body, -1 when the text is not a whole chunked body. */
static long decode_whole(const char *at, const char *end, const char **rest)
{
    size_t len = 0;

    for (;;) {
        const char *stop = line_end(at, end);
        unsigned long long chunk;
        char *digits_end, line[512];

        if (stop == NULL || (size_t)(stop - at) >= sizeof line)
            return -1;
        memcpy(line, at, (size_t)(stop - at));
        line[stop - at] = '\0';
        if (strspn(line, "0123456789abcdefABCDEF") == 0)
            return -1;
        chunk = strtoull(line, &digits_end, 16);
        at = stop + 2;
        if (chunk == 0)
            break;
        if (chunk > (unsigned long long)(end - at) || (size_t)(end - at) - (size_t)chunk < 2 ||
            len + chunk > BODY_MAX)
            return -1;
        memcpy(read_whole + len, at, (size_t)chunk);
        len += (size_t)chunk;
        at += chunk;
        if (at[0] != '\r' || at[1] != '\n')
            return -1;
        at += 2;
    }
    for (;;) {
        const char *stop = line_end(at, end);

        if (stop == NULL)
            return -1;
        if (stop == at) {
            *rest = at + 2;
            return (long)len;
        }
        at = stop + 2;
    }
}

/* Feeds in pieces; the body goes to streamed[]. */
static int stream(struct km_slice in, size_t piece, size_t *body_len, size_t *leftover)
{
    *body_len = 0;
    for (;;) {
        struct km_slice part = {in.ptr, in.len < piece ? in.len : piece}, body;
        size_t before = part.len;
        int event = km_http_feed(&parser, &part, &body);

        if (event == KM_HTTP_BODY) {
            check(*body_len + body.len <= BODY_MAX);
            memcpy(streamed + *body_len, body.ptr, body.len);
            *body_len += body.len;
        }
        in.ptr += before - part.len;
        in.len -= before - part.len;
        if (event < 0 || event == KM_HTTP_END || (event == KM_HTTP_NEED && in.len == 0)) {
            *leftover = in.len;
            return event;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *rest = text;
    size_t len, leftover;

    if (size > BODY_MAX)
        return 0;
    for (size_t piece = 1; piece <= 64; piece *= 8) {
        struct km_slice in = km_slice_of(head), body;
        int event;

        km_http_parser_init(&parser, false);
        check(km_http_feed(&parser, &in, &body) == KM_HTTP_HEAD);
        event = stream((struct km_slice){text, size}, piece, &len, &leftover);
        if (event != KM_HTTP_END)
            continue;
        check(decode_whole(text, text + size, &rest) == (long)len);
        check(memcmp(streamed, read_whole, len) == 0);
        check((size_t)(text + size - rest) == leftover);
    }
    return 0;
}
