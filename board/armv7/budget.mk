# SPDX-License-Identifier: Apache-2.0
# What this board may use: the stripped file, the agent's static data, what single commands have beside it, the agent's deepest call path.
# make size and make memplan fail beyond it.
BUDGET_FLASH_BYTES := 450000
BUDGET_RAM_BYTES := 696320
BUDGET_COMMAND_BYTES := 4194304
BUDGET_STACK_BYTES := 16384
