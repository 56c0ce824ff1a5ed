#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: build.sh OUTPUT
#
# Builds the control plane program into the file OUTPUT and shows how far it
# is. Prints nothing but one line when all is built already.
set -eu

out=${1:?usage: build.sh OUTPUT}
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$(dirname "$0")"

go=${GO:-go}
# Without C the program is static, 35 MB smaller, and needs no compiler.
export CGO_ENABLED=0
kube=$(sed -n 's|^[[:space:]]*k8s.io/kubernetes \(v[0-9.]*\).*|\1|p' go.mod | head -n 1)
minor=${kube#v1.}
minor=${minor%%.*}

# -checklinkname=0 is for tlslimit.go, which reaches into crypto/tls.
flags="-s -w -checklinkname=0"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags="$flags -X $package.gitVersion=$kube"
    flags="$flags -X $package.gitMajor=1 -X $package.gitMinor=$minor"
    flags="$flags -X $package.gitTreeState=clean"
done

# The lines of "go build -v" are the packages that had to be compiled; their
# number is known only as "at most all", so the count stands beside the total.
show_progress() {
    total=$1
    start=$2
    count=0
    while read -r line; do
        case $line in
        */*|*.*|[a-z]*) ;;
        *) echo "$line"; continue ;;
        esac
        case $line in
        *' '*) echo "$line"; continue ;;
        esac
        count=$((count + 1))
        if [ $((count % 100)) -eq 0 ]; then
            echo "  compiled $count of at most $total packages, $(($(date +%s) - start)) s"
        fi
    done
    echo "$count" >"$counter"
}

start=$(date +%s)
mkdir -p "$(dirname "$out")"
counter=$(mktemp)
status=$(mktemp)
trap 'rm -f "$counter" "$status"' EXIT

if [ ! -e "$out" ]; then
    echo "Building the control plane for tests, Kubernetes $kube (the first time takes some minutes)"
fi
total=$("$go" list -deps . | wc -l)
{
    rc=0
    "$go" build -v -p 2 -trimpath -buildvcs=false -ldflags "$flags" -o "$out" . 2>&1 || rc=$?
    echo "$rc" >"$status"
} | show_progress "$total" "$start"
rc=$(cat "$status")
if [ "$rc" -ne 0 ]; then
    echo "build.sh: go build failed with status $rc" >&2
    exit "$rc"
fi
echo "control plane $kube: $out, $(cat "$counter") packages compiled, $(($(date +%s) - start)) s"
