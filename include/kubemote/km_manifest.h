/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room manifest: files of objects, YAML or JSON, as JSON documents one after another, typed as Kubernetes' own tools type
 * them (sigs.k8s.io/yaml, which is YAML 1.1: yes and on are booleans, 010 is 8, the last of equal keys counts, merge keys and
 * aliases are resolved). Documents are cut at lines of three dashes as kubectl cuts them. The YAML reader (libyaml) takes
 * memory from malloc and gives it back before a call returns, so that in the agent this runs before the seal.
 */
#ifndef KM_MANIFEST_H
#define KM_MANIFEST_H

#include "km_base.h"

#define KM_MANIFEST_DEPTH 64
#define KM_MANIFEST_ANCHORS 64

/* Private: a member of a map that is not closed yet. */
struct km_manifest_member {
    uint32_t hash, start;
};

/* The caller's memory; what does not fit is an error that says so. */
struct km_manifest_work {
    char *json; /* one document as JSON */
    size_t json_size;
    char *anchors; /* what aliases stand for, as JSON */
    size_t anchors_size;
    struct km_manifest_member *members; /* of all maps around one place */
    size_t member_count;
};

struct km_manifest {
    const char *name;     /* of the file, for errors */
    struct km_slice rest; /* not read yet */
    size_t line;          /* where rest begins, from 1 */
    uint32_t count;       /* documents so far */
    uint8_t mode;
    struct km_manifest_work work;
};

/* text and the work memory stay until the last document was taken. */
void km_manifest_init(struct km_manifest *manifest, const char *name, struct km_slice text,
                      const struct km_manifest_work *work);
/*
 * The next document as compact JSON without a line end, valid until the next call; "null" for one without content. KM_OK,
 * KM_EOF behind the last one, or KM_ERR_CONFIG with "FILE:LINE: why": then nothing more can be read.
 */
int km_manifest_next(struct km_manifest *manifest, struct km_slice *json, struct km_fault *fault);

#endif
