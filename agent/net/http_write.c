/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "net_priv.h"

static const char *const methods[] = {
    [KM_GET] = "GET", [KM_HEAD] = "HEAD",   [KM_POST] = "POST",
    [KM_PUT] = "PUT", [KM_PATCH] = "PATCH", [KM_DELETE] = "DELETE",
};

const char *km_http_method_name(enum km_http_method method)
{
    return methods[method];
}

/* Printable ASCII, blanks only between other bytes and only when allowed. */
static bool is_clean(struct km_slice text, bool blanks)
{
    if (text.len == 0 || text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c < 0x20 || c > 0x7e || (c == ' ' && !blanks))
            return false;
    }
    return true;
}

static bool is_target(struct km_slice target)
{
    if (!is_clean(target, false) || target.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < target.len; i++) {
        if (target.ptr[i] == '#')
            return false;
    }
    return true;
}

static bool is_host(struct km_slice host)
{
    if (host.len == 0)
        return false;
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (!alnum && c != '.' && c != '-' && c != '_' && c != ':' && c != '[' && c != ']')
            return false;
    }
    return true;
}

/* Lines of "Name: value" CRLF, nothing after the last. */
static bool are_lines(const char *text)
{
    while (text != NULL && *text != '\0') {
        const char *end = strstr(text, "\r\n");
        const char *colon = strchr(text, ':');

        if (end == NULL || colon == NULL || colon == text || colon > end)
            return false;
        if (!is_clean((struct km_slice){text, (size_t)(end - text)}, true))
            return false;
        text = end + 2;
    }
    return true;
}

static bool is_valid(const struct km_http_request *r)
{
    const char *const values[] = {r->accept, r->content_type, r->user_agent};

    if ((unsigned)r->method > KM_DELETE || !is_target(r->target) || !is_host(r->host))
        return false;
    if (!are_lines(r->identity) || !are_lines(r->extra))
        return false;
    if (r->bearer.len > 0 && !is_clean(r->bearer, false))
        return false;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (values[i] != NULL && !is_clean(km_slice_of(values[i]), true))
            return false;
    }
    return true;
}

static void put_header(struct km_buf *out, const char *name, struct km_slice value)
{
    km_buf_puts(out, name);
    km_buf_puts(out, ": ");
    km_buf_put_slice(out, value);
    km_buf_puts(out, "\r\n");
}

static void put_head(struct km_buf *out, const struct km_http_request *r)
{
    bool sends_body = r->method == KM_POST || r->method == KM_PUT || r->method == KM_PATCH;

    km_buf_puts(out, methods[r->method]);
    km_buf_putc(out, ' ');
    km_buf_put_slice(out, r->target);
    km_buf_puts(out, " HTTP/1.1\r\n");
    put_header(out, "Host", r->host);
    if (r->user_agent != NULL)
        put_header(out, "User-Agent", km_slice_of(r->user_agent));
    if (r->accept != NULL)
        put_header(out, "Accept", km_slice_of(r->accept));
    if (r->bearer.len > 0) {
        km_buf_puts(out, "Authorization: Bearer ");
        km_buf_put_slice(out, r->bearer);
        km_buf_puts(out, "\r\n");
    }
    if (r->identity != NULL)
        km_buf_puts(out, r->identity);
    if (r->extra != NULL)
        km_buf_puts(out, r->extra);
    if (r->content_type != NULL)
        put_header(out, "Content-Type", km_slice_of(r->content_type));
    if (sends_body || r->body.len > 0) {
        km_buf_puts(out, "Content-Length: ");
        km_buf_put_u64(out, r->body.len);
        km_buf_puts(out, "\r\n");
    }
    km_buf_puts(out, "\r\n");
}

int km_http_write_head(struct km_buf *out, const struct km_http_request *request)
{
    size_t before = out->len;

    if (!is_valid(request))
        return KM_ERR_ARG;
    if (out->overflow)
        return KM_ERR_TOO_LONG;
    put_head(out, request);
    if (!out->overflow)
        return KM_OK;
    out->overflow = false;
    out->len = before;
    if (out->size > 0)
        out->data[before] = '\0';
    return KM_ERR_TOO_LONG;
}

void km_http_escape(struct km_buf *out, struct km_slice text)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

        if (alnum || c == '-' || c == '.' || c == '_' || c == '~') {
            km_buf_putc(out, (char)c);
        } else {
            const char code[3] = {'%', hex[c >> 4], hex[c & 15]};

            km_buf_put(out, code, sizeof code);
        }
    }
}
