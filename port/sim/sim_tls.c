/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "sim_priv.h"

#define RECORD_SIZE 16384

struct km_tls {
    bool used, done;
    int fd;
    uint8_t steps, want; /* want: of the call that said KM_AGAIN last, as mbedTLS has it */
    int failed;
    uint8_t record[RECORD_SIZE]; /* decrypted, not yet read: poll does not see it */
    size_t at, len;
    char reason[128];
};

static struct km_tls pool[CONFIG_KM_CONN_COUNT];
static struct km_tls_stats stats;
static int result, setup_result;
static char result_text[256], setup_text[256];
static int64_t cost_ms;
static uint32_t setups, handshaking_max;

void sim_tls_reset(void)
{
    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT; i++)
        pool[i].used = false;
    memset(&stats, 0, sizeof stats);
    result = setup_result = KM_OK;
    result_text[0] = setup_text[0] = '\0';
    cost_ms = 0;
    setups = handshaking_max = 0;
}

void km_sim_tls_result(int err, const char *text)
{
    result = err;
    if (km_slice_copy(km_slice_of(text), result_text, sizeof result_text) != KM_OK)
        sim_die("the words are too long");
}

void km_sim_tls_setup_result(int err, const char *text)
{
    setup_result = err;
    if (km_slice_copy(km_slice_of(text), setup_text, sizeof setup_text) != KM_OK)
        sim_die("the words are too long");
}

void km_sim_tls_cost(int64_t ms)
{
    cost_ms = ms;
}

uint32_t km_sim_tls_setups(void)
{
    return setups;
}

uint32_t km_sim_tls_handshaking_max(void)
{
    return handshaking_max;
}

int km_sim_open_tls(void)
{
    int count = 0;

    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT; i++)
        count += pool[i].used;
    return count;
}

int km_sim_leaks(void)
{
    return km_sim_open_sockets() + km_sim_open_tls() + km_sim_open_resolves();
}

int km_tls_setup(const struct km_tls_creds *creds, struct km_fault *fault)
{
    int err = sim_call(KM_SIM_TLS_SETUP);

    (void)creds;
    if (err != KM_OK)
        return km_fault_set(fault, err, "a scripted fault in km_tls_setup");
    if (setup_result != KM_OK)
        return km_fault_set(fault, setup_result, "%s", setup_text);
    setups++;
    return KM_OK;
}

static void note_handshaking(void)
{
    uint32_t count = 0;

    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT; i++)
        count += pool[i].used && !pool[i].done && pool[i].failed == KM_OK && pool[i].steps > 0;
    if (count > handshaking_max)
        handshaking_max = count;
}

int km_tls_open(struct km_tls **out, int fd, const char *server_name)
{
    struct sim_conn *c = sim_conn_of(fd, "tls_open");
    int err = sim_call(KM_SIM_TLS_OPEN);

    *out = NULL;
    if (server_name == NULL || server_name[0] == '\0')
        sim_die("tls_open without a name to verify");
    if (err != KM_OK)
        return err;
    for (size_t i = 0; i < CONFIG_KM_CONN_COUNT; i++) {
        struct km_tls *t = &pool[i];

        if (t->used)
            continue;
        t->used = true;
        t->done = false;
        t->fd = fd;
        t->steps = 0;
        t->want = KM_POLL_IN;
        t->failed = KM_OK;
        t->at = t->len = 0;
        t->reason[0] = '\0';
        c->has_tls = true;
        (void)km_slice_copy(km_slice_of(server_name), c->server_name, sizeof c->server_name);
        stats.slots_used = (uint32_t)km_sim_open_tls();
        if (stats.slots_used > stats.slots_max)
            stats.slots_max = stats.slots_used;
        *out = t;
        return KM_OK;
    }
    stats.refused++;
    return KM_ERR_FULL;
}

static struct km_tls *checked(const struct km_tls *tls, const char *caller)
{
    if (tls == NULL || !tls->used)
        sim_die("%s on a TLS connection that is not open", caller);
    return &pool[tls - pool];
}

static int give_up(struct km_tls *t, int err, struct km_fault *fault, const char *text)
{
    t->failed = err;
    stats.handshakes_failed++;
    return km_fault_set(fault, err, "%s", text);
}

int km_tls_handshake(struct km_tls *tls, struct km_fault *fault)
{
    struct km_tls *t = checked(tls, "handshake");
    struct sim_conn *c = sim_conn_of(t->fd, "handshake");
    int err = sim_call(KM_SIM_TLS_HANDSHAKE);

    sim_clock_work(cost_ms);
    if (err == KM_AGAIN)
        return err;
    if (err != KM_OK)
        return give_up(t, err, fault, "a scripted fault in the handshake");
    if (t->failed != KM_OK)
        sim_die("handshake again after it failed");
    if (t->steps == 0) {
        t->steps = 1;
        c->handshake_ready_ms = km_port_now_ms() + 2 * sim_latency_ms();
        note_handshaking();
        if (sim_latency_ms() > 0)
            return KM_AGAIN;
    }
    if ((sim_conn_ready(c) & KM_POLL_ERR) != 0 || c->finished)
        return give_up(t, KM_ERR_RESET, fault, "the server closed the connection");
    if (sim_conn_stuck(c) || km_port_now_ms() < c->handshake_ready_ms)
        return KM_AGAIN;
    if (result == KM_AGAIN) {
        c->handshake_ready_ms = KM_NEVER;
        return KM_AGAIN;
    }
    c->handshake_ready_ms = 0;
    if (result != KM_OK)
        return give_up(t, result, fault, result_text);
    t->done = true;
    stats.handshakes_full++;
    return KM_OK;
}

uint8_t km_tls_want(const struct km_tls *tls)
{
    struct km_tls *t = checked(tls, "want");

    return t->want;
}

int km_tls_read(struct km_tls *tls, void *data, size_t len)
{
    struct km_tls *t = checked(tls, "read");
    struct sim_conn *c = sim_conn_of(t->fd, "tls_read");
    int err = sim_call(KM_SIM_TLS_READ);

    if (err == KM_AGAIN)
        t->want = KM_POLL_IN;
    if (err != KM_OK)
        return sim_conn_break(c, err, false);
    if (!t->done)
        sim_die("tls_read before the handshake is done");
    t->want = KM_POLL_IN;
    if (t->at == t->len) {
        int got = sim_conn_read(c, t->record, sizeof t->record, true);

        if (got <= 0)
            return got;
        t->at = 0;
        t->len = (size_t)got;
    }
    len = sim_shorten(len);
    if (len == 0)
        return KM_AGAIN;
    if (len > t->len - t->at)
        len = t->len - t->at;
    memcpy(data, t->record + t->at, len);
    t->at += len;
    return (int)len;
}

int km_tls_write(struct km_tls *tls, const void *data, size_t len)
{
    struct km_tls *t = checked(tls, "write");
    struct sim_conn *c = sim_conn_of(t->fd, "tls_write");
    int err = sim_call(KM_SIM_TLS_WRITE);

    if (err == KM_AGAIN)
        t->want = KM_POLL_OUT;
    if (err != KM_OK)
        return sim_conn_break(c, err, true);
    if (!t->done)
        sim_die("tls_write before the handshake is done");
    int put = sim_conn_write(c, data, len);
    t->want = put == KM_AGAIN ? KM_POLL_OUT : KM_POLL_IN;
    return put;
}

const char *km_tls_reason(const struct km_tls *tls)
{
    return checked(tls, "reason")->reason;
}

bool km_tls_pending(const struct km_tls *tls)
{
    struct km_tls *t = checked(tls, "pending");

    return t->at < t->len;
}

void km_tls_close(struct km_tls *tls)
{
    struct km_tls *t = checked(tls, "close");

    sim_conn_of(t->fd, "tls_close")->has_tls = false;
    sim_conn_of(t->fd, "tls_close")->handshake_ready_ms = 0;
    t->used = false;
    stats.slots_used = (uint32_t)km_sim_open_tls();
}

void km_tls_stats(struct km_tls_stats *out)
{
    *out = stats;
}
