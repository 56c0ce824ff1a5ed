/* SPDX-License-Identifier: Apache-2.0 */
/* As informer_trace.c, for more objects. */
#define SLOTS 10000
#include "informer_trace.c"
