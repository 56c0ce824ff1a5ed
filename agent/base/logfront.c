/* SPDX-License-Identifier: Apache-2.0 */
#include "kubemote/km_log.h"

static struct km_log_sink current;
static bool emitting;

void km_log_set_sink(const struct km_log_sink *sink)
{
    if (sink == NULL)
        current = (struct km_log_sink){0};
    else
        current = *sink;
}

bool km_log_enabled(int level)
{
    return current.write != NULL && level <= current.verbosity;
}

void km_log_emit(const struct km_log_record *record)
{
    /* A sink that fails and says so by a log line must not call itself. */
    if (current.write == NULL || emitting)
        return;
    emitting = true;
    current.write(current.ctx, record);
    emitting = false;
}
