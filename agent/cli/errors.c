/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "errors.h"

#define LINE_BYTES 4096
#define TEXT_BYTES 16384

/* Lines that wait, each with a NUL behind it. */
struct lines {
    char data[TEXT_BYTES];
    size_t len;
    unsigned count;
};

static struct {
    struct lines objects, input;
    char alone[LINE_BYTES]; /* the first of objects in the words of a single error */
    char line[LINE_BYTES];
} errors KM_POOL_STORAGE(cli_errors);

static void print_line(const char *text)
{
    err_text(text);
    err_text("\n");
}

static void print_all(const struct lines *lines)
{
    for (size_t at = 0; at < lines->len; at += strlen(lines->data + at) + 1)
        print_line(lines->data + at);
}

/* What does not fit is told at once. */
static void add(struct lines *lines, const char *text)
{
    size_t size = strlen(text) + 1;
    lines->count++;
    if (size > sizeof lines->data - lines->len) {
        print_line(text);
        return;
    }
    memcpy(lines->data + lines->len, text, size);
    lines->len += size;
}

void errors_add(int err, const struct km_request *r, const char *verb, const char *source)
{
    const struct fail f = {.err = err, .request = r, .verb = verb, .source = source};
    errors_add_fail(&f);
}

void errors_add_fail(const struct fail *fail)
{
    struct fail f = *fail;
    struct km_buf out;
    f.alone = true;
    if (errors.objects.count == 0) {
        km_buf_init(&out, errors.alone, sizeof errors.alone);
        fail_put(&out, &f);
    }
    f.alone = false;
    km_buf_init(&out, errors.line, sizeof errors.line);
    fail_put(&out, &f);
    add(&errors.objects, errors.line);
}

void errors_add_text(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(errors.line, sizeof errors.line, format, args);
    va_end(args);
    if (errors.objects.count == 0) {
        struct km_buf out;
        km_buf_init(&out, errors.alone, sizeof errors.alone);
        if (strncmp(errors.line, "error: ", 7) != 0)
            km_buf_puts(&out, "error: ");
        km_buf_puts(&out, errors.line);
    }
    add(&errors.objects, errors.line);
}

void errors_add_input(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(errors.line, sizeof errors.line, format, args);
    va_end(args);
    add(&errors.input, errors.line);
}

bool errors_any(void)
{
    return errors.objects.count + errors.input.count > 0;
}

static void print_input(void)
{
    const struct lines *lines = &errors.input;
    if (lines->count > 1)
        err_text("[");
    for (size_t at = 0; at < lines->len; at += strlen(lines->data + at) + 1) {
        if (at > 0)
            err_text(", ");
        err_text(lines->data + at);
    }
    if (lines->count > 0)
        err_text(lines->count > 1 ? "]\n" : "\n");
}

int errors_finish(bool input_first)
{
    if (!errors_any())
        return 0;
    if (errors.objects.count == 0) {
        if (errors.input.count == 1)
            err_text("error: ");
        print_all(&errors.input);
    } else if (errors.objects.count == 1 && errors.input.count == 0) {
        print_line(errors.alone);
    } else if (input_first) {
        print_input();
        print_all(&errors.objects);
    } else {
        print_all(&errors.objects);
        print_input();
    }
    return 1;
}
