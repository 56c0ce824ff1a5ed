/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "kubemote/km_port.h"
#include "tz_priv.h"

#define DAY_S 86400
#define TZIF_HEAD 44u

/* ---- POSIX rules ---- */

struct rule {
    char kind; /* M month.week.day, J day 1 to 365 without 29 February, 0 day 0 to 365 */
    int month, week, day;
    int32_t time_s;
};

static char peek(const struct km_slice *s)
{
    return s->len > 0 ? s->ptr[0] : '\0';
}

static void skip(struct km_slice *s, size_t n)
{
    s->ptr += n;
    s->len -= n;
}

static bool read_name(struct km_slice *s)
{
    size_t n = 0;

    if (peek(s) == '<') {
        const char *end = memchr(s->ptr, '>', s->len);

        if (end == NULL)
            return false;
        skip(s, (size_t)(end - s->ptr) + 1);
        return true;
    }
    while (n < s->len && ((s->ptr[n] | 0x20) >= 'a' && (s->ptr[n] | 0x20) <= 'z'))
        n++;
    skip(s, n);
    return n >= 3;
}

static bool read_number(struct km_slice *s, int high, int *out)
{
    int value = 0;
    size_t n = 0;

    while (n < s->len && n < 3 && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        value = value * 10 + (s->ptr[n++] - '0');
    skip(s, n);
    *out = value;
    return n > 0 && value <= high;
}

/* [+-]hh[:mm[:ss]], up to 167 hours. */
static bool read_time(struct km_slice *s, int32_t *out)
{
    int part, sign = peek(s) == '-' ? -1 : 1;
    int32_t unit = 3600, sum = 0;

    if (peek(s) == '-' || peek(s) == '+')
        skip(s, 1);
    for (;;) {
        if (!read_number(s, unit == 3600 ? 167 : 59, &part))
            return false;
        sum += part * unit;
        unit /= 60;
        if (unit == 0 || peek(s) != ':')
            break;
        skip(s, 1);
    }
    *out = sign * sum;
    return true;
}

static bool read_rule(struct km_slice *s, struct rule *out)
{
    memset(out, 0, sizeof *out);
    out->time_s = 7200;
    if (peek(s) != ',')
        return false;
    skip(s, 1);
    out->kind = peek(s) == 'M' || peek(s) == 'J' ? peek(s) : '0';
    if (out->kind != '0')
        skip(s, 1);
    if (out->kind == 'M') {
        if (!read_number(s, 12, &out->month) || out->month < 1 || peek(s) != '.')
            return false;
        skip(s, 1);
        if (!read_number(s, 5, &out->week) || out->week < 1 || peek(s) != '.')
            return false;
        skip(s, 1);
        if (!read_number(s, 6, &out->day))
            return false;
    } else if (!read_number(s, 365, &out->day) || (out->kind == 'J' && out->day < 1)) {
        return false;
    }
    if (peek(s) != '/')
        return true;
    skip(s, 1);
    return read_time(s, &out->time_s);
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to 1 January of the year. */
static int64_t days_to_year(int64_t year)
{
    int64_t before = year - 1;

    return 365 * (year - 1970) + (before / 4 - 1969 / 4) - (before / 100 - 1969 / 100) +
           (before / 400 - 1969 / 400);
}

static int month_days(int month, bool leap)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && leap);
}

/* Local seconds since 1970 at which the rule fires in that year. */
static int64_t rule_time(const struct rule *rule, int64_t year)
{
    bool leap = is_leap(year);
    int64_t start = days_to_year(year), day = rule->day;

    if (rule->kind == 'J') {
        day -= leap && rule->day >= 60 ? 0 : 1;
    } else if (rule->kind == 'M') {
        int64_t first = 0;
        int weekday, in_month;

        for (int m = 1; m < rule->month; m++)
            first += month_days(m, leap);
        weekday = (int)(((start + first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
        in_month = (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
        if (in_month >= month_days(rule->month, leap))
            in_month -= 7;
        day = first + in_month;
    }
    return (start + day) * DAY_S + rule->time_s;
}

int km_tz_posix(struct km_slice text, int64_t unix_s, int32_t *offset_s)
{
    int32_t standard, summer;
    struct rule to_summer, to_standard;
    struct km_civil civil;
    int64_t begin, end;

    *offset_s = 0;
    if (!read_name(&text) || !read_time(&text, &standard))
        return KM_ERR_SYNTAX;
    standard = -standard; /* POSIX counts west of Greenwich */
    if (text.len == 0) {
        *offset_s = standard;
        return KM_OK;
    }
    summer = standard + 3600;
    if (!read_name(&text))
        return KM_ERR_SYNTAX;
    if (text.len > 0 && peek(&text) != ',') {
        if (!read_time(&text, &summer))
            return KM_ERR_SYNTAX;
        summer = -summer;
    }
    if (text.len == 0)
        text = km_slice_of(",M3.2.0,M11.1.0"); /* what POSIX leaves open and libraries do */
    if (!read_rule(&text, &to_summer) || !read_rule(&text, &to_standard) || text.len != 0)
        return KM_ERR_SYNTAX;
    if (unix_s < -62135596800 || unix_s > 253402300799)
        return KM_ERR_SYNTAX;
    km_time_civil((unix_s + standard) * 1000000, &civil);
    begin = rule_time(&to_summer, civil.year) - standard;
    end = rule_time(&to_standard, civil.year) - summer;
    if (begin < end)
        *offset_s = unix_s >= begin && unix_s < end ? summer : standard;
    else
        *offset_s = unix_s >= end && unix_s < begin ? standard : summer;
    return KM_OK;
}

/* ---- TZif ---- */

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t get_time(const uint8_t *at, size_t size)
{
    if (size == 4)
        return (int32_t)get32(at);
    return (int64_t)((uint64_t)get32(at) << 32 | get32(at + 4));
}

struct block {
    const uint8_t *times, *kinds, *types, *end;
    uint32_t time_count, type_count;
    size_t time_size;
};

static int read_block(struct block *out, const uint8_t *data, size_t len, size_t time_size)
{
    uint64_t utc_count, std_count, leap_count, char_count, size;

    if (len < TZIF_HEAD || memcmp(data, "TZif", 4) != 0)
        return KM_ERR_SYNTAX;
    utc_count = get32(data + 20);
    std_count = get32(data + 24);
    leap_count = get32(data + 28);
    out->time_count = get32(data + 32);
    out->type_count = get32(data + 36);
    char_count = get32(data + 40);
    size = (uint64_t)out->time_count * (time_size + 1) + (uint64_t)out->type_count * 6 +
           char_count + leap_count * (time_size + 4) + std_count + utc_count;
    if (out->type_count == 0 || size > len - TZIF_HEAD)
        return KM_ERR_SYNTAX;
    out->time_size = time_size;
    out->times = data + TZIF_HEAD;
    out->kinds = out->times + (size_t)out->time_count * time_size;
    out->types = out->kinds + out->time_count;
    out->end = out->times + (size_t)size;
    return KM_OK;
}

static int type_offset(const struct block *block, uint32_t type, int32_t *offset_s)
{
    int32_t value;

    if (type >= block->type_count)
        return KM_ERR_SYNTAX;
    value = (int32_t)get32(block->types + (size_t)type * 6);
    if (value < -DAY_S * 7 || value > DAY_S * 7)
        return KM_ERR_SYNTAX;
    *offset_s = value;
    return KM_OK;
}

int km_tz_file(const uint8_t *data, size_t len, int64_t unix_s, int32_t *offset_s)
{
    struct block block;
    uint32_t low = 0, high;
    size_t rest;

    *offset_s = 0;
    if (read_block(&block, data, len, 4) != KM_OK)
        return KM_ERR_SYNTAX;
    if (data[4] >= '2') {
        rest = len - (size_t)(block.end - data);
        if (read_block(&block, block.end, rest, 8) != KM_OK)
            return KM_ERR_SYNTAX;
    }
    high = block.time_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (get_time(block.times + (size_t)middle * block.time_size, block.time_size) <= unix_s)
            low = middle + 1;
        else
            high = middle;
    }
    rest = len - (size_t)(block.end - data);
    if (low == block.time_count && data[4] >= '2' && rest > 2 && block.end[0] == '\n') {
        const uint8_t *end = memchr(block.end + 1, '\n', rest - 1);

        if (end != NULL && end > block.end + 1)
            return km_tz_posix((struct km_slice){.ptr = (const char *)block.end + 1,
                                                 .len = (size_t)(end - block.end) - 1},
                               unix_s, offset_s);
    }
    return type_offset(&block, low == 0 ? 0 : block.kinds[low - 1], offset_s);
}

/* ---- the machine's own zone ---- */

static int from_file(const char *path, int64_t unix_s, int32_t *offset_s)
{
    /* The largest files of the zone database have under 4 kB. */
    static uint8_t data[6144] KM_POOL_STORAGE(tz_file);
    int len = km_port_file_read_at(path, 0, data, sizeof data);

    return len < 0 ? len : km_tz_file(data, (size_t)len, unix_s, offset_s);
}

static int look_up(int64_t unix_s, int32_t *offset_s)
{
    const char *zone = getenv("TZ");
    char path[256];
    struct km_buf buf;

    if (zone == NULL)
        return from_file("/etc/localtime", unix_s, offset_s);
    if (zone[0] == '\0')
        return KM_ERR_NOT_FOUND;
    if (zone[0] != ':' && km_tz_posix(km_slice_of(zone), unix_s, offset_s) == KM_OK)
        return KM_OK;
    zone += zone[0] == ':';
    if (zone[0] == '/')
        return from_file(zone, unix_s, offset_s);
    if (strstr(zone, "..") != NULL)
        return KM_ERR_SYNTAX;
    km_buf_init(&buf, path, sizeof path);
    km_buf_puts(&buf, "/usr/share/zoneinfo/");
    km_buf_puts(&buf, zone);
    return buf.overflow ? KM_ERR_TOO_LONG : from_file(path, unix_s, offset_s);
}

int32_t km_port_utc_offset(int64_t unix_us)
{
    static int64_t cached_slot = INT64_MIN;
    static int32_t cached;
    int64_t unix_s = unix_us / 1000000 - (unix_us % 1000000 < 0);
    /* Changes fall on quarter hours; between them each log line would read a file. */
    int64_t slot = unix_s / 900 - (unix_s % 900 < 0);

    if (slot == cached_slot)
        return cached;
    if (look_up(unix_s, &cached) != KM_OK)
        cached = 0;
    cached_slot = slot;
    return cached;
}
