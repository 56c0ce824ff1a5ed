# SPDX-License-Identifier: Apache-2.0
"""Proves the layers of layers.txt in two ways.

1. The direct includes of each file, by `gcc -H` (lines of depth 1; dependency files are transitive and would hide a direct
   include behind a legal one).
2. The undefined symbols of each room's archive: each comes from an allowed room, from the port, or from symbols.txt, the list
   of libc symbols that the room may have. So no malloc family, no fopen, no getaddrinfo can creep in.
"""
import argparse
import concurrent.futures
import fnmatch
import glob
import os
import re
import shlex
import subprocess
import sys

TOOLS = os.path.dirname(__file__)
PUBLIC = "include/kubemote/"
PORT_HEADER = PUBLIC + "km_port.h"
FREE_HEADERS = {"km_config.h", "km_version.h"}
# Emitted by the compiler itself, or by the linker.
COMPILER = re.compile(r"^(__stack_chk_(fail|guard)|_GLOBAL_OFFSET_TABLE_|__aeabi_\w+|__(u?div|u?mod|mul|clz|ctz|bswap|popcount)\w+)$")


def read_table(name):
    rows = {}
    for line in open(os.path.join(TOOLS, name)):
        line = line.split("#")[0].strip()
        if line:
            left, right = line.split(":", 1)
            rows.setdefault(left.strip(), []).extend(right.split())
    return rows


class Layers:
    def __init__(self):
        self.rows = read_table("layers.txt")
        self.symbols = read_table("symbols.txt")
        self.rooms = [name.split("/")[1] for name in self.rows if re.fullmatch(r"agent/[a-z]+", name) and name != "agent/mem"]
        self.public = self.public_headers()

    def public_headers(self):
        """public header -> room, by the line 'room: name' of headers.txt, else by its name"""
        named = read_table("headers.txt")
        owner = {header: room for room, headers in named.items() for header in headers}
        for path in glob.glob(PUBLIC + "*.h"):
            base = os.path.basename(path)
            guess = base[len("km_"):-len(".h")].split("_")[0]
            owner.setdefault(base, guess if guess in self.rooms else "?")
        return owner

    def closure(self, names):
        seen, todo = set(), [name for name in names if not name.startswith("<")]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += [n for n in self.rows.get("agent/" + name, []) if not n.startswith("<")]
        return seen

    def allowed(self, path):
        """(rooms, outside header patterns) for one file"""
        folder = os.path.dirname(path)
        names = self.rows.get(path, []) + ([] if path == "agent/main.c" else self.rows.get(folder, []))
        rooms = self.closure(names)
        if folder.startswith("agent/"):
            rooms.add(folder.split("/")[1])
        return rooms, [name[1:-1] for name in names if name.startswith("<")]


def direct_includes(path, arguments):
    """Files that `path` includes itself, as the compiler found them."""
    command = [arguments.cc, "-H", "-fsyntax-only", "-std=c11", "-D_DEFAULT_SOURCE", "-w", "-x", "c"] + shlex.split(arguments.cflags) + [path]
    run = subprocess.run(command, capture_output=True, text=True)
    found = [os.path.normpath(line[2:]) for line in run.stderr.splitlines() if line.startswith(". ")]
    return found, run.returncode, run.stderr


def outside_name(path):
    """A header below an include folder, as one would write it between <>."""
    return re.split(r"/include/|/include-[a-z]+/", path)[-1]


def include_fault(layers, path, header):
    rooms, outside = layers.allowed(path)
    if os.path.basename(header) in FREE_HEADERS:
        return None
    if header == PORT_HEADER:
        return None if "port" in rooms else "may not include km_port.h"
    if header.startswith(PUBLIC):
        room = layers.public.get(os.path.basename(header))
        # A room's own headers may name the port's types: km_port.h is judged where it is included.
        return None if room in rooms else f"may not include {header} (room {room})"
    if header.startswith(("agent/", "port/")):
        same = os.path.dirname(header) == os.path.dirname(path)
        memplan = path == "agent/main.c" and header == "agent/mem/memplan.def"
        return None if same or memplan else f"includes a private header of another folder: {header}"
    name = outside_name(header)
    guarded = header.startswith("build/") or "/deps/" in header
    if guarded and not any(fnmatch.fnmatch(name, pattern) for pattern in outside):
        return f"may not include <{name}>"
    if not guarded and path.startswith("agent/") and name not in layers.symbols["headers"] + outside:
        return f"may not include <{name}>: not in the headers line of symbols.txt"
    return None


def check_includes(layers, arguments):
    files = sorted(glob.glob("agent/main.c") + glob.glob("agent/*/*.[ch]") + glob.glob("port/posix/*.[ch]")
                   + glob.glob("port/mbedtls/*.[ch]") + glob.glob("port/sim/*.[ch]") + glob.glob(PUBLIC + "*.h"))
    files = [path for path in files if path != "port/mbedtls/kubemote_mbedtls_config.h"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda path: direct_includes(path, arguments), files))
    faults = []
    for path, (headers, status, errors) in zip(files, results):
        if status != 0:
            faults.append(f"{path}: does not compile alone: {errors.strip().splitlines()[-1]}")
        for header in headers:
            judged = path
            if path.startswith(PUBLIC):
                # A public header has the rights of its room; the port's header those of base.
                room = "base" if path == PORT_HEADER else layers.public.get(os.path.basename(path))
                judged = f"agent/{room}/{os.path.basename(path)}"
            fault = include_fault(layers, judged, header)
            if fault:
                faults.append(f"{path}: {fault}")
    return faults, f"{len(files)} files include downward only"


def archive_symbols(path):
    """(defined, undefined) global symbols of an archive, by readelf, which reads any machine's files."""
    text = subprocess.run(["readelf", "-sW", path], capture_output=True, text=True, check=True).stdout
    defined, undefined = set(), set()
    for line in text.splitlines():
        parts = line.split()
        if len(parts) < 8 or parts[4] not in ("GLOBAL", "WEAK"):
            continue
        (undefined if parts[6] == "UND" else defined).add(parts[7])
    return defined, undefined - defined


def check_symbols(layers, folder):
    tables = {room: archive_symbols(f"{folder}/libkm_{room}.a") for room in layers.rooms}
    port = archive_symbols(f"{folder}/libkm_port_posix.a")[0] | archive_symbols(f"{folder}/libkm_port_mbedtls.a")[0]
    port_api = set(re.findall(r"\b(km_\w+)\s*\(", open(PORT_HEADER).read()))
    common = set(layers.symbols["all"])
    faults = []
    for room in layers.rooms:
        rooms = layers.closure([room])
        known = set().union(*(tables[r][0] for r in rooms if r in tables)) | common | set(layers.symbols.get(room, []))
        if "port" in rooms:
            known |= port_api
        yaml = any("<yaml.h>" in layers.rows.get(row, []) for row in layers.rows if row.startswith(f"agent/{room}"))
        for symbol in sorted(tables[room][1] - known):
            if COMPILER.match(symbol) or (yaml and symbol.startswith("yaml_")):
                continue
            origin = [r for r in layers.rooms if symbol in tables[r][0]]
            where = f"of room {origin[0]}" if origin else "of the port" if symbol in port else "not in symbols.txt"
            faults.append(f"agent/{room}: uses {symbol}, {where}")
    used = sum(len(tables[room][1]) for room in layers.rooms)
    return faults, f"{used} undefined symbols of {len(layers.rooms)} rooms are allowed ones"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cc", default="gcc")
    parser.add_argument("--cflags", default="")
    parser.add_argument("--libs", default="build/linux/lib")
    arguments = parser.parse_args()
    layers = Layers()
    bad = False
    for faults, good in (check_includes(layers, arguments), check_symbols(layers, arguments.libs)):
        for fault in faults:
            print("FAIL " + fault)
        if not faults:
            print("ok " + good)
        bad = bad or bool(faults)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
