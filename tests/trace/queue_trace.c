/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation of the work queue per line of the input, one line of output for each, on a virtual clock:
 *   add K, done K, after K MS, ratelimited K, forget K, advance MS, shutdown, reset   ok
 *   get            the key, "-" when nothing is ready, "shutdown"
 *   len, requeues K                                                              a number
 *   drain          "drained", or "draining" while a key is processed
 * Keys are any text without blanks. A line that is none of these gives "error", a key too many "full". Each
 * answer is written before the next line is waited for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kubemote/km_queue.h"

#define KEYS 4096
#define KEY_SIZE 256

/* The limiter and places of client-go's: it never runs out of them. */
KM_LIMITER_EXPONENTIAL_DEFINE(limiter, KEYS, 5, 1000000);
KM_KEYQUEUE_PLACES_DEFINE(queue, KEYS, UINT16_MAX, KEY_SIZE, &limiter.limiter);

static int64_t now_ms;

static void answer(int result)
{
    puts(result == KM_OK ? "ok" : result == KM_ERR_FULL ? "full" : "error");
}

static void answer_get(void)
{
    struct km_slice key;
    int result = km_keyqueue_get(&queue, &key, now_ms);

    if (result == KM_OK)
        printf("%.*s\n", (int)key.len, key.ptr);
    else
        puts(result == KM_EOF ? "shutdown" : "-");
}

static void advance(int64_t ms)
{
    now_ms += ms;
    km_keyqueue_advance(&queue, now_ms);
}

/* Operations without an argument; false when it is none. */
static bool run_bare(const char *what)
{
    if (strcmp(what, "get") == 0) {
        answer_get();
    } else if (strcmp(what, "len") == 0) {
        printf("%u\n", km_keyqueue_len(&queue));
    } else if (strcmp(what, "shutdown") == 0) {
        km_keyqueue_shutdown(&queue);
        answer(KM_OK);
    } else if (strcmp(what, "drain") == 0) {
        puts(km_keyqueue_shutdown_drain(&queue) == KM_OK ? "drained" : "draining");
    } else if (strcmp(what, "reset") == 0) {
        km_keyqueue_init(&queue, 1);
        answer(KM_OK);
    } else {
        return false;
    }
    return true;
}

static bool run_keyed(const char *what, struct km_slice key)
{
    if (strcmp(what, "add") == 0) {
        answer(km_keyqueue_add(&queue, key));
    } else if (strcmp(what, "done") == 0) {
        km_keyqueue_done(&queue, key);
        answer(KM_OK);
    } else if (strcmp(what, "ratelimited") == 0) {
        int64_t delay_ms = km_keyqueue_add_rate_limited(&queue, key, now_ms);

        answer(delay_ms < 0 ? (int)delay_ms : KM_OK);
    } else if (strcmp(what, "forget") == 0) {
        km_keyqueue_forget(&queue, key);
        answer(KM_OK);
    } else if (strcmp(what, "requeues") == 0) {
        printf("%u\n", km_keyqueue_requeues(&queue, key));
    } else {
        return false;
    }
    return true;
}

/* Go's longest duration is 292 years. */
#define MS_MAX INT64_C(1000000000000)

static bool number(const char *text, int64_t *out)
{
    char *end;

    *out = strtoll(text, &end, 10);
    return *text != '\0' && *end == '\0' && *out <= MS_MAX && *out >= -MS_MAX;
}

static void run(char *line)
{
    const char *words[4] = {"", "", "", ""};
    int count = 0;
    int64_t ms;

    for (char *word = strtok(line, " \t\r"); word != NULL && count < 4;
         word = strtok(NULL, " \t\r"))
        words[count++] = word;
    if (count == 1 && run_bare(words[0]))
        return;
    if (count == 2 && strcmp(words[0], "advance") == 0 && number(words[1], &ms)) {
        advance(ms);
        answer(KM_OK);
        return;
    }
    if (count == 2 && run_keyed(words[0], km_slice_of(words[1])))
        return;
    if (count == 3 && strcmp(words[0], "after") == 0 && number(words[2], &ms)) {
        answer(km_keyqueue_add_after(&queue, km_slice_of(words[1]), ms, now_ms));
        return;
    }
    answer(KM_ERR_SYNTAX);
}

/* Lines of the input in a buffer of ours, so that it is known when the next one must be waited for. */
int main(void)
{
    static char in[65536];
    size_t len = 0;
    ssize_t got;

    km_keyqueue_init(&queue, 1);
    while (fflush(stdout), (got = read(0, in + len, sizeof in - 1 - len)) > 0) {
        char *line = in, *end;

        len += (size_t)got;
        while ((end = memchr(line, '\n', len - (size_t)(line - in))) != NULL) {
            *end = '\0';
            run(line);
            line = end + 1;
        }
        len -= (size_t)(line - in);
        memmove(in, line, len);
        if (len == sizeof in - 1) {
            fputs("queue-trace: a line is too long\n", stderr);
            return 1;
        }
    }
    in[len] = '\0';
    if (len > 0)
        run(in);
    return got < 0 ? 1 : 0;
}
