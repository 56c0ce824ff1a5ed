/* SPDX-License-Identifier: Apache-2.0 */
/* One command, one file. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "cli_priv.h"

extern const struct command cmd_get, cmd_api_resources, cmd_api_versions, cmd_version;
extern const struct command cmd_delete, cmd_create, cmd_apply, cmd_patch, cmd_label, cmd_annotate,
    cmd_wait;
extern const struct command cmd_whoami, cmd_can_i, cmd_events;
extern const struct command cmd_config_view, cmd_config_get_contexts, cmd_config_current_context,
    cmd_config_use_context;

/* auth can-i --list. */
int auth_print_rules(bool no_headers);

#endif
