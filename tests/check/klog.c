/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubemote-check klog FILE [--json]: what the log writes for the cases of a JSON file. A case has message (or text), values
 * (a list of key, value, key, ...), and may have severity, withNames, withValues, moreValues, evenMoreValues, v and header
 * (whose time, process and place are taken over); or a row with keysValues, of which the pairs alone are written. Values:
 * text, numbers, true, false, null, {"$kref":[namespace,name]}, {"$error":text}, other JSON. One log line a case, in order;
 * an empty one for a case that logs nothing and for one that a C program can't state (keys that are no text).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kubemote/km_json.h"
#include "kubemote/km_log_sink.h"

#define FILE_BYTES (8u << 20)
#define PAIRS 128
#define LINE_BYTES (1u << 20)
#define ERROR_TEXT "boom: \"quoted\""

static char text[FILE_BYTES], kept[FILE_BYTES], line[LINE_BYTES];
static size_t kept_len;

struct list {
    struct km_kv pairs[PAIRS];
    size_t count;
    bool strange; /* has a key that is no text */
};

struct log_case {
    char severity;
    bool has_row;
    unsigned level;
    const char *message;
    struct km_slice header, json;
    const char *names[KM_LOGGER_DEPTH];
    size_t name_count;
    struct list with, more, even_more, values;
};

/* ---- a small reader of JSON that is known to be well-formed ---- */

static const char *at;

static void skip_blanks(void)
{
    while (*at != '\0' && strchr(" \t\r\n", *at) != NULL)
        at++;
}

static bool take(char c)
{
    skip_blanks();
    if (*at != c)
        return false;
    at++;
    return true;
}

static void keep(const char *data, size_t len)
{
    if (kept_len + len >= sizeof kept) {
        fprintf(stderr, "kubemote-check: the file is too large\n");
        exit(1);
    }
    memcpy(kept + kept_len, data, len);
    kept_len += len;
}

static void keep_rune(uint32_t rune)
{
    unsigned char out[4];
    size_t len = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;

    for (size_t i = len; i-- > 1; rune >>= 6)
        out[i] = (unsigned char)(0x80u | (rune & 0x3fu));
    out[0] = (unsigned char)(len == 1 ? rune : (0xf00u >> len & 0xffu) | rune);
    keep((const char *)out, len);
}

static uint32_t hex4(void)
{
    char digits[5] = {at[0], at[1], at[2], at[3], '\0'};

    at += 4;
    return (uint32_t)strtoul(digits, NULL, 16);
}

/* Go reads half a surrogate pair as U+FFFD. */
static void keep_escape(void)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    const char *letter = strchr(letters, *at);
    uint32_t rune;

    if (*at != 'u') {
        keep(letter != NULL ? &meant[letter - letters] : at, 1);
        at++;
        return;
    }
    at++;
    rune = hex4();
    if (rune >= 0xd800 && rune < 0xdc00 && at[0] == '\\' && at[1] == 'u') {
        const char *back = at;
        uint32_t low;

        at += 2;
        low = hex4();
        if (low >= 0xdc00 && low < 0xe000) {
            keep_rune(0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00));
            return;
        }
        at = back;
    }
    keep_rune(rune >= 0xd800 && rune < 0xe000 ? 0xfffd : rune);
}

/* A string, NUL-terminated, in `kept`. */
static struct km_slice read_string(void)
{
    size_t start = kept_len;

    (void)take('"');
    while (*at != '"') {
        if (*at == '\\') {
            at++;
            keep_escape();
        } else {
            keep(at++, 1);
        }
    }
    at++;
    keep("", 1);
    return (struct km_slice){kept + start, kept_len - start - 1};
}

/* Any value; returns its text without blanks between its parts, as Go writes JSON. */
static struct km_slice read_raw(void)
{
    size_t start = kept_len;
    int depth = 0;
    bool quoted = false;

    skip_blanks();
    do {
        if (quoted && *at == '\\')
            keep(at++, 1);
        else if (*at == '"')
            quoted = !quoted;
        else if (!quoted && (*at == '{' || *at == '['))
            depth++;
        else if (!quoted && (*at == '}' || *at == ']'))
            depth--;
        keep(at++, 1);
        if (!quoted)
            skip_blanks();
    } while (quoted || depth > 0 || (strchr(",}]", *at) == NULL && *at != '\0'));
    keep("", 1);
    return (struct km_slice){kept + start, kept_len - start - 1};
}

/* ---- cases ---- */

static struct km_kv read_marked(const char *key, struct km_slice raw)
{
    const char *after = at;
    struct km_kv kv = KM_J(key, raw);

    at = raw.ptr;
    if (strncmp(at, "{\"$kref\":[", 10) == 0) {
        at += 10;
        struct km_slice ns = read_string();
        (void)take(',');
        kv = KM_OBJ(key, ns.ptr, read_string().ptr);
    } else if (strncmp(at, "{\"$error\":", 10) == 0) {
        at += 10;
        kv = KM_SL(key, read_string());
    }
    at = after;
    return kv;
}

static struct km_kv read_value(const char *key)
{
    struct km_slice raw;

    skip_blanks();
    if (*at == '"')
        return KM_SL(key, read_string());
    raw = read_raw();
    if (raw.ptr[0] == '{')
        return read_marked(key, raw);
    if (km_slice_eq_str(raw, "null"))
        return KM_S(key, NULL);
    if (km_slice_eq_str(raw, "true") || km_slice_eq_str(raw, "false"))
        return KM_B(key, raw.ptr[0] == 't');
    return KM_J(key, raw);
}

/* fmt's words for a key that is an integer. */
static const char *read_key(struct list *list)
{
    struct km_slice raw;
    size_t start;

    skip_blanks();
    if (*at == '"')
        return read_string().ptr;
    raw = read_raw();
    list->strange = list->strange || strspn(raw.ptr, "-0123456789") != raw.len;
    start = kept_len;
    keep("%!s(int=", 8);
    keep(raw.ptr, raw.len);
    keep(")", 2);
    return kept + start;
}

static void read_list(struct list *list)
{
    (void)take('[');
    while (!take(']')) {
        const char *key = read_key(list);
        bool odd;

        (void)take(',');
        skip_blanks();
        odd = *at == ']';
        if (list->count == PAIRS) {
            fprintf(stderr, "kubemote-check: more than %d pairs\n", PAIRS);
            exit(1);
        }
        list->pairs[list->count++] = odd ? KM_S(key, "(MISSING)") : read_value(key);
        (void)take(',');
    }
}

static void read_names(struct log_case *c)
{
    (void)take('[');
    while (!take(']')) {
        const char *name = read_string().ptr;

        if (c->name_count < KM_LOGGER_DEPTH - 3)
            c->names[c->name_count++] = name;
        (void)take(',');
    }
}

static void read_member(struct log_case *c, struct km_slice name);

static void read_members(struct log_case *c)
{
    (void)take('{');
    while (!take('}')) {
        struct km_slice name = read_string();

        (void)take(':');
        read_member(c, name);
        (void)take(',');
    }
}

static void read_member(struct log_case *c, struct km_slice name)
{
    if (km_slice_eq_str(name, "severity"))
        c->severity = read_string().ptr[0];
    else if (km_slice_eq_str(name, "message") || km_slice_eq_str(name, "text"))
        c->message = read_string().ptr;
    else if (km_slice_eq_str(name, "header"))
        c->header = read_string();
    else if (km_slice_eq_str(name, "v"))
        c->level = (unsigned)strtoul(read_raw().ptr, NULL, 10);
    else if (km_slice_eq_str(name, "withNames"))
        read_names(c);
    else if (km_slice_eq_str(name, "withValues"))
        read_list(&c->with);
    else if (km_slice_eq_str(name, "moreValues"))
        read_list(&c->more);
    else if (km_slice_eq_str(name, "evenMoreValues"))
        read_list(&c->even_more);
    else if (km_slice_eq_str(name, "values") || km_slice_eq_str(name, "keysValues"))
        read_list(&c->values);
    else if (km_slice_eq_str(name, "row")) {
        c->has_row = true;
        read_members(c);
    } else
        (void)read_raw();
}

/* ---- output ---- */

struct place {
    char file[64];
    int line;
    struct km_log_text_head head;
};

/* The header of a case, or klog's fixed one. */
static struct place place_of(const struct log_case *c)
{
    struct place p = {
        .file = "output.go", .line = 1, .head = {.wall_us = INT64_C(1770091506000007)}};
    int month = 2, day = 3, hour = 4, minute = 5, second = 6, micros = 7;
    unsigned pid = 1;
    char stamp[40];

    if (c->header.len > 0)
        (void)sscanf(c->header.ptr + 1, "%2d%2d %2d:%2d:%2d.%6d %u %63[^:]:%d", &month, &day, &hour,
                     &minute, &second, &micros, &pid, p.file, &p.line);
    p.head.pid = pid;
    (void)snprintf(stamp, sizeof stamp, "2026-%02d-%02dT%02d:%02d:%02d.%06dZ", month % 100,
                   day % 100, hour % 100, minute % 100, second % 100, micros % 1000000);
    (void)km_time_parse_micro(km_slice_of(stamp), &p.head.wall_us);
    return p;
}

static void print_by(const struct log_case *c, const struct km_logger *logger, bool json)
{
    struct place p = place_of(c);
    const struct km_log_record record = {.severity = c->severity,
                                         .level = (uint8_t)c->level,
                                         .file = p.file,
                                         .line = p.line,
                                         .logger = logger,
                                         .message = c->has_row ? "" : c->message,
                                         .err =
                                             c->severity == 'E' && !c->has_row ? ERROR_TEXT : NULL,
                                         .pairs = c->values.pairs,
                                         .pair_count = c->values.count};
    size_t len = json ? km_log_json_format(line, sizeof line, &record, &p.head, NULL)
                      : km_log_text_format(line, sizeof line, &record, &p.head, NULL);
    const char *from = c->has_row && !json ? strstr(line, "] \"\"") + 4 : line;

    (void)fwrite(from, 1, len - (size_t)(from - line), stdout);
}

/* As klog's test does it: with its values; with more; with its values again; with even more. */
static void print_case(const struct log_case *c, bool json)
{
    struct km_logger chain[KM_LOGGER_DEPTH] = {{0}};
    size_t depth = 1;

    if (c->level > 10 || c->with.strange || c->values.strange || c->message == NULL) {
        if (c->has_row && !c->values.strange)
            print_by(c, NULL, json);
        else
            putchar('\n');
        return;
    }
    for (size_t i = 0; i < c->name_count; i++, depth++)
        chain[depth] = (struct km_logger){.name = c->names[i], .parent = &chain[depth - 1]};
    chain[depth] = (struct km_logger){
        .pairs = c->with.pairs, .pair_count = c->with.count, .parent = &chain[depth - 1]};
    print_by(c, &chain[depth], json);
    if (c->more.count == 0)
        return;
    chain[depth + 1] = (struct km_logger){
        .pairs = c->more.pairs, .pair_count = c->more.count, .parent = &chain[depth]};
    print_by(c, &chain[depth + 1], json);
    print_by(c, &chain[depth], json);
    if (c->even_more.count == 0)
        return;
    chain[depth + 1] = (struct km_logger){
        .pairs = c->even_more.pairs, .pair_count = c->even_more.count, .parent = &chain[depth]};
    print_by(c, &chain[depth + 1], json);
}

static int check_well_formed(const char *name, size_t len)
{
    struct km_json_scan scan;
    struct km_slice in = {text, len};
    int err;

    km_json_scan_init(&scan, false);
    err = km_json_scan_feed(&scan, in);
    if (err == KM_OK)
        err = km_json_scan_end(&scan);
    if (err == KM_OK)
        return 0;
    fprintf(stderr, "%s: no JSON: %s\n", name, scan.error);
    return 1;
}

int check_klog(int argc, char **argv)
{
    static struct log_case c;
    bool json = argc == 3 && strcmp(argv[2], "--json") == 0;
    const char *cases;

    if (argc != 2 && !json)
        return check_usage("klog");
    FILE *file = fopen(argv[1], "rb");
    if (file == NULL) {
        fprintf(stderr, "kubemote-check: %s can't be opened\n", argv[1]);
        return 2;
    }
    size_t len = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    if (check_well_formed(argv[1], len) != 0)
        return 1;
    cases = strstr(text, "\"cases\"");
    at = cases == NULL ? text : cases + 7;
    (void)take(':');
    if (!take('[')) {
        fprintf(stderr, "%s: no list of cases\n", argv[1]);
        return 1;
    }
    while (!take(']')) {
        memset(&c, 0, sizeof c);
        c.severity = 'I';
        kept_len = 0;
        read_members(&c);
        print_case(&c, json);
        (void)take(',');
    }
    return 0;
}
