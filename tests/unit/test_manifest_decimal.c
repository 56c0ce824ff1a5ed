/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal numbers and doubles, both ways, against libc. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/manifest/manifest_priv.h"
#include "km_test.h"

static uint64_t seed = 1;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static void same_value(const char *text)
{
    double ours = decimal_read(text), theirs = strtod(text, NULL);

    if (memcmp(&ours, &theirs, sizeof ours) != 0)
        fail_msg("%s: %a instead of %a", text, ours, theirs);
}

static void reads_edges(void **state)
{
    static const char *const edges[] = {"0",
                                        "-0",
                                        "0.0e5",
                                        ".5",
                                        "5.",
                                        "1e0",
                                        "-1.5",
                                        "+2.25",
                                        "1e23",
                                        "8.5e22",
                                        "9007199254740993",
                                        "9007199254740992.99999999999999999",
                                        "9007199254740993.00000000000000000000000001",
                                        "1.7976931348623157e308",
                                        "1.7976931348623158e308",
                                        "1.7976931348623159e308",
                                        "1e309",
                                        "-1e99999999999",
                                        "1e-99999999999",
                                        "0e99999999999",
                                        "2.2250738585072014e-308",
                                        "2.2250738585072011e-308",
                                        "4.9406564584124654e-324",
                                        "2.4703282292062327e-324",
                                        "2.4703282292062328e-324",
                                        "2.4703282292062327208e-324",
                                        "1e-400",
                                        "0.000000000000000001e18",
                                        "100000000000000000000000000000000000000000000000000e-50",
                                        "0.1",
                                        "0.3",
                                        "123456789012345678"};
    char text[360];

    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        same_value(edges[i]);
    /* Half of the smallest double, and a little more: the digit that decides stands far behind. */
    memset(text, '0', sizeof text);
    memcpy(text, "9007199254740993.", 17);
    memcpy(text + 350, "1e0", 4);
    same_value(text);
    memcpy(text + 350, "0e0", 4);
    same_value(text);
}

static void reads_random_text(void **state)
{
    char text[64];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(text, sizeof text, "%s%llu.%llue%d", draw() % 2 ? "-" : "",
                       (unsigned long long)(draw() >> draw() % 64),
                       (unsigned long long)(draw() >> draw() % 64), (int)(draw() % 700) - 350);
        same_value(text);
    }
}

static double random_double(void)
{
    uint64_t bits = draw();
    double value;

    if (draw() % 4 == 0)
        bits = (bits & 0xfff) << 42 | (1023ull + bits % 64) << 52;
    bits &= ~(1ull << 63);
    if ((bits >> 52) == 0x7ff)
        bits ^= 1ull << 62;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void same_digits(double value, bool single)
{
    char digits[DECIMAL_DIGITS + 1] = "", text[40], theirs[40] = "";
    long exponent;
    size_t count = decimal_shortest(value, single, digits, &exponent);

    for (int places = 0; places < 18; places++) {
        (void)snprintf(theirs, sizeof theirs, "%.*e", places, value);
        if (single ? strtof(theirs, NULL) == (float)value : strtod(theirs, NULL) == value)
            break;
    }
    (void)snprintf(text, sizeof text, "%c%s%.*se%+03ld", digits[0], count > 1 ? "." : "",
                   (int)count - 1, digits + 1, exponent);
    assert_string_equal(text, theirs);
}

static void writes_shortest(void **state)
{
    (void)state;
    same_digits(0, false);
    same_digits(1, false);
    same_digits(5e-324, false);
    same_digits(1.7976931348623157e308, false);
    for (int i = 0; i < 3000; i++)
        same_digits(random_double(), false);
    for (int i = 0; i < 3000; i++) {
        uint32_t bits = (uint32_t)draw() & 0x7effffff;
        float value;

        memcpy(&value, &bits, sizeof value);
        same_digits((double)value, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_edges),
        cmocka_unit_test(reads_random_text),
        cmocka_unit_test(writes_shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
