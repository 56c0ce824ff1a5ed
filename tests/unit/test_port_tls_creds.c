/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdlib.h>

#include "kubemote/km_port.h"
#include "port/mbedtls/pem_priv.h"
#include "port/mbedtls/tls_priv.h"
#include "tests/unit/tls_creds_pem.h"

/* ---- PEM ---- */

static unsigned count_blocks(const char *text, size_t len)
{
    /* Of exactly its size, so that checkers see each byte read beyond it. */
    char *copy = malloc(len + 1);
    struct km_slice rest = {.ptr = copy, .len = len};
    struct km_pem pem;
    unsigned count = 0;

    memcpy(copy, text, len);
    while (km_pem_next(&rest, &pem))
        count++;
    free(copy);
    return count;
}

static void test_pem(void **state)
{
    static const char two[] =
        "text before\r\n-----BEGIN A-----\r\nYWJj\r\n-----END A-----\r\nbetween\n"
        "-----BEGIN B KEY-----\nZGVm\n-----END B KEY-----";
    struct km_slice rest = km_slice_of(two);
    struct km_pem pem;

    (void)state;
    assert_true(km_pem_next(&rest, &pem));
    assert_true(km_slice_eq_str(pem.label, "A"));
    assert_true(km_slice_eq_str(pem.body, "YWJj\r\n"));
    assert_true(km_pem_next(&rest, &pem));
    assert_true(km_slice_eq_str(pem.label, "B KEY"));
    assert_false(km_pem_next(&rest, &pem));
    for (size_t len = 0; len < sizeof two - 1; len++)
        assert_int_equal(count_blocks(two, len), len >= 53 ? 1 : 0);
    assert_int_equal(
        count_blocks("-----BEGIN A-----\n-----END B-----\n-----BEGIN A-----\n-----END A-----", 67),
        1);
    assert_int_equal(count_blocks(" -----BEGIN A-----\n-----END A-----\n", 35), 0);
    assert_int_equal(count_blocks("-----BEGIN A----\n-----END A-----\n", 33), 0);
}

/* ---- credentials ---- */

static int setup(const char *ca, const char *cert, const char *key, struct km_fault *fault)
{
    struct km_tls_creds creds = {
        .ca = km_slice_of(ca), .cert = km_slice_of(cert), .key = km_slice_of(key)};

    km_fault_clear(fault);
    return km_tls_setup(&creds, fault);
}

static void refused(const char *ca, const char *cert, const char *key, const char *words)
{
    const struct km_tls_gen *before = km_tls_gen_current();
    struct km_tls_stats was, is;
    struct km_fault fault;

    km_tls_stats(&was);
    assert_int_equal(setup(ca, cert, key, &fault), KM_ERR_CONFIG);
    if (strstr(fault.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fault.text, words);
    km_tls_stats(&is);
    assert_int_equal(was.arena_used, is.arena_used); /* nothing stays behind */
    assert_true(km_tls_gen_current() == before);     /* and what was there is still in use */
}

/* Where TLS stands on libc's heap, the same blocks take a few bytes more or less each time. */
static void assert_no_growth(const struct km_tls_stats *was, const struct km_tls_stats *is)
{
    assert_in_range(is->arena_used + 256, was->arena_used, was->arena_used + 512);
}

static void test_accepted(void **state)
{
    struct km_tls_stats first, last;
    struct km_fault fault;

    (void)state;
    assert_int_equal(setup(pem_ca, "", "", &fault), KM_OK);
    assert_int_equal(setup(pem_ca, pem_rsa_client, pem_rsa_key, &fault), KM_OK);
    assert_int_equal(setup(pem_ca, pem_client, pem_key8, &fault), KM_OK);
    assert_int_equal(setup(pem_ca, pem_client, pem_key, &fault), KM_OK);
    km_tls_stats(&first);
    for (int i = 0; i < 40; i++)
        assert_int_equal(setup(pem_ca, pem_client, pem_key, &fault), KM_OK);
    km_tls_stats(&last);
    assert_no_growth(&first, &last);
}

static void test_refused(void **state)
{
    static char many[8192];

    (void)state;
    refused(pem_ca, pem_client, pem_other_key, "do not belong together");
    refused(pem_ca, pem_client, pem_rsa_key, "do not belong together");
    refused(pem_ca, pem_client, "", "no client key");
    refused(pem_ca, "", pem_key, "no client certificate");
    refused(pem_ca, pem_client, pem_encrypted8, "encrypted");
    refused(pem_ca, pem_client, pem_encrypted1, "encrypted");
    refused(pem_ca, pem_client, pem_ed25519_key, "not understood");
    refused(pem_ca, pem_client, pem_client, "no private key");
    refused(pem_ca, pem_client, "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n",
            "base64");
    refused(pem_ca, pem_client, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            "not understood");
    refused(pem_ca, pem_key, pem_key, "no certificate in PEM form");
    refused(pem_ca, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", pem_key,
            "not understood");
    refused("nonsense", "", "", "no certificate in PEM form");
    refused(pem_constrained_ca, "", "",
            "no certificate that can be used (1 not understood, first with -0x2");
    many[0] = '\0';
    for (int i = 0; i < 12; i++)
        strcat(many, pem_client);
    refused(pem_ca, many, pem_key, "does not fit CONFIG_KM_TLS_OUT_BYTES");
}

/* Words name the file or the field that the caller read the text from. */
static void test_origins(void **state)
{
    struct km_tls_creds creds = {.ca = km_slice_of("nothing"),
                                 .cert = km_slice_of(pem_client),
                                 .key = km_slice_of(pem_other_key),
                                 .ca_name = "a:7: ca",
                                 .cert_name = "a:11: cert",
                                 .key_name = "a:12: key"};
    struct km_fault fault = {0};

    (void)state;
    assert_int_equal(km_tls_setup(&creds, &fault), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "a:7: ca: no certificate in PEM form");
    km_fault_clear(&fault);
    creds.ca = km_slice_of(pem_ca);
    assert_int_equal(km_tls_setup(&creds, &fault), KM_ERR_CONFIG);
    assert_non_null(strstr(fault.text, "a:12: key: client certificate and client key do not"));
    km_fault_clear(&fault);
    creds.cert = km_slice_of("nothing");
    assert_int_equal(km_tls_setup(&creds, &fault), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "a:11: cert: no certificate in PEM form");
}

/* Authorities that are not understood are left out, the others count. */
static void test_mixed_authorities(void **state)
{
    static char text[8192];
    struct km_fault fault;

    (void)state;
    snprintf(text, sizeof text, "%s%s%s", pem_constrained_ca, pem_ca, pem_ed25519_ca);
    assert_int_equal(setup(text, "", "", &fault), KM_OK);
}

/* As many authorities as the arena holds; more is an error by its name, and what was there stays. */
static void test_many_authorities(void **state)
{
    static char text[256 * sizeof pem_ca];
    const struct km_tls_gen *before;
    struct km_tls_stats was, is;
    struct km_fault fault;

    (void)state;
    for (int i = 0; i < 20; i++)
        strcat(text, pem_ca);
    assert_int_equal(setup(text, pem_client, pem_key, &fault), KM_OK);
    assert_int_equal(setup(pem_ca, "", "", &fault), KM_OK);
    before = km_tls_gen_current();
    km_tls_stats(&was);
    for (int i = 0; i < 230; i++)
        strcat(text, pem_ca);
#ifdef CONFIG_KM_LIBC_HEAP
    (void)before;
    (void)is;
    assert_int_equal(setup(text, "", "", &fault), KM_OK);
#else
    assert_int_equal(setup(text, "", "", &fault), KM_ERR_TLS_MEMORY);
    assert_non_null(strstr(fault.text, "CONFIG_KM_TLS_ARENA_BYTES"));
    km_tls_stats(&is);
    assert_int_equal(was.arena_used, is.arena_used);
    assert_true(km_tls_gen_current() == before);
#endif
    assert_int_equal(setup(pem_ca, "", "", &fault), KM_OK);
}

static void test_roots(void **state)
{
    struct km_tls_creds creds = {.ca_bundle_path = "/nonexistent/bundle"};
    mbedtls_x509_crt *found = NULL;
    char path[] = "/tmp/km_roots_XXXXXX";
    static char text[16384];
    struct km_fault fault = {0};
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(km_tls_setup(&creds, &fault), KM_ERR_CONFIG);
    assert_non_null(strstr(fault.text, "/nonexistent/bundle"));
    /* The one that is sought stands last, without an end of line; lines of any length before it. */
    memset(text, 'x', 3000);
    snprintf(text + 3000, sizeof text - 3000, "\n%s%s%s", pem_rsa_client, pem_client, pem_ca);
    text[strlen(text) - 1] = '\0';
    assert_int_equal(km_port_write(fd, text, strlen(text)), KM_OK);
    km_socket_close(fd);
    creds = (struct km_tls_creds){.ca = km_slice_of(pem_ca)}; /* which is its own issuer */
    assert_int_equal(km_tls_setup(&creds, &fault), KM_OK);
    assert_int_equal(km_tls_roots_find(path, &km_tls_gen_current()->ca, &found), 0);
    assert_non_null(found);
    assert_null(found->next);
    assert_int_equal(found->raw.len, km_tls_gen_current()->ca.raw.len);
    mbedtls_x509_crt_free(found);
    km_tls_free(found);
    found = NULL;
    text[3100] ^= 1; /* damage before it does not matter */
    assert_int_equal(km_port_file_replace(path, text, strlen(text) - 30),
                     KM_OK); /* cut: not found */
    assert_int_equal(km_tls_roots_find(path, &km_tls_gen_current()->ca, &found), 0);
    assert_null(found);
    assert_int_equal(km_port_file_replace(path, "", 0), KM_OK);
    assert_int_equal(km_tls_roots_find(path, &km_tls_gen_current()->ca, &found), 0);
    assert_null(found);
    (void)remove(path);
}

/* Any cut or damaged text is refused or taken, and leaves nothing behind. */
static void test_damage(void **state)
{
    static char cert[2048], key[512];
    struct km_tls_stats was, is;
    struct km_fault fault;
    uint32_t random = 3;

    (void)state;
    assert_int_equal(setup(pem_ca, "", "", &fault), KM_OK);
    km_tls_stats(&was);
    for (int i = 0; i < 300; i++) {
        snprintf(cert, sizeof cert, "%s", pem_client);
        snprintf(key, sizeof key, "%s", pem_key);
        random = random * 1664525u + 1013904223u;
        if (i % 2 == 0)
            cert[(random >> 8) % strlen(cert)] = (char)('A' + random % 26);
        else
            key[(random >> 8) % strlen(key)] = (char)('A' + random % 26);
        if (setup(pem_ca, cert, key, &fault) == KM_OK)
            assert_int_equal(setup(pem_ca, "", "", &fault), KM_OK);
        km_tls_stats(&is);
        assert_no_growth(&was, &is);
    }
}

static void test_open_needs_a_name(void **state)
{
    struct km_tls *tls;
    struct km_fault fault;
    char name[300];

    (void)state;
    assert_int_equal(setup(pem_ca, "", "", &fault), KM_OK);
    memset(name, 'a', sizeof name);
    name[256] = '\0';
    assert_int_equal(km_tls_open(&tls, 0, NULL), KM_ERR_ARG);
    assert_int_equal(km_tls_open(&tls, 0, ""), KM_ERR_ARG);
    assert_int_equal(km_tls_open(&tls, 0, name), KM_ERR_ARG);
    assert_null(tls);
}

static void test_as_many_links_as_slots(void **state)
{
    struct km_tls *links[CONFIG_KM_CONN_COUNT], *more;
    struct km_tls_stats stats;
    struct km_fault fault;

    (void)state;
    assert_int_equal(setup(pem_ca, "", "", &fault), KM_OK);
    for (int i = 0; i < CONFIG_KM_CONN_COUNT; i++)
        assert_int_equal(km_tls_open(&links[i], -1, "localhost"), KM_OK);
    km_tls_stats(&stats);
    assert_int_equal(stats.slots_used, CONFIG_KM_CONN_COUNT);
    assert_int_equal(km_tls_open(&more, -1, "localhost"), KM_ERR_FULL);
    assert_int_equal(setup(pem_ca, "", "", &fault), KM_OK);
    assert_int_equal(setup(pem_ca, "", "", &fault), KM_ERR_FULL); /* two generations at most */
    for (int i = 0; i < CONFIG_KM_CONN_COUNT; i++)
        km_tls_close(links[i]);
    km_tls_close(NULL);
    km_tls_stats(&stats);
    assert_int_equal(stats.slots_used, 0);
    assert_int_equal(setup(pem_ca, "", "", &fault), KM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pem),
                                       cmocka_unit_test(test_accepted),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_origins),
                                       cmocka_unit_test(test_mixed_authorities),
                                       cmocka_unit_test(test_many_authorities),
                                       cmocka_unit_test(test_roots),
                                       cmocka_unit_test(test_damage),
                                       cmocka_unit_test(test_open_needs_a_name),
                                       cmocka_unit_test(test_as_many_links_as_slots)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
