/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_base.h"

#define FNV_OFFSET 2166136261u
#define FNV_PRIME 16777619u

uint32_t km_hash(struct km_slice key, uint32_t seed)
{
    uint32_t hash = FNV_OFFSET ^ seed;

    for (size_t i = 0; i < key.len; i++) {
        hash ^= (unsigned char)key.ptr[i];
        hash *= FNV_PRIME;
    }
    /* Tables take the low bits: FNV's last byte reaches few of them unless the high half is folded
       in. */
    hash ^= hash >> 16;
    return hash;
}
