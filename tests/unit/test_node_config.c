/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kubemote/km_facts.h"
#include "kubemote/km_node_config.h"
#include "kubemote/km_port.h"
#include "kubemote/km_scalar.h"

static struct km_node_config config;
static struct km_fault fault;

#define HEAD "apiVersion: kubemote.io/v1alpha1\nkind: AgentConfig\n"

static int parse(const char *body)
{
    static char text[65536];

    (void)snprintf(text, sizeof text, HEAD "%s", body);
    km_fault_clear(&fault);
    return km_node_config_parse("agent.yaml", km_slice_of(text), &config, &fault);
}

static void expect_good(const char *body)
{
    if (parse(body) != KM_OK)
        fail_msg("%s: %s", body, fault.text);
}

static void expect_bad(const char *body, const char *words)
{
    if (parse(body) != KM_ERR_CONFIG)
        fail_msg("accepted: %s", body);
    if (strstr(fault.text, words) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", words, fault.text);
}

static void test_defaults(void **state)
{
    (void)state;
    km_fault_clear(&fault);
    assert_int_equal(km_node_config_load(NULL, &config, &fault), KM_OK);
    for (int round = 0; round < 2; round++) {
        assert_string_equal(config.node_name, "");
        assert_int_equal(config.mode, KM_MODE_NODE);
        assert_int_equal(config.label_count, 0);
        assert_false(config.register_os_label);
        assert_false(config.register_hostname_label);
        assert_string_equal(config.region, "kubemote-devices");
        assert_true(config.exclude_from_load_balancers);
        assert_int_equal(config.taint_count, 1);
        assert_string_equal(config.taints[0].key, "kubemote.io/device");
        assert_string_equal(config.taints[0].value, "");
        assert_string_equal(km_taint_effect_name(config.taints[0].effect), "NoSchedule");
        assert_true(config.recreate_node);
        assert_true(config.finish_pods);
        assert_int_equal(config.pods_capacity, 0);
        assert_int_equal(config.lease_duration_s, 40);
        assert_int_equal(config.lease_renew_s, 10);
        assert_int_equal(config.status_update_s, 10);
        assert_int_equal(config.status_report_s, 300);
        assert_string_equal(config.root_path, "/");
        assert_int_equal(config.reserved.cpu_milli, 0);
        assert_int_equal(config.thresholds.memory_available_bytes, 104857600);
        assert_int_equal(config.thresholds.memory_available_percent, 0);
        assert_int_equal(config.thresholds.disk_free_percent, 10);
        assert_int_equal(config.thresholds.inodes_free_percent, 5);
        assert_int_equal(config.thresholds.pids_free_percent, 5);
        assert_int_equal(config.thresholds.transition_s, 300);
        assert_string_equal(config.resolv_conf, "");
        assert_int_equal(config.log_verbosity, 0);
        expect_good("");
    }
}

static void test_all_keys(void **state)
{
    (void)state;
    expect_good("nodeName: gw-7.plant.example\n"
                "mode: node\n"
                "labels: {example.com/line: A_1, topology.kubernetes.io/zone: hall-2, plain: ''}\n"
                "registerOSLabel: true\n"
                "registerHostnameLabel: true\n"
                "region: ''\n"
                "excludeFromLoadBalancers: false\n"
                "taints:\n"
                "- {key: a, effect: NoExecute}\n"
                "- {key: a, value: b, effect: PreferNoSchedule}\n"
                "recreateNode: false\n"
                "finishPods: false\n"
                "podsCapacity: 5\n"
                "leaseDurationSeconds: 60\n"
                "leaseRenewSeconds: 30\n"
                "statusUpdateSeconds: 20\n"
                "statusReportSeconds: 20\n"
                "rootPath: /overlay\n"
                "reserved: {cpu: 250m, memory: 64Mi, ephemeral-storage: 1G}\n"
                "thresholds: {memoryAvailable: 7%, diskFreePercent: 1, inodesFreePercent: 0, "
                "pidsFreePercent: 99,\n"
                "  transitionSeconds: 0}\n"
                "systemUUIDFile: /etc/uuid\n"
                "metricsFile: /run/metrics\n"
                "resolvConf: /tmp/resolv.conf\n"
                "hosts: /tmp/hosts\n"
                "logVerbosity: 4\n");
    assert_string_equal(config.node_name, "gw-7.plant.example");
    assert_int_equal(config.label_count, 3);
    assert_string_equal(config.labels[0].key, "example.com/line");
    assert_string_equal(config.labels[0].value, "A_1");
    assert_string_equal(config.labels[2].value, "");
    assert_true(config.register_os_label && config.register_hostname_label);
    assert_string_equal(config.region, "");
    assert_false(config.exclude_from_load_balancers || config.recreate_node || config.finish_pods);
    assert_int_equal(config.taint_count, 2);
    assert_int_equal(config.taints[0].effect, KM_NO_EXECUTE);
    assert_string_equal(config.taints[1].value, "b");
    assert_int_equal(config.taints[1].effect, KM_PREFER_NO_SCHEDULE);
    assert_int_equal(config.pods_capacity, 5);
    assert_int_equal(config.lease_duration_s, 60);
    assert_int_equal(config.lease_renew_s, 30);
    assert_int_equal(config.status_update_s, 20);
    assert_int_equal(config.status_report_s, 20);
    assert_string_equal(config.root_path, "/overlay");
    assert_int_equal(config.reserved.cpu_milli, 250);
    assert_int_equal(config.reserved.memory_bytes, 64 << 20);
    assert_int_equal(config.reserved.ephemeral_storage_bytes, 1000000000);
    assert_int_equal(config.thresholds.memory_available_percent, 7);
    assert_int_equal(config.thresholds.memory_available_bytes, 0);
    assert_int_equal(config.thresholds.disk_free_percent, 1);
    assert_int_equal(config.thresholds.inodes_free_percent, 0);
    assert_int_equal(config.thresholds.pids_free_percent, 99);
    assert_int_equal(config.thresholds.transition_s, 0);
    assert_string_equal(config.system_uuid_file, "/etc/uuid");
    assert_string_equal(config.metrics_file, "/run/metrics");
    assert_string_equal(config.resolv_conf, "/tmp/resolv.conf");
    assert_string_equal(config.hosts, "/tmp/hosts");
    assert_int_equal(config.log_verbosity, 4);
    expect_good("taints: []\n");
    assert_int_equal(config.taint_count, 0);
    expect_good("thresholds: {memoryAvailable: 0}\n");
    assert_int_equal(config.thresholds.memory_available_bytes, 0);
}

static void test_refuses(void **state)
{
    static const char *const rows[][2] = {
        {"nodename: a\n", "agent.yaml:3: unknown key \"nodename\" (docs"},
        {"mode: companion\n", "agent.yaml:3: mode: \"companion\" is not supported in this version"},
        {"mode: device\n", "mode: \"device\" is not supported in this version"},
        {"mode: x\n", "mode: \"x\" is unknown"},
        {"nodeName: A_b\n", "agent.yaml:3: node name \"A_b\" is no DNS label"},
        {"nodeName: ''\n", "node name \"\" is no DNS label"},
        {"nodeName: [a]\n", "nodeName: expected a text"},
        {"\n\nregisterOSLabel: yes\n", "agent.yaml:5: registerOSLabel: expected true or false"},
        {"recreateNode: 'true'\n", "recreateNode: expected true or false"},
        {"podsCapacity: -1\n", "agent.yaml:3: podsCapacity: -1 is out of range, 0 to 1000"},
        {"podsCapacity: 1001\n", "podsCapacity: 1001 is out of range"},
        {"podsCapacity: 99999999999999999999\n", "is out of range"},
        {"podsCapacity: 1.5\n", "podsCapacity: expected a whole number"},
        {"podsCapacity: '1'\n", "podsCapacity: expected a whole number"},
        {"leaseDurationSeconds: 0\n", "leaseDurationSeconds: 0 is out of range"},
        {"leaseRenewSeconds: 21\n", "agent.yaml:3: leaseRenewSeconds (21) must be at most half"},
        {"leaseDurationSeconds: 19\n", "agent.yaml:3: leaseRenewSeconds (10) must be at most half"},
        {"statusReportSeconds: 9\n", "agent.yaml:3: statusReportSeconds (9) must not be less"},
        {"statusUpdateSeconds: 301\n", "agent.yaml:3: statusReportSeconds (300) must not be less"},
        {"rootPath: ''\n", "rootPath: \"\" is no absolute path"},
        {"rootPath: tmp\n", "rootPath: \"tmp\" is no absolute path"},
        {"hosts: a\n", "hosts: \"a\" is no absolute path"},
        {"region: a/b\n", "agent.yaml:3: region: \"a/b\" is no label value"},
        {"region: null\n", "region: expected a text"},
        {"labels: [a]\n", "labels: expected a map"},
        {"labels: {a: [b]}\n", "labels: expected a text"},
        {"labels:\n  ok: a\n  -bad: b\n", "agent.yaml:5: labels: \"-bad\" is no label key"},
        {"labels: {a/b/c: d}\n", "is no label key"},
        {"labels: {/a: d}\n", "is no label key"},
        {"labels: {Ex.com/a: d}\n", "is no label key"},
        {"labels: {a: 'b c'}\n", "\"b c\" is no label value"},
        {"labels: {node-role.kubernetes.io/edge: ''}\n",
         "a node must not set \"node-role.kubernetes.io/edge\""},
        {"labels: {node-restriction.kubernetes.io/a: ''}\n", "a node must not set"},
        {"taints: {}\n", "taints: expected a list"},
        {"taints: [a]\n", "taints: expected a map"},
        {"taints: [{effect: NoSchedule}]\n", "a taint needs key and effect"},
        {"taints: [{key: a}]\n", "a taint needs key and effect"},
        {"taints: [{key: a, effect: noschedule}]\n", "effect \"noschedule\" is unknown"},
        {"taints: [{key: a, effect: NoSchedule, x: 1}]\n", "unknown key \"x\" in a taint"},
        {"taints:\n- {key: a, effect: NoSchedule}\n- {key: a, value: b, effect: NoSchedule}\n",
         "agent.yaml:5: taints: the same key and effect stand twice"},
        {"reserved: {cpus: 1}\n", "unknown key \"cpus\" in reserved"},
        {"reserved: {cpu: -1}\n", "cpu: \"-1\" is no quantity"},
        {"reserved: {memory: 1X}\n", "memory: \"1X\" is no quantity"},
        {"reserved: {memory: 16E}\n", "memory: \"16E\" is too large"},
        {"thresholds: {memoryAvailable: 100%}\n", "a percentage is a whole number"},
        {"thresholds: {memoryAvailable: 7.5%}\n", "a percentage is a whole number"},
        {"thresholds: {diskFreePercent: 100}\n", "diskFreePercent: 100 is out of range"},
        {"thresholds: {x: 1}\n", "unknown key \"x\" in thresholds"},
        {"logVerbosity: 11\n", "logVerbosity: 11 is out of range, 0 to 10"},
        {"region: a\nregion: b\n", "agent.yaml:4: key \"region\" stands twice"},
        {"---\na: b\n", "agent.yaml:3: more than one document"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_bad(rows[i][0], rows[i][1]);
}

static void test_head(void **state)
{
    static const char *const rows[][2] = {
        {"", "f: the file is empty"},
        {"- a\n", "f:1: expected a map"},
        {"kind: AgentConfig\n", "f:1: apiVersion is missing, expected kubemote.io/v1alpha1"},
        {"apiVersion: kubemote.io/v1alpha1\n", "f:1: kind is missing, expected AgentConfig"},
        {"apiVersion: v1\nkind: AgentConfig\n", "f:1: apiVersion is \"v1\""},
        {"apiVersion: kubemote.io/v1alpha1\nkind: Config\n", "f:2: kind is \"Config\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        km_fault_clear(&fault);
        assert_int_equal(km_node_config_parse("f", km_slice_of(rows[i][0]), &config, &fault),
                         KM_ERR_CONFIG);
        assert_true(strstr(fault.text, rows[i][1]) != NULL);
    }
    km_fault_clear(&fault);
    assert_int_equal(km_node_config_load("/nonexistent/agent.yaml", &config, &fault),
                     KM_ERR_CONFIG);
    assert_string_equal(fault.text, "/nonexistent/agent.yaml: no such file or directory");
    assert_int_equal(fault.code, KM_ERR_CONFIG);
}

static void test_tables_full(void **state)
{
    char text[8192];
    size_t at;

    (void)state;
    for (int count = 1; count <= CONFIG_KM_NODE_LABEL_COUNT; count++) {
        at = (size_t)snprintf(text, sizeof text, "labels:\n");
        for (int i = 0; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "  l%d: v\n", i);
        if (count <= CONFIG_KM_NODE_LABEL_COUNT - 5)
            expect_good(text);
        else
            expect_bad(text, "CONFIG_KM_NODE_LABEL_COUNT");
    }
    for (int count = 1; count <= CONFIG_KM_NODE_TAINT_COUNT + 1; count++) {
        at = (size_t)snprintf(text, sizeof text, "taints:\n");
        for (int i = 0; i < count; i++)
            at += (size_t)snprintf(text + at, sizeof text - at, "- {key: k%d, effect: NoExecute}\n",
                                   i);
        if (count <= CONFIG_KM_NODE_TAINT_COUNT)
            expect_good(text);
        else
            expect_bad(text, "CONFIG_KM_NODE_TAINT_COUNT");
    }
    at = (size_t)snprintf(text, sizeof text, "labels:\n");
    for (int i = 0; i < CONFIG_KM_NODE_LABEL_COUNT - 5; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "  %0200d.example.com/l%d: v\n", i, i);
    if (CONFIG_KM_NODE_TEXT_BYTES < (CONFIG_KM_NODE_LABEL_COUNT - 5) * 215)
        expect_bad(text, "CONFIG_KM_NODE_TEXT_BYTES");
}

static bool name_is_good(const char *name)
{
    return km_node_name_check(name, NULL) == KM_OK;
}

/* The block of the documentation: it parses, means the defaults, and has every key of the table below it. */
static void test_documentation(void **state)
{
    static struct km_node_config wanted;
    static char text[32768];
    struct km_slice block;
    char row[128];
    int keys = 0;

    (void)state;
    if (km_port_file_read("docs/CONFIGURATION.md", text, sizeof text) < 0) {
        printf("           skipped: no docs/CONFIGURATION.md\n");
        return;
    }
    const char *begin = strstr(text, "```yaml\n");
    assert_non_null(begin);
    begin += strlen("```yaml\n");
    const char *end = strstr(begin, "```");
    assert_non_null(end);
    block = (struct km_slice){begin, (size_t)(end - begin)};
    km_fault_clear(&fault);
    if (km_node_config_parse("docs", block, &config, &fault) != KM_OK)
        fail_msg("%s", fault.text);
    km_node_config_defaults(&wanted);
    assert_string_equal(config.region, wanted.region);
    assert_string_equal(config.root_path, wanted.root_path);
    assert_string_equal(config.taints[0].key, wanted.taints[0].key);
    assert_string_equal(config.taints[0].value, wanted.taints[0].value);
    assert_int_equal(config.taints[0].effect, wanted.taints[0].effect);
    assert_int_equal(config.taint_count, wanted.taint_count);
    assert_int_equal(config.label_count, wanted.label_count);
    assert_int_equal(config.register_os_label, wanted.register_os_label);
    assert_int_equal(config.register_hostname_label, wanted.register_hostname_label);
    assert_int_equal(config.exclude_from_load_balancers, wanted.exclude_from_load_balancers);
    assert_int_equal(config.recreate_node, wanted.recreate_node);
    assert_int_equal(config.finish_pods, wanted.finish_pods);
    assert_int_equal(config.pods_capacity, wanted.pods_capacity);
    assert_int_equal(config.lease_duration_s, wanted.lease_duration_s);
    assert_int_equal(config.lease_renew_s, wanted.lease_renew_s);
    assert_int_equal(config.status_update_s, wanted.status_update_s);
    assert_int_equal(config.status_report_s, wanted.status_report_s);
    assert_int_equal(config.log_verbosity, wanted.log_verbosity);
    assert_string_equal(config.log_format, wanted.log_format);
    assert_int_equal(config.log_file_bytes, wanted.log_file_bytes);
    assert_int_equal(config.log_file_count, wanted.log_file_count);
    assert_string_equal(config.metrics_listen, wanted.metrics_listen);
    assert_memory_equal(&config.reserved, &wanted.reserved, sizeof wanted.reserved);
    assert_true(config.thresholds.memory_available_bytes ==
                wanted.thresholds.memory_available_bytes);
    assert_int_equal(config.thresholds.disk_free_percent, wanted.thresholds.disk_free_percent);
    assert_int_equal(config.thresholds.inodes_free_percent, wanted.thresholds.inodes_free_percent);
    assert_int_equal(config.thresholds.pids_free_percent, wanted.thresholds.pids_free_percent);
    assert_int_equal(config.thresholds.transition_s, wanted.thresholds.transition_s);
    for (const char *line = begin; line < end; line = strchr(line, '\n') + 1) {
        const char *name = strncmp(line, "# ", 2) == 0 ? line + 2 : line;
        size_t len = strcspn(name, ":");
        if (strchr(" -\n", *name) != NULL || strncmp(name, "apiVersion", len) == 0 ||
            strncmp(name, "kind", len) == 0)
            continue;
        (void)snprintf(row, sizeof row, "`%.*s`", (int)len, name);
        if (strstr(end, row) == NULL)
            fail_msg("%s is not explained", row);
        keys++;
    }
    assert_int_equal(keys, 28);
}

static void test_names(void **state)
{
    char name[300];

    (void)state;
    assert_true(name_is_good("a") && name_is_good("0") && name_is_good("a-b.c-d") &&
                name_is_good("10.0.0.1"));
    assert_false(name_is_good("") || name_is_good("-a") || name_is_good("a-") ||
                 name_is_good("a..b") || name_is_good(".a") || name_is_good("a.") ||
                 name_is_good("a.-b") || name_is_good("a-.b") || name_is_good("A") ||
                 name_is_good("a_b") || name_is_good("a b") || name_is_good("\xc3\xa4"));
    for (size_t len = 250; len < 260; len++) {
        memset(name, 'a', len);
        name[len] = '\0';
        assert_true(name_is_good(name) == (len <= 253));
    }
}

static void test_label_rules(void **state)
{
    static const char *const allowed[] = {
        "a",
        "example.com/a",
        "mykubernetes.io/a",
        "kubernetes.io.example.com/a",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "node.kubernetes.io/anything",
        "sub.node.kubernetes.io/anything",
        "kubelet.kubernetes.io/x",
        "a.b.kubelet.kubernetes.io/x",
    };
    static const char *const forbidden[] = {
        "kubernetes.io/role",
        "app.kubernetes.io/name",
        "node-role.kubernetes.io/worker",
        "k8s.io/a",
        "x.k8s.io/a",
        "node-restriction.kubernetes.io/a",
        "sub.node-restriction.kubernetes.io/a",
        "kubernetes.io/hostnames",
        "topology.kubernetes.io/rack",
        "mynode.kubernetes.io/x",
        "beta.kubernetes.io/x",
    };
    char key[400], value[80];

    (void)state;
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        assert_true(km_label_is_allowed(km_slice_of(allowed[i])));
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        assert_false(km_label_is_allowed(km_slice_of(forbidden[i])));
    for (size_t len = 60; len < 70; len++) {
        memset(value, 'v', len);
        memset(key, 'p', 253);
        (void)snprintf(key + 253, sizeof key - 253, "/%.*s", (int)len, value);
        assert_int_equal(km_label_check(km_slice_of("a"), (struct km_slice){value, len}, "l", NULL),
                         len <= 63 ? KM_OK : KM_ERR_CONFIG);
        assert_int_equal(km_label_check(km_slice_of(key), km_slice_of(""), "l", NULL),
                         len <= 63 ? KM_OK : KM_ERR_CONFIG);
        if (len <= 63)
            assert_true(strlen(key) < KM_LABEL_KEY_SIZE && len < KM_LABEL_VALUE_SIZE);
    }
    memset(key, 'p', 254);
    memcpy(key + 254, "/a", 3);
    assert_int_equal(km_label_check(km_slice_of(key), km_slice_of(""), "l", NULL), KM_ERR_CONFIG);
}

static void test_node_labels(void **state)
{
    struct km_node_label out[CONFIG_KM_NODE_LABEL_COUNT];
    struct km_facts facts = {.architecture = "arm", .operating_system = "linux"};

    (void)state;
    expect_good("");
    assert_int_equal(km_node_labels(&facts, &config, "n", out), 3);
    assert_string_equal(out[0].key, "kubernetes.io/arch");
    assert_string_equal(out[0].value, "arm");
    assert_string_equal(out[1].key, "topology.kubernetes.io/region");
    assert_string_equal(out[1].value, "kubemote-devices");
    assert_string_equal(out[2].key, "node.kubernetes.io/exclude-from-external-load-balancers");
    assert_string_equal(out[2].value, "");
    expect_good("region: ''\nexcludeFromLoadBalancers: false\n");
    assert_int_equal(km_node_labels(&facts, &config, "n", out), 1);
    expect_good("registerOSLabel: true\nregisterHostnameLabel: true\nlabels: {a: b, "
                "kubernetes.io/arch: other}\n");
    assert_int_equal(km_node_labels(&facts, &config, "n", out), 6);
    assert_string_equal(out[0].value, "other");
    assert_string_equal(out[1].value, "linux");
    assert_string_equal(out[2].value, "n");
    assert_string_equal(out[5].key, "a");
}

/* ---- quantities ---- */

static void test_quantity(void **state)
{
    static const struct {
        const char *text;
        uint32_t scale;
        int err;
        uint64_t value;
    } rows[] = {
        {"0", 1, KM_OK, 0},
        {"0.0", 1, KM_OK, 0},
        {"1", 1000, KM_OK, 1000},
        {"+1", 1000, KM_OK, 1000},
        {"500m", 1000, KM_OK, 500},
        {"0.5", 1000, KM_OK, 500},
        {".5", 1000, KM_OK, 500},
        {"5.", 1000, KM_OK, 5000},
        {"1500u", 1000, KM_OK, 2},
        {"1n", 1000, KM_OK, 1},
        {"1n", 1, KM_OK, 1},
        {"0.1", 1, KM_OK, 1},
        {"100Mi", 1, KM_OK, 104857600},
        {"1.5Gi", 1, KM_OK, 1610612736},
        {"1.1Ki", 1, KM_OK, 1127},
        {"1k", 1, KM_OK, 1000},
        {"1e3", 1, KM_OK, 1000},
        {"1E3", 1, KM_OK, 1000},
        {"1e+3", 1, KM_OK, 1000},
        {"1E", 1, KM_OK, UINT64_C(1000000000000000000)},
        {"15Ei", 1, KM_OK, INT64_MAX}, /* the most that apimachinery keeps */
        {"7Ei", 1, KM_OK, UINT64_C(7) << 60},
        {"19E", 1, KM_ERR_TOO_LONG, 0},
        {"1e19", 1, KM_OK, UINT64_C(10000000000000000000)},
        {"1e20", 1, KM_ERR_TOO_LONG, 0},
        {"18446744073709551615", 1, KM_OK, UINT64_MAX},
        {"18446744073709551616", 1, KM_ERR_TOO_LONG, 0},
        {"1.0000000000000000001", 1, KM_OK, 2},
        {"", 1, KM_ERR_SYNTAX, 0},
        {".", 1, KM_ERR_SYNTAX, 0},
        {"-1", 1, KM_ERR_SYNTAX, 0},
        {"1 ", 1, KM_ERR_SYNTAX, 0},
        {"1.2.3", 1, KM_ERR_SYNTAX, 0},
        {"Ki", 1, KM_ERR_SYNTAX, 0},
        {"1K", 1, KM_ERR_SYNTAX, 0},
        {"1ki", 1, KM_ERR_SYNTAX, 0},
        {"1e", 1, KM_ERR_SYNTAX, 0},
        {"1ee3", 1, KM_ERR_SYNTAX, 0},
        {"0x1", 1, KM_ERR_SYNTAX, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t value = 0;
        int err = km_quantity_parse(km_slice_of(rows[i].text), rows[i].scale, &value);

        if (err != rows[i].err || (err == KM_OK && value != rows[i].value))
            fail_msg("%s: %d, %llu", rows[i].text, err, (unsigned long long)value);
    }
}

static void test_quantity_text(void **state)
{
    static const struct {
        uint64_t value;
        const char *bytes, *milli;
    } rows[] = {
        {0, "0", "0"},
        {1, "1", "1m"},
        {999, "999", "999m"},
        {1000, "1k", "1"},
        {1023, "1023", "1023m"},
        {1024, "1Ki", "1024m"},
        {1025, "1025", "1025m"},
        {2000, "2000", "2"},
        {3500, "3500", "3500m"},
        {2000000, "2000000", "2k"},
        {UINT64_C(4072726528), "3977272Ki", "4072726528m"},
        {UINT64_C(1) << 40, "1Ti", "1099511627776m"},
        {UINT64_C(7) << 60, "7Ei", "8070450532247928832m"},
        {UINT64_MAX, "18446744073709551615", "18446744073709551615m"},
    };
    char text[KM_QUANTITY_SIZE];
    uint64_t back;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        km_quantity_bytes(rows[i].value, text);
        assert_string_equal(text, rows[i].bytes);
        assert_int_equal(km_quantity_parse(km_slice_of(text), 1, &back), KM_OK);
        assert_true(back == rows[i].value);
        km_quantity_milli(rows[i].value, text);
        assert_string_equal(text, rows[i].milli);
    }
    /* There and back again for many values of both forms. */
    uint64_t value = 1;
    for (int i = 0; i < 2000; i++) {
        value = value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t small = value >> (value % 60);
        km_quantity_bytes(small, text);
        assert_int_equal(km_quantity_parse(km_slice_of(text), 1, &back), KM_OK);
        assert_true(back == small);
        small >>= 1;
        km_quantity_milli(small, text);
        assert_int_equal(km_quantity_parse(km_slice_of(text), 1000, &back), KM_OK);
        assert_true(back == small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),      cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_refuses),       cmocka_unit_test(test_head),
        cmocka_unit_test(test_tables_full),   cmocka_unit_test(test_names),
        cmocka_unit_test(test_documentation), cmocka_unit_test(test_label_rules),
        cmocka_unit_test(test_node_labels),   cmocka_unit_test(test_quantity),
        cmocka_unit_test(test_quantity_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
