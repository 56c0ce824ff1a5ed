/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind of one's own, declared as the library declares its kinds: one list makes struct, decoder and encoder. Reads a Widget
 * (example.com/v1), writes its status, and applies a copy: custom_resource NAMESPACE NAME
 */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_typed.h"

#define PART_FIELDS(S, I, B, R, A, M) S(name, "/name", 64) I(count, "/count")
#define WIDGET_FIELDS(S, I, B, R, A, M) \
    KM_META_FIELDS(S) \
    S(color, "/spec/color", 32) \
    I(size, "/spec/size") \
    A(parts, "/spec/parts", widget_part, 8) \
    I(pieces, "/status/pieces")
KM_ELEMENT_STRUCT(widget_part, PART_FIELDS)
KM_KIND_STRUCT(widget, WIDGET_FIELDS)
extern const struct km_kind km_kind_widget;
KM_ELEMENT_TABLE(widget_part, PART_FIELDS)
KM_KIND_TABLE(widget, "Widget", WIDGET_FIELDS)
static const struct km_type widget_type = {
    {"example.com", "v1", "widgets"}, "example.com/v1", true, &km_kind_widget};

static struct km_session session;
static struct km_widget widget;
static struct km_schema_node nodes[64];
static char text[4096];
static struct km_typed widgets = {.type = &widget_type,
                                  .client = &session.client,
                                  .lane = &session.lane,
                                  .record = &widget,
                                  .nodes = nodes,
                                  .node_size = 64,
                                  .text = text,
                                  .text_size = sizeof text};

static int write_status(void)
{
    widget.pieces = 0;
    for (uint16_t i = 0; i < widget.parts_count; i++)
        widget.pieces += widget.parts[i].count;
    return km_typed_update(&widgets, "status", NULL);
}

static int copy(void)
{
    const struct km_options options = {.field_manager = "custom-resource"};
    struct km_widget made = widget;
    made.uid[0] = made.rv[0] = '\0';
    made.pieces = 0;
    if (snprintf(made.name, sizeof made.name, "%.240s-copy", widget.name) < 0)
        return KM_ERR_TOO_LONG;
    widget = made;
    return km_typed_apply(&widgets, NULL, &options);
}

int main(int argc, char **argv)
{
    struct km_fault why = {0};
    if (argc != 3)
        return fprintf(stderr, "usage: custom_resource NAMESPACE NAME\n"), 1;
    if (km_session_open(&session, NULL, &why) != KM_OK)
        return fprintf(stderr, "error: %s\n", why.text), 1;
    int err = km_typed_get(&widgets, argv[1], argv[2], NULL, NULL);
    if (err == KM_OK)
        err = write_status();
    if (err == KM_OK)
        printf("%s: %s, size %ld, %ld pieces\n", widget.name, widget.color, (long)widget.size,
               (long)widget.pieces);
    if (err == KM_OK)
        err = copy();
    if (err != KM_OK)
        return fprintf(stderr, "error: %s\n", km_typed_problem(&widgets, err)), 1;
    printf("%s applied\n", widget.name);
    return 0;
}
