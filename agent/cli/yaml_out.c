/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON value as block YAML, laid out and quoted as kubectl's YAML writer does (go-yaml 2): natural order of names, folding
   behind column 80. */
#include <string.h>

#include "tree.h"
#include "yaml_scalar.h"

#define FOLD_COLUMN 80
#define SIMPLE_KEY 128 /* bytes; a longer name stands behind "? " */

static size_t column;
static int failure;

static void put(const char *text)
{
    out_text(text);
    column += strlen(text);
}

static void put_line(unsigned indent)
{
    out_text("\n");
    out_pad(0, indent);
    column = indent;
}

/* ---- characters ---- */

static size_t encode(uint32_t point, char out[4])
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

static void put_point(uint32_t point)
{
    char bytes[4];
    out_bytes(bytes, encode(point, bytes));
    column++;
}

static bool is_break(uint32_t c)
{
    return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static bool is_blank(uint32_t c)
{
    return c == ' ' || c == '\t';
}

/* go-yaml escapes all beyond the basic plane. */
static bool is_printable(uint32_t c)
{
    return c == '\n' || (c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c < 0xd800) ||
           (c >= 0xe000 && c <= 0xfffd && c != 0xfeff);
}

static uint32_t peek(struct km_slice inside, size_t at)
{
    return at < inside.len ? tree_char(inside, &at) : 0;
}

/* ---- what a string allows ---- */

enum quoting { PLAIN, SINGLE, DOUBLE, LITERAL };

struct look {
    bool indicators, breaks, special, leading, trailing_space, trailing_break, break_space,
        space_break, newline;
    uint32_t first, second_last, last;
};

static bool leads_badly(uint32_t c, bool followed)
{
    if (c < 0x80 && c != 0 && strchr("#,[]{}&*!|>'\"%@`", (int)c) != NULL)
        return true;
    return (c == '?' || c == ':' || c == '-') && followed;
}

static void look_at(struct km_slice inside, struct look *l)
{
    bool previous_space = false, previous_break = false, preceded = true;
    size_t at = 0;
    memset(l, 0, sizeof *l);
    l->indicators =
        inside.len >= 3 && (memcmp(inside.ptr, "---", 3) == 0 || memcmp(inside.ptr, "...", 3) == 0);
    while (at < inside.len) {
        bool first = at == 0;
        uint32_t c = tree_char(inside, &at);
        bool ends = at >= inside.len;
        bool followed = ends || is_blank(peek(inside, at));
        if (first)
            l->first = c;
        if ((first && leads_badly(c, followed)) || (!first && c == ':' && followed) ||
            (!first && c == '#' && preceded))
            l->indicators = true;
        l->special = l->special || !is_printable(c);
        l->newline = l->newline || c == '\n';
        if (c == ' ') {
            l->leading = l->leading || first;
            l->trailing_space = ends;
            l->break_space = l->break_space || previous_break;
        } else if (is_break(c)) {
            l->breaks = true;
            l->leading = l->leading || first;
            l->trailing_break = ends;
            l->space_break = l->space_break || previous_space;
        }
        previous_space = c == ' ';
        previous_break = is_break(c);
        preceded = is_blank(c) || is_break(c) || c == 0;
        l->second_last = l->last;
        l->last = c;
    }
}

/* Whether a plain scalar would be read as a string. */
static bool reads_as_string(struct km_slice inside)
{
    char text[YAML_SCALAR_SIZE];
    size_t at = 0, len = 0;
    while (at < inside.len) {
        if (len + 5 > sizeof text)
            return true;
        len += encode(tree_char(inside, &at), text + len);
    }
    text[len] = '\0';
    return strlen(text) != len || yaml_is_string(text);
}

static bool block_allowed(const struct look *l)
{
    return !l->trailing_space && !l->space_break && !l->special;
}

static enum quoting choose(struct km_slice inside, const struct look *l, bool key)
{
    enum quoting style = l->newline ? LITERAL : reads_as_string(inside) ? PLAIN : DOUBLE;
    bool single = !l->break_space && !l->space_break && !l->special;
    if (style == LITERAL)
        return key || !block_allowed(l) ? DOUBLE : LITERAL;
    if (style == PLAIN && (l->leading || l->trailing_space || l->trailing_break || l->indicators ||
                           l->breaks || !single))
        style = SINGLE;
    return style == SINGLE && !single ? DOUBLE : style;
}

/* ---- writing strings ---- */

static bool folds(struct km_slice inside, size_t next, bool fold, bool after_space, bool inner)
{
    return fold && !after_space && column > FOLD_COLUMN && inner && next <= inside.len;
}

static void put_plain(struct km_slice inside, unsigned indent, bool fold)
{
    bool after_space = false;
    for (size_t at = 0; at < inside.len;) {
        uint32_t c = tree_char(inside, &at);
        if (c == ' ' && folds(inside, at, fold, after_space, peek(inside, at) != ' '))
            put_line(indent);
        else
            put_point(c);
        after_space = c == ' ';
    }
}

static void put_single(struct km_slice inside, unsigned indent, bool fold)
{
    bool after_space = false, after_break = false;
    put("'");
    for (size_t at = 0; at < inside.len;) {
        bool first = at == 0;
        uint32_t c = tree_char(inside, &at);
        bool inner = !first && at < inside.len && peek(inside, at) != ' ';
        if (c == ' ' && folds(inside, at, fold, after_space, inner)) {
            put_line(indent);
        } else if (is_break(c)) {
            if (!after_break)
                out_text("\n");
            out_text("\n");
            column = 0;
        } else {
            if (after_break) {
                out_pad(0, indent);
                column = indent;
            }
            if (c == '\'')
                put("'");
            put_point(c);
        }
        after_space = c == ' ';
        after_break = is_break(c);
    }
    put("'");
}

static void put_escape(uint32_t c)
{
    static const struct {
        uint32_t point;
        const char *text;
    } names[] = {{0, "\\0"},     {7, "\\a"},    {8, "\\b"},    {9, "\\t"},      {10, "\\n"},
                 {11, "\\v"},    {12, "\\f"},   {13, "\\r"},   {27, "\\e"},     {'"', "\\\""},
                 {'\\', "\\\\"}, {0x85, "\\N"}, {0xa0, "\\_"}, {0x2028, "\\L"}, {0x2029, "\\P"}};
    char text[12];
    struct km_buf out;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].point != c)
            continue;
        put(names[i].text);
        return;
    }
    km_buf_init(&out, text, sizeof text);
    km_buf_printf(&out,
                  c <= 0xff     ? "\\x%02lX"
                  : c <= 0xffff ? "\\u%04lX"
                                : "\\U%08lX",
                  (unsigned long)c);
    put(text);
}

static void put_double(struct km_slice inside, unsigned indent, bool fold)
{
    bool after_space = false, marked = peek(inside, 0) == 0xfeff;
    put("\"");
    for (size_t at = 0; at < inside.len;) {
        bool first = at == 0;
        uint32_t c = tree_char(inside, &at);
        if (!is_printable(c) || is_break(c) || c == '"' || c == '\\' || marked) {
            put_escape(c);
        } else if (c == ' ' && folds(inside, at, fold, after_space, !first && at < inside.len)) {
            put_line(indent);
            if (peek(inside, at) == ' ')
                put("\\");
        } else {
            put_point(c);
        }
        after_space = c == ' ';
    }
    put("\"");
}

static void put_literal(struct km_slice inside, unsigned indent, const struct look *l)
{
    bool line_begins = true;
    put("|");
    if (l->first == ' ' || is_break(l->first))
        put("2");
    if (!is_break(l->last))
        put("-");
    else if (l->second_last == 0 || is_break(l->second_last))
        put("+");
    out_text("\n");
    for (size_t at = 0; at < inside.len;) {
        uint32_t c = tree_char(inside, &at);
        if (line_begins && !is_break(c)) {
            out_pad(0, indent);
            column = indent;
        }
        put_point(c);
        line_begins = is_break(c);
    }
}

/* `indent`: of the lines behind the first. */
static bool put_string(struct km_slice inside, unsigned indent, bool key)
{
    struct look l;
    look_at(inside, &l);
    bool fold = !key;
    switch (choose(inside, &l, key)) {
    case PLAIN:
        put_plain(inside, indent, fold);
        break;
    case SINGLE:
        put_single(inside, indent, fold);
        break;
    case DOUBLE:
        put_double(inside, indent, fold);
        break;
    case LITERAL:
        put_literal(inside, indent, &l);
        return is_break(l.last);
    }
    return false;
}

/* ---- nodes ---- */

static void put_node(struct km_slice value, unsigned indent, bool in_line);

/* Returns whether the line is ended already. */
static bool put_scalar(struct km_slice value, unsigned indent)
{
    char text[80];
    struct km_buf out;
    if (value.ptr[0] == '"')
        return put_string((struct km_slice){value.ptr + 1, value.len - 2}, indent, false);
    km_buf_init(&out, text, sizeof text);
    if (value.ptr[0] == '-' || (value.ptr[0] >= '0' && value.ptr[0] <= '9'))
        yaml_put_number(&out, value);
    else
        km_buf_put_slice(&out, value);
    put(text);
    return false;
}

static bool empty(struct km_slice value)
{
    return value.len == 2 && (value.ptr[0] == '{' || value.ptr[0] == '[');
}

static bool is_container(struct km_slice value)
{
    return (value.ptr[0] == '{' || value.ptr[0] == '[') && !empty(value);
}

/* The rest of a line that begins with a name or a dash. */
static void put_short(struct km_slice value, unsigned indent)
{
    bool ended = false;
    if (empty(value))
        out_slice(value);
    else
        ended = put_scalar(value, indent);
    if (!ended)
        out_text("\n");
}

/* Names beyond SIMPLE_KEY stand alone: "? name", ": value". */
static void put_long_member(struct km_slice name, struct km_slice value, unsigned indent)
{
    put("? ");
    (void)put_string(name, indent + 2, false);
    out_text("\n");
    out_pad(0, indent);
    column = indent;
    put(": ");
    if (is_container(value))
        put_node(value, indent + 2, true);
    else
        put_short(value, indent + 2);
}

static void put_member(struct km_slice name, struct km_slice value, unsigned indent)
{
    struct look l;
    look_at(name, &l);
    if (name.len > SIMPLE_KEY || l.breaks) {
        put_long_member(name, value, indent);
        return;
    }
    (void)put_string(name, indent + 2, true);
    put(":");
    if (is_container(value)) {
        out_text("\n");
        put_node(value, value.ptr[0] == '{' ? indent + 2 : indent, false);
        return;
    }
    put(" ");
    put_short(value, indent + 2);
}

static void begin_line(unsigned indent, bool *in_line)
{
    if (!*in_line)
        out_pad(0, indent);
    *in_line = false;
    column = indent;
}

static void put_object(struct km_slice text, unsigned indent, bool in_line)
{
    struct tree_members members = tree_take(text, tree_compare_natural);
    struct tree_member m = {0, 0};
    for (size_t i = 0; i < members.count; i++) {
        m = members.items[i];
        begin_line(indent, &in_line);
        put_member(tree_name(text, m.name), tree_value(text, m.value), indent);
    }
    m = (struct tree_member){0, 0};
    while (!members.sorted && tree_next(text, &m)) {
        begin_line(indent, &in_line);
        put_member(tree_name(text, m.name), tree_value(text, m.value), indent);
    }
    tree_drop(&members);
}

static void put_array(struct km_slice text, unsigned indent, bool in_line)
{
    for (size_t at = 1; at + 1 < text.len;) {
        struct km_slice value = tree_value(text, at);
        begin_line(indent, &in_line);
        put("- ");
        if (is_container(value))
            put_node(value, indent + 2, true);
        else
            put_short(value, indent + 2);
        at += value.len + 1;
    }
}

static void put_node(struct km_slice value, unsigned indent, bool in_line)
{
    if (value.ptr[0] == '{')
        put_object(value, indent, in_line);
    else
        put_array(value, indent, in_line);
}

int tree_yaml(struct km_slice text, unsigned indent, bool first_done)
{
    failure = KM_OK;
    if (text.len > 0 && is_container(text)) {
        put_node(text, indent, first_done);
    } else if (text.len > 0) {
        column = indent;
        put_short(text, indent);
    }
    return failure;
}

/* ---- the order of names ---- */

/* Near enough: all beyond ASCII that is not punctuation, symbols or pictures. */
static bool is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    return c >= 0xaa && c != 0xd7 && c != 0xf7 && !(c >= 0x2000 && c < 0x2c00) &&
           !(c >= 0x3000 && c < 0x3040) && !(c >= 0xe000 && c < 0xf900) &&
           !(c >= 0x1f000 && c < 0x20000);
}

static bool is_digit(uint32_t c)
{
    return c >= '0' && c <= '9';
}

/* The number that begins here; count: its digits. */
static int64_t number(struct km_slice s, size_t at, int64_t start, size_t *count)
{
    uint64_t value = (uint64_t)start;
    for (*count = 0; at < s.len && is_digit((unsigned char)s.ptr[at]); at++, (*count)++)
        value = value * 10 + (uint64_t)(s.ptr[at] - '0');
    return (int64_t)value;
}

/* Where two names part: numbers by value, letters behind all else. */
static bool comes_first(struct km_slice a, size_t i, struct km_slice b, size_t j, bool in_number)
{
    uint32_t x = peek(a, i), y = peek(b, j);
    if (is_letter(x) && is_letter(y))
        return x < y;
    if (is_letter(x) || is_letter(y))
        return is_letter(y);
    size_t digits_a, digits_b;
    int64_t start = in_number && (x == '0' || y == '0') ? 1 : 0;
    int64_t m = number(a, i, start, &digits_a), n = number(b, j, start, &digits_b);
    if (m != n)
        return m < n;
    return digits_a != digits_b ? digits_a < digits_b : x < y;
}

int tree_compare_natural(struct km_slice a, struct km_slice b)
{
    size_t i = 0, j = 0;
    bool in_number = false; /* of the digits right in front one is not 0 */
    while (i < a.len && j < b.len) {
        size_t p = i, q = j;
        uint32_t x = tree_char(a, &i), y = tree_char(b, &j);
        if (x != y)
            return comes_first(a, p, b, q, in_number) ? -1 : 1;
        in_number = is_digit(x) && (in_number || x != '0');
    }
    return i < a.len ? 1 : j < b.len ? -1 : 0;
}
