/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_node_config.h"

#include <string.h>

#include "kubemote/km_log_sink.h"
#include "kubemote/km_metrics.h"
#include "kubemote/km_port.h"
#include "kubemote/km_scalar.h"
#include "kubemote/km_yaml.h"

/* Labels that the agent adds by itself: arch, os, hostname, region, exclude-from-external-load-balancers. */
#define OWN_LABEL_COUNT 5

/* km_node_labels must never need more than there is room for. */
_Static_assert(CONFIG_KM_NODE_LABEL_COUNT > OWN_LABEL_COUNT,
               "CONFIG_KM_NODE_LABEL_COUNT is too small");

struct reader {
    struct km_yaml doc;
    struct km_node_config *out;
    struct km_fault *fault;
};

struct key {
    const char *name;
    int (*read)(struct reader *r, const struct km_yaml_node *node, const struct key *key);
    size_t offset; /* of the field in struct km_node_config */
    int64_t min, max;
};

#define FIELD(name) offsetof(struct km_node_config, name)

static void *field_of(const struct reader *r, const struct key *key)
{
    return (char *)r->out + key->offset;
}

/* ---- the text arena ---- */

/* NULL when full. */
static const char *keep_text(struct km_node_config *config, struct km_slice text)
{
    if (sizeof config->text - config->text_len <= text.len)
        return NULL;
    char *kept = config->text + config->text_len;
    memcpy(kept, text.ptr, text.len);
    kept[text.len] = '\0';
    config->text_len += text.len + 1;
    return kept;
}

static int take_text(struct reader *r, const struct km_yaml_node *node, struct km_slice text,
                     const char **out)
{
    *out = text.len == 0 ? "" : keep_text(r->out, text);
    if (*out != NULL)
        return KM_OK;
    return km_yaml_error(
        &r->doc, node, r->fault,
        "all texts of the configuration need more than %d bytes (CONFIG_KM_NODE_TEXT_BYTES)",
        CONFIG_KM_NODE_TEXT_BYTES);
}

/* ---- readers of one value ---- */

static int read_bool(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    return km_yaml_bool(&r->doc, node, key->name, field_of(r, key), r->fault);
}

static int read_u32(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    uint32_t *field = field_of(r, key);
    int64_t value;

    int err = km_yaml_int(&r->doc, node, key->name, key->min, key->max, &value, r->fault);
    if (err == KM_OK)
        *field = (uint32_t)value;
    return err;
}

static int read_u8(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    uint8_t *field = field_of(r, key);
    int64_t value;

    int err = km_yaml_int(&r->doc, node, key->name, key->min, key->max, &value, r->fault);
    if (err == KM_OK)
        *field = (uint8_t)value;
    return err;
}

static int read_verbosity(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    int64_t value;

    int err = km_yaml_int(&r->doc, node, key->name, key->min, key->max, &value, r->fault);
    if (err == KM_OK)
        r->out->log_verbosity = (int)value;
    return err;
}

/* An absolute path; "" switches it off where key->min is 0. */
static int read_path(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    struct km_slice text;
    char show[KM_SHOW_SIZE];

    int err = km_yaml_string(&r->doc, node, key->name, &text, r->fault);
    if (err != KM_OK)
        return err;
    if ((text.len == 0 && key->min > 0) || (text.len > 0 && text.ptr[0] != '/') ||
        text.len > (size_t)key->max)
        return km_yaml_error(&r->doc, node, r->fault,
                             "%s: \"%s\" is no absolute path of at most %lld bytes", key->name,
                             km_slice_show(text, show), (long long)key->max);
    return take_text(r, node, text, field_of(r, key));
}

/* Puts the place before the words of a check. */
static int place(struct reader *r, const struct km_yaml_node *node, const struct km_fault *why)
{
    return km_yaml_error(&r->doc, node, r->fault, "%s", why->text);
}

static int read_node_name(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    struct km_fault why = {0};
    struct km_slice text;

    int err = km_yaml_string(&r->doc, node, key->name, &text, r->fault);
    if (err != KM_OK)
        return err;
    if (km_node_name_check(text.ptr, &why) != KM_OK)
        return place(r, node, &why);
    return take_text(r, node, text, &r->out->node_name);
}

static int read_mode(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    struct km_slice text;
    char show[KM_SHOW_SIZE];

    int err = km_yaml_string(&r->doc, node, key->name, &text, r->fault);
    if (err != KM_OK || km_slice_eq_str(text, "node"))
        return err;
    if (km_slice_eq_str(text, "companion") || km_slice_eq_str(text, "device"))
        return km_yaml_error(&r->doc, node, r->fault,
                             "mode: \"%s\" is not supported in this version, only \"node\" is",
                             km_slice_show(text, show));
    return km_yaml_error(&r->doc, node, r->fault,
                         "mode: \"%s\" is unknown, only \"node\" is supported",
                         km_slice_show(text, show));
}

static int read_region(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    struct km_fault why = {0};
    struct km_slice text;

    int err = km_yaml_string(&r->doc, node, key->name, &text, r->fault);
    if (err != KM_OK)
        return err;
    if (km_label_check(km_slice_of("topology.kubernetes.io/region"), text, key->name, &why) !=
        KM_OK)
        return place(r, node, &why);
    return take_text(r, node, text, &r->out->region);
}

static int read_quantity(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    uint64_t *field = field_of(r, key);
    char show[KM_SHOW_SIZE];

    if (node->kind != KM_YAML_SCALAR)
        return km_yaml_error(&r->doc, node, r->fault, "%s: expected a quantity, such as 100Mi",
                             key->name);
    int err = km_quantity_parse(node->text, (uint32_t)key->min, field);
    if (err == KM_OK && *field <= INT64_MAX)
        return KM_OK;
    return km_yaml_error(
        &r->doc, node, r->fault, "%s: \"%s\" is %s", key->name, km_slice_show(node->text, show),
        err == KM_ERR_SYNTAX ? "no quantity, such as 100Mi or 500m" : "too large for a quantity");
}

/* A quantity or a percentage of the capacity. */
static int read_memory_available(struct reader *r, const struct km_yaml_node *node,
                                 const struct key *key)
{
    struct km_thresholds *t = &r->out->thresholds;
    struct km_slice text = node->text;
    uint64_t percent;

    if (node->kind != KM_YAML_SCALAR || text.len == 0 || text.ptr[text.len - 1] != '%') {
        t->memory_available_percent = 0;
        return read_quantity(r, node, key);
    }
    text.len--;
    if (km_slice_to_u64(text, &percent) != KM_OK || percent > 99)
        return km_yaml_error(&r->doc, node, r->fault,
                             "%s: a percentage is a whole number from 0%% to 99%%", key->name);
    t->memory_available_percent = (uint8_t)percent;
    t->memory_available_bytes = 0;
    return KM_OK;
}

/* ---- maps and lists ---- */

static int unknown_key(struct reader *r, const struct km_yaml_node *node, const char *where)
{
    char show[KM_SHOW_SIZE];
    return km_yaml_error(&r->doc, node, r->fault,
                         "unknown key \"%s\"%s (docs/CONFIGURATION.md has them all)",
                         km_slice_show(node->key, show), where);
}

static int read_keys(struct reader *r, const struct km_yaml_node *map, const struct key *keys,
                     size_t count, const char *where)
{
    for (const struct km_yaml_node *node = map->first; node != NULL; node = node->next) {
        size_t i = 0;
        while (i < count && !km_slice_eq_str(node->key, keys[i].name))
            i++;
        if (i == count)
            return unknown_key(r, node, where);
        if (keys[i].read == NULL)
            continue;
        int err = keys[i].read(r, node, &keys[i]);
        if (err != KM_OK)
            return err;
    }
    return KM_OK;
}

static int expect_map(struct reader *r, const struct km_yaml_node *node, const char *what)
{
    return node->kind == KM_YAML_MAP
               ? KM_OK
               : km_yaml_error(&r->doc, node, r->fault, "%s: expected a map", what);
}

static int read_label(struct reader *r, const struct km_yaml_node *node, struct km_node_label *out)
{
    struct km_fault why = {0};
    struct km_slice value;
    char show[KM_SHOW_SIZE];

    int err = km_yaml_string(&r->doc, node, "labels", &value, r->fault);
    if (err != KM_OK)
        return err;
    if (km_label_check(node->key, value, "labels", &why) != KM_OK)
        return place(r, node, &why);
    if (!km_label_is_allowed(node->key))
        return km_yaml_error(&r->doc, node, r->fault,
                             "labels: a node must not set \"%s\" on itself (reserved by "
                             "Kubernetes, NodeRestriction)",
                             km_slice_show(node->key, show));
    err = take_text(r, node, node->key, &out->key);
    return err != KM_OK ? err : take_text(r, node, value, &out->value);
}

static int read_labels(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    const uint16_t room = CONFIG_KM_NODE_LABEL_COUNT - OWN_LABEL_COUNT;

    int err = expect_map(r, node, key->name);
    if (err != KM_OK)
        return err;
    for (const struct km_yaml_node *label = node->first; label != NULL; label = label->next) {
        if (r->out->label_count == room)
            return km_yaml_error(&r->doc, label, r->fault,
                                 "labels: more than %u; %d of the %d (CONFIG_KM_NODE_LABEL_COUNT) "
                                 "are the agent's own",
                                 (unsigned)room, OWN_LABEL_COUNT, CONFIG_KM_NODE_LABEL_COUNT);
        err = read_label(r, label, &r->out->labels[r->out->label_count]);
        if (err != KM_OK)
            return err;
        r->out->label_count++;
    }
    return KM_OK;
}

static const char *const effect_names[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};

const char *km_taint_effect_name(enum km_taint_effect effect)
{
    return effect_names[effect];
}

static int read_effect(struct reader *r, const struct km_yaml_node *node, struct km_taint *out)
{
    char show[KM_SHOW_SIZE];

    for (int i = 0; node->kind == KM_YAML_SCALAR && i < 3; i++) {
        if (km_slice_eq_str(node->text, effect_names[i])) {
            out->effect = (enum km_taint_effect)i;
            return KM_OK;
        }
    }
    return km_yaml_error(
        &r->doc, node, r->fault,
        "taints: effect \"%s\" is unknown: NoSchedule, PreferNoSchedule or NoExecute",
        km_slice_show(node->text, show));
}

static int read_taint(struct reader *r, const struct km_yaml_node *node, struct km_taint *out)
{
    const struct km_yaml_node *key = km_yaml_get(node, "key"), *value = km_yaml_get(node, "value");
    const struct km_yaml_node *effect = km_yaml_get(node, "effect");
    struct km_slice key_text, value_text = {"", 0};
    struct km_fault why = {0};

    for (const struct km_yaml_node *member = node->first; member != NULL; member = member->next) {
        if (member != key && member != value && member != effect)
            return unknown_key(r, member, " in a taint");
    }
    if (key == NULL || effect == NULL)
        return km_yaml_error(&r->doc, node, r->fault, "taints: a taint needs key and effect");
    int err = km_yaml_string(&r->doc, key, "taints: key", &key_text, r->fault);
    if (err == KM_OK && value != NULL && value->kind != KM_YAML_NULL)
        err = km_yaml_string(&r->doc, value, "taints: value", &value_text, r->fault);
    if (err == KM_OK && km_label_check(key_text, value_text, "taints", &why) != KM_OK)
        err = place(r, key, &why);
    if (err == KM_OK)
        err = read_effect(r, effect, out);
    if (err == KM_OK)
        err = take_text(r, key, key_text, &out->key);
    return err != KM_OK ? err : take_text(r, node, value_text, &out->value);
}

static int read_taints(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    struct km_node_config *out = r->out;

    if (node->kind != KM_YAML_LIST)
        return km_yaml_error(&r->doc, node, r->fault, "%s: expected a list", key->name);
    out->taint_count = 0;
    for (const struct km_yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        if (out->taint_count == CONFIG_KM_NODE_TAINT_COUNT)
            return km_yaml_error(&r->doc, entry, r->fault,
                                 "taints: more than %d (CONFIG_KM_NODE_TAINT_COUNT)",
                                 CONFIG_KM_NODE_TAINT_COUNT);
        struct km_taint *taint = &out->taints[out->taint_count];
        int err = expect_map(r, entry, "taints");
        if (err == KM_OK)
            err = read_taint(r, entry, taint);
        if (err != KM_OK)
            return err;
        for (uint16_t i = 0; i < out->taint_count; i++) {
            if (out->taints[i].effect == taint->effect &&
                strcmp(out->taints[i].key, taint->key) == 0)
                return km_yaml_error(&r->doc, entry, r->fault,
                                     "taints: the same key and effect stand twice");
        }
        out->taint_count++;
    }
    return KM_OK;
}

static int read_reserved(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    static const struct key keys[] = {
        {"cpu", read_quantity, FIELD(reserved.cpu_milli), 1000, 0},
        {"memory", read_quantity, FIELD(reserved.memory_bytes), 1, 0},
        {"ephemeral-storage", read_quantity, FIELD(reserved.ephemeral_storage_bytes), 1, 0},
    };
    int err = expect_map(r, node, key->name);
    return err != KM_OK ? err
                        : read_keys(r, node, keys, sizeof keys / sizeof keys[0], " in reserved");
}

static int read_thresholds(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    static const struct key keys[] = {
        {"memoryAvailable", read_memory_available, FIELD(thresholds.memory_available_bytes), 1, 0},
        {"diskFreePercent", read_u8, FIELD(thresholds.disk_free_percent), 0, 99},
        {"inodesFreePercent", read_u8, FIELD(thresholds.inodes_free_percent), 0, 99},
        {"pidsFreePercent", read_u8, FIELD(thresholds.pids_free_percent), 0, 99},
        {"transitionSeconds", read_u32, FIELD(thresholds.transition_s), 0, 3600},
    };
    int err = expect_map(r, node, key->name);
    return err != KM_OK ? err
                        : read_keys(r, node, keys, sizeof keys / sizeof keys[0], " in thresholds");
}

/* ---- where it shows itself ---- */

static bool is_listen(struct km_slice text)
{
    return text.len == 0 || (KM_HAS_SERVE && km_serve_address_is_valid(text));
}

static bool is_format(struct km_slice text)
{
    return km_slice_eq_str(text, "text") || (KM_LOG_HAS_JSON && km_slice_eq_str(text, "json"));
}

enum choice { LISTEN, FORMAT, OUTPUT };

static const struct {
    bool (*is_valid)(struct km_slice text);
    const char *wanted;
} choices[] = {
    [LISTEN] = {is_listen, KM_SERVE_FORMS},
    [FORMAT] = {is_format, KM_LOG_FORMATS},
    [OUTPUT] = {km_log_output_is_valid, KM_LOG_OUTPUTS},
};

/* key->min is an enum choice. */
static int read_choice(struct reader *r, const struct km_yaml_node *node, const struct key *key)
{
    struct km_slice text;
    char show[KM_SHOW_SIZE];

    int err = km_yaml_string(&r->doc, node, key->name, &text, r->fault);
    if (err != KM_OK)
        return err;
    if (choices[key->min].is_valid(text))
        return take_text(r, node, text, field_of(r, key));
    return km_yaml_error(&r->doc, node, r->fault, "%s: \"%s\" is not %s", key->name,
                         km_slice_show(text, show), choices[key->min].wanted);
}

/* ---- the document ---- */

static const struct key root_keys[] = {
    {"apiVersion", NULL, 0, 0, 0}, /* checked before */
    {"kind", NULL, 0, 0, 0},
    {"nodeName", read_node_name, 0, 0, 0},
    {"mode", read_mode, 0, 0, 0},
    {"labels", read_labels, 0, 0, 0},
    {"registerOSLabel", read_bool, FIELD(register_os_label), 0, 0},
    {"registerHostnameLabel", read_bool, FIELD(register_hostname_label), 0, 0},
    {"region", read_region, 0, 0, 0},
    {"excludeFromLoadBalancers", read_bool, FIELD(exclude_from_load_balancers), 0, 0},
    {"taints", read_taints, 0, 0, 0},
    {"recreateNode", read_bool, FIELD(recreate_node), 0, 0},
    {"finishPods", read_bool, FIELD(finish_pods), 0, 0},
    {"podsCapacity", read_u32, FIELD(pods_capacity), 0, 1000},
    {"leaseDurationSeconds", read_u32, FIELD(lease_duration_s), 2, 3600},
    {"leaseRenewSeconds", read_u32, FIELD(lease_renew_s), 1, 1800},
    {"statusUpdateSeconds", read_u32, FIELD(status_update_s), 1, 3600},
    {"statusReportSeconds", read_u32, FIELD(status_report_s), 1, 86400},
    {"rootPath", read_path, FIELD(root_path), 1, 255},
    {"reserved", read_reserved, 0, 0, 0},
    {"thresholds", read_thresholds, 0, 0, 0},
    {"systemUUIDFile", read_path, FIELD(system_uuid_file), 0, 255},
    {"metricsFile", read_path, FIELD(metrics_file), 0, 255},
    {"resolvConf", read_path, FIELD(resolv_conf), 0, 255},
    {"hosts", read_path, FIELD(hosts), 0, 255},
    {"logVerbosity", read_verbosity, 0, 0, 10},
    {"metricsListen", read_choice, FIELD(metrics_listen), LISTEN, 0},
    {"logFormat", read_choice, FIELD(log_format), FORMAT, 0},
    {"logOutput", read_choice, FIELD(log_output), OUTPUT, 0},
    {"logFileMaxSize", read_quantity, FIELD(log_file_bytes), 1, 0},
    {"logFiles", read_u8, FIELD(log_file_count), 1, 9},
};

void km_node_config_defaults(struct km_node_config *config)
{
    memset(config, 0, sizeof *config);
    config->node_name = config->system_uuid_file = config->metrics_file = "";
    config->metrics_listen = config->log_output = "";
    config->log_format = "text";
    config->log_file_bytes = 1u << 20;
    config->log_file_count = 2;
    config->resolv_conf = config->hosts = "";
    config->region = "kubemote-devices";
    config->root_path = "/";
    config->exclude_from_load_balancers = true;
    config->taints[0] = (struct km_taint){"kubemote.io/device", "", KM_NO_SCHEDULE};
    config->taint_count = 1;
    config->recreate_node = true;
    config->finish_pods = true;
    config->lease_duration_s = 40;
    config->lease_renew_s = 10;
    config->status_update_s = 10;
    config->status_report_s = 300;
    config->thresholds = (struct km_thresholds){.memory_available_bytes = 100u << 20,
                                                .disk_free_percent = 10,
                                                .inodes_free_percent = 5,
                                                .pids_free_percent = 5,
                                                .transition_s = 300};
}

static int expect_text(struct reader *r, const char *key, const char *wanted)
{
    const struct km_yaml_node *node = km_yaml_get(r->doc.root, key);
    char show[KM_SHOW_SIZE];

    if (node == NULL)
        return km_yaml_error(&r->doc, r->doc.root, r->fault, "%s is missing, expected %s", key,
                             wanted);
    if (node->kind != KM_YAML_SCALAR || !km_slice_eq_str(node->text, wanted))
        return km_yaml_error(&r->doc, node, r->fault, "%s is \"%s\", expected %s", key,
                             km_slice_show(node->text, show), wanted);
    return KM_OK;
}

/* Rules that join two keys: the line is that of the key that stands in the file. */
static int check_periods(struct reader *r)
{
    const struct km_node_config *c = r->out;
    const struct km_yaml_node *renew = km_yaml_get(r->doc.root, "leaseRenewSeconds");
    const struct km_yaml_node *report = km_yaml_get(r->doc.root, "statusReportSeconds");

    if (c->lease_renew_s * 2 > c->lease_duration_s)
        return km_yaml_error(
            &r->doc, renew != NULL ? renew : km_yaml_get(r->doc.root, "leaseDurationSeconds"),
            r->fault, "leaseRenewSeconds (%u) must be at most half of leaseDurationSeconds (%u)",
            (unsigned)c->lease_renew_s, (unsigned)c->lease_duration_s);
    if (c->status_report_s < c->status_update_s)
        return km_yaml_error(
            &r->doc, report != NULL ? report : km_yaml_get(r->doc.root, "statusUpdateSeconds"),
            r->fault, "statusReportSeconds (%u) must not be less than statusUpdateSeconds (%u)",
            (unsigned)c->status_report_s, (unsigned)c->status_update_s);
    return KM_OK;
}

static int read_document(struct reader *r)
{
    if (r->doc.root == NULL)
        return km_yaml_error(&r->doc, NULL, r->fault, "the file is empty, expected kind %s",
                             KM_NODE_CONFIG_KIND);
    if (r->doc.root->kind != KM_YAML_MAP)
        return km_yaml_error(&r->doc, r->doc.root, r->fault,
                             "expected a map with apiVersion and kind");
    int err = expect_text(r, "apiVersion", KM_NODE_CONFIG_API_VERSION);
    if (err == KM_OK)
        err = expect_text(r, "kind", KM_NODE_CONFIG_KIND);
    if (err == KM_OK)
        err = read_keys(r, r->doc.root, root_keys, sizeof root_keys / sizeof root_keys[0], "");
    return err != KM_OK ? err : check_periods(r);
}

int km_node_config_parse(const char *name, struct km_slice text, struct km_node_config *out,
                         struct km_fault *fault)
{
    struct reader r = {.out = out, .fault = fault};

    km_node_config_defaults(out);
    int err = km_yaml_parse(&r.doc, name, text, KM_YAML_ONE_DOCUMENT, fault);
    if (err != KM_OK)
        return err;
    err = read_document(&r);
    km_yaml_close(&r.doc);
    return err;
}

int km_node_config_load(const char *path, struct km_node_config *out, struct km_fault *fault)
{
    struct reader r = {.out = out, .fault = fault};

    km_node_config_defaults(out);
    if (path == NULL)
        return KM_OK;
    int err = km_yaml_load(&r.doc, path, KM_YAML_ONE_DOCUMENT, fault);
    if (err == KM_ERR_NOT_FOUND) {
        if (fault != NULL)
            fault->code = KM_ERR_CONFIG;
        return KM_ERR_CONFIG;
    }
    if (err != KM_OK)
        return err;
    err = read_document(&r);
    km_yaml_close(&r.doc);
    return err;
}
