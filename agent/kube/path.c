/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_kube.h"

const struct km_resource km_nodes = {"", "v1", "nodes"};
const struct km_resource km_pods = {"", "v1", "pods"};
const struct km_resource km_leases = {"coordination.k8s.io", "v1", "leases"};
const struct km_resource km_events = {"events.k8s.io", "v1", "events"};

/* apimachinery's IsValidPathSegmentName: escaping such a segment would still change what the server routes to. */
static bool segment_ok(const char *segment)
{
    if (segment[0] == '\0' || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
        return false;
    return strpbrk(segment, "/%") == NULL;
}

static int add_segment(struct km_buf *out, const char *segment)
{
    if (segment == NULL || !segment_ok(segment))
        return KM_ERR_ARG;
    km_buf_putc(out, '/');
    km_http_escape(out, km_slice_of(segment));
    return KM_OK;
}

static int add_group(struct km_buf *out, const struct km_resource *resource)
{
    bool core = resource->group == NULL || resource->group[0] == '\0';
    km_buf_puts(out, core ? "/api" : "/apis");
    if (!core && add_segment(out, resource->group) != KM_OK)
        return KM_ERR_ARG;
    return add_segment(out, resource->version);
}

int km_path(struct km_buf *out, const char *base_path, const struct km_resource *resource,
            const char *ns, const char *name, const char *sub)
{
    km_buf_puts(out, base_path);
    int err = add_group(out, resource);
    if (err == KM_OK && ns != NULL) {
        km_buf_puts(out, "/namespaces");
        err = add_segment(out, ns);
    }
    if (err == KM_OK)
        err = add_segment(out, resource->plural);
    if (err == KM_OK && name != NULL)
        err = add_segment(out, name);
    if (err == KM_OK && sub != NULL)
        err = add_segment(out, sub);
    if (err != KM_OK)
        return err;
    return out->overflow ? KM_ERR_TOO_LONG : KM_OK;
}

void km_query(struct km_buf *out, const char *key, const char *value)
{
    bool first = out->data != NULL && memchr(out->data, '?', out->len) == NULL;
    km_buf_putc(out, first ? '?' : '&');
    km_buf_puts(out, key);
    km_buf_putc(out, '=');
    km_http_escape(out, km_slice_of(value));
}

void km_query_i64(struct km_buf *out, const char *key, int64_t value)
{
    char text[24];
    struct km_buf number;
    km_buf_init(&number, text, sizeof text);
    km_buf_put_i64(&number, value);
    km_query(out, key, text);
}
