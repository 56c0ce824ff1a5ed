/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start-up heap: malloc and its family on a static region of CONFIG_KM_HEAP_BYTES, until km_port_seal(). A libc whose
 * strdup calls its own allocator behind malloc's back (zig's) must be given km_heap_strdup by -Dstrdup=km_heap_strdup.
 */
#ifndef KM_HEAP_H
#define KM_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* All zero where libc keeps its heap. max is the highest fill in bytes; refused_bytes is what the last refused call asked. */
struct km_heap_stats {
    uint32_t size, max, live, refused, refused_bytes;
};

void km_heap_stats(struct km_heap_stats *out);
char *km_heap_strdup(const char *text);
/* Not in C11's stdlib.h. */
void *memalign(size_t align, size_t size);
size_t malloc_usable_size(void *block);

#endif
