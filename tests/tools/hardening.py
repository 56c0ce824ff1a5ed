# SPDX-License-Identifier: Apache-2.0
"""Reads the file that ships (and its twin with symbols): position independent, static, RELRO, no executable stack, stack
protector, and no allocator behind the seal.

  hardening.py BOARD...
"""
import re
import subprocess
import sys

# libc's own allocator, and what reaches it past our malloc. Our build has its own malloc family in port/posix/heap.c.
FORBIDDEN = {"__libc_malloc", "__libc_calloc", "__libc_realloc", "brk", "sbrk", "__brk", "strdup", "strndup", "wcsdup", "fopen",
             "fdopen", "getaddrinfo", "gethostbyname", "getifaddrs", "localtime", "localtime_r", "syslog", "qsort", "system", "popen"}


def readelf(option, path):
    return subprocess.run(["readelf", option, "-W", path], capture_output=True, text=True, check=True).stdout


def symbols(path):
    names = set()
    for line in readelf("-s", path).splitlines():
        parts = line.split()
        if len(parts) >= 8 and parts[3] in ("FUNC", "OBJECT", "NOTYPE"):
            names.add(parts[7].split("@")[0])
    return names


def checks(board):
    shipped, twin = f"build/{board}/kubemote", f"build/{board}/kubemote.sym"
    header, segments, names = readelf("-h", shipped), readelf("-l", shipped), symbols(twin)
    dynamic = readelf("-d", shipped)
    yield "position independent (ET_DYN)", re.search(r"Type:\s+DYN", header)
    yield "static: no interpreter", "INTERP" not in segments
    yield "static: needs no library", "NEEDED" not in dynamic
    yield "GNU_RELRO and immediate binding", "GNU_RELRO" in segments and re.search(r"BIND_NOW|NOW", dynamic)
    yield "stack is not executable", re.search(r"GNU_STACK.* RW +0", segments)
    yield "no segment is writable and executable", not re.search(r"LOAD .* RWE ", segments)
    yield "stack protector (__stack_chk_fail)", "__stack_chk_fail" in names
    yield "stripped", ".symtab" not in readelf("-S", shipped)
    found = sorted(FORBIDDEN & names)
    yield "no allocator behind the seal" + (f": {', '.join(found)}" if found else ""), not found


def main():
    bad = False
    for board in sys.argv[1:]:
        for what, good in checks(board):
            print(f"{'ok' if good else 'FAIL'} {board}: {what}")
            bad = bad or not good
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
