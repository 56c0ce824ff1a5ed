/* SPDX-License-Identifier: Apache-2.0 */
/* Error answers without a Status: what the code means, what was asked for, and for some codes what the body said
   (apimachinery's NewGenericServerResponse). */
#include <string.h>

#include "kubemote/km_kube.h"

/* No words: those of the server. */
static const struct generic {
    uint16_t code;
    const char *reason, *words;
} generic[] = {
    {400, "BadRequest", "the server rejected our request for an unknown reason"},
    {401, "Unauthorized", "the server has asked for the client to provide credentials"},
    {403, "Forbidden", NULL},
    {404, "NotFound", "the server could not find the requested resource"},
    {405, "MethodNotAllowed", "the server does not allow this method on the requested resource"},
    {406, "NotAcceptable",
     "the server was unable to respond with a content type that the client supports"},
    {409, "Conflict", "the server reported a conflict"},
    {415, "UnsupportedMediaType", NULL},
    {422, "Invalid", "the server rejected our request due to an error in our request"},
    {429, "TooManyRequests",
     "the server has received too many requests and has asked us to try again later"},
    {503, "ServiceUnavailable", "the server is currently unable to handle the request"},
    {504, "Timeout",
     "the server was unable to return a response in the time allotted, but may still be processing "
     "the request"},
};

static const struct generic *find(uint16_t code)
{
    for (size_t i = 0; i < sizeof generic / sizeof generic[0]; i++) {
        if (generic[i].code == code)
            return &generic[i];
    }
    return NULL;
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

bool km_request_about(const struct km_client *client, const struct km_request *r,
                      struct km_slice *group, struct km_slice *resource, struct km_slice *name)
{
    struct km_slice s[SEGMENTS];
    size_t base = strlen(client->config->base_path);
    bool below = strncmp(r->target, client->config->base_path, base) == 0;
    uint16_t count = split(r->target + (below ? base : 0), s),
             at = count > 0 && is(s[0], "apis") ? 3 : 2;
    *group = *resource = *name = (struct km_slice){0};
    if (r->raw || count <= at)
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
    static const char *const verbs[] = {[KM_GET] = "get",     [KM_HEAD] = "head",
                                        [KM_POST] = "post",   [KM_PUT] = "put",
                                        [KM_PATCH] = "patch", [KM_DELETE] = "delete"};
    return verbs[r->method];
}

static void put_subject(struct km_buf *out, const struct km_client *client,
                        const struct km_request *r)
{
    struct km_slice group, resource, name;
    if (!km_request_about(client, r, &group, &resource, &name))
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

static void put_words(struct km_buf *out, uint16_t code, struct km_slice said)
{
    const struct generic *g = find(code);
    bool told = said.len > 0 && !is(said, "unknown");
    if (g != NULL && (g->words == NULL || (code == 406 && told))) {
        km_buf_put_slice(out, said);
    } else if (g != NULL) {
        km_buf_puts(out, g->words);
    } else if (code >= 500) {
        km_buf_puts(out, "an error on the server (");
        put_quoted(out, said);
        km_buf_puts(out, ") has prevented the request from succeeding");
    } else {
        km_buf_printf(
            out, "the server responded with the status code %u but did not return more information",
            (unsigned)code);
    }
}

void km_request_put_generic(struct km_buf *out, const struct km_client *client,
                            const struct km_request *r, struct km_slice said)
{
    put_words(out, r->http_status, said);
    put_subject(out, client, r);
}

void km_status_generic(struct km_status *s, uint16_t code, enum km_http_method method)
{
    const struct generic *g = find(code);
    const char *reason = g != NULL ? g->reason : code >= 500 ? "InternalError" : "";
    struct km_buf message;
    if (code == 409 && method == KM_POST)
        reason = "AlreadyExists";
    memset(s, 0, sizeof *s);
    s->code = code;
    (void)km_slice_copy(km_slice_of("Failure"), s->status, sizeof s->status);
    (void)km_slice_copy(km_slice_of(reason), s->reason, sizeof s->reason);
    km_buf_init(&message, s->message, sizeof s->message);
    put_words(&message, code, km_slice_of("unknown"));
}
