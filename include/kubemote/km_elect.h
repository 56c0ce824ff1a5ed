/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room control: leader election on a Lease (coordination.k8s.io/v1), beside client-go's electors on the same Lease: its
 * record, its timing, its rules. One candidate per struct; several may share a loop, a client and a lane.
 *
 *                 start                     the Lease is ours
 *     STOPPED --------------> CANDIDATE --------------------------> LEADER   on_new_leader, on_started
 *        ^  ^                     | stop                              | stop; no renewal in time; somebody else holds it
 *        |  +---- on_stopped -----+                                   v
 *        +------------------------------- RELEASING <-----------  on_stopped
 *
 * When another candidate may take the Lease is judged by this machine's monotonic clock alone: a record that has not changed
 * for the time that it names itself is dead. Times written into the Lease are for people.
 *
 * Two things are stricter than in client-go. A leader that reads somebody else's name in the Lease stops at once instead of
 * at its deadline. And on_stopped comes before the Lease is released, so that nobody else leads while it runs.
 */
#ifndef KM_ELECT_H
#define KM_ELECT_H

#include "km_control.h"
#include "km_metrics.h"
#include "km_rest.h"

#define KM_ELECT_IDENTITY_SIZE 254
/* Labels, annotations, owners and finalizers that others gave the Lease are written back as they are; a Lease with more than
   so many bytes of one of them is patched instead of updated. */
#define KM_ELECT_META_BYTES 512
#define KM_ELECT_BODY_BYTES 4096
#define KM_ELECT_NODES 32

#define KM_ELECTION_FIELDS(S, I, B, R, A, M) \
    KM_META_FIELDS(S) \
    R(labels, "/metadata/labels", KM_ELECT_META_BYTES) \
    R(annotations, "/metadata/annotations", KM_ELECT_META_BYTES) \
    R(owners, "/metadata/ownerReferences", KM_ELECT_META_BYTES) \
    R(finalizers, "/metadata/finalizers", KM_ELECT_META_BYTES) \
    S(holder, "/spec/holderIdentity", KM_ELECT_IDENTITY_SIZE) \
    I(duration_s, "/spec/leaseDurationSeconds") \
    I(transitions, "/spec/leaseTransitions") \
    S(acquire, "/spec/acquireTime", KM_TIME_SIZE) \
    S(renew, "/spec/renewTime", KM_TIME_SIZE) \
    S(preferred, "/spec/preferredHolder", KM_ELECT_IDENTITY_SIZE) \
    S(strategy, "/spec/strategy", 64)
KM_KIND_STRUCT(election, KM_ELECTION_FIELDS)
extern const struct km_kind km_kind_election;

/* What the Lease says about leadership. "" and 0 where it says nothing. */
struct km_elect_record {
    char holder[KM_ELECT_IDENTITY_SIZE];
    int64_t duration_s, transitions;
    char acquire[KM_TIME_SIZE], renew[KM_TIME_SIZE]; /* RFC 3339 with six decimals */
    char preferred[KM_ELECT_IDENTITY_SIZE], strategy[64];
};

enum km_elect_state { KM_ELECT_STOPPED, KM_ELECT_CANDIDATE, KM_ELECT_LEADER, KM_ELECT_RELEASING };
/* Private. What the request under way is for. */
enum km_elect_step {
    KM_ELECT_IDLE,
    KM_ELECT_FAST, /* renewal from memory, without reading */
    KM_ELECT_READ,
    KM_ELECT_CREATE,
    KM_ELECT_WRITE,
    KM_ELECT_RELEASE_READ,
    KM_ELECT_RELEASE_WRITE
};

struct km_elect {
    /* Set before km_elect_init. */
    const char *ns, *name; /* of the Lease */
    const char *identity;  /* different for each candidate, also across restarts that may overlap */
    int64_t lease_ms, deadline_ms, retry_ms; /* customary: 15 s, 10 s, 2 s */
    bool
        release; /* give the Lease back on the way out, so that the next leader need not wait for its end */
    bool coordinated; /* an election controller chooses; candidates only renew what is theirs */
    struct km_client *client;
    struct km_lane *lane;
    struct km_recorder *recorder; /* for events about the Lease; NULL = none */
    /* All are called from the loop and must not block; they may start and stop this elector. started: this candidate leads.
       stopped: it no longer does, or was stopped before it ever did; what it does as a leader must have ended on return.
       new_leader: somebody else, or this candidate, was seen in the Lease; "" = nobody; may be NULL. */
    void (*on_started)(void *ctx);
    void (*on_stopped)(void *ctx);
    void (*on_new_leader)(void *ctx, const char *identity);
    void *ctx;

    /* Private. */
    enum km_elect_state state;
    enum km_elect_step step;
    bool again;      /* start over when the release is done */
    bool in_trouble; /* an episode of failures is under way: it was logged */
    bool came;       /* the request under way wrote to lease */
    uint8_t release_tries;
    struct km_election lease;                       /* as the server answered last */
    struct km_elect_record observed, read, written; /* observed: read last or written last */
    char reported[KM_ELECT_IDENTITY_SIZE];
    int64_t observed_ms; /* when observed became another */
    int64_t try_ms;      /* when the attempt under way began */
    int64_t valid_ms;    /* until then nobody else can have taken the Lease */
    int64_t until_ms;    /* of a leader: without a renewal before, it stops */
    uint64_t slow_paths; /* renewals from memory that failed */
    struct km_timer timer, deadline;
    struct km_request request;
    struct km_schema schema;
    struct km_schema_node nodes[KM_ELECT_NODES];
    struct km_buf body;
    char body_data[KM_ELECT_BODY_BYTES];
    struct km_rng rng;
};

/* KM_ERR_CONFIG with client-go's words when a setting is missing or times contradict each other; KM_ERR_FULL. */
int km_elect_init(struct km_elect *e, struct km_fault *fault);
/* Becomes a candidate now; while RELEASING, after that. Harmless when it is one. */
void km_elect_start(struct km_elect *e);
/* Ends it: on_stopped is called before this returns. What the leader has under way should be finished first, as long as the
   Lease is still renewed (km_controller_shutdown, km_controller_idle). */
void km_elect_stop(struct km_elect *e);
/* Nothing is under way any more, the release included. */
bool km_elect_idle(const struct km_elect *e);
/* This candidate leads at this moment. Reads the clock: false as soon as another may have taken the Lease, even when this
   process slept meanwhile and on_stopped is still to come. To be asked before each write that only a leader may do. */
bool km_elect_leading(const struct km_elect *e);
/* Who was seen in the Lease last; "" = nobody. */
const char *km_elect_leader(const struct km_elect *e);
/* For health checks: KM_ERR_TIMEOUT when the record says that this candidate leads but it was not renewed for the lease's
   duration and tolerance_ms more. e may be NULL. */
int km_elect_check(const struct km_elect *e, int64_t tolerance_ms);

/* leader_election_master_status and leader_election_slowpath_total, as client-go's electors report them; the Lease's name is
   their label. electors is kept, not copied. */
struct km_elect_collector {
    const struct km_elect *const *electors;
    unsigned count;
    struct km_collector collector;
};
void km_elect_collector_register(struct km_elect_collector *c);

void km_elect_record_read(const struct km_election *lease, struct km_elect_record *out);
/* Appends the members of a Lease's spec to the object that is open in w; strategy and preferredHolder when they are set. */
void km_elect_record_write(const struct km_elect_record *record, struct km_json_writer *w);

#endif
