/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The endpoint's request parser on arbitrary bytes: whole, byte by byte and in pieces it must say the same, leave the same
 * bytes over, and never take more than its bound.
 */
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    int result;
    size_t left;
    bool get, head, close, keep_alive, openmetrics, verbose, has_body;
    uint8_t minor;
    enum km_serve_path path;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static struct seen run(const char *data, size_t size, size_t piece)
{
    struct km_serve_request r;
    struct seen s;
    size_t at = 0;
    int result = KM_AGAIN;

    memset(&r, 0xaa, sizeof r);
    km_serve_request_init(&r);
    while (at < size && result == KM_AGAIN) {
        struct km_slice in = {data + at, size - at < piece ? size - at : piece};
        size_t len = in.len;

        result = km_serve_request_feed(&r, &in);
        check(in.len <= len && (result != KM_AGAIN || in.len == 0));
        at += len - in.len;
    }
    check(result == KM_OK || result == KM_AGAIN || result == KM_ERR_PROTOCOL ||
          result == KM_ERR_TOO_LONG);
    check(at <= CONFIG_KM_SERVE_HEAD_BYTES && r.len <= sizeof r.line);
    memset(&s, 0, sizeof s);
    s.result = result;
    s.left = size - at;
    if (result != KM_OK)
        return s;
    check(!r.has_body && r.hosts <= 1 && (r.minor == 0 || r.hosts == 1));
    s.get = r.get;
    s.head = r.head;
    s.close = r.close;
    s.keep_alive = r.keep_alive;
    s.openmetrics = r.openmetrics;
    s.verbose = r.verbose;
    s.minor = r.minor;
    s.path = r.path;
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole, other;

    if (size < 1)
        return 0;
    whole = run((const char *)data + 1, size - 1, size);
    other = run((const char *)data + 1, size - 1, 1);
    check(memcmp(&whole, &other, sizeof whole) == 0);
    other = run((const char *)data + 1, size - 1, (size_t)data[0] + 1);
    check(memcmp(&whole, &other, sizeof whole) == 0);
    return 0;
}
