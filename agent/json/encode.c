/* SPDX-License-Identifier: Apache-2.0 */
/* Records back to JSON by their field tables, and JSON by pointer: objects open and close as the pointers need them. */
#include <string.h>

#include "json_priv.h"

#define LIST_DEPTH 8     /* arrays and maps in one another */
#define TABLE_FIELDS 128 /* of one kind or element */

/* ---- from place to place ---- */

static size_t parent_len(const char *pointer)
{
    const char *slash = strrchr(pointer, '/');
    return slash == NULL ? 0 : (size_t)(slash - pointer);
}

/* Bytes of both that are the same whole segments. */
static size_t common(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t same = 0;
    for (size_t i = 0; i <= a_len && i <= b_len; i++) {
        bool a_ends = i == a_len || a[i] == '/', b_ends = i == b_len || b[i] == '/';
        if (a_ends && b_ends)
            same = i;
        if (i == a_len || i == b_len || a[i] != b[i])
            break;
    }
    return same;
}

static void put_key(struct km_json_writer *w, const char *segment, size_t len)
{
    char name[CONFIG_KM_JSON_KEY_BYTES + 1];
    struct km_buf out;
    km_buf_init(&out, name, sizeof name);
    for (size_t i = 0; i < len; i++) {
        char c = segment[i];
        if (c == '~' && i + 1 < len)
            c = segment[++i] == '0' ? '~' : '/';
        km_buf_putc(&out, c);
    }
    if (out.overflow)
        w->buf->overflow = true;
    km_json_key(w, name);
}

/* Writes the name of the member `to`, in its object; `from`: the object that is open. */
static void go(struct km_json_writer *w, const char *from, size_t from_len, const char *to)
{
    size_t parent = parent_len(to), same = common(from, from_len, to, parent), len;
    const char *segment;
    for (size_t i = same; i < from_len; i++) {
        if (from[i] == '/')
            km_json_close(w);
    }
    for (to += same; json_segment_next(&to, &segment, &len) && *to != '\0';) {
        put_key(w, segment, len);
        km_json_object(w);
    }
    put_key(w, segment, len);
}

static void close_all(struct km_json_writer *w, const char *from, size_t from_len)
{
    for (size_t i = 0; i < from_len; i++) {
        if (from[i] == '/')
            km_json_close(w);
    }
}

/* ---- records ---- */

/* The elements of a list, one after another; the record itself is the only element of the first. */
struct frame {
    const struct km_field *fields;
    const char *elem; /* the present one */
    size_t elem_size;
    uint16_t field_count, left; /* left: elements, with the present one */
    bool map, in_element;
    uint32_t done[KM_BITMAP_WORDS(TABLE_FIELDS)];
    const char *open; /* the object that is open below the element */
    size_t open_len;
};

static uint16_t list_count(const struct km_field *f, const char *base)
{
    size_t at = f->offset + (size_t)f->count_max * f->size;
    uint16_t count;
    at += at % _Alignof(uint16_t);
    memcpy(&count, base + at, sizeof count);
    return count < f->count_max ? count : f->count_max;
}

static bool is_zero(const struct km_field *f, const char *base)
{
    int64_t number;
    switch (f->type) {
    case KM_F_INT64:
        memcpy(&number, base + f->offset, sizeof number);
        return number == 0;
    case KM_F_ARRAY:
    case KM_F_MAP:
        return list_count(f, base) == 0;
    default:
        return base[f->offset] == '\0';
    }
}

static void put_scalar(struct km_json_writer *w, const struct km_field *f, const char *base)
{
    const char *text = base + f->offset;
    int64_t number;
    bool truth;
    switch (f->type) {
    case KM_F_INT64:
        memcpy(&number, text, sizeof number);
        km_json_i64(w, number);
        break;
    case KM_F_BOOL:
        memcpy(&truth, text, sizeof truth);
        km_json_bool(w, truth);
        break;
    case KM_F_RAW:
        if (text[0] == '\0')
            km_json_null(w);
        else
            km_json_raw(w, km_slice_of(text));
        break;
    default:
        km_json_str(w, text);
    }
}

/* The next field that says something, as near as can be to the object that is open: so each object is opened once. */
static const struct km_field *next_field(struct frame *fr)
{
    const struct km_field *best = NULL;
    size_t best_same = 0;
    uint16_t best_at = 0;
    for (uint16_t i = fr->map ? 1 : 0; i < fr->field_count; i++) {
        const struct km_field *f = &fr->fields[i];
        if (km_bit_get(fr->done, i) || is_zero(f, fr->elem))
            continue;
        size_t same = common(fr->open, fr->open_len, f->path, parent_len(f->path));
        if (best != NULL && same <= best_same)
            continue;
        best = f;
        best_same = same;
        best_at = i;
    }
    if (best != NULL)
        km_bit_set(fr->done, best_at);
    return best;
}

/* The field that is the element itself: of a list of strings, of a map to strings. */
static const struct km_field *whole_element(const struct frame *fr)
{
    for (uint16_t i = fr->map ? 1 : 0; i < fr->field_count; i++) {
        if (fr->fields[i].path[0] == '\0')
            return &fr->fields[i];
    }
    return NULL;
}

static void begin_element(struct km_json_writer *w, struct frame *fr)
{
    const struct km_field *whole = whole_element(fr);
    if (fr->map)
        km_json_key(w, fr->elem + fr->fields[0].offset);
    if (whole != NULL) {
        put_scalar(w, whole, fr->elem);
        fr->elem += fr->elem_size;
        fr->left--;
        return;
    }
    km_json_object(w);
    memset(fr->done, 0, sizeof fr->done);
    fr->in_element = true;
    fr->open = "";
    fr->open_len = 0;
}

static void end_element(struct km_json_writer *w, struct frame *fr)
{
    close_all(w, fr->open, fr->open_len);
    km_json_close(w);
    fr->elem += fr->elem_size;
    fr->left--;
    fr->in_element = false;
}

static int open_list(struct km_json_writer *w, struct frame *fr, const struct km_field *f,
                     const char *base)
{
    if (f->sub_count > TABLE_FIELDS)
        return KM_ERR_FULL;
    *fr = (struct frame){.fields = f->sub,
                         .elem = base + f->offset,
                         .elem_size = f->size,
                         .field_count = f->sub_count,
                         .left = list_count(f, base),
                         .map = f->type == KM_F_MAP};
    if (fr->map)
        km_json_object(w);
    else
        km_json_array(w);
    return KM_OK;
}

int km_json_encode(struct km_json_writer *w, const struct km_kind *kind, const void *record)
{
    struct frame frames[LIST_DEPTH];
    uint16_t depth = 1;
    frames[0] = (struct frame){.fields = kind->fields,
                               .elem = record,
                               .field_count = kind->field_count,
                               .in_element = true,
                               .open = ""};
    if (((const struct km_record *)record)->truncated != 0)
        return KM_ERR_ARG;
    if (kind->field_count > TABLE_FIELDS)
        return KM_ERR_FULL;
    while (depth > 0) {
        struct frame *fr = &frames[depth - 1];
        const struct km_field *f = fr->in_element ? next_field(fr) : NULL;
        if (f != NULL) {
            go(w, fr->open, fr->open_len, f->path);
            fr->open = f->path;
            fr->open_len = parent_len(f->path);
            if (f->type != KM_F_ARRAY && f->type != KM_F_MAP) {
                put_scalar(w, f, fr->elem);
                continue;
            }
            if (depth == LIST_DEPTH)
                return KM_ERR_DEPTH;
            int err = open_list(w, &frames[depth++], f, fr->elem);
            if (err != KM_OK)
                return err;
        } else if (depth == 1) {
            close_all(w, fr->open, fr->open_len);
            depth = 0;
        } else if (fr->in_element) {
            end_element(w, fr);
        } else if (fr->left > 0) {
            begin_element(w, fr);
        } else {
            km_json_close(w);
            depth--;
        }
    }
    return w->broken ? KM_ERR_ARG : w->buf->overflow ? KM_ERR_TOO_LONG : KM_OK;
}

/* ---- values by pointer ---- */

void km_json_set_begin(struct km_json_set *s, struct km_buf *out)
{
    memset(s, 0, sizeof *s);
    km_json_writer_init(&s->w, out);
    km_json_object(&s->w);
}

/* FNV-1a: what was written is remembered by its hash, and two places with the same one are refused. */
static bool is_new(struct km_json_set *s, const char *pointer, size_t len)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)pointer[i]) * 0x100000001b3u;
    for (uint16_t i = 0; i < s->place_count; i++) {
        if (s->places[i] == hash)
            return false;
    }
    if (s->place_count == CONFIG_KM_JSON_SET_COUNT) {
        s->full = true;
        return false;
    }
    s->places[s->place_count++] = hash;
    return true;
}

/* The object around the pointer's last segment is open, and the member's name written. */
static bool go_to(struct km_json_set *s, const char *pointer)
{
    size_t len = strlen(pointer), parent = parent_len(pointer);
    size_t same = common(s->path, s->path_len, pointer, parent);
    bool fine = len > 0 && len < sizeof s->path && json_pointer_valid(pointer);
    for (size_t i = same + 1; fine && i <= len; i++) {
        if (i == len || pointer[i] == '/')
            fine = is_new(s, pointer, i);
    }
    if (!fine) {
        s->misused = true;
        return false;
    }
    go(&s->w, s->path, s->path_len, pointer);
    memcpy(s->path, pointer, parent);
    s->path_len = (uint16_t)parent;
    return true;
}

void km_json_set_raw(struct km_json_set *s, const char *pointer, struct km_slice value)
{
    if (go_to(s, pointer))
        km_json_raw(&s->w, value);
}

void km_json_set_str(struct km_json_set *s, const char *pointer, const char *value)
{
    if (go_to(s, pointer))
        km_json_str(&s->w, value);
}

void km_json_set_i64(struct km_json_set *s, const char *pointer, int64_t value)
{
    if (go_to(s, pointer))
        km_json_i64(&s->w, value);
}

void km_json_set_bool(struct km_json_set *s, const char *pointer, bool value)
{
    if (go_to(s, pointer))
        km_json_bool(&s->w, value);
}

void km_json_set_null(struct km_json_set *s, const char *pointer)
{
    if (go_to(s, pointer))
        km_json_null(&s->w);
}

int km_json_set_end(struct km_json_set *s)
{
    close_all(&s->w, s->path, s->path_len);
    km_json_close(&s->w);
    if (s->full)
        return KM_ERR_FULL;
    if (!s->misused)
        return km_json_finish(&s->w);
    s->w.buf->overflow = true;
    return KM_ERR_ARG;
}
