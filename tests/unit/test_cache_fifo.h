/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits in a queue as a text, for tests that compare texts: A, U, D, T (a tombstone), R, S for
 * Added ... Sync, then key=value; all@version[...], sync-all, mark@version for the rest.
 */
#ifndef TEST_CACHE_FIFO_H
#define TEST_CACHE_FIFO_H

#include "km_test.h"

#include "kubemote/km_delta.h"

#define FIFO_KEY_SIZE 24

struct thing {
    int value, transformed;
};

static inline void put_delta(struct km_buf *out, const struct km_delta *delta)
{
    static const char letters[] = "?AUDRS";
    const struct thing *thing = delta->object;

    km_buf_putc(out, delta->tombstone ? 'T' : letters[delta->type]);
    km_buf_putc(out, ':');
    km_buf_put_slice(out, delta->key);
    if (thing != NULL)
        km_buf_printf(out, "=%d", thing->value);
}

static inline void put_deltas(struct km_buf *out, struct km_deltas deltas)
{
    struct km_delta delta;

    for (const char *blank = ""; km_deltas_next(&deltas, &delta) == KM_OK; blank = " ") {
        km_buf_puts(out, blank);
        if (delta.type < KM_DELTA_REPLACED_ALL) {
            put_delta(out, &delta);
            continue;
        }
        assert_null(delta.object);
        assert_int_equal((int)delta.key.len, 0);
        km_buf_puts(out, delta.type == KM_DELTA_REPLACED_ALL ? "all@"
                         : delta.type == KM_DELTA_BOOKMARK   ? "mark@"
                                                             : "sync-all");
        km_buf_put_slice(out, delta.version);
        if (delta.type == KM_DELTA_REPLACED_ALL) {
            km_buf_putc(out, '[');
            put_deltas(out, delta.objects);
            km_buf_putc(out, ']');
        }
    }
}

/* Adds "(...)" for what it is given, "(!...)" when it belongs to the first list. */
static inline int write_popped(void *ctx, const struct km_deltas *deltas, bool initial)
{
    km_buf_puts(ctx, initial ? "(!" : "(");
    put_deltas(ctx, *deltas);
    km_buf_putc(ctx, ')');
    return KM_OK;
}

static inline int ignore_popped(void *ctx, const struct km_deltas *deltas, bool initial)
{
    (void)ctx;
    (void)deltas;
    (void)initial;
    return KM_OK;
}

/* Objects that the consumer has, as "name", value pairs up to NULL. */
struct known_things {
    const char *names[6];
    struct thing things[6];
};

static inline int known_next(void *ctx, uint32_t *at, struct km_slice *key, const void **object)
{
    struct known_things *known = ctx;

    if (*at >= 6 || known->names[*at] == NULL)
        return KM_ERR_NOT_FOUND;
    *key = km_slice_of(known->names[*at]);
    *object = &known->things[(*at)++];
    return KM_OK;
}

static inline bool known_has(void *ctx, struct km_slice key)
{
    struct known_things *known = ctx;

    for (int i = 0; i < 6 && known->names[i] != NULL; i++) {
        if (km_slice_eq_str(key, known->names[i]))
            return true;
    }
    return false;
}

/* ---- what client-go's cases of both queues work with ---- */

static struct known_things things;
static const struct km_known known = {known_next, known_has, &things};
static char text[1024];
static struct km_buf out;

static inline struct km_slice s(const char *chars)
{
    return km_slice_of(chars);
}

static inline const struct thing *obj(int value)
{
    static struct thing made[8];
    static unsigned turn;
    struct thing *thing = &made[turn++ % 8];

    *thing = (struct thing){.value = value};
    return thing;
}

/* The consumer knows these: names with blanks between, with values from the first one on. */
static inline void name_things(const char *names, int first_value)
{
    static char pool[64];
    char *at = pool;

    memset(&things, 0, sizeof things);
    (void)snprintf(pool, sizeof pool, "%s", names);
    for (int i = 0; *at != '\0'; i++) {
        things.names[i] = at;
        things.things[i].value = first_value + i;
        at += strcspn(at, " ");
        if (*at == ' ')
            *at++ = '\0';
    }
}

/* "name" and value by turns, up to NULL. */
struct item {
    const char *name;
    int value;
};
#define LIST(...) ((const struct item[]){__VA_ARGS__{NULL, 0}})

static inline int check_order(void *ctx, const struct km_deltas *deltas, bool initial)
{
    struct km_deltas rest = *deltas;
    int *last = ctx;
    struct km_delta delta;

    (void)initial;
    assert_int_equal(km_deltas_next(&rest, &delta), KM_OK);
    last += delta.key.ptr[0] - 'a';
    assert_int_equal(((const struct thing *)delta.object)->value, ++*last);
    return KM_OK;
}

static inline int transform(void *ctx, struct km_slice key, void *object)
{
    (void)ctx;
    if (km_slice_eq_str(key, "bad"))
        return KM_ERR_SYNTAX;
    ((struct thing *)object)->transformed++;
    return KM_OK;
}

static inline int check_transformed(void *ctx, const struct km_deltas *deltas, bool initial)
{
    struct km_deltas rest = *deltas;
    struct km_delta delta;

    while (km_deltas_next(&rest, &delta) == KM_OK)
        assert_int_equal(((const struct thing *)delta.object)->transformed, 1);
    return write_popped(ctx, deltas, initial);
}

#endif
