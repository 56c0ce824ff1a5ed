/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random accidents of links, server and machine, for tests that live through many of them: each rolls its own dice, so that a
 * seed is one life. Time passes by rig_run meanwhile. What one set is taken back by accident_put_right.
 *
 * In the environment: RIG_SEED=N runs that seed alone, RIG_SEED=N RIG_SEEDS=M as many from there on, RIG_HOURS=N so many hours
 * of each, RIG_TELL=1 names each accident as it happens.
 */
#ifndef TESTS_FAULT_ACCIDENTS_H
#define TESTS_FAULT_ACCIDENTS_H

#include "rig.h"

struct accident {
    const char *name;
    void (*happen)(void);
    bool lease_survives;
    int weight;
};

/* What other people in the cluster do; called in the middle of accidents. */
struct accident_people {
    void (*change)(void);
    void (*churn)(int count); /* objects of the collections that are watched */
};

void accidents_begin(uint64_t seed, const struct accident_people *people);
/* Both ends may come. */
int64_t roll(int64_t low, int64_t high);
bool chance(int percent);
const struct accident *accident_pick(const struct accident *list, size_t count);
void accident_tell(const struct accident *a, unsigned number, uint64_t seed); /* sets rig.label */
/* Each seed that is wanted: from 1 on so many, unless the environment says otherwise. */
void accident_seeds(unsigned usual, void (*live)(uint64_t seed, int64_t hours), int64_t hours);

void accident_restart_server(void);
void accident_end_streams(void);
void accident_pieces(void);
void accident_link_down(void);
void accident_half_open(void);
void accident_deaf_proxy(void);
void accident_restore_copy(void);
void accident_empty_store(void);
void accident_other_server(void); /* another version of it, for good */
void accident_error_event(void);
void accident_refusals(void);
void accident_slow_server(void);
void accident_no_way(void);
void accident_failing_calls(void);
void accident_cut(void);
void accident_lost_answers(void); /* by the server's hook */
void accident_garbage_events(void);

void accident_put_right(void);

#endif
