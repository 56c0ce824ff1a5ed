/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KUBECONFIG_READER_H
#define KUBECONFIG_READER_H

#include "kubeconfig_priv.h"
#include "kubemote/km_yaml.h"

/*
 * One file at a time while it is taken apart. Of several files the first that has an entry wins, as when clientcmd merges
 * them; so each thing is looked for in all files in their order, and a file is read again when it is not the open one.
 */
struct kubeconfig_reader {
    struct km_yaml doc;
    struct km_kubeconfig *out;
    struct km_fault *fault;
    const struct km_kubeconfig_options *opt;
    const char *paths;                         /* NULL: a text in memory */
    bool many;                                 /* paths are several, split at ':' */
    bool empty;                                /* nothing in the files could be a configuration */
    int open;                                  /* which file doc is, -1 for none */
    char path[KM_KUBECONFIG_PATH_SIZE];        /* of that file */
    const struct km_yaml_node *cluster, *user; /* the maps behind the names, NULL: not there */
    char cluster_name[KM_KUBECONFIG_PATH_SIZE], user_name[KM_KUBECONFIG_PATH_SIZE];
};

/* A place in a file that may be closed by the time it is needed for a message. */
struct kubeconfig_place {
    int file;
    uint32_t line;
};

/* ---- kubeconfig_identity.c ---- */

/* Puts the header lines of name and password, and of impersonation, into out->headers: what opt asks for before what the
   user's entry says. r NULL: there is no entry. */
int kubeconfig_identity(const struct kubeconfig_reader *r, const struct km_kubeconfig_options *opt,
                        struct km_kubeconfig *out, struct km_fault *fault);

/* ---- kubeconfig_files.c ---- */

/* *node is NULL when the member is missing, null or "": to client-go they are the same. */
int kubeconfig_get_text(const struct kubeconfig_reader *r, const struct km_yaml_node *map,
                        const char *key, struct km_slice *out, const struct km_yaml_node **node);
/* A member that says something. */
bool kubeconfig_is_set(const struct km_yaml_node *node);
/* Opens a file unless it is open. KM_EOF behind the last one: then the open one stays; KM_ERR_NOT_FOUND when it does not exist. */
int kubeconfig_open_file(struct kubeconfig_reader *r, int file);
/* KM_ERR_CONFIG with "FILE:LINE: WHAT "NAME" PROBLEM". */
int kubeconfig_error_at(struct kubeconfig_reader *r, struct kubeconfig_place place,
                        const char *what, const char *name, const char *problem);
/* The entry in the first file that has it, which is open then; NULL when none has. */
int kubeconfig_find_in_files(struct kubeconfig_reader *r, const char *list_key, const char *name,
                             const struct km_yaml_node **entry);
int kubeconfig_take_context_name(struct kubeconfig_reader *r, struct km_slice name,
                                 const struct km_yaml_node *node);
/* Looks at every file; the first current-context counts when none was asked for. */
int kubeconfig_check_files(struct kubeconfig_reader *r, struct kubeconfig_place *named_at);

#endif
