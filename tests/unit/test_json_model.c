/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sieve and decode against a naive reference that reads the whole document into a tree: random documents, cut at random,
 * through windows of all sizes.
 */
#include <stdlib.h>

#include "km_test.h"

#include "kubemote/km_json.h"
#include "kubemote/km_json_table.h"

/* ---- kinds with all that a field may be, at places that they share ---- */

#define KM_LABEL_FIELDS(S, I, B, R, A, M) S(key, "", 10) S(value, "", 6)
KM_ELEMENT_STRUCT(label, KM_LABEL_FIELDS)
#define KM_WORD_FIELDS(S, I, B, R, A, M) S(text, "", 5)
KM_ELEMENT_STRUCT(word, KM_WORD_FIELDS)
#define KM_PORT_FIELDS(S, I, B, R, A, M) S(name, "/name", 8) I(number, "/containerPort")
KM_ELEMENT_STRUCT(port, KM_PORT_FIELDS)
#define KM_CONTAINER_FIELDS(S, I, B, R, A, M) \
    S(name, "/name", 12) \
    A(ports, "/ports", port, 2) \
    R(limits, "/resources/limits", 24) \
    M(env, "/env", label, 2)
KM_ELEMENT_STRUCT(container, KM_CONTAINER_FIELDS)
#define KM_THING_FIELDS(S, I, B, R, A, M) \
    S(name, "/metadata/name", 9) \
    I(generation, "/metadata/generation") \
    M(labels, "/metadata/labels", label, 3) \
    S(own, "/metadata/labels/a~1b", 7) \
    R(raw, "/metadata/raw", 20) \
    B(flag, "/spec/flag") \
    A(containers, "/spec/containers", container, 2) \
    A(words, "/spec/words", word, 3) \
    S(phase, "/status/phase", 16)
KM_KIND_STRUCT(thing, KM_THING_FIELDS)
#define KM_FAILURE_FIELDS(S, I, B, R, A, M) \
    S(status, "/status", 8) S(name, "/metadata/name", 5) I(code, "/code")
KM_KIND_STRUCT(failure, KM_FAILURE_FIELDS)
#define KM_ENVELOPE_FIELDS(S, I, B, R, A, M) \
    S(type, "/type", 9) \
    S(name, "/object/metadata/name", 30) \
    B(bare, "/object/status") \
    S(label, "/object/metadata/labels/x", 3) \
    R(second, "/list/1", 30) \
    R(third, "/list/2/x", 16) \
    S(version, "/metadata/resourceVersion", 12)
KM_KIND_STRUCT(envelope, KM_ENVELOPE_FIELDS)

KM_ELEMENT_TABLE(label, KM_LABEL_FIELDS)
KM_ELEMENT_TABLE(word, KM_WORD_FIELDS)
KM_ELEMENT_TABLE(port, KM_PORT_FIELDS)
KM_ELEMENT_TABLE(container, KM_CONTAINER_FIELDS)
extern const struct km_kind km_kind_thing, km_kind_failure, km_kind_envelope;
KM_KIND_TABLE(thing, "Thing", KM_THING_FIELDS)
KM_KIND_TABLE(failure, "Failure", KM_FAILURE_FIELDS)
KM_KIND_TABLE(envelope, "Envelope", KM_ENVELOPE_FIELDS)

union record {
    struct km_record head;
    struct km_thing thing;
    struct km_failure failure;
    struct km_envelope envelope;
};

#define PARTS 3
static const struct km_schema_part parts[2][PARTS] = {
    {{"", &km_kind_envelope}, {"/object", &km_kind_failure}, {"/object", &km_kind_thing}},
    {{"", &km_kind_envelope}, {"/items", &km_kind_failure}, {"/items", &km_kind_thing}},
};
static const char *const items_of[2] = {NULL, "/items"};
static struct km_schema_node nodes[2][128];
static struct km_schema schemas[2];
static int which; /* of the two schemas */

/* ---- random documents ---- */

static struct km_rng rng;
static char doc[16384];
static size_t doc_len;

static uint32_t below(uint32_t n)
{
    return km_rng_u32(&rng) % n;
}

static void add(const char *text)
{
    size_t len = strlen(text);

    assert_true(doc_len + len < sizeof doc);
    memcpy(doc + doc_len, text, len + 1);
    doc_len += len;
}

static void add_space(void)
{
    static const char *const spaces[] = {" ", "\n", "\t", "\r\n  "};

    if (below(6) == 0)
        add(spaces[below(4)]);
}

static void add_string(const char *start)
{
    static const char *const pieces[] = {"a",
                                         "Z",
                                         " ",
                                         "~",
                                         "/",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "\\u0041",
                                         "\\u00e9",
                                         "\\u20AC",
                                         "\\ud83d\\uDE00",
                                         "\\ud83d",
                                         "\\udc00",
                                         "\xc3\xa9",
                                         "\xe2\x82\xac",
                                         "\xf0\x9f\x98\x80",
                                         "\\u0000",
                                         "bcdefghij",
                                         "{",
                                         "]"};
    uint32_t count = below(3) == 0 ? below(16) : below(4);

    add("\"");
    add(start);
    while (count-- > 0)
        add(pieces[below(below(2) == 0 ? 3 : sizeof pieces / sizeof pieces[0])]);
    add("\"");
}

static void add_key(const char *name)
{
    char escape[8];

    add_space();
    add("\"");
    for (; *name != '\0'; name++) {
        unsigned char c = (unsigned char)*name;

        (void)snprintf(escape, sizeof escape, below(40) == 0 && c < 0x80 ? "\\u%04x" : "%c", c);
        add(escape);
    }
    add("\"");
    add_space();
    add(":");
}

static void add_scalar(void)
{
    static const char *const scalars[] = {"0",
                                          "-0",
                                          "1",
                                          "-17",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "9223372036854775808",
                                          "-9223372036854775809",
                                          "1.0",
                                          "1e2",
                                          "10000000000000000000000000000000000000",
                                          "true",
                                          "false",
                                          "null"};

    if (below(3) == 0)
        add_string("");
    else
        add(scalars[below(sizeof scalars / sizeof scalars[0])]);
}

/* What stands where: each letter of `shape` is a kind of value. */
enum shape {
    ANY,
    TEXT,
    INTEGER,
    FLAG,
    OBJECT_S,
    META,
    LABELS,
    SPEC,
    STATUS,
    LIST,
    CONTAINERS,
    CONTAINER,
    PORTS,
    PORT,
    WORDS,
    RESOURCES,
    ITEMS,
    ROOT
};

static const struct member {
    enum shape of;
    const char *name;
    enum shape value;
} members[] = {
    {ROOT, "type", TEXT},
    {ROOT, "object", OBJECT_S},
    {ROOT, "list", LIST},
    {ROOT, "items", ITEMS},
    {ROOT, "metadata", META},
    {ROOT, "other", ANY},
    {OBJECT_S, "metadata", META},
    {OBJECT_S, "spec", SPEC},
    {OBJECT_S, "status", STATUS},
    {OBJECT_S, "code", INTEGER},
    {OBJECT_S, "spec", SPEC},
    {OBJECT_S, "object", ANY},
    {META, "name", TEXT},
    {META, "generation", INTEGER},
    {META, "labels", LABELS},
    {META, "raw", ANY},
    {META, "managedFields", ANY},
    {META, "resourceVersion", TEXT},
    {LABELS, "a/b", TEXT},
    {LABELS, "x", TEXT},
    {LABELS, "long/name-of-label", TEXT},
    {LABELS, "", TEXT},
    {LABELS, "y", TEXT},
    {LABELS, "caf\xc3\xa9", TEXT},
    {SPEC, "flag", FLAG},
    {SPEC, "containers", CONTAINERS},
    {SPEC, "words", WORDS},
    {STATUS, "phase", TEXT},
    {STATUS, "conditions", ANY},
    {CONTAINER, "name", TEXT},
    {CONTAINER, "ports", PORTS},
    {CONTAINER, "env", LABELS},
    {CONTAINER, "resources", RESOURCES},
    {PORT, "name", TEXT},
    {PORT, "containerPort", INTEGER},
    {RESOURCES, "limits", ANY},
    {ANY, "x", ANY},
    {ANY, "name", ANY},
    {ANY, "metadata", META},
};

static void add_value(enum shape shape, int depth);

static void add_object(enum shape shape, int depth)
{
    uint32_t count = below(5) + (shape == ROOT ? 2 : 0);

    add("{");
    for (uint32_t i = 0; i < count; i++) {
        size_t m;

        do
            m = below(sizeof members / sizeof members[0]);
        while (members[m].of != shape);
        if (i > 0)
            add(",");
        if (below(30) == 0)
            add_string("q"), add(":");
        else
            add_key(members[m].name);
        add_value(members[m].value, depth + 1);
    }
    add_space();
    add("}");
}

static void add_array(enum shape element, int depth)
{
    uint32_t count = below(5);

    add("[");
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            add(",");
        add_value(element, depth + 1);
    }
    add_space();
    add("]");
}

static void add_value(enum shape shape, int depth)
{
    if (doc_len > sizeof doc / 2 || depth > 12)
        shape = TEXT;
    else if (below(25) == 0)
        shape = below(2) == 0 ? ANY : OBJECT_S;
    add_space();
    switch (shape) {
    case TEXT:
        add_string("");
        break;
    case INTEGER:
    case FLAG:
        add_scalar();
        break;
    case ANY:
        if (below(3) == 0)
            add_array(ANY, depth);
        else if (below(2) == 0)
            add_object(ANY, depth);
        else
            add_scalar();
        break;
    case STATUS:
        if (below(2) == 0)
            add_scalar();
        else
            add_object(STATUS, depth);
        break;
    case LIST:
        add_array(ANY, depth);
        break;
    case CONTAINERS:
        add_array(CONTAINER, depth);
        break;
    case PORTS:
        add_array(PORT, depth);
        break;
    case WORDS:
        add_array(TEXT, depth);
        break;
    case ITEMS:
        add_array(OBJECT_S, depth);
        break;
    default:
        add_object(shape, depth);
    }
    add_space();
}

static void make_doc(void)
{
    doc_len = 0;
    add_value(ROOT, 0);
    if (doc[0] != '{')
        add(" "); /* a number ends somewhere */
}

/* ---- the reference: a tree ---- */

struct tree {
    char type; /* of the first byte */
    const char *raw;
    size_t raw_len;
    char key[256];
    bool key_has_nul;
    int child, next;
};

static struct tree tree[8192];
static int tree_count;
static const char *at;

static void ref_space(void)
{
    at += strspn(at, " \t\r\n");
}

static unsigned ref_hex(const char *digits)
{
    char text[5] = {0};

    memcpy(text, digits, 4);
    return (unsigned)strtoul(text, NULL, 16);
}

/* One character of a string's contents to out, as UTF-8. Returns its length. */
static size_t ref_char(const char **text, char *out, bool *nul)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    unsigned char c = (unsigned char)**text;
    unsigned code = 0xfffd, low;
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (c != '\\') {
        memcpy(out, *text, len);
        *text += len;
        return len;
    }
    *text += 2;
    if ((*text)[-1] != 'u') {
        const char *name = strchr(from, (*text)[-1]);

        *out = name != NULL ? to[name - from] : (*text)[-1];
        return 1;
    }
    if (ref_hex(*text) >> 11 != 0xd800 >> 11)
        code = ref_hex(*text);
    else if (ref_hex(*text) < 0xdc00 && (*text)[4] == '\\' && (*text)[5] == 'u') {
        low = ref_hex(*text + 6);
        if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + (ref_hex(*text) - 0xd800) * 1024 + low - 0xdc00;
            *text += 6;
        }
    }
    *text += 4;
    *nul = *nul || code == 0;
    if (code == 0)
        code = 0xfffd;
    len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)(len == 1 ? code : (0xf00u >> len & 0xf0u) | code);
    return len;
}

/* Decodes a string with its quotes. Returns false when it is cut or holds a NUL. */
static bool ref_string(const char *raw, size_t raw_len, char *out, size_t size)
{
    const char *text = raw + 1, *end = raw + raw_len - 1;
    size_t used = 0;
    bool nul = false;

    while (text < end) {
        char bytes[4];
        size_t len = ref_char(&text, bytes, &nul);

        if (used + len >= size) {
            out[used] = '\0';
            return false;
        }
        memcpy(out + used, bytes, len);
        used += len;
    }
    out[used] = '\0';
    return !nul;
}

static int ref_parse(void)
{
    int id = tree_count++, *link = &tree[id].child;
    struct tree *t = &tree[id];

    assert_true(tree_count < (int)(sizeof tree / sizeof tree[0]));
    memset(t, 0, sizeof *t);
    ref_space();
    t->raw = at;
    t->type = *at;
    if (*at == '"') {
        for (at++; *at != '"'; at++)
            at += *at == '\\';
        at++;
    } else if (*at == '{' || *at == '[') {
        for (at++, ref_space(); *at != '}' && *at != ']'; at += *at == ',', ref_space()) {
            char key[256] = "";
            bool nul = false;

            if (t->type == '{') {
                const char *start = at;

                for (at++; *at != '"'; at++)
                    at += *at == '\\';
                at++;
                nul = !ref_string(start, (size_t)(at - start), key, sizeof key);
                ref_space();
                at++;
            }
            *link = ref_parse();
            memcpy(tree[*link].key, key, sizeof key);
            tree[*link].key_has_nul = nul;
            link = &tree[*link].next;
            ref_space();
        }
        at++;
    } else {
        at += strcspn(at, " \t\r\n,]}");
    }
    t->raw_len = (size_t)(at - t->raw);
    return id;
}

/* ---- the reference: filling records ---- */

/* A place in the document: the segments down to it; arrays' elements as digits, with the mark that it is one. */
struct place {
    char name[24][256];
    bool element[24];
    int depth;
};

struct pattern {
    char text[160]; /* pointer; the segment # is an ARRAY's element, * a MAP's member */
    enum km_field_type type;
};
static struct pattern patterns[128];
static int pattern_count;

static void add_patterns(const char *prefix, const struct km_field *fields, uint16_t count,
                         uint16_t first)
{
    for (uint16_t i = first; i < count; i++) {
        struct pattern *p = &patterns[pattern_count++];
        char below_it[160];

        (void)snprintf(p->text, sizeof p->text, "%s%s", prefix, fields[i].path);
        p->type = fields[i].type;
        if (p->type != KM_F_ARRAY && p->type != KM_F_MAP)
            continue;
        (void)snprintf(below_it, sizeof below_it, "%.150s/%s", p->text,
                       p->type == KM_F_MAP ? "*" : "#");
        add_patterns(below_it, fields[i].sub, fields[i].sub_count, p->type == KM_F_MAP);
    }
}

static bool segment_is(const char *segment, size_t len, const char *name)
{
    for (size_t i = 0; i < len; i++, name++) {
        char c = segment[i];

        if (c == '~')
            c = segment[++i] == '0' ? '~' : '/';
        if (c != *name)
            return false;
    }
    return *name == '\0';
}

/* The rest of the pattern behind the place, NULL when the pattern is of another place. */
static const char *match(const char *pattern, const struct place *place)
{
    for (int i = 0; i < place->depth; i++) {
        size_t len;

        if (*pattern != '/')
            return NULL;
        pattern++;
        len = strcspn(pattern, "/");
        if (!(len == 1 && *pattern == '#' && place->element[i]) &&
            !(len == 1 && *pattern == '*' && !place->element[i]) &&
            !segment_is(pattern, len, place->name[i]))
            return NULL;
        pattern += len;
    }
    return pattern;
}

static bool is_number(char c)
{
    return c == '-' || (c >= '0' && c <= '9');
}

/* Whether some field wants a value of this type here, or something in it. */
static bool ref_expected(const struct place *place, char c)
{
    for (int i = 0; i < pattern_count; i++) {
        const char *rest = match(patterns[i].text, place);
        enum km_field_type type = patterns[i].type;

        if (rest == NULL)
            continue;
        if (*rest != '\0') {
            if (c == '[' && (rest[1] == '#' || is_number(rest[1])))
                return true;
            if (c == '{' && rest[1] != '#')
                return true;
        } else if ((type == KM_F_STRING && c == '"') || (type == KM_F_INT64 && is_number(c)) ||
                   (type == KM_F_BOOL && (c == 't' || c == 'f')) ||
                   (type == KM_F_ARRAY && c == '[') || (type == KM_F_MAP && c == '{') ||
                   type == KM_F_RAW) {
            return true;
        }
    }
    return c == 'n';
}

static void go(struct place *place, const char *segment, size_t len, bool element)
{
    char *out = place->name[place->depth];

    place->element[place->depth++] = element;
    for (size_t i = 0; i < len; i++) {
        char c = segment[i];

        if (c == '~')
            c = segment[++i] == '0' ? '~' : '/';
        *out++ = c;
    }
    *out = '\0';
}

/* The value at a pointer, -1 = none. */
static int ref_resolve(int id, const char *pointer, struct place *place)
{
    while (*pointer != '\0') {
        size_t len = strcspn(++pointer, "/");
        int found = -1, child = tree[id].child;
        unsigned long index = 0;

        for (; child != 0; child = tree[child].next, index++) {
            char name[64];

            (void)snprintf(name, sizeof name, "%lu", index);
            if (segment_is(pointer, len, tree[id].type == '{' ? tree[child].key : name))
                found = child;
        }
        if (found < 0)
            return -1;
        go(place, pointer, len, tree[id].type == '[');
        pointer += len;
        id = found;
    }
    return id;
}

static uint32_t ref_table(const struct km_field *fields, uint16_t count, uint16_t first, char *base,
                          int id, const struct place *place);

static uint16_t ref_count_put(char *base, const struct km_field *f, uint16_t count)
{
    size_t where = f->offset + (size_t)f->count_max * f->size;

    where += where & 1;
    memcpy(base + where, &count, sizeof count);
    return count;
}

static uint32_t ref_array(const struct km_field *f, char *base, int id, const struct place *place)
{
    uint16_t n = 0;
    uint32_t marked = 0;
    int child = tree[id].child;

    for (; child != 0 && n < f->count_max; child = tree[child].next, n++) {
        struct place inner = *place;
        char name[8];

        (void)snprintf(name, sizeof name, "%u", n);
        go(&inner, name, strlen(name), true);
        marked += ref_table(f->sub, f->sub_count, 0, base + f->offset + (size_t)n * f->size, child,
                            &inner);
    }
    (void)ref_count_put(base, f, n);
    return marked + (child != 0);
}

/* Whether a field other than a MAP's names this member. */
static bool ref_named(const struct place *map, const char *key)
{
    for (int i = 0; i < pattern_count; i++) {
        const char *rest = match(patterns[i].text, map);

        if (rest != NULL && *rest == '/' && rest[1] != '*' && rest[1] != '#' &&
            segment_is(rest + 1, strcspn(rest + 1, "/"), key))
            return true;
    }
    return false;
}

static bool ref_same_key(int a, int b)
{
    return tree[a].key_has_nul == tree[b].key_has_nul && strcmp(tree[a].key, tree[b].key) == 0;
}

static uint32_t ref_map(const struct km_field *f, char *base, int id, const struct place *place)
{
    uint32_t marked = 0, seen = 0;
    uint16_t n = 0;

    for (int child = tree[id].child; child != 0; child = tree[child].next) {
        struct place inner = *place;
        char *element = base + f->offset + (size_t)n * f->size;
        bool again = false;
        char key[300];
        uint32_t later = seen + 1;

        if (seen++ >= f->count_max && !ref_named(place, tree[child].key))
            continue;
        for (int other = tree[child].next; other != 0; other = tree[other].next, later++)
            again = again || (ref_same_key(child, other) &&
                              (later < f->count_max || ref_named(place, tree[other].key)));
        if (again || n >= f->count_max)
            continue;
        memcpy(inner.name[inner.depth], tree[child].key, sizeof tree[child].key);
        inner.element[inner.depth++] = false;
        /* The key once more as a string, to be cut at a character's end. */
        (void)snprintf(key, sizeof key, "\"%s\"", tree[child].key);
        for (size_t i = 1; key[i + 1] != '\0'; i++)
            key[i] = key[i] == '\\' || key[i] == '"' ? 'x' : key[i];
        if (!ref_string(key, strlen(key), element + f->sub[0].offset, f->sub[0].size) ||
            tree[child].key_has_nul)
            marked++;
        for (size_t i = 0; i < f->sub[0].size - 1 && element[f->sub[0].offset + i] != '\0'; i++)
            element[f->sub[0].offset + i] = tree[child].key[i];
        marked += ref_table(f->sub, f->sub_count, 1, element, child, &inner);
        n++;
    }
    (void)ref_count_put(base, f, n);
    return marked + (seen > f->count_max);
}

static bool ref_integer(const struct tree *t, char *out)
{
    char text[64];
    int64_t value;
    char *end;

    if (t->raw_len > 20 || memchr(t->raw, '.', t->raw_len) != NULL ||
        memchr(t->raw, 'e', t->raw_len) != NULL)
        return false;
    memcpy(text, t->raw, t->raw_len);
    text[t->raw_len] = '\0';
    if (strcmp(text, "9223372036854775808") == 0 || strcmp(text, "-9223372036854775809") == 0)
        return false;
    value = strtoll(text, &end, 10);
    memcpy(out, &value, sizeof value);
    return true;
}

static uint32_t ref_field(const struct km_field *f, char *base, int id, const struct place *place)
{
    const struct tree *t = &tree[id];
    char *out = base + f->offset;

    if (f->type == KM_F_RAW) {
        if (t->raw_len >= f->size)
            return 1;
        memcpy(out, t->raw, t->raw_len);
        return 0;
    }
    if (!ref_expected(place, t->type))
        return 1;
    if (f->type == KM_F_STRING && t->type == '"')
        return !ref_string(t->raw, t->raw_len, out, f->size);
    if (f->type == KM_F_INT64 && is_number(t->type))
        return !ref_integer(t, out);
    if (f->type == KM_F_BOOL)
        *(bool *)out = t->type == 't';
    if (f->type == KM_F_ARRAY && t->type == '[')
        return ref_array(f, base, id, place);
    if (f->type == KM_F_MAP && t->type == '{')
        return ref_map(f, base, id, place);
    return 0;
}

static uint32_t ref_table(const struct km_field *fields, uint16_t count, uint16_t first, char *base,
                          int id, const struct place *place)
{
    uint32_t marked = 0;

    for (uint16_t i = first; i < count; i++) {
        struct place inner = *place;
        int value = ref_resolve(id, fields[i].path, &inner);

        if (value >= 0)
            marked += ref_field(&fields[i], base, value, &inner);
    }
    return marked;
}

static void ref_part(int part, int id, const struct place *place, union record *out)
{
    const struct km_kind *kind = parts[which][part].kind;

    memset(out, 0, sizeof *out);
    out->head.truncated = ref_table(kind->fields, kind->field_count, 0, (char *)out, id, place);
}

/* ---- comparing ---- */

static union record expected[256][PARTS], got[PARTS];
static bool expected_item[256];
static int expected_count, delivered;

static void expect_document(int root)
{
    struct place top = {.depth = 0};

    for (int p = 0; p < PARTS; p++) {
        struct place place = top;
        int id = which == 0 || p == 0 ? ref_resolve(root, parts[which][p].prefix, &place) : -1;

        memset(&expected[expected_count][p], 0, sizeof expected[0][0]);
        if (id >= 0)
            ref_part(p, id, &place, &expected[expected_count][p]);
    }
    expected_item[expected_count++] = false;
}

static void expect_items(int root)
{
    for (int list = tree[root].child; which == 1 && list != 0; list = tree[list].next) {
        if (tree[root].type != '{' || strcmp(tree[list].key, "items") != 0 ||
            tree[list].type != '[')
            continue;
        for (int item = tree[list].child; item != 0; item = tree[item].next) {
            struct place place = {.depth = 0};

            go(&place, "items", 5, false);
            go(&place, "0", 1, true);
            memset(expected[expected_count], 0, sizeof expected[0]);
            for (int p = 1; p < PARTS; p++)
                ref_part(p, item, &place, &expected[expected_count][p]);
            expected_item[expected_count++] = true;
        }
    }
}

/* The deliveries of a window in which all of them fit, one behind the other. */
static char pruned[65536];
static size_t pruned_at[257];
static bool may_overflow;
static unsigned cuts; /* of these, not empty */

static void keep_pruned(struct km_slice text)
{
    size_t start = delivered == 0 ? 0 : pruned_at[delivered];

    assert_true(text.len <= sizeof pruned - start);
    memcpy(pruned + start, text.ptr, text.len);
    pruned_at[delivered + 1] = start + text.len;
}

/* What did not fit is the start of what would have, then the brackets of what was open, each marked. */
static void check_cut(bool item, struct km_slice text)
{
    void *dest[PARTS] = {&got[0], &got[1], &got[2]};
    const char *whole = pruned + pruned_at[delivered];
    size_t len = pruned_at[delivered + 1] - pruned_at[delivered], same = 0;

    assert_true(may_overflow);
    if (text.len == 0)
        return;
    assert_true(item || which == 0);
    assert_true(text.len < len + 2 * (KM_SCHEMA_DEPTH + 1));
    while (same < len && same < text.len && text.ptr[same] == whole[same])
        same++;
    assert_true(same < text.len);
    if (text.ptr[same] == '\t')
        same--; /* the whole has a bracket there, too */
    for (; same < text.len; same += 2) {
        if (text.ptr[same + 1] != '\t' || (text.ptr[same] != '}' && text.ptr[same] != ']'))
            fail_msg("%.*s\nis no start of\n%.*s", (int)text.len, text.ptr, (int)len, whole);
    }
    assert_int_equal(same, text.len);
    assert_int_equal(km_json_decode(&schemas[which], item, text, dest), KM_OK);
    cuts++;
}

static int compare(void *ctx, bool item, struct km_slice text, bool overflow)
{
    void *dest[PARTS] = {&got[0], &got[1], &got[2]};

    (void)ctx;
    assert_true(delivered < expected_count);
    assert_int_equal(item, expected_item[delivered]);
    if (overflow) {
        check_cut(item, text);
        delivered++;
        return KM_OK;
    }
    if (!may_overflow)
        keep_pruned(text);
    memset(got, 0, sizeof got);
    if (km_json_decode(&schemas[which], item, text, dest) != KM_OK)
        fail_msg("not decoded: %.*s\n%s", (int)text.len, text.ptr, doc);
    for (int p = 0; p < PARTS; p++) {
        if (memcmp(&got[p], &expected[delivered][p], parts[which][p].kind->record_size) != 0)
            fail_msg("part %d of delivery %d (marked %u, not %u)\n%s\npruned: %.*s", p, delivered,
                     got[p].head.truncated, expected[delivered][p].head.truncated, doc,
                     (int)text.len, text.ptr);
    }
    delivered++;
    return KM_OK;
}

static void run(size_t window_size, uint32_t piece)
{
    static char window[16384];
    struct km_sieve sieve;

    delivered = 0;
    memset(window, '\t', sizeof window);
    km_sieve_init(&sieve, &schemas[which], true, window, window_size, compare, NULL);
    for (size_t from = 0, len; from < doc_len; from += len) {
        len = piece == 0 ? doc_len : piece == 1 ? 1 : 1 + below(piece);
        len = len < doc_len - from ? len : doc_len - from;
        if (km_sieve_feed(&sieve, (struct km_slice){doc + from, len}) != KM_OK)
            fail_msg("byte %u: %s\n%s", (unsigned)sieve.scan.offset, sieve.scan.error, doc);
    }
    assert_int_equal(km_sieve_end(&sieve), KM_OK);
    assert_int_equal(delivered, expected_count);
    for (size_t i = window_size; i < sizeof window; i++)
        assert_true(window[i] == '\t');
}

static void check_stream(void)
{
    int first = 0;

    expected_count = 0;
    make_doc();
    tree_count = 1;
    at = doc;
    first = ref_parse();
    expect_items(first);
    expect_document(first);
    may_overflow = false;
    run(16384, 0);
    run(16384, 1);
    run(16384, 40);
    may_overflow = true;
    run(CONFIG_KM_JSON_KEY_BYTES + 16 + below(600), 1 + below(60));
    run(CONFIG_KM_JSON_KEY_BYTES + 16 + below(60), 1 + below(60));
}

static void check_many(int count)
{
    km_rng_seed(&rng, 1 + (uint64_t)which);
    pattern_count = 0;
    for (int p = 0; p < PARTS; p++) {
        const struct km_kind *kind = parts[which][p].kind;

        add_patterns(p == 0       ? ""
                     : which == 0 ? "/object"
                                  : "/items/#",
                     kind->fields, kind->field_count, 0);
    }
    for (int i = 0; i < count; i++)
        check_stream();
}

static void test_documents(void **state)
{
    (void)state;
    which = 0;
    check_many(3000);
    assert_true(cuts > 50);
}

static void test_lists(void **state)
{
    (void)state;
    which = 1;
    check_many(2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_documents),
                                       cmocka_unit_test(test_lists)};

    for (int i = 0; i < 2; i++) {
        if (km_schema_init(&schemas[i], parts[i], PARTS, items_of[i], nodes[i], 128) != KM_OK)
            return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
