/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "get_priv.h"
#include "manifests.h"
#include "tree.h"

static int choose_validation(struct manifest_flags *f)
{
    static const struct {
        const char *word, *directive;
    } words[] = {{"strict", "Strict"}, {"true", "Strict"},  {"1", "Strict"}, {"warn", "Warn"},
                 {"ignore", "Ignore"}, {"false", "Ignore"}, {"0", "Ignore"}};
    const char *text = f->validate == NULL ? "strict" : f->validate;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].word) == 0)
            f->validation = words[i].directive;
    }
    if (f->validation != NULL)
        return KM_OK;
    (void)cli_usage_error(
        "invalid - validate option \"%s\"; must be one of: strict (or true), warn, "
        "ignore (or false)",
        text);
    return KM_ERR_CONFIG;
}

int manifest_flags_check(struct manifest_flags *f)
{
    if (dry_run_parse(f->dry_run_text, &f->dry_run, &cli.fault) != KM_OK) {
        (void)cli_fail(KM_ERR_CONFIG, NULL);
        return KM_ERR_CONFIG;
    }
    if (choose_validation(f) != KM_OK || get_choose_form(false) != 0)
        return KM_ERR_CONFIG;
    f->visit.validate = strcmp(f->validation, "Ignore") != 0;
    return KM_OK;
}

struct km_slice manifest_body(const struct item *item)
{
    char text[128];
    struct km_buf out;
    struct km_slice json = item->manifest->json, metadata;
    bool known = item->manifest->ns[0] != '\0';
    if (known || item->ns == NULL || km_json_find(json, "/metadata", &metadata) != KM_OK ||
        metadata.ptr[0] != '{')
        return json;
    km_buf_init(&out, text, sizeof text);
    km_buf_printf(&out, "\"namespace\":\"%s\"%s", item->ns, metadata.len > 2 ? "," : "");
    if (!out.overflow)
        (void)input_insert(&json, (size_t)(metadata.ptr + 1 - json.ptr), text);
    return json;
}
