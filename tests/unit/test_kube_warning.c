/* SPDX-License-Identifier: Apache-2.0 */
/* Warning headers, friendly and hostile. The cases are those of apimachinery's TestParseWarningHeader, and worse ones. */
#include "agent/kube/kube_priv.h"
#include "km_test.h"

static char told[4096];
static struct km_buf out;

static void on_warning(void *ctx, struct km_slice text)
{
    (void)ctx;
    km_buf_put_slice(&out, text);
    km_buf_putc(&out, '|');
}

static struct km_client client = {.on_warning = on_warning};

/* The warnings of an answer with these header lines, each ended by '|'. */
static const char *warnings(const char *lines)
{
    static char head[8192];
    struct km_http_parser parser;
    struct km_slice body;
    km_buf_init(&out, told, sizeof told);
    int len = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n%s\r\n", lines);
    struct km_slice in = {head, (size_t)len};
    km_http_parser_init(&parser, false);
    if (km_http_feed(&parser, &in, &body) < 0)
        return "refused";
    kube_warnings(&client, &parser);
    return told;
}

static void a_text_with_code_299_is_told(void **state)
{
    (void)state;
    assert_string_equal(warnings("Warning: 299 - \"v1 is old\"\r\n"), "v1 is old|");
    assert_string_equal(
        warnings("warning: 299 agent:80 \"x\" \"Tue, 15 Nov 1994 08:12:31 GMT\"\r\n"), "x|");
    assert_string_equal(warnings("Warning: 299 - \"a \\\"b\\\" \\\\c\"\r\n"), "a \"b\" \\c|");
    assert_string_equal(warnings("Warning: 299 - \"\xc3\xa9\xe2\x82\xac\"\r\n"),
                        "\xc3\xa9\xe2\x82\xac|");
}

static void several_stand_in_one_header_or_in_several(void **state)
{
    (void)state;
    assert_string_equal(
        warnings("Warning: 299 - \"a\", 299 - \"b\"\r\nWarning: 299 - \"c, d\"\r\n"), "a|b|c, d|");
}

static void other_codes_and_empty_texts_are_not_told(void **state)
{
    (void)state;
    assert_string_equal(warnings("Warning: 199 - \"a\", 299 - \"b\"\r\n"), "b|");
    assert_string_equal(warnings("Warning: 299 - \"\"\r\n"), "");
    assert_string_equal(warnings("Warning:\r\n"), "");
    assert_string_equal(warnings(""), "");
}

static void what_is_malformed_drops_the_rest_of_its_header(void **state)
{
    static const char *const bad[] = {
        "299",
        "299 -",
        "299 - ",
        "299 - a",
        "299 - \"a",
        "299 - \"a\\",
        "299 - \"a\\\"",
        "29 - \"a\"",
        "2999 - \"a\"",
        "299  \"a\"",
        "299 \"a\"",
        "\"a\"",
        "299 - \"a\"b",
        ",",
        "299 - \"a\" \"b",
        "299 - \"a\";x",
        "299 - \"a\" 299 - ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char lines[256];
        (void)snprintf(lines, sizeof lines,
                       "Warning: %s, 299 - \"later\"\r\nWarning: 299 - \"next\"\r\n", bad[i]);
        const char *got = warnings(lines);
        assert_null(strstr(got, "later"));
        assert_non_null(strstr(got, "next"));
    }
}

/* Nothing that a terminal would obey gets as far as a warning. */
static void control_characters_are_refused_with_the_answer(void **state)
{
    (void)state;
    assert_string_equal(warnings("Warning: 299 - \"\x1b[2J\"\r\n"), "refused");
    assert_string_equal(warnings("Warning: 299 - \"a\rb\"\r\n"), "refused");
}

static void a_long_text_is_cut(void **state)
{
    char lines[2048];
    struct km_buf text;
    (void)state;
    km_buf_init(&text, lines, sizeof lines);
    km_buf_puts(&text, "Warning: 299 - \"");
    for (int i = 0; i < 1000; i++)
        km_buf_putc(&text, 'x');
    km_buf_puts(&text, "\", 299 - \"behind it\"\r\n");
    const char *got = warnings(lines);
    assert_true(strspn(got, "x") > 100 && strspn(got, "x") < 1000);
    assert_non_null(strstr(got, "|behind it|"));
}

static void nobody_need_listen(void **state)
{
    (void)state;
    client.on_warning = NULL;
    assert_string_equal(warnings("Warning: 299 - \"a\"\r\n"), "");
    client.on_warning = on_warning;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_with_code_299_is_told),
        cmocka_unit_test(several_stand_in_one_header_or_in_several),
        cmocka_unit_test(other_codes_and_empty_texts_are_not_told),
        cmocka_unit_test(what_is_malformed_drops_the_rest_of_its_header),
        cmocka_unit_test(control_characters_are_refused_with_the_answer),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(nobody_need_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
