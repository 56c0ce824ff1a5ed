/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_selector.h"

/* The length of the first term: up to a comma without a backslash before it. */
static size_t term_length(struct km_slice text)
{
    size_t len = 0;

    while (len < text.len && text.ptr[len] != ',')
        len += text.ptr[len] == '\\' && len + 1 < text.len ? 2 : 1;
    return len;
}

/* NULL, or what is wrong with an escaped value. */
static const char *value_problem(struct km_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == ',' || value.ptr[i] == '=')
            return "unescaped character in value";
        if (value.ptr[i] != '\\')
            continue;
        if (++i == value.len || strchr("\\,=", value.ptr[i]) == NULL || value.ptr[i] == '\0')
            return "invalid escape sequence";
    }
    return NULL;
}

/* At the first =, == or !=. False when there is none. */
static bool split(struct km_slice text, struct km_field_term *term)
{
    for (size_t i = 0; i < text.len; i++) {
        bool next = i + 1 < text.len && text.ptr[i + 1] == '=';
        if (text.ptr[i] != '=' && !(text.ptr[i] == '!' && next))
            continue;
        size_t sign = next ? 2 : 1;
        term->not_equal = text.ptr[i] == '!';
        term->field = (struct km_slice){text.ptr, i};
        term->value = (struct km_slice){text.ptr + i + sign, text.len - i - sign};
        return true;
    }
    return false;
}

/* A term's text: it ends where its value does. */
static struct km_slice whole(const struct km_field_term *term)
{
    size_t len = (size_t)(term->value.ptr - term->field.ptr) + term->value.len;
    return (struct km_slice){term->field.ptr, len};
}

static void sort_in(struct km_field_selector *s, const struct km_field_term *term)
{
    uint16_t at = s->term_count++;

    for (; at > 0 && km_slice_compare(whole(&s->terms[at - 1]), whole(term)) > 0; at--)
        s->terms[at] = s->terms[at - 1];
    s->terms[at] = *term;
}

static int add_term(struct km_field_selector *s, struct km_slice text, struct km_fault *fault)
{
    struct km_field_term term;
    char show[KM_SHOW_SIZE];

    if (!split(text, &term))
        return km_fault_set(fault, KM_ERR_SYNTAX,
                            "invalid field selector: can't understand '%s', expected FIELD=VALUE",
                            km_slice_show(text, show));
    const char *problem = value_problem(term.value);
    if (problem != NULL)
        return km_fault_set(fault, KM_ERR_SYNTAX, "invalid field selector '%s': %s",
                            km_slice_show(text, show), problem);
    if (term.field.len == 0 && term.value.len == 0)
        return KM_OK;
    if (s->term_count == KM_SELECTOR_TERMS)
        return km_fault_set(fault, KM_ERR_TOO_LONG, "more than %d terms in a field selector",
                            KM_SELECTOR_TERMS);
    sort_in(s, &term);
    return KM_OK;
}

int km_field_selector_parse(struct km_slice text, struct km_field_selector *out,
                            struct km_fault *fault)
{
    out->term_count = 0;
    while (text.len > 0) {
        size_t len = term_length(text), skip = len < text.len ? len + 1 : len;
        int err = len == 0 ? KM_OK : add_term(out, (struct km_slice){text.ptr, len}, fault);
        if (err != KM_OK)
            return err;
        text = (struct km_slice){text.ptr + skip, text.len - skip};
    }
    return KM_OK;
}

/* A valid value is escaped in one way only, so that it stands as it is. */
int km_field_selector_write(const struct km_field_selector *selector, char *out, size_t out_size)
{
    struct km_buf buf;

    km_buf_init(&buf, out, out_size);
    for (uint16_t i = 0; i < selector->term_count; i++) {
        if (i > 0)
            km_buf_putc(&buf, ',');
        km_buf_put_slice(&buf, selector->terms[i].field);
        km_buf_puts(&buf, selector->terms[i].not_equal ? "!=" : "=");
        km_buf_put_slice(&buf, selector->terms[i].value);
    }
    return buf.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

static bool equals_escaped(struct km_slice value, struct km_slice escaped)
{
    size_t at = 0;

    for (size_t i = 0; i < escaped.len; i++, at++) {
        i += escaped.ptr[i] == '\\';
        if (at == value.len || value.ptr[at] != escaped.ptr[i])
            return false;
    }
    return at == value.len;
}

bool km_field_selector_matches(const struct km_field_selector *selector,
                               const struct km_label *fields, size_t count)
{
    for (uint16_t i = 0; i < selector->term_count; i++) {
        const struct km_field_term *term = &selector->terms[i];
        struct km_slice value = {"", 0};
        for (size_t k = 0; k < count; k++) {
            if (km_slice_eq(fields[k].key, term->field))
                value = fields[k].value;
        }
        if (equals_escaped(value, term->value) == term->not_equal)
            return false;
    }
    return true;
}
