#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh: the work queue's operations per second beside client-go's, each program on one core, and how many times as many.
set -eu
cd "$(dirname "$0")/../../.."
GO=${GO:-$(tests/tools/go.sh)}
make -s BOARD=linux build/linux/queue-bench
mkdir -p build/bench
(cd tests/bench/queue/go && CGO_ENABLED=0 "$GO" build -trimpath -o "$OLDPWD/build/bench/queue-go" .)
ours=$(build/linux/queue-bench)
theirs=$(GOMAXPROCS=1 build/bench/queue-go)
awk -v rows="$ours"$'\n'"$theirs" 'BEGIN {
    label["cycle-numbers"] = "queue: add+get+done, keys are numbers"
    label["cycle-texts"] = "queue: add+get+done, keys are texts"
    label["after-numbers"] = "queue: add-after, 10,000 pending, numbers"
    label["after-texts"] = "queue: add-after, 10,000 pending, texts"
    printf "%-44s %16s %16s %10s\n", "operations per second", "kubemote", "client-go", "ratio"
    n = split(rows, line, "\n") / 2
    for (i = 1; i <= n; i++) {
        split(line[i], a, " ")
        split(line[n + i], b, " ")
        printf "%-44s %16.0f %16.0f %9.1fx\n", label[a[1]], 1e9 / a[2], 1e9 / b[2], b[2] / a[2]
    }
}'
