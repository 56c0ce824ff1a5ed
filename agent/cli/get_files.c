/* SPDX-License-Identifier: Apache-2.0 */
/* get -f: the objects that files name, as the server has them. */
#include <string.h>

#include "get_priv.h"
#include "jsonpath.h"
#include "table.h"
#include "visit.h"

struct visit get_files = {.any_namespace = true, .live = true};

static struct {
    struct km_api_resource last;
    unsigned count;
    bool several, has_last;
    int status;
} work KM_POOL_STORAGE(cli_get_files);

static bool is_last(const struct km_api_resource *what)
{
    bool same = work.has_last && strcmp(what->plural, work.last.plural) == 0 &&
                strcmp(what->group, work.last.group) == 0 &&
                strcmp(what->version, work.last.version) == 0;
    if (!same) {
        work.last = *what;
        /* Its texts lie in the struct itself. */
        work.last.resource =
            (struct km_resource){work.last.group, work.last.version, work.last.plural};
    }
    work.several = work.several || (work.has_last && !same);
    work.has_last = true;
    return same;
}

static void look(const struct item *item)
{
    work.count++;
    (void)is_last(item->what);
}

static void print(const struct item *item)
{
    const struct get_place at = {item->what, item->ns, item->name};
    bool begun = is_last(item->what);
    if (!item_name_ok(item->name))
        return;
    if (!get_prints_tables()) {
        work.status |= get_objects(&at);
        return;
    }
    if (!begun)
        get_table_begin(item->what, get_options.show_kind || work.several);
    work.status |= get_table(&at);
}

static void end_tables(void)
{
    work.status |= table_end();
    if (get_files.count == 0 && !errors_any() && work.status == 0)
        get_say_none(!get_options.all_namespaces);
}

int get_from_files(const struct words *words)
{
    if (get_options.watch || get_options.watch_only)
        return cli_usage_error("--watch with -f is not supported: name the object's type");
    bool seen = visit_look(&get_files, words, look);
    bool many = !seen || work.count != 1 || !get_files.single;
    bool several = work.several;
    if (get_options.form == GET_JSONPATH && jsonpath_check(get_options.path, many) != 0)
        return 1;
    work.has_last = false;
    get_objects_begin(many);
    get_files.fn = print;
    work.several = several || !seen;
    (void)visit_all(&get_files, words);
    if (get_prints_tables())
        end_tables();
    else if (many && (work.count > 0 || !errors_any()))
        work.status |= get_objects_end();
    return errors_finish(true) | work.status;
}
