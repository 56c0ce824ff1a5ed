#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh: builds the peers and measures them beside the agent; the agent, the bare client and the control plane program are
# built before (`make bench` does). Prints the table and writes build/bench/results.json. BENCH_QUICK=1: within three minutes.
# BENCH_TRIP=1: round trips alone. GO and CARGO name those commands.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../../build/bench
mkdir -p "$out"
out=$(cd "$out" && pwd)
go=${GO:-go}

say() { echo "bench: $*" >&2; }

build_go() { # package -> file
    (cd "$here" && CGO_ENABLED=0 "$go" build -trimpath -buildvcs=false -ldflags '-s -w' -o "$out/$2" "./$1")
}

find_cargo() {
    PATH=$PATH:$HOME/.cargo/bin command -v "${CARGO:-cargo}" || true
}

# Crates that can't be had must not keep the others from being measured.
build_rust() {
    local cargo
    cargo=$(find_cargo)
    if [ -z "$cargo" ]; then
        say "no cargo here: kube-rs is left out"
        return
    fi
    [ -e "$out/kuberust" ] || say "building the kube-rs peer; the first time takes 2 to 3 minutes on 2 cores"
    if ! (cd "$here/kuberust" && CARGO_TARGET_DIR=$out/cargo PATH=$PATH:$(dirname "$cargo") \
        "$cargo" build --release --locked --jobs 2 --quiet >"$out/cargo.log" 2>&1); then
        say "the kube-rs peer does not build, it is left out: $(grep -m 1 '^error' "$out/cargo.log" || tail -n 1 "$out/cargo.log")"
        rm -f "$out/kuberust"
        return
    fi
    cp -u "$out/cargo/release/kuberust" "$out/kuberust"
}

say "building the peers"
build_go clientgo clientgo
cp -u "$out/clientgo" "$out/clientgo-h2"
[ "${BENCH_TRIP:-0}" != 0 ] || build_rust
build_go driver driver
quick=
[ "${BENCH_QUICK:-0}" = 0 ] || quick=-quick
[ "${BENCH_TRIP:-0}" = 0 ] || quick="$quick -trip"
# shellcheck disable=SC2086
"$out/driver" -root "$here/../.." $quick
