/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli_priv.h"

struct parser {
    const struct flag *const *tables;
    int argc, at;
    char **argv;
    struct km_fault *fault;
    struct flag help;
};

const struct flag *flag_find(const struct flag *const tables[], struct km_slice name, char letter)
{
    for (const struct flag *const *table = tables; *table != NULL; table++) {
        for (const struct flag *f = *table; f->name != NULL; f++) {
            if (letter != 0 ? f->letter == letter : km_slice_eq_str(name, f->name))
                return f;
        }
    }
    return NULL;
}

static const struct flag *find(const struct parser *p, struct km_slice name, char letter)
{
    const struct flag *f = flag_find(p->tables, name, letter);
    bool help = letter == 'h' || km_slice_eq_str(name, "help");
    return f == NULL && help ? &p->help : f;
}

/* What a value that does not fit is told; `parse`: Go's function that would not take it. */
static int refuse(const struct flag *f, const char *value, const char *parse,
                  struct km_fault *fault)
{
    char letter[8] = {'-', f->letter, ',', ' ', '\0'};
    return km_fault_set(fault, KM_ERR_CONFIG,
                        "invalid argument \"%.60s\" for \"%s--%s\" flag: strconv.%s: parsing "
                        "\"%.60s\": invalid syntax",
                        value, f->letter != 0 ? letter : "", f->name, parse, value);
}

static int put_bool(const struct flag *f, const char *value, struct km_fault *fault)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(value, yes[i]) != 0 && strcmp(value, no[i]) != 0)
            continue;
        bool is = strcmp(value, yes[i]) == 0;
        if (f->kind == FLAG_BOOL)
            *(bool *)f->out = is;
        else
            *(enum km_choice *)f->out = is ? KM_YES : KM_NO;
        return KM_OK;
    }
    return refuse(f, value, "ParseBool", fault);
}

static int put_int(const struct flag *f, const char *value, struct km_fault *fault)
{
    bool negative = value[0] == '-';
    uint64_t number;
    if (km_slice_to_u64(km_slice_of(value + negative), &number) != KM_OK || number > INT32_MAX)
        return refuse(f, value, "ParseInt", fault);
    *(int64_t *)f->out = negative ? -(int64_t)number : (int64_t)number;
    return KM_OK;
}

static int put_texts(const struct flag *f, const char *value, struct km_fault *fault)
{
    struct flag_texts *texts = f->out;
    if (value[0] == '\0' && f->without == NULL)
        return KM_OK;
    if (texts->count >= FLAG_TEXT_COUNT)
        return km_fault_set(fault, KM_ERR_CONFIG, "--%s may stand %d times at most", f->name,
                            FLAG_TEXT_COUNT);
    texts->items[texts->count++] = value;
    return KM_OK;
}

static int put(const struct flag *f, const char *value, struct km_fault *fault)
{
    switch (f->kind) {
    case FLAG_BOOL:
    case FLAG_CHOICE:
        return put_bool(f, value, fault);
    case FLAG_INT:
        return put_int(f, value, fault);
    case FLAG_TEXTS:
        return put_texts(f, value, fault);
    default:
        *(const char **)f->out = value;
        return KM_OK;
    }
}

const char *flag_implied(const struct flag *f)
{
    if (f->kind == FLAG_MAYBE)
        return f->without;
    return f->kind == FLAG_BOOL || f->kind == FLAG_CHOICE ? "true" : NULL;
}

static int take_long(struct parser *p, const char *arg)
{
    const char *equals = strchr(arg, '=');
    struct km_slice name = {arg, equals == NULL ? strlen(arg) : (size_t)(equals - arg)};
    const struct flag *f = find(p, name, 0);
    if (f == NULL)
        return km_fault_set(p->fault, KM_ERR_CONFIG, "unknown flag: --%.*s",
                            (int)(name.len < 80 ? name.len : 80), name.ptr);
    if (equals != NULL)
        return put(f, equals + 1, p->fault);
    if (flag_implied(f) != NULL)
        return put(f, flag_implied(f), p->fault);
    if (p->at + 1 >= p->argc)
        return km_fault_set(p->fault, KM_ERR_CONFIG, "flag needs an argument: --%s", f->name);
    return put(f, p->argv[++p->at], p->fault);
}

static int take_letters(struct parser *p, const char *letters)
{
    for (const char *c = letters; *c != '\0'; c++) {
        const struct flag *f = find(p, (struct km_slice){0}, *c);
        if (f == NULL)
            return km_fault_set(p->fault, KM_ERR_CONFIG, "unknown shorthand flag: '%c' in -%.60s",
                                *c, c);
        if (c[1] == '=' && c[2] != '\0')
            return put(f, c + 2, p->fault);
        if (flag_implied(f) != NULL) {
            int err = put(f, flag_implied(f), p->fault);
            if (err != KM_OK)
                return err;
            continue;
        }
        if (c[1] != '\0')
            return put(f, c + 1, p->fault);
        if (p->at + 1 >= p->argc)
            return km_fault_set(p->fault, KM_ERR_CONFIG, "flag needs an argument: '%c' in -%.60s",
                                *c, c);
        return put(f, p->argv[++p->at], p->fault);
    }
    return KM_OK;
}

static int take_word(const char *arg, struct words *words, struct km_fault *fault)
{
    if (words->count >= CLI_WORD_COUNT)
        return km_fault_set(fault, KM_ERR_CONFIG, "at most %d names in one command",
                            CLI_WORD_COUNT);
    words->items[words->count++] = arg;
    return KM_OK;
}

int flags_parse(const struct flag *const tables[], int argc, char **argv, struct words *words,
                bool *help, struct km_fault *fault)
{
    struct parser p = {tables, argc, 0, argv, fault, {"help", 'h', FLAG_BOOL, help, NULL, NULL}};
    bool only_words = false;
    int err = KM_OK;
    for (; p.at < argc && err == KM_OK; p.at++) {
        const char *arg = argv[p.at];
        if (only_words || arg[0] != '-' || arg[1] == '\0')
            err = take_word(arg, words, fault);
        else if (strcmp(arg, "--") == 0)
            only_words = true;
        else if (arg[1] == '-')
            err = take_long(&p, arg + 2);
        else
            err = take_letters(&p, arg + 1);
    }
    return err;
}

void flags_print(const struct flag *table)
{
    for (const struct flag *f = table; f->name != NULL; f++) {
        char left[48];
        struct km_buf text;
        km_buf_init(&text, left, sizeof left);
        if (f->letter != 0)
            km_buf_printf(&text, "  -%c, --%s", f->letter, f->name);
        else
            km_buf_printf(&text, "      --%s", f->name);
        out_text(left);
        out_pad(text.len, 31);
        out_printf(" %s\n", f->help);
    }
}
