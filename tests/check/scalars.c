/* SPDX-License-Identifier: Apache-2.0 */
/* kubemote-check quantity, duration, time, labelselector, fieldselector, name: one string, its canonical form or the error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_scalar.h"
#include "kubemote/km_selector.h"

#define OUT_SIZE 65536
#define LABELS 64

static char out[OUT_SIZE];

static int refuse(const char *what, int err, const char *why)
{
    fprintf(stderr, "kubemote-check: %s: %s\n", what,
            why != NULL && why[0] != '\0' ? why
            : err == KM_ERR_SYNTAX        ? "malformed"
                                          : km_strerror(err));
    return 1;
}

static int accept(void)
{
    puts(out);
    return 0;
}

/* The text behind option `name` at argv[2], NULL when it is not there. */
static const char *option(int argc, char **argv, const char *name)
{
    return argc == 4 && strcmp(argv[2], name) == 0 ? argv[3] : NULL;
}

static bool has_flag(int argc, char **argv, const char *name)
{
    return argc == 3 && strcmp(argv[2], name) == 0;
}

static int print_scaled(const struct km_quantity *q, const char *scale)
{
    int64_t value;

    int err = km_quantity_scaled(q, (uint32_t)strtoul(scale, NULL, 10), &value);
    printf("%lld\n", (long long)value);
    return err == KM_OK ? 0 : refuse("quantity", err, "the value fits no 64-bit integer");
}

int check_quantity(int argc, char **argv)
{
    static struct km_quantity q, other;
    const char *scale = option(argc, argv, "--scale"), *with = option(argc, argv, "--compare");

    if (argc != 2 && scale == NULL && with == NULL)
        return check_usage("quantity");
    int err = km_quantity_read(km_slice_of(argv[1]), &q);
    if (err == KM_OK && scale != NULL)
        return print_scaled(&q, scale);
    if (err == KM_OK && with != NULL)
        err = km_quantity_read(km_slice_of(with), &other);
    if (err == KM_OK && with != NULL) {
        int order = km_quantity_compare(&q, &other);
        printf("%d\n", (order > 0) - (order < 0));
        return 0;
    }
    if (err == KM_OK)
        err = km_quantity_write(&q, out, sizeof out);
    return err == KM_OK ? accept()
                        : refuse("quantity", err,
                                 err == KM_ERR_SYNTAX
                                     ? "expected a number with a suffix such as 500m, 1.5Gi or 1e3"
                                     : NULL);
}

int check_duration(int argc, char **argv)
{
    int64_t ns;

    if (argc != 2 && !has_flag(argc, argv, "--human") && !has_flag(argc, argv, "--short"))
        return check_usage("duration");
    int err = km_duration_parse(km_slice_of(argv[1]), &ns);
    if (err != KM_OK)
        return refuse("duration", err,
                      "expected numbers with a unit such as 1h30m or 1.5s, within 292 years");
    if (argc == 2)
        km_duration_write(ns, out, sizeof out);
    else if (has_flag(argc, argv, "--human"))
        km_duration_human(ns, out, sizeof out);
    else
        km_duration_short(ns, out, sizeof out);
    return accept();
}

int check_time(int argc, char **argv)
{
    bool micro = has_flag(argc, argv, "--micro");

    if (argc != 2 && !micro)
        return check_usage("time");
    int err = micro ? km_time_canonical_micro(km_slice_of(argv[1]), out, sizeof out)
                    : km_time_canonical(km_slice_of(argv[1]), out, sizeof out);
    return err == KM_OK ? accept()
                        : refuse("time", err,
                                 micro ? "expected a time such as 2006-01-02T15:04:05.000000Z"
                                       : "expected a time such as 2006-01-02T15:04:05Z");
}

/* KEY=VALUE behind --match. -1: something else stands there. */
static int read_labels(int argc, char **argv, struct km_label labels[LABELS])
{
    int count = 0;

    for (int i = 3; i < argc; i++, count++) {
        const char *sign = strchr(argv[i], '=');
        if (sign == NULL || count == LABELS)
            return -1;
        labels[count].key = (struct km_slice){argv[i], (size_t)(sign - argv[i])};
        labels[count].value = km_slice_of(sign + 1);
    }
    return count;
}

static bool wants_match(int argc, char **argv, struct km_label labels[LABELS], int *count)
{
    *count = argc > 2 && strcmp(argv[2], "--match") == 0 ? read_labels(argc, argv, labels) : -1;
    return *count >= 0;
}

int check_labelselector(int argc, char **argv)
{
    static struct km_label_selector selector;
    struct km_label labels[LABELS];
    struct km_fault fault = {0};
    int count = 0;

    if (argc != 2 && !wants_match(argc, argv, labels, &count))
        return check_usage("labelselector");
    int err = km_label_selector_parse(km_slice_of(argv[1]), &selector, &fault);
    if (err == KM_OK)
        err = km_label_selector_write(&selector, out, sizeof out);
    if (err != KM_OK)
        return refuse("label selector", err, fault.text);
    if (argc > 2)
        (void)snprintf(out, sizeof out, "%s",
                       km_label_selector_matches(&selector, labels, (size_t)count) ? "true"
                                                                                   : "false");
    return accept();
}

int check_fieldselector(int argc, char **argv)
{
    static struct km_field_selector selector;
    struct km_label fields[LABELS];
    struct km_fault fault = {0};
    int count = 0;

    if (argc != 2 && !wants_match(argc, argv, fields, &count))
        return check_usage("fieldselector");
    int err = km_field_selector_parse(km_slice_of(argv[1]), &selector, &fault);
    if (err == KM_OK)
        err = km_field_selector_write(&selector, out, sizeof out);
    if (err != KM_OK)
        return refuse("field selector", err, fault.text);
    if (argc > 2)
        (void)snprintf(out, sizeof out, "%s",
                       km_field_selector_matches(&selector, fields, (size_t)count) ? "true"
                                                                                   : "false");
    return accept();
}

static enum km_name_kind kind_of(const char *word)
{
    unsigned kind = 0;

    while (kind < KM_NAME_KINDS && strcmp(km_name_kind_word((enum km_name_kind)kind), word) != 0)
        kind++;
    return (enum km_name_kind)kind;
}

int check_name(int argc, char **argv)
{
    const char *word = option(argc, argv, "--check");
    enum km_name_kind kind = word == NULL ? KM_NAME_DNS1123_SUBDOMAIN : kind_of(word);

    if ((argc != 2 && word == NULL) || kind == KM_NAME_KINDS)
        return check_usage("name");
    const char *problem = km_name_problem(kind, km_slice_of(argv[1]));
    if (problem != NULL)
        return refuse("name", KM_ERR_SYNTAX, problem);
    puts(argv[1]);
    return 0;
}
