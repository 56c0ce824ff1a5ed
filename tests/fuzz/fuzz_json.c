/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes through scanner, sieve and decoder. The first two bytes choose schema, window and pieces; the rest is fed whole
 * and in pieces. What must hold: both see the same; what is delivered is valid JSON and can be decoded, unless it has too
 * many tokens; strings end inside their fields; nothing is delivered of a text that the scanner refuses from its start.
 */
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_json.h"
#include "kubemote/km_json_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KM_PAIR_FIELDS(S, I, B, R, A, M) S(key, "", 12) S(value, "", 6)
KM_ELEMENT_STRUCT(pair, KM_PAIR_FIELDS)
#define KM_PART_FIELDS(S, I, B, R, A, M) S(name, "/n", 6) M(env, "/e", pair, 2) R(raw, "/r", 16)
KM_ELEMENT_STRUCT(part, KM_PART_FIELDS)
#define KM_THING_FIELDS(S, I, B, R, A, M) \
    S(name, "/n", 6) \
    I(number, "/i") \
    B(flag, "/b") \
    R(raw, "/r", 16) \
    M(map, "/m", pair, 3) \
    S(own, "/m/n", 4) \
    A(parts, "/a", part, 2) \
    R(second, "/l/1", 8)
KM_KIND_STRUCT(thing, KM_THING_FIELDS)
#define KM_OTHER_FIELDS(S, I, B, R, A, M) S(number, "/i", 9) S(name, "/n", 3) I(deep, "/r/i")
KM_KIND_STRUCT(other, KM_OTHER_FIELDS)

KM_ELEMENT_TABLE(pair, KM_PAIR_FIELDS)
KM_ELEMENT_TABLE(part, KM_PART_FIELDS)
extern const struct km_kind km_kind_thing, km_kind_other;
KM_KIND_TABLE(thing, "Thing", KM_THING_FIELDS)
KM_KIND_TABLE(other, "Other", KM_OTHER_FIELDS)

static const struct km_schema_part alone[] = {{"", &km_kind_thing}, {"", &km_kind_other}};
static const struct km_schema_part listed[] = {{"", &km_kind_other}, {"/items", &km_kind_thing}};
static struct km_schema_node nodes[2][64];
static struct km_schema schemas[2];

struct run {
    struct km_sieve sieve;
    const struct km_schema *schema;
    uint32_t hash;
    char window[4096];
};

static struct run runs[2];

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void hash_more(struct run *r, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        r->hash = (r->hash ^ (unsigned char)bytes[i]) * 16777619u;
}

static bool ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static void check_thing(const struct km_thing *t)
{
    check(ends(t->name, sizeof t->name) && ends(t->raw, sizeof t->raw) &&
          ends(t->own, sizeof t->own));
    check(t->map_count <= 3 && t->parts_count <= 2 && ends(t->second, sizeof t->second));
    for (uint16_t i = 0; i < t->map_count; i++)
        check(ends(t->map[i].key, 12) && ends(t->map[i].value, 6));
    for (uint16_t i = 0; i < t->parts_count; i++)
        check(t->parts[i].env_count <= 2 && ends(t->parts[i].name, 6));
}

static int take(void *ctx, bool item, struct km_slice text, bool overflow)
{
    static struct km_thing thing;
    static struct km_other other;
    struct run *r = ctx;
    void *dest[2] = {&thing, &other};
    struct km_json_scan scan;
    int err;

    hash_more(r, item ? "I" : "D", 1);
    hash_more(r, overflow ? "!" : "=", 1);
    hash_more(r, text.ptr, text.len);
    if (overflow && text.len == 0)
        return KM_OK;
    check(text.ptr >= r->window && text.ptr + text.len <= r->window + sizeof r->window);
    km_json_scan_init(&scan, false);
    check(km_json_scan_feed(&scan, text) == KM_OK && km_json_scan_end(&scan) == KM_OK);
    if (r->schema == &schemas[1]) {
        dest[0] = &other;
        dest[1] = &thing;
    }
    err = km_json_decode(r->schema, item, text, dest);
    check(err == KM_OK);
    check_thing(&thing);
    check(ends(other.name, sizeof other.name) && ends(other.number, sizeof other.number));
    return KM_OK;
}

static int feed(struct run *r, uint8_t choice, struct km_slice in, size_t piece)
{
    size_t window = choice & 1 ? sizeof r->window : CONFIG_KM_JSON_KEY_BYTES + 16u + (choice >> 3);
    int err = KM_OK;

    r->schema = &schemas[choice >> 1 & 1];
    r->hash = 2166136261u;
    km_sieve_init(&r->sieve, r->schema, (choice & 4) != 0, r->window, window, take, r);
    while (err == KM_OK && in.len > 0) {
        size_t len = piece < in.len ? piece : in.len;

        err = km_sieve_feed(&r->sieve, (struct km_slice){in.ptr, len});
        in.ptr += len;
        in.len -= len;
    }
    return err != KM_OK ? err : km_sieve_end(&r->sieve);
}

static void init(void)
{
    if (schemas[0].node_count > 0)
        return;
    check(km_schema_init(&schemas[0], alone, 2, NULL, nodes[0], 64) == KM_OK);
    check(km_schema_init(&schemas[1], listed, 2, "/items", nodes[1], 64) == KM_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_json_scan scan;
    struct km_slice in, value;
    int whole, pieces, err;

    if (size < 2)
        return 0;
    init();
    in = (struct km_slice){(const char *)data + 2, size - 2};
    whole = feed(&runs[0], data[0], in, SIZE_MAX);
    pieces = feed(&runs[1], data[0], in, 1 + data[1] % 16u);
    check(whole == pieces && runs[0].hash == runs[1].hash);
    check(runs[0].sieve.scan.offset == runs[1].sieve.scan.offset);
    km_json_scan_init(&scan, (data[0] & 4) != 0);
    err = km_json_scan_feed(&scan, in);
    if (err == KM_OK)
        err = km_json_scan_end(&scan);
    check(err == whole);
    err = km_json_find(in, "/items/1/a", &value);
    if (err == KM_OK)
        check(value.ptr >= in.ptr && value.len > 0 && value.ptr + value.len <= in.ptr + in.len);
    return 0;
}
