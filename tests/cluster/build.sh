#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# usage: build.sh OUTPUT
#
# Builds the control plane program into the file OUTPUT and shows how far it
# is. When all is built already it takes two seconds and prints one line.
# GO names the go command.
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

start=$(date +%s)
seconds() { echo $(($(date +%s) - start)); }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Reads lines, counts those that are one word (package names) and those that
# tell of a download, and passes all others on.
show_progress() {
    packages=0
    modules=0
    while read -r line; do
        case $line in
        'go: downloading '*)
            modules=$((modules + 1))
            [ $((modules % 50)) -ne 0 ] || echo "  downloaded $modules modules, $(seconds) s"
            ;;
        *' '*)
            printf '%s\n' "$line"
            ;;
        *)
            packages=$((packages + 1))
            [ $((packages % 100)) -ne 0 ] || echo "  compiled $packages of at most $1 packages, $(seconds) s"
            ;;
        esac
    done
    echo "$packages" >"$work/packages"
}

# step TOTAL COMMAND... runs the command with its messages counted.
step() {
    total=$1
    shift
    { "$@" 2>&1 && echo 0 >"$work/status" || echo $? >"$work/status"; } | show_progress "$total"
    status=$(cat "$work/status")
    [ "$status" -eq 0 ] || { echo "build.sh: go failed with status $status" >&2; exit "$status"; }
}

list_packages() { "$go" list -deps . 3>&1 >"$work/list" 2>&3; }

if [ ! -e "$out" ]; then
    echo "Building the control plane for tests, Kubernetes $kube; the first time takes 5 to 10 minutes on 2 cores"
fi
mkdir -p "$(dirname "$out")"
step 0 list_packages
step "$(wc -l <"$work/list")" \
    "$go" build -v -p 2 -trimpath -buildvcs=false -ldflags "$flags" -o "$out" .
echo "control plane $kube: $out, $(cat "$work/packages") packages compiled, $(seconds) s"
