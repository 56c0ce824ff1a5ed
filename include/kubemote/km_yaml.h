/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML files that a person wrote: kubeconfig and the agent's configuration. One document is read into a small tree of
 * nodes in static work memory of CONFIG_KM_CONFIG_WORK_BYTES; JSON is accepted, being YAML. Before the seal only: the
 * reader (libyaml) uses the start-up heap and gives everything back before km_yaml_load and km_yaml_parse return.
 *
 * Stricter than YAML where a mistake would go unseen: a key that stands twice in one map, anchors and aliases, merge keys,
 * tags other than !!str, !!map and !!seq, keys that are not scalars, and nesting beyond KM_YAML_DEPTH are errors.
 */
#ifndef KM_YAML_H
#define KM_YAML_H

#include "km_base.h"

#define KM_YAML_DEPTH 16

enum km_yaml_kind { KM_YAML_NULL, KM_YAML_SCALAR, KM_YAML_MAP, KM_YAML_LIST };

/* Valid until km_yaml_close. Texts are NUL-terminated; a text may hold NUL bytes before its end ("\0" in quotes). */
struct km_yaml_node {
    const struct km_yaml_node
        *next; /* the next member of the same map or list, in the order of the file */
    const struct km_yaml_node *first; /* the first member of a map or list, NULL when it has none */
    struct km_slice key;              /* of a map's member */
    struct km_slice text;             /* of a scalar */
    uint32_t line;                    /* 1-based; of the value */
    uint32_t key_line;                /* 1-based; of the key, or of the value when there is none */
    uint8_t kind; /* enum km_yaml_kind; KM_YAML_NULL: null, ~ or nothing, without quotes */
    bool plain;   /* a scalar without quotes */
};

struct km_yaml {
    const char *name;                /* of the file, for errors */
    const struct km_yaml_node *root; /* NULL: the document is empty */
};

enum km_yaml_documents {
    KM_YAML_ONE_DOCUMENT,   /* a second document is an error */
    KM_YAML_FIRST_DOCUMENT, /* what follows the first document is not read, as in client-go */
};

/*
 * Reads a file. Only one document can be open at a time (KM_ERR_REENTRANT). Blocks for the disk. path stays valid until
 * km_yaml_close. KM_ERR_NOT_FOUND when there is no such file, otherwise KM_ERR_CONFIG; fault says "FILE: ..." or
 * "FILE:LINE: ...". On failure nothing is open.
 */
int km_yaml_load(struct km_yaml *doc, const char *path, enum km_yaml_documents documents,
                 struct km_fault *fault);
/* The same for a text in memory, which must stay until km_yaml_close; name stands for the file in errors. */
int km_yaml_parse(struct km_yaml *doc, const char *name, struct km_slice text,
                  enum km_yaml_documents documents, struct km_fault *fault);
/* Wipes the work memory, since it may have held keys. Harmless when nothing is open. */
void km_yaml_close(struct km_yaml *doc);

/* The member of a map, NULL when there is none, or when map is NULL or no map. */
const struct km_yaml_node *km_yaml_get(const struct km_yaml_node *map, const char *key);

/* Sets the fault to "FILE:LINE: ..." with the line of node (no line when node is NULL) and returns KM_ERR_CONFIG. */
int km_yaml_error(const struct km_yaml *doc, const struct km_yaml_node *node,
                  struct km_fault *fault, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * Values. `what` names the key in errors. A scalar keeps the text that stands in the file: 010 and yes are strings where
 * a string is wanted. Errors are KM_ERR_CONFIG, as from km_yaml_error.
 */
int km_yaml_string(const struct km_yaml *doc, const struct km_yaml_node *node, const char *what,
                   struct km_slice *out, struct km_fault *fault); /* refuses NUL bytes */
int km_yaml_bool(const struct km_yaml *doc, const struct km_yaml_node *node, const char *what,
                 bool *out, struct km_fault *fault); /* true or false, not quoted */
int km_yaml_int(const struct km_yaml *doc, const struct km_yaml_node *node, const char *what,
                int64_t min, int64_t max, int64_t *out,
                struct km_fault *fault); /* decimal, not quoted */

/* Why reading a file failed, in words: "no such file or directory", "permission denied". err is km_port_file_read's;
   system_error is errno right after it. */
const char *km_file_problem(int err, int system_error);
/* The end of a long path, so that a message keeps room for what it has to say. */
const char *km_path_tail(const char *path);

#endif
