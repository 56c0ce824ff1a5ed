/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include <sched.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "kubemote/km_port.h"

int km_port_disk(const char *path, struct km_port_disk *out)
{
    struct statvfs fs;
    uint64_t unit;

    memset(out, 0, sizeof *out);
    if (statvfs(path, &fs) != 0)
        return KM_ERR_IO;
    unit = fs.f_frsize != 0 ? fs.f_frsize : fs.f_bsize;
    out->total_bytes = unit * fs.f_blocks;
    out->free_bytes = unit * fs.f_bavail;
    out->total_inodes = fs.f_files;
    out->free_inodes = fs.f_ffree;
    return KM_OK;
}

static void copy_field(char *out, size_t out_size, const char *text)
{
    size_t len = strlen(text);

    if (len >= out_size)
        len = out_size - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

int km_port_uname(struct km_port_uname *out)
{
    struct utsname names;

    memset(out, 0, sizeof *out);
    if (uname(&names) != 0)
        return KM_ERR_IO;
    copy_field(out->sysname, sizeof out->sysname, names.sysname);
    copy_field(out->release, sizeof out->release, names.release);
    copy_field(out->machine, sizeof out->machine, names.machine);
    copy_field(out->nodename, sizeof out->nodename, names.nodename);
    return KM_OK;
}

/* Counts a list such as "0-3,6,8-9"; 0 when it is malformed. */
static int count_list(const char *text)
{
    struct km_slice rest = km_slice_trim(km_slice_of(text));
    uint64_t count = 0;

    while (rest.len > 0) {
        struct km_slice item = rest, first, second;
        const char *comma = memchr(rest.ptr, ',', rest.len), *dash;
        uint64_t low, high;

        if (comma != NULL)
            item.len = (size_t)(comma - rest.ptr);
        rest.ptr += item.len + (comma != NULL);
        rest.len -= item.len + (comma != NULL);
        dash = memchr(item.ptr, '-', item.len);
        first = second = item;
        if (dash != NULL) {
            first.len = (size_t)(dash - item.ptr);
            second = (struct km_slice){.ptr = dash + 1, .len = item.len - first.len - 1};
        }
        if (km_slice_to_u64(first, &low) != KM_OK || km_slice_to_u64(second, &high) != KM_OK ||
            high < low || high > 65535)
            return 0;
        count += high - low + 1;
    }
    return count > 65535 ? 0 : (int)count;
}

int km_port_cpu_count(void)
{
    char text[256];
    cpu_set_t set;
    int len = km_port_file_read("/sys/devices/system/cpu/online", text, sizeof text), count;

    if (len > 0) {
        if (text[len - 1] == '\n')
            text[len - 1] = '\0';
        count = count_list(text);
        if (count > 0)
            return count;
    }
    if (sched_getaffinity(0, sizeof set, &set) == 0 && (count = CPU_COUNT(&set)) > 0)
        return count;
    return 1;
}

bool km_port_has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned a, b, c, d;

    /* AES and the carry-less multiplication that GCM needs. */
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_AES) != 0 && (c & bit_PCLMUL) != 0;
#elif defined(__aarch64__)
    /* HWCAP_AES and HWCAP_PMULL of the kernel's interface. */
    return (getauxval(AT_HWCAP) & 0x18u) == 0x18u;
#else
    return false;
#endif
}

uint32_t km_port_pid(void)
{
    return (uint32_t)getpid();
}
