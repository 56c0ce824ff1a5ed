/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind of one's own, declared as the library declares its kinds: one list makes struct and decoder. Reads a Widget
 * (example.com/v1) and writes its status: custom_resource NAMESPACE NAME
 */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_rest.h"

#define PART_FIELDS(S, I, B, R, A, M) S(name, "/name", 64) I(count, "/count")
#define WIDGET_FIELDS(S, I, B, R, A, M) \
    KM_META_FIELDS(S) \
    S(color, "/spec/color", 32) \
    I(size, "/spec/size") \
    A(parts, "/spec/parts", widget_part, 8)
KM_ELEMENT_STRUCT(widget_part, PART_FIELDS)
KM_KIND_STRUCT(widget, WIDGET_FIELDS)
extern const struct km_kind km_kind_widget;
KM_ELEMENT_TABLE(widget_part, PART_FIELDS)
KM_KIND_TABLE(widget, "Widget", WIDGET_FIELDS)

static const struct km_resource widgets = {"example.com", "v1", "widgets"};
static const struct km_schema_part parts[] = {{"", &km_kind_widget}};
static struct km_session session;
static struct km_schema schema;
static struct km_schema_node nodes[32];
static struct km_widget widget;
static struct km_request request;

static int on_object(struct km_request *r, bool item, struct km_slice text, bool overflow)
{
    (void)r;
    (void)item;
    return overflow ? KM_ERR_TOO_LONG : km_json_decode(&schema, false, text, (void *[]){&widget});
}

static int read_widget(const char *ns, const char *name)
{
    request = (struct km_request){.schema = &schema, .on_text = on_object};
    int err = km_rest_get(&request, &session.client, &widgets, ns, name, NULL, NULL);
    return err == KM_OK ? km_call(&request, &session.lane) : err;
}

static int write_status(const char *ns, const char *name, int64_t pieces)
{
    char text[128], number[24];
    struct km_buf body;
    km_buf_init(&body, text, sizeof text);
    (void)snprintf(number, sizeof number, "%ld", (long)pieces);
    int err = km_merge_patch(&body, "/status/pieces", km_slice_of(number));
    request = (struct km_request){0};
    if (err == KM_OK)
        err = km_rest_patch(&request, &session.client, &widgets, ns, name, "status", KM_TYPE_MERGE,
                            km_buf_slice(&body), NULL);
    return err == KM_OK ? km_call(&request, &session.lane) : err;
}

int main(int argc, char **argv)
{
    struct km_fault why = {0};
    int64_t pieces = 0;
    if (argc != 3)
        return fprintf(stderr, "usage: custom_resource NAMESPACE NAME\n"), 1;
    int err = km_session_open(&session, NULL, &why);
    if (err == KM_OK)
        err = km_schema_init(&schema, parts, 1, NULL, nodes, sizeof nodes / sizeof nodes[0]);
    if (err == KM_OK)
        err = read_widget(argv[1], argv[2]);
    for (uint16_t i = 0; err == KM_OK && i < widget.parts_count; i++)
        pieces += widget.parts[i].count;
    if (err == KM_OK)
        err = write_status(argv[1], argv[2], pieces);
    if (err != KM_OK)
        return fprintf(stderr, "error: %s\n",
                       request.fault != NULL ? request.fault->text : why.text),
               1;
    printf("%s: %s, size %ld, %ld pieces\n", widget.name, widget.color, (long)widget.size,
           (long)pieces);
    return 0;
}
