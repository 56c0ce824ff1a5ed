# SPDX-License-Identifier: Apache-2.0
# x86-64 with glibc under AddressSanitizer and UndefinedBehaviorSanitizer: tests only. mbedTLS uses libc's heap here
# (CONFIG_KM_LIBC_HEAP), since an allocator of ours would switch the heap checks off in silence.
BOARD_KIND := gcc
BOARD_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
BOARD_LDFLAGS := -fsanitize=address,undefined
