/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/random.h>

#include "kubemote/km_port.h"

int km_port_entropy(void *out, size_t len)
{
    uint8_t *at = out;

    while (len > 0) {
        /* Without GRND_NONBLOCK the first boot of a device would hang here before its pool is seeded. */
        ssize_t got = getrandom(at, len, GRND_NONBLOCK);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? KM_AGAIN : KM_ERR_IO;
        at += got;
        len -= (size_t)got;
    }
    return KM_OK;
}
