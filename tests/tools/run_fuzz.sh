#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run_fuzz.sh SECONDS PROGRAM...: each libFuzzer program for SECONDS on its seeds (tests/fuzz/seeds/<name without fuzz_>). New
# inputs stay in build/fuzz-corpus, a crashing input in build/fuzz-crashes, and its path is printed. FUZZ_SEED (1) chooses the
# random numbers, so that one tree meets the same inputs everywhere; 0 takes others each time.
seconds=$1
shift
mkdir -p build/fuzz-crashes
status=0
run_one() {
    local program=$1 name seeds corpus log
    name=$(basename "$program")
    seeds=tests/fuzz/seeds/${name#fuzz_}
    corpus=build/fuzz-corpus/$name
    log=build/fuzz-corpus/$name.log
    mkdir -p "$corpus"
    test -d "$seeds" || seeds=
    # shellcheck disable=SC2086 # no seeds, no argument
    "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -seed="${FUZZ_SEED:-1}" \
        -artifact_prefix="build/fuzz-crashes/$name-" "$corpus" $seeds >"$log" 2>&1
    local result=$?
    if [ "$result" -ne 0 ]; then
        tail -40 "$log"
        echo "FAIL $name: exit status $result, whole log in $log"
        return 1
    fi
    echo "ok $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs in $seconds s"
}
# Two at a time: one per core of the smallest machine.
while [ $# -gt 0 ]; do
    run_one "$1" &
    first=$!
    second=
    if [ $# -gt 1 ]; then
        run_one "$2" &
        second=$!
        shift
    fi
    shift
    wait "$first" || status=1
    test -z "$second" || wait "$second" || status=1
done
exit "$status"
