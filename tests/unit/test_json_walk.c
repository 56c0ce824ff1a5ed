/* SPDX-License-Identifier: Apache-2.0 */
/* A walk tells everything that stands in a text: the text can be written again from its events, however it was cut. */
#include "km_test.h"

#include "kubemote/km_json_walk.h"

static char again[4096], paths[8192];
static size_t again_len, paths_len;
static bool comma;

static void put(char *out, size_t size, size_t *len, const char *text, size_t text_len)
{
    assert_true(*len + text_len < size);
    memcpy(out + *len, text, text_len);
    *len += text_len;
    out[*len] = '\0';
}

static void put_again(const char *text, size_t len)
{
    put(again, sizeof again, &again_len, text, len);
}

static void before_value(void)
{
    if (comma)
        put_again(",", 1);
    comma = false;
}

static int on_event(void *ctx, const struct km_json_walk *w, enum km_walk_event event,
                    struct km_slice text)
{
    static bool open[CONFIG_KM_JSON_DEPTH + 1], in_scalar;

    (void)ctx;
    switch (event) {
    case KM_WALK_OBJECT:
    case KM_WALK_ARRAY:
        before_value();
        put_again(event == KM_WALK_OBJECT ? "{" : "[", 1);
        open[w->depth] = event == KM_WALK_OBJECT;
        in_scalar = false;
        break;
    case KM_WALK_END:
        put_again(open[w->depth] ? "}" : "]", 1);
        comma = true;
        break;
    case KM_WALK_KEY:
        before_value();
        put_again("\"", 1);
        put_again(text.ptr, text.len);
        put_again("\":", 2);
        break;
    case KM_WALK_PART:
        if (!in_scalar)
            before_value();
        in_scalar = true;
        put_again(text.ptr, text.len);
        break;
    case KM_WALK_SCALAR:
        put(paths, sizeof paths, &paths_len, w->path, strlen(w->path));
        put(paths, sizeof paths, &paths_len, w->path_cut ? "!\n" : "\n", w->path_cut ? 2 : 1);
        in_scalar = false;
        comma = true;
        break;
    }
    return KM_OK;
}

static int walk(const char *text, size_t first, size_t step)
{
    static struct km_json_walk w;
    size_t len = strlen(text), at = 0;
    int err = KM_OK;

    again_len = paths_len = 0;
    again[0] = paths[0] = '\0';
    comma = false;
    km_json_walk_init(&w, false, on_event, NULL);
    while (at < len && err == KM_OK) {
        size_t n = at == 0 && first > 0 ? first : step;

        if (n > len - at)
            n = len - at;
        err = km_json_walk_feed(&w, (struct km_slice){text + at, n});
        at += n;
    }
    return err == KM_OK ? km_json_walk_end(&w) : err;
}

static const char document[] =
    "{\"a\":[1,{},[],-2.5e+7,{\"b\":null}],\"c/d\":\"x\\n\\\"y\",\"~\":{\"e\":"
    "true},\"\":\"\",\"f\":[[[false]],\"\\u00e9\xc3\xa9\"]}";
static const char document_paths[] = "/a/0\n/a/3\n/a/4/b\n/c~1d\n/~0/e\n/\n/f/0/0/0\n/f/1\n";

static void whole_and_cut(void **state)
{
    size_t len = strlen(document);

    (void)state;
    for (size_t cut = 1; cut <= len; cut++) {
        assert_int_equal(walk(document, cut, len), KM_OK);
        assert_string_equal(again, document);
        assert_string_equal(paths, document_paths);
    }
    assert_int_equal(walk(document, 0, 1), KM_OK);
    assert_string_equal(again, document);
    assert_string_equal(paths, document_paths);
}

static void top_values(void **state)
{
    static const char *const texts[] = {"12", "\"\"", "null", "[]", "{}", "-0.5e3"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(walk(texts[i], 0, 1), KM_OK);
        assert_string_equal(again, texts[i]);
    }
}

static void white_space(void **state)
{
    (void)state;
    assert_int_equal(walk(" { \"a\" :\t[ 1 , 2 ] ,\n \"b\" : \" c \" } ", 0, 1), KM_OK);
    assert_string_equal(again, "{\"a\":[1,2],\"b\":\" c \"}");
}

static void broken(void **state)
{
    static const char *const texts[] = {"{\"a\":}", "[1,]", "{\"a\" 1}", "\"\x01\"",
                                        "[1",       "tru",  ""};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(walk(texts[i], 0, 1) < 0);
}

static void depth_and_long_paths(void **state)
{
    char text[2048];
    size_t len = 0;

    (void)state;
    for (int i = 0; i <= CONFIG_KM_JSON_DEPTH; i++)
        text[len++] = '[';
    text[len] = '\0';
    assert_int_equal(walk(text, 0, 1), KM_ERR_DEPTH);
    /* A name that does not fit, then one that does. */
    (void)snprintf(text, sizeof text, "{\"%0*d\":{\"x\":1},\"y\":2}",
                   CONFIG_KM_JSON_PATH_BYTES + 10, 0);
    assert_int_equal(walk(text, 0, 7), KM_OK);
    assert_string_equal(paths, "!\n/y\n");
}

static struct {
    const char *pattern;
    bool below;
    unsigned hits;
} looks[] = {{"/a/*", false, 0}, {"/a", true, 0},     {"/*/4/b", false, 0},
             {"", true, 0},      {"/c~1d", false, 0}, {"/f/*/*", true, 0}};

static int on_look(void *ctx, const struct km_json_walk *w, enum km_walk_event event,
                   struct km_slice text)
{
    (void)ctx;
    (void)text;
    for (size_t i = 0; event == KM_WALK_SCALAR && i < sizeof looks / sizeof looks[0]; i++)
        looks[i].hits += looks[i].below ? (km_json_walk_below(w, looks[i].pattern) != NULL)
                                        : km_json_walk_at(w, looks[i].pattern);
    return KM_OK;
}

static void patterns(void **state)
{
    static const unsigned expected[] = {2, 3, 1, 8, 1, 1};
    static struct km_json_walk w;

    (void)state;
    km_json_walk_init(&w, false, on_look, NULL);
    assert_int_equal(km_json_walk_feed(&w, km_slice_of(document)), KM_OK);
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        assert_int_equal(looks[i].hits, expected[i]);
}

static const char *long_name;

static int on_long_name(void *ctx, const struct km_json_walk *w, enum km_walk_event event,
                        struct km_slice text)
{
    unsigned *keys = ctx;

    if (event != KM_WALK_KEY)
        return KM_OK;
    (*keys)++;
    assert_int_equal(text.len, *keys == 1 ? CONFIG_KM_JSON_KEY_BYTES : 1);
    assert_memory_equal(text.ptr, *keys == 1 ? long_name : "b", text.len);
    assert_int_equal(w->path_cut, *keys == 1);
    return KM_OK;
}

/* A name that is too long is cut at the same place however it came, and says so. */
static void a_name_that_is_too_long(void **state)
{
    static char text[CONFIG_KM_JSON_KEY_BYTES + 100];
    static struct km_json_walk w;
    static const char tail[] = "\":1,\"b\":2}";
    size_t len = sizeof text - sizeof tail;

    (void)state;
    memcpy(text, "{\"", 2);
    for (size_t i = 2; i < len; i++)
        text[i] = (char)('a' + i % 26);
    memcpy(text + len, tail, sizeof tail);
    long_name = text + 2;
    for (size_t step = 1; step < sizeof text; step++) {
        unsigned keys = 0;

        km_json_walk_init(&w, false, on_long_name, &keys);
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            size_t n = sizeof text - 1 - at < step ? sizeof text - 1 - at : step;
            assert_int_equal(km_json_walk_feed(&w, (struct km_slice){text + at, n}), KM_OK);
        }
        assert_int_equal(km_json_walk_end(&w), KM_OK);
        assert_int_equal(keys, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_is_too_long),
        cmocka_unit_test(whole_and_cut),
        cmocka_unit_test(top_values),
        cmocka_unit_test(white_space),
        cmocka_unit_test(broken),
        cmocka_unit_test(depth_and_long_paths),
        cmocka_unit_test(patterns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
