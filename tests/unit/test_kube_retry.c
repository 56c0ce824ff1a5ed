/* SPDX-License-Identifier: Apache-2.0 */
/* client-go's test of its retries, under its name, and what waits in between. */
#include "kubemote/km_rest.h"
#include "km_test.h"

static struct km_loop loop;
static struct km_client client = {.loop = &loop};
static struct km_status conflict, refused;

/* What the attempts return, one after another; the last one again and again. */
struct script {
    const struct km_status *answers[4]; /* NULL = success */
    int count, tries;
    int64_t at_ms[8];
};

static int attempt(void *ctx, const struct km_status **status)
{
    struct script *s = ctx;
    int at = s->tries < s->count ? s->tries : s->count - 1;

    s->at_ms[s->tries++] = km_port_now_ms();
    *status = s->answers[at];
    return *status == NULL ? KM_OK : KM_ERR_STATUS;
}

static int setup(void **state)
{
    (void)state;
    km_loop_init(&loop);
    km_status_generic(&conflict, 409, KM_PUT);
    km_status_generic(&refused, 403, KM_PUT);
    return 0;
}

/* TestRetryOnConflict */
static void test_retry_on_conflict(void **state)
{
    const struct km_retry three = {3, 1, 1, 10};
    struct script always = {{&conflict}, 1, 0, {0}}, good = {{NULL}, 1, 0, {0}},
                  other = {{&refused}, 1, 0, {0}}, late = {{&conflict, &conflict, NULL}, 3, 0, {0}};

    (void)state;
    assert_int_equal(km_retry_on_conflict(&client, &three, attempt, &always), KM_ERR_STATUS);
    assert_int_equal(always.tries, 3);
    assert_int_equal(km_retry_on_conflict(&client, &three, attempt, &good), KM_OK);
    assert_int_equal(good.tries, 1);
    assert_int_equal(km_retry_on_conflict(&client, &three, attempt, &other), KM_ERR_STATUS);
    assert_int_equal(other.tries, 1);
    assert_int_equal(km_retry_on_conflict(&client, &three, attempt, &late), KM_OK);
    assert_int_equal(late.tries, 3);
}

/* DefaultRetry and DefaultBackoff: so many attempts, and at least so long between them. */
static void waits_are_upstreams(void **state)
{
    struct script s = {{&conflict}, 1, 0, {0}}, t = s;

    (void)state;
    (void)km_retry_on_conflict(&client, &km_retry_default, attempt, &s);
    assert_int_equal(s.tries, 5);
    for (int i = 1; i < 5; i++)
        assert_true(s.at_ms[i] - s.at_ms[i - 1] >= 10);
    (void)km_retry_on_conflict(&client, &km_retry_backoff, attempt, &t);
    assert_int_equal(t.tries, 4);
    for (int i = 1, ms = 10; i < 4; i++, ms *= 5)
        assert_true(t.at_ms[i] - t.at_ms[i - 1] >= ms);
}

static const struct km_status *seen;

static bool link_or_refusal(int err, const struct km_status *status)
{
    seen = status;
    return err == KM_ERR_RESET || (status != NULL && km_status_is_forbidden(status));
}

static int cut_once(void *ctx, const struct km_status **status)
{
    int *tries = ctx;

    *status = &conflict; /* of an answer before: it does not belong to a broken link */
    return (*tries)++ == 0 ? KM_ERR_RESET : KM_OK;
}

static void on_error_the_caller_chooses(void **state)
{
    const struct km_retry quick = {5, 1, 2, 0};
    struct script s = {{&refused, &refused, &conflict}, 3, 0, {0}};
    int tries = 0;

    (void)state;
    assert_int_equal(km_retry_on_error(&client, &quick, link_or_refusal, attempt, &s),
                     KM_ERR_STATUS);
    assert_int_equal(s.tries, 3);
    assert_ptr_equal(seen, &conflict);
    assert_int_equal(km_retry_on_error(&client, &quick, link_or_refusal, cut_once, &tries), KM_OK);
    assert_int_equal(tries, 2);
    assert_null(seen);
}

static void never(void *ctx, int64_t now_ms)
{
    (void)ctx;
    (void)now_ms;
}

/* With no timer to wait for the next token a request goes at once: it must not wait for ever. */
static void the_limit_without_a_timer(void **state)
{
    static struct km_kubeconfig config = {
        .host = "127.0.0.1", .authority = "127.0.0.1:1", .port = 1};
    static struct km_timer timers[CONFIG_KM_TIMER_COUNT];
    static struct km_request requests[2];
    static struct km_lane lane;

    (void)state;
    assert_int_equal(km_client_init(&client, &config, &loop, NULL), KM_OK);
    assert_int_equal(km_lane_init(&lane, &client, "test"), KM_OK);
    km_client_limit(&client, 1, 1);
    client.tokens = 0;
    for (size_t i = 0; i < CONFIG_KM_TIMER_COUNT; i++) {
        timers[i].fn = never;
        assert_int_equal(km_timer_set(&loop.timers, &timers[i], loop.now_ms + 3600000), KM_OK);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(km_rest_raw(&requests[i], &client, KM_GET, "/healthz"), KM_OK);
        assert_int_equal(km_request_send(&requests[i], &lane), KM_OK);
    }
    for (int i = 0; i < 100 && km_request_busy(&requests[1]); i++)
        km_loop_turn(&loop, 100);
    assert_false(km_request_busy(&requests[0]));
    assert_false(km_request_busy(&requests[1]));
    assert_int_equal(loop.timers.refused, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_retry_on_conflict, setup),
        cmocka_unit_test_setup(waits_are_upstreams, setup),
        cmocka_unit_test_setup(on_error_the_caller_chooses, setup),
        cmocka_unit_test_setup(the_limit_without_a_timer, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
