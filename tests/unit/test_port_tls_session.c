/* SPDX-License-Identifier: Apache-2.0 */
/* How long a session is used again, and for what. The clock is the test's own. */
#include "km_test.h"

#include "kubemote/km_port.h"
#include "port/mbedtls/alloc_priv.h"
#include "port/mbedtls/tls_priv.h"
#include "tests/unit/tls_creds_pem.h"

#define START_S 1800000000
#define WEEK_S 604800

static int64_t now_ms = 1000, wall_s = START_S;

int64_t km_port_now_ms(void)
{
    return now_ms;
}

int64_t km_port_wall_us(void)
{
    return wall_s * 1000000;
}

static void set_up(void)
{
    struct km_tls_creds creds = {.ca = km_slice_of(pem_ca)};
    struct km_fault fault = {0};

    assert_int_equal(km_tls_setup(&creds, &fault), KM_OK);
}

static struct km_tls *open_link(const char *name)
{
    struct km_tls *tls;

    assert_int_equal(km_tls_open(&tls, -1, name), KM_OK);
    return tls;
}

/* As after a handshake and a ticket of the server. */
static void keep(const char *name, bool tls13, uint32_t lifetime_s, size_t ticket_len)
{
    struct km_tls *tls = open_link(name);
    mbedtls_ssl_session *session = km_tls_calloc(1, sizeof *session);
    unsigned char *ticket = km_tls_calloc(1, ticket_len);

    mbedtls_ssl_session_init(session);
    session->MBEDTLS_PRIVATE(tls_version) =
        tls13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
    session->MBEDTLS_PRIVATE(ciphersuite) =
        tls13 ? MBEDTLS_TLS1_3_AES_128_GCM_SHA256 : MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
    session->MBEDTLS_PRIVATE(ticket_lifetime) = lifetime_s;
    session->MBEDTLS_PRIVATE(ticket) = ticket;
    session->MBEDTLS_PRIVATE(ticket_len) = ticket_len;
    tls->ssl.MBEDTLS_PRIVATE(session) = session;
    tls->ssl.MBEDTLS_PRIVATE(tls_version) = session->MBEDTLS_PRIVATE(tls_version);
    tls->valid_until_s = START_S + 10 * WEEK_S;
    km_tls_session_keep(tls);
    km_tls_close(tls);
}

static bool is_offered(const char *name)
{
    struct km_tls *tls = open_link(name);
    bool offered = tls->resuming;

    km_tls_close(tls);
    return offered;
}

static void test_lifetime(void **state)
{
    static const struct {
        bool tls13;
        uint32_t lifetime_s;
        int64_t used_s; /* so long it is offered */
    } cases[] = {{true, 100, 100},  {true, 0, 0},       {true, UINT32_MAX, WEEK_S},
                 {false, 100, 100}, {false, 0, WEEK_S}, {false, 2 * WEEK_S, WEEK_S}};

    (void)state;
    set_up();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        keep("localhost", cases[i].tls13, cases[i].lifetime_s, 64);
        now_ms += cases[i].used_s * 1000;
        if (cases[i].used_s > 0) {
            now_ms--;
            assert_true(is_offered("localhost"));
            now_ms++;
        }
        assert_false(is_offered("localhost"));
        now_ms -= cases[i].used_s * 1000;
        assert_false(is_offered("localhost")); /* gone for good */
    }
}

/* Not beyond the end of the certificate that was checked once. */
static void test_certificate_ends(void **state)
{
    (void)state;
    set_up();
    keep("localhost", true, WEEK_S, 64);
    wall_s = START_S + 10 * WEEK_S;
    assert_true(is_offered("localhost"));
    wall_s++;
    assert_false(is_offered("localhost"));
    wall_s = START_S;
}

static void test_belongs_to_name_and_credentials(void **state)
{
    (void)state;
    set_up();
    keep("localhost", true, 100, 64);
    assert_false(is_offered("otherhost"));
    assert_true(is_offered("localhost"));
    set_up();
    assert_false(is_offered("localhost"));
}

/* A connection of the credentials before must not bring its identity back. */
static void test_old_credentials(void **state)
{
    struct km_tls *old;

    (void)state;
    set_up();
    old = open_link("localhost");
    set_up();
    assert_true(old->gen != km_tls_gen_current());
    old->ssl.MBEDTLS_PRIVATE(session) = km_tls_calloc(1, sizeof(mbedtls_ssl_session));
    km_tls_session_keep(old);
    assert_false(is_offered("localhost"));
    km_tls_close(old);
}

/* One that would not fit a ClientHello is not kept, and what was kept before is no longer used. */
static void test_too_large(void **state)
{
    uint32_t before = km_tls_sessions_dropped();

    (void)state;
    set_up();
    keep("localhost", true, 100, 64);
    keep("localhost", true, 100, CONFIG_KM_TLS_SESSION_BYTES);
    assert_false(is_offered("localhost"));
    assert_int_equal(km_tls_sessions_dropped(), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifetime), cmocka_unit_test(test_certificate_ends),
        cmocka_unit_test(test_belongs_to_name_and_credentials),
        cmocka_unit_test(test_old_credentials), cmocka_unit_test(test_too_large)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
