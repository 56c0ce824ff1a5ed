#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lwip_check.sh CFLAGS...: compiles the socket files of port/posix against lwIP's own headers with port/lwip/lwipopts.h, then
# two files that use more than lwIP has: those must not compile, else the check would prove nothing.
sources="port/posix/socket.c port/posix/addr.c port/posix/resolve.c"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Our options first: they stand before the folder that holds Debian's.
compile() {
    gcc -std=c11 -Wall -Wextra -Werror -DKM_SOCKETS_LWIP -D_DEFAULT_SOURCE -Iport/lwip -isystem /usr/include/lwip \
        "${cflags[@]}" -c "$1" -o "$work/out.o"
}
cflags=("$@")
status=0
for source in $sources; do
    if compile "$source"; then
        echo "ok $source compiles against lwIP"
    else
        echo "FAIL $source does not compile against lwIP"
        status=1
    fi
done
try() { # expression
    printf '#include "port/posix/sockets_priv.h"\nint beyond(void);\nint beyond(void) { return %s; }\n' "$1" >"$work/beyond.c"
    compile "$work/beyond.c"
}
# The control: the same file with a call that lwIP has.
try 'setsockopt(0, IPPROTO_TCP, TCP_KEEPIDLE, 0, 0)' || {
    echo "FAIL the control does not compile"
    status=1
}
for beyond in 'setsockopt(0, IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 0)' 'socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)'; do
    if try "$beyond" 2>/dev/null; then
        echo "FAIL the host's headers are used: this compiled: $beyond"
        status=1
    else
        echo "ok refused: $beyond"
    fi
done
exit $status
