/* SPDX-License-Identifier: Apache-2.0 */
/* Leader election on a Lease (client-go tools/leaderelection, resourcelock/leaselock.go). */
#include <string.h>

#include "kubemote/km_elect.h"
#include "kubemote/km_json_table.h"
#include "kubemote/km_log.h"

#define RELEASE_TRIES 5
#define REQUEST_MS_MIN 1000
/* client-go's JitterFactor: the wait between two attempts is up to so much longer. */
#define JITTER_PERCENT 120
#define DURATION_MAX_S INT32_MAX

KM_KIND_TABLE(election, "Lease", KM_ELECTION_FIELDS)

static const struct km_schema_part parts[] = {{"", &km_kind_election}};

static void try_failed(struct km_elect *e);
static void release_step(struct km_elect *e);

/* ---- the record ---- */

static void copy(char *out, size_t size, const char *text)
{
    struct km_slice slice = km_slice_of(text);
    if (slice.len >= size)
        slice.len = size - 1;
    (void)km_slice_copy(slice, out, size);
}

void km_elect_record_read(const struct km_election *lease, struct km_elect_record *out)
{
    memset(out, 0, sizeof *out);
    copy(out->holder, sizeof out->holder, lease->holder);
    copy(out->acquire, sizeof out->acquire, lease->acquire);
    copy(out->renew, sizeof out->renew, lease->renew);
    copy(out->preferred, sizeof out->preferred, lease->preferred);
    copy(out->strategy, sizeof out->strategy, lease->strategy);
    out->transitions = lease->transitions;
    out->duration_s = lease->duration_s;
    if (out->duration_s < 0 || out->duration_s > DURATION_MAX_S)
        out->duration_s = out->duration_s < 0 ? 0 : DURATION_MAX_S;
}

void km_elect_record_write(const struct km_elect_record *record, struct km_json_writer *w)
{
    if (record->acquire[0] != '\0')
        km_json_kv_str(w, "acquireTime", record->acquire);
    km_json_kv_str(w, "holderIdentity", record->holder);
    km_json_kv_i64(w, "leaseDurationSeconds", record->duration_s);
    km_json_kv_i64(w, "leaseTransitions", record->transitions);
    if (record->preferred[0] != '\0')
        km_json_kv_str(w, "preferredHolder", record->preferred);
    if (record->renew[0] != '\0')
        km_json_kv_str(w, "renewTime", record->renew);
    if (record->strategy[0] != '\0')
        km_json_kv_str(w, "strategy", record->strategy);
}

static bool same_record(const struct km_elect_record *a, const struct km_elect_record *b)
{
    return a->duration_s == b->duration_s && a->transitions == b->transitions &&
           strcmp(a->holder, b->holder) == 0 && strcmp(a->acquire, b->acquire) == 0 &&
           strcmp(a->renew, b->renew) == 0 && strcmp(a->preferred, b->preferred) == 0 &&
           strcmp(a->strategy, b->strategy) == 0;
}

static bool is_mine(const struct km_elect *e)
{
    return strcmp(e->observed.holder, e->identity) == 0;
}

static bool is_valid(const struct km_elect *e, int64_t now_ms)
{
    return e->observed_ms + e->observed.duration_s * 1000 > now_ms;
}

/* What this candidate is about to write: as a leader that renews, or that begins. */
static void write_record(struct km_elect *e, bool renew)
{
    struct km_elect_record *r = &e->written;
    memset(r, 0, sizeof *r);
    copy(r->holder, sizeof r->holder, e->identity);
    r->duration_s = e->lease_ms / 1000;
    km_time_rfc3339_micro(km_port_wall_us(), r->renew, sizeof r->renew);
    copy(r->acquire, sizeof r->acquire, renew ? e->observed.acquire : r->renew);
    r->transitions = e->observed.transitions + (renew ? 0 : 1);
    if (e->coordinated)
        copy(r->strategy, sizeof r->strategy, e->observed.strategy);
}

static void write_release(struct km_elect *e)
{
    struct km_elect_record *r = &e->written;
    memset(r, 0, sizeof *r);
    r->duration_s = 1;
    r->transitions = e->read.transitions;
    km_time_rfc3339_micro(km_port_wall_us(), r->renew, sizeof r->renew);
    copy(r->acquire, sizeof r->acquire, r->renew);
}

/* ---- requests ---- */

static void raw_member(struct km_json_writer *w, const char *key, const char *text)
{
    if (text[0] == '\0')
        return;
    km_json_key(w, key);
    km_json_raw(w, km_slice_of(text));
}

static void write_meta(const struct km_elect *e, struct km_json_writer *w)
{
    km_json_key(w, "metadata");
    km_json_object(w);
    km_json_kv_str(w, "name", e->name);
    km_json_kv_str(w, "namespace", e->ns);
    if (e->step != KM_ELECT_CREATE) {
        km_json_kv_str(w, "uid", e->lease.uid);
        km_json_kv_str(w, "resourceVersion", e->lease.rv);
        raw_member(w, "labels", e->lease.labels);
        raw_member(w, "annotations", e->lease.annotations);
        raw_member(w, "ownerReferences", e->lease.owners);
        raw_member(w, "finalizers", e->lease.finalizers);
    }
    km_json_close(w);
}

static int write_whole(struct km_elect *e)
{
    struct km_json_writer w;
    km_buf_reset(&e->body);
    km_json_writer_init(&w, &e->body);
    km_json_object(&w);
    km_json_kv_str(&w, "apiVersion", "coordination.k8s.io/v1");
    km_json_kv_str(&w, "kind", "Lease");
    write_meta(e, &w);
    km_json_key(&w, "spec");
    km_json_object(&w);
    km_elect_record_write(&e->written, &w);
    km_json_close(&w);
    km_json_close(&w);
    return km_json_finish(&w);
}

static void null_member(struct km_json_writer *w, const char *key, const char *text)
{
    if (text[0] != '\0')
        return;
    km_json_key(w, key);
    km_json_null(w);
}

static int write_patch(struct km_elect *e)
{
    struct km_json_writer w;
    km_buf_reset(&e->body);
    km_json_writer_init(&w, &e->body);
    km_json_object(&w);
    km_json_key(&w, "metadata");
    km_json_object(&w);
    km_json_kv_str(&w, "resourceVersion", e->lease.rv);
    km_json_close(&w);
    km_json_key(&w, "spec");
    km_json_object(&w);
    km_elect_record_write(&e->written, &w);
    null_member(&w, "acquireTime", e->written.acquire);
    null_member(&w, "preferredHolder", e->written.preferred);
    null_member(&w, "strategy", e->written.strategy);
    km_json_close(&w);
    km_json_close(&w);
    return km_json_finish(&w);
}

static int prepare(struct km_elect *e)
{
    struct km_request *r = &e->request;
    int err;
    switch (e->step) {
    case KM_ELECT_READ:
    case KM_ELECT_RELEASE_READ:
        return km_rest_get(r, e->client, &km_leases, e->ns, e->name, NULL, NULL);
    case KM_ELECT_CREATE:
        err = write_whole(e);
        return err != KM_OK ? err
                            : km_rest_create(r, e->client, &km_leases, e->ns, NULL, NULL,
                                             km_buf_slice(&e->body), NULL);
    default:
        break;
    }
    if (e->lease.head.truncated > 0) {
        err = write_patch(e);
        return err != KM_OK ? err
                            : km_rest_patch(r, e->client, &km_leases, e->ns, e->name, NULL,
                                            KM_TYPE_MERGE, km_buf_slice(&e->body), NULL);
    }
    err = write_whole(e);
    return err != KM_OK ? err
                        : km_rest_update(r, e->client, &km_leases, e->ns, e->name, NULL,
                                         km_buf_slice(&e->body), NULL);
}

static const char *step_name(enum km_elect_step step)
{
    switch (step) {
    case KM_ELECT_READ:
    case KM_ELECT_RELEASE_READ:
        return "read lock";
    case KM_ELECT_CREATE:
        return "create lock";
    case KM_ELECT_RELEASE_WRITE:
        return "release lock";
    default:
        return "write lock";
    }
}

static int send(struct km_elect *e, enum km_elect_step step)
{
    e->step = step;
    e->came = false;
    int err = prepare(e);
    e->request.what = step_name(step);
    if (err == KM_OK)
        err = km_request_send(&e->request, e->lane);
    if (err != KM_OK) {
        KM_ERROR("The election's request can't be made", km_strerror(err),
                 KM_OBJ("lock", e->ns, e->name));
        e->step = KM_ELECT_IDLE;
    }
    return err;
}

static void send_or_fail(struct km_elect *e, enum km_elect_step step)
{
    if (send(e, step) != KM_OK)
        try_failed(e);
}

static int on_text(struct km_request *request, bool item, struct km_slice text, bool overflow)
{
    struct km_elect *e = request->ctx;
    void *dest[] = {&e->lease};
    (void)item;
    e->came = true;
    return overflow ? KM_ERR_TOO_LONG : km_json_decode(&e->schema, false, text, dest);
}

/* ---- telling ---- */

static void report(struct km_elect *e)
{
    if (strcmp(e->observed.holder, e->reported) == 0)
        return;
    memcpy(e->reported, e->observed.holder, sizeof e->reported);
    if (e->on_new_leader != NULL)
        e->on_new_leader(e->ctx, e->reported);
}

static void record_event(struct km_elect *e, const char *what)
{
    char note[KM_ELECT_IDENTITY_SIZE + 32];
    struct km_buf text;
    if (e->recorder == NULL)
        return;
    km_buf_init(&text, note, sizeof note);
    km_buf_puts(&text, e->identity);
    km_buf_puts(&text, what);
    const struct km_reference about = {"coordination.k8s.io/v1", "Lease", e->ns, e->name,
                                       e->lease.uid};
    km_recorder_event(e->recorder, &about, false, "LeaderElection", "LeaderElection", note);
}

static void note_trouble(struct km_elect *e, const char *what, int err)
{
    const char *why = err == KM_ERR_STATUS ? e->request.status->message : e->request.fault->text;
    if (e->in_trouble)
        KM_V(2, what, KM_OBJ("lock", e->ns, e->name), KM_S("err", why));
    else
        KM_ERROR(what, why, KM_OBJ("lock", e->ns, e->name));
    e->in_trouble = true;
}

/* ---- the end of a leadership ---- */

static void settle(struct km_elect *e)
{
    struct km_timers *timers = &e->client->loop->timers;
    km_timer_stop(timers, &e->timer);
    km_timer_stop(timers, &e->deadline);
    e->step = KM_ELECT_IDLE;
    e->state = KM_ELECT_STOPPED;
    if (!e->again)
        return;
    e->again = false;
    km_elect_start(e);
}

static void stop_requests(struct km_elect *e)
{
    e->step = KM_ELECT_IDLE; /* on_done then does nothing */
    km_request_cancel(&e->request);
    km_timer_stop(&e->client->loop->timers, &e->timer);
    km_timer_stop(&e->client->loop->timers, &e->deadline);
}

static void end(struct km_elect *e, bool led, bool release)
{
    stop_requests(e);
    e->again = false;
    e->state = release ? KM_ELECT_RELEASING : KM_ELECT_STOPPED;
    if (led) {
        record_event(e, " stopped leading");
        KM_INFO("Stopped leading", KM_OBJ("lock", e->ns, e->name));
    }
    e->on_stopped(e->ctx);
    if (!release)
        return;
    int64_t now_ms = km_port_now_ms();
    e->release_tries = 0;
    e->request.timeout_ms = e->deadline_ms;
    (void)km_timer_set(&e->client->loop->timers, &e->deadline, now_ms + e->deadline_ms);
    release_step(e);
}

static void release_step(struct km_elect *e)
{
    if (++e->release_tries > RELEASE_TRIES || send(e, KM_ELECT_RELEASE_READ) != KM_OK)
        settle(e);
}

/* Others may hold the Lease by now, or a last write of ours may still arrive: both are met by reading first. */
static void released(struct km_elect *e, enum km_elect_step step, int err)
{
    bool conflict = err == KM_ERR_STATUS && km_status_is_conflict(e->request.status);
    if (step == KM_ELECT_RELEASE_WRITE && conflict) {
        release_step(e);
        return;
    }
    if (err != KM_OK) {
        note_trouble(e, "Failed to release lease", err);
        settle(e);
        return;
    }
    if (step == KM_ELECT_RELEASE_WRITE) {
        e->observed = e->written;
        e->observed_ms = km_port_now_ms();
        settle(e);
        return;
    }
    km_elect_record_read(&e->lease, &e->read);
    e->observed = e->read;
    e->observed_ms = km_port_now_ms();
    if (!is_mine(e)) {
        settle(e);
        return;
    }
    write_release(e);
    if (send(e, KM_ELECT_RELEASE_WRITE) != KM_OK)
        settle(e);
}

static void lose(struct km_elect *e, const char *why)
{
    KM_INFO("Failed to renew lease", KM_OBJ("lock", e->ns, e->name), KM_S("err", why));
    end(e, true, e->release && is_mine(e));
}

/* ---- attempts ---- */

static int64_t request_ms(const struct km_elect *e, int64_t now_ms)
{
    int64_t limit_ms = e->deadline_ms / 2;
    if (limit_ms < REQUEST_MS_MIN)
        limit_ms = REQUEST_MS_MIN;
    if (e->state == KM_ELECT_LEADER && e->until_ms - now_ms < limit_ms)
        limit_ms = e->until_ms - now_ms;
    return limit_ms > 0 ? limit_ms : 1;
}

static void attempt(struct km_elect *e, int64_t now_ms)
{
    e->try_ms = now_ms;
    e->request.timeout_ms = request_ms(e, now_ms);
    if (e->state == KM_ELECT_LEADER && !e->coordinated && is_mine(e) && is_valid(e, now_ms) &&
        e->lease.rv[0] != '\0') {
        write_record(e, true);
        send_or_fail(e, KM_ELECT_FAST);
        return;
    }
    send_or_fail(e, KM_ELECT_READ);
}

static void on_timer(void *ctx, int64_t now_ms)
{
    struct km_elect *e = ctx;
    now_ms = km_port_now_ms();
    if (e->state == KM_ELECT_LEADER && now_ms >= e->until_ms) {
        lose(e, "the deadline passed");
        return;
    }
    attempt(e, now_ms);
}

static void on_deadline(void *ctx, int64_t now_ms)
{
    struct km_elect *e = ctx;
    (void)now_ms;
    if (e->state == KM_ELECT_LEADER) {
        lose(e, "the deadline passed");
        return;
    }
    stop_requests(e);
    settle(e);
}

static void try_failed(struct km_elect *e)
{
    struct km_timers *timers = &e->client->loop->timers;
    int64_t now_ms = km_port_now_ms(), next_ms = e->try_ms + e->retry_ms;
    e->step = KM_ELECT_IDLE;
    if (e->state == KM_ELECT_LEADER && e->observed.holder[0] != '\0' && !is_mine(e)) {
        report(e);
        if (e->state == KM_ELECT_LEADER)
            lose(e, "somebody else holds it");
        return;
    }
    if (e->state == KM_ELECT_CANDIDATE) {
        KM_V(4, "Failed to acquire lease", KM_OBJ("lock", e->ns, e->name));
        next_ms =
            now_ms + e->retry_ms + km_rng_range(&e->rng, 0, e->retry_ms * JITTER_PERCENT / 100 + 1);
    }
    (void)km_timer_set(timers, &e->timer, next_ms);
    report(e);
}

static void lead(struct km_elect *e)
{
    e->state = KM_ELECT_LEADER;
    report(e);
    if (e->state != KM_ELECT_LEADER)
        return;
    record_event(e, " became leader");
    KM_INFO("Successfully acquired lease", KM_OBJ("lock", e->ns, e->name));
    e->on_started(e->ctx);
}

static void try_succeeded(struct km_elect *e)
{
    struct km_timers *timers = &e->client->loop->timers;
    int64_t now_ms = km_port_now_ms();
    int64_t valid_ms = e->try_ms + e->written.duration_s * 1000;
    e->step = KM_ELECT_IDLE;
    e->observed = e->written;
    e->observed_ms = now_ms;
    if (now_ms >= valid_ms) { /* slept between the write and its answer */
        try_failed(e);
        return;
    }
    e->in_trouble = false;
    e->valid_ms = valid_ms;
    e->until_ms = now_ms + e->retry_ms + e->deadline_ms;
    if (e->until_ms > valid_ms)
        e->until_ms = valid_ms;
    (void)km_timer_set(timers, &e->timer, now_ms + e->retry_ms);
    (void)km_timer_set(timers, &e->deadline, e->until_ms);
    if (e->state == KM_ELECT_CANDIDATE)
        lead(e);
    else
        KM_V(5, "Successfully renewed lease", KM_OBJ("lock", e->ns, e->name));
}

/* Whether the Lease that was just read may be written by this candidate. */
static bool may_write(struct km_elect *e, bool changed)
{
    bool valid = changed || is_valid(e, e->try_ms);
    if (e->coordinated)
        return valid && is_mine(e) && e->observed.preferred[0] == '\0';
    return e->observed.holder[0] == '\0' || is_mine(e) || !valid;
}

static void have_read(struct km_elect *e)
{
    struct km_elect_record now;
    km_elect_record_read(&e->lease, &now);
    bool changed = !same_record(&now, &e->read);
    if (changed) {
        e->read = e->observed = now;
        e->observed_ms = km_port_now_ms();
    }
    if (e->lease.rv[0] == '\0' || !may_write(e, changed)) {
        KM_V(4, "Lease is held by and has not yet expired", KM_OBJ("lock", e->ns, e->name),
             KM_S("holder", e->observed.holder));
        try_failed(e);
        return;
    }
    write_record(e, is_mine(e));
    send_or_fail(e, KM_ELECT_WRITE);
}

static void have_not_found(struct km_elect *e)
{
    if (e->coordinated) {
        note_trouble(e, "Lease lock not found", KM_ERR_STATUS);
        try_failed(e);
        return;
    }
    memset(&e->lease, 0, sizeof e->lease);
    write_record(e, false);
    e->written.transitions = 0;
    send_or_fail(e, KM_ELECT_CREATE);
}

static void on_done(struct km_request *request, int err)
{
    struct km_elect *e = request->ctx;
    enum km_elect_step step = e->step;
    e->step = KM_ELECT_IDLE;
    /* A Lease that came by half of an answer is not the one that was observed: its version must not be written over. */
    if (err != KM_OK && e->came)
        e->lease.rv[0] = '\0';
    if (step == KM_ELECT_IDLE)
        return;
    if (e->state == KM_ELECT_RELEASING) {
        released(e, step, err);
        return;
    }
    if (err == KM_OK && step != KM_ELECT_READ) {
        try_succeeded(e);
    } else if (err == KM_OK) {
        have_read(e);
    } else if (step == KM_ELECT_FAST) {
        e->slow_paths++;
        KM_V(2, "Failed to update lease optimistically, falling back to slow path",
             KM_OBJ("lock", e->ns, e->name));
        send_or_fail(e, KM_ELECT_READ);
    } else if (step == KM_ELECT_READ && err == KM_ERR_STATUS &&
               km_status_is_not_found(request->status)) {
        have_not_found(e);
    } else {
        note_trouble(e,
                     step == KM_ELECT_READ     ? "Error retrieving lease lock"
                     : step == KM_ELECT_CREATE ? "Error initially creating lease lock"
                                               : "Failed to update lease",
                     err);
        try_failed(e);
    }
}

/* ---- from outside ---- */

static int check_settings(const struct km_elect *e, struct km_fault *fault)
{
    const char *wrong = NULL;
    if (e->lease_ms <= e->deadline_ms)
        wrong = "leaseDuration must be greater than renewDeadline";
    else if (e->deadline_ms <= e->retry_ms * JITTER_PERCENT / 100)
        wrong = "renewDeadline must be greater than retryPeriod*JitterFactor";
    else if (e->lease_ms < 1000) /* the record has whole seconds */
        wrong = "leaseDuration must be greater than zero";
    else if (e->deadline_ms < 1)
        wrong = "renewDeadline must be greater than zero";
    else if (e->retry_ms < 1)
        wrong = "retryPeriod must be greater than zero";
    else if (e->on_started == NULL)
        wrong = "OnStartedLeading callback must not be nil";
    else if (e->on_stopped == NULL)
        wrong = "OnStoppedLeading callback must not be nil";
    else if (e->client == NULL || e->lane == NULL || e->ns == NULL || e->name == NULL)
        wrong = "Lock must not be nil.";
    else if (e->identity == NULL || e->identity[0] == '\0')
        wrong = "Lock identity is empty";
    else if (strlen(e->identity) >= KM_ELECT_IDENTITY_SIZE)
        wrong = "Lock identity is too long";
    return wrong == NULL ? KM_OK : km_fault_set(fault, KM_ERR_CONFIG, "%s", wrong);
}

static void seed(struct km_elect *e)
{
    uint64_t start;
    if (km_port_entropy(&start, sizeof start) != KM_OK)
        start = (uint64_t)km_port_wall_us(); /* jitter only */
    km_rng_seed(&e->rng, start);
}

int km_elect_init(struct km_elect *e, struct km_fault *fault)
{
    int err = check_settings(e, fault);
    if (err != KM_OK)
        return err;
    err = km_schema_init(&e->schema, parts, 1, NULL, e->nodes, KM_ELECT_NODES);
    if (err != KM_OK)
        return km_fault_set(fault, err, "the Lease schema does not fit its table");
    seed(e);
    km_buf_init(&e->body, e->body_data, sizeof e->body_data);
    e->timer.fn = on_timer;
    e->deadline.fn = on_deadline;
    e->timer.ctx = e->deadline.ctx = e;
    e->request.schema = &e->schema;
    e->request.priority = 0;
    e->request.repeatable = true; /* done twice it is a conflict, and the Lease is read again */
    e->request.on_text = on_text;
    e->request.on_done = on_done;
    e->request.ctx = e;
    e->state = KM_ELECT_STOPPED;
    return KM_OK;
}

void km_elect_start(struct km_elect *e)
{
    if (e->state == KM_ELECT_RELEASING)
        e->again = true;
    if (e->state != KM_ELECT_STOPPED)
        return;
    KM_INFO("Attempting to acquire leader lease...", KM_OBJ("lock", e->ns, e->name));
    e->state = KM_ELECT_CANDIDATE;
    (void)km_timer_set(&e->client->loop->timers, &e->timer, km_port_now_ms());
}

void km_elect_stop(struct km_elect *e)
{
    bool writing = e->step == KM_ELECT_CREATE || e->step == KM_ELECT_WRITE;
    switch (e->state) {
    case KM_ELECT_CANDIDATE:
        end(e, false, e->release && writing); /* the write may have been done */
        break;
    case KM_ELECT_LEADER:
        end(e, true, e->release);
        break;
    default:
        e->again = false;
        break;
    }
}

bool km_elect_idle(const struct km_elect *e)
{
    return e->state == KM_ELECT_STOPPED;
}

bool km_elect_leading(const struct km_elect *e)
{
    return e->state == KM_ELECT_LEADER && km_port_now_ms() < e->valid_ms;
}

const char *km_elect_leader(const struct km_elect *e)
{
    return e->observed.holder;
}

int km_elect_check(const struct km_elect *e, int64_t tolerance_ms)
{
    if (e == NULL || !is_mine(e))
        return KM_OK;
    return km_port_now_ms() - e->observed_ms > e->lease_ms + tolerance_ms ? KM_ERR_TIMEOUT : KM_OK;
}
