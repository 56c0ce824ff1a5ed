#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# need.sh GROUP...: installs those Debian packages of packages.txt that are missing, says which and why, and says nothing when
# all is there. With sudo when not root.
set -eu
table=$(dirname "$0")/packages.txt

rows_of() { # group -> "package why" lines, other groups unfolded
    awk -v group="$1" '/^#/ || NF == 0 { next } $1 == group { $1 = ""; sub(/^ /, ""); print }' "$table" |
        while read -r package why; do
            case $package in
            +*) rows_of "${package#+}" ;;
            *) echo "$package $why" ;;
            esac
        done
}

present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
installed() { grep -qx -- "$1" <<<"$present"; }

# A Go of its own that is new enough makes Debian's unnecessary.
has_go() { PATH=$PATH:/usr/local/go/bin command -v go >/dev/null; }

missing=()
while read -r package why; do
    if [ "$package" = golang-go ] && has_go; then
        continue
    fi
    installed "$package" || {
        missing+=("$package")
        echo "need: $package: $why"
    }
done < <(for group in "$@"; do rows_of "$group"; done | sort -u -k1,1)

[ ${#missing[@]} -gt 0 ] || exit 0

root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "need: not root and no sudo here; as root: apt-get install ${missing[*]}" >&2
        exit 1
    }
    root=sudo
fi
log=$(mktemp)
run() {
    $root env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" >"$log" 2>&1 || {
        tail -5 "$log" >&2
        exit 1
    }
}
echo "need: apt-get install ${missing[*]}"
run update
target=()
# Go that can fetch a newer Go by itself (1.21 on) is in Debian 13, and in Debian 12 only in backports.
if [[ " ${missing[*]} " == *" golang-go "* ]] && ! apt-cache policy golang-go | grep -qE 'Candidate: 2:1\.(2[1-9]|[3-9])'; then
    backports=$(. /etc/os-release && echo "$VERSION_CODENAME-backports")
    if ! apt-cache policy | grep -q "$backports"; then
        mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
            awk '$2 !~ /security/ && $3 == "main" && $1 !~ /security/ { print $1; exit }')
        echo "need: adds $backports to /etc/apt/sources.list.d/kubemote-backports.list, for Go"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $backports main" |
            $root tee /etc/apt/sources.list.d/kubemote-backports.list >/dev/null
        run update
    fi
    target=(-t "$backports")
fi
run install -y --no-install-recommends "${target[@]}" "${missing[@]}"
rm -f "$log"
