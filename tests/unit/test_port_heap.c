/* SPDX-License-Identifier: Apache-2.0 */
/* The start-up heap under other names, so that it can be tested beside whatever heap the board has. */
#include "km_test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kubemote/km_port.h"

#undef CONFIG_KM_LIBC_HEAP
#undef CONFIG_KM_HEAP_BYTES
#define CONFIG_KM_HEAP_BYTES 65536
#define malloc t_malloc
#define calloc t_calloc
#define realloc t_realloc
#define free t_free
#define aligned_alloc t_aligned_alloc
#define memalign t_memalign
#define posix_memalign t_posix_memalign
#define malloc_usable_size t_malloc_usable_size
#define km_heap_strdup t_strdup
#define km_heap_stats t_stats
#define km_port_seal t_seal
#define km_port_seal_pass t_seal_pass
void *t_malloc(size_t size);
void *t_calloc(size_t count, size_t size);
void *t_realloc(void *block, size_t size);
void t_free(void *block);
void *t_aligned_alloc(size_t align, size_t size);
int t_posix_memalign(void **out, size_t align, size_t size);
#include "port/posix/heap.c"

static uint32_t live(void)
{
    struct km_heap_stats now;

    t_stats(&now);
    return now.live;
}

static void test_take_and_give(void **state)
{
    char *a, *b, *text;
    void *aligned;

    (void)state;
    a = t_malloc(100);
    b = t_malloc(200);
    assert_true((uintptr_t)a % 16 == 0 && (uintptr_t)b % 16 == 0);
    assert_true(b >= a + 100);
    assert_int_equal(t_malloc_usable_size(b), 200);
    memset(a, 'a', 100);
    memset(b, 'b', 200);
    assert_int_equal(a[99], 'a');
    text = t_strdup("start-up");
    assert_string_equal(text, "start-up");
    aligned = t_aligned_alloc(256, 10);
    assert_true((uintptr_t)aligned % 256 == 0);
    assert_int_equal(t_posix_memalign(&aligned, 3, 10), EINVAL);
    assert_int_equal(live(), 4);
    t_free(a);
    t_free(aligned);
    t_free(b);
    t_free(text);
    t_free(NULL);
    assert_int_equal(live(), 0);
    assert_int_equal(fill, 0); /* all of it can be used again */
    assert_true(last == NO_BLOCK);
}

static void test_resize(void **state)
{
    char *a = t_malloc(10), *b;

    (void)state;
    memcpy(a, "0123456789", 10);
    assert_true(t_realloc(a, 1000) == a); /* the last block grows in place */
    b = t_malloc(1);
    assert_memory_equal(a, "0123456789", 10);
    assert_true(t_realloc(a, 20) == a);
    a = t_realloc(a, 5000);
    assert_memory_equal(a, "0123456789", 10);
    assert_null(t_realloc(a, 1 << 20));
    t_free(b);
    t_free(a);
    assert_int_equal(live(), 0);
    a = t_calloc(10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(a[i], 0);
    t_free(a);
    assert_null(t_calloc(SIZE_MAX, 2));
}

static void test_full(void **state)
{
    struct km_heap_stats now;

    (void)state;
    assert_null(t_malloc(CONFIG_KM_HEAP_BYTES));
    assert_null(t_malloc(SIZE_MAX));
    assert_null(t_aligned_alloc(SIZE_MAX / 2 + 1, 1));
    t_stats(&now);
    assert_true(now.refused >= 3);
    assert_int_equal(live(), 0);
}

/* Random calls against what each block must hold. */
static void test_model(void **state)
{
    static char *blocks[32];
    static size_t sizes[32];
    uint32_t random = 7;

    (void)state;
    for (int step = 0; step < 20000; step++) {
        size_t slot, size;

        random = random * 1664525u + 1013904223u;
        slot = random >> 27;
        size = (random >> 8) % 1200;
        for (size_t i = 0; blocks[slot] != NULL && i < sizes[slot]; i++)
            assert_int_equal((uint8_t)blocks[slot][i], slot);
        if (blocks[slot] != NULL && (random & 1) != 0) {
            t_free(blocks[slot]);
            blocks[slot] = NULL;
        } else {
            char *moved = t_realloc(blocks[slot], size);

            if (moved != NULL) {
                blocks[slot] = moved;
                sizes[slot] = size;
                memset(moved, (int)slot, size);
            }
        }
    }
    for (int i = 0; i < 32; i++)
        t_free(blocks[i]);
    assert_int_equal(live(), 0);
    assert_int_equal(fill, 0);
}

/* What the call does after the seal, in a child: its last words and how it died. */
static bool dies(void (*call)(void), const char *words)
{
    char text[256] = "";
    int fds[2], status = 0;
    ssize_t len;
    pid_t child;

    if (pipe(fds) != 0)
        return false;
    child = fork();
    if (child == 0) {
        dup2(fds[1], 2);
        if (t_seal() == KM_OK)
            call();
        _exit(0);
    }
    close(fds[1]);
    len = read(fds[0], text, sizeof text - 1);
    close(fds[0]);
    waitpid(child, &status, 0);
    return len > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
           strstr(text, words) != NULL;
}

static void call_malloc(void)
{
    (void)!t_malloc(77);
}

static void call_realloc(void)
{
    (void)!t_realloc(NULL, 5);
}

static void call_strdup(void)
{
    (void)!t_strdup("x");
}

static void call_nothing(void)
{
    t_free(NULL);
}

static void test_seal(void **state)
{
    void *block = t_malloc(1);

    (void)state;
    assert_int_equal(t_seal(), KM_ERR_ARG); /* something is still in use */
    assert_non_null(t_malloc(1));           /* and nothing is sealed */
    assert_int_equal(live(), 2);
    t_free(region + offset_of(block) + sizeof(struct head));
    t_free(region + last + sizeof(struct head));
    assert_int_equal(live(), 0);
    assert_true(dies(call_malloc, "malloc (77 bytes) after the seal"));
    assert_true(dies(call_realloc, "realloc (5 bytes)"));
    assert_true(dies(call_strdup, "strdup (2 bytes)"));
    assert_false(dies(call_nothing, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_take_and_give),
                                       cmocka_unit_test(test_resize), cmocka_unit_test(test_full),
                                       cmocka_unit_test(test_model), cmocka_unit_test(test_seal)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
