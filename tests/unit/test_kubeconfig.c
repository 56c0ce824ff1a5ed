/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "km_corpus.h"
#include "kubemote/km_kubeconfig.h"
#include "kubemote/km_port.h"
#include "kubemote/km_yaml.h"

static char folder[64];
static struct km_kubeconfig config;
static struct km_fault fault;

static const char *in_folder(const char *name)
{
    static char path[4][200];
    static int turn;

    turn = (turn + 1) % 4;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void put_file(const char *name, const char *text)
{
    assert_int_equal(km_port_file_replace(in_folder(name), text, strlen(text)), KM_OK);
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/km_test_kubeconfig_XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    unsetenv("KUBERNETES_SERVICE_PORT");
    unsetenv("POD_NAMESPACE");
    return setenv("HOME", folder, 1);
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int parse(const char *text, const char *context)
{
    km_fault_clear(&fault);
    return km_kubeconfig_parse(in_folder("config"), km_slice_of(text), context, &config, &fault);
}

static bool all_zero(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != '\0')
            return false;
    }
    return true;
}

static void expect_words(const char *words)
{
    if (strstr(fault.text, words) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", words, fault.text);
}

static void expect_error(const char *text, const char *words)
{
    assert_int_equal(parse(text, NULL), KM_ERR_CONFIG);
    assert_int_equal(fault.code, KM_ERR_CONFIG);
    assert_true(strncmp(fault.text, folder, strlen(folder)) == 0);
    expect_words(words);
    assert_int_equal(config.key.len + config.cert.len + config.token.len, 0);
    assert_true(all_zero(config.store, sizeof config.store));
}

/* ---- URL ---- */

struct url_row {
    const char *text;
    bool tls;
    const char *host, *zone;
    uint16_t port;
    const char *base_path, *authority;
};

static const struct url_row good_urls[] = {
    {"https://10.0.0.1:6443", true, "10.0.0.1", "", 6443, "", "10.0.0.1:6443"},
    {"https://api.example.com", true, "api.example.com", "", 443, "", "api.example.com"},
    {"HTTPS://API.example.com/", true, "API.example.com", "", 443, "", "API.example.com"},
    {"https://api.example.com:443", true, "api.example.com", "", 443, "", "api.example.com"},
    {"https://api.example.com.:6443", true, "api.example.com", "", 6443, "",
     "api.example.com:6443"},
    {"https://localhost.", true, "localhost", "", 443, "", "localhost"},
    {"https://localhost:", true, "localhost", "", 443, "", "localhost"},
    {"https://[::1]:6443", true, "::1", "", 6443, "", "[::1]:6443"},
    {"https://[2001:db8::1]", true, "2001:db8::1", "", 443, "", "[2001:db8::1]"},
    {"https://[fe80::1%25eth0]:6443/k8s", true, "fe80::1", "eth0", 6443, "/k8s", "[fe80::1]:6443"},
    {"https://[fe80::1%br-lan.2]", true, "fe80::1", "br-lan.2", 443, "", "[fe80::1]"},
    {"https://[::ffff:10.0.0.1]:1", true, "::ffff:10.0.0.1", "", 1, "", "[::ffff:10.0.0.1]:1"},
    {"http://x:8080/foo/bar/", false, "x", "", 8080, "/foo/bar", "x:8080"},
    {"http://x:8080//", false, "x", "", 8080, "", "x:8080"},
    {"http://x//a///b", false, "x", "", 80, "/a/b", "x"},
    {"https://x/k8s/clusters/c-m-abc%2Fd?a=b#c", true, "x", "", 443, "/k8s/clusters/c-m-abc%2Fd",
     "x"},
    {"https://x?a=https://y/", true, "x", "", 443, "", "x"},
    {"localhost:8080", false, "localhost", "", 8080, "", "localhost:8080"},
    {"localhost", false, "localhost", "", 80, "", "localhost"},
    {"10.0.0.1:6443/", false, "10.0.0.1", "", 6443, "", "10.0.0.1:6443"},
    {"[::1]:80", false, "::1", "", 80, "", "[::1]"},
    {"https://x:65535", true, "x", "", 65535, "", "x:65535"},
};

static void test_url(void **state)
{
    char authority[300];
    struct km_url url;

    (void)state;
    for (size_t i = 0; i < sizeof good_urls / sizeof good_urls[0]; i++) {
        const struct url_row *row = &good_urls[i];

        km_fault_clear(&fault);
        if (km_url_parse(km_slice_of(row->text), &url, &fault) != KM_OK)
            fail_msg("%s: %s", row->text, fault.text);
        assert_true(url.tls == row->tls);
        assert_string_equal(url.host, row->host);
        assert_string_equal(url.zone, row->zone);
        assert_int_equal(url.port, row->port);
        assert_string_equal(url.base_path, row->base_path);
        assert_int_equal(km_url_authority(&url, authority, sizeof authority), KM_OK);
        assert_string_equal(authority, row->authority);
        assert_int_equal(km_url_authority(&url, authority, strlen(row->authority)),
                         KM_ERR_TOO_LONG);
    }
}

static void test_url_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "https://",
        "https://:6443",
        "https:///path",
        "ftp://x",
        "://x",
        "https://x:0",
        "https://x:65536",
        "https://x:99999999999999999999",
        "https://x:-1",
        "https://x:1:2",
        "https://::1",
        "https://::1:6443",
        "https://[::1",
        "https://[::1]x",
        "https://[]",
        "https://[x]",
        "https://[1.2.3.4]",
        "https://[::1%]",
        "https://[::1%25]",
        "https://[::1%25a/b]",
        "https://[::1%25abcdefghijklmnop]",
        "https://user:secret@x",
        "https://x y",
        "https://x\ny",
        "https://x/a b",
        "https://x/%",
        "https://x/%4",
        "https://x/%zz",
        "https://x/a/../b",
        "https://x/.",
        "https://x/\"",
        "https://x<",
        "https://a..b",
        "https://.a",
        "https://ä",
        "anything.com:8080/foo/bar",
        "/just/a/path",
        "//x",
    };
    struct km_url url;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        km_fault_clear(&fault);
        if (km_url_parse(km_slice_of(bad[i]), &url, &fault) != KM_ERR_CONFIG)
            fail_msg("accepted: %s", bad[i]);
        assert_true(fault.text[0] != '\0');
        assert_null(strstr(fault.text, "secret"));
    }
}

/* Every text of up to three bytes out of those that mean something: no crash, and what is accepted is clean. */
static void test_url_small(void **state)
{
    static const char set[] = "a:/[]%.@?0";
    const size_t n = sizeof set - 1;
    struct km_url url;
    char text[16] = "http://";

    (void)state;
    for (size_t i = 0; i < n * n * n * n; i++) {
        text[7] = set[i % n];
        text[8] = set[i / n % n];
        text[9] = set[i / n / n % n];
        text[10] = set[i / n / n / n];
        for (size_t len = 7; len <= 11; len++) {
            for (size_t from = 0; from <= 7; from += 7) {
                struct km_slice cut = {text + from, len - from};

                if (km_url_parse(cut, &url, NULL) != KM_OK)
                    continue;
                assert_true(url.host[0] != '\0');
                assert_true(url.port != 0);
                assert_null(strpbrk(url.host, "/[]%@?"));
                assert_null(strpbrk(url.base_path, "?#"));
                assert_null(strstr(url.base_path, "//"));
            }
        }
    }
}

static void test_url_lengths(void **state)
{
    char text[700];
    struct km_url url;

    (void)state;
    for (size_t len = 250; len <= 258; len++) {
        size_t at = (size_t)snprintf(text, sizeof text, "https://");
        memset(text + at, 'a', len);
        text[at + len] = '\0';
        assert_int_equal(km_url_parse(km_slice_of(text), &url, NULL),
                         len <= 253 ? KM_OK : KM_ERR_CONFIG);
        at = (size_t)snprintf(text, sizeof text, "https://x/");
        memset(text + at, 'a', len);
        text[at + len] = '\0';
        assert_int_equal(km_url_parse(km_slice_of(text), &url, NULL),
                         len + 1 < KM_BASE_PATH_SIZE ? KM_OK : KM_ERR_CONFIG);
    }
}

/* ---- base64 ---- */

static size_t encode(const uint8_t *data, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t at = 0;

    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16;

        bits |= i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= i + 2 < len ? data[i + 2] : 0;
        out[at++] = digits[bits >> 18];
        out[at++] = digits[bits >> 12 & 63];
        out[at++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        out[at++] = i + 2 < len ? digits[bits & 63] : '=';
    }
    return at;
}

static void test_base64(void **state)
{
    uint8_t data[100];
    char text[140], back[100];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 11);
    for (size_t len = 0; len <= sizeof data; len++) {
        struct km_slice in = {text, encode(data, len, text)};

        assert_int_equal(km_base64_decode(in, back, sizeof back), (int)len);
        assert_memory_equal(back, data, len);
        if (len > 0)
            assert_int_equal(km_base64_decode(in, back, len - 1), KM_ERR_TOO_LONG);
        for (size_t cut = 1; cut < 4 && cut < in.len; cut++)
            assert_int_equal(
                km_base64_decode((struct km_slice){text, in.len - cut}, back, sizeof back),
                KM_ERR_SYNTAX);
    }
}

/* All texts of four and eight characters from a small set: what is accepted encodes back to the same text. */
static void test_base64_strict(void **state)
{
    static const char set[] = "AQB=\n-";
    uint8_t back[8];
    char text[8], again[16];
    int accepted = 0;

    (void)state;
    for (uint32_t i = 0; i < 6 * 6 * 6 * 6 * 6 * 6 * 6 * 6; i++) {
        uint32_t rest = i;
        size_t plain = 0;
        char stripped[8];

        for (size_t k = 0; k < 8; k++, rest /= 6) {
            text[k] = set[rest % 6];
            if (text[k] != '\n')
                stripped[plain++] = text[k];
        }
        int len = km_base64_decode((struct km_slice){text, 8}, (char *)back, sizeof back);
        if (len < 0)
            continue;
        accepted++;
        assert_int_equal(encode(back, (size_t)len, again), plain);
        assert_memory_equal(again, stripped, plain);
    }
    assert_true(accepted > 1000);
}

/* ---- YAML ---- */

static void expect_yaml_error(const char *text, const char *words)
{
    struct km_yaml doc;

    km_fault_clear(&fault);
    assert_int_equal(km_yaml_parse(&doc, "f.yaml", km_slice_of(text), KM_YAML_ONE_DOCUMENT, &fault),
                     KM_ERR_CONFIG);
    expect_words(words);
}

static void test_yaml_errors(void **state)
{
    (void)state;
    expect_yaml_error("a: 1\nb: [1\nc: 2\n", "f.yaml:3: ");
    expect_yaml_error("a: 1\n\tb: 2\n", "f.yaml:2: ");
    expect_yaml_error("a: 1\nb: \"x\n", "f.yaml:3: ");
    expect_yaml_error("a: 1\nb: 2\n  c: 3\n", "f.yaml:3: ");
    expect_yaml_error("a: 1\nb: 2\na: 3\n", "f.yaml:3: key \"a\" stands twice (first in line 1)");
    expect_yaml_error("x:\n  a: 1\n  \"\\x61\": 2\n", "f.yaml:3: key \"a\" stands twice");
    expect_yaml_error("a: &x 1\n", "f.yaml:1: anchors and aliases are not supported");
    expect_yaml_error("a: &x {b: 1}\n", "f.yaml:1: anchors");
    expect_yaml_error("a: &x [1]\n", "f.yaml:1: anchors");
    expect_yaml_error("a: 1\nb: *a\n", "f.yaml:2: anchors");
    expect_yaml_error("<<: {a: 1}\n", "f.yaml:1: merge keys");
    expect_yaml_error("a: !!int 1\n", "f.yaml:1: tags");
    expect_yaml_error("a: !!binary aGk=\n", "f.yaml:1: tags");
    expect_yaml_error("a: !x {}\n", "f.yaml:1: tags");
    expect_yaml_error("? [a]\n: 1\n", "f.yaml:1: a key must be");
    expect_yaml_error("? {a: 1}\n: 1\n", "f.yaml:1: a key must be");
    expect_yaml_error("a: 1\n---\nb: 2\n", "f.yaml:2: more than one document");
    expect_yaml_error("a: \"\x01\"\n", "f.yaml:1: ");
    expect_yaml_error("a: 1\nb: \xff\n", "f.yaml:2: ");
    expect_yaml_error("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "nested deeper than 16 levels");
    expect_yaml_error("a: 1\n\"k\\ney\": 1\n\"k\\ney\": 2\n", "key \"k?ey\" stands twice");
}

static void test_yaml_tree(void **state)
{
    static const char text[] = "# start\n"
                               "a: yes\n"
                               "b: {\"c\": [1, \"2\", null, ~, ''], d: !!str 5}\n"
                               "e:\n"
                               "  - f: |\n"
                               "      two\n"
                               "      lines\n"
                               "    g: -7\n"
                               "h:\n"
                               "...\n";
    struct km_yaml doc, other;
    struct km_slice s;
    int64_t number;
    bool truth;

    (void)state;
    km_fault_clear(&fault);
    assert_int_equal(km_yaml_parse(&doc, "f", (struct km_slice){text, sizeof text - 1},
                                   KM_YAML_ONE_DOCUMENT, &fault),
                     KM_OK);
    assert_int_equal(km_yaml_parse(&other, "g", km_slice_of("a: 1"), KM_YAML_ONE_DOCUMENT, NULL),
                     KM_ERR_REENTRANT);

    const struct km_yaml_node *a = km_yaml_get(doc.root, "a");
    assert_int_equal(km_yaml_string(&doc, a, "a", &s, &fault), KM_OK);
    assert_true(km_slice_eq_str(s, "yes"));
    assert_int_equal(km_yaml_bool(&doc, a, "a", &truth, &fault), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "f:2: a: expected true or false");

    const struct km_yaml_node *c = km_yaml_get(km_yaml_get(doc.root, "b"), "c");
    static const uint8_t kinds[] = {KM_YAML_SCALAR, KM_YAML_SCALAR, KM_YAML_NULL, KM_YAML_NULL,
                                    KM_YAML_SCALAR};
    int count = 0;
    for (const struct km_yaml_node *n = c->first; n != NULL; n = n->next)
        assert_int_equal(n->kind, kinds[count++]);
    assert_int_equal(count, 5);
    km_fault_clear(&fault);
    assert_int_equal(km_yaml_int(&doc, c->first, "c", 0, 9, &number, &fault), KM_OK);
    assert_int_equal(number, 1);
    assert_int_equal(km_yaml_int(&doc, c->first, "c", 2, 9, &number, &fault), KM_ERR_CONFIG);
    assert_string_equal(fault.text, "f:3: c: 1 is out of range, 2 to 9 is possible");
    assert_int_equal(km_yaml_int(&doc, c->first->next, "c", 0, 9, &number, NULL), KM_ERR_CONFIG);

    const struct km_yaml_node *e = km_yaml_get(doc.root, "e");
    assert_true(km_slice_eq_str(km_yaml_get(e->first, "f")->text, "two\nlines\n"));
    assert_int_equal(km_yaml_int(&doc, km_yaml_get(e->first, "g"), "g", -7, 0, &number, NULL),
                     KM_OK);
    assert_int_equal(number, -7);
    assert_int_equal(km_yaml_get(e->first, "g")->key_line, 8);
    assert_int_equal(km_yaml_get(doc.root, "h")->kind, KM_YAML_NULL);
    assert_null(km_yaml_get(doc.root, "i"));
    assert_null(km_yaml_get(e, "i"));
    assert_null(km_yaml_get(NULL, "i"));
    const char *kept = km_yaml_get(e->first, "f")->text.ptr;
    assert_memory_equal(kept, "two", 3);
    km_yaml_close(&doc);
    assert_true(all_zero(kept, 10)); /* it could have been a key */
    km_yaml_close(&doc);
}

static void test_yaml_numbers(void **state)
{
    static const char *const bad[] = {
        "01", "0x1", "1.0", "1e3", "+1", "", "1_0", "\"1\"", "[1]", "{}", "99999999999999999999"};
    struct km_yaml doc;
    int64_t number = 0;
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(text, sizeof text, "a: %s\n", bad[i]);
        assert_int_equal(km_yaml_parse(&doc, "f", km_slice_of(text), KM_YAML_ONE_DOCUMENT, NULL),
                         KM_OK);
        assert_int_equal(
            km_yaml_int(&doc, doc.root->first, "a", INT64_MIN, INT64_MAX - 1, &number, NULL),
            KM_ERR_CONFIG);
        km_yaml_close(&doc);
    }
}

/* More than the work memory holds: an error that names the symbol, and the next file works. */
static void test_yaml_full(void **state)
{
    static char text[CONFIG_KM_CONFIG_WORK_BYTES * 2];
    struct km_yaml doc;
    size_t len = 0;

    (void)state;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i + 5 < sizeof text; i += 2)
        text[i] = '-', text[i + 1] = '\n';
    for (len = 4; len < sizeof text; len = len * 5 / 4) {
        km_fault_clear(&fault);
        int err = km_yaml_parse(&doc, "f", (struct km_slice){text, len & ~(size_t)1},
                                KM_YAML_ONE_DOCUMENT, &fault);
        if (err == KM_OK) {
            km_yaml_close(&doc);
            continue;
        }
        expect_words("CONFIG_KM_CONFIG_WORK_BYTES");
        break;
    }
    assert_true(len < sizeof text);
    put_file("large", "a: 1\n");
    FILE *file = fopen(in_folder("large"), "a");
    for (int i = 0; i < CONFIG_KM_CONFIG_WORK_BYTES / 8; i++)
        (void)fputs("# comment\n", file);
    (void)fclose(file);
    km_fault_clear(&fault);
    assert_int_equal(km_yaml_load(&doc, in_folder("large"), KM_YAML_ONE_DOCUMENT, &fault),
                     KM_ERR_CONFIG);
    expect_words("CONFIG_KM_CONFIG_WORK_BYTES");
    assert_int_equal(km_yaml_parse(&doc, "f", km_slice_of("a: 1"), KM_YAML_ONE_DOCUMENT, NULL),
                     KM_OK);
    km_yaml_close(&doc);
}

/* ---- kubeconfig ---- */

#define CA "LS0tQ0EtLS0K"       /* ---CA---\n */
#define CERT "LS0tQ0VSVC0tLQo=" /* ---CERT---\n */
#define KEY "LS0tS0VZLS0tCg=="  /* ---KEY---\n */

static const char admin_config[] = "apiVersion: v1\n"
                                   "clusters:\n"
                                   "- cluster:\n"
                                   "    certificate-authority-data: " CA "\n"
                                   "    server: https://10.1.2.3:6443\n"
                                   "  name: kubernetes\n"
                                   "- cluster:\n"
                                   "    server: http://plain:8080\n"
                                   "    certificate-authority: missing.crt\n"
                                   "  name: plain\n"
                                   "contexts:\n"
                                   "- context:\n"
                                   "    cluster: kubernetes\n"
                                   "    user: admin\n"
                                   "  name: admin@kubernetes\n"
                                   "- context:\n"
                                   "    cluster: plain\n"
                                   "    user: admin\n"
                                   "    namespace: work\n"
                                   "  name: plain\n"
                                   "current-context: admin@kubernetes\n"
                                   "kind: Config\n"
                                   "preferences: {}\n"
                                   "users:\n"
                                   "- name: admin\n"
                                   "  user:\n"
                                   "    client-certificate-data: " CERT "\n"
                                   "    client-key-data: " KEY "\n";

static void test_admin(void **state)
{
    (void)state;
    assert_int_equal(parse(admin_config, NULL), KM_OK);
    assert_true(config.tls);
    assert_string_equal(config.host, "10.1.2.3");
    assert_string_equal(config.server_name, "10.1.2.3");
    assert_string_equal(config.authority, "10.1.2.3:6443");
    assert_int_equal(config.port, 6443);
    assert_string_equal(config.base_path, "");
    assert_string_equal(config.ns, "default");
    assert_string_equal(config.context, "admin@kubernetes");
    assert_true(km_slice_eq_str(config.ca, "---CA---\n"));
    assert_true(km_slice_eq_str(config.cert, "---CERT---\n"));
    assert_true(km_slice_eq_str(config.key, "---KEY---\n"));
    assert_int_equal(config.ca.ptr[config.ca.len], 0);
    assert_int_equal(config.key.ptr[config.key.len], 0);
    assert_int_equal(config.token.len, 0);
    assert_false(config.user_missing);
    assert_false(config.creds_unused);
    assert_string_equal(config.user, "admin");
    assert_int_equal(config.key_line, config.cert_line + 1);
    assert_true(config.ca_line > 0 && config.ca_line < config.user_line);
    assert_true(config.user_line < config.cert_line);

    const char *key = config.key.ptr;
    km_kubeconfig_wipe_key(&config);
    assert_true(all_zero(key, 10));
    assert_int_equal(config.key.len, 0);
    assert_true(km_slice_eq_str(config.cert, "---CERT---\n"));
    km_kubeconfig_wipe(&config);
    assert_true(all_zero(config.store, sizeof config.store));
}

/* A plain http server never sees a credential, and files that only TLS needs are not read. */
static void test_plain_http(void **state)
{
    (void)state;
    assert_int_equal(parse(admin_config, "plain"), KM_OK);
    assert_false(config.tls);
    assert_string_equal(config.ns, "work");
    assert_int_equal(config.ca.len + config.cert.len + config.key.len + config.token.len, 0);
    assert_string_equal(config.ca_file, "");
    assert_true(config.creds_unused);
}

static void test_contexts(void **state)
{
    (void)state;
    assert_int_equal(parse(admin_config, "x"), KM_ERR_CONFIG);
    expect_words("context \"x\" does not exist");
    expect_error("current-context: y\ncontexts: []\n",
                 ":1: current-context: context \"y\" does not exist");
    expect_error("current-context: ''\n", "current-context is not set");
    expect_error("apiVersion: v1\nkind: Config\n", "no configuration has been provided");
}

static void test_json(void **state)
{
    static const char text[] = "{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"current-context\":"
                               "\"c\",\"clusters\":[{\"name\":"
                               "\"k\",\"cluster\":{\"server\":\"https:\\/\\/"
                               "h\",\"tls-server-name\":\"other.\"}}],\"contexts\":["
                               "{\"name\":\"c\",\"context\":{\"cluster\":\"k\",\"user\":\"u\"}}],"
                               "\"users\":[{\"name\":\"u\","
                               "\"user\":{\"token\":\"abc\"}}]}";

    (void)state;
    assert_int_equal(parse(text, NULL), KM_OK);
    assert_string_equal(config.host, "h");
    assert_string_equal(config.server_name, "other");
    assert_true(km_slice_eq_str(config.token, "abc"));
    assert_int_equal(config.port, 443);
}

/* cluster, user and context as YAML flow maps */
static const char *build(const char *cluster, const char *user, const char *context)
{
    static char text[4096];

    (void)snprintf(text, sizeof text,
                   "current-context: c\n"
                   "clusters:\n- name: k\n  cluster: %s\n"
                   "users:\n- name: u\n  user: %s\n"
                   "contexts:\n- name: c\n  context: %s\n",
                   cluster, user, context);
    return text;
}

#define SERVER "{server: 'https://h'}"
#define BOTH "{cluster: k, user: u}"

static void test_unsupported(void **state)
{
    static const char *const users[][2] = {
        {"{exec: {command: x}}", ":7: exec is not supported"},
        {"{exec: {}}", ":7: exec is not supported"},
        {"{auth-provider: {name: oidc}}", "auth-provider is not supported"},
    };
    static const char *const clusters[][2] = {
        {"{server: 'https://h', insecure-skip-tls-verify: true}",
         ":4: insecure-skip-tls-verify is not supported"},
        {"{server: 'https://h', insecure-skip-tls-verify: On}", "insecure-skip-tls-verify is not"},
        {"{server: 'https://h', insecure-skip-tls-verify: 'true'}", "expected true or false"},
        {"{server: 'https://h', insecure-skip-tls-verify: 1}", "expected true or false"},
        {"{server: 'https://h', proxy-url: 'http://p'}", "proxy-url is not supported"},
        {"{server: 'http://h', proxy-url: 'http://p'}", "proxy-url is not supported"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
        expect_error(build(SERVER, users[i][0], BOTH), users[i][1]);
    for (size_t i = 0; i < sizeof clusters / sizeof clusters[0]; i++)
        expect_error(build(clusters[i][0], "{}", BOTH), clusters[i][1]);
    assert_int_equal(
        parse(build("{server: 'https://h', insecure-skip-tls-verify: false, proxy-url: '', "
                    "disable-compression: true, extensions: [{name: x, extension: {y: 1}}]}",
                    "{as: '', username: null, as-groups: [], exec: null, future: 1}", BOTH),
              NULL),
        KM_OK);
}

/* Only who asks for it, in its code, gets an unverified server. */
static void test_insecure(void **state)
{
    static const struct {
        const char *cluster;
        bool allow, given, with_ca;
        int err;
        bool insecure;
    } cases[] = {
        {"insecure-skip-tls-verify: true", false, false, false, KM_ERR_CONFIG, false},
        {"insecure-skip-tls-verify: true", false, false, true, KM_ERR_CONFIG, false},
        {"insecure-skip-tls-verify: true", true, false, false, KM_OK, true},
        {"insecure-skip-tls-verify: true", true, false, true, KM_OK, false},
        {"insecure-skip-tls-verify: true", false, true, false, KM_OK, true},
        {"insecure-skip-tls-verify: false", true, false, false, KM_OK, false},
        {"certificate-authority: /nonexistent", true, true, false, KM_OK, true},
        {"certificate-authority-data: eA==", true, false, false, KM_OK, false},
        {"certificate-authority-data: eA==", true, true, true, KM_ERR_CONFIG, false},
        {"insecure-skip-tls-verify: true, certificate-authority-data: eA==", true, false, false,
         KM_ERR_CONFIG, false},
        {"insecure-skip-tls-verify: true, certificate-authority-data: eA==", true, true, false,
         KM_OK, true},
    };
    char cluster[256], path[256], ca[256];

    (void)state;
    put_file("insecure_ca", "x");
    (void)snprintf(ca, sizeof ca, "%s", in_folder("insecure_ca"));
    (void)snprintf(path, sizeof path, "%s", in_folder("insecure"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct km_kubeconfig_options opt = {.path = path,
                                                  .allow_insecure = cases[i].allow,
                                                  .insecure = cases[i].given,
                                                  .ca_file = cases[i].with_ca ? ca : NULL};
        (void)snprintf(cluster, sizeof cluster, "{server: 'https://h', %s}", cases[i].cluster);
        put_file("insecure", build(cluster, "{}", BOTH));
        km_fault_clear(&fault);
        assert_int_equal(km_kubeconfig_load(&opt, &config, &fault), cases[i].err);
        assert_int_equal(config.insecure, cases[i].insecure);
        assert_true(!config.insecure || config.ca.len == 0);
    }
}

/* As the Go client writes them. */
static void test_identity(void **state)
{
    static const char *const users[][2] = {
        {"{username: abc, password: de}", "Authorization: Basic YWJjOmRl\r\n"},
        {"{username: ab, password: de}", "Authorization: Basic YWI6ZGU=\r\n"},
        {"{username: a, password: de}", "Authorization: Basic YTpkZQ==\r\n"},
        {"{username: a}", "Authorization: Basic YTo=\r\n"},
        {"{password: a}", ""},
        {"{as: alice}", "Impersonate-User: alice\r\n"},
        {"{token: t, as: alice, as-uid: u1, as-groups: [g1, 'g 2'], as-user-extra: {'a/b%c': [x, "
         "y]}}",
         "Impersonate-User: alice\r\nImpersonate-Uid: u1\r\nImpersonate-Group: g1\r\n"
         "Impersonate-Group: g 2\r\nImpersonate-Extra-a%2Fb%25c: x\r\n"
         "Impersonate-Extra-a%2Fb%25c: y\r\n"},
    };
    static const char *const bad[][2] = {
        {"{token: t, username: a}", ":7: more than one authentication method"},
        {"{token: t, tokenFile: token, username: a}", "more than one authentication method"},
        {"{as: \"a\\r\\nX: y\"}", "Impersonate-User: it must be printable ASCII"},
        {"{as: a, as-groups: b}", ":7: as-groups: expected a list"},
        {"{as: a, as-user-extra: [b]}", ":7: as-user-extra: expected a map of lists"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        assert_int_equal(parse(build(SERVER, users[i][0], BOTH), NULL), KM_OK);
        assert_string_equal(config.headers.ptr, users[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_error(build(SERVER, bad[i][0], BOTH), bad[i][1]);
    static const char *const without_user[] = {"{as-groups: [a]}", "{as-uid: a}",
                                               "{as-user-extra: {a: [b]}}"};
    for (size_t i = 0; i < sizeof without_user / sizeof without_user[0]; i++) {
        km_fault_clear(&fault);
        assert_int_equal(parse(build(SERVER, without_user[i], BOTH), NULL), KM_ERR_CONFIG);
        expect_words("requesting uid, groups or user-extra for u without impersonating a user");
    }
    /* A plain server never sees a password; impersonation is no secret. */
    assert_int_equal(
        parse(build("{server: 'http://h'}", "{username: a, password: b, as: c}", BOTH), NULL),
        KM_OK);
    assert_string_equal(config.headers.ptr, "Impersonate-User: c\r\n");
}

static void test_malformed(void **state)
{
    (void)state;
    expect_error("", "the file is empty");
    expect_error("# only a comment\n", "the file is empty");
    expect_error("bogus value", ":1: expected a kubeconfig");
    expect_error("- a\n", ":1: expected a kubeconfig");
    expect_error("kind: Pod\n", ":1: kind is \"Pod\", expected Config");
    expect_error("apiVersion: v2\n", ":1: apiVersion is \"v2\", expected v1");
    expect_error("clusters: 5\n", ":1: clusters: expected a list");
    expect_error("users:\n- 5\n", ":2: users: expected a map");
    expect_error("users:\n- name: [a]\n", ":2: name: expected a text");
    expect_error("users:\n- name: a\n  user: b\n", ":3: user: expected a map");
    expect_error("users:\n- name: a\n- name: b\n- name: a\n", ":4: users: duplicate name \"a\"");
    expect_error("contexts:\n- name: a\n- name: a\n", ":3: contexts: duplicate name \"a\"");
    expect_error("clusters:\n- name: a\n- name: a\n", ":3: clusters: duplicate name \"a\"");
    expect_error(build(SERVER, "{}", "{cluster: x, user: u}"), "cluster \"x\" does not exist");
    expect_error(build(SERVER, "{}", "{user: u}"), "names no cluster");
    expect_error(build(SERVER, "{}", "{cluster: k, user: u, namespace: A_B}"),
                 ":10: namespace: not a DNS label");
    expect_error(build("{}", "{}", BOTH), "no server found for cluster \"k\"");
    expect_error(build("{server: ''}", "{}", BOTH), "no server found for cluster \"k\"");
    expect_error(build("{server: 'ftp://h'}", "{}", BOTH), ":4: server \"ftp://h\": the scheme");
    expect_error(build("{server: 'https://[fe80::1%eth0]'}", "{}", BOTH),
                 ":4: server: the zone \"%eth0\" of a link-local address is not supported");
    expect_error(build("{server: [1]}", "{}", BOTH), ":4: server: expected a text");
    expect_error(build("{server: \"https://h\\0x\"}", "{}", BOTH), "NUL byte");
    expect_error(build("{server: 'https://h', tls-server-name: 'a b'}", "{}", BOTH),
                 "tls-server-name");
    expect_error(build("{server: 'https://h', tls-server-name: '[::1]'}", "{}", BOTH),
                 "tls-server-name");
    expect_error(build("{server: 'https://h', certificate-authority-data: '!'}", "{}", BOTH),
                 ":4: certificate-authority-data: malformed base64");
    expect_error(build("{server: 'https://h', certificate-authority-data: " CA
                       ", certificate-authority: a}",
                       "{}", BOTH),
                 "certificate-authority-data and certificate-authority are both given");
    expect_error(build(SERVER, "{client-certificate-data: " CERT "}", BOTH),
                 "client-key or client-key-data is missing");
    expect_error(
        build(SERVER,
              "{client-certificate-data: " CERT ", client-key: a, client-key-data: " KEY "}", BOTH),
        "client-key-data and client-key are both given");
    expect_error(build(SERVER, "{client-certificate-data: " CERT ", client-certificate: a}", BOTH),
                 "client-certificate-data and client-certificate are both given");
    expect_error(build(SERVER, "{token: 'a b'}", BOTH), ":7: token: ");
    expect_error(build(SERVER, "{token: \"a\\r\\nX-Evil: 1\"}", BOTH), ":7: token: ");
}

static void test_tolerated(void **state)
{
    (void)state;
    /* a user that is not there means no credentials */
    assert_int_equal(parse(build(SERVER, "{token: t}", "{cluster: k, user: nobody}"), NULL), KM_OK);
    assert_true(config.user_missing);
    assert_string_equal(config.user, "nobody");
    assert_int_equal(config.token.len, 0);
    assert_int_equal(parse(build(SERVER, "{token: t}", "{cluster: k, user: ''}"), NULL), KM_OK);
    assert_false(config.user_missing);
    /* a key without a certificate is not looked at */
    assert_int_equal(parse(build(SERVER, "{token: t, client-key-data: " KEY "}", BOTH), NULL),
                     KM_OK);
    assert_int_equal(config.key.len, 0);
    assert_true(all_zero(config.store, 10));
    /* only the first document counts */
    char text[4096 + 16];
    (void)snprintf(text, sizeof text, "%s---\n[this: is, not\n", build(SERVER, "null", BOTH));
    assert_int_equal(parse(text, NULL), KM_OK);
    /* base64 in a block of lines */
    assert_int_equal(
        parse(build("\n    server: https://h\n    certificate-authority-data: |\n      LS0t\n      "
                    "Q0Et\n      LS0K",
                    "{}", BOTH),
              NULL),
        KM_OK);
    assert_true(km_slice_eq_str(config.ca, "---CA---\n"));
}

static void test_files(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("pki"), 0700), 0);
    put_file("pki/ca.crt", "CA FILE\n");
    put_file("client.crt", "CERT FILE\n");
    put_file("client.key", "KEY FILE\n");
    put_file("token", " \n tok-en.1\n\n");
    put_file("empty", "");
    put_file("two-words", "a b\n");
    assert_int_equal(parse(build("{server: 'https://h', certificate-authority: pki/ca.crt}",
                                 "{client-certificate: client.crt, client-key: ./client.key, "
                                 "tokenFile: pki/../token}",
                                 BOTH),
                           NULL),
                     KM_OK);
    assert_true(km_slice_eq_str(config.ca, "CA FILE\n"));
    assert_true(km_slice_eq_str(config.cert, "CERT FILE\n"));
    assert_true(km_slice_eq_str(config.key, "KEY FILE\n"));
    assert_true(km_slice_eq_str(config.token, "tok-en.1"));
    assert_string_equal(config.ca_file, in_folder("pki/ca.crt"));
    assert_string_equal(config.token_file, in_folder("pki/../token"));

    assert_int_equal(parse(build(SERVER, "{token: direct, tokenFile: not-read-now}", BOTH), NULL),
                     KM_OK);
    assert_true(km_slice_eq_str(config.token, "direct"));
    assert_string_equal(config.token_file, in_folder("not-read-now"));

    assert_int_equal(
        parse(build("{server: 'https://h', certificate-authority: gone}", "{}", BOTH), NULL),
        KM_ERR_CONFIG);
    expect_words("unable to read certificate-authority ");
    expect_words("/gone: no such file or directory");
    assert_int_equal(
        parse(build(SERVER, "{client-certificate: client.crt, client-key: pki}", BOTH), NULL),
        KM_ERR_CONFIG);
    expect_words("unable to read client-key ");
    expect_words("/pki: is a directory");
    assert_true(all_zero(config.store, sizeof config.store));
    assert_int_equal(parse(build(SERVER, "{tokenFile: two-words}", BOTH), NULL), KM_ERR_CONFIG);
    expect_words("/two-words: it holds no token");
    assert_int_equal(parse(build(SERVER, "{tokenFile: empty}", BOTH), NULL), KM_ERR_CONFIG);
    expect_words("/empty: the file is empty");
    if (geteuid() != 0) {
        assert_int_equal(chmod(in_folder("client.key"), 0), 0);
        assert_int_equal(
            parse(build(SERVER, "{client-certificate: client.crt, client-key: client.key}", BOTH),
                  NULL),
            KM_ERR_CONFIG);
        expect_words("/client.key: permission denied");
    }
}

/* Credentials of every size around the store's: accepted while they fit, then refused by name. */
static void test_store_full(void **state)
{
    static char data[CONFIG_KM_CRED_BYTES + 64];
    const size_t sizes[] = {
        sizeof config.store - 12, sizeof config.store - 7, sizeof config.store - 6,
        sizeof config.store - 5,  sizeof config.store - 4, sizeof config.store - 2,
        sizeof config.store - 1,  sizeof config.store,     sizeof config.store + 1};

    (void)state;
    put_file("cert", "CERT");
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(data, 'x', sizes[i]);
        assert_int_equal(km_port_file_replace(in_folder("big"), data, sizes[i]), KM_OK);
        int err =
            parse(build("{server: 'https://h', certificate-authority: big}", "{token: abcd}", BOTH),
                  NULL);
        assert_int_equal(err, sizes[i] + 1 + 5 <= sizeof config.store ? KM_OK : KM_ERR_CONFIG);
        if (err != KM_OK)
            expect_words("CONFIG_KM_CRED_BYTES");
        err = parse(build("{server: 'https://h', certificate-authority: big}",
                          "{client-certificate: cert, client-key-data: " KEY "}", BOTH),
                    NULL);
        assert_int_equal(err, KM_ERR_CONFIG);
        expect_words("CONFIG_KM_CRED_BYTES");
    }
}

/* Every beginning of a good file is either a kubeconfig or an error with a place; nothing stays behind. */
static void test_cut_everywhere(void **state)
{
    int good = 0;

    (void)state;
    for (size_t len = 0; len < sizeof admin_config; len++) {
        km_fault_clear(&fault);
        int err =
            km_kubeconfig_parse("c", (struct km_slice){admin_config, len}, NULL, &config, &fault);
        good += err == KM_OK;
        if (err == KM_OK)
            continue;
        assert_int_equal(err, KM_ERR_CONFIG);
        assert_true(strncmp(fault.text, "c:", 2) == 0);
        assert_true(all_zero(config.store, sizeof config.store));
    }
    assert_true(good > 0 && good < 100);
}

/* ---- the search ---- */

static int load(enum km_kubeconfig_order order)
{
    struct km_kubeconfig_options opt = {.order = order, .service_account_dir = in_folder("sa")};

    km_fault_clear(&fault);
    return km_kubeconfig_load(&opt, &config, &fault);
}

static void test_search_files(void **state)
{
    char list[600];
    struct km_kubeconfig_options opt = {.path = in_folder("bogus_file")};

    (void)state;
    km_fault_clear(&fault);
    assert_int_equal(km_kubeconfig_load(&opt, &config, &fault), KM_ERR_CONFIG);
    assert_int_equal(fault.code, KM_ERR_CONFIG);
    expect_words("/bogus_file: no such file or directory");

    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_ERR_CONFIG);
    expect_words("no configuration has been provided: ");
    expect_words("/.kube/config does not exist");
    assert_int_equal(mkdir(in_folder(".kube"), 0700), 0);
    put_file(".kube/config", admin_config);
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_OK);
    assert_string_equal(config.source, in_folder(".kube/config"));

    /* KUBECONFIG set: the home folder is not looked at. */
    put_file("one", build("{server: 'https://one'}", "{}", BOTH));
    put_file("two", admin_config);
    put_file("only-context", "current-context: admin@kubernetes\n");
    (void)snprintf(list, sizeof list, "%s", in_folder("none"));
    setenv("KUBECONFIG", list, 1);
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_ERR_CONFIG);
    expect_words("none of the files in KUBECONFIG exists");
    (void)snprintf(list, sizeof list, ":%s::%s:%s:%s:%s", in_folder("none"), in_folder("one"),
                   in_folder("two"), in_folder("one"), "");
    setenv("KUBECONFIG", list, 1);
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_OK);
    assert_string_equal(config.host, "one");
    (void)snprintf(list, sizeof list, "%s:%s", in_folder("only-context"), in_folder("two"));
    setenv("KUBECONFIG", list, 1);
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_OK);
    assert_string_equal(config.host, "10.1.2.3");
    assert_string_equal(config.source, in_folder("only-context"));

    /* Each thing from the first file that has it, paths from that file's folder. */
    assert_int_equal(mkdir(in_folder("sub"), 0700), 0);
    put_file("sub/ca.pem", "PEM");
    put_file("sub/cluster", "clusters:\n- name: c\n  cluster: {server: 'https://first', "
                            "certificate-authority: ca.pem}\n");
    put_file("rest", "clusters:\n- name: c\n  cluster: {server: 'https://second'}\n"
                     "contexts:\n- name: x\n  context: {cluster: c, user: u}\n"
                     "users:\n- name: u\n  user: {token: t}\ncurrent-context: x\n");
    (void)snprintf(list, sizeof list, "%s:%s:%s", in_folder("none"), in_folder("sub/cluster"),
                   in_folder("rest"));
    setenv("KUBECONFIG", list, 1);
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_OK);
    assert_string_equal(config.host, "first");
    assert_string_equal(config.ca_file, in_folder("sub/ca.pem"));
    assert_int_equal(config.token.len, 1);
    put_file("broken", "a: [\n");
    (void)snprintf(list, sizeof list, "%s:%s", in_folder("rest"), in_folder("broken"));
    setenv("KUBECONFIG", list, 1);
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_ERR_CONFIG);
    expect_words("/broken:");
    setenv("KUBECONFIG", "", 1);
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_OK);
    assert_string_equal(config.host, "10.1.2.3");
}

static void test_in_cluster(void **state)
{
    (void)state;
    assert_int_equal(km_kubeconfig_load_in_cluster(in_folder("sa"), &config, NULL),
                     KM_ERR_NOT_FOUND);
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    assert_int_equal(km_kubeconfig_load_in_cluster(in_folder("sa"), &config, NULL),
                     KM_ERR_NOT_FOUND);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);

    /* in a cluster by the variables, but without a token */
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_ERR_CONFIG);
    expect_words("in-cluster: unable to read tokenFile ");
    assert_int_equal(mkdir(in_folder("sa"), 0700), 0);
    put_file("sa/token", "sa-token\n");
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_OK);
    assert_true(config.in_cluster);
    assert_string_equal(config.host, "fd00::1");
    assert_string_equal(config.authority, "[fd00::1]");
    assert_true(config.tls);
    assert_string_equal(config.ns, "default");
    assert_int_equal(config.ca.len, 0);
    assert_string_equal(config.ca_file, "");
    assert_string_equal(config.token_file, in_folder("sa/token"));

    put_file("sa/ca.crt", "CA");
    put_file("sa/namespace", "edge\n");
    assert_int_equal(load(KM_IN_CLUSTER_FIRST), KM_OK);
    assert_string_equal(config.source, "in-cluster");
    assert_true(km_slice_eq_str(config.token, "sa-token"));
    assert_true(km_slice_eq_str(config.ca, "CA"));
    assert_string_equal(config.ns, "edge");
    setenv("POD_NAMESPACE", "pod-ns", 1);
    assert_int_equal(load(KM_IN_CLUSTER_FIRST), KM_OK);
    assert_string_equal(config.ns, "pod-ns");

    /* With a kubeconfig the two orders differ; an empty one counts as none; a broken one is an error. */
    assert_int_equal(mkdir(in_folder(".kube"), 0700), 0);
    put_file(".kube/config", admin_config);
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_OK);
    assert_false(config.in_cluster);
    assert_int_equal(load(KM_IN_CLUSTER_FIRST), KM_OK);
    assert_true(config.in_cluster);
    /* a context that is named is looked for in the kubeconfig alone */
    struct km_kubeconfig_options opt = {
        .context = "x", .order = KM_IN_CLUSTER_FIRST, .service_account_dir = in_folder("sa")};
    km_fault_clear(&fault);
    assert_int_equal(km_kubeconfig_load(&opt, &config, &fault), KM_ERR_CONFIG);
    expect_words("context \"x\" does not exist");
    put_file(".kube/config", "apiVersion: v1\nkind: Config\nclusters: []\n");
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_OK);
    assert_true(config.in_cluster);
    assert_int_equal(load(KM_KUBECONFIG_ONLY), KM_ERR_CONFIG);
    put_file(".kube/config", "{");
    assert_int_equal(load(KM_KUBECONFIG_FIRST), KM_ERR_CONFIG);
    expect_words("/.kube/config:");
    unsetenv("KUBERNETES_SERVICE_PORT");
    put_file(".kube/config", admin_config);
    assert_int_equal(load(KM_IN_CLUSTER_FIRST), KM_OK);
    assert_false(config.in_cluster);
}

/* ---- what client-go makes of the same files ---- */

static const char *corpus_folder(void)
{
    const char *named = getenv("KM_CORPORA");
    return named == NULL ? "../shared/corpora" : named;
}

/* The corpus files are arrays: NULL after saying that it is skipped. */
static const struct corpus_value *corpus_rows(const char *name)
{
    static char text[CORPUS_BYTES];
    static struct corpus_value values[CORPUS_VALUES];
    struct corpus_reader r = {.in = text, .free = values};
    char path[512];

    (void)snprintf(path, sizeof path, "%s/kubeconfig/%s", corpus_folder(), name);
    if (km_port_file_read(path, text, sizeof text) < 0) {
        printf("           skipped: no %s\n", path);
        return NULL;
    }
    memset(values, 0, sizeof values);
    return corpus_value(&r)->child;
}

static const char *text_of(const struct corpus_value *object, const char *key)
{
    const struct corpus_value *member = corpus_member(object, key);
    return member == NULL || member->type != CORPUS_STRING ? "" : member->text;
}

static void expect_same_bytes(const char *id, const char *what, struct km_slice ours,
                              const char *file, const char *data_key, const char *file_key,
                              const struct corpus_value *want)
{
    const char *wanted_file = text_of(want, file_key), *wanted = text_of(want, data_key);
    const char *base = strrchr(file, '/');
    bool same = wanted_file[0] != '\0'
                    ? strcmp(base == NULL ? file : base + 1, wanted_file) == 0 && ours.len > 0
                    : km_slice_eq_str(ours, wanted);

    if (!same)
        fail_msg("%s: %s differs: \"%.*s\" from \"%s\"", id, what, (int)ours.len, ours.ptr, file);
}

/* Host, credentials and namespace as client-go has them. */
static void expect_same(const char *id, const struct corpus_value *want)
{
    struct km_url url;
    const char *server = text_of(want, "server_name");

    if (km_url_parse(km_slice_of(text_of(want, "host")), &url, &fault) != KM_OK)
        fail_msg("%s: %s", id, fault.text);
    assert_true(url.tls == config.tls);
    assert_string_equal(url.host, config.host);
    assert_int_equal(url.port, config.port);
    assert_string_equal(url.base_path, config.base_path);
    if (server[0] != '\0')
        assert_string_equal(server, config.server_name);
    if (corpus_member(want, "namespace") != NULL)
        assert_string_equal(text_of(want, "namespace"), config.ns);
    expect_same_bytes(id, "ca", config.ca, config.ca_file, "caData", "caFile", want);
    expect_same_bytes(id, "cert", config.cert, config.cert_file, "certData", "certFile", want);
    expect_same_bytes(id, "key", config.key, config.key_file, "keyData", "keyFile", want);
    if (!km_slice_eq_str(config.token, text_of(want, "token")))
        fail_msg("%s: token differs", id);
}

static bool is_unsupported(const struct corpus_value *want)
{
    static const char *const keys[] = {"exec", "authProvider", "insecure", "proxy"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (corpus_member(want, keys[i]) != NULL)
            return true;
    }
    return false;
}

static void check_file_row(const struct corpus_value *row, int *counts)
{
    const struct corpus_value *contexts =
        corpus_member(corpus_member(row, "client_go"), "contexts");
    char path[512];
    struct km_kubeconfig_options opt = {.path = path};

    (void)snprintf(path, sizeof path, "%s/kubeconfig/files/%s", corpus_folder(),
                   text_of(row, "id"));
    for (const struct corpus_value *want = contexts->child; want != NULL; want = want->next) {
        opt.context = strcmp(want->key, "(current)") == 0 ? NULL : want->key;
        km_fault_clear(&fault);
        int err = km_kubeconfig_load(&opt, &config, &fault);
        if (is_unsupported(want) || corpus_member(want, "error") != NULL) {
            assert_int_equal(err, KM_ERR_CONFIG);
            if (corpus_member(want, "error") == NULL)
                expect_words("is not supported");
            counts[1]++;
            continue;
        }
        if (err != KM_OK)
            fail_msg("%s %s: %s", text_of(row, "id"), want->key, fault.text);
        expect_same(text_of(row, "id"), want);
        counts[0]++;
    }
}

static void test_corpus_files(void **state)
{
    const struct corpus_value *row = corpus_rows("files-expected.json");
    int counts[2] = {0, 0};

    (void)state;
    if (row == NULL)
        return;
    for (; row != NULL; row = row->next)
        check_file_row(row, counts);
    printf("           %d contexts as client-go has them, %d refused\n", counts[0], counts[1]);
    assert_int_equal(counts[0], 18);
    assert_int_equal(counts[1], 9);
}

static bool has_overrides(const struct corpus_value *row)
{
    const struct corpus_value *overrides = corpus_member(row, "overrides");

    for (const struct corpus_value *part = overrides == NULL ? NULL : overrides->child;
         part != NULL; part = part->next) {
        if (part->type == CORPUS_STRING && part->len > 0)
            return true;
        for (const struct corpus_value *v = part->child; v != NULL; v = v->next) {
            if (v->type != CORPUS_STRING ||
                (v->len > 0 && strcmp(part->key, "ClusterDefaults") != 0))
                return true;
        }
    }
    return false;
}

/* True when the row says something about loading one file for its own sake. */
static bool applies(const struct corpus_value *row, const char *op)
{
    const char *kubeconfig = text_of(row, "kubeconfig");

    if (strcmp(op, "ClientConfig") == 0)
        return !has_overrides(row) && strstr(kubeconfig, "server: \"\"") == NULL;
    if (strcmp(op, "ConfirmUsable") == 0)
        return true;
    if (strcmp(op, "Validate") == 0)
        return strstr(kubeconfig, "current-context: any") != NULL;
    return strcmp(op, "Load") == 0 && corpus_member(row, "error")->type == CORPUS_STRING;
}

/* The recorded texts name one file by its path, which another run of this test may be about to remove. */
static const char *in_own_folder(const char *text)
{
    static const char path[] = "/tmp/kcfile0";
    static char out[65536];
    struct km_buf buf;
    const char *at;

    km_buf_init(&buf, out, sizeof out);
    while ((at = strstr(text, path)) != NULL) {
        km_buf_printf(&buf, "%.*s%s", (int)(at - text), text, in_folder("kcfile0"));
        text = at + strlen(path);
    }
    km_buf_puts(&buf, text);
    assert_false(buf.overflow);
    return out;
}

static void check_recorded(const struct corpus_value *row, int *counts)
{
    const char *op = text_of(row, "op"), *id = text_of(row, "id");
    const char *text = strcmp(op, "Load") == 0 ? text_of(row, "data") : text_of(row, "kubeconfig");
    bool want_error = corpus_member(row, "error")->type == CORPUS_STRING;
    const struct corpus_value *result = corpus_member(row, "result");

    if (!applies(row, op))
        return;
    put_file("kcfile0", "exampletoken");
    int err = parse(in_own_folder(text), text_of(row, "context"));
    if (want_error || (result != NULL && is_unsupported(result))) {
        if (err == KM_OK)
            fail_msg("%s: accepted", id);
        counts[1]++;
        return;
    }
    /* A path without a scheme: client-go refuses it when it connects, we do at once. */
    if (result != NULL && strcmp(text_of(result, "host"), "anything.com:8080/foo/bar") == 0) {
        assert_int_equal(err, KM_ERR_CONFIG);
        counts[1]++;
        return;
    }
    if (err != KM_OK)
        fail_msg("%s: %s", id, fault.text);
    if (result != NULL)
        expect_same(id, result);
    counts[0]++;
}

static void test_corpus_recorded(void **state)
{
    const struct corpus_value *row = corpus_rows("recorded-cases.json");
    int counts[2] = {0, 0};

    (void)state;
    if (row == NULL)
        return;
    for (; row != NULL; row = row->next)
        check_recorded(row, counts);
    printf("           %d as client-go has them, %d refused\n", counts[0], counts[1]);
    assert_true(counts[0] >= 10 && counts[1] >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_url_refuses),
        cmocka_unit_test(test_url_small),
        cmocka_unit_test(test_url_lengths),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_base64_strict),
        cmocka_unit_test(test_yaml_errors),
        cmocka_unit_test(test_yaml_tree),
        cmocka_unit_test(test_yaml_numbers),
        cmocka_unit_test_setup_teardown(test_yaml_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admin, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain_http, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contexts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unsupported, setup, teardown),
        cmocka_unit_test_setup_teardown(test_insecure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_identity, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tolerated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_cluster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_corpus_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_corpus_recorded, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
