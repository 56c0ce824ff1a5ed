/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an object that the command line prints. The first byte chooses pieces. What must hold: JSON that is printed sorted is
 * valid JSON, and sorting it again changes nothing; YAML that is printed reads back as the same JSON, as far as numbers are plain
 * integers and names stand once; a path of the object is walked within its text.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/jsonpath.h"
#include "agent/cli/objects.h"
#include "agent/cli/tree.h"
#include "kubemote/km_json.h"
#include "kubemote/km_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_BYTES 65536 /* of an input; what is printed of it is larger */
#define PRINTED_BYTES (64 * TEXT_BYTES)

static char printed[PRINTED_BYTES], kept[PRINTED_BYTES], again[PRINTED_BYTES];
static int capture_fd = -1;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void capture_begin(void)
{
    if (capture_fd < 0) {
        char name[] = "/tmp/kubemote-fuzz-XXXXXX";
        capture_fd = mkstemp(name);
        check(capture_fd >= 0 && unlink(name) == 0 && dup2(capture_fd, 1) == 1);
    }
    check(ftruncate(capture_fd, 0) == 0 && lseek(1, 0, SEEK_SET) == 0);
}

static struct km_slice capture_end(char out[PRINTED_BYTES])
{
    out_flush();
    ssize_t len = pread(capture_fd, out, PRINTED_BYTES, 0);
    check(len >= 0);
    return (struct km_slice){out, (size_t)len};
}

static bool is_json(struct km_slice text)
{
    struct km_json_scan scan;
    km_json_scan_init(&scan, false);
    return km_json_scan_feed(&scan, text) == KM_OK && km_json_scan_end(&scan) == KM_OK;
}

/* Numbers that YAML writes otherwise. */
static bool has_odd_number(struct km_slice text)
{
    bool quoted = false;
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        digits = !quoted && c >= '0' && c <= '9' ? digits + 1 : 0;
        if (!quoted && (digits > 15 || c == '.' || c == 'E' || c == '-' ||
                        (c == 'e' && i > 0 && text.ptr[i - 1] >= '0' && text.ptr[i - 1] <= '9')))
            return true;
    }
    return false;
}

/* The same strings in the same bytes. */
static void unescape(struct km_slice *text)
{
    static char out[PRINTED_BYTES];
    struct km_buf to;
    km_buf_init(&to, out, sizeof out);
    bool quoted = false;
    for (size_t i = 0; i < text->len;) {
        char bytes[4];
        bool plain = !quoted || text->ptr[i] == '"';
        quoted = text->ptr[i] == '"' ? !quoted : quoted;
        if (plain) {
            km_buf_putc(&to, text->ptr[i++]);
            continue;
        }
        uint32_t point = tree_char(*text, &i);
        if (point < 0x20 || point == '"' || point == '\\')
            km_buf_printf(&to, "\\u%04x", (unsigned)point);
        else
            km_buf_put(&to, bytes, tree_encode(point, bytes));
    }
    check(!to.overflow);
    memcpy((char *)(uintptr_t)text->ptr, out, to.len);
    text->len = to.len;
}

static struct km_slice sorted_line(struct km_slice text, char out[PRINTED_BYTES])
{
    capture_begin();
    tree_json_line(text);
    return capture_end(out);
}

static void check_json(struct km_slice text)
{
    struct km_slice once = sorted_line(text, kept);
    check(is_json(once));
    check(km_slice_eq(once, sorted_line(once, again)));
    capture_begin();
    tree_json(text, 0);
    check(is_json(capture_end(printed)));
}

/* Whether a name stands twice in an object: YAML keeps the last one. */
static bool has_twins(struct km_slice text)
{
    struct tree_members members = tree_take(text, tree_compare);
    bool twins = !members.sorted;
    for (size_t i = 0; i < members.count && !twins; i++) {
        struct tree_member m = members.items[i];
        struct km_slice value = tree_value(text, m.value);
        twins = (value.ptr[0] == '{' || value.ptr[0] == '[') && has_twins(value);
        if (i > 0)
            twins = twins || tree_compare(tree_name(text, members.items[i - 1].name),
                                          tree_name(text, m.name)) == 0;
    }
    tree_drop(&members);
    for (size_t at = 1; text.ptr[0] == '[' && at + 1 < text.len && !twins;) {
        struct km_slice value = tree_value(text, at);
        twins = (value.ptr[0] == '{' || value.ptr[0] == '[') && has_twins(value);
        at += value.len + 1;
    }
    return twins;
}

/* YAML or JSON as sorted JSON. False: it can't be read. */
static bool read_back(struct km_slice text, char out[PRINTED_BYTES], struct km_slice *line)
{
    static char document[PRINTED_BYTES], anchors[4096];
    static struct km_manifest_member members[8192];
    const struct km_manifest_work memory = {document,       sizeof document, anchors,
                                            sizeof anchors, members,         8192};
    struct km_manifest manifest;
    struct km_fault fault = {0};
    struct km_slice json;
    km_manifest_init(&manifest, "fuzz", text, &memory);
    if (km_manifest_next(&manifest, &json, &fault) != KM_OK)
        return false;
    *line = sorted_line(json, out);
    unescape(line);
    return true;
}

static void check_yaml(struct km_slice text)
{
    struct km_slice want, got;
    capture_begin();
    int err = tree_yaml(text, 0, true);
    struct km_slice yaml = capture_end(printed);
    if (err == KM_OK && !has_odd_number(text) && !has_twins(text) && read_back(text, kept, &want) &&
        read_back(yaml, again, &got))
        check(km_slice_eq(got, want));
}

static int on_object(struct objects *o, struct km_slice text)
{
    (void)o;
    check(is_json(text));
    check_json(text);
    check_yaml(text);
    capture_begin();
    jsonpath_print("{.a.b[*]}{.a[0].b}{range .a[*]}{@}{.b}{end}{@}", text);
    (void)capture_end(printed);
    return KM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct objects objects;
    static struct km_cli_env env;
    if (size < 2 || size > TEXT_BYTES)
        return 0;
    cli.env = &env;
    struct km_slice in = {(const char *)data + 1, size - 1};
    size_t piece = 1 + data[0] % 64u;
    memset(&objects, 0, sizeof objects);
    objects.of = data[0] & 64 ? OBJECTS_OF_LIST : OBJECT_ALONE;
    objects.managed_fields = data[0] & 128;
    objects.on_object = on_object;
    objects_begin(&objects);
    int err = KM_OK;
    while (err == KM_OK && in.len > 0) {
        size_t len = piece < in.len ? piece : in.len;
        err = objects_feed(&objects, (struct km_slice){in.ptr, len});
        in = (struct km_slice){in.ptr + len, in.len - len};
    }
    if (err == KM_OK)
        (void)objects_end(&objects);
    return 0;
}
