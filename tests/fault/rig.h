/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole agent on port/sim against the tests' server: sets the scene, runs the loop on the virtual clock, counts the log's
 * lines, and says whether everything is as it should be in the end.
 *
 *     rig_begin(1);            the machine, an empty healthy server
 *     ... knobs of the server ...
 *     rig_start();             the agent
 *     rig_run(5000);           5 s pass
 *     ... accidents ...
 *     rig_settle(180000);      fails the test unless all is well within 3 minutes
 *     rig_end();               stops the agent; fails on leaks and complaints
 */
#ifndef TESTS_FAULT_RIG_H
#define TESTS_FAULT_RIG_H

#include "agent/node/node_priv.h"
#include "fake_api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "tests/unit/km_test.h"

/* Checkers make everything several times slower: such runs take samples. */
#if defined(__SANITIZE_ADDRESS__)
#define RIG_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RIG_SLOW 1
#endif
#endif
#ifndef RIG_SLOW
#define RIG_SLOW 0
#endif

#define RIG_MINUTE INT64_C(60000)
#define RIG_HOUR INT64_C(3600000)

struct rig {
    /* rig_begin sets defaults; change before rig_start. */
    struct km_kubeconfig kubeconfig;
    struct km_node_config config;
    int verbosity; /* -1 = as -v 9, but lines are not counted */

    struct km_loop loop;
    struct agent *agent;
    unsigned log_lines;
    char last_error[256]; /* words of the last line of severity E */
    unsigned rows;        /* printed */
    char row[512];        /* the last */
    const char *label;    /* what is tried, for messages */
    void (*turned)(void); /* behind each turn of the loop in rig_run; NULL = nothing */
};
extern struct rig rig;

void rig_begin(uint64_t seed);
/* KM_OK, or why the agent did not start (it then must have words for it). */
int rig_try_start(struct km_fault *fault);
void rig_start(void);
void rig_run(int64_t ms);
/* Time passes without an agent. */
void rig_pass(int64_t ms);
/* Runs until done() says so; false when the time is over. */
bool rig_until(bool (*done)(void), int64_t limit_ms);
/* Node Ready and lease fresh on the server, both watches open, caches equal to the server's contents, nothing under way.
   NULL, or what is not so. */
const char *rig_unsettled(void);
/* Runs until that holds and still holds 3 s later; fails the test otherwise. Returns how long it took. */
int64_t rig_settle(int64_t limit_ms);
/* The caches alone. */
const char *rig_cache_difference(void);
/* As SIGTERM: no new work, what is under way ends; true when it became idle within 15 s. */
bool rig_stop(void);
/* rig_stop, then no leaks, pools idle, no complaints. */
void rig_end(void);
/* As kill -9: sockets close, nothing else. rig_start starts a new agent. */
void rig_kill(void);

/* What programs without an agent do first, to be heard below. */
void rig_log_start(void);
/* Lines with that message since rig_begin. */
unsigned rig_logged(const char *message);
void rig_log_clear(void);
void rig_log_print(void); /* all messages with their counts, for the one who reads a failure */

bool rig_is_ready(void);   /* Ready on the server */
bool rig_is_renewed(void); /* a lease renewal since the last rig_run or rig_until began */

/* cmocka's message with the label of the try in front. */
#define rig_fail(...) \
    do { \
        char rig_text_[400]; \
        (void)snprintf(rig_text_, sizeof rig_text_, __VA_ARGS__); \
        rig_failed(__FILE__, __LINE__, rig_text_); \
    } while (0)
#define rig_check(condition) \
    do { \
        if (!(condition)) \
            rig_fail("%s", #condition); \
    } while (0)
#define rig_check_most(value, bound) \
    do { \
        unsigned long long rig_value_ = (unsigned long long)(value); \
        unsigned long long rig_bound_ = (unsigned long long)(bound); \
        if (rig_value_ > rig_bound_) \
            rig_fail("%s is %llu, more than %llu", #value, rig_value_, rig_bound_); \
    } while (0)
void rig_failed(const char *file, int line, const char *text);

#endif
