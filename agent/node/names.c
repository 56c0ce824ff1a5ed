/* SPDX-License-Identifier: Apache-2.0 */
/* Syntax of node names and labels, and the labels that the agent writes. */
#include <string.h>

#include "km_version.h"
#include "kubemote/km_facts.h"
#include "kubemote/km_yaml.h"
#include "node_priv.h"

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* Letters and digits, with '-', '_' and '.' between them. */
static bool is_label_text(struct km_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool edge = i == 0 || i + 1 == text.len;
        if (!is_alnum(text.ptr[i]) && (edge || memchr("-_.", text.ptr[i], 3) == NULL))
            return false;
    }
    return text.len > 0 && text.len <= 63;
}

/* RFC 1123 subdomain: parts of lower-case letters, digits and inner '-', with dots between. Kubernetes bounds the whole
   to 253 bytes, and the parts not at all. */
static bool is_subdomain(struct km_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool edge = i == 0 || i + 1 == text.len || text.ptr[i - 1] == '.' || text.ptr[i + 1] == '.';
        if (!is_lower(text.ptr[i]) && (edge || (text.ptr[i] != '-' && text.ptr[i] != '.')))
            return false;
    }
    return text.len > 0 && text.len <= 253;
}

int km_node_name_check(const char *name, struct km_fault *fault)
{
    char show[KM_SHOW_SIZE];

    if (is_subdomain(km_slice_of(name)))
        return KM_OK;
    return km_fault_set(fault, KM_ERR_CONFIG,
                        "node name \"%s\" is no DNS label: a-z, 0-9 and inner '-', dots between "
                        "parts, at most 253 bytes",
                        km_slice_show(km_slice_of(name), show));
}

/* The part before the slash, empty when there is none; *name gets the rest. */
static struct km_slice split_key(struct km_slice key, struct km_slice *name)
{
    const char *slash = key.len == 0 ? NULL : memchr(key.ptr, '/', key.len);

    if (slash == NULL) {
        *name = key;
        return (struct km_slice){"", 0};
    }
    size_t at = (size_t)(slash - key.ptr);
    *name = (struct km_slice){slash + 1, key.len - at - 1};
    return (struct km_slice){key.ptr, at};
}

static bool is_label_key(struct km_slice key)
{
    struct km_slice name, prefix = split_key(key, &name);
    bool has_prefix = name.len != key.len;

    return is_label_text(name) && (!has_prefix || is_subdomain(prefix));
}

int km_label_check(struct km_slice key, struct km_slice value, const char *what,
                   struct km_fault *fault)
{
    char show[KM_SHOW_SIZE];

    if (!is_label_key(key))
        return km_fault_set(
            fault, KM_ERR_CONFIG,
            "%s: \"%s\" is no label key: [prefix/]name, name of at most 63 of A-Z a-z 0-9 - _ .",
            what, km_slice_show(key, show));
    if (value.len > 0 && !is_label_text(value))
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "%s: \"%s\" is no label value: at most 63 of A-Z a-z 0-9 - _ .", what,
                            km_slice_show(value, show));
    return KM_OK;
}

/* namespace itself or a subdomain of it */
static bool is_within(struct km_slice prefix, const char *domain)
{
    size_t len = strlen(domain);

    if (prefix.len < len || memcmp(prefix.ptr + (prefix.len - len), domain, len) != 0)
        return false;
    return prefix.len == len || prefix.ptr[prefix.len - len - 1] == '.';
}

bool km_label_is_allowed(struct km_slice key)
{
    static const char *const own[] = {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
    };
    struct km_slice name, prefix = split_key(key, &name);

    if (!is_within(prefix, "kubernetes.io") && !is_within(prefix, "k8s.io"))
        return true;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (km_slice_eq_str(key, own[i]))
            return true;
    }
    return is_within(prefix, "kubelet.kubernetes.io") || is_within(prefix, "node.kubernetes.io");
}

/* ---- the agent's labels ---- */

static void put_label(struct km_label *out, uint16_t *count, const char *key, const char *value)
{
    for (uint16_t i = 0; i < *count; i++) {
        if (strcmp(out[i].key, key) == 0) {
            out[i].value = value;
            return;
        }
    }
    if (*count < CONFIG_KM_NODE_LABEL_COUNT)
        out[(*count)++] = (struct km_label){key, value};
}

uint16_t km_node_labels(const struct km_facts *facts, const struct km_node_config *config,
                        const char *node_name, struct km_label out[CONFIG_KM_NODE_LABEL_COUNT])
{
    uint16_t count = 0;

    put_label(out, &count, "kubernetes.io/arch", facts->architecture);
    if (config->register_os_label)
        put_label(out, &count, "kubernetes.io/os", facts->operating_system);
    if (config->register_hostname_label)
        put_label(out, &count, "kubernetes.io/hostname", node_name);
    if (config->region[0] != '\0')
        put_label(out, &count, "topology.kubernetes.io/region", config->region);
    if (config->exclude_from_load_balancers)
        put_label(out, &count, "node.kubernetes.io/exclude-from-external-load-balancers", "");
    for (uint16_t i = 0; i < config->label_count; i++)
        put_label(out, &count, config->labels[i].key, config->labels[i].value);
    return count;
}

/* ---- the version ---- */

/* One to four digits from *text on; moves it behind them. */
static bool take_number(const char **text, uint64_t *out)
{
    size_t digits = strspn(*text, "0123456789");
    struct km_slice number = {*text, digits};

    *text += digits;
    return digits <= 4 && km_slice_to_u64(number, out) == KM_OK;
}

bool node_kubelet_version(const char *git_version, char *out, size_t out_size)
{
    uint64_t major, minor;
    struct km_buf buf;

    if (*git_version++ != 'v' || !take_number(&git_version, &major) || *git_version++ != '.' ||
        !take_number(&git_version, &minor))
        return false;
    km_buf_init(&buf, out, out_size);
    km_buf_printf(&buf, "v%u.%u.0-kubemote." KM_VERSION, (unsigned)major, (unsigned)minor);
    return !buf.overflow;
}
