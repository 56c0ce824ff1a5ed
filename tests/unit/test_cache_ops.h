/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_CACHE_OPS_H
#define TEST_CACHE_OPS_H

#include <stdlib.h>

/* Ten million random operations in the three model tests together where that is quick and finds the
   most; KM_MODEL_OPS chooses another number for each test. */
#if defined(__SANITIZE_ADDRESS__)
#define MODEL_OPS 3400000
#else
#define MODEL_OPS 100000
#endif

static unsigned long model_ops(void)
{
    const char *text = getenv("KM_MODEL_OPS");

    return text != NULL ? strtoul(text, NULL, 10) : MODEL_OPS;
}

#endif
