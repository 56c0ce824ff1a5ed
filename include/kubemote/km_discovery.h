/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room kube: which resources the server has. Asks /api and /apis, in the aggregated form or group by group on servers without
 * it, and keeps the answer as lines of text, one per resource, in the server's order, so that the core group comes first and
 * each group's preferred version before its others:
 *
 *     group version plural singular Kind namespaced|cluster verbs shortNames categories subresources
 *
 * Lists have commas between, "-" stands for nothing. The text is kept in a file between runs and in one static buffer of
 * CONFIG_KM_DISCOVERY_BYTES within one. One at a time in a process. Everything here may block.
 */
#ifndef KM_DISCOVERY_H
#define KM_DISCOVERY_H

#include "km_rest.h"

#define KM_API_LIST_BYTES 192

struct km_api_resource {
    char group[254], version[64], plural[64], singular[64], kind[64];
    /* Comma between; "" = none. What does not fit is left out. */
    char verbs[KM_API_LIST_BYTES], short_names[KM_API_LIST_BYTES], categories[KM_API_LIST_BYTES],
        subresources[KM_API_LIST_BYTES];
    bool namespaced;
    struct km_resource resource; /* points into this struct: the struct must not be copied */
};

struct km_discovery {
    struct km_client *client;
    struct km_lane *lane;
    char file[512];     /* "" = nothing is kept between runs */
    int64_t max_age_s;  /* of the file; CONFIG_KM_DISCOVERY_SECONDS after init */
    bool loaded, fresh; /* the text is there; it was asked for in this process */
    struct km_buf text;
    char failed[256]; /* group versions that did not answer, comma between: the rest is used */
};

/* folder: where the file is kept, made when missing; NULL = $KUBECACHEDIR, else ~/.kube/cache, and "kubemote" below it. */
void km_discovery_init(struct km_discovery *d, struct km_client *client, struct km_lane *lane,
                       const char *folder);
/* Asks the server now. A link's error, KM_ERR_STATUS, or KM_ERR_FULL when the buffer is too small, with words. */
int km_discovery_refresh(struct km_discovery *d, struct km_fault *fault);
/* The resource that a person means by `arg`, as kubectl takes it: plural, singular, kind or short name in any case, with
   .group or .version.group behind it. On a miss in a kept file the server is asked once more. KM_ERR_NOT_FOUND in kubectl's
   words. */
int km_discovery_find(struct km_discovery *d, const char *arg, struct km_api_resource *out,
                      struct km_fault *fault);
/* The resource of a manifest's apiVersion and kind. KM_ERR_NOT_FOUND in kubectl's words. */
int km_discovery_kind(struct km_discovery *d, const char *api_version, const char *kind,
                      struct km_api_resource *out, struct km_fault *fault);
/* Every resource, until fn returns something else than 0, which is then returned. `out` is where each is put. */
int km_discovery_each(struct km_discovery *d, struct km_api_resource *out,
                      int (*fn)(void *ctx, const struct km_api_resource *resource), void *ctx,
                      struct km_fault *fault);
/* Whether one of the names in a list with commas is `name`. */
bool km_list_has(const char *list, const char *name);

#endif
