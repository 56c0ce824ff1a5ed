/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sieve walks along with the scanner only where the schema has nodes: there each open container has a level, so the
 * scanner's depth is the number of levels. All else is passed over by the scanner alone.
 *
 *                       member or element that nobody wants
 *              +------> SKIPPING ---------------+
 *              |        RAW or number wanted    | the value ends
 *   WALKING ---+------> COPYING ----------------+---> WALKING
 *              |        string wanted           |
 *              +------> IN_TEXT ----------------+
 *
 * When a document or an item does not fit its window, it ends with the last value that did: each container around that is
 * CLOSING, passed over to its end, where its bracket is written, for which room was kept. A document with items is walked
 * on instead, writing nothing, for its items' sake.
 */
#include <string.h>

#include "json_priv.h"

enum mode { WALKING, SKIPPING, COPYING, IN_TEXT, CLOSING };

enum level_flag {
    LEVEL_OBJECT = 1,
    LEVEL_ANY = 2,       /* members or elements without a node of their own are wanted */
    LEVEL_COMMA = 4,     /* something was written */
    LEVEL_ITEMS = 8,     /* elements are delivered one by one */
    LEVEL_NUMBERED = 16, /* an array that is written as an object */
    LEVEL_CUT = 32       /* something wanted was left out */
};

/* The longest number that can fit an int64_t has 20 bytes. */
#define NUMBER_BYTES 32
/* A bracket and a mark behind it. */
#define CLOSE_BYTES 2

void km_sieve_init(struct km_sieve *sieve, const struct km_schema *schema, bool many, char *window,
                   size_t window_size, km_sieve_fn fn, void *ctx)
{
    memset(sieve, 0, sizeof *sieve);
    sieve->schema = schema;
    sieve->fn = fn;
    sieve->ctx = ctx;
    sieve->window = window;
    sieve->window_size = window_size > UINT32_MAX ? UINT32_MAX : (uint32_t)window_size;
    km_json_scan_init(&sieve->scan, many);
}

/* ---- writing the window ---- */

/* The present text is a whole that ends where the window does, not one that carries items. */
static bool is_leaf(const struct km_sieve *s)
{
    return s->in_item || s->schema->items == NULL;
}

/* What was written of a document with items goes. A name that is being read moves to the start: it decides whether the items
   follow. */
static void drop_document(struct km_sieve *s)
{
    uint32_t keep = s->in_key ? s->window_len - s->value_start : 0;

    memmove(s->window, s->window + s->value_start, keep);
    s->unit_start = s->in_key ? s->unit_start - s->value_start : 0;
    s->value_start = 0;
    s->window_len = keep;
    s->reserve = 0;
}

static void begin_overflow(struct km_sieve *s)
{
    if (s->overflow)
        return;
    s->overflow = true;
    if (!is_leaf(s)) {
        drop_document(s);
        return;
    }
    s->window_len = s->whole_len;
    s->in_key = false;
}

static bool is_cut_off(const struct km_sieve *s)
{
    return s->overflow && is_leaf(s);
}

static bool append(struct km_sieve *s, const char *data, size_t len)
{
    if (len > s->window_size - s->reserve - s->window_len)
        return false;
    memcpy(s->window + s->window_len, data, len);
    s->window_len += (uint32_t)len;
    return true;
}

static bool put(struct km_sieve *s, const char *data, size_t len)
{
    if (s->overflow && !s->in_key)
        return false;
    if (append(s, data, len))
        return true;
    begin_overflow(s);
    return s->in_key && append(s, data, len);
}

static void put_mark(struct km_sieve *s)
{
    put(s, "\t", 1);
}

/* Takes back what does not fit value_cap: the unit at unit_start, and with the second half of a pair the first. */
static void cut_text(struct km_sieve *s)
{
    s->cut = true;
    s->window_len = s->unit_start - (s->after_high ? 6 : 0);
}

/* One byte of a string: whole characters only are counted and kept. */
static bool put_text_byte(struct km_sieve *s, char c)
{
    enum json_half half;
    size_t len, size;
    char out[4];

    if (!put(s, &c, 1))
        return false;
    len = s->window_len - s->unit_start;
    if (json_unit_len(s->window + s->unit_start, len) == 0)
        return true;
    size = json_unit_decode(s->window + s->unit_start, len, out, &half);
    if (half != JSON_LOW)
        s->after_high = false;
    else if (s->after_high)
        size = 1; /* the pair has 4 bytes, of which 3 are counted */
    if (s->value_len + size > s->value_cap) {
        cut_text(s);
        return false;
    }
    s->value_len += (uint32_t)size;
    s->unit_start = s->window_len;
    s->after_high = half == JSON_HIGH;
    return true;
}

static size_t plain_run(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && (unsigned char)text[n] < 0x80 && text[n] != '\\')
        n++;
    return n;
}

/* Part of a string's or a name's contents: kept up to value_cap bytes, counted decoded. */
static void put_text(struct km_sieve *s, struct km_slice text)
{
    while (text.len > 0 && !s->cut && (!s->overflow || s->in_key)) {
        size_t run = 0, room = s->value_cap - s->value_len;

        if (s->window_len == s->unit_start)
            run = plain_run(text.ptr, text.len);
        if (run > room)
            run = room;
        if (run > 0) {
            if (!put(s, text.ptr, run))
                break;
            s->value_len += (uint32_t)run;
            s->unit_start = s->window_len;
            s->after_high = false;
        } else {
            run = 1;
            if (!put_text_byte(s, *text.ptr))
                break;
        }
        text.ptr += run;
        text.len -= run;
    }
    if (text.len > 0 && s->in_key && !s->cut)
        cut_text(s);
}

static void begin_text(struct km_sieve *s, uint32_t cap)
{
    put(s, "\"", 1);
    s->unit_start = s->window_len;
    s->value_cap = cap;
    s->value_len = 0;
    s->cut = s->after_high = false;
}

/* ---- names ---- */

static struct km_sieve_level *top_level(struct km_sieve *s)
{
    return &s->levels[s->scan.depth - 1];
}

static void begin_key(struct km_sieve *s)
{
    if (s->in_key)
        return;
    s->value_start = s->window_len;
    s->in_key = true;
    if ((top_level(s)->flags & LEVEL_COMMA) != 0)
        put(s, ",", 1);
    begin_text(s, CONFIG_KM_JSON_KEY_BYTES);
}

static uint32_t count_max(const struct km_schema *schema, uint16_t node, enum km_field_type type)
{
    uint32_t max = 0;

    do {
        const struct km_schema_node *at = &schema->nodes[node];

        if (at->field != NULL && at->field->type == type && at->field->count_max > max)
            max = at->field->count_max;
        node = at->also;
    } while (node != 0);
    return max;
}

static void skip_value(struct km_sieve *s, uint16_t depth)
{
    s->mode = SKIPPING;
    json_scan_skip(&s->scan, depth);
}

/* Nobody wants the member whose name was read; nor those behind it whose names tell it at a glance. Names that would not fit
   the window are not among them: they have to overflow it. */
static void skip_members(struct km_sieve *s, const struct km_sieve_level *level, size_t room)
{
    s->mode = SKIPPING;
    json_scan_skip_members(&s->scan, s->schema->nodes[level->node].names,
                           room < CONFIG_KM_JSON_KEY_BYTES ? room : CONFIG_KM_JSON_KEY_BYTES);
}

/* A name that came in one piece stands in the window only when somebody wants the member. False: it goes there as all do. */
static bool whole_key(struct km_sieve *s, struct km_slice key)
{
    struct km_sieve_level *level = top_level(s);
    size_t room = s->window_size - s->reserve - s->window_len;
    char *to = s->window + s->window_len;

    if (s->in_key || s->overflow || (level->flags & LEVEL_ANY) != 0 ||
        key.len > CONFIG_KM_JSON_KEY_BYTES || room < CONFIG_KM_JSON_KEY_BYTES + 16)
        return false;
    s->node = json_child_of_key(s->schema, level->node, key, s->scan.escaped, false);
    s->cut = s->mark = false;
    if (s->node == 0) {
        skip_members(s, level, room - 4);
        return true;
    }
    if ((level->flags & LEVEL_COMMA) != 0)
        *to++ = ',';
    *to++ = '"';
    memcpy(to, key.ptr, key.len);
    memcpy(to + key.len, "\":", 2);
    s->window_len = (uint32_t)(to + key.len + 2 - s->window);
    level->flags |= LEVEL_COMMA;
    return true;
}

/* The name stands in the window, and stays there when somebody wants the member. */
static void take_key(struct km_sieve *s)
{
    struct km_sieve_level *level = top_level(s);
    bool any = (level->flags & LEVEL_ANY) != 0;
    struct km_slice key;
    uint32_t start;

    if (!is_cut_off(s))
        begin_key(s);
    if (is_cut_off(s))
        return;
    start = s->value_start + ((level->flags & LEVEL_COMMA) != 0 ? 2 : 1);
    key = (struct km_slice){s->window + start, s->window_len - start};
    if (s->cut)
        s->node = any ? json_child_any(s->schema, level->node) : 0;
    else
        s->node = json_child_of_key(s->schema, level->node, key, s->scan.escaped, any);
    s->in_key = false;
    if (any && level->index++ >= count_max(s->schema, level->node, KM_F_MAP)) {
        level->flags |= LEVEL_CUT;
        if (s->schema->nodes[s->node].segment == NULL)
            s->node = 0;
    }
    if (s->node == 0 || s->overflow)
        s->window_len = s->value_start;
    if (s->node == 0) {
        skip_value(s, s->scan.depth);
        return;
    }
    put(s, "\":", 2);
    level->flags |= LEVEL_COMMA;
    s->mark = s->cut;
    s->cut = false;
}

/* ---- values ---- */

/* As it is written: a numbered array is, too. */
static bool is_object(const struct km_sieve_level *level)
{
    return (level->flags & (LEVEL_OBJECT | LEVEL_NUMBERED)) != 0;
}

static uint32_t size_max(const struct km_schema *schema, uint16_t node, enum km_field_type type)
{
    uint32_t max = 1;

    do {
        const struct km_schema_node *at = &schema->nodes[node];

        if (at->field != NULL && at->field->type == type && at->field->size > max)
            max = at->field->size;
        node = at->also;
    } while (node != 0);
    return max;
}

/* A string behind a name that whole_key took, when it came in one piece, is plain and fits: as it would be written else. */
static void whole_text(struct km_sieve *s, const char **at, const char *end)
{
    unsigned types = s->schema->nodes[s->node].types;
    size_t room = s->window_size - s->reserve - s->window_len, max;
    char *to = s->window + s->window_len;
    struct km_slice text;

    if ((types & JSON_TYPE_BIT(KM_F_STRING)) == 0 || (types & JSON_TYPE_BIT(KM_F_RAW)) != 0 ||
        room < CONFIG_KM_JSON_KEY_BYTES + 16)
        return;
    max = size_max(s->schema, s->node, KM_F_STRING) - 1;
    if (!json_scan_member_string(&s->scan, at, end, max < room - 2 ? max : room - 2, &text))
        return;
    *to++ = '"';
    memcpy(to, text.ptr, text.len);
    to[text.len] = '"';
    s->window_len += (uint32_t)text.len + 2;
    s->whole_len = s->window_len;
}

static void put_comma(struct km_sieve *s, struct km_sieve_level *level)
{
    if ((level->flags & LEVEL_COMMA) != 0)
        put(s, ",", 1);
    level->flags |= LEVEL_COMMA;
}

static void put_place(struct km_sieve *s, uint32_t place)
{
    char text[12];
    size_t at = sizeof text;

    text[--at] = ':';
    text[--at] = '"';
    do {
        text[--at] = (char)('0' + place % 10);
        place /= 10;
    } while (place > 0);
    put(s, "\"", 1);
    put(s, text + at, sizeof text - at);
}

static void begin_item(struct km_sieve *s)
{
    s->document_overflow = s->overflow;
    s->overflow = false;
    s->in_item = true;
    s->item_depth = s->scan.depth;
    s->item_start = s->whole_len = s->window_len;
}

/* An array's element begins: which node takes it. False when none does; it is passed over then. */
static bool begin_element(struct km_sieve *s, struct km_sieve_level *level)
{
    uint32_t place = level->index;

    if (level->index < UINT32_MAX)
        level->index++;
    if ((level->flags & LEVEL_NUMBERED) != 0) {
        s->node = json_child_of_place(s->schema, level->node, place);
        if (s->node == 0) {
            skip_value(s, s->scan.depth);
            return false;
        }
        put_comma(s, level);
        put_place(s, place);
        return true;
    }
    s->node = json_child_any(s->schema, level->node);
    if ((level->flags & LEVEL_ITEMS) != 0) {
        begin_item(s);
        return true;
    }
    if (place >= count_max(s->schema, level->node, KM_F_ARRAY)) {
        /* To the end of the array, which is then written. */
        level->flags |= LEVEL_CUT;
        json_scan_skip(&s->scan, (uint16_t)(s->scan.depth - 1));
        return false;
    }
    put_comma(s, level);
    return true;
}

/* With its bracket goes the room for the closing one and a mark. */
static void open_level(struct km_sieve *s, const struct km_sieve_level *level)
{
    char text[1 + CLOSE_BYTES] = {is_object(level) ? '{' : '['};

    if (!put(s, text, sizeof text))
        return;
    s->window_len -= CLOSE_BYTES;
    s->reserve += CLOSE_BYTES;
    s->whole_len = s->window_len;
}

static void close_level(struct km_sieve *s, const struct km_sieve_level *level)
{
    const char text[CLOSE_BYTES] = {is_object(level) ? '}' : ']', '\t'};
    bool marked = (level->flags & LEVEL_CUT) != 0;

    if (s->overflow && s->mode != CLOSING)
        return;
    s->reserve -= CLOSE_BYTES;
    append(s, text, marked ? CLOSE_BYTES : 1);
}

static void enter(struct km_sieve *s, bool object)
{
    const struct km_schema_node *node = &s->schema->nodes[s->node];
    struct km_sieve_level *level = &s->levels[s->scan.depth];

    *level = (struct km_sieve_level){.node = s->node, .flags = s->mark ? LEVEL_CUT : 0};
    s->mark = false;
    if (object) {
        level->flags |= LEVEL_OBJECT;
        if ((node->types & JSON_TYPE_BIT(KM_F_MAP)) != 0)
            level->flags |= LEVEL_ANY;
    } else if (json_is_items(s->schema, s->node)) {
        level->flags |= LEVEL_ITEMS;
    } else if (node->numbered) {
        level->flags |= LEVEL_NUMBERED;
    }
    open_level(s, level);
}

static void begin_copy(struct km_sieve *s, uint32_t cap)
{
    s->mode = COPYING;
    s->value_start = s->window_len;
    s->value_cap = cap;
    json_scan_skip(&s->scan, s->scan.depth);
}

/* Nobody can take the value: null stands in its place. */
static void put_null(struct km_sieve *s, bool mark)
{
    put(s, "null", 4);
    if (mark || s->mark)
        put_mark(s);
    s->mark = false;
    skip_value(s, s->scan.depth);
}

static void begin_value(struct km_sieve *s, char c)
{
    struct km_sieve_level *level = s->scan.depth > 0 ? top_level(s) : NULL;
    unsigned types;

    if (level == NULL)
        s->node = 0;
    else if ((level->flags & LEVEL_OBJECT) == 0 && !begin_element(s, level))
        return;
    types = s->schema->nodes[s->node].types;
    if ((types & JSON_TYPE_BIT(KM_F_RAW)) != 0) {
        begin_copy(s, size_max(s->schema, s->node, KM_F_RAW) - 1);
    } else if (c == '{' && json_takes_object(s->schema, s->node)) {
        enter(s, true);
    } else if (c == '[' && json_takes_array(s->schema, s->node)) {
        enter(s, false);
    } else if (c == '"' && (types & JSON_TYPE_BIT(KM_F_STRING)) != 0) {
        s->mode = IN_TEXT;
        begin_text(s, size_max(s->schema, s->node, KM_F_STRING) - 1);
    } else if ((c == 't' || c == 'f') && (types & JSON_TYPE_BIT(KM_F_BOOL)) != 0) {
        begin_copy(s, NUMBER_BYTES);
    } else if ((c == '-' || (c >= '0' && c <= '9')) && (types & JSON_TYPE_BIT(KM_F_INT64)) != 0) {
        begin_copy(s, NUMBER_BYTES);
    } else {
        put_null(s, c != 'n' && types != 0);
    }
}

static void copy(struct km_sieve *s, struct km_slice bytes)
{
    if (s->cut || s->overflow)
        return;
    if (bytes.len <= s->value_cap - (s->window_len - s->value_start)) {
        put(s, bytes.ptr, bytes.len);
        return;
    }
    /* As when it comes in pieces, of which the first ones are written. */
    if (s->value_cap > s->window_size - s->reserve - s->value_start) {
        begin_overflow(s);
        return;
    }
    s->cut = true;
    s->window_len = s->value_start;
    put(s, "null", 4);
}

static void deliver(struct km_sieve *s, bool item)
{
    uint32_t start = item ? s->item_start : 0;
    struct km_slice text = {s->window + start, s->window_len - start};
    bool overflow = s->overflow;
    int err;

    s->window_len = s->whole_len = start;
    s->overflow = item && s->document_overflow;
    s->in_item = false;
    if (item)
        s->items++;
    else
        s->documents++;
    err = s->fn(s->ctx, item, text, overflow);
    if (err < 0)
        s->err = err;
}

static void end_value(struct km_sieve *s)
{
    bool mark = s->cut || s->mark;

    if (s->mode == IN_TEXT)
        put(s, "\"", 1);
    if (s->mode == WALKING || s->mode == CLOSING)
        close_level(s, &s->levels[s->scan.depth]);
    else if (mark && s->mode != SKIPPING)
        put_mark(s);
    s->mode = WALKING;
    s->cut = s->mark = false;
    s->whole_len = s->window_len;
    if (s->in_item && s->scan.depth == s->item_depth)
        deliver(s, true);
    else if (s->scan.depth == 0)
        deliver(s, false);
}

/* ---- the stream ---- */

static void take_text(struct km_sieve *s, struct km_slice text, enum json_event event)
{
    if (s->scan.is_key)
        begin_key(s);
    put_text(s, text);
    /* The rest of a string that was cut is of no interest, when it is still to come. */
    if (s->cut && !s->in_key && event == JSON_NONE)
        json_scan_skip(&s->scan, s->scan.depth);
}

/* Of what was cut off nothing more is of use but the ends of the containers around it. */
static void give_up(struct km_sieve *s)
{
    uint16_t depth = s->scan.depth, base = s->in_item ? s->item_depth : 0;

    s->cut = s->mark = false;
    if (depth == base) {
        skip_value(s, base);
        return;
    }
    top_level(s)->flags |= LEVEL_CUT;
    s->mode = CLOSING;
    json_scan_skip(&s->scan, (uint16_t)(depth - 1));
}

/* What is passed over or copied comes to its end first. */
static bool is_to_give_up(const struct km_sieve *s)
{
    return is_cut_off(s) && (s->mode == WALKING || s->mode == IN_TEXT);
}

int km_sieve_feed(struct km_sieve *s, struct km_slice in)
{
    const char *at = in.ptr, *before;
    const char *end = in.len > 0 ? in.ptr + in.len : in.ptr;
    struct km_slice text;

    while (s->err == KM_OK && at < end) {
        enum json_event event;

        before = at;
        event = json_scan_run(&s->scan, &at, end, &text);
        if (event == JSON_KEY && whole_key(s, text)) {
            if (s->mode == WALKING && !is_cut_off(s))
                whole_text(s, &at, end);
            if (is_to_give_up(s))
                give_up(s);
            continue;
        }
        if (s->mode == COPYING)
            copy(s, (struct km_slice){before, (size_t)(at - before)});
        else if (text.len > 0)
            take_text(s, text, event);
        if (event == JSON_KEY)
            take_key(s);
        else if (event == JSON_VALUE)
            begin_value(s, *at);
        else if (event == JSON_END)
            end_value(s);
        else if (event == JSON_ERROR)
            s->err = s->scan.too_deep ? KM_ERR_DEPTH : KM_ERR_SYNTAX;
        if (is_to_give_up(s))
            give_up(s);
    }
    return s->err;
}

int km_sieve_end(struct km_sieve *s)
{
    /* A number at the top ends where the stream ends. */
    if (s->err == KM_OK && json_scan_in_top_number(&s->scan))
        km_sieve_feed(s, km_slice_of(" "));
    return s->err != KM_OK ? s->err : km_json_scan_end(&s->scan);
}
