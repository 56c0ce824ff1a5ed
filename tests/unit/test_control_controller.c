/* SPDX-License-Identifier: Apache-2.0 */
/* Controllers on a loop without connections: results, slots, deadlines, stop. The clock is the test's. */
#include "km_test.h"

#include "kubemote/km_control.h"

#define KEYS 40

KM_QUEUE_DEFINE(queue, KEYS, 5, 1000);
KM_QUEUE_DEFINE(other_queue, KEYS, 5, 1000);

static struct km_loop loop;
static struct km_under_way places[4];
static struct km_controller ctl, other;
static unsigned runs[KEYS], other_runs, late_calls, most;
static bool open_keys[KEYS], finish_when_late, asynchronous;
static enum km_result result;
static int64_t after;

static void reconcile(void *ctx, uint16_t key)
{
    unsigned open = 0;

    (void)ctx;
    assert_false(open_keys[key]); /* never two for one key */
    runs[key]++;
    open_keys[key] = true;
    for (int i = 0; i < KEYS; i++)
        open += open_keys[i];
    most = open > most ? open : most;
    if (asynchronous)
        return;
    open_keys[key] = false;
    km_controller_finish(&ctl, key, result, after);
}

static void finish(uint16_t key, enum km_result how)
{
    open_keys[key] = false;
    km_controller_finish(&ctl, key, how, after);
}

static void on_late(void *ctx, uint16_t key)
{
    (void)ctx;
    late_calls++;
    open_keys[key] = false;
    if (finish_when_late)
        km_controller_finish(&ctl, key, KM_DONE, 0);
}

static void reconcile_other(void *ctx, uint16_t key)
{
    (void)ctx;
    other_runs++;
    km_controller_finish(&other, key, KM_DONE, 0);
}

static int begin(void **state)
{
    (void)state;
    memset(runs, 0, sizeof runs);
    memset(open_keys, 0, sizeof open_keys);
    other_runs = late_calls = most = 0;
    finish_when_late = asynchronous = false;
    result = KM_DONE;
    after = 0;
    km_loop_init(&loop);
    loop.now_ms = 1000;
    ctl = (struct km_controller){.name = "test",
                                 .queue = &queue,
                                 .loop = &loop,
                                 .workers = 4,
                                 .reconcile = reconcile,
                                 .places = places,
                                 .deadline_ms = 100,
                                 .on_late = on_late};
    other = (struct km_controller){.name = "other",
                                   .queue = &other_queue,
                                   .loop = &loop,
                                   .workers = 1,
                                   .reconcile = reconcile_other};
    km_controller_init(&ctl);
    km_controller_init(&other);
    return 0;
}

static void pass(int64_t ms)
{
    for (int64_t i = 0; i <= ms; i++) {
        km_timers_run(&loop.timers, loop.now_ms);
        if (i < ms)
            loop.now_ms++;
    }
}

static void done_is_forgotten(void **state)
{
    (void)state;
    km_controller_add(&ctl, 3);
    pass(5000);
    assert_int_equal(runs[3], 1);
    assert_int_equal(km_queue_requeues(&queue, 3), 0);
    assert_true(km_controller_idle(&ctl));
}

/* With places and without them. */
static void a_second_finish_is_ignored(void **state)
{
    for (int i = 0; i < 2; i++) {
        (void)begin(state);
        ctl.places = i == 0 ? places : NULL;
        ctl.deadline_ms = i == 0 ? 100 : 0;
        km_controller_add(&ctl, 3);
        pass(1);
        km_controller_finish(&ctl, 3, KM_BACK_OFF, 0);
        km_controller_finish(&ctl, 4, KM_DONE, 0);
        km_controller_finish(&ctl, KEYS, KM_DONE, 0);
        assert_true(km_controller_idle(&ctl));
        pass(1000);
        assert_int_equal(runs[3], 1);
        km_controller_add(&ctl, 5);
        pass(1);
        assert_int_equal(runs[5], 1);
    }
}

static void again_after(void **state)
{
    (void)state;
    result = KM_AGAIN_AFTER;
    after = 100;
    km_controller_add(&ctl, 3);
    pass(0);
    assert_int_equal(runs[3], 1);
    pass(99);
    assert_int_equal(runs[3], 1);
    pass(1);
    assert_int_equal(runs[3], 2);
}

static void back_off_grows(void **state)
{
    (void)state;
    result = KM_BACK_OFF;
    km_controller_add(&ctl, 3);
    pass(0);
    pass(5 + 10 + 20);
    assert_int_equal(runs[3], 4);
    assert_int_equal(km_queue_requeues(&queue, 3), 4);
    result = KM_DONE;
    pass(1000);
    assert_int_equal(runs[3], 5);
    assert_int_equal(km_queue_requeues(&queue, 3), 0);
}

static void fatal_rests_until_added(void **state)
{
    (void)state;
    result = KM_BACK_OFF;
    km_controller_add(&ctl, 3);
    pass(0);
    result = KM_FATAL;
    pass(10000);
    assert_int_equal(runs[3], 2);
    assert_int_equal(ctl.fatal, 1);
    assert_int_equal(km_queue_requeues(&queue, 3), 0);
    km_controller_add(&ctl, 3);
    pass(0);
    assert_int_equal(runs[3], 3);
}

static void slots_are_kept(void **state)
{
    (void)state;
    asynchronous = true;
    ctl.deadline_ms = 0;
    for (uint16_t key = 0; key < KEYS; key++)
        km_controller_add(&ctl, key);
    pass(0);
    assert_int_equal(most, 4);
    km_controller_add(&ctl, 0); /* while it is processed: once more afterwards */
    km_controller_add(&ctl, 0);
    for (int left = KEYS + 1; left > 0; left--) {
        uint16_t key = 0;

        while (!open_keys[key])
            key++;
        finish(key, KM_DONE);
        pass(0);
    }
    for (uint16_t key = 0; key < KEYS; key++)
        assert_int_equal(runs[key], key == 0 ? 2 : 1);
    assert_int_equal(most, 4);
    assert_true(km_controller_idle(&ctl));
}

static void late_key_backs_off(void **state)
{
    (void)state;
    asynchronous = true;
    km_controller_add(&ctl, 7);
    pass(50);
    km_controller_add(&ctl, 8);
    pass(49);
    assert_int_equal(ctl.late, 0);
    pass(1);
    assert_int_equal(ctl.late, 1);
    assert_int_equal(late_calls, 1);
    assert_int_equal(km_queue_requeues(&queue, 7), 1);
    finish(8, KM_DONE);
    km_controller_finish(&ctl, 7, KM_DONE, 0); /* too late: the key is not under way any more */
    assert_int_equal(km_queue_requeues(&queue, 7), 1);
    pass(5);
    assert_int_equal(runs[7], 2);
    finish_when_late = true;
    pass(100);
    assert_int_equal(ctl.late, 2);
    assert_int_equal(km_queue_requeues(&queue, 7), 2); /* late is a failure, whatever it says */
    assert_true(km_controller_idle(&ctl));
}

static void late_without_a_call(void **state)
{
    (void)state;
    asynchronous = true;
    ctl.on_late = NULL;
    km_controller_add(&ctl, 7);
    pass(1000);
    assert_int_equal(ctl.late, 1);
    assert_int_equal(runs[7], 1);
    finish(7, KM_DONE);
    pass(5);
    assert_int_equal(runs[7], 2);
}

static void two_on_one_loop(void **state)
{
    (void)state;
    asynchronous = true;
    for (uint16_t key = 0; key < KEYS; key++) {
        km_controller_add(&ctl, key);
        km_controller_add(&other, key);
    }
    pass(3);
    assert_int_equal(other_runs, KEYS); /* the other's reconciles that wait hold nobody up */
    assert_int_equal(ctl.in_flight, 4);
}

static void stop_is_clean(void **state)
{
    (void)state;
    asynchronous = true;
    for (uint16_t key = 0; key < 6; key++)
        km_controller_add(&ctl, key);
    pass(0);
    km_controller_shutdown(&ctl);
    assert_false(km_controller_idle(&ctl));
    for (uint16_t key = 0; key < 4; key++) {
        finish(key, KM_BACK_OFF);
        pass(50);
    }
    assert_true(km_controller_idle(&ctl));
    pass(5000);
    assert_int_equal(runs[4] + runs[5], 0);
    assert_int_equal(runs[0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(done_is_forgotten, begin),
        cmocka_unit_test_setup(a_second_finish_is_ignored, begin),
        cmocka_unit_test_setup(again_after, begin),
        cmocka_unit_test_setup(back_off_grows, begin),
        cmocka_unit_test_setup(fatal_rests_until_added, begin),
        cmocka_unit_test_setup(slots_are_kept, begin),
        cmocka_unit_test_setup(late_key_backs_off, begin),
        cmocka_unit_test_setup(late_without_a_call, begin),
        cmocka_unit_test_setup(two_on_one_loop, begin),
        cmocka_unit_test_setup(stop_is_clean, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
