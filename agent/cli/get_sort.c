/* SPDX-License-Identifier: Apache-2.0 */
/* --sort-by of objects and names: all of them are held back, each as a line behind its key. */
#include <string.h>

#include "get_priv.h"
#include "kubemote/km_json.h"
#include "table.h"

static struct {
    char data[CONFIG_KM_CLI_SORT_BYTES];
    struct km_buf text;
    size_t count;
    bool keys_seen;
} held KM_POOL_STORAGE(cli_sorted);

struct km_buf *get_sort_begin(void)
{
    km_buf_init(&held.text, held.data, sizeof held.data);
    held.count = 0;
    held.keys_seen = false;
    return &held.text;
}

/* Compact JSON has neither \x01 nor line breaks. */
int get_sort_add(struct km_slice object, struct km_slice line)
{
    struct km_slice key;
    bool found =
        km_json_find(object, get_sort_at, &key) == KM_OK && key.ptr[0] != '{' && key.ptr[0] != '[';
    held.keys_seen = held.keys_seen || found;
    if (found && key.ptr[0] != 'n')
        km_buf_put_slice(&held.text, key);
    km_buf_putc(&held.text, '\x01');
    km_buf_put_slice(&held.text, line);
    km_buf_putc(&held.text, '\n');
    held.text.overflow = held.text.overflow || ++held.count > TABLE_SORT_COUNT;
    return held.text.overflow ? KM_ERR_TOO_LONG : KM_OK;
}

int get_sort_fail(void)
{
    held.text.overflow = true;
    return cli_usage_error("--sort-by holds objects of up to %d bytes, all together %d "
                           "(CONFIG_KM_CLI_OBJECT_BYTES, CONFIG_KM_CLI_SORT_BYTES)",
                           CONFIG_KM_CLI_OBJECT_BYTES, CONFIG_KM_CLI_SORT_BYTES);
}

int get_sort_end(int (*print)(struct km_slice line))
{
    size_t count;
    int err = KM_OK;
    if (held.text.overflow)
        return 1;
    if (held.count > 0 && !held.keys_seen)
        return table_sort_lacks_key(get_options.sort_by);
    const uint32_t *order = table_sort(km_buf_slice(&held.text), &count);
    for (size_t i = 0; err == KM_OK && i < count; i++) {
        const char *line = strchr(held.data + order[i], '\x01') + 1;
        err = print((struct km_slice){line, (size_t)(strchr(line, '\n') - line)});
    }
    return err;
}
