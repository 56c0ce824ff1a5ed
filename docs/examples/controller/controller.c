/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole controller: keeps a ConfigMap in step with each Greeting (example.com/v1, see README.md). The ConfigMap has the
 * Greeting's name, its spec.text under data.text, and the Greeting as its owner, so that it goes when the Greeting goes.
 *
 *   example-controller KUBECONFIG
 */
#include <string.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_log.h"
#include "kubemote/km_log_sink.h"
#include "kubemote/km_meta.h"
#include "kubemote/km_rest.h"

#define GREETINGS 32
#define CONFIG_MAPS 64
#define KEY_BYTES (64 + 1 + 254)

/* What is kept of each object: the rest of it is never stored. */
#define KM_GREETING_FIELDS(S, I, B, R, A, M) \
    KM_META_FIELDS(S) KM_META_GENERATION(I) S(text, "/spec/text", 256)
KM_KIND_STRUCT(greeting, KM_GREETING_FIELDS)
KM_KIND_TABLE(greeting, "Greeting", KM_GREETING_FIELDS)

#define KM_CONFIG_MAP_FIELDS(S, I, B, R, A, M) KM_META_FIELDS(S) S(text, "/data/text", 256)
KM_KIND_STRUCT(config_map, KM_CONFIG_MAP_FIELDS)
KM_KIND_TABLE(config_map, "ConfigMap", KM_CONFIG_MAP_FIELDS)

static const struct km_resource greetings = {"example.com", "v1", "greetings"};
static const struct km_resource config_maps = {"", "v1", "configmaps"};

KM_CACHE_DEFINE(greeting_cache, struct km_greeting, GREETINGS, KEY_BYTES);
KM_CACHE_DEFINE(config_map_cache, struct km_config_map, CONFIG_MAPS, KEY_BYTES);
KM_QUEUE_DEFINE(queue, GREETINGS, 5, 1000000);

static struct km_kubeconfig kubeconfig;
static struct km_loop loop;
static struct km_client client;
static struct km_lane lanes[3];
static struct km_informer informers[2];
static struct km_schema_node nodes[4][CONFIG_KM_JSON_NODE_COUNT];
static struct km_rng rng;
static struct km_under_way place;
static struct km_controller controller;
static struct km_request request; /* one worker, one request */
static char body_data[1024];

/* ---- reconcile ---- */

static void on_done(struct km_request *r, int err)
{
    /* Another hand was faster: the watch will tell, and the key comes again. */
    bool stale = err == KM_ERR_STATUS &&
                 (km_status_is_already_exists(r->status) || km_status_is_conflict(r->status) ||
                  (r->method == KM_PATCH && km_status_is_not_found(r->status)));
    bool hopeless = err == KM_ERR_STATUS && km_status_is_invalid(r->status);
    km_controller_finish(&controller, place.key,
                         err == KM_OK || stale ? KM_DONE
                         : hopeless            ? KM_FATAL
                                               : KM_BACK_OFF,
                         0);
}

static int write_body(struct km_buf *body, const struct km_greeting *g,
                      const struct km_config_map *old)
{
    const struct km_owner_ref owner = {"example.com/v1", "Greeting", g->name, g->uid, true, false};
    struct km_json_writer w;
    km_json_writer_init(&w, body);
    km_json_object(&w);
    km_json_key(&w, "metadata");
    km_json_object(&w);
    km_json_kv_str(&w, "name", g->name);
    if (old != NULL) {
        km_json_kv_str(&w, "resourceVersion", old->rv);
    } else {
        km_json_key(&w, "ownerReferences");
        km_json_array(&w);
        km_owner_write(&w, &owner);
        km_json_close(&w);
    }
    km_json_close(&w);
    km_json_key(&w, "data");
    km_json_object(&w);
    km_json_kv_str(&w, "text", g->text);
    km_json_close(&w);
    km_json_close(&w);
    return km_json_finish(&w);
}

static const struct km_config_map *find_config_map(const struct km_greeting *g)
{
    char text[KEY_BYTES];
    struct km_buf key;
    uint16_t slot;
    km_buf_init(&key, text, sizeof text);
    km_buf_printf(&key, "%s/%s", g->ns, g->name);
    bool found = km_cache_find(&config_map_cache, km_buf_slice(&key), &slot) == KM_OK;
    return found ? km_cache_get(&config_map_cache, slot) : NULL;
}

static void reconcile(void *ctx, uint16_t key)
{
    const struct km_greeting *g = km_cache_get(&greeting_cache, key);
    const struct km_config_map *have = g == NULL ? NULL : find_config_map(g);
    struct km_buf body;
    (void)ctx;
    if (g == NULL || (have != NULL && strcmp(have->text, g->text) == 0)) {
        km_controller_finish(&controller, key, KM_DONE, 0);
        return;
    }
    km_buf_init(&body, body_data, sizeof body_data);
    int err = write_body(&body, g, have);
    if (err == KM_OK && have == NULL)
        err = km_rest_create(&request, &client, &config_maps, g->ns, NULL, NULL,
                             km_buf_slice(&body), NULL);
    else if (err == KM_OK)
        err = km_rest_patch(&request, &client, &config_maps, g->ns, g->name, NULL, KM_TYPE_MERGE,
                            km_buf_slice(&body), NULL);
    if (err != KM_OK || km_request_send(&request, &lanes[0]) != KM_OK)
        km_controller_finish(&controller, key, KM_FATAL, 0);
}

static void on_late(void *ctx, uint16_t key)
{
    (void)ctx, (void)key;
    km_request_cancel(&request); /* on_done finishes the key */
}

/* ---- what changes puts keys on the queue ---- */

static void wake(void)
{
    /* Before both pictures are whole, what is missing may only not have come yet. */
    if (km_informer_synced(&informers[0]) && km_informer_synced(&informers[1]))
        km_controller_wake(&controller);
}

static void on_greeting(void *ctx, enum km_change change, uint16_t slot, const void *old,
                        const void *now)
{
    const struct km_greeting *was = old, *is = now;
    (void)ctx;
    if (change != KM_UPDATED || strcmp(was->uid, is->uid) != 0 ||
        km_generation_changed(change, was->generation, is->generation))
        (void)km_queue_add(&queue, slot);
    wake();
}

static void on_config_map(void *ctx, enum km_change change, uint16_t slot, const void *old,
                          const void *now)
{
    const struct km_object *object = change == KM_DELETED ? old : now;
    char text[KEY_BYTES];
    struct km_buf key;
    uint16_t greeting;
    (void)ctx, (void)slot;
    km_buf_init(&key, text, sizeof text);
    km_buf_printf(&key, "%s/%s", object->ns, object->name);
    if (km_cache_find(&greeting_cache, km_buf_slice(&key), &greeting) == KM_OK)
        (void)km_queue_add(&queue, greeting);
    wake();
}

static void on_synced(void *ctx)
{
    (void)ctx;
    wake();
}

/* ---- set-up ---- */

static int watch(int i, const struct km_resource *what, const struct km_kind *kind,
                 struct km_cache *cache, struct km_fault *fault)
{
    struct km_reflector *r = &informers[i].reflector;
    r->name = what->plural;
    r->resource = what;
    r->kind = kind;
    r->lane = &lanes[i + 1];
    r->client = &client;
    r->event_nodes = nodes[2 * i];
    r->list_nodes = nodes[2 * i + 1];
    r->rng = &rng;
    informers[i].cache = cache;
    informers[i].on_change = i == 0 ? on_greeting : on_config_map;
    informers[i].on_synced = on_synced;
    return km_informer_init(&informers[i], km_rng_u32(&rng), fault);
}

static int set_up(const char *path, struct km_fault *fault)
{
    const struct km_kubeconfig_options where = {.path = path};
    int err = km_kubeconfig_load(&where, &kubeconfig, fault);
    if (err == KM_OK)
        err = km_client_tls(&kubeconfig, fault);
    km_loop_init(&loop);
    km_rng_seed(&rng, (uint64_t)km_port_wall_us());
    if (err == KM_OK)
        err = km_client_init(&client, &kubeconfig, &loop, fault);
    for (int i = 0; err == KM_OK && i < 3; i++)
        err = km_lane_init(&lanes[i], &client, i == 0 ? "writes" : i == 1 ? "greetings" : "maps");
    controller = (struct km_controller){.name = "greetings",
                                        .queue = &queue,
                                        .loop = &loop,
                                        .workers = 1,
                                        .reconcile = reconcile,
                                        .places = &place,
                                        .deadline_ms = 30000,
                                        .on_late = on_late};
    km_controller_init(&controller);
    request.on_done = on_done;
    request.timeout_ms = 10000;
    if (err == KM_OK)
        err = watch(0, &greetings, &km_kind_greeting, &greeting_cache, fault);
    return err == KM_OK ? watch(1, &config_maps, &km_kind_config_map, &config_map_cache, fault)
                        : err;
}

int main(int argc, char **argv)
{
    struct km_fault fault = {0};
    km_log_text_init(2, 2);
    km_port_signals();
    if (set_up(argc > 1 ? argv[1] : NULL, &fault) != KM_OK) {
        KM_ERROR("Can't start", fault.text, KM_S("program", argv[0]));
        return 1;
    }
    km_informer_start(&informers[0]);
    km_informer_start(&informers[1]);
    while (!km_port_stop_requested())
        km_loop_turn(&loop, -1);
    km_controller_shutdown(&controller);
    while (!km_controller_idle(&controller))
        km_loop_turn(&loop, 1000);
    return 0;
}
