/* SPDX-License-Identifier: Apache-2.0 */
/* What a test's subject writes to standard output. */
#ifndef KM_CAPTURE_H
#define KM_CAPTURE_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/cli_priv.h"

static char captured[CONFIG_KM_CLI_OBJECT_BYTES + 65536];
static int capture_kept = -1;
static FILE *capture_file;

static inline void capture_begin(void)
{
    fflush(stdout);
    capture_file = tmpfile();
    capture_kept = dup(1);
    assert_non_null(capture_file);
    assert_true(dup2(fileno(capture_file), 1) == 1);
}

static inline const char *capture_end(void)
{
    out_flush();
    assert_true(dup2(capture_kept, 1) == 1);
    close(capture_kept);
    rewind(capture_file);
    size_t len = fread(captured, 1, sizeof captured - 1, capture_file);
    captured[len] = '\0';
    fclose(capture_file);
    return captured;
}

#endif
