/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election against a server that keeps one Lease: the tests of client-go tools/leaderelection under their own names,
 * and scenes with several candidates, each on a loop of its own, so that one can sleep while the others go on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accidents.h"
#include "kubemote/km_elect.h"
#include "port/sim/km_sim_http.h"
#include "tests/unit/km_test.h"

#define KM_NAMED_TEST(name, f) {name, f, NULL, NULL, NULL}
#define CANDIDATES 3
#define PORT 8001
#define SECOND INT64_C(1000)
#define HOUR (3600 * SECOND)

/* ---- the server ---- */

static struct server {
    bool exists;
    unsigned rv, requests;
    char spec[1024],
        meta[3000]; /* members of metadata besides name and resourceVersion, with a comma behind each */
    char ops[256];   /* "get create update", the last ones left out when it is full */
    char body[6000]; /* of the last write */
    int refuse_code; /* of the requests that `refuse` names by their number, 1 = the first */
    const char *refuse;
    bool mute; /* what it refuses it does not answer at all */
    bool deaf; /* nothing is answered */
    bool lost; /* does everything, answers nothing */
    bool half; /* the link breaks behind the Lease, before the answer's end */
} server;

static void reply_lease(int conn_id)
{
    char text[6000];

    (void)snprintf(text, sizeof text,
                   "{\"kind\":\"Lease\",\"metadata\":{%s\"name\":\"bar\",\"namespace\":\"foo\","
                   "\"uid\":\"u-1\",\"resourceVersion\":\"%u\"},\"spec\":%s}",
                   server.meta, server.rv, server.spec);
    if (!server.half) {
        (void)km_sim_http_reply(conn_id, 200, "application/json", text);
        return;
    }
    (void)km_sim_http_begin(conn_id, 200, "application/json");
    (void)km_sim_http_chunk(conn_id, text);
    (void)km_sim_fin(conn_id);
}

static void reply_status(int conn_id, int code)
{
    const char *reason = code == 404   ? "NotFound"
                         : code == 409 ? "Conflict"
                         : code == 403 ? "Forbidden"
                                       : "InternalError";
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":\"%s\",\"code\":%d,"
                   "\"message\":\"no\"}",
                   reason, code);
    (void)km_sim_http_reply(conn_id, code, "application/json", text);
}

static void note(const char *op)
{
    size_t used = strlen(server.ops);

    (void)snprintf(server.ops + used, sizeof server.ops - used, "%s%s", used > 0 ? " " : "", op);
}

static bool is_refused(void)
{
    char number[16];

    if (server.refuse == NULL)
        return false;
    (void)snprintf(number, sizeof number, " %u ", server.requests);
    return strcmp(server.refuse, "all") == 0 || strstr(server.refuse, number) != NULL;
}

static int store(const struct km_sim_request *rq)
{
    struct km_slice value;
    char rv[32] = "";

    assert_true(rq->body.len < sizeof server.body);
    memcpy(server.body, rq->body.ptr, rq->body.len);
    server.body[rq->body.len] = '\0';
    if (km_json_find(rq->body, "/metadata/resourceVersion", &value) == KM_OK)
        assert_true(km_json_unquote(value, rv, sizeof rv));
    if (strcmp(rq->method, "POST") == 0 ? server.exists : (unsigned)atoi(rv) != server.rv)
        return 409;
    assert_int_equal(km_json_find(rq->body, "/spec", &value), KM_OK);
    assert_int_equal(km_slice_copy(value, server.spec, sizeof server.spec), KM_OK);
    server.exists = true;
    server.rv++;
    return 200;
}

static void serve(void *ctx, const struct km_sim_request *rq)
{
    bool get = strcmp(rq->method, "GET") == 0;
    int code = 200;

    (void)ctx;
    server.requests++;
    note(get                               ? "get"
         : strcmp(rq->method, "POST") == 0 ? "create"
         : strcmp(rq->method, "PUT") == 0  ? "update"
                                           : "patch");
    if (server.deaf || (is_refused() && server.mute))
        return;
    if (is_refused())
        code = server.refuse_code;
    else if (strcmp(rq->method, "POST") != 0 && !server.exists)
        code = 404;
    else if (!get)
        code = store(rq);
    if (server.lost)
        return;
    if (code == 200)
        reply_lease(rq->conn_id);
    else
        reply_status(rq->conn_id, code);
}

/* Somebody else writes the Lease. */
static void put_spec(const char *spec)
{
    server.exists = true;
    server.rv++;
    (void)snprintf(server.spec, sizeof server.spec, "%s", spec);
}

static void text_of(const char *member, char *out, size_t size)
{
    char pointer[64];
    struct km_slice value;

    (void)snprintf(pointer, sizeof pointer, "/%s", member);
    out[0] = '\0';
    if (server.exists && km_json_find(km_slice_of(server.spec), pointer, &value) == KM_OK &&
        !km_json_unquote(value, out, size))
        (void)km_slice_copy(value, out, size);
}

static bool spec_is(const char *member, const char *want)
{
    char text[300];

    text_of(member, text, sizeof text);
    return strcmp(text, want) == 0;
}

/* ---- the candidates ---- */

static struct candidate {
    struct km_loop loop;
    struct km_client client;
    struct km_lane lane, event_lane;
    struct km_elect elect;
    struct km_recorder recorder;
    char identity[8];
    unsigned started, stopped, leaders;
    char leader[KM_ELECT_IDENTITY_SIZE];
    bool working; /* between started and stopped */
    bool rejoins; /* starts again in stopped */
    int64_t sleeps_until_ms, resigns_at_ms;
} all[CANDIDATES];

static struct km_kubeconfig kubeconfig;
static struct km_fault fault;

static void on_started(void *ctx)
{
    struct candidate *c = ctx;

    assert_false(c->working);
    assert_true(km_elect_leading(&c->elect));
    c->working = true;
    c->started++;
}

static void on_stopped(void *ctx)
{
    struct candidate *c = ctx;

    c->working = false;
    c->stopped++;
    if (c->rejoins)
        km_elect_start(&c->elect);
}

static void on_new_leader(void *ctx, const char *identity)
{
    struct candidate *c = ctx;

    c->leaders++;
    (void)snprintf(c->leader, sizeof c->leader, "%s", identity);
}

static void set_up(struct candidate *c, const char *identity)
{
    memset(c, 0, sizeof *c);
    (void)snprintf(c->identity, sizeof c->identity, "%s", identity);
    km_loop_init(&c->loop);
    assert_int_equal(km_client_init(&c->client, &kubeconfig, &c->loop, &fault), KM_OK);
    assert_int_equal(km_lane_init(&c->lane, &c->client, "lock"), KM_OK);
    c->elect = (struct km_elect){.ns = "foo",
                                 .name = "bar",
                                 .identity = c->identity,
                                 .lease_ms = 15 * SECOND,
                                 .deadline_ms = 10 * SECOND,
                                 .retry_ms = 2 * SECOND,
                                 .client = &c->client,
                                 .lane = &c->lane,
                                 .on_started = on_started,
                                 .on_stopped = on_stopped,
                                 .on_new_leader = on_new_leader,
                                 .ctx = c};
}

static void init(struct candidate *c)
{
    assert_int_equal(km_elect_init(&c->elect, &fault), KM_OK);
}

static void begin(uint64_t seed)
{
    km_sim_reset(seed);
    memset(&server, 0, sizeof server);
    memset(&kubeconfig, 0, sizeof kubeconfig);
    (void)snprintf(kubeconfig.host, sizeof kubeconfig.host, "10.0.0.1");
    (void)snprintf(kubeconfig.authority, sizeof kubeconfig.authority, "10.0.0.1:%d", PORT);
    kubeconfig.port = PORT;
    km_sim_http_listen("*", PORT, serve, NULL);
    set_up(&all[0], "baz");
}

static void run(int64_t ms)
{
    int64_t until_ms = km_port_now_ms() + ms, now_ms;

    while ((now_ms = km_port_now_ms()) < until_ms)
        km_loop_turn(&all[0].loop, until_ms - now_ms);
}

/* One attempt and its answers; the next one is 2 s away. */
static void run_try(void)
{
    init(&all[0]);
    km_elect_start(&all[0].elect);
    run(SECOND);
}

static void end(struct candidate *c)
{
    c->elect.step = KM_ELECT_IDLE; /* the answer's end is nobody's business any more */
    km_request_cancel(&c->elect.request);
    km_client_suspect(&c->client, "the test is over");
}

static void finish(void)
{
    end(&all[0]);
    assert_int_equal(km_sim_leaks(), 0);
}

static void expect(bool leads, const char *leader, const char *ops)
{
    assert_int_equal(km_elect_leading(&all[0].elect), leads);
    assert_string_equal(km_elect_leader(&all[0].elect), leader);
    assert_string_equal(all[0].leader, leader);
    assert_string_equal(server.ops, ops);
}

/* ---- upstream's tests ---- */

static void acquire_from_no_object(void **state)
{
    (void)state;
    begin(1);
    run_try();
    expect(true, "baz", "get create");
    assert_true(spec_is("holderIdentity", "baz") && spec_is("leaseDurationSeconds", "15") &&
                spec_is("leaseTransitions", "0"));
    finish();
}

static void acquire_from_object_without_annotations(void **state)
{
    (void)state;
    begin(1);
    put_spec("{}");
    run_try();
    expect(true, "baz", "get update");
    assert_true(spec_is("leaseTransitions", "1"));
    finish();
}

static void acquire_from_led_object_with_duration(void **state)
{
    (void)state;
    begin(1);
    put_spec("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":3}");
    run_try();
    expect(false, "bing", "get");
    run(10 * SECOND);
    assert_true(km_elect_leading(&all[0].elect));
    assert_string_equal(all[0].leader, "baz");
    assert_true(spec_is("leaseTransitions", "1"));
    finish();
}

static void acquire_from_unled_object(void **state)
{
    (void)state;
    begin(1);
    put_spec("{\"holderIdentity\":\"\",\"leaseDurationSeconds\":15,\"leaseTransitions\":4}");
    run_try();
    expect(true, "baz", "get update");
    assert_true(spec_is("leaseTransitions", "5"));
    finish();
}

static void acquire_from_led_unacked_object(void **state)
{
    (void)state;
    begin(1);
    put_spec("{\"holderIdentity\":\"bing\"}"); /* no duration: valid while it is new only */
    run_try();
    expect(false, "bing", "get");
    run(4 * SECOND);
    assert_true(km_elect_leading(&all[0].elect));
    assert_int_equal(strncmp(server.ops, "get get update", 14), 0);
    assert_true(spec_is("leaseTransitions", "1"));
    finish();
}

static void dont_acquire_from_led_acked_object(void **state)
{
    (void)state;
    begin(1);
    put_spec("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":3600}");
    run_try();
    expect(false, "bing", "get");
    run(3600 * SECOND - 1100);
    expect(false, "bing", server.ops);
    assert_null(strstr(server.ops, "update"));
    run(10 * SECOND);
    assert_true(km_elect_leading(&all[0].elect));
    finish();
}

static void renew_already_acquired_object(void **state)
{
    (void)state;
    begin(1);
    put_spec("{\"holderIdentity\":\"baz\",\"leaseDurationSeconds\":15,\"leaseTransitions\":7,"
             "\"acquireTime\":\"2020-01-01T00:00:00.000000Z\"}");
    run_try();
    expect(true, "baz", "get update");
    assert_true(spec_is("leaseTransitions", "7"));
    assert_true(spec_is("acquireTime", "2020-01-01T00:00:00.000000Z"));
    finish();
}

static void coordinated(const char *spec, bool leads, const char *leader, const char *ops)
{
    begin(1);
    put_spec(spec);
    all[0].elect.coordinated = true;
    run_try();
    expect(leads, leader, ops);
    finish();
}

static void try_coordinated_renew(void **state)
{
    (void)state;
    coordinated("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":15}", false, "bing", "get");
    coordinated("{\"holderIdentity\":\"baz\",\"leaseDurationSeconds\":15,\"strategy\":\"Oldest\"}",
                true, "baz", "get update");
    assert_true(spec_is("strategy", "Oldest"));
    coordinated("{\"holderIdentity\":\"baz\",\"leaseDurationSeconds\":15,"
                "\"preferredHolder\":\"bing\",\"strategy\":\"Oldest\"}",
                false, "baz", "get");
    coordinated("{}", false, "", "get");
    begin(1);
    all[0].elect.coordinated = true; /* nobody creates it but the election controller */
    run_try();
    expect(false, "", "get");
    finish();
}

static void release_lease(void **state)
{
    (void)state;
    begin(1);
    all[0].elect.release = true;
    run_try();
    run(SECOND / 2);
    km_elect_stop(&all[0].elect);
    assert_int_equal(all[0].stopped, 1); /* before anything is written */
    assert_false(km_elect_leading(&all[0].elect));
    assert_true(spec_is("holderIdentity", "baz"));
    run(SECOND);
    assert_true(km_elect_idle(&all[0].elect));
    assert_string_equal(server.ops, "get create get update");
    assert_true(spec_is("holderIdentity", "") && spec_is("leaseDurationSeconds", "1") &&
                spec_is("leaseTransitions", "0"));
    assert_string_equal(km_elect_leader(&all[0].elect), "");
    assert_false(spec_is("renewTime", "") || spec_is("acquireTime", ""));
    finish();
}

static void release_of_a_candidate(void **state)
{
    (void)state;
    begin(1);
    all[0].elect.release = true;
    put_spec("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":15}");
    run_try();
    km_elect_stop(&all[0].elect);
    run(20 * SECOND);
    assert_string_equal(server.ops, "get");
    assert_int_equal(all[0].stopped, 1); /* though it never led */
    assert_int_equal(all[0].started, 0);
    finish();
}

/* `refuse`: the requests that hang, among them the one that the stop meets. */
static void cancel_during(const char *refuse, int64_t after_ms)
{
    begin(1);
    all[0].elect.release = true;
    all[0].elect.deadline_ms = 4 * SECOND;
    all[0].elect.retry_ms = SECOND;
    server.refuse = refuse;
    server.refuse_code = 409;
    run_try();
    assert_int_equal(all[0].started, 1);
    server.mute = true;
    run(after_ms);
    assert_true(km_request_busy(&all[0].elect.request));
    km_elect_stop(&all[0].elect);
    assert_int_equal(all[0].stopped, 1);
    run(3 * SECOND);
    assert_true(km_elect_idle(&all[0].elect));
    assert_true(spec_is("holderIdentity", "") && spec_is("leaseDurationSeconds", "1"));
    finish();
}

static void release_on_cancellation(void **state)
{
    (void)state;
    cancel_during(" 3 ", 500);    /* get create update(hangs) */
    cancel_during(" 3 4 ", 2600); /* get create update(times out) get(hangs) */
    /* After a conflict of the release itself. */
    begin(1);
    all[0].elect.release = true;
    server.refuse = " 4 ";
    server.refuse_code = 409;
    run_try();
    km_elect_stop(&all[0].elect);
    run(SECOND);
    assert_string_equal(server.ops, "get create get update get update");
    assert_true(spec_is("holderIdentity", ""));
    finish();
}

static void release_gives_up(void **state)
{
    (void)state;
    begin(1);
    all[0].elect.release = true;
    run_try();
    server.deaf = true;
    km_elect_stop(&all[0].elect);
    run(9 * SECOND);
    assert_false(km_elect_idle(&all[0].elect));
    run(2 * SECOND);
    assert_true(km_elect_idle(&all[0].elect));
    /* What somebody else holds is not given away. */
    begin(1);
    all[0].elect.release = true;
    run_try();
    put_spec("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":15}");
    km_elect_stop(&all[0].elect);
    run(SECOND);
    assert_true(km_elect_idle(&all[0].elect));
    assert_string_equal(server.ops, "get create get");
    finish();
}

static void refuses(const char *words)
{
    km_fault_clear(&fault);
    assert_int_equal(km_elect_init(&all[0].elect, &fault), KM_ERR_CONFIG);
    assert_string_equal(fault.text, words);
    begin(1);
}

static void config_validation(void **state)
{
    struct km_elect *e = &all[0].elect;

    (void)state;
    begin(1);
    e->deadline_ms = e->lease_ms;
    refuses("leaseDuration must be greater than renewDeadline");
    e->retry_ms = 9 * SECOND;
    refuses("renewDeadline must be greater than retryPeriod*JitterFactor");
    e->lease_ms = 0, e->deadline_ms = -1, e->retry_ms = -5;
    refuses("leaseDuration must be greater than zero");
    e->deadline_ms = 0, e->retry_ms = -5;
    refuses("renewDeadline must be greater than zero");
    e->retry_ms = 0;
    refuses("retryPeriod must be greater than zero");
    e->on_started = NULL;
    refuses("OnStartedLeading callback must not be nil");
    e->on_stopped = NULL;
    refuses("OnStoppedLeading callback must not be nil");
    e->name = NULL;
    refuses("Lock must not be nil.");
    e->identity = "";
    refuses("Lock identity is empty");
    end(&all[0]);
}

static void expect_metrics(const char *master, const char *slow)
{
    static const struct km_elect *const electors[] = {&all[0].elect};
    static struct km_elect_collector collector = {.electors = electors, .count = 1};
    static char data[16384];
    struct km_buf text;

    km_elect_collector_register(&collector);
    km_buf_init(&text, data, sizeof data);
    assert_int_equal(km_metrics_write(&text), KM_OK);
    assert_non_null(strstr(data, "# TYPE leader_election_master_status gauge\n"));
    assert_non_null(strstr(data, master));
    assert_non_null(strstr(data, "# TYPE leader_election_slowpath_total counter\n"));
    assert_non_null(strstr(data, slow));
}

static void fast_path(void **state)
{
    (void)state;
    begin(1);
    run_try();
    run(4 * SECOND);
    expect(true, "baz", "get create update update");
    expect_metrics("\nleader_election_master_status{name=\"bar\"} 1\n",
                   "\nleader_election_slowpath_total{name=\"bar\"} 0\n");
    finish();
    /* The first renewal meets a conflict. */
    begin(1);
    server.refuse = " 4 ";
    server.refuse_code = 409;
    run_try();
    run(6 * SECOND);
    expect(true, "baz", "get create update update get update update");
    km_elect_stop(&all[0].elect);
    expect_metrics("\nleader_election_master_status{name=\"bar\"} 0\n",
                   "\nleader_election_slowpath_total{name=\"bar\"} 1\n");
    finish();
}

static void health_checker(void **state)
{
    struct km_elect *e = &all[0].elect;

    (void)state;
    assert_int_equal(km_elect_check(NULL, 0), KM_OK); /* no elector yet */
    begin(1);
    run_try();
    assert_int_equal(km_elect_check(e, 0), KM_OK);
    km_sim_advance(20 * SECOND);                             /* the process sleeps */
    assert_int_equal(km_elect_check(e, 10 * SECOND), KM_OK); /* expired within the tolerance */
    assert_int_equal(km_elect_check(e, SECOND), KM_ERR_TIMEOUT);
    server.deaf = true;
    put_spec("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":15}");
    run(20 * SECOND);
    server.deaf = false;
    km_elect_start(e);
    run(5 * SECOND);
    assert_string_equal(km_elect_leader(e), "bing");
    km_sim_advance(60 * SECOND);
    assert_int_equal(km_elect_check(e, 0), KM_OK); /* expired, but held by another */
    finish();
}

static void converted(const char *spec)
{
    static const struct km_schema_part parts[] = {{"", &km_kind_election}};
    static struct km_schema_node nodes[KM_ELECT_NODES];
    struct km_schema schema;
    struct km_election lease;
    struct km_elect_record record;
    char text[1024], out[1024];
    struct km_buf buf;
    struct km_json_writer w;
    void *dest[] = {&lease};

    assert_int_equal(km_schema_init(&schema, parts, 1, NULL, nodes, KM_ELECT_NODES), KM_OK);
    (void)snprintf(text, sizeof text, "{\"spec\":%s}", spec);
    assert_int_equal(km_json_decode(&schema, false, km_slice_of(text), dest), KM_OK);
    km_elect_record_read(&lease, &record);
    km_buf_init(&buf, out, sizeof out);
    km_json_writer_init(&w, &buf);
    km_json_object(&w);
    km_elect_record_write(&record, &w);
    km_json_close(&w);
    assert_int_equal(km_json_finish(&w), KM_OK);
    assert_string_equal(out, spec);
}

static void lease_conversion(void **state)
{
    (void)state;
    converted(
        "{\"acquireTime\":\"2015-10-21T07:28:00.123456Z\",\"holderIdentity\":\"foo\","
        "\"leaseDurationSeconds\":10,\"leaseTransitions\":3,\"preferredHolder\":\"bar\","
        "\"renewTime\":\"2015-10-21T07:28:00.123456Z\",\"strategy\":\"OldestEmulationVersion\"}");
    converted("{\"holderIdentity\":\"\",\"leaseDurationSeconds\":0,\"leaseTransitions\":0}");
}

static void update_with_nil_labels(void **state)
{
    (void)state;
    begin(1);
    put_spec("{}");
    run_try();
    expect(true, "baz", "get update");
    assert_null(strstr(server.body, "labels"));
    finish();
}

/* ---- what the Lease keeps ---- */

static void others_entries_stay(void **state)
{
    static const char meta[] = "\"labels\":{\"a\":\"b\"},\"annotations\":{\"c\":\"d\"},"
                               "\"ownerReferences\":[{\"uid\":\"o\"}],\"finalizers\":[\"f/g\"],";
    char long_one[900];

    (void)state;
    begin(1);
    put_spec("{}");
    (void)snprintf(server.meta, sizeof server.meta, "%s", meta);
    run_try();
    expect(true, "baz", "get update");
    assert_non_null(strstr(server.body, "\"labels\":{\"a\":\"b\"},\"annotations\":{\"c\":\"d\"},"
                                        "\"ownerReferences\":[{\"uid\":\"o\"}],\"finalizers\":["));
    finish();
    /* Too long to be kept: patched, and nothing is lost. */
    begin(1);
    put_spec("{\"holderIdentity\":\"\",\"strategy\":\"x\"}");
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    (void)snprintf(server.meta, sizeof server.meta, "\"annotations\":{\"c\":\"%s\"},", long_one);
    run_try();
    expect(true, "baz", "get patch");
    assert_non_null(strstr(server.body, "\"resourceVersion\":\"1\""));
    assert_non_null(strstr(server.body, "\"strategy\":null"));
    assert_null(strstr(server.body, "annotations"));
    finish();
}

/* ---- timing ---- */

static void acquire_waits_are_spread(void **state)
{
    int64_t last_ms = 0, least = INT64_MAX, most = 0;
    unsigned seen = 0;

    (void)state;
    begin(1);
    km_sim_latency(0);
    put_spec("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":1000000}");
    init(&all[0]);
    km_elect_start(&all[0].elect);
    for (int64_t t = 0; t < HOUR; t += 10) {
        run(10);
        if (server.requests == seen)
            continue;
        seen = server.requests;
        if (last_ms > 0 && km_port_now_ms() - last_ms < least)
            least = km_port_now_ms() - last_ms;
        if (last_ms > 0 && km_port_now_ms() - last_ms > most)
            most = km_port_now_ms() - last_ms;
        last_ms = km_port_now_ms();
    }
    assert_in_range(seen, 1050, 1200); /* 3.2 s on average */
    assert_in_range(least, 1980, 2200);
    assert_in_range(most, 4200, 4420);
    finish();
}

static void stops_at_the_deadline(void **state)
{
    int64_t began_ms;

    (void)state;
    begin(1);
    run_try();
    run(5 * SECOND);
    began_ms = km_port_now_ms();
    server.deaf = true;
    while (all[0].stopped == 0)
        run(10);
    /* 2 s to the next renewal at most, and 10 s for it */
    assert_in_range(km_port_now_ms() - began_ms, 9900, 12100);
    assert_false(all[0].working);
    run(HOUR);
    assert_int_equal(all[0].started, 1);
    finish();
}

/* Whatever the settings are, it ends before another may begin. */
static void stops_before_the_lease_ends(void **state)
{
    int64_t renewed_ms = 0;
    unsigned seen = 0;

    (void)state;
    begin(1);
    all[0].elect.lease_ms = 10999; /* 10 s in the record */
    all[0].elect.deadline_ms = 10500;
    all[0].elect.retry_ms = 5 * SECOND;
    run_try();
    for (int i = 0; i < 3000; i++) {
        run(10);
        if (server.requests != seen)
            renewed_ms = km_port_now_ms();
        seen = server.requests;
    }
    server.deaf = true;
    while (all[0].stopped == 0)
        run(10);
    assert_true(km_port_now_ms() - renewed_ms <= 10 * SECOND);
    finish();
}

static void sleeps_past_its_lease(void **state)
{
    (void)state;
    begin(1);
    run_try();
    assert_true(km_elect_leading(&all[0].elect));
    km_sim_advance(16 * SECOND);
    assert_false(km_elect_leading(&all[0].elect)); /* before the loop knows */
    assert_true(all[0].working);
    all[0].rejoins = true;
    run(SECOND);
    assert_int_equal(all[0].stopped, 1);
    run(10 * SECOND);
    assert_int_equal(all[0].started, 2); /* nobody else wanted it */
    finish();
}

static void wall_clock_jumps(void **state)
{
    static const int64_t jumps_us[] = {-30LL * 365 * 86400 * 1000000, 86400LL * 1000000,
                                       3600LL * 1000000 * 24 * 3650};

    (void)state;
    begin(1);
    set_up(&all[1], "two");
    run_try();
    init(&all[1]);
    km_elect_start(&all[1].elect);
    for (size_t i = 0; i < 300; i++) {
        if (i % 50 == 0)
            km_sim_wall_jump(jumps_us[i / 50 % 3]);
        run(200);
        km_loop_turn(&all[1].loop, 100);
        assert_true(km_elect_leading(&all[0].elect));
        assert_false(km_elect_leading(&all[1].elect));
    }
    end(&all[1]);
    finish();
}

static void stops_when_another_name_stands_there(void **state)
{
    (void)state;
    begin(1);
    run_try();
    put_spec("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":15}");
    run(2 * SECOND);
    assert_int_equal(all[0].stopped, 1);
    assert_string_equal(all[0].leader, "bing");
    assert_string_equal(server.ops, "get create update get");
    finish();
}

static void deleted_lease_is_made_again(void **state)
{
    (void)state;
    begin(1);
    run_try();
    server.exists = false;
    run(3 * SECOND);
    expect(true, "baz", "get create update get create");
    assert_int_equal(all[0].stopped, 0);
    finish();
}

static void lost_answer_of_the_first_write(void **state)
{
    (void)state;
    begin(1);
    server.refuse = " 2 ";
    server.mute = true;
    server.lost = true;
    all[0].elect.release = true;
    init(&all[0]);
    server.lost = false;
    server.refuse = NULL;
    km_elect_start(&all[0].elect);
    while (server.requests < 1)
        km_loop_turn(&all[0].loop, 1);
    server.lost = true; /* the create is done, its answer is lost */
    run(SECOND);
    assert_true(spec_is("holderIdentity", "baz"));
    assert_false(km_elect_leading(&all[0].elect));
    server.lost = false;
    km_elect_stop(&all[0].elect); /* the Lease would stand in everybody's way */
    run(SECOND);
    assert_true(spec_is("holderIdentity", ""));
    finish();
}

/* What came by half of an answer is not known: its version must not be written over. */
static void half_an_answer(void **state)
{
    (void)state;
    begin(1);
    run_try();
    put_spec("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":15}");
    server.half = true;
    run(14 * SECOND);
    assert_true(spec_is("holderIdentity", "bing"));
    assert_int_equal(all[0].stopped, 1);
    finish();
}

static void sleeps_before_the_answer(void **state)
{
    (void)state;
    begin(1);
    init(&all[0]);
    km_elect_start(&all[0].elect);
    while (server.requests < 2)
        km_loop_turn(&all[0].loop, 1);
    km_sim_advance(16 * SECOND);
    while (all[0].elect.step == KM_ELECT_CREATE)
        km_loop_turn(&all[0].loop, 1);
    assert_int_equal(all[0].started, 0); /* the Lease that it won is over */
    run(10 * SECOND);
    assert_int_equal(all[0].started, 1);
    finish();
}

static void forbidden_is_logged_once(void **state)
{
    (void)state;
    begin(1);
    server.refuse = "all";
    server.refuse_code = 403;
    run_try();
    run(HOUR);
    assert_in_range(server.requests, 1000, 1300);
    assert_false(km_elect_leading(&all[0].elect));
    server.refuse = NULL;
    run(5 * SECOND);
    assert_true(km_elect_leading(&all[0].elect));
    finish();
}

static void hostile_leases(void **state)
{
    static const char *const specs[] = {
        "{\"holderIdentity\":7}",
        "{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":-5}",
        "{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":\"x\"}",
        "[]",
        "null",
    };

    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        begin(i);
        put_spec(specs[i]);
        run_try();
        run(10 * SECOND);
        assert_true(km_elect_leading(&all[0].elect));
        finish();
    }
    begin(1);
    put_spec("{\"holderIdentity\":\"bing\",\"leaseDurationSeconds\":9223372036854775807}");
    run_try();
    run(10 * HOUR);
    assert_int_equal(all[0].started, 0);
    finish();
}

/* ---- several at a time ---- */

static unsigned leaders(void)
{
    unsigned count = 0;

    for (int i = 0; i < CANDIDATES; i++)
        count += km_elect_leading(&all[i].elect);
    return count;
}

static void turn(struct candidate *c)
{
    int64_t now_ms = km_port_now_ms();

    if (now_ms < c->sleeps_until_ms)
        return;
    km_loop_turn(&c->loop, 0);
    if (leaders() > 1)
        fail_msg("%u lead at %lld ms", leaders(), (long long)now_ms);
    if (c->resigns_at_ms != 0 && now_ms >= c->resigns_at_ms) {
        km_elect_stop(&c->elect);
        c->resigns_at_ms = 0;
    }
}

/* Refused at random, or answered in half. */
static void spoil(struct km_rng *rng)
{
    static const int codes[] = {401, 403, 404, 409, 410, 429, 500, 503};
    static const char *const which[] = {NULL, "all", " 1 ", " 2 ", " 1  3 ", " 2  4  5 "};

    server.requests = 0;
    server.refuse = which[km_rng_range(rng, 0, sizeof which / sizeof which[0])];
    server.refuse_code = codes[km_rng_range(rng, 0, sizeof codes / sizeof codes[0])];
    server.mute = km_rng_range(rng, 0, 3) == 0;
    server.half = km_rng_range(rng, 0, 4) == 0;
}

/* One that is not there has the Lease; no two of its records are equal, as no two candidates' are. */
static void foreign_hand(void)
{
    static unsigned turns;
    char spec[256];

    (void)snprintf(spec, sizeof spec,
                   "{\"holderIdentity\":\"nobody\",\"leaseDurationSeconds\":15,"
                   "\"renewTime\":\"2026-01-01T00:00:00.%06uZ\",\"leaseTransitions\":7}",
                   ++turns % 1000000);
    if (server.exists)
        put_spec(spec);
}

static void accident(struct km_rng *rng)
{
    struct candidate *c = &all[km_rng_range(rng, 0, CANDIDATES)];
    int64_t now_ms = km_port_now_ms();

    switch (km_rng_range(rng, 0, 12)) {
    case 9:
        spoil(rng);
        break;
    case 10:
        foreign_hand();
        break;
    case 11:
        km_sim_shorten(km_rng_u32(rng) | 1u);
        break;
    case 0: /* sleeps, mostly the one that leads */
    case 1:
        for (int i = 0; i < CANDIDATES; i++)
            c = km_elect_leading(&all[i].elect) ? &all[i] : c;
        c->sleeps_until_ms = now_ms + km_rng_range(rng, 0, 40 * SECOND);
        break;
    case 2:
        km_sim_close_all();
        break;
    case 3:
        km_sim_link(km_rng_range(rng, 0, 2) == 0);
        break;
    case 4:
        server.deaf = km_rng_range(rng, 0, 2) == 0;
        break;
    case 5:
        server.lost = km_rng_range(rng, 0, 2) == 0;
        break;
    case 6:
        km_sim_wall_jump(km_rng_range(rng, -4000000000000, 4000000000000));
        break;
    case 7:
        c->resigns_at_ms = now_ms + km_rng_range(rng, 1, 5 * SECOND);
        break;
    default:
        km_sim_latency(km_rng_range(rng, 0, 3000));
        break;
    }
}

static void calm(void)
{
    km_sim_link(true);
    km_sim_latency(1);
    km_sim_shorten(0);
    server.deaf = server.lost = server.half = server.mute = false;
    server.refuse = NULL;
    for (int i = 0; i < CANDIDATES; i++)
        all[i].sleeps_until_ms = all[i].resigns_at_ms = 0;
}

static void pass(int64_t ms)
{
    for (int64_t t = 0; t < ms; t += 50) {
        (void)km_port_poll(NULL, 0, 50);
        for (int i = 0; i < CANDIDATES; i++)
            turn(&all[i]);
    }
}

/* With all accidents at once: never two, and one again as soon as it is calm. */
static unsigned terms;

static void live(uint64_t seed, int64_t hours)
{
    static const char *const names[CANDIDATES] = {"one", "two", "three"};
    struct km_rng rng;

    (void)hours;
    begin(seed);
    km_sim_poll_limit(UINT64_MAX);
    km_rng_seed(&rng, seed);
    end(&all[0]);
    for (int i = 0; i < CANDIDATES; i++) {
        set_up(&all[i], names[i]);
        all[i].elect.release = i != 0;
        all[i].rejoins = true;
        init(&all[i]);
        km_elect_start(&all[i].elect);
    }
    for (int i = 0; i < 200; i++) {
        accident(&rng);
        pass(km_rng_range(&rng, 0, 10 * SECOND));
        if (i % 10 != 9)
            continue;
        calm();
        pass(90 * SECOND);
        if (leaders() != 1)
            fail_msg("RIG_SEED=%llu: nobody leads behind accident %d", (unsigned long long)seed, i);
    }
    for (int i = 0; i < CANDIDATES; i++) {
        terms += all[i].started;
        end(&all[i]);
    }
}

static void never_two_leaders(void **state)
{
    (void)state;
    terms = 0;
    accident_seeds(20, live, 0);
    assert_true(getenv("RIG_SEED") != NULL || terms > 500); /* they did take turns */
}

static void release_lets_the_next_one_in(void **state)
{
    int64_t stopped_ms;

    (void)state;
    begin(1);
    all[0].elect.release = true;
    run_try();
    for (int i = 1; i < CANDIDATES; i++) {
        set_up(&all[i], i == 1 ? "two" : "three");
        init(&all[i]);
        km_elect_start(&all[i].elect);
    }
    pass(10 * SECOND);
    assert_true(km_elect_leading(&all[0].elect));
    stopped_ms = km_port_now_ms();
    km_elect_stop(&all[0].elect);
    while (leaders() == 0)
        pass(50);
    assert_true(km_port_now_ms() - stopped_ms < 5 * SECOND);
    assert_true(spec_is("leaseTransitions", "1"));
    for (int i = 0; i < CANDIDATES; i++)
        end(&all[i]);
    assert_int_equal(km_sim_leaks(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KM_NAMED_TEST("TestTryAcquireOrRenewLeases: no object", acquire_from_no_object),
        KM_NAMED_TEST("TestTryAcquireOrRenewLeases: without annotations",
                      acquire_from_object_without_annotations),
        KM_NAMED_TEST("TestTryAcquireOrRenewLeases: led with duration",
                      acquire_from_led_object_with_duration),
        KM_NAMED_TEST("TestTryAcquireOrRenewLeases: unled", acquire_from_unled_object),
        KM_NAMED_TEST("TestTryAcquireOrRenewLeases: led, unacked", acquire_from_led_unacked_object),
        KM_NAMED_TEST("TestTryAcquireOrRenewLeases: led, acked",
                      dont_acquire_from_led_acked_object),
        KM_NAMED_TEST("TestTryAcquireOrRenewLeases: renew", renew_already_acquired_object),
        KM_NAMED_TEST("TestTryCoordinatedRenew", try_coordinated_renew),
        KM_NAMED_TEST("TestReleaseLeaseLeases", release_lease),
        KM_NAMED_TEST("TestReleaseLeaseLeases: not the leader", release_of_a_candidate),
        KM_NAMED_TEST("TestReleaseOnCancellation_Leases", release_on_cancellation),
        KM_NAMED_TEST("TestLeaderElectionConfigValidation", config_validation),
        KM_NAMED_TEST("TestFastPathLeaderElection", fast_path),
        KM_NAMED_TEST("TestLeaderElectionHealthChecker", health_checker),
        KM_NAMED_TEST("TestLeaseConversion", lease_conversion),
        KM_NAMED_TEST("TestUpdateWithNilLabelsOnLease", update_with_nil_labels),
        cmocka_unit_test(release_gives_up),
        cmocka_unit_test(others_entries_stay),
        cmocka_unit_test(acquire_waits_are_spread),
        cmocka_unit_test(stops_at_the_deadline),
        cmocka_unit_test(stops_before_the_lease_ends),
        cmocka_unit_test(sleeps_past_its_lease),
        cmocka_unit_test(wall_clock_jumps),
        cmocka_unit_test(stops_when_another_name_stands_there),
        cmocka_unit_test(deleted_lease_is_made_again),
        cmocka_unit_test(lost_answer_of_the_first_write),
        cmocka_unit_test(half_an_answer),
        cmocka_unit_test(sleeps_before_the_answer),
        cmocka_unit_test(forbidden_is_logged_once),
        cmocka_unit_test(hostile_leases),
        cmocka_unit_test(release_lets_the_next_one_in),
        cmocka_unit_test(never_two_leaders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
