/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "kubemote/km_port.h"

/* The linker's: where the program's read-only part begins and its text ends. */
extern const char __executable_start[], etext[];

void km_port_trim(void)
{
    uintptr_t page = (uintptr_t)getauxval(AT_PAGESZ) - 1;
    uintptr_t from = ((uintptr_t)__executable_start + page) & ~page, to = (uintptr_t)etext & ~page;

    /* Nothing here was ever written, so the file still has it; a kernel that refuses only costs memory. */
    (void)madvise((void *)from, to - from, MADV_DONTNEED);
}
