#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the path of a go command: 1.26 or newer when there is one, else one that can fetch it (1.21 or newer, with
# GOTOOLCHAIN=auto, which the Makefile sets).
second=
for candidate in "$(command -v go 2>/dev/null)" /usr/local/go/bin/go /usr/lib/go-1.*/bin/go; do
    test -x "$candidate" || continue
    minor=$(GOTOOLCHAIN=local "$candidate" version | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
    test -n "$minor" || continue
    if [ "$minor" -ge 26 ]; then
        echo "$candidate"
        exit
    fi
    test "$minor" -ge 21 && second=$candidate
done
test -n "$second" || {
    echo "no go command of version 1.21 or newer: install golang-go" >&2
    exit 1
}
echo "$second"
