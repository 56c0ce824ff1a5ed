/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_log.h"
#include "kubemote/km_saved.h"

#define RETRY_MS 10000 /* after a failed write, at least */

static void on_timer(void *ctx, int64_t now_ms);

static void name_counter(struct km_saved *saved, size_t i, struct km_counter *counter,
                         const char *what, const char *help)
{
    (void)km_format(saved->counter_names[i], sizeof saved->counter_names[i],
                    "kubemote_saved_version_%s_total{resource=\"%s\"}", what, saved->name);
    counter->name = saved->counter_names[i];
    counter->help = help;
    km_counter_register(counter);
}

void km_saved_init(struct km_saved *saved, struct km_timers *timers)
{
    saved->timers = timers;
    saved->timer.fn = on_timer;
    saved->timer.ctx = saved;
    name_counter(saved, 0, &saved->writes, "writes",
                 "resourceVersions written, each one wears flash.");
    name_counter(saved, 1, &saved->failures, "failures",
                 "resourceVersions that could not be saved.");
}

/* Opaque, but no server makes one of anything but these; a damaged file must not get into a request. */
static bool is_version(struct km_slice text)
{
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_' || c == '.';
        if (!ok)
            return false;
    }
    return true;
}

int km_saved_load(struct km_saved *saved, char *rv, size_t rv_size)
{
    char text[KM_SAVED_SIZE + 1];
    rv[0] = '\0';
    int n = km_port_file_read(saved->path, text, sizeof text);
    if (n == KM_ERR_NOT_FOUND)
        return n;
    struct km_slice version = {.ptr = text, .len = n > 0 ? (size_t)n : 0};
    /* The line's end shows that the text is whole. */
    bool whole = version.len > 0 && text[version.len - 1] == '\n';
    version.len -= whole ? 1 : 0;
    if (!whole || !is_version(version) || km_slice_copy(version, rv, rv_size) != KM_OK) {
        rv[0] = '\0';
        KM_WARN("The saved resourceVersion can't be used, starting over",
                KM_S("resource", saved->name), KM_S("file", saved->path));
        return n < 0 ? n : KM_ERR_SYNTAX;
    }
    (void)km_slice_copy(version, saved->noted, sizeof saved->noted);
    (void)km_slice_copy(version, saved->written, sizeof saved->written);
    return KM_OK;
}

int km_saved_write(struct km_saved *saved)
{
    char text[KM_SAVED_SIZE + 1];
    if (strcmp(saved->noted, saved->written) == 0)
        return KM_OK;
    int len = km_format(text, sizeof text, "%s\n", saved->noted);
    int err = km_port_file_replace(saved->path, text, (size_t)len);
    if (err != KM_OK) {
        saved->failures.value++;
        if (!saved->failing)
            KM_WARN("The resourceVersion can't be saved", KM_S("resource", saved->name),
                    KM_S("file", saved->path));
        saved->failing = true;
        return err;
    }
    saved->writes.value++;
    saved->failing = false;
    memcpy(saved->written, saved->noted, sizeof saved->written);
    return KM_OK;
}

static void write_and_wait(struct km_saved *saved, int64_t now_ms)
{
    int64_t wait_ms = saved->interval_ms;
    bool failed = km_saved_write(saved) != KM_OK;
    if (failed && wait_ms < RETRY_MS)
        wait_ms = RETRY_MS;
    saved->next_ms = now_ms + wait_ms;
    if (failed)
        (void)km_timer_set(saved->timers, &saved->timer, saved->next_ms);
}

static void on_timer(void *ctx, int64_t now_ms)
{
    write_and_wait(ctx, now_ms);
}

void km_saved_note(struct km_saved *saved, const char *rv, int64_t now_ms)
{
    if (km_slice_copy(km_slice_of(rv), saved->noted, sizeof saved->noted) != KM_OK)
        return;
    if (now_ms >= saved->next_ms)
        write_and_wait(saved, now_ms);
    else
        (void)km_timer_set(saved->timers, &saved->timer, saved->next_ms);
}
