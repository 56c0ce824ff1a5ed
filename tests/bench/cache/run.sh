#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh: nanoseconds of the cache's operations beside client-go's, each program on one core. Fails when a read by key takes
# more than half of the lister's time.
set -eu
cd "$(dirname "$0")/../../.."
GO=${GO:-$(tests/tools/go.sh)}
make -s BOARD=linux build/linux/cache-bench
mkdir -p build/bench
(cd tests/bench/cache/go && CGO_ENABLED=0 "$GO" build -trimpath -o "$OLDPWD/build/bench/cache-go" .)
ours=$(build/linux/cache-bench)
theirs=$(GOMAXPROCS=1 build/bench/cache-go)
awk -v rows="$ours"$'\n'"$theirs" 'BEGIN {
    label["get-key"] = "cache: read by key, 500 objects"
    label["get-names"] = "cache: read by namespace and name (lister)"
    label["get-large"] = "cache: read by key, 10,000 objects"
    label["update-indexed"] = "cache: update, namespace index"
    label["update-plain"] = "cache: update, no index"
    label["by-index"] = "cache: by index, for each object found"
    label["list"] = "cache: list, for each object"
    printf "%-44s %12s %12s %10s\n", "nanoseconds", "kubemote", "client-go", "ratio"
    n = split(rows, line, "\n") / 2
    for (i = 1; i <= n; i++) {
        split(line[i], a, " ")
        split(line[n + i], b, " ")
        printf "%-44s %12.1f %12.1f %9.2fx\n", label[a[1]], a[2], b[2], a[2] / b[2]
        if (a[1] == "get-names" && a[2] > b[2] / 2)
            slow = 1
    }
    if (slow)
        print "FAIL: a read takes more than half of the time of client-go" "\047" "s lister"
    exit slow
}'
