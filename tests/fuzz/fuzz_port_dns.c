/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a name server's answer. What must hold: only addresses are found, and as many as are counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/posix/dns_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned found;

static void check(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "fuzz_port_dns: %s\n", what);
    abort();
}

static void count(void *ctx, const struct km_addr *addr)
{
    (void)ctx;
    check(addr->family == 4 || addr->family == 6, "an address of no family");
    found++;
}

static void parse(const uint8_t *data, size_t size, bool partial, const uint8_t *query,
                  size_t query_len)
{
    struct km_dns_answer answer;
    /* Of its exact size on the heap, so that a byte read behind it is seen. */
    uint8_t *copy = malloc(size > 0 ? size : 1);

    check(copy != NULL, "no memory");
    if (size > 0)
        memcpy(copy, data, size);
    found = 0;
    int err = km_dns_parse(&answer, copy, size, partial, query, query_len, count, NULL);
    free(copy);
    check(err == KM_OK || err == KM_ERR_PROTOCOL, "another code");
    check(err != KM_OK || answer.found == found, "the count");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t query[KM_DNS_QUERY_SIZE];
    int len = km_dns_query(query, 0x1234, "api.example.org", size > 0 && (data[0] & 1) ? 28 : 1);

    check(len > 0, "no query");
    parse(data, size, true, query, (size_t)len);
    parse(data, size, false, query, (size_t)len);
    return 0;
}
