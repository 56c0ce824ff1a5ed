/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_typed.h"

KM_KIND_TABLE(list_meta, "List", KM_LIST_META_FIELDS)

static int on_text(struct km_request *r, bool item, struct km_slice text, bool overflow)
{
    struct km_pager *p = r->ctx;
    if (item) {
        p->items++;
        return p->on_item(p, text, overflow);
    }
    return overflow ? KM_ERR_TOO_LONG
                    : km_json_decode(p->schema, false, text, (void *[]){NULL, &p->meta});
}

static void on_page(struct km_request *r, int err);

static int ask(struct km_pager *p)
{
    struct km_options options = p->options;
    struct km_request *r = &p->request;
    options.limit = p->whole ? 0 : options.limit > 0 ? options.limit : KM_PAGE_ITEMS;
    if (p->token[0] != '\0') {
        options.continue_token = p->token;
        options.resource_version = options.resource_version_match = NULL;
    }
    memset(&p->meta, 0, sizeof p->meta);
    r->schema = p->schema;
    r->accept = p->accept;
    r->on_text = on_text;
    r->on_done = on_page;
    r->ctx = p;
    r->retries = p->retries;
    int err = km_rest_list(r, p->client, p->what, p->ns, &options);
    return err == KM_OK ? km_request_send(r, p->lane) : err;
}

static void finish(struct km_pager *p, int err)
{
    p->result = err;
    if (p->on_done != NULL)
        p->on_done(p, err);
}

/* Once, and as a whole: nothing in it can run out. */
static int restart(struct km_pager *p)
{
    p->whole = true;
    p->paginated = true;
    p->token[0] = '\0';
    p->pages = 0;
    p->items = 0;
    p->on_restart(p);
    return ask(p);
}

static int next_page(struct km_pager *p)
{
    p->pages++;
    p->paginated = p->paginated || p->pages > 1;
    p->remaining = p->meta.remaining;
    if (p->pages == 1)
        memcpy(p->rv, p->meta.rv, sizeof p->rv);
    if (p->meta.continue_token[0] == '\0')
        return KM_EOF;
    if (p->meta.head.truncated > 0)
        return p->on_restart != NULL && !p->whole ? restart(p) : KM_ERR_TOO_LONG;
    memcpy(p->token, p->meta.continue_token, sizeof p->token);
    return ask(p);
}

static void on_page(struct km_request *r, int err)
{
    struct km_pager *p = r->ctx;
    bool later = p->token[0] != '\0';
    if (err == KM_ERR_STATUS && later && p->on_restart != NULL &&
        km_status_is_resource_expired(r->status))
        err = restart(p);
    else if (err == KM_OK)
        err = next_page(p);
    if (err != KM_OK)
        finish(p, err == KM_EOF ? KM_OK : err);
}

int km_pager_start(struct km_pager *p, struct km_client *client, struct km_lane *lane)
{
    if (p->on_item == NULL || km_request_busy(&p->request))
        return KM_ERR_ARG;
    p->client = client;
    p->lane = lane;
    p->retries = p->request.retries;
    p->token[0] = p->rv[0] = '\0';
    p->paginated = false;
    p->pages = 0;
    p->items = 0;
    p->remaining = 0;
    p->result = KM_AGAIN;
    return ask(p);
}

int km_pager_call(struct km_pager *p, struct km_client *client, struct km_lane *lane)
{
    struct km_loop *loop = client->loop;
    if (loop->turning)
        return KM_ERR_REENTRANT;
    loop->now_ms = km_port_now_ms();
    int err = km_pager_start(p, client, lane);
    if (err != KM_OK)
        return err;
    while (km_request_busy(&p->request) && !km_port_stop_requested())
        km_loop_turn(loop, -1);
    km_request_cancel(&p->request);
    return p->result;
}
