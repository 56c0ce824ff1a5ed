/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Room net: HTTP/1.1 by hand (RFC 9110, RFC 9112). A request writer, a resumable response parser with chunked decoding, and
 * a connection machine: name -> socket -> TLS -> request -> response, kept alive and reused. One loop owns all of it.
 */
#ifndef KM_HTTP_H
#define KM_HTTP_H

#include "km_base.h"
#include "km_port.h"

/* ---- response parser ---- */

enum km_http_event {
    KM_HTTP_NEED = 0, /* all input used, more is needed */
    KM_HTTP_INTERIM,  /* a 1xx head was read (status in parser); the final head follows */
    KM_HTTP_HEAD, /* the final head is complete: status and headers can be read until the next message */
    KM_HTTP_BODY, /* body bytes in *body (they point into the input) */
    KM_HTTP_END   /* the message is complete; bytes left in *in belong to nobody (`leftover`) */
};

struct km_http_header {
    uint16_t name_at, name_len, value_at, value_len; /* in head[] */
};

/*
 * Limits: head of CONFIG_KM_NET_HEAD_BYTES, CONFIG_KM_NET_HEADER_COUNT headers, 8 interim heads, chunk line of 256 bytes,
 * trailers as many bytes as a head. Chunk lines may cost 16 bytes + twice the payload of their chunk each; what goes beyond
 * adds up to at most 16 kB (one-byte chunks without extensions stay free). Beyond a limit: KM_ERR_TOO_LONG.
 *
 * Refused as KM_ERR_PROTOCOL: a bare LF or CR, folded headers, blanks before a colon, control bytes, Content-Length that is
 * not one number, Transfer-Encoding other than one "chunked", both of them, Transfer-Encoding in HTTP/1.0. Status 101 is a
 * final head without body: nothing here asks for an upgrade, so such a connection is never reused.
 */
struct km_http_parser {
    uint8_t state, sub, interim_count;
    bool head_request; /* the answer to HEAD has no body */
    bool connect_like; /* reserved, false */
    bool keep_alive;   /* after HEAD: the connection may be reused when the message has ended */
    bool chunked, until_close;
    bool trailer;  /* header lines now are trailers: checked, not kept */
    uint8_t minor; /* HTTP/1.minor */
    uint16_t status;
    uint16_t head_len, header_count;
    uint16_t line_len; /* bytes of the chunk line, or of all trailers */
    uint16_t framing_excess;
    int16_t failed; /* the error that was reported: it stays */
    uint64_t body_left, body_total;
    const char *error; /* static text: what was wrong */
    struct km_http_header headers[CONFIG_KM_NET_HEADER_COUNT];
    char head[CONFIG_KM_NET_HEAD_BYTES];
};

void km_http_parser_init(struct km_http_parser *p, bool head_request);
/* Takes bytes from *in (advances it) until an event happens. Returns enum km_http_event, or KM_ERR_PROTOCOL, KM_ERR_TOO_LONG:
   then the connection must be closed. Call again, also with nothing left in *in, until it returns NEED, END or an error: END
   comes as an event of its own after HEAD or BODY. Feeding whole, byte by byte or cut anywhere gives the same events but
   for the cuts of BODY. */
int km_http_feed(struct km_http_parser *p, struct km_slice *in, struct km_slice *body);
/* The connection ended. KM_HTTP_END when that ends the message rightly, KM_ERR_TRUNCATED when not, KM_EOF when no byte of a
   message was seen. */
int km_http_eof(struct km_http_parser *p);
/* First header of that name, case-insensitive, trimmed. KM_OK or KM_ERR_NOT_FOUND. Valid until the next message. */
int km_http_header(const struct km_http_parser *p, const char *name, struct km_slice *value);

/* ---- request writer ---- */

enum km_http_method { KM_GET, KM_HEAD, KM_POST, KM_PUT, KM_PATCH, KM_DELETE };
const char *km_http_method_name(enum km_http_method method); /* "GET" */

struct km_http_request {
    enum km_http_method method;
    struct km_slice target; /* origin-form, already escaped */
    struct km_slice host;   /* Host header: name or [v6], :port when not the default */
    const char *accept, *content_type, *user_agent; /* NULL: header left out */
    struct km_slice bearer;                         /* empty: no Authorization */
    const char *identity, *extra; /* further header lines, each with CRLF, NULL = none */
    struct km_slice body; /* sent with Content-Length when there is one, or method has one */
};

/* Appends the head. KM_ERR_TOO_LONG, or KM_ERR_ARG when a value holds a control byte or a space where none may be (no
   header can be smuggled in): then `out` is as it was before. */
int km_http_write_head(struct km_buf *out, const struct km_http_request *request);
/* Percent-encodes one path segment or query value (RFC 3986 unreserved characters stay). "." and ".." stay too: who builds
   a path from outside text refuses them as segments. */
void km_http_escape(struct km_buf *out, struct km_slice text);

/* ---- connection ---- */

struct km_endpoint {
    char host[256]; /* DNS name or bare literal: no brackets, no zone, no trailing dot */
    uint16_t port;
    bool tls;
    char server_name[256]; /* what the certificate must be for */
};

/*
 * One request and its answer on a connection. In the caller's storage, untouched until `done` was called. The callbacks
 * run from km_conn_step; they may start the next exchange on the same connection from `done`.
 */
struct km_exchange {
    struct km_http_request request;
    int64_t deadline_ms;      /* of the whole exchange, KM_NEVER = none */
    int64_t head_deadline_ms; /* until the response head, KM_NEVER = none */
    int (*on_head)(void *ctx,
                   const struct km_http_parser *head); /* negative: give up with that error */
    int (*on_body)(void *ctx, struct km_slice bytes);  /* negative: give up with that error */
    /* Exactly once. KM_OK: the whole answer came. Otherwise why not; fault has words. */
    void (*done)(void *ctx, int err, const struct km_fault *fault);
    void *ctx;
};

enum km_conn_state {
    KM_CONN_CLOSED,  /* awaits an exchange; left by km_conn_start */
    KM_CONN_RESOLVE, /* awaits addresses of the name */
    KM_CONN_CONNECT, /* awaits TCP; tries each address in turn, CONFIG_KM_NET_CONNECT_MS each */
    KM_CONN_HANDSHAKE, /* awaits its turn (one handshake at a time in the process), then TLS, CONFIG_KM_NET_TLS_MS */
    KM_CONN_SEND, /* awaits room to write head and body; takes an early answer */
    KM_CONN_HEAD, /* awaits the response head */
    KM_CONN_BODY, /* awaits body bytes; sends what an early answer left unsent */
    KM_CONN_IDLE  /* open, no exchange; awaits the next or the server's close */
};

struct km_conn {
    const char *name; /* for logs: "node-watch" */
    const struct km_endpoint *endpoint;
    enum km_conn_state state;
    int fd;
    struct km_tls *tls;
    struct km_resolve resolve;
    uint8_t addr_next;   /* where the next attempt begins: moves on when an address failed */
    uint8_t addr_tried;  /* addresses that were tried by this attempt */
    struct km_addr addr; /* that is connected, or was tried last */
    struct km_exchange *exchange;
    int64_t step_deadline_ms; /* of resolving, connecting or the handshake */
    int64_t last_rx_ms;       /* when the last byte came */
    size_t sent;              /* of head then body */
    size_t
        head_len;   /* of the request; the body's first bytes stand behind it in tx when they fit */
    bool kick;      /* a step is due at once */
    bool tx_dead;   /* writing failed: the answer that may have come before is still read */
    bool reused;    /* the present exchange runs on a connection that served one before */
    bool got_bytes; /* of the present answer */
    bool stale;     /* see km_conn_stale */
    int tx_error;   /* why writing failed */
    uint32_t round; /* changes when an exchange ends: callbacks may have ended it */
    struct km_http_parser parser;
    struct km_buf tx;
    char tx_data[CONFIG_KM_NET_TX_BYTES];
    char rx[CONFIG_KM_NET_RX_BYTES];
    struct km_fault fault;
    uint64_t opened, exchanges, bytes_in, bytes_out;
};

void km_conn_init(struct km_conn *c, const char *name, const struct km_endpoint *endpoint);
/* Starts an exchange on a closed or idle connection; does no I/O yet and calls nothing back. KM_ERR_ARG when one is under way
   or the request can't be written, KM_ERR_TOO_LONG when the head does not fit. */
int km_conn_start(struct km_conn *c, struct km_exchange *exchange, int64_t now_ms);
/* Gives up the exchange under way (done is called with err) and closes. Closes an idle connection too. */
void km_conn_abort(struct km_conn *c, int err, const char *why, int64_t now_ms);
/* In `done`: the exchange failed because the server had closed the connection that an earlier exchange left open, before one
   byte of an answer came. It may be sent again at once on a new connection if the request may be repeated (RFC 9112, 9.3.1). */
bool km_conn_stale(const struct km_conn *c);
/* What to poll for: entry filled, or fd -1. */
void km_conn_poll(const struct km_conn *c, struct km_pollfd *out);
/* When km_conn_step must be called at the latest; 0 = at once (decrypted bytes wait). */
int64_t km_conn_deadline(const struct km_conn *c);
/* Bounded work: at most one connect or handshake step, or CONFIG_KM_NET_STEP_READS reads. `got` as polled. A handshake step
   may take hundreds of milliseconds: take a fresh `now` afterwards. */
void km_conn_step(struct km_conn *c, uint8_t got, int64_t now_ms);

/* ---- loop ---- */

/*
 * Something else that lives on the loop, such as a server: up to KM_LOOP_SOURCE_FDS entries to poll, when it must be stepped at
 * the latest, and the step, which must not block. One per loop.
 */
#define KM_LOOP_SOURCE_FDS 17
struct km_loop_source {
    uint16_t fd_count;
    void (*poll)(struct km_pollfd *fds); /* fills fd_count entries */
    int64_t (*deadline)(void);
    void (*step)(const struct km_pollfd *fds, int64_t now_ms);
};

/*
 * The owner loop: connections and timers, one `now` per turn. Runs until `stop` says so. Blocking: it is the program.
 */
struct km_loop {
    struct km_conn *conns[CONFIG_KM_CONN_COUNT];
    uint16_t conn_count;
    struct km_timers timers;
    struct km_timer *timer_heap[CONFIG_KM_TIMER_COUNT];
    const struct km_loop_source *source; /* NULL: none; may be set between turns */
    int64_t now_ms;
    uint32_t poll_failures;
    bool turning; /* inside km_loop_turn */
};

void km_loop_init(struct km_loop *loop);
int km_loop_add(struct km_loop *loop, struct km_conn *conn); /* KM_ERR_FULL */
/* Of a closed connection; not from within a turn. */
void km_loop_remove(struct km_loop *loop, struct km_conn *conn);
/* One turn: poll (until the nearest deadline or max_wait_ms, negative = no limit), step connections, run timers. Does nothing
   from within a callback of the same loop. */
void km_loop_turn(struct km_loop *loop, int64_t max_wait_ms);
/* Turns it for delay_ms, or until the process is to stop. Nothing from within a callback either. */
void km_loop_pause(struct km_loop *loop, int64_t delay_ms);

#endif
