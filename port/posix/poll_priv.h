/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KM_POLL_PRIV_H
#define KM_POLL_PRIV_H

#include <signal.h>

/* The signal mask that poll waits with, NULL before km_port_signals. */
const sigset_t *km_signals_mask(void);

#endif
