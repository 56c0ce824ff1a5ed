/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_json.h"
#include "kubemote/km_yaml.h"
#include "manifest_priv.h"

enum mode { UNKNOWN, JSON, YAML };

void km_manifest_init(struct km_manifest *manifest, const char *name, struct km_slice text,
                      const struct km_manifest_work *work)
{
    *manifest = (struct km_manifest){.name = name, .rest = text, .line = 1, .work = *work};
}

static void skip(struct km_manifest *m, size_t len)
{
    for (size_t i = 0; i < len; i++)
        m->line += m->rest.ptr[i] == '\n';
    m->rest = (struct km_slice){m->rest.ptr + len, m->rest.len - len};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t blanks(struct km_slice text)
{
    size_t len = 0;
    while (len < text.len && is_blank(text.ptr[len]))
        len++;
    return len;
}

/* ---- JSON ---- */

/* Without the blanks between its tokens. */
static bool put_compact(const struct km_manifest *m, struct km_slice text, struct km_slice *json)
{
    struct km_buf buf;
    bool quoted = false;

    km_buf_init(&buf, m->work.json, m->work.json_size);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!quoted && is_blank(c))
            continue;
        km_buf_putc(&buf, c);
        if (quoted && c == '\\')
            km_buf_putc(&buf, text.ptr[++i]);
        else if (c == '"')
            quoted = !quoted;
    }
    *json = km_buf_slice(&buf);
    return !buf.overflow;
}

/* KM_AGAIN: this is no JSON object, it may be YAML. */
static int next_json(struct km_manifest *m, struct km_slice *json, struct km_fault *fault)
{
    struct km_json_scan scan;
    size_t start = blanks(m->rest);

    if (start == m->rest.len)
        return KM_EOF;
    struct km_slice text = {m->rest.ptr + start, m->rest.len - start};
    text.len = json_value_len(text);
    km_json_scan_init(&scan, false);
    int err = text.len == 0 ? KM_ERR_SYNTAX : km_json_scan_feed(&scan, text);
    if (err == KM_OK)
        err = km_json_scan_end(&scan);
    if (err != KM_OK) {
        if (m->count <= 1)
            return KM_AGAIN;
        skip(m, start + (text.len == 0 ? 0 : (size_t)scan.offset));
        return km_fault_set(fault, KM_ERR_CONFIG, "%s:%lu: %s", km_path_tail(m->name),
                            (unsigned long)m->line,
                            scan.error != NULL ? scan.error : "expected a JSON object");
    }
    if (!put_compact(m, text, json))
        return km_fault_set(fault, KM_ERR_CONFIG, "%s:%lu: the document needs more than %lu bytes",
                            km_path_tail(m->name), (unsigned long)m->line,
                            (unsigned long)m->work.json_size);
    skip(m, start + text.len);
    return KM_OK;
}

/* ---- YAML ---- */

static size_t line_length(struct km_slice text)
{
    const char *end = text.len == 0 ? NULL : memchr(text.ptr, '\n', text.len);
    return end == NULL ? text.len : (size_t)(end - text.ptr) + 1;
}

static bool is_separator(struct km_slice line)
{
    return line.len >= 3 && memcmp(line.ptr, "---", 3) == 0 &&
           (line.len == 3 || is_blank(line.ptr[3]));
}

/* Something of the document stands on the separator's own line. */
static bool has_content(struct km_slice line)
{
    struct km_slice rest = {line.ptr + 3, line.len - 3};
    size_t start = blanks(rest);
    return start < rest.len && rest.ptr[start] != '#';
}

/* Takes the next document's text. KM_EOF when there is none. Only lines of dashes count, as in kubectl: comments between two
   of them are a document, which is null. */
static int take_document(struct km_manifest *m, struct km_slice *text)
{
    bool directive = false;
    size_t len = 0;

    while (len < m->rest.len) {
        struct km_slice rest = {m->rest.ptr + len, m->rest.len - len};
        struct km_slice line = {rest.ptr, line_length(rest)};
        if (len > 0 && is_separator(line) && !directive)
            break;
        directive = (directive && !is_separator(line)) || (len == 0 && line.ptr[0] == '%');
        len += line.len;
    }
    *text = (struct km_slice){m->rest.ptr, len};
    return len == 0 ? KM_EOF : KM_OK;
}

/* The separator behind a document belongs to none, unless the next one begins in its line. */
static void skip_separator(struct km_manifest *m)
{
    struct km_slice line = {m->rest.ptr, line_length(m->rest)};

    if (is_separator(line) && !has_content(line))
        skip(m, line.len);
}

static int next_yaml(struct km_manifest *m, struct km_slice *json, struct km_fault *fault)
{
    struct km_slice text;

    int err = take_document(m, &text);
    if (err == KM_OK)
        err = manifest_yaml(m, text, m->line, json, fault);
    if (err != KM_OK)
        return err;
    skip(m, text.len);
    skip_separator(m);
    return KM_OK;
}

int km_manifest_next(struct km_manifest *manifest, struct km_slice *json, struct km_fault *fault)
{
    int err = KM_AGAIN;

    if (manifest->mode == UNKNOWN) {
        size_t start = blanks(manifest->rest);
        bool brace = start < manifest->rest.len && manifest->rest.ptr[start] == '{';
        manifest->mode = brace ? JSON : YAML;
    }
    if (manifest->mode == JSON)
        err = next_json(manifest, json, fault);
    if (err == KM_AGAIN) {
        if (manifest->mode == JSON && manifest->count > 0) {
            skip(manifest, line_length(manifest->rest));
            skip_separator(manifest);
        }
        manifest->mode = YAML;
        err = next_yaml(manifest, json, fault);
    }
    if (err == KM_OK)
        manifest->count++;
    else
        manifest->rest.len = 0;
    return err;
}
