/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "dns_priv.h"

#define HEAD 12u
#define TYPE_CNAME 5u
#define CLASS_IN 1u
#define CNAME_MAX 16

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)((uint16_t)at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

int km_dns_query(uint8_t out[KM_DNS_QUERY_SIZE], uint16_t id, const char *host, uint16_t type)
{
    size_t len = strlen(host), label_at = HEAD, at = HEAD + 1;

    if (len == 0 || len > 253)
        return KM_ERR_NAME;
    memset(out, 0, HEAD);
    put16(out, id);
    out[2] = 1; /* recursion desired */
    out[5] = 1; /* one question */
    for (size_t i = 0; i <= len; i++) {
        if (i == len || host[i] == '.') {
            size_t label = at - label_at - 1;

            if (label == 0 || label > 63)
                return KM_ERR_NAME;
            out[label_at] = (uint8_t)label;
            label_at = at;
        } else if (is_host_char(host[i])) {
            out[at] = (uint8_t)host[i];
        } else {
            return KM_ERR_NAME;
        }
        at++;
    }
    out[label_at] = 0;
    put16(out + at, type);
    put16(out + at + 2, CLASS_IN);
    return (int)at + 4;
}

/* The offset behind the name at `at`, 0 when it is malformed. */
static size_t skip_name(const uint8_t *message, size_t len, size_t at)
{
    while (at < len) {
        uint8_t size = message[at];

        if (size == 0)
            return at + 1;
        if ((size & 0xc0u) == 0xc0u)
            return at + 2 <= len ? at + 2 : 0;
        if ((size & 0xc0u) != 0)
            return 0;
        at += 1u + size;
    }
    return 0;
}

/* Follows compression pointers to the next label. Each must point before all that was read of this name (*floor), so that a
   loop cannot be. False when malformed. */
static bool settle(const uint8_t *message, size_t len, size_t *at, size_t *floor)
{
    while (*at < len && (message[*at] & 0xc0u) == 0xc0u) {
        size_t target;

        if (*at + 2 > len)
            return false;
        target = get16(message + *at) & 0x3fffu;
        if (target >= *floor || target < HEAD)
            return false;
        *at = *floor = target;
    }
    return *at < len && (message[*at] & 0xc0u) == 0;
}

static bool same_name(const uint8_t *message, size_t len, size_t a, size_t b)
{
    size_t floor_a = a, floor_b = b;

    for (unsigned total = 0; total < 255;) {
        uint8_t size;

        if (!settle(message, len, &a, &floor_a) || !settle(message, len, &b, &floor_b))
            return false;
        size = message[a];
        if (size != message[b] || a + 1u + size > len || b + 1u + size > len)
            return false;
        if (size == 0)
            return true;
        for (uint8_t i = 1; i <= size; i++) {
            if (lower(message[a + i]) != lower(message[b + i]))
                return false;
        }
        a += 1u + size;
        b += 1u + size;
        total += 1u + size;
    }
    return false;
}

struct record {
    size_t name, data, next;
    uint16_t type, class, data_len;
};

/* KM_OK, KM_EOF when the message ends before the record does, KM_ERR_PROTOCOL. */
static int read_record(struct record *out, const uint8_t *message, size_t len, size_t at)
{
    size_t head = skip_name(message, len, at);

    out->name = at;
    if (head == 0 || head + 10 > len)
        return KM_EOF;
    out->type = get16(message + head);
    out->class = get16(message + head + 2);
    out->data_len = get16(message + head + 8);
    out->data = head + 10;
    out->next = out->data + out->data_len;
    if (out->next > len)
        return KM_EOF;
    if ((out->type == KM_DNS_A && out->data_len != 4) ||
        (out->type == KM_DNS_AAAA && out->data_len != 16))
        return out->class == CLASS_IN ? KM_ERR_PROTOCOL : KM_OK;
    return KM_OK;
}

struct walk {
    const uint8_t *message;
    size_t len, first;
    uint16_t count;
};

/* The target of owner's CNAME, 0 when it has none. */
static size_t find_alias(const struct walk *walk, size_t owner)
{
    struct record record;
    size_t at = walk->first;

    for (uint16_t i = 0; i < walk->count; i++, at = record.next) {
        if (read_record(&record, walk->message, walk->len, at) != KM_OK)
            return 0;
        if (record.type == TYPE_CNAME && record.class == CLASS_IN && record.data_len > 0 &&
            same_name(walk->message, walk->len, owner, record.name))
            return record.data;
    }
    return 0;
}

static uint16_t give_addresses(const struct walk *walk, size_t owner, uint16_t type,
                               void (*add)(void *ctx, const struct km_addr *addr), void *ctx)
{
    struct record record;
    size_t at = walk->first;
    uint16_t found = 0;

    for (uint16_t i = 0; i < walk->count; i++, at = record.next) {
        struct km_addr addr = {0};

        if (read_record(&record, walk->message, walk->len, at) != KM_OK)
            break;
        if (record.type != type || record.class != CLASS_IN ||
            !same_name(walk->message, walk->len, owner, record.name))
            continue;
        addr.family = type == KM_DNS_A ? 4 : 6;
        memcpy(addr.ip, walk->message + record.data, record.data_len);
        add(ctx, &addr);
        found++;
    }
    return found;
}

static bool is_answer_to(const uint8_t *message, size_t len, const uint8_t *query, size_t query_len)
{
    if (len < query_len || get16(message) != get16(query) || (message[2] & 0xf8u) != 0x80u ||
        get16(message + 4) != 1)
        return false;
    for (size_t i = HEAD; i < query_len; i++) {
        if (lower(message[i]) != lower(query[i]))
            return false;
    }
    return true;
}

int km_dns_parse(struct km_dns_answer *out, const uint8_t *message, size_t len, bool partial,
                 const uint8_t *query, size_t query_len,
                 void (*add)(void *ctx, const struct km_addr *addr), void *ctx)
{
    struct walk walk = {.message = message, .len = len, .first = query_len};
    size_t owner = HEAD, at = query_len, alias;
    struct record record;

    memset(out, 0, sizeof *out);
    if (!is_answer_to(message, len, query, query_len))
        return KM_ERR_PROTOCOL;
    out->rcode = message[3] & 0x0fu;
    out->cut = (message[2] & 0x02u) != 0;
    walk.count = get16(message + 6);
    out->lame = out->rcode == KM_DNS_NOERROR && walk.count == 0 && (message[2] & 0x04u) == 0 &&
                (message[3] & 0x80u) == 0;
    if (out->rcode != KM_DNS_NOERROR || out->cut)
        return KM_OK;
    /* All records are checked before any address is given away. */
    for (uint16_t i = 0; i < walk.count; i++, at = record.next) {
        int err = read_record(&record, message, len, at);

        if (err == KM_EOF && partial)
            break;
        if (err != KM_OK)
            return KM_ERR_PROTOCOL;
    }
    for (int i = 0; i < CNAME_MAX; i++) {
        alias = find_alias(&walk, owner);
        if (alias == 0)
            break;
        owner = alias;
    }
    out->found = give_addresses(&walk, owner, get16(query + query_len - 4), add, ctx);
    return KM_OK;
}
