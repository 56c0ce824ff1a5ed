#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run_programs.sh WRAPPER PROGRAM...: runs each test program, under WRAPPER when it is not empty, and goes on after a failure.
# TEST=pattern runs only the programs whose name matches. Exit 1 when one failed.
wrapper=$1
shift
failed=0
for program in "$@"; do
    name=$(basename "$program")
    [[ -z ${TEST:-} || $name == ${TEST} ]] || continue
    echo "== $name"
    # shellcheck disable=SC2086 # the wrapper is a command with options
    $wrapper "$program"
    status=$?
    if [ "$status" -ne 0 ]; then
        echo "FAIL $name: exit status $status"
        failed=1
    fi
done
exit "$failed"
