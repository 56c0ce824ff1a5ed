/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room watch: a resourceVersion kept in a file, so that a program that starts again goes on where it was. Noted after an event
 * was handled and written as a whole or not at all: a program killed at any moment misses nothing and sees what came since
 * the last write once more.
 *
 * Flash wears out by writes: the file is written at most once per interval, not at all while nothing changes, and the writes
 * are counted (kubemote_saved_version_writes_total).
 */
#ifndef KM_SAVED_H
#define KM_SAVED_H

#include "km_port.h"

#define KM_SAVED_SIZE 32

struct km_saved {
    /* Set before km_saved_init; the pointers stay valid. */
    const char *name; /* for logs and metrics: "pods" */
    const char *path;
    int64_t interval_ms; /* between writes; 0 = each change at once */

    /* Private. */
    char noted[KM_SAVED_SIZE], written[KM_SAVED_SIZE];
    int64_t next_ms; /* no write before this */
    bool failing;
    struct km_timers *timers;
    struct km_timer timer;
    struct km_counter writes, failures;
    char counter_names[2][80];
};

void km_saved_init(struct km_saved *saved, struct km_timers *timers);
/* What the file has: KM_OK; KM_ERR_NOT_FOUND when there is none, KM_ERR_SYNTAX when it holds something else, KM_ERR_IO: rv is ""
   then. Blocks for the disk. */
int km_saved_load(struct km_saved *saved, char *rv, size_t rv_size);
/* Everything up to rv was handled. Writes now or when the interval is over; blocks for the disk then. */
void km_saved_note(struct km_saved *saved, const char *rv, int64_t now_ms);
/* Writes now what is not written yet: before a program ends in order. KM_OK or why not. */
int km_saved_write(struct km_saved *saved);

#endif
