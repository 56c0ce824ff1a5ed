# SPDX-License-Identifier: Apache-2.0
"""Reads the link map that ld.lld -Map writes: which bytes of the program came from which object file's section."""
import collections
import re

Piece = collections.namedtuple("Piece", "out section file size")  # out: .text, .bss; section: .bss.km_pool.pod
Symbol = collections.namedtuple("Symbol", "out file name size")

LINE = re.compile(r"^\s*([0-9a-f]+)\s+([0-9a-f]+)\s+([0-9a-f]+)\s+(\d+)( +)(\S.*)$")


def read(path):
    """(pieces, symbols) of the map; what is not loaded (.comment, .symtab) is left out."""
    pieces, symbols = [], []
    out, owner = None, None
    for line in open(path):
        match = LINE.match(line)
        if not match:
            continue
        size, indent, text = int(match[3], 16), len(match[5]), match[6]
        if indent < 8:
            out = text
        elif indent < 16:
            file, _, section = text.rpartition(":(")
            owner = file
            pieces.append(Piece(out, section.rstrip(")"), file, size))
        else:
            symbols.append(Symbol(out, owner, text, size))
    loaded = {".text", ".rodata", ".data", ".data.rel.ro", ".bss", ".bss.rel.ro", ".tdata", ".tbss", ".got", ".dynamic",
              ".eh_frame", ".relr.dyn", ".init_array", ".ARM.exidx"}
    return [p for p in pieces if p.out in loaded], [s for s in symbols if s.out in loaded]


def part_of(file):
    """Room or outside part that an object file belongs to."""
    match = re.search(r"obj/(agent/[a-z]+|agent|port/[a-z]+|mbedtls|libyaml)/", file)
    if match:
        return "agent/main.c" if match[1] == "agent" else match[1]
    return "libc" if "libc" in file or "crt1" in file or "compiler_rt" in file else "strings"
