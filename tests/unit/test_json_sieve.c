/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas, the exact pruned text, what happens when something is full, and pointers into a text. */
#include "km_test.h"

#include "kubemote/km_json.h"
#include "kubemote/km_json_table.h"

#define KM_TAINT_FIELDS(S, I, B, R, A, M) S(key, "/key", 8) S(effect, "/effect", 8)
KM_ELEMENT_STRUCT(taint, KM_TAINT_FIELDS)
#define KM_PAIR_FIELDS(S, I, B, R, A, M) S(key, "", 330) S(value, "", 8)
KM_ELEMENT_STRUCT(pair, KM_PAIR_FIELDS)
#define KM_BOX_FIELDS(S, I, B, R, A, M) \
    S(name, "/metadata/name", 8) \
    I(generation, "/metadata/generation") \
    M(labels, "/metadata/labels", pair, 2) \
    B(off, "/spec/off") \
    R(extra, "/spec/extra", 12) \
    A(taints, "/spec/taints", taint, 2) \
    R(third, "/list/2", 8)
KM_KIND_STRUCT(box, KM_BOX_FIELDS)
#define KM_LIST_FIELDS(S, I, B, R, A, M) \
    R(metadata, "/metadata", 4096) S(version, "/metadata/resourceVersion", 16)
KM_KIND_STRUCT(box_list, KM_LIST_FIELDS)

KM_ELEMENT_TABLE(taint, KM_TAINT_FIELDS)
KM_ELEMENT_TABLE(pair, KM_PAIR_FIELDS)
extern const struct km_kind km_kind_box, km_kind_box_list;
KM_KIND_TABLE(box, "Box", KM_BOX_FIELDS)
KM_KIND_TABLE(box_list, "BoxList", KM_LIST_FIELDS)

#define NODES 64
static const struct km_schema_part box_parts[] = {{"", &km_kind_box}};
static const struct km_schema_part list_parts[] = {{"", &km_kind_box_list},
                                                   {"/items", &km_kind_box}};
static struct km_schema_node box_nodes[NODES], list_nodes[NODES];
static struct km_schema boxes, lists;

/* All deliveries, one a line: "I" or "D", "!" on overflow, the text. */
static char seen[16384];
static size_t seen_len;
static int answer;

static int see(void *ctx, bool item, struct km_slice text, bool overflow)
{
    (void)ctx;
    seen_len += (size_t)snprintf(seen + seen_len, sizeof seen - seen_len, "%c%s%.*s\n",
                                 item ? 'I' : 'D', overflow ? "!" : "", (int)text.len, text.ptr);
    assert_true(seen_len < sizeof seen);
    return answer;
}

static int sift(const struct km_schema *schema, bool many, size_t window_size, const char *text,
                size_t step)
{
    static char window[8192];
    struct km_sieve sieve;
    size_t len = strlen(text);
    int err = KM_OK;

    seen_len = 0;
    seen[0] = '\0';
    km_sieve_init(&sieve, schema, many, window, window_size, see, NULL);
    for (size_t at = 0; err == KM_OK && at < len; at += step) {
        struct km_slice part = {text + at, step < len - at ? step : len - at};

        err = km_sieve_feed(&sieve, part);
    }
    return err != KM_OK ? err : km_sieve_end(&sieve);
}

static void expect(const struct km_schema *schema, size_t window_size, const char *text,
                   const char *pruned)
{
    static const size_t steps[] = {SIZE_MAX / 2, 1, 2, 3, 7, 64};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(sift(schema, false, window_size, text, steps[i]), KM_OK);
        assert_string_equal(seen, pruned);
    }
}

static void test_pruning(void **state)
{
    (void)state;
    expect(&boxes, 8192,
           " { \"metadata\" : {\"uid\":[{}], \"name\" : \"a\\nb\"}, \"kind\":\"Box\"} ",
           "D{\"metadata\":{\"name\":\"a\\nb\"}}\n");
    expect(&boxes, 8192, "{\"spec\":{\"extra\":{ \"a\" : 1 },\"off\":true}}",
           "D{\"spec\":{\"extra\":{ \"a\" : 1 },\"off\":true}}\n");
    expect(&boxes, 8192, "{\"list\":[1,{\"list\":2},[3 ],4]}", "D{\"list\":{\"2\":[3 ]}}\n");
    expect(&boxes, 8192, "{\"x\":[1,2,{\"metadata\":{\"name\":\"a\"}}]}", "D{}\n");
    expect(&boxes, 8192, "17", "Dnull\n");
    expect(&boxes, 8192, "\"text\"", "Dnull\n");
    expect(&boxes, 8192, "[]", "Dnull\n");
}

static void test_cutting(void **state)
{
    (void)state;
    /* Seven bytes are kept, whole characters, decoded. */
    expect(&boxes, 8192, "{\"metadata\":{\"name\":\"1234567\"}}",
           "D{\"metadata\":{\"name\":\"1234567\"}}\n");
    expect(&boxes, 8192, "{\"metadata\":{\"name\":\"12345678\"}}",
           "D{\"metadata\":{\"name\":\"1234567\"\t}}\n");
    expect(&boxes, 8192, "{\"metadata\":{\"name\":\"123456\xc3\xa9\"}}",
           "D{\"metadata\":{\"name\":\"123456\"\t}}\n");
    expect(&boxes, 8192, "{\"metadata\":{\"name\":\"123\\ud83d\\ude00\"}}",
           "D{\"metadata\":{\"name\":\"123\\ud83d\\ude00\"}}\n");
    expect(&boxes, 8192, "{\"metadata\":{\"name\":\"1234\\ud83d\\ude00\"}}",
           "D{\"metadata\":{\"name\":\"1234\"\t}}\n");
    expect(&boxes, 8192, "{\"metadata\":{\"name\":\"\\u0031\\u00e9\\u20ac\\n\\n\"}}",
           "D{\"metadata\":{\"name\":\"\\u0031\\u00e9\\u20ac\\n\"\t}}\n");
    expect(&boxes, 8192, "{\"spec\":{\"extra\":[1,2,3,4,5]}}",
           "D{\"spec\":{\"extra\":[1,2,3,4,5]}}\n");
    expect(&boxes, 8192, "{\"spec\":{\"extra\":[1,2,3,4,56]}}", "D{\"spec\":{\"extra\":null\t}}\n");
    expect(&boxes, 8192,
           "{\"spec\":{\"taints\":[{\"key\":\"a\"},{},{\"key\":\"b\"},7],\"off\":true}}",
           "D{\"spec\":{\"taints\":[{\"key\":\"a\"},{}]\t,\"off\":true}}\n");
    expect(&boxes, 8192,
           "{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"},\"name\":null}}",
           "D{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"}\t,\"name\":null}}\n");
}

static void test_other_types(void **state)
{
    (void)state;
    expect(&boxes, 8192, "{\"metadata\":{\"name\":1,\"generation\":\"2\",\"labels\":[]}}",
           "D{\"metadata\":{\"name\":null\t,\"generation\":null\t,\"labels\":null\t}}\n");
    expect(&boxes, 8192,
           "{\"metadata\":{\"name\":{\"a\":1},\"generation\":1e5,\"labels\":{\"a\":1}}}",
           "D{\"metadata\":{\"name\":null\t,\"generation\":1e5,\"labels\":{\"a\":null\t}}}\n");
    expect(&boxes, 8192, "{\"metadata\":{\"generation\":1234567890123456789012345678901234}}",
           "D{\"metadata\":{\"generation\":null\t}}\n");
    expect(&boxes, 8192, "{\"metadata\":[],\"spec\":\"x\",\"list\":{\"2\":1}}",
           "D{\"metadata\":null,\"spec\":null,\"list\":{\"2\":1}}\n");
}

static void test_keys(void **state)
{
    char text[800], long_key[360], pruned[800];

    (void)state;
    expect(&boxes, 8192, "{\"m\\u0065tadata\":{\"n\\u0061me\":\"a\",\"name\\u0000\":\"b\"}}",
           "D{\"m\\u0065tadata\":{\"n\\u0061me\":\"a\"}}\n");
    /* Nobody can ask for a name of more than so many bytes; a map takes what fits of it. */
    memset(long_key, 'k', sizeof long_key);
    long_key[sizeof long_key - 1] = '\0';
    (void)snprintf(text, sizeof text, "{\"%s\":1,\"metadata\":{\"labels\":{\"%s\":\"v\"}}}",
                   long_key, long_key);
    (void)snprintf(pruned, sizeof pruned, "D{\"metadata\":{\"labels\":{\"%.*s\":\"v\"\t}}}\n",
                   CONFIG_KM_JSON_KEY_BYTES, long_key);
    expect(&boxes, 8192, text, pruned);
}

static void test_lists(void **state)
{
    (void)state;
    expect(&lists, 8192,
           "{\"kind\":\"L\",\"items\":[{\"spec\":{\"off\":true},\"x\":1}, 5 "
           ",{}],\"metadata\":{\"a\":1}}",
           "I{\"spec\":{\"off\":true}}\nInull\nI{}\nD{\"items\":[],\"metadata\":{\"a\":1}}\n");
    expect(&lists, 8192, "{\"items\":{\"a\":{}}}", "D{\"items\":null}\n");
    expect(&lists, 8192, "{\"items\":null}", "D{\"items\":null}\n");
}

static void test_stream(void **state)
{
    (void)state;
    assert_int_equal(sift(&boxes, true, 8192, "{}\n{\"spec\":{}}{}\n", 3), KM_OK);
    assert_string_equal(seen, "D{}\nD{\"spec\":{}}\nD{}\n");
    assert_int_equal(sift(&boxes, true, 8192, "", 3), KM_OK);
    assert_int_equal(sift(&boxes, true, 8192, "{} {\"spec\"", 3), KM_ERR_TRUNCATED);
    assert_int_equal(sift(&boxes, false, 8192, "{\"spec\":", 3), KM_ERR_TRUNCATED);
    assert_int_equal(sift(&boxes, false, 8192, "{\"x\":[1,]}", 3), KM_ERR_SYNTAX);
    assert_int_equal(sift(&boxes, false, 8192, "<html>", 3), KM_ERR_SYNTAX);
    assert_int_equal(sift(&boxes, false, 8192, "{} {}", 3), KM_ERR_SYNTAX);
    answer = KM_ERR_CANCELED;
    assert_int_equal(sift(&boxes, true, 8192, "{}\n{}", 64), KM_ERR_CANCELED);
    assert_string_equal(seen, "D{}\n");
    answer = KM_OK;
}

static struct km_box box;

/* A document of a list whose own text fills the window still gives its items, and each item stands alone. */
static void test_overflow(void **state)
{
    const size_t small = CONFIG_KM_JSON_KEY_BYTES + 20;
    char big[3000], text[8192], cut[1024];

    (void)state;
    memset(big, 'x', sizeof big);
    big[sizeof big - 1] = '\0';
    (void)snprintf(
        text, sizeof text,
        "{\"metadata\":{\"a\":\"%s\"},\"items\":[{\"spec\":{\"off\":true}},{\"spec\":{}}],"
        "\"x\":1}",
        big);
    expect(&lists, small, text, "I{\"spec\":{\"off\":true}}\nI{\"spec\":{}}\nD!\n");
    /* Where exactly the window ends makes no difference to the items. */
    for (size_t len = 250; len < 340; len++) {
        (void)snprintf(text, sizeof text,
                       "{\"metadata\":\"%.*s\",\"items\":[{\"spec\":{\"off\":true}}],\"x\":1}",
                       (int)len, big);
        assert_int_equal(sift(&lists, false, small, text, 5), KM_OK);
        /* One with as much else before it may not fit; then it is told, and so is the document in its own right. */
        assert_true(strncmp(seen, "I{\"spec\":{\"off\":true}}\nD", 24) == 0 ||
                    strncmp(seen, "I!", 2) == 0);
        assert_non_null(strstr(seen, "\nD"));
    }
    (void)snprintf(text, sizeof text,
                   "{\"items\":[{\"metadata\":{\"labels\":{\"%.*s\":\"a\",\"%.*s\":\"b\"}}},"
                   "{\"spec\":{}}],\"metadata\":1}",
                   300, big, 301, big);
    (void)snprintf(cut, sizeof cut,
                   "I!{\"metadata\":{\"labels\":{}\t}\t}\t\nI{\"spec\":{}}\n"
                   "D{\"items\":[],\"metadata\":1}\n");
    expect(&lists, small, text, cut);
    (void)snprintf(text, sizeof text,
                   "{\"spec\":{\"off\":true},\"metadata\":{\"labels\":{\"%.*s\":\"a\","
                   "\"%.*s\":\"b\"}}}{}",
                   300, big, 301, big);
    assert_int_equal(sift(&boxes, true, small, text, 9), KM_OK);
    assert_string_equal(seen,
                        "D!{\"spec\":{\"off\":true},\"metadata\":{\"labels\":{}\t}\t}\t\nD{}\n");
}

/* Whatever the window, what did not fit ends behind a whole value, is closed, and its record says that there was more. */
static void test_cut_off(void **state)
{
    const char *const text = "{\"spec\":{\"off\":true},\"metadata\":{\"labels\":{\"a\":\"b\","
                             "\"long-name\":\"d\"},\"name\":\"n\"}}";
    const size_t least = CONFIG_KM_JSON_KEY_BYTES + 16;
    char filled[1024];
    unsigned cuts = 0;

    (void)state;
    for (size_t filler = 150; filler < 330; filler++) {
        struct km_slice seen_text;
        void *dest[] = {&box};

        (void)snprintf(filled, sizeof filled, "{\"metadata\":{\"labels\":{\"%0*d\":\"x\"}},%s",
                       (int)filler, 0, text + 1);
        assert_int_equal(sift(&boxes, false, least, filled, filler % 7 + 1), KM_OK);
        if (strncmp(seen, "D!", 2) != 0)
            continue;
        seen_text = (struct km_slice){seen + 2, seen_len - 3};
        assert_true(seen_text.len > 1 && seen_text.ptr[seen_text.len - 1] == '\t');
        assert_int_equal(km_json_decode(&boxes, false, seen_text, dest), KM_OK);
        assert_true(box.head.truncated > 0);
        cuts++;
    }
    assert_true(cuts > 50);
}

static struct km_box_list list;

static int decode(const char *text)
{
    void *dest[] = {&box};

    return km_json_decode(&boxes, false, km_slice_of(text), dest);
}

static void test_decode(void **state)
{
    void *none[] = {NULL, NULL}, *both[] = {&list, &box};

    (void)state;
    assert_int_equal(
        decode("{\"metadata\":{\"name\":\"a\\u00e9\",\"generation\":-9223372036854775808,"
               "\"labels\":{\"x\":\"1\",\"y/z\":\"2\"}},\"spec\":{\"off\":true,\"extra\":[1],"
               "\"taints\":[{\"key\":\"k\",\"effect\":\"e\"}]},\"list\":{\"2\":\"s\"}}"),
        KM_OK);
    assert_int_equal(box.head.truncated, 0);
    assert_string_equal(box.name, "a\xc3\xa9");
    assert_true(box.generation == INT64_MIN);
    assert_int_equal(box.labels_count, 2);
    assert_string_equal(box.labels[1].key, "y/z");
    assert_string_equal(box.labels[1].value, "2");
    assert_true(box.off);
    assert_string_equal(box.extra, "[1]");
    assert_int_equal(box.taints_count, 1);
    assert_string_equal(box.taints[0].effect, "e");
    assert_string_equal(box.third, "\"s\"");
    /* A text that did not go through the sieve is cut by the decoder. */
    assert_int_equal(
        decode("{\"metadata\":{\"name\":\"123456789\",\"labels\":{\"a\":\"\",\"b\":\"\","
               "\"c\":\"\"}},\"list\":[0,1,2]}"),
        KM_OK);
    assert_int_equal(box.head.truncated, 2);
    assert_string_equal(box.name, "1234567");
    assert_int_equal(box.labels_count, 2);
    assert_string_equal(box.third, "2");
    assert_int_equal(box.taints_count, 0);
    assert_int_equal(decode(""), KM_ERR_SYNTAX);
    assert_int_equal(decode("{\"metadata\":{}"), KM_ERR_SYNTAX);
    assert_int_equal(decode("{\"metadata\" 1}"), KM_ERR_SYNTAX);
    assert_int_equal(km_json_decode(&boxes, true, km_slice_of("{}"), none), KM_ERR_ARG);
    assert_int_equal(km_json_decode(&lists, true, km_slice_of("{\"spec\":{\"off\":true}}"), both),
                     KM_OK);
    assert_true(box.off);
    assert_int_equal(km_json_decode(&lists, false,
                                    km_slice_of("{\"metadata\":{\"resourceVersion\":\"7\"}}"),
                                    both),
                     KM_OK);
    assert_string_equal(list.version, "7");
    assert_string_equal(list.metadata, "{\"resourceVersion\":\"7\"}");
    assert_false(box.off);
}

static const struct km_pool *token_pool(void)
{
    const struct km_pool *pool = km_pool_first();

    while (pool != NULL && strcmp(pool->name, "json_tokens") != 0)
        pool = pool->next;
    return pool;
}

static void test_tokens(void **state)
{
    const struct km_pool *pool = token_pool();
    static char text[2 * CONFIG_KM_JSON_TOKEN_COUNT + 16];

    (void)state;
    assert_non_null(pool);
    text[0] = '[';
    for (size_t i = 0; i < CONFIG_KM_JSON_TOKEN_COUNT - 1; i++)
        memcpy(text + 1 + 2 * i, "0,", 2);
    memcpy(text + 2 * CONFIG_KM_JSON_TOKEN_COUNT - 2, "]", 2);
    assert_int_equal(decode(text), KM_OK);
    assert_int_equal(pool->max, CONFIG_KM_JSON_TOKEN_COUNT);
    assert_int_equal(pool->used, 0);
    assert_int_equal(pool->refused, 0);
    memcpy(text + 2 * CONFIG_KM_JSON_TOKEN_COUNT - 2, ",0]", 4);
    assert_int_equal(decode(text), KM_OK);
    assert_int_equal(pool->refused, 1);
    assert_int_equal(pool->used, 0);
}

/* Wherever the tokens end: what came before is there, and the record says that there was more. */
static void test_too_many_tokens(void **state)
{
    static const char start[] = "{\"metadata\":{\"name\":\"n\"},\"x\":[0";
    static const char end[] =
        "],\"metadata\":{\"name\":\"late\",\"labels\":{\"a\":\"b\"}},"
        "\"spec\":{\"off\":true,\"extra\":[1,2],\"taints\":[{\"key\":\"k\"}]}}";
    static char text[2 * CONFIG_KM_JSON_TOKEN_COUNT + sizeof start + sizeof end];
    unsigned whole = 0, cut = 0;

    (void)state;
    for (size_t fill = CONFIG_KM_JSON_TOKEN_COUNT - 40; fill < CONFIG_KM_JSON_TOKEN_COUNT; fill++) {
        size_t at = sizeof start - 1;

        memcpy(text, start, at);
        for (size_t i = 0; i < fill; i++, at += 2)
            memcpy(text + at, ",0", 2);
        memcpy(text + at, end, sizeof end);
        assert_int_equal(decode(text), KM_OK);
        whole += box.head.truncated == 0;
        cut += box.head.truncated != 0;
        assert_true(box.head.truncated != 0 || (box.off && strcmp(box.name, "late") == 0));
        assert_true(!box.off || strcmp(box.name, "late") == 0);
        assert_true(strcmp(box.extra, "[1,2]") == 0 || box.head.truncated != 0);
        assert_true(box.extra[0] == '\0' || strcmp(box.extra, "[1,2]") == 0);
    }
    assert_true(whole > 5 && cut > 5);
    assert_string_equal(box.name, "n");
}

/* ---- schemas ---- */

static int init(const struct km_field *fields, uint16_t count, const char *prefix,
                const char *items, uint16_t node_size)
{
    static struct km_schema_node nodes[NODES];
    struct km_kind kind = {.name = "k", .fields = fields, .field_count = count};
    struct km_schema_part part = {prefix, &kind};
    struct km_schema schema;

    return km_schema_init(&schema, &part, 1, items, nodes, node_size);
}

#define INIT(prefix, items, ...) \
    init((const struct km_field[]){__VA_ARGS__}, \
         sizeof((const struct km_field[]){__VA_ARGS__}) / sizeof(struct km_field), prefix, items, \
         NODES)
#define FIELD(path_, type_) {.path = (path_), .type = (type_), .size = 8}

static void test_schema(void **state)
{
    static const struct km_field sub[] = {FIELD("", KM_F_STRING), FIELD("/x", KM_F_STRING)};
    struct km_field array = {
        .path = "/a", .type = KM_F_ARRAY, .size = 16, .sub = sub, .sub_count = 2};
    struct km_field map = array, two[2] = {array, FIELD("/a/0", KM_F_RAW)};
    char deep[64] = "", longer[CONFIG_KM_JSON_KEY_BYTES + 3];

    (void)state;
    assert_int_equal(INIT("", NULL, FIELD("/a", KM_F_STRING), FIELD("/a", KM_F_INT64)), KM_ERR_ARG);
    assert_int_equal(INIT("", NULL, FIELD("/a", KM_F_RAW), FIELD("/a", KM_F_RAW)), KM_ERR_ARG);
    assert_int_equal(INIT("", NULL, FIELD("/a", KM_F_RAW), FIELD("/a", KM_F_STRING)), KM_OK);
    assert_int_equal(INIT("", NULL, FIELD("/a", KM_F_STRING), FIELD("/a/b", KM_F_STRING)), KM_OK);
    assert_int_equal(INIT("", NULL, FIELD("a", KM_F_STRING)), KM_ERR_ARG);
    assert_int_equal(INIT("", NULL, FIELD("/a~2", KM_F_STRING)), KM_ERR_ARG);
    assert_int_equal(INIT("/a~", NULL, FIELD("/a", KM_F_STRING)), KM_ERR_ARG);
    assert_int_equal(INIT("", "items", FIELD("/a", KM_F_STRING)), KM_ERR_ARG);
    assert_int_equal(INIT("", "/a", FIELD("/a", KM_F_RAW)), KM_ERR_ARG);
    assert_int_equal(INIT("", "/a", FIELD("/a/0", KM_F_STRING)), KM_ERR_ARG);
    assert_int_equal(init(&array, 1, "", NULL, NODES), KM_ERR_ARG); /* no room for elements */
    array.count_max = map.count_max = two[0].count_max = 3;
    assert_int_equal(init(&array, 1, "", NULL, NODES), KM_OK);
    assert_int_equal(init(two, 2, "", NULL, NODES), KM_ERR_ARG);
    map.type = KM_F_MAP;
    assert_int_equal(init(&map, 1, "", NULL, NODES), KM_OK);
    assert_int_equal(init(&map, 1, "", NULL, 3), KM_ERR_FULL);
    assert_int_equal(init(&map, 1, "", NULL, 4), KM_OK);
    for (int i = 0; i <= KM_SCHEMA_DEPTH; i++)
        strcat(deep, "/d");
    assert_int_equal(INIT("", NULL, FIELD(deep, KM_F_STRING)), KM_ERR_ARG);
    assert_int_equal(INIT("", NULL, FIELD(deep + 2, KM_F_STRING)), KM_OK);
    memset(longer, 'k', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(INIT("", NULL, FIELD(longer, KM_F_STRING)), KM_ERR_ARG);
    longer[sizeof longer - 2] = '\0';
    assert_int_equal(INIT("", NULL, FIELD(longer, KM_F_STRING)), KM_OK);
}

static void test_find(void **state)
{
    static const struct {
        const char *pointer, *value;
    } cases[] = {
        {"", "{\"a\": [1, {\"b\":null} ,3],\"a/b\":2,\"m~n\":\"x\",\"\":0,\"\\u0063\": {} "
             ",\"d\":1,\"d\":2}"},
        {"/a/0", "1"},
        {"/a/1", "{\"b\":null}"},
        {"/a/1/b", "null"},
        {"/a/2", "3"},
        {"/a/3", NULL},
        {"/a/01", NULL},
        {"/a/-", NULL},
        {"/a~1b", "2"},
        {"/m~0n", "\"x\""},
        {"/", "0"},
        {"/c", "{}"},
        {"/d", "2"},
        {"/d/e", NULL},
        {"/A", NULL},
    };
    struct km_slice text = km_slice_of(cases[0].value), value;
    char out[8];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int err = km_json_find(text, cases[i].pointer, &value);

        assert_int_equal(err, cases[i].value != NULL ? KM_OK : KM_ERR_NOT_FOUND);
        assert_true(err != KM_OK || km_slice_eq_str(value, cases[i].value));
    }
    assert_int_equal(km_json_find(text, "a", &value), KM_ERR_ARG);
    assert_int_equal(km_json_find(km_slice_of("{\"a\":1"), "/a", &value), KM_ERR_SYNTAX);
    assert_int_equal(km_json_find(km_slice_of("{\"a\""), "/a", &value), KM_ERR_SYNTAX);
    assert_int_equal(km_json_find(km_slice_of(" "), "/a", &value), KM_ERR_NOT_FOUND);
    assert_int_equal(km_json_find(km_slice_of(" [7] "), "/0", &value), KM_OK);
    assert_true(km_slice_eq_str(value, "7"));
    assert_true(km_json_unquote(km_slice_of("\"a\\tb\""), out, sizeof out));
    assert_string_equal(out, "a\tb");
    assert_false(km_json_unquote(km_slice_of("\"12345678\""), out, sizeof out));
    assert_string_equal(out, "1234567");
    assert_false(km_json_unquote(km_slice_of("17"), out, sizeof out));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pruning),
        cmocka_unit_test(test_cutting),
        cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_too_many_tokens),
        cmocka_unit_test(test_schema),
        cmocka_unit_test(test_find),
    };

    if (km_schema_init(&boxes, box_parts, 1, NULL, box_nodes, NODES) != KM_OK ||
        km_schema_init(&lists, list_parts, 2, "/items", list_nodes, NODES) != KM_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
