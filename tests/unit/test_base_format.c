/* SPDX-License-Identifier: Apache-2.0 */
/* km_format against libc's snprintf. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "km_test.h"
#include "kubemote/km_base.h"

#pragma GCC diagnostic ignored "-Wformat-truncation"

#define SAME(...) \
    do { \
        char ours_[128], theirs_[128]; \
        for (size_t size_ = 0; size_ <= sizeof ours_; size_ += size_ < 12 ? 1 : 58) { \
            memset(ours_, '#', sizeof ours_); \
            memset(theirs_, '#', sizeof theirs_); \
            int len_ = km_format(ours_, size_, __VA_ARGS__); \
            assert_int_equal(len_, snprintf(theirs_, size_, __VA_ARGS__)); \
            assert_memory_equal(ours_, theirs_, sizeof ours_); \
        } \
    } while (0)

static void texts_and_letters(void **state)
{
    (void)state;
    SAME("nothing to convert");
    SAME("%s", "");
    SAME("[%s] and [%s]", "one", "another");
    SAME("[%10s] [%-10s] [%2s]", "right", "left", "over");
    SAME("[%.3s] [%.0s] [%10.2s] [%-10.2s]", "precise", "gone", "both", "both");
    SAME("[%*s] [%-*s] [%*s]", 8, "star", 8, "star", -8, "left");
    SAME("[%.*s] [%.*s]", 2, "star", -1, "negative is none");
    SAME("%c%c [%3c] [%-3c]", 'a', '\n', 'b', 'c');
    SAME("100%% of %s%%", "it");
}

static void numbers(void **state)
{
    static const int64_t values[] = {0,        1,       -1,      9,        10,        -10,      99,
                                     12345678, INT_MAX, INT_MIN, UINT_MAX, INT64_MAX, INT64_MIN};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int n = (int)values[i];
        long l = (long)values[i];
        long long q = values[i];
        SAME("%d %i %u %x %X", n, n, (unsigned)n, (unsigned)n, (unsigned)n);
        SAME("[%5d] [%-5d] [%05d] [%+d] [%+03ld]", n, n, n, n, l);
        SAME("[%02x] [%08lX] [%-12x] [%12u]", (unsigned)n, (unsigned long)l, (unsigned)n,
             (unsigned)n);
        SAME("[%ld] [%lu] [%lld] [%llu] [%llx]", l, (unsigned long)l, q, (unsigned long long)q,
             (unsigned long long)q);
        SAME("[%zu] [%zd] [%jd] [%" PRIx64 "]", (size_t)values[i], (ssize_t)values[i],
             (intmax_t)values[i], (uint64_t)values[i]);
        SAME("[%030lld] [%*d]", q, 12, n);
    }
    SAME("%p", (void *)&numbers);
}

static void null_text(void **state)
{
    char text[16];
    const char *volatile nothing = NULL;

    (void)state;
    assert_int_equal(km_format(text, sizeof text, "%s", nothing), 6);
    assert_string_equal(text, "(null)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_letters),
        cmocka_unit_test(numbers),
        cmocka_unit_test(null_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
