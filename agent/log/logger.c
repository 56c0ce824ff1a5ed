/* SPDX-License-Identifier: Apache-2.0 */
#include "log_priv.h"

size_t km_log_chain(const struct km_logger *logger, const struct km_logger *chain[KM_LOGGER_DEPTH])
{
    size_t depth = 0;

    for (; logger != NULL && depth < KM_LOGGER_DEPTH; logger = logger->parent)
        chain[depth++] = logger;
    return depth;
}

bool km_log_is_named(const struct km_logger *logger)
{
    const struct km_logger *chain[KM_LOGGER_DEPTH];
    size_t depth = km_log_chain(logger, chain);

    while (depth > 0) {
        if (chain[--depth]->name != NULL)
            return true;
    }
    return false;
}

void km_log_put_name(struct km_log_line *line, const struct km_logger *logger,
                     void (*put)(struct km_log_line *line, struct km_slice text))
{
    const struct km_logger *chain[KM_LOGGER_DEPTH];
    size_t depth = km_log_chain(logger, chain);
    bool first = true;

    while (depth > 0) {
        const char *name = chain[--depth]->name;

        if (name == NULL)
            continue;
        if (!first)
            km_log_line_puts(line, ".");
        put(line, km_slice_of(name));
        first = false;
    }
}
