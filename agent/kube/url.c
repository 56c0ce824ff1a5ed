/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_kubeconfig.h"
#include "kubemote/km_yaml.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct km_slice cut_before(struct km_slice text, size_t at)
{
    return (struct km_slice){text.ptr, at};
}

static struct km_slice cut_after(struct km_slice text, size_t at)
{
    return (struct km_slice){text.ptr + at, text.len - at};
}

/* Offset of the first byte that is one of `set`, or the length. */
static size_t find_any(struct km_slice text, const char *set)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && strchr(set, text.ptr[i]) != NULL)
            return i;
    }
    return text.len;
}

static int bad(struct km_slice url, struct km_fault *fault, const char *why)
{
    char show[KM_SHOW_SIZE];
    return km_fault_set(fault, KM_ERR_CONFIG, "server \"%s\": %s", km_slice_show(url, show), why);
}

static const char *take_port(struct km_slice text, struct km_url *out)
{
    uint64_t port;

    if (text.len == 0)
        return NULL; /* "host:" means the scheme's own port, as in Go */
    if (km_slice_to_u64(text, &port) != KM_OK || port < 1 || port > 65535)
        return "the port must be a number from 1 to 65535";
    out->port = (uint16_t)port;
    return NULL;
}

static const char *take_zone(struct km_slice zone, struct km_url *out)
{
    /* RFC 6874 writes the percent sign before the zone as %25; many people do not. */
    if (zone.len >= 2 && memcmp(zone.ptr, "25", 2) == 0)
        zone = cut_after(zone, 2);
    if (zone.len == 0)
        return "the zone behind % is empty";
    for (size_t i = 0; i < zone.len; i++) {
        if (!is_alnum(zone.ptr[i]) && strchr("-._", zone.ptr[i]) == NULL)
            return "the zone behind % has a character that no interface name has";
    }
    return km_slice_copy(zone, out->zone, sizeof out->zone) == KM_OK ? NULL
                                                                     : "the zone is too long";
}

/* [v6], [v6%zone], then :port or nothing. */
static const char *take_bracketed(struct km_slice authority, struct km_url *out)
{
    size_t end = find_any(authority, "]");
    if (end == authority.len)
        return "the ] of an IPv6 address is missing";
    struct km_slice literal = cut_after(cut_before(authority, end), 1);
    struct km_slice rest = cut_after(authority, end + 1);

    size_t percent = find_any(literal, "%");
    struct km_slice address = cut_before(literal, percent);
    if (address.len < 2 || find_any(address, ":") == address.len)
        return "the text in brackets is no IPv6 address";
    for (size_t i = 0; i < address.len; i++) {
        if (!is_hex(address.ptr[i]) && address.ptr[i] != ':' && address.ptr[i] != '.')
            return "the text in brackets is no IPv6 address";
    }
    if (km_slice_copy(address, out->host, sizeof out->host) != KM_OK)
        return "the address is too long";
    if (percent < literal.len) {
        const char *why = take_zone(cut_after(literal, percent + 1), out);
        if (why != NULL)
            return why;
    }
    if (rest.len > 0 && rest.ptr[0] != ':')
        return "only :port may follow the ]";
    return rest.len > 0 ? take_port(cut_after(rest, 1), out) : NULL;
}

static const char *take_name(struct km_slice authority, struct km_url *out)
{
    size_t colon = find_any(authority, ":");
    struct km_slice host = cut_before(authority, colon);

    if (host.len > 1 && host.ptr[host.len - 1] == '.')
        host.len--; /* absolute in DNS; certificates never name it so */
    if (host.len == 0)
        return "the host is missing";
    for (size_t i = 0; i < host.len; i++) {
        bool dot = host.ptr[i] == '.';
        if (!is_alnum(host.ptr[i]) && host.ptr[i] != '-' && host.ptr[i] != '_' && !dot)
            return "the host has a character that no host name has";
        if (dot && (i == 0 || host.ptr[i - 1] == '.'))
            return "the host has an empty part";
    }
    if (host.len > 253 || km_slice_copy(host, out->host, sizeof out->host) != KM_OK)
        return "the host is too long";
    if (colon == authority.len)
        return NULL;
    if (find_any(cut_after(authority, colon + 1), ":") < authority.len - colon - 1)
        return "an IPv6 address needs brackets";
    return take_port(cut_after(authority, colon + 1), out);
}

static bool is_path_byte(struct km_slice path, size_t i)
{
    char c = path.ptr[i];

    if (c == '%')
        return i + 2 < path.len && is_hex(path.ptr[i + 1]) && is_hex(path.ptr[i + 2]);
    return is_alnum(c) || strchr("-._~!$&'()*+,;=:@", c) != NULL;
}

/* Slashes that stand twice or at the end go, as Go's path.Join has it. */
static const char *take_path(struct km_slice path, struct km_url *out)
{
    struct km_buf buf;

    km_buf_init(&buf, out->base_path, sizeof out->base_path);
    while (path.len > 0) {
        if (path.ptr[0] == '/') {
            path = cut_after(path, 1);
            continue;
        }
        struct km_slice segment = cut_before(path, find_any(path, "/"));
        if (km_slice_eq_str(segment, ".") || km_slice_eq_str(segment, ".."))
            return "\".\" and \"..\" are not possible in the path";
        for (size_t i = 0; i < segment.len; i++) {
            if (!is_path_byte(segment, i))
                return "the path has a character that must be escaped";
        }
        km_buf_putc(&buf, '/');
        km_buf_put_slice(&buf, segment);
        path = cut_after(path, segment.len);
    }
    return buf.overflow ? "the path is too long" : NULL;
}

/* Cuts the scheme off *rest. A text without "://" has none: it is plain http, and may have no path then. */
static const char *take_scheme(struct km_slice *rest, bool *bare, struct km_url *out)
{
    size_t colon = find_any(*rest, ":/?#");

    *bare = !(rest->len >= colon + 3 && memcmp(rest->ptr + colon, "://", 3) == 0);
    out->tls = false;
    if (*bare)
        return NULL;
    struct km_slice scheme = cut_before(*rest, colon);
    *rest = cut_after(*rest, colon + 3);
    if (km_slice_eq_nocase(scheme, "https"))
        out->tls = true;
    else if (!km_slice_eq_nocase(scheme, "http"))
        return "the scheme must be https or http";
    return NULL;
}

int km_url_parse(struct km_slice text, struct km_url *out, struct km_fault *fault)
{
    struct km_slice rest = text;
    bool bare;

    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] <= 0x20 || (unsigned char)text.ptr[i] >= 0x7f)
            return bad(text, fault, "a blank or a character beyond ASCII has no place in a URL");
    }
    const char *why = take_scheme(&rest, &bare, out);
    if (why != NULL)
        return bad(text, fault, why);
    out->port = out->tls ? 443 : 80;

    rest = cut_before(rest, find_any(rest, "?#"));
    size_t slash = find_any(rest, "/");
    struct km_slice authority = cut_before(rest, slash);
    if (find_any(authority, "@") < authority.len)
        return bad(km_slice_of("..."), fault, "user information in the URL is not supported");
    why = authority.len > 0 && authority.ptr[0] == '[' ? take_bracketed(authority, out)
                                                       : take_name(authority, out);
    if (why == NULL)
        why = take_path(cut_after(rest, slash), out);
    if (why == NULL && bare && out->base_path[0] != '\0')
        why = "a path needs a URL that begins with https:// or http://";
    return why == NULL ? KM_OK : bad(text, fault, why);
}

int km_url_authority(const struct km_url *url, char *out, size_t out_size)
{
    struct km_buf buf;
    bool literal = strchr(url->host, ':') != NULL;

    km_buf_init(&buf, out, out_size);
    if (literal)
        km_buf_putc(&buf, '[');
    km_buf_puts(&buf, url->host);
    if (literal)
        km_buf_putc(&buf, ']');
    if (url->port != (url->tls ? 443 : 80)) {
        km_buf_putc(&buf, ':');
        km_buf_put_u64(&buf, url->port);
    }
    return buf.overflow ? KM_ERR_TOO_LONG : KM_OK;
}
