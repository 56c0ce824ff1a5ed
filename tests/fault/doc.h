/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON documents as trees, for the tests' server: parse, look up, edit, patch, print. On the heap, because only tests use
 * it; whoever makes a document frees it. Misuse and malformed paths abort.
 */
#ifndef TESTS_FAULT_DOC_H
#define TESTS_FAULT_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum doc_type { DOC_NULL, DOC_BOOL, DOC_NUMBER, DOC_STRING, DOC_ARRAY, DOC_OBJECT };

struct doc {
    enum doc_type type;
    char *key;  /* as a member of an object, else NULL */
    char *text; /* decoded string, number or literal as it stood; NULL for containers */
    struct doc *first, *next;
};

/* NULL when the text is no JSON. */
struct doc *doc_parse(const char *text, size_t len);
/* Aborts when the text is no JSON: for texts of the test itself. */
struct doc *doc_of(const char *text);
struct doc *doc_copy(const struct doc *doc);
void doc_free(struct doc *doc);
bool doc_same(const struct doc *a, const struct doc *b); /* members in the same order, too */

/* The value at an RFC 6901 pointer, NULL when there is none. */
struct doc *doc_find(const struct doc *doc, const char *path);
/* Its text, "" when there is none or it is a container. */
const char *doc_text(const struct doc *doc, const char *path);
/* The element of the array at path whose member `key` is `value`, or NULL. */
struct doc *doc_element(const struct doc *doc, const char *path, const char *key,
                        const char *value);
size_t doc_count(const struct doc *doc,
                 const char *path); /* elements or members, 0 when there is no such thing */

/* Puts value (owned by the tree from here on) at path; objects on the way are made. */
void doc_put(struct doc *doc, const char *path, struct doc *value);
void doc_put_text(struct doc *doc, const char *path, const char *text); /* a string */
void doc_put_json(struct doc *doc, const char *path, const char *json);
void doc_drop(struct doc *doc, const char *path); /* harmless when there is none */

/* JSON merge patch, RFC 7386. */
void doc_merge(struct doc *to, const struct doc *patch);
/*
 * Strategic merge patch as the API server does it for Nodes: lists named conditions and addresses merge by `type`,
 * ownerReferences by `uid`, other lists are replaced; an element {"$patch":"replace"} replaces the list by the others, an
 * element with "$patch":"delete" removes the one of its key.
 */
void doc_strategic(struct doc *to, const struct doc *patch);

/* The text without blanks, members in their order. Freed by the caller. */
char *doc_print(const struct doc *doc);

#endif
