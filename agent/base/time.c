/* SPDX-License-Identifier: Apache-2.0 */

#include "kubemote/km_base.h"

#define US_PER_S INT64_C(1000000)
#define S_PER_DAY INT64_C(86400)
/* A Gregorian era: 400 years. Years are counted from 1 March, so that the leap day is the last of
   its year. */
#define DAYS_PER_ERA INT64_C(146097)
#define DAYS_TO_1970 INT64_C(719468) /* from 0000-03-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static void civil_from_days(int64_t days, struct km_civil *out)
{
    int64_t era, day_of_era, year_of_era, day_of_year, month;

    days += DAYS_TO_1970;
    era = floor_div(days, DAYS_PER_ERA);
    day_of_era = days - era * DAYS_PER_ERA;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    month = (5 * day_of_year + 2) / 153; /* 0 = March */
    out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->month = (int)(month < 10 ? month + 3 : month - 9);
    out->year = (int)(era * 400 + year_of_era + (out->month <= 2));
}

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t era, year_of_era, day_of_year;

    if (month <= 2)
        year--;
    era = floor_div(year, 400);
    year_of_era = year - era * 400;
    day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
           day_of_year - DAYS_TO_1970;
}

void km_time_civil(int64_t unix_us, struct km_civil *out)
{
    int64_t seconds = floor_div(unix_us, US_PER_S);
    int64_t days = floor_div(seconds, S_PER_DAY);
    int64_t in_day = seconds - days * S_PER_DAY;

    civil_from_days(days, out);
    out->hour = (int)(in_day / 3600);
    out->minute = (int)(in_day / 60 % 60);
    out->second = (int)(in_day % 60);
    out->micros = (int)((unix_us % US_PER_S + US_PER_S) % US_PER_S);
}

void km_time_rfc3339(int64_t unix_us, char *out, size_t out_size)
{
    struct km_civil c;
    struct km_buf buf;

    km_time_civil(unix_us, &c);
    km_buf_init(&buf, out, out_size);
    km_buf_printf(&buf, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour, c.minute,
                  c.second);
}

void km_time_rfc3339_micro(int64_t unix_us, char *out, size_t out_size)
{
    struct km_civil c;
    struct km_buf buf;

    km_time_civil(unix_us, &c);
    km_buf_init(&buf, out, out_size);
    km_buf_printf(&buf, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", c.year, c.month, c.day, c.hour,
                  c.minute, c.second, c.micros);
}

/* A cursor over the text; `ok` turns false at the first thing that does not belong there. */
struct scan {
    struct km_slice rest;
    bool ok;
};

static bool next_is(const struct scan *s, char c)
{
    return s->rest.len > 0 && s->rest.ptr[0] == c;
}

static void skip(struct scan *s)
{
    s->rest.ptr++;
    s->rest.len--;
}

static void expect(struct scan *s, char c)
{
    if (!next_is(s, c)) {
        s->ok = false;
        s->rest.len = 0;
        return;
    }
    skip(s);
}

static int digits(struct scan *s, int count, int low, int high)
{
    int value = 0;

    for (int i = 0; i < count; i++) {
        if (s->rest.len == 0 || s->rest.ptr[0] < '0' || s->rest.ptr[0] > '9') {
            s->ok = false;
            return low;
        }
        value = value * 10 + (s->rest.ptr[0] - '0');
        skip(s);
    }
    if (value < low || value > high)
        s->ok = false;
    return value;
}

static bool is_digit_at(const struct scan *s, size_t at)
{
    return s->rest.len > at && s->rest.ptr[at] >= '0' && s->rest.ptr[at] <= '9';
}

/* Any number of digits, or none. */
static int fraction_micros(struct scan *s)
{
    int micros = 0, scale = 100000;

    if (!(next_is(s, '.') || next_is(s, ',')) || !is_digit_at(s, 1))
        return 0;
    for (skip(s); is_digit_at(s, 0); skip(s)) {
        micros += (s->rest.ptr[0] - '0') * scale;
        scale /= 10;
    }
    return micros;
}

/* Six places; Go reads them as a number that may have a sign. */
static int six_micros(struct scan *s)
{
    bool negative = false;
    int count = 6;

    expect(s, next_is(s, ',') ? ',' : '.');
    if (next_is(s, '+') || next_is(s, '-')) {
        negative = next_is(s, '-');
        skip(s);
        count = 5;
    }
    return digits(s, count, 0, negative ? 0 : 999999);
}

static int64_t offset_seconds(struct scan *s)
{
    bool west;
    int hours, minutes;

    if (next_is(s, 'Z')) {
        skip(s);
        return 0;
    }
    west = next_is(s, '-');
    expect(s, west ? '-' : '+');
    /* One more than RFC 3339 allows: Go's time.Parse takes it, so the API server does. */
    hours = digits(s, 2, 0, 24);
    expect(s, ':');
    minutes = digits(s, 2, 0, 60);
    return (west ? -60 : 60) * (int64_t)(hours * 60 + minutes);
}

static int days_in_month(int year, int month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return days[month - 1];
}

static void parse_fields(struct scan *s, bool micro, struct km_civil *c)
{
    c->year = digits(s, 4, 0, 9999);
    expect(s, '-');
    c->month = digits(s, 2, 1, 12);
    expect(s, '-');
    c->day = digits(s, 2, 1, 31);
    expect(s, 'T');
    c->hour = digits(s, is_digit_at(s, 1) ? 2 : 1, 0, 23);
    expect(s, ':');
    c->minute = digits(s, 2, 0, 59);
    expect(s, ':');
    c->second = digits(s, 2, 0, 59);
    c->micros = micro ? six_micros(s) : fraction_micros(s);
}

static int parse(struct km_slice text, bool micro, int64_t *unix_us)
{
    struct scan s = {.rest = text, .ok = true};
    struct km_civil c;

    parse_fields(&s, micro, &c);
    int64_t offset = offset_seconds(&s);
    if (!s.ok || s.rest.len > 0 || c.day > days_in_month(c.year, c.month))
        return KM_ERR_SYNTAX;
    int64_t seconds = days_from_civil(c.year, c.month, c.day) * S_PER_DAY +
                      (int64_t)(c.hour * 3600 + c.minute * 60 + c.second) - offset;
    *unix_us = seconds * US_PER_S + c.micros;
    return KM_OK;
}

int km_time_parse(struct km_slice text, int64_t *unix_us)
{
    return parse(text, false, unix_us);
}

int km_time_parse_micro(struct km_slice text, int64_t *unix_us)
{
    return parse(text, true, unix_us);
}
