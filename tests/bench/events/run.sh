#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh: what an update costs an informer on 500 pods of 7 kB, beside a bare TLS client, client-go and kube-rs, over TLS from
# one scripted server; and that a new list of 10,000 objects takes no memory. UPDATES=10000. build/linux/informer-trace and
# build/linux/bench/bare are built before (`make bench-informer` does); kube-rs is left out where it was not built by
# tests/bench/run.sh.
set -eu
cd "$(dirname "$0")/../../.."
GO=${GO:-$(tests/tools/go.sh)}
make -s -j2 BOARD=linux build/linux/informer-trace-large
mkdir -p build/trace
cd tests/informer
CGO_ENABLED=0 "$GO" build -trimpath -o ../../build/trace/informer-reference ./reference
INFORMER_FIGURES=${UPDATES:-10000} CGO_ENABLED=0 "$GO" test -trimpath -v -count=1 -run 'TestFigures|TestNewList' . |
    grep -v '^=== \|^--- PASS\|^PASS\|^ok '
