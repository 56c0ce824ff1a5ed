#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# TLS against a server of another make (Go): every case of tls_cases, then the reconnect soak over both versions, RSA and P-256,
# resumed and full.
#
#   run.sh SERVER PROGRAMS [ROUNDS [COMMAND...]]
#
# SERVER: tests/soak/server, built. PROGRAMS: the folder of one board's tls_cases and tls_soak. ROUNDS: per combination, default
# 100. COMMAND: an emulator or checker to run them under. Ends with 0 when all is well.
set -u
server_program=${1:?the server program is missing}
programs=${2:?the folder of tls_cases and tls_soak is missing}
rounds=${3:-100}
shift $(($# < 3 ? $# : 3))

work=$(mktemp -d)
server=
finish() {
    exec 3>&-
    [ -n "$server" ] && kill "$server" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
mkfifo "$work/stdin"
"$server_program" "$work" <"$work/stdin" &
server=$!
exec 3>"$work/stdin" # the server ends when this closes
for _ in $(seq 600); do
    [ -e "$work/ports" ] && break
    kill -0 "$server" 2>/dev/null || exit 2
    sleep 0.1
done

failed=0
"$@" "$programs/tls_cases" "$work" || failed=1
for pki in rsa ec; do
    for version in 12 13; do
        for mode in resumed full; do
            "$@" "$programs/tls_soak" "$work" $pki $version $mode "$rounds" 1 || failed=1
        done
    done
done
exit $failed
