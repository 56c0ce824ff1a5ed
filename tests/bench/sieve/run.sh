#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh: megabytes a second of the sieve beside yyjson, parsing the same 500 watch events of pods. ROUNDS=40: the best of so
# many. Fails when the sieve takes less than half of yyjson's.
set -eu
cd "$(dirname "$0")/../../.."
make -s BOARD=linux build/linux/sieve-bench
mkdir -p build/bench
python3 tests/bench/sieve/objects.py tests/bench/pod.json 500 >build/bench/objects.json
build/linux/sieve-bench build/bench/objects.json "${ROUNDS:-40}" | awk 'BEGIN {
    label["sieve"] = "sieve: pruned text of an informer on pods"
    label["sieve-decode"] = "sieve and decode: into records"
    label["scanner"] = "scanner: validation alone"
    label["yyjson"] = "yyjson: all values, in place"
}
{ rate[NR] = $2; name[NR] = $1; of[$1] = $2 }
END {
    printf "%-44s %12s %10s\n", "megabytes a second", "", "of yyjson"
    for (i = 1; i <= NR; i++)
        printf "%-44s %12.0f %9.2fx\n", label[name[i]], rate[i], rate[i] / of["yyjson"]
    slow = of["sieve"] < of["yyjson"] / 2
    if (slow)
        print "FAIL: the sieve takes less than half of the bytes that yyjson takes"
    exit slow
}'
