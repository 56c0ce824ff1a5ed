/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any resource, without a type: what a person calls it is looked up on the server, a label is set by a merge patch, and every
 * value below a path of the answer is printed: dynamic TYPE[.VERSION][.GROUP] NAME LABEL VALUE PATH
 *
 *     dynamic deploy web tier front /metadata/labels
 */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_discovery.h"
#include "kubemote/km_json_walk.h"

static struct km_session session;
static struct km_discovery discovery;
static struct km_api_resource what;
static struct km_request request;
static struct km_json_walk walk;
static char body[1024], pointer[400];

/* The answer as it streams in, of any size. */
static int on_bytes(struct km_request *r, struct km_slice bytes)
{
    (void)r;
    return km_json_walk_feed(&walk, bytes);
}

static int print(void *ctx, const struct km_json_walk *at, enum km_walk_event event,
                 struct km_slice text)
{
    const char *below = km_json_walk_below(at, ctx);
    if (below == NULL)
        return KM_OK;
    if (event == KM_WALK_PART)
        printf("%.*s", (int)text.len, text.ptr);
    else if (event == KM_WALK_SCALAR)
        printf(" %s\n", below);
    return KM_OK;
}

static int set_label(const char *name, const char *label, const char *value)
{
    static struct km_json_set patch;
    struct km_buf at, out;
    km_buf_init(&at, pointer, sizeof pointer);
    km_buf_puts(&at, "/metadata/labels");
    km_pointer_add(&at, label);
    km_buf_init(&out, body, sizeof body);
    km_json_set_begin(&patch, &out);
    km_json_set_str(&patch, pointer, value);
    int err = km_json_set_end(&patch);
    if (err != KM_OK)
        return err;
    return km_rest_patch(&request, &session.client, &what.resource,
                         what.namespaced ? session.config.ns : NULL, name, NULL, KM_TYPE_MERGE,
                         km_buf_slice(&out), NULL);
}

int main(int argc, char **argv)
{
    struct km_fault why = {0};
    if (argc != 6)
        return fprintf(stderr, "usage: dynamic TYPE NAME LABEL VALUE PATH\n"), 1;
    int err = km_session_open(&session, NULL, &why);
    if (err == KM_OK) {
        km_discovery_init(&discovery, &session.client, &session.lane, NULL);
        err = km_discovery_find(&discovery, argv[1], &what, &why);
    }
    if (err == KM_OK)
        err = set_label(argv[2], argv[3], argv[4]);
    if (err == KM_OK) {
        km_json_walk_init(&walk, false, print, argv[5]);
        request.on_bytes = on_bytes;
        err = km_call(&request, &session.lane);
    }
    if (err == KM_OK)
        err = km_json_walk_end(&walk);
    if (err == KM_OK)
        return 0;
    const char *words = why.code != KM_OK       ? why.text
                        : request.fault != NULL ? request.fault->text
                                                : km_strerror(err);
    fprintf(stderr, "error: %s\n", words);
    return 1;
}
