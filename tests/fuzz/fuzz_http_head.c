/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The response parser on arbitrary bytes. The first byte chooses HEAD or not and how the input is cut; the rest is fed whole,
 * byte by byte and in pieces, and all must see the same. Offsets must lie inside the head, body bytes inside the input.
 */
#include <stdlib.h>

#include "kubemote/km_http.h"

struct seen {
    int end;
    unsigned status, interim, headers;
    bool keep_alive;
    uint64_t body_len;
    uint32_t hash;
    size_t leftover;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct km_http_parser parser;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void hash_more(struct seen *s, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        s->hash = (s->hash ^ (unsigned char)bytes[i]) * 16777619u;
}

static void see_head(struct seen *s)
{
    s->status = parser.status;
    s->headers = parser.header_count;
    s->keep_alive = parser.keep_alive;
    check(parser.status >= 100 && parser.status <= 999);
    check(parser.header_count <= CONFIG_KM_NET_HEADER_COUNT &&
          parser.head_len <= CONFIG_KM_NET_HEAD_BYTES);
    for (uint16_t i = 0; i < parser.header_count; i++) {
        const struct km_http_header *h = &parser.headers[i];

        check(h->name_len > 0 && h->name_at + h->name_len <= parser.head_len);
        check(h->value_at + h->value_len <= parser.head_len);
        hash_more(s, parser.head + h->name_at, h->name_len);
        hash_more(s, parser.head + h->value_at, h->value_len);
    }
}

static struct seen run(const char *data, size_t size, bool head_request, size_t piece)
{
    struct seen s = {0};
    size_t at = 0;

    km_http_parser_init(&parser, head_request);
    while (at < size) {
        size_t len = size - at < piece ? size - at : piece;
        struct km_slice in = {data + at, len}, body;
        int event;

        do {
            event = km_http_feed(&parser, &in, &body);
            if (event == KM_HTTP_HEAD)
                see_head(&s);
            if (event == KM_HTTP_INTERIM)
                s.interim++;
            if (event == KM_HTTP_BODY) {
                check(body.len > 0 && body.ptr >= data && body.ptr + body.len == in.ptr);
                s.body_len += body.len;
                hash_more(&s, body.ptr, body.len);
            }
        } while (event > 0 && event != KM_HTTP_END);
        at += len - in.len;
        if (event != KM_HTTP_NEED) {
            s.end = event;
            s.leftover = event < 0 ? 0 : size - at;
            check(event == KM_HTTP_END || parser.error != NULL);
            return s;
        }
        check(in.len == 0);
    }
    s.end = km_http_eof(&parser);
    check(s.end == KM_HTTP_END || s.end == KM_EOF || s.end == KM_ERR_TRUNCATED);
    return s;
}

static void check_same(const struct seen *a, const struct seen *b)
{
    check(a->end == b->end && a->status == b->status && a->interim == b->interim &&
          a->headers == b->headers);
    check(a->keep_alive == b->keep_alive && a->body_len == b->body_len && a->hash == b->hash);
    check(a->leftover == b->leftover);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    struct seen whole, other;
    bool head_request;

    if (size < 1)
        return 0;
    size--;
    head_request = (data[0] & 1) != 0;
    whole = run(text, size, head_request, size > 0 ? size : 1);
    other = run(text, size, head_request, 1);
    check_same(&whole, &other);
    other = run(text, size, head_request, (size_t)(data[0] >> 1) + 1);
    check_same(&whole, &other);
    return 0;
}
