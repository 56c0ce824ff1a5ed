/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers that answer with anything but what was asked, for ten minutes each, to every request or to one kind: the connection
 * is dropped, the back-off followed, it is said once, memory stays as it is (all of it is static: pools and counters tell), and
 * when the server is well again so is the agent.
 */
#include "rig.h"

#define TIME_MS (10 * RIG_MINUTE)

struct garbage {
    const char *name;
    const char *head;  /* what comes first */
    const char *again; /* what follows for ever, NULL = nothing */
    bool fin;          /* then the connection ends */
    bool hostile;      /* counted as such, and not as a mere broken link */
};

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define LINE64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LINE512 LINE64 LINE64 LINE64 LINE64 LINE64 LINE64 LINE64 LINE64

static const struct garbage kinds[] = {
    {"closes at once", "", NULL, true, false},
    {"SSH", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", NULL, true, true},
    {"SMTP that waits", "220 mail.example ESMTP\r\n", NULL, false, true},
    {"binary", "\x15\x03\x01\x02\x02\x16\xff\xfe\x01", NULL, true, true},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NULL, true, true},
    {"HTML", OK_HEAD "Content-Length: 26\r\n\r\n<html><body>Hi</body></html", NULL, false, true},
    {"not JSON", OK_HEAD "Content-Length: 7\r\n\r\n{\"a\":x}", NULL, false, true},
    {"truncated JSON", OK_HEAD "Content-Length: 5\r\n\r\n{\"a\":", NULL, false, true},
    {"truncated answer", OK_HEAD "Content-Length: 500\r\n\r\n{\"a\":", NULL, true, false},
    {"negative length", OK_HEAD "Content-Length: -1\r\n\r\n{}", NULL, false, true},
    {"huge length", OK_HEAD "Content-Length: 18446744073709551617\r\n\r\n{}", NULL, false, true},
    {"two lengths", OK_HEAD "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}", NULL, false, true},
    {"length and chunks", OK_HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", NULL,
     false, true},
    {"bad chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}", NULL, false, true},
    {"huge chunk", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}", NULL, false,
     true},
    {"gzip", OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08x", NULL,
     false, true},
    {"no such code", "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", NULL, false, false},
    {"code 0", "HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n", NULL, false, true},
    {"switches protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", NULL, false,
     false},
    {"redirects", "HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n", NULL, false,
     false},
    {"empty answers", "HTTP/1.1 204 No Content\r\n\r\n", NULL, false, true},
    {"endless header", "HTTP/1.1 200 OK\r\nX: ", LINE512, false, true},
    {"endless headers", "HTTP/1.1 200 OK\r\n", "X-Header: " LINE64 "\r\n", false, true},
    {"short headers", "HTTP/1.1 200 OK\r\n", "a:\r\n", false, true},
    {"endless interim answers", "", "HTTP/1.1 100 Continue\r\n\r\n", false, true},
    {"endless blank lines", "", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", false, true},
    {"endless reason", "HTTP/1.1 200 ", LINE512, false, true},
    {"endless chunk extension", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n5;x=", LINE512, false,
     true},
    {"endless trailers", OK_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
     "A: " LINE64 "\r\n", false, true},
    {"200 MB in one line", OK_HEAD "\r\n{\"type\":\"ADDED\",\"object\":{\"a\":\"", LINE512 LINE512,
     false, true},
    {"200 MB in one number", OK_HEAD "\r\n{\"type\":\"ADDED\",\"object\":{\"a\":1",
     "1111111111111111111111111111111111111111111111111111111111111111", false, true},
    {"200 MB of blanks", OK_HEAD "\r\n",
     "                                                                ", false, true},
    {"endless nesting", OK_HEAD "\r\n{\"type\":\"ADDED\",\"object\":",
     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", false, true},
    {"endless members", OK_HEAD "\r\n{\"kind\":\"Status\"", ",\"" LINE64 "\":\"" LINE64 "\"", false,
     true},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static const struct garbage *garbage; /* NULL = healthy */
static enum api_call only;            /* API_ALL = every request */
static int flooded[16];               /* connections that get `again` for ever */
static uint64_t flood_bytes;
static int flood_timer;

static void flood(void *ctx)
{
    (void)ctx;
    flood_timer = km_sim_after(1, flood, NULL);
    for (size_t i = 0; i < 16; i++) {
        static char block[65536];
        size_t len = garbage != NULL && garbage->again != NULL ? strlen(garbage->again) : 0, at = 0;

        if (flooded[i] == 0 || len == 0)
            continue;
        while (at + len <= sizeof block) {
            memcpy(block + at, garbage->again, len);
            at += len;
        }
        if (km_sim_slot(flooded[i]) < 0 || km_sim_reply(flooded[i], block, at) == KM_ERR_RESET)
            flooded[i] = 0;
        else
            flood_bytes += at;
    }
}

static void begin_flood(int conn_id)
{
    for (size_t i = 0; i < 16; i++) {
        if (flooded[i] != 0)
            continue;
        flooded[i] = conn_id;
        return;
    }
    rig_fail("more than 16 floods at a time");
}

static enum api_verdict answer_garbage(const struct km_sim_request *rq, enum api_call call)
{
    if (garbage == NULL || (only != API_ALL && only != call))
        return API_SERVE;
    (void)km_sim_reply_text(rq->conn_id, garbage->head);
    if (garbage->again != NULL)
        begin_flood(rq->conn_id);
    else if (garbage->fin)
        (void)km_sim_close(rq->conn_id);
    return API_TAKEN;
}

static void begin(void)
{
    rig_begin(1);
    rig.verbosity = 0;
    km_sim_poll_limit(UINT64_MAX);
    garbage = NULL;
    memset(flooded, 0, sizeof flooded);
    flood_timer = 0;
    flood_bytes = 0;
    api.hook = answer_garbage;
}

static void start_garbage(const struct garbage *g, enum api_call call)
{
    garbage = g;
    only = call;
    if (g->again != NULL)
        flood_timer = km_sim_after(1, flood, NULL);
}

static void end_garbage(void)
{
    garbage = NULL;
    memset(flooded, 0, sizeof flooded);
    km_sim_cancel(flood_timer);
    km_sim_close_all();
}

static int64_t time_of(const struct garbage *g)
{
    return g->again != NULL ? RIG_MINUTE : TIME_MS; /* megabytes take their time */
}

static void from_everything(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const struct garbage *g = &kinds[i];
        uint64_t requests;
        int64_t ms = time_of(g);

        rig.label = g->name;
        begin();
        rig_start();
        (void)rig_settle(15000);
        rig_log_clear();
        start_garbage(g, API_ALL);
        km_sim_close_all();
        requests = api.requests;
        rig_run(ms);
        requests = api.requests - requests;
        rig_check(requests > 5);
        rig_check_most(requests, 60 + (uint64_t)ms / 1000);
        rig_check_most(rig.log_lines, 8);
        if (g->hostile)
            rig_check(rig.agent->client.hostile.value >= 3);
        rig_check_most(flood_bytes, requests * (CONFIG_KM_OBJECT_BYTES + 600000));
        end_garbage();
        (void)rig_settle(400000);
        rig_check_most(rig.log_lines, 14);
        rig_end();
    }
    rig.label = NULL;
}

/* From the first byte on: the agent never had a server. */
static void from_the_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const struct garbage *g = &kinds[i];

        rig.label = g->name;
        begin();
        start_garbage(g, API_ALL);
        rig_start();
        rig_run(time_of(g));
        rig_check_most(api.requests, 60 + (uint64_t)time_of(g) / 1000);
        rig_check_most(rig.log_lines, 8);
        end_garbage();
        (void)rig_settle(400000);
        rig_end();
    }
    rig.label = NULL;
}

/* One kind of request gets it, the others work. */
static void from_one_call(void **state)
{
    static const enum api_call calls[] = {API_VERSION,    API_NODE_PATCH,  API_NODE_STREAM,
                                          API_POD_STREAM, API_LEASE_PATCH, API_POD_DELETE};

    (void)state;
    for (size_t n = 0; n < sizeof calls / sizeof calls[0]; n++) {
        for (size_t i = 0; i < KINDS; i++) {
            const struct garbage *g = &kinds[i];
            char label[80];

            if (g->again != NULL && (RIG_SLOW != 0 || i % 3 != 0))
                continue;
            (void)snprintf(label, sizeof label, "%s: %s", api_call_name(calls[n]), g->name);
            rig.label = label;
            begin();
            rig_start();
            (void)rig_settle(15000);
            rig_log_clear();
            start_garbage(g, calls[n]);
            api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
            api_add_pod("default", "a", API_NODE);
            api_kill_pod("default", "a");
            if (calls[n] == API_NODE_STREAM || calls[n] == API_POD_STREAM)
                km_sim_close_all();
            rig_run(time_of(g));
            rig_check_most(api.requests, 100 + (uint64_t)time_of(g) / 1000);
            rig_check_most(rig.log_lines, 10);
            if (calls[n] != API_LEASE_PATCH)
                rig_check(api.went_unknown == 0);
            end_garbage();
            (void)rig_settle(400000);
            rig_end();
        }
    }
    rig.label = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_everything),
        cmocka_unit_test(from_the_start),
        cmocka_unit_test(from_one_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
