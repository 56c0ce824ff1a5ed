/* SPDX-License-Identifier: Apache-2.0 */
/* The process itself, under the names that Prometheus' client libraries use. */
#include <string.h>

#include "kubemote/km_metrics.h"

/* Times in /proc are in hundredths of a second on all processors that Linux runs on here. */
#define STAT_UTIME 14 /* fields of /proc/self/stat, from 1 */
#define TEXT_BYTES 2048

static int64_t start_us;

/* The number behind a name of /proc/self/status, in its unit; false when it is not there. */
static bool find_number(const char *text, const char *name, int64_t *out)
{
    const char *at = strstr(text, name);
    int64_t value = 0;

    if (at == NULL)
        return false;
    at += strlen(name);
    while (*at == ' ' || *at == '\t')
        at++;
    while (*at >= '0' && *at <= '9' && value < INT64_MAX / 10240 - 10)
        value = value * 10 + (*at++ - '0');
    *out = value;
    return true;
}

static bool read_memory(const char *name, int64_t *bytes)
{
    char text[TEXT_BYTES];
    int len = km_port_file_read("/proc/self/status", text, sizeof text);

    if (len < 0 || !find_number(text, name, bytes))
        return false;
    *bytes *= 1024;
    return true;
}

/* The process' name in parentheses may hold anything, so the fields count from the last one. */
static bool read_cpu(int64_t *ticks)
{
    char text[TEXT_BYTES];
    int64_t user = 0, system = 0;
    const char *at;

    if (km_port_file_read("/proc/self/stat", text, sizeof text) < 0)
        return false;
    at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < STAT_UTIME; field++) {
        at = strchr(at + 1, ' ');
        if (field == STAT_UTIME - 1 && at != NULL && find_number(at, " ", &user)) {
            at = strchr(at + 1, ' ');
            if (at == NULL || !find_number(at, " ", &system))
                return false;
            *ticks = user + system;
            return true;
        }
    }
    return false;
}

static bool sample_process(void *ctx, unsigned index, struct km_sample *out)
{
    static const char *const families[] = {
        "process_cpu_seconds_total", "process_resident_memory_bytes",
        "process_virtual_memory_bytes", "process_start_time_seconds"};
    static const uint8_t decimals[] = {2, 0, 0, 6};

    (void)ctx;
    if (index >= sizeof families / sizeof families[0])
        return false;
    out->family = families[index];
    out->type = index == 0 ? KM_SAMPLE_COUNTER : KM_SAMPLE_GAUGE;
    out->decimals = decimals[index];
    if (index == 0)
        (void)read_cpu(&out->value);
    else if (index == 1)
        (void)read_memory("VmRSS:", &out->value);
    else if (index == 2)
        (void)read_memory("VmSize:", &out->value);
    else if (index == 3)
        out->value = start_us;
    return true;
}

void km_process_metrics_register(void)
{
    static struct km_collector collector = {.sample = sample_process};

    start_us = km_port_wall_us();
    km_collector_register(&collector);
}
