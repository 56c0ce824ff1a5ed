/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, streaming lists and watches of the tests' server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_api.h"

#define WATCHES 16
#define BOOKMARK_MS 60000
#define TOO_LARGE_MS 3000
#define JSON_TYPE "application/json"

struct watch {
    int conn_id; /* 0 = free */
    enum api_kind kind;
    char node[64];
    uint64_t start_rv, rv;
    int64_t ends_ms, bookmark_ms;
    bool bookmarks;
};

/* A request that is answered when the server has given up waiting for a resourceVersion. */
struct late {
    int conn_id;
    bool stream;
    uint64_t rv;
};

static struct watch watches[WATCHES];
static struct late lates[WATCHES];
static size_t late_next;

void api_watch_reset(void)
{
    memset(watches, 0, sizeof watches);
    memset(lates, 0, sizeof lates);
}

void api_watch_drop_all(void)
{
    memset(watches, 0, sizeof watches);
}

static void hex_decode(char *text)
{
    char *out = text;
    unsigned code;

    for (; *text != '\0'; text++) {
        if (*text == '%' && sscanf(text + 1, "%2x", &code) == 1) {
            *out++ = (char)code;
            text += 2;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

bool api_query(const struct km_sim_request *rq, const char *name, char *out, size_t out_size)
{
    out[0] = '\0';
    if (!km_sim_request_query(rq, name, out, out_size))
        return false;
    hex_decode(out);
    return true;
}

/* The node that the request selects by; refused as the Node authorizer would when it selects another or none. */
static bool take_selector(const struct km_sim_request *rq, enum api_kind kind, char node[64])
{
    const char *field = kind == API_NODES ? "metadata.name=" : "spec.nodeName=";
    char selector[320];

    (void)api_query(rq, "fieldSelector", selector, sizeof selector);
    if (strncmp(selector, field, strlen(field)) == 0) {
        (void)snprintf(node, 64, "%.63s", selector + strlen(field));
        if (strcmp(node, API_NODE) == 0)
            return true;
    }
    api_complain("a list or watch with the selector \"%s\"", selector);
    api_refuse(rq->conn_id, 403, "Forbidden", "can only list the own node or pods bound to it", 0);
    return false;
}

/* ---- events ---- */

static void stop(struct watch *w)
{
    w->conn_id = 0;
}

static void send_event(struct watch *w, const char *type, const char *object)
{
    size_t size = strlen(object) + 64;
    char *line = malloc(size);
    int err;

    if (line == NULL)
        abort();
    (void)snprintf(line, size, "{\"type\":\"%s\",\"object\":%s}\n", type, object);
    err = km_sim_http_chunk(w->conn_id, line);
    free(line);
    if (err == KM_ERR_FULL)
        (void)km_sim_rst(w->conn_id); /* a reader that does not keep up is dropped */
    if (err != KM_OK)
        stop(w);
}

static void send_bookmark(struct watch *w, bool initial_end)
{
    const char *mark =
        initial_end ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" : "";
    char object[512];

    (void)snprintf(object, sizeof object,
                   "{\"kind\":\"%s\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"%"
                   "llu\",\"creationTimestamp\":null%s},"
                   "\"spec\":{},\"status\":{}}",
                   w->kind == API_NODES ? "Node" : "Pod", (unsigned long long)api.rv, mark);
    w->rv = api.rv;
    w->bookmark_ms = km_port_now_ms() + BOOKMARK_MS;
    send_event(w, "BOOKMARK", object);
}

static void feed(struct watch *w)
{
    size_t index = 0;
    const struct api_change *c;

    while (w->conn_id != 0 && (c = api_change_after(w->rv, &index)) != NULL) {
        w->rv = c->rv;
        if (c->kind == w->kind && strcmp(w->kind == API_NODES ? c->name : c->node, w->node) == 0)
            send_event(w, c->type, c->text);
    }
}

void api_watch_told(void)
{
    for (size_t i = 0; i < WATCHES; i++) {
        if (watches[i].conn_id != 0)
            feed(&watches[i]);
    }
}

static void end_watch(struct watch *w)
{
    (void)km_sim_http_end(w->conn_id);
    stop(w);
}

void api_watch_tick(void)
{
    int64_t now_ms = km_port_now_ms();

    for (size_t i = 0; i < WATCHES; i++) {
        struct watch *w = &watches[i];

        if (w->conn_id != 0 && km_sim_slot(w->conn_id) < 0)
            stop(w);
        if (w->conn_id == 0)
            continue;
        if (now_ms >= w->ends_ms) {
            end_watch(w);
            continue;
        }
        if (!w->bookmarks || api.no_bookmarks || now_ms < w->bookmark_ms || api.rv < w->rv)
            continue;
        if (api.precise_bookmarks && api.rv <= w->start_rv)
            w->bookmark_ms = now_ms + BOOKMARK_MS;
        else
            send_bookmark(w, false);
    }
}

void api_end_watches(void)
{
    for (size_t i = 0; i < WATCHES; i++) {
        if (watches[i].conn_id != 0)
            end_watch(&watches[i]);
    }
}

size_t api_watch_count(enum api_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < WATCHES; i++)
        count += watches[i].conn_id != 0 && watches[i].kind == kind &&
                 km_sim_slot(watches[i].conn_id) >= 0;
    return count;
}

void api_send_raw(enum api_kind kind, const char *line)
{
    for (size_t i = 0; i < WATCHES; i++) {
        if (watches[i].conn_id != 0 && watches[i].kind == kind)
            (void)km_sim_http_chunk(watches[i].conn_id, line);
    }
}

void api_send_error(enum api_kind kind, int code, const char *reason, int retry_after_s)
{
    char line[512];

    (void)snprintf(line, sizeof line,
                   "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\","
                   "\"metadata\":{},\"status\":"
                   "\"Failure\",\"message\":\"a scripted "
                   "error\",\"reason\":\"%s\",\"details\":{\"retryAfterSeconds\":%d},"
                   "\"code\":%d}}\n",
                   reason, retry_after_s, code);
    api_send_raw(kind, line);
    for (size_t i = 0; i < WATCHES; i++) {
        if (watches[i].conn_id != 0 && watches[i].kind == kind)
            end_watch(&watches[i]);
    }
}

/* ---- a resourceVersion that the server does not have ---- */

static void too_large(int conn_id, bool stream, uint64_t rv)
{
    char body[640];

    (void)snprintf(
        body, sizeof body,
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","
        "\"message\":"
        "\"Timeout: Too large resource version: %llu, current: "
        "%llu\",\"reason\":\"Timeout\",\"details\":{\"causes\":"
        "[{\"reason\":\"ResourceVersionTooLarge\",\"message\":\"Too large resource version\"}],"
        "\"retryAfterSeconds\":1},\"code\":504}",
        (unsigned long long)rv, (unsigned long long)api.rv);
    if (!stream) {
        api_answer(conn_id, 504, body);
        return;
    }
    struct watch w = {.conn_id = conn_id};

    (void)km_sim_http_begin(conn_id, 200, JSON_TYPE);
    send_event(&w, "ERROR", body);
    if (w.conn_id != 0)
        end_watch(&w);
}

static void on_late(void *ctx)
{
    const struct late *late = ctx;

    if (km_sim_slot(late->conn_id) >= 0)
        too_large(late->conn_id, late->stream, late->rv);
}

static void answer_late(int conn_id, bool stream, uint64_t rv)
{
    struct late *late = &lates[late_next++ % WATCHES];

    *late = (struct late){.conn_id = conn_id, .stream = stream, .rv = rv};
    (void)km_sim_after(TOO_LARGE_MS, on_late, late);
}

/* ---- watches ---- */

static struct watch *new_watch(const struct km_sim_request *rq, enum api_kind kind,
                               const char *node)
{
    char seconds[16];
    int64_t now_ms = km_port_now_ms(), ms;
    struct watch *w = NULL;

    for (size_t i = 0; i < WATCHES; i++) {
        if (watches[i].conn_id == 0 || km_sim_slot(watches[i].conn_id) < 0)
            w = &watches[i];
    }
    if (w == NULL)
        abort();
    *w = (struct watch){.conn_id = rq->conn_id, .kind = kind};
    (void)snprintf(w->node, sizeof w->node, "%s", node);
    w->bookmark_ms = now_ms + BOOKMARK_MS;
    (void)api_query(rq, "timeoutSeconds", seconds, sizeof seconds);
    ms = strtoll(seconds, NULL, 10) * 1000;
    if (ms < 300000 || ms >= 600000)
        api_complain("a watch with timeoutSeconds=%s", seconds);
    if (api.watch_ms != 0 && ms > api.watch_ms)
        ms = api.watch_ms;
    w->ends_ms = now_ms + ms;
    return w;
}

static void send_state(struct watch *w)
{
    size_t count;
    char **texts = api_list_at(w->kind, w->node, api.rv, &count);

    for (size_t i = 0; i < count; i++) {
        if (w->conn_id != 0)
            send_event(w, "ADDED", texts[i]);
        free(texts[i]);
    }
    free(texts);
    w->rv = api.rv;
}

static void begin_stream(const struct km_sim_request *rq, enum api_kind kind, const char *node,
                         uint64_t rv)
{
    char match[32], bookmarks[8];
    struct watch *w;

    (void)api_query(rq, "resourceVersionMatch", match, sizeof match);
    (void)api_query(rq, "allowWatchBookmarks", bookmarks, sizeof bookmarks);
    if (api.no_streaming || strcmp(match, "NotOlderThan") != 0 || strcmp(bookmarks, "true") != 0) {
        if (!api.no_streaming)
            api_complain("a streaming list with resourceVersionMatch=%s, allowWatchBookmarks=%s",
                         match, bookmarks);
        api_refuse(rq->conn_id, 422, "Invalid", "sendInitialEvents is forbidden", 0);
        return;
    }
    if (rv > api.rv) {
        answer_late(rq->conn_id, true, rv);
        return;
    }
    (void)km_sim_http_begin(rq->conn_id, 200, JSON_TYPE);
    w = new_watch(rq, kind, node);
    w->bookmarks = true;
    w->start_rv = api.rv;
    send_state(w);
    if (w->conn_id != 0)
        send_bookmark(w, true);
}

static void begin_watch(const struct km_sim_request *rq, enum api_kind kind, const char *node,
                        const char *rv_text)
{
    uint64_t rv = strtoull(rv_text, NULL, 10);
    bool expired = rv != 0 && (rv < api.compacted || api.no_watch_goes_on);
    char match[32], bookmarks[8];
    struct watch *w;

    if (api_query(rq, "resourceVersionMatch", match, sizeof match)) {
        api_refuse(rq->conn_id, 422, "Invalid", "resourceVersionMatch is forbidden for watch", 0);
        return;
    }
    if (expired) {
        api.expired++;
        if (api.expired_as_answer) {
            api_refuse(rq->conn_id, 410, "Expired", "too old resource version", 0);
            return;
        }
    }
    (void)km_sim_http_begin(rq->conn_id, 200, JSON_TYPE);
    w = new_watch(rq, kind, node);
    w->bookmarks = api_query(rq, "allowWatchBookmarks", bookmarks, sizeof bookmarks);
    if (expired) {
        struct watch old = *w;

        stop(w);
        send_event(&old, "ERROR",
                   "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":"
                   "\"Failure\",\"message\":\"too old "
                   "resource version: 1 (2)\",\"reason\":\"Expired\",\"code\":410}");
        if (old.conn_id != 0)
            end_watch(&old);
        return;
    }
    if (rv == 0)
        send_state(w);
    else
        w->rv = rv;
    w->start_rv = w->rv;
    feed(w);
}

void api_watch_serve(const struct km_sim_request *rq, enum api_kind kind, enum api_call call)
{
    char node[64], rv[32];

    if (!take_selector(rq, kind, node))
        return;
    (void)api_query(rq, "resourceVersion", rv, sizeof rv);
    if (call == API_NODE_STREAM || call == API_POD_STREAM)
        begin_stream(rq, kind, node, strtoull(rv, NULL, 10));
    else
        begin_watch(rq, kind, node, rv);
}

/* ---- lists ---- */

struct page {
    uint64_t rv;
    size_t first, limit;
};

/* Ugly on purpose: a token has to be escaped in the query. */
#define TOKEN "eyJ2+/=%llu&%zu"

static bool take_page(const struct km_sim_request *rq, struct page *page)
{
    char token[CONFIG_KM_CONTINUE_BYTES], rv[32], limit[16];
    unsigned long long token_rv;

    (void)api_query(rq, "resourceVersion", rv, sizeof rv);
    (void)api_query(rq, "limit", limit, sizeof limit);
    *page = (struct page){.rv = api.rv, .limit = strtoul(limit, NULL, 10)};
    if (api_query(rq, "continue", token, sizeof token)) {
        if (sscanf(token, TOKEN, &token_rv, &page->first) != 2 || rv[0] != '\0') {
            api_complain("a list with continue=%s and resourceVersion=%s", token, rv);
            api_refuse(rq->conn_id, 400, "BadRequest", "continue is not valid", 0);
            return false;
        }
        page->rv = token_rv;
        api.pages++;
    } else if (strcmp(rv, "0") == 0 && api.page_size == 0) {
        page->limit = 0; /* served from the cache, whole */
    } else if (page->limit > 0 && rv[0] != '\0' && strcmp(rv, "0") != 0) {
        page->rv = strtoull(rv, NULL, 10);
    } else if (strtoull(rv, NULL, 10) > api.rv) {
        page->rv = strtoull(rv, NULL, 10);
    }
    if (page->rv < api.compacted) {
        api.expired++;
        api_refuse(rq->conn_id, 410, "Expired",
                   "The provided resource version or continue token is too old", 0);
        return false;
    }
    if (page->rv > api.rv) {
        answer_late(rq->conn_id, false, page->rv);
        return false;
    }
    if (page->limit > 0 && api.page_size > 0 && page->limit > api.page_size)
        page->limit = api.page_size;
    return true;
}

static void append(char **text, size_t *len, const char *more)
{
    size_t more_len = strlen(more);

    *text = realloc(*text, *len + more_len + 1);
    if (*text == NULL)
        abort();
    memcpy(*text + *len, more, more_len + 1);
    *len += more_len;
}

void api_list_serve(const struct km_sim_request *rq, enum api_kind kind)
{
    char node[64], text[CONFIG_KM_CONTINUE_BYTES], *body = NULL;
    size_t count, end, len = 0;
    struct page page;
    char **texts;

    if (!take_selector(rq, kind, node) || !take_page(rq, &page))
        return;
    texts = api_list_at(kind, node, page.rv, &count);
    end = page.limit > 0 && page.first + page.limit < count ? page.first + page.limit : count;
    append(&body, &len, kind == API_NODES ? "{\"kind\":\"NodeList\"" : "{\"kind\":\"PodList\"");
    (void)snprintf(text, sizeof text,
                   ",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"%llu\"",
                   (unsigned long long)page.rv);
    append(&body, &len, text);
    if (end < count) {
        (void)snprintf(text, sizeof text, ",\"continue\":\"" TOKEN "\",\"remainingItemCount\":%zu",
                       (unsigned long long)page.rv, end, count - end);
        append(&body, &len, text);
    }
    append(&body, &len, "},\"items\":[");
    for (size_t i = 0; i < count; i++) {
        if (i >= page.first && i < end) {
            append(&body, &len, i > page.first ? "," : "");
            append(&body, &len, texts[i]);
        }
        free(texts[i]);
    }
    free(texts);
    append(&body, &len, "]}\n");
    api_answer(rq->conn_id, 200, body);
    free(body);
}
