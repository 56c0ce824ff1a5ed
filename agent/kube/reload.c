/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys in files, read again when they change, as client-go does. */

#include "kube_priv.h"
#include "kubemote/km_log.h"

#define CHECK_MS 300000
#define RECHECK_MS 1000 /* before a handshake */
/* After files that can't be used: of a pair one may have been written and the other not yet. */
#define AGAIN_MS 10000

void kube_reload_init(struct km_client *client)
{
    client->creds_reloads.name = "kubemote_credentials_reloaded_total";
    km_counter_register(&client->creds_reloads);
    client->creds_checked_ms = km_port_now_ms();
    client->creds_next_ms = client->creds_checked_ms + CHECK_MS;
}

/* FNV-1a, with the lengths. */
static uint64_t add_hash(uint64_t hash, struct km_slice text)
{
    hash = (hash ^ text.len) * 0x100000001b3u;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * 0x100000001b3u;
    return hash;
}

uint64_t kube_fingerprint(const struct km_tls_creds *creds)
{
    uint64_t hash = add_hash(0xcbf29ce484222325u, creds->ca);
    return add_hash(add_hash(hash, creds->cert), creds->key);
}

bool kube_reload_needs_key(const struct km_kubeconfig *config)
{
    return config->ca_file[0] != '\0' && config->key_file[0] == '\0';
}

/* The file's text, put behind what the store holds. */
static int read_file(const struct km_kubeconfig *config, size_t *used, char *store,
                     const char *path, struct km_slice *out)
{
    size_t space = sizeof config->store - *used;
    int len = space > 0 ? km_port_file_read(path, store + *used, space) : KM_ERR_TOO_LONG;
    if (len <= 0)
        return len < 0 ? len : KM_ERR_SYNTAX;
    *out = (struct km_slice){store + *used, (size_t)len};
    *used += (size_t)len + 1;
    return KM_OK;
}

static int read_files(struct km_kubeconfig *config, struct km_tls_creds *creds)
{
    size_t used = config->store_len;
    int err = KM_OK;
    *creds = (struct km_tls_creds){.ca = config->ca, .cert = config->cert, .key = config->key};
    if (config->ca_file[0] != '\0')
        err = read_file(config, &used, config->store, config->ca_file, &creds->ca);
    if (err == KM_OK && config->cert_file[0] != '\0' && config->key_file[0] != '\0') {
        err = read_file(config, &used, config->store, config->cert_file, &creds->cert);
        if (err == KM_OK)
            err = read_file(config, &used, config->store, config->key_file, &creds->key);
    }
    return err;
}

static bool is_watched(const struct km_kubeconfig *config)
{
    return config->tls && (config->ca_file[0] != '\0' ||
                           (config->cert_file[0] != '\0' && config->key_file[0] != '\0'));
}

/* ---- connections of the old credentials ---- */

static void on_drop(void *ctx, int64_t now_ms)
{
    struct km_client *client = ctx;
    for (uint16_t i = 0; i < client->lane_count; i++) {
        struct km_lane *lane = client->lanes[i];
        if (!lane->drop || lane->active == NULL || !lane->active->stream)
            continue;
        lane->drop = false;
        km_conn_abort(&lane->conn, KM_ERR_RESET, "the credentials have changed", now_ms);
    }
}

/* Idle connections go at once, streams in a moment, since this may be in the middle of a callback; what is being answered is
   answered first. */
static void drop_connections(struct km_client *client)
{
    int64_t now_ms = client->loop->now_ms;
    for (uint16_t i = 0; i < client->lane_count; i++) {
        struct km_lane *lane = client->lanes[i];
        lane->drop = lane->active != NULL;
        if (!lane->drop)
            km_conn_abort(&lane->conn, KM_ERR_RESET, "the credentials have changed", now_ms);
    }
    client->drop_timer.fn = on_drop;
    client->drop_timer.ctx = client;
    (void)km_timer_set(&client->loop->timers, &client->drop_timer, now_ms);
}

void kube_drop_when_done(struct km_lane *lane)
{
    if (!lane->drop)
        return;
    lane->drop = false;
    km_conn_abort(&lane->conn, KM_ERR_RESET, "the credentials have changed",
                  lane->client->loop->now_ms);
}

/* ---- the check ---- */

static void note_failure(struct km_client *client, const char *why)
{
    client->creds_next_ms = client->loop->now_ms + AGAIN_MS;
    if (!client->creds_failing)
        KM_WARN("Credentials in files can't be read again, the old ones are kept",
                KM_S("reason", why));
    client->creds_failing = true;
}

static void use(struct km_client *client, const struct km_tls_creds *creds)
{
    struct km_fault fault = {0};
    uint64_t fingerprint = kube_fingerprint(creds);
    if (fingerprint == client->config->fingerprint) {
        client->creds_failing = false;
        return;
    }
    int err = kube_tls_setup(client->config, creds, &fault);
    if (err != KM_OK) {
        note_failure(client, fault.code != KM_OK ? fault.text : km_strerror(err));
        return;
    }
    client->config->fingerprint = fingerprint;
    client->creds_failing = false;
    client->creds_reloads.value++;
    KM_INFO("Credentials have changed in their files and were read again");
    drop_connections(client);
}

/* Not inlined: what every request asks is small and stays in memory, the rest does not. */
__attribute__((noinline)) static void look(struct km_client *client)
{
    struct km_kubeconfig *config = client->config;
    struct km_tls_creds creds;
    client->creds_checked_ms = client->loop->now_ms;
    client->creds_next_ms = client->loop->now_ms + CHECK_MS;
    int err = read_files(config, &creds);
    if (err == KM_OK)
        use(client, &creds);
    else
        note_failure(client, km_strerror(err));
    kube_wipe(config->store + config->store_len, sizeof config->store - config->store_len);
}

void kube_reload(struct km_client *client, bool connected)
{
    int64_t now_ms = client->loop->now_ms;
    bool due = now_ms >= client->creds_next_ms ||
               (!connected && now_ms - client->creds_checked_ms >= RECHECK_MS);
    if (due && is_watched(client->config))
        look(client);
}
