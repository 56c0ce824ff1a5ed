/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DISCOVERY_PRIV_H
#define DISCOVERY_PRIV_H

#include "kubemote/km_discovery.h"

/* Asks the server and appends a line per resource to d->text. */
int discovery_read(struct km_discovery *d, struct km_fault *fault);

#endif
