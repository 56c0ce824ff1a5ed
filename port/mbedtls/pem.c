/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "pem_priv.h"

static const char dashes[] = "-----";
static const char begin[] = "-----BEGIN ";
static const char end[] = "-----END ";

/* Where `what` stands in text at the start of a line; NULL. */
static const char *find_line(struct km_slice text, const char *what)
{
    size_t len = strlen(what);

    for (size_t at = 0; at + len <= text.len;) {
        const char *newline;

        if (memcmp(text.ptr + at, what, len) == 0)
            return text.ptr + at;
        newline = memchr(text.ptr + at, '\n', text.len - at);
        if (newline == NULL)
            return NULL;
        at = (size_t)(newline - text.ptr) + 1;
    }
    return NULL;
}

static struct km_slice from(const char *at, struct km_slice text)
{
    return (struct km_slice){.ptr = at, .len = text.len - (size_t)(at - text.ptr)};
}

/* Splits "LABEL-----" off the front of *rest. */
static bool take_label(struct km_slice *rest, struct km_slice *label)
{
    size_t len = 0;

    while (len < rest->len && rest->ptr[len] != '-' && rest->ptr[len] != '\n')
        len++;
    if (len + 5 > rest->len || memcmp(rest->ptr + len, dashes, 5) != 0)
        return false;
    *label = (struct km_slice){.ptr = rest->ptr, .len = len};
    rest->ptr += len + 5;
    rest->len -= len + 5;
    return true;
}

static bool same(struct km_slice a, struct km_slice b)
{
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

bool km_pem_next(struct km_slice *text, struct km_pem *out)
{
    const char *at;

    while ((at = find_line(*text, begin)) != NULL) {
        struct km_slice rest = from(at + sizeof begin - 1, *text), tail, label;
        const char *stop;

        *text = rest;
        if (!take_label(&rest, &out->label))
            continue;
        stop = find_line(rest, end);
        if (stop == NULL)
            return false;
        out->body = (struct km_slice){.ptr = rest.ptr, .len = (size_t)(stop - rest.ptr)};
        tail = from(stop + sizeof end - 1, rest);
        if (!take_label(&tail, &label) || !same(label, out->label))
            continue;
        while (out->body.len > 0 && (*out->body.ptr == '\n' || *out->body.ptr == '\r')) {
            out->body.ptr++;
            out->body.len--;
        }
        *text = tail;
        return true;
    }
    return false;
}

static bool ends_with(struct km_slice text, const char *tail)
{
    size_t len = strlen(tail);

    return text.len >= len && memcmp(text.ptr + text.len - len, tail, len) == 0;
}

static bool holds(struct km_slice text, const char *what)
{
    return find_line(text, what) != NULL;
}

bool km_pem_is_key(const struct km_pem *pem)
{
    return ends_with(pem->label, "PRIVATE KEY");
}

bool km_pem_is_encrypted(const struct km_pem *pem)
{
    return km_slice_eq_str(pem->label, "ENCRYPTED PRIVATE KEY") || holds(pem->body, "Proc-Type:");
}
