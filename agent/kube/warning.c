/* SPDX-License-Identifier: Apache-2.0 */
/* Warning headers (RFC 7234, 5.5) as apimachinery's ParseWarningHeaders reads them: code 299 with a text. */
#include <string.h>

#include "kube_priv.h"

#define TEXT_BYTES 512 /* of one warning; longer ones are cut */

static void skip_blanks(struct km_slice *in)
{
    while (in->len > 0 && (*in->ptr == ' ' || *in->ptr == '\t')) {
        in->ptr++;
        in->len--;
    }
}

static struct km_slice take_word(struct km_slice *in)
{
    struct km_slice word = {in->ptr, 0};
    while (word.len < in->len && word.ptr[word.len] != ' ')
        word.len++;
    in->ptr += word.len;
    in->len -= word.len;
    skip_blanks(in);
    return word;
}

/* A quoted string with its escapes resolved. False when it has no end. */
static bool take_quoted(struct km_slice *in, struct km_buf *out)
{
    if (in->len == 0 || *in->ptr != '"')
        return false;
    for (size_t i = 1; i < in->len; i++) {
        char c = in->ptr[i];
        if (c == '"') {
            in->ptr += i + 1;
            in->len -= i + 1;
            skip_blanks(in);
            return true;
        }
        if (c == '\\' && ++i < in->len)
            c = in->ptr[i];
        km_buf_putc(out, c);
    }
    return false;
}

/* One warning of a header; false when the rest is malformed, which is dropped then. */
static bool take_warning(struct km_slice *in, struct km_buf *text, bool *report)
{
    char date[64];
    struct km_buf skipped;
    skip_blanks(in);
    struct km_slice code = take_word(in);
    struct km_slice agent = take_word(in);
    if (code.len != 3 || agent.len == 0 || !take_quoted(in, text))
        return false;
    km_buf_init(&skipped, date, sizeof date);
    if (in->len > 0 && *in->ptr == '"' && !take_quoted(in, &skipped))
        return false;
    *report = km_slice_eq_str(code, "299") && text->len > 0;
    if (in->len == 0)
        return true;
    if (*in->ptr != ',')
        return false;
    in->ptr++;
    in->len--;
    return true;
}

static void report_header(const struct km_client *client, struct km_slice value)
{
    char data[TEXT_BYTES];
    while (value.len > 0) {
        struct km_buf text;
        bool report = false;
        km_buf_init(&text, data, sizeof data);
        if (!take_warning(&value, &text, &report))
            return;
        if (report)
            client->on_warning(client->warning_ctx, km_buf_slice(&text));
    }
}

void kube_warnings(const struct km_client *client, const struct km_http_parser *head)
{
    if (client->on_warning == NULL)
        return;
    for (uint16_t i = 0; i < head->header_count; i++) {
        const struct km_http_header *h = &head->headers[i];
        struct km_slice name = {head->head + h->name_at, h->name_len};
        if (km_slice_eq_nocase(name, "Warning"))
            report_header(client, (struct km_slice){head->head + h->value_at, h->value_len});
    }
}
