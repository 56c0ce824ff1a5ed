/* SPDX-License-Identifier: Apache-2.0 */
/* What the benches written in C measure with: one line "NAME NANOSECONDS" for each operation, the median of many runs. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define RUNS 31

/* Processor time, which other programs on the machine do not lengthen. */
static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* run returns the nanoseconds of all its operations. */
static void measure(const char *name, int64_t (*run)(void), int operations)
{
    int64_t times[RUNS];

    for (int i = 0; i < RUNS; i++) {
        int64_t ns = run();
        int at = i;

        for (; at > 0 && times[at - 1] > ns; at--)
            times[at] = times[at - 1];
        times[at] = ns;
    }
    printf("%s %.1f\n", name, (double)times[RUNS / 2] / operations);
}

#endif
