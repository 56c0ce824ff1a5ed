/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_json_table.h"
#include "node_priv.h"

KM_ELEMENT_TABLE(node_condition, KM_CONDITION_FIELDS)
KM_ELEMENT_TABLE(node_address, KM_ADDRESS_FIELDS)
KM_KIND_TABLE(node_fields, "Node", KM_NODE_FIELDS)

/* "~" and "/" of a key in a pointer (RFC 6901, section 3). */
static void put_escaped(struct km_buf *out, const char *key)
{
    for (; *key != '\0'; key++) {
        if (*key == '~')
            km_buf_puts(out, "~0");
        else if (*key == '/')
            km_buf_puts(out, "~1");
        else
            km_buf_putc(out, *key);
    }
}

static void add_label(struct node_labels *labels, struct km_field *field, uint16_t i,
                      struct km_buf *paths)
{
    field->path = paths->data + paths->len;
    field->type = KM_F_RAW;
    field->offset =
        (uint32_t)(offsetof(struct km_node, labels) + i * sizeof((struct km_node *)0)->labels[0]);
    field->size = sizeof((struct km_node *)0)->labels[0];
    km_buf_puts(paths, "/metadata/labels/");
    put_escaped(paths, labels->items[i].key);
    km_buf_put(paths, "", 1);
}

int node_kind_init(struct km_kind *kind, struct node_labels *labels, struct km_fault *fault)
{
    const struct km_kind *base = &km_kind_node_fields;
    size_t room = sizeof labels->fields / sizeof labels->fields[0];
    struct km_buf paths;
    km_buf_init(&paths, labels->paths, sizeof labels->paths);
    memset(labels->fields, 0, sizeof labels->fields);
    if ((size_t)base->field_count + labels->count > room)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "too many labels: raise CONFIG_KM_NODE_LABEL_COUNT");
    memcpy(labels->fields, base->fields, base->field_count * sizeof base->fields[0]);
    for (uint16_t i = 0; i < labels->count; i++)
        add_label(labels, &labels->fields[base->field_count + i], i, &paths);
    if (paths.overflow)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "the labels are too long: raise CONFIG_KM_NODE_TEXT_BYTES (%d)",
                            CONFIG_KM_NODE_TEXT_BYTES);
    kind->name = "Node";
    kind->record_size = sizeof(struct km_node);
    kind->fields = labels->fields;
    kind->field_count = (uint16_t)(base->field_count + labels->count);
    return KM_OK;
}
