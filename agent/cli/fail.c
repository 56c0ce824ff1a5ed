/* SPDX-License-Identifier: Apache-2.0 */
/* Errors in kubectl's words (k8s.io/kubectl/pkg/cmd/util/helpers.go: checkErr, StandardErrorMessage). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli_status.h"
#include "kubemote/km_json_table.h"

KM_ELEMENT_TABLE(full_cause, KM_FULL_CAUSE_FIELDS)
KM_KIND_TABLE(full_status, "Status", KM_FULL_STATUS_FIELDS)

static struct km_full_status status KM_POOL_STORAGE(cli_status);
static const struct km_schema_part parts[] = {{"", &km_kind_status}, {"", &km_kind_full_status}};
static struct km_schema_node nodes[48] KM_POOL_STORAGE(cli_status_schema);
static struct km_schema schema;

int status_init(struct km_client *client)
{
    int err = km_schema_init(&schema, parts, 2, NULL, nodes, sizeof nodes / sizeof nodes[0]);
    client->status_schema = &schema;
    client->status_more = &status;
    return err;
}

const struct km_full_status *status_last(void)
{
    return &status;
}

int cli_usage_error(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err_printf("error: %s\n", text);
    return 1;
}

/* One cause stands in the line, several stand below each other. */
static void print_causes(void)
{
    for (uint16_t i = 0; i < status.causes_count; i++) {
        const struct km_full_cause *cause = &status.causes[i];
        const char *lead = status.causes_count > 1 ? "\n* " : " ";
        if (cause->field[0] != '\0')
            err_printf("%s%s: %s", lead, cause->field, cause->message);
        else
            err_printf("%s%s", lead, cause->message);
    }
}

static void print_invalid(void)
{
    bool known = status.kind[0] != '\0' && status.name[0] != '\0';
    if (!known && status.causes_count == 0) {
        err_printf("The request is invalid: %s\n", status.message);
        return;
    }
    if (known)
        err_printf("The %s \"%s\" is invalid", status.kind, status.name);
    else
        err_printf("The request is invalid");
    if (status.causes_count > 0) {
        err_printf(":");
        print_causes();
    }
    err_printf("\n");
}

static void print_status(const struct km_status *small)
{
    const char *message = status.message[0] != '\0' ? status.message : small->message;
    if (km_status_is_unauthorized(small))
        err_printf("error: You must be logged in to the server (%s)\n", message);
    else if (km_status_is_invalid(small))
        print_invalid();
    else if (small->reason[0] == '\0' || strcmp(small->reason, "Unknown") == 0)
        err_printf("Error from server: %s\n", message);
    else
        err_printf("Error from server (%s): %s\n", small->reason, message);
}

int cli_fail(int err, const struct km_request *r)
{
    const char *words = r != NULL && r->fault != NULL && r->fault->code != KM_OK
                            ? r->fault->text
                            : cli.fault.code != KM_OK ? cli.fault.text : km_strerror(err);
    if (err == KM_ERR_STATUS && r != NULL && r->status != NULL)
        print_status(r->status);
    else if (err == KM_ERR_REFUSED)
        err_printf("The connection to the server %s was refused - did you specify the right host or "
                   "port?\n",
                   cli.client.host_header);
    else if (km_err_is_link(err) || err == KM_ERR_CERT || err == KM_ERR_TLS)
        err_printf("Unable to connect to the server: %s\n", words);
    else
        err_printf("error: %s\n", words);
    return 1;
}
