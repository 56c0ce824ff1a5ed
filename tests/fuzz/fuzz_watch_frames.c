/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shared informer on the simulated port against a server that answers what the input says: watch events whole, broken,
 * out of order or none, lists, errors, links cut. Input: one byte for the size of the pieces, then one after another
 *
 *     0 name version   ADDED             4 code           ERROR
 *     1 name version   MODIFIED          5 length bytes   these bytes
 *     2 name version   DELETED           6                the answer ends in order
 *     3 version        BOOKMARK          7 choice         the link is cut, the whole answer is an error, or a list
 *
 * (of each first byte the lower three bits count). What must hold, whatever is sent: a handler's adds, updates and deletes
 * fit together, old versions are those that it was told; what it was told is what the store holds, and the index with it;
 * the pieces in which the bytes came make no difference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_informer.h"
#include "kubemote/km_json_table.h"
#include "port/sim/km_sim.h"
#include "port/sim/km_sim_http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOTS 5
#define NAMES 8
#define ANSWERS_MAX 12
#define RUN_MS 400000
#define ANSWER_BYTES 32768
#define RV_SIZE 32
#define PIECES 40 /* of an answer; the simulated link carries no more */

#define THING_FIELDS(S, I, B, R, A, M) KM_META_FIELDS(S) R(labels, "/metadata/labels", 64)
KM_KIND_STRUCT(thing, THING_FIELDS)
KM_KIND_TABLE(thing, "thing", THING_FIELDS)

KM_SHARED_DEFINE(things, struct km_thing, SLOTS, KM_KEY_SIZE, NULL, NULL);
KM_INDEX_NAMESPACE_DEFINE(by_namespace, SLOTS);

static const struct km_resource resource = {"example.io", "v1", "things"};
static struct km_loop loop;
static struct km_client client;
static struct km_lane lane;
static struct km_kubeconfig kubeconfig;
static struct km_rng rng;
static struct km_schema_node event_nodes[CONFIG_KM_JSON_NODE_COUNT],
    list_nodes[CONFIG_KM_JSON_NODE_COUNT];
static struct km_handler handler;

/* ---- the input ---- */

static const uint8_t *at, *input_end;
static size_t piece;
static unsigned answers;

static uint8_t take(void)
{
    return at < input_end ? *at++ : 0;
}

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* ---- the server ---- */

static char body[ANSWER_BYTES];
static size_t body_len;

static void put(const char *text)
{
    size_t len = strlen(text);

    if (len < sizeof body - body_len) {
        memcpy(body + body_len, text, len);
        body_len += len;
    }
}

static void put_object(const char *kind, uint8_t name, uint8_t version)
{
    char text[512];

    (void)snprintf(
        text, sizeof text,
        "%s{\"kind\":\"Thing\",\"metadata\":{\"name\":\"%c\",\"namespace\":\"n%u\",\"uid\":\"u%u\","
        "\"resourceVersion\":\"%u\",\"labels\":{\"app\":\"%c\"},\"managedFields\":[{\"f\":{\".\":{}"
        ","
        "\"k:{\\\"x\\\":1}\":[1,true,null]}}]},\"spec\":{\"a\":[{}]}}",
        kind, 'a' + name % NAMES, name % 2u, version >> 4, version, 'x' + name % 3);
    put(text);
}

static void put_event(const char *type, uint8_t name, uint8_t version)
{
    char start[64];

    (void)snprintf(start, sizeof start, "{\"type\":\"%s\",\"object\":", type);
    put_object(start, name, version);
    put("}\n");
}

static void put_bookmark(uint8_t version)
{
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Thing\",\"metadata\":{"
                   "\"resourceVersion\":\"%u\"%s}}}\n",
                   version >> 1,
                   version & 1 ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "");
    put(text);
}

static void put_status(uint8_t choice)
{
    static const struct {
        int code;
        const char *reason, *more;
    } kinds[] = {
        {410, "Expired", ""},
        {410, "Gone", ""},
        {504, "Timeout", ",\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\"}]}"},
        {429, "TooManyRequests", ",\"details\":{\"retryAfterSeconds\":2}"},
        {500, "InternalError", ""},
        {403, "Forbidden", ""},
        {422, "Invalid", ""},
        {503, "ServiceUnavailable", ""}};
    char text[256];

    (void)snprintf(text, sizeof text,
                   "{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":%d,\"reason\":\"%s\"%s}",
                   kinds[choice % 8].code, kinds[choice % 8].reason, kinds[choice % 8].more);
    put(text);
}

static void send_body(int conn_id)
{
    size_t most = piece > body_len / PIECES ? piece : body_len / PIECES + 1;

    for (size_t sent = 0, len; sent < body_len; sent += len) {
        char text[ANSWER_BYTES];

        len = body_len - sent < most ? body_len - sent : most;
        memcpy(text, body + sent, len);
        text[len] = '\0';
        /* A text with a NUL is sent up to it, in whatever pieces: then the rest of it is not. */
        if (strlen(text) < len) {
            (void)km_sim_http_chunk(conn_id, text);
            return;
        }
        (void)km_sim_http_chunk(conn_id, text);
    }
}

static void answer_list(int conn_id, uint8_t choice)
{
    body_len = 0;
    put("{\"kind\":\"ThingList\",\"metadata\":{\"resourceVersion\":\"7\"");
    put(choice & 16 ? ",\"continue\":\"more\"},\"items\":[" : "},\"items\":[");
    for (uint8_t i = 0; i < choice % 4; i++)
        put_object(i > 0 ? "," : "", take(), take());
    put("]}");
    body[body_len] = '\0';
    (void)km_sim_http_reply(conn_id, 200, "application/json", body);
}

static void answer_error(int conn_id, uint8_t choice)
{
    static const int codes[] = {410, 422, 429, 500, 503, 404, 401, 504};

    body_len = 0;
    put_status(choice);
    body[body_len] = '\0';
    (void)km_sim_http_reply(conn_id, codes[choice % 8], "application/json", body);
}

/* One answer. What is left when the input is at its end: a stream without a word. */
static void serve(void *ctx, const struct km_sim_request *rq)
{
    uint8_t op, choice;

    (void)ctx;
    body_len = 0;
    if (++answers > ANSWERS_MAX)
        at = input_end;
    while (at < input_end) {
        op = take() & 7;
        if (op < 3) {
            static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
            uint8_t name = take();

            put_event(types[op], name, take());
        } else if (op == 3) {
            put_bookmark(take());
        } else if (op == 4) {
            put("{\"type\":\"ERROR\",\"object\":");
            put_status(take());
            put("}\n");
        } else if (op == 5) {
            for (uint8_t n = take(); n > 0 && at < input_end; n--) {
                char byte[2] = {(char)*at++};

                put(byte);
            }
        } else if (op == 7 && body_len == 0 && ((choice = take()) & 3) != 0) {
            if (choice & 1)
                answer_list(rq->conn_id, choice >> 2);
            else
                answer_error(rq->conn_id, choice >> 2);
            return;
        } else {
            (void)km_sim_http_begin(rq->conn_id, 200, "application/json");
            send_body(rq->conn_id);
            (void)(op == 6 ? km_sim_http_end(rq->conn_id) : km_sim_fin(rq->conn_id));
            return;
        }
    }
    (void)km_sim_http_begin(rq->conn_id, 200, "application/json");
    send_body(rq->conn_id);
}

/* ---- the handler's picture ---- */

struct picture {
    char rv[2][NAMES][RV_SIZE]; /* by namespace and name; "" = not there */
    unsigned others;            /* objects that only raw bytes can name */
    uint32_t hash;              /* of all calls */
};

static struct picture pictures[2], *picture;

static void note(const char *what, const struct km_thing *thing)
{
    for (const char *p = what; *p != '\0'; p++)
        picture->hash = (picture->hash ^ (unsigned char)*p) * 16777619u;
    for (const char *p = thing->name; *p != '\0'; p++)
        picture->hash = (picture->hash ^ (unsigned char)*p) * 16777619u;
    for (const char *p = thing->rv; *p != '\0'; p++)
        picture->hash = (picture->hash ^ (unsigned char)*p) * 16777619u;
}

/* Where its version stands; NULL for objects that only raw bytes can name. */
static char *place_of(const struct km_thing *thing)
{
    bool ours = thing->name[0] >= 'a' && thing->name[0] < 'a' + NAMES && thing->name[1] == '\0' &&
                thing->ns[0] == 'n' && (thing->ns[1] == '0' || thing->ns[1] == '1') &&
                thing->ns[2] == '\0';

    return ours ? picture->rv[thing->ns[1] - '0'][thing->name[0] - 'a'] : NULL;
}

static void on_add(void *ctx, uint16_t slot, const void *now, bool initial)
{
    const struct km_thing *thing = now;
    char *rv = place_of(thing);

    (void)ctx;
    check(slot < SLOTS);
    note(initial ? "first" : "add", thing);
    if (rv == NULL) {
        picture->others++;
        return;
    }
    check(rv[0] == '\0');
    memcpy(rv, thing->rv, RV_SIZE);
}

static void on_update(void *ctx, uint16_t slot, const void *old, const void *now)
{
    const struct km_thing *before = old, *thing = now;
    char *rv = place_of(thing);

    (void)ctx;
    check(slot < SLOTS && strcmp(before->name, thing->name) == 0 &&
          strcmp(before->ns, thing->ns) == 0);
    note("update", thing);
    if (rv == NULL)
        return;
    check(rv[0] != '\0' && strcmp(rv, before->rv) == 0);
    memcpy(rv, thing->rv, RV_SIZE);
}

static void on_delete(void *ctx, uint16_t slot, const void *last, bool tombstone)
{
    const struct km_thing *thing = last;
    char *rv = place_of(thing);

    (void)ctx;
    note(tombstone ? "gone" : "delete", thing);
    if (rv == NULL) {
        picture->others -= slot != KM_NO_SLOT;
        return;
    }
    check((slot == KM_NO_SLOT) == (rv[0] == '\0'));
    check(!tombstone || strcmp(rv, thing->rv) == 0);
    rv[0] = '\0';
}

/* What is new in a list is told at its end. */
static void check_picture(void)
{
    struct km_cache *cache = things.store->cache;
    uint16_t slots[SLOTS];
    unsigned told = picture->others, untold = 0, indexed = 0;

    if (!handler.synced)
        return;
    for (uint16_t slot = 0; slot < SLOTS; slot++)
        untold += km_bit_get(things.untold, slot) && km_cache_get(cache, slot) != NULL;
    check(untold == 0 || things.replacing);
    for (int ns = 0; ns < 2; ns++) {
        char value[] = {'n', (char)('0' + ns), '\0'};

        for (int name = 0; name < NAMES; name++) {
            char key[] = {'n', (char)('0' + ns), '/', (char)('a' + name), '\0'};
            const char *rv = picture->rv[ns][name];
            const struct km_thing *thing;
            uint16_t slot;

            told += rv[0] != '\0';
            if (km_cache_find(cache, km_slice_of(key), &slot) != KM_OK) {
                check(rv[0] == '\0');
                continue;
            }
            thing = km_cache_get(cache, slot);
            check(strcmp(km_bit_get(things.untold, slot) ? "" : thing->rv, rv) == 0);
        }
        indexed += (unsigned)km_index_keys(&by_namespace, km_slice_of(value), slots, SLOTS);
    }
    check(told + untold == km_cache_count(cache) && indexed <= km_cache_count(cache));
}

/* ---- a run ---- */

static void set_up(void)
{
    struct km_fault fault = {0};
    struct km_reflector *r = &things.reflector;
    struct km_store *store = things.store;
    uint32_t *untold = things.untold;

    memset(&client, 0, sizeof client);
    memset(&lane, 0, sizeof lane);
    memset(&things, 0, sizeof things);
    memset(untold, 0, sizeof untold[0] * KM_BITMAP_WORDS(SLOTS));
    things.store = store;
    things.untold = untold;
    kubeconfig.port = 80;
    (void)snprintf(kubeconfig.host, sizeof kubeconfig.host, "10.0.0.1");
    (void)snprintf(kubeconfig.authority, sizeof kubeconfig.authority, "10.0.0.1:80");
    (void)snprintf(kubeconfig.server_name, sizeof kubeconfig.server_name, "10.0.0.1");
    km_rng_seed(&rng, 1);
    km_loop_init(&loop);
    check(km_client_init(&client, &kubeconfig, &loop, &fault) == KM_OK);
    check(km_lane_init(&lane, &client, "watch") == KM_OK);
    r->name = "things";
    r->resource = &resource;
    r->kind = &km_kind_thing;
    r->lane = &lane;
    r->client = &client;
    r->event_nodes = event_nodes;
    r->list_nodes = list_nodes;
    r->rng = &rng;
    check(km_shared_init(&things, 1, &fault) == KM_OK);
    check(km_store_add_index(things.store, &by_namespace) == KM_OK);
    handler = (struct km_handler){.on_add = on_add, .on_update = on_update, .on_delete = on_delete};
    check(km_shared_add(&things, &handler) == KM_OK);
}

static void play(const uint8_t *data, size_t size, size_t piece_size)
{
    int64_t until_ms;

    km_sim_reset(1);
    km_sim_http_listen("*", 80, serve, NULL);
    at = data;
    input_end = data + size;
    piece = piece_size;
    answers = 0;
    *picture = (struct picture){.hash = 2166136261u};
    set_up();
    loop.now_ms = km_port_now_ms();
    km_shared_start(&things);
    until_ms = loop.now_ms + RUN_MS;
    while (loop.now_ms < until_ms && (at < input_end || !km_reflector_live(&things.reflector)))
        km_loop_turn(&loop, until_ms - loop.now_ms);
    km_loop_turn(&loop, 2000);
    check_picture();
    km_shared_stop(&things);
    km_client_suspect(&client, "the run is over");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    picture = &pictures[0];
    play(data + 1, size - 1, ANSWER_BYTES - 1);
    picture = &pictures[1];
    play(data + 1, size - 1, 1 + data[0] % 61u);
    check(memcmp(&pictures[0], &pictures[1], sizeof pictures[0]) == 0);
    return 0;
}
