#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# reproducible.sh DEPS BOARD...: builds the tree in two folders of different names and compares every file that ships.
set -eu
deps=$(realpath "$1")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folders=("$work/a" "$work/b/another-name-of-another-length")
for folder in "${folders[@]}"; do
    mkdir -p "$folder"
    tar -c Makefile Kconfig VERSION include agent port board tests/tools tests/check | tar -x -C "$folder"
done
status=0
for board in "$@"; do
    for folder in "${folders[@]}"; do
        (cd "$folder" && make -s -j2 DEPS="$deps" BOARD="$board" all)
    done
    for file in kubemote kubemote-check libkubemote.a; do
        if cmp "${folders[0]}/build/$board/$file" "${folders[1]}/build/$board/$file"; then
            echo "ok $board/$file: same bytes from two folders"
        else
            echo "FAIL $board/$file differs"
            status=1
        fi
    done
    # The tree that was built here before counts too: a third folder, built at another time.
    if ! cmp -s "build/$board/kubemote" "${folders[0]}/build/$board/kubemote"; then
        echo "FAIL $board/kubemote: this tree's file differs"
        status=1
    fi
done
exit $status
