/* SPDX-License-Identifier: Apache-2.0 */
/* What a reflector asks for, by its state. */
#include <string.h>

#include "kubemote/km_watch.h"
#include "watch_priv.h"

#define PAGE_SIZE 500

static const char *list_rv(const struct km_reflector *r)
{
    if (r->rv_unavailable)
        return "";
    return r->rv[0] == '\0' ? "0" : r->rv;
}

static void list_query(struct km_reflector *r, struct km_buf *target)
{
    const char *rv = list_rv(r);
    if (r->state == KM_WATCH_ASK) {
        km_query_i64(target, "limit", 1);
        return;
    }
    if (r->continue_token[0] != '\0') {
        km_query(target, "continue", r->continue_token);
        rv = "";
    }
    /* With a resourceVersion and no limit the server answers from its watch cache. */
    bool any = rv[0] == '\0' || strcmp(rv, "0") == 0;
    if (!r->full_list && (any || r->paginated))
        km_query_i64(target, "limit", PAGE_SIZE);
    if (rv[0] != '\0')
        km_query(target, "resourceVersion", rv);
}

/* Random, so that many agents whose streams began together do not come back together. */
static int64_t watch_seconds(struct km_reflector *r)
{
    return km_rng_range(r->rng, 300, 600);
}

static void watch_query(struct km_reflector *r, struct km_buf *target)
{
    km_query(target, "allowWatchBookmarks", "true");
    if (r->state == KM_WATCH_STREAM) {
        if (r->rv[0] != '\0' && !r->rv_unavailable)
            km_query(target, "resourceVersion", r->rv);
        km_query(target, "resourceVersionMatch", "NotOlderThan");
        km_query(target, "sendInitialEvents", "true");
    } else {
        km_query(target, "resourceVersion", r->rv);
    }
    km_query_i64(target, "timeoutSeconds", watch_seconds(r));
    km_query(target, "watch", "true");
}

int watch_write_target(struct km_reflector *r)
{
    struct km_buf target;
    km_buf_init(&target, r->request.target, sizeof r->request.target);
    int err =
        km_path(&target, r->client->config->base_path, r->resource, watch_ns(r->ns), NULL, NULL);
    if (err != KM_OK)
        return err;
    if (r->field_selector[0] != '\0')
        km_query(&target, "fieldSelector", r->field_selector);
    if (r->label_selector != NULL && r->label_selector[0] != '\0')
        km_query(&target, "labelSelector", r->label_selector);
    if (r->state == KM_WATCH_LIST || r->state == KM_WATCH_ASK)
        list_query(r, &target);
    else
        watch_query(r, &target);
    return target.overflow ? KM_ERR_TOO_LONG : KM_OK;
}
