/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_scalar.h"
#include "kubemote/km_selector.h"

/* The lexer and the grammar of apimachinery's labels.Parse; its tokens are looked at once, so that none are stored. */
enum token {
    END,
    WORD,
    IN,
    NOT_IN,
    COMMA,
    OPEN,
    CLOSE,
    NOT,
    EQUALS,
    DOUBLE_EQUALS,
    NOT_EQUALS,
    GREATER,
    LESS
};

struct parser {
    struct km_slice rest; /* behind the current token */
    enum token token;
    struct km_slice text; /* of the current token */
    struct km_label_selector *out;
    struct km_fault *fault;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
    return c != '\0' && strchr("=!(),><", c) != NULL;
}

static void take(struct parser *p, size_t len)
{
    p->text = (struct km_slice){p->rest.ptr, len};
    p->rest = (struct km_slice){p->rest.ptr + len, p->rest.len - len};
}

static enum token special(struct parser *p)
{
    char c = p->rest.ptr[0];
    bool doubled = p->rest.len > 1 && p->rest.ptr[1] == '=' && (c == '=' || c == '!');

    take(p, doubled ? 2 : 1);
    switch (c) {
    case '=':
        return doubled ? DOUBLE_EQUALS : EQUALS;
    case '!':
        return doubled ? NOT_EQUALS : NOT;
    case '(':
        return OPEN;
    case ')':
        return CLOSE;
    case ',':
        return COMMA;
    default:
        return c == '>' ? GREATER : LESS;
    }
}

/* The next token. A NUL byte ends a word, and the text when it stands alone. */
static void advance(struct parser *p)
{
    size_t len = 0;

    while (p->rest.len > 0 && is_blank(p->rest.ptr[0]))
        take(p, 1);
    p->text = (struct km_slice){"", 0};
    p->token = END;
    if (p->rest.len == 0 || p->rest.ptr[0] == '\0')
        return;
    if (is_special(p->rest.ptr[0])) {
        p->token = special(p);
        return;
    }
    while (len < p->rest.len && p->rest.ptr[len] != '\0' && !is_special(p->rest.ptr[len]) &&
           !is_blank(p->rest.ptr[len]))
        len++;
    take(p, len);
    if (p->rest.len > 0 && p->rest.ptr[0] == '\0')
        p->rest = (struct km_slice){p->rest.ptr + 1, p->rest.len - 1};
    p->token = km_slice_eq_str(p->text, "in")      ? IN
               : km_slice_eq_str(p->text, "notin") ? NOT_IN
                                                   : WORD;
}

/* Where no operator can stand, "in" and "notin" are words. */
static bool is_word(const struct parser *p)
{
    return p->token == WORD || p->token == IN || p->token == NOT_IN;
}

static int found(const struct parser *p, const char *expected)
{
    char show[KM_SHOW_SIZE];
    return km_fault_set(p->fault, KM_ERR_SYNTAX, "found '%s', expected: %s",
                        km_slice_show(p->text, show), expected);
}

static int invalid(const struct parser *p, const char *what, struct km_slice text,
                   const char *problem)
{
    char show[KM_SHOW_SIZE];
    return km_fault_set(p->fault, KM_ERR_SYNTAX, "%s \"%s\": %s", what, km_slice_show(text, show),
                        problem);
}

static bool parse_int64(struct km_slice text, int64_t *out)
{
    uint64_t value;
    bool negative = text.len > 0 && text.ptr[0] == '-';

    if (negative || (text.len > 0 && text.ptr[0] == '+'))
        text = (struct km_slice){text.ptr + 1, text.len - 1};
    if (km_slice_to_u64(text, &value) != KM_OK || value > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative && value > 0 ? -(int64_t)(value - 1) - 1 : (int64_t)value;
    return true;
}

/* ---- values ---- */

static int add_value(struct parser *p, struct km_label_term *term, struct km_slice value)
{
    struct km_label_selector *s = p->out;
    struct km_slice *values = s->values + term->first;
    uint16_t at = term->count;

    const char *problem = km_label_value_problem(value);
    if (problem != NULL)
        return invalid(p, "label value", value, problem);
    while (at > 0 && km_slice_compare(values[at - 1], value) > 0)
        at--;
    if (at > 0 && km_slice_compare(values[at - 1], value) == 0)
        return KM_OK;
    if (s->value_count == KM_SELECTOR_VALUES)
        return km_fault_set(p->fault, KM_ERR_TOO_LONG, "more than %d values in a label selector",
                            KM_SELECTOR_VALUES);
    memmove(values + at + 1, values + at, (size_t)(term->count - at) * sizeof *values);
    values[at] = value;
    term->count++;
    s->value_count++;
    return KM_OK;
}

static const struct km_slice no_text = {"", 0};

/* (a,b), where a missing one is the empty value. The opening bracket is the current token. */
static int read_values(struct parser *p, struct km_label_term *term)
{
    int err = KM_OK;

    if (p->token != OPEN)
        return found(p, "'('");
    advance(p);
    if (p->token == CLOSE)
        err = add_value(p, term, no_text);
    while (err == KM_OK && p->token != CLOSE) {
        if (is_word(p)) {
            err = add_value(p, term, p->text);
            advance(p);
            if (err == KM_OK && p->token != COMMA && p->token != CLOSE)
                return found(p, "',' or ')'");
        } else if (p->token == COMMA) {
            bool first = term->count == 0;
            advance(p);
            if (first || p->token == CLOSE || p->token == COMMA)
                err = add_value(p, term, no_text);
        } else {
            return found(p, "',', or identifier");
        }
    }
    if (err == KM_OK)
        advance(p);
    return err;
}

static int read_value(struct parser *p, struct km_label_term *term)
{
    int64_t number;
    int err;

    if (p->token == END || p->token == COMMA) {
        err = add_value(p, term, no_text);
    } else if (is_word(p)) {
        err = add_value(p, term, p->text);
        advance(p);
    } else {
        return found(p, "identifier");
    }
    if (err == KM_OK && (term->op == KM_SELECT_GREATER || term->op == KM_SELECT_LESS) &&
        !parse_int64(p->out->values[term->first], &number))
        return invalid(p, "value", p->out->values[term->first],
                       "for 'Gt', 'Lt' operators, the value must be an integer");
    return err;
}

/* ---- terms ---- */

static int read_operator(struct parser *p, struct km_label_term *term)
{
    switch (p->token) {
    case IN:
        term->op = KM_SELECT_IN;
        break;
    case NOT_IN:
        term->op = KM_SELECT_NOT_IN;
        break;
    case EQUALS:
        term->op = KM_SELECT_EQUALS;
        break;
    case DOUBLE_EQUALS:
        term->op = KM_SELECT_DOUBLE_EQUALS;
        break;
    case NOT_EQUALS:
        term->op = KM_SELECT_NOT_EQUALS;
        break;
    case GREATER:
        term->op = KM_SELECT_GREATER;
        break;
    case LESS:
        term->op = KM_SELECT_LESS;
        break;
    default:
        return found(p, "in, notin, =, ==, !=, gt, lt");
    }
    advance(p);
    return KM_OK;
}

static int read_term(struct parser *p, struct km_label_term *term)
{
    term->op = KM_SELECT_EXISTS;
    if (p->token == NOT) {
        term->op = KM_SELECT_NOT_EXISTS;
        advance(p);
    }
    if (!is_word(p))
        return found(p, "identifier");
    term->key = p->text;
    const char *problem = km_qualified_name_problem(term->key);
    if (problem != NULL)
        return invalid(p, "label key", term->key, problem);
    advance(p);
    if (term->op == KM_SELECT_NOT_EXISTS || p->token == END || p->token == COMMA)
        return KM_OK;
    int err = read_operator(p, term);
    if (err != KM_OK)
        return err;
    return term->op == KM_SELECT_IN || term->op == KM_SELECT_NOT_IN ? read_values(p, term)
                                                                    : read_value(p, term);
}

static void sort_in(struct km_label_selector *s, const struct km_label_term *term)
{
    uint16_t at = s->term_count++;

    for (; at > 0 && km_slice_compare(s->terms[at - 1].key, term->key) > 0; at--)
        s->terms[at] = s->terms[at - 1];
    s->terms[at] = *term;
}

static int parse(struct parser *p)
{
    advance(p);
    if (p->token == END)
        return KM_OK;
    for (;;) {
        struct km_label_term term = {.first = p->out->value_count};
        if (!is_word(p) && p->token != NOT)
            return found(p, "!, identifier, or 'end of string'");
        if (p->out->term_count == KM_SELECTOR_TERMS)
            return km_fault_set(p->fault, KM_ERR_TOO_LONG, "more than %d terms in a label selector",
                                KM_SELECTOR_TERMS);
        int err = read_term(p, &term);
        if (err != KM_OK)
            return err;
        sort_in(p->out, &term);
        if (p->token == END)
            return KM_OK;
        if (p->token != COMMA)
            return found(p, "',' or 'end of string'");
        advance(p);
        if (!is_word(p) && p->token != NOT)
            return found(p, "identifier after ','");
    }
}

int km_label_selector_parse(struct km_slice text, struct km_label_selector *out,
                            struct km_fault *fault)
{
    struct parser p = {.rest = text, .out = out, .fault = fault};

    out->term_count = out->value_count = 0;
    return parse(&p);
}

/* ---- writing and matching ---- */

static void put_term(struct km_buf *buf, const struct km_label_selector *s,
                     const struct km_label_term *term)
{
    static const char *const signs[] = {
        [KM_SELECT_EQUALS] = "=",        [KM_SELECT_DOUBLE_EQUALS] = "==",
        [KM_SELECT_NOT_EQUALS] = "!=",   [KM_SELECT_IN] = " in (",
        [KM_SELECT_NOT_IN] = " notin (", [KM_SELECT_EXISTS] = "",
        [KM_SELECT_NOT_EXISTS] = "",     [KM_SELECT_GREATER] = ">",
        [KM_SELECT_LESS] = "<",
    };

    if (term->op == KM_SELECT_NOT_EXISTS)
        km_buf_putc(buf, '!');
    km_buf_put_slice(buf, term->key);
    km_buf_puts(buf, signs[term->op]);
    for (uint16_t i = 0; i < term->count; i++) {
        if (i > 0)
            km_buf_putc(buf, ',');
        km_buf_put_slice(buf, s->values[term->first + i]);
    }
    if (term->op == KM_SELECT_IN || term->op == KM_SELECT_NOT_IN)
        km_buf_putc(buf, ')');
}

int km_label_selector_write(const struct km_label_selector *selector, char *out, size_t out_size)
{
    struct km_buf buf;

    km_buf_init(&buf, out, out_size);
    for (uint16_t i = 0; i < selector->term_count; i++) {
        if (i > 0)
            km_buf_putc(&buf, ',');
        put_term(&buf, selector, &selector->terms[i]);
    }
    return buf.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

static bool has_value(const struct km_label_selector *s, const struct km_label_term *term,
                      struct km_slice value)
{
    for (uint16_t i = 0; i < term->count; i++) {
        if (km_slice_eq(s->values[term->first + i], value))
            return true;
    }
    return false;
}

static bool term_matches(const struct km_label_selector *s, const struct km_label_term *term,
                         const struct km_label *label)
{
    int64_t have, limit;

    switch (term->op) {
    case KM_SELECT_EQUALS:
    case KM_SELECT_DOUBLE_EQUALS:
    case KM_SELECT_IN:
        return label != NULL && has_value(s, term, label->value);
    case KM_SELECT_NOT_EQUALS:
    case KM_SELECT_NOT_IN:
        return label == NULL || !has_value(s, term, label->value);
    case KM_SELECT_EXISTS:
        return label != NULL;
    case KM_SELECT_NOT_EXISTS:
        return label == NULL;
    default:
        if (label == NULL || !parse_int64(label->value, &have) ||
            !parse_int64(s->values[term->first], &limit))
            return false;
        return term->op == KM_SELECT_GREATER ? have > limit : have < limit;
    }
}

bool km_label_selector_matches(const struct km_label_selector *selector,
                               const struct km_label *labels, size_t count)
{
    for (uint16_t i = 0; i < selector->term_count; i++) {
        const struct km_label *label = NULL;
        for (size_t k = 0; k < count && label == NULL; k++) {
            if (km_slice_eq(labels[k].key, selector->terms[i].key))
                label = &labels[k];
        }
        if (!term_matches(selector, &selector->terms[i], label))
            return false;
    }
    return true;
}
