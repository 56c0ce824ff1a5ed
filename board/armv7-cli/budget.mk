# SPDX-License-Identifier: Apache-2.0
# What this board may use: the stripped file, all static data (most of it is touched by single commands only), the deepest call path.
BUDGET_FLASH_BYTES := 450000
BUDGET_RAM_BYTES := 5242880
BUDGET_STACK_BYTES := 16384
