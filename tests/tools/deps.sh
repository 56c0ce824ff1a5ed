#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches what the build needs and Debian's own packages do not give: called by the Makefile, once per stamp file.
#   deps.sh venv DIR PACKAGE==VERSION...   a Python venv with pinned tools, and DIR/../bin wrappers
#   deps.sh source DIR SUITE NAME GLOB     Debian's source package NAME (upstream version must match GLOB), unpacked and patched in DIR
#   deps.sh upstream DIR SUITE NAME GLOB   the same without Debian's own part: the upstream source as it is
#   deps.sh header DIR PACKAGE PATH        one header out of a Debian package, into DIR
#   deps.sh runtime DIR ZIG TARGET         zig's C library for TARGET, in DIR
# Nothing here names a host: mirrors come from the machine's own apt configuration, and apt checks every signature
# against Debian's archive keyring.
set -eu

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

say() { printf 'deps: %s\n' "$*" >&2; }
fail() {
    say "error: $*"
    exit 1
}

# The mirror of Debian's main archive that this machine is set up to use.
mirror() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk '$2 !~ /security|backports/ && $3 == "main" && $1 !~ /security/ { print $1; exit }'
}

# apt with a state of its own: it neither reads nor changes the machine's package lists.
private_apt() {
    state=$(cd "$1" && pwd)
    shift
    env LC_ALL=C apt-get -q -o Dir::State="$state/state" -o Dir::State::status="$state/state/status" \
        -o Dir::Cache="$state/cache" -o Dir::Etc::SourceList="$state/sources.list" \
        -o Dir::Etc::SourceParts="$state/none" -o Dir::Etc::Preferences="$state/none.pref" \
        -o Dir::Etc::PreferencesParts="$state/none" -o Acquire::Languages=none \
        -o APT::Sandbox::User= -o Debug::NoLocking=1 "$@"
}

private_apt_open() {
    state=$1
    mkdir -p "$state/state/lists/partial" "$state/cache/archives/partial" "$state/none"
    : >"$state/state/status"
    test -r "$KEYRING" || fail "$KEYRING is missing: install debian-archive-keyring"
    uri=$(mirror)
    test -n "$uri" || fail "apt knows no mirror of Debian's main archive: see /etc/apt/sources.list.d"
    printf '%s [signed-by=%s] %s %s main\n' "$2" "$KEYRING" "$uri" "$3" >"$state/sources.list"
}

do_venv() {
    dir=$1
    shift
    say "python tools: $*"
    rm -rf "$dir"
    python3 -m venv "$dir"
    "$dir/bin/pip" install -q --disable-pip-version-check --no-deps "$@"
    bin=$(dirname "$dir")/bin
    mkdir -p "$bin"
    zig=$("$dir/bin/python" -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))')
    deps=$(cd "$(dirname "$dir")" && pwd)
    # Zig's caches stay beside it, so that "make distclean" removes all and a home folder is not needed.
    cat >"$bin/zig" <<EOF
#!/bin/sh
ZIG_GLOBAL_CACHE_DIR="\${ZIG_GLOBAL_CACHE_DIR:-$deps/zig-cache}" ZIG_LOCAL_CACHE_DIR="\${ZIG_LOCAL_CACHE_DIR:-$deps/zig-cache}" exec $zig "\$@"
EOF
    chmod +x "$bin/zig"
}

# The patches of a "3.0 (quilt)" package, in the order of its series file.
apply_debian_patches() {
    test -f debian/patches/series || return 0
    sed 's/[[:space:]]*#.*//; /^[[:space:]]*$/d' debian/patches/series | while read -r name _; do
        patch -s -p1 -i "debian/patches/$name" || fail "patch $name does not apply"
    done
}

do_source() {
    dir=$1 suite=$2 name=$3 glob=$4
    work=$dir.apt
    rm -rf "$work" "$dir"
    mkdir -p "$work/files"
    private_apt_open "$work" deb-src "$suite"
    say "source of $name from Debian $suite"
    private_apt "$work" update >"$work/log" 2>&1 || fail "apt-get update: $(tail -3 "$work/log")"
    (cd "$work/files" && private_apt "../" --download-only --only-source source "$name" >../log 2>&1) ||
        fail "apt-get source $name: $(tail -3 "$work/log")"
    dsc=$(ls "$work"/files/*.dsc)
    version=$(sed -n 's/^Version: //p' "$dsc" | head -n 1)
    case $version in
    $glob) ;;
    *) fail "$name is $version in $suite, wanted $glob" ;;
    esac
    mkdir -p "$dir.new"
    # -m: the files are as new as this fetch, so that objects of an older version are built again
    tar -x -m --strip-components=1 -C "$dir.new" -f "$(ls "$work"/files/*.orig.tar.?z*)"
    tar -x -m -C "$dir.new" -f "$(ls "$work"/files/*.debian.tar.*)"
    (cd "$dir.new" && apply_debian_patches)
    printf '%s\n' "$version" >"$dir.new/DEBIAN_VERSION"
    rm -rf "$work"
    mv "$dir.new" "$dir"
    say "$name $version"
}

do_upstream() {
    dir=$1 suite=$2 name=$3 glob=$4
    work=$dir.apt
    rm -rf "$work" "$dir"
    mkdir -p "$work/files"
    private_apt_open "$work" deb-src "$suite"
    say "upstream source of $name from Debian $suite"
    private_apt "$work" update >"$work/log" 2>&1 || fail "apt-get update: $(tail -3 "$work/log")"
    (cd "$work/files" && private_apt "../" --download-only --tar-only --only-source source "$name" >../log 2>&1) ||
        fail "apt-get source $name: $(tail -3 "$work/log")"
    tarball=$(ls "$work"/files/*.orig.tar.?z*)
    version=${tarball##*/"$name"_}
    version=${version%.orig.tar.*}
    case $version in
    $glob) ;;
    *) fail "$name is $version in $suite, wanted $glob" ;;
    esac
    mkdir -p "$dir.new"
    tar -x -m --strip-components=1 -C "$dir.new" -f "$tarball"
    rm -rf "$work"
    mv "$dir.new" "$dir"
    say "$name $version"
}

# A binary package that is only read from, so it is unpacked and not installed.
do_header() {
    dir=$1 package=$2 path=$3
    work=$(mktemp -d)
    say "$path from $package"
    (cd "$work" && apt-get -q download "$package" >log 2>&1) || {
        cat "$work/log" >&2
        fail "apt-get download $package: run apt-get update first"
    }
    dpkg-deb -x "$work"/*.deb "$work/root"
    mkdir -p "$dir"
    cp "$work/root$path" "$dir/"
    rm -rf "$work"
}

# Zig makes its C library for each link on its own terms: other terms (symbols or none) mean another library, made again
# for a minute. We link by zig's own ld.lld from one set, so that kubemote and kubemote.sym are the same program, to the
# address.
do_runtime() {
    dir=$1 zig=$2 target=$3
    work=$(mktemp -d)
    printf 'int main(void) { return 0; }\n' >"$work/main.c"
    say "C library for $target (once, about a minute)"
    ZIG_VERBOSE_LINK=1 "$zig" cc -target "$target" -Os -g0 -s -fPIE -static -pie -Wl,-z,relro -Wl,-z,now \
        "$work/main.c" -o "$work/main" 2>"$work/log" || fail "$(grep -v '^ar \|^ld.lld' "$work/log" | tail -5)"
    # The last link line is the program's: ld.lld -m EMULATION … rcrt1.o main.o … libc.a libzigc.a libcompiler_rt.a
    grep '^ld.lld' "$work/log" | tail -1 | tr ' ' '\n' >"$work/line"
    mkdir -p "$dir"
    for name in rcrt1.o libc.a libzigc.a libcompiler_rt.a; do
        path=$(grep "/$name\$" "$work/line") || fail "no $name in zig's link line"
        cp "$path" "$dir/$name"
    done
    sed -n '/^-m$/{n;p;}' "$work/line" >"$dir/emulation"
    rm -rf "$work"
}

# STAMP is made at the end. Two makes at once wait for each other, and the second finds the work done.
command=${1:?usage: see the top of this file}
shift
if test -z "${STAMP:-}"; then
    "do_$command" "$@"
    exit
fi
mkdir -p "$(dirname "$STAMP")"
exec 9>"$(dirname "$STAMP")/lock"
flock 9
test -e "$STAMP" && exit
"do_$command" "$@"
touch "$STAMP"
