# SPDX-License-Identifier: Apache-2.0
# ARMv7 with hardware floating point, static with musl. The target must say thumb: -mthumb on the arm target is ignored
# in silence, and ARM code is 40 % larger.
BOARD_KIND := zig
BOARD_TARGET := thumb-linux-musleabihf
BOARD_EMULATOR := qemu-arm
# zig makes -Os of -Oz on its own command line. NEON would only clear structures.
BOARD_SMALL := -Xclang -Oz -Xclang -target-feature -Xclang -neon
BOARD_COLD := -mllvm -enable-machine-outliner=always
