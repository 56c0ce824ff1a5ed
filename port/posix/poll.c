/* SPDX-License-Identifier: Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* ppoll */
#endif
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "kubemote/km_port.h"
#include "poll_priv.h"

static short events_of(uint8_t want)
{
    return (short)(((want & KM_POLL_IN) ? POLLIN : 0) | ((want & KM_POLL_OUT) ? POLLOUT : 0));
}

static uint8_t got_of(short events)
{
    uint8_t got = 0;

    if (events & (POLLIN | POLLHUP))
        got |= KM_POLL_IN;
    if (events & POLLOUT)
        got |= KM_POLL_OUT;
    if (events & (POLLERR | POLLHUP | POLLNVAL))
        got |= KM_POLL_ERR;
    return got;
}

int km_port_poll(struct km_pollfd *fds, size_t count, int64_t timeout_ms)
{
    struct pollfd list[KM_POLL_MAX];
    struct timespec limit = {0};
    int ready;

    if (count > KM_POLL_MAX)
        return KM_ERR_ARG;
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct pollfd){.fd = fds[i].fd, .events = events_of(fds[i].want)};
        fds[i].got = 0;
    }
    if (timeout_ms > INT32_MAX)
        timeout_ms = INT32_MAX;
    if (timeout_ms > 0) {
        limit.tv_sec = (time_t)(timeout_ms / 1000);
        limit.tv_nsec = (long)(timeout_ms % 1000) * 1000000;
    }
    /* ppoll, for a signal between the caller's last look and the wait must not be slept over. */
    ready = ppoll(list, (nfds_t)count, timeout_ms < 0 ? NULL : &limit, km_signals_mask());
    if (ready < 0)
        return errno == EINTR ? 0 : KM_ERR_IO;
    for (size_t i = 0; i < count; i++)
        fds[i].got = got_of(list[i].revents);
    return ready;
}
