/* SPDX-License-Identifier: Apache-2.0 */
#include "km_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kubemote/km_facts.h"

static char folder[64];
static char names[16][128];
static struct km_node_config config;
static struct km_facts facts;

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/km_test_facts_XXXXXX");
    km_node_config_defaults(&config);
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *path_of(int i, const char *name)
{
    (void)snprintf(names[i], sizeof names[i], "%s/%s", folder, name);
    return names[i];
}

static void put(const char *path, const char *text, size_t len)
{
    assert_int_equal(km_port_file_replace(path, text, len), KM_OK);
}

static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

static struct km_fact_paths test_paths(void)
{
    return (struct km_fact_paths){
        .meminfo = path_of(0, "meminfo"),
        .loadavg = path_of(1, "loadavg"),
        .pid_max = path_of(2, "pid_max"),
        .threads_max = path_of(3, "threads-max"),
        .boot_id = path_of(4, "boot_id"),
        .machine_id = {path_of(5, "machine-id"), path_of(6, "dbus-id")},
        .system_uuid = {path_of(7, "uuid"), path_of(8, "vm-uuid"), path_of(9, "serial")},
        .mac_address = path_of(10, "mac"),
        .os_release = {path_of(11, "os-release"), path_of(12, "usr-os-release")},
    };
}

/* ---- against the machine ---- */

static uint64_t meminfo_bytes(const char *name)
{
    unsigned long long kib = 0;
    char line[256];
    FILE *file = fopen("/proc/meminfo", "r");

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoull(line + strlen(name), NULL, 10);
    }
    (void)fclose(file);
    return (uint64_t)kib * 1024;
}

static void test_this_machine(void **state)
{
    struct statvfs fs;
    struct utsname name;
    char text[KM_QUANTITY_SIZE];
    struct km_resources capacity, allocatable;

    (void)state;
    km_facts_static(&facts, &config, NULL);
    km_facts_read(&facts, &config, &km_fact_paths_default);
    assert_int_equal(uname(&name), 0);
    assert_string_equal(facts.kernel_version, name.release);
    assert_string_equal(facts.operating_system, "linux");
    assert_true(facts.machine_id[0] != '\0' && facts.system_uuid[0] != '\0' &&
                facts.boot_id[0] != '\0');
    assert_true(facts.os_image[0] != '\0');
    assert_true(facts.memory_total_bytes == meminfo_bytes("MemTotal:"));
    assert_true(facts.memory_total_bytes % 1024 == 0);
    assert_int_equal(statvfs("/", &fs), 0);
    assert_true(facts.disk_total_bytes == (uint64_t)fs.f_blocks * fs.f_frsize);
    assert_int_equal(facts.cpu_count, sysconf(_SC_NPROCESSORS_ONLN));
    assert_int_equal(facts.known, KM_FACT_CPU | KM_FACT_MEMORY_TOTAL | KM_FACT_MEMORY_AVAILABLE |
                                      KM_FACT_DISK | KM_FACT_PIDS);
    assert_true(facts.memory_available_bytes <= facts.memory_total_bytes);
    assert_true(facts.pids_used > 0 && facts.pids_used < facts.pids_max);
    assert_true(facts.address_count < CONFIG_KM_NODE_ADDRESS_COUNT);
    for (uint16_t i = 1; i < facts.address_count; i++)
        assert_true(facts.addresses[i - 1].family <= facts.addresses[i].family);
    km_facts_resources(&facts, &config, &capacity, &allocatable);
    km_quantity_bytes(facts.memory_total_bytes, text);
    assert_string_equal(capacity.memory, text);
    printf("           %s, %s, %s, cpu %s, memory %s, disk %s, %u addresses\n", facts.os_image,
           facts.architecture, facts.kernel_version, capacity.cpu, capacity.memory,
           capacity.ephemeral_storage, (unsigned)facts.address_count);
}

/* ---- against files ---- */

static void test_static_files(void **state)
{
    struct km_fact_paths paths = test_paths();
    static const char serial[] = "BOARD 17\0";

    (void)state;
    put_text(paths.machine_id[0], "0123456789abcdef0123456789abcdef\n");
    put_text(paths.system_uuid[0], "  UUID-1\n");
    put_text(paths.boot_id, "0b0e1a1c-0000-4000-8000-000000000001\n");
    put_text(paths.os_release[0],
             "NAME=\"x\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION=1\n");
    km_facts_static(&facts, &config, &paths);
    assert_string_equal(facts.machine_id, "0123456789abcdef0123456789abcdef");
    assert_false(facts.machine_id_made);
    assert_string_equal(facts.system_uuid, "UUID-1");
    assert_string_equal(facts.boot_id, "0b0e1a1c-0000-4000-8000-000000000001");
    assert_string_equal(facts.os_image, "Debian GNU/Linux 12 (bookworm)");

    /* the other places; a first boot's machine-id; strings of the device tree end in NUL */
    put_text(paths.machine_id[0], "uninitialized\n");
    put_text(paths.machine_id[1], "fedcba\n");
    assert_int_equal(unlink(paths.system_uuid[0]), 0);
    put(paths.system_uuid[2], serial, sizeof serial - 1);
    assert_int_equal(unlink(paths.os_release[0]), 0);
    put_text(paths.os_release[1], "PRETTY_NAME=OpenWrt 23.05");
    km_facts_static(&facts, &config, &paths);
    assert_string_equal(facts.machine_id, "fedcba");
    assert_string_equal(facts.system_uuid, "BOARD 17");
    assert_string_equal(facts.os_image, "OpenWrt 23.05");

    put_text(paths.os_release[1], "NAME=x\n");
    put_text(paths.system_uuid[0], "from the configuration");
    config.system_uuid_file = paths.system_uuid[0];
    km_facts_static(&facts, &config, &paths);
    assert_string_equal(facts.os_image, "Linux");
    assert_string_equal(facts.system_uuid, "from the configuration");
    config.system_uuid_file = "/nonexistent";
    km_facts_static(&facts, &config, &paths);
    assert_string_equal(facts.system_uuid, "from the configuration");
}

/* Firmware's garbage becomes printable UTF-8, cut between characters. */
static void test_garbage_text(void **state)
{
    struct km_fact_paths paths = test_paths();
    char text[300];

    (void)state;
    put_text(paths.system_uuid[0], "a\x01\xff\xc3\xa4\xc0\x80\xed\xa0\x80z\x7f\xe2\x82");
    km_facts_static(&facts, &config, &paths);
    assert_string_equal(facts.system_uuid, "a??\xc3\xa4?????z???");
    for (size_t pad = 55; pad < 70; pad++) {
        memset(text, 'x', pad);
        memcpy(text + pad, "\xf0\x9f\x98\x80y", 6);
        put_text(paths.system_uuid[0], text);
        km_facts_static(&facts, &config, &paths);
        size_t len = strlen(facts.system_uuid);
        assert_true(len < sizeof facts.system_uuid);
        if (pad <= 59)
            assert_memory_equal(facts.system_uuid + pad, "\xf0\x9f\x98\x80", 4);
        else
            assert_int_equal(len, pad <= 63 ? pad : 63);
    }
}

static void test_made_machine_id(void **state)
{
    struct km_fact_paths paths = test_paths();
    char first[64];

    (void)state;
    km_facts_static(&facts, &config, &paths); /* nothing at all */
    assert_true(facts.machine_id_made);
    assert_int_equal(strlen(facts.machine_id), 32);
    assert_int_equal(strspn(facts.machine_id, "0123456789abcdef"), 32);
    assert_string_equal(facts.system_uuid, facts.machine_id);
    assert_string_equal(facts.os_image, "Unknown");
    assert_string_equal(facts.boot_id, "");
    memcpy(first, facts.machine_id, sizeof first);
    put_text(paths.mac_address, "02:00:00:00:00:01\n");
    km_facts_static(&facts, &config, &paths);
    assert_true(strcmp(first, facts.machine_id) != 0);
    memcpy(first, facts.machine_id, sizeof first);
    km_facts_static(&facts, &config, &paths);
    assert_string_equal(facts.machine_id, first);
    put_text(paths.mac_address, "02:00:00:00:00:02\n");
    km_facts_static(&facts, &config, &paths);
    assert_true(strcmp(first, facts.machine_id) != 0);
    put_text(paths.system_uuid[2], "serial");
    km_facts_static(&facts, &config, &paths);
    assert_true(facts.machine_id_made);
    assert_string_equal(facts.system_uuid, "serial");
}

static void read_again(const struct km_fact_paths *paths)
{
    memset(&facts, 0, sizeof facts);
    km_facts_read(&facts, &config, paths);
}

static void test_readings(void **state)
{
    struct km_fact_paths paths = test_paths();

    (void)state;
    read_again(&paths);
    assert_int_equal(facts.known, KM_FACT_CPU | KM_FACT_DISK);
    put_text(paths.meminfo,
             "MemTotal:        3977272 kB\nMemFree:  1 kB\nMemAvailable:    102400 kB\n");
    put_text(paths.loadavg, "0.20 0.18 0.12 1/80 11206\n");
    put_text(paths.pid_max, "32768\n");
    put_text(paths.threads_max, "7000\n");
    read_again(&paths);
    assert_true(facts.memory_total_bytes == UINT64_C(4072726528));
    assert_int_equal(facts.memory_available_bytes, 104857600);
    assert_int_equal(facts.pids_max, 7000);
    assert_int_equal(facts.pids_used, 80);
    put_text(paths.threads_max, "126000\n");
    read_again(&paths);
    assert_int_equal(facts.pids_max, 32768);
    assert_int_equal(unlink(paths.threads_max), 0);
    read_again(&paths);
    assert_int_equal(facts.pids_max, 32768);
    assert_true((facts.known & KM_FACT_PIDS) != 0);
    config.root_path = "/nonexistent";
    read_again(&paths);
    assert_true((facts.known & KM_FACT_DISK) == 0);
}

/* Every beginning of the good files, and damaged ones: unknown or the right value, never another. */
static void test_damaged_readings(void **state)
{
    static const char meminfo[] = "MemTotal:        3977272 kB\nMemAvailable:    102400 kB\n";
    static const char loadavg[] = "0.20 0.18 0.12 1/80 11206\n";
    static const char *const bad_memory[] = {
        "MemTotal: -1 kB\n",
        "MemTotal: kB\n",
        "MemTotal: 1 MB\n",
        "MemTotal: 99999999999999999999 kB\n",
        "MemTotal: 18446744073709551615 kB\n",
        "XMemTotal: 5 kB\n",
        "MemTotal 5 kB\n",
        "MemTotal: 1 2 kB\n",
    };
    static const char *const bad_load[] = {
        "",           "1 2 3",       "1 2 3 4 5",    "1 2 3 /4 x5",
        "0 0 0 1/ 5", "0 0 0 1/x 5", "0 0 0 1/-3 5", "0 0 0 1 5/6 7"};
    struct km_fact_paths paths = test_paths();

    (void)state;
    put_text(paths.pid_max, "32768\n");
    for (size_t len = 0; len < sizeof meminfo; len++) {
        put(paths.meminfo, meminfo, len);
        read_again(&paths);
        assert_true((facts.known & KM_FACT_MEMORY_TOTAL) == 0 ||
                    facts.memory_total_bytes == UINT64_C(4072726528));
        assert_true((facts.known & KM_FACT_MEMORY_AVAILABLE) == 0 ||
                    facts.memory_available_bytes == 104857600);
    }
    for (size_t len = 0; len < sizeof loadavg; len++) {
        put(paths.loadavg, loadavg, len);
        read_again(&paths);
        assert_true((facts.known & KM_FACT_PIDS) == 0 || facts.pids_used == 80);
    }
    for (size_t i = 0; i < sizeof bad_memory / sizeof bad_memory[0]; i++) {
        put_text(paths.meminfo, bad_memory[i]);
        read_again(&paths);
        assert_true((facts.known & KM_FACT_MEMORY_TOTAL) == 0);
    }
    for (size_t i = 0; i < sizeof bad_load / sizeof bad_load[0]; i++) {
        put_text(paths.loadavg, bad_load[i]);
        read_again(&paths);
        assert_true((facts.known & KM_FACT_PIDS) == 0 || i == 3);
    }
}

/* ---- resources ---- */

static void test_resources(void **state)
{
    struct km_resources c, a;

    (void)state;
    km_node_config_defaults(&config);
    memset(&facts, 0, sizeof facts);
    km_facts_resources(&facts, &config, &c, &a);
    assert_string_equal(c.cpu, "");
    assert_string_equal(a.memory, "");
    assert_string_equal(c.pods, "0");
    facts.known = KM_FACT_CPU | KM_FACT_MEMORY_TOTAL | KM_FACT_DISK;
    facts.cpu_count = 2;
    facts.memory_total_bytes = UINT64_C(4072726528);
    facts.disk_total_bytes = UINT64_C(1500000000);
    config.pods_capacity = 3;
    km_facts_resources(&facts, &config, &c, &a);
    assert_string_equal(c.cpu, "2");
    assert_string_equal(c.memory, "3977272Ki");
    assert_string_equal(c.ephemeral_storage, "1500000000");
    assert_string_equal(c.pods, "3");
    assert_string_equal(a.cpu, "2");
    assert_string_equal(a.pods, "3");
    config.reserved = (struct km_reserved){250, UINT64_C(4072726528) - 2048, UINT64_C(1500000001)};
    km_facts_resources(&facts, &config, &c, &a);
    assert_string_equal(a.cpu, "1750m");
    assert_string_equal(a.memory, "2Ki");
    assert_string_equal(a.ephemeral_storage, "0");
    assert_string_equal(c.cpu, "2");
    config.reserved.cpu_milli = 2000;
    km_facts_resources(&facts, &config, &c, &a);
    assert_string_equal(a.cpu, "0");
}

/* ---- conditions ---- */

static struct km_pressure pressure;
static struct km_condition conditions[KM_CONDITION_COUNT];

static void good_facts(void)
{
    km_node_config_defaults(&config);
    memset(&facts, 0, sizeof facts);
    memset(&pressure, 0, sizeof pressure);
    facts.known = ~0u;
    facts.cpu_count = 1;
    facts.memory_total_bytes = UINT64_C(1) << 30;
    facts.memory_available_bytes = facts.memory_total_bytes / 2;
    facts.disk_total_bytes = 1001;
    facts.disk_free_bytes = 500;
    facts.disk_total_inodes = 199;
    facts.disk_free_inodes = 100;
    facts.pids_max = 1000;
    facts.pids_used = 100;
}

static enum km_condition_status at(int which, int64_t now_ms)
{
    km_facts_conditions(&facts, &config, &pressure, now_ms, conditions);
    return conditions[which].status;
}

/* The status of a first look, without a memory of pressure. */
static enum km_condition_status first_look(int which)
{
    memset(&pressure, 0, sizeof pressure);
    return at(which, 0);
}

static void expect_words(int which, const char *type, const char *status, const char *reason,
                         const char *message)
{
    assert_string_equal(conditions[which].type, type);
    assert_string_equal(km_condition_status_name(conditions[which].status), status);
    assert_string_equal(conditions[which].reason, reason);
    assert_string_equal(conditions[which].message, message);
}

static void test_condition_words(void **state)
{
    (void)state;
    good_facts();
    (void)at(0, 0);
    expect_words(0, "MemoryPressure", "False", "KubeletHasSufficientMemory",
                 "kubelet has sufficient memory available");
    expect_words(1, "DiskPressure", "False", "KubeletHasNoDiskPressure",
                 "kubelet has no disk pressure");
    expect_words(2, "PIDPressure", "False", "KubeletHasSufficientPID",
                 "kubelet has sufficient PID available");
    expect_words(3, "Ready", "True", "KubeletReady", "kubelet is posting ready status");
    facts.memory_available_bytes = 0;
    facts.disk_free_bytes = 0;
    facts.pids_used = 1001;
    (void)at(0, 0);
    expect_words(0, "MemoryPressure", "True", "KubeletHasInsufficientMemory",
                 "kubelet has insufficient memory available");
    expect_words(1, "DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure");
    expect_words(2, "PIDPressure", "True", "KubeletHasInsufficientPID",
                 "kubelet has insufficient PID available");
    expect_words(3, "Ready", "True", "KubeletReady", "kubelet is posting ready status");
    facts.known = 0;
    (void)at(0, 0);
    expect_words(0, "MemoryPressure", "Unknown", "ReadingFailed", "available memory can't be read");
    expect_words(1, "DiskPressure", "Unknown", "ReadingFailed", "free disk space can't be read");
    expect_words(2, "PIDPressure", "Unknown", "ReadingFailed",
                 "the number of processes can't be read");
    expect_words(3, "Ready", "False", "KubeletNotReady",
                 "missing node capacity for resources: cpu, memory, ephemeral-storage");
    facts.known = ~0u & ~(uint32_t)KM_FACT_MEMORY_TOTAL;
    (void)at(0, 0);
    expect_words(3, "Ready", "False", "KubeletNotReady",
                 "missing node capacity for resources: memory");
}

static void test_condition_borders(void **state)
{
    (void)state;
    good_facts();
    facts.memory_available_bytes = 100u << 20;
    assert_int_equal(first_look(KM_MEMORY_PRESSURE), KM_CONDITION_FALSE);
    facts.memory_available_bytes--;
    assert_int_equal(first_look(KM_MEMORY_PRESSURE), KM_CONDITION_TRUE);
    config.thresholds.memory_available_bytes = 0;
    assert_int_equal(first_look(KM_MEMORY_PRESSURE), KM_CONDITION_FALSE);
    config.thresholds.memory_available_percent = 50;
    facts.memory_available_bytes = facts.memory_total_bytes / 2;
    assert_int_equal(first_look(KM_MEMORY_PRESSURE), KM_CONDITION_FALSE);
    facts.memory_available_bytes--;
    assert_int_equal(first_look(KM_MEMORY_PRESSURE), KM_CONDITION_TRUE);

    good_facts(); /* 10 % of 1001 is 100 */
    facts.disk_free_bytes = 100;
    assert_int_equal(first_look(KM_DISK_PRESSURE), KM_CONDITION_FALSE);
    facts.disk_free_bytes = 99;
    assert_int_equal(first_look(KM_DISK_PRESSURE), KM_CONDITION_TRUE);
    config.thresholds.disk_free_percent = 0;
    assert_int_equal(first_look(KM_DISK_PRESSURE), KM_CONDITION_FALSE);
    facts.disk_free_inodes = 9; /* 5 % of 199 is 9 */
    assert_int_equal(first_look(KM_DISK_PRESSURE), KM_CONDITION_FALSE);
    facts.disk_free_inodes = 8;
    assert_int_equal(first_look(KM_DISK_PRESSURE), KM_CONDITION_TRUE);
    facts.disk_free_inodes = facts.disk_total_inodes = 0; /* vfat, btrfs */
    assert_int_equal(first_look(KM_DISK_PRESSURE), KM_CONDITION_FALSE);

    good_facts();
    facts.pids_used = 950;
    assert_int_equal(first_look(KM_PID_PRESSURE), KM_CONDITION_FALSE);
    facts.pids_used = 951;
    assert_int_equal(first_look(KM_PID_PRESSURE), KM_CONDITION_TRUE);
    config.thresholds.pids_free_percent = 0;
    assert_int_equal(first_look(KM_PID_PRESSURE), KM_CONDITION_FALSE);
    facts.known = 0;
    assert_int_equal(first_look(KM_PID_PRESSURE), KM_CONDITION_FALSE); /* off: nothing to know */

    good_facts(); /* no overflow at the largest file system */
    facts.disk_total_bytes = UINT64_MAX;
    facts.disk_free_bytes = UINT64_MAX / 2;
    config.thresholds.disk_free_percent = 99;
    assert_int_equal(first_look(KM_DISK_PRESSURE), KM_CONDITION_TRUE);
}

/* Pressure stays until the period has passed since it was seen last. */
static void test_condition_hold(void **state)
{
    (void)state;
    good_facts();
    assert_int_equal(at(KM_MEMORY_PRESSURE, 1000), KM_CONDITION_FALSE);
    facts.memory_available_bytes = 0;
    assert_int_equal(at(KM_MEMORY_PRESSURE, 2000), KM_CONDITION_TRUE);
    assert_int_equal(at(KM_MEMORY_PRESSURE, 12000), KM_CONDITION_TRUE);
    facts.memory_available_bytes = facts.memory_total_bytes;
    assert_int_equal(at(KM_MEMORY_PRESSURE, 12001), KM_CONDITION_TRUE);
    assert_int_equal(at(KM_MEMORY_PRESSURE, 311999), KM_CONDITION_TRUE);
    facts.known &= ~(uint32_t)KM_FACT_MEMORY_AVAILABLE;
    assert_int_equal(at(KM_MEMORY_PRESSURE, 311999), KM_CONDITION_UNKNOWN);
    facts.known = ~0u;
    assert_int_equal(at(KM_MEMORY_PRESSURE, 311999), KM_CONDITION_TRUE);
    assert_int_equal(at(KM_MEMORY_PRESSURE, 312000), KM_CONDITION_FALSE);
    assert_int_equal(at(KM_MEMORY_PRESSURE, 312001), KM_CONDITION_FALSE);
    facts.memory_available_bytes = 0;
    assert_int_equal(at(KM_MEMORY_PRESSURE, 400000), KM_CONDITION_TRUE);
    facts.memory_available_bytes = facts.memory_total_bytes;
    config.thresholds.transition_s = 0;
    assert_int_equal(at(KM_MEMORY_PRESSURE, 400000), KM_CONDITION_FALSE);
    assert_int_equal(conditions[KM_DISK_PRESSURE].status, KM_CONDITION_FALSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_this_machine, setup, teardown),
        cmocka_unit_test_setup_teardown(test_static_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_garbage_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_made_machine_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_readings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_readings, setup, teardown),
        cmocka_unit_test(test_resources),
        cmocka_unit_test(test_condition_words),
        cmocka_unit_test(test_condition_borders),
        cmocka_unit_test(test_condition_hold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
