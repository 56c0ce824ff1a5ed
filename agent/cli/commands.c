/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

const struct command *const cli_commands[] = {
    &cmd_get,
    &cmd_create,
    &cmd_apply,
    &cmd_patch,
    &cmd_delete,
    &cmd_api_resources,
    &cmd_version,
    NULL,
};
