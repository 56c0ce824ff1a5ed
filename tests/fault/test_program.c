/* SPDX-License-Identifier: Apache-2.0 */
/* A program uses the client in ways that examples do not: calls from inside callbacks, answers that it does not want, its end
   in the middle of everything. */
#include "rig.h"

#include "kubemote/km_typed.h"

static struct km_kubeconfig config;
static struct km_loop loop;
static struct km_client client;
static struct km_lane lane;
static struct km_request requests[3];
static struct km_api_config_map map;
static struct km_schema_node nodes[KM_TYPED_NODES];
static char text[4096];
static struct km_typed typed;

static struct {
    unsigned requests, dones, tries;
    int errs[8], inner;
} seen;

#define STATUS_SUCCESS \
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Success\",\"code\":201}"
#define MAP(name) \
    "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"namespace\":\"a\",\"name\":" \
    "\"" name "\",\"resourceVersion\":\"5\"},\"data\":{\"k\":\"v\"}}"

static void on_request(void *ctx, const struct km_sim_request *rq)
{
    (void)ctx;
    seen.requests++;
    if (strstr(rq->target, "/busy") != NULL)
        (void)km_sim_http_reply_with(rq->conn_id, 429, "Retry-After: 5\r\n", "{}");
    else if (strstr(rq->target, "/silent") != NULL)
        (void)km_sim_http_begin(rq->conn_id, 200, "application/json");
    else if (strstr(rq->target, "/eviction") != NULL || strstr(rq->target, "/odd") != NULL)
        (void)km_sim_http_reply(rq->conn_id, 201, "application/json", STATUS_SUCCESS);
    else
        (void)km_sim_http_reply(rq->conn_id, 200, "application/json", MAP("one"));
}

static void open_client(void)
{
    struct km_fault fault = {0};

    km_loop_init(&loop);
    assert_int_equal(km_client_init(&client, &config, &loop, &fault), KM_OK);
    assert_int_equal(km_lane_init(&lane, &client, "test"), KM_OK);
    loop.now_ms = km_port_now_ms();
}

static int begin(void **state)
{
    (void)state;
    km_sim_reset(1);
    km_sim_poll_limit(UINT64_MAX);
    km_sim_http_listen("10.0.0.1", 6443, on_request, NULL);
    config.port = 6443;
    (void)snprintf(config.host, sizeof config.host, "10.0.0.1");
    (void)snprintf(config.authority, sizeof config.authority, "10.0.0.1:6443");
    (void)snprintf(config.server_name, sizeof config.server_name, "10.0.0.1");
    memset(&lane, 0, sizeof lane);
    memset(requests, 0, sizeof requests);
    memset(&seen, 0, sizeof seen);
    memset(&map, 0, sizeof map);
    typed = (struct km_typed){.type = &km_type_config_map,
                              .client = &client,
                              .lane = &lane,
                              .record = &map,
                              .nodes = nodes,
                              .node_size = KM_TYPED_NODES,
                              .text = text,
                              .text_size = sizeof text};
    open_client();
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(km_client_close(&client), KM_OK);
    assert_int_equal(loop.conn_count, 0);
    return km_sim_leaks();
}

static int refuse(struct km_request *r, struct km_slice bytes)
{
    (void)r;
    (void)bytes;
    return KM_ERR_FULL;
}

static void an_answer_that_is_not_wanted_is_no_failure_of_the_link(void **state)
{
    struct km_request *r = &requests[0];

    (void)state;
    assert_int_equal(km_rest_raw(r, &client, KM_GET, "/x"), KM_OK);
    r->on_bytes = refuse;
    assert_int_equal(km_call(r, &lane), KM_ERR_FULL);
    assert_non_null(strstr(r->fault->text, "given up"));
    assert_int_equal(client.failures.value, 0);
    assert_false(client.link_down);
}

/* The lane's last answer was given up; that the server is gone afterwards is told all the same. */
static void a_failure_of_the_link_after_that_is_one(void **state)
{
    an_answer_that_is_not_wanted_is_no_failure_of_the_link(state);
    (void)snprintf(client.endpoint.host, sizeof client.endpoint.host, "10.0.0.2");
    assert_int_equal(km_rest_raw(&requests[0], &client, KM_GET, "/x"), KM_OK);
    assert_true(km_err_is_link(km_call(&requests[0], &lane)));
    assert_int_equal(client.failures.value, 1);
}

static int from_inside(struct km_request *r, struct km_slice bytes)
{
    (void)bytes;
    seen.tries++;
    km_loop_turn(&loop, 1000);
    km_loop_pause(&loop, 1000);
    assert_int_equal(km_client_close(&client), KM_ERR_REENTRANT);
    assert_int_equal(km_typed_get(&typed, "a", "one", NULL, NULL), KM_ERR_REENTRANT);
    assert_int_equal(km_rest_raw(&requests[1], &client, KM_GET, "/x"), KM_OK);
    assert_int_equal(km_call(&requests[1], &lane), KM_ERR_REENTRANT);
    assert_true(km_request_busy(r));
    return KM_OK;
}

static void calls_that_block_are_refused_inside_callbacks(void **state)
{
    struct km_request *r = &requests[0];

    (void)state;
    assert_int_equal(km_rest_raw(r, &client, KM_GET, "/x"), KM_OK);
    r->on_bytes = from_inside;
    assert_int_equal(km_call(r, &lane), KM_OK);
    assert_int_equal(seen.tries, 1);
    assert_int_equal(seen.requests, 1);
}

static void note(struct km_request *r, int err)
{
    (void)r;
    seen.errs[seen.dones++] = err;
}

/* One waits for its next attempt, one is under way, one waits for the lane. */
static void the_end_ends_requests_wherever_they_are(void **state)
{
    static const char *const paths[] = {"/busy", "/silent", "/x"};
    unsigned counters = 0;

    for (const struct km_counter *c = km_counter_first(); c != NULL; c = c->next)
        counters++;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(km_rest_raw(&requests[i], &client, KM_GET, paths[i]), KM_OK);
        requests[i].retries = 3;
        requests[i].on_done = note;
        assert_int_equal(km_request_send(&requests[i], &lane), KM_OK);
    }
    km_loop_pause(&loop, 1000);
    assert_int_equal(seen.requests, 2);
    assert_int_equal(seen.dones, 0);
    assert_int_equal(end(state), 0);
    assert_int_equal(seen.dones, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen.errs[i], KM_ERR_CANCELED);
        assert_string_equal(requests[i].fault->text, "given up by us");
    }
    assert_int_equal(km_timers_next(&loop.timers), KM_NEVER);
    open_client();
    for (const struct km_counter *c = km_counter_first(); c != NULL; c = c->next)
        counters--;
    assert_int_equal(counters, 0);
    assert_int_equal(km_call(&requests[2], &lane), KM_OK);
}

static void a_status_will_do_where_no_object_is_meant(void **state)
{
    (void)state;
    (void)snprintf(map.ns, sizeof map.ns, "a");
    (void)snprintf(map.name, sizeof map.name, "mine");
    assert_int_equal(km_typed_create(&typed, "eviction", NULL), KM_OK);
    assert_string_equal(map.name, "mine");
    assert_int_equal(km_typed_get(&typed, "a", "odd", NULL, NULL), KM_ERR_SYNTAX);
    assert_int_equal(km_typed_get(&typed, "a", "one", NULL, NULL), KM_OK);
    assert_string_equal(map.data[0].value, "v");
}

static void then_update(struct km_typed *t, int err)
{
    seen.errs[seen.dones++] = err;
    if (seen.dones == 1)
        seen.inner = km_typed_update(t, NULL, NULL);
}

static void one_call_follows_another_without_blocking(void **state)
{
    (void)state;
    typed.on_done = then_update;
    assert_int_equal(km_typed_get(&typed, "a", "one", NULL, NULL), KM_OK);
    assert_int_equal(km_typed_get(&typed, "a", "one", NULL, NULL), KM_ERR_ARG);
    assert_int_equal(seen.dones, 0);
    km_loop_pause(&loop, 1000);
    assert_int_equal(seen.inner, KM_OK);
    assert_int_equal(seen.dones, 2);
    assert_int_equal(seen.requests, 2);
    assert_int_equal(seen.errs[0], KM_OK);
    assert_int_equal(seen.errs[1], KM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_that_is_not_wanted_is_no_failure_of_the_link,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_failure_of_the_link_after_that_is_one, begin, end),
        cmocka_unit_test_setup_teardown(calls_that_block_are_refused_inside_callbacks, begin, end),
        cmocka_unit_test_setup_teardown(the_end_ends_requests_wherever_they_are, begin, end),
        cmocka_unit_test_setup_teardown(a_status_will_do_where_no_object_is_meant, begin, end),
        cmocka_unit_test_setup_teardown(one_call_follows_another_without_blocking, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
