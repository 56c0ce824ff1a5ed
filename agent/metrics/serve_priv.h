/* SPDX-License-Identifier: Apache-2.0 */
/* Inside room metrics: one connection to the endpoint, and what it is answered. */
#ifndef KM_SERVE_PRIV_H
#define KM_SERVE_PRIV_H

#include "kubemote/km_metrics.h"

#define SERVE_RX_BYTES 512
#define SERVE_HEALTH_BYTES 1024

enum serve_state {
    SERVE_FREE,
    SERVE_READ,  /* awaits a request's head */
    SERVE_WRITE, /* awaits room for the answer */
    SERVE_LINGER /* answered an odd request: reads on for a moment, since closing at once would take the answer back */
};

struct serve_peer {
    enum serve_state state;
    int fd;
    bool closing; /* after this answer */
    bool chunked; /* the answer's form */
    bool more;    /* of the metrics is to come */
    bool kick;    /* bytes wait in rx */
    uint16_t rx_at, rx_len;
    size_t sent;         /* of tx */
    uint32_t served;     /* requests */
    int64_t since_ms;    /* when the state began */
    int64_t progress_ms; /* when bytes went last */
    struct km_serve_request request;
    struct km_metrics_cursor cursor;
    struct km_buf tx;
    char rx[SERVE_RX_BYTES];
    char tx_data[CONFIG_KM_SERVE_TX_BYTES];
};

void serve_answer_register(void);
/* Puts the head, and all of the answer but the metrics, into tx, which is empty before. */
void serve_answer(struct serve_peer *p, const struct km_serve_options *options);
/* The same for bytes that are no request; the connection ends after it. */
void serve_answer_error(struct serve_peer *p, int err);
/* Puts the next piece of the metrics into tx. KM_ERR_TOO_LONG: there is no room for one sample. */
int serve_next_piece(struct serve_peer *p);

#endif
