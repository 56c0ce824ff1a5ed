/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "net_priv.h"

enum parse_state {
    PARSE_VERSION,    /* "HTTP/1.d ddd", by position in sub */
    PARSE_CODE_END,   /* SP before the reason, or CR */
    PARSE_REASON,     /* until CR */
    PARSE_LINE_LF,    /* LF that ends the status line or a header line */
    PARSE_LINE_START, /* a header's name, or the CR of the empty line */
    PARSE_NAME,       /* until ':' */
    PARSE_VALUE_SKIP, /* blanks before a value */
    PARSE_VALUE,      /* until CR */
    PARSE_HEAD_LF,    /* LF of the empty line */
    PARSE_LENGTH,     /* body_left bytes */
    PARSE_CLOSE,      /* until the connection ends */
    PARSE_SIZE,       /* hexadecimal digits, counted in sub */
    PARSE_SIZE_BLANK, /* blanks between size and ';' */
    PARSE_EXTENSION,  /* until CR */
    PARSE_SIZE_LF,
    PARSE_DATA, /* body_left bytes of a chunk */
    PARSE_DATA_CR,
    PARSE_DATA_LF,
    PARSE_DONE,
    PARSE_FAILED
};

/* token (RFC 9110, 5.6.2): what field names are made of. */
static bool is_token_char(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* What may stand in a field value, a reason or a chunk extension: blanks, VCHAR, obs-text. */
static bool is_text_char(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static int fail(struct km_http_parser *p, int err, const char *why)
{
    p->state = PARSE_FAILED;
    p->failed = (int16_t)err;
    p->error = why;
    return err;
}

static int bad(struct km_http_parser *p, const char *why)
{
    return fail(p, KM_ERR_PROTOCOL, why);
}

static void begin_head(struct km_http_parser *p)
{
    p->state = PARSE_VERSION;
    p->sub = 0;
    p->status = 0;
    p->head_len = 0;
    p->header_count = 0;
}

void km_http_parser_init(struct km_http_parser *p, bool head_request)
{
    /* headers[] and head[] are only read up to their counts: clearing them would touch kilobytes per request. */
    p->interim_count = 0;
    p->head_request = head_request;
    p->connect_like = false;
    p->keep_alive = false;
    p->chunked = false;
    p->until_close = false;
    p->trailer = false;
    p->minor = 0;
    p->line_len = 0;
    p->framing_excess = 0;
    p->failed = KM_OK;
    p->body_left = 0;
    p->body_total = 0;
    p->error = NULL;
    begin_head(p);
}

/* ---- the meaning of a complete head ---- */

static struct km_slice header_name(const struct km_http_parser *p, uint16_t i)
{
    return (struct km_slice){p->head + p->headers[i].name_at, p->headers[i].name_len};
}

static struct km_slice header_value(const struct km_http_parser *p, uint16_t i)
{
    return (struct km_slice){p->head + p->headers[i].value_at, p->headers[i].value_len};
}

/* Looks through a comma-separated list of options. */
static void read_connection(struct km_slice value, bool *close, bool *keep)
{
    while (value.len > 0) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma == NULL ? value.len : (size_t)(comma - value.ptr);
        struct km_slice option = km_slice_trim((struct km_slice){value.ptr, len});

        if (km_slice_eq_nocase(option, "close"))
            *close = true;
        if (km_slice_eq_nocase(option, "keep-alive"))
            *keep = true;
        if (comma == NULL)
            return;
        value.ptr += len + 1;
        value.len -= len + 1;
    }
}

struct framing {
    bool close, keep, has_length;
    unsigned coding_count;
    uint64_t length;
};

static int read_length(struct km_http_parser *p, struct framing *f, struct km_slice value)
{
    uint64_t length;

    if (km_slice_to_u64(value, &length) != KM_OK || length > INT64_MAX)
        return bad(p, "Content-Length is not a number");
    if (f->has_length && f->length != length)
        return bad(p, "Content-Length headers that differ");
    f->has_length = true;
    f->length = length;
    return KM_OK;
}

static int read_framing(struct km_http_parser *p, struct framing *f)
{
    for (uint16_t i = 0; i < p->header_count; i++) {
        struct km_slice name = header_name(p, i), value = header_value(p, i);

        if (km_slice_eq_nocase(name, "Connection")) {
            read_connection(value, &f->close, &f->keep);
        } else if (km_slice_eq_nocase(name, "Content-Length")) {
            if (read_length(p, f, value) != KM_OK)
                return p->failed;
        } else if (km_slice_eq_nocase(name, "Transfer-Encoding")) {
            if (++f->coding_count > 1 || !km_slice_eq_nocase(value, "chunked"))
                return bad(p, "a transfer coding other than chunked");
        }
    }
    if (f->coding_count > 0 && f->has_length)
        return bad(p, "Transfer-Encoding together with Content-Length");
    if (f->coding_count > 0 && p->minor == 0)
        return bad(p, "Transfer-Encoding in HTTP/1.0");
    return KM_OK;
}

/* RFC 9112, 6.3: which of the ways a body ends holds for this message. */
static int finish_head(struct km_http_parser *p)
{
    struct framing f = {0};

    if (p->status < 200 && p->status != 101) {
        if (++p->interim_count > NET_INTERIM_MAX)
            return fail(p, KM_ERR_TOO_LONG, "too many interim responses");
        p->state = PARSE_VERSION;
        p->sub = 0;
        return KM_HTTP_INTERIM;
    }
    if (read_framing(p, &f) != KM_OK)
        return p->failed;
    p->keep_alive = !f.close && (p->minor > 0 || f.keep) && p->status != 101;
    if (p->head_request || p->status == 101 || p->status == 204 || p->status == 304) {
        p->state = PARSE_DONE;
    } else if (f.coding_count > 0) {
        p->chunked = true;
        p->state = PARSE_SIZE;
        p->sub = 0;
        p->line_len = 0;
    } else if (f.has_length) {
        p->body_left = f.length;
        p->state = f.length > 0 ? PARSE_LENGTH : PARSE_DONE;
    } else {
        p->until_close = true;
        p->keep_alive = false;
        p->state = PARSE_CLOSE;
    }
    return KM_HTTP_HEAD;
}

/* ---- status line, headers and trailers, byte by byte ---- */

static int version_byte(struct km_http_parser *p, unsigned char c)
{
    static const char pattern[] = "HTTP/1.d ddd";
    char wanted = pattern[p->sub];

    if (wanted == 'd' ? (c < '0' || c > '9') : c != (unsigned char)wanted)
        return bad(p, "no HTTP/1 status line");
    if (p->sub == 7)
        p->minor = (uint8_t)(c - '0');
    if (p->sub > 8)
        p->status = (uint16_t)(p->status * 10 + (c - '0'));
    if (pattern[++p->sub] != '\0')
        return KM_OK;
    if (p->status < 100)
        return bad(p, "a status below 100");
    p->state = PARSE_CODE_END;
    return KM_OK;
}

static int line_start_byte(struct km_http_parser *p, unsigned char c)
{
    if (c == '\r') {
        p->state = PARSE_HEAD_LF;
        return KM_OK;
    }
    if (c == ' ' || c == '\t')
        return bad(p, "a folded header line");
    if (!is_token_char(c))
        return bad(p, "a header line without a name");
    p->state = PARSE_NAME;
    if (p->trailer)
        return KM_OK;
    if (p->header_count >= CONFIG_KM_NET_HEADER_COUNT)
        return fail(p, KM_ERR_TOO_LONG, "too many headers");
    p->headers[p->header_count] =
        (struct km_http_header){.name_at = (uint16_t)(p->head_len - 1), .name_len = 1};
    p->header_count++;
    return KM_OK;
}

static int name_byte(struct km_http_parser *p, unsigned char c)
{
    struct km_http_header *h = p->trailer ? NULL : &p->headers[p->header_count - 1];

    if (c == ':') {
        p->state = PARSE_VALUE_SKIP;
        if (h != NULL)
            h->value_at = p->head_len;
        return KM_OK;
    }
    if (!is_token_char(c))
        return bad(p, "a header name with a byte that must not be there");
    if (h != NULL)
        h->name_len++;
    return KM_OK;
}

static int value_byte(struct km_http_parser *p, unsigned char c)
{
    struct km_http_header *h = p->trailer ? NULL : &p->headers[p->header_count - 1];

    if (c == '\r') {
        p->state = PARSE_LINE_LF;
        return KM_OK;
    }
    if (!is_text_char(c))
        return bad(p, "a header value with a control byte");
    if (c == ' ' || c == '\t')
        return KM_OK;
    if (p->state == PARSE_VALUE_SKIP) {
        p->state = PARSE_VALUE;
        if (h != NULL)
            h->value_at = (uint16_t)(p->head_len - 1);
    }
    /* The length ends at the last byte that is no blank, so that blanks behind the value fall away. */
    if (h != NULL)
        h->value_len = (uint16_t)(p->head_len - h->value_at);
    return KM_OK;
}

/* Every byte is kept and counted, so that blanks without end are bounded as well. */
static int keep_byte(struct km_http_parser *p, unsigned char c)
{
    if (p->trailer) {
        if (p->line_len >= CONFIG_KM_NET_HEAD_BYTES)
            return fail(p, KM_ERR_TOO_LONG, "trailers are too large");
        p->line_len++;
        return KM_OK;
    }
    if (p->head_len >= CONFIG_KM_NET_HEAD_BYTES)
        return fail(p, KM_ERR_TOO_LONG, "the response head is too large");
    p->head[p->head_len++] = (char)c;
    return KM_OK;
}

static int end_of_lines(struct km_http_parser *p)
{
    if (!p->trailer)
        return finish_head(p);
    p->state = PARSE_DONE;
    return KM_HTTP_END;
}

/* One byte of a head or of trailers. KM_HTTP_NEED = go on, else an event or an error. */
static int head_byte(struct km_http_parser *p, unsigned char c)
{
    if (keep_byte(p, c) != KM_OK)
        return p->failed;
    switch (p->state) {
    case PARSE_VERSION:
        return version_byte(p, c);
    case PARSE_CODE_END:
        if (c != ' ' && c != '\r')
            return bad(p, "a status that is no number of three digits");
        p->state = c == ' ' ? PARSE_REASON : PARSE_LINE_LF;
        return KM_HTTP_NEED;
    case PARSE_REASON:
        if (c == '\r')
            p->state = PARSE_LINE_LF;
        else if (!is_text_char(c))
            return bad(p, "a reason with a control byte");
        return KM_HTTP_NEED;
    case PARSE_LINE_LF:
        if (c != '\n')
            return bad(p, "CR without LF");
        p->state = PARSE_LINE_START;
        return KM_HTTP_NEED;
    case PARSE_LINE_START:
        return line_start_byte(p, c);
    case PARSE_NAME:
        return name_byte(p, c);
    case PARSE_HEAD_LF:
        if (c != '\n')
            return bad(p, "CR without LF");
        return end_of_lines(p);
    default:
        return value_byte(p, c);
    }
}

static int feed_head(struct km_http_parser *p, struct km_slice *in)
{
    while (in->len > 0) {
        unsigned char c = (unsigned char)*in->ptr;
        int event;

        in->ptr++;
        in->len--;
        /* The head of an interim response can be read until the next head begins. */
        if (p->state == PARSE_VERSION && p->sub == 0)
            begin_head(p);
        event = head_byte(p, c);
        if (event != KM_HTTP_NEED)
            return event;
    }
    return KM_HTTP_NEED;
}

/* ---- chunked bodies (RFC 9112, 7.1) ---- */

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int size_byte(struct km_http_parser *p, unsigned char c)
{
    int digit = hex_value(c);

    if (digit >= 0) {
        if (p->sub >= 16)
            return bad(p, "a chunk size of too many digits");
        p->body_left = p->sub == 0 ? (uint64_t)digit : p->body_left << 4 | (uint64_t)digit;
        p->sub++;
        return KM_OK;
    }
    if (p->sub == 0)
        return bad(p, "a chunk without a size");
    if (c == '\r')
        p->state = PARSE_SIZE_LF;
    else if (c == ';')
        p->state = PARSE_EXTENSION;
    else if (c == ' ' || c == '\t')
        p->state = PARSE_SIZE_BLANK;
    else
        return bad(p, "a chunk size that is no hexadecimal number");
    return KM_OK;
}

/* A chunk line that costs more than its payload makes up for is counted, so that framing can't be the whole traffic. */
static int charge_line(struct km_http_parser *p)
{
    uint64_t allowed =
        p->body_left > NET_EXCESS_MAX ? 2u * NET_EXCESS_MAX : 16u + 2u * p->body_left;
    uint64_t excess = (uint64_t)p->framing_excess + p->line_len + 2u;

    excess = excess > allowed ? excess - allowed : 0;
    if (excess > NET_EXCESS_MAX)
        return fail(p, KM_ERR_TOO_LONG, "more chunk framing than data");
    p->framing_excess = (uint16_t)excess;
    return KM_OK;
}

static int size_line_end(struct km_http_parser *p, unsigned char c)
{
    if (c != '\n')
        return bad(p, "CR without LF in a chunk line");
    if (charge_line(p) != KM_OK)
        return p->failed;
    if (p->body_left > INT64_MAX)
        return bad(p, "a chunk size out of range");
    p->line_len = 0;
    p->state = PARSE_DATA;
    if (p->body_left == 0) {
        p->trailer = true;
        p->state = PARSE_LINE_START;
    }
    return KM_OK;
}

static int chunk_byte(struct km_http_parser *p, unsigned char c)
{
    if (p->state < PARSE_DATA && ++p->line_len > NET_CHUNK_LINE_MAX)
        return fail(p, KM_ERR_TOO_LONG, "a chunk line that is too long");
    switch (p->state) {
    case PARSE_SIZE:
        return size_byte(p, c);
    case PARSE_SIZE_BLANK:
        if (c == ';')
            p->state = PARSE_EXTENSION;
        else if (c != ' ' && c != '\t')
            return bad(p, "a chunk size with something behind it");
        return KM_OK;
    case PARSE_EXTENSION:
        if (c == '\r')
            p->state = PARSE_SIZE_LF;
        else if (!is_text_char(c))
            return bad(p, "a chunk extension with a control byte");
        return KM_OK;
    case PARSE_SIZE_LF:
        return size_line_end(p, c);
    case PARSE_DATA_CR:
        if (c != '\r')
            return bad(p, "a chunk longer than its size");
        p->state = PARSE_DATA_LF;
        return KM_OK;
    default:
        if (c != '\n')
            return bad(p, "CR without LF behind a chunk");
        p->state = PARSE_SIZE;
        p->sub = 0;
        return KM_OK;
    }
}

static int take_body(struct km_http_parser *p, struct km_slice *in, struct km_slice *body)
{
    size_t len = in->len;

    if (p->state != PARSE_CLOSE && len > p->body_left)
        len = (size_t)p->body_left;
    *body = (struct km_slice){in->ptr, len};
    in->ptr += len;
    in->len -= len;
    p->body_total += len;
    if (p->state == PARSE_CLOSE)
        return KM_HTTP_BODY;
    p->body_left -= len;
    if (p->body_left == 0)
        p->state = p->chunked ? PARSE_DATA_CR : PARSE_DONE;
    return KM_HTTP_BODY;
}

static int feed_chunk_line(struct km_http_parser *p, struct km_slice *in)
{
    while (in->len > 0 && p->state >= PARSE_SIZE && p->state != PARSE_DATA) {
        unsigned char c = (unsigned char)*in->ptr;

        in->ptr++;
        in->len--;
        if (chunk_byte(p, c) != KM_OK)
            return p->failed;
    }
    return KM_HTTP_NEED;
}

int km_http_feed(struct km_http_parser *p, struct km_slice *in, struct km_slice *body)
{
    *body = (struct km_slice){"", 0};
    if (p->state == PARSE_FAILED)
        return p->failed;
    for (;;) {
        int event;

        if (p->state == PARSE_DONE)
            return KM_HTTP_END;
        if (in->len == 0)
            return KM_HTTP_NEED;
        if (p->state == PARSE_LENGTH || p->state == PARSE_CLOSE || p->state == PARSE_DATA)
            return take_body(p, in, body);
        event = p->state < PARSE_LENGTH ? feed_head(p, in) : feed_chunk_line(p, in);
        if (event != KM_HTTP_NEED)
            return event;
    }
}

int km_http_eof(struct km_http_parser *p)
{
    switch (p->state) {
    case PARSE_FAILED:
        return p->failed;
    case PARSE_CLOSE:
        p->state = PARSE_DONE;
        return KM_HTTP_END;
    case PARSE_DONE:
        return KM_HTTP_END;
    case PARSE_VERSION:
        if (p->sub == 0 && p->interim_count == 0)
            return KM_EOF;
        return fail(p, KM_ERR_TRUNCATED, "the connection ended in the response head");
    default:
        return fail(p, KM_ERR_TRUNCATED,
                    p->state < PARSE_LENGTH && !p->trailer
                        ? "the connection ended in the response head"
                        : "the connection ended in the response body");
    }
}

int km_http_header(const struct km_http_parser *p, const char *name, struct km_slice *value)
{
    for (uint16_t i = 0; i < p->header_count; i++) {
        if (km_slice_eq_nocase(header_name(p, i), name)) {
            *value = header_value(p, i);
            return KM_OK;
        }
    }
    *value = (struct km_slice){"", 0};
    return KM_ERR_NOT_FOUND;
}
