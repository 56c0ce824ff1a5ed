# SPDX-License-Identifier: Apache-2.0
# x86-64 with glibc, debug information and no sanitizer: for valgrind and gdb. libc's heap, as on linux-asan.
BOARD_KIND := gcc
BOARD_CFLAGS := -O1 -g -fno-omit-frame-pointer
