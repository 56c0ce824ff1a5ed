# SPDX-License-Identifier: Apache-2.0
# The tools from PyPI, pinned: the same bytes on Debian 12 and 13.
ZIG_VERSION := 0.17.1
KCONFIGLIB_VERSION := 14.1.0
CLANG_FORMAT_VERSION := 23.1.5
# Sources from Debian come from this suite, whatever the machine runs.
SOURCE_SUITE := trixie
