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
    int err = KM_OK;
    while (err == KM_OK && *types != '\0') {
        size_t len = strcspn(types, ",");
        if (len > 0)
            err = add(out, (struct km_slice){types, len}, name, fault);
        types += len + (types[len] == ',');
    }
    return err;
}

static int add_pair(struct targets *out, const char *word, struct km_fault *fault)
{
    const char *slash = strchr(word, '/');
    if (slash == NULL)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "there is no need to specify a resource type as a separate argument "
                            "when passing arguments in resource/name form (e.g. 'kubectl get "
                            "resource/<resource_name>' instead of 'kubectl get resource "
                            "resource/<resource_name>'");
    if (slash == word || slash[1] == '\0' || strchr(slash + 1, '/') != NULL)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "arguments in resource/name form may not have more than one slash");
    return add(out, (struct km_slice){word, (size_t)(slash - word)}, slash + 1, fault);
}

int targets_parse(const struct words *words, struct targets *out, struct km_fault *fault)
{
    int err = KM_OK;
    out->count = 0;
    bool pairs = false;
    for (uint16_t i = 0; i < words->count; i++)
        pairs = pairs || strchr(words->items[i], '/') != NULL;
    if (pairs) {
        for (uint16_t i = 0; i < words->count && err == KM_OK; i++)
            err = add_pair(out, words->items[i], fault);
        return err;
    }
    if (words->count == 1)
        return add_types(out, words->items[0], NULL, fault);
    for (uint16_t i = 1; i < words->count && err == KM_OK; i++)
        err = add_types(out, words->items[0], words->items[i], fault);
    return err;
}
