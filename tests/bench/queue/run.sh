#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh: the work queue's operations per second beside client-go's, each program on one core, and how many times as many. The
# programs run in turn, and the best of each measure counts: the one that the rest of the machine disturbed least.
set -eu
cd "$(dirname "$0")/../../.."
GO=${GO:-$(tests/tools/go.sh)}
make -s BOARD=linux build/linux/queue-bench
mkdir -p build/bench
(cd tests/bench/queue/go && CGO_ENABLED=0 "$GO" build -trimpath -o "$OLDPWD/build/bench/queue-go" .)
for _ in 1 2 3 4 5; do
    build/linux/queue-bench | sed 's/^/ours /'
    GOMAXPROCS=1 build/bench/queue-go | sed 's/^/theirs /'
done | awk '
    { key = $1 " " $2; if (!(key in best) || $3 + 0 < best[key]) best[key] = $3 + 0 }
    function row(name, label, ours, theirs) {
        ours = best["ours " name]; theirs = best["theirs " name]
        printf "%-44s %16.0f %16.0f %9.1fx\n", label, 1e9 / ours, 1e9 / theirs, theirs / ours
    }
    END {
        printf "%-44s %16s %16s %10s\n", "operations per second", "kubemote", "client-go", "ratio"
        row("cycle-numbers", "queue: add+get+done, keys are numbers")
        row("cycle-texts", "queue: add+get+done, keys are texts")
        row("after-numbers", "queue: add-after, 10,000 pending, numbers")
        row("after-texts", "queue: add-after, 10,000 pending, texts")
    }'
