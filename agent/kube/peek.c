/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer is, told by its first bytes. */
#include <string.h>

#include "kube_priv.h"

enum match { UNKNOWN, SAME, OTHER };

/* UNKNOWN: the text ends within the word. */
static enum match match_word(struct km_slice *text, const char *word)
{
    size_t len = strlen(word);
    while (text->len > 0 && strchr(" \t\r\n", text->ptr[0]) != NULL) {
        text->ptr++;
        text->len--;
    }
    if (memcmp(text->ptr, word, len < text->len ? len : text->len) != 0)
        return OTHER;
    if (text->len < len)
        return UNKNOWN;
    text->ptr += len;
    text->len -= len;
    return SAME;
}

/* UNKNOWN also when another member begins here. */
static enum match match_member(struct km_slice text, const char *name, const char *value)
{
    if (match_word(&text, name) != SAME || match_word(&text, ":") != SAME)
        return UNKNOWN;
    return match_word(&text, value);
}

enum kube_peek kube_peek_status(struct km_slice first)
{
    enum match kind = UNKNOWN, version = UNKNOWN;
    bool quoted = false;
    int depth = 0;
    if (first.len > KUBE_PEEK_BYTES)
        first.len = KUBE_PEEK_BYTES;
    for (size_t i = 0; i < first.len && kind != OTHER && version != OTHER; i++) {
        char c = first.ptr[i];
        struct km_slice rest = {first.ptr + i, first.len - i};
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
            continue;
        }
        quoted = c == '"';
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth == 1 && quoted && kind == UNKNOWN)
            kind = match_member(rest, "\"kind\"", "\"Status\"");
        if (depth == 1 && quoted && version == UNKNOWN)
            version = match_member(rest, "\"apiVersion\"", "\"v1\"");
    }
    if (kind == SAME && version == SAME)
        return KUBE_PEEK_YES;
    bool told = kind == OTHER || version == OTHER || first.len == KUBE_PEEK_BYTES;
    return told ? KUBE_PEEK_NO : KUBE_PEEK_MORE;
}
