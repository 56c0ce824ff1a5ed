/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kubemote/km_base.h"
#include "kubemote/km_log.h"

static struct km_slice slice(const char *text)
{
    return km_slice_of(text);
}

static void test_strerror_is_total_and_distinct(void **state)
{
    (void)state;
    for (int err = 0; err >= KM_ERR_NOT_FOUND; err--) {
        assert_true(strcmp(km_strerror(err), "unknown error") != 0);
        for (int other = err - 1; other >= KM_ERR_NOT_FOUND; other--)
            assert_true(strcmp(km_strerror(err), km_strerror(other)) != 0);
    }
    assert_string_equal(km_strerror(KM_ERR_NOT_FOUND - 1), "unknown error");
    assert_string_equal(km_strerror(INT_MIN), "unknown error");
    assert_string_equal(km_strerror(5), "ok");
}

static void test_error_classes_do_not_overlap(void **state)
{
    (void)state;
    for (int err = 1; err >= KM_ERR_NOT_FOUND - 1; err--) {
        int classes = km_err_is_link(err) + km_err_is_hostile(err) + km_err_is_fatal(err);

        assert_true(classes <= 1);
        if (err >= KM_EOF)
            assert_int_equal(classes, 0);
    }
    assert_true(km_err_is_link(KM_ERR_RESET));
    assert_true(km_err_is_link(KM_ERR_CERT));
    assert_true(km_err_is_hostile(KM_ERR_PROTOCOL));
    assert_true(km_err_is_fatal(KM_ERR_CONFIG));
    assert_false(km_err_is_link(KM_ERR_STATUS));
}

static void test_fault_keeps_the_first_reason(void **state)
{
    struct km_fault fault;
    char text[400];

    (void)state;
    km_fault_clear(&fault);
    assert_int_equal(fault.code, KM_OK);
    assert_int_equal(km_fault_set(&fault, KM_ERR_IO, "line %d", 7), KM_ERR_IO);
    assert_int_equal(km_fault_set(&fault, KM_ERR_TLS, "later"), KM_ERR_TLS);
    assert_int_equal(fault.code, KM_ERR_IO);
    assert_string_equal(fault.text, "line 7");
    assert_int_equal(km_fault_set(NULL, KM_ERR_TLS, "nobody"), KM_ERR_TLS);

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    km_fault_clear(&fault);
    (void)km_fault_set(&fault, KM_ERR_IO, "%s", text);
    assert_int_equal((int)strlen(fault.text), (int)sizeof fault.text - 1);
}

static void test_slice_compare_and_trim(void **state)
{
    (void)state;
    assert_int_equal((int)slice(NULL).len, 0);
    assert_true(km_slice_eq(slice(NULL), slice("")));
    assert_true(km_slice_eq(slice("ab"), slice("ab")));
    assert_false(km_slice_eq(slice("ab"), slice("abc")));
    assert_false(km_slice_eq(slice("ab"), slice("aB")));
    assert_true(km_slice_eq_str(slice("x"), "x"));
    assert_false(km_slice_eq_str(slice("x"), ""));
    assert_true(km_slice_eq_nocase(slice("Content-LENGTH"), "content-length"));
    assert_false(km_slice_eq_nocase(slice("a["), "a{")); /* not letters: bit 5 must not matter */
    assert_false(km_slice_eq_nocase(slice("\xc4"), "\xe4"));
    assert_true(km_slice_eq_str(km_slice_trim(slice(" \t a b\t ")), "a b"));
    assert_int_equal((int)km_slice_trim(slice(" \t ")).len, 0);
    assert_true(km_slice_eq_str(km_slice_trim(slice("\na\r")), "\na\r"));
}

static void test_slice_to_u64(void **state)
{
    uint64_t value = 1;

    (void)state;
    assert_int_equal(km_slice_to_u64(slice("0"), &value), KM_OK);
    assert_true(value == 0);
    assert_int_equal(km_slice_to_u64(slice("007"), &value), KM_OK);
    assert_true(value == 7);
    assert_int_equal(km_slice_to_u64(slice("18446744073709551615"), &value), KM_OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(km_slice_to_u64(slice("18446744073709551616"), &value), KM_ERR_TOO_LONG);
    assert_int_equal(km_slice_to_u64(slice("99999999999999999999999"), &value), KM_ERR_TOO_LONG);
    assert_int_equal(km_slice_to_u64(slice("99999999999999999999999x"), &value), KM_ERR_SYNTAX);
    assert_int_equal(km_slice_to_u64(slice(""), &value), KM_ERR_SYNTAX);
    assert_int_equal(km_slice_to_u64(slice("+1"), &value), KM_ERR_SYNTAX);
    assert_int_equal(km_slice_to_u64(slice("-1"), &value), KM_ERR_SYNTAX);
    assert_int_equal(km_slice_to_u64(slice(" 1"), &value), KM_ERR_SYNTAX);
    assert_int_equal(km_slice_to_u64(slice("1:"), &value), KM_ERR_SYNTAX);
    assert_true(value == UINT64_MAX);
}

static void test_slice_copy(void **state)
{
    char out[4] = "zzz";

    (void)state;
    assert_int_equal(km_slice_copy(slice("abc"), out, sizeof out), KM_OK);
    assert_string_equal(out, "abc");
    assert_int_equal(km_slice_copy(slice("abcd"), out, sizeof out), KM_ERR_TOO_LONG);
    assert_string_equal(out, "");
    assert_int_equal(km_slice_copy(slice(""), out, 1), KM_OK);
    assert_int_equal(km_slice_copy(slice(""), out, 0), KM_ERR_TOO_LONG);
}

/* Every capacity against every cut of a text: what stands is a prefix of whole calls, always
   terminated. */
static void test_buf_bounds(void **state)
{
    static const char *const words[] = {"", "a", "bc", "def", "", "ghij"};
    char data[16];

    (void)state;
    for (size_t size = 0; size <= sizeof data; size++) {
        struct km_buf buf;
        char want[16] = "";
        bool overflow = false;

        memset(data, '#', sizeof data);
        km_buf_init(&buf, data, size);
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            km_buf_puts(&buf, words[i]);
            if (words[i][0] != '\0' && strlen(want) + strlen(words[i]) + 1 > size)
                overflow = true;
            if (!overflow)
                strcat(want, words[i]);
        }
        assert_true(buf.overflow == overflow);
        assert_true(km_slice_eq_str(km_buf_slice(&buf), want));
        if (size > 0)
            assert_string_equal(data, want);
        for (size_t i = size; i < sizeof data; i++)
            assert_int_equal(data[i], '#');
    }
}

static void test_buf_numbers_and_printf(void **state)
{
    char data[128];
    struct km_buf buf;

    (void)state;
    km_buf_init(&buf, data, sizeof data);
    km_buf_put_u64(&buf, 0);
    km_buf_putc(&buf, ' ');
    km_buf_put_u64(&buf, UINT64_MAX);
    km_buf_putc(&buf, ' ');
    km_buf_put_i64(&buf, INT64_MIN);
    km_buf_putc(&buf, ' ');
    km_buf_put_i64(&buf, -7);
    km_buf_printf(&buf, " %s=%d", "x", 5);
    assert_string_equal(data, "0 18446744073709551615 -9223372036854775808 -7 x=5");
    assert_false(buf.overflow);

    km_buf_init(&buf, data, 6);
    km_buf_printf(&buf, "%s", "12345");
    assert_false(buf.overflow);
    km_buf_printf(&buf, "%s", "");
    assert_false(buf.overflow);
    km_buf_printf(&buf, "%c", '6');
    assert_true(buf.overflow);
    assert_string_equal(data, "12345");
    km_buf_reset(&buf);
    assert_false(buf.overflow);
    km_buf_printf(&buf, "%s", "123456");
    assert_true(buf.overflow);
    assert_string_equal(data, "");
    km_buf_puts(&buf, "a");
    assert_string_equal(data, "");
}

static void test_hash_depends_on_seed_and_spreads(void **state)
{
    uint32_t places[64] = {0};
    char key[16];

    (void)state;
    assert_true(km_hash(slice("a"), 1) != km_hash(slice("a"), 2));
    assert_true(km_hash(slice("a"), 1) == km_hash(slice("a"), 1));
    assert_true(km_hash(slice("ab"), 1) != km_hash(slice("ba"), 1));
    for (int i = 0; i < 6400; i++) {
        (void)snprintf(key, sizeof key, "pod-%d", i);
        places[km_hash(slice(key), 12345) % 64]++;
    }
    for (size_t i = 0; i < 64; i++)
        assert_true(places[i] > 40 && places[i] < 200);
}

static void test_bitmap(void **state)
{
    uint32_t words[KM_BITMAP_WORDS(70)] = {0};

    (void)state;
    assert_int_equal(KM_BITMAP_WORDS(64), 2);
    assert_int_equal(KM_BITMAP_WORDS(65), 3);
    for (uint32_t i = 0; i < 70; i += 3)
        km_bit_set(words, i);
    for (uint32_t i = 0; i < 70; i++)
        assert_true(km_bit_get(words, i) == (i % 3 == 0));
    for (uint32_t i = 0; i < 70; i += 2)
        km_bit_clear(words, i);
    for (uint32_t i = 0; i < 70; i++)
        assert_true(km_bit_get(words, i) == (i % 3 == 0 && i % 2 != 0));
}

static void test_ring_against_a_model(void **state)
{
    uint16_t items[5], model[5], next = 0, item = 0;
    size_t count = 0;
    struct km_ring ring;
    struct km_rng rng;

    (void)state;
    km_rng_seed(&rng, 1);
    km_ring_init(&ring, items, 5);
    for (int i = 0; i < 5000; i++) {
        if (km_rng_u32(&rng) % 2 == 0) {
            assert_int_equal(km_ring_put(&ring, next), count < 5 ? KM_OK : KM_ERR_FULL);
            if (count < 5)
                model[count++] = next;
            next++;
        } else if (count == 0) {
            assert_int_equal(km_ring_take(&ring, &item), KM_AGAIN);
        } else {
            assert_int_equal(km_ring_take(&ring, &item), KM_OK);
            assert_int_equal(item, model[0]);
            memmove(model, model + 1, --count * sizeof model[0]);
        }
        assert_int_equal(ring.count, (int)count);
    }
}

static void test_pools_and_counters(void **state)
{
    static struct km_pool a = {.name = "a", .size = 4}, b = {.name = "b", .size = 1};
    static struct km_counter x = {.name = "x_total"}, y = {.name = "y_total"};

    (void)state;
    km_pool_register(&a);
    km_pool_register(&b);
    km_pool_register(&a);
    assert_true(km_pool_first() == &a && a.next == &b && b.next == NULL);
    km_pool_take(&a, 3);
    km_pool_give(&a, 1);
    km_pool_refuse(&a);
    assert_int_equal(a.used, 2);
    assert_int_equal(a.max, 3);
    assert_int_equal(a.refused, 1);
    km_pool_give(&a, 9);
    assert_int_equal(a.used, 0);
    km_counter_register(&x);
    km_counter_register(&y);
    km_counter_register(&y);
    assert_true(km_counter_first() == &x && x.next == &y && y.next == NULL);
}

/* ---- the log front ---- */

static struct km_log_record seen;
static int seen_count;

static void remember(void *ctx, const struct km_log_record *record)
{
    assert_true(ctx == &seen_count);
    seen = *record;
    seen_count++;
    KM_INFO("A sink that logs must not call itself", KM_I("depth", 2));
}

static void test_log_front(void **state)
{
    const struct km_log_sink sink = {.write = remember, .ctx = &seen_count, .verbosity = 2};

    (void)state;
    km_log_set_sink(NULL);
    KM_INFO("Dropped", KM_S("k", "v"));
    assert_false(km_log_enabled(0));
    assert_int_equal(seen_count, 0);
    km_log_set_sink(&sink);
    assert_true(km_log_enabled(2));
    assert_false(km_log_enabled(3));
    KM_V(3, "Dropped", KM_S("k", "v"));
    assert_int_equal(seen_count, 0);
    KM_V(2, "Kept", KM_S("k", "v"));
    assert_int_equal(seen_count, 1);
    assert_int_equal(seen.severity, 'I');
    KM_ERROR("Failed", "because", KM_S("k", "v"), KM_B("b", true), KM_OBJ("o", "ns", "name"));
    assert_int_equal(seen_count, 2);
    assert_int_equal(seen.severity, 'E');
    assert_string_equal(seen.message, "Failed");
    assert_string_equal(seen.err, "because");
    assert_int_equal((int)seen.pair_count, 3);
    km_log_set_sink(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strerror_is_total_and_distinct),
        cmocka_unit_test(test_error_classes_do_not_overlap),
        cmocka_unit_test(test_fault_keeps_the_first_reason),
        cmocka_unit_test(test_slice_compare_and_trim),
        cmocka_unit_test(test_slice_to_u64),
        cmocka_unit_test(test_slice_copy),
        cmocka_unit_test(test_buf_bounds),
        cmocka_unit_test(test_buf_numbers_and_printf),
        cmocka_unit_test(test_hash_depends_on_seed_and_spreads),
        cmocka_unit_test(test_bitmap),
        cmocka_unit_test(test_ring_against_a_model),
        cmocka_unit_test(test_pools_and_counters),
        cmocka_unit_test(test_log_front),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
