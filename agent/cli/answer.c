/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "get_priv.h"
#include "visit.h"

static char raw[CONFIG_KM_CLI_ROW_BYTES] KM_POOL_STORAGE(cli_answer_raw);
static char text[CONFIG_KM_CLI_ROW_BYTES] KM_POOL_STORAGE(cli_answer_text);
static char key[CONFIG_KM_JSON_KEY_BYTES + 1];

#define HASH_START 14695981039346656037u
#define HASH_FACTOR 1099511628211u

int64_t answer_number(const char *digits)
{
    uint64_t value;
    bool ok = km_slice_to_u64(km_slice_of(digits), &value) == KM_OK && value <= INT64_MAX;
    return ok ? (int64_t)value : -1;
}

static void take_member(struct answer *a, const char *path)
{
#define MEMBER(path, field) \
    { \
        path, offsetof(struct answer, field), sizeof a->field \
    }
    static const struct {
        const char *path;
        uint16_t at, size;
    } members[] = {
        MEMBER("/apiVersion", api_version),
        MEMBER("/kind", kind),
        MEMBER("/metadata/namespace", ns),
        MEMBER("/metadata/name", name),
        MEMBER("/metadata/uid", uid),
        MEMBER("/details/uid", uid), /* of a Status that tells of a deletion */
        MEMBER("/metadata/resourceVersion", rv),
    };
#undef MEMBER
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (strcmp(path, members[i].path) == 0)
            (void)km_slice_copy(km_slice_of(text), (char *)a + members[i].at, members[i].size);
    }
    if (strcmp(path, "/metadata/generation") == 0)
        a->generation = answer_number(text);
    else if (strcmp(path, "/metadata/deletionTimestamp") == 0)
        a->deleting = true;
}

const char *answer_place(const struct answer *a)
{
    return a->below == NULL ? a->walk.path : km_json_walk_below(&a->walk, a->below);
}

static void take_value(struct answer *a)
{
    const char *path = answer_place(a);
    struct km_slice value = km_buf_slice(&a->value);
    bool is_text = value.len > 0 && value.ptr[0] == '"';
    if (is_text)
        (void)km_json_unquote(value, text, sizeof text);
    else
        (void)km_slice_copy(value, text, sizeof text);
    if (path != NULL && (is_text || !km_slice_eq_str(value, "null")))
        take_member(a, path);
    if (a->on_value != NULL)
        a->on_value(a, a->walk.path, text, is_text);
    km_buf_reset(&a->value);
}

/* The name as it stood is given its quotes back, to be decoded. */
static void take_key(struct km_slice name)
{
    char quoted[CONFIG_KM_JSON_KEY_BYTES + 3];
    struct km_buf out;
    km_buf_init(&out, quoted, sizeof quoted);
    km_buf_putc(&out, '"');
    km_buf_put_slice(&out, name);
    km_buf_putc(&out, '"');
    if (!km_json_unquote(km_buf_slice(&out), key, sizeof key))
        key[0] = '\0';
}

static int on_event(void *ctx, const struct km_json_walk *walk, enum km_walk_event event,
                    struct km_slice bytes)
{
    struct answer *a = ctx;
    (void)walk;
    if (event == KM_WALK_PART) {
        /* A longer value is cut, and the end of a text is made up for. */
        km_buf_put(&a->value, bytes.ptr, bytes.len);
        if (a->value.overflow && a->value.len > 0 && a->value.data[0] == '"') {
            a->value.overflow = false;
            km_buf_putc(&a->value, '"');
            a->value.overflow = true;
        }
    } else if (event == KM_WALK_SCALAR) {
        take_value(a);
    } else if (event == KM_WALK_KEY) {
        take_key(bytes);
    } else if (a->on_event != NULL) {
        a->on_event(a, event);
    }
    return KM_OK;
}

void answer_begin(struct answer *a)
{
    memset(a, 0, sizeof *a);
    a->generation = -1;
    a->hash = HASH_START;
    km_buf_init(&a->value, raw, sizeof raw);
    km_json_walk_init(&a->walk, false, on_event, a);
}

const char *answer_key(const struct answer *a)
{
    (void)a;
    return key;
}

int answer_feed(struct answer *a, struct km_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        a->hash = (a->hash ^ (unsigned char)bytes.ptr[i]) * HASH_FACTOR;
    int err = km_json_walk_feed(&a->walk, bytes);
    return err == KM_OK && a->show ? get_object_feed(bytes) : err;
}

void answer_show(struct answer *a)
{
    a->show = get_prints_objects() || get_patch_waits();
    if (a->show)
        get_object_begin();
}

int answer_end(struct answer *a)
{
    int err = km_json_walk_end(&a->walk);
    return err == KM_OK && a->show ? get_object_end() : err;
}

static int on_bytes(struct km_request *r, struct km_slice bytes)
{
    return answer_feed(r->ctx, bytes);
}

int answer_call(struct answer *a, struct km_request *r)
{
    r->on_bytes = on_bytes;
    r->ctx = a;
    int err = cli_call(r);
    return err == KM_OK ? answer_end(a) : err;
}
