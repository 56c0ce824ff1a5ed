/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "kube_priv.h"
#include "kubeconfig_priv.h"
#include "kubemote/km_port.h"
#include "kubemote/km_yaml.h"

void kube_wipe(void *data, size_t len)
{
    volatile char *p = data;
    while (len-- > 0)
        *p++ = 0;
}

void km_kubeconfig_wipe_key(struct km_kubeconfig *config)
{
    if (config->key.len > 0)
        kube_wipe(config->store + (config->key.ptr - config->store), config->key.len);
    config->key = (struct km_slice){"", 0};
}

void km_kubeconfig_wipe(struct km_kubeconfig *config)
{
    kube_wipe(config->store, sizeof config->store);
    config->store_len = 0;
    config->ca = config->cert = config->key = config->token = config->headers =
        (struct km_slice){"", 0};
}

void kubeconfig_reset(struct km_kubeconfig *out)
{
    memset(out, 0, offsetof(struct km_kubeconfig, store));
    out->ca = out->cert = out->key = out->token = out->headers = (struct km_slice){"", 0};
}

/* ---- the store: values one after another, each with a NUL ---- */

/* Bytes that are free, the NUL of the next value among them. */
static size_t store_space(const struct km_kubeconfig *out)
{
    return sizeof out->store - out->store_len;
}

struct km_slice kubeconfig_store_keep(struct km_kubeconfig *out, size_t len)
{
    struct km_slice taken = {out->store + out->store_len, len};

    out->store[out->store_len + len] = '\0';
    out->store_len += len + 1;
    return taken;
}

int kubeconfig_store(struct km_kubeconfig *out, struct km_slice bytes, struct km_slice *value)
{
    if (store_space(out) <= bytes.len)
        return KM_ERR_TOO_LONG;
    memcpy(out->store + out->store_len, bytes.ptr, bytes.len);
    *value = kubeconfig_store_keep(out, bytes.len);
    return KM_OK;
}

int kubeconfig_store_base64(struct km_kubeconfig *out, struct km_slice text, struct km_slice *value)
{
    if (store_space(out) == 0)
        return KM_ERR_TOO_LONG;
    int len = km_base64_decode(text, out->store + out->store_len, store_space(out) - 1);
    if (len < 0)
        return len;
    *value = kubeconfig_store_keep(out, (size_t)len);
    return KM_OK;
}

int kubeconfig_store_file(struct km_kubeconfig *out, const char *what, const char *path,
                          struct km_slice *value, struct km_fault *fault)
{
    size_t space = store_space(out);
    int len = KM_ERR_TOO_LONG;

    errno = 0;
    if (space > 0)
        len = km_port_file_read(path, out->store + out->store_len, space);
    int system_error = errno;
    if (len == KM_ERR_TOO_LONG)
        return km_fault_set(fault, KM_ERR_CONFIG,
                            "%s %s: more than %d bytes for all credentials (CONFIG_KM_CRED_BYTES)",
                            what, km_path_tail(path), CONFIG_KM_CRED_BYTES);
    if (len < 0)
        return km_fault_set(fault, KM_ERR_CONFIG, "unable to read %s %s: %s", what,
                            km_path_tail(path), km_file_problem(len, system_error));
    if (len == 0)
        return km_fault_set(fault, KM_ERR_CONFIG, "%s %s: the file is empty", what,
                            km_path_tail(path));
    *value = kubeconfig_store_keep(out, (size_t)len);
    return KM_OK;
}

/* ---- tokens ---- */

bool kubeconfig_is_token(struct km_slice token)
{
    for (size_t i = 0; i < token.len; i++) {
        if ((unsigned char)token.ptr[i] <= 0x20 || (unsigned char)token.ptr[i] >= 0x7f)
            return false;
    }
    return token.len > 0;
}

struct km_slice kubeconfig_trim(struct km_slice text)
{
    return km_slice_trim_set(text, " \t\n\v\f\r");
}

int kubeconfig_store_token_file(struct km_kubeconfig *out, const char *path, struct km_fault *fault)
{
    struct km_slice text;

    int err = kubeconfig_store_file(out, "tokenFile", path, &text, fault);
    if (err != KM_OK)
        return err;
    text = kubeconfig_trim(text);
    if (!kubeconfig_is_token(text))
        return km_fault_set(fault, KM_ERR_CONFIG, "tokenFile %s: it holds no token",
                            km_path_tail(path));
    out->token = text;
    return KM_OK;
}

/* ---- base64 ---- */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int km_base64_decode(struct km_slice text, char *out, size_t out_size)
{
    uint32_t bits = 0;
    size_t len = 0, digits = 0, pads = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '\n' || c == '\r')
            continue;
        int value = c == '=' ? 0 : base64_value(c);
        if (value < 0 || (c != '=' && pads > 0))
            return KM_ERR_SYNTAX;
        pads += c == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 != 0)
            continue;
        /* Padding that begins a group shows as more than two, or as bits that are set. */
        if (pads > 2 || (bits & ((1u << (8 * pads)) - 1)) != 0)
            return KM_ERR_SYNTAX;
        for (size_t k = 0; k < 3 - pads; k++) {
            if (len == out_size)
                return KM_ERR_TOO_LONG;
            out[len++] = (char)(bits >> (16 - 8 * k) & 0xff);
        }
        bits = 0;
    }
    return digits % 4 == 0 ? (int)len : KM_ERR_SYNTAX;
}
