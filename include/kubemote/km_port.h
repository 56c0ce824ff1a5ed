/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only door to the platform: clock, entropy, sockets, name look-up, TLS, files, facts about the machine. port/posix
 * and port/mbedtls implement it on Linux, port/sim implements it in tests with a virtual clock and scripted faults. A
 * porter fills in these functions; nothing above includes a system header for I/O. No call blocks except where said; none
 * uses the heap after km_port_seal().
 *
 * Rule for every read and write: > 0 bytes, KM_AGAIN = nothing now, KM_EOF = orderly end, other negatives = failure.
 * 0 is returned only for a length of 0 and never means a lost connection.
 */
#ifndef KM_PORT_H
#define KM_PORT_H

#include "km_base.h"

/* ---- clock and entropy ---- */
int64_t km_port_now_ms(void); /* monotonic, counts suspended time where the system can */
int64_t km_port_wall_us(
    void); /* Unix time in microseconds; may jump; only for values written to the API */
/* Fills out with cryptographic random bytes. KM_OK, KM_AGAIN (first boot: the pool is not ready, wait), KM_ERR_IO. */
int km_port_entropy(void *out, size_t len);

/* ---- the seal ---- */
/* From here on any call of the malloc family aborts the process with a message that names the call. KM_ERR_ARG when start-up
   allocations are still alive: then nothing is sealed. The pages of the start-up heap go back to the system. Where libc
   keeps its heap (CONFIG_KM_LIBC_HEAP), the seal watches malloc under ASan and does nothing elsewhere. */
int km_port_seal(void);
/* Gives the pages of the program's text and constants back to the system; those that run again come back from the file. Worth
   calling from time to time while nothing happens: what only start-up and handshakes run would stay resident. */
void km_port_trim(void);
/* Allocations that the seal must let pass because TLS stands on libc's heap (CONFIG_KM_LIBC_HEAP): +1 before, -1 after. */
void km_port_seal_pass(int delta);

/* ---- signals, as a flag for the loop ---- */
void km_port_signals(
    void); /* installs handlers for SIGTERM and SIGINT, ignores SIGPIPE; wakes poll */
bool km_port_stop_requested(void);

/* ---- sockets: only what lwIP also offers ---- */
struct km_addr {
    uint8_t family; /* 4 or 6 */
    uint8_t ip[16]; /* network order; the first 4 bytes for IPv4 */
    uint16_t port;  /* host order */
    uint32_t scope; /* IPv6 zone index, 0 = none */
};
#define KM_ADDR_TEXT_SIZE 48
void km_addr_text(const struct km_addr *addr, char *out, size_t out_size); /* without the port */
/* An IPv4 or IPv6 literal, no brackets, no zone. KM_OK or KM_ERR_SYNTAX. */
int km_addr_parse(struct km_slice text, struct km_addr *out);

#define KM_POLL_IN 1u
#define KM_POLL_OUT 2u
#define KM_POLL_ERR 4u
struct km_pollfd {
    int fd; /* -1: entry ignored */
    uint8_t want, got;
};
/* Waits until one is ready, a signal came, or timeout_ms passed (0 = do not wait, -1 = no limit). Fills `got`. Blocks.
   Returns how many are ready, 0 after a signal or the time-out; KM_ERR_ARG for more than KM_POLL_MAX entries, KM_ERR_IO. */
#define KM_POLL_MAX 32
int km_port_poll(struct km_pollfd *fds, size_t count, int64_t timeout_ms);

/* Starts a TCP connection, non-blocking, TCP_NODELAY on, keep-alive 15 s + 3 x 10 s. KM_OK, KM_AGAIN (await KM_POLL_OUT,
   then km_socket_connected), or KM_ERR_REFUSED/UNREACHABLE/IO with *fd = -1. */
int km_socket_connect(int *fd, const struct km_addr *addr);
int km_socket_connected(int fd); /* KM_OK, KM_AGAIN, or why it failed */
int km_socket_send(int fd, const void *data, size_t len);
int km_socket_recv(int fd, void *data, size_t len);
void km_socket_close(int fd);

/* Listens there, non-blocking; port 0: any free one, *addr says which. KM_OK; KM_ERR_REFUSED: taken already; KM_ERR_UNREACHABLE:
   not an address of this machine; KM_ERR_IO. */
int km_socket_listen(int *fd, struct km_addr *addr);
/* The same on a socket of the file system, for owner and group alone. What is left of an earlier one goes away; KM_ERR_ARG: the
   path is too long, or something else than a socket is there. */
int km_socket_listen_path(int *fd, const char *path);
/* The next who waits, non-blocking, with little room for what it does not read. KM_OK, KM_AGAIN, KM_ERR_IO (also without descriptors: then wait before you try again). */
int km_socket_accept(int listening, int *fd);

/* ---- names ---- */
/* Look-up of one host as a small machine: literals and /etc/hosts answer at once, then A and AAAA by DNS (UDP with
   retries over all servers of resolv.conf, TCP when an answer is cut). Storage is the caller's; no heap. */
#define KM_DNS_SERVERS 3 /* as many as resolv.conf(5) takes */
struct km_resolve {
    char host[256];
    uint16_t port;
    int fd;       /* to poll, -1 while there is none */
    uint8_t want; /* what to poll it for */
    int64_t deadline_ms;
    uint8_t addr_count;
    struct km_addr addrs[CONFIG_KM_DNS_ADDR_COUNT];
    uint32_t addrs_dropped; /* addresses that found no room in addrs */
    /* From here on: of the port. */
    uint8_t state, server, attempt, pending, known, candidate;
    bool absolute, soft, some_answer;
    uint8_t server_count, ndots, attempts;
    uint16_t id[2], tcp_len, tcp_got;
    int32_t timeout_ms;
    struct km_addr servers[KM_DNS_SERVERS];
    char search[256]; /* domains, one space between */
    uint8_t packet[512];
};
/* Where the port reads names from; NULL keeps the default (/etc/resolv.conf, /etc/hosts), 0 port 53. The pointers are kept.
   Both files are read again at each start. */
void km_resolve_files(const char *resolv_conf, const char *hosts, uint16_t dns_port);
int km_resolve_start(struct km_resolve *r, const char *host, uint16_t port, int64_t now_ms);
/* KM_OK: addr_count addresses in addrs, IPv6 and IPv4 in turn. KM_AGAIN: poll fd (which changes from step to step) for want
   until deadline_ms. KM_ERR_NAME: no such name, or none that has addresses. KM_ERR_TIMEOUT: no server answered. KM_ERR_IO:
   servers answered, but that they could not tell. km_resolve_start gives the same results. */
int km_resolve_step(struct km_resolve *r, int64_t now_ms);
void km_resolve_stop(struct km_resolve *r); /* closes its socket; safe in every state */

/* ---- TLS: client side of TLS 1.2 and 1.3, certificates verified unless the credentials say otherwise ---- */
/* Credentials of one cluster as PEM text. cert and key may both be empty. The text is parsed, not kept; key bytes should be
   wiped by the caller. ca empty = the system's roots, found by streaming the bundle file. */
struct km_tls_creds {
    struct km_slice ca, cert, key;
    const char *ca_bundle_path; /* used when ca is empty */
    bool insecure; /* the server's certificate is not verified at all; ca is not used */
    /* Where each came from, for messages such as "NAME: it is encrypted"; NULL: words of the port's own. */
    const char *ca_name, *cert_name, *key_name;
};
/* Parses and keeps credentials (in the TLS arena). May be called again after a change: open connections keep the old
   ones until closed, saved sessions are dropped (a resumed session would keep the old identity). KM_ERR_CONFIG with the
   reason in words, e.g. that key and certificate do not belong together; KM_ERR_TLS_MEMORY; KM_ERR_FULL when connections of
   the credentials before the present ones are still open; KM_AGAIN when the kernel has no random numbers yet (first boot).
   After a failure the credentials before stay in use. */
int km_tls_setup(const struct km_tls_creds *creds, struct km_fault *fault);

struct km_tls; /* from a static pool of CONFIG_KM_CONN_COUNT */
/* server_name: DNS name or bare IP that the certificate must be for; never NULL. KM_ERR_ARG before km_tls_setup or without a
   name, KM_ERR_FULL, KM_ERR_TLS_MEMORY. */
int km_tls_open(struct km_tls **out, int fd, const char *server_name);
/* KM_OK when done; KM_AGAIN: poll for km_tls_want(). Otherwise KM_ERR_TLS, KM_ERR_CERT (text says which name was asked and
   which were offered, or expired, or unknown authority), KM_ERR_TLS_MEMORY, KM_ERR_RESET: close it. One call may use tens of
   milliseconds of CPU (hundreds on slow ARM): take a fresh `now` afterwards. */
int km_tls_handshake(struct km_tls *tls, struct km_fault *fault);
uint8_t km_tls_want(const struct km_tls *tls);
/* KM_EOF after close_notify only. KM_ERR_TRUNCATED: the link ended without it. KM_ERR_RESET, KM_ERR_TLS: close it. */
int km_tls_read(struct km_tls *tls, void *data, size_t len);
/* After KM_AGAIN call again with the same length and bytes: a record of them is already on its way. After a failure of the
   link what the server had sent before it can still be read, then km_tls_read tells why the link ended. */
int km_tls_write(struct km_tls *tls, const void *data, size_t len);
/* Words for the last failure of this connection ("" when there was none), e.g. which alert the server sent: with TLS 1.3 a
   refused client certificate shows up in the first read. */
const char *km_tls_reason(const struct km_tls *tls);
bool km_tls_pending(
    const struct km_tls *tls); /* decrypted bytes that poll can't see: read before waiting */
void km_tls_close(
    struct km_tls *tls); /* sends close_notify if it can do so at once; does not close the fd */

struct km_tls_stats {
    uint32_t handshakes_full, handshakes_resumed, handshakes_failed;
    uint32_t
        sessions_dropped; /* larger than CONFIG_KM_TLS_SESSION_BYTES, or their resumption failed */
    /* Bytes with the allocator's headers. arena_top is the highest address ever used: so much of the arena is resident. */
    uint32_t arena_size, arena_used, arena_max, arena_top;
    uint32_t slot_bytes; /* of one connection's record buffers */
    uint32_t slots_used, slots_max, refused;
};
void km_tls_stats(struct km_tls_stats *out);

/* ---- files ---- */
/* Reads at most size - 1 bytes and adds a NUL. Returns the length; KM_ERR_NOT_FOUND, KM_ERR_TOO_LONG (file is larger),
   KM_ERR_IO. Blocks for the disk; works on /proc. A pipe or device that has nothing to read is given up after 1.5 s. */
int km_port_file_read(const char *path, char *out, size_t size);
/* Reads up to size bytes from an offset on. Returns their count, 0 at the end; KM_ERR_NOT_FOUND, KM_ERR_IO. */
int km_port_file_read_at(const char *path, uint64_t offset, void *out, size_t size);
/* Writes to a temporary name in the same folder and renames: readers see the old or the new text, whole. */
int km_port_file_replace(const char *path, const char *data, size_t len);
/* The same of a text that is made piece by piece: next gives each (KM_AGAIN) and the last (KM_EOF). Any other answer of it is
   returned, and the file stays as it is. */
typedef int (*km_port_pieces_fn)(void *ctx, struct km_slice *piece);
int km_port_file_replace_by(const char *path, km_port_pieces_fn next, void *ctx);
/* Seconds since the file was written last, 0 for one from the future; KM_ERR_NOT_FOUND, KM_ERR_IO. */
int64_t km_port_file_age_s(const char *path);
/* Makes a folder and those above it, for their owner alone. KM_OK too when it is there already. */
int km_port_folder_make(const char *path);
/* Whether the path leads to a folder: 1, 0 for any other file, KM_ERR_NOT_FOUND, KM_ERR_IO. */
int km_port_is_folder(const char *path);
/* The name in the folder that comes next behind `name` in the order of bytes, "" to begin; it takes its place. Names that do
   not fit are passed over. KM_OK, KM_EOF behind the last, KM_ERR_NOT_FOUND, KM_ERR_IO. */
int km_port_folder_next(const char *path, char *name, size_t size);
/* Reads from an open descriptor (0), waiting for the first byte, also when it is non-blocking: their count, KM_EOF, KM_ERR_IO.
   Blocks. */
int km_port_read(int fd, char *out, size_t size);
/* Writes to an open descriptor (1 or 2), all of it unless it fails: KM_OK, KM_ERR_IO. Blocks while the reader has no room, also
   when the descriptor is non-blocking. */
int km_port_write(int fd, const char *data, size_t len);
/* Whether a person reads what is written there. */
bool km_port_is_terminal(int fd);

/* One attempt on an open descriptor that must not hold up the caller: waits at most wait_ms for room. KM_OK: all of it was
   written; KM_AGAIN: nothing, as there is no room; KM_ERR_IO and others: what broke. Disks block all the same. */
int km_port_write_soon(int fd, const char *data, size_t len, int wait_ms);
/* Opens a file for writing at its end, makes it for owner and group when it is not there; *size is what it holds. Not through
   a link in its last part. Returns a descriptor for km_port_write_soon and km_socket_close, or KM_ERR_NOT_FOUND, KM_ERR_IO. */
int km_port_append_open(const char *path, uint64_t *size);
/* KM_OK, KM_ERR_NOT_FOUND, KM_ERR_IO. */
int km_port_file_rename(const char *from, const char *to);
/* A descriptor connected to a datagram socket of the file system (syslog's), that never blocks; KM_ERR_NOT_FOUND, KM_ERR_IO. */
int km_port_datagram_open(const char *path);

/* ---- facts about the machine ---- */
struct km_port_disk {
    uint64_t total_bytes, free_bytes, total_inodes, free_inodes;
};
int km_port_disk(const char *path, struct km_port_disk *out);
struct km_port_uname {
    char sysname[32], release[128], machine[32], nodename[254];
};
int km_port_uname(struct km_port_uname *out);
int km_port_cpu_count(void); /* processors that are online */
bool km_port_has_aes(void);  /* the processor has AES instructions */
uint32_t km_port_pid(void);
/* The machine's own addresses of interfaces that are up, without loopback, link-local, multicast, deprecated, tentative and
   temporary (privacy) ones; IPv4 first, those of the default route's interface before others. Returns the count. */
int km_port_addresses(struct km_addr *out, size_t size);
/* Offset of local time from UTC at that moment, in seconds, from TZ or /etc/localtime (RFC 9636), or 0. */
int32_t km_port_utc_offset(int64_t unix_us);

#endif
