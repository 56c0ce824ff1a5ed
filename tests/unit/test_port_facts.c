/* SPDX-License-Identifier: Apache-2.0 */
/* The port's facts against what libc says of the same machine. */
#include "km_test.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kubemote/km_port.h"

static void test_machine(void **state)
{
    struct km_port_uname names;
    struct utsname libc;

    (void)state;
    assert_int_equal(km_port_uname(&names), KM_OK);
    assert_int_equal(uname(&libc), 0);
    assert_string_equal(names.sysname, libc.sysname);
    assert_string_equal(names.release, libc.release);
    assert_string_equal(names.machine, libc.machine);
    assert_string_equal(names.nodename, libc.nodename);
    assert_int_equal(km_port_pid(), getpid());
    assert_int_equal(km_port_cpu_count(), sysconf(_SC_NPROCESSORS_ONLN));
}

static void test_disk(void **state)
{
    struct km_port_disk disk;
    struct statvfs libc;

    (void)state;
    assert_int_equal(km_port_disk("/", &disk), KM_OK);
    assert_int_equal(statvfs("/", &libc), 0);
    assert_true(disk.total_bytes == (uint64_t)libc.f_frsize * libc.f_blocks);
    assert_true(disk.free_bytes > 0 && disk.free_bytes <= disk.total_bytes);
    assert_int_equal(km_port_disk("/nonexistent", &disk), KM_ERR_IO);
    assert_true(disk.total_bytes == 0);
}

static bool listed(const struct km_addr *addrs, int count, int family, const void *ip)
{
    for (int i = 0; i < count; i++) {
        if (addrs[i].family == (family == AF_INET ? 4 : 6) &&
            memcmp(addrs[i].ip, ip, family == AF_INET ? 4 : 16) == 0)
            return true;
    }
    return false;
}

/* Each address of libc's list that is not of a kind left out must be there, and none that libc does not know. */
static void test_addresses(void **state)
{
    struct km_addr addrs[32];
    int count = km_port_addresses(addrs, 32), known = 0;
    struct ifaddrs *list, *at;

    (void)state;
    assert_true(count >= 0 && count <= 32);
    assert_int_equal(getifaddrs(&list), 0);
    for (at = list; at != NULL; at = at->ifa_next) {
        if (at->ifa_addr == NULL || (at->ifa_flags & IFF_UP) == 0)
            continue;
        if (at->ifa_addr->sa_family == AF_INET) {
            const struct sockaddr_in *in = (const void *)at->ifa_addr;
            uint32_t ip = ntohl(in->sin_addr.s_addr);
            bool fit = ip >> 24 != 127 && ip >> 16 != 0xa9fe;

            assert_int_equal(listed(addrs, count, AF_INET, &in->sin_addr), fit);
            known += fit;
        } else if (at->ifa_addr->sa_family == AF_INET6) {
            const struct sockaddr_in6 *in = (const void *)at->ifa_addr;

            if (listed(addrs, count, AF_INET6, &in->sin6_addr)) {
                known++;
                assert_false(IN6_IS_ADDR_LINKLOCAL(&in->sin6_addr));
                assert_false(IN6_IS_ADDR_LOOPBACK(&in->sin6_addr));
            }
        }
    }
    freeifaddrs(list);
    assert_int_equal(known, count);
    for (int i = 1; i < count; i++)
        assert_true(addrs[i - 1].family <= addrs[i].family);
    if (count > 1) {
        struct km_addr one[1];

        assert_int_equal(km_port_addresses(one, 1), 1);
        assert_memory_equal(one[0].ip, addrs[0].ip, 16);
    }
    assert_int_equal(km_port_addresses(addrs, 0), 0);
}

/* Text and constants that were given back are there again when they are needed. */
static void test_trim(void **state)
{
    static const char text[] = "constants come back from the file";

    (void)state;
    for (int i = 0; i < 3; i++) {
        km_port_trim();
        assert_string_equal(text, "constants come back from the file");
        assert_true(km_port_cpu_count() >= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_machine), cmocka_unit_test(test_disk),
                                       cmocka_unit_test(test_addresses),
                                       cmocka_unit_test(test_trim)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
