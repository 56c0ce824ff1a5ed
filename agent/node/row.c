/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_scalar.h"
#include "node_priv.h"

static void write_age(char *out, size_t size, const struct km_node *node, int64_t wall_us)
{
    int64_t created_us;
    if (km_time_parse(km_slice_of(node->f.created), &created_us) == KM_OK)
        km_duration_human((wall_us - created_us) * 1000, out, size);
    else
        (void)km_slice_copy(km_slice_of("<unknown>"), out, size);
}

static void write_state(char *out, size_t size, const struct km_node *node)
{
    struct km_buf text;
    const struct km_node_condition *ready = node_condition(node, "Ready");
    km_buf_init(&text, out, size);
    if (ready == NULL)
        km_buf_puts(&text, "Unknown");
    else
        km_buf_puts(&text, strcmp(ready->status, "True") == 0 ? "Ready" : "NotReady");
    if (node->f.unschedulable)
        km_buf_puts(&text, ",SchedulingDisabled");
}

static const char *internal_ip(const struct km_node *node)
{
    for (uint16_t i = 0; i < node->f.addresses_count; i++) {
        if (strcmp(node->f.addresses[i].type, "InternalIP") == 0)
            return node->f.addresses[i].address;
    }
    return "<none>";
}

void node_row(struct km_buf *out, const struct km_node *node, int64_t wall_us, bool header)
{
    char age[24], state[40];
    int name_width = (int)strlen(node->f.name) < 12 ? 12 : (int)strlen(node->f.name);
    if (header) {
        km_buf_printf(out, "%-*s   %-28s   %-6s   %-25s   %-15s   %s", name_width, "NAME", "STATUS",
                      "AGE", "VERSION", "INTERNAL-IP", "KERNEL-VERSION");
        return;
    }
    write_age(age, sizeof age, node, wall_us);
    write_state(state, sizeof state, node);
    km_buf_printf(out, "%-*s   %-28s   %-6s   %-25s   %-15s   %s", name_width, node->f.name, state,
                  age, node->f.kubelet_version, internal_ip(node), node->f.kernel_version);
}
