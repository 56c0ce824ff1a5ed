/* SPDX-License-Identifier: Apache-2.0 */
#include "doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct printer {
    char *data;
    size_t len, size;
};

static void put(struct printer *p, const char *data, size_t len)
{
    if (p->len + len + 1 > p->size) {
        p->size = (p->len + len + 1) * 2 + 1024;
        p->data = realloc(p->data, p->size);
        if (p->data == NULL)
            abort();
    }
    memcpy(p->data + p->len, data, len);
    p->len += len;
    p->data[p->len] = '\0';
}

static void put_string(struct printer *p, const char *text)
{
    char code[8];

    put(p, "\"", 1);
    for (const char *run = text;; text++) {
        if ((unsigned char)*text >= 0x20 && *text != '"' && *text != '\\')
            continue;
        put(p, run, (size_t)(text - run));
        if (*text == '\0')
            break;
        if ((unsigned char)*text >= 0x20)
            (void)snprintf(code, sizeof code, "\\%c", *text);
        else
            (void)snprintf(code, sizeof code, "\\u%04x", (unsigned)*text);
        put(p, code, strlen(code));
        run = text + 1;
    }
    put(p, "\"", 1);
}

static void print_value(struct printer *p, const struct doc *d)
{
    bool is_object = d->type == DOC_OBJECT;

    if (d->type == DOC_STRING) {
        put_string(p, d->text);
        return;
    }
    if (d->type != DOC_ARRAY && d->type != DOC_OBJECT) {
        const char *text = d->type == DOC_NULL ? "null" : d->text;

        put(p, text, strlen(text));
        return;
    }
    put(p, is_object ? "{" : "[", 1);
    for (const struct doc *child = d->first; child != NULL; child = child->next) {
        if (is_object) {
            put_string(p, child->key);
            put(p, ":", 1);
        }
        print_value(p, child);
        if (child->next != NULL)
            put(p, ",", 1);
    }
    put(p, is_object ? "}" : "]", 1);
}

char *doc_print(const struct doc *doc)
{
    struct printer p = {0};

    print_value(&p, doc);
    return p.data;
}
