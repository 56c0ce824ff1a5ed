/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "kubemote/km_port.h"

#define PATH_TAIL 140

/* The file's text stands at the bottom, nodes grow behind it, texts of scalars grow down from the top. */
static _Alignas(16) char work[CONFIG_KM_CONFIG_WORK_BYTES] KM_POOL_STORAGE(config_work);
static size_t work_low, work_high = sizeof work, work_lowest = sizeof work;
static size_t work_touched;
static bool work_busy;

struct frame {
    struct km_yaml_node *container;
    struct km_yaml_node *last; /* member that was added last */
    struct km_slice key;       /* of the member to come */
    uint32_t key_line;
    bool has_key;
};

struct builder {
    struct km_yaml *doc;
    struct km_fault *fault;
    struct km_yaml_node *root;
    int depth;
    bool done;
    struct frame frames[KM_YAML_DEPTH];
};

/* ---- messages ---- */

const char *km_path_tail(const char *path)
{
    size_t len = strlen(path);
    return len > PATH_TAIL ? path + (len - PATH_TAIL) : path;
}

const char *km_file_problem(int err, int system_error)
{
    if (err == KM_ERR_NOT_FOUND)
        return system_error == ENOTDIR ? "a part of the path is not a directory"
                                       : "no such file or directory";
    if (err == KM_ERR_TOO_LONG)
        return "the file is too large";
    if (err != KM_ERR_IO)
        return km_strerror(err);
    if (system_error == EACCES || system_error == EPERM)
        return "permission denied";
    if (system_error == EISDIR)
        return "is a directory";
    if (system_error == EAGAIN)
        return "it is a pipe or a device, and nothing came out of it in time";
    return system_error == ELOOP ? "too many symbolic links" : "it cannot be read";
}

static int fail_at(const struct km_yaml *doc, size_t line, struct km_fault *fault,
                   const char *format, va_list args)
{
    char words[sizeof fault->text];

    if (vsnprintf(words, sizeof words, format, args) < 0)
        words[0] = '\0';
    if (line == 0)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s: %s", km_path_tail(doc->name), words);
    return km_fault_set(fault, KM_ERR_CONFIG, "%s:%lu: %s", km_path_tail(doc->name),
                        (unsigned long)line, words);
}

int km_yaml_error(const struct km_yaml *doc, const struct km_yaml_node *node,
                  struct km_fault *fault, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int err = fail_at(doc, node == NULL ? 0 : node->key_line, fault, format, args);
    va_end(args);
    return err;
}

__attribute__((format(printf, 3, 4))) static int build_error(const struct builder *b,
                                                             const yaml_mark_t *mark,
                                                             const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int err = fail_at(b->doc, mark == NULL ? 0 : mark->line + 1, b->fault, format, args);
    va_end(args);
    return err;
}

/* ---- work memory ---- */

static int work_full(const struct builder *b)
{
    return build_error(
        b, NULL, "the file needs more than %d bytes of work memory (CONFIG_KM_CONFIG_WORK_BYTES)",
        CONFIG_KM_CONFIG_WORK_BYTES);
}

static void work_reset(void)
{
    memset(work, 0, work_touched);
    memset(work + work_lowest, 0, sizeof work - work_lowest);
    work_low = work_touched = 0;
    work_high = work_lowest = sizeof work;
    work_busy = false;
}

static struct km_yaml_node *take_node(void)
{
    size_t at =
        (work_low + _Alignof(struct km_yaml_node) - 1) & ~(_Alignof(struct km_yaml_node) - 1);

    if (at > work_high || sizeof(struct km_yaml_node) > work_high - at)
        return NULL;
    work_low = at + sizeof(struct km_yaml_node);
    work_touched = work_low;
    struct km_yaml_node *node = (struct km_yaml_node *)(void *)(work + at);
    memset(node, 0, sizeof *node);
    return node;
}

/* False when full. */
static bool take_text(const yaml_char_t *text, size_t len, struct km_slice *out)
{
    if (work_high - work_low < len + 1)
        return false;
    work_high -= len + 1;
    work_lowest = work_high;
    memcpy(work + work_high, text, len);
    work[work_high + len] = '\0';
    *out = (struct km_slice){work + work_high, len};
    return true;
}

/* ---- from events to nodes ---- */

static bool is_null_text(struct km_slice text)
{
    return text.len == 0 || km_slice_eq_str(text, "~") || km_slice_eq_str(text, "null") ||
           km_slice_eq_str(text, "Null") || km_slice_eq_str(text, "NULL");
}

static bool tag_is_known(const yaml_char_t *tag, const char *kind)
{
    const char *text = (const char *)tag;
    return text == NULL || strcmp(text, "!") == 0 || strcmp(text, kind) == 0;
}

static int check_key(const struct builder *b, const struct frame *frame, const yaml_event_t *event)
{
    char show[KM_SHOW_SIZE];

    if (event->data.scalar.plain_implicit && km_slice_eq_str(frame->key, "<<"))
        return build_error(b, &event->start_mark, "merge keys (<<) are not supported");
    for (const struct km_yaml_node *n = frame->container->first; n != NULL; n = n->next) {
        if (km_slice_eq(n->key, frame->key))
            return build_error(b, &event->start_mark, "key \"%s\" stands twice (first in line %lu)",
                               km_slice_show(frame->key, show), (unsigned long)n->key_line);
    }
    return KM_OK;
}

static int add_key(struct builder *b, const yaml_event_t *event)
{
    struct frame *frame = &b->frames[b->depth - 1];

    if (!take_text(event->data.scalar.value, event->data.scalar.length, &frame->key))
        return work_full(b);
    frame->key_line = (uint32_t)event->start_mark.line + 1;
    int err = check_key(b, frame, event);
    if (err != KM_OK)
        return err;
    frame->has_key = true;
    return KM_OK;
}

static int add_node(struct builder *b, const yaml_event_t *event, uint8_t kind,
                    struct km_yaml_node **out)
{
    struct km_yaml_node *node = take_node();
    if (node == NULL)
        return work_full(b);
    node->kind = kind;
    node->line = (uint32_t)event->start_mark.line + 1;
    node->key_line = node->line;
    *out = node;
    if (b->depth == 0) {
        b->root = node;
        return KM_OK;
    }

    struct frame *frame = &b->frames[b->depth - 1];
    if (frame->container->kind == KM_YAML_MAP) {
        node->key = frame->key;
        node->key_line = frame->key_line;
        frame->has_key = false;
    }
    if (frame->last == NULL)
        frame->container->first = node;
    else
        frame->last->next = node;
    frame->last = node;
    return KM_OK;
}

static int add_scalar(struct builder *b, const yaml_event_t *event)
{
    struct km_yaml_node *node;

    if (event->data.scalar.anchor != NULL)
        return build_error(b, &event->start_mark, "anchors and aliases are not supported");
    if (!tag_is_known(event->data.scalar.tag, YAML_STR_TAG))
        return build_error(b, &event->start_mark, "tags are not supported");
    if (b->depth > 0 && b->frames[b->depth - 1].container->kind == KM_YAML_MAP &&
        !b->frames[b->depth - 1].has_key)
        return add_key(b, event);
    int err = add_node(b, event, KM_YAML_SCALAR, &node);
    if (err != KM_OK)
        return err;
    if (!take_text(event->data.scalar.value, event->data.scalar.length, &node->text))
        return work_full(b);
    node->plain = event->data.scalar.plain_implicit != 0;
    if (node->plain && is_null_text(node->text))
        node->kind = KM_YAML_NULL;
    return KM_OK;
}

static int open_container(struct builder *b, const yaml_event_t *event, uint8_t kind)
{
    struct km_yaml_node *node;
    bool map = kind == KM_YAML_MAP;

    if ((map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor) != NULL)
        return build_error(b, &event->start_mark, "anchors and aliases are not supported");
    if (!tag_is_known(map ? event->data.mapping_start.tag : event->data.sequence_start.tag,
                      map ? YAML_MAP_TAG : YAML_SEQ_TAG))
        return build_error(b, &event->start_mark, "tags are not supported");
    if (b->depth == KM_YAML_DEPTH)
        return build_error(b, &event->start_mark, "nested deeper than %d levels", KM_YAML_DEPTH);
    if (b->depth > 0 && b->frames[b->depth - 1].container->kind == KM_YAML_MAP &&
        !b->frames[b->depth - 1].has_key)
        return build_error(b, &event->start_mark,
                           "a key must be a plain value, not a map or a list");
    int err = add_node(b, event, kind, &node);
    if (err != KM_OK)
        return err;
    b->frames[b->depth++] = (struct frame){.container = node};
    return KM_OK;
}

static int take_event(struct builder *b, const yaml_event_t *event,
                      enum km_yaml_documents documents)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return build_error(b, &event->start_mark, "anchors and aliases are not supported");
    case YAML_SCALAR_EVENT:
        return add_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return open_container(b, event, KM_YAML_LIST);
    case YAML_MAPPING_START_EVENT:
        return open_container(b, event, KM_YAML_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return KM_OK;
    case YAML_DOCUMENT_START_EVENT:
        return b->root == NULL
                   ? KM_OK
                   : build_error(b, &event->start_mark, "more than one document in the file");
    case YAML_DOCUMENT_END_EVENT:
        b->done = documents == KM_YAML_FIRST_DOCUMENT;
        return KM_OK;
    case YAML_STREAM_END_EVENT:
    case YAML_NO_EVENT:
        b->done = true;
        return KM_OK;
    default:
        return KM_OK;
    }
}

/* ---- libyaml's errors ---- */

static size_t line_of_offset(struct km_slice text, size_t offset)
{
    size_t line = 1;
    for (size_t i = 0; i < offset && i < text.len; i++)
        line += text.ptr[i] == '\n';
    return line;
}

static int parser_error(const struct builder *b, const yaml_parser_t *parser, struct km_slice text)
{
    const char *problem = parser->problem != NULL ? parser->problem : "malformed";

    if (parser->error == YAML_MEMORY_ERROR)
        return build_error(
            b, &parser->mark,
            "the start-up heap is full (CONFIG_KM_HEAP_BYTES): one value is too long, "
            "or too much is nested");
    if (parser->error == YAML_READER_ERROR) {
        yaml_mark_t mark = {.line = line_of_offset(text, parser->problem_offset) - 1};
        return build_error(b, &mark, "%s", problem);
    }
    if (parser->context != NULL && parser->context_mark.line != parser->problem_mark.line)
        return build_error(b, &parser->problem_mark, "%s, %s that begins in line %lu", problem,
                           parser->context, (unsigned long)parser->context_mark.line + 1);
    if (parser->context != NULL)
        return build_error(b, &parser->problem_mark, "%s, %s", problem, parser->context);
    return build_error(b, &parser->problem_mark, "%s", problem);
}

static int run_parser(struct builder *b, struct km_slice text, enum km_yaml_documents documents)
{
    yaml_parser_t parser;
    yaml_event_t event;
    int err = KM_OK;

    if (!yaml_parser_initialize(&parser))
        return build_error(b, NULL, "the start-up heap is full (CONFIG_KM_HEAP_BYTES)");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.ptr, text.len);
    while (err == KM_OK && !b->done) {
        if (!yaml_parser_parse(&parser, &event)) {
            err = parser_error(b, &parser, text);
            break;
        }
        err = take_event(b, &event, documents);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return err;
}

static int parse_busy(struct km_yaml *doc, struct km_slice text, enum km_yaml_documents documents,
                      struct km_fault *fault)
{
    /* Static, since it is too large for the stack and work_busy keeps a second one out. */
    static struct builder b;

    b = (struct builder){.doc = doc, .fault = fault};
    int err = run_parser(&b, text, documents);
    if (err != KM_OK) {
        work_reset();
        return err;
    }
    doc->root = b.root != NULL && b.root->kind == KM_YAML_NULL ? NULL : b.root;
    return KM_OK;
}

int km_yaml_parse(struct km_yaml *doc, const char *name, struct km_slice text,
                  enum km_yaml_documents documents, struct km_fault *fault)
{
    if (work_busy)
        return km_fault_set(fault, KM_ERR_REENTRANT, "%s: another file is being read",
                            km_path_tail(name));
    work_busy = true;
    *doc = (struct km_yaml){.name = name};
    return parse_busy(doc, text, documents, fault);
}

int km_yaml_load(struct km_yaml *doc, const char *path, enum km_yaml_documents documents,
                 struct km_fault *fault)
{
    if (work_busy)
        return km_fault_set(fault, KM_ERR_REENTRANT, "%s: another file is being read",
                            km_path_tail(path));
    work_busy = true;
    *doc = (struct km_yaml){.name = path};
    errno = 0;
    int len = km_port_file_read(path, work, sizeof work);
    int system_error = errno;
    if (len < 0) {
        work_touched = len == KM_ERR_NOT_FOUND ? 0 : sizeof work;
        work_reset();
        if (len == KM_ERR_TOO_LONG)
            return km_fault_set(fault, KM_ERR_CONFIG,
                                "%s: larger than %d bytes (CONFIG_KM_CONFIG_WORK_BYTES)",
                                km_path_tail(path), CONFIG_KM_CONFIG_WORK_BYTES);
        return km_fault_set(fault, len == KM_ERR_NOT_FOUND ? len : KM_ERR_CONFIG, "%s: %s",
                            km_path_tail(path), km_file_problem(len, system_error));
    }
    work_low = work_touched = (size_t)len + 1;
    return parse_busy(doc, (struct km_slice){work, (size_t)len}, documents, fault);
}

void km_yaml_close(struct km_yaml *doc)
{
    if (doc->name == NULL)
        return;
    *doc = (struct km_yaml){0};
    work_reset();
}

/* ---- reading the tree ---- */

const struct km_yaml_node *km_yaml_get(const struct km_yaml_node *map, const char *key)
{
    if (map == NULL || map->kind != KM_YAML_MAP)
        return NULL;
    for (const struct km_yaml_node *n = map->first; n != NULL; n = n->next) {
        if (km_slice_eq_str(n->key, key))
            return n;
    }
    return NULL;
}

int km_yaml_string(const struct km_yaml *doc, const struct km_yaml_node *node, const char *what,
                   struct km_slice *out, struct km_fault *fault)
{
    if (node->kind != KM_YAML_SCALAR)
        return km_yaml_error(doc, node, fault, "%s: expected a text", what);
    if (memchr(node->text.ptr, '\0', node->text.len) != NULL)
        return km_yaml_error(doc, node, fault, "%s: a NUL byte has no place here", what);
    *out = node->text;
    return KM_OK;
}

int km_yaml_bool(const struct km_yaml *doc, const struct km_yaml_node *node, const char *what,
                 bool *out, struct km_fault *fault)
{
    if (node->kind != KM_YAML_SCALAR || !node->plain ||
        !(km_slice_eq_str(node->text, "true") || km_slice_eq_str(node->text, "false")))
        return km_yaml_error(doc, node, fault, "%s: expected true or false", what);
    *out = node->text.len == 4;
    return KM_OK;
}

int km_yaml_int(const struct km_yaml *doc, const struct km_yaml_node *node, const char *what,
                int64_t min, int64_t max, int64_t *out, struct km_fault *fault)
{
    char show[KM_SHOW_SIZE];
    struct km_slice digits = node->text;
    bool minus = digits.len > 1 && digits.ptr[0] == '-';
    uint64_t value = 0;
    int err = KM_ERR_SYNTAX;

    if (minus)
        digits = (struct km_slice){digits.ptr + 1, digits.len - 1};
    /* A leading zero would mean octal to other readers of YAML. */
    if (node->kind == KM_YAML_SCALAR && node->plain && !(digits.len > 1 && digits.ptr[0] == '0'))
        err = km_slice_to_u64(digits, &value);
    if (err == KM_ERR_SYNTAX)
        return km_yaml_error(doc, node, fault, "%s: expected a whole number", what);
    int64_t number = err != KM_OK || value > INT64_MAX ? INT64_MAX : (int64_t)value;
    if (minus)
        number = -number;
    if (err != KM_OK || number < min || number > max)
        return km_yaml_error(doc, node, fault, "%s: %s is out of range, %lld to %lld is possible",
                             what, km_slice_show(node->text, show), (long long)min, (long long)max);
    *out = number;
    return KM_OK;
}
