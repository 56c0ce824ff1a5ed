/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner against a naive validator: every short text over several alphabets, whole and byte by byte. */
#include "km_test.h"

#include "kubemote/km_json.h"

/* ---- the reference: recursive descent straight from RFC 8259 ---- */

struct ref {
    const unsigned char *at, *end;
};

static bool ref_value(struct ref *r);

static bool ref_is(const struct ref *r, char c)
{
    return r->at < r->end && *r->at == (unsigned char)c;
}

static void ref_space(struct ref *r)
{
    while (r->at < r->end && *r->at != '\0' && strchr(" \t\n\r", *r->at) != NULL)
        r->at++;
}

static size_t ref_digits(struct ref *r)
{
    size_t n = 0;

    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++)
        n++;
    return n;
}

static bool ref_number(struct ref *r)
{
    if (ref_is(r, '-'))
        r->at++;
    if (ref_is(r, '0'))
        r->at++;
    else if (ref_digits(r) == 0)
        return false;
    if (ref_is(r, '.')) {
        r->at++;
        if (ref_digits(r) == 0)
            return false;
    }
    if (ref_is(r, 'e') || ref_is(r, 'E')) {
        r->at++;
        if (ref_is(r, '+') || ref_is(r, '-'))
            r->at++;
        if (ref_digits(r) == 0)
            return false;
    }
    return true;
}

static bool ref_utf8(struct ref *r)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = *r->at;
    int len = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
    uint32_t code = len == 1 ? c : c & (0x7fu >> len);

    if (len == 0 || r->end - r->at < len)
        return false;
    for (int i = 1; i < len; i++) {
        if (r->at[i] >> 6 != 2)
            return false;
        code = code << 6 | (r->at[i] & 0x3f);
    }
    r->at += len;
    return code >= least[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static bool ref_string(struct ref *r)
{
    if (!ref_is(r, '"'))
        return false;
    for (r->at++; r->at < r->end && *r->at != '"';) {
        if (*r->at < 0x20)
            return false;
        if (*r->at != '\\') {
            if (!ref_utf8(r))
                return false;
            continue;
        }
        if (++r->at == r->end || *r->at == '\0' || strchr("\"\\/bfnrtu", *r->at) == NULL)
            return false;
        if (*r->at++ != 'u')
            continue;
        for (int i = 0; i < 4; i++, r->at++) {
            if (r->at == r->end || *r->at == '\0' ||
                strchr("0123456789abcdefABCDEF", *r->at) == NULL)
                return false;
        }
    }
    if (r->at == r->end)
        return false;
    r->at++;
    return true;
}

static bool ref_container(struct ref *r, bool object)
{
    char close = object ? '}' : ']';

    r->at++;
    ref_space(r);
    if (ref_is(r, close)) {
        r->at++;
        return true;
    }
    for (;;) {
        ref_space(r);
        if (object) {
            if (!ref_string(r))
                return false;
            ref_space(r);
            if (!ref_is(r, ':'))
                return false;
            r->at++;
        }
        if (!ref_value(r))
            return false;
        ref_space(r);
        if (ref_is(r, close)) {
            r->at++;
            return true;
        }
        if (!ref_is(r, ','))
            return false;
        r->at++;
    }
}

static bool ref_literal(struct ref *r, const char *name)
{
    size_t len = strlen(name);

    if ((size_t)(r->end - r->at) < len || memcmp(r->at, name, len) != 0)
        return false;
    r->at += len;
    return true;
}

static bool ref_value(struct ref *r)
{
    ref_space(r);
    if (r->at == r->end)
        return false;
    if (*r->at == '{' || *r->at == '[')
        return ref_container(r, *r->at == '{');
    if (*r->at == '"')
        return ref_string(r);
    if (*r->at == 't' || *r->at == 'f' || *r->at == 'n')
        return ref_literal(r, *r->at == 't' ? "true" : *r->at == 'f' ? "false" : "null");
    return ref_number(r);
}

static bool ref_valid(const char *text, size_t len)
{
    struct ref r = {(const unsigned char *)text, (const unsigned char *)text + len};

    if (!ref_value(&r))
        return false;
    ref_space(&r);
    return r.at == r.end;
}

/* ---- comparing ---- */

static int scan(const char *text, size_t len, size_t step, uint64_t *offset)
{
    struct km_json_scan s;
    int err = KM_OK;

    km_json_scan_init(&s, false);
    for (size_t at = 0; err == KM_OK && at < len; at += step) {
        struct km_slice in = {text + at, at + step < len ? step : len - at};

        err = km_json_scan_feed(&s, in);
    }
    if (err == KM_OK)
        err = km_json_scan_end(&s);
    assert_true((err == KM_OK) == (s.error == NULL));
    *offset = s.offset;
    return err;
}

static void check(const char *text, size_t len)
{
    uint64_t whole, bytewise;
    int err = scan(text, len, len + 1, &whole);

    if ((err == KM_OK) != ref_valid(text, len))
        fail_msg("verdict %d on %.*s", err, (int)len, text);
    if (scan(text, len, 1, &bytewise) != err || whole != bytewise)
        fail_msg("byte by byte otherwise: %.*s", (int)len, text);
    if (len > 80 && (scan(text, len, 71, &bytewise) != err || whole != bytewise))
        fail_msg("in pieces otherwise: %.*s", (int)len, text);
}

/* All sequences of up to `max` parts, between `before` and `after`. */
static void check_all(const char *const *parts, size_t count, size_t max, const char *before,
                      const char *after)
{
    size_t digits[8] = {0}, used = 0;
    char text[128];

    for (;;) {
        size_t len = (size_t)snprintf(text, sizeof text, "%s", before), i;

        for (i = 0; i < used; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s", parts[digits[i]]);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s", after);
        check(text, len);
        for (i = 0; i < used && ++digits[i] == count; i++)
            digits[i] = 0;
        if (i == used && ++used > max)
            return;
    }
}

#define CHECK_ALL(max, before, after, ...) \
    do { \
        static const char *const parts[] = {__VA_ARGS__}; \
        check_all(parts, sizeof parts / sizeof parts[0], max, before, after); \
    } while (0)

static void test_structure(void **state)
{
    (void)state;
    CHECK_ALL(5, "", "", "{", "}", "[", "]", ",", ":", "\"\"", "1");
    CHECK_ALL(4, "{\"a\":[", "", "{", "}", "]", ",", ":", "\"k\"", " ", "null", "0");
    CHECK_ALL(3, "[true", "]", " ", "\t", "\n", "\r", "\v", "\f", ",", "x", "1", "\"", "\xc2\xa0");
}

static void test_numbers(void **state)
{
    (void)state;
    CHECK_ALL(5, "", "", "0", "1", "-", "+", ".", "e", " ");
    CHECK_ALL(5, "[", "]", "0", "9", "-", ".", "E", "+", ",");
}

static void test_literals(void **state)
{
    (void)state;
    CHECK_ALL(4, "", "", "t", "tr", "rue", "true", "fal", "se", "null", "NaN", "nul", "T");
}

static void test_strings(void **state)
{
    (void)state;
    CHECK_ALL(4, "\"", "\"", "\\", "u", "\"", "0", "dC0", "00Ff", "n", "/", "\x1f", "\x7f");
    CHECK_ALL(3, "{\"", "\":1}", "\\u00", "\\", "\"", "61", "g", "\xc3\xa9", "\xc3", "\xa9");
}

static void check_string_bytes(const unsigned char *bytes, size_t len)
{
    char text[8] = "\"";

    memcpy(text + 1, bytes, len);
    text[len + 1] = '"';
    check(text, len + 2);
}

static void test_utf8(void **state)
{
    static const unsigned char tails[] = {0x00, 0x22, 0x7f, 0x80, 0x8f, 0x90,
                                          0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    size_t count = sizeof tails;

    (void)state;
    for (unsigned a = 0; a < 256; a++) {
        unsigned char bytes[4] = {(unsigned char)a};

        check_string_bytes(bytes, 1);
        for (unsigned b = 0; b < 256; b++) {
            bytes[1] = (unsigned char)b;
            check_string_bytes(bytes, 2);
        }
        for (size_t i = 0; a >= 0x80 && i < count * count * count; i++) {
            bytes[1] = tails[i % count];
            bytes[2] = tails[i / count % count];
            bytes[3] = tails[i / count / count];
            if (bytes[3] == 0)
                check_string_bytes(bytes, 3);
            check_string_bytes(bytes, 4);
        }
    }
}

/* Each byte at each place of a long string, for the part that looks at whole words. */
static void test_long_strings(void **state)
{
    char text[40];

    (void)state;
    for (size_t at = 1; at < sizeof text - 1; at++) {
        for (unsigned c = 0; c < 256; c++) {
            memset(text, 'a', sizeof text);
            text[0] = text[sizeof text - 1] = '"';
            text[at] = (char)c;
            check(text, sizeof text);
        }
    }
}

/* ---- longer texts, for the parts that look at many bytes at once ---- */

static struct km_rng rng;
static char doc[2048];
static size_t doc_len;

static uint32_t below(uint32_t n)
{
    return km_rng_u32(&rng) % n;
}

static void add(const char *text)
{
    size_t len = strlen(text);

    if (doc_len + len < sizeof doc)
        memcpy(doc + doc_len, text, len);
    doc_len += len;
}

static void add_string(void)
{
    static const char *const pieces[] = {"a",
                                         "name",
                                         "kubernetes.io/",
                                         "x7k2p",
                                         "\\\"",
                                         "\\\\",
                                         "\\n",
                                         "\\u00e9",
                                         "ä",
                                         " ",
                                         "{}[],:",
                                         "01",
                                         "application/json; charset"};

    add("\"");
    for (uint32_t n = below(9); n > 0; n--)
        add(pieces[below(below(2) == 0 ? 4 : 13)]);
    add("\"");
}

static void add_value(unsigned depth)
{
    static const char *const scalars[] = {"0",   "-1",   "184467", "1.5",
                                          "1e3", "true", "false",  "null"};
    uint32_t kind = below(depth > 5 ? 5 : 8);

    if (kind < 3) {
        add_string();
    } else if (kind < 5) {
        add(scalars[below(8)]);
    } else {
        bool object = kind != 5;

        add(object ? "{" : "[");
        for (uint32_t n = below(5); n > 0; n--) {
            if (object) {
                add_string();
                add(":");
            }
            add(below(30) == 0 ? " " : "");
            add_value(depth + 1);
            add(n > 1 ? "," : "");
        }
        add(object ? "}" : "]");
    }
}

static void make_document(void)
{
    do {
        doc_len = 0;
        add("{\"a\":[");
        add_value(0);
        add(",");
        add_value(0);
        add("]}");
    } while (doc_len >= sizeof doc);
}

/* Whole ones, and ones with a byte changed, gone or added. */
static void test_documents(void **state)
{
    static const char odd[] = "\"\\{}[]:,0-. tfn\x01\x7f\x80\xc3";

    (void)state;
    km_rng_seed(&rng, 7);
    for (int i = 0; i < 3000; i++) {
        size_t at;

        make_document();
        check(doc, doc_len);
        at = below((uint32_t)doc_len);
        switch (below(3)) {
        case 0:
            doc[at] = odd[below(sizeof odd - 1)];
            break;
        case 1:
            memmove(doc + at, doc + at + 1, doc_len - at - 1);
            doc_len--;
            break;
        default:
            memmove(doc + at + 1, doc + at, doc_len - at - 1);
            doc[at] = odd[below(sizeof odd - 1)];
        }
        check(doc, doc_len);
        check(doc, at);
    }
}

static void test_depth(void **state)
{
    char text[2 * CONFIG_KM_JSON_DEPTH + 2];
    uint64_t offset;

    (void)state;
    memset(text, '[', CONFIG_KM_JSON_DEPTH);
    memset(text + CONFIG_KM_JSON_DEPTH, ']', CONFIG_KM_JSON_DEPTH);
    assert_int_equal(scan(text, 2 * CONFIG_KM_JSON_DEPTH, 1, &offset), KM_OK);
    memset(text, '[', CONFIG_KM_JSON_DEPTH + 1);
    assert_int_equal(scan(text, sizeof text, 7, &offset), KM_ERR_DEPTH);
    assert_int_equal(offset, CONFIG_KM_JSON_DEPTH);
    assert_int_equal(scan(text, sizeof text, sizeof text, &offset), KM_ERR_DEPTH);
    assert_int_equal(offset, CONFIG_KM_JSON_DEPTH);
    check(text, CONFIG_KM_JSON_DEPTH);
}

static int scan_many(const char *text)
{
    struct km_json_scan s;
    int err;

    km_json_scan_init(&s, true);
    err = km_json_scan_feed(&s, km_slice_of(text));
    return err != KM_OK ? err : km_json_scan_end(&s);
}

static size_t after_last_open(size_t len)
{
    while (len > 0 && doc[len - 1] != '[' && doc[len - 1] != '{')
        len--;
    return len;
}

/* Down and up again through all levels: each closing bracket has to match, also those of the outermost. */
static void test_nesting(void **state)
{
    char closing[CONFIG_KM_JSON_DEPTH];

    (void)state;
    km_rng_seed(&rng, 11);
    for (int i = 0; i < 300; i++) {
        uint32_t depth = 0, deepest = 1 + below(CONFIG_KM_JSON_DEPTH);

        doc_len = 0;
        while (doc_len < 1000) {
            bool down = depth == 0 || (depth < deepest && below(5) > 1), object = below(2) == 0;

            if (depth > 0 && down)
                add(doc_len == after_last_open(doc_len) ? "" : ",");
            if (depth > 0 && down && closing[depth - 1] == '}')
                add("\"a\":");
            if (down) {
                add(object ? "{" : "[");
                closing[depth++] = object ? '}' : ']';
            } else {
                doc[doc_len++] = closing[--depth];
            }
            if (depth == 0)
                break;
        }
        while (depth > 0)
            doc[doc_len++] = closing[--depth];
        doc[doc_len] = '\0';
        check(doc, doc_len);
        for (size_t at = 0; at < doc_len; at++) {
            if ((doc[at] != '}' && doc[at] != ']') || below(8) != 0)
                continue;
            doc[at] = doc[at] == '}' ? ']' : '}';
            check(doc, doc_len);
            doc[at] = doc[at] == '}' ? ']' : '}';
        }
    }
}

static void test_many(void **state)
{
    (void)state;
    assert_int_equal(scan_many(""), KM_OK);
    assert_int_equal(scan_many(" \n"), KM_OK);
    assert_int_equal(scan_many("{}{}\n[] \"a\"\"b\" 1 2\ntrue null"), KM_OK);
    assert_int_equal(scan_many("{} {"), KM_ERR_TRUNCATED);
    assert_int_equal(scan_many("{},{}"), KM_ERR_SYNTAX);
    assert_int_equal(scan_many("1-1"), KM_ERR_SYNTAX);
    assert_int_equal(scan_many("{}}"), KM_ERR_SYNTAX);
}

static void test_errors(void **state)
{
    struct km_json_scan s;
    uint64_t offset;

    (void)state;
    assert_int_equal(scan("", 0, 1, &offset), KM_ERR_TRUNCATED);
    assert_int_equal(scan("[1,", 3, 2, &offset), KM_ERR_TRUNCATED);
    assert_int_equal(scan("[1,]", 4, 9, &offset), KM_ERR_SYNTAX);
    assert_int_equal(offset, 3);
    assert_int_equal(scan("\xef\xbb\xbf{}", 5, 9, &offset), KM_ERR_SYNTAX);
    assert_int_equal(offset, 0);
    km_json_scan_init(&s, false);
    assert_int_equal(km_json_scan_feed(&s, km_slice_of("[}")), KM_ERR_SYNTAX);
    assert_int_equal(km_json_scan_feed(&s, km_slice_of("]")), KM_ERR_SYNTAX);
    assert_int_equal(km_json_scan_end(&s), KM_ERR_SYNTAX);
    assert_int_equal(s.offset, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_structure), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_literals),  cmocka_unit_test(test_strings),
        cmocka_unit_test(test_utf8),      cmocka_unit_test(test_long_strings),
        cmocka_unit_test(test_depth),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_errors),    cmocka_unit_test(test_documents),
        cmocka_unit_test(test_nesting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
