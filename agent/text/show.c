/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "text_priv.h"

const char *text_show(struct km_slice text, char out[TEXT_SHOW_SIZE])
{
    size_t max = TEXT_SHOW_SIZE - 1, len = text.len <= max ? text.len : max - 3;

    for (size_t i = 0; i < len; i++)
        out[i] = text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f ? text.ptr[i] : '?';
    if (text.len > max) {
        memcpy(out + len, "...", 3);
        len += 3;
    }
    out[len] = '\0';
    return out;
}

int text_compare(struct km_slice a, struct km_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}
