/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room control: what controllers do with the metadata of objects. Predicates say whether a change matters; builders write
 * merge patches for finalizers and owners that keep everybody else's entries and fail with a conflict when the object changed
 * meanwhile (km_status_is_conflict: read again, build again).
 */
#ifndef KM_META_H
#define KM_META_H

#include "km_control.h"

/* Members for a kind's list of fields, behind KM_META_FIELDS. */
#define KM_META_GENERATION(I) I(generation, "/metadata/generation")
#define KM_META_LABELS(R, size) R(labels, "/metadata/labels", size)
#define KM_META_FINALIZERS(R, size) R(finalizers, "/metadata/finalizers", size)
#define KM_META_OWNERS(R, size) R(owners, "/metadata/ownerReferences", size)

/* ---- predicates: true = the change matters; objects that come or go always do ---- */

bool km_generation_changed(enum km_change change, int64_t old, int64_t now);
/* Texts of the labels as the server wrote them ("" = none): it sorts their keys. */
bool km_labels_changed(enum km_change change, const char *old, const char *now);
/* The one label alone: its value, or whether it is there. */
bool km_label_changed(enum km_change change, const char *old, const char *now, const char *key);

/* ---- patches ---- */

/* As the object was read. Lists are JSON texts as they stood, "" = none. */
struct km_meta_lists {
    const char *rv, *finalizers, *owners;
    bool cut; /* head.truncated > 0: then nothing is built, since entries might be missing */
};

struct km_owner_ref {
    const char *api_version, *kind, *name, *uid;
    bool controller, block_deletion;
};

/* Each appends a merge patch (KM_TYPE_MERGE) to out and returns 1; 0 when the object is so already and nothing was written.
   KM_ERR_TOO_LONG (also when cut), KM_ERR_SYNTAX. */
int km_finalizer_add(struct km_buf *out, const struct km_meta_lists *object, const char *name);
int km_finalizer_remove(struct km_buf *out, const struct km_meta_lists *object, const char *name);
bool km_finalizer_has(const struct km_meta_lists *object, const char *name);
/* An entry for the same owner (uid, or group, kind and name) is replaced. KM_ERR_ARG: it should be the controller, and
   somebody else is. */
int km_owner_set(struct km_buf *out, const struct km_meta_lists *object,
                 const struct km_owner_ref *owner);
int km_owner_remove(struct km_buf *out, const struct km_meta_lists *object, const char *uid);
/* Appends one entry as a JSON object: for objects that are created. */
void km_owner_write(struct km_json_writer *w, const struct km_owner_ref *owner);

#endif
