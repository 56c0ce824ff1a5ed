/* SPDX-License-Identifier: Apache-2.0 */
/* The version that the Node reports, from the server's own. */
#include "agent/node/node_priv.h"
#include "km_test.h"
#include "km_version.h"

static void expect(const char *git_version, const char *want)
{
    char out[64] = "before";

    assert_true(node_kubelet_version(git_version, out, sizeof out));
    assert_string_equal(out, want);
}

static void refuse(const char *git_version)
{
    char out[64] = "before";

    assert_false(node_kubelet_version(git_version, out, sizeof out));
    assert_string_equal(out, "before");
}

static void test_takes_the_minor(void **state)
{
    (void)state;
    expect("v1.36.3", "v1.36.0-kubemote." KM_VERSION);
    expect("v1.33.5-eks-1a2b3c4", "v1.33.0-kubemote." KM_VERSION);
    expect("v1.34+", "v1.34.0-kubemote." KM_VERSION);
    expect("v1.9", "v1.9.0-kubemote." KM_VERSION);
    expect("v9999.9999.1", "v9999.9999.0-kubemote." KM_VERSION);
}

static void test_leaves_the_old_one_otherwise(void **state)
{
    static const char *const bad[] = {"",       "v",       "1.36.3",    "v1",
                                      "v1.",    "v.36",    "v-1.36",    "v1.-36",
                                      "v1 .36", "v1.+36",  "v10000.1",  "v1.10000",
                                      "v1,36",  "vx.y.z1", "v1.\"36\"", "v99999999999999999999.1"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refuse(bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_the_minor),
        cmocka_unit_test(test_leaves_the_old_one_otherwise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
