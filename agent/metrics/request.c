/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request to the endpoint, a line at a time. */
#include <string.h>

#include "kubemote/km_metrics.h"

enum state { FIRST_LINE, BLANK_SEEN, HEADERS, COMPLETE };

/* ---- Accept ---- */

/* The part before the separator; *rest goes on behind it. */
static struct km_slice split(struct km_slice *rest, char separator)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    struct km_slice part = {rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr)};
    size_t used = end == NULL ? part.len : part.len + 1;

    rest->ptr += used;
    rest->len -= used;
    return km_slice_trim(part);
}

/* "0.75" as 750; what is no weight counts as none. */
static unsigned weight_of(struct km_slice text)
{
    unsigned value = 0, unit = 1000;

    if (text.len == 0 || (text.ptr[0] != '0' && text.ptr[0] != '1'))
        return 0;
    for (size_t i = 0; i < text.len && i < 5; i++) {
        if (i == 1 && text.ptr[i] == '.')
            continue;
        if (i == 1 || text.ptr[i] < '0' || text.ptr[i] > '9')
            return 0;
        value += (unsigned)(text.ptr[i] - '0') * unit;
        unit /= 10;
    }
    return value > 1000 ? 1000 : value;
}

static bool is_known_version(struct km_slice version)
{
    return km_slice_eq_str(version, "1.0.0") || km_slice_eq_str(version, "0.0.1");
}

/* One media range of Accept, with its weight. */
static void weigh(struct km_slice range, unsigned *open, unsigned *text)
{
    struct km_slice type = split(&range, ';');
    bool known = true;
    unsigned weight = 1000;

    while (range.len > 0) {
        struct km_slice value = split(&range, ';');
        struct km_slice name = split(&value, '=');

        value = km_slice_trim(value);
        if (km_slice_eq_nocase(name, "q"))
            weight = weight_of(value);
        if (km_slice_eq_nocase(name, "version"))
            known = is_known_version(value);
    }
    if (km_slice_eq_nocase(type, "application/openmetrics-text")) {
        if (known && weight > *open)
            *open = weight;
    } else if (km_slice_eq_nocase(type, "text/plain") || km_slice_eq_nocase(type, "text/*") ||
               km_slice_eq_nocase(type, "*/*")) {
        if (weight > *text)
            *text = weight;
    }
}

enum km_metrics_format km_metrics_choose(struct km_slice accept)
{
    unsigned open = 0, text = 0;

    while (accept.len > 0)
        weigh(split(&accept, ','), &open, &text);
    return open > 0 && open >= text ? KM_METRICS_OPENMETRICS : KM_METRICS_PROMETHEUS;
}

/* ---- lines ---- */

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_len(struct km_slice text)
{
    size_t len = 0;

    while (len < text.len && is_token_char(text.ptr[len]))
        len++;
    return len;
}

/* http://HOST/PATH stands for /PATH (RFC 9112, 3.2.2). */
static struct km_slice path_of(struct km_slice target)
{
    static const char scheme[] = "http://";
    const size_t len = sizeof scheme - 1;
    const char *slash;

    if (target.len <= len || !km_slice_eq_nocase((struct km_slice){target.ptr, len}, scheme))
        return target;
    slash = memchr(target.ptr + len, '/', target.len - len);
    if (slash == NULL)
        return (struct km_slice){"/", 1};
    return (struct km_slice){slash, target.len - (size_t)(slash - target.ptr)};
}

static enum km_serve_path known_path(struct km_slice path)
{
    static const char *const names[] = {[KM_SERVE_METRICS] = "/metrics",
                                        [KM_SERVE_HEALTHZ] = "/healthz",
                                        [KM_SERVE_READYZ] = "/readyz",
                                        [KM_SERVE_LIVEZ] = "/livez"};

    for (unsigned i = KM_SERVE_METRICS; i <= KM_SERVE_LIVEZ; i++) {
        if (km_slice_eq_str(path, names[i]))
            return (enum km_serve_path)i;
    }
    return KM_SERVE_UNKNOWN;
}

static int read_target(struct km_serve_request *r, struct km_slice target)
{
    struct km_slice query;

    if (target.len == 0)
        return KM_ERR_PROTOCOL;
    if (target.len > KM_SERVE_TARGET_BYTES)
        return KM_ERR_TOO_LONG;
    for (size_t i = 0; i < target.len; i++) {
        if (target.ptr[i] <= ' ' || target.ptr[i] > '~')
            return KM_ERR_PROTOCOL;
    }
    query = path_of(target);
    r->path = known_path(split(&query, '?'));
    while (query.len > 0) {
        struct km_slice item = split(&query, '&');
        struct km_slice name = split(&item, '=');

        r->verbose = r->verbose || km_slice_eq_str(name, "verbose");
    }
    return KM_OK;
}

static int read_first_line(struct km_serve_request *r, struct km_slice line)
{
    size_t method = token_len(line);
    struct km_slice name = {line.ptr, method}, version;
    const char *space;

    if (method == 0 || method == line.len || line.ptr[method] != ' ')
        return KM_ERR_PROTOCOL;
    r->get = km_slice_eq_str(name, "GET");
    r->head = km_slice_eq_str(name, "HEAD");
    line.ptr += method + 1;
    line.len -= method + 1;
    space = memchr(line.ptr, ' ', line.len);
    if (space == NULL)
        return KM_ERR_PROTOCOL;
    version.ptr = space + 1;
    version.len = line.len - (size_t)(space + 1 - line.ptr);
    if (!km_slice_eq_str(version, "HTTP/1.1") && !km_slice_eq_str(version, "HTTP/1.0"))
        return KM_ERR_PROTOCOL;
    r->minor = version.ptr[7] == '1';
    return read_target(r, (struct km_slice){line.ptr, (size_t)(space - line.ptr)});
}

static void read_connection(struct km_serve_request *r, struct km_slice value)
{
    while (value.len > 0) {
        struct km_slice option = split(&value, ',');

        r->close = r->close || km_slice_eq_nocase(option, "close");
        r->keep_alive = r->keep_alive || km_slice_eq_nocase(option, "keep-alive");
    }
}

static int read_header(struct km_serve_request *r, struct km_slice line)
{
    size_t len = token_len(line);
    struct km_slice name = {line.ptr, len}, value;

    /* A name that fills the whole of a cut line has its colon where we can't see it: too long. */
    if (len == sizeof r->line)
        return KM_ERR_TOO_LONG;
    if (len == 0 || len == line.len || line.ptr[len] != ':')
        return KM_ERR_PROTOCOL;
    value = km_slice_trim((struct km_slice){line.ptr + len + 1, line.len - len - 1});
    if (km_slice_eq_nocase(name, "Host")) {
        r->hosts = r->hosts == 0 ? 1 : 2;
    } else if (km_slice_eq_nocase(name, "Connection")) {
        read_connection(r, value);
    } else if (km_slice_eq_nocase(name, "Accept")) {
        r->openmetrics = r->openmetrics || km_metrics_choose(value) == KM_METRICS_OPENMETRICS;
    } else if (km_slice_eq_nocase(name, "Transfer-Encoding")) {
        r->has_body = true;
    } else if (km_slice_eq_nocase(name, "Content-Length")) {
        uint64_t bytes;
        int err = km_slice_to_u64(value, &bytes);

        if (err != KM_OK)
            return KM_ERR_PROTOCOL;
        r->has_body = r->has_body || bytes > 0;
    }
    return KM_OK;
}

/* KM_AGAIN: go on; KM_OK: that was the head's last line. */
static int read_line(struct km_serve_request *r)
{
    struct km_slice line = {r->line, r->len};
    int err;

    r->len = 0;
    if (line.len == 0 && r->state == FIRST_LINE) {
        r->state = BLANK_SEEN; /* one empty line in front is forgiven (RFC 9112, 2.2) */
        return KM_AGAIN;
    }
    if (r->state != HEADERS) {
        err = line.len == sizeof r->line ? KM_ERR_TOO_LONG : read_first_line(r, line);
        r->state = HEADERS;
        return err == KM_OK ? KM_AGAIN : err;
    }
    if (line.len > 0) {
        err = read_header(r, line);
        return err == KM_OK ? KM_AGAIN : err;
    }
    if (r->hosts > 1 || (r->minor == 1 && r->hosts == 0) || r->has_body)
        return KM_ERR_PROTOCOL;
    if (r->minor == 0 && !r->keep_alive)
        r->close = true;
    r->state = COMPLETE;
    return KM_OK;
}

static int take_byte(struct km_serve_request *r, char c)
{
    if (r->after_cr) {
        r->after_cr = false;
        return c == '\n' ? read_line(r) : KM_ERR_PROTOCOL;
    }
    if (c == '\r') {
        r->after_cr = true;
        return KM_AGAIN;
    }
    if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f)
        return KM_ERR_PROTOCOL;
    if (r->len < sizeof r->line)
        r->line[r->len++] = c;
    return KM_AGAIN;
}

void km_serve_request_init(struct km_serve_request *r)
{
    memset(r, 0, offsetof(struct km_serve_request, line));
}

int km_serve_request_feed(struct km_serve_request *r, struct km_slice *in)
{
    if (r->failed != 0)
        return r->failed;
    if (r->state == COMPLETE)
        return KM_OK;
    while (in->len > 0) {
        int err =
            r->head_bytes == CONFIG_KM_SERVE_HEAD_BYTES ? KM_ERR_TOO_LONG : take_byte(r, *in->ptr);

        if (err < 0 && err != KM_AGAIN) {
            r->failed = (int16_t)err;
            return err;
        }
        r->head_bytes++;
        in->ptr++;
        in->len--;
        if (err == KM_OK)
            return KM_OK;
    }
    return KM_AGAIN;
}
