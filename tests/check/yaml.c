/* SPDX-License-Identifier: Apache-2.0 */
/* kubemote-check yaml FILE: its documents as JSON, one a line. */
#include <stdio.h>

#include "check.h"
#include "kubemote/km_manifest.h"

#define FILE_BYTES (32u << 20)
#define MEMBERS 65536

static char text[FILE_BYTES], json[FILE_BYTES], anchors[FILE_BYTES];
static struct km_manifest_member members[MEMBERS];

int check_yaml(int argc, char **argv)
{
    const struct km_manifest_work work = {json,           sizeof json, anchors,
                                          sizeof anchors, members,     MEMBERS};
    struct km_manifest manifest;
    struct km_fault fault = {0};
    struct km_slice document;
    int err;

    if (argc != 2)
        return check_usage("yaml");
    FILE *file = fopen(argv[1], "rb");
    if (file == NULL) {
        fprintf(stderr, "kubemote-check: %s can't be opened\n", argv[1]);
        return 2;
    }
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    if (len == sizeof text) {
        fprintf(stderr, "kubemote-check: %s is larger than %u bytes\n", argv[1], FILE_BYTES - 1);
        return 1;
    }
    km_manifest_init(&manifest, argv[1], (struct km_slice){text, len}, &work);
    while ((err = km_manifest_next(&manifest, &document, &fault)) == KM_OK)
        printf("%.*s\n", (int)document.len, document.ptr);
    if (err == KM_EOF)
        return 0;
    fprintf(stderr, "%s\n", fault.text);
    return 1;
}
