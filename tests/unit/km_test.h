/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a unit test includes: cmocka where there is one, else a small runner that understands the part of cmocka's interface
 * that the tests use. The runner serves the boards that ship (zig and musl, for which cmocka is not packaged): there the
 * tests run as the very code that goes on the device. No mocks: a test that needs some passes functions by pointer.
 */
#ifndef KM_TEST_H
#define KM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if defined(__has_include) && __has_include(<cmocka.h>) && !defined(KM_TEST_ALONE)
#include <cmocka.h>
#else

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
    int (*setup)(void **state);
    int (*teardown)(void **state);
    void *initial_state;
};

#define cmocka_unit_test(f) {#f, f, NULL, NULL, NULL}
#define cmocka_unit_test_setup(f, s) {#f, f, s, NULL, NULL}
#define cmocka_unit_test_teardown(f, t) {#f, f, NULL, t, NULL}
#define cmocka_unit_test_setup_teardown(f, s, t) {#f, f, s, t, NULL}
#define cmocka_unit_test_prestate(f, p) {#f, f, NULL, NULL, p}
#define cmocka_unit_test_prestate_setup_teardown(f, s, t, p) {#f, f, s, t, p}
#define cmocka_run_group_tests(tests, setup, teardown) \
    km_test_group(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
    cmocka_run_group_tests(tests, setup, teardown)

enum km_test_result { KM_TEST_RUN, KM_TEST_FAILED, KM_TEST_SKIPPED };
static jmp_buf km_test_end;

__attribute__((noreturn, format(printf, 3, 4), unused)) static void km_test_fail(const char *file,
                                                                                 int line,
                                                                                 const char *format,
                                                                                 ...)
{
    va_list args;
    va_start(args, format);
    printf("%s:%d: error: ", file, line);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    longjmp(km_test_end, KM_TEST_FAILED);
}

#define km_test_check(c, ...) ((c) ? (void)0 : km_test_fail(__FILE__, __LINE__, __VA_ARGS__))
#define km_test_number(x) ((unsigned long long)(x))
#define km_test_compare(a, op, b) \
    do { \
        unsigned long long km_a = km_test_number(a), km_b = km_test_number(b); \
        km_test_check(km_a op km_b, "%s %s %s: %#llx, %#llx", #a, #op, #b, km_a, km_b); \
    } while (0)
#define km_test_compare_text(a, op, b) \
    do { \
        const char *km_a = (a), *km_b = (b); \
        km_test_check(strcmp(km_a, km_b) op 0, "\"%s\" %s \"%s\"", km_a, #op, km_b); \
    } while (0)
#define assert_true(c) km_test_check((c), "%s", #c)
#define assert_false(c) km_test_check(!(c), "!(%s)", #c)
#define assert_null(p) km_test_check((p) == NULL, "%s is NULL", #p)
#define assert_non_null(p) km_test_check((p) != NULL, "%s is not NULL", #p)
#define assert_ptr_equal(a, b) km_test_check((a) == (b), "%s == %s", #a, #b)
#define assert_ptr_not_equal(a, b) km_test_check((a) != (b), "%s != %s", #a, #b)
#define assert_int_equal(a, b) km_test_compare(a, ==, b)
#define assert_int_not_equal(a, b) km_test_compare(a, !=, b)
#define assert_in_range(v, low, high) \
    do { \
        km_test_compare(v, >=, low); \
        km_test_compare(v, <=, high); \
    } while (0)
#define assert_string_equal(a, b) km_test_compare_text(a, ==, b)
#define assert_string_not_equal(a, b) km_test_compare_text(a, !=, b)
#define assert_memory_equal(a, b, n) \
    km_test_check(memcmp((a), (b), (n)) == 0, "%s and %s differ", #a, #b)
#define assert_memory_not_equal(a, b, n) \
    km_test_check(memcmp((a), (b), (n)) != 0, "%s and %s are the same", #a, #b)
#define fail() km_test_fail(__FILE__, __LINE__, "fail")
#define fail_msg(...) km_test_fail(__FILE__, __LINE__, __VA_ARGS__)
#define skip() longjmp(km_test_end, KM_TEST_SKIPPED)
#define print_message(...) ((void)printf(__VA_ARGS__))
#define print_error(...) ((void)printf(__VA_ARGS__))

static enum km_test_result km_test_one(const struct CMUnitTest *test, void **state)
{
    int result = setjmp(km_test_end);
    if (result != KM_TEST_RUN)
        return (enum km_test_result)result;
    if (test->setup != NULL && test->setup(state) != 0)
        km_test_fail(__FILE__, __LINE__, "the set-up failed");
    test->run(state);
    return KM_TEST_RUN;
}

/* cmocka's own words, so that one reader counts both. */
static int km_test_group(const struct CMUnitTest *tests, size_t count, int (*setup)(void **),
                         int (*teardown)(void **))
{
    static const char *const words[] = {"       OK ", "  FAILED  ", "  SKIPPED "};
    void *group_state = NULL;
    int failed = 0;

    setvbuf(stdout, NULL, _IONBF, 0);
    if (setup != NULL && setup(&group_state) != 0)
        return 1;
    for (size_t i = 0; i < count; i++) {
        void *state = tests[i].initial_state != NULL ? tests[i].initial_state : group_state;
        enum km_test_result result = km_test_one(&tests[i], &state);
        if (tests[i].teardown != NULL && tests[i].teardown(&state) != 0)
            result = KM_TEST_FAILED;
        printf("[%s] %s\n", words[result], tests[i].name);
        failed += result == KM_TEST_FAILED;
    }
    if (teardown != NULL && teardown(&group_state) != 0)
        failed++;
    return failed;
}

#endif
#endif
