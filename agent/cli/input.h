/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What -f names: files, folders (their .json, .yaml and .yml), "-" for standard input; each a sequence of documents, whose lists
 * are taken apart. One file and one document are in memory at a time. Mistakes go to errors.h, and what can be read is.
 */
#ifndef INPUT_H
#define INPUT_H

#include "cli_priv.h"

struct input_object {
    const char *source;   /* the file, "STDIN" */
    struct km_slice json; /* compact */
    /* NUL-terminated, "" = not there. */
    char api_version[320], kind[128], ns[254], name[254], generate_name[254];
};

struct input {
    const struct flag_texts *files; /* each may hold several with commas between */
    bool recursive;
    bool validate; /* a document needs apiVersion and kind before anything else is looked at */
    void (*fn)(void *ctx, const struct input_object *object);
    void *ctx;
};

/* KM_ERR_CONFIG when a path leads nowhere: then errors.h has words and nothing is read. */
int input_check(const struct input *input);
void input_read(const struct input *input);
/* A file of the user, whole: one at a time, valid until the next. KM_ERR_CONFIG with words without the file's name. */
int input_file(const char *path, struct km_slice *text, struct km_fault *fault);
/* The first YAML or JSON document of a text as compact JSON. */
int input_json(const char *name, struct km_slice text, struct km_slice *json,
               struct km_fault *fault);
/* Puts text into the object's JSON behind its first `at` bytes. False when there is no room. */
bool input_insert(struct km_slice *json, size_t at, const char *text);

#endif
