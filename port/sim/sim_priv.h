/* SPDX-License-Identifier: Apache-2.0 */
/* Inside port/sim: what its files share. */
#ifndef KM_SIM_PRIV_H
#define KM_SIM_PRIV_H

#include "km_sim.h"

#define SIM_SEGMENTS 512
#define SIM_HELD_BYTES 65536
#define SIM_KEEPALIVE_MS 45000
#define SIM_RETRANSMIT_MS 924000

enum sim_segment_kind { SIM_DATA, SIM_NOTIFY_FIN, SIM_FIN };

struct sim_segment {
    int64_t due_ms;
    size_t len;
    enum sim_segment_kind kind;
};

struct sim_conn {
    int id; /* also the descriptor; 0 = free */
    struct km_addr peer;
    struct km_sim_server server;
    bool accepted, connecting, hung, finished, unacked;
    int connect_err;
    int broken;    /* error of every further call */
    int tx_broken; /* writing gives this; reading gives what came before, then this */
    int64_t ready_ms, hung_ms, handshake_ready_ms;
    struct sim_segment segments[SIM_SEGMENTS];
    size_t segment_first, segment_count;
    uint8_t stream[KM_SIM_STREAM_BYTES];
    size_t stream_first, stream_len;
    uint8_t held[SIM_HELD_BYTES]; /* sent by the agent while nothing passes */
    size_t held_len, sent;
    bool has_tls;
    char server_name[256];
};

void sim_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* clock */
void sim_clock_reset(void);
void sim_clock_work(int64_t ms);

/* faults: KM_OK, or the error that this call must give */
void sim_faults_reset(uint64_t seed);
int sim_call(enum km_sim_call call);
size_t sim_shorten(size_t len); /* 0 = say KM_AGAIN */
/* How many of len bytes may pass; 0 = cut now, as *how says. */
size_t sim_cut_limit(enum km_sim_dir dir, size_t len, enum km_sim_cut *how);
void sim_passed(enum km_sim_dir dir, size_t len);

/* network */
void sim_net_reset(void);
struct sim_conn *sim_conn_of(int fd, const char *caller); /* dies when it is not open */
uint8_t sim_conn_ready(const struct sim_conn *c);
int64_t sim_conn_next(const struct sim_conn *c); /* when its readiness may change */
int sim_conn_read(struct sim_conn *c, void *data, size_t len, bool tls);
int sim_conn_write(struct sim_conn *c, const void *data, size_t len);
int sim_conn_break(struct sim_conn *c, int err, bool writing); /* returns err */
bool sim_conn_stuck(const struct sim_conn *c);
int64_t sim_latency_ms(void);
bool sim_link_up(void);

/* names */
void sim_names_reset(void);

/* TLS */
void sim_tls_reset(void);

/* files and machine */
void sim_machine_reset(void);

#endif
