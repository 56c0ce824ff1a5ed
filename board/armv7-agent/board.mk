# SPDX-License-Identifier: Apache-2.0
# As armv7, without the command line.
BOARD_KIND := zig
BOARD_TARGET := thumb-linux-musleabihf
BOARD_EMULATOR := qemu-arm
# zig makes -Os of -Oz on its own command line. NEON would only clear structures.
BOARD_SMALL := -Xclang -Oz -Xclang -target-feature -Xclang -neon
BOARD_COLD := -mllvm -enable-machine-outliner=always
