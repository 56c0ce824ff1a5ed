/* SPDX-License-Identifier: Apache-2.0 */
/*
 * port/sim: km_port.h for tests, linked in place of port/posix and port/mbedtls. A virtual clock, scripted servers, names,
 * files and machine facts, and faults at any port call. Time moves only in km_port_poll, which jumps to the next event when
 * nothing is ready, so that hours pass in milliseconds. Everything is in static storage, deterministic by the seed, and gone
 * after km_sim_reset().
 *
 * A test sets the scene (names, servers, files), drives the agent's loop, and looks at what the servers received:
 *
 *     km_sim_reset(1);
 *     km_sim_dns("api.example", "10.0.0.1 fd00::1");
 *     km_sim_listen("10.0.0.1", 6443, &server);
 *     ... km_loop_turn() until done ...
 *     assert_int_equal(km_sim_leaks(), 0);
 *
 * The server's callbacks run inside the agent's port calls: they may call any km_sim function but nothing of the agent. What
 * they send arrives km_sim_latency() later. For HTTP there is km_sim_http.h on top. Misuse by the agent (a closed descriptor,
 * a loop that never ends) prints what happened and aborts. KM_SIM_TRACE=1 in the environment prints each port call.
 */
#ifndef KM_SIM_H
#define KM_SIM_H

#include "kubemote/km_port.h"

#define KM_SIM_CONNS 16                /* sockets open at the same time */
#define KM_SIM_STREAM_BYTES (1u << 18) /* of one connection, on their way to the agent */
#define KM_SIM_FILES 64
#define KM_SIM_FILE_BYTES 16384

/* Forgets everything: clock at 1,000,000 ms, wall clock 2026-01-01T00:00:00Z, latency 1 ms, no servers, names or files. */
void km_sim_reset(uint64_t seed);

/* ---- time ---- */
void km_sim_advance(
    int64_t ms); /* as if the process had worked or slept so long; events wait for the next poll */
void km_sim_wall_jump(int64_t us); /* moves the wall clock alone */
void km_sim_wall_set(int64_t unix_us);
void km_sim_latency(int64_t ms); /* one way; 0 = at once */
/* Calls fn from km_port_poll when ms have passed. Returns an id for km_sim_cancel. At most 128 at a time. */
int km_sim_after(int64_t ms, void (*fn)(void *ctx), void *ctx);
void km_sim_cancel(int id);
/* Aborts when poll was called so often since reset (default 2,000,000), or 20,000 times without time passing. */
void km_sim_poll_limit(uint64_t polls);

/* ---- servers ---- */

/* Connections are known by ids that are never used twice. Each callback may be NULL. */
struct km_sim_server {
    void (*on_connect)(void *ctx, int conn_id);
    void (*on_bytes)(void *ctx, int conn_id, const uint8_t *data,
                     size_t len); /* what the agent sent, TLS taken off */
    void (*on_drained)(void *ctx,
                       int conn_id); /* the agent read all that was sent: for streams without end */
    void (*on_close)(void *ctx,
                     int conn_id); /* the agent closed, whatever the server had done before */
    void *ctx;
};

/* A server at ip ("*" = all addresses) and port (0 = all); a later call replaces. The struct is copied. Addresses without a
   server refuse. */
void km_sim_listen(const char *ip, uint16_t port, const struct km_sim_server *server);
enum km_sim_route { KM_SIM_REFUSE, KM_SIM_SILENT, KM_SIM_UNREACHABLE, KM_SIM_LISTEN };
/* Changes how an address behaves towards new connections; open ones stay. SILENT never answers a SYN. */
void km_sim_route(const char *ip, uint16_t port, enum km_sim_route route);

/* These return KM_ERR_RESET when the agent has closed, which a server may ignore; KM_ERR_FULL when the stream's buffer is. */
int km_sim_reply(int conn_id, const void *data, size_t len);
int km_sim_reply_text(int conn_id, const char *text);
size_t km_sim_room(int conn_id); /* bytes that km_sim_reply takes now */
int km_sim_close(int conn_id);   /* close_notify and FIN, behind what was sent */
int km_sim_fin(int conn_id);     /* FIN without close_notify: truncation under TLS */
int km_sim_rst(int conn_id);     /* at once: what is on its way is lost */
int km_sim_hang(
    int conn_id); /* half-open: nothing passes any more, the keep-alive notices after 45 s */
/* Each connection takes so many bytes of the agent and then no more, as from a server that does not read; 0 = no limit. */
void km_sim_send_limit(size_t bytes);
int km_sim_slot(
    int conn_id); /* 0 to KM_SIM_CONNS - 1 while the agent has it open, else -1: for tables of a test */
int km_sim_conn_last(void); /* id of the newest connection, 0 = none yet */
const struct km_addr *km_sim_peer(
    int conn_id); /* where the agent connected to; NULL after it closed */
const char *km_sim_server_name(int conn_id); /* the name that TLS asked for, "" without TLS */
void km_sim_close_all(void); /* km_sim_rst on every open connection: the server died */
/* While the link is down nothing passes in either direction; connections live on if it comes back before their keep-alive
   (45 s idle, 15 min with unacknowledged data) gives them up. */
void km_sim_link(bool up);

/* ---- names ---- */
/* addresses: literals with blanks between, NULL = no such name. Unknown names do not resolve. */
void km_sim_dns(const char *name, const char *addresses);
void km_sim_dns_error(const char *name, int err); /* KM_ERR_TIMEOUT, KM_ERR_IO */

/* ---- TLS: a passthrough with the same states ---- */
/* Result of handshakes from now on: KM_OK, KM_ERR_CERT with words, ..., or KM_AGAIN for a server that never answers. */
void km_sim_tls_result(int err, const char *text);
void km_sim_tls_setup_result(int err, const char *text);
void km_sim_tls_cost(int64_t ms); /* processor time of one handshake step */
uint32_t km_sim_tls_setups(void);
uint32_t km_sim_tls_handshaking_max(void); /* most handshakes that were open at the same time */

/* ---- faults ---- */
enum km_sim_call {
    KM_SIM_ANY, /* all of the following, counted together */
    KM_SIM_CONNECT,
    KM_SIM_CONNECTED,
    KM_SIM_SEND,
    KM_SIM_RECV,
    KM_SIM_POLL,
    KM_SIM_RESOLVE_START,
    KM_SIM_RESOLVE_STEP,
    KM_SIM_TLS_SETUP,
    KM_SIM_TLS_OPEN,
    KM_SIM_TLS_HANDSHAKE,
    KM_SIM_TLS_READ,
    KM_SIM_TLS_WRITE,
    KM_SIM_ENTROPY,
    KM_SIM_FILE_READ,
    KM_SIM_FILE_REPLACE,
    KM_SIM_WRITE,
    KM_SIM_DISK,
    KM_SIM_UNAME,
    KM_SIM_ADDRESSES,
    KM_SIM_SEAL,
    KM_SIM_CALL_COUNT
};
#define KM_SIM_NATURAL 0 /* as err: the error that this call is most likely to give */

/* Calls of that class since reset: a first run counts them, further runs fail each one in turn. */
uint64_t km_sim_calls(enum km_sim_call call);
const char *km_sim_call_name(enum km_sim_call call);
/* The n-th call from now (1 = the next) and the `times - 1` after it give err. Up to 8 at a time. A failed send or recv
   breaks its connection unless err is KM_AGAIN, or KM_ERR_IO from a send (the call failed, the link lives); after a failed
   send what had come before can still be read. */
void km_sim_fail(enum km_sim_call call, uint64_t n, uint64_t times, int err);
void km_sim_fail_nth(enum km_sim_call call, uint64_t n, int err);
uint64_t km_sim_faults_hit(void);
const char *km_sim_last_fault(void); /* "recv, call 12: connection reset", "" when none was hit */
void km_sim_fail_clear(void);
/* Short reads and writes of random length, and now and then KM_AGAIN where bytes are ready. 0 = off. */
void km_sim_shorten(uint64_t seed);
/* Reads and writes pass at most so many bytes each, without KM_AGAIN. 0 = off. */
void km_sim_shorten_to(size_t bytes);

enum km_sim_dir { KM_SIM_TO_AGENT, KM_SIM_TO_SERVER };
enum km_sim_cut { KM_SIM_CUT_FIN, KM_SIM_CUT_RST, KM_SIM_CUT_HANG };
/* After that many more bytes in that direction (over all connections) the connection that carries the next one is cut. */
void km_sim_cut(enum km_sim_dir dir, uint64_t after_bytes, enum km_sim_cut how);
bool km_sim_cut_done(enum km_sim_dir dir);
uint64_t km_sim_bytes(enum km_sim_dir dir); /* payload passed since reset */

/* ---- files, machine ---- */
void km_sim_file(const char *path, const char *content); /* NULL removes it */
void km_sim_file_bytes(const char *path, const void *data, size_t len);
void km_sim_file_error(const char *path,
                       int err);               /* reading and replacing give err, KM_OK ends that */
const char *km_sim_file_get(const char *path); /* NUL-terminated content, NULL when there is none */

struct km_sim_machine {
    struct km_port_uname uname;
    struct km_port_disk disk;
    int cpu_count;
    bool has_aes;
    uint32_t pid;
    int32_t utc_offset;
    struct km_addr addresses[8];
    size_t address_count;
};
struct km_sim_machine *km_sim_machine(
    void); /* to change as the test likes; reset gives sensible values */

/* ---- leaks ---- */
int km_sim_open_sockets(void);
int km_sim_open_tls(void);
int km_sim_open_resolves(void);
int km_sim_leaks(void); /* the sum */

#endif
