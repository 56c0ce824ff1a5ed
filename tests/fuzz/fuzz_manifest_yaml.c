/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a file of manifests. What must hold: each document is JSON in one line, inside its memory and ended by a NUL; an
 * error has the file's name in front; nothing comes behind the end; all heap is given back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_json.h"
#include "kubemote/km_manifest.h"

#define DOCUMENTS_MAX \
    1000 /* each takes at least a byte of the text, so that an endless row of them shows */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char json[8192], anchors[1024];

static void check(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "fuzz_manifest_yaml: %s\n", what);
    abort();
}

static void check_document(struct km_slice text)
{
    struct km_json_scan scan;

    check(text.ptr == json && text.len < sizeof json && text.ptr[text.len] == '\0',
          "a document outside its memory");
    check(memchr(text.ptr, '\n', text.len) == NULL, "a line end in a document");
    km_json_scan_init(&scan, false);
    check(km_json_scan_feed(&scan, text) == KM_OK && km_json_scan_end(&scan) == KM_OK,
          "a document that is no JSON");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct km_manifest_member members[32];
    const struct km_manifest_work work = {json, sizeof json, anchors, sizeof anchors, members, 32};
    struct km_manifest manifest;
    struct km_slice document;
    struct km_fault fault = {0};
    size_t count = 0;
    int err;

    if (size > DOCUMENTS_MAX)
        return 0;
    km_manifest_init(&manifest, "f", (struct km_slice){(const char *)data, size}, &work);
    while ((err = km_manifest_next(&manifest, &document, &fault)) == KM_OK) {
        check(++count <= DOCUMENTS_MAX, "documents without end");
        check_document(document);
    }
    check(err == KM_EOF || err == KM_ERR_CONFIG, "another code than KM_ERR_CONFIG");
    check(err == KM_EOF || strncmp(fault.text, "f:", 2) == 0, "an error without a place");
    check(km_manifest_next(&manifest, &document, &fault) == KM_EOF, "more behind the end");
    return 0;
}
