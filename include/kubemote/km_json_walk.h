/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room json: any JSON text as a stream of events, for those who know no schema: the command line, programs that read any
 * resource. Validated strictly (see km_json_scan); nothing is kept but the path to the present place.
 *
 *     {"a": [1, {}], "b": "x\n"}
 *     -> OBJECT "", KEY "/a", ARRAY "/a", PART+SCALAR "/a/0" 1, OBJECT "/a/1", END "/a/1", END "/a",
 *        KEY "/b", PART+SCALAR "/b" "x\n" (with its quotes and escapes as they stood), END ""
 */
#ifndef KM_JSON_WALK_H
#define KM_JSON_WALK_H

#include "km_json.h"

enum km_walk_event {
    KM_WALK_OBJECT, /* begins */
    KM_WALK_ARRAY,  /* begins */
    KM_WALK_END,    /* of the object or array at this path */
    /* A member begins; text: its name as it stood, without quotes; path ends with it already. Of a name of more than
       CONFIG_KM_JSON_KEY_BYTES its beginning: path_cut is set then. */
    KM_WALK_KEY,
    KM_WALK_PART, /* text: the next bytes of a string (with its quotes), number, true, false or null, as they stood */
    KM_WALK_SCALAR /* that value is complete; text is empty */
};

struct km_json_walk;
/* text is valid during the call. A negative result stops the feed, which returns it. */
typedef int (*km_walk_fn)(void *ctx, const struct km_json_walk *walk, enum km_walk_event event,
                          struct km_slice text);

struct km_json_walk {
    km_walk_fn fn;
    void *ctx;
    /* RFC 6901 pointer to the present value, NUL-terminated; names as they stood (escapes of JSON unresolved). Segments that do
       not fit are left out and path_cut is set until they are left. */
    char path[CONFIG_KM_JSON_PATH_BYTES];
    uint16_t depth;     /* objects and arrays around the present value */
    bool path_cut;      /* the path above is not the whole one */
    uint64_t documents; /* complete ones */
    /* Private. */
    struct km_json_scan scan;
    int err;
    bool in_scalar, key_cut;
    uint16_t path_len, key_len, cut_depth;
    uint16_t starts[CONFIG_KM_JSON_DEPTH + 1]; /* of each level's segment in path */
    uint32_t places[CONFIG_KM_JSON_DEPTH + 1]; /* of the element in an array */
    char key[CONFIG_KM_JSON_KEY_BYTES];
};

/* many: a sequence of documents (a watch). */
void km_json_walk_init(struct km_json_walk *walk, bool many, km_walk_fn fn, void *ctx);
/* KM_OK so far, KM_ERR_SYNTAX or KM_ERR_DEPTH (walk->scan.error says what), or what fn returned; it stays so. */
int km_json_walk_feed(struct km_json_walk *walk, struct km_slice in);
int km_json_walk_end(struct km_json_walk *walk);
/* Whether the path is that pattern: an RFC 6901 pointer in which a segment of one star stands for any segment. */
bool km_json_walk_at(const struct km_json_walk *walk, const char *pattern);
/* For a place at or below the pattern's: what the path has behind it ("" at the place itself). Else NULL. */
const char *km_json_walk_below(const struct km_json_walk *walk, const char *pattern);

#endif
