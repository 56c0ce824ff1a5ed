/* SPDX-License-Identifier: Apache-2.0 */
/* The request writer: exact bytes, and nothing from outside that could become a header or a second request. */
#include <string.h>

#include "km_test.h"
#include "kubemote/km_http.h"

static char text[1024];
static struct km_buf out;

static struct km_http_request plain(enum km_http_method method)
{
    km_buf_init(&out, text, sizeof text);
    return (struct km_http_request){
        .method = method, .target = km_slice_of("/api"), .host = km_slice_of("h:6443")};
}

static void test_get(void **state)
{
    struct km_http_request rq = plain(KM_GET);

    (void)state;
    assert_int_equal(km_http_write_head(&out, &rq), KM_OK);
    assert_string_equal(text, "GET /api HTTP/1.1\r\nHost: h:6443\r\n\r\n");
}

static void test_all_headers(void **state)
{
    struct km_http_request rq = plain(KM_PATCH);

    (void)state;
    rq.accept = "application/json";
    rq.content_type = "application/strategic-merge-patch+json";
    rq.user_agent = "kubemote/1 (linux arm)";
    rq.bearer = km_slice_of("abc.def-_~+/=");
    rq.body = km_slice_of("{}");
    assert_int_equal(km_http_write_head(&out, &rq), KM_OK);
    assert_string_equal(
        text, "PATCH /api HTTP/1.1\r\nHost: h:6443\r\nUser-Agent: kubemote/1 (linux arm)\r\n"
              "Accept: application/json\r\nAuthorization: Bearer abc.def-_~+/=\r\n"
              "Content-Type: application/strategic-merge-patch+json\r\nContent-Length: 2\r\n\r\n");
}

static void test_content_length(void **state)
{
    static const struct {
        enum km_http_method method;
        const char *name, *body;
        bool has_length;
    } rows[] = {{KM_GET, "GET", "", false},       {KM_HEAD, "HEAD", "", false},
                {KM_DELETE, "DELETE", "", false}, {KM_POST, "POST", "", true},
                {KM_PUT, "PUT", "", true},        {KM_PATCH, "PATCH", "", true},
                {KM_GET, "GET", "x", true},       {KM_DELETE, "DELETE", "x", true}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct km_http_request rq = plain(rows[i].method);

        rq.body = km_slice_of(rows[i].body);
        assert_int_equal(km_http_write_head(&out, &rq), KM_OK);
        assert_int_equal(strstr(text, "Content-Length: ") != NULL, rows[i].has_length);
        assert_int_equal(strncmp(text, rows[i].name, strlen(rows[i].name)), 0);
    }
}

/* Each byte that may not stand there, at the start, in the middle and at the end of each value. */
static bool is_refused(unsigned field, const char *value, size_t len)
{
    static char copy[64];
    struct km_http_request rq = plain(KM_GET);
    int err;

    memcpy(copy, value, len);
    copy[len] = '\0';
    if (field == 0)
        rq.target = (struct km_slice){copy, len};
    if (field == 1)
        rq.host = (struct km_slice){copy, len};
    if (field == 2)
        rq.bearer = (struct km_slice){copy, len};
    if (field == 3)
        rq.accept = copy;
    if (field == 4)
        rq.content_type = copy;
    if (field == 5)
        rq.user_agent = copy;
    km_buf_puts(&out, "before");
    err = km_http_write_head(&out, &rq);
    if (err == KM_OK)
        return false;
    assert_int_equal(err, KM_ERR_ARG);
    assert_string_equal(text, "before");
    return true;
}

static void test_injection(void **state)
{
    static const char *const good[] = {"/a?b=c%20d", "h:1", "token", "a/b", "a/b", "k (x)"};

    (void)state;
    for (unsigned field = 0; field < 6; field++) {
        size_t len = strlen(good[field]);

        assert_false(is_refused(field, good[field], len));
        for (unsigned byte = 0; byte < 256; byte++) {
            bool clean = byte > 0x20 && byte < 0x7f;
            size_t at[] = {0, len / 2, len};

            /* C strings end at a NUL: nothing of it goes out. */
            if (clean || (byte == 0 && field > 2))
                continue;
            for (size_t i = 0; i < 3; i++) {
                char value[64];
                bool inner_blank = byte == ' ' && field > 2 && i == 1;

                memcpy(value, good[field], at[i]);
                value[at[i]] = (char)byte;
                memcpy(value + at[i] + 1, good[field] + at[i], len - at[i]);
                assert_int_equal(is_refused(field, value, len + 1), !inner_blank);
            }
        }
    }
}

static void test_odd_targets_and_hosts(void **state)
{
    (void)state;
    assert_true(is_refused(0, "", 0));
    assert_true(is_refused(0, "api", 3));
    assert_true(is_refused(0, "http://h/", 9));
    assert_true(is_refused(0, "/a#b", 4));
    assert_true(is_refused(1, "", 0));
    assert_true(is_refused(1, "a@b", 3));
    assert_true(is_refused(1, "a/b", 3));
    assert_false(is_refused(1, "[fd00::1]:6443", 14));
    assert_true(is_refused(3, "", 0));
}

static void test_every_size(void **state)
{
    struct km_http_request rq = plain(KM_POST);
    size_t full;

    (void)state;
    rq.bearer = km_slice_of("secret");
    assert_int_equal(km_http_write_head(&out, &rq), KM_OK);
    full = out.len;
    for (size_t size = 1; size <= full + 1; size++) {
        km_buf_init(&out, text, size);
        assert_int_equal(km_http_write_head(&out, &rq), size == full + 1 ? KM_OK : KM_ERR_TOO_LONG);
        assert_int_equal(out.len, size == full + 1 ? full : 0);
        assert_false(out.overflow);
    }
}

static void test_escape(void **state)
{
    (void)state;
    km_buf_init(&out, text, sizeof text);
    km_http_escape(&out, km_slice_of("a-Z0._~ /?&=%+,:\xc3\xa9"));
    assert_string_equal(text, "a-Z0._~%20%2F%3F%26%3D%25%2B%2C%3A%C3%A9");
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte;

        km_buf_reset(&out);
        km_http_escape(&out, (struct km_slice){&c, 1});
        if (out.len == 1)
            assert_true((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                        (c >= 'A' && c <= 'Z') || (c != '\0' && strchr("-._~", c) != NULL));
        else
            assert_int_equal(out.len, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_all_headers),
        cmocka_unit_test(test_content_length),
        cmocka_unit_test(test_injection),
        cmocka_unit_test(test_odd_targets_and_hosts),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_escape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
