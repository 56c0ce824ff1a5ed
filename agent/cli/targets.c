/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli_priv.h"

#define TEXT_BYTES 8192

static char storage[TEXT_BYTES] KM_POOL_STORAGE(cli_targets);
static size_t used;

/* A copy with a NUL in static storage, NULL when that is full. */
static const char *keep(struct km_slice text)
{
    char *place = storage + used;
    if (text.len + 1 > sizeof storage - used)
        return NULL;
    memcpy(place, text.ptr, text.len);
    place[text.len] = '\0';
    used += text.len + 1;
    return place;
}

static int add(struct targets *out, struct km_slice resource, const char *name,
               struct km_fault *fault)
{
    const char *kept = keep(resource);
    if (kept == NULL || out->count >= CLI_TARGET_COUNT)
        return km_fault_set(fault, KM_ERR_CONFIG, "at most %d objects in one command",
                            CLI_TARGET_COUNT);
    out->items[out->count++] = (struct target){kept, name};
    return KM_OK;
}

/* "a,b,c" for each name, or for all when there is none. */
static int add_types(struct targets *out, const char *types, const char *name,
                     struct km_fault *fault)
{
    int err;
    do {
        size_t len = strcspn(types, ",");
        err = add(out, (struct km_slice){types, len}, name, fault);
        types += len;
    } while (err == KM_OK && *types++ == ',');
    return err;
}

static int mixed(struct km_fault *fault)
{
    return km_fault_set(fault, KM_ERR_CONFIG,
                        "there is no need to specify a resource type as a separate argument "
                        "when passing arguments in resource/name form (e.g. 'kubemote get "
                        "resource/<resource_name>' instead of 'kubemote get resource "
                        "resource/<resource_name>'");
}

static int add_pair(struct targets *out, const char *word, struct km_fault *fault)
{
    const char *slash = strchr(word, '/');
    struct km_slice type = {word, (size_t)(slash - word)};
    if (strchr(slash + 1, '/') != NULL)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "arguments in resource/name form may not have more than one slash");
    if (type.len == 0 || slash[1] == '\0' || memchr(word, ',', type.len) != NULL)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "arguments in resource/name form must have a single resource and name");
    return add(out, type, slash + 1, fault);
}

/* "a,b" with names means each name of each type. */
static int add_names(struct targets *out, const struct words *words, struct km_fault *fault)
{
    const char *types = words->items[0];
    int err = KM_OK;
    out->slashes = strchr(types, ',') != NULL;
    do {
        size_t len = strcspn(types, ",");
        for (uint16_t i = 1; i < words->count && err == KM_OK; i++)
            err = add(out, (struct km_slice){types, len}, words->items[i], fault);
        types += len;
    } while (err == KM_OK && *types++ == ',');
    return err;
}

int targets_parse(const struct words *words, struct targets *out, struct km_fault *fault)
{
    int err = KM_OK;
    uint16_t pairs = 0;
    out->count = 0;
    for (uint16_t i = 0; i < words->count; i++)
        pairs = (uint16_t)(pairs + (strchr(words->items[i], '/') != NULL));
    out->slashes = pairs > 0;
    if (pairs > 0 && pairs != words->count)
        return mixed(fault);
    for (uint16_t i = 0; i < pairs && err == KM_OK; i++)
        err = add_pair(out, words->items[i], fault);
    if (pairs > 0 || words->count == 0)
        return err;
    return words->count == 1 ? add_types(out, words->items[0], NULL, fault)
                             : add_names(out, words, fault);
}

/* ---- categories ---- */

struct expansion {
    struct targets *out;
    const char *category;
    struct km_fault *fault;
    bool found;
};

static bool stands(const struct targets *list, struct km_slice resource)
{
    for (uint16_t i = 0; i < list->count; i++) {
        if (km_slice_eq_str(resource, list->items[i].resource))
            return true;
    }
    return false;
}

static int on_resource(void *ctx, const struct km_api_resource *r)
{
    struct expansion *e = ctx;
    char name[320];
    struct km_buf text;
    if (!km_list_has(r->categories, e->category))
        return 0;
    e->found = true;
    km_buf_init(&text, name, sizeof name);
    km_buf_printf(&text, "%s%s%s", r->plural, r->group[0] == '\0' ? "" : ".", r->group);
    return stands(e->out, km_buf_slice(&text)) ? 0
                                               : add(e->out, km_buf_slice(&text), NULL, e->fault);
}

int targets_expand(struct targets *targets, struct km_fault *fault)
{
    static struct targets given;
    static struct km_api_resource scratch;
    if (targets->count == 0 || targets->slashes || targets->items[0].name != NULL)
        return KM_OK;
    given = *targets;
    targets->count = 0;
    for (uint16_t i = 0; i < given.count; i++) {
        struct expansion e = {targets, given.items[i].resource, fault, false};
        int err = km_discovery_each(&cli.discovery, &scratch, on_resource, &e, fault);
        if (err == KM_OK && !e.found)
            err = add(targets, km_slice_of(given.items[i].resource), NULL, fault);
        if (err != KM_OK)
            return err;
    }
    return KM_OK;
}
