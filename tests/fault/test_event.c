/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event recorder against a server that takes events: the tests of client-go tools/events and, for combining, dropping and
 * names, of tools/record, under their own names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_control.h"
#include "port/sim/km_sim_http.h"
#include "tests/unit/km_test.h"

#define KM_NAMED_TEST(name, f) {name, f, NULL, NULL, NULL}
#define PORT 8001
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)

static struct server {
    unsigned posts, patches, count; /* count: of the last series that came */
    int code;                       /* 0 = takes it */
    const char *reason;
    unsigned times; /* so many requests are answered with code */
    int only;       /* 'P' = patches alone, 'C' = creations alone, 0 = both */
    bool torn;      /* says that it is not there and that it is */
    bool cut;       /* the link breaks instead of an answer */
    char name[256]; /* of the last created */
    char note[300], reasons[300];
} server;

static struct km_loop loop;
static struct km_client client;
static struct km_lane lane;
static struct km_kubeconfig kubeconfig;
static struct km_recorder rec;
static struct km_reference node = {"v1", "Node", "", "n1", "u-1"};

static void text_of(struct km_slice body, const char *pointer, char *out, size_t size)
{
    struct km_slice value;

    out[0] = '\0';
    if (km_json_find(body, pointer, &value) == KM_OK)
        (void)km_json_unquote(value, out, size);
}

static void take(const struct km_sim_request *rq, bool patch)
{
    struct km_slice value;
    uint64_t count;

    if (patch)
        server.patches++;
    else
        server.posts++;
    if (km_json_find(rq->body, "/series/count", &value) == KM_OK) {
        assert_int_equal(km_slice_to_u64(value, &count), KM_OK);
        server.count = (unsigned)count;
    }
    if (patch) {
        assert_int_equal(km_json_find(rq->body, "/note", &value), KM_ERR_NOT_FOUND);
        return;
    }
    assert_int_equal(km_json_find(rq->body, "/metadata/resourceVersion", &value), KM_ERR_NOT_FOUND);
    text_of(rq->body, "/metadata/name", server.name, sizeof server.name);
    text_of(rq->body, "/note", server.note, sizeof server.note);
}

static void serve(void *ctx, const struct km_sim_request *rq)
{
    bool patch = strcmp(rq->method, "PATCH") == 0;
    char text[256];

    (void)ctx;
    take(rq, patch);
    if (server.times == 0 || (server.only != 0 && patch != (server.only == 'P'))) {
        (void)km_sim_http_reply(rq->conn_id, patch ? 200 : 201, "application/json", "{}");
        return;
    }
    server.times--;
    if (server.torn) {
        (void)km_sim_http_reply(rq->conn_id, patch ? 404 : 409, "application/json",
                                patch ? "{\"kind\":\"Status\",\"reason\":\"NotFound\",\"code\":404}"
                                      : "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\","
                                        "\"code\":409}");
        return;
    }
    if (server.cut) {
        (void)km_sim_rst(rq->conn_id);
        return;
    }
    (void)snprintf(text, sizeof text,
                   "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"%s\",\"code\":%d}",
                   server.reason, server.code);
    (void)km_sim_http_reply(rq->conn_id, server.code, "application/json", text);
}

static void begin(void)
{
    struct km_fault fault;

    km_sim_reset(1);
    memset(&server, 0, sizeof server);
    memset(&kubeconfig, 0, sizeof kubeconfig);
    memset(&client, 0, sizeof client);
    memset(&lane, 0, sizeof lane);
    memset(&rec, 0, sizeof rec);
    (void)snprintf(kubeconfig.host, sizeof kubeconfig.host, "10.0.0.1");
    (void)snprintf(kubeconfig.authority, sizeof kubeconfig.authority, "10.0.0.1:%d", PORT);
    kubeconfig.port = PORT;
    km_sim_http_listen("*", PORT, serve, NULL);
    km_loop_init(&loop);
    assert_int_equal(km_client_init(&client, &kubeconfig, &loop, &fault), KM_OK);
    assert_int_equal(km_lane_init(&lane, &client, "events"), KM_OK);
    rec.client = &client;
    rec.lane = &lane;
    rec.controller = "example.com/test";
    rec.instance = "test-1";
    km_recorder_init(&rec);
    loop.now_ms = km_port_now_ms();
}

static void run(int64_t ms)
{
    km_loop_pause(&loop, ms);
}

static void end(void)
{
    km_recorder_stop(&rec);
    km_client_suspect(&client, "the test is over");
    assert_int_equal(km_sim_leaks(), 0);
}

static void record(const char *reason, const char *note)
{
    km_recorder_event(&rec, &node, false, reason, "Acting", note);
}

static void record_and_run(const char *reason, const char *note)
{
    record(reason, note);
    run(SECOND);
}

static void expect(unsigned posts, unsigned patches)
{
    assert_int_equal(server.posts, posts);
    assert_int_equal(server.patches, patches);
}

/* ---- tools/events ---- */

static void series(void **state)
{
    struct km_reference other = {"v1", "Node", "", "n2", "u-2"};

    (void)state;
    begin();
    record_and_run("Started", "a");
    expect(1, 0);
    record_and_run("Started", "a");
    expect(1, 1);
    assert_int_equal(server.count, 2);
    record_and_run("Started", "a"); /* counted here alone */
    expect(1, 1);
    km_recorder_event(&rec, &other, false, "Started", "Acting", "a");
    run(SECOND);
    expect(2, 1);
    end();
}

static void event_and_series_in_either_order(void **state)
{
    (void)state;
    begin();
    record("Started", "a"); /* on its way when the second comes */
    record("Started", "a");
    record("Started", "a");
    run(SECOND);
    expect(1, 1);
    assert_int_equal(server.count, 3);
    end();
    /* Both wait: what is created is a series. */
    begin();
    record("Other", "x");
    record("Started", "a");
    record("Started", "a");
    run(SECOND);
    expect(2, 0);
    assert_int_equal(server.count, 2);
    end();
}

static void finish_series(void **state)
{
    (void)state;
    begin();
    record_and_run("Started", "a");
    record_and_run("Started", "a");
    record_and_run("Started", "a");
    record_and_run("Single", "b");
    run(5 * MINUTE);
    record_and_run("Young", "c");
    record_and_run("Young", "c");
    expect(3, 2);
    run(59 * SECOND);
    expect(3, 3);
    assert_int_equal(server.count, 3);
    record_and_run("Young", "c"); /* kept */
    expect(3, 3);
    record_and_run("Started", "a"); /* forgotten: new again */
    record_and_run("Single", "b");
    expect(5, 3);
    end();
}

static void refresh_series(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 95; i++) {
        record("Started", "a");
        run(MINUTE);
    }
    expect(1, 1 + 3);
    assert_in_range(server.count, 90, 95);
    end();
}

static void patch_not_found(void **state)
{
    (void)state;
    begin();
    record_and_run("Started", "a");
    server.times = 1;
    server.only = 'P';
    server.code = 404;
    server.reason = "NotFound";
    record_and_run("Started", "a");
    expect(2, 1);
    assert_int_equal(server.count, 2);
    assert_int_equal(rec.lost.value, 0);
    end();
}

static void server_contradicts_itself(void **state)
{
    (void)state;
    begin();
    record_and_run("Started", "a");
    server.times = UINT32_MAX;
    server.torn = true;
    record("Started", "a");
    run(5 * SECOND);
    assert_in_range(server.posts + server.patches, 2, 14);
    assert_int_equal(rec.lost.value, 1);
    end();
}

static void link_breaks(unsigned times, unsigned tries, uint64_t lost)
{
    begin();
    server.times = times;
    server.cut = true;
    record("Started", "a");
    run(5 * MINUTE);
    /* A kept connection that breaks makes one more. */
    assert_in_range(server.posts, tries, tries + tries);
    assert_int_equal(rec.lost.value, lost);
    assert_int_equal(rec.count, 0);
    end();
}

static void write_event_error(void **state)
{
    (void)state;
    begin(); /* a Status ends it */
    server.times = UINT32_MAX;
    server.code = 403;
    server.reason = "Forbidden";
    record("Started", "a");
    run(5 * MINUTE);
    expect(1, 0);
    assert_int_equal(rec.lost.value, 1);
    end();
    begin(); /* it is there: an answer was lost, not the event */
    server.times = 1;
    server.code = 409;
    server.reason = "AlreadyExists";
    record_and_run("Started", "a");
    expect(1, 0);
    assert_int_equal(rec.lost.value, 0);
    end();
    link_breaks(UINT32_MAX, 12, 1);
    link_breaks(1, 1, 0);
}

static void lots_of_events(void **state)
{
    char note[32];

    (void)state;
    begin();
    server.times = 4;
    server.cut = true;
    for (int i = 0; i < CONFIG_KM_EVENT_COUNT; i++) {
        (void)snprintf(note, sizeof note, "%d", i);
        record("Started", note);
    }
    record("More", "than fit");
    assert_int_equal(rec.lost.value, 1);
    run(5 * MINUTE);
    assert_int_equal(rec.sent.value, CONFIG_KM_EVENT_COUNT);
    end();
}

static void shutdown_does_not_block(void **state)
{
    (void)state;
    begin();
    record("Started", "a");
    km_recorder_stop(&rec);
    for (int i = 0; i < 1000; i++)
        record("Started", "b");
    run(5 * MINUTE);
    assert_true(server.posts <= 1);
    end();
}

/* ---- tools/record ---- */

static void names(void **state)
{
    static const struct {
        const char *object, *begins;
    } cases[] = {
        {"n1", "n1."},
        {"a-very-long-name-a-very-long-name-a-very-long-name-a-very-long-name-a-very-long-name",
         "a-very-long-name-a-very-long-name-a-very-long-name-a-very-long-n."},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-b",
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."},
        {"system:node", NULL},
        {"Upper", NULL},
        {"-x", NULL},
        {"a..b", NULL},
        {"", NULL},
    };
    struct km_reference about = node;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin();
        about.name = cases[i].object;
        km_recorder_event(&rec, &about, true, "Started", "Acting", "a");
        run(SECOND);
        if (cases[i].begins != NULL)
            assert_int_equal(strncmp(server.name, cases[i].begins, strlen(cases[i].begins)), 0);
        else
            assert_int_equal(strspn(server.name, "0123456789abcdef"), 16);
        assert_true(strlen(server.name) < 100);
        end();
    }
}

static void combined(void **state)
{
    char note[32];

    (void)state;
    begin();
    for (int i = 1; i <= 9; i++) {
        (void)snprintf(note, sizeof note, "note %d", i);
        record_and_run("Started", note);
    }
    expect(9, 0);
    assert_string_equal(server.note, "note 9");
    record_and_run("Started", "note 10");
    expect(10, 0);
    assert_string_equal(server.note, "(combined from similar events): note 10");
    record_and_run("Started", "note 11");
    expect(10, 1);
    record_and_run("Other", "note 12"); /* another reason, another group */
    expect(11, 1);
    assert_string_equal(server.note, "note 12");
    run(10 * MINUTE); /* fresh again */
    server.patches = 0;
    record_and_run("Started", "note 13");
    expect(12, 0);
    assert_string_equal(server.note, "note 13");
    end();
}

static void spam(void **state)
{
    char reason[16];

    (void)state;
    begin();
    rec.spam_burst = 1;
    record_and_run("Started", "a");
    record_and_run("Other", "b"); /* the same object, whatever the reason */
    expect(1, 0);
    assert_int_equal(rec.spam.value, 1);
    end();
    begin();
    rec.spam_burst = 1;
    rec.spam_by_reason = true;
    record_and_run("Started", "a");
    record_and_run("Other", "b");
    expect(2, 0);
    end();
    begin(); /* 25 at once, then one in 5 minutes */
    for (int i = 0; i < 40; i++) {
        (void)snprintf(reason, sizeof reason, "R%d", i);
        record_and_run(reason, "a");
    }
    expect(25, 0);
    run(5 * MINUTE);
    record_and_run("X", "a");
    record_and_run("Y", "a");
    expect(26, 0);
    assert_int_equal(rec.spam.value, 16);
    run(600 * MINUTE); /* no more than 25 are saved up */
    for (int i = 0; i < 40; i++) {
        (void)snprintf(reason, sizeof reason, "S%d", i);
        record_and_run(reason, "a");
    }
    expect(51, 0);
    end();
}

static void separate_or_equal(void **state)
{
    (void)state;
    begin();
    record_and_run("Started", "a");
    record_and_run("Started", "b"); /* another note */
    km_recorder_event(&rec, &node, true, "Started", "Acting", "a");
    run(SECOND);
    km_recorder_event(&rec, &node, false, "Started", "Waiting", "a");
    run(SECOND);
    expect(4, 0);
    record_and_run("Started", "a");
    expect(4, 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KM_NAMED_TEST("TestEventSeriesf", series),
        KM_NAMED_TEST("TestRecordEventToSink", event_and_series_in_either_order),
        KM_NAMED_TEST("TestFinishSeries", finish_series),
        KM_NAMED_TEST("TestRefreshExistingEventSeries", refresh_series),
        KM_NAMED_TEST("TestEventSeriesWithEventSinkImplRace, TestUpdateExpiredEvent",
                      patch_not_found),
        KM_NAMED_TEST("TestWriteEventError", write_event_error),
        cmocka_unit_test(server_contradicts_itself),
        KM_NAMED_TEST("TestLotsOfEvents", lots_of_events),
        KM_NAMED_TEST("TestBroadcasterShutdown, TestCancelEvent", shutdown_does_not_block),
        KM_NAMED_TEST("TestGenerateEventName", names),
        KM_NAMED_TEST("TestEventCorrelator, TestEventAggregatorByReasonFunc", combined),
        KM_NAMED_TEST("TestEventSpamFilter", spam),
        KM_NAMED_TEST("TestEventf", separate_or_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
