/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that a watch can do to its reader, and what becomes of the resourceVersion. */
#include "rig.h"

/* Changes that happen while nobody looks: one pod comes, one goes, the Node is edited. */
static void change_unseen(void)
{
    api_add_pod("default", "new", API_NODE);
    api_delete(API_PODS, "default", "old");
    api_edit_node("/metadata/labels/kubernetes.io~1arch", "\"z80\"");
}

static void begin_with_pods(void)
{
    rig_begin(1);
    rig.verbosity = 0;
    api_add_pod("default", "old", API_NODE);
    api_add_pod("default", "other", API_NODE);
    api_add_pod("default", "elsewhere", "node-b");
    rig_start();
    (void)rig_settle(15000);
    rig_log_clear();
}

/* ---- resourceVersions that the server can't serve ---- */

static void expired_on_resume(void **state)
{
    (void)state;
    for (int as_answer = 0; as_answer < 2; as_answer++) {
        begin_with_pods();
        api.expired_as_answer = as_answer == 1;
        for (int i = 0; i < 5; i++) {
            api_end_watches(); /* in order: the next one is a plain watch at the last resourceVersion */
            change_unseen();
            api_skip(1000);
            api_compact();
            (void)rig_settle(15000);
            api_add_pod("default", "old", API_NODE);
            api_delete(API_PODS, "default", "new");
            (void)rig_settle(15000);
        }
        rig_check(api.expired >= 2);
        rig_check(api.went_unknown == 0);
        rig_end();
    }
}

static void expired_in_the_stream(void **state)
{
    static const char *const reasons[] = {"Expired", "Gone"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        unsigned streams;

        begin_with_pods();
        streams = api.calls[API_POD_STREAM];
        api_send_error(API_PODS, 410, reasons[i], 0);
        change_unseen();
        rig_check_most(rig_settle(15000), 3000);
        rig_check(api.calls[API_POD_STREAM] - streams == 1);
        rig_end();
    }
}

/* The first list ever is answered with 410 a few times, then for ever. */
static void expired_at_once(void **state)
{
    unsigned before;

    (void)state;
    rig_begin(1);
    rig.verbosity = 0;
    api_fail(API_NODE_STREAM, 3, 410, "Expired", 0);
    api_fail(API_NODE_LIST, 2, 410, "Expired", 0);
    rig_start();
    (void)rig_settle(60000);
    api_fail(API_NODE_STREAM, UINT32_MAX, 410, "Expired", 0);
    api_fail(API_NODE_WATCH, UINT32_MAX, 410, "Expired", 0);
    api_fail(API_NODE_LIST, UINT32_MAX, 410, "Expired", 0);
    km_sim_close_all();
    before = api.calls[API_NODE_STREAM] + api.calls[API_NODE_LIST] + api.calls[API_NODE_WATCH];
    rig_run(RIG_HOUR);
    rig_check_most(api.calls[API_NODE_STREAM] + api.calls[API_NODE_LIST] +
                       api.calls[API_NODE_WATCH] - before,
                   700);
    rig_check_most(rig.log_lines, 12);
    api_fail(API_ALL, 0, 0, "", 0);
    (void)rig_settle(100000);
    rig_end();
}

/* An older copy of the store: the resourceVersion goes back, uids stay. */
static void restored_store(void **state)
{
    static const uint64_t writes_later[] = {0, 500, 100000};

    (void)state;
    for (size_t i = 0; i < 2 * (sizeof writes_later / sizeof writes_later[0]); i++) {
        begin_with_pods();
        api.no_streaming = i % 2 == 1;
        api_save();
        rig_run(RIG_HOUR);
        change_unseen();
        api_skip(5000);
        (void)rig_settle(20000);
        api_restore();
        /* Others write on, so that the resourceVersion passes ours while we do not look. */
        api_skip(writes_later[i / 2]);
        api_add_pod("default", "after", API_NODE);
        rig_check_most(rig_settle(240000), 60000);
        rig_check(api_get(API_PODS, "default", "new") == NULL);
        rig_end();
    }
}

static void emptied_store(void **state)
{
    (void)state;
    begin_with_pods();
    rig_run(RIG_HOUR);
    api_empty();
    rig_check_most(rig_settle(240000), 60000);
    rig_check(api_count(API_PODS) == 0);
    rig_end();
}

/* The server is restored while the link is down, and the streams end in order just before. */
static void restored_behind_a_clean_end(void **state)
{
    (void)state;
    begin_with_pods();
    api_save();
    rig_run(RIG_MINUTE * 10);
    change_unseen();
    (void)rig_settle(20000);
    api_end_watches();
    rig_run(20); /* plain watches are on their way */
    api_restore();
    api_add_pod("default", "after", API_NODE);
    rig_check_most(rig_settle(240000), 200000);
    rig_end();
}

/* The server asks for a pause that is long enough for its store to become another one and to pass our resourceVersion. */
static void restored_during_a_pause(void **state)
{
    (void)state;
    for (int slept = 0; slept < 2; slept++) {
        begin_with_pods();
        api_save();
        rig_run(RIG_MINUTE * 10);
        change_unseen();
        (void)rig_settle(20000);
        api_send_error(API_PODS, 429, "TooManyRequests", slept ? 1 : 60);
        rig_run(20);
        km_sim_close_all();
        api_restore();
        api_skip(5000);
        api_add_pod("default", "after", API_NODE);
        if (slept)
            km_sim_advance(RIG_HOUR);
        rig_check_most(rig_settle(240000), 100000);
        rig_end();
    }
}

/* A plain watch newer than the store: the server answers 200 and says nothing, ever. */
static void silent_plain_watch(void **state)
{
    (void)state;
    begin_with_pods();
    rig_run(RIG_MINUTE);
    api_save();
    api_skip(100000);
    change_unseen();
    (void)rig_settle(20000);
    /* A restore without a broken connection, as behind a proxy. */
    api_end_watches();
    api_restore_quietly();
    rig_check_most(rig_settle(240000), 200000);
    rig_check(api_get(API_PODS, "default", "new") == NULL);
    rig_end();
}

/* ---- ERROR events ---- */

static void error_events(void **state)
{
    static const struct {
        int code;
        const char *reason;
        int retry_after_s;
    } errors[] = {
        {500, "InternalError", 0},
        {500, "InternalError", 7},
        {429, "TooManyRequests", 5},
        {504, "Timeout", 1},
        {403, "Forbidden", 0},
        {401, "Unauthorized", 0},
        {503, "ServiceUnavailable", 20},
        {999, "Strange", 0},
        {0, "", 0},
        {410, "Gone", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        unsigned streams;
        int64_t took;

        begin_with_pods();
        rig.label = errors[i].reason;
        streams = api.calls[API_POD_STREAM];
        for (int n = 0; n < 3; n++) {
            api_send_error(API_PODS, errors[i].code, errors[i].reason, errors[i].retry_after_s);
            change_unseen();
            took = rig_settle(60000);
            rig_check(took >= errors[i].retry_after_s * 1000);
            api_add_pod("default", "old", API_NODE);
            api_delete(API_PODS, "default", "new");
            (void)rig_settle(15000);
        }
        rig_check_most(api.calls[API_POD_STREAM] - streams, 3);
        rig_end();
        rig.label = NULL;
    }
}

static bool errors_wanted;
static enum api_verdict always_error(const struct km_sim_request *rq, enum api_call call)
{
    if (!errors_wanted || (call != API_POD_STREAM && call != API_POD_WATCH))
        return API_SERVE;
    (void)km_sim_http_begin(rq->conn_id, 200, "application/json");
    (void)km_sim_http_chunk(rq->conn_id,
                            "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"status\":"
                            "\"Failure\",\"reason\":\"InternalError\","
                            "\"message\":\"etcdserver: leader changed\",\"code\":500}}\n");
    (void)km_sim_http_end(rq->conn_id);
    return API_TAKEN;
}

static void errors_for_ever(void **state)
{
    unsigned before;

    (void)state;
    begin_with_pods();
    api.hook = always_error;
    errors_wanted = true;
    km_sim_close_all();
    before = api.requests;
    rig_run(RIG_HOUR);
    rig_check_most(api.requests - before, 450 + 700);
    rig_check_most(rig.log_lines, 10);
    rig_check(api.went_unknown == 0);
    errors_wanted = false;
    (void)rig_settle(100000);
    rig_end();
}

/* ---- servers without streaming lists, pages ---- */

/* Lists are well, but no watch can go on from what they say. */
static void every_list_is_too_old_to_watch(void **state)
{
    (void)state;
    for (int as_answer = 0; as_answer < 2; as_answer++) {
        unsigned before;

        begin_with_pods();
        api.no_streaming = true;
        before = api.requests;
        api_end_watches();
        if (as_answer == 1)
            api_fail(API_POD_WATCH, UINT32_MAX, 410, "Expired", 0);
        else
            api.no_watch_goes_on = true;
        rig_run(10 * RIG_MINUTE);
        rig_check_most(api.requests - before, 500);
        rig_check(api.calls[API_POD_LIST] > 10);
        api_fail(API_POD_WATCH, 0, 0, "", 0);
        api.no_watch_goes_on = false;
        change_unseen();
        (void)rig_settle(40000);
        rig_end();
    }
}

static void without_streaming_lists(void **state)
{
    (void)state;
    rig_begin(1);
    rig.verbosity = 0;
    api.no_streaming = true;
    for (int i = 0; i < 5; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "pod-%d", i);
        api_add_pod("default", name, API_NODE);
    }
    api_add_pod("default", "old", API_NODE);
    rig_start();
    (void)rig_settle(15000);
    for (int i = 0; i < 6; i++) {
        if (i % 2 == 0)
            api_end_watches();
        else
            km_sim_close_all();
        change_unseen();
        if (i >= 4)
            api_compact();
        (void)rig_settle(30000);
        api_add_pod("default", "old", API_NODE);
        api_delete(API_PODS, "default", "new");
        (void)rig_settle(15000);
    }
    rig_check_most(rig.log_lines, 60);
    rig_log_clear();
    rig_run(RIG_HOUR);
    rig_check(rig.log_lines == 0);
    (void)rig_settle(15000);
    rig_end();
}

/* Who is told when to come back does not come before. */
static void a_refused_list_comes_when_it_was_told(void **state)
{
    static const int codes[] = {429, 503};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        begin_with_pods();
        api.no_streaming = true;
        api_fail(API_POD_LIST, 1, codes[i], "Refused", 40);
        km_sim_close_all();
        change_unseen();
        rig_check(rig_settle(RIG_MINUTE * 2) >= 40000);
        rig_end();
    }
}

static unsigned pages;
static bool compact_at_page;
static enum api_verdict at_page(const struct km_sim_request *rq, enum api_call call)
{
    char token[CONFIG_KM_CONTINUE_BYTES];

    if (call == API_POD_LIST && km_sim_request_query(rq, "continue", token, sizeof token)) {
        pages++;
        if (compact_at_page && pages % 2 == 0) {
            api_add_pod("default", "between-pages", API_NODE);
            api_delete(API_PODS, "default", "pod-03");
            api_compact();
        }
    }
    return API_SERVE;
}

static void lists_in_pages(void **state)
{
    (void)state;
    for (int expire = 0; expire < 2; expire++) {
        rig_begin(1);
        rig.verbosity = 0;
        api.no_streaming = true;
        api.page_size = 7;
        api.hook = at_page;
        compact_at_page = expire == 1;
        pages = 0;
        for (int i = 0; i < 40; i++) {
            char name[16];

            (void)snprintf(name, sizeof name, "pod-%02d", i);
            api_add_pod("default", name, API_NODE);
        }
        rig_start();
        (void)rig_settle(60000);
        rig_check(pages >= 2);
        rig_check(km_cache_count(rig.agent->pods.cache) == 40);
        if (expire == 1)
            rig_check(api.expired > 0);
        compact_at_page = false;
        km_sim_close_all();
        api_delete(API_PODS, "default", "pod-17");
        (void)rig_settle(60000);
        rig_end();
    }
}

/* ---- streams that end ---- */

/* No request of the watches sooner than a second after the one before. */
static void ended_every_second(void **state)
{
    static const int64_t lengths[] = {1, 300, 1000, 3000};

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        unsigned before;

        begin_with_pods();
        api.watch_ms = lengths[i];
        api_end_watches();
        before = api.requests;
        rig_run(10 * RIG_MINUTE);
        rig_check_most(api.requests - before, 2 * 600 + 100);
        change_unseen();
        /* Streams shorter than a second without an event are failures: back-off. */
        rig_run(lengths[i] < 1000 ? 50000 : 3000);
        rig_check(rig_cache_difference() == NULL);
        rig_check(api.went_unknown == 0);
        rig_check_most(rig.log_lines, lengths[i] < 1000 ? 200 : 4);
        api.watch_ms = 0;
        (void)rig_settle(60000);
        rig_end();
    }
}

/* Ends before the bookmark that closes the initial events. */
static enum api_verdict cut_initial(const struct km_sim_request *rq, enum api_call call)
{
    if (!errors_wanted || (call != API_POD_STREAM && call != API_NODE_STREAM))
        return API_SERVE;
    (void)km_sim_http_begin(rq->conn_id, 200, "application/json");
    if (call == API_POD_STREAM)
        (void)km_sim_http_chunk(rq->conn_id,
                                "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"metadata\":{"
                                "\"name\":\"ghost\",\"namespace\":"
                                "\"default\",\"uid\":\"g\",\"resourceVersion\":\"7\"}}}\n");
    (void)km_sim_http_end(rq->conn_id);
    return API_TAKEN;
}

static void ended_before_the_bookmark(void **state)
{
    unsigned before;

    (void)state;
    begin_with_pods();
    errors_wanted = true;
    api.hook = cut_initial;
    km_sim_close_all();
    before = api.requests;
    rig_run(10 * RIG_MINUTE);
    rig_check_most(api.requests - before, 2000);
    rig_check_most(rig.log_lines, 30);
    errors_wanted = false;
    (void)rig_settle(100000);
    rig_end();
}

/* ---- bookmarks ---- */

static void without_bookmarks(void **state)
{
    unsigned before;

    (void)state;
    begin_with_pods();
    api.no_bookmarks = true;
    before = api.requests;
    rig_run(RIG_HOUR);
    /* Each 150 s both streams are dropped and opened again. */
    rig_check_most(api.requests - before, 450 + 2 * 30);
    rig_check(api.went_unknown == 0);
    api.no_bookmarks = false;
    change_unseen();
    (void)rig_settle(60000);
    rig_end();
}

static void bookmarks_only_with_news(void **state)
{
    (void)state;
    begin_with_pods();
    api.precise_bookmarks = true;
    rig_run(RIG_HOUR);
    rig_check(rig.log_lines == 0);
    rig_check(api.went_unknown == 0);
    (void)rig_settle(15000);
    rig_end();
}

/* ---- odd events ---- */

static void odd_events(void **state)
{
    static const char *const lines[] = {
        "{\"type\":\"ADDED\",\"object\":{}}\n",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"x\"}}}\n",
        "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"resourceVersion\":\"9\"}}}\n",
        "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"never-there\",\"namespace\":"
        "\"x\",\"resourceVersion\":\"9\"}}}\n",
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}\n",
        "{\"type\":\"BOOKMARK\",\"object\":null}\n",
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"annotations\":{\"k8s.io/"
        "initial-events-end\":\"true\"},"
        "\"resourceVersion\":\"9\"}}}\n",
        "{}\n",
        "{\"type\":\"STRANGE\",\"object\":{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"9\"}}"
        "}\n",
        "{\"type\":7,\"object\":[]}\n",
        "null\n",
        "[1,2,3]\n",
        "\"text\"\n",
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a/"
        "b\",\"namespace\":\"..\",\"resourceVersion\":\"9\",\"uid\":\"u\","
        "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"}}}\n",
        "\n\n   \n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        begin_with_pods();
        rig.label = lines[i];
        for (int n = 0; n < 4; n++) {
            api_send_raw(API_PODS, lines[i]);
            api_send_raw(API_NODES, lines[i]);
            rig_run(200);
        }
        rig_check_most(rig.log_lines, 14);
        km_sim_close_all();
        change_unseen();
        (void)rig_settle(60000);
        rig_end();
        rig.label = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expired_on_resume),
        cmocka_unit_test(expired_in_the_stream),
        cmocka_unit_test(expired_at_once),
        cmocka_unit_test(restored_store),
        cmocka_unit_test(emptied_store),
        cmocka_unit_test(restored_behind_a_clean_end),
        cmocka_unit_test(restored_during_a_pause),
        cmocka_unit_test(silent_plain_watch),
        cmocka_unit_test(error_events),
        cmocka_unit_test(errors_for_ever),
        cmocka_unit_test(every_list_is_too_old_to_watch),
        cmocka_unit_test(without_streaming_lists),
        cmocka_unit_test(a_refused_list_comes_when_it_was_told),
        cmocka_unit_test(lists_in_pages),
        cmocka_unit_test(ended_every_second),
        cmocka_unit_test(ended_before_the_bookmark),
        cmocka_unit_test(without_bookmarks),
        cmocka_unit_test(bookmarks_only_with_news),
        cmocka_unit_test(odd_events),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
