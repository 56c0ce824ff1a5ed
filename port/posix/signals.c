/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_port.h"
#include "poll_priv.h"

static volatile sig_atomic_t stop;
static sigset_t poll_mask;
static bool installed;

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

/* Outside poll the two signals are held back: they arrive while the loop waits, and so never get lost before a wait. */
void km_port_signals(void)
{
    struct sigaction action;
    sigset_t held;

    memset(&action, 0, sizeof action);
    sigemptyset(&action.sa_mask);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);

    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGINT);
    sigprocmask(SIG_BLOCK, &held, &poll_mask);
    sigdelset(&poll_mask, SIGTERM);
    sigdelset(&poll_mask, SIGINT);
    action.sa_handler = on_stop;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    installed = true;
}

const sigset_t *km_signals_mask(void)
{
    return installed ? &poll_mask : NULL;
}

bool km_port_stop_requested(void)
{
    sigset_t pending;

    /* One that is held back counts too: the loop may be busy for long without a wait. */
    if (installed && stop == 0 && sigpending(&pending) == 0 &&
        (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1))
        stop = 1;
    return stop != 0;
}
