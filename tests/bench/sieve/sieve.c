/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sieve beside yyjson on the same stream of watch events, one to a line:
 *
 *   sieve-bench FILE [ROUNDS]
 *
 * Each round goes through the whole file by each of them in turn; the fastest round of each counts, in its own processor
 * time. The sieve gets the bytes in pieces of the agent's receive buffer and the schema of an informer on pods. yyjson gets
 * whole documents that it may parse in place, copied for it beforehand, and a pool of memory for its values.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <yyjson.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_node.h"
#include "agent/watch/watch_priv.h"

#define FILE_BYTES (16 << 20)
#define DOCUMENT_BYTES (256 << 10)
#define DOCUMENTS 4096

static char file[FILE_BYTES], pool[16 * DOCUMENT_BYTES];
static size_t file_len;
static struct {
    char *text;
    size_t len;
} documents[DOCUMENTS];
static size_t document_count;
static char copies[FILE_BYTES];
static char window[CONFIG_KM_JSON_WINDOW_BYTES];
static struct km_schema_node nodes[CONFIG_KM_JSON_NODE_COUNT];
static struct km_schema schema;
static unsigned long seen;
static bool decoding;

KM_KIND_TABLE(watch_frame, "WatchEvent", WATCH_FRAME_FIELDS)
KM_KIND_TABLE(pod, "Pod", KM_POD_FIELDS)

static const struct km_schema_part parts[] = {
    {"", &km_kind_watch_frame}, {"/object", &km_kind_status}, {"/object", &km_kind_pod}};

static void die(const char *what)
{
    fprintf(stderr, "sieve-bench: %s\n", what);
    exit(1);
}

static double processor_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int take(void *ctx, bool item, struct km_slice text, bool overflow)
{
    static struct km_watch_frame event;
    static struct km_status status;
    static struct km_pod pod;
    void *dest[] = {&event, &status, &pod};

    (void)ctx;
    (void)item;
    if (overflow)
        die("the window is too small");
    seen++;
    if (decoding && (km_json_decode(&schema, false, text, dest) != KM_OK || pod.name[0] == '\0'))
        die("an event could not be decoded");
    return KM_OK;
}

static void by_sieve(void)
{
    static struct km_sieve sieve;

    km_sieve_init(&sieve, &schema, true, window, sizeof window, take, NULL);
    for (size_t at = 0; at < file_len; at += CONFIG_KM_NET_RX_BYTES) {
        size_t left = file_len - at;
        size_t len = left < CONFIG_KM_NET_RX_BYTES ? left : CONFIG_KM_NET_RX_BYTES;

        if (km_sieve_feed(&sieve, (struct km_slice){file + at, len}) != KM_OK)
            die("the sieve refuses the file");
    }
    if (km_sieve_end(&sieve) != KM_OK)
        die("the file ends in the middle");
}

static void by_scanner(void)
{
    struct km_json_scan scan;

    km_json_scan_init(&scan, true);
    if (km_json_scan_feed(&scan, (struct km_slice){file, file_len}) != KM_OK)
        die("the scanner refuses the file");
    seen++;
}

static void by_sieve_decoding(void)
{
    decoding = true;
    by_sieve();
    decoding = false;
}

/* Every document behind the last, with the zeros between them that yyjson wants. */
static void copy_documents(void)
{
    char *line = file, *end = file + file_len, *to = copies;

    for (document_count = 0; line < end; document_count++) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((next == NULL ? end : next) - line);

        if (document_count == DOCUMENTS ||
            len + YYJSON_PADDING_SIZE > (size_t)(copies + sizeof copies - to))
            die("too many documents");
        memcpy(to, line, len);
        memset(to + len, 0, YYJSON_PADDING_SIZE);
        documents[document_count].text = to;
        documents[document_count].len = len;
        to += len + YYJSON_PADDING_SIZE;
        line += len + 1;
    }
}

static void by_yyjson(void)
{
    for (size_t i = 0; i < document_count; i++) {
        yyjson_alc memory;
        yyjson_doc *doc;

        yyjson_alc_pool_init(&memory, pool, sizeof pool);
        doc = yyjson_read_opts(documents[i].text, documents[i].len, YYJSON_READ_INSITU, &memory,
                               NULL);
        if (doc == NULL || yyjson_obj_size(yyjson_doc_get_root(doc)) != 2)
            die("yyjson refuses a line");
        seen++;
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} readers[] = {{"sieve", by_sieve},
               {"sieve-decode", by_sieve_decoding},
               {"scanner", by_scanner},
               {"yyjson", by_yyjson}};

#define READERS (sizeof readers / sizeof readers[0])

static void load(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        die("cannot open the file");
    while ((n = read(fd, file + file_len, sizeof file - file_len)) > 0)
        file_len += (size_t)n;
    close(fd);
    if (file_len == 0 || file_len == sizeof file)
        die("the file is empty or too large");
}

int main(int argc, char **argv)
{
    long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 40;
    double best[READERS] = {0};

    if (argc < 2)
        die("usage: sieve-bench FILE [ROUNDS]");
    load(argv[1]);
    schema.parts = parts;
    if (km_schema_init(&schema, parts, 3, NULL, nodes, CONFIG_KM_JSON_NODE_COUNT) != KM_OK)
        die("the schema");
    for (long round = 0; round < rounds; round++) {
        for (size_t i = 0; i < READERS; i++) {
            double start, took;

            copy_documents();
            start = processor_s();
            readers[i].run();
            took = processor_s() - start;
            if (round == 0 || took < best[i])
                best[i] = took;
        }
    }
    for (size_t i = 0; i < READERS; i++)
        printf("%s %.1f\n", readers[i].name, (double)file_len / best[i] / 1e6);
    return seen == 0;
}
