/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdio.h>
#include <string.h>

#include "agent/log/log_priv.h"
#include "km_corpus.h"
#include "kubemote/km_log_sink.h"

#define SIZE 4096
#define AT INT64_C(1770091506000007) /* 2026-02-03T04:05:06.000007Z */

static char out[SIZE + 1];

static const char *format(const struct km_log_record *record, size_t size)
{
    const struct km_log_text_head head = {.wall_us = AT, .pid = 8261};
    size_t len = km_log_text_format(out, size, record, &head, NULL);

    assert_true(len <= size);
    out[len] = '\0';
    return out;
}

static const char *after_header(const struct km_log_record *record)
{
    return strstr(format(record, SIZE), "] ") + 2;
}

#define PAIRS(...) \
    .pairs = (const struct km_kv[]){__VA_ARGS__}, \
    .pair_count = sizeof((const struct km_kv[]){__VA_ARGS__}) / sizeof(struct km_kv)
#define SAID(sev, text, error, ...) \
    (&(const struct km_log_record){.severity = (sev), \
                                   .file = "x/kl.c", \
                                   .line = 39, \
                                   .message = (text), \
                                   .err = (error), \
                                   __VA_ARGS__})
#define RECORD(...) SAID('I', "m", NULL, __VA_ARGS__)

static void test_header(void **state)
{
    struct km_log_text_head head = {.wall_us = AT, .pid = 8261};
    size_t len;

    (void)state;
    assert_string_equal(format(RECORD(PAIRS(KM_I("n", 1))), SIZE),
                        "I0203 04:05:06.000007    8261 kl.c:39] \"m\" n=1\n");
    head.utc_offset_s = -5 * 3600 - 1800;
    head.pid = 4194304;
    head.suppressed = 17;
    len = km_log_text_format(out, SIZE, RECORD(PAIRS(KM_I("n", 1))), &head, NULL);
    out[len] = '\0';
    assert_string_equal(out, "I0202 22:35:06.000007 4194304 kl.c:39] \"m\" n=1 suppressed=17\n");
}

static void test_values(void **state)
{
    (void)state;
    assert_string_equal(after_header(RECORD(PAIRS(KM_S("a", "x y"), KM_I("b", -3), KM_U("c", 7),
                                                  KM_B("d", true), KM_B("e", false)))),
                        "\"m\" a=\"x y\" b=-3 c=7 d=true e=false\n");
    assert_string_equal(after_header(RECORD(PAIRS(KM_U("u", UINT64_MAX), KM_I("i", INT64_MIN)))),
                        "\"m\" u=18446744073709551615 i=-9223372036854775808\n");
    assert_string_equal(
        after_header(RECORD(PAIRS(KM_OBJ("pod", "kube-system", "dns"), KM_OBJ("node", "", "n1"),
                                  KM_OBJ("o", NULL, NULL)))),
        "\"m\" pod=\"kube-system/dns\" node=\"n1\" o=\"\"\n");
    assert_string_equal(after_header(RECORD(PAIRS(KM_S("nil", NULL), KM_S("empty", ""),
                                                  KM_SL("slice", ((struct km_slice){"ab", 1}))))),
                        "\"m\" nil=<nil> empty=\"\" slice=\"a\"\n");
    assert_string_equal(after_header(SAID('E', "m", "no \"route\"", PAIRS(KM_S("a", "b")))),
                        "\"m\" err=\"no \\\"route\\\"\" a=\"b\"\n");
}

static void test_multi_line_values(void **state)
{
    (void)state;
    assert_string_equal(
        after_header(RECORD(PAIRS(KM_S("multiLineString", "Hello world!\n\tStarts with tab.\n"
                                                          "  Starts with spaces.\nNo whitespace."),
                                  KM_S("pod", "kubedns")))),
        "\"m\" multiLineString=<\n\tHello world!\n\t\tStarts with tab.\n"
        "\t  Starts with spaces.\n\tNo whitespace.\n > pod=\"kubedns\"\n");
    assert_string_equal(after_header(RECORD(PAIRS(KM_S("a", "x\n"), KM_S("b", "\n")))),
                        "\"m\" a=<\n\tx\n > b=<\n\t\n >\n");
    assert_string_equal(after_header(SAID('E', "m", "one\ntwo", PAIRS(KM_I("n", 1)))),
                        "\"m\" err=<\n\tone\n\ttwo\n > n=1\n");
    assert_string_equal(after_header(SAID('I', "a\nb", NULL, PAIRS(KM_I("n", 1)))),
                        "\"a\\nb\" n=1\n");
}

static void test_of_equal_keys_the_last_value_wins(void **state)
{
    (void)state;
    assert_string_equal(after_header(RECORD(PAIRS(KM_S("a", "1"), KM_I("b", 1), KM_S("a", "2")))),
                        "\"m\" b=1 a=\"2\"\n");
    assert_string_equal(after_header(RECORD(PAIRS(KM_S("a", "1"), KM_I("b", 1), KM_S("a", "1")))),
                        "\"m\" a=\"1\" b=1\n");
    assert_string_equal(after_header(RECORD(PAIRS(KM_I("a", 1), KM_S("a", "1")))),
                        "\"m\" a=\"1\"\n");
    assert_string_equal(after_header(RECORD(PAIRS(KM_I("a", 5), KM_I("b", 1), KM_U("a", 5)))),
                        "\"m\" a=5 b=1\n");
    assert_string_equal(
        after_header(RECORD(PAIRS(KM_I("a", -1), KM_I("b", 1), KM_U("a", UINT64_MAX)))),
        "\"m\" b=1 a=18446744073709551615\n");
    assert_string_equal(
        after_header(RECORD(PAIRS(KM_OBJ("a", "x", "y"), KM_I("b", 1), KM_S("a", "x/y")))),
        "\"m\" a=\"x/y\" b=1\n");
    assert_string_equal(
        after_header(RECORD(PAIRS(KM_S("a", NULL), KM_I("b", 1), KM_S("a", "<nil>")))),
        "\"m\" b=1 a=\"<nil>\"\n");
    assert_string_equal(
        after_header(RECORD(PAIRS(KM_I("a", 1), KM_I("a", 2), KM_I("b", 1), KM_I("a", 1)))),
        "\"m\" b=1 a=1\n");
}

static const char *quoted(const char *text, size_t len)
{
    struct km_log_line line = {.data = out, .size = SIZE};

    km_log_line_escape(&line, (struct km_slice){text, len});
    assert_true(line.total < SIZE);
    out[line.total] = '\0';
    return out;
}

/* strconv.Quote of Go 1.26, written down from it. */
static void test_quote(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"\a\b\f\n\r\t\v", "\\a\\b\\f\\n\\r\\t\\v"},
        {"\\\"'", "\\\\\\\"'"},
        {"\x01\x1f\x7f", "\\x01\\x1f\\x7f"},
        {"abc\xff"
         "def",
         "abc\\xffdef"},
        {"\xc2\x80\xc2\xa0\xc2\xa1\xc2\xad\xc2\xae", "\\u0080\\u00a0\xc2\xa1\\u00ad\xc2\xae"},
        {"\xe2\x80\xa8\xe2\x80\xae\xef\xbb\xbf", "\\u2028\\u202e\\ufeff"},
        {"\xef\xbf\xbd", "\xef\xbf\xbd"},
        {"\xed\x9f\xbf\xee\x80\x80", "\\ud7ff\\ue000"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xf4\x8f\xbf\xbf", "\\U0010ffff"},
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xc0\x80\xc1\xbf", "\\xc0\\x80\\xc1\\xbf"}, /* overlong */
        {"\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "\\xe0\\x9f\\xbf\\xf0\\x8f\\xbf\\xbf"},
        {"\xe2\x82", "\\xe2\\x82"}, /* cut */
        {"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},
        {"\xe2\x82x", "\\xe2\\x82x"},
        {"\x80\xbf\xfe", "\\x80\\xbf\\xfe"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(quoted(cases[i].text, strlen(cases[i].text)), cases[i].want);
    assert_string_equal(quoted("a\0b", 3), "a\\x00b");
}

static size_t put_utf8(char *to, uint32_t rune)
{
    if (rune < 0x800) {
        to[0] = (char)(0xc0u | rune >> 6);
        to[1] = (char)(0x80u | (rune & 0x3fu));
        return 2;
    }
    if (rune < 0x10000) {
        to[0] = (char)(0xe0u | rune >> 12);
        to[1] = (char)(0x80u | (rune >> 6 & 0x3fu));
        to[2] = (char)(0x80u | (rune & 0x3fu));
        return 3;
    }
    to[0] = (char)(0xf0u | rune >> 18);
    to[1] = (char)(0x80u | (rune >> 12 & 0x3fu));
    to[2] = (char)(0x80u | (rune >> 6 & 0x3fu));
    to[3] = (char)(0x80u | (rune & 0x3fu));
    return 4;
}

static void check_code_point(uint32_t rune, bool printable)
{
    char text[4];
    size_t len = put_utf8(text, rune);
    const char *got = quoted(text, len);

    if (rune >= 0xd800 && rune <= 0xdfff)
        assert_true(strncmp(got, "\\xed", 4) == 0);
    else if (printable)
        assert_true(strlen(got) == len && memcmp(got, text, len) == 0);
    else
        assert_true(got[0] == '\\' && strlen(got) == (rune < 0x10000 ? 6u : 10u));
}

/* The table covers every code point as Go 1.26's strconv.IsPrint does (their number and FNV-1a over
   them, computed by Go); the first and the last code point of each run go through the quoting. */
static void test_printable_table(void **state)
{
    uint32_t rune = 0x80, count = 0, hash = 2166136261u;
    bool printable = false;

    (void)state;
    for (size_t i = 0; i < km_log_printable_len; printable = !printable) {
        uint32_t run = 0;
        unsigned shift = 0;

        for (; km_log_printable[i] & 0x80u; shift += 7)
            run |= (km_log_printable[i++] & 0x7fu) << shift;
        run |= (uint32_t)km_log_printable[i++] << shift;
        assert_true(run > 0);
        check_code_point(rune, printable);
        for (; run > 0; run--, rune++) {
            if (printable) {
                count++;
                hash = (hash ^ rune) * 16777619u;
            }
        }
        check_code_point(rune - 1, printable);
    }
    check_code_point(rune, false);
    check_code_point(0x10ffff, false);
    assert_int_equal(count, 148903);
    assert_true(hash == 3409294112u);
}

/* Each size of the line: bounded, ends as it should, and the kept and the counted bytes add up. */
static void test_cut_lines(void **state)
{
    char value[600], whole[SIZE];
    const struct km_log_text_head head = {.wall_us = AT, .pid = 1};
    size_t len;

    (void)state;
    for (size_t i = 0; i + 4 < sizeof value; i += 3)
        memcpy(value + i, "\xe2\x82\xac\0", 4); /* three bytes each: cuts fall into characters */
    len = km_log_text_format(whole, SIZE, RECORD(PAIRS(KM_S("v", value))), &head, NULL);
    for (size_t size = 128; size < len + 3; size++) {
        bool cut;
        size_t got = km_log_text_format(out, size, RECORD(PAIRS(KM_S("v", value))), &head, &cut);
        unsigned left = 0;
        char *mark;

        assert_true(got <= size && got + 5 > (size < len ? size : len));
        assert_true(cut == (size < len));
        assert_int_equal(out[got - 1], '\n');
        if (!cut) {
            assert_memory_equal(out, whole, len);
            continue;
        }
        out[got] = '\0';
        mark = strstr(out, " [truncated ");
        assert_non_null(mark);
        assert_int_equal(sscanf(mark, " [truncated %u chars]\n", &left), 1);
        assert_string_equal(strchr(mark, ']'), "]\n");
        assert_int_equal((int)(mark - out) + (int)left, (int)len - 1);
        assert_memory_equal(out, whole, (size_t)(mark - out));
        assert_true(((unsigned char)whole[mark - out] & 0xc0u) != 0x80u);
    }
}

/* ---- klog's own cases ---- */

#define MAX_PAIRS 8

/* A value of the corpus as a pair, or false where our pairs have no such type. */
static bool to_pair(struct km_kv *kv, const char *key, const struct corpus_value *value)
{
    const struct corpus_value *ref = corpus_member(value, "$kref");
    const struct corpus_value *error = corpus_member(value, "$error");

    if (error != NULL)
        value = error;
    if (value == NULL)
        *kv = KM_S(key, "(MISSING)"); /* what klog puts for an odd key */
    else if (value->type == CORPUS_STRING)
        *kv = KM_SL(key, ((struct km_slice){value->text, value->len}));
    else if (value->type == CORPUS_NUMBER && value->whole)
        *kv = KM_I(key, value->number);
    else if (value->type == CORPUS_BOOL)
        *kv = KM_B(key, value->boolean);
    else if (value->type == CORPUS_NULL)
        *kv = KM_S(key, NULL);
    else if (ref != NULL)
        *kv = KM_OBJ(key, ref->child->text, ref->child->next->text);
    else
        return false;
    return true;
}

/* Appends a list of keys and values; -1 where it does not apply to our types. */
static int to_pairs(struct km_kv *pairs, int count, const struct corpus_value *list)
{
    const struct corpus_value *v = corpus_first(list);

    while (v != NULL) {
        if (v->type != CORPUS_STRING || count == MAX_PAIRS ||
            !to_pair(&pairs[count++], v->text, v->next))
            return -1;
        v = v->next == NULL ? NULL : v->next->next;
    }
    return count;
}

static bool check_case(const char *id, char severity, struct km_slice message,
                       const struct corpus_value *const lists[3], const char *want, size_t want_len)
{
    struct km_kv pairs[MAX_PAIRS];
    struct km_log_record record = {.severity = severity, .file = "kl.go", .line = 39};
    const char *got;
    int count = 0;

    for (int i = 0; i < 3 && count >= 0; i++)
        count = to_pairs(pairs, count, lists[i]);
    /* Our messages are C strings. */
    if (count < 0 || memchr(message.ptr, '\0', message.len) != NULL)
        return false;
    record.message = message.ptr;
    record.err = severity == 'E' ? "boom: \"quoted\"" : NULL;
    record.pairs = pairs;
    record.pair_count = (size_t)count;
    got = after_header(&record);
    if (strlen(got) != want_len || memcmp(got, want, want_len) != 0)
        fail_msg("%s: %s", id, got);
    return true;
}

static void test_textlogger_corpus(void **state)
{
    const struct corpus_value *row = corpus_first(corpus_load("klog-format/textlogger-cases.json"));
    int applied = 0, others = 0;

    (void)state;
    if (row == NULL)
        return;
    for (; row != NULL; row = row->next) {
        const struct corpus_value *message = corpus_member(row, "message");
        const struct corpus_value *want = corpus_member(row, "after_header");
        const struct corpus_value *lists[3] = {corpus_member(row, "values")};

        if (check_case(corpus_member(row, "id")->text, corpus_member(row, "severity")->text[0],
                       (struct km_slice){message->text, message->len}, lists, want->text,
                       want->len))
            applied++;
        else
            others++;
    }
    printf("           %d cases agree, %d of other types\n", applied, others);
    assert_true(applied >= 50);
}

static void test_output_corpus(void **state)
{
    static const char header[] = "I output.go:<LINE>] ";
    const struct corpus_value *row = corpus_first(corpus_load("klog-format/output-cases.json"));
    int applied = 0, others = 0;

    (void)state;
    if (row == NULL)
        return;
    for (; row != NULL; row = row->next) {
        const struct corpus_value *message = corpus_member(row, "text");
        const struct corpus_value *want = corpus_member(row, "expectedOutput");
        const struct corpus_value *lists[3] = {corpus_member(row, "withValues"), NULL,
                                               corpus_member(row, "values")};
        bool plain = want != NULL && corpus_member(row, "all_literal")->boolean &&
                     corpus_member(row, "withNames") == NULL &&
                     corpus_member(row, "moreValues") == NULL &&
                     strncmp(want->text, header, sizeof header - 1) == 0;

        if (plain && check_case(corpus_member(row, "id")->text, 'I',
                                (struct km_slice){message->text, message->len}, lists,
                                want->text + sizeof header - 1, want->len - (sizeof header - 1)))
            applied++;
        else
            others++;
    }
    printf("           %d cases agree, %d of other types\n", applied, others);
    assert_true(applied >= 5);
}

static void test_key_values_corpus(void **state)
{
    const struct corpus_value *row = corpus_first(corpus_load("klog-format/keyvalues-cases.json"));
    int applied = 0, others = 0;

    (void)state;
    if (row == NULL)
        return;
    for (; row != NULL; row = row->next) {
        const struct corpus_value *inner = corpus_member(row, "row");
        const struct corpus_value *want = corpus_member(inner, "want");
        const struct corpus_value *lists[3] = {corpus_member(inner, "keysValues")};
        char line[512] = "\"\"";

        if (want == NULL || !corpus_member(row, "all_literal")->boolean || want->len > 500) {
            others++;
            continue;
        }
        strcat(line, want->text);
        strcat(line, "\n");
        if (check_case(corpus_member(row, "id")->text, 'I', km_slice_of(""), lists, line,
                       strlen(line)))
            applied++;
        else
            others++;
    }
    printf("           %d cases agree, %d of other types\n", applied, others);
    assert_true(applied >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_multi_line_values),
        cmocka_unit_test(test_of_equal_keys_the_last_value_wins),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_printable_table),
        cmocka_unit_test(test_cut_lines),
        cmocka_unit_test(test_textlogger_corpus),
        cmocka_unit_test(test_output_corpus),
        cmocka_unit_test(test_key_values_corpus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
