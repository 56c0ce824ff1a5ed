/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "km_heap.h"
#include "kubemote/km_port.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif

static bool sealed;
static int passes;

#if !defined(CONFIG_KM_LIBC_HEAP) || defined(UNDER_ASAN)
/* Names the call and stops: the message must come out without any allocation. */
static void refuse_sealed(const char *call, size_t size, const void *caller)
{
    char line[128];
    int len = km_format(line, sizeof line, "kubemote: %s (%lu bytes) after the seal, from %p\n",
                        call, (unsigned long)size, caller);
    ssize_t ignored;

    sealed = false; /* abort() and the handlers of checkers may allocate */
    ignored = write(2, line, len > 0 ? (size_t)len : 0);
    (void)ignored;
    abort();
}
#endif

void km_port_seal_pass(int delta)
{
    passes += delta;
}

#ifdef CONFIG_KM_LIBC_HEAP

#ifdef UNDER_ASAN
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));

static void on_malloc(const volatile void *block, size_t size)
{
    (void)block;
    if (sealed && passes == 0)
        refuse_sealed("malloc", size, __builtin_return_address(0));
}

static void on_free(const volatile void *block)
{
    if (sealed && passes == 0 && block != NULL)
        refuse_sealed("free", 0, __builtin_return_address(0));
}
#endif

int km_port_seal(void)
{
#ifdef UNDER_ASAN
    static bool installed;

    if (!installed && __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) == 0)
        return KM_ERR_IO;
    installed = true;
#endif
    sealed = true;
    return KM_OK;
}

void km_heap_stats(struct km_heap_stats *out)
{
    memset(out, 0, sizeof *out);
}

char *km_heap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

#else

#define ALIGN 16u
#define NO_BLOCK UINT32_MAX

/*
 * A bump region: blocks stand one after another, each behind its head. The last block grows, shrinks and goes in place, and
 * takes freed ones before it along; holes further down are not filled, since all of it goes at the seal.
 */
struct head {
    uint32_t size;   /* as asked */
    uint32_t before; /* fill of the region before this block */
    uint32_t prev;   /* offset of the block before, NO_BLOCK for the first */
    uint32_t live;
};

static _Alignas(4096) uint8_t region[CONFIG_KM_HEAP_BYTES] KM_POOL_STORAGE(startup_heap);
static uint32_t fill, last = NO_BLOCK;
static struct km_heap_stats stats = {.size = CONFIG_KM_HEAP_BYTES};

static struct head *head_at(uint32_t offset)
{
    return (struct head *)(void *)(region + offset);
}

static uint32_t offset_of(const void *block)
{
    return (uint32_t)((const uint8_t *)block - region) - (uint32_t)sizeof(struct head);
}

static uint32_t end_of(uint32_t offset, size_t size)
{
    return (uint32_t)((offset + sizeof(struct head) + size + ALIGN - 1) & ~(size_t)(ALIGN - 1));
}

static bool is_aligned(size_t align)
{
    return align != 0 && (align & (align - 1)) == 0;
}

static void *take(size_t align, size_t size)
{
    uintptr_t base = (uintptr_t)region, at;
    uint32_t offset;

    if (size > sizeof region || align > sizeof region)
        goto full;
    if (align < ALIGN)
        align = ALIGN;
    at = (base + fill + sizeof(struct head) + align - 1) & ~(uintptr_t)(align - 1);
    if (at - base > sizeof region || size > sizeof region - (at - base))
        goto full;
    offset = (uint32_t)(at - base - sizeof(struct head));
    *head_at(offset) =
        (struct head){.size = (uint32_t)size, .before = fill, .prev = last, .live = 1};
    last = offset;
    fill = end_of(offset, size);
    if (fill > stats.max)
        stats.max = fill;
    stats.live++;
    return region + offset + sizeof(struct head);
full:
    stats.refused++;
    stats.refused_bytes = (uint32_t)(size < UINT32_MAX ? size : UINT32_MAX);
    errno = ENOMEM;
    return NULL;
}

static void give(void *block)
{
    uint32_t offset = offset_of(block);

    if (offset >= sizeof region || head_at(offset)->live != 1)
        refuse_sealed("free of what was not allocated", 0, block);
    head_at(offset)->live = 0;
    stats.live--;
    while (last != NO_BLOCK && head_at(last)->live == 0) {
        fill = head_at(last)->before;
        last = head_at(last)->prev;
    }
}

static void *resize(void *block, size_t size)
{
    uint32_t offset = offset_of(block);
    struct head *head = head_at(offset);
    void *moved;

    if (size <= head->size && offset != last) {
        head->size = (uint32_t)size;
        return block;
    }
    if (offset == last && size <= sizeof region - offset - sizeof *head) {
        head->size = (uint32_t)size;
        fill = end_of(offset, size);
        if (fill > stats.max)
            stats.max = fill;
        return block;
    }
    moved = take(ALIGN, size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, head->size);
    give(block);
    return moved;
}

#define CHECK_SEAL(call, size) \
    do { \
        if (sealed) \
            refuse_sealed(call, size, __builtin_return_address(0)); \
    } while (0)

void *malloc(size_t size)
{
    CHECK_SEAL("malloc", size);
    return take(ALIGN, size);
}

void *calloc(size_t count, size_t size)
{
    size_t total;
    void *block;

    CHECK_SEAL("calloc", size);
    if (__builtin_mul_overflow(count, size, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    block = take(ALIGN, total);
    if (block != NULL)
        memset(block, 0, total); /* the region is used again */
    return block;
}

void *realloc(void *block, size_t size)
{
    CHECK_SEAL("realloc", size);
    return block == NULL ? take(ALIGN, size) : resize(block, size);
}

void free(void *block)
{
    if (block == NULL)
        return;
    CHECK_SEAL("free", 0);
    give(block);
}

void *aligned_alloc(size_t align, size_t size)
{
    CHECK_SEAL("aligned_alloc", size);
    return is_aligned(align) ? take(align, size) : NULL;
}

void *memalign(size_t align, size_t size)
{
    CHECK_SEAL("memalign", size);
    return is_aligned(align) ? take(align, size) : NULL;
}

int posix_memalign(void **out, size_t align, size_t size)
{
    void *block;

    CHECK_SEAL("posix_memalign", size);
    if (!is_aligned(align) || align % sizeof(void *) != 0)
        return EINVAL;
    block = take(align, size);
    if (block == NULL)
        return ENOMEM;
    *out = block;
    return 0;
}

size_t malloc_usable_size(void *block)
{
    return block == NULL ? 0 : head_at(offset_of(block))->size;
}

char *km_heap_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy;

    CHECK_SEAL("strdup", size);
    copy = take(ALIGN, size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

int km_port_seal(void)
{
    if (stats.live != 0)
        return KM_ERR_ARG;
    sealed = true;
    /* What start-up touched would stay resident for good. A kernel that refuses only costs memory. */
    (void)madvise(region, sizeof region & ~(size_t)4095, MADV_DONTNEED);
    return KM_OK;
}

void km_heap_stats(struct km_heap_stats *out)
{
    *out = stats;
}

#endif
