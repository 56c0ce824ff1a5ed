# SPDX-License-Identifier: Apache-2.0
# As linux, with the command line. The compiler is pinned, so Debian 12 and 13 give the same bytes.
BOARD_KIND := zig
BOARD_TARGET := x86_64-linux-musl
