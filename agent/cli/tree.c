/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_json.h"
#include "tree.h"

static struct tree_member stack[CONFIG_KM_CLI_MEMBERS_COUNT] KM_POOL_STORAGE(cli_members);
static size_t stack_used;

/* ---- scanning text that is known to be sound ---- */

/* Behind the closing quote of the string whose inside begins at `at`. */
static size_t string_end(struct km_slice text, size_t at)
{
    while (at < text.len) {
        const char *quote = memchr(text.ptr + at, '"', text.len - at);
        if (quote == NULL)
            break;
        size_t end = (size_t)(quote - text.ptr), escapes = 0;
        while (end - escapes > at && text.ptr[end - escapes - 1] == '\\')
            escapes++;
        at = end + 1;
        if (escapes % 2 == 0)
            return at;
    }
    return text.len;
}

struct km_slice tree_value(struct km_slice text, size_t at)
{
    size_t depth = 0, i = at;
    while (i < text.len) {
        char c = text.ptr[i];
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            break;
        i++;
        if (c == '"')
            i = string_end(text, i);
        else if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        if (depth == 0 && (c == '"' || c == '}' || c == ']'))
            break;
    }
    return (struct km_slice){text.ptr + at, i - at};
}

bool tree_next(struct km_slice object, struct tree_member *m)
{
    size_t at = m->value == 0 ? 1 : m->value + tree_value(object, m->value).len;
    if (m->value != 0)
        at++; /* the comma or the end */
    if (at + 1 >= object.len || object.ptr[at] != '"')
        return false;
    m->name = (uint32_t)at + 1;
    m->value = (uint32_t)string_end(object, at + 1) + 1;
    return m->value < object.len;
}

struct km_slice tree_name(struct km_slice object, size_t name)
{
    return (struct km_slice){object.ptr + name, string_end(object, name) - 1 - name};
}

/* ---- characters ---- */

static uint32_t hex4(struct km_slice s, size_t at)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4 && at + i < s.len; i++) {
        char c = s.ptr[at + i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        value = value << 4 | (digit & 15u);
    }
    return value;
}

static uint32_t escaped(struct km_slice s, size_t *at)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    char c = s.ptr[(*at)++];
    const char *place = strchr(from, c);
    if (c != 'u')
        return (unsigned char)(place != NULL && c != '\0' ? to[place - from] : c);
    uint32_t unit = hex4(s, *at);
    *at += 4;
    bool pair = unit >= 0xd800 && unit < 0xdc00 && *at + 5 < s.len && s.ptr[*at] == '\\' &&
                s.ptr[*at + 1] == 'u';
    uint32_t low = pair ? hex4(s, *at + 2) : 0;
    if (low >= 0xdc00 && low < 0xe000) {
        *at += 6;
        return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    return unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit;
}

uint32_t tree_char(struct km_slice s, size_t *at)
{
    unsigned char c = (unsigned char)s.ptr[(*at)++];
    if (c == '\\' && *at < s.len)
        return escaped(s, at);
    if (c < 0x80)
        return c;
    size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    uint32_t point = c & (0x3fu >> more);
    for (; more > 0 && *at < s.len; more--)
        point = point << 6 | ((unsigned char)s.ptr[(*at)++] & 0x3fu);
    return point;
}

size_t tree_encode(uint32_t point, char out[4])
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    size_t more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(leads[more] | point >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        out[i] = (char)(0x80 | ((point >> (6 * (more - i))) & 0x3f));
    return more + 1;
}

void tree_put_char(uint32_t point)
{
    char bytes[4];
    out_bytes(bytes, tree_encode(point, bytes));
}

void tree_text(struct km_slice inside)
{
    for (size_t at = 0; at < inside.len;)
        tree_put_char(tree_char(inside, &at));
}

int tree_compare(struct km_slice a, struct km_slice b)
{
    size_t i = 0, j = 0;
    while (i < a.len && j < b.len) {
        uint32_t x = tree_char(a, &i), y = tree_char(b, &j);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (i < a.len) - (j < b.len);
}

/* ---- the index ---- */

struct heap {
    struct km_slice text;
    tree_order order;
    struct tree_member *items;
};

static bool less(const struct heap *h, size_t a, size_t b)
{
    uint32_t m = h->items[a].name, n = h->items[b].name;
    int order = h->order(tree_name(h->text, m), tree_name(h->text, n));
    return order != 0 ? order < 0 : m < n;
}

static void swap(const struct heap *h, size_t a, size_t b)
{
    struct tree_member kept = h->items[a];
    h->items[a] = h->items[b];
    h->items[b] = kept;
}

static void sift(const struct heap *h, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && less(h, child, child + 1))
            child++;
        if (!less(h, root, child))
            return;
        swap(h, root, child);
    }
}

static void sort(const struct heap *h, size_t count)
{
    size_t i = 1;
    while (i < count && less(h, i - 1, i))
        i++;
    if (i >= count)
        return;
    for (i = count / 2; i > 0; i--)
        sift(h, i - 1, count);
    for (i = count; i > 1; i--) {
        swap(h, 0, i - 1);
        sift(h, 0, i - 1);
    }
}

struct tree_members tree_take(struct km_slice object, tree_order order)
{
    size_t start = stack_used, room = sizeof stack / sizeof stack[0];
    struct tree_member m = {0, 0};
    while (tree_next(object, &m)) {
        if (stack_used == room) {
            stack_used = start;
            return (struct tree_members){NULL, 0, false};
        }
        stack[stack_used++] = m;
    }
    const struct heap h = {object, order, stack + start};
    sort(&h, stack_used - start);
    return (struct tree_members){stack + start, stack_used - start, true};
}

void tree_drop(const struct tree_members *members)
{
    stack_used -= members->count;
}

/* ---- JSON ---- */

static void new_line(unsigned depth)
{
    out_text("\n");
    out_pad(0, (size_t)depth * 4);
}

struct style {
    bool lines, sorted;
};

/* A server writes these escaped, a manifest need not. */
static void put_scalar(struct km_slice text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '<' && c != '>' && c != '&')
            continue;
        out_bytes(text.ptr + from, i - from);
        out_printf("\\u%04x", (unsigned)c);
        from = i + 1;
    }
    out_bytes(text.ptr + from, text.len - from);
}

static void print(struct km_slice text, unsigned depth, const struct style *style);

static void print_member(struct km_slice object, const struct tree_member *m, unsigned depth,
                         const struct style *style)
{
    if (style->lines)
        new_line(depth);
    out_text("\"");
    put_scalar(tree_name(object, m->name));
    out_text(style->lines ? "\": " : "\":");
    print(tree_value(object, m->value), depth, style);
}

static void print_object(struct km_slice text, unsigned depth, const struct style *style)
{
    struct tree_members members = {0};
    struct tree_member m = {0, 0};
    if (style->sorted)
        members = tree_take(text, tree_compare);
    out_text("{");
    for (size_t i = 0; i < members.count; i++) {
        if (i > 0)
            out_text(",");
        print_member(text, &members.items[i], depth + 1, style);
    }
    for (bool first = true; !members.sorted && tree_next(text, &m); first = false) {
        if (!first)
            out_text(",");
        print_member(text, &m, depth + 1, style);
    }
    if (style->lines && text.len > 2)
        new_line(depth);
    out_text("}");
    tree_drop(&members);
}

static void print_array(struct km_slice text, unsigned depth, const struct style *style)
{
    size_t at = 1;
    out_text("[");
    while (at + 1 < text.len) {
        struct km_slice value = tree_value(text, at);
        if (at > 1)
            out_text(",");
        if (style->lines)
            new_line(depth + 1);
        print(value, depth + 1, style);
        at += value.len + 1;
    }
    if (style->lines && text.len > 2)
        new_line(depth);
    out_text("]");
}

static void print(struct km_slice text, unsigned depth, const struct style *style)
{
    if (text.len > 0 && text.ptr[0] == '{')
        print_object(text, depth, style);
    else if (text.len > 0 && text.ptr[0] == '[')
        print_array(text, depth, style);
    else
        put_scalar(text);
}

void tree_json(struct km_slice text, unsigned depth)
{
    static const struct style lines = {true, true};
    print(text, depth, &lines);
}

void tree_json_as_is(struct km_slice text)
{
    static const struct style as_is = {true, false};
    print(text, 0, &as_is);
}

void tree_json_line(struct km_slice text)
{
    static const struct style one = {false, true};
    print(text, 0, &one);
}
