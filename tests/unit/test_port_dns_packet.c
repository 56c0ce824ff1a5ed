/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdlib.h>

#include "port/posix/dns_priv.h"

struct packet {
    uint8_t data[1024];
    size_t len;
};

static uint8_t query[KM_DNS_QUERY_SIZE];
static size_t query_len;
static struct km_addr found[64];
static unsigned found_count;

static void collect(void *ctx, const struct km_addr *addr)
{
    (void)ctx;
    if (found_count < 64)
        found[found_count++] = *addr;
}

static void ask(const char *host, uint16_t type)
{
    int len = km_dns_query(query, 0x1234, host, type);

    assert_true(len > 0);
    query_len = (size_t)len;
}

static void put(struct packet *p, const void *data, size_t len)
{
    memcpy(p->data + p->len, data, len);
    p->len += len;
}

static void put16(struct packet *p, unsigned value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    put(p, bytes, 2);
}

static void begin(struct packet *p, unsigned flags, unsigned answers)
{
    p->len = 0;
    put(p, query, query_len);
    p->data[2] = (uint8_t)(flags >> 8);
    p->data[3] = (uint8_t)flags;
    p->data[7] = (uint8_t)answers;
}

/* name: wire form with its length; a literal's own NUL ends the name. */
static void record(struct packet *p, const char *name, size_t name_len, unsigned type,
                   const void *data, size_t len)
{
    put(p, name, name_len);
    put16(p, type);
    put16(p, 1);
    put(p, "\0\0\0\x3c", 4);
    put16(p, (unsigned)len);
    put(p, data, len);
}

#define QUESTION "\xc0\x0c", 2

static int parse(struct km_dns_answer *out, const struct packet *p, bool partial)
{
    /* Of exactly its size, so that checkers see each byte read beyond it. */
    uint8_t *copy = malloc(p->len + 1);
    int err;

    memcpy(copy, p->data, p->len);
    found_count = 0;
    err = km_dns_parse(out, copy, p->len, partial, query, query_len, collect, NULL);
    free(copy);
    return err;
}

static void test_query(void **state)
{
    char name[300];

    (void)state;
    ask("Ab.c", KM_DNS_AAAA);
    assert_int_equal(query_len, 22);
    assert_memory_equal(query,
                        "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02"
                        "Ab\x01"
                        "c\0\0\x1c\0\x01",
                        22);
    assert_int_equal(km_dns_query(query, 1, "", 1), KM_ERR_NAME);
    assert_int_equal(km_dns_query(query, 1, "a..b", 1), KM_ERR_NAME);
    assert_int_equal(km_dns_query(query, 1, ".a", 1), KM_ERR_NAME);
    assert_int_equal(km_dns_query(query, 1, "a b", 1), KM_ERR_NAME);
    assert_int_equal(km_dns_query(query, 1, "a/b", 1), KM_ERR_NAME);
    memset(name, 'a', sizeof name);
    name[63] = '\0';
    assert_true(km_dns_query(query, 1, name, 1) > 0);
    name[63] = 'a';
    name[64] = '\0';
    assert_int_equal(km_dns_query(query, 1, name, 1), KM_ERR_NAME);
    memset(name, 'a', sizeof name);
    for (int i = 50; i < 300; i += 51)
        name[i] = '.';
    name[253] = '\0';
    assert_int_equal(km_dns_query(query, 1, name, 1), 12 + 255 + 4);
    name[253] = 'a';
    name[254] = '\0';
    assert_int_equal(km_dns_query(query, 1, name, 1), KM_ERR_NAME);
}

static void test_answers(void **state)
{
    struct km_dns_answer answer;
    struct packet p;

    (void)state;
    ask("api.test", KM_DNS_A);
    begin(&p, 0x8180, 3);
    record(&p, QUESTION, 1, "\x0a\0\0\x01", 4);
    record(&p, "\3API\4Test", 10, 1, "\x0a\0\0\x02", 4);
    record(&p, "\5other\4test", 12, 1, "\x0a\0\0\x03", 4); /* not what was asked */
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_int_equal(answer.found, 2);
    assert_int_equal(found[1].ip[3], 2);
    p.data[0] ^= 1; /* another id */
    assert_int_equal(parse(&answer, &p, false), KM_ERR_PROTOCOL);
    p.data[0] ^= 1;
    p.data[14] ^= 1; /* another question */
    assert_int_equal(parse(&answer, &p, false), KM_ERR_PROTOCOL);
    p.data[14] ^= 1;
    p.data[2] = 1; /* a query, not an answer */
    assert_int_equal(parse(&answer, &p, false), KM_ERR_PROTOCOL);
    begin(&p, 0x8183, 0);
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_int_equal(answer.rcode, KM_DNS_NXDOMAIN);
    begin(&p, 0x8100, 0);
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_true(answer.lame);
    begin(&p, 0x8380, 0);
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_true(answer.cut);
}

static void test_aliases(void **state)
{
    struct km_dns_answer answer;
    struct packet p;
    size_t second;

    (void)state;
    ask("api.test", KM_DNS_A);
    begin(&p, 0x8180, 3); /* in the wrong order on purpose */
    record(&p, "\1b\4test", 8, 1, "\x0a\0\0\x09", 4);
    record(&p, "\1a\4test", 8, 5, "\1b\xc0\x10", 4);
    record(&p, QUESTION, 5, "\1a\xc0\x10", 4);
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_int_equal(answer.found, 1);
    begin(&p, 0x8180, 2); /* a loop */
    record(&p, QUESTION, 5, "\1a\xc0\x10", 4);
    record(&p, "\1a\4test", 8, 5, "\xc0\x0c", 2);
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_int_equal(answer.found, 0);
    /* Pointers to themselves, forward, and before the first name. */
    begin(&p, 0x8180, 1);
    second = p.len;
    record(&p, "\xc0\x1a", 2, 1, "\x0a\0\0\x09", 4);
    p.data[second + 1] = (uint8_t)second;
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_int_equal(answer.found, 0);
    p.data[second + 1] = (uint8_t)(second + 2);
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_int_equal(answer.found, 0);
    p.data[second + 1] = 3;
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_int_equal(answer.found, 0);
    begin(&p, 0x8180, 1);
    record(&p, QUESTION, 1, "\x0a\0\0", 3);
    assert_int_equal(parse(&answer, &p, false), KM_ERR_PROTOCOL);
}

/* Cut anywhere: refused as a whole, but for the beginning of a longer message, which gives what is inside. */
static void test_cut(void **state)
{
    struct km_dns_answer answer;
    struct packet p;
    size_t whole;

    (void)state;
    ask("api.test", KM_DNS_AAAA);
    begin(&p, 0x8180, 4);
    for (int i = 0; i < 4; i++)
        record(&p, QUESTION, 28, "0123456789abcdef", 16);
    whole = p.len;
    for (p.len = 0; p.len < whole; p.len++) {
        assert_int_equal(parse(&answer, &p, false), KM_ERR_PROTOCOL);
        assert_int_equal(found_count, 0);
        if (p.len < query_len)
            assert_int_equal(parse(&answer, &p, true), KM_ERR_PROTOCOL);
        else
            assert_int_equal(parse(&answer, &p, true), KM_OK);
        assert_int_equal(found_count, p.len < query_len ? 0 : (p.len - query_len) / 28);
    }
}

/* Random damage: any verdict, no byte read beyond the end, no endless walk. */
static void test_damage(void **state)
{
    struct km_dns_answer answer;
    struct packet p, broken;
    uint32_t random = 5;

    (void)state;
    ask("api.test", KM_DNS_A);
    begin(&p, 0x8180, 5);
    record(&p, QUESTION, 5, "\1a\xc0\x10", 4);
    record(&p, "\1a\xc0\x10", 4, 5, "\1b\xc0\x10", 4);
    record(&p, "\1b\4test", 8, 1, "\x0a\0\0\x01", 4);
    record(&p, "\1b\xc0\x10", 4, 1, "\x0a\0\0\x02", 4);
    record(&p, QUESTION, 16, "text", 4);
    assert_int_equal(parse(&answer, &p, false), KM_OK);
    assert_int_equal(answer.found, 2);
    for (int i = 0; i < 20000; i++) {
        broken = p;
        for (int changes = 1 + i % 4; changes > 0; changes--) {
            random = random * 1664525u + 1013904223u;
            broken.data[query_len + (random >> 8) % (p.len - query_len)] = (uint8_t)(random >> 24);
        }
        if (i % 3 == 0)
            broken.data[7] = (uint8_t)(random >> 16);
        (void)parse(&answer, &broken, i % 2 == 0);
        assert_true(found_count <= 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_query), cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_aliases), cmocka_unit_test(test_cut),
                                       cmocka_unit_test(test_damage)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
