/* SPDX-License-Identifier: Apache-2.0 */
/* JSON patches (RFC 6902) and merge patches (RFC 7396) that cannot come out broken. */
#include <string.h>

#include "kubemote/km_rest.h"

void km_patch_begin(struct km_json_writer *w, struct km_buf *out)
{
    km_json_writer_init(w, out);
    km_json_array(w);
}

static bool is_pointer(const char *text)
{
    if (text == NULL || (text[0] != '\0' && text[0] != '/'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text == '~' && text[1] != '0' && text[1] != '1')
            return false;
    }
    return true;
}

static void operation(struct km_json_writer *w, const char *op, const char *pointer,
                      const struct km_slice *value)
{
    w->broken = w->broken || !is_pointer(pointer);
    km_json_object(w);
    km_json_kv_str(w, "op", op);
    km_json_kv_str(w, "path", pointer);
    if (value != NULL) {
        km_json_key(w, "value");
        km_json_raw(w, *value);
    }
    km_json_close(w);
}

void km_patch_add(struct km_json_writer *w, const char *pointer, struct km_slice value)
{
    operation(w, "add", pointer, &value);
}

void km_patch_replace(struct km_json_writer *w, const char *pointer, struct km_slice value)
{
    operation(w, "replace", pointer, &value);
}

void km_patch_remove(struct km_json_writer *w, const char *pointer)
{
    operation(w, "remove", pointer, NULL);
}

void km_patch_test(struct km_json_writer *w, const char *pointer, struct km_slice value)
{
    operation(w, "test", pointer, &value);
}

int km_patch_end(struct km_json_writer *w)
{
    km_json_close(w);
    return km_json_finish(w);
}

void km_pointer_add(struct km_buf *out, const char *segment)
{
    km_buf_putc(out, '/');
    for (; *segment != '\0'; segment++) {
        if (*segment == '~')
            km_buf_puts(out, "~0");
        else if (*segment == '/')
            km_buf_puts(out, "~1");
        else
            km_buf_putc(out, *segment);
    }
}

/* One segment of a pointer with its escapes resolved; *pointer moves behind it. */
static int take_segment(const char **pointer, char *out, size_t size)
{
    struct km_buf text;
    const char *at = *pointer;
    km_buf_init(&text, out, size);
    if (*at++ != '/')
        return KM_ERR_ARG;
    for (; *at != '\0' && *at != '/'; at++) {
        if (*at != '~')
            km_buf_putc(&text, *at);
        else if (at[1] == '0' || at[1] == '1')
            km_buf_putc(&text, *++at == '0' ? '~' : '/');
        else
            return KM_ERR_ARG;
    }
    *pointer = at;
    return text.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

int km_merge_patch(struct km_buf *out, const char *pointer, struct km_slice value)
{
    char segment[CONFIG_KM_JSON_KEY_BYTES + 1];
    struct km_json_writer w;
    uint16_t depth = 0;
    if (pointer == NULL)
        return KM_ERR_ARG;
    km_json_writer_init(&w, out);
    while (*pointer != '\0') {
        int err = take_segment(&pointer, segment, sizeof segment);
        if (err != KM_OK)
            return err;
        km_json_object(&w);
        km_json_key(&w, segment);
        depth++;
    }
    km_json_raw(&w, value);
    while (depth-- > 0)
        km_json_close(&w);
    return km_json_finish(&w);
}
