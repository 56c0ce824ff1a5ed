#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# zig_runtime.sh ZIG TARGET DIR: the four files of libc that a static-pie program for TARGET is linked with, kept in DIR.
# Zig makes them for each link on its own terms: other terms (symbols or none) mean another libc, made again for a minute.
# We link by zig's own ld.lld from one set, so that kubemote and kubemote.sym are the same program, to the address.
set -eu
zig=$1 target=$2 dir=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'int main(void) { return 0; }\n' >"$work/main.c"
printf 'zig: C library for %s (once, about a minute)\n' "$target" >&2
ZIG_VERBOSE_LINK=1 "$zig" cc -target "$target" -Os -g0 -s -fPIE -static -pie -Wl,-z,relro -Wl,-z,now \
    "$work/main.c" -o "$work/main" 2>"$work/log" || {
    grep -v '^ar \|^ld.lld' "$work/log" | tail -5 >&2
    exit 1
}
# The last link line is the program's: ld.lld … rcrt1.o main.o … libc.a libzigc.a libcompiler_rt.a
grep '^ld.lld' "$work/log" | tail -1 | tr ' ' '\n' >"$work/line"
mkdir -p "$dir"
for name in rcrt1.o libc.a libzigc.a libcompiler_rt.a; do
    path=$(grep "/$name\$" "$work/line") || {
        echo "zig_runtime: no $name in zig's link line" >&2
        exit 1
    }
    cp "$path" "$dir/$name"
done
sed -n '/^-m$/{n;p;}' "$work/line" >"$dir/emulation"
