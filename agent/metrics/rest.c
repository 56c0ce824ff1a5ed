/* SPDX-License-Identifier: Apache-2.0 */
/* client-go's metrics of requests (component-base metrics/prometheus/restclient), for one server. */
#include <string.h>

#include "kubemote/km_metrics.h"

#define VERBS 6
#define CODES 24

static const struct km_scale seconds = {
    .count = 12,
    .decimals = 3,
    .bounds = {5, 25, 100, 250, 500, 1000, 2000, 4000, 8000, 15000, 30000, 60000}};
static const struct km_scale bytes = {
    .count = 11,
    .bounds = {64, 256, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216}};

enum measure { DURATION, REQUEST_SIZE, RESPONSE_SIZE, MEASURES };

static const char *const families[MEASURES] = {
    "rest_client_request_duration_seconds",
    "rest_client_request_size_bytes",
    "rest_client_response_size_bytes",
};

struct code {
    const char *verb;
    uint16_t status;
    uint64_t requests, retries;
};

static struct {
    const char *host;
    const char *verbs[VERBS];
    struct km_histogram measures[MEASURES][VERBS];
    struct code codes[CODES];
} rest KM_POOL_STORAGE(rest_metrics);

static struct km_pool code_pool = {.name = "rest_code", .size = CODES};

static const struct km_scale *scale_of(unsigned measure)
{
    return measure == DURATION ? &seconds : &bytes;
}

static void observe(enum measure measure, const char *verb, uint64_t value)
{
    for (unsigned i = 0; i < VERBS; i++) {
        if (rest.verbs[i] == NULL)
            rest.verbs[i] = verb;
        if (strcmp(rest.verbs[i], verb) != 0)
            continue;
        km_histogram_observe(&rest.measures[measure][i], scale_of(measure), value);
        return;
    }
}

/* NULL when the table is full: statuses are the server's choice. */
static struct code *find_code(const char *verb, uint16_t status)
{
    for (unsigned i = 0; i < CODES; i++) {
        struct code *c = &rest.codes[i];

        if (c->verb == NULL) {
            km_pool_take(&code_pool, 1);
            *c = (struct code){.verb = verb, .status = status};
        }
        if (c->status == status && strcmp(c->verb, verb) == 0)
            return c;
    }
    km_pool_refuse(&code_pool);
    return NULL;
}

void km_rest_metrics_answer(const char *verb, uint16_t status, int64_t milliseconds,
                            uint64_t request_bytes)
{
    struct code *c = find_code(verb, status);

    if (c != NULL)
        c->requests++;
    observe(DURATION, verb, milliseconds > 0 ? (uint64_t)milliseconds : 0);
    observe(REQUEST_SIZE, verb, request_bytes);
}

void km_rest_metrics_body(const char *verb, uint64_t response_bytes)
{
    observe(RESPONSE_SIZE, verb, response_bytes);
}

void km_rest_metrics_retry(const char *verb, uint16_t status)
{
    struct code *c = find_code(verb, status);

    if (c != NULL)
        c->retries++;
}

/* ---- the collector ---- */

static void put_code(struct km_sample *out, const struct code *c, bool retries)
{
    char text[8];
    struct km_buf status;

    km_buf_init(&status, text, sizeof text);
    km_buf_put_u64(&status, c->status);
    out->type = KM_SAMPLE_COUNTER;
    out->family = retries ? "rest_client_request_retries_total" : "rest_client_requests_total";
    out->value = (int64_t)(retries ? c->retries : c->requests);
    km_sample_label(out, "code", c->status == 0 ? "<error>" : text);
    km_sample_label(out, retries ? "verb" : "method", c->verb);
    km_sample_label(out, "host", rest.host);
}

static void put_measure(struct km_sample *out, unsigned measure, unsigned verb)
{
    out->type = KM_SAMPLE_HISTOGRAM;
    out->family = families[measure];
    out->scale = *scale_of(measure);
    out->decimals = out->scale.decimals;
    out->histogram = rest.measures[measure][verb];
    km_sample_label(out, "verb", rest.verbs[verb]);
    km_sample_label(out, "host", rest.host);
}

/* The index-th one of those that were counted at all. */
static bool sample_rest(void *ctx, unsigned index, struct km_sample *out)
{
    (void)ctx;
    for (unsigned i = 0; i < MEASURES * VERBS; i++) {
        if (rest.measures[i / VERBS][i % VERBS].count == 0 || index-- > 0)
            continue;
        put_measure(out, i / VERBS, i % VERBS);
        return true;
    }
    for (unsigned i = 0; i < 2 * CODES; i++) {
        const struct code *c = &rest.codes[i % CODES];

        if ((i < CODES ? c->requests : c->retries) == 0 || index-- > 0)
            continue;
        put_code(out, c, i >= CODES);
        return true;
    }
    return false;
}

void km_rest_metrics_register(const char *host)
{
    static struct km_collector collector = {.sample = sample_rest};

    rest.host = host;
    km_pool_register(&code_pool);
    km_collector_register(&collector);
}
