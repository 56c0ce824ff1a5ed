/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a JSON file of the test corpora into a tree in static memory, for unit tests of rooms that
 * may not use room json. The folder is $KM_CORPORA or ../shared/corpora; where it is absent the
 * test says "skipped" and passes.
 */
#ifndef KM_CORPUS_H
#define KM_CORPUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS_BYTES (1u << 20)
#define CORPUS_VALUES 60000

enum corpus_type {
    CORPUS_NULL,
    CORPUS_BOOL,
    CORPUS_NUMBER,
    CORPUS_STRING,
    CORPUS_ARRAY,
    CORPUS_OBJECT
};

struct corpus_value {
    enum corpus_type type;
    const char *key; /* of a member */
    const char *text;
    size_t len;
    int64_t number; /* the integer part */
    bool boolean, whole;
    struct corpus_value *child, *next;
};

struct corpus_reader {
    char *in, *out;
    struct corpus_value *free;
};

static inline void corpus_skip(struct corpus_reader *r)
{
    while (*r->in == ' ' || *r->in == '\n' || *r->in == '\r' || *r->in == '\t')
        r->in++;
}

static inline void corpus_utf8(struct corpus_reader *r, uint32_t rune)
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    int len = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;

    *r->out++ = (char)(lead[len] | rune >> (6 * (len - 1)));
    while (--len > 0)
        *r->out++ = (char)(0x80u | (rune >> (6 * (len - 1)) & 0x3fu));
}

static inline uint32_t corpus_hex(struct corpus_reader *r)
{
    char digits[5] = {0};

    memcpy(digits, r->in, 4);
    r->in += 4;
    return (uint32_t)strtoul(digits, NULL, 16);
}

/* Decoded in place: the text never grows. */
static inline const char *corpus_string(struct corpus_reader *r, size_t *len)
{
    static const char named[] = "b\bf\fn\nr\rt\t";
    char *start = ++r->in;

    r->out = start;
    while (*r->in != '"') {
        uint32_t rune;

        if (*r->in != '\\') {
            *r->out++ = *r->in++;
            continue;
        }
        r->in++;
        if (*r->in != 'u') {
            const char *at = strchr(named, *r->in);

            *r->out++ = at != NULL ? at[1] : *r->in;
            r->in++;
            continue;
        }
        r->in++;
        rune = corpus_hex(r);
        if (rune >= 0xd800 && rune < 0xdc00 && r->in[0] == '\\' && r->in[1] == 'u') {
            r->in += 2;
            rune = 0x10000 + ((rune - 0xd800) << 10) + (corpus_hex(r) - 0xdc00);
        }
        corpus_utf8(r, rune);
    }
    *len = (size_t)(r->out - start);
    r->in++;
    *r->out = '\0';
    return start;
}

static inline struct corpus_value *corpus_value(struct corpus_reader *r)
{
    struct corpus_value *value = r->free++, **end = &value->child;

    corpus_skip(r);
    if (*r->in == '"') {
        value->type = CORPUS_STRING;
        value->text = corpus_string(r, &value->len);
    } else if (*r->in == '{' || *r->in == '[') {
        value->type = *r->in++ == '{' ? CORPUS_OBJECT : CORPUS_ARRAY;
        corpus_skip(r);
        while (*r->in != '}' && *r->in != ']') {
            const char *key = NULL;
            size_t len;

            if (value->type == CORPUS_OBJECT) {
                key = corpus_string(r, &len);
                corpus_skip(r);
                r->in++;
            }
            *end = corpus_value(r);
            (*end)->key = key;
            end = &(*end)->next;
            corpus_skip(r);
            if (*r->in == ',')
                r->in++;
            corpus_skip(r);
        }
        r->in++;
    } else if (*r->in == 't' || *r->in == 'f' || *r->in == 'n') {
        value->type = *r->in == 'n' ? CORPUS_NULL : CORPUS_BOOL;
        value->boolean = *r->in == 't';
        r->in += *r->in == 'f' ? 5 : 4;
    } else {
        value->type = CORPUS_NUMBER;
        value->number = strtoll(r->in, &r->in, 10);
        value->whole = *r->in != '.' && *r->in != 'e' && *r->in != 'E';
        while (*r->in != '\0' && strchr("0123456789.eE+-", *r->in) != NULL)
            r->in++;
    }
    return value;
}

static inline const struct corpus_value *corpus_member(const struct corpus_value *object,
                                                       const char *key)
{
    const struct corpus_value *v = object == NULL ? NULL : object->child;

    while (v != NULL && (v->key == NULL || strcmp(v->key, key) != 0))
        v = v->next;
    return v;
}

static inline const struct corpus_value *corpus_first(const struct corpus_value *list)
{
    return list == NULL ? NULL : list->child;
}

/* The member "cases" of the file, or NULL after saying that it is skipped. */
static inline const struct corpus_value *corpus_load(const char *name)
{
    static char text[CORPUS_BYTES];
    static struct corpus_value values[CORPUS_VALUES];
    const char *folder = getenv("KM_CORPORA");
    struct corpus_reader r = {.in = text, .free = values};
    char path[512];
    size_t len;
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder == NULL ? "../shared/corpora" : folder, name);
    file = fopen(path, "rb");
    if (file == NULL) {
        printf("           skipped: no %s\n", path);
        return NULL;
    }
    memset(values, 0, sizeof values);
    len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    return corpus_member(corpus_value(&r), "cases");
}

#endif
