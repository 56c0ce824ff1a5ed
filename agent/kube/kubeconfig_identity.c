/* SPDX-License-Identifier: Apache-2.0 */
/* Name and password, and who is to be impersonated, as header lines. */
#include <string.h>

#include "kube_priv.h"
#include "kubeconfig_reader.h"

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static int too_long(struct km_fault *fault)
{
    return km_fault_set(
        fault, KM_ERR_CONFIG,
        "impersonation and credentials need more than %d bytes (CONFIG_KM_CRED_BYTES)",
        CONFIG_KM_CRED_BYTES);
}

/* What the writer of requests takes: printable ASCII, no blanks around. A line end would begin another header. */
static bool is_value(struct km_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || (unsigned char)text.ptr[i] > 0x7e)
            return false;
    }
    return text.len > 0 && text.ptr[0] != ' ' && text.ptr[text.len - 1] != ' ';
}

static int put_line(const struct kubeconfig_reader *r, struct km_buf *out, const char *name,
                    struct km_slice value, struct km_fault *fault)
{
    static const char problem[] = ": it must be printable ASCII without blanks around";
    if (!is_value(value))
        return r != NULL ? km_yaml_error(&r->doc, r->user, fault, "%s%s", name, problem)
                         : km_fault_set(fault, KM_ERR_CONFIG, "%s%s", name, problem);
    km_buf_puts(out, name);
    km_buf_puts(out, ": ");
    km_buf_put_slice(out, value);
    km_buf_puts(out, "\r\n");
    return KM_OK;
}

/* ---- name and password ---- */

static void put_base64(struct km_buf *out, const char *text, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < len ? (unsigned char)text[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            km_buf_putc(out, i + k > len ? '=' : digits[bits >> (18 - 6 * k) & 63]);
    }
}

static int put_password(const struct kubeconfig_reader *r, struct km_buf *out)
{
    const struct km_yaml_node *name_node, *password_node;
    struct km_slice name, password;
    char both[512];
    struct km_buf text;
    int err = kubeconfig_get_text(r, r->user, "username", &name, &name_node);
    if (err == KM_OK)
        err = kubeconfig_get_text(r, r->user, "password", &password, &password_node);
    if (err != KM_OK || (name_node == NULL && password_node == NULL))
        return err;
    const struct km_yaml_node *node = name_node != NULL ? name_node : password_node;
    if (r->out->token.len > 0 || r->out->token_file[0] != '\0' ||
        kubeconfig_is_set(km_yaml_get(r->user, "token")))
        return km_yaml_error(&r->doc, node, r->fault,
                             "more than one authentication method: token and username, leave one "
                             "out");
    km_buf_init(&text, both, sizeof both);
    km_buf_put_slice(&text, name);
    km_buf_putc(&text, ':');
    km_buf_put_slice(&text, password);
    if (text.overflow)
        return km_yaml_error(&r->doc, node, r->fault,
                             "username and password: more than %d bytes together",
                             (int)sizeof both - 2);
    if (name_node != NULL && r->out->tls) {
        km_buf_puts(out, "Authorization: Basic ");
        put_base64(out, both, text.len);
        km_buf_puts(out, "\r\n");
    }
    kube_wipe(both, sizeof both);
    return KM_OK;
}

/* ---- impersonation ---- */

/* What may not stand in a header's name, and the percent sign, is escaped. */
static void put_extra_name(struct km_buf *out, struct km_slice key)
{
    static const char hex[] = "0123456789ABCDEF";
    km_buf_puts(out, "Impersonate-Extra-");
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c != '\0' && strchr("!#$&'*+-.^_`|~", c) != NULL);
        if (plain) {
            km_buf_putc(out, (char)c);
        } else {
            km_buf_putc(out, '%');
            km_buf_putc(out, hex[c >> 4]);
            km_buf_putc(out, hex[c & 15]);
        }
    }
}

static int put_list(const struct kubeconfig_reader *r, const struct km_yaml_node *list,
                    const char *what, const char *header, struct km_buf *out)
{
    if (list == NULL || list->kind == KM_YAML_NULL)
        return KM_OK;
    if (list->kind != KM_YAML_LIST)
        return km_yaml_error(&r->doc, list, r->fault, "%s: expected a list", what);
    for (const struct km_yaml_node *item = list->first; item != NULL; item = item->next) {
        struct km_slice text;
        int err = km_yaml_string(&r->doc, item, what, &text, r->fault);
        if (err == KM_OK)
            err = put_line(r, out, header, text, r->fault);
        if (err != KM_OK)
            return err;
    }
    return KM_OK;
}

static int put_extras(const struct kubeconfig_reader *r, struct km_buf *out)
{
    const struct km_yaml_node *map = km_yaml_get(r->user, "as-user-extra");
    if (map == NULL || map->kind == KM_YAML_NULL)
        return KM_OK;
    if (map->kind != KM_YAML_MAP)
        return km_yaml_error(&r->doc, map, r->fault, "as-user-extra: expected a map of lists");
    for (const struct km_yaml_node *member = map->first; member != NULL; member = member->next) {
        char name[320];
        struct km_buf header;
        km_buf_init(&header, name, sizeof name);
        put_extra_name(&header, member->key);
        if (header.overflow)
            return km_yaml_error(&r->doc, member, r->fault, "as-user-extra: the key is too long");
        int err = put_list(r, member, "as-user-extra", name, out);
        if (err != KM_OK)
            return err;
    }
    return KM_OK;
}

static int get_user(const struct kubeconfig_reader *r, const struct km_kubeconfig_options *opt,
                    struct km_slice *user)
{
    const struct km_yaml_node *node;
    *user = km_slice_of(is_given(opt->as) ? opt->as : "");
    return r != NULL && user->len == 0 ? kubeconfig_get_text(r, r->user, "as", user, &node) : KM_OK;
}

static int put_uid(const struct kubeconfig_reader *r, const struct km_kubeconfig_options *opt,
                   struct km_buf *out, struct km_fault *fault)
{
    const struct km_yaml_node *node;
    struct km_slice uid = km_slice_of(is_given(opt->as_uid) ? opt->as_uid : "");
    int err =
        r != NULL && uid.len == 0 ? kubeconfig_get_text(r, r->user, "as-uid", &uid, &node) : KM_OK;
    return err == KM_OK && uid.len > 0 ? put_line(r, out, "Impersonate-Uid", uid, fault) : err;
}

static int put_groups(const struct kubeconfig_reader *r, const struct km_kubeconfig_options *opt,
                      struct km_buf *out, struct km_fault *fault)
{
    int err = KM_OK;
    for (uint16_t i = 0; err == KM_OK && i < opt->as_group_count; i++)
        err = put_line(r, out, "Impersonate-Group", km_slice_of(opt->as_groups[i]), fault);
    if (err != KM_OK || r == NULL || opt->as_group_count > 0)
        return err;
    return put_list(r, km_yaml_get(r->user, "as-groups"), "as-groups", "Impersonate-Group", out);
}

static int put_impersonation(const struct kubeconfig_reader *r,
                             const struct km_kubeconfig_options *opt, struct km_buf *out,
                             struct km_fault *fault)
{
    struct km_slice user;
    int err = get_user(r, opt, &user);
    if (err == KM_OK && user.len > 0)
        err = put_line(r, out, "Impersonate-User", user, fault);
    size_t before = out->len;
    if (err == KM_OK)
        err = put_uid(r, opt, out, fault);
    if (err == KM_OK)
        err = put_groups(r, opt, out, fault);
    if (err == KM_OK && r != NULL)
        err = put_extras(r, out);
    if (err == KM_OK && user.len == 0 && out->len > before)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "Error in configuration: requesting uid, groups or user-extra for %s "
                            "without impersonating a user",
                            r != NULL ? r->user_name : "");
    return err;
}

int kubeconfig_identity(const struct kubeconfig_reader *r, const struct km_kubeconfig_options *opt,
                        struct km_kubeconfig *out, struct km_fault *fault)
{
    size_t space = sizeof out->store - out->store_len;
    struct km_buf lines;
    km_buf_init(&lines, out->store + out->store_len, space);
    int err = r != NULL ? put_password(r, &lines) : KM_OK;
    if (err == KM_OK)
        err = put_impersonation(r, opt, &lines, fault);
    if (err != KM_OK)
        return err;
    if (lines.overflow)
        return too_long(fault);
    if (lines.len > 0)
        out->headers = kubeconfig_store_keep(out, lines.len);
    return KM_OK;
}
