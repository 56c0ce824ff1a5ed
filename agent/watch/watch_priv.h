/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WATCH_PRIV_H
#define WATCH_PRIV_H

#include "kubemote/km_kube.h"

/* What stands around the object in a watch event. The object's own resourceVersion is among the cached kind's fields, which
   also receive a bookmark. */
#define WATCH_EVENT_FIELDS(S, I, B, R, A, M)                                                                           \
    S(type, "/type", 16)                                                                                               \
    S(initial_end, "/object/metadata/annotations/k8s.io~1initial-events-end", 8)
struct watch_event {
    struct km_record head;
    WATCH_EVENT_FIELDS(KM_FIELD_S_, KM_FIELD_I_, KM_FIELD_B_, KM_FIELD_R_, KM_FIELD_A_, KM_FIELD_A_)
};
extern const struct km_kind watch_kind_event;

/* What stands around the items of a list. */
#define WATCH_LIST_FIELDS(S, I, B, R, A, M)                                                                            \
    S(rv, "/metadata/resourceVersion", 32)                                                                             \
    S(continue_token, "/metadata/continue", CONFIG_KM_CONTINUE_BYTES)
struct watch_list {
    struct km_record head;
    WATCH_LIST_FIELDS(KM_FIELD_S_, KM_FIELD_I_, KM_FIELD_B_, KM_FIELD_R_, KM_FIELD_A_, KM_FIELD_A_)
};
extern const struct km_kind watch_kind_list;

#endif
