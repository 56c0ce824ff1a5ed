/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch without a cache and the retry watcher against a scripted server on the virtual clock. client-go's test cases of
 * its RetryWatcher (tools/watch) stand here under their names; behind them what a broken link may do: cut at every byte, each
 * event is told exactly once.
 */
#include "rig.h"

#include <stdlib.h>

#include "kubemote/km_watch.h"

#define STARTS 32
#define LOG_SIZE 1024
#define LAST 40 /* events of the history that is cut */

static struct km_kubeconfig config;
static struct km_loop loop;
static struct km_client client;
static struct km_lane lane;
static struct km_rng rng;
static struct km_schema_node nodes[CONFIG_KM_JSON_NODE_COUNT];
static struct km_meta record;
static const struct km_resource things = {"", "v1", "configmaps"};

/* ---- the server ---- */

static struct {
    void (*serve)(int conn, unsigned start, long rv); /* start: 1 = the first request */
    unsigned starts;
    int64_t started_ms[STARTS];
    char target[512];
    /* The question before each of them: how far the store is. */
    void (*answer)(int conn, unsigned ask);
    unsigned asks;
    char ask_target[512];
    const char *version;
} server;

static void answer_version(int conn)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"kind\":\"ConfigMapList\",\"metadata\":{\"resourceVersion\":\"%s\","
                   "\"continue\":\"abc\"},\"items\":[{\"metadata\":{\"name\":\"x\","
                   "\"resourceVersion\":\"1\"}}]}",
                   server.version);
    (void)km_sim_http_reply(conn, 200, "application/json", text);
}

static void on_ask(const struct km_sim_request *rq)
{
    server.asks++;
    (void)snprintf(server.ask_target, sizeof server.ask_target, "%s", rq->target);
    if (server.answer != NULL)
        server.answer(rq->conn_id, server.asks);
    else
        answer_version(rq->conn_id);
}

static void on_request(void *ctx, const struct km_sim_request *rq)
{
    char rv[32] = "0", watch[8];

    (void)ctx;
    if (!km_sim_request_query(rq, "watch", watch, sizeof watch)) {
        on_ask(rq);
        return;
    }
    server.starts++;
    if (server.starts <= STARTS)
        server.started_ms[server.starts - 1] = km_port_now_ms();
    (void)snprintf(server.target, sizeof server.target, "%s", rq->target);
    (void)km_sim_request_query(rq, "resourceVersion", rv, sizeof rv);
    server.serve(rq->conn_id, server.starts, strtol(rv, NULL, 10));
}

static void send_typed(int conn, const char *type, long rv)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"type\":\"%s\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\","
                   "\"metadata\":{\"namespace\":\"default\",\"name\":\"n%ld\","
                   "\"resourceVersion\":\"%ld\"}}}\n",
                   type, rv, rv);
    (void)km_sim_http_chunk(conn, text);
}

static void send_error(int conn, int code, const char *reason, int retry_after_s)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":\"Failure\","
                   "\"reason\":\"%s\",\"code\":%d,\"details\":{\"retryAfterSeconds\":%d}}}\n",
                   reason, code, retry_after_s);
    (void)km_sim_http_chunk(conn, text);
}

static void open_stream(int conn)
{
    (void)km_sim_http_begin(conn, 200, "application/json");
}

/* Those of the versions (0-terminated) that are newer than rv; the stream ends after `close_after` of them, 0 = never. */
static void send_newer(int conn, long rv, const long *versions, unsigned close_after)
{
    open_stream(conn);
    for (unsigned sent = 0; *versions != 0; versions++) {
        if (*versions <= rv)
            continue;
        send_typed(conn, "ADDED", *versions);
        if (++sent != close_after)
            continue;
        (void)km_sim_http_end(conn);
        return;
    }
}

static void refuse(int conn, int code, const char *reason)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","
                   "\"message\":\"no\",\"reason\":\"%s\",\"code\":%d}",
                   reason, code);
    (void)km_sim_http_reply(conn, code, "application/json", text);
}

/* ---- what is told ---- */

static char told[LOG_SIZE];
static unsigned told_count;
static const char *stop_why;
static bool too_large;
static struct km_retry_watch retry;
static struct km_watch single;
static bool stop_at_event;
static const char *start_at_event, *start_at_stop; /* versions */
static int start_result;

static void write_down(const struct km_watch_event *event)
{
    size_t len = strlen(told);

    told_count++;
    too_large = event->type == KM_WATCH_ERROR && km_status_is_too_large_rv(event->status);
    if (event->type == KM_WATCH_ERROR)
        (void)snprintf(told + len, sizeof told - len, "%d:%s ", (int)event->status->code,
                       event->status->reason);
    else if (event->type == KM_WATCH_ADDED)
        (void)snprintf(told + len, sizeof told - len, "%s ", event->object->rv);
    else
        (void)snprintf(told + len, sizeof told - len, "%s:%s%s ", km_watch_type_name(event->type),
                       event->object->rv, event->initial_end ? ":end" : "");
}

static void on_event(void *ctx, const struct km_watch_event *event)
{
    (void)ctx;
    write_down(event);
    if (!stop_at_event)
        return;
    km_retry_watch_stop(&retry);
    km_retry_watch_stop(&retry);
    if (start_at_event != NULL)
        start_result = km_retry_watch_start(&retry, start_at_event);
}

static void on_stop(void *ctx, const char *why)
{
    (void)ctx;
    stop_why = why;
    if (start_at_stop != NULL)
        start_result = km_retry_watch_start(&retry, start_at_stop);
}

static char ended[128];

static void on_end(void *ctx, int err, const struct km_status *status)
{
    (void)ctx;
    (void)snprintf(ended, sizeof ended, "%s%s%s", km_strerror(err), status != NULL ? ": " : "",
                   status != NULL ? status->reason : "");
}

/* ---- the scene ---- */

static void fill_config(void)
{
    memset(&config, 0, offsetof(struct km_kubeconfig, store));
    config.port = 6443;
    (void)snprintf(config.host, sizeof config.host, "10.0.0.1");
    (void)snprintf(config.authority, sizeof config.authority, "10.0.0.1:6443");
    (void)snprintf(config.server_name, sizeof config.server_name, "10.0.0.1");
}

static void begin(void (*serve)(int conn, unsigned start, long rv))
{
    struct km_fault fault = {0};

    km_sim_reset(1);
    km_sim_poll_limit(UINT64_MAX);
    memset(&server, 0, sizeof server);
    server.serve = serve;
    server.version = "1000";
    km_sim_http_listen("10.0.0.1", 6443, on_request, NULL);
    fill_config();
    memset(&client, 0, sizeof client);
    memset(&lane, 0, sizeof lane);
    memset(&retry, 0, sizeof retry);
    memset(&single, 0, sizeof single);
    km_rng_seed(&rng, 7);
    km_loop_init(&loop);
    assert_int_equal(km_client_init(&client, &config, &loop, &fault), KM_OK);
    assert_int_equal(km_lane_init(&lane, &client, "watch"), KM_OK);
    loop.now_ms = km_port_now_ms();
    told[0] = ended[0] = '\0';
    told_count = 0;
    stop_why = NULL;
    stop_at_event = false;
    start_at_event = start_at_stop = NULL;
    single = (struct km_watch){.name = "things",
                               .resource = &things,
                               .kind = &km_kind_meta,
                               .record = &record,
                               .nodes = nodes,
                               .lane = &lane,
                               .client = &client,
                               .rng = &rng,
                               .on_event = on_event,
                               .on_end = on_end};
    retry = (struct km_retry_watch){.watch = single, .on_event = on_event, .on_stop = on_stop};
    assert_int_equal(km_retry_watch_init(&retry, &fault), KM_OK);
    assert_int_equal(km_watch_init(&single, &fault), KM_OK);
}

static void run(int64_t ms)
{
    km_loop_pause(&loop, ms);
}

static void end(void)
{
    km_retry_watch_stop(&retry);
    km_watch_stop(&single);
    assert_int_equal(lane.active == NULL && lane.waiting == NULL, true);
    km_conn_abort(&lane.conn, KM_ERR_CANCELED, "the test ends", loop.now_ms);
    assert_int_equal(km_sim_leaks(), 0);
}

static void start_retry(const char *rv)
{
    assert_int_equal(km_retry_watch_start(&retry, rv), KM_OK);
}

/* Attempts and calls in the minute after the start. */
static void expect_retry(void (*serve)(int conn, unsigned start, long rv), const char *rv,
                         unsigned starts, const char *expected)
{
    begin(serve);
    start_retry(rv);
    run(RIG_MINUTE);
    assert_string_equal(told, expected);
    assert_int_equal(server.starts, starts);
    end();
}

/* ---- client-go's cases ---- */

static void TestNewRetryWatcher(void **state)
{
    (void)state;
    begin(NULL);
    assert_int_equal(km_retry_watch_start(&retry, ""), KM_ERR_ARG);
    assert_int_equal(km_retry_watch_start(&retry, "0"), KM_ERR_ARG);
    assert_int_equal(km_retry_watch_start(&retry, NULL), KM_ERR_ARG);
    assert_false(km_retry_watch_running(&retry));
    end();
}

static void error_first(int conn, unsigned start, long rv)
{
    if (start == 1)
        (void)km_sim_rst(conn);
    else
        send_newer(conn, rv, (const long[]){2, 0}, 0);
}

static void refused_first(int conn, unsigned start, long rv)
{
    if (start == 1)
        refuse(conn, 500, "InternalError");
    else
        send_newer(conn, rv, (const long[]){2, 0}, 0);
}

static void TestRetryWatcher_recovers_if_watchClient_returns_error(void **state)
{
    (void)state;
    expect_retry(error_first, "1", 2, "2 ");
    expect_retry(refused_first, "1", 2, "2 ");
}

static void nothing_first(int conn, unsigned start, long rv)
{
    if (start > 1) {
        send_newer(conn, rv, (const long[]){2, 0}, 0);
        return;
    }
    open_stream(conn);
    (void)km_sim_http_end(conn);
}

static void TestRetryWatcher_recovers_if_watchClient_returns_nil_watcher(void **state)
{
    (void)state;
    expect_retry(nothing_first, "1", 2, "2 ");
}

static void one_and_two(int conn, unsigned start, long rv)
{
    (void)start;
    send_newer(conn, rv, (const long[]){1, 2, 0}, 0);
}

static void TestRetryWatcher_works_with_initialRV_set(void **state)
{
    (void)state;
    expect_retry(one_and_two, "1", 1, "2 ");
    expect_retry(one_and_two, "3", 1, "");
}

static void gone_behind_six(int conn, unsigned start, long rv)
{
    (void)start;
    send_newer(conn, rv, (const long[]){5, 6, 0}, 0);
    send_error(conn, 410, "Gone", 0);
    send_typed(conn, "ADDED", 7);
    send_typed(conn, "ADDED", 8);
}

static void gone_as_answer(int conn, unsigned start, long rv)
{
    (void)start;
    (void)rv;
    refuse(conn, 410, "Expired");
}

static void TestRetryWatcher_fails_on_Gone(void **state)
{
    (void)state;
    expect_retry(gone_behind_six, "5", 1, "6 410:Gone ");
    assert_string_equal(stop_why, "the resourceVersion is too old");
    assert_string_equal(km_retry_watch_version(&retry), "6");
    expect_retry(gone_as_answer, "5", 1, "410:Expired ");
    assert_string_equal(stop_why, "the resourceVersion is too old");
}

static void forbidden(int conn, unsigned start, long rv)
{
    (void)start;
    (void)rv;
    refuse(conn, 403, "Forbidden");
}

static void unauthorized(int conn, unsigned start, long rv)
{
    (void)start;
    (void)rv;
    refuse(conn, 401, "Unauthorized");
}

static void TestRetryWatcher_fails_on_Forbidden_and_Unauthorized(void **state)
{
    (void)state;
    expect_retry(forbidden, "5", 1, "403:Forbidden ");
    assert_string_equal(stop_why, "the server forbids the watch");
    expect_retry(unauthorized, "5", 1, "401:Unauthorized ");
    assert_string_equal(stop_why, "the server does not accept the credentials");
}

static int error_code;
static const char *error_reason;
static int error_retry_s;

static void error_behind_six(int conn, unsigned start, long rv)
{
    (void)start;
    open_stream(conn);
    if (rv < 6) {
        send_typed(conn, "ADDED", 6);
        send_error(conn, error_code, error_reason, error_retry_s);
    }
    if (rv < 7)
        send_typed(conn, "ADDED", 7);
}

static void expect_recovery(int code, const char *reason)
{
    error_code = code;
    error_reason = reason;
    expect_retry(error_behind_six, "5", 2, "6 7 ");
}

static void TestRetryWatcher_recovers_from_errors(void **state)
{
    (void)state;
    error_retry_s = 0;
    expect_recovery(504, "Timeout");
    expect_recovery(500, "InternalError");
    expect_recovery(666, "");
    expect_recovery(0, "Unexpected");
}

static const long *history;
static unsigned close_after;

static void closing(int conn, unsigned start, long rv)
{
    (void)start;
    send_newer(conn, rv, history, close_after);
}

static void expect_survival(unsigned every, const long *versions, const char *rv, unsigned starts,
                            const char *expected)
{
    history = versions;
    close_after = every;
    expect_retry(closing, rv, starts, expected);
}

static void TestRetryWatcher_survives_closed_watches(void **state)
{
    static const long spread[] = {5, 6, 7, 11, 0}, low[] = {1, 2, 5, 6, 7, 11, 0};

    (void)state;
    expect_survival(1, (const long[]){6, 0}, "5", 2, "6 ");
    expect_survival(1, (const long[]){5, 6, 0}, "4", 3, "5 6 ");
    expect_survival(1, (const long[]){5, 7, 0}, "4", 3, "5 7 ");
    expect_survival(1, (const long[]){5, 7, 0}, "2", 3, "5 7 ");
    expect_survival(1, spread, "2", 5, "5 6 7 11 ");
    expect_survival(1, low, "2", 5, "5 6 7 11 ");
    expect_survival(2, low, "1", 3, "2 5 6 7 11 ");
}

static void many(int conn, unsigned start, long rv)
{
    (void)start;
    send_newer(conn, rv, (const long[]){2, 3, 4, 5, 0}, 0);
}

static void TestRetryWatcherToFinishWithUnreadEvents(void **state)
{
    (void)state;
    begin(many);
    stop_at_event = true;
    start_retry("1");
    run(RIG_MINUTE);
    assert_string_equal(told, "2 ");
    assert_null(stop_why);
    assert_false(km_retry_watch_running(&retry));
    assert_string_equal(km_retry_watch_version(&retry), "2");
    stop_at_event = false;
    start_retry(km_retry_watch_version(&retry));
    run(RIG_MINUTE);
    assert_string_equal(told, "2 3 4 5 ");
    end();
}

/* ---- beyond them ---- */

static void ends_at_once(int conn, unsigned start, long rv)
{
    (void)start;
    (void)rv;
    open_stream(conn);
    (void)km_sim_http_end(conn);
}

static void attempts_begin_a_second_apart(void **state)
{
    (void)state;
    begin(ends_at_once);
    start_retry("1");
    run(10500);
    assert_in_range(server.starts, 10, 11);
    /* The first one waits for its connection too. */
    for (unsigned i = 2; i < server.starts; i++)
        assert_true(server.started_ms[i] - server.started_ms[i - 1] >= 1000);
    end();
}

static void the_server_names_the_time(void **state)
{
    (void)state;
    error_code = 504;
    error_reason = "Timeout";
    error_retry_s = 7;
    expect_retry(error_behind_six, "5", 2, "6 7 ");
    assert_true(server.started_ms[1] - server.started_ms[0] >= 7000);
}

static void bookmark_then_end(int conn, unsigned start, long rv)
{
    open_stream(conn);
    if (start > 1) {
        send_newer(conn, rv, (const long[]){6, 9, 10, 0}, 0);
        return;
    }
    send_typed(conn, "BOOKMARK", 9);
    (void)km_sim_http_end(conn);
}

static void bookmarks_move_on_and_are_not_told(void **state)
{
    (void)state;
    begin(bookmark_then_end);
    start_retry("5");
    run(500);
    assert_string_equal(told, "");
    assert_string_equal(km_retry_watch_version(&retry), "9");
    assert_true(strstr(server.target, "allowWatchBookmarks=true") != NULL);
    end();
}

static void no_version(int conn, unsigned start, long rv)
{
    (void)start;
    send_newer(conn, rv, (const long[]){6, 0}, 0);
    (void)km_sim_http_chunk(conn,
                            "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"x\"}}}\n");
    send_typed(conn, "ADDED", 8);
}

static void unknown_type(int conn, unsigned start, long rv)
{
    (void)start;
    send_newer(conn, rv, (const long[]){6, 0}, 0);
    send_typed(conn, "RENAMED", 7);
    send_typed(conn, "ADDED", 8);
}

static void what_cannot_be_resumed_stops(void **state)
{
    (void)state;
    expect_retry(no_version, "5", 1, "6 500:InternalError ");
    assert_string_equal(stop_why, "an event without resourceVersion");
    expect_retry(unknown_type, "5", 1, "6 500:InternalError ");
    assert_string_equal(stop_why, "an event of unknown type");
}

static void garbage_behind_six(int conn, unsigned start, long rv)
{
    (void)start;
    open_stream(conn);
    if (rv < 6) {
        send_typed(conn, "ADDED", 6);
        (void)km_sim_http_chunk(conn, "{\"type\":}\n");
    }
    if (rv < 7)
        send_typed(conn, "ADDED", 7);
}

static void unreadable_text_is_asked_for_again(void **state)
{
    (void)state;
    expect_retry(garbage_behind_six, "5", 2, "6 7 ");
}

static void silent(int conn, unsigned start, long rv)
{
    (void)rv;
    open_stream(conn);
    if (start == 2)
        send_typed(conn, "MODIFIED", 6);
}

static void silence_ends_a_stream(void **state)
{
    (void)state;
    begin(silent);
    start_retry("5");
    run(149000);
    assert_int_equal(server.starts, 1);
    run(5000);
    assert_int_equal(server.starts, 2);
    assert_string_equal(told, "MODIFIED:6 ");
    end();
}

/* ---- a store that is older than what was seen ---- */

static void one_then_cut(int conn, unsigned start, long rv)
{
    send_newer(conn, rv, (const long[]){6, 0}, 0);
    if (start == 1) {
        (void)km_sim_fin(conn);
        server.version = "5";
    }
}

/* The store goes back while the stream says nothing, as behind a proxy. */
static void quiet_from_now(int conn, unsigned start, long rv)
{
    (void)start;
    (void)rv;
    open_stream(conn);
    server.version = "99";
}

static void expect_restored(void (*serve)(int conn, unsigned start, long rv), const char *rv,
                            const char *version, int64_t within_ms, unsigned starts,
                            const char *expected)
{
    begin(serve);
    server.version = version;
    start_retry(rv);
    run(within_ms);
    assert_string_equal(told, expected);
    assert_true(too_large);
    assert_string_equal(stop_why, "the server's store is older than the resourceVersion");
    assert_false(km_retry_watch_running(&retry));
    assert_int_equal(server.starts, starts);
    end();
}

static void a_restored_store_stops(void **state)
{
    (void)state;
    expect_restored(one_and_two, "5", "4", 1000, 0, "504:Timeout ");
    expect_restored(one_and_two, "100", "99", 1000, 0, "504:Timeout ");
    expect_restored(one_then_cut, "5", "6", 5000, 1, "6 504:Timeout ");
}

static void silent_restored_stores_stop(void **state)
{
    (void)state;
    expect_restored(quiet_from_now, "100", "100", 155000, 1, "504:Timeout ");
}

static void stops_when_the_store_is_older(void **state)
{
    (void)state;
    begin(one_and_two);
    server.version = "4";
    retry.watch.ns = "ns";
    retry.watch.label_selector = "app in (a,b)";
    stop_at_event = true;
    start_retry("5");
    run(1000);
    assert_null(stop_why); /* the program stopped it from the call */
    assert_string_equal(server.ask_target, "/api/v1/namespaces/ns/configmaps?labelSelector=app%20in"
                                           "%20%28a%2Cb%29&limit=1");
    end();
}

/* The program lists anew and goes on from there: from on_stop at once, from a call of its own event not. */
static void a_stopped_watch_starts_again(void **state)
{
    static void (*const serves[])(int conn, unsigned start, long rv) = {one_and_two, forbidden,
                                                                        gone_as_answer};

    (void)state;
    begin(one_and_two);
    server.version = "4";
    start_at_stop = "1";
    start_retry("5");
    run(1000);
    assert_int_equal(start_result, KM_OK);
    assert_string_equal(told, "504:Timeout 2 ");
    end();
    begin(gone_behind_six);
    start_at_stop = "9";
    start_retry("5");
    run(100);
    assert_int_equal(start_result, KM_OK);
    assert_true(km_retry_watch_running(&retry));
    end();
    for (size_t i = 0; i < 3; i++) {
        begin(serves[i]);
        server.version = i == 0 ? "4" : "5";
        stop_at_event = true;
        start_at_event = "1";
        start_result = KM_OK;
        start_retry("5");
        run(5000);
        assert_int_equal(start_result, KM_ERR_ARG);
        assert_int_equal(told_count, 1);
        assert_false(km_retry_watch_running(&retry));
        end();
    }
}

static int answer_code;

static void refuse_once(int conn, unsigned ask)
{
    if (ask == 1)
        refuse(conn, answer_code, "X");
    else
        answer_version(conn);
}

static void cut_once(int conn, unsigned ask)
{
    if (ask == 1)
        (void)km_sim_rst(conn);
    else
        answer_version(conn);
}

static void expect_asked(void (*answer)(int conn, unsigned ask), const char *version, unsigned asks,
                         const char *expected)
{
    begin(one_and_two);
    server.answer = answer;
    server.version = version;
    start_retry("1");
    run(RIG_MINUTE);
    assert_string_equal(told, expected);
    assert_int_equal(server.asks, asks);
    end();
}

/* Who may not list watches all the same; a server with trouble is asked again. */
static void who_cannot_ask_watches(void **state)
{
    static const int codes[] = {400, 403, 404, 405, 422, 429, 500, 503};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        answer_code = codes[i];
        expect_asked(refuse_once, "2", codes[i] < 429 ? 1 : 2, "2 ");
    }
    answer_code = 401;
    expect_asked(refuse_once, "2", 1, "401:X ");
    expect_asked(cut_once, "2", 2, "2 ");
}

static void versions_that_say_nothing(void **state)
{
    static const char *const versions[] = {"", "0", "01", "x", "1x", "-1", " 1", "1.5"};

    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        expect_asked(NULL, versions[i], 1, "2 ");
    expect_asked(NULL, "1", 1, "2 ");
    expect_asked(NULL, "99999999999999999999", 1, "2 ");
}

/* ---- cut anywhere: each event once ---- */

static void serve_history(int conn, unsigned start, long rv)
{
    open_stream(conn);
    for (long next = rv + 1; next <= LAST; next++) {
        if (next % 7 == 0)
            send_typed(conn, "BOOKMARK", next);
        else
            send_typed(conn,
                       next % 3 == 0   ? "MODIFIED"
                       : next % 3 == 1 ? "ADDED"
                                       : "DELETED",
                       next);
    }
    if (start % 4 == 0)
        (void)km_sim_http_end(conn);
}

static void expect_history(void)
{
    char expected[LOG_SIZE] = "";

    for (long rv = 2; rv <= LAST; rv++) {
        size_t len = strlen(expected);

        if (rv % 7 == 0)
            continue;
        (void)snprintf(expected + len, sizeof expected - len,
                       rv % 3 == 0   ? "MODIFIED:%ld "
                       : rv % 3 == 1 ? "%ld "
                                     : "DELETED:%ld ",
                       rv);
    }
    if (strcmp(told, expected) != 0)
        rig_fail("told %.300s", told);
}

static void cut_at_every_byte(void **state)
{
    uint64_t length;

    (void)state;
    begin(serve_history);
    start_retry("1");
    run(1000);
    length = km_sim_bytes(KM_SIM_TO_AGENT);
    expect_history();
    end();
    for (uint64_t at = 0; at < length; at += RIG_SLOW ? 3 : 1) {
        char label[64];

        (void)snprintf(label, sizeof label, "cut after byte %llu", (unsigned long long)at);
        rig.label = label;
        begin(serve_history);
        km_sim_cut(KM_SIM_TO_AGENT, at, (enum km_sim_cut)(at % 3));
        start_retry("1");
        run(400000);
        rig_check(km_sim_cut_done(KM_SIM_TO_AGENT));
        expect_history();
        assert_true(km_retry_watch_running(&retry));
        end();
    }
    rig.label = NULL;
}

/* ---- the watch alone ---- */

static void all_types(int conn, unsigned start, long rv)
{
    (void)start;
    (void)rv;
    open_stream(conn);
    send_typed(conn, "ADDED", 5);
    (void)km_sim_http_chunk(
        conn, "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"6\","
              "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n");
    send_typed(conn, "MODIFIED", 7);
    send_typed(conn, "BOOKMARK", 8);
    send_typed(conn, "DELETED", 9);
    send_error(conn, 504, "Timeout", 0);
    (void)km_sim_http_end(conn);
}

static void a_watch_tells_every_type(void **state)
{
    (void)state;
    begin(all_types);
    assert_int_equal(km_watch_start(&single, ""), KM_OK);
    assert_int_equal(km_watch_start(&single, ""), KM_ERR_ARG);
    run(1000);
    assert_string_equal(told, "5 BOOKMARK:6:end MODIFIED:7 BOOKMARK:8 DELETED:9 504:Timeout ");
    assert_string_equal(ended, km_strerror(KM_OK));
    end();
}

static void a_watch_asks_for_what_it_is_told(void **state)
{
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    begin(ends_at_once);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(km_watch_start(&single, "5"), KM_OK);
        run(10);
        const char *at = strstr(server.target, "timeoutSeconds=");
        int64_t seconds = at != NULL ? strtol(at + 15, NULL, 10) : 0;

        least = seconds < least ? seconds : least;
        most = seconds > most ? seconds : most;
    }
    assert_in_range(least, 300, 320);
    assert_in_range(most, 580, 599);
    single.ns = "ns";
    single.label_selector = "app in (a,b)";
    single.field_selector = "metadata.name=x";
    single.initial_events = true;
    single.timeout_s = 1;
    assert_int_equal(km_watch_start(&single, "0"), KM_OK);
    run(10);
    assert_string_equal(server.target,
                        "/api/v1/namespaces/ns/configmaps?allowWatchBookmarks=true&fieldSelector="
                        "metadata.name%3Dx&labelSelector=app%20in%20%28a%2Cb%29&resourceVersion=0&"
                        "resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeoutSeconds=1&"
                        "watch=true");
    end();
}

static void a_watch_says_how_it_ended(void **state)
{
    (void)state;
    begin(forbidden);
    assert_int_equal(km_watch_start(&single, "5"), KM_OK);
    run(1000);
    assert_non_null(strstr(ended, ": Forbidden"));
    end();
    begin(garbage_behind_six);
    assert_int_equal(km_watch_start(&single, "5"), KM_OK);
    run(1000);
    assert_string_equal(told, "6 500:InternalError ");
    assert_string_equal(ended, km_strerror(KM_ERR_SYNTAX));
    end();
    begin(silent);
    assert_int_equal(km_watch_start(&single, "5"), KM_OK);
    run(151000);
    assert_string_equal(ended, km_strerror(KM_ERR_TIMEOUT));
    end();
    begin(silent);
    assert_int_equal(km_watch_start(&single, "5"), KM_OK);
    run(1000);
    km_watch_stop(&single);
    assert_string_equal(ended, "");
    assert_int_equal(km_watch_start(&single, "5"), KM_OK);
    run(1000);
    assert_int_equal(server.starts, 2);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(TestNewRetryWatcher),
        cmocka_unit_test(TestRetryWatcher_recovers_if_watchClient_returns_error),
        cmocka_unit_test(TestRetryWatcher_recovers_if_watchClient_returns_nil_watcher),
        cmocka_unit_test(TestRetryWatcher_works_with_initialRV_set),
        cmocka_unit_test(TestRetryWatcher_fails_on_Gone),
        cmocka_unit_test(TestRetryWatcher_fails_on_Forbidden_and_Unauthorized),
        cmocka_unit_test(TestRetryWatcher_recovers_from_errors),
        cmocka_unit_test(TestRetryWatcher_survives_closed_watches),
        cmocka_unit_test(TestRetryWatcherToFinishWithUnreadEvents),
        cmocka_unit_test(attempts_begin_a_second_apart),
        cmocka_unit_test(the_server_names_the_time),
        cmocka_unit_test(bookmarks_move_on_and_are_not_told),
        cmocka_unit_test(what_cannot_be_resumed_stops),
        cmocka_unit_test(unreadable_text_is_asked_for_again),
        cmocka_unit_test(silence_ends_a_stream),
        cmocka_unit_test(a_restored_store_stops),
        cmocka_unit_test(silent_restored_stores_stop),
        cmocka_unit_test(stops_when_the_store_is_older),
        cmocka_unit_test(a_stopped_watch_starts_again),
        cmocka_unit_test(who_cannot_ask_watches),
        cmocka_unit_test(versions_that_say_nothing),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(a_watch_tells_every_type),
        cmocka_unit_test(a_watch_asks_for_what_it_is_told),
        cmocka_unit_test(a_watch_says_how_it_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
