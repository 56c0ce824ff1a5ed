# SPDX-License-Identifier: Apache-2.0
# ARMv7 by Debian's cross gcc and glibc: never ships. It runs the unit tests as ARM code under qemu-user and gives the
# stack use of each function (-fcallgraph-info, which clang does not have).
BOARD_KIND := gcc
BOARD_PREFIX := arm-linux-gnueabihf-
BOARD_CFLAGS := -Os -mthumb -fcallgraph-info=su
BOARD_NEEDS := armhf
BOARD_INCLUDES := -isystem $(DEPS)/armhf/usr/include
BOARD_LDFLAGS := -L$(DEPS)/armhf/usr/lib/arm-linux-gnueabihf -Wl,-rpath-link,$(DEPS)/armhf/usr/lib/arm-linux-gnueabihf
BOARD_EMULATOR := qemu-arm -L /usr/arm-linux-gnueabihf -E LD_LIBRARY_PATH=$(DEPS)/armhf/usr/lib/arm-linux-gnueabihf
