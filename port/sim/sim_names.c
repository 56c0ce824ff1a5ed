/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "sim_priv.h"

#define NAMES 16
#define ADDRESSES_SIZE 256
#define DNS_DELAY_MS 1
#define DNS_GIVES_UP_MS 10000

struct name {
    char name[256], addresses[ADDRESSES_SIZE];
    int err;
};

enum { IDLE, WAITING };

static struct name names[NAMES];
static int open_count;

void sim_names_reset(void)
{
    memset(names, 0, sizeof names);
    open_count = 0;
}

int km_sim_open_resolves(void)
{
    return open_count;
}

static struct name *entry_of(const char *name)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (names[i].name[0] == '\0' || strcmp(names[i].name, name) == 0) {
            if (km_slice_copy(km_slice_of(name), names[i].name, sizeof names[i].name) != KM_OK)
                break;
            return &names[i];
        }
    }
    sim_die("no room for the name %s", name);
}

void km_sim_dns(const char *name, const char *addresses)
{
    struct name *n = entry_of(name);

    n->err = addresses == NULL ? KM_ERR_NAME : KM_OK;
    if (km_slice_copy(km_slice_of(addresses), n->addresses, sizeof n->addresses) != KM_OK)
        sim_die("too many addresses for %s", name);
}

void km_sim_dns_error(const char *name, int err)
{
    entry_of(name)->err = err;
}

void km_resolve_files(const char *resolv_conf, const char *hosts, uint16_t dns_port)
{
    (void)resolv_conf;
    (void)hosts;
    (void)dns_port;
}

static void add_address(struct km_resolve *r, struct km_slice text)
{
    struct km_addr addr;

    if (km_addr_parse(text, &addr) != KM_OK)
        sim_die("%.*s is no address", (int)text.len, text.ptr);
    addr.port = r->port;
    if (r->addr_count < CONFIG_KM_DNS_ADDR_COUNT)
        r->addrs[r->addr_count++] = addr;
    else
        r->addrs_dropped++;
}

static int answer(struct km_resolve *r)
{
    const struct name *n = NULL;

    for (size_t i = 0; i < NAMES && n == NULL; i++) {
        if (strcmp(names[i].name, r->host) == 0 && r->host[0] != '\0')
            n = &names[i];
    }
    if (n == NULL)
        return KM_ERR_NAME;
    if (n->err != KM_OK)
        return n->err;
    for (const char *at = n->addresses; *at != '\0';) {
        size_t len = strcspn(at, " ");

        if (len > 0)
            add_address(r, (struct km_slice){at, len});
        at += len + (at[len] == ' ');
    }
    return r->addr_count > 0 ? KM_OK : KM_ERR_NAME;
}

static int stop_with(struct km_resolve *r, int result)
{
    if (r->state == WAITING)
        open_count--;
    r->state = IDLE;
    r->deadline_ms = KM_NEVER;
    return result;
}

int km_resolve_start(struct km_resolve *r, const char *host, uint16_t port, int64_t now_ms)
{
    struct km_addr literal;
    int err = sim_call(KM_SIM_RESOLVE_START);

    r->state = IDLE;
    r->fd = -1;
    r->want = 0;
    r->addr_count = 0;
    r->addrs_dropped = 0;
    r->port = port;
    r->deadline_ms = KM_NEVER;
    if (km_slice_copy(km_slice_of(host), r->host, sizeof r->host) != KM_OK)
        return KM_ERR_NAME;
    if (err != KM_OK && err != KM_AGAIN)
        return err;
    if (err == KM_OK && km_addr_parse(km_slice_of(host), &literal) == KM_OK) {
        add_address(r, km_slice_of(host));
        return KM_OK;
    }
    r->state = WAITING;
    r->deadline_ms = now_ms + (sim_link_up() ? DNS_DELAY_MS : DNS_GIVES_UP_MS);
    open_count++;
    return KM_AGAIN;
}

int km_resolve_step(struct km_resolve *r, int64_t now_ms)
{
    int err = sim_call(KM_SIM_RESOLVE_STEP);

    if (r->state != WAITING)
        return KM_ERR_ARG;
    if (err == KM_AGAIN)
        r->deadline_ms = now_ms + 1;
    if (err == KM_OK && now_ms < r->deadline_ms)
        err = KM_AGAIN;
    if (err == KM_AGAIN)
        return err;
    if (err == KM_OK)
        err = sim_link_up() ? answer(r) : KM_ERR_TIMEOUT;
    return stop_with(r, err);
}

void km_resolve_stop(struct km_resolve *r)
{
    (void)stop_with(r, KM_OK);
}

/* ---- addresses ---- */

void km_addr_text(const struct km_addr *addr, char *out, size_t out_size)
{
    if (out_size == 0)
        return;
    out[0] = '\0';
    (void)inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->ip, out, (socklen_t)out_size);
}

int km_addr_parse(struct km_slice text, struct km_addr *out)
{
    char copy[KM_ADDR_TEXT_SIZE];

    memset(out, 0, sizeof *out);
    if (text.len == 0 || km_slice_copy(text, copy, sizeof copy) != KM_OK)
        return KM_ERR_SYNTAX;
    out->family = 4;
    if (inet_pton(AF_INET, copy, out->ip) == 1)
        return KM_OK;
    out->family = 6;
    return inet_pton(AF_INET6, copy, out->ip) == 1 ? KM_OK : KM_ERR_SYNTAX;
}
