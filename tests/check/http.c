/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubemote-check http FILE --method M [--cut SEED]: what the response parser makes of the bytes that a server sends before
 * it closes the connection, as one JSON object. Exit 0 when they are a complete answer, 1 when not, 2 for wrong usage.
 * With --cut the bytes are fed in pieces: seed 0 byte by byte, other seeds cut at random.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_http.h"
#include "sha256.h"

#define INTERIM_SIZE 16

struct http_check {
    struct km_http_parser parser;
    struct check_sha256 sha;
    struct km_rng rng;
    bool cut, bytewise, done, by_end;
    unsigned interim[INTERIM_SIZE], interim_count;
    uint64_t leftover;
    int err;
};

/* Length of a well-formed UTF-8 sequence at text, 0 when there is none. */
static size_t utf8_len(const unsigned char *text, size_t len)
{
    unsigned char c = text[0], low = 0x80, high = 0xbf;
    size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4 || len <= more)
        return 0;
    if (c == 0xe0)
        low = 0xa0;
    if (c == 0xed)
        high = 0x9f;
    if (c == 0xf0)
        low = 0x90;
    if (c == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i <= more; i++) {
        if (text[i] < 0x80 || text[i] > 0xbf)
            return 0;
    }
    return more + 1;
}

static void print_string(struct km_slice text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    size_t left = text.len;

    putchar('"');
    while (left > 0) {
        size_t len = utf8_len(at, left);

        if (len == 0) {
            printf("\\ufffd");
            len = 1;
        } else if (*at < 0x20) {
            printf("\\u%04x", *at);
        } else {
            if (*at == '"' || *at == '\\')
                putchar('\\');
            (void)fwrite(at, 1, len, stdout);
        }
        at += len;
        left -= len;
    }
    putchar('"');
}

static void print_answer(struct http_check *c)
{
    const struct km_http_parser *p = &c->parser;
    char digest[65];

    printf("{\"status\":%u,\"interim\":[", (unsigned)p->status);
    for (unsigned i = 0; i < c->interim_count; i++)
        printf("%s%u", i > 0 ? "," : "", c->interim[i]);
    printf("],\"headers\":[");
    for (unsigned i = 0; i < p->header_count; i++) {
        const struct km_http_header *h = &p->headers[i];

        printf("%s[", i > 0 ? "," : "");
        print_string((struct km_slice){p->head + h->name_at, h->name_len});
        putchar(',');
        print_string((struct km_slice){p->head + h->value_at, h->value_len});
        putchar(']');
    }
    check_sha256_hex(&c->sha, digest);
    printf("],\"body_len\":%llu,\"body_sha256\":\"%s\",\"reusable\":%s,\"leftover\":%llu}\n",
           (unsigned long long)p->body_total, digest,
           p->keep_alive && !c->by_end && c->leftover == 0 ? "true" : "false",
           (unsigned long long)c->leftover);
}

static void feed_piece(struct http_check *c, struct km_slice in)
{
    struct km_slice body;

    while (!c->done && c->err == KM_OK) {
        int event = km_http_feed(&c->parser, &in, &body);

        if (event == KM_HTTP_NEED)
            return;
        if (event == KM_HTTP_BODY)
            check_sha256_add(&c->sha, body.ptr, body.len);
        if (event == KM_HTTP_INTERIM && c->interim_count < INTERIM_SIZE)
            c->interim[c->interim_count++] = c->parser.status;
        if (event == KM_HTTP_END)
            c->done = true;
        if (event < 0)
            c->err = event;
    }
    c->leftover += in.len;
}

static void feed_block(struct http_check *c, struct km_slice in)
{
    while (in.len > 0) {
        size_t len = in.len;

        if (c->cut)
            len = c->bytewise
                      ? 1
                      : (size_t)km_rng_range(&c->rng, 1, km_rng_u32(&c->rng) % 4 == 0 ? 4 : 64);
        if (len > in.len)
            len = in.len;
        feed_piece(c, (struct km_slice){in.ptr, len});
        in.ptr += len;
        in.len -= len;
    }
}

static int check_stream(struct http_check *c, FILE *file)
{
    static char block[65536];
    size_t got;

    while ((got = fread(block, 1, sizeof block, file)) > 0)
        feed_block(c, (struct km_slice){block, got});
    if (!c->done && c->err == KM_OK) {
        int event = km_http_eof(&c->parser);

        c->by_end = true;
        if (event == KM_EOF) {
            c->err = event;
            c->parser.error = "the connection ended without an answer";
        } else if (event < 0) {
            c->err = event;
        }
    }
    if (c->err == KM_OK) {
        print_answer(c);
        return 0;
    }
    printf("{\"error\":");
    print_string(km_slice_of(c->parser.error));
    printf("}\n");
    return 1;
}

static int usage(void)
{
    fputs("usage: kubemote-check http FILE --method M [--cut SEED]\n", stderr);
    return 2;
}

int check_http(int argc, char **argv)
{
    static struct http_check c;
    const char *path = NULL, *method = NULL, *seed = NULL;
    FILE *file;
    int result;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--method") == 0 && i + 1 < argc)
            method = argv[++i];
        else if (strcmp(argv[i], "--cut") == 0 && i + 1 < argc)
            seed = argv[++i];
        else if (path == NULL && argv[i][0] != '-')
            path = argv[i];
        else
            return usage();
    }
    if (path == NULL || method == NULL)
        return usage();
    file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "kubemote-check: %s can't be opened\n", path);
        return 2;
    }
    km_http_parser_init(&c.parser, strcmp(method, "HEAD") == 0);
    check_sha256_init(&c.sha);
    c.cut = seed != NULL;
    if (seed != NULL) {
        unsigned long long number = strtoull(seed, NULL, 10);

        c.bytewise = number == 0;
        km_rng_seed(&c.rng, number);
    }
    result = check_stream(&c, file);
    (void)fclose(file);
    return result;
}
