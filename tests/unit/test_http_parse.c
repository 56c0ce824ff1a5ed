/* SPDX-License-Identifier: Apache-2.0 */
/* The response parser: a table of verdicts, limits to the byte, cuts everywhere, and answers made from a model. */
#include <stdio.h>
#include <string.h>

#include "km_test.h"
#include "kubemote/km_http.h"

#define BODY_MAX 70000

/* Everything that a caller can see of one connection's bytes, but for where BODY was cut. */
struct outcome {
    int err; /* KM_OK when the message is complete */
    unsigned status, interim_count, header_count;
    bool keep_alive;
    size_t body_len, leftover;
    uint32_t body_hash, head_hash;
};

static struct km_http_parser parser;

static uint32_t hash_more(uint32_t hash, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)data[i]) * 16777619u;
    return hash;
}

static void note_head(struct outcome *o)
{
    o->status = parser.status;
    o->keep_alive = parser.keep_alive;
    o->header_count = parser.header_count;
    for (uint16_t i = 0; i < parser.header_count; i++) {
        const struct km_http_header *h = &parser.headers[i];

        o->head_hash = hash_more(o->head_hash, parser.head + h->name_at, h->name_len);
        o->head_hash = hash_more(o->head_hash, ":", 1);
        o->head_hash = hash_more(o->head_hash, parser.head + h->value_at, h->value_len);
    }
}

/* Feeds one piece. False when the message has ended in any way. */
static bool feed_piece(struct outcome *o, struct km_slice in)
{
    for (;;) {
        struct km_slice body;
        int event = km_http_feed(&parser, &in, &body);

        if (event == KM_HTTP_NEED) {
            assert_int_equal(in.len, 0);
            return true;
        }
        if (event == KM_HTTP_INTERIM)
            o->interim_count++;
        if (event == KM_HTTP_HEAD)
            note_head(o);
        if (event == KM_HTTP_BODY) {
            assert_true(body.len > 0);
            o->body_len += body.len;
            o->body_hash = hash_more(o->body_hash, body.ptr, body.len);
        }
        if (event == KM_HTTP_END || event < 0) {
            o->err = event < 0 ? event : KM_OK;
            o->leftover = in.len;
            if (event < 0) {
                assert_non_null(parser.error);
                assert_int_equal(km_http_feed(&parser, &in, &body), event);
            }
            return false;
        }
    }
}

/* cut: NULL = whole, else lengths come from it (0 in `state` = byte by byte). */
static struct outcome run(const char *data, size_t len, bool head_request, size_t piece,
                          struct km_rng *rng)
{
    struct outcome o = {0};
    size_t at = 0;

    km_http_parser_init(&parser, head_request);
    while (at < len) {
        size_t take = rng != NULL ? (size_t)km_rng_range(rng, 1, 20) : piece;

        if (take > len - at)
            take = len - at;
        if (!feed_piece(&o, (struct km_slice){data + at, take})) {
            o.leftover += len - at - take;
            if (o.err < 0)
                o.leftover = 0;
            return o;
        }
        at += take;
    }
    int event = km_http_eof(&parser);
    o.err = event == KM_HTTP_END ? KM_OK : event;
    return o;
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->err, b->err);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->interim_count, b->interim_count);
    assert_int_equal(a->header_count, b->header_count);
    assert_int_equal(a->keep_alive, b->keep_alive);
    assert_int_equal(a->body_len, b->body_len);
    assert_int_equal(a->leftover, b->leftover);
    assert_int_equal(a->body_hash, b->body_hash);
    assert_int_equal(a->head_hash, b->head_hash);
}

static struct outcome run_all_cuts(const char *data, size_t len, bool head_request)
{
    struct outcome whole = run(data, len, head_request, len, NULL), other;
    struct km_rng rng;

    other = run(data, len, head_request, 1, NULL);
    assert_same(&whole, &other);
    km_rng_seed(&rng, len);
    for (int i = 0; i < 5; i++) {
        other = run(data, len, head_request, 0, &rng);
        assert_same(&whole, &other);
    }
    return whole;
}

/* ---- verdicts ---- */

#define OK11 "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK11 "Transfer-Encoding: chunked\r\n\r\n"

struct verdict {
    const char *text;
    int err;
    unsigned status;
    size_t body_len, leftover;
    bool keep_alive, head_request;
};

static const struct verdict verdicts[] = {
    {OK11 "Content-Length: 5\r\n\r\nhello", KM_OK, 200, 5, 0, true, false},
    {OK11 "Content-Length: 5\r\n\r\nhelloHTTP/1.1", KM_OK, 200, 5, 8, true, false},
    {OK11 "content-LENGTH:\t 5 \t\r\n\r\nhello", KM_OK, 200, 5, 0, true, false},
    {OK11 "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", KM_OK, 200, 5, 0, true, false},
    {OK11 "Content-Length: 0\r\n\r\n", KM_OK, 200, 0, 0, true, false},
    {OK11 "Content-Length: 0005\r\n\r\nhello", KM_OK, 200, 5, 0, true, false},
    {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", KM_OK, 200, 0, 0, true, false},
    {"HTTP/1.1 999 \xc3\xa9\r\nContent-Length: 0\r\n\r\n", KM_OK, 999, 0, 0, true, false},
    {"HTTP/1.9 200 OK\r\nContent-Length: 0\r\n\r\n", KM_OK, 200, 0, 0, true, false},
    {OK11 "Connection: close\r\nContent-Length: 0\r\n\r\n", KM_OK, 200, 0, 0, false, false},
    {OK11 "Connection: a, CLOSE ,b\r\nContent-Length: 0\r\n\r\n", KM_OK, 200, 0, 0, false, false},
    {OK11 "Connection: closed\r\nContent-Length: 0\r\n\r\n", KM_OK, 200, 0, 0, true, false},
    {OK11 "Connection: keep-alive\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", KM_OK, 200, 0,
     0, false, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", KM_OK, 200, 0, 0, false, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", KM_OK, 200, 0, 0,
     true, false},
    {OK11 "\r\nuntil close", KM_OK, 200, 11, 0, false, false},
    {OK11 "\r\n", KM_OK, 200, 0, 0, false, false},
    {"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", KM_OK, 204, 0, 5, true, false},
    {"HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n", KM_OK, 304, 0, 0, true, false},
    {OK11 "Content-Length: 5\r\n\r\n", KM_OK, 200, 0, 0, true, true},
    {OK11 "\r\n", KM_OK, 200, 0, 0, true, true},
    {"HTTP/1.1 101 Up\r\nUpgrade: x\r\n\r\nraw", KM_OK, 101, 0, 3, false, false},
    {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n" OK11 "Content-Length: 1\r\n\r\nx",
     KM_OK, 200, 1, 0, true, false},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", KM_OK, 200, 5, 0, true, false},
    {CHUNKED "0000000000000005\r\nhello\r\n00\r\n\r\n", KM_OK, 200, 5, 0, true, false},
    {CHUNKED "a;x=\"y;z\" ; q\r\n0123456789\r\n0;last\r\n\r\nrest", KM_OK, 200, 10, 4, true, false},
    {CHUNKED "1 \t;x\r\nz\r\n0\r\n\r\n", KM_OK, 200, 1, 0, true, false},
    {CHUNKED "0\r\nA: b\r\nContent-Length: 7\r\n\r\n", KM_OK, 200, 0, 0, true, false},
    {OK11 "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", KM_OK, 200, 0, 0, true, false},
    {OK11 "X:\r\nY:  \r\nZ: a  b \r\nContent-Length: 0\r\n\r\n", KM_OK, 200, 0, 0, true, false},

    {"", KM_EOF, 0, 0, 0, false, false},
    {"H", KM_ERR_TRUNCATED, 0, 0, 0, false, false},
    {OK11, KM_ERR_TRUNCATED, 0, 0, 0, false, false},
    {OK11 "A: b\r\n\r", KM_ERR_TRUNCATED, 0, 0, 0, false, false},
    {"HTTP/1.1 100 C\r\n\r\n", KM_ERR_TRUNCATED, 0, 0, 0, false, false},
    {OK11 "Content-Length: 5\r\n\r\nhell", KM_ERR_TRUNCATED, 200, 4, 0, true, false},
    {CHUNKED, KM_ERR_TRUNCATED, 200, 0, 0, true, false},
    {CHUNKED "5\r\nhello\r\n", KM_ERR_TRUNCATED, 200, 5, 0, true, false},
    {CHUNKED "5\r\nhello\r\n0\r\n", KM_ERR_TRUNCATED, 200, 5, 0, true, false},
    {CHUNKED "5\r\nhello\r\n0\r\nA: b\r\n", KM_ERR_TRUNCATED, 200, 5, 0, true, false},

    {"\r\n" OK11 "\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/2.0 200 OK\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/1.10 200 OK\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"http/1.1 200 OK\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/1.1  200 OK\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/1.1 2000 OK\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/1.1 099 OK\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/1.1 20a OK\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/1.1 200 O\x01K\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/1.1 200 OK\n\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/1.1 200 OK\r\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "A: b\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "A: b\r\n c\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 " A: b\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "A : b\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 ": b\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "A b\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "A\xc3\xa9: b\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "A: b\x7f\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "A: b\rc\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", KM_ERR_PROTOCOL, 0, 0, 0, false,
     false},
    {OK11 "Content-Length: 5, 5\r\n\r\nhello", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "Content-Length:\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "Content-Length: +5\r\n\r\nhello", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "Content-Length: 9223372036854775808\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "Content-Length: 99999999999999999999999\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false,
     false},
    {OK11 "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", KM_ERR_PROTOCOL, 0, 0,
     0, false, false},
    {OK11 "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false,
     false},
    {OK11 "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0, false,
     false},
    {OK11 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "Transfer-Encoding: identity\r\n\r\nx", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {OK11 "Transfer-Encoding:\r\n\r\nx", KM_ERR_PROTOCOL, 0, 0, 0, false, false},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", KM_ERR_PROTOCOL, 0, 0, 0,
     false, false},
    {CHUNKED "\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "x\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "-1\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "0x1\r\nz\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "1 \r\nz\r\n0\r\n\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "1 z\r\nz\r\n0\r\n\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "1\nz\n0\n\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "1\rz", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "1\r\nzz\r\n0\r\n\r\n", KM_ERR_PROTOCOL, 200, 1, 0, true, false},
    {CHUNKED "1\r\nz\n0\r\n\r\n", KM_ERR_PROTOCOL, 200, 1, 0, true, false},
    {CHUNKED "1\r\nz\rX", KM_ERR_PROTOCOL, 200, 1, 0, true, false},
    {CHUNKED "1;a\rb\r\nz\r\n0\r\n\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "00000000000000001\r\nz\r\n0\r\n\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "8000000000000000\r\nz", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "0\r\n folded: x\r\n\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "0\r\nno colon\r\n\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "0\r\na: \x01\r\n\r\n", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
    {CHUNKED "0\r\n\rX", KM_ERR_PROTOCOL, 200, 0, 0, true, false},
};

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        const struct verdict *v = &verdicts[i];
        struct outcome o = run_all_cuts(v->text, strlen(v->text), v->head_request);

        if (o.err != v->err || o.status != v->status || o.body_len != v->body_len ||
            o.leftover != v->leftover || o.keep_alive != v->keep_alive)
            fail_msg("case %zu: err %d status %u body %zu leftover %zu keep %d: %s", i, o.err,
                     o.status, o.body_len, o.leftover, o.keep_alive, v->text);
    }
}

static void test_nul_bytes_are_refused(void **state)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 0\r\n\r\n";

    (void)state;
    assert_int_equal(run_all_cuts(text, sizeof text - 1, false).err, KM_ERR_PROTOCOL);
    assert_int_equal(run_all_cuts("HTTP/1.1 200 \0\r\n\r\n", 18, false).err, KM_ERR_PROTOCOL);
}

static void test_headers(void **state)
{
    static const char text[] =
        OK11 "Retry-After: \t7 \r\nX: one\r\nx: two\r\nEmpty:\r\nContent-Length: 0\r\n\r\n";
    struct km_slice in = {text, sizeof text - 1}, body, value;

    (void)state;
    km_http_parser_init(&parser, false);
    assert_int_equal(km_http_feed(&parser, &in, &body), KM_HTTP_HEAD);
    assert_int_equal(km_http_header(&parser, "retry-AFTER", &value), KM_OK);
    assert_true(km_slice_eq_str(value, "7"));
    assert_int_equal(km_http_header(&parser, "X", &value), KM_OK);
    assert_true(km_slice_eq_str(value, "one"));
    assert_int_equal(km_http_header(&parser, "Empty", &value), KM_OK);
    assert_int_equal(value.len, 0);
    assert_int_equal(km_http_header(&parser, "Retry", &value), KM_ERR_NOT_FOUND);
    assert_int_equal(km_http_feed(&parser, &in, &body), KM_HTTP_END);
    assert_int_equal(km_http_feed(&parser, &in, &body), KM_HTTP_END);
    assert_int_equal(km_http_eof(&parser), KM_HTTP_END);
    assert_int_equal(km_http_header(&parser, "X", &value), KM_OK);
}

/* ---- limits ---- */

static char big[BODY_MAX];

static size_t head_of_size(size_t size)
{
    size_t len = (size_t)snprintf(big, sizeof big, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ");

    memset(big + len, 'x', size - len - 4);
    memcpy(big + size - 4, "\r\n\r\n", 4);
    return size;
}

static void test_head_limit(void **state)
{
    (void)state;
    assert_int_equal(run_all_cuts(big, head_of_size(CONFIG_KM_NET_HEAD_BYTES), false).err, KM_OK);
    assert_int_equal(run_all_cuts(big, head_of_size(CONFIG_KM_NET_HEAD_BYTES + 1), false).err,
                     KM_ERR_TOO_LONG);
}

static size_t head_of_count(unsigned count)
{
    size_t len = (size_t)snprintf(big, sizeof big, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");

    for (unsigned i = 1; i < count; i++)
        len += (size_t)snprintf(big + len, sizeof big - len, "a:\r\n");
    return len + (size_t)snprintf(big + len, sizeof big - len, "\r\n");
}

static void test_header_count_limit(void **state)
{
    (void)state;
    assert_int_equal(run_all_cuts(big, head_of_count(CONFIG_KM_NET_HEADER_COUNT), false).err,
                     KM_OK);
    assert_int_equal(run_all_cuts(big, head_of_count(CONFIG_KM_NET_HEADER_COUNT + 1), false).err,
                     KM_ERR_TOO_LONG);
}

static size_t interim_heads(unsigned count)
{
    size_t len = 0;

    for (unsigned i = 0; i < count; i++)
        len += (size_t)snprintf(big + len, sizeof big - len,
                                "HTTP/1.1 102 P\r\nContent-Length: 9\r\n\r\n");
    return len + (size_t)snprintf(big + len, sizeof big - len,
                                  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void test_interim_limit(void **state)
{
    struct outcome o = run_all_cuts(big, interim_heads(8), false);

    (void)state;
    assert_int_equal(o.err, KM_OK);
    assert_int_equal(o.interim_count, 8);
    assert_int_equal(run_all_cuts(big, interim_heads(9), false).err, KM_ERR_TOO_LONG);
}

static size_t chunk_line_of(size_t line_len)
{
    size_t len = (size_t)snprintf(big, sizeof big, CHUNKED "1;"), ext = line_len - 4;

    memset(big + len, 'e', ext);
    len += ext;
    return len + (size_t)snprintf(big + len, sizeof big - len, "\r\nz\r\n0\r\n\r\n");
}

static void test_chunk_line_limit(void **state)
{
    (void)state;
    assert_int_equal(run_all_cuts(big, chunk_line_of(256), false).err, KM_OK);
    assert_int_equal(run_all_cuts(big, chunk_line_of(257), false).err, KM_ERR_TOO_LONG);
}

static void test_trailer_limit(void **state)
{
    size_t len = (size_t)snprintf(big, sizeof big, CHUNKED "0\r\n");

    (void)state;
    while (len < sizeof big - 16)
        len += (size_t)snprintf(big + len, sizeof big - len, "a: b\r\n");
    assert_int_equal(run_all_cuts(big, len, false).err, KM_ERR_TOO_LONG);
}

/* Many chunks fed one after another, so that the amount is not bounded by the test's memory. */
static int feed_chunks(const char *chunk, unsigned count)
{
    struct km_slice in = km_slice_of(CHUNKED), body;
    int event = KM_HTTP_NEED;

    km_http_parser_init(&parser, false);
    assert_int_equal(km_http_feed(&parser, &in, &body), KM_HTTP_HEAD);
    for (unsigned i = 0; i < count && event >= 0; i++) {
        in = km_slice_of(chunk);
        do {
            event = km_http_feed(&parser, &in, &body);
        } while (event > 0);
    }
    return event;
}

static void test_framing_limit(void **state)
{
    (void)state;
    assert_int_equal(feed_chunks("1\r\nz\r\n", 100000), KM_HTTP_NEED);
    assert_int_equal(feed_chunks("1;eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\r\nz\r\n", 400),
                     KM_HTTP_NEED);
    assert_int_equal(feed_chunks("1;eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\r\nz\r\n", 1000),
                     KM_ERR_TOO_LONG);
}

/* ---- cuts and damage ---- */

static const char rich[] =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nServer: a b\r\nTransfer-Encoding: chunked\r\n"
    "Connection: keep-alive\r\n\r\n5;n=\"v\"\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nT: "
    "x\r\n\r\nHTTP";

static void test_every_pair_of_cuts(void **state)
{
    size_t len = sizeof rich - 1;
    struct outcome whole = run(rich, len, false, len, NULL);

    (void)state;
    assert_int_equal(whole.err, KM_OK);
    assert_int_equal(whole.leftover, 4);
    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b++) {
            struct outcome o = {0};
            bool more;

            km_http_parser_init(&parser, false);
            more = feed_piece(&o, (struct km_slice){rich, a});
            more = more && feed_piece(&o, (struct km_slice){rich + a, b - a});
            more = more && feed_piece(&o, (struct km_slice){rich + b, len - b});
            assert_false(more);
            o.leftover = whole.leftover;
            assert_same(&whole, &o);
        }
    }
}

/* Cut short anywhere, the answer is never taken for complete. */
static void test_every_truncation(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof rich - 1 - 4; len++) {
        int err = run_all_cuts(rich, len, false).err;

        assert_int_equal(err, len == 0 ? KM_EOF : KM_ERR_TRUNCATED);
    }
}

static void test_every_damaged_byte(void **state)
{
    static const char bytes[] = {'\0', '\t', '\n', '\r', ' ', '"',    ',',        '0',
                                 '9',  ':',  ';',  'A',  'g', '\x7f', (char)0x80, (char)0xff};
    char copy[sizeof rich];

    (void)state;
    for (size_t at = 0; at < sizeof rich - 1; at++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            memcpy(copy, rich, sizeof rich);
            copy[at] = bytes[i];
            (void)run_all_cuts(copy, sizeof rich - 1, false);
        }
    }
}

/* ---- answers from a model ---- */

static size_t put_chunks(struct km_rng *rng, size_t len, size_t body_len)
{
    while (body_len > 0) {
        size_t part = (size_t)km_rng_range(rng, 1, (int64_t)body_len + 1);

        len += (size_t)snprintf(big + len, sizeof big - len,
                                km_rng_u32(rng) % 2 ? "%zx%s\r\n" : "%zX%s\r\n", part,
                                km_rng_u32(rng) % 4 == 0 ? ";e=\"1\"" : "");
        memset(big + len, '!' + (int)(km_rng_u32(rng) % 90), part);
        len += part;
        body_len -= part;
        len += (size_t)snprintf(big + len, sizeof big - len, "\r\n");
    }
    return len + (size_t)snprintf(big + len, sizeof big - len,
                                  km_rng_u32(rng) % 2 ? "0\r\n\r\n" : "0\r\nT: v\r\n\r\n");
}

static void test_model(void **state)
{
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 7);
    for (unsigned round = 0; round < 300; round++) {
        size_t body_len = km_rng_u32(&rng) % 3 == 0 ? 0 : (size_t)km_rng_range(&rng, 1, 3000),
               len = 0;
        unsigned interim = km_rng_u32(&rng) % 3, kind = km_rng_u32(&rng) % 3,
                 headers = km_rng_u32(&rng) % 6;
        unsigned status = 200 + km_rng_u32(&rng) % 4, left = kind == 2 ? 0 : km_rng_u32(&rng) % 3;
        bool close = km_rng_u32(&rng) % 4 == 0;
        struct outcome o;

        for (unsigned i = 0; i < interim; i++)
            len += (size_t)snprintf(big + len, sizeof big - len, "HTTP/1.1 103 x\r\nA: b\r\n\r\n");
        len += (size_t)snprintf(big + len, sizeof big - len, "HTTP/1.1 %u Reason\r\n", status);
        for (unsigned i = 0; i < headers; i++)
            len += (size_t)snprintf(big + len, sizeof big - len, "H%u:%.*sv \r\n", i, (int)(i % 3),
                                    "  ");
        if (close)
            len += (size_t)snprintf(big + len, sizeof big - len, "Connection: close\r\n");
        if (kind == 0)
            len += (size_t)snprintf(big + len, sizeof big - len, "Content-Length: %zu\r\n\r\n",
                                    body_len);
        else
            len += (size_t)snprintf(big + len, sizeof big - len,
                                    kind == 1 ? "Transfer-Encoding: chunked\r\n\r\n" : "\r\n");
        if (kind == 1) {
            len = put_chunks(&rng, len, body_len);
        } else {
            memset(big + len, 'b', body_len);
            len += body_len;
        }
        memset(big + len, 'L', left);
        len += left;
        o = run_all_cuts(big, len, false);
        assert_int_equal(o.err, KM_OK);
        assert_int_equal(o.status, status);
        assert_int_equal(o.interim_count, interim);
        assert_int_equal(o.header_count, headers + close + (kind < 2));
        assert_int_equal(o.body_len, body_len);
        assert_int_equal(o.leftover, left);
        assert_int_equal(o.keep_alive, !close && kind < 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_nul_bytes_are_refused),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_header_count_limit),
        cmocka_unit_test(test_interim_limit),
        cmocka_unit_test(test_chunk_line_limit),
        cmocka_unit_test(test_trailer_limit),
        cmocka_unit_test(test_framing_limit),
        cmocka_unit_test(test_every_pair_of_cuts),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_damaged_byte),
        cmocka_unit_test(test_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
