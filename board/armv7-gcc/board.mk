# SPDX-License-Identifier: Apache-2.0
# ARMv7 by Debian's cross gcc and glibc: never ships. It gives the stack use of each function for `make memplan`
# (-fcallgraph-info, which clang does not have) and a third compiler's opinion.
BOARD_KIND := gcc
BOARD_PREFIX := arm-linux-gnueabihf-
# cmocka is not packaged for it: the runner of km_test.h is used.
BOARD_CFLAGS := -Os -mthumb -fcallgraph-info=su -DKM_TEST_ALONE
BOARD_EMULATOR := qemu-arm -L /usr/arm-linux-gnueabihf
