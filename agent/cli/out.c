/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include "cli_priv.h"
#include "kubemote/km_port.h"

static char data[4096] KM_POOL_STORAGE(cli_out);
static size_t used;
static bool broken, went;

void out_flush(void)
{
    if (used > 0 && !broken)
        broken = km_port_write(1, data, used) != KM_OK;
    went = went || used > 0;
    used = 0;
}

bool out_went(void)
{
    return went;
}

bool out_works(void)
{
    return !broken;
}

void out_bytes(const char *bytes, size_t len)
{
    while (len > 0) {
        size_t room = sizeof data - used, n = len < room ? len : room;
        memcpy(data + used, bytes, n);
        used += n;
        bytes += n;
        len -= n;
        if (used == sizeof data)
            out_flush();
    }
}

void out_slice(struct km_slice text)
{
    out_bytes(text.ptr, text.len);
}

void out_text(const char *text)
{
    out_bytes(text, strlen(text));
}

void out_printf(const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int len = km_format_list(line, sizeof line, format, args);
    va_end(args);
    if (len > 0)
        out_bytes(line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

/* Standard output goes first, so that both read in order on a terminal. */
void err_printf(const char *format, ...)
{
    char line[2048];
    va_list args;
    out_flush();
    va_start(args, format);
    int len = km_format_list(line, sizeof line, format, args);
    va_end(args);
    if (len > 0)
        (void)km_port_write(2, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

void err_text(const char *text)
{
    out_flush();
    (void)km_port_write(2, text, strlen(text));
}

static bool progress_shown;

void progress(const char *format, ...)
{
    char line[512];
    va_list args;
    if (!cli.env->terminal)
        return;
    va_start(args, format);
    (void)km_format_list(line, sizeof line, format, args);
    va_end(args);
    err_printf("\r\033[K%s", line);
    progress_shown = true;
}

void progress_end(void)
{
    if (progress_shown)
        err_text("\r\033[K");
    progress_shown = false;
}

void out_pad(size_t from, size_t width)
{
    for (size_t i = from; i < width; i++)
        out_bytes(" ", 1);
}

size_t text_width(struct km_slice text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.len; i++)
        width += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return width;
}
