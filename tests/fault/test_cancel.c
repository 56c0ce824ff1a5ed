/* SPDX-License-Identifier: Apache-2.0 */
/* A program gives a request up, or stops or asks its informer, in the middle of what the request brings. */
#include "rig.h"

#include "kubemote/km_control.h"
#include "kubemote/km_rest.h"

static struct km_kubeconfig config;
static struct km_loop loop;
static struct km_client client;
static struct km_lane lane;
static struct km_schema schema;
static struct km_schema_node nodes[CONFIG_KM_JSON_NODE_COUNT],
    list_nodes[CONFIG_KM_JSON_NODE_COUNT];
static struct km_request request;
static const struct km_schema_part parts[] = {{"", &km_kind_meta}};

static struct {
    unsigned requests, texts, dones;
    int err;
    bool again; /* on_done sends the request once more */
} seen;

#define OBJECT(name) \
    "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"namespace\":\"a\",\"name\":" \
    "\"" name "\",\"resourceVersion\":\"5\"}}"
#define LIST_END \
    "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"," \
    "\"metadata\":" \
    "{\"resourceVersion\":\"9\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define ADDED(name) "{\"type\":\"ADDED\",\"object\":" OBJECT(name) "}\n"

/* All in one piece, so that one read of the client brings it all. */
static void on_request(void *ctx, const struct km_sim_request *rq)
{
    (void)ctx;
    seen.requests++;
    (void)km_sim_http_begin(rq->conn_id, 200, "application/json");
    if (strstr(rq->target, "watch=true") == NULL)
        (void)km_sim_http_chunk(rq->conn_id, OBJECT("one") OBJECT("two") OBJECT("three"));
    else
        (void)km_sim_http_chunk(rq->conn_id, ADDED("one") ADDED("two") ADDED("three") LIST_END);
}

static void begin(void)
{
    struct km_fault fault = {0};

    km_sim_reset(1);
    km_sim_poll_limit(UINT64_MAX);
    km_sim_http_listen("10.0.0.1", 6443, on_request, NULL);
    config.port = 6443;
    (void)snprintf(config.host, sizeof config.host, "10.0.0.1");
    (void)snprintf(config.authority, sizeof config.authority, "10.0.0.1:6443");
    (void)snprintf(config.server_name, sizeof config.server_name, "10.0.0.1");
    memset(&client, 0, sizeof client);
    memset(&lane, 0, sizeof lane);
    memset(&request, 0, sizeof request);
    memset(&seen, 0, sizeof seen);
    km_loop_init(&loop);
    assert_int_equal(km_client_init(&client, &config, &loop, &fault), KM_OK);
    assert_int_equal(km_lane_init(&lane, &client, "test"), KM_OK);
    assert_int_equal(km_schema_init(&schema, parts, 1, NULL, nodes, CONFIG_KM_JSON_NODE_COUNT),
                     KM_OK);
    loop.now_ms = km_port_now_ms();
}

static void run(int64_t ms)
{
    km_loop_pause(&loop, ms);
}

static void end(void)
{
    assert_true(lane.active == NULL && lane.waiting == NULL);
    km_conn_abort(&lane.conn, KM_ERR_CANCELED, "the test ends", loop.now_ms);
    assert_int_equal(km_sim_leaks(), 0);
}

static int on_text(struct km_request *r, bool item, struct km_slice text, bool overflow)
{
    (void)item;
    (void)text;
    (void)overflow;
    seen.texts++;
    km_request_cancel(r);
    return KM_OK;
}

static int on_bytes(struct km_request *r, struct km_slice bytes)
{
    return on_text(r, false, bytes, false);
}

static void on_done(struct km_request *r, int err)
{
    seen.dones++;
    seen.err = err;
    if (seen.again)
        assert_int_equal(km_request_send(r, &lane), KM_OK);
    seen.again = false;
}

static void send_request(bool raw)
{
    assert_int_equal(km_rest_raw(&request, &client, KM_GET, "/objects"), KM_OK);
    request.stream = true;
    request.schema = raw ? NULL : &schema;
    request.on_text = on_text;
    request.on_bytes = on_bytes;
    request.on_done = on_done;
    assert_int_equal(km_request_send(&request, &lane), KM_OK);
}

static void from_within_an_object(void **state)
{
    (void)state;
    for (int raw = 0; raw < 2; raw++) {
        begin();
        send_request(raw != 0);
        run(1000);
        assert_int_equal(seen.texts, 1);
        assert_int_equal(seen.dones, 1);
        assert_int_equal(seen.err, KM_ERR_CANCELED);
        assert_false(km_request_busy(&request));
        end();
    }
}

/* The new request must not be told the objects of the old one. */
static void and_sent_again_at_once(void **state)
{
    (void)state;
    for (int raw = 0; raw < 2; raw++) {
        begin();
        seen.again = true;
        send_request(raw != 0);
        run(1000);
        assert_int_equal(seen.requests, 2);
        assert_int_equal(seen.texts, 2);
        assert_int_equal(seen.dones, 2);
        end();
    }
}

/* ---- an informer that its handler stops ---- */

KM_CACHE_DEFINE(cache, struct km_meta, 8, 254 + 64 + 1);
static struct km_informer informer;

static void on_change(void *ctx, enum km_change change, uint16_t slot, const void *old,
                      const void *now)
{
    (void)ctx;
    (void)change;
    (void)slot;
    (void)old;
    (void)now;
    seen.texts++;
    km_informer_stop(&informer);
}

/* What a program asks that waits for several informers. */
static void on_synced(void *ctx)
{
    (void)ctx;
    assert_int_equal(seen.texts, 3);
    assert_true(km_informer_synced(&informer));
    seen.dones++;
}

static void count_change(void *ctx, enum km_change change, uint16_t slot, const void *old,
                         const void *now)
{
    (void)ctx;
    (void)change;
    (void)slot;
    (void)old;
    (void)now;
    assert_false(km_informer_synced(&informer));
    seen.texts++;
}

static void begin_informer(void)
{
    static const struct km_resource things = {"", "v1", "configmaps"};
    static struct km_rng rng;
    struct km_fault fault = {0};

    begin();
    km_rng_seed(&rng, 7);
    memset(&informer, 0, sizeof informer);
    informer.reflector = (struct km_reflector){.name = "things",
                                               .resource = &things,
                                               .kind = &km_kind_meta,
                                               .lane = &lane,
                                               .client = &client,
                                               .event_nodes = nodes,
                                               .list_nodes = list_nodes,
                                               .rng = &rng};
    informer.cache = &cache;
    assert_int_equal(km_informer_init(&informer, 1, &fault), KM_OK);
}

static void informer_stopped_by_its_handler(void **state)
{
    (void)state;
    begin_informer();
    informer.on_change = on_change;
    km_informer_start(&informer);
    run(RIG_MINUTE);
    assert_int_equal(seen.texts, 1);
    assert_int_equal(seen.requests, 1);
    end();
}

static void informer_is_synced_when_it_says_so(void **state)
{
    (void)state;
    begin_informer();
    informer.on_change = count_change;
    informer.on_synced = on_synced;
    km_informer_start(&informer);
    run(1000);
    assert_int_equal(seen.dones, 1);
    km_informer_stop(&informer);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_within_an_object),
        cmocka_unit_test(and_sent_again_at_once),
        cmocka_unit_test(informer_stopped_by_its_handler),
        cmocka_unit_test(informer_is_synced_when_it_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
