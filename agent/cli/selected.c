/* SPDX-License-Identifier: Apache-2.0 */
/* -l beside -f: which objects of files a command is about. */
#include <string.h>

#include "kubemote/km_selector.h"
#include "tree.h"
#include "visit.h"

#define VALUE_SIZE 64 /* with NUL; no selector has a longer value */

/* The labels that a selector asks for, however many the object has. */
struct asked_labels {
    struct km_label labels[KM_SELECTOR_TERMS];
    char values[KM_SELECTOR_TERMS][VALUE_SIZE];
    size_t count;
};

static const struct km_label_term *term_of(const struct km_label_selector *selector,
                                           struct km_slice key)
{
    for (uint16_t i = 0; i < selector->term_count; i++) {
        if (km_slice_eq(selector->terms[i].key, key))
            return &selector->terms[i];
    }
    return NULL;
}

/* Its place, or a new one: of members with the same name the last one counts. */
static size_t place_of(struct asked_labels *out, struct km_slice key)
{
    size_t i = 0;
    while (i < out->count && !km_slice_eq(out->labels[i].key, key))
        i++;
    out->count = i == out->count ? i + 1 : out->count;
    return i;
}

static void add_label(struct asked_labels *out, const struct km_label_selector *selector,
                      struct km_slice key, struct km_slice value)
{
    const struct km_label_term *term = term_of(selector, key);
    if (term == NULL)
        return;
    size_t i = place_of(out, term->key);
    bool whole = value.ptr[0] != '"' || km_json_unquote(value, out->values[i], VALUE_SIZE);
    if (value.ptr[0] != '"')
        out->values[i][0] = '\0'; /* null */
    out->labels[i] = (struct km_label){term->key, whole ? km_slice_of(out->values[i]) : value};
}

/* The manifest's: texts or null, which is "" (input.c refuses all else). */
static void read_labels(struct km_slice map, const struct km_label_selector *selector,
                        struct asked_labels *out)
{
    struct tree_member m = {0};
    char key[CONFIG_KM_JSON_KEY_BYTES];
    out->count = 0;
    while (map.len > 0 && map.ptr[0] == '{' && tree_next(map, &m)) {
        struct km_slice name = tree_name(map, m.name);
        const struct km_slice quoted = {name.ptr - 1, name.len + 2};
        if (km_json_unquote(quoted, key, sizeof key))
            add_label(out, selector, km_slice_of(key), tree_value(map, m.value));
    }
}

static struct km_label_selector selector KM_POOL_STORAGE(cli_selector);

int selected_parse(const char *text)
{
    struct km_fault fault = {0};
    if (km_label_selector_parse(km_slice_of(text), &selector, &fault) == KM_OK)
        return KM_OK;
    errors_add_text("the provided selector \"%s\" is not valid: %s", text, fault.text);
    return KM_ERR_CONFIG;
}

bool selected_here(struct km_slice json)
{
    static struct asked_labels asked KM_POOL_STORAGE(cli_selector_labels);
    struct km_slice map = {0};
    (void)km_json_find(json, "/metadata/labels", &map);
    read_labels(map, &selector, &asked);
    return km_label_selector_matches(&selector, asked.labels, asked.count);
}
