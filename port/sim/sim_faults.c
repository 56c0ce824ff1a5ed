/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "sim_priv.h"

#define RULES 8

struct rule {
    enum km_sim_call call;
    uint64_t first, last; /* numbers of calls, 0 = free */
    int err;
};

struct cut {
    bool armed, done;
    uint64_t at;
    enum km_sim_cut how;
};

static const struct {
    const char *name;
    int natural;
} calls[KM_SIM_CALL_COUNT] = {
    [KM_SIM_ANY] = {"any call", KM_ERR_IO},
    [KM_SIM_CONNECT] = {"connect", KM_ERR_UNREACHABLE},
    [KM_SIM_CONNECTED] = {"connected", KM_ERR_REFUSED},
    [KM_SIM_SEND] = {"send", KM_ERR_RESET},
    [KM_SIM_RECV] = {"recv", KM_ERR_RESET},
    [KM_SIM_POLL] = {"poll", KM_ERR_IO},
    [KM_SIM_RESOLVE_START] = {"resolve_start", KM_ERR_IO},
    [KM_SIM_RESOLVE_STEP] = {"resolve_step", KM_ERR_TIMEOUT},
    [KM_SIM_TLS_SETUP] = {"tls_setup", KM_ERR_TLS_MEMORY},
    [KM_SIM_TLS_OPEN] = {"tls_open", KM_ERR_TLS_MEMORY},
    [KM_SIM_TLS_HANDSHAKE] = {"tls_handshake", KM_ERR_TLS},
    [KM_SIM_TLS_READ] = {"tls_read", KM_ERR_RESET},
    [KM_SIM_TLS_WRITE] = {"tls_write", KM_ERR_RESET},
    [KM_SIM_ENTROPY] = {"entropy", KM_ERR_IO},
    [KM_SIM_FILE_READ] = {"file_read", KM_ERR_IO},
    [KM_SIM_FILE_REPLACE] = {"file_replace", KM_ERR_IO},
    [KM_SIM_WRITE] = {"write", KM_ERR_IO},
    [KM_SIM_DISK] = {"disk", KM_ERR_IO},
    [KM_SIM_UNAME] = {"uname", KM_ERR_IO},
    [KM_SIM_ADDRESSES] = {"addresses", KM_ERR_IO},
    [KM_SIM_SEAL] = {"seal", KM_ERR_ARG},
};

static uint64_t counts[KM_SIM_CALL_COUNT], hits, passed[2];
static struct rule rules[RULES];
static struct cut cuts[2];
static char last_fault[96];
static struct km_rng rng, short_rng;
static bool shortening;
static size_t shorten_to;

void sim_faults_reset(uint64_t seed)
{
    memset(counts, 0, sizeof counts);
    memset(passed, 0, sizeof passed);
    memset(cuts, 0, sizeof cuts);
    km_sim_fail_clear();
    shortening = false;
    shorten_to = 0;
    km_rng_seed(&rng, seed);
}

uint64_t km_sim_calls(enum km_sim_call call)
{
    return counts[call];
}

const char *km_sim_call_name(enum km_sim_call call)
{
    return call < KM_SIM_CALL_COUNT ? calls[call].name : "?";
}

void km_sim_fail(enum km_sim_call call, uint64_t n, uint64_t times, int err)
{
    for (size_t i = 0; i < RULES; i++) {
        if (rules[i].last == 0) {
            uint64_t first = counts[call] + n;
            uint64_t last = times > UINT64_MAX - first ? UINT64_MAX : first + times - 1;

            rules[i] = (struct rule){.call = call, .first = first, .last = last, .err = err};
            return;
        }
    }
    sim_die("more than %d faults at a time", RULES);
}

void km_sim_fail_nth(enum km_sim_call call, uint64_t n, int err)
{
    km_sim_fail(call, n, 1, err);
}

void km_sim_fail_clear(void)
{
    memset(rules, 0, sizeof rules);
    hits = 0;
    last_fault[0] = '\0';
}

uint64_t km_sim_faults_hit(void)
{
    return hits;
}

const char *km_sim_last_fault(void)
{
    return last_fault;
}

int sim_call(enum km_sim_call call)
{
    int err = KM_OK;

    counts[call]++;
    counts[KM_SIM_ANY]++;
    for (size_t i = 0; i < RULES; i++) {
        const struct rule *r = &rules[i];

        if (r->last == 0 || (r->call != call && r->call != KM_SIM_ANY))
            continue;
        if (counts[r->call] < r->first || counts[r->call] > r->last)
            continue;
        err = r->err == KM_SIM_NATURAL ? calls[call].natural : r->err;
    }
    if (err != KM_OK) {
        hits++;
        (void)snprintf(last_fault, sizeof last_fault, "%s, call %llu: %s", calls[call].name,
                       (unsigned long long)counts[call], km_strerror(err));
        sim_trace("fault: %s", last_fault);
    }
    return err;
}

void km_sim_shorten(uint64_t seed)
{
    shortening = seed != 0;
    km_rng_seed(&short_rng, seed);
}

void km_sim_shorten_to(size_t bytes)
{
    shorten_to = bytes;
}

size_t sim_shorten(size_t len)
{
    uint32_t dice;

    if (shorten_to != 0 && len > shorten_to)
        len = shorten_to;
    if (!shortening || len == 0)
        return len;
    dice = km_rng_u32(&short_rng) % 16;
    if (dice == 0)
        return 0;
    if (dice < 4)
        return 1;
    return (size_t)km_rng_range(&short_rng, 1, (int64_t)len + 1);
}

void km_sim_cut(enum km_sim_dir dir, uint64_t after_bytes, enum km_sim_cut how)
{
    cuts[dir] = (struct cut){.armed = true, .at = passed[dir] + after_bytes, .how = how};
}

bool km_sim_cut_done(enum km_sim_dir dir)
{
    return cuts[dir].done;
}

uint64_t km_sim_bytes(enum km_sim_dir dir)
{
    return passed[dir];
}

size_t sim_cut_limit(enum km_sim_dir dir, size_t len, enum km_sim_cut *how)
{
    struct cut *c = &cuts[dir];
    uint64_t left = c->at - passed[dir];

    if (!c->armed || len == 0)
        return len;
    if (left > 0)
        return left < len ? (size_t)left : len;
    c->armed = false;
    c->done = true;
    *how = c->how;
    return 0;
}

void sim_passed(enum km_sim_dir dir, size_t len)
{
    passed[dir] += len;
}

int km_port_entropy(void *out, size_t len)
{
    uint8_t *bytes = out;
    int err = sim_call(KM_SIM_ENTROPY);

    if (err != KM_OK)
        return err;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)km_rng_u32(&rng);
    return KM_OK;
}
