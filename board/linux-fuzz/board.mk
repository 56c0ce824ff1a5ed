# SPDX-License-Identifier: Apache-2.0
# x86-64 with clang's libFuzzer, ASan and UBSan: the fuzz targets only. libc's heap, as on linux-asan.
BOARD_KIND := clang
BOARD_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
BOARD_LDFLAGS := -fsanitize=address,undefined
