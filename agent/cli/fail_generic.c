/* SPDX-License-Identifier: Apache-2.0 */
/* Error answers without a Status: client-go says what the code means, what was asked for, and for some codes what the body said
   (apimachinery's NewGenericServerResponse). */
#include <string.h>

#include "fail_generic.h"

static char body_data[2049];
static struct km_buf body;

struct km_buf *fail_generic_text(void)
{
    km_buf_init(&body, body_data, sizeof body_data);
    return &body;
}

static struct km_slice body_text(void)
{
    static const char blanks[] = " \t\r\n\v\f";
    struct km_slice text = km_buf_slice(&body);
    while (text.len > 0 && strchr(blanks, text.ptr[text.len - 1]) != NULL)
        text.len--;
    while (text.len > 0 && strchr(blanks, text.ptr[0]) != NULL) {
        text.ptr++;
        text.len--;
    }
    return text;
}

/* ---- what was asked for ---- */

#define SEGMENTS 8

static uint16_t split(const char *path, struct km_slice out[SEGMENTS])
{
    uint16_t count = 0;
    while (*path == '/' && count < SEGMENTS) {
        size_t len = strcspn(++path, "/?");
        out[count++] = (struct km_slice){path, len};
        path += len;
    }
    return count;
}

static bool is(struct km_slice text, const char *word)
{
    return km_slice_eq_str(text, word);
}

bool fail_generic_target(const struct km_request *r, struct km_slice *group,
                         struct km_slice *resource, struct km_slice *name)
{
    struct km_slice s[SEGMENTS];
    const char *path = r->target + strlen(cli.client.config->base_path);
    uint16_t count = split(path, s), at = count > 0 && is(s[0], "apis") ? 3 : 2;
    *group = *resource = *name = (struct km_slice){0};
    if (r->what == NULL || r->raw || count <= at)
        return false;
    if (at == 3)
        *group = s[1];
    bool namespaced = is(s[at], "namespaces") && count > at + 2 && !is(s[at + 2], "status") &&
                      !is(s[at + 2], "finalize");
    if (namespaced)
        at = (uint16_t)(at + 2);
    *resource = s[at];
    if (count > at + 1)
        *name = s[at + 1];
    return true;
}

static const char *verb(const struct km_request *r)
{
    static const char *const verbs[] = {[KM_GET] = "get",
                                        [KM_POST] = "post",
                                        [KM_PUT] = "put",
                                        [KM_PATCH] = "patch",
                                        [KM_DELETE] = "delete"};
    return verbs[r->method];
}

static void put_subject(struct km_buf *out, const struct km_request *r)
{
    struct km_slice group, resource, name;
    if (!fail_generic_target(r, &group, &resource, &name))
        return;
    km_buf_printf(out, " (%s ", verb(r));
    km_buf_put_slice(out, resource);
    km_buf_puts(out, group.len > 0 ? "." : "");
    km_buf_put_slice(out, group);
    km_buf_puts(out, name.len > 0 ? " " : "");
    km_buf_put_slice(out, name);
    km_buf_puts(out, ")");
}

/* ---- words ---- */

/* Go's %q of text. */
static void put_quoted(struct km_buf *out, struct km_slice text)
{
    km_buf_putc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\')
            km_buf_printf(out, "\\%c", c);
        else if (c == '\n' || c == '\r' || c == '\t')
            km_buf_puts(out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
        else if (c < 0x20 || c == 0x7f)
            km_buf_printf(out, "\\x%02x", c);
        else
            km_buf_putc(out, (char)c);
    }
    km_buf_putc(out, '"');
}

void fail_generic_put(struct km_buf *out, const struct km_request *r)
{
    struct km_slice text = body.data == NULL || !r->no_status ? km_slice_of("") : body_text();
    struct km_slice said = fail_generic_is_text() ? text : km_slice_of("unknown");
    uint16_t code = r->http_status;
    bool known = code == 503 || code == 504;
    if (code == 403 || code == 415 || (code == 406 && said.len > 0 && !is(said, "unknown"))) {
        km_buf_put_slice(out, said);
    } else if (code == 406) {
        km_buf_puts(
            out, "the server was unable to respond with a content type that the client supports");
    } else if (code >= 500 && !known) {
        km_buf_puts(out, "an error on the server (");
        put_quoted(out, said);
        km_buf_puts(out, ") has prevented the request from succeeding");
    } else if (strcmp(r->status->reason, "Unknown") == 0 || r->status->reason[0] == '\0') {
        km_buf_printf(
            out, "the server responded with the status code %u but did not return more information",
            (unsigned)code);
    } else {
        km_buf_puts(out, r->status->message);
    }
    put_subject(out, r);
}

void fail_generic_put_invalid(struct km_buf *out, const struct km_request *r)
{
    struct km_slice group, resource, name;
    if (fail_generic_target(r, &group, &resource, &name))
        km_buf_printf(out, "The %.*s \"%.*s\" is invalid: : ", (int)resource.len, resource.ptr,
                      (int)name.len, name.ptr);
    else
        km_buf_puts(out, "The request is invalid: : ");
    km_buf_put_slice(out, fail_generic_is_text() ? body_text() : km_slice_of("unknown"));
}

bool fail_generic_is_text(void)
{
    return cli.lane.is_text;
}
