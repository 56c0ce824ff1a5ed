/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

/* What stands here is linked; without the commands the linker drops all that only they use. */
const struct command *const cli_commands[] = {
#ifdef CONFIG_KM_CLI
    &cmd_get,
    &cmd_create,
    &cmd_apply,
    &cmd_patch,
    &cmd_delete,
    &cmd_wait,
    &cmd_events,
    &cmd_config_view,
    &cmd_config_get_contexts,
    &cmd_config_current_context,
    &cmd_config_use_context,
    &cmd_whoami,
    &cmd_can_i,
    &cmd_label,
    &cmd_annotate,
    &cmd_api_resources,
    &cmd_api_versions,
    &cmd_version,
#endif
    NULL,
};
