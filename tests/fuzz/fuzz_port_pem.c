/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as CA, certificate and key: three texts with a NUL between. What must hold: a refusal has words, and leaves the
 * credentials that were in use in place; blocks lie inside their text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_port.h"
#include "port/mbedtls/pem_priv.h"
#include "port/mbedtls/tls_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "fuzz_port_pem: %s\n", what);
    abort();
}

/* Up to the next NUL or the end; moves *rest behind it. */
static struct km_slice take(struct km_slice *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\0', rest->len) : NULL;
    struct km_slice part = {rest->ptr, end != NULL ? (size_t)(end - rest->ptr) : rest->len};
    size_t used = part.len + (end != NULL ? 1 : 0);

    *rest = (struct km_slice){rest->ptr + used, rest->len - used};
    return part;
}

static void check_blocks(struct km_slice text)
{
    struct km_slice rest = text;
    struct km_pem pem;

    while (km_pem_next(&rest, &pem)) {
        check(pem.body.ptr >= text.ptr && pem.body.ptr + pem.body.len <= text.ptr + text.len,
              "a block outside the text");
        check(pem.label.ptr >= text.ptr && pem.label.ptr + pem.label.len <= pem.body.ptr,
              "a label outside the text");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct km_tls_gen *before = km_tls_gen_current();
    struct km_slice rest = {(const char *)data, size};
    struct km_fault fault = {0};
    struct km_tls_creds creds = {0};

    check_blocks(rest);
    creds.ca = take(&rest);
    creds.cert = take(&rest);
    creds.key = take(&rest);
    int err = km_tls_setup(&creds, &fault);
    if (err != KM_OK) {
        check(fault.text[0] != '\0', "a refusal without words");
        check(km_tls_gen_current() == before, "a refusal that changed the credentials");
    }
    return 0;
}
