/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "text_priv.h"

int text_compare(struct km_slice a, struct km_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}
