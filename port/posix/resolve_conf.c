/* SPDX-License-Identifier: Apache-2.0 */
#include <net/if.h>
#include <string.h>

#include "dns_priv.h"

#define LINE_SIZE 512

/* Lines of a file of any length through a small window; lines longer than it are skipped. */
struct lines {
    const char *path;
    uint64_t offset;
    size_t len, at;
    bool skipping, ended;
    char data[LINE_SIZE];
};

static bool refill(struct lines *l)
{
    int got;

    memmove(l->data, l->data + l->at, l->len - l->at);
    l->len -= l->at;
    l->at = 0;
    if (l->len == sizeof l->data) {
        l->len = 0;
        l->skipping = true;
    }
    if (l->ended)
        return false;
    got = km_port_file_read_at(l->path, l->offset, l->data + l->len, sizeof l->data - l->len);
    if (got <= 0) {
        l->ended = true;
        return false;
    }
    l->offset += (uint64_t)got;
    l->len += (size_t)got;
    return true;
}

/* The next line without its comment; valid until the next call. */
static bool next_line(struct lines *l, struct km_slice *line)
{
    for (;;) {
        char *from = l->data + l->at, *end = memchr(from, '\n', l->len - l->at), *comment;
        bool skip = l->skipping;

        if (end == NULL && refill(l))
            continue;
        from = l->data + l->at;
        if (end == NULL && l->at == l->len)
            return false;
        if (end == NULL)
            end = l->data + l->len;
        l->at = (size_t)(end - l->data) + (end < l->data + l->len ? 1 : 0);
        l->skipping = false;
        if (skip)
            continue;
        *line = (struct km_slice){.ptr = from, .len = (size_t)(end - from)};
        for (comment = from; comment < end; comment++) {
            if (*comment == '#' || *comment == ';') {
                line->len = (size_t)(comment - from);
                break;
            }
        }
        return true;
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the next word from the line; false at its end. */
static bool next_word(struct km_slice *line, struct km_slice *word)
{
    size_t at = 0, end;

    while (at < line->len && is_blank(line->ptr[at]))
        at++;
    for (end = at; end < line->len && !is_blank(line->ptr[end]);)
        end++;
    *word = (struct km_slice){.ptr = line->ptr + at, .len = end - at};
    line->ptr += end;
    line->len -= end;
    return word->len > 0;
}

/* An address with an optional zone: "fe80::1%eth0" or "fe80::1%2". */
static int parse_zoned(struct km_slice text, struct km_addr *out)
{
    const char *percent = memchr(text.ptr, '%', text.len);
    struct km_slice addr = text, zone;
    char name[IF_NAMESIZE];
    uint64_t number;
    int err;

    if (percent == NULL)
        return km_addr_parse(text, out);
    addr.len = (size_t)(percent - text.ptr);
    zone = (struct km_slice){.ptr = percent + 1, .len = text.len - addr.len - 1};
    err = km_addr_parse(addr, out);
    if (err != KM_OK || out->family != 6)
        return KM_ERR_SYNTAX;
    if (km_slice_to_u64(zone, &number) == KM_OK && number <= UINT32_MAX)
        out->scope = (uint32_t)number;
    else if (km_slice_copy(zone, name, sizeof name) == KM_OK)
        out->scope = if_nametoindex(name);
    return out->scope != 0 ? KM_OK : KM_ERR_SYNTAX;
}

void km_resolve_read_hosts(struct km_resolve *r, const char *path)
{
    struct lines lines = {.path = path};
    struct km_slice line, word;
    struct km_addr addr;

    while (next_line(&lines, &line)) {
        if (!next_word(&line, &word) || parse_zoned(word, &addr) != KM_OK)
            continue;
        while (next_word(&line, &word)) {
            if (km_slice_eq_nocase(word, r->host)) {
                addr.port = r->port;
                km_resolve_add(r, &addr);
                break;
            }
        }
    }
}

static void read_search(struct km_resolve *r, struct km_slice line, bool one)
{
    struct km_slice word;
    size_t len = 0;

    r->search[0] = '\0';
    while (next_word(&line, &word)) {
        while (word.len > 0 && word.ptr[word.len - 1] == '.')
            word.len--;
        if (word.len == 0 || len + word.len + 2 > sizeof r->search)
            continue;
        if (len > 0)
            r->search[len++] = ' ';
        memcpy(r->search + len, word.ptr, word.len);
        len += word.len;
        r->search[len] = '\0';
        if (one)
            return;
    }
}

static bool read_option(struct km_slice word, const char *name, uint64_t low, uint64_t high,
                        uint64_t *out)
{
    size_t len = strlen(name);

    if (word.len <= len || memcmp(word.ptr, name, len) != 0)
        return false;
    word.ptr += len;
    word.len -= len;
    if (km_slice_to_u64(word, out) != KM_OK)
        return false;
    *out = *out < low ? low : *out > high ? high : *out;
    return true;
}

static void read_options(struct km_resolve *r, struct km_slice line)
{
    struct km_slice word;
    uint64_t value;

    while (next_word(&line, &word)) {
        if (read_option(word, "ndots:", 0, 15, &value))
            r->ndots = (uint8_t)value;
        else if (read_option(word, "timeout:", 1, 30, &value))
            r->timeout_ms = (int32_t)value * 1000;
        else if (read_option(word, "attempts:", 1, 5, &value))
            r->attempts = (uint8_t)value;
    }
}

static void add_server(struct km_resolve *r, struct km_slice text, uint16_t dns_port)
{
    struct km_addr addr;

    if (r->server_count == KM_DNS_SERVERS || parse_zoned(text, &addr) != KM_OK)
        return;
    addr.port = dns_port;
    r->servers[r->server_count++] = addr;
}

void km_resolve_read_conf(struct km_resolve *r, const char *path, uint16_t dns_port)
{
    struct lines lines = {.path = path};
    struct km_slice line, word;

    r->server_count = 0;
    r->search[0] = '\0';
    r->ndots = 1;
    r->attempts = 2;
    r->timeout_ms = 5000;
    while (next_line(&lines, &line)) {
        if (!next_word(&line, &word))
            continue;
        if (km_slice_eq_str(word, "nameserver") && next_word(&line, &word))
            add_server(r, word, dns_port);
        else if (km_slice_eq_str(word, "search"))
            read_search(r, line, false);
        else if (km_slice_eq_str(word, "domain"))
            read_search(r, line, true);
        else if (km_slice_eq_str(word, "options"))
            read_options(r, line);
    }
    if (r->server_count == 0)
        add_server(r, km_slice_of("127.0.0.1"), dns_port);
}
