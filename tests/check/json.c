/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubemote-check json FILE [--cut SEED]: whether the scanner takes the file. {"verdict":"accept"} and exit 0, or
 * {"verdict":"reject","offset":N,"error":"…"} and exit 1.
 *
 * kubemote-check json-project FILE [--cut SEED] POINTER...: what stands at RFC 6901 pointers, through the sieve: one JSON
 * object of pointer and value as it stood, pointers that lead nowhere left out, in the order of the command line. Exit 1
 * and a line on stderr when the file is no JSON.
 *
 * Exit 2 for wrong usage. With --cut the bytes are fed in pieces: seed 0 byte by byte, other seeds cut at random.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_json.h"

#define WINDOW_SIZE (8u << 20)
#define POINTER_COUNT 1024
#define NODE_COUNT 8192

typedef int (*feed_fn)(void *ctx, struct km_slice in);

struct options {
    const char *file, *cut;
    const char *pointers[POINTER_COUNT];
    uint16_t count;
};

static int parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--cut") == 0 && i + 1 < argc)
            o->cut = argv[++i];
        else if (o->file == NULL)
            o->file = argv[i];
        else if (o->count < POINTER_COUNT)
            o->pointers[o->count++] = argv[i];
        else
            return -1;
    }
    return o->file != NULL ? 0 : -1;
}

/* The next piece's length: some pieces are long, so that large files end soon. */
static size_t piece(struct km_rng *rng, const char *cut, size_t left)
{
    size_t len;

    if (cut == NULL)
        return left;
    if (strcmp(cut, "0") == 0)
        return 1;
    len = (size_t)km_rng_range(rng, 1, km_rng_u32(rng) % 4 == 0 ? 4096 : 16);
    return len < left ? len : left;
}

/* Feeds the file until fn fails. Returns what it returned, or 1 when the file can't be read. */
static int feed_file(const struct options *o, feed_fn fn, void *ctx)
{
    static char block[1 << 16];
    struct km_rng rng;
    FILE *file = fopen(o->file, "rb");
    int err = KM_OK;
    size_t len;

    if (file == NULL) {
        perror(o->file);
        return 1;
    }
    km_rng_seed(&rng, o->cut != NULL ? strtoull(o->cut, NULL, 10) : 0);
    while (err == KM_OK && (len = fread(block, 1, sizeof block, file)) > 0) {
        for (size_t at = 0; err == KM_OK && at < len;) {
            size_t part = piece(&rng, o->cut, len - at);

            err = fn(ctx, (struct km_slice){block + at, part});
            at += part;
        }
    }
    if (ferror(file)) {
        perror(o->file);
        err = 1;
    }
    fclose(file);
    return err;
}

static int feed_scan(void *ctx, struct km_slice in)
{
    return km_json_scan_feed(ctx, in);
}

int check_json(int argc, char **argv)
{
    static struct options o;
    struct km_json_scan scan;
    int err;

    if (parse(&o, argc, argv) != 0 || o.count > 0) {
        fputs("usage: kubemote-check json FILE [--cut SEED]\n", stderr);
        return 2;
    }
    km_json_scan_init(&scan, false);
    err = feed_file(&o, feed_scan, &scan);
    if (err > 0)
        return 2;
    if (err == KM_OK)
        err = km_json_scan_end(&scan);
    if (err == KM_OK) {
        puts("{\"verdict\":\"accept\"}");
        return 0;
    }
    printf("{\"verdict\":\"reject\",\"offset\":%llu,\"error\":\"%s\"}\n",
           (unsigned long long)scan.offset, scan.error);
    return 1;
}

struct project {
    struct km_sieve sieve;
    struct km_slice text;
    bool overflow;
};

static int feed_sieve(void *ctx, struct km_slice in)
{
    struct project *p = ctx;

    return km_sieve_feed(&p->sieve, in);
}

static int take_text(void *ctx, bool item, struct km_slice text, bool overflow)
{
    struct project *p = ctx;

    (void)item;
    p->text = text;
    p->overflow = overflow;
    return KM_OK;
}

/* One RAW field for each pointer; the same pointer twice is one field. */
static int make_schema(struct km_schema *schema, const struct options *o)
{
    static struct km_schema_node nodes[NODE_COUNT];
    static struct km_field fields[POINTER_COUNT];
    static struct km_kind kind = {.name = "projection", .fields = fields};
    static const struct km_schema_part part = {"", &kind};

    for (uint16_t i = 0; i < o->count; i++) {
        uint16_t same = 0;

        while (strcmp(o->pointers[same], o->pointers[i]) != 0)
            same++;
        if (same == i)
            fields[kind.field_count++] =
                (struct km_field){.path = o->pointers[i], .type = KM_F_RAW, .size = WINDOW_SIZE};
    }
    return km_schema_init(schema, &part, 1, NULL, nodes, NODE_COUNT);
}

static void print(const struct km_schema *schema, struct km_slice text)
{
    static char key[6 * 4096];
    const struct km_kind *kind = schema->parts[0].kind;
    const char *comma = "";

    putchar('{');
    for (uint16_t i = 0; i < kind->field_count; i++) {
        struct km_slice value;
        struct km_json_writer w;
        struct km_buf buf;

        if (km_json_find(text, kind->fields[i].path, &value) != KM_OK)
            continue;
        km_buf_init(&buf, key, sizeof key);
        km_json_writer_init(&w, &buf);
        km_json_str(&w, kind->fields[i].path);
        printf("%s%s:", comma, key);
        fwrite(value.ptr, 1, value.len, stdout);
        comma = ",";
    }
    puts("}");
}

int check_json_project(int argc, char **argv)
{
    static struct options o;
    static struct project p;
    static char window[WINDOW_SIZE];
    struct km_schema schema;
    int err;

    if (parse(&o, argc, argv) != 0 || o.count == 0) {
        fputs("usage: kubemote-check json-project FILE [--cut SEED] POINTER...\n", stderr);
        return 2;
    }
    err = make_schema(&schema, &o);
    if (err != KM_OK) {
        fprintf(
            stderr,
            "kubemote-check: a pointer is wrong, too deep or too long, or there are too many: %s\n",
            km_strerror(err));
        return 2;
    }
    km_sieve_init(&p.sieve, &schema, false, window, sizeof window, take_text, &p);
    err = feed_file(&o, feed_sieve, &p);
    if (err > 0)
        return 2;
    if (err == KM_OK)
        err = km_sieve_end(&p.sieve);
    if (err == KM_OK && !p.overflow) {
        print(&schema, p.text);
        return 0;
    }
    fprintf(stderr, "%s: byte %llu: %s\n", o.file, (unsigned long long)p.sieve.scan.offset,
            p.overflow && err == KM_OK ? "what the pointers name does not fit 8 MB"
                                       : p.sieve.scan.error);
    return 1;
}
