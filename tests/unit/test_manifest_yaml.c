/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdlib.h>
#include <string.h>

#include "kubemote/km_manifest.h"

#define JSON_BYTES 4096

static char json[JSON_BYTES], anchors[1024];
static struct km_manifest_member members[16];
static struct km_manifest manifest;
static struct km_fault fault;

/* All documents, each with a line end, then the error when there is one. */
static const char *read_all(const char *text, size_t json_size)
{
    static char out[JSON_BYTES * 2];
    const struct km_manifest_work work = {json, json_size, anchors, sizeof anchors, members, 16};
    struct km_slice document;
    struct km_buf buf;
    int err;

    km_buf_init(&buf, out, sizeof out);
    km_fault_clear(&fault);
    km_manifest_init(&manifest, "file", km_slice_of(text), &work);
    while ((err = km_manifest_next(&manifest, &document, &fault)) == KM_OK) {
        km_buf_put_slice(&buf, document);
        km_buf_putc(&buf, '\n');
    }
    if (err != KM_EOF) {
        assert_int_equal(err, KM_ERR_CONFIG);
        km_buf_puts(&buf, fault.text);
    }
    return out;
}

static void check(const char *text, const char *want)
{
    assert_string_equal(read_all(text, sizeof json), want);
}

static void test_types(void **state)
{
    (void)state;
    check("[yes, Off, y, ~, 010, 0x1F, 0b11, 1_000, -0, 08, \"1\", 'no', a]",
          "[true,false,true,null,8,31,3,1000,0,8,\"1\",\"no\",\"a\"]\n");
    check("[1.5, .5, 1., 1e3, 1e21, 1e-7, 1e400, 18446744073709551615, 18446744073709551616]",
          "[1.5,0.5,1,1000,1e+21,1e-7,\"1e400\",18446744073709551615,18446744073709552000]\n");
    check("[2001-01-01, 1:30, ! 12, !!str 12, !!float 3, !x 4, !!binary aGk=]",
          "[\"2001-01-01\",\"1:30\",\"12\",\"12\",3,\"4\",\"hi\"]\n");
    check("{-1e39: a}", "{\"-.inf\":\"a\"}\n");
    check("{1: a, true: b, 1.5: c, 1e6: d}",
          "{\"1\":\"a\",\"true\":\"b\",\"1.5\":\"c\",\"1e+06\":\"d\"}\n");
    check("a: \"\\u0001\\\"\\n\\\\\"", "{\"a\":\"\\u0001\\\"\\n\\\\\"}\n");
}

static void test_keys_and_merges(void **state)
{
    (void)state;
    check("{a: 1, b: 2, a: 3}", "{\"b\":2,\"a\":3}\n");
    check("x: &a {k: 1, l: 2}\nz: {k: 0, <<: *a, l: 3}\n",
          "{\"x\":{\"k\":1,\"l\":2},\"z\":{\"k\":1,\"l\":3}}\n");
    check("<<: [{a: 1}, {a: 2, b: 3}, {}]\n", "{\"a\":1,\"b\":3}\n");
    check("a: &x 1\n*x : b\n", "{\"a\":1,\"1\":\"b\"}\n");
    check("- &x [1]\n- *x\n- &x 2\n- *x\n", "[[1],[1],2,2]\n");
    check("<<: 3\n", "file:1: <<: expected a map or a list of maps");
    check("a: *b\n", "file:1: unknown anchor \"b\"");
    check("a: &b\n- *b\n", "file:2: the anchor \"b\" contains itself");
}

static void test_documents(void **state)
{
    (void)state;
    check("", "");
    check("# only words\n", "null\n");
    check("a\n---\nb\n---\n", "\"a\"\n\"b\"\n");
    check("---\n---\na\n", "null\n\"a\"\n");
    check("--- a\n--- # words\nb\n", "\"a\"\n\"b\"\n");
    check("%YAML 1.1\n---\na\n", "\"a\"\n");
    check(" {\"a\": [1, \"x y\"]}\n{\"b\":{}}", "{\"a\":[1,\"x y\"]}\n{\"b\":{}}\n");
    check("{\"a\":1}\n---\nb: 2\n", "{\"a\":1}\n{\"b\":2}\n");
    check("{a: 1}\n", "{\"a\":1}\n");
    check("a: 1\n---\nb: [\n",
          "{\"a\":1}\nfile:4: did not find expected node content, while parsing a flow node "
          "that begins in line 4");
    check("{\"a\":1}{\"b\":2}\n{\"c\":}", "{\"a\":1}\n{\"b\":2}\nfile:2: a value was expected");
}

static void test_limits(void **state)
{
    char deep[KM_MANIFEST_DEPTH + 2];

    (void)state;
    check("? [a]\n: b\n", "file:1: expected a key, which is a string, not a list");
    check("null: b\n", "file:1: expected a key, which is a string, not null");
    check("a: .inf\n", "file:1: an infinite number and no number have no place in JSON");
    assert_non_null(strstr(read_all("a: [1, 2, 3]\nb: long enough\n", 20), "more than 20 bytes"));
    assert_non_null(strstr(read_all("{\"a\": [1, 2, 3], \"b\": 1}", 12), "more than 12 bytes"));
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    assert_non_null(strstr(read_all(deep, sizeof json), "nested deeper than 64 levels"));
    assert_non_null(
        strstr(read_all("{a, b, c, d, e, f, g, h, i, j, k, l, m, o, p, q, r}", sizeof json),
               "more than 16 keys"));
}

/* The text has no NUL behind it: nothing may be read there. */
static void test_every_end(void **state)
{
    static const char text[] =
        "{\"a\":[{\"b\\\\\":\"c\\\"\"}]}\n{\"d\":1}---\ne: &x [1, \"\\n\"]\n<<: {f: *x}\n";
    const struct km_manifest_work work = {json, sizeof json, anchors, sizeof anchors, members, 16};

    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        char *part = malloc(len + 1);
        struct km_slice document;
        int err;

        assert_non_null(part);
        memcpy(part + 1, text, len);
        km_manifest_init(&manifest, "file", (struct km_slice){part + 1, len}, &work);
        while ((err = km_manifest_next(&manifest, &document, &fault)) == KM_OK)
            assert_true(document.len > 0);
        assert_true(err == KM_EOF || err == KM_ERR_CONFIG);
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),     cmocka_unit_test(test_keys_and_merges),
        cmocka_unit_test(test_documents), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
