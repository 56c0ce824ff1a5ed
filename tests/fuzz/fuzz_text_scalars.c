/* SPDX-License-Identifier: Apache-2.0 */
/* Every parser of room text on arbitrary bytes: what is accepted has a canonical form that is accepted and stays as it is. */
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_scalar.h"
#include "kubemote/km_selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char first[1 << 17], second[1 << 17];

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool quantity(struct km_slice text, char *out)
{
    static struct km_quantity q;
    int64_t value;

    if (km_quantity_read(text, &q) != KM_OK)
        return false;
    (void)km_quantity_scaled(&q, 1000, &value);
    check(km_quantity_write(&q, out, sizeof first) == KM_OK);
    return true;
}

static bool duration(struct km_slice text, char *out)
{
    int64_t ns;

    if (km_duration_parse(text, &ns) != KM_OK)
        return false;
    km_duration_human(ns, out, sizeof first);
    km_duration_write(ns, out, sizeof first);
    return true;
}

static bool micro_time(struct km_slice text, char *out)
{
    /* "null" and years of five digits are written but not read. */
    return km_time_canonical_micro(text, out, sizeof first) == KM_OK && strlen(out) == 27 &&
           out[0] != '-';
}

static bool label_selector(struct km_slice text, char *out)
{
    static struct km_label_selector s;

    if (km_label_selector_parse(text, &s, NULL) != KM_OK)
        return false;
    (void)km_label_selector_matches(&s, NULL, 0);
    check(km_label_selector_write(&s, out, sizeof first) == KM_OK);
    return true;
}

static bool field_selector(struct km_slice text, char *out)
{
    static struct km_field_selector s;

    if (km_field_selector_parse(text, &s, NULL) != KM_OK)
        return false;
    (void)km_field_selector_matches(&s, NULL, 0);
    check(km_field_selector_write(&s, out, sizeof first) == KM_OK);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const parsers[])(struct km_slice text, char *out) = {
        quantity, duration, micro_time, label_selector, field_selector};
    struct km_slice text;

    if (size < 1 || size > 60000)
        return 0;
    text = (struct km_slice){(const char *)data + 1, size - 1};
    for (unsigned kind = 0; kind <= KM_NAME_KINDS; kind++)
        (void)km_name_problem((enum km_name_kind)kind, text);
    size_t which = data[0] % (sizeof parsers / sizeof parsers[0]);
    if (!parsers[which](text, first) || memchr(text.ptr, '\0', text.len) != NULL)
        return 0;
    /* Quantities beyond the table of suffixes lose theirs, as in apimachinery: they are other ones then. */
    check(parsers[which](km_slice_of(first), second));
    check(which == 0 || strcmp(first, second) == 0);
    return 0;
}
