# SPDX-License-Identifier: Apache-2.0
# What this board may use; make memplan and make size fail beyond it.
BUDGET_FLASH_BYTES := 460800
BUDGET_RAM_BYTES := 851968
BUDGET_STACK_BYTES := 32768
