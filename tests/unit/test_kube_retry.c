/* SPDX-License-Identifier: Apache-2.0 */
/* Writes that are tried again after a conflict, as client-go's RetryOnConflict does it. */
#include "kubemote/km_rest.h"
#include "km_test.h"

static struct km_loop loop;
static struct km_client client = {.loop = &loop};
static struct km_status conflict = {.code = 409, .reason = "Conflict"};
static struct km_status missing = {.code = 404, .reason = "NotFound"};

struct attempts {
    int calls, conflicts; /* answers before the last one */
    int last;             /* result after them */
    const struct km_status *last_status;
};

static int attempt(void *ctx, const struct km_status **status)
{
    struct attempts *a = ctx;
    if (a->calls++ < a->conflicts) {
        *status = &conflict;
        return KM_ERR_STATUS;
    }
    *status = a->last_status;
    return a->last;
}

static int setup(void **state)
{
    (void)state;
    km_loop_init(&loop);
    return 0;
}

static void only_conflicts_are_tried_again(void **state)
{
    struct attempts fine = {.last = KM_OK}, second = {.conflicts = 2, .last = KM_OK},
                    other = {.last = KM_ERR_STATUS, .last_status = &missing},
                    link = {.conflicts = 1, .last = KM_ERR_RESET, .last_status = &conflict};
    (void)state;
    assert_int_equal(km_retry_on_conflict(&client, &km_retry_default, attempt, &fine), KM_OK);
    assert_int_equal(fine.calls, 1);
    assert_int_equal(km_retry_on_conflict(&client, &km_retry_default, attempt, &second), KM_OK);
    assert_int_equal(second.calls, 3);
    assert_int_equal(km_retry_on_conflict(&client, &km_retry_default, attempt, &other),
                     KM_ERR_STATUS);
    assert_int_equal(other.calls, 1);
    /* The link's failure, though an old status is still there to be read. */
    assert_int_equal(km_retry_on_conflict(&client, &km_retry_default, attempt, &link),
                     KM_ERR_RESET);
    assert_int_equal(link.calls, 2);
}

static void the_last_conflict_comes_out(void **state)
{
    struct attempts always = {.conflicts = 100}, again = {.conflicts = 100};
    (void)state;
    assert_int_equal(km_retry_on_conflict(&client, &km_retry_default, attempt, &always),
                     KM_ERR_STATUS);
    assert_int_equal(always.calls, 5);
    /* 10, 50 and 250 ms, each a little longer. */
    int64_t begin_ms = km_port_now_ms();
    assert_int_equal(km_retry_on_conflict(&client, &km_retry_backoff, attempt, &again),
                     KM_ERR_STATUS);
    assert_int_equal(again.calls, 4);
    assert_true(km_port_now_ms() - begin_ms >= 310);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_conflicts_are_tried_again, setup),
        cmocka_unit_test_setup(the_last_conflict_comes_out, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
