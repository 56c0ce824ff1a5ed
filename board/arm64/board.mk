# SPDX-License-Identifier: Apache-2.0
# 64-bit ARM, static with musl.
BOARD_KIND := zig
BOARD_TARGET := aarch64-linux-musl
BOARD_EMULATOR := qemu-aarch64
