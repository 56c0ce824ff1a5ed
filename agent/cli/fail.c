/* SPDX-License-Identifier: Apache-2.0 */
/* Errors in kubectl's words (k8s.io/kubectl/pkg/cmd/util/helpers.go: checkErr, StandardErrorMessage). */
#include <stdarg.h>
#include <string.h>

#include "cli_status.h"
#include "kubemote/km_json_table.h"
#include "kubemote/km_scalar.h"

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

void status_forget(void)
{
    memset(&status, 0, sizeof status);
}

void status_keep(const struct km_full_status *kept)
{
    status = *kept;
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
    (void)km_format_list(text, sizeof text, format, args);
    va_end(args);
    err_printf("error: %s\n", text);
    return 1;
}

int cli_bad_output(const char *output, const char *allowed)
{
    return cli_usage_error("unable to match a printer suitable for the output format \"%.60s\", "
                           "allowed formats are: %s",
                           output, allowed);
}

int cli_unexpected(const char *what, const struct words *words, const char *command)
{
    char text[512];
    struct km_buf out;
    km_buf_init(&out, text, sizeof text);
    for (uint16_t i = 0; i < words->count; i++)
        km_buf_printf(&out, "%s%s", i > 0 ? " " : "", words->items[i]);
    if (command == NULL)
        return cli_usage_error("%s: [%s]", what, text);
    return cli_usage_error("%s: [%s]\nSee 'kubemote %s -h' for help and examples", what, text,
                           command);
}

static bool told_before(uint16_t index)
{
    const struct km_full_cause *cause = &status.causes[index];
    for (uint16_t i = 0; i < index; i++) {
        if (strcmp(status.causes[i].field, cause->field) == 0 &&
            strcmp(status.causes[i].message, cause->message) == 0)
            return true;
    }
    return false;
}

/* One cause stands in the line, several stand below each other; equal ones count once. */
static void put_causes(struct km_buf *out)
{
    uint16_t count = 0;
    for (uint16_t i = 0; i < status.causes_count; i++)
        count = (uint16_t)(count + !told_before(i));
    for (uint16_t i = 0; i < status.causes_count; i++) {
        const struct km_full_cause *cause = &status.causes[i];
        if (!told_before(i))
            km_buf_printf(out, "%s%s: %s", count > 1 ? "\n* " : "", cause->field, cause->message);
    }
}

static void put_invalid(struct km_buf *out)
{
    if (status.kind[0] != '\0' || status.name[0] != '\0')
        km_buf_printf(out, "The %s \"%s\" is invalid", status.kind, status.name);
    else if (status.message[0] != '\0' && status.causes_count == 0)
        km_buf_printf(out, "The request is invalid: %s", status.message);
    else
        km_buf_puts(out, "The request is invalid");
    if (status.causes_count == 0)
        return;
    km_buf_puts(out, ": ");
    put_causes(out);
}

static void put_invalid_generic(struct km_buf *out, const struct km_request *r)
{
    struct km_slice group, resource, name;
    if (km_request_about(&cli.client, r, &group, &resource, &name))
        km_buf_printf(out, "The %.*s \"%.*s\" is invalid: : ", (int)resource.len, resource.ptr,
                      (int)name.len, name.ptr);
    else
        km_buf_puts(out, "The request is invalid: : ");
    km_buf_put_slice(out, r->said);
}

static void put_status(struct km_buf *out, const struct fail *f)
{
    const struct km_status *small = f->request->status;
    const char *message = status.message[0] != '\0' ? status.message : small->message;
    if (km_status_is_unauthorized(small))
        km_buf_puts(out, "error: You must be logged in to the server (");
    else if (small->reason[0] == '\0' || strcmp(small->reason, "Unknown") == 0)
        km_buf_puts(out, "Error from server: ");
    else
        km_buf_printf(out, "Error from server (%s): ", small->reason);
    if (f->verb != NULL && f->source != NULL)
        km_buf_printf(out, "error when %s \"%s\": ", f->verb, f->source);
    if (f->lead != NULL)
        km_buf_puts(out, f->lead);
    if (f->request->no_status)
        km_request_put_generic(out, &cli.client, f->request, f->request->said);
    else
        km_buf_puts(out, message);
    if (km_status_is_unauthorized(small))
        km_buf_putc(out, ')');
}

static const char *words(const struct fail *f)
{
    const struct km_request *r = f->request;
    if (r != NULL && r->fault != NULL && r->fault->code != KM_OK)
        return r->fault->text;
    return cli.fault.code != KM_OK ? cli.fault.text : km_strerror(f->err);
}

static bool has_prefix(const char *text)
{
    return strncmp(text, "Error in configuration: ", 24) == 0;
}

bool fail_put_segment(struct km_buf *out, const char *what, const char *name)
{
    if (km_path_segment_problem(km_slice_of(name)) == NULL)
        return false;
    km_buf_printf(out, "invalid %s \"%.253s\": [may not ", what, name);
    if (name[0] == '.')
        km_buf_printf(out, "be '%.2s']", name);
    else
        km_buf_printf(out, "contain '%c']", strchr(name, '/') != NULL ? '/' : '%');
    return true;
}

static bool put_bad_namespace(struct km_buf *out, const struct fail *f)
{
    size_t before = out->len;
    km_buf_puts(out, f->alone ? "error: " : "");
    if (f->err == KM_ERR_ARG && cli.effective_ns != NULL &&
        fail_put_segment(out, "namespace", cli.effective_ns))
        return true;
    out->len = before;
    return false;
}

void fail_put(struct km_buf *out, const struct fail *f)
{
    bool answered = f->err == KM_ERR_STATUS && f->request != NULL && f->request->status != NULL;
    if (answered && f->alone && strcmp(f->request->status->reason, "Invalid") == 0)
        f->request->no_status ? put_invalid_generic(out, f->request) : put_invalid(out);
    else if (answered)
        put_status(out, f);
    else if (f->err == KM_ERR_REFUSED)
        km_buf_printf(out,
                      "The connection to the server %s was refused - did you specify the right "
                      "host or port?",
                      cli.client.host_header);
    else if (km_err_is_link(f->err) || f->err == KM_ERR_CERT || f->err == KM_ERR_TLS)
        km_buf_printf(out, "Unable to connect to the server: %s", words(f));
    else if (!put_bad_namespace(out, f))
        km_buf_printf(out, "%s%s", f->alone && !has_prefix(words(f)) ? "error: " : "", words(f));
}

int cli_fail(int err, const struct km_request *r)
{
    static char text[4096];
    struct km_buf out;
    const struct fail f = {.err = err, .request = r, .alone = true};
    km_buf_init(&out, text, sizeof text);
    fail_put(&out, &f);
    err_text(text);
    err_text("\n");
    return 1;
}

const char *cli_status_message(const struct km_request *r)
{
    size_t len = strlen(r->status->message);
    bool same = len == 0 || strncmp(status.message, r->status->message, len < 300 ? len : 300) == 0;
    return same ? status.message : r->status->message;
}
