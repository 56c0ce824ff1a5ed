# SPDX-License-Identifier: Apache-2.0
"""Where the bytes of the program go: by part, the ten largest functions, and the file against the board's budget.

  size.py BOARD...
"""
import os
import sys

import lldmap
import memplan

CODE = {".text"}
CONSTANT = {".rodata", ".eh_frame", ".ARM.exidx", ".relr.dyn"}
DATA = {".data", ".data.rel.ro", ".got", ".dynamic", ".init_array", ".tdata"}


def kind(out):
    return 0 if out in CODE else 1 if out in CONSTANT else 2 if out in DATA else 3


def report(board):
    pieces, symbols = lldmap.read(f"build/{board}/kubemote.map")
    parts = {}
    for piece in pieces:
        row = parts.setdefault(lldmap.part_of(piece.file), [0, 0, 0, 0])
        row[kind(piece.out)] += piece.size
    print(f"\n{board:16}{'text':>9}{'rodata':>9}{'data':>9}{'bss':>9}")
    for part, row in sorted(parts.items(), key=lambda item: -sum(item[1][:3])):
        print(f"{part:16}" + "".join(f"{value:9,}" for value in row))
    total = [sum(row[i] for row in parts.values()) for i in range(4)]
    print(f"{'in all':16}" + "".join(f"{value:9,}" for value in total))
    largest = sorted((s for s in symbols if s.out == ".text"), key=lambda s: -s.size)[:10]
    print("largest functions: " + ", ".join(f"{s.name} {s.size:,}" for s in largest))


def main():
    bad = False
    lines = []
    for board in sys.argv[1:]:
        report(board)
        size = os.path.getsize(f"build/{board}/kubemote")
        limit = memplan.read_budget(board)["FLASH_BYTES"]
        bad = bad or size > limit
        lines.append(f"{'FAIL' if size > limit else 'ok'} {board}: kubemote has {size:,} bytes, budget.mk allows {limit:,}")
    print("\n" + "\n".join(lines))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
