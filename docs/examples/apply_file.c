/* SPDX-License-Identifier: Apache-2.0 */
/* Applies the objects of a YAML or JSON file, server-side: apply_file FILE */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_discovery.h"
#include "kubemote/km_manifest.h"

static struct km_session session;
static struct km_discovery discovery;
static struct km_request request;
static char file[65536], json[65536], anchors[4096];
static struct km_manifest_member members[1024];

static void text_at(struct km_slice object, const char *pointer, char *out, size_t size)
{
    struct km_slice value;
    out[0] = '\0';
    if (km_json_find(object, pointer, &value) == KM_OK)
        (void)km_json_unquote(value, out, size);
}

static int apply(struct km_slice object, struct km_fault *why)
{
    static struct km_api_resource what;
    const struct km_options options = {.field_manager = "apply-file", .force = KM_YES};
    char version[320], kind[128], ns[64], name[254];
    text_at(object, "/apiVersion", version, sizeof version);
    text_at(object, "/kind", kind, sizeof kind);
    text_at(object, "/metadata/namespace", ns, sizeof ns);
    text_at(object, "/metadata/name", name, sizeof name);
    int err = km_discovery_kind(&discovery, version, kind, &what, why);
    if (err != KM_OK)
        return err;
    const char *in = !what.namespaced ? NULL : ns[0] != '\0' ? ns : session.config.ns;
    memset(&request, 0, sizeof request);
    err = km_rest_patch(&request, &session.client, &what.resource, in, name, NULL, KM_TYPE_APPLY,
                        object, &options);
    if (err == KM_OK)
        err = km_call(&request, &session.lane);
    if (err == KM_OK)
        printf("%s/%s applied\n", what.singular, name);
    return err;
}

int main(int argc, char **argv)
{
    const struct km_manifest_work work = {json,           sizeof json, anchors,
                                          sizeof anchors, members,     1024};
    struct km_manifest manifest;
    struct km_slice object;
    struct km_fault why = {0};
    int len = argc == 2 ? km_port_file_read(argv[1], file, sizeof file) : KM_ERR_ARG;
    if (len < 0)
        return fprintf(stderr, "usage: apply_file FILE (of at most 64 kB)\n"), 1;
    int err = km_session_open(&session, NULL, &why);
    if (err == KM_OK) {
        km_discovery_init(&discovery, &session.client, &session.lane, NULL);
        km_manifest_init(&manifest, argv[1], (struct km_slice){file, (size_t)len}, &work);
    }
    while (err == KM_OK && (err = km_manifest_next(&manifest, &object, &why)) == KM_OK) {
        if (!km_slice_eq_str(object, "null"))
            err = apply(object, &why);
    }
    if (err == KM_EOF)
        return 0;
    fprintf(stderr, "error: %s\n", why.code != KM_OK ? why.text : request.fault->text);
    return 1;
}
