/* SPDX-License-Identifier: Apache-2.0 */
/* A day like any other: what the agent does to a healthy server, and the test server's own honesty. */
#include "rig.h"

static void starts_and_stays(void **state)
{
    (void)state;
    rig_begin(1);
    rig_start();
    rig_check(rig_until(rig_is_ready, 1000));
    rig_settle(10000);
    rig_run(RIG_HOUR);
    rig_check(rig_unsettled() == NULL);
    rig_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(starts_and_stays)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
